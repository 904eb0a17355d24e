"""Examples of the recurrent layers and of what wraps them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.layers.row import Of, Row

STATE = np.linspace(-1.0, 1.0, 6, dtype="float32").reshape(2, 3)
SEQUENCES, FRAMES = (2, 4, 3), (2, 3, 4, 4, 2)

ROWS = [
    Row("SimpleRNN", SEQUENCES, units=3, return_sequences=True, mask=True),
    Row("SimpleRNN", SEQUENCES, units=3, activation="relu", use_bias=False, call={"initial_state": STATE}),
    Row("SimpleRNN", SEQUENCES, units=3, go_backwards=True, return_sequences=True, return_state=True, unroll=True, fixed=True),
    Row("LSTM", SEQUENCES, units=3),
    Row("LSTM", SEQUENCES, units=3, return_sequences=True, return_state=True, go_backwards=True, mask=True),
    Row("LSTM", SEQUENCES, units=3, activation="relu", recurrent_activation="hard_sigmoid", use_bias=False, unroll=True, mask=True, fixed=True),
    Row("LSTM", SEQUENCES, units=3, unit_forget_bias=False, bias_initializer="ones", dropout=0.5, recurrent_dropout=0.5, seed=1, random=True),
    Row("GRU", SEQUENCES, units=3, return_sequences=True, return_state=True),
    Row("GRU", SEQUENCES, units=3, reset_after=False, mask=True, call={"initial_state": STATE}),
    Row("GRU", SEQUENCES, units=3, use_bias=False, go_backwards=True, zero_output_for_mask=True, return_sequences=True, mask=True),
    Row("GRU", SEQUENCES, units=3, recurrent_dropout=0.5, reset_after=False, random=True),
    Row("SimpleRNNCell", (2, 3), (2, 4), rest=True, units=4),
    Row("LSTMCell", (2, 3), (2, 4), (2, 4), rest=True, units=4, kernel_regularizer="l2"),
    Row("GRUCell", (2, 3), (2, 4), rest=True, units=4),
    Row("GRUCell", (2, 3), (2, 4), rest=True, units=4, reset_after=False, use_bias=False),
    Row("StackedRNNCells", (2, 3), (2, 4), (2, 2), rest=True, cells=[Of("GRUCell", 4), Of("GRUCell", 2)]),
    Row("RNN", SEQUENCES, cell=Of("SimpleRNNCell", 3), return_sequences=True, mask=True),
    Row("RNN", SEQUENCES, cell=[Of("LSTMCell", 3), Of("GRUCell", 2)], return_state=True, go_backwards=True),
    Row("RNN", SEQUENCES, cell=[Of("GRUCell", 3, dropout=0.5), Of("LSTMCell", 2, recurrent_dropout=0.5)], random=True),
    Row("Bidirectional", SEQUENCES, layer=Of("LSTM", 3)),
    Row("Bidirectional", SEQUENCES, layer=Of("GRU", 3, return_sequences=True), merge_mode="sum", mask=True),
    Row("Bidirectional", SEQUENCES, layer=Of("SimpleRNN", 3, return_sequences=True, return_state=True), merge_mode=None),
    Row(
        "Bidirectional",
        SEQUENCES,
        layer=Of("LSTM", 3),
        backward_layer=Of("GRU", 3, go_backwards=True),
        merge_mode="mul",
    ),
    Row("TimeDistributed", SEQUENCES, layer=Of("Dense", 2)),
    Row("TimeDistributed", (2, 3, 5, 2), layer=Of("Conv1D", 2, 3)),
    Row("TimeDistributed", (2, 3, 4, 2), layer=Of("LSTM", 2)),
    Row("ConvLSTM1D", (2, 3, 6, 2), filters=2, kernel_size=3, return_sequences=True, dilation_rate=2, fixed=True),
    Row("ConvLSTM2D", FRAMES, filters=2, kernel_size=(2, 3), strides=2, padding="same", return_state=True, fixed=True),
    Row("ConvLSTM2D", (2, 3, 2, 4, 4), filters=2, kernel_size=2, data_format="channels_first", use_bias=False, unit_forget_bias=False, fixed=True),
    Row("ConvLSTM2D", FRAMES, filters=2, kernel_size=2, dropout=0.5, recurrent_dropout=0.5, go_backwards=True, random=True, fixed=True),
    Row("ConvLSTM3D", (1, 2, 3, 3, 3, 2), filters=2, kernel_size=2, recurrent_activation="hard_sigmoid", fixed=True),
]


@st.composite
def over_sequences(draw: Any, name: str, **more: Any) -> Row:
    """A layer with a cell of its own."""
    flags = ("return_sequences", "return_state", "go_backwards", "use_bias", "zero_output_for_mask")
    arguments = {flag: draw(st.booleans()) for flag in flags} | {key: draw(strategy) for key, strategy in more.items()}
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 3)))
    return Row(name, shape, units=draw(st.integers(1, 4)), activation=draw(ACTIVATIONS), mask=draw(st.booleans()), **arguments)


def cells(name: str, states: int = 1, **more: Any) -> Any:
    """A cell, and its states."""
    return st.builds(
        lambda batch, features, units, **arguments: Row(name, (batch, features), *[(batch, units)] * states, rest=True, units=units, **arguments),
        *(st.integers(1, 3) for _ in range(3)), use_bias=st.booleans(), activation=ACTIVATIONS, **more,
    )  # fmt: skip


def over_frames(name: str, rank: int) -> Any:
    """A convolutional LSTM."""
    return st.builds(
        lambda size, first, stride, padding, **arguments: Row(
            name, (2, 2, *((2,) if first else ()), *(size,) * rank, *(() if first else (2,))), filters=2, kernel_size=2, strides=stride, padding=padding,
            data_format="channels_first" if first else "channels_last", **arguments,
        ),
        st.integers(2, 4), st.booleans(), st.integers(1, 2), st.sampled_from(["valid", "same"]), return_sequences=st.booleans(), go_backwards=st.booleans(),
    )  # fmt: skip


ACTIVATIONS = st.sampled_from(["tanh", "sigmoid", "softsign", "linear"])
GATES = st.sampled_from(["sigmoid", "hard_sigmoid"])
CELLS = st.sampled_from([Of("SimpleRNNCell", 3), Of("GRUCell", 2), [Of("LSTMCell", 3), Of("GRUCell", 2)]])
INNER = st.builds(lambda name, sequences: Of(name, 3, return_sequences=sequences), st.sampled_from(["LSTM", "GRU", "SimpleRNN"]), st.booleans())

DRAWN = {
    "SimpleRNN": over_sequences("SimpleRNN"),
    "LSTM": over_sequences("LSTM", recurrent_activation=GATES, unit_forget_bias=st.booleans()),
    "GRU": over_sequences("GRU", recurrent_activation=GATES, reset_after=st.booleans()),
    "SimpleRNNCell": cells("SimpleRNNCell"),
    "LSTMCell": cells("LSTMCell", 2, recurrent_activation=GATES),
    "GRUCell": cells("GRUCell", recurrent_activation=GATES, reset_after=st.booleans()),
    "StackedRNNCells": st.builds(
        lambda a, b: Row("StackedRNNCells", (2, 3), (2, a), (2, b), rest=True, cells=[Of("GRUCell", a), Of("GRUCell", b)]), st.integers(1, 3), st.integers(1, 3),
    ),
    "RNN": st.builds(lambda **arguments: Row("RNN", SEQUENCES, **arguments), cell=CELLS, return_sequences=st.booleans(), go_backwards=st.booleans()),
    "Bidirectional": st.builds(
        lambda **arguments: Row("Bidirectional", SEQUENCES, **arguments),
        layer=INNER, merge_mode=st.sampled_from(["concat", "sum", "ave", "mul", None]), mask=st.booleans(),
    ),
    "TimeDistributed": st.builds(
        lambda steps, layer: Row("TimeDistributed", (2, steps, 5, 2), layer=layer),
        st.integers(1, 3), st.sampled_from([Of("Dense", 3), Of("Conv1D", 2, 2), Of("LSTM", 2), Of("Flatten")]),
    ),
    "ConvLSTM1D": over_frames("ConvLSTM1D", 1),
    "ConvLSTM2D": over_frames("ConvLSTM2D", 2),
    "ConvLSTM3D": over_frames("ConvLSTM3D", 3),
}  # fmt: skip
