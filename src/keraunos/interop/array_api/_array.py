"""The array of the standard: a tensor of an engine, with the standard's operators and rules."""

from __future__ import annotations

import builtins
import contextlib
import operator
import sys
from types import EllipsisType
from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._dtypes import DType

VERSION = "2024.12"
_VERSIONS = ("2021.12", "2022.12", "2023.12", VERSION)
SCALARS = (bool, int, float, complex)


# ---- between arrays and tensors ----
def wrap(value: Any, dtype: DType | None = None) -> Array:
    """A tensor as an array, of the given dtype."""
    engine = config.active()
    out = object.__new__(Array)
    out._value = value if dtype is None or engine.dtype_of(value) == dtype.name else engine.cast(value, dtype.name)
    out._engine = engine
    return out


def value_of(x: Any, dtype: DType | None = None) -> Any:
    """The array's tensor, on the engine in force and of the given dtype."""
    if not isinstance(x, Array):
        raise ArgumentTypeError("An array of this namespace is needed.", received=type(x).__name__, fix="pass xp.asarray(x)")
    engine = config.active()
    value = x._value if x._engine is engine else wide().array(x._host())
    return value if dtype is None or engine.dtype_of(value) == dtype.name else engine.cast(value, dtype.name)


def from_host(x: Any, dtype: DType) -> Array:
    """An array of what NumPy has."""
    return wrap(wide().array(np.asarray(x, dtype.name)))


def wide() -> Any:
    """The engine, with all 64 bits of its numbers: the standard's default dtypes need them."""
    engine = config.active()
    engine.array(0.0, "float64")
    return engine


def checked(name: str, group: str, *xs: Any) -> tuple[DType, list[Any]]:
    """The common dtype of arrays and Python numbers, which must be of a group of kinds, and their tensors in it."""
    arrays = [x for x in xs if isinstance(x, Array)]
    if not arrays or not all(isinstance(x, (Array, *SCALARS)) for x in xs):
        raise ArgumentTypeError(f"{name} needs arrays of this namespace.", received=", ".join(type(x).__name__ for x in xs), fix="pass xp.asarray(x)")
    dtype = _dtypes.result_type(*xs)
    for x in arrays:
        if not _dtypes.is_kind(x.dtype, group):
            raise DTypeError(f"{name} is not defined for {x.dtype.name}.", expected=f"a dtype that is {group}", fix="convert the array with astype")
    engine = config.active()
    return dtype, [value_of(x, dtype) if isinstance(x, Array) else engine.array(x, dtype.name) for x in xs]


def devices() -> list[str]:
    """The devices of the engine, by name."""
    return [name.partition(" ")[0] for name in config.active().devices()]


@contextlib.contextmanager
def on(device: Any) -> Any:
    """A block in which arrays are made on a device; None is where the engine makes them."""
    if device is None:
        yield
        return
    if device not in devices():
        raise ArgumentError(f"There is no device {device!r}.", where="device", expected=", ".join(devices()))
    with config.device(device.replace("cuda", "gpu")):
        yield


def _namespace() -> Any:
    return sys.modules["keraunos.interop.array_api"]


# ---- operators ----
def _binary(name: str) -> tuple[Any, Any, Any]:
    """The operator of the function of this name: as it is, with its sides exchanged, and in place."""

    def plain(self: Array, other: Any, /) -> Any:
        return getattr(_namespace(), name)(self, other) if isinstance(other, (Array, *SCALARS)) else NotImplemented

    def reflected(self: Array, other: Any, /) -> Any:
        return getattr(_namespace(), name)(other, self) if isinstance(other, (Array, *SCALARS)) else NotImplemented

    def in_place(self: Array, other: Any, /) -> Any:
        out = plain(self, other)
        if out is NotImplemented:
            return out
        if out.dtype != self.dtype:
            raise DTypeError(f"An array of {self.dtype.name} cannot become one of {out.dtype.name} in place.", where=name, fix="make a new one: x = x + y")
        if out.shape != self.shape:
            raise ShapeError(f"An array of shape {self.shape} cannot become one of {out.shape} in place.", where=name, fix="make a new one: x = x + y")
        self._value, self._engine = out._value, out._engine
        return self

    return plain, reflected, in_place


