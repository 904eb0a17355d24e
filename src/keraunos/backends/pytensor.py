"""PyTensor: graphs on the CPU, run by NumPy's steps or compiled by Numba, JAX or C.

Values are NumPy arrays, and the NumPy engine computes with them. While a function is compiled or differentiated, its tensors are `Traced`:
variables of a PyTensor graph, whose shapes are known as far as the op's rules tell. A function of an op below is given at least one.

How programs are compiled is said by `set_mode`, or `KERAUNOS_PYTENSOR_MODE`.
"""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false, reportReturnType=false, reportIndexIssue=false
# pyright: reportOperatorIssue=false, reportOptionalMemberAccess=false, reportOptionalIterable=false, reportGeneralTypeIssues=false
# pyright: reportOptionalSubscript=false, reportOptionalOperand=false, reportAssignmentType=false, reportFunctionMemberAccess=false
from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

# isort: split  # after what has imported it quietly
import pytensor.tensor as pt
from pytensor.gradient import disconnected_grad, pullback
from pytensor.graph.basic import Variable

from keraunos.backends import _numpy_api, _tracing
from keraunos.backends import _pytensor_graphs as graphs
from keraunos.backends import numpy as eager
from keraunos.backends._pytensor_graphs import Custom, Traced, available, by_numbers, cast_variable, variable_of
from keraunos.backends._tracing import named, ops
from keraunos.core import dtypes, windows
from keraunos.core.spec import OPERATORS, Spec, normalize_axes, normalize_axis

name = "pytensor"
kinds: dict[type, int] = {}
float_dtypes = {*eager.float_dtypes, "float16", "float32", "float64"}
strict_dtypes: frozenset[str] = frozenset()
abstract, array, cast, compile, cond = graphs.abstract, graphs.array, graphs.cast, graphs.compile, graphs.cond
custom_gradient, devices, differentiate, dim, concrete = graphs.custom_gradient, graphs.devices, graphs.differentiate, graphs.dim, graphs.concrete
dtype_of, forward, indices, is_tensor, is_traced = _tracing.dtype_of, graphs.forward, graphs.indices, _tracing.is_tensor, _tracing.is_traced
mode, scan, seed_state, set_mode, settled, slot = graphs.mode, graphs.scan, graphs.seed_state, graphs.set_mode, graphs.settled, graphs.slot
stateful, store, synchronize, to_numpy, tracing = graphs.stateful, graphs.store, graphs.synchronize, graphs.to_numpy, graphs.tracing
while_loop = graphs.while_loop


def rows(x: Any, places: Any) -> Any:
    return get_item_(x, places)


# ---- how functions of ops are made ----
def _unwrapped(x: Any) -> Any:
    """PyTensor's variables for what is traced, also in lists and slices."""
    if isinstance(x, Traced):
        return x.variable
    if isinstance(x, (list, tuple)):
        return type(x)([_unwrapped(y) for y in x])
    return slice(_unwrapped(x.start), _unwrapped(x.stop), _unwrapped(x.step)) if isinstance(x, slice) else x


def _wrapped(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)([_wrapped(y) for y in x])
    return Traced(x) if isinstance(x, Variable) else x


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """An op from a function of PyTensor's variables."""
    return named(lambda *args: _wrapped(function(*map(_unwrapped, args))), function.__name__)


def _op(name: str, function: Callable[..., Any]) -> None:
    function.__name__ = name
    globals()[f"{name}_"] = traced(function)


def _alike(xs: Sequence[Any]) -> tuple[list[Any], str]:
    """The arguments as variables of one dtype, that of the tensors among them; and the dtype."""
    dtype = str(next(x.dtype for x in xs if hasattr(x, "dtype")))
    return [pt.as_tensor_variable(x if isinstance(x, Variable) else np.asarray(x, dtype)) for x in xs], dtype


def _wide(function: Callable[..., Any], *xs: Any) -> Any:
    """`function` of tensors, with float16 computed in float32."""
    if xs[0].dtype != "float16":
        return function(*xs)
    return cast_variable(function(*(cast_variable(x, "float32") for x in xs)), "float16")


