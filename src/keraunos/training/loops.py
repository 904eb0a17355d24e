"""One pass over data: batch by batch, or many steps in one dispatch where that is faster."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core import config, tree
from keraunos.core.errors import DataError
from keraunos.core.functional import Program, repeat, uncompiled
from keraunos.core.locating import failed
from keraunos.data.adapters import ArraySource, Source
from keraunos.data.rows import RESIDENT_BYTES
from keraunos.data.streams import StreamSource
from keraunos.training.choice import Choice


class Position:
    """Where a run of `fit` is; a callback may set it when the run begins.

    Args:
        epoch: The epoch to begin with.
        data: The data, whose seed gives the order of each epoch; None where it is another's.
        callbacks: The callbacks of the run.
    """

    interrupt: Callable[[int], None] | None = None  # what is to be called after a dispatch, with the number of the epoch's batches; it may stop training
    single = False  # whether each dispatch makes one step, so that it can be stopped after any
    cause: tuple[int | None, str | None] | None = None  # of a loss that is not finite: the batch of the epoch, and what was the first, as far as known

    def __init__(self, epoch: int, data: Source | None, callbacks: Any = ()):
        self.epoch, self.batch, self.callbacks, self.ended = epoch, 0, callbacks, False
        self.data: Any = data
        self.resumed = False  # whether it goes on where another run was cut off

    @property
    def seed(self) -> int:
        """The seed of the data's order."""
        return self.data.seed

    def goto(self, epoch: int, batch: int, seed: int) -> None:
        """Go on at a batch of an epoch, in the order of a seed."""
        for done in range(self.epoch, epoch):
            self.data.skip(done)
        self.epoch, self.batch, self.data.seed, self.resumed = epoch, batch, seed, True

    def __deepcopy__(self, memo: Any) -> None:
        """A copy of a model is in no run, and does not copy the data."""

    def leave(self) -> None:
        """The run has ended: the data and the callbacks are let go."""
        self.data, self.callbacks = None, ()

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
        self.running: Callable[[], Any] = list  # the dispatch that was begun last
        marks = (f"on_{kind}_batch_begin", f"on_{kind}_batch_end", *(("on_batch_begin", "on_batch_end") if kind == "train" else ()))
        self.by_batch = callbacks is not None and callbacks.needs(*marks)
        self.group, self.own = model.steps_per_execution, model._overrides(f"make_{kind}_function")
        self.distribution = config.distribution_on(self.backend)
        fits = resident and not self.own and isinstance(data, ArraySource) and data.nbytes <= RESIDENT_BYTES
        if self.distribution is not None:
            fits &= self.distribution.auto_shard_dataset
            self._distribute(model)
        self.resident = self._tensors(data.data, whole=True) if fits else None
        able = self.resident is not None and self.group == 1 and not self.by_batch and kind == "train"
        self.choice: Choice | None = model._cache.setdefault(("choice", data.batch_size), Choice()) if able else None
        self.planned = (data.steps or 0) * epochs
        if isinstance(data, StreamSource):
            data.check_passes(epochs, "x" if kind == "train" else "validation_data")

    def epoch(self, epoch: int, progress: Any = None, collected: list[Any] | None = None, passed: int = 0) -> Any:
        """Run one epoch but for the first batches; returns its logs, and appends what each step gave to `collected`."""
        model, logs, self.done = self.model, None, passed
        with model._run(), self._told(self.kind != "predict"), contextlib.closing(self._dispatches(epoch, passed)) as dispatches:
            for steps, run in dispatches:
                self.running = run
                if self.by_batch:
                    self._tell("begin", self.done, None)
                logs = run()
                self.done += steps
                if collected is not None:
                    collected.append(logs)
                if self.by_batch:
                    self._tell("end", self.done - 1, self._numbers(logs))
                    if model.stop_training and self.kind == "train":
                        break
                if model.position is not None and model.position.interrupt is not None and self.kind == "train":
                    model.position.interrupt(self.done)
                    if model.stop_training:
                        break
                if progress is not None and progress.due():
                    progress.draw(self.done, {} if self.kind == "predict" else self._numbers(logs))
            with model._run(False):
                return logs if self.kind == "predict" else model._epoch_logs(self.kind, logs)

    def _tell(self, moment: str, batch: int, logs: Any) -> None:
        with self.model._run(False):  # callbacks may evaluate the model, and read its metrics
            self.callbacks.call(f"on_{self.kind}_batch_{moment}", batch, logs)

    @contextlib.contextmanager
    def _told(self, last: bool = True) -> Iterator[None]:
        """Say in which batch an error arose; end what workers of the data do. What ran last, which holds the data and this, ends where nothing is asked of it any more."""
        try:
            yield
            self.running = list if last else self.running
        except BaseException as error:
            self.data.close()
            if isinstance(error, Exception):
                better = failed(error, self._by_op)
                (better or error).add_note(f"In batch {self.done + 1} of the epoch.")
                if better is not None:
                    raise better from better.__cause__
            raise

    def _by_op(self) -> None:
        """Run the last dispatch op by op, of which nothing is kept: an engine may tell of its failure only when a result is waited for."""
        programs = [p for p in self.model._cache.values() if isinstance(p, Program)]
        with uncompiled(programs):
            self.running()

    def _numbers(self, logs: Any) -> dict[str, Any]:
        """The logs as numbers, for which this waits; the outputs of a prediction as they are."""
        if self.kind == "predict":
            return {"outputs": logs}
        if not logs:
            with self.model._run(False):
                logs = self.model.get_metrics_result()
        return {name: np.asarray(self.backend.to_numpy(v)).tolist() for name, v in logs.items() if not isinstance(v, dict)}

    def _distribute(self, model: Any) -> None:
        """Bring the model's state to the devices where it belongs, and see that they divide the batches."""
        if model._programs.get("placed") is not model._cache:  # which is another for another distribution, or other variables
            model._programs["placed"] = model._cache
            self.distribution.place(model, list({id(v): v for v in (*model.run_variables, *model.metrics_variables)}.values()))
        self._undivided(getattr(self.data, "batch_size", None), last=(self.data.steps or 1) == 1)

    def _undivided(self, size: int | None, last: bool) -> None:
        """Refuse batches that the devices do not divide, but for the last one."""
        if size is not None and not last and size % (parts := self.distribution.replicas()):
            fact, fix = f"Batches of {size} cannot be divided among {parts} devices.", f"batch_size={-(-size // parts) * parts}"
            raise DataError(fact, where="distribution", fix=fix)

    def _tensors(self, batch: Any, whole: bool = False) -> Any:
        """The parts of a batch that there are, as the engine's tensors; with `whole` all batches, for every device."""
        array: Any = self.backend.array
        if self.distribution is not None:
            array = partial(_placed, self.distribution.whole if whole else self.distribution.batch, array)
        parts = tuple(tree.map_structure(lambda a: None if a is None else array(a), part) for part in batch if part is not None)
        return parts[0] if self.data.alone and len(parts) == 1 and not isinstance(parts[0], (list, tuple)) else parts

    def _ready(self, batch: Any) -> Any:
        """A batch as a step takes it; a thread may do this ahead of time."""
        x, y, weight = batch
        if self.class_weight is not None and y is not None:
            weight = self.model._by_class(y, self.class_weight, weight)
        return self._tensors((x, y, weight))

    def _step(self, tensors: Any) -> Any:
        return (getattr(self.model, f"make_{self.kind}_function")() if self.own else self.model._program(self.kind))(tensors)

    def _streamed(self, group: list[Any]) -> Any:
        """The steps of some batches: one dispatch if they are alike and as many as the user wants in one."""
        alike = 1 < len(group) == self.group and all(_shapes(batch) == _shapes(group[0]) for batch in group[1:])
        if alike and not self.own and self._loops(self.model._program(self.kind)):
            return self._together()(tuple(group))
        return self._in_turn([partial(self._step, batch) for batch in group])

    def _loops(self, program: Any) -> bool:
        """Whether many steps can be one compiled loop."""
        return hasattr(self.backend, "repeat") and getattr(program, "compiles", False)

    def _in_turn(self, runs: list[Callable[[], Any]]) -> Any:
        """What the last of some steps did; of predictions, what all did."""
        logs = [run() for run in runs]
        if self.kind != "predict" or len(logs) == 1:
            return logs[-1]
        return tree.map_structure(lambda *parts: ops.concatenate(parts), *logs)

    def _dispatches(self, epoch: int, passed: int = 0) -> Generator[tuple[int, Callable[[], Any]]]:
        """How many steps each dispatch of an epoch makes, and what runs it."""
        if self.resident is None:
            parted: int | None = None
            with contextlib.closing(self.data.batches(epoch, self._ready, passed)) as batches:
                while group := list(itertools.islice(batches, self.group)):
                    for batch in group if self.distribution is not None else ():
                        self._undivided(parted, last=False)
                        parted = next(iter(tree.flatten(batch))).shape[0]
                    yield len(group), partial(self._streamed, group)
            return
        data: Any = self.data
        held, choice, size, steps = self.resident, self.choice, data.batch_size, data.steps
        one, many = self._gathering()
        choice = choice if self._loops(one) else None
        order = self.backend.indices(data.order(epoch))
        full = min(steps, data.size // size)
        done = passed
        while done < steps:
            group = min(self.group, steps - done) if choice is None else choice.group(full, self.planned)
            if choice is not None and (group > full - done or self.model.position.single):
                group = 1  # the rest goes step by step, without another compilation
            rows = order[done * size : (done + group) * size]
            if group == 1:
                run = partial(one, held, rows)
            elif (choice is not None or group == self.group) and done + group <= full and self._loops(one):
                run = partial(many, held, rows.reshape(group, size))
            else:
                run = partial(self._in_turn, [partial(one, held, rows[i * size : (i + 1) * size]) for i in range(group)])
            yield group, run if choice is None or not choice.timing else partial(choice.timed, group, run, self._wait)
            done += group

    def _wait(self) -> None:
        self.backend.synchronize(self.model._loss_tracker.variables[0]._value)

    def _gathering(self) -> tuple[Any, Any]:
        """The step, and many of them, as programs of data that lives on the device and the rows of a batch."""
        return self.model._program(self.kind, self._of_rows, "rows"), self.model._program(self.kind, self._many, "many")

    def _of_rows(self, step: Any) -> Any:
        rows_of: Any = self.backend.rows
        if self.distribution is not None:
            rows_of = partial(_placed, self.distribution.batch, rows_of)

        def run(data: Any, rows: Any) -> Any:
            parts = [tree.map_structure(lambda a: rows_of(a, rows), part, none_is_leaf=False) for part in (data if isinstance(data, tuple) else (data,))]
            return step(tuple(parts) if isinstance(data, tuple) else parts[0])

        return run

    def _many(self, step: Any) -> Any:
        one, clear, every = self._of_rows(step), self.model._clear_losses, self.kind == "predict"

        def run(data: Any, rows: Any) -> Any:
            logs = one(data, rows)
            clear()
            return logs

        return lambda data, rows: repeat(lambda r: run(data, r), rows, every)

    def _together(self) -> Any:
        """The steps of some batches of one shape, as a program of these."""
        count, backend = self.group, self.backend

        def make(step: Any) -> Any:
            many = self._many(step)

            def run(batches: Any) -> Any:
                data = tree.map_structure(lambda *parts: ops.concatenate(parts), *batches)
                size = tree.flatten(data)[0].shape[0] // count
                return many(data, backend.array(np.arange(count * size, dtype="int32").reshape(count, size)))

            return run

        return self.model._program(self.kind, make, f"together {count}")


def _placed(place: Callable[[Any], Any], make: Callable[..., Any], a: Any, *rows: Any) -> Any:
    """An array as a tensor, or some rows of one, on the devices where it belongs; arrays go there at once."""
    return place(a if isinstance(a, np.ndarray) else make(a, *rows))


def _shapes(batch: Any) -> Any:
    return tree.form(batch), [(tuple(a.shape), a.dtype) for a in tree.flatten(batch)]
