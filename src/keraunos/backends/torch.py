"""PyTorch: eager, with autograd on the tensors that variables hold."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import math
import operator
import threading
import warnings
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from keraunos.backends import _foreign, _fourier, _shared
from keraunos.backends import _torch_graphs as graphs
from keraunos.backends._shared import SCALARS
from keraunos.backends._torch_modules import *
from keraunos.backends._torch_networks import *
from keraunos.backends._torch_networks import nested
from keraunos.core import dtypes, tree
from keraunos.core.errors import BackendError
from keraunos.core.scope import scope, within
from keraunos.core.spec import normalize_axes

name = "torch"
kinds: dict[type, int] = {}
float_dtypes = {torch.float16, torch.float32, torch.float64, torch.bfloat16}
strict_dtypes: frozenset[str] = frozenset()
stateful = maps_steps = True

_threads = threading.local()
_run_backward = torch.autograd.Variable._execution_engine.run_backward
_NAMES = {getattr(torch, n): n for n in dtypes.BITS if hasattr(torch, n) and isinstance(getattr(torch, n), torch.dtype)}
_DTYPES = {n: d for d, n in _NAMES.items()}


# ---- what every engine provides ----
@functools.cache
def _usual_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device() -> torch.device:
    """Where tensors are made: what `keraunos.device` chose, else the GPU if there is one."""
    return scope.device or _usual_device()


def place(kind: str, index: int) -> Any:
    count = {"cpu": 1, "gpu": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 0)
    where = ("cuda", index) if kind == "gpu" else (kind,)  # of the others there is one, which traces know by its kind alone
    return within(device=torch.device(*where)) if index < count else None


several_devices = (
    "keraunos.interop.torch makes a model a torch.nn.Module, which torch.nn.parallel.DistributedDataParallel takes; or keras.config.set_backend('jax')"
)


def devices() -> list[str]:
    return ["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count()))]


def is_tensor(x: Any) -> bool:
    return isinstance(x, torch.Tensor)


def torch_dtype(dtype: str) -> torch.dtype:
    try:
        return _DTYPES[dtype]
    except KeyError:
        raise BackendError(f"PyTorch has no dtype {dtype!r}.", fix="one that it has, such as 'float32', 'bfloat16', 'int64' or 'bool'") from None


def array(x: Any, dtype: str | None = None) -> torch.Tensor:
    if _foreign.is_foreign(x):
        copied = not isinstance(x, torch.Tensor)  # its memory may be changed
        x = x if not copied else _foreign.imported(torch.from_dlpack, x)
        if isinstance(x, torch.Tensor):
            return _sent(x, device(), torch_dtype(dtype) if dtype else None, copied)
    x, dtype = _foreign.prepared(x, dtype)
    if isinstance(x, np.ndarray):
        if x.dtype.name == "bfloat16":  # NumPy's bfloat16 is not PyTorch's: go by the bits
            x = torch.from_numpy(x.view(np.int16).copy()).view(torch.bfloat16)
        elif not x.flags.writeable or any(s < 0 for s in x.strides):
            x = x.copy()
    where, kind = device(), torch_dtype(dtype) if dtype else None
    return _sent(torch.as_tensor(x, dtype=kind), where) if where.type == "cuda" else torch.as_tensor(x, dtype=kind, device=where)


def _sent(x: torch.Tensor, where: torch.device, kind: torch.dtype | None = None, copy: bool = False) -> torch.Tensor:
    """A tensor on a device; through pinned memory the host need not wait until a GPU has done its steps."""
    soon = where.type == "cuda" and x.device.type == "cpu" and x.nbytes <= 2**26
    x = torch.empty_like(x, pin_memory=True).copy_(x) if soon else x  # of which the owner may change it before the GPU has come to it
    return x.to(where, kind, non_blocking=soon, copy=copy)


def copies(values: list[torch.Tensor]) -> list[torch.Tensor]:
    return [x.detach().clone() for x in values]


def to_numpy(x: Any) -> np.ndarray:
    copied = isinstance(x, torch.Tensor) and x.is_leaf and x.requires_grad  # a weight's memory is changed in place
    return _foreign.on_host(x.clone() if copied else x)


def dtype_of(x: Any) -> str:
    return _NAMES[x.dtype]


def cast(x: Any, dtype: str) -> torch.Tensor:
    return x.to(torch_dtype(dtype)) if isinstance(x, torch.Tensor) else array(x, dtype)


_WIDER = {torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64}


def widened(x: torch.Tensor) -> torch.Tensor:
    """A tensor of a dtype that PyTorch holds, but hardly computes with, in one that it does; any other as it is."""
    if x.dtype not in _WIDER:
        return x
    out = x.to(_WIDER[x.dtype])
    if x.dtype is torch.uint64 and (out < 0).any():
        raise BackendError("The torch backend does not compute with numbers of 2**63 and more.", received="uint64", fix="use another backend, or float64")
    return out


def slot(value: torch.Tensor, trainable: bool) -> torch.Tensor:
    # A copy: optimizers change variables in place, and the value may share memory with the user's array.
    return value.detach().clone(memory_format=torch.contiguous_format).requires_grad_(trainable and value.dtype.is_floating_point)


def store(old: torch.Tensor, new: torch.Tensor, trainable: bool) -> torch.Tensor:
    if not trainable:
        return new.detach()
    if nested.depth:  # a gradient is being taken, which needs the old value
        return slot(new, True)
    with torch.no_grad():
        old.copy_(new)
    return old


@functools.cache
def _one(dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """The gradient that a loss begins with, which no one changes."""
    return torch.ones((), dtype=dtype, device=device)


def differentiate(fn: Any, values: Any) -> Any:
    if values and graphs.is_mapped(values[0]):
        return graphs.differentiate(fn, values)
    if not all(v.requires_grad for v in values):
        values = [v.detach().requires_grad_() for v in values]
    depth = nested.depth
    nested.depth += 1
    try:
        with torch.enable_grad():
            loss, aux = fn(values)
            if (
                depth or not values or loss.__class__ is not torch.Tensor or loss.dim()
            ):  # inside another gradient, which goes through this one; or an error that PyTorch words
                gradients = torch.autograd.grad(loss, values, create_graph=depth > 0, allow_unused=True, materialize_grads=True) if values else []
            else:  # what `torch.autograd.grad` calls, after checks that take longer than the gradients of a small model
                gradients = _run_backward((loss,), (_one(loss.dtype, loss.device),), False, False, tuple(values), allow_unreachable=True, accumulate_grad=False)
                gradients = [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, values, strict=True)]
    finally:
        nested.depth = depth
    return (loss if depth else loss.detach(), aux), list(gradients)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    if jit_compile == "traced":
        return graphs.traced(fn)
    if jit_compile:
        raise BackendError("The torch backend does not compile steps yet.", where="jit_compile", fix="leave jit_compile out: steps run eagerly")
    return None


def indices(order: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(order, device=device())


def rows(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return x.index_select(0, places)


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    with torch.no_grad():
        return fn(*(torch.zeros(s, dtype=torch_dtype(d), device=device()) for s, d in zip(shapes, specs_dtypes, strict=True)))


concrete = contextlib.nullcontext
forward = torch.no_grad


class _Custom(torch.autograd.Function):
    """A function with the gradient that it gave."""

    @staticmethod
    def forward(ctx, f, *args):
        out, ctx.gradient = f(*args)
        return out if isinstance(out, torch.Tensor) else tuple(out)

    @staticmethod
    def backward(ctx, *upstream):  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, *ctx.gradient(*upstream)


def custom_gradient(f: Any, args: Any) -> Any:
    return _Custom.apply(f, *args)


def remat(fn: Any) -> Any:
    from torch.utils.checkpoint import checkpoint

    return lambda *args: checkpoint(fn, *args, use_reentrant=False)


def vectorized_map(fn: Any, elements: Any) -> Any:
    return torch.func.vmap(fn, randomness="different")(elements)


def flops(fn: Any, *args: Any) -> float:
    """The floating-point operations of a function's matrix products and convolutions."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        fn(*args)
    return float(counter.get_total_flops())


