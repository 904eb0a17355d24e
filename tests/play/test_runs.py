"""Runs as the server has them: a process each, which does as it is told, and whose end is always told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import pathlib
import signal
import sys
import time
import types
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import numpy as np
import pytest

import keraunos as keras
from keraunos.play import code
from keraunos.play.runs import IDLE_WORKERS, Run, RunError, Runs, _Listener, _plain, programs

from .test_looking import preset

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are read from /proc")


@pytest.fixture(autouse=True)
def programs_of_tests(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled programs are kept for the tests only."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@contextlib.asynccontextmanager
async def opened(**limits: Any) -> AsyncIterator[Runs]:
    runs = Runs(limits=limits)
    try:
        yield runs
    finally:
        await runs.close()
        assert not runs.folder.exists()


async def until(happens: Callable[[], Any], seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.02)
    return found


def children() -> set[int]:
    """The workers that this process has, and those of them that lost their parent."""
    found = set()
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if b"keraunos.play.worker" in (entry / "cmdline").read_bytes() and b"Z" not in (entry / "stat").read_bytes().rpartition(b")")[2].split()[:1]:
                if str(os.getpid()).encode() in (entry / "environ").read_bytes():
                    found.add(int(entry.name))
    return found


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are known by a variable of their environment."""
    monkeypatch.setenv("KERAUNOS_TEST_OF", str(os.getpid()))


async def listened(runs: Runs, events: list[tuple[str, dict[str, Any]]]) -> None:
    async for event in runs.subscribe():
        events.append(event)


def test_a_run_from_its_start_to_its_end() -> None:
    """Its numbers are those of its program with the same seed, which nobody watches."""

    async def walk() -> dict[str, Any]:
        events: list[tuple[str, dict[str, Any]]] = []
        async with opened() as runs:
            hearing = asyncio.ensure_future(listened(runs, events))
            await asyncio.sleep(0)
            run = await runs.start(preset("spiral", epochs=40))
            id = run["id"]
            assert run["state"] == "starting" and run["targets"]["label"]["classes"]
            await until(lambda: runs.run(id)["state"] == "done")
            whole = runs.run(id)
            assert whole["epoch"] == 40 and whole["step"] == 40 * whole["steps_per_epoch"] and whole["trouble"] is None
            ended = [e for e, partial in zip(whole["history"]["epoch"], whole["history"]["partial"], strict=True) if not partial]
            assert ended == list(range(1, 41)) and len(whole["history"]["logs"]["val_loss"]) == len(whole["history"]["epoch"])
            assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(whole["metrics"])
            assert whole["snapshot"]["epoch"] == 40 and whole["snapshot"]["boundary"]["kind"] == "classes"

            # looks, back and forth
            latest = whole["snapshot"]["boundary"]["values"]
            await runs.command(id, {"do": "epoch", "number": 0})
            await until(lambda: runs.run(id)["snapshot"]["checkpoint"])
            assert runs.run(id)["snapshot"]["epoch"] == 0 and runs.run(id)["snapshot"]["boundary"]["values"] != latest
            await runs.command(id, {"do": "look", "sample": 2, "views": ["boundary", "weights", "matrix"]})
            await until(lambda: "matrix" in runs.run(id)["snapshot"])
            assert runs.run(id)["snapshot"]["boundary"]["values"] == latest  # the training's state was not touched

            # what is taken home
            saved = await runs.command(id, {"do": "save", "format": "keras"})
            assert saved["name"] == "Spiral.keras"
            with keras.config.backend_scope("jax"):
                accuracy = keras.saving.load_model(saved["path"]).evaluate(*_test_data(), verbose=0)[1]
            assert accuracy == pytest.approx(whole["history"]["logs"]["val_accuracy"][-1], abs=1e-5)
            saved = await runs.command(id, {"do": "save", "format": "onnx"})
            assert pathlib.Path(saved["path"]).stat().st_size > 100

            # more
            for moot in ("pause", "stop"):
                assert (await runs.command(id, {"do": moot}))["run"]["state"] == "done"
            await runs.command(id, {"do": "step", "unit": "epoch"})
            await until(lambda: runs.run(id)["state"] == "done" and runs.run(id)["epoch"] == 41)
            await runs.command(id, {"do": "play"})
            await until(lambda: runs.run(id)["state"] == "done" and runs.run(id)["epoch"] == 81)
            assert runs.run(id)["epochs"] == 81
            await runs.remove(id)
            assert runs.runs() == []
            await asyncio.sleep(0.3)
        await hearing
        names = [name for name, _ in events]
        assert names[0] == "hello" and names[-1] == "removed" and {"run", "progress", "snapshot"} <= set(names)
        states = list(dict.fromkeys(data["state"] for name, data in events if name == "run"))
        assert states[-1] == "done" and states[0] == "starting"
        return whole["history"]

    told = asyncio.run(walk())
    space: dict[str, Any] = {"__name__": "program"}
    with keras.config.backend_scope("jax"):
        exec(compile(code.program(preset("spiral", epochs=40)), "program.py", "exec"), space)
        alone = space["train"](space["build_model"](), space["load_data"]()).history
    ended = [i for i, partial in enumerate(told["partial"]) if not partial]
    for name, values in alone.items():
        np.testing.assert_allclose([told["logs"][name][i] for i in ended], values, rtol=1e-6)


