"""Examples of the layers of `layers/core.py`."""

from __future__ import annotations

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
