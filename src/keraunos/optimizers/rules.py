"""The optimizers: each is its arguments, its slots and its `update`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import NotNegative, NotPositive, Share
from keraunos.core.variable import Variable
from keraunos.optimizers.optimizer import Optimizer

__all__ = ["SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Nadam", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted: `m = momentum * m - rate * g; w = w + m`.

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        momentum: How much of the former step is kept, from 0 to 1 ([Sutskever et al., 2013](https://proceedings.mlr.press/v28/sutskever13.html)).
        nesterov: Whether the gradient is taken as if the momentum had been followed already.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.apply([keras.ops.ones((1,))], [w])
    >>> round(float(w.numpy()[0]), 4)  # 1 - 0.1 - (0.09 + 0.1)
    0.71
    """

    native = "sgd_update"
    learning_rate: Any = 0.01
    momentum: Share = 0.0
    nesterov: bool = False

    def slots(self) -> Sequence[Sequence[str]]:
        """The momentum."""
        return [["momentum"]] if self.momentum else []

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any = None) -> tuple[Any, ...]:
        """One step down the gradient."""
        if momentum is None:
            return (value - rate * gradient,)
        momentum = self.momentum * momentum - rate * gradient
        return value + (self.momentum * momentum - rate * gradient if self.nesterov else momentum), momentum


class _Moments(Optimizer):
    """What the family of Adam shares: the running means of the gradient (momentum) and of its square (velocity)."""

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7

    def _moved(self, gradient: Any, momentum: Any, velocity: Any) -> tuple[Any, Any]:
        """The means, moved by a gradient."""
        return momentum + (gradient - momentum) * (1.0 - self.beta_1), velocity + (ops.square(gradient) - velocity) * (1.0 - self.beta_2)


class Adam(_Moments, order=("learning_rate", "beta_1", "beta_2", "epsilon")):
    """Steps scaled by running means of the gradient and of its square.

    [Kingma and Ba, 2014, "Adam: a method for stochastic optimization"](https://arxiv.org/abs/1412.6980).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        beta_1: How slowly the mean of the gradient moves.
        beta_2: How slowly the mean of its square moves.
        epsilon: Added to the root of the latter.
        amsgrad: Whether the greatest mean of squares so far is used ([Reddi et al., 2018](https://openreview.net/forum?id=ryQu7f-RZ)).
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.Adam(learning_rate=0.01, clipnorm=1.0), loss="mse")
    >>> w = keras.Variable([1.0, 1.0])
    >>> keras.optimizers.Adam(0.1).apply([keras.ops.array([0.001, 1000.0])], [w]); w.numpy().round(3)
    array([0.9, 0.9], dtype=float32)
    """

    native = "adam_update"
    amsgrad: bool = False

    def slots(self) -> Sequence[Sequence[str]]:
        """The means, and the greatest of the second."""
        return [["momentum", "velocity"], *([["velocity_hat"]] if self.amsgrad else [])]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, velocity: Any, velocity_hat: Any = None) -> tuple[Any, ...]:
        """One step."""
        momentum, velocity = self._moved(gradient, momentum, velocity)
        greatest = velocity if velocity_hat is None else ops.maximum(velocity_hat, velocity)
        rate = rate * ops.sqrt(1.0 - self.beta_2**step) / (1.0 - self.beta_1**step)
        new = value - rate * momentum / (ops.sqrt(greatest) + self.epsilon), momentum, velocity
        return new if velocity_hat is None else (*new, greatest)


class AdamW(Adam, order=("learning_rate",)):
    """Adam with weight decay apart from the gradient.

    [Loshchilov and Hutter, 2017, "Decoupled weight decay regularization"](https://arxiv.org/abs/1711.05101).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        weight_decay: The share of each weight that is taken off at each step, times the learning rate.
        beta_1, beta_2, epsilon, amsgrad: As for `Adam`.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Raises:
        ArgumentError: `weight_decay` is None.

    Example:

    >>> import keraunos as keras
    >>> optimizer = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.5)
    >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
    >>> w = keras.Variable([1.0], name="kernel")
    >>> optimizer.apply([keras.ops.zeros((1,))], [w]); round(float(w.numpy()[0]), 4)  # no gradient, but 0.1 * 0.5 off
    0.95
    """

    weight_decay: float | None = 0.004

    def setup(self) -> None:
        """Check that there is a weight decay."""
        if self.weight_decay is None:
            raise ArgumentError("AdamW needs a weight_decay.", fix="weight_decay=0.004, or use Adam")
        super().setup()


