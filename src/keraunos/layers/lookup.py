"""Strings and integers as their places in a vocabulary, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from keraunos.core.errors import ArgumentError, ArgumentTypeError, DataError
from keraunos.core.fields import Inherited
from keraunos.core.fingerprints import fingerprints
from keraunos.layers.index_lookup import IndexLookup
from keraunos.layers.preprocessing import as_bytes, whole_numbers

_STRINGS = ("max_tokens", "num_oov_indices", "mask_token", "oov_token", "vocabulary", "idf_weights", "invert", "output_mode")
_STRINGS += ("pad_to_max_tokens", "sparse", "encoding", "name", "salt")


class StringLookup(IndexLookup, order=_STRINGS):
    """Strings as their places in a vocabulary, which is given, or found by `adapt`: the most frequent strings first.

    Args:
        max_tokens: The size of the vocabulary at most, special tokens included.
        num_oov_indices: How many places there are for strings that are not in the vocabulary, each of which is hashed into one.
        mask_token: A string that has the place 0, and none in vectors.
        oov_token: What stands for strings that are not in the vocabulary.
        vocabulary: The strings, or the path of a text file with one a line.
        idf_weights: In "tf_idf" with a given vocabulary, a weight for each string.
        invert: Whether to go back: from places to strings, as a NumPy array.
        output_mode: "int" gives the places, as int32. "one_hot": a vector for each. "multi_hot": one for those along the last axis, 1 where any of
            them is; "count": how often each occurs; "tf_idf": that times its weight, smaller for strings of many samples.
        pad_to_max_tokens: Whether vectors have the length `max_tokens` even if there are fewer.
        sparse: Not supported.
        encoding: The encoding of `bytes`, and of a vocabulary's file.
        name: Its name.
        salt: One or two integers by which unknown strings are hashed otherwise.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.StringLookup()
    >>> layer.adapt(["b", "a", "b"])
    >>> layer.get_vocabulary(), keras.ops.convert_to_numpy(layer(["a", "c"])).tolist()
    (['[UNK]', 'b', 'a'], [2, 0])
    """

    oov_token: Any = "[UNK]"
    encoding: str = "utf-8"
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None

    def keys_in(self, x: np.ndarray) -> list[bytes]:
        return as_bytes(x, self.encoding)

    def key(self, token: Any) -> bytes:
        if not isinstance(token, (str, bytes)):
            raise ArgumentTypeError("The tokens of a StringLookup are strings.", where=self.name, received=repr(token), fix="IntegerLookup takes integers")
        return token.encode() if isinstance(token, str) else token.decode(self.encoding).encode()

    def shown(self, key: Any) -> str:
        try:
            return key.decode()
        except UnicodeDecodeError:
            raise DataError("A token is no text in UTF-8.", where=self.name, received=repr(key), fix="encoding='latin-1'") from None

    def spread(self, keys: Sequence[bytes]) -> np.ndarray:
        return (fingerprints(keys, self._key) % np.uint64(self.num_oov_indices)).astype("int64")


_INTEGERS = ("max_tokens", "num_oov_indices", "mask_token", "oov_token", "vocabulary", "vocabulary_dtype", "idf_weights", "invert", "output_mode")
_INTEGERS += ("sparse", "pad_to_max_tokens", "oov_method", "salt", "name")


class IntegerLookup(IndexLookup, order=_INTEGERS):
    """Integers as their places in a vocabulary, which is given, or found by `adapt`: the most frequent ones first.

    Args:
        max_tokens: The size of the vocabulary at most, special tokens included.
        num_oov_indices: How many places there are for integers that are not in the vocabulary.
        mask_token: An integer that has the place 0, and none in vectors.
        oov_token: What stands for integers that are not in the vocabulary.
        vocabulary: The integers, or the path of a text file with one a line.
        vocabulary_dtype: "int64".
        idf_weights: In "tf_idf" with a given vocabulary, a weight for each integer.
        invert: Whether to go back: from places to integers.
        output_mode: As in `StringLookup`.
        sparse: Not supported.
        pad_to_max_tokens: Whether vectors have the length `max_tokens` even if there are fewer.
        oov_method: How unknown integers are spread over their places: "floormod", the remainder, or "farmhash", by a hash of the digits.
        salt: One or two integers by which the hash is another.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.IntegerLookup(vocabulary=[12, 36, 1138])
    >>> keras.ops.convert_to_numpy(layer([[36, 12, 7]])).tolist()
    [[2, 1, 0]]
    """

    reads = "int64"
    oov_token: Any = -1
    vocabulary_dtype: Literal["int64"] = "int64"
    oov_method: Literal["floormod", "farmhash"] = "floormod"
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None

    def setup(self) -> None:
        if self.salt is not None and self.oov_method != "farmhash":
            raise ArgumentError("salt goes with oov_method='farmhash'.", where=self.name, received=f"oov_method={self.oov_method!r}")
        super().setup()

    @property
    def token_dtype(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The dtype that holds every token."""
        tokens = [token for token in self.get_vocabulary() if token is not None]
        return "int32" if all(-(2**31) <= token < 2**31 for token in tokens) else "int64"

    def keys_in(self, x: np.ndarray) -> list[int]:
        return whole_numbers(x).ravel().tolist()

    def key(self, token: Any) -> int:
        try:
            if (whole := int(token)) == token or isinstance(token, str):  # the lines of a file
                return whole
            raise ValueError
        except (TypeError, ValueError, OverflowError):
            fix = "StringLookup takes strings"
            raise ArgumentTypeError("The tokens of an IntegerLookup are integers.", where=self.name, received=repr(token), fix=fix) from None

    def spread(self, keys: Sequence[int]) -> np.ndarray:
        if self.oov_method == "floormod":
            return np.array(keys, "int64") % self.num_oov_indices
        return (fingerprints([b"%d" % key for key in keys], self._key) % np.uint64(self.num_oov_indices)).astype("int64")
