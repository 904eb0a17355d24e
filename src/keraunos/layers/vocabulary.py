"""`Vocabulary`: the tokens of a layer, their places, and how files keep them."""

from __future__ import annotations

import collections
import itertools
import json
import pathlib
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError, ArgumentTypeError, ModelFileError
from keraunos.core.fields import Count
from keraunos.core.serialization import TRUSTED, is_safe
from keraunos.layers.preprocessing import Adapting, HostLayer, on_host

_FILE, _MORE = "vocabulary.txt", "vocabulary.json"  # the second for tokens that are no lines of text
MASKED = -2  # the place of the mask token in vectors, which have none for it


class Vocabulary(HostLayer, Adapting, kw_only=True):
    """The base of layers with a vocabulary; a subclass says what tokens are.

    It is, in this order, the mask token where there is one, `num_oov_indices` times the token that stands for what is not in it, and the
    tokens. Vectors have no place for the mask token.
    """

    max_tokens: int | None = None
    num_oov_indices: Count = 1
    mask_token: Any = None
    oov_token: Any = None
    vocabulary: Any = None
    idf_weights: Any = None
    output_mode: Any = "int"
    encoding = "utf-8"

    def setup(self) -> None:
        self._static = False  # whether the vocabulary was given
        self._expected: int | None = None  # its size in a file, until the tokens are read
        self._weights: np.ndarray | None = None  # what each place counts in "tf_idf"
        self.idf_weights = None if self.idf_weights is None else np.asarray(on_host(self.idf_weights), "float64").tolist()
        self._index([])
        if self.vocabulary is not None:
            given = self._keys(self.vocabulary)
            self.vocabulary = None if isinstance(self.vocabulary, (str, pathlib.PurePath)) else list(map(self.shown, given))
            self._set(given, self.idf_weights)

    # ---- what a token is ----
    def key(self, token: Any) -> Any:
        """A token of the user's as a key of the table."""
        raise NotImplementedError

    def shown(self, key: Any) -> Any:
        """The inverse of `key`."""
        return key

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
        tokens = vocabulary if isinstance(vocabulary, (list, tuple)) else on_host(vocabulary).tolist()
        if not isinstance(tokens, (list, tuple)):
            fact = "A vocabulary is a list, an array, or the path of a file."
            raise ArgumentTypeError(fact, where=self.name, received=f"a {type(vocabulary).__name__}", fix="vocabulary=['a', 'b']")
        return [None if token is None and self.oov_token is None else self.key(token) for token in tokens]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a vocabulary in place of one that `adapt` would find.

        Args:
            vocabulary: The tokens, as an array, a list or the path of a text file; the special tokens may stand first.
            idf_weights: In "tf_idf", a weight for each token, special ones included where they stand in it.

        Raises:
            ArgumentError: There are none or too many, one occurs twice, or the weights do not fit.
        """
        keys, weights = self._keys(vocabulary), None if idf_weights is None else [float(w) for w in on_host(idf_weights)]
        self._set(keys, weights)
        self.vocabulary, self.idf_weights = (None, None) if self.vocabulary is None else (list(map(self.shown, keys)), weights)

    def _set(self, keys: list[Any], weights: list[float] | None) -> None:
        if self.output_mode == "tf_idf" and len(weights or ()) != len(keys):
            fix = "give one for each token, or call adapt(data)"
            raise ArgumentError(f"There are {len(keys)} tokens and {len(weights or ())} idf_weights.", where=self.name, fix=fix)
        self._index(self._without_special(keys))
        self._weigh(weights)
        self._static = True

    def _without_special(self, keys: list[Any]) -> list[Any]:
        """The keys of the data; raises unless they can be a vocabulary."""
        special, problem, fix = self._special(), None, None
        if special and keys[: len(special)] == special:
            keys = keys[len(special) :]
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
        return keys

    def _weigh(self, weights: Any) -> None:
        """Take what each token counts in "tf_idf"; what is unknown counts the mean of all, unless it is among them."""
        if weights is not None:
            unknown = [] if len(weights) > len(self._tokens) else [np.mean(weights)] * self.num_oov_indices
            self._weights = np.array([*unknown, *weights], "float32")

    def _index(self, keys: list[Any]) -> None:
        """Make the table of places for tokens."""
        self._tokens = keys
        self._table = dict(zip(keys, itertools.count(len(self._special())), strict=False))
        if self.mask_token is not None:
            self._table[self.key(self.mask_token)] = 0 if self.output_mode == "int" else MASKED

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their places."""
        keys = [*(self._special() if include_special_tokens else ()), *self._tokens]
        return [None if key is None else self.shown(key) for key in keys]

    def vocabulary_size(self) -> int:
        """The number of tokens, special ones included."""
        return len(self._special()) + len(self._tokens)

    # ---- files ----
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "vocabulary_size": self.vocabulary_size() if self._tokens else self._expected}

    @staticmethod
    def refuse_paths(config: dict[str, Any]) -> None:
        """Raise if a config would read a file of its choice."""
        if isinstance(config.get("vocabulary"), str) and is_safe():
            raise ModelFileError("The config names a vocabulary file outside the model's file.", where=config.get("name"), fix=TRUSTED)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result; a vocabulary that `adapt` found is in the model's file."""
        Vocabulary.refuse_paths(config)
        layer = super().from_config({key: value for key, value in config.items() if key != "vocabulary_size"})
        layer._expected = config.get("vocabulary_size")
        return layer

    def save_assets(self, dir_path: Any) -> None:
        """Write a vocabulary that `adapt` found into a folder."""
        if self.vocabulary is None and self._tokens:
            tokens, folder = self.get_vocabulary(), pathlib.Path(dir_path)
            lines = list(map(str, tokens))
            (folder / _FILE).write_bytes("\n".join(lines).encode())
            if None in tokens or any("\n" in line for line in lines):
                (folder / _MORE).write_text(json.dumps(tokens))

    def load_assets(self, dir_path: Any) -> None:
        """Read what `save_assets` wrote."""
        file, more = pathlib.Path(dir_path, _FILE), pathlib.Path(dir_path, _MORE)
        tokens = json.loads(more.read_text()) if more.is_file() else file.read_bytes().decode().split("\n")
        self._index(self._without_special(self._keys(tokens)))
