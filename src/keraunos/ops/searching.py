"""Ops that search and count: order, places in sorted sequences, sets, histograms."""

from __future__ import annotations

import builtins
import math
from typing import Annotated, Any

from keraunos.core import dtypes
from keraunos.core.errors import ArgumentError, BackendError, DTypeError, ShapeError, one_of
from keraunos.core.op import DTypeRule, Operand, Operands, Tensor, Tensors
from keraunos.core.spec import UNKNOWN, normalize_axis, show, size_of
from keraunos.ops.creation import arange, full, linspace, ones, ones_like, zeros, zeros_like
from keraunos.ops.elementwise import (
    add,
    cast,
    clip,
    equal,
    floor_divide,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    mod,
    multiply,
    not_equal,
    subtract,
    where,
)
from keraunos.ops.reductions import any, argsort, cumsum, max, min, sort, sum
from keraunos.ops.rules import Boolean, Composed, Floating, Index, Promoted, Same, as_shape, declare, integer
from keraunos.ops.scattering import as_places, data_size, scatter_rows
from keraunos.ops.shaping import concatenate, dtype, expand_dims, flip, get_item, moveaxis, ndim, ravel, reshape, shape, size, take

Place = Annotated[Any, DTypeRule(lambda name: name, "int32")]  # an index found by comparing


# ---- order ----
def argpartition(x: Tensor, kth: int, axis: int | None = -1) -> Index:
    """Indices that put the `kth` element along `axis` in its place, smaller ones before it and greater ones behind; these are in order too.

    Args:
        kth: The place, negative ones from the end.
        axis: The axis to go along; None is of the flat tensor.

    Raises:
        ArgumentError: There is no `kth` element.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.take([7, 1, 5, 3], ops.argpartition([7, 1, 5, 3], 1))).tolist()
    [1, 3, 5, 7]
    """
    n = size(x) if axis is None else shape(x)[normalize_axis(axis, ndim(x))]
    if not isinstance(kth, int) or (isinstance(n, int) and not -n <= kth < n):
        raise ArgumentError(f"There is no element {kth} among {n}.", where="kth", expected=f"an integer from {-n} to {n - 1}")
    return argsort(x, axis)


def _vector(x: Any, name: str) -> None:
    if ndim(x) != 1:
        raise ShapeError(f"{name} has {ndim(x)} axes, not one.", where=name, received=show(shape(x)))


def searchsorted(sorted_sequence: Tensor, values: Tensor, side: str = "left") -> Place:
    """For each value, where to put it in a sorted sequence to keep the order.

    Args:
        sorted_sequence: A vector in ascending order, any NaN at its end.
        values: Any shape, which the result has too.
        side: "left" is before elements that equal the value, "right" is behind them.

    Raises:
        ShapeError: The sequence is no vector.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.searchsorted([1, 2, 2, 3], [2, 5])).tolist()
    [1, 4]
    """
    one_of("side", side, ("left", "right"))
    _vector(sorted_sequence, "sorted_sequence")
    values = expand_dims(values, -1)
    before = (less if side == "left" else less_equal)(sorted_sequence, values)
    own = equal(sorted_sequence, sorted_sequence) if side == "left" else True
    before = logical_or(before, logical_and(not_equal(values, values), own))  # NaN is above all numbers
    return sum(cast(before, "int32"), -1)


def digitize(x: Tensor, bins: Tensor) -> Place:
    """For each element the index of its bin: `i` where `bins[i - 1] <= x < bins[i]`; for descending bins, where `bins[i - 1] > x >= bins[i]`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.digitize([0.0, 1.5, 9.0], [1.0, 2.0, 3.0])).tolist()
    [0, 1, 3]
    """
    _vector(bins, "bins")
    descending = any(less(get_item(bins, builtins.slice(-1, None)), get_item(bins, builtins.slice(None, 1))))
    found = searchsorted(where(descending, flip(bins), bins), x, "right")
    return where(descending, subtract(shape(bins)[0], found), found)


def nonzero(x: Tensor) -> tuple[Same, ...]:
    """The indices of the elements that are not 0, a vector for each axis.

    Raises:
        ShapeError: `x` is a scalar.

    Example:

    >>> from keraunos import ops
    >>> rows, columns = ops.nonzero([[5, 0], [0, 7]])
    >>> ops.convert_to_numpy(rows).tolist(), ops.convert_to_numpy(columns).tolist()
    ([0, 1], [0, 1])
    """
    if not ndim(x):
        raise ShapeError("A scalar has no indices.", fix="ops.reshape(x, (1,))")
    return where(not_equal(x, 0))


def unravel_index(indices: Operand, shape: Any) -> tuple[Composed, ...]:
    """Flat indices as indices into each axis of a tensor of the given shape; those out of range are taken for the nearest.

    Example:

    >>> from keraunos import ops
    >>> [int(i) for i in ops.unravel_index(5, (2, 3))]
    [1, 2]
    """
    sizes = as_shape(shape, least=1)
    total = builtins.max(size_of(sizes), 1)
    left, kind = as_places(indices), dtype(indices)
    kind = kind if kind in dtypes.INTEGERS else "int32"
    left = clip(where(less(left, 0), add(left, total), left), 0, total - 1)
    found = []
    for n in reversed(sizes):
        found.append(cast(mod(left, n), kind))
        left = floor_divide(left, n)
    return tuple(reversed(found))