def _test_data() -> Any:
    return keras.datasets.made.spiral(**{"samples": 500, "noise": 0.1, "test": 0.3, "seed": 0})[1]


def test_pausing_stepping_and_stopping_on_torch() -> None:
    async def walk() -> None:
        async with opened() as runs:
            id = (await runs.start(preset("spiral", epochs=10_000, engine="torch"), step="batch"))["id"]
            await until(lambda: runs.run(id)["state"] == "paused")
            assert runs.run(id)["step"] == 1 and runs.run(id)["snapshot"] is not None
            for _ in range(2):
                await runs.command(id, {"do": "step", "unit": "batch"})
            await until(lambda: runs.run(id)["state"] == "paused" and runs.run(id)["step"] == 3)
            await runs.command(id, {"do": "step", "unit": "epoch"})
            await until(lambda: runs.run(id)["state"] == "paused" and runs.run(id)["epoch"] == 1)
            await runs.command(id, {"do": "play"})
            await until(lambda: runs.run(id)["epoch"] > 3)
            await runs.command(id, {"do": "learning_rate", "value": 0.0})
            await runs.command(id, {"do": "pause"})
            await until(lambda: runs.run(id)["state"] == "paused")
            await runs.command(id, {"do": "play"})
            stop, play = await asyncio.gather(runs.command(id, {"do": "stop"}), runs.command(id, {"do": "play"}))
            assert stop["run"]["state"] == "stopped" and stop["run"]["number"] < play["run"]["number"]
            at = stop["run"]["epoch"]  # it goes on with what is left
            await until(lambda: runs.run(id)["epoch"] > at)

            with pytest.raises(RunError) as refused:
                await runs.command("nobody", {"do": "play"})
            assert refused.value.status == 404
            for wrong in ({"do": "dance"}, {"do": None}, {"do": "step", "unit": "year"}, {"do": "learning_rate", "value": "1"}, {"do": "learning_rate", "value": -1},
                          {"do": "learning_rate", "value": float("nan")}, {"do": "learning_rate", "value": 10**400}, {"do": "look", "layer": "nowhere"}, {"do": "look", "views": ["soul"]},
                          {"do": "look", "sample": -1}, {"do": "epoch", "number": "x"}, {"do": "save", "format": "exe"}, {"do": "leave"}, {"do": "start"}):  # fmt: skip
                with pytest.raises(RunError) as refused:
                    await runs.command(id, wrong)
                assert refused.value.status == 422, wrong

    asyncio.run(walk())


@LINUX
def test_crashes_and_memory_are_told_and_the_others_go_on() -> None:
    async def walk() -> None:
        async with opened(memory=1) as runs:
            id = (await runs.start(preset("spiral")))["id"]
            await until(lambda: runs.run(id)["state"] == "failed")
            assert runs.run(id)["trouble"]["kind"] == "memory"
        async with opened(runs=2) as runs:
            first, second = [(await runs.start(preset("spiral", epochs=10_000), step="batch"))["id"] for _ in range(2)]
            with pytest.raises(RunError) as refused:
                await runs.start(preset("spiral"))
            assert refused.value.status == 429
            worker = runs._runs[first].worker
            assert worker is not None
            os.kill(worker.process.pid, signal.SIGSEGV)
            await until(lambda: runs.run(first)["state"] == "failed")
            assert runs.run(first)["trouble"]["title"] == "The process crashed (SIGSEGV)" and not runs.run(first)["live"]
            with pytest.raises(RunError) as refused:
                await runs.command(first, {"do": "play"})
            assert refused.value.status == 409
            await until(lambda: runs.run(second)["state"] == "paused")
            worker = runs._runs[second].worker
            assert worker is not None
            os.kill(worker.process.pid, signal.SIGSTOP)  # it hangs
            await runs.command(second, {"do": "stop"})
            await until(lambda: runs.run(second)["state"] == "stopped" and not runs.run(second)["live"], 10)
            assert "ended" in runs.run(second)["message"]
        assert not children()

    asyncio.run(walk())


