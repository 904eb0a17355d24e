"""The optimizers: each is its arguments, its slots and its `update`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.variable import Variable
from keraunos.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted: `m = momentum * m - rate * g; w = w + m`.

    Args:
        learning_rate: The length of a step.
        momentum: How much of the former step is kept, from 0 to 1.
        nesterov: Whether the gradient is taken as if the momentum had been followed already.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> SGD(0.1).apply([keras.ops.ones((1,))], [w]); round(float(w.numpy()[0]), 3)
    0.9
    """

    native = "sgd_update"
    learning_rate: Any = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def setup(self) -> None:
        """Check the momentum."""
        if not 0 <= self.momentum <= 1:
            raise ArgumentError("SGD: momentum lies from 0 to 1.", received=f"momentum={self.momentum}")
        super().setup()

    def slots(self) -> Sequence[Sequence[str]]:
        """The momentum."""
        return [["momentum"]] if self.momentum else []

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step down the gradient."""
        if not slots:
            return (value - rate * gradient,)
        momentum = self.momentum * slots[0] - rate * gradient
        return value + (self.momentum * momentum - rate * gradient if self.nesterov else momentum), momentum


class Adam(Optimizer):
    """Steps scaled by running means of the gradient and of its square ([Kingma and Ba, 2014](https://arxiv.org/abs/1412.6980)).

    Args:
        learning_rate: The length of a step.
        beta_1: How slowly the mean of the gradient moves.
        beta_2: How slowly the mean of its square moves.
        epsilon: Added to the root of the latter.
        amsgrad: Whether the greatest mean of squares so far is used ([Reddi et al., 2018](https://openreview.net/forum?id=ryQu7f-RZ)).
    """

    native = "adam_update"
    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def slots(self) -> Sequence[Sequence[str]]:
        """The means, and their greatest."""
        return [["momentum", "velocity"], *([["velocity_hat"]] if self.amsgrad else [])]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        mean, square = _means(self, gradient, *slots[:2])
        rate = rate * ops.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        top = [ops.maximum(slots[2], square)] if self.amsgrad else []
        return value - rate * mean / (ops.sqrt(top[0] if top else square) + self.epsilon), mean, square, *top


def _means(self: Any, gradient: Any, mean: Any, square: Any) -> tuple[Any, Any]:
    """The running means of the gradient and of its square."""
    return mean + (gradient - mean) * (1.0 - self.beta_1), square + (ops.square(gradient) - square) * (1.0 - self.beta_2)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient ([Loshchilov and Hutter, 2017](https://arxiv.org/abs/1711.05101)); the arguments are those of `Adam`."""

    learning_rate: Any = 0.001
    weight_decay: float | None = 0.004
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False

    def setup(self) -> None:
        """Check that there is a weight decay."""
        if self.weight_decay is None:
            raise ArgumentError("AdamW needs a weight_decay.", fix="weight_decay=0.004, or use Adam")
        super().setup()


class Adamax(Optimizer):
    """Adam by the greatest absolute gradient instead of the mean of squares ([Kingma and Ba, 2014](https://arxiv.org/abs/1412.6980))."""

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[str]]:
        """The mean, and the decaying greatest absolute value."""
        return [["momentum", "norm"]]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        mean = slots[0] + (gradient - slots[0]) * (1.0 - self.beta_1)
        norm = ops.maximum(self.beta_2 * slots[1], ops.abs(gradient))
        return value - rate * mean / ((1.0 - self.beta_1**step) * (norm + self.epsilon)), mean, norm


class Nadam(Optimizer):
    """Adam with Nesterov's momentum ([Dozat, 2015](http://cs229.stanford.edu/proj2015/054_report.pdf))."""

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[str]]:
        """The means."""
        return [["momentum", "velocity"]]

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state, and the product of the momenta so far."""
        new = not self.built
        super().build(variables)
        if new:
            self._product = self.add_variable((), lambda shape, dtype: 1.0, "float32", name="variable")

    def _momenta(self, step: Any) -> tuple[Any, Any]:
        now, later = (self.beta_1 * (1.0 - 0.5 * 0.96**t) for t in (step, step + 1.0))
        return now, later

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        now, _ = self._momenta(ops.cast(ops.add(self.iterations, 1), "float32"))
        self._product.assign(self._product.value * now)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        mean, square = _means(self, gradient, *slots)
        now, later = self._momenta(step)
        product = self._product.value
        ahead = later * mean / (1.0 - product * later) + (1.0 - now) * gradient / (1.0 - product)
        return value - rate * ahead / (ops.sqrt(square / (1.0 - self.beta_2**step)) + self.epsilon), mean, square


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients.

    Args:
        learning_rate: The length of a step.
        rho: How slowly the mean moves.
        momentum: How much of the former step is kept.
        epsilon: Added to the mean of squares.
        centered: Whether the variance of the gradient is used instead of the mean of its square.
    """

    native = "rmsprop_update"
    learning_rate: Any = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def slots(self) -> Sequence[Sequence[str]]:
        """The means, and the momentum."""
        return [["velocity"], *([["momentum"]] if self.momentum else []), *([["average_gradient"]] if self.centered else [])]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        square = self.rho * slots[0] + (1.0 - self.rho) * ops.square(gradient)
        spread, mean = square, []
        if self.centered:
            mean = [self.rho * slots[-1] + (1.0 - self.rho) * gradient]
            spread = square - ops.square(mean[0])
        move = rate * gradient * ops.rsqrt(spread + self.epsilon)
        kept = [self.momentum * slots[1] + move] if self.momentum else []
        return value - (kept[0] if kept else move), square, *kept, *mean


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients ([Duchi et al., 2011](http://www.jmlr.org/papers/v12/duchi11a.html))."""

    learning_rate: Any = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[str]]:
        """The sum of squares."""
        return [["accumulator"]]

    def initial(self, slot: str) -> float:
        """The value that a slot starts with."""
        return self.initial_accumulator_value

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        total = slots[0] + ops.square(gradient)
        return value - rate * gradient * ops.rsqrt(total + self.epsilon), total


class Adadelta(Optimizer):
    """Steps scaled by the running means of squared steps and squared gradients ([Zeiler, 2012](https://arxiv.org/abs/1212.5701))."""

    learning_rate: Any = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[str]]:
        """The means of squares."""
        return [["accumulated_grad", "accumulated_delta_var"]]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        square = self.rho * slots[0] + (1.0 - self.rho) * ops.square(gradient)
        move = -gradient * ops.sqrt(slots[1] + self.epsilon) * ops.rsqrt(square + self.epsilon)
        return value + rate * move, square, self.rho * slots[1] + (1.0 - self.rho) * ops.square(move)


class Lion(Optimizer):
    """Steps of one length, by the sign of the momentum ([Chen et al., 2023](https://arxiv.org/abs/2302.06675))."""

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    def slots(self) -> Sequence[Sequence[str]]:
        """The momentum."""
        return [["momentum"]]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        direction = ops.sign(self.beta_1 * slots[0] + (1.0 - self.beta_1) * gradient)
        return value - rate * direction, self.beta_2 * slots[0] + (1.0 - self.beta_2) * gradient


class Lamb(Optimizer):
    """Adam with each layer's step scaled to the norm of its weights, for large batches ([You et al., 2019](https://arxiv.org/abs/1904.00962))."""

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def slots(self) -> Sequence[Sequence[str]]:
        """The means."""
        return [["momentum", "velocity"]]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        mean, square = _means(self, gradient, *slots)
        move = mean / (1.0 - self.beta_1**step) / (ops.sqrt(square / (1.0 - self.beta_2**step)) + self.epsilon)
        weight, length = (ops.sqrt(ops.sum(ops.square(x))) for x in (value, move))
        scale = ops.where(ops.logical_and(ops.greater(weight, 0.0), ops.greater(length, 0.0)), ops.divide_no_nan(weight, length), 1.0)
        return value - rate * scale * move, mean, square


class Ftrl(Optimizer):
    """Follows the regularized leader, for sparse linear models ([McMahan et al., 2013](https://research.google.com/pubs/archive/41159.pdf)).

    Args:
        learning_rate: The length of a step.
        learning_rate_power: How steps shrink with the sum of squared gradients; 0 or less.
        initial_accumulator_value: What that sum starts with.
        l1_regularization_strength: The weight of the sum of absolute weights.
        l2_regularization_strength: The weight of the sum of squared weights.
        l2_shrinkage_regularization_strength: Likewise, but without an effect on the sum of squared gradients.
        beta: Added to the inverse learning rate of each weight.
    """

    learning_rate: Any = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def setup(self) -> None:
        """Check the options."""
        if self.learning_rate_power > 0 or self.initial_accumulator_value < 0:
            raise ArgumentError(
                "Ftrl: learning_rate_power cannot be above 0, nor initial_accumulator_value below.",
                received=f"{self.learning_rate_power} and {self.initial_accumulator_value}",
            )
        super().setup()

    def slots(self) -> Sequence[Sequence[str]]:
        """The sum of squares, and the linear term."""
        return [["accumulator", "linear"]]

    def initial(self, slot: str) -> float:
        """The value that a slot starts with."""
        return self.initial_accumulator_value if slot == "accumulator" else 0.0

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """One step."""
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength + self.beta / (2.0 * rate)
        total = slots[0] + ops.square(gradient)
        former, power = (ops.power(x, -self.learning_rate_power) for x in (slots[0], total))
        gradient = gradient + 2.0 * self.l2_shrinkage_regularization_strength * value
        linear = slots[1] + gradient - (power - former) / rate * value
        return (ops.clip(linear, -l1, l1) - linear) / (power / rate + 2.0 * l2), total, linear
