"""The trainer, end to end, on every engine that trains."""

from __future__ import annotations

import _thread
import gc
import signal
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from tests.conftest import BACKENDS, TRAINING

ENGINES = TRAINING


@pytest.fixture(params=ENGINES)
def engine(request):
    with keraunos_scope(request.param):
        yield request.param


def keraunos_scope(name):
    return keras.config.backend_scope(name)


def blobs(n=256, classes=3, features=5, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(n, features)) + 2.0 * np.eye(classes, features)[y]
    return x.astype("float32"), y.astype("int32")


def classifier(classes=3, features=5, **options):
    model = keras.Sequential([keras.Input((features,)), layers.Dense(16, activation="relu"), layers.Dense(classes, activation="softmax")])
    model.compile(**{"optimizer": keras.optimizers.Adam(0.01), "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **options})
    return model


def test_fit_learns_and_reports(engine):
    x, y = blobs()
    model = classifier()
    history = model.fit(x, y, epochs=8, batch_size=32, verbose=0, validation_split=0.25).history
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    loss, accuracy = model.evaluate(x, y, verbose=0)
    predicted = model.predict(x, verbose=0)
    assert predicted.shape == (256, 3)
    assert accuracy == pytest.approx((predicted.argmax(-1) == y).mean(), abs=1e-6)
    assert loss == pytest.approx(-np.log(predicted[np.arange(256), y]).mean(), rel=1e-4)


def test_a_tensor_that_weights_begin_with_stays(engine):
    """Training gives up the old values of weights, not the tensor that they were copies of."""
    start = ops.convert_to_tensor(np.eye(3, dtype="float32"))
    model = keras.Sequential([keras.Input((3,)), *(layers.Dense(3, kernel_initializer=lambda shape, dtype=None: start) for _ in range(2))])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.zeros((4, 3)), verbose=0)
    assert (ops.convert_to_numpy(start) == np.eye(3)).all()


def test_engines_start_equal_and_learn_alike():
    x, y = blobs()
    curves, weights, ends = [], [], []
    for name in ENGINES:
        with keraunos_scope(name):
            keras.utils.set_random_seed(7)
            model = classifier()
            weights.append(model.get_weights())
            curves.append(model.fit(x, y, epochs=5, batch_size=32, verbose=0).history["loss"])
            ends.append(model)
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    for curve in curves[1:]:
        np.testing.assert_allclose(curves[0], curve, rtol=1e-3)
    moved = ends[0].to_backend("torch")
    np.testing.assert_allclose(moved.predict(x, verbose=0), ends[0].predict(x, verbose=0), atol=1e-5)
    np.testing.assert_allclose(ends[0].to_backend("numpy").predict(x, verbose=0), ends[0].predict(x, verbose=0), atol=1e-5)


def test_many_steps_in_one_dispatch_give_the_same_numbers():
    x, y = blobs(n=32 * 80)
    ends = []
    for many in (1, 16):
        with keraunos_scope("jax"):
            keras.utils.set_random_seed(3)
            model = classifier(steps_per_execution=many)
            model.fit(x, y, epochs=2, batch_size=32, verbose=0)
            ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_generators_and_unequal_last_batches(engine):
    x, y = blobs(100)

    def batches():
        while True:
            yield x[:40], y[:40]
            yield x[40:], y[40:]

    model = classifier()
    history = model.fit(batches(), steps_per_epoch=2, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3
    assert model.predict(x, batch_size=32, verbose=0).shape == (100, 3)


def test_sample_and_class_weights(engine):
    x, y = blobs(96)
    weights = np.where(y == 0, 0.0, 1.0).astype("float32")
    model, runs = classifier(optimizer="sgd"), []
    start = model.get_weights()
    for options in ({"sample_weight": weights}, {"class_weight": {0: 0.0, 1: 1.0, 2: 1.0}}):
        keras.utils.set_random_seed(1)
        model.set_weights(start)
        runs.append(model.fit(x, y, epochs=2, verbose=0, **options).history["loss"])
    np.testing.assert_allclose(*runs, rtol=1e-5)


def test_two_inputs_two_outputs_by_name(engine):
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    h = layers.Concatenate()([layers.Dense(8, activation="tanh")(a), b])
    model = keras.Model({"a": a, "b": b}, [layers.Dense(1, name="value")(h), layers.Dense(2, activation="softmax", name="kind")(h)])
    model.compile(
        "adam", loss={"value": "mse", "kind": "sparse_categorical_crossentropy"}, loss_weights={"value": 0.5, "kind": 1.0}, metrics={"kind": ["accuracy"]}
    )
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(64, 4)).astype("float32"), "b": rng.normal(size=(64, 3)).astype("float32")}
    y = {"value": rng.normal(size=(64, 1)).astype("float32"), "kind": rng.integers(0, 2, 64)}
    history = model.fit(x, y, epochs=3, verbose=0).history
    assert {"loss", "value_loss", "kind_loss", "kind_accuracy"} == set(history)
    total = 0.5 * np.array(history["value_loss"]) + np.array(history["kind_loss"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-4)


class Generator(keras.Model):
    """A GAN in words that name no engine."""

    def __init__(self, noise=4, features=5, **kwargs):
        super().__init__(**kwargs)
        self.noise = noise
        self.generator = keras.Sequential([keras.Input((noise,)), layers.Dense(16, activation="relu"), layers.Dense(features)])
        self.discriminator = keras.Sequential([keras.Input((features,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
        self.seeds = keras.random.SeedGenerator(0)
        self.d_loss, self.g_loss = keras.metrics.Mean(name="d_loss"), keras.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, **kwargs):
        super().compile(**kwargs)
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self.loss_function = keras.losses.BinaryCrossentropy(from_logits=True)

    def call(self, x):
        return self.discriminator(x)

    def train_step(self, data):
        real = data[0] if isinstance(data, tuple) else data
        n = real.shape[0]
        noise = keras.random.normal((n, self.noise), seed=self.seeds)

        def judge():
            scores = self.discriminator(ops.concatenate([real, self.generator(noise)]))
            return self.loss_function(ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))]), scores)

        def fool():
            return self.loss_function(ops.ones((n, 1)), self.discriminator(self.generator(noise)))

        for loss, part, optimizer, metric in (
            (judge, self.discriminator, self.d_optimizer, self.d_loss),
            (fool, self.generator, self.g_optimizer, self.g_loss),
        ):
            value, gradients = keras.value_and_grad(loss, part.trainable_variables)()
            optimizer.apply(gradients, part.trainable_variables)
            metric.update_state(value)
        return {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}


