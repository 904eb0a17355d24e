"""Images seen through other grids: resizing, and transformations of the place of each pixel.

`resize` and `scale_and_translate` are a matrix product for each axis; what maps places freely gathers the pixels around each.
Pixels have their coordinates at whole numbers, the first at 0.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentError, ShapeError, one_of
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import UNKNOWN, Spec, normalize_axis, same_dim, show
from keraunos.ops.creation import arange, full
from keraunos.ops.elementwise import (
    absolute,
    add,
    cast,
    clip,
    equal,
    floor,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    maximum,
    minimum,
    mod,
    multiply,
    not_equal,
    round,
    sign,
    sin,
    square,
    subtract,
    true_divide,
    where,
)  # fmt: skip
from keraunos.ops.imaging import along, cut, enlarged, gaussian_blur, image_axes
from keraunos.ops.reductions import sum
from keraunos.ops.rules import Composed, Floating, Same, declare
from keraunos.ops.shaping import (
    dtype,
    expand_dims,
    get_item,
    moveaxis,
    ndim,
    ravel,
    reshape,
    shape,
    take,
)

# ---- filters: what a pixel at a distance counts ----


def _linear(x: Any) -> Any:
    return maximum(subtract(1, x), 0)


def _cubic(x: Any) -> Any:
    """Keys' cubic of a = -1/2 ("Cubic convolution interpolation for digital image processing", 1981)."""
    near = add(multiply(multiply(subtract(multiply(1.5, x), 2.5), x), x), 1)
    far = add(multiply(subtract(multiply(add(multiply(-0.5, x), 2.5), x), 4), x), 2)
    return where(less(x, 1), near, where(less(x, 2), far, 0))


def _lanczos(radius: int) -> Callable[[Any], Any]:
    def filtered(x: Any) -> Any:
        inside = where(greater(x, 1e-3), x, 1)
        wave = multiply(sin(multiply(inside, math.pi)), sin(multiply(inside, math.pi / radius)))
        return where(greater(x, 1e-3), where(greater(x, radius), 0, true_divide(multiply(wave, radius / math.pi**2), square(inside))), 1)

    return filtered


_FILTERS: dict[str, Callable[[Any], Any]] = {"bilinear": _linear, "bicubic": _cubic, "lanczos3": _lanczos(3), "lanczos5": _lanczos(5)}
_SYNONYMS = {"linear": "bilinear", "trilinear": "bilinear", "triangle": "bilinear", "cubic": "bicubic", "tricubic": "bicubic"}


def _weights(have: Any, want: int, scale: Any, translation: Any, method: str, antialias: bool) -> Any:
    """How much each of `have` pixels (columns) counts in each of `want` (rows); a row is 0 where it lies outside of the image."""
    inverse = true_divide(1, scale)
    place = subtract(multiply(subtract(add(arange(want, dtype=dtype(scale)), 0.5), translation), inverse), 0.5)
    distance = absolute(subtract(expand_dims(place, 1), arange(have, dtype=dtype(scale))))
    weights = _FILTERS[method](true_divide(distance, maximum(inverse, 1)) if antialias else distance)
    total = sum(weights, -1, True)
    weights = where(greater(absolute(total), 1e-4), true_divide(weights, where(equal(total, 0), 1, total)), 0)
    inside = logical_and(greater_equal(place, -0.5), less_equal(place, have - 0.5))
    return where(expand_dims(inside, 1), weights, 0)


