"""A small regression, for tests of what is saved while it is trained."""

from __future__ import annotations

from typing import Any

import numpy as np

import keraunos as keras
from keraunos import layers
from tests.conftest import TRAINING

QUICK = "torch" if "torch" in TRAINING else TRAINING[0]  # an engine that does not compile
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(12, 3)).astype("float32"), rng.normal(size=(12, 2)).astype("float32")


def network() -> Any:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(2)])
    model.compile("adam", "mse")
    return model


def fit(model: Any, *callbacks: Any, **options: Any) -> Any:
    return model.fit(X, Y, **{"batch_size": 4, "epochs": 3, "verbose": 0, "callbacks": list(callbacks), **options})
