"""Attention between two sequences, of one head and without projections."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from keraunos import ops, random
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.fields import Share
from keraunos.core.spec import same_dim, show
from keraunos.layers.layer import Layer
from keraunos.ops.rules import equal


class Weighing(Layer):
    """The base of layers that average values by how well their keys match each query; a subclass has `scores`."""

    supports_masking = True
    use_scale: bool = False
    dropout: Share = 0.0
    seed = None  # without an annotation: not every subclass has it as a field

    def setup(self) -> None:
        self.seed_generator = random.SeedGenerator(self.seed) if self.dropout > 0 else None

    def scores(self, query: Any, key: Any) -> Any:
        """How well each key matches each query, `(batch, queries, keys)`."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (list, tuple)) or not all(isinstance(shape, (list, tuple)) for shape in input_shape):
            raise ArgumentTypeError("The inputs are a list.", where=self.name, received="one tensor", expected="[query, value] or [query, value, key]")
        if len(input_shape) not in (2, 3):
            raise ArgumentError(f"{len(input_shape)} inputs were given.", where=self.name, expected="[query, value] or [query, value, key]")
        self._check(*input_shape)

    def _check(self, query: Any, value: Any, key: Any = None) -> None:
        key = value if key is None else key
        received = f"query {show(query)}, key {show(key)}, value {show(value)}"
        if not (len(query) == len(key) == len(value) >= 2):
            raise ShapeError("query, key and value have not equally many axes.", where=self.name, received=received, expected="(batch, places, features) each")
        if not same_dim(query[-1], key[-1]):
            fix = f"keras.layers.Dense({query[-1]}) makes them alike"
            raise ShapeError(f"A query has {query[-1]} features, a key {key[-1]}.", where=self.name, received=received, fix=fix)
        if not equal(tuple(key[:-1]), tuple(value[:-1])):
            raise ShapeError("Each value needs a key.", where=self.name, received=received, expected="as many keys as values")

    def call(self, inputs: Any, mask: Any = None, training: Any = False, return_attention_scores: bool = False, use_causal_mask: bool = False) -> Any:
        query, value, key = inputs if len(inputs) == 3 else (*inputs, inputs[1])
        self._check(*(tuple(x.shape) for x in inputs))
        of_query, *of_values = self._masks(mask, inputs)
        seen = [ops.expand_dims(m, -2) for m in of_values if m is not None]
        drops = bool(training) and self.seed_generator is not None
        if return_attention_scores or drops or not self._is_fused(inputs):
            weights = self._weigh(query, key, seen, use_causal_mask)
            dropped = random.dropout(weights, self.dropout, seed=self.seed_generator) if drops else weights
            out = ops.matmul(dropped, value)
        else:
            weights, out = None, self._fused(query, key, value, seen, use_causal_mask)
        if of_query is not None:
            out = out * ops.cast(ops.expand_dims(of_query, -1), out.dtype)
        return (out, weights) if return_attention_scores else out

    def _weigh(self, query: Any, key: Any, seen: list[Any], is_causal: bool) -> Any:
        scores = self.scores(query, key)
        if is_causal:
            seen = [*seen, ops.tri(*ops.shape(scores)[-2:], dtype="bool")]
        for mask in seen:
            scores = ops.where(mask, scores, -6e4 if self.compute_dtype == "float16" else -1e9)
        return ops.softmax(scores)

    def _is_fused(self, inputs: Any) -> bool:
        """Whether `_fused` gives the same without the weights."""
        return False

    def _fused(self, query: Any, key: Any, value: Any, seen: list[Any], is_causal: bool) -> Any:
        raise NotImplementedError

    def _masks(self, mask: Any, inputs: Any) -> list[Any]:
        """The masks of query, value and key, as far as they are given, checked."""
        names, expected = ("query", "value", "key"), "[mask of query, mask of value], each (batch, places) or None"
        if mask is None:
            return [None] * len(inputs)
        if not isinstance(mask, (list, tuple)) or not 2 <= len(mask) <= len(inputs):
            raise ArgumentError("The masks are a list of two, or of one for each input.", where=self.name, expected=expected)
        found = [m if m is None else ops.cast(m, "bool") for m in mask]
        for name, m, x in zip(names, found, inputs, strict=False):
            if m is not None and not equal(tuple(m.shape), tuple(x.shape)[:-1]):
                raise ShapeError(f"The mask of {name} does not fit.", where=self.name, received=show(m.shape), expected=show(x.shape[:-1]))
        return found

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return mask[0] if mask else None


