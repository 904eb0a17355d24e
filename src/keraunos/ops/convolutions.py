"""Convolutions and pooling, in 1 to 3 spatial dimensions."""

from __future__ import annotations

from typing import Any

from keraunos.core import windows
from keraunos.core.errors import ShapeError
from keraunos.core.op import FLOATING, NUMERIC, PROMOTED, Tensor, primitive
from keraunos.core.spec import show
from keraunos.ops.creation import arange
from keraunos.ops.elementwise import add, cast, floor_divide, greater_equal, less, logical_and, minimum, multiply, subtract, true_divide
from keraunos.ops.products import tensordot
from keraunos.ops.reductions import max
from keraunos.ops.rules import Floating, Promoted, Same, declare, dims
from keraunos.ops.shaping import expand_dims, moveaxis, reshape, shape, take


@primitive(shape=lambda inputs, kernel, *options: windows.conv(dims(inputs), dims(kernel), *options).shape, dtype=NUMERIC)
def conv(inputs: Tensor, kernel: Tensor, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1) -> Tensor:
    """The convolution (without a flip of the kernel, as is usual) over 1 to 3 spatial axes.

    Args:
        inputs: `(batch, *spatial, channels)`, or for "channels_first" `(batch, channels, *spatial)`.
        kernel: `(*sizes, channels, filters)`; with fewer channels than the inputs, a convolution in groups.
        strides: How far the kernel moves, one integer or one for each spatial axis.
        padding: "valid" (none) or "same" (zeros, so that stride 1 keeps the sizes).
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.
        dilation_rate: The distance of the kernel's elements.

    Raises:
        ShapeError: Channels do not match, or the kernel reaches beyond the inputs.

    Example:

    >>> from keraunos import ops
    >>> ops.conv(ops.ones((1, 5, 5, 3)), ops.ones((3, 3, 3, 8))).shape == (1, 3, 3, 8)
    True
    """


def biased_conv(
    inputs: Tensor, kernel: Tensor, bias: Tensor, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1
) -> Promoted:
    """`conv` plus a bias for each filter, in one step on engines that have it; the other arguments are those of `conv`."""
    return add(conv(inputs, kernel, strides, padding, data_format, dilation_rate), _beside(bias, len(kernel.shape) - 2, data_format))


def _beside(bias: Any, rank: int, data_format: str | None) -> Any:
    """A bias in a shape that it can be added in to a result of `rank` spatial axes."""
    return bias if windows.channels_last(data_format) else reshape(bias, (-1, *(1,) * rank))


@primitive(shape=lambda inputs, kernel, *options: windows.conv_transpose(dims(inputs), dims(kernel), *options).shape, dtype=NUMERIC)
def conv_transpose(
    inputs: Tensor, kernel: Tensor, strides: Any = 1, padding: str = "valid", output_padding: Any = None, data_format: str | None = None, dilation_rate: Any = 1
) -> Tensor:
    """The transpose of `conv`, by which its gradient flows back: an image enlarged by `strides`.

    Args:
        inputs: `(batch, *spatial, channels)`, or for "channels_first" `(batch, channels, *spatial)`.
        kernel: `(*sizes, filters, channels)`.
        strides: How much larger the result is, one integer or one for each spatial axis.
        padding: "valid" (all that the kernel reaches) or "same" (exactly `strides` times the size).
        output_padding: What is added to the sizes at their end; None chooses the sizes by `padding`.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.
        dilation_rate: The distance of the kernel's elements.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.array([1.0, 2.0, 3.0]), (1, 3, 1))
    >>> ops.convert_to_numpy(ops.conv_transpose(x, ops.ones((2, 1, 1)), strides=2, data_format="channels_last")).ravel().tolist()
    [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    """


def biased_conv_transpose(
    inputs: Tensor, kernel: Tensor, bias: Tensor,
    strides: Any = 1, padding: str = "valid", output_padding: Any = None, data_format: str | None = None, dilation_rate: Any = 1,
) -> Promoted:  # fmt: skip
    """`conv_transpose` plus a bias for each filter."""
    out = conv_transpose(inputs, kernel, strides, padding, output_padding, data_format, dilation_rate)
    return add(out, _beside(bias, len(kernel.shape) - 2, data_format))


def depthwise_conv(
    inputs: Tensor, kernel: Tensor, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1
) -> Promoted:
    """Each channel convolved by itself; the arguments are those of `conv`.

    Args:
        kernel: `(*sizes, channels, multiplier)`; the result has `channels * multiplier` channels.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.depthwise_conv(ops.ones((1, 8, 8, 3)), ops.ones((3, 3, 3, 2)), data_format="channels_last"))
    (1, 6, 6, 6)
    """
    return conv(inputs, _by_channel(inputs, kernel, data_format), strides, padding, data_format, dilation_rate)


def biased_depthwise_conv(
    inputs: Tensor, kernel: Tensor, bias: Tensor, strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1
) -> Promoted:
    """`depthwise_conv` plus a bias for each channel of the result, in one step on engines that have it."""
    return biased_conv(inputs, _by_channel(inputs, kernel, data_format), bias, strides, padding, data_format, dilation_rate)


def _by_channel(inputs: Any, kernel: Any, data_format: str | None) -> Any:
    """The kernel of a depthwise convolution, as that of one in which each channel is a group."""
    *sizes, channels, multiplier = kernel.shape
    given = inputs.shape[-1 if windows.channels_last(data_format) else 1] if len(inputs.shape) == len(sizes) + 2 else None
    if isinstance(given, int) and given != channels:
        raise ShapeError(f"The inputs have {given} channels, the kernel has {channels}.", received=show(inputs.shape), expected=f"{channels} channels")
    return reshape(kernel, (*sizes, 1, channels * multiplier))


