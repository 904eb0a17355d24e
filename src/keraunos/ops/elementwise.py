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
    """`x1 - x2`, the shapes broadcast.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.subtract([[5, 6], [7, 8]], [5, 7])).tolist()
    [[0, -1], [2, 1]]
    """


def multiply(x1: Tensor, x2: Tensor) -> Promoted:
    """`x1 * x2`, the shapes broadcast.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.multiply([[1], [2]], [3, 4])).tolist()
    [[3, 4], [6, 8]]
    """


def true_divide(x1: Tensor, x2: Tensor) -> Floating:
    """`x1 / x2`, a float for integers too; infinite where only `x2` is 0, NaN where both are.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.divide([1, 3, 0], [2, 0, 0])).tolist()
    [0.5, inf, nan]
    """


def floor_divide(x1: Tensor, x2: Tensor) -> Numeric:
    """The largest integer not above `x1 / x2`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.floor_divide([7, -7], 2)).tolist()
    [3, -4]
    """


def mod(x1: Tensor, x2: Tensor) -> Numeric:
    """The remainder of `floor_divide(x1, x2)`; it has the sign of `x2`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.mod([7, -7], 3)).tolist()
    [1, 2]
    """


def power(x1: Tensor, x2: Tensor) -> Numeric:
    """`x1` to the power `x2`; NaN where that is no real number, as for a root of a negative one.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.power([3.0, 4.0, -1.0], [2.0, 0.5, 0.5])).tolist()
    [9.0, 2.0, nan]
    """


def maximum(x1: Tensor, x2: Tensor) -> Promoted:
    """The greater of each pair of elements; NaN where one is NaN, which `fmax` passes over.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.maximum([1.0, -2.0, float("nan")], 0)).tolist()
    [1.0, 0.0, nan]
    """


def minimum(x1: Tensor, x2: Tensor) -> Promoted:
    """The smaller of each pair of elements; NaN where one is NaN, which `fmin` passes over.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.minimum([[1], [5]], [2, 4])).tolist()
    [[1, 1], [2, 4]]
    """


def negative(x: Tensor) -> Numeric:
    """`-x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.negative([1, -2])).tolist()
    [-1, 2]
    """


def absolute(x: Tensor) -> Real:
    """`x` without its sign; the length of a complex number.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.abs([-3, 2])).tolist()
    [3, 2]
    >>> float(ops.absolute(3 + 4j))
    5.0
    """


def sign(x: Tensor) -> Numeric:
    """-1 where `x` is negative, 0 where it is 0, 1 where it is positive; NaN stays.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sign([-2.5, 0.0, 3.0])).tolist()
    [-1.0, 0.0, 1.0]
    """


# ---- powers, exponentials, logarithms ----
def sqrt(x: Tensor) -> Floating:
    """The square root; NaN for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sqrt([4.0, 2.25, -1.0])).tolist()
    [2.0, 1.5, nan]
    """


def exp(x: Tensor) -> Floating:
    """e to the power `x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.exp([0.0, 1.0])).tolist()
    [1.0, 2.718...]
    """


def expm1(x: Tensor) -> Floating:
    """`exp(x) - 1`, exact near 0.

    Example:

    >>> from keraunos import ops
    >>> float(ops.exp(1e-8) - 1), float(ops.expm1(1e-8))
    (0.0, 9.999...e-09)
    """


def log(x: Tensor) -> Floating:
    """The natural logarithm; -inf at 0, NaN for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.log([1.0, 0.0, -1.0])).tolist()
    [0.0, -inf, nan]
    """


def log1p(x: Tensor) -> Floating:
    """`log(1 + x)`, exact near 0; -inf at -1, NaN below.

    Example:

    >>> from keraunos import ops
    >>> float(ops.log(1 + 1e-8)), float(ops.log1p(1e-8))
    (0.0, 9.999...e-09)
    """


def log2(x: Tensor) -> Floating:
    """The logarithm to base 2; -inf at 0, NaN for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.log2([0.25, 1.0, 8.0])).tolist()
    [-2.0, 0.0, 3.0]
    """


def log10(x: Tensor) -> Floating:
    """The logarithm to base 10; -inf at 0, NaN for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.log10([0.0, 1.0, 10.0])).tolist()
    [-inf, 0.0, 1.0]
    """


def logaddexp(x1: Tensor, x2: Tensor) -> Floating:
    """`log(exp(x1) + exp(x2))`, computed stably: no `exp` overflows.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logaddexp([0.0, 1000.0], [0.0, 1000.0])).tolist()
    [0.693..., 1000.693...]
    """


# ---- trigonometry ----
def sin(x: Tensor) -> Floating:
    """The sine of an angle in radians.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sin([0.0, 1.0])).tolist()
    [0.0, 0.841...]
    """


