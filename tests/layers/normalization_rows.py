"""Examples of the layers of `layers/normalization.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("BatchNormalization", (6, 4), momentum=0.8),
    Row("BatchNormalization", (3, 4, 5, 2), axis=1, scale=False, epsilon=1e-2),
    Row("BatchNormalization", (3, 5, 2), center=False, mask=True),
    Row("BatchNormalization", (3, 5, 2), trainable=False),
    Row("LayerNormalization", (2, 5, 4)),
    Row("LayerNormalization", (2, 5, 4), axis=[1, 2], center=False, epsilon=1e-2),
]
