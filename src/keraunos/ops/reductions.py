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
    """The mean over `axis`, one or several; None is all.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.mean([[1.0, 2.0], [3.0, 6.0]], axis=0)).tolist()
    [2.0, 4.0]
    """


@primitive(shape=lambda x, axis=None, keepdims=False, dtype=None: typed(reduced(x, axis, keepdims), dtype), dtype=SUMMED)
def prod(x: Tensor, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The product over `axis`, one or several; None is all. It is 1 of nothing.

    Args:
        dtype: The result's dtype; None is `x`'s, short integers in 32 bits.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.prod([[1, 2], [3, 4]], axis=1)).tolist()
    [2, 12]
    """


def any(x: Tensor, axis: Any = None, keepdims: bool = False) -> Logical:
    """Whether any element over `axis` is true, that is not 0; None is all axes.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.any([[0, 1], [0, 0]], axis=1)).tolist()
    [True, False]
    """


def all(x: Tensor, axis: Any = None, keepdims: bool = False) -> Logical:
    """Whether all elements over `axis` are true, that is not 0; None is all axes.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.all([[1, 1], [0, 1]], axis=1)).tolist()
    [True, False]
    """


declare(globals(), reduced)


def max(x: Tensor, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Promoted:
    """The greatest element over `axis`, one or several; None is all. NaN where there is one.

    Args:
        keepdims: Whether the axes stay, with size 1.
        initial: What the result is not below; without it, there must be an element.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.max([[1, 5], [7, 3]], axis=1, keepdims=True)).tolist()
    [[5], [7]]
    >>> int(ops.max([-3, -2], initial=0))
    0
    """


def min(x: Tensor, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Promoted:
    """The smallest element over `axis`, one or several; None is all. NaN where there is one.

    Args:
        keepdims: Whether the axes stay, with size 1.
        initial: What the result is not above; without it, there must be an element.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.min([[1, 5], [7, 3]], axis=0)).tolist()
    [1, 3]
    """


def argmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """The index of the greatest element along `axis`, the first of equals; None is of the flat tensor.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.argmax([[1, 5, 5], [7, 3, 0]], axis=1)).tolist()
    [1, 0]
    >>> int(ops.argmax([[1, 5, 5], [7, 3, 0]]))
    3
    """


def argmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """The index of the smallest element along `axis`, the first of equals; None is of the flat tensor.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.argmin([[1, 5, 1], [7, 3, 0]], axis=1)).tolist()
    [0, 2]
    """


declare(globals(), chosen)


def cumsum(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """The running sum along `axis`; None is along the flat tensor.

    Args:
        dtype: The dtype of the sums; None is `x`'s.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cumsum([[1, 2], [3, 4]], axis=1)).tolist()
    [[1, 3], [3, 7]]
    >>> ops.convert_to_numpy(ops.cumsum([[1, 2], [3, 4]])).tolist()
    [1, 3, 6, 10]
    """


def cumprod(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """The running product along `axis`; None is along the flat tensor.

    Args:
        dtype: The dtype of the products; None is `x`'s.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cumprod([1, 2, 3, 4])).tolist()
    [1, 2, 6, 24]
    """


declare(globals(), lambda x, axis=None, dtype=None: typed(same_axis(x, axis), dtype))


def sort(x: Tensor, axis: int | None = -1) -> Same:
    """The elements in ascending order along `axis`; None is of the flat tensor. NaN comes last.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sort([[3, 1, 2], [9, 7, 8]])).tolist()
    [[1, 2, 3], [7, 8, 9]]
    """


def argsort(x: Tensor, axis: int | None = -1) -> Index:
    """The indices that sort `x` along `axis`; None is of the flat tensor. Equal elements keep their order.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.argsort([30, 10, 20, 10])).tolist()
    [1, 3, 2, 0]
    """


declare(globals(), same_axis)


@shaped
def top_k(x: Tensor, k: int, sorted: bool = True) -> tuple[Same, Same]:
    """The `k` largest values along the last axis and their indices.

    Args:
        sorted: Whether the largest must come first; False leaves the order open.

    Raises:
        ShapeError: There are fewer than `k`.

    Example:

    >>> from keraunos import ops
    >>> values, indices = ops.top_k([3, 9, 5, 7], k=2)
    >>> ops.convert_to_numpy(values).tolist(), ops.convert_to_numpy(indices).tolist()
    ([9, 7], [1, 3])
    """
    own, k = dims(x), integer(k, "k", 0)
    if not own or (is_known(k) and own[-1] is not UNKNOWN and own[-1] < k):
        raise ShapeError(f"There are no {k} largest values along the last axis.", received=show(own), expected=f"at least {k} along the last axis")
    return Spec((*own[:-1], k), x.dtype), Spec((*own[:-1], k), "int32")


def amax(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """The greatest element over `axis`, as `max` without `initial`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.amax([[1, 5], [7, 3]], axis=0)).tolist()
    [7, 5]
    """
    return max(x, axis, keepdims)


def amin(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """The smallest element over `axis`, as `min` without `initial`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.amin([[1, 5], [7, 3]], axis=1)).tolist()
    [1, 3]
    """
    return min(x, axis, keepdims)


def squared(x: Any) -> Any:
    """The squares of absolute values."""
    return square(absolute(x) if dtype(x) in COMPLEX else x)


def var(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """The variance over `axis`: the mean squared distance from the mean, which is real for complex numbers too.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.var([[1.0, 3.0], [2.0, 6.0]], axis=1)).tolist()
    [1.0, 4.0]
    """
    return mean(squared(subtract(x, mean(x, axis, True))), axis, keepdims)


def std(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """The standard deviation over `axis`: the root of `var`, whose squares are divided by the number of elements.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.std([[1.0, 3.0], [2.0, 6.0]], axis=1)).tolist()
    [1.0, 2.0]
    """
    return sqrt(var(x, axis, keepdims))


def logsumexp(x: Tensor, axis: Any = None, keepdims: bool = False) -> Floating:
    """`log(sum(exp(x)))` over `axis`, computed stably: no `exp` overflows.

    Example:

    >>> from keraunos import ops
    >>> float(ops.logsumexp([1000.0, 1000.0]))
    1000.693...
    """
    top = stop_gradient(max(x, axis, True, -math.inf))
    top = where(isfinite(top), top, 0)
    out = add(log(sum(exp(subtract(x, top)), axis, True)), top)
    return out if keepdims else reshape(out, ()) if axis is None else squeeze(out, axis)


def count_nonzero(x: Tensor, axis: Any = None) -> Composed:
    """The number of elements over `axis` that are not 0, as int32.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.count_nonzero([[0, 1, 2], [0, 0, 3]], axis=1)).tolist()
    [2, 1]
    """
    return sum(cast(not_equal(x, 0), "int32"), axis)


def average(x: Tensor, axis: Any = None, weights: Tensor = None) -> Floating:
    """The mean over `axis`, each element counted by its weight.

    Args:
        axis: One axis or several; None is all.
        weights: In `x`'s shape or in that of the axes; None counts all alike.

    Raises:
        ShapeError: The weights have another shape.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.average([[1.0, 2.0], [3.0, 4.0]], axis=1, weights=[3.0, 1.0])).tolist()
    [1.25, 3.25]
    """
    if weights is None:
        return mean(x, axis)
    shape = dims(x)
    axes = normalize_axes(axis, len(shape))
    if axis is not None and len(dims(weights)) == len(axes) < len(shape):
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = expand_dims(transpose(weights, order), [i for i in range(len(shape)) if i not in axes])
    own = dims(weights)
    if len(own) != len(shape) or not builtins.all(a == 1 or same_dim(a, b) for a, b in zip(own, shape, strict=True)):
        raise ShapeError(f"Weights of shape {show(own)} do not fit x of shape {show(shape)}.", expected="x's shape, or that of the axes")
    return true_divide(sum(multiply(x, weights), axis), sum(broadcast_to(weights, shaping.shape(x)), axis))


declare(globals())

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "argsort", "average", "count_nonzero", "cumprod", "cumsum", "logsumexp", "max", "mean", "min", "prod",
    "sort", "std", "sum", "var",
]  # fmt: skip
