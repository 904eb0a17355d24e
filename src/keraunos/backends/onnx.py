"""ONNX: a backend that writes down what is computed, as the nodes of a graph that other programs run.

What does not depend on the inputs are NumPy arrays, and the NumPy engine computes with them: constants fold by themselves. All else
are `Value`s. A function of an op below is given at least one `Value`; what it makes has no shape until the op's rule is asked (`settled`).

The nodes are those of the graph's `opset`, from 7 on; `emit` refuses what that has not. Integers of 8 and 16 bits, bools and bfloat16, for which ONNX's arithmetic or its usual
runtime has no kernels, are computed in the next type that has.
"""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import builtins
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraunos.backends import _composed, _shared, _tracing
from keraunos.backends import numpy as eager
from keraunos.backends._onnx_graph import Graph, Value, building, current, emit, expanded, opset, require, squeezed, with_axes
from keraunos.backends._onnx_recurrent import *
from keraunos.backends._tracing import dtype_of, holds_pending, is_tensor, named, ops, refilled, sizes_of, traced
from keraunos.core import config, dtypes, tree, windows
from keraunos.core.errors import BackendError, SymbolicError
from keraunos.core.spec import OPERATORS, UNKNOWN, Spec, broadcast_shapes, known, normalize_axes, normalize_axis, size_of

name = "onnx"
kinds: dict[type, int] = {}
float_dtypes = {*eager.float_dtypes, "float16", "float32", "float64"}
strict_dtypes = frozenset({"bfloat16", "float8_e4m3fn", "float8_e5m2"})
OLDEST = 7
_LAST, _FIRST = 2**63 - 1, -(2**63)  # where a slice ends that has no end

# What runtimes compute with instead: the type that holds all the values, in which they have kernels.
_WIDER = {
    "bool": "int32", "int8": "int32", "int16": "int32", "uint8": "int32", "uint16": "int32", "uint32": "int64", "uint64": "int64", "bfloat16": "float32",
    "float8_e4m3fn": "float32", "float8_e5m2": "float32",
}  # fmt: skip


# ---- what every engine provides ----
stateful, forward, concrete = False, contextlib.nullcontext, contextlib.nullcontext
devices, slot, store, seed_state, next_state = eager.devices, eager.slot, eager.store, eager.seed_state, eager.next_state
compile, abstract, indices, synchronize, is_traced = eager.compile, eager.abstract, eager.indices, eager.synchronize, _tracing.is_traced


def differentiate(fn: Any, values: Any) -> Any:
    raise BackendError("The onnx backend has no gradients: it only traces.")


def tracing() -> bool:
    return current.graph is not None


def to_numpy(x: Any) -> Any:
    if isinstance(x, Value):
        raise SymbolicError("A tensor of a model that is being exported has no value yet.", received=repr(x), fix="compute with keraunos.ops")
    return eager.to_numpy(x)


def array(x: Any, dtype: str | None = None) -> Any:
    x = ops.stack([array(y) for y in x]) if holds_pending(x) else x
    if isinstance(x, Value):
        return x if dtype is None else cast(x, dtype)
    return eager.array(x, dtype)


def settled(out: Any, spec: Callable[[], Any]) -> Any:
    """The result with the shapes that the op's rule infers."""
    found = tree.flatten(out)
    if any(isinstance(x, Value) and x.shape is None for x in found):
        for x, s in zip(found, tree.flatten(spec()), strict=True):
            if isinstance(x, Value) and x.shape is None:
                x.shape = s.shape
    return out


def dim(x: Any, axis: int) -> Any:
    """The size of an axis, as a scalar."""
    key, graph = (id(x), axis), current.graph
    while graph is not None:
        if key in graph.sizes:
            return graph.sizes[key]
        graph = graph.parent
    if opset() >= 15:
        wide = emit("Shape", x, to="int64", sized=(1,), start=axis, end=axis + 1)
    else:
        wide = emit("Gather", emit("Shape", x, to="int64", sized=(x.ndim,)), np.array([axis], "int64"), sized=(1,))
    size = emit("Cast", squeezed(wide, [0]), to="int32", sized=())
    size.size = x, axis, wide
    current.graph.sizes[key] = size
    return size


# ---- what the functions below are made of ----
def _alike(xs: Sequence[Any]) -> tuple[list[Any], str]:
    """The arguments in one dtype, that of the tensors among them, as values and arrays."""
    dtype = next((dtype_of(x) for x in xs if is_tensor(x)), None)
    dtype = dtype or dtypes.result_type(*map(type, xs))
    return [x if isinstance(x, (Value, Spec)) else np.asarray(x, eager.np_dtype(dtype)) for x in xs], dtype


def through(table: Any, function: Callable[..., Any], *xs: Any) -> Any:
    """`function` of the tensors cast to the dtype that the table has for theirs, its result cast back; None stays."""
    return _shared.through(table, cast, function, dtype_of=dtype_of)(*xs)


def _widened(x: Any, table: Any = _WIDER) -> Any:
    return cast(x, table.get(dtype_of(x), dtype_of(x)))


def wider(function: Callable[..., Any], *xs: Any) -> Any:
    """`function`, in a dtype for which there are kernels."""
    return through(_WIDER, function, *xs)


def _floats_for(version: int) -> Any:
    """`_WIDER`, and float64 for integers in opsets before `version`, which had an operator for floats only."""
    return _WIDER if opset() >= version else {**dict.fromkeys(dtypes.INTEGERS | {"bool"}, "float64"), "bfloat16": "float32"}


