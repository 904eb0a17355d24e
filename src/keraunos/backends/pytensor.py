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

import contextlib
import functools
import math
import os
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraunos.backends import _numpy_api, _tracing
from keraunos.backends import numpy as eager
from keraunos.backends._tracing import Pending, named, ops, refilled
from keraunos.core import dtypes, tree, windows
from keraunos.core.errors import ArgumentTypeError, BackendError, SymbolicError
from keraunos.core.spec import OPERATORS, UNKNOWN, Spec, known, normalize_axes, normalize_axis

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that there is no BLAS for C: products are NumPy's then
    import pytensor
    import pytensor.tensor as pt
    from pytensor.compile.mode import Mode, get_mode
    from pytensor.gradient import DisconnectedType, disconnected_grad, pullback
    from pytensor.graph.basic import Apply, Constant, Variable
    from pytensor.graph.op import Op
    from pytensor.graph.replace import graph_replace
    from pytensor.graph.rewriting.basic import MergeOptimizer, SequentialGraphRewriter, in2out, node_rewriter
    from pytensor.graph.traversal import toposort
    from pytensor.ifelse import ifelse
    from pytensor.link.vm import VMLinker
    from pytensor.tensor.elemwise import Elemwise
    from pytensor.tensor.rewriting.basic import register_canonicalize

    _ = pytensor.config.blas__ldflags

name = "pytensor"
kinds: dict[type, int] = {}
float_dtypes = {*eager.float_dtypes, "float16", "float32", "float64"}
strict_dtypes: frozenset[str] = frozenset()


class Traced(Pending):
    """A tensor that a function being traced computes.

    Args:
        variable: PyTensor's variable.
        shape: Its sizes; by default those that PyTensor knows.
    """

    __slots__ = ("__weakref__", "dtype", "shape", "variable")

    def __init__(self, variable: Any, shape: Any = None):
        self.variable, self.dtype = variable, variable.dtype
        self.shape = tuple(UNKNOWN if d is None else d for d in (variable.type.shape if shape is None else shape))

    def sum(self) -> Any:
        """The sum of all elements."""
        return OPERATORS["sum"](self)


pt.basic._as_tensor_variable.register(Traced, lambda x, *_, **__: x.variable)


class _State(threading.local):
    depth = 0  # how many functions are being traced, one within another
    mode: Any = "PLAIN"  # how the outermost will be compiled


_state = _State()
_compiling = threading.RLock()  # PyTensor compiles for one thread at a time
_PLAIN = "PLAIN"
_settings = {"mode": os.environ.get("KERAUNOS_PYTENSOR_MODE") or _PLAIN}


def set_mode(mode: Any) -> None:
    """Say how programs are compiled from now on.

    Args:
        mode: "PLAIN" (the default: NumPy takes the steps of the graph one by one, at once), "NUMBA" (machine code, several times faster for small
            tensors, but minutes of compilation for large models), "CVM" (C, needs a compiler), "JAX", or what else `pytensor.function` takes.
            The environment variable `KERAUNOS_PYTENSOR_MODE` sets it from the start. `jit_compile=True` means "NUMBA" where this is "PLAIN".
    """
    _settings["mode"] = mode


def mode() -> Any:
    """How programs are compiled."""
    return _settings["mode"]


@node_rewriter([Elemwise])
def _at_once(fgraph: Any, node: Any) -> Any:
    """Casts and fills as NumPy's, which PyTensor's own interpreter makes element by element."""
    (out,), kind = node.outputs, node.op.scalar_op.__class__.__name__
    if kind == "Identity":  # a copy that only kept two expressions apart
        return node.inputs
    if kind == "Second":
        value, shape = node.inputs[1], out.type.shape
        return [value if value.type.shape == shape and None not in shape else pt.alloc(value, *node.inputs[0].shape)]
    if kind == "Cast" and out.type.shape == node.inputs[0].type.shape:
        return [_Numbers(lambda x: x.astype(out.dtype), [Spec(out.type.shape, out.dtype)])(*node.inputs)]
    return None


@functools.cache
def _plain() -> Any:
    return Mode(
        linker=VMLinker(use_cloop=False, c_thunks=False), optimizer=SequentialGraphRewriter(in2out(_without_custom, _at_once, name="at_once"), MergeOptimizer())
    )


