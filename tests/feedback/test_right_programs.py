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
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_right_is_left_in_peace(program):
    make, x, y, options = PROGRAMS[program]
    with keras.backend_scope("torch"), warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(x, y, epochs=0, verbose=0, **options)  # the checks come before the first epoch
