"""The elementwise functions: each checks and promotes by the standard's rules, then is an op."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from keraunos import ops
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, checked, value_of, wrap

# Calls for the examples in docstrings, and what comes of them.
_EXAMPLES = """
abs [-2, 3] -> [2, 3]; acos [1.0] -> [0.]; acosh [1.0] -> [0.]; add [1, 2], 3 -> [4, 5]; asin [0.0] -> [0.]; asinh [0.0] -> [0.]
atan [0.0] -> [0.]; atan2 [1.0], [0.0] -> [1.57079633]; atanh [0.0] -> [0.]; bitwise_and [6], [3] -> [2]; bitwise_invert [0, 5] -> [-1, -6]
bitwise_left_shift [1, 3], 2 -> [ 4, 12]; bitwise_or [6], [3] -> [7]; bitwise_right_shift [8, 5], 2 -> [2, 1]; bitwise_xor [6], [3] -> [5]
ceil [0.5, 1.5] -> [1., 2.]; conj [1 + 2j] -> [1.-2.j]; copysign [2.0], [-1.0] -> [-2.]; cos [0.0] -> [1.]; cosh [0.0] -> [1.]
divide [3.0, 1.0], 2.0 -> [1.5, 0.5]; equal [1, 2], 2 -> [False,  True]; exp [0.0] -> [1.]; expm1 [0.0] -> [0.]; floor [0.5, -0.5] -> [ 0., -1.]
floor_divide [7, -7], 2 -> [ 3, -4]; greater [1, 3], 2 -> [False,  True]; greater_equal [1, 2], 2 -> [False,  True]; hypot [3.0], [4.0] -> [5.]
imag [1 + 2j] -> [2.]; isfinite [1.0, float('inf')] -> [ True, False]; isinf [1.0, float('inf')] -> [False,  True]
isnan [1.0, float('nan')] -> [False,  True]; less [1, 3], 2 -> [ True, False]; less_equal [2, 3], 2 -> [ True, False]; log [1.0] -> [0.]
log10 [1.0] -> [0.]; log1p [0.0] -> [0.]; log2 [1.0] -> [0.]; logaddexp [0.0], [-1000.0] -> [0.]
logical_and [True, True], [True, False] -> [ True, False]; logical_not [True, False] -> [False,  True]
logical_or [True, False], [False, False] -> [ True, False]; logical_xor [True, True], [True, False] -> [False,  True]
maximum [1, 5], 3 -> [3, 5]; minimum [1, 5], 3 -> [1, 3]; multiply [1, 2], 3 -> [3, 6]; negative [1, -2] -> [-1,  2]
nextafter [1.0], [1.0] -> [1.]; not_equal [1, 2], 2 -> [ True, False]; positive [1, -2] -> [ 1, -2]; pow [2, 3], 2 -> [4, 9]
real [1 + 2j] -> [1.]; reciprocal [2.0, 4.0] -> [0.5 , 0.25]; remainder [7, -7], 2 -> [1, 1]; round [0.5, 1.5, 1.75] -> [0., 2., 2.]
sign [-2, 0, 3] -> [-1,  0,  1]; signbit [-2.0, 2.0] -> [ True, False]; sin [0.0] -> [0.]; sinh [0.0] -> [0.]; sqrt [4.0, 9.0] -> [2., 3.]
square [2, -3] -> [4, 9]; subtract [5, 2], 3 -> [ 2, -1]; tan [0.0] -> [0.]; tanh [0.0] -> [0.]; trunc [1.5, -1.5] -> [ 1., -1.]
"""
_CALLS = {name: call for name, *call in re.findall(r"(\w+) (\[.+?) -> (\[.+?\])", _EXAMPLES)}


def _named(function: Callable[..., Any], name: str, text: str) -> Callable[..., Any]:
    arguments, result = _CALLS[name]
    kind = "bool" if result[-2] == "e" else "complex128" if "j" in result else "float64" if "." in result else "int64"
    called = re.sub(r"\[.*?\]", r"xp.asarray(\g<0>)", arguments)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{text}

Example:

>>> import keraunos.interop.array_api as xp
>>> xp.{name}({called})
Array({result}, dtype={kind})
"""
    return function


def _unary(name: str, group: str, op: Callable[..., Any], result: Any = None) -> Callable[[Array], Array]:
    """A function of one array of a group of dtypes; `result` makes the result's dtype of its own."""

    def function(x: Array, /) -> Array:
        dtype, (value,) = checked(name, group, x)
        return wrap(op(value), result(dtype) if result else dtype)

    return _named(function, name, f"`{name}` of each element; for dtypes that are {group}.")


def _binary(name: str, group: str, op: Callable[..., Any], result: Any = None) -> Callable[[Any, Any], Array]:
    """A function of two arrays, one of which may be a Python number."""

    def function(x1: Array | complex, x2: Array | complex, /) -> Array:
        dtype, (a, b) = checked(name, group, x1, x2)
        return wrap(op(a, b), result or dtype)

    return _named(function, name, f"`{name}` of each two elements, broadcast; for dtypes that are {group}.")


