"""Processes that save a model over and over are killed, and what they leave is read: `python -m tests.kills FOLDER COUNT`."""

from __future__ import annotations

import os
import pathlib
import random
import signal
import sys
import time

import numpy as np

import keraunos as keras

ENDINGS = (".keras", ".weights.h5", ".safetensors")


def model(value: float) -> keras.Model:
    """A model whose weights are all the same number."""
    made = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), keras.layers.Dense(64)])
    made.set_weights([np.full(w.shape, value, "float32") for w in made.weights])
    return made


def values(path: pathlib.Path) -> set[float]:
    """The numbers in the weights that a file holds."""
    if path.suffix == ".keras":
        read = keras.saving.load_model(path)
    else:
        read = model(0)
        read.load_weights(path)
    return {float(x) for w in read.get_weights() for x in np.unique(w)}


def save(made: keras.Model, path: pathlib.Path) -> None:
    """Write it by the ending."""
    (made.save if path.suffix == ".keras" else made.save_weights)(path)


def killed(path: pathlib.Path, seconds: float) -> None:
    """Save over and over in another process, which is killed so many seconds after its first file."""
    told, tells = os.pipe()
    child = os.fork()
    if not child:
        models = [model(1.0), model(2.0)]
        while True:
            for made in models:
                save(made, path)
                os.write(tells, b".")
    os.read(told, 1)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    os.close(tells)


def main(folder: str, count: str) -> None:
    """Kill as many times; tells of each file that is not one of the two."""
    rng, lost = random.Random(0), 0
    for number in range(int(count)):
        path = pathlib.Path(folder, f"m{ENDINGS[number % len(ENDINGS)]}")
        killed(path, rng.random() * 0.1)
        try:
            lost += values(path) not in ({1.0}, {2.0})
        except keras.core.errors.KeraunosError as error:
            print(error)
            lost += 1
    left = len(os.listdir(folder)) - min(int(count), len(ENDINGS))
    print(f"{count} kills, {lost} files unreadable, {left} temporary files left")
    sys.exit(lost)


if __name__ == "__main__":
    keras.config.set_backend("numpy")
    main(*sys.argv[1:])
