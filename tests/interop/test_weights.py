"""Files of weights, also in shards, written by Keras and read here, and the reverse."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
peer = pytest.importorskip("keras")

import keraunos as ours  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's variables
X = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
FORMS = {"m.weights.h5": None, "m.weights.json": 5e-7}


def network(keras):
    inner = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4), keras.layers.Dense(3)], name="inner")
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, activation="tanh"), keras.layers.BatchNormalization(), inner], name="net")
    model.compile("adam", "mse")
    model.fit(X, np.ones((5, 3)), verbose=0)
    return model


@pytest.mark.parametrize(("writer", "reader"), [(peer, ours), (ours, peer)], ids=["keras", "ours"])
@pytest.mark.parametrize("name", FORMS)
def test_the_other_reads_it(name, writer, reader, tmp_path):
    written = network(writer)
    for _ in range(2):  # the second replaces the first
        path = tmp_path / ("m.weights.json" if FORMS[name] else name)
        written.save_weights(path, **({"max_shard_size": FORMS[name]} if FORMS[name] else {}))
    assert len([*tmp_path.iterdir()]) > (2 if FORMS[name] else 0)
    read = network(reader)
    read.load_weights(path)
    np.testing.assert_allclose(read.predict(X, verbose=0), written.predict(X, verbose=0), rtol=1e-5, atol=1e-6)
    for a, b in zip(read.optimizer.variables, written.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_files_of_keras_count_as_unverified(tmp_path):
    from keraunos.saving.inspecting import inspect

    for keras, known in ((peer, False), (ours, True)):
        network(keras).save_weights(tmp_path / "m.weights.h5")
        assert inspect(tmp_path / "m.weights.h5")["verified"] is known
