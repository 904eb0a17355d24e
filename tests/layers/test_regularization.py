"""What layers of noise do in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from tests.conftest import BFLOAT, in_force


def noisy(layer: Any, x: Any) -> Any:
    return np.asarray(ops.convert_to_numpy(layer(x, training=True)))


def test_alpha_dropout_keeps_mean_and_variance(backend: Any) -> None:
    x = np.random.default_rng(1).normal(size=(400, 500)).astype("float32")
    y = noisy(layers.AlphaDropout(0.3, seed=2), x)
    assert abs(y.mean()) < 0.01
    assert abs(y.std() - 1) < 0.01
    values, counts = np.unique(y.round(5), return_counts=True)
    assert abs(counts.max() / y.size - 0.3) < 0.01
    assert y.dtype == "float32"
    shared = noisy(layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=2), np.ones((50, 4), "float32"))
    assert (shared == shared[:, :1]).all()
    assert len(values) > 1 < len(np.unique(shared))


@pytest.mark.parametrize("engine", BFLOAT)
def test_noise_is_of_the_compute_dtype(engine: str) -> None:
    with in_force(engine):
        for make in (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout, layers.GaussianNoise, layers.SpatialDropout1D):
            y = make(0.5, dtype="mixed_bfloat16")(np.ones((2, 3, 4), "float32"), training=True)
            assert keraunos.backend.standardize_dtype(y.dtype) == "bfloat16"


def test_gaussian_dropout_is_noise_of_mean_1(backend: Any) -> None:
    y = noisy(layers.GaussianDropout(0.3, seed=2), np.full((400, 500), 2.0, "float32"))
    assert abs(y.mean() - 2) < 0.01
    assert abs(y.std() - 2 * (0.3 / 0.7) ** 0.5) < 0.01


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_spatial_dropout_drops_channels(data_format: str, backend: Any) -> None:
    for name, spatial in (("SpatialDropout1D", (3,)), ("SpatialDropout2D", (3, 2)), ("SpatialDropout3D", (3, 1, 2))):
        first = data_format == "channels_first"
        if first and name == "SpatialDropout1D":
            continue
        options = {} if name == "SpatialDropout1D" else {"data_format": data_format}
        y = noisy(getattr(layers, name)(0.4, seed=3, **options), np.ones((40, 50, *spatial) if first else (40, *spatial, 50), "float32"))
        y = np.moveaxis(y, 1, -1) if first else y
        y = y.reshape(40, -1, 50)
        assert (y == y[:, :1]).all()
        assert abs((y == 0).mean() - 0.4) < 0.05
        assert y.max() == pytest.approx(1 / 0.6)


def test_noise_differs_from_call_to_call_and_repeats_by_seed(backend: Any) -> None:
    x = np.ones((20, 3, 20), "float32")
    for make in (layers.GaussianDropout, layers.AlphaDropout, layers.SpatialDropout1D):
        one, other = make(0.5, seed=4), make(0.5, seed=4)
        first = noisy(one, x)
        assert (first == noisy(other, x)).all()
        assert (first != noisy(one, x)).any()


@pytest.mark.parametrize("name", ["AlphaDropout", "GaussianDropout", "SpatialDropout1D", "Dropout"])
def test_rates_that_mean_nothing(name: str) -> None:
    for rate in (-0.1, 1.1) if name in ("Dropout", "SpatialDropout1D") else (-0.1, 1.0):
        with pytest.raises(ArgumentError, match="rate must be a number from 0"):
            getattr(layers, name)(rate)


def test_other_ranks_are_refused() -> None:
    for training in (False, True):
        with pytest.raises(ShapeError, match="cannot take an input of 2 axes"):
            layers.SpatialDropout1D(0.5)(np.ones((2, 3), "float32"), training=training)


def test_activity_regularization_adds_to_the_loss(backend: Any) -> None:
    layer = layers.ActivityRegularization(l1=0.1, l2=0.2)
    layer(np.full((2, 3), -2.0, "float32"))
    assert float(layer.losses[0]) == pytest.approx((0.1 * 12 + 0.2 * 24) / 2)
    if backend.name != "numpy":
        model = keraunos.Sequential([keraunos.Input((3,)), layer])
        model.compile("sgd", "mse")
        assert model.evaluate(np.ones((4, 3), "float32"), np.ones((4, 3), "float32"), verbose=0) == pytest.approx(0.9)
    with pytest.raises(ArgumentTypeError, match="takes no activity_regularizer"):
        layers.ActivityRegularization(0.1, activity_regularizer="l2")
