"""JAX: the default engine. Steps are compiled by XLA."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import inspect
import math
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax.custom_derivatives import SymbolicZero

from keraunos.backends import _fourier, _numpy_api, _shared
from keraunos.core import config, windows
from keraunos.core.errors import SymbolicError, not_positive_definite
from keraunos.core.graph import KerasTensor
from keraunos.core.spec import OPERATORS
from keraunos.core.variable import Variable

name = "jax"
kinds: dict[type, int] = {}
float_dtypes = {np.dtype(t) for t in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)}
strict_dtypes: frozenset[str] = frozenset()


def _available(dtype: str) -> Any:
    """The dtype, with 64-bit mode switched on for 64-bit floats; integers keep JAX's 32 bits without it."""
    if dtype in ("float64", "complex128") and not jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", True)
    return jax.dtypes.canonicalize_dtype(dtype)


@functools.cache
def _computing(chosen):
    """The device that `keraunos.device` chose, else the first that there is."""
    return chosen if isinstance(chosen, jax.Device) else jax.devices(chosen)[0]


def _on_cpu():
    return _computing(jax.config.jax_default_device).platform == "cpu"


def _pool(x, plan, largest, fill):
    if _on_cpu() and math.prod(plan.size) <= 36:  # there the gradient of XLA's reduce_window is 10 to 30 times slower than that of slices
        return _numpy_api.pooled(jnp, x, plan, _first_maximum if largest else jnp.add, fill)
    size, strides, pads = ((e, *t, e) if plan.last else (e, e, *t) for e, t in ((1, plan.size), (1, plan.strides), ((0, 0), plan.pads)))
    return jax.lax.reduce_window(x, np.array(fill, x.dtype), jax.lax.max if largest else jax.lax.add, size, strides, pads)


def _first_maximum(a, b):
    """The maximum, whose gradient goes to one of two equals."""
    return jnp.where((a >= b) | jnp.isnan(a), a, b)


globals().update(_numpy_api.functions(jnp, _available, _pool))
_general = globals()["array"]


# ---- what every engine provides ----
def array(x: Any, dtype: str | None = None) -> Any:
    kind = getattr(x, "dtype", None) if dtype is None else _available(dtype)
    if x.__class__ is not np.ndarray or x.dtype.kind not in "biuf" or (kind != x.dtype and (x.dtype.kind != "f" or kind not in float_dtypes)):
        return _general(x, dtype)  # whose conversions are XLA's own
    with np.errstate(over="ignore"):
        return jax.block_until_ready(_copied(x, kind))  # its owner may change it; within a trace there is nothing to wait for


def _copied(x: np.ndarray, kind: Any = None) -> Any:
    """A copy, which is waited for where `x` may change; what is small is copied twice rather than by a program for each shape."""
    if x.nbytes < 2**20:
        return jax.device_put(np.array(x, kind))
    return jnp.array(x, None if kind == x.dtype else kind, copy=True)


def devices(kind: str | None = None) -> list[str]:
    return [f"{d.platform}:{d.id}" if d.platform == "cpu" else f"{d.platform}:{d.id} ({d.device_kind})" for d in _devices(kind)]


def _devices(kind: str | None) -> list[Any]:
    try:
        return jax.devices(kind)
    except RuntimeError:
        if kind is None:
            raise
        return []  # JAX knows no such kind here


def is_tensor(x: Any) -> bool:
    return isinstance(x, jax.Array)


def dtype_of(x: Any) -> str:
    return x.dtype.name


@functools.cache
def _as_tree(cls: type) -> None:
    """Let `jax.jit`, `jax.grad` and `jax.tree` take variables of this class: for their values."""
    jax.tree_util.register_pytree_node(cls, lambda variable: ((variable.value,), None), lambda _, values: values[0])


