"""NumPy: the reference engine. Forward only."""

from __future__ import annotations

import contextlib
from typing import Any

import ml_dtypes
import numpy as np

from keraunos.core import dtypes
from keraunos.core.errors import BackendError

name = "numpy"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)}
stateful = False


# ---- what every engine provides ----
def is_tensor(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


def array(x: Any, dtype: str | None = None) -> np.ndarray:
    if isinstance(x, (float, int, bool)) and dtype is None:
        dtype = dtypes.result_type(type(x))
    if hasattr(x, "detach"):
        x = x.detach().cpu()
    if dtype is None and isinstance(x, (list, tuple)):
        x = np.asarray(x)
        dtype = {"float64": dtypes.standardize_dtype(None), "int64": "int32"}.get(x.dtype.name)
    return np.asarray(x, np_dtype(dtype) if dtype else None)


def np_dtype(dtype: str) -> Any:
    return getattr(ml_dtypes, dtype) if dtype.startswith(("bfloat", "float8")) else dtype


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(x)


def dtype_of(x: Any) -> str:
    return x.dtype.name if x.dtype.name in dtypes.BITS else dtypes.standardize_dtype(x.dtype)


def cast(x: Any, dtype: str) -> Any:
    return np.asarray(x).astype(np_dtype(dtype))


def slot(value: Any, trainable: bool) -> Any:
    return value


def store(old: Any, new: Any, trainable: bool) -> Any:
    return new


def differentiate(fn: Any, values: Any) -> Any:
    raise BackendError("The numpy backend has no gradients: it only predicts.", fix="train with keraunos.config.set_backend('jax'), then model.to_backend('numpy')")


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return None


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with np.errstate(all="ignore"):
        return fn(*(np.zeros(s, np_dtype(d)) for s, d in zip(shapes, specs_dtypes, strict=True)))


forward = contextlib.nullcontext


def synchronize(x: Any) -> None:
    pass


# ---- elementwise ----

# ---- reductions ----

# ---- shaping ----

# ---- linear algebra ----

# ---- neural networks ----

# ---- random ----

# ---- optimizers ----
