"""`RNN`, which runs a cell over sequences, and the base of the layers with a cell of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Regularizer
from keraunos.core.names import to_snake_case
from keraunos.core.scope import within
from keraunos.core.spec import Spec, same_dim, show
from keraunos.core.variable import Variable
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.layers.rnn_cells import Recurrent, SimpleRNNCell, StackedRNNCells, UnitsArguments, advance, check_cell, initial_state, output_size
from keraunos.ops.recurrent import first, recur


class SequenceSpec(InputSpec):
    """What a recurrent layer expects of its input: sequences."""

    def check(self, x: Any, layer: Any) -> None:
        """Raise unless `x` is as expected; another recurrent layer that keeps only its last output is named."""
        wanted: Any = self.ndim or self.min_ndim
        if len(x.shape) == wanted - 1:
            former: Any = getattr(getattr(x, "node", None), "operation", None)
            named = former.name if getattr(former, "return_sequences", None) is False else None
            fact = f"'{layer.name}' ({type(layer).__name__}) goes through sequences; the input has no axis of steps."
            fix = f"set return_sequences=True on '{named}'" if named else "return_sequences=True on a recurrent layer before it, or x[:, None] for one step"
            raise ShapeError(fact, received=show(x.shape), expected=f"{wanted} axes (batch, steps, …)", fix=fix)
        super().check(x, layer)


class Memory:
    """The states that a stateful layer keeps from batch to batch: neither weights nor in files."""

    states: Any = None


class RNN(Layer):
    """A cell, run over the steps of sequences.

    Where a step is masked, the states stay as they are, and the output of the step before is repeated.

    Args:
        cell: A cell, or a list of cells one upon another. Any object will do that has `call(inputs, states)`, which gives the output and
            the next states, and `state_size`, an integer or a list of them; it may have `output_size` and `get_initial_state(batch_size)`.
        return_sequences: Whether the outputs of all steps are returned, or that of the last alone.
        return_state: Whether the last states are returned as well.
        go_backwards: Whether the steps are gone through from the last to the first; outputs are in that order.
        stateful: Whether a batch begins with the states that the one before ended with; see `reset_state`.
        unroll: Whether compiled code has each step by itself, in place of a loop.
        zero_output_for_mask: Whether the outputs of masked steps are 0.

    Shapes:
        sequences `(batch, steps, …)`, mask `(batch, steps)`; output `(batch, …)`, or `(batch, steps, …)` with `return_sequences`.

    Raises:
        ArgumentError: `cell` is no cell, or the number of initial states is not the cell's.
        ShapeError: The input is no sequence, or a state has another shape.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.RNN([keras.layers.LSTMCell(4), keras.layers.LSTMCell(2)], return_sequences=True)
    >>> layer(keras.ops.ones((2, 5, 3))).shape == (2, 5, 2)
    True
    """

    supports_masking = True
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    if TYPE_CHECKING:  # layers with a cell of their own have no such argument
        cell = cast(Any, None)

        def __init__(
            self, cell: Any, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False, stateful: bool = False,
            unroll: bool = False, zero_output_for_mask: bool = False, **kwargs: Any,
        ) -> None: ...  # fmt: skip

    else:
        cell: Any

    def setup(self) -> None:
        self.cell = StackedRNNCells(self.cell, dtype=self.dtype_policy) if isinstance(self.cell, (list, tuple)) else self.cell
        check_cell(self.cell, self.name)
        self.input_spec = SequenceSpec(min_ndim=3)
        self._memory = Memory()

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        self.input_spec.check(Spec(sequences_shape), self)
        batch, steps, *sizes = sequences_shape
        if self.unroll and steps is None:
            fix = "Input((steps, features)), or unroll=False"
            raise ShapeError("The number of steps must be known to unroll them.", where=self.name, received=show(sequences_shape), fix=fix)
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((batch, *sizes))
        if self.stateful:
            if batch is None:
                fix = f"give Input(batch_size=…), with the shape {tuple(sequences_shape[1:])}"
                raise ShapeError("A stateful layer must know the batch size.", where=self.name, received=show(sequences_shape), fix=fix)
            with self._backend.concrete():
                states = self.get_initial_state(batch)
            kept = self.variable_dtype
            self._memory.states = tree.map_structure(lambda x: Variable(x, dtype=kept, trainable=False, autocast=False, name="rnn_state"), states)

    # ---- states ----
    @property
    def state_size(self) -> Any:
        """The size of the cell's state, or a list of them."""
        return self.cell.state_size

    @property
    def states(self) -> Any:
        """The variables that hold the states from batch to batch; None unless `stateful`."""
        return self._memory.states

    def get_initial_state(self, batch_size: Any) -> Any:
        """The states before the first step.

        Args:
            batch_size: The number of samples.
        """
        return initial_state(self.cell, batch_size, self.compute_dtype)

    def reset_state(self) -> None:
        """Let a stateful layer begin anew."""
        if self.states is not None:
            held = tree.flatten(self.states)
            for variable, value in zip(held, tree.flatten(self.get_initial_state(held[0].shape[0])), strict=True):
                variable.assign(value)

    reset_states = reset_state

    def _beginning(self, sequences: Any, given: Any) -> Any:
        """The states to begin with: those given, those kept, or the cell's."""
        batch = ops.shape(sequences)[0]
        if given is None and self.states is None:
            return self.get_initial_state(batch)
        states = self.states if given is None else given
        expected, found = self.get_initial_state(batch), tree.flatten(states)
        shapes = [x.shape for x in tree.flatten(expected)]
        if len(found) != len(shapes):
            fix = f"initial_state=[{', '.join('hcabde'[i] if i < 6 else '…' for i in range(len(shapes))[:7])}]"
            raise ArgumentError(f"The cell has {len(shapes)} states, {len(found)} were given.", where=self.name, expected=_told(shapes), fix=fix)
        for x, shape in zip(found, shapes, strict=True):
            if len(x.shape) != len(shape) or not all(map(same_dim, x.shape, shape)):
                fact = "An initial state has another shape than the cell's." if given is not None else "A stateful layer keeps its batch size."
                fix = None if given is not None else "make a new layer for another batch size; drop the rest of the data that fills no batch"
                raise ShapeError(fact, where=self.name, received=show(x.shape), expected=show(shape), fix=fix)
        return tree.map_structure(lambda x, like: ops.cast(x, like.dtype), tree.pack_sequence_as(expected, found), expected)

    # ---- calling ----
    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = False) -> Any:
        states = self._beginning(sequences, initial_state)
        if mask is not None and not all(map(same_dim, mask.shape, sequences.shape[:2])):
            raise ShapeError("The mask must have one value for each step.", where=self.name, received=show(mask.shape), expected=show(sequences.shape[:2]))
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, 1), None if mask is None else ops.flip(mask, 1)
        outputs, states = self.through(sequences, states, mask, training)
        if self.states is not None:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                variable.assign(value)
        return (outputs, *(states if isinstance(states, (list, tuple)) else [states])) if self.return_state else outputs

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("unroll", "zero_output_for_mask", "return_sequences")}

    def through(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any]:
        """The outputs, of all steps or of the last, and the last states."""
        batch, size, start = ops.shape(sequences)[0], output_size(self.cell), first(states)
        size = tuple(size) if isinstance(size, (list, tuple)) else (size,)
        if tuple(start.shape[1:]) != size:
            start = ops.zeros((batch, *size), start.dtype)
        cells = self.cell._flatten_layers() if isinstance(self.cell, Layer) else []
        with within(noise={id(cell): cell.draw(batch, training) for cell in cells if isinstance(cell, Recurrent)}):
            found = recur(lambda x, states: advance(self.cell, x, states, training), sequences, states, mask, start, **self._options)
        return tree.map_structure(lambda x: ops.cast(x, self.compute_dtype), found)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        kept = first(previous_mask) if self.return_sequences and previous_mask is not None else None
        return [kept, *(None for _ in tree.flatten(self.get_initial_state(1)))] if self.return_state else kept