def elementwise(type: str) -> Callable[..., Any]:
    """ONNX's operator of this type, for each element."""

    def function(*xs: Any) -> Any:
        return wider(lambda *xs: emit(type, *xs), *_alike(xs)[0])

    return function


def test(type: str) -> Callable[..., Any]:
    """ONNX's comparison of this type, for each element."""

    def function(*xs: Any) -> Any:
        table = _WIDER if type == "Equal" else _floats_for(9)
        return emit(type, *(_widened(x, table) for x in _alike(xs)[0]), to="bool")

    return function


def sizes_vector(sizes: Sequence[Any]) -> Any:
    """Sizes, some of them perhaps scalars of the graph, as one vector for ONNX."""
    if not any(isinstance(d, Value) for d in sizes):
        return np.array([int(d) for d in sizes], "int64")
    parts: list[Any] = []
    for d in sizes:
        if isinstance(d, Value):
            parts.append(d.size[2] if d.size else cast(ops.reshape(d, (1,)), "int64"))
        elif parts and isinstance(parts[-1], np.ndarray):
            parts[-1] = np.append(parts[-1], int(d))
        else:
            parts.append(np.array([d], "int64"))
    return parts[0] if len(parts) == 1 else emit("Concat", *parts, to="int64", sized=(len(sizes),), axis=0)


def _transposed(x: Any, order: Sequence[int]) -> Any:
    return x if list(order) == list(range(len(order))) else emit("Transpose", x, perm=list(order))


globals().update({own: traced(function) for own, function in _composed.FUNCTIONS.items()})


# ---- elementwise ----
_ELEMENTWISE = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "true_divide": "Div", "negative": "Neg", "absolute": "Abs", "sqrt": "Sqrt",
    "exp": "Exp", "log": "Log", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh", "arccosh": "Acosh", "arctanh": "Atanh", "erf": "Erf", "floor": "Floor", "ceil": "Ceil",
    "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not", "sigmoid": "Sigmoid", "softplus": "Softplus",
}  # fmt: skip


for _name, _type in _ELEMENTWISE.items():
    _plain = (lambda *xs, _type=_type: emit(_type, *_alike(xs)[0])) if _name.startswith("logical") else elementwise(_type)
    globals()[_name] = named(_plain, _name)
for _name, _type in {"less": "Less", "greater": "Greater"}.items():
    globals()[_name] = named(test(_type), _name)


@traced
def sign(x):
    if opset() >= 9:
        return elementwise("Sign")(x)
    return ops.subtract(*(ops.cast(compare(x, 0), dtype_of(x)) for compare in (ops.greater, ops.less)))


@traced
def equal(x1, x2):
    (x1, x2), dtype = _alike((x1, x2))
    if opset() >= 11 or not dtypes.is_float(dtype):
        return test("Equal")(x1, x2)
    unordered = ops.logical_or(ops.isnan(x1), ops.isnan(x2))
    return ops.logical_not(ops.logical_or(unordered, ops.logical_or(ops.less(x1, x2), ops.greater(x1, x2))))


@traced
def less_equal(x1, x2):
    return test("LessOrEqual")(x1, x2) if opset() >= 12 else ops.logical_or(ops.less(x1, x2), ops.equal(x1, x2))


def _extreme(type: str, chosen: str) -> Callable[..., Any]:
    def function(x1: Any, x2: Any) -> Any:
        (x1, x2), dtype = _alike((x1, x2))
        if opset() < 8 and tuple(x1.shape) != tuple(x2.shape):  # there, both must have one shape
            limit, x = sorted((x1, x2), key=lambda x: isinstance(x, Value))
            if not isinstance(limit, Value) and limit.size == 1 and limit.ndim <= x.ndim and dtypes.is_float(dtype):
                return wider(lambda x: emit("Clip", x, **{"min" if type == "Max" else "max": float(limit.item())}), x)
            x1, x2 = _stretched(x1, x2), _stretched(x2, x1)
        if opset() >= 12 or dtypes.is_float(dtype):
            return wider(lambda *xs: emit(type, *xs), x1, x2)
        return ops.where(OPERATORS[chosen](x1, x2), x1, x2)

    return function


def _stretched(x: Any, other: Any) -> Any:
    """A tensor in the shape that it has with another; what is not known of its own sizes stays."""
    shape = broadcast_shapes(x.shape, other.shape)
    own, others = ([1] * (len(shape) - y.ndim) + list(sizes_of(y)) for y in (x, other))
    sizes = [o if isinstance(o, Value) else d if d is not UNKNOWN else p for d, o, p in zip(shape, own, others, strict=True)]
    return x if tuple(x.shape) == tuple(shape) else ops.broadcast_to(x, sizes)


maximum, minimum = named(_extreme("Max", "greater"), "maximum"), named(_extreme("Min", "less"), "minimum")


def _divisor(x: Any) -> Any:
    """An integer divisor, 1 in place of 0, which runtimes do not survive."""
    return np.where(x == 0, np.ones_like(x), x) if isinstance(x, np.ndarray) else ops.where(ops.equal(x, 0), 1, x)


def _differs_in_sign(rest: Any, x: Any) -> Any:
    return ops.logical_and(ops.not_equal(rest, 0), ops.not_equal(ops.less(rest, 0), ops.less(x, 0)))


@traced
def floor_divide(x1, x2):
    (x1, x2), dtype = _alike((x1, x2))
    if dtypes.is_float(dtype):
        return ops.floor(ops.true_divide(x1, x2))
    x2 = _divisor(x2)
    quotient = wider(lambda *xs: emit("Div", *xs, sized=broadcast_shapes(x1.shape, x2.shape)), x1, x2)
    rest = ops.subtract(x1, ops.multiply(quotient, x2))  # ONNX rounds towards 0
    return ops.subtract(quotient, ops.cast(_differs_in_sign(rest, x2), dtype))


