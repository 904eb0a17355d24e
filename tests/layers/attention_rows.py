"""Examples of the layers of `layers/attention.py` and `layers/multi_head_attention.py`."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.layers.row import Row

# Of three queries and of five keys, in a batch of two.
QUERIES = np.array([[1, 1, 0], [1, 1, 1]], bool)
KEYS = np.array([[1, 0, 1, 1, 0], [1, 1, 0, 0, 0]], bool)
PAIRS = np.array([[[1, 0, 1, 1, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]], [[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [1, 0, 1, 0, 0]]], bool)
SMALL = st.integers(1, 3)
PAIR, TRIPLE = ((2, 3, 4), (2, 5, 4)), ((2, 3, 4), (2, 5, 6), (2, 5, 4))

ROWS = [
    Row("Attention", *PAIR),
    Row("Attention", *TRIPLE, use_scale=True, call={"mask": [QUERIES, KEYS], "use_causal_mask": True}),
    Row("Attention", *PAIR, use_scale=True, score_mode="concat", call={"return_attention_scores": True, "use_causal_mask": True}),
    Row("Attention", *PAIR, dropout=0.4, seed=3, random=True),
    Row("AdditiveAttention", *PAIR, call={"mask": [QUERIES, KEYS]}),
    Row("AdditiveAttention", *TRIPLE, use_scale=False, call={"return_attention_scores": True, "use_causal_mask": True}),
    Row("AdditiveAttention", *PAIR, dropout=0.4, random=True),
    Row("MultiHeadAttention", *PAIR, num_heads=2, key_dim=3, spread=True),
    Row("MultiHeadAttention", (2, 3, 4), (2, 5, 6), (2, 5, 4), num_heads=2, key_dim=3, value_dim=5, output_shape=(2, 3), use_gate=True, spread=True,
        call={"return_attention_scores": True, "value_mask": KEYS, "use_causal_mask": True}),
    Row("MultiHeadAttention", *PAIR, num_heads=2, key_dim=3, use_bias=False, sliding_window=2, spread=True,
        call={"attention_mask": PAIRS, "key_mask": KEYS}),
    Row("MultiHeadAttention", (2, 2, 3, 4), (2, 2, 3, 4), num_heads=2, key_dim=3, kernel_regularizer="l2", activity_regularizer="l2", spread=True,
        call={"return_attention_scores": True}),
    Row("MultiHeadAttention", (2, 2, 3, 4), (2, 2, 5, 4), num_heads=2, key_dim=3, attention_axes=2, spread=True, call={"attention_mask": PAIRS}),
    Row("MultiHeadAttention", (2, 3, 2, 4), (2, 5, 2, 4), num_heads=1, key_dim=3, attention_axes=[1], spread=True),
    Row("MultiHeadAttention", *PAIR, num_heads=2, key_dim=3, dropout=0.4, seed=3, random=True, spread=True),
    Row("GroupQueryAttention", *PAIR, head_dim=3, num_query_heads=4, num_key_value_heads=2, spread=True,
        call={"query_mask": QUERIES, "value_mask": KEYS, "return_attention_scores": True}),
    Row("GroupQueryAttention", *PAIR, head_dim=3, num_query_heads=2, num_key_value_heads=1, use_gate=True, use_bias=False, sliding_window=3, spread=True,
        call={"use_causal_mask": True, "attention_mask": PAIRS}),
    Row("GroupQueryAttention", *PAIR, head_dim=3, num_query_heads=2, num_key_value_heads=2, dropout=0.4, random=True, spread=True),
]  # fmt: skip


@st.composite
def attention(draw, name, **arguments):
    """A row of one of the layers without heads."""
    batch, queries, keys, features = (draw(st.integers(*n)) for n in ((1, 3), (1, 5), (2, 5), (1, 4)))
    shapes = [(batch, queries, features), (batch, keys, features)]
    call = {"use_causal_mask": draw(st.booleans()), "return_attention_scores": draw(st.booleans())}
    return Row(name, *shapes, *shapes[1 : draw(st.integers(1, 2))], call=call, **{k: draw(v) for k, v in arguments.items()})


@st.composite
def heads(draw, name, **arguments):
    """A row of one of the layers with heads."""
    batch, queries, keys, features = (draw(st.integers(*n)) for n in ((1, 3), (1, 5), (2, 5), (1, 4)))
    arguments |= {"use_bias": st.booleans(), "use_gate": st.booleans(), "sliding_window": st.none() | st.integers(5, 6)}
    call = {"use_causal_mask": draw(st.booleans()), "return_attention_scores": draw(st.booleans())}
    return Row(name, (batch, queries, features), (batch, keys, 3), spread=True, call=call, **{k: draw(v) for k, v in arguments.items()})


DRAWN = {
    "Attention": attention("Attention", use_scale=st.booleans(), score_mode=st.sampled_from(["dot", "concat"])),
    "AdditiveAttention": attention("AdditiveAttention", use_scale=st.booleans()),
    "MultiHeadAttention": heads("MultiHeadAttention", num_heads=SMALL, key_dim=SMALL, output_shape=st.none() | SMALL | st.tuples(SMALL, SMALL)),
    "GroupQueryAttention": SMALL.flatmap(
        lambda shared: heads("GroupQueryAttention", head_dim=SMALL, num_key_value_heads=st.just(shared), num_query_heads=SMALL.map(shared.__mul__))
    ),
}
