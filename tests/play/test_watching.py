"""The callback of a run: pauses, steps, checkpoints, what it tells, and what it finds wrong."""

from __future__ import annotations

import collections
import math
import queue
import time
import types
import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.play.watching import LOOKING, Checkpoints, Watcher, optimizers, plain

DOCUMENT: Any = {"layers": [{"id": "hidden", "options": {}}, {"id": "label", "options": {}}], "training": {"batch_size": 8}}
PAUSE = {"do": "pause"}
rng = np.random.default_rng(0)
X = rng.normal(size=(80, 2)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")


class Commands(queue.SimpleQueue[dict[str, Any]]):
    """Commands that follow each other when the run waits for one, and one that is there before it begins."""

    def __init__(self, *waiting: Any, first: dict[str, Any] | None = None):
        self.waiting = collections.deque(waiting)
        if first is not None:
            self.put(first)

    def get(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if not self.empty():
            return super().get()
        assert self.waiting, "the run waits, and nothing is to come"
        command: Any = self.waiting.popleft()
        found: Any = command() if callable(command) else command
        return found


def made(rate: float = 0.1, loss: str = "binary_crossentropy") -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4, "tanh", name="hidden"), layers.Dense(1, "sigmoid", name="label")])
    model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
    return model


def watched(model: Any, epochs: int = 4, x: Any = X, y: Any = Y, **options: Any) -> tuple[Watcher, list[dict[str, Any]]]:
    """A watcher of a whole run, and what it said."""
    said: list[dict[str, Any]] = []
    watcher = Watcher(
        lambda kind, **facts: said.append({"kind": kind, **facts}),
        options.pop("commands", Commands()),
        epochs=epochs,
        document=options.pop("document", DOCUMENT),
        **options,
    )
    watcher.set_model(model)
    watcher.begin()
    if not watcher.asked:
        model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=[watcher])
    watcher.finish()
    return watcher, said


def points(said: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [point for message in said if message["kind"] == "progress" for point in message["points"]]


@pytest.fixture(autouse=True, params=["jax", "torch"])
def engine(request: Any) -> Any:
    with keras.config.backend_scope(request.param):
        yield request.param


def test_a_run_is_told_and_its_numbers_are_those_of_fit() -> None:
    plain_run = made()
    history = plain_run.fit(X, Y, batch_size=8, epochs=4, verbose=0).history
    model = made()
    watcher, said = watched(model)
    ended = [point for point in points(said) if not point.get("partial")]
    assert [point["epoch"] for point in ended] == [1, 2, 3, 4] and [point["step"] for point in ended] == [10, 20, 30, 40]
    np.testing.assert_allclose([point["logs"]["loss"] for point in ended], history["loss"], rtol=1e-6)
    for a, b in zip(model.get_weights(), plain_run.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    states = [message["state"] for message in said if "state" in message]
    assert states == ["compiling", "training"] and watcher.asked == "epochs"
    assert {"kind": "run", "metrics": ["loss", "accuracy"]} in said
    assert watcher.checkpoints is not None and {0, 4} <= watcher.checkpoints.kept.keys()
    assert watcher.seconds > 0


def test_it_pauses_and_makes_single_steps() -> None:
    steps: list[tuple[int, int]] = []

    def noting(command: dict[str, Any]) -> Any:
        return lambda: steps.append((watcher.epoch, watcher.step)) or command

    step, epoch, play = {"do": "step", "unit": "batch"}, {"do": "step", "unit": "epoch"}, {"do": "play"}
    said: list[dict[str, Any]] = []
    commands = Commands(*map(noting, [step, epoch, step, play]))
    watcher = Watcher(lambda kind, **facts: said.append({"kind": kind, **facts}), commands, epochs=4, document=DOCUMENT, unit="batch")
    model = made()
    watcher.set_model(model)
    watcher.begin()
    model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[watcher])
    assert steps == [(0, 1), (0, 2), (1, 10), (1, 11)]
    assert (watcher.epoch, watcher.step) == (4, 40)
    assert sum(message.get("state") == "paused" for message in said) == 4


@pytest.mark.parametrize(("unit", "seen"), [("batch", (0, 1)), ("epoch", (1, 10))])
def test_what_is_asked_before_the_first_step_comes_after_it(unit: str, seen: tuple[int, int]) -> None:
    watcher, _ = watched(made(), commands=Commands({"do": "stop"}, first={"do": "learning_rate", "value": 0.0}), unit=unit)
    assert (watcher.epoch, watcher.step) == seen
    watcher, said = watched(made(), commands=Commands(first={"do": "play"}), unit=unit)
    assert (watcher.asked, watcher.epoch) == ("epochs", 4) and "paused" not in [message.get("state") for message in said]


STEP, STOP = {"do": "step", "unit": "batch"}, {"do": "stop"}


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ([], 1),
        ([PAUSE], 1),
        ([STEP, STEP], 3),
        ([STEP, PAUSE, STEP], 3),
        ([{"do": "learning_rate", "value": 0.0}, STEP], 2),
        ([{"do": "step", "unit": "epoch"}], 10),
        ([{"do": "step", "unit": "epoch"}, STEP], 11),
        ([{"do": "play"}], 40),
    ],
    ids=lambda value: " ".join(command["do"] for command in value) if isinstance(value, list) else str(value),
)
def test_what_is_asked_while_the_first_step_compiles_is_done_as_if_it_was_asked_later(asked: list[Any], steps: int) -> None:
    """All at once before the first step, or each when the run waits for it: the same comes of it."""
    trained: list[Any] = []
    for early in (True, False):
        commands = Commands(*([] if early else asked), STOP)
        for command in asked if early else []:
            commands.put(command)
        model = made()
        watcher, _ = watched(model, commands=commands, unit="batch")
        assert watcher.step == steps
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("end", [PAUSE, STOP], ids=["pause", "stop"])
def test_the_step_of_an_epoch_is_no_obstacle_to_its_end(end: dict[str, Any]) -> None:
    commands = Commands(STOP, first={"do": "step", "unit": "epoch"})
    commands.put(end)
    watcher, _ = watched(made(), commands=commands, unit="epoch")
    assert watcher.asked == "stop" and watcher.step < 10


