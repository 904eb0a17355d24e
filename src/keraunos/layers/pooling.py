"""Pooling in one to three dimensions, over windows and over everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keraunos import ops
from keraunos.core.fields import Inherited, Sizes
from keraunos.layers.spatial import Spatial


class BasePooling(Spatial):
    """The base of pooling over windows; a subclass gives rank and function.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Raises:
        ShapeError: The input has another rank, or is smaller than the window.
    """

    pool_size: Sizes
    strides: Sizes | None = None
    padding: str = "valid"
    data_format: str | None = None
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None

    def setup(self) -> None:
        super().setup()
        self.strides = self.strides or self.pool_size

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(BasePooling, rank=1, function=ops.max_pool):
    """The largest of each window of steps."""

    pool_size: Sizes = 2


class MaxPooling2D(BasePooling, rank=2, function=ops.max_pool):
    """The largest of each window of an image.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.MaxPooling2D().compute_output_shape((None, 9, 8, 3))
    (None, 4, 4, 3)
    """

    pool_size: Sizes = (2, 2)


class MaxPooling3D(BasePooling, rank=3, function=ops.max_pool):
    """The largest of each window of a volume."""

    pool_size: Sizes = (2, 2, 2)


class AveragePooling1D(BasePooling, rank=1, function=ops.average_pool):
    """The mean of each window of steps."""


class AveragePooling2D(BasePooling, rank=2, function=ops.average_pool):
    """The mean of each window of an image."""


class AveragePooling3D(BasePooling, rank=3, function=ops.average_pool):
    """The mean of each window of a volume."""


class BaseAdaptivePooling(Spatial):
    """The base of pooling to a given size; a subclass gives rank and function.

    Window i of m over n elements reaches from `floor(i * n / m)` to `ceil((i + 1) * n / m)`.

    Args:
        output_size: The spatial sizes of the output, one integer or one for each dimension.
        data_format: "channels_last" or "channels_first".
    """

    output_size: Sizes
    data_format: str | None = None

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(BaseAdaptivePooling, rank=1, function=ops.adaptive_average_pool):
    """The means of so many windows of steps: `(batch, steps, channels)` to `(batch, output_size, channels)`."""


class AdaptiveAveragePooling2D(BaseAdaptivePooling, rank=2, function=ops.adaptive_average_pool):
    """The means of so many windows of an image: `(batch, height, width, channels)` to `(batch, *output_size, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AdaptiveAveragePooling2D((2, 3)).compute_output_shape((None, 7, 8, 5))
    (None, 2, 3, 5)
    """


class AdaptiveAveragePooling3D(BaseAdaptivePooling, rank=3, function=ops.adaptive_average_pool):
    """The means of so many windows of a volume."""


class AdaptiveMaxPooling1D(BaseAdaptivePooling, rank=1, function=ops.adaptive_max_pool):
    """The largest of so many windows of steps: `(batch, steps, channels)` to `(batch, output_size, channels)`."""


class AdaptiveMaxPooling2D(BaseAdaptivePooling, rank=2, function=ops.adaptive_max_pool):
    """The largest of so many windows of an image: `(batch, height, width, channels)` to `(batch, *output_size, channels)`."""


class AdaptiveMaxPooling3D(BaseAdaptivePooling, rank=3, function=ops.adaptive_max_pool):
    """The largest of so many windows of a volume."""


class BaseGlobalPooling(Spatial):
    """The base of pooling over all places; a subclass gives rank and function.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.
    """

    data_format: str | None = None
    keepdims: bool = False

    def call(self, inputs: Any) -> Any:
        return self._over_places(self.function, inputs)

    def _over_places(self, function: Any, x: Any) -> Any:
        return function(x, axis=self.axes_of(x), keepdims=self.keepdims)


class GlobalMaxPooling1D(BaseGlobalPooling, rank=1, function=ops.max):
    """The largest over all steps: `(batch, steps, channels)` to `(batch, channels)`."""


class GlobalMaxPooling2D(BaseGlobalPooling, rank=2, function=ops.max):
    """The largest over an image: `(batch, height, width, channels)` to `(batch, channels)`."""


class GlobalMaxPooling3D(BaseGlobalPooling, rank=3, function=ops.max):
    """The largest over a volume."""


class GlobalAveragePooling1D(BaseGlobalPooling, rank=1, function=ops.mean):
    """The mean over all steps, masked ones left out: `(batch, steps, channels)` to `(batch, channels)`."""

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        weight = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if self.data_format == "channels_last" else 1)
        return self._over_places(ops.sum, inputs * weight) / self._over_places(ops.sum, weight)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling, rank=2, function=ops.mean):
    """The mean over an image: `(batch, height, width, channels)` to `(batch, channels)`."""


class GlobalAveragePooling3D(BaseGlobalPooling, rank=3, function=ops.mean):
    """The mean over a volume."""