def select(condlist: Operands, choicelist: Tensors, default: Tensor = 0) -> Promoted:
    """For each element the choice of the first condition that holds, `default` where none does.

    Raises:
        ArgumentError: There are not as many choices as conditions, or none.

    Example:

    >>> from keraunos import ops
    >>> x = ops.arange(4)
    >>> ops.convert_to_numpy(ops.select([x < 1, x > 2], [x - 10, x * 10], 5)).tolist()
    [-10, 5, 5, 30]
    """
    if not condlist or len(condlist) != len(choicelist):
        raise ArgumentError(f"There are {len(condlist)} conditions and {len(choicelist)} choices.", expected="as many, and at least one")
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = where(condition, choice, out)
    return out


# ---- sets ----
def isin(x1: Tensor, x2: Tensor, assume_unique: bool = False, invert: bool = False) -> Boolean:
    """Whether each element of `x1` is among those of `x2`; NaN never is.

    Args:
        x1: The elements to test.
        x2: The elements to find.
        assume_unique: A promise that no element occurs twice in either. Nothing depends on it.
        invert: Whether to tell which are not.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isin([1, 2, 3], [2, 5])).tolist()
    [False, True, False]
    """
    ordered = sort(ravel(x2))
    found = logical_and(less(searchsorted(ordered, x1), searchsorted(ordered, x1, "right")), equal(x1, x1))
    return logical_not(found) if invert else found


def unique(
    x: Tensor, sorted: bool = True, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, size: int | None = None, fill_value: Operand = None,
) -> tuple[Same, ...]:  # fmt: skip
    """The elements without repetition, in ascending order; each NaN is one of its own.

    Args:
        x: The elements.
        sorted: Whether they must be in order; they are in any case.
        return_index: Whether to give the index of each one's first occurrence.
        return_inverse: Whether to give for each element of `x` its index in the result.
        return_counts: Whether to give how often each occurs.
        axis: The axis whose slices are compared, in lexicographic order; None compares elements.
        size: How many there are in the result: what is more is left out, what is less is filled up. Needed in compiled functions.
        fill_value: What to fill up with; None is the first one.

    Returns:
        The elements, or a tuple of them and what else was asked for, in this order.

    Raises:
        SymbolicError: `size` is None in a compiled function.

    Example:

    >>> from keraunos import ops
    >>> values, counts = ops.unique([3, 1, 3], return_counts=True)
    >>> ops.convert_to_numpy(values).tolist(), ops.convert_to_numpy(counts).tolist()
    ([1, 3], [1, 2])
    """
    own, size = shape(x), size if size is None else integer(size, "size", 0)
    rows = reshape(x, (-1,) if own else (1,)) if axis is None else moveaxis(x, axis, 0)
    n = shape(rows)[0]
    if isinstance(n, int) and not n:  # nothing to take
        size = size or 0
        values, starts = full((size, *shape(rows)[1:]), 0 if fill_value is None else fill_value, dtype(x)), zeros(size, "int32")
        group = order = zeros(0, "int32")
    else:
        order, new = _in_order(rows)
        group = subtract(cumsum(cast(new, "int32"), 0), 1)
        count = add(get_item(group, -1), 1)
        size = data_size(count, "pass size=") if size is None else size
        starts = scatter_rows(full((size,), get_item(order, 0), "int32"), where(new, group, -1), order)
        values = take(rows, starts, 0)
        if fill_value is not None:
            filler = less(arange(size), count)
            values = where(expand_dims(filler, tuple(builtins.range(1, ndim(rows)))), values, cast(fill_value, dtype(x)))
    out = [values if axis is None else moveaxis(values, 0, axis)]
    out += [starts] if return_index else []
    if return_inverse:
        inverse = scatter_rows(zeros_like(group), order, group)
        out.append(reshape(inverse, own) if axis is None else inverse)
    if return_counts:
        out.append(scatter_rows(zeros(size, "int32"), group, ones_like(group), "add"))
    return tuple(out) if len(out) > 1 else out[0]


def _in_order(rows: Any) -> tuple[Any, Any]:
    """The indices that put the rows in lexicographic order, and which of the rows in order differ from the one before."""
    order = argsort(rows, 0) if ndim(rows) == 1 else arange(shape(rows)[0], dtype="int32")
    flat = rows
    if ndim(rows) > 1:
        columns = size_of(shape(rows)[1:])
        flat = reshape(rows, (shape(rows)[0], columns))
        if not isinstance(columns, int):
            if columns is not UNKNOWN:
                fact = "The size of the slices to compare is not known."
                raise ShapeError(fact, where="x", received=show(shape(rows)), fix="give Input all sizes but the batch's")
            columns = 0
        for i in reversed(builtins.range(columns)):  # stable sorts, the first column last
            order = take(order, argsort(take(get_item(flat, (..., i)), order, 0)), 0)
    ordered = take(flat, order, 0)
    differ = not_equal(get_item(ordered, builtins.slice(1, None)), get_item(ordered, builtins.slice(None, -1)))
    differ = differ if ndim(rows) == 1 else any(differ, -1)
    return order, concatenate([ones(1, "bool"), differ], 0)


