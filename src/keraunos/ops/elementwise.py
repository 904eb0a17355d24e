"""Ops that act on each element by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import NUMBERS_FIRST, ArgumentError, DTypeError
from keraunos.core.op import SAME, Operand, Tensor, primitive
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.ops.rules import Boolean, Floating, Logical, Numeric, Promoted, Real, Same, Test, broadcast, declare, dims, shaped


# ---- arithmetic ----
def add(x1: Tensor, x2: Tensor) -> Promoted:
    """`x1 + x2`, the shapes broadcast.

    Example:

    >>> from keraunos import ops
    >>> [float(x) for x in ops.add([1.0, 2.0], 3)]
    [4.0, 5.0]
    """


def subtract(x1: Tensor, x2: Tensor) -> Numeric:
    """`x1 - x2`."""


def multiply(x1: Tensor, x2: Tensor) -> Promoted:
    """`x1 * x2`."""


def true_divide(x1: Tensor, x2: Tensor) -> Floating:
    """`x1 / x2`, a float for integers too."""


def floor_divide(x1: Tensor, x2: Tensor) -> Numeric:
    """The largest integer not above `x1 / x2`."""


def mod(x1: Tensor, x2: Tensor) -> Numeric:
    """The remainder of `floor_divide(x1, x2)`; it has the sign of `x2`."""


def power(x1: Tensor, x2: Tensor) -> Numeric:
    """`x1` to the power `x2`."""


def maximum(x1: Tensor, x2: Tensor) -> Promoted:
    """The greater of each pair of elements."""


def minimum(x1: Tensor, x2: Tensor) -> Promoted:
    """The smaller of each pair of elements."""


def negative(x: Tensor) -> Numeric:
    """`-x`."""


def absolute(x: Tensor) -> Real:
    """`x` without its sign; the length of a complex number."""


def sign(x: Tensor) -> Numeric:
    """-1, 0 or 1."""


# ---- powers, exponentials, logarithms ----
def sqrt(x: Tensor) -> Floating:
    """The square root."""


def exp(x: Tensor) -> Floating:
    """e to the power `x`."""


def expm1(x: Tensor) -> Floating:
    """`exp(x) - 1`, exact near 0."""


def log(x: Tensor) -> Floating:
    """The natural logarithm."""


def log1p(x: Tensor) -> Floating:
    """`log(1 + x)`, exact near 0."""


def log2(x: Tensor) -> Floating:
    """The logarithm to base 2."""


def log10(x: Tensor) -> Floating:
    """The logarithm to base 10."""


def logaddexp(x1: Tensor, x2: Tensor) -> Floating:
    """`log(exp(x1) + exp(x2))`, computed stably."""


# ---- trigonometry ----
def sin(x: Tensor) -> Floating:
    """The sine of an angle in radians."""


def cos(x: Tensor) -> Floating:
    """The cosine of an angle in radians."""


def tan(x: Tensor) -> Floating:
    """The tangent of an angle in radians."""


def arcsin(x: Tensor) -> Floating:
    """The inverse of `sin`, in radians."""


def arccos(x: Tensor) -> Floating:
    """The inverse of `cos`, in radians."""


def arctan(x: Tensor) -> Floating:
    """The inverse of `tan`, in radians."""


def arctan2(x1: Tensor, x2: Tensor) -> Floating:
    """The angle of the point with ordinate `x1` and abscissa `x2`, in radians."""


def sinh(x: Tensor) -> Floating:
    """The hyperbolic sine."""


def cosh(x: Tensor) -> Floating:
    """The hyperbolic cosine."""


def tanh(x: Tensor) -> Floating:
    """The hyperbolic tangent."""


def arcsinh(x: Tensor) -> Floating:
    """The inverse of `sinh`."""


def arccosh(x: Tensor) -> Floating:
    """The inverse of `cosh`."""


def arctanh(x: Tensor) -> Floating:
    """The inverse of `tanh`."""


def erf(x: Tensor) -> Floating:
    """The error function."""


# ---- rounding ----
def floor(x: Tensor) -> Floating:
    """The largest integer not above, as a float."""


def ceil(x: Tensor) -> Floating:
    """The smallest integer not below, as a float."""


def round(x: Tensor, decimals: int = 0) -> Numeric:
    """The nearest number of `decimals` decimals; halves go to the even one."""


# ---- tests and comparisons ----
def isnan(x: Tensor) -> Test:
    """Whether an element is not a number."""


def isinf(x: Tensor) -> Test:
    """Whether an element is infinite."""


def isfinite(x: Tensor) -> Test:
    """Whether an element is neither infinite nor NaN."""


def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Promoted:
    """`x` with `nan` for NaN and large numbers (the dtype's own if None) for the infinities."""


def equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 == x2` of each pair of elements."""


def not_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 != x2` of each pair of elements."""


def less(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 < x2` of each pair of elements."""


def less_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 <= x2` of each pair of elements."""


def greater(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 > x2` of each pair of elements."""


def greater_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 >= x2` of each pair of elements."""


def logical_and(x1: Tensor, x2: Tensor) -> Logical:
    """Whether both are true; what is not 0 is true."""


def logical_or(x1: Tensor, x2: Tensor) -> Logical:
    """Whether either is true."""


def logical_xor(x1: Tensor, x2: Tensor) -> Logical:
    """Whether exactly one is true."""


def logical_not(x: Tensor) -> Logical:
    """Whether it is not true."""


# ---- conversion ----
def stop_gradient(variable: Tensor) -> Same:
    """The same values, through which no gradient flows."""


declare(globals(), broadcast)
divide, abs = true_divide, absolute


# ---- from others ----
def square(x: Tensor) -> Numeric:
    """`x * x`."""
    return multiply(x, x)


def reciprocal(x: Tensor) -> Floating:
    """`1 / x`."""
    return true_divide(1, x)


def divide_no_nan(x1: Tensor, x2: Tensor) -> Floating:
    """`x1 / x2`, and 0 where `x2` is 0."""
    if isinstance(x2, (int, float)):  # it stays weak
        return true_divide(x1, x2) if x2 else where(True, 0, x1)
    zero = equal(x2, 0)
    return where(zero, 0, true_divide(x1, where(zero, 1, x2)))


def clip(x: Tensor, x_min: Tensor | None, x_max: Tensor | None) -> Numeric:
    """`x`, not below `x_min` nor above `x_max`; either may be None.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.clip([-2.0, 0.5, 3.0], 0.0, 1.0)).tolist()
    [0.0, 0.5, 1.0]
    """
    x = x if x_min is None else maximum(x, _representable(x_min, x))
    return x if x_max is None else minimum(x, _representable(x_max, x))


def _representable(bound: Any, x: Any) -> Any:
    """A Python integer as the nearest that the dtype of `x` holds."""
    name = dtypes.common(x) if bound.__class__ is int else ""
    return sorted((bound, *dtypes.limits(name)))[1] if name in dtypes.INTEGERS else bound


def rsqrt(x: Tensor) -> Floating:
    """`1 / sqrt(x)`."""
    return true_divide(1, sqrt(x))


def sigmoid(x: Tensor) -> Floating:
    """`1 / (1 + exp(-x))`."""
    return exp(negative(logaddexp(negative(x), 0)))


def erfinv(x: Tensor) -> Floating:
    """The inverse of `erf`."""
    # Winitzki's approximation, then Halley's method, whose error shrinks by its third power a step.
    half = multiply(0.5, log1p(negative(square(x))))
    mean = add(half, 2 / (math.pi * 0.147))
    y = multiply(sign(x), sqrt(subtract(sqrt(subtract(square(mean), multiply(half, 2 / 0.147))), mean)))
    for _ in range(2):
        step = multiply(multiply(subtract(erf(y), x), exp(square(y))), math.sqrt(math.pi) / 2)
        y = subtract(y, true_divide(step, add(1, multiply(y, step))))
    return where(equal(absolute(x), 1), multiply(x, math.inf), y)


declare(globals())


# ---- selection and conversion ----
@shaped
def where(condition: Operand, x1: Tensor = None, x2: Tensor = None) -> Promoted:
    """`x1` where the condition holds, else `x2`; without them, the indices of what is true, an array for each axis."""
    if (x1 is None) != (x2 is None):
        raise ArgumentError("where needs both x1 and x2, or neither.")
    if x1 is None:
        return tuple(Spec((UNKNOWN,), "int32") for _ in dims(condition))
    return broadcast(condition, x1, x2)


def _recast(x: Any, dtype: str) -> Spec:
    if str(getattr(x, "dtype", "")).startswith("str") and dtype != "string":
        raise DTypeError("Text cannot be computed with.", received="string", fix=NUMBERS_FIRST, code="KR207")
    return Spec(dims(x), dtype)


@primitive(shape=_recast, dtype=SAME)
def cast(x: Tensor, dtype: Any) -> Tensor:
    """`x` in another dtype."""


def settled(*xs: Any) -> Sequence[Any]:
    """The arguments, Python's scalars among them as tensors of the common dtype: ops of such a scalar alone give its usual one."""
    if not any(isinstance(x, (int, float, complex)) for x in xs):
        return xs
    kind = dtypes.common(*xs)
    return [cast(x, kind) for x in xs]


__all__ = [
    "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cast", "ceil", "clip", "cos", "cosh",
    "divide", "divide_no_nan", "equal", "erf", "erfinv", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "isfinite", "isinf",
    "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "mod", "multiply", "nan_to_num", "negative", "not_equal", "power", "reciprocal", "round", "rsqrt", "sign", "sin", "sinh",
    "sqrt", "square", "stop_gradient", "subtract", "tan", "tanh", "true_divide", "where",
]  # fmt: skip
