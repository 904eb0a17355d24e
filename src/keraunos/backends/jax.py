"""JAX: the default engine. Steps are compiled by XLA."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.custom_derivatives import SymbolicZero

from keraunos.core import config, dtypes, windows

name = "jax"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)}
strict_dtypes: frozenset[str] = frozenset()
stateful = False


# ---- what every engine provides ----
def devices() -> list[str]:
    return [f"{d.platform}:{d.id}" if d.platform == "cpu" else f"{d.platform}:{d.id} ({d.device_kind})" for d in jax.devices()]


def is_tensor(x: Any) -> bool:
    return isinstance(x, jax.Array)


def array(x: Any, dtype: str | None = None) -> jax.Array:
    if dtype is None and isinstance(x, (float, int, bool)):
        dtype = dtypes.result_type(type(x))
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    if dtype is None and isinstance(x, (list, tuple)):
        x = np.asarray(x)
        dtype = {"float64": dtypes.standardize_dtype(None), "int64": "int32"}.get(x.dtype.name)
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
    # A buffer that two variables shared could not be donated.
    return new if isinstance(new, jax.core.Tracer) else jnp.array(new, copy=True)


def differentiate(fn: Any, values: Any) -> Any:
    return jax.value_and_grad(fn, has_aux=True)(values)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return jax.jit(fn, donate_argnums=(0,) if donate else ())


def indices(order: np.ndarray) -> Any:
    return order  # the compiled step takes slices of it as they are


def rows(x: Any, places: Any) -> Any:
    return jnp.take(x, places, axis=0, mode="clip")


def repeat(fn: Any, state: Any, xs: Any) -> Any:
    return jax.lax.scan(fn, state, xs)


def abstract_like(fn: Any, *values: Any) -> Any:
    return jax.eval_shape(fn, *values)


def last(outs: Any) -> Any:
    return jax.tree.map(lambda x: x[-1], outs)


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    return jax.eval_shape(fn, *(jax.ShapeDtypeStruct(s, d) for s, d in zip(shapes, specs_dtypes, strict=True)))


concrete = jax.ensure_compile_time_eval
forward = contextlib.nullcontext


def synchronize(x: Any) -> None:
    jax.block_until_ready(x)


# ---- elementwise ----
# Those whose name, order of arguments and results are JAX's. Python's scalars are weak there too.
_SHARED = """add subtract multiply true_divide floor_divide mod power maximum minimum negative absolute sign sqrt square exp expm1 log log1p log2 log10
logaddexp sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh floor ceil isnan isinf isfinite equal not_equal less
less_equal greater greater_equal logical_and logical_or logical_xor logical_not tensordot matmul diagonal diag tril triu"""
globals().update({n: getattr(jnp, n) for n in _SHARED.split()})
round_ = jnp.round
erf, erfinv, rsqrt, stop_gradient = jax.lax.erf, jax.lax.erf_inv, jax.lax.rsqrt, jax.lax.stop_gradient
sigmoid = jax.nn.sigmoid


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


def where(condition, x1=None, x2=None):
    if x1 is None:
        return tuple(i.astype("int32") for i in jnp.nonzero(condition))
    return jnp.where(condition, x1, x2)


# ---- reductions ----
def sum_(x, axis=None, keepdims=False):
    return jnp.sum(x, axis, x.dtype, keepdims=keepdims)


def mean(x, axis=None, keepdims=False):
    return jnp.mean(x, axis, keepdims=keepdims)


def prod(x, axis=None, keepdims=False, dtype=None):
    return jnp.prod(x, axis, _available(dtype) if dtype else x.dtype, keepdims=keepdims)


def max_(x, axis=None, keepdims=False, initial=None):
    return jnp.max(x, axis, keepdims=keepdims, initial=initial)


def min_(x, axis=None, keepdims=False, initial=None):
    return jnp.min(x, axis, keepdims=keepdims, initial=initial)


def argmax(x, axis=None, keepdims=False):
    return jnp.argmax(x, axis, keepdims=keepdims).astype("int32")


def argmin(x, axis=None, keepdims=False):
    return jnp.argmin(x, axis, keepdims=keepdims).astype("int32")


def any_(x, axis=None, keepdims=False):
    return jnp.any(x, axis, keepdims=keepdims)


def all_(x, axis=None, keepdims=False):
    return jnp.all(x, axis, keepdims=keepdims)


def cumsum(x, axis=None, dtype=None):
    return jnp.cumsum(x, axis, _available(dtype) if dtype else x.dtype)


def cumprod(x, axis=None, dtype=None):
    return jnp.cumprod(x, axis, _available(dtype) if dtype else x.dtype)


def logsumexp(x, axis=None, keepdims=False):
    return jax.nn.logsumexp(x, axis, keepdims=keepdims)


def sort(x, axis=-1):
    return jnp.sort(x, axis)


def argsort(x, axis=-1):
    return jnp.argsort(x, axis).astype("int32")


# ---- shaping ----
_SHARED = "reshape transpose expand_dims squeeze broadcast_to flip roll concatenate stack tile"
globals().update({n: getattr(jnp, n) for n in _SHARED.split()})


def full(shape, fill_value, dtype=None):
    return jnp.full(shape, fill_value, _available(dtype or dtypes.standardize_dtype(None)))


def arange(start, stop=None, step=None, dtype=None):
    return jnp.arange(start, stop, step, _available(dtype or dtypes.common(start, stop, step)))


def repeat_(x, repeats, axis=None):
    return jnp.repeat(x, np.asarray(repeats) if isinstance(repeats, (list, tuple)) else repeats, axis)


def pad_constant(x, widths, value):
    return jnp.pad(x, widths, constant_values=value)


def get_item(x, key):
    return x[jnp.asarray(key) if isinstance(key, list) else key]


def take(x, indices, axis=None):
    return jnp.take(x, jnp.asarray(indices), axis)


def take_along_axis(x, indices, axis=None):
    return jnp.take_along_axis(x, indices, axis)


def slice_(inputs, start_indices, shape):
    return jax.lax.dynamic_slice(inputs, tuple(start_indices), shape)


def slice_update(inputs, start_indices, updates):
    return jax.lax.dynamic_update_slice(inputs, updates.astype(inputs.dtype), tuple(start_indices))


def scan(f, init, xs, length, reverse, unroll):
    return jax.lax.scan(f, init, xs, length, reverse, unroll)


# ---- linear algebra ----
def einsum(subscripts, *operands):
    return jnp.einsum(subscripts, *operands)


# ---- neural networks ----
@functools.cache
def _on_cpu():
    return jax.default_backend() == "cpu"


softmax, log_softmax = jax.nn.softmax, jax.nn.log_softmax
relu, silu, log_sigmoid = jax.nn.relu, jax.nn.silu, jax.nn.log_sigmoid


def _parts(x, plan, fill=0):
    """For each offset in the window, the elements of `x` (channels last) that lie there."""
    sizes = plan.shape[1:-1] if plan.last else plan.shape[2:]
    if any(map(sum, plan.pads)):
        x = jnp.pad(x, ((0, 0), *plan.pads, (0, 0)), constant_values=fill)
    offsets = list(np.ndindex(*plan.size))
    if plan.size == plan.strides:  # windows do not overlap: a view is cheaper than slices
        x = x[(slice(None), *(slice(n * s) for n, s in zip(sizes, plan.size, strict=True)))]
        x = x.reshape(x.shape[0], *(d for pair in zip(sizes, plan.size, strict=True) for d in pair), x.shape[-1])
        return [x[(slice(None), *(d for i in offset for d in (slice(None), i)))] for offset in offsets]
    starts = ([i * d for i, d in zip(offset, plan.dilation, strict=True)] for offset in offsets)
    return [x[(slice(None), *(slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(start, sizes, plan.strides, strict=True)))] for start in starts]


def _by_matrix(x, kernel, plan):
    """The convolution as patches times matrix."""
    parts = _parts(x, plan)
    columns = parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=-1)
    return columns @ kernel.reshape(-1, kernel.shape[-1])


def _by_lax(x, kernel, plan):
    spatial = "DHW"[3 - plan.rank :]
    inner = f"N{spatial}C" if plan.last else f"NC{spatial}"
    numbers = (inner, f"{spatial}IO", inner)
    return jax.lax.conv_general_dilated(x, kernel, plan.strides, plan.pads, (1,) * plan.rank, plan.dilation, numbers, plan.groups)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _of_one_channel(x, kernel, plan):
    """XLA's convolution, but the kernel's gradient as patches times matrix: on CPUs XLA is several times slower at it for few channels."""
    return _by_lax(x, kernel, plan)


def _of_one_channel_jvp(plan, primals, tangents):
    (x, kernel), (dx, dk) = primals, tangents
    out = _of_one_channel(x, kernel, plan)
    parts = [] if type(dx) is SymbolicZero else [_by_lax(dx, kernel, plan)]
    parts += [] if type(dk) is SymbolicZero else [_by_matrix(x, dk, plan)]
    return out, functools.reduce(jnp.add, parts) if parts else jnp.zeros_like(out)


_of_one_channel.defjvp(_of_one_channel_jvp, symbolic_zeros=True)


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    plan = windows.conv(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    if plan.last and plan.groups == 1 and _on_cpu():
        if set(plan.size) == {1}:
            return _by_matrix(inputs, kernel, plan)
        if inputs.shape[-1] == 1:
            return _of_one_channel(inputs, kernel, plan)
    return _by_lax(inputs, kernel, plan)


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    plan = windows.conv_transpose(inputs.shape, kernel.shape, strides, padding, output_padding, data_format, dilation_rate)
    spatial = "DHW"[3 - plan.rank :]
    inner = f"N{spatial}C" if plan.last else f"NC{spatial}"
    reach = [(k - 1) * d for k, d in zip(plan.size, plan.dilation, strict=True)]
    pads = [(r - a, r - b) for r, (a, b) in zip(reach, plan.pads, strict=True)]
    kernel = jnp.flip(kernel, range(plan.rank))
    return jax.lax.conv_general_dilated(inputs, kernel, (1,) * plan.rank, pads, plan.strides, plan.dilation, (inner, f"{spatial}OI", inner))


def _pool(x, plan, first, combine, lax_combine):
    if not _on_cpu() or math.prod(plan.size) > 36:
        ones = (1,)
        size, strides = ((*ones, *t, *ones) if plan.last else (*ones, *ones, *t) for t in (plan.size, plan.strides))
        pads = ((0, 0), *plan.pads, (0, 0)) if plan.last else ((0, 0), (0, 0), *plan.pads)
        return jax.lax.reduce_window(x, np.array(first, x.dtype), lax_combine, size, strides, pads)
    # On CPUs the gradient of XLA's reduce_window is 10 to 30 times slower than that of slices.
    out = functools.reduce(combine, _parts(x if plan.last else jnp.moveaxis(x, 1, -1), plan, first))
    return out if plan.last else jnp.moveaxis(out, -1, 1)


def _first_maximum(a, b):
    """The maximum, whose gradient goes to one of two equals."""
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    least = -np.inf if jnp.issubdtype(inputs.dtype, jnp.floating) else jnp.iinfo(inputs.dtype).min
    return _pool(inputs, plan, least, _first_maximum, jax.lax.max)


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    counts = plan.counts(inputs.shape[plan.spatial])
    counts = counts if plan.last else np.moveaxis(counts, -1, 1)
    return _pool(inputs, plan, 0, jnp.add, jax.lax.add) / counts.astype(inputs.dtype)


def top_k(x, k, sorted=True):
    return tuple(jax.lax.top_k(x, k))


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    axis, classes = axis % output.ndim, output.shape[axis]
    target = target if target.ndim == output.ndim else jnp.expand_dims(target, axis)
    if target.shape != (*output.shape[:axis], 1, *output.shape[axis + 1 :]):
        return NotImplemented
    target = target.astype("int32")
    # A comparison fuses with what stands around it, where a gather's gradient would be a scatter.
    chosen = jnp.sum(jnp.where(jax.lax.broadcasted_iota("int32", output.shape, axis) == target, output, 0), axis, keepdims=True)
    if from_logits:
        loss = jax.nn.logsumexp(output, axis, keepdims=True) - chosen
    else:
        loss = -jnp.log(jnp.clip(chosen / jnp.sum(output, axis, keepdims=True), config.epsilon(), 1.0 - config.epsilon()))
    return jnp.squeeze(jnp.where((target >= 0) & (target < classes), loss, jnp.nan), axis)


# ---- random ----
def seed_state(seed, count):
    return jnp.array([seed, count], "uint32")


def next_state(state):
    return state + np.array([0, 1], "uint32")


def _key(key):
    return jax.random.wrap_key_data(key, impl="threefry2x32")


def draw_uniform(key, shape, dtype):
    return jax.random.uniform(_key(key), shape, dtype)


def draw_normal(key, shape, dtype):
    return jax.random.normal(_key(key), shape, dtype)


def draw_integers(key, shape, low, high, dtype):
    return jax.random.randint(_key(key), shape, low, high, _available(dtype))


def draw_gamma(key, alpha):
    return jax.random.gamma(_key(key), alpha, dtype=alpha.dtype)


def draw_binomial(key, counts, probabilities):
    return jax.random.binomial(_key(key), counts, probabilities, dtype=probabilities.dtype)


def _mixed(x):
    """A bijection of 32-bit integers in which each bit depends on all."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def draw_dropout(key, x, rate, shape):
    # The mask is a hash of the position: it fuses with what stands around it and costs a seventh of JAX's own bits on CPUs.
    first = _mixed(key[0] ^ np.uint32(0x9E3779B9))
    second = _mixed(key[1] + first)
    index = jax.lax.iota("uint32", math.prod(shape)).reshape(shape)
    kept = _mixed(_mixed(index ^ first) + second) >= np.uint32(min(round(rate * 2**32), 2**32 - 1))
    return jnp.where(kept, x * np.asarray(1 / (1 - rate), x.dtype), 0)


# ---- optimizers ----
