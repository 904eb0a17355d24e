"""The rows for Fourier transforms, frames and windows."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import FLOATS, Case

HALF = np.linspace(0.5, 1, 4)
LONG = np.sin(np.arange(70.0)).astype("float32"), np.cos(np.arange(70.0) ** 2).astype("float32")


def _parts(z):
    return z.real, z.imag


def _of_pair(function):
    return lambda x: _parts(function(x[0] + 1j * x[1]))


def _rfft(x, fft_length=None):
    return _parts(np.fft.rfft(x, fft_length))


def _irfft(x, fft_length=None):
    return np.fft.irfft(x[0] + 1j * x[1], fft_length)


def _frames(x, length, stride):
    starts = range(0, x.shape[-1] - length + 1, stride)
    return np.stack([x[..., i : i + length] for i in starts], -2) if starts else np.zeros((*x.shape[:-1], 0, length))


def _window(window, length, fft_length):
    if window is None:
        return np.ones(fft_length)
    angles = 2 * np.pi * np.arange(length) / length
    window = {"hann": 0.5 - 0.5 * np.cos(angles), "hamming": 0.54 - 0.46 * np.cos(angles)}[window] if isinstance(window, str) else window
    before = (fft_length - length) // 2
    return np.pad(window, (before, fft_length - length - before))


def _stft(x, length, stride, fft_length, window="hann", center=True):
    x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(fft_length // 2,) * 2], mode="reflect") if center else x
    return _rfft(_frames(x, fft_length, stride) * _window(window, length, fft_length))


def _istft(x, sequence_length, stride, fft_length, length=None, window="hann", center=True):
    seen = _window(window, sequence_length, fft_length)
    frames = _irfft(x, fft_length) * seen
    total = np.zeros((*frames.shape[:-2], fft_length + stride * (frames.shape[-2] - 1)))
    weight = np.zeros(total.shape[-1])
    for i in range(frames.shape[-2]):
        total[..., i * stride : i * stride + fft_length] += frames[..., i, :]
        weight[i * stride : i * stride + fft_length] += seen**2
    total = total / np.where(weight > 1e-10, weight, 1) * (fft_length / stride if window is None else 1)
    start = fft_length // 2 if center else 0
    return total[..., start : total.shape[-1] - start if length is None else start + length]


CASES = [
    *[Case("fft", _of_pair(np.fft.fft), (s, s), dtypes, listed=True) for s, dtypes in (((2, 6), FLOATS), ((5,), ("float32",)), ((1,), ("float32",)))],
    Case("fft", _of_pair(np.fft.fft), LONG, listed=True, grad=False, tolerance=4),
    Case("fft", _of_pair(np.fft.fft), ((0, 6), (0, 6)), listed=True, grad=False),
    Case("fft2", _of_pair(np.fft.fft2), ((2, 3, 4),) * 2, ("float32", "bfloat16"), listed=True),
    Case("ifft2", _of_pair(np.fft.ifft2), ((2, 3, 4),) * 2, ("float32", "bfloat16"), listed=True),
    *[Case("rfft", _rfft, ((2, 6),), FLOATS if n is None else ("float32",), kwargs={"fft_length": n}) for n in (None, 4, 9, 8)],
    *[Case("irfft", _irfft, ((2, 4), (2, 4)), ("float32", "bfloat16"), kwargs={"fft_length": n}, listed=True) for n in (None, 4, 9, 3, 1)],
    *[Case("extract_sequences", _frames, ((2, 6),), ("float32", "bfloat16", "int32"), args=a) for a in ((3, 2), (2, 3), (6, 1))],
    Case("extract_sequences", _frames, ((2, 6),), args=(8, 2), grad=False, known=(1,)),
    *[
        Case("stft", _stft, ((2, 11),), args=(4, 3, 6), kwargs=k, known=(1,))
        for k in ({}, {"window": None}, {"window": "hamming", "center": False}, {"window": HALF})
    ],
    Case("stft", _stft, ((11,),), FLOATS, args=(5, 2, 5), known=(0,)),
    *[
        Case("istft", _istft, ((2, 5, 4),) * 2, args=(4, 2, 6), kwargs=k, listed=True, grad=not k)
        for k in ({}, {"window": None}, {"window": "hamming", "center": False}, {"window": HALF, "length": 7}, {"length": 9, "center": False})
    ],
    Case("istft", _istft, ((3, 3),) * 2, ("float32", "bfloat16"), args=(3, 4, 5), listed=True),
    *[Case(n, getattr(np, n), (), args=(size,), grad=False) for n in ("bartlett", "blackman", "hamming", "hanning") for size in (5, 1, 0)],
    *[Case("kaiser", np.kaiser, (), args=(size, 8.6), grad=False) for size in (6, 1)],
]
