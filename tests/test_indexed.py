"""Data whose batches are made by number: in order, by workers, and when a worker fails or dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DataError
from keraunos.data.indexed import IndexedSource
from keraunos.utils import PyDataset

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes of workers find this module."""
    monkeypatch.syspath_prepend(str(ROOT))


class Numbers(PyDataset):
    """Batch `i` holds the number i; one of them may fail or end its process."""

    def __init__(self, count: Any = 6, fail: int = -1, kill: int = -1, **options: Any):
        super().__init__(**options)
        self.count, self.fail, self.kill, self.ended = count, fail, kill, 0

    @property
    def num_batches(self) -> Any:
        return self.count

    def __getitem__(self, index: int) -> Any:
        time.sleep(0.01 * (index % 3))  # so that workers would end out of order
        if index == self.fail:
            raise KeyError("no such picture")
        if index == self.kill and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.full((2, 1), index, "float32"), np.full((2, 1), 2 * index, "float32")


class Counting(Numbers):
    """Counts the epochs that it was told of."""

    def on_epoch_end(self) -> None:
        self.ended += 1


WORKERS = {"none": {}, "threads": {"workers": 3, "max_queue_size": 2}, "processes": {"workers": 2, "use_multiprocessing": True}}


def seen(source: IndexedSource, epoch: int = 0) -> list[int]:
    return [int(x[0, 0]) for x, *_ in source.batches(epoch)]


@pytest.mark.parametrize("workers", WORKERS)
def test_batches_come_in_order(workers: str) -> None:
    source = IndexedSource(Numbers(**WORKERS[workers]))
    assert source.steps == 6 and int(source.head[0][0, 0]) == 0
    assert seen(source) == seen(source, 1) == [0, 1, 2, 3, 4, 5]
    shuffled = IndexedSource(Numbers(**WORKERS[workers]), shuffle=True)
    first, second = seen(shuffled), seen(shuffled, 1)
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4, 5] and first != second


class Begun(Numbers):
    """Another order in each epoch, made when it begins."""

    start = 0

    def on_epoch_begin(self) -> None:
        self.start += 2

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__((index + self.start) % self.count)


class Numbered(Numbers):
    """An order that follows from the number of the epoch."""

    epoch = 7

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> Any:
        return super().__getitem__((index + self.epoch) % self.count)


@pytest.mark.parametrize("workers", WORKERS)
def test_the_batch_for_checks_is_of_no_other_epoch(workers: str) -> None:
    """Else an epoch would have samples twice, and others never."""
    begun = IndexedSource(Begun(**WORKERS[workers]))
    assert int(begun.head[0][0, 0]) == 0
    assert [seen(begun), seen(begun, 1)] == [[2, 3, 4, 5, 0, 1], [4, 5, 0, 1, 2, 3]]
    numbered = IndexedSource(Numbered(**WORKERS[workers]))
    assert int(numbered.head[0][0, 0]) == 0 and [seen(numbered), seen(numbered, 1)] == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]]
    late = IndexedSource(Numbered(**WORKERS[workers]))
    assert int(late.head[0][0, 0]) == 0 and seen(late, 3) == [3, 4, 5, 0, 1, 2]
    begun.close(), numbered.close(), late.close()


def test_an_epoch_goes_on_where_the_last_one_ended() -> None:
    source = IndexedSource(Numbers(5), steps=2)
    assert [seen(source, epoch) for epoch in range(4)] == [[0, 1], [2, 3], [4, 0], [1, 2]]


@pytest.mark.parametrize("workers", WORKERS)
def test_what_a_batch_raises_is_told(workers: str) -> None:
    with pytest.raises(KeyError, match="no such picture") as caught:
        seen(IndexedSource(Numbers(fail=4, **WORKERS[workers])))
    assert any("Numbers[4]" in note for note in caught.value.__notes__)


def test_a_worker_that_dies_is_told_soon() -> None:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    data = Numbers(count=40, kill=20, workers=2, use_multiprocessing=True)
    started = time.perf_counter()
    with pytest.raises(DataError, match="A worker process of Numbers died") as caught:
        model.fit(data, verbose=0, shuffle=False)
    named = re.search(r"Where: Numbers\[(\d+)\] or one of the (\d+) batches after it", str(caught.value))
    assert named is not None and 0 < int(named[1]) <= 20 <= int(named[1]) + int(named[2])
    assert time.perf_counter() - started < 30  # workers begin with an import


SCRIPT = """
import os, sys
from tests.test_indexed import *
if __name__ == "__main__":
    with contextlib.closing(IndexedSource(Numbers(count=500, workers=2, use_multiprocessing=True))) as source:  # as a run closes it
        for x, *_ in source.batches(0):
            if int(x[0, 0]) == 3:
                import multiprocessing
                print(*(p.pid for p in multiprocessing.active_children()), flush=True)
                os.kill(*KILLED)
"""
ENDS = {"killed": ("(os.getpid(), signal.SIGKILL)", -9), "by Ctrl-C": ("(0, signal.SIGINT)", -2)}  # which goes to the whole group of processes


