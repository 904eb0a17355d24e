"""The Fourier transforms of engines that have a module of them as NumPy has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def transforms(module: Any, as_complex: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """The ops of `ops.fourier` by the functions of `module`, such as `numpy.fft`."""

    def of_pair(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def transform(x: Any) -> Any:
            if len(x) != 2 or x[0].shape != x[1].shape or 0 in x[0].shape:  # of nothing, modules differ in what they say
                return NotImplemented
            out = function(as_complex(*x))
            return out.real, out.imag

        return transform

    def rfft(x: Any, fft_length: int | None = None) -> Any:
        if not x.shape or 0 in x.shape:
            return NotImplemented
        out = module.rfft(x, fft_length)
        return out.real, out.imag

    def irfft(x: Any, fft_length: int | None = None) -> Any:
        fits = len(x) == 2 and x[0].shape == x[1].shape and 0 not in x[0].shape and (fft_length is not None or x[0].shape[-1:] != (1,))
        return module.irfft(as_complex(*x), fft_length) if fits else NotImplemented

    return {"fft": of_pair(module.fft), "fft2": of_pair(module.fft2), "ifft2": of_pair(module.ifft2), "rfft": rfft, "irfft": irfft}
