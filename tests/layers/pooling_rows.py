"""Examples of the layers of `layers/pooling.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("MaxPooling1D", (2, 9, 3)),
    Row("MaxPooling2D", (2, 7, 6, 3), pool_size=3, strides=2, padding="same"),
    Row("MaxPooling3D", (1, 4, 4, 5, 2)),
    Row("AveragePooling1D", (2, 9, 3), pool_size=3, strides=2, padding="same"),
    Row("AveragePooling2D", (2, 3, 7, 6), pool_size=(2, 3), data_format="channels_first"),
    Row("AveragePooling3D", (1, 4, 4, 5, 2), pool_size=2),
    Row("GlobalMaxPooling1D", (2, 5, 3)),
    Row("GlobalMaxPooling2D", (2, 4, 5, 3), keepdims=True),
    Row("GlobalMaxPooling3D", (1, 2, 3, 4, 5), data_format="channels_first"),
    Row("GlobalAveragePooling1D", (2, 5, 3)),
    Row("GlobalAveragePooling1D", (2, 5, 3), mask=True, keepdims=True),
    Row("GlobalAveragePooling2D", (2, 4, 5, 3), data_format="channels_first"),
    Row("GlobalAveragePooling3D", (1, 2, 3, 4, 5), keepdims=True),
]
