"""Pooling in one to three dimensions, over windows and over everything."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.config import standardize_data_format
from keraunos.core.fields import Sizes
from keraunos.layers.convolutional import one_of, sizes
from keraunos.layers.input_spec import InputSpec
from keraunos.layers.layer import Layer


class BasePooling(Layer):
    """The base of pooling over windows; a subclass gives rank and function.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first".
    """

    rank: ClassVar[int] = 2
    function: ClassVar[str] = "max_pool"
    pool_size: Sizes
    strides: Sizes | None = None
    padding: str = "valid"
    data_format: str | None = None

    def setup(self) -> None:
        owner = type(self).__name__
        self.pool_size = sizes(self.pool_size, self.rank, "pool_size", owner)
        self.strides = self.pool_size if self.strides is None else sizes(self.strides, self.rank, "strides", owner)
        self.padding = one_of(self.padding, ("valid", "same"), "padding", owner)
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Any) -> Any:
        return getattr(ops, self.function)(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(BasePooling):
    """The largest of each window of steps."""

    rank: ClassVar[int] = 1
    pool_size: Sizes = 2


class MaxPooling2D(BasePooling):
    """The largest of each window of an image.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.MaxPooling2D().compute_output_shape((None, 9, 8, 3))
    (None, 4, 4, 3)
    """

    pool_size: Sizes = (2, 2)


class MaxPooling3D(BasePooling):
    """The largest of each window of a volume."""

    rank: ClassVar[int] = 3
    pool_size: Sizes = (2, 2, 2)


class AveragePooling1D(BasePooling):
    """The mean of each window of steps."""

    rank: ClassVar[int] = 1
    function: ClassVar[str] = "average_pool"
    pool_size: Sizes


class AveragePooling2D(BasePooling):
    """The mean of each window of an image."""

    function: ClassVar[str] = "average_pool"
    pool_size: Sizes


class AveragePooling3D(BasePooling):
    """The mean of each window of a volume."""

    rank: ClassVar[int] = 3
    function: ClassVar[str] = "average_pool"
    pool_size: Sizes


class BaseGlobalPooling(Layer):
    """The base of pooling over all places.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.
    """

    rank: ClassVar[int] = 2
    data_format: str | None = None
    keepdims: bool = False

    def setup(self) -> None:
        self.data_format = standardize_data_format(self.data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def places(self) -> tuple[int, ...]:
        """The axes that are pooled."""
        return tuple(range(1, self.rank + 1)) if self.data_format == "channels_last" else tuple(range(2, self.rank + 2))

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self.places, keepdims=self.keepdims)


class GlobalMaxPooling1D(BaseGlobalPooling):
    """The largest over all steps: `(batch, steps, channels)` to `(batch, channels)`."""

    rank: ClassVar[int] = 1


class GlobalMaxPooling2D(BaseGlobalPooling):
    """The largest over an image: `(batch, height, width, channels)` to `(batch, channels)`."""


class GlobalMaxPooling3D(BaseGlobalPooling):
    """The largest over a volume."""

    rank: ClassVar[int] = 3


class GlobalAveragePooling1D(BaseGlobalPooling):
    """The mean over all steps, masked ones left out: `(batch, steps, channels)` to `(batch, channels)`."""

    rank: ClassVar[int] = 1

    def setup(self) -> None:
        super().setup()
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=self.places, keepdims=self.keepdims)
        weight = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if self.data_format == "channels_last" else 1)
        return ops.sum(inputs * weight, axis=self.places, keepdims=self.keepdims) / ops.sum(weight, axis=self.places, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling):
    """The mean over an image: `(batch, height, width, channels)` to `(batch, channels)`."""

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self.places, keepdims=self.keepdims)


class GlobalAveragePooling3D(GlobalAveragePooling2D):
    """The mean over a volume."""

    rank: ClassVar[int] = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = GlobalAveragePooling1D, GlobalAveragePooling2D, GlobalAveragePooling3D
