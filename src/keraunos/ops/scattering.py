"""Ops that write to places given by indices: scattered updates, and what the elements of a segment make together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from keraunos.core.dtypes import COMPLEX, INTEGERS
from keraunos.core.errors import DTypeError, ShapeError, SymbolicError, one_of
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import UNKNOWN, Spec, Symbolic, same_dim, show, size_of
from keraunos.ops import shaping
from keraunos.ops.creation import arange, full, zeros
from keraunos.ops.elementwise import add, cast, equal, greater, greater_equal, less, logical_and, multiply, where
from keraunos.ops.reductions import max, min, prod, sum
from keraunos.ops.rules import Same, declare, integer
from keraunos.ops.shaping import broadcast_to, concatenate, dtype, expand_dims, get_item, ndim, pad_constant, reshape, take


def data_size(n: Any, fix: str) -> Any:
    """A size that follows from the data, as an integer; UNKNOWN before the run.

    Raises:
        SymbolicError: An engine is compiling, and would have to know it.
    """
    if isinstance(n, Symbolic):
        return UNKNOWN if isinstance(n, Spec) else n
    try:
        return int(n)
    except Exception:  # each engine has its own
        raise SymbolicError("The size of the result depends on the data, which a compiled function does not see.", fix=fix) from None


def as_places(indices: Any) -> Any:
    """Indices in a dtype that can be computed with: 64 bits stay, all others get 32."""
    return indices if dtype(indices) == "int64" else cast(indices, "int32")


def _limit(name: str, sign: int) -> Any:
    """The least (-1) or greatest (1) value of a dtype."""
    if name in COMPLEX:
        raise DTypeError("Complex numbers have no order.", received=name, fix="compare ops.absolute of them")
    if name == "bool":
        return sign > 0
    if name in INTEGERS:
        info = np.iinfo(name)
        return int(info.max if sign > 0 else info.min)
    return sign * math.inf


# How elements are combined, and what changes nothing then, by dtype.
_REDUCTIONS: dict[str, Any] = {
    "add": (sum, lambda name: 0),
    "mul": (prod, lambda name: 1),
    "max": (max, lambda name: _limit(name, -1)),
    "min": (min, lambda name: _limit(name, 1)),
}


def scatter_rows(x: Tensor, places: Operand, updates: Operand, reduction: str | None = None) -> Same:
    """`x` with its rows at `places` replaced by `updates`, or combined with them.

    Args:
        x: `(rows, ...)`.
        places: `(n,)`, integers; those that are no index of a row, negative ones too, are left out.
        updates: `(n, ...)`, of `x`'s dtype.
        reduction: None replaces (which of several updates of one row stays is not said), "add", "mul", "max" and "min" combine.
    """
    # Every row with every update. Engines have something better.
    hit = equal(expand_dims(arange(shaping.shape(x)[0]), 1), expand_dims(places, 0))
    further = tuple(range(1, ndim(x)))
    if reduction is None:
        last = max(where(hit, add(arange(shaping.shape(places)[0]), 1), 0), 1, initial=0)
        chosen = take(pad_constant(updates, ((1, 0), *((0, 0) for _ in further)), 0), last, 0)
        return where(expand_dims(greater(last, 0), further), chosen, x)
    reduce, neutral = _REDUCTIONS[reduction]
    neutral = full((), neutral(dtype(x)), dtype(x))
    changes = where(expand_dims(hit, tuple(i + 1 for i in further)), expand_dims(updates, 0), neutral)
    return cast(reduce(concatenate([expand_dims(x, 1), changes], 1), 1), dtype(x))


# ---- by index ----
def scatter_update(inputs: Tensor, indices: Operand, updates: Operand, reduction: str | None = None) -> Same:
    """`inputs` with the elements at `indices` replaced by `updates`, or combined with them.

    Args:
        inputs: The tensor to start from.
        indices: `(..., depth)`: each last row is an index into the first `depth` axes of `inputs`. Negative ones count from the end; what is
            out of range is left out.
        updates: What to write, in the shape `indices.shape[:-1] + inputs.shape[depth:]` or one that broadcasts to it.
        reduction: None replaces (which of several updates of one place stays is not said), "add", "mul", "max" and "min" combine.

    Raises:
        ArgumentError: There is no such reduction.
        ShapeError: `indices` go deeper than `inputs`, or `updates` do not fit.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.scatter_update(ops.zeros(4), [[1], [3], [1]], [1.0, 2.0, 5.0], reduction="add")).tolist()
    [0.0, 6.0, 0.0, 2.0]
    """
    if reduction is not None:
        one_of("reduction", reduction, _REDUCTIONS)
    own, given = shaping.shape(inputs), shaping.shape(indices)
    depth = given[-1] if given else UNKNOWN
    if not isinstance(depth, int) or not 0 < depth <= len(own):
        expected = f"a last axis of 1 to {len(own)} indices"
        raise ShapeError(f"Indices of shape {show(given)} do not choose from a tensor of shape {show(own)}.", where="indices", expected=expected)
    count, rest = size_of(given[:-1]), own[depth:]
    updates = cast(shaping.convert_to_tensor(updates), dtype(inputs))
    updates = reshape(broadcast_to(updates, (*given[:-1], *rest)), (count, *rest))
    places = reshape(_flat(as_places(indices), own[:depth]), (count,))
    return reshape(scatter_rows(reshape(inputs, (size_of(own[:depth]), *rest)), places, updates, reduction), own)


def _flat(indices: Any, sizes: tuple[Any, ...]) -> Any:
    """The indices in the last axis as one into the flat tensor of these sizes, -1 where one of them is out of range."""
    place, valid = 0, True
    for i, n in enumerate(sizes):
        at = get_item(indices, (..., i))
        at = where(less(at, 0), add(at, n), at)
        place = add(multiply(place, n), at)
        valid = logical_and(valid, logical_and(greater_equal(at, 0), less(at, n)))
    return where(valid, place, -1)


def scatter(indices: Operand, values: Tensor, shape: Any) -> Same:
    """A tensor of the given shape, zero but where `values` are put; those for one place are added up.

    Args:
        indices: `(..., depth)`, as in `scatter_update`.
        values: `indices.shape[:-1] + shape[depth:]`.
        shape: The result's shape.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.scatter([[0, 1], [1, 0]], [5, 7], (2, 2))).tolist()
    [[0, 5], [7, 0]]
    """
    return scatter_update(zeros(shape, dtype(values)), indices, values, "add")


# ---- by segment ----
def _by_segment(data: Any, segment_ids: Any, num_segments: Any, reduction: str) -> Any:
    own, ids = shaping.shape(data), shaping.shape(segment_ids)
    if len(ids) != 1 or not own or not same_dim(ids[0], own[0]):
        raise ShapeError(f"Segment ids of shape {show(ids)} do not fit data of shape {show(own)}.", where="segment_ids", expected="one id for each row of data")
    ids, num_segments = as_places(segment_ids), num_segments if num_segments is None else integer(num_segments, "num_segments", 0)
    if num_segments is None:
        num_segments = data_size(add(max(ids, initial=-1), 1), "pass num_segments=")
    start = full((num_segments, *own[1:]), _REDUCTIONS[reduction][1](dtype(data)), dtype(data))
    return scatter_rows(start, ids, data, reduction)


def segment_sum(data: Tensor, segment_ids: Operand, num_segments: Any = None, sorted: bool = False) -> Same:
    """The sums of the rows of each segment.

    Args:
        data: `(rows, ...)`.
        segment_ids: `(rows,)`, the segment that each row belongs to; rows whose id is not below `num_segments`, or negative, are left out.
        num_segments: How many there are; None is one more than the greatest id, which a compiled function cannot know.
        sorted: A promise that the ids are in order. Nothing depends on it.

    Raises:
        ShapeError: There is not one id for each row.
        SymbolicError: `num_segments` is None in a compiled function.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.segment_sum([1, 2, 3, 4], [0, 0, 2, 2], num_segments=3)).tolist()
    [3, 0, 7]
    """
    return _by_segment(data, segment_ids, num_segments, "add")


def segment_prod(data: Tensor, segment_ids: Operand, num_segments: Any = None, sorted: bool = False) -> Same:
    """The products of the rows of each segment, 1 for one without rows; the arguments are those of `segment_sum`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.segment_prod([2, 3, 4], [0, 0, 2], num_segments=3)).tolist()
    [6, 1, 4]
    """
    return _by_segment(data, segment_ids, num_segments, "mul")


def segment_max(data: Tensor, segment_ids: Operand, num_segments: Any = None, sorted: bool = False) -> Same:
    """The greatest of the rows of each segment, the dtype's least value for one without rows; the arguments are those of `segment_sum`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.segment_max([5, 7, 2], [0, 0, 1])).tolist()
    [7, 2]
    """
    return _by_segment(data, segment_ids, num_segments, "max")


def segment_min(data: Tensor, segment_ids: Operand, num_segments: Any = None, sorted: bool = False) -> Same:
    """The smallest of the rows of each segment, the dtype's greatest value for one without rows; the arguments are those of `segment_sum`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.segment_min([5, 7, 2], [0, 0, 1])).tolist()
    [5, 2]
    """
    return _by_segment(data, segment_ids, num_segments, "min")


declare(globals())

__all__ = ["scatter", "scatter_update", "segment_max", "segment_min", "segment_prod", "segment_sum"]
