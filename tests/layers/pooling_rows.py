"""Examples of the layers of `layers/pooling*.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("MaxPooling1D", (2, 9, 3)),
    Row("MaxPooling2D", (2, 7, 6, 3), pool_size=3, strides=2, padding="same"),
    Row("MaxPooling2D", (2, 6, 7, 2), integers=9, strides=(1, 2)),
    Row("MaxPooling3D", (1, 4, 4, 5, 2)),
    Row("AveragePooling1D", (2, 9, 3), pool_size=3, strides=2, padding="same"),
    Row("AveragePooling2D", (2, 3, 7, 6), pool_size=(2, 3), data_format="channels_first"),
    Row("AveragePooling3D", (1, 4, 4, 5, 2), pool_size=2),
    Row("AdaptiveAveragePooling1D", (2, 7, 3), output_size=3),
    Row("AdaptiveAveragePooling2D", (2, 3, 7, 6), output_size=(3, 2), data_format="channels_first"),
    Row("AdaptiveAveragePooling3D", (1, 4, 4, 5, 2), output_size=2),
    Row("AdaptiveMaxPooling1D", (2, 3, 7), output_size=4, data_format="channels_first"),
    Row("AdaptiveMaxPooling2D", (2, 7, 6, 3), output_size=(4, 2)),
    Row("AdaptiveMaxPooling3D", (1, 4, 4, 5, 2), output_size=(2, 3, 2)),
    Row("GlobalMaxPooling1D", (2, 5, 3)),
    Row("GlobalMaxPooling2D", (2, 4, 5, 3), keepdims=True),
    Row("GlobalMaxPooling3D", (1, 2, 3, 4, 5), data_format="channels_first"),
    Row("GlobalAveragePooling1D", (2, 5, 3)),
    Row("GlobalAveragePooling1D", (2, 5, 3), mask=True, keepdims=True),
    Row("GlobalAveragePooling2D", (2, 4, 5, 3), data_format="channels_first"),
    Row("GlobalAveragePooling3D", (1, 2, 3, 4, 5), keepdims=True),
]


@st.composite
def _rows(draw: Any, name: str) -> Row:
    """Pooling of small inputs of any rank."""
    rank = int(name[-2])
    sizes = st.tuples(*[st.integers(1, 3)] * rank) | st.integers(1, 3)
    options = {"data_format": draw(st.sampled_from(["channels_last", "channels_first"]))}
    if name.startswith("Global"):
        options["keepdims"] = draw(st.booleans())
    elif name.startswith("Adaptive"):
        options["output_size"] = draw(sizes)
    else:
        options |= {"pool_size": draw(sizes), "strides": draw(st.none() | sizes), "padding": draw(st.sampled_from(["valid", "same"]))}
    return Row(name, draw(st.tuples(st.integers(1, 2), *[st.integers(3, 6)] * (rank + 1))), **options)


DRAWN = {row.name: _rows(row.name) for row in ROWS}
