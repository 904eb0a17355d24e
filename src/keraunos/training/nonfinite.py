"""Where a loss that is not finite came from: an epoch, or one batch, is gone through once more, in the state that it began with."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core import config, tree
from keraunos.core.errors import TrainingError, layout
from keraunos.core.frames import warn
from keraunos.core.functional import Program, functional
from keraunos.core.op import watched
from keraunos.core.scope import scope, within
from keraunos.core.variable import numpy_of
from keraunos.data.adapters import ArraySource, unpack_x_y_sample_weight

LIMIT_BYTES = 1 << 24  # a state up to this size is kept when an epoch begins
LIMIT_SECONDS = 20.0  # for which the cause is looked for
REMEDY = "lower the learning rate, clip gradients (clipnorm=1.0), or mend what gives such values, such as a logarithm of 0"


class _Found(Exception):
    """The cause."""


class Search:
    """Finds what was the first not to be finite in a step: in the data, a weight, an op of a layer, the loss, a gradient, or the step itself.

    Args:
        model: The model.
    """

    def __init__(self, model: Any):
        self.model, self.backend = model, model._backend
        self.variables = model.run_variables

    def state(self) -> list[Any]:
        """A copy of the state: on the device, where the engine makes one there without waiting, else as arrays."""
        copies = getattr(self.backend, "copies", lambda _: None)([v._value for v in self.variables])
        return numpy_of(self.variables) if copies is None else copies

    def step(self, values: Sequence[Any], batch: Any) -> tuple[str | None, list[Any]]:
        """Do one step, op by op, on a state; returns the cause, if there is one, and the new state."""
        model = self.model
        try:
            with model._run(False), within(prepared=model):
                self._run(lambda: self._forward(batch), values)
                _, (new,) = functional(lambda: model._step_of("train")(batch), self.variables)([values])
                model._clear_losses()
        except _Found as found:
            return str(found), list(values)
        wrong = next((v for v, value in zip(self.variables, new, strict=True) if v.trainable and not self.finite(value)), None)
        if wrong is None:
            return None, new
        with model._run(False), within(prepared=model):
            return self._run(lambda: self._backward(batch, wrong.path), values) or f"the step made '{wrong.path}' not finite", new

    def _run(self, look: Callable[[], Any], values: Sequence[Any]) -> Any:
        """What `look` returns on a state; None where the step is the user's own, which may do with the data what `look` cannot."""
        try:
            return functional(look, self.variables)([values])[0]
        except Exception as error:
            if isinstance(error, _Found) or not self.model._overrides("train_step"):
                raise
            return None
        finally:
            self.model._clear_losses()

    def finite(self, x: Any) -> bool:
        """Whether a tensor has no value that is NaN or infinite; of what is only traced, nothing is known."""
        if not hasattr(x, "dtype") or getattr(self.backend, "is_traced", lambda _: False)(x):
            return True
        value = np.asarray(self.backend.to_numpy(x))
        return value.dtype.kind in "iub?OSTU" or bool(np.isfinite(value.astype("float64")).all())

    def _all_finite(self, structure: Any) -> bool:
        return all(map(self.finite, tree.flatten(structure)))

    # ---- forward ----
    def _forward(self, batch: Any) -> None:
        """Run the model, and look at the output of each layer; then at the loss."""
        model, (x, y, weight) = self.model, unpack_x_y_sample_weight(batch)
        for name, part in (("x", x), ("y", y), ("sample_weight", weight)):
            for tensor in tree.flatten(part):
                if not self.finite(tensor):
                    value = np.asarray(self.backend.to_numpy(tensor), "float64")
                    at = np.argwhere(~np.isfinite(value))[0].tolist()
                    raise _Found(f"the data is not finite: {name}{at} of the batch is {value[tuple(at)]}")
        maker = ""  # the first op that made such a value of finite ones

        def look_at_op(name: str, args: Any, out: Any) -> Any:
            nonlocal maker
            if not maker and not self._all_finite(out) and self._all_finite(args):
                maker = name
            return out

        def look_at_layer(layer: Any, inputs: Any, outputs: Any) -> None:
            nonlocal maker
            if self._all_finite(outputs):
                maker = ""
                return
            wrong = next((v for v in layer._own_variables() if not self.finite(v.value)), None)
            if wrong is not None:
                raise _Found(f"the weight '{wrong.path}' is not finite")
            by = f", made by ops.{maker}" if maker else ""
            raise _Found(f"the first value that is not finite is in the output of '{layer.name}' ({type(layer).__name__}){by}")

        with within(monitor=look_at_layer), watched(look_at_op):
            y_pred = model(x, training=True)
            maker = ""
            loss = model.compute_loss(x, y, y_pred, weight, training=True)
        if not self.finite(loss):
            largest = max(float(np.abs(np.asarray(self.backend.to_numpy(y), "float64")).max()) for y in tree.flatten(y_pred))
            raise _Found(f"the outputs are finite (up to {largest:.3g}), but the loss of them is not{f' (ops.{maker})' if maker else ''}")

    # ---- backward ----
    def _backward(self, batch: Any, path: str) -> str:
        """Where the gradients stop being finite. Each op's result gets a zero added, so that there is a gradient by it."""
        model, (x, y, weight) = self.model, unpack_x_y_sample_weight(batch)
        trained = [v for v in self.variables if v.trainable]
        made: list[tuple[Any, ...]] = []  # the ops in their order: name, shape and dtype of the result, and the layer's path

        def run(values: Sequence[Any], look: Callable[..., Any]) -> Any:
            def objective() -> Any:
                with within(monitor=lambda *_: None), watched(look):
                    loss = model.compute_loss(x, y, model(x, training=True), weight, training=True)
                return model.optimizer.scale_loss(loss) if model._scales_loss else loss

            return functional(objective, trained)([values[: len(trained)]])[0], None

        def note(name: str, args: Any, out: Any) -> Any:
            if self.backend.is_tensor(out) and "float" in self.backend.dtype_of(out):
                made.append((name, tuple(out.shape), self.backend.dtype_of(out), scope.names.rstrip("/")))
            return out

        def with_zeros(values: Sequence[Any]) -> Any:
            left = list(zip(found, values[len(trained) :], strict=True))

            def shift(name: str, args: Any, out: Any) -> Any:
                before = len(made)
                note(name, args, out)
                place = next((i for i, (known, _) in enumerate(left) if known == made[-1]), None) if len(made) > before else None
                return out if place is None else out + left.pop(place)[1]

            return run(values, shift)

        values = [v.value for v in trained]
        self.backend.differentiate(lambda values: run(values, note), values)
        found = list(made)
        zeros = [self.backend.array(np.zeros(shape), dtype) for _, shape, dtype, _ in found]
        _, gradients = self.backend.differentiate(with_zeros, [*values, *zeros])
        fine = list(map(self.finite, gradients))
        if all(fine):
            largest = max(float(np.abs(np.asarray(self.backend.to_numpy(g), "float64")).max()) for g in gradients[: len(trained)])
            return f"the gradients are finite (up to {largest:.3g}), but the step that the optimizer made of them was too long for '{path}'"
        wrong = next((v.path for v, good in zip(trained, fine, strict=False) if not good), path)
        first = max((i for i, good in enumerate(fine[len(trained) :]) if not good), default=-1)  # the nearest to the loss: the op after it is to blame
        if first + 1 >= len(found):
            return f"the gradient of '{wrong}' is not finite"
        name, _, _, place = found[first + 1]
        where = f"in '{place}'" if place else "in the loss"
        return f"the gradient of '{wrong}' is not finite; backwards, the first such is that of ops.{name} {where}"


