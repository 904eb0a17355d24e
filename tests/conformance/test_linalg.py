"""What rows of the table cannot say of linear algebra: matrices that have no answer, errors, and derivatives along a direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, DTypeError, ShapeError
from keraunos.ops import linalg
from tests.conftest import BACKENDS

DIFFERENTIABLE = [name for name in BACKENDS if name != "numpy"]


@pytest.mark.parametrize("batched", [False, True])
def test_singular_systems_have_no_finite_solution(backend: Any, batched: bool) -> None:
    x = np.ones((2, 2), "float32")
    if batched:
        x = np.stack([x, 2 * np.eye(2, dtype="float32")])
    for out in (ops.inv(x), ops.solve(x, np.array([1, 2], "float32"))):
        out = np.atleast_2d(ops.convert_to_numpy(out)) if batched else ops.convert_to_numpy(out)[None]
        assert not np.isfinite(out[0]).any()
        assert np.isfinite(out[1:]).all()  # the others of a batch have theirs


def test_not_positive_definite(backend: Any) -> None:
    with pytest.raises(ArgumentError, match="x is not positive definite"):
        ops.cholesky(np.array([[1, 2], [2, 1]], "float32"))


@pytest.mark.parametrize("name", ["cholesky", "cholesky_inverse", "det", "eig", "eigh", "inv", "logdet", "slogdet"])
def test_matrices_must_be_square(backend: Any, name: str) -> None:
    op = getattr(ops, name, None) or getattr(linalg, name)
    for shape, fact in (((2, 3), "not square: they have 2 rows and 3 columns"), ((3,), "two axes, this tensor has 1")):
        with pytest.raises(ShapeError, match=fact):
            op(np.ones(shape, "float32"))


@pytest.mark.parametrize(
    ("call", "error", "fact"),
    [
        (lambda x: ops.solve(x, np.ones(2, "float32")), ShapeError, "b does not fit 3 equations"),
        (lambda x: ops.solve_triangular(x, np.ones((2, 3), "float32")), ShapeError, "b does not fit 3 equations"),
        (lambda x: ops.qr(x, mode="r"), ArgumentError, "mode cannot be 'r'"),
        (lambda x: ops.norm(x, ord="nuc", axis=0), ArgumentError, "no vector norm of order 'nuc'"),
        (lambda x: ops.norm(x, ord=3), ArgumentError, "no matrix norm of order 3"),
        (lambda x: ops.cdist(x, x[:, :2]), ShapeError, "not equally long"),
        (lambda x: ops.svd(x[0]), ShapeError, "A matrix has two axes"),
        (lambda x: ops.solve_triangular(x, None), ArgumentTypeError, "b is None, not a tensor"),
        (lambda x: ops.jvp("sin", (x,), (x,)), ArgumentTypeError, "fun must be a function"),
        (lambda x: ops.jvp(ops.sin, x, x), ArgumentTypeError, "must be lists or tuples"),
        (lambda x: ops.jvp(ops.sin, (x,), (x, x)), ArgumentError, "one structure"),
        (lambda x: ops.jvp(ops.sin, (x,), (x[:2],)), ShapeError, "shape of its primal"),
        (lambda x: ops.jvp(ops.sin, (np.arange(3),), (np.arange(3),)), DTypeError, "Only floats"),
    ],
)
def test_errors(backend: Any, call: Any, error: Any, fact: str) -> None:
    with pytest.raises(error, match=fact):
        call(np.eye(3, dtype="float32"))


@pytest.mark.parametrize("backend", DIFFERENTIABLE, indirect=True)
@pytest.mark.parametrize("forward", [True, False], ids=["engine", "gradients"])
def test_jvp(backend: Any, forward: bool, monkeypatch: Any) -> None:
    if not forward:
        monkeypatch.delattr(backend, "jvp", raising=False)
    x, dx = np.array([0.5, 2.0], "float32"), np.array([1.0, -3.0], "float32")
    (product, total), (dproduct, dtotal) = ops.jvp(lambda a, b: (ops.sin(a) * b["b"], ops.sum(a)), (x, {"b": x}), [dx, {"b": dx}])
    np.testing.assert_allclose(ops.convert_to_numpy(product), np.sin(x) * x, 1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(dproduct), (np.cos(x) * x + np.sin(x)) * dx, 1e-6)
    assert float(total) == 2.5
    assert float(dtotal) == -2.0
    value, derivative, aux = ops.jvp(lambda a: (a * a, a + 1), (3.0,), (2.0,), has_aux=True)
    assert [float(y) for y in (value, derivative, aux)] == [9.0, 12.0, 4.0]
    *_, aux = ops.jvp(lambda a: (a * a, {"size": 2, "next": a + 1}), (3.0,), (2.0,), has_aux=True)
    assert (aux["size"], float(aux["next"])) == (2, 4.0)
    with pytest.raises(ArgumentError, match="must return a pair"):
        ops.jvp(ops.sin, (x,), (dx,), has_aux=True)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_singular_values_of_what_is_not_finite(name: str) -> None:
    with config.backend_scope(name), pytest.raises(ArgumentError, match=r"not finite.*\nWhere: ops.pinv"):
        ops.pinv(np.array([[np.nan, 1], [1, 1]], "float32"))


def test_jvp_needs_an_engine_with_gradients() -> None:
    with config.backend_scope("numpy"), pytest.raises(BackendError, match="no gradients"):
        ops.jvp(ops.sin, (1.0,), (1.0,))


def test_in_models(backend: Any) -> None:
    x = keras.Input((3, 3))
    values, vectors = ops.eigh(x)
    rebuilt = ops.matmul(vectors * values[:, None], ops.swapaxes(vectors, 1, 2))
    model = keras.Model(x, [rebuilt, ops.inv(x), ops.det(x), ops.norm(x, ord="nuc", axis=(1, 2))])
    assert [y.shape for y in model.outputs] == [(None, 3, 3), (None, 3, 3), (None,), (None,)]
    a = np.array([np.diag([1, 2, 4]), np.eye(3) + 1], "float32")
    out = model.predict(a, verbose=0)
    for got, want in zip(out, (a, np.linalg.inv(a), [8, 4], [7, 6]), strict=True):
        np.testing.assert_allclose(got, want, 1e-5, 1e-5)


@pytest.mark.parametrize("backend", DIFFERENTIABLE, indirect=True)
def test_jvp_in_models(backend: Any) -> None:
    x = keras.Input((2,))
    model = keras.Model(x, ops.jvp(ops.square, (x,), (x,))[1])
    assert model.output_shape == (None, 2)
    assert model.predict(np.array([[1.0, 3.0]], "float32"), verbose=0).tolist() == [[2.0, 18.0]]
