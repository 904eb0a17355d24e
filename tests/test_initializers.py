"""Initializers: equal weights on every engine, their distributions, their configs."""

from __future__ import annotations

import importlib
import inspect
import math
import os
from typing import Any, Literal

import numpy as np
import pytest

import keraunos
from keraunos import initializers, metrics, ops, random, regularizers, utils
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.core.fields import Declared
from tests.conftest import BACKENDS, BFLOAT

os.environ.setdefault("KERAS_BACKEND", "jax")
CLASSES = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "RandomNormal",
    "RandomUniform", "STFT", "TruncatedNormal", "VarianceScaling", "Zeros",
]  # fmt: skip
DRAWING = [n for n in CLASSES if n not in ("Constant", "Identity", "Ones", "STFT", "Zeros")]


def _array(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


def _metric(name: str, *args: Any, **options: Any) -> Any:
    return getattr(metrics, name)(*args, **options)


def _make(name: str, **options: Any) -> Any:
    return getattr(initializers, name)(**({"seed": 3, **options} if name in DRAWING else options))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_bit_equal_on_every_engine(name: str, dtype: str) -> None:
    found = []
    for engine in BFLOAT if dtype == "bfloat16" else BACKENDS:
        with config.backend_scope(engine):
            out = _make(name)((5, 1, 7) if name == "STFT" else (5, 7), dtype=dtype)
            assert config.active().is_tensor(out)
            assert config.active().dtype_of(out) == dtype
            found.append(_array(out).astype("float64"))
    assert all(np.array_equal(found[0], other) for other in found[1:])


@pytest.mark.parametrize("name", CLASSES)
def test_config_and_names(name: str) -> None:
    keras = pytest.importorskip("keras")
    ours, theirs = _make(name), getattr(keras.initializers, name)
    assert set(ours.get_config()) >= set(theirs().get_config())
    names = [[p for p in inspect.signature(cls).parameters if p not in ("args", "kwargs")] for cls in (type(ours), theirs)]
    assert names[0] == names[1]
    assert ours.clone().get_config() == ours.get_config()
    shape = (4, 1, 4) if name == "STFT" else (4, 4)
    assert np.array_equal(_array(ours.clone()(shape)), _array(ours(shape)))
    snake = type(initializers.get(theirs.__name__)).__name__
    assert snake == name


@pytest.mark.parametrize(
    "name", ["glorot_uniform", "he_normal", "zeros", "orthogonal", "normal", "uniform", "OrthogonalInitializer", "IdentityInitializer", "one", "zero"]
)
def test_other_names(name: str) -> None:
    assert isinstance(initializers.get(name), initializers.Initializer)


@pytest.mark.parametrize("name", DRAWING)
def test_seeds(name: str) -> None:
    make = getattr(initializers, name)
    shape = (8, 6)
    same = make(seed=3)
    assert np.array_equal(_array(same(shape)), _array(same(shape)))
    assert not np.array_equal(_array(same(shape)), _array(make(seed=4)(shape)))
    fresh = make()
    assert fresh.get_config()["seed"] is None
    assert np.array_equal(_array(fresh(shape)), _array(fresh(shape)))
    assert not np.array_equal(_array(fresh(shape)), _array(make()(shape)))
    generator = make(seed=random.SeedGenerator(3))
    assert not np.array_equal(_array(generator(shape)), _array(generator(shape)))


def test_the_process_seed_settles_fresh_seeds() -> None:
    found = []
    for engine in BACKENDS:
        with config.backend_scope(engine):
            utils.set_random_seed(4)
            found.append([_array(initializers.get("glorot_uniform")((3, 3))) for _ in range(2)])
    assert all(np.array_equal(found[0], other) for other in found[1:])
    assert not np.array_equal(*found[0])


SHAPE, INS, OUTS = (3, 3, 20, 40), 180, 360
DEVIATIONS = {
    "GlorotNormal": (2 / (INS + OUTS)) ** 0.5, "GlorotUniform": (2 / (INS + OUTS)) ** 0.5, "HeNormal": (2 / INS) ** 0.5, "HeUniform": (2 / INS) ** 0.5,
    "LecunNormal": (1 / INS) ** 0.5, "LecunUniform": (1 / INS) ** 0.5, "VarianceScaling": (1 / INS) ** 0.5, "RandomNormal": 0.05,
    "TruncatedNormal": 0.05 * 0.8796, "RandomUniform": 0.1 / 12**0.5,
}  # fmt: skip


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviations(name: str, backend: Any) -> None:
    x = _array(_make(name)(SHAPE))
    assert x.std() == pytest.approx(DEVIATIONS[name], rel=0.03)
    assert abs(x.mean()) < 5 * DEVIATIONS[name] / x.size**0.5
    if "Uniform" in name:
        assert np.abs(x).max() <= DEVIATIONS[name] * 3**0.5 * 1.0001
    if name in ("GlorotNormal", "HeNormal", "LecunNormal", "VarianceScaling", "TruncatedNormal"):
        assert np.abs(x).max() <= 2 * DEVIATIONS[name] / 0.8796 * 1.001


FANS: list[tuple[Any, dict[str, Any], float, float]] = [
    ((), {}, 1, 1), ((7,), {}, 7, 7), ((3, 4), {}, 3, 4), ((2, 3, 4), {}, 6, 8),
    ((20, 30, 40), {"input_axes": (0,), "output_axes": (1, 2)}, 20, 1200), ((20, 30, 40), {"input_axes": [1], "output_axes": [2]}, 600, 800),
    ((20, 30, 40), {"input_axes": (0, 1)}, 600, 800),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "axes", "ins", "outs"), FANS)
