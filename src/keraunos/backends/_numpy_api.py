"""What NumPy and JAX say in one way: functions of the module that they share the interface of, `numpy` or `jax.numpy`."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.backends import _foreign
from keraunos.core import dtypes, windows

# Those whose name, order of arguments and results are the op's. Python's scalars are weak there too.
ELEMENTWISE = """add subtract multiply true_divide floor_divide mod power maximum minimum negative absolute sign sqrt square exp expm1 log log1p log2
log10 logaddexp sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh floor ceil isnan isinf isfinite equal not_equal less
less_equal greater greater_equal logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_invert left_shift
right_shift real imag cbrt exp2 hypot logaddexp2 nextafter fmax fmin fmod signbit gcd lcm"""
_FORMS = "sort reshape transpose expand_dims squeeze broadcast_to flip roll concatenate stack tile take diagonal diag tril triu"


def functions(xp: Any, available: Callable[[str], Any], pool: Callable[..., Any]) -> dict[str, Any]:
    """The functions of an engine that are the same for both.

    Args:
        xp: `numpy` or `jax.numpy`.
        available: The engine's form of a dtype's name.
        pool: `pool(x, plan, largest, fill)`, the maximum or the sum over windows.
    """

    # ---- what every engine provides ----
    stateful, forward, to_numpy = False, contextlib.nullcontext, np.asarray

    def array(x: Any, dtype: str | None = None) -> Any:
        if isinstance(x, xp.ndarray):
            return xp.asarray(x, available(dtype) if dtype else None)
        if _foreign.is_foreign(x):  # its memory may be changed
            return xp.array(_foreign.imported(xp.from_dlpack, x), available(dtype) if dtype else None, copy=True)
        x, dtype = _foreign.prepared(x, dtype)
        return xp.asarray(x, available(dtype) if dtype else None)

    def cast(x: Any, dtype: str) -> Any:
        return xp.asarray(x).astype(available(dtype))

    def slot(value: Any, trainable: bool) -> Any:
        return value

    def indices(order: np.ndarray) -> np.ndarray:
        return order

    def seed_state(seed: int, count: int) -> Any:
        return xp.array([seed, count], "uint32")

    # ---- elementwise ----
    round_ = xp.round

    def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
        return xp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)

    def where(condition, x1=None, x2=None):
        if x1 is None and x2 is None:
            return tuple(i.astype("int32") for i in xp.nonzero(condition))
        if x1 is None or x2 is None:  # NumPy would make objects of it
            raise ValueError
        return xp.where(condition, x1, x2)

    # ---- bits ----
    def view(x, dtype=None):
        if xp is np:  # the last axis must lie in one piece
            x = np.array(x, copy=None, order="C")
        return x if dtype is None else x.view(available(dtype))

    def trunc(x):
        return x if x.dtype.kind in "biu" else xp.trunc(x)

    # ---- reductions ----
    any_, all_ = reduction(xp.any), reduction(xp.all)

    def prod(x, axis=None, keepdims=False, dtype=None):
        return xp.prod(x, axis, available(dtype) if dtype else x.dtype, keepdims=keepdims)

    def extreme(function):
        return lambda x, axis=None, keepdims=False, initial=None: function(x, axis, keepdims=keepdims, initial=initial)

    def running(function):
        return lambda x, axis=None, dtype=None: function(x, axis, available(dtype) if dtype else x.dtype)

    max_, min_, cumsum, cumprod = extreme(xp.max), extreme(xp.min), running(xp.cumsum), running(xp.cumprod)
    argmax, argmin, argsort = (_as_indices(f) for f in (reduction(xp.argmax), reduction(xp.argmin), functools.partial(xp.argsort, stable=True)))

    # ---- shaping ----
    def full(shape, fill_value, dtype=None):
        return xp.full(shape, fill_value, available(dtype or dtypes.standardize_dtype(None)))

    def arange(start, stop=None, step=None, dtype=None):
        return xp.arange(start, stop, step, available(dtype or dtypes.common(start, stop, step)))

    def repeat_(x, repeats, axis=None):
        return xp.repeat(x, np.asarray(repeats), axis)

    def pad_constant(x, widths, value):
        return xp.pad(x, widths, constant_values=value)

    def take_along_axis(x, indices, axis=None):
        return xp.take_along_axis(x, indices, axis)

    # ---- searching ----
    def searchsorted(sorted_sequence, values, side="left"):
        return xp.searchsorted(sorted_sequence, values, side).astype("int32")

    # ---- pooling ----
    def max_pool(inputs, *options):
        least = np.iinfo(inputs.dtype).min if inputs.dtype.kind in "iu" else inputs.dtype.kind != "b" and -np.inf
        return pool(inputs, windows.pool(inputs.shape, *options), True, least)

    def average_pool(inputs, *options):
        plan = windows.pool(inputs.shape, *options)
        counts = plan.counts(inputs.shape[plan.spatial])
        return pool(inputs, plan, False, 0) / (counts if plan.last else np.moveaxis(counts, -1, 1)).astype(inputs.dtype)

    return {**{name: getattr(xp, name) for name in (*ELEMENTWISE.split(), *_FORMS.split())}, **locals()}


def _as_indices(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: function(*args).astype("int32")


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(x, axis, keepdims=…)`, whose argument the op gives by position."""
    return lambda x, axis=None, keepdims=False: function(x, axis, keepdims=keepdims)


