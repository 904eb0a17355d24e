"""Layers of text as TensorFlow's ops on strings, for SavedModels: they stand in the place of those that run on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.errors import BackendError
from keraunos.layers.hashing import Hashing
from keraunos.layers.index_lookup import IndexLookup
from keraunos.layers.layer import Layer
from keraunos.layers.lookup import IntegerLookup
from keraunos.layers.preprocessing import encoded_shape
from keraunos.layers.text_vectorization import TextVectorization

_PUNCTUATION = r"[!-/:-@\[-`{-~]"  # of ASCII
_UNKNOWN = np.iinfo("int64").min


def in_graph(layer: Any) -> Any:
    """A layer that does in a graph of TensorFlow what one does on the host.

    Raises:
        BackendError: TensorFlow has no form of it.
    """
    kind = next((own for host, own in _FORMS.items() if isinstance(layer, host)), None)
    if kind is None:
        fact = f"'{layer.name}' ({type(layer).__name__}) runs on the host, and has no form in a graph of TensorFlow."
        raise BackendError(fact, where=layer.name, fix=f"export what comes behind it: keras.Model(model.get_layer('{layer.name}').output, model.output)")
    return InGraph(layer, kind(layer))


class InGraph(Layer):
    """A layer of a graph in the place of one of the host.

    Args:
        source: The layer of the host.
        form: What it does.
    """

    def __init__(self, source: Any, form: _Form):
        super().__init__(name=source.name, dtype=source._policy)
        self.form, self.built = form, True

    def _convert(self, argument: Any) -> Any:
        return argument

    def call(self, inputs: Any) -> Any:
        return self.form(inputs)


class _Form:
    """The base: what a layer of the host does, by TensorFlow."""

    def __init__(self, source: Any):
        self.source, self.tf = source, config.load_backend("tensorflow").tf
        self.tables: list[Any] = []

    def __call__(self, inputs: Any) -> Any:
        raise NotImplementedError

    def encoded(self, places: Any, mode: str, depth: int, weights: Any = None) -> Any:
        """Places in an output mode; negative ones are left out of vectors."""
        tf = self.tf
        if mode == "int":
            return tf.cast(places, "int32")
        static, rank = encoded_shape(tuple(places.shape), mode, depth), places.shape.rank
        rows = tf.one_hot(places, depth, dtype=self.source.compute_dtype)
        if mode == "one_hot":
            return tf.reshape(rows, tf.concat([tf.shape(places)[:-1], [depth]], 0)) if len(static) == rank else rows
        return self.counted(tf.reduce_sum(rows, -2), mode, weights)

    def counted(self, counts: Any, mode: str, weights: Any) -> Any:
        """How often each token occurs, in an output mode of vectors."""
        tf = self.tf
        if mode == "multi_hot":
            return tf.cast(counts > 0, self.source.compute_dtype)
        weights = [1] if weights is None else np.pad(weights, (0, counts.shape[-1] - len(weights)))
        return tf.cast(counts, self.source.compute_dtype) * tf.constant(weights, self.source.compute_dtype)


class _Lookup(_Form):
    """`StringLookup` and `IntegerLookup`."""

    def __init__(self, source: Any):
        super().__init__(source)
        tf, integers = self.tf, isinstance(source, IntegerLookup)
        source.places([])  # which raises if there is no vocabulary
        kind = tf.int64 if integers else tf.string
        if source.invert:
            tokens = source.get_vocabulary()
            found = dict(enumerate(source.oov_token if token is None else token for token in tokens))
            self.table = self._table(found, tf.int64, kind, source.oov_token)
        else:
            self.table = self._table({key: place for key, place in source._table.items() if key is not None}, kind, tf.int64, _UNKNOWN)

    def _table(self, found: dict[Any, Any], keys: Any, values: Any, default: Any) -> Any:
        lookup = self.tf.lookup
        table = lookup.StaticHashTable(lookup.KeyValueTensorInitializer(list(found), list(found.values()), keys, values), default)
        self.tables.append(table)
        return table

    def places(self, x: Any) -> Any:
        """The place of each token; what is not in the vocabulary goes where the layer on the host puts it."""
        tf, source = self.tf, self.source
        x = tf.cast(x, self.table.key_dtype)
        found, first = self.table.lookup(x), len(source._special()) - source.num_oov_indices
        if source.num_oov_indices == 0:
            with tf.control_dependencies([tf.debugging.assert_greater(found, tf.int64.min, f"{source.name}: some are not in the vocabulary.")]):
                return tf.identity(found)
        count, spread = source.num_oov_indices, tf.zeros_like(found)
        if count > 1 and source.oov_method == "floormod" and x.dtype == tf.int64:
            spread = tf.math.floormod(x, tf.constant(count, tf.int64))
        elif count > 1:
            spread = hashed(tf, x, count, source._key)
        return tf.where(found == tf.int64.min, first + spread, found)

    def __call__(self, inputs: Any) -> Any:
        source = self.source
        if source.invert:
            return self.table.lookup(self.tf.cast(inputs, "int64"))
        return self.encoded(self.places(inputs), source.output_mode, source.depth(), source._weights)


class _Vectorization(_Form):
    """`TextVectorization`."""

    def __init__(self, source: Any):
        super().__init__(source)
        own = next((name for name in ("standardize", "split") if callable(getattr(source, name))), None)
        if own is not None:
            fact = f"'{source.name}' has a function of its own for {own}=, which TensorFlow cannot be told."
            raise BackendError(fact, where=source.name, fix=f"apply the layer to the text first, and export what comes behind it; or name one of {own}='s own")
        self.lookup = _Lookup(source._lookup_layer)
        self.tables = self.lookup.tables

    def __call__(self, inputs: Any) -> Any:
        tf, source, lookup = self.tf, self.source, self.source._lookup_layer
        if source.split is not None and inputs.shape.rank and inputs.shape.rank > 1:
            inputs = tf.squeeze(inputs, -1)
        words = self._words(inputs)
        if not isinstance(words, tf.RaggedTensor):  # samples that are words already
            places = self.lookup.encoded(self.lookup.places(words), source.output_mode, lookup.depth(), lookup._weights)
            return places if source.output_mode != "int" or source.output_sequence_length is None else self._padded(tf.RaggedTensor.from_tensor(places))
        places = tf.ragged.map_flat_values(self.lookup.places, words)
        if source.output_mode == "int":
            return self._padded(tf.cast(places, "int32"))
        kept = tf.ragged.boolean_mask(places, places >= 0)
        counts = tf.math.bincount(kept, minlength=lookup.depth(), maxlength=lookup.depth(), axis=-1)
        return self.counted(tf.ensure_shape(counts, [None, lookup.depth()]), source.output_mode, lookup._weights)

    def _words(self, texts: Any) -> Any:
        tf, source = self.tf, self.source
        if source.standardize in ("lower", "lower_and_strip_punctuation"):
            texts = tf.strings.lower(texts)
        if source.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
            texts = tf.strings.regex_replace(texts, _PUNCTUATION, "")
        if source.split is not None:
            texts = tf.strings.split(texts) if source.split == "whitespace" else tf.strings.unicode_split(texts, "UTF-8")
        if source._sizes is None:
            return texts
        found = tf.strings.ngrams(texts, source._sizes, separator=" ")
        return found if isinstance(found, tf.RaggedTensor) else tf.RaggedTensor.from_tensor(found)

    def _padded(self, places: Any) -> Any:
        return places.to_tensor(shape=[None, self.source.output_sequence_length])


class _Hashing(_Form):
    """`Hashing`."""

    def __call__(self, inputs: Any) -> Any:
        tf, source = self.tf, self.source
        masks = source.mask_value is not None and source.num_bins > 1
        places = hashed(tf, inputs, source.num_bins - masks, source.salt)
        if masks:
            masked = str(source.mask_value) if inputs.dtype == tf.string else source.mask_value
            places = tf.where(inputs == tf.constant(masked, inputs.dtype), tf.zeros_like(places), places + 1)
        return tf.cast(places, "int64") if source._wide() else self.encoded(places, source.output_mode, source.num_bins)


def hashed(tf: Any, x: Any, count: int, key: Any) -> Any:
    """Strings, or the digits of integers, hashed into buckets."""
    x = x if x.dtype == tf.string else tf.strings.as_string(x)
    return tf.strings.to_hash_bucket_fast(x, count) if key is None else tf.strings.to_hash_bucket_strong(x, count, list(key))


_FORMS: dict[type, Any] = {TextVectorization: _Vectorization, IndexLookup: _Lookup, Hashing: _Hashing}