def _mode_of(chosen: Any) -> Any:
    return _plain() if chosen == _PLAIN else get_mode(chosen)


# ---- what every engine provides ----
stateful, forward, concrete = False, contextlib.nullcontext, contextlib.nullcontext
devices, synchronize, seed_state, indices = eager.devices, eager.synchronize, eager.seed_state, eager.indices


def is_tensor(x: Any) -> bool:
    return isinstance(x, (Traced, np.ndarray, np.generic))


def is_traced(x: Any) -> bool:
    return isinstance(x, Traced)


def tracing() -> bool:
    return _state.depth > 0


def dtype_of(x: Any) -> str:
    return x.dtype if isinstance(x, Traced) else eager.dtype_of(x)


def to_numpy(x: Any) -> Any:
    if isinstance(x, Traced):
        raise SymbolicError("A tensor of a function that is being traced has no value yet.", received=repr(x), fix="return it from the function")
    return eager.to_numpy(x)


def _available(dtype: str) -> str:
    if dtype.startswith(("bfloat", "float8")):
        raise BackendError(f"The pytensor backend has no dtype {dtype}.", fix="use float32, or float16")
    return dtype


def array(x: Any, dtype: str | None = None) -> Any:
    if isinstance(x, Variable):
        x = Traced(x)
    if isinstance(x, Traced):
        return x if dtype is None else cast(x, dtype)
    if isinstance(x, (list, tuple)) and any(isinstance(y, (Traced, Variable)) for y in tree.flatten(x)):
        stacked = OPERATORS["stack"]([array(y) for y in x])
        return stacked if dtype is None else cast(stacked, dtype)
    x = eager.array(x, _available(dtype) if dtype else None)
    _available(x.dtype.name)
    return x


def cast(x: Any, dtype: str) -> Any:
    _available(dtype)
    return Traced(_cast(x.variable, dtype)) if isinstance(x, Traced) else eager.cast(x, dtype)


def slot(value: Any, trainable: bool) -> Any:
    return value if isinstance(value, Traced) else np.array(value)  # a copy: steps change the values of variables in place


def store(old: Any, new: Any, trainable: bool) -> Any:
    return slot(new, trainable)


def settled(out: Any, spec: Callable[[], Any]) -> Any:
    """The result, told the sizes that the op's rule infers and PyTensor does not."""
    found = tree.flatten(out)
    if all(known(x.shape) for x in found if isinstance(x, Traced)):
        return out
    for x, s in zip(found, tree.flatten(spec()), strict=True):
        if isinstance(x, Traced) and not known(x.shape):
            x.shape = tuple(b if a is UNKNOWN else a for a, b in zip(x.shape, s.shape, strict=True))
            x.variable = pt.specify_shape(x.variable, [None if d is UNKNOWN else d for d in x.shape])
    return out


def dim(x: Any, axis: int) -> Any:
    return Traced(pt.cast(x.variable.shape[axis], "int32"))


def rows(x: Any, places: Any) -> Any:
    return get_item_(x, places)


# ---- tracing ----
@contextlib.contextmanager
def _tracing_by(chosen: Any = None) -> Any:
    former, _state.depth, _state.mode = _state.mode, _state.depth + 1, chosen or _state.mode
    try:
        yield
    finally:
        _state.depth, _state.mode = _state.depth - 1, former


def _input(x: Any) -> Any:
    """A new input of the shape and dtype of `x`."""
    return pt.tensor(dtype=x.dtype, shape=tuple(None if d is UNKNOWN else d for d in x.shape))


def _variable(x: Any) -> Any:
    return x.variable if isinstance(x, Traced) else pt.as_tensor_variable(x)


def _called(fn: Any, *args: Any) -> Any:
    """The result of a function that may have used PyTensor's own."""
    return tree.map_structure(lambda x: Traced(x) if isinstance(x, Variable) else x, fn(*args))


def _evaluated(structure: Any, given: Sequence[Any], values: Sequence[Any]) -> Any:
    """The structure with the values of what is traced in it, for values of the inputs."""
    leaves = tree.flatten(structure)
    wanted = [x.variable for x in leaves if isinstance(x, Traced)]
    with _compiling, np.errstate(all="ignore"):
        found = iter(pytensor.function(list(given), wanted, mode=_plain(), on_unused_input="ignore", trust_input=True)(*map(np.asarray, values)))
    return tree.pack_sequence_as(structure, [np.asarray(next(found)) if isinstance(x, Traced) else x for x in leaves])


