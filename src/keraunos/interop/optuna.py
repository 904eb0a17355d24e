"""Searches by Optuna: a callback that reports to a trial, and ends it where it is hopeless (`pip install optuna`)."""

from __future__ import annotations

from typing import Any

from keraunos.callbacks.monitors import Monitor

__all__ = ["Pruning"]


class Pruning(Monitor):
    """Reports a value to an Optuna trial after each epoch, and ends the trial when the study's pruner says so.

    Args:
        trial: The trial.
        monitor: The value to report, which is what the objective returns, or goes the same way.
        raises: Whether a trial that is pruned ends by `optuna.TrialPruned`, as objectives do. Else the training stops, and `pruned` is true: for
            trials that are asked for by `study.ask`, and for the variants of a `keraunos.Population`.

    Raises:
        ArgumentError: The value is not among the logs.
        optuna.TrialPruned: The trial is pruned.

    Example:

    >>> import keraunos as keras, optuna
    >>> def objective(trial):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(trial.suggest_float("rate", 1e-3, 1e-1, log=True)), "mse")
    ...     x = keras.ops.ones((8, 2))
    ...     return model.fit(x, x[:, :1], verbose=0, callbacks=[Pruning(trial, "loss")]).history["loss"][-1]
    >>> optuna.logging.set_verbosity(optuna.logging.ERROR)
    >>> with keras.backend_scope("torch"):
    ...     optuna.create_study().optimize(objective, n_trials=2)
    """

    def __init__(self, trial: Any, monitor: str = "val_loss", raises: bool = True):
        self.watch(monitor, "auto")
        self.trial, self.raises, self.pruned = trial, raises, False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.trial.report(self.get_monitor_value(logs), epoch)
        if self.trial.should_prune():
            self.pruned = self.model.stop_training = True
            if self.raises:
                import optuna  # which made the trial

                raise optuna.TrialPruned(f"Pruned after epoch {epoch + 1}: {self.monitor} is {self.get_monitor_value(logs):g}.")
