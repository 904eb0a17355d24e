"""NumPy: the reference engine. Forward only."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import ml_dtypes
import numpy as np

from keraunos.core import dtypes, windows
from keraunos.core.errors import ArgumentError, BackendError

name = "numpy"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64)}
strict_dtypes: frozenset[str] = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})
stateful = False


# ---- what every engine provides ----
def devices() -> list[str]:
    return ["cpu"]


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
    raise BackendError(
        "The numpy backend has no gradients: it only predicts.", fix="train with keraunos.config.set_backend('jax'), then model.to_backend('numpy')"
    )


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return None


def indices(order: np.ndarray) -> np.ndarray:
    return order


def rows(x: Any, places: Any) -> Any:
    return x[places]


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with np.errstate(all="ignore"):
        return fn(*(np.zeros(s, np_dtype(d)) for s, d in zip(shapes, specs_dtypes, strict=True)))


concrete = contextlib.nullcontext
forward = contextlib.nullcontext


def synchronize(x: Any) -> None:
    pass


# ---- elementwise ----
# Those whose name, order of arguments and results are NumPy's. Python's scalars are weak there too.
_SHARED = """add subtract multiply true_divide floor_divide mod power maximum minimum negative absolute sign sqrt exp expm1 log log1p log2 log10
logaddexp sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh floor ceil isnan isinf isfinite equal not_equal less
less_equal greater greater_equal logical_and logical_or logical_xor logical_not"""
_quiet = np.errstate(all="ignore")  # no engine but NumPy warns of infinities
globals().update({n: _quiet(getattr(np, n)) for n in _SHARED.split()})
round_ = np.round
_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x):
    return np.asarray(_erf(np.asarray(x, "float64"))).astype(x.dtype)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def where(condition, x1=None, x2=None):
    if x1 is None and x2 is None:
        return tuple(i.astype("int32") for i in np.nonzero(condition))
    if x1 is None or x2 is None:  # NumPy would make objects of it
        raise ValueError
    return np.where(condition, x1, x2)


def stop_gradient(variable):
    return variable


# ---- reductions ----
def _wide(x):
    """The dtype in which elements of `x` are added up: for 16-bit floats one of 32 bits."""
    return np.float32 if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else x.dtype


def sum_(x, axis=None, keepdims=False):
    return np.sum(x, axis, dtype=_wide(x), keepdims=keepdims).astype(x.dtype)


def mean(x, axis=None, keepdims=False):
    return np.mean(x, axis, dtype=_wide(x), keepdims=keepdims).astype(x.dtype)


def prod(x, axis=None, keepdims=False, dtype=None):
    return np.prod(x, axis, dtype=np_dtype(dtype) if dtype else x.dtype, keepdims=keepdims)


def max_(x, axis=None, keepdims=False, initial=None):
    return np.max(x, axis, keepdims=keepdims, **({} if initial is None else {"initial": initial}))


def min_(x, axis=None, keepdims=False, initial=None):
    return np.min(x, axis, keepdims=keepdims, **({} if initial is None else {"initial": initial}))


def argmax(x, axis=None, keepdims=False):
    return np.argmax(x, axis, keepdims=keepdims).astype("int32")


def argmin(x, axis=None, keepdims=False):
    return np.argmin(x, axis, keepdims=keepdims).astype("int32")


def any_(x, axis=None, keepdims=False):
    return np.any(x, axis, keepdims=keepdims)


def all_(x, axis=None, keepdims=False):
    return np.all(x, axis, keepdims=keepdims)


def cumsum(x, axis=None, dtype=None):
    return np.cumsum(x, axis, np_dtype(dtype) if dtype else x.dtype)


def cumprod(x, axis=None, dtype=None):
    return np.cumprod(x, axis, np_dtype(dtype) if dtype else x.dtype)


def sort(x, axis=-1):
    return np.sort(x, axis)


def argsort(x, axis=-1):
    return np.argsort(x, axis, kind="stable").astype("int32")


# ---- shaping ----
_SHARED = "reshape transpose expand_dims squeeze broadcast_to flip roll concatenate stack tile"
globals().update({n: getattr(np, n) for n in _SHARED.split()})


def full(shape, fill_value, dtype=None):
    return np.full(shape, fill_value, np_dtype(dtype or dtypes.standardize_dtype(None)))


def arange(start, stop=None, step=None, dtype=None):
    first, last = (0, start) if stop is None else (start, stop)
    return np.arange(first, last, 1 if step is None else step, np_dtype(dtype or dtypes.common(start, stop, step)))


def repeat_(x, repeats, axis=None):
    return np.repeat(x, repeats, axis)


def pad_constant(x, widths, value):
    return np.pad(x, widths, constant_values=value)


def get_item(x, key):
    return x[key]


def take(x, indices, axis=None):
    return np.take(x, indices, axis)


def take_along_axis(x, indices, axis=None):
    return np.take_along_axis(x, indices, axis)


def _block(starts, shape):
    return tuple(slice(int(s), int(s) + n) for s, n in zip(starts, shape, strict=True))


def slice_(inputs, start_indices, shape):
    return inputs[_block(start_indices, shape)]


def slice_update(inputs, start_indices, updates):
    out = np.array(inputs)
    out[_block(start_indices, updates.shape)] = updates
    return out


# ---- linear algebra ----
diagonal = np.diagonal


def matmul(x1, x2):
    return np.matmul(x1.astype(_wide(x1), copy=False), x2.astype(_wide(x1), copy=False)).astype(x1.dtype, copy=False)


def tensordot(x1, x2, axes=2):
    return np.tensordot(x1.astype(_wide(x1), copy=False), x2.astype(_wide(x1), copy=False), axes).astype(x1.dtype)


def einsum(subscripts, *operands):
    wide = [x.astype(_wide(x), copy=False) for x in operands]
    return np.einsum(subscripts, *wide, optimize=len(wide) > 2).astype(operands[0].dtype)


# ---- neural networks ----
def _unfold(x, plan, fill=0):
    """For each offset in the window, the elements of `x` (channels last) that lie there."""
    sizes = plan.shape[1:-1] if plan.last else plan.shape[2:]
    if any(map(sum, plan.pads)):
        x = np.pad(x, ((0, 0), *plan.pads, (0, 0)), constant_values=fill)
    for offset in np.ndindex(*plan.size):
        starts = [i * d for i, d in zip(offset, plan.dilation, strict=True)]
        yield offset, x[(slice(None), *(slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(starts, sizes, plan.strides, strict=True)))]


def _to_last(x, plan):
    return x if plan.last else np.moveaxis(x, 1, -1)


def _from_last(x, plan):
    return x if plan.last else np.moveaxis(x, -1, 1)


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    plan = windows.conv(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    x, (inner, filters) = _to_last(inputs, plan), kernel.shape[-2:]
    if plan.groups == 1:
        columns = np.concatenate([part for _, part in _unfold(x, plan)], axis=-1)
        out = columns @ kernel.reshape(-1, filters)
    else:
        grouped = kernel.reshape(*plan.size, inner, plan.groups, filters // plan.groups)
        out = sum(np.einsum("...gi,igo->...go", part.reshape(*part.shape[:-1], plan.groups, inner), grouped[offset]) for offset, part in _unfold(x, plan))
        out = out.reshape(*out.shape[:-2], filters)
    return _from_last(out, plan)


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    plan = windows.conv_transpose(inputs.shape, kernel.shape, strides, padding, output_padding, data_format, dilation_rate)
    x, rank = _to_last(inputs, plan), plan.rank
    ends = [(n - 1) * s + 1 for n, s in zip(x.shape[1:-1], plan.strides, strict=True)]
    full = np.zeros((x.shape[0], *(n + (k - 1) * d for n, k, d in zip(ends, plan.size, plan.dilation, strict=True)), kernel.shape[-2]), x.dtype)
    for offset in np.ndindex(*plan.size):
        starts = [i * d for i, d in zip(offset, plan.dilation, strict=True)]
        full[(slice(None), *(slice(b, b + n, s) for b, n, s in zip(starts, ends, plan.strides, strict=True)))] += x @ kernel[offset].T
    full = np.pad(full, ((0, 0), *((max(-a, 0), max(-b, 0)) for a, b in plan.pads), (0, 0)))
    cut = tuple(slice(max(a, 0), full.shape[i + 1] - max(b, 0)) for i, (a, b) in enumerate(plan.pads))
    return _from_last(full[(slice(None), *cut[:rank])], plan)


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    least = -np.inf if inputs.dtype.kind not in "iu" else np.iinfo(inputs.dtype).min
    return _from_last(functools.reduce(np.maximum, (part for _, part in _unfold(_to_last(inputs, plan), plan, least))), plan)


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    x = _to_last(inputs, plan)
    total = functools.reduce(np.add, (part for _, part in _unfold(x, plan)))
    return _from_last(total / plan.counts(inputs.shape[plan.spatial]).astype(total.dtype), plan)


def top_k(x, k, sorted=True):
    if k > x.shape[-1]:
        raise ValueError  # the rule tells more
    indices = np.argsort(-x, axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, indices, -1), indices.astype("int32")


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if target.size and not (0 <= target.min() and target.max() < output.shape[axis]):
        raise ArgumentError(f"target has classes from {target.min()} to {target.max()}.", where="target", expected=f"0 to {output.shape[axis] - 1}")
    return NotImplemented


# ---- random ----
def seed_state(seed, count):
    return np.array([seed, count], "uint32")


def next_state(state):
    return np.array([state[0], (int(state[1]) + 1) & 0xFFFFFFFF], "uint32")


def _generator(key):
    return np.random.Generator(np.random.Philox(key=[int(key[0]), int(key[1])]))


def _drawn(dtype):
    return "float64" if dtype == "float64" else "float32"


def draw_uniform(key, shape, dtype):
    return cast(_generator(key).random(shape, _drawn(dtype)), dtype)


def draw_normal(key, shape, dtype):
    return cast(_generator(key).standard_normal(shape, _drawn(dtype)), dtype)


def draw_integers(key, shape, low, high, dtype):
    return _generator(key).integers(low, high, shape, "int64").astype(dtype)


def draw_gamma(key, alpha):
    return np.asarray(_generator(key).standard_gamma(alpha)).astype(alpha.dtype)


def draw_binomial(key, counts, probabilities):
    return np.asarray(_generator(key).binomial(counts.astype("int64"), probabilities)).astype(probabilities.dtype)


def draw_dropout(key, x, rate, shape):
    kept = _generator(key).random(shape, "float32") >= rate
    return np.where(kept, x / (1 - rate), 0).astype(x.dtype)


# ---- optimizers ----
