"""What a situation is: a tiny mistaken program, and what its author must be told. A program takes `keras`, so that the Keras installed may run it too."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 8)).astype("float32")
Y = rng.integers(0, 3, 64)  # three classes
B = (Y > 0).astype("float32")  # two
T = rng.normal(size=(64, 1)).astype("float32")  # continuous
IMAGES = rng.uniform(size=(32, 8, 8, 1)).astype("float32")
WORDS = rng.integers(0, 10, (64, 5)).astype("int32")
SERIES = rng.normal(size=(64, 6, 4)).astype("float32")


@dataclasses.dataclass(frozen=True)
class Situation:
    """A mistaken program.

    Args:
        program: The program, a function of the module `keras`.
        kind: The class of the error or warning.
        words: What the message must say.
        trains: Whether the program gets so far that an engine without gradients would refuse it.
        own: Whether it uses what Keras does not have.
        alike: Whether all engines say the same.
        engine: The only engine that it concerns.
    """

    program: Callable[[Any], Any]
    kind: type[BaseException]
    words: tuple[str, ...]
    trains: bool = False
    own: bool = False
    alike: bool = True
    engine: str | None = None

    def concerns(self, engine: str) -> bool:
        """Whether an engine gets as far as the mistake."""
        return self.engine in (None, engine) and not (self.trains and engine == "numpy")

    @property
    def name(self) -> str:
        return self.program.__name__.strip("_").replace("_", " ")

    @property
    def family(self) -> str:
        return self.program.__module__.rpartition(".")[2]


SITUATIONS: list[Situation] = []


def raises(kind: type[BaseException], *words: str, **options: Any) -> Callable[[Any], Any]:
    """Add the program below as one that is refused with these words."""

    def add(program: Any) -> Any:
        SITUATIONS.append(Situation(program, kind, words, **options))
        return program

    return add


def warns(*words: str, **options: Any) -> Callable[[Any], Any]:
    """Add the program below as one that runs, with a warning of these words."""
    return raises(UserWarning, *words, **{"trains": True, **options})


@dataclasses.dataclass
class Outcome:
    """What came of a program: the error or warning, or None, and its text, without the name of the folder that it ran in."""

    told: BaseException | None
    text: str

    @property
    def how(self) -> str:
        """Whether it was silent, warned or raised."""
        return "silent" if self.told is None else "warned" if isinstance(self.told, Warning) else "raised"


def outcome(program: Callable[[Any], Any], keras: Any, stop: bool = False) -> Outcome:
    """Run a program in an empty folder, with names counted from the start; with `stop`, no further than to the first warning."""
    keras.utils.clear_session(free_memory=False)
    former = os.getcwd()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        if stop:
            warnings.simplefilter("error", UserWarning)
        told = None
        os.chdir(folder)
        try:
            program(keras)
        except Exception as error:
            told = error
        finally:
            os.chdir(former)
    told = told or next((w.message for w in caught if issubclass(w.category, UserWarning) and isinstance(w.message, Warning)), None)
    return Outcome(told, "" if told is None else str(told).replace(os.path.realpath(folder), "…").replace(folder, "…"))


def stream(*batches: Any) -> Any:
    """A generator of batches."""
    yield from batches


# ---- small models ----
def classifier(keras: Any, units: int = 3, activation: Any = "softmax", loss: Any = "sparse_categorical_crossentropy", **options: Any) -> Any:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(units, activation=activation, name="out")])
    model.compile(options.pop("optimizer", "sgd"), loss, **options)
    return model


def regressor(keras: Any, activation: Any = None, loss: Any = "mse", **options: Any) -> Any:
    return classifier(keras, 1, activation, loss, **options)


def over(keras: Any, shape: tuple[int, ...], *layers: Any, loss: Any = "mse", dtype: Any = None) -> Any:
    """A model of these layers."""
    model = keras.Sequential([keras.Input(shape, dtype=dtype), *layers])
    model.compile("sgd", loss)
    return model


def subclassed(keras: Any, units: int = 3, activation: Any = "softmax", loss: Any = "sparse_categorical_crossentropy", **options: Any) -> Any:
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="net")
            self.hidden = keras.layers.Dense(4, activation="relu", name="hidden")
            self.out = keras.layers.Dense(units, activation=activation, name="out")

        def call(self, inputs: Any) -> Any:
            return self.out(self.hidden(inputs))

    model = Net()
    model.compile("sgd", loss, **options)
    return model


def two_inputs(keras: Any) -> Any:
    a, b = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    model = keras.Model([a, b], keras.layers.Dense(1, name="out")(keras.layers.Add()([a, b])))
    model.compile("sgd", "mse")
    return model


def two_outputs(keras: Any, loss: Any = "mse", **options: Any) -> Any:
    x = keras.Input((8,), name="x")
    model = keras.Model(x, [keras.layers.Dense(1, name="a")(x), keras.layers.Dense(1, name="b")(x)])
    model.compile("sgd", loss, **options)
    return model


def fit(model: Any, x: Any = X, y: Any = Y, **options: Any) -> Any:
    return model.fit(x, y, **{"verbose": 0, **options})