def test_fans(shape: Any, axes: Any, ins: float, outs: float) -> None:
    for mode, fan in (("fan_in", ins), ("fan_out", outs), ("fan_avg", (ins + outs) / 2)):
        make = [initializers.VarianceScaling(mode=mode, distribution="uniform", seed=s, **axes) for s in range(1 if math.prod(shape) > 100 else 300)]
        largest = max(np.abs(_array(m(shape))).max() for m in make)
        assert largest == pytest.approx((3 / fan) ** 0.5, rel=0.02)


def test_the_other_values(backend: Any) -> None:
    assert np.array_equal(_array(initializers.Zeros()((2, 2), dtype="int32")), np.zeros((2, 2)))
    assert np.array_equal(_array(initializers.Ones()((2,), dtype="bool")), [True, True])
    assert np.array_equal(_array(initializers.Ones()(2)), [1, 1])
    assert np.array_equal(_array(initializers.Constant([1, 2])((3, 2))), [[1, 2]] * 3)
    assert np.array_equal(_array(initializers.Identity(2.0)((2, 3))), [[2, 0, 0], [0, 2, 0]])
    for shape in ((6, 4), (4, 6), (2, 3, 4)):
        x = _array(initializers.Orthogonal(gain=2.0, seed=1)(shape)).reshape(-1, shape[-1])
        product = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-5)


@pytest.mark.parametrize("side", ["real", "imag"])
@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "bartlett", "boxcar", None, "array"])
def test_kernels_of_fourier_transforms(side: Any, window: Any) -> None:
    keras = pytest.importorskip("keras")
    window = np.linspace(0, 1, 8, dtype="float32") if window == "array" else window
    for scaling in ("density", "spectrum", None):
        for periodic in (False, True):
            for shape in ((8, 1, 5), (8, 1, 9), (8, 1, 4)):
                theirs, ours = (module.initializers.STFT(side, window, scaling, periodic)(shape) for module in (keras, keraunos))
                np.testing.assert_allclose(_array(ours), np.asarray(theirs), atol=2e-6)


def test_a_convolution_is_a_fourier_transform(backend: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 20)).astype("float32")
    parts = [ops.conv(x[..., None], initializers.STFT(side, window="hann", scaling=None, periodic=True)((8, 1, 5)), strides=4) for side in ("real", "imag")]
    for part, wanted in zip(parts, ops.stft(x, 8, 4, 8, center=False), strict=True):
        np.testing.assert_allclose(_array(part), _array(wanted), atol=1e-5)
    for shape, options in (((8, 5), {}), ((8, 1, 1), {}), ((8, 1, 5), {"window": np.ones(7)})):
        with pytest.raises(ShapeError):
            initializers.STFT(**options)(shape)
    with pytest.raises(ArgumentError, match="window cannot be 'han'"):
        initializers.STFT(window="han")


