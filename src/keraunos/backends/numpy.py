"""NumPy: the reference engine. Forward only."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import math
import operator
import types
from typing import Any

import ml_dtypes
import numpy as np

from keraunos.backends import _fourier, _numpy_api, _shared
from keraunos.core import dtypes, windows
from keraunos.core.errors import BackendError, no_such_class

name = "numpy"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64)}
strict_dtypes: frozenset[str] = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})


def np_dtype(dtype: str) -> Any:
    return getattr(ml_dtypes, dtype) if dtype.startswith(("bfloat", "float8")) else dtype


def _pool(x, plan, largest, fill):
    return _numpy_api.pooled(np, x, plan, np.maximum if largest else np.add, fill)


_api = _numpy_api.functions(np, np_dtype, _pool)
_quiet = np.errstate(all="ignore")  # no engine but NumPy warns of infinities
globals().update(_api)
globals().update({n: _quiet(_api[n]) for n in _numpy_api.ELEMENTWISE.split()})


# ---- what every engine provides ----
def devices() -> list[str]:
    return ["cpu"]


def is_tensor(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


def dtype_of(x: Any) -> str:
    return x.dtype.name if x.dtype.name in dtypes.BITS else dtypes.standardize_dtype(x.dtype)


def slot(value: Any, trainable: bool) -> Any:
    return np.array(value)  # the user may go on to change the array that it came from


def store(old: Any, new: Any, trainable: bool) -> Any:
    return np.array(new)


def differentiate(fn: Any, values: Any) -> Any:
    fix = "train with keraunos.config.set_backend('jax'), then model.to_backend('numpy')"
    raise BackendError("The numpy backend has no gradients: it only predicts.", fix=fix)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    if jit_compile:
        raise BackendError("The numpy backend compiles nothing.", where="jit_compile", fix="leave jit_compile out: steps run op by op")
    return None


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with np.errstate(all="ignore"):
        return fn(*(np.zeros(s, np_dtype(d)) for s, d in zip(shapes, specs_dtypes, strict=True)))


concrete = contextlib.nullcontext


def place(kind: str, index: int) -> Any:
    return contextlib.nullcontext() if (kind, index) == ("cpu", 0) else None


def synchronize(x: Any) -> None:
    pass


# ---- elementwise ----
def _of_doubles(function):
    return lambda x: np.asarray(function(np.asarray(x, "float64"))).astype(x.dtype)


erf, erfc, i0 = map(_of_doubles, (np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1), np.i0))


def as_complex(real, imag):
    out = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), dtypes.complexed(np.result_type(real, imag).name))
    out.real, out.imag = real, imag
    return out


globals().update(_fourier.transforms(np.fft, as_complex))


def stop_gradient(variable):
    return variable


# ---- sums ----
def _widened(function):
    """`function` of tensors, which adds up 16-bit floats in 32 bits."""

    def widened(x, *more):
        dtype = x.dtype
        if dtype.itemsize == 2 and dtype.kind in "fV":
            x, *more = (a.astype(np.float32) if hasattr(a, "dtype") else a for a in (x, *more))
        return function(x, *more).astype(dtype, copy=False)

    return widened


sum_, mean = _widened(_numpy_api.reduction(np.sum)), _widened(_numpy_api.reduction(np.mean))
matmul, tensordot = _widened(np.matmul), _widened(np.tensordot)


def einsum(subscripts, *operands):
    return _widened(lambda *xs: np.einsum(subscripts, *xs, optimize=len(xs) > 2))(*operands)


# ---- linear algebra ----
globals().update(_shared.decompositions(np.linalg))


def eig(x):
    return tuple(out.astype(dtypes.complexed(x.dtype.name)) for out in np.linalg.eig(x))


def lu_factor(x):
    *batch, m, n = x.shape
    lu, pivots = np.array(x).reshape(math.prod(batch), m, n), np.zeros((math.prod(batch), min(m, n)), "int32")
    each = np.arange(len(lu))
    for j in range(min(m, n)):
        pivots[:, j] = chosen = j + np.abs(lu[:, j:, j]).argmax(1)
        lu[each, j], lu[each, chosen] = lu[each, chosen], lu[each, j]
        pivot = lu[:, j, j, None]
        lu[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)  # where it is 0, so is all below it
        lu[:, j + 1 :, j + 1 :] -= lu[:, j + 1 :, j, None] * lu[:, j, None, j + 1 :]
    return lu.reshape(x.shape), pivots.reshape(*batch, min(m, n))


def solve(a, b):
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:  # of a batch, only what is singular has no solution
        if a.shape[-1] != a.shape[-2]:
            raise
    if b.ndim == 1:
        return solve(a, b[:, None])[..., 0]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, batch + a.shape[-2:]), np.broadcast_to(b, batch + b.shape[-2:])
    out = np.full_like(b, np.nan)
    for i in np.ndindex(batch):
        with contextlib.suppress(np.linalg.LinAlgError):
            out[i] = np.linalg.solve(a[i], b[i])
    return out


# ---- selection ----
def _of_matrices(function):
    return lambda x, k=0: function(x, k) if x.ndim > 1 else NotImplemented  # NumPy takes a vector for the rows of a matrix


tril, triu = _of_matrices(np.tril), _of_matrices(np.triu)
get_item = rows = operator.getitem


def slice_(inputs, start_indices, shape):
    return inputs[_shared.block(start_indices, shape, inputs.shape)]


def slice_update(inputs, start_indices, updates):
    out = np.array(inputs)
    out[_shared.block(start_indices, updates.shape, out.shape)] = updates
    return out


# ---- searching and scattering ----
copy, isin = np.array, np.isin
_COMBINED = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@_quiet
def scatter_rows(x, places, updates, reduction=None):
    inside = (places >= 0) & (places < len(x))
    out, places, updates = np.array(x), places[inside], updates[inside]
    if reduction is None:
        out[places] = updates
    elif out.ndim == 1:
        _COMBINED[reduction].at(out, places, updates)
    elif len(places):  # of rows this is several times faster
        order = np.argsort(places, kind="stable")
        places = places[order]
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        rows, combine = places[starts], _COMBINED[reduction]
        out[rows] = combine(out[rows], combine.reduceat(updates[order], starts))
    return out


# ---- neural networks ----
_xp = types.SimpleNamespace(**{**vars(np), "matmul": matmul})


def conv(inputs, kernel, *options):
    return _numpy_api.conv(_xp, inputs, kernel, windows.conv(inputs.shape, kernel.shape, *options))


def _added(frame, places, x):
    frame[places] += x
    return frame


def conv_transpose(inputs, kernel, *options):
    return _numpy_api.conv_transpose(_xp, _added, inputs, kernel, windows.conv_transpose(inputs.shape, kernel.shape, *options))


def top_k(x, k, sorted=True):
    if not 0 <= k <= x.shape[-1]:
        raise ValueError  # the rule tells more
    indices = np.argsort(~x if x.dtype.kind in "biu" else -x, axis=-1, kind="stable")
    if (nan := np.isnan(x)).any():  # as on all engines, NaN comes first
        indices = np.take_along_axis(indices, np.argsort(~np.take_along_axis(nan, indices, -1), axis=-1, kind="stable"), -1)
    indices = indices[..., :k]
    return np.take_along_axis(x, indices, -1), indices.astype("int32")


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if target.size and not (0 <= target.min() and target.max() < output.shape[axis]):
        raise no_such_class(output.shape[axis])
    return NotImplemented


# ---- random ----
def next_state(state):
    return np.array([state[0], (int(state[1]) + 1) & 0xFFFFFFFF], "uint32")


def _generator(key):
    return np.random.Generator(np.random.Philox(key=[int(key[0]), int(key[1])]))


def _drawn(method):
    def draw(key, shape, dtype):
        return getattr(_generator(key), method)(shape, "float64" if dtype == "float64" else "float32").astype(np_dtype(dtype))

    return draw


draw_uniform, draw_normal = _drawn("random"), _drawn("standard_normal")


def draw_integers(key, shape, low, high, dtype):
    return _generator(key).integers(low, high, shape, "int64").astype(dtype)


def draw_gamma(key, alpha):
    return np.asarray(_generator(key).standard_gamma(alpha)).astype(alpha.dtype)


def draw_binomial(key, counts, probabilities):
    return np.asarray(_generator(key).binomial(counts.astype("int64"), probabilities)).astype(probabilities.dtype)


def draw_dropout(key, x, rate, shape):
    kept = _generator(key).random(shape, "float32") >= rate
    return np.where(kept, x / (1 - rate), 0).astype(x.dtype)
