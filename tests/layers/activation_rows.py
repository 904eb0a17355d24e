"""Examples of the layers of `layers/activation.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("Activation", (2, 4), activation="gelu"),
    Row("ReLU", (2, 4), max_value=1.0, negative_slope=0.1, threshold=0.2),
    Row("LeakyReLU", (2, 4)),
    Row("PReLU", (2, 5, 4), alpha_initializer="ones", shared_axes=[1], fixed=True),
    Row("ELU", (2, 4), alpha=0.5),
    Row("Softmax", (2, 5, 4), axis=[1, 2]),
    Row("Softmax", (2, 4), mask=True),
]
