"""Projections of weights after each step of an optimizer."""

from __future__ import annotations

from typing import Any

from keraunos.core import config
from keraunos.core.fields import Declared
from keraunos.core.missing import missing
from keraunos.core.registry import Registry
from keraunos.ops.elementwise import add, clip, maximum, multiply, sqrt, square, true_divide
from keraunos.ops.reductions import sum


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


def _norm(w: Any, axis: Any) -> Any:
    return sqrt(sum(square(w), axis=axis, keepdims=True))


class MaxNorm(Constraint):
    """Norms along `axis` are at most `max_value`."""

    max_value: float = 2
    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        return multiply(w, true_divide(clip(norm, 0, self.max_value), add(norm, config.epsilon())))


class NonNeg(Constraint):
    """No weight is below 0."""

    def __call__(self, w: Any) -> Any:
        return maximum(w, 0)


class UnitNorm(Constraint):
    """Norms along `axis` are 1."""

    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        return true_divide(w, add(_norm(w, self.axis), config.epsilon()))


class MinMaxNorm(Constraint):
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
    axis: Any = 0

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        wanted = add(multiply(self.rate, clip(norm, self.min_value, self.max_value)), multiply(1 - self.rate, norm))
        return multiply(w, true_divide(wanted, add(norm, config.epsilon())))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
_registry = Registry("constraint", {"MaxNorm": MaxNorm, "MinMaxNorm": MinMaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm}, base=Constraint)
get, serialize, deserialize = _registry.get, _registry.serialize, _registry.deserialize

__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "min_max_norm", "non_neg", "serialize", "unit_norm",
]  # fmt: skip


def __getattr__(name: str) -> None:
    missing("constraints", name)
