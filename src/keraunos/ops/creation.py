"""Ops that make tensors, and those that mask triangles of them."""

from __future__ import annotations

import math
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, one_of
from keraunos.core.op import SAME, Operand, Tensor, primitive
from keraunos.core.spec import UNKNOWN, Spec, Symbolic, show
from keraunos.ops import rules, shaping
from keraunos.ops.elementwise import add, cast, divide, equal, floor, greater_equal, multiply, subtract, where
from keraunos.ops.rules import Composed, Same, declare, integer, shaped
from keraunos.ops.shaping import broadcast_to, expand_dims, moveaxis, ndim, reshape


@primitive(shape=lambda shape, fill_value, dtype=None: Spec(rules.as_shape(shape), dtypes.standardize_dtype(dtype)), dtype=SAME)
def full(shape: Any, fill_value: Operand, dtype: Any = None) -> Tensor:
    """A tensor with `fill_value`, a number or a tensor that broadcasts, everywhere; in `floatx()` unless a dtype is given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.full((2, 2), 7.0)).tolist()
    [[7.0, 7.0], [7.0, 7.0]]
    >>> ops.convert_to_numpy(ops.full((2, 2), [1, 2], dtype="int32")).tolist()
    [[1, 2], [1, 2]]
    """


def zeros(shape: Any, dtype: Any = None) -> Composed:
    """A tensor of zeros.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.zeros((2, 3)))
    (2, 3)
    """
    return full(shape, 0, dtype)


def ones(shape: Any, dtype: Any = None) -> Composed:
    """A tensor of ones, in `floatx()` unless a dtype is given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ones((2, 2), dtype="int32")).tolist()
    [[1, 1], [1, 1]]
    """
    return full(shape, 1, dtype)


def empty(shape: Any, dtype: Any = None) -> Composed:
    """A tensor whose values do not matter: zeros.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.empty((2, 3)))
    (2, 3)
    """
    return full(shape, 0, dtype)


def full_like(x: Operand, fill_value: Operand, dtype: Any = None) -> Composed:
    """A tensor of `x`'s shape, and its dtype unless one is given, with `fill_value` everywhere.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.full_like([[1, 2], [3, 4]], 5)).tolist()
    [[5, 5], [5, 5]]
    """
    return full(shaping.shape(x), fill_value, dtype or shaping.dtype(x))


def zeros_like(x: Operand, dtype: Any = None) -> Composed:
    """A tensor of zeros in the shape of `x`, and in its dtype unless one is given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.zeros_like([1.5, 2.5])).tolist()
    [0.0, 0.0]
    """
    return full(shaping.shape(x), 0, dtype or shaping.dtype(x))


def ones_like(x: Operand, dtype: Any = None) -> Composed:
    """A tensor of ones in the shape of `x`, and in its dtype unless one is given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ones_like([[1, 2], [3, 4]])).tolist()
    [[1, 1], [1, 1]]
    """
    return full(shaping.shape(x), 1, dtype or shaping.dtype(x))


def empty_like(x: Operand, dtype: Any = None) -> Composed:
    """A tensor in the shape and dtype of `x` whose values do not matter: zeros.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.empty_like([[1, 2, 3]]))
    (1, 3)
    """
    return full(shaping.shape(x), 0, dtype or shaping.dtype(x))


@shaped
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Composed:
    """The numbers from `start` (0 if it alone is given) to before `stop`, by `step`.

    Args:
        start: The first number; if it alone is given, the bound.
        stop: The bound.
        step: The distance, which may be negative; None is 1.
        dtype: The result's dtype; None is that of the numbers given.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.arange(4)).tolist()
    [0, 1, 2, 3]
    >>> ops.convert_to_numpy(ops.arange(1.0, 0.0, -0.25)).tolist()
    [1.0, 0.75, 0.5, 0.25]
    """
    name = dtype or dtypes.common(*(0 if d is UNKNOWN else d for d in (start, stop, step)))
    start, stop, step = (start, stop, 1 if step is None else step) if stop is not None else (0, start, 1 if step is None else step)
    if any(d is UNKNOWN or isinstance(d, Symbolic) for d in (start, stop, step)):
        return Spec((UNKNOWN,), name)
    if wrong := [d for d in (start, stop, step) if d is None or isinstance(d, str)]:
        raise ArgumentTypeError(f"arange goes from a number to a number, not {wrong[0]!r}.", where="start", fix="ops.arange(0, 10)")
    if step == 0:
        raise ArgumentError("arange cannot go by steps of 0.", where="step", fix="ops.full repeats one number")
    return Spec((max(0, math.ceil((stop - start) / step)),), name)