def synchronize(x: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# ---- elementwise ----
# Direct functions: nothing stands between an op and PyTorch that need not.
add, multiply, true_divide = operator.add, operator.mul, operator.truediv
floor_divide, mod, power = operator.floordiv, operator.mod, operator.pow
negative, square, rsqrt, reciprocal = torch.neg, torch.square, torch.rsqrt, torch.reciprocal
equal, not_equal, less, less_equal, greater, greater_equal = operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge
logical_not = torch.logical_not
_SHARED = """sqrt exp expm1 log log1p log2 log10 sigmoid sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh erf erfinv floor ceil
isnan isinf isfinite nan_to_num erfc exp2 i0 signbit sinc"""
globals().update({n: getattr(torch, n) for n in _SHARED.split()})
stop_gradient = torch.Tensor.detach


def subtract(x1, x2):
    if x1.__class__ is bool or x2.__class__ is bool:  # which PyTorch refuses
        return (+x1) - (+x2)
    return x1 - x2


def _of_truths(function):
    """`function` of two tensors of bools, either of which may be a Python scalar: what is not 0 is true."""
    return lambda x1, x2: function(bool(x1) if x1.__class__ in SCALARS else x1, bool(x2) if x2.__class__ in SCALARS else x2)


logical_and, logical_or, logical_xor = _of_truths(operator.and_), _of_truths(operator.or_), _of_truths(operator.xor)


def sign(x):
    out = torch.sgn(x)
    return torch.where(torch.isnan(x), x, out) if x.is_floating_point() else out  # of NaN, PyTorch says 0


_pair = _shared.pair(lambda x, like: torch.scalar_tensor(x, dtype=like.dtype, device=like.device))
maximum, minimum, logaddexp, arctan2 = _pair(torch.maximum), _pair(torch.minimum), _pair(torch.logaddexp), _pair(torch.arctan2)
hypot, logaddexp2, nextafter = _pair(torch.hypot), _pair(torch.logaddexp2), _pair(torch.nextafter)
as_complex = _pair(lambda real, imag: torch.complex(*torch.broadcast_tensors(real, imag)))
globals().update(_fourier.transforms(torch.fft, as_complex))


def absolute(x):
    return x if x.dtype == torch.bool else torch.abs(x)


def round_(x, decimals=0):
    if x.is_floating_point():
        return torch.round(x, decimals=decimals)
    return torch.round(x.double(), decimals=decimals).to(x.dtype) if decimals < 0 else x


def clip(x, x_min, x_max):
    if x_min.__class__ in SCALARS and x_max.__class__ in SCALARS and x.__class__ not in SCALARS and x.dtype is not torch.uint8:  # there, -1 is 255
        return torch.clamp(x, x_min, x_max)
    return NotImplemented


def where(condition, x1=None, x2=None):
    if not isinstance(condition, torch.Tensor):
        condition = array(condition)
    if x1 is None:
        return tuple(i.to(torch.int32) for i in torch.nonzero(condition, as_tuple=True))
    return torch.where(condition if condition.dtype == torch.bool else condition.to(torch.bool), x1, x2)


def trunc(x):
    return torch.trunc(x) if x.is_floating_point() else x


def real(x):
    return x.real if x.is_complex() else x


def imag(x):
    return x.imag if x.is_complex() else torch.zeros_like(x)


# ---- bits ----
def _bits(function):
    """`function`, by signed integers of 64 bits for the unsigned ones, for which PyTorch lacks it."""
    return _shared.through(dict.fromkeys(_WIDER, torch.int64), torch.Tensor.to, function)


bitwise_and, bitwise_or, bitwise_xor, bitwise_invert = operator.and_, operator.or_, operator.xor, _bits(torch.bitwise_not)
left_shift, gcd, lcm = _bits(operator.lshift), _bits(_pair(torch.gcd)), _bits(_pair(torch.lcm))
fmax, fmin, fmod = _bits(_pair(torch.fmax)), _bits(_pair(torch.fmin)), _bits(_pair(torch.fmod))


def right_shift(x, y):
    if x.__class__ not in SCALARS and x.dtype == torch.uint64:  # no sign comes in
        first = (x.long() >> 1) & 0x7FFFFFFFFFFFFFFF
        return torch.where(array(y).long() > 0, first >> (array(y).long() - 1), x.long()).to(torch.uint64)
    return _bits(operator.rshift)(x, y)


def view(x, dtype=None):
    return x if dtype is None else x.contiguous().view(torch_dtype(dtype))


# ---- reductions ----
def sum_(x, axis=None, keepdims=False):
    if axis == ():
        return x
    return torch.sum(x, axis, keepdims) if x.dtype in float_dtypes else torch.sum(x, axis, keepdims, dtype=x.dtype)


def mean(x, axis=None, keepdims=False):
    return x if axis == () else torch.mean(x, axis, keepdims)


def prod(x, axis=None, keepdims=False, dtype=None):
    kind = torch_dtype(dtype) if dtype else x.dtype
    out = x.to(_WIDER.get(kind, kind))
    for i in sorted(normalize_axes(axis, x.ndim), reverse=True):
        out = torch.prod(out, i, keepdims, dtype=out.dtype)
    return out.to(kind)


def _extreme(function, of_two):
    def extreme(x, axis=None, keepdims=False, initial=None):
        if initial is not None and initial.__class__ not in SCALARS:
            initial = array(initial, dtype_of(x))
        if initial is not None and not x.numel():
            return torch.full_like(torch.sum(x, axis, keepdims), initial, dtype=x.dtype)
        out = x if axis == () else function(x, () if axis is None else axis, keepdims)
        return out if initial is None else of_two(out, initial)

    return extreme


max_, min_ = _extreme(torch.amax, maximum), _extreme(torch.amin, minimum)


def _place_of(function):
    return lambda x, axis=None, keepdims=False: function(x.byte() if x.dtype == torch.bool else x, axis, keepdims).to(torch.int32)


argmax, argmin = _place_of(torch.argmax), _place_of(torch.argmin)


def _over_axes(function):
    return lambda x, axis=None, keepdims=False: function(x, normalize_axes(axis, x.ndim), keepdims)


any_, all_ = _over_axes(torch.any), _over_axes(torch.all)
logsumexp = _over_axes(lambda x, axes, keepdims: torch.logsumexp(x, axes, keepdims) if axes else NotImplemented)


def _running(function):
    def running(x, axis=None, dtype=None):
        x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
        kind = torch_dtype(dtype) if dtype else x.dtype
        return function(x.bool(), axis).bool() if dtype == "bool" else function(x, axis, dtype=_WIDER.get(kind, kind)).to(kind)

    return running


cumsum, cumprod = _running(torch.cumsum), _running(torch.cumprod)


def sort(x, axis=-1):
    if x.is_complex():
        x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
        return torch.gather(x, axis, _order_of_complex(x, axis))
    return torch.sort(x.reshape(-1))[0] if axis is None else torch.sort(x, axis)[0]


def argsort(x, axis=-1):
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    return (_order_of_complex(x, axis) if x.is_complex() else torch.argsort(x, dim=axis, stable=True)).to(torch.int32)


def _order_of_complex(x, axis):
    """By the real parts and, where these are equal, by the imaginary ones, as NumPy does it; PyTorch has no order of complex numbers."""
    order = torch.argsort(x.imag, dim=axis, stable=True)
    return torch.gather(order, axis, torch.argsort(torch.gather(x.real, axis, order), dim=axis, stable=True))


# ---- shaping ----
concatenate, stack, swapaxes, moveaxis = torch.cat, torch.stack, torch.swapaxes, torch.moveaxis


def unstack(x, num=None, axis=0):
    return list(x.unbind(axis)) if num in (None, x.shape[axis]) else NotImplemented


diff, tril, triu = torch.diff, torch.tril, torch.triu


def _sizes(shape):
    return tuple(shape) if hasattr(shape, "__len__") else (shape,)


def broadcast_to(x, shape):
    return torch.broadcast_to(x, _sizes(shape))


def full(shape, fill_value, dtype=None):
    shape = _sizes(shape)
    if not isinstance(fill_value, (int, float)):
        return torch.as_tensor(fill_value, dtype=torch_dtype(dtype or dtypes.standardize_dtype(None)), device=device()).expand(shape)
    return torch.full(shape, fill_value, dtype=torch_dtype(dtype or dtypes.standardize_dtype(None)), device=device())


def arange(start, stop=None, step=None, dtype=None):
    first, last = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    last = first if (last - first) * step < 0 else last  # which PyTorch refuses
    return torch.arange(first, last, step, dtype=torch_dtype(dtype or dtypes.common(start, stop, step)), device=device())


def reshape(x, newshape):
    return torch.reshape(x, _sizes(newshape))


def transpose(x, axes=None):
    return x.permute(tuple(range(x.ndim - 1, -1, -1)) if axes is None else axes)


def expand_dims(x, axis):
    return torch.unsqueeze(x, axis) if axis.__class__ is int else NotImplemented


def squeeze(x, axis=None):
    return torch.squeeze(x, axis) if axis.__class__ is int and x.shape[axis] == 1 else NotImplemented


def roll(x, shift, axis=None):
    shifts = _sizes(shift)
    if axis is None:
        return torch.roll(x, sum(shifts))
    axes = _sizes(axis)
    return torch.roll(x, shifts * len(axes) if len(shifts) == 1 else shifts, axes * len(shifts) if len(axes) == 1 else axes)


def repeat_(x, repeats, axis=None):
    if isinstance(repeats, (list, tuple)):
        repeats = array(repeats) if len(repeats) != 1 else repeats[0]
    return torch.repeat_interleave(x, repeats, axis)


def tile(x, repeats):
    return torch.tile(x, (repeats,) if isinstance(repeats, int) else tuple(repeats))


def pad_constant(x, widths, value):
    return F.pad(x, [int(n) for pair in reversed(widths) for n in pair], value=value)


def get_item(x, key):
    if key.__class__ is int or (key.__class__ is slice and (key.step is None or key.step > 0)):
        return x[key]
    key = key if isinstance(key, tuple) else (array(key) if isinstance(key, list) else key,)
    masks = [k.ndim if isinstance(k, torch.Tensor) and k.dtype == torch.bool else 1 for k in key if k is not None and k is not ...]
    arrays = any(isinstance(k, torch.Tensor) and k.ndim for k in key)
    axis, new = 0, []
    for k in key:
        if isinstance(k, torch.Tensor):
            if k.dtype == torch.bool:
                axis += k.ndim - 1
            else:  # 8-bit integers would be taken for a mask
                k = k.to(torch.int64)
            k = k.reshape(1) if arrays and not k.ndim else k
        elif isinstance(k, slice) and k.step is not None and k.step < 0:  # PyTorch does not go backwards
            x = x.index_select(axis, torch.tensor(range(*k.indices(x.shape[axis])), dtype=torch.int64, device=x.device))
            k = slice(None)
        elif arrays and isinstance(k, int):  # beside arrays NumPy takes integers for arrays
            k = torch.tensor([k], device=x.device)
        new.append(k)
        axis += x.ndim - sum(masks) if k is ... else k is not None
    return x[tuple(new)]


def _places(indices, size):
    indices = indices if isinstance(indices, torch.Tensor) else torch.tensor(indices, device=device())
    if indices.dtype.is_floating_point or indices.dtype.is_complex:  # which a cast would cut
        raise TypeError("indices are integers")
    if indices.dtype not in (torch.int32, torch.int64):  # the only ones by which PyTorch looks up
        indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + size, indices)