def _told(shapes: list[Any]) -> str:
    return ", ".join(str(show(shape)) for shape in shapes)


OPTIONS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll")


class Celled(RNN, kw_only=True):
    """The base of the layers with a cell of their own, whose arguments are the cell's and those of `RNN`.

    `class LSTM(Celled, cell=LSTMCell, last=(…))` says which cell, and which arguments come last.
    """

    base_arguments: ClassVar[tuple[str, ...]] = (*RNN.base_arguments, "zero_output_for_mask", "unroll", "implementation")
    cell_class: ClassVar[type[Recurrent]]
    use_cudnn: Any = "auto"
    activity_regularizer: Regularizer = None

    def __init_subclass__(cls, cell: type[Recurrent] | None = None, last: tuple[str, ...] = (), **kwargs: Any) -> None:
        if cell is not None:
            cls.cell_class = cell
            names = [name for name in cell.fields if name not in last]
            place = names.index("bias_regularizer") + 1
            names = [*names[:place], "activity_regularizer", *names[place:], *last]
            known = {**Celled.fields, **cell.fields}
            cls.fields = {name: known[name] for name in names}
            kwargs["order"] = names
        super().__init_subclass__(**kwargs)

    def start(self, zero_output_for_mask: bool = False, implementation: Any = None, unroll: bool = False, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.zero_output_for_mask, self.unroll = zero_output_for_mask, unroll  # `implementation`, of Keras 2, chose between equal ways
        super().start(**kwargs)

    def setup(self) -> None:
        if self.use_cudnn not in ("auto", True, False):
            raise ArgumentError("use_cudnn cannot be this.", where=self.name, received=f"use_cudnn={self.use_cudnn!r}", expected="'auto', True or False")
        own, given = self.cell_class, {name: getattr(self, name) for name in self.cell_class.fields}
        self.cell = own(**given, name=to_snake_case(own.__name__), dtype=self.dtype_policy, trainable=self.trainable)
        for name in given:  # what it made of them
            setattr(self, name, getattr(self.cell, name))
        super().setup()
        self.input_spec = SequenceSpec(ndim=self.cell.input_spec.ndim + 1)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        of_step: Any = self.cell.input_spec
        self.input_spec = SequenceSpec(ndim=of_step.ndim + 1, axes={axis if axis < 0 else axis + 1: size for axis, size in of_step.axes.items()})

    def through(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any]:
        noise, of_state = self.cell.draw(ops.shape(sequences)[0], training)
        sequences = sequences if noise is None else ops.multiply(sequences, ops.expand_dims(noise, 1))
        outputs, *states = self.cell.sequence(sequences, states, of_state, mask, fused=self.use_cudnn, **self._options)
        return outputs, states

    def field_config(self) -> dict[str, Any]:
        return {**super().field_config(), "zero_output_for_mask": self.zero_output_for_mask, "unroll": self.unroll}


class SimpleRNN(Celled, UnitsArguments, cell=SimpleRNNCell, last=(*OPTIONS, "seed")):
    """A fully connected recurrent network: `h = activation(x @ kernel + h @ recurrent_kernel + bias)` ([Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1)).

    The arguments are those of `SimpleRNNCell` and `RNN`.

    Shapes:
        sequences `(batch, steps, features)`, output `(batch, units)`, or `(batch, steps, units)` with `return_sequences`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.SimpleRNN(4)(keras.ops.ones((2, 5, 3))).shape == (2, 4)
    True
    """
