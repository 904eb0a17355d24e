"""The callback of a run: it pauses and steps, tells how far training is, keeps checkpoints, and says when to look inside.

It has no marks of batches: training of short steps stays many steps in a dispatch. Between dispatches it is called by `Position.interrupt`.

What is asked for is done in the order in which it was asked, whenever it is heard: what comes after a step waits until the step is done. Two
things do not wait: looks, which change nothing, and an end of an epoch's step by a pause or a stop, since an epoch may be long.
"""

from __future__ import annotations

import collections
import math
import queue
import time
from collections.abc import Callable
from typing import Any

from keraunos.callbacks import Callback
from keraunos.play import trouble

INTERVAL = 0.1  # seconds between what is told
LOOKS, HALTS = ("look", "epoch"), ("pause", "stop")  # of what is asked for: what changes nothing, and what ends the step of an epoch
LOOKING, KEEPING = 0.05, 0.02  # the shares of the time that looking and checkpoints may take
SLOW = 0.02  # seconds: after dispatches that take longer, each is waited for, so that one can be stopped after any
CHECKPOINTS, CHECKPOINT_BYTES = 60, 1 << 26


def plain(logs: dict[str, Any] | None) -> dict[str, float | None]:
    """Logs as JSON has them: numbers, and None for what is not finite."""
    numbers = {name: float(value) for name, value in (logs or {}).items() if isinstance(value, (int, float))}
    return {name: float(f"{value:.7g}") if math.isfinite(value) else None for name, value in numbers.items()}


