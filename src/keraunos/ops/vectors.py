"""Ops of vectors and of curves: cross and Kronecker products, correlation, powers, the trapezoidal rule."""

from __future__ import annotations

import builtins
from typing import Any

from keraunos.core.errors import ShapeError, one_of
from keraunos.core.op import Tensor
from keraunos.core.spec import UNKNOWN, Spec, normalize_axis, show
from keraunos.ops.complexes import conjugate
from keraunos.ops.convolutions import conv
from keraunos.ops.creation import ones_like
from keraunos.ops.elementwise import add, multiply, settled, subtract, true_divide
from keraunos.ops.products import diag
from keraunos.ops.reductions import cumprod, sum
from keraunos.ops.rules import Numeric, Promoted, Same, Wide, declare, integer
from keraunos.ops.shaping import broadcast_to, concatenate, diff, dtype, expand_dims, flip, get_item, moveaxis, ndim, pad, ravel, reshape, shape, stack


def cross(x1: Tensor, x2: Tensor, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Numeric:
    """The cross product of vectors of 2 or 3 components; of two that have 2, only the third component, without an axis.

    Args:
        x1: Vectors along `axisa`; the other axes broadcast.
        x2: Vectors along `axisb`.
        axisa: The axis of `x1`'s components.
        axisb: The axis of `x2`'s components.
        axisc: The axis of the result's components.
        axis: All three of these axes.

    Raises:
        ShapeError: There are not 2 or 3 components, or it is not known how many.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cross([1, 0, 0], [0, 1, 0])).tolist()
    [0, 0, 1]
    """
    if not ndim(x1) or not ndim(x2):
        raise ShapeError("A cross product is of vectors, not of scalars.", received=f"{show(shape(x1))} and {show(shape(x2))}", fix="use ops.multiply")
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    x1, x2 = moveaxis(x1, axisa, -1), moveaxis(x2, axisb, -1)
    sizes = [x.shape[-1] for x in (x1, x2)]
    if any(n not in (2, 3, None) for n in sizes) or (UNKNOWN in sizes and 3 not in sizes):
        fact = "A cross product is of 2 or 3 components."
        raise ShapeError(fact, received=f"{show(sizes)[0]} and {show(sizes)[1]}", fix="axis= names the one with the components")
    a, b = ([x[..., i] if i < 2 or n != 2 else 0 for i in range(3)] for x, n in zip((x1, x2), sizes, strict=True))
    if sizes == [2, 2]:
        return _turn(a, b, 0, 1)
    return moveaxis(stack([_turn(a, b, i, (i + 1) % 3) for i in (1, 2, 0)], -1), -1, axisc)


def _turn(a: list[Any], b: list[Any], i: int, j: int) -> Any:
    return subtract(multiply(a[i], b[j]), multiply(a[j], b[i]))


def kron(x1: Tensor, x2: Tensor) -> Promoted:
    """The Kronecker product: `x2` once for each element of `x1`, multiplied by it, in a block at its place.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.kron([1, 10], [1, 2, 3])).tolist()
    [1, 2, 3, 10, 20, 30]
    """
    x1, x2 = settled(x1, x2)
    n = max(ndim(x1), ndim(x2))
    first, second = ((*[1] * (n - ndim(x)), *shape(x)) for x in (x1, x2))
    blocks = multiply(reshape(x1, tuple(d for a in first for d in (a, 1))), reshape(x2, tuple(d for b in second for d in (1, b))))
    return reshape(blocks, tuple(a * b for a, b in zip(first, second, strict=True)))


def correlate(x1: Tensor, x2: Tensor, mode: str = "valid") -> Wide:
    """The sums of products of `x1` with the conjugate of `x2` moved along it.

    Args:
        x1: A vector.
        x2: A vector.
        mode: "valid" is where they overlap wholly, "full" wherever they overlap, "same" the middle of this, as long as the longer one.

    Raises:
        ShapeError: They are no vectors, or it is not known how long they are.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5], "same")).tolist()
    [2.0, 3.5, 3.0]
    """
    one_of("mode", mode, ("valid", "same", "full"))
    if ndim(x1) != 1 or ndim(x2) != 1:
        raise ShapeError("Only vectors are correlated.", received=f"{show(shape(x1))} and {show(shape(x2))}", fix="ops.ravel(x)")
    n, m = shape(x1)[0], shape(x2)[0]
    if not isinstance(n, int) or not isinstance(m, int):
        if isinstance(x1, Spec) or isinstance(x2, Spec):
            return Spec((UNKNOWN,), dtype(x1))
        raise ShapeError("The lengths of the vectors are not known.", received=f"{show(shape(x1))} and {show(shape(x2))}", fix="give Input all sizes")
    if n < m:
        return conjugate(flip(correlate(x2, x1, mode)))
    before, behind = {"valid": (0, 0), "same": (m // 2, (m - 1) // 2), "full": (m - 1, m - 1)}[mode]
    padded, kernel = reshape(pad(x1, (before, behind)), (1, -1, 1)), reshape(conjugate(x2), (-1, 1, 1))
    return reshape(conv(padded, kernel, data_format="channels_last"), (-1,))


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Numeric:
    """The Vandermonde matrix: a column for each of the powers `N - 1` to 0 of a vector.

    Args:
        x: A vector.
        N: How many powers; None is as many as elements.
        increasing: Whether the powers go from 0 to `N - 1`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.vander([1, 2, 3], 3)).tolist()
    [[1, 1, 1], [4, 2, 1], [9, 3, 1]]
    """
    if ndim(x) != 1:
        raise ShapeError(f"x has {ndim(x)} axes, not one.", where="x", received=show(shape(x)))
    n = shape(x)[0]
    N = n if N is None else integer(N, "N", 0)
    column = expand_dims(x, 1)
    factors = concatenate([ones_like(column), broadcast_to(column, (n, N))], 1)
    powers = get_item(cumprod(factors, 1), (builtins.slice(None), builtins.slice(0, N)))
    return powers if increasing else flip(powers, 1)


def diagflat(x: Tensor, k: int = 0) -> Same:
    """The matrix with the elements on its `k`-th diagonal, zeros elsewhere.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.diagflat([1, 2])).tolist()
    [[1, 0], [0, 2]]
    """
    return diag(ravel(x), k)


def trapezoid(y: Tensor, x: Tensor = None, dx: float = 1.0, axis: int = -1) -> Wide:
    """The integral of `y` along `axis` by the trapezoidal rule.

    Args:
        y: The values.
        x: Where they are: a vector, or in a shape that broadcasts to `y`'s.
        dx: The distance between them, where `x` is None.
        axis: The axis to go along.

    Example:

    >>> from keraunos import ops
    >>> float(ops.trapezoid([1.0, 2.0, 3.0]))
    4.0
    """
    at = normalize_axis(axis, ndim(y))
    y = moveaxis(y, at, -1)
    steps = dx if x is None else diff(x if ndim(x) == 1 else moveaxis(x, axis, -1))
    both = add(get_item(y, (..., builtins.slice(1, None))), get_item(y, (..., builtins.slice(None, -1))))
    return sum(multiply(true_divide(both, 2), steps), -1)


declare(globals())

__all__ = ["correlate", "cross", "diagflat", "kron", "trapezoid", "vander"]
