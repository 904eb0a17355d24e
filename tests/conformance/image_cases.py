"""The rows for ops on images."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import FLOATS, NUMBERS, Case

PLACES = np.array([[-1.3, -0.4, 0.2, 0.7, 1.4, 3.6], [0.3, 3.4, 2.2, -2.2, 4.4, 1.6]], "float32")
MOVES = np.array([[1.2, 0.1, -1.3, 0.2, 0.8, 0.4, 0, 0], [1, 0.4, 1.2, -0.3, 1, -1.7, 0, 0]], "float32")
START = np.array([[0, 0], [3, 0], [0, 2], [3, 2]], "float32")
END = np.array([[0.6, 0.1], [3.2, 0.8], [0.3, 2.2], [2.5, 1.6]], "float32")
MODES = {"constant": "constant", "nearest": "edge", "wrap": "wrap", "mirror": "reflect", "reflect": "symmetric"}  # and what NumPy calls them


def _rounded(out, x):
    """The result in the dtype of the images."""
    return np.rint(out) if x.dtype.kind in "iu" else out


def _first(function):
    """`function` of images with the channels last, for channels that may be first."""

    def either(x, *more, data_format=None, **kwargs):
        if data_format != "channels_first":
            return function(x, *more, **kwargs)
        return np.moveaxis(function(np.moveaxis(x, -3, -1), *more, **kwargs), -1, -3)

    return either


# ---- resampling ----
def _filter(method, x):
    x = np.abs(x)
    if "lin" in method:
        return np.maximum(1 - x, 0)
    if "cubic" in method:
        return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    radius = int(method[-1])
    return np.where(x <= radius, np.sinc(x) * np.sinc(x / radius), 0)


def _resampled(x, axis, want, scale, translation, method, antialias):
    have = x.shape[axis]
    out = np.zeros((*x.shape[:axis], want, *x.shape[axis + 1 :])).swapaxes(0, axis)
    for i in range(want):
        place = (i + 0.5 - translation) / scale - 0.5
        if -0.5 <= place <= have - 0.5:
            weights = _filter(method, (place - np.arange(have)) / (max(1 / scale, 1) if antialias else 1))
            out[i] = np.tensordot(weights / weights.sum(), x.swapaxes(0, axis), 1)
    return out.swapaxes(0, axis)


@_first
def _resize(x, size, interpolation="bilinear", antialias=False):
    for axis, want in zip((x.ndim - 3, x.ndim - 2), size, strict=True):
        if interpolation == "nearest":
            x = np.take(x, [int((i + 0.5) * x.shape[axis] / want) for i in range(want)], axis)
        else:
            x = _resampled(x, axis, want, want / x.shape[axis], 0, interpolation, antialias)
    return x


def _resized(x, size, **kwargs):
    return _rounded(_resize(x, size, **kwargs), x)


def _scaled(x, output_shape, scale, translation, spatial_dims, method, antialias=True):
    for s, t, axis in zip(scale, translation, spatial_dims, strict=True):
        x = _resampled(x, axis, output_shape[axis], s, t, method, antialias)
    return x


def _away(x):
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def _at(x, places, order, fill_mode="constant", fill_value=0):
    """By a wide margin around the tensor, in which whole numbers are looked up."""
    wide = np.pad(x, 9, MODES[fill_mode], **({"constant_values": fill_value} if fill_mode == "constant" else {}))
    places = np.asarray(places, "float64") + 9
    if fill_mode == "constant":  # far away is as good as beside it
        places = np.clip(places, 0, np.array(x.shape).reshape(-1, *[1] * (places.ndim - 1)) + 16)
    if not order:
        return wide[tuple(_away(places).astype(int))]
    out = 0.0
    for corner in np.ndindex(*[2] * x.ndim):
        at = [np.floor(p).astype(int) + i for p, i in zip(places, corner, strict=True)]
        out = out + wide[tuple(at)] * np.prod([1 - np.abs(p - a) for p, a in zip(places, at, strict=True)], axis=0)
    return _away(out) if x.dtype.kind in "iu" else out


def _moved(x, maps, order, fill_mode="constant", fill_value=0):
    """Each image and channel by itself, by a projective matrix."""
    if x.ndim == 3:
        return _moved(x[None], maps[None], order, fill_mode, fill_value)[0]
    rows, columns = np.indices(x.shape[1:3])
    out = np.zeros(x.shape)
    for b, (image, matrix) in enumerate(zip(x, np.broadcast_to(maps, (len(x), 3, 3)), strict=True)):
        u, v, w = np.tensordot(matrix, np.stack([columns, rows, np.ones_like(rows)]), 1)
        for c in range(x.shape[3]):
            out[b, ..., c] = _at(image[..., c], [v / w, u / w], order, fill_mode, fill_value)
    return out


@_first
def _affine(x, moves, interpolation="bilinear", fill_mode="constant", fill_value=0):
    rows = moves[..., :6].reshape(*moves.shape[:-1], 2, 3)
    return _moved(x, np.concatenate([rows, np.broadcast_to([0, 0, 1], (*moves.shape[:-1], 1, 3))], -2), int(interpolation == "bilinear"), fill_mode, fill_value)


@_first
def _perspective(x, start, end, interpolation="bilinear", fill_value=0):
    system, sides = [], []
    for (u, v), (p, q) in zip(start, end, strict=True):
        system += [[p, q, 1, 0, 0, 0, -p * u, -q * u], [0, 0, 0, p, q, 1, -p * v, -q * v]]
        sides += [u, v]
    matrix = np.append(np.linalg.solve(np.array(system, "float64"), sides), 1).reshape(3, 3)
    return _moved(x, np.broadcast_to(matrix, (len(x), 3, 3)) if x.ndim == 4 else matrix, int(interpolation == "bilinear"), "constant", fill_value)


FIRST = {"data_format": "channels_first"}
IMAGES, LAST = ((2, 3, 4, 2),), (1, 2)
SIZED = {"low": 0, "high": 200, "known": LAST}
RESAMPLING = [
    Case("resize", _resized, IMAGES, (*FLOATS, "uint8", "int8", "float64"), args=((6, 8),), low=-90, high=90, known=LAST),
    Case("resize", _resized, ((3, 4, 2),), args=((2, 6),), kwargs={"interpolation": "bicubic"}, known=(0, 1)),
    Case("resize", _resized, ((1, 2, 6, 5),), args=((2, 3),), kwargs={"interpolation": "lanczos3", "antialias": True, **FIRST}, known=(2, 3)),
    Case("resize", _resized, ((1, 5, 6, 1),), ("float32", "uint8"), args=((2, 2),), kwargs={"antialias": True}, **SIZED),
    Case("resize", _resized, ((1, 9, 4, 1),), args=((2, 7),), kwargs={"interpolation": "lanczos5"}, known=LAST),
    Case("resize", _resized, ((1, 5, 12, 1),), args=((3, 5),), kwargs={"interpolation": "bicubic", "antialias": True}, known=LAST),
    Case("resize", _resized, IMAGES, ("float32", "bfloat16", "uint8", "bool"), args=((5, 3),), kwargs={"interpolation": "nearest"}, known=LAST),
    Case("resize", lambda x, size, **_: _resized(x[:, :, 1:3], size), IMAGES, args=((3, 2),), kwargs={"crop_to_aspect_ratio": True}, known=LAST),
    Case(
        "resize",
        lambda x, size, fill_value, **_: _resized(np.pad(x, ((0, 0), (0, 0), (2, 2), (0, 0)), constant_values=fill_value), size),
        IMAGES,
        ("float32",),
        args=((2, 6),),
        kwargs={"pad_to_aspect_ratio": True, "fill_value": 3},
        **SIZED,
    ),
    Case("rescaled", lambda x, size, method, antialias, last: _resize(x, size, method, antialias), IMAGES, args=((5, 3), "bilinear", False, True), known=LAST),
    *[
        Case("scale_and_translate", _scaled, ((3, 4),), dtypes, args=((3, 5), [1.4], [-0.7], (1,), method), kwargs={"antialias": antialias}, known=(0, 1))
        for method, antialias, dtypes in (("linear", True, FLOATS), ("cubic", True, ("float32",)), ("lanczos3", False, ("float32",)))
    ],
    Case("scale_and_translate", _scaled, ((4, 5, 2),), args=((3, 3, 2), [0.6, -1.0], [0.3, 4.2], (0, -2), "bilinear"), known=(0, 1)),
    *[
        Case("map_coordinates", _at, ((3, 4), PLACES), dtypes, args=(order, mode), kwargs={"fill_value": 1}, low=0, high=20)
        for order in (0, 1)
        for mode, dtypes in [(m, ("float32",)) for m in MODES] + [("constant", (*FLOATS[1:], "uint8"))]
    ],
    Case("map_coordinates", lambda x, places, order: np.array([x[0] * 0.5 + x[1] * 0.5]), ((3,), np.array([[0.5]], "float32")), args=(1,)),
    Case("map_coordinates", lambda x, places, order: np.stack([x[1], x[2]]), ((3,), np.array([[0.5, 1.5]], "float32")), args=(0,)),
    *[Case("affine_transform", _affine, (*IMAGES, MOVES), dtypes, kwargs={"fill_mode": mode, "fill_value": 1}, low=0, high=20) for mode, dtypes in (
        ("constant", ("float32", "float16", "int32", "uint8")), ("nearest", ("float32",)), ("wrap", ("float32",)))],
    Case("affine_transform", _affine, ((3, 4, 2), MOVES[0]), kwargs={"interpolation": "nearest", "fill_mode": "reflect"}),
    Case("affine_transform", _affine, ((1, 2, 3, 4), MOVES[:1]), kwargs={"fill_mode": "mirror", **FIRST}),
    Case("perspective_transform", _perspective, (*IMAGES, START, END), ("float32", "int32"), kwargs={"fill_value": 2}, low=0, high=20, tolerance=4),
    Case("perspective_transform", _perspective, ((2, 3, 4), START, END), kwargs={"interpolation": "nearest", **FIRST}),
    Case("elastic_transform", lambda x, **_: x, ((2, 3, 4, 1),), ("float32", "uint8"), kwargs={"alpha": 0.0, "seed": 1}),
    Case("elastic_transform", lambda x, **_: np.ones(x.shape), (np.ones((3, 4, 2), "float32"),), kwargs={"alpha": 9.0, "sigma": 1.0, "seed": 1}, grad=False),
]  # fmt: skip


# ---- colours ----
@_first
def _gray(x):
    out = x if x.shape[-1] == 1 else (x @ [0.2989, 0.587, 0.114])[..., None]
    return np.trunc(out) if x.dtype.kind in "iu" else out


def _hsv(pixel):
    value, span = max(pixel), max(pixel) - min(pixel)
    i = int(np.argmax(pixel))
    hue = ((pixel[(i + 1) % 3] - pixel[(i + 2) % 3]) / span + 2 * i) / 6 % 1 if span else 0
    return [hue, span / value if value > 0 else 0, value]


def _rgb(pixel):
    hue, saturation, value = pixel
    return [value * (1 - saturation * min(max(min(k, 4 - k), 0), 1)) for k in ((n + hue * 6) % 6 for n in (5, 3, 1))]


def _each(function):
    return _first(lambda x: np.apply_along_axis(function, -1, x))


GREYS = np.array([[0.0, 0, 0], [0.5, 0.5, 0.5], [1, 1, 0.25], [0, -0.5, -0.25], [-1, -2, -3]], "float32").reshape(1, 5, 3)
COLOURS = [
    Case("rgb_to_grayscale", _gray, ((2, 2, 2, 3),), (*FLOATS, "uint8"), low=0, high=200, known=(3,)),
    Case("rgb_to_grayscale", _gray, ((3, 2, 2),), kwargs=FIRST, known=(0,)),
    Case("rgb_to_grayscale", _gray, ((2, 2, 1),), ("float32", "bool"), known=(2,)),
    Case("rgb_to_hsv", _each(_hsv), ((2, 2, 3, 3),), ("float32", "float16"), low=0.05, high=1, tolerance=4),
    Case("rgb_to_hsv", _each(_hsv), ((3, 2, 2),), kwargs=FIRST, low=0.05, high=1),
    Case("rgb_to_hsv", _each(_hsv), (GREYS,), grad=False),
    Case("hsv_to_rgb", _each(_rgb), ((2, 2, 3, 3),), ("float32", "float16"), low=0.05, high=1, tolerance=4),
    Case("hsv_to_rgb", _each(_rgb), ((3, 2, 2),), kwargs=FIRST, low=0.05, high=2),
]


# ---- margins and patches ----
def _cropped(x, **_):
    return x[..., 1:3, :3, :]


def _padded(x, **_):
    return np.pad(x, ((0, 0),) * (x.ndim - 3) + ((1, 2), (0, 3), (0, 0)))


def _patches(x, size, strides=None, dilation_rate=1, padding="valid", data_format=None):
    rank = len(size) if isinstance(size, tuple) else 3 if x.ndim == 5 else 2
    size = size if isinstance(size, tuple) else (size,) * rank
    strides = size if strides is None else strides if isinstance(strides, tuple) else (strides,) * rank
    if x.ndim == rank + 1:
        return _patches(x[None], size, strides, dilation_rate, padding, data_format)[0]
    if data_format == "channels_first":
        return np.moveaxis(_patches(np.moveaxis(x, 1, -1), size, strides, dilation_rate, padding), -1, 1)
    reach = [(k - 1) * dilation_rate + 1 for k in size]
    if padding == "same":
        totals = [max((math.ceil(n / s) - 1) * s + r - n, 0) for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
        x = np.pad(x, ((0, 0), *((t // 2, t - t // 2) for t in totals), (0, 0)))
    counts = [(n - r) // s + 1 for n, s, r in zip(x.shape[1:-1], strides, reach, strict=True)]
    out = np.zeros((len(x), *counts, math.prod(size) * x.shape[-1]), x.dtype)
    for at in np.ndindex(*counts):
        window = tuple(slice(i * s, i * s + r, dilation_rate) for i, s, r in zip(at, strides, reach, strict=True))
        out[(slice(None), *at)] = x[(slice(None), *window)].reshape(len(x), -1)
    return out


PARTS = [
    Case("crop_images", _cropped, ((2, 4, 5, 1),), NUMBERS, kwargs={"top_cropping": 1, "bottom_cropping": 1, "left_cropping": 0, "target_width": 3}),
    Case("crop_images", _first(_cropped), ((1, 4, 5),), kwargs={"bottom_cropping": 1, "target_height": 2, "right_cropping": 2, "target_width": 3, **FIRST}),
    Case("pad_images", _padded, ((2, 2, 2, 1),), NUMBERS, kwargs={"top_padding": 1, "bottom_padding": 2, "left_padding": 0, "target_width": 5}),
    Case("pad_images", _first(_padded), ((1, 2, 2),), kwargs={"bottom_padding": 2, "target_height": 5, "right_padding": 3, "target_width": 5, **FIRST}),
    Case("extract_patches", _patches, ((2, 5, 4, 2),), NUMBERS, args=(2,)),
    Case("extract_patches", _patches, ((5, 4, 2),), args=((2, 3), (2, 1), 1, "same")),
    Case("extract_patches", _patches, ((1, 2, 5, 4),), args=(2, 1, 2), kwargs=FIRST),
    Case("extract_patches", _patches, ((1, 3, 2, 4, 1),), args=((2, 1, 3), 1, 1, "same")),
    Case("extract_patches_3d", _patches, ((1, 3, 2, 4, 2),), args=(2,)),
    Case("extract_patches_3d", _patches, ((1, 3, 2, 4),), args=((2, 1, 3), (1, 2, 2), 1, "same"), kwargs=FIRST),
]


# ---- filters ----
def _window(size, sigma):
    weights = np.exp(-(((np.arange(size) - (size - 1) / 2) / sigma) ** 2) / 2)
    return weights / weights.sum()


def _correlated(x, weights, same=False):
    """Along the first axis, by its definition."""
    if same:
        x = np.pad(x, (((len(weights) - 1) // 2, len(weights) // 2), *((0, 0),) * (x.ndim - 1)))
    return np.stack([np.tensordot(weights, x[i : i + len(weights)], 1) for i in range(len(x) - len(weights) + 1)])


def _both(x, down, right, same=False):
    for axis, weights in ((x.ndim - 3, down), (x.ndim - 2, right)):
        x = np.moveaxis(_correlated(np.moveaxis(x, axis, 0), weights, same), 0, axis)
    return x


@_first
def _blur(x, kernel_size=(3, 3), sigma=(1.0, 1.0)):
    return _both(x, *map(_window, kernel_size, sigma), same=True)


def _sobel(x, data_format=None):
    smooth, change = np.array([1, 2, 1]), np.array([-1, 0, 1])
    return np.stack([_first(_both)(x, *pair, same=True, data_format=data_format) for pair in ((change, smooth), (smooth, change))], -1)


def _ssim(a, b, max_val=1.0, filter_size=11, filter_sigma=1.5, k1=0.01, k2=0.03, data_format=None):
    if data_format == "channels_first":
        a, b = np.moveaxis(a, -3, -1), np.moveaxis(b, -3, -1)
    window = _window(filter_size, filter_sigma)
    mean_a, mean_b, ab, aa, bb = (_both(x, window, window) for x in (a, b, a * b, a * a, b * b))
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    contrast = (2 * (ab - mean_a * mean_b) + c2) / (aa + bb - mean_a**2 - mean_b**2 + c2)
    return (brightness * contrast).mean((-3, -2, -1))


def _slid(x, weights, axis, same):
    return np.moveaxis(_correlated(np.moveaxis(x, axis, 0), weights, same), 0, axis)


FILTERS = [
    Case("slid", _slid, ((2, 3, 4, 2), np.array([1, 2, -1], "float32")), args=(-3, True), known=(4,)),
    Case("slid", _slid, ((3, 4, 2), np.array([1, 2, -1], "float32")), args=(-2, True), known=(3,)),
    Case("slid", _slid, ((2, 3, 4), np.array([1, 2, -1], "float32")), args=(-1, True), known=(3,)),
    Case("slid", _slid, ((2, 3, 4, 2), np.array([1, 2], "int32")), ("float32", "bfloat16", "int32"), args=(-2, False), known=(4,)),
    Case("slid", _slid, ((2, 3, 2), np.arange(10, dtype="float32")), args=(-2, True), known=(3,)),
    Case("slid", _slid, ((1, 11, 2), np.arange(10, dtype="float32")), args=(-2, False), known=(3,)),
    Case("gaussian_blur", _blur, ((2, 3, 4, 2),), FLOATS),
    Case("gaussian_blur", _blur, ((2, 3, 4),), kwargs={"kernel_size": (4, 3), "sigma": (0.7, 2.0), **FIRST}),
    Case("sobel_edges", _sobel, ((2, 3, 4, 2),), (*FLOATS, "uint8", "bool"), low=0),
    Case("sobel_edges", _sobel, ((2, 3, 4),), kwargs=FIRST),
    Case("ssim", _ssim, ((2, 5, 4, 2),) * 2, ("float32", "int32"), kwargs={"max_val": 2.0, "filter_size": 3}, tolerance=4),
    Case("ssim", _ssim, ((2, 5, 4),) * 2, kwargs={"filter_size": 4, "filter_sigma": 0.8, "k1": 0.2, "k2": 0.3, **FIRST}, low=0, high=1, tolerance=4),
]

CASES = [*RESAMPLING, *COLOURS, *PARTS, *FILTERS]
