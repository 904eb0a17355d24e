"""Random numbers: distributions, seeds, state, symbolic calls."""

from __future__ import annotations

import random as python_random
from typing import Any

import numpy as np
import pytest

from keraunos import ops, random, saving, utils
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.core.functional import Program
from keraunos.core.graph import KerasTensor
from keraunos.core.scope import within
from keraunos.core.spec import Spec
from keraunos.random import host
from tests.conftest import BACKENDS, TRAINING

pytestmark = pytest.mark.xdist_group("random")  # what JAX compiles for one test it has for the others

N = 20_000


def _array(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


DRAWS: list[tuple[str, Any, float, float]] = [
    ("uniform", lambda s, seed: random.uniform((N,), seed=seed), 0.5, 12**-0.5),
    ("uniform", lambda s, seed: random.uniform((N,), -1, 3, seed=seed), 1, 4 * 12**-0.5),
    ("normal", lambda s, seed: random.normal((N,), 2, 3, seed=seed), 2, 3),
    ("truncated_normal", lambda s, seed: random.truncated_normal((N,), 2, 3, seed=seed), 2, 3 * 0.8796),
    ("randint", lambda s, seed: random.randint((N,), -2, 3, seed=seed), 0, 2**0.5),
    ("gamma", lambda s, seed: random.gamma((N,), 2.0, seed=seed), 2, 2**0.5),
    ("beta", lambda s, seed: random.beta((N,), 2.0, 3.0, seed=seed), 0.4, 0.2),
    ("binomial", lambda s, seed: random.binomial((N,), 10, 0.3, seed=seed), 3, 2.1**0.5),
    ("categorical", lambda s, seed: random.categorical(np.log(np.array([[0.2, 0.3, 0.5]], "float32")), N, seed=seed), 1.3, 0.61**0.5),
    ("dropout", lambda s, seed: random.dropout(np.ones(N, "float32"), 0.25, seed=seed), 1, 3**-0.5),
    ("dropout", lambda s, seed: random.dropout(np.ones(N, "float32"), 0.001, seed=seed), 1, 0.0316),
]  # fmt: skip


@pytest.mark.parametrize(("name", "draw", "mean", "deviation"), DRAWS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(DRAWS)])
def test_mean_and_deviation(name: str, draw: Any, mean: float, deviation: float, backend: Any) -> None:
    x = _array(draw(None, 5)).astype("float64")
    assert x.mean() == pytest.approx(mean, abs=5 * deviation / N**0.5)
    assert x.std() == pytest.approx(deviation, rel=0.05 if deviation > 0.1 else 0.6)


@pytest.mark.parametrize(("name", "draw", "mean", "deviation"), DRAWS, ids=[f"{n}-{i}" for i, (n, *_) in enumerate(DRAWS)])
def test_seeds(name: str, draw: Any, mean: float, deviation: float, backend: Any) -> None:
    generator = random.SeedGenerator(5)
    first, second = _array(draw(None, generator)), _array(draw(None, generator))
    assert not np.array_equal(first, second)
    assert np.array_equal(_array(draw(None, 5)), _array(draw(None, 5)))
    assert not np.array_equal(_array(draw(None, 5)), _array(draw(None, 6)))
    assert not np.array_equal(_array(draw(None, None)), _array(draw(None, None)))
    if name != "beta":
        assert np.array_equal(first, _array(draw(None, 5)))


def test_bounds(backend: Any) -> None:
    u, t, i = _array(random.uniform((N,), 2, 3)), _array(random.truncated_normal((N,))), _array(random.randint((N,), 3, 6))
    assert u.min() >= 2
    assert u.max() < 3.0000001
    assert np.abs(t).max() <= 2.000001
    assert set(i.tolist()) == {3, 4, 5}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_float_dtypes(dtype: str, backend: Any) -> None:
    for draw in (random.uniform, random.normal, random.truncated_normal):
        assert backend.dtype_of(draw((3,), dtype=dtype, seed=1)) == dtype
    for draw in (lambda **o: random.gamma((3,), 2.0, **o), lambda **o: random.beta((3,), 2.0, 3.0, **o), lambda **o: random.binomial((3,), 10, 0.3, **o)):
        assert backend.dtype_of(draw(dtype=dtype, seed=1)) == dtype
    assert backend.dtype_of(random.dropout(ops.ones((3,), dtype=dtype), 0.5, seed=1)) == dtype


