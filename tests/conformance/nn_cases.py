"""The rows for ops of neural networks: activations, classes, crossentropies, normalizations, convolutions, pooling."""

from __future__ import annotations

import itertools
import math

import numpy as np

from tests.conformance.case import FLOATS, Case

ERF = np.vectorize(math.erf, otypes=[float])
EPSILON = 1e-7


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.logaddexp(x, 0)


def _log_softmax(x, axis=-1):
    z = x - np.max(x, axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis, keepdims=True))


def _softmax(x, axis=-1):
    return np.exp(_log_softmax(x, axis))


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _sparsemax(x, axis=-1):
    """By bisection for the threshold."""
    low, high = x.max(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(x - low, 0)


def _glu(x, axis=-1):
    a, b = np.split(x, 2, axis)
    return a * _sigmoid(b)


def _one_hot(x, num_classes, axis=-1, dtype=None):
    return np.moveaxis((x[..., None] == np.arange(num_classes)).astype(float), -1, axis)


def _sparse(target, output, from_logits=False, axis=-1):
    target = target if target.ndim == output.ndim else np.expand_dims(target, axis)
    log_p = _log_softmax(output, axis) if from_logits else np.log(np.clip(output / output.sum(axis, keepdims=True), EPSILON, 1 - EPSILON))
    return -np.take_along_axis(log_p, target.astype(int), axis).squeeze(axis)


def _categorical(target, output, from_logits=False, axis=-1):
    log_p = _log_softmax(output, axis) if from_logits else np.log(np.clip(output / output.sum(axis, keepdims=True), EPSILON, 1 - EPSILON))
    return -(target * log_p).sum(axis)


def _binary(target, output, from_logits=False):
    p = _sigmoid(output) if from_logits else np.clip(output, EPSILON, 1 - EPSILON)
    return -(target * np.log(p) + (1 - target) * np.log(1 - p))


def _along(x, axis, vector):
    return vector.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])


def _batch(x, mean, variance, *more, axis=-1, epsilon=1e-3):
    out = (x - _along(x, axis, mean)) / np.sqrt(_along(x, axis, variance) + epsilon)
    return out if not more else out * _along(x, axis, more[1]) + _along(x, axis, more[0])


def _standardize(x, *more, axis=-1):
    axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
    return _batch(x, x.mean(axes), x.var(axes), *more, axis=axis), x.mean(axes), x.var(axes)


def _layer(x, *more, axis=-1, epsilon=1e-7):
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    out = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)
    more = [_along(x, axis, p) if p.ndim == 1 else p for p in more]
    return out if not more else out * more[0] + more[1]


def _rms(x, *more, axis=-1, epsilon=1e-7):
    out = x / np.sqrt(np.square(x).mean(axis, keepdims=True) + epsilon)
    return out if not more else out * more[0]


def _normalize(x, axis=-1, order=2):
    return x / np.maximum((np.abs(x) ** order).sum(axis, keepdims=True) ** (1 / order), EPSILON)


