"""The axes that attention goes over: several axes of places as one, and back; masks likewise."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.spec import is_known, same_dim, show


class Places:
    """The axes of places of a tensor `(batch, …, features)`: those attended over, and the rest, which are like further heads.

    Args:
        axes: Those attended over.
        rank: The number of axes of the tensor.
    """

    def __init__(self, axes: tuple[int, ...], rank: int):
        self.axes, self.rank = axes, rank
        self.rest = tuple(axis for axis in range(1, rank - 1) if axis not in axes)
        self.order = (0, *axes, *self.rest, rank - 1, rank)  # of a tensor with heads
        self.plain = rank == 3
        self.sorted = self.order == tuple(range(rank + 1))

    def sizes(self, shape: Any) -> tuple[list[Any], list[Any]]:
        """Those along the attended axes, and along the rest."""
        return [shape[axis] for axis in self.axes], [shape[axis] for axis in self.rest]

    # ---- values ----
    def merged(self, x: Any) -> Any:
        """`(batch, …, heads, depth)` as `(batch, places, rest * heads, depth)`."""
        if self.plain:
            return x
        x = x if self.sorted else ops.transpose(x, self.order)
        shape, end = ops.shape(x), 1 + len(self.axes)
        return ops.reshape(x, (shape[0], math.prod(shape[1:end]), math.prod(shape[end:-1]), shape[-1]))

    def split(self, x: Any, shape: Any) -> Any:
        """`(batch, places, rest * heads, depth)` as `(batch, …, heads, depth)` for queries of a shape."""
        if self.plain:
            return x
        own, (attended, rest) = ops.shape(x), self.sizes(shape)
        x = ops.reshape(x, (own[0], *attended, *rest, own[2] // math.prod(rest), own[3]))
        return x if self.sorted else ops.transpose(x, [self.order.index(i) for i in range(self.rank + 1)])

    def split_scores(self, scores: Any, query: Any, key: Any) -> Any:
        """`(batch, rest * heads, queries, keys)` as `(batch, rest, heads, …queries, …keys)`."""
        if self.plain:
            return scores
        own, (queries, rest), (keys, _) = ops.shape(scores), self.sizes(query), self.sizes(key)
        return ops.reshape(scores, (own[0], *rest, own[1] // math.prod(rest), *queries, *keys))

    # ---- masks ----
    def folded(self, name: str, mask: Any, query: Any, key: Any, heads: int, queries: bool = True, keys: bool = True) -> Any:
        """A mask of queries, of keys or of both as `(batch, rest * heads, queries, keys)`, or what broadcasts to it.

        Args:
            name: What errors call it.
            mask: The batch, then in a mask of both perhaps the rest and perhaps the heads, then the places; in a mask of one perhaps the rest,
                which then lies among the places as in the tensor.
            query: The shape of the queries.
            key: The shape of the keys.
            heads: The number of heads.
            queries: Whether the mask is one of queries.
            keys: Whether it is one of keys.
        """
        rest, given = self.sizes(query)[1], ops.shape(mask)
        sides = [self.sizes(shape)[0] if on else [] for shape, on in ((query, queries), (key, keys))]
        lead = len(given) - len(sides[0]) - len(sides[1])
        allowed = (0, 1, 1 + len(rest), 2 + len(rest)) if queries and keys else (1, 1 + len(rest))
        if len(given) == self.rank - 1 and not self.plain and not (queries and keys):
            mask = ops.transpose(mask, (0, *self.rest, *self.axes))
            given = ops.shape(mask)
        wanted = (*(query[0], *rest, heads)[: max(lead, 0)], *sides[0], *sides[1])
        if lead not in allowed or not all(map(_broadcasts, given, wanted)):
            what = " and ".join(text for text, on in (("queries", queries), ("keys", keys)) if on)
            raise ShapeError(f"{name} does not fit.", received=show(given), expected=f"{show((query[0], *sides[0], *sides[1]))}: batch, {what}")
        if len(self.axes) > 1 and given[lead:] != wanted[lead:]:
            mask = ops.broadcast_to(mask, (*given[:lead], *wanted[lead:]))
            given = ops.shape(mask)
        end = lead + len(sides[0])
        places = math.prod(given[lead:end]), math.prod(given[end:])
        batch, own_heads = given[0] if lead else 1, given[lead - 1] if lead == 2 + len(rest) else 1
        mask = ops.cast(mask, "bool")
        if lead <= 1 or not rest:
            return ops.reshape(mask, (batch, own_heads, *places))
        mask = ops.reshape(mask, (batch, math.prod(given[1 : 1 + len(rest)]), own_heads, *places))
        mask = ops.broadcast_to(mask, (batch, math.prod(rest), heads, *places))
        return ops.reshape(mask, (batch, math.prod(rest) * heads, *places))


def _broadcasts(size: Any, wanted: Any) -> bool:
    return (is_known(size) and size == 1) or same_dim(size, wanted)