# ---- counts ----
def bincount(x: Tensor, weights: Tensor = None, minlength: int = 0, sparse: bool = False) -> Composed:
    """How often each of the integers from 0 occurs, or the sums of their weights.

    Args:
        x: A vector of integers that are not negative, or several as a matrix, each counted by itself.
        weights: What each counts, in `x`'s shape; None counts 1.
        minlength: How many counts there are at least; there are more if `x` has greater elements, which a compiled function cannot know.
        sparse: Whether to give a sparse tensor, which no engine can here.

    Raises:
        ArgumentError: There are negative elements.
        DTypeError: `x` are no integers.
        SymbolicError: It is called in a compiled function.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.bincount([1, 2, 2], minlength=5)).tolist()
    [0, 1, 2, 0, 0]
    """
    if sparse:
        raise BackendError("There are no sparse tensors.", where="sparse", fix="leave sparse at False")
    if dtype(x) not in dtypes.INTEGERS and dtype(x) != "bool":
        raise DTypeError(f"{dtype(x)} cannot be counted by value.", where="x", expected="integers", fix="cast to int32")
    if ndim(x) not in (1, 2):
        raise ShapeError(f"x has {ndim(x)} axes.", where="x", expected="a vector or a matrix", received=show(shape(x)))
    x, minlength = as_places(x), integer(minlength, "minlength", 0)
    least = data_size(min(x, initial=0), fix := "count with ops.segment_sum and num_segments=")
    if isinstance(least, int) and least < 0:
        raise ArgumentError("There are negative elements.", where="x", received=least, fix="count what is not negative: x - ops.min(x)")
    length = data_size(max(x, initial=minlength - 1), fix) + 1
    weights = ones_like(x, "int32") if weights is None else weights
    if dtype(weights) == "bool":
        weights = cast(weights, "int32")
    if ndim(x) == 1:
        return scatter_rows(zeros(length, dtype(weights)), x, weights, "add")
    rows = shape(x)[0]
    places = add(x, multiply(expand_dims(arange(rows, dtype="int32"), 1), length))
    counts = scatter_rows(zeros(rows * length, dtype(weights)), reshape(places, (-1,)), reshape(weights, (-1,)), "add")
    return reshape(counts, (rows, length))


def histogram(x: Tensor, bins: int = 10, range: Any = None) -> tuple[Floating, Floating]:
    """How many elements lie in each of `bins` equal intervals, and the `bins + 1` edges of these.

    Args:
        x: A vector.
        bins: How many intervals there are.
        range: The first and the last edge; None is the least and the greatest element. What lies outside is not counted, what is equal to the
            last edge is.

    Raises:
        ArgumentError: `bins` is no positive integer, or `range` no ascending pair.
        ShapeError: `x` is no vector.

    Example:

    >>> from keraunos import ops
    >>> counts, edges = ops.histogram([1.0, 2.0, 2.0, 5.0], bins=2)
    >>> ops.convert_to_numpy(counts).tolist(), ops.convert_to_numpy(edges).tolist()
    ([3.0, 1.0], [1.0, 3.0, 5.0])
    """
    if not isinstance(bins, int) or bins < 1:
        raise ArgumentError("bins is no positive integer.", where="bins", received=type(bins).__name__ if not isinstance(bins, int) else bins, fix="bins=10")
    _vector(x, "x")
    if range is not None:
        if isinstance(range, str) or len(range) != 2 or not range[0] <= range[1]:
            raise ArgumentError("range is no ascending pair.", where="range", received=range, expected="(least, greatest)")
        low, high = (cast(float(edge), dtype(x)) for edge in range)
    else:
        low, high = min(x, initial=math.inf), max(x, initial=-math.inf)
        nothing = less(high, low)
        low, high = where(nothing, 0, low), where(nothing, 1, high)
    half = cast(multiply(0.5, cast(equal(low, high), "float32")), dtype(x))  # one value lies in the middle
    low, high = subtract(low, half), add(high, half)
    edges = linspace(low, high, bins + 1, dtype=dtype(x))
    places = where(equal(x, high), bins - 1, subtract(searchsorted(edges, x, "right"), 1))
    counts = scatter_rows(zeros(bins, "int32"), places, ones_like(places), "add")
    return cast(counts, dtype(x)), edges


declare(globals())

__all__ = ["argpartition", "bincount", "digitize", "histogram", "isin", "nonzero", "searchsorted", "select", "unique", "unravel_index"]
