"""`GRU` and its cell."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core import tree
from keraunos.core.fields import Function
from keraunos.layers.celled import OPTIONS, Celled
from keraunos.layers.rnn_cells import Cell, UnitsArguments
from keraunos.ops.recurrent import gru, gru_step, project


class GRUArguments(UnitsArguments, order=("units", "activation", "recurrent_activation"), kw_only=True):
    """What a GRU and its cell are told beyond what all cells are."""

    recurrent_activation: Function = "sigmoid"
    reset_after: bool = True


class GRUCell(Cell, GRUArguments, order=[*(name for name in GRUArguments.fields if name not in ("reset_after", "seed")), "reset_after"]):
    """One step of a gated recurrent unit ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)).

    The arguments are those of `SimpleRNNCell`, and two more.

    Args:
        recurrent_activation: A function of the gates.
        reset_after: Whether the reset gate acts on the product of the state and its kernel, as in cuDNN, or on the state.

    Example:

    >>> import keraunos as keras
    >>> cell = keras.layers.GRUCell(4)
    >>> output, states = cell(keras.ops.ones((2, 3)), cell.get_initial_state(2))
    >>> output.shape == (2, 4)
    True
    """

    gates = 3

    def biased(self, width: int) -> Any:
        return self.weight("bias", (2, width) if self.reset_after else (width,))

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        x, noise = self.dropped(inputs, training)
        of_x, of_h = ops.unstack(self.bias, 2) if self.bias is not None and self.reset_after else (self.bias, None)
        functions = self.activation, self.recurrent_activation, self.reset_after
        h = gru_step(project(x, self.kernel, of_x), self.taken(states)[0], self.recurrent_kernel, of_h, noise, *functions)
        return h, tree.pack_sequence_as(states, [h])

    def sequence(self, x: Any, states: list[Any], noise: Any, mask: Any, **options: Any) -> tuple[Any, ...]:
        functions = self.activation, self.recurrent_activation, self.reset_after
        return gru(x, self.kernel, self.recurrent_kernel, self.bias, states[0], noise, mask, *functions, **options)


class GRU(Celled, GRUArguments, cell=GRUCell, last=("seed", *OPTIONS, "reset_after", "use_cudnn")):
    """A gated recurrent unit over sequences ([Cho et al., 2014](https://arxiv.org/abs/1406.1078)).

    The arguments are those of `GRUCell` and `RNN`, and one more. With the usual activations and `reset_after`, and without recurrent
    dropout, engines take a kernel for the whole sequence where they have one.

    Args:
        use_cudnn: Whether such a kernel is taken: "auto", True (an error where there is none) or False.

    Shapes:
        sequences `(batch, steps, features)`, output `(batch, units)`, or `(batch, steps, units)` with `return_sequences`; with
        `return_state` followed by the last output.

    Raises:
        BackendError: `use_cudnn=True`, and the engine has no kernel for these arguments.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GRU(4, return_sequences=True)(keras.ops.ones((2, 5, 3))).shape == (2, 5, 4)
    True
    """

    unsaved = ("use_cudnn",)
    use_cudnn: Any = "auto"