class Watch:
    """Tells, once in a run of `fit`, where the first value came from that made the loss infinite or NaN.

    Args:
        model: The model.
        data: What it is trained on. Of a stream, which cannot be gone through again, only the loss is told.
        loop: Which makes tensors of batches.
    """

    def __init__(self, model: Any, data: Any, loop: Any):
        self.model, self.data, self.loop = model, data, loop
        self.search = Search(model)
        size = sum(math.prod(v.shape) for v in self.search.variables) * 4
        self.on = config.are_checks_enabled()
        self.able = self.on and isinstance(data, ArraySource) and size <= LIMIT_BYTES and not model._overrides("train_step")
        self.kept: list[Any] = []
        self.passed = 0

    def begin(self, passed: int = 0) -> None:
        """Keep the state that an epoch begins with, after so many of its batches."""
        if self.able:
            self.kept, self.passed = self.search.state(), passed

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Look at the logs of an epoch; warn if the loss is not finite."""
        loss = logs.get("loss")
        if not self.on or not isinstance(loss, float) or math.isfinite(loss):
            return
        self.on = False
        batch, cause = self._cause(epoch) if self.able else (None, None)
        self.able, self.model.position.cause = False, (batch, cause)
        place = f"at epoch {epoch + 1}" + (f", batch {batch + 1}" if batch is not None else "")
        fact = f"The loss became {loss} {place}" + (f": {cause}." if cause else ".")
        fix = f"{REMEDY}. keraunos.config.disable_checks() silences this" + ("" if cause else "; fit(debug_nans=True) finds the layer")
        warn(layout(fact, where=self.model.name, received=_rate(self.model), fix=fix, code="KR501"))

    def _cause(self, epoch: int) -> tuple[int | None, str | None]:
        """The batch, and the layer or weight, that were the first with a value that is not finite."""
        deadline = time.perf_counter() + LIMIT_SECONDS
        values = [self.model._backend.array(v) for v in self.kept]
        for number, batch in enumerate(self.data.batches(epoch, passed=self.passed), self.passed):
            if time.perf_counter() > deadline:
                return None, None
            cause, values = self.search.step(values, self.loop._tensors(batch))
            if cause is not None:
                return number, cause
        return None, None


def guard(loop: Any) -> None:
    """Let a training loop look at the state after each step, and stop with the cause when it is not finite: `fit(debug_nans=True)`.

    Raises:
        TrainingError: By the loop, when something is not finite; the model has the state of before the step.
    """
    model, search, step = loop.model, Search(loop.model), loop._step
    backend = model._backend
    tracker = model._loss_tracker.variables
    state = [*model.weights, *(model.optimizer.variables if model.optimizer is not None else ()), *tracker]
    looked_at = [v for v in state if "float" in v.dtype and v.name != "learning_rate"]  # which may be on the host, and shows in the weights
    healthy = Program(lambda: ops.all(ops.stack([ops.all(ops.isfinite(v)) for v in looked_at])), looked_at)

    def checked(batch: Any) -> Any:
        before = search.state()
        logs = step(batch)
        told = [np.asarray(backend.to_numpy(v)) for v in tree.flatten(logs or {})]
        if bool(backend.to_numpy(healthy())) and all(np.isfinite(v).all() for v in told if v.dtype.kind == "f"):
            return logs
        cause, _ = search.step([backend.array(v) for v in before], batch)
        for variable, value in zip(search.variables, before, strict=True):
            variable.assign(value)
        fact = f"Epoch {model.position.epoch + 1}, batch {loop.done + 1}: {cause or 'a step made values that are not finite, in a way that cannot be told'}."
        raise TrainingError(fact, where=model.name, received=_rate(model), fix=REMEDY, code="KR501")

    loop.resident, loop.choice, loop.group, loop._step = None, None, 1, checked


def _rate(model: Any) -> str | None:
    try:
        return f"learning_rate={float(np.asarray(model.optimizer.learning_rate)):g}"
    except (AttributeError, TypeError):
        return None