def separable_conv(
    inputs: Tensor, depthwise_kernel: Tensor, pointwise_kernel: Tensor,
    strides: Any = 1, padding: str = "valid", data_format: str | None = None, dilation_rate: Any = 1,
) -> Promoted:  # fmt: skip
    """`depthwise_conv`, then a convolution of size 1 that mixes the channels; the other arguments are those of `conv`.

    Args:
        depthwise_kernel: `(*sizes, channels, multiplier)`.
        pointwise_kernel: `(1, ..., channels * multiplier, filters)`.

    Example:

    >>> from keraunos import ops
    >>> kernels = ops.ones((3, 3, 3, 2)), ops.ones((1, 1, 6, 16))
    >>> ops.shape(ops.separable_conv(ops.ones((1, 8, 8, 3)), *kernels, data_format="channels_last"))
    (1, 6, 6, 16)
    """
    x = depthwise_conv(inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    return conv(x, pointwise_kernel, 1, "valid", data_format)


@primitive(shape=lambda inputs, *options: windows.pool(dims(inputs), *options).shape, dtype=PROMOTED)
def max_pool(inputs: Tensor, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None) -> Tensor:
    """The maximum of each window over 1 to 3 spatial axes.

    Args:
        inputs: `(batch, *spatial, channels)`, or for "channels_first" `(batch, channels, *spatial)`.
        pool_size: The window's size, one integer or one for each spatial axis.
        strides: How far the window moves; None is `pool_size`.
        padding: "valid" (none) or "same" (windows may reach over the edge).
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Raises:
        ShapeError: The window is larger than the inputs.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.array([1.0, 5.0, 2.0, 3.0]), (1, 4, 1))
    >>> ops.convert_to_numpy(ops.max_pool(x, 2, data_format="channels_last")).ravel().tolist()
    [5.0, 3.0]
    """


@primitive(shape=lambda inputs, *options: windows.pool(dims(inputs), *options).shape, dtype=FLOATING)
def average_pool(inputs: Tensor, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None) -> Tensor:
    """The mean of each window, without what lies over the edge; the arguments are those of `max_pool`.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.array([1.0, 3.0, 5.0]), (1, 3, 1))
    >>> ops.convert_to_numpy(ops.average_pool(x, 2, padding="same", data_format="channels_last")).ravel().tolist()
    [2.0, 5.0]
    """


def _edges(size: Any, count: int) -> tuple[Any, Any]:
    """Where each of `count` windows over `size` elements begins, and where it ends: they reach over all, and overlap where it must be."""
    order = arange(count, dtype="int32")
    return floor_divide(multiply(order, size), count), floor_divide(add(multiply(add(order, 1), size), count - 1), count)


def _divides(parts: Any) -> bool:
    """Whether windows of equal sizes part each axis."""
    return all(isinstance(n, int) and n >= count and n % count == 0 for n, count in parts)


def adaptive_average_pool(inputs: Tensor, output_size: Any, data_format: str | None = None) -> Floating:
    """The means of so many windows that the result has `output_size`, over 1 to 3 spatial axes.

    Window i of m over n elements reaches from `floor(i * n / m)` to `ceil((i + 1) * n / m)`.

    Args:
        inputs: `(batch, *spatial, channels)`, or for "channels_first" `(batch, channels, *spatial)`.
        output_size: The spatial sizes of the result, one integer or one for each axis.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.arange(5.0), (1, 5, 1))
    >>> ops.convert_to_numpy(ops.adaptive_average_pool(x, 2)).ravel().tolist()
    [1.0, 3.0]
    """
    first, parts = windows.adaptive(shape(inputs), output_size, data_format)
    if _divides(parts):
        return average_pool(inputs, tuple(n // count for n, count in parts), data_format=data_format)
    for axis, (n, count) in enumerate(parts, first):
        begin, end = (expand_dims(edge, 1) for edge in _edges(n, count))
        place = arange(n, dtype="int32")
        covered = cast(logical_and(greater_equal(place, begin), less(place, end)), inputs.dtype)
        weights = true_divide(covered, cast(subtract(end, begin), inputs.dtype))
        inputs = moveaxis(tensordot(inputs, weights, [[axis], [1]]), -1, axis)
    return inputs


def adaptive_max_pool(inputs: Tensor, output_size: Any, data_format: str | None = None) -> Same:
    """The maxima of so many windows that the result has `output_size`; windows and arguments are those of `adaptive_average_pool`.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.array([1.0, 5.0, 2.0, 3.0, 4.0]), (1, 5, 1))
    >>> ops.convert_to_numpy(ops.adaptive_max_pool(x, 2, data_format="channels_last")).ravel().tolist()
    [5.0, 4.0]
    """
    first, parts = windows.adaptive(shape(inputs), output_size, data_format)
    if _divides(parts):
        return max_pool(inputs, tuple(n // count for n, count in parts), data_format=data_format)
    for axis, (n, count) in enumerate(parts, first):
        begin, end = (expand_dims(edge, 1) for edge in _edges(n, count))
        longest = (n + count - 1) // count + 1  # shorter windows repeat their last element
        inputs = max(take(inputs, minimum(add(begin, arange(longest, dtype="int32")), subtract(end, 1)), axis), axis + 1)
    return inputs


declare(globals())

__all__ = ["adaptive_average_pool", "adaptive_max_pool", "average_pool", "conv", "conv_transpose", "depthwise_conv", "max_pool", "separable_conv"]
