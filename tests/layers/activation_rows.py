"""Examples of the layers of `layers/activation.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from keraunos import activations
from tests.layers.core_rows import SHAPES
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

_NAMES = sorted(name for name in activations.__all__ if name not in ("get", "serialize", "deserialize"))


def _drawn(name: str, shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES, **options: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    return st.builds(lambda shape, chosen: Row(name, shape, **chosen), shapes, st.fixed_dictionaries(options))


_SMALL = st.floats(0, 2)
DRAWN = {
    "Activation": _drawn("Activation", st.just((4, 6)), activation=st.sampled_from(_NAMES)),
    "ReLU": _drawn("ReLU", max_value=st.none() | st.floats(0.5, 2), negative_slope=_SMALL, threshold=st.floats(0, 0.5)),
    "LeakyReLU": _drawn("LeakyReLU", negative_slope=_SMALL),
    "PReLU": _drawn("PReLU", st.just((2, 3, 4)), shared_axes=st.sampled_from([None, [1], [2], [1, 2]])),
    "ELU": _drawn("ELU", alpha=_SMALL),
    "Softmax": _drawn("Softmax", st.just((2, 3, 4)), axis=st.sampled_from([-1, 1, 2, [1, 2], [-1, -2]])),
}
