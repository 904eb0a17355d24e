"""`python -m keraunos.play.worker`: trains one network by its program, as it is told by lines of JSON, and tells how it goes.

It ends when nobody speaks to it any more: where its input ends, at once.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import linecache
import os
import pathlib
import queue
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable
from typing import Any

from keraunos.play import trouble

PROC, CGROUP = pathlib.Path("/proc"), pathlib.Path("/sys/fs/cgroup")  # of Linux
NAME = "program.py"  # what the program is called in tracebacks
WATCHED = 0.2  # seconds between looks at the memory
IDLE = 0.5  # seconds without a command, after which it makes ready for some
SHARE = 0.85  # of the memory that is free when a run begins, which it may take


class Channel:
    """What the worker says: lines of JSON, on what was its standard output.

    All else that is printed goes to the standard error.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out, self._lock = os.dup(1), threading.Lock()
        os.dup2(2, 1)

    def say(self, kind: str, **facts: Any) -> None:
        """Say one thing."""
        line = json.dumps({"kind": kind, **facts}, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        with self._lock:
            while line:
                line = line[os.write(self._out, line) :]


def listen(commands: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Take commands until the input ends; then the process ends, whatever it does."""
    try:
        for line in sys.stdin.buffer:
            commands.put(json.loads(line))
    finally:
        os._exit(0)


def free_memory() -> int | None:
    """The bytes of memory that are free; half of all where only that is known, and None where nothing is."""
    found: int | None = None
    try:
        found = _numbers(PROC / "meminfo")["MemAvailable"] * 1024
    except (OSError, KeyError):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # Windows
            found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    for limit, used, cache in (  # of a container, whose files in memory make room when it is needed
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError, KeyError):
            held = int((CGROUP / used).read_text()) - _numbers((CGROUP / used).with_name("memory.stat"))[cache]
            own = int((CGROUP / limit).read_text()) - held
            found = own if found is None else min(found, own)
    return found


def _numbers(path: pathlib.Path) -> dict[str, int]:
    """The numbers of a file with a name and a number in each line."""
    pairs = [line.replace(":", " ").split()[:2] for line in path.read_text().splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def own_memory() -> int | None:
    """The bytes of memory that this process holds; the most that it held where only that is known, and None where nothing is."""
    try:
        return int((PROC / "self" / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        try:
            import resource
        except ImportError:  # Windows
            return None
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def watch_memory(most: int, channel: Channel, document: Any) -> None:
    """End the process before it takes the memory that others need."""
    while (held := own_memory() or 0) <= most:
        time.sleep(WATCHED)
    details = f"It held {held / 2**30:.1f} GiB; {most / 2**30:.1f} GiB were free for it."
    channel.say("run", state="failed", trouble=trouble.memory(document, details))
    os._exit(trouble.KILLED)


def warm() -> None:
    """Load what a run needs, before it is known which network it trains."""
    import keraunos as keras

    for name in ("layers", "losses", "metrics", "optimizers", "callbacks", "datasets", "models", "saving", "play.looking", "play.watching"):
        importlib.import_module(f"keraunos.{name}")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    zeros = keras.ops.zeros((2, 2))
    model.fit(zeros, zeros[:, :1], epochs=1, verbose=0)
    model.predict(zeros, verbose=0)


class Trainer:
    """Trains one network.

    Args:
        about: What is to be trained, as the server tells it.
        channel: What takes what is said.
        commands: What the server asks for.
    """

    def __init__(self, about: dict[str, Any], channel: Channel, commands: queue.SimpleQueue[dict[str, Any]]):
        self.about, self.say, self.commands, self.document = about, channel.say, commands, about["document"]
        self.wanted: dict[str, Any] = {"sample": 0, "layer": None, "views": ["boundary", "activations"]}
        self.leaving = self.failed = False

    def run(self) -> None:
        """Train, then do what is asked for."""
        self._trying(lambda: (self._prepare(), self._train()))
        while hasattr(self, "watcher") and not self.leaving:
            self._ended(self._asked())

    def _trying(self, act: Callable[[], Any]) -> None:
        """Do what may fail, which is told."""
        try:
            act()
        except Exception as error:
            traceback.print_exc()
            self.failed = True
            self.say("run", state="failed", trouble=trouble.of_error(error, self.document))

    def _prepare(self) -> None:
        from keraunos.play.looking import Looker
        from keraunos.play.watching import Watcher

        self.say("run", state="compiling")
        text = self.about["program"]
        self.program: Any = types.ModuleType("program")
        linecache.cache[NAME] = len(text), None, text.splitlines(keepends=True), NAME
        sys.modules["program"] = self.program
        exec(compile(text, NAME, "exec"), vars(self.program))  # the program that the page shows, made of a validated document
        self.data = self.program.load_data()
        self.model = self.program.build_model()
        self.looker = Looker(self.model, self.data, self.document, self.about["targets"], self.about["inputs"])
        asked = {"epochs": self.document["training"]["epochs"], "document": self.document, "unit": self.about["step"] or ""}
        self.watcher = Watcher(self.say, self.commands, self._look, self._obey, reach=self.looker.reach(), **asked)
        self.watcher.set_model(self.model)

    def _train(self) -> None:
        """Train until all epochs are done, or the run is ended before."""
        watcher = self.watcher
        watcher.begin()
        while not watcher.asked and watcher.epoch < watcher.epochs:
            done = watcher.epoch
            self.program.train(self.model, self.data, callbacks=[watcher])
            if watcher.epoch == done or (self.model.stop_training and not watcher.asked):
                break
        self._finish()

    def _finish(self) -> None:
        watcher, stop = self.watcher, self.document["training"].get("stop")
        state = {"stop": "stopped", "trouble": "failed"}.get(watcher.asked, "done")
        facts: dict[str, Any] = {"state": state}
        self.failed = state == "failed"
        if state == "done" and watcher.epoch < watcher.epochs and stop:
            facts["message"] = f"Stopped early, after {watcher.epoch} epochs: {stop['monitor']} had not improved for {stop['patience']} epochs."
        watcher.finish()
        self._look()
        self.say("run", **facts, epoch=watcher.epoch, step=watcher.step, seconds=round(watcher.seconds, 3))

    # ---- what is asked for ----
    def _asked(self) -> dict[str, Any]:
        """The next command; while none comes, what looks need that may be asked for next is compiled."""
        for view in self.looker.unprepared():
            try:
                return self.watcher.next(IDLE)
            except queue.Empty:
                self._prepare_look(view)
        return self.watcher.next()

    def _ended(self, command: dict[str, Any]) -> None:
        """Do one thing after the training, of which the end may not have been known to who asked: to go on is to train more epochs."""
        watcher, do = self.watcher, command["do"]
        if do in ("play", "step") and not self.failed:
            more = min(self.document["training"]["epochs"], max(1, self.about["most"] - watcher.epoch)) if do == "play" else 1
            watcher.go_on(command, more)
            self._trying(self._train)
            return
        self._obey(command)
        if watcher.fresh:
            watcher.fresh = False
            self._look()

    def _obey(self, command: dict[str, Any]) -> None:
        """Do what is no matter of training."""
        match command["do"]:
            case "look":
                self.wanted = {name: command[name] for name in ("sample", "layer", "views")}
                self.watcher.fresh = True
            case "epoch":
                self._look(command["number"])
            case "save":
                self._save(command)
            case "learning_rate":
                self.watcher.command(command)
            case "leave":
                self.leaving = True
                self.watcher.command({"do": "stop"})

    def _look(self, number: int | None = None) -> None:
        """Tell what is to be seen inside, now or after an earlier epoch; where nothing can be seen, training goes on."""
        watcher, started = self.watcher, time.perf_counter()
        kept = {} if watcher.checkpoints is None else watcher.checkpoints.kept
        now = self.model.get_weights() if number is not None and number in kept else None
        try:
            if now is not None:
                self.model.set_weights(kept[number])
            seen = self.looker.snapshot(step=watcher.step, **self.wanted)
        except Exception:
            traceback.print_exc()
            return
        finally:
            if now is not None:
                self.model.set_weights(now)
        epoch, step = (watcher.epoch, watcher.step) if now is None or number is None else (number, number * (watcher.steps or 0))
        self.say("snapshot", epoch=epoch, step=step, checkpoint=now is not None, seconds=round(time.perf_counter() - started, 4), **seen)

    def _prepare_look(self, view: str) -> None:
        """Make the first look at something quick; what fails is told when it is asked for."""
        try:
            self.looker.prepare(view)
        except Exception:
            traceback.print_exc()

    def _save(self, command: dict[str, Any]) -> None:
        """Write the model: of two that play against each other, the generator."""
        model, reply = getattr(self.model, "generator", self.model), {}
        try:
            if command["format"] == "onnx":
                model.export(command["path"], format="onnx", verbose=False)
            else:
                model.save(command["path"])
        except Exception as error:
            traceback.print_exc()
            found = trouble.of_error(error, self.document)
            reply = {"error": found["text"], "fix": found["fix"]}
        self.say("reply", ticket=command["ticket"], **reply)


def main() -> None:
    """Wait for a network, and train it."""
    channel, commands = Channel(), queue.SimpleQueue()
    threading.Thread(target=listen, args=(commands,), daemon=True).start()
    warm()
    gc.freeze()  # what is loaded stays
    about = commands.get()
    with contextlib.suppress(OSError):  # where memory runs out all the same, Linux is to end this process, not the server or the browser
        (PROC / "self" / "oom_score_adj").write_text("1000")
    free, held = about.get("memory") or free_memory(), own_memory()
    if free is not None and held is not None:
        most = held + int(SHARE * free)
        threading.Thread(target=watch_memory, args=(most, channel, about["document"]), daemon=True).start()
    trainer = Trainer(about, channel, commands)

    def told(message: Any, category: Any, *place: Any, **more: Any) -> None:
        print(message, file=sys.stderr)
        if "KR501" not in str(message):  # which the trouble explains
            channel.say("run", message=trouble.clean_text(str(message))[:1000])

    warnings.showwarning = told
    warnings.simplefilter("default")
    trainer.run()
    sys.stderr.flush()
    os._exit(0)  # threads of engines may wait for each other at the end


if __name__ == "__main__":
    main()
