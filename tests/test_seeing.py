"""What is seen of a run: progress in terminals, pipes and notebooks, and the chart of its history."""

from __future__ import annotations

import contextlib
import io
import math
import os
import pathlib
import re
import sys
import types
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.callbacks import History
from keraunos.callbacks.charts import ticks
from keraunos.core.errors import ArgumentError, StateError
from keraunos.training.progress import Progress, duration
from tests.conftest import TRAINING

X, Y = np.random.default_rng(0).normal(size=(20, 3)).astype("float32"), np.ones((20, 1), "float32")
QUICK = "torch" if "torch" in TRAINING else TRAINING[0]


def fit(**options: Any) -> Any:
    with keras.backend_scope(QUICK):
        model = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        return model.fit(X, Y, **{"epochs": 3, "batch_size": 8, "validation_data": (X.copy(), Y), **options})


# ---- charts ----
def logs(**values: list[Any]) -> History:
    history = History()
    for epoch in range(max(map(len, values.values()))):
        history.on_epoch_end(epoch, {name: v[epoch] for name, v in values.items() if epoch < len(v) and v[epoch] is not None})
    return history


def drawn(chart: Any) -> Any:
    """The picture as a tree, whose marks have no namespace."""
    return ET.fromstring(chart.svg().replace('xmlns="http://www.w3.org/2000/svg"', ""))


def texts(tree: Any) -> str:
    return " | ".join("".join(e.itertext()) for e in tree.iter("text"))


def test_a_chart_of_a_run(tmp_path: pathlib.Path) -> None:
    history = fit(verbose=0, validation_freq=2, epochs=4)
    chart = history.plot(tmp_path / "curves.svg")
    tree = drawn(chart)
    assert len(tree.findall("g")) == 2 and "loss" in texts(tree) and "mae" in texts(tree) and "validation" in texts(tree)
    assert "loss from" in tree.get("aria-label") and "val_loss from" in tree.get("aria-label")
    said = [e.text for e in tree.iter("title")]
    assert f"val_mae, epoch 4: {history.history['val_mae'][1]:.6g}" in said and f"mae, epoch 4: {history.history['mae'][3]:.6g}" in said
    alone = (tmp_path / "curves.svg").read_text()
    assert "prefers-color-scheme:dark" in alone and "prefers-color-scheme" not in history._repr_html_()  # which a page's own style colours
    ET.fromstring(alone)
    assert len(drawn(history.plot(names="loss")).findall("g")) == 1


@pytest.mark.parametrize(
    "values,scale,words",
    [
        ({"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0]}, "auto", ["best: 1.5 (epoch 2)"]),
        ({"accuracy": [0.1, 0.9, 0.5]}, "auto", ["best: 0.9 (epoch 2)", "| 0.2 |"]),
        ({"loss": [100.0, 1.0, 0.01]}, "auto", ["loss (log)", "| 0.1 |", "| 10 |"]),
        ({"loss": [100.0, 1.0, 0.01]}, "linear", ["loss |", "| 50 |"]),
        ({"loss": [4.0, 3.0, 2.5]}, "log", ["loss (log)"]),
        ({"loss": [1.0, 0.0, -1.0]}, "log", ["loss |"]),  # which has no logarithm
        ({"loss": [2.0, math.nan, math.inf, 1.0]}, "auto", ["best: 1 (epoch 4)"]),
        ({"loss": [0.34, 0.31]}, "log", ["loss (log)", "| 0.31 |", "| 0.33 |"]),  # between two powers of ten
        ({"loss": [5e-14, 1e-14]}, "auto", ["| 2e-14 |", "| 4e-14 |"]),
        ({"rate": list(np.float32([0.5, 0.25]))}, "auto", ["rate"]),
        ({"loss": [math.nan, math.nan]}, "auto", ["loss"]),
        ({"loss": [0.0, 0.0]}, "auto", ["loss"]),
        ({"loss": [1.0]}, "auto", ["| 1 |"]),
        ({"<b>&": [1.0, 2.0]}, "auto", ["<b>&"]),
    ],
)
def test_charts_are_readable(values: Any, scale: str, words: list[str]) -> None:
    tree = drawn(logs(**values).plot(scale=scale))
    assert all(word in texts(tree) for word in words), texts(tree)
    numbers = [float(n) for e in tree.iter() for name in ("x", "y", "cx", "cy") if (n := e.get(name))]
    assert all(0 <= n <= 400 for n in numbers)


def test_gaps_dashes_and_two_runs() -> None:
    history = logs(loss=[2.0, math.nan, 1.0], val_loss=[2.0, 2.0, 2.0])
    solid, dashed = (e for e in drawn(history.plot()).iter("path") if e.get("stroke-width") == "2" and e.get("d").count(" ") > 1)
    assert solid.get("d").count("M") == 2 and solid.get("stroke-dasharray") is None
    assert dashed.get("d").count("M") == 1 and dashed.get("stroke-dasharray") and solid.get("stroke") != dashed.get("stroke")
    (alone,) = drawn(history.plot(names="val_loss")).findall("g")
    assert "val_loss" in texts(alone) and [e.get("stroke-dasharray") for e in alone.iter("path") if e.get("stroke-width") == "2"] == ["6 4"]
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 0.5})
    assert "loss, epoch 4: 0.5" in [e.text for e in drawn(history.plot()).iter("title")]


