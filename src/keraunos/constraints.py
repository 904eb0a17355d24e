"""Projections of weights after each step of an optimizer."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core import config
from keraunos.core.fields import Declared
from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry


class Constraint(Declared):
    """The base of constraints: a subclass's `__call__(w)` returns the projected weight.

    Example:

    >>> import keraunos as keras
    >>> class Positive(keras.constraints.Constraint):
    ...     def __call__(self, w):
    ...         return keras.ops.maximum(w, 0)
    >>> keras.ops.convert_to_numpy(Positive()(keras.ops.convert_to_tensor([-1.0, 2.0]))).tolist()
    [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __call__(self, w).")


class _Norm(Constraint):
    """Norms along `axis` become `wanted(norm)`."""

    own_first = True
    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        norm = ops.sqrt(ops.sum(ops.square(w), axis=self.axis, keepdims=True))
        return ops.multiply(w, ops.true_divide(self.wanted(norm), ops.add(norm, config.epsilon())))

    def wanted(self, norm: Any) -> Any:
        """What norms of this size become."""
        return 1.0


class MaxNorm(_Norm):
    """Norms along `axis` are at most `max_value`; smaller ones stay ([Srivastava et al., 2014, "Dropout"](https://jmlr.org/papers/v15/srivastava14a.html)).

    Args:
        max_value: The greatest norm.
        axis: The axis, or the axes, along which norms are taken: 0 for the weights into each unit of `Dense`, `(0, 1, 2)` for a filter of `Conv2D`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.ops.array([[3.0, 0.6], [4.0, 0.8]])  # of norms 5 and 1
    >>> keras.ops.convert_to_numpy(keras.constraints.MaxNorm(2.0)(w)).round(4)
    array([[1.2, 0.6],
           [1.6, 0.8]], dtype=float32)
    """

    max_value: float = 2

    def wanted(self, norm: Any) -> Any:
        return ops.clip(norm, 0, self.max_value)


class NonNeg(Constraint):
    """No weight is below 0.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", kernel_constraint=keras.constraints.NonNeg())
    >>> layer.build((None, 2))
    >>> keras.optimizers.SGD(1.0).apply([keras.ops.array([[1.0], [-1.0]])], [layer.kernel])  # to -1 and 1
    >>> layer.kernel.numpy().tolist()
    [[0.0], [1.0]]
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


class UnitNorm(_Norm):
    """Norms along `axis` are 1.

    Args:
        axis: The axis, or the axes, along which norms are taken.

    Example:

    >>> import keraunos as keras
    >>> w = keras.ops.array([[3.0], [4.0]])
    >>> keras.ops.convert_to_numpy(keras.constraints.UnitNorm()(w)).round(4)
    array([[0.6],
           [0.8]], dtype=float32)
    """


class MinMaxNorm(_Norm):
    """Norms along `axis` lie between two bounds.

    Args:
        min_value: The lower bound.
        max_value: The upper bound.
        rate: How far each step goes towards the bounds, at most 1.
        axis: The axis, or the axes, along which norms are taken.

    Example:

    >>> import keraunos as keras
    >>> w = keras.ops.array([[3.0, 0.06], [4.0, 0.08]])  # of norms 5 and 0.1
    >>> keras.ops.convert_to_numpy(keras.constraints.MinMaxNorm(0.5, 2.0)(w)).round(4)
    array([[1.2, 0.3],
           [1.6, 0.4]], dtype=float32)
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0

    def wanted(self, norm: Any) -> Any:
        return ops.add(ops.multiply(self.rate, ops.clip(norm, self.min_value, self.max_value)), ops.multiply(1 - self.rate, norm))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_registry = Registry("constraint", {"MaxNorm": MaxNorm, "MinMaxNorm": MinMaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm}, base=Constraint)
get, serialize, deserialize = _registry.functions(__name__, "MaxNorm(max_value=3)")

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm", "non_neg", "serialize", "unit_norm",
]  # fmt: skip

answer_for(__name__)
