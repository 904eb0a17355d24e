"""Programs that are right, though they look like mistakes: nothing is raised, and nothing is warned of."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, losses
from tests.feedback.case import IMAGES, SERIES, WORDS, B, T, X, Y, classifier, over, regressor, subclassed, two_outputs

ONE_HOT = np.eye(3, dtype="float32")[Y]
LOGITS = losses.BinaryCrossentropy(from_logits=True)
PADDED = ONE_HOT * (np.arange(64) < 50)[:, None]


class Ending(keras.Model):
    """Whose last function is an op, which is not known."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(3)

    def call(self, inputs: Any) -> Any:
        return keras.ops.softmax(self.dense(inputs))


def ending() -> Any:
    model = Ending()
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def image_model(*first: Any) -> Any:
    return over(keras, (8, 8, 1), *first, layers.Conv2D(1, 3), layers.GlobalAveragePooling2D())


def normalized() -> Any:
    layer = layers.Normalization()
    layer.adapt(X)
    return over(keras, (8,), layer, layers.Dense(1))


def frozen() -> Any:
    """A network that takes images as it was trained on, and a head."""
    base = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(1, 3), layers.GlobalAveragePooling2D()])
    base.trainable = False
    return over(keras, (8, 8, 1), base, layers.Dense(1))


class Filling(layers.Layer):
    def call(self, inputs: Any) -> Any:
        return keras.ops.where(keras.ops.isnan(inputs), 0.0, inputs)


class Embedding(layers.Layer):
    """A user's, of the name of one of ours, and without its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = layers.Embedding(10, 2)

    def call(self, inputs: Any) -> Any:
        return self.table(inputs)


class OfLogits(losses.BinaryCrossentropy):
    def call(self, y_true: Any, y_pred: Any) -> Any:
        return super().call(y_true, keras.ops.sigmoid(y_pred))


class Logging(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_f1"] = 0.5


def relu(x: Any) -> Any:
    return keras.ops.sigmoid(x)


def missing(y: Any, p: Any) -> Any:
    known = keras.ops.logical_not(keras.ops.isnan(y))
    return keras.ops.sum(keras.ops.where(known, keras.ops.square(keras.ops.where(known, y, 0.0) - p), 0.0))


def by_name() -> Any:
    """Whose inputs are a dict in another order than their names'."""
    words, x = keras.Input((5,), dtype="int32", name="words"), keras.Input((8,), name="a")
    flat = layers.Flatten()(layers.Embedding(10, 2)(words))
    model = keras.Model({"words": words, "a": x}, layers.Dense(1)(layers.Concatenate()([flat, x])))
    model.compile("sgd", "mse")
    return model


