"""Attention beyond the contract of all layers: masks that tensors carry, equal numbers on both ways, errors."""

from __future__ import annotations

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core import masks
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ShapeError
from tests.layers.attention_rows import KEYS, PAIRS, QUERIES
from tests.layers.row import close, flat

rng = np.random.default_rng(0)


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


def masked(x, mask):
    """A tensor that carries a mask."""
    x = ops.convert_to_tensor(x)
    masks.set_mask(x, ops.convert_to_tensor(mask))
    return x


HEADS = {
    "MultiHeadAttention": lambda **kwargs: layers.MultiHeadAttention(2, 3, **kwargs),
    "GroupQueryAttention": lambda **kwargs: layers.GroupQueryAttention(3, 4, 2, **kwargs),
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("causal", [False, True])
def test_masks_of_tensors_are_those_of_arguments(backend, kind, causal):
    query, value, layer = floats(2, 3, 4), floats(2, 5, 4), HEADS[kind]()
    given, scores = layer(query, value, query_mask=QUERIES, value_mask=KEYS, use_causal_mask=causal, return_attention_scores=True)
    carried, same = layer(masked(query, QUERIES), masked(value, KEYS), use_causal_mask=causal, return_attention_scores=True)
    close(flat([carried, same]), flat([given, scores]))
    assert masks.get_mask(carried) is not None and masks.get_mask(same) is None
    seen = QUERIES[:, :, None] & KEYS[:, None] & (np.tri(3, 5, dtype=bool) if causal else True)
    close(flat(scores)[0], np.where(seen[:, None], flat(scores)[0], 0))
    assert (flat(scores)[0] > 0).sum() == seen.sum() * scores.shape[1]


@pytest.mark.parametrize("kind", HEADS)
def test_both_ways_give_equal_numbers(backend, kind):
    query, value, layer = floats(2, 3, 4), floats(2, 5, 4), HEADS[kind](use_gate=True, sliding_window=4)
    options = [{}, {"use_causal_mask": True}, {"value_mask": KEYS}, {"attention_mask": PAIRS}, {"attention_mask": PAIRS[0]}, {"attention_mask": PAIRS[:, None]}]
    for settings in options:
        close(flat(layer(query, value, **settings)), flat(layer(query, value, return_attention_scores=True, **settings)[0]))


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("causal", [False, True])
def test_queries_that_see_no_key_get_nothing_where_weights_are_dropped(backend, kind, causal):
    """With or without scores, and as in training, where their weights are 0: what stays is the bias."""
    query, value = floats(2, 3, 4), floats(2, 5, 4)
    layer, mask = HEADS[kind](dropout=0.5, bias_initializer="ones"), np.array([[False] * 5, [True] * 5])
    out = flat(layer(query, value, value_mask=mask, use_causal_mask=causal))[0]
    close(out[0], np.ones((3, 4)))
    close(out, flat(layer(query, value, value_mask=mask, use_causal_mask=causal, return_attention_scores=True))[0])


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2), (2, 1)])
def test_axes_that_are_not_attended_are_like_a_batch(backend, axes):
    """Each slice along the others by itself gives the same; masks of the whole are masks of the slices."""
    x, layer = floats(2, 3, 4, 5), layers.MultiHeadAttention(2, 3, attention_axes=axes)
    mask = rng.random((2, 3, 4)) > 0.3
    mask[:, 0] = mask[:, :, 0] = True
    out = flat(layer(x, x, value_mask=mask))[0]
    if len(axes) == 2:
        one = layers.MultiHeadAttention(2, 3)
        one.build((2, 12, 5), (2, 12, 5))
        one.set_weights(layer.get_weights())
        close(out.reshape(2, 12, 5), flat(one(x.reshape(2, 12, 5), x.reshape(2, 12, 5), value_mask=mask.reshape(2, 12)))[0])
        return
    one = layers.MultiHeadAttention(2, 3)
    one.build((2, 4, 5), (2, 4, 5))
    one.set_weights(layer.get_weights())
    for i in range(x.shape[3 - axes[0]]):
        part, seen, wanted = (np.take(a, i, 3 - axes[0]) for a in (x, mask, out))
        close(flat(one(part, part, value_mask=seen))[0], wanted)


def test_masks_with_heads_and_further_axes(backend):
    x, heads = floats(2, 3, 4, 5), 2
    layer = layers.MultiHeadAttention(heads, 3, attention_axes=2)
    mask = rng.random((2, 3, heads, 4, 4)) > 0.4
    mask[..., 0] = True
    _, scores = layer(x, x, attention_mask=mask, return_attention_scores=True)
    np.testing.assert_array_equal(flat(scores)[0] > 0, mask)
    _, scores = layer(x, x, attention_mask=mask[:, :, 0], return_attention_scores=True)
    np.testing.assert_array_equal(flat(scores)[0] > 0, np.broadcast_to(mask[:, :, :1], mask.shape))


