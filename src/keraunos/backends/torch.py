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

from keraunos.backends import _foreign, _fourier
from keraunos.core import config, dtypes, windows
from keraunos.core.errors import ArgumentError, BackendError, not_positive_definite, one_of
from keraunos.core.scope import scope, within

name = "torch"
kinds: dict[type, int] = {}
float_dtypes = {torch.float16, torch.float32, torch.float64, torch.bfloat16}
strict_dtypes: frozenset[str] = frozenset()
stateful = True

_threads = threading.local()
_SCALARS = frozenset({int, float, bool, complex})
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
    return within(device=torch.device("cuda" if kind == "gpu" else kind, index)) if index < count else None


def devices() -> list[str]:
    return ["cpu", *(f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count()))]


def is_tensor(x: Any) -> bool:
    return isinstance(x, torch.Tensor)


def torch_dtype(dtype: str) -> torch.dtype:
    try:
        return _DTYPES[dtype]
    except KeyError:
        raise BackendError(f"PyTorch has no dtype {dtype!r}.") from None


def array(x: Any, dtype: str | None = None) -> torch.Tensor:
    if _foreign.is_foreign(x):
        copied = not isinstance(x, torch.Tensor)  # its memory may be changed
        x = x if not copied else _foreign.imported(torch.from_dlpack, x)
        if isinstance(x, torch.Tensor):
            return x.to(device=device(), dtype=torch_dtype(dtype) if dtype else None, copy=copied)
    x, dtype = _foreign.prepared(x, dtype)
    if isinstance(x, np.ndarray):
        if x.dtype.name == "bfloat16":  # NumPy's bfloat16 is not PyTorch's: go by the bits
            x = torch.from_numpy(x.view(np.int16).copy()).view(torch.bfloat16)
        elif not x.flags.writeable or any(s < 0 for s in x.strides):
            x = x.copy()
    return torch.as_tensor(x, dtype=torch_dtype(dtype) if dtype else None, device=device())


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
    with torch.no_grad():
        old.copy_(new)
    return old


def differentiate(fn: Any, values: Any) -> Any:
    if not all(v.requires_grad for v in values):
        values = [v.detach().requires_grad_() for v in values]
    depth = _threads.__dict__.get("depth", 0)
    _threads.depth = depth + 1
    try:
        with torch.enable_grad():
            loss, aux = fn(values)
            if (
                depth or not values or loss.__class__ is not torch.Tensor or loss.dim()
            ):  # inside another gradient, which goes through this one; or an error that PyTorch words
                gradients = torch.autograd.grad(loss, values, create_graph=depth > 0, allow_unused=True, materialize_grads=True) if values else []
            else:  # what `torch.autograd.grad` calls, after checks that take longer than the gradients of a small model
                gradients = _run_backward((loss,), (torch.ones_like(loss),), False, False, tuple(values), allow_unreachable=True, accumulate_grad=False)
                gradients = [torch.zeros_like(v) if g is None else g for g, v in zip(gradients, values, strict=True)]
    finally:
        _threads.depth = depth
    return (loss if depth else loss.detach(), aux), list(gradients)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
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


def synchronize(x: Any) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


# ---- elementwise ----
# Direct functions: nothing stands between an op and PyTorch that need not.
add, subtract, multiply, true_divide = operator.add, operator.sub, operator.mul, operator.truediv
floor_divide, mod, power = operator.floordiv, operator.mod, operator.pow
negative, square, rsqrt, reciprocal = torch.neg, torch.square, torch.rsqrt, torch.reciprocal
equal, not_equal, less, less_equal, greater, greater_equal = operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge
logical_and, logical_or, logical_xor, logical_not = operator.and_, operator.or_, operator.xor, torch.logical_not
_SHARED = """sqrt exp expm1 log log1p log2 log10 sigmoid sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh erf erfinv floor ceil
isnan isinf isfinite nan_to_num erfc exp2 i0 signbit sinc"""
globals().update({n: getattr(torch, n) for n in _SHARED.split()})
stop_gradient = torch.Tensor.detach


def sign(x):
    out = torch.sgn(x)
    return torch.where(torch.isnan(x), x, out) if x.is_floating_point() else out  # of NaN, PyTorch says 0


