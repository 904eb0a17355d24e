"""From what users pass as data to what gives batches `(x, y, sample_weight)` of it.

`ArraySource` holds arrays and gives batches as index vectors, so that data which fits can live on the
device; `IndexedSource` asks for batches by number, `StreamSource` takes anything that yields them. The order of shuffled data comes from a
counter-based generator on the host: equal on every engine.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from keraunos.core import config, dtypes, tree
from keraunos.core.errors import ArgumentError, DataError
from keraunos.data.ahead import Ahead, Pace
from keraunos.data.arrays import roots, to_array
from keraunos.data.batches import as_it_is, pack_x_y_sample_weight, to_arrays, to_batch, unpack_x_y_sample_weight
from keraunos.data.indexed import IndexedSource
from keraunos.data.rows import Rows
from keraunos.data.streams import StreamSource
from keraunos.random import host

__all__ = ["ArraySource", "Source", "class_weights", "pack_x_y_sample_weight", "source", "split", "to_array", "unpack_x_y_sample_weight"]

_PREPARED_BYTES = 1 << 30  # data up to this size is prepared once, not batch by batch


class ArraySource:
    """Arrays in memory.

    Args:
        x: The inputs.
        y: The targets.
        sample_weight: A weight for each sample.
        batch_size: The number of samples in a batch; the last may be smaller.
        shuffle: Whether each epoch has its own order.
        steps: The number of batches in an epoch, if fewer than there are.
        prepare: What the host makes of the inputs before an engine has them.
        text: Whether the inputs may be strings.

    Raises:
        DataError: The arrays have no samples, or unequal numbers of them.
        ArgumentError: There are fewer than `steps` batches.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: bool = False, steps: int | None = None,
                 prepare: Any = None, text: bool = False):  # fmt: skip
        self.data, named = to_arrays(x, y, sample_weight, text=text or prepare is not None)
        self.alone = y is None and sample_weight is None and not isinstance(x, (list, tuple))  # whether a batch is x, not a tuple of it
        scalar = next((name for name, a in named.items() if a.ndim == 0), None)
        if scalar is not None:
            raise DataError(f"{scalar} is a single number, not an array of samples.", where=scalar, fix=f"np.array([[{scalar}]]) is one sample of one feature")
        lengths = {name: int(a.shape[0]) for name, a in named.items()}
        if len(set(lengths.values())) > 1:
            received = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            fix = "each needs one entry for each sample"
            raise DataError("The arrays have unequal numbers of samples.", where=", ".join(lengths), received=received, fix=fix, code="KR208")
        self.size = next(iter(lengths.values()), 0)
        if self.size == 0:
            raise DataError("x has 0 samples.", where="x", fix="check how the data was selected: print(x.shape) before this call", code="KR209")
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ArgumentError("batch_size must be a positive integer.", where="batch_size", received=f"batch_size={batch_size!r}", fix="batch_size=32")
        self.batch_size = int(batch_size or 32)
        available = math.ceil(self.size / self.batch_size)
        if steps is not None and steps > available:
            fact = f"steps_per_epoch={steps} needs more than the {self.size} samples in batches of {self.batch_size}."
            raise ArgumentError(fact, where="steps_per_epoch", fix=f"at most {available}, or leave it out")
        self.steps = steps or available
        self.shuffle, self.seed = shuffle, host.make_seed() if shuffle else 0
        self.prepare, self._pace = prepare, Pace()
        if prepare is not None:
            first = self.head[0]  # all there is, if it is no more than a batch
            if self.size * sum(a[:1].nbytes for a in tree.flatten(first) if a is not None) <= _PREPARED_BYTES:
                whole = first if self.size <= self.batch_size else self.take(slice(None))[0]
                self.data, self.prepare = (whole, *self.data[1:]), None

    @property
    def nbytes(self) -> int:
        """The size of the arrays; those that are prepared, or made, batch by batch never fit."""
        arrays = [a for a in tree.flatten(self.data) if a is not None]
        if self.prepare is not None or any(isinstance(a, Rows) for a in arrays):
            return sys.maxsize
        return sum(math.prod(a.shape) * dtypes.BITS[dtypes.standardize_dtype(a.dtype)] // 8 for a in arrays)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch."""
        dtype = "int32" if self.size < 1 << 31 else "int64"
        if not self.shuffle:
            return np.roll(np.arange(self.size, dtype=dtype), -epoch * min(self.steps * self.batch_size, self.size))  # goes on where the last one ended
        return host.generator(self.seed, epoch).permutation(self.size).astype(dtype)

    def take(self, rows: Any) -> Any:
        """The samples of these rows, as `(x, y, sample_weight)`."""
        backend = config.active()

        def of(a: Any) -> Any:
            return None if a is None else a[rows] if isinstance(a, (np.ndarray, Rows)) or isinstance(rows, slice) else backend.rows(a, backend.indices(rows))

        plain = all(type(part) in (np.ndarray, type(None)) for part in self.data)
        x, y, weight = [None if a is None else a[rows] for a in self.data] if plain else tree.map_structure(of, self.data)
        return x if self.prepare is None else self.prepare(x), y, weight

    @property
    def head(self) -> Any:
        """The first batch, for checks."""
        return self.take(slice(0, self.batch_size))

    def parts(self, at: int) -> tuple[Any, Any]:
        """The arrays before a row, and from it on; what is read row by row is not read."""

        def of(rows: slice) -> Any:
            return tree.map_structure(lambda a: None if a is None else a.part(rows) if isinstance(a, Rows) else a[rows], self.data)

        return of(slice(0, at)), of(slice(at, None))

    def batches(self, epoch: int, ready: Callable[[Any], Any] = as_it_is, passed: int = 0) -> Generator[Any]:
        """The batches of an epoch but for the first ones, made `ready` ahead of time where that is worth a thread."""
        order = self.order(epoch) if self.shuffle or self.steps * self.batch_size < self.size else None
        starts = range(passed * self.batch_size, self.steps * self.batch_size, self.batch_size)
        slices = (slice(start, start + self.batch_size) for start in starts)
        ahead = Ahead(slices if order is None else (order[rows] for rows in slices), lambda rows: ready(self.take(rows)), self._pace)
        try:
            yield from ahead
        finally:
            ahead.close()

    def skip(self, epoch: int) -> None:
        """Nothing: the order of an epoch does not depend on those before."""

    def epoch_end(self) -> None:
        """Nothing: arrays need not be told."""

    def close(self) -> None:
        """Nothing: arrays hold nothing open."""


Source = ArraySource | IndexedSource | StreamSource


# ---- data sets of libraries, by the package and the name of a class that theirs derives from ----
def _samples(x: Any, fix: str) -> Any:
    raise DataError(f"x is a {type(x).__name__}, which gives samples, not batches.", where="x", fix=fix)


def _tf_data(x: Any, *options: Any) -> StreamSource:
    return StreamSource(x, *options, endless=int(x.cardinality()) == -1)


_DATA_SETS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch", "DataLoader"): StreamSource,
    ("torch", "IterableDataset"): StreamSource,
    ("torch", "Dataset"): lambda x, *_: _samples(x, "torch.utils.data.DataLoader(x, batch_size=32, shuffle=True)"),
    ("tensorflow", "DatasetV2"): _tf_data,
    ("grain", "MapDataset"): lambda x, *options: StreamSource(x, *options, endless=len(x) >= sys.maxsize),
    ("grain", "IterDataset"): StreamSource,
    ("grain", "DataLoader"): StreamSource,
    ("datasets", "IterableDataset"): StreamSource,
}


