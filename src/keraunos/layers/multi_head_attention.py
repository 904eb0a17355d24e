"""Attention of several heads, each with its own projections of queries, keys and values."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Share, Size
from keraunos.core.spec import normalize_axes, show
from keraunos.layers.core import Kerneled
from keraunos.layers.einsum_dense import EinsumDense
from keraunos.layers.places import Places
from keraunos.layers.regularization import Dropout
from keraunos.ops.attention import attention_weights, for_heads
from keraunos.ops.rules import equal

_LETTERS = "abcdefghijklmnopqrs"


class Heads(Kerneled, kw_only=True):
    """The base of attention of several heads; a subclass says how many these are, and how large."""

    supports_masking = True
    unsaved: ClassVar[tuple[str, ...]] = ("flash_attention",)
    dropout: Share = 0.0
    use_bias: bool = True
    sliding_window: Size | None = None
    flash_attention: bool | None = None
    use_gate: bool = False
    seed: Any = None

    def setup(self) -> None:
        if self.flash_attention and self.dropout:
            fix = "dropout=0.0, or leave flash_attention at None"
            raise ArgumentError("Flash attention has no dropout.", where=self.name, received=f"dropout={self.dropout}", fix=fix)

    def head_sizes(self) -> tuple[int, int, int, int]:
        """The number of heads of queries and of keys, and the sizes of a key's and a value's head."""
        raise NotImplementedError

    def axes_of(self, query_shape: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The axes that are attended over, and the sizes of a place of the output, for queries of this shape."""
        raise NotImplementedError

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        key_shape = value_shape if key_shape is None else key_shape
        axes, out = self.axes_of(query_shape)
        self._places = Places(axes, len(query_shape))
        self._check(query_shape, value_shape, key_shape)
        heads, key_heads, depth, value_depth = self.head_sizes()
        self._query_dense = self._projection("query", query_shape, heads, depth)
        self._key_dense = self._projection("key", key_shape, key_heads, depth)
        self._gate_dense = self._projection("gate", query_shape, heads, value_depth) if self.use_gate else None
        self._value_dense = self._projection("value", value_shape, key_heads, value_depth)
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        places, ends = _LETTERS[: len(query_shape) - 1], "tuvwxyz"[: len(out)]
        sizes = (*(None for _ in places[1:]), *out)
        self._output_dense = self._part("attention_output", f"{places}AB,AB{ends}->{places}{ends}", sizes, ends, (*query_shape[:-1], heads, value_depth))

    def _projection(self, name: str, shape: Any, heads: int, depth: int) -> EinsumDense:
        """From features to heads."""
        places = _LETTERS[: len(shape) - 1]
        return self._part(name, f"{places}z,zAB->{places}AB", (*(None for _ in places[1:]), heads, depth), "AB", shape)

    def _part(self, name: str, equation: str, output_shape: Any, bias_axes: str, shape: Any) -> EinsumDense:
        settings = {field: getattr(self, field) for field in Heads.fields if field.startswith(("kernel_", "bias_", "activity_"))}
        for field in ("kernel_initializer", "bias_initializer"):
            if hasattr(found := settings[field], "get_config"):  # one of its own, which draws other numbers
                settings[field] = type(found).from_config(found.get_config())
        settings |= {"bias_axes": bias_axes if self.use_bias else None, "name": name, "dtype": self.dtype_policy}
        layer = EinsumDense(equation=equation, output_shape=output_shape, **settings)
        layer.build(shape)
        return layer

    def _check(self, query: Any, value: Any, key: Any) -> None:
        places, received = self._places, f"query {show(query)}, value {show(value)}, key {show(key)}"
        if not (len(query) == len(value) == len(key) == places.rank):
            expected = f"{places.rank} axes each: (batch, …, features)"
            raise ShapeError("query, value and key have not the right number of axes.", where=self.name, received=received, expected=expected)
        if not equal(tuple(key[:-1]), tuple(value[:-1])):
            expected = "sizes that differ in the last axis only, the features"
            raise ShapeError("key and value do not fit: each value needs a key.", where=self.name, received=received, expected=expected)
        if not equal(*(tuple(x[axis] for axis in (0, *places.rest)) for x in (query, key))):
            expected = f"sizes that differ along the attended axes {places.axes} only, and in the features"
            raise ShapeError("query and key do not fit.", where=self.name, received=received, expected=expected)

    def call(self, query: Any, value: Any, key: Any = None, query_mask: Any = None, value_mask: Any = None, key_mask: Any = None,
             attention_mask: Any = None, return_attention_scores: bool = False, training: Any = None, use_causal_mask: bool = False) -> Any:  # fmt: skip
        key = value if key is None else key
        self._check(*(tuple(x.shape) for x in (query, value, key)))
        places, query_sizes, key_sizes = self._places, ops.shape(query), ops.shape(key)
        q, k, v = map(places.merged, (self._query_dense(query), self._key_dense(key), self._value_dense(value)))
        mask = self._mask(query_sizes, key_sizes, query_mask, value_mask, key_mask, attention_mask)
        scores = None
        if return_attention_scores or (training and self.dropout > 0):
            out, scores = self._weighed(q, k, v, mask, use_causal_mask, training)
        else:
            out = ops.dot_product_attention(q, k, v, mask=mask, is_causal=use_causal_mask, flash_attention=self.flash_attention)
        out = places.split(out, query_sizes)
        if self._gate_dense is not None:
            out = out * ops.sigmoid(self._gate_dense(query))
        out = self._output_dense(out)
        return (out, places.split_scores(scores, query_sizes, key_sizes)) if return_attention_scores else out

    def _weighed(self, q: Any, k: Any, v: Any, mask: Any, is_causal: bool, training: Any) -> tuple[Any, Any]:
        """The values' means and the weights; queries that see no key have weights of 0."""
        if self.flash_attention:
            fix = "leave flash_attention at None"
            raise ArgumentError("Flash attention does not compute the scores.", where=self.name, received="return_attention_scores=True", fix=fix)
        if is_causal:
            before = ops.tri(ops.shape(q)[1], ops.shape(k)[1], dtype="bool")
            mask = before if mask is None else ops.logical_and(mask, before)
        weights = ops.cast(attention_weights(q, k, mask=mask), v.dtype)
        weights = weights if mask is None else ops.where(mask, weights, 0)
        return ops.einsum("bhqk,bkhd->bqhd", self._dropout_layer(weights, training=training), for_heads(v, ops.shape(q)[2])), weights

    def _mask(self, query: Any, key: Any, query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any) -> Any:
        """Which keys each query sees, `(batch, heads, queries, keys)` or what broadcasts to it; None for all."""
        fold, heads = self._places.folded, self.head_sizes()[0]
        found = []
        if query_mask is not None:
            found.append(fold("query_mask", query_mask, query, key, heads, keys=False))
        for name, mask in (("value_mask", value_mask), ("key_mask", key_mask)):
            if mask is not None:
                found.append(fold(name, mask, query, key, heads, queries=False))
        if attention_mask is not None:
            found.append(fold("attention_mask", attention_mask, query, key, heads))
        if self.sliding_window is not None:
            sizes = [math.prod(x[axis] for axis in self._places.axes) for x in (query, key)]
            nearer, too_early = (ops.tri(*sizes, k=k, dtype="bool") for k in (self.sliding_window - 1, -self.sliding_window))
            found.append(ops.logical_and(nearer, ops.logical_not(too_early)))
        mask = None
        for other in found:
            mask = other if mask is None else ops.logical_and(mask, other)
        return mask


