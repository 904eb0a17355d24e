"""`IndexLookup`: what look-ups of strings and of integers share."""

from __future__ import annotations

import collections
import itertools
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from keraunos.core.errors import ArgumentError, DataError, ModelFileError, StateError
from keraunos.core.fields import Count, Unsupported
from keraunos.core.scope import scope
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.layers.hashing import key_of
from keraunos.layers.preprocessing import Adapting, HostLayer, encoded_on_host, encoded_shape, not_adapted, on_host

_FILE, _MORE = "vocabulary.txt", "vocabulary.json"  # the second for what lines of text cannot hold
_UNKNOWN, _MASKED = -1, -2  # places of no token


class IndexLookup(HostLayer, Adapting, kw_only=True):
    """The base of look-ups; a subclass says what tokens are.

    The vocabulary is, in this order, the mask token where there is one, `num_oov_indices` times the token that stands for what is not in
    it, and the tokens. Vectors have no place for the mask token.
    """

    max_tokens: int | None = None
    num_oov_indices: Count = 1
    mask_token: Any = None
    oov_token: Any = None
    vocabulary: Any = None
    idf_weights: Any = None
    invert: bool = False
    output_mode: Literal["int", "one_hot", "multi_hot", "count", "tf_idf"] = "int"
    sparse: Unsupported = False
    pad_to_max_tokens: bool = False
    salt: Any = None
    oov_method = "floormod"
    encoding = "utf-8"
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
        if problem:
            raise ArgumentError(problem, where=self.name)
        self.reads = "int64" if self.invert else self.reads
        self._key = key_of(self.salt, self.name)
        self.salt = None if self._key is None else list(self._key)
        self._static, self._expected = False, None  # whether the vocabulary was given; its size, until a file's tokens are read
        self.idf_weights = None if self.idf_weights is None else np.asarray(on_host(self.idf_weights), "float64").tolist()
        self._weights: np.ndarray | None = None  # what each place counts in "tf_idf"
        self._index([])
        self.reset_state()
        if self.vocabulary is not None:
            given = self._keys(self.vocabulary)
            self.vocabulary = None if isinstance(self.vocabulary, (str, pathlib.PurePath)) else list(map(self.shown, given))
            self._set(given, self.idf_weights)

    # ---- what a token is ----
    def keys_in(self, x: np.ndarray) -> list[Any]:
        """The elements of an array as keys of the table."""
        raise NotImplementedError

    def key(self, token: Any) -> Any:
        """A token of the user's as a key of the table."""
        raise NotImplementedError

    def shown(self, key: Any) -> Any:
        """The inverse of `key`."""
        return key

    def spread(self, keys: Sequence[Any]) -> np.ndarray:
        """For keys that are not in the vocabulary, which of the places for them each takes."""
        raise NotImplementedError

    # ---- vocabulary ----
    def _special(self) -> list[Any]:
        """The keys before those of the data."""
        masks = [] if self.mask_token is None or self.output_mode != "int" else [self.key(self.mask_token)]
        return masks + [None if self.oov_token is None else self.key(self.oov_token)] * self.num_oov_indices

    def _keys(self, vocabulary: Any) -> list[Any]:
        """The keys of a vocabulary: an array, a list, or the path of a file with one token a line."""
        if isinstance(vocabulary, (str, pathlib.PurePath)):
            path = pathlib.Path(vocabulary)
            if not path.is_file():
                raise ArgumentError(f"There is no vocabulary file '{path}'.", where=self.name, fix="a text file with one token a line")
            vocabulary = path.read_text(encoding=self.encoding).removesuffix("\n").split("\n")
        return [self.key(token) for token in (vocabulary if isinstance(vocabulary, (list, tuple)) else on_host(vocabulary).tolist())]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary in place of one that `adapt` would find.

        Args:
            vocabulary: The tokens, as an array, a list or the path of a text file; the special tokens may stand first.
            idf_weights: In "tf_idf", a weight for each token.

        Raises:
            ArgumentError: There are none or too many, one occurs twice, or the weights do not fit.
        """
        self._set(self._keys(vocabulary), None if idf_weights is None else [float(w) for w in on_host(idf_weights)])

    def _set(self, keys: list[Any], weights: list[float] | None) -> None:
        if self.output_mode == "tf_idf" and len(weights or ()) != len(keys):
            fix = "give one for each token, or call adapt(data)"
            raise ArgumentError(f"There are {len(keys)} tokens and {len(weights or ())} idf_weights.", where=self.name, fix=fix)
        keys, weights = self._without_special(keys, weights)
        self._index(keys)
        self._weigh(weights)
        self._static = True

    def _without_special(self, keys: list[Any], weights: list[float] | None) -> tuple[list[Any], list[float] | None]:
        """The keys of the data and their weights; raises unless they can be a vocabulary."""
        special, problem, fix = self._special(), None, None
        if special and keys[: len(special)] == special:
            keys, weights = keys[len(special) :], weights and weights[len(special) :]
        size = len(keys) + len(special)
        if not keys:
            problem = "The vocabulary is empty."
        elif repeated := [key for key, count in collections.Counter(keys).items() if count > 1]:
            listed = ", ".join(repr(self.shown(key)) for key in repeated[:5])
            problem, fix = f"{len(repeated)} tokens of the vocabulary occur more than once: {listed}.", "list(dict.fromkeys(vocabulary))"
        elif self.mask_token is not None and self.key(self.mask_token) in keys:
            problem = f"The mask token {self.mask_token!r} stands among the tokens of the vocabulary."
            fix = f"leave it out, or let the vocabulary begin with {[None if k is None else self.shown(k) for k in special]}"
        elif self.max_tokens is not None and size > self.max_tokens:
            problem, fix = f"The vocabulary has {size} tokens, special ones included; max_tokens is {self.max_tokens}.", f"max_tokens={size}"
        if problem:
            raise ArgumentError(problem, where=self.name, fix=fix)
        return keys, weights

    def _weigh(self, weights: Any) -> None:
        """Take what each token counts in "tf_idf"; what is unknown counts the mean of all."""
        if weights is not None:
            self._weights = np.array([*[np.mean(weights)] * self.num_oov_indices, *weights], "float32")

    def _index(self, keys: list[Any]) -> None:
        """Make the table of places for tokens."""
        self._tokens = keys
        self._table = dict(zip(keys, itertools.count(len(self._special())), strict=False))
        if self.mask_token is not None:
            self._table[self.key(self.mask_token)] = 0 if self.output_mode == "int" else _MASKED

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their places."""
        keys = [*(self._special() if include_special_tokens else ()), *self._tokens]
        return [None if key is None else self.shown(key) for key in keys]

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return len(self._special()) + len(self._tokens)

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
        for key in {*special, None if self.mask_token is None else self.key(self.mask_token)}:
            self._counts.pop(key, None)
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
        tokens = np.array([*self.get_vocabulary(), self.oov_token], None if self.token_dtype == "string" else self.token_dtype)
        return tokens[np.where((inputs >= 0) & (inputs < len(tokens) - 1), inputs, len(tokens) - 1).astype("int64")]

    def compute_output_spec(self, inputs: Any) -> Any:
        mode = self.output_mode
        dtype = self.compute_dtype if mode != "int" else self.token_dtype if self.invert else "int32"
        return Spec(encoded_shape(inputs.shape, mode, self.depth()), dtype)

    # ---- files ----
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "oov_method": self.oov_method, "vocabulary_size": self.vocabulary_size() if self._tokens else self._expected}

    @staticmethod
    def refuse_paths(config: dict[str, Any]) -> None:
        """Raise if a config would read a file of its choice."""
        if isinstance(config.get("vocabulary"), str) and scope.safe_mode:
            fix = "only if you trust where it comes from: load_model(path, safe_mode=False)"
            raise ModelFileError("The config names a vocabulary file outside the model's file.", where=config.get("name"), fix=fix)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result; a vocabulary that `adapt` found is in the model's file."""
        IndexLookup.refuse_paths(config)
        left_out = {"vocabulary_size", *({"oov_method"} - cls.fields.keys())}
        layer = super().from_config({key: value for key, value in config.items() if key not in left_out})
        layer._expected = config.get("vocabulary_size")
        return layer

    def save_assets(self, dir_path: Any) -> None:
        """Write a vocabulary that `adapt` found into a folder."""
        if self.vocabulary is None and self._tokens:
            tokens, folder = self.get_vocabulary(), pathlib.Path(dir_path)
            lines = list(map(str, tokens))
            (folder / _FILE).write_bytes("\n".join(lines).encode())
            if any("\n" in line for line in lines):
                (folder / _MORE).write_text(json.dumps(tokens))

    def load_assets(self, dir_path: Any) -> None:
        """Read what `save_assets` wrote."""
        file, more = pathlib.Path(dir_path, _FILE), pathlib.Path(dir_path, _MORE)
        tokens = json.loads(more.read_text()) if more.is_file() else file.read_bytes().decode().split("\n")
        self._index(self._without_special([self.key(token) for token in tokens], None)[0])

    def save_own_variables(self, store: Any) -> None:
        if self._weights is not None:
            store["idf_weights"] = np.pad(self._weights, (0, self.depth() - len(self._weights)))

    def load_own_variables(self, store: Any) -> None:
        if "idf_weights" in store.keys():
            self._weights = np.asarray(store["idf_weights"])