def _pair(function):
    """`function` of two tensors, either of which may be a Python scalar."""

    def paired(x1, x2):
        if x1.__class__ in _SCALARS:
            x1 = torch.scalar_tensor(x1, dtype=x2.dtype, device=x2.device)
        elif x2.__class__ in _SCALARS:
            x2 = torch.scalar_tensor(x2, dtype=x1.dtype, device=x1.device)
        return function(x1, x2)

    return paired


maximum, minimum, logaddexp, arctan2 = _pair(torch.maximum), _pair(torch.minimum), _pair(torch.logaddexp), _pair(torch.arctan2)


hypot, logaddexp2, nextafter = _pair(torch.hypot), _pair(torch.logaddexp2), _pair(torch.nextafter)
as_complex = _pair(lambda real, imag: torch.complex(*torch.broadcast_tensors(real, imag)))


globals().update(_fourier.transforms(torch.fft, as_complex))


def absolute(x):
    return x if x.dtype == torch.bool else torch.abs(x)


def round_(x, decimals=0):
    return torch.round(x, decimals=decimals) if x.is_floating_point() or decimals < 0 else x


def clip(x, x_min, x_max):
    if x_min.__class__ in _SCALARS and x_max.__class__ in _SCALARS and x.__class__ not in _SCALARS and x.dtype is not torch.uint8:  # there, -1 is 255
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
_UNSIGNED = {torch.uint16: 16, torch.uint32: 32, torch.uint64: 64}


def _bits(function):
    """`function`, by signed integers of 64 bits for the unsigned ones, for which PyTorch lacks it."""

    def of(*xs):
        kind = next((x.dtype for x in xs if x.__class__ not in _SCALARS), None)
        return function(*xs) if kind not in _UNSIGNED else function(*(x if x.__class__ in _SCALARS else x.long() for x in xs)).to(kind)

    return of


bitwise_and, bitwise_or, bitwise_xor, bitwise_invert = operator.and_, operator.or_, operator.xor, _bits(torch.bitwise_not)
left_shift, gcd, lcm = _bits(operator.lshift), _bits(_pair(torch.gcd)), _bits(_pair(torch.lcm))
fmax, fmin, fmod = _bits(_pair(torch.fmax)), _bits(_pair(torch.fmin)), _bits(_pair(torch.fmod))


def right_shift(x, y):
    if x.__class__ not in _SCALARS and x.dtype == torch.uint64:  # no sign comes in
        first = (x.long() >> 1) & 0x7FFFFFFFFFFFFFFF
        return torch.where(array(y).long() > 0, first >> (array(y).long() - 1), x.long()).to(torch.uint64)
    return _bits(operator.rshift)(x, y)


def view(x, dtype=None):
    return x.contiguous().view(torch_dtype(dtype or dtypes.standardize_dtype(None)))


# ---- reductions ----
def sum_(x, axis=None, keepdims=False):
    if x.dtype is torch.uint32:  # PyTorch has this dtype, but hardly a function for it
        return sum_(x.to(torch.int64), axis, keepdims).to(torch.uint32)
    if axis == ():
        return x
    return torch.sum(x, axis, keepdims) if x.dtype in float_dtypes else torch.sum(x, axis, keepdims, dtype=x.dtype)


def mean(x, axis=None, keepdims=False):
    return x if axis == () else torch.mean(x, axis, keepdims)


def _axes(x, axis):
    return tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)


def prod(x, axis=None, keepdims=False, dtype=None):
    if x.dtype is torch.uint32 and dtype is None:
        return prod(x.to(torch.int64), axis, keepdims).to(torch.uint32)
    out = x.to(torch_dtype(dtype)) if dtype else x
    for i in sorted((a % x.ndim for a in _axes(x, axis)), reverse=True):
        out = torch.prod(out, i, keepdims, dtype=out.dtype)
    return out


def _extreme(function, of_two):
    def extreme(x, axis=None, keepdims=False, initial=None):
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
    return lambda x, axis=None, keepdims=False: function(x, _axes(x, axis), keepdims)


any_, all_, logsumexp = _over_axes(torch.any), _over_axes(torch.all), _over_axes(torch.logsumexp)


