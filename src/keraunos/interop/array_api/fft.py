"""The standard's Fourier transforms, made of the one of complex numbers along the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core.errors import ArgumentError, DTypeError, one_of
from keraunos.core.spec import normalize_axes
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, checked, from_host, on, value_of, wrap
from keraunos.interop.array_api._dtypes import DType
from keraunos.interop.array_api._manipulation import roll

_NORMS = ("backward", "ortho", "forward")


def _sized(x: Any, n: int, axis: int) -> Any:
    """The tensor cut or filled up with zeros to `n` elements along `axis`."""
    size = ops.shape(x)[axis]
    if n > size:
        return ops.pad(x, [(0, n - size if i == axis else 0) for i in range(ops.ndim(x))])
    return ops.take(x, np.arange(n, dtype="int32"), axis) if n < size else x


def _along(x: Any, n: int, axis: int, inverse: bool, norm: str) -> Any:
    """The transform along `axis`, of `n` elements."""
    if n < 1:
        raise ArgumentError(f"A transform needs at least one element, not {n}.", where="n")
    x = ops.moveaxis(_sized(x, n, axis), axis, -1)
    real, imaginary = ops.real(x), ops.imag(x)
    # The inverse is the transform with real and imaginary parts exchanged, before and after.
    real, imaginary = ops.fft((imaginary, real))[::-1] if inverse else ops.fft((real, imaginary))
    power = {"ortho": 0.5, "backward": float(inverse), "forward": float(not inverse)}[one_of("norm", norm, _NORMS)]
    out = ops.multiply(ops.add(real, ops.multiply(imaginary, 1j)), n**-power)
    return ops.moveaxis(out, -1, axis)


def _plan(x: Array, s: Sequence[int] | None, axes: Sequence[int] | None) -> list[tuple[int, int]]:
    """Which axes to transform, with the numbers of elements."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    places = normalize_axes(tuple(axes), x.ndim)
    sizes = [x.shape[a] for a in places] if s is None else list(s)
    if len(sizes) != len(places):
        raise ArgumentError(f"There are {len(sizes)} sizes for {len(places)} axes.", where="s", fix="one size for each axis")
    return [(a, x.shape[a] if n == -1 else n) for a, n in zip(places, sizes, strict=True)]


def _complex(name: str, x: Array, group: str = "floating") -> Any:
    dtype, (value,) = checked(name, group, x)
    return wrap(value, _dtypes.complexed(dtype))._value


def _many(name: str, x: Array, plan: list[tuple[int, int]], norm: str, inverse: bool = False) -> Array:
    value = _complex(name, x)
    for axis, n in plan:
        value = _along(value, n, axis, inverse, norm)
    return wrap(value)