def take(x, indices, axis=None):
    if axis is None:
        x, axis = x.reshape(-1), 0
    indices = _places(indices, x.shape[axis])
    if axis == 0 and x.ndim == 2:
        return F.embedding(indices, x)  # its gradient is the quickest
    axis = axis % x.ndim
    out = torch.index_select(x, axis, indices.reshape(-1))
    return out if indices.ndim == 1 else out.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def take_along_axis(x, indices, axis=None):
    if axis is None:
        return x.reshape(-1)[_places(indices.reshape(-1), x.numel()).to(torch.int64)]
    return torch.take_along_dim(x, _places(indices, x.shape[axis]).to(torch.int64), axis)


def slice_(inputs, start_indices, shape):
    return inputs[_shared.block(start_indices, shape, inputs.shape)]


def slice_update(inputs, start_indices, updates):
    out = inputs.clone()
    out[_shared.block(start_indices, updates.shape, out.shape)] = updates.to(out.dtype)
    return out


# ---- searching and scattering ----
copy = torch.clone


def searchsorted(sorted_sequence, values, side="left"):
    if sorted_sequence.ndim != 1 or sorted_sequence.dtype == torch.bool or side not in ("left", "right"):
        return NotImplemented
    return torch.searchsorted(sorted_sequence.contiguous(), values, right=side == "right", out_int32=True)