def _running(function):
    def running(x, axis=None, dtype=None):
        x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
        return function(x, axis, dtype=torch_dtype(dtype) if dtype else x.dtype)

    return running


cumsum, cumprod = _running(torch.cumsum), _running(torch.cumprod)


def sort(x, axis=-1):
    return torch.sort(x.reshape(-1))[0] if axis is None else torch.sort(x, axis)[0]


def argsort(x, axis=-1):
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    return torch.argsort(x, dim=axis, stable=True).to(torch.int32)


# ---- shaping ----
broadcast_to, concatenate, stack, swapaxes, moveaxis = torch.broadcast_to, torch.cat, torch.stack, torch.swapaxes, torch.moveaxis
diff, tril, triu = torch.diff, torch.tril, torch.triu


def full(shape, fill_value, dtype=None):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if not isinstance(fill_value, (int, float)):
        return torch.as_tensor(fill_value, dtype=torch_dtype(dtype or dtypes.standardize_dtype(None)), device=device()).expand(shape)
    return torch.full(shape, fill_value, dtype=torch_dtype(dtype or dtypes.standardize_dtype(None)), device=device())


def arange(start, stop=None, step=None, dtype=None):
    first, last = (0, start) if stop is None else (start, stop)
    return torch.arange(first, last, 1 if step is None else step, dtype=torch_dtype(dtype or dtypes.common(start, stop, step)), device=device())


def reshape(x, newshape):
    return torch.reshape(x, (newshape,) if isinstance(newshape, int) else newshape)


def transpose(x, axes=None):
    return x.permute(tuple(range(x.ndim - 1, -1, -1)) if axes is None else axes)


def expand_dims(x, axis):
    return torch.unsqueeze(x, axis) if axis.__class__ is int else NotImplemented


def squeeze(x, axis=None):
    return torch.squeeze(x, axis) if axis.__class__ is int and x.shape[axis] == 1 else NotImplemented


def roll(x, shift, axis=None):
    if axis is not None and not isinstance(axis, int) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return torch.roll(x, shift, axis)


def repeat_(x, repeats, axis=None):
    if isinstance(repeats, (list, tuple)):
        repeats = array(repeats) if len(repeats) != 1 else repeats[0]
    return torch.repeat_interleave(x, repeats, axis)


def tile(x, repeats):
    return torch.tile(x, (repeats,) if isinstance(repeats, int) else tuple(repeats))


def pad_constant(x, widths, value):
    return torch.nn.functional.pad(x, [int(n) for pair in reversed(widths) for n in pair], value=value)


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
    return torch.where(indices < 0, indices + size, indices)


def take(x, indices, axis=None):
    if axis is None:
        x, axis = x.reshape(-1), 0
    indices = _places(indices, x.shape[axis])
    if axis == 0 and x.ndim == 2:
        return torch.nn.functional.embedding(indices, x)  # its gradient is the quickest
    axis = axis % x.ndim
    out = torch.index_select(x, axis, indices.reshape(-1))
    return out if indices.ndim == 1 else out.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def take_along_axis(x, indices, axis=None):
    if axis is None:
        return x.reshape(-1)[_places(indices.reshape(-1), x.numel()).to(torch.int64)]
    return torch.take_along_dim(x, _places(indices, x.shape[axis]).to(torch.int64), axis)


def _block(starts, shape):
    return tuple(slice(int(s), int(s) + n) for s, n in zip(starts, shape, strict=True))


def slice_(inputs, start_indices, shape):
    return inputs[_block(start_indices, shape)]


def slice_update(inputs, start_indices, updates):
    out = inputs.clone()
    out[_block(start_indices, updates.shape)] = updates.to(out.dtype)
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
        out = out.scatter_reduce(0, places.reshape(-1, *[1] * (x.ndim - 1)).expand(updates.shape), updates, kind)
    return out[:-1]


# ---- linear algebra ----
matmul, tensordot, einsum, diagonal, diag = torch.matmul, torch.tensordot, torch.einsum, torch.diagonal, torch.diag


def affine(x, kernel, bias):
    return torch.addmm(bias, x, kernel) if x.dim() == 2 else torch.nn.functional.linear(x, kernel.mT, bias)


