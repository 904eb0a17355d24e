"""Examples of the layers of `layers/core.py`."""

from __future__ import annotations

from hypothesis import strategies as st

import keraunos
from tests.layers.row import Row

ROWS = [
    Row("Dense", (2, 3), units=4),
    Row("Dense", (2, 5, 3), units=4, activation="relu", use_bias=False, kernel_initializer="he_normal", kernel_regularizer="l2"),
    Row("Embedding", (2, 5), integers=7, input_dim=7, output_dim=3),
    Row("Embedding", (2, 5), integers=7, input_dim=7, output_dim=3, mask_zero=True),
    Row("Identity", (2, 4)),
    Row("Lambda", (2, 4), function=keraunos.activations.tanh, peer=False),
]

SHAPES = st.sampled_from([(1, 3), (4, 3), (2, 5, 3), (2, 2, 3, 2)])
_ACTIVATIONS = st.sampled_from([None, "relu", "tanh", "softmax", "gelu", "swish", "log_softmax", "exponential"])


def _dense(shape: tuple[int, ...], units: int, activation: str | None, use_bias: bool) -> Row:
    return Row("Dense", shape, units=units, activation=activation, use_bias=use_bias)


def _embedding(shape: tuple[int, ...], rows: int, size: int, mask_zero: bool) -> Row:
    return Row("Embedding", shape, integers=rows, input_dim=rows, output_dim=size, mask_zero=mask_zero)


DRAWN = {
    "Dense": st.builds(_dense, SHAPES, st.integers(1, 5), _ACTIVATIONS, st.booleans()),
    "Embedding": st.builds(_embedding, st.sampled_from([(3,), (2, 5), (2, 3, 2)]), st.integers(2, 9), st.integers(1, 4), st.booleans()),
    "Identity": st.builds(lambda shape: Row("Identity", shape), SHAPES),
}
