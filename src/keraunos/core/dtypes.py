"""Dtypes by name, and their promotion: JAX's lattice, with weak Python scalars.

A dtype is its name everywhere above the backends ("float32"), which every engine understands.
"""

from __future__ import annotations

import functools
from typing import Any

from keraunos.core import config
from keraunos.core.errors import DTypeError, suggestion

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
        raise DTypeError(f"There is no dtype {dtype!r}.", fix=suggestion(name, BITS))
    return name


def result_type(*dtypes: Any) -> str:
    """The dtype of a result of these dtypes; Python's `int`, `float` and `bool` are weak.

    Example:

    >>> result_type("int32", float), result_type("bfloat16", "float16"), result_type("int32", "uint32")
    ('float32', 'float32', 'int64')
    """
    names = [d if isinstance(d, str) and d in _ABOVE else _PYTHON.get(d) or standardize_dtype(d) for d in dtypes]
    if "string" in names:
        raise DTypeError("Text cannot be computed with.", received=", ".join(names), fix="turn it into numbers first")
    return _settled(_join_all(*names) if names else "float")


def common(*values: Any) -> str:
    """The common dtype of values: tensors' own, Python's scalars weak."""
    return result_type(*(getattr(x, "dtype", type(x)) for x in values if x is not None))


def floating(dtype: str) -> str:
    """The dtype in which a float function of `dtype` is computed: itself, or for integers `floatx()`."""
    return dtype if dtype in FLOATS or dtype in COMPLEX else config.floatx()


def is_float(dtype: str) -> bool:
    """Whether `dtype` is a real floating dtype."""
    return dtype in FLOATS