det = torch.linalg.det
eig, slogdet = (lambda x, f=f: tuple(f(x)) for f in (torch.linalg.eig, torch.linalg.slogdet))


def qr(x, mode="reduced"):
    return tuple(torch.linalg.qr(x, one_of("mode", mode, ("reduced", "complete"))))


def _symmetric(x):
    return (x + x.mH) / 2


def cholesky(x, upper=False):
    try:
        return torch.linalg.cholesky(_symmetric(x), upper=upper)
    except torch.linalg.LinAlgError:
        raise not_positive_definite() from None


def eigh(x):
    return tuple(torch.linalg.eigh(_symmetric(x)))


def svd(x, full_matrices=True, compute_uv=True):
    return tuple(torch.linalg.svd(x, full_matrices)) if compute_uv else torch.linalg.svdvals(x)


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
    return torch.func.jvp(fun, primals, tangents, has_aux=has_aux)


# ---- neural networks ----
relu6, elu, selu, celu, silu, mish = F.relu6, F.elu, F.selu, F.celu, F.silu, F.mish
softsign, log_sigmoid, hard_sigmoid, hard_silu, tanh_shrink = F.softsign, F.logsigmoid, F.hardsigmoid, F.hardswish, F.tanhshrink


def relu(x):
    return NotImplemented if x.dtype is torch.bool else torch.relu(x)


def leaky_relu(x, negative_slope=0.2):
    return F.leaky_relu(x, negative_slope)


def gelu(x, approximate=True):
    return F.gelu(x, approximate="tanh" if approximate else "none")


def softplus(x):
    return F.softplus(x, 1.0, 40.0)


def softmax(x, axis=-1):
    return torch.softmax(x, axis) if isinstance(axis, int) and x.ndim else NotImplemented


def log_softmax(x, axis=-1):
    return torch.log_softmax(x, axis) if isinstance(axis, int) and x.ndim else NotImplemented


def top_k(x, k, sorted=True):
    values, indices = torch.topk(x, k, sorted=sorted)
    return values, indices.to(torch.int32)


# The engine wants channels first: a permuted view is that with the memory of channels last, which its kernels know.
_FIRST = {1: (0, 2, 1), 2: (0, 3, 1, 2), 3: (0, 4, 1, 2, 3)}
_LAST = {1: (0, 2, 1), 2: (0, 2, 3, 1), 3: (0, 2, 3, 4, 1)}
_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}
_MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _padded(x, plan, value=0.0):
    """The inputs, channels first, and the padding that is left to the engine."""
    x = x.permute(_FIRST[plan.rank]) if plan.last else x
    if plan.symmetric:
        return x, tuple(before for before, _ in plan.pads)
    return F.pad(x, [n for pair in reversed(plan.pads) for n in pair], value=value), (0,) * plan.rank


def _restored(x, plan):
    return x.permute(_LAST[plan.rank]) if plan.last else x


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    return biased_conv(inputs, kernel, None, strides, padding, data_format, dilation_rate)


def biased_conv(inputs, kernel, bias, strides=1, padding="valid", data_format=None, dilation_rate=1):
    plan = windows.conv(inputs.shape, kernel.shape, strides, padding, data_format, dilation_rate)
    x, pads = _padded(inputs, plan)
    rank = plan.rank
    kernel = kernel.permute(rank + 1, rank, *range(rank))
    return _restored(_CONV[rank](x, kernel, bias, plan.strides, pads, plan.dilation, plan.groups), plan)


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    plan = windows.conv_transpose(inputs.shape, kernel.shape, strides, padding, output_padding, data_format, dilation_rate)
    rank = plan.rank
    x = inputs.permute(_FIRST[rank]) if plan.last else inputs
    kernel = kernel.permute(rank + 1, rank, *range(rank))
    added = [before - behind for before, behind in plan.pads]
    if all(before >= 0 and 0 <= a < s for a, s, (before, _) in zip(added, plan.strides, plan.pads, strict=True)):
        out = _CONV_TRANSPOSE[rank](x, kernel, None, plan.strides, [before for before, _ in plan.pads], added, 1, plan.dilation)
    else:
        out = _CONV_TRANSPOSE[rank](x, kernel, None, plan.strides, 0, 0, 1, plan.dilation)
        out = F.pad(out, [-n for pair in reversed(plan.pads) for n in pair])
    return _restored(out, plan)


