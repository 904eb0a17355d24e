"""The runs of the playground, seen from its server: one process each, told what to do and heard by lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import platform
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from typing import Any

from keraunos.core.errors import KeraunosError, suggestion
from keraunos.play import trouble
from keraunos.play.aside import aside
from keraunos.play.limits import LIMITS

INTERVAL = 0.1  # seconds between the events of one listener
TAIL = 1 << 16  # bytes of what a worker prints that are kept
LINE = 1 << 23  # the longest message of a worker, in bytes
GRACE = 3.0  # seconds in which a worker has to do as it is told when it is to stop
CLOSING = 0.4  # seconds that workers have to end by themselves
SPARE_AFTER = 3.0  # seconds after the start of a run: the next spare worker is not to slow its beginning
IDLE_WORKERS = 3  # of runs that have ended, whose models can still be looked at
PROGRAM_BYTES = 200_000_000  # of compiled programs that are kept
POINTS = 6000  # points of a history: beyond them, those within epochs are left out
STEERS = ("play", "pause", "step", "stop")  # what says how training goes on
ACTIVE = ("starting", "compiling", "training", "paused")
VIEWS = ("boundary", "activations", "weights", "matrix")
UNITS = ("batch", "epoch")  # that a run may go further
FORMATS = ("keras", "onnx")  # of a model that is taken home, which are its file's ending too


class RunError(KeraunosError, ValueError):
    """A run cannot do what is asked of it.

    Args:
        fact: What is wrong.
        status: The HTTP status that says so.
        fix: What to do.
    """

    def __init__(self, fact: str, *, status: int = 422, fix: str | None = None):
        super().__init__(fact, fix=fix)
        self.status = status


def programs() -> pathlib.Path:
    """The folder of compiled programs, which outlive the server; the oldest are deleted where there are too many."""
    folder = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "keraunos" / f"programs-{platform.node()}"
    with contextlib.suppress(OSError):  # another server may delete them too
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(((path.stat().st_mtime, path.stat().st_size, path) for path in folder.iterdir()), reverse=True)
        room = PROGRAM_BYTES
        for _, size, path in held:
            room -= size
            if room < 0:
                path.unlink()
    return folder


class Worker:
    """A process that trains one network.

    Args:
        process: The process.
        engine: The engine that it has loaded.
    """

    def __init__(self, process: asyncio.subprocess.Process, engine: str):
        self.process, self.engine = process, engine
        self._printed = bytearray()
        self._listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def begun(cls, engine: str, folder: pathlib.Path) -> Worker:
        """Start one, which loads the engine and waits for a network."""
        env = {**os.environ, "KERAUNOS_BACKEND": engine, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        # Several processes share an accelerator: none is to take its whole memory at once.
        env |= {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_FORCE_GPU_ALLOW_GROWTH": "true", "TF_CPP_MIN_LOG_LEVEL": "2"}
        env.setdefault("JAX_COMPILATION_CACHE_DIR", str(await aside(programs)))  # a network that was trained before begins at once
        env |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0"}
        if paths := env.get("PYTHONPATH"):  # the process has another folder
            env["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths.split(os.pathsep)))
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-P", "-m", "keraunos.play.worker"]  # nothing in the folder is taken for a module
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=env, limit=LINE), engine)

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.returncode is None

    @property
    def printed(self) -> str:
        """The end of what it printed."""
        return self._printed.decode(errors="replace")

    def send(self, message: dict[str, Any]) -> None:
        """Tell it something; one that has just ended does not hear it."""
        stdin = self.process.stdin
        assert stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            stdin.write(json.dumps(message).encode() + b"\n")

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What it says, until it ends.

        Raises:
            ValueError: It says more at once than is read.
        """
        stdout = self.process.stdout
        assert stdout is not None
        with contextlib.suppress(OSError):
            while (line := await stdout.readline()).endswith(b"\n"):  # the last one may be cut off
                yield json.loads(line)

    async def ended(self) -> int:
        """The process's exit status, when all that it printed is read."""
        status = await self.process.wait()
        await asyncio.wait([self._listening], timeout=0.5)  # a process of its own may hold the pipe
        return status

    async def _listen(self) -> None:
        stderr = self.process.stderr
        assert stderr is not None
        while part := await stderr.read(TAIL):
            self._printed += part
            del self._printed[:-TAIL]

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def close(self, seconds: float = CLOSING) -> None:
        """Let it end, which it does when nobody speaks to it any more; kill it if it does not."""
        stdin = self.process.stdin
        if self.alive and stdin is not None:
            stdin.close()
            try:
                await asyncio.wait_for(self.process.wait(), seconds)
            except TimeoutError:
                self.kill()
                await self.process.wait()
        self._listening.cancel()


