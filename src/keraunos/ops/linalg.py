"""`keras.ops.linalg`: decompositions, systems of equations, inverses, determinants, norms and distances.

The last two axes are the matrix, those before them a batch.
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from keraunos.core import config, tree
from keraunos.core.dtypes import COMPLEX, is_float
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.core.missing import answer_for
from keraunos.core.op import Operand, Tensor, spec_of
from keraunos.core.spec import Spec, normalize_axes, same_dim, show
from keraunos.ops.complexes import conjugate
from keraunos.ops.control import recorded
from keraunos.ops.creation import arange, eye, tril, triu, zeros_like
from keraunos.ops.decompositions import cholesky, eig, eigh, lu_factor, matrices, qr, solve, solved, squares, svd
from keraunos.ops.elementwise import (
    absolute,
    add,
    cast,
    equal,
    greater,
    log,
    maximum,
    multiply,
    not_equal,
    power,
    sign,
    sqrt,
    square,
    subtract,
    true_divide,
    where,
)
from keraunos.ops.products import diagonal, matmul
from keraunos.ops.reductions import max, min, prod, squared, sum
from keraunos.ops.rules import Floating, Wide, declare
from keraunos.ops.rules import equal as equal_shapes
from keraunos.ops.shaping import convert_to_tensor, dtype, expand_dims, moveaxis, ndim, shape, squeeze, swapaxes


def _adjoint(x: Any) -> Any:
    x = swapaxes(x, -1, -2)
    return conjugate(x) if dtype(x) in COMPLEX else x


def _identity(x: Any) -> Any:
    squares(x)
    return eye(shape(x)[-1], dtype=dtype(x))


def _above_noise(x: Any, s: Any, ratio: Any = None) -> Any:
    """Which singular values of `x` exceed `ratio` times the largest; by default the ratio below which rounding alone makes them."""
    if ratio is None:
        ratio = multiply(cast(maximum(*shape(x)[-2:]), dtype(s)), 2.0 ** (-52 if dtype(s) == "float64" else -23))
    return greater(s, multiply(_columns(ratio, s), max(s, -1, keepdims=True, initial=0)))


def _columns(limit: Any, s: Any) -> Any:
    """A limit, or one for each matrix of the batch, beside their singular values."""
    return expand_dims(cast(limit, dtype(s)), -1) if ndim(limit) else limit


# ---- systems of equations and inverses ----
def solve_triangular(a: Tensor, b: Tensor, lower: bool = False) -> Wide:
    """The `x` with `a @ x == b`, of `a` only the upper triangle or with `lower` the lower one counting; not finite where `a` is singular.

    Args:
        a: Square matrices, of shape `(..., n, n)`.
        b: One vector of shape `(n,)`, or matrices of shape `(..., n, k)`.
        lower: Which triangle counts.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.solve_triangular([[2.0, 0.0], [1.0, 1.0]], [4.0, 5.0], lower=True)).tolist()
    [2.0, 3.0]
    """
    solved(a, b)
    return solve(tril(a) if lower else triu(a), b)


def inv(x: Tensor) -> Wide:
    """The inverses of square matrices of shape `(..., n, n)`; not finite where they have none.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.inv([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return solve(x, _identity(x))


def cholesky_inverse(x: Tensor, upper: bool = False) -> Wide:
    """The inverses of the matrices whose Cholesky factors are given.

    Args:
        x: The factors, of shape `(..., n, n)`: `cholesky(matrix, upper)`; the other triangle does not count.
        upper: Whether they are the upper triangular ones.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cholesky_inverse(ops.cholesky([[4.0, 0.0], [0.0, 16.0]]))).tolist()
    [[0.25, 0.0], [0.0, 0.0625]]
    """
    factor = _adjoint(x) if upper else x
    inverse = solve_triangular(factor, _identity(x), lower=True)
    return matmul(_adjoint(inverse), inverse)


def pinv(x: Tensor, rcond: Operand | None = None) -> Wide:
    """The Moore-Penrose inverses of matrices of shape `(..., m, n)`, of shape `(..., n, m)`.

    Args:
        x: The matrices.
        rcond: Singular values up to this share of the largest count as zero; one number, or one for each matrix of the batch. None is
            the larger of m and n times the dtype's spacing at 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.pinv([[2.0, 0.0], [0.0, 4.0], [0.0, 0.0]])).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.25, 0.0]]
    """
    matrices(x)
    u, s, vh = svd(x, full_matrices=False)
    kept = _above_noise(x, s, rcond)
    inverse = where(kept, true_divide(1.0, where(kept, s, 1.0)), 0.0)
    return matmul(multiply(_adjoint(vh), cast(expand_dims(inverse, -2), dtype(x))), _adjoint(u))


def lstsq(a: Tensor, b: Tensor, rcond: Operand | None = None) -> Wide:
    """The `x` for which `a @ x` is nearest to `b`, and of several the shortest.

    Args:
        a: Matrices of shape `(..., m, n)`.
        b: One vector of shape `(m,)`, or matrices of shape `(..., m, k)`.
        rcond: Singular values of `a` up to this share of the largest count as zero, as in `pinv`.

    Returns:
        Of shape `(n,)` or `(..., n, k)`.

    Example:

    >>> from keraunos import ops
    >>> line = ops.lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])
    >>> ops.convert_to_numpy(line).round(3).tolist()
    [1.0, 2.0]
    """
    return matmul(pinv(a, rcond), b)


def matrix_rank(x: Tensor, tol: Operand | None = None) -> Wide:
    """The number of singular values above `tol`, for matrices of shape `(..., m, n)`, as int32.

    Args:
        x: The matrices.
        tol: One number, or one for each matrix of the batch. None is the largest singular value times the larger of m and n times
            the dtype's spacing at 1.

    Example:

    >>> from keraunos import ops
    >>> int(ops.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    matrices(x)
    s = svd(x, compute_uv=False)
    return sum(cast(_above_noise(x, s) if tol is None else greater(s, _columns(tol, s)), "int32"), -1)


# ---- determinants ----
def _triangle(x: Any) -> tuple[Any, Any]:
    """The diagonal of the upper factor of square matrices, and the sign of the exchanges of rows."""
    squares(x)
    factors, pivots = lu_factor(x)
    swapped = not_equal(pivots, arange(shape(pivots)[-1]))
    return diagonal(factors, 0, -2, -1), prod(where(swapped, -1, 1), -1)


def det(x: Tensor) -> Wide:
    """The determinants of square matrices of shape `(..., n, n)`.

    Example:

    >>> from keraunos import ops
    >>> float(ops.det([[1.0, 2.0], [3.0, 4.0]])).__round__(4)
    -2.0
    """
    entries, exchanges = _triangle(x)
    return multiply(prod(entries, -1), exchanges)


def slogdet(x: Tensor) -> tuple[Wide, Wide]:
    """The signs of the determinants of square matrices, and the logarithms of their absolute values: 0 and -inf for singular ones.

    Example:

    >>> from keraunos import ops
    >>> sign, logarithm = ops.slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> float(sign), float(logarithm)
    (-1.0, 0.0)
    """
    entries, exchanges = _triangle(x)
    return multiply(prod(sign(entries), -1), exchanges), sum(log(absolute(entries)), -1)


def logdet(x: Tensor) -> Wide:
    """The logarithms of the determinants of positive definite matrices of shape `(..., n, n)`; of the absolute value, for others.

    Example:

    >>> from keraunos import ops
    >>> float(ops.logdet([[2.0, 0.0], [0.0, 0.5]])), float(ops.logdet([[2.0, 0.0], [0.0, 2.0]]))
    (0.0, 1.386...)
    """
    return slogdet(x)[1]


# ---- norms and distances ----
def norm(x: Tensor, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Floating:
    """The norm over `axis`: of vectors for one axis, of matrices for two, of the flat tensor for None.

    Args:
        x: The tensor.
        ord: For vectors any number, and None is 2, Euclid's. For matrices None or "fro", Frobenius's; 1, -1, inf or -inf, sums of
            columns or rows; 2, -2 or "nuc", the largest, the smallest or all the singular values.
        axis: One axis, a pair, or None.
        keepdims: Whether the axes stay, with size 1.

    Raises:
        ArgumentError: There is no such order.
        ShapeError: More than two axes are named.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.norm([[3.0, 4.0], [0.0, 2.0]], axis=1)).tolist()
    [5.0, 2.0]
    >>> ops.convert_to_numpy(ops.norm([[3.0, 4.0], [0.0, 2.0]], ord=1, axis=1)).tolist()
    [7.0, 2.0]
    """
    axes: Any = normalize_axes(axis, ndim(x))
    if len(axes) not in (1, 2) and (ord is not None or axis is not None):
        raise ShapeError(f"A norm is over one axis or two, not {len(axes)}.", where="axis", received=show(shape(x)))
    if ord is None or (len(axes), ord) in ((1, 2), (2, "fro")):
        return sqrt(sum(squared(x), axis, keepdims))
    kind, orders = ("vector", "a number, or None") if len(axes) == 1 else ("matrix", "'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    if isinstance(ord, str) if kind == "vector" else ord not in ("nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ArgumentError(f"There is no {kind} norm of order {ord!r}.", where="ord", fix=orders)
    if kind == "matrix" and ord in (2, -2, "nuc"):
        s = svd(moveaxis(x, axes, (-2, -1)), compute_uv=False)
        out = (sum if ord == "nuc" else max if ord > 0 else min)(s, -1)
        return expand_dims(out, axes) if keepdims else out
    sizes, extreme = absolute(x), max if ord > 0 else min
    if kind == "matrix":
        rows, columns = axes if builtins.abs(ord) == 1 else axes[::-1]
        out = extreme(sum(sizes, rows, True), columns, True)
        return out if keepdims else squeeze(out, axes)
    if builtins.abs(ord) == math.inf:
        return extreme(sizes, axes, keepdims)
    if ord == 0:
        return sum(cast(not_equal(x, 0), dtype(sizes)), axes, keepdims)
    return sum(sizes, axes, keepdims) if ord == 1 else power(sum(power(sizes, float(ord)), axes, keepdims), 1.0 / ord)


def cdist(x: Tensor, y: Tensor) -> Wide:
    """Euclid's distance of each vector of `x` from each of `y`.

    Args:
        x: Vectors of shape `(..., m, d)`.
        y: Vectors of shape `(..., n, d)`.

    Returns:
        Of shape `(..., m, n)`. The gradient of a distance 0 is 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])).tolist()
    [[5.0, 1.0]]
    """
    if not same_dim(matrices(x)[2], matrices(y)[2]):
        raise ShapeError("The vectors are not equally long.", received=f"{show(shape(x))} and {show(shape(y))}", expected="(..., m, d) and (..., n, d)")
    sums = sum(square(absolute(subtract(expand_dims(x, -2), expand_dims(y, -3)))), -1)
    same = equal(sums, 0)
    return where(same, 0.0, sqrt(where(same, 1.0, sums)))


declare(globals())


# ---- derivatives ----
def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> tuple[Any, ...]:
    """The value of `fun` at `primals`, and its derivative along `tangents`, forward through the computation.

    An engine without forward derivatives takes two backward ones.

    Args:
        fun: A function of structures of tensors that returns a structure of tensors, or with `has_aux` a pair of one and anything else.
        primals: Its arguments.
        tangents: For each tensor in the arguments one of the same shape and dtype.
        has_aux: Whether `fun` returns a pair.

    Returns:
        `(value, derivative)`, of the same structure; with `has_aux` the second of the pair behind it.

    Raises:
        BackendError: The engine has no gradients.

    Example:

    >>> from keraunos import ops
    >>> value, derivative = ops.jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(value), float(derivative)
    (9.0, 6.0)
    """
    if not isinstance(primals, (list, tuple)) or not isinstance(tangents, (list, tuple)):
        received = f"{type(primals).__name__} and {type(tangents).__name__}"
        raise ArgumentTypeError("primals and tangents must be lists or tuples.", where="ops.jvp", received=received, fix="jvp(fun, (x,), (dx,))")
    if not callable(fun):
        raise ArgumentTypeError("fun must be a function of tensors.", where="ops.jvp", received=f"a {type(fun).__name__}")
    primals, tangents = tree.map_structure(convert_to_tensor, tuple(primals)), tree.map_structure(convert_to_tensor, tuple(tangents))
    try:
        tree.assert_same_structure(primals, tangents)
    except ValueError:
        raise ArgumentError("primals and tangents are not of one structure.", where="ops.jvp", fix="give one tangent for each primal") from None
    pairs = list(zip(map(spec_of, tree.flatten(primals)), map(spec_of, tree.flatten(tangents)), strict=True))
    for x, dx in pairs:
        if not is_float(x.dtype) or x.dtype != dx.dtype:
            fix = "pass floats of the same dtype"
            raise DTypeError("Only floats can be differentiated.", where="ops.jvp", received=f"{x.dtype} and a tangent of {dx.dtype}", fix=fix)
        if not equal_shapes(x.shape, dx.shape):
            fact = "A tangent has not the shape of its primal."
            raise ShapeError(fact, where="ops.jvp", received=f"{show(x.shape)} and {show(dx.shape)}", fix="begin with ops.ones_like(primal)")
    if any(isinstance(x, Spec) for x in tree.flatten((primals, tangents))):
        return _symbolic(fun, primals, tangents, has_aux)
    return (getattr(config.active(), "jvp", None) or _by_gradients)(_paired(fun) if has_aux else fun, primals, tangents, has_aux)


def _paired(fun: Callable[..., Any]) -> Callable[..., Any]:
    """`fun`, checked to return a pair."""

    @functools.wraps(fun)
    def paired(*args: Any) -> Any:
        out = fun(*args)
        if not isinstance(out, (tuple, list)) or len(out) != 2:
            raise ArgumentError("With has_aux, fun must return a pair.", where="ops.jvp", received=f"a {type(out).__name__}", fix="return value, aux")
        return tuple(out)

    return paired


def _symbolic(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool) -> Any:
    """The specs of what `jvp` gives; recorded where the graph of a model is being made."""
    result = tree.map_structure(spec_of, fun(*tree.map_structure(spec_of, primals)))
    specs = (result[0], result[0], result[1]) if has_aux else (result, result)
    return recorded(jvp, (fun, primals, tangents, has_aux), specs)


def _by_gradients(fun: Callable[..., Any], primals: Any, tangents: Any, has_aux: bool) -> tuple[Any, ...]:
    """The gradient is linear in the weights of the result: its own gradient, in these, is the derivative along the tangents."""
    backend, flat = config.active(), tree.flatten(primals)
    result = fun(*primals)
    value, aux = result if has_aux else (result, None)

    def weighted(weights: Any) -> Any:
        def loss(values: Any) -> Any:
            out = fun(*tree.pack_sequence_as(primals, list(values)))
            return _inner(tree.flatten(out[0] if has_aux else out), weights), None

        return _inner(backend.differentiate(loss, flat)[1], tree.flatten(tangents)), None

    derivative = backend.differentiate(weighted, [zeros_like(y) for y in tree.flatten(value)])[1]
    out = value, tree.pack_sequence_as(value, list(derivative))
    return (*out, aux) if has_aux else out


def _inner(xs: Sequence[Any], ys: Sequence[Any]) -> Any:
    return functools.reduce(add, [sum(multiply(x, y)) for x, y in zip(xs, ys, strict=True)])


__all__ = [
    "cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "jvp", "lstsq", "lu_factor", "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular",
    "svd",
]  # fmt: skip

answer_for(__name__)