def parts(xp: Any, x: Any, plan: windows.Windows, fill: Any = 0) -> list[Any]:
    """For each offset in the window, the elements of `x` (channels last) that lie there."""
    sizes = plan.shape[plan.spatial]
    if any(map(sum, plan.pads)):
        x = xp.pad(x, ((0, 0), *plan.pads, (0, 0)), constant_values=fill)
    if plan.size == plan.strides and set(plan.dilation) <= {1}:  # windows do not overlap: a view is cheaper than slices
        x = x[(slice(None), *(slice(n * s) for n, s in zip(sizes, plan.size, strict=True)))]
        x = xp.reshape(x, (x.shape[0], *(d for pair in zip(sizes, plan.size, strict=True) for d in pair), x.shape[-1]))
        return [x[(slice(None), *(d for i in offset for d in (slice(None), i)))] for offset in np.ndindex(*plan.size)]
    starts = ([i * d for i, d in zip(offset, plan.dilation, strict=True)] for offset in np.ndindex(*plan.size))
    return [x[(slice(None), *(slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(start, sizes, plan.strides, strict=True)))] for start in starts]


def pooled(xp: Any, x: Any, plan: windows.Windows, combine: Callable[[Any, Any], Any], fill: Any) -> Any:
    """`combine` over the elements of each window, along one axis after another."""
    x = x if plan.last else xp.moveaxis(x, 1, -1)
    for axis in range(plan.rank):
        size, strides, pads = (
            tuple(given[i] if i == axis else other for i in range(plan.rank)) for given, other in ((plan.size, 1), (plan.strides, 1), (plan.pads, (0, 0)))
        )
        counts = plan.shape[plan.spatial][: axis + 1] + tuple(x.shape[axis + 2 : -1])
        along = plan._replace(size=size, strides=strides, pads=pads, shape=(x.shape[0], *counts, x.shape[-1]), last=True)
        x = functools.reduce(combine, parts(xp, x, along, fill))
    return x if plan.last else xp.moveaxis(x, -1, 1)


def conv(xp: Any, inputs: Any, kernel: Any, plan: windows.Windows) -> Any:
    """A convolution as patches times matrix; `xp` is NumPy's functions, or the ops."""
    patches = xp.concatenate(parts(xp, inputs if plan.last else xp.moveaxis(inputs, 1, -1), plan), axis=-1)
    if plan.groups == 1:
        out = xp.matmul(patches, xp.reshape(kernel, (-1, kernel.shape[-1])))
        return out if plan.last else xp.moveaxis(out, -1, 1)
    # One matrix for each group of channels.
    groups, inner, shape, size = plan.groups, kernel.shape[-2], patches.shape[:-1], math.prod(kernel.shape[:-1])
    columns = xp.reshape(xp.moveaxis(xp.reshape(patches, (*shape, size // inner, groups, inner)), -2, 0), (groups, *shape, size))
    matrices = xp.moveaxis(xp.reshape(kernel, (size, groups, -1)), 1, 0)
    out = xp.matmul(columns, xp.reshape(matrices, (groups, *(1,) * plan.rank, size, -1)))
    out = xp.reshape(xp.moveaxis(out, 0, -2), (*shape, kernel.shape[-1]))
    return out if plan.last else xp.moveaxis(out, -1, 1)


def conv_transpose(xp: Any, added: Callable[..., Any], inputs: Any, kernel: Any, plan: windows.Windows) -> Any:
    """A transposed convolution; `added(frame, places, x)` is the frame with `x` added to it at some places."""
    x, sizes = inputs if plan.last else xp.moveaxis(inputs, 1, -1), plan.shape[plan.spatial]
    ends = [(n - 1) * s + 1 for n, s in zip(x.shape[1:-1], plan.strides, strict=True)]
    reach = [(k - 1) * d for k, d in zip(plan.size, plan.dilation, strict=True)]
    room = [max(end + r, before + n) for end, r, n, (before, _) in zip(ends, reach, sizes, plan.pads, strict=True)]
    out = xp.full((x.shape[0], *room, kernel.shape[-2]), 0, x.dtype)
    for offset in np.ndindex(*plan.size):
        places = (slice(i * d, i * d + end, s) for i, d, end, s in zip(offset, plan.dilation, ends, plan.strides, strict=True))
        out = added(out, (slice(None), *places), xp.matmul(x, xp.moveaxis(kernel[offset], 0, 1)))
    out = out[(slice(None), *(slice(before, before + n) for n, (before, _) in zip(sizes, plan.pads, strict=True)))]
    return out if plan.last else xp.moveaxis(out, -1, 1)


def hashed(index: Any, first: Any, second: Any, shifted: Callable[[Any, int], Any] = operator.rshift) -> Any:
    """A word of 32 random bits for each index, from two words of a seed; `shifted` moves bits to the right."""

    def mixed(x: Any) -> Any:
        """A bijection of 32-bit integers in which each bit depends on all."""
        x = (x ^ shifted(x, 16)) * np.uint32(0x7FEB352D)
        x = (x ^ shifted(x, 15)) * np.uint32(0x846CA68B)
        return x ^ shifted(x, 16)

    first = mixed(first ^ np.uint32(0x9E3779B9))
    return mixed(mixed(index ^ first) + mixed(second + first))