class Adamax(_Moments):
    """Adam by the greatest absolute gradient, which fades, instead of the mean of squares.

    [Kingma and Ba, 2014, "Adam: a method for stochastic optimization"](https://arxiv.org/abs/1412.6980), section 7.1.

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        beta_1: How slowly the mean of the gradient moves.
        beta_2: How slowly the greatest gradient fades.
        epsilon: Added to the latter.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> keras.optimizers.Adamax(0.1).apply([keras.ops.full((1,), 5.0)], [w]); round(float(w.numpy()[0]), 4)
    0.9
    """

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, norm: Any) -> tuple[Any, ...]:
        """One step."""
        momentum = momentum + (gradient - momentum) * (1.0 - self.beta_1)
        norm = ops.maximum(self.beta_2 * norm, ops.abs(gradient))
        return value - rate * momentum / ((1.0 - self.beta_1**step) * (norm + self.epsilon)), momentum, norm


class Nadam(_Moments):
    """Adam with Nesterov's momentum ([Dozat, 2015, "Incorporating Nesterov momentum into Adam"](http://cs229.stanford.edu/proj2015/054_report.pdf)).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        beta_1: How slowly the mean of the gradient moves.
        beta_2: How slowly the mean of its square moves.
        epsilon: Added to the root of the latter.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.Nadam(learning_rate=0.002), loss="mse")
    >>> round(float(model.optimizer.learning_rate), 4)
    0.002
    """

    def _built(self) -> None:
        self._product = self.add_variable((), 1.0, "float32", name="variable")  # of the momenta so far

    def _momentum_at(self, step: Any) -> Any:
        return self.beta_1 * (1.0 - 0.5 * 0.96**step)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        self._product.assign(self._product.value * self._momentum_at(ops.cast(ops.add(self.iterations, 1), "float32")))
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, velocity: Any) -> tuple[Any, ...]:
        """One step."""
        momentum, velocity = self._moved(gradient, momentum, velocity)
        now, later, product = self._momentum_at(step), self._momentum_at(step + 1.0), ops.cast(self._product.value, ops.dtype(step))
        ahead = later * momentum / (1.0 - product * later) + (1.0 - now) * gradient / (1.0 - product)
        return value - rate * ahead / (ops.sqrt(velocity / (1.0 - self.beta_2**step)) + self.epsilon), momentum, velocity


class RMSprop(Optimizer):
    """Steps divided by the root of a running mean of squared gradients (Tieleman and Hinton, 2012, lecture 6.5 of "Neural networks for machine learning").

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        rho: How slowly the mean moves.
        momentum: How much of the former step is kept.
        epsilon: Added to the mean of squares.
        centered: Whether the variance of the gradient is used instead of the mean of its square.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> keras.optimizers.RMSprop(0.1, rho=0.75).apply([keras.ops.full((1,), 5.0)], [w])
    >>> round(float(w.numpy()[0]), 4)  # 0.1 * 5 / sqrt(0.25 * 25) = 0.2 off
    0.8
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
        velocity = self.rho * slots[0] + (1.0 - self.rho) * ops.square(gradient)
        mean = [self.rho * slots[-1] + (1.0 - self.rho) * gradient] if self.centered else []
        spread = velocity - ops.square(mean[0]) if mean else velocity
        move = rate * gradient * ops.rsqrt(spread + self.epsilon)
        kept = [self.momentum * slots[1] + move] if len(slots) - len(mean) > 1 else []
        return value - (kept[0] if kept else move), velocity, *kept, *mean


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients: each weight's steps shrink as fast as it was moved, so that rare features learn long.

    [Duchi et al., 2011, "Adaptive subgradient methods for online learning and stochastic optimization"](http://www.jmlr.org/papers/v12/duchi11a.html).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        initial_accumulator_value: What the sum begins with.
        epsilon: Added to the sum.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w, steps = keras.Variable([0.0]), []
    >>> optimizer = keras.optimizers.Adagrad(0.1, initial_accumulator_value=0.0)
    >>> for _ in range(3):
    ...     optimizer.apply([keras.ops.full((1,), 5.0)], [w])
    ...     steps.append(round(float(w.numpy()[0]), 4))
    >>> steps  # by 0.1, 0.1 / sqrt(2), 0.1 / sqrt(3)
    [-0.1, -0.1707, -0.2284]
    """

    learning_rate: Any = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, accumulator: Any) -> tuple[Any, ...]:
        """One step."""
        accumulator = accumulator + ops.square(gradient)
        return value - rate * gradient * ops.rsqrt(accumulator + self.epsilon), accumulator


class Adadelta(Optimizer):
    """Steps scaled by the running means of squared steps and squared gradients, so that they have the unit of the weights.

    [Zeiler, 2012, "Adadelta: an adaptive learning rate method"](https://arxiv.org/abs/1212.5701); there the learning rate is 1.

    Args:
        learning_rate: What steps are multiplied by: a number, a schedule, or a function without arguments.
        rho: How slowly the means move.
        epsilon: Added to the means.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.Adadelta(learning_rate=1.0), loss="mse")
    >>> model.optimizer.get_config()["rho"]
    0.95
    """

    learning_rate: Any = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, accumulated_grad: Any, accumulated_delta_var: Any) -> tuple[Any, ...]:
        """One step."""
        square = self.rho * accumulated_grad + (1.0 - self.rho) * ops.square(gradient)
        move = -gradient * ops.sqrt(accumulated_delta_var + self.epsilon) * ops.rsqrt(square + self.epsilon)
        return value + rate * move, square, self.rho * accumulated_delta_var + (1.0 - self.rho) * ops.square(move)