@LINUX
def test_no_process_is_left_after_many_starts_stops_and_crashes() -> None:
    async def walk() -> None:
        for i in range(20):
            runs = Runs()
            id = (await runs.start(preset("spiral")))["id"]
            worker = runs._runs[id].worker
            assert worker is not None
            await asyncio.sleep(0.05 * (i % 5))
            if i % 3 == 0:
                os.kill(worker.process.pid, signal.SIGKILL)
                await until(lambda runs=runs, id=id: runs.run(id)["state"] == "failed")
            elif i % 3 == 1:
                await runs.command(id, {"do": "stop"})
            await runs.close()
        assert not children()

    asyncio.run(walk())


@LINUX
def test_workers_end_with_a_server_that_is_killed() -> None:
    program = (
        "import asyncio, sys, time; from keraunos.play.runs import Runs; from tests.play.test_looking import preset\n"
        "async def walk():\n"
        "    runs = Runs(); id = (await runs.start(preset('cnn')))['id']\n"
        "    while runs.run(id)['state'] != 'compiling': await asyncio.sleep(0.02)\n"
        "    print('compiling', flush=True); await asyncio.sleep(60)\n"
        "asyncio.run(walk())"
    )

    async def walk() -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 60) == b"compiling\n"
        assert children()
        process.kill()
        await process.wait()
        await until(lambda: not children())

    asyncio.run(walk())


@LINUX
def test_what_is_asked_at_once_is_kept_apart(tmp_path: pathlib.Path) -> None:
    """Runs that are started at once have a process each, and no more than may be; one that is removed before it began is none; each save is answered."""
    network = preset("spiral", epochs=10_000)

    async def walk() -> None:
        async with opened(runs=2) as runs:
            (runs.place / "json.py").write_text("raise SystemExit(3)")  # what lies in the folder is no module
            await runs.open("jax")
            found = await asyncio.gather(*(runs.start(network, step="batch") for _ in range(4)), return_exceptions=True)
            begun = [run["id"] for run in found if isinstance(run, dict)]
            assert len(begun) == 2 and [error.status for error in found if isinstance(error, RunError)] == [429, 429]
            workers = [runs._runs[id].worker for id in begun]
            assert len({worker.process.pid for worker in workers if worker is not None}) == 2
            for id in begun:
                await until(lambda id=id: runs.run(id)["state"] == "paused")
            saves = await asyncio.gather(*(runs.command(begun[0], {"do": "save", "format": "keras"}) for _ in range(3)))
            assert len({save["path"] for save in saves}) == 3 and all(pathlib.Path(save["path"]).exists() for save in saves)

            await runs.command(begun[0], {"do": "look", "views": ["boundary", "weights"] * 1000})
            await until(lambda: runs.run(begun[0])["snapshot"]["views"] == ["boundary", "weights"])
            await runs.command(begun[0], {"do": "stop"})
            await until(lambda: runs.run(begun[0])["state"] == "stopped")
            third = (await runs.start(network, step="batch"))["id"]
            with pytest.raises(RunError) as refused:  # the places are taken
                await runs.command(begun[0], {"do": "play"})
            assert refused.value.status == 429

            asked = asyncio.ensure_future(runs.command(third, {"do": "save", "format": "keras"}))
            await asyncio.sleep(0)
            await runs.remove(third)
            with pytest.raises(RunError, match="has ended"):
                await asyncio.wait_for(asked, 40)  # it is not waited for in vain

            starting = asyncio.ensure_future(runs.start(network))
            await asyncio.sleep(0)
            (id,) = {run["id"] for run in runs.runs()} - {*begun}
            asked = asyncio.ensure_future(runs.command(id, {"do": "pause"}))  # waits until it has begun
            await asyncio.sleep(0)
            await runs.remove(id)
            with pytest.raises(RunError, match="removed before it began"):
                await starting
            with pytest.raises(RunError, match="no such run"):
                await asked
        await until(lambda: not children())

    asyncio.run(walk())


