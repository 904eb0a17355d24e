"""Examples of the layer of `layers/masking.py`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Masking", (2, 5, 3)),
    Row("Masking", (2, 5, 1), integers=3, mask_value=2),
]

DRAWN = {"Masking": st.builds(lambda value, features: Row("Masking", (2, 6, features), integers=3, mask_value=value), st.integers(0, 3), st.integers(1, 2))}