def _tuple(value, rank):
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _slid(x, size, strides, padding, dilation, fill):
    """The sizes of the result, and for each place in it the window there (channels last), with `fill` outside."""
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    if padding == "same":
        total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
        x = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)), constant_values=fill)
    sizes = [(n - r) // s + 1 for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
    windows = []
    for place in np.ndindex(*sizes):
        index = [slice(p * s, p * s + r, d) for p, s, r, d in zip(place, strides, reach, dilation, strict=True)]
        windows.append(x[(slice(None), *index)])
    return sizes, windows


def _conv(x, kernel, strides=1, padding="valid", data_format="channels_last", dilation_rate=1):
    rank = kernel.ndim - 2
    x = x if data_format == "channels_last" else np.moveaxis(x, 1, -1)
    groups, each = x.shape[-1] // kernel.shape[-2], kernel.shape[-1] // (x.shape[-1] // kernel.shape[-2])
    rows = []
    sizes, windows = _slid(x, kernel.shape[:rank], _tuple(strides, rank), padding, _tuple(dilation_rate, rank), 0)
    for part in windows:
        parts = np.split(part, groups, -1)
        outs = [np.tensordot(p, kernel[..., g * each : (g + 1) * each], rank + 1) for g, p in enumerate(parts)]
        rows.append(np.concatenate(outs, -1))
    out = np.stack(rows, 1).reshape(x.shape[0], *sizes, kernel.shape[-1])
    return out if data_format == "channels_last" else np.moveaxis(out, -1, 1)


def _depthwise(x, kernel, **options):
    *sizes, channels, multiplier = kernel.shape
    return _conv(x, kernel.reshape(*sizes, 1, channels * multiplier), **options)


def _transposed(x, kernel, strides=1, padding="valid", output_padding=None, data_format="channels_last", dilation_rate=1):
    x = x if data_format == "channels_last" else np.moveaxis(x, 1, -1)
    rank = kernel.ndim - 2
    strides, rate = _tuple(strides, rank), _tuple(dilation_rate, rank)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel.shape[:rank], rate, strict=True)]
    room = [(n - 1) * s + r for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
    full = np.zeros((x.shape[0], *(n + 9 for n in room), kernel.shape[-2]))
    for place in itertools.product(*map(range, x.shape[1:-1])):
        for offset in itertools.product(*map(range, kernel.shape[:rank])):
            at = tuple(p * s + o * d for p, s, o, d in zip(place, strides, offset, rate, strict=True))
            full[(slice(None), *at)] += x[(slice(None), *place)] @ kernel[offset].T
    cuts = []
    for n, s, r, total in zip(x.shape[1:-1], strides, reach, room, strict=True):
        if output_padding is not None:
            cut = (2 * (r // 2) if padding == "same" else 0) - output_padding
            start = max(cut, 0) // 2
            cuts.append(slice(start, start + total - cut))
        else:
            start = max(r - s, 0) // 2 if padding == "same" else 0
            cuts.append(slice(start, start + (n * s if padding == "same" else n * s + max(r - s, 0))))
    out = full[(slice(None), *cuts)]
    return out if data_format == "channels_last" else np.moveaxis(out, -1, 1)


def _pool(combine, fill):
    def pool(x, pool_size, strides=None, padding="valid", data_format="channels_last"):
        x = x if data_format == "channels_last" else np.moveaxis(x, 1, -1)
        x, rank = np.asarray(x, float), x.ndim - 2
        size = _tuple(pool_size, rank)
        sizes, windows = _slid(x, size, _tuple(strides or size, rank), padding, (1,) * rank, fill)
        out = np.stack([combine(part, axis=tuple(range(1, rank + 1))) for part in windows], 1).reshape(x.shape[0], *sizes, x.shape[-1])
        return out if data_format == "channels_last" else np.moveaxis(out, -1, 1)

    return pool


MAX, AVERAGE = _pool(np.max, -np.inf), _pool(np.nanmean, np.nan)
LABELS = np.array([2, 0], "int32")
ROWS = np.array([[2, 0, 1], [1, 1, 0]], "int32")
SOFT = np.array([[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]], "float32")
BITS = np.array([[0.0, 1.0, 0.25], [1.0, 0.0, 1.0]], "float32")

ACTIVATIONS = [
    Case("relu", lambda x: np.maximum(x, 0), dtypes=(*FLOATS, "int8", "uint8", "bool")),
    Case("relu6", lambda x: np.clip(x, 0, 6), low=-3, high=9, dtypes=FLOATS),
    Case("leaky_relu", lambda x, s=0.2: np.where(x > 0, x, s * x), dtypes=FLOATS),
    Case("leaky_relu", lambda x, negative_slope: np.where(x > 0, x, negative_slope * x), kwargs={"negative_slope": 0.3}),
    Case("elu", _elu, dtypes=FLOATS),
    Case("elu", _elu, kwargs={"alpha": 0.5}),
    Case("selu", lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772), dtypes=FLOATS),
    Case("celu", lambda x, alpha=1.0: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)), dtypes=FLOATS),
    Case("celu", lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)), kwargs={"alpha": 0.5}),
    Case("gelu", lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), dtypes=FLOATS, tolerance=2),
    Case("gelu", lambda x, approximate: 0.5 * x * (1 + ERF(x / math.sqrt(2))), kwargs={"approximate": False}),
    Case("silu", lambda x: x * _sigmoid(x), dtypes=FLOATS),
    Case("mish", lambda x: x * np.tanh(_softplus(x)), dtypes=FLOATS, tolerance=2),
    Case("softplus", _softplus, dtypes=FLOATS, low=-9, high=9, tolerance=2),
    Case("softplus", _softplus, (np.array([-1000, -50, 50, 1000], "float32"),), grad=False),
    Case("log_sigmoid", lambda x: -_softplus(-x), dtypes=FLOATS, low=-9, high=9, tolerance=2),
    Case("log_sigmoid", lambda x: -_softplus(-x), (np.array([-1000, -50, 50, 1000], "float32"),), grad=False),
    Case("softsign", lambda x: x / (1 + np.abs(x)), dtypes=FLOATS),
    Case("hard_sigmoid", lambda x: np.clip(x + 3, 0, 6) / 6, dtypes=FLOATS, low=-5, high=5),
    Case("hard_silu", lambda x: x * np.clip(x + 3, 0, 6) / 6, dtypes=FLOATS, low=-5, high=5, tolerance=2),
    Case("hard_tanh", lambda x: np.clip(x, -1, 1), dtypes=(*FLOATS, "int8", "uint8")),
    Case("tanh_shrink", lambda x: x - np.tanh(x), dtypes=FLOATS, tolerance=4),
    Case("soft_shrink", lambda x, t=0.5: np.sign(x) * np.maximum(np.abs(x) - t, 0), dtypes=FLOATS),
    Case("hard_shrink", lambda x, t=0.5: np.where(np.abs(x) > t, x, 0), dtypes=FLOATS),
    Case("threshold", lambda x, t, v: np.where(x > t, x, v), args=(1, 7), dtypes=(*FLOATS, "int8"), low=-4, high=4),
    Case("squareplus", lambda x, b=4: (x + np.sqrt(x**2 + b)) / 2, dtypes=FLOATS, tolerance=2),
    Case("sparse_plus", lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)), dtypes=FLOATS, tolerance=2),
    Case("sparse_sigmoid", lambda x: np.clip((x + 1) / 2, 0, 1), dtypes=FLOATS),
    Case("glu", _glu, ((2, 4),), FLOATS),
    Case("glu", _glu, ((4, 3),), kwargs={"axis": 0}),
    Case("softmax", _softmax, dtypes=FLOATS),
    Case("softmax", _softmax, ((2, 3, 4),), kwargs={"axis": 1}),
    Case("softmax", _softmax, ((2, 3, 4),), kwargs={"axis": (1, 2)}),
    Case("softmax", _softmax, ((2, 3),), kwargs={"axis": None}),
    Case("softmax", _softmax, (np.array([[1e4, -1e4, 0], [88, 89, 90]], "float32"),), grad=False),
    Case("log_softmax", _log_softmax, dtypes=FLOATS),
    Case("log_softmax", _log_softmax, ((2, 3, 4),), kwargs={"axis": (0, 2)}),
    Case("softmax", lambda x: x, ((2, 0),), grad=False),
    Case("log_softmax", lambda x: x, ((0,),), grad=False),
    Case("sparsemax", _sparsemax, ((3, 5),), FLOATS, tolerance=2),
    Case("sparsemax", lambda x: np.array([[0.25, 0.75, 0]]), (np.array([[0, 0.5, -np.inf]], "float32"),), grad=False),
    Case("sparsemax", _sparsemax, ((5, 3),), kwargs={"axis": 0}),
]  # fmt: skip