def differentiate(fn: Any, values: Any) -> Any:
    values = list(values)
    if inside := tracing():  # the gradient is by these alone, whatever else the result depends on through them
        inputs = [pt.tensor_copy(_variable(x)) for x in values]
    else:
        inputs = [_input(np.asarray(x)) for x in values]
    with _tracing_by():
        loss, aux = _called(fn, [Traced(x) for x in inputs])
        if tuple(loss.shape):
            raise ArgumentTypeError("Only a scalar can be differentiated.", received=f"a tensor of shape {tuple(loss.shape)}", fix="take its sum or mean")
        gradients = _gradients(loss, inputs)
    out = (loss, aux), gradients
    return out if inside else _evaluated(out, inputs, values)


def _gradients(loss: Any, inputs: Sequence[Any]) -> list[Any]:
    smooth = [x for x in inputs if x.dtype in dtypes.FLOATS or x.dtype in dtypes.COMPLEX]
    if isinstance(loss, Traced) and dtypes.is_float(loss.dtype) and smooth:
        with _compiling, pytensor.config.change_flags(floatX="float64" if loss.dtype == "float64" else "float32"):
            found = pytensor.grad(loss.variable, smooth, disconnected_inputs="ignore", return_disconnected="zero")
    else:
        found = [pt.zeros_like(x) for x in smooth]
    by_input = dict(zip(map(id, smooth), found, strict=True))
    return [Traced(_cast(by_input[id(x)], x.dtype) if id(x) in by_input else pt.zeros_like(x), x.type.shape) for x in inputs]


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    chosen = _PLAIN if jit_compile is False else "NUMBA" if jit_compile and _settings["mode"] == _PLAIN else _settings["mode"]
    programs: dict[Any, _Compiled] = {}

    def run(*args: Any) -> Any:
        leaves = [x if x is None or x.__class__ is np.ndarray else np.asarray(array(x)) for x in tree.flatten(args)]
        key = tree.form(args), tuple([None if x is None else (x.dtype, x.shape) for x in leaves])
        program = programs.get(key)
        if program is None:
            with _compiling:
                program = programs.get(key) or programs.setdefault(key, _Compiled(fn, args, leaves, donate, chosen))
        return program(leaves)

    return run


class _Compiled:
    """A function, compiled for arguments of one structure, of these shapes and dtypes.

    Args:
        fn: The function.
        args: The arguments, and `leaves` in them.
        donate: Whether the tensors of the first argument may be overwritten.
        chosen: How it is compiled.
    """

    def __init__(self, fn: Any, args: Any, leaves: list[Any], donate: bool, chosen: Any):
        self.lock = threading.RLock()
        self.places = [i for i, x in enumerate(leaves) if x is not None]
        inputs = {i: _input(leaves[i]) for i in self.places}
        with _tracing_by(chosen):
            out = _called(fn, *tree.pack_sequence_as(args, [Traced(inputs[i]) if i in inputs else None for i in range(len(leaves))]))
        given = len(tree.flatten(args[0])) if donate else 0
        place_of = {id(x): i for i, x in inputs.items()}
        self.form, self.sources, wanted, passed = tree.form(out), [], [], set()
        for x in tree.flatten(out):  # what is not computed does not go through the program: arguments that come back, and constants
            place = place_of.get(id(x.variable)) if isinstance(x, Traced) else None
            if place is not None:
                self.sources.append((place, None, place < given and place not in passed))
                passed.add(place)
            else:
                self.sources.append((None, x, isinstance(x, Traced)))
                wanted += [x.variable] if isinstance(x, Traced) else []
        ins = [pytensor.In(x, mutable=i < given and i not in passed, borrow=True) for i, x in inputs.items()]
        self.function = pytensor.function(ins, wanted, mode=_mode_of(chosen), on_unused_input="ignore", trust_input=True)

    def __call__(self, leaves: list[Any]) -> Any:
        with self.lock, np.errstate(all="ignore"):
            computed = iter(self.function(*[leaves[i] for i in self.places]))
        out = []
        for place, constant, own in self.sources:
            if place is not None:
                out.append(leaves[place] if own else np.array(leaves[place]))
            elif own:
                out.append(np.asarray(next(computed)))
            else:
                out.append(np.array(constant) if is_tensor(constant) else constant)
        return tree.pack(self.form, out)


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with _tracing_by():
        return _called(fn, *(Traced(pt.tensor(dtype=d, shape=s)) for s, d in zip(shapes, specs_dtypes, strict=True)))


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


