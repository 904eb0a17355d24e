"""The standard's linear algebra; the last two axes are the matrix, those before them a batch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.spec import normalize_axes
from keraunos.interop.array_api import _dtypes
from keraunos.interop.array_api._array import Array, checked, value_of, wrap
from keraunos.interop.array_api._dtypes import DType
from keraunos.interop.array_api._elementwise import conj
from keraunos.interop.array_api._manipulation import matrix_transpose, permute_dims, reshape
from keraunos.interop.array_api._reductions import sum

_Axis = int | tuple[int, ...] | None


# ---- products ----
def matmul(x1: Array, x2: Array, /) -> Array:
    """The matrix product over the last two axes, the others broadcast.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.matmul(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], dtype=int64)
    """
    dtype, (a, b) = checked("matmul", "numeric", x1, x2)
    return wrap(ops.matmul(a, b), dtype)


def tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    """The sum of products over `axes`: so many last of `x1` with first of `x2`, or a pair of lists.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.tensordot(xp.ones((2, 3)), xp.ones((3, 4)), axes=1).shape
    (2, 4)
    """
    dtype, (a, b) = checked("tensordot", "numeric", x1, x2)
    return wrap(ops.tensordot(a, b, axes if isinstance(axes, int) else [list(axes[0]), list(axes[1])]), dtype)


def vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The sum of products over `axis`, which counts from the end; of complex numbers the first is conjugated.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.vecdot(xp.asarray([[1, 2], [3, 4]]), xp.asarray([10, 1]))
    Array([12, 34], dtype=int64)
    """
    dtype, (a, b) = checked("vecdot", "numeric", x1, x2)
    if not -min(x1.ndim, x2.ndim) <= axis < 0 or x1.shape[axis] != x2.shape[axis]:
        fact = f"The arrays have no axis {axis} of one size."
        raise ShapeError(fact, where="vecdot", received=f"{x1.shape} and {x2.shape}", fix="axis names one of equal size in both")
    product = wrap(ops.multiply(value_of(conj(wrap(a))), b))
    return sum(product, axis=axis, dtype=dtype)


def outer(x1: Array, x2: Array, /) -> Array:
    """The products of each element of one vector with each of another.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.outer(xp.asarray([1, 2]), xp.asarray([3, 4]))
    Array([[3, 4],
     [6, 8]], dtype=int64)
    """
    _, (a, b) = checked("outer", "numeric", x1, x2)
    if x1.ndim != 1 or x2.ndim != 1:
        raise ShapeError("outer takes vectors.", where="outer", received=f"{x1.shape} and {x2.shape}")
    return wrap(ops.multiply(ops.expand_dims(a, 1), b))


def cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """The cross products of vectors of three elements along `axis`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.cross(xp.asarray([1, 0, 0]), xp.asarray([0, 1, 0]))
    Array([0, 0, 1], dtype=int64)
    """
    _, (a, b) = checked("cross", "numeric", x1, x2)
    if x1.shape[axis] != 3 or x2.shape[axis] != 3:
        raise ShapeError("Vectors for a cross product have three elements.", where="cross", received=f"{x1.shape} and {x2.shape}", fix="pad them by a zero")
    a, b = ([ops.take(x, i, axis) for i in range(3)] for x in (a, b))
    parts = [ops.subtract(ops.multiply(a[i], b[j]), ops.multiply(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]
    return wrap(ops.stack(parts, axis))


def matrix_power(x: Array, n: int, /) -> Array:
    """The matrices multiplied with themselves `n` times; their inverses, for negative `n`.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.matrix_power(xp.asarray([[1.0, 1.0], [0.0, 1.0]]), 3)
    Array([[1., 3.],
     [0., 1.]], dtype=float64)
    """
    base, n = (inv(x), -n) if n < 0 else (x, n)
    out = wrap(ops.broadcast_to(ops.eye(x.shape[-1], dtype=x.dtype.name), x.shape))
    while n:
        out, base, n = matmul(out, base) if n % 2 else out, matmul(base, base) if n > 1 else base, n // 2
    return out


# ---- diagonals ----
def diagonal(x: Array, /, *, offset: int = 0) -> Array:
    """The `offset`-th diagonal of matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.diagonal(xp.asarray([[1, 2], [3, 4]]))
    Array([1, 4], dtype=int64)
    """
    return wrap(ops.diagonal(value_of(x), offset, -2, -1))


def trace(x: Array, /, *, offset: int = 0, dtype: DType | None = None) -> Array:
    """The sum of the `offset`-th diagonal of matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.trace(xp.asarray([[1, 2], [3, 4]]))
    Array(5, dtype=int64)
    """
    return sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


# ---- decompositions ----
class eigh_result(NamedTuple):
    """What `eigh` gives."""

    eigenvalues: Array
    eigenvectors: Array


class qr_result(NamedTuple):
    """What `qr` gives."""

    Q: Array
    R: Array


class slogdet_result(NamedTuple):
    """What `slogdet` gives."""

    sign: Array
    logabsdet: Array


class svd_result(NamedTuple):
    """What `svd` gives."""

    U: Array
    S: Array
    Vh: Array


def _floating(name: str, x: Array) -> Any:
    return checked(name, "floating", x)[1][0]


def cholesky(x: Array, /, *, upper: bool = False) -> Array:
    """The lower, or with `upper` the upper, triangular factor of positive definite matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.cholesky(xp.asarray([[4.0, 2.0], [2.0, 2.0]]))
    Array([[2., 0.],
     [1., 1.]], dtype=float64)
    """
    return wrap(ops.cholesky(_floating("cholesky", x), upper))


def eigh(x: Array, /) -> eigh_result:
    """The eigenvalues of symmetric or Hermitian matrices in ascending order, and the unit eigenvectors as columns.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.eigh(xp.asarray([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    Array([1., 2.], dtype=float64)
    """
    return eigh_result(*map(wrap, ops.eigh(_floating("eigh", x))))


def eigvalsh(x: Array, /) -> Array:
    """The eigenvalues of symmetric or Hermitian matrices in ascending order.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.eigvalsh(xp.asarray([[2.0, 0.0], [0.0, 1.0]]))
    Array([1., 2.], dtype=float64)
    """
    return eigh(x).eigenvalues


def qr(x: Array, /, *, mode: str = "reduced") -> qr_result:
    """`(Q, R)` with `Q @ R == x`, the columns of `Q` orthonormal and `R` upper triangular; `mode` is "reduced" or "complete".

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> q, r = xp.linalg.qr(xp.ones((3, 2)))
    >>> q.shape, r.shape
    ((3, 2), (2, 2))
    """
    return qr_result(*map(wrap, ops.qr(_floating("qr", x), mode)))


def slogdet(x: Array, /) -> slogdet_result:
    """The signs of determinants, and the logarithms of their absolute values.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.slogdet(xp.asarray([[0.0, 1.0], [1.0, 0.0]])).sign
    Array(-1., dtype=float64)
    """
    return slogdet_result(*map(wrap, ops.slogdet(_floating("slogdet", x))))


def svd(x: Array, /, *, full_matrices: bool = True) -> svd_result:
    """`(U, S, Vh)` with `U @ diag(S) @ Vh == x`, the columns of `U` and rows of `Vh` orthonormal and `S` descending.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> [part.shape for part in xp.linalg.svd(xp.ones((3, 2)), full_matrices=False)]
    [(3, 2), (2,), (2, 2)]
    """
    return svd_result(*map(wrap, ops.svd(_floating("svd", x), full_matrices)))


def svdvals(x: Array, /) -> Array:
    """The singular values in descending order.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.svdvals(xp.asarray([[1.0, 0.0], [0.0, 2.0]]))
    Array([2., 1.], dtype=float64)
    """
    return wrap(ops.svd(_floating("svdvals", x), compute_uv=False))


# ---- systems of equations, inverses and ranks ----
def det(x: Array, /) -> Array:
    """The determinants of square matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.det(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
    Array(8., dtype=float64)
    """
    return wrap(ops.det(_floating("det", x)))


def inv(x: Array, /) -> Array:
    """The inverses of square matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.inv(xp.asarray([[2.0, 0.0], [0.0, 4.0]]))
    Array([[0.5 , 0.  ],
     [0.  , 0.25]], dtype=float64)
    """
    return wrap(ops.inv(_floating("inv", x)))


def solve(x1: Array, x2: Array, /) -> Array:
    """The `x` with `x1 @ x == x2`, which is one vector, or matrices.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.solve(xp.asarray([[2.0, 0.0], [0.0, 4.0]]), xp.asarray([2.0, 2.0]))
    Array([1. , 0.5], dtype=float64)
    """
    return wrap(ops.solve(*checked("solve", "floating", x1, x2)[1]))


def _limit(rtol: Any, dtype: DType) -> Any:
    return value_of(rtol, _dtypes.parts(dtype)) if isinstance(rtol, Array) else rtol


def pinv(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """The Moore-Penrose inverses; singular values up to `rtol` times the largest count as zero.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.pinv(xp.ones((3, 2))).shape
    (2, 3)
    """
    return wrap(ops.pinv(_floating("pinv", x), _limit(rtol, x.dtype)))


def matrix_rank(x: Array, /, *, rtol: float | Array | None = None) -> Array:
    """The number of singular values above `rtol` times the largest.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.matrix_rank(xp.asarray([[1.0, 2.0], [2.0, 4.0]]))
    Array(1, dtype=int64)
    """
    value = _floating("matrix_rank", x)
    limit = _limit(rtol, x.dtype)
    if limit is not None:
        limit = ops.multiply(limit, ops.max(ops.svd(value, compute_uv=False), -1, initial=0))
    return wrap(ops.matrix_rank(value, limit), _dtypes.int64)


# ---- norms ----
def matrix_norm(x: Array, /, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norms of matrices: "fro", "nuc", 1, -1, 2, -2, inf or -inf.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.matrix_norm(xp.asarray([[1.0, -2.0], [3.0, 4.0]]), ord=1)
    Array(6., dtype=float64)
    """
    return wrap(ops.norm(_floating("matrix_norm", x), ord, (-2, -1), keepdims), _dtypes.parts(x.dtype))


def vector_norm(x: Array, /, *, axis: _Axis = None, keepdims: bool = False, ord: Any = 2) -> Array:
    """The norm of the vectors in `axis`, of several axes as if they were one; `ord` is a number, inf or -inf.

    Example:

    >>> import keraunos.interop.array_api as xp
    >>> xp.linalg.vector_norm(xp.asarray([3.0, 4.0]))
    Array(5., dtype=float64)
    """
    _floating("vector_norm", x)
    if isinstance(ord, str):
        raise ArgumentError(f"There is no vector norm of order {ord!r}.", where="ord", fix="a number, inf or -inf")
    axes = normalize_axes(axis, x.ndim)
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in rest)
    flat = reshape(permute_dims(x, (*rest, *axes)), (*shape, math.prod(x.shape[i] for i in axes)))
    out = ops.norm(value_of(flat), ord, -1)
    return wrap(ops.reshape(out, tuple(1 if i in axes else d for i, d in enumerate(x.shape))) if keepdims else out, _dtypes.parts(x.dtype))


__all__ = [
    "cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer",
    "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]  # fmt: skip
