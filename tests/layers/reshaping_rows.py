"""Examples of the layers of `layers/reshaping.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Flatten", (2, 3, 4), fixed=True),
    Row("Flatten", (2, 3, 4, 5), data_format="channels_first", fixed=True),
    Row("Reshape", (2, 3, 4), target_shape=(2, -1), fixed=True),
    Row("Reshape", (2, 3, 4), integers=5, target_shape=(6, 1, 2), fixed=True),
    Row("Permute", (2, 3, 4, 5), dims=(3, 1, 2)),
    Row("RepeatVector", (2, 3), n=4),
]

_SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@st.composite
def _reshaped(draw: Any) -> Row:
    shape = draw(_SHAPES)
    target = list(draw(st.permutations(shape)))
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    return Row("Reshape", (2, *shape), target_shape=tuple(target))


@st.composite
def _permuted(draw: Any) -> Row:
    shape = draw(_SHAPES)
    return Row("Permute", (2, *shape), dims=tuple(draw(st.permutations(range(1, len(shape) + 1)))))


DRAWN = {
    "Flatten": st.builds(lambda shape, order: Row("Flatten", (2, *shape), data_format=order), _SHAPES, st.sampled_from([None, "channels_first"])),
    "Reshape": _reshaped(),
    "Permute": _permuted(),
    "RepeatVector": st.builds(lambda size, n: Row("RepeatVector", (2, size), n=n), st.integers(1, 4), st.integers(1, 4)),
}