def test_what_cannot_be_drawn(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StateError, match="no epoch has ended"):
        History().plot()
    assert History()._repr_html_() is None
    history = logs(loss=[1.0], per_class=[[0.5, 0.5]])
    assert "per_class" not in texts(drawn(history.plot()))
    history.history["loss"].append(0.5)  # by hand
    assert "loss, epoch 2: 0.5" in [e.text for e in drawn(history.plot()).iter("title")]
    for options, words in (
        ({"names": ["los"]}, "Did you mean 'loss'"),
        ({"names": []}, "no log to plot"),
        ({"path": tmp_path / "a.png"}, "a.svg"),
        ({"scale": "logarithm"}, "scale"),
    ):
        with pytest.raises(ArgumentError, match=words):
            history.plot(**options)


def test_ticks() -> None:
    assert ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10] and ticks(3, 3, 5) == [3] and ticks(-1, 1, 4) == [-1, -0.5, 0, 0.5, 1]


# ---- progress ----
class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [30, 60, 120])
def test_a_terminal(columns: int, monkeypatch: Any) -> None:
    """What is drawn over fits into a line; the last line of an epoch is whole."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    now = iter(np.arange(0, 1000, 0.5))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(now)))
    progress = Progress("auto", epochs=100)
    for epoch in range(2):
        progress.begin(epoch, 10)
        for done in range(1, 11):
            if progress.due():
                progress.draw(done, {"loss": 0.5, "accuracy": 0.25, "a_long_name": 123456.0})
        progress.end(10, {"loss": 0.5, "accuracy": 0.25})
    _, second, _ = terminal.getvalue().split("\n")
    redraws = second.split("\r")[1:-1]
    assert len(redraws) > 3 and all(len(line) < columns for line in redraws)
    assert second.split("\r")[-1].startswith("Epoch 2/100 10/10 ") and second.endswith("loss: 0.5000 - accuracy: 0.2500")
    if columns == 120:
        assert re.search(r"━+─+ \d+/10 [\d.]+s/step \d+s left of (\d+m\d\ds|\d+s) - loss: 0.5000", redraws[2]), redraws[2]


def test_predictions_in_groups_are_counted_by_batch(monkeypatch: Any) -> None:
    terminal = Terminal()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=2)
    monkeypatch.setattr(sys, "stdout", terminal)
    model.predict(np.ones((5, 2)), batch_size=1)
    assert "Predict 5/5 " in terminal.getvalue().split("\r")[-1]


def test_other_words_are_refused() -> None:
    for verbose in ("yes", 3, None):
        with pytest.raises(ArgumentError, match="verbose is 0, 1, 2 or 'auto'"):
            Progress(verbose)


def test_a_pipe(capsys: Any) -> None:
    for verbose in ("auto", 2, 1, 0):
        fit(verbose=verbose)
        out = capsys.readouterr().out
        assert out.count("\n") == (3 if verbose else 0) and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)
        assert not verbose or re.match(r"Epoch 1/3 (3/3 )?\S+ \S+/step - loss: [\d.]+ - mae: [\d.]+ - val_loss: [\d.]+ - val_mae", out)


def test_durations() -> None:
    assert [duration(s) for s in (0.0123, 1.5, 3, 75.2, 130, 7300)] == ["12ms", "1.5s", "3s", "75s", "2m10s", "2h01m"]


def test_a_notebook(monkeypatch: Any, capsys: Any) -> None:
    """One output, drawn over a few times a second, with the chart from the second epoch on; the last epoch is always there."""
    shown: list[Any] = []

    class ZMQInteractiveShell:
        pass

    class Handle:
        def update(self, bundle: Any, raw: bool) -> None:
            shown.append(bundle)

    def display(bundle: Any, raw: bool, display_id: bool) -> Handle:
        shown.append(bundle)
        return Handle()

    python = types.ModuleType("IPython")
    vars(python).update(get_ipython=ZMQInteractiveShell, display=types.ModuleType("IPython.display"))
    vars(python.display).update(display=display)
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", python.display)
    history = fit(epochs=30)
    assert 1 <= len(shown) < 30 and capsys.readouterr().out == ""
    last = shown[-1]
    assert last["text/plain"].startswith("Epoch 30/30") and "<svg" in last["text/html"] and "<pre>Epoch 30/30" in last["text/html"]
    assert f"loss, epoch 30: {history.history['loss'][-1]:.6g}" in last["text/html"]
    shown.clear()
    with keras.backend_scope(QUICK):
        history.model.evaluate(X, Y)
    assert not shown and "Evaluate" in capsys.readouterr().out  # a line is enough
    assert fit(epochs=2, verbose=0) and not shown


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
def test_a_real_terminal(monkeypatch: Any) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        fit(epochs=2)
        monkeypatch.undo()
    pieces = []
    with contextlib.suppress(OSError):  # when all is read; one read gives what a buffer of the terminal holds
        while piece := os.read(master, 1 << 16):
            pieces.append(piece)
    os.close(master)
    seen = b"".join(pieces).decode()
    assert seen.count("\n") == 2 and "Epoch 2/2 3/3" in seen and "val_mae" in seen
