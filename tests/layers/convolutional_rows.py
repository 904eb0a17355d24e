"""Examples of the layers of `layers/convolutional.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding="causal", dilation_rate=2),
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, strides=2, groups=2, use_bias=False),
    Row("Conv2D", (2, 7, 6, 3), filters=4, kernel_size=(3, 2), strides=2, padding="same", activation="relu"),
    Row("Conv2D", (2, 3, 7, 6), filters=4, kernel_size=3, data_format="channels_first", dilation_rate=(1, 2)),
    Row("Conv3D", (1, 4, 5, 4, 2), filters=3, kernel_size=2, padding="same"),
]
