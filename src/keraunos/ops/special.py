"""Functions of each element that are made from the elementary ones; an engine's own stand in for them where they are better."""

from __future__ import annotations

import functools
import math
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ShapeError
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import show
from keraunos.ops import creation, reductions
from keraunos.ops.bits import view
from keraunos.ops.rules import Composed, Floating, Numeric, Promoted, Same, declare
from keraunos.ops.rules import equal as equal_shapes
from keraunos.ops.shaping import convert_to_tensor, dtype, moveaxis, ndim, reshape, shape

from keraunos.ops.elementwise import (  # isort: skip
    absolute, add, cast, ceil, clip, equal, exp, floor, floor_divide, greater, greater_equal, isfinite, isinf, isnan, less, less_equal, log10,
    logaddexp, logical_and, logical_or, maximum, minimum, mod, multiply, power, settled, sign, sin, sqrt, square, stop_gradient, subtract,
    true_divide, where,
)  # fmt: skip


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """The polynomial with these coefficients, that of the highest power last, by Horner's scheme."""
    return functools.reduce(lambda y, c: add(multiply(y, x), c), reversed(coefficients))


# ---- signs and rounding ----
def trunc(x: Tensor) -> Same:
    """`x` without what stands behind the decimal point.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.trunc([1.7, -1.7])).tolist()
    [1.0, -1.0]
    """
    return where(less(x, 0), ceil(x), floor(x)) if dtypes.is_float(dtype(x)) else x


def fabs(x: Tensor) -> Floating:
    """`x` without its sign, as a float.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.fabs([-3, 2])).tolist()
    [3.0, 2.0]
    """
    return absolute(x)


def signbit(x: Tensor) -> Same:
    """Whether the sign is negative; that of -0.0 is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.signbit([-2.0, -0.0, 0.0, 2.0])).tolist()
    [True, True, False, False]
    """
    return less(where(equal(x, 0), true_divide(1, x), x), 0) if dtypes.is_float(dtype(x)) else less(x, 0)


def heaviside(x1: Tensor, x2: Tensor) -> Floating:
    """The step function: 0 for negative `x1`, 1 for positive, `x2` at 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.heaviside([-1.5, 0.0, 2.0], 0.5)).tolist()
    [0.0, 0.5, 1.0]
    """
    x1, x2 = settled(x1, x2)
    return where(equal(x1, 0), x2, where(isnan(x1), x1, cast(greater(x1, 0), dtype(x1))))


def fmax(x1: Tensor, x2: Tensor) -> Promoted:
    """The greater of each pair of elements; a number beside a NaN is it, where `maximum` has NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.fmax([1.0, float("nan"), 5.0], [4.0, 2.0, 3.0])).tolist()
    [4.0, 2.0, 5.0]
    """
    return maximum(where(isnan(x1), x2, x1), where(isnan(x2), x1, x2))