def test_a_stop_is_a_stop_whatever_is_heard_on_the_way() -> None:
    """A process that does not stop in time is killed, and what it had said before is heard after that."""

    class Deaf:
        alive, printed = True, ""

        def __init__(self) -> None:
            self.killed, self.told = asyncio.Event(), list[str]()

        def send(self, message: dict[str, Any]) -> None:
            self.told.append(message["do"])

        async def messages(self) -> AsyncIterator[dict[str, Any]]:
            yield {"kind": "run", "state": "compiling"}
            await self.killed.wait()
            yield {"kind": "run", "state": "training"}

        def kill(self) -> None:
            self.alive = False
            self.killed.set()

        async def ended(self) -> int:
            return -signal.SIGKILL

        async def close(self, seconds: float = 0.0) -> None:
            self.kill()

    async def walk() -> None:
        async with opened() as runs:
            worker = Deaf()
            runs._spare = "jax", asyncio.ensure_future(asyncio.sleep(0, cast(Any, worker)))
            id = (await runs.start(preset("spiral")))["id"]
            stopped, after = await asyncio.gather(runs.command(id, {"do": "stop"}), runs.command(id, {"do": "play"}), return_exceptions=True)
            assert isinstance(stopped, dict) and stopped["run"]["state"] == "stopped" and "was ended" in stopped["run"]["message"]
            assert isinstance(after, RunError) and after.status == 409
            assert worker.told == ["start", "stop"] and runs.run(id)["trouble"] is None

    asyncio.run(walk())


def test_what_is_told_of_a_run_is_numbered_so_that_an_answer_is_not_taken_for_newer_than_an_event() -> None:
    async def walk() -> None:
        async with opened() as runs:
            events = runs.subscribe()
            assert (await anext(events))[1]["number"] == 0
            id = (await runs.start(preset("spiral", epochs=10_000), step="batch"))["id"]
            assert runs.run(id)["asked"] == "step"
            asked, numbers = dict[int, str](), list[int]()
            for do in ("play", "pause"):
                answer = (await runs.command(id, {"do": do}))["run"]
                assert answer["asked"] == do
                asked[answer["number"]] = do
            async for name, data in events:
                if name in ("run", "progress"):
                    numbers.append(data["number"])
                    told = [do for number, do in asked.items() if number <= data["number"]]
                    assert data.get("asked") in (None, *told[-1:], *([] if told else ["step"]))
                if name == "run" and data["state"] == "paused":
                    break
            assert numbers == sorted(set(numbers)) and numbers[-1] == runs.run(id)["number"]

    asyncio.run(walk())


@LINUX
def test_a_spare_worker_that_has_ended_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def walk() -> None:
        async with opened() as runs:
            await runs.open("jax")
            assert runs._spare is not None
            spare = runs._spare[1].result()
            spare.kill()
            await spare.process.wait()
            id = (await runs.start(preset("spiral", epochs=1)))["id"]
            await until(lambda: runs.run(id)["state"] == "done")
        async with opened() as runs:
            with monkeypatch.context() as no_more:
                no_more.setattr(asyncio, "create_subprocess_exec", failing)
                await runs.open("jax")
                with pytest.raises(RunError, match="No process could be started") as refused:
                    await runs.start(preset("spiral"))
                assert refused.value.status == 429 and runs.runs() == []
            assert (await runs.start(preset("spiral")))["state"] == "starting"

    async def failing(*command: Any, **more: Any) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    asyncio.run(walk())


def test_a_worker_finds_what_the_server_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["src", os.path.abspath("tests")]))
    given: dict[str, str] = {}

    async def noting(*command: str, env: dict[str, str], **more: Any) -> Any:
        given.update(env)
        raise OSError

    async def walk() -> None:
        async with opened() as runs:
            monkeypatch.setattr(asyncio, "create_subprocess_exec", noting)
            await runs.open("jax")

    asyncio.run(walk())
    assert given["PYTHONPATH"].split(os.pathsep) == [os.path.abspath("src"), os.path.abspath("tests")]


def test_a_process_that_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.runs.LINE", 2000)

    async def walk() -> None:
        async with opened() as runs:
            id = (await runs.start(preset("spiral")))["id"]
            await until(lambda: runs.run(id)["state"] == "failed")
            assert runs.run(id)["trouble"]["title"] == "The process said too much"

    asyncio.run(walk())


