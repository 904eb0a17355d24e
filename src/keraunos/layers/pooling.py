"""Pooling over windows, in one to three dimensions."""

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
    """The largest of each window of steps.

    Args:
        pool_size: The window.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, steps, channels)`, output `(batch, windows, channels)`.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.array([[[1.0], [3.0], [2.0], [0.0]]])
    >>> keras.ops.convert_to_numpy(keras.layers.MaxPooling1D(pool_size=2)(x)).tolist()
    [[[3.0], [2.0]]]
    """

    pool_size: Sizes = 2


class MaxPooling2D(BasePooling, rank=2, function=ops.max_pool):
    """The largest of each window of an image.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, height, width, channels)`, output `(batch, rows, columns, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.MaxPooling2D().compute_output_shape((None, 9, 8, 3))
    (None, 4, 4, 3)
    """

    pool_size: Sizes = (2, 2)


class MaxPooling3D(BasePooling, rank=3, function=ops.max_pool):
    """The largest of each window of a volume.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, depth, height, width, channels)`, output with fewer places.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.MaxPooling3D((1, 2, 2)).compute_output_shape((None, 4, 8, 8, 3))
    (None, 4, 4, 4, 3)
    """

    pool_size: Sizes = (2, 2, 2)


class AveragePooling1D(BasePooling, rank=1, function=ops.average_pool):
    """The mean of each window of steps.

    Args:
        pool_size: The window.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit; what is outside does not count).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, steps, channels)`, output `(batch, windows, channels)`.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.array([[[1.0], [3.0], [2.0], [0.0]]])
    >>> keras.ops.convert_to_numpy(keras.layers.AveragePooling1D(pool_size=2)(x)).tolist()
    [[[2.0], [1.0]]]
    """


class AveragePooling2D(BasePooling, rank=2, function=ops.average_pool):
    """The mean of each window of an image.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit; what is outside does not count).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, height, width, channels)`, output `(batch, rows, columns, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AveragePooling2D(2, padding="same").compute_output_shape((None, 9, 8, 3))
    (None, 5, 4, 3)
    """


class AveragePooling3D(BasePooling, rank=3, function=ops.average_pool):
    """The mean of each window of a volume.

    Args:
        pool_size: The window, one integer or one for each dimension.
        strides: The step between windows; the window's size by default.
        padding: "valid" (only whole windows) or "same" (as many windows as strides fit; what is outside does not count).
        data_format: "channels_last" or "channels_first".
        name: The layer's name.

    Shapes:
        input `(batch, depth, height, width, channels)`, output with fewer places.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.AveragePooling3D(2).compute_output_shape((None, 4, 8, 8, 3))
    (None, 2, 4, 4, 3)
    """
