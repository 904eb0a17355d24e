"""Where a loss that is not finite came from: the epoch is gone through once more, in the state that it began with."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import numpy as np

from keraunos.core import config, tree
from keraunos.core.errors import layout
from keraunos.core.functional import functional
from keraunos.core.scope import within
from keraunos.data.adapters import ArraySource, unpack_x_y_sample_weight

LIMIT_BYTES = 1 << 24  # a state up to this size is kept when an epoch begins
LIMIT_SECONDS = 20.0  # for which the cause is looked for


class _Found(Exception):
    """The cause."""


class Watch:
    """Tells, once in a run of `fit`, where the first value came from that made the loss infinite or NaN.

    Args:
        model: The model.
        data: What it is trained on. Of a stream, which cannot be gone through again, only the loss is told.
        loop: Which makes tensors of batches.
    """

    def __init__(self, model: Any, data: Any, loop: Any):
        self.model, self.data, self.loop = model, data, loop
        self.variables = model.run_variables
        size = sum(math.prod(v.shape) for v in self.variables) * 4
        self.on = config.are_checks_enabled()
        self.able = self.on and isinstance(data, ArraySource) and size <= LIMIT_BYTES and not model._overrides("train_step")
        self.kept: list[Any] = []

    def begin(self) -> None:
        """Keep the state that an epoch begins with."""
        if self.able:
            self.kept = [v.numpy() for v in self.variables]

    def end(self, epoch: int, logs: dict[str, Any]) -> None:
        """Look at the logs of an epoch; warn if the loss is not finite."""
        loss = logs.get("loss")
        if not self.on or not isinstance(loss, float) or math.isfinite(loss):
            return
        self.on = False
        batch, cause = self._cause(epoch) if self.able else (None, None)
        self.able = False
        place = f"at epoch {epoch + 1}" + (f", batch {batch + 1}" if batch is not None else "")
        fact = f"The loss became {loss} {place}" + (f": {cause}." if cause else ".")
        fix = "lower the learning rate, clip gradients (clipnorm=1.0), or mend what gives such values, such as a logarithm of 0"
        warnings.warn(layout(fact, where=self.model.name, received=self._rate(), fix=f"{fix}. keraunos.config.disable_checks() silences this"), stacklevel=4)

    def _rate(self) -> str | None:
        try:
            return f"learning_rate={float(np.asarray(self.model.optimizer.learning_rate)):g}"
        except (AttributeError, TypeError):
            return None

    def _cause(self, epoch: int) -> tuple[int | None, str | None]:
        """The batch, and the layer or weight, that were the first with a value that is not finite."""
        model, deadline = self.model, time.perf_counter() + LIMIT_SECONDS
        step = functional(model.train_step, self.variables)
        values = [model._backend.array(v) for v in self.kept]
        for number, batch in enumerate(self.data.batches(epoch)):
            if time.perf_counter() > deadline:
                return None, None
            tensors = self.loop._tensors(batch)
            try:
                with model._run(False), within(prepared=model):
                    functional(lambda x=tensors: self._forward(x), self.variables)([values])
                    _, (values,) = step([values], tensors)
                    model._clear_losses()
            except _Found as found:
                return number, str(found)
            for variable, value in zip(self.variables, values, strict=True):
                if variable.trainable and not self._finite(value):
                    return number, f"the gradient of '{variable.path}' is not finite, or the step was too long"
        return None, None

    def _forward(self, batch: Any) -> None:
        """Run the model, and look at the output of each layer; then at the loss."""
        model, (x, y, weight) = self.model, unpack_x_y_sample_weight(batch)

        def look(layer: Any, inputs: Any, outputs: Any) -> None:
            if all(map(self._finite, tree.flatten(outputs))):
                return
            if wrong := next((v for v in layer._own_variables() if not self._finite(v.value)), None):
                raise _Found(f"the weight '{wrong.path}' is not finite")
            raise _Found(f"the first value that is not finite is in the output of '{layer.name}' ({type(layer).__name__})")

        with within(monitor=look):
            y_pred = model(x, training=True)
        if not self._finite(model.compute_loss(x, y, y_pred, weight, training=True)):
            largest = max(float(np.abs(np.asarray(model._backend.to_numpy(y), "float64")).max()) for y in tree.flatten(y_pred))
            raise _Found(f"the outputs are finite (up to {largest:.3g}), but the loss of them is not")

    def _finite(self, x: Any) -> bool:
        value = np.asarray(self.model._backend.to_numpy(x))
        return value.dtype.kind in "iub?OSTU" or bool(np.isfinite(value.astype("float64")).all())