def test_gan_with_two_optimizers(engine):
    x, _ = blobs(128)
    gan = Generator()
    gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    before = [w.copy() for w in gan.get_weights()]
    history = gan.fit(x, epochs=3, batch_size=32, verbose=0).history
    assert set(history) == {"d_loss", "g_loss"} and np.isfinite(history["g_loss"]).all()
    assert all(not np.array_equal(a, b) for a, b in zip(before, gan.get_weights(), strict=True))


@pytest.mark.parametrize("given", ["array", "dict", "list", "stream", "stream of tuples"])
def test_what_a_step_is_given_of_inputs_alone(given):
    """As in Keras: inputs without targets are the batch; a list of inputs, and what a stream puts into a tuple, stay in one."""
    x, seen = np.zeros((4, 3), "float32"), []

    class Net(keras.Model):
        def train_step(self, data):
            seen.append(tuple(data) if isinstance(data, (tuple, dict)) else data.shape)
            return {}

    data = {"array": x, "dict": {"a": x}, "list": [x, x], "stream": iter([x]), "stream of tuples": iter([(x,)])}[given]
    model = Net()
    model.compile()
    model.fit(data, **({} if "stream" in given else {"batch_size": 4}), verbose=0)
    if given in ("array", "stream"):
        assert seen[0] == (4, 3)
    elif given == "dict":
        assert seen[0] == ("a",)
    else:
        assert [len(part) for part in seen[0]] == [2 if given == "list" else 4]


def test_gradient_by_an_argument_inside_a_gradient(engine):
    """As a penalty of gradients takes it: by the inputs, then by the weights; for x²w the gradients are 2xw and, of its mean square, 8wx²/n."""
    x, w = np.array([1.0, 2.0, 3.0], "float32"), keras.Variable(2.0)

    def penalty():
        total, gradient = keras.value_and_grad(lambda given, scale: ops.sum(scale * ops.square(given["x"]) * w))({"x": x}, 1.0)
        assert list(gradient) == ["x"]
        return ops.mean(ops.square(gradient["x"])), ops.stop_gradient(total)

    (value, total), (gradient,) = keras.value_and_grad(penalty, [w], has_aux=True)()
    assert float(total) == 28 and float(value) == pytest.approx(16 * 14 / 3)
    assert float(gradient) == pytest.approx(8 * 2 * 14 / 3)


def test_custom_layer_and_subclassed_model(engine):
    class Scaled(layers.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="w")
            self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")

        def call(self, x, training=False):
            if training:
                self.steps.assign(self.steps + 1.0)
            return ops.matmul(x, self.w)

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.parts = [Scaled(8), layers.Dropout(0.1), layers.BatchNormalization()]
            self.head = {"out": layers.Dense(3, activation="softmax")}

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return self.head["out"](x)

    x, y = blobs(128)
    keras.utils.set_random_seed(0)
    model = Net()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=4, batch_size=32, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert float(ops.convert_to_numpy(model.parts[0].steps)) == 16
    assert Scaled(4).get_config()["units"] == 4


def test_early_stopping_restores_the_best_weights(engine):
    x, y = blobs(64)
    model = classifier(optimizer=keras.optimizers.SGD(5.0))
    stop = keras.callbacks.EarlyStopping("loss", patience=1, restore_best_weights=True)
    history = model.fit(x, y, epochs=30, verbose=0, callbacks=[stop])
    assert len(history.history["loss"]) < 30


def test_batch_callbacks_see_every_batch(engine):
    x, y = blobs(96)
    seen = []
    classifier().fit(
        x,
        y,
        epochs=1,
        batch_size=32,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))],
    )
    assert [b for b, _ in seen] == [0, 1, 2] and all(np.isfinite(loss) for _, loss in seen)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_dtype_policies(engine, policy):
    keras.config.set_dtype_policy(policy)
    try:
        x, y = blobs(64)
        model = classifier()
        history = model.fit(x, y, epochs=3, verbose=0).history
        assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
        assert model.weights[0].dtype == ("float64" if policy == "float64" else "float32")
    finally:
        keras.config.set_dtype_policy("float32")


