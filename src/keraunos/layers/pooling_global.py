"""Pooling over all places, in one to three dimensions."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.layers.spatial import Spatial


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
    """The largest over all steps: `(batch, steps, channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axis stays, of size 1.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.array([[[1.0, 5.0], [3.0, 4.0]]])
    >>> keras.ops.convert_to_numpy(keras.layers.GlobalMaxPooling1D()(x)).tolist()
    [[3.0, 5.0]]
    """


class GlobalMaxPooling2D(BaseGlobalPooling, rank=2, function=ops.max):
    """The largest over an image: `(batch, height, width, channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GlobalMaxPooling2D()(keras.Input((None, None, 8))).shape  # images of any size
    (None, 8)
    """


class GlobalMaxPooling3D(BaseGlobalPooling, rank=3, function=ops.max):
    """The largest over a volume: `(batch, depth, height, width, channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GlobalMaxPooling3D(keepdims=True).compute_output_shape((None, 4, 5, 6, 8))
    (None, 1, 1, 1, 8)
    """


class GlobalAveragePooling1D(BaseGlobalPooling, rank=1, function=ops.mean):
    """The mean over all steps, masked ones left out: `(batch, steps, channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axis stays, of size 1.

    Example:

    >>> import keraunos as keras
    >>> x, mask = keras.ops.array([[[1.0], [3.0], [100.0]]]), keras.ops.array([[True, True, False]])
    >>> keras.ops.convert_to_numpy(keras.layers.GlobalAveragePooling1D()(x, mask=mask)).tolist()
    [[2.0]]
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return super().call(inputs)
        weight = ops.expand_dims(ops.cast(mask, inputs.dtype), 2 if self.data_format == "channels_last" else 1)
        return self._over_places(ops.sum, inputs * weight) / self._over_places(ops.sum, weight)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling, rank=2, function=ops.mean):
    """The mean over an image: `(batch, height, width, channels)` to `(batch, channels)`, in place of `Flatten` before a classifier's last layers.

    [Lin et al., 2013, "Network in network"](https://arxiv.org/abs/1312.4400).

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GlobalAveragePooling2D()(keras.Input((None, None, 8))).shape  # images of any size
    (None, 8)
    """


class GlobalAveragePooling3D(BaseGlobalPooling, rank=3, function=ops.mean):
    """The mean over a volume: `(batch, depth, height, width, channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last" or "channels_first".
        keepdims: Whether the pooled axes stay, of size 1.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GlobalAveragePooling3D(keepdims=True).compute_output_shape((None, 4, 5, 6, 8))
    (None, 1, 1, 1, 8)
    """
