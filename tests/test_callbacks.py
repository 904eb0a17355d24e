"""Callbacks: their options against scripted values, and in a run of `fit` on every engine that trains."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import keraunos as keras
from keraunos import callbacks as C
from keraunos import layers
from tests.conftest import TRAINING

NAN = float("nan")
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(20, 3)).astype("float32"), rng.normal(size=(20, 1)).astype("float32")


@pytest.fixture(params=TRAINING)
def engine(request):
    with keras.config.backend_scope(request.param):
        yield request.param


def regression(optimizer="sgd", **options):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **options)
    return model


def fit(model, *callbacks, **options):
    return model.fit(X, Y, **{"epochs": 3, "batch_size": 8, "verbose": 0, "callbacks": list(callbacks), **options})


class Script:
    """Stands for a model whose logs are given; its weights are the number of the epoch."""

    def __init__(self):
        self.stop_training, self.epoch, self.saved = False, -1, []
        self.optimizer = type("Optimizer", (), {"learning_rate": 0.1})()

    def get_weights(self):
        return self.epoch

    def set_weights(self, weights):
        self.epoch = weights

    def save(self, path, overwrite):
        self.saved.append(str(path).rpartition("/")[2])

    save_weights = save

    def play(self, callback, values, name="loss"):
        """Run `callback` over epochs with these values of a log; returns the learning rates after each."""
        callback.set_model(self)
        callback.on_train_begin()
        rates = []
        for epoch, value in enumerate(values):
            self.epoch = epoch
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {name: value})
            rates.append(round(self.optimizer.learning_rate, 6))
            if self.stop_training:
                break
        callback.on_train_end()
        return rates


# Options, the values of the log, the epoch that was the last, the epoch whose weights the model has.
STOPPING = {
    "patience 0": ({}, [3, 2, 2.5, 1], 2, 2),
    "patience 2": ({"patience": 2}, [3, 2, 2.5, 2.5, 1], 3, 3),
    "patience renewed": ({"patience": 2}, [3, 4, 2, 4, 1, 4, 4, 0], 6, 6),
    "never": ({"patience": 1}, [4, 3, 2, 1], 3, 3),
    "min_delta": ({"min_delta": 0.1, "patience": 1}, [3, 2.95, 2.8, 2.75], 1, 1),
    "a negative min_delta": ({"min_delta": -0.1, "patience": 1}, [3, 2.95], 1, 1),
    "max": ({"mode": "max"}, [1, 2, 3, 2.5], 3, 3),
    "auto of a rising metric": ({"monitor": "val_accuracy"}, [1, 2, 3, 2.5], 3, 3),
    "baseline": ({"baseline": 2.0, "patience": 2}, [4, 3, 3, 1], 2, 2),
    "baseline reached": ({"baseline": 3.5, "patience": 2}, [4, 3, 3.2, 3.2, 1], 3, 3),
    "the best weights": ({"patience": 2, "restore_best_weights": True}, [3, 2, 2.5, 2.5], 3, 1),
    "the best weights of a run to its end": ({"patience": 9, "restore_best_weights": True}, [3, 2, 2.5], 2, 1),
    "start_from_epoch": ({"start_from_epoch": 3}, [1, 2, 3, 2.5, 2.6, 0], 4, 4),
    "start_from_epoch, the best weights": ({"start_from_epoch": 2, "restore_best_weights": True}, [0, 0, 3, 2, 4], 4, 3),
    "not a number first": ({"patience": 3}, [NAN, 3, 2, 1], 3, 3),
    "not a number": ({"patience": 2}, [3, NAN, NAN, 1], 2, 2),
}


@pytest.mark.parametrize("case", STOPPING)
def test_early_stopping(case):
    options, values, last, weights = STOPPING[case]
    model, callback = Script(), C.EarlyStopping(**{"monitor": "loss", **options})
    rates = model.play(callback, values, callback.monitor)
    assert (len(rates) - 1, model.epoch) == (last, weights)
    assert callback.stopped_epoch == (last if model.stop_training else 0)


@pytest.mark.parametrize(
    "name,rises",
    [(n, True) for n in ("accuracy", "acc", "val_auc", "precision_at_recall", "mean_io_u", "fbeta_score", "cosine_similarity", "r2_score", "specificity_at_sensitivity")]
    + [(n, False) for n in ("loss", "val_loss", "kl_divergence", "mean_squared_error", "accuracy_head_loss", "vaccine_mean_squared_error", "hinge", "poisson")],
)  # fmt: skip
def test_auto_knows_which_metrics_rise(name, rises):
    model = Script()
    model.play(C.EarlyStopping(name), [1, 2, 3], name)
    assert model.stop_training is not rises


CHECKPOINTS = {
    "each epoch": ({}, [3, 4, 2], ["1.keras", "2.keras", "3.keras"]),
    "the best": ({"save_best_only": True}, [3, 4, 2, 2], ["1.keras", "3.keras"]),
    "the best of a rising metric": ({"save_best_only": True, "monitor": "accuracy"}, [3, 4, 2], ["1.keras", "2.keras"]),
    "max": ({"save_best_only": True, "mode": "max"}, [3, 4, 2], ["1.keras", "2.keras"]),
    "a threshold": ({"save_best_only": True, "initial_value_threshold": 2.5}, [3, 4, 2], ["3.keras"]),
    "not a number": ({"save_best_only": True}, [NAN, 3], ["2.keras"]),
    "weights": ({"save_weights_only": True, "filepath": "{epoch:02d}-{loss:.1f}.weights.h5"}, [3, 4], ["01-3.0.weights.h5", "02-4.0.weights.h5"]),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_model_checkpoint(case, tmp_path):
    options, values, files = CHECKPOINTS[case]
    model = Script()
    options = {"filepath": "{epoch}.keras", "monitor": "loss", **options}
    callback = C.ModelCheckpoint(**{**options, "filepath": tmp_path / "new" / options["filepath"]})
    model.play(callback, values, callback.monitor)
    assert model.saved == files


def test_model_checkpoint_by_batches(engine, tmp_path):
    fit(regression(), C.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=2))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-2.keras", "2-1.keras", "2-3.keras", "3-2.keras"]


def test_checkpoints_hold_the_model(engine, tmp_path):
    model = regression()
    fit(model, C.ModelCheckpoint(tmp_path / "m.keras"), C.ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True))
    other = regression()
    other.load_weights(tmp_path / "m.weights.h5")
    for copy in (keras.models.load_model(tmp_path / "m.keras"), other):
        for a, b in zip(copy.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_best_weights_come_back(engine):
    model, seen = regression("sgd"), []
    values = iter([3.0, 1.0, 2.0, 2.0])
    put = C.LambdaCallback(on_epoch_end=lambda epoch, logs: (seen.append(model.get_weights()), logs.update(quality=next(values))))
    fit(model, put, C.EarlyStopping("quality", mode="min", patience=2, restore_best_weights=True), epochs=9)
    assert len(seen) == 4 and model.stop_training
    np.testing.assert_array_equal(model.get_weights()[0], seen[1][0])


PLATEAUS = {
    "patience": ({"patience": 2}, [3, 3, 3, 3, 3], [0.1, 0.1, 0.05, 0.05, 0.025]),
    "improvement": ({"patience": 2}, [3, 3, 2, 2, 2], [0.1, 0.1, 0.1, 0.1, 0.05]),
    "min_delta": ({"patience": 1, "min_delta": 0.5}, [3, 2.6, 2], [0.1, 0.05, 0.05]),
    "cooldown": ({"patience": 1, "cooldown": 2}, [3, 3, 3, 3, 3], [0.1, 0.05, 0.05, 0.025, 0.025]),
    "min_lr": ({"patience": 1, "min_lr": 0.04}, [3, 3, 3, 3], [0.1, 0.05, 0.04, 0.04]),
    "max": ({"patience": 1, "mode": "max"}, [1, 2, 3, 2], [0.1, 0.1, 0.1, 0.05]),
}


@pytest.mark.parametrize("case", PLATEAUS)
def test_reduce_lr_on_plateau(case):
    options, values, rates = PLATEAUS[case]
    assert Script().play(C.ReduceLROnPlateau("loss", factor=0.5, **options), values) == rates


def test_the_learning_rate_in_the_logs(engine):
    model = regression(keras.optimizers.SGD(0.1))
    halve = C.LearningRateScheduler(lambda epoch, rate: rate * 0.5 if epoch else rate)
    np.testing.assert_allclose(fit(model, halve).history["learning_rate"], [0.1, 0.05, 0.025], rtol=1e-6)
    by_epoch = C.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
    np.testing.assert_allclose(fit(model, by_epoch).history["learning_rate"], [0.1, 0.05, 0.1 / 3], rtol=1e-6)
    plateau = C.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=1e6)
    model.optimizer.learning_rate = 0.1
    np.testing.assert_allclose(fit(model, plateau).history["learning_rate"], [0.1, 0.1, 0.01], rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.001)


def test_history(engine):
    model = regression(metrics=["mae"])
    history = fit(model, validation_data=(X.copy(), Y))
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"} and history.epoch == [0, 1, 2]
    assert history.model is model and history.params["epochs"] == 3 and history.params["steps"] == 3
    assert all(isinstance(v, float) for values in history.history.values() for v in values)
    own = C.History()
    assert fit(model, own, initial_epoch=2, epochs=4) is own and own.epoch == [2, 3]


def marks_of(kind):
    return [f"on_{kind}_begin", f"on_{kind}_batch_begin", f"on_{kind}_batch_end", f"on_{kind}_end"]


def test_every_mark_is_called(engine):
    called = []
    marks = [*marks_of("train"), *marks_of("test"), *marks_of("predict"), "on_epoch_begin", "on_epoch_end"]
    listener = C.LambdaCallback(**{mark: lambda *args, mark=mark: called.append((mark, *args[:-1])) for mark in marks})
    model = regression()
    fit(model, listener, epochs=1)
    batches = [(f"on_train_batch_{when}", i) for i in range(3) for when in ("begin", "end")]
    assert called == [("on_train_begin",), ("on_epoch_begin", 0), *batches, ("on_epoch_end", 0), ("on_train_end",)]
    for kind, run in (("test", lambda: model.evaluate(X, Y, 8, 0, callbacks=[listener])), ("predict", lambda: model.predict(X, 8, 0, callbacks=[listener]))):
        called.clear()
        run()
        assert [mark for mark, *_ in called] == [f"on_{kind}_begin", *marks_of(kind)[1:3] * 3, f"on_{kind}_end"]


class Counting(C.ModelCheckpoint):
    """A checkpoint for each epoch that also looks at batches."""

    seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1


class Old(C.Callback):
    """Names the marks of batches as Keras did first."""

    seen = 0

    def on_batch_end(self, batch, logs=None):
        self.seen += logs["loss"] > 0


def test_subclasses_see_batches(engine, tmp_path):
    counting, old = Counting(tmp_path / "m.keras"), Old()
    fit(regression(), counting, old, epochs=2)
    assert counting.seen == old.seen == 6 and (tmp_path / "m.keras").exists()


def test_only_what_acts_is_called_each_batch(tmp_path):
    acting = {
        C.History: False,
        C.EarlyStopping: False,
        C.TerminateOnNaN: True,
        (lambda: C.LambdaCallback(on_epoch_end=print)): False,
        (lambda: C.LambdaCallback(on_train_batch_end=print)): True,
        (lambda: C.ModelCheckpoint(tmp_path / "m.keras")): False,
        (lambda: C.ModelCheckpoint(tmp_path / "m.keras", save_freq=3)): True,
        (lambda: Counting(tmp_path / "m.keras")): True,
    }
    for make, acts in acting.items():
        assert C.CallbackList([make()]).needs("on_train_batch_begin", "on_train_batch_end") is acts


def test_a_list_of_callbacks_is_called_as_one():
    seen = []
    reports = [C.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs)), on_train_begin=seen.append) for _ in range(2)]
    callbacks = C.CallbackList(reports, add_history=True)
    callbacks.set_model(model := regression())
    assert all(callback.model is model for callback in callbacks.callbacks)
    callbacks.on_train_begin({})
    callbacks.on_epoch_end(3, {"loss": 0.5})
    assert seen == [{}] * 2 + [(3, {"loss": 0.5})] * 2 and callbacks.history.history == {"loss": [0.5]}
    with pytest.raises(AttributeError, match="on_epoch_ends"):
        callbacks.on_epoch_ends  # noqa: B018
    assert C.CallbackList(callbacks).callbacks == callbacks.callbacks  # fit takes one too


@pytest.mark.filterwarnings("ignore:learning_rate=1e")
def test_terminate_on_nan(engine, capsys):
    model = regression(keras.optimizers.SGD(1e30))
    with pytest.warns(UserWarning, match="The loss became"):
        history = fit(model, C.TerminateOnNaN(), epochs=50)
    assert model.stop_training and len(history.epoch) < 50
    assert "training stops" in capsys.readouterr().out


def test_what_is_printed(engine, tmp_path, capsys):
    never = C.EarlyStopping("loss", min_delta=1e6, verbose=1, restore_best_weights=True)
    fit(regression(), never, C.ModelCheckpoint(tmp_path / "m.keras", verbose=1), C.LearningRateScheduler(lambda epoch: 0.5, verbose=1))
    lines = ["Epoch 1: learning rate 0.5", f"Epoch 1: saved to {tmp_path / 'm.keras'}", "Epoch 2: early stopping", "Restoring the weights of epoch 1."]
    printed = capsys.readouterr().out
    assert all(line in printed for line in lines), printed


MISTAKES = {
    "an absent metric": (lambda: Script().play(C.EarlyStopping("los"), [1]), ValueError, ["'los'", "Did you mean 'loss'"]),
    "no validation data": (lambda: Script().play(C.ReduceLROnPlateau(), [1]), ValueError, ["validation_data", "monitor='loss'"]),
    "an absent metric in a checkpoint": (lambda: Script().play(C.ModelCheckpoint("m.keras", "acc", save_best_only=True), [1]), ValueError, ["'acc'", "loss"]),
    "an absent field": (lambda: Script().play(C.ModelCheckpoint("{val_loss}.keras"), [1]), ValueError, ["'val_loss'", "epoch, loss"]),
    "the suffix": (lambda: C.ModelCheckpoint("a/m.tf"), ValueError, ["'.keras'", "filepath='m.keras'"]),
    "the suffix of weights": (lambda: C.ModelCheckpoint("m.keras", save_weights_only=True), ValueError, ["'.weights.h5'"]),
    "save_freq": (lambda: C.ModelCheckpoint("m.keras", save_freq="batch"), ValueError, ["save_freq='batch'"]),
    "the mode": (lambda: C.EarlyStopping(mode="least"), ValueError, ["'least'", "EarlyStopping"]),
    "a misspelt argument": (lambda: C.EarlyStopping(patiense=3), TypeError, ["EarlyStopping has no argument 'patiense'", "Did you mean 'patience'"]),
    "the factor": (lambda: C.ReduceLROnPlateau(factor=1.5), ValueError, ["factor=1.5"]),
    "a mark": (lambda: C.LambdaCallback(on_epoch_ends=print), TypeError, ["Did you mean 'on_epoch_end'"]),
    "a setter": (lambda: C.LambdaCallback(set_model=print), TypeError, ["no mark 'set_model'"]),
    "a field without a name": (lambda: Script().play(C.ModelCheckpoint("{}.keras"), [1]), ValueError, ["{epoch:02d}"]),
    "no schedule": (lambda: C.LearningRateScheduler(0.1), TypeError, ["float", "lambda epoch, rate"]),
    "a schedule that returns nothing": (lambda: Script().play(C.LearningRateScheduler(lambda epoch, rate: None), [1]), ValueError, ["None", "no number"]),
    "a class": (lambda: C.CallbackList([C.History]), TypeError, ["got History", "History()"]),
    "no callback": (lambda: C.CallbackList(print), TypeError, ["builtin_function_or_method", "subclass"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_teaches(mistake):
    program, kind, words = MISTAKES[mistake]
    with pytest.raises(kind) as caught:
        program()
    assert isinstance(caught.value, keras.core.errors.KeraunosError)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_vector_metrics_do_not_disturb_checkpoints(tmp_path):
    callback, model = C.ModelCheckpoint(tmp_path / "{epoch}.keras"), Script()
    callback.set_model(model)
    callback.on_epoch_end(0, {"loss": 1.0, "f1_score": [0.5, 0.5]})
    assert model.saved == ["1.keras"]


RUNS = {
    "fit": lambda model, c: model.fit(X, Y, epochs=2, batch_size=8, validation_data=(X.copy(), Y), verbose=0, callbacks=[c]),
    "a part of fit": lambda model, c: model.fit(
        X, Y, epochs=3, initial_epoch=1, batch_size=8, validation_split=0.4, validation_freq=2, verbose=0, callbacks=[c]
    ),
    "evaluate": lambda model, c: model.evaluate(X, Y, batch_size=8, verbose=0, callbacks=[c]),
    "predict": lambda model, c: model.predict(X, batch_size=8, verbose=0, callbacks=[c]),
}


def calls(library, run):
    """What a callback is called with, in order: the mark, the number, the names of the logs; and the settings of the run."""
    seen = []

    def noting(mark):
        def note(self, *args, logs=None):
            *number, logs = args if args and not isinstance(args[-1], int) else (*args, logs)
            seen.append((mark, *number, sorted(logs or {})))
            if mark.startswith("on_train_batch"):
                getattr(library.callbacks.Callback, mark)(self, *number, logs)

        return note

    marks = [name for name in dir(C.Callback) if name.startswith("on_")]
    callback = type("Noting", (library.callbacks.Callback,), {mark: noting(mark) for mark in marks})()
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    run(model, callback)
    return seen, callback.params


@pytest.mark.parametrize("run", RUNS)
def test_calls_are_those_of_keras(run):
    peer = pytest.importorskip("keras")
    with keras.backend_scope("torch" if "torch" in TRAINING else TRAINING[0]):
        assert calls(keras, RUNS[run]) == calls(peer, RUNS[run])


def test_errors_in_a_schedule_are_told_as_they_are():
    rates = Script().play(C.LearningRateScheduler(lambda epoch: 0.5**epoch), [1, 1])
    assert rates == [1.0, 0.5]
    with pytest.raises(TypeError, match="unsupported operand"):
        Script().play(C.LearningRateScheduler(lambda epoch, rate: rate + "1"), [1])


def test_what_cannot_begin_changes_nothing(tmp_path):
    """Callbacks that had begun before one that refuses are told of the end; a rate that follows a schedule is refused at once."""
    told = []
    noting = C.LambdaCallback(on_train_begin=lambda logs: told.append("begin"), on_train_end=lambda logs: told.append("end"))
    with keras.config.backend_scope("torch"):
        model = regression(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.9)))
        before, threads = model.get_weights(), threading.active_count()
        for refusing, words in ((C.ReduceLROnPlateau("loss"), "follows a schedule"), (C.SwapEMAWeights(), "averages")):
            with pytest.raises(keras.core.errors.KeraunosError, match=words):
                model.fit((pair for pair in [(X, Y)] * 9), verbose=0, callbacks=[noting, refusing])
    assert told == ["begin", "end"] * 2 and threading.active_count() == threads
    assert all(map(np.array_equal, before, model.get_weights()))


def test_batches_are_counted_where_several_are_one_dispatch(tmp_path):
    with keras.config.backend_scope("torch"):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", steps_per_execution=3)
        path = str(tmp_path / "{epoch}-{batch}.weights.h5")
        saved = keras.callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=4)
        model.fit(np.ones((20, 2)), np.ones((20, 1)), batch_size=2, verbose=0, callbacks=[saved])
    assert sorted(place.name for place in tmp_path.iterdir()) == ["1-6.weights.h5", "1-9.weights.h5"]
    counter, steps = C.TensorBoard(tmp_path, update_freq=4), []
    counter._write_all = lambda name, prefix, logs, step: steps.append(step)
    for first in range(0, 12, 3):
        counter.on_train_batch_begin(first)
        counter.on_train_batch_end(first + 2)
    assert steps == [6, 9, 12]