def _refuse(symbolic: KerasTensor) -> NoReturn:
    fix = "use keraunos.ops, or wrap the function in a Layer's call"
    raise SymbolicError("A JAX function was applied to a symbolic tensor.", where=symbolic.name, received=repr(symbolic), fix=fix, code="KR720")


jax.tree_util.register_pytree_node(KerasTensor, _refuse, lambda *_: None)  # JAX looks at the arguments of all its functions so


def slot(value: Any, trainable: bool) -> Any:
    for cls in (Variable, *Variable.__subclasses__()):
        _as_tree(cls)
    return store(None, value, trainable)


stores_copies = takes_arrays = True


def store(old: Any, new: Any, trainable: bool) -> Any:
    # A copy: steps are donated the values of variables, which ends those of other variables, and of the user's, with that buffer.
    if isinstance(new, jax.core.Tracer):
        return new
    return placed_as(_copied(new) if isinstance(new, np.ndarray) else jax.device_put(new, may_alias=False), old)


def differentiate(fn: Any, values: Any) -> Any:
    return jax.value_and_grad(fn, has_aux=True)(values)


def compile(fn: Any, donate: bool = False, jit_compile: Any = None) -> Any:
    return None if jit_compile is False else jax.jit(fn, donate_argnums=(0,) if donate else ())


def flops(fn: Any, *args: Any) -> float | None:
    """The floating-point operations of a function, as XLA counts them."""
    costs = jax.jit(fn).lower(*args).compile().cost_analysis()
    return (costs or {}).get("flops")


def rows(x: Any, places: Any) -> Any:
    return jnp.take(x, places, axis=0, mode="clip")


def is_traced(x: Any) -> bool:
    return isinstance(x, jax.core.Tracer)


maps_steps = True
repeat, cond, remat, vectorized_map = jax.lax.scan, jax.lax.cond, jax.checkpoint, lambda fn, elements: jax.vmap(fn)(elements)


def scan(f: Any, init: Any, xs: Any, count: Any, reverse: bool, unroll: Any) -> Any:
    steps = count if count is not None else jax.tree.leaves(xs)[0].shape[0]
    return jax.lax.scan(f, init, xs, count, reverse, unroll) if isinstance(steps, int) else _scan_of_any_length(f, init, xs, steps, reverse)


def _scan_of_any_length(f: Any, init: Any, xs: Any, steps: Any, reverse: bool) -> Any:
    """`scan` over a number of steps that is a symbol, as in a program that is exported."""

    def row(i: Any) -> Any:
        return jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), xs)

    def body(i: Any, held: Any) -> Any:
        at = steps - 1 - i if reverse else i
        state, y = f(held[0], row(at))
        return state, jax.tree.map(lambda m, y: jax.lax.dynamic_update_index_in_dim(m, y, at, 0), held[1], y)

    _, ys = jax.eval_shape(lambda: f(init, row(0)))
    return jax.lax.fori_loop(0, steps, body, (init, jax.tree.map(lambda y: jnp.zeros((steps, *y.shape), y.dtype), ys)))


def _as_program(name: str, *static: str) -> Any:
    """An op's body as a program of its own: a loop outside of programs is compiled anew at each call."""
    static += ("unroll", "zero_output_for_mask", "return_sequences", "fused", "joined")

    @functools.cache
    def program() -> Any:
        return jax.jit(OPERATORS[name].op.body, static_argnames=static)  # pyright: ignore[reportFunctionMemberAccess]

    def run(*args: Any, **options: Any) -> Any:
        own = all(inspect.isfunction(f) and f.__module__.startswith("keraunos.") for f in args if callable(f))
        return program()(*args, **options) if own else NotImplemented  # a user's function may hold variables

    return run


simple_rnn = _as_program("simple_rnn", "activation")
_lstm = _as_program("lstm", "activation", "gate")


