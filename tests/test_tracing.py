"""What a model tells of itself: each layer's output and time, and where the time of a step goes."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from tests.conftest import TRAINING

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(24, 4)).astype("float32"), rng.normal(size=(24, 1)).astype("float32")


def quiet(text: str) -> None:
    """Takes a table in place of the terminal."""


def network() -> Any:
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu", name="wide"), layers.Dense(4, name="narrow")], name="block")
    kept = [layers.Dense(4, name="first"), inner, layers.BatchNormalization(name="norm"), layers.Dropout(0.5, name="drop"), layers.Dense(1, name="last")]
    model = keras.Sequential([keras.Input((4,)), *kept], name="net")
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("engine", TRAINING)
def test_each_layer_tells(engine: str) -> None:
    with keras.backend_scope(engine):
        model = network()
        before = [v.numpy().copy() for v in model.variables]
        table = model.trace(X, training=True, print_fn=quiet)
        assert all(np.array_equal(v.numpy(), b) for v, b in zip(model.variables, before, strict=True))
        assert [(row.name, row.depth) for row in table] == [("first", 0), ("block", 0), ("wide", 1), ("narrow", 1), ("norm", 0), ("drop", 0), ("last", 0)]
        first = X @ model.layers[0].get_weights()[0]
        wide = np.maximum(first @ model.layers[1].layers[0].get_weights()[0], 0)
        row = table["wide"]
        assert (row.kind, row.shape, row.dtype, row.parameters, row.path) == ("Dense", [(24, 6)], "float32", 30, model.layers[1].layers[0].path)
        np.testing.assert_allclose(
            [row.mean, row.std, row.minimum, row.maximum, row.zeros], [wide.mean(), wide.std(), 0, wide.max(), (wide == 0).mean()], rtol=1e-4
        )
        assert table["drop"].zeros > 0.3 and model.trace(X, print_fn=quiet)["drop"].zeros < 0.2
        assert all(row.seconds > 0 for row in table) and table["block"].seconds >= table["narrow"].seconds
        text = str(table)
        assert "  wide" in text and "(24, 6)" in text and engine in text and "not finite" in text
        assert "<td" in table._repr_html_() and "wide" in table._repr_html_()


def test_only_the_calls_of_the_thread_that_asks_are_told() -> None:
    class Other(layers.Layer):
        def call(self, x: Any) -> Any:
            if threading.current_thread() is threading.main_thread() and isinstance(model, keras.Model):
                thread = threading.Thread(target=lambda: model(X))  # another user of the model, while it is traced
                thread.start()
                thread.join()
            return x

    model: Any = None
    with keras.backend_scope("torch" if "torch" in TRAINING else TRAINING[0]):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first"), Other(name="other"), layers.Dense(2, name="last")])
        assert [row.name for row in model.trace(X, print_fn=quiet)] == ["first", "other", "last"]


def test_other_kinds_of_models(capsys: Any) -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2, name="twice")

        def call(self, inputs: Any) -> Any:
            return {"a": self.dense(inputs["x"]), "b": ops.log(self.dense(inputs["x"]) * 0)}

    class Split(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs[:, :2], ops.log(inputs * 0)

    with keras.backend_scope(TRAINING[0]):
        assert [row.name for row in Own().trace({"x": X})] == ["twice", "twice"]  # not built before, called twice
        assert "twice" in capsys.readouterr().out
        inputs = keras.Input((4,))
        row = keras.Model(inputs, Split(name="split")(inputs)).trace(X, print_fn=quiet)["split"]
        assert row.shape == [(24, 2), (24, 4)] and row.nonfinite == pytest.approx(4 / 6) and row.mean == pytest.approx(float(X[:, :2].mean()), rel=1e-4)
        cells = keras.Sequential([keras.Input((3, 4)), layers.RNN([layers.GRUCell(3), layers.GRUCell(2)], name="rnn"), layers.Dense(1, name="out")])
        names = [row.name for row in cells.trace(np.ones((2, 3, 4), "float32"), print_fn=quiet)]
        assert names[0] == "rnn" and names[-1] == "out"
        words = keras.Sequential(
            [keras.Input((1,), dtype="string"), layers.StringLookup(vocabulary=["a", "b"], name="words"), layers.Embedding(4, 2, name="vectors")]
        )
        table = words.trace(np.array([["a"], ["b"]]), print_fn=quiet)
        assert table["vectors"].shape == [(2, 1, 2)]


@pytest.mark.parametrize("engine", TRAINING)
def test_where_the_time_goes(engine: str) -> None:
    with keras.backend_scope(engine):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(6, "relu", name="wide"), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        model.train_on_batch(X, Y)
        before = [v.numpy().copy() for v in model.run_variables]
        table = model.profile(X, Y, batch_size=8, steps=2, print_fn=quiet)
        assert all(np.array_equal(v.numpy(), b) for v, b in zip(model.run_variables, before, strict=True))
        assert [row.name for row in table] == ["data", "forward", "loss", "backward", "optimizer", "metrics", "step"]
        step = table["step"]
        assert step.compile_seconds > 0 and 0 < step.share <= 1 and step.share + table["data"].share == pytest.approx(1)
        assert "optimizer" in str(table) and "wide" in str(table) and "wide" in table._repr_html_() and table.layers["wide"].shape == [(8, 6)]
        products = 3 * 2 * 8 * (4 * 6 + 6) - 2 * 8 * 4 * 6  # forward, and twice backward but for the inputs
        assert table.flops is None if engine in ("tensorflow", "pytensor") else table.flops >= products
        model.fit(X, Y, verbose=0)


def test_steps_of_ones_own_and_streams() -> None:
    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            return super().train_step(data)

    with keras.backend_scope(TRAINING[0]):
        model = Own([keras.Input((4,)), layers.Dense(1)])
        with pytest.raises(ValueError, match="compile"):
            model.profile(X, Y)
        model.compile("sgd", "mse")
        with pytest.raises(ValueError, match="steps must be a whole number of 1 or more"):
            model.profile(X, Y, steps=0)
        assert [row.name for row in model.profile([(X, Y)].__iter__(), steps=3, print_fn=quiet)] == ["data", "step"]
