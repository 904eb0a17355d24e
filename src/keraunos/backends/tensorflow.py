"""TensorFlow: steps are `tf.function`s of their state, by XLA where that is faster."""

# What engines take is wider than what their annotations say.
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import contextlib
import functools
import math
from typing import Any

import numpy as np

from keraunos.backends import _shared
from keraunos.backends import _tensorflow_graphs as graphs
from keraunos.backends._tensorflow_graphs import EAGER, array, cast, tf, threads
from keraunos.backends._tensorflow_saved import *
from keraunos.core import config, dtypes, windows
from keraunos.core.errors import no_such_class, not_positive_definite
from keraunos.core.spec import UNKNOWN, Symbolic, normalize_axes
from keraunos.core.variable import Variable

name = "tensorflow"
kinds: dict[type, int] = {}
float_dtypes = {tf.float16, tf.float32, tf.float64, tf.bfloat16}
strict_dtypes: frozenset[str] = frozenset()
stateful = False
differentiate, compile, abstract, remat = graphs.differentiate, graphs.compile, graphs.abstract, graphs.remat
cond, while_loop, scan, repeat = graphs.cond, graphs.while_loop, graphs.scan, graphs.repeat
custom_gradient, vectorized_map = graphs.custom_gradient, tf.vectorized_map


# ---- what every engine provides ----
def devices() -> list[str]:
    return [d.name.removeprefix("/physical_device:").lower() for d in tf.config.list_physical_devices()]


def place(kind: str, index: int) -> Any:
    return tf.device(f"/{kind}:{index}") if index < len(tf.config.list_logical_devices(kind.upper())) else None


# TensorFlow's own functions and operators take variables for their values, through which gradients flow, and refuse what has no value.
tf.register_tensor_conversion_function(Variable, lambda variable, dtype=None, name=None, as_ref=False: variable.value)
tf.register_tensor_conversion_function(Symbolic, lambda x, dtype=None, name=None, as_ref=False: x.__array__())


def is_tensor(x: Any) -> bool:
    return isinstance(x, tf.Tensor)


def is_traced(x: Any) -> bool:
    return isinstance(x, tf.Tensor) and not isinstance(x, EAGER)


def tracing() -> bool:
    return not tf.executing_eagerly()


def to_numpy(x: Any) -> np.ndarray:
    return np.asarray(x.numpy() if isinstance(x, EAGER) else x)


def dtype_of(x: Any) -> str:
    return x.dtype.name


def slot(value: Any, trainable: bool) -> Any:
    return value


def store(old: Any, new: Any, trainable: bool) -> Any:
    return new


def indices(order: np.ndarray) -> np.ndarray:
    return order