def test_regularizers_and_added_losses_count(engine):
    class Penalty(layers.Layer):
        def call(self, x):
            self.add_loss(ops.mean(ops.square(x)))
            return x

    x, y = blobs(32)
    model = keras.Sequential([keras.Input((5,)), Penalty(), layers.Dense(3, activation="softmax", kernel_regularizer="l2")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    plain = keras.losses.SparseCategoricalCrossentropy()(y, model.predict(x, verbose=0))
    kernel = model.get_weights()[0]
    expected = float(ops.convert_to_numpy(plain)) + (x**2).mean() + 0.01 * (kernel**2).sum()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-4)


def test_numpy_predicts_and_says_that_it_cannot_train():
    with keraunos_scope("numpy"):
        x, y = blobs(16)
        model = classifier()
        assert model.predict(x, verbose=0).shape == (16, 3)
        with pytest.raises(NotImplementedError, match="no gradients"):
            model.fit(x, y, verbose=0)


def test_a_loop_compiled_by_hand_starts_from_the_variables_themselves():
    """As in Keras's guide of custom loops on JAX: `jax.jit` and `jax.grad` take lists of variables, and give back values."""
    import jax

    x, y = blobs(96)
    with keraunos_scope("jax"):
        model = keras.Sequential([keras.Input((5,)), layers.Dense(16, activation="relu"), layers.Dropout(0.1), layers.Dense(3)])
        optimizer = keras.optimizers.Adam(0.02)
        optimizer.build(model.trainable_variables)
        metric = keras.metrics.SparseCategoricalAccuracy()
        loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

        def loss_and_updates(trainable, others):
            y_pred, others = model.stateless_call(trainable, others, x, training=True)
            return loss_of(y, y_pred), (y_pred, others)

        @jax.jit
        def step(state):
            trainable, others, slots, counts = state
            (loss, (y_pred, others)), grads = jax.value_and_grad(loss_and_updates, has_aux=True)(trainable, others)
            trainable, slots = optimizer.stateless_apply(slots, grads, trainable)
            return loss, (trainable, others, slots, metric.stateless_update_state(counts, y, y_pred))

        state = model.trainable_variables, model.non_trainable_variables, optimizer.variables, metric.variables
        losses = []
        for _ in range(30):
            loss, state = step(state)
            losses.append(float(loss))
        assert losses[-1] < 0.5 * losses[0] and 0.5 < float(metric.stateless_result(state[3])) <= 1
        assert int(state[2][0]) == 30 and int(optimizer.iterations) == 0
        kernel = model.trainable_variables[0]
        gradients = jax.grad(lambda values: ops.sum(values[0] * values[0]))([kernel])
        np.testing.assert_allclose(gradients[0], 2 * kernel.numpy(), rtol=1e-6)


def test_a_step_with_its_state_as_on_jax():
    """The form that Keras's guides use on JAX: `train_step(self, state, data)`."""
    import jax

    class Net(keras.Model):
        def loss_and_updates(self, trainable, others, x, y):
            y_pred, others = self.stateless_call(trainable, others, x, training=True)
            return self.compute_loss(x, y, y_pred), (y_pred, others)

        def train_step(self, state, data):
            trainable, others, optimizer, metrics = state
            x, y = data
            (loss, (y_pred, others)), grads = jax.value_and_grad(self.loss_and_updates, has_aux=True)(trainable, others, x, y)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, grads, trainable)
            logs, new = {}, []
            for metric in self.metrics:
                own = metrics[len(new) : len(new) + len(metric.variables)]
                own = metric.stateless_update_state(own, loss) if metric.name == "loss" else metric.stateless_update_state(own, y, y_pred)
                logs[metric.name] = metric.stateless_result(own)
                new += own
            return logs, (trainable, others, optimizer, new)

    class Plain(keras.Model):
        pass

    x, y = blobs(96)
    with keraunos_scope("jax"):
        curves = []
        for cls in (Net, Plain):
            keras.utils.set_random_seed(5)
            entry = keras.Input((5,))
            model = cls(entry, layers.Dense(3, activation="softmax")(layers.BatchNormalization()(entry)))
            model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
            curves.append(model.fit(x, y, epochs=3, batch_size=32, verbose=0).history)
    assert curves[0].keys() == curves[1].keys() == {"loss", "accuracy"}
    np.testing.assert_allclose(curves[0]["accuracy"], curves[1]["accuracy"], rtol=1e-6)
    np.testing.assert_allclose(curves[0]["loss"], curves[1]["loss"], rtol=1e-4)


def test_gradients_of_gradients(engine):
    """What a gradient penalty needs: the inner gradient depends on the variables, and so does the outer one."""
    w = keras.Variable(3.0)

    def penalty():
        _, (inner,) = keras.value_and_grad(lambda: w * w * w, [w])()
        return inner * inner  # (3 w²)² = 9 w⁴

    value, (gradient,) = keras.value_and_grad(penalty, [w])()
    assert float(value) == pytest.approx(9 * 3.0**4)
    assert float(gradient) == pytest.approx(36 * 3.0**3)


def test_a_variable_that_the_loss_does_not_use_has_gradient_zero(engine):
    used, unused = keras.Variable([1.0, 2.0]), keras.Variable([3.0])
    _, gradients = keras.value_and_grad(lambda: ops.sum(used * used), [used, unused])()
    assert [ops.convert_to_numpy(g).tolist() for g in gradients] == [[2.0, 4.0], [0.0]]


def test_gradients_by_a_variable_that_is_named_twice(engine):
    w, b = keras.Variable(3.0), keras.Variable(5.0)
    value, gradients = keras.value_and_grad(lambda: w * w * b, [w, b, w])()
    assert float(value) == 45.0 and [float(g) for g in gradients] == [30.0, 9.0, 30.0]


def test_a_loss_that_is_no_number_is_refused(engine):
    w = keras.Variable([1.0, 2.0])
    with pytest.raises((TypeError, RuntimeError), match="scalar"):
        keras.value_and_grad(lambda: w * w, [w])()


def linear(**options):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, name="first"), layers.Dense(1, name="last")])
    model.compile(**{"optimizer": keras.optimizers.SGD(0.05), "loss": "mse", **options})
    return model


NUMBERS = np.random.default_rng(0).normal(size=(96, 3)).astype("float32")  # whole batches: another size is another program
SUMS = NUMBERS.sum(-1, keepdims=True)


def moved(model, **options):
    """Which layers' kernels an epoch changes."""
    before = [layer.kernel.numpy() for layer in model.layers]
    model.fit(NUMBERS, SUMS, verbose=0, **options)
    return [not np.array_equal(layer.kernel.numpy(), old) for layer, old in zip(model.layers, before, strict=True)]


def test_what_is_trained_may_change_between_runs(engine):
    model = linear()
    assert moved(model) == [True, True]
    model.layers[0].trainable = False
    assert moved(model) == [False, True]
    model.layers[0].trainable = True
    assert moved(model) == [True, True]
    model.optimizer.learning_rate = keras.optimizers.schedules.ExponentialDecay(0.0, 10, 1.0)
    assert moved(model) == [False, False]
    model.optimizer = keras.optimizers.SGD(0.1)
    assert moved(model) == [True, True]