@traced
def mod(x1, x2):
    (x1, x2), dtype = _alike((x1, x2))
    if opset() < 10:
        return ops.subtract(x1, ops.multiply(ops.floor_divide(x1, x2), x2))
    if dtype in dtypes.INTEGERS:
        return wider(lambda *xs: emit("Mod", *xs), x1, _divisor(x2))
    rest = wider(lambda *xs: emit("Mod", *xs, fmod=1, sized=broadcast_shapes(x1.shape, x2.shape)), x1, x2)
    return ops.where(_differs_in_sign(rest, x2), ops.add(rest, x2), rest)


@traced
def power(x1, x2):
    return through(_floats_for(12), lambda *xs: emit("Pow", *xs), *_alike((x1, x2))[0])


@traced
def round_(x, decimals=0):
    dtype = dtype_of(x)
    if dtype in dtypes.INTEGERS and decimals >= 0:
        return x
    if decimals:
        scaled = ops.multiply(x if dtypes.is_float(dtype) else ops.cast(x, "float64"), 10.0**decimals)
        return ops.cast(ops.true_divide(ops.round(scaled), 10.0**decimals), dtype)
    if opset() >= 11:
        return wider(lambda x: emit("Round", x), x)
    low = ops.floor(x)
    rest, odd = ops.subtract(x, low), ops.mod(low, 2.0)
    return ops.add(low, ops.where(ops.equal(rest, 0.5), odd, ops.cast(ops.greater(rest, 0.5), dtype)))


@traced
def isnan(x):
    if not dtypes.is_float(dtype_of(x)):
        return ops.not_equal(x, x)
    return emit("IsNaN", _widened(x), to="bool") if opset() >= 9 else ops.logical_not(ops.logical_or(ops.less(x, 1), ops.greater(x, 0)))


@traced
def where(condition, x1=None, x2=None):
    condition = condition if is_tensor(condition) else np.asarray(condition)
    condition = cast(condition, "bool")
    if x1 is None and x2 is None:
        rows = emit("NonZero", cast(condition, "int32"), to="int64")
        return tuple(emit("Cast", emit("Gather", rows, np.array(i), axis=0), to="int32", sized=(UNKNOWN,)) for i in range(condition.ndim))
    return wider(lambda *xs: emit("Where", condition, *xs, to=dtype_of(xs[0])), *_alike((x1, x2))[0])


@traced
def cast(x, dtype):
    return x if dtype_of(x) == dtype else emit("Cast", x, to=dtype, sized=x.shape)


def _bitwise(type: str, logical: str) -> Callable[..., Any]:
    def function(x: Any, y: Any) -> Any:
        (x, y), dtype = _alike((x, y))
        if dtype == "bool":
            return OPERATORS[logical](x, y)
        require(18, type)
        return emit(type, x, y)

    return function


for _name in ("and", "or", "xor"):
    globals()[f"bitwise_{_name}"] = named(_bitwise(f"Bitwise{_name.title()}", f"logical_{_name}"), f"bitwise_{_name}")


# ---- reductions ----
def reduction(type: str, since: int = 18) -> Callable[..., Any]:
    """ONNX's reduction of this type; its axes are an input from the opset `since` on."""

    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        axes = normalize_axes(axis, x.ndim)
        return wider(lambda x: with_axes(type, x, axes, since, keepdims=int(keepdims)), x) if axes else x

    return function


sum_, mean = named(reduction("ReduceSum", 13), "sum_"), named(reduction("ReduceMean"), "mean")


@traced
def prod(x, axis=None, keepdims=False, dtype=None):
    return reduction("ReduceProd")(cast(x, dtype or dtype_of(x)), axis, keepdims)


