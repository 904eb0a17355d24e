"""Functions that make arrays, and those that change their dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import SCALARS, Array, checked, from_host, on, value_of, wide, wrap
from keraunos.interop.array_api._dtypes import DType, as_dtype, float64, int64


def asarray(obj: Any, /, *, dtype: DType | None = None, device: Any = None, copy: bool | None = None) -> Array:
    """An array of a number, of nested sequences of numbers, of an array or of what gives one through DLPack.

    Args:
        obj: What to make an array of.
        dtype: The data type; None is that of `obj`, for Python's numbers bool, int64, float64 or complex128.
        device: Where to make it.
        copy: Whether the array must be (True), may be (None) or must not be (False) a copy.

    Raises:
        ArgumentError: A copy is needed, and `copy` is False.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.asarray([1, 2]) + xp.asarray(1)
    Array([2, 3], dtype=int64)
    """
    as_dtype(dtype or int64)
    needed = not isinstance(obj, Array) and not hasattr(obj, "__dlpack__")
    if isinstance(obj, Array):
        needed = (dtype or obj.dtype) != obj.dtype or (device or obj.device) != obj.device
        if not needed and not copy:
            return obj
    if copy is False and needed:
        raise ArgumentError("This array cannot be made without a copy.", where="copy", fix="leave copy at None")
    with on(device):
        if isinstance(obj, Array):
            return wrap(value_of(obj), dtype) if device is None else from_host(obj._host(), dtype or obj.dtype)
        engine = wide()
        if hasattr(obj, "__dlpack__"):
            value = engine.array(np.array(obj) if isinstance(obj, np.ndarray) and copy is not False else obj)
            return wrap(value, dtype or _dtypes.named(engine.dtype_of(value)))
        host = np.asarray(_plain(obj), dtype.name if dtype else None)
        return from_host(host, dtype or _dtypes.named(host.dtype.name))


def _plain(obj: Any) -> Any:
    """Nested sequences with what arrays there are in them for NumPy to take."""
    if isinstance(obj, (list, tuple)):
        return [_plain(x) for x in obj]
    return obj._host() if isinstance(obj, Array) else obj


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """The array of another library, taken over through DLPack.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> import numpy as np
    >>> xp.from_dlpack(np.asarray([1.0, 2.0]))
    Array([1., 2.], dtype=float64)
    """
    if not hasattr(x, "__dlpack__"):
        raise ArgumentTypeError("from_dlpack needs an array that has __dlpack__.", received=type(x).__name__)
    return asarray(x, device=device, copy=copy)


# ---- filled ----
def full(shape: int | tuple[int, ...], fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of one value.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.full((2,), 7)
    Array([7, 7], dtype=int64)
    """
    kind = next((kind for kind in SCALARS if isinstance(fill_value, kind)), None)
    if kind is None:
        raise ArgumentTypeError("fill_value is a Python number.", where="full", received=type(fill_value).__name__, fix="fill_value=0.0")
    name = as_dtype(dtype or _dtypes.default(kind)).name
    with on(device):
        return wrap(ops.broadcast_to(wide().array(np.asarray(fill_value, name)), (shape,) if isinstance(shape, int) else tuple(shape)))


def zeros(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of zeros.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.zeros(2)
    Array([0., 0.], dtype=float64)
    """
    return full(shape, 0, dtype=dtype or float64, device=device)


def ones(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of ones.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.ones(2, dtype=xp.int8)
    Array([1, 1], dtype=int8)
    """
    return full(shape, 1, dtype=dtype or float64, device=device)


def empty(shape: int | tuple[int, ...], *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array whose values do not matter; they are zeros.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.empty((2, 3)).shape
    (2, 3)
    """
    return zeros(shape, dtype=dtype, device=device)


def full_like(x: Array, /, fill_value: Any, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of one value, of the shape, dtype and device of another.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.full_like(xp.asarray([1, 2]), 7)
    Array([7, 7], dtype=int64)
    """
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device or x.device)


def zeros_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of zeros, of the shape, dtype and device of another.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.zeros_like(xp.asarray([1, 2]))
    Array([0, 0], dtype=int64)
    """
    return full_like(x, 0, dtype=dtype, device=device)


def ones_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of ones, of the shape, dtype and device of another.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.ones_like(xp.asarray([1.5, 2.5]))
    Array([1., 1.], dtype=float64)
    """
    return full_like(x, 1, dtype=dtype, device=device)


def empty_like(x: Array, /, *, dtype: DType | None = None, device: Any = None) -> Array:
    """An array of the shape, dtype and device of another, whose values do not matter.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.empty_like(xp.asarray([1, 2])).dtype == xp.int64
    True
    """
    return full_like(x, 0, dtype=dtype, device=device)


# ---- ranges and matrices ----
def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None) -> Array:
    """The numbers from `start` to before `stop`, or from 0 to before `start`, at distances of `step`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.arange(1, 6, 2)
    Array([1, 3, 5], dtype=int64)
    """
    first, last = (0, start) if stop is None else (start, stop)
    whole = all(isinstance(x, int) for x in (first, last, step))
    name = as_dtype(dtype or (int64 if whole else float64)).name
    with on(device):  # computed on the host: the same numbers on every engine
        return from_host(np.arange(first, last, step, dtype=name), dtype or (int64 if whole else float64))


