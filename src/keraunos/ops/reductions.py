"""Ops that take many elements together: sums, extremes, statistics, running sums."""

from __future__ import annotations

import builtins
import math
from typing import Any

from keraunos.core.dtypes import COMPLEX
from keraunos.core.errors import ShapeError
from keraunos.core.op import SUMMED, Tensor, primitive
from keraunos.core.spec import UNKNOWN, Spec, is_known, normalize_axes, same_dim, show
from keraunos.ops import shaping
from keraunos.ops.elementwise import absolute, add, cast, exp, isfinite, log, multiply, not_equal, sqrt, square, stop_gradient, subtract, true_divide, where
from keraunos.ops.rules import (
    Composed,
    Floating,
    Index,
    Logical,
    Numeric,
    Promoted,
    Same,
    Summed,
    chosen,
    declare,
    dims,
    integer,
    reduced,
    same_axis,
    shaped,
    typed,
)
from keraunos.ops.shaping import broadcast_to, dtype, expand_dims, reshape, squeeze, transpose


def sum(x: Tensor, axis: Any = None, keepdims: bool = False) -> Summed:
    """The sum over `axis`, one or several; None is all.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)).tolist()
    [4.0, 6.0]
    """


def mean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """The mean over `axis`."""


@primitive(shape=lambda x, axis=None, keepdims=False, dtype=None: typed(reduced(x, axis, keepdims), dtype), dtype=SUMMED)
def prod(x: Tensor, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over `axis`, in `dtype` if one is given."""


def any(x: Tensor, axis: Any = None, keepdims: bool = False) -> Logical:
    """Whether any element over `axis` is true."""


def all(x: Tensor, axis: Any = None, keepdims: bool = False) -> Logical:
    """Whether all elements over `axis` are true."""


declare(globals(), reduced)


def max(x: Tensor, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Promoted:
    """The greatest element over `axis`, not below `initial`."""


def min(x: Tensor, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Promoted:
    """The smallest element over `axis`, not above `initial`."""


def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """The index of the greatest element along `axis`, the first of equals; None is of the flat tensor."""


def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """The index of the smallest element along `axis`, the first of equals."""


declare(globals(), chosen)


def cumsum(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """The running sum along `axis`; None is along the flat tensor."""


def cumprod(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """The running product along `axis`; None is along the flat tensor."""


declare(globals(), lambda x, axis=None, dtype=None: typed(same_axis(x, axis), dtype))


def sort(x: Tensor, axis: int | None = -1) -> Same:
    """The elements in ascending order along `axis`."""


def argsort(x: Tensor, axis: int | None = -1) -> Index:
    """The indices that sort `x` along `axis`; equal elements keep their order."""


declare(globals(), same_axis)


@shaped
def top_k(x: Tensor, k: int, sorted: bool = True) -> tuple[Same, Same]:
    """The `k` largest values along the last axis, from the largest on, and their indices."""
    own, k = dims(x), integer(k, "k", 0)
    if not own or (is_known(k) and own[-1] is not UNKNOWN and own[-1] < k):
        raise ShapeError(f"There are no {k} largest values along the last axis.", received=show(own), expected=f"at least {k} along the last axis")
    return Spec((*own[:-1], k), x.dtype), Spec((*own[:-1], k), "int32")


def amax(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """The greatest element over `axis`, as `max`."""
    return max(x, axis, keepdims)


def amin(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """The smallest element over `axis`, as `min`."""
    return min(x, axis, keepdims)


def squared(x: Any) -> Any:
    """The squares of absolute values."""
    return square(absolute(x) if dtype(x) in COMPLEX else x)


def var(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """The variance over `axis`: the mean squared distance from the mean, which is real for complex numbers too."""
    return mean(squared(subtract(x, mean(x, axis, True))), axis, keepdims)


def std(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """The standard deviation over `axis`."""
    return sqrt(var(x, axis, keepdims))


def logsumexp(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """`log(sum(exp(x)))` over `axis`, computed stably."""
    top = stop_gradient(max(x, axis, True, -math.inf))
    top = where(isfinite(top), top, 0)
    out = add(log(sum(exp(subtract(x, top)), axis, True)), top)
    return out if keepdims else reshape(out, ()) if axis is None else squeeze(out, axis)


def count_nonzero(x: Tensor, axis: Any = None) -> Composed:
    """The number of elements over `axis` that are not 0."""
    return sum(cast(not_equal(x, 0), "int32"), axis)


def average(x: Tensor, axis: Any = None, weights: Tensor = None) -> Floating:
    """The mean over `axis`, each element counted by its weight; the weights have `x`'s shape or that of the axes."""
    if weights is None:
        return mean(x, axis)
    shape = dims(x)
    axes = normalize_axes(axis, len(shape))
    if axis is not None and len(dims(weights)) == len(axes) < len(shape):
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = expand_dims(transpose(weights, order), [i for i in range(len(shape)) if i not in axes])
    own = dims(weights)
    if len(own) != len(shape) or not builtins.all(a == 1 or same_dim(a, b) for a, b in zip(own, shape, strict=True)):
        expected = "x's shape, or that of the axes"
        raise ShapeError(f"Weights of shape {show(own)} do not fit x of shape {show(shape)}.", expected=expected)
    return true_divide(sum(multiply(x, weights), axis), sum(broadcast_to(weights, shaping.shape(x)), axis))


declare(globals())

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "average", "count_nonzero", "cumprod", "cumsum", "logsumexp", "max", "mean", "min", "prod",
    "sort", "std", "sum", "var",
]  # fmt: skip
