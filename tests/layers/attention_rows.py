"""Examples of the layers of `layers/attention.py` and `layers/multi_head_attention.py`."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.layers.row import Row

# Of three queries and of five keys, in a batch of two.
QUERIES = np.array([[1, 1, 0], [1, 1, 1]], bool)
KEYS = np.array([[1, 0, 1, 1, 0], [1, 1, 0, 0, 0]], bool)
PAIR, TRIPLE = ((2, 3, 4), (2, 5, 4)), ((2, 3, 4), (2, 5, 6), (2, 5, 4))

ROWS = [
    Row("Attention", *PAIR),
    Row("Attention", *TRIPLE, use_scale=True, call={"mask": [QUERIES, KEYS], "use_causal_mask": True}),
    Row("Attention", *PAIR, use_scale=True, score_mode="concat", call={"return_attention_scores": True, "use_causal_mask": True}),
    Row("Attention", *PAIR, dropout=0.4, seed=3, random=True),
    Row("AdditiveAttention", *PAIR, call={"mask": [QUERIES, KEYS]}),
    Row("AdditiveAttention", *TRIPLE, use_scale=False, call={"return_attention_scores": True, "use_causal_mask": True}),
    Row("AdditiveAttention", *PAIR, dropout=0.4, random=True),
]


@st.composite
def attention(draw, name, **arguments):
    """A row of one of the layers without heads."""
    batch, queries, keys, features = (draw(st.integers(*n)) for n in ((1, 3), (1, 5), (2, 5), (1, 4)))
    shapes = [(batch, queries, features), (batch, keys, features)]
    call = {"use_causal_mask": draw(st.booleans()), "return_attention_scores": draw(st.booleans())}
    return Row(name, *shapes, *shapes[1 : draw(st.integers(1, 2))], call=call, **{k: draw(v) for k, v in arguments.items()})


DRAWN = {
    "Attention": attention("Attention", use_scale=st.booleans(), score_mode=st.sampled_from(["dot", "concat"])),
    "AdditiveAttention": attention("AdditiveAttention", use_scale=st.booleans()),
}