CLASSES = [
    Case("one_hot", _one_hot, (ROWS,), kwargs={"num_classes": 4}, grad=False),
    Case("one_hot", _one_hot, (np.array([-1, 0, 3], "int32"),), kwargs={"num_classes": 3, "axis": 0, "dtype": "int8"}, grad=False),
    Case("one_hot", _one_hot, (np.array(2),), kwargs={"num_classes": 4}, grad=False),
    Case("multi_hot", lambda x, num_classes: _one_hot(x, num_classes).max(1), (ROWS,), kwargs={"num_classes": 4}, grad=False),
    Case("multi_hot", lambda x, num_classes: np.zeros(4), (np.zeros(0, "int32"),), kwargs={"num_classes": 4}, grad=False, known=(0,)),
    Case("multi_hot", lambda x, num_classes: _one_hot(x, num_classes).max(0), (LABELS,), kwargs={"num_classes": 4}, grad=False),
    Case("multi_hot", lambda x, num_tokens: _one_hot(x, num_tokens).max(1), (ROWS,), kwargs={"num_tokens": 4}, grad=False),
    Case("top_k", lambda x, k: (-np.sort(-x, -1)[..., :k], np.argsort(-x, -1, kind="stable")[..., :k]), ((2, 5),), ("float32", "float16", "bfloat16"), {"k": 2}, grad=False),
    Case("in_top_k", lambda t, p, k: np.array([True, False]), (LABELS, np.array([[1, 0, 2], [3, 4, 5]], "float32")), kwargs={"k": 2}, grad=False),
    Case("in_top_k", lambda t, p, k: np.array([False, True]), (np.array([5, 1], "int32"), np.array([[1, 0, 2], [3, 3, 3]], "float32")), kwargs={"k": 1}, grad=False),
]  # fmt: skip

