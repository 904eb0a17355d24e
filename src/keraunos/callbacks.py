"""Callbacks: what happens beside training, at its marks."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError, ArgumentTypeError, one_of, suggestion
from keraunos.core.missing import answer_for

__all__ = [
    "Callback", "CallbackList", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint", "ReduceLROnPlateau", "TerminateOnNaN",
]  # fmt: skip

# Parts of the names of metrics of which more is better; all others are to fall, as are losses and errors of outputs with such names.
_RISING = ("acc", "auc", "precision", "recall", "fmeasure", "f1", "fbeta", "iou", "io_u", "r2", "similarity", "correlation", "sensitivity", "specificity")


def _hook(self: Any, *args: Any, **kwargs: Any) -> None:
    """Called at this mark; does nothing unless a subclass defines it."""


class Callback:
    """The base of callbacks: methods that are called at the marks of a run.

    `self.model` is the model and `self.params` the run's settings.

    Example:

    >>> import keraunos as keras
    >>> class Report(keras.callbacks.Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch} is over")
    """

    params: dict[str, Any]
    model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the settings of the run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Take the model."""
        self.model = model

    on_epoch_begin = on_epoch_end = on_batch_begin = on_batch_end = _hook
    on_train_begin = on_train_end = on_test_begin = on_test_end = on_predict_begin = on_predict_end = _hook
    on_test_batch_begin = on_test_batch_end = on_predict_batch_begin = on_predict_batch_end = _hook

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a training batch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a training batch."""
        self.on_batch_end(batch, logs)


class CallbackList:
    """Several callbacks as one; knows which marks any of them needs.

    Args:
        callbacks: The callbacks.
        model: The model.
        params: The run's settings.
    """

    def __init__(self, callbacks: Any = None, add_history: bool = False, add_progbar: bool = False, model: Any = None, **params: Any):
        self.callbacks: list[Any] = list(callbacks) if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "set_model"):
                kind = callback if isinstance(callback, type) else type(callback)
                fix = f"{kind.__name__}()" if kind is callback else "subclass keras.callbacks.Callback"
                raise ArgumentTypeError(f"A callback is a keras.callbacks.Callback, got {kind.__name__}.", where="callbacks", fix=fix)
        if add_history and not any(isinstance(callback, History) for callback in self.callbacks):
            self.callbacks.append(History())
        self.history = next((callback for callback in self.callbacks if isinstance(callback, History)), None)
        for callback in self.callbacks:
            callback.set_params(params)
            if model is not None:
                callback.set_model(model)

    def needs(self, *marks: str) -> bool:
        """Whether any callback does something at one of these marks."""
        return any(_acts(callback, mark) for callback in self.callbacks for mark in marks)

    def call(self, mark: str, *args: Any) -> None:
        """Call a mark of every callback."""
        for callback in self.callbacks:
            getattr(callback, mark)(*args)

    def append(self, callback: Any) -> None:
        """Add a callback."""
        self.callbacks.append(callback)


def _acts(callback: Any, mark: str) -> bool:
    method = vars(callback).get(mark) or getattr(type(callback), mark, None)
    if method is ModelCheckpoint.on_train_batch_end:
        return callback.save_freq != "epoch"
    return method is not getattr(Callback, mark)


class History(Callback):
    """What `fit` returns: the logs of every epoch, by name, in `history`."""

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback of given functions.

    Args:
        on_epoch_begin: `f(epoch, logs)`.
        on_epoch_end: `f(epoch, logs)`.
        on_train_begin: `f(logs)`.
        on_train_end: `f(logs)`.
        on_train_batch_begin: `f(batch, logs)`.
        on_train_batch_end: `f(batch, logs)`.
        kwargs: Functions for other marks by name.
    """

    def __init__(self, on_epoch_begin: Any = None, on_epoch_end: Any = None, on_train_begin: Any = None, on_train_end: Any = None,
                 on_train_batch_begin: Any = None, on_train_batch_end: Any = None, **kwargs: Any):  # fmt: skip
        given = {name: value for name, value in locals().items() if name.startswith("on_")} | kwargs
        for mark, function in given.items():
            if not hasattr(Callback, mark):
                fix = suggestion(mark, [name for name in dir(Callback) if name.startswith("on_")])
                raise ArgumentTypeError(f"There is no mark '{mark}'.", where="LambdaCallback", fix=fix)
            if function is not None:
                self.__dict__[mark] = function


