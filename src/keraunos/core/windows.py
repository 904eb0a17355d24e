"""How convolutions and pooling slide: sizes, padding and groups, checked and remembered by shape."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from keraunos.core import config
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.spec import UNKNOWN, Shape, show

_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


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
        return all(before == behind for before, behind in self.pads)

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


def _sizes(value: Any, rank: int, name: str, least: int = 1) -> tuple[int, ...]:
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank or any(not isinstance(v, int) or isinstance(v, bool) or v < least for v in values):
        raise ArgumentError(f"{name} must be an integer of at least {least}, or one for each of the {rank} spatial axes.", received=f"{name}={value!r}")
    return values


def _axes(rank: int, last: bool) -> str:
    names = ("batch", *_AXES[rank], "channels") if last else ("batch", "channels", *_AXES[rank])
    return f"({', '.join(names)})"


def channels_last(data_format: str | None) -> bool:
    """Whether the channels are the last axis; None is `image_data_format()`."""
    return config.standardize_data_format(data_format) == "channels_last"


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _start(shape: Any, rank: int, padding: Any, data_format: Any, kernel: Shape = ()) -> bool:
    """Check ranks and options; returns whether the channels are last."""
    if UNKNOWN in kernel:
        raise ShapeError("The shape of a kernel must be known.", received=show(kernel))
    last = channels_last(data_format)
    if not 1 <= rank <= 3 or len(shape) != rank + 2:
        fix = "add the channels axis: ops.expand_dims(x, -1)" if len(shape) == rank + 1 and rank in _AXES else None
        expected = _axes(rank, last) if rank in _AXES else "1 to 3 spatial axes between batch and channels"
        raise ShapeError(f"The inputs have {len(shape)} axes.", received=show(shape), expected=expected, fix=fix)
    if padding not in ("valid", "same"):
        raise ArgumentError(f"padding cannot be {padding!r}.", fix="'valid' or 'same'")
    return last


def _slide(n: Any, size: Any, stride: Any, dilation: Any, padding: str, axis: str, what: str) -> tuple[Any, tuple[Any, Any]]:
    reach = (size - 1) * dilation + 1
    if padding == "valid":
        if n is not UNKNOWN and n < reach:
            fix = "use a smaller one, padding='same', or fewer pooling layers before it"
            raise ShapeError(f"The {what} reaches over {reach}, the {axis} of the inputs is only {n}.", fix=fix)
        return (n - reach) // stride + 1, (0, 0)
    if n is UNKNOWN:
        return UNKNOWN, (UNKNOWN, UNKNOWN)
    out = math.ceil(n / stride)
    total = max((out - 1) * stride + reach - n, 0)
    return out, (total // 2, total - total // 2)


def conv(inputs: Shape, kernel: Shape, strides: Any, padding: str, data_format: Any, dilation: Any) -> Windows:
    """How a convolution slides; the kernel's shape is `(*sizes, channels in a group, filters)`.

    Raises:
        ShapeError: The shapes do not fit.
    """
    return _conv(tuple(inputs), tuple(kernel), _key(strides), padding, data_format or config.image_data_format(), _key(dilation))


@functools.lru_cache(1024)
def _conv(inputs: Shape, kernel: Shape, strides: Any, padding: str, data_format: Any, dilation: Any) -> Windows:
    rank = len(kernel) - 2
    last = _start(inputs, rank, padding, data_format, kernel)
    strides, dilation = _sizes(strides, rank, "strides"), _sizes(dilation, rank, "dilation_rate")
    channels, (inner, filters) = inputs[-1 if last else 1], kernel[-2:]
    groups = 1 if channels is UNKNOWN else channels // inner
    if channels is not UNKNOWN and (channels % inner or filters % max(groups, 1)):
        wanted = f"{inner} channels" if channels % inner else f"filters to be a multiple of the {groups} groups"
        raise ShapeError(
            f"The inputs have {channels} channels, the kernel has {inner} in a group, and {filters} filters.", received=show(inputs), expected=wanted
        )
    spatial = inputs[1:-1] if last else inputs[2:]
    slid = [_slide(n, k, s, d, padding, axis, "kernel") for n, k, s, d, axis in zip(spatial, kernel[:rank], strides, dilation, _AXES[rank], strict=True)]
    out = tuple(n for n, _ in slid)
    shape = (inputs[0], *out, filters) if last else (inputs[0], filters, *out)
    return Windows(rank, last, tuple(kernel[:rank]), strides, dilation, tuple(pad for _, pad in slid), groups, shape)


def pool(inputs: Shape, size: Any, strides: Any, padding: str, data_format: Any) -> Windows:
    """How pooling slides.

    Raises:
        ShapeError: The inputs do not fit.
    """
    return _pool(tuple(inputs), _key(size), _key(strides), padding, data_format or config.image_data_format())


@functools.lru_cache(1024)
def _pool(inputs: Shape, size: Any, strides: Any, padding: str, data_format: Any) -> Windows:
    rank = len(inputs) - 2 if isinstance(size, int) else len(size)
    last = _start(inputs, rank, padding, data_format)
    size = _sizes(size, rank, "pool_size")
    strides = size if strides is None else _sizes(strides, rank, "strides")
    spatial = inputs[1:-1] if last else inputs[2:]
    slid = [_slide(n, k, s, 1, padding, axis, "pool") for n, k, s, axis in zip(spatial, size, strides, _AXES[rank], strict=True)]
    out = tuple(n for n, _ in slid)
    shape = (inputs[0], *out, inputs[-1]) if last else (*inputs[:2], *out)
    return Windows(rank, last, size, strides, (1,) * rank, tuple(pad for _, pad in slid), 1, shape)


def conv_transpose(inputs: Shape, kernel: Shape, strides: Any, padding: str, output_padding: Any, data_format: Any, dilation: Any) -> Windows:
    """How a transposed convolution slides; the kernel's shape is `(*sizes, filters, channels)`.

    The full result has `(n - 1) * stride + reach` elements along an axis; `pads` says how many of them are
    cut off before and behind, below zero where zeros are added.

    Raises:
        ShapeError: The shapes do not fit.
    """
    return _conv_transpose(
        tuple(inputs), tuple(kernel), _key(strides), padding, _key(output_padding), data_format or config.image_data_format(), _key(dilation)
    )


@functools.lru_cache(1024)
def _conv_transpose(inputs: Shape, kernel: Shape, strides: Any, padding: str, output_padding: Any, data_format: Any, dilation: Any) -> Windows:
    rank = len(kernel) - 2
    last = _start(inputs, rank, padding, data_format, kernel)
    strides, dilation = _sizes(strides, rank, "strides"), _sizes(dilation, rank, "dilation_rate")
    added = (None,) * rank if output_padding is None else _sizes(output_padding, rank, "output_padding", 0)
    if any(a is not None and a >= s for a, s in zip(added, strides, strict=True)):
        raise ArgumentError("output_padding must be below strides.", received=f"output_padding={output_padding!r}, strides={strides!r}")
    channels, (filters, inner) = inputs[-1 if last else 1], kernel[-2:]
    if channels is not UNKNOWN and channels != inner:
        raise ShapeError(f"The inputs have {channels} channels, the kernel has {inner}.", received=show(inputs), expected=f"{inner} channels")
    sizes, pads = [], []
    for n, size, stride, rate, extra in zip(inputs[1:-1] if last else inputs[2:], kernel[:rank], strides, dilation, added, strict=True):
        reach = (size - 1) * rate + 1
        full = (n - 1) * stride + reach
        if extra is not None:
            cut = 2 * (reach // 2) - extra if padding == "same" else -extra
            before, out = max(cut, 0) // 2, full - cut
        elif padding == "same":
            before, out = max(reach - stride, 0) // 2, n * stride
        else:
            before, out = 0, n * stride + max(reach - stride, 0)
        sizes.append(out)
        pads.append((before, full - before - out))
    shape = (inputs[0], *sizes, filters) if last else (inputs[0], filters, *sizes)
    return Windows(rank, last, tuple(kernel[:rank]), strides, dilation, tuple(pads), 1, shape)
