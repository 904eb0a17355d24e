"""Products of vectors and matrices, and diagonals."""

from __future__ import annotations

import builtins
from typing import Any

from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.op import Tensor
from keraunos.core.spec import UNKNOWN, Shape, broadcast_dim, broadcast_shapes, normalize_axes, normalize_axis, same_dim, show
from keraunos.ops.complexes import conjugate
from keraunos.ops.creation import eye, zeros_like
from keraunos.ops.elementwise import add, multiply, where
from keraunos.ops.reductions import sum
from keraunos.ops.rules import Contracted, Promoted, Same, Summed, declare, dims, integer, shaped
from keraunos.ops.shaping import expand_dims, ndim, pad, ravel, reshape, shape


@shaped
def matmul(x1: Tensor, x2: Tensor) -> Contracted:
    """The matrix product over the last two axes, the others broadcast.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.matmul(ops.ones((5, 2, 3)), ops.ones((3, 4))))
    (5, 2, 4)
    """
    a, b = dims(x1), dims(x2)
    if not a or not b:
        raise ShapeError("matmul needs tensors with axes, not scalars.", received=f"{show(a)} and {show(b)}", fix="use ops.multiply")
    if not same_dim(a[-1], b[-2:][0]):
        expected = f"the last axis of the first, {a[-1]}, as long as {'the last but one' if len(b) > 1 else 'the only one'} of the second"
        fact = f"Shapes {show(a)} and {show(b)} cannot be multiplied."
        raise ShapeError(fact, expected=expected, fix="ops.transpose one of them, or check which axes belong together", code="KR103")
    return (*broadcast_shapes(a[:-2], b[:-2]), *a[-2:-1], *b[-1:][: len(b) - 1])


def affine(x: Tensor, kernel: Tensor, bias: Tensor) -> Promoted:
    """`x @ kernel + bias`, which engines do in one.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.affine(ops.ones((2, 3)), ops.ones((3, 4)), ops.ones((4,))))
    (2, 4)
    """
    return add(matmul(x, kernel), bias)


@shaped
def tensordot(x1: Tensor, x2: Tensor, axes: Any = 2) -> Promoted:
    """The sum of products over `axes`.

    Args:
        axes: A number: so many last axes of `x1` with as many first ones of `x2`. Or a pair of lists: the axes of `x1`, and those of `x2` that go with them.

    Raises:
        ShapeError: The axes are not of equal sizes.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.tensordot(ops.ones((2, 3, 4)), ops.ones((4, 3, 5)), axes=[[1, 2], [1, 0]]))
    (2, 5)
    >>> ops.convert_to_numpy(ops.tensordot([[1, 2], [3, 4]], [10, 1], axes=1)).tolist()
    [12, 34]
    """
    a, b = dims(x1), dims(x2)
    if not hasattr(axes, "__len__"):
        axes = integer(axes, "axes", 0)
        first, second = range(len(a) - axes, len(a)), range(axes)
    elif len(axes) != 2:
        raise ArgumentError(f"There are {len(axes)} lists of axes.", where="axes", expected="an integer, or a pair of lists")
    else:
        first, second = normalize_axes(axes[0], len(a)), normalize_axes(axes[1], len(b))
    if len(first) != len(second) or any(i < 0 or j >= len(b) or not same_dim(a[i], b[j]) for i, j in zip(first, second, strict=False)):
        raise ShapeError(f"Shapes {show(a)} and {show(b)} cannot be contracted over axes {axes}.", expected="axes of equal sizes")
    return (*(d for i, d in enumerate(a) if i not in first), *(d for i, d in enumerate(b) if i not in second))


def dot(x1: Tensor, x2: Tensor) -> Promoted:
    """The sum of products over the last axis of `x1` and the last but one (or only one) of `x2`; a scalar multiplies.

    Example:

    >>> from keraunos import ops
    >>> int(ops.dot([1, 2, 3], [4, 5, 6]))
    32
    >>> ops.convert_to_numpy(ops.dot([[1, 2], [3, 4]], [[0, 1], [1, 0]])).tolist()
    [[2, 1], [4, 3]]
    """
    return tensordot(x1, x2, [[-1], [-2 if ndim(x2) > 1 else -1]]) if ndim(x1) and ndim(x2) else multiply(x1, x2)


def inner(x1: Tensor, x2: Tensor) -> Promoted:
    """The sum of products over the last axes of both; a scalar multiplies.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.inner([[1, 2], [3, 4]], [[10, 1], [0, 1]])).tolist()
    [[12, 2], [34, 4]]
    """
    return tensordot(x1, x2, [[-1], [-1]]) if ndim(x1) and ndim(x2) else multiply(x1, x2)


def vdot(x1: Tensor, x2: Tensor) -> Promoted:
    """The sum of the products of all elements, those of `x1` conjugated.

    Example:

    >>> from keraunos import ops
    >>> complex(ops.vdot([1 + 1j, 0], [1 + 1j, 5]))
    (2+0j)
    """
    return tensordot(conjugate(ravel(x1)), ravel(x2), 1)


