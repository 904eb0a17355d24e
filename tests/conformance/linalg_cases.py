"""The rows for decompositions, systems of equations, inverses, determinants, norms and distances."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import Case

FACTORED = ("float32", "float64", "bfloat16", "int32")
A = np.array([[[4, 1, -2], [1, 3, 0.5], [-2, 0.5, 6]], [[5, 0, 1], [0, 2, 1], [1, 1, 3]]], "float32")  # symmetric, positive definite
WIDE = A[:, :2] * np.array([1, -1, 1], "float32")
TALL = WIDE.swapaxes(-1, -2)
LACKING = np.array([[1, 2, 3], [2, 4, 6], [1, 0, 1]], "float32")  # of rank 2
COMPLEX = (A + 1j * np.triu(A, 1) - 1j * np.tril(A.swapaxes(-1, -2), -1)).astype("complex64")  # Hermitian
VECTOR = np.array([1, -2, 3], "float32")


def _symmetric(x):
    return (x + x.swapaxes(-1, -2)) / 2


def _definite(x):
    """A positive definite matrix near `x`, for finite differences."""
    return _symmetric(x) + 6 * np.eye(x.shape[-1])


def _cholesky(x, upper=False):
    return np.linalg.cholesky(_symmetric(x), upper=upper)


def _eig(x):
    values, vectors = np.linalg.eig(x)
    return values.astype(complex), vectors.astype(complex)


def _eigh(x):
    return tuple(np.linalg.eigh((x + x.swapaxes(-1, -2).conj()) / 2))


def _lu(x):
    """The textbook's elimination, one matrix at a time."""
    if x.ndim > 2:
        return tuple(map(np.stack, zip(*map(_lu, x), strict=True)))
    lu, pivots = np.array(x, "float64"), []
    for j in range(min(x.shape)):
        p = j + int(np.argmax(np.abs(lu[j:, j])))
        pivots.append(p)
        lu[[j, p]] = lu[[p, j]]
        lu[j + 1 :, j] /= lu[j, j]
        lu[j + 1 :, j + 1 :] -= np.outer(lu[j + 1 :, j], lu[j, j + 1 :])
    return lu, np.array(pivots)


def _triangular(a, b, lower=False):
    return np.linalg.solve(np.tril(a) if lower else np.triu(a), b)


def _inverse_of_factor(x, upper=False):
    factor = np.triu(x).swapaxes(-1, -2) if upper else np.tril(x)
    return np.linalg.inv(factor @ factor.swapaxes(-1, -2))


def _lstsq(a, b, rcond=None):
    return np.linalg.pinv(a, rcond=rcond or 1e-6) @ b


def _cdist(x, y):
    return np.sqrt(np.sum((x[..., :, None, :] - y[..., None, :, :]) ** 2, -1))


def _pinv(x, rcond=1e-6):
    return np.linalg.pinv(x, rcond=rcond)


DECOMPOSITIONS = [
    Case("cholesky", _cholesky, (A,), ("float32",), tolerance=2, grad=False),
    Case("cholesky", _cholesky, (A.astype("int32"),), ("int32",), kwargs={"upper": True}, grad=False),
    Case("cholesky", _cholesky, (A[0] + np.triu(A[0], 1) - np.tril(A[0], -1) / 2,), grad=False),  # only the symmetric part counts
    Case("cholesky", _cholesky, (np.zeros((2, 0, 0), "float32"),), grad=False),
    Case("eigh", _eigh, ((2, 3, 3),), FACTORED, signless=True, tolerance=20),
    Case("eigh", _eigh, (COMPLEX,), signless=True, tolerance=10, grad=False),
    Case("eig", _eig, (np.array([[2, 1], [1, -3]], "float32"),), ("float32",), signless=True, grad=False),
    Case("eig", _eig, (np.array([[1, -2], [2, 1]], "int32"),), ("int32",), signless=True, grad=False),
    Case("qr", np.linalg.qr, ((2, 3, 2),), FACTORED, signless=True, tolerance=10),
    Case("qr", np.linalg.qr, (WIDE,), kwargs={"mode": "complete"}, signless=True, tolerance=2, grad=False),
    Case("qr", lambda x, mode: np.linalg.qr(x, mode), (TALL[0],), args=("complete",), signless=True, tolerance=2, grad=False),
    Case("svd", np.linalg.svd, ((2, 3, 3),), ("float32", "bfloat16"), signless=True, tolerance=20),
    Case("svd", np.linalg.svd, (WIDE,), signless=True, tolerance=4, grad=False),
    Case("svd", np.linalg.svd, ((3, 2),), ("float32", "int32"), kwargs={"full_matrices": False}, signless=True, tolerance=10),
    Case("svd", np.linalg.svd, ((2, 2, 3),), kwargs={"compute_uv": False}, tolerance=4),
    Case("svd", np.linalg.svd, (COMPLEX,), args=(True, True), signless=True, tolerance=10, grad=False),
    Case("lu_factor", _lu, ((2, 3, 3),), FACTORED, tolerance=20),
    Case("lu_factor", _lu, (WIDE,), grad=False),
    Case("lu_factor", lambda x: (x, np.zeros(0)), ((0, 0),), grad=False),
    Case("lu_factor", _lu, (TALL[0],), grad=False),
]