CROSSENTROPIES = [
    *[Case("sparse_categorical_crossentropy", _sparse, (LABELS, (2, 3)), FLOATS[:3], {"from_logits": logits}, low=0.1, tolerance=2) for logits in (False, True)],
    Case("sparse_categorical_crossentropy", _sparse, (LABELS[:, None], (2, 3)), kwargs={"from_logits": True}),
    *[Case("sparse_categorical_crossentropy", _sparse, (ROWS, (2, 3, 4)), kwargs={"from_logits": logits}, low=0.1) for logits in (False, True)],
    *[Case("sparse_categorical_crossentropy", _sparse, (ROWS, (2, 3, 3)), kwargs={"from_logits": logits, "axis": 1}, low=0.1) for logits in (False, True)],
    *[Case("categorical_crossentropy", _categorical, (SOFT, (2, 3)), FLOATS[:3], {"from_logits": logits}, low=0.1, tolerance=2) for logits in (False, True)],
    *[Case("categorical_crossentropy", _categorical, (SOFT.T.copy(), (3, 2)), kwargs={"from_logits": logits, "axis": 0}, low=0.1) for logits in (False, True)],
    Case("binary_crossentropy", _binary, (BITS, (2, 3)), FLOATS[:3], low=0.1, high=0.9, tolerance=2),
    Case("binary_crossentropy", _binary, (BITS, (2, 3)), FLOATS[:3], kwargs={"from_logits": True}, low=-4, high=4, tolerance=2),
]  # fmt: skip

