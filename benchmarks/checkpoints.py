"""What a checkpoint after each epoch costs a run, the least of several rounds: `python -m benchmarks.checkpoints [ENGINE …]` prints the table's rows."""

from __future__ import annotations

import pathlib
import sys
import tempfile
import time
from typing import Any

import numpy as np

import keraunos as keras
from keraunos.callbacks import ModelCheckpoint

WIDTH, STEPS, EPOCHS, ROUNDS = 1024, 20, 4, 5
KINDS: dict[str, dict[str, Any] | None] = {"never": None, "at once": {}, "in the background": {"asynchronous": True}}


class Stop(keras.callbacks.Callback):
    """How long the marks of a checkpoint hold a run up, in seconds."""

    def __init__(self, checkpoint: ModelCheckpoint):
        self.checkpoint, self.seconds = checkpoint, 0.0

    def set_model(self, model: Any) -> None:
        self.checkpoint.set_model(model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        started = time.perf_counter()
        self.checkpoint.on_epoch_end(epoch, logs)
        self.seconds += time.perf_counter() - started

    def on_train_end(self, logs: Any = None) -> None:
        self.checkpoint.on_train_end(logs)


def main(engine: str) -> None:
    """Measure on one engine, the kinds in turn."""
    keras.config.set_backend(engine)
    hidden = [keras.layers.Dense(WIDTH, "relu") for _ in range(4)]
    model = keras.Sequential([keras.Input((WIDTH,)), *hidden, keras.layers.Dense(10)])
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(128 * STEPS, WIDTH)).astype("float32"), rng.normal(size=(128 * STEPS, 10)).astype("float32")
    epochs: dict[str, list[float]] = {kind: [] for kind in KINDS}
    stops: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(1 + ROUNDS):
            for kind, options in KINDS.items():
                path = pathlib.Path(folder, kind, "{epoch}.keras")
                callbacks = [] if options is None else [Stop(ModelCheckpoint(path, monitor="loss", keep_last=1, **options))]
                started = time.perf_counter()
                model.fit(x, y, batch_size=128, epochs=EPOCHS, verbose=0, callbacks=callbacks)
                epochs[kind].append((time.perf_counter() - started) / EPOCHS)
                stops[kind].append(callbacks[0].seconds / EPOCHS if callbacks else 0.0)
    plain = min(epochs["never"][1:])
    for kind in KINDS:
        epoch, stop = min(epochs[kind][1:]), min(stops[kind][1:])
        print(f"| {engine} | {kind} | {1000 * stop:.0f} | {1000 * epoch:.0f} | {epoch / plain:.2f} |", flush=True)


if __name__ == "__main__":
    for engine in sys.argv[1:] or ("jax", "torch"):
        main(engine)
