"""`IndexLookup`: what look-ups of strings and of integers share."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from keraunos.core.errors import ArgumentError, DataError, StateError
from keraunos.core.fields import Unsupported
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.layers.hashing import key_of
from keraunos.layers.preprocessing import encoded_on_host, encoded_shape, not_adapted, on_host, whole_numbers
from keraunos.layers.vocabulary import Vocabulary

_UNKNOWN = -1  # the place of what is not in the vocabulary


class IndexLookup(Vocabulary):
    """The base of look-ups: tokens as their places in a vocabulary, and back; a subclass says what tokens are."""

    invert: bool = False
    output_mode: Literal["int", "one_hot", "multi_hot", "count", "tf_idf"] = "int"
    sparse: Unsupported = False
    pad_to_max_tokens: bool = False
    salt: Any = None
    oov_method = "floormod"
    token_dtype = "string"

    def setup(self) -> None:
        problem = None
        if self.max_tokens is not None and self.max_tokens < 2:
            problem = f"max_tokens must be at least 2, not {self.max_tokens}."
        elif self.pad_to_max_tokens and self.max_tokens is None:
            problem = "pad_to_max_tokens needs max_tokens."
        elif self.invert and self.output_mode != "int":
            problem = f"invert goes from indices to tokens: output_mode cannot be {self.output_mode!r}."
        elif self.idf_weights is not None and self.output_mode != "tf_idf":
            problem = f"idf_weights go with output_mode='tf_idf', not {self.output_mode!r}."
        elif self.max_tokens is not None and self.max_tokens <= len(self._special()):
            problem = f"max_tokens={self.max_tokens} leaves no place for a token besides the {len(self._special())} special ones."
        if problem:
            raise ArgumentError(problem, where=self.name, fix="see help(keras.layers.StringLookup) for what the options mean together")
        self.reads = "int64" if self.invert else self.reads
        self._key = key_of(self.salt, self.name)
        self.salt = None if self._key is None else list(self._key)
        super().setup()
        self.reset_state()

    # ---- what a token is ----
    def keys_in(self, x: np.ndarray) -> list[Any]:
        """The elements of an array as keys of the table."""
        raise NotImplementedError

    def spread(self, keys: Sequence[Any]) -> np.ndarray:
        """For keys that are not in the vocabulary, which of the places for them each takes."""
        raise NotImplementedError

    # ---- what it learns ----
    def reset_state(self) -> None:
        self._counts: collections.Counter[Any] = collections.Counter()
        self._documents: collections.Counter[Any] = collections.Counter()
        self._seen = 0

    def update_state(self, data: Any) -> None:
        """Look at one more batch."""
        x = on_host(data)
        x = x.reshape(len(x), -1) if x.ndim > 1 else x.reshape(-1, 1)
        keys, width = self.keys_in(x), x.shape[1]
        self.count(keys, (keys[i : i + width] for i in range(0, len(keys), width)), len(x))

    def count(self, keys: Iterable[Any], documents: Iterable[Iterable[Any]], number: int) -> None:
        """Note the tokens of `number` samples, and for "tf_idf" those of each."""
        if self._static:
            raise StateError("The vocabulary was given: there is nothing to adapt.", where=self.name, fix="make the layer without vocabulary=")
        self._counts.update(keys)
        if self.output_mode == "tf_idf":
            self._documents.update(itertools.chain.from_iterable(map(set, documents)))
            self._seen += number

    def finalize_state(self) -> None:
        """Make the vocabulary of the most frequent tokens; of equally frequent ones, the last by the alphabet first."""
        if self._static or not self._counts:
            return
        special = self._special()
        for token in (self.mask_token, self.oov_token):
            self._counts.pop(None if token is None else self.key(token), None)
        room = None if self.max_tokens is None else max(self.max_tokens - len(special), 0)
        keys = [key for key, _ in sorted(self._counts.items(), key=lambda item: item[::-1], reverse=True)[:room]]
        documents = np.array([self._documents[key] for key in keys], "float64")
        self._index(keys)
        self._weigh(np.log1p(self._seen / (1 + documents)) if self.output_mode == "tf_idf" else None)
        IndexLookup.reset_state(self)

    # ---- the call ----
    def places(self, keys: Sequence[Any]) -> np.ndarray:
        """The place of each key; a negative one where vectors have none."""
        if not self._tokens:
            raise not_adapted(self.name, "vocabulary yet")
        found = np.fromiter(map(self._table.get, keys, itertools.repeat(_UNKNOWN)), "int64", len(keys))
        unknown = np.flatnonzero(found == _UNKNOWN)
        if unknown.size:
            if self.num_oov_indices == 0:
                shown = self.shown(keys[unknown[0]])
                raise DataError(f"{shown!r} is not in the vocabulary, and num_oov_indices=0.", fix="num_oov_indices=1")
            found[unknown] = len(self._special()) - self.num_oov_indices
            if self.num_oov_indices > 1:
                found[unknown] += self.spread([keys[i] for i in unknown.tolist()])
        return found

    def depth(self) -> Any:
        """The length of vectors; unknown before there is a vocabulary."""
        known = self.vocabulary_size() if self._tokens else self._expected or UNKNOWN
        return self.max_tokens if self.pad_to_max_tokens else known

    def encode(self, places: np.ndarray) -> np.ndarray:
        """Places in the output mode."""
        return encoded_on_host(places, self.output_mode, self.depth(), self._weights)

    def call(self, inputs: Any) -> Any:
        if not self.invert:
            return self.encode(self.places(self.keys_in(inputs)).reshape(inputs.shape))
        if not self._tokens:
            raise not_adapted(self.name, "vocabulary yet")
        inputs = whole_numbers(inputs)
        tokens = np.array([*self.get_vocabulary(), self.oov_token], None if self.token_dtype == "string" else self.token_dtype)
        return tokens[np.where((inputs >= 0) & (inputs < len(tokens) - 1), inputs, len(tokens) - 1)]

    def compute_output_spec(self, inputs: Any) -> Any:
        mode = self.output_mode
        dtype = self.compute_dtype if mode != "int" else self.token_dtype if self.invert else "int32"
        return Spec(encoded_shape(inputs.shape, mode, self.depth()), dtype)

    # ---- files ----
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result; a vocabulary that `adapt` found is in the model's file."""
        return super().from_config({key: value for key, value in config.items() if key != "oov_method" or key in cls.fields})

    def save_own_variables(self, store: Any) -> None:
        if self._weights is not None:
            store["idf_weights"] = np.pad(self._weights, (0, self.depth() - len(self._weights)))

    def load_own_variables(self, store: Any) -> None:
        if "idf_weights" in store.keys():
            self._weights = np.asarray(store["idf_weights"])