SYSTEMS = [
    Case("solve", lambda a, b: np.linalg.solve(a, b), (A, (2, 3, 2)), ("float32", "float64"), tolerance=4),
    Case("solve", lambda a, b: np.linalg.solve(a, b), (A[0], (3,)), ("float32", "int32"), tolerance=4),
    Case("solve", lambda a, b: np.linalg.solve(a, b), ((2, 2, 2), (2, 1)), tolerance=20),
    Case("solve_triangular", _triangular, (A, (3, 2)), ("float32", "bfloat16"), tolerance=4),
    Case("solve_triangular", _triangular, (A[0], (3,)), kwargs={"lower": True}, tolerance=4),
    Case("solve_triangular", _triangular, ((2, 2), A[:, :2]), low=1.0, tolerance=20),
    Case("inv", np.linalg.inv, (A,), tolerance=4, grad=False),
    Case("inv", np.linalg.inv, ((2, 2, 2),), tolerance=40, singular=True),
    Case("cholesky_inverse", _inverse_of_factor, ((2, 2, 2),), low=1.0, tolerance=40, singular=True),
    Case("cholesky_inverse", _inverse_of_factor, ((2, 2),), kwargs={"upper": True}, low=1.0, tolerance=40),
    Case("pinv", _pinv, ((2, 3, 2),), ("float32", "bfloat16", "int32"), tolerance=20),
    Case("pinv", _pinv, (LACKING,), tolerance=4, grad=False),
    Case("pinv", _pinv, (WIDE,), args=(0.4,), tolerance=4, grad=False),
    Case("lstsq", _lstsq, ((4, 2), (4,)), ("float32", "int32"), tolerance=20),
    Case("lstsq", _lstsq, (WIDE, np.ones((2, 2, 2), "float32")), kwargs={"rcond": 0.1}, tolerance=4, grad=False),
    Case("matrix_rank", np.linalg.matrix_rank, (LACKING,), grad=False),
    Case("matrix_rank", np.linalg.matrix_rank, (A,), kwargs={"tol": 2.0}, grad=False),
    Case("matrix_rank", lambda x, tol: np.linalg.matrix_rank(x, tol), (A, np.array([2, 100], "float32")), grad=False),
    Case("det", np.linalg.det, ((2, 3, 3),), ("float32", "float64", "float16", "int32"), tolerance=40),
    Case("det", np.linalg.det, (LACKING,), tolerance=4, grad=False),
    Case("slogdet", lambda x: tuple(np.linalg.slogdet(x)), ((2, 3, 3),), ("float32", "bfloat16"), tolerance=20),
    Case("slogdet", lambda x: tuple(np.linalg.slogdet(x)), (np.eye(2, dtype="float32") * 0,), grad=False),
    Case("logdet", lambda x: np.linalg.slogdet(x)[1], (A,), tolerance=2, grad=False),
    Case("logdet", lambda x: np.linalg.slogdet(x)[1], ((3, 3),), ("float32", "int32"), tolerance=20),
]

NORMS = [
    *[Case("norm", np.linalg.norm, ((2, 3),), kwargs={"ord": ord}, low=0.5, tolerance=4) for ord in (2, -2, "nuc")],
    Case("norm", np.linalg.norm, ((3, 2, 2),), kwargs={"ord": "nuc", "axis": (0, -1), "keepdims": True}, low=0.5, tolerance=4),
    Case("norm", np.linalg.norm, ((2, 3),), kwargs={"ord": -2, "axis": 1}, low=0.5),
    Case("norm", np.linalg.norm, (COMPLEX,), kwargs={"axis": (1, 2)}, grad=False),
    Case("cdist", _cdist, ((2, 3, 4), (2, 4)), ("float32", "int32", "bfloat16"), tolerance=4),
    Case("cdist", _cdist, (np.full((2, 2), 1000, "float32"), np.array([[1000, 1000.0001]], "float32")), grad=False),
]

CASES = [*DECOMPOSITIONS, *SYSTEMS, *NORMS]
