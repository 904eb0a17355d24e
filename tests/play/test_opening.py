"""The playground is opened and ends: by the command, from a script, in a notebook; and nothing of it is left."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.play import checking, code
from keraunos.play.data import load, signature
from keraunos.play.folders import Folder, sweep
from keraunos.play.opening import PlaygroundError, _document, listen
from keraunos.play.uploads import Uploads

from .networks import run_program
from .talking import SPIRAL, Served, served, trained

LONG = {**SPIRAL, "training": {"epochs": 10_000}}
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def family(pid: int) -> set[int]:
    """A process and all that it started, as /proc has it."""
    parents: dict[int, int] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, waiting = set(), [pid]
    while waiting:
        found.add(here := waiting.pop())
        waiting += [child for child, parent in parents.items() if parent == here]
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that run still, and are no zombies."""
    found = set()
    for pid in pids:
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.add(pid)
    return found


def wait_for_none(pids: set[int]) -> None:
    deadline = time.monotonic() + 60
    while left := alive(pids):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def busy(server: Served) -> socket.socket:
    """A run that trains, and a stream that is open; the run has the process that the stream has the server make ready, or two would load the engine."""
    server.enter()
    stream = server.connect()
    stream.sendall(server.request("GET", "/api/events"))
    deadline = time.monotonic() + 60
    while len(family(server.process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    run = server.ask("POST", "/api/runs", {"document": LONG}).json
    received = b""
    while b"event: progress" not in received:
        received += stream.recv(1 << 20)
        assert time.monotonic() < deadline, (run, received[-2000:])
    return stream


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", 1)], ids=["Ctrl-C", "SIGTERM", "closed terminal"])
def test_a_signal_ends_server_streams_and_runs(number: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("what started the tests has their processes ignore it, as nohup does")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with served() as server:
        with busy(server):
            processes = family(server.process.pid)
            assert len(processes) >= 2
            server.end(number)
        wait_for_none(processes)
        assert server.process.returncode == (0 if number == signal.SIGINT else 128 + signal.SIGTERM)
    assert [path for path in tmp_path.iterdir() if path.name.startswith("keraunos")] == []


@linux
def test_a_server_that_is_killed_leaves_no_run_and_the_next_removes_its_files(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with served() as server, busy(server):
        processes = family(server.process.pid)
        server.end(signal.SIGKILL)
        wait_for_none(processes)
    (left,) = tmp_path.glob("keraunos-*")
    sweep()
    assert left.exists()  # it is young: another start may be about to lock it
    used, foreign = Folder(), tmp_path / "keraunos-playground-other"
    foreign.mkdir()
    for folder in (left, used.path):
        os.utime(folder / "lock", (0, 0))
    sweep()
    assert {*tmp_path.glob("keraunos-*")} == {used.path, foreign}
    used.remove()
    assert [*tmp_path.glob("keraunos-*")] == [foreign]


@linux
def test_no_end_leaves_a_process() -> None:
    """Nine starts, each with an end of its own: by which signal, at once or later, or with as many runs as may be, of which each has come to another point."""
    seen: set[int] = set()
    moments = [(0.0,), (0.3,), (0.2, 0.1, 0.1, 0.1, 0.0)]  # seconds before each run, and before the end
    ends = [*itertools.product((signal.SIGINT, signal.SIGTERM, signal.SIGKILL), moments)]
    for number, (*runs, last) in ends:
        with served() as server:
            server.enter()
            for later in runs:
                time.sleep(later)
                assert server.ask("POST", "/api/runs", {"document": LONG}).status == 200
            time.sleep(last)
            seen |= (found := family(server.process.pid))
            assert len(found) >= 1 + len(runs)
            server.end(number)
    wait_for_none(seen)


def test_what_is_cut_off_at_the_end_is_no_error(tmp_path: pathlib.Path) -> None:
    octets, text = "application/octet-stream", "application/json"
    with open(tmp_path / "errors", "w+") as errors:
        with served(errors=errors) as server, contextlib.ExitStack() as connections:
            server.enter()
            for target, kind in (("/api/uploads?name=a.csv", octets), ("/api/open", octets), ("/api/check", text)):
                connection = connections.enter_context(server.connect())
                connection.sendall(server.request("POST", target, b"", {"Content-Length": "1000", "Content-Type": kind}) + b"a,b\n")
            time.sleep(0.3)
            server.end(signal.SIGINT)
        assert server.process.returncode == 0
        errors.seek(0)
        assert errors.read() == ""


def test_work_aside_keeps_no_process_from_ending() -> None:
    code = "import asyncio, time\nfrom keraunos.play.aside import aside\nasyncio.run(asyncio.wait_for(aside(time.sleep, 3600), 0.1))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stderr.endswith("TimeoutError\n")


# ---- ports


def test_the_first_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with listen(0) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr("keraunos.play.opening.PORT", number)
        with listen(None) as found:
            assert found.getsockname()[1] != number
        with pytest.raises(PlaygroundError, match=f"Port {number} cannot be had: something else listens on it") as caught:
            listen(number)
        assert caught.value.fix is not None and "--port" in caught.value.fix


def test_only_this_machine_is_listened_to() -> None:
    with listen(0) as found:
        assert found.getsockname()[0] == "127.0.0.1"


def test_the_command_says_that_a_port_is_in_use() -> None:
    with listen(0) as taken:
        command = [sys.executable, "-m", "keraunos", "playground", "--no-browser", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "something else listens on it" in done.stderr and "Traceback" not in done.stderr


# ---- from Python


def served_by(opened: Any) -> Served:
    server = Served(opened._process, opened.url)
    server.enter()
    return server


def test_it_opens_without_anything() -> None:
    with keras.playground(browser=False, block=False) as opened:
        assert served_by(opened).ask("GET", "/api/start").json["opened"] is None
        assert opened.url in opened._repr_html_() and repr(opened) == f"<Playground at {opened.url}>"
    assert not opened.open and repr(opened) == "<Playground, closed>" and "closed" in opened._repr_html_()
    opened.close()  # which does nothing more


def test_it_may_be_closed_at_once() -> None:
    script = "import keraunos as keras\nfor _ in range(3):\n    keras.playground(browser=False, block=False).close()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def made() -> tuple[Any, np.ndarray, np.ndarray]:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="relu"), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, x, (x[:, 0] > 0).astype("int32")


def test_it_opens_on_a_model_with_its_weights_and_on_data() -> None:
    model, x, y = made()
    with keras.playground(model, (x, y), browser=False, block=False) as opened:
        server = served_by(opened)
        document = server.ask("GET", "/api/start").json["opened"]
        assert [layer["type"] for layer in document["layers"]] == ["Input", "Dense", "Dense"]
        checked = server.ask("POST", "/api/check", {"document": document})
        assert checked.status == 200 and checked.json["report"]["ok"], checked.body
        assert server.ask("POST", "/api/preview", {"data": document["data"]}).status == 200
        run = trained(server, {**document, "training": {**document["training"], "epochs": 1, "optimizer": {"type": "SGD", "options": {"learning_rate": 1e-8}}}})
        answer = server.ask("GET", f"/api/runs/{run['id']}/model.keras")
        (path := opened._folder.path / "taken.keras").write_bytes(answer.body)
        again = keras.saving.load_model(path)
    np.testing.assert_allclose(again.predict(x[:20], verbose=0), model.predict(x[:20], verbose=0), rtol=1e-4, atol=1e-5)


def frame() -> Any:
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    return pandas.DataFrame({"width": rng.normal(size=60), "colour": ["red", "green"] * 30, "kind": ["cat", "dog", "cat"] * 20})


DATA = {
    "points": lambda: (np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2),
    "numbers": lambda: (np.random.default_rng(0).normal(size=(60, 2)), np.random.default_rng(1).normal(size=60)),
    "pictures": lambda: (np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1)).astype("uint8"), np.arange(60) % 3),
    "one-hot": lambda: (np.random.default_rng(0).normal(size=(60, 4)), np.eye(3)[np.arange(60) % 3]),
    "texts as labels": lambda: (np.random.default_rng(0).normal(size=(60, 4)), np.array(["b", "a", "c"] * 20)),
    "lists": lambda: ([[0.0, 1.0], [1.0, 0.0]] * 20, [0, 1] * 20),
    "x alone": lambda: np.random.default_rng(0).normal(size=(60, 4)),
    "one by its name": lambda: ({"a": np.zeros((60, 2))}, [np.arange(60) % 2]),
    "several": lambda: ({"a": np.zeros((60, 2)), "b": np.zeros((60, 8, 8, 1))}, {"b": np.arange(60) % 2, "c": np.zeros((60, 2))}),
    "a frame": lambda: (frame().drop(columns="kind"), frame()["kind"]),
    "a frame with its target": lambda: (frame(), frame()["kind"]),
}


@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_data_alone_get_a_network_to_begin_with(data: Any, tmp_path: pathlib.Path) -> None:
    document, notes = _document(None, data(), tmp_path)
    assert notes == []
    uploads = Uploads(tmp_path)
    report = checking.check(document, signature(document["data"], uploads))
    assert report["ok"], report["problems"]
    compile(code.program(document, uploads), "program.py", "exec")
    assert not list(tmp_path.glob("data.*"))


@pytest.mark.parametrize(
    "data", ["data.csv", np.array(["a", "b"]), 3, ([[0.0], [1.0]], "labels"), ({"a": None, "b": [1.0]}, [1.0])], ids=lambda d: type(d).__name__
)
def test_data_that_are_no_array_are_refused(data: Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError, match="Fix: pass x or"):
        _document(None, data, tmp_path)


class Numbered(keras.utils.PyDataset):
    def __getitem__(self, index: int) -> Any:
        raise AssertionError("a batch was asked for")


@pytest.mark.parametrize("data", [(x for x in ()), iter([]), Numbered(), zip([], [], strict=True)], ids=lambda d: type(d).__name__)
def test_batches_are_refused_with_what_to_do(data: Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(TypeError, match=r"no batches as they come(?s:.*)Fix: gather the samples"):
        _document(None, data, tmp_path)


def two_of_each() -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """A model of two inputs and two outputs, and what it learns, in another order than the model has it."""
    keras.utils.set_random_seed(0)
    left, right = keras.Input((3,), name="left"), keras.Input((3,), name="Right one")
    both = keras.layers.Concatenate()([left, right])
    outputs = [keras.layers.Dense(2, activation="softmax", name="same")(both), keras.layers.Dense(1, name="test")(both)]
    model = keras.Model([left, right], outputs)
    model.compile("adam", {"same": "sparse_categorical_crossentropy", "test": "mse"}, loss_weights={"same": 1.0, "test": 0.5})
    rng = np.random.default_rng(0)
    x = {"Right one": rng.normal(size=(80, 3)), "left": rng.normal(size=(80, 3)) + 9}
    return model, x, {"test": x["left"].sum(axis=1), "same": (x["left"][:, 0] > 9).astype("int32")}


@pytest.mark.parametrize("listed", [False, True], ids=["by name", "in order"])
def test_several_inputs_and_outputs_come_along(listed: bool, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, x, y = two_of_each()
    more = np.zeros((80, 2))
    given = ([x["left"], x["Right one"]], [y["same"], y["test"]]) if listed else ({"more": more, **x}, {"third": more, **y})
    document, notes = _document(model, given, tmp_path)
    uploads = Uploads(tmp_path)
    assert document is not None and notes == []
    found = signature(document["data"], uploads)
    assert (list(found["inputs"])[:2], [goal["kind"] for goal in found["targets"].values()][:2]) == (["left", "right_one"], ["classes", "number"])
    assert load(document["data"], uploads).x_train["left"].min() > 3
    report = checking.check(document, found)
    assert report["ok"], report["problems"]
    program = code.program({**document, "training": {**document["training"], "epochs": 1}}, uploads)
    (tmp_path / "program.py").write_text(program)
    assert "val_testing_loss" in run_program(tmp_path / "program.py", capsys)


def test_arrays_that_the_model_has_no_place_for_are_told(tmp_path: pathlib.Path) -> None:
    model, x, y = two_of_each()
    with pytest.raises(TypeError, match=r"'x' has 3 arrays, and the model 2: 'left', 'Right one'"):
        _document(model, ([x["left"]] * 3, y), tmp_path)
    with pytest.raises(TypeError, match="nothing says what is learnt"):
        _document(model, x, tmp_path)


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match="Only a Sequential or functional model"):
        keras.playground(3, browser=False, block=False)


def test_what_is_not_shown_is_said() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2, name="doubled"), keras.layers.Dense(2, activation="softmax")])
    with pytest.warns(UserWarning, match="'doubled' is left out"):
        opened = keras.playground(model, browser=False, block=False)
    opened.close()


def test_it_ends_with_the_program(tmp_path: pathlib.Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import keraunos as keras\nopened = keras.playground(browser=False, block=False)\nprint(opened._process.pid, flush=True)\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    wait_for_none({int(done.stdout)}) if sys.platform == "linux" else None


@linux
def test_it_ends_with_a_program_that_is_killed(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = "import keraunos as keras, time\nopened = keras.playground(browser=False, block=False)\nprint(opened._process.pid, flush=True)\ntime.sleep(100)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = int(process.stdout.readline())
        assert alive({server}) and [*tmp_path.iterdir()]
        process.kill()
        wait_for_none({server})
    assert [*tmp_path.iterdir()] == []


def test_a_script_waits_until_ctrl_c() -> None:
    code = "import keraunos as keras\nopened = keras.playground(browser=False)\nprint('after', opened.open)"
    with subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert re.search(r"http://127\.0\.0\.1:\d+/\?token=", line)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0 and rest.endswith("after False\n")


def test_it_does_not_wait_where_a_loop_runs() -> None:
    import asyncio

    async def cell() -> Any:
        return keras.playground(browser=False)

    opened = asyncio.run(cell())
    assert opened.open
    opened.close()


def test_a_browser_gets_an_address_that_is_good_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    with keras.playground(block=False) as opened:
        assert shown and shown[0] != opened.url
        server = Served(opened._process, shown[0])
        server.enter()
        assert server.ask("GET", f"/?token={server.token}").status == 401
        opened.show()
        Served(opened._process, shown[1]).enter()
    with pytest.raises(OSError, match="The playground does not run"):
        opened.show()


def test_a_port_that_is_in_use_is_said() -> None:
    with listen(0) as taken, pytest.raises(OSError, match="something else listens on it"):
        keras.playground(port=taken.getsockname()[1], browser=False, block=False)
