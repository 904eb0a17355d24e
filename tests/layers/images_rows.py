"""Examples of the layers of `layers/images.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Resizing", (2, 7, 6, 3), height=4, width=8),
    Row("Resizing", (2, 3, 7, 6), height=9, width=3, interpolation="bicubic", antialias=True, data_format="channels_first"),
    Row("Resizing", (2, 9, 7, 3), integers=256, height=5, width=9, crop_to_aspect_ratio=True),
    Row("Resizing", (2, 4, 6, 3), height=8, width=6, interpolation="nearest", pad_to_aspect_ratio=True, fill_value=-1.5),
    Row("CenterCrop", (2, 7, 6, 3), height=4, width=3),
    Row("CenterCrop", (2, 3, 7, 6), height=5, width=8, data_format="channels_first"),
    Row("CenterCrop", (2, 5, 5, 1), integers=256, height=2, width=5),
    Row("Rescaling", (2, 3), scale=0.5, offset=-1.0),
    Row("Rescaling", (2, 4, 4, 3), integers=256, scale=[0.5, 1.0, 2.0]),
]

_METHODS = st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])


@st.composite
def _images(draw: Any, name: str) -> Row:
    """Images of 2 to 8 pixels a side, to be made of 1 to 9."""
    options: dict[str, Any] = {"height": draw(st.integers(1, 9)), "width": draw(st.integers(1, 9))}
    options["data_format"] = draw(st.sampled_from(["channels_last", "channels_first"]))
    shape = draw(st.tuples(st.integers(1, 2), *[st.integers(2, 8)] * 3))
    if name == "Resizing":
        ratio = draw(st.sampled_from([{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 0.5}]))
        options |= {"interpolation": draw(_METHODS), "antialias": draw(st.booleans()), **ratio}
    return Row(name, shape, **options)


_NUMBERS = st.floats(-2, 2, width=32)
DRAWN = {
    "Resizing": _images("Resizing"),
    "CenterCrop": _images("CenterCrop"),
    "Rescaling": st.builds(lambda scale, offset: Row("Rescaling", (2, 4, 3), scale=scale, offset=offset), st.tuples(*[_NUMBERS] * 3).map(list), _NUMBERS),
}
