"""Examples of the layer of `layers/reversible_embedding.py`."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.layers.row import Row

ROWS = [
    Row("ReversibleEmbedding", (2, 5), integers=7, input_dim=7, output_dim=3, mask_zero=True),
    Row("ReversibleEmbedding", (2, 5, 3), input_dim=7, output_dim=3, call={"reverse": True}, fixed=True),
    Row("ReversibleEmbedding", (2, 3), input_dim=7, output_dim=3, logit_soft_cap=0.5, call={"reverse": True}),
]


def _drawn(reverse: bool, tie: bool, cap: float | None, zero: bool) -> Row:
    arguments = {"input_dim": 7, "output_dim": 3, "tie_weights": tie, "logit_soft_cap": cap, "mask_zero": zero}
    return Row("ReversibleEmbedding", (2, 5, 3) if reverse else (2, 5), integers=0 if reverse else 7, call={"reverse": reverse}, **arguments)


DRAWN = {"ReversibleEmbedding": st.builds(_drawn, st.booleans(), st.booleans(), st.none() | st.floats(0.1, 3), st.booleans())}