def test_looks_do_not_wait_for_a_step() -> None:
    seen: list[int] = []
    commands = Commands(STOP, first={"do": "learning_rate", "value": 0.0})
    commands.put({"do": "look"})
    watcher = Watcher(lambda kind, **facts: None, commands, None, lambda command: seen.append(watcher.step), epochs=4, document=DOCUMENT, unit="batch")
    model = made()
    watcher.set_model(model)
    watcher.begin()
    assert seen == [0] and float(model.optimizer.learning_rate) > 0
    model.fit(X, Y, batch_size=8, epochs=4, verbose=0, callbacks=[watcher])
    assert float(model.optimizer.learning_rate) == 0 and watcher.step == 1


def test_the_learning_rate_changes_while_it_runs() -> None:
    model = made(0.1)
    commands = Commands({"do": "learning_rate", "value": 0.0}, {"do": "step", "unit": "epoch"}, {"do": "stop"}, first=PAUSE)
    before = model.get_weights()
    watcher, _ = watched(model, commands=commands)
    assert float(model.optimizer.learning_rate) == 0 and watcher.epoch == 1
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_stops_within_an_epoch() -> None:
    watcher, said = watched(made(), commands=Commands({"do": "stop"}), unit="batch")
    assert (watcher.asked, watcher.epoch, watcher.step) == ("stop", 0, 1)
    assert points(said)[-1].get("partial")


