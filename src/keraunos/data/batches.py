"""Batches `(x, y, sample_weight)` as users give them, and as arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import optree

from keraunos.core import tree
from keraunos.core.errors import DataError
from keraunos.data.arrays import to_array
from keraunos.data.rows import Rows

_PARTS = ("x", "y", "sample_weight")


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch as `(x, y, sample_weight)`, None for what it lacks.

    Example:

    >>> unpack_x_y_sample_weight((1, 2))
    (1, 2, None)
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        raise DataError(f"A batch is (x,), (x, y) or (x, y, sample_weight), got {len(parts)} parts.", where="the batch", fix="yield (x, y)")
    return (*parts, *(None,) * (3 - len(parts)))  # type: ignore[return-value]


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The inverse of `unpack_x_y_sample_weight`.

    Args:
        x: The inputs.
        y: The targets, if there are any.
        sample_weight: The weights of the samples, if there are any.

    Returns:
        `(x, y, sample_weight)` without what is None; `x` alone if there is nothing else.

    Example:

    >>> import keraunos as keras
    >>> keras.utils.pack_x_y_sample_weight(1), keras.utils.pack_x_y_sample_weight(1, 2)
    (1, (1, 2))
    """
    if y is None:
        return x if not isinstance(x, (list, tuple)) else (x,)
    return (x, y) if sample_weight is None else (x, y, sample_weight)


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


def to_arrays(*parts: Any, text: bool = False) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The parts of a batch as arrays in their structures, and each array by the name that messages use.

    Raises:
        DataError: A part is a list of lists.
    """
    if text:
        parts = _texts(parts[0]), *parts[1:]
    for name, part in zip(_PARTS, parts, strict=False):
        if isinstance(part, list) and part and not any(hasattr(v, "shape") for v in tree.flatten(part)):
            uneven = len({len(row) for row in part if isinstance(row, (list, tuple))}) > 1
            fix = f"{name} = keras.utils.pad_sequences({name}), which makes the rows equally long" if uneven else f"pass np.asarray({name})"
            raise DataError(f"{name} is a list of {len(part)} {type(part[0]).__name__}s, which could be one array or many.", where=name, fix=fix, code="KR206")
    paths, leaves, form = optree.tree_flatten_with_path(parts, none_is_leaf=True)  # pyright: ignore[reportArgumentType]
    names = [_PARTS[place] + "".join(f"[{key!r}]" for key in path) for place, *path in paths]
    arrays = [None if x is None else to_array(x, name, text and name.startswith("x")) for name, x in zip(names, leaves, strict=True)]
    named = {name: x for name, x in zip(names, arrays, strict=True) if x is not None}
    return optree.tree_unflatten(form, arrays), named  # type: ignore[return-value]


def to_batch(batch: Any, prepare: Any = None) -> Any:
    """A batch of a user's as arrays, prepared by the host where it must be."""
    parts = unpack_x_y_sample_weight(batch)
    if all(part is None or type(part) is np.ndarray for part in parts):  # the usual batch takes a short way
        x, y, weight = [None if part is None else to_array(part, name, prepare is not None and name == "x") for name, part in zip(_PARTS, parts, strict=True)]
    else:
        (x, y, weight), named = to_arrays(*parts, text=prepare is not None)
        if any(isinstance(a, Rows) for a in named.values()):
            x, y, weight = tree.map_structure(lambda a: np.asarray(a) if isinstance(a, Rows) else a, (x, y, weight))
    return x if prepare is None else prepare(x), y, weight


def as_it_is(batch: Any) -> Any:
    """The batch."""
    return batch


class Form:
    """The structure that all batches of data have."""

    def __init__(self) -> None:
        self.first: Any = None
        self.alone = False  # whether a batch is x, not a tuple of it

    def checked(self, convert: Callable[[Any], Any], raw: Any, place: str) -> Any:
        """A batch converted, of the structure of the first.

        Raises:
            DataError: It has another structure, or no samples, or cannot be converted.
        """
        try:
            batch = convert(raw)
        except DataError as error:
            raise error.inside(place) from None
        form = optree.tree_structure(batch, none_is_leaf=False)  # pyright: ignore[reportArgumentType]
        if self.first is None:
            self.first, self.alone = form, not isinstance(raw, (list, tuple))
        elif form != self.first:
            fact, fix = "A batch has another structure than the first one.", "let each batch have the same parts, in the same dicts and lists"
            raise DataError(fact, where=place, received=_shown(form), expected=_shown(self.first), fix=fix)
        if any(0 in a.shape[:1] for a in ([batch[0]] if hasattr(batch[0], "shape") else tree.flatten(batch[0])) if a is not None):
            raise DataError("A batch has no samples.", where=place, fix="leave empty batches out")
        return batch


class Batched:
    """The base of sources whose data gives batches, and is told of epochs."""

    batch_size = None
    data: Any
    _form: Form

    @property
    def alone(self) -> bool:
        """Whether a batch is x, not a tuple of it; known when one was seen."""
        return self._form.alone

    def _tell(self, mark: str, *values: Any) -> None:
        """Call a method of the data, if it has it."""
        if (method := getattr(self.data, mark, None)) is not None:
            method(*values)

    def epoch_end(self) -> None:
        """Tell the data that an epoch has ended."""
        self._tell("on_epoch_end")


def _shown(form: Any) -> str:
    """A structure in words: * stands for an array."""
    return str(optree.tree_unflatten(form, ["*"] * form.num_leaves)).replace("'*'", "*")
