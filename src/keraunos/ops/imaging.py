"""Images as they are: colours, margins, patches, blur, edges, similarity."""

from __future__ import annotations

import builtins
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import ml_dtypes

from keraunos.core import dtypes, windows
from keraunos.core.errors import ArgumentError, DTypeError, ShapeError
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import same_dim, show
from keraunos.ops.creation import arange
from keraunos.ops.elementwise import (
    absolute,
    add,
    cast,
    clip,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    logical_and,
    mod,
    multiply,
    square,
    subtract,
    true_divide,
    where,
)  # fmt: skip
from keraunos.ops.products import tensordot
from keraunos.ops.reductions import max, mean, min, sum
from keraunos.ops.rules import Composed, Floating, Same, declare
from keraunos.ops.shaping import concatenate, dtype, expand_dims, get_item, moveaxis, ndim, pad_constant, reshape, shape, stack, take

_ALL = builtins.slice(None)


def image_axes(images: Any, data_format: str | None) -> tuple[int, int, int]:
    """The places of height, width and channels, from the end.

    Raises:
        ShapeError: It is neither one image nor a batch.
    """
    last = windows.channels_last(data_format)
    if ndim(images) not in (3, 4):
        expected = "(batch, height, width, channels), or without the batch" if last else "(batch, channels, height, width), or without the batch"
        raise ShapeError(f"The images have {ndim(images)} axes.", received=show(shape(images)), expected=expected)
    return (-3, -2, -1) if last else (-2, -1, -3)


# ---- colours ----
def _channels(images: Any, data_format: str | None) -> tuple[list[Any], int]:
    """Red, green and blue, or the like, each with an axis of size 1 for the channels; and that axis."""
    axis = image_axes(images, data_format)[2]
    if not same_dim(shape(images)[axis], 3):
        raise ShapeError(f"The images have {shape(images)[axis]} channels.", received=show(shape(images)), expected="3 channels")
    at = ndim(images) + axis
    return [get_item(images, (*[_ALL] * at, builtins.slice(i, i + 1))) for i in range(3)], axis


def _floats_only(images: Any) -> None:
    if not dtypes.is_float(dtype(images)):
        raise DTypeError("The images must be floats from 0 to 1.", received=f"images of {dtype(images)}", fix="ops.cast(images, 'float32') / 255")


def rgb_to_grayscale(images: Tensor, data_format: str | None = None) -> Composed:
    """The brightness of each pixel, 0.2989 red + 0.587 green + 0.114 blue, in one channel; images that have one stay as they are.

    Args:
        images: `(batch, height, width, 3)`, or one image without the batch; for "channels_first" the channels before the height.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ShapeError: The images have not 3 channels, or 1.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.rgb_to_grayscale(ops.ones((2, 4, 4, 3))))
    (2, 4, 4, 1)
    """
    if shape(images)[image_axes(images, data_format)[2]] == 1:
        return images
    name = dtype(images)
    (red, green, blue), _ = _channels(images if dtypes.is_float(name) else cast(images, "float32"), data_format)
    return cast(add(add(multiply(red, 0.2989), multiply(green, 0.587)), multiply(blue, 0.114)), name)


def rgb_to_hsv(images: Tensor, data_format: str | None = None) -> Same:
    """Hue, saturation and value of colours, all from 0 to 1: hue 0 is red, 1/3 green, 2/3 blue.

    Smith, "Color gamut transform pairs" (1978).

    Args:
        images: Floats from 0 to 1, `(batch, height, width, 3)`, or one image without the batch; for "channels_first" the channels before the height.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        DTypeError: The images are not floats.
        ShapeError: The images have not 3 channels.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.image.rgb_to_hsv([[[1.0, 0.0, 0.0], [0.5, 0.25, 0.25], [0.0, 0.0, 0.0]]])).tolist()
    [[[0.0, 1.0, 1.0], [0.0, 0.5, 0.5], [0.0, 0.0, 0.0]]]
    """
    _floats_only(images)
    images = where(less(absolute(images), float(ml_dtypes.finfo(dtype(images)).eps)), 0, images)
    (red, green, blue), axis = _channels(images, data_format)
    value = max(images, axis, True)
    span = subtract(value, min(images, axis, True))
    safe = where(equal(span, 0), 1, span)
    hue = where(
        equal(red, value),
        true_divide(subtract(green, blue), safe),
        where(equal(green, value), add(true_divide(subtract(blue, red), safe), 2), add(true_divide(subtract(red, green), safe), 4)),
    )
    hue = where(greater(span, 0), mod(true_divide(hue, 6), 1), 0)
    saturation = where(greater(value, 0), true_divide(span, where(greater(value, 0), value, 1)), 0)
    return concatenate([hue, saturation, value], axis)


