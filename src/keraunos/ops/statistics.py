"""Statistics: quantiles, reductions that leave NaN out, correlation."""

from __future__ import annotations

import math
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ShapeError, one_of
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import is_known, normalize_axes, show, size_of
from keraunos.ops.complexes import conjugate
from keraunos.ops.creation import full
from keraunos.ops.elementwise import add, cast, ceil, clip, equal, floor, isnan, logical_not, multiply, round, sqrt, subtract, true_divide, where
from keraunos.ops.products import diagonal, matmul
from keraunos.ops.reductions import all, any, argmax, argmin, cumprod, cumsum, max, mean, min, prod, sort, squared, sum
from keraunos.ops.rules import Index, Numeric, Promoted, Summed, Wide, declare
from keraunos.ops.shaping import convert_to_tensor, dtype, expand_dims, moveaxis, ndim, reshape, shape, swapaxes, take, take_along_axis, transpose

_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


# ---- quantiles ----
def _quantile(x: Any, q: Any, axis: Any, method: str, keepdims: bool, whole: float = 1.0, skip: bool = False) -> Any:
    """The quantiles at the parts `q` of `whole`; with `skip`, of what is not NaN."""
    one_of("method", method, _METHODS)
    own, kind = shape(x), dtype(x)
    axes = normalize_axes(axis, len(own))
    kept = [i for i in range(len(own)) if i not in axes]
    count: Any = size_of([own[i] for i in axes])
    result = (*shape(q), *([1 if i in axes else d for i, d in enumerate(own)] if keepdims else [own[i] for i in kept]))
    if isinstance(count, int) and count == 0:
        return full(result, math.nan, kind)
    rows = reshape(transpose(x, (*kept, *axes)), (*[own[i] for i in kept], count))
    missing = isnan(rows)
    if skip:
        rows = where(missing, math.inf, rows)
        count = sum(cast(logical_not(missing), "int32"), -1, True)
        nothing = equal(count, 0)
    else:
        nothing = any(missing, -1, True)
    rows = sort(rows)

    # Places are computed in 32 bits at least: 16 do not count the elements.
    q = convert_to_tensor(q)
    wide = "float64" if kind == "float64" else "float32"
    part = clip(true_divide(cast(reshape(q, (-1,)), wide), whole), 0, 1)
    place = multiply(part, cast(subtract(count, 1), wide))
    if whole_place := {"lower": floor, "higher": ceil, "nearest": round}.get(method):
        place = whole_place(place)
    low, high = floor(place), ceil(place)

    def at(places: Any) -> Any:
        return (take_along_axis if skip else take)(rows, cast(places, "int32"), -1)

    first, second = at(low), at(high)
    weight = 0.5 if method == "midpoint" else cast(subtract(place, low), kind)
    out = add(multiply(first, subtract(1, weight)), multiply(second, weight))
    out = where(equal(first, second), first, out)  # no difference of infinities
    out = moveaxis(where(nothing, math.nan, out), -1, 0)
    return reshape(out, result)


