"""Runs under Ray Tune or Ray Train: a callback that reports metrics and checkpoints (`pip install "ray[tune]"`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from keraunos.callbacks.callback import Callback, is_count
from keraunos.core.errors import ArgumentError, needing, suggestion

__all__ = ["Report", "restored"]
_FILE = "model.keras"


def _tune() -> Any:
    """Ray's part that reports.

    Raises:
        BackendError: It is not installed.
    """
    with needing("Reports to Ray need its package.", "Report", "'ray[tune]'"):
        from ray import tune  # pyright: ignore[reportMissingImports]
    return tune


class Report(Callback):
    """Reports the logs of each epoch to Ray, and with them every so often the model, as a checkpoint.

    Args:
        metrics: The names of the logs to report, or one; None reports all.
        save_every: After how many epochs the model is saved; None never saves.
        report: The function that reports: `ray.tune.report` by default; `ray.train.report` in the workers of Ray Train.

    Raises:
        ArgumentError: A name is not among the logs.
        BackendError: Ray is not installed.

    Example:

    >>> import keraunos as keras, numpy as np
    >>> from keraunos.interop.ray import Report
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> callback = Report("loss", report=lambda told: print(list(told)))  # in place of Ray's own
    >>> history = model.fit(np.ones((8, 1)), np.ones((8, 1)), verbose=0, callbacks=[callback])
    ['epoch', 'loss']
    """

    def __init__(self, metrics: Sequence[str] | str | None = None, save_every: int | None = None, report: Callable[..., None] | None = None):
        if save_every is not None and not is_count(save_every):
            raise ArgumentError("save_every must be a positive integer or None.", where="Report", received=f"save_every={save_every!r}")
        self.metrics = [metrics] if isinstance(metrics, str) else metrics
        self.save_every, self.report = save_every, report or _tune().report

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if wrong := next((name for name in self.metrics or () if name not in logs), None):
            raise ArgumentError(f"Report names '{wrong}', which is not among the logs.", where="Report", fix=suggestion(wrong, logs))
        told = {"epoch": epoch + 1, **{name: value for name, value in logs.items() if self.metrics is None or name in self.metrics}}
        if self.save_every is None or (epoch + 1) % self.save_every:
            self.report(told)
            return
        with tempfile.TemporaryDirectory() as folder:  # Ray has copied it when it returns
            self.model.save(os.path.join(folder, _FILE))
            self.report(told, checkpoint=_tune().Checkpoint.from_directory(folder))


def restored(checkpoint: Any) -> Any:
    """The model of a checkpoint that `Report` saved.

    Args:
        checkpoint: A Ray checkpoint, such as `ray.tune.get_checkpoint()` or that of a result.

    Raises:
        ModelFileError: It holds no model.

    Example:

    >>> import contextlib, tempfile
    >>> import keraunos as keras
    >>> from keraunos.interop.ray import restored
    >>> class Checkpoint:  # as Ray's
    ...     folder = tempfile.mkdtemp()
    ...     def as_directory(self):
    ...         return contextlib.nullcontext(self.folder)
    >>> keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(f"{Checkpoint.folder}/model.keras")
    >>> restored(Checkpoint()).output_shape
    (None, 2)
    """
    from keraunos import saving

    with checkpoint.as_directory() as folder:
        return saving.load_model(os.path.join(folder, _FILE))
