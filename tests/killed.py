"""A run of `fit` that ends itself, for tests of resuming: `python -m tests.killed <engine> <folder> <kind of data> <signal> <step> <seed>`."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import Any

import numpy as np

import keraunos as keras
from keraunos import callbacks, layers

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(40, 3)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")
EPOCHS, STEPS = 4, 5


class Indexed(keras.utils.PyDataset):
    """The data by batches, in another order each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.rng = np.random.default_rng(1)
        self.order = np.arange(40)

    def __len__(self) -> int:
        return STEPS

    def __getitem__(self, index: int) -> Any:
        rows = self.order[index * 8 : index * 8 + 8]
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(40)


class Signal(callbacks.Callback):
    """Sends its own process a signal after a number of steps."""

    def __init__(self, number: int, step: int):
        self.number, self.left = number, step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def network(seed: int = 5, optimizer: Any = None, dtype: str | None = None) -> Any:
    """A network with moving means and dropout."""
    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(8, "relu", dtype=dtype), layers.BatchNormalization(dtype=dtype), layers.Dropout(0.3, dtype=dtype), layers.Dense(1, dtype=dtype)]
    model = keras.Sequential([keras.Input((3,)), *hidden])
    model.compile(optimizer or keras.optimizers.Adam(0.01, use_ema=True), "mse", metrics=["mae"])
    return model


def fit(model: Any, *more: Any, data: str = "arrays", **options: Any) -> Any:
    """Train it."""
    options = {"epochs": EPOCHS, "verbose": 0, "callbacks": list(more), **options}
    return model.fit(Indexed(), **options) if data == "indexed" else model.fit(X, Y, batch_size=8, **options)


def state(model: Any) -> list[Any]:
    """All that a run changes."""
    return [v.numpy() for v in model.run_variables]


if __name__ == "__main__":
    engine, folder, data, number, step, seed = sys.argv[1:]
    with keras.backend_scope(engine):
        model = network(int(seed))
        path = pathlib.Path(folder)
        fit(model, callbacks.BackupAndRestore(path / "run", save_freq=2), *([Signal(int(number), int(step))] if int(step) else []), data=data)
        np.savez(path / "end.npz", *state(model))  # type: ignore[arg-type]
