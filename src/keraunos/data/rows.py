"""Arrays of which rows are made when they are wanted: never the whole."""

from __future__ import annotations

import copy
import mmap
import sys
from typing import Any

import numpy as np

from keraunos.core.errors import DataError

RESIDENT_BYTES = 1 << 30  # data up to this size is kept on the device
RELEASED_BYTES = 1 << 27  # so much of a file is read before its pages are given back
_FAULT_BYTES = 1 << 16  # what the system maps around a byte that is read


class Rows:
    """An array by its rows, as `ArraySource` reads it.

    Args:
        held: What has the rows.
        shape: The shape of the whole.
        dtype: What rows are cast to.
    """

    nbytes = sys.maxsize  # it never lies on the device as a whole

    def __init__(self, held: Any, shape: tuple[int, ...], dtype: Any):
        self.held, self.shape, self.dtype, self._start = held, tuple(shape), dtype, 0

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def gather(self, rows: Any) -> Any:
        """The rows of a slice, or of an array of numbers."""
        raise NotImplementedError

    def __getitem__(self, rows: Any) -> np.ndarray:
        first = self._start
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            found = self.gather(slice(first + start, first + stop))
        else:
            found = self.gather(np.asarray(rows) + first)
        return np.asarray(found).astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)

    def part(self, rows: slice) -> Rows:
        """The rows of a slice, which are not read yet."""
        start, stop, _ = rows.indices(len(self))
        part = copy.copy(self)
        part._start, part.shape = self._start + start, (stop - start, *self.shape[1:])
        return part


class Sparse(Rows):
    """A matrix of which few entries are not 0, in SciPy's compressed rows; each batch is made dense by itself."""

    def gather(self, rows: Any) -> Any:
        return self.held[rows].toarray()


class Stored(Rows):
    """An array in an HDF5 file, which gives rows in the order of the file, each once."""

    def gather(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return self.held[rows]
        places, inverse = np.unique(rows, return_inverse=True)
        return self.held[places][inverse]


class Column(Rows):
    """A column of a data set of Hugging Face's, whose rows are decoded when they are read."""

    def gather(self, rows: Any) -> Any:
        found = self.held[rows if isinstance(rows, slice) else rows.tolist()]
        return stacked(found, f"column '{getattr(self.held, 'column_name', '')}'", text=self.dtype == object)


class Large(Rows):
    """An array in memory, or in a file that is mapped into it, too large to be copied as a whole.

    Pages of a file that were read count as memory of the process as long as they are mapped: they are given back from time to time.
    """

    def __init__(self, held: np.ndarray, dtype: Any):
        super().__init__(held, held.shape, dtype)
        self._map, self._read = _map(held), 0

    def gather(self, rows: Any) -> Any:
        found = self.held[rows]
        if self._map is None:
            return found
        found = np.array(found, self.dtype)  # is read now
        row = self.held.nbytes // max(len(self.held), 1)
        self._read += len(found) * (row if isinstance(rows, slice) else max(row, _FAULT_BYTES))
        if self._read > RELEASED_BYTES:
            self._map.madvise(mmap.MADV_DONTNEED)
            self._read = 0
        return found


def _map(x: Any) -> Any:
    """The map of a file that an array lies in, if its pages can be given back: those of a private copy hold what the user wrote."""
    mode = getattr(x, "mode", None)
    while isinstance(x, np.ndarray):
        mode, x = getattr(x, "mode", mode), x.base
    return x if isinstance(x, mmap.mmap) and mode in ("r", "r+", "w+") and hasattr(mmap, "MADV_DONTNEED") else None


def stacked(values: Any, name: str, text: bool = False) -> np.ndarray:
    """Values of rows as one array.

    Raises:
        DataError: They are of unequal shapes.
    """
    if isinstance(values, (list, tuple)) and values and hasattr(values[0], "detach"):
        values = [value.detach().cpu().numpy() for value in values]
    try:
        return np.asarray(values, object) if text else np.asarray(values)
    except ValueError:
        raise DataError(f"The rows of {name} are of unequal shapes.", where=name, fix="bring them to one shape first: pad sequences, resize images") from None