def lstm(x, kernel, recurrent_kernel, *rest, **options):
    # On CPUs XLA is a sixth faster with one product in a step, forward and backward, where the state is wider than the input.
    joined = {"joined": True} if _on_cpu() and recurrent_kernel.shape[0] > kernel.shape[0] else {}
    return _lstm(x, kernel, recurrent_kernel, *rest, **joined, **options)


gru = _as_program("gru", "activation", "gate", "reset_after")


def while_loop(goes_on: Any, body: Any, variables: Any) -> Any:
    return jax.lax.while_loop(lambda v: goes_on(*v), lambda v: tuple(body(*v)), tuple(variables))


def custom_gradient(f: Any, args: Any) -> Any:
    def function(*xs: Any) -> Any:
        out, gradient = f(*xs)

        def gradients(upstream: Any) -> Any:
            found = gradient(*(upstream if isinstance(out, (list, tuple)) else (upstream,)))
            found = [jnp.zeros_like(x) if g is None else g for x, g in zip(xs, found, strict=True)]
            found = [g.astype(x.dtype) if x.dtype in float_dtypes else np.zeros(x.shape, jax.dtypes.float0) for x, g in zip(xs, found, strict=True)]
            return tuple(found) if len(xs) > 1 else found[0]

        return out, gradients

    return jax.custom_gradient(function)(*args)


def place(kind: str, index: int) -> Any:
    try:
        return jax.default_device(jax.devices(kind)[index])
    except (RuntimeError, IndexError):
        return None


# ---- several devices ----
join, processes = jax.distributed.initialize, jax.process_count


def layout(mesh: Any, axes: Any) -> Any:
    return jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))


def mesh(devices: Any, axis_names: Any) -> Any:
    known = {f"{d.platform}:{d.id}": d for d in [*jax.devices(), *_devices("cpu")]}
    return jax.sharding.Mesh(np.array([known[name] for name in devices.ravel()], dtype=object).reshape(devices.shape), axis_names)


def distribute(x: Any, layout: Any) -> Any:
    return (jax.lax.with_sharding_constraint if isinstance(x, jax.core.Tracer) else jax.device_put)(x, layout)


def distribute_batch(x: Any, layout: Any, own: bool) -> Any:
    if layout.is_fully_addressable or isinstance(x, jax.core.Tracer):  # there is one process
        return distribute(x, layout)
    x = np.asarray(x)
    return jax.make_array_from_process_local_data(layout, x) if own else jax.make_array_from_callback(x.shape, layout, x.__getitem__)


def placed_as(x: Any, other: Any) -> Any:
    """`x` on the devices where `other` is, divided likewise; as it is where that is one device."""
    divided = isinstance(other, jax.Array) and not isinstance(other, jax.core.Tracer) and isinstance(other.sharding, jax.sharding.NamedSharding)
    return distribute(x, other.sharding) if divided else x


@jax.jit
def _duplicates(values: list[Any]) -> list[Any]:
    return [jnp.copy(x) for x in values]


def copies(values: list[Any]) -> list[Any] | None:
    """Copies that stay on a GPU or TPU, made by one program; None where NumPy's take less, or a value is gone."""
    with contextlib.suppress(RuntimeError):
        return None if any(d.platform == "cpu" for x in values for d in x.devices()) else _duplicates(values)


def to_numpy(x: Any) -> np.ndarray:
    try:
        return np.asarray(x)
    except RuntimeError:
        if not isinstance(x, jax.Array) or x.is_deleted() or x.is_fully_addressable:
            raise
        from jax.experimental import multihost_utils

        return np.asarray(multihost_utils.process_allgather(x, tiled=True))  # parts of it are other processes'


def abstract(fn: Any, shapes: list[tuple[int, ...]], specs_dtypes: list[str]) -> Any:
    return jax.eval_shape(fn, *(jax.ShapeDtypeStruct(s, d) for s, d in zip(shapes, specs_dtypes, strict=True)))


concrete, synchronize = jax.ensure_compile_time_eval, jax.block_until_ready


