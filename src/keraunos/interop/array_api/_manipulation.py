"""Functions that change the form of arrays, and that choose elements."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, value_of, wrap


def concat(arrays: Any, /, *, axis: int | None = 0) -> Array:
    """The arrays one after another along `axis`; None joins them flat.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.concat([xp.asarray([1, 2]), xp.asarray([3])])
    Array([1, 2, 3], dtype=int64)
    """
    dtype = _dtypes.result_type(*arrays)
    values = [value_of(x, dtype) for x in arrays]
    return wrap(ops.concatenate([ops.ravel(x) for x in values] if axis is None else values, axis or 0))


def stack(arrays: Any, /, *, axis: int = 0) -> Array:
    """The arrays on top of one another along a new `axis`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.stack([xp.asarray([1, 2]), xp.asarray([3, 4])], axis=1)
    Array([[1, 3],
     [2, 4]], dtype=int64)
    """
    dtype = _dtypes.result_type(*arrays)
    return wrap(ops.stack([value_of(x, dtype) for x in arrays], axis))


def unstack(x: Array, /, *, axis: int = 0) -> tuple[Array, ...]:
    """The arrays that lie on top of one another along `axis`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.unstack(xp.asarray([[1, 2], [3, 4]]))[1]
    Array([3, 4], dtype=int64)
    """
    return tuple(wrap(part) for part in ops.unstack(value_of(x), axis=axis))


def expand_dims(x: Array, /, *, axis: int = 0) -> Array:
    """A new axis of size 1 at `axis`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.expand_dims(xp.zeros(3), axis=1).shape
    (3, 1)
    """
    if not -x.ndim - 1 <= axis <= x.ndim:
        raise IndexError(f"An axis cannot be put at {axis} into an array with {x.ndim} axes.")
    return wrap(ops.expand_dims(value_of(x), axis))


def squeeze(x: Array, /, axis: int | tuple[int, ...]) -> Array:
    """Without the axes of size 1 that `axis` names.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.squeeze(xp.zeros((1, 3)), 0).shape
    (3,)
    """
    return wrap(ops.squeeze(value_of(x), axis if isinstance(axis, int) else tuple(axis)))


def reshape(x: Array, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Array:
    """The same elements in another shape; one size may be -1, which stands for the rest. Tensors are never changed, so `copy` makes no difference.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.reshape(xp.asarray([1, 2, 3, 4]), (-1, 2))
    Array([[1, 2],
     [3, 4]], dtype=int64)
    """
    shape = tuple(shape)
    if shape.count(-1) == 1 and not x.size:
        rest = [d for d in shape if d != -1]
        if 0 in rest:
            raise ShapeError("The size -1 cannot be told beside a size of 0.", where="reshape", received=shape, fix="name all sizes")
        shape = tuple(0 if d == -1 else d for d in shape)
    return wrap(ops.reshape(value_of(x), shape))


def permute_dims(x: Array, /, axes: tuple[int, ...]) -> Array:
    """The axes in another order.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.permute_dims(xp.zeros((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    return wrap(ops.transpose(value_of(x), tuple(axes)))


def moveaxis(x: Array, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Array:
    """The axes `source` at the places `destination`, the others in their order.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.moveaxis(xp.zeros((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    return wrap(ops.moveaxis(value_of(x), source, destination))


def matrix_transpose(x: Array, /) -> Array:
    """The transposes of the matrices in the last two axes.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.matrix_transpose(xp.asarray([[1, 2], [3, 4]]))
    Array([[1, 3],
     [2, 4]], dtype=int64)
    """
    if x.ndim < 2:
        raise ShapeError(f"A matrix has two axes, this array has {x.ndim}.", where="matrix_transpose", fix="xp.permute_dims says the order of all axes")
    return wrap(ops.swapaxes(value_of(x), -1, -2))


def flip(x: Array, /, *, axis: int | tuple[int, ...] | None = None) -> Array:
    """The elements in reverse order along `axis`; None is every axis.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.flip(xp.asarray([1, 2, 3]))
    Array([3, 2, 1], dtype=int64)
    """
    return wrap(ops.flip(value_of(x), axis))


def roll(x: Array, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None) -> Array:
    """The elements moved by `shift` along `axis`, those that leave coming in at the other end; None is of the flat array.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.roll(xp.asarray([1, 2, 3]), 1)
    Array([3, 1, 2], dtype=int64)
    """
    if axis is None:
        return wrap(ops.reshape(ops.roll(ops.ravel(value_of(x)), shift, 0), x.shape))
    axes, shifts = ((a,) if isinstance(a, int) else tuple(a) for a in (axis, shift))
    if len(axes) != len(shifts) and len(shifts) > 1:
        raise ArgumentError(f"There are {len(shifts)} shifts for {len(axes)} axes.", where="roll", fix="one shift for each axis")
    value = value_of(x)
    for a, n in zip(axes, shifts * len(axes) if len(shifts) == 1 else shifts, strict=True):
        value = ops.roll(value, n, a)
    return wrap(value)


def repeat(x: Array, repeats: int | Array, /, *, axis: int | None = None) -> Array:
    """Each element along `axis` repeated, all as often or each by its own number; None is of the flat array.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.repeat(xp.asarray([1, 2]), xp.asarray([1, 2]))
    Array([1, 2, 2], dtype=int64)
    """
    value, at = (ops.ravel(value_of(x)), 0) if axis is None else (value_of(x), axis)
    if isinstance(repeats, int):
        return wrap(ops.repeat(value, repeats, at))
    counts = repeats._host().reshape(-1).tolist()
    return wrap(ops.repeat(value, counts if len(counts) > 1 or not counts else counts[0], at) if counts else value)


def tile(x: Array, repetitions: tuple[int, ...], /) -> Array:
    """The whole array repeated along each axis.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.tile(xp.asarray([1, 2]), (2,))
    Array([1, 2, 1, 2], dtype=int64)
    """
    return wrap(ops.tile(value_of(x), tuple(repetitions)))


# ---- selection ----
def take(x: Array, indices: Array, /, *, axis: int | None = None) -> Array:
    """The elements at `indices` along `axis`, which may be left out for arrays with one.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.take(xp.asarray([10, 20, 30]), xp.asarray([2, 0]))
    Array([30, 10], dtype=int64)
    """
    if axis is None and x.ndim != 1:
        raise ArgumentError(f"take needs an axis for an array with {x.ndim}.", where="axis")
    return wrap(ops.take(value_of(x), value_of(indices, _dtypes.int64), axis or 0))


def take_along_axis(x: Array, indices: Array, /, *, axis: int = -1) -> Array:
    """For each index the element at it along `axis`, the other axes matched one to one.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.take_along_axis(xp.asarray([[3, 1], [9, 8]]), xp.asarray([[1], [0]]))
    Array([[1],
     [9]], dtype=int64)
    """
    return wrap(ops.take_along_axis(value_of(x), value_of(indices, _dtypes.int64), axis))


__all__ = [
    "concat", "expand_dims", "flip", "matrix_transpose", "moveaxis", "permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "take",
    "take_along_axis", "tile", "unstack",
]  # fmt: skip