def test_dropout_of_weights_keeps_the_mean(backend):
    x, value = np.zeros((1, 200, 2), "float32"), np.ones((1, 50, 2), "float32")
    for layer in (layers.Attention(dropout=0.5, seed=1), layers.AdditiveAttention(dropout=0.5, seed=1)):
        out = flat(layer([x, value], training=True))[0]
        assert np.std(out) > 0.05 and abs(out.mean() - 1) < 0.05
        close(flat(layer([x, value]))[0], np.ones((1, 200, 2)))


def test_models_with_unknown_numbers_of_places(backend):
    query, value = keraunos.Input((None, 4)), keraunos.Input((None, 4))
    layer = layers.MultiHeadAttention(2, 3, sliding_window=3)
    model = keraunos.Model([query, value], layer(query, value, use_causal_mask=True))
    for queries, keys in ((3, 5), (1, 2)):
        x = [floats(2, queries, 4), floats(2, keys, 4)]
        close(model.predict(x, verbose=0), flat(layer(*x, use_causal_mask=True))[0])


def test_a_model_with_a_mask_of_its_embedding(backend):
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
    inputs = keraunos.Input((4,), dtype="int32")
    x = layers.Embedding(5, 6, mask_zero=True)(inputs)
    layer = layers.MultiHeadAttention(2, 3)
    model = keraunos.Model(inputs, layer(x, x, return_attention_scores=True)[1])
    scores = model.predict(ids, verbose=0)
    np.testing.assert_array_equal(scores > 0, np.broadcast_to((ids > 0)[:, None, :, None] & (ids > 0)[:, None, None, :], scores.shape))


def test_projections_begin_differently():
    layer = layers.MultiHeadAttention(2, 3)
    layer(floats(1, 2, 4), floats(1, 2, 4))
    query, key = (part.kernel.numpy() for part in (layer.query_dense, layer.key_dense))
    assert np.abs(query - key).max() > 0.01


Q, V = floats(2, 3, 4), floats(2, 5, 4)
MISTAKES = {
    "no value": (lambda: layers.MultiHeadAttention(2, 3)(Q), ArgumentTypeError, "lacks the argument 'value'"),
    "two axes": (lambda: layers.MultiHeadAttention(2, 3)(Q[0], V[0]), ShapeError, r"query has 2 axes.*\(batch, places, features\)"),
    "batches": (lambda: layers.MultiHeadAttention(2, 3)(Q, V[:1]), ShapeError, r"query and key do not fit.*query \(2, 3, 4\)"),
    "keys without values": (lambda: layers.MultiHeadAttention(2, 3)(Q, V, V[:, :4]), ShapeError, "each value needs a key"),
    "axes": (lambda: layers.MultiHeadAttention(2, 3, attention_axes=0)(Q, V), ShapeError, r"some of \(1,\)"),
    "rest": (lambda: layers.MultiHeadAttention(2, 3, attention_axes=2)(floats(1, 2, 5, 4), floats(1, 3, 5, 4)), ShapeError, r"attended axes \(2,\) only"),
    "query_mask": (lambda: layers.MultiHeadAttention(2, 3)(Q, V, query_mask=KEYS), ShapeError, r"query_mask does not fit.*\(2, 3\): batch, queries"),
    "value_mask": (lambda: layers.MultiHeadAttention(2, 3)(Q, V, value_mask=QUERIES), ShapeError, r"value_mask does not fit.*\(2, 5\): batch, keys"),
    "attention_mask": (lambda: layers.MultiHeadAttention(2, 3)(Q, V, attention_mask=PAIRS[..., :4]), ShapeError, r"\(2, 3, 5\): batch, queries and keys"),
    "flash": (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(Q, V), BackendError, "no flash attention"),
    "flash, dropout": (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True, dropout=0.1), ArgumentError, "has no dropout"),
    "flash, scores": (
        lambda: layers.MultiHeadAttention(2, 3, flash_attention=True)(Q, V, return_attention_scores=True), ArgumentError, "does not compute the scores",
    ),
    "heads": (lambda: layers.GroupQueryAttention(3, 4, 3), ArgumentError, "num_key_value_heads=2"),
    "four axes": (lambda: layers.GroupQueryAttention(3, 4, 2)(Q[None], V[None]), ShapeError, "MultiHeadAttention attends over several axes"),
    "no list": (lambda: layers.Attention()(Q), ArgumentTypeError, r"\[query, value\]"),
    "four inputs": (lambda: layers.Attention()([Q, V, V, V]), ArgumentError, "4 inputs"),
    "features": (lambda: layers.Attention()([Q, V[..., :3]]), ShapeError, r"4 features, a key 3.*Dense\(4\)"),
    "one mask": (lambda: layers.Attention()([Q, V], mask=QUERIES), ArgumentError, "masks are a list of two"),
    "mask": (lambda: layers.Attention()([Q, V], mask=[KEYS, None]), ShapeError, "mask of query does not fit"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(backend, mistake):
    make, error, words = MISTAKES[mistake]
    with pytest.raises(error, match=f"(?s){words}"):
        make()