def _unary(name: str) -> Any:
    return lambda self: getattr(_namespace(), name)(self)


class Array:
    """An array of the standard; functions such as `asarray` and `zeros` make it.

    Its tensor is never changed: where the standard assigns in place, the array takes a new one.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> x = xp.asarray([[1, 2], [3, 4]])
    >>> x.T[0, :] + 1
    Array([2, 4], dtype=int64)
    """

    __slots__ = ("__weakref__", "_engine", "_value")
    __array_ufunc__ = None  # NumPy leaves operators to this class
    _value: Any
    _engine: Any  # whose tensor it is

    def __init__(self, *_: Any):
        raise ArgumentTypeError("Arrays are made by functions.", where="Array", fix="xp.asarray(…)")

    __add__, __radd__, __iadd__ = _binary("add")
    __sub__, __rsub__, __isub__ = _binary("subtract")
    __mul__, __rmul__, __imul__ = _binary("multiply")
    __truediv__, __rtruediv__, __itruediv__ = _binary("divide")
    __floordiv__, __rfloordiv__, __ifloordiv__ = _binary("floor_divide")
    __mod__, __rmod__, __imod__ = _binary("remainder")
    __pow__, __rpow__, __ipow__ = _binary("pow")
    __matmul__, __rmatmul__, __imatmul__ = _binary("matmul")
    __and__, __rand__, __iand__ = _binary("bitwise_and")
    __or__, __ror__, __ior__ = _binary("bitwise_or")
    __xor__, __rxor__, __ixor__ = _binary("bitwise_xor")
    __lshift__, __rlshift__, __ilshift__ = _binary("bitwise_left_shift")
    __rshift__, __rrshift__, __irshift__ = _binary("bitwise_right_shift")
    __lt__, __le__, __gt__, __ge__ = (_binary(name)[0] for name in ("less", "less_equal", "greater", "greater_equal"))
    __eq__, __ne__ = _binary("equal")[0], _binary("not_equal")[0]
    __hash__ = None  # type: ignore[assignment]
    __neg__, __pos__, __abs__, __invert__ = _unary("negative"), _unary("positive"), _unary("abs"), _unary("bitwise_invert")

    # ---- what it is ----
    @property
    def dtype(self) -> DType:
        """The data type of the elements."""
        return _dtypes.named(self._engine.dtype_of(self._value))

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return tuple(self._value.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._value.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def device(self) -> str:
        """Where the elements lie."""
        device: Any = getattr(self._value, "device", "cpu")
        if hasattr(device, "platform"):
            return f"{device.platform}:{device.id}"
        return str(device).rpartition("device:")[2].lower()  # one of TensorFlow is a path

    @property
    def T(self) -> Array:
        """The transpose of a matrix."""
        if self.ndim != 2:
            raise ShapeError(f".T is of arrays with two axes, this one has {self.ndim}.", fix="use .mT or permute_dims")
        return self.mT

    @property
    def mT(self) -> Array:
        """The transposes of the matrices in the last two axes."""
        return _namespace().matrix_transpose(self)

    def to_device(self, device: Any, /, *, stream: Any = None) -> Array:
        """The array on another device."""
        if device == self.device:
            return self
        with on(device):
            return from_host(self._host(), self.dtype)

    def _host(self) -> np.ndarray:
        return self._engine.to_numpy(self._value)

    def __reduce__(self) -> Any:  # copied and pickled by the elements: an engine is not
        return from_host, (self._host(), self.dtype)

    def __repr__(self) -> str:
        return f"Array({np.array2string(self._host(), separator=', ')}, dtype={self.dtype.name})"

    # ---- to Python and to other libraries ----
    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The namespace that this array is of."""
        if api_version is not None and api_version not in _VERSIONS:
            raise ArgumentError(f"There is no version {api_version!r} of the standard here.", where="api_version", expected=", ".join(_VERSIONS))
        return _namespace()

    def __dlpack__(self, /, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
        """The tensor, for another library to take over."""
        options = {"stream": stream, "max_version": max_version, "dl_device": dl_device, "copy": copy}
        return self._exported().__dlpack__(**{name: x for name, x in options.items() if x is not None})

    def __dlpack_device__(self) -> tuple[Any, int]:
        """The kind and number of the device."""
        return self._exported().__dlpack_device__()

    def _exported(self) -> Any:
        value: Any = np.asarray(self._value) if isinstance(self._value, np.generic) else self._value
        return value.detach() if hasattr(value, "detach") else value

    def _scalar(self, kind: type, group: str = "any") -> Any:
        if self.ndim:
            fact = f"Only an array without axes can become a Python {kind.__name__}."
            raise ArgumentTypeError(fact, received=f"shape {self.shape}", fix="take one element, x[0], or a sum")
        if not _dtypes.is_kind(self.dtype, group):
            raise DTypeError(f"An array of {self.dtype.name} cannot become a Python {kind.__name__}.", fix="convert it with astype")
        return kind(self._host().item())

    def __bool__(self) -> bool:
        return self._scalar(bool)

    def __int__(self) -> int:
        return self._scalar(int)

    def __float__(self) -> float:
        return self._scalar(float)

    def __complex__(self) -> complex:
        return self._scalar(complex)

    def __index__(self) -> int:
        return self._scalar(int, "integral")

    # ---- elements ----
    def __len__(self) -> int:
        if not self.ndim:
            raise ArgumentTypeError("An array without axes has no length.", fix="x.size is 1")
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any, /) -> Array:
        return wrap(ops.get_item(value_of(self), _key(self, key, value_of)))

    def __setitem__(self, key: Any, value: Any, /) -> None:
        if isinstance(value, Array):
            if _dtypes.promoted(value.dtype, self.dtype) != self.dtype:
                raise DTypeError(f"Elements of {value.dtype.name} cannot go into an array of {self.dtype.name}.", fix="convert them with astype")
        elif _dtypes.of_scalar(value, self.dtype) != self.dtype:
            raise DTypeError(f"A Python complex cannot go into an array of {self.dtype.name}.", fix="convert the array with astype")
        new = value_of(value, self.dtype) if isinstance(value, Array) else config.active().array(value, self.dtype.name)
        places = np.arange(self.size).reshape(self.shape)[_key(self, key, Array._host)]
        if places.size:
            flat = ops.scatter_update(ops.ravel(value_of(self)), places.reshape(-1, 1), ops.ravel(ops.broadcast_to(new, places.shape)))
            self._value, self._engine = ops.reshape(flat, self.shape), config.active()


def _key(x: Array, key: Any, convert: Any) -> Any:
    """The key as the engine's, or the host's, indexing takes it; its integers are checked, as some engines do not."""
    parts = key if isinstance(key, tuple) else (key,)
    used = builtins.sum(k.ndim if isinstance(k, Array) and k.dtype == _dtypes.bool else k is not None and k is not ... for k in parts)
    if used > x.ndim:
        raise IndexError(f"An array with {x.ndim} axes cannot take {used} indices.")
    new, axis = [], 0
    for k in parts:
        if isinstance(k, Array):
            if not _dtypes.is_kind(k.dtype, "integral or bool"):
                raise IndexError(f"Indices are integers or bools, not {k.dtype.name}.")
            axis += k.ndim if k.dtype == _dtypes.bool else 1
            k = convert(k)
        elif isinstance(k, slice):
            k = slice(*(None if end is None else operator.index(end) for end in (k.start, k.stop, k.step)))
            axis += 1
        elif isinstance(k, EllipsisType):
            axis += x.ndim - used
        elif k is not None:
            if isinstance(k, bool) or not hasattr(k, "__index__"):
                raise IndexError(f"A {type(k).__name__} is no index.")
            k = operator.index(k)
            if not -x.shape[axis] <= k < x.shape[axis]:
                raise IndexError(f"Index {k} is out of bounds for axis {axis} of size {x.shape[axis]}.")
            axis += 1
        new.append(k)
    return tuple(new) if isinstance(key, tuple) else new[0]
