"""Enlarging by whole factors, in one to three dimensions."""

from __future__ import annotations

from typing import Any, Literal

from keraunos import ops
from keraunos.core.fields import Size, Sizes
from keraunos.layers.spatial import Spatial


class UpSampling(Spatial, kw_only=True):
    """The base of the layers that repeat each element; a subclass gives the rank.

    Args:
        size: How often, one integer or one for each dimension.
        data_format: "channels_last" or "channels_first".
    """

    size: Sizes

    def call(self, inputs: Any) -> Any:
        sizes = (self.size,) if isinstance(self.size, int) else self.size
        for axis, size in zip(self.axes_of(inputs), sizes, strict=True):
            inputs = ops.repeat(inputs, size, axis=axis)
        return inputs


class UpSampling1D(UpSampling, rank=1):
    """Each step repeated: input `(batch, steps, channels)`, output `(batch, steps * size, channels)`.

    Args:
        size: How often.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.UpSampling1D(2)([[[1.0], [2.0]]])).ravel().tolist()
    [1.0, 1.0, 2.0, 2.0]
    """

    size: Size = 2


class UpSampling2D(UpSampling):
    """Images enlarged: input `(batch, height, width, channels)`.

    Args:
        size: The factors, for the height and the width; one integer for both.
        data_format: "channels_last" or "channels_first".
        interpolation: What stands between the pixels: "nearest" (they are repeated), "bilinear", "bicubic", "lanczos3" or "lanczos5".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.UpSampling2D((2, 3), interpolation="bilinear").compute_output_shape((None, 8, 8, 3))
    (None, 16, 24, 3)
    """

    size: Sizes = (2, 2)
    data_format: str | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] = "nearest"

    def call(self, inputs: Any) -> Any:
        if self.interpolation == "nearest":
            return super().call(inputs)
        shape = ops.shape(inputs)
        size = tuple(shape[axis] * factor for axis, factor in zip(self.axes_of(inputs), self.size, strict=True))
        return ops.image.resize(inputs, size, self.interpolation, data_format=self.data_format)


class UpSampling3D(UpSampling, rank=3):
    """Each element of volumes repeated: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.UpSampling3D(2).compute_output_shape((None, 4, 4, 4, 3))
    (None, 8, 8, 8, 3)
    """

    size: Sizes = (2, 2, 2)
    data_format: str | None = None
