"""A plain Keras script, run unchanged by `keraunos run` and by Keras itself: it learns the same."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import re
import runpy
import subprocess
import sys
import warnings

import pytest

import keraunos

pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")

SCRIPT = """
import os
import tempfile

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
folder = tempfile.mkdtemp()


def report(name, model, x, y):
    path = os.path.join(folder, f"{name}.keras")
    model.save(path)
    loaded = keras.models.load_model(path)
    for kind, tested in (("trained", model), ("loaded", loaded)):
        loss, accuracy = tested.evaluate(x, y, verbose=0)
        print(f"{name} {kind}: {accuracy:.4f}")


# Images of 12 by 12 with a bright bar: standing, lying or diagonal.
def bars(n):
    labels = rng.integers(0, 3, n)
    images = rng.normal(0, 0.2, (n, 12, 12, 1)).astype("float32")
    for image, label, at in zip(images[..., 0], labels, rng.integers(2, 10, n)):
        if label == 0:
            image[:, at] += 1
        elif label == 1:
            image[at] += 1
        else:
            image[np.arange(12), (np.arange(12) + at) % 12] += 1
    return images, labels


x_train, y_train = bars(512)
x_test, y_test = bars(300)
model = keras.Sequential(
    [
        keras.Input((12, 12, 1)),
        layers.Conv2D(12, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(),
        layers.Conv2D(16, 3, activation="relu", padding="same"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(16, activation="relu"),
        layers.Dense(3, activation="softmax"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=32, epochs=5, validation_split=0.1, verbose=0)
assert sorted(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
report("images", model, x_test, y_test)


# Whether two vectors point to the same side of a plane.
def pairs(n):
    a, b = (rng.normal(size=(n, 4)).astype("float32") for _ in range(2))
    labels = (a[:, 0] > 0) == (b[:, 0] > 0)
    a[:, 0] += np.sign(a[:, 0])
    b[:, 0] += np.sign(b[:, 0])
    return {"left": a, "right": b}, labels.astype("float32")[:, None]


x_train, y_train = pairs(640)
x_test, y_test = pairs(300)
left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
encode = layers.Dense(8, activation="tanh")
joined = layers.Concatenate()([encode(left), encode(right)])
hidden = layers.Dropout(0.1)(layers.Dense(32, activation="relu")(joined))
model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(hidden))
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.optimizer.learning_rate = 0.02
stop = keras.callbacks.EarlyStopping("loss", patience=20)
model.fit(x_train, y_train, batch_size=32, epochs=10, verbose=0, callbacks=[stop])
report("pairs", model, x_test, y_test)
print("by", keras.Model.__module__.partition(".")[0])
"""


def started(engine, path):
    """The script by Keraunos, in a process of its own; all run at once."""
    paths = {"PYTHONPATH": str(pathlib.Path(keraunos.__file__).parent.parent), "TMPDIR": str(path.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "keraunos", "run", str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **paths, "KERAUNOS_BACKEND": engine})


def accuracies(output, library):
    """What a script printed, by model."""
    assert output.splitlines()[-1] == f"by {library}"
    return {what: float(accuracy) for what, accuracy in re.findall(r"^(.+): ([\d.]+)$", output, re.MULTILINE)}


def test_a_script_learns_the_same_as_with_keras(tmp_path, capsys):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, encoding="utf-8")
    processes = [started(engine, path) for engine in ("jax", "torch")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runpy.run_path(str(path), run_name="__main__")
    expected = accuracies(capsys.readouterr().out, "keras")
    assert set(expected) == {f"{model} {kind}" for model in ("images", "pairs") for kind in ("trained", "loaded")}
    assert min(expected.values()) > 0.98
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        assert accuracies(output, "keraunos") == pytest.approx(expected, abs=0.01)
