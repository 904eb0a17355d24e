"""Examples of the layers of `layers/regularization.py`."""

from __future__ import annotations

from tests.layers.row import Row

ROWS = [
    Row("Dropout", (20, 20), rate=0.4, seed=1, random=True),
    Row("Dropout", (20, 20), rate=0.0),
    Row("GaussianNoise", (20, 20), stddev=0.3, seed=1, random=True),
]
