"""Layers that act in training only."""

from __future__ import annotations

from typing import Any

from keraunos import random
from keraunos.core.errors import ArgumentError
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

    rate: float
    noise_shape: Any = None
    seed: Any = None

    def setup(self) -> None:
        if not 0 <= self.rate <= 1:
            raise ArgumentError("The rate of Dropout is a fraction from 0 to 1.", where=self.name, received=f"rate={self.rate}")
        self.supports_masking = True
        self.noise_shape = None if self.noise_shape is None else tuple(self.noise_shape)
        if self.rate > 0:
            self.seed_generator = random.SeedGenerator(self.seed)

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training and self.rate > 0:
            return random.dropout(inputs, self.rate, self.noise_shape, seed=self.seed_generator)
        return inputs


class GaussianNoise(Layer):
    """Normal noise added in training.

    Args:
        stddev: Its standard deviation.
        seed: A seed, so that runs repeat.
    """

    stddev: float
    seed: Any = None

    def setup(self) -> None:
        self.supports_masking = True
        if self.stddev > 0:
            self.seed_generator = random.SeedGenerator(self.seed)

    def call(self, inputs: Any, training: Any = False) -> Any:
        if training and self.stddev > 0:
            return inputs + random.normal(inputs.shape, 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator)
        return inputs