def hsv_to_rgb(images: Tensor, data_format: str | None = None) -> Same:
    """The inverse of `rgb_to_hsv`; the arguments are the same.

    Raises:
        DTypeError: The images are not floats.
        ShapeError: The images have not 3 channels.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.image.hsv_to_rgb([[[0.0, 1.0, 1.0], [0.5, 1.0, 1.0], [0.0, 0.0, 0.5]]])).tolist()
    [[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.5, 0.5, 0.5]]]
    """
    _floats_only(images)
    (hue, saturation, value), axis = _channels(images, data_format)
    sector = mod(multiply(hue, 6), 6)
    shades = [subtract(absolute(subtract(sector, 3)), 1), subtract(2, absolute(subtract(sector, 2))), subtract(2, absolute(subtract(sector, 4)))]
    return concatenate([multiply(value, add(subtract(1, saturation), multiply(saturation, clip(shade, 0, 1)))) for shade in shades], axis)


# ---- margins ----
def cut(images: Any, axes: Sequence[int], before: Sequence[Any], behind: Sequence[Any]) -> Any:
    """The images without margins at some axes."""
    key: list[Any] = [_ALL] * ndim(images)
    for axis, first, last in zip(axes, before, behind, strict=True):
        key[axis] = builtins.slice(first, shape(images)[axis] - last)
    return get_item(images, tuple(key))


def enlarged(images: Any, axes: Sequence[int], before: Sequence[Any], behind: Sequence[Any], value: Any = 0) -> Any:
    """The images with margins of `value` at some axes."""
    widths: list[Any] = [(0, 0)] * ndim(images)
    for axis, first, last in zip(axes, before, behind, strict=True):
        widths[axis] = (first, last)
    return pad_constant(images, widths, value)


def _margins(n: Any, kind: str, growth: int, **given: Any) -> tuple[Any, Any]:
    """What is added (`growth` 1) or cut off (-1) before and behind an axis of size `n`.

    Args:
        n: The size.
        kind: What the margins are called.
        growth: Whether the axis grows.
        **given: The margins before and behind and the new size by their names, two of them; the third is None.

    Raises:
        ArgumentError: Not two are given, or they do not go with the size.
    """
    received = ", ".join(f"{name}={value}" for name, value in given.items())
    if builtins.any(isinstance(v, (float, str)) for v in given.values()):
        raise ArgumentError(f"The {kind} must be in whole pixels.", received=received, expected="integers")
    before, behind, target = given.values()
    count = builtins.sum(v is not None for v in given.values())  # not `==`: None equals what is not known
    if count != 2:
        raise ArgumentError(f"Two of {', '.join(given)} must be given, not {count}.", received=received)
    if target is not None:
        total = (target - n) * growth
        before, behind = (total - behind, behind) if before is None else (before, total - before)
    if builtins.any(isinstance(v, int) and v < 0 for v in (before, behind, n + growth * (before + behind))):
        raise ArgumentError(f"The {kind} does not go with a size of {n}.", received=received, expected="margins and sizes of at least 0")
    return before, behind


def _sized(images: Any, targets: dict[int, Any]) -> Any:
    """The images, told what sizes they must have where that does not follow from what they were made of."""
    sizes = list(shape(images))
    if builtins.all(isinstance(sizes[axis], int) or n is None for axis, n in targets.items()):
        return images
    for axis, n in targets.items():
        sizes[axis] = sizes[axis] if n is None else n
    return reshape(images, sizes)


