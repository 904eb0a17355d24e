"""Statistics, and other functions that put elements together."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.spec import normalize_axes
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, checked, value_of, wrap
from keraunos.interop.array_api._dtypes import DType
from keraunos.interop.array_api._manipulation import concat

Axis = int | tuple[int, ...] | None


def _summed(x: Array, dtype: DType | None) -> DType:
    """The dtype of sums and products: for integers the one of 64 bits."""
    widest = {"signed integer": _dtypes.int64, "unsigned integer": _dtypes.uint64}
    return dtype or widest.get(x.dtype.kind, x.dtype)


def _count(x: Array, axis: Axis) -> float:
    """How many elements there are over `axis`."""
    return float(math.prod(x.shape[a] for a in normalize_axes(axis, x.ndim)))


def sum(x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    """The sum over `axis`; integers are added up in 64 bits.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.sum(xp.asarray([[1, 2], [3, 4]]), axis=0)
    Array([4, 6], dtype=int64)
    """
    checked("sum", "numeric", x)
    out = _summed(x, dtype)
    return wrap(ops.sum(value_of(x, out), axis, keepdims), out)


def prod(x: Array, /, *, axis: Axis = None, dtype: DType | None = None, keepdims: bool = False) -> Array:
    """The product over `axis`; integers are multiplied in 64 bits.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.prod(xp.asarray([2, 3, 4]))
    Array(24, dtype=int64)
    """
    checked("prod", "numeric", x)
    out = _summed(x, dtype)
    return wrap(ops.prod(value_of(x, out), axis, keepdims), out)


def max(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The largest element over `axis`; NaN where there is one.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.max(xp.asarray([1.0, float("nan")]))
    Array(nan, dtype=float64)
    """
    return wrap(ops.max(checked("max", "real numeric", x)[1][0], axis, keepdims), x.dtype)


def min(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The smallest element over `axis`; NaN where there is one.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.min(xp.asarray([[1, 2], [3, 0]]), axis=1)
    Array([1, 0], dtype=int64)
    """
    return wrap(ops.min(checked("min", "real numeric", x)[1][0], axis, keepdims), x.dtype)


def mean(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """The mean over `axis`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.mean(xp.asarray([1.0, 2.0, 6.0]))
    Array(3., dtype=float64)
    """
    return wrap(ops.true_divide(ops.sum(checked("mean", "floating", x)[1][0], axis, keepdims), _count(x, axis)), x.dtype)


def var(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The variance over `axis`: the sum of squared distances from the mean, divided by the number of elements less `correction`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.var(xp.asarray([1.0, 3.0])), xp.var(xp.asarray([1.0, 3.0]), correction=1)
    (Array(1., dtype=float64), Array(2., dtype=float64))
    """
    value = checked("var", "real floating", x)[1][0]
    squares = ops.sum(ops.square(ops.subtract(value, value_of(mean(x, axis=axis, keepdims=True)))), axis, keepdims)
    return wrap(ops.true_divide(squares, _count(x, axis) - correction), x.dtype)


def std(x: Array, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Array:
    """The standard deviation over `axis`, the root of `var`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.std(xp.asarray([1.0, 5.0]))
    Array(2., dtype=float64)
    """
    return wrap(ops.sqrt(value_of(var(x, axis=axis, correction=correction, keepdims=keepdims))))


def _running(name: str, op: Any, x: Array, axis: int | None, dtype: DType | None, first: int | None) -> Array:
    checked(name, "numeric", x)
    if axis is None and x.ndim != 1:
        raise ArgumentError(f"{name} needs an axis for an array with {x.ndim}.", where="axis")
    out = _summed(x, dtype)
    value = op(value_of(x, out), axis or 0)
    if first is not None:
        one = ops.full([1 if i == (axis or 0) % x.ndim else d for i, d in enumerate(x.shape)], first, out.name)
        value = ops.concatenate([one, value], axis or 0)
    return wrap(value, out)


def cumulative_sum(x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False) -> Array:
    """The sums of the elements so far along `axis`; with `include_initial`, a zero before.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.cumulative_sum(xp.asarray([1, 2, 3]), include_initial=True)
    Array([0, 1, 3, 6], dtype=int64)
    """
    return _running("cumulative_sum", ops.cumsum, x, axis, dtype, 0 if include_initial else None)


def cumulative_prod(x: Array, /, *, axis: int | None = None, dtype: DType | None = None, include_initial: bool = False) -> Array:
    """The products of the elements so far along `axis`; with `include_initial`, a one before.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.cumulative_prod(xp.asarray([2, 3, 4]))
    Array([ 2,  6, 24], dtype=int64)
    """
    return _running("cumulative_prod", ops.cumprod, x, axis, dtype, 1 if include_initial else None)


# ---- tests and differences ----
def _truth(x: Array) -> Any:
    return value_of(x) if x.dtype == _dtypes.bool else ops.not_equal(value_of(x), 0)


def all(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether all elements over `axis` are true, or not zero.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.all(xp.asarray([[1, 0], [2, 3]]), axis=1)
    Array([False,  True], dtype=bool)
    """
    return wrap(ops.all(_truth(x), axis, keepdims), _dtypes.bool)


def any(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether any element over `axis` is true, or not zero.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.any(xp.asarray([0, 1]))
    Array(True, dtype=bool)
    """
    return wrap(ops.any(_truth(x), axis, keepdims), _dtypes.bool)


def count_nonzero(x: Array, /, *, axis: Axis = None, keepdims: bool = False) -> Array:
    """How many elements over `axis` are not zero.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.count_nonzero(xp.asarray([0, 1, 2]))
    Array(2, dtype=int64)
    """
    return wrap(ops.sum(ops.cast(_truth(x), "int64"), axis, keepdims), _dtypes.int64)


def diff(x: Array, /, *, axis: int = -1, n: int = 1, prepend: Array | None = None, append: Array | None = None) -> Array:
    """The differences of neighbours along `axis`, taken `n` times, `prepend` and `append` set before and behind first.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.diff(xp.asarray([1, 4, 9]), prepend=xp.asarray([0]))
    Array([1, 3, 5], dtype=int64)
    """
    checked("diff", "numeric", x)
    parts = [part for part in (prepend, x, append) if part is not None]
    joined = concat(parts, axis=axis) if len(parts) > 1 else x
    return wrap(ops.diff(value_of(joined), n, axis), joined.dtype)


__all__ = ["all", "any", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum", "var"]