def test_a_user_s_own() -> None:
    class Level(initializers.Initializer):
        def __init__(self, level: float):
            self.level = level

        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return ops.full(shape, self.level, dtype=dtype)

        def get_config(self) -> dict[str, Any]:
            return {"level": self.level}

    assert Level(2.0).clone().level == 2.0
    assert initializers.get(Level(3.0)).level == 3.0
    assert initializers.get(lambda shape, dtype=None: shape)((2,)) == (2,)


def test_errors() -> None:
    for call, error, text in [
        (lambda: initializers.VarianceScaling(scale=-1), ArgumentError, "scale"),
        (lambda: initializers.VarianceScaling(mode="fan_inn"), ArgumentError, "Did you mean 'fan_in'?"),
        (lambda: initializers.VarianceScaling(distribution="x"), ArgumentError, "untruncated_normal"),
        (lambda: initializers.HeNormal(seed=1.5), ArgumentTypeError, "seed"),
        (lambda: initializers.HeNormal(sed=1), ArgumentTypeError, "Did you mean 'seed'?"),
        (lambda: initializers.HeNormal()((2, 2), dtype="int32"), DTypeError, "floats"),
        (lambda: initializers.Identity()((2,)), ShapeError, "matrices"),
        (lambda: initializers.Orthogonal()((2,)), ShapeError, "two axes"),
        (lambda: initializers.Constant([1, 2, 3])((2,)), ShapeError, "broadcast"),
        (lambda: regularizers.L2(float("inf")), ArgumentError, "finite"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), ArgumentError, "Did you mean 'rows'?"),
        (lambda: _metric("AUC", num_thresholds=1), ArgumentError, "at least 2"),
        (lambda: _metric("R2Score", num_regressors=-1), ArgumentError, "num_regressors"),
        (lambda: _metric("FBetaScore", beta=0.0), ArgumentError, "beta"),
        (lambda: _metric("PrecisionAtRecall", 1.5), ArgumentError, "recall"),
    ]:
        with pytest.raises(error) as caught:
            call()
        assert text in str(caught.value)


NAMESPACES = ("losses", "metrics", "optimizers", "optimizers.schedules", "initializers", "regularizers", "constraints", "activations", "dtype_policies")


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_functions_of_namespaces_are_called_as_in_keras(namespace: str) -> None:
    keras = pytest.importorskip("keras")
    ours, theirs = importlib.import_module(f"keraunos.{namespace}"), keras
    for part in namespace.split("."):
        theirs = getattr(theirs, part)
    for name in {"get", "serialize", "deserialize"} & set(dir(theirs)):
        mine, wanted = (list(inspect.signature(getattr(module, name)).parameters) for module in (ours, theirs))
        assert mine == wanted
        assert getattr(ours, name).__doc__


def test_functions_of_namespaces_take_names() -> None:
    written = initializers.serialize(initializer=initializers.Constant(2.0))
    assert initializers.deserialize(config=written).value == 2.0
    with pytest.raises(TypeError):
        initializers.serialize()
    with pytest.raises(TypeError):
        initializers.serialize(written, initializer=written)


def test_order_and_defaults_of_fields() -> None:
    class First(Declared):
        a: int = 1
        b: Literal["x", "y"] | None = None

    class Second(First, order=("b",), a=3):
        c: int = 5

    second: Any = Second
    made = second("y")
    assert list(Second.fields) == ["b", "a", "c"]
    assert (made.a, made.b, made.c, First().a) == (3, "y", 5, 1)
    assert second(None).b is None
    with pytest.raises(ArgumentError, match="b cannot be 'z'"):
        second("z")
    with pytest.raises(TypeError):
        type("Third", (First,), {}, unknown=1)