def _most(type: str, combine: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        if initial is not None:
            if 0 in (x.shape[i] for i in normalize_axes(axis, x.ndim)):  # the sum of nothing has the shape
                return OPERATORS["add"](cast(OPERATORS["sum"](x, axis, keepdims), dtype_of(x)), initial)
            return OPERATORS[combine](OPERATORS[combine[:3]](x, axis, keepdims), initial)
        return reduction(type)(x, axis, keepdims)

    return function


max_, min_ = named(_most("ReduceMax", "maximum"), "max_"), named(_most("ReduceMin", "minimum"), "min_")


def _place(type: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        if axis is None:
            out = ops.reshape(x, (-1,))
            out = function(out, 0)
            return ops.reshape(out, (1,) * x.ndim) if keepdims else out
        at = normalize_axis(axis, x.ndim)
        shape = tuple(1 if i == at else d for i, d in enumerate(x.shape) if keepdims or i != at)
        return cast(emit(type, _widened(x), to="int64", sized=shape, axis=at, keepdims=int(keepdims)), "int32")

    return function


argmax, argmin = named(_place("ArgMax"), "argmax"), named(_place("ArgMin"), "argmin")


@traced
def cumsum(x, axis=None, dtype=None):
    if axis is None:
        return ops.cumsum(ops.reshape(x, (-1,)), 0, dtype)
    require(11, "CumSum")
    return wider(lambda x: emit("CumSum", x, np.array(normalize_axis(axis, x.ndim), "int64")), cast(x, dtype or dtype_of(x)))


@traced
def cumprod(x, axis=None, dtype=None):
    if axis is None:
        return ops.cumprod(ops.reshape(x, (-1,)), 0, dtype)
    rows = ops.moveaxis(cast(x, dtype or dtype_of(x)), axis, 0)
    one = ops.full(sizes_of(rows)[1:], 1, dtype_of(rows))
    _, out = scan(lambda carry, row: (ops.multiply(carry, row),) * 2, one, rows, None, False, 1)
    return ops.moveaxis(out, 0, axis)


def _ranked(x: Any, k: Any, axis: int, largest: bool, sorted: bool = True) -> tuple[Any, Any]:
    """The `k` first values by size and their places; of equal ones the earlier first."""
    dtype, version = dtype_of(x), opset()
    values, inner = _widened(x, _floats_for(11)), _floats_for(11).get(dtype, dtype)
    shape = tuple((UNKNOWN if isinstance(k, Value) else k) if i == axis else d for i, d in enumerate(x.shape))
    turned = not largest and version < 11  # there, TopK knows the largest only
    values = ops.negative(values) if turned else values
    if version < 10:
        values, places = emit("TopK", values, to=[inner, "int64"], axis=axis, k=_static(k, 10, "TopK of an unknown number of elements"))
    else:
        form = {"largest": int(largest), "sorted": int(sorted)} if version >= 11 else {}
        values, places = emit("TopK", values, sizes_vector([k]), to=[inner, "int64"], axis=axis, **form)
    values.shape = places.shape = shape
    return cast(ops.negative(values) if turned else values, dtype), cast(places, "int32")


def _static(d: Any, version: int, what: str) -> int:
    if isinstance(d, Value):
        require(version, what)
    return int(d)


def _sorted(part: int) -> Callable[..., Any]:
    def function(x: Any, axis: Any = -1) -> Any:
        if axis is None:
            return function(ops.reshape(x, (-1,)), 0)
        axis = normalize_axis(axis, x.ndim)
        return _ranked(x, sizes_of(x)[axis], axis, largest=False)[part]

    return function


sort, argsort = named(_sorted(0), "sort"), named(_sorted(1), "argsort")


@traced
def top_k(x, k, sorted=True):
    return _ranked(x, k, x.ndim - 1, True, sorted)


# ---- shaping ----
def _listed(sizes: Any) -> list[Any]:
    """Sizes given as one or as several."""
    return list(sizes) if hasattr(sizes, "__len__") and not isinstance(sizes, Value) else [sizes]


@traced
def reshape(x, newshape):
    new = _listed(newshape)
    empty = any(isinstance(d, int) and d == 0 for d in new)
    if empty:
        require(14, "Reshape to a size of 0")
    else:  # sizes that stay are copied, and one that is not known follows from the rest
        new = [0 if isinstance(d, Value) and d.size and d.size[0] is x and d.size[1] == i else d for i, d in enumerate(new)]
        dynamic = [i for i, d in enumerate(new) if isinstance(d, Value)]
        if len(dynamic) == 1 and not any(isinstance(d, int) and d == -1 for d in new):
            new[dynamic[0]] = -1
    return emit("Reshape", x, sizes_vector(new), allowzero=1 if empty else None)


@traced
def transpose(x, axes=None):
    return _transposed(x, tuple(range(x.ndim))[::-1] if axes is None else normalize_axes(tuple(axes), x.ndim))


@traced
def broadcast_to(x, shape):
    return _spread(x, _listed(shape))


def _spread(x: Any, sizes: Sequence[Any]) -> Any:
    """A tensor of the given sizes, in which `x` is repeated along its axes of size 1 and before them."""
    if opset() >= 8:
        return emit("Expand", x, sizes_vector(sizes))
    new = len(sizes) - x.ndim
    wide = np.reshape(x, (1,) * new + x.shape) if isinstance(x, np.ndarray) else expanded(x, range(new))
    if any(d is UNKNOWN and not (isinstance(n, Value) and n.size and n.size[0] is x) for d, n in zip(wide.shape, sizes, strict=True)):
        require(8, "Expand of unknown sizes")
    return emit("Tile", wide, sizes_vector([n if d == 1 else 1 for d, n in zip(wide.shape, sizes, strict=True)]))


@traced
def concatenate(xs, axis=0):
    return emit("Concat", *xs, axis=normalize_axis(axis, xs[0].ndim))


@traced
def tile(x, repeats):
    times = _listed(repeats)
    rank = builtins.max(x.ndim, len(times))
    times = [*[1] * (rank - len(times)), *times]
    return wider(lambda x: emit("Tile", x, sizes_vector(times)), expanded(x, range(rank - x.ndim)))


@traced
def pad_constant(x, widths, value):
    pads = [low for low, _ in widths] + [high for _, high in widths]

    def pad(x: Any) -> Any:
        kind = dtype_of(x)
        if opset() < 11:
            return emit("Pad", x, pads=[_static(p, 11, "Pad of an unknown width") for p in pads], value=float(value), mode="constant")
        return emit("Pad", x, sizes_vector(pads), cast(value, kind) if is_tensor(value) else np.array(value, eager.np_dtype(kind)), mode="constant")

    return through(_floats_for(11), pad, x)


def _indices(x: Any, size: Any) -> Any:
    """Indices along an axis of the given size as ONNX takes them: in opsets before 11, negative ones are counted from the start."""
    x = x if is_tensor(x) else np.asarray(x, "int32")
    x = x if dtype_of(x) in ("int32", "int64") else cast(x, "int32")
    if opset() >= 11 or (not isinstance(x, Value) and bool(np.all(np.asarray(x) >= 0))):
        return x
    return ops.add(x, ops.multiply(ops.cast(ops.less(x, 0), dtype_of(x)), size()))


@traced
def take(x, indices, axis=None):
    if axis is None:
        return ops.take(ops.reshape(x, (-1,)), indices, 0)
    at = normalize_axis(axis, x.ndim)
    return emit("Gather", x, _indices(indices, lambda: sizes_of(x)[at]), axis=at)


@traced
def take_along_axis(x, indices, axis=None):
    if axis is None:
        return ops.take(x, ops.reshape(indices, (-1,)))
    require(11, "GatherElements")
    at = normalize_axis(axis, x.ndim)

    def fitted(a: Any, b: Any) -> Any:
        """`a`, where it has size 1, as large as `b` along all axes but one."""
        places = [i for i, (d, e) in enumerate(zip(a.shape, b.shape, strict=True)) if i != at and d == 1 and e != 1]
        return ops.broadcast_to(a, [sizes_of(b)[i] if i in places else d for i, d in enumerate(sizes_of(a))]) if places else a

    indices = _indices(indices, lambda: 0)
    return emit("GatherElements", fitted(x, indices), fitted(indices, x), axis=at)


# ---- selection ----
_WHOLE = builtins.slice(None)


def _sliced(x: Any, slices: dict[int, Any]) -> Any:
    """The slices of some axes."""
    if opset() < 10:  # Slice has no steps
        for axis, s in slices.items():
            if s.step not in (None, 1):
                n = _static(sizes_of(x)[axis], 10, "Slice with steps along an axis of unknown size")
                x = ops.take(x, np.arange(n, dtype="int32")[s], axis)
        slices = {axis: s for axis, s in slices.items() if s.step in (None, 1)}
    if not slices:
        return x
    backwards = [isinstance(s.step, int) and s.step < 0 for s in slices.values()]
    starts = [(_LAST if b else 0) if s.start is None else s.start for s, b in zip(slices.values(), backwards, strict=True)]
    ends = [(_FIRST if b else _LAST) if s.stop is None else s.stop for s, b in zip(slices.values(), backwards, strict=True)]
    if opset() < 10:
        starts, ends = ([_static(d, 10, "Slice with unknown bounds") for d in part] for part in (starts, ends))
        ends = [x.shape[i] if end == _LAST and x.shape[i] is not UNKNOWN else end for i, end in zip(slices, ends, strict=True)]  # CNTK counts to 2 ** 31
        return emit("Slice", x, axes=list(slices), starts=starts, ends=ends)
    steps = sizes_vector([1 if s.step is None else s.step for s in slices.values()])
    return emit("Slice", x, sizes_vector(starts), sizes_vector(ends), np.array(list(slices), "int64"), steps)


def _key_parts(x: Any, key: Any) -> list[Any]:
    """What a key has for each axis, and None for new ones: a slice, an integer, or a tensor of integers."""
    parts: list[Any] = []
    for k in key if isinstance(key, tuple) else (key,):
        k = array(k) if isinstance(k, list) else k
        if is_tensor(k) and dtype_of(k) == "bool":
            parts += where(k) if isinstance(k, Value) else [i.astype("int32") for i in np.nonzero(k)]
        else:
            parts.append(int(k) if isinstance(k, (np.ndarray, np.generic)) and not k.ndim else k)
    parts = parts if any(k is ... for k in parts) else [*parts, ...]
    at = next(i for i, k in enumerate(parts) if k is ...)
    used = builtins.sum(k is not None and k is not ... for k in parts)
    parts[at : at + 1] = [_WHOLE] * (x.ndim - used)
    return [np.array(k, "int32") if isinstance(k, int) else k for k in parts] if any(map(is_tensor, parts)) else parts


@traced
def get_item(x, key):
    kept: list[Any] = []  # the axes that stay, None for new ones
    slices: dict[int, Any] = {}
    picks: list[tuple[int, int, int, Any]] = []  # place in the key, how many axes stay before it, axis, and what is picked
    axis = 0
    for place, k in enumerate(_key_parts(x, key)):
        if isinstance(k, builtins.slice):
            slices |= {} if k.start is k.stop is k.step is None else {axis: k}
        elif k is not None:
            picks.append((place, len(kept), axis, k))
        if k is None or isinstance(k, builtins.slice):
            kept.append(None if k is None else axis)
        axis += k is not None
    if not picks or not is_tensor(picks[0][3]):
        single = {axis: builtins.slice(i, i + 1 if i != -1 else None) for _, _, axis, i in picks}
        part = _sliced(x, {**slices, **single})
        if single and opset() < 10:  # where `squeezed` wants to know the shape
            part.shape = tuple(1 if i in single else d if i not in slices else _count(d, slices[i]) for i, d in enumerate(x.shape))
        return expanded(squeezed(part, list(single)), [i for i, d in enumerate(kept) if d is None])
    x = ops.get_item(x, tuple(slices.get(i, _WHOLE) for i in range(x.ndim))) if slices else x
    places, befores, axes, indices = zip(*picks, strict=True)
    at = befores[0] if places[-1] - places[0] == len(places) - 1 else 0  # where NumPy puts what is picked
    if len(picks) == 1:
        out, rank = ops.take(x, indices[0], axes[0]), indices[0].ndim
    else:
        out, rank = _picked(x, axes, indices, builtins.sum(d is not None for d in kept[:at]))
    final = [*kept[:at], *[0] * rank, *kept[at:]]
    return expanded(out, [i for i, d in enumerate(final) if d is None])


def _count(size: Any, part: builtins.slice) -> Any:
    """The size of a slice of an axis."""
    if size is UNKNOWN or any(isinstance(b, Value) for b in (part.start, part.stop, part.step)):
        return UNKNOWN
    return len(range(size)[part])


def _picked(x: Any, axes: Sequence[int], indices: Sequence[Any], before: int) -> tuple[Any, int]:
    """`x` at places along several axes, behind the first `before` other axes; and of how many axes the places are."""
    sizes, rest = sizes_of(x), [i for i in range(x.ndim) if i not in axes]
    place: Any = 0
    for axis, k in zip(axes, indices, strict=True):
        if not isinstance(k, np.ndarray) or (k < 0).any():
            k = ops.where(ops.less(k, 0), ops.add(k, sizes[axis]), k)
        place = ops.add(ops.multiply(place, sizes[axis]), k)
    flat = ops.reshape(ops.transpose(x, (*axes, *rest)), (-1, *(sizes[i] for i in rest)))
    rank = place.ndim
    order = [*range(rank, rank + before), *range(rank), *range(rank + before, rank + len(rest))]
    return ops.transpose(ops.take(flat, place, 0), order), rank


@traced
def slice_(inputs, start_indices, shape):
    if not is_tensor(start_indices):
        slices = {i: builtins.slice(s, s + n) for i, (s, n) in enumerate(zip(start_indices, shape, strict=True))}
        return _sliced(inputs, slices)
    require(10, "Slice with unknown bounds")
    starts = cast(start_indices, "int64")
    return emit("Slice", inputs, starts, ops.add(starts, sizes_vector(shape)), np.arange(inputs.ndim))


@traced
def slice_update(inputs, start_indices, updates):
    sizes, rank = sizes_of(inputs), inputs.ndim
    place: Any = 0
    for i, n in enumerate(sizes_of(updates)):
        along = ops.add(ops.arange(n, dtype="int32"), start_indices[i])
        place = ops.add(ops.multiply(place, sizes[i]), ops.reshape(along, [-1 if j == i else 1 for j in range(rank)]))
    flat = [ops.reshape(x, (-1,)) for x in (inputs, place, cast(updates, dtype_of(inputs)))]
    return ops.reshape(emit("ScatterElements" if opset() >= 11 else "Scatter", *flat, sized=(UNKNOWN,), axis=0), sizes)


def scatter_rows(x, places, updates, reduction=None):
    if not any(isinstance(v, Value) for v in (x, places, updates)):
        return NotImplemented
    if opset() < {None: 11, "add": 16, "mul": 16}.get(reduction, 18):
        return NotImplemented
    rows = sizes_of(x)[0]
    places = ops.where(ops.logical_and(ops.greater_equal(places, 0), ops.less(places, rows)), places, rows)  # a row more takes what has no place
    padded = ops.pad_constant(x, ((0, 1), *((0, 0),) * (x.ndim - 1)), 0)
    indices = ops.cast(ops.expand_dims(places, 1), "int64")
    out = wider(lambda x, u: emit("ScatterND", x, indices, u, sized=padded.shape, reduction=reduction), padded, updates)
    return ops.get_item(out, builtins.slice(None, -1))


# ---- creation ----
@traced
def full(shape, fill_value, dtype=None):
    kind = dtype or dtypes.standardize_dtype(None)
    value = cast(fill_value, kind) if is_tensor(fill_value) else np.array(fill_value, eager.np_dtype(kind))
    sizes = _listed(shape)
    unknown = [d for d in sizes if isinstance(d, Value)]
    plain = opset() >= 10 or kind == "bool" or any(d.size is None or 0 in d.size[0].shape for d in unknown)
    out = _spread(value, sizes) if plain else _filled(value, kind, sizes)
    out.filled = None if is_tensor(fill_value) else fill_value
    return out


def _filled(value: Any, kind: str, sizes: Sequence[Any]) -> Any:
    """What `full` gives where unknown sizes are those of other tensors' axes: for old runtimes, which have neither Shape nor Expand."""
    out: Any = np.zeros([1 if isinstance(d, Value) else d for d in sizes], eager.np_dtype(kind))
    for i, d in enumerate(sizes):
        if isinstance(d, Value):
            x, axis, _ = d.size
            line = ops.get_item(x, tuple(_WHOLE if j == axis else builtins.slice(0, 1) for j in range(x.ndim)))
            some = ops.greater(ops.reshape(line, [-1 if j == i else 1 for j in range(len(sizes))]), 0)
            out = ops.add(ops.cast(ops.logical_and(some, ops.logical_not(some)), kind), out)  # never both, whatever the numbers are
    return ops.add(out, value)


@traced
def arange(start, stop=None, step=None, dtype=None):
    kind = dtype or dtypes.common(start, stop, step)
    inner = {**_WIDER, "float16": "float32"}.get(kind, kind)
    start, stop, step = (0, start, step or 1) if stop is None else (start, stop, step or 1)
    if opset() >= 11:
        bounds = (cast(b, inner) if is_tensor(b) else np.array(b, inner) for b in (start, stop, step))
        return cast(emit("Range", *bounds, to=inner, sized=(UNKNOWN,)), kind)
    if kind not in dtypes.INTEGERS:
        require(11, "Range")
    count = ops.floor_divide(stop - start + (step - 1), step)
    places = squeezed(emit("NonZero", ops.full((count,), 1, "int32"), to="int64"), [0])
    places.shape = (UNKNOWN,)
    return ops.cast(ops.add(ops.multiply(places, step), start), kind)


# ---- products ----
@traced
def matmul(x1, x2):
    if opset() < 10 and x2.ndim == 2 and UNKNOWN in x1.shape[1:-1] and x1.shape[0] is not UNKNOWN:  # CNTK wants the batch's axis in front
        at = x1.shape.index(UNKNOWN)
        return ops.moveaxis(ops.matmul(ops.moveaxis(x1, at, 0), x2), 0, at)
    return through(_floats_for(9), lambda *xs: emit("MatMul", *xs), x1, x2)


def einsum(subscripts, *operands):
    if not any(isinstance(x, Value) for x in operands):
        return eager.einsum(subscripts, *operands)
    if opset() < 12:
        return _as_product(subscripts.replace(" ", ""), *operands)
    return wider(lambda *xs: emit("Einsum", *xs, equation=subscripts.replace(" ", "")), *operands)


def _as_product(subscripts: str, *operands: Any) -> Any:
    """What Einsum computes of two tensors, as a product of matrices."""
    inputs, arrow, out = subscripts.partition("->")
    terms, lone = inputs.split(","), {c for c in inputs if inputs.count(c) == 1} - {",", *out}
    if not arrow or "." in subscripts or len(terms) != 2 or lone or any(len(set(term)) < len(term) for term in terms):
        require(12, "Einsum")
    left, right = terms
    size = {c: n for term, x in zip(terms, operands, strict=True) for c, n in zip(term, sizes_of(x), strict=True)}
    rows, columns = ([c for c in t if c not in other] for t, other in ((left, right), (right, left)))
    batch, inner = ([c for c in left if c in right and (c in out) is kept] for kept in (True, False))

    def matrix(x: Any, term: str, *groups: list[str]) -> Any:
        turned = ops.transpose(x, [term.index(c) for c in (*batch, *groups[0], *groups[1])])
        return ops.reshape(turned, [*(size[c] for c in batch), *(size_of([size[c] for c in group]) for group in groups)])

    product = ops.matmul(matrix(operands[0], left, rows, inner), matrix(operands[1], right, inner, columns))
    found = [*batch, *rows, *columns]
    return ops.transpose(ops.reshape(product, [size[c] for c in found]), [found.index(c) for c in out])


@traced
def det(x):
    return wider(lambda x: emit("Det", x), x) if opset() >= 11 else NotImplemented


# ---- neural networks ----
@traced
def relu(x):
    return elementwise("Relu")(x) if dtypes.is_float(dtype_of(x)) else NotImplemented


def _normalized(type: str) -> Callable[..., Any]:
    def function(x: Any, axis: Any = -1) -> Any:
        if not isinstance(axis, int) or (opset() < 13 and normalize_axis(axis, x.ndim) != x.ndim - 1):  # there it is over all axes from `axis` on
            return NotImplemented
        return wider(lambda x: emit(type, x, axis=normalize_axis(axis, x.ndim)), x)

    return function


softmax, log_softmax = named(_normalized("Softmax"), "softmax"), named(_normalized("LogSoftmax"), "log_softmax")


@traced
def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **options):
    axes = tuple(sorted(normalize_axes(axis, x.ndim)))
    shape = x.shape[axes[0] :]
    lacking = options or opset() < 17 or axes != tuple(range(axes[0], x.ndim)) or not known(shape)
    if lacking or any(p is not None and (tuple(p.shape) != shape or dtype_of(p) != x.dtype) for p in (gamma, beta)):
        return NotImplemented
    gamma = np.ones(shape, eager.np_dtype(dtype_of(x))) if gamma is None else gamma
    settings = {"axis": axes[0], "epsilon": float(config.epsilon() if epsilon is None else epsilon)}
    return wider(lambda *xs: emit("LayerNormalization", *xs, **settings), x, gamma, *([] if beta is None else [beta]))


def _over_windows(type: str, x: Any, plan: windows.Windows, *weights: Any, **attributes: Any) -> Any:
    """A node that slides windows over `x`, which it wants with the channels first."""
    x = ops.transpose(x, windows.FIRST[plan.rank]) if plan.last else x
    if type != "ConvTranspose":
        dynamic = any(p is UNKNOWN for pair in plan.pads for p in pair)
        attributes |= {"auto_pad": "SAME_UPPER"} if dynamic else {"pads": [before for before, _ in plan.pads] + [behind for _, behind in plan.pads]}
    table = _SLIDING if opset() < 8 else _KERNELS[type]  # kernels of old operators are for float32
    out = through(table, lambda *xs: emit(type, *xs, kernel_shape=list(plan.size), strides=list(plan.strides), **attributes), x, *weights)
    return emit("Transpose", out, perm=list(windows.LAST[plan.rank])) if plan.last else out


_SLIDING = {**_WIDER, **dict.fromkeys(dtypes.INTEGERS, "float32")}  # exact below 2 ** 24
_KERNELS = {"Conv": _SLIDING, "ConvTranspose": _SLIDING, "MaxPool": {**_SLIDING, **dict.fromkeys(dtypes.INTEGERS, "float64")}, "AveragePool": _SLIDING}


def _convolved(inputs: Any, kernel: Any, bias: Any, *options: Any) -> Any:
    plan = windows.conv(tuple(inputs.shape), tuple(kernel.shape), *options)
    weights = ops.transpose(kernel, (plan.rank + 1, plan.rank, *range(plan.rank)))
    return _over_windows("Conv", inputs, plan, weights, *([] if bias is None else [bias]), group=plan.groups, dilations=list(plan.dilation))


@traced
def conv(inputs, kernel, *options):
    return _convolved(inputs, kernel, None, *options)


@traced
def biased_conv(inputs, kernel, bias, *options):
    return _convolved(inputs, kernel, bias, *options)


@traced
def conv_transpose(inputs, kernel, *options):
    shape = tuple(inputs.shape)
    rank = len(kernel.shape) - 2
    # How much is cut off does not depend on the sizes.
    spatial = range(1, rank + 1) if windows.channels_last(options[3] if len(options) > 3 else None) else range(2, rank + 2)
    plan = windows.conv_transpose(tuple(9 if d is UNKNOWN and i in spatial else d for i, d in enumerate(shape)), tuple(kernel.shape), *options)
    weights = ops.transpose(kernel, (rank + 1, rank, *range(rank)))
    pads = [before for before, _ in plan.pads] + [builtins.max(behind, 0) for _, behind in plan.pads]
    added = [builtins.max(-behind, 0) for _, behind in plan.pads]
    return _over_windows("ConvTranspose", inputs, plan, weights, dilations=list(plan.dilation), pads=pads, output_padding=added)


@traced
def max_pool(inputs, *options):
    return _over_windows("MaxPool", inputs, windows.pool(tuple(inputs.shape), *options))


@traced
def average_pool(inputs, *options):
    return _over_windows("AveragePool", inputs, windows.pool(tuple(inputs.shape), *options))


# ---- branches and loops ----
def close(graph: Graph, out: Any) -> None:
    """Make the tensors in `out` the outputs of the graph that is being built, each of a node of its own."""
    own = {id(x) for node in graph.nodes for x in node.outputs}
    for x in tree.flatten(out):
        if x is not None:
            x = x if id(x) in own else emit("Identity", x, sized=x.shape)
            own.discard(id(x))
            graph.outputs.append(x)


def _present(structure: Any) -> list[Any]:
    return [array(x) for x in tree.flatten(structure) if x is not None]


def _like(new: Any, old: Any) -> Any:
    """The tensors in the dtypes of others."""
    return tree.map_structure(lambda x, y: x if x is None else cast(array(x), dtype_of(y)), new, old)


def scan(f: Any, init: Any, xs: Any, count: Any, reverse: bool, unroll: Any) -> Any:
    require(9, "Scan")
    carried, rows = _present(init), _present(xs) or [np.arange(count)]
    body = Graph(opset(), current.graph)
    with building(body):
        before = refilled(init, [body.input(dtype_of(x), x.shape) for x in carried])
        after, y = f(before, refilled(xs, [body.input(dtype_of(x), x.shape[1:]) for x in rows]))
        close(body, (_like(after, before), y))
    form = {"scan_input_directions": [1] * len(rows), "scan_output_directions": [1] * (len(body.outputs) - len(carried))} if reverse else {}
    outs = emit("Scan", *carried, *rows, to=[dtype_of(x) for x in body.outputs], body=body, num_scan_inputs=len(rows), **form)
    length = rows[0].shape[0]
    for i, (x, inner) in enumerate(zip(outs, body.outputs, strict=True)):
        x.shape = carried[i].shape if i < len(carried) else (length, *inner.shape)
    return refilled(init, outs[: len(carried)]), refilled(y, outs[len(carried) :])


def while_loop(goes_on: Any, step: Any, variables: Any) -> Any:
    start = _present(variables)
    body = Graph(opset(), current.graph)
    with building(body):
        body.input("int64", ())
        body.input("bool", ())
        before = refilled(variables, [body.input(dtype_of(x), x.shape) for x in start])
        after = _like(step(*before), before)
        close(body, (ops.reshape(array(goes_on(*after)), ()), after))
    outs = emit("Loop", None, array(goes_on(*variables)), *start, to=[dtype_of(x) for x in body.outputs[1:]], body=body)
    for x, inner in zip(outs, start, strict=True):
        x.shape = inner.shape
    return refilled(variables, outs)


def cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    branches, results = [], []
    for fn in (true_fn, false_fn):
        branches.append(Graph(opset(), current.graph))
        with building(branches[-1]):
            results.append(fn())
            close(branches[-1], results[-1])
    first, second = (b.outputs for b in branches)
    outs = emit("If", cast(pred, "bool"), to=[dtype_of(x) for x in first], then_branch=branches[0], else_branch=branches[1])
    for x, a, b in zip(outs, first, second, strict=True):
        x.shape = tuple(d if d == e else UNKNOWN for d, e in zip(a.shape, b.shape, strict=True))
    return refilled(results[0], outs)


# ---- random: drawn anew at each run ----
def _seed(key: Any) -> float:
    return float(eager.draw_integers(key, (), 0, 2**24, "int32"))


def _drawn(type: str) -> Callable[..., Any]:
    def draw(key: Any, shape: Any, dtype: str) -> Any:
        return emit(type, to=dtype, sized=shape, shape=[int(d) for d in shape], seed=_seed(key))

    return draw


draw_uniform, draw_normal = _drawn("RandomUniform"), _drawn("RandomNormal")


def draw_integers(key, shape, low, high, dtype):
    return ops.cast(ops.add(ops.floor(ops.multiply(draw_uniform(key, shape, "float64"), float(high - low))), float(low)), dtype)


def draw_dropout(key, x, rate, shape):
    if tuple(shape) == tuple(x.shape):
        noise = emit("RandomUniformLike", x, sized=x.shape, seed=_seed(key))
    else:
        noise = draw_uniform(key, shape, dtype_of(x))
    return ops.where(ops.greater_equal(noise, rate), ops.true_divide(x, 1 - rate), 0)


def _no_draw(kind: str) -> Callable[..., Any]:
    def draw(*_: Any) -> Any:
        raise BackendError(f"ONNX has no {kind} distribution.", fix="draw the numbers outside of the model, and pass them as an input")

    return draw


draw_gamma, draw_binomial = _no_draw("gamma"), _no_draw("binomial")