def test_two_networks_have_no_loss_together() -> None:
    """What a step of its own does not measure is not told, in the midst of an epoch neither."""

    class Game(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.mean = keras.metrics.Mean(name="generator")

        def train_step(self, data: Any) -> Any:
            self.mean.update_state(1.5)
            return {"generator": self.mean.result()}

    model = Game()
    model.compile()
    _, said = watched(model, 2, unit="batch", commands=Commands({"do": "play"}), document={**DOCUMENT, "kind": "adversarial"})
    told = points(said)
    assert any(point.get("partial") for point in told) and all(point["logs"] == {"generator": 1.5} for point in told)


def test_stopped_before_it_began_it_does_not_train() -> None:
    model = made()
    before = model.get_weights()
    watcher, _ = watched(model, commands=Commands({"do": "stop"}, first=PAUSE))
    assert watcher.asked == "stop" and watcher.step == 0
    np.testing.assert_array_equal(before[0], model.get_weights()[0])


def test_what_is_no_matter_of_training_is_passed_on() -> None:
    seen: list[Any] = []
    look = {"do": "look", "sample": 1}
    watched(made(), commands=Commands(look, {"do": "stop"}, first=PAUSE), obey=seen.append)
    assert seen == [look]


def test_long_epochs_are_told_while_they_last_and_paused_soon() -> None:
    class Slow(layers.Layer):
        """Waits on the host."""

        def call(self, x: Any) -> Any:
            time.sleep(0.03)
            return x

    model = keras.Sequential([keras.Input((2,)), Slow(), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    commands = Commands({"do": "stop"})

    def look() -> None:  # the second look is within the epoch
        if watcher.step and not watcher.paused:
            commands.put({"do": "pause"})

    said: list[dict[str, Any]] = []
    watcher = Watcher(lambda kind, **facts: said.append({"kind": kind, **facts}), commands, look, epochs=1, document=DOCUMENT)
    watcher.set_model(model)
    x = np.zeros((400, 2), "float32")
    model.predict(x[:8], verbose=0)
    watcher.begin()
    watcher.fresh = True
    model.fit(x, x[:, :1], batch_size=4, epochs=1, verbose=0, callbacks=[watcher])
    assert watcher.asked == "stop" and 0 < watcher.step < 100
    assert any(point.get("partial") and point["epoch"] == 1 for point in points(said))


def test_nan_ends_the_run_with_its_cause() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="label")])
    model.compile(keras.optimizers.SGD(0.9), "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fit says what it thinks of such data
        watcher, said = watched(model, 50, X * 1e4, Y * 1e4, reach={"inputs": 3e4, "targets": 1e4})
    assert watcher.asked == "trouble" and watcher.epoch < 50
    assert watcher.trouble is not None and watcher.trouble["kind"] == "nan" and watcher.trouble["step"] >= 1
    assert "90 times the usual 0.01 of SGD" in watcher.trouble["text"]
    assert [m["trouble"] for m in said if "trouble" in m] == [watcher.trouble]
    assert all(value is None or math.isfinite(value) for point in points(said) for value in point["logs"].values())


def test_a_loss_that_grows_is_told_once_and_training_goes_on() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(1, name="label")])
    model.compile(keras.optimizers.SGD(1.5), "mse")
    watcher, said = watched(model, 4)
    assert watcher.trouble is not None and watcher.trouble["kind"] == "exploding" and watcher.epoch == 4
    assert sum("trouble" in message for message in said) == 1


def test_looking_takes_little_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now, looks = 0.0, []

    def clock() -> float:
        nonlocal now
        now += 0.002
        return now

    def look() -> None:
        nonlocal now
        looks.append(watcher.step)
        now += 0.05

    monkeypatch.setattr("keraunos.play.watching.time", types.SimpleNamespace(perf_counter=clock))

    model = made()
    watcher = Watcher(lambda kind, **facts: None, Commands(), look, epochs=100, document=DOCUMENT)
    watcher.set_model(model)
    watcher.begin()
    model.fit(X, Y, batch_size=8, epochs=100, verbose=0, callbacks=[watcher])
    assert looks[0] == 0 and len(looks) > 2
    assert watcher.looked <= LOOKING * now + 0.06  # one look is more than its share at first


def test_checkpoints_are_spread_over_the_run() -> None:
    model = made()
    kept = Checkpoints(model)
    assert kept.most == 60
    for epoch in range(1000):
        if epoch % kept.every == 0:
            kept.keep(epoch)
    gaps = np.diff(sorted(kept.kept))
    assert 25 <= len(kept.kept) <= 60 and gaps.max() <= 2 * kept.every and 0 in kept.kept


def test_a_model_that_is_too_large_keeps_no_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.watching.CHECKPOINT_BYTES", 100)
    kept = Checkpoints(made())
    assert not kept.keep(0) and not kept.kept


def test_all_optimizers_of_a_game_are_found() -> None:
    class Game(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.optimizers = {"one": keras.optimizers.Adam(0.1), "other": keras.optimizers.SGD(0.2)}

    assert [type(found).__name__ for found in optimizers(Game())] == ["Adam", "SGD"]
    assert len(optimizers(made())) == 1


def test_logs_are_numbers_of_json() -> None:
    assert plain({"loss": math.nan, "accuracy": 0.123456789, "count": 3, "parts": {"a": 1}}) == {"loss": None, "accuracy": 0.1234568, "count": 3.0}
