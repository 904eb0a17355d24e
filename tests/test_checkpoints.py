"""Checkpoints of long runs: written in the background, to URLs, the last and the best of them kept."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.callbacks import BackupAndRestore, LambdaCallback, ModelCheckpoint, OrbaxCheckpoint, checkpoints
from keraunos.core.errors import ArgumentError, KeraunosError, ModelFileError
from keraunos.saving.background import Background
from keraunos.saving.remote import URL, is_url
from tests.conftest import TRAINING
from tests.regression import QUICK, fit, network


def state(model: Any) -> list[Any]:
    return [v.numpy() for v in model.run_variables]


def same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(np.array_equal, a, b))


def names(folder: pathlib.Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def quality(*values: float) -> LambdaCallback:
    """Puts values into the logs."""
    left = iter(values)
    return LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(quality=next(left)))


@pytest.fixture(autouse=True)
def no_thread_stays() -> Any:
    before = set(threading.enumerate())
    yield
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("keraunos-writer")]


@pytest.fixture
def held(monkeypatch: Any) -> threading.Event:
    """What the background writes waits for this."""
    event, publish = threading.Event(), checkpoints._publish

    def late(*args: Any) -> None:
        assert event.wait(60)
        publish(*args)

    monkeypatch.setattr(checkpoints, "_publish", late)
    return event


@pytest.mark.parametrize("engine", TRAINING)
def test_what_is_written_later_is_the_moment(engine: str, tmp_path: pathlib.Path, held: threading.Event) -> None:
    """Also where steps change variables in place, or give up their old values."""
    with keras.backend_scope(engine):
        model, kept = network(), []
        look = LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append(model.get_weights()), on_train_end=lambda logs: held.set())
        whole = ModelCheckpoint(tmp_path / "{epoch}.keras", asynchronous=True)
        weights = ModelCheckpoint(tmp_path / "{epoch}.safetensors", save_weights_only=True, asynchronous=True)
        change = LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model.layers[2], "rate", 0.5))
        fit(model, look, whole, weights, change, epochs=2)
        assert names(tmp_path) == ["1.keras", "1.safetensors", "2.keras", "2.safetensors"] and not same(kept[0], kept[1])
        for epoch, rate in enumerate((0.2, 0.5)):
            copy, other = keras.models.load_model(tmp_path / f"{epoch + 1}.keras"), network()
            other.load_weights(tmp_path / f"{epoch + 1}.safetensors")
            assert copy.layers[2].rate == rate
            for found in (copy, other):
                assert same(found.get_weights(), kept[epoch])
            assert int(copy.optimizer.iterations.numpy()) == 3 * (epoch + 1)


STAY = {
    "the last": ({"keep_last": 2}, [4, 5]),
    "the best": ({"keep_best": 2}, [2, 4]),
    "the best, of the largest": ({"keep_best": 1, "mode": "max"}, [1]),
    "the last and the best": ({"keep_last": 1, "keep_best": 1}, [2, 5]),
    "the last of the better": ({"keep_last": 2, "save_best_only": True}, [1, 2]),
    "more than there are": ({"keep_last": 9, "keep_best": 9}, [1, 2, 3, 4, 5]),
}


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("case", STAY)
def test_which_stay(case: str, asynchronous: bool, tmp_path: pathlib.Path, capsys: Any) -> None:
    options, expected = STAY[case]
    (tmp_path / "0.weights.h5").write_text("of another run")
    checkpoint = ModelCheckpoint(
        tmp_path / "{epoch}.weights.h5", "quality", verbose=1, save_weights_only=True, asynchronous=asynchronous, **{"mode": "min", **options}
    )
    with keras.backend_scope(QUICK):
        model = network()
        fit(model, quality(3.0, 1.0, float("nan"), 2.0, 2.5), checkpoint, epochs=5)
    assert names(tmp_path) == [f"{epoch}.weights.h5" for epoch in (0, *expected)]
    assert f"Epoch {expected[-1]}: saved to {tmp_path / str(expected[-1])}" in capsys.readouterr().out


def test_a_name_that_comes_again_is_one_file(tmp_path: pathlib.Path) -> None:
    with keras.backend_scope(QUICK):
        for asynchronous in (False, True):
            checkpoint = ModelCheckpoint(tmp_path / "{quality:.0f}.weights.h5", save_weights_only=True, keep_last=2, asynchronous=asynchronous)
            fit(network(), quality(1, 2, 1, 3), checkpoint, epochs=4)
            assert names(tmp_path) == ["1.weights.h5", "3.weights.h5"]


class Cut(keras.callbacks.Callback):
    """Ends a run by an error."""

    def __init__(self, epoch: int):
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == self.epoch:
            raise InterruptedError


@pytest.mark.parametrize("backup", ["", "memory://checkpoints/backup"])
def test_a_run_that_goes_on_deletes_what_it_wrote_before(backup: str, tmp_path: pathlib.Path) -> None:
    """And what was under way when it failed is written."""
    backup = backup or str(tmp_path / "backup")

    def callbacks() -> list[Any]:
        kept = ModelCheckpoint(tmp_path / "files" / "{epoch}.weights.h5", save_weights_only=True, asynchronous=True, keep_last=2)
        return [kept, BackupAndRestore(backup)]

    with keras.backend_scope(QUICK):
        whole = network()
        fit(whole, epochs=4)
        with pytest.raises(InterruptedError):
            fit(network(), *callbacks(), Cut(3), epochs=4)
        assert names(tmp_path / "files") == ["2.weights.h5", "3.weights.h5"]
        model, begun = network(), []
        fit(model, *callbacks(), LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(epoch)), epochs=4)
        assert begun == [3]
        assert names(tmp_path / "files") == ["3.weights.h5", "4.weights.h5"] and same(state(model), state(whole))
        assert not (URL(backup) / "backup.npz" if is_url(backup) else pathlib.Path(backup)).exists()


@pytest.mark.parametrize("at", ["a mark", "the end"])
def test_what_goes_wrong_in_the_background_ends_the_run(at: str, tmp_path: pathlib.Path, held: threading.Event) -> None:
    (tmp_path / "2.keras").mkdir()
    epochs: list[int] = []
    release = LambdaCallback(on_train_begin=lambda logs: held.set()) if at == "a mark" else LambdaCallback(on_train_end=lambda logs: held.set())
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}.keras", asynchronous=True, keep_last=1)

    def settle(epoch: int, logs: Any) -> None:
        epochs.append(epoch)
        if at == "a mark" and epoch == 2:
            concurrent.futures.wait([future for _, future in checkpoint._background._jobs])

    with keras.backend_scope(QUICK):
        model = network()
        with pytest.raises(ArgumentError, match=r"2.keras' is a folder"):
            fit(model, release, LambdaCallback(on_epoch_begin=settle), checkpoint, epochs=5 if at == "a mark" else 2)
        assert epochs == ([0, 1, 2] if at == "a mark" else [0, 1])
        assert names(tmp_path) == ["1.keras", "2.keras"] and keras.models.load_model(tmp_path / "1.keras").built


def test_the_thread_does_one_job_after_the_other() -> None:
    done: list[str] = []
    events = {name: threading.Event() for name in "abcd"}

    def job(name: str) -> Any:
        return lambda: (events[name].wait(60), done.append(name))

    thread = Background()
    thread.submit("x", job("a"))
    while not thread._jobs[0][1].running():
        pass
    thread.submit("y", job("b"))
    thread.submit("y", job("c"))  # in place of b
    assert len(thread._jobs) == 2
    later = threading.Thread(target=thread.submit, args=("z", job("d")))  # has to wait
    later.start()
    later.join(0.05)
    assert later.is_alive() and not done
    for event in events.values():
        event.set()
    later.join()
    thread.close()
    assert done == ["a", "c", "d"]


KILLED = """
import os, sys, signal, keraunos as keras, numpy as np
from keraunos.callbacks import ModelCheckpoint, Callback
class Kill(Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 6:
            os.kill(os.getpid(), signal.SIGKILL)
model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(2000), keras.layers.Dense(2)])
model.compile("sgd", "mse")
kept = ModelCheckpoint(os.path.join(sys.argv[1], "{epoch}-{batch}.keras"), save_freq=1, asynchronous=True, keep_last=2, monitor="loss")
model.fit(np.ones((40, 300), "float32"), np.ones((40, 2), "float32"), batch_size=4, verbose=0, callbacks=[kept, Kill()])
"""


def test_killed_while_it_writes(tmp_path: pathlib.Path) -> None:
    paths = {"PYTHONPATH": str(pathlib.Path(keras.__file__).parent.parent), "KERAUNOS_BACKEND": QUICK}
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path], env={**os.environ, **paths}, capture_output=True)
    assert done.returncode < 0, done.stderr.decode()
    files = [p for p in tmp_path.iterdir() if p.suffix == ".keras"]
    assert files
    for path in files:
        assert keras.models.load_model(path).built


@pytest.mark.parametrize("engine", [name for name in ("jax", "torch") if name in TRAINING])
def test_files_elsewhere(engine: str) -> None:
    with keras.backend_scope(engine):
        model, place = network(), f"memory://{engine}/runs"
        options = {"asynchronous": True, "keep_last": 1}
        fit(model, ModelCheckpoint(place + "/{epoch}.keras", **options), ModelCheckpoint(place + "/{epoch}.weights.h5", save_weights_only=True, **options))
        copy, other = keras.models.load_model(place + "/3.keras"), network()
        other.load_weights(place + "/3.weights.h5")
        assert same(copy.get_weights(), model.get_weights()) and same(copy.get_weights(), other.get_weights())
        assert not any((URL(place) / f"{epoch}{ending}").exists() for epoch in (1, 2) for ending in (".keras", ".weights.h5"))


class Failing(keras.layers.Layer):
    def build(self, shape: Any) -> None:
        pass

    def call(self, x: Any) -> Any:
        return x

    def save_own_variables(self, store: Any) -> None:
        raise OSError("no space")


def test_what_is_elsewhere_is_replaced_whole_or_not_at_all(monkeypatch: Any) -> None:
    import fsspec.implementations.memory

    place = "memory://whole/a.weights.h5"
    with keras.backend_scope(QUICK):
        model = network()
        model.save_weights(place)
        before = model.get_weights()
        broken = keras.Sequential([keras.Input((3,)), Failing()])
        with pytest.raises(OSError, match="no space"):
            broken.save_weights(place)
        fit(model, epochs=1)
        with monkeypatch.context() as patched:
            patched.setattr(fsspec.implementations.memory.MemoryFile, "write", lambda *args: 1 / 0)
            with pytest.raises(ModelFileError, match=r"a.weights.h5' cannot be reached: ZeroDivisionError"):
                model.save_weights(place)
        model.load_weights(place)
        assert same(model.get_weights(), before)
        with pytest.raises(ArgumentError, match="exists already"):
            model.save_weights(place, overwrite=False)


PLACES = {
    "s3://bucket/model.keras": True, "simplecache::s3://bucket/m.keras": True, "hdfs:///user/m.keras": True, "memory://m.keras": True,
    "file:///tmp/m.keras": False, "C:\\models\\m.keras": False, "C://m.keras": False, "a/b.keras": False, pathlib.Path("s3/m.keras"): False,
}  # fmt: skip


def test_what_is_a_url(tmp_path: pathlib.Path) -> None:
    assert {place: is_url(place) for place in PLACES} == PLACES
    url = URL("hdfs:///user/m.weights.h5")
    assert (url.name, url.stem, url.suffix, str(url.parent), str(url.parent / "x")) == ("m.weights.h5", "m.weights", ".h5", "hdfs:///user", "hdfs:///user/x")
    assert str(url.with_suffix(".bin")) == "hdfs:///user/m.weights.bin"
    with keras.backend_scope(QUICK):
        network().save(f"file://{tmp_path}/m.keras")
        assert keras.models.load_model(f"file://{tmp_path}/m.keras").built


MISTAKES = {
    "one name": (lambda: ModelCheckpoint("m.keras", keep_last=2), ["one name", "m-{epoch:03d}.keras"]),
    "a folder elsewhere": (lambda: OrbaxCheckpoint("gs://bucket/run"), ["this machine", "'gs://bucket/run/{epoch:03d}.keras'", "keep_last=1"]),
    "the old format": (lambda: ModelCheckpoint("m.h5", asynchronous=True), ["'.keras' where it is written in the background", "'m.keras'"]),
    "shards": (lambda: network().save_weights("memory://m.weights.json", max_shard_size=1), ["shards", "this machine"]),
    "shards that are read": (lambda: network().load_weights("memory://m.weights.json"), ["shards", "this machine"]),
    "a count": (lambda: ModelCheckpoint("{epoch}.keras", keep_best=0), ["keep_best=0"]),
    "no value to compare": (lambda: fit(network(), ModelCheckpoint("memory://n/{epoch}.keras", keep_best=1)), ["'val_loss'", "validation_data"]),
    "no such file": (lambda: keras.models.load_model("memory://nowhere/m.keras"), ["does not exist", "memory://nowhere/m.keras"]),
    "no such protocol": (lambda: keras.models.load_model("nothing://m.keras"), ["cannot be reached", "nothing"]),
    "a lost slash": (lambda: network().save(pathlib.Path("s3://bucket/m.keras")), ["lost a slash", "'s3://bucket/m.keras'"]),
    "an ending": (lambda: network().save("memory://m.txt"), ["'.keras'", "memory://m.txt"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_teaches(mistake: str) -> None:
    program, words = MISTAKES[mistake]
    with keras.backend_scope(QUICK), pytest.raises(KeraunosError) as caught:
        program()
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_what_is_wrong_with_a_file_elsewhere_names_the_url() -> None:
    with contextlib.suppress(ZeroDivisionError), URL("memory://bad/m.keras").replacing(True) as stream:
        stream.write(b"no archive")
    with pytest.raises(ModelFileError) as caught:
        keras.models.load_model("memory://bad/m.keras")
    assert "memory://bad/m.keras" in str(caught.value) and "tmp" not in str(caught.value)
