"""What only the PyTensor engine has: its modes, its graphs, what it keeps and what it overwrites."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import BackendError, SymbolicError
from tests.conftest import BACKENDS

pytestmark = pytest.mark.skipif("pytensor" not in BACKENDS, reason="the engine is not tested")


@pytest.fixture
def engine() -> Iterator[Any]:
    with config.backend_scope("pytensor"):
        yield config.active()


@contextlib.contextmanager
def compiled_by(engine: Any, mode: str) -> Iterator[None]:
    former = engine.mode()
    engine.set_mode(mode)
    yield
    engine.set_mode(former)


def network() -> Any:
    keras.utils.set_random_seed(3)
    layers = [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dropout(0.2)]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers, keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def digits() -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.normal(size=(64, 8, 8, 1)).astype("float32"), random.integers(0, 3, 64)


def losses(backend: str) -> list[float]:
    with config.backend_scope(backend):
        return network().fit(*digits(), epochs=3, batch_size=16, verbose=0).history["loss"]


def test_training_is_that_of_jax() -> None:
    np.testing.assert_allclose(losses("pytensor"), losses("jax"), rtol=1e-4)


def test_nothing_of_a_plain_program_is_compiled_by_itself(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTensor would an einsum, to machine code, which takes seconds on a machine where it was not done before."""
    from pytensor.compile.builders import OpFromGraph

    monkeypatch.setattr(OpFromGraph, "perform", lambda *_: pytest.fail("a graph within the graph"))
    x = np.random.default_rng(1).normal(size=(3, 4)).astype("float32")
    step = engine.compile(lambda x: engine.differentiate(lambda v: (ops.sum(ops.einsum("ij,kj->ik", v[0], v[0]) ** 2), None), [x])[1][0])
    np.testing.assert_allclose(step(x), 4 * x @ x.T @ x, 1e-4)


@pytest.mark.parametrize("mode", ["NUMBA", "JAX"])
@pytest.mark.filterwarnings("ignore")  # the compilers' own
def test_modes_agree(engine: Any, mode: str) -> None:
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")

    def loss(w: Any) -> Any:
        return ops.sum(ops.softmax(ops.matmul(x, w)) ** 2) + ops.logsumexp(w)

    def step(w: Any) -> Any:
        (value, _), (gradient,) = engine.differentiate(lambda values: (loss(values[0]), None), [w])
        return value, gradient, engine.draw_uniform(engine.seed_state(3, 1), (4,), "float32")

    w = np.full((4, 3), 0.3, "float32")
    with compiled_by(engine, mode):
        found = engine.compile(step)(w)
    for got, want in zip(found, engine.compile(step)(w), strict=True):
        np.testing.assert_allclose(got, want, 1e-5, 1e-6)


def test_draws_are_those_of_eager_code(engine: Any) -> None:
    key = engine.seed_state(11, 4)
    for draw, args in (("draw_uniform", ((3, 4), "float32")), ("draw_normal", ((5,), "float64")), ("draw_integers", ((7,), -3, 9, "int64"))):
        np.testing.assert_allclose(engine.compile(lambda key, d=draw, a=args: getattr(engine, d)(key, *a))(key), getattr(engine, draw)(key, *args), 1e-6)
    big = engine.draw_normal(key, (20000,), "float32")
    assert abs(big.mean()) < 0.02
    assert abs(big.std() - 1) < 0.02


def test_values_given_up_are_not_those_of_others(engine: Any) -> None:
    """Two variables that were given one array, and the array itself, stay apart when a step changes one in place."""
    value = np.ones(3, "float32")
    first, second = keras.Variable(value), keras.Variable(value)
    second.assign(first)

    def step() -> Any:
        first.assign(first * 2.0)
        return ops.sum(second)

    program = keras.core.functional.Program(step, [first, second], donate=True)
    assert [float(program()) for _ in range(3)] == [3.0, 3.0, 3.0]
    assert first.numpy().tolist() == [8.0] * 3
    assert second.numpy().tolist() == value.tolist() == [1.0] * 3


def test_swapped_variables(engine: Any) -> None:
    first, second = keras.Variable([1.0]), keras.Variable([2.0])

    def swap() -> None:
        a, b = first.value, second.value
        first.assign(b)
        second.assign(a)

    program = keras.core.functional.Program(swap, [first, second], donate=True)
    program()
    first.assign_add([10.0])
    program()
    assert (float(first.numpy()[0]), float(second.numpy()[0])) == (1.0, 12.0)


def test_one_program_for_each_signature(engine: Any) -> None:
    traces = []

    def double(x: Any) -> Any:
        traces.append(x.shape)
        return x * 2

    program = engine.compile(double)
    for size in (2, 3, 2):
        assert program(np.ones(size, "float32")).tolist() == [2.0] * size
    assert traces == [(2,), (3,)]


def test_gradients_of_gradients(engine: Any) -> None:
    x = keras.Variable(2.0)

    def slope() -> Any:
        return keras.value_and_grad(lambda: x * x * x, [x])()[1][0]

    value, (second,) = keras.value_and_grad(slope, [x])()
    assert (float(value), float(second)) == (12.0, 12.0)


def test_what_does_not_depend_on_a_variable_has_no_gradient(engine: Any) -> None:
    x, y = keras.Variable(2.0), keras.Variable([1.0, 2.0])
    _, gradients = keras.value_and_grad(lambda: x * 3.0, [x, y])()
    assert [g.tolist() for g in gradients] == [3.0, [0.0, 0.0]]


def test_control_flow_is_traced(engine: Any) -> None:
    def run(x: Any, n: Any) -> Any:
        halved = ops.while_loop(lambda v: v > 1.0, lambda v: (v / n,), (ops.sum(x),))[0]
        last, sums = ops.scan(lambda carry, row: (carry + row, carry * 2.0), ops.zeros(()), x)
        return halved, ops.cond(last > 5.0, lambda: last, lambda: -last), sums

    halved, chosen, sums = engine.compile(run)(np.arange(4, dtype="float32"), np.float32(2))
    assert (float(halved), float(chosen), sums.tolist()) == (0.75, 6.0, [0.0, 0.0, 2.0, 6.0])


def test_errors(engine: Any) -> None:
    with pytest.raises(BackendError, match="no dtype bfloat16"):
        ops.ones((2,), dtype="bfloat16")
    with pytest.raises(SymbolicError, match="no truth value"):
        engine.compile(lambda x: x if x > 0 else -x)(np.float32(1))
    with pytest.raises(TypeError, match="Only a scalar"):
        engine.differentiate(lambda values: (values[0], None), [np.ones(2, "float32")])


def test_pytensors_own_functions_may_be_used(engine: Any) -> None:
    import pytensor.tensor as pt

    assert float(engine.compile(lambda x: ops.convert_to_tensor(pt.exp(x)) + 1.0)(np.float32(0))) == 2.0