def test_gradients_by_variables_that_are_not_trained(engine):
    w, u = keras.Variable(3.0, trainable=False), keras.Variable(2.0)
    assert [float(g) for g in keras.value_and_grad(lambda: w * w * u, [w, u])()[1]] == [12.0, 9.0]


def test_stopped_training_does_not_stop_evaluation_and_validation_calls_back(engine):
    seen = []

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

        def on_test_begin(self, logs=None):
            seen.append("begin")

        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)

        def on_predict_batch_end(self, batch, logs=None):
            seen.append(batch)

        def on_test_end(self, logs=None):
            seen.append("end")

    model, one_pass = linear(), ["begin", 0, 1, 2, "end"]
    model.fit(NUMBERS, SUMS, epochs=3, validation_data=(NUMBERS.copy(), SUMS), callbacks=Stop(), verbose=0)
    assert seen == one_pass
    model.evaluate(NUMBERS, SUMS, callbacks=Stop(), verbose=0)
    assert seen == one_pass * 2
    assert model.predict(NUMBERS, callbacks=Stop(), verbose=0).shape == (96, 1)


def test_single_batches_report_themselves_alone(engine):
    model = linear(metrics=["mae", keras.metrics.MeanSquaredLogarithmicError(name="before_loss_by_name")])
    model.fit(NUMBERS, SUMS, verbose=0)
    for part in (slice(0, 10), slice(10, 20)):
        expected = model.evaluate(NUMBERS[part], SUMS[part], verbose=0)
        assert model.test_on_batch(NUMBERS[part], SUMS[part]) == pytest.approx(expected, rel=1e-4)
        assert model.train_on_batch(NUMBERS[part], SUMS[part]) == pytest.approx(expected, rel=1e-4)


def test_arrays_are_not_shared_with_the_user(engine):
    model = keras.Sequential([keras.Input((3,)), layers.Flatten()])
    x = np.ones((2, 3), "float32")
    model.predict(x, verbose=0)[:] = 5.0
    model.predict(x, verbose=0)[:] = 5.0  # by the short way
    assert x.max() == 1.0
    given = np.ones(3, "float32")
    kept, weight = keras.Variable(np.zeros(3, "float32"), trainable=False), keras.Variable(np.zeros(3, "float32"))
    kept.assign(given)
    given[:] = 7.0
    before = ops.convert_to_numpy(weight)
    weight.assign(given)
    assert kept.numpy().tolist() == [1.0] * 3 and before.tolist() == [0.0] * 3


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage is collected: Python drops a Ctrl-C that comes in a function which the collector calls, such as JAX's."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_an_interrupt_keeps_the_state():
    """Ctrl-C during a compiled step, which gives the old state up, is raised when the new one is in its place."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("a shell's job in the background is not interrupted")  # and would train for hours
    with keraunos_scope("jax"):
        model = keras.Sequential([keras.Input((256,)), layers.Dense(1024), layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.ones((4000, 256), "float32")
        model.fit(x[:256], x[:256, :1], batch_size=256, verbose=0)
        for _ in range(5):
            raised = threading.Event()

            def press(raised=raised):
                wait = 0.2
                while not raised.wait(wait):
                    _thread.interrupt_main()
                    wait = 10

            threading.Thread(target=press, daemon=True).start()
            with pytest.raises(KeyboardInterrupt):
                model.fit(x, x[:, :1], batch_size=256, epochs=10_000, verbose=0)
            raised.set()
            assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.usefixtures("uncollected")
def test_interrupts_between_short_steps_lose_nothing():
    """Many, of which one in fifteen would fall between a step's end and the last weight that it leaves, were these not one."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("a shell's job in the background is not interrupted")
    with keraunos_scope("jax"):
        model = keras.Sequential([keras.Input((8,)), *[layers.Dense(8) for _ in range(20)], layers.Dense(1)])
        model.compile("adam", "mse")
        x = np.ones((64, 8), "float32")
        model.train_on_batch(x, x[:, :1])
        for wait in np.linspace(0.003, 0.006, 60):
            raised = threading.Event()

            def press(raised=raised, wait=wait):
                while not raised.wait(wait):
                    _thread.interrupt_main()
                    wait = 10

            with pytest.raises(KeyboardInterrupt):
                threading.Thread(target=press, daemon=True).start()
                while True:
                    model.train_on_batch(x, x[:, :1])
            raised.set()
            assert np.isfinite([float(np.sum(v.numpy())) for v in (*model.weights, *model.optimizer.variables)]).all()


def test_an_output_without_a_loss_has_none_in_the_logs(engine):
    x = keras.Input((3,))
    model = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", ["mse", None])
    assert set(model.fit(NUMBERS, [SUMS, SUMS], verbose=0).history) == {"loss"}


def test_a_model_is_compiled_on_its_own_engine():
    with keraunos_scope("torch"):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with keraunos_scope("jax"):
        model.compile("adam", "mse", metrics=["mae"])
        assert np.isfinite(model.fit(NUMBERS, SUMS, verbose=0).history["mae"][0])


def test_validation_data_without_targets_is_refused(engine):
    x, y = blobs(32)
    with pytest.raises(ValueError, match="y is None"):
        classifier().fit(x, y, validation_data=x, verbose=0)


def test_logs_are_those_of_the_metrics_that_a_model_names(engine):
    class Own(keras.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.tracker = keras.metrics.Mean(name="own")

        @property
        def metrics(self):
            return [self.tracker]

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            loss = ops.mean(ops.square(y - y_pred))
            self.tracker.update_state(loss)
            return loss

    entry = keras.Input((5,))
    model = Own(entry, layers.Dense(1)(entry))
    model.compile("sgd")
    x, y = blobs(64)
    assert set(model.fit(x, y[:, None].astype("float32"), epochs=2, verbose=0).history) == {"own"}


def test_a_model_without_weights_may_be_fitted(engine):
    entry = keras.Input((5,))
    model = keras.Model(entry, layers.Rescaling(2.0)(entry))
    model.compile("sgd", "mse")
    x, _ = blobs(32)
    assert model.fit(x, 2.0 * x, verbose=0).history["loss"] == [0.0]


def test_threads_predict_while_another_trains():
    import threading

    x, y = blobs(256)
    with keraunos_scope("jax"):
        model = classifier()
        model.fit(x, y, verbose=0)
    failed, over = [], threading.Event()

    def serve():
        try:
            while not over.is_set():
                model.predict(x[:8], verbose=0)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=serve) for _ in range(2)]
    for thread in threads:
        thread.start()
    model.fit(x, y, epochs=60, verbose=0)
    over.set()
    for thread in threads:
        thread.join()
    assert not failed


