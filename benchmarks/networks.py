"""Larger networks in Keras's API, and as modules of PyTorch and of Flax for the hand-written loops."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

VOCABULARY, STEPS, TOKENS, WIDTH, HEADS = 20_000, 80, 64, 128, 4


def _images(rng: Any, n: int) -> tuple[Any, int]:
    return rng.normal(size=(n, 32, 32, 3)).astype("float32"), 10


def _words(rng: Any, n: int) -> tuple[Any, int]:
    return rng.integers(0, VOCABULARY, (n, STEPS)).astype("int32"), 2


def _tokens(rng: Any, n: int) -> tuple[Any, int]:
    return rng.integers(0, 1000, (n, TOKENS)).astype("int32"), 10


NETWORKS = {
    # name: the data of n samples and the number of classes, the number of batches of 32
    "resnet20": (_images, 4),
    "lstm": (_words, 16),
    "transformer": (_tokens, 6),
}


# ---- in Keras's API ----
def _resnet20(keras: Any) -> Any:
    layers = keras.layers

    def normalized(x: Any, filters: int, size: int, strides: int = 1) -> Any:
        return layers.BatchNormalization()(layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x))

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(normalized(inputs, 16, 3))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            shortcut = normalized(x, filters, 1, strides) if strides == 2 else x
            x = normalized(layers.ReLU()(normalized(x, filters, 3, strides)), filters, 3)
            x = layers.ReLU()(layers.Add()([x, shortcut]))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def _lstm(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential([keras.Input((STEPS,), dtype="int32"), layers.Embedding(VOCABULARY, 128), layers.LSTM(64), layers.Dense(2)])


def _transformer(keras: Any) -> Any:
    layers = keras.layers

    class Places(layers.Layer):
        def build(self, shape: Any) -> None:
            self.embeddings = self.add_weight(shape=shape[1:], initializer="uniform")

        def call(self, x: Any) -> Any:
            return x + self.embeddings

    inputs = keras.Input((TOKENS,), dtype="int32")
    x = Places()(layers.Embedding(1000, WIDTH)(inputs))
    for _ in range(2):
        normal = layers.LayerNormalization()(x)
        x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(normal, normal)
        x = x + layers.Dense(WIDTH)(layers.Dense(4 * WIDTH, activation="gelu")(layers.LayerNormalization()(x)))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def network(keras: Any, name: str) -> Any:
    """A compiled network of a library."""
    model = {"resnet20": _resnet20, "lstm": _lstm, "transformer": _transformer}[name](keras)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


# ---- PyTorch ----
def torch_network(name: str) -> Any:
    """The module as one would write it for PyTorch; images have their channels first."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs: int, filters: int, stride: int):
            super().__init__()
            self.first, self.second = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False), nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
            self.one, self.two, self.relu = nn.BatchNorm2d(filters), nn.BatchNorm2d(filters), nn.ReLU()
            shortcut = nn.Sequential(nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters))
            self.shortcut = shortcut if stride == 2 else nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.relu(self.two(self.second(self.relu(self.one(self.first(x))))) + self.shortcut(x))

    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.lstm, self.dense = nn.Embedding(VOCABULARY, 128), nn.LSTM(128, 64, batch_first=True), nn.Linear(64, 2)

        def forward(self, x: Any) -> Any:
            return self.dense(self.lstm(self.embedding(x))[0][:, -1])

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.places, self.dense = nn.Embedding(1000, WIDTH), nn.Embedding(TOKENS, WIDTH), nn.Linear(WIDTH, 10)
            options = {"dropout": 0.0, "activation": "gelu", "batch_first": True, "norm_first": True}
            self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, **options) for _ in range(2))

        def forward(self, x: Any) -> Any:
            x = self.tokens(x) + self.places.weight
            for block in self.blocks:
                x = block(x)
            return self.dense(x.mean(1))

    if name == "resnet20":
        blocks = [Block(filters // 2 if stride == 2 else filters, filters, stride) for filters in (16, 32, 64) for stride in (2 if filters > 16 else 1, 1, 1)]
        stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    torch.manual_seed(0)
    return Words() if name == "lstm" else Transformer()


# ---- Flax ----
def flax_network(name: str) -> Any:
    """The same as a module of Flax."""
    import flax.linen as nn
    import jax.numpy as jnp

    class ResNet20(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            conv, norm = functools.partial(nn.Conv, use_bias=False), functools.partial(nn.BatchNorm, use_running_average=False)
            x = nn.relu(norm()(conv(16, (3, 3))(x)))
            for filters in (16, 32, 64):
                for block in range(3):
                    strides = 2 if filters > 16 and block == 0 else 1
                    shortcut = norm()(conv(filters, (1, 1), strides)(x)) if strides == 2 else x
                    y = nn.relu(norm()(conv(filters, (3, 3), strides)(x)))
                    x = nn.relu(norm()(conv(filters, (3, 3))(y)) + shortcut)
            return nn.Dense(10)(x.mean((1, 2)))

    class Words(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            return nn.Dense(2)(nn.RNN(nn.OptimizedLSTMCell(64))(nn.Embed(VOCABULARY, 128)(x))[:, -1])

    class Transformer(nn.Module):
        @nn.compact
        def __call__(self, x: Any) -> Any:
            x = nn.Embed(1000, WIDTH)(x) + nn.Embed(TOKENS, WIDTH)(jnp.arange(TOKENS))
            for _ in range(2):
                x = x + nn.MultiHeadDotProductAttention(HEADS)(nn.LayerNorm()(x))
                x = x + nn.Dense(WIDTH)(nn.gelu(nn.Dense(4 * WIDTH)(nn.LayerNorm()(x)), approximate=False))
            return nn.Dense(10)(x.mean(1))

    return {"resnet20": ResNet20, "lstm": Words, "transformer": Transformer}[name]()


def data(name: str, batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Samples and labels."""
    make, batches = NETWORKS[name]
    rng = np.random.default_rng(1)
    x, classes = make(rng, batch * batches)
    return x, rng.integers(0, classes, len(x)).astype("int32")
