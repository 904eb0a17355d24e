"""Dropout of whole channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keraunos import random
from keraunos.core.fields import Inherited, Share
from keraunos.layers.regularization import Noisy
from keraunos.layers.spatial import Spatial


class SpatialDropout(Spatial, Noisy):
    """The base of dropout of whole channels, for places beside each other tell much the same (Tompson et al., 2015, arXiv:1411.4280).

    Args:
        rate: The fraction of channels, from 0 to 1.
        data_format: "channels_last" or "channels_first".
        seed: A seed, so that runs repeat.
        name: The layer's name.
        dtype: A dtype or a dtype policy.

    Raises:
        ShapeError: The input has another rank.
    """

    rate: Share
    seed: Any = None
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None
        dtype: Inherited = None

    def setup(self) -> None:
        Spatial.setup(self)
        Noisy.setup(self)

    def call(self, inputs: Any, training: Any = False) -> Any:
        self.axes_of(inputs)  # refuses other ranks
        return super().call(inputs, training)

    def disturb(self, inputs: Any) -> Any:
        axes = self.axes_of(inputs)
        shared = [1 if i in axes else None for i in range(len(inputs.shape))]
        return random.dropout(inputs, self.rate, shared, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        """The arguments; a policy that is a mere dtype by its name, and no `trainable`, which Keras would not read."""
        return self._config_with(**({} if self.dtype_policy.is_mixed else {"dtype": self.dtype}))


class SpatialDropout1D(SpatialDropout, rank=1):
    """Dropout of whole channels of steps: `(batch, steps, channels)` ([Tompson et al., 2014](https://arxiv.org/abs/1411.4280)).

    Args:
        rate: The fraction of channels, from 0 to 1.
        seed: A seed, so that runs repeat.
        name: The layer's name.
        dtype: A dtype or a dtype policy.

    Raises:
        ShapeError: The input has another rank.

    Example:

    >>> import keraunos as keras
    >>> x = keras.layers.SpatialDropout1D(0.5, seed=1)(keras.ops.ones((1, 3, 4)), training=True)
    >>> bool(keras.ops.all(x[:, 0] == x[:, 1]))
    True
    """


class SpatialDropout2D(SpatialDropout, rank=2, order=("rate", "data_format")):
    """Dropout of whole channels of images: `(batch, height, width, channels)` ([Tompson et al., 2014](https://arxiv.org/abs/1411.4280)).

    Args:
        rate: The fraction of channels, from 0 to 1.
        data_format: "channels_last" or "channels_first".
        seed: A seed, so that runs repeat.
        name: The layer's name.
        dtype: A dtype or a dtype policy.

    Raises:
        ShapeError: The input has another rank.

    Example:

    >>> import keraunos as keras
    >>> x = keras.layers.SpatialDropout2D(0.5, seed=1)(keras.ops.ones((1, 3, 3, 8)), training=True)
    >>> bool(keras.ops.all(x == x[:, :1, :1]))  # each channel is 0, or twice what it was
    True
    """

    data_format: str | None = None


class SpatialDropout3D(SpatialDropout, rank=3, order=("rate", "data_format")):
    """Dropout of whole channels of volumes: `(batch, depth, height, width, channels)` ([Tompson et al., 2014](https://arxiv.org/abs/1411.4280)).

    Args:
        rate: The fraction of channels, from 0 to 1.
        data_format: "channels_last" or "channels_first".
        seed: A seed, so that runs repeat.
        name: The layer's name.
        dtype: A dtype or a dtype policy.

    Raises:
        ShapeError: The input has another rank.

    Example:

    >>> import keraunos as keras
    >>> x = keras.layers.SpatialDropout3D(0.5, seed=1)(keras.ops.ones((1, 2, 2, 2, 8)), training=True)
    >>> bool(keras.ops.all(x == x[:, :1, :1, :1]))
    True
    """

    data_format: str | None = None