# ---- elementwise and reductions ----
def round_(x, decimals=0):
    if decimals >= 0 or x.dtype.kind not in "iu":
        return jnp.round(x, decimals)
    unit, wide = 10**-decimals, x.astype(jnp.promote_types(x.dtype, "int32"))
    tens, rest = jnp.divmod(wide, unit)
    return ((tens + (2 * rest + (tens & 1) > unit)) * unit).astype(x.dtype)  # halves go to the even one


erfc, i0, sinc = jax.lax.erfc, jnp.i0, jnp.sinc
erf, erfinv, rsqrt, stop_gradient = jax.lax.erf, jax.lax.erf_inv, jax.lax.rsqrt, jax.lax.stop_gradient
sum_ = _numpy_api.reduction(functools.partial(jnp.sum, promote_integers=False))
mean, logsumexp = _numpy_api.reduction(jnp.mean), _numpy_api.reduction(jax.nn.logsumexp)
tensordot, einsum = jnp.tensordot, jnp.einsum


def matmul(x1, x2):
    # One product of two matrices where more axes stand before: on XLA's CPU its gradients take 0.6 to 0.9 of the time.
    if x2.ndim != 2 or x1.ndim < 3 or not x1.shape[-1] or not _on_cpu():
        return jnp.matmul(x1, x2)
    return jnp.matmul(x1.reshape(-1, x1.shape[-1]), x2).reshape(*x1.shape[:-1], x2.shape[-1])


def as_complex(real, imag):
    kind = jnp.result_type(real, imag)
    return jax.lax.complex(*jnp.broadcast_arrays(jnp.asarray(real, kind), jnp.asarray(imag, kind)))


globals().update(_fourier.transforms(jnp.fft, as_complex))


# ---- linear algebra ----
jvp, solve = jax.jvp, jnp.linalg.solve
globals().update(_shared.decompositions(jnp.linalg))


def cholesky(x, upper=False):
    out = jnp.linalg.cholesky(x, upper=upper)
    if not isinstance(out, jax.core.Tracer) and jnp.isnan(out).any():
        raise not_positive_definite()
    return out


def lu_factor(x):
    return tuple(jax.lax.linalg.lu(x)[:2])


def solve_triangular(a, b, lower=False):
    if b.ndim == 1:
        return solve_triangular(a, b[:, None], lower)[..., 0]
    batch = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = jnp.broadcast_to(a, batch + a.shape[-2:]), jnp.broadcast_to(b, batch + b.shape[-2:])
    return jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=lower)


# ---- selection ----
def get_item(x, key):
    return x[jnp.asarray(key) if isinstance(key, list) else key]


def slice_(inputs, start_indices, shape):
    if -1 in shape:
        return inputs[_shared.block(start_indices, shape, inputs.shape)]
    return jax.lax.dynamic_slice(inputs, tuple(start_indices), shape)


def slice_update(inputs, start_indices, updates):
    return jax.lax.dynamic_update_slice(inputs, updates.astype(inputs.dtype), tuple(start_indices))


# ---- scattering ----
def scatter_rows(x, places, updates, reduction=None):
    places = jnp.where(places < 0, len(x), places)  # JAX would count these from the end
    if x.dtype == bool:
        reduction = {"add": "max", "mul": "min"}.get(reduction, reduction)
    return _multiplied(x, places, updates) if reduction == "mul" else getattr(x.at[places], reduction or "set")(updates, mode="drop")


@jax.custom_jvp
def _multiplied(x, places, updates):
    """The rows times the updates; JAX has no gradient of it."""
    return x.at[places].mul(updates, mode="drop")