def max_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    if not inputs.dtype.is_floating_point:
        return max_pool(inputs.double(), pool_size, strides, padding, data_format).to(inputs.dtype)
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    x, pads = _padded(inputs, plan, -math.inf)
    return _restored(_MAX_POOL[plan.rank](x, plan.size, plan.strides, pads), plan)


def average_pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
    plan = windows.pool(inputs.shape, pool_size, strides, padding, data_format)
    if plan.rank == 3 and inputs.dtype in (torch.float16, torch.bfloat16) and inputs.device.type == "cpu":  # which has no kernel for these
        return average_pool(inputs.float(), pool_size, strides, padding, data_format).to(inputs.dtype)
    x, pads = _padded(inputs, plan)
    out = _restored(_AVERAGE_POOL[plan.rank](x, plan.size, plan.strides, pads, count_include_pad=False), plan)
    if plan.symmetric:
        return out
    share = math.prod(plan.size) / torch.from_numpy(plan.counts(inputs.shape[plan.spatial])).to(out)
    return out * (share if plan.last else share.movedim(-1, 1))


def _adaptive(kernels):
    def pool(inputs, output_size, data_format=None):
        _, parts = windows.adaptive(inputs.shape, output_size, data_format)
        rank, last = len(parts), windows.channels_last(data_format)
        if not inputs.dtype.is_floating_point or (inputs.itemsize == 2 and inputs.device.type == "cpu"):
            return NotImplemented
        out = kernels[rank](inputs.permute(_FIRST[rank]) if last else inputs, [count for _, count in parts])
        return out.permute(_LAST[rank]) if last else out

    return pool


adaptive_average_pool = _adaptive({1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d, 3: F.adaptive_avg_pool3d})
adaptive_max_pool = _adaptive({1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d})


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    return F.unfold(x, kernel_size, dilation, padding, stride) if x.dim() == 4 and x.dtype.is_floating_point else NotImplemented


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    return F.fold(x, output_size, kernel_size, dilation, padding, stride) if x.dim() == 3 and x.dtype.is_floating_point else NotImplemented


# ---- attention ----
def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    fits = query.dim() == key.dim() == value.dim() == 4 and key.shape[2] and not query.shape[2] % key.shape[2]
    # A gradient of a gradient goes through the body: the fused kernels have none.
    if flash_attention is False or attn_logits_soft_cap is not None or not fits or _threads.__dict__.get("depth", 0) > 1:
        return NotImplemented
    live = None
    if mask is not None:
        mask = mask.to(torch.bool)
        if is_causal:
            mask = mask & torch.ones(query.shape[1], key.shape[1], dtype=torch.bool, device=query.device).tril()
            is_causal = False
        live = mask.any(-1, keepdim=True)
        mask = mask | ~live
        bias = mask if bias is None else torch.where(mask, bias, -math.inf)
    elif bias is not None and is_causal:
        return NotImplemented
    bias = bias.to(query.dtype) if bias is not None and bias.is_floating_point() else bias
    q, k, v = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    groups = q.shape[1] // k.shape[1]
    if flash_attention:
        from torch.backends.cuda import SDPAParams, can_use_flash_attention

        if not (query.is_cuda and can_use_flash_attention(SDPAParams(q, k, v, bias, 0.0, is_causal, groups > 1))):
            return NotImplemented
    out = F.scaled_dot_product_attention(q, k, v, bias, 0.0, is_causal, scale=scale, enable_gqa=groups > 1)
    if live is not None:  # a query that sees no key gets the mean, which the kernels do not agree on
        out = torch.where(live, out, v.mean(2, keepdim=True).repeat_interleave(groups, 1))
    return out.transpose(1, 2)


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    shapes = (target.shape[:1], target_length.shape, output_length.shape)
    fits = output.dim() == 3 and target.dim() == 2 and all(shape == output.shape[:1] for shape in shapes) and 0 <= mask_index < output.shape[2]
    if not fits or output.is_complex() or _threads.__dict__.get("depth", 0) > 1:  # its gradient has no gradient
        return NotImplemented
    target, count, steps = (x.to(torch.int64) for x in (target, target_length, output_length))
    target, steps = target.clamp(0, output.shape[2] - 1), steps.clamp(0, output.shape[1])
    chances = torch.log_softmax(output if output.dtype == torch.float64 else output.float(), 2).clamp(min=-1e30)
    loss = F.ctc_loss(chances.transpose(0, 1), target, steps, count, mask_index, "none", zero_infinity=True)
    # Its gradient of what is impossible is NaN, or with `zero_infinity` the loss is 0: so that is seen from the lengths.
    again = (target[:, 1:] == target[:, :-1]) & (torch.arange(1, target.shape[1], device=target.device) < count[:, None])
    return torch.where((steps >= count + again.sum(1)) & (loss < 1e29), loss, math.inf)