def _halved(value: Any, n: int, axis: int) -> Any:
    """The first half of a transform of real numbers, of which the second is the mirror image."""
    return _sized(value, n // 2 + 1, axis)


def _mirrored(value: Any, n: int, axis: int) -> Any:
    """A whole transform of real numbers from its first half."""
    half = _sized(value, n // 2 + 1, axis)
    mirror = ops.conjugate(ops.take(half, np.arange((n - 1) // 2, 0, -1, dtype="int32"), axis))
    return ops.concatenate([half, mirror], axis)


# ---- of complex numbers ----
def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The discrete Fourier transform along `axis`, of `n` elements: what there is more is cut, what there is less is zero.

    Args:
        x: The elements.
        n: How many are transformed; None is all.
        axis: The axis.
        norm: Which way is divided by n: "backward" or "forward", or with "ortho" both by its root.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.fft(xp.asarray([1.0 + 0j, 0j, 0j, 0j]))
    Array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex128)
    """
    return _many("fft", x, _plan(x, None if n is None else [n], [axis]), norm)


def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of `fft`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.ifft(xp.asarray([4.0 + 0j, 0j, 0j, 0j]))
    Array([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j], dtype=complex128)
    """
    return _many("ifft", x, _plan(x, None if n is None else [n], [axis]), norm, inverse=True)


def fftn(x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """The transform along several axes, all by default; `s` has their numbers of elements.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.fftn(xp.ones((2, 2), dtype=xp.complex64))[0, 0]
    Array(4.+0.j, dtype=complex64)
    """
    return _many("fftn", x, _plan(x, s, axes), norm)


def ifftn(x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """The inverse of `fftn`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.ifftn(xp.ones((2, 2), dtype=xp.complex64))[0, 0]
    Array(1.+0.j, dtype=complex64)
    """
    return _many("ifftn", x, _plan(x, s, axes), norm, inverse=True)


# ---- of real numbers ----
def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform of real numbers: n // 2 + 1 elements, of which the rest would be the mirror image.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.rfft(xp.asarray([1.0, 2.0, 3.0, 4.0])).shape
    (3,)
    """
    return rfftn(x, s=None if n is None else [n], axes=[axis], norm=norm)


def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of `rfft`, of `n` real elements; None is 2 * (m - 1) for m given.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.irfft(xp.fft.rfft(xp.asarray([1.0, 2.0, 3.0, 4.0]))).shape
    (4,)
    """
    return irfftn(x, s=None if n is None else [n], axes=[axis], norm=norm)


def rfftn(x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """The transform of real numbers along several axes: `rfft` along the last, `fft` along the others.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.rfftn(xp.ones((4, 6))).shape
    (4, 4)
    """
    plan = _plan(x, s, axes)
    (axis, n), value = plan[-1], _complex("rfftn", x, "real floating")
    half = wrap(_halved(_along(value, n, axis, False, norm), n, axis))
    return _many("rfftn", half, plan[:-1], norm)


def irfftn(x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward") -> Array:
    """The inverse of `rfftn`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.irfftn(xp.fft.rfftn(xp.ones((4, 6)))).shape
    (4, 6)
    """
    plan = _plan(x, s, axes)
    axis, n = plan[-1]
    n = 2 * (x.shape[axis] - 1) if s is None or s[-1] == -1 else n
    value = value_of(_many("irfftn", x, plan[:-1], norm, inverse=True))
    return wrap(ops.real(_along(_mirrored(value, n, axis), n, axis, True, norm)))


def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The transform, which is real, of elements whose mirror image is their conjugate and left out.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.hfft(xp.asarray([1.0 + 0j, 0j, 0j])).shape
    (4,)
    """
    return irfft(wrap(ops.conjugate(_complex("hfft", x))), n=n, axis=axis, norm=_turned(norm))


def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Array:
    """The inverse of `hfft`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.ihfft(xp.asarray([1.0, 0.0, 0.0, 0.0])).shape
    (3,)
    """
    return wrap(ops.conjugate(value_of(rfft(x, n=n, axis=axis, norm=_turned(norm)))))


def _turned(norm: str) -> str:
    return {"backward": "forward", "forward": "backward"}.get(norm, norm)


# ---- frequencies ----
def fftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    """The frequencies of the elements that `fft` gives for `n` samples at distances `d`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.fftfreq(4)
    Array([ 0.  ,  0.25, -0.5 , -0.25], dtype=float64)
    """
    return _frequencies(np.fft.fftfreq(n, d), dtype, device)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: DType | None = None, device: Any = None) -> Array:
    """The frequencies of the elements that `rfft` gives for `n` samples at distances `d`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.rfftfreq(4)
    Array([0.  , 0.25, 0.5 ], dtype=float64)
    """
    return _frequencies(np.fft.rfftfreq(n, d), dtype, device)


def _frequencies(x: np.ndarray, dtype: DType | None, device: Any) -> Array:
    if dtype is not None and not _dtypes.is_kind(dtype, "real floating"):
        raise DTypeError(f"Frequencies are real floats, not {dtype.name}.", where="dtype", fix="dtype=xp.float32")
    with on(device):
        return from_host(x, dtype or _dtypes.float64)


def fftshift(x: Array, /, *, axes: int | tuple[int, ...] | None = None) -> Array:
    """The elements with the frequency 0 in the middle.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.fftshift(xp.fft.fftfreq(4))
    Array([-0.5 , -0.25,  0.  ,  0.25], dtype=float64)
    """
    places = normalize_axes(axes, x.ndim)
    return roll(x, tuple(x.shape[a] // 2 for a in places), axis=places)


def ifftshift(x: Array, /, *, axes: int | tuple[int, ...] | None = None) -> Array:
    """The inverse of `fftshift`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.fft.ifftshift(xp.asarray([1, 2, 3]))
    Array([2, 3, 1], dtype=int64)
    """
    places = normalize_axes(axes, x.ndim)
    return roll(x, tuple(-(x.shape[a] // 2) for a in places), axis=places)


__all__ = ["fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft", "rfftfreq", "rfftn"]
