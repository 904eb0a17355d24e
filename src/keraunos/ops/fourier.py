"""Fourier transforms, of whole signals and of their frames.

Complex numbers are pairs here, `(real, imaginary)`, as in Keras. Transforms are along the last axis and are not normalized, their inverses
are divided by the length.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from keraunos.core.dtypes import COMPLEX
from keraunos.core.errors import ArgumentError, DTypeError, ShapeError, one_of
from keraunos.core.op import Tensor, Tensors
from keraunos.core.spec import same_dim, show
from keraunos.ops import rules
from keraunos.ops.creation import arange, zeros, zeros_like
from keraunos.ops.elementwise import add, cast, cos, greater, mod, multiply, negative, sin, square, subtract, true_divide, where
from keraunos.ops.linalg import matmul
from keraunos.ops.reductions import sum
from keraunos.ops.rules import Same, Wide, declare
from keraunos.ops.shaping import broadcast_to, concatenate, convert_to_tensor, dtype, expand_dims, flip, get_item, pad, reshape, shape, swapaxes, take


# ---- transforms ----
def _pair(x: Any, axes: int = 1) -> tuple[Any, Any]:
    """The real and the imaginary part, checked to fit and to have so many axes."""
    if not isinstance(x, (list, tuple)) or len(x) != 2:
        raise ArgumentError("x must be a pair, the real and the imaginary part.", where="x", fix="pass (real, imaginary), such as (x, ops.zeros_like(x))")
    sizes = [shape(y) for y in x]
    if not rules.equal(*sizes) or len(sizes[0]) < axes:
        expected = f"equal shapes of {axes} or more axes"
        raise ShapeError("The real and the imaginary part do not fit.", where="x", received=" and ".join(str(show(s)) for s in sizes), expected=expected)
    return x[0], x[1]


@functools.lru_cache(64)
def _angles(rows: int, columns: int, n: int) -> np.ndarray:
    return np.outer(np.arange(rows), np.arange(columns)) % n * (2 * math.pi / n)


def _turned(re: Any, im: Any, rows: Any, columns: Any, n: Any, product: Any) -> tuple[Any, Any]:
    """The product of the numbers with the `n`-th roots of 1, `exp(-2 pi i r c / n)` at row `r` and column `c`."""
    if isinstance(n, int):
        angles = _angles(rows, columns, n)
        c, s = (convert_to_tensor(f(angles), dtype(re)) for f in (np.cos, np.sin))
    else:
        turns = mod(multiply(expand_dims(arange(rows), 1), arange(columns)), n)
        angles = multiply(cast(turns, dtype(re)), true_divide(2 * math.pi, n))
        c, s = cos(angles), sin(angles)
    return add(product(re, c), product(im, s)), subtract(product(im, c), product(re, s))


def _transform(re: Any, im: Any) -> tuple[Any, Any]:
    n = shape(re)[-1]
    if isinstance(n, int) and n < 1:
        raise ShapeError("A transform needs one element or more.", where="x", received=show(shape(re)))
    most = math.isqrt(n) if isinstance(n, int) and n > 32 else 1
    a = next(d for d in range(most, 0, -1) if n % d == 0) if most > 1 else 1
    if a == 1:
        return _turned(re, im, n, n, n, matmul)
    # With n = a b, a transform over the columns of the a rows of b elements, a turn of each, then one over the rows: far fewer products
    # (J. W. Cooley and J. W. Tukey, An algorithm for the machine calculation of complex Fourier series, 1965).
    before = shape(re)[:-1]
    re, im = (swapaxes(reshape(y, (*before, a, n // a)), -1, -2) for y in (re, im))
    re, im = _turned(*_transform(re, im), n // a, a, n, multiply)
    re, im = _transform(*(swapaxes(y, -1, -2) for y in (re, im)))
    return tuple(reshape(swapaxes(y, -1, -2), (*before, n)) for y in (re, im))  # type: ignore[return-value]


def fft(x: Tensors) -> tuple[Wide, Wide]:
    """The discrete Fourier transform along the last axis of the complex numbers `x`, a pair `(real, imaginary)`.

    Example:

    >>> from keraunos import ops
    >>> re, im = ops.fft(([1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]))
    >>> ops.convert_to_numpy(re).tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    return _transform(*_pair(x))


def fft2(x: Tensors) -> tuple[Wide, Wide]:
    """The discrete Fourier transform along the last two axes of the complex numbers `x`, a pair `(real, imaginary)`.

    Example:

    >>> from keraunos import ops
    >>> real, imaginary = ops.fft2(([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]))
    >>> ops.convert_to_numpy(real).tolist()
    [[10.0, -2.0], [-4.0, 0.0]]
    """
    columns = fft(tuple(swapaxes(y, -1, -2) for y in fft(_pair(x, 2))))
    return tuple(swapaxes(y, -1, -2) for y in columns)  # type: ignore[return-value]