@functools.cache
def _data_set(kind: type) -> Callable[..., Any] | None:
    """What makes a source of a library's data set; None for another class."""
    names = zip(roots(kind), (base.__name__ for base in kind.__mro__), strict=True)
    return next((_DATA_SETS[name] for name in names if name in _DATA_SETS), None)


def _unfolded(x: Any) -> Any:
    """A data set of Hugging Face's with samples by number as the dict of its columns."""
    return {name: x[name] for name in x.column_names} if hasattr(x, "column_names") and hasattr(x, "features") and hasattr(x, "__getitem__") else x


def _is_array(x: Any) -> bool:
    kinds = ("shape", "to_numpy", "__array__", "collect_schema")
    return isinstance(x, (list, tuple, dict)) or any(hasattr(x, name) for name in kinds) or (hasattr(x, "column_name") and hasattr(x, "features"))


def _whole_steps(steps: Any) -> int:
    if (not isinstance(steps, (int, np.integer)) and not (isinstance(steps, float) and steps.is_integer())) or steps < 1:
        fact = "The number of steps must be a positive integer."
        raise ArgumentError(fact, where="steps_per_epoch, validation_steps or steps", received=repr(steps), fix="leave it out")
    return int(steps)


def source(x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: Any = False, steps: int | None = None,
           prepare: Any = None, text: bool = False) -> Source:  # fmt: skip
    """What gives batches of the user's data, through `prepare` where the host prepares it; it may be strings then, or where `text` says so.

    Raises:
        DataError: The data cannot be used.
        ArgumentError: An argument does not go with this kind of data.
    """
    if x is None:
        raise DataError("There is no data: x is None.", where="x", fix="pass arrays, a generator or a data set")
    x, steps = _unfolded(x), None if steps is None else _whole_steps(steps)
    if _is_array(x):
        return ArraySource(x, y, sample_weight, batch_size, bool(shuffle), steps, prepare, text)
    kind, known = type(x).__name__, _data_set(type(x))
    if known is None and not any(hasattr(x, name) for name in ("__iter__", "__next__", "__getitem__")):
        fix = f"pass what it returns: {getattr(x, '__name__', 'x')}()" if callable(x) else "pass arrays, a generator or a data set"
        raise DataError(f"x is a {kind}, which gives no batches.", where="x", fix=fix)
    parts = "yield (x, y) or (x, y, sample_weight)"
    for name, value, fix in (("y", y, parts), ("sample_weight", sample_weight, parts), ("batch_size", batch_size, "leave batch_size out")):
        if value is not None:
            raise ArgumentError(f"{name} goes with arrays; a {kind} has its own.", where=name, fix=fix)
    convert = functools.partial(to_batch, prepare=prepare)
    if known is not None:
        return known(x, steps, convert)
    if hasattr(x, "__getitem__") and (hasattr(x, "num_batches") or hasattr(x, "__len__")):
        return IndexedSource(x, steps, bool(shuffle), convert)
    return StreamSource(x, steps, convert)


