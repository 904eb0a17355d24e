"""Pooling to a given size, in one to three dimensions."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.fields import Sizes
from keraunos.layers.spatial import Spatial


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
    """The means of so many windows of steps: `(batch, steps, channels)` to `(batch, output_size, channels)`.

    Args:
        output_size: The number of windows.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.array([[[1.0], [3.0], [2.0], [0.0]]])
    >>> keras.ops.convert_to_numpy(keras.layers.AdaptiveAveragePooling1D(2)(x)).tolist()
    [[[2.0], [1.0]]]
    """


class AdaptiveAveragePooling2D(BaseAdaptivePooling, rank=2, function=ops.adaptive_average_pool):
    """The means of so many windows of an image: `(batch, height, width, channels)` to `(batch, *output_size, channels)`.

    Args:
        output_size: The numbers of rows and columns; one integer for both.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AdaptiveAveragePooling2D((2, 3)).compute_output_shape((None, 7, 8, 5))
    (None, 2, 3, 5)
    """


class AdaptiveAveragePooling3D(BaseAdaptivePooling, rank=3, function=ops.adaptive_average_pool):
    """The means of so many windows of a volume: `(batch, depth, height, width, channels)` to `(batch, *output_size, channels)`.

    Args:
        output_size: The spatial sizes of the output, one integer or three.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AdaptiveAveragePooling3D(2).compute_output_shape((None, 7, 8, 9, 5))
    (None, 2, 2, 2, 5)
    """


class AdaptiveMaxPooling1D(BaseAdaptivePooling, rank=1, function=ops.adaptive_max_pool):
    """The largest of so many windows of steps: `(batch, steps, channels)` to `(batch, output_size, channels)`.

    Args:
        output_size: The number of windows.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.array([[[1.0], [3.0], [2.0], [0.0]]])
    >>> keras.ops.convert_to_numpy(keras.layers.AdaptiveMaxPooling1D(2)(x)).tolist()
    [[[3.0], [2.0]]]
    """


class AdaptiveMaxPooling2D(BaseAdaptivePooling, rank=2, function=ops.adaptive_max_pool):
    """The largest of so many windows of an image: `(batch, height, width, channels)` to `(batch, *output_size, channels)`.

    Args:
        output_size: The numbers of rows and columns; one integer for both.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AdaptiveMaxPooling2D((2, 3)).compute_output_shape((None, 7, 8, 5))
    (None, 2, 3, 5)
    """


class AdaptiveMaxPooling3D(BaseAdaptivePooling, rank=3, function=ops.adaptive_max_pool):
    """The largest of so many windows of a volume: `(batch, depth, height, width, channels)` to `(batch, *output_size, channels)`.

    Args:
        output_size: The spatial sizes of the output, one integer or three.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AdaptiveMaxPooling3D(2).compute_output_shape((None, 7, 8, 9, 5))
    (None, 2, 2, 2, 5)
    """