def linspace(start: Tensor, stop: Tensor, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0) -> Composed:
    """`num` numbers from `start` to `stop`, evenly spaced along a new `axis`.

    Args:
        start: The first; a tensor gives many such rows.
        stop: The last, or with `endpoint=False` the bound.
        num: How many.
        endpoint: Whether `stop` is one of them.
        retstep: Whether to return their distance too.
        dtype: The result's dtype, an integer one rounding down; None is a float one.
        axis: Where the new axis is.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.linspace(0, 1, 5)).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    >>> ops.convert_to_numpy(ops.linspace(0, 1, 4, endpoint=False)).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    integer(num, "num", 0)
    name = dtype or dtypes.floating(dtypes.result_type(*(type(x) if isinstance(x, (int, float)) else shaping.dtype(x) for x in (start, stop))))
    inner = name if dtypes.is_float(name) else dtypes.standardize_dtype(None)
    first, last = (add(cast(x, inner), full((), 0, inner)) for x in (start, stop))
    span = subtract(last, first)
    gaps = num - 1 if endpoint else num
    steps = reshape(cast(divide(arange(num), max(gaps, 1)), inner), (num,) + (1,) * ndim(span))
    out = add(multiply(subtract(1, steps), first), multiply(steps, last))
    out = cast(moveaxis(floor(out) if name in dtypes.INTEGERS else out, 0, axis), name)
    return (out, divide(span, gaps)) if retstep else out


def eye(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Composed:
    """`N` rows and `M` (or `N`) columns with ones on the `k`-th diagonal, zeros elsewhere.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.eye(2, 3, k=1)).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows, columns = arange(N), arange(N if M is None else M)
    return cast(equal(add(expand_dims(rows, 1), k), columns), dtypes.standardize_dtype(dtype))


def identity(n: Any, dtype: Any = None) -> Composed:
    """The `n` by `n` identity matrix.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.identity(2)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


def tri(N: Any, M: Any = None, k: int = 0, dtype: Any = None) -> Composed:
    """`N` rows and `M` (or `N`) columns with ones on and below the `k`-th diagonal, zeros above.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tri(3)).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]
    """
    rows, columns = arange(N), arange(N if M is None else M)
    return cast(greater_equal(add(expand_dims(rows, 1), k), columns), dtypes.standardize_dtype(dtype))


def tril(x: Tensor, k: int = 0) -> Same:
    """The matrix, or each of several, with zeros above the `k`-th diagonal.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tril([[1, 2, 3], [4, 5, 6], [7, 8, 9]])).tolist()
    [[1, 0, 0], [4, 5, 0], [7, 8, 9]]
    """
    return where(_lower(x, k), x, zeros_like(x))


def triu(x: Tensor, k: int = 0) -> Same:
    """The matrix, or each of several, with zeros below the `k`-th diagonal.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.triu([[1, 2, 3], [4, 5, 6], [7, 8, 9]], k=1)).tolist()
    [[0, 2, 3], [0, 0, 6], [0, 0, 0]]
    """
    return where(_lower(x, integer(k, "k") - 1), zeros_like(x), x)


def _lower(x: Any, k: int) -> Any:
    """Which elements of a matrix lie on and below the `k`-th diagonal."""
    own = shaping.shape(x)
    if len(own) < 2:
        raise ShapeError("A triangle is part of a matrix.", where="x", received=show(own), expected="two axes or more")
    return tri(*own[-2:], k=integer(k, "k"), dtype="bool")


def meshgrid(*x: Operand, indexing: str = "xy") -> list[Same]:
    """The coordinates of a grid, from those of each axis.

    Args:
        x: A vector for each axis.
        indexing: "xy" puts the second axis first, as pictures have it; "ij" keeps the order.

    Example:

    >>> from keraunos import ops
    >>> x, y = ops.meshgrid([1, 2, 3], [10, 20])
    >>> ops.convert_to_numpy(x).tolist(), ops.convert_to_numpy(y).tolist()
    ([[1, 2, 3], [1, 2, 3]], [[10, 10, 10], [20, 20, 20]])
    """
    one_of("indexing", indexing, ("xy", "ij"))
    order = list(range(len(x)))
    if indexing == "xy" and len(x) > 1:
        order[:2] = [1, 0]
    lengths = [shaping.size(x[i]) for i in order]
    return [broadcast_to(reshape(v, tuple(-1 if j == order.index(i) else 1 for j in range(len(x)))), tuple(lengths)) for i, v in enumerate(x)]


declare(globals())

__all__ = [
    "arange", "empty", "empty_like", "eye", "full", "full_like", "identity", "linspace", "meshgrid", "ones", "ones_like", "tri", "tril", "triu",
    "zeros", "zeros_like",
]  # fmt: skip