@functools.lru_cache(256)
def _resizing(have: int, want: int, method: str, antialias: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """The weights of `resize` along one axis, made on the host: a matrix, or where few count for each pixel, those few and their indices."""
    with config.backend_scope("numpy"):
        matrix = _weights(have, want, np.float64(want / have), 0, method, antialias).astype("float32")
    few = int((matrix != 0).sum(1).max())
    if few > _FEW:
        return matrix, None
    indices = np.argsort(matrix == 0, axis=1, kind="stable")[:, :few]
    return np.take_along_axis(matrix, indices, 1), indices.astype("int32")


_FEW = 8  # so many gathered rows are cheaper than a matrix product


def _along(x: Any, weights: Any, indices: Any, axis: int) -> Any:
    """The vectors in `axis` times weights of shape `(new, old)`, or only those at `indices`."""
    if indices is None:
        return along(x, weights, axis)
    parts = (multiply(take(x, i, axis), w.reshape(-1, *[1] * (-1 - axis))) for i, w in zip(indices.T, weights.T, strict=True))
    return functools.reduce(add, parts)


def _working(name: str) -> str:
    """The dtype to compute pixels of the dtype `name` in."""
    return name if name == "float64" else "float32"


def _saturated(x: Any, name: str) -> Any:
    """Floats as pixels of the dtype `name`: rounded, and within its bounds."""
    if name not in dtypes.INTEGERS:
        return cast(not_equal(x, 0) if name == "bool" else x, name)
    bounds = np.iinfo(name)
    largest = bounds.max if dtypes.BITS[name] <= 16 else np.nextafter(np.float32(bounds.max), np.float32(0))  # of those that float32 has
    return cast(clip(round(x), float(bounds.min), float(largest)), name)


def rescaled(images: Tensor, size: tuple[int, int], method: str, antialias: bool, last: bool) -> Same:
    """Floats in another size, as `resize` has it; `last` says whether the channels are."""
    axes = (-3, -2) if last else (-2, -1)
    steps = sorted((want / n, axis, n, want) for axis, n, want in zip(axes, _known_size(images, axes), size, strict=True) if n != want)
    for _, axis, n, want in steps:  # what shrinks most comes first
        images = _along(images, *_resizing(n, want, method, antialias), axis)
    return images


def _known_size(images: Any, axes: Sequence[int]) -> list[int]:
    sizes = [shape(images)[i] for i in axes]
    if not all(isinstance(n, int) for n in sizes):
        fact = "The height and width of the images must be known."
        raise ShapeError(fact, received=show(shape(images)), fix="give Input their sizes; the batch may stay None")
    return sizes


def resize(
    images: Tensor, size: Any, interpolation: str = "bilinear", antialias: bool = False, crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False, fill_mode: str = "constant", fill_value: float = 0.0, data_format: str | None = None,
) -> Same:  # fmt: skip
    """The images in another size; the result has their dtype, integers rounded and kept within its bounds.

    The numbers are those of Keras on JAX on every engine (Keras on PyTorch has another cubic without `antialias`).

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        size: The new `(height, width)`.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: Whether to widen the filter where the image gets smaller, so that every pixel counts.
        crop_to_aspect_ratio: Whether to resize only the largest part in the middle that has the proportions of `size`.
        pad_to_aspect_ratio: Whether to pad the images evenly, first, to the proportions of `size`.
        fill_mode: What to pad with; only "constant".
        fill_value: The constant.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: An option is unknown, or both cropping and padding are asked for.
        ShapeError: The images have not 3 or 4 axes, or their height and width are not known when it runs.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.resize(ops.ones((2, 8, 8, 3)), (4, 6)))
    (2, 4, 6, 3)
    """
    one_of("interpolation", interpolation, ("nearest", *_FILTERS))
    one_of("fill_mode", fill_mode, ("constant",))
    if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(n is UNKNOWN or (isinstance(n, int) and n > 0) for n in size):
        raise ArgumentError("size must be a height and a width of at least 1.", received=f"size={size!r}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("Only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be on.", fix="set one of them to False")
    axes = image_axes(images, data_format)[:2]
    if isinstance(images, Spec) and UNKNOWN in [images.shape[axis] for axis in axes]:  # known when it runs
        sizes = dict(zip(axes, size, strict=True))
        return Spec([sizes.get(i, n) for i, n in zip(range(-len(images.shape), 0), images.shape, strict=True)], images.dtype)
    name, have = dtype(images), _known_size(images, axes)
    # The sides that the other side and the new proportions would go with.
    fitting = [int(have[1] * size[0] / size[1]), int(have[0] * size[1] / size[0])]
    if crop_to_aspect_ratio:
        kept = [max(min(n, fit), 1) for n, fit in zip(have, fitting, strict=True)]
        margins = [(n - k) // 2 for n, k in zip(have, kept, strict=True)]
        images = cut(images, axes, margins, [n - k - margin for n, k, margin in zip(have, kept, margins, strict=True)])
    elif pad_to_aspect_ratio:
        margins = [max(fit - n, 0) // 2 for n, fit in zip(have, fitting, strict=True)]  # the same before and behind, as in Keras
        images = enlarged(images, axes, margins, margins, _constant(np.rint(fill_value) if name in dtypes.INTEGERS else fill_value, name))
    steps = [(axis, shape(images)[axis], want) for axis, want in zip(axes, size, strict=True) if shape(images)[axis] != want]
    if interpolation == "nearest":
        for axis, n, want in steps:
            images = take(images, np.minimum((np.arange(want) + 0.5) * (n / want), n - 1).astype("int32"), axis)
        return images
    return _saturated(rescaled(cast(images, _working(name)), tuple(size), interpolation, antialias, axes[1] == -2), name) if steps else images


def _constant(value: Any, name: str) -> Any:
    """A fill value as one of the images' dtype.

    Raises:
        ArgumentError: It lies outside of what the dtype holds.
    """
    if name not in dtypes.INTEGERS:
        return bool(value) if name == "bool" else value
    bounds = np.iinfo(name)
    if not bounds.min <= value <= bounds.max:
        raise ArgumentError(f"{name} cannot hold this value.", where="fill_value", received=value, expected=f"{bounds.min} to {bounds.max}")
    return int(value)


def scale_and_translate(
    images: Tensor, output_shape: Any, scale: Operand, translation: Operand, spatial_dims: Any, method: str, antialias: bool = True
) -> Floating:
    """The images scaled and moved: what was at `x` is at `x * scale + translation`, where pixel 0 reaches from 0 to 1; zeros outside.

    Args:
        images: A tensor of any number of axes; integers become floats, as in Keras on JAX.
        output_shape: The shape of the result, all axes included.
        scale: The scale of each of `spatial_dims`; a gradient flows to it.
        translation: The translation of each, in pixels of the result.
        spatial_dims: The axes that are scaled.
        method: "linear", "bilinear", "trilinear", "triangle"; "cubic", "bicubic", "tricubic"; "lanczos3" or "lanczos5".
        antialias: Whether to widen the filter where the image gets smaller.

    Raises:
        ArgumentError: There is no such method.
        ShapeError: `output_shape` differs from the images' along another axis.

    Example:

    >>> from keraunos import ops
    >>> x = ops.convert_to_tensor([[0.0, 1.0, 2.0]])
    >>> ops.convert_to_numpy(ops.image.scale_and_translate(x, (1, 5), [2.0], [-0.5], (1,), "linear")).tolist()
    [[0.0, 0.5, 1.0, 1.5, 2.0]]
    """
    one_of("method", method, (*_FILTERS, *_SYNONYMS))
    if isinstance(output_shape, int) or isinstance(spatial_dims, int):
        raise ArgumentError("output_shape and spatial_dims must be tuples.", received=f"output_shape={output_shape!r}, spatial_dims={spatial_dims!r}")
    sizes, target = shape(images), tuple(output_shape)
    axes = [normalize_axis(d, len(sizes), "spatial_dims") - len(sizes) for d in spatial_dims]
    if len(target) != len(sizes) or any(i not in axes and not same_dim(a, b) for i, a, b in zip(range(-len(sizes), 0), sizes, target, strict=False)):
        raise ShapeError(f"output_shape {show(target)} does not go with images of shape {show(sizes)}.", expected=f"equal sizes except at axes {tuple(axes)}")
    for name, value in (("scale", scale), ("translation", translation)):
        if len(shape(value)) != 1 or not same_dim(shape(value)[0], len(axes)) or len(set(axes)) != len(axes):
            expected = f"a number for each of {len(axes)} different spatial_dims"
            raise ShapeError(f"{name} does not go with spatial_dims {tuple(spatial_dims)}.", where=name, received=show(shape(value)), expected=expected)
    for i, axis in enumerate(axes):
        s, t = (get_item(cast(v, _working(dtype(images))), i) for v in (scale, translation))
        matrix = _weights(sizes[axis], target[axis], s, t, _SYNONYMS.get(method, method), antialias)
        images = along(images, cast(matrix, dtype(images)), axis)
    return images


# ---- places mapped freely ----


def _away(x: Any) -> Any:
    """The nearest whole number, halves away from 0."""
    size = absolute(x)
    low = floor(size)
    return multiply(sign(x), add(low, cast(greater_equal(subtract(size, low), 0.5), dtype(low))))


def _wrapped(i: Any, n: Any, fill_mode: str) -> Any:
    """The index within an axis of size `n` that stands for `i`."""
    if fill_mode in ("constant", "nearest"):
        return clip(i, 0, n - 1)
    if fill_mode == "wrap":
        return mod(i, n)
    if fill_mode == "reflect":
        i = mod(i, 2 * n)
        return minimum(i, subtract(2 * n - 1, i))
    period = maximum(2 * n - 2, 1)
    i = mod(i, period)
    return minimum(i, subtract(period, i))


_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _sampled(rows: Any, coordinates: Sequence[Any], sizes: Sequence[Any], order: int, fill_mode: str, fill_value: Any, base: Any = 0) -> Any:
    """What lies at `coordinates` of tensors of shape `sizes`.

    Args:
        rows: The elements in C order, one after another, or a row of channels for each.
        coordinates: For each axis, where; floats of one shape.
        sizes: The sizes of the axes.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: How the tensors go on beyond their edges.
        fill_value: The constant there.
        base: The index in `rows` of the first element of the tensor that each place belongs to.
    """
    name, constant = dtype(rows), fill_mode == "constant"
    axes = []  # for each axis the indices that count, how much, and whether they lie within it
    for x, n in zip(coordinates, sizes, strict=True):
        low = floor(x) if order else _away(x)
        part, i = subtract(x, low), cast(low, "int32")
        choices = [(i, subtract(1, part)), (add(i, 1), part)] if order else [(i, None)]
        axes.append([(_wrapped(i, n, fill_mode), share, logical_and(greater_equal(i, 0), less(i, n)) if constant else None) for i, share in choices])
    corners = []
    for corner in itertools.product(*axes):
        places, shares, insides = zip(*corner, strict=True)
        value = take(rows, functools.reduce(lambda index, place: add(multiply(index, place[0]), place[1]), zip(sizes, places, strict=True), base), 0)
        widen = functools.partial(expand_dims, axis=-1) if ndim(rows) > 1 else lambda v: v
        if constant:
            value = where(widen(functools.reduce(logical_and, insides)), value, full((), _constant(fill_value, name), name))
        if order:
            weight = widen(functools.reduce(multiply, shares))
            value = multiply(cast(value, dtype(weight)) if name == "bool" else value, weight)
        corners.append(value)
    total = functools.reduce(add, corners)
    return cast(_away(total), name) if order and name in dtypes.INTEGERS else cast(total, name)


def map_coordinates(inputs: Tensor, coordinates: Operand, order: int, fill_mode: str = "constant", fill_value: float = 0) -> Composed:
    """What lies at `coordinates` of a tensor; the result has its dtype, integers rounded.

    Halves are rounded away from 0, as Keras does on JAX, in the coordinates of order 0 as in the values of integers.

    Args:
        inputs: A tensor of any number of axes.
        coordinates: The places, in elements: an array whose first axis has one entry for each axis of `inputs`. A gradient flows to them.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: How `a b c d` goes on to the right: "constant" `k k k`, "nearest" `d d d`, "wrap" `a b c`, "mirror" `c b a`, "reflect" `d c b`.
        fill_value: The constant.

    Raises:
        ArgumentError: There is no such order or mode.
        ShapeError: The coordinates have not an entry for each axis.

    Example:

    >>> from keraunos import ops
    >>> x = ops.convert_to_tensor([[0.0, 1.0], [2.0, 3.0]])
    >>> ops.convert_to_numpy(ops.image.map_coordinates(x, [[0.5], [0.5]], order=1)).tolist()
    [1.5]
    """
    if order not in (0, 1):
        raise ArgumentError("order must be 0 or 1.", received=f"order={order!r}")
    one_of("fill_mode", fill_mode, _MODES)
    sizes, places = shape(inputs), shape(coordinates)
    if len(places) < 2 or not same_dim(places[0], len(sizes)) or not sizes:
        raise ShapeError(f"coordinates of shape {show(places)} do not go with inputs of {len(sizes)} axes.", expected=f"({len(sizes)}, …), at least two axes")
    return _sampled(ravel(inputs), [get_item(coordinates, i) for i in range(len(sizes))], sizes, order, fill_mode, fill_value)


def _transformed(images: Any, places: Callable[[Any, Any], tuple[Any, Any]], interpolation: str, fill_mode: str, fill_value: Any, data_format: Any) -> Any:
    """Images whose pixel at column x and row y is what was at column and row `places(x, y)`, of shape `(batch or 1, height, width)`."""
    channels = image_axes(images, data_format)[2]
    one, x = ndim(images) == 3, moveaxis(images, channels, -1)
    x = expand_dims(x, 0) if one else x
    batch, height, width, depth = shape(x)
    columns, rows = places(reshape(arange(width, dtype="float32"), (1, 1, -1)), reshape(arange(height, dtype="float32"), (1, -1, 1)))
    order = {"nearest": 0, "bilinear": 1}[interpolation]
    flat = reshape(x, (-1, depth))
    out = _sampled(flat, [rows, columns], [height, width], order, fill_mode, fill_value, reshape(arange(batch, dtype="int32"), (-1, 1, 1)))
    return moveaxis(get_item(out, 0) if one else out, -1, channels)


def _for_each(images: Any, parameters: Any, rest: tuple[int, ...], name: str) -> Any:
    """`parameters` of a transformation with a first axis that broadcasts against the images.

    Raises:
        ShapeError: They have another shape than `rest`, or `(batch, *rest)`.
    """
    own = tuple(parameters.shape)
    batch = images.shape[0] if ndim(images) == 4 else 1
    fits = len(own) - len(rest) in (0, 1) and all(map(same_dim, own[-len(rest) :], rest))
    if not fits or (len(own) > len(rest) and own[0] != 1 and not same_dim(own[0], batch)):
        raise ShapeError(f"{name} of shape {show(own)} does not go with images of shape {show(shape(images))}.", expected=f"{rest}, or one for each image")
    parameters = cast(parameters, dtypes.floating(dtype(parameters)))
    return expand_dims(parameters, 0) if len(own) == len(rest) else parameters


def _part(parameters: Any, *place: int) -> Any:
    """One number of each row of `parameters`, `(batch or 1, 1, 1)`."""
    return get_item(parameters, (slice(None), *place, None, None))


def affine_transform(
    images: Tensor, transform: Operand, interpolation: str = "bilinear", fill_mode: str = "constant", fill_value: float = 0, data_format: str | None = None
) -> Composed:
    """The images moved, turned, scaled or sheared.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        transform: `[a0, a1, a2, b0, b1, b2, c0, c1]`, or `(batch, 8)`: the pixel at column x and row y of the result is what was at
            column `a0 x + a1 y + a2` and row `b0 x + b1 y + b2`. As in Keras on JAX, c0 and c1 do not count.
        interpolation: "bilinear" or "nearest".
        fill_mode: What lies beyond the edges: "constant", "nearest", "wrap", "mirror" or "reflect", as in `map_coordinates`.
        fill_value: The constant.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: An option is unknown.
        ShapeError: The shapes do not fit.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.arange(4.0), (1, 4, 1))
    >>> ops.convert_to_numpy(ops.image.affine_transform(x, [1.0, 0, 1.5, 0, 1, 0, 0, 0]))[0, :, 0].tolist()  # 1.5 columns to the left
    [1.5, 2.5, 1.5, 0.0]
    """
    one_of("interpolation", interpolation, ("bilinear", "nearest"))
    one_of("fill_mode", fill_mode, _MODES)
    transform = _for_each(images, transform, (8,), "transform")
    a0, a1, a2, b0, b1, b2 = (_part(transform, i) for i in range(6))

    def places(x: Any, y: Any) -> tuple[Any, Any]:
        return add(add(multiply(a0, x), multiply(a1, y)), a2), add(add(multiply(b0, x), multiply(b1, y)), b2)

    return _transformed(images, places, interpolation, fill_mode, fill_value, data_format)


def _cross(a: list[Any], b: list[Any]) -> list[Any]:
    return [subtract(multiply(a[i], b[j]), multiply(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]


def _inner(a: list[Any], b: list[Any]) -> Any:
    return add(add(multiply(a[0], b[0]), multiply(a[1], b[1])), multiply(a[2], b[2]))


def _basis(points: Any) -> tuple[list[list[Any]], list[list[Any]]]:
    """The projective map that takes (1,0,0), (0,1,0), (0,0,1) and (1,1,1) to four points, by columns; and the rows of its inverse, up to a factor.

    Heckbert, "Fundamentals of texture mapping and image warping" (1989).
    """
    columns = [[_part(points, i, 0), _part(points, i, 1), 1.0] for i in range(4)]
    adjugate = [_cross(columns[i], columns[j]) for i, j in ((1, 2), (2, 0), (0, 1))]
    shares = [_inner(row, columns[3]) for row in adjugate]
    scaled = [[multiply(v, share) for v in column] for column, share in zip(columns, shares, strict=False)]
    return scaled, [[true_divide(v, share) for v in row] for row, share in zip(adjugate, shares, strict=True)]


def perspective_transform(
    images: Tensor, start_points: Operand, end_points: Operand, interpolation: str = "bilinear", fill_value: float = 0, data_format: str | None = None
) -> Composed:
    """The images in another perspective: that which brings four points to where four others are.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        start_points: Four points `(column, row)` of the images, `(4, 2)` or `(batch, 4, 2)`.
        end_points: Where they are in the result, in the same shape.
        interpolation: "bilinear" or "nearest".
        fill_value: What lies beyond the edges.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: There is no such interpolation.
        ShapeError: The shapes do not fit.

    Example:

    >>> from keraunos import ops
    >>> corners = [[0.0, 0.0], [7.0, 0.0], [0.0, 7.0], [7.0, 7.0]]
    >>> smaller = [[2.0, 2.0], [5.0, 2.0], [0.0, 7.0], [7.0, 7.0]]
    >>> ops.shape(ops.image.perspective_transform(ops.ones((1, 8, 8, 3)), corners, smaller))
    (1, 8, 8, 3)
    """
    one_of("interpolation", interpolation, ("bilinear", "nearest"))
    if len(shape(start_points)) != len(shape(end_points)) or not all(map(same_dim, shape(start_points), shape(end_points))):
        raise ShapeError("start_points and end_points must have the same shape.", received=f"{show(shape(start_points))} and {show(shape(end_points))}")
    to, _ = _basis(_for_each(images, start_points, (4, 2), "start_points"))
    _, back = _basis(_for_each(images, end_points, (4, 2), "end_points"))
    matrix = [[_inner([column[i] for column in to], [row[j] for row in back]) for j in range(3)] for i in range(3)]

    def places(x: Any, y: Any) -> tuple[Any, Any]:
        column, row, depth = (add(add(multiply(a, x), multiply(b, y)), c) for a, b, c in matrix)
        return true_divide(column, depth), true_divide(row, depth)

    return _transformed(images, places, interpolation, "constant", fill_value, data_format)


def elastic_transform(
    images: Tensor, alpha: float = 20.0, sigma: float = 5.0, interpolation: str = "bilinear", fill_mode: str = "reflect", fill_value: float = 0.0,
    seed: Any = None, data_format: str | None = None,
) -> Composed:  # fmt: skip
    """The images bent at random: each pixel is moved by noise that was smoothed, after Simard et al., "Best practices for convolutional
    neural networks applied to visual document analysis" (2003).

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        alpha: By how much pixels are moved: about 0.28 `alpha` pixels, by standard deviation.
        sigma: The standard deviation of the Gaussian that smooths the noise, in pixels.
        interpolation: "bilinear" or "nearest".
        fill_mode: What lies beyond the edges, as in `affine_transform`.
        fill_value: The constant.
        seed: An integer (the same noise at each call), a `SeedGenerator`, or None for the default one.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.elastic_transform(ops.ones((2, 8, 8, 3)), alpha=2.0, sigma=1.0, seed=1))
    (2, 8, 8, 3)
    """
    from keraunos import random

    one_of("interpolation", interpolation, ("bilinear", "nearest"))
    one_of("fill_mode", fill_mode, _MODES)
    height, width, _ = image_axes(images, data_format)
    if isinstance(images, Spec):
        return Spec(images.shape, images.dtype)
    sizes = shape(images)
    noise = random.normal((sizes[0] if len(sizes) == 4 else 1, sizes[height], sizes[width], 2), stddev=sigma, dtype="float32", seed=seed)
    reach = int(6 * sigma) | 1
    moved = multiply(gaussian_blur(noise, (reach, reach), (sigma, sigma), "channels_last"), alpha)
    return _transformed(
        images, lambda x, y: (add(x, get_item(moved, (..., 0))), add(y, get_item(moved, (..., 1)))), interpolation, fill_mode, fill_value, data_format
    )


declare(globals())

__all__ = ["affine_transform", "elastic_transform", "map_coordinates", "perspective_transform", "resize", "scale_and_translate"]
