"""Callbacks that watch the logs, and change the learning rate or stop."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

from keraunos.callbacks.callback import Callback
from keraunos.core.errors import ArgumentError, ArgumentTypeError, TrainingError, one_of, suggestion

# Parts of the names of metrics of which more is better; all others are to fall, as are losses and errors of outputs with such names.
_RISING = ("acc", "auc", "precision", "recall", "fmeasure", "f1", "fbeta", "iou", "io_u", "r2", "similarity", "correlation", "sensitivity", "specificity")


def rises(name: str) -> bool:
    """Whether more is better of a log with this name."""
    return not name.endswith(("loss", "error")) and any(word in name for word in _RISING)


class Monitor(Callback):
    """The base of callbacks that watch one of the logs."""

    min_delta: float = 0.0

    def watch(self, monitor: str, mode: str) -> None:
        """Check and take what to watch, and which direction is better."""
        self.monitor, self.mode = monitor, one_of("mode", mode, ("auto", "min", "max"), type(self).__name__)
        self.larger = mode == "max" or (mode == "auto" and rises(monitor))

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
            raise ArgumentError(fact, where=type(self).__name__, received=f"available: {', '.join(logs)}", fix=fix, code="KR502")
        return float(logs[self.monitor])


class EarlyStopping(Monitor):
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

    Example:

    >>> import keraunos as keras, numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    >>> model.compile(keras.optimizers.SGD(0.0), "mse")  # which learns nothing
    >>> stop = keras.callbacks.EarlyStopping("loss", patience=3)
    >>> len(model.fit(np.ones((8, 1)), np.ones((8, 1)), epochs=100, verbose=0, callbacks=[stop]).epoch)
    4
    """

    counted = ("wait", "stopped_epoch", "best_epoch", "best", "best_weights")

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


class _Rate(Callback):
    """The base of callbacks that set the learning rate; they add it to the logs."""

    verbose: int

    @property
    def rate(self) -> float:
        """The learning rate in force."""
        return float(self.model.optimizer.learning_rate)

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
        schedule: `schedule(epoch, learning_rate)`, or `schedule(epoch)`, gives the new rate.
        verbose: 1 prints it.

    Raises:
        ArgumentTypeError: The schedule is no function.
        ArgumentError: The schedule gave no number.

    Example:

    >>> import keraunos as keras, numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2 if epoch else rate)
    >>> model.fit(np.ones((8, 1)), np.ones((8, 1)), epochs=3, verbose=0, callbacks=[halve]).history["learning_rate"]
    [0.5, 0.25, 0.125]
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0):
        self.schedule, self.verbose = schedule, verbose
        if not callable(schedule):
            fix = "lambda epoch, rate: rate * 0.9"
            raise ArgumentTypeError("The schedule is a function.", where="LearningRateScheduler", received=type(schedule).__name__, fix=fix)
        self._takes_rate = True
        try:
            inspect.signature(schedule).bind(0, 0.0)
        except TypeError:
            self._takes_rate = False
        except ValueError:  # a function of an extension need not tell
            pass

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        rate = self.schedule(epoch, self.rate) if self._takes_rate else self.schedule(epoch)
        try:
            rate = float(rate)
        except (TypeError, ValueError):
            fix = "lambda epoch, rate: rate * 0.9"
            raise ArgumentError("The schedule gave no number.", where="LearningRateScheduler", received=f"{rate!r}"[:80], fix=fix) from None
        self.set_rate(epoch, rate)


class ReduceLROnPlateau(Monitor, _Rate):
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

    Example:

    >>> import keraunos as keras, numpy as np
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras.optimizers.SGD(0.5), "mse")
    >>> reduce = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)  # no loss falls so far
    >>> model.fit(np.ones((8, 1)), np.ones((8, 1)), epochs=4, verbose=0, callbacks=[reduce]).history["learning_rate"]
    [0.5, 0.5, 0.25, 0.125]
    """

    counted = ("best", "wait", "_resting")

    def __init__(self, monitor: str = "val_loss", factor: float = 0.1, patience: int = 10, verbose: int = 0, mode: str = "auto",
                 min_delta: float = 0.0001, cooldown: int = 0, min_lr: float = 0.0):  # fmt: skip
        self.watch(monitor, mode)
        if factor >= 1:
            raise ArgumentError("factor must be below 1.", where="ReduceLROnPlateau", received=f"factor={factor}")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.min_delta, self.cooldown, self.min_lr = min_delta, cooldown, min_lr

    def on_train_begin(self, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = self.rate  # a rate that follows a schedule refuses it now, not after epochs
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
    """Stop when the loss is not finite.

    Args:
        raise_error: Whether it stops by an error, instead of by ending the run after the batch.

    Raises:
        TrainingError: The loss is not finite, and `raise_error` is true.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> callback = keras.callbacks.TerminateOnNaN()  # for model.fit(…, callbacks=[callback])
    >>> callback.set_model(model)
    >>> callback.on_train_batch_end(3, {"loss": float("nan")}); model.stop_training
    Batch 3: the loss is nan; training stops.
    True
    """

    def __init__(self, raise_error: bool = False):
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            if self.raise_error:
                fix = "lower the learning rate, clip gradients (clipnorm=1.0); fit(debug_nans=True) tells where it came from"
                raise TrainingError(f"The loss is {float(loss)}: training has stopped.", where=f"batch {batch}", fix=fix)
            print(f"Batch {batch}: the loss is {float(loss)}; training stops.")
            self.model.stop_training = True