def test_runs_that_overlap_in_threads_leave_nothing_behind():
    """The second run begins within the first, and ends after it."""
    model = linear()
    inside, begun, over = threading.Event(), threading.Event(), threading.Event()

    def first():
        yield NUMBERS[:4]
        inside.set()
        begun.wait(20)
        yield NUMBERS[:4]

    def second():
        yield NUMBERS[:4]
        begun.set()
        over.wait(20)
        yield NUMBERS[:4]

    def serve():
        model.predict(first(), verbose=0)
        over.set()

    expected = model.evaluate(NUMBERS, SUMS, verbose=0)
    thread = threading.Thread(target=serve)
    thread.start()
    inside.wait(20)
    model.predict(second(), verbose=0)
    thread.join()
    assert model.evaluate(NUMBERS, SUMS, verbose=0) == pytest.approx(expected)


def test_callbacks_may_evaluate_within_an_epoch():
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((logs["loss"], float(self.model.get_metrics_result()["loss"]), self.model.evaluate(NUMBERS, SUMS, verbose=0)))

    model = linear()
    model.fit(NUMBERS, SUMS, batch_size=48, verbose=0, callbacks=[Look()])
    assert len(seen) == 2 and all(told == pytest.approx(read) for told, read, _ in seen)
    assert seen[-1][-1] == pytest.approx(model.evaluate(NUMBERS, SUMS, verbose=0))


# ---- what compile and fit take ----
def two_outputs(form=None, **options):
    entry = keras.Input((3,))
    a, b = layers.Dense(1, name="a")(entry), layers.Dense(2, name="b", activation="softmax")(entry)
    model = keras.Model(entry, form(a, b) if form else [a, b])
    model.compile("sgd", **options)
    return model


KINDS = (SUMS[:, 0] > 0).astype("int32")
BOTH = {"b": "sparse_categorical_crossentropy", "a": "mse"}
DICT, NESTED = lambda a, b: {"a": a, "b": b}, lambda a, b: {"q": [b], "p": [a]}


@pytest.mark.parametrize(("form", "options", "y", "expected"), [
    (None, {"loss": BOTH, "metrics": {"b": ["accuracy"], "a": ["mae", "mae"]}, "weighted_metrics": {"b": ["accuracy"], "a": ["mse"]}}, [SUMS, KINDS],
     ["loss", "a_loss", "b_loss", "a_mae", "a_mae_1", "a_mse", "b_accuracy", "b_weighted_accuracy"]),
    (DICT, {"loss": BOTH, "metrics": {"b": ["accuracy"], "a": ["mae"]}}, {"a": SUMS, "b": KINDS}, ["loss", "b_loss", "a_loss", "a_mae", "b_accuracy"]),
    (DICT, {"loss": {"a": "mse", "b": None}}, {"a": SUMS}, ["loss"]),
    (NESTED, {"loss": {"q": [BOTH["b"]], "p": ["mse"]}, "metrics": {"p": [["mae"]], "q": [[]]}}, {"p": [SUMS], "q": [KINDS]},
     ["loss", "p/a_loss", "q/b_loss", "p/a_mae"]),
    (NESTED, {"loss": {"q/b": BOTH["b"], "p/a": "mse"}}, {"p": [SUMS], "q": [KINDS]}, ["loss", "q/b_loss", "p/a_loss"]),
    (None, {"metrics": {"a": ["mae"]}}, [SUMS, KINDS], ["loss", "a_mae"]),
])  # fmt: skip
def test_the_order_of_logs_is_that_of_keras(form, options, y, expected):
    with keraunos_scope("numpy"):
        model = two_outputs(form, **options)
        logs = model.evaluate(NUMBERS, y, verbose=0, return_dict=True)
        assert list(logs) == model.metrics_names == expected
        values = model.evaluate(NUMBERS, y, verbose=0)
        assert values == list(logs.values()) if len(expected) > 1 else values == logs["loss"]


@pytest.mark.parametrize(("options", "data", "message"), [
    ({"loss": {"a": "mse", "c": "mse"}}, {}, "names the output 'c'"),
    ({"loss": {"a": "mse"}}, {}, "does not name the output 'b'"),
    ({"loss_weights": {"a": 1.0}}, {}, "loss_weights does not name the output 'b'"),
    ({"loss_weights": [1.0]}, {}, "1 loss_weights for 2 outputs"),
    ({"metrics": {"c": ["mae"]}}, {}, "metrics names the output 'c'"),
    ({"metrics": ["mae"]}, {}, "name the output"),
    ({}, {"y": {"a": SUMS, "c": KINDS}}, "the key 'c'"),
    ({}, {"y": {"a": SUMS, "b": KINDS, "c": KINDS}}, "the key 'c'"),
    ({}, {"y": {"a": SUMS}}, "no targets for the output 'b'"),
    ({}, {"y": [SUMS, KINDS]}, "would be a guess"),
    ({}, {"sample_weight": {"a": np.ones(96)}}, "sample_weight does not name the output 'b'"),
    ({}, {"sample_weight": {"a": np.ones(96), "c": np.ones(96)}}, "names the output 'c'"),
])  # fmt: skip
def test_names_that_do_not_fit_the_outputs_are_errors(options, data, message):
    with keraunos_scope("numpy"):
        model = two_outputs(DICT, **{"loss": BOTH, **options})
        with pytest.raises(ValueError, match=message):
            model.evaluate(**{"x": NUMBERS, "y": {"a": SUMS, "b": KINDS}, "verbose": 0, **data})


