"""Primitives made of other ops, for graphs that have no operator for them; at least one of their arguments is a tensor of the graph."""

# The ops take what tensors are not annotated to be.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import math
import types
from typing import Any

import ml_dtypes
import numpy as np

from keraunos.backends import numpy as eager
from keraunos.backends._tracing import ops, sizes_of
from keraunos.core import dtypes
from keraunos.core.spec import Symbolic, normalize_axes, normalize_axis, size_of


def _dtype_of(*xs: Any) -> str:
    """The dtype of the tensors among the arguments."""
    return next(dtypes.standardize_dtype(x.dtype) for x in xs if hasattr(x, "dtype"))


# ---- elementwise ----
def not_equal(x1, x2):
    return ops.logical_not(ops.equal(x1, x2))


def greater_equal(x1, x2):
    return ops.less_equal(x2, x1)


def expm1(x):
    t = ops.tanh(x * 0.5)  # near 0, where exp(x) - 1 cancels
    return ops.where(ops.absolute(x) < 0.5, 2.0 * t / (1.0 - t), ops.exp(x) - 1.0)


def log1p(x):
    u = x + 1.0
    kept = u - 1.0  # the part of x that adding 1 did not round away
    return ops.where((kept == 0.0) | (kept == math.inf), x, ops.log(u) * (x / kept))


def log2(x):
    return ops.log(x) / math.log(2)


def log10(x):
    return ops.log(x) / math.log(10)


def logaddexp(x1, x2):
    apart = ops.maximum(x1, x2) + ops.log1p(ops.exp(-ops.absolute(ops.subtract(x1, x2))))
    return ops.where(ops.equal(x1, x2), x1 + math.log(2), apart)


def arctan2(x1, x2):
    below, left = (ops.logical_or(ops.less(x, 0), ops.less(ops.true_divide(1, x), 0)) for x in (x1, x2))  # -0 too
    turn = ops.cast(ops.where(below, -math.pi, math.pi), _dtype_of(x1, x2))
    right = ops.where(ops.logical_and(ops.equal(x1, 0), ops.equal(x2, 0)), x1, ops.arctan(ops.true_divide(x1, x2)))
    aside = ops.logical_and(ops.equal(x2, 0), ops.not_equal(x1, 0))
    return ops.where(aside, ops.multiply(turn, 0.5), ops.where(left, ops.add(right, turn), right))


def isinf(x):
    return ops.absolute(x) == math.inf if dtypes.is_float(x.dtype) else x != x


def isfinite(x):
    return ops.absolute(x) < math.inf if dtypes.is_float(x.dtype) else x == x


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    if not dtypes.is_float(x.dtype):
        return x
    largest = float(ml_dtypes.finfo(eager.np_dtype(x.dtype)).max)
    x = ops.where(ops.isnan(x), nan, x)
    x = ops.where(x == math.inf, largest if posinf is None else posinf, x)
    return ops.where(x == -math.inf, -largest if neginf is None else neginf, x)


def stop_gradient(variable):
    return variable


def real(x):
    return x


def imag(x):
    return ops.zeros_like(x)


# ---- bits ----
def bitwise_invert(x):
    return ops.logical_not(x) if x.dtype == "bool" else ops.subtract(-1 if x.dtype.startswith("int") else np.iinfo(x.dtype).max, x)


def left_shift(x, y):
    return ops.multiply(x, ops.power(np.array(2, _dtype_of(x, y)), y))


def right_shift(x, y):
    dtype = _dtype_of(x, y)
    least = ops.minimum(y, dtypes.BITS[dtype] - 2)  # beyond, only the sign is left
    return ops.floor_divide(x, ops.power(np.array(2, dtype), least))


# ---- reductions ----
def any_(x, axis=None, keepdims=False):
    return ops.sum(ops.cast(x, "int32"), axis, keepdims) > 0


def all_(x, axis=None, keepdims=False):
    return ops.logical_not(ops.any(ops.logical_not(x), axis, keepdims))


# ---- shaping ----
def roll(x, shift, axis=None):
    if axis is None:
        return ops.reshape(ops.roll(ops.reshape(x, (-1,)), shift, 0), sizes_of(x))
    for by, at in np.nditer([np.asarray(shift), np.asarray(axis)]):
        at = normalize_axis(int(at), x.ndim)
        n = sizes_of(x)[at]
        cut = n - (ops.mod(int(by), n) if isinstance(n, Symbolic) else int(by) % max(n, 1))
        before = (slice(None),) * at
        x = ops.concatenate([x[(*before, part)] for part in (slice(cut, None), slice(None, cut))], at)
    return x


def repeat_(x, repeats, axis=None):
    if axis is None:
        return ops.repeat(ops.reshape(x, (-1,)), repeats, 0)
    at = normalize_axis(axis, x.ndim)
    if isinstance(repeats, (list, tuple)) and any(isinstance(r, Symbolic) for r in repeats):
        repeats = ops.stack(list(repeats))
    if isinstance(repeats, Symbolic) and repeats.ndim:  # each place as often as the running sums of the counts say
        ends = ops.cumsum(repeats, 0)
        places = ops.sum(ops.cast(ops.expand_dims(ops.arange(ops.sum(repeats)), 1) >= ends, "int32"), 1)
        return ops.take(x, places, at)
    if isinstance(repeats, Symbolic) or np.size(repeats) == 1:
        times, sizes = repeats if isinstance(repeats, Symbolic) else int(np.ravel(repeats)[0]), sizes_of(x)
        wide = ops.broadcast_to(ops.expand_dims(x, at + 1), (*sizes[: at + 1], times, *sizes[at + 1 :]))
        return ops.reshape(wide, (*sizes[:at], -1, *sizes[at + 1 :]))
    return ops.take(x, np.repeat(np.arange(len(repeats), dtype="int32"), repeats), at)


def diagonal(x, offset=0, axis1=0, axis2=1):
    i, j = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    rest, sizes = [k for k in range(x.ndim) if k not in (i, j)], sizes_of(x)
    row, column = max(-offset, 0), max(offset, 0)
    rows, columns = sizes[i] - row, sizes[j] - column
    length = max(min(rows, columns), 0) if isinstance(rows, int) and isinstance(columns, int) else ops.maximum(ops.minimum(rows, columns), 0)
    places = ops.arange(length, dtype="int32") * (sizes[j] + 1) + (row * sizes[j] + column)
    return ops.take(ops.reshape(ops.transpose(x, (*rest, i, j)), (*(sizes[k] for k in rest), -1)), places, -1)


# ---- products ----
def tensordot(x1, x2, axes=2):
    a, b = sizes_of(x1), sizes_of(x2)
    first, second = (range(len(a) - axes, len(a)), range(axes)) if isinstance(axes, int) else map(normalize_axes, axes, (len(a), len(b)))
    free = [[i for i in range(len(s)) if i not in used] for s, used in ((a, first), (b, second))]
    count = size_of([a[i] for i in first])
    left = ops.reshape(ops.transpose(x1, (*free[0], *first)), (-1, count))
    right = ops.reshape(ops.transpose(x2, (*second, *free[1])), (count, -1))
    return ops.reshape(ops.matmul(left, right), (*(a[i] for i in free[0]), *(b[i] for i in free[1])))


FUNCTIONS = {name: x for name, x in globals().items() if isinstance(x, types.FunctionType) and x.__module__ == __name__ and not name.startswith("_")}
