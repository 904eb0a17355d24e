"""Ops that join tensors, part them, or turn them."""

from __future__ import annotations

import builtins
from typing import Any

from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.op import Tensor, Tensors
from keraunos.core.spec import normalize_axes, normalize_axis
from keraunos.ops.elementwise import settled
from keraunos.ops.rules import Promoted, Same, declare, integer, several
from keraunos.ops.shaping import concatenate, expand_dims, flip, get_item, ndim, ravel, reshape, shape, split, swapaxes


# ---- joining ----
def append(x1: Tensor, x2: Tensor, axis: int | None = None) -> Promoted:
    """`x2` behind `x1` along `axis`; None joins the flat tensors.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.append([[1, 2]], [[3, 4]])).tolist()
    [1, 2, 3, 4]
    >>> ops.convert_to_numpy(ops.append([[1, 2]], [[3, 4]], axis=0)).tolist()
    [[1, 2], [3, 4]]
    """
    x1, x2 = settled(x1, x2)
    return concatenate([ravel(x1), ravel(x2)], 0) if axis is None else concatenate([x1, x2], axis)


def hstack(xs: Tensors) -> Promoted:
    """The tensors side by side: joined along their second axis, or their only one.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hstack([[1, 2], [3]])).tolist()
    [1, 2, 3]
    >>> ops.convert_to_numpy(ops.hstack([[[1], [2]], [[3], [4]]])).tolist()
    [[1, 3], [2, 4]]
    """
    xs = [x if ndim(x) else reshape(x, (1,)) for x in several(xs, "hstack")]
    return concatenate(xs, min(ndim(xs[0]) - 1, 1))


def vstack(xs: Tensors) -> Promoted:
    """The tensors below one another: joined along their first axis, vectors as rows.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.vstack([[1, 2], [3, 4]])).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([x if ndim(x) > 1 else reshape(x, (1, -1)) for x in several(xs, "vstack")], 0)


def dstack(xs: Tensors) -> Promoted:
    """The tensors behind one another: joined along their third axis, which they get if need be; vectors as rows.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.dstack([[1, 2], [3, 4]])).tolist()
    [[[1, 3], [2, 4]]]
    """
    rows = [x if ndim(x) > 1 else reshape(x, (1, -1)) for x in several(xs, "dstack")]
    return concatenate([x if ndim(x) > 2 else expand_dims(x, -1) for x in rows], 2)


# ---- parting ----
def array_split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Same]:
    """As `split`, but the parts need not be equal: the first ones have one more where the size cannot be divided.

    Example:

    >>> from keraunos import ops
    >>> [ops.convert_to_numpy(part).tolist() for part in ops.array_split([1, 2, 3, 4, 5], 3)]
    [[1, 2], [3, 4], [5]]
    """
    if not isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    if indices_or_sections < 1:
        fact = f"There cannot be {indices_or_sections} parts."
        raise ArgumentError(fact, where="indices_or_sections", fix="a number of parts of at least 1 that divides the axis, or the places to split at")
    at = normalize_axis(axis, ndim(x))
    parts, start = [], 0
    for i in range(indices_or_sections):
        end = start + (shape(x)[at] + indices_or_sections - 1 - i) // indices_or_sections
        parts.append(get_item(x, (*[builtins.slice(None)] * at, builtins.slice(start, end))))
        start = end
    return parts


def hsplit(x: Tensor, indices_or_sections: Any) -> list[Same]:
    """`split` along the second axis, or the only one.

    Example:

    >>> from keraunos import ops
    >>> [ops.convert_to_numpy(part).tolist() for part in ops.hsplit([[1, 2, 3, 4], [5, 6, 7, 8]], 2)]
    [[[1, 2], [5, 6]], [[3, 4], [7, 8]]]
    """
    return split(x, indices_or_sections, min(ndim(x) - 1, 1))


def vsplit(x: Tensor, indices_or_sections: Any) -> list[Same]:
    """`split` along the first axis.

    Example:

    >>> from keraunos import ops
    >>> [ops.convert_to_numpy(part).tolist() for part in ops.vsplit([[1, 2], [3, 4], [5, 6]], [1])]
    [[[1, 2]], [[3, 4], [5, 6]]]
    """
    return split(x, indices_or_sections, 0)


def dsplit(x: Tensor, indices_or_sections: Any) -> list[Same]:
    """`split` along the third axis.

    Example:

    >>> from keraunos import ops
    >>> [ops.shape(part) for part in ops.dsplit(ops.zeros((2, 3, 4)), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    return split(x, indices_or_sections, 2)


# ---- turning ----
def fliplr(x: Tensor) -> Same:
    """The columns (the second axis) in reverse order.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.fliplr([[1, 2], [3, 4]])).tolist()
    [[2, 1], [4, 3]]
    """
    return flip(x, 1)


def flipud(x: Tensor) -> Same:
    """The rows (the first axis) in reverse order.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.flipud([[1, 2], [3, 4]])).tolist()
    [[3, 4], [1, 2]]
    """
    return flip(x, 0)


def rot90(array: Tensor, k: int = 1, axes: Any = (0, 1)) -> Same:
    """`array` turned `k` times by a quarter, from the first of two axes to the second.

    Raises:
        ShapeError: `axes` are not two different axes.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.rot90([[1, 2], [3, 4]])).tolist()
    [[2, 4], [1, 3]]
    """
    first, k = normalize_axes(tuple(axes), ndim(array)), integer(k, "k")
    if len(first) != 2:
        raise ShapeError(f"A turn is in two axes, not {len(first)}.", where="axes", fix="axes=(0, 1)")
    if k % 2 == 0:
        return flip(array, first) if k % 4 else array
    return flip(swapaxes(array, *first), first[0] if k % 4 == 1 else first[1])


declare(globals())

__all__ = ["append", "array_split", "dsplit", "dstack", "fliplr", "flipud", "hsplit", "hstack", "rot90", "vsplit", "vstack"]
