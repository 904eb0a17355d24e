"""Activation functions, and how to find them by name."""

from __future__ import annotations

from typing import Any

from keraunos.core.missing import answer_for
from keraunos.core.op import NUMERIC, Tensor, composite
from keraunos.core.registry import Registry
from keraunos.core.serialization import register_keras_serializable
from keraunos.ops import nn
from keraunos.ops.activations import mish
from keraunos.ops.elementwise import cast, clip, exp, greater, minimum, multiply, sigmoid, subtract, tanh, where

from keraunos.ops.nn import (  # isort: skip
    celu, elu, glu, hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, leaky_relu, log_sigmoid, log_softmax, relu6, selu, silu, soft_shrink,
    softmax, softplus, softsign, sparse_plus, sparse_sigmoid, sparsemax, squareplus, swish, tanh_shrink, threshold,
)  # fmt: skip


def linear(x: Any) -> Any:
    """`x` itself: what layers without an activation compute.

    Args:
        x: The tensor.

    Example:

    >>> import keraunos as keras
    >>> keras.activations.get(None)(3.0)
    3.0
    """
    return x


def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """`max(x, 0)`, or a variant of it ([Nair and Hinton, 2010, "Rectified linear units"](https://www.cs.toronto.edu/~hinton/absps/reluICML.pdf)).

    Args:
        x: The tensor.
        negative_slope: The slope below the threshold.
        max_value: Where the result saturates.
        threshold: What the values must exceed to pass; below it the result is `negative_slope * (x - threshold)`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.activations.relu([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if negative_slope == 0 and max_value is None and threshold == 0:
        return nn.relu(x)
    return _bent(x, negative_slope, max_value, threshold)


@composite(dtype=NUMERIC)
def _bent(x: Tensor, negative_slope: float, max_value: float | None, threshold: float) -> Tensor:
    if negative_slope == 0 and threshold == 0:  # NaN stays, and integers stay integers
        return cast(clip(x, 0, max_value), x.dtype)
    below = multiply(subtract(x, threshold), negative_slope) if negative_slope else 0
    out = where(greater(x, threshold), x, below)
    return out if max_value is None else minimum(out, max_value)


def gelu(x: Any, approximate: bool = False) -> Any:
    """`x * P(X <= x)` for a standard normal X ([Hendrycks and Gimpel, 2016, "Gaussian error linear units"](https://arxiv.org/abs/1606.08415)).

    Args:
        x: The tensor.
        approximate: Whether tanh takes the place of the error function.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.activations.gelu([-1.0, 2.0])).round(4)
    array([-0.1587,  1.9545], dtype=float32)
    """
    return nn.gelu(x, approximate)


def exponential(x: Any) -> Any:
    """`exp(x)`, for outputs that are above 0, such as rates.

    Args:
        x: The tensor.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.activations.exponential([0.0, 1.0])).round(4)
    array([1.    , 2.7183], dtype=float32)
    """
    return exp(x)


@register_keras_serializable("keraunos")
def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """`0.2 * x + 0.5`, not below 0 nor above 1: what Keras 1 and 2 called the hard sigmoid, and models from then compute."""
    return clip(multiply(x, 0.2) + 0.5, 0, 1)


__all__ = [
    "celu", "deserialize", "elu", "exponential", "gelu", "get", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu",
    "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip
_registry = Registry("activation", {name: globals()[name] for name in __all__ if name not in ("deserialize", "get", "serialize")})
serialize, deserialize = _registry.functions(__name__, "relu")[1:]


def get(identifier: Any) -> Any:
    """The activation function for a name, a config or a callable; None is `linear`.

    Args:
        identifier: A name ("relu"), what `serialize` gave, a function, or None.

    Raises:
        ArgumentError: There is no activation of this name.

    Example:

    >>> import keraunos as keras
    >>> keras.activations.get("gelu").__name__, keras.activations.get(None).__name__
    ('gelu', 'linear')
    """
    return linear if identifier is None else _registry.get(identifier)


answer_for(__name__)
