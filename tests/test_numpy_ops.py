"""Edges of the ops that NumPy has too: scalars, lists, bools, empty and complex data, indices of all kinds, and what is said of wrong arguments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, KeraunosError, ShapeError
from keraunos.core.spec import Spec

pytestmark = pytest.mark.xdist_group("edges of ops")  # what JAX compiles for one test it has for the others

X = np.arange(6, dtype="float32").reshape(2, 3)
NONE = X[:0]
TRUTHS = np.array([True, False])
SMALL = np.array([3, 15, 25], "int8")
Z = np.array([1 + 1j, -1], "complex64")
NAN, INF = float("nan"), float("inf")

RESULTS = {
    "truths beside numbers": (lambda: ops.logical_and(TRUTHS, 2), [True, False], "bool"),
    "truths beside floats": (lambda: ops.logical_or(2.5, TRUTHS), [True, True], "bool"),
    "a number less a truth": (lambda: ops.subtract(SMALL, True), [2, 14, 24], "int8"),
    "integers rounded to tens": (lambda: ops.round(SMALL, -1), [0, 20, 20], "int8"),
    "products of bools": (lambda: ops.matmul(TRUTHS[None], TRUTHS[:, None]), [[True]], "bool"),
    "dot of bools": (lambda: ops.dot(TRUTHS, TRUTHS), True, "bool"),
    "einsum of bools": (lambda: ops.einsum("i,i->", TRUTHS, TRUTHS), True, "bool"),
    "a scalar dot": (lambda: ops.dot(2, X[0]), [0, 2, 4], "float32"),
    "a scalar inner": (lambda: ops.inner(X[0], 2), [0, 2, 4], "float32"),
    "vdot conjugates": (lambda: ops.vdot(Z, Z), 3, "complex64"),
    "the variance of complex numbers": (lambda: ops.var(Z), 1.25, "float32"),
    "axes as a pair": (lambda: ops.tensordot(X, X.T, (1, 0)), X @ X.T, "float32"),
    "no numbers": (lambda: ops.arange(1, 0), [], "int32"),
    "no numbers downwards": (lambda: ops.arange(0, 3, -1), [], "int32"),
    "the logarithm of no sum": (lambda: ops.logsumexp(NONE), -INF, "float32"),
    "the median of nothing": (lambda: ops.median(NONE, 0), [NAN] * 3, "float32"),
    "quantiles of nothing": (lambda: ops.nanquantile(NONE, [0.1, 0.2]), [NAN, NAN], "float32"),
    "one row correlated": (lambda: ops.corrcoef([[1.0, 2.0]]), 1, "float32"),
    "weights of two axes": (lambda: ops.average(np.arange(12.0, dtype="float32").reshape(1, 3, 4), (2, 1), np.eye(4, 3, dtype="float32")), [5], "float32"),
    "NaN is the largest": (lambda: ops.top_k(np.array([1, NAN, INF, 2], "float32"), 2)[0], [NAN, INF], "float32"),
    "the index of the largest NaN": (lambda: ops.top_k(np.array([1, NAN, INF, 2], "float32"), 2)[1], [1, 2], "int32"),
    "the largest bools": (lambda: ops.top_k(TRUTHS, 1)[0], [True], "bool"),
    "infinity is in the top": (lambda: ops.in_top_k([0, 0], np.array([[INF, 1], [NAN, 1]], "float32"), 1), [True, False], "bool"),
    "a sure value in equal bins": (lambda: ops.histogram(np.array([0.0, 1.0], "float32"), 3, (0, 0))[0], [0, 1, 0], "float32"),
    "a list repeated": (lambda: ops.repeat([1, 2], 2), [1, 1, 2, 2], "int32"),
    "a list repeated unequally": (lambda: ops.repeat([1, 2], [2, 1]), [1, 1, 2], "int32"),
    "a block of a list": (lambda: ops.slice([1, 2, 3], [1], [2]), [2, 3], "int32"),
    "a block of a list replaced": (lambda: ops.slice_update([1, 2, 3], [1], [9]), [1, 9, 3], "int32"),
    "a block from behind": (lambda: ops.slice(X, [-1, 0], (1, 2)), [[3, 4]], "float32"),
    "a block to the end": (lambda: ops.slice(X, [0, 1], (-1, -1)), [[1, 2], [4, 5]], "float32"),
    "a block that starts too late": (lambda: ops.slice(X, [1, 2], (2, 2)), [[1, 2], [4, 5]], "float32"),
    "a block that starts too late replaced": (lambda: ops.slice_update(X, [5, 5], [[9]]), [[0, 1, 2], [3, 4, 9]], "float32"),
    "sections of NumPy's": (lambda: ops.split(X, np.int64(3), 1)[2], [[2], [5]], "float32"),
    "a shape of NumPy's": (lambda: ops.reshape(X, np.array([3, 2])), X.reshape(3, 2), "float32"),
    "a size of NumPy's": (lambda: ops.zeros(np.int64(2)), [0, 0], "float32"),
    "a scalar has no margin": (lambda: ops.pad(3.0, 1), 3, "float32"),
    "a shape that is one size": (lambda: ops.broadcast_to(X[0, :1], 2), [0, 0], "float32"),
    "several shifts of one axis": (lambda: ops.roll(X[0], (1, 1), 0), [1, 2, 0], "float32"),
    "one shift of several axes": (lambda: ops.roll(X, (1,), (0, 1)), [[5, 3, 4], [2, 0, 1]], "float32"),
    "bounds between floats": (lambda: ops.saturate_cast(np.array([-1, 5, INF], "float32"), "uint32"), [0, 5, 2**32 - 1], "uint32"),
    "no other view": (lambda: ops.view(SMALL), [3, 15, 25], "int8"),
    "a scalar beside a matrix of blocks": (lambda: ops.kron(-1, SMALL), [-3, -15, -25], "int8"),
    "a scalar behind": (lambda: ops.append(SMALL, 2), [3, 15, 25, 2], "int8"),
    "integers below": (lambda: ops.linspace(-5.5, 0.5, 3, dtype="int32"), [-6, -3, 0], "int32"),
    "a list of exponents": (lambda: ops.ldexp(X[0], [1, 1, 2]), [0, 2, 8], "float32"),
    "a window's length as an array": (lambda: ops.hanning(np.array(3.0)), [0, 1, 0], "float32"),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results(case: str, backend: Any) -> None:
    call, wanted, dtype = RESULTS[case]
    out = call()
    np.testing.assert_allclose(ops.convert_to_numpy(out), wanted, rtol=1e-6)
    assert (ops.dtype(out), ops.shape(out)) == (dtype, np.shape(wanted))


WRONG = {
    "no largest": (lambda x: ops.max(x[:0]), ShapeError, "ops.max"),
    "no place of the largest": (lambda x: ops.argmax(x[:0], 0), ShapeError, "ops.argmax"),
    "a shape of text": (lambda x: ops.reshape(x, "23"), ArgumentTypeError, "ops.reshape, newshape"),
    "a shape of floats": (lambda x: ops.zeros((2, 2.5)), ArgumentTypeError, "2.5 is no integer"),
    "a negative size": (lambda x: ops.ones((2, -1)), ArgumentError, "ops.ones, shape"),
    "a negative repeat": (lambda x: ops.repeat(x, -1), ArgumentError, "ops.repeat, repeats"),
    "too many repeats": (lambda x: ops.repeat(x, [1, 2, 3], 0), ShapeError, "3 repeats for 2"),
    "a tile of text": (lambda x: ops.tile(x, "a"), ArgumentTypeError, "ops.tile, repeats"),
    "a negative margin": (lambda x: ops.pad(x, -1), ArgumentError, "ops.pad, pad_width"),
    "no sections": (lambda x: ops.split(x, 0), ArgumentError, "ops.split, indices_or_sections"),
    "half a difference": (lambda x: ops.diff(x, 1.5), ArgumentTypeError, "ops.diff, n"),
    "an index of text": (lambda x: ops.get_item(x, "a"), ArgumentTypeError, "ops.get_item, key"),
    "indices that are floats": (lambda x: ops.take(x, [0.5]), DTypeError, "cast"),
    "indices of rows that are floats": (lambda x: ops.take(x, [0.5], axis=0), DTypeError, "cast"),
    "indices along an axis that are floats": (lambda x: ops.take_along_axis(x, [[0.5], [1.0]], axis=1), DTypeError, "cast"),
    "too few axes of a block": (lambda x: ops.slice(x, [0], (1,)), ShapeError, "an index and a size for each axis"),
    "too large a block": (lambda x: ops.slice(x, [0, 0], (3, 3)), ShapeError, "does not fit"),
    "too large an update": (lambda x: ops.slice_update(x, [0, 0], np.ones((3, 3))), ShapeError, "ops.slice_update, updates"),
    "a start between indices": (lambda x: ops.slice(x, [0.5, 0], (1, 1)), ArgumentTypeError, "ops.slice, start_indices"),
    "a diagonal of one axis": (lambda x: ops.diagonal(x, axis1=0, axis2=0), ShapeError, "two different axes"),
    "one list of axes": (lambda x: ops.tensordot(x, x, [1]), ArgumentError, "ops.tensordot, axes"),
    "a letter twice in the result": (lambda x: ops.einsum("ij->iij", x), ArgumentError, "'i' is twice"),
    "subscripts that are no text": (lambda x: ops.einsum(5, x), ArgumentTypeError, "ops.einsum, subscripts"),
    "the triangle of a vector": (lambda x: ops.tril(x[0]), ShapeError, "part of a matrix"),
    "the cross product of scalars": (lambda x: ops.cross(x, 2.0), ShapeError, "ops.multiply"),
    "numbers to nowhere": (lambda x: ops.arange(None), ArgumentTypeError, "ops.arange, start"),
    "a negative number of numbers": (lambda x: ops.linspace(0, 1, -1), ArgumentError, "ops.linspace, num"),
    "a negative number of segments": (lambda x: ops.segment_sum(x, [0, 1], -1), ArgumentError, "ops.segment_sum, num_segments"),
    "a negative number of elements": (lambda x: ops.unique(x, size=-1), ArgumentError, "ops.unique, size"),
    "a negative number of the largest": (lambda x: ops.top_k(x, -1), ArgumentError, "ops.top_k, k"),
    "a shift of text": (lambda x: ops.roll(x, "a"), ArgumentTypeError, "ops.roll, shift"),
    "more shifts than axes": (lambda x: ops.roll(x, (1, 2, 3), (0, 1)), ShapeError, "3 shifts for 2 axes"),
    "a window of text": (lambda x: ops.hanning("a"), ArgumentTypeError, "ops.hanning, x"),
    "a pattern that is no text": (lambda x: ops.rearrange(x, 5), ArgumentError, "ops.rearrange, pattern"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_said_of_wrong_arguments(case: str, backend: Any) -> None:
    call, kind, words = WRONG[case]
    messages = set()
    for x in (backend.array(X), Spec(X.shape)):
        with pytest.raises(kind, match=words) as caught:
            call(x)
        assert isinstance(caught.value, KeraunosError)
        messages.add(str(caught.value))
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("x", "dtype", "words"),
    [
        (2**40, None, "int32 cannot hold"),
        ([1, -(2**40)], None, "int32 cannot hold"),
        ("a", "int32", "Text"),
        ([None], None, "No tensor"),
        ([[1], [2, 3]], None, "unequal lengths"),
    ],
)
def test_what_is_said_of_what_is_no_tensor(x: Any, dtype: str | None, words: str, backend: Any) -> None:
    if backend.name in ("numpy", "pytensor") and x in ("a", [None]):
        pytest.skip("NumPy has text and objects")
    with pytest.raises(KeraunosError, match=words):
        ops.convert_to_tensor(x, dtype)


def test_an_engines_own_error_tells_of_the_op(backend: Any) -> None:
    with pytest.raises(Exception) as caught:  # each engine has its own
        ops.zeros((None, 3))
    assert "Where: ops.zeros\nReceived: shape: tuple of 2" in str(caught.value)


def test_lists_beside_what_has_no_value() -> None:
    assert ops.ldexp(Spec((3,)), [1, 1, 2]).shape == (3,)
    assert ops.kron(Spec((2,), "bfloat16"), 2.5).dtype == ops.append(2.5, Spec((2,), "bfloat16")).dtype == "bfloat16"


def test_blocks_before_the_run() -> None:
    assert ops.slice(Spec((None, 5)), [1, 2], (-1, -1)).shape == (None, 3)
    assert ops.slice(Spec((4, 5)), [1, Spec((), "int32")], (-1, 2)).shape == (3, 2)
