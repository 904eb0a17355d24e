"""Populations: each variant is what it would be by itself."""

import math

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, optimizers, regularizers
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ShapeError, StateError
from keraunos.populations.differences import differences
from keraunos.populations.stack import brief
from keraunos.random import host
from tests.conftest import BACKENDS

ENGINES = [name for name in BACKENDS if name in ("jax", "torch")]
ENGINE = ENGINES[-1:]  # where it makes no difference
OTHERS = [name for name in BACKENDS if name not in ENGINES]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
LABELS = RNG.integers(0, 3, 20).astype("int32")
ONE_HOT = np.eye(3, dtype="float32")[LABELS]


def network(optimizer, *between, loss=None, regularizer=None, **compile_options):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh", kernel_regularizer=regularizer), *between, layers.Dense(3)])
    model.compile(optimizer, loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], **compile_options)
    return model


def dropout(share, rate, decay):
    return network(optimizers.AdamW(rate, weight_decay=decay), layers.Dropout(share))


def regularized(strength, rate, momentum):
    schedule = optimizers.schedules.ExponentialDecay(rate, 2, 0.9)
    return network(optimizers.SGD(schedule, momentum=momentum), layers.BatchNormalization(), regularizer=regularizers.L1L2(1e-3, strength))


def noisy(stddev, rho, momentum, norm):
    return network(optimizers.RMSprop(0.01, rho=rho, momentum=momentum, clipnorm=norm), layers.GaussianNoise(stddev))


def smoothed(amount, beta):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=amount)
    return network(optimizers.Lion(0.01, beta_1=beta, gradient_accumulation_steps=2), loss=loss)


def averaged(rate, share, ema):
    return network(optimizers.Muon(rate, use_ema=True, ema_momentum=ema), layers.GaussianDropout(share), layers.AlphaDropout(share))


def weighted(weight):
    given = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return network("adam", loss=lambda y, p: weight * given(y, p))


def measured(rate):
    model = keras.Sequential([keras.Input((4,), dtype="int32"), layers.Embedding(5, 4, mask_zero=True), layers.Dense(3, "softmax")])
    model.compile(optimizers.Adam(rate), "categorical_crossentropy", metrics=["AUC", keras.metrics.F1Score()], weighted_metrics=["accuracy"])
    return model


class Doubled(keras.Sequential):
    """A step of the user's: gradients twice as long."""

    def train_step(self, data):
        x, y = data
        value, gradients = keras.value_and_grad(lambda: self.compute_loss(x, y, self(x, training=True)), self.trainable_variables)()
        self.optimizer.apply([2 * g for g in gradients], self.trainable_variables)
        return {"loss": value, "rate": self.optimizer.learning_rate}