def cos(x: Tensor) -> Floating:
    """The cosine of an angle in radians.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cos([0.0, 1.0])).tolist()
    [1.0, 0.540...]
    """


def tan(x: Tensor) -> Floating:
    """The tangent of an angle in radians.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tan([0.0, 1.0])).tolist()
    [0.0, 1.557...]
    """


def arcsin(x: Tensor) -> Floating:
    """The inverse of `sin`, from -pi/2 to pi/2; NaN where `x` is not from -1 to 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arcsin([0.0, 1.0, 2.0])).tolist()
    [0.0, 1.570..., nan]
    """


def arccos(x: Tensor) -> Floating:
    """The inverse of `cos`, from 0 to pi; NaN where `x` is not from -1 to 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arccos([1.0, 0.0, 2.0])).tolist()
    [0.0, 1.570..., nan]
    """


def arctan(x: Tensor) -> Floating:
    """The inverse of `tan`, from -pi/2 to pi/2.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arctan([0.0, 1.0, float("inf")])).tolist()
    [0.0, 0.785..., 1.570...]
    """


def arctan2(x1: Tensor, x2: Tensor) -> Floating:
    """The angle of the point with ordinate `x1` and abscissa `x2`, from -pi to pi: unlike `arctan(x1 / x2)` it tells opposite points apart.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arctan2([1.0, -1.0], [1.0, -1.0])).tolist()
    [0.785..., -2.356...]
    """


def sinh(x: Tensor) -> Floating:
    """The hyperbolic sine, `(exp(x) - exp(-x)) / 2`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sinh([0.0, 1.0])).tolist()
    [0.0, 1.175...]
    """


def cosh(x: Tensor) -> Floating:
    """The hyperbolic cosine, `(exp(x) + exp(-x)) / 2`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cosh([0.0, 1.0])).tolist()
    [1.0, 1.543...]
    """


def tanh(x: Tensor) -> Floating:
    """The hyperbolic tangent, `sinh(x) / cosh(x)`, from -1 to 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tanh([0.0, 1.0, 20.0])).tolist()
    [0.0, 0.761..., 1.0]
    """


def arcsinh(x: Tensor) -> Floating:
    """The inverse of `sinh`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arcsinh([0.0, 1.0])).tolist()
    [0.0, 0.881...]
    """


def arccosh(x: Tensor) -> Floating:
    """The inverse of `cosh`, not negative; NaN below 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arccosh([1.0, 2.0, 0.0])).tolist()
    [0.0, 1.316..., nan]
    """


def arctanh(x: Tensor) -> Floating:
    """The inverse of `tanh`; infinite at -1 and 1, NaN beyond.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arctanh([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.549..., inf]
    """


def erf(x: Tensor) -> Floating:
    """The error function: the part of normally distributed numbers that lie within `x * sqrt(2)` standard deviations, with the sign of `x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.erf([0.0, 1.0, 5.0])).tolist()
    [0.0, 0.842..., 1.0]
    """


# ---- rounding ----
def floor(x: Tensor) -> Floating:
    """The largest integer not above, as a float.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.floor([1.7, -1.7])).tolist()
    [1.0, -2.0]
    """


def ceil(x: Tensor) -> Floating:
    """The smallest integer not below, as a float.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ceil([1.7, -1.2])).tolist()
    [2.0, -1.0]
    """


def round(x: Tensor, decimals: int = 0) -> Numeric:
    """The nearest number of `decimals` decimals; halves go to the even one.

    Args:
        decimals: How many places behind the point are kept; negative ones are places before it.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.round([0.5, 1.5, 2.5])).tolist()
    [0.0, 2.0, 2.0]
    >>> ops.convert_to_numpy(ops.round([1234, 1250], -2)).tolist()
    [1200, 1200]
    """


# ---- tests and comparisons ----
def isnan(x: Tensor) -> Test:
    """Whether an element is not a number.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isnan([1.0, float("nan"), float("inf")])).tolist()
    [False, True, False]
    """


def isinf(x: Tensor) -> Test:
    """Whether an element is infinite, of either sign.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isinf([1.0, float("nan"), -float("inf")])).tolist()
    [False, False, True]
    """


def isfinite(x: Tensor) -> Test:
    """Whether an element is neither infinite nor NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isfinite([1.0, float("nan"), float("inf")])).tolist()
    [True, False, False]
    """


def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Promoted:
    """`x` with numbers in place of NaN and the infinities.

    Args:
        nan: What NaN becomes.
        posinf: What infinity becomes; None is the dtype's greatest number.
        neginf: What minus infinity becomes; None is the dtype's least number.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.nan_to_num([1.0, float("nan"), float("inf")], posinf=100.0)).tolist()
    [1.0, 0.0, 100.0]
    """


def equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 == x2` of each pair of elements; NaN equals nothing.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.equal([1, 2, 3], [1, 5, 3])).tolist()
    [True, False, True]
    """


def not_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 != x2` of each pair of elements; NaN differs even from itself.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.not_equal([1, 2, 3], [1, 5, 3])).tolist()
    [False, True, False]
    """


def less(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 < x2` of each pair of elements.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.less([1, 2, 3], 2)).tolist()
    [True, False, False]
    """


def less_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 <= x2` of each pair of elements.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.less_equal([1, 2, 3], 2)).tolist()
    [True, True, False]
    """


def greater(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 > x2` of each pair of elements.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.greater([[1], [2]], [0, 1, 2])).tolist()
    [[True, False, False], [True, True, False]]
    """


def greater_equal(x1: Tensor, x2: Tensor) -> Boolean:
    """`x1 >= x2` of each pair of elements.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.greater_equal([1, 2, 3], 2)).tolist()
    [False, True, True]
    """


def logical_and(x1: Tensor, x2: Tensor) -> Logical:
    """Whether both are true; what is not 0 is true.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logical_and([0, 1, 2], [1, 0, 3])).tolist()
    [False, False, True]
    """


def logical_or(x1: Tensor, x2: Tensor) -> Logical:
    """Whether either is true; what is not 0 is true.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logical_or([0, 0, 2], [0, 1, 3])).tolist()
    [False, True, True]
    """


def logical_xor(x1: Tensor, x2: Tensor) -> Logical:
    """Whether exactly one is true; what is not 0 is true.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logical_xor([0, 0, 2], [0, 1, 3])).tolist()
    [False, True, False]
    """


def logical_not(x: Tensor) -> Logical:
    """Whether it is not true: whether it is 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.logical_not([0, 1, 2])).tolist()
    [True, False, False]
    """


# ---- conversion ----
def stop_gradient(variable: Tensor) -> Same:
    """The same values, through which no gradient flows.

    Example:

    >>> from keraunos import ops
    >>> import keraunos
    >>> x = keraunos.Variable(3.0)
    >>> value, gradients = keraunos.value_and_grad(lambda: x * ops.stop_gradient(x), [x])()
    >>> float(value), float(gradients[0])
    (9.0, 3.0)
    """


declare(globals(), broadcast)
divide, abs = true_divide, absolute


# ---- from others ----
def square(x: Tensor) -> Numeric:
    """`x * x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.square([-3, 2])).tolist()
    [9, 4]
    """
    return multiply(x, x)


def reciprocal(x: Tensor) -> Floating:
    """`1 / x`, a float for integers too; infinite at 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.reciprocal([4, -2, 0])).tolist()
    [0.25, -0.5, inf]
    """
    return true_divide(1, x)


def divide_no_nan(x1: Tensor, x2: Tensor) -> Floating:
    """`x1 / x2`, and 0 where `x2` is 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.divide_no_nan([1.0, 3.0, 0.0], [2.0, 0.0, 0.0])).tolist()
    [0.5, 0.0, 0.0]
    """
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
    """`1 / sqrt(x)`; infinite at 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.rsqrt([4.0, 0.25, 0.0])).tolist()
    [0.5, 2.0, inf]
    """
    return true_divide(1, sqrt(x))


def sigmoid(x: Tensor) -> Floating:
    """`1 / (1 + exp(-x))`, from 0 to 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sigmoid([-1.0, 0.0, 1.0])).tolist()
    [0.268..., 0.5, 0.731...]
    """
    return exp(negative(logaddexp(negative(x), 0)))


def erfinv(x: Tensor) -> Floating:
    """The inverse of `erf`; infinite at -1 and 1, NaN beyond.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.erfinv([0.0, 0.5, 1.0])).tolist()
    [0.0, 0.476..., inf]
    """
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
    """`x1` where the condition holds, else `x2`; without them, the indices of what is true, an array for each axis.

    Args:
        condition: Bools; the three shapes broadcast.
        x1: What is taken where the condition holds.
        x2: What is taken elsewhere.

    Raises:
        ArgumentError: Only one of `x1` and `x2` is given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.where([True, False, True], [1, 2, 3], 0)).tolist()
    [1, 0, 3]
    >>> rows, columns = ops.where([[True, False], [True, True]])
    >>> ops.convert_to_numpy(rows).tolist(), ops.convert_to_numpy(columns).tolist()
    ([0, 1, 1], [0, 0, 1])
    """
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
    """`x` in another dtype; floats that become integers are cut off towards 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cast([1.7, -1.7], "int32")).tolist()
    [1, -1]
    """


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
