"""Examples of the layers of `layers/wrapper.py`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.row import Of, Row

ROWS = [
    Row("SpectralNormalization", (4, 3), layer=Of("Dense", 2), power_iterations=30),
    Row("SpectralNormalization", (2, 5, 4, 2), layer=Of("Conv2D", 3, 2, padding="same", activation="tanh"), power_iterations=30),
    Row("SpectralNormalization", (2, 5), integers=7, layer=Of("Embedding", 7, 2), power_iterations=30, peer=False),
]


def _normalized(units: int, iterations: int) -> Row:
    return Row("SpectralNormalization", (4, 3), layer=Of("Dense", units, activation="tanh"), power_iterations=iterations)


DRAWN = {"SpectralNormalization": st.builds(_normalized, st.integers(1, 4), st.integers(1, 3))}