def rows(x: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    return tf.gather(x, places)


def dim(x: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.shape(x)[axis]


concrete, forward = tf.init_scope, contextlib.nullcontext


def synchronize(x: Any) -> None:
    x.numpy()


def _shape(x: Any) -> tuple[Any, ...]:
    return tuple(UNKNOWN if d is None else d for d in x.shape)


def _sizes(x: Any) -> list[Any]:
    """The sizes, those that are not known as scalars."""
    return [dim(x, i) if d is None else d for i, d in enumerate(x.shape)]


# ---- dtypes for which TensorFlow has no kernel ----
_WIDER = {
    "bool": "int32", "uint8": "int32", "uint16": "int32", "int8": "int32", "int16": "int32", "uint32": "int64", "uint64": "int64", "int32": "float64",
    "int64": "float64", "float16": "float32", "bfloat16": "float32", "float8_e4m3fn": "float32", "float8_e5m2": "float32",
}  # fmt: skip
_UNSIGNED, _SHORT, _FLOAT8 = "uint8 uint16 uint32 uint64", "bool uint8 uint16 int8 int16", "float8_e4m3fn float8_e5m2"
_HALF = f"float16 bfloat16 {_FLOAT8}"


def _through(dtypes_: str, function: Any, back: bool = True) -> Any:
    """`function`, tensors of these dtypes made wider for it, and its result made theirs again."""
    wider = {tf.as_dtype(d): tf.as_dtype(_WIDER[d]) for d in dtypes_.split()}

    def through(x: Any, *more: Any, **options: Any) -> Any:
        to = wider.get(x.dtype)
        if to is None:
            return function(x, *more, **options)
        out = function(tf.cast(x, to), *(tf.cast(y, to) if isinstance(y, tf.Tensor) else y for y in more), **options)
        return tf.cast(out, x.dtype) if back else out

    return through


def _like(x: Any, other: tf.Tensor) -> tf.Tensor:
    """A Python scalar in the dtype of a tensor."""
    return tf.constant(np.asarray(x).astype(other.dtype.as_numpy_dtype)) if x.__class__ in _shared.SCALARS else x


_pair = _shared.pair(_like)


def _or_bool(of_bool: Any, function: Any) -> Any:
    return _pair(lambda x1, x2: of_bool(x1, x2) if x1.dtype == tf.bool else function(x1, x2))


def _parts(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return tf.math.real(x), tf.math.imag(x)


def _by_parts(function: Any) -> Any:
    """A function of real numbers, applied to the parts of complex ones."""
    return lambda x, *more, **options: (
        tf.complex(*(function(part, *more, **options) for part in _parts(x))) if x.dtype.is_complex else function(x, *more, **options)
    )


def _comparison(function: Any) -> Any:
    """A comparison, for complex numbers as NumPy has it: by the imaginary parts where the real ones are equal."""
    of_reals = _through(f"bool {_FLOAT8}", function, back=False)

    def compare(x1: Any, x2: Any) -> Any:
        if not x1.dtype.is_complex:
            return of_reals(x1, x2)
        (re1, im1), (re2, im2) = _parts(x1), _parts(x2)
        return tf.where(tf.equal(re1, re2), function(im1, im2), function(re1, re2))

    return _pair(compare)


less, less_equal, greater, greater_equal = map(_comparison, (tf.math.less, tf.math.less_equal, tf.math.greater, tf.math.greater_equal))


def _of_two(of_bool: Any, function: Any, before: Any) -> Any:
    """The extreme of two; NaN is one."""
    of_reals = _or_bool(of_bool, _through(_FLOAT8, function))
    return _pair(lambda x1, x2: tf.where(isnan(x1) | before(x1, x2), x1, x2) if x1.dtype.is_complex else of_reals(x1, x2))


# ---- elementwise ----
add, multiply = _or_bool(tf.logical_or, tf.math.add), _or_bool(tf.logical_and, tf.math.multiply)
maximum, minimum = _of_two(tf.logical_or, tf.math.maximum, greater), _of_two(tf.logical_and, tf.math.minimum, less)
subtract, true_divide = _pair(tf.math.subtract), _pair(tf.math.divide)
power, arctan2 = _pair(_through(f"{_UNSIGNED} int8 int16", tf.math.pow)), _pair(tf.math.atan2)
equal, not_equal = _pair(tf.math.equal), _pair(tf.math.not_equal)
logical_and, logical_or, logical_xor, logical_not = _pair(tf.logical_and), _pair(tf.logical_or), _pair(tf.math.logical_xor), tf.logical_not
sqrt, exp, expm1, log, log1p, sigmoid, rsqrt = tf.math.sqrt, tf.math.exp, tf.math.expm1, tf.math.log, tf.math.log1p, tf.math.sigmoid, tf.math.rsqrt
sin, cos, tan, sinh, cosh, tanh = tf.math.sin, tf.math.cos, tf.math.tan, tf.math.sinh, tf.math.cosh, tf.math.tanh
arcsin, arccos, arctan, arcsinh, arccosh, arctanh = tf.math.asin, tf.math.acos, tf.math.atan, tf.math.asinh, tf.math.acosh, tf.math.atanh
erf, erfc, floor, ceil, stop_gradient = tf.math.erf, tf.math.erfc, tf.math.floor, tf.math.ceil, tf.stop_gradient
erfinv, square = _through(_HALF, tf.math.erfinv), tf.math.square


def _divided(function: Any) -> Any:
    """`function`, which for integers gives 0 over 0, as NumPy does, in place of an error."""

    def divided(x1: Any, x2: Any) -> Any:
        if x2.dtype.is_floating:
            return function(x1, x2)
        zero = tf.equal(x2, 0)
        return tf.where(zero, tf.zeros_like(x2), function(x1, tf.where(zero, tf.ones_like(x2), x2)))

    return _pair(divided)


floor_divide, mod = _divided(tf.math.floordiv), _divided(tf.math.floormod)


def negative(x):
    return tf.zeros_like(x) - x if x.dtype.is_unsigned else tf.math.negative(x)


def absolute(x):
    return x if x.dtype.is_unsigned or x.dtype == tf.bool else tf.math.abs(x)


def sign(x):
    return tf.minimum(x, tf.ones_like(x)) if x.dtype.is_unsigned else tf.math.sign(x)


def log2(x):
    return tf.math.log(x) / _like(math.log(2), x)


def log10(x):
    return tf.math.log(x) / _like(math.log(10), x)


@_pair
def logaddexp(x1, x2):
    if x1.dtype.is_complex:
        top = maximum(x1, x2)
        return top + tf.math.log1p(tf.math.exp(minimum(x1, x2) - top))
    above = x1 > x2
    gap = tf.where((x1 == x2) & tf.math.is_inf(x1), tf.zeros_like(x1), x1 - x2)
    return tf.where(above, x1, x2) + tf.math.softplus(tf.where(above, -gap, gap))


@_by_parts
def round_(x, decimals=0):
    if decimals == 0 or (decimals > 0 and not x.dtype.is_floating):
        return tf.math.round(x) if x.dtype.is_floating else x
    if not x.dtype.is_floating:
        return tf.cast(round_(tf.cast(x, tf.float64), decimals), x.dtype)
    scale = _like(10.0 ** abs(decimals), x)
    return tf.math.round(x * scale) / scale if decimals > 0 else tf.math.round(x / scale) * scale


def _test(function: Any, of_others: bool, join: Any) -> Any:
    """A test of floats; integers all answer the same, and complex numbers by both parts."""

    def test(x: Any) -> Any:
        if x.dtype.is_complex:
            return join(function(tf.math.real(x)), function(tf.math.imag(x)))
        return _through(_FLOAT8, function, back=False)(x) if x.dtype.is_floating else tf.fill(tf.shape(x), of_others)

    return test


isnan, isinf = _test(tf.math.is_nan, False, tf.logical_or), _test(tf.math.is_inf, False, tf.logical_or)
isfinite = _test(tf.math.is_finite, True, tf.logical_and)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    if not x.dtype.is_floating:
        return x
    for found, value in (
        (tf.math.is_nan(x), nan), (x == math.inf, x.dtype.max if posinf is None else posinf), (x == -math.inf, x.dtype.min if neginf is None else neginf)
    ):  # fmt: skip
        x = tf.where(found, _like(float(value), x), x)
    return x


def where(condition, x1=None, x2=None):
    condition = condition if isinstance(condition, tf.Tensor) else array(condition)
    condition = condition if condition.dtype == tf.bool else tf.not_equal(condition, tf.zeros_like(condition))
    if x1 is None:
        return tuple(tf.unstack(tf.cast(tf.where(condition), tf.int32), num=condition.shape.rank, axis=1))
    return _pair(lambda a, b: tf.where(condition, a, b))(x1, x2)


# ---- bits and complex numbers ----
bitwise_and, bitwise_or = _or_bool(tf.logical_and, tf.bitwise.bitwise_and), _or_bool(tf.logical_or, tf.bitwise.bitwise_or)
bitwise_xor = _or_bool(tf.math.logical_xor, tf.bitwise.bitwise_xor)


def bitwise_invert(x):
    return tf.logical_not(x) if x.dtype == tf.bool else tf.bitwise.invert(x)


@_pair
def left_shift(x, y):
    last = _like(8 * x.dtype.size - 1, y)
    return tf.where(y > last, tf.zeros_like(x), tf.bitwise.left_shift(x, tf.minimum(y, last)))


@_pair
def right_shift(x, y):
    last = _like(8 * x.dtype.size - 1, y)
    out = tf.bitwise.right_shift(x, tf.minimum(y, last))
    return tf.where(y > last, tf.zeros_like(x), out) if x.dtype.is_unsigned else out


def view(x, dtype=None):
    to = x.dtype if dtype is None else tf.as_dtype(dtype)
    if tf.bool in (x.dtype, to):  # a byte, of which TensorFlow has no view
        return tf.not_equal(view(x, "uint8"), 0) if to == tf.bool else view(tf.cast(x, tf.uint8), dtype)
    ratio = to.size / x.dtype.size
    if ratio > 1:
        x = tf.reshape(x, [*_sizes(x)[:-1], -1, int(ratio)])
    out = tf.bitcast(x, to)
    return tf.reshape(out, [*_sizes(x)[:-1], -1]) if ratio < 1 else out


def real(x):
    return tf.math.real(x) if x.dtype.is_complex else x


def imag(x):
    return tf.math.imag(x) if x.dtype.is_complex else tf.zeros_like(x)


as_complex = _pair(_through(_HALF, tf.complex, back=False))


# ---- reductions ----
_wide_sum = functools.partial(_through, _HALF)  # 16-bit floats are added up in 32 bits


def _reduction(function: Any) -> Any:
    return lambda x, axis=None, keepdims=False: function(x, axis, keepdims)


sum_, mean = _wide_sum(_reduction(tf.math.reduce_sum)), _wide_sum(_reduction(tf.math.reduce_mean))
any_, all_ = _reduction(tf.math.reduce_any), _reduction(tf.math.reduce_all)


def logsumexp(x, axis=None, keepdims=False):
    return tf.math.reduce_logsumexp(x, axis, keepdims) if x.dtype.is_floating else NotImplemented


def prod(x, axis=None, keepdims=False, dtype=None):
    return tf.math.reduce_prod(cast(x, dtype) if dtype else x, axis, keepdims)


def _need_some(x: Any, axis: Any) -> None:
    """Raise if there is nothing to choose from, of which TensorFlow chooses infinity; the rule tells more."""
    if 0 in x.shape and 0 in (x.shape[i] for i in normalize_axes(axis, x.shape.rank)):
        raise ValueError


def _extreme(function: Any, of_bool: Any, of_two: Any) -> Any:
    def of_complex(x, axis, keepdims):
        re, im = _parts(x)
        top = function(re, axis, True)
        worst = function(tf.zeros([0], re.dtype), 0)
        return tf.complex(function(re, axis, keepdims), function(tf.where(tf.equal(re, top), im, worst), axis, keepdims))

    def extreme(x, axis=None, keepdims=False, initial=None):
        if initial is None:
            _need_some(x, axis)
        out = (of_bool if x.dtype == tf.bool else of_complex if x.dtype.is_complex else function)(x, axis, keepdims)
        return out if initial is None else of_two(out, cast(initial, dtype_of(x)) if isinstance(initial, tf.Tensor) else _like(initial, x))

    return extreme


max_ = _extreme(_through(_FLOAT8, tf.math.reduce_max), tf.math.reduce_any, maximum)
min_ = _extreme(_through(_FLOAT8, tf.math.reduce_min), tf.math.reduce_all, minimum)


def _place_of(function: Any, extreme: Any) -> Any:
    """The place of an extreme; NaN is one."""

    def place_of(x, axis=None, keepdims=False):
        _need_some(x, axis)
        rank = x.shape.rank
        if x.dtype.is_complex:  # that of what equals the extreme
            x, chosen = tf.cast(tf.equal(x, extreme(x, axis, True)), tf.int32), tf.math.argmax
        else:
            chosen = function
        flat, at = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
        out = chosen(flat, at, tf.int32)
        if x.dtype.is_floating:
            nan = tf.math.is_nan(flat)
            out = tf.where(tf.reduce_any(nan, at), tf.argmax(nan, at, tf.int32), out)
        return out if not keepdims else tf.expand_dims(out, axis) if axis is not None else tf.reshape(out, [1] * rank)

    return place_of


argmax, argmin = _place_of(tf.math.argmax, max_), _place_of(tf.math.argmin, min_)


def _running(function: Any) -> Any:
    def running(x, axis=None, dtype=None):
        x = cast(x, dtype) if dtype else x
        return function(tf.reshape(x, [-1]), 0) if axis is None else function(x, axis)

    return running


cumsum, cumprod = _running(_wide_sum(tf.math.cumsum)), _running(_wide_sum(tf.math.cumprod))


def _ranks(x: tf.Tensor) -> tf.Tensor:
    """Integers in the order of the elements, equal for equals; NaN is the last."""
    if x.dtype.is_floating:
        x = x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
        x = tf.where(tf.math.is_nan(x), _like(math.nan, x), tf.where(x == 0, tf.zeros_like(x), x))
        bits = tf.bitcast(x, tf.int64 if x.dtype == tf.float64 else tf.int32)
        return tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, bits.dtype.max), bits)
    if x.dtype == tf.uint64:
        return tf.bitwise.bitwise_xor(tf.bitcast(x, tf.int64), tf.int64.min)
    return x if x.dtype == tf.int64 else tf.cast(x, tf.int64 if x.dtype == tf.uint32 else tf.int32)


def _swapped(x: tf.Tensor, axis: int) -> tf.Tensor:
    """`x` with `axis` and the last exchanged."""
    rank = x.shape.rank
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return x if order[-1] == rank - 1 else tf.transpose(x, order)


def _order(x: tf.Tensor) -> tf.Tensor:
    """The places of the elements in ascending order, along the last axis."""
    if x.dtype.is_complex:
        re, im = _parts(x)
        first, batch = _order(im), x.shape.rank - 1
        return tf.gather(first, _order(tf.gather(re, first, axis=-1, batch_dims=batch)), axis=-1, batch_dims=batch)
    return tf.math.top_k(tf.bitwise.invert(_ranks(x)), _sizes(x)[-1]).indices


def sort(x, axis=-1):
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    x = _swapped(x, axis)
    return _swapped(tf.gather(x, _order(x), axis=-1, batch_dims=x.shape.rank - 1), axis)


def argsort(x, axis=-1):
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    return _swapped(_order(_swapped(x, axis)), axis)


def top_k(x, k, sorted=True):
    places = _order(-x)[..., :k] if x.dtype.is_complex else tf.math.top_k(_ranks(x), k, sorted).indices
    return tf.gather(x, places, axis=-1, batch_dims=x.shape.rank - 1), places


# ---- shaping ----
def _several(given):
    return list(given) if hasattr(given, "__len__") else [given]


def broadcast_to(x, shape):
    return tf.broadcast_to(x, _several(shape))


def full(shape, fill_value, dtype=None):
    shape = _several(shape)
    value = cast(fill_value, dtype or dtypes.standardize_dtype(None))
    return tf.broadcast_to(value, shape) if len(shape) else tf.reshape(value, [])


def arange(start, stop=None, step=None, dtype=None):
    dtype = dtype or dtypes.common(start, stop, step)
    first, last, step = (0, start, step) if stop is None else (start, stop, step)
    step = 1 if step is None else step
    if not any(isinstance(x, tf.Tensor) for x in (first, last, step)) and (last - first) * step < 0:  # which TensorFlow refuses
        last = first
    kind = dtype if dtype in ("int32", "int64", "float32", "float64") else "float32" if dtypes.is_float(dtype) else "int64"
    return cast(tf.range(*(x if isinstance(x, tf.Tensor) else tf.constant(x, kind) for x in (first, last, step)), dtype=kind), dtype)


def reshape(x, newshape):
    return tf.reshape(x, newshape if hasattr(newshape, "__len__") else [newshape])


def transpose(x, axes=None):
    return tf.transpose(x, axes if axes is None else [a % x.shape.rank for a in axes])


def roll(x, shift, axis=None):
    shifts = _several(shift)
    if axis is None:
        return tf.reshape(tf.roll(tf.reshape(x, [-1]), sum(shifts), 0), tf.shape(x))
    axes = _several(axis)
    return tf.roll(x, shifts * len(axes) if len(shifts) == 1 else shifts, axes * len(shifts) if len(axes) == 1 else axes)


def concatenate(xs, axis=0):
    return tf.concat(list(xs), axis)


def repeat_(x, repeats, axis=None):
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    size = x.shape[axis]
    if isinstance(repeats, (list, tuple)) and len(repeats) == 1:
        repeats = repeats[0]
    if size is None or isinstance(repeats, tf.Tensor) or (isinstance(repeats, (list, tuple)) and any(isinstance(n, tf.Tensor) for n in repeats)):
        return tf.repeat(x, repeats, axis)
    return tf.gather(x, np.repeat(np.arange(size), repeats), axis=axis)


def tile(x, repeats):
    repeats = list(repeats) if hasattr(repeats, "__len__") else [repeats]
    rank = x.shape.rank
    x = tf.reshape(x, [1] * (len(repeats) - rank) + _sizes(x))
    return _through("uint16", tf.tile)(x, [1] * (rank - len(repeats)) + repeats)


def pad_constant(x, widths, value):
    return tf.pad(x, [list(pair) for pair in widths], constant_values=_like(value, x) if x.shape.rank else 0)


def _places(indices: Any, size: Any) -> Any:
    """Indices from the front, of which some may count from the end."""
    if getattr(indices, "dtype", tf.int32) in (tf.float16, tf.bfloat16, tf.float32, tf.float64):
        raise TypeError  # the rule tells more
    if not isinstance(indices, tf.Tensor):
        indices = np.asarray(indices)
        if isinstance(size, int):
            return tf.constant(np.where(indices < 0, indices + size, indices).astype("int32"))
        indices = tf.constant(indices.astype("int32"))
    indices = indices if indices.dtype in (tf.int32, tf.int64) else tf.cast(indices, tf.int64 if indices.dtype == tf.uint32 else tf.int32)
    return tf.where(indices < 0, indices + tf.cast(size, indices.dtype), indices)


def expand_dims(x, axis):
    return tf.expand_dims(x, axis) if axis.__class__ is int else NotImplemented


def get_item(x, key):
    if key.__class__ is int:
        return x[key]
    key = list(key) if isinstance(key, tuple) else [np.asarray(key) if isinstance(key, list) else key]
    masks = [isinstance(k, (tf.Tensor, np.ndarray)) and dtypes.standardize_dtype(k.dtype) == "bool" for k in key]
    arrays = [m or (isinstance(k, (tf.Tensor, np.ndarray)) and len(k.shape) > 0) for k, m in zip(key, masks, strict=True)]
    if not any(arrays):
        return x[tuple(int(k) if isinstance(k, np.ndarray) else k for k in key)]
    used = sum(len(k.shape) if m else k is not None and k is not ... for k, m in zip(key, masks, strict=True))
    if not any(k is ... for k in key):
        key, masks, arrays = [*key, ...], [*masks, False], [*arrays, False]
    # Beside arrays NumPy takes integers for arrays. What is left of the key is basic: it is applied first, and the arrays to what it gives.
    basic: list[Any] = []
    chosen: list[tuple[int, int, Any]] = []  # the place in the key, the axis after the basic part, the indices
    axis, kept = 0, 0  # in x, and after the basic part
    for place, (k, mask, listed) in enumerate(zip(key, masks, arrays, strict=True)):
        if k is None:
            basic.append(None)
            kept += 1
        elif k is ...:
            count = x.shape.rank - used
            basic += [slice(None)] * count
            axis, kept = axis + count, kept + count
        elif isinstance(k, slice):
            basic.append(k)
            axis, kept = axis + 1, kept + 1
        else:
            found = where(k) if mask else [k if listed or isinstance(k, tf.Tensor) else np.asarray(k)]
            for indices in found:
                basic.append(slice(None))
                chosen.append((place, kept, _places(indices, _sizes(x)[axis])))
                axis, kept = axis + 1, kept + 1
    if any(b is None or b != slice(None) for b in basic):
        x = x[tuple(basic)]
    if len(chosen) == 1:
        return tf.gather(x, chosen[0][2], axis=chosen[0][1])
    axes = [at for _, at, _ in chosen]
    rest = [i for i in range(x.shape.rank) if i not in axes]
    shape = functools.reduce(tf.broadcast_dynamic_shape, [tf.shape(i) for _, _, i in chosen])
    static = functools.reduce(tf.broadcast_static_shape, [i.shape for _, _, i in chosen])
    grid = tf.stack([tf.ensure_shape(tf.broadcast_to(tf.cast(i, tf.int32), shape), static) for _, _, i in chosen], -1)
    out = tf.gather_nd(tf.transpose(x, axes + rest), grid)
    before = sum(i < axes[0] for i in rest) if chosen[-1][0] - chosen[0][0] == len({place for place, _, _ in chosen}) - 1 else 0
    new = static.rank
    return tf.transpose(out, [*range(new, new + before), *range(new), *range(new + before, new + len(rest))])


def take(x, indices, axis=None):
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    return tf.gather(x, _places(indices, _sizes(x)[axis]), axis=axis)


def take_along_axis(x, indices, axis=None):
    if axis is None:
        x, indices, axis = tf.reshape(x, [-1]), tf.reshape(indices, [-1]), 0
    places = _places(indices, _sizes(x)[axis])
    x, places = _swapped(x, axis), _swapped(places, axis)
    if x.shape[:-1].as_list() != places.shape[:-1].as_list():
        shape = tf.broadcast_dynamic_shape(tf.shape(x)[:-1], tf.shape(places)[:-1])
        x, places = (tf.broadcast_to(a, tf.concat([shape, tf.shape(a)[-1:]], 0)) for a in (x, places))
    return _swapped(tf.gather(x, places, axis=-1, batch_dims=x.shape.rank - 1), axis)


def _starts(start_indices: Any, inputs: Any, sizes: Any) -> tf.Tensor:
    """Where a block of these sizes starts: earlier than said where it would reach beyond the end."""
    own = _sizes(inputs)
    if not any(isinstance(i, tf.Tensor) for i in (start_indices, *own, *sizes)):
        return tf.constant([part.start for part in _shared.block(start_indices, sizes, own)], tf.int32)
    starts = tf.cast(start_indices if isinstance(start_indices, tf.Tensor) else tf.stack([tf.cast(i, tf.int32) for i in start_indices]), tf.int32)
    last = tf.stack([n if size.__class__ is int and size == -1 else n - size for n, size in zip(own, sizes, strict=True)])
    return tf.maximum(tf.minimum(tf.where(starts < 0, starts + tf.stack(own), starts), last), 0)


def slice_(inputs, start_indices, shape):
    return tf.slice(inputs, _starts(start_indices, inputs, shape), shape) if inputs.shape.rank else inputs


def slice_update(inputs, start_indices, updates):
    updates = tf.cast(updates, inputs.dtype)
    if inputs.shape.rank == 0:
        return updates
    # Whole rows are written at once: only the axes up to the last that is written in part are gone through.
    parts = [i for i, (n, m) in enumerate(zip(inputs.shape, updates.shape, strict=True)) if n is None or n != m]
    depth = parts[-1] + 1 if parts else 1
    grid = tf.stack(tf.meshgrid(*(tf.range(n) for n in _sizes(updates)[:depth]), indexing="ij"), -1)
    return tf.tensor_scatter_nd_update(inputs, grid + _starts(start_indices, inputs, _sizes(updates))[:depth], updates)


def diagonal(x, offset=0, axis1=0, axis2=1):
    rank = x.shape.rank
    axes = [axis1 % rank, axis2 % rank]
    x = tf.transpose(x, [*(i for i in range(rank) if i not in axes), *axes])
    rows, columns = x.shape[-2:]
    if rows is not None and columns is not None and not -rows < offset < columns:
        return tf.zeros([*_sizes(x)[:-2], 0], x.dtype)
    return tf.linalg.diag_part(x, k=offset)


# ---- searching and scattering ----
def searchsorted(sorted_sequence, values, side="left"):
    if sorted_sequence.shape.rank != 1 or sorted_sequence.dtype.is_complex or side not in ("left", "right"):
        return NotImplemented
    return tf.reshape(tf.searchsorted(_ranks(sorted_sequence), tf.reshape(_ranks(values), [-1]), side), tf.shape(values))


@functools.partial(_through, "bool")
def scatter_rows(x, places, updates, reduction=None):
    count = _sizes(x)[0]
    places = tf.where((places < 0) | (places >= count), tf.cast(count, places.dtype), places)
    if reduction == "mul":
        return x * tf.math.unsorted_segment_prod(updates, places, count + 1)[:-1]
    write = {"add": tf.tensor_scatter_nd_add, "max": tf.tensor_scatter_nd_max, "min": tf.tensor_scatter_nd_min}.get(reduction, tf.tensor_scatter_nd_update)
    return write(tf.pad(x, [[0, 1], *[[0, 0]] * (x.shape.rank - 1)]), places[:, None], updates)[:-1]  # a row more takes what is left out


# ---- Fourier transforms ----
def _of_pair(function: Any) -> Any:
    def transform(x):
        if len(x) != 2 or x[0].shape != x[1].shape or x[0].shape.num_elements() == 0:
            return NotImplemented
        out = function(as_complex(*x))
        return tf.math.real(out), tf.math.imag(out)

    return transform


fft, fft2, ifft2 = _of_pair(tf.signal.fft), _of_pair(tf.signal.fft2d), _of_pair(tf.signal.ifft2d)


def rfft(x, fft_length=None):
    if x.shape.num_elements() == 0:
        return NotImplemented
    out = tf.signal.rfft(x[..., :fft_length], fft_length and [fft_length])
    return tf.math.real(out), tf.math.imag(out)


def irfft(x, fft_length=None):
    if len(x) != 2 or x[0].shape != x[1].shape or (fft_length is not None and (fft_length < 2 or x[0].shape[-1] != fft_length // 2 + 1)):
        return NotImplemented  # TensorFlow's gradient is wrong for what is filled up
    return tf.signal.irfft(as_complex(*x), fft_length and [fft_length])


# ---- linear algebra ----
det = tf.linalg.det
_contracting = functools.partial(_through, "bool uint8 uint16 uint32 uint64 int8 int16")  # no kernel multiplies matrices of these


def _matmul(x1: Any, x2: Any) -> Any:
    first, second = x1.shape.rank == 1, x2.shape.rank == 1
    if second and not first:
        return tf.linalg.matvec(x1, x2)
    out = tf.linalg.matmul(x1[None] if first else x1, x2[:, None] if second else x2)
    return tf.reshape(out, []) if first and second else tf.squeeze(out, -2) if first else out


matmul, tensordot = _contracting(_matmul), _contracting(lambda x1, x2, axes=2: tf.tensordot(x1, x2, axes))


def einsum(subscripts, *operands):
    return _contracting(lambda *xs: tf.einsum(subscripts.replace(" ", ""), *xs))(*operands)


def affine(x, kernel, bias):
    return tf.nn.bias_add(tf.linalg.matmul(x, kernel), bias) if x.dtype in float_dtypes and x.shape.rank == 2 and bias.shape.rank == 1 else NotImplemented


def _symmetric(x: Any) -> Any:
    return (x + tf.linalg.adjoint(x)) / 2


def cholesky(x, upper=False):
    out = tf.linalg.cholesky(_symmetric(x))
    if isinstance(out, EAGER) and tf.reduce_any(isnan(out)):
        raise not_positive_definite()
    return tf.linalg.adjoint(out) if upper else out


def eigh(x):
    values, vectors = tf.linalg.eigh(_symmetric(x))
    return tf.math.real(values), vectors


def eig(x):
    return tuple(tf.linalg.eig(x))


def qr(x, mode="reduced"):
    if mode not in ("reduced", "complete"):
        raise ValueError  # the rule tells more
    return tuple(tf.linalg.qr(x, full_matrices=mode == "complete"))


def svd(x, full_matrices=True, compute_uv=True):
    if not compute_uv:
        return tf.linalg.svd(x, compute_uv=False)
    s, u, v = tf.linalg.svd(x, full_matrices)
    return u, s, tf.linalg.adjoint(v)


def slogdet(x):
    sign, size = tf.linalg.slogdet(x)
    return sign, tf.math.real(size)


def lu_factor(x):
    # TensorFlow's own is of square matrices that are not singular.
    *_, m, n = _sizes(x)
    row, column = tf.range(m), tf.range(n)

    def step(i, x, pivots):
        sizes = tf.where(row >= i, tf.abs(tf.gather(x, i, axis=-1)), -1)
        pivot = tf.argmax(sizes, -1, tf.int32)[..., None]
        x = tf.gather(x, tf.where(row == i, pivot, tf.where(row == pivot, i, row)), axis=-2, batch_dims=x.shape.rank - 2)
        own = tf.gather(x, i, axis=-2)
        head = tf.gather(own, [i], axis=-1)
        factor = tf.where((row > i) & (head != 0), tf.gather(x, i, axis=-1) / tf.where(head == 0, tf.ones_like(head), head), tf.zeros_like(head))
        rest = x - factor[..., None] * tf.where(column > i, own, tf.zeros_like(own))[..., None, :]
        x = tf.where((column == i) & (row > i)[:, None], factor[..., None], rest)
        return i + 1, x, tf.where(tf.range(tf.minimum(m, n)) == i, pivot, pivots)

    count = min(m, n) if isinstance(m, int) and isinstance(n, int) else tf.minimum(m, n)
    pivots = tf.zeros([*_sizes(x)[:-2], count], tf.int32)
    return tf.while_loop(lambda i, *_: i < count, step, (tf.constant(0), x, pivots), maximum_iterations=count)[1:]


def _solving(function: Any) -> Any:
    """`function(a, b, lower)` of matrices, also of a vector, the batches broadcast."""

    def solving(a, b, lower=False):
        if b.shape.rank == 1:
            return tf.squeeze(solving(a, b[:, None], lower), -1)
        if a.shape[:-2].as_list() != b.shape[:-2].as_list():
            batch = tf.broadcast_dynamic_shape(tf.shape(a)[:-2], tf.shape(b)[:-2])
            a, b = (tf.broadcast_to(x, tf.concat([batch, tf.shape(x)[-2:]], 0)) for x in (a, b))
        return function(a, b, lower)

    return solving


@_solving
def solve(a, b, _):
    # TensorFlow refuses singular matrices; they are taken out.
    singular = tf.equal(tf.linalg.slogdet(a).sign, 0)[..., None, None]
    out = tf.linalg.solve(tf.where(singular, tf.eye(_sizes(a)[-1], dtype=a.dtype), a), b)
    return tf.where(singular, _like(math.nan, b), out)


solve_triangular = _solving(lambda a, b, lower: tf.linalg.triangular_solve(a, b, lower=lower))


# ---- neural networks ----
def _of_reals(function: Any) -> Any:
    return lambda x: function(x) if x.dtype.is_floating else NotImplemented


relu, relu6, selu, softsign, softplus = map(_of_reals, (tf.nn.relu, tf.nn.relu6, tf.nn.selu, tf.nn.softsign, tf.math.softplus))
log_sigmoid = _of_reals(lambda x: -tf.math.softplus(-x))


def _along(function: Any) -> Any:
    return lambda x, axis=-1: function(x, axis) if isinstance(axis, int) and x.shape.rank and x.dtype.is_floating else NotImplemented


softmax, log_softmax = _along(tf.nn.softmax), _along(tf.nn.log_softmax)


# Convolutions and pooling: the kernels for CPUs want the channels last, and two or three spatial axes.
def _channels_last(x: Any, plan: Any) -> Any:
    return x if plan.last else tf.transpose(x, [0, *range(2, plan.rank + 2), 1])


def _restored(x: Any, plan: Any) -> Any:
    return x if plan.last else tf.transpose(x, [0, plan.rank + 1, *range(1, plan.rank + 1)])


def _planar(function: Any, x: Any, kernel: Any, *options: Any) -> Any:
    """`function` of two spatial axes for inputs of one; the options are one number for each axis."""
    return tf.squeeze(function(x[:, None], kernel[None], *([1, *o] for o in options)), 1)


@functools.cache
def _has_every_gradient(dtype: Any) -> bool:
    """Whether planar convolutions of this dtype that are dilated and in groups can be differentiated: on CPUs only what oneDNN computes can."""
    with tf.init_scope(), tf.GradientTape() as tape:
        kernel = tf.zeros([2, 2, 1, 2], dtype)
        tape.watch(kernel)
        out = tf.nn.conv2d(tf.zeros([1, 4, 4, 2], dtype), kernel, 1, "VALID", dilations=2)
    try:
        return tape.gradient(out, kernel) is not None
    except tf.errors.OpError:
        return False


def _conv(x: Any, kernel: Any, strides: Any, dilation: Any, padding: str) -> Any:
    if len(strides) == 1:
        return _planar(lambda x, k, s, d: _conv(x, k, s, d, padding), x, kernel, strides, dilation)
    groups = x.shape[-1] // kernel.shape[-2]
    if len(strides) == 2 and ((groups == 1 and set(dilation) == {1}) or _has_every_gradient(x.dtype)):
        return tf.nn.conv2d(x, kernel, strides, padding.upper(), dilations=dilation)
    if groups == 1:
        function = tf.nn.conv2d if len(strides) == 2 else tf.nn.conv3d
        return function(x, _dilated(kernel, dilation), [1, *strides, 1], padding.upper())
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1), strict=True)
    return tf.concat([_conv(part, k, strides, dilation, padding) for part, k in parts], -1)


def _bilinear(function: Any) -> Any:
    """A product of real tensors, for complex ones by their parts."""

    def product(x: Any, y: Any) -> Any:
        if not x.dtype.is_complex:
            return function(x, y)
        (a, b), (c, d) = _parts(x), _parts(y)
        return tf.complex(function(a, c) - function(b, d), function(a, d) + function(b, c))

    return product


_of_floats = functools.partial(_through, "bool uint8 uint16 uint32 int8 int16 int32 int64")
_whole = functools.partial(_through, "bool uint8 uint16 uint32 int8 int16")


def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
    threads.windows = True
    plan = windows.conv(_shape(inputs), _shape(kernel), strides, padding, data_format, dilation_rate)
    if inputs.shape[0] == 0:  # the engine's result has the shape of the inputs
        return tf.zeros(plan.shape, inputs.dtype) + 0 * tf.reduce_sum(kernel)
    run = _bilinear(_whole(_of_floats(lambda x, k: _conv(x, k, plan.strides, plan.dilation, padding))))
    return _restored(run(_channels_last(inputs, plan), kernel), plan)


def biased_conv(inputs, kernel, bias, strides=1, padding="valid", data_format=None, dilation_rate=1):
    if not inputs.dtype.is_floating or not windows.channels_last(data_format):
        return NotImplemented
    return tf.nn.bias_add(conv(inputs, kernel, strides, padding, data_format, dilation_rate), bias)


def _dilated(kernel: Any, dilation: Any) -> Any:
    """The kernel with zeros between its elements."""
    for axis, rate in enumerate(dilation):
        if rate > 1:
            sizes = kernel.shape.as_list()
            wide = tf.pad(tf.expand_dims(kernel, axis + 1), [[0, (rate - 1) * (i == axis + 1)] for i in range(len(sizes) + 1)])
            sizes[axis] *= rate
            kernel = tf.reshape(wide, sizes)[(slice(None),) * axis + (slice(sizes[axis] - rate + 1),)]
    return kernel


def _conv_transpose(x: Any, kernel: Any, strides: Any, ends: Any) -> Any:
    """All of the transposed convolution, to which the sizes `ends` belong."""
    if len(strides) == 1:
        return _planar(_conv_transpose, x, kernel, strides, ends)
    function = tf.nn.conv2d_transpose if len(strides) == 2 else tf.nn.conv3d_transpose
    return function(x, kernel, [_sizes(x)[0], *ends, kernel.shape[-2]], [1, *strides, 1], "VALID")


def conv_transpose(inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1):
    threads.windows = True
    shape = tuple(8 if d is UNKNOWN else d for d in _shape(inputs))  # what is cut off does not depend on the sizes
    plan = windows.conv_transpose(shape, _shape(kernel), strides, padding, output_padding, data_format, dilation_rate)
    x, kernel = _channels_last(inputs, plan), _dilated(kernel, plan.dilation)
    ends = [(n - 1) * s + k for n, s, k in zip(_sizes(x)[1:-1], plan.strides, kernel.shape, strict=False)]
    out = _bilinear(_whole(_of_floats(lambda x, k: _conv_transpose(x, k, plan.strides, ends))))(x, kernel)
    if any(before > 0 or behind > 0 for before, behind in plan.pads):
        out = out[(slice(None), *(slice(max(before, 0), end - max(behind, 0)) for end, (before, behind) in zip(ends, plan.pads, strict=True)))]
    if any(before < 0 or behind < 0 for before, behind in plan.pads):
        out = tf.pad(out, [[0, 0], *([max(-before, 0), max(-behind, 0)] for before, behind in plan.pads), [0, 0]])
    return _restored(out, plan)


def _pooled(function: Any) -> Any:
    def pooled(x: Any, size: Any, strides: Any, padding: str) -> Any:
        if len(size) < 3 or x.dtype == tf.float32:
            return function(x, size, strides, padding.upper())
        # There is no kernel for this dtype: the plane is pooled first, then the depth.
        n, depth, height, width, channels = _sizes(x)
        x = pooled(tf.reshape(x, [n * depth, height, width, channels]), size[1:], strides[1:], padding)
        _, height, width, _ = _sizes(x)
        x = pooled(tf.reshape(x, [n, depth, height * width, channels]), [size[0], 1], [strides[0], 1], padding)
        return tf.reshape(x, [n, _sizes(x)[1], height, width, channels])

    return pooled


def _pooling(function: Any) -> Any:
    def pooling(inputs, pool_size, strides=None, padding="valid", data_format=None):
        threads.windows = True
        plan = windows.pool(_shape(inputs), pool_size, strides, padding, data_format)
        return _restored(function(_channels_last(inputs, plan), plan.size, plan.strides, padding), plan)

    return pooling


max_pool, average_pool = _pooling(_of_floats(_whole(_pooled(tf.nn.max_pool)))), _pooling(_by_parts(_pooled(tf.nn.avg_pool)))


# ---- crossentropies ----
def _sparse_of_probabilities(target: Any, output: Any) -> Any:
    """The crossentropy of probabilities; NaN for a class that there is not, where XLA compiles and `gather` takes the nearest."""
    chosen = tf.math.divide_no_nan(tf.gather(output, target, axis=-1, batch_dims=output.shape.rank - 1), tf.reduce_sum(output, -1))
    loss = -tf.math.log(tf.clip_by_value(chosen, config.epsilon(), 1.0 - config.epsilon()))
    return tf.where((target >= 0) & (target < _sizes(output)[-1]), loss, float("nan"))


def sparse_categorical_crossentropy(target, output, from_logits=False, axis=-1):
    rank = output.shape.rank
    if axis not in (-1, rank - 1) or not target.shape.rank or not output.dtype.is_floating:
        return NotImplemented
    target = tf.squeeze(target, -1) if target.shape.rank == rank and target.shape[-1] == 1 else target
    if not target.shape.is_compatible_with(output.shape[:-1]):
        return NotImplemented
    try:
        if not from_logits:
            return _sparse_of_probabilities(tf.cast(target, tf.int32), output)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(target, tf.int32), output)
    except tf.errors.InvalidArgumentError:
        raise no_such_class(output.shape[-1]) from None


