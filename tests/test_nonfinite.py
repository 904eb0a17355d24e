"""A loss that is not finite: the batch, the layer, the gradient or the loss that it came from is named."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from tests.conftest import TRAINING

rng = np.random.default_rng(0)
X, Y = rng.uniform(0.1, 1, size=(48, 4)).astype("float32"), rng.uniform(0, 1, size=(48, 1)).astype("float32")
X[20, 0] = -1  # in the second batch


class Fault(layers.Layer):
    """The logarithm of what is never negative but in one sample."""

    def call(self, inputs: Any) -> Any:
        return inputs + ops.log(ops.sum(inputs, axis=-1, keepdims=True) * 0 + self.sign(inputs))

    def sign(self, inputs: Any) -> Any:
        return inputs[:, :1]


@pytest.fixture(params=TRAINING)
def engine(request: Any) -> Any:
    with keras.backend_scope(request.param):
        keras.utils.set_random_seed(0)
        yield request.param


def warned(model: Any, **options: Any) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0, **options)
    found = [str(w.message) for w in caught if "The loss became" in str(w.message)]
    assert len(found) == 1, [str(w.message) for w in caught]
    assert len(found[0]) < 800 and "learning_rate=" in found[0] and "disable_checks" in found[0]
    return found[0]


def deep(place: int) -> Any:
    """Ten layers, of which the one at a place takes a logarithm of its first feature."""

    @keras.saving.register_keras_serializable(package="nonfinite")
    class Logarithm(layers.Dense):
        def call(self, inputs: Any) -> Any:
            return super().call(inputs) + ops.log(ops.maximum(inputs[:, :1], -1) * 0 + ops.where(ops.less(inputs[:, :1], -0.5), -1.0, 1.0))

    kept = [Logarithm(4, kernel_initializer="identity", name=f"fault_{i}") if i == place else Keep(name=f"keep_{i}") for i in range(10)]
    return keras.Sequential([keras.Input((4,)), *kept, layers.Dense(1)])


class Keep(layers.Dense):
    """A layer whose output is its input, until it is trained."""

    def __init__(self, units: int = 4, **kwargs: Any):
        super().__init__(units, kernel_initializer="identity", **kwargs)


@pytest.mark.parametrize("place", range(10))
def test_ten_faults_in_ten_layers(place: int) -> None:
    with keras.backend_scope(TRAINING[place % len(TRAINING)]):
        model = deep(place)
        model.compile(keras.optimizers.SGD(1e-4), "mse")
        text = warned(model, epochs=2)
        assert f"'fault_{place}' (Logarithm)" in text and "at epoch 1, batch 2" in text


def test_a_step_that_is_too_long(engine: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first"), layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e30), "mse")
    text = warned(model, epochs=3)
    assert "learning_rate=1e+30" in text and "epoch 1, batch" in text


def test_a_gradient_that_is_not_finite(engine: str) -> None:
    class Root(layers.Dense):
        def call(self, inputs: Any) -> Any:
            return super().call(inputs) + ops.sqrt(ops.sum(self.bias * 0.0))

    model = keras.Sequential([keras.Input((4,)), Root(3, name="root"), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert re.search(r"the gradient of '[\w/]*root/", warned(model))


def test_a_loss_of_finite_outputs(engine: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", lambda y, p: ops.mean(ops.log(p) + y))
    assert "the outputs are finite (up to 0), but the loss of them is not" in warned(model)


def test_streams_own_steps_and_silence(engine: str) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", lambda y, p: ops.mean(ops.log(p) + y))
    with pytest.warns(UserWarning, match=r"The loss became -?(nan|inf) at epoch 1\."):
        model.fit(iter([(X, Y)]), verbose=0)
    keras.config.disable_checks()
    try:
        model.fit(X, Y, verbose=0)
    finally:
        keras.config.enable_checks()
