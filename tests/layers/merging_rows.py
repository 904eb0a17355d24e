"""Examples of the layers of `layers/merging.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("Add", (2, 5, 3), (2, 5, 3), (2, 1, 3)),
    Row("Subtract", (2, 3), (2, 3)),
    Row("Multiply", (2, 5, 3), (2, 3)),
    Row("Average", (2, 3), (2, 3), (2, 3)),
    Row("Maximum", (2, 3), (2, 3)),
    Row("Minimum", (2, 3), (2, 3), (2, 1)),
    Row("Concatenate", (2, 3), (2, 4)),
    Row("Concatenate", (2, 3, 4), (2, 2, 4), axis=1),
    Row("Dot", (2, 3), (2, 3), axes=1, normalize=True),
    Row("Dot", (2, 3, 4), (2, 5, 3), axes=(1, 2)),
]
