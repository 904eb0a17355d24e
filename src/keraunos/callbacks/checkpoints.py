"""Callbacks that save the model, or the whole state of a run."""

from __future__ import annotations

import pathlib
from typing import Any

from keraunos.callbacks.monitors import Monitor
from keraunos.core.errors import ArgumentError


class ModelCheckpoint(Monitor):
    """Save the model as it is trained.

    Args:
        filepath: The path, which may hold fields such as `{epoch:02d}` and `{val_loss:.2f}`.
        monitor: The value that says which model is best.
        verbose: 1 prints each save.
        save_best_only: Whether a worse model is not saved.
        save_weights_only: Whether only the weights are saved (to `….weights.h5`).
        mode: "min", "max", or "auto" (by the name).
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: A value that has to be improved on.

    Raises:
        ArgumentError: The path has the wrong suffix; the value is not among the logs.
    """

    def __init__(self, filepath: Any, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False, save_weights_only: bool = False,
                 mode: str = "auto", save_freq: Any = "epoch", initial_value_threshold: float | None = None):  # fmt: skip
        self.watch(monitor, mode)
        self.filepath, self.verbose, self.save_best_only, self.save_weights_only = str(filepath), verbose, save_best_only, save_weights_only
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ArgumentError("save_freq is 'epoch' or a number of batches.", where="ModelCheckpoint", received=f"save_freq={save_freq!r}")
        suffix = ".weights.h5" if save_weights_only else ".keras"
        if not self.filepath.endswith(suffix):
            fix = f"filepath='{pathlib.Path(self.filepath).stem}{suffix}'"
            raise ArgumentError(f"The path must end in '{suffix}'.", where="ModelCheckpoint", received=self.filepath, fix=fix)
        self.by_batch = save_freq != "epoch"
        self.save_freq, self.best, self._seen, self._epoch = save_freq, initial_value_threshold, 0, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if isinstance(self.save_freq, int) and self._seen % self.save_freq == 0:
            self._save(self._epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Any, **batch: int) -> None:
        if self.save_best_only:
            value = self.get_monitor_value(logs)
            if not self.better(value, self.best):
                return
            self.best = value
        fields = {"epoch": epoch + 1, **batch, **(logs or {})}
        try:
            path = self.filepath.format(**fields)
        except KeyError as error:
            fact, fix = f"The path names the field {error}, which is not among the logs.", f"available: {', '.join(fields)}"
            raise ArgumentError(fact, where="ModelCheckpoint", received=self.filepath, fix=fix) from None
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        (self.model.save_weights if self.save_weights_only else self.model.save)(path, overwrite=True)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved to {path}")
