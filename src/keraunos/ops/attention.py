"""Attention."""

from __future__ import annotations

import math
from typing import Any

from keraunos.core import config, dtypes
from keraunos.core.errors import BackendError, DTypeError, ShapeError
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import Symbolic, show
from keraunos.ops import rules
from keraunos.ops.activations import softmax
from keraunos.ops.creation import tri
from keraunos.ops.elementwise import add, cast, logical_and, multiply, rsqrt, tanh, true_divide, where
from keraunos.ops.products import matmul
from keraunos.ops.rules import Floating, declare
from keraunos.ops.shaping import dtype, repeat, shape, transpose


def dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Operand = None, mask: Operand = None, scale: float | None = None, is_causal: bool = False,
    flash_attention: bool | None = None, attn_logits_soft_cap: float | None = None,
) -> Floating:  # fmt: skip
    """Values averaged by how well their keys match each query ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)).

    The weights are `softmax(query · key * scale + bias)` over the keys, for short floats computed in float32. A query whose keys
    are all masked gets the mean of all values.

    Args:
        query: `(batch, queries, heads, depth)`.
        key: `(batch, keys, key heads, depth)`; each key head serves as many heads of the query, which are a multiple
            ([Ainslie et al., 2023](https://arxiv.org/abs/2305.13245)).
        value: `(batch, keys, key heads, value depth)`.
        bias: Added to the logits; broadcasts to `(batch, heads, queries, keys)`.
        mask: True where a query sees a key; broadcasts likewise.
        scale: What the products are multiplied with; None is `1 / sqrt(depth)`.
        is_causal: Whether query i sees the keys up to i only.
        flash_attention: Whether the engine must compute it without holding all weights; None leaves it to the engine, False forbids it.
        attn_logits_soft_cap: If given, the scaled products x become `cap * tanh(x / cap)`.

    Returns:
        `(batch, queries, heads, value depth)`.

    Raises:
        ShapeError: The tensors have not four axes, or the numbers of heads do not fit.
        BackendError: Flash attention is asked for where the engine has none for these arguments.

    Example:

    >>> from keraunos import ops
    >>> x = ops.ones((2, 5, 4, 8))
    >>> ops.shape(ops.dot_product_attention(x, x, x, is_causal=True))
    (2, 5, 4, 8)
    """
    shapes = {"query": shape(query), "key": shape(key), "value": shape(value)}
    received = ", ".join(f"{name} {show(sizes)}" for name, sizes in shapes.items())
    if wrong := next((name for name, sizes in shapes.items() if len(sizes) != 4), None):
        raise ShapeError(f"{wrong} has {len(shapes[wrong])} axes.", received=received, expected="(batch, places, heads, depth)")
    batches, deep = [sizes[0] for sizes in shapes.values()], rules.equal(shapes["query"][3:], shapes["key"][3:])
    if not (deep and rules.equal(shapes["key"][1:3], shapes["value"][1:3]) and len({n for n in batches if isinstance(n, int) and n != 1}) < 2):
        raise ShapeError("query, key and value do not fit.", received=received, expected="one batch, as many values as keys, queries as deep as keys")
    if flash_attention and not isinstance(query, Symbolic):
        fix = "leave flash_attention at None"
        raise BackendError(f"The {config.backend()} backend has no flash attention for these arguments here.", where="flash_attention", fix=fix)
    weights = attention_weights(query, key, bias, mask, scale, is_causal, attn_logits_soft_cap)
    values = transpose(for_heads(value, shapes["query"][2]), (0, 2, 1, 3))  # products by heads: faster than by einsum on XLA's CPU, as fast elsewhere
    return transpose(matmul(cast(weights, dtype(value)), values), (0, 2, 1, 3))


def for_heads(x: Any, heads: Any) -> Any:
    """Keys or values, each of their heads repeated for the heads of the query that it serves."""
    own = shape(x)[2]
    if not (isinstance(heads, int) and isinstance(own, int)) or heads == own:
        return x
    if not own or heads % own:
        raise ShapeError(f"query has {heads} heads, key has {own}.", expected="a multiple of the heads of key")
    return repeat(x, heads // own, 2)


def attention_weights(query: Any, key: Any, bias: Any = None, mask: Any = None, scale: float | None = None, is_causal: bool = False,
                      attn_logits_soft_cap: float | None = None) -> Any:  # fmt: skip
    """How much of each key each query takes, `(batch, heads, queries, keys)`, in float32 or wider; the arguments are those of `dot_product_attention`."""
    (_, queries, heads, depth), keys = shape(query), shape(key)[1]
    wide = dtypes.result_type(dtype(query), "float32")
    if wide in dtypes.COMPLEX:
        raise DTypeError("Attention is between real numbers.", received=dtype(query))
    factor = scale if scale is not None else 1 / math.sqrt(depth) if isinstance(depth, int) else rsqrt(cast(depth, wide))
    by_head = transpose(multiply(cast(query, wide), factor), (0, 2, 1, 3))
    logits = matmul(by_head, transpose(cast(for_heads(key, heads), wide), (0, 2, 3, 1)))
    if attn_logits_soft_cap is not None:
        logits = multiply(tanh(true_divide(logits, attn_logits_soft_cap)), attn_logits_soft_cap)
    if bias is not None:
        logits = add(logits, cast(bias, wide))
    seen = None if mask is None else cast(mask, "bool")
    if is_causal:
        before = tri(queries, keys, dtype="bool")
        seen = before if seen is None else logical_and(seen, before)
    if seen is not None:
        logits = where(seen, logits, -1e30)  # finite: among keys that are all masked none is nearer
    return softmax(logits)


declare(globals())

__all__ = ["dot_product_attention"]
