"""Examples of the layers that prepare data: numbers, categories and texts."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.layers.row import Row

LETTERS = ["a", "b", "c", "zebra", "a longer one, of more than 16 bytes", "ü", ""]
NUMBERS = [0, 1, 7, 12, -5, 1138, 99999]
TEXTS = ["The sun, the Moon!", "moon  and\tSTARS", "", "Ünï-Çode's the", "sun"]
WORDS = ["the", "sun", "moon", "Ünï"]

ROWS = [
    Row("Normalization", (3, 4)),
    Row("Normalization", (2, 3, 4), axis=[1, 2], invert=True),
    Row("Normalization", (3, 4), axis=None, mean=3.0, variance=4.0),
    Row("Normalization", (3, 2), mean=[1.0, 2.0], variance=[4.0, 0.0]),
    Row("Discretization", (2, 5), bin_boundaries=[-0.5, 0.0, 1.0]),
    Row("Discretization", (2, 5), bin_boundaries=[-0.5, 0.0, 1.0], output_mode="count"),
    Row("Discretization", (2, 1), bin_boundaries=[0.0], output_mode="one_hot"),
    Row("CategoryEncoding", (2, 5), integers=4, num_tokens=4),
    Row("CategoryEncoding", (3, 1), integers=4, num_tokens=4, output_mode="one_hot"),
    Row("CategoryEncoding", (2, 3), integers=4, num_tokens=4, output_mode="count", call={"count_weights": np.array([[0.5, 2.0, 1.0]] * 2, "float32")}),
    Row("Hashing", (2, 5), values=LETTERS, num_bins=7, mask_value="", whole=True),
    Row("Hashing", (2, 5), values=NUMBERS, num_bins=7, salt=[133, 137], output_mode="multi_hot"),
    Row("Hashing", (3, 1), values=LETTERS, num_bins=3, output_mode="one_hot"),
    Row("HashedCrossing", (4, 1), (4, 1), values=(LETTERS, NUMBERS), num_bins=5, whole=True),
    Row("HashedCrossing", (4, 1), (4, 1), values=(LETTERS, LETTERS), num_bins=5, output_mode="one_hot"),
    Row("StringLookup", (2, 5), values=LETTERS, vocabulary=LETTERS[:4]),
    Row("StringLookup", (2, 5), values=LETTERS, vocabulary=LETTERS[:4], mask_token="", num_oov_indices=3, output_mode="count"),
    Row("StringLookup", (2, 5), values=LETTERS, vocabulary=LETTERS[1:4], output_mode="tf_idf", idf_weights=[0.5, 1.5, 2.0], max_tokens=6, pad_to_max_tokens=True),
    Row("IntegerLookup", (2, 5), values=NUMBERS, vocabulary=[12, 7, 1138], num_oov_indices=2),
    Row("IntegerLookup", (3, 1), values=NUMBERS, vocabulary=[12, 7, 1138], mask_token=0, output_mode="one_hot"),
    Row("IntegerLookup", (2, 5), values=[0, 1, 2, 3], vocabulary=[12, 7, 1138], invert=True),
    Row("TextVectorization", (4, 1), values=TEXTS, vocabulary=WORDS, output_sequence_length=3),
    Row("TextVectorization", (4, 1), values=TEXTS, vocabulary=WORDS, ngrams=2, standardize="lower", output_mode="multi_hot"),
    Row("TextVectorization", (4, 1), values=TEXTS, vocabulary=["t", "h", " ", "ü"], split="character", output_mode="tf_idf", idf_weights=[1.0, 2.0, 3.0, 4.0]),
    Row("TextVectorization", (2, 3), values=["sun", "SUN.", "star"], vocabulary=["sun"], split=None, output_sequence_length=4),
]  # fmt: skip

_MODES = st.sampled_from(["int", "one_hot", "multi_hot", "count"])
_BINS, _SHAPES = st.integers(2, 9), st.tuples(st.integers(1, 3), st.integers(1, 4))
_SALTS = st.none() | st.integers(0, 2**40) | st.lists(st.integers(0, 2**40), min_size=2, max_size=2)


@st.composite
def _lookups(draw: Any, name: str, mask: Any, choices: list[Any]) -> Row:
    """A look-up of any output mode."""
    mode = draw(st.sampled_from(["int", "one_hot", "multi_hot", "count", "tf_idf"]))
    vocabulary = draw(st.lists(st.sampled_from([c for c in choices if c != mask]), min_size=1, max_size=4, unique=True))
    weights = [float(i + 1) for i in range(len(vocabulary))] if mode == "tf_idf" else None
    oov, masked, padded = draw(st.integers(1, 3)), draw(st.booleans()), draw(st.booleans())
    return Row(name, draw(_SHAPES), values=choices, vocabulary=vocabulary, idf_weights=weights, output_mode=mode, num_oov_indices=oov,
               mask_token=mask if masked else None, max_tokens=9 if padded else None, pad_to_max_tokens=padded)  # fmt: skip


@st.composite
def _texts(draw: Any) -> Row:
    """Texts in any way to standardize and to split."""
    standardize = draw(st.sampled_from(["lower_and_strip_punctuation", "lower", "strip_punctuation", None]))
    mode, split, ngrams = draw(st.sampled_from(["int", "multi_hot", "count"])), draw(st.sampled_from(["whitespace", "character"])), None
    if split == "whitespace":
        ngrams = draw(st.none() | st.integers(1, 3) | st.tuples(st.integers(1, 3)))
    length = draw(st.none() | st.integers(1, 5)) if mode == "int" else None
    return Row("TextVectorization", (draw(st.integers(1, 4)), 1), values=TEXTS, vocabulary=[*WORDS, "the sun", "t", " "], output_mode=mode,
               standardize=standardize, split=split, ngrams=ngrams, output_sequence_length=length)  # fmt: skip


DRAWN = {
    "Normalization": st.builds(lambda axis, invert: Row("Normalization", (2, 3, 4), axis=axis, invert=invert), st.sampled_from([-1, 1, [1, 2], None]), st.booleans()),
    "Discretization": st.builds(
        lambda shape, bounds, mode: Row("Discretization", shape, bin_boundaries=sorted(bounds), output_mode=mode),
        _SHAPES, st.lists(st.floats(-2, 2, width=16), min_size=1, max_size=4, unique=True), _MODES,
    ),
    "CategoryEncoding": st.builds(
        lambda shape, count, mode: Row("CategoryEncoding", shape, integers=count, num_tokens=count, output_mode=mode),
        _SHAPES, _BINS, st.sampled_from(["one_hot", "multi_hot", "count"]),
    ),
    "Hashing": st.builds(lambda shape, bins, salt, mode: Row("Hashing", shape, values=LETTERS, num_bins=bins, salt=salt, output_mode=mode), _SHAPES, _BINS, _SALTS, _MODES),
    "HashedCrossing": st.builds(
        lambda bins, count, mode: Row("HashedCrossing", (3, 1), *[(3, 1)] * count, values=(LETTERS, *[NUMBERS] * count), num_bins=bins, output_mode=mode),
        _BINS, st.integers(1, 3), st.sampled_from(["int", "one_hot"]),
    ),
    "StringLookup": _lookups("StringLookup", "", LETTERS),
    "IntegerLookup": _lookups("IntegerLookup", 0, NUMBERS),
    "TextVectorization": _texts(),
}  # fmt: skip