class Run:
    """A network that is trained, and all that is known of it.

    Args:
        id: Its name among the runs.
        document: The network.
        targets: What the data says of its targets.
        folder: Where its files are.
    """

    def __init__(self, id: str, document: Any, targets: Any, folder: pathlib.Path):
        training = document["training"]
        self.id, self.document, self.targets, self.folder = id, document, targets, folder
        self.name, self.engine, self.epochs = document.get("name", ""), training["engine"], training["epochs"]
        self.state, self.asked = "starting", "play"  # how it is, and which of STEERS was asked of it last
        self.turn, self.number = asyncio.Lock(), 0  # one thing is asked of it after the other; what is told of it is the newer, the higher its number
        self.message: str | None = None
        self.epoch = self.step = 0
        self.steps_per_epoch: int | None = None
        self.seconds = 0.0
        self.trouble: dict[str, Any] | None = None
        self.checkpoints: list[int] = []
        self.metrics: list[str] = []
        self.points: list[dict[str, Any]] = []
        self.snapshot: dict[str, Any] | None = None
        self.worker: Worker | None = None
        self.replies: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.following: asyncio.Future[None] | None = None

    @property
    def active(self) -> bool:
        """Whether it has not ended."""
        return self.state in ACTIVE

    @property
    def live(self) -> bool:
        """Whether its process is there."""
        return self.worker is not None and self.worker.alive

    def facts(self) -> dict[str, Any]:
        """What the page is told of it."""
        names = ("id", "name", "engine", "state", "epoch", "epochs", "step", "steps_per_epoch", "document", "trouble", "message", "checkpoints")
        return {name: getattr(self, name) for name in (*names, "seconds", "metrics", "targets", "live", "asked", "number")}

    def whole(self) -> dict[str, Any]:
        """The same with all that was, for a page that has just come."""
        return {**self.facts(), "history": self.history(), "snapshot": self.snapshot}

    def history(self) -> dict[str, Any]:
        """The logs by name."""
        names = dict.fromkeys(name for point in self.points for name in point["logs"])
        logs = {name: [point["logs"].get(name) for point in self.points] for name in names}
        marks = {name: [point.get(name, False) for point in self.points] for name in ("epoch", "step", "partial")}
        return {**marks, "logs": logs}

    def note(self, message: dict[str, Any]) -> None:
        """Take what the worker says of its progress."""
        self.epoch, self.step, self.seconds = message["epoch"], message["step"], message["seconds"]
        self.points += message["points"]
        self.points = thinned(self.points)


