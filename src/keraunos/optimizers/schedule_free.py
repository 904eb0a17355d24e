"""AdamW without a schedule of the learning rate."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.fields import Count
from keraunos.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """AdamW that averages its steps instead of shortening them ([Defazio et al., 2024](https://arxiv.org/abs/2405.15682)).

    The weights stand between the sequence of steps and the average of it.

    Args:
        learning_rate: The length of a step.
        beta_1: How near to the average the weights stand.
        beta_2: How slowly the mean of squared gradients moves.
        epsilon: Added to the root of that mean.
        warmup_steps: Over how many steps the learning rate rises to its value.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> ScheduleFreeAdamW(0.5).apply([keras.ops.ones((1,))], [w]); round(float(w.numpy()[0]), 4)
    0.5
    """

    learning_rate: Any = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: Count = 0

    def _built(self) -> None:
        for variable, momentum in zip(self._trained, self._slots[0], strict=True):  # the sequence of steps starts at the weights
            momentum.assign(variable.value)

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, velocity: Any) -> tuple[Any, ...]:
        """One step of the sequence (`momentum`), and the weights between it and its average."""
        average = (value - (1.0 - self.beta_1) * momentum) / self.beta_1
        velocity = velocity + (ops.square(gradient) - velocity) * (1.0 - self.beta_2)
        rate = rate * ops.minimum(step / self.warmup_steps, 1.0) if self.warmup_steps else rate
        momentum = momentum - rate * gradient / (ops.sqrt(velocity / (1.0 - self.beta_2**step)) + self.epsilon)
        average = average + (momentum - average) / step
        return (1.0 - self.beta_1) * momentum + self.beta_1 * average, momentum, velocity
