"""How convolutions and pooling slide: sizes, padding and groups, checked and remembered by shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from keraunos.core import config
from keraunos.core.errors import ArgumentError, ShapeError, one_of
from keraunos.core.spec import UNKNOWN, Shape, show

# The order of axes that puts the channels first, or last, by the number of spatial axes.
FIRST = {1: (0, 2, 1), 2: (0, 3, 1, 2), 3: (0, 4, 1, 2, 3)}
LAST = {1: (0, 2, 1), 2: (0, 2, 3, 1), 3: (0, 2, 3, 4, 1)}
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Windows(NamedTuple):
    """One way to slide windows over inputs of one shape; sizes are in the order of the spatial axes."""

    rank: int  # spatial axes
    last: bool  # whether the channels are the last axis
    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[Any, Any], ...]  # before and behind each spatial axis; may be UNKNOWN
    groups: int
    shape: Shape  # of the result

    @property
    def symmetric(self) -> bool:
        """Whether as much is padded before as behind."""
        return all(isinstance(before, int) and before == behind for before, behind in self.pads)

    @property
    def spatial(self) -> slice:
        """Which axes of the inputs are spatial."""
        return slice(1, 1 + self.rank) if self.last else slice(2, 2 + self.rank)

    def counts(self, sizes: Sequence[int]) -> Any:
        """How many elements of the input each window covers, as a NumPy array that broadcasts against channels-last results."""
        import numpy as np

        product: Any = np.ones((1,) * (self.rank + 2), "int32")
        for i, (n, k, s, (before, behind)) in enumerate(zip(sizes, self.size, self.strides, self.pads, strict=True)):
            starts = np.arange(-before, n + behind - k + 1, s)
            covered = np.minimum(starts + k, n) - np.maximum(starts, 0)
            product = product * covered.reshape([-1 if j == i + 1 else 1 for j in range(self.rank + 2)])
        return product


def channels_last(data_format: str | None) -> bool:
    """Whether the channels are the last axis; None is `image_data_format()`."""
    return config.standardize_data_format(data_format) == "channels_last"


def _remembered(function: Callable[..., Windows]) -> Callable[..., Windows]:
    """`function`, remembered by its arguments, in which lists count as tuples, and by the data format that None stands for."""

    @functools.lru_cache(1024)
    def cached(_: str, *args: Any) -> Windows:
        return function(*args)

    @functools.wraps(function)
    def remembered(*args: Any) -> Windows:
        default = config.image_data_format()
        try:
            return cached(default, *args)
        except TypeError:  # a list has no hash
            args = tuple(tuple(x) if isinstance(x, list) else x for x in args)
        try:
            return cached(default, *args)
        except TypeError:  # nor a size that stands for any
            return function(*args)

    return remembered


def sizes(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    """`value`, one integer or one for each spatial axis, as the latter.

    Raises:
        ArgumentError: It is neither, or below `least`.
    """
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank or any(not isinstance(v, int) or isinstance(v, bool) or v < least for v in values):
        raise ArgumentError(f"{name} must be an integer of at least {least}, or one for each of the {rank} spatial axes.", received=f"{name}={value!r}")
    return values


def _arranged(batch: Any, spatial: Sequence[Any], channels: Any, last: bool) -> tuple[Any, ...]:
    return (batch, *spatial, channels) if last else (batch, channels, *spatial)


def _start(shape: Any, rank: int, padding: Any, data_format: Any, kernel: Shape = ()) -> tuple[bool, Shape, Any]:
    """Check ranks and options; returns whether the channels are last, the spatial sizes, and the number of channels."""
    if UNKNOWN in kernel:
        raise ShapeError("The shape of a kernel must be known.", received=show(kernel))
    last = channels_last(data_format)
    if not 1 <= rank <= 3 or len(shape) != rank + 2:
        fix = "add the channels axis: ops.expand_dims(x, -1)" if len(shape) == rank + 1 and rank in AXES else None
        axes = f"({', '.join(_arranged('batch', AXES[rank], 'channels', last))})" if rank in AXES else "1 to 3 spatial axes between batch and channels"
        raise ShapeError(f"The inputs have {len(shape)} axes.", received=show(shape), expected=axes, fix=fix)
    one_of("padding", padding, ("valid", "same"))
    return (True, shape[1:-1], shape[-1]) if last else (False, shape[2:], shape[1])


def _slid(what: str, inner: Sequence[Any], size: Sequence[int], strides: Sequence[int], dilation: Sequence[int], padding: str) -> tuple[list[Any], Any]:
    """How many windows there are along each spatial axis, and how much is padded before and behind."""
    counts, pads = [], []
    for n, k, stride, rate, axis in zip(inner, size, strides, dilation, AXES[len(size)], strict=True):
        reach = (k - 1) * rate + 1
        if padding == "valid" and isinstance(n, int) and n < reach:  # a size may stand for any
            fix = "use a smaller one, padding='same', or fewer pooling layers before it"
            raise ShapeError(f"The {what} reaches over {reach}, the {axis} of the inputs is only {n}.", fix=fix)
        count = (n - reach) // stride + 1 if padding == "valid" else -(-n // stride)
        total: Any = 0
        if padding == "same" and reach > 1:
            total = UNKNOWN if n is UNKNOWN else (count - 1) * stride + reach - n
            total = total if reach >= stride or n is UNKNOWN else max(total, 0)
        counts.append(count)
        pads.append((total // 2, total - total // 2))
    return counts, tuple(pads)


@_remembered
def conv(inputs: Shape, kernel: Shape, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation: Any = 1) -> Windows:
    """How a convolution slides; the kernel's shape is `(*sizes, channels in a group, filters)`.

    Raises:
        ShapeError: The shapes do not fit.
    """
    rank = len(kernel) - 2
    last, spatial, channels = _start(inputs, rank, padding, data_format, kernel)
    *size, inner, filters = kernel
    strides, dilation = sizes(strides, rank, "strides"), sizes(dilation, rank, "dilation_rate")
    groups = 1 if channels is UNKNOWN else channels // inner
    if channels is not UNKNOWN and (channels % inner or filters % max(groups, 1)):
        expected = f"{inner} channels" if channels % inner else f"filters to be a multiple of the {groups} groups"
        fact = f"The inputs have {channels} channels, the kernel has {inner} in a group, and {filters} filters."
        raise ShapeError(fact, received=show(inputs), expected=expected)
    out, pads = _slid("kernel", spatial, size, strides, dilation, padding)
    return Windows(rank, last, tuple(size), strides, dilation, pads, groups, _arranged(inputs[0], out, filters, last))


@_remembered
def pool(inputs: Shape, size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None) -> Windows:
    """How pooling slides.

    Raises:
        ShapeError: The inputs do not fit.
    """
    rank = len(inputs) - 2 if isinstance(size, int) else len(size)
    last, spatial, channels = _start(inputs, rank, padding, data_format)
    size = sizes(size, rank, "pool_size")
    strides = size if strides is None else sizes(strides, rank, "strides")
    ones = (1,) * rank
    out, pads = _slid("pool", spatial, size, strides, ones, padding)
    return Windows(rank, last, size, strides, ones, pads, 1, _arranged(inputs[0], out, channels, last))


@_remembered
def conv_transpose(
    inputs: Shape, kernel: Shape, strides: Any = 1, padding: str = "valid", output_padding: Any = None, data_format: Any = None, dilation: Any = 1
) -> Windows:
    """How a transposed convolution slides; the kernel's shape is `(*sizes, filters, channels)`.

    The full result has `(n - 1) * stride + reach` elements along an axis; `pads` says how many of them are
    cut off before and behind, below zero where zeros are added.

    Raises:
        ShapeError: The shapes do not fit.
    """
    rank = len(kernel) - 2
    last, spatial, channels = _start(inputs, rank, padding, data_format, kernel)
    *size, filters, inner = kernel
    strides, dilation = sizes(strides, rank, "strides"), sizes(dilation, rank, "dilation_rate")
    added = (None,) * rank if output_padding is None else sizes(output_padding, rank, "output_padding", 0)
    if any(a is not None and a >= s for a, s in zip(added, strides, strict=True)):
        raise ArgumentError("output_padding must be below strides.", received=f"output_padding={output_padding!r}, strides={strides!r}")
    if channels is not UNKNOWN and channels != inner:
        raise ShapeError(f"The inputs have {channels} channels, the kernel has {inner}.", received=show(inputs), expected=f"{inner} channels")
    out, pads = [], []
    for n, k, stride, rate, extra in zip(spatial, size, strides, dilation, added, strict=True):
        reach = (k - 1) * rate + 1
        full = (n - 1) * stride + reach
        if extra is not None:
            cut = 2 * (reach // 2) - extra if padding == "same" else -extra
            before, length = max(cut, 0) // 2, full - cut
        elif padding == "same":
            before, length = max(reach - stride, 0) // 2, n * stride
        else:
            before, length = 0, n * stride + max(reach - stride, 0)
        out.append(length)
        pads.append((before, full - before - length))
    return Windows(rank, last, tuple(size), strides, dilation, tuple(pads), 1, _arranged(inputs[0], out, filters, last))


def adaptive(inputs: Shape, output_size: Any, data_format: Any = None) -> tuple[int, tuple[tuple[Any, int], ...]]:
    """The first spatial axis, and for each its size and the number of windows that it is to be parted into.

    Raises:
        ShapeError: The inputs have not 1 to 3 spatial axes.
    """
    rank = len(inputs) - 2 if isinstance(output_size, int) else len(output_size)
    last, spatial, _ = _start(inputs, rank, "valid", data_format)
    return 1 if last else 2, tuple(zip(spatial, sizes(output_size, rank, "output_size"), strict=True))
