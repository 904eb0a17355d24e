"""One pass over data: batch by batch, or many steps in one dispatch where that is faster."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from keraunos.core import config, tree
from keraunos.core.functional import Program
from keraunos.data.adapters import ArraySource, Source, class_weights

RESIDENT_BYTES = 1 << 30  # data up to this size is kept on the device
SHORT_STEP = 0.003  # seconds: shorter steps are worth many in one dispatch
DISPATCH = 0.05  # seconds of work that one dispatch of many steps should hold


class Loop:
    """Runs the steps of a model over a source of data.

    Args:
        model: The model.
        kind: "train" or "test".
        data: The source.
        callbacks: The callbacks, or None.
        class_weight: A weight for each class, for data that yields batches.
        epochs: The number of passes to come.
    """

    def __init__(self, model: Any, kind: str, data: Source, callbacks: Any, class_weight: Any, epochs: int = 1):
        self.model, self.kind, self.data, self.callbacks, self.class_weight = model, kind, data, callbacks, class_weight
        self.backend = config.active()
        self.done = 0
        marks = (f"on_{kind}_batch_begin", f"on_{kind}_batch_end", *(("on_batch_begin", "on_batch_end") if kind == "train" else ()))
        self.by_batch = callbacks is not None and callbacks.needs(*marks)
        self.resident: Any = None
        if isinstance(data, ArraySource) and data.nbytes <= RESIDENT_BYTES:
            self.resident = tree.map_structure(lambda a: None if a is None else self.backend.array(a), data.data)
        able = self.resident is not None and hasattr(self.backend, "repeat") and not self.by_batch and not model.run_eagerly and kind == "train"
        self.planned = (data.steps or 0) * epochs
        self.choice: Choice | None = model._cache.setdefault(("choice", data.batch_size), Choice()) if able else None

    def step(self, batch: Any) -> Any:
        """One step on a batch `(x, y, sample_weight)` of arrays."""
        x, y, weight = batch
        if self.class_weight is not None and y is not None:
            weight = class_weights(y, self.class_weight, weight)
        array = self.backend.array
        parts = tuple(tree.map_structure(lambda a: None if a is None else array(a), p) for p in (x, y, weight) if p is not None)
        return self.model._program(self.kind)(parts)

    # ---- steps on data that lives on the device ----
    def _gathering(self) -> Any:
        """The step as a program of the data and the rows of a batch."""
        cache, key = self.model._cache, f"{self.kind}_rows"
        if key not in cache:
            function, model = getattr(self.model, f"{self.kind}_step"), self.model

            def rows_step(data: Any, rows: Any) -> Any:
                logs = function(tree.map_structure(lambda a: model._backend.rows(a, rows), data))
                model._clear_losses()
                return logs

            def many_steps(data: Any, rows: Any) -> Any:
                from keraunos.core.functional import repeat

                return repeat(lambda r: rows_step(data, r), rows)

            one = self._compile(rows_step)
            cache[key] = one, self._compile(many_steps)
        return cache[key]

    def _compile(self, function: Any) -> Any:
        model = self.model
        if model.run_eagerly:
            return function
        training = self.kind == "train"
        known = model.variables + (model.optimizer.variables if training and model.optimizer is not None else [])
        options = {} if model.jit_compile is None else {"jit_compile": model.jit_compile}
        return Program(function, known, donate=training, backend=self.backend, **options)

    def epoch(self, epoch: int, progress: Any) -> tuple[int, Any]:
        """Run one epoch; returns the number of steps and the logs of the last."""
        self.done = 0
        return self._resident(epoch, progress) if self.resident is not None else self._stream(epoch, progress)

    def _begin(self, i: int) -> None:
        if self.by_batch:
            self.callbacks.call(f"on_{self.kind}_batch_begin", i, None)

    def _end(self, i: int, logs: Any, progress: Any) -> bool:
        """After a step; returns whether to stop."""
        self.done = i + 1
        if self.by_batch:
            self.callbacks.call(f"on_{self.kind}_batch_end", i, self._logs(logs))
            if self.model.stop_training:
                return True
        if progress is not None and progress.due():
            progress.draw(self.done, self._logs(logs))
        return False

    def _logs(self, logs: Any) -> dict[str, Any]:
        """The logs as numbers; this waits for the device."""
        if not logs:
            self.model._running = False
            try:
                logs = self.model.get_metrics_result()
            finally:
                self.model._running = True
        return {name: float(np.asarray(self.backend.to_numpy(v))) for name, v in logs.items() if not isinstance(v, dict)}

    def _stream(self, epoch: int, progress: Any) -> tuple[int, Any]:
        logs = None
        for i, batch in enumerate(self.data.batches(epoch)):
            self._begin(i)
            logs = self.step(batch)
            if self._end(i, logs, progress):
                break
        return self.done, logs

    def _resident(self, epoch: int, progress: Any) -> tuple[int, Any]:
        data: Any = self.data
        order, size, steps = data.order(epoch), data.batch_size, data.steps
        held = tuple(p for p in self.resident if p is not None)
        one, many = self._gathering()
        choice = self.choice
        order = self.backend.indices(order)
        fixed = self.model.steps_per_execution if choice is not None else 1
        logs, i = None, 0
        full = min(steps, data.size // size)
        while i < steps:
            group = fixed if fixed > 1 else choice.group(full, self.planned) if choice is not None else 1
            if group > full - i:
                group = 1  # the rest goes step by step, without another compilation
            self._begin(i)
            timed = choice is not None and choice.timing
            started = time.perf_counter() if timed else 0.0
            if group > 1:
                logs = many(held, order[i * size : (i + group) * size].reshape(group, size))
            else:
                logs = one(held, order[i * size : (i + 1) * size])
            if timed and choice is not None:
                self.backend.synchronize(self.model._loss_tracker.variables[0]._value)
                choice.note(group, (time.perf_counter() - started) / group)
            i += group
            if self._end(i - 1, logs, progress):
                break
        return self.done, logs


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
            # Compiling costs about what the first step did; half of the remaining time could be won.
            if wanted < 4:
                self.timing = False
            elif planned * short > 2 * self.single[0]:
                self.size = wanted
            else:
                return 1
        return self.size

    def note(self, group: int, seconds: float) -> None:
        """Take the time of one step in a group of this size."""
        if group == 1:
            if len(self.single) <= self.TRIALS:
                self.single.append(seconds)
            return
        self.grouped.append(seconds)
        if self.size == 1:  # the user's own steps_per_execution: nothing to choose
            self.timing = False
        elif len(self.grouped) > 2:
            self.timing = False
            if min(self.grouped[1:]) > 0.95 * min(self.single[1:]):
                self.size = 1
