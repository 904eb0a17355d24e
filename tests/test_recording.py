"""Callbacks that keep things: backups of a run that is cut off, averages, files of logs, and what is sent to servers."""

from __future__ import annotations

import csv
import functools
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import types
import urllib.parse
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import callbacks, layers
from keraunos.core.errors import ArgumentError, StateError, TrainingError
from keraunos.training.progress import Progress
from tests import killed
from tests.conftest import TRAINING
from tests.killed import X, Y, state

peer = pytest.importorskip("keras")
QUICK = "torch" if "torch" in TRAINING else TRAINING[0]  # an engine that does not compile


@pytest.fixture(params=TRAINING)
def engine(request: Any) -> Any:
    with keras.config.backend_scope(request.param):
        yield request.param


class Cut(callbacks.Callback):
    """Ends a run, as a crash would, at a step counted over all epochs."""

    def __init__(self, step: int):
        self.left = step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise InterruptedError("cut off")


def network(optimizer: Any = None, seed: int = 5, **options: Any) -> Any:
    return killed.network(seed, optimizer, **options)


def run(model: Any, *more: Any, **options: Any) -> Any:
    return killed.fit(model, *more, **options)


@functools.cache
def whole(engine: str) -> tuple[list[Any], list[float]]:
    """The state and losses of a run that is not cut off, step by step."""
    with keras.config.backend_scope(engine):
        model = network()
        curve = run(model, callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)).history["loss"]
        return state(model), curve


@pytest.mark.xdist_group("recording")
@pytest.mark.parametrize(("engine", "save_freq"), [*((e, 3) for e in TRAINING), (QUICK, "epoch"), (QUICK, 1)], indirect=["engine"])
def test_a_run_that_is_cut_off_ends_as_if_it_had_not_been(engine: str, save_freq: Any, tmp_path: pathlib.Path) -> None:
    cuts = np.random.default_rng(len(engine)).integers(1, 9, 3).tolist()  # steps of each attempt; 5 make an epoch
    finished, losses = False, {}
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: losses.__setitem__(epoch, logs["loss"]))
    kept = tmp_path / "run" / "backup.npz"
    for cut in [*cuts, 1000]:
        model = network(seed=99 + cut if kept.exists() else 5)  # weights, seeds and order would be others
        try:
            run(model, callbacks.BackupAndRestore(tmp_path / "run", save_freq=save_freq, double_checkpoint=True), Cut(cut), note)
            finished = True
            break
        except InterruptedError:
            assert save_freq == "epoch" or cut < int(save_freq) or kept.exists()
    assert finished and not (tmp_path / "run").exists()
    ends, curve = whole(engine)
    for a, b in zip(state(model), ends, strict=True):
        np.testing.assert_array_equal(a, b)
    assert [losses[epoch] for epoch in range(4)] == curve


@pytest.mark.xdist_group("recording")
@pytest.mark.skipif("jax" not in TRAINING, reason="jax is not tested")
def test_a_process_that_is_killed(tmp_path: pathlib.Path) -> None:
    """By SIGKILL, then by SIGTERM, which leaves a backup of the very step; this process ends the run."""
    for number, step, seed, code in ((signal.SIGKILL, 7, 5, -9), (signal.SIGTERM, 3, 6, 143)):
        command = [sys.executable, "-m", "tests.killed", "jax", str(tmp_path), "arrays", *(str(int(x)) for x in (number, step, seed))]
        done = subprocess.run(command, cwd=pathlib.Path(__file__).parent.parent, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
    with keras.config.backend_scope("jax"):
        model = network(seed=7)
        assert len(run(model, callbacks.BackupAndRestore(tmp_path / "run", save_freq=2)).epoch) == 4
        for a, b in zip(state(model), whole("jax")[0], strict=True):
            np.testing.assert_array_equal(a, b)


def resumed(make: Any, fit: Any, folder: pathlib.Path, cut: int, **options: Any) -> tuple[Any, Any, Any, Any]:
    """A model and history of a run that was not cut off, and those of one that was and went on."""
    whole = make(5)
    history = fit(whole, callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None))
    with pytest.raises(InterruptedError):
        fit(make(5), callbacks.BackupAndRestore(folder, **options), Cut(cut))
    second = make(77)
    return whole, history, second, fit(second, callbacks.BackupAndRestore(folder, **options))


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(state(a), state(b), strict=True))


def endless() -> Any:
    while True:
        for i in range(0, 40, 8):
            yield X[i : i + 8] * rng_of(i), Y[i : i + 8]


def rng_of(i: int) -> float:
    return 1.0 + i / 100


