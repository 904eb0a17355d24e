"""Layers around a layer: `Wrapper`, their base, and spectral normalization."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError
from keraunos.core.fields import Size
from keraunos.core.functional import current, functional
from keraunos.core.serialization import custom_object_scope
from keraunos.initializers import TruncatedNormal
from keraunos.layers.layer import Layer


class Holder(Layer):
    """The base of layers whose config has others in it."""

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Make a layer, and those in it, from `get_config`'s result.

        Args:
            config: The config.
            custom_objects: Classes and functions by name, beside those registered.
        """
        with custom_object_scope(custom_objects):
            return super().from_config(config)


class Wrapper(Holder):
    """The base of layers that change what another layer does; a subclass defines `call`.

    Args:
        layer: The layer, whose weights are the wrapper's.

    Raises:
        ArgumentTypeError: `layer` is none.

    Example:

    >>> import keraunos as keras
    >>> class Doubled(keras.layers.Wrapper):
    ...     def call(self, inputs):
    ...         return 2 * self.layer(inputs)
    >>> keras.ops.convert_to_numpy(Doubled(keras.layers.Identity())(keras.ops.ones((1, 2)))).tolist()
    [[2.0, 2.0]]
    """

    layer: Any

    def setup(self) -> None:
        if not isinstance(self.layer, Layer):
            received = repr(self.layer) if isinstance(self.layer, type) else type(self.layer).__name__
            fix = f"{type(self).__name__}(keras.layers.Dense(4))"
            raise ArgumentTypeError(f"{type(self).__name__} wraps a layer.", where=self.name, received=received, expected="an instance of Layer", fix=fix)

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value in training (Miyato et al., 2018, arXiv:1802.05957).

    The value is estimated by power iteration from where the last call ended. The divided kernel takes the kernel's place.

    Args:
        layer: A layer with a `kernel` or `embeddings`.
        power_iterations: How many iterations a call makes.

    Raises:
        ArgumentError: The layer has neither, or `power_iterations` is less than 1.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.SpectralNormalization(keras.layers.Dense(2, kernel_initializer="identity"), power_iterations=30)
    >>> keras.ops.convert_to_numpy(layer(keras.ops.ones((1, 2)), training=True)).round(3).tolist()
    [[1.0, 1.0]]
    """

    power_iterations: Size = 1

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        found = [v for v in (getattr(self.layer, name, None) for name in ("kernel", "embeddings")) if v is not None]
        if not found:
            fact = f"'{self.layer.name}' ({type(self.layer).__name__}) has no kernel and no embeddings to normalize."
            raise ArgumentError(fact, where=self.name, fix="wrap a Dense, a convolution or an Embedding")
        self.kernel = found[0]
        options = {"dtype": self.kernel.dtype, "trainable": False, "autocast": False, "name": "vector_u"}
        self.vector_u = self.add_weight((1, self.kernel.shape[-1]), TruncatedNormal(stddev=0.02), **options)

    def call(self, inputs: Any, training: Any = False) -> Any:
        if not training:
            return self.layer(inputs)
        vector, kernel = self.normalized_weights()
        outputs, _ = functional(lambda: self.layer(inputs), [self.kernel])([[kernel]])
        self.vector_u.assign(vector)
        self.kernel.assign(kernel)
        return outputs

    def normalized_weights(self) -> tuple[Any, Any]:
        """The next estimate of the singular vector, and the kernel over its largest singular value."""
        kernel, vector = current([self.kernel, self.vector_u])
        matrix = ops.reshape(kernel, (-1, self.kernel.shape[-1]))
        fixed = ops.stop_gradient(matrix)
        left = None
        for _ in range(self.power_iterations):
            left = ops.normalize(ops.matmul(vector, ops.transpose(fixed)), epsilon=1e-6)
            vector = ops.normalize(ops.matmul(left, fixed), epsilon=1e-6)
        value = ops.matmul(ops.matmul(left, matrix), ops.transpose(vector))
        return vector, ops.true_divide(kernel, ops.reshape(value, ()))