def doubled(rate):
    model = Doubled([keras.Input((4,)), layers.Dense(3)])
    model.compile(optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def decayed(share, steps):
    schedule = optimizers.schedules.CosineDecay(0.1, steps, warmup_target=0.2, warmup_steps=2)
    x = keras.Input((4,))
    model = keras.Model(x, {"a": layers.Dense(3, name="a")(x), "b": layers.Dense(3, name="b")(x)})
    model.compile(optimizers.SGD(schedule), {"a": "mse", "b": "mae"}, loss_weights={"a": share, "b": 1.0})
    return model


class Zeroing(layers.Layer):
    """PyTorch code that changes a tensor in place, which is read before and after."""

    def call(self, x):
        out = x.clone()
        before = out.sum()
        out[:, 0] = 0.0
        return out + 0.1 * (out.sum() + before)


def changing():
    return network("sgd", Zeroing())


def unbuilt():
    model = keras.Sequential([layers.Dense(5, "relu"), layers.Dropout(0.3), layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


CASES = {  # what makes the model, its values, the targets, the engines
    "adamw, dropout": (dropout, {"share": [0.0, 0.5], "rate": [0.01, 0.1], "decay": [0.1, 0.01]}, LABELS, ENGINES),
    "sgd, batch normalization": (regularized, {"strength": [0.1, 0.01], "rate": [0.1, 0.05], "momentum": [0.9, 0.5]}, LABELS, ENGINES),
    "rmsprop, noise": (noisy, {"stddev": [0.3, 0.0], "rho": [0.9, 0.8], "momentum": [0.9, 0.5], "norm": [0.5, 1]}, LABELS, ENGINE),
    "lion, smoothing": (smoothed, {"amount": [0.0, 0.2], "beta": [0.9, 0.7]}, ONE_HOT, ENGINE),
    "muon, averages": (averaged, {"rate": [0.05, 0.01], "share": [0.2, 0.4], "ema": [0.9, 0.5]}, LABELS, ENGINE),
    "adam, a closure": (weighted, {"weight": [1.0, 0.3]}, LABELS, ENGINE),
    "masks, metrics that meet data": (measured, {"rate": [0.1, 0.05]}, np.repeat(ONE_HOT[:, None], 4, 1), ENGINE),
    "weights of losses, a schedule's steps": (decayed, {"share": [1.0, 0.3], "steps": [4, 9]}, {"a": ONE_HOT, "b": ONE_HOT}, ENGINE),
    "a train_step": (doubled, {"rate": [0.1, 0.2]}, LABELS, ENGINES),
    "changes in place": (changing, None, LABELS, [name for name in ENGINES if name == "torch"]),
    "seeds alone, built by data": (unbuilt, None, LABELS, ENGINE),
}


def alone(make, values, seed, *data, **options):
    keras.utils.set_random_seed(seed)
    model = make(**values)
    return model, model.fit(*data, **{"batch_size": 8, "epochs": 2, "verbose": 0, **options})


def check_alike(model, history, variant, told):
    assert list(history.history) == list(told.history) and history.epoch == told.epoch
    for name, values in history.history.items():
        np.testing.assert_allclose(told.history[name], values, rtol=1e-5, atol=1e-6, err_msg=name)
    for ours, theirs in zip(*([*m.weights, *m.optimizer.variables] for m in (variant, model)), strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-5, err_msg=ours.path)


@pytest.mark.parametrize(("case", "engine"), [(case, engine) for case in CASES for engine in CASES[case][3]])
def test_each_variant_is_what_it_is_alone(case, engine):
    make, values, y, _ = CASES[case]
    x = np.abs(X * 3).astype("int32") % 5 if make is measured else X
    with keras.backend_scope(engine):
        options = {"validation_data": (X[:6], y[:6])} if case.startswith("sgd") else {}
        population = keras.Population(make, values, seeds=[3, 4])
        starts = [model.get_weights() for model in population.models]
        histories = population.fit(x, y, batch_size=8, epochs=2, verbose=0, **options)
        for i, seed in enumerate((3, 4)):
            keras.utils.set_random_seed(seed)
            fresh = make(**population.variants[i])
            assert all(map(np.array_equal, fresh.get_weights(), starts[i]))
            check_alike(*alone(make, population.variants[i], seed, x, y, **options), population.models[i], histories[i])


@pytest.fixture
def engine():
    with keras.backend_scope(ENGINE[0]) as found:
        yield found


def simple(rate=0.1):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    model.compile(optimizers.SGD(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def test_callbacks_act_on_one_variant_each(engine):
    def callbacks(_):
        stopping = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=0.02, restore_best_weights=True)
        return [stopping, keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.05)]

    rates = [0.5, 1e-3, 0.1]
    population = keras.Population(simple, {"rate": rates}, seeds=2)
    histories = population.fit(X, LABELS, batch_size=8, epochs=6, verbose=0, callbacks=callbacks)
    assert len({len(history.epoch) for history in histories}) > 1
    for i, rate in enumerate(rates):
        check_alike(*alone(simple, {"rate": rate}, 2, X, LABELS, epochs=6, callbacks=callbacks(i)), population.models[i], histories[i])
    again = population.fit(X, LABELS, batch_size=8, epochs=1, verbose=0)  # all run again
    assert all(len(history.epoch) == 1 for history in again)


def test_evaluate_and_predict_use_the_models_as_they_are(engine):
    population = keras.Population(simple, seeds=[1, 2, 3])
    outputs = population.predict(X, batch_size=8, verbose=0)
    assert outputs.shape == (3, 20, 3)
    population.models[1].set_weights([np.ones((4, 3)), np.zeros(3)])
    for _ in range(2):
        outputs, logs = population.predict(X, verbose=0), population.evaluate(X, LABELS, batch_size=8, verbose=0)
        for i, model in enumerate(population.models):
            np.testing.assert_allclose(outputs[i], model.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
            found = model.evaluate(X, LABELS, batch_size=8, verbose=0, return_dict=True)
            assert list(found) == list(logs)
            np.testing.assert_allclose([v[i] for v in logs.values()], list(found.values()), rtol=1e-5)
        population.fit(X, LABELS, verbose=0, validation_data=(X.copy(), LABELS))
    programs = population._stack._cache["predict", ""]
    population.predict(X, batch_size=8, verbose=0)
    assert population._stack._cache["predict", ""] is programs  # compiled once
    best = population.best("val_accuracy")
    assert population.histories[best].history["val_accuracy"][-1] == max(h.history["val_accuracy"][-1] for h in population.histories)


def test_averages_of_variants_stay_where_they_are_to(engine):
    def swapped(_=0):
        return [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)]

    def make(rate):
        return network(optimizers.SGD(rate, use_ema=True))

    population = keras.Population(make, {"rate": [0.1, 0.2]}, seeds=1)
    (_, history) = population.fit(X, LABELS, batch_size=8, epochs=2, verbose=0, callbacks=swapped)
    check_alike(*alone(make, {"rate": 0.2}, 1, X, LABELS, callbacks=swapped()), population.models[1], history)


def test_batches_go_to_all_variants(engine):
    def batches():
        yield from ((X[i : i + 5], LABELS[i : i + 5]) for i in range(0, 20, 5))

    population = keras.Population(simple, {"rate": [0.1, 0.5]}, seeds=[1, 2])
    histories = population.fit(batches(), verbose=0)
    for i, seed in enumerate((1, 2)):
        keras.utils.set_random_seed(seed)
        model = simple(population.variants[i]["rate"])
        check_alike(model, model.fit(batches(), verbose=0), population.models[i], histories[i])


def test_what_is_interrupted_keeps_what_there_is(engine):
    def interrupt(epoch, logs):
        assert np.shape(logs["loss"]) == (2,)
        if epoch == 1:
            raise KeyboardInterrupt

    population = keras.Population(simple, seeds=[1, 2])
    with pytest.raises(KeyboardInterrupt):
        population.fit(X, LABELS, epochs=5, batch_size=8, verbose=0, callbacks=keras.callbacks.LambdaCallback(on_epoch_end=interrupt))
    model, _ = alone(simple, {}, 1, X, LABELS)
    np.testing.assert_allclose(population.models[0].get_weights()[0], model.get_weights()[0], rtol=1e-5, atol=1e-6)


def test_progress_shows_the_best_and_medians(engine, capsys):
    assert brief({"loss": [3.0, 1.0, np.nan], "accuracy": [0.1, 0.2, 0.6]}) == {"best loss": 1.0, "loss": 2.0, "accuracy": pytest.approx(0.2)}
    keras.Population(simple, seeds=[1, 2]).fit(X, LABELS, verbose=2)
    assert "best loss: " in capsys.readouterr().out


def test_what_is_random_outside_stays_as_it_was(engine):
    keras.utils.set_random_seed(5)
    expected = np.random.random(), host.make_seed(), layers.Dense(2).name
    keras.utils.set_random_seed(5)
    population = keras.Population(simple, seeds=[1, 2])
    population.fit(X, LABELS, verbose=0)
    number, seed, name = np.random.random(), host.make_seed(), layers.Dense(2).name
    assert (number, seed) == expected[:2]
    assert int(name.rpartition("_")[2]) == int(expected[2].rpartition("_")[2]) + 1 if "_" in expected[2] else name == "dense_1"
    assert [layer.name for layer in population.models[1].layers] == ["dense"]


SHARED = layers.Dense(3)


def with_shared():
    model = keras.Sequential([keras.Input((4,)), SHARED])
    model.compile("sgd", "mse")
    return model


def of(units=3, activation=None, loss="mse", steps=5, factor=2.0):
    x = keras.Input((4,))
    y = keras.ops.multiply(layers.Dense(units, activation)(x), factor)
    model = keras.Model(x, y)
    model.compile(optimizers.Muon(0.1, ns_steps=steps), loss)
    return model


@pytest.mark.parametrize(("make", "values", "error", "words"), [
    (of, {"units": [3, 4]}, ShapeError, "shape of a variable"),
    (lambda momentum: network(optimizers.SGD(0.1, momentum)), {"momentum": [0.0, 0.5]}, ArgumentError, "a momentum of 0"),
    (of, {"activation": ["relu", "tanh"]}, ArgumentError, "activation"),
    (of, {"loss": ["mse", "mae"]}, ArgumentError, "variants differ"),
    (of, {"factor": [2.0, 3.0]}, ArgumentError, "attribute"),
    (of, {"steps": [3, 5]}, BackendError, "ns_steps"),
    (with_shared, {}, ArgumentError, "share a variable"),
])  # fmt: skip
def test_what_cannot_be_varied_is_refused(engine, make, values, error, words):
    population = keras.Population(make, values or None, seeds=[1, 2])
    before = [model.get_weights() for model in population.models]
    with pytest.raises(error, match=words):
        population.fit(X, ONE_HOT, verbose=0)
    for model, weights in zip(population.models, before, strict=True):
        assert all(map(np.array_equal, model.get_weights(), weights))


class Holder:
    def __init__(self, held):
        self.held = held


@pytest.mark.parametrize(("one", "other"), [(math.sin, math.cos), (np.sin, np.cos), (range(3), range(4)), (np.True_, np.False_)])
def test_what_has_no_attributes_is_compared_too(engine, one, other):
    assert not differences(Holder(one), [Holder(one), Holder(one)])
    with pytest.raises(ArgumentError, match="Holder, held"):
        differences(Holder(one), [Holder(one), Holder(other)])


def test_a_number_of_a_closure_keeps_its_place(engine):
    def of(weight):
        return Holder(lambda x: weight * x)

    models = [of(weight) for weight in (1.0, 1.0, 2.0)]
    (first,), (second,) = (differences(models[0], models[1:]) for _ in range(2))
    assert first.place == second.place  # else what is compiled would be so anew in each run


def eager():
    model = simple()
    model.run_eagerly = True
    return model


@pytest.mark.parametrize(("arguments", "error", "words"), [
    ((simple(), None, 3) if ENGINE else (), ArgumentTypeError, "function"),
    ((simple,), ArgumentError, "no variants"),
    ((simple, {"rate": [0.1, 0.2]}, [1]), ArgumentError, "1 seeds for 2 variants"),
    ((simple, {"rate": [0.1], "other": []}), ArgumentError, "unequal lengths"),
    ((eager, None, [1]), ArgumentError, "eagerly"),
    ((lambda: 3, None, [1]), ArgumentTypeError, "no model"),
    ((simple, [0.1, 0.2]), ArgumentTypeError, "list of dicts"),
    ((simple, {"rate": 0.1}), ArgumentTypeError, "dict of lists"),
    ((simple, "rate"), ArgumentTypeError, "dict of lists"),
    ((simple, None, 1.5), ArgumentTypeError, "seeds are integers"),
])  # fmt: skip
def test_what_is_no_population(engine, arguments, error, words):
    with pytest.raises(error, match=words):
        keras.Population(*arguments)


def test_what_a_population_cannot_do(engine):
    population = keras.Population(simple, seeds=[1, 2])
    with pytest.raises(StateError, match="not been trained"):
        population.best()
    with pytest.raises(ArgumentError, match="lambda i"):
        population.fit(X, LABELS, verbose=0, callbacks=[keras.callbacks.EarlyStopping("loss")])
    with pytest.raises(ArgumentError, match="acts on one model"):
        population.fit(X, LABELS, verbose=0, callbacks=[type("Mine", (keras.callbacks.EarlyStopping,), {})("loss")])
    with pytest.raises(ArgumentError, match="BackupAndRestore goes on"):
        population.fit(X, LABELS, verbose=0, callbacks=lambda i: [keras.callbacks.BackupAndRestore("backup")])
    with pytest.raises(ArgumentError, match="debug_nans"):
        population.fit(X, LABELS, verbose=0, debug_nans=True)
    with pytest.raises(ArgumentError, match="each batch"):
        population.fit(X, LABELS, verbose=0, callbacks=lambda i: [keras.callbacks.TerminateOnNaN()])

    def stop(epoch, logs):
        population.models[1].stop_training = True

    population.fit(X, LABELS, epochs=2, verbose=0, validation_data=(X.copy(), LABELS), validation_freq=[2],
                   callbacks=lambda i: [keras.callbacks.LambdaCallback(on_epoch_end=stop)])  # fmt: skip
    assert "val_loss" not in population.histories[1].history and population.best("val_loss") == 0
    with pytest.raises(ArgumentError, match="acuracy"):
        population.best("acuracy")
    assert len(population) == 2 and "2 variants" in repr(population)


@pytest.mark.parametrize("name", OTHERS)
def test_engines_that_cannot_map_steps_say_so(name):
    with keras.backend_scope(name), pytest.raises(BackendError, match="populations"):
        keras.Population(simple, seeds=[1, 2])
