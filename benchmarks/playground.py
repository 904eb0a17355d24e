"""What the playground costs: `python -m benchmarks.playground [ENGINE …]` prints how long its server takes to begin and to end, then what being watched
costs a run, beside the same `fit` alone.

Both train the same model in turns, one of them with the callback that pauses, tells, keeps checkpoints and looks inside. Of several rounds the least
counts, in seconds of the wall and of the processor; what is told is written as the worker writes it, to nowhere.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import pathlib
import queue
import signal
import subprocess
import sys
import time
import types
from typing import Any

import keraunos as keras
from keraunos.play import code, data, document, presets
from keraunos.play.looking import Looker
from keraunos.play.runs import VIEWS
from keraunos.play.watching import Watcher

EPOCHS, ROUNDS = {"spiral": 400, "cnn": 20}, 5


class Watched:
    """A network of a preset, trained with or without being watched."""

    def __init__(self, name: str, engine: str):
        described = copy.deepcopy(next(preset["document"] for preset in presets.presets() if preset["id"] == name))
        described["training"].update(epochs=EPOCHS[name], engine=engine, stop=None)
        self.document: Any = document.validated(described)
        self.program: Any = types.ModuleType("program")
        exec(compile(code.program(self.document), "program.py", "exec"), vars(self.program))
        self.data, self.model = self.program.load_data(), self.program.build_model()
        signature = data.signature(self.document["data"], None)
        self.looker = Looker(self.model, self.data, self.document, signature["targets"], signature["inputs"])
        self.bytes = self.looks = 0

    def say(self, kind: str, **facts: Any) -> None:
        """Write what is told."""
        self.bytes += len(json.dumps({"kind": kind, **facts}, allow_nan=False))

    def look(self) -> None:
        """Look at all that can be seen."""
        self.looks += 1
        self.say("snapshot", **self.looker.snapshot(VIEWS, step=self.looks))

    def run(self, watched: bool) -> tuple[float, float]:
        """Seconds of the wall and of the processor that one training takes."""
        callbacks = []
        if watched:
            watcher = Watcher(self.say, queue.SimpleQueue(), self.look, epochs=self.document["training"]["epochs"], document=self.document)
            watcher.set_model(self.model)
            watcher.begin()
            callbacks.append(watcher)
        wall, processor = time.perf_counter(), time.process_time()
        self.program.train(self.model, self.data, callbacks=callbacks)
        return time.perf_counter() - wall, time.process_time() - processor


def main(engine: str) -> None:
    """Measure on one engine, the two kinds in turns."""
    keras.config.set_backend(engine)
    for name in EPOCHS:
        network = Watched(name, engine)
        times: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for _ in range(1 + ROUNDS):
            for watched in times:
                times[watched].append(network.run(watched))
        (wall, processor), (seen_wall, seen_processor) = ([min(column) for column in zip(*times[kind][1:], strict=True)] for kind in (False, True))
        ratios = f"{seen_wall / wall:.2f} | {seen_processor / processor:.2f}"
        print(f"| {name} | {engine} | {wall:.2f} | {seen_wall:.2f} | {ratios} | {network.looks // (1 + ROUNDS)} |", flush=True)


# ---- the server ----
class Served:
    """A playground that is served, from its command on."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        command = [sys.executable, "-m", "keraunos", "playground", "--no-browser", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        address = self.process.stdout.readline().split()[-1]
        self.host, _, self.token = address.removeprefix("http://").partition("/?token=")
        self.headers = {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        self.headers["Cookie"] = self.ask("GET", f"/?token={self.token}")[0]["set-cookie"].split(";")[0]

    def open(self, method: str, path: str, value: Any = None) -> http.client.HTTPResponse:
        """The answer to a request, which is not read yet."""
        connection = http.client.HTTPConnection(self.host)
        connection.request(method, path, json.dumps(value) if value is not None else None, self.headers)
        return connection.getresponse()

    def ask(self, method: str, path: str, value: Any = None) -> tuple[Any, bytes]:
        """The headers and the body of an answer."""
        answer = self.open(method, path, value)
        return answer.headers, answer.read()

    def family(self) -> set[int]:
        """Its process and all that it started, as /proc has them."""
        stats = {int(entry.name): (entry / "stat") for entry in pathlib.Path("/proc").iterdir() if entry.name.isdigit()}
        parents, found = {}, {self.process.pid}
        for pid, stat in stats.items():
            with contextlib.suppress(OSError):
                parents[pid] = int(stat.read_text().rpartition(")")[2].split()[1])
        while more := {pid for pid, parent in parents.items() if parent in found} - found:
            found |= more
        return found


def serve() -> tuple[float, float]:
    """Seconds from the command to all that the page is painted from, and from Ctrl-C, with a stream open and a run training, until no process is left."""
    server = Served()
    server.ask("GET", "/api/start")
    ready = time.perf_counter() - server.began
    described = copy.deepcopy(next(preset["document"] for preset in presets.presets() if preset["id"] == "spiral"))
    described["training"].update(epochs=10_000, stop=None)
    stream = server.open("GET", "/api/events")
    server.ask("POST", "/api/runs", {"document": described})
    while b"event: progress" not in stream.readline():
        pass
    family, ended = server.family(), time.perf_counter()
    server.process.send_signal(signal.SIGINT)
    server.process.wait()
    while any(pathlib.Path(f"/proc/{pid}").exists() for pid in family):
        time.sleep(0.005)
    return ready, time.perf_counter() - ended


if __name__ == "__main__":
    if pathlib.Path("/proc/self/stat").exists():
        ready, gone = (min(column) for column in zip(*(serve() for _ in range(ROUNDS)), strict=True))
        print(f"from the command to /api/start, s: {ready:.2f}")
        print(f"from Ctrl-C with a stream open and a run training, until no process is left, s: {gone:.2f}\n")
    print("| network | engine | fit s | watched s | wall ratio | processor ratio | looks |\n|---|---|---|---|---|---|---|")
    for engine in sys.argv[1:] or ("jax", "torch"):
        main(engine)
