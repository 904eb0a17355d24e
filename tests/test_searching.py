"""Sizes that depend on the data, gradients beside NaN and of repeated places, functions made vectorized, and what is said of wrong arguments."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, BackendError, DTypeError, ShapeError, SymbolicError
from keraunos.core.op import op_of
from keraunos.core.spec import OPERATORS, Spec
from tests.conftest import TRAINING


def _gradient(function: Any, *values: Any) -> list[np.ndarray]:
    backend = config.active()
    tensors = [backend.array(np.asarray(x, "float32")) for x in values]
    return [ops.convert_to_numpy(g) for g in backend.differentiate(lambda given: (ops.sum(function(*given)), None), tensors)[1]]


def test_sizes_of_the_data_are_asked_for_in_compiled_functions() -> None:
    x = np.array([3, 1, 3], "int32")
    with config.backend_scope("jax"):
        backend = config.active()
        for function in (ops.unique, ops.bincount, lambda x: ops.segment_sum(x, x)):
            with pytest.raises(SymbolicError, match="depends on the data"):
                backend.compile(function)(backend.array(x))
        values, counts = backend.compile(lambda x: ops.unique(x, return_counts=True, size=2))(backend.array(x))
        assert [values.tolist(), counts.tolist()] == [[1, 3], [1, 2]]


def test_sizes_of_the_data_are_not_known_before_the_run() -> None:
    x = Spec((4,), "int32")
    assert ops.unique(x).shape == (None,)
    assert ops.bincount(x, minlength=3).shape == (None,)
    assert ops.segment_max(Spec((4, 2)), x).shape == (None, 2)


@pytest.mark.parametrize("name", TRAINING)
def test_no_gradient_through_nan(name: str) -> None:
    x = [1.0, float("nan"), 3.0]
    with config.backend_scope(name):
        for function, wanted in ((ops.nansum, [1, 0, 1]), (ops.nanmean, [0.5, 0, 0.5]), (ops.nanvar, [-1, 0, 1]), (ops.nanmax, [0, 0, 1])):
            np.testing.assert_allclose(_gradient(function, x)[0], wanted)
        np.testing.assert_allclose(_gradient(ops.nanmedian, x)[0], [0.5, 0, 0.5])


@pytest.mark.parametrize("name", TRAINING)
def test_gradient_of_products_with_zeros(name: str) -> None:
    with config.backend_scope(name):
        found = _gradient(lambda x: ops.segment_prod(x, [0, 0, 1, 1, 1, 9], num_segments=2), [0.0, 2.0, 0.0, 3.0, 0.0, 5.0])[0]
    np.testing.assert_allclose(found, [2, 0, 0, 0, 0, 0])


def test_scattered_rows_by_comparisons(backend: Any) -> None:
    """The body, which engines without scatters run."""
    x, places, updates = np.zeros((3, 2), "float32"), np.array([1, 1, -1, 3], "int32"), np.arange(8, dtype="float32").reshape(4, 2)
    body = op_of(OPERATORS["scatter_rows"]).body
    for reduction in ("add", "mul", "max", "min"):
        args = [backend.array(a) for a in (x, places, updates)]
        got, want = (ops.convert_to_numpy(f(*args, reduction)) for f in (body, OPERATORS["scatter_rows"]))
        np.testing.assert_array_equal(got, want)
    replaced = ops.convert_to_numpy(body(*[backend.array(a) for a in (x, places, updates)]))
    np.testing.assert_array_equal(replaced, [[0, 0], [2, 3], [0, 0]])


def test_vectorize(backend: Any) -> None:
    seen = []

    def scaled(x: Any, factor: Any, *, shift: float = 0.0) -> Any:
        seen.append((ops.shape(x), factor))
        return x * factor + shift, ops.sum(x)

    rows = ops.convert_to_tensor(np.arange(6, dtype="float32").reshape(2, 3))
    out, sums = ops.vectorize(scaled, excluded={1}, signature="(n)->(n),()")(rows, 2, shift=1.0)
    np.testing.assert_array_equal(ops.convert_to_numpy(out), np.arange(6).reshape(2, 3) * 2 + 1)
    np.testing.assert_array_equal(ops.convert_to_numpy(sums), [3, 12])
    assert seen[0] == ((3,), 2)
    outer = ops.vectorize(lambda x, y: x - y)
    np.testing.assert_array_equal(ops.convert_to_numpy(outer(rows, rows[:, :1])), [[0, 1, 2], [0, 1, 2]])
    np.testing.assert_array_equal(ops.convert_to_numpy(outer(3.0, 1.0)), 2)
    assert outer(Spec((None, 3)), Spec((3,))).shape == (None, 3)


def test_vectorize_refuses() -> None:
    x = np.ones((2, 3), "float32")
    for signature in ("n->n", "(n),(n)", "(n)->(n", "(n)(m)->()"):
        with pytest.raises(ArgumentError, match="signature"):
            ops.vectorize(ops.add, signature=signature)
    with pytest.raises(ShapeError, match="'n'"):
        ops.vectorize(ops.add, signature="(n),(n)->(n)")(x, x[:, :2])
    with pytest.raises(ShapeError, match="2 axes"):
        ops.vectorize(ops.sum, signature="(n,m)->()")(x[0])
    with pytest.raises(ArgumentError, match="1 arguments"):
        ops.vectorize(ops.add, signature="(n)->()")(x, x)


X = np.arange(6, dtype="float32").reshape(2, 3)
WRONG = [
    (lambda: ops.quantile(X, 0.5, method="cubic"), ArgumentError, "method"),
    (lambda: ops.corrcoef(X[None]), ShapeError, "3 axes"),
    (lambda: ops.searchsorted(X, 1.0), ShapeError, "2 axes"),
    (lambda: ops.searchsorted(X[0], 1.0, side="middle"), ArgumentError, "side"),
    (lambda: ops.argpartition(X, 3), ArgumentError, "no element 3"),
    (lambda: ops.nonzero(1.0), ShapeError, "scalar"),
    (lambda: ops.select([X > 1], [X, X]), ArgumentError, "1 conditions and 2 choices"),
    (lambda: ops.bincount(X), DTypeError, "float32"),
    (lambda: ops.bincount([1, -1]), ArgumentError, "negative"),
    (lambda: ops.bincount([1], sparse=True), BackendError, "sparse"),
    (lambda: ops.bincount(np.ones((1, 1, 1), "int32")), ShapeError, "3 axes"),
    (lambda: ops.histogram(X[0], bins=0), ArgumentError, "bins"),
    (lambda: ops.histogram(X[0], range=(2, 1)), ArgumentError, "range"),
    (lambda: ops.histogram(X), ShapeError, "2 axes"),
    (lambda: ops.scatter_update(X, [[0]], X[:1], reduction="sub"), ArgumentError, "reduction"),
    (lambda: ops.scatter_update(X, [[0, 0, 0]], 1.0), ShapeError, "Indices"),
    (lambda: ops.scatter_update(X, [[0]], X), ShapeError, "broadcast"),
    (lambda: ops.segment_sum(X, [0, 1, 2]), ShapeError, "Segment ids"),
    (lambda: ops.array_split(X, 0), ArgumentError, "0 parts"),
    (lambda: ops.dsplit(X, 1), ShapeError, "no axis 2"),
    (lambda: ops.rot90(X, axes=(0, 0)), ShapeError, "twice"),
    (lambda: ops.rot90(X, axes=(0,)), ShapeError, "two axes"),
    (lambda: ops.vstack([]), ArgumentError, "list"),
    (lambda: ops.cross(X[:, :1], X), ShapeError, "2 or 3 components"),
    (lambda: ops.correlate(X, X), ShapeError, "vectors"),
    (lambda: ops.vander(X), ShapeError, "2 axes"),
    (lambda: ops.rearrange(X, "a b"), ArgumentError, "'->'"),
    (lambda: ops.rearrange(X, "a b -> a"), ArgumentError, "same names"),
    (lambda: ops.rearrange(X, "a a -> a a"), ArgumentError, "once"),
    (lambda: ops.rearrange(X, "a (b -> a b"), ArgumentError, r"'\('"),
    (lambda: ops.rearrange(X, "a b c -> a b c"), ShapeError, "3 axes"),
    (lambda: ops.rearrange(X, "a (b c) -> a b c"), ArgumentError, "'b' and 'c'"),
    (lambda: ops.rearrange(X, "a (b c) -> a b c", b=2), ShapeError, "size 3"),
    (lambda: ops.rearrange(X, "a b -> b a", c=2), ArgumentError, "no axis 'c'"),
]


@pytest.mark.parametrize(("call", "error", "words"), WRONG)
def test_what_is_said_of_wrong_arguments(call: Any, error: type[Exception], words: str, backend: Any) -> None:
    with pytest.raises(error, match=words):
        call()


def test_nan_warns_of_nothing() -> None:
    with config.backend_scope("numpy"), warnings.catch_warnings():
        warnings.simplefilter("error")
        x = np.full((2, 2), np.nan, "float32")
        for function in (ops.nanmean, ops.nanstd, ops.nanmax, ops.nanmedian):
            assert np.isnan(function(x, axis=1)).all()
        assert ops.segment_max(x, [0, 0], num_segments=1).shape == (1, 2)
