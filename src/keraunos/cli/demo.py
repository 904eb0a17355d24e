"""`keraunos demo`: a small network learns to read handwritten digits, is tested, saved and loaded."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import time
from typing import Any

import numpy as np
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

import keraunos as keras
from keraunos import layers
from keraunos.datasets import digits

FILE = "digits.keras"
BATCH = 64


def network() -> Any:
    """A convolutional network for 8 by 8 images of values 0 to 16.

    It is smooth (no maxima, no ReLU), so that rounding does not grow and training takes the same course on every engine.
    """

    def convolution(filters: int, strides: int = 1) -> Any:
        return layers.Conv2D(filters, 3, strides, activation="silu", padding="same")

    inputs = [keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Reshape((8, 8, 1))]
    features = [convolution(32), convolution(32), convolution(64, strides=2), convolution(64, strides=2), layers.Flatten()]
    return keras.Sequential([*inputs, *features, layers.Dense(10, activation="softmax", name="digit")], name="digits")


def ready(epochs: int, samples: int) -> Any:
    """The network, compiled for so many epochs over so many samples."""
    model = network()
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.004, -(-samples // BATCH) * epochs))
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def demo(epochs: int = 12, seed: int = 0) -> float:
    """Train on the digits, show how well it went, save and load; returns the held-out accuracy."""
    console = Console(highlight=False)
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    data = f"{len(x_train)} handwritten digits to learn from, {len(x_test)} held out"
    console.print(f"Keraunos {keras.__version__} on [bold]{keras.config.backend()}[/]: {data}.")

    model = ready(epochs, len(x_train))
    started = time.perf_counter()
    model.fit(x_train, y_train, batch_size=BATCH, epochs=epochs)
    seconds = time.perf_counter() - started

    probabilities = np.asarray(model.predict(x_test, verbose=0))
    read = probabilities.argmax(-1)
    accuracy = float((read == y_test).mean())
    console.print(f"\nTrained {model.count_params():,} weights in {seconds:.1f} s. Accuracy on the held-out digits: [bold]{accuracy:.1%}[/]\n")
    console.print("Confusion matrix: true digits down, what was read across", confusion(y_test, read), sep="\n")
    wrong = np.flatnonzero(read != y_test)[:6]
    if len(wrong):
        console.print("\nDigits that it misread:")
        colour = console.color_system is not None
        panels = [(drawing(x_test[i], colour), f"{y_test[i]} read as {read[i]}", f"{probabilities[i].max():.0%} sure") for i in wrong]
        console.print(Columns([Panel(text, title=title, subtitle=subtitle, width=18) for text, title, subtitle in panels]))

    model.save(FILE)
    loaded = keras.saving.load_model(FILE)
    if not np.array_equal(np.asarray(loaded.predict(x_test, verbose=0)), probabilities):
        raise RuntimeError(f"{FILE} was loaded, but its predictions differ from those before saving")
    console.print(f"\nSaved as [bold]{FILE}[/]; loaded again, its predictions are equal.")
    other = next(name for name in ("torch", "jax") if name != keras.config.backend())
    missing = "" if importlib.util.find_spec(other) else f" (pip install {other})"
    program = "keraunos" if shutil.which("keraunos") or not sys.argv[0].endswith("keraunos") else os.path.relpath(sys.argv[0])
    console.print("\nNext:")
    other_engine = f"the same on another engine{missing}"
    purposes = {f"demo --backend {other}": other_engine, "run script.py": "your own Keras 3 program, unchanged", "info": "what is installed"}
    width = max(map(len, purposes)) + len(program) + 1
    for command, purpose in purposes.items():
        console.print(f"  {f'{program} {command}':<{width}}   {purpose}", soft_wrap=True)
    return accuracy


def confusion(labels: Any, read: Any) -> Table:
    """How often each digit was read as which: a row for each true digit."""
    table = Table("digit", *map(str, range(10)), box=None, pad_edge=False)
    for label in range(10):
        counts = np.bincount(read[labels == label], minlength=10)
        table.add_row(str(label), *(f"[green]{n}[/]" if i == label else f"[bold red]{n}[/]" if n else "[dim]·[/]" for i, n in enumerate(counts)))
    return table


def drawing(image: Any, colour: bool = True) -> Text:
    """An 8 by 8 image of values 0 to 16 in four lines: each character is two pixels, one above the other."""
    text = Text(justify="center")
    for upper, lower in zip(image[::2].tolist(), image[1::2].tolist(), strict=True):
        for a, b in zip(upper, lower, strict=True):
            if colour:
                a, b = (min(x * 16, 255) for x in (a, b))
                text.append("▀", style=f"rgb({a},{a},{a}) on rgb({b},{b},{b})")
            else:
                text.append(" ▀▄█"[(a > 6) + 2 * (b > 6)])
        text.append("\n")
    text.rstrip()
    return text