def linspace(
    start: Any, stop: Any, /, num: int, *, dtype: DType | None = None, device: Any = None, endpoint: bool = True
) -> Array:  # fmt: skip
    """`num` numbers at equal distances from `start` to `stop`, that one included or with `endpoint=False` not.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linspace(0, 1, 4, endpoint=False)
    Array([0.  , 0.25, 0.5 , 0.75], dtype=float64)
    """
    if dtype is not None and not _dtypes.is_kind(as_dtype(dtype), "floating"):
        raise DTypeError(f"linspace gives floats, not {dtype.name}.", where="dtype", fix="arange for integers")
    kind = dtype or (_dtypes.complex128 if isinstance(start, complex) or isinstance(stop, complex) else float64)
    with on(device):
        return from_host(np.linspace(start, stop, num, dtype=kind.name, endpoint=endpoint), kind)


def eye(n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: DType | None = None, device: Any = None) -> Array:
    """A matrix with ones in the `k`-th diagonal and zeros elsewhere.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.eye(2)
    Array([[1., 0.],
     [0., 1.]], dtype=float64)
    """
    with on(device):
        return from_host(np.eye(n_rows, n_cols, k, "bool"), as_dtype(dtype or float64))


def tril(x: Array, /, *, k: int = 0) -> Array:
    """The matrices with zeros above the `k`-th diagonal.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.tril(xp.asarray([[1, 2], [3, 4]]))
    Array([[1, 0],
     [3, 4]], dtype=int64)
    """
    return wrap(ops.tril(value_of(x), k))


def triu(x: Array, /, *, k: int = 0) -> Array:
    """The matrices with zeros below the `k`-th diagonal.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.triu(xp.asarray([[1, 2], [3, 4]]), k=1)
    Array([[0, 2],
     [0, 0]], dtype=int64)
    """
    return wrap(ops.triu(value_of(x), k))


def meshgrid(*arrays: Array, indexing: str = "xy") -> list[Array]:
    """The coordinates of the points of a grid, for each axis an array; "xy" exchanges the first two axes of "ij".

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> x, y = xp.meshgrid(xp.asarray([1, 2, 3]), xp.asarray([4, 5]))
    >>> x.shape, y.shape
    ((2, 3), (2, 3))
    """
    if len({x.dtype for x in arrays}) > 1:
        fact = "The arrays are not of one dtype."
        raise DTypeError(fact, where="meshgrid", received=", ".join(x.dtype.name for x in arrays), fix="xp.astype to one of them first")
    return [wrap(x) for x in ops.meshgrid(*map(value_of, arrays), indexing=indexing)]


# ---- dtypes ----
def astype(x: Array, dtype: DType, /, *, copy: bool = True, device: Any = None) -> Array:
    """The array in another dtype; complex numbers become no real ones.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.astype(xp.asarray([1.7, -1.7]), xp.int8)
    Array([ 1, -1], dtype=int8)
    """
    if _dtypes.is_kind(x.dtype, "complex floating") and not _dtypes.is_kind(as_dtype(dtype), "complex floating"):
        raise DTypeError(f"{x.dtype.name} cannot become {dtype.name}.", where="astype", fix="take real(x), imag(x) or abs(x)")
    if x.dtype == dtype and not copy and device in (None, x.device):
        return x
    out = wrap(value_of(x, dtype))
    return out if device is None else out.to_device(device)


def broadcast_arrays(*arrays: Array) -> list[Array]:
    """The arrays, repeated along axes to one shape.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.broadcast_arrays(xp.asarray([1, 2]), xp.asarray(5))[1]
    Array([5, 5], dtype=int64)
    """
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    return [broadcast_to(x, shape) for x in arrays]


def broadcast_to(x: Array, /, shape: tuple[int, ...]) -> Array:
    """The array, repeated along its axes of size 1 and new leading ones.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.broadcast_to(xp.asarray([1, 2]), (2, 2))
    Array([[1, 2],
     [1, 2]], dtype=int64)
    """
    return wrap(ops.broadcast_to(value_of(x), tuple(shape)))


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """The elements of `x1` where the condition holds, else those of `x2`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.where(xp.asarray([True, False]), xp.asarray([1, 2]), 0)
    Array([1, 0], dtype=int64)
    """
    _, (a, b) = checked("where", "any", x1, x2)
    return wrap(ops.where(value_of(condition, _dtypes.bool), a, b))


__all__ = [
    "arange", "asarray", "astype", "broadcast_arrays", "broadcast_to", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace",
    "meshgrid", "ones", "ones_like", "tril", "triu", "where", "zeros", "zeros_like",
]  # fmt: skip
