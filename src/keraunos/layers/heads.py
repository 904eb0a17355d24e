"""The base of attention of several heads."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Share, Size
from keraunos.core.spec import show
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
            if self.dropout and mask is not None:  # in training, queries that see no key get 0 by their weights
                out = ops.where(_sees(mask, use_causal_mask, q, k), out, 0)
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
        mask = _with_causal(mask, q, k) if is_causal else mask
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


def _with_causal(mask: Any, q: Any, k: Any) -> Any:
    """A mask under which a query also sees no key behind its own place."""
    before = ops.tri(ops.shape(q)[1], ops.shape(k)[1], dtype="bool")
    return before if mask is None else ops.logical_and(mask, before)


def _sees(mask: Any, is_causal: bool, q: Any, k: Any) -> Any:
    """Which queries see a key, `(batch, queries, heads, 1)` or what broadcasts to it."""
    return ops.transpose(ops.any(_with_causal(mask, q, k) if is_causal else mask, -1, keepdims=True), (0, 2, 1, 3))
