"""What engines say alike, whatever their tensors are."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError, not_positive_definite, one_of

Function = Callable[..., Any]
SCALARS = frozenset({int, float, bool, complex})


def pair(tensor: Callable[[Any, Any], Any]) -> Callable[[Function], Function]:
    """A decorator for functions of two tensors, either of which may be a Python scalar; `tensor(x, like)` makes one of a scalar."""

    def decorator(function: Function) -> Function:
        def paired(x1: Any, x2: Any) -> Any:
            if x1.__class__ in SCALARS:
                x1 = tensor(x1, x2)
            elif x2.__class__ in SCALARS:
                x2 = tensor(x2, x1)
            return function(x1, x2)

        return paired

    return decorator


def through(wider: Mapping[Any, Any], cast: Function, function: Function, back: bool = True, dtype_of: Function = operator.attrgetter("dtype")) -> Function:
    """`function` of tensors and other things; tensors of a dtype of the table are cast to what it has for that, and the result back."""

    def computed(*xs: Any, **options: Any) -> Any:
        dtype = next((dtype_of(x) for x in xs if hasattr(x, "dtype")), None)
        if dtype not in wider:
            return function(*xs, **options)
        out = function(*(cast(x, wider[dtype]) if hasattr(x, "dtype") else x for x in xs), **options)
        return cast(out, dtype) if back else out

    return computed


def block(starts: Any, shape: Sequence[int], own: Sequence[int]) -> tuple[slice, ...]:
    """The key of a block of this shape, which starts earlier where it would reach beyond a tensor of shape `own`; -1 is all that follows the start."""
    places = []
    for start, size, n in zip(map(operator.index, starts), shape, own, strict=True):
        if size > n:
            raise ValueError  # the rule tells more
        first = start + n if start < 0 else start
        size = n - first if size == -1 else size
        first = max(min(first, n - size), 0)
        places.append(slice(first, first + size))
    return tuple(places)


def last_axes(x: Any, axis: Any, *parameters: Any) -> tuple[int, ...] | None:
    """`axis` as places, if they are the last ones and the parameters are tensors of their sizes and of the dtype of `x`, else None."""
    axes = sorted(a + x.ndim if a < 0 else a for a in (axis if isinstance(axis, (list, tuple)) else [axis]))
    first = x.ndim - len(axes)
    fits = axes == list(range(first, x.ndim)) and all(p is None or (getattr(p, "shape", None) == x.shape[first:] and p.dtype == x.dtype) for p in parameters)
    return tuple(axes) if axes and fits else None


@functools.lru_cache
def threshold(rate: float, bits: int = 32) -> int:
    """What a share of `rate` of evenly distributed words of so many bits is below."""
    return min(round(float(np.float32(rate)) * 2**bits), 2**bits - 1)  # of a rate in 32 bits, as programs have it that take it as a value


def symmetric(x: Any) -> Any:
    """The symmetric part of matrices, Hermitian for complex ones."""
    return (x + x.mT.conj()) / 2


def decompositions(module: Any) -> dict[str, Function]:
    """The decompositions of matrices by a module such as `numpy.linalg`."""

    def cholesky(x: Any, upper: bool = False) -> Any:
        try:
            return module.cholesky(symmetric(x), upper=upper)
        except module.LinAlgError:
            if x.shape[-1] == x.shape[-2]:
                raise not_positive_definite() from None
            raise

    def eigh(x: Any) -> tuple[Any, ...]:
        return tuple(module.eigh(symmetric(x)))

    def qr(x: Any, mode: str = "reduced") -> tuple[Any, ...]:
        return tuple(module.qr(x, one_of("mode", mode, ("reduced", "complete"))))

    def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
        try:
            return tuple(module.svd(x, full_matrices)) if compute_uv else module.svdvals(x)
        except module.LinAlgError:
            if len(x.shape) < 2:
                raise
            fact, fix = "There are no singular values of numbers that are not finite.", "look for what made NaN or infinity of them, by ops.isfinite"
            raise ArgumentError(fact, where="x", fix=fix) from None

    def eig(x: Any) -> tuple[Any, ...]:
        return tuple(module.eig(x))

    def slogdet(x: Any) -> tuple[Any, ...]:
        return tuple(module.slogdet(x))

    return {"cholesky": cholesky, "eigh": eigh, "qr": qr, "svd": svd, "eig": eig, "slogdet": slogdet, "det": module.det}