def categorical_crossentropy(target, output, from_logits=False, axis=-1):
    if not from_logits or target.shape != output.shape or not output.shape.rank or not output.dtype.is_floating:
        return NotImplemented
    return tf.nn.softmax_cross_entropy_with_logits(tf.cast(target, output.dtype), output, axis)


# ---- random ----
def manual_seed(seed: int) -> None:
    tf.random.set_seed(seed)


def seed_state(seed: int, count: int) -> tf.Tensor:
    return tf.constant([seed, count], tf.uint32)


def next_state(state):
    return state + tf.constant([0, 1], tf.uint32)


def _drawn(function: Any) -> Any:
    """`function(shape, seed, dtype=…)` of a key."""
    return lambda key, shape, dtype: function(shape, tf.bitcast(key, tf.int32), dtype=dtype, alg="philox")


draw_uniform, draw_normal = _drawn(tf.random.stateless_uniform), _drawn(tf.random.stateless_normal)


def draw_integers(key, shape, low, high, dtype):
    bounds = (x if isinstance(x, tf.Tensor) else tf.constant(x, tf.int64) for x in (low, high))
    low, high = (tf.cast(x, tf.int64) for x in bounds)
    return cast(tf.random.stateless_uniform(shape, tf.bitcast(key, tf.int32), low, high, tf.int64, "philox"), dtype)


def draw_gamma(key, alpha):
    return tf.random.stateless_gamma(tf.shape(alpha), tf.bitcast(key, tf.int32), alpha, dtype=alpha.dtype)


def draw_binomial(key, counts, probabilities):
    return tf.random.stateless_binomial(tf.shape(counts), tf.bitcast(key, tf.int32), counts, probabilities, counts.dtype)


def draw_dropout(key, x, rate, shape):
    shape = [dim(x, i) if n is None or n is UNKNOWN else n for i, n in enumerate(shape)]
    kept = draw_uniform(key, shape, "float32") >= rate
    return tf.where(kept, x * _like(1 / (1 - rate), x), tf.zeros_like(x))
