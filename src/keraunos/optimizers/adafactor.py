"""Adafactor: the mean of squared gradients of a matrix, kept as one number for each row and each column."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.variable import Variable
from keraunos.optimizers.varied import Varied


class Adafactor(Varied):
    """Steps scaled as Adam's are, with little memory for large matrices ([Shazeer and Stern, 2018](https://arxiv.org/abs/1804.04235)).

    Of variables with two axes or more, only the means along the last axis and along the one before it are kept.

    Args:
        learning_rate: The length of a step, relative to the size of the weights.
        beta_2_decay: How the mean of squares slows down: at step t it keeps `1 - t**beta_2_decay`.
        epsilon_1: Added to squared gradients.
        epsilon_2: The least size of the weights that is counted with.
        clip_threshold: The greatest root mean square of a step before it is scaled.
        relative_step: Whether a constant learning rate falls with the root of the number of steps, once below it.

    Example:

    >>> import keraunos as keras
    >>> optimizer = Adafactor(0.1)
    >>> optimizer.build([keras.Variable(keras.ops.ones((300, 200)))])
    >>> [v.shape for v in optimizer.variables]
    [(), (), (300,), (200,)]
    """

    learning_rate: Any = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True

    def slots_for(self, variable: Variable) -> dict[str, tuple[int, ...]]:
        """The means of squares along rows and columns, or of each value of a vector."""
        shape = variable.shape
        return {"velocity": shape} if len(shape) < 2 else {"row": shape[:-1], "column": (*shape[:-2], shape[-1])}

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *means: Any) -> tuple[Any, ...]:
        """One step."""
        kept = 1.0 - step**self.beta_2_decay
        square = ops.square(gradient) + self.epsilon_1
        new = [kept * mean + (1.0 - kept) * now for mean, now in zip(means, self._along(square, len(means)), strict=True)]
        velocity = new[0]
        if len(new) == 2:
            row, column = new
            velocity = ops.expand_dims(row / ops.mean(row, -1, keepdims=True), -1) * ops.expand_dims(column, -2)
        move = gradient * ops.rsqrt(velocity)
        move = move / ops.maximum(1.0, self._size(move) / self.clip_threshold)
        if self.relative_step and isinstance(self._rate, Variable):
            rate = ops.minimum(rate, ops.rsqrt(step))
        return value - rate * ops.maximum(self.epsilon_2, self._size(value)) * move, *new

    def save_own_variables(self, store: Any) -> None:
        """Write the state as Keras has it: for each variable three arrays, of which those are 0 that are not kept."""
        values = [v.numpy() for v in self._variables[: self._first()]]
        for variable, slots in zip(self._trained, self._varied, strict=True):
            kept = [slot.numpy() for slot in slots]
            nothing = ops.convert_to_numpy(ops.zeros(variable.shape if len(kept) == 2 else (), variable.dtype))
            values += [*kept, nothing] if len(kept) == 2 else [nothing, nothing, *kept]
        store.update({str(i): value for i, value in enumerate(values)})

    def load_own_variables(self, store: Any) -> None:
        """Read the state from such a store, or from one with only what is kept."""
        first = self._first()
        if len(store.keys()) == first + 3 * len(self._varied):
            places = [first + 3 * i + j for i, slots in enumerate(self._varied) for j in ((0, 1) if len(slots) == 2 else (2,))]
            store = {str(i): store[str(place)] for i, place in enumerate([*range(first), *places])}
        super().load_own_variables(store)

    def _first(self) -> int:
        """How many variables come before what is kept for each variable trained."""
        return len(self._variables) - sum(map(len, self._varied))

    def _along(self, square: Any, count: int) -> list[Any]:
        return [square] if count == 1 else [ops.mean(square, -1), ops.mean(square, -2)]

    def _size(self, x: Any) -> Any:
        """The root mean square."""
        return ops.sqrt(ops.mean(ops.square(x)))
