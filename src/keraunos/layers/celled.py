"""The base of the recurrent layers with a cell of their own."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Regularizer
from keraunos.core.names import to_snake_case
from keraunos.layers.recurrent import RNN, SequenceSpec
from keraunos.layers.rnn_cells import Recurrent

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
        name = to_snake_case(own.__name__.rstrip("123D"))  # cells of all ranks are called alike
        self.cell = own(**given, name=name, dtype=self.dtype_policy, trainable=self.trainable)
        for name in given:  # what it made of them
            setattr(self, name, getattr(self.cell, name))
        super().setup()
        self.input_spec = SequenceSpec(ndim=self.cell.input_spec.ndim + 1)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        of_step: Any = self.cell.input_spec
        self.input_spec = SequenceSpec(ndim=of_step.ndim + 1, axes={axis if axis < 0 else axis + 1: size for axis, size in of_step.axes.items()})

    def through(self, sequences: Any, states: Any, mask: Any, training: Any) -> tuple[Any, Any, Any]:
        noise, of_state = self.cell.draw(ops.shape(sequences)[0], training)
        sequences = sequences if noise is None else ops.multiply(sequences, ops.expand_dims(noise, 1))
        last, outputs, *states = self.cell.sequence(sequences, states, of_state, mask, fused=self.use_cudnn, **self._options)
        return last, outputs, states

    def field_config(self) -> dict[str, Any]:
        return {**super().field_config(), "zero_output_for_mask": self.zero_output_for_mask, "unroll": self.unroll}
