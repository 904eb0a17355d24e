"""Mistakes that users make, and what they are told: the fact, the place, and what to do."""

from __future__ import annotations

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from tests.conftest import BACKENDS

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(64, 8)).astype("float32"), rng.integers(0, 3, 64)


ENGINES = BACKENDS


def classifier(units=3, activation="softmax", loss="sparse_categorical_crossentropy", **options):
    model = keras.Sequential([keras.Input((8,)), layers.Dense(units, activation=activation, name="out")])
    model.compile(optimizer="sgd", loss=loss, **options)
    return model


def with_nan():
    x = X.copy()
    x[3, 2] = np.nan
    return x


def frozen():
    model = classifier()
    model.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def two_outputs():
    x = keras.Input((8,))
    model = keras.Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    model.compile("sgd", "mse")
    return model


def reuse_optimizer():
    optimizer = keras.optimizers.SGD()
    for _ in range(2):
        model = keras.Sequential([keras.Input((8,)), layers.Dense(3, activation="softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.fit(X, Y, verbose=0)


def weights_in_call():
    class Late(layers.Layer):
        def call(self, x):
            return x * self.add_weight(shape=(1,), name="late")

    layer = Late()
    layer(X)


def only_x():
    def batches():
        while True:
            yield X

    classifier().fit(batches(), steps_per_epoch=1, verbose=0)


# What goes wrong, the class of the error, and words that the message must have.
MISTAKES = {
    "labels start at 1": (lambda: classifier().fit(X, Y + 1, verbose=0), ValueError, ["y contains 3", "'out'", "Dense(4)"]),
    "a label of -1": (lambda: classifier().fit(X, Y - 1, verbose=0), ValueError, ["-1", "sample_weight", "ignore_class"]),
    "logits without from_logits": (lambda: classifier(activation=None).fit(X, Y, verbose=0), ValueError, ["'out'", "from_logits=True", "softmax"]),
    "softmax twice": (lambda: classifier(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)).fit(X, Y, verbose=0), ValueError, ["twice", "'out'"]),
    "softmax of one unit": (lambda: classifier(1, loss="binary_crossentropy").fit(X, Y > 1, verbose=0), ValueError, ["always outputs 1", "sigmoid"]),
    "NaN in x": (lambda: classifier().fit(with_nan(), Y, verbose=0), ValueError, ["x[3, 2]", "nan", "1 of 32"]),
    "a class without a weight": (lambda: classifier().fit(X, Y, class_weight={0: 1.0, 1: 1.0}, verbose=0), ValueError, ["[2]", "class_weight"]),
    "stopping on what is not there": (lambda: classifier().fit(X, Y, callbacks=[keras.callbacks.EarlyStopping()], verbose=0), ValueError, ["val_loss", "validation_data"]),
    "all layers frozen": (lambda: frozen().fit(X, Y, verbose=0), ValueError, ["0 trainable weights"]),
    "empty x": (lambda: classifier().fit(X[:0], Y[:0], verbose=0), ValueError, ["0 samples"]),
    "lists of lists": (lambda: classifier().fit(X.tolist(), Y, verbose=0), ValueError, ["np.asarray(x)"]),
    "strings": (lambda: classifier().fit(np.array([["a"]] * 64), Y, verbose=0), ValueError, ["text", "StringLookup"]),
    "one-hot with the sparse loss": (lambda: classifier().evaluate(X, np.eye(3)[Y], verbose=0), ValueError, ["categorical_crossentropy"]),
    "integers with the categorical loss": (lambda: classifier(loss="categorical_crossentropy").evaluate(X, Y, verbose=0), ValueError, ["sparse_categorical_crossentropy"]),
    "two losses for one output": (lambda: classifier(loss=["mse", "mae"]).fit(X, Y, verbose=0), ValueError, ["2 losses for 1 output"]),
    "one target for two outputs": (lambda: two_outputs().fit(X, Y.astype("float32"), verbose=0), ValueError, ["y needs 2 arrays", "a, b"]),
    "an optimizer of another model": (reuse_optimizer, ValueError, ["already", "new"]),
    "a misspelt loss": (lambda: classifier(loss="sparse_categorical_crosentropy"), ValueError, ["Did you mean 'sparse_categorical_crossentropy'"]),
    "a misspelt optimizer": (lambda: keras.Sequential([layers.Dense(1)]).compile("adaam", "mse"), ValueError, ["Did you mean 'adam'"]),
    "a misspelt metric": (lambda: classifier(metrics=["mean_squred_error"]), ValueError, ["Did you mean", "mean_squared_error"]),
    "a misspelt activation": (lambda: layers.Dense(1, activation="sofmax"), ValueError, ["Did you mean 'softmax'"]),
    "a misspelt argument": (lambda: layers.Dense(1, activaton="relu"), TypeError, ["Did you mean 'activation'"]),
    "a wrong number of features": (lambda: classifier().predict(X[:, :7], verbose=0), ValueError, ["7 features", "'out'", "8"]),
    "fit before compile": (lambda: keras.Sequential([layers.Dense(1)]).fit(X, Y, verbose=0), ValueError, ["model.compile("]),
    "images without channels": (lambda: layers.Conv2D(3, 3)(keras.Input((28, 28))), ValueError, ["channels", "Input((28, 28, 1))"]),
    "concatenating unequal shapes": (lambda: layers.Concatenate()([keras.Input((3, 4), name="a"), keras.Input((2, 4), name="b")]), ValueError, ["axis 1", "'a'", "'b'"]),
    "adding unequal shapes": (lambda: layers.Add()([keras.Input((3,)), keras.Input((4,))]), ValueError, ["axis 1", "3", "4"]),
    "np.exp of a symbolic tensor": (lambda: np.exp(keras.Input((3,))), TypeError, ["ops.exp"]),
    "if on a symbolic tensor": (lambda: bool(keras.Input((3,)) > 0), TypeError, ["ops.where", "ops.cond"]),
    "weights made in call": (lambda: weights_in_call(), ValueError, ["build(self, input_shape)"]),
    "a generator of x alone": (only_x, ValueError, ["yield (x, y)"]),
    "a checkpoint of an absent metric": (lambda: classifier().fit(X, Y, verbose=0, callbacks=[keras.callbacks.ModelCheckpoint("m.keras", monitor="val_acc", save_best_only=True)]), ValueError, ["val_acc", "loss"]),
    "validation_split of a generator": (lambda: classifier().fit(iter([(X, Y)]), validation_split=0.2, verbose=0), ValueError, ["validation_data"]),
    "the summary of an unbuilt model": (lambda: keras.Sequential([layers.Dense(1)]).summary(), ValueError, ["not built", "keras.Input"]),
    "x and y of unequal lengths": (lambda: classifier().fit(X, Y[:60], verbose=0), ValueError, ["x: 64", "y: 60"]),
    "one sample for a batch": (lambda: classifier().predict(X[0], verbose=0), ValueError, ["x[None]"]),
    "a target that is missing": (lambda: classifier().fit(X, verbose=0), ValueError, ["y is None"]),
}  # fmt: skip


SEEN_WHILE_TRAINING = {"an optimizer of another model", "a checkpoint of an absent metric"}  # NumPy does not get that far


@pytest.mark.parametrize(("mistake", "engine"), [(m, e) for m in MISTAKES for e in ENGINES if e != "numpy" or m not in SEEN_WHILE_TRAINING])
def test_the_message_teaches(mistake, engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program, kind, words = MISTAKES[mistake]
    with keras.backend_scope(engine), pytest.raises(kind) as caught:
        program()
    text = str(caught.value)
    assert isinstance(caught.value, keras.core.errors.KeraunosError), text
    assert len(text) <= 1000 and "Fix:" in text, text
    for word in words:
        assert word in text, text


def test_checks_can_be_silenced():
    keras.config.disable_checks()
    try:
        classifier(activation=None).fit(X, Y, verbose=0)
    finally:
        keras.config.enable_checks()


def test_torch_functions_on_symbolic_tensors():
    import torch

    with pytest.raises(TypeError, match=r"keraunos\.ops"):
        torch.exp(keras.Input((3,)))
