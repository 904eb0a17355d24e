"""Attention of several heads, each with its own projections of queries, keys and values."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Size
from keraunos.core.spec import normalize_axes, show
from keraunos.layers.heads import Heads


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
            fact = f"query has {rank} axes."
            fix = "return_sequences=True on the recurrent layer before it"
            raise ShapeError(fact, where=self.name, received=show(query_shape), expected="(batch, places, features), or more axes of places", fix=fix)
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