def quantile(x: Tensor, q: Operand, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Wide:
    """The values below which the parts `q` of the elements over `axis` lie.

    Args:
        x: The values; where there is a NaN among them, the result is NaN.
        q: A number from 0 to 1, or several, whose axes come first in the result.
        axis: One axis or several; None is all.
        method: How to choose between two neighbours: "linear" interpolates, "midpoint" takes the mean, "lower", "higher" and "nearest" (the even
            one of two equally near) take one.
        keepdims: Whether the axes stay, with size 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.quantile([1.0, 2.0, 3.0, 5.0], [0.5, 1.0])).tolist()
    [2.5, 5.0]
    """
    return _quantile(x, q, axis, method, keepdims)


def percentile(x: Tensor, q: Operand, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Wide:
    """`quantile` with `q` from 0 to 100.

    Example:

    >>> from keraunos import ops
    >>> float(ops.percentile([10.0, 20.0, 30.0, 40.0, 50.0], 75))
    40.0
    """
    return _quantile(x, q, axis, method, keepdims, 100.0)


def median(x: Tensor, axis: Any = None, keepdims: bool = False) -> Wide:
    """The middle of the elements over `axis` in order, the mean of two middle ones; NaN where there is a NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.median([[1.0, 2.0, 9.0, 4.0], [5.0, 4.0, 3.0, 4.0]], axis=1)).tolist()
    [3.0, 4.0]
    """
    return _quantile(x, 0.5, axis, "linear", keepdims)


def nanquantile(x: Tensor, q: Operand, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Wide:
    """`quantile` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanquantile([1.0, float("nan"), 2.0, 3.0], 0.5))
    2.0
    """
    return _quantile(x, q, axis, method, keepdims, skip=True)


def nanpercentile(x: Tensor, q: Operand, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Wide:
    """`percentile` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanpercentile([1.0, float("nan"), 2.0, 3.0], 100))
    3.0
    """
    return _quantile(x, q, axis, method, keepdims, 100.0, skip=True)


def nanmedian(x: Tensor, axis: Any = None, keepdims: bool = False) -> Wide:
    """`median` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanmedian([1.0, float("nan"), 2.0, 9.0]))
    2.0
    """
    return _quantile(x, 0.5, axis, "linear", keepdims, skip=True)


# ---- without NaN ----
def _has_nan(x: Any) -> bool:
    """Whether the dtype has NaN."""
    return dtypes.floating(dtype(x)) == dtype(x)


def _filled(x: Any, value: Any) -> Any:
    return where(isnan(x), value, x) if _has_nan(x) else x


def _present(x: Any, axis: Any, keepdims: bool) -> Any:
    return sum(cast(logical_not(isnan(x)), "int32"), axis, keepdims)


def nansum(x: Tensor, axis: Any = None, keepdims: bool = False) -> Summed:
    """`sum` of what is not NaN; 0 where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nansum([1.0, float("nan"), 2.0]))
    3.0
    """
    return sum(_filled(x, 0), axis, keepdims)


def nanprod(x: Tensor, axis: Any = None, keepdims: bool = False) -> Summed:
    """`prod` of what is not NaN; 1 where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanprod([2.0, float("nan"), 3.0]))
    6.0
    """
    return prod(_filled(x, 1), axis, keepdims)


def nanmean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Wide:
    """`mean` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nanmean([[1.0, float("nan"), 3.0], [4.0, 5.0, 6.0]], axis=1)).tolist()
    [2.0, 5.0]
    """
    return true_divide(sum(_filled(x, 0), axis, keepdims), _present(x, axis, keepdims))


def nanvar(x: Tensor, axis: Any = None, keepdims: bool = False) -> Wide:
    """`var` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanvar([1.0, float("nan"), 3.0]))
    1.0
    """
    away = where(isnan(x), 0, subtract(x, nanmean(x, axis, True)))
    return true_divide(sum(squared(away), axis, keepdims), _present(x, axis, keepdims))


def nanstd(x: Tensor, axis: Any = None, keepdims: bool = False) -> Wide:
    """`std` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanstd([1.0, float("nan"), 5.0]))
    2.0
    """
    return sqrt(nanvar(x, axis, keepdims))


def _extreme(reduce: Any, x: Any, axis: Any, keepdims: bool, fill: float) -> Any:
    out = reduce(_filled(x, fill), axis, keepdims)
    return where(all(isnan(x), axis, keepdims), math.nan, out) if _has_nan(x) else out


def nanmax(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """`max` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nanmax([[1.0, float("nan")], [float("nan"), float("nan")]], axis=1)).tolist()
    [1.0, nan]
    """
    return _extreme(max, x, axis, keepdims, -math.inf)


def nanmin(x: Tensor, axis: Any = None, keepdims: bool = False) -> Promoted:
    """`min` of what is not NaN; NaN where nothing is.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nanmin([4.0, float("nan"), 2.0]))
    2.0
    """
    return _extreme(min, x, axis, keepdims, math.inf)


def nanargmax(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """`argmax` of what is not NaN; -1 where nothing is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nanargmax([[1.0, float("nan")], [float("nan"), float("nan")]], axis=1)).tolist()
    [0, -1]
    """
    return where(all(isnan(x), axis, keepdims), -1, argmax(_filled(x, -math.inf), axis, keepdims))


def nanargmin(x: Tensor, axis: int | None = None, keepdims: bool = False) -> Index:
    """`argmin` of what is not NaN; -1 where nothing is.

    Example:

    >>> from keraunos import ops
    >>> int(ops.nanargmin([float("nan"), 4.0, 2.0]))
    2
    """
    return where(all(isnan(x), axis, keepdims), -1, argmin(_filled(x, math.inf), axis, keepdims))


def nancumsum(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """`cumsum` with 0 in place of NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nancumsum([1.0, float("nan"), 2.0])).tolist()
    [1.0, 1.0, 3.0]
    """
    return cumsum(_filled(x, 0), axis, dtype)


def nancumprod(x: Tensor, axis: int | None = None, dtype: Any = None) -> Numeric:
    """`cumprod` with 1 in place of NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nancumprod([2.0, float("nan"), 3.0])).tolist()
    [2.0, 2.0, 6.0]
    """
    return cumprod(_filled(x, 1), axis, dtype)


# ---- spread and correlation ----
def ptp(x: Tensor, axis: Any = None, keepdims: bool = False) -> Numeric:
    """The greatest element over `axis` less the smallest ("peak to peak").

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ptp([[1, 9, 4], [5, 5, 5]], axis=1)).tolist()
    [8, 0]
    """
    return subtract(max(x, axis, keepdims), min(x, axis, keepdims))


def corrcoef(x: Tensor) -> Wide:
    """Pearson's correlation of each two rows: 1 on the diagonal, NaN for a row that does not vary.

    Args:
        x: `(variables, observations)`; for one variable, such as a vector, the result is a scalar.

    Raises:
        ShapeError: `x` has more than two axes.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])).round(3).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    if ndim(x) > 2:
        raise ShapeError(f"x has {ndim(x)} axes.", expected="(variables, observations)", received=show(shape(x)))
    x = x if ndim(x) == 2 else reshape(x, (1, -1))
    away = subtract(x, mean(x, -1, True))
    products = matmul(away, conjugate(swapaxes(away, 0, 1)))
    deviation = sqrt(diagonal(products))
    out = true_divide(true_divide(products, expand_dims(deviation, 1)), expand_dims(deviation, 0))
    out = clip(out, -1, 1) if dtypes.is_float(dtype(x)) else out
    rows = shape(x)[0]
    return reshape(out, ()) if is_known(rows) and rows == 1 else out


declare(globals())

__all__ = [
    "corrcoef", "median", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "ptp", "quantile",
]  # fmt: skip
