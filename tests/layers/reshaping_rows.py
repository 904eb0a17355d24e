"""Examples of the layers of `layers/reshaping.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("Flatten", (2, 3, 4), fixed=True),
    Row("Flatten", (2, 3, 4, 5), data_format="channels_first", fixed=True),
    Row("Reshape", (2, 3, 4), target_shape=(2, -1), fixed=True),
    Row("Permute", (2, 3, 4, 5), dims=(3, 1, 2)),
    Row("RepeatVector", (2, 3), n=4),
    Row("Rescaling", (2, 3), scale=0.5, offset=-1.0),
    Row("Rescaling", (2, 3), scale=[0.5, 1.0, 2.0]),
]
