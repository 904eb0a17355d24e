"""The paths of layers and of their variables, which patterns of users are matched with: those of Keras, however layers are put into others."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keraunos

x = np.zeros((2, 5, 8), "float32")


def own_build(module: Any) -> type:
    class OwnBuild(module.layers.Layer):
        """A layer that makes a part in `__init__` and one in `build`, and builds both there."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.early = self.add_weight(shape=(), name="early")
            self.first = module.layers.Dense(3, name="first")
            self.free = module.Variable(1.0, name="free")

        def build(self, input_shape: Any) -> None:
            self.second = module.layers.Dense(4, name="second")
            self.scale = module.Variable(1.0, name="scale")
            self.first.build(input_shape)
            self.second.build((*input_shape[:-1], 3))
            with module.name_scope("part"):
                self.late = self.add_weight(shape=(), name="late")
                self.within = module.Variable(1.0, name="within")
            self.seed = module.random.SeedGenerator(1, name="seed")

        def call(self, inputs: Any) -> Any:
            return self.second(self.first(inputs))

    return OwnBuild


def by_call(module: Any) -> type:
    class ByCall(module.layers.Layer):
        """A layer whose parts are built when they are called."""

        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.parts = [module.layers.Dense(8, name="a"), module.layers.TimeDistributed(module.layers.Dense(4, name="d"), name="own")]

        def call(self, inputs: Any) -> Any:
            for part in self.parts:
                inputs = part(inputs)
            return inputs

    return ByCall


def model_of(module: Any, make: Callable[..., Any], builds: bool = False) -> Any:
    class Outer(module.Model):
        def __init__(self, **kwargs: Any):
            super().__init__(**kwargs)
            self.inner, self.head = make(name="inner"), module.layers.Dense(1, name="head")

        def call(self, inputs: Any) -> Any:
            return self.head(self.inner(inputs))

    class Building(Outer):
        def build(self, input_shape: Any) -> None:
            self.inner.build(input_shape)  # of `ByCall` this builds no part: its first call does
            self.head.build((*input_shape[:-1], 4))
            self.built = True

    return called((Building if builds else Outer)(name="outer"))


def called(layer: Any) -> Any:
    layer(x)
    return layer


def functional(module: Any, *layers: Any) -> Any:
    inputs = y = module.Input((5, 8))
    for layer in layers:
        y = layer(y, y) if "Attention" in type(layer).__name__ else layer(y)
    return module.Model(inputs, y, name="graph")


def chain(module: Any, *layers: Any, entry: bool = True, name: str = "chain") -> Any:
    return module.Sequential([*([module.Input((5, 8))] if entry else []), *layers], name=name)


def adapted(module: Any) -> Any:
    layer = module.layers.MultiHeadAttention(2, 4, name="heads")
    model = functional(module, layer)
    layer.query_dense.enable_lora(2)
    return model


def scoped(module: Any) -> Any:
    with module.name_scope("scope"):
        return functional(module, module.layers.Dense(2, name="d"))


CASES: dict[str, Callable[[Any], Any]] = {
    "attention": lambda m: functional(m, m.layers.MultiHeadAttention(2, 4, name="heads"), m.layers.GroupQueryAttention(4, 2, 1, use_gate=True, name="group")),
    "adapted": adapted,
    "recurrent": lambda m: chain(m, m.layers.Bidirectional(m.layers.LSTM(3, return_sequences=True), name="both"), m.layers.GRU(2, name="gru")),
    "cells": lambda m: chain(m, m.layers.Bidirectional(m.layers.RNN([m.layers.GRUCell(2, name="g"), m.layers.LSTMCell(3, name="l")], name="r"), name="both")),
    "convolutional": lambda m: m.Sequential([m.Input((3, 8, 8, 2)), m.layers.ConvLSTM2D(2, 3, name="c")], name="chain"),
    "wrappers": lambda m: chain(m, m.layers.TimeDistributed(m.layers.Dense(3, name="d"), name="t"), m.layers.SpectralNormalization(m.layers.Dense(2, name="d"), name="s")),
    "deferred": lambda m: called(chain(m, chain(m, m.layers.Dense(3, name="d"), entry=False, name="inner"), m.layers.Dense(2, name="e"), entry=False)),
    "inner chain": lambda m: chain(m, chain(m, m.layers.Dense(3, name="d"), name="inner"), m.layers.Dense(2, name="e")),
    "inner graph": lambda m: chain(m, functional(m, m.layers.Dense(3, name="d")), m.layers.Dense(2, name="e")),
    "grown": lambda m: (lambda model: (model.add(m.layers.Dense(2, name="e")), model)[1])(chain(m, m.layers.Dense(3, name="d"))),
    "name scope": scoped,
    **{
        f"{make.__name__} {place}": use
        for make in (own_build, by_call)
        for place, use in {
            "alone": lambda m, make=make: called(make(m)(name="b")),
            "in a graph": lambda m, make=make: functional(m, make(m)(name="b")),
            "in a chain": lambda m, make=make: chain(m, make(m)(name="b")),
            "in a model": lambda m, make=make: model_of(m, make(m)),
            "in a model with a build": lambda m, make=make: model_of(m, make(m), builds=True),
        }.items()
    },
}  # fmt: skip


def bare(path: str) -> str:
    """A path without the counters of automatic names, which depend on what was made before."""
    return re.sub(r"_\d+(?=[/_]|$)", "", path)


def paths(layer: Any) -> list[str]:
    return [bare(v.path) for v in layer.weights]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:.*build.*was called on layer")
def test_paths_are_those_of_keras(case: str) -> None:
    ours, theirs = CASES[case](keraunos), CASES[case](keras)
    assert paths(ours) == paths(theirs)
    optimizers = [module.optimizers.Adam() for module in (keraunos, keras)]
    for optimizer, model in zip(optimizers, (ours, theirs), strict=True):
        optimizer.build(model.trainable_variables)
    assert [bare(v.path).split("/")[1:] for v in optimizers[0].variables] == [bare(v.path).split("/")[1:] for v in optimizers[1].variables]


@pytest.mark.parametrize("case", ["attention", "recurrent", "cells", "convolutional", "wrappers", "inner chain", "inner graph", "grown"])
def test_copies_and_files_keep_paths(case: str, tmp_path: Path) -> None:
    model = CASES[case](keraunos)
    model.save(tmp_path / "model.keras")
    for other in (keraunos.saving.load_model(tmp_path / "model.keras"), keraunos.models.clone_model(model), model.to_backend("numpy")):
        assert paths(other) == paths(model)