class _Monitor(Callback):
    """The base of callbacks that watch one of the logs."""

    min_delta: float = 0.0

    def watch(self, monitor: str, mode: str) -> None:
        """Check and take what to watch, and which direction is better."""
        self.monitor, self.mode = monitor, one_of("mode", mode, ("auto", "min", "max"), type(self).__name__)
        self.larger = mode == "max" or (mode == "auto" and not monitor.endswith(("loss", "error")) and any(word in monitor for word in _RISING))

    def better(self, value: float, best: float | None) -> bool:
        """Whether `value` improves on `best` by more than `min_delta`."""
        if best is None:
            return not math.isnan(value)
        return value - self.min_delta > best if self.larger else value + self.min_delta < best

    def get_monitor_value(self, logs: Any) -> float:
        """The watched value; raises if the logs do not have it."""
        logs = logs or {}
        if self.monitor not in logs:
            fix = suggestion(self.monitor, logs)
            if self.monitor.startswith("val_") and not any(name.startswith("val_") for name in logs):
                fix = f"pass validation_data to fit, or monitor='{self.monitor[4:]}'"
            fact = f"{type(self).__name__} watches '{self.monitor}', which is not among the logs."
            raise ArgumentError(fact, received=f"available: {', '.join(logs)}", fix=fix)
        return float(logs[self.monitor])


class EarlyStopping(_Monitor):
    """Stop when a value has stopped improving.

    Args:
        monitor: The value to watch.
        min_delta: The least change that is an improvement.
        patience: The number of epochs without improvement before it stops.
        verbose: 1 prints when it stops.
        mode: "min", "max", or "auto" (by the name).
        baseline: A value that has to be improved on.
        restore_best_weights: Whether the model gets the weights of its best epoch back.
        start_from_epoch: The number of epochs before watching begins.

    Raises:
        ArgumentError: The value is not among the logs.
    """

    def __init__(self, monitor: str = "val_loss", min_delta: float = 0, patience: int = 0, verbose: int = 0, mode: str = "auto",
                 baseline: float | None = None, restore_best_weights: bool = False, start_from_epoch: int = 0):  # fmt: skip
        self.watch(monitor, mode)
        self.min_delta, self.patience, self.verbose, self.baseline = abs(min_delta), patience, verbose, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self.best_weights = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        value = self.get_monitor_value(logs)
        if epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self.better(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch, self.model.stop_training = epoch, True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of epoch {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
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


class _Rate(Callback):
    """The base of callbacks that set the learning rate; they add it to the logs."""

    verbose: int

    @property
    def rate(self) -> float:
        """The learning rate in force."""
        return float(np.asarray(self.model.optimizer.learning_rate))

    def set_rate(self, epoch: int, rate: float) -> None:
        """Set the learning rate, and say so if it is asked for."""
        self.model.optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.rate


class LearningRateScheduler(_Rate):
    """Set the learning rate at the start of each epoch.

    Args:
        schedule: `schedule(epoch, learning_rate)` gives the new rate.
        verbose: 1 prints it.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        try:
            rate = self.schedule(epoch, self.rate)
        except TypeError:
            rate = self.schedule(epoch)
        self.set_rate(epoch, float(rate))


class ReduceLROnPlateau(_Monitor, _Rate):
    """Reduce the learning rate when a value has stopped improving.

    Args:
        monitor: The value to watch.
        factor: What the rate is multiplied by.
        patience: The number of epochs without improvement.
        verbose: 1 prints each change.
        mode: "min", "max", or "auto" (by the name).
        min_delta: The least change that is an improvement.
        cooldown: The number of epochs to wait after a change.
        min_lr: The least rate.

    Raises:
        ArgumentError: The factor is not below 1; the value is not among the logs.
    """

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: str = "auto",
                 min_delta: float = 0.0001, cooldown: int = 0, min_lr: float = 0.0):  # fmt: skip
        self.watch(monitor, mode)
        if factor >= 1:
            raise ArgumentError("factor must be below 1.", where="ReduceLROnPlateau", received=f"factor={factor}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr

    def on_train_begin(self, logs: Any = None) -> None:
        self.best: float | None = None
        self.wait = self._resting = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        value = self.get_monitor_value(logs)
        if self._resting > 0:
            self._resting, self.wait = self._resting - 1, 0
        if self.better(value, self.best):
            self.best, self.wait = value, 0
        elif self._resting <= 0:
            self.wait += 1
            if self.wait >= self.patience and self.rate > self.min_lr:
                self.set_rate(epoch, max(self.rate * self.factor, self.min_lr))
                self._resting, self.wait = self.cooldown, 0


class TerminateOnNaN(Callback):
    """Stop when the loss is not finite."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            print(f"Batch {batch}: the loss is {float(loss)}; training stops.")
            self.model.stop_training = True


answer_for(__name__)