def split(data: tuple[Any, Any, Any], fraction: float) -> tuple[Any, Any]:
    """The first part of the arrays for training, the last `fraction` for validation.

    Raises:
        ArgumentError: The fraction leaves one part empty, or the data is no arrays.
    """
    if not 0 < fraction < 1:
        fix = "validation_split=0.2 keeps the last fifth"
        raise ArgumentError("validation_split is a fraction between 0 and 1.", where="validation_split", received=f"validation_split={fraction}", fix=fix)
    held = source(*data, text=True)
    if not isinstance(held, ArraySource):
        fact, fix = f"validation_split goes with arrays, not with a {type(data[0]).__name__}.", "pass validation_data=(x_val, y_val) or a second data set"
        raise ArgumentError(fact, where="validation_split", fix=fix)
    at = int(held.size * (1 - fraction))
    if not 0 < at < held.size:
        fix = "pass validation_data, or a fraction that holds a sample"
        raise ArgumentError(f"validation_split={fraction} of {held.size} samples leaves one part empty.", where="validation_split", fix=fix)
    return held.parts(at)


def class_weights(y: Any, weights: dict[int, float], sample_weight: Any = None, sparse: bool = False) -> Any:
    """Sample weights from class weights, for integer or one-hot targets.

    Args:
        y: The targets.
        weights: A weight for each class.
        sample_weight: Weights that those of the classes are multiplied with.
        sparse: Whether the targets are integers, also where there are several for a sample.

    Raises:
        ArgumentError: A class has no weight.
    """
    if not isinstance(weights, dict):
        fix = "{" + ", ".join(f"{i}: {float(w):g}" for i, w in enumerate(list(weights)[:8])) + "}" if np.ndim(weights) == 1 else "{0: 1.0, 1: 2.0}"
        raise ArgumentError(f"class_weight is a dict of weights by class, not a {type(weights).__name__}.", where="class_weight", fix=f"class_weight={fix}")
    to_numpy = config.active().to_numpy
    y = np.asarray(to_numpy(to_array(y, "y")))
    if y.dtype.kind == "f" and not (sparse or (y.ndim > 1 and y.shape[-1] > 1)) and (y != np.floor(y)).any():
        raise ArgumentError("class_weight goes by classes, and y is continuous.", where="class_weight", fix="sample_weight=…, a weight for each sample")
    several = y.ndim > 1 and y.shape[-1] > 1
    labels = y.argmax(-1) if several and not sparse else (y if several or y.ndim == 1 else y[..., 0]).astype("int64")
    classes, inverse = np.unique(labels, return_inverse=True)
    missing = [label for label in classes.tolist() if label not in weights]
    if missing:
        fact, received = f"class_weight has no weight for {missing[:8]}.", f"classes {sorted(weights)[:12]}"
        raise ArgumentError(fact, where="class_weight", received=received, fix=f"add {missing[0]}: 1.0")
    dtype = "float32" if config.floatx() == "bfloat16" else config.floatx()
    found = np.array([weights[label] for label in classes.tolist()], dtype)[inverse].reshape(labels.shape)
    if sample_weight is None:
        return found
    given = np.asarray(to_numpy(sample_weight))
    rank = max(found.ndim, given.ndim)
    return found.reshape(found.shape + (1,) * (rank - found.ndim)) * given.reshape(given.shape + (1,) * (rank - given.ndim))