def crop_images(
    images: Tensor, top_cropping: int | None = None, left_cropping: int | None = None, bottom_cropping: int | None = None, right_cropping: int | None = None,
    target_height: int | None = None, target_width: int | None = None, data_format: str | None = None,
) -> Same:  # fmt: skip
    """The images without margins; for each axis two of margin before, margin behind and new size are given.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        top_cropping: How many rows are cut off at the top.
        left_cropping: How many columns are cut off at the left.
        bottom_cropping: How many rows are cut off at the bottom.
        right_cropping: How many columns are cut off at the right.
        target_height: The height of the result.
        target_width: The width of the result.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: Not two are given for an axis, or they do not go with the images.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.crop_images(ops.ones((1, 8, 8, 3)), top_cropping=1, target_height=5, left_cropping=0, right_cropping=2))
    (1, 5, 6, 3)
    """
    height, width, _ = image_axes(images, data_format)
    sizes = shape(images)
    rows = _margins(sizes[height], "cropping", -1, top_cropping=top_cropping, bottom_cropping=bottom_cropping, target_height=target_height)
    columns = _margins(sizes[width], "cropping", -1, left_cropping=left_cropping, right_cropping=right_cropping, target_width=target_width)
    return _sized(cut(images, (height, width), *zip(rows, columns, strict=True)), {height: target_height, width: target_width})


def pad_images(
    images: Tensor, top_padding: int | None = None, left_padding: int | None = None, bottom_padding: int | None = None, right_padding: int | None = None,
    target_height: int | None = None, target_width: int | None = None, data_format: str | None = None,
) -> Same:  # fmt: skip
    """The images with margins of zeros; for each axis two of margin before, margin behind and new size are given.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        top_padding: How many rows are added at the top.
        left_padding: How many columns are added at the left.
        bottom_padding: How many rows are added at the bottom.
        right_padding: How many columns are added at the right.
        target_height: The height of the result.
        target_width: The width of the result.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: Not two are given for an axis, or they do not go with the images.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.pad_images(ops.ones((1, 4, 4, 3)), top_padding=1, target_height=8, left_padding=0, right_padding=2))
    (1, 8, 6, 3)
    """
    height, width, _ = image_axes(images, data_format)
    sizes = shape(images)
    rows = _margins(sizes[height], "padding", 1, top_padding=top_padding, bottom_padding=bottom_padding, target_height=target_height)
    columns = _margins(sizes[width], "padding", 1, left_padding=left_padding, right_padding=right_padding, target_width=target_width)
    return _sized(enlarged(images, (height, width), *zip(rows, columns, strict=True)), {height: target_height, width: target_width})