def test_integer_dtypes_and_shuffle(backend: Any) -> None:
    assert backend.dtype_of(random.randint((3,), 0, 4, dtype="uint8", seed=1)) == "uint8"
    x = np.arange(12, dtype="int32").reshape(3, 4)
    shuffled = random.shuffle(x, axis=1, seed=3)
    assert backend.dtype_of(shuffled) == "int32"
    assert np.array_equal(np.sort(_array(shuffled), 1), x)
    assert np.array_equal(_array(shuffled)[1] - _array(shuffled)[0], np.full(4, 4))


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.1, 0.5, 0.9, 1.0])
def test_dropout(rate: float, backend: Any) -> None:
    x = _array(random.dropout(np.full((100, 50), 2, "float32"), rate, seed=9))
    assert set(np.unique(x)) <= {0.0, np.float32(2) if rate in (0, 1) else np.float32(2) * np.float32(1 / (1 - rate))}
    assert (x == 0).mean() == pytest.approx(rate, abs=5 * (rate * (1 - rate) / 5000) ** 0.5)


def test_dropout_masks_are_independent(backend: Any) -> None:
    """Of neighbours, of successive draws, and of neighbouring seeds."""
    generator = random.SeedGenerator(3)
    ones = np.ones(N, "float32")
    masks = [_array(random.dropout(ones, 0.5, seed=s)) - 1 for s in (generator, generator, 4, 5)]
    for a in masks:
        for shift in (1, 2, 3, 4, 8):
            assert abs((a[shift:] * a[:-shift]).mean()) < 5 / N**0.5
    for i, a in enumerate(masks):
        for b in masks[:i]:
            for shift in (0, 1, 2):
                assert abs((a[shift:] * b[: N - shift]).mean()) < 5 / N**0.5


def test_dropout_noise_shape(backend: Any) -> None:
    x = _array(random.dropout(np.ones((64, 8, 3), "float32"), 0.5, noise_shape=(None, 1, 3), seed=2))
    assert np.array_equal(x, np.broadcast_to(x[:, :1], x.shape))
    assert 0.3 < (x == 0).mean() < 0.7


def test_dropout_has_a_gradient() -> None:
    from keraunos.core.functional import value_and_grad
    from keraunos.core.variable import Variable

    for name in TRAINING:
        with config.backend_scope(name):
            x = Variable(np.full(8, 3.0, "float32"))
            _, (gradient,) = value_and_grad(lambda x=x: ops.sum(random.dropout(x, 0.5, seed=1)), [x])()
            assert np.array_equal(_array(gradient) * 3, _array(random.dropout(x, 0.5, seed=1)))


def test_the_default_generator_follows_the_process_seed(backend: Any) -> None:
    utils.set_random_seed(11)
    first = [_array(random.uniform((3,))) for _ in range(2)], host.make_seed(), python_random.random(), np.random.random()
    utils.set_random_seed(11)
    second = [_array(random.uniform((3,))) for _ in range(2)], host.make_seed(), python_random.random(), np.random.random()
    assert np.array_equal(first[0], second[0])
    assert first[1:] == second[1:]
    assert not np.array_equal(*first[0])


def test_seeds_from_the_stream_are_equal_on_every_engine() -> None:
    found = []
    for name in BACKENDS:
        with config.backend_scope(name):
            utils.set_random_seed(5)
            random.uniform((1,))
            found.append([host.make_seed() for _ in range(3)])
    assert all(seeds == found[0] for seeds in found)
    assert len(set(found[0])) == 3


def test_state_advances_in_a_compiled_program(backend: Any) -> None:
    generator = random.SeedGenerator(1)
    program = Program(lambda: random.uniform((4,), seed=generator))
    compiled = [_array(program()) for _ in range(3)]
    assert generator.state.numpy().tolist() == [1, 3]
    again = random.SeedGenerator(1)
    for x in compiled:
        np.testing.assert_allclose(x, _array(random.uniform((4,), seed=again)), 1e-6)