def thinned(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of a history, where they are many without those within epochs."""
    return points if len(points) <= POINTS else [point for point in points if not point.get("partial")] or points[::2]


class _Listener:
    """The events that one listener has not heard yet: what is newer takes the place of what is older, and points gather."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        self.ready, self.open = asyncio.Event(), True

    def tell(self, event: str, data: dict[str, Any]) -> None:
        """Add an event."""
        key = event, data["id"]
        if event == "removed":
            self.events = {other: value for other, value in self.events.items() if other[1] != data["id"]}
        former = self.events.pop(key, None)
        if event == "progress" and former is not None:
            data = {**data, "points": thinned(former["points"] + data["points"])}
        self.events[key] = data
        self.ready.set()

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """All that it has not heard yet."""
        taken, self.events = self.events, {}
        self.ready.clear()
        return [(event, data) for (event, _), data in taken.items()]


class Runs:
    """All runs of a server.

    Args:
        uploads: The files that the user sent.
        server: The name of this server's life, which pages compare.
        limits: What is allowed, by the names of `limits.LIMITS`.
    """

    def __init__(self, uploads: Any = None, server: str | None = None, limits: dict[str, Any] | None = None):
        self.uploads, self.server, self.limits = uploads, server or secrets.token_hex(8), {**LIMITS, **(limits or {})}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="keraunos-runs-", dir=None if uploads is None else uploads.folder))
        self.place = self.folder if uploads is None else uploads.folder  # where programs run: those of uploads read them there
        self._runs: dict[str, Run] = {}
        self._listeners: set[_Listener] = set()
        self._workers: set[Worker] = set()  # all that may run
        self._spare: tuple[str, asyncio.Future[Worker]] | None = None  # its engine, and the worker when it has begun
        self._tasks: set[asyncio.Future[Any]] = set()
        self._closed = False
        self._ticket = self.number = 0  # of saves, and of what was told

    # ---- what there is ----
    def runs(self) -> list[dict[str, Any]]:
        """All runs, with their histories."""
        return [run.whole() for run in self._runs.values()]

    def run(self, id: str) -> dict[str, Any]:
        """One run, with its history."""
        return self._run(id).whole()

    def _run(self, id: str) -> Run:
        if id not in self._runs:
            raise RunError("There is no such run.", status=404, fix="it may have been removed: see the list of runs")
        return self._runs[id]

    # ---- workers ----
    async def open(self, engine: str) -> None:
        """Start a spare worker, so that the next run on an engine begins at once."""
        if self._spare is None and not self._closed:
            self._spare = engine, self._task(self._begun(engine))
            await asyncio.wait([self._spare[1]])  # if it fails, the next run tries again, and says so

    async def _begun(self, engine: str) -> Worker:
        """A new worker.

        Raises:
            RunError: None can be started.
        """
        try:
            worker = await Worker.begun(engine, self.place)
        except OSError as error:
            raise RunError(f"No process could be started: {error}.", status=429, fix="stop other runs or programs") from error
        self._workers.add(worker)
        if self._closed:
            await worker.close(0)
            raise RunError("The playground is being closed.", status=409, fix="open it again")
        return worker

    async def _worker(self, engine: str) -> Worker:
        """The spare worker if it has the engine and is alive, else a new one."""
        if self._spare is not None and self._spare[0] == engine:
            (_, spare), self._spare = self._spare, None  # at once: it is for one run only
            self._task(self._later(engine))
            await asyncio.wait([spare])
            if spare.exception() is None and spare.result().alive:
                return spare.result()
        return await self._begun(engine)

    async def _later(self, engine: str) -> None:
        await asyncio.sleep(SPARE_AFTER)
        await self.open(engine)

    def _task(self, coroutine: Any) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # ---- start ----
    async def start(self, document: Any, step: str | None = None) -> dict[str, Any]:
        """Begin to train a network, a validated document; with a step of UNITS, that far, and then it is paused.

        Raises:
            RunError: So many are trained already.
        """
        self._check_number()
        run = Run(secrets.token_hex(6), document, {}, self.folder)
        run.asked = "step" if step else "play"
        self._runs[run.id] = run  # and counts from now on
        async with run.turn:
            await self._begin(run, step)
        return run.facts()

    async def _begin(self, run: Run, step: str | None) -> None:
        """Give a run its process."""
        from keraunos.play import code, data

        document = run.document
        try:
            program = await aside(code.program, document, self.uploads)
            signature = await aside(data.signature, document["data"], self.uploads)
            run.targets = {} if document.get("kind") == "adversarial" else signature["targets"]
            await self._make_room()
            self._tell(run)
            worker = await self._worker(run.engine)
            if run.id not in self._runs:
                await worker.close(0)
                raise RunError("The run was removed before it began.", status=409, fix="train the network again")
        except BaseException:
            if self._runs.pop(run.id, None) is not None:
                self._emit("removed", {"id": run.id})
            raise
        run.worker = worker
        about = {"id": run.id, "document": document, "program": program, "targets": run.targets, "step": step, "folder": str(self.folder)}
        limits = {"memory": self.limits.get("memory"), "most": self.limits["epochs"]}
        worker.send({"do": "start", **about, **limits, "inputs": signature["inputs"]})
        run.following = self._task(self._follow(run, worker))

    def _check_number(self) -> None:
        """Refuse one more run where as many are under way as may be."""
        active = sum(run.active for run in self._runs.values())
        if self._closed or active >= self.limits["runs"]:
            raise RunError(f"{active} runs are under way, which is the most at once.", status=429, fix="stop one of them first")

    async def _make_room(self) -> None:
        """Let go of the oldest runs that have ended: their processes, and of very old ones all."""
        ended = [run for run in self._runs.values() if not run.active]
        for run in [run for run in ended if run.live][:-IDLE_WORKERS]:
            if run.worker is not None:
                run.worker.send({"do": "leave"})
                run.worker = None
        for run in ended[: max(0, len(self._runs) - self.limits["kept_runs"])]:
            if run.id in self._runs:
                await self.remove(run.id)

    # ---- what workers say ----
    async def _follow(self, run: Run, worker: Worker) -> None:
        """Hear a worker until it ends."""
        try:
            async for message in worker.messages():
                kind = message.pop("kind")
                if kind == "progress":
                    run.note(message)
                    self._emit("progress", {"id": run.id, "number": self._next(run), **message})
                elif kind == "snapshot":
                    run.snapshot = {"id": run.id, **message}
                    self._emit("snapshot", run.snapshot)
                elif kind == "reply":
                    waiting = run.replies.pop(message["ticket"], None)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)
                else:  # "run": what has changed of it
                    vars(run).update(message)
                    self._tell(run)
        except ValueError:
            text = f"It said more than {LINE >> 20} MB at once, and was ended."
            run.trouble = trouble.made("crash", "The process said too much", text, "fewer classes, or fewer and smaller layers")
            worker.kill()
        status = await worker.ended()
        self._workers.discard(worker)
        for waiting in run.replies.values():
            if not waiting.done():
                waiting.set_result({"error": "The run's process has ended."})
        if run.active and run.asked == "stop":
            run.state, run.message = "stopped", "The process did not stop by itself, and was ended."
        elif run.active:
            run.state = "failed"
            run.trouble = run.trouble or trouble.of_exit(status, worker.printed, run.document)
        if run.id in self._runs and not self._closed:
            self._tell(run)

    def _tell(self, run: Run) -> None:
        self._next(run)
        self._emit("run", run.facts())

    def _next(self, run: Run) -> int:
        """The number of what is told of a run next."""
        run.number = self.number = self.number + 1
        return run.number

    def _emit(self, event: str, data: dict[str, Any]) -> None:
        for listener in self._listeners:
            listener.tell(event, data)

    # ---- commands ----
    async def command(self, id: str, command: dict[str, Any]) -> dict[str, Any]:
        """Tell a run what to do, when all that was asked of it before has been told; a stop is answered when it has stopped.

        Raises:
            RunError: There is no such run or command, or it is not the time for it.
        """
        async with self._run(id).turn:
            run = self._run(id)  # it may have been removed meanwhile
            do = command.get("do")
            if do not in COMMANDS:
                raise RunError(f"There is no command {do!r:.60}.", fix=suggestion(do, COMMANDS))
            message = {"do": do, **self._checked(run, do, command)}
            if do in ("pause", "stop") and not run.active:
                return {"run": run.facts()}  # as it is
            if not run.live or run.worker is None:
                raise RunError("The run's process has ended; what it showed last is kept.", status=409, fix="train the network again")
            if do in STEERS:
                if not run.active:
                    self._check_number()
                    run.state = "compiling"  # so that it counts
                run.asked = do
                self._tell(run)
            if do != "save":
                run.worker.send(message)
            if do == "stop":
                await asyncio.wait([self._task(self._stopped(run, run.worker))])
        return await self._saved(run, run.worker, message) if do == "save" else {"run": run.facts()}

    def _checked(self, run: Run, do: str, command: dict[str, Any]) -> dict[str, Any]:
        """What the worker is told with a command, of which it is made sure that it can be done."""
        match do:
            case "play" | "pause" | "step" | "stop":
                if do in ("play", "step") and run.state == "failed":
                    raise RunError("The run has failed.", status=409, fix="train the network again")
                return {"unit": _one_of(command, "unit", UNITS)} if do == "step" else {}
            case "learning_rate":
                value = command.get("value")
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e6:
                    raise RunError("A learning rate is a number from 0 to 1,000,000.", fix="such as 0.01")
                return {"value": float(value)}
            case "look":
                sample, layer, views = command.get("sample", 0), command.get("layer"), command.get("views", ["boundary", "activations"])
                if layer is not None and layer not in [known["id"] for known in run.document["layers"]]:
                    raise RunError("The network has no such layer.", fix="look at a layer of the network that this run trains")
                if not isinstance(views, list) or any(view not in VIEWS for view in views):
                    raise RunError("There is no such view.", fix=", ".join(VIEWS))
                return {"sample": _count("sample", sample, 0, 10**9), "layer": layer, "views": list(dict.fromkeys(views))}
            case "epoch":
                number = _count("number", command.get("number"), 0, 10**9)
                if not run.checkpoints:
                    raise RunError("The run has no checkpoint yet.", status=409, fix="wait until an epoch has ended")
                return {"number": min(run.checkpoints, key=lambda epoch: abs(epoch - number))}
            case _:  # "save"
                return {"format": _one_of(command, "format", FORMATS)}

    async def _stopped(self, run: Run, worker: Worker) -> None:
        """See that a run stops: a worker that does not is killed."""
        deadline = time.monotonic() + GRACE
        while run.active and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            if run.state in ("starting", "compiling") and not run.epoch and time.monotonic() > deadline - GRACE + CLOSING:
                break  # nothing is lost yet
        if run.active:
            worker.kill()
            assert run.following is not None
            await asyncio.wait([run.following])

    async def _saved(self, run: Run, worker: Worker, message: dict[str, Any]) -> dict[str, Any]:
        self._ticket += 1
        ticket = self._ticket
        path = self.folder / f"{run.id}-{ticket}.{message['format']}"
        waiting = run.replies[ticket] = asyncio.get_running_loop().create_future()
        worker.send({**message, "ticket": ticket, "path": str(path)})
        try:
            reply = await asyncio.wait_for(waiting, 60)
        except TimeoutError:
            raise RunError("The model could not be written in a minute.", status=409, fix="pause the run, then try again") from None
        finally:
            run.replies.pop(ticket, None)
        if reply.get("error"):
            raise RunError(reply["error"], status=409, fix=reply.get("fix"))
        return {"run": run.facts(), "path": str(path), "name": f"{_plain(run.name)}{path.suffix}"}

    async def remove(self, id: str) -> None:
        """Forget a run; one that is under way is ended.

        Raises:
            RunError: There is no such run.
        """
        run = self._run(id)
        del self._runs[id]
        self._emit("removed", {"id": id})
        if run.worker is not None:
            run.worker.kill()
            await run.worker.close()
        for path in self.folder.glob(f"{id}-*"):
            path.unlink(missing_ok=True)

    # ---- listeners ----
    async def subscribe(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """What happens: all that is so first, then events, ten times a second at most."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            yield "hello", {"server": self.server, "runs": self.runs(), "number": self.number, "time": time.time()}
            while not self._closed:
                await listener.ready.wait()
                for event in listener.take():
                    yield event
                await asyncio.sleep(INTERVAL)
        finally:
            self._listeners.discard(listener)

    async def close(self) -> None:
        """End all workers, in less than a second."""
        self._closed = True
        for listener in self._listeners:
            listener.ready.set()
        if self._spare is not None:
            await asyncio.gather(self._spare[1], return_exceptions=True)  # that it was refused, since all is closed, is no news
        await asyncio.gather(*(worker.close() for worker in self._workers))
        for task in [*self._tasks]:
            task.cancel()
        shutil.rmtree(self.folder, ignore_errors=True)


COMMANDS = (*STEERS, "learning_rate", "look", "epoch", "save")


def _one_of(command: dict[str, Any], name: str, options: tuple[str, ...]) -> str:
    value = command.get(name)
    if value not in options:
        raise RunError(f"'{name}' is one of {', '.join(options)}.", fix=f"{name}: {options[0]!r}")
    return value


def _count(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RunError(f"'{name}' is a whole number from {low} to {high}.", fix=f"{name}: {low}")
    return value


def _plain(name: str) -> str:
    """A name for a file: letters, digits and hyphens."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name).strip("-")[:60] or "model"
