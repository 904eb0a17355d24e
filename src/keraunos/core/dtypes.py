"""Dtypes by name, and their promotion: JAX's lattice, with weak Python scalars.

A dtype is its name everywhere above the backends ("float32"), which every engine understands.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from keraunos.core import config
from keraunos.core.errors import NUMBERS_FIRST, DTypeError, suggestion

BITS = {
    "bool": 1, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64, "int8": 8, "int16": 16, "int32": 32, "int64": 64,
    "float8_e4m3fn": 8, "float8_e5m2": 8, "bfloat16": 16, "float16": 16, "float32": 32, "float64": 64,
    "complex64": 64, "complex128": 128, "string": 0,
}  # fmt: skip
FLOATS = frozenset({"float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "float32", "float64"})
INTEGERS = frozenset({"uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"})
COMPLEX = frozenset({"complex64", "complex128"})

# The lattice: what lies directly above each dtype. "int", "float" and "complex" stand for the weak
# Python scalars, which take the width of what they meet.
_ABOVE = {
    "bool": ("int",), "int": ("uint8", "int8"),
    "uint8": ("uint16", "int16"), "uint16": ("uint32", "int32"), "uint32": ("uint64", "int64"), "uint64": ("float",),
    "int8": ("int16",), "int16": ("int32",), "int32": ("int64",), "int64": ("float",),
    "float": ("float8_e4m3fn", "float8_e5m2", "bfloat16", "float16", "complex"),
    "float8_e4m3fn": ("bfloat16", "float16"), "float8_e5m2": ("bfloat16", "float16"),
    "bfloat16": ("float32",), "float16": ("float32",), "float32": ("float64", "complex64"), "float64": ("complex128",),
    "complex": ("complex64",), "complex64": ("complex128",), "complex128": (),
}  # fmt: skip


@functools.cache
def _upwards(name: str) -> frozenset[str]:
    return frozenset({name}).union(*(_upwards(above) for above in _ABOVE[name]))


@functools.cache
def _join(first: str, second: str) -> str:
    common = _upwards(first) & _upwards(second)
    return next(name for name in common if common <= _upwards(name))


@functools.cache
def _join_all(*names: str) -> str:
    return functools.reduce(_join, names)


_PYTHON = {bool: "bool", int: "int", float: "float", complex: "complex"}
_MEANT = {"int": "int32", "complex": "complex64", "half": "float16", "str": "string"}


def _settled(name: str) -> str:
    """The dtype that a weak or short name means where nothing else decides."""
    return config.floatx() if name == "float" else _MEANT.get(name, name)


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype given as a name, a Python type, or any engine's dtype object; None is `floatx()`.

    Raises:
        DTypeError: There is no such dtype.

    Example:

    >>> import numpy as np
    >>> standardize_dtype(np.float32), standardize_dtype(int), standardize_dtype(None)
    ('float32', 'int32', 'float32')
    """
    if isinstance(dtype, str) and dtype in BITS:
        return dtype
    if dtype is None:
        return config.floatx()
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", None) or str(dtype)
    name = _settled(str(name).rpartition(".")[2])
    if name.startswith(("str", "<U", "bytes", "object")):
        name = "string"
    if name not in BITS:
        raise DTypeError(f"There is no dtype {dtype!r}.", where="dtype", fix=suggestion(name, BITS))
    return name


def result_type(*dtypes: Any) -> str:
    """The dtype of a result of these dtypes; Python's `int`, `float` and `bool` are weak.

    Example:

    >>> result_type("int32", float), result_type("bfloat16", "float16"), result_type("int32", "uint32")
    ('float32', 'float32', 'int64')
    """
    names = [d if isinstance(d, str) and d in _ABOVE else _PYTHON.get(d) or standardize_dtype(d) for d in dtypes]
    if "string" in names:
        raise DTypeError("Text cannot be computed with.", received=", ".join(names), fix=NUMBERS_FIRST, code="KR207")
    return _settled(_join_all(*names) if names else "float")


def common(*values: Any) -> str:
    """The common dtype of values: tensors' own, Python's scalars weak."""
    return result_type(*(getattr(x, "dtype", type(x)) for x in values if x is not None))


def floating(dtype: str) -> str:
    """The dtype in which a float function of `dtype` is computed: itself, or for integers `floatx()`."""
    return dtype if dtype in FLOATS or dtype in COMPLEX else config.floatx()


def real(dtype: str) -> str:
    """The dtype of absolute values: that of the parts of a complex one."""
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


def complexed(dtype: str) -> str:
    """The complex dtype that holds a float one."""
    return "complex128" if dtype in ("float64", "complex128") else "complex64"


def whole(dtype: str) -> str:
    """`dtype`, which must be of integers or bool.

    Raises:
        DTypeError: It is not.
    """
    if dtype != "bool" and dtype not in INTEGERS:
        raise DTypeError(f"{dtype} has no bits to compute with.", expected="integers or bool", fix="cast to an integer dtype, or ops.view the bits as one")
    return dtype


def part(dtype: str) -> str:
    """The dtype of the parts that a complex number is made of, which are given as `dtype`.

    Raises:
        DTypeError: They are complex themselves.
    """
    if dtype in COMPLEX:
        raise DTypeError("The parts of a complex number cannot be complex themselves.", received=dtype, fix="take ops.real or ops.absolute of them")
    return real(complexed(dtype))


_LARGEST = {
    "float8_e4m3fn": 448.0, "float8_e5m2": 57344.0, "float16": 65504.0, "bfloat16": 2.0**128 - 2.0**120, "float32": 2.0**128 - 2.0**104,
    "float64": sys.float_info.max,
}  # fmt: skip


def limits(dtype: str) -> tuple[Any, Any]:
    """The smallest and the largest number of a dtype that is not infinite.

    Raises:
        DTypeError: Its elements have no order.
    """
    if dtype in FLOATS:
        return -_LARGEST[dtype], _LARGEST[dtype]
    if dtype != "bool" and dtype not in INTEGERS:
        raise DTypeError(f"Elements of {dtype} have no order.", fix="take ops.real or ops.absolute of complex numbers")
    signed, bits = dtype.startswith("int"), BITS[dtype]
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def is_float(dtype: str) -> bool:
    """Whether `dtype` is a real floating dtype."""
    return dtype in FLOATS