class MultiHeadAttention(Heads, order=("num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "attention_axes", "sliding_window",
                                       "flash_attention")):  # fmt: skip
    """Attention of several heads ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)).

    Called on `(query, value)` or `(query, value, key)`; the values are the keys if there are no others, and `layer(x, x)` is self-attention.
    A key that is masked (`value_mask`, `key_mask`) is not seen; `attention_mask` says for each query which keys it sees, and
    `use_causal_mask=True` that it sees those up to its own place.

    Args:
        num_heads: The number of heads.
        key_dim: The size of each head of queries and keys.
        value_dim: That of values; None for `key_dim`.
        dropout: The share of the weights that are set to 0 in training.
        use_bias: Whether the projections have biases.
        output_shape: The size or sizes of a place of the output; None for the features of the query.
        attention_axes: The axes of the query and the keys that are attended over; None for all but the batch and the features.
        sliding_window: If given, a query sees only keys fewer than so many places away.
        flash_attention: Whether the engine must compute it without holding all weights; None leaves it to the engine, False forbids it.
        kernel_initializer: How the projections' kernels begin.
        bias_initializer: How their biases begin.
        kernel_regularizer: A penalty on the kernels.
        bias_regularizer: A penalty on the biases.
        activity_regularizer: A penalty on what the projections give.
        kernel_constraint: A projection of the kernels after each update.
        bias_constraint: A projection of the biases after each update.
        use_gate: Whether the heads are multiplied by the sigmoid of a projection of the query.
        seed: A seed for dropout, so that runs repeat.

    Shapes:
        query `(batch, …queries, features)`, value `(batch, …keys, value features)`, key `(batch, …keys, key features)`; output
        `(batch, …queries, features or output_shape)`; scores, with `return_attention_scores=True`, `(batch, heads, …queries, …keys)`.
        Masks: `(batch, …queries)`, `(batch, …keys)`; attention_mask `(batch, …queries, …keys)`, or with an axis of heads after the batch.

    Raises:
        ShapeError: Queries, keys, values and masks do not fit.
        ArgumentError: Flash attention is wanted with dropout or with scores.
        BackendError: Flash attention is wanted where the engine has none.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.ones((2, 5, 16))
    >>> layer = keras.layers.MultiHeadAttention(num_heads=4, key_dim=4)
    >>> out, scores = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> out.shape == (2, 5, 16), scores.shape == (2, 4, 5, 5)
    (True, True)
    """

    num_heads: Size
    key_dim: Size
    value_dim: Size | None = None
    output_shape: Any = None
    attention_axes: Any = None

    def setup(self) -> None:
        super().setup()
        self.value_dim = self.value_dim or self.key_dim
        for name in ("output_shape", "attention_axes"):
            value = getattr(self, name)
            setattr(self, name, (value,) if isinstance(value, int) else value if value is None else tuple(value))

    def head_sizes(self) -> tuple[int, int, int, int]:
        return self.num_heads, self.num_heads, self.key_dim, self.value_dim or self.key_dim

    def axes_of(self, query_shape: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        rank = len(query_shape)
        if rank < 3:
            raise ShapeError(
                f"query has {rank} axes.", where=self.name, received=show(query_shape), expected="(batch, places, features), or more axes of places"
            )
        self.attention_axes = tuple(range(1, rank - 1)) if self.attention_axes is None else normalize_axes(self.attention_axes, rank)
        if not self.attention_axes or not set(self.attention_axes) <= set(range(1, rank - 1)):
            expected = f"some of {tuple(range(1, rank - 1))}, between the batch and the features"
            raise ShapeError("Attention goes over axes of places.", where=self.name, received=f"attention_axes={self.attention_axes}", expected=expected)
        return self.attention_axes, self.output_shape or (query_shape[-1],)

    def _regularize(self, outputs: Any) -> None:
        """The projections do."""

    query_dense = property(lambda self: self._query_dense, doc="The projection of queries.")
    key_dense = property(lambda self: self._key_dense, doc="The projection of keys.")
    value_dense = property(lambda self: self._value_dense, doc="The projection of values.")
    output_dense = property(lambda self: self._output_dense, doc="The projection of the heads' results.")


class GroupedQueryAttention(Heads, order=("head_dim", "num_query_heads", "num_key_value_heads", "dropout", "use_bias", "sliding_window",
                                          "flash_attention")):  # fmt: skip
    """Attention of several heads, groups of which share keys and values ([Ainslie et al., 2023](https://arxiv.org/abs/2305.13245)).

    Called on `(query, value)` or `(query, value, key)` with the masks of `MultiHeadAttention`.

    Args:
        head_dim: The size of each head.
        num_query_heads: The number of heads of queries.
        num_key_value_heads: The number of heads of keys and values, which divides that of queries; 1 is multi-query attention.
        dropout: The share of the weights that are set to 0 in training.
        use_bias: Whether the projections have biases.
        sliding_window: If given, a query sees only keys fewer than so many places away.
        flash_attention: Whether the engine must compute it without holding all weights; None leaves it to the engine, False forbids it.
        kernel_initializer: How the projections' kernels begin.
        bias_initializer: How their biases begin.
        kernel_regularizer: A penalty on the kernels.
        bias_regularizer: A penalty on the biases.
        activity_regularizer: A penalty on the output and on what the projections give.
        kernel_constraint: A projection of the kernels after each update.
        bias_constraint: A projection of the biases after each update.
        use_gate: Whether the heads are multiplied by the sigmoid of a projection of the query.
        seed: A seed for dropout, so that runs repeat.

    Shapes:
        query `(batch, queries, features)`, value and key `(batch, keys, features)`; output `(batch, queries, features)`; scores, with
        `return_attention_scores=True`, `(batch, query heads, queries, keys)`.

    Raises:
        ArgumentError: The numbers of heads do not divide, or flash attention is wanted with dropout or with scores.
        ShapeError: Queries, keys, values and masks do not fit.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.ones((2, 5, 16))
    >>> keras.layers.GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape == (2, 5, 16)
    True
    """

    public_name: ClassVar[str] = "GroupQueryAttention"  # in files of weights and for names, Keras has the other one
    head_dim: Size
    num_query_heads: Size
    num_key_value_heads: Size

    def setup(self) -> None:
        super().setup()
        heads, shared = self.num_query_heads, self.num_key_value_heads
        if heads % shared:
            near = [n for n in range(1, heads + 1) if heads % n == 0]
            fact = f"{heads} heads of queries cannot share {shared} heads of keys evenly."
            raise ArgumentError(fact, where=self.name, fix=f"num_key_value_heads={min(near, key=lambda n: abs(n - shared))}")

    def head_sizes(self) -> tuple[int, int, int, int]:
        return self.num_query_heads, self.num_key_value_heads, self.head_dim, self.head_dim

    def axes_of(self, query_shape: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if len(query_shape) != 3:
            fix = "MultiHeadAttention attends over several axes"
            raise ShapeError(f"query has {len(query_shape)} axes.", where=self.name, received=show(query_shape), expected="(batch, places, features)", fix=fix)
        return (1,), (query_shape[-1],)


GroupQueryAttention = GroupedQueryAttention
