"""Learning rates that change with the steps: `keraunos.optimizers.schedules`."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Declared, Positive
from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry


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

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step, which may be a number or a tensor."""
        raise NotImplementedError(f"{type(self).__name__} must define __call__(self, step).")


def _number(step: Any) -> Any:
    return ops.cast(ops.convert_to_tensor(step), "float32")


class _Decay(LearningRateSchedule):
    """What schedules share that fall by a rate every `decay_steps`."""

    initial_learning_rate: float
    decay_steps: Positive
    decay_rate: float
    staircase: bool = False
    name: str = "Decay"

    def _decays(self, step: Any) -> Any:
        """How many decays there were up to a step, in whole ones with `staircase`."""
        share = _number(step) / self.decay_steps
        return ops.floor(share) if self.staircase else share


class ExponentialDecay(_Decay):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: After how many steps the rate has fallen by `decay_rate`.
        decay_rate: What it is multiplied by in that time.
        staircase: Whether it falls all at once at multiples of `decay_steps`.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)
    >>> optimizer = keras.optimizers.SGD(schedule)
    >>> [round(float(schedule(step)), 4) for step in (0, 50, 100, 200)]
    [0.1, 0.0707, 0.05, 0.025]
    """

    name: str = "ExponentialDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        return self.initial_learning_rate * ops.power(self.decay_rate, self._decays(step))


class InverseTimeDecay(_Decay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How many steps count as one.
        decay_rate: How fast it falls.
        staircase: Whether it falls all at once at multiples of `decay_steps`.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, decay_steps=100, decay_rate=1.0)
    >>> [round(float(schedule(step)), 4) for step in (0, 100, 300)]
    [0.1, 0.05, 0.025]
    """

    name: str = "InverseTimeDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._decays(step))


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to step `boundaries[0]`, then `values[1]` up to `boundaries[1]`, and so on.

    Args:
        boundaries: The last steps of the pieces but the last, rising.
        values: The rates of the pieces: one more than there are boundaries.
        name: Its name.

    Raises:
        ArgumentError: There is not one value more than boundaries.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.PiecewiseConstantDecay([100, 200], [0.5, 0.25, 0.125])
    >>> [float(schedule(step)) for step in (100, 101, 1000)]
    [0.5, 0.25, 0.125]
    """

    boundaries: Any
    values: Any
    name: str = "PiecewiseConstant"

    def setup(self) -> None:
        """Check that there is one value more than boundaries."""
        boundaries, values = len(self.boundaries), len(self.values)
        if boundaries != values - 1:
            fix = f"{boundaries + 1} values: the first holds before all boundaries"
            raise ArgumentError("PiecewiseConstantDecay needs one value more than boundaries.", received=f"{boundaries} boundaries, {values} values", fix=fix)

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        passed = ops.greater(_number(step), ops.convert_to_tensor(self.boundaries, "float32"))
        return ops.take(ops.convert_to_tensor(self.values, "float32"), ops.count_nonzero(passed))


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` over `decay_steps`, by a power of what is left.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How long the decay takes.
        end_learning_rate: The rate at its end, and from then on.
        power: The power: 1 is a straight line.
        cycle: Whether it begins anew after its end, over twice the steps, three times and so on, from the rate of that line at that step.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.PolynomialDecay(0.5, decay_steps=100, end_learning_rate=0.0)
    >>> [float(schedule(step)) for step in (0, 50, 100, 200)]
    [0.5, 0.25, 0.0, 0.0]
    """

    initial_learning_rate: float
    decay_steps: Positive
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step, steps = _number(step), self.decay_steps
        if self.cycle:
            steps = steps * ops.maximum(ops.ceil(step / steps), 1.0)
        else:
            step = ops.minimum(step, float(steps))
        return (self.initial_learning_rate - self.end_learning_rate) * ops.power(1.0 - step / steps, self.power) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from `initial_learning_rate` down to the share `alpha` of it ([Loshchilov and Hutter, 2016, "SGDR"](https://arxiv.org/abs/1608.03983)).

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: How long the decay takes.
        alpha: The share that is left at the end.
        name: Its name.
        warmup_target: A rate to rise to linearly first, from which it then decays.
        warmup_steps: How long the rise takes.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.CosineDecay(0.0, decay_steps=100, warmup_target=0.5, warmup_steps=10)
    >>> [round(float(schedule(step)), 4) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.25, 0.5, 0.25, 0.0]
    """

    initial_learning_rate: float
    decay_steps: Positive
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    def __call__(self, step: Any) -> Any:
        """The learning rate at a step."""
        step, first, peak, rise = _number(step), self.initial_learning_rate, self.warmup_target, self.warmup_steps
        if peak is None:
            peak, rise = first, 0
        rate = peak * _cosine(ops.minimum(step - rise, 1.0 * self.decay_steps) / self.decay_steps, self.alpha)
        return ops.where(ops.less(step, rise), first + (peak - first) * step / rise, rate) if rise else rate


def _cosine(share: Any, alpha: float, height: Any = 1.0) -> Any:
    """From `height` (at share 0) down to `alpha` (at share 1) along half a cosine."""
    return (1.0 - alpha) * 0.5 * height * (1.0 + ops.cos(math.pi * share)) + alpha


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another, each `t_mul` times as long and `m_mul` times as high as the former.

    [Loshchilov and Hutter, 2016, "SGDR: stochastic gradient descent with warm restarts"](https://arxiv.org/abs/1608.03983).

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: How long the first takes.
        t_mul: How many times as long each is as the one before.
        m_mul: How many times as high.
        alpha: The share of `initial_learning_rate` that is left at the end of each.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> schedule = keras.optimizers.schedules.CosineDecayRestarts(0.5, first_decay_steps=100)
    >>> [round(float(schedule(step)), 4) for step in (0, 50, 99, 101, 200)]
    [0.5, 0.25, 0.0001, 0.5, 0.25]
    """

    initial_learning_rate: float
    first_decay_steps: Positive
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

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
        return self.initial_learning_rate * _cosine(share, self.alpha, ops.power(self.m_mul, restart))


__all__ = [
    "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "LearningRateSchedule", "PiecewiseConstantDecay", "PolynomialDecay",
    "deserialize", "serialize",
]  # fmt: skip

_registry = Registry("schedule", {name: globals()[name] for name in __all__ if name[0].isupper()}, base=LearningRateSchedule)
serialize, deserialize = _registry.functions(__name__, "ExponentialDecay(0.1, 100, decay_rate=0.5)", "learning_rate_schedule")[1:]

answer_for(__name__)