HOLES = np.where(np.arange(64)[:, None] == 3, np.float32(np.nan), X)
RAW = np.floor(IMAGES * 255.99).astype("uint8")
PROGRAMS = {
    "noise on labels": (lambda: regressor(keras, loss=LOGITS), X, B[:, None] + 0.05, {}),
    "smooth labels": (lambda: classifier(keras, loss="categorical_crossentropy"), X, ONE_HOT * 0.9 + 0.1 / 3, {}),
    "rows of zeros for padding": (lambda: classifier(keras, loss="categorical_crossentropy"), X, PADDED, {}),
    "weights of samples": (lambda: classifier(keras), X, Y, {"sample_weight": np.abs(T[:, 0])}),
    "raw images that the model scales": (lambda: image_model(layers.Rescaling(1 / 255)), RAW, T[:32], {}),
    "raw images that are normalized": (lambda: image_model(layers.BatchNormalization()), RAW, T[:32], {}),
    "indices up to the last": (lambda: over(keras, (5,), layers.Embedding(10, 2), layers.Flatten(), layers.Dense(1)), WORDS, T, {}),
    "indices as floats": (lambda: over(keras, (5,), layers.Embedding(10, 2), layers.Flatten(), layers.Dense(1)), WORDS.astype("float32"), T, {}),
    "a class for each step": (
        lambda: over(keras, (6, 4), layers.LSTM(2, return_sequences=True), layers.Dense(3, activation="softmax"), loss="sparse_categorical_crossentropy"),
        SERIES, np.zeros((64, 6), "int32") + Y[:, None], {},
    ),
    "labels in a column": (lambda: classifier(keras), X, Y[:, None], {}),
    "ignored labels": (lambda: classifier(keras, loss=losses.SparseCategoricalCrossentropy(ignore_class=-1)), X, Y - (Y == 0), {}),
    "targets without the last axis": (lambda: regressor(keras), X, T[:, 0], {}),
    "an autoencoder": (lambda: over(keras, (8,), layers.Dense(8)), X, X, {}),
    "accuracy of logits, told so": (lambda: regressor(keras, loss=LOGITS, metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)]), X, B, {}),
    "accuracy of whole numbers": (lambda: regressor(keras, metrics=["accuracy"]), X, np.round(T), {}),
    "several labels at once": (lambda: classifier(keras, activation="sigmoid", loss="binary_crossentropy", metrics=["accuracy"]), X, ONE_HOT, {}),
    "a softmax by an op": (ending, X, Y, {}),
    "a subclassed model": (lambda: subclassed(keras), X, Y, {"validation_data": (X[:8], Y[:8])}),
    "one output of two": (lambda: two_outputs(keras, {"a": "mse", "b": None}), X, {"a": T}, {}),
    "sorted targets of a regression": (lambda: regressor(keras), X, np.sort(T, 0), {"validation_split": 0.2}),
    "a loss of one's own": (lambda: classifier(keras, activation=None, loss=lambda y, p: keras.ops.mean((y - p) ** 2)), X, T, {}),
    "returns of actions as weights": (lambda: classifier(keras, loss="categorical_crossentropy"), X, ONE_HOT * T * 5, {}),
    "advantages as weights of samples": (lambda: classifier(keras), X, Y, {"sample_weight": T[:, 0]}),
    "targets at the bounds, rounded": (lambda: regressor(keras, "tanh"), X, np.sign(T) * np.float32(1.0000001), {}),
    "a normalization that was adapted": (normalized, X, T, {}),
    "raw images for a frozen network": (frozen, RAW, T[:32], {}),
    "series of whole numbers": (lambda: over(keras, (20, 1), layers.Conv1D(2, 3), layers.Flatten(), layers.Dense(1)), np.full((64, 20, 1), 180), T, {}),
    "an activation of the name of ours": (lambda: regressor(keras, relu, "binary_crossentropy"), X, B, {}),
    "a layer of the name of ours": (lambda: over(keras, (5,), Embedding(), layers.Flatten(), layers.Dense(1)), WORDS, T, {}),
    "a loss made of ours": (lambda: regressor(keras, loss=OfLogits()), X, B, {}),
    "NaN that the model fills": (lambda: over(keras, (8,), Filling(), layers.Dense(1)), HOLES, T, {}),
    "NaN that the loss leaves out": (lambda: regressor(keras, loss=missing), X, np.where(T > 1, np.float32(np.nan), T), {}),
    "one class at a time": (lambda: regressor(keras, "sigmoid", "binary_crossentropy"), X, np.ones(64), {"epochs": 1}),
    "a trend, and a split": (lambda: regressor(keras), X, np.arange(64), {"validation_split": 0.2}),
    "a softmax over steps": (lambda: over(keras, (6, 4), layers.Dense(1), layers.Softmax(axis=1)), SERIES, np.full((64, 6, 1), 1 / 6), {}),
    "a callback that logs what another watches": (
        lambda: regressor(keras), X, T, {"callbacks": [Logging(), keras.callbacks.EarlyStopping("val_f1", mode="max")], "epochs": 1},
    ),
    "inputs in a dict": (by_name, {"a": X, "words": WORDS}, T, {}),
    "no targets where there is no loss": (lambda: two_outputs(keras, ["mse", None]), X, [T, None], {"epochs": 1}),
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_right_is_left_in_peace(program):
    make, x, y, options = PROGRAMS[program]
    with keras.backend_scope("torch"), warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(x, y, **{"epochs": 0, "verbose": 0, **options})  # the checks come before the first epoch
