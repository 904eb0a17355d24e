"""Ops that act on each element by itself."""

from __future__ import annotations

import math
from typing import Any

from keraunos.core.errors import ArgumentError
from keraunos.core.op import BOOLEAN, FLOATING, LOGICAL, NUMERIC, PROMOTED, SAME, TO_BOOL, Operand, Tensor, composite, primitive
from keraunos.core.spec import UNKNOWN, Shape, Spec
from keraunos.ops.rules import broadcast, dims, same


# ---- arithmetic ----
@primitive(shape=broadcast, dtype=PROMOTED)
def add(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 + x2`, the shapes broadcast.

    Example:

    >>> from keraunos import ops
    >>> [float(x) for x in ops.add([1.0, 2.0], 3)]
    [4.0, 5.0]
    """


@primitive(shape=broadcast, dtype=NUMERIC)
def subtract(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 - x2`."""


@primitive(shape=broadcast, dtype=PROMOTED)
def multiply(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 * x2`."""


@primitive(shape=broadcast, dtype=FLOATING)
def true_divide(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 / x2`, a float for integers too."""


divide = true_divide


@primitive(shape=broadcast, dtype=NUMERIC)
def floor_divide(x1: Tensor, x2: Tensor) -> Tensor:
    """The largest integer not above `x1 / x2`."""


@primitive(shape=broadcast, dtype=NUMERIC)
def mod(x1: Tensor, x2: Tensor) -> Tensor:
    """The remainder of `floor_divide(x1, x2)`; it has the sign of `x2`."""


@primitive(shape=broadcast, dtype=NUMERIC)
def power(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1` to the power `x2`."""


@primitive(shape=broadcast, dtype=PROMOTED)
def maximum(x1: Tensor, x2: Tensor) -> Tensor:
    """The greater of each pair of elements."""


@primitive(shape=broadcast, dtype=PROMOTED)
def minimum(x1: Tensor, x2: Tensor) -> Tensor:
    """The smaller of each pair of elements."""


@primitive(shape=same, dtype=NUMERIC)
def negative(x: Tensor) -> Tensor:
    """`-x`."""


@primitive(shape=same, dtype=PROMOTED)
def absolute(x: Tensor) -> Tensor:
    """`x` without its sign."""


abs = absolute


@primitive(shape=same, dtype=NUMERIC)
def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1."""


@composite(dtype=NUMERIC)
def square(x: Tensor) -> Tensor:
    """`x * x`."""
    return multiply(x, x)


@composite(dtype=FLOATING)
def reciprocal(x: Tensor) -> Tensor:
    """`1 / x`."""
    return true_divide(1, x)


@composite(dtype=FLOATING)
def divide_no_nan(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 / x2`, and 0 where `x2` is 0."""
    if isinstance(x2, (int, float)):  # it stays weak
        return true_divide(x1, x2) if x2 else where(True, 0, x1)
    zero = equal(x2, 0)
    return where(zero, 0, true_divide(x1, where(zero, 1, x2)))


@composite(dtype=NUMERIC)
def clip(x: Tensor, x_min: Tensor | None, x_max: Tensor | None) -> Tensor:
    """`x`, not below `x_min` nor above `x_max`; either may be None.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.clip([-2.0, 0.5, 3.0], 0.0, 1.0)).tolist()
    [0.0, 0.5, 1.0]
    """
    x = x if x_min is None else maximum(x, x_min)
    return x if x_max is None else minimum(x, x_max)


# ---- powers, exponentials, logarithms ----
@primitive(shape=same, dtype=FLOATING)
def sqrt(x: Tensor) -> Tensor:
    """The square root."""


@composite(dtype=FLOATING)
def rsqrt(x: Tensor) -> Tensor:
    """`1 / sqrt(x)`."""
    return true_divide(1, sqrt(x))


@primitive(shape=same, dtype=FLOATING)
def exp(x: Tensor) -> Tensor:
    """e to the power `x`."""


@primitive(shape=same, dtype=FLOATING)
def expm1(x: Tensor) -> Tensor:
    """`exp(x) - 1`, exact near 0."""


@primitive(shape=same, dtype=FLOATING)
def log(x: Tensor) -> Tensor:
    """The natural logarithm."""


@primitive(shape=same, dtype=FLOATING)
def log1p(x: Tensor) -> Tensor:
    """`log(1 + x)`, exact near 0."""


@primitive(shape=same, dtype=FLOATING)
def log2(x: Tensor) -> Tensor:
    """The logarithm to base 2."""


@primitive(shape=same, dtype=FLOATING)
def log10(x: Tensor) -> Tensor:
    """The logarithm to base 10."""


@primitive(shape=broadcast, dtype=FLOATING)
def logaddexp(x1: Tensor, x2: Tensor) -> Tensor:
    """`log(exp(x1) + exp(x2))`, computed stably."""


@composite(dtype=FLOATING)
def sigmoid(x: Tensor) -> Tensor:
    """`1 / (1 + exp(-x))`."""
    return exp(negative(logaddexp(negative(x), 0)))


# ---- trigonometry ----
@primitive(shape=same, dtype=FLOATING)
def sin(x: Tensor) -> Tensor:
    """The sine of an angle in radians."""


@primitive(shape=same, dtype=FLOATING)
def cos(x: Tensor) -> Tensor:
    """The cosine of an angle in radians."""


@primitive(shape=same, dtype=FLOATING)
def tan(x: Tensor) -> Tensor:
    """The tangent of an angle in radians."""


@primitive(shape=same, dtype=FLOATING)
def arcsin(x: Tensor) -> Tensor:
    """The inverse of `sin`, in radians."""


@primitive(shape=same, dtype=FLOATING)
def arccos(x: Tensor) -> Tensor:
    """The inverse of `cos`, in radians."""


@primitive(shape=same, dtype=FLOATING)
def arctan(x: Tensor) -> Tensor:
    """The inverse of `tan`, in radians."""


@primitive(shape=broadcast, dtype=FLOATING)
def arctan2(x1: Tensor, x2: Tensor) -> Tensor:
    """The angle of the point with ordinate `x1` and abscissa `x2`, in radians."""


@primitive(shape=same, dtype=FLOATING)
def sinh(x: Tensor) -> Tensor:
    """The hyperbolic sine."""


@primitive(shape=same, dtype=FLOATING)
def cosh(x: Tensor) -> Tensor:
    """The hyperbolic cosine."""


@primitive(shape=same, dtype=FLOATING)
def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent."""


@primitive(shape=same, dtype=FLOATING)
def arcsinh(x: Tensor) -> Tensor:
    """The inverse of `sinh`."""


@primitive(shape=same, dtype=FLOATING)
def arccosh(x: Tensor) -> Tensor:
    """The inverse of `cosh`."""


@primitive(shape=same, dtype=FLOATING)
def arctanh(x: Tensor) -> Tensor:
    """The inverse of `tanh`."""


@primitive(shape=same, dtype=FLOATING)
def erf(x: Tensor) -> Tensor:
    """The error function."""


@composite(dtype=FLOATING)
def erfinv(x: Tensor) -> Tensor:
    """The inverse of `erf`."""
    # Winitzki's approximation, then Halley's method, whose error shrinks by its third power a step.
    half = multiply(0.5, log1p(negative(square(x))))
    mean = add(half, 2 / (math.pi * 0.147))
    y = multiply(sign(x), sqrt(subtract(sqrt(subtract(square(mean), multiply(half, 2 / 0.147))), mean)))
    for _ in range(2):
        step = multiply(multiply(subtract(erf(y), x), exp(square(y))), math.sqrt(math.pi) / 2)
        y = subtract(y, true_divide(step, add(1, multiply(y, step))))
    return where(equal(absolute(x), 1), multiply(x, math.inf), y)


# ---- rounding ----
@primitive(shape=same, dtype=FLOATING)
def floor(x: Tensor) -> Tensor:
    """The largest integer not above, as a float."""


@primitive(shape=same, dtype=FLOATING)
def ceil(x: Tensor) -> Tensor:
    """The smallest integer not below, as a float."""


@primitive(shape=same, dtype=NUMERIC)
def round(x: Tensor, decimals: int = 0) -> Tensor:
    """The nearest number of `decimals` decimals; halves go to the even one."""


# ---- tests and comparisons ----
@primitive(shape=same, dtype=TO_BOOL)
def isnan(x: Tensor) -> Tensor:
    """Whether an element is not a number."""


@primitive(shape=same, dtype=TO_BOOL)
def isinf(x: Tensor) -> Tensor:
    """Whether an element is infinite."""


@primitive(shape=same, dtype=TO_BOOL)
def isfinite(x: Tensor) -> Tensor:
    """Whether an element is neither infinite nor NaN."""


@primitive(shape=same, dtype=PROMOTED)
def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`x` with `nan` for NaN and large numbers (the dtype's own if None) for the infinities."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def equal(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 == x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def not_equal(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 != x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def less(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 < x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def less_equal(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 <= x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def greater(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 > x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=BOOLEAN)
def greater_equal(x1: Tensor, x2: Tensor) -> Tensor:
    """`x1 >= x2` of each pair of elements."""


@primitive(shape=broadcast, dtype=LOGICAL)
def logical_and(x1: Tensor, x2: Tensor) -> Tensor:
    """Whether both are true; what is not 0 is true."""


@primitive(shape=broadcast, dtype=LOGICAL)
def logical_or(x1: Tensor, x2: Tensor) -> Tensor:
    """Whether either is true."""


@primitive(shape=broadcast, dtype=LOGICAL)
def logical_xor(x1: Tensor, x2: Tensor) -> Tensor:
    """Whether exactly one is true."""


@primitive(shape=same, dtype=LOGICAL)
def logical_not(x: Tensor) -> Tensor:
    """Whether it is not true."""


def _chosen(condition: Any, x1: Any = None, x2: Any = None) -> Shape | tuple[Spec, ...]:
    if (x1 is None) != (x2 is None):
        raise ArgumentError("where needs both x1 and x2, or neither.")
    if x1 is None:
        return tuple(Spec((UNKNOWN,), "int32") for _ in dims(condition))
    return broadcast(condition, x1, x2)


@primitive(shape=_chosen, dtype=PROMOTED)
def where(condition: Operand, x1: Tensor = None, x2: Tensor = None) -> Tensor:
    """`x1` where the condition holds, else `x2`; without them, the indices of what is true, an array for each axis."""


# ---- conversion ----
@primitive(shape=lambda x, dtype: Spec(dims(x), dtype), dtype=SAME)
def cast(x: Tensor, dtype: Any) -> Tensor:
    """`x` in another dtype."""


@primitive(shape=same, dtype=SAME)
def stop_gradient(variable: Tensor) -> Tensor:
    """The same values, through which no gradient flows."""


__all__ = [
    "abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "cast", "ceil", "clip", "cos", "cosh",
    "divide", "divide_no_nan", "equal", "erf", "erfinv", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "isfinite", "isinf",
    "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "mod", "multiply", "nan_to_num", "negative", "not_equal", "power", "reciprocal", "round", "rsqrt", "sign", "sin", "sinh",
    "sqrt", "square", "stop_gradient", "subtract", "tan", "tanh", "true_divide", "where",
]  # fmt: skip
