"""What layers that prepare data share: how they see it (`adapt`), and how those without an engine run (`HostLayer`)."""

from __future__ import annotations

import itertools
import numbers
import time
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from keraunos.core import config, tree
from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import BackendError, DataError, StateError
from keraunos.core.spec import Spec
from keraunos.layers.layer import Layer

CHUNK = 1 << 16  # how many samples of one array are looked at in one go
PATIENCE = 1.0  # seconds after which progress is shown


# ---- data on the host ----
def is_text(x: Any) -> bool:
    """Whether `x` is an array of strings or of Python objects, which no engine has."""
    return isinstance(x, np.ndarray) and x.dtype.kind in "OSTU"


def on_host(x: Any) -> np.ndarray:
    """An engine's tensor, a list, or a column of a data frame, as a NumPy array.

    Raises:
        DataError: It is a list of lists of unequal lengths.
        BackendError: It has no value yet.
    """
    backend = config.active()
    if isinstance(x, np.ndarray):
        return np.array(x.tolist()) if x.dtype.kind == "O" and x.size and isinstance(x.flat[0], numbers.Number) else x
    if getattr(backend, "is_traced", lambda _: False)(x):
        fix = "let its input be an input of the model: Input(shape, dtype='string'), or apply the layer to the data first: fit(layer(x), y)"
        raise BackendError("This layer runs on the host, before the compiled step; here it was given a tensor that has no value yet.", fix=fix)
    if backend.is_tensor(x):
        return np.asarray(backend.to_numpy(x))
    if hasattr(x, "detach"):  # a tensor of PyTorch on another engine
        x = x.detach().cpu().numpy()
    try:
        return np.asarray(x)
    except ValueError:
        raise DataError("The lists have unequal lengths.", fix="pad them to one length, or pass one string for each sample") from None


def as_bytes(x: np.ndarray, encoding: str = "utf-8") -> list[bytes]:
    """The strings of an array in UTF-8, in order.

    Raises:
        DataError: Not all are strings.
    """
    items = x.ravel().tolist()
    kinds = set(map(type, items))
    if kinds <= {str}:
        return [text.encode() for text in items]
    if kinds <= {bytes}:
        return items if encoding == "utf-8" else [text.decode(encoding).encode() for text in items]
    wrong = next((i for i, text in enumerate(items) if not isinstance(text, (str, bytes))), None)
    if wrong is not None:
        value, kind = items[wrong], type(items[wrong]).__name__
        missing = kind in ("NoneType", "NAType") or value != value
        fix = "fill what is missing: data.fillna('')" if missing else "x.astype(str)"
        raise DataError(f"Element {wrong} of the data is no string.", received=kind, expected="str", fix=fix)
    return [text.encode() if isinstance(text, str) else text.decode(encoding).encode() for text in items]


def whole_numbers(x: np.ndarray) -> np.ndarray:
    """An array of numbers as integers.

    Raises:
        DataError: Some are none.
    """
    if is_text(x):
        raise DataError("Integers are expected here, not text or Python objects.", fix="StringLookup takes strings; fill what is missing: data.fillna(-1)")
    with np.errstate(invalid="ignore"):
        whole = x.astype("int64")
    if x.dtype.kind == "f" and not np.array_equal(whole, x):
        raise DataError("Integers are expected here, not numbers between them.", received=str(x.dtype), fix="Discretization makes bins of floats")
    return whole