class Checkpoints:
    """The weights after some epochs, spread evenly over the run, and the newest.

    Args:
        model: The model.
    """

    def __init__(self, model: Any):
        self.model, self.kept, self.every = model, {}, 1
        size = sum(value.nbytes for value in model.get_weights())
        self.most = max(2, min(CHECKPOINTS, CHECKPOINT_BYTES // max(size, 1)))
        self.able = 2 * size <= CHECKPOINT_BYTES

    def keep(self, epoch: int) -> bool:
        """Keep the weights after so many epochs; whether that changed what there is."""
        if not self.able or epoch in self.kept:
            return False
        self.kept[epoch] = self.model.get_weights()
        while len(self.kept) > self.most:
            self.every *= 2
            last = max(self.kept)
            thinned = {e: weights for e, weights in self.kept.items() if e % self.every == 0 or e == last}
            self.kept = thinned if len(thinned) > 2 else {e: self.kept[e] for e in (min(self.kept), last)}
        return True


class Watcher(Callback):
    """Watches a run of `fit`.

    Args:
        say: Tells the server something: `say(kind, **facts)`.
        commands: What the server asks for.
        look: Makes a snapshot, `look(weights or None)`, and tells it; None where nothing is looked at.
        obey: Does what is asked for and is no matter of training.
        epochs: The number of epochs.
        document: The network, for the words about what went wrong.
        reach: The largest absolute values of the data, by what it is, for the same.
        unit: What is trained before the first pause, "batch" or "epoch"; empty where it goes on.
    """

    by_batch = False  # the marks of batches are not acted on

    def __init__(
        self,
        say: Callable[..., None],
        commands: queue.SimpleQueue[dict[str, Any]],
        look: Callable[[], None] | None = None,
        obey: Callable[[dict[str, Any]], None] | None = None,
        *,
        epochs: int,
        document: Any,
        reach: dict[str, float] | None = None,
        unit: str = "",
    ):
        self.say, self.commands, self.look, self.obey = say, commands, look, obey or (lambda command: None)
        self.epochs, self.document, self.reach = epochs, document, reach or {}
        self.unit, self.paused = unit, False  # what is to be done before the next pause, and whether it is now
        self.waiting: collections.deque[dict[str, Any]] = collections.deque()  # what was asked for, and is not done yet
        self.state, self.asked = "compiling", ""  # how it is, and why it was ended: "stop", "epochs" or "trouble"
        self.epoch = self.step = self.batch = 0  # epochs and steps that are done; batches of the epoch
        self.steps: int | None = None
        self.checkpoints: Checkpoints | None = None
        self.trouble: dict[str, Any] | None = None
        self.fresh = True  # whether a look is wanted, whatever it costs
        self.trained = self.looked = self.kept = 0.0  # seconds
        self._points: list[dict[str, Any]] = []
        self._since = self._seen = self._told = self._begun = self._marked = 0.0
        self._names: tuple[str, ...] = ()
        self._told_checkpoints: list[int] = []
        self._before = self._first = 0
        self._waits, self._least = False, math.inf

    # ---- marks ----
    def begin(self) -> None:
        """Before `fit`: look at the model as it is, and do what was asked for meanwhile."""
        if self.checkpoints is None:
            self.checkpoints = Checkpoints(self.model)
            self.checkpoints.keep(0)
        self._look_if_due()
        self._attend()

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.position.interrupt = self._mark
        self.steps, self._first = self.params.get("steps"), self.epoch
        self._change("compiling", steps_per_epoch=self.steps, epochs=self.epochs)
        self._go_on()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.batch, self._before, self._begun = 0, self.step, time.perf_counter()
        self.model.position.single = self.unit == "batch"

    def _mark(self, done: int) -> None:
        """Called between dispatches, with the number of the epoch's batches that are done."""
        self.batch, self.step = done, self._before + done
        if self.state != "training":
            self._change("training")
        if self.unit == "batch":
            self.unit, self.paused = "", True
        late = time.perf_counter() - INTERVAL  # the end of a short epoch tells soon enough
        if self._waits or self.paused or not self.commands.empty() or (self._told < late and self._begun < late):
            with self.model._run(False):
                self._between()

    def _between(self) -> None:
        began = time.perf_counter()
        numbers = self._numbers()
        ended = time.perf_counter()
        self._waits, self._marked = ended - (self._marked if self._waits else began) > SLOW, ended
        if self._broken(numbers) or self.batch == self.steps:  # the rest is for the end of the epoch
            return
        if self.paused or ended - self._told > INTERVAL:
            self._point(self.epoch + 1, numbers, partial=True)
            self._flush()
            self._look_if_due()
        self._attend()
        self.model.position.single = self.unit == "batch"
        self._marked = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        whole, logs = self.batch == self.steps, logs or {}
        if not self._names:
            self._names = tuple(logs)
            self.say("run", metrics=[*logs])
        if whole:
            self.epoch = self._first + epoch + 1
        self._point(self.epoch + (not whole), logs, partial=not whole)
        if not self._broken(logs, ended=True):
            self._watch_growth(logs)
            self._keep()
        if self.unit == "epoch" and whole:
            self.unit, self.paused = "", True
        if self.epoch >= self.epochs and not self.asked:
            self.asked = "epochs"
        if not self.asked:
            self._look_if_due()
            if time.perf_counter() - self._told > INTERVAL:
                self._flush()
            self._attend()
        if self.asked:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        self._pause_clock()
        self._flush()

    def finish(self) -> None:
        """After `fit`: keep the model as it is, and tell what was not told."""
        if self.checkpoints is not None and self.asked != "trouble":
            self.checkpoints.keep(self.epoch)
        self._flush()

    # ---- what is told ----
    def _numbers(self) -> dict[str, Any]:
        """The logs of the epoch so far, for which this waits."""
        unknown = "loss" if self.document.get("kind") == "adversarial" else None  # two networks have a loss each, and none together
        found = self.model.get_metrics_result().items()
        return {name: float(value) for name, value in found if name != unknown and not isinstance(value, dict)}

    def _point(self, epoch: int, logs: dict[str, Any], partial: bool = False) -> None:
        point = {"epoch": epoch, "step": self.step, "logs": plain(logs)}
        self._points = [known for known in self._points if not known.get("partial")]
        self._points.append({**point, "partial": True} if partial else point)

    def _flush(self) -> None:
        """Tell the points that were not told yet."""
        self._told = time.perf_counter()
        points, self._points = self._points, []
        self.say("progress", epoch=self.epoch, step=self.step, seconds=round(self.seconds, 3), points=points)
        if self.checkpoints is not None and self._told_checkpoints != [*self.checkpoints.kept]:
            self._told_checkpoints = [*self.checkpoints.kept]
            self.say("run", checkpoints=self._told_checkpoints)

    def _change(self, state: str, **facts: Any) -> None:
        """Take another state, and tell it."""
        self.state = state
        self.say("run", state=state, epoch=self.epoch, step=self.step, **facts)

    # ---- time ----
    @property
    def seconds(self) -> float:
        """The seconds of training so far, without pauses and looking."""
        return self.trained + (time.perf_counter() - self._since if self._since else 0.0)

    def _pause_clock(self) -> None:
        self.trained, self._since = self.seconds, 0.0

    def _go_on(self) -> None:
        if not self._since:
            self._since = time.perf_counter()

    # ---- commands ----
    def _attend(self) -> None:
        """Do what is asked for, until a step is to be made; while it is paused, wait for more."""
        while not self.asked:
            self._hear()
            if self.unit == "epoch" and any(command["do"] in HALTS for command in self.waiting):
                self.unit = ""
            if self.unit or not (self.waiting or self.paused):
                break
            if not self.waiting:
                if self.state != "paused":
                    self._pause_clock()
                    self._flush()
                    self._change("paused")
                    self.fresh = True
                self._look_if_due()
            self.command(self.next())
        if self.state == "paused" and not self.asked:
            self._change("training")
            self._go_on()

    def _hear(self) -> None:
        """Take in what was asked for meanwhile."""
        while not self.commands.empty():
            command = self.commands.get()
            if self.unit and command["do"] in LOOKS:
                self.obey(command)
            else:
                self.waiting.append(command)

    def next(self, seconds: float | None = None) -> dict[str, Any]:
        """What is to be done next, for which this waits.

        Raises:
            queue.Empty: Nothing was asked for in so many seconds.
        """
        return self.waiting.popleft() if self.waiting else self.commands.get(timeout=seconds)

    def go_on(self, command: dict[str, Any], epochs: int) -> None:
        """Make ready for what is asked for after the end: the epochs that are left of a run that was stopped, else so many more."""
        if self.asked != "stop":
            self.epochs = self.epoch + epochs
        self.asked = ""
        self.command(command)

    def command(self, command: dict[str, Any]) -> None:
        """Do one thing that is asked for."""
        match command["do"]:
            case "play":
                self.paused, self.unit = False, ""
            case "pause":
                self.paused = True
            case "step":
                self.paused, self.unit = False, command["unit"]
            case "stop":
                self.asked, self.paused = "stop", False
                self.model.stop_training = True
            case "learning_rate":
                for optimizer in optimizers(self.model):
                    optimizer.learning_rate = command["value"]
                self.say("run", learning_rate=command["value"])
            case _:
                self.obey(command)

    # ---- looking and keeping ----
    def _look_if_due(self) -> None:
        """Look inside, if that is wanted or has taken little of the time so far."""
        due = self.looked < LOOKING * self.seconds and time.perf_counter() - self._seen > INTERVAL
        if self.look is None or not (self.fresh or due):
            return
        fresh, self.fresh, running = self.fresh, False, bool(self._since)
        self._pause_clock()
        started = time.perf_counter()
        self.look()
        self._seen = time.perf_counter()
        if not fresh:  # the first look at something compiles
            self.looked += self._seen - started
        if running:
            self._go_on()

    def _keep(self) -> None:
        """Keep a checkpoint, where that has taken little of the time so far."""
        assert self.checkpoints is not None
        if self.epoch % self.checkpoints.every == 0 and self.kept <= KEEPING * self.seconds:
            started = time.perf_counter()
            self.checkpoints.keep(self.epoch)
            self.kept += time.perf_counter() - started

    # ---- trouble ----
    def _broken(self, logs: dict[str, Any], ended: bool = False) -> bool:
        """Whether a number is not finite: the run is ended then, and explained when the epoch's end has told the cause."""
        wrong = next((name for name, value in logs.items() if isinstance(value, float) and not math.isfinite(value)), None)
        if wrong is None:
            return False
        if not self.asked:
            self.asked, self.model.stop_training = "trouble", True
        if ended and self.trouble is None:
            self.trouble = trouble.not_finite(self.model, self.document, wrong, logs[wrong], self._before, self.reach)
            self.say("run", trouble=self.trouble)
        return True

    def _watch_growth(self, logs: dict[str, Any]) -> None:
        """Say when the loss has grown out of all bounds, though it is a number yet."""
        loss = logs.get("loss")
        if not isinstance(loss, float) or self.trouble is not None:
            return
        if loss > 1000 * max(self._least, 1.0):
            self.trouble = trouble.exploding(self.model, self.document, loss, self._least, self.step, self.reach)
            self.say("run", trouble=self.trouble)
        self._least = min(self._least, loss)


def optimizers(model: Any) -> list[Any]:
    """The optimizers of a model: its own, and those that a model with a step of its own has."""
    from keraunos.optimizers import Optimizer

    held = [value for part in vars(model).values() for value in (part.values() if isinstance(part, dict) else [part])]
    return list({id(value): value for value in held if isinstance(value, Optimizer)}.values())
