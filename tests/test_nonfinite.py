"""A loss that is not finite: the batch, the layer, the gradient or the loss that it came from is named."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.core.errors import TrainingError
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


def test_a_rate_that_is_set_when_the_epoch_begins(engine: str) -> None:
    """The epoch is gone through again with what callbacks gave it."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, name="last")])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1e38 if epoch else rate)
    with pytest.warns(UserWarning, match=r"at epoch 2, batch [12]: .*'last"):
        model.fit(X, Y, batch_size=16, epochs=2, shuffle=False, verbose=0, callbacks=[schedule])


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


@pytest.mark.parametrize("engine", [TRAINING[0]], indirect=True)
def test_a_run_that_goes_on_within_an_epoch(engine: str) -> None:
    class Later(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.model.position.goto(0, 1, self.model.position.seed)

    model = once()
    with pytest.warns(UserWarning, match=r"at epoch 1, batch 2: .*'fault'"):
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0, callbacks=[Later()])


# ---- debug_nans ----
class Of(layers.Layer):
    """A layer of a function."""

    def __init__(self, function: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)


def between(layer: Any, optimizer: Any = "sgd", **options: Any) -> Any:
    first, *rest = layers.Dense(4, name="before"), layers.Dense(3, name="after"), layers.Dense(1, name="last")
    model = keras.Sequential([keras.Input((4,)), first, layer, *rest])
    model.compile(optimizer, "mse", **options)
    return model


def poisoned(name: str = "weak") -> Any:
    layer = layers.Dense(4, name=name)
    layer.build((None, 4))
    layer.kernel.assign(np.full((4, 4), np.nan))
    return layer


# The model, and what the message says; the values of x are between 0.1 and 1, but for one of -1 in the second batch.
FAULTS: dict[str, tuple[Any, list[str]]] = {
    "a logarithm of 0": (lambda: between(Of(lambda x: ops.log(ops.relu(x) * 0), name="fault")), ["batch 1", "'fault' (Of)", "ops.log"]),
    "a division": (lambda: between(Of(lambda x: ops.divide(x, ops.zeros_like(x)), name="fault")), ["batch 1", "'fault' (Of)", "divide"]),
    "an overflow of float16": (lambda: between(Of(lambda x: ops.exp(x * 0 + 100), name="fault", dtype="float16")), ["batch 1", "'fault' (Of)", "ops.exp"]),
    "a root in a gradient": (lambda: between(Of(lambda x: x + ops.sqrt(x * 0), name="fault")), ["batch 1", "gradient", "ops.sqrt", "fault'"]),
    "a weight": (lambda: between(poisoned()), ["batch 1", "the weight", "weak/kernel"]),
    "a step": (lambda: between(layers.Dense(4), keras.optimizers.SGD(1e38)), ["batch 1", "the gradients are finite", "too long", "learning_rate=1e+38"]),
    "one sample": (lambda: once(), ["batch 2", "'fault' (Dense)", "ops."]),
    "the loss": (lambda: lossy(), ["batch 1", "the loss of them is not (ops.log)"]),
    "a layer inside a model": (lambda: between(keras.Sequential([keras.Input((4,)), Of(lambda x: ops.log(x * 0), name="deep")])), ["'deep' (Of)", "ops.log"]),
    "steps run eagerly": (lambda: between(Of(lambda x: ops.log(x * 0), name="fault"), run_eagerly=True), ["'fault' (Of)", "ops.log"]),
    "many steps in one": (lambda: between(Of(lambda x: ops.log(x * 0), name="fault"), steps_per_execution=2), ["batch 1", "'fault' (Of)"]),
}  # fmt: skip


BY_ENGINE = ("an overflow of float16", "a root in a gradient", "one sample")  # what differs by engine
QUICK = "torch" if "torch" in TRAINING else TRAINING[0]  # the engine that compiles least


def once() -> Any:
    """A model that fails in the batch with the negative number alone."""
    first = Of(lambda x: x[:, :1] * 1.0, name="column")
    model = keras.Sequential(
        [keras.Input((4,)), first, layers.Dense(1, activation=lambda x: x + ops.log(ops.relu(x + 1)), name="fault", kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(1e-6), "mse")
    return model


def lossy() -> Any:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1, kernel_initializer="zeros")])
    model.compile("sgd", lambda y, p: ops.mean(ops.log(p) + y))
    return model


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:learning_rate=1e")  # the first of NumPy, which is PyTensor's engine
@pytest.mark.parametrize(("fault", "engine"), [(f, e) for f in FAULTS for e in TRAINING if e == QUICK or f in BY_ENGINE], indirect=["engine"])
def test_faults_are_located_at_once(engine: str, fault: str) -> None:
    make, words = FAULTS[fault]
    model = make()
    model.build((None, 4))
    before = model.get_weights()
    with pytest.raises(TrainingError) as caught:
        model.fit(X, Y, batch_size=16, shuffle=False, verbose=0, debug_nans=True)
    assert all(word in str(caught.value) for word in ["Epoch 1", *words]), str(caught.value)
    if "batch 1" in words:
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("engine", [QUICK], indirect=True)
def test_bad_data_of_a_stream(engine: str) -> None:
    def batches() -> Any:
        for i in range(3):
            x = X[:16].copy()
            x[3, 1] = np.nan if i == 2 else 0.5
            yield x, Y[:16]

    with pytest.raises(TrainingError, match=r"Epoch 1, batch 3: the data is not finite: x\[3, 1\] of the batch is nan"):
        between(layers.Dense(4)).fit(batches(), verbose=0, debug_nans=True)


class Own(keras.Model):
    """A model that is never called as a whole, with a step of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(1, name="inner")
        self.inner.build((None, 4))

    def train_step(self, data: Any) -> Any:
        variables = self.inner.trainable_variables
        loss, gradients = keras.value_and_grad(lambda: ops.mean(ops.sqrt(self.inner(data["real"]) * 0)), variables)()
        self.optimizer.apply(gradients, variables)
        return {"own": loss}


@pytest.mark.parametrize("engine", [QUICK, TRAINING[0]], indirect=True)
def test_a_step_of_the_users(engine: str) -> None:
    """Nothing is known of what it does with the data, but which weight was the first."""
    model = Own()
    model.compile("sgd")
    before = model.get_weights()
    with pytest.raises(TrainingError, match="batch 1: the step made 'inner/kernel' not finite"):
        model.fit({"real": np.abs(X)}, verbose=0, debug_nans=True)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))


@pytest.mark.parametrize("engine", [QUICK, TRAINING[0]], indirect=True)
def test_what_is_fine_is_left_as_it_is(engine: str) -> None:
    """Also a scaled loss whose gradients overflow now and then: such steps are left out."""
    models = [between(layers.Dense(4)) for _ in range(2)]
    models[1].set_weights(models[0].get_weights())
    logs = [model.fit(np.abs(X), Y, verbose=0, shuffle=False, debug_nans=debug).history["loss"] for model, debug in zip(models, (False, True), strict=True)]
    np.testing.assert_allclose(*logs, rtol=1e-5)
    scaled = between(layers.Dense(4, dtype="mixed_float16"), keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=2.0**40))
    scaled.fit(np.abs(X), Y, verbose=0, debug_nans=True)


def test_a_callback_is_told_the_cause():
    seen = []
    with keras.backend_scope("jax"):
        model = keras.Sequential([keras.Input((4,)), Fault(name="fault"), layers.Dense(1)])
        model.compile("sgd", "mse")
        report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.position.cause))
        warned(model, callbacks=[report], epochs=2)
    (batch, cause), again = seen
    assert batch == 1 and "'fault'" in cause and again == seen[0]