@_multiplied.defjvp
def _multiplied_jvp(primals, tangents):
    (x, places, updates), (dx, _, du) = primals, tangents
    zeros = (x == 0).astype("int32").at[places].add((updates == 0).astype("int32"), mode="drop")
    product = _multiplied(jnp.where(x == 0, 1, x), places, jnp.where(updates == 0, 1, updates))

    def others(factor, zeros, product):
        """The product of a row's other factors."""
        zero = factor == 0
        return jnp.where(zeros == zero, product / jnp.where(zero, 1, factor), 0)

    change = (others(updates, zeros[places], product[places]) * du).astype(x.dtype)
    return _multiplied(x, places, updates), (others(x, zeros, product) * dx).at[places].add(change, mode="drop")


# ---- neural networks ----
softmax, log_softmax = jax.nn.softmax, jax.nn.log_softmax
sigmoid, silu, log_sigmoid = jax.nn.sigmoid, jax.nn.silu, jax.nn.log_sigmoid


def relu(x):
    return jax.nn.relu(x) if x.dtype != bool else NotImplemented


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _standard(x, axes, epsilon):
    """`x` with mean 0 and variance 1 over the axes."""
    centered, root = _centered(x, axes, epsilon)
    return centered * root


def _centered(x, axes, epsilon):
    """`x` less its mean, and the inverse of its root mean square then."""
    centered = x - jnp.mean(x, axes, keepdims=True)
    return centered, jax.lax.rsqrt(jnp.mean(centered * centered, axes, keepdims=True) + epsilon)


@_standard.defjvp
def _standard_jvp(axes, epsilon, primals, tangents):
    # The barriers keep XLA from computing the statistics again for each sum: on CPUs the gradients take two thirds of the time with them.
    centered, root = _centered(primals[0], axes, epsilon)
    out, root = jax.lax.optimization_barrier((centered * root, root))
    dx = tangents[0]
    mean, along = jax.lax.optimization_barrier((jnp.mean(dx, axes, keepdims=True), jnp.mean(dx * out, axes, keepdims=True)))
    return out, jax.lax.optimization_barrier(root * (dx - mean - out * along))


@functools.partial(jax.jit, static_argnums=(3, 4))
def _layer_normalization(x, gamma, beta, axes, epsilon):
    wide = x.astype("float32") if x.dtype.itemsize < 4 else x
    out = _standard(wide, axes, epsilon).astype(x.dtype)
    out = out if gamma is None else out * gamma
    return jax.lax.optimization_barrier(out if beta is None else out + beta)


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    axes = None if kwargs or x.dtype not in float_dtypes or not _on_cpu() else _shared.last_axes(x, axis, gamma, beta)
    return NotImplemented if axes is None else _layer_normalization(x, gamma, beta, axes, config.epsilon() if epsilon is None else epsilon)


def _by_matrix(x, kernel, plan):
    """The convolution as patches times matrix."""
    return jnp.concatenate(_numpy_api.parts(jnp, x, plan), axis=-1) @ kernel.reshape(-1, kernel.shape[-1])


def _layout(plan, kernel="IO"):
    """The meaning of the axes of inputs, kernel and result."""
    spatial = "DHW"[3 - plan.rank :]
    inputs = f"N{spatial}C" if plan.last else f"NC{spatial}"
    return inputs, f"{spatial}{kernel}", inputs


def _by_lax(x, kernel, plan):
    return jax.lax.conv_general_dilated(x, kernel, plan.strides, plan.pads, (1,) * plan.rank, plan.dilation, _layout(plan), plan.groups)


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


def _by_floats(convolution):
    """The convolution, by floats for integers where XLA has none for these, which is on all but CPUs."""

    def cast(x, dtype):
        return (x.astype("int32") if x.dtype in float_dtypes else x).astype(dtype)

    by_floats = _shared.through(dict.fromkeys(map(np.dtype, "?bhilBHIL"), "float32"), cast, convolution)
    return lambda *args: (convolution if _on_cpu() else by_floats)(*args)


@_by_floats
def conv(inputs, kernel, *options):
    plan = windows.conv(inputs.shape, kernel.shape, *options)
    if plan.last and plan.groups == 1 and _on_cpu():
        if set(plan.size) == {1}:
            return _by_matrix(inputs, kernel, plan)
        if inputs.shape[-1] == 1:
            return _of_one_channel(inputs, kernel, plan)
    return _by_lax(inputs, kernel, plan)


