"""Training in float16: the loss is scaled by itself, and steps whose gradients are not finite change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, mixed_precision, optimizers
from tests.conftest import TRAINING, in_force

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X[:, :1] - X[:, 1:2]


def model_of(policy: Any, **compiled: Any) -> Any:
    made = keraunos.Sequential([keraunos.Input((3,)), layers.Dense(8, activation="tanh", dtype=policy), layers.Dense(1, dtype="float32")])
    made.dtype_policy = policy
    made.compile(loss="mse", **compiled)
    return made


def test_the_namespace() -> None:
    assert mixed_precision.LossScaleOptimizer is optimizers.LossScaleOptimizer


@pytest.mark.filterwarnings("ignore:y has values up to")
@pytest.mark.parametrize("engine", TRAINING)
def test_steps_that_are_not_finite_change_nothing(engine: str) -> None:
    with in_force(engine):
        inner = optimizers.Adam(0.05)
        model = model_of("float32", optimizer=mixed_precision.LossScaleOptimizer(inner, initial_scale=1024.0, dynamic_growth_steps=2))
        model.fit(X, Y, batch_size=32, epochs=1, verbose=0)
        before, state, steps = model.get_weights(), [v.numpy() for v in inner.variables], int(inner.iterations)
        with pytest.warns(UserWarning, match="The loss became inf"):
            model.fit(X, np.full_like(Y, 3e38), batch_size=32, epochs=1, verbose=0)
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
        assert all(np.array_equal(v.numpy(), b) for v, b in zip(inner.variables, state, strict=True))
        assert int(inner.iterations) == steps
        assert float(model.optimizer.dynamic_scale) == 512.0
        assert int(model.optimizer.step_counter) == 0
        curve = model.fit(X, Y, batch_size=32, epochs=4, verbose=0).history["loss"]
        assert float(model.optimizer.dynamic_scale) == 2048.0  # twice doubled, in steps of two
        assert curve[-1] < curve[0]


@pytest.mark.parametrize("engine", TRAINING)
def test_scaling_changes_nothing_else(engine: str) -> None:
    with in_force(engine):
        weights, found = None, []
        for optimizer in (optimizers.SGD(0.1), mixed_precision.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=1024.0)):
            model = model_of("float32", optimizer=optimizer)
            weights = weights or model.get_weights()
            model.set_weights(weights)
            found.append(model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"] + model.get_weights())
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_models_in_float16_scale_by_themselves() -> None:
    for policy, auto, scaled in (("mixed_float16", True, True), ("mixed_float16", False, False), ("mixed_bfloat16", True, False), ("float32", True, False)):
        model = model_of(policy, optimizer="sgd", auto_scale_loss=auto)
        assert isinstance(model.optimizer, mixed_precision.LossScaleOptimizer) == scaled
    wrapped = mixed_precision.LossScaleOptimizer(optimizers.SGD())
    assert model_of("mixed_float16", optimizer=wrapped).optimizer is wrapped


@pytest.mark.parametrize("engine", [name for name in TRAINING if name != "pytensor"])
def test_training_in_float16(engine: str) -> None:
    with in_force(engine):
        keraunos.utils.set_random_seed(1)
        model = model_of("mixed_float16", optimizer=optimizers.Adam(0.02))
        curve = model.fit(X, Y, batch_size=8, epochs=10, verbose=0).history["loss"]
        assert curve[-1] < 0.6 * curve[0]
        assert all(w.dtype == "float32" for w in model.weights)