NORMALIZATIONS = [
    Case("moments", lambda x, axes: (x.mean(axes), x.var(axes)), ((2, 3, 4),), FLOATS[:3], args=((0, 1),), tolerance=2),
    Case("moments", lambda x, axes, keepdims: (x.mean(axes, keepdims=True), x.var(axes, keepdims=True)), ((2, 3),), args=(0,), kwargs={"keepdims": True}),
    Case("batch_normalization", _batch, ((2, 3, 4), (4,), (4,)), kwargs={"axis": -1}, low=0.5),
    Case("batch_normalization", _batch, ((2, 3, 4), (3,), (3,)), kwargs={"axis": 1, "epsilon": 0.1}, low=0.5),
    Case("moved_average", lambda a, b, m: a * m + b * (1 - m), ((2, 3), (2, 3)), ("float32", "float16", "bfloat16"), args=(0.9,)),
    *[Case("standardize_batch", lambda x, axis, *more: _standardize(x, *more, axis=axis), ((4, 3, 3),), args=(axis,), grad=False) for axis in (-1, 1, 0)],
    Case("layer_normalization", _layer, ((2, 3, 4),), FLOATS[:3], tolerance=4),
    Case("layer_normalization", _layer, ((2, 3, 4), (4,), (4,)), kwargs={"epsilon": 0.1}),
    Case("layer_normalization", _layer, ((2, 3, 4), (3, 4), (3, 4)), kwargs={"axis": (1, 2)}),
    Case("layer_normalization", _layer, ((2, 3, 4), (3,), (3,)), kwargs={"axis": 1}),
    Case("layer_normalization", lambda x, rms_scaling: x / np.sqrt(x.var(-1, keepdims=True) + 1e-7), kwargs={"rms_scaling": True}),
    Case("rms_normalization", _rms, ((2, 3, 4),), FLOATS[:3], tolerance=2),
    Case("rms_normalization", _rms, ((2, 3, 4), (4,)), kwargs={"epsilon": 0.1}),
    Case("rms_normalization", _rms, ((2, 3, 4),), kwargs={"axis": (0, 1)}),
    Case("rms_normalization", lambda x, scale: scale * _rms(x), ((2, 3, 4),), kwargs={"scale": 2.0}),
    Case("rms_normalization", _rms, ((2, 3), np.array([1, 2, 3], "float32")), ("float16",), grad=False, tolerance=2),
    Case("layer_normalization", _layer, ((2, 3), np.array([1, 2, 3], "float32"), np.array([1, 2, 3], "float32")), ("float16",), grad=False, tolerance=4),
    *[Case("normalize", _normalize, ((2, 3, 4),), kwargs={"order": order}, low=0.3) for order in (1, 2, 3)],
    Case("normalize", _normalize, ((2, 3, 4),), kwargs={"axis": (0, 1)}),
]  # fmt: skip