@_by_floats
def conv_transpose(inputs, kernel, *options):
    plan = windows.conv_transpose(inputs.shape, kernel.shape, *options)
    reach = [(k - 1) * d for k, d in zip(plan.size, plan.dilation, strict=True)]
    pads = [(r - before, r - behind) for r, (before, behind) in zip(reach, plan.pads, strict=True)]
    kernel = jnp.flip(kernel, range(plan.rank))
    return jax.lax.conv_general_dilated(inputs, kernel, (1,) * plan.rank, pads, plan.strides, plan.dilation, _layout(plan, "OI"))


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
        total = jnp.sum(output, axis, keepdims=True)
        loss = -jnp.log(jnp.clip(chosen / jnp.where(total == 0, 1, total), config.epsilon(), 1.0 - config.epsilon()))
    return jnp.squeeze(jnp.where((target >= 0) & (target < classes), loss, jnp.nan), axis)


# ---- attention ----
def _has_flash(query, key):
    """Whether cuDNN's kernels take these, of which gradients want even lengths."""
    device = _computing(jax.config.jax_default_device)
    short, depth = query.dtype.name in ("float16", "bfloat16"), query.shape[-1]
    even = device.platform == "gpu" and all(isinstance(n, int) and n % 2 == 0 for n in (query.shape[1], key.shape[1]))
    return even and float(getattr(device, "compute_capability", 0)) >= 8 and short and depth % 8 == 0 and depth <= 128


def dot_product_attention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, flash_attention=None, attn_logits_soft_cap=None):
    # One matrix of weights for all that share key heads, without a copy of the keys; short floats are added up in float32 but not made so first.
    fits = query.ndim == key.ndim == 4 and key.shape == value.shape and query.shape[::3] == key.shape[::3]
    if attn_logits_soft_cap is not None or not fits or not key.shape[2] or query.shape[2] % key.shape[2]:
        return NotImplemented
    flash = flash_attention is not False and _has_flash(query, key)
    alike = query.shape[2] == key.shape[2] and query.dtype.itemsize > 2  # the body is faster there
    if not flash and (flash_attention or alike or (query.dtype == "float16" and _on_cpu())):  # for which JAX's has no kernel
        return NotImplemented
    bias, mask = (None if x is None else x.reshape((1,) * (4 - x.ndim) + x.shape) for x in (bias, mask))
    options = {"scale": scale, "is_causal": is_causal, "implementation": "cudnn" if flash else "xla"}
    return jax.nn.dot_product_attention(query, key, value, bias, None if mask is None else mask.astype(bool), **options)


# ---- random ----
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


def draw_dropout(key, x, rate, shape):
    # The mask is a hash of the position: it fuses with what stands around it and costs a seventh of JAX's own bits on CPUs.
    index = jax.lax.iota("uint32", math.prod(shape)).reshape(shape)
    if isinstance(rate, jax.core.Tracer):
        threshold = jnp.minimum(jnp.round(rate * 2.0**32), 2.0**32 - 256).astype("uint32")
        scale = jnp.where(rate < 1, 1 / (1 - rate), 0).astype(x.dtype)
    else:
        threshold, scale = np.uint32(_shared.threshold(rate)), np.asarray(1 / (1 - rate), x.dtype)
    return jnp.where(_numpy_api.hashed(index, key[0], key[1]) >= threshold, x * scale, 0)


# ---- structures as functions of the engine's own have them ----
unflatten_native = jax.tree_util.tree_unflatten


def flatten_native(structure):
    """The leaves, the path to each, and what puts them together again."""
    pairs, definition = jax.tree_util.tree_flatten_with_path(structure)
    return [leaf for _, leaf in pairs], [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in pairs], definition
