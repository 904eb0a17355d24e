"""The rows for ops that move elements between space and channels, and for pooling to a given size."""

from __future__ import annotations

import itertools

import numpy as np

from tests.conformance.case import FLOATS, Case

FIRST = {"data_format": "channels_first"}
KERNELS = ({"kernel_size": 2}, {"kernel_size": (3, 2), "padding": 1, "stride": (2, 1)}, {"kernel_size": 2, "dilation": (1, 2), "padding": (0, 1), "stride": 3})


def _pair(value):
    return (value, value) if isinstance(value, int) else value


def _unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = map(_pair, (kernel_size, dilation, padding, stride))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    tops = range(0, x.shape[2] - (kh - 1) * dh, sh)
    lefts = range(0, x.shape[3] - (kw - 1) * dw, sw)
    patches = [x[:, :, a : a + (kh - 1) * dh + 1 : dh, b : b + (kw - 1) * dw + 1 : dw] for a in tops for b in lefts]
    return np.stack([p.reshape(len(x), -1) for p in patches], -1)


def _fold(x, output_size, **options):
    """By what unfolding says of where each element comes from."""
    kh, kw = _pair(options["kernel_size"])
    height, width = _pair(output_size)
    channels = x.shape[1] // (kh * kw)
    size = channels * height * width
    source = _unfold(np.arange(1, size + 1).reshape(1, channels, height, width), **options)[0]
    out = np.zeros((len(x), size + 1), x.dtype)
    for row, patch in itertools.product(*map(range, source.shape)):
        out[:, source[row, patch]] += x[:, row, patch]
    return out[:, 1:].reshape(len(x), channels, height, width)


def _to_space(x, block_size, data_format="channels_last"):
    b = block_size
    last = data_format == "channels_last"
    x = x if last else np.moveaxis(x, 1, -1)
    n, h, w, c = x.shape
    inner = c // (b * b)
    out = np.zeros((n, h * b, w * b, inner), x.dtype)
    for i, j, k in itertools.product(range(b), range(b), range(inner)):
        out[:, i::b, j::b, k] = x[..., (i * b + j) * inner + k if last else k * b * b + i * b + j]
    return out if last else np.moveaxis(out, -1, 1)


def _to_depth(x, block_size, data_format="channels_last"):
    b = block_size
    last = data_format == "channels_last"
    x = x if last else np.moveaxis(x, 1, -1)
    n, h, w, c = x.shape
    out = np.zeros((n, h // b, w // b, c * b * b), x.dtype)
    for i, j, k in itertools.product(range(b), range(b), range(c)):
        out[..., (i * b + j) * c + k if last else k * b * b + i * b + j] = x[:, i::b, j::b, k]
    return out if last else np.moveaxis(out, -1, 1)


def _adaptive(combine):
    def pool(x, output_size, data_format="channels_last"):
        x = x if data_format == "channels_last" else np.moveaxis(x, 1, -1)
        sizes = (output_size,) * (x.ndim - 2) if isinstance(output_size, int) else output_size
        out = np.zeros((len(x), *sizes, x.shape[-1]), float)
        for place in np.ndindex(*sizes):
            cut = (slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, x.shape[1:-1], sizes, strict=True))
            out[(slice(None), *place)] = combine(x[(slice(None), *cut)], tuple(range(1, x.ndim - 1)))
        return out if data_format == "channels_last" else np.moveaxis(out, -1, 1)

    return pool


SLIDING = [
    *[Case("unfold", _unfold, ((2, 2, 5, 4),), kwargs=k) for k in KERNELS],
    Case("unfold", _unfold, ((1, 2, 3, 3),), FLOATS, kwargs=KERNELS[0]),
    *[Case("fold", _fold, ((2, 2 * rows, count),), kwargs={"output_size": (5, 4), **k}) for k, rows, count in zip(KERNELS, (4, 6, 4), (12, 15, 4), strict=True)],
    Case("fold", _fold, ((1, 4, 4),), FLOATS, kwargs={"output_size": 3, **KERNELS[0]}),
]  # fmt: skip

BLOCKS = [
    Case("depth_to_space", _to_space, ((2, 2, 1, 8),), (*FLOATS, "bool"), kwargs={"block_size": 2}),
    Case("depth_to_space", _to_space, ((2, 18, 1, 2),), kwargs={"block_size": 3, **FIRST}),
    Case("space_to_depth", _to_depth, ((2, 4, 2, 2),), (*FLOATS, "bool"), kwargs={"block_size": 2}),
    Case("space_to_depth", _to_depth, ((2, 2, 3, 6),), kwargs={"block_size": 3, **FIRST}),
]  # fmt: skip

ADAPTIVE = [
    Case(op, _adaptive(f), (shape,), kwargs={"output_size": size, **k})
    for op, f in (("adaptive_average_pool", np.mean), ("adaptive_max_pool", np.max))
    for shape, size, k in (((2, 4, 6, 2), (2, 3), {}), ((2, 5, 4, 2), (3, 2), {}), ((1, 2, 5, 3), 2, FIRST), ((2, 3, 2), 5, {}), ((1, 2, 3, 5, 1), (1, 2, 3), {}))
] + [
    Case("adaptive_average_pool", _adaptive(np.mean), ((1, 5, 2),), (*FLOATS, "uint8"), {"output_size": 2}, grad=False),
    Case("adaptive_max_pool", _adaptive(np.max), ((1, 5, 2),), (*FLOATS, "int8", "bool"), {"output_size": 2}, grad=False),
]  # fmt: skip

CASES = [*SLIDING, *BLOCKS, *ADAPTIVE]
