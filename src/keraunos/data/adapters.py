"""From what users pass as data to batches `(x, y, sample_weight)`.

`ArraySource` holds arrays and gives batches as index vectors, so that data which fits can live on the
device; `StreamSource` takes anything that yields batches. The order of shuffled data comes from a
counter-based generator on the host: equal on every engine.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from keraunos.core import config, dtypes, tree
from keraunos.core.errors import ArgumentError, DataError
from keraunos.core.graph import KerasTensor
from keraunos.random import host


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as `(x, y, sample_weight)`, None for what it lacks.

    Example:

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise DataError(f"A batch is (x,), (x, y) or (x, y, sample_weight), got {len(data)} parts.", fix="yield (x, y)")
    return (*data, *(None,) * (3 - len(data)))  # type: ignore[return-value]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse of `unpack_x_y_sample_weight`."""
    if y is None:
        return x if not isinstance(x, (list, tuple)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def _labels(structure: Any, name: str) -> list[str]:
    if isinstance(structure, dict):
        return [f"{name}[{key!r}]" for key in sorted(structure)]
    count = len(tree.flatten(structure))
    return [name] if count == 1 else [f"{name}[{i}]" for i in range(count)]


def to_array(x: Any, name: str) -> Any:
    """One array of the user's as NumPy's or the engine's, floats in `floatx()`.

    Raises:
        DataError: It is empty, text, or a list of lists.
    """
    if isinstance(x, KerasTensor):
        raise DataError(f"{name} is a symbolic tensor, not data.", fix="pass arrays to fit; symbolic tensors to keras.Model(inputs, outputs)")
    backend = config.active()
    if backend.is_tensor(x) and not isinstance(x, np.ndarray):
        return x
    given: Any = x
    if (hasattr(given, "to_numpy") and hasattr(given, "columns")) or type(given).__name__ == "Series":  # pandas, polars
        given = given.to_numpy()
    if hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    x = np.asarray(given)
    if x.dtype.kind in "USO":
        if x.dtype.kind == "O":
            raise DataError(
                f"{name} holds Python objects.", where=name, received=f"an array of {len(x)} objects", fix="pass an array of numbers, all samples of one shape"
            )
        raise DataError(f"{name} holds text.", where=name, fix="turn it into numbers first, with TextVectorization or StringLookup")
    if x.dtype.kind == "f" and dtypes.standardize_dtype(x.dtype) != config.floatx():
        x = x.astype(backend.to_numpy(backend.array(0.0, config.floatx())).dtype)
    return x


def _arrays(structure: Any, name: str) -> Any:
    if isinstance(structure, list) and structure and not any(hasattr(v, "shape") for v in tree.flatten(structure)):
        raise DataError(
            f"{name} is a list of {len(structure)} {type(structure[0]).__name__}s, which could be one array or many.",
            where=name,
            fix=f"pass np.asarray({name})",
        )
    labels = iter(_labels(structure, name))
    return tree.map_structure(lambda x: None if x is None else to_array(x, next(labels)), structure)


class Source:
    """Batches of data; `batches(epoch)` gives those of one epoch."""

    steps: int | None = None
    batch_size: int | None = None

    @property
    def head(self) -> Any:
        """The first batch, for checks."""
        raise NotImplementedError

    def batches(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch."""
        raise NotImplementedError

    def epoch_end(self) -> None:
        """Tell the data that an epoch has ended."""


class ArraySource(Source):
    """Arrays in memory.

    Args:
        x: The inputs.
        y: The targets.
        sample_weight: A weight for each sample.
        batch_size: The number of samples in a batch; the last may be smaller.
        shuffle: Whether each epoch has its own order.
        steps: The number of batches in an epoch, if fewer than there are.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: bool = False, steps: int | None = None):
        self.data = tuple(None if s is None else _arrays(s, name) for s, name in ((x, "x"), (y, "y"), (sample_weight, "sample_weight")))
        named = [
            (label, a)
            for s, name in zip(self.data, ("x", "y", "sample_weight"), strict=True)
            if s is not None
            for label, a in zip(_labels(s, name), tree.flatten(s), strict=True)
            if a is not None
        ]
        for label, a in named:
            if a.ndim == 0:
                raise DataError(f"{label} is a single number, not an array of samples.", where=label)
        lengths = {label: int(a.shape[0]) for label, a in named}
        if len(set(lengths.values())) > 1:
            raise DataError(
                "The arrays have unequal numbers of samples.",
                received=", ".join(f"{k}: {v}" for k, v in lengths.items()),
                fix="each needs one entry for each sample",
            )
        self.size = next(iter(lengths.values()), 0)
        if self.size == 0:
            raise DataError("x has 0 samples.", fix="check how the data was selected")
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ArgumentError("batch_size must be a positive integer.", received=f"batch_size={batch_size!r}")
        self.batch_size = int(batch_size or 32)
        available = math.ceil(self.size / self.batch_size)
        if steps is not None and steps > available:
            raise ArgumentError(f"steps_per_epoch={steps} needs more than the {self.size} samples in batches of {self.batch_size}.", fix=f"at most {available}")
        self.steps = steps or available
        self.shuffle = shuffle
        self.seed = host.make_seed() if shuffle else 0

    @property
    def nbytes(self) -> int:
        """The size of the arrays."""
        return sum(int(a.nbytes) for a in tree.flatten(self.data) if a is not None)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch."""
        if not self.shuffle:
            return np.arange(self.size, dtype="int32")
        return host.generator(self.seed, epoch).permutation(self.size).astype("int32")

    def take(self, rows: Any) -> Any:
        """The samples of these rows, as `(x, y, sample_weight)`."""
        return tree.map_structure(lambda a: None if a is None else a[rows], self.data)

    def batches(self, epoch: int) -> Iterator[Any]:
        order, size = self.order(epoch) if self.shuffle else None, self.batch_size or 1
        for i in range(self.steps or 0):
            rows = slice(i * size, (i + 1) * size)
            yield self.take(rows if order is None else order[rows])

    @property
    def head(self) -> Any:
        """The first rows, for checks."""
        return self.take(slice(0, self.batch_size))


class StreamSource(Source):
    """Anything that yields batches: generators, data loaders, `PyDataset`-like sequences, `tf.data`."""

    def __init__(self, data: Any, steps: int | None = None):
        self.data, self.steps = data, steps
        self._sequence = hasattr(data, "__getitem__") and hasattr(data, "__len__") and not hasattr(data, "dataset")
        if steps is None:
            try:
                length = getattr(data, "num_batches", None)
                self.steps = int(length) if isinstance(length, int) else len(data)
            except (TypeError, ValueError, NotImplementedError):
                self.steps = None
        self._iterator: Any = None
        self._endless = inspect.isgenerator(data) or hasattr(data, "__next__")
        self._ahead: list[Any] = []

    @property
    def head(self) -> Any:
        """The first batch, which is still to come."""
        if not self._ahead:
            iterator = self._open()
            try:
                self._ahead.append(next(iterator))
            except StopIteration:
                raise DataError("The data gave no batch.", fix="check that the generator yields, or pass a new one: a generator can be used once") from None
        return self._prepare(self._ahead[0])

    def _open(self) -> Iterator[Any]:
        if self._iterator is None:
            self._iterator = (self.data[i] for i in range(len(self.data))) if self._sequence else iter(self.data)
        return self._iterator

    def _prepare(self, batch: Any) -> Any:
        if not isinstance(batch, (tuple, list)):
            batch = (batch,)
        x, y, weight = unpack_x_y_sample_weight(tuple(batch))
        return tuple(None if s is None else _arrays(s, name) for s, name in ((x, "x"), (y, "y"), (weight, "sample_weight")))

    def batches(self, epoch: int) -> Iterator[Any]:
        iterator, count = self._open(), 0
        while self.steps is None or count < self.steps:
            try:
                batch = self._ahead.pop() if self._ahead else next(iterator)
            except StopIteration:
                if self._endless and self.steps is not None:
                    raise DataError(
                        f"The generator ended after {count} of {self.steps} batches.", fix="let it yield for ever, or pass a smaller steps_per_epoch"
                    ) from None
                break
            count += 1
            yield self._prepare(batch)
        if not self._endless or self.steps is None:
            self._iterator = None
            self.steps = count if self.steps is None else self.steps

    def epoch_end(self) -> None:
        if hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()


def source(x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: Any = False, steps: int | None = None) -> Source:
    """What gives batches of the user's data.

    Raises:
        DataError: The data cannot be used.
        ArgumentError: An argument does not go with this kind of data.
    """
    if x is None:
        raise DataError("There is no data: x is None.", fix="pass arrays, a generator or a data set")
    nested = isinstance(x, (list, tuple, dict))
    arrays = nested or hasattr(x, "shape") or hasattr(x, "to_numpy") or hasattr(x, "__array__")
    if arrays:
        return ArraySource(x, y, sample_weight, batch_size, bool(shuffle), steps)
    if not hasattr(x, "__iter__") and not hasattr(x, "__next__") and not hasattr(x, "__getitem__"):
        raise DataError(f"x is a {type(x).__name__}, which gives no batches.", fix="pass arrays, a generator or a data set")
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if value is not None:
            raise ArgumentError(f"{name} goes with arrays; a {type(x).__name__} yields it with x.", where=name, fix="yield (x, y) or (x, y, sample_weight)")
    if batch_size is not None:
        raise ArgumentError(f"batch_size goes with arrays; a {type(x).__name__} decides its batches itself.", where="batch_size", fix="leave batch_size out")
    return StreamSource(x, steps)


def split(data: tuple[Any, Any, Any], fraction: float) -> tuple[Any, Any]:
    """The first part of the arrays for training, the last `fraction` for validation.

    Raises:
        ArgumentError: The fraction leaves one part empty, or the data is no arrays.
    """
    x = data[0]
    if not 0 < fraction < 1:
        raise ArgumentError("validation_split is a fraction between 0 and 1.", received=f"validation_split={fraction}")
    if not (isinstance(x, (list, tuple, dict)) or hasattr(x, "shape") or hasattr(x, "to_numpy")):
        raise ArgumentError(
            f"validation_split goes with arrays, not with a {type(x).__name__}.",
            where="validation_split",
            fix="pass validation_data=(x_val, y_val) or a second data set",
        )
    held = ArraySource(*data)
    at = held.size - math.ceil(held.size * fraction)
    if not 0 < at < held.size:
        raise ArgumentError(f"validation_split={fraction} of {held.size} samples leaves one part empty.", where="validation_split")
    return held.take(slice(0, at)), held.take(slice(at, None))


def class_weights(y: Any, weights: dict[int, float], sample_weight: Any = None) -> Any:
    """Sample weights from class weights, for integer or one-hot targets.

    Raises:
        ArgumentError: A class has no weight.
    """
    y = np.asarray(config.active().to_numpy(y))
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype("int64")
    missing = sorted(set(np.unique(labels).tolist()) - set(weights))
    if missing:
        raise ArgumentError(
            f"class_weight has no weight for {missing[:8]}.", where="class_weight", received=f"classes {sorted(weights)[:12]}", fix=f"add {missing[0]}: 1.0"
        )
    found = np.vectorize(weights.get, otypes=[float])(labels).astype(config.floatx() if config.floatx() != "bfloat16" else "float32")
    return found if sample_weight is None else found * np.asarray(config.active().to_numpy(sample_weight))