def batches(data: Any, steps: int | None = None, size: int | None = CHUNK) -> Iterator[np.ndarray]:
    """The batches of anything that yields some, else pieces of one array, of at most `size` samples; progress is shown where it takes long."""
    from keraunos.training.progress import Progress

    whole = isinstance(data, (str, bytes, list, tuple)) or any(hasattr(data, name) for name in ("shape", "__array__", "to_numpy"))
    if whole:
        array = np.atleast_1d(on_host(data))
        size = max(1, size or len(array))
        parts: Any = (array[start : start + size] for start in range(0, max(len(array), 1), size))
        total = -(-len(array) // size)
    elif not isinstance(data, dict) and (hasattr(data, "__iter__") or hasattr(data, "__getitem__")):
        given = data if hasattr(data, "__iter__") or not hasattr(data, "__len__") else (data[i] for i in range(len(data)))
        parts, total = map(_batch, itertools.islice(given, steps)), steps
    else:
        raise DataError(f"adapt cannot see the data in a {type(data).__name__}.", fix="pass an array, a list, a column, or what yields batches of them")
    progress = Progress("auto", title="Adapt")
    progress.begin(0, total)
    done = 0
    for part in parts:
        if time.perf_counter() - progress.started > PATIENCE and progress.due():
            progress.draw(done, {})
        yield part
        done += 1
    if progress.width:
        progress.end(done, {})


def _batch(batch: Any) -> np.ndarray:
    """One batch that was yielded."""
    if isinstance(batch, dict) or (isinstance(batch, tuple) and any(getattr(part, "ndim", 0) for part in batch)):
        fact, fix = "adapt takes the inputs alone.", "layer.adapt(x for x, y in data), or data.map(lambda x, y: x)"
        raise DataError(fact, received=f"batches that are {type(batch).__name__}s", fix=fix)
    return on_host(batch)


class Adapting(Layer, kw_only=True):
    """The base of layers that learn from data without gradients: they see all of it once, before training."""

    piece: ClassVar[int | None] = CHUNK  # how many samples of an array they look at in one go

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learn from data what the layer needs, in place of what it had learnt.

        Args:
            data: An array, a list, a column of a data frame, or what yields batches of one of them.
            steps: How many batches to take; all by default.
        """
        self.reset_state()
        for batch in batches(data, steps, self.piece):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        """Forget what was learnt."""

    def update_state(self, data: Any) -> None:
        """Look at one more batch."""

    def finalize_state(self) -> None:
        """Make of the batches what the layer uses."""


# ---- layers without an engine ----
class HostLayer(Layer, kw_only=True):
    """The base of layers of text and of look-ups, which run on NumPy arrays.

    Their `call` takes NumPy arrays and returns one; what is no text becomes the engine's tensor. A model runs them, and what they
    need, before its compiled step. Each says by `compute_output_spec` what it gives for symbolic tensors.
    """

    on_host = True
    reads = "string"  # the dtype of its data

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return tree.map_structure(self._on_engine, super().__call__(*args, **kwargs))

    def _on_engine(self, x: Any) -> Any:
        if not isinstance(x, np.ndarray) or is_text(x):
            return x
        backend = self._backend
        x = backend.array(x)
        return backend.cast(x, self.compute_dtype) if backend.dtype_of(x) in FLOATS and self.compute_dtype in FLOATS else x

    def _built(self) -> None:
        super()._built()
        self._plain = False  # inputs always are to be taken to the host

    def _convert(self, argument: Any) -> Any:
        return argument if any(isinstance(x, Spec) for x in tree.flatten(argument)) else on_host(argument)


# ---- indices as vectors ----
def encoded_shape(shape: Sequence[Any], mode: str, depth: Any) -> tuple[Any, ...]:
    """The shape of indices of this shape in an output mode: `one_hot` drops a last axis of one, the others sum over the last."""
    if mode == "int":
        return tuple(shape)
    squeezed = mode != "one_hot" or (len(shape) > 1 and shape[-1] == 1)
    return (*(shape[:-1] if squeezed else shape or (1,)), depth)


def tally(rows: Any, places: np.ndarray, count: int, depth: int, mode: str, weights: np.ndarray | None = None) -> np.ndarray:
    """A matrix of `count` rows: how often each of `places` occurs in each of `rows`, or whether; negative places are left out."""
    kept = places >= 0
    cells, times = np.unique((rows * depth + places)[kept], return_counts=True)
    found = np.zeros(count * depth, "float32")
    found[cells] = 1 if mode in ("one_hot", "multi_hot") else times if weights is None else times * weights[cells % depth]
    return found.reshape(count, depth)


def encoded_on_host(places: np.ndarray, mode: str, depth: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Indices in an output mode; negative ones are left out of vectors."""
    if mode == "int":
        return places.astype("int32")
    shape = encoded_shape(places.shape, mode, depth)
    count = int(np.prod(shape[:-1]))
    rows = np.repeat(np.arange(count), places.size // max(count, 1))
    return tally(rows, places.ravel(), count, depth, mode, weights).reshape(shape)


def not_adapted(name: str, what: str) -> StateError:
    """What a layer says that has learnt nothing yet."""
    return StateError(f"The layer '{name}' has no {what}.", fix="show it the data first: layer.adapt(data)")
