"""From what users pass as data to batches `(x, y, sample_weight)`.

`ArraySource` holds arrays and gives batches as index vectors, so that data which fits can live on the
device; `IndexedSource` asks for batches by number, `StreamSource` takes anything that yields them. The order of shuffled data comes from a
counter-based generator on the host: equal on every engine.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import optree

from keraunos.core import config, dtypes, tree
from keraunos.core.errors import NUMBERS_FIRST, ArgumentError, DataError
from keraunos.core.graph import KerasTensor
from keraunos.data.indexed import IndexedSource
from keraunos.random import host

_PARTS = ("x", "y", "sample_weight")
_PREPARED_BYTES = 1 << 30  # data up to this size is prepared once, not batch by batch


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as `(x, y, sample_weight)`, None for what it lacks.

    Example:

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise DataError(f"A batch is (x,), (x, y) or (x, y, sample_weight), got {len(parts)} parts.", fix="yield (x, y)")
    return (*parts, *(None,) * (3 - len(parts)))  # type: ignore[return-value]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse of `unpack_x_y_sample_weight`."""
    if y is None:
        return x if not isinstance(x, (list, tuple)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def to_array(x: Any, name: str, text: bool = False) -> Any:
    """One array of the user's as NumPy's or the engine's, floats in `floatx()`; it may hold strings where `text` says so.

    Raises:
        DataError: It is symbolic, text or objects.
    """
    if isinstance(x, KerasTensor):
        raise DataError(f"{name} is a symbolic tensor, not data.", fix="pass arrays to fit; symbolic tensors to keras.Model(inputs, outputs)")
    backend = config.active()
    if backend.is_tensor(x) and not isinstance(x, np.ndarray):
        return x
    given: Any = x
    if hasattr(given, "to_numpy"):  # pandas, polars
        given = given.to_numpy()
    elif hasattr(given, "detach"):  # a tensor of PyTorch on another engine
        given = given.detach().cpu().numpy()
    x = np.asarray(given)
    if text and x.dtype.kind in "OSTU":
        return x
    if x.dtype.kind == "O":
        fix = "pass an array of numbers, all samples of one shape"
        raise DataError(f"{name} holds Python objects.", where=name, received=f"an array of {len(x)} objects", fix=fix)
    if x.dtype.kind in "STU":
        fix = NUMBERS_FIRST
        graph = ", for which the model must be a Sequential or begin with Input(shape, dtype='string'), if it is not applied to the data: fit(layer(x), y)"
        raise DataError(f"{name} holds text.", where=name, fix=fix + graph * name.startswith("x"))
    if x.dtype.kind == "f" and dtypes.standardize_dtype(x.dtype) != config.floatx():
        x = x.astype(backend.to_numpy(backend.array(0.0, config.floatx())).dtype)
    return x


def _texts(x: Any) -> Any:
    """Data in which lists of strings are arrays."""
    if isinstance(x, dict):
        return {name: _texts(value) for name, value in x.items()}
    if not isinstance(x, (list, tuple)) or not x:
        return x
    if not all(isinstance(value, str) for value in tree.flatten(list(x))):
        return type(x)(map(_texts, x)) if type(x) in (list, tuple) else x
    try:
        return np.array(x)
    except ValueError:
        raise DataError("The lists have unequal lengths.", where="x", fix="pad them to one length, or pass one string for each sample") from None


def _to_arrays(*parts: Any, text: bool = False) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The parts of a batch as arrays in their structures, and each array by the name that messages use.

    Raises:
        DataError: A part is a list of lists.
    """
    if text:
        parts = _texts(parts[0]), *parts[1:]
    for name, part in zip(_PARTS, parts, strict=False):
        if isinstance(part, list) and part and not any(hasattr(v, "shape") for v in tree.flatten(part)):
            fact = f"{name} is a list of {len(part)} {type(part[0]).__name__}s, which could be one array or many."
            raise DataError(fact, where=name, fix=f"pass np.asarray({name})")
    paths, leaves, form = optree.tree_flatten_with_path(parts, none_is_leaf=True)  # pyright: ignore[reportArgumentType]
    names = [_PARTS[place] + "".join(f"[{key!r}]" for key in path) for place, *path in paths]
    arrays = [None if x is None else to_array(x, name, text and name.startswith("x")) for name, x in zip(names, leaves, strict=True)]
    named = {name: x for name, x in zip(names, arrays, strict=True) if x is not None}
    return optree.tree_unflatten(form, arrays), named  # type: ignore[return-value]


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
        self.data, named = _to_arrays(x, y, sample_weight, text=text or prepare is not None)
        scalar = next((name for name, a in named.items() if a.ndim == 0), None)
        if scalar is not None:
            raise DataError(f"{scalar} is a single number, not an array of samples.", where=scalar)
        lengths = {name: int(a.shape[0]) for name, a in named.items()}
        if len(set(lengths.values())) > 1:
            received = ", ".join(f"{name}: {length}" for name, length in lengths.items())
            raise DataError("The arrays have unequal numbers of samples.", received=received, fix="each needs one entry for each sample")
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
        self.shuffle, self.seed = shuffle, host.make_seed() if shuffle else 0
        self.prepare = prepare
        if prepare is not None:
            first = self.head[0]  # all there is, if it is no more than a batch
            if self.size * sum(a[:1].nbytes for a in tree.flatten(first) if a is not None) <= _PREPARED_BYTES:
                whole = first if self.size <= self.batch_size else prepare(self.data[0])
                self.data, self.prepare = (whole, *self.data[1:]), None

    @property
    def nbytes(self) -> int:
        """The size of the arrays; those that are prepared batch by batch never fit."""
        if self.prepare is not None:
            return sys.maxsize
        return sum(math.prod(a.shape) * dtypes.BITS[dtypes.standardize_dtype(a.dtype)] // 8 for a in tree.flatten(self.data) if a is not None)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the samples in an epoch."""
        if not self.shuffle:
            return np.roll(np.arange(self.size, dtype="int32"), -epoch * min(self.steps * self.batch_size, self.size))  # goes on where the last one ended
        return host.generator(self.seed, epoch).permutation(self.size).astype("int32")

    def take(self, rows: Any) -> Any:
        """The samples of these rows, as `(x, y, sample_weight)`."""
        backend = config.active()

        def of(a: Any) -> Any:
            return None if a is None else a[rows] if isinstance(a, np.ndarray) or isinstance(rows, slice) else backend.rows(a, backend.indices(rows))

        x, y, weight = tree.map_structure(of, self.data)
        return x if self.prepare is None else self.prepare(x), y, weight

    @property
    def head(self) -> Any:
        """The first batch, for checks."""
        return self.take(slice(0, self.batch_size))

    def batches(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch."""
        order = self.order(epoch) if self.shuffle or self.steps * self.batch_size < self.size else None
        for start in range(0, self.steps * self.batch_size, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield self.take(rows if order is None else order[rows])

    def epoch_end(self) -> None:
        """Nothing: arrays need not be told."""


def _batch(batch: Any, prepare: Any) -> Any:
    """A batch of a user's as arrays, prepared by the host where it must be."""
    (x, y, weight), _ = _to_arrays(*unpack_x_y_sample_weight(batch), text=prepare is not None)
    return x if prepare is None else prepare(x), y, weight


class StreamSource:
    """Anything that yields batches: generators, data loaders, `tf.data`."""

    batch_size = None
    seed = 0  # its order is its own

    def __init__(self, data: Any, steps: int | None = None, prepare: Any = None):
        self.data, self.steps, self.prepare = data, steps, prepare
        self._once = inspect.isgenerator(data) or hasattr(data, "__next__")  # each epoch goes on where the last one ended
        self._iterator: Any = None
        if steps is None:
            try:
                self.steps = len(self.data)
            except (TypeError, ValueError, NotImplementedError):
                self.steps = None

    def _open(self) -> Iterator[Any]:
        """The batches that are still to come."""
        if self._iterator is None:
            self._iterator = (_batch(batch, self.prepare) for batch in self.data)
        return self._iterator

    @property
    def head(self) -> Any:
        """The first batch, which is still to come."""
        for batch in self._open():
            self._iterator = itertools.chain([batch], self._iterator)
            return batch
        raise DataError("The data gave no batch.", fix="check that the generator yields, or pass a new one: a generator can be used once")

    def batches(self, epoch: int) -> Iterator[Any]:
        """The batches of an epoch."""
        done = 0
        for batch in itertools.islice(self._open(), self.steps):
            done += 1
            yield batch
        if self._once and self.steps is not None and done < self.steps:
            fix = "let it yield for ever, or pass a smaller steps_per_epoch"
            raise DataError(f"The generator ended after {done} of {self.steps} batches.", fix=fix)
        if not self._once:
            self._iterator = None
        self.steps = done if self.steps is None else self.steps

    def epoch_end(self) -> None:
        """Tell the data that an epoch has ended."""
        if hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()


Source = ArraySource | IndexedSource | StreamSource


def source(x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, shuffle: Any = False, steps: int | None = None,
           prepare: Any = None, text: bool = False) -> Source:  # fmt: skip
    """What gives batches of the user's data, through `prepare` where the host prepares it; it may be strings then, or where `text` says so.

    Raises:
        DataError: The data cannot be used.
        ArgumentError: An argument does not go with this kind of data.
    """
    if x is None:
        raise DataError("There is no data: x is None.", fix="pass arrays, a generator or a data set")
    if isinstance(x, (list, tuple, dict)) or any(hasattr(x, name) for name in ("shape", "to_numpy", "__array__")):
        return ArraySource(x, y, sample_weight, batch_size, bool(shuffle), steps, prepare, text)
    kind = type(x).__name__
    if not any(hasattr(x, name) for name in ("__iter__", "__next__", "__getitem__")):
        raise DataError(f"x is a {kind}, which gives no batches.", fix="pass arrays, a generator or a data set")
    parts = "yield (x, y) or (x, y, sample_weight)"
    for name, value, fix in (("y", y, parts), ("sample_weight", sample_weight, parts), ("batch_size", batch_size, "leave batch_size out")):
        if value is not None:
            raise ArgumentError(f"{name} goes with arrays; a {kind} has its own.", where=name, fix=fix)
    if hasattr(x, "__getitem__") and (hasattr(x, "num_batches") or hasattr(x, "__len__")) and not hasattr(x, "dataset"):  # a loader of PyTorch's has no items
        return IndexedSource(x, steps, bool(shuffle), functools.partial(_batch, prepare=prepare))
    return StreamSource(x, steps, prepare)


def split(data: tuple[Any, Any, Any], fraction: float) -> tuple[Any, Any]:
    """The first part of the arrays for training, the last `fraction` for validation.

    Raises:
        ArgumentError: The fraction leaves one part empty, or the data is no arrays.
    """
    if not 0 < fraction < 1:
        raise ArgumentError("validation_split is a fraction between 0 and 1.", received=f"validation_split={fraction}")
    held = source(*data, text=True)
    if not isinstance(held, ArraySource):
        fact, fix = f"validation_split goes with arrays, not with a {type(data[0]).__name__}.", "pass validation_data=(x_val, y_val) or a second data set"
        raise ArgumentError(fact, where="validation_split", fix=fix)
    at = int(held.size * (1 - fraction))
    if not 0 < at < held.size:
        raise ArgumentError(f"validation_split={fraction} of {held.size} samples leaves one part empty.", where="validation_split")
    return held.take(slice(0, at)), held.take(slice(at, None))


def class_weights(y: Any, weights: dict[int, float], sample_weight: Any = None) -> Any:
    """Sample weights from class weights, for integer or one-hot targets.

    Raises:
        ArgumentError: A class has no weight.
    """
    to_numpy = config.active().to_numpy
    y = np.asarray(to_numpy(y))
    labels = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(len(y)).astype("int64")
    classes, inverse = np.unique(labels, return_inverse=True)
    missing = [label for label in classes.tolist() if label not in weights]
    if missing:
        fact, received = f"class_weight has no weight for {missing[:8]}.", f"classes {sorted(weights)[:12]}"
        raise ArgumentError(fact, where="class_weight", received=received, fix=f"add {missing[0]}: 1.0")
    dtype = "float32" if config.floatx() == "bfloat16" else config.floatx()
    found = np.array([weights[label] for label in classes.tolist()], dtype)[inverse].reshape(labels.shape)
    return found if sample_weight is None else found * np.asarray(to_numpy(sample_weight))
