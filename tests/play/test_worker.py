"""The process that trains: what it says on its own channel, and that it ends with whom it speaks to."""

from __future__ import annotations

import json
import os
import pathlib
import queue
import subprocess
import sys
import time
from typing import Any

import pytest

from keraunos.play import worker

from ..conftest import in_force

DOCUMENT: Any = {
    "layers": [{"id": "features", "type": "Input", "inputs": []}, {"id": "label", "type": "Dense", "inputs": ["features"]}],
    "outputs": {"label": {"loss": "mean_squared_error"}},
    "training": {"batch_size": 4, "epochs": 2, "stop": None},
}
PROGRAM = """
import os
import warnings
import numpy as np
import keraunos as keras

print("this is printed")
os.write(1, b"and this past Python\\n")

def load_data():
    x = np.ones((8, 2), "float32")
    return (x, x[:, :1]), (x, x[:, :1])

def build_model():
    model = keras.Sequential([keras.Input((2,), name="features"), keras.layers.Dense(1, name="label")])
    model.compile("sgd", "mean_squared_error")
    return model

def train(model, data, callbacks=()):
    (x, y), _ = data
    warnings.warn("something to know")
    return model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=list(callbacks))
"""


RESTS = ("paused", "stopped", "done", "failed")


def started() -> subprocess.Popen[bytes]:
    pipe, env = subprocess.PIPE, {**os.environ, "KERAUNOS_BACKEND": "torch"}
    return subprocess.Popen([sys.executable, "-m", "keraunos.play.worker"], stdin=pipe, stdout=pipe, stderr=pipe, env=env)


def start(program: str, step: str | None = None) -> dict[str, Any]:
    """What a worker is told first."""
    targets, inputs = {"label": {"kind": "number", "shape": [1]}}, {"features": {"shape": [2]}}
    return {"do": "start", "document": DOCUMENT, "program": program, "targets": targets, "inputs": inputs, "step": step, "memory": None, "most": 5}


def told(process: subprocess.Popen[bytes], program: str, *commands: dict[str, Any], rests: int = 0) -> tuple[list[dict[str, Any]], str]:
    """What a worker says of a program, and what it prints; after so many rests it is told to leave."""
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"".join(json.dumps(command).encode() + b"\n" for command in (start(program), *commands)))
    process.stdin.flush()
    messages: list[dict[str, Any]] = []
    for line in process.stdout:
        messages.append(json.loads(line))
        if rests and messages[-1].get("state") in RESTS:
            rests -= 1
            if not rests:
                process.stdin.write(b'{"do": "leave"}\n')
                process.stdin.flush()
    printed = process.stderr.read().decode()
    process.stdin.close()
    process.wait(10)
    return messages, printed


class Said(list[dict[str, Any]]):
    """What a trainer says of a program in this process, to whom all commands are told before it begins; after so many rests it is told to leave."""

    def __init__(self, program: str, *commands: dict[str, Any], step: str | None = None, rests: int = 0):
        self.commands, self.rests = queue.SimpleQueue[dict[str, Any]](), rests
        for command in commands:
            self.commands.put(command)
        channel: Any = self
        with in_force("torch"), pytest.MonkeyPatch.context() as patch, pytest.warns(UserWarning, match="something to know"):
            patch.setitem(sys.modules, "program", None)  # which the trainer makes
            worker.Trainer(start(program, step), channel, self.commands).run()

    def say(self, kind: str, **facts: Any) -> None:
        self.append({"kind": kind, **facts})
        if facts.get("state") in RESTS:
            self.rests -= 1
            if not self.rests or facts["state"] == "failed":
                self.commands.put({"do": "leave"})