RUNS: dict[str, Any] = {
    "indexed": (lambda seed: network(seed=seed), lambda m, *c: run(m, *c, data="indexed")),
    "a generator": (lambda seed: network(seed=seed), lambda m, *c: m.fit(endless(), steps_per_epoch=3, epochs=4, verbose=0, callbacks=list(c))),
    "scaled losses": (
        lambda seed: network(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01), dynamic_growth_steps=3), seed, dtype="mixed_float16"),
        lambda m, *c: run(m, *c),
    ),
    "gathered gradients": (lambda seed: network(keras.optimizers.SGD(0.01, momentum=0.9, gradient_accumulation_steps=3), seed), lambda m, *c: run(m, *c)),
}


@pytest.mark.parametrize("kind", RUNS)
def test_all_kinds_of_runs_go_on(kind: str, tmp_path: pathlib.Path) -> None:
    with keras.config.backend_scope(QUICK):
        whole, history, second, later = resumed(*RUNS[kind], tmp_path, 8, save_freq=3)
        assert same(whole, second) and later.history == history.history and later.epoch == history.epoch


class Stopped(callbacks.Callback):
    """Ends a run, as a crash would, after an epoch, before its backup."""

    def __init__(self, epoch: int):
        self.last = epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.last:
            raise InterruptedError


@pytest.mark.parametrize("epoch", [2, 4, 5])
def test_what_callbacks_have_counted_goes_on(epoch: int, tmp_path: pathlib.Path) -> None:
    """Whatever their order: the backup is written after the others have seen the epoch."""
    values = [5.0, 4.0, 4.5, 4.6, 3.0, 3.5, 3.6, 3.7, 3.8, 3.9]

    def fit(folder: pathlib.Path, seed: int, *more: Any) -> Any:
        model = network(keras.optimizers.SGD(0.1, use_ema=True), seed)
        put = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(quality=values[epoch]))
        watching = [
            callbacks.EarlyStopping("quality", patience=4, restore_best_weights=True, mode="min"),
            callbacks.ReduceLROnPlateau("quality", patience=2, cooldown=1, factor=0.5, mode="min"),
            callbacks.ModelCheckpoint(folder / "best.keras", "quality", save_best_only=True, mode="min"),
            callbacks.CSVLogger(folder / "log.csv"),
            callbacks.SwapEMAWeights(swap_on_epoch=True),
        ]
        backup = callbacks.BackupAndRestore(folder / "run")
        return model, model.fit(X, Y, batch_size=20, epochs=10, verbose=0, callbacks=[backup, put, *watching, *more])

    with keras.config.backend_scope(QUICK):
        for folder in (tmp_path / "a", tmp_path / "b"):
            folder.mkdir()
        whole, history = fit(tmp_path / "a", 5)
        with pytest.raises(InterruptedError):
            fit(tmp_path / "b", 5, Stopped(epoch))
        second, later = fit(tmp_path / "b", 99)
        assert same(whole, second) and later.history == history.history and len(history.epoch) == 9
        assert (tmp_path / "a" / "log.csv").read_text() == (tmp_path / "b" / "log.csv").read_text()
        best = [keras.models.load_model(folder / "best.keras").get_weights() for folder in (tmp_path / "a", tmp_path / "b")]
        assert all(np.array_equal(a, b) for a, b in zip(*best, strict=True))


def test_a_run_that_a_callback_had_ended_is_not_gone_on_with(tmp_path: pathlib.Path) -> None:
    class End(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs: Any = None) -> None:
            if self.model.position.ended and not (tmp_path / "died").exists():
                (tmp_path / "died").touch()
                raise InterruptedError

    former = signal.getsignal(signal.SIGTERM)
    with keras.config.backend_scope(QUICK), pytest.raises(InterruptedError):
        run(network(), callbacks.BackupAndRestore(tmp_path / "run"), End())
    assert signal.getsignal(signal.SIGTERM) == former and (tmp_path / "run" / "backup.npz").exists()  # all callbacks end; nothing is lost
    with keras.config.backend_scope(QUICK):
        assert run(network(), callbacks.BackupAndRestore(tmp_path / "run"), End()).epoch == [0, 1]