@pytest.mark.parametrize(("options", "message"), [
    ({"steps_per_execution": 0}, "steps_per_execution"), ({"steps_per_execution": 2.5}, "steps_per_execution"), ({"jit_compile": "yes"}, "jit_compile"),
    ({"jit_compile": True, "run_eagerly": True}, "not both"), ({"jit_compile": True}, "compiles nothing"),
    ({"optimizer": "other"}, "made on the torch backend"), ({"metrics": ["other"]}, "made on the torch backend"),
])  # fmt: skip
def test_compile_refuses_what_cannot_be_meant(options, message):
    with keraunos_scope("torch"):
        other = {"optimizer": keras.optimizers.Adam(), "metrics": [keras.metrics.MeanAbsoluteError()]}
    with keraunos_scope("numpy"), pytest.raises((ValueError, RuntimeError, NotImplementedError), match=message):
        linear(**{name: other[name] if "other" in (value if isinstance(value, list) else [value]) else value for name, value in options.items()})


@pytest.mark.parametrize(("options", "message"), [
    ({"epochs": "3"}, "epochs"), ({"epochs": 2.5}, "epochs"), ({"initial_epoch": -1}, "initial_epoch"), ({"validation_freq": 0}, "validation_freq"),
    ({"class_weight": {0: 1.0}}, "one output"), ({"validation_data": (NUMBERS.copy(), {"a": SUMS, "c": KINDS})}, "the key 'c'"),
])  # fmt: skip
def test_fit_refuses_before_anything_is_trained(options, message):
    with keraunos_scope("torch"):
        model = two_outputs(DICT, loss=BOTH)
        before = model.get_weights()
        with pytest.raises(ValueError, match=message):
            model.fit(NUMBERS, {"a": SUMS, "b": KINDS}, verbose=0, **options)
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("engine", [TRAINING[0], "torch"], indirect=True)
def test_a_loss_for_each_sample_is_refused_in_training(engine):
    model = linear(loss=keras.losses.MeanSquaredError(reduction="none"))
    with pytest.raises(ValueError, match=r"(?s)not one number.*Received: \(32,\)"):
        model.fit(NUMBERS, SUMS, verbose=0)
    assert model.evaluate(NUMBERS, SUMS, verbose=0) > 0


def test_classes_stand_for_what_they_make():
    model = linear(optimizer=keras.optimizers.SGD, loss=keras.losses.MeanSquaredError, metrics=[keras.metrics.MeanAbsoluteError])
    assert set(model.fit(NUMBERS, SUMS, verbose=0).history) == {"loss", "mean_absolute_error"}


@pytest.mark.parametrize(("given", "message"), [([[1.0, 2.0, 3.0]], "np.asarray"), (3.0, "a float"), (None, "x is None"), (NUMBERS[:0], "0 samples")])
def test_single_batches_are_refused_as_others_are(given, message):
    model = linear()
    for predict in (model.predict, model.predict_on_batch):
        with pytest.raises(ValueError, match=message):
            predict(given)


@pytest.mark.parametrize(("method", "given", "message"), [
    ("fit", {}, r"(?s)y is None.*Where: fit.*Fix: fit\(x, y\)"), ("evaluate", {}, r"(?s)y is None.*Where: evaluate"),
    ("train_on_batch", {}, r"(?s)y is None.*Where: train_on_batch"), ("test_on_batch", {}, r"(?s)y is None.*Where: test_on_batch"),
    ("fit", {"y": SUMS, "validation_data": (NUMBERS,)}, r"(?s)y is None.*Where: validation_data"),
    ("train_on_batch", {"class_weight": {0: 1.0}}, "class_weight goes by the targets"),
    ("fit", {"x": iter([(NUMBERS, KINDS)]), "class_weight": {0: 1.0}}, "no weight for"),
])  # fmt: skip
def test_targets_that_lack_are_told_where(method, given, message):
    with keraunos_scope("torch"):
        model = linear()
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(**{"x": NUMBERS, **given})


def test_when_and_on_what_fit_validates():
    with keraunos_scope("torch"):
        model, seen = linear(), []
        count = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append(batch))
        given = {"validation_data": (NUMBERS.copy(), SUMS), "callbacks": [count], "verbose": 0}
        for options, expected in (
            ({"epochs": 5.0, "validation_freq": 2}, 2),
            ({"epochs": 3, "validation_freq": [1, 3]}, 2),
            ({"initial_epoch": 2, "epochs": 3}, 1),
        ):
            history = model.fit(NUMBERS, SUMS, batch_size=48, **given, **options)
            assert (len(history.history["val_loss"]), len(seen)) == (expected, 2 * expected)  # batches as large as in training
            seen.clear()
        model.fit(NUMBERS, SUMS, validation_batch_size=10, validation_steps=3, **given)
        assert seen == [0, 1, 2] and history.epoch == [2]


def test_class_weights_are_sample_weights_by_class():
    with keraunos_scope("torch"):
        weights, labels = {0: 1.0, 1: 2.0, 2: 4.0}, np.random.default_rng(0).integers(0, 3, (6, 4, 3))
        by_label = np.array([1.0, 2.0, 4.0])[labels]
        x = np.random.default_rng(1).normal(size=(6, 4, 3, 2)).astype("float32")
        for y, loss in (
            (labels, "sparse_categorical_crossentropy"),
            (labels[..., None], "sparse_categorical_crossentropy"),
            (np.eye(3)[labels], "categorical_crossentropy"),
        ):
            model = keras.Sequential([keras.Input((4, 3, 2)), layers.Dense(3, activation="softmax")])
            model.compile(keras.optimizers.SGD(0.0), loss)
            expected = model.evaluate(x, y, sample_weight=by_label, verbose=0)
            assert model.fit(x, y, class_weight=weights, verbose=0).history["loss"] == pytest.approx([expected], rel=1e-5)
            assert model.train_on_batch(x, y, class_weight=weights) == pytest.approx(expected, rel=1e-5)
            stream = ((x, y) for _ in range(1))
            assert model.fit(stream, class_weight=weights, verbose=0).history["loss"] == pytest.approx([expected], rel=1e-5)
        model = linear(optimizer=keras.optimizers.SGD(0.0))
        both = model.fit(NUMBERS, KINDS[:, None], class_weight={0: 1.0, 1: 3.0}, sample_weight=np.arange(96.0)[:, None], verbose=0).history["loss"]
        product = model.evaluate(NUMBERS, KINDS[:, None], sample_weight=np.arange(96.0) * (1.0 + 2.0 * KINDS), verbose=0)
        assert both == pytest.approx([product], rel=1e-5)