def _cast(x: Any, dtype: str) -> Any:
    if x.dtype == dtype:
        return x
    if x.dtype in dtypes.COMPLEX and dtype not in dtypes.COMPLEX:
        x = pt.real(x)
    return pt.neq(x, 0) if dtype == "bool" else pt.cast(x, dtype)


def _alike(xs: Sequence[Any]) -> tuple[list[Any], str]:
    """The arguments as variables of one dtype, that of the tensors among them; and the dtype."""
    dtype = str(next(x.dtype for x in xs if hasattr(x, "dtype")))
    return [pt.as_tensor_variable(x if isinstance(x, Variable) else np.asarray(x, dtype)) for x in xs], dtype


def _wide(function: Callable[..., Any], *xs: Any) -> Any:
    """`function` of tensors, with float16 computed in float32."""
    if xs[0].dtype != "float16":
        return function(*xs)
    return _cast(function(*(_cast(x, "float32") for x in xs)), "float16")


# ---- elementwise ----
def _elementwise(function: Callable[..., Any], of_bools: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """`function` of tensors and scalars, whose result has the dtype of its arguments; `of_bools` where those are bools."""

    def run(*xs: Any) -> Any:
        xs, dtype = _alike(xs)
        return _cast((of_bools if of_bools and dtype == "bool" else function)(*xs), dtype)

    return run


def _test(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *xs: _cast(function(*_alike(xs)[0]), "bool")


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
    wide = _cast(x, "float32" if x.dtype == "float16" else x.dtype if x.dtype in dtypes.FLOATS else "float64")
    scale = np.asarray(scale, wide.dtype)
    near = pt.round(wide * scale if decimals > 0 else wide / scale if decimals else wide, mode="half_to_even")
    return _cast(near / scale if decimals > 0 else near * scale if decimals else near, x.dtype)


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
    condition = _cast(condition if isinstance(condition, Variable) else pt.as_tensor_variable(np.asarray(condition)), "bool")
    if x1 is None and x2 is None:
        return tuple(_cast(i, "int32") for i in pt.nonzero(condition))
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
    return _cast(x * pt.as_tensor_variable(powers)[y], dtype)


@traced
def right_shift_(x, y):
    (x, y), dtype = _alike((x, y))
    wide = dtype if dtypes.BITS[dtype] == 64 else "int64"
    powers = 2 ** np.arange(dtypes.BITS[dtype] - (dtype == "int64"), dtype=wide)
    return _cast(pt.int_div(_cast(x, wide), pt.as_tensor_variable(powers)[y]), dtype)


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
        return _cast(function(x, axes, keepdims), x.dtype) if axes else x

    return run


@traced
def mean_(x, axis=None, keepdims=False):
    axes = _axes(x, axis)
    if not axes:
        return x
    sizes = [x.type.shape[i] for i in axes]
    total = pt.sum(_cast(x, "float32") if x.dtype == "float16" else x, axes, keepdims=keepdims)
    count = math.prod(x.shape[i] for i in axes) if None in sizes else math.prod(sizes)
    count = _cast(count, total.dtype) if isinstance(count, Variable) else np.asarray(count, total.dtype)
    return _cast(total / count, x.dtype)


@traced
def prod_(x, axis=None, keepdims=False, dtype=None):
    x, axes = _cast(x, dtype) if dtype else x, _axes(x, axis)
    return _cast(pt.prod(x, axes, dtype=x.dtype, keepdims=keepdims), x.dtype) if axes else x


def _as_number(x: Any) -> Any:
    return _cast(x, "int8") if x.dtype == "bool" else x


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        axes = _axes(x, axis)
        if not axes:
            return x
        if initial is not None:  # beside the elements, of which there may be none
            value = initial if isinstance(initial, Variable) else np.asarray(initial, x.dtype)
            x = pt.join(axes[0], x, pt.alloc(value, *(1 if i == axes[0] else x.shape[i] if d is None else d for i, d in enumerate(x.type.shape))))
        top = _cast(function(_as_number(x), axes, keepdims=True), x.dtype)
        if x.dtype in dtypes.FLOATS:  # PyTensor's gradient counts each of equal ones in full
            top = _Custom(lambda upstream: [Traced(_shared_out(upstream.variable, x, top, axes))], 1)(x, top)
        return top if keepdims else top.dimshuffle([i for i in range(x.ndim) if i not in axes])

    return run


def _shared_out(upstream: Any, x: Any, top: Any, axes: Sequence[int]) -> Any:
    """The gradient of an extreme, in equal parts to the elements that have its value."""
    chosen = _cast(pt.eq(x, top), x.dtype)
    return upstream * chosen / _cast(pt.sum(chosen, axes, keepdims=True), x.dtype)


_op("sum", _reduction(lambda x, axes, keepdims: pt.sum(x, axes, dtype=x.dtype, keepdims=keepdims)))
_op("any", _reduction(lambda x, axes, keepdims: pt.any(x, axes, keepdims=keepdims)))
_op("all", _reduction(lambda x, axes, keepdims: pt.all(x, axes, keepdims=keepdims)))
_op("max", _extreme(pt.max))
_op("min", _extreme(pt.min))


def _place_of_largest(x: Any, axis: Any, keepdims: bool) -> Any:
    return _cast(pt.argmax(_as_number(x), axis, keepdims=keepdims), "int32")


@traced
def argmax_(x, axis=None, keepdims=False):
    return _place_of_largest(x, axis, keepdims)


@traced
def argmin_(x, axis=None, keepdims=False):
    return _place_of_largest(-x if x.dtype in dtypes.FLOATS else ~x, axis, keepdims)


def _running(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any, axis: Any = None, dtype: Any = None) -> Any:
        x, axis = (x.flatten(), 0) if axis is None else (x, normalize_axis(axis, x.ndim))
        dtype = dtype or x.dtype
        wide = "float32" if dtype == "float16" else dtype if dtype not in dtypes.INTEGERS else "uint64" if dtype[0] == "u" else "int64"
        return _cast(function(_cast(x, wide), axis), dtype)  # NumPy widens integers, of which PyTensor says nothing

    return run


_op("cumsum", _running(pt.cumsum))
_op("cumprod", _running(pt.cumprod))


@traced
def argsort_(x, axis=-1):
    x, axis = (x.flatten(), 0) if axis is None else (x, axis)
    return _cast(pt.argsort(x, axis, stable=True), "int32") if x.ndim else pt.zeros((), "int32")


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
        x = (
            x
            if count == 1
            else pt.join(axis, *[x] * count)
            if count.__class__ is int and count
            else pt.tile(x, [count if i == axis else 1 for i in range(x.ndim)])
        )
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
    value = _cast(fill_value, dtype) if isinstance(fill_value, Variable) else np.asarray(fill_value, _available(dtype))
    return pt.alloc(value, *_sizes(shape))


@traced
def arange_(start, stop=None, step=None, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    dtype = dtype or dtypes.result_type(*(getattr(x, "dtype", type(x)) for x in (start, stop, step) if x is not None))
    return _cast(pt.arange(start, stop, 1 if step is None else step), dtype)


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
    return pt.set_subtensor(block, _cast(updates, inputs.dtype))


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
        return out.reshape(
            (*(r if d is None else d for r, d in zip(rows, a.type.shape, strict=False)), b.shape[1] if b.type.shape[1] is None else b.type.shape[1])
        )
    return _cast(pt.dot(a, b) if max(a.ndim, b.ndim) <= 2 else pt.matmul(a, b), a.dtype)


@traced
def tensordot_(x1, x2, axes=2):
    (x1, x2), dtype = _alike((x1, x2))
    axes = axes if isinstance(axes, int) else [[a % x.ndim for a in ([one] if isinstance(one, int) else one)] for one, x in zip(axes, (x1, x2), strict=True)]
    return _cast(_wide(lambda a, b: pt.tensordot(a, b, axes), x1, x2), dtype)


@traced
def einsum_(subscripts, *operands):
    (*operands,), dtype = _alike(operands)
    return _cast(_wide(lambda *xs: pt.einsum(subscripts.replace(" ", ""), *xs), *operands), dtype)


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
    return Traced(_Custom(lambda upstream: [Traced(pullback(smooth, x.variable, upstream.variable))], 1)(x.variable, lu.variable)), pivots


@traced
def svd_(x, full_matrices=True, compute_uv=True):
    out = pt.linalg.svd(x, full_matrices and x.type.shape[-1] != x.type.shape[-2], compute_uv)
    return tuple(out) if compute_uv else out


# ---- neural networks ----
def _added(frame: Any, places: Any, x: Any) -> Any:
    """`frame`, with `x` added to it at some places."""
    return Traced(pt.inc_subtensor(_variable(frame)[places], _variable(x)))


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
class _Numbers(Op):
    """A function of arrays, which is called when the program runs.

    Args:
        function: The function.
        specs: The specs of its results.
        own: What it is called where its gradient is asked for, which it has not.
    """

    def __init__(self, function: Callable[..., Any], specs: Sequence[Any], own: str = ""):
        self.function, self.specs, self.own = function, specs, own

    def make_node(self, *inputs: Any) -> Any:
        return Apply(self, list(inputs), [_input(s) for s in self.specs])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        with np.errstate(all="ignore"):
            out = self.function(*inputs)
        for cell, x, variable in zip(output_storage, tree.flatten(out), node.outputs, strict=True):
            cell[0] = np.asarray(x, variable.dtype)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[x.dtype in dtypes.FLOATS and y.dtype in dtypes.FLOATS for y in node.outputs] for x in node.inputs]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        raise BackendError(f"The pytensor backend has no gradient of {self.own}.", fix="use ops.stop_gradient, or another backend")


def _by_numbers(function: Callable[..., Any], out: Any, args: Sequence[Any], own: str) -> Any:
    """`function` of the arguments, computed when the program runs; `out` is the specs of its results."""
    leaves = tree.flatten(list(args))
    places = [i for i, x in enumerate(leaves) if isinstance(x, Traced)]

    def run(*values: Any) -> Any:
        given = dict(zip(places, values, strict=True))
        return function(*tree.pack_sequence_as(list(args), [given.get(i, x) for i, x in enumerate(leaves)]))

    found = _Numbers(run, tree.flatten(out), own)(*[leaves[i].variable for i in places], return_list=True)
    return tree.pack_sequence_as(out, [Traced(x) for x in found])


def _numeric(own: str) -> Callable[..., Any]:
    """A primitive as numbers; of a composite, the body is traced instead."""

    def symbolic(*args: Any) -> Any:
        op = OPERATORS[own].op if own in OPERATORS else None
        if op is None or op.shape is None:
            return NotImplemented
        return _by_numbers(eager.__dict__.get(f"{own}_") or eager.__dict__[own], op.spec(args, {}, abstract=True), args, f"ops.{own}")

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
                _available(x)
        return function(*args)

    return run


for _name in "full arange prod cumsum cumprod view".split():
    globals()[f"{_name}_"] = _refusing(globals()[f"{_name}_"])


# ---- control flow ----
def _flat(structure: Any) -> list[Any]:
    """The tensors in a structure, as variables."""
    return [_variable(x) for x in tree.flatten(structure) if x is not None]


def cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    first, second = true_fn(), false_fn()
    if not _flat(first):
        return first
    return refilled(first, map(Traced, ifelse(_variable(pred), _flat(first), _flat(second))))


def _inner(fn: Callable[..., Any], likes: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    """The graph of a loop's body: its inputs (variables as `likes`), its results, and what it takes from outside of the loop."""
    inputs = [pt.tensor(dtype=x.dtype, shape=x.shape) for x in likes]
    with _tracing_by():
        results = fn(*inputs)
    within, outside = {id(x) for x in inputs}, {}
    for node in toposort(results):
        if any(id(x) in within for x in node.inputs):
            within.update(map(id, node.outputs))
            outside.update({id(x): x for x in node.inputs if id(x) not in within})
    outside.update({id(x): x for x in results if id(x) not in within})
    return inputs, results, [x for x in outside.values() if not isinstance(x, Constant)]


def _fitted(x: Any, like: Any) -> Any:
    """A variable of the type of another."""
    return pt.specify_shape(_cast(x, like.dtype), like.type.shape) if like.ndim else _cast(x, like.dtype)


def scan(f: Any, init: Any, xs: Any, count: Any, reverse: bool, unroll: Any) -> Any:
    rows, start, y = _flat(xs), _flat(init), None

    def step(*variables: Any) -> Any:
        nonlocal y
        carry, y = f(refilled(init, map(Traced, variables[len(rows) :])), refilled(xs, map(Traced, variables[: len(rows)])))
        return [_fitted(x, s) for x, s in zip(_flat(carry), start, strict=True)] + _flat(y)

    likes = [Spec(x.type.shape[1:], x.dtype) for x in rows] + [Spec(x.type.shape, x.dtype) for x in start]
    inputs, results, outside = _inner(step, likes)
    if not results:
        return init, y
    found = pytensor.scan(
        lambda *given: graph_replace(results, dict(zip((*inputs, *outside), given, strict=True)), strict=False), rows, [*start, *[None] * (len(results) - len(start))],
        outside, n_steps=count, go_backwards=reverse, mode=_mode_of(_state.mode), return_list=True, return_updates=False,
    )  # fmt: skip
    stacked = [x[::-1] if reverse else x for x in found[len(start) :]]
    stacked = stacked if count is None else [pt.specify_shape(x, (count, *x.type.shape[1:])) for x in stacked]
    return refilled(init, [Traced(x[-1]) for x in found[: len(start)]]), refilled(y, map(Traced, stacked))


def while_loop(goes_on: Any, body: Any, variables: Any) -> Any:
    start = _flat(variables)

    def step(*values: Any) -> Any:
        held = refilled(variables, map(Traced, values))
        return [_variable(goes_on(*held)), *[_fitted(x, s) for x, s in zip(_flat(body(*held)), start, strict=True)]]

    specs = [Spec(x.type.shape, x.dtype) for x in start]
    inputs, results, outside = _inner(step, specs)
    with _compiling:
        tests, moves = (pytensor.function([*inputs, *outside], out, mode=_plain(), on_unused_input="ignore") for out in (results[:1], results[1:]))

    def run(*values: Any) -> Any:
        state, fixed = list(values[: len(start)]), values[len(start) :]
        while tests(*state, *fixed)[0]:
            state = moves(*state, *fixed)
        return list(state)

    found = _by_numbers(run, specs, [Traced(x) for x in (*start, *outside)], "a loop whose length is not known")
    return refilled(variables, found)


class _Custom(Op):
    """Its last inputs as they are, whose gradient a function gives for its first inputs.

    Args:
        gradient: The function of upstream gradients.
        count: How many first inputs there are.
    """

    def __init__(self, gradient: Callable[..., Any], count: int):
        self.gradient, self.count = gradient, count

    def make_node(self, *inputs: Any) -> Any:
        return Apply(self, list(inputs), [x.type() for x in inputs[self.count :]])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        for cell, x in zip(output_storage, inputs[self.count :], strict=True):
            cell[0] = np.array(x)

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        return [[i < self.count] * len(node.outputs) for i in range(len(node.inputs))]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        upstream = [pt.zeros_like(x) if isinstance(g.type, DisconnectedType) else g for x, g in zip(outputs, cotangents, strict=True)]
        with _tracing_by():
            found = self.gradient(*map(Traced, upstream))
        first = [pt.zeros_like(x) if g is None else _cast(_variable(g), x.dtype) for x, g in zip(inputs, found, strict=False)]
        return [*first, *[DisconnectedType()() for _ in outputs]]


@register_canonicalize("fast_compile")
@node_rewriter([_Custom])
def _without_custom(fgraph: Any, node: Any) -> Any:
    """When programs are compiled, the gradients are taken already."""
    return node.inputs[node.op.count :]


def custom_gradient(f: Any, args: Any) -> Any:
    if not tracing():
        return f(*args)[0]
    out, gradient = f(*args)
    found = _Custom(gradient, len(args))(*map(_variable, args), *_flat(out), return_list=True)
    return refilled(out, map(Traced, found))


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
    return lambda *args: _by_numbers(function, Spec(args[-1].shape, dtype_of(args[-1])), args, "a draw") if any(map(is_traced, args)) else function(*args)


draw_gamma, draw_binomial = _drawn(eager.draw_gamma), _drawn(eager.draw_binomial)
