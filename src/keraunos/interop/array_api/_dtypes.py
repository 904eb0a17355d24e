"""The data types of the standard, and which of two a result has."""

from __future__ import annotations

import builtins
import dataclasses
import functools
import re
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, suggestion


@dataclasses.dataclass(frozen=True)
class DType:
    """A data type.

    Args:
        name: Its name, which is Keraunos's too.
    """

    name: str

    @property
    def kind(self) -> str:
        """The kind, as `isdtype` names it."""
        return _KINDS[re.match("[a-z]+", self.name)[0]]  # type: ignore[index]

    @property
    def bits(self) -> int:
        """The size of an element."""
        return 8 if self.name == "bool" else dtypes.BITS[self.name]

    def __repr__(self) -> str:
        return f"keraunos.interop.array_api.{self.name}"


_KINDS = {"bool": "bool", "int": "signed integer", "uint": "unsigned integer", "float": "real floating", "complex": "complex floating"}
_GROUPS = {
    **{kind: (kind,) for kind in _KINDS.values()},
    "integral": ("signed integer", "unsigned integer"),
    "floating": ("real floating", "complex floating"),
    "real numeric": ("signed integer", "unsigned integer", "real floating"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
    "integral or bool": ("signed integer", "unsigned integer", "bool"),
    "any": tuple(_KINDS.values()),
}
_BESIDE = {builtins.bool: "bool", int: "numeric", float: "floating", complex: "floating"}  # what Python's numbers mix with
_OF_STANDARD = ("bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric")

int8, int16, int32, int64 = (DType(f"int{bits}") for bits in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (DType(f"uint{bits}") for bits in (8, 16, 32, 64))
float32, float64, complex64, complex128, bool = DType("float32"), DType("float64"), DType("complex64"), DType("complex128"), DType("bool")
ALL = {d.name: d for d in (bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, complex64, complex128)}


def as_dtype(dtype: Any) -> DType:
    """`dtype`, which must be one of the standard's."""
    if isinstance(dtype, DType):
        return dtype
    raise ArgumentTypeError("A dtype is an object of this namespace, such as float32.", received=type(dtype).__name__, fix="dtype=xp.float32")


def named(name: str) -> DType:
    """The dtype of this name.

    Raises:
        DTypeError: The standard has none.
    """
    if name not in ALL:
        raise DTypeError(f"{name} is not of the standard.", expected=", ".join(ALL), fix="convert the data first, or pass dtype=")
    return ALL[name]


def is_kind(dtype: DType, group: str) -> Any:
    """Whether the dtype is of a kind, or of a group of kinds."""
    return dtype.kind in _GROUPS[group]


def default(kind: type) -> DType:
    """The dtype of Python's numbers of this type."""
    return {int: int64, float: float64, complex: complex128}.get(kind, bool)


def parts(dtype: DType) -> DType:
    """The dtype of absolute values."""
    return ALL[dtypes.real(dtype.name)]


def complexed(dtype: DType) -> DType:
    """The complex dtype whose parts are of this one."""
    return ALL[dtypes.complexed(dtype.name)]


@functools.cache
def promoted(a: DType, b: DType) -> DType:
    """The dtype of a result of two, by the standard's tables.

    Raises:
        DTypeError: They have none in common.
    """
    if a.kind == b.kind:
        return a if a.bits >= b.bits else b
    if is_kind(a, "integral") and is_kind(b, "integral"):
        signed, unsigned = (a, b) if a.kind == "signed integer" else (b, a)
        if unsigned.bits < 64:
            return ALL[f"int{max(signed.bits, 2 * unsigned.bits)}"]
    if is_kind(a, "floating") and is_kind(b, "floating"):
        return complex128 if float64 in (a, b) or complex128 in (a, b) else complex64
    raise DTypeError(f"{a.name} and {b.name} do not mix.", expected="dtypes of one kind, or of kinds that lose nothing", fix="convert one with astype")


def of_scalar(scalar: Any, other: DType) -> DType:
    """The dtype that a Python number takes beside an array of dtype `other`."""
    allowed = next(group for kind, group in _BESIDE.items() if isinstance(scalar, kind))
    if not is_kind(other, allowed):
        raise DTypeError(f"A Python {type(scalar).__name__} does not mix with {other.name}.", fix="convert the array with astype")
    return complexed(other) if isinstance(scalar, complex) else other


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype of a result of these arrays, dtypes and Python numbers.

    Raises:
        DTypeError: They have none in common.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.result_type(xp.int8, xp.uint8), xp.result_type(xp.float32, 1.0)
    (keraunos.interop.array_api.int16, keraunos.interop.array_api.float32)
    """
    scalars = [x for x in arrays_and_dtypes if isinstance(x, (int, float, complex))]
    given = [x if isinstance(x, DType) else x.dtype for x in arrays_and_dtypes if not isinstance(x, (int, float, complex))]
    if not given:
        raise ArgumentError("result_type needs an array or a dtype.", where="result_type")
    return functools.reduce(lambda out, x: of_scalar(x, out), scalars, functools.reduce(promoted, given))


def can_cast(from_: Any, to: DType, /) -> Any:
    """Whether an array or a dtype goes to another dtype by the rules of promotion.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.can_cast(xp.int8, xp.int16), xp.can_cast(xp.int16, xp.int8)
    (True, False)
    """
    try:
        return promoted(from_ if isinstance(from_, DType) else from_.dtype, to) == to
    except DTypeError:
        return False


def isdtype(dtype: DType, kind: Any) -> Any:
    """Whether a dtype is of a kind: a dtype, one of the standard's names such as "integral", or any of several of these.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.isdtype(xp.float32, "real floating"), xp.isdtype(xp.int8, ("bool", "unsigned integer"))
    (True, False)
    """
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, DType):
        return dtype == kind
    if kind not in _OF_STANDARD:
        raise ArgumentError(f"There is no kind {kind!r}.", where="kind", fix=suggestion(kind, _OF_STANDARD))
    return is_kind(as_dtype(dtype), kind)


@dataclasses.dataclass(frozen=True)
class finfo_object:
    """What a floating dtype can hold."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


@dataclasses.dataclass(frozen=True)
class iinfo_object:
    """What an integer dtype can hold."""

    bits: int
    max: int
    min: int
    dtype: DType


def finfo(type: Any, /) -> finfo_object:
    """What a floating dtype, or an array's, can hold; for complex ones, their parts.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.finfo(xp.float32).eps == 2**-23
    True
    """
    dtype = parts(as_dtype(getattr(type, "dtype", type)))
    if dtype.kind != "real floating":
        raise ArgumentTypeError(f"{dtype.name} is not a floating dtype.", where="finfo", fix="use iinfo for integers")
    least, largest = dtypes.limits(dtype.name)
    mantissa, exponent = (23, -126) if dtype == float32 else (52, -1022)
    return finfo_object(dtype.bits, 2.0**-mantissa, largest, least, 2.0**exponent, dtype)


def iinfo(type: Any, /) -> iinfo_object:
    """What an integer dtype, or an array's, can hold.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.iinfo(xp.uint8).max
    255
    """
    dtype = as_dtype(getattr(type, "dtype", type))
    if not is_kind(dtype, "integral"):
        raise ArgumentTypeError(f"{dtype.name} is not an integer dtype.", where="iinfo", fix="use finfo for floats")
    least, largest = dtypes.limits(dtype.name)
    return iinfo_object(dtype.bits, largest, least, dtype)


__all__ = [
    "bool", "can_cast", "complex128", "complex64", "finfo", "float32", "float64", "iinfo", "int16", "int32", "int64", "int8", "isdtype", "result_type",
    "uint16", "uint32", "uint64", "uint8",
]  # fmt: skip