FIRST_ = {"data_format": "channels_first"}
SAME, STRIDED = {"padding": "same"}, {"padding": "same", "strides": 2}
CONVOLUTIONS = [
    *[Case("conv", _conv, ((2, 6, 5, 2), (3, 2, 2, 3)), kwargs=k) for k in ({}, SAME, STRIDED, {"strides": (2, 1)}, {"dilation_rate": 2}, {"dilation_rate": (1, 2), **STRIDED})],
    Case("conv", _conv, ((2, 6, 5, 2), (3, 2, 2, 3)), ("float16", "int32"), tolerance=2),
    Case("conv", _conv, ((2, 9, 2), (2, 2, 3)), kwargs={"dilation_rate": 2, **STRIDED}),  # windows as long as the stride, but with holes
    *[Case("conv", _conv, ((2, 5, 5, 1), (3, 3, 1, 4)), kwargs=k) for k in ({}, SAME, STRIDED)],
    *[Case("conv", _conv, ((2, 5, 5, 3), (1, 1, 3, 4)), kwargs=k) for k in ({}, STRIDED)],
    *[Case("conv", _conv, ((2, 3, 6, 5), (3, 2, 3, 4)), kwargs={**k, **FIRST_}) for k in ({}, STRIDED)],
    *[Case("conv", _conv, ((2, 5, 5, 4), (3, 3, 2, 6)), kwargs=k) for k in ({}, STRIDED)],
    *[Case("conv", _conv, ((2, 7, 3), (3, 3, 4)), kwargs=k) for k in ({}, STRIDED, {"dilation_rate": 2})],
    *[Case("conv", _conv, ((1, 4, 5, 4, 2), (2, 3, 2, 2, 3)), kwargs=k) for k in ({}, STRIDED)],
    Case("biased_conv", lambda x, k, b, **o: _conv(x, k, **o) + b, ((2, 6, 5, 2), (3, 2, 2, 3), (3,)), kwargs=STRIDED),
    Case("biased_conv", lambda x, k, b, **o: _conv(x, k, **o) + b[:, None], ((2, 3, 5), (3, 3, 4), (4,)), kwargs=FIRST_),
    *[Case("conv_transpose", _transposed, ((2, 4, 3), (3, 2, 3)), kwargs=k) for k in ({}, SAME, STRIDED, {"strides": 2}, {"strides": 4, **SAME}, {"strides": 4}, {**STRIDED, "output_padding": 1}, {"strides": 2, "output_padding": 0}, {"strides": 3, "output_padding": 2}, {"dilation_rate": 2, **SAME})],
    *[Case("conv_transpose", _transposed, ((1, 3, 2, 2), (2, 3, 3, 2)), kwargs=k) for k in ({}, STRIDED, {"strides": (1, 2)})],
    Case("conv_transpose", _transposed, ((1, 2, 3, 2), (2, 3, 3, 2)), kwargs={**STRIDED, **FIRST_}),
    Case("biased_conv_transpose", lambda x, k, b, **o: _transposed(x, k, **o) + b, ((2, 4, 3), (3, 2, 3), (2,)), kwargs={"strides": 2}),
    Case("biased_conv_transpose", lambda x, k, b, **o: _transposed(x, k, **o) + b[:, None, None], ((1, 2, 3, 2), (2, 3, 3, 2), (3,)), kwargs={**STRIDED, **FIRST_}),
    Case("biased_depthwise_conv", lambda x, k, b, **o: _depthwise(x, k, **o) + b, ((2, 5, 4, 3), (3, 2, 3, 2), (6,)), kwargs=STRIDED),
    Case("biased_depthwise_conv", lambda x, k, b, **o: _depthwise(x, k, **o) + b[:, None], ((2, 3, 5), (3, 3, 1), (3,)), kwargs=FIRST_),
    *[Case("depthwise_conv", _depthwise, ((2, 5, 4, 3), (3, 2, 3, 2)), kwargs=k) for k in ({}, STRIDED)],
    Case("depthwise_conv", _depthwise, ((2, 3, 5), (3, 3, 1)), kwargs=FIRST_),
    Case("separable_conv", lambda x, d, p, **k: _conv(_depthwise(x, d, **k), p), ((2, 5, 4, 3), (3, 2, 3, 2), (1, 1, 6, 4)), kwargs=SAME),
]  # fmt: skip

POOLS = [
    *[Case(op, f, ((2, 6, 5, 2),), kwargs={"pool_size": 2, **k}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for k in ({}, SAME, {"strides": 1, **SAME}, {"strides": 1})],
    *[Case(op, f, ((2, 6, 5, 2),), kwargs={"pool_size": (3, 2), "strides": (2, 1), **k}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for k in ({}, SAME)],
    *[Case(op, f, ((2, 2, 6, 5),), kwargs={"pool_size": 3, **FIRST_, **k}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for k in ({}, STRIDED)],
    *[Case(op, f, ((2, 7, 2),), kwargs={"pool_size": 3, "strides": 2, **k}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for k in ({}, SAME)],
    *[Case(op, f, ((1, 4, 3, 4, 2),), kwargs={"pool_size": 2, **k}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for k in ({}, SAME)],
    *[Case(op, f, ((1, 9, 8, 2),), kwargs={"pool_size": 7, "strides": 1, "padding": p}) for op, f in (("max_pool", MAX), ("average_pool", AVERAGE)) for p in ("valid", "same")],
    Case("max_pool", MAX, ((2, 6, 5, 2),), ("int32", "float16", "bfloat16"), {"pool_size": 2, **SAME}, grad=False),
    Case("average_pool", AVERAGE, ((2, 6, 5, 2),), ("int32", "float16", "bfloat16"), {"pool_size": 2, **SAME}, grad=False),
]  # fmt: skip

for case in CONVOLUTIONS:  # the shape of a kernel is always known
    inputs, *kernels = map(len, case.shapes)
    case.known = tuple(range(inputs, inputs + sum(kernels)))

CASES = [*ACTIVATIONS, *CLASSES, *CROSSENTROPIES, *NORMALIZATIONS, *CONVOLUTIONS, *POOLS]