def isin(x1, x2, assume_unique=False, invert=False):
    if any(isinstance(x, torch.Tensor) and (x.dtype == torch.bool or x.is_complex()) for x in (x1, x2)):
        return (array(x1).unsqueeze(-1) == array(x2).reshape(-1)).any(-1) != invert
    return torch.isin(x1, x2, assume_unique=assume_unique, invert=invert)


def scatter_rows(x, places, updates, reduction=None):
    places = places.to(torch.int64)
    places = torch.where((places < 0) | (places > len(x)), len(x), places)
    out = torch.cat([x, x.new_ones((1, *x.shape[1:]))])  # one row more, for what is left out
    if reduction is None:
        out = out.index_put((places,), updates)
    elif reduction == "add":
        out = out.index_add(0, places, updates)
    else:
        kind = {"mul": "prod", "max": "amax", "min": "amin"}[reduction]
        out, updates = (t.byte() if t.dtype is torch.bool else t for t in (out, updates))
        out = out.scatter_reduce(0, places.reshape(-1, *[1] * (x.ndim - 1)).expand(updates.shape), updates, kind).to(x.dtype)
    return out[:-1]


# ---- linear algebra ----
diagonal, diag = torch.diagonal, torch.diag


def _product(function):
    """`function`, by floats where PyTorch has it for no integers or bools: of bools a sum is whether any is true."""

    def product(*args):
        try:
            return function(*args)
        except RuntimeError:
            kind = next(x.dtype for x in args if isinstance(x, torch.Tensor))
            if kind.is_floating_point or kind.is_complex:
                raise
            return function(*(x.double() if isinstance(x, torch.Tensor) else x for x in args)).to(kind)

    return product