def test_the_default_generator_advances_in_a_compiled_program(backend: Any) -> None:
    program = Program(lambda: random.uniform((4,)))
    assert not np.array_equal(_array(program()), _array(program()))


def test_symbolic_calls_draw_nothing(backend: Any) -> None:
    generator = random.SeedGenerator(1)
    x = Spec((None, 3))
    assert random.dropout(x, 0.5, seed=generator) == x
    assert random.normal((None, 3), seed=generator) == Spec((None, 3))
    assert random.categorical(x, 4, seed=generator) == Spec((None, 4), "int32")
    assert random.shuffle(x, seed=generator) == x
    with within(symbolic=True):
        assert random.uniform((2,), seed=generator) == Spec((2,))
    assert generator.state.numpy().tolist() == [1, 0]


def test_dropout_is_recorded(backend: Any) -> None:
    x = KerasTensor((None, 3))
    out = random.dropout(x, 0.5, seed=1)
    assert isinstance(out, KerasTensor)
    assert out.node is not None
    assert out.shape == (None, 3)


def test_seed_generator_configuration() -> None:
    generator = random.SeedGenerator(7, name="mine")
    assert generator.get_config() == {"seed": 7, "name": "mine"}
    assert random.SeedGenerator().get_config()["seed"] is None
    written = saving.serialize_keras_object(generator)
    assert (written["module"], written["class_name"]) == ("keras.random", "SeedGenerator")
    assert saving.deserialize_keras_object(written).get_config() == generator.get_config()
    assert generator.state.path == "mine/seed_generator_state"
    assert not generator.state.trainable


def test_a_generator_serves_another_engine() -> None:
    with config.backend_scope("jax"):
        generator = random.SeedGenerator(3)
    with config.backend_scope("torch"):
        x = random.uniform((3,), seed=generator)
        assert np.array_equal(_array(x), _array(random.uniform((3,), seed=3)))
    assert generator.state.numpy().tolist() == [3, 1]


@pytest.mark.parametrize("seed", [2**40, -1, 2**31, np.int64(4)])
def test_seeds_of_any_size(seed: Any, backend: Any) -> None:
    assert np.array_equal(_array(random.uniform((3,), seed=seed)), _array(random.uniform((3,), seed=random.SeedGenerator(seed))))


def test_errors(backend: Any) -> None:
    for call, error, text in [
        (lambda: random.SeedGenerator(1.5), ArgumentTypeError, "integer"),
        (lambda: random.SeedGenerator(random.SeedGenerator(1)), ArgumentTypeError, "integer"),
        (lambda: random.uniform((2,), seed="a"), ArgumentTypeError, "SeedGenerator"),
        (lambda: random.uniform((2,), dtype="int32"), DTypeError, "randint"),
        (lambda: random.randint((2,), 0, 3, dtype="float32"), DTypeError, "uniform"),
        (lambda: random.dropout(np.ones(3, "float32"), 1.5), ArgumentError, "rate=1.5"),
        (lambda: random.dropout(np.ones((4, 3), "float32"), 0.5, (4, 2)), ShapeError, "noise_shape does not broadcast"),
        (lambda: random.randint((2,), 5, 5), ArgumentError, "minval must be below maxval"),
        (lambda: random.binomial((2,), 10, 2.0), ArgumentError, "probabilities must be from 0 to 1"),
        (lambda: random.gamma((2,), "two"), DTypeError, "Text cannot be computed with"),
        (lambda: random.categorical(np.ones(3, "float32"), 1), ShapeError, "(batch, classes)"),
        (lambda: utils.set_random_seed("a"), ArgumentTypeError, "integer"),
    ]:
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)


def test_host_generator_by_counters() -> None:
    draws = {tuple(host.generator(*key).integers(2**31, size=2)) for key in [(1,), (2,), (1, 1), (1, 0, 1), (1, 0, 0, 1), (1, 0, 0, 0, 1)]}
    assert len(draws) == 6
    assert host.generator(1) is not host.generator(1)
    assert host.generator(1, 0).integers(2**31) == host.generator(1).integers(2**31)
