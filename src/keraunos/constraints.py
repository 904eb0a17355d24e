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
    """Norms along `axis` are at most `max_value`."""

    max_value: float = 2

    def wanted(self, norm: Any) -> Any:
        return ops.clip(norm, 0, self.max_value)


class NonNeg(Constraint):
    """No weight is below 0."""

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


class UnitNorm(_Norm):
    """Norms along `axis` are 1."""


class MinMaxNorm(_Norm):
    """Norms along `axis` lie between two bounds.

    Args:
        min_value: The lower bound.
        max_value: The upper bound.
        rate: How far each step goes towards the bounds, at most 1.
        axis: Along which the norms are taken.
    """

    min_value: float = 0.0
    max_value: float = 1.0
    rate: float = 1.0

    def wanted(self, norm: Any) -> Any:
        return ops.add(ops.multiply(self.rate, ops.clip(norm, self.min_value, self.max_value)), ops.multiply(1 - self.rate, norm))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_registry = Registry("constraint", {"MaxNorm": MaxNorm, "MinMaxNorm": MinMaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm}, base=Constraint)
get, serialize, deserialize = _registry.functions()

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm", "non_neg", "serialize", "unit_norm",
]  # fmt: skip

answer_for(__name__)
