"""Searching, sorting and sets."""

from __future__ import annotations

from typing import NamedTuple

from keraunos import ops
from keraunos.core.errors import ShapeError, one_of
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, checked, value_of, wrap


def argmax(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the largest element along `axis`, or of the flat array; of several, the first.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.argmax(xp.asarray([1, 5, 5]))
    Array(1, dtype=int64)
    """
    return wrap(ops.argmax(checked("argmax", "real numeric", x)[1][0], axis, keepdims), _dtypes.int64)


def argmin(x: Array, /, *, axis: int | None = None, keepdims: bool = False) -> Array:
    """The index of the smallest element along `axis`, or of the flat array; of several, the first.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.argmin(xp.asarray([[1, 0], [2, 3]]), axis=1)
    Array([1, 0], dtype=int64)
    """
    return wrap(ops.argmin(checked("argmin", "real numeric", x)[1][0], axis, keepdims), _dtypes.int64)


def nonzero(x: Array, /) -> tuple[Array, ...]:
    """For each axis the indices of the elements that are not zero.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.nonzero(xp.asarray([0, 7, 8]))[0]
    Array([1, 2], dtype=int64)
    """
    if not x.ndim:
        raise ShapeError("nonzero needs an array with axes.", where="nonzero", fix="use x != 0")
    return tuple(wrap(i, _dtypes.int64) for i in ops.nonzero(value_of(x)))


def searchsorted(x1: Array, x2: Array, /, *, side: str = "left", sorter: Array | None = None) -> Array:
    """The places in the ascending `x1` where the elements of `x2` would be put in: before those equal to them, or with "right" behind.

    Args:
        x1: The elements to search, with one axis.
        x2: The elements to find places for, of any shape.
        side: "left" or "right".
        sorter: The indices that sort `x1`, if it is not.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.searchsorted(xp.asarray([1, 2, 2, 3]), xp.asarray([2]), side="right")
    Array([3], dtype=int64)
    """
    one_of("side", side, ("left", "right"))
    _, (ascending, wanted) = checked("searchsorted", "real numeric", x1, x2)
    if sorter is not None:
        ascending = ops.take(ascending, value_of(sorter, _dtypes.int64), 0)
    return wrap(ops.reshape(ops.searchsorted(ascending, ops.ravel(wanted), side), x2.shape), _dtypes.int64)


# ---- order ----
def sort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The elements along `axis` in ascending or descending order.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.sort(xp.asarray([2, 3, 1]), descending=True)
    Array([3, 2, 1], dtype=int64)
    """
    out = ops.sort(checked("sort", "real numeric", x)[1][0], axis)
    return wrap(ops.flip(out, axis) if descending else out, x.dtype)


def argsort(x: Array, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Array:
    """The indices that put the elements along `axis` in order; equal ones keep theirs.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.argsort(xp.asarray([2, 3, 1]))
    Array([2, 0, 1], dtype=int64)
    """
    value = checked("argsort", "real numeric", x)[1][0]
    if not descending:
        return wrap(ops.argsort(value, axis), _dtypes.int64)
    order = ops.flip(ops.argsort(ops.flip(value, axis), axis), axis)  # backwards twice, so that equal ones keep their order
    return wrap(ops.subtract(x.shape[axis] - 1, order), _dtypes.int64)


# ---- sets ----
class unique_all_result(NamedTuple):
    """What `unique_all` gives."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class unique_counts_result(NamedTuple):
    """What `unique_counts` gives."""

    values: Array
    counts: Array


class unique_inverse_result(NamedTuple):
    """What `unique_inverse` gives."""

    values: Array
    inverse_indices: Array


def unique_all(x: Array, /) -> unique_all_result:
    """The distinct elements, the index of the first of each, for each element the index of its like, and how many of each there are.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> found = xp.unique_all(xp.asarray([5, 3, 5]))
    >>> found.values, found.counts
    (Array([3, 5], dtype=int64), Array([1, 2], dtype=int64))
    """
    values, indices, inverse, counts = ops.unique(ops.ravel(value_of(x)), return_index=True, return_inverse=True, return_counts=True)
    found = (wrap(i, _dtypes.int64) for i in (indices, ops.reshape(inverse, x.shape), counts))
    return unique_all_result(wrap(values), *found)


def unique_counts(x: Array, /) -> unique_counts_result:
    """The distinct elements, and how many of each there are.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> values, counts = xp.unique_counts(xp.asarray([5, 3, 5]))
    >>> counts
    Array([1, 2], dtype=int64)
    """
    out = unique_all(x)
    return unique_counts_result(out.values, out.counts)


def unique_inverse(x: Array, /) -> unique_inverse_result:
    """The distinct elements, and for each element the index of its like.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> values, places = xp.unique_inverse(xp.asarray([5, 3, 5]))
    >>> xp.take(values, places)
    Array([5, 3, 5], dtype=int64)
    """
    out = unique_all(x)
    return unique_inverse_result(out.values, out.inverse_indices)


def unique_values(x: Array, /) -> Array:
    """The distinct elements.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.unique_values(xp.asarray([5, 3, 5]))
    Array([3, 5], dtype=int64)
    """
    return unique_all(x).values


__all__ = ["argmax", "argmin", "argsort", "nonzero", "searchsorted", "sort", "unique_all", "unique_counts", "unique_inverse", "unique_values"]
