"""The models that are exported in every format, trained for a step, and batches of their inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from tests.conftest import TRAINING

BATCHES = (1, 3, 17)
WORDS = ["the cat sat", "On the mat, a dog!", "dogs and cats", "the end"]


def mlp() -> Any:
    return keras.Sequential(
        [keras.Input((4,), name="x"), layers.Dense(8, "gelu"), layers.BatchNormalization(), layers.Dropout(0.5), layers.Dense(3, "softmax")]
    )


def cnn() -> Any:
    convolution = layers.Conv2D(4, 3, padding="same", activation="relu")
    return keras.Sequential(
        [keras.Input((8, 8, 2), name="x"), convolution, layers.MaxPooling2D(), layers.DepthwiseConv2D(3), layers.Flatten(), layers.Dense(3)]
    )


def resnet() -> Any:
    inputs = keras.Input((6, 6, 3), name="x")
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", use_bias=False)(x))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(4, 1, strides=2)(inputs)]))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


def lstm() -> Any:
    inputs = keras.Input((5, 3), name="x")
    return keras.Model(inputs, layers.Dense(3)(layers.LSTM(4)(layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs))))


def gru() -> Any:
    inputs = keras.Input((5, 3), name="x")
    return keras.Model(inputs, layers.Dense(3)(layers.GRU(4)(layers.Masking()(inputs))))


def transformer() -> Any:
    inputs = keras.Input((6,), dtype="int32", name="x")
    x = layers.Embedding(11, 8)(inputs)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    x = layers.LayerNormalization()(x + layers.Dense(8)(layers.Dense(16, "gelu")(x)))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def two_inputs() -> Any:
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = layers.Concatenate()([layers.Dense(3, "tanh")(a), b])
    return keras.Model({"a": a, "b": b}, {"mean": layers.Dense(3, name="mean")(joined), "spread": layers.Dense(1, "softplus", name="spread")(joined)})


def text() -> Any:
    """From strings; `tokens` is its part from numbers on."""
    inputs = keras.Input((), dtype="string", name="x")
    return keras.Model(inputs, tokens()(_vectorization()(inputs)))


def tokens() -> Any:
    """What a text model computes of the places of words."""
    pooled = [layers.Embedding(12, 4, mask_zero=True), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    return keras.Sequential([keras.Input((6,), dtype="int32", name="tokens"), *pooled], name="tokens")


def _vectorization() -> Any:
    layer = layers.TextVectorization(max_tokens=12, output_sequence_length=6)
    layer.adapt(WORDS)
    return layer


MODELS: dict[str, Callable[[], Any]] = {
    "MLP": mlp, "CNN": cnn, "ResNet block": resnet, "LSTM": lstm, "GRU": gru, "Transformer block": transformer, "two inputs": two_inputs, "text": text,
}  # fmt: skip

# Each is trained once for the formats that share its engine: they run in one worker.
EVERY = pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(f"exported {name}")) for name in MODELS])


def inputs(name: str, count: int) -> Any:
    """A batch for a model, by its name or that of its function."""
    random = np.random.default_rng(count)
    normal = {"mlp": (4,), "cnn": (8, 8, 2), "resnet": (6, 6, 3), "lstm": (5, 3), "gru": (5, 3)}
    function = MODELS[name].__name__ if name in MODELS else name
    if function == "two_inputs":
        return {"a": random.normal(size=(count, 4)).astype("float32"), "b": random.normal(size=(count, 2)).astype("float32")}
    if function == "text":
        return np.array([WORDS[i % len(WORDS)] for i in range(count)], object)
    if function in ("transformer", "tokens"):
        return random.integers(0, 11, (count, 6)).astype("int32")
    x = random.normal(size=(count, *normal[function])).astype("float32")
    if function == "gru":
        x[:, 3:] = 0  # which Masking leaves out
    return x


@functools.cache
def trained(name: str, engine: str) -> Any:
    """A model of the table, trained for a step on an engine."""
    with keras.backend_scope(engine):
        keras.utils.set_random_seed(0)
        model, x = MODELS[name](), inputs(name, 8)
        model.compile("adam", "mse")
        targets = np.random.default_rng(1).uniform(size=(8, 3)).astype("float32")
        y = {key: targets[:, : shape[-1]] for key, shape in model.output_shape.items()} if name == "two inputs" else targets
        model.fit(x, y, batch_size=8, verbose=0)
    return model


@functools.cache
def predictions(name: str, engine: str, part: str | None = None) -> list[tuple[Any, list[Any]]]:
    """Batches of several sizes, and what the trained model, or a part of it, predicts of each, with one program for all."""
    model, batches = trained(name, engine), [inputs(part or name, count) for count in BATCHES]
    whole = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *batches)
    wanted = keras.tree.flatten((model.get_layer(part) if part else model).predict(whole, verbose=0))
    return [(x, [y[sum(BATCHES[:i]) : sum(BATCHES[: i + 1])] for y in wanted]) for i, x in enumerate(batches)]


def engine_of(format: str, name: str) -> str:
    """The engine on which the model for a format is trained: each in turn, for the transformer block of those that are quick to compile its step."""
    engines = [engine for engine in TRAINING if engine != "pytensor"] or TRAINING if name == "Transformer block" else TRAINING
    return engines[(list(MODELS).index(name) + len(format)) % len(engines)]