# ---- elementwise ----
def _elementwise(function: Callable[..., Any], of_bools: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """`function` of tensors and scalars, whose result has the dtype of its arguments; `of_bools` where those are bools."""

    def run(*xs: Any) -> Any:
        xs, dtype = _alike(xs)
        return cast_variable((of_bools if of_bools and dtype == "bool" else function)(*xs), dtype)

    return run


def _test(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: cast_variable(function(*_alike(xs)[0]), "bool")


def _sign(x):
    return pt.switch(pt.eq(x, 0), x, x / pt.abs(x)) if x.dtype in dtypes.COMPLEX else pt.sign(x)


def _logaddexp(a, b):
    larger, same = a >= b, pt.and_(pt.eq(a, b), pt.isinf(a))
    high, low = pt.switch(larger, a, b), pt.switch(larger, b, a)
    return high + pt.softplus(pt.switch(same, pt.zeros_like(a), low - high))


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """An integer division, 0 by 0; C does not survive one."""

    def divide(a, b):
        if a.dtype in dtypes.FLOATS:
            return function(a, b)
        zero = pt.eq(b, 0)
        return pt.switch(zero, pt.zeros_like(a), function(a, pt.switch(zero, pt.ones_like(b), b)))

    return divide


_NAMED = """sqrt exp expm1 log log1p log2 log10 sin cos tan arcsin arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh erf erfinv sigmoid softplus
floor ceil maximum minimum"""
_ARITHMETIC = {
    **{name: getattr(pt, name) for name in _NAMED.split()}, "subtract": pt.sub, "true_divide": pt.true_div, "floor_divide": _whole(pt.int_div),
    "mod": _whole(pt.mod), "power": pt.pow, "negative": pt.neg, "sign": _sign, "logaddexp": _logaddexp,
    "bitwise_and": pt.bitwise_and, "bitwise_or": pt.bitwise_or, "bitwise_xor": pt.bitwise_xor, "bitwise_invert": pt.bitwise_not,
}  # fmt: skip
_TESTS = {
    "equal": pt.eq, "not_equal": pt.neq, "less": pt.lt, "less_equal": pt.le, "greater": pt.gt, "greater_equal": pt.ge, "logical_and": pt.and_,
    "logical_or": pt.or_, "logical_xor": pt.xor, "logical_not": pt.invert, "isnan": pt.isnan, "isinf": pt.isinf,
    "isfinite": lambda x: pt.invert(pt.or_(pt.isnan(x), pt.isinf(x))),
}  # fmt: skip
for _name, _function in _ARITHMETIC.items():
    _op(_name, _elementwise(_function))
for _name, _function in _TESTS.items():
    _op(_name, _test(_function))
_op("add", _elementwise(pt.add, pt.or_))
_op("multiply", _elementwise(pt.mul, pt.and_))


@traced
def absolute_(x):
    return x if x.dtype == "bool" or x.dtype.startswith("uint") else pt.abs(x)


@traced
def round_(x, decimals=0):
    if x.dtype not in dtypes.FLOATS and decimals >= 0:
        return x
    scale = 10.0 ** abs(decimals)
    wide = cast_variable(x, "float32" if x.dtype == "float16" else x.dtype if x.dtype in dtypes.FLOATS else "float64")
    scale = np.asarray(scale, wide.dtype)
    near = pt.round(wide * scale if decimals > 0 else wide / scale if decimals else wide, mode="half_to_even")
    return cast_variable(near / scale if decimals > 0 else near * scale if decimals else near, x.dtype)


@traced
def nan_to_num_(x, nan=0.0, posinf=None, neginf=None):
    if x.dtype not in dtypes.FLOATS:
        return x
    limit, zero = float(np.finfo(x.dtype).max), np.asarray(0, x.dtype)
    for found, value in ((pt.isnan(x), nan), (pt.and_(pt.isinf(x), x > zero), posinf), (pt.and_(pt.isinf(x), x < zero), neginf)):
        value = (limit if value is posinf else -limit) if value is None else value
        x = pt.switch(found, np.asarray(value, x.dtype), x)
    return x


@traced
def where_(condition, x1=None, x2=None):
    condition = cast_variable(condition if isinstance(condition, Variable) else pt.as_tensor_variable(np.asarray(condition)), "bool")
    if x1 is None and x2 is None:
        return tuple(cast_variable(i, "int32") for i in pt.nonzero(condition))
    if not (hasattr(x1, "dtype") or hasattr(x2, "dtype")):
        dtype = dtypes.result_type(type(x1), type(x2))
        x1, x2 = np.asarray(x1, dtype), np.asarray(x2, dtype)
    (x1, x2), _ = _alike((x1, x2))
    return pt.switch(condition, x1, x2)


@traced
def stop_gradient_(variable):
    return disconnected_grad(variable)


@traced
def left_shift_(x, y):
    (x, y), dtype = _alike((x, y))
    powers = np.left_shift(np.asarray(1, dtype), np.arange(dtypes.BITS[dtype], dtype=dtype))
    return cast_variable(x * pt.as_tensor_variable(powers)[y], dtype)


@traced
def right_shift_(x, y):
    (x, y), dtype = _alike((x, y))
    wide = dtype if dtypes.BITS[dtype] == 64 else "int64"
    powers = 2 ** np.arange(dtypes.BITS[dtype] - (dtype == "int64"), dtype=wide)
    return cast_variable(pt.int_div(cast_variable(x, wide), pt.as_tensor_variable(powers)[y]), dtype)


_op("real", lambda x: pt.real(x) if x.dtype in dtypes.COMPLEX else x)
_op("imag", lambda x: pt.imag(x) if x.dtype in dtypes.COMPLEX else pt.zeros_like(x))
_op("as_complex", lambda real, imag: (lambda xs: pt.complex(*xs[0]))(_alike((real, imag))))


# ---- reductions ----
def _axes(x: Any, axis: Any) -> tuple[int, ...]:
    return normalize_axes(axis, x.ndim)


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` over the axes, its result in the dtype of the tensor."""

    def run(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        axes = _axes(x, axis)
        return cast_variable(function(x, axes, keepdims), x.dtype) if axes else x

    return run


@traced
def mean_(x, axis=None, keepdims=False):
    axes = _axes(x, axis)
    if not axes:
        return x
    sizes = [x.type.shape[i] for i in axes]
    total = pt.sum(cast_variable(x, "float32") if x.dtype == "float16" else x, axes, keepdims=keepdims)
    count = math.prod(x.shape[i] for i in axes) if None in sizes else math.prod(sizes)
    count = cast_variable(count, total.dtype) if isinstance(count, Variable) else np.asarray(count, total.dtype)
    return cast_variable(total / count, x.dtype)


@traced
def prod_(x, axis=None, keepdims=False, dtype=None):
    x, axes = cast_variable(x, dtype) if dtype else x, _axes(x, axis)
    return cast_variable(pt.prod(x, axes, dtype=x.dtype, keepdims=keepdims), x.dtype) if axes else x


def _as_number(x: Any) -> Any:
    return cast_variable(x, "int8") if x.dtype == "bool" else x


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        axes = _axes(x, axis)
        if not axes:
            return x
        if initial is not None:  # beside the elements, of which there may be none
            value = initial if isinstance(initial, Variable) else np.asarray(initial, x.dtype)
            x = pt.join(axes[0], x, pt.alloc(value, *(1 if i == axes[0] else x.shape[i] if d is None else d for i, d in enumerate(x.type.shape))))
        top = cast_variable(function(_as_number(x), axes, keepdims=True), x.dtype)
        if x.dtype in dtypes.FLOATS:  # PyTensor's gradient counts each of equal ones in full
            top = Custom(lambda upstream: [Traced(_shared_out(upstream.variable, x, top, axes))], 1)(x, top)
        return top if keepdims else top.dimshuffle([i for i in range(x.ndim) if i not in axes])

    return run


def _shared_out(upstream: Any, x: Any, top: Any, axes: Sequence[int]) -> Any:
    """The gradient of an extreme, in equal parts to the elements that have its value."""
    chosen = cast_variable(pt.eq(x, top), x.dtype)
    return upstream * chosen / cast_variable(pt.sum(chosen, axes, keepdims=True), x.dtype)


_op("sum", _reduction(lambda x, axes, keepdims: pt.sum(x, axes, dtype=x.dtype, keepdims=keepdims)))
_op("any", _reduction(lambda x, axes, keepdims: pt.any(x, axes, keepdims=keepdims)))
_op("all", _reduction(lambda x, axes, keepdims: pt.all(x, axes, keepdims=keepdims)))
_op("max", _extreme(pt.max))
_op("min", _extreme(pt.min))


def _place_of_largest(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return cast_variable(pt.argmax(_as_number(x), axis, keepdims=keepdims), "int32")


_op("argmax", _place_of_largest)
_op("argmin", lambda x, *options: _place_of_largest(-x if x.dtype in dtypes.FLOATS else ~x, *options))


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, dtype: Any = None) -> Any:
        x, axis = (x.flatten(), 0) if axis is None else (x, normalize_axis(axis, x.ndim))
        dtype = dtype or x.dtype
        wide = "float32" if dtype == "float16" else dtype if dtype not in dtypes.INTEGERS else "uint64" if dtype[0] == "u" else "int64"
        return cast_variable(function(cast_variable(x, wide), axis), dtype)  # NumPy widens integers, of which PyTensor says nothing

    return run


_op("cumsum", _running(pt.cumsum))
_op("cumprod", _running(pt.cumprod))


@traced
def argsort_(x, axis=-1):
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    return cast_variable(pt.argsort(x, axis, stable=True), "int32") if x.ndim else pt.zeros((), "int32")


@_tracing.traced
def sort_(x, axis=-1):
    x, axis = (ops.ravel(x), 0) if axis is None else (x, axis)
    return ops.take_along_axis(x, ops.argsort(x, axis), axis) if x.ndim else x


# ---- shaping ----
def _sizes(shape: Any) -> list[Any]:
    return [d if isinstance(d, Variable) else int(d) for d in (shape if isinstance(shape, (list, tuple)) else [shape])]


@traced
def reshape_(x, newshape):
    sizes = _sizes(newshape)
    if -1 in sizes and None not in x.type.shape and all(d.__class__ is int for d in sizes):
        rest = math.prod(d for d in sizes if d != -1)
        sizes = [math.prod(x.type.shape) // max(rest, 1) if d == -1 else d for d in sizes]
    return pt.reshape(x, sizes, ndim=len(sizes))


@traced
def transpose_(x, axes=None):
    return pt.transpose(x, None if axes is None else [a % x.ndim for a in axes])


@traced
def broadcast_to_(x, shape):
    sizes = _sizes(shape)
    return x if tuple(sizes) == x.type.shape else pt.alloc(x, *sizes)


@traced
def roll_(x, shift, axis=None):
    if axis is None:
        return pt.roll(x.flatten(), shift, 0).reshape(x.shape, ndim=x.ndim)
    axes = [axis] if isinstance(axis, int) else axis
    shifts = shift if isinstance(shift, (list, tuple)) else [shift] * len(axes)
    return functools.reduce(lambda x, pair: pt.roll(x, pair[0], pair[1] % x.ndim), zip(shifts, axes, strict=True), x)


@traced
def concatenate_(xs, axis=0):
    (*xs,), _ = _alike(xs)
    return pt.join(axis % xs[0].ndim, *xs) if len(xs) > 1 else xs[0]


@traced
def repeat_(x, repeats, axis=None):
    repeats = repeats[0] if isinstance(repeats, (list, tuple)) and len(repeats) == 1 else repeats
    return pt.repeat(x, pt.stack(repeats) if isinstance(repeats, (list, tuple)) else repeats, None if axis is None else axis % x.ndim)


@traced
def tile_(x, repeats):
    repeats = _sizes(repeats)
    x = x.reshape((*(1,) * (len(repeats) - x.ndim), *x.shape), ndim=max(x.ndim, len(repeats)))
    for axis, count in enumerate([1] * (x.ndim - len(repeats)) + repeats):
        if count.__class__ is int and count:
            x = pt.join(axis, *[x] * count) if count != 1 else x
        else:
            x = pt.tile(x, [count if i == axis else 1 for i in range(x.ndim)])
    return x


@traced
def pad_constant_(x, widths, value):
    if not any(low or high for low, high in widths):
        return x
    sizes = [low + (x.shape[i] if d is None else d) + high for i, (d, (low, high)) in enumerate(zip(x.type.shape, widths, strict=True))]
    frame = pt.alloc(value if isinstance(value, Variable) else np.asarray(value, x.dtype), *sizes)
    inside = tuple(slice(low, low + (x.shape[i] if d is None else d)) for i, (d, (low, _)) in enumerate(zip(x.type.shape, widths, strict=True)))
    return pt.set_subtensor(frame[inside], x)


@traced
def full_(shape, fill_value, dtype=None):
    dtype = dtype or dtypes.standardize_dtype(None)
    value = cast_variable(fill_value, dtype) if isinstance(fill_value, Variable) else np.asarray(fill_value, available(dtype))
    return pt.alloc(value, *_sizes(shape))


@traced
def arange_(start, stop=None, step=None, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    dtype = dtype or dtypes.result_type(*(getattr(x, "dtype", type(x)) for x in (start, stop, step) if x is not None))
    return cast_variable(pt.arange(start, stop, 1 if step is None else step), dtype)


@traced
def diagonal_(x, offset=0, axis1=0, axis2=1):
    return pt.diagonal(x, offset, axis1 % x.ndim, axis2 % x.ndim)


# ---- selection ----
@traced
def get_item_(x, key):
    x = pt.as_tensor_variable(x)
    parts = key if isinstance(key, tuple) else (key,)
    return x[tuple([_index(k) for k in parts])]


def _index(k: Any) -> Any:
    if isinstance(k, list):
        return pt.stack(k) if any(isinstance(y, Variable) for y in k) else np.asarray(k, bool if k and isinstance(k[0], (bool, np.bool_)) else "int32")
    return int(k) if isinstance(k, np.integer) else k


@traced
def take_(x, indices, axis=None):
    x, axis = (pt.as_tensor_variable(x).flatten(), 0) if axis is None else (pt.as_tensor_variable(x), axis)
    return x[(slice(None),) * (axis % x.ndim) + (indices,)]


@traced
def take_along_axis_(x, indices, axis=None):
    x, indices = pt.as_tensor_variable(x), pt.as_tensor_variable(indices)
    if axis is None:
        return x.flatten()[indices.flatten()]
    places = [pt.arange(x.shape[i] if d is None else d).reshape([-1 if j == i else 1 for j in range(x.ndim)]) for i, d in enumerate(x.type.shape)]
    places[axis % x.ndim] = indices
    return x[tuple(places)]


def _starts(starts: Any, count: int) -> list[Any]:
    return [starts[i] for i in range(count)]


@traced
def slice_(inputs, start_indices, shape):
    inputs, sizes = pt.as_tensor_variable(inputs), _sizes(shape)
    out = inputs[tuple([slice(s, s + n) for s, n in zip(_starts(start_indices, len(sizes)), sizes, strict=True)])]
    return pt.specify_shape(out, sizes)


@traced
def slice_update_(inputs, start_indices, updates):
    inputs, updates = pt.as_tensor_variable(inputs), pt.as_tensor_variable(updates)
    starts = _starts(start_indices, inputs.ndim)
    block = inputs[tuple([slice(s, s + updates.shape[i]) for i, s in enumerate(starts)])]
    return pt.set_subtensor(block, cast_variable(updates, inputs.dtype))


@_tracing.traced
def top_k_(x, k, sorted=True):
    places = ops.get_item(ops.argsort(ops.negative(x), -1), (..., slice(0, k)))
    return ops.take_along_axis(x, places, -1), places


# ---- linear algebra ----
@traced
def matmul_(x1, x2):
    (x1, x2), _ = _alike((x1, x2))
    return _wide(_product, x1, x2)


def _product(a, b):
    if a.ndim > 2 and b.ndim == 2:  # one product of matrices
        rows, inner = a.shape[:-1], a.type.shape[-1]
        out = pt.dot(a.reshape((-1, a.shape[-1] if inner is None else inner), ndim=2), b)
        width = b.shape[1] if b.type.shape[1] is None else b.type.shape[1]
        return out.reshape((*(r if d is None else d for r, d in zip(rows, a.type.shape, strict=False)), width))
    return cast_variable(pt.dot(a, b) if max(a.ndim, b.ndim) <= 2 else pt.matmul(a, b), a.dtype)


@traced
def tensordot_(x1, x2, axes=2):
    (x1, x2), dtype = _alike((x1, x2))
    axes = axes if isinstance(axes, int) else [[a % x.ndim for a in ([one] if isinstance(one, int) else one)] for one, x in zip(axes, (x1, x2), strict=True)]
    return cast_variable(_wide(lambda a, b: pt.tensordot(a, b, axes), x1, x2), dtype)


@traced
def einsum_(subscripts, *operands):
    (*operands,), dtype = _alike(operands)
    return cast_variable(_wide(lambda *xs: pt.einsum(subscripts.replace(" ", ""), *xs), *operands), dtype)


@traced
def cholesky_(x, upper=False):
    return pt.linalg.cholesky(_symmetric(x), lower=not upper)


def _symmetric(x: Any) -> Any:
    """The symmetric part of matrices, Hermitian for complex ones."""
    return (x + pt.conj(x).mT) / np.asarray(2, x.dtype)


_op("eigh", lambda x: tuple(pt.linalg.eigh(_symmetric(x))))
_op("solve", lambda a, b: (lambda xs: pt.linalg.solve(*xs[0], b_ndim=1 if xs[0][1].ndim == 1 else 2))(_alike((a, b))))
_op("qr", lambda x, mode="reduced": tuple(pt.linalg.qr(x, mode="economic" if mode == "reduced" else "full")))
_op("det", lambda x: pt.linalg.det(x))


@_tracing.traced
def lu_factor_(x):
    lu, pivots = _numeric("lu_factor")(x)  # which singular matrices have as well
    if x.shape[-1] != x.shape[-2]:
        return lu, pivots
    smooth = pt.linalg.lu_factor(x.variable)[0]
    return Traced(Custom(lambda upstream: [Traced(pullback(smooth, x.variable, upstream.variable))], 1)(x.variable, lu.variable)), pivots


@traced
def svd_(x, full_matrices=True, compute_uv=True):
    out = pt.linalg.svd(x, full_matrices and x.type.shape[-1] != x.type.shape[-2], compute_uv)
    return tuple(out) if compute_uv else out


# ---- neural networks ----
def _added(frame: Any, places: Any, x: Any) -> Any:
    """`frame`, with `x` added to it at some places."""
    return Traced(pt.inc_subtensor(variable_of(frame)[places], variable_of(x)))


@traced
def relu_(x):
    """Its gradient at 0 is 0, where that of the maximum is not."""
    zero = np.zeros((), x.dtype)
    return pt.switch(x > zero, x, zero) if x.dtype in dtypes.FLOATS else NotImplemented


@_tracing.traced
def conv_(inputs, kernel, *options):
    return _numpy_api.conv(ops, inputs, kernel, windows.conv(inputs.shape, kernel.shape, *options))


@_tracing.traced
def conv_transpose_(inputs, kernel, *options):
    return _numpy_api.conv_transpose(ops, _added, inputs, kernel, windows.conv_transpose(inputs.shape, kernel.shape, *options))


def _first_maximum(a, b):
    """The maximum, whose gradient goes to one of two equals."""
    return ops.where(ops.logical_or(ops.greater_equal(a, b), ops.isnan(a)), a, b)


@_tracing.traced
def max_pool_(inputs, *options):
    least = np.iinfo(inputs.dtype).min if inputs.dtype in dtypes.INTEGERS else -np.inf
    return _numpy_api.pooled(ops, inputs, windows.pool(inputs.shape, *options), _first_maximum, least)


@_tracing.traced
def average_pool_(inputs, *options):
    plan = windows.pool(inputs.shape, *options)
    counts = plan.counts(inputs.shape[plan.spatial])
    total = _numpy_api.pooled(ops, inputs, plan, ops.add, 0)
    return total / (counts if plan.last else np.moveaxis(counts, -1, 1)).astype(inputs.dtype)


# ---- what PyTensor has no expression for ----
def _numeric(own: str) -> Callable[..., Any]:
    """A primitive as numbers; of a composite, the body is traced instead."""

    def symbolic(*args: Any) -> Any:
        op = OPERATORS[own].op if own in OPERATORS else None
        if op is None or op.shape is None:
            return NotImplemented
        return by_numbers(eager.__dict__.get(f"{own}_") or eager.__dict__[own], op.spec(args, {}, abstract=True), args, f"ops.{own}")

    return named(symbolic, own)


_HOOKS = set(globals()) | {"place", "draw_uniform", "draw_normal", "draw_integers", "draw_gamma", "draw_binomial", "draw_dropout", "next_state"}
for _name, _function in vars(eager).items():
    _own = _name.rstrip("_")
    if callable(_function) and not isinstance(_function, type) and not _name.startswith("_") and _own not in _HOOKS and f"{_own}_" not in _HOOKS:
        globals()[f"{_own}_"] = _numeric(_own)
place = eager.place


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, which takes a dtype, without those that there are not."""

    def run(*args: Any) -> Any:
        for x in args:
            if x.__class__ is str:
                available(x)
        return function(*args)

    return run


for _name in "full arange prod cumsum cumprod view".split():
    globals()[f"{_name}_"] = _refusing(globals()[f"{_name}_"])


# ---- random ----
# The bits are a hash of seed and position, in words that NumPy and PyTensor compute alike.
def _shifted(x: Any, bits: int) -> Any:
    return x // np.asarray(1 << bits, x.dtype)


def _words(key: Any, shape: Any, stream: int = 0) -> Any:
    """A word of 32 random bits for each element."""
    count = math.prod(shape)
    index = np.arange(stream * count, (stream + 1) * count, dtype="uint32").reshape(shape)
    with np.errstate(all="ignore"):
        first, second = (key[i : i + 1].reshape((1,) * len(shape)) for i in range(2))
        return _numpy_api.hashed(index, first, second, _shifted)


def _fractions(key: Any, shape: Any, dtype: str, stream: int = 0) -> Any:
    """Evenly distributed numbers of [0, 1), with all the bits that the dtype holds."""
    high = _shifted(_words(key, shape, 2 * stream), 8 if dtype != "float64" else 5)
    if dtype != "float64":
        return high.astype("float32") * np.float32(2.0**-24)
    low = _shifted(_words(key, shape, 2 * stream + 1), 6)
    return (high.astype("float64") * 2.0**26 + low.astype("float64")) * 2.0**-53


def _draw(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: _wrapped(function(*map(_unwrapped, args)))


@_draw
def draw_uniform(key, shape, dtype):
    return _fractions(key, shape, dtype).astype(dtype)


@_draw
def draw_normal(key, shape, dtype):
    xp = pt if isinstance(key, Variable) else np
    radius, angle = (_fractions(key, shape, dtype, stream) for stream in range(2))
    one = radius.dtype.type if xp is np else np.dtype(radius.dtype).type
    return (xp.sqrt(one(-2) * xp.log(one(1) - radius)) * xp.cos(one(2 * math.pi) * angle)).astype(dtype)  # Box and Muller, 1958


@_draw
def draw_integers(key, shape, low, high, dtype):
    words = (_words(key, shape, stream).astype("uint64") for stream in range(2))
    wide = next(words) * np.uint64(1 << 32) + next(words)
    return (low + (wide % np.uint64(high - low)).astype("int64")).astype(dtype)


@_draw
def draw_dropout(key, x, rate, shape):
    xp = pt if isinstance(key, Variable) or isinstance(x, Variable) else np
    kept = _words(key, shape) >= np.uint32(min(round(rate * 2**32), 2**32 - 1))
    zero, scale = np.zeros((), x.dtype), np.asarray(1 / (1 - rate), x.dtype)
    return (xp.switch if xp is pt else np.where)(kept, x * scale, zero)


@_draw
def next_state(state):
    return (state + np.array([0, 1], "uint32")).astype("uint32")


def _drawn(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's draw, when the program runs."""
    return lambda *args: by_numbers(function, Spec(args[-1].shape, dtype_of(args[-1])), args, "a draw") if any(map(is_traced, args)) else function(*args)


draw_gamma, draw_binomial = _drawn(eager.draw_gamma), _drawn(eager.draw_binomial)