@pytest.mark.parametrize("end", ENDS)
def test_no_worker_outlives_its_parent(tmp_path: pathlib.Path, end: str) -> None:
    killed, code = ENDS[end]
    (tmp_path / "script.py").write_text(SCRIPT.replace("KILLED", killed))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, tmp_path / "script.py"], env=environment, capture_output=True, text=True, start_new_session=True, timeout=100)
    workers = [int(pid) for pid in done.stdout.split()]
    assert done.returncode == code and workers, done.stderr
    assert done.stderr.count("Traceback") == (code == -2), done.stderr  # workers leave Ctrl-C to their parent

    def living() -> list[int]:
        return [pid for pid in workers if (stat := pathlib.Path(f"/proc/{pid}/stat")).exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"]

    for _ in range(100):
        if not living():
            return
        time.sleep(0.1)
    raise AssertionError(f"{living()} are still there")


def stopping(batch: int, logs: Any) -> None:
    raise KeyboardInterrupt


def killing(batch: int, logs: Any) -> None:
    for process in multiprocessing.active_children():
        os.kill(process.pid or 0, signal.SIGKILL)


STOPS = {"it ends": (None, None), "by Ctrl-C": (stopping, KeyboardInterrupt), "its workers are killed": (killing, DataError)}


@pytest.mark.parametrize("stop", STOPS)
def test_no_worker_outlives_a_run(stop: str) -> None:
    action, error = STOPS[stop]
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=action)]
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        model.fit(Numbers(40 if error else 4, workers=1, use_multiprocessing=True), callbacks=callbacks, verbose=0)
    for _ in range(100):
        if not multiprocessing.active_children():
            return
        time.sleep(0.1)
    raise AssertionError(multiprocessing.active_children())


class Unsendable(Numbers):
    """Holds what no other process can have."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.lock = threading.Lock()


def test_data_that_cannot_be_sent_to_workers() -> None:
    with pytest.raises(DataError, match=r"Unsendable cannot be sent to worker processes: cannot pickle .*lock") as caught:
        seen(IndexedSource(Unsendable(workers=2, use_multiprocessing=True)))
    assert "use_multiprocessing=False" in str(caught.value) and not multiprocessing.active_children()
    assert seen(IndexedSource(Unsendable(workers=2))) == [0, 1, 2, 3, 4, 5]


class Uneven(Numbers):
    """One of its batches has other parts, or none."""

    def __getitem__(self, index: int) -> Any:
        x, y = super().__getitem__(index)
        return ((x,) if self.fail == -1 else (x[:0], y[:0])) if index == 3 else (x, y)


@pytest.mark.parametrize("options,words", [({}, "another structure"), ({"fail": -2}, "no samples")])
def test_a_batch_that_is_unlike_the_others_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        seen(IndexedSource(Uneven(**options), convert=lambda batch: batch))
    assert caught.value.where == "Uneven[3]"


def test_fit_evaluate_and_predict(backend: Any) -> None:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    data = Counting(workers=2)
    if backend.name != "numpy":
        history = model.fit(data, epochs=2, validation_data=Numbers(2), verbose=0)
        assert data.ended == 2 and len(history.history["val_loss"]) == 2
    model.set_weights([[[2.0]], [0.0]])
    assert model.evaluate(Numbers(4), verbose=0) == 0
    assert model.predict(Numbers(3), verbose=0)[:, 0].tolist() == [0, 0, 2, 2, 4, 4]


def test_data_without_an_end() -> None:
    source = IndexedSource(Numbers(None), steps=3)
    assert seen(source) == [0, 1, 2] and seen(source, 1) == [3, 4, 5]
    for endless in (Numbers(None), Numbers(sys.maxsize)):
        assert seen(IndexedSource(endless, steps=2, shuffle=True), 2) == [4, 5]
        with pytest.raises(ArgumentError, match="Numbers has no end"):
            IndexedSource(endless)


def test_mistakes() -> None:
    with pytest.raises(ArgumentError, match="steps_per_epoch=9, but Numbers has 6 batches"):
        IndexedSource(Numbers(), steps=9)
    with pytest.raises(DataError, match="Numbers has no batches"):
        IndexedSource(Numbers(0))
    with pytest.raises(DataError, match="does not say how many batches"):
        IndexedSource(PyDataset())
    with pytest.raises((ArgumentError, ArgumentTypeError), match="PyDataset: workers must be"):
        PyDataset(workers=-1)
    with pytest.raises(NotImplementedError, match="defines no __getitem__"):
        PyDataset()[0]
    assert keras.utils.Sequence is PyDataset
