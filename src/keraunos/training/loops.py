"""One pass over data: batch by batch, or many steps in one dispatch where that is faster."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from keraunos.core import config, tree
from keraunos.core.functional import repeat
from keraunos.data.adapters import ArraySource, Source, class_weights

RESIDENT_BYTES = 1 << 30  # data up to this size is kept on the device
SHORT_STEP = 0.003  # seconds: shorter steps are worth many in one dispatch
DISPATCH = 0.05  # seconds of work that one dispatch of many steps should hold


class Position:
    """Where a run of `fit` is; a callback may set it when the run begins.

    Args:
        epoch: The epoch to begin with.
        data: The data, whose seed gives the order of each epoch.
    """

    def __init__(self, epoch: int, data: Source):
        self.epoch, self.batch, self.data, self.ended = epoch, 0, data, False
        self.resumed = False  # whether it goes on where another run was cut off

    @property
    def seed(self) -> int:
        """The seed of the data's order."""
        return self.data.seed

    def goto(self, epoch: int, batch: int, seed: int) -> None:
        """Go on at a batch of an epoch, in the order of a seed."""
        self.epoch, self.batch, self.data.seed, self.resumed = epoch, batch, seed, True

    def __deepcopy__(self, memo: Any) -> None:
        """A copy of a model is in no run, and does not copy the data."""

    def begin(self, epoch: int) -> int:
        """Begin an epoch; returns how many of its batches are passed over."""
        passed, self.epoch, self.batch = self.batch, epoch, 0
        return passed


