"""PyTorch: eager, with autograd on the tensors that variables hold."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch

from keraunos.core import dtypes
from keraunos.core.errors import BackendError

name = "torch"
kinds: dict[type, int] = {}
float_dtypes = {torch.float16, torch.float32, torch.float64, torch.bfloat16}
stateful = True

_NAMES = {getattr(torch, n): n for n in dtypes.BITS if hasattr(torch, n) and isinstance(getattr(torch, n), torch.dtype)}
_DTYPES = {n: d for d, n in _NAMES.items()}


# ---- what every engine provides ----
@functools.cache
def device() -> torch.device:
    """Where tensors are made: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def is_tensor(x: Any) -> bool:
    return isinstance(x, torch.Tensor)


def torch_dtype(dtype: str) -> torch.dtype:
    try:
        return _DTYPES[dtype]
    except KeyError:
        raise BackendError(f"PyTorch has no dtype {dtype!r}.") from None


def array(x: Any, dtype: str | None = None) -> torch.Tensor:
    if isinstance(x, torch.Tensor):
        return x.to(device=device(), dtype=torch_dtype(dtype) if dtype else None)
    if dtype is None and isinstance(x, (float, int, bool)):
        dtype = dtypes.result_type(type(x))
    if not isinstance(x, (float, int, bool)):
        listed = isinstance(x, (list, tuple))
        x = np.asarray(x)
        if listed and dtype is None:
            dtype = {"float64": dtypes.standardize_dtype(None), "int64": "int32"}.get(x.dtype.name)
        if x.dtype.name == "bfloat16":  # NumPy's bfloat16 is not PyTorch's: go by the bits
            x = torch.from_numpy(x.view(np.int16).copy()).view(torch.bfloat16)
        elif not x.flags.writeable or any(s < 0 for s in x.strides):
            x = x.copy()
    return torch.as_tensor(x, dtype=torch_dtype(dtype) if dtype else None, device=device())


def to_numpy(x: Any) -> np.ndarray:
    if not isinstance(x, torch.Tensor):
        return np.asarray(x)
    x = x.detach().cpu().resolve_conj()
    if x.dtype == torch.bfloat16:
        import ml_dtypes

        return x.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return x.numpy()


def dtype_of(x: Any) -> str:
    return _NAMES[x.dtype]


def cast(x: Any, dtype: str) -> torch.Tensor:
    return x.to(torch_dtype(dtype)) if isinstance(x, torch.Tensor) else array(x, dtype)


def slot(value: torch.Tensor, trainable: bool) -> torch.Tensor:
    return value.detach().requires_grad_(trainable and value.dtype.is_floating_point)


def store(old: torch.Tensor, new: torch.Tensor, trainable: bool) -> torch.Tensor:
    if not trainable:
        return new.detach()
    with torch.no_grad():
        old.copy_(new)
    return old


def differentiate(fn: Any, values: Any) -> Any:
    if not all(v.requires_grad for v in values):
        values = [v.detach().requires_grad_() for v in values]
    with torch.enable_grad():
        loss, aux = fn(values)
    gradients = torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True) if values else ()
    return (loss.detach(), aux), list(gradients)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return None


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with torch.no_grad():
        return fn(*(torch.zeros(s, dtype=torch_dtype(d), device=device()) for s, d in zip(shapes, specs_dtypes, strict=True)))


forward = torch.no_grad


def synchronize(x: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# ---- elementwise ----

# ---- reductions ----

# ---- shaping ----

# ---- linear algebra ----

# ---- neural networks ----

# ---- random ----

# ---- optimizers ----