def _contracted(x1, x2, axes: Any = 2):
    return torch.tensordot(x1, x2, [[a] if isinstance(a, int) else list(a) for a in axes] if hasattr(axes, "__len__") else axes)


matmul, tensordot, einsum = _product(torch.matmul), _product(_contracted), _product(torch.einsum)


def affine(x, kernel, bias):
    if x.dtype not in float_dtypes:
        return NotImplemented
    return torch.addmm(bias, x, kernel) if x.dim() == 2 else F.linear(x, kernel.mT, bias)


globals().update(_shared.decompositions(torch.linalg))


def lu_factor(x):
    factors, pivots, _ = torch.linalg.lu_factor_ex(x)
    return factors, pivots - 1


def _solving(function):
    """`function(a, b, lower)`, which takes matrices only, also for a vector."""

    def solving(a, b, lower=False):
        return function(a, b.unsqueeze(-1), lower).squeeze(-1) if b.ndim == 1 else function(a, b[None] if b.ndim < a.ndim else b, lower)

    return solving


solve = _solving(lambda a, b, _: torch.linalg.solve_ex(a, b)[0])
solve_triangular = _solving(lambda a, b, lower: torch.linalg.solve_triangular(a, b, upper=not lower))


def jvp(fun, primals, tangents, has_aux=False):
    with warnings.catch_warnings():  # of its own making, when this is first used
        warnings.simplefilter("ignore", DeprecationWarning)
        import torch._decomp.decompositions_for_jvp  # pyright: ignore[reportUnusedImport]
    if not has_aux:
        return torch.func.jvp(fun, primals, tangents)
    held = []  # what is no tensor does not go through

    def of_tensors(*args):
        out, aux = fun(*args)
        held[:] = [aux]
        return out, [x for x in tree.flatten(aux) if isinstance(x, torch.Tensor)]

    value, derivative, tensors = torch.func.jvp(of_tensors, primals, tangents, has_aux=True)  # pyright: ignore[reportAssignmentType]
    left = iter(tensors)
    return value, derivative, tree.map_structure(lambda x: next(left) if isinstance(x, torch.Tensor) else x, held[0])


