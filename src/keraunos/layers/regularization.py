"""Layers that act in training only."""

from __future__ import annotations

from typing import Any

from keraunos import random
from keraunos.core.fields import NotNegative, Share
from keraunos.layers.layer import Layer


class Dropout(Layer):
    """A fraction of the inputs set to 0 in training, the others scaled up (Srivastava et al., 2014).

    Args:
        rate: The fraction, from 0 to 1.
        noise_shape: The shape of the mask; None or 1 along axes that share it.
        seed: A seed, so that runs repeat.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Dropout(0.5)([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    supports_masking = True
    rate: Share
    noise_shape: Any = None
    seed: Any = None

    def setup(self) -> None:
        self.noise_shape = None if self.noise_shape is None else tuple(self.noise_shape)
        self.seed_generator = random.SeedGenerator(self.seed) if self.rate > 0 else None

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.seed_generator is None:
            return inputs
        return random.dropout(inputs, self.rate, self.noise_shape, seed=self.seed_generator)


class GaussianNoise(Layer):
    """Normal noise added in training.

    Args:
        stddev: Its standard deviation.
        seed: A seed, so that runs repeat.
    """

    supports_masking = True
    stddev: NotNegative
    seed: Any = None

    def setup(self) -> None:
        self.seed_generator = random.SeedGenerator(self.seed) if self.stddev > 0 else None

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training or self.seed_generator is None:
            return inputs
        return inputs + random.normal(inputs.shape, 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator)
