"""Layers that hold networks back in training: noise, and a penalty on outputs."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops, random, regularizers
from keraunos.core.errors import ArgumentTypeError
from keraunos.core.fields import Fraction, NotNegative, Share
from keraunos.layers.layer import Layer


class Noisy(Layer, kw_only=True):
    """The base of layers that disturb their input at random in training, and leave it as it is else.

    A subclass declares the `seed` and how much, and says how in `disturb`.
    """

    supports_masking = True
    strength: ClassVar[str] = "rate"  # the argument that says how much; at 0, nothing is drawn

    def setup(self) -> None:
        self.seed_generator = random.SeedGenerator(self.seed) if getattr(self, self.strength) > 0 else None  # pyright: ignore[reportAttributeAccessIssue]

    def call(self, inputs: Any, training: Any = False) -> Any:
        return self.disturb(inputs) if training and self.seed_generator is not None else inputs

    def disturb(self, inputs: Any) -> Any:
        """The inputs as they are in training."""
        raise NotImplementedError


class Dropout(Noisy):
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

    rate: Share
    noise_shape: Any = None
    seed: Any = None

    def setup(self) -> None:
        super().setup()
        self.noise_shape = None if self.noise_shape is None else tuple(self.noise_shape)

    def disturb(self, inputs: Any) -> Any:
        return random.dropout(inputs, self.rate, self.noise_shape, seed=self.seed_generator)


class AlphaDropout(Dropout):
    """Dropout that keeps mean 0 and variance 1: what is dropped becomes the least value of SELU, and all is scaled.

    [Klambauer et al., 2017](https://arxiv.org/abs/1706.02515).

    Args:
        rate: The fraction that is dropped, from 0 to below 1.
        noise_shape: The shape of the mask; None or 1 along axes that share it.
        seed: A seed, so that runs repeat.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.AlphaDropout(0.5)([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    rate: Fraction

    def disturb(self, inputs: Any) -> Any:
        kept = random.dropout(ops.ones_like(inputs), self.rate, self.noise_shape, seed=self.seed_generator) > 0
        least = -1.7580993408473766  # of SELU
        scale = ((1 - self.rate) * (1 + self.rate * least**2)) ** -0.5
        return ops.subtract(ops.multiply(ops.where(kept, inputs, least), scale), scale * least * self.rate)


class GaussianDropout(Noisy):
    """The inputs times normal noise of mean 1 in training, which varies them as much as dropout does (Srivastava et al., 2014).

    Args:
        rate: The rate of dropout, from 0 to below 1: the noise has the standard deviation `sqrt(rate / (1 - rate))`.
        seed: A seed, so that runs repeat.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.GaussianDropout(0.5)([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    rate: Fraction
    seed: Any = None

    def disturb(self, inputs: Any) -> Any:
        deviation = (self.rate / (1 - self.rate)) ** 0.5
        return inputs * random.normal(inputs.shape, 1.0, deviation, dtype=self.compute_dtype, seed=self.seed_generator)


class GaussianNoise(Noisy):
    """Normal noise added in training.

    Args:
        stddev: Its standard deviation.
        seed: A seed, so that runs repeat.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.GaussianNoise(0.5)([[1.0, 2.0]])).tolist()
    [[1.0, 2.0]]
    """

    strength = "stddev"
    stddev: NotNegative
    seed: Any = None

    def disturb(self, inputs: Any) -> Any:
        return inputs + random.normal(inputs.shape, 0.0, self.stddev, dtype=self.compute_dtype, seed=self.seed_generator)


class ActivityRegularization(Layer):
    """The input as it is, with a penalty on it that is added to the loss, as a mean over the batch.

    Args:
        l1: The factor of the sum of absolute values.
        l2: The factor of the sum of squares.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.ActivityRegularization(l2=0.5)
    >>> y = layer(keras.ops.ones((4, 3))); float(layer.losses[0])
    1.5
    """

    supports_masking = True
    l1: NotNegative = 0.0
    l2: NotNegative = 0.0

    def setup(self) -> None:
        if self.activity_regularizer is not None:
            raise ArgumentTypeError("ActivityRegularization takes no activity_regularizer: it is one.", where=self.name, fix="l1=…, l2=…")
        self.activity_regularizer = regularizers.L1L2(self.l1, self.l2)

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments, of which the regularizer follows."""
        return {name: value for name, value in super().get_config().items() if name != "activity_regularizer"}