def fmin(x1: Tensor, x2: Tensor) -> Promoted:
    """The smaller of each pair of elements; a number beside a NaN is it, where `minimum` has NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.fmin([1.0, float("nan"), 5.0], [4.0, 2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    return minimum(where(isnan(x1), x2, x1), where(isnan(x2), x1, x2))


def fmod(x1: Tensor, x2: Tensor) -> Numeric:
    """The remainder of `x1 / x2` rounded towards 0: it has the sign of `x1`, where that of `mod` has the sign of `x2`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.fmod([7, -7], 3)).tolist()
    [1, -1]
    """
    x1, x2 = settled(x1, x2)
    return multiply(sign(x1), mod(absolute(x1), absolute(x2)))


def isposinf(x: Tensor) -> Same:
    """Whether an element is plus infinity.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isposinf([float("inf"), -float("inf"), 1.0])).tolist()
    [True, False, False]
    """
    return equal(x, math.inf)


def isneginf(x: Tensor) -> Same:
    """Whether an element is minus infinity.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isneginf([float("inf"), -float("inf"), 1.0])).tolist()
    [False, True, False]
    """
    return equal(x, -math.inf)


def isclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Floating:
    """Whether `x1` is within `atol + rtol * |x2|` of `x2`, or equal to it; with `equal_nan`, NaN is equal to NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isclose([1.0, 2.0], [1.000001, 2.1])).tolist()
    [True, False]
    """
    x1, x2 = settled(x1, x2)
    near = less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
    close = logical_or(equal(x1, x2), logical_and(near, isfinite(x2)))
    return logical_or(close, logical_and(isnan(x1), isnan(x2))) if equal_nan else close


def allclose(x1: Tensor, x2: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Floating:
    """Whether `isclose` holds of all elements, as one bool.

    Args:
        rtol: How far apart they may be, as a part of `x2`'s size.
        atol: What is allowed beside that.
        equal_nan: Whether NaN counts as close to NaN.

    Example:

    >>> from keraunos import ops
    >>> bool(ops.allclose([1.0, 1e8], [1.000001, 1e8 + 8])), bool(ops.allclose([1.0, 0.0], [1.0, 1e-6]))
    (True, False)
    """
    return reductions.all(isclose(x1, x2, rtol, atol, equal_nan))


# ---- powers and angles ----
def cbrt(x: Tensor) -> Floating:
    """The cube root, negative for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cbrt([0.0, 1.0, -1.0])).tolist()
    [0.0, 1.0, -1.0]
    """
    return multiply(sign(x), power(absolute(x), 1 / 3))


def exp2(x: Tensor) -> Floating:
    """2 to the power `x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.exp2([0.0, 0.5])).tolist()
    [1.0, 1.414...]
    """
    return exp(multiply(x, math.log(2)))


def logaddexp2(x1: Tensor, x2: Tensor) -> Floating:
    """`log2(2**x1 + 2**x2)`, computed stably: no power overflows.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logaddexp2([0.0, 1024.0], [0.0, 1023.0])).tolist()
    [1.0, 1024.584...]
    """
    x1, x2 = settled(x1, x2)
    return true_divide(logaddexp(multiply(x1, math.log(2)), multiply(x2, math.log(2))), math.log(2))


def hypot(x1: Tensor, x2: Tensor) -> Floating:
    """`sqrt(x1**2 + x2**2)`, the longest side of a right triangle; the squares do not overflow.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hypot([3.0, 0.0], [4.0, 2.0])).tolist()
    [5.0, 2.0]
    """
    x1, x2 = settled(x1, x2)
    longer = stop_gradient(maximum(absolute(x1), absolute(x2)))
    scale = where(logical_or(equal(longer, 0), isinf(longer)), 1, longer)
    return multiply(scale, sqrt(add(square(true_divide(x1, scale)), square(true_divide(x2, scale)))))


def ldexp(x1: Tensor, x2: Operand) -> Floating:
    """`x1` times 2 to the power of the integer `x2`.

    Raises:
        DTypeError: `x2` is not of integers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ldexp([0.5, 3.0], [1, 2])).tolist()
    [1.0, 12.0]
    """
    dtypes.whole(dtype(x2))
    x2 = cast(x2, "int32")
    third = floor_divide(x2, 3)  # 2**x2 may be out of bounds where the product is not
    rest = subtract(x2, multiply(2, third))
    for part in (third, third, rest):
        x1 = multiply(x1, exp2(cast(part, dtype(x1))))
    return x1


def deg2rad(x: Tensor) -> Floating:
    """Degrees in radians.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.deg2rad([0.0, 180.0])).tolist()
    [0.0, 3.141...]
    """
    return multiply(x, math.pi / 180)


def rad2deg(x: Tensor) -> Floating:
    """Radians in degrees.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.rad2deg([0.0, 1.0])).tolist()
    [0.0, 57.295...]
    """
    return multiply(x, 180 / math.pi)


def sinc(x: Tensor) -> Floating:
    """`sin(pi x) / (pi x)`, and 1 at 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sinc([0.0, 0.5])).tolist()
    [1.0, 0.636...]
    """
    zero = equal(x, 0)
    angle = multiply(where(zero, 1, x), math.pi)
    return where(zero, 1, true_divide(sin(angle), angle))


# ---- special functions ----
_ERFC = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)


def erfc(x: Tensor) -> Floating:
    """`1 - erf(x)`, without its loss of digits for large `x`.

    Example:

    >>> from keraunos import ops
    >>> float(1 - ops.erf(5.0)), float(ops.erfc(5.0))
    (0.0, 1.537...e-12)
    """
    # A Chebyshev fit, good to 1.2e-7 of the value everywhere (Press et al., Numerical Recipes in C, 2nd edition, section 6.2).
    t = true_divide(1, add(1, multiply(0.5, absolute(x))))
    tail = multiply(t, exp(subtract(_polynomial(t, _ERFC), square(x))))
    return where(less(x, 0), subtract(2, tail), tail)


_I0_NEAR = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813)
_I0_FAR = (0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537, -0.01647633, 0.00392377)


def i0(x: Tensor) -> Floating:
    """The modified Bessel function of the first kind and order 0, of which the Kaiser window is made.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.i0([1.0, 2.0])).tolist()
    [1.266..., 2.279...]
    """
    # Good to 2e-7 of the value (Abramowitz and Stegun, Handbook of Mathematical Functions, 9.8.1 and 9.8.2).
    size = absolute(x)
    near = _polynomial(square(true_divide(minimum(size, 3.75), 3.75)), _I0_NEAR)
    large = maximum(size, 3.75)
    far = multiply(true_divide(exp(large), sqrt(large)), _polynomial(true_divide(3.75, large), _I0_FAR))
    return where(less(size, 3.75), near, far)


def nextafter(x1: Tensor, x2: Tensor) -> Floating:
    """The number of the dtype that comes after `x1` on the way to `x2`.

    Example:

    >>> from keraunos import ops
    >>> float(ops.nextafter(1.0, 2.0)) - 1 == 2**-23  # the spacing of float32 at 1
    True
    """
    x1, x2 = settled(x1, x2)
    kind = dtype(x1)
    bits = view(x1, f"int{dtypes.BITS[kind]}")
    away = equal(greater(x2, x1), greater(x1, 0))  # from 0, where the bits count up
    moved = view(where(away, add(bits, 1), subtract(bits, 1)), kind)
    least = view(creation.ones_like(bits), kind)
    moved = where(equal(x1, 0), multiply(least, sign(x2)), moved)
    return where(equal(x1, x2), x2, where(logical_or(isnan(x1), isnan(x2)), add(x1, x2), moved))


# ---- conversion ----
def saturate_cast(x: Operand, dtype: Any) -> Composed:
    """`x` in another dtype; what is out of its bounds becomes the bound.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.saturate_cast([-1.0, 3.7, 300.0], "uint8")).tolist()
    [0, 3, 255]
    """
    x = convert_to_tensor(x)
    source, target = dtypes.common(x), dtypes.standardize_dtype(dtype)
    own = dtypes.limits(source)
    if target in dtypes.COMPLEX:
        return cast(x, target)
    low, high = (best(pair) for best, pair in zip((max, min), zip(own, dtypes.limits(target), strict=True), strict=True))
    if not dtypes.is_float(source):  # bounds that bind nothing may be more than the engine's integers hold
        return cast(clip(x, *(None if bound == limit else bound for bound, limit in zip((low, high), own, strict=True))), target)
    if dtypes.is_float(target):
        return cast(clip(x, low, high), target)
    # The bounds of integers may lie between floats: what is not below them is not cast at all, nor NaN. An engine may keep fewer bits than were asked for.
    kept = dtypes.common(creation.zeros((), target))
    low, high = (best(pair) for best, pair in zip((max, min), zip(own, dtypes.limits(kept), strict=True), strict=True))
    inside = cast(where(logical_and(greater(x, float(low)), less(x, float(high))), x, 0), kept)
    least, most = (creation.full((), int(bound), kept) for bound in (low, high))
    return cast(where(greater_equal(x, float(high)), most, where(less_equal(x, float(low)), least, inside)), target)


# ---- numbers in a row ----
def logspace(start: Tensor, stop: Tensor, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None, axis: int = 0) -> Composed:
    """`num` numbers from `base**start` to `base**stop` along a new `axis`, whose logarithms are evenly spaced.

    Args:
        start: The exponent of the first; a tensor gives many such rows.
        stop: The exponent of the last.
        num: How many.
        endpoint: Whether `base**stop` is the last of them.
        base: The base of the powers.
        dtype: The result's dtype; None is a float one.
        axis: Where the new axis is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logspace(0, 3, num=4, base=2)).tolist()
    [1.0, 2.0, 4.0, 8.0]
    """
    name = dtypes.floating(dtypes.common(start, stop))
    return cast(power(base, creation.linspace(start, stop, num, endpoint, dtype=name, axis=axis)), dtype or name)


def geomspace(start: Tensor, stop: Tensor, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Composed:
    """`num` numbers from `start` to `stop` along a new `axis`, each the same multiple of the one before.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.geomspace(1, 1000, 4, dtype="int32")).tolist()
    [1, 10, 100, 1000]
    """
    name = dtypes.floating(dtypes.common(start, stop))
    start, stop = (cast(convert_to_tensor(x), name) for x in (start, stop))
    share = creation.linspace(0, 1, num, endpoint, dtype=name)
    share = reshape(share, (num,) + (1,) * max(ndim(start), ndim(stop)))
    turned = sign(start)
    parts = power(multiply(turned, start), subtract(1, share)), power(multiply(turned, stop), share)
    return cast(moveaxis(multiply(turned, multiply(*parts)), 0, axis), dtype or name)


# ---- quality of images ----
def psnr(x1: Tensor, x2: Tensor, max_val: Tensor) -> Floating:
    """The peak signal-to-noise ratio of `x1` and `x2` in decibels: how large `max_val` is beside their mean squared difference.

    Raises:
        ShapeError: The shapes differ.

    Example:

    >>> from keraunos import ops
    >>> round(float(ops.psnr([0.0, 1.0], [0.1, 0.9], 1.0)), 3)
    20.0
    """
    if not equal_shapes(shape(x1), shape(x2)):
        raise ShapeError("psnr compares tensors of one shape.", received=f"{show(shape(x1))} and {show(shape(x2))}", fix="resize one of them: ops.image.resize")
    x1, x2, max_val = settled(x1, x2, max_val)
    error = reductions.mean(square(subtract(x1, x2)))
    return subtract(multiply(20, log10(max_val)), multiply(10, log10(error)))


declare(globals())

__all__ = [
    "allclose", "cbrt", "deg2rad", "erfc", "exp2", "fabs", "fmax", "fmin", "fmod", "geomspace", "heaviside", "hypot", "i0", "isclose", "isneginf",
    "isposinf", "ldexp", "logaddexp2", "logspace", "nextafter", "rad2deg", "saturate_cast", "signbit", "sinc", "trunc",
]  # fmt: skip