# ---- steps ----
def test_callbacks_see_groups_of_steps(engine):
    def run(together):
        keras.utils.set_random_seed(2)
        model, seen = linear(steps_per_execution=together), []
        marks = keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda batch, logs: seen.append(("begin", batch)), on_train_batch_end=lambda batch, logs: seen.append(("end", batch)),
            on_test_batch_end=lambda batch, logs: seen.append(("test", batch)),
            on_predict_batch_end=lambda batch, logs: seen.append(tuple(logs["outputs"].shape)),
        )  # fmt: skip
        options = {"verbose": 0, "callbacks": [marks]}
        losses = model.fit(NUMBERS[:74], SUMS[:74], batch_size=16, **options).history["loss"]
        losses += model.fit(((NUMBERS[i : i + 16], SUMS[i : i + 16]) for i in (0, 16, 32, 48)), **options).history["loss"]
        losses.append(model.evaluate(NUMBERS[:74], SUMS[:74], batch_size=16, **options))
        return losses, model.predict(NUMBERS[:74], batch_size=16, **options), seen

    runs = [run(1), run(3)]
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=1e-5)
    np.testing.assert_allclose(runs[0][1], runs[1][1], rtol=1e-5, atol=1e-6)
    assert [x for x in runs[0][2] if x[0] == "begin"] == [("begin", i) for i in (*range(5), *range(4))]
    assert runs[1][2] == [
        ("begin", 0), ("end", 2), ("begin", 3), ("end", 4), ("begin", 0), ("end", 2), ("begin", 3), ("end", 3), ("test", 2), ("test", 4), (48, 1), (26, 1),
    ]  # fmt: skip


class Counted(keras.Model):
    """Counts the runs of `call` in Python: traces where steps are compiled."""

    def __init__(self):
        super().__init__()
        self.dense, self.runs = layers.Dense(1), 0

    def call(self, x):
        self.runs += 1
        return self.dense(x)


def test_a_group_of_steps_is_traced_once_and_settings_are_obeyed():
    with keraunos_scope("jax"):
        model = Counted()
        model.compile("sgd", "mse", steps_per_execution=8)
        look = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
        x, y = NUMBERS[:96], SUMS[:96]
        model.fit(x, y, batch_size=4, verbose=0, callbacks=[look])
        first = model.runs
        assert first < 8  # not once for each step of a group
        model.fit(x, y, batch_size=4, epochs=3, verbose=0, callbacks=[look])
        assert model.runs == first
        for name, value in (("run_eagerly", True), ("run_eagerly", False), ("jit_compile", False)):
            before = model.runs
            setattr(model, name, value)
            model.fit(x, y, batch_size=4, verbose=0)
            assert (model.runs - before >= 24) == (value is not False or name == "jit_compile")