def test_what_a_program_prints_is_no_message(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "model.keras"
    with started() as process:
        messages, printed = told(process, PROGRAM, {"do": "save", "format": "keras", "ticket": 1, "path": str(path)}, rests=1)
    assert process.returncode == 0
    assert "this is printed" in printed and "and this past Python" in printed
    states = [message["state"] for message in messages if "state" in message]
    assert states[0] == "compiling" and states[-1] == "done"
    assert {"kind": "reply", "ticket": 1} in messages and path.exists()
    assert "something to know" in [message["message"] for message in messages if "message" in message]
    assert messages[-1]["epoch"] == 2
    seen = [message for message in messages if message["kind"] == "snapshot"][-1]
    assert seen["boundary"]["kind"] == "number"


STEP, PLAY = {"do": "step", "unit": "epoch"}, {"do": "play"}


@pytest.mark.parametrize(
    ("step", "commands", "states", "epochs"),
    [
        (None, [{"do": "stop"}, PLAY], ["stopped", "done"], 2),
        (None, [{"do": "stop"}, STEP], ["stopped", "paused"], 1),
        ("epoch", [STEP, STEP, {"do": "step", "unit": "batch"}, PLAY], ["done", "done", "done"], 4),
        ("epoch", [STEP, PLAY], ["done", "done"], 4),
    ],
    ids=["play after a stop", "a step after a stop", "steps beyond the end", "play after the last step"],
)
def test_what_is_asked_in_a_row_is_done_in_that_order(step: str | None, commands: list[dict[str, Any]], states: list[str], epochs: int) -> None:
    """All of it is there before the training begins, so that each is heard before what comes before it is done."""
    messages = Said(PROGRAM, *commands, step=step, rests=len(states))
    rests = [message for message in messages if message.get("state") in RESTS][: len(states)]
    assert [message["state"] for message in rests] == states and rests[-1]["epoch"] == epochs


def test_a_run_that_has_failed_does_not_go_on() -> None:
    messages = Said(PROGRAM.replace("return model.fit", "raise ValueError('no more')\n    return model.fit"), PLAY, STEP, {"do": "leave"})
    assert [message["state"] for message in messages if "state" in message][-1] == "failed"
    assert sum(message.get("state") == "failed" for message in messages) == 1


def test_an_error_of_the_program_is_told() -> None:
    with started() as process:
        messages, printed = told(process, PROGRAM.replace("Dense(1", "Dense(-1"))
    failed = messages[-1]
    assert failed["state"] == "failed" and failed["trouble"]["kind"] == "error" and "units" in failed["trouble"]["text"]
    assert "program.py" in printed  # the line of the program stands in the traceback


@pytest.mark.parametrize("seconds", [0.0, 0.4, 1.5])
def test_it_ends_when_nobody_speaks_to_it(seconds: float) -> None:
    with started() as process:
        time.sleep(seconds)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0  # Python itself must have begun


@pytest.mark.skipif(sys.platform == "win32", reason="Windows says it in another way, which is not read")
@pytest.mark.parametrize("proc", ["/proc", "/nowhere"], ids=["as this system has it", "as macOS has it"])
def test_memory_is_read(proc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PROC", pathlib.Path(proc))
    for found in (worker.free_memory(), worker.own_memory()):
        assert found is not None and 1 << 20 < found < 1 << 44


@pytest.mark.parametrize("version", [1, 2])
def test_the_memory_of_a_container_is_what_it_may_hold_without_the_files_that_make_room(
    version: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROC", tmp_path)
    monkeypatch.setattr(worker, "CGROUP", tmp_path)
    (tmp_path / "meminfo").write_text("MemTotal:       64000000 kB\nMemAvailable:   32000000 kB\n")
    assert worker.free_memory() == 32_000_000 * 1024
    folder = tmp_path / ("memory" if version == 1 else ".")
    folder.mkdir(exist_ok=True)
    limit, used, cache = (("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), ("memory.max", "memory.current", "inactive_file"))[
        version - 1
    ]
    (folder / limit).write_text("4000000\n")
    (folder / used).write_text("3900000\n")
    (folder / "memory.stat").write_text(f"anon 900000\n{cache} 3000000\n")
    assert worker.free_memory() == 3_100_000
    (folder / limit).write_text("max\n")
    assert worker.free_memory() == 32_000_000 * 1024
