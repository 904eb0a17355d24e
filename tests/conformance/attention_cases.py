"""The rows for attention."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import Case


def _attend(query, key, value, *more, places=(), scale=None, is_causal=False, attn_logits_soft_cap=None, flash_attention=None):
    given = dict(zip(places, more, strict=True))
    heads = query.shape[2]
    key, value = (np.repeat(x, heads // x.shape[2], 2) for x in (key, value))
    out = np.zeros((*query.shape[:3], value.shape[-1]), value.dtype)
    full = (len(query), heads, query.shape[1], key.shape[1])
    bias, mask = np.broadcast_to(given.get("bias", 0.0), full), np.broadcast_to(given.get("mask", True), full)
    for b, h, i in np.ndindex(*full[:3]):
        logits = key[b, :, h] @ query[b, i, h] * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
        logits = logits if attn_logits_soft_cap is None else attn_logits_soft_cap * np.tanh(logits / attn_logits_soft_cap)
        seen = mask[b, h, i] & (np.arange(full[3]) <= (i if is_causal else full[3]))
        logits = np.where(seen, logits + bias[b, h, i], -np.inf if seen.any() else 0.0)
        weights = np.exp(logits - logits.max())
        out[b, i, h] = weights @ value[b, :, h] / weights.sum()
    return out


def _case(more=(), heads=2, depth=3, dtypes=("float32",), **kwargs):
    """Of two samples with three queries and four keys; `more` are the bias or the mask."""
    names = ("bias", "mask")[: len(more)]
    return Case(
        "dot_product_attention",
        lambda *xs, **options: _attend(*xs, places=names, **options),
        ((2, 3, heads, 4), (2, 4, 2, 4), (2, 4, 2, depth), *more),
        dtypes,
        kwargs,
        known=(1, 2, 3, 5, 6, 7, 9, 10, 11, *range(12, 24)),
        tolerance=2,
    )


MASK = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 1, 0]], bool)


def _masked(mask, **kwargs):
    """A mask alone, after a bias of 0."""
    return _case((np.zeros((1, 1), "float32"), mask), **kwargs)


CASES = [
    _case(dtypes=("float32", "bfloat16", "float16", "int32")),
    _case(depth=4, scale=0.3),
    _case(depth=4, heads=4, is_causal=True, dtypes=("float32", "float16")),
    _case(heads=4, flash_attention=False),
    _case(attn_logits_soft_cap=0.5, is_causal=True),
    _case(((2, 2, 3, 4),), depth=4),
    _case(((1, 3, 4),), is_causal=True),
    _masked(MASK, depth=4),
    _masked(np.stack([MASK, ~MASK])[:, None], is_causal=True),
    _case(((2, 1, 3, 4), MASK), heads=4, depth=4),
]