def test_masks_reach_losses_and_metrics(engine):
    x = np.array([[1, 2, 0, 0], [1, 2, 3, 0]])
    y = np.array([[3.0, 5.0, 90.0, 90.0], [2.0, 2.0, 2.0, 90.0]], "float32")[..., None]
    model = keras.Sequential([keras.Input((4,)), layers.Embedding(4, 1, mask_zero=True, embeddings_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=["mae"])
    squares, absolutes = (4 + 16 + 3) / 5, (2 + 4 + 3) / 5  # of the five that are not masked
    expected = pytest.approx([squares, absolutes], rel=1e-5)
    history = model.fit(x, y, verbose=0).history
    assert [history["loss"][0], history["mae"][0]] == expected
    assert model.evaluate(x, y, verbose=0) == expected


def test_step_functions_may_be_wrapped(engine):
    class Noted(keras.Model):
        def make_train_function(self, force=False):
            return self.noted("train", super().make_train_function(force))

        def make_predict_function(self, force=False):
            return self.noted("predict", super().make_predict_function(force))

        def noted(self, kind, function):
            def run(batch):
                found.append((kind, len(batch)))
                return function(batch)

            return run

    found = []
    entry = keras.Input((3,))
    model = Noted(entry, layers.Dense(1)(entry))
    model.compile("sgd", "mse", metrics=["mae"])
    assert set(model.fit(NUMBERS[:64], SUMS[:64], verbose=0).history) == {"loss", "mae"}
    for _ in range(2):
        assert model.predict(NUMBERS[:8], verbose=0).shape == (8, 1)
    assert found == [("train", 2)] * 2 + [("predict", 8)] * 2  # a batch of inputs alone is the inputs


def test_the_loss_as_a_pure_function():
    import jax

    with keraunos_scope("jax"):
        model = linear(metrics=["mae"])
        expected = model.evaluate(NUMBERS, SUMS, batch_size=96, verbose=0)[0]
        groups = [[v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables, model.metrics_variables)]
        loss, new = model.stateless_compute_loss(*groups, x=NUMBERS, y=SUMS, y_pred=model(NUMBERS), training=False)
        assert float(loss) == pytest.approx(expected, rel=1e-6) and [len(group) for group in new] == [len(group) for group in groups]
        differentiate = jax.value_and_grad(model.compute_loss_and_updates, has_aux=True)
        (loss, (unscaled, y_pred, others, metrics)), gradients = differentiate(*groups, NUMBERS, SUMS, None, training=True)
        assert float(loss) == float(unscaled) == pytest.approx(expected, rel=1e-6)
        assert y_pred.shape == (96, 1) and (len(others), len(metrics)) == (len(groups[1]), len(groups[2]))
        np.testing.assert_allclose(gradients[-1], [2 * float(ops.mean(model(NUMBERS) - SUMS))], rtol=1e-4)


@pytest.mark.parametrize("name", BACKENDS)
def test_eight_threads_predict_at_once(name):
    with keraunos_scope(name):
        model = linear()
        expected = model.predict(NUMBERS[:32], verbose=0)
    started, found = threading.Barrier(8), []

    def serve():
        started.wait()
        found.extend(model.predict(NUMBERS[:size], verbose=0) for size in (32, 20, 32))

    threads = [threading.Thread(target=serve) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 24
    for got in found:
        np.testing.assert_allclose(got, expected[: len(got)], rtol=1e-5, atol=1e-6)


def hand_made(options, decayed, steps):
    """SGD on a linear model in NumPy, with the options of optimizers one after the other."""
    w, b = np.full((3, 1), 0.5), np.zeros(1)
    means, kept = [w.copy(), b.copy()], [np.zeros((3, 1)), np.zeros(1)]
    for step in range(steps):
        x, y = NUMBERS[4 * step : 4 * step + 4], SUMS[4 * step : 4 * step + 4]
        error = 2 * (x @ w + b - y) / len(x)
        kept = [k + g for k, g in zip(kept, (x.T @ error, error.sum(0)), strict=True)]
        every = options.get("gradient_accumulation_steps", 1)
        if (step + 1) % every == 0:
            gradients, kept = [k / every for k in kept], [np.zeros((3, 1)), np.zeros(1)]
            if limit := options.get("clipnorm"):
                gradients = [g * min(1.0, limit / np.linalg.norm(g)) for g in gradients]
            if limit := options.get("global_clipnorm"):
                norm = np.sqrt(sum((g**2).sum() for g in gradients))
                gradients = [g * min(1.0, limit / norm) for g in gradients]
            w, b = (v * (1 - 0.1 * options.get("weight_decay", 0.0) * d) - 0.1 * g for v, g, d in zip((w, b), gradients, decayed, strict=True))
        means = [v if step < every else 0.5 * m + 0.5 * v for m, v in zip(means, (w, b), strict=True)]  # begins with the first update
    return means if options.get("use_ema") else [w, b]


@pytest.mark.parametrize(("options", "scaled"), [
    ({"clipnorm": 0.5, "gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5}, False),
    ({"global_clipnorm": 0.7, "weight_decay": 0.2}, True),
])  # fmt: skip
def test_options_of_optimizers_in_fit_as_by_hand(engine, options, scaled):
    optimizer = keras.optimizers.SGD(0.1, **options)
    if "weight_decay" in options:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    with keras.RematScope():
        dense = layers.Dense(1, kernel_initializer=keras.initializers.Constant(0.5))
    model = keras.Sequential([keras.Input((3,)), dense])
    model.compile(keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0) if scaled else optimizer, "mse")
    model.fit(NUMBERS[:16], SUMS[:16], batch_size=4, shuffle=False, verbose=0)
    for got, expected in zip(model.get_weights(), hand_made(options, (1, 0), 4), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_a_prediction_of_few_rows_is_compiled_once():
    traced = []

    class Counted(layers.Layer):
        def call(self, x):
            traced.append(x)
            return x + 1

    with keras.config.backend_scope("jax"):
        model = keras.Sequential([keras.Input((2,)), Counted()])
        before = len(traced)
        for _ in range(3):
            model.predict(np.zeros((4, 2), "float32"), batch_size=4, verbose=0)
    assert len(traced) == before + 1


class Between(keras.callbacks.Callback):
    """Calls a function between the dispatches of an epoch."""

    def __init__(self, function):
        self.function, self.done = function, []

    def on_train_begin(self, logs=None):
        self.model.position.interrupt = self.between

    def between(self, done):
        self.done.append(done)
        self.function(self.model, done)


def _long_run(callback, epochs):
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((1600, 2), "float32")
    return model.fit(x, x[:, :1], batch_size=2, epochs=epochs, verbose=0, callbacks=[callback])


def test_an_epoch_may_be_ended_between_dispatches(engine):
    def stop(model, done):
        model.stop_training = done >= 5

    callback = Between(stop)
    assert len(_long_run(callback, 3).epoch) == 1
    assert 5 <= callback.done[-1] < 800


def test_single_steps_may_be_asked_for_within_an_epoch(monkeypatch):
    monkeypatch.setattr("keraunos.training.loops.Choice.group", lambda self, full, planned: 8)
    monkeypatch.setattr("keraunos.training.loops.Choice.timed", lambda self, group, run, wait: run())
    with keras.config.backend_scope("jax"):
        callback = Between(lambda model, done: setattr(model.position, "single", model.position.epoch == 1 and done >= 80))
        _long_run(callback, 2)
    assert callback.done == [*range(8, 801, 8), *range(8, 81, 8), *range(81, 801)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("job", ["fit", "evaluate", "predict"])
@pytest.mark.usefixtures("uncollected")
def test_what_a_run_held_is_free_when_it_ends(engine: str, streamed: bool, job: str) -> None:
    """The device's copy of the data above all, which a garbage collector that sees only Python's memory would leave for long."""
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 1), "float32")
    pairs = [(x[:4], y[:4]), (x[4:], y[4:])]

    def run() -> weakref.ref[Any]:
        callback = keras.callbacks.Callback()
        given: Any = (iter(pairs),) if streamed else (x,) if job == "predict" else (x, y)
        getattr(model, job)(*given, callbacks=[callback], verbose=0, **({} if streamed else {"batch_size": 4}))
        return weakref.ref(callback)

    with keraunos_scope(engine):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        run()
        held = run()
        assert held() is None