class Lion(Optimizer):
    """Steps of one length, by the sign of the momentum; one slot for each weight, where Adam has two.

    Learning rates are 3 to 10 times smaller than Adam's, weight decay as many times larger
    ([Chen et al., 2023, "Symbolic discovery of optimization algorithms"](https://arxiv.org/abs/2302.06675)).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        beta_1: How much of the momentum there is in the direction of a step.
        beta_2: How slowly the momentum moves.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0, 1.0])
    >>> keras.optimizers.Lion(0.25).apply([keras.ops.array([0.001, -1000.0])], [w]); w.numpy().tolist()
    [0.75, 1.25]
    """

    learning_rate: Any = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any) -> tuple[Any, ...]:
        """One step."""
        direction = ops.sign(self.beta_1 * momentum + (1.0 - self.beta_1) * gradient)
        return value - rate * direction, self.beta_2 * momentum + (1.0 - self.beta_2) * gradient


class Lamb(_Moments):
    """Adam with each variable's step scaled to the norm of its weights, for large batches.

    [You et al., 2019, "Large batch optimization for deep learning: training BERT in 76 minutes"](https://arxiv.org/abs/1904.00962).

    Args:
        learning_rate: The length of a step, as a share of the weights: a number, a schedule, or a function without arguments.
        beta_1: How slowly the mean of the gradient moves.
        beta_2: How slowly the mean of its square moves.
        epsilon: Added to the root of the latter.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> large, small = keras.Variable([8.0]), keras.Variable([0.5])
    >>> keras.optimizers.Lamb(0.25).apply([keras.ops.ones((1,)), keras.ops.ones((1,))], [large, small])
    >>> [round(float(w.numpy()[0]), 3) for w in (large, small)]  # a quarter of each is taken off
    [6.0, 0.375]
    """

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, velocity: Any) -> tuple[Any, ...]:
        """One step."""
        momentum, velocity = self._moved(gradient, momentum, velocity)
        move = momentum / (1.0 - self.beta_1**step) / (ops.sqrt(velocity / (1.0 - self.beta_2**step)) + self.epsilon)
        weight, length = (ops.sqrt(ops.sum(ops.square(x))) for x in (value, move))
        scale = ops.where(ops.logical_and(ops.greater(weight, 0.0), ops.greater(length, 0.0)), ops.divide_no_nan(weight, length), 1.0)
        return value - rate * scale * move, momentum, velocity


class Ftrl(Optimizer):
    """Follows the regularized leader, for sparse linear models ([McMahan et al., 2013](https://research.google.com/pubs/archive/41159.pdf)).

    Args:
        learning_rate: The length of a step: a number, a schedule, or a function without arguments.
        learning_rate_power: How steps shrink with the sum of squared gradients; 0 or less.
        initial_accumulator_value: What that sum starts with.
        l1_regularization_strength: The weight of the sum of absolute weights.
        l2_regularization_strength: The weight of the sum of squared weights.
        l2_shrinkage_regularization_strength: Likewise, but without an effect on the sum of squared gradients.
        beta: Added to the inverse learning rate of each weight.
        weight_decay, clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency: As for `Optimizer`.
        loss_scale_factor, gradient_accumulation_steps, name: As for `Optimizer`.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([0.0, 0.0])
    >>> optimizer = keras.optimizers.Ftrl(0.5, l1_regularization_strength=0.5)
    >>> optimizer.apply([keras.ops.array([0.25, 2.0])], [w])
    >>> w.numpy().round(3).tolist()[0]  # the weight of the small gradient stays exactly 0
    0.0
    """

    learning_rate: Any = 0.001
    learning_rate_power: NotPositive = -0.5
    initial_accumulator_value: NotNegative = 0.1
    l1_regularization_strength: NotNegative = 0.0
    l2_regularization_strength: NotNegative = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, accumulator: Any, linear: Any) -> tuple[Any, ...]:
        """One step."""
        l1, l2 = self.l1_regularization_strength, self.l2_regularization_strength + self.beta / (2.0 * rate)
        total = accumulator + ops.square(gradient)
        former, power = (ops.power(x, -self.learning_rate_power) for x in (accumulator, total))
        gradient = gradient + 2.0 * self.l2_shrinkage_regularization_strength * value
        linear = linear + gradient - (power - former) / rate * value
        return (ops.clip(linear, -l1, l1) - linear) / (power / rate + 2.0 * l2), total, linear
