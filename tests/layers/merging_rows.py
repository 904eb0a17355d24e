"""Examples of the layers of `layers/merging.py`."""

from __future__ import annotations

from hypothesis import strategies as st

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


def _elementwise(name: str) -> st.SearchStrategy[Row]:
    shapes = st.lists(st.sampled_from([(2, 4, 3), (2, 1, 3), (2, 4, 1), (2, 1, 1)]), min_size=2, max_size=2 if name == "Subtract" else 4)
    return st.builds(lambda shapes: Row(name, *shapes), shapes)


@st.composite
def _joined(draw: st.DrawFn) -> Row:
    axis = draw(st.sampled_from([1, 2, 3, -1, -2, -3]))
    sizes = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    return Row("Concatenate", *(tuple(n if i == axis % 4 else 2 for i in range(4)) for n in sizes), axis=axis)


@st.composite
def _dotted(draw: st.DrawFn) -> Row:
    ranks, normalize = draw(st.tuples(st.integers(2, 4), st.integers(2, 4))), draw(st.booleans())
    axes = tuple(draw(st.integers(1, rank - 1)) for rank in ranks)
    shapes = [tuple(2 if i == 0 else 3 if i == axis else 4 + i for i in range(rank)) for rank, axis in zip(ranks, axes, strict=True)]
    return Row("Dot", *shapes, axes=axes[0] if axes[0] == axes[1] and draw(st.booleans()) else axes, normalize=normalize)


DRAWN = {name: _elementwise(name) for name in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")}
DRAWN |= {"Concatenate": _joined(), "Dot": _dotted()}
