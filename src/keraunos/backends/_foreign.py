"""What users and other engines give: taken over through DLPack, or through NumPy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.core import dtypes

SCALARS = (float, int, bool, complex)
_SETTLED = {"int64": "int32", "complex128": "complex64"}  # what lists of Python's numbers become


def on_host(x: Any) -> Any:
    """Any engine's tensor, and whatever NumPy takes, as a NumPy array; it may share the tensor's memory."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().resolve_conj()
        if str(x.dtype) == "torch.bfloat16":  # which NumPy does not know: go by the bits
            import ml_dtypes

            return x.contiguous().view(sys.modules["torch"].int16).numpy().view(ml_dtypes.bfloat16)
        return x.numpy()
    if hasattr(x, "__dlpack__") and not hasattr(x, "__array__"):
        return np.from_dlpack(x)
    return np.asarray(x)


def imported(from_dlpack: Callable[[Any], Any], x: Any) -> Any:
    """Another engine's tensor, taken over where it lies; NumPy's array where the engines do not agree on a form."""
    try:
        return from_dlpack(x.detach() if hasattr(x, "detach") else x)
    except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
        return on_host(x)


def is_foreign(x: Any) -> bool:
    """Whether `x` is a tensor of some library other than NumPy."""
    return hasattr(x, "__dlpack__") and not isinstance(x, np.ndarray)


def prepared(x: Any, dtype: str | None) -> tuple[Any, str | None]:
    """A scalar or an array to make a tensor of, and its dtype where that is given, or where Python's numbers have none of their own."""
    if isinstance(x, SCALARS):
        return x, dtype or dtypes.result_type(type(x))
    if isinstance(x, (list, tuple)):
        x = np.asarray(x)
        if x.dtype == np.int64 and dtype is None and x.size and not -(2**31) <= x.min() <= x.max() < 2**31:
            raise OverflowError
        return x, dtype or (dtypes.standardize_dtype(None) if x.dtype == np.float64 else _SETTLED.get(x.dtype.name))
    return x if isinstance(x, np.ndarray) else on_host(x), dtype