def test_a_listener_that_never_hears_holds_no_more_than_a_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.runs.POINTS", 10)

    async def walk() -> None:
        listener = _Listener()
        for step in range(500):
            listener.tell("progress", {"id": "a", "points": [{"epoch": 1, "step": step, "partial": step % 100 > 0}]})
        ((_, told),) = listener.take()
        assert len(told["points"]) <= 10 and [point["step"] for point in told["points"] if not point["partial"]] == [0, 100, 200, 300, 400]

    asyncio.run(walk())


def test_old_runs_make_room_for_new_ones() -> None:
    async def walk() -> None:
        async with opened(kept_runs=1) as runs:
            ids = []
            for _ in range(2):
                ids.append((await runs.start(preset("spiral")))["id"])
                worker = runs._runs[ids[-1]].worker
                assert worker is not None
                worker.kill()
                await until(lambda: runs.run(ids[-1])["state"] == "failed")
            assert [run["id"] for run in runs.runs()] == ids[1:]

    asyncio.run(walk())


def test_of_the_runs_that_have_ended_the_newest_keep_their_processes() -> None:
    async def walk() -> None:
        told: list[Any] = []
        async with opened() as runs:
            for i in range(IDLE_WORKERS + 2):
                run = runs._runs[str(i)] = Run(str(i), preset("spiral"), {}, runs.folder)
                run.state, run.worker = "done", cast(Any, types.SimpleNamespace(alive=True, send=lambda message, i=i: told.append((i, message))))
            await runs._make_room()
            assert told == [(0, {"do": "leave"}), (1, {"do": "leave"})]
            assert [run["live"] for run in runs.runs()] == [False, False] + [True] * IDLE_WORKERS

    asyncio.run(walk())


def test_a_listener_that_is_slow_hears_the_newest_and_all_points() -> None:
    async def walk() -> None:
        listener = _Listener()
        for epoch in range(3):
            listener.tell("progress", {"id": "a", "epoch": epoch, "points": [{"epoch": epoch}]})
            listener.tell("snapshot", {"id": "a", "epoch": epoch})
        assert listener.take() == [
            ("progress", {"id": "a", "epoch": 2, "points": [{"epoch": 0}, {"epoch": 1}, {"epoch": 2}]}),
            ("snapshot", {"id": "a", "epoch": 2}),
        ]
        listener.tell("snapshot", {"id": "a", "epoch": 3})
        listener.tell("removed", {"id": "a"})
        assert listener.take() == [("removed", {"id": "a"})] and not listener.ready.is_set()

    asyncio.run(walk())


def test_histories_of_long_runs_are_thinned(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr("keraunos.play.runs.POINTS", 10)
    run = Run("a", preset("spiral"), {}, tmp_path)
    for step in range(8):
        run.note({"epoch": 0, "step": step, "seconds": 0.0, "points": [{"epoch": 1, "step": step, "logs": {"loss": 1.0}, "partial": step % 2 == 0}]})
    assert len(run.points) == 8
    run.note({"epoch": 1, "step": 9, "seconds": 0.0, "points": [{"epoch": 1, "step": 9, "logs": {"loss": 0.5, "val_loss": 2.0}}] * 3})
    assert [point["step"] for point in run.points] == [1, 3, 5, 7, 9, 9, 9]
    assert run.history()["logs"]["val_loss"] == [None] * 4 + [2.0] * 3


def test_compiled_programs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.runs.PROGRAM_BYTES", 25)
    for i in range(4):
        (programs() / str(i)).write_bytes(b"0123456789")
        os.utime(programs() / str(i), (i, i))
    assert sorted(path.name for path in programs().iterdir()) == ["2", "3"]


@pytest.mark.parametrize(("name", "expected"), [("CNN on digits", "CNN-on-digits"), ("../../etc/passwd", "etc-passwd"), ("«»", "model"), ("a" * 99, "a" * 60)])
def test_names_of_files_are_plain(name: str, expected: str) -> None:
    assert _plain(name) == expected


def test_a_spare_worker_that_is_refused_at_the_end_is_no_news() -> None:
    complaints: list[Any] = []

    async def closed_while_it_opens() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        runs = Runs()
        opening = asyncio.ensure_future(runs.open("numpy"))
        await asyncio.sleep(0)  # it has begun
        opening.cancel()
        await runs.close()
        del runs, opening
        gc.collect()

    asyncio.run(closed_while_it_opens())
    assert not complaints
