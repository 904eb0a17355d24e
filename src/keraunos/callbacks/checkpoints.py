"""Callbacks that save the model as it is trained."""

from __future__ import annotations

import functools
import math
import pathlib
from collections.abc import Callable
from typing import Any

from keraunos.callbacks.callback import BatchCounter, is_count
from keraunos.callbacks.monitors import Monitor
from keraunos.core.errors import ArgumentError


class Saving(Monitor, BatchCounter):
    """The base of callbacks that save after epochs, or after so many batches."""

    counted = ("best", "_seen")

    def __init__(self, monitor: str, verbose: int, save_best_only: bool, mode: str, save_freq: Any, threshold: float | None):
        self.watch(monitor, mode)
        if save_freq != "epoch" and not is_count(save_freq):
            fact = "save_freq is 'epoch' or a number of batches."
            raise ArgumentError(fact, where=type(self).__name__, received=f"save_freq={save_freq!r}", fix="save_freq='epoch'")
        self.verbose, self.save_best_only, self.save_freq, self.best = verbose, save_best_only, save_freq, threshold
        self.by_batch = save_freq != "epoch"
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if isinstance(self.save_freq, int) and self._count(batch, self.save_freq):
            self._save_if_better(self._epoch, logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save_if_better(epoch, logs)

    def _save_if_better(self, epoch: int, logs: Any, **batch: int) -> None:
        if self.save_best_only:
            value = self.get_monitor_value(logs)
            if not self.better(value, self.best):
                return
            self.best = value
        place = self._save(epoch, logs, **batch)
        if self.verbose and place is not None:
            print(f"Epoch {epoch + 1}: saved to {place}")

    def _save(self, epoch: int, logs: Any, **batch: int) -> Any:
        """Save; returns the place, None where this is not to be kept."""
        raise NotImplementedError


class _Kept:
    """Which of the files that a run wrote stay: the last ones, the best ones, or both.

    Args:
        last: How many of the last.
        best: How many of the best.
        larger: Whether a larger value is better.
    """

    def __init__(self, last: int | None, best: int | None, larger: bool):
        self.last, self.best, self.larger = last or 0, best or 0, larger
        self.files: list[tuple[str, float]] = []

    def add(self, path: str, value: float) -> list[str] | None:
        """Take in a file that is to be written; returns those that it drives out, or None if it would be driven out itself."""
        files = [*(pair for pair in self.files if pair[0] != path), (path, value)]
        by_value = sorted(files, key=lambda pair: math.inf if math.isnan(pair[1]) else -pair[1] if self.larger else pair[1])
        stay = {path for path, _ in files[len(files) - self.last :] + by_value[: self.best]}
        if path not in stay:
            return None
        self.files = [pair for pair in files if pair[0] in stay]
        return [path for path, _ in files if path not in stay]


class ModelCheckpoint(Saving):
    """Save the model as it is trained.

    A file is written beside its place and put there at once, so that what a crash leaves is whole. The place may be elsewhere, named by a URL that
    [fsspec](https://filesystem-spec.readthedocs.io) reaches, such as `s3://bucket/model-{epoch:03d}.keras`. With `asynchronous`, training goes on while a
    thread writes: the values of the moment are copied on the device, and one file is written while at most one more waits for it. What goes wrong there
    ends the run at the next mark. When `fit` has ended, even by an error, all is written.

    Args:
        filepath: The path or URL, which may hold fields such as `{epoch:02d}` and `{val_loss:.2f}`.
        monitor: The value that says which model is best.
        verbose: 1 prints each save.
        save_best_only: Whether a worse model is not saved.
        save_weights_only: Whether only the weights are saved, to `….weights.h5`, `….safetensors` or `….npz`; else it is `….keras` (or `….h5`).
        mode: "min", "max", or "auto" (by the name).
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: A value that has to be improved on.
        asynchronous: Whether training goes on while a file is written. Keraunos only, as are the next two.
        keep_last: How many of the last files stay; those that this run, or the one that it goes on with, wrote before them are deleted, once the new one
            is in its place. No other file is ever deleted.
        keep_best: How many of the best files stay, by `monitor`; a model that is not among them is not saved. With `keep_last` both stay.

    Raises:
        ArgumentError: The path has the wrong suffix, or no field where several files are to be kept; the value is not among the logs.

    Example:

    >>> import keraunos as keras
    >>> checkpoint = keras.callbacks.ModelCheckpoint("runs/a/{epoch:03d}.keras", asynchronous=True, keep_last=2, keep_best=1)
    """

    def __init__(self, filepath: Any, monitor: str = "val_loss", verbose: int = 0, save_best_only: bool = False, save_weights_only: bool = False,
                 mode: str = "auto", save_freq: Any = "epoch", initial_value_threshold: float | None = None, *,
                 asynchronous: bool = False, keep_last: int | None = None, keep_best: int | None = None):  # fmt: skip
        super().__init__(monitor, verbose, save_best_only, mode, save_freq, initial_value_threshold)
        self.filepath, self.save_weights_only, self.asynchronous = str(filepath), save_weights_only, asynchronous
        endings = (".weights.h5", ".safetensors", ".npz") if save_weights_only else (".keras",) if asynchronous else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            fact = f"The path must end in {' or '.join(map(repr, endings))}{' where it is written in the background' if asynchronous else ''}."
            raise ArgumentError(fact, where="ModelCheckpoint", received=self.filepath, fix=f"filepath='{pathlib.Path(self.filepath).stem}{endings[0]}'")
        for name, count in {"keep_last": keep_last, "keep_best": keep_best}.items():
            if count is not None and not is_count(count):
                raise ArgumentError(f"{name} is a positive number, or None for all.", where="ModelCheckpoint", received=f"{name}={count!r}", fix="such as 3")
        self._kept = _Kept(keep_last, keep_best, self.larger) if keep_last or keep_best else None
        if self._kept and "{" not in self.filepath:
            ending = next(ending for ending in endings if self.filepath.endswith(ending))
            fix = f"filepath='{self.filepath.removesuffix(ending)}-{{epoch:03d}}{ending}'"
            raise ArgumentError("Several files are to be kept, but all have one name.", where="ModelCheckpoint", received=self.filepath, fix=fix)
        self._background: Any = None

    def get_state(self) -> dict[str, Any]:
        """The best value, how many batches there were, and the files that stay."""
        return {**super().get_state(), "kept": self._kept.files if self._kept else []}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with what `get_state` gave."""
        super().set_state(state)
        if self._kept:
            self._kept.files = [(path, value) for path, value in state["kept"]]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._check()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check()
        super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._check()
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Any = None) -> None:
        background, self._background = self._background, None
        if background is not None:
            background.close()

    def _check(self) -> None:
        """Tell what went wrong in the background."""
        if self._background is not None:
            self._background.check()

    def _save(self, epoch: int, logs: Any, **batch: int) -> str | None:
        path, gone = self._path({"epoch": epoch + 1, **batch, **(logs or {})}), []
        if self._kept is not None:
            gone = self._kept.add(path, self.get_monitor_value(logs) if self._kept.best else 0.0)
            if gone is None:
                return None
        if not self.asynchronous:
            _publish(path, functools.partial(self.model.save_weights if self.save_weights_only else self.model.save, path, overwrite=True), gone)
            return path
        from keraunos.saving.background import Background, writing

        self._background = self._background or Background()
        self._background.submit((path, *gone), functools.partial(_publish, path, writing(self.model, path, self.save_weights_only), gone))
        return path

    def _path(self, fields: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            fact, fix = f"The path names the field {error}, which is not among the logs.", f"available: {', '.join(fields)}"
        except (IndexError, ValueError) as error:
            fact, fix = f"The path's fields cannot be filled in: {error}.", "name the fields: 'model-{epoch:02d}.keras'"
        raise ArgumentError(fact, where="ModelCheckpoint", received=self.filepath, fix=fix)


def _publish(path: str, write: Callable[[], None], gone: list[str]) -> None:
    """Write a file, then delete those that it drives out."""
    from keraunos.saving.files import as_path

    as_path(path).parent.mkdir(parents=True, exist_ok=True)
    write()
    for old in gone:
        as_path(old).unlink(missing_ok=True)