class Loop:
    """Runs the steps of a model over a source of data.

    Args:
        model: The model.
        kind: "train", "test" or "predict".
        data: The source.
        callbacks: The callbacks, or None.
        class_weight: A weight for each class, for data that yields batches.
        epochs: The number of passes to come.
        resident: Whether data that fits lives on the device.
    """

    def __init__(self, model: Any, kind: str, data: Source, callbacks: Any = None, class_weight: Any = None, epochs: int = 1, resident: bool = True):
        self.model, self.kind, self.data, self.callbacks, self.class_weight = model, kind, data, callbacks, class_weight
        self.backend, self.done = config.active(), 0
        marks = (f"on_{kind}_batch_begin", f"on_{kind}_batch_end", *(("on_batch_begin", "on_batch_end") if kind == "train" else ()))
        self.by_batch = callbacks is not None and callbacks.needs(*marks)
        self.resident = self._tensors(data.data) if resident and isinstance(data, ArraySource) and data.nbytes <= RESIDENT_BYTES else None
        able = self.resident is not None and hasattr(self.backend, "repeat") and not self.by_batch and not model.run_eagerly and kind == "train"
        self.choice: Choice | None = model._cache.setdefault(("choice", data.batch_size), Choice()) if able else None
        self.planned = (data.steps or 0) * epochs

    def epoch(self, epoch: int, progress: Any = None, collected: list[Any] | None = None, passed: int = 0) -> Any:
        """Run one epoch but for the first batches; returns what the last step did, and appends what each did to `collected`."""
        model, logs, self.done = self.model, None, passed
        with model._run():
            for steps, run in self._dispatches(epoch, passed):
                if self.by_batch:
                    self.callbacks.call(f"on_{self.kind}_batch_begin", self.done, None)
                logs = run()
                self.done += steps
                if collected is not None:
                    collected.append(logs)
                if self.by_batch:
                    self.callbacks.call(f"on_{self.kind}_batch_end", self.done - 1, self._numbers(logs))
                    if model.stop_training and self.kind == "train":
                        break
                if progress is not None and progress.due():
                    progress.draw(self.done, {} if self.kind == "predict" else self._numbers(logs))
        return logs

    def _numbers(self, logs: Any) -> dict[str, Any]:
        """The logs as numbers, for which this waits; the outputs of a prediction as they are."""
        if self.kind == "predict":
            return {"outputs": logs}
        if not logs:
            with self.model._run(False):
                logs = self.model.get_metrics_result()
        return {name: np.asarray(self.backend.to_numpy(v)).tolist() for name, v in logs.items() if not isinstance(v, dict)}

    def _tensors(self, batch: Any) -> Any:
        """The parts of a batch that there are, as the engine's tensors."""
        array = self.backend.array
        return tuple(tree.map_structure(lambda a: None if a is None else array(a), part) for part in batch if part is not None)

    def _step(self, batch: Any) -> Any:
        x, y, weight = batch
        if self.class_weight is not None and y is not None:
            weight = class_weights(y, self.class_weight, weight)
        return self.model._program(self.kind)(self._tensors((x, y, weight)))

    def _dispatches(self, epoch: int, passed: int = 0) -> Iterator[tuple[int, Callable[[], Any]]]:
        """How many steps each dispatch of an epoch makes, and what runs it."""
        if self.resident is None:
            for batch in itertools.islice(self.data.batches(epoch), passed, None):
                yield 1, partial(self._step, batch)
            return
        data: Any = self.data
        held, choice, size, steps = self.resident, self.choice, data.batch_size, data.steps
        one, many = self._gathering()
        order = self.backend.indices(data.order(epoch))
        full = min(steps, data.size // size)
        fixed = self.model.steps_per_execution
        done = passed
        while done < steps:
            group = 1 if choice is None else fixed if fixed > 1 else choice.group(full, self.planned)
            if group > full - done:
                group = 1  # the rest goes step by step, without another compilation
            rows = order[done * size : (done + group) * size]
            run = partial(many, held, rows.reshape(group, size)) if group > 1 else partial(one, held, rows)
            yield group, run if choice is None or not choice.timing else partial(choice.timed, group, run, self._wait)
            done += group

    def _wait(self) -> None:
        self.backend.synchronize(self.model._loss_tracker.variables[0]._value)

    def _gathering(self) -> tuple[Any, Any]:
        """The step, and many of them, as programs of data that lives on the device and the rows of a batch."""
        rows_of, clear = self.backend.rows, self.model._clear_losses

        def one(step: Any) -> Any:
            return lambda data, rows: step(tuple([tree.map_structure(lambda a: rows_of(a, rows), part) for part in data]))

        def many(step: Any) -> Any:
            def run(data: Any, rows: Any) -> Any:
                logs = one(step)(data, rows)
                clear()
                return logs

            return lambda data, rows: repeat(lambda r: run(data, r), rows)

        return self.model._program(self.kind, one, "rows"), self.model._program(self.kind, many, "many")


class Choice:
    """How many steps go into one dispatch: measured on the run itself, kept only where it is faster.

    The first calls of each program compile; the following are timed. A program of many steps is compiled
    only for a run that is long enough to gain by it.
    """

    TRIALS = 4

    def __init__(self) -> None:
        self.size = 1
        self.single: list[float] = []
        self.grouped: list[float] = []
        self.timing = True

    def group(self, full: int, planned: int) -> int:
        """The size of the next group, for epochs of `full` whole batches, `planned` in all."""
        if self.timing and self.size == 1 and len(self.single) > self.TRIALS:
            short = min(self.single[1:])
            wanted = min(int(DISPATCH / short), full, 256) if short < SHORT_STEP else 1
            if wanted < 4:
                self.timing = False
            elif planned * short > 2 * self.single[0]:  # compiling costs about what the first step did; half of the time could be won
                self.size = wanted
        return self.size

    def timed(self, group: int, run: Callable[[], Any], wait: Callable[[], None]) -> Any:
        """Run a group of steps, and note how long one step took."""
        started = time.perf_counter()
        logs = run()
        wait()
        seconds = (time.perf_counter() - started) / group
        if group == 1:
            self.single += [seconds] if len(self.single) <= self.TRIALS else []
            return logs
        self.grouped.append(seconds)
        if self.size == 1:  # the user's own steps_per_execution: nothing to choose
            self.timing = False
        elif len(self.grouped) > 2:
            self.timing = False
            if min(self.grouped[1:]) > 0.95 * min(self.single[1:]):
                self.size = 1
        return logs