@pytest.mark.xdist_group("recording")
@pytest.mark.parametrize(("engine", "save_freq"), [*((e, "epoch") for e in TRAINING), (QUICK, False)], indirect=["engine"])
def test_sigterm_ends_the_batch_saves_and_leaves(engine: str, save_freq: Any, tmp_path: pathlib.Path) -> None:
    def terminate(*_: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def fit(model: Any, *more: Any) -> Any:
        return run(model, callbacks.BackupAndRestore(tmp_path / "run", save_freq), *more)

    former = signal.getsignal(signal.SIGTERM)
    first = network()
    with pytest.raises(SystemExit) as left:
        fit(first, callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: terminate() if epoch == 2 else None))
    assert left.value.code == 143 and signal.getsignal(signal.SIGTERM) is former and (tmp_path / "run" / "backup.npz").exists()
    assert 11 <= int(first.optimizer.iterations.numpy()) <= 15
    second = network(seed=9)
    fit(second)
    for a, b in zip(state(second), whole(engine)[0], strict=True):  # one step at a time, or many: not to the bit
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_sigterm_elsewhere(tmp_path: pathlib.Path) -> None:
    """At the end of an epoch; with a handler of the program's own; in a thread, which may not have one."""
    called: list[int] = []
    former = signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    try:
        with keras.config.backend_scope(QUICK):
            end = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: os.kill(os.getpid(), signal.SIGTERM) if epoch == 1 else None)
            assert len(run(network(), callbacks.BackupAndRestore(tmp_path / "a", delete_checkpoint=False), end).epoch) == 4 and called == [signal.SIGTERM]

            def inside() -> None:
                with keras.config.backend_scope(QUICK):
                    run(network(), callbacks.BackupAndRestore(tmp_path / "b"), epochs=1)
                called.append(0)

            thread = threading.Thread(target=inside)
            thread.start()
            thread.join()
            assert called == [signal.SIGTERM, 0]
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            twice = callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: [os.kill(os.getpid(), signal.SIGTERM) for _ in range(2)])
            with pytest.raises(SystemExit):
                run(network(), callbacks.BackupAndRestore(tmp_path / "c"), twice)
            assert not (tmp_path / "c").exists()
    finally:
        signal.signal(signal.SIGTERM, former)


