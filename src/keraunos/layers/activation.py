"""Activation functions as layers."""

from __future__ import annotations

from typing import Any

from keraunos import activations, ops
from keraunos.core.fields import Constraint, Function, Initializer, NotNegative, Regularizer
from keraunos.core.spec import normalize_axes
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer


class _Elementwise(Layer):
    supports_masking = True


class Activation(_Elementwise):
    """An activation function as a layer.

    Args:
        activation: The function, or its name.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Activation("relu")(keras.ops.array([[-1.0, 2.0]]))).tolist()
    [[0.0, 2.0]]
    """

    activation: Function

    def call(self, inputs: Any) -> Any:
        return inputs if self.activation is None else self.activation(inputs)


class ReLU(_Elementwise):
    """`max(x, 0)`, with a slope below a threshold and a largest value.

    Args:
        max_value: The largest value.
        negative_slope: The slope below the threshold.
        threshold: Where the slope of 1 begins.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.ReLU(max_value=6.0)(keras.ops.array([[-1.0, 2.0, 9.0]]))).tolist()
    [[0.0, 2.0, 6.0]]
    """

    max_value: NotNegative | None = None
    negative_slope: NotNegative = 0.0
    threshold: NotNegative = 0.0

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold)


class LeakyReLU(_Elementwise):
    """`x`, or `negative_slope * x` below 0.

    Args:
        negative_slope: The slope below 0.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.LeakyReLU(0.25)(keras.ops.array([[-2.0, 3.0]]))).tolist()
    [[-0.5, 3.0]]
    """

    negative_slope: float = 0.3

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope)


class PReLU(_Elementwise):
    """`x`, or `alpha * x` below 0, with `alpha` learned ([He et al., 2015, "Delving deep into rectifiers"](https://arxiv.org/abs/1502.01852)).

    Args:
        alpha_initializer: How `alpha` begins.
        alpha_regularizer: A penalty on `alpha`.
        alpha_constraint: A projection of `alpha`.
        shared_axes: The axes along which `alpha` is shared, such as `[1, 2]` for one number a channel of images.

    Raises:
        ShapeError: The input has another rank than it was built for, or another size along an axis that is not shared.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.PReLU(shared_axes=[1, 2])
    >>> layer.build((None, 28, 28, 8)); layer.alpha.shape
    (1, 1, 8)
    """

    alpha_initializer: Initializer = "Zeros"
    alpha_regularizer: Regularizer = None
    alpha_constraint: Constraint = None
    shared_axes: Any = None

    def build(self, input_shape: Any) -> None:
        shared = normalize_axes(self.shared_axes or (), len(input_shape))
        self.alpha = self.weight("alpha", tuple(1 if i in shared else d for i, d in enumerate(input_shape))[1:])
        self.input_spec = InputSpec(ndim=len(input_shape), axes={i: d for i, d in enumerate(input_shape) if i and i not in shared})

    def call(self, inputs: Any) -> Any:
        self.input_spec.check(inputs, self)
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)


class ELU(_Elementwise):
    """`x`, or `alpha * (exp(x) - 1)` below 0 ([Clevert et al., 2015](https://arxiv.org/abs/1511.07289)).

    Args:
        alpha: Minus the limit below 0.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.ELU(alpha=2.0)(keras.ops.array([[-100.0, 3.0]]))).tolist()
    [[-2.0, 3.0]]
    """

    alpha: float = 1.0

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)


class Softmax(_Elementwise):
    """`exp(x) / sum(exp(x))` along an axis.

    Args:
        axis: The axis or axes.

    Example:

    >>> import keraunos as keras
    >>> x, mask = keras.ops.array([[1.0, 1.0, 5.0]]), keras.ops.array([[True, True, False]])
    >>> keras.ops.convert_to_numpy(keras.layers.Softmax()(x, mask=mask)).tolist()  # of what is not masked
    [[0.5, 0.5, 0.0]]
    """

    axis: Any = -1

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            inputs = ops.where(mask, inputs, -1e9 if self.compute_dtype != "float16" else -3e4)
        out = ops.softmax(inputs, axis=tuple(self.axis) if isinstance(self.axis, list) else self.axis)
        return out if mask is None else ops.where(mask, out, 0.0)  # 0 as well where all is masked