def _of_floats(op: Callable[..., Any]) -> Callable[..., Any]:
    """`op`, which leaves whole numbers as they are."""
    return lambda x: op(x) if "float" in ops.dtype(x) else x


def _round(x: Any) -> Any:
    if "complex" in ops.dtype(x):
        return ops.add(ops.round(ops.real(x)), ops.multiply(ops.round(ops.imag(x)), 1j))
    return _of_floats(ops.round)(x)


def _copysign(a: Any, b: Any) -> Any:
    size = ops.absolute(a)
    return ops.where(ops.signbit(b), ops.negative(size), size)


def _bool(_: Any) -> Any:
    return _dtypes.bool


acos, acosh = _unary("acos", "floating", ops.arccos), _unary("acosh", "floating", ops.arccosh)
asin, asinh = _unary("asin", "floating", ops.arcsin), _unary("asinh", "floating", ops.arcsinh)
atan, atanh = _unary("atan", "floating", ops.arctan), _unary("atanh", "floating", ops.arctanh)
cos, cosh, sin, sinh, tan, tanh = (_unary(n, "floating", getattr(ops, n)) for n in ("cos", "cosh", "sin", "sinh", "tan", "tanh"))
exp, expm1, log, log1p, log2, log10 = (_unary(n, "floating", getattr(ops, n)) for n in ("exp", "expm1", "log", "log1p", "log2", "log10"))
sqrt, reciprocal = _unary("sqrt", "floating", ops.sqrt), _unary("reciprocal", "floating", lambda x: ops.true_divide(1, x))
abs, square = _unary("abs", "numeric", ops.absolute, _dtypes.parts), _unary("square", "numeric", lambda x: ops.multiply(x, x))
negative, positive = _unary("negative", "numeric", ops.negative), _unary("positive", "numeric", lambda x: x)
sign, round = _unary("sign", "numeric", ops.sign), _unary("round", "numeric", _round)
ceil, floor, trunc = (_unary(n, "real numeric", _of_floats(getattr(ops, n))) for n in ("ceil", "floor", "trunc"))
isnan, isinf, isfinite = (_unary(n, "numeric", getattr(ops, n), _bool) for n in ("isnan", "isinf", "isfinite"))
signbit, logical_not = _unary("signbit", "real floating", ops.signbit, _bool), _unary("logical_not", "bool", ops.logical_not)
bitwise_invert = _unary("bitwise_invert", "integral or bool", ops.bitwise_not)
conj, real = _unary("conj", "numeric", ops.conjugate), _unary("real", "numeric", ops.real, _dtypes.parts)
imag = _unary("imag", "complex floating", ops.imag, _dtypes.parts)

add, subtract, multiply = (_binary(n, "numeric", getattr(ops, n)) for n in ("add", "subtract", "multiply"))
pow, divide = _binary("pow", "numeric", ops.power), _binary("divide", "floating", ops.true_divide)
floor_divide, remainder = _binary("floor_divide", "real numeric", ops.floor_divide), _binary("remainder", "real numeric", ops.mod)
maximum, minimum = _binary("maximum", "real numeric", ops.maximum), _binary("minimum", "real numeric", ops.minimum)
atan2, logaddexp = _binary("atan2", "real floating", ops.arctan2), _binary("logaddexp", "real floating", ops.logaddexp)
hypot, nextafter = _binary("hypot", "real floating", ops.hypot), _binary("nextafter", "real floating", ops.nextafter)
copysign = _binary("copysign", "real floating", _copysign)
equal, not_equal = _binary("equal", "any", ops.equal, _dtypes.bool), _binary("not_equal", "any", ops.not_equal, _dtypes.bool)
less, less_equal, greater, greater_equal = (
    _binary(n, "real numeric", getattr(ops, n), _dtypes.bool) for n in ("less", "less_equal", "greater", "greater_equal")
)
logical_and, logical_or, logical_xor = (_binary(n, "bool", getattr(ops, n)) for n in ("logical_and", "logical_or", "logical_xor"))
bitwise_and, bitwise_or, bitwise_xor = (_binary(n, "integral or bool", getattr(ops, n)) for n in ("bitwise_and", "bitwise_or", "bitwise_xor"))
bitwise_left_shift = _binary("bitwise_left_shift", "integral", ops.left_shift)
bitwise_right_shift = _binary("bitwise_right_shift", "integral", ops.right_shift)


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """Each element, but at least `min` and at most `max`, each an array, a number or None; of the dtype of `x`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.clip(xp.asarray([-1, 2, 9]), 0, 5)
    Array([0, 2, 5], dtype=int64)
    """
    dtype, (value,) = checked("clip", "real numeric", x)
    for bound, op in ((min, ops.maximum), (max, ops.minimum)):
        if bound is not None:
            value = op(value, value_of(bound, dtype) if isinstance(bound, Array) else checked("clip", "real numeric", x, bound)[1][1])
    return wrap(value, dtype)


__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or",
    "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1", "floor", "floor_divide",
    "greater", "greater_equal", "hypot", "imag", "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow",
    "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
]  # fmt: skip
