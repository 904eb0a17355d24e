"""Ops that move elements between space and channels: sliding patches, blocks of pixels."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from keraunos.core import windows
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.op import Tensor
from keraunos.core.spec import same_dim, show
from keraunos.ops.elementwise import add
from keraunos.ops.rules import Same, declare
from keraunos.ops.shaping import get_item, pad, reshape, shape, stack, transpose


def _axes(x: Any, expected: str) -> tuple[Any, ...]:
    """The sizes of `x`, which must have the axes that are expected."""
    sizes = shape(x)
    if len(sizes) != expected.count(",") + 1:
        raise ShapeError(f"x has {len(sizes)} axes.", received=show(sizes), expected=expected)
    return sizes


# ---- sliding patches ----
def _sliding(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, int, int, int]]:
    """Size, dilation, padding and stride, for the height and for the width."""
    options = (("kernel_size", kernel_size, 1), ("dilation", dilation, 1), ("padding", padding, 0), ("stride", stride, 1))
    return list(zip(*(windows.sizes(value, 2, name, least) for name, value, least in options), strict=True))


def _count(size: Any, k: int, rate: int, margin: int, step: int) -> Any:
    """How many patches lie along an axis."""
    reach = (k - 1) * rate + 1
    if isinstance(size, int) and size + 2 * margin < reach:
        raise ShapeError(f"The kernel reaches over {reach}, the padded input is only {size + 2 * margin}.", fix="use a smaller kernel, or more padding")
    return (size + 2 * margin - reach) // step + 1


def unfold(x: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Same:
    """The sliding patches of images, each as a column.

    Args:
        x: Images, channels first: `(batch, channels, height, width)`.
        kernel_size: The patch's height and width, or one integer for both; likewise the rest.
        dilation: The distance of a patch's elements.
        padding: How many zeros are put around the images.
        stride: How far the patch moves.

    Returns:
        The patches, `(batch, channels * kernel height * kernel width, patches)`, row by row.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.unfold(ops.ones((1, 3, 4, 4)), 2))
    (1, 12, 9)
    """
    batch, channels, *sizes = _axes(x, "(batch, channels, height, width)")
    plans = _sliding(kernel_size, dilation, padding, stride)
    counts = [_count(n, *plan) for n, plan in zip(sizes, plans, strict=True)]
    if any(margin for _, _, margin, _ in plans):
        x = pad(x, ((0, 0), (0, 0), *((margin, margin) for _, _, margin, _ in plans)))
    parts = []
    for offset in itertools.product(*(range(k) for k, _, _, _ in plans)):
        starts = [i * rate for i, (_, rate, _, _) in zip(offset, plans, strict=True)]
        ends = [start + (n - 1) * step + 1 for start, n, (_, _, _, step) in zip(starts, counts, plans, strict=True)]
        parts.append(get_item(x, (slice(None), slice(None), *(slice(a, b, step) for a, b, (_, _, _, step) in zip(starts, ends, plans, strict=True)))))
    return reshape(stack(parts, 2), (batch, channels * len(parts), counts[0] * counts[1]))


def fold(x: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Same:
    """The images in which sliding patches overlap and are added up: the transpose of `unfold`.

    Args:
        x: Patches, `(batch, channels * kernel height * kernel width, patches)`.
        output_size: The height and width of the images.
        kernel_size: The patch's height and width, or one integer for both; likewise the rest, which is as in `unfold`.
        dilation: The distance of a patch's elements.
        padding: How many zeros were put around the images.
        stride: How far the patch moves.

    Returns:
        The images, `(batch, channels, height, width)`.

    Raises:
        ShapeError: There are not as many patches, or elements in each, as this makes.

    Example:

    >>> from keraunos import ops
    >>> x = ops.reshape(ops.arange(16.0), (1, 1, 4, 4))
    >>> folded = ops.fold(ops.unfold(x, 2, stride=2), 4, 2, stride=2)
    >>> bool(ops.all(folded == x))
    True
    """
    batch, rows, patches = _axes(x, "(batch, channels * kernel height * kernel width, patches)")
    sizes, plans = windows.sizes(output_size, 2, "output_size"), _sliding(kernel_size, dilation, padding, stride)
    counts = [_count(n, *plan) for n, plan in zip(sizes, plans, strict=True)]
    kernel = plans[0][0] * plans[1][0]
    if not same_dim(patches, counts[0] * counts[1]) or (isinstance(rows, int) and rows % kernel):
        expected = f"(batch, a multiple of {kernel}, {counts[0] * counts[1]})"
        raise ShapeError("The patches do not make images of this size.", received=show(shape(x)), expected=expected)
    # The gaps that the strides leave between the patches' elements are filled with zeros.
    spread = [n * step for n, (_, _, _, step) in zip(counts, plans, strict=True)]
    gaps = [(0, step - 1) for _, _, _, step in plans]
    x = reshape(x, (batch, rows // kernel, kernel, counts[0], 1, counts[1], 1))
    x = reshape(pad(x, ((0, 0), (0, 0), (0, 0), (0, 0), gaps[0], (0, 0), gaps[1])), (batch, rows // kernel, kernel, *spread))
    rooms = [max(size + 2 * p, (k - 1) * rate + n) for size, n, (k, rate, p, _) in zip(sizes, spread, plans, strict=True)]
    placed = []
    for i, offset in enumerate(itertools.product(*(range(k) for k, _, _, _ in plans))):
        starts = [o * rate for o, (_, rate, _, _) in zip(offset, plans, strict=True)]
        margins = [(a, room - n - a) for a, room, n in zip(starts, rooms, spread, strict=True)]
        placed.append(pad(get_item(x, (slice(None), slice(None), i)), ((0, 0), (0, 0), *margins)))
    inner = (slice(p, p + size) for size, (_, _, p, _) in zip(sizes, plans, strict=True))
    return get_item(functools.reduce(add, placed), (slice(None), slice(None), *inner))


# ---- blocks ----
def _block(block_size: Any) -> int:
    if not isinstance(block_size, int) or block_size < 2:
        raise ArgumentError("block_size must be an integer of at least 2.", received=f"block_size={block_size!r}")
    return block_size


def _image(x: Any, data_format: str | None) -> tuple[Any, ...]:
    """Whether the channels are last; then the batch, height, width and channels of `x`."""
    if windows.channels_last(data_format):
        return True, *_axes(x, "(batch, height, width, channels)")
    batch, channels, height, width = _axes(x, "(batch, channels, height, width)")
    return False, batch, height, width, channels


def _divisible(name: str, size: Any, by: int, x: Any) -> None:
    if isinstance(size, int) and size % by:
        raise ShapeError(f"The {name} of x is {size}.", received=show(shape(x)), expected=f"a multiple of {by}")


def depth_to_space(x: Tensor, block_size: int, data_format: str | None = "channels_last") -> Same:
    """Images whose channels become blocks of pixels.

    Args:
        x: `(batch, height, width, channels)`, or for "channels_first" `(batch, channels, height, width)`.
        block_size: Height and width of a block, at least 2. Channels last, a pixel's channels lie together in the old channels;
            channels first, a channel's pixels do.
        data_format: "channels_last" or "channels_first"; None is `image_data_format()`.

    Returns:
        `(batch, height * block_size, width * block_size, channels / block_size ** 2)`, or likewise with the channels first.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.depth_to_space(ops.ones((1, 2, 3, 8)), 2))
    (1, 4, 6, 2)
    """
    b, (last, batch, height, width, channels) = _block(block_size), _image(x, data_format)
    _divisible("number of channels", channels, b * b, x)
    inner = channels // (b * b)
    if last:
        blocks = transpose(reshape(x, (batch, height, width, b, b, inner)), (0, 1, 3, 2, 4, 5))
        return reshape(blocks, (batch, height * b, width * b, inner))
    blocks = transpose(reshape(x, (batch, inner, b, b, height, width)), (0, 1, 4, 2, 5, 3))
    return reshape(blocks, (batch, inner, height * b, width * b))


def space_to_depth(x: Tensor, block_size: int, data_format: str | None = "channels_last") -> Same:
    """Images whose blocks of pixels become channels: the inverse of `depth_to_space`, whose arguments it has.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.space_to_depth(ops.ones((1, 4, 6, 2)), 2))
    (1, 2, 3, 8)
    """
    b, (last, batch, height, width, channels) = _block(block_size), _image(x, data_format)
    _divisible("height", height, b, x)
    _divisible("width", width, b, x)
    if last:
        blocks = transpose(reshape(x, (batch, height // b, b, width // b, b, channels)), (0, 1, 3, 2, 4, 5))
        return reshape(blocks, (batch, height // b, width // b, channels * (b * b)))
    blocks = transpose(reshape(x, (batch, channels, height // b, b, width // b, b)), (0, 1, 3, 5, 2, 4))
    return reshape(blocks, (batch, channels * (b * b), height // b, width // b))


declare(globals())

__all__ = ["depth_to_space", "fold", "space_to_depth", "unfold"]