def test_streams_go_on_too(tmp_path: pathlib.Path) -> None:
    def batches() -> Any:
        for i in range(0, 40, 8):
            yield X[i : i + 8], Y[i : i + 8]

    def fit(model: Any, *more: Any) -> None:
        model.fit(batches(), epochs=1, verbose=0, callbacks=list(more))

    whole, first, second = network(), network(), network(seed=8)
    fit(whole)
    with pytest.raises(InterruptedError):
        fit(first, callbacks.BackupAndRestore(tmp_path, save_freq=1), Cut(3))
    fit(second, callbacks.BackupAndRestore(tmp_path, save_freq=1))
    for a, b in zip(state(second), state(whole), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_backups_that_cannot_be_used(tmp_path: pathlib.Path) -> None:
    def backup(**options: Any) -> Any:
        return callbacks.BackupAndRestore(tmp_path, save_freq=1, **options)

    for _ in range(2):
        with pytest.raises(InterruptedError):
            run(network(), backup(double_checkpoint=True), Cut(3))
    (tmp_path / "backup.npz").write_bytes(b"PK cut off")
    model = network()
    run(model, backup(double_checkpoint=True, delete_checkpoint=False))  # the second one serves
    assert int(model.optimizer.iterations.numpy()) == 20
    for path in tmp_path.iterdir():
        path.write_bytes(b"PK cut off")
    with pytest.raises(StateError, match="The backup cannot be read"):
        run(network(), backup())
    for path in tmp_path.iterdir():
        path.unlink()
    with pytest.raises(InterruptedError):
        run(network(), backup(), Cut(3))
    other = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    other.compile("sgd", "mse")
    before = other.get_weights()
    with pytest.raises(StateError, match="The backup is of another model"):
        run(other, backup())
    assert all(np.array_equal(a, b) for a, b in zip(other.get_weights(), before, strict=True))
    for wrong in (0, "batch", True, 1.5):
        with pytest.raises(ArgumentError, match="save_freq is 'epoch'"):
            callbacks.BackupAndRestore(tmp_path, save_freq=wrong)


def test_evaluation_with_moving_averages(engine: str) -> None:
    seen: dict[str, Any] = {}

    class Look(callbacks.Callback):
        def on_test_begin(self, logs: Any = None) -> None:
            seen["evaluated"] = self.model.layers[0].kernel.numpy()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen["saved"] = self.model.layers[0].kernel.numpy()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen["trained"], seen["mean"] = self.model.layers[0].kernel.numpy(), self.model.optimizer._averages[0].numpy()

    model = network()
    for on_epoch in (False, True):
        model.fit(X, Y, validation_data=(X.copy(), Y), verbose=0, callbacks=[callbacks.SwapEMAWeights(on_epoch), Look()])
        np.testing.assert_array_equal(seen["evaluated"], seen["mean"])
        np.testing.assert_array_equal(seen["saved"], seen["mean"] if on_epoch else seen["trained"])
        np.testing.assert_array_equal(model.optimizer._averages[0].numpy(), seen["mean"])
    with pytest.raises(StateError, match="keeps no moving averages"):
        run(network("sgd"), callbacks.SwapEMAWeights())


def test_logs_in_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "logs" / "log.csv"
    path.parent.mkdir()  # which Keras does not

    def fit(library: Any, log: Any, **options: Any) -> None:
        model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        model.set_weights([np.ones((3, 1)), np.ones(1)])
        model.fit(X, Y, verbose=0, shuffle=False, callbacks=[log], **options)

    texts = []
    for library in (peer, keras):
        fit(library, library.callbacks.CSVLogger(str(path)), epochs=2, validation_data=(X.copy(), Y))
        fit(library, library.callbacks.CSVLogger(str(path), append=True), epochs=1)
        texts.append(list(csv.reader(path.read_text().splitlines())))
    assert texts[0][0] == texts[1][0] and len(texts[0]) == len(texts[1]) == 4
    for theirs, ours in zip(texts[0][1:], texts[1][1:], strict=True):
        for a, b in zip(theirs, ours, strict=True):
            assert a == b or abs(float(a) - float(b)) < 1e-5
    with pytest.raises(ArgumentError, match="has no column for 'val_loss'"):
        fit(keras, callbacks.CSVLogger(path), epochs=2, validation_data=(X.copy(), Y), validation_freq=2)
    fit(keras, callbacks.CSVLogger(tmp_path / "new" / "log.csv"))
    assert (tmp_path / "new" / "log.csv").exists()
    with pytest.raises(ArgumentError, match="one character"):
        callbacks.CSVLogger(path, separator=", ")


def test_logs_on_a_server() -> None:
    received: list[tuple[str, Any]] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            text = body if "json" in self.headers["Content-Type"] else urllib.parse.parse_qs(body)["data"][0]
            received.append((self.path, json.loads(text)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    def add(epoch: int, logs: Any) -> None:
        logs["speed"] = np.float32(0.5)

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        for as_json in (False, True):
            run(network("sgd"), callbacks.LambdaCallback(on_epoch_end=add), callbacks.RemoteMonitor(root, send_as_json=as_json), epochs=2)
        server.shutdown()
    assert [logs["epoch"] for _, logs in received] == [0, 1, 0, 1] and all(
        path == "/publish/epoch/end/" and "mae" in logs and logs["speed"] == 0.5 for path, logs in received
    )
    with pytest.warns(UserWarning, match="could not reach") as warned:
        run(network("sgd"), callbacks.RemoteMonitor(root), epochs=2)
    assert len(warned) == 1
    with pytest.raises(ArgumentError, match="URL of an HTTP server"):
        callbacks.RemoteMonitor("file:///etc/passwd")


def test_events_for_tensorboard(engine: str, tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = keras.Sequential([keras.Input((3,), dtype="int32"), layers.Embedding(5, 2, name="words"), layers.Flatten(), layers.Dense(1, name="last")])
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5, staircase=True)
    model.compile(keras.optimizers.SGD(rate), "mse")
    log = callbacks.TensorBoard(tmp_path, histogram_freq=2, update_freq=2, write_images=True, write_steps_per_second=True, embeddings_freq=1)
    x = np.random.default_rng(0).integers(0, 5, (40, 3))
    history = model.fit(x, Y, batch_size=8, epochs=3, validation_data=(x.copy(), Y), verbose=0, callbacks=[log]).history

    def read(folder: str) -> Any:
        events = EventAccumulator(str(tmp_path / folder), size_guidance={"tensors": 0})
        events.Reload()
        kinds = {tag: events.SummaryMetadata(tag).plugin_data.plugin_name for tag in events.Tags()["tensors"]}
        return kinds, {tag: [(e.step, e.tensor_proto) for e in events.Tensors(tag)] for tag in kinds}

    kinds, values = ({tag.removeprefix(f"{model.name}/"): v for tag, v in found.items()} for found in read("train"))
    assert kinds["keras"] == "graph_keras_model" and kinds["last/kernel/histogram"] == "histograms" and kinds["words/embeddings/image"] == "images"
    assert json.loads(values["keras"][0][1].string_val[0])["class_name"] == "Sequential"
    scalars = {tag: [(step, proto.float_val[0]) for step, proto in values[tag]] for tag, kind in kinds.items() if kind == "scalars"}
    assert [step for step, _ in scalars["batch_loss"]] == [2, 4, 6, 8, 10, 12, 14]
    np.testing.assert_allclose([v for _, v in scalars["epoch_loss"]], history["loss"], rtol=1e-6)
    np.testing.assert_allclose([v for _, v in scalars["epoch_learning_rate"]], [0.05, 0.025, 0.0125], rtol=1e-6)
    assert all(v > 0 for _, v in scalars["epoch_steps_per_second"])
    assert [step for step, _ in values["last/kernel/histogram"]] == [0, 2]
    width, height, picture = values["words/embeddings/image"][0][1].string_val
    assert (width, height, picture[1:4]) == (b"2", b"5", b"PNG")
    _, held_out = read("validation")
    np.testing.assert_allclose([proto.float_val[0] for _, proto in held_out["epoch_loss"]], history["val_loss"], rtol=1e-6)
    assert [step for step, _ in held_out["evaluation_loss_vs_iterations"]] == [5, 10, 15]
    np.testing.assert_allclose(np.loadtxt(tmp_path / "train" / "words.tsv"), model.layers[0].embeddings.numpy(), rtol=1e-6)
    assert "words.tsv" in (tmp_path / "train" / "projector_config.pbtxt").read_text()
    for wrong in ({"profile_batch": 2}, {"update_freq": 0}):
        with pytest.raises(ArgumentError):
            callbacks.TensorBoard(**wrong)


def test_weights_that_are_not_finite_are_no_end_of_histograms(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("tensorboard")
    log, written = callbacks.TensorBoard(tmp_path, write_images=True), []
    log._writers["train"] = types.SimpleNamespace(write=lambda kind, tag, value, step: written.append((kind, tag, value)))  # type: ignore[assignment]
    values = {"kernel": [[1.0, np.nan], [np.inf, 3.0]], "lost": [np.nan, np.nan], "empty": np.zeros((0, 2))}
    log.model = types.SimpleNamespace(weights=[keras.Variable(value, name=name) for name, value in values.items()])
    log._write_weights(0)
    assert [(kind, tag) for kind, tag, _ in written] == [("histogram", "kernel/histogram"), ("image", "kernel/image")]
    assert written[0][2][:, 2].sum() == 2 and written[0][2][0, 0] == 1 and written[0][2][-1, 1] == 3


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:learning_rate=1e")  # the first of NumPy, which is PyTensor's engine
def test_losses_that_are_not_finite(engine: str) -> None:
    model = network(keras.optimizers.SGD(1e20))
    start = model.get_weights()
    for raise_error in (False, True):
        model.set_weights(start)
        stop = callbacks.TerminateOnNaN(raise_error)
        if raise_error:
            with pytest.raises(TrainingError, match="training has stopped"):
                run(model, stop)
        else:
            with pytest.warns(UserWarning, match="The loss became"):
                run(model, stop)
            assert model.stop_training


@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_progress_in_a_loop_of_ones_own(verbose: int, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(Progress, "due", lambda self: self.verbose == 1)
    shown = callbacks.CallbackList(add_progbar=True, verbose=verbose, epochs=2, steps=3)
    for epoch in range(2):
        shown.on_epoch_begin(epoch)
        for batch in range(3):
            shown.on_train_batch_end(batch, {"loss": 0.5 - batch / 10})
        shown.on_test_begin()
        shown.on_test_batch_end(0, {"loss": 7.0})
        shown.on_test_end({"loss": 7.0})
        shown.on_epoch_end(epoch, {"loss": 0.25, "val_loss": 7.0})
    shown.on_test_begin()
    shown.on_test_batch_end(4, {"loss": 0.125})
    shown.on_test_end({"loss": 0.125})
    lines = [re.sub(r"\d+(\.\d+)?(ms|s)\b", "T", line.rpartition("\r")[2]) for line in capsys.readouterr().out.split("\n")[:-1]]
    steps = ["3/3 ", "5/5 "] if verbose == 1 else ["", ""]
    ends = [f"Epoch {n}/2 {steps[0]}T T/step - loss: 0.2500 - val_loss: 7.0000" for n in (1, 2)]
    assert lines == ([] if not verbose else [*ends, f"Evaluate {steps[1]}T T/step - loss: 0.1250"])


def test_progress_may_be_asked_for(capsys: Any) -> None:
    network("sgd").fit(X, Y, verbose=2, callbacks=[callbacks.ProgbarLogger()])
    assert capsys.readouterr().out.count("loss:") == 1
