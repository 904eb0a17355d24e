"""Decompositions of matrices and linear systems: what engines do by LAPACK or its like.

The last two axes are the matrix, those before them a batch. 16-bit floats are computed in 32 bits. Signs and phases
of eigenvectors, singular vectors and the parts of a QR decomposition are the engine's.
"""

from __future__ import annotations

import builtins
from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ShapeError, one_of
from keraunos.core.op import Tensor
from keraunos.core.spec import UNKNOWN, Shape, Spec, broadcast_shapes, same_dim, show
from keraunos.ops.rules import Wide, declare, dims, shaped


# ---- what the rules share ----
def matrices(x: Any) -> tuple[Shape, Any, Any]:
    """The batch, the rows and the columns of the matrices in the last two axes."""
    own = dims(x)
    if len(own) < 2:
        raise ShapeError(f"A matrix has two axes, this tensor has {len(own)}.", received=show(own), expected="(..., rows, columns)")
    return own[:-2], own[-2], own[-1]


def squares(x: Any) -> tuple[Shape, Any]:
    """The batch and the size of the square matrices in the last two axes."""
    batch, rows, columns = matrices(x)
    if not same_dim(rows, columns):
        raise ShapeError(f"The matrices are not square: they have {rows} rows and {columns} columns.", received=show(dims(x)), expected="(..., n, n)")
    return batch, columns if rows is UNKNOWN else rows


def smaller(a: Any, b: Any) -> Any:
    """The smaller of two sizes, as far as is known."""
    return UNKNOWN if a is UNKNOWN or b is UNKNOWN else builtins.min(a, b)


def _dtype(x: Any) -> str:
    return dtypes.floating(x.dtype)


# ---- the decompositions ----
@shaped
def cholesky(x: Tensor, upper: bool = False) -> Wide:
    """The triangular `l` with `l @ l.T == x` (its adjoint, for complex ones), or with `upper` that `u` with `u.T @ u == x`.

    Args:
        x: Positive definite matrices, of shape `(..., n, n)`; only their symmetric part counts.
        upper: Whether the upper triangular factor is returned.

    Raises:
        ArgumentError: A matrix is not positive definite. Compiled code cannot raise: there, its factor is NaN.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cholesky([[4.0, 2.0], [2.0, 10.0]])).tolist()
    [[2.0, 0.0], [1.0, 3.0]]
    """
    batch, n = squares(x)
    return (*batch, n, n)


@shaped
def eigh(x: Tensor) -> tuple[Wide, Wide]:
    """The eigenvalues of symmetric (or Hermitian) matrices in ascending order, and the unit eigenvectors as columns.

    Args:
        x: The matrices, of shape `(..., n, n)`; only their symmetric part counts.

    Example:

    >>> from keraunos import ops
    >>> values, vectors = ops.eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> ops.convert_to_numpy(values).tolist()
    [1.0, 2.0]
    """
    batch, n = squares(x)
    return Spec((*batch, n), dtypes.real(_dtype(x))), Spec((*batch, n, n), _dtype(x))


@shaped
def eig(x: Tensor) -> tuple[Wide, Wide]:
    """The eigenvalues of square matrices in no order, and the unit eigenvectors as columns; both are complex. Of symmetric matrices `eigh` has real ones.

    Args:
        x: The matrices, of shape `(..., n, n)`.

    Example:

    >>> from keraunos import ops
    >>> values, vectors = ops.eig([[0.0, -1.0], [1.0, 0.0]])  # a turn by 90 degrees: i and -i
    >>> sorted(ops.convert_to_numpy(values).imag.round(3).tolist())
    [-1.0, 1.0]
    """
    batch, n = squares(x)
    kind = dtypes.complexed(_dtype(x))
    return Spec((*batch, n), kind), Spec((*batch, n, n), kind)