def outer(x1: Tensor, x2: Tensor) -> Promoted:
    """The products of each element of `x1` with each of `x2`, both flattened, as a matrix.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.outer([1, 2, 3], [10, 100])).tolist()
    [[10, 100], [20, 200], [30, 300]]
    """
    if not ndim(x1) or not ndim(x2):
        return reshape(multiply(x1, x2), (-1, 1) if ndim(x1) else (1, -1))
    return multiply(reshape(x1, (-1, 1)), reshape(x2, (1, -1)))


@shaped
def einsum(subscripts: str, *operands: Tensor, **kwargs: Any) -> Contracted:
    """Sums of products by Einstein's notation.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.einsum("bij,jk->bik", ops.ones((5, 2, 3)), ops.ones((3, 4))))
    (5, 2, 4)
    """
    if kwargs:
        raise ArgumentTypeError(f"einsum takes no option '{next(iter(kwargs))}'.", where="ops.einsum")
    if not isinstance(subscripts, str):
        raise ArgumentTypeError("The subscripts are no text.", where="subscripts", received=type(subscripts).__name__, expected="such as 'ij,jk->ik'")
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(operands):
        fix = "one group of letters for each operand, with commas between"
        raise ArgumentError(f"'{subscripts}' names {len(terms)} operands, {len(operands)} are given.", fix=fix)
    sizes: dict[str, Any] = {}
    rest: Shape = ()
    for term, x in zip(terms, operands, strict=True):
        own, (before, dots, after) = dims(x), term.partition("...")
        if len(own) < len(before + after) or (not dots and len(own) != len(before)):
            fact = f"'{term}' in '{subscripts}' does not fit a tensor of {len(own)} axes."
            raise ShapeError(fact, received=show(own), fix="one letter for each axis, or '...' for some")
        end = len(own) - len(after)
        rest = broadcast_shapes(rest, own[len(before) : end])
        for letter, d in [*zip(before, own, strict=False), *zip(after, own[end:], strict=True)]:
            found = sizes.get(letter, 1)
            if 1 not in (found, d) and not same_dim(found, d):
                fact = f"'{letter}' in '{subscripts}' is both {found} and {d}."
                raise ShapeError(fact, received=", ".join(str(show(dims(y))) for y in operands), fix="axes of one letter are of one size")
            sizes[letter] = broadcast_dim(found, d)
    if not arrow:
        output = ("..." if "..." in inputs else "") + "".join(sorted(c for c in sizes if inputs.count(c) == 1))
    if unknown := [c for c in output.replace("...", "") if c not in sizes]:
        raise ArgumentError(f"'{unknown[0]}' in the result of '{subscripts}' is in no operand.", fix="letters of the result stand in an operand")
    before, dots, after = output.partition("...")
    if twice := [c for c in sizes if output.count(c) > 1]:
        raise ArgumentError(f"'{twice[0]}' is twice in the result of '{subscripts}'.", where="subscripts", fix="ops.diag makes matrices of vectors")
    return (*(sizes[c] for c in before), *(rest if dots else ()), *(sizes[c] for c in after))


@shaped
def diagonal(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Same:
    """The `offset`-th diagonal of the matrices in two axes, as a last axis; a positive one lies above the main diagonal, a negative one below.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.diagonal([[1, 2, 3], [4, 5, 6]], offset=1)).tolist()
    [2, 6]
    >>> ops.shape(ops.diagonal(ops.zeros((5, 2, 2)), axis1=1, axis2=2))
    (5, 2)
    """
    own = dims(x)
    if len(own) < 2:
        raise ShapeError("A diagonal needs at least two axes.", received=show(own))
    i, j = normalize_axis(axis1, len(own), "axis1"), normalize_axis(axis2, len(own), "axis2")
    if i == j:
        raise ShapeError("A diagonal lies in two different axes.", where="axis2", received=f"{axis1} and {axis2}", fix="axis1=0, axis2=1")
    integer(offset, "offset")
    rows, columns = own[i] + builtins.min(offset, 0), own[j] - builtins.max(offset, 0)
    length = UNKNOWN if rows is UNKNOWN or columns is UNKNOWN else builtins.max(builtins.min(rows, columns), 0)
    return (*(d for k, d in enumerate(own) if k not in (i, j)), length)


def trace(x: Tensor, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Summed:
    """The sum of the `offset`-th diagonal of the matrices in two axes.

    Example:

    >>> from keraunos import ops
    >>> int(ops.trace([[1, 2], [3, 4]]))
    5
    """
    return sum(diagonal(x, offset, axis1, axis2), -1)


def diag(x: Tensor, k: int = 0) -> Same:
    """The `k`-th diagonal of a matrix, or the matrix that has a vector there and zeros elsewhere.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.diag([[1, 2], [3, 4]])).tolist()
    [1, 4]
    >>> ops.convert_to_numpy(ops.diag([1, 2], k=1)).tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    """
    if ndim(x) == 2:
        return diagonal(x, k)
    if ndim(x) != 1:
        raise ShapeError(f"diag takes a vector or a matrix, not {ndim(x)} axes.", received=show(shape(x)))
    extended = pad(x, (0, builtins.abs(integer(k, "k"))))
    matrix = expand_dims(extended, 1 if k > 0 else 0)
    return where(eye(shape(extended)[0], k=k, dtype="bool"), matrix, zeros_like(matrix))


declare(globals())

__all__ = ["affine", "diag", "diagonal", "dot", "einsum", "inner", "matmul", "outer", "tensordot", "trace", "vdot"]
