"""`LSTM` and its cell."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.fields import Function
from keraunos.layers.celled import OPTIONS, Celled
from keraunos.layers.rnn_cells import Cell, UnitsArguments
from keraunos.ops.recurrent import lstm, lstm_step, project

_FIRST = ("units", "activation", "recurrent_activation", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer", "unit_forget_bias")


class LSTMArguments(UnitsArguments, order=_FIRST, kw_only=True):
    """What an LSTM and its cell are told beyond what all cells are."""

    recurrent_activation: Function = "sigmoid"
    unit_forget_bias: bool = True


def forgetting(cell: Any, units: int) -> Any:
    """How the bias of an LSTM begins: with `unit_forget_bias`, that of the forget gate with ones."""
    initial = cell.bias_initializer

    def begun(shape: Any, dtype: Any = None) -> Any:
        parts = initial((units,), dtype=dtype), ops.ones((units,), dtype), initial((2 * units,), dtype=dtype)
        return ops.concatenate([ops.convert_to_tensor(part, dtype) for part in parts])

    return begun if cell.unit_forget_bias else initial


class LSTMCell(Cell, LSTMArguments, order=_FIRST):
    """One step of a long short-term memory ([Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)).

    The arguments are those of `SimpleRNNCell`, and two more; the states are the output and the cell state.

    Args:
        recurrent_activation: A function of the gates.
        unit_forget_bias: Whether the bias of the forget gate begins with ones
            ([Jozefowicz et al., 2015](https://proceedings.mlr.press/v37/jozefowicz15.html)).

    Example:

    >>> import keraunos as keras
    >>> cell = keras.layers.LSTMCell(4)
    >>> output, [h, c] = cell(keras.ops.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape == c.shape == (2, 4)
    True
    """

    gates, count = 4, 2

    def biased(self, width: int) -> Any:
        start = forgetting(self, self.units)
        return self.add_weight((width,), start, name="bias", regularizer=self.bias_regularizer, constraint=self.bias_constraint)

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        x, noise = self.dropped(inputs, training)
        h, c = self.taken(states)
        h, c = lstm_step(project(x, self.kernel, self.bias), h, c, self.recurrent_kernel, noise, self.activation, self.recurrent_activation)
        return h, [h, c]

    def sequence(self, x: Any, states: list[Any], noise: Any, mask: Any, **options: Any) -> tuple[Any, ...]:
        functions = self.activation, self.recurrent_activation
        return lstm(x, self.kernel, self.recurrent_kernel, self.bias, states[0], states[1], noise, mask, *functions, **options)


class LSTM(Celled, LSTMArguments, cell=LSTMCell, last=("seed", *OPTIONS, "use_cudnn")):
    """A long short-term memory over sequences ([Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)).

    The arguments are those of `LSTMCell` and `RNN`, and one more. With the usual activations and without recurrent dropout, engines take
    a kernel for the whole sequence where they have one.

    Args:
        use_cudnn: Whether such a kernel is taken: "auto", True (an error where there is none) or False.

    Shapes:
        sequences `(batch, steps, features)`, output `(batch, units)`, or `(batch, steps, units)` with `return_sequences`; with
        `return_state` followed by the last output and the last cell state, each `(batch, units)`.

    Raises:
        BackendError: `use_cudnn=True`, and the engine has no kernel for these arguments.

    Example:

    >>> import keraunos as keras
    >>> outputs, h, c = keras.layers.LSTM(4, return_sequences=True, return_state=True)(keras.ops.ones((2, 5, 3)))
    >>> outputs.shape == (2, 5, 4) and h.shape == c.shape == (2, 4)
    True
    """

    unsaved = ("use_cudnn",)
    use_cudnn: Any = "auto"
