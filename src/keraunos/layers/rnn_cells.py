"""Cells: one step of a recurrent network, from an input and states to an output and the next states."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar, cast

from keraunos import ops, random
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Constraint, Function, Initializer, Regularizer, Share, Size
from keraunos.core.scope import scope
from keraunos.core.spec import Spec, same_dim, show
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.layers.wrapper import Holder


class CellArguments(Layer, kw_only=True):
    """What the usual cells, and the layers that run them, are told of their weights and of dropout."""

    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0
    seed: Any = None


class UnitsArguments(CellArguments, order=("units", "activation")):
    """The same, with a number of units and their activation."""

    units: Size
    activation: Function = "tanh"


class Recurrent(CellArguments):
    """What the cells with dropout share."""

    count: ClassVar[int] = 1  # of states
    sizes = cast(Any, ())  # of a sample's input and state; known once it is built

    def setup(self) -> None:
        self.seed_generator = random.SeedGenerator(self.seed) if self.dropout or self.recurrent_dropout else None

    def draw(self, batch: Any, training: Any) -> tuple[Any, Any]:
        """What the inputs and the first state are multiplied by, for dropout; None where nothing is dropped."""
        if not training or self.seed_generator is None:
            return None, None
        rates = self.dropout, self.recurrent_dropout
        ones = (ops.ones((batch, *size), self.compute_dtype) for size in self.sizes)
        x, h = (random.dropout(one, rate, seed=self.seed_generator) if rate else None for one, rate in zip(ones, rates, strict=True))
        return x, h

    def dropped(self, inputs: Any, training: Any) -> tuple[Any, Any]:
        """The inputs of one step after dropout, and what the state is multiplied by; the same in all steps of a layer that runs the cell."""
        held = (scope.noise or {}).get(id(self))
        noise, of_state = held or self.draw(ops.shape(inputs)[0], training)
        return (inputs if noise is None else ops.multiply(inputs, noise)), of_state

    def taken(self, states: Any) -> list[Any]:
        """The states that a call is given, as a list."""
        found = tree.flatten(states)
        if len(found) != self.count:
            fix = "cell(inputs, cell.get_initial_state(batch_size))"
            raise ArgumentError(f"The cell has {self.count} state{'s' * (self.count > 1)}, {len(found)} were given.", where=self.name, fix=fix)
        return found

    def sequence(self, x: Any, states: list[Any], noise: Any, mask: Any, **options: Any) -> tuple[Any, ...]:
        """The last output, the outputs for whole sequences, and the last states; the inputs are dropped already, and `noise` is for the state."""
        raise NotImplementedError


class Cell(Recurrent, UnitsArguments, order=("units", "activation")):
    """The base of the cells with a kernel for inputs, one for the first state, and a bias."""

    gates: ClassVar[int] = 1

    def setup(self) -> None:
        super().setup()
        self.input_spec = InputSpec(ndim=2)
        self.state_size = self.units if self.count == 1 else [self.units] * self.count
        self.output_size = self.units

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        features, width = input_shape[-1], self.gates * self.units
        self.kernel = self.weight("kernel", (features, width))
        self.recurrent_kernel = self.weight("recurrent_kernel", (self.units, width), fields="recurrent")
        self.bias = self.biased(width) if self.use_bias else None
        self.sizes = (features,), (self.units,)
        self.input_spec = InputSpec(ndim=2, axes={-1: features})

    def biased(self, width: int) -> Any:
        """Make the bias."""
        return self.weight("bias", (width,))

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for the states before the first step.

        Args:
            batch_size: The number of samples.
        """
        return [ops.zeros((batch_size, self.units), self.compute_dtype) for _ in range(self.count)]


class StackedRNNCells(Holder):
    """Cells one upon another, as one cell: each takes the output of the one before.

    Args:
        cells: A list of cells.

    Raises:
        ArgumentError: There is none, or one has no `call` or `state_size`.

    Example:

    >>> import keraunos as keras
    >>> cell = keras.layers.StackedRNNCells([keras.layers.LSTMCell(4), keras.layers.GRUCell(2)])
    >>> keras.layers.RNN(cell)(keras.ops.ones((2, 5, 3))).shape == (2, 2)
    True
    """

    cells: Any

    def setup(self) -> None:
        self.cells = list(self.cells) if isinstance(self.cells, (list, tuple)) else [self.cells]
        if not self.cells:
            raise ArgumentError("StackedRNNCells needs at least one cell.", where=self.name, fix="StackedRNNCells([LSTMCell(32), LSTMCell(32)])")
        for cell in self.cells:
            check_cell(cell, self.name)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cells' states."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        for former, cell in itertools.pairwise([None, *self.cells]):
            size = () if former is None else output_size(former)
            input_shape = input_shape if former is None else (input_shape[0], *(size if isinstance(size, (list, tuple)) else [size]))
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """The cells' states before the first step."""
        return [initial_state(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def call(self, inputs: Any, states: Any, training: Any = False, **kwargs: Any) -> Any:
        new = []
        for cell, own in zip(self.cells, states, strict=True):
            inputs, own = advance(cell, inputs, own, training, **kwargs)
            new.append(own)
        return inputs, new


# ---- cells of any class ----
def check_cell(cell: Any, where: str) -> None:
    """Raise unless an object can be a cell."""
    if not callable(getattr(cell, "call", None)) or not hasattr(cell, "state_size"):
        fact = "A cell has call(inputs, states) and state_size, the size of a state or a list of them."
        kind = cell.__name__ if isinstance(cell, type) else type(cell).__name__
        raise ArgumentError(fact, where=where, received=kind, fix="LSTMCell(32), or a layer of yours with both")


def output_size(cell: Any) -> Any:
    """The size of a cell's output: that of its first state, unless it says otherwise."""
    given = getattr(cell, "output_size", None)
    return tree.flatten(cell.state_size)[0] if given is None else given


def initial_state(cell: Any, batch: Any, dtype: str) -> Any:
    """A cell's states before the first step: its own choice, else zeros, in a list."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return tree.map_structure(lambda size: ops.zeros((batch, size), dtype), list(sizes))


def advance(cell: Any, inputs: Any, states: Any, training: Any, **kwargs: Any) -> tuple[Any, Any]:
    """One step of a cell; the states stay in the form that they have."""
    if isinstance(cell, Layer):
        found = cell(inputs, states, **kwargs, **({"training": training} if cell.call_info.passes_training else {}))
    else:
        found = cell.call(inputs, states, **kwargs)
    where = getattr(cell, "name", type(cell).__name__)
    if not isinstance(found, (list, tuple)) or len(found) != 2:
        fact = "A cell's call must return an output and the next states."
        raise ArgumentError(fact, where=where, received=f"a {type(found).__name__}", fix="return output, [state]")
    output, new = found[0], tree.flatten(found[1])
    old = tree.flatten(states)
    if len(new) != len(old):
        fact = f"A cell must return as many states as it is given: {len(new)} for {len(old)}."
        raise ArgumentError(fact, where=where, expected="state_size has a size for each state")
    if any(len(a.shape) != len(b.shape) or not all(map(same_dim, a.shape, b.shape)) for a, b in zip(new, old, strict=True)):
        shapes = [", ".join(str(show(x.shape)) for x in states) for states in (new, old)]
        raise ShapeError("A cell's next states must have the shapes of those before.", where=where, received=shapes[0], expected=shapes[1])
    return output, tree.pack_sequence_as(states, new)
