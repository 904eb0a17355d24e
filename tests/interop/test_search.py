"""Searches by Optuna, and reports to Ray."""

import contextlib
import shutil
import sys
import types

import numpy as np
import optuna
import pytest

import keraunos as keras
from keraunos.core.errors import ArgumentError, BackendError
from keraunos.interop.optuna import Pruning
from keraunos.interop.ray import Report, restored

X = np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
Y = X.sum(1, keepdims=True)
optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture(autouse=True)
def _engine():
    with keras.backend_scope("torch"):
        yield


def make(rate):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


class Threshold(optuna.pruners.BasePruner):
    """Prunes what is not below 1 after the second epoch."""

    def prune(self, study, trial):
        return trial.last_step == 1 and trial.intermediate_values[1] > 1


def test_a_study_prunes_and_finds_the_best():
    epochs = []

    def objective(trial):
        model = make(trial.suggest_categorical("rate", [1e-5, 0.1]))
        counted = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append((trial.params["rate"], epoch)))
        return model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[counted, Pruning(trial, "loss")]).history["loss"][-1]

    study = optuna.create_study(sampler=optuna.samplers.GridSampler({"rate": [1e-5, 0.1]}, seed=0), pruner=Threshold())
    study.optimize(objective, n_trials=2)
    states = {trial.params["rate"]: trial.state for trial in study.trials}
    assert states == {1e-5: optuna.trial.TrialState.PRUNED, 0.1: optuna.trial.TrialState.COMPLETE}
    assert study.best_params == {"rate": 0.1}
    assert sorted(epochs) == [(1e-5, 0), (1e-5, 1), (0.1, 0), (0.1, 1), (0.1, 2), (0.1, 3)]
    assert all(len(trial.intermediate_values) == {1e-5: 2, 0.1: 4}[trial.params["rate"]] for trial in study.trials)


def test_trials_are_trained_as_a_population():
    study = optuna.create_study(pruner=Threshold())
    for rate in (1e-5, 0.1, 0.09):
        study.enqueue_trial({"rate": rate})
    trials = [study.ask() for _ in range(3)]
    population = keras.Population(make, [{"rate": trial.suggest_float("rate", 1e-6, 1.0, log=True)} for trial in trials], seeds=0)
    pruning = [Pruning(trial, "loss", raises=False) for trial in trials]
    histories = population.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=lambda i: [pruning[i]])
    for trial, callback, history in zip(trials, pruning, histories, strict=True):
        if callback.pruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, history.history["loss"][-1])
    assert [len(history.epoch) for history in histories] == [2, 4, 4]
    assert study.best_params["rate"] == [1e-5, 0.1, 0.09][population.best("loss")]


def test_a_value_that_is_not_among_the_logs():
    with pytest.raises(ArgumentError, match="not among the logs"):
        make(0.1).fit(X, Y, verbose=0, callbacks=[Pruning(optuna.create_study().ask(), "val_loss")])


@pytest.fixture
def ray(monkeypatch, tmp_path):
    """What `Report` asks of Ray: `tune.report` and `tune.Checkpoint`."""

    class Checkpoint:
        def __init__(self, folder):
            self.folder = folder

        from_directory = classmethod(lambda cls, folder: cls(folder))

        @contextlib.contextmanager
        def as_directory(self):
            yield self.folder

    reports = []

    def report(metrics, *, checkpoint=None):
        kept = None
        if checkpoint is not None:  # Ray copies it before it returns
            kept = Checkpoint(shutil.copytree(checkpoint.folder, tmp_path / str(len(reports))))
        reports.append((metrics, kept))

    tune = types.SimpleNamespace(report=report, Checkpoint=Checkpoint)
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(tune=tune))
    return reports


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BackendError, match="pip install"):
        Report()


def test_reports_and_checkpoints(ray):
    model = make(0.1)
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[Report(save_every=2)])
    assert [(told["epoch"], set(told), checkpoint is not None) for told, checkpoint in ray] == [
        (1, {"epoch", "loss"}, False), (2, {"epoch", "loss"}, True), (3, {"epoch", "loss"}, False)
    ]  # fmt: skip
    saved = restored(ray[1][1])
    assert saved.optimizer.iterations.numpy() == 2
    with pytest.raises(ArgumentError, match="'acuracy'"):
        model.fit(X, Y, verbose=0, callbacks=[Report(["acuracy"])])
    for wrong in (0, True):
        with pytest.raises(ArgumentError, match="positive integer"):
            Report(save_every=wrong)
    assert Report("loss").metrics == ["loss"]
