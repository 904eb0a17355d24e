"""A callback that keeps checkpoints in a folder by Orbax."""

from __future__ import annotations

import pathlib
from typing import Any

from keraunos.callbacks.callback import is_count
from keraunos.callbacks.checkpoints import Saving
from keraunos.core.errors import ArgumentError, StateError


class OrbaxCheckpoint(Saving):
    """Save the model as it is trained, in a folder of checkpoints that [Orbax](https://orbax.readthedocs.io) writes while training goes on.

    A checkpoint has the number of its epoch (from 0), or of its step with a number of batches as `save_freq`. `keras.models.load_model(directory)`
    makes the model of the last one, with its optimizer's state; `model.load_weights(directory)` reads it into a model that there is; to read another,
    name its folder: `directory + "/3"`. The layout is Keras's. Needs the package `orbax-checkpoint`; every engine can save and load.

    Args:
        directory: The folder, for this run alone.
        monitor: The value that says which model is best.
        verbose: 1 prints each save.
        save_best_only: Whether a worse model is not saved.
        mode: "min", "max", or "auto" (by the name).
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: A value that has to be improved on.
        max_to_keep: How many checkpoints stay, the last ones; None for all.
        save_on_background: Whether training goes on while a checkpoint is written. The values are copied first, so they are those of the moment.
        save_weights_only: Whether the architecture and the optimizer's state are left out.

    Raises:
        ArgumentError: An option cannot be used; the value is not among the logs.
        BackendError: The package is not installed.
        StateError: The folder holds later checkpoints of another run.

    Example:

    >>> import keraunos as keras
    >>> checkpoint = keras.callbacks.OrbaxCheckpoint("checkpoints", monitor="val_accuracy", save_best_only=True)
    """

    def __init__(self, directory: Any, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False, mode: str = "auto",
                 save_freq: Any = "epoch", initial_value_threshold: float | None = None, max_to_keep: int | None = 1, save_on_background: bool = True,
                 save_weights_only: bool = False):  # fmt: skip
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        if max_to_keep is not None and not is_count(max_to_keep):
            fact = "max_to_keep is a positive number, or None."
            raise ArgumentError(fact, where="OrbaxCheckpoint", received=f"max_to_keep={max_to_keep!r}", fix="max_to_keep=3")
        from keraunos.saving.files import as_path

        self.directory, self.max_to_keep = as_path(directory), max_to_keep
        if not isinstance(self.directory, pathlib.Path):
            fix = f"ModelCheckpoint('{self.directory}/{{epoch:03d}}.keras', asynchronous=True, keep_last={max_to_keep})"
            raise ArgumentError("Orbax's folder is one of this machine.", where="OrbaxCheckpoint", received=str(self.directory), fix=fix)
        self.save_on_background, self.save_weights_only = save_on_background, save_weights_only
        self._writer: Any = None

    @property
    def _iterations(self) -> int:
        optimizer = self.model.optimizer
        return self._seen if optimizer is None else int(optimizer.iterations.numpy())

    def on_train_begin(self, logs: Any = None) -> None:
        from keraunos.saving.orbax import Writer

        self._writer, self._begun = Writer(self.directory, self.max_to_keep, self.save_on_background), False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        first = self._iterations + 1 if self.by_batch else epoch
        if not self._begun and not self.model.position.resumed and first <= self._writer.latest:
            fact = f"The folder holds checkpoints up to {self._writer.latest}; this run would begin with {first}."
            fix = "give each run a folder of its own" + ("" if self.by_batch else f", or fit(initial_epoch={self._writer.latest + 1})")
            raise StateError(fact, where=str(self.directory), fix=fix)
        self._begun = True

    def _save(self, epoch: int, logs: Any, **batch: int) -> pathlib.Path:
        step = self._iterations if self.by_batch else epoch
        if step > self._writer.latest:  # else the run was cut off after it had saved this one
            self._writer.write(self.model, step, self.save_weights_only)
            if not self.save_on_background:
                self._writer.wait()
        return self.directory / str(step)

    def wait_until_finished(self) -> None:
        """Wait until all checkpoints are on the disk."""
        if self._writer is not None:
            self._writer.wait()

    def on_train_end(self, logs: Any = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def is_multihost_enabled(self) -> bool:
        """Whether several processes train together, of which Orbax lets each write its part."""
        from keraunos.saving.orbax import library

        return library().multihost.process_count() > 1

    def is_primary_host(self) -> bool:
        """Whether this process is the first, which writes what all share."""
        from keraunos.saving.orbax import library

        return library().multihost.process_index() == 0