# ---- random ----
manual_seed = torch.manual_seed


def seed_state(seed, count):
    """The state of a seed generator stays on the host: the engine's generators are seeded from there."""
    return torch.from_numpy(np.array([seed, count], "uint32"))


def next_state(state):
    if graphs.is_mapped(state):
        return graphs.next_state(state)
    seed, count = state.tolist()
    return seed_state(seed, (count + 1) & 0xFFFFFFFF)


def _generator(key, where):
    seed, count = key.tolist()
    z = ((seed << 32 | count) + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF  # mixed, since on CPUs only the lower half of a seed counts
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    name = f"generator of {where}"
    generator = _threads.__dict__.get(name) or _threads.__dict__.setdefault(name, torch.Generator(where))
    return generator.manual_seed((z ^ (z >> 31)) & 0x7FFFFFFFFFFFFFFF)


@graphs.draws_by_seed
def draw_uniform(key, shape, dtype):
    return torch.empty(shape, dtype=torch_dtype(dtype), device=device()).uniform_(generator=_generator(key, device()))


@graphs.draws_by_seed
def draw_normal(key, shape, dtype):
    return torch.empty(shape, dtype=torch_dtype(dtype), device=device()).normal_(generator=_generator(key, device()))


@graphs.draws_by_seed
def draw_integers(key, shape, low, high, dtype):
    return torch.randint(int(low), int(high), shape, generator=_generator(key, device()), dtype=torch.int64, device=device()).to(torch_dtype(dtype))


def draw_gamma(key, alpha):
    return torch._standard_gamma(alpha, generator=_generator(key, alpha.device))


def draw_binomial(key, counts, probabilities):
    return torch.binomial(counts, probabilities, generator=_generator(key, counts.device))


def draw_dropout(key, x, rate, shape):
    return x * _kept(key, shape, rate, dtype_of(x), x.device)


@graphs.draws_by_seed
def _kept(key, shape, rate, dtype, where):
    """What to multiply by: 0 for a share of `rate`, for the others what makes up for it."""
    where, kind = torch.device(where) if where.__class__ is str else where, torch_dtype(dtype)
    generator, scale = _generator(key, where), 1 / (1 - rate) if rate < 1 else 0.0
    if where.type != "cpu":
        return torch.empty(shape, dtype=kind, device=where).bernoulli_(1 - rate, generator=generator).mul_(scale)
    # On CPUs four 16-bit numbers are drawn at once, or two of 32 bits where the rate needs them.
    short = abs(round(rate * 2**16) / 2**16 - rate) <= 1e-3 * rate
    bits, dtype = (16, torch.int16) if short else (32, torch.int32)
    n, each = math.prod(shape), 64 // bits
    numbers = torch.empty((n + each - 1) // each, dtype=torch.int64).random_(-(2**63), None, generator=generator).view(dtype)[:n].view(shape)
    return (numbers >= _shared.threshold(rate, bits) - 2 ** (bits - 1)).to(kind).mul_(scale)


# ---- optimizers ----
def to_host(x):
    return x.cpu()


def own(x):
    """A copy, which may be changed in place."""
    return x.clone(memory_format=torch.contiguous_format)


def _in_place(update):
    """An optimizer's native update, from one of `(optimizer, tensors, gradients, slots, rate, decay)`; `decay` is what is left to do of weight decay."""

    def native(optimizer, grads, variables, places):
        params = [v._value for v in variables]
        kind = params[0].dtype
        for p, g in zip(params, grads, strict=True):
            if p.dtype is not kind or g.__class__ is not torch.Tensor or g.dtype is not kind:
                return NotImplemented
        slots = [[s._value for s in (slot if places is None else [slot[i] for i in places])] for slot in optimizer._slots]
        rate = optimizer.learning_rate
        rate = float(getattr(rate, "_value", rate))
        grads = [g.contiguous() for g in _clipped(optimizer, grads)]
        return update(optimizer, params, grads, slots, rate, _decay(optimizer, params, variables, rate))

    return native


def _clipped(optimizer, grads):
    if optimizer.clipvalue is not None:
        return torch._foreach_clamp_min(torch._foreach_clamp_max(grads, optimizer.clipvalue), -optimizer.clipvalue)
    limit = optimizer.clipnorm or optimizer.global_clipnorm
    if limit is None:
        return grads
    norms = torch._foreach_norm(grads)
    if optimizer.clipnorm is None:
        return torch._foreach_mul(grads, limit / torch.linalg.vector_norm(torch.stack(norms)).clamp_min(limit))
    return torch._foreach_mul(grads, [limit / n.clamp_min(limit) for n in norms])


def _decay(optimizer, params, variables, rate):
    """Weight decay, in place; returns what a fused kernel has yet to do of it."""
    if not optimizer.weight_decay:
        return 0.0
    chosen = [p for p, v in zip(params, variables, strict=True) if optimizer._use_weight_decay(v)]
    if len(chosen) == len(params) and optimizer.native == "adam_update":
        return float(optimizer.weight_decay)
    if chosen:
        torch._foreach_mul_(chosen, 1.0 - rate * optimizer.weight_decay)
    return 0.0


def accumulate(variable, amount, times=1):
    if amount.__class__ is not torch.Tensor:
        variable._value = variable._value + amount * times
    else:
        variable._value = torch.add(variable._value, amount.detach() if amount.requires_grad else amount, alpha=times)


def increment(variable):
    variable._value.add_(1)


def move_averages(averages, variables, momentum, overwrite):
    means, values = [a._value for a in averages], [v._value for v in variables]
    torch._foreach_lerp_(means, values, 1.0 - momentum)
    if overwrite:
        torch._foreach_copy_(values, means)


@_in_place
def adam_update(optimizer, params, grads, slots, rate, decay):
    t = int(optimizer.iterations._value if optimizer.gradient_accumulation_steps is None else optimizer.iterations) + 1
    # The kernel adds epsilon to the corrected root, Keras to the uncorrected one.
    epsilon = optimizer.epsilon / math.sqrt(1.0 - optimizer.beta_2**t)
    steps = [torch.full((), float(t), device=params[0].device)] * len(params)
    kernel = torch._fused_adamw_ if decay else torch._fused_adam_
    kernel(
        params, grads, *slots[:2], slots[2] if optimizer.amsgrad else [], steps, lr=rate, beta1=optimizer.beta_1, beta2=optimizer.beta_2,
        weight_decay=decay, eps=epsilon, amsgrad=optimizer.amsgrad, maximize=False,
    )  # fmt: skip


@_in_place
def sgd_update(optimizer, params, grads, slots, rate, decay):
    if not slots:
        torch._foreach_add_(params, grads, alpha=-rate)
    elif not optimizer.nesterov:  # the kernel's `b = momentum * b + (1 - dampening) * g; p -= lr * b`, made Keras's
        torch._fused_sgd_(
            params, grads, slots[0], momentum=optimizer.momentum, lr=-1.0, dampening=1.0 + rate, weight_decay=0.0, nesterov=False, maximize=False,
            is_first_step=False,
        )  # fmt: skip
    else:
        torch._foreach_mul_(slots[0], optimizer.momentum)
        torch._foreach_add_(slots[0], grads, alpha=-rate)
        torch._foreach_add_(params, slots[0], alpha=optimizer.momentum)
        torch._foreach_add_(params, grads, alpha=-rate)


@_in_place
def rmsprop_update(optimizer, params, grads, slots, rate, decay):
    square = slots[0]
    torch._foreach_mul_(square, optimizer.rho)
    torch._foreach_addcmul_(square, grads, grads, 1.0 - optimizer.rho)
    root = square
    if optimizer.centered:
        torch._foreach_lerp_(slots[-1], grads, 1.0 - optimizer.rho)
        root = torch._foreach_addcmul(square, slots[-1], slots[-1], -1.0)
    root = torch._foreach_add(root, optimizer.epsilon)
    torch._foreach_sqrt_(root)
    if optimizer.momentum:
        torch._foreach_mul_(slots[1], optimizer.momentum)
        torch._foreach_addcdiv_(slots[1], grads, root, rate)
        torch._foreach_sub_(params, slots[1])
    else:
        torch._foreach_addcdiv_(params, grads, root, -rate)