# ---- patches ----
def extract_patches(images: Tensor, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid", data_format: str | None = None) -> Same:
    """The patches of images or volumes; the elements of each stand in place of the channels, row by row, a pixel's channels together.

    Args:
        images: `(batch, height, width, channels)`, with three sizes `(batch, depth, height, width, channels)`, either also without the
            batch; for "channels_first" the channels before these axes.
        size: The patch's sizes, 2 or 3; an integer is a height and a width.
        strides: How far the patch moves; None is `size`.
        dilation_rate: The distance of a patch's elements.
        padding: "valid" (whole patches only) or "same" (zeros around, so that strides of 1 keep the sizes).
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ShapeError: The shapes do not fit.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.extract_patches(ops.ones((2, 20, 20, 3)), 5))
    (2, 4, 4, 75)
    """
    return _patches(images, 2 if isinstance(size, int) else len(size), size, strides, dilation_rate, padding, data_format)


def extract_patches_3d(volumes: Tensor, size: Any, strides: Any = None, dilation_rate: Any = 1, padding: str = "valid", data_format: str | None = None) -> Same:
    """The patches of volumes: `extract_patches` of three sizes, where an integer is all three.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.extract_patches_3d(ops.ones((2, 10, 10, 10, 3)), 3))
    (2, 3, 3, 3, 81)
    """
    return _patches(volumes, 3, size, strides, dilation_rate, padding, data_format)


def _patches(images: Any, rank: int, size: Any, strides: Any, dilation: Any, padding: str, data_format: str | None) -> Any:
    if rank not in (2, 3):
        raise ArgumentError("size must be an integer, or 2 or 3 of them.", received=f"size={size!r}")
    one = ndim(images) == rank + 1
    x = expand_dims(images, 0) if one else images
    size = windows.sizes(size, rank, "size")
    channels = shape(x)[-1 if windows.channels_last(data_format) else 1]
    kernel = (*size, channels if isinstance(channels, int) else 1, 1)
    plan = windows.conv(shape(x), kernel, size if strides is None else strides, padding, data_format, dilation)
    spatial = range(1, rank + 1) if plan.last else range(2, rank + 2)
    x = enlarged(x, spatial, *zip(*plan.pads, strict=True)) if padding == "same" else x
    parts = []
    for offset in itertools.product(*map(range, plan.size)):
        key: list[Any] = [_ALL] * (rank + 2)
        for axis, i, rate, step, count in zip(spatial, offset, plan.dilation, plan.strides, plan.shape[plan.spatial], strict=True):
            key[axis] = builtins.slice(i * rate, i * rate + (count - 1) * step + 1, step)
        parts.append(get_item(x, tuple(key)))
    out = concatenate(parts, -1 if plan.last else 1)
    return get_item(out, 0) if one else out


# ---- filters ----
def along(x: Any, matrix: Any, axis: int) -> Any:
    """`matrix`, of shape `(new, old)`, times the vectors in `axis`."""
    return moveaxis(tensordot(x, matrix, [[axis], [1]]), -1, axis)


def slid(images: Tensor, weights: Operand, axis: int, same: bool) -> Composed:
    """The sums of neighbours along `axis` (from the end), by weights; with `same`, zeros around keep the size.

    Few are slices that are added up, of which a compiler makes one pass, where its convolution of few channels takes many times as long on CPUs.
    """
    count, n = shape(weights)[0], shape(images)[axis]
    before = (count - 1) // 2 if same else 0
    length = n if same else n - (count - 1)
    if count > _FEW:
        place = subtract(add(arange(n, dtype="int32"), before), expand_dims(arange(length, dtype="int32"), 1))
        inside = logical_and(greater_equal(place, 0), less(place, count))
        return along(images, where(inside, take(weights, clip(place, 0, count - 1), 0), 0), axis)
    x = enlarged(images, (axis,), (before,), (count - 1 - before,)) if same else images
    key = [_ALL] * (ndim(x) + axis)
    parts = (multiply(get_item(x, (*key, builtins.slice(i, i + length))), get_item(weights, i)) for i in range(count))
    return functools.reduce(add, parts)


_FEW = 8  # more neighbours are quicker as the product with a matrix


def _gaussian(size: int, sigma: Any, name: str) -> Any:
    """The weights of a Gaussian window, whose sum is 1."""
    at = subtract(arange(size, dtype="float32"), (size - 1) / 2)
    weights = exp(multiply(square(true_divide(at, cast(sigma, "float32"))), -0.5))
    return cast(true_divide(weights, sum(weights)), name)


def gaussian_blur(images: Tensor, kernel_size: Any = (3, 3), sigma: Operand = (1.0, 1.0), data_format: str | None = None) -> Floating:
    """The images blurred by a Gaussian, with zeros beyond their edges; integers become floats.

    Keras 3.15.1 itself exchanges height and width where the channels are first, and where they are last it blurs along the width alone.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        kernel_size: Height and width of the window, in pixels.
        sigma: The standard deviations along height and width, in pixels; a gradient flows to them.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ArgumentError: `kernel_size` is not two integers.
        ShapeError: The images have not 3 or 4 axes.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.convert_to_tensor([0.0, 0, 1, 0, 0]), (1, 5, 1))
    >>> [round(float(v), 3) for v in ops.image.gaussian_blur(x, (1, 3))[0, :, 0]]
    [0.0, 0.274, 0.452, 0.274, 0.0]
    """
    height, width, _ = image_axes(images, data_format)
    if len(shape(sigma)) != 1 or not same_dim(shape(sigma)[0], 2):
        raise ShapeError("sigma must be two numbers, along height and width.", where="sigma", received=show(shape(sigma)), expected=(2,))
    for i, (axis, size) in enumerate(zip((height, width), windows.sizes(kernel_size, 2, "kernel_size"), strict=True)):
        images = slid(images, _gaussian(size, get_item(sigma, i), dtype(images)), axis, same=True)
    return images


def sobel_edges(images: Tensor, data_format: str | None = None) -> Composed:
    """How fast the brightness changes at each pixel, downwards and to the right, by Sobel's filters, with zeros beyond the edges.

    Args:
        images: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Returns:
        The images' shape with a last axis of 2, the changes `[dy, dx]`; 8-bit and 16-bit integers and bools become int32.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.image.sobel_edges(ops.ones((1, 8, 8, 3))))
    (1, 8, 8, 3, 2)
    """
    height, width, _ = image_axes(images, data_format)
    x = cast(images, "int32") if dtypes.BITS[dtype(images)] <= 16 and not dtypes.is_float(dtype(images)) else images
    smooth, change = (1, 2, 1), (-1, 0, 1)
    edges = [slid(slid(x, first, height, True), second, width, True) for first, second in ((change, smooth), (smooth, change))]
    return stack(edges, -1)


def ssim(
    image1: Tensor, image2: Tensor, max_val: float = 1.0, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
    data_format: str | None = None,
) -> Floating:  # fmt: skip
    """The structural similarity of two images, 1 for equal ones.

    Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to structural similarity" (2004).

    Args:
        image1: `(batch, height, width, channels)`, or one image without the batch; for "channels_first" the channels before the height.
        image2: The other images, in the same shape; integers are compared as floats.
        max_val: The greatest value that a pixel can have.
        filter_size: The size of the Gaussian window, in pixels.
        filter_sigma: Its standard deviation, in pixels.
        k1: Keeps the comparison of brightness stable.
        k2: Keeps the comparison of contrast stable.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Returns:
        A number for each image of a batch, or one.

    Raises:
        ShapeError: The images differ in shape, or are smaller than the window.

    Example:

    >>> from keraunos import ops
    >>> x = ops.ones((2, 16, 16, 3))
    >>> ops.convert_to_numpy(ops.image.ssim(x, x)).tolist()
    [1.0, 1.0]
    """
    height, width, channels = image_axes(image1, data_format)
    sizes = shape(image1)
    if len(shape(image2)) != len(sizes) or not builtins.all(map(same_dim, sizes, shape(image2))):
        raise ShapeError("The images differ in shape.", received=f"{show(sizes)} and {show(shape(image2))}", fix="resize one of them: ops.image.resize")
    (size,) = windows.sizes(filter_size, 1, "filter_size")
    if builtins.any(isinstance(sizes[axis], int) and sizes[axis] < size for axis in (height, width)):
        raise ShapeError(f"The window of {size} pixels is larger than the images.", received=show(sizes), fix="pass a smaller filter_size")
    window = _gaussian(size, filter_sigma, dtype(image1))

    def local(x: Any) -> Any:
        return slid(slid(x, window, height, same=False), window, width, same=False)

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean1, mean2 = local(image1), local(image2)
    both, squares = multiply(mean1, mean2), add(square(mean1), square(mean2))
    covariance = subtract(local(multiply(image1, image2)), both)
    variances = subtract(local(add(square(image1), square(image2))), squares)
    brightness = true_divide(add(multiply(both, 2), c1), add(squares, c1))
    contrast = true_divide(add(multiply(covariance, 2), c2), add(variances, c2))
    return mean(multiply(brightness, contrast), (height, width, channels))


declare(globals())

__all__ = [
    "crop_images", "extract_patches", "extract_patches_3d", "gaussian_blur", "hsv_to_rgb", "pad_images", "rgb_to_grayscale", "rgb_to_hsv", "sobel_edges",
    "ssim",
]  # fmt: skip
