"""Learning rates that change with the steps: `keraunos.optimizers.schedules`."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Declared
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object


class LearningRateSchedule(Declared):
    """The base of schedules: `schedule(step)` is the learning rate at that step.

    Example:

    >>> import keraunos as keras
    >>> class Falling(keras.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / (keras.ops.cast(step, "float32") + 1.0)
    >>> round(float(Falling()(1)), 3)
    0.05
    """

    own_first: ClassVar[bool] = True

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, which may be a number or a tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step).")


def _number(step: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(step), "float32")


def _positive(schedule: Any, name: str) -> None:
    if getattr(schedule, name) <= 0:
        raise ArgumentError(f"{type(schedule).__name__}: {name} must be above 0.", received=f"{name}={getattr(schedule, name)}")


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`; in stairs with `staircase`.

    Example:

    >>> round(float(ExponentialDecay(0.1, 100, 0.5)(100)), 3)
    0.05
    """

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def setup(self) -> None:
        """Check the steps."""
        _positive(self, "decay_steps")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        share = _number(step) / self.decay_steps
        return self.initial_learning_rate * ops.power(self.decay_rate, ops.floor(share) if self.staircase else share)


class InverseTimeDecay(LearningRateSchedule):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`; in stairs with `staircase`."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def setup(self) -> None:
        """Check the steps."""
        _positive(self, "decay_steps")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        share = _number(step) / self.decay_steps
        return self.initial_learning_rate / (1.0 + self.decay_rate * (ops.floor(share) if self.staircase else share))


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to step `boundaries[0]`, then `values[1]` up to `boundaries[1]`, and so on."""

    boundaries: Any
    values: Any
    name: str = "PiecewiseConstant"

    def setup(self) -> None:
        """Check that there is one value more than boundaries."""
        if len(self.boundaries) != len(self.values) - 1:
            raise ArgumentError(
                "PiecewiseConstantDecay needs one value more than boundaries.", received=f"{len(self.boundaries)} boundaries, {len(self.values)} values"
            )

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step = _number(step)
        rate = ops.convert_to_tensor(self.values[-1], "float32") if not self.boundaries else self.values[-1]
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1]), strict=True):
            rate = ops.where(ops.less_equal(step, boundary), value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` over `decay_steps`, by a power of what is left; over and over with `cycle`."""

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def setup(self) -> None:
        """Check the steps."""
        _positive(self, "decay_steps")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step, steps = _number(step), self.decay_steps
        if self.cycle:
            steps = steps * ops.maximum(ops.ceil(step / steps), 1.0)
        else:
            step = ops.minimum(step, float(steps))
        return (self.initial_learning_rate - self.end_learning_rate) * ops.power(1.0 - step / steps, self.power) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from `initial_learning_rate` down to the share `alpha` of it ([Loshchilov and Hutter, 2016](https://arxiv.org/abs/1608.03983)).

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How long the decay takes.
        alpha: The share that is left at the end.
        name: Its name.
        warmup_target: A rate to rise to linearly first, from which it then decays.
        warmup_steps: How long the rise takes.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def setup(self) -> None:
        """Check the steps."""
        _positive(self, "decay_steps")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step, first, target = _number(step), self.initial_learning_rate, self.warmup_target
        if target is None:
            return first * _cosine(ops.minimum(step, float(self.decay_steps)) / self.decay_steps, self.alpha)
        past = ops.minimum(step, float(self.decay_steps + self.warmup_steps)) - self.warmup_steps
        rise = first + (target - first) * step / max(self.warmup_steps, 1)
        return ops.where(ops.less(step, self.warmup_steps), rise, target * _cosine(past / self.decay_steps, self.alpha))


def _cosine(share: Any, alpha: float) -> Any:
    return (1.0 - alpha) * 0.5 * (1.0 + ops.cos(math.pi * share)) + alpha


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another, each `t_mul` times as long and `m_mul` times as high as the former ([Loshchilov and Hutter, 2016](https://arxiv.org/abs/1608.03983))."""

    initial_learning_rate: float
    first_decay_steps: int
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def setup(self) -> None:
        """Check the steps."""
        _positive(self, "first_decay_steps")

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        share = _number(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            restart = ops.floor(share)
            share = share - restart
        else:
            restart = ops.floor(ops.log(1.0 - share * (1.0 - self.t_mul)) / math.log(self.t_mul))
            start = (1.0 - ops.power(self.t_mul, restart)) / (1.0 - self.t_mul)
            share = (share - start) / ops.power(self.t_mul, restart)
        return self.initial_learning_rate * _cosine(share, self.alpha / 1.0) if self.m_mul == 1.0 else self._scaled(restart, share)

    def _scaled(self, restart: Any, share: Any) -> Any:
        height = ops.power(self.m_mul, restart)
        return self.initial_learning_rate * ((1.0 - self.alpha) * 0.5 * height * (1.0 + ops.cos(math.pi * share)) + self.alpha)


__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

_registry = Registry("schedule", {name: globals()[name] for name in __all__ if name[0].isupper()}, base=LearningRateSchedule)


def serialize(learning_rate_schedule: Any) -> Any:
    """The config of a schedule, ready for JSON."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The inverse of `serialize`."""
    return _registry.deserialize(config, custom_objects)
