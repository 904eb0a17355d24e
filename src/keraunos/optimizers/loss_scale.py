"""Dynamic loss scaling, which keeps float16 gradients from vanishing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError
from keraunos.core.fields import Field
from keraunos.core.serialization import serialize_keras_object
from keraunos.core.variable import Variable
from keraunos.optimizers.optimizer import Optimizer, divided


class LossScaleOptimizer(Optimizer):
    """Multiplies the loss by a factor, the gradients by its inverse, and skips steps whose gradients are not finite.

    So float16 holds gradients that it would round to 0 ([Micikevicius et al., 2017, "Mixed precision training"](https://arxiv.org/abs/1710.03740)).
    A model of the policy "mixed_float16" wraps its optimizer by itself.

    Args:
        inner_optimizer: The optimizer that makes the steps.
        initial_scale: The factor at first; it is halved after a step that was skipped.
        dynamic_growth_steps: After how many good steps the factor is doubled.
        name: Its name.

    Raises:
        ArgumentError: An option is meant for the inner optimizer.
        ArgumentTypeError: `inner_optimizer` is no optimizer.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([1.0])
    >>> optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=8.0)
    >>> optimizer.apply([optimizer.scale_loss(keras.ops.ones((1,)))], [w]); w.numpy().tolist()
    [0.5]
    >>> optimizer.apply([keras.ops.full((1,), float("inf"))], [w]); w.numpy().tolist(), float(optimizer.dynamic_scale.numpy())
    ([0.5], 4.0)
    """

    _rate: Any = 0.0  # of its own, which Keras keeps among the variables; what counts is the inner optimizer's

    def __init__(self, inner_optimizer: Any, initial_scale: float = 32768.0, dynamic_growth_steps: int = 2000, name: str | None = None, **kwargs: Any):
        for option in kwargs:
            raise ArgumentError(f"LossScaleOptimizer does not take {option}.", fix=f"give {option} to the inner optimizer")
        if not isinstance(inner_optimizer, Optimizer):
            raise ArgumentTypeError("LossScaleOptimizer wraps an optimizer.", received=type(inner_optimizer).__name__)
        self.inner_optimizer, self.initial_scale = inner_optimizer, initial_scale
        self.dynamic_growth_steps = Field("dynamic_growth_steps", "Size", 2000).value("LossScaleOptimizer", dynamic_growth_steps)
        super().__init__(learning_rate=inner_optimizer._rate, name=name)
        self.step_counter = self.add_variable((), "zeros", "int32", name="step_counter")
        self.dynamic_scale = self.add_variable((), initial_scale, "float32", name="dynamic_scale")

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the inner optimizer's state."""
        self.inner_optimizer.build(variables)
        self._trained, self._index, self.built = self.inner_optimizer._trained, self.inner_optimizer._index, True

    @property
    def variables(self) -> list[Variable]:
        """Its own state, then the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """How many steps the inner optimizer made."""
        return self.inner_optimizer.iterations

    def _get_learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    def _set_learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    learning_rate = property(_get_learning_rate, _set_learning_rate, doc="The inner optimizer's learning rate.")

    def _apply(self, grads: list[Any], variables: list[Variable]) -> None:
        scale = self.dynamic_scale.value
        finite = self.check_finite(grads)
        self._when(finite, lambda: self.inner_optimizer.apply(divided(grads, variables, scale), variables), variables)
        counter = ops.where(finite, ops.add(self.step_counter.value, 1), 0)
        grown = ops.equal(counter, self.dynamic_growth_steps)
        self.step_counter.assign(ops.where(grown, 0, counter))
        self.dynamic_scale.assign(ops.multiply(scale, ops.where(finite, ops.where(grown, 2.0, 1.0), 0.5)))

    def check_finite(self, grads: Iterable[Any]) -> Any:
        """Whether all gradients are finite."""
        return ops.all(ops.stack([ops.all(ops.isfinite(g)) for g in grads if g is not None]))

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the present factor."""
        return ops.multiply(loss, ops.cast(self.dynamic_scale.value, ops.dtype(loss)))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put the inner optimizer's moving averages in the variables' place."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        inner = serialize_keras_object(self.inner_optimizer)
        return {"name": self.name, "inner_optimizer": inner, "initial_scale": self.initial_scale, "dynamic_growth_steps": self.dynamic_growth_steps}
