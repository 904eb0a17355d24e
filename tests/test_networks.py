"""Networks that combine families of layers learn, with a falling loss, on the engines that users train on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import Input, Model, layers
from keraunos.core.config import backend_scope
from tests.conftest import TRAINING

ENGINES = [name for name in ("jax", "torch") if name in TRAINING]
Task = tuple[Any, Any, Any, str]  # a model, inputs, targets, and the loss


def video() -> Task:
    """Which way a square moves: convolutions on each frame, an LSTM over them, attention over its states."""
    rng = np.random.default_rng(0)
    x, y = np.zeros((48, 6, 10, 10, 1), "float32"), rng.integers(0, 2, 48)
    for i, (row, to_right) in enumerate(zip(rng.integers(0, 8, 48), y, strict=True)):
        for t in range(6):
            column = t if to_right else 7 - t
            x[i, t, row : row + 2, column : column + 2] = 1
    frames = Input((6, 10, 10, 1))
    h = layers.TimeDistributed(layers.Conv2D(8, 3, strides=2, activation="relu"))(frames)
    h = layers.TimeDistributed(layers.Flatten())(h)
    h = layers.LSTM(16, return_sequences=True)(h)
    h = layers.GlobalAveragePooling1D()(layers.Attention()([h, h]))
    return Model(frames, layers.Dense(1, activation="sigmoid")(h)), x, y[:, None].astype("float32"), "binary_crossentropy"


def two_towers() -> Task:
    """Whether two points lie in one direction: one tower for both, and the product of what it says."""
    rng = np.random.default_rng(1)
    a, y = rng.normal(size=(256, 4)), rng.integers(0, 2, (256, 1))
    b = np.where(y == 1, a, -a) + 0.1 * rng.normal(size=(256, 4))
    tower = keraunos.Sequential([Input((4,)), layers.Dense(32, activation="relu"), layers.Dense(8), layers.UnitNormalization()])
    left, right = Input((4,), name="left"), Input((4,), name="right")
    near = layers.Dense(1, activation="sigmoid")(layers.Multiply()([tower(left), tower(right)]))
    x = {"left": a.astype("float32"), "right": b.astype("float32")}
    return Model({"left": left, "right": right}, near), x, y.astype("float32"), "binary_crossentropy"


@keraunos.saving.register_keras_serializable(package="networks")
class Places(layers.Layer):
    """Adds a learned vector for each place."""

    def build(self, input_shape: Any) -> None:
        self.table = self.add_weight(shape=input_shape[1:], initializer="normal")

    def call(self, inputs: Any) -> Any:
        return inputs + self.table


def transformer() -> Task:
    """A sequence backwards: an encoder, a decoder that looks at it and, masked, at what it has said."""
    rng = np.random.default_rng(2)
    source = rng.integers(1, 8, (128, 5))
    target = source[:, ::-1]
    said = np.concatenate([np.zeros((128, 1), "int64"), target[:, :-1]], 1)

    def block(x: Any, *attended: Any, causal: bool = False) -> Any:
        for other in attended:
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 16)(x, other, use_causal_mask=causal and other is x))
        return layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))

    def embedded(tokens: Any) -> Any:
        return Places()(layers.Embedding(8, 32)(tokens))

    a, b = Input((5,), dtype="int32"), Input((5,), dtype="int32")
    encoded, x = block(embedded(a), embedded(a)), embedded(b)
    decoded = block(x, x, encoded, causal=True)
    return Model([a, b], layers.Dense(8, activation="softmax")(decoded)), [source, said], target, "sparse_categorical_crossentropy"


def next_frame() -> Task:
    """The next picture of a moving square, by a convolutional LSTM."""
    x = np.zeros((24, 6, 8, 8, 1), "float32")
    for i in range(24):
        for t in range(6):
            x[i, t, i % 7 : i % 7 + 2, t : t + 2] = 1
    frames = Input((5, 8, 8, 1))
    h = layers.ConvLSTM2D(8, 3, padding="same")(frames)
    return Model(frames, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)), x[:, :5], x[:, 5], "binary_crossentropy"


def text() -> Task:
    """Which of two subjects a sentence is about, from its words as they are written."""
    rng = np.random.default_rng(3)
    words = [["sun", "rain", "wind", "cloud", "snow"], ["goal", "team", "match", "ball", "player"]]
    y = rng.integers(0, 2, 96)
    x = np.array([" ".join([*rng.choice(words[label], 3), "the", "A."]) for label in y])
    vectorize = layers.TextVectorization(output_sequence_length=6)
    vectorize.adapt(x)
    embed = layers.Embedding(vectorize.vocabulary_size(), 8, mask_zero=True)
    model = keraunos.Sequential([Input((), dtype="string"), vectorize, embed, layers.GRU(8), layers.Dense(1, activation="sigmoid")])
    return model, x, y[:, None].astype("float32"), "binary_crossentropy"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("task", [video, two_towers, transformer, next_frame, text])
def test_networks_learn(task: Callable[[], Task], engine: str, tmp_path: Any) -> None:
    with backend_scope(engine):
        keraunos.utils.set_random_seed(0)
        model, x, y, loss = task()
        model.compile(keraunos.optimizers.Adam(0.01), loss)
        curve = model.fit(x, y, batch_size=16, epochs=6, verbose=0).history["loss"]
        assert curve[-1] < 0.6 * curve[0] and min(curve) in curve[-2:], curve
        predictions = np.asarray(model.predict(x, verbose=0))
        model.save(tmp_path / "model.keras")
        again = keraunos.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(np.asarray(again.predict(x, verbose=0)), predictions, atol=1e-6)