def _rows(output, axis):
    """Outputs of a crossentropy with the classes along axis 1, and the shape of the result."""
    axis %= output.ndim
    shape = (*output.shape[:axis], *output.shape[axis + 1 :])
    if axis == output.ndim - 1:
        return output.reshape(-1, output.shape[-1]), shape
    return output.movedim(axis, 1), shape


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if not from_logits:
        return NotImplemented
    try:
        if output.ndim == 2 and target.ndim == 1 and axis in (-1, 1) and len(target) == len(output):
            return F.cross_entropy(output, target.long(), reduction="none")
        rows, shape = _rows(output, axis)
        if target.shape not in (shape, (*output.shape[: axis % output.ndim], 1, *output.shape[axis % output.ndim + 1 :])):
            return NotImplemented
        return F.cross_entropy(rows, target.reshape(-1 if rows.ndim == 2 else shape).long(), reduction="none").reshape(shape)
    except IndexError:
        raise ArgumentError("target has a class that output does not have.", where="target", expected=f"0 to {output.shape[axis] - 1}") from None


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if not from_logits or target.shape != output.shape:
        return NotImplemented
    rows, shape = _rows(output, axis)
    return F.cross_entropy(rows, _rows(target.to(output.dtype), axis)[0], reduction="none").reshape(shape)


def binary_crossentropy(target, output, from_logits=False):
    if not from_logits or target.shape != output.shape:
        return NotImplemented
    return F.binary_cross_entropy_with_logits(output, target.to(output.dtype), reduction="none")


def _channels(x, axis):
    """`x` with `axis` at place 1 without a copy where possible, and how to undo it; None where it takes more."""
    if axis % x.ndim == x.ndim - 1:
        if x.is_contiguous():
            return x.reshape(-1, x.shape[-1]), lambda y: y.reshape(x.shape)
        return x.movedim(-1, 1), lambda y: y.movedim(1, -1)
    return (x if axis % x.ndim == 1 else None), lambda y: y


def batch_normalization(x, mean, variance, axis, offset=None, scale=None, epsilon=1e-3):
    rows, restore = _channels(x, axis)
    if rows is None or any(p is not None and p.shape != (rows.shape[1],) for p in (mean, variance, offset, scale)):
        return NotImplemented
    if torch.is_grad_enabled() and (mean.requires_grad or variance.requires_grad):
        return NotImplemented  # the engine's gradient stops at given statistics
    return restore(F.batch_norm(rows, mean, variance, scale, offset, False, 0.0, epsilon))


def standardize_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    rows, restore = _channels(x, axis)
    if rows is None or rows.numel() <= rows.shape[1] or any(p is not None and p.shape != (rows.shape[1],) for p in (offset, scale)):
        return NotImplemented
    out, mean, inverse = torch.native_batch_norm(rows, scale, offset, None, None, True, 0.0, epsilon)
    mean, inverse = mean.detach(), inverse.detach()
    return restore(out), mean.to(x.dtype), (inverse.pow(-2) - epsilon).clamp_min_(0).to(x.dtype)


