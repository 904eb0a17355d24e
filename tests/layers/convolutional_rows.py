"""Examples of the layers of `layers/convolutional*.py`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding="causal", dilation_rate=2),
    Row("Conv1D", (2, 4, 9), filters=6, kernel_size=3, padding="causal", strides=2, data_format="channels_first"),
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, strides=2, groups=2, use_bias=False),
    Row("Conv2D", (2, 7, 6, 3), filters=4, kernel_size=(3, 2), strides=2, padding="same", activation="relu"),
    Row("Conv2D", (2, 3, 7, 6), filters=4, kernel_size=3, data_format="channels_first", dilation_rate=(1, 2)),
    Row("Conv3D", (1, 4, 5, 4, 2), filters=3, kernel_size=2, padding="same"),
    Row("Conv1DTranspose", (2, 5, 3), filters=4, kernel_size=3, strides=2, padding="same", output_padding=1, activation="tanh"),
    Row("Conv1DTranspose", (1, 3, 5), filters=2, kernel_size=2, strides=3, data_format="channels_first", use_bias=False),
    Row("Conv2DTranspose", (2, 4, 5, 3), filters=2, kernel_size=(3, 2), strides=(2, 1), output_padding=(1, 0)),
    Row("Conv2DTranspose", (2, 3, 4, 5), filters=2, kernel_size=3, dilation_rate=(1, 2), padding="same", data_format="channels_first"),
    Row("Conv3DTranspose", (1, 2, 3, 2, 2), filters=3, kernel_size=2, strides=2, padding="same"),
    Row("DepthwiseConv1D", (2, 9, 3), kernel_size=3, strides=2, padding="same", depth_multiplier=2),
    Row("DepthwiseConv1D", (2, 3, 9), kernel_size=2, dilation_rate=2, data_format="channels_first", use_bias=False),
    Row("DepthwiseConv2D", (2, 6, 7, 3), kernel_size=(3, 2), strides=2, dilation_rate=(1, 2), activation="relu"),
    Row("DepthwiseConv2D", (2, 3, 6, 7), kernel_size=3, padding="same", depth_multiplier=2, data_format="channels_first"),
    Row("SeparableConv1D", (2, 9, 3), filters=4, kernel_size=3, depth_multiplier=2, padding="same", activation="tanh"),
    Row("SeparableConv1D", (2, 3, 9), filters=4, kernel_size=3, strides=2, data_format="channels_first", use_bias=False),
    Row("SeparableConv2D", (2, 6, 7, 3), filters=4, kernel_size=(2, 3), strides=2),
    Row("SeparableConv2D", (2, 3, 6, 7), filters=2, kernel_size=2, dilation_rate=(2, 1), depth_multiplier=2, data_format="channels_first"),
]  # fmt: skip


@st.composite
def _rows(draw: Any, name: str) -> Row:
    """A layer of any rank and kind, with few elements."""
    rank = int(name.removesuffix("Transpose")[-2])
    several = st.tuples(*[st.integers(1, 2)] * rank) | st.integers(1, 2)
    data_format, groups = draw(st.sampled_from(["channels_last", "channels_first"])), draw(st.sampled_from([1, 2]))
    spatial, channels = draw(st.tuples(*[st.integers(5, 6)] * rank)), groups * draw(st.integers(1, 2))
    shape = (*spatial, channels) if data_format == "channels_last" else (channels, *spatial)
    options = {
        "kernel_size": draw(st.tuples(*[st.integers(1, 3)] * rank) | st.integers(1, 3)),
        "padding": draw(st.sampled_from(["valid", "same", *["causal"] * (name == "Conv1D")])),
        "data_format": data_format,
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from([None, "tanh", "softplus"])),
    }
    if draw(st.booleans()):
        options["dilation_rate"] = draw(several)
    if "dilation_rate" not in options or "Conv" not in name[:4]:
        options["strides"] = draw(several)
    if "Depthwise" not in name:
        options["filters"] = groups * draw(st.integers(1, 2))
    if "Transpose" in name:
        options["output_padding"] = 0 if draw(st.booleans()) else None
    elif "Conv" in name[:4]:
        options["groups"] = groups
    else:
        options["depth_multiplier"] = draw(st.integers(1, 2))
    return Row(name, (draw(st.integers(1, 2)), *shape), **options)


DRAWN = {row.name: _rows(row.name) for row in ROWS}