@shaped
def qr(x: Tensor, mode: str = "reduced") -> tuple[Wide, Wide]:
    """`(q, r)` with `q @ r == x`, the columns of `q` orthonormal and `r` upper triangular.

    Args:
        x: The matrices, of shape `(..., m, n)`.
        mode: "reduced" gives `q` of shape `(..., m, k)` and `r` of `(..., k, n)` with k the smaller of m and n; "complete" has k = m.

    Example:

    >>> from keraunos import ops
    >>> q, r = ops.qr([[3.0, 1.0], [4.0, 2.0], [0.0, 5.0]])
    >>> ops.shape(q), ops.shape(r), bool(ops.allclose(ops.matmul(q, r), [[3, 1], [4, 2], [0, 5]], atol=1e-5))
    ((3, 2), (2, 2), True)
    """
    one_of("mode", mode, ("reduced", "complete"))
    batch, m, n = matrices(x)
    k = m if mode == "complete" else smaller(m, n)
    return Spec((*batch, m, k), _dtype(x)), Spec((*batch, k, n), _dtype(x))


@shaped
def svd(x: Tensor, full_matrices: bool = True, compute_uv: bool = True) -> tuple[Wide, Wide, Wide]:
    """`(u, s, vh)` with `u @ diag(s) @ vh == x`, the columns of `u` and rows of `vh` orthonormal, `s` the singular values in descending order.

    Args:
        x: The matrices, of shape `(..., m, n)`.
        full_matrices: Whether `u` is of shape `(..., m, m)` and `vh` of `(..., n, n)`; otherwise `(..., m, k)` and `(..., k, n)`,
            with k the smaller of m and n.
        compute_uv: False gives `s` alone.

    Example:

    >>> from keraunos import ops
    >>> u, s, vh = ops.svd([[3.0, 0.0], [0.0, 4.0], [0.0, 0.0]], full_matrices=False)
    >>> ops.shape(u), ops.shape(vh), [f"{value:.4f}" for value in ops.convert_to_numpy(s)]
    ((3, 2), (2, 2), ['4.0000', '3.0000'])
    """
    batch, m, n = matrices(x)
    k, kind = smaller(m, n), _dtype(x)
    s = Spec((*batch, k), dtypes.real(kind))
    if not compute_uv:
        return s  # type: ignore[return-value]
    return Spec((*batch, m, m if full_matrices else k), kind), s, Spec((*batch, n if full_matrices else k, n), kind)


@shaped
def lu_factor(x: Tensor) -> tuple[Wide, Any]:
    """The LU decomposition with partial pivoting: `l` below the diagonal and `u` on and above it, and the pivots.

    Args:
        x: The matrices, of shape `(..., m, n)`.

    Returns:
        The factors in one matrix of shape `(..., m, n)`, and for each of the k = min(m, n) steps the row that was exchanged with
        the one in turn, of shape `(..., k)`, int32.

    Example:

    >>> from keraunos import ops
    >>> factors, pivots = ops.lu_factor([[1.0, 2.0], [2.0, 8.0]])
    >>> ops.convert_to_numpy(factors).tolist(), ops.convert_to_numpy(pivots).tolist()
    ([[2.0, 8.0], [0.5, -2.0]], [1, 1])
    """
    batch, m, n = matrices(x)
    return Spec((*batch, m, n), _dtype(x)), Spec((*batch, smaller(m, n)), "int32")


@shaped
def solve(a: Tensor, b: Tensor) -> Wide:
    """The `x` with `a @ x == b`; where `a` is singular it is not finite.

    Args:
        a: Square matrices, of shape `(..., n, n)`.
        b: One vector of shape `(n,)`, or matrices of shape `(..., n, k)`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])).tolist()
    [1.0, 0.5]
    """
    return solved(a, b)


def solved(a: Any, b: Any) -> Shape:
    """The shape of what solves a linear system."""
    batch, n = squares(a)
    own = dims(b)
    if not own or not same_dim(n, own[0 if len(own) == 1 else -2]):
        raise ShapeError(f"b does not fit {n} equations.", where="b", received=show(own), expected=f"({n},) or (..., {n}, k)")
    return (*batch, *own) if len(own) == 1 else (*broadcast_shapes(batch, own[:-2]), *own[-2:])


declare(globals())

__all__ = ["cholesky", "eig", "eigh", "lu_factor", "qr", "solve", "svd"]
