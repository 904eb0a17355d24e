"""JAX: the default engine. Steps are compiled by XLA."""

from __future__ import annotations

import contextlib
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from keraunos.core import dtypes

name = "jax"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)}
stateful = False


# ---- what every engine provides ----
def is_tensor(x: Any) -> bool:
    return isinstance(x, jax.Array)


def array(x: Any, dtype: str | None = None) -> jax.Array:
    if dtype is None and isinstance(x, (float, int, bool)):
        dtype = dtypes.result_type(type(x))
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    if dtype is None and isinstance(x, (list, tuple)):
        x = np.asarray(x)
    return jnp.asarray(x, _available(dtype) if dtype else None)


def _available(dtype: str) -> str:
    """The dtype, with 64-bit mode switched on for float64; integers keep JAX's 32 bits without it."""
    if dtype == "float64" and not jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", True)
    if not jax.config.jax_enable_x64 and dtype in ("int64", "uint64", "complex128"):
        return {"int64": "int32", "uint64": "uint32", "complex128": "complex64"}[dtype]
    return dtype


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(x)


def dtype_of(x: Any) -> str:
    return x.dtype.name


def cast(x: Any, dtype: str) -> jax.Array:
    return jnp.asarray(x).astype(_available(dtype))


def slot(value: Any, trainable: bool) -> Any:
    return value


def store(old: Any, new: Any, trainable: bool) -> Any:
    return new


def differentiate(fn: Any, values: Any) -> Any:
    return jax.value_and_grad(fn, has_aux=True)(values)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return jax.jit(fn, donate_argnums=(0,) if donate else ())


def repeat(fn: Any, state: Any, xs: Any) -> Any:
    return jax.lax.scan(fn, state, xs)


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    return jax.eval_shape(fn, *(jax.ShapeDtypeStruct(s, d) for s, d in zip(shapes, specs_dtypes, strict=True)))


forward = contextlib.nullcontext


def synchronize(x: Any) -> None:
    jax.block_until_ready(x)


# ---- elementwise ----

# ---- reductions ----

# ---- shaping ----

# ---- linear algebra ----

# ---- neural networks ----

# ---- random ----

# ---- optimizers ----
