"""`SimpleRNN` and its cell."""

from __future__ import annotations

from typing import Any

from keraunos.core import tree
from keraunos.layers.celled import OPTIONS, Celled
from keraunos.layers.rnn_cells import Cell, UnitsArguments
from keraunos.ops.recurrent import project, simple_rnn, simple_rnn_step


class SimpleRNNCell(Cell):
    """One step of a fully connected recurrent network ([Elman, 1990](https://doi.org/10.1207/s15516709cog1402_1)).

    Args:
        units: The size of the output and of each state.
        activation: A function of the new values.
        use_bias: Whether a bias is added.
        kernel_initializer: How the kernel for inputs begins.
        recurrent_initializer: How the kernel for the state begins.
        bias_initializer: How the bias begins.
        kernel_regularizer: A penalty on the kernel for inputs.
        recurrent_regularizer: A penalty on the kernel for the state.
        bias_regularizer: A penalty on the bias.
        kernel_constraint: A projection of the kernel for inputs after each update.
        recurrent_constraint: A projection of the kernel for the state.
        bias_constraint: A projection of the bias.
        dropout: The fraction of the inputs set to 0 in training, the same ones in each step of a sequence.
        recurrent_dropout: The fraction of the state set to 0, likewise, where it meets its kernel.
        seed: A seed, so that runs repeat.

    Shapes:
        `cell(inputs, states)` takes inputs `(batch, features)` and a list of states `(batch, units)`, and gives the output
        `(batch, units)` and the list of the next states.

    Example:

    >>> import keraunos as keras
    >>> cell = keras.layers.SimpleRNNCell(4)
    >>> output, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape == (2, 4)
    True
    """

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        x, noise = self.dropped(inputs, training)
        h = simple_rnn_step(project(x, self.kernel, self.bias), self.taken(states)[0], self.recurrent_kernel, noise, self.activation)
        return h, tree.pack_sequence_as(states, [h])

    def sequence(self, x: Any, states: list[Any], noise: Any, mask: Any, **options: Any) -> tuple[Any, ...]:
        return simple_rnn(x, self.kernel, self.recurrent_kernel, self.bias, states[0], noise, mask, self.activation, **options)


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
