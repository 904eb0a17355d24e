"""`RNN`, which runs a cell over sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.scope import within
from keraunos.core.spec import Spec, show
from keraunos.core.variable import Variable
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.layers.rnn_cells import Recurrent, StackedRNNCells, advance, check_cell, initial_state, output_size
from keraunos.layers.wrapper import Holder
from keraunos.ops.recurrent import first, recur
from keraunos.ops.rules import equal


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


class RNN(Holder):
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
            if not equal(tuple(x.shape), tuple(shape)):
                fact, fix = "An initial state has another shape than the cell's.", f"a state of {shape[-1]} units, as the layer has"
                if given is None:
                    fact = "A stateful layer keeps its batch size."
                    fix = "make a new layer for another batch size; drop the rest of the data that fills no batch"
                raise ShapeError(fact, where=self.name, received=show(x.shape), expected=show(shape), fix=fix)
        return tree.map_structure(lambda x, like: ops.cast(x, like.dtype), tree.pack_sequence_as(expected, found), expected)

    # ---- calling ----
    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = False) -> Any:
        states = self._beginning(sequences, initial_state)
        if isinstance(mask, (list, tuple)):  # numbers, or a mask for each argument
            mask = mask[0] if mask and (mask[0] is None or hasattr(mask[0], "shape")) else ops.convert_to_tensor(mask)
        if mask is not None and not equal(tuple(mask.shape), tuple(sequences.shape[:2])):
            raise ShapeError("The mask must have one value for each step.", where=self.name, received=show(mask.shape), expected=show(sequences.shape[:2]))
        last, outputs, states = self.inner_loop(sequences=sequences, initial_state=states, mask=mask, training=training)
        outputs = outputs if self.return_sequences else last
        if self.states is not None:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states), strict=True):
                variable.assign(value)
        return (outputs, *(states if isinstance(states, (list, tuple)) else [states])) if self.return_state else outputs

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: Any = False) -> tuple[Any, Any, Any]:
        """Go through the steps; `call` does so by this, which a subclass may change.

        Args:
            sequences: `(batch, steps, …)`, from the first step to the last whatever `go_backwards` is.
            initial_state: The states to begin with, in the cell's form.
            mask: Which steps count, `(batch, steps)`, or None.
            training: Whether in training.

        Returns:
            The last output, the outputs `(batch, steps, …)`, of the last step alone without `return_sequences`, and the last states.
        """
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, 1), None if mask is None else ops.flip(mask, 1)
        return self.through(sequences, initial_state, mask, training)

    @property
    def _options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("unroll", "zero_output_for_mask", "return_sequences")}

    def through(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any, Any]:
        """What `inner_loop` gives, of sequences in the order of the steps."""
        batch, size, start = ops.shape(sequences)[0], output_size(self.cell), first(states)
        size = tuple(size) if isinstance(size, (list, tuple)) else (size,)
        if tuple(start.shape[1:]) != size:
            start = ops.zeros((batch, *size), start.dtype)
        cells = self.cell._flatten_layers() if isinstance(self.cell, Layer) else []
        with within(noise={id(cell): cell.draw(batch, training) for cell in cells if isinstance(cell, Recurrent)}):
            found = recur(lambda x, states: self._advance(x, states, training, size), sequences, states, mask, start, **self._options)
        return tree.map_structure(lambda x: ops.cast(x, self.compute_dtype), found)

    def _advance(self, x: Any, states: Any, training: Any, size: Any) -> tuple[Any, Any]:
        output, states = advance(self.cell, x, states, training)
        if not equal(tuple(output.shape[1:]), size):
            fix = "give the cell an output_size, beside its state_size"
            fact = "The cell's output has another size than it says."
            raise ShapeError(fact, where=self.name, received=show(output.shape), expected=("batch", *size), fix=fix)
        return output, states

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        kept = first(previous_mask) if self.return_sequences and previous_mask is not None else None
        return [kept, *(None for _ in tree.flatten(self.get_initial_state(1)))] if self.return_state else kept


def _told(shapes: list[Any]) -> str:
    return ", ".join(str(show(shape)) for shape in shapes)
