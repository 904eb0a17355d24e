"""Examples of the layers of `layers/margins.py` and `layers/upsampling.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Cropping1D", (2, 9, 3)),
    Row("Cropping1D", (2, 9, 3), integers=5, cropping=(0, 2)),
    Row("Cropping2D", (2, 7, 6, 3), cropping=((1, 0), (2, 3))),
    Row("Cropping2D", (2, 3, 7, 6), cropping=(1, 2), data_format="channels_first"),
    Row("Cropping3D", (1, 4, 5, 6, 2), cropping=((1, 0), (0, 0), (1, 2))),
    Row("ZeroPadding1D", (2, 9, 3), padding=(2, 1)),
    Row("ZeroPadding1D", (2, 3, 9), data_format="channels_first"),
    Row("ZeroPadding2D", (2, 3, 4, 5), padding=((1, 0), (2, 1)), data_format="channels_first"),
    Row("ZeroPadding2D", (2, 4, 5, 3), integers=5, padding=(0, 1)),
    Row("ZeroPadding3D", (1, 2, 3, 4, 2), padding=1),
    Row("UpSampling1D", (2, 4, 3), size=3),
    Row("UpSampling2D", (2, 4, 5, 3), size=(2, 3)),
    Row("UpSampling2D", (2, 3, 4, 5), interpolation="bilinear", data_format="channels_first"),
    Row("UpSampling2D", (2, 4, 5, 3), size=3, interpolation="bicubic"),
    Row("UpSampling3D", (1, 2, 3, 2, 2), size=(1, 2, 3), data_format="channels_first"),
]


@st.composite
def _rows(draw: Any, name: str) -> Row:
    """Inputs of any rank, large enough for what is cut off."""
    rank = int(name[-2])
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    margins = st.integers(0, 2) | (pair if rank == 1 else st.tuples(*[st.integers(0, 2) | pair] * rank))
    options: dict[str, Any] = {}
    if name not in ("Cropping1D", "UpSampling1D"):
        options["data_format"] = draw(st.sampled_from(["channels_last", "channels_first"]))
    if name == "UpSampling2D":
        options["interpolation"] = draw(st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"]))
    if name.startswith("Up"):
        options["size"] = draw(st.integers(1, 3) if rank == 1 else st.integers(1, 3) | st.tuples(*[st.integers(1, 3)] * rank))
    else:
        options["cropping" if name.startswith("Cropping") else "padding"] = draw(margins)
    return Row(name, draw(st.tuples(st.integers(1, 2), *[st.integers(5, 6)] * (rank + 1))), **options)


DRAWN = {row.name: _rows(row.name) for row in ROWS}
