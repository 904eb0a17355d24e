"""Texts as the places of their words in a vocabulary."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keraunos.core.errors import ArgumentError, DataError, ShapeError, suggestion
from keraunos.core.fields import Inherited, Size, Unsupported
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.layers.lookup import StringLookup
from keraunos.layers.preprocessing import CHUNK, Adapting, HostLayer, as_bytes, batches, encoded_shape, on_host, tally
from keraunos.layers.vocabulary import Vocabulary

Words = list[bytes]
_LOWER = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_PUNCTUATION = string.punctuation.encode()
# What each way to standardize does with the letters of ASCII, and what it leaves out.
_STANDARDS: dict[Any, tuple[bytes | None, bytes]] = {
    "lower_and_strip_punctuation": (_LOWER, _PUNCTUATION), "lower": (_LOWER, b""), "strip_punctuation": (None, _PUNCTUATION), None: (None, b""),
}  # fmt: skip
_SPLITS: dict[Any, Callable[[bytes], Words]] = {"whitespace": bytes.split, "character": lambda text: [c.encode() for c in text.decode(errors="replace")]}
_SHARED = ("max_tokens", "vocabulary", "idf_weights", "output_mode", "pad_to_max_tokens", "encoding")


class TextVectorization(HostLayer, Adapting):
    """Texts as the places of their words in a vocabulary, which is given, or found by `adapt`: the most frequent words first.

    Texts are standardized, split, joined to n-grams if wanted, and looked up. It runs on the host: a model that begins with it is trained on strings.

    Args:
        max_tokens: The size of the vocabulary at most, special tokens included.
        standardize: "lower_and_strip_punctuation" (of ASCII), "lower", "strip_punctuation", None, or a function of an array of strings
            that returns as many, as `numpy.strings.lower`.
        split: "whitespace" (of ASCII), "character", None where each sample is its words, `(batch, words)`, or a function of an array of strings that returns a list of words for each.
        ngrams: Up to how many neighbouring words are taken as one; a tuple says exactly how many.
        output_mode: "int" gives the places, as int32, padded with 0; "multi_hot", "count" and "tf_idf" vectors, as in `StringLookup`.
        output_sequence_length: How many places there are for each text in "int": what is more is left out. By default as many as the
            longest of the texts has that are given at once, which for `fit` and `predict` are those of a whole array.
        pad_to_max_tokens: Whether vectors have the length `max_tokens` even if there are fewer tokens.
        vocabulary: The words, or the path of a text file with one a line.
        idf_weights: In "tf_idf" with a given vocabulary, a weight for each word.
        sparse: Not supported.
        ragged: Not supported.
        encoding: The encoding of `bytes`, and of a vocabulary's file.
        name: Its name.

    Shapes:
        Texts `(batch,)` or `(batch, 1)` to `(batch, words)`, or to `(batch, vocabulary)`.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.TextVectorization()
    >>> layer.adapt(["The cat.", "the dog"])
    >>> layer.get_vocabulary(), keras.ops.convert_to_numpy(layer(["The dog barks!", "cat"])).tolist()
    (['', '[UNK]', 'the', 'dog', 'cat'], [[2, 3, 1], [4, 0, 0]])
    """

    max_tokens: int | None = None
    standardize: Any = "lower_and_strip_punctuation"
    split: Any = "whitespace"
    ngrams: Any = None
    output_mode: Literal["int", "multi_hot", "count", "tf_idf"] = "int"
    output_sequence_length: Size | None = None
    pad_to_max_tokens: bool = False
    vocabulary: Any = None
    idf_weights: Any = None
    sparse: Unsupported = False
    ragged: Unsupported = False
    encoding: str = "utf-8"
    if not TYPE_CHECKING:  # checkers know it from the base
        name: Inherited = None

    def setup(self) -> None:
        for argument, options in (("standardize", _STANDARDS), ("split", _SPLITS)):
            value = getattr(self, argument)
            if value is not None and not callable(value) and not (isinstance(value, str) and value in options):
                fix = f"{suggestion(value, [o for o in options if o])} None and functions of an array of strings are taken too"
                raise ArgumentError(f"{argument} cannot be {value!r}.", where=self.name, fix=fix)
        sizes = (self.ngrams,) if isinstance(self.ngrams, int) else self.ngrams
        if sizes is not None and not (isinstance(sizes, tuple) and sizes and all(isinstance(n, int) and n > 0 for n in sizes)):
            raise ArgumentError("ngrams must be a positive integer or a tuple of them.", where=self.name, received=f"ngrams={self.ngrams!r}", fix="ngrams=2")
        self._sizes = tuple(range(1, self.ngrams + 1)) if isinstance(self.ngrams, int) else sizes
        if self.output_sequence_length is not None and self.output_mode != "int":
            fact, fix = f"output_sequence_length goes with output_mode='int', not {self.output_mode!r}.", "vectors have the length of the vocabulary"
            raise ArgumentError(fact, where=self.name, fix=fix)
        self._lookup_layer = StringLookup(mask_token="", dtype=self._policy, name=self.name, **{name: getattr(self, name) for name in _SHARED})
        self.vocabulary, self.idf_weights = self._lookup_layer.vocabulary, self._lookup_layer.idf_weights

    # ---- texts to words ----
    def _words(self, texts: Words, width: int = 1) -> Iterable[Words]:
        """The words, or n-grams, of each sample, which has `width` of the texts: one, or its words if they are not split."""
        table, left_out = _STANDARDS.get(self.standardize, (None, b"")) if not callable(self.standardize) else (None, b"")
        if callable(self.standardize):
            texts = as_bytes(on_host(self._returned("standardize", self.standardize(_strings(texts)), len(texts))))
        elif table or left_out:
            texts = [text.translate(table, left_out) for text in texts]
        if callable(self.split):
            found = self._returned("split", self.split(_strings(texts)), len(texts))
            found = found.to_list() if hasattr(found, "to_list") else found  # a ragged tensor
            words: Iterable[Words] = [as_bytes(np.asarray(row, object)) for row in found]
        elif self.split is None:
            words = (texts[i : i + width] for i in range(0, len(texts), width))
        else:
            words = map(_SPLITS[self.split], texts)
        return words if self._sizes is None else map(self._joined, words)

    def _returned(self, argument: str, found: Any, count: int) -> Any:
        """What a function of the user's returned, which has an entry for each text."""
        entries = found.shape[0] if getattr(found, "shape", None) else len(found) if hasattr(found, "__len__") else None
        if entries != count:
            received = type(found).__name__ if entries is None else f"{entries} entries"
            raise DataError(f"The function {argument}= must return an entry for each text.", where=self.name, received=received, expected=f"{count} entries")
        return found

    def _joined(self, words: Words) -> Words:
        """The n-grams of a text, the shortest first."""
        return [b" ".join(words[i : i + n]) for n in self._sizes or () for i in range(len(words) - n + 1)]

    def _width(self, x: np.ndarray) -> int:
        """How many texts of an array a sample has."""
        return max(x.shape[-1], 1) if self.split is None and x.ndim > (self._sizes is None) else 1

    def _texts(self, x: np.ndarray) -> Words:
        """The texts of an array, of which each sample has one."""
        if self.split is not None and x.ndim > 1 and x.shape[-1] != 1:
            fix = "for several texts a sample, use one layer for each column, or join them"
            raise ShapeError("Each sample has one text.", received=x.shape, expected="(batch,) or (batch, 1)", fix=fix)
        return as_bytes(x, self.encoding)

    # ---- vocabulary ----
    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Find the vocabulary: the most frequent words of data.

        Args:
            data: Texts as an array, a list or a column of a data frame, or what yields batches of them.
            batch_size: How many texts of an array are looked at in one go.
            steps: How many batches to take; all by default.
        """
        self.reset_state()
        for batch in batches(data, steps, batch_size or CHUNK):
            self.update_state(batch)
        self.finalize_state()

    def reset_state(self) -> None:
        self._lookup_layer.reset_state()

    def update_state(self, data: Any) -> None:
        """Look at one more batch."""
        x = np.atleast_1d(on_host(data))
        x = x[:, None] if x.ndim == 1 else x
        texts, width = self._texts(x), self._width(x)
        rows = self._words(texts, width)
        rows = list(rows) if self.output_mode == "tf_idf" else rows  # documents are gone through twice
        self._lookup_layer.count(itertools.chain.from_iterable(rows), rows, len(texts) // width)

    def finalize_state(self) -> None:
        """Make the vocabulary of the batches that it saw."""
        self._lookup_layer.finalize_state()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary in place of one that `adapt` would find; the arguments are those of `StringLookup.set_vocabulary`."""
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)
        self.vocabulary, self.idf_weights = self._lookup_layer.vocabulary, self._lookup_layer.idf_weights

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The words in the order of their places."""
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return self._lookup_layer.vocabulary_size()

    # ---- the call ----
    def call(self, inputs: Any) -> Any:
        texts, lookup, width = self._texts(inputs), self._lookup_layer, self._width(inputs)
        whole = self.split is None and self._sizes is None
        shape = inputs.shape[:-1] if not whole and inputs.ndim > (self.split is not None) else inputs.shape
        lengths, places, size = [], [], max(CHUNK // width, 1) * width
        for start in range(0, max(len(texts), 1), size):
            rows = list(self._words(texts[start : start + size], width))
            lengths.append(np.fromiter(map(len, rows), "int64", len(rows)))
            places.append(lookup.places(list(itertools.chain.from_iterable(rows))))
        count, flat = np.concatenate(lengths), np.concatenate(places)
        count = count if texts else np.zeros(int(np.prod(shape)), "int64")
        if whole:
            return self._padded(lookup.encode(flat.reshape(shape)))
        if self.output_mode != "int":
            rows = np.repeat(np.arange(len(count)), count)
            return tally(rows, flat, len(count), lookup.depth(), self.output_mode, lookup._weights).reshape(*shape, lookup.depth())
        width = count.max(initial=0) if self.output_sequence_length is None else self.output_sequence_length
        found = np.zeros((len(count), width), "int32")
        columns = np.arange(len(flat)) - np.repeat(np.cumsum(count) - count, count)
        kept = columns < width
        found[np.repeat(np.arange(len(count)), count)[kept], columns[kept]] = flat[kept]
        return found.reshape(*shape, width)

    def _padded(self, x: np.ndarray) -> np.ndarray:
        """Places of texts that are not split, as many for each sample as asked for."""
        length = self.output_sequence_length
        if length is None or x.ndim < 2:
            return x
        x = x[..., :length]
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, length - x.shape[-1])])

    def compute_output_spec(self, inputs: Any) -> Any:
        shape, length = tuple(inputs.shape), self.output_sequence_length
        shape = (*shape, 1) if self.split is not None and len(shape) < 2 else shape
        if self.output_mode != "int":
            return Spec(encoded_shape(shape, self.output_mode, self._lookup_layer.depth()), self.compute_dtype)
        if self.split is None and self._sizes is None:
            return Spec(shape if length is None or len(shape) < 2 else (*shape[:-1], length), "int32")
        return Spec((*shape[:-1], length or UNKNOWN), "int32")

    # ---- files ----
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_size": self._lookup_layer.get_config()["vocabulary_size"] or self.vocabulary_size()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result; a vocabulary that `adapt` found is in the model's file."""
        Vocabulary.refuse_paths(config)
        layer = super().from_config({key: value for key, value in config.items() if key != "vocabulary_size"})
        layer._lookup_layer._expected = config.get("vocabulary_size")
        return layer

    def save_assets(self, dir_path: Any) -> None:
        """Write a vocabulary that `adapt` found into a folder."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: Any) -> None:
        """Read what `save_assets` wrote."""
        self._lookup_layer.load_assets(dir_path)

    def save_own_variables(self, store: Any) -> None:
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        self._lookup_layer.load_own_variables(store)


def _strings(texts: Sequence[bytes]) -> np.ndarray:
    """Texts as functions of the user's take them: those of `numpy.strings` do as well as loops."""
    return np.array([text.decode(errors="replace") for text in texts], np.dtypes.StringDType())