def ifft2(x: Tensors) -> tuple[Wide, Wide]:
    """The inverse of `fft2`.

    Example:

    >>> from keraunos import ops
    >>> real, imaginary = ops.ifft2(ops.fft2(([[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]])))
    >>> ops.convert_to_numpy(real).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    re, im = _pair(x, 2)
    rows, columns = shape(re)[-2:]
    im, re = (true_divide(true_divide(y, rows), columns) for y in fft2((im, re)))  # the transform of the mirrored, mirrored
    return re, im


def _fitted(x: Any, n: Any) -> Any:
    """`x` with `n` elements along the last axis: cut off, or zeros behind."""
    *before, own = shape(x)
    if isinstance(own, int) and isinstance(n, int):
        x = x if own >= n else pad(x, [*[(0, 0)] * len(before), (0, n - own)])
        return x if own <= n else get_item(x, (..., slice(0, n)))
    return reshape(get_item(concatenate([x, zeros((*before, n), dtype(x))], -1), (..., slice(0, n))), (*before, n))  # whose size is known now


def _length(n: Any) -> Any:
    if isinstance(n, (str, float)) or (isinstance(n, int) and n < 1):
        raise ArgumentError("A transform needs one element or more.", where="fft_length", received=repr(n), expected="an integer of at least 1")
    return n


def _positive(**sizes: Any) -> None:
    """Raise unless these are integers of at least 1."""
    for name, n in sizes.items():
        if not isinstance(n, int) or n < 1:
            raise ArgumentError(f"{name} must be an integer of at least 1.", where=name, received=repr(n))


def _time(x: Any) -> Any:
    """The size of the last axis."""
    if not shape(x):
        raise ShapeError("A number alone has no axis to go along.", where="x", received=(), expected="(..., time)")
    return shape(x)[-1]


def _signal(x: Any) -> Any:
    """Real numbers, checked to have an axis of time."""
    if dtype(x) in COMPLEX:
        raise DTypeError("This transform is of real numbers.", where="x", received=dtype(x), fix="use ops.fft((ops.real(x), ops.imag(x)))")
    _time(x)
    return x


def rfft(x: Tensor, fft_length: int | None = None) -> tuple[Wide, Wide]:
    """The discrete Fourier transform of real numbers: the half that tells all, `fft_length // 2 + 1` elements as a pair `(real, imaginary)`.

    Args:
        fft_length: The number of elements to transform: those missing are 0, more are cut off; None is as many as there are.

    Example:

    >>> from keraunos import ops
    >>> real, imaginary = ops.rfft([1.0, 2.0, 3.0, 4.0])
    >>> ops.convert_to_numpy(real).tolist(), ops.convert_to_numpy(imaginary).tolist()
    ([10.0, -2.0, -2.0], [0.0, 2.0, 0.0])
    """
    n = _length(shape(_signal(x))[-1] if fft_length is None else fft_length)
    x = _fitted(x, n)
    re, im = (get_item(y, (..., slice(0, n // 2 + 1))) for y in fft((x, zeros_like(x))))
    return re, im


def irfft(x: Tensors, fft_length: int | None = None) -> Wide:
    """The inverse of `rfft`.

    Args:
        fft_length: The number of elements of the result; None is the even number that fits.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.irfft(ops.rfft([0.0, 1.0, 2.0, 3.0]))).round(4).tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    re, im = _pair(x)
    n = _length(2 * (shape(re)[-1] - 1) if fft_length is None else fft_length)
    re, im = _fitted(re, n // 2 + 1), _fitted(im, n // 2 + 1)
    again = (..., slice(1, 1 + (n - 1) // 2))
    re = concatenate([re, flip(get_item(re, again), -1)], -1)
    im = concatenate([im, negative(flip(get_item(im, again), -1))], -1)
    return true_divide(fft((im, re))[1], n)


# ---- frames ----
def extract_sequences(x: Tensor, sequence_length: int, sequence_stride: int) -> Same:
    """The frames of `sequence_length` elements along the last axis that start every `sequence_stride`, on a new axis before it.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.extract_sequences([1, 2, 3, 4, 5], 3, 2)).tolist()
    [[1, 2, 3], [3, 4, 5]]
    """
    _positive(sequence_length=sequence_length, sequence_stride=sequence_stride)
    room = _time(x) - sequence_length + 1
    starts = arange(0, max(room, 0) if isinstance(room, int) else room, sequence_stride)
    return take(x, add(expand_dims(starts, 1), arange(sequence_length)), -1)


def _overlapped(frames: Any, stride: int) -> Any:
    """The sum of frames, of the axes `(…, frames, elements)`, each of which starts `stride` after the one before."""
    *before, count, length = shape(frames)
    parts = -(-length // stride)
    x = reshape(_fitted(frames, parts * stride), (*before, count, parts, stride))
    # The p-th part of a frame is due p places later. Rows of count + parts, read as rows of one less, are moved by as much.
    x = swapaxes(x, -2, -3)
    x = concatenate([x, zeros((*before, parts, parts, stride), dtype(x))], -2)
    x = reshape(x, (*before, parts * (count + parts), stride))
    x = get_item(x, (..., slice(0, parts * (count + parts - 1)), slice(None)))
    x = sum(reshape(x, (*before, parts, count + parts - 1, stride)), -3)
    return get_item(reshape(x, (*before, (count + parts - 1) * stride)), (..., slice(0, (count - 1) * stride + length)))


def _window(window: Any, sequence_length: int, fft_length: int, kind: str) -> Any:
    """The window, by name, of its own or none, amid `fft_length` elements."""
    if sequence_length > fft_length:
        fact = f"A frame of {sequence_length} elements does not fit a transform of {fft_length}."
        raise ArgumentError(fact, where="fft_length", fix="fft_length of at least the frame's length")
    if isinstance(window, str):
        periodic = {"hann": np.hanning, "hamming": np.hamming}[one_of("window", window, ("hann", "hamming"))]
        window = periodic(sequence_length + 1)[:-1]
    window = convert_to_tensor(window, kind)
    if len(shape(window)) != 1 or not same_dim(shape(window)[0], sequence_length):
        raise ShapeError("window must have one axis of sequence_length elements.", where="window", received=show(shape(window)), expected=(sequence_length,))
    before = (fft_length - sequence_length) // 2
    return pad(window, [(before, fft_length - sequence_length - before)])


def stft(x: Tensor, sequence_length: int, sequence_stride: int, fft_length: int, window: Any = "hann", center: bool = True) -> tuple[Wide, Wide]:
    """The short-time Fourier transform: `rfft` of the frames of `x`, each seen through a window.

    Args:
        x: Real, `(…, time)`.
        sequence_length: The length of the window.
        sequence_stride: How far apart the frames start.
        fft_length: The length of a frame, in whose middle the window stands.
        window: "hann", "hamming", a tensor of `sequence_length` elements, or None for whole frames.
        center: Whether `x` is mirrored at both ends, so that frames are centred on what they are of.

    Returns:
        A pair `(real, imaginary)`, each `(…, frames, fft_length // 2 + 1)`.

    Example:

    >>> from keraunos import ops
    >>> re, im = ops.stft(ops.ones((2, 64)), sequence_length=16, sequence_stride=8, fft_length=16)
    >>> ops.shape(re)
    (2, 9, 9)
    """
    _positive(sequence_length=sequence_length, sequence_stride=sequence_stride, fft_length=fft_length)
    seen = None if window is None else _window(window, sequence_length, fft_length, dtype(_signal(x)))
    if center:
        x = pad(x, [*[(0, 0)] * (len(shape(x)) - 1), (fft_length // 2, fft_length // 2)], "reflect")
    frames = extract_sequences(x, fft_length, sequence_stride)
    return rfft(frames if seen is None else multiply(frames, seen), fft_length)


def istft(
    x: Tensors, sequence_length: int, sequence_stride: int, fft_length: int, length: int | None = None, window: Any = "hann", center: bool = True
) -> Wide:
    """The inverse of `stft` with the same arguments: the frames' sum, divided by what their windows add up to.

    Args:
        length: The number of elements to keep; None is all that is known.
        window: As of `stft`; with None, the result is `fft_length / sequence_stride` times the signal, as Keras has it.

    References:
        D. W. Griffin and J. S. Lim, Signal estimation from modified short-time Fourier transform, 1984.

    Example:

    >>> from keraunos import ops
    >>> frames = ops.stft([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], sequence_length=4, sequence_stride=2, fft_length=4)
    >>> ops.convert_to_numpy(ops.istft(frames, 4, 2, 4)).round(3).tolist()
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    """
    _positive(sequence_length=sequence_length, sequence_stride=sequence_stride, fft_length=fft_length)
    frames = irfft(_pair(x, 2), fft_length)
    kind = dtype(frames)
    seen = _window(np.ones(fft_length) if window is None else window, fft_length if window is None else sequence_length, fft_length, kind)
    total = _overlapped(multiply(frames, seen), sequence_stride)
    weight = _overlapped(broadcast_to(square(seen), shape(frames)[-2:]), sequence_stride)
    total = true_divide(total, where(greater(weight, 1e-10), weight, 1))
    total = multiply(total, fft_length / sequence_stride) if window is None else total
    margin = fft_length // 2 if center else 0
    end = margin + length if length is not None else -margin if margin else None
    return get_item(total, (..., slice(margin, end)))


declare(globals())

__all__ = [
    "extract_sequences", "fft", "fft2", "ifft2", "irfft", "istft", "rfft", "stft",
]  # fmt: skip