class Attention(Weighing, order=("use_scale", "score_mode", "dropout", "seed")):
    """Values averaged by how well their keys match each query (Luong et al., 2015, arXiv:1508.04025).

    Called on `[query, value]` or `[query, value, key]`; the values are the keys if there are no others. Values that are masked are not seen;
    queries that are masked give 0.

    Args:
        use_scale: Whether the scores are multiplied by a number that is learned.
        score_mode: "dot" for the product of query and key, "concat" for the sum of `tanh(query + key)` times a number that is learned.
        dropout: The share of the weights that are set to 0 in training.
        seed: A seed for it, so that runs repeat.

    Shapes:
        query `(batch, queries, features)`, value `(batch, keys, value features)`, key `(batch, keys, features)`; output
        `(batch, queries, value features)`; scores, with `return_attention_scores=True`, `(batch, queries, keys)`.

    Raises:
        ShapeError: A query has other features than a key, or a mask does not fit.

    Example:

    >>> import keraunos as keras
    >>> query, value = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> out, scores = keras.layers.Attention()([query, value], return_attention_scores=True)
    >>> out.shape == (2, 3, 4), scores.shape == (2, 3, 5)
    (True, True)
    """

    score_mode: Literal["dot", "concat"] = "dot"
    seed: Any = None

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if self.score_mode == "concat" else None

    def scores(self, query: Any, key: Any) -> Any:
        if self.score_mode == "dot":
            axes = (*range(len(key.shape) - 2), -1, -2)
            return self._scaled(ops.matmul(query, ops.transpose(key, axes)))
        pairs = self._scaled(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return self.concat_score_weight * ops.sum(ops.tanh(pairs), -1)

    def _scaled(self, x: Any) -> Any:
        return x if self.scale is None else x * self.scale

    def _is_fused(self, inputs: Any) -> bool:
        return self.score_mode == "dot" and len(inputs[0].shape) == 3

    def _fused(self, query: Any, key: Any, value: Any, seen: list[Any], is_causal: bool) -> Any:
        query, key, value = (ops.expand_dims(x, 2) for x in (self._scaled(query), key, value))
        mask = None if not seen else seen[0] if len(seen) == 1 else ops.logical_and(*seen)
        mask = mask if mask is None else ops.expand_dims(mask, 1)
        return ops.squeeze(ops.dot_product_attention(query, key, value, mask=mask, scale=1.0, is_causal=is_causal), 2)


class AdditiveAttention(Weighing, use_scale=True):
    """Values averaged by how well their keys match each query, by the sum of `scale * tanh(query + key)` (Bahdanau et al., 2015, arXiv:1409.0473).

    Called on `[query, value]` or `[query, value, key]`; the values are the keys if there are no others. Values that are masked are not seen;
    queries that are masked give 0.

    Args:
        use_scale: Whether each feature is multiplied by a number that is learned.
        dropout: The share of the weights that are set to 0 in training.

    Shapes:
        query `(batch, queries, features)`, value `(batch, keys, value features)`, key `(batch, keys, features)`; output
        `(batch, queries, value features)`; scores, with `return_attention_scores=True`, `(batch, queries, keys)`.

    Raises:
        ShapeError: A query has other features than a key, or a mask does not fit.

    Example:

    >>> import keraunos as keras
    >>> query, value = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> keras.layers.AdditiveAttention()([query, value]).shape == (2, 3, 4)
    True
    """

    base_arguments: ClassVar[tuple[str, ...]] = (*Layer.base_arguments, "seed")

    def start(self, seed: Any = None, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.seed = seed
        super().start(**kwargs)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.scale = self.weight("scale", (input_shape[0][-1],)) if self.use_scale else None

    def scores(self, query: Any, key: Any) -> Any:
        pairs = ops.tanh(ops.expand_dims(query, -2) + ops.expand_dims(key, -3))
        return ops.sum(pairs if self.scale is None else pairs * self.scale, -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