def _last_axes(x, axis, *parameters):
    """The sizes of `axis` if they are the last axes and the parameters have their shape, else None."""
    axes = sorted(a % x.ndim for a in (axis if isinstance(axis, (list, tuple)) else [axis]))
    shape = x.shape[x.ndim - len(axes) :]
    fits = axes == list(range(x.ndim - len(axes), x.ndim)) and all(p is None or p.shape == shape for p in parameters)
    return shape if fits else None


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    shape = None if kwargs else _last_axes(x, axis, gamma, beta)
    return NotImplemented if shape is None else F.layer_norm(x, shape, gamma, beta, config.epsilon() if epsilon is None else epsilon)


def rms_normalization(x, scale=None, axis=-1, epsilon=None):
    shape = _last_axes(x, axis, scale)
    return NotImplemented if shape is None else F.rms_norm(x, shape, scale, config.epsilon() if epsilon is None else epsilon)


# ---- images ----
def rescaled(images, size, method, antialias, last):
    height, width = images.shape[-3:-1] if last else images.shape[-2:]
    widened = antialias or (height <= size[0] and width <= size[1])  # the engine's other cubic is not Keys'
    if images.dtype not in (torch.float32, torch.float64) or method not in ("bilinear", "bicubic") or (method == "bicubic" and not widened):
        return NotImplemented
    x = images.reshape(-1, *images.shape[-3:])
    out = F.interpolate(x.permute(_FIRST[2]) if last else x, size, mode=method, align_corners=False, antialias=antialias or method == "bicubic")
    out = out.permute(_LAST[2]) if last else out
    return out.reshape(*images.shape[:-3], *out.shape[1:])


def slid(images, weights, axis, same):
    count = len(weights)
    if images.dtype not in (torch.float32, torch.float64) or images.ndim < 3 or (same and not count % 2):
        return NotImplemented
    x = images.reshape(-1, *images.shape[-3:])
    x = x if axis == -1 else x.permute(_FIRST[2])  # two of the axes for the kernel, and any third for the channels
    kernel = weights.to(x.dtype).reshape((1, 1, count, 1) if axis == -3 else (1, 1, 1, count)).expand(x.shape[1], -1, -1, -1)
    out = F.conv2d(x, kernel, padding=tuple(n // 2 * same for n in kernel.shape[2:]), groups=x.shape[1])
    out = out if axis == -1 else out.permute(_LAST[2])
    return out.reshape(*images.shape[:-3], *out.shape[1:])


# ---- random ----
manual_seed = torch.manual_seed


def seed_state(seed, count):
    """The state of a seed generator stays on the host: the engine's generators are seeded from there."""
    return torch.from_numpy(np.array([seed, count], "uint32"))


def next_state(state):
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


def draw_uniform(key, shape, dtype):
    return torch.empty(shape, dtype=torch_dtype(dtype), device=device()).uniform_(generator=_generator(key, device()))


def draw_normal(key, shape, dtype):
    return torch.empty(shape, dtype=torch_dtype(dtype), device=device()).normal_(generator=_generator(key, device()))


def draw_integers(key, shape, low, high, dtype):
    return torch.randint(int(low), int(high), shape, generator=_generator(key, device()), dtype=torch.int64, device=device()).to(torch_dtype(dtype))


def draw_gamma(key, alpha):
    return torch._standard_gamma(alpha, generator=_generator(key, alpha.device))


def draw_binomial(key, counts, probabilities):
    return torch.binomial(counts, probabilities, generator=_generator(key, counts.device))


def draw_dropout(key, x, rate, shape):
    generator, scale = _generator(key, x.device), 1 / (1 - rate)
    if x.device.type != "cpu":
        return x * torch.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - rate, generator=generator).mul_(scale)
    # On CPUs four 16-bit numbers are drawn at once, or two of 32 bits where the rate needs them.
    short = abs(round(rate * 2**16) / 2**16 - rate) <= 1e-3 * rate
    bits, dtype = (16, torch.int16) if short else (32, torch.int32)
    n, each = math.prod(shape), 64 // bits
    numbers = torch.empty((n + each - 1) // each, dtype=torch.int64).random_(-(2**63), None, generator=generator).view(dtype)[:n].view(shape)
    return x * (numbers >= min(round(rate * 2**bits), 2**bits - 1) - 2 ** (bits - 1)).to(x.dtype).mul_(scale)


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
