"""Checkpoints in folders, by Orbax: written while a run goes on, read by every engine."""

from __future__ import annotations

import pathlib
import sys
import unittest
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.callbacks import OrbaxCheckpoint
from keraunos.core.errors import ArgumentError, BackendError, ModelFileError, StateError
from tests.conftest import TRAINING
from tests.regression import QUICK, X, Y, fit, network

pytest.importorskip("orbax.checkpoint")


def steps(folder: pathlib.Path) -> list[int]:
    return sorted(int(p.name) for p in folder.iterdir())


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(v.numpy(), w.numpy()) for v, w in zip(a.run_variables, b.run_variables, strict=True))


@pytest.mark.parametrize("engine", TRAINING)
def test_what_is_saved_is_the_moment(engine: str, tmp_path: pathlib.Path) -> None:
    """Also where the step gives up its old values while they are being written."""
    with keras.backend_scope(engine):
        model, kept = network(), []
        look = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: kept.append([v.numpy().copy() for v in model.variables]))
        with unittest.TestCase().assertNoLogs("absl", "WARNING"):
            fit(model, OrbaxCheckpoint(tmp_path, max_to_keep=2), look)
            assert steps(tmp_path) == [1, 2] and same(keras.models.load_model(tmp_path), model)
        earlier, other = keras.models.load_model(tmp_path / "1"), network()
        other.load_weights(tmp_path / "1")
        for copy in (earlier, other):
            assert all(np.array_equal(a.numpy(), b) for a, b in zip(copy.variables, kept[1], strict=True))
        assert int(earlier.optimizer.iterations.numpy()) == 6


WHEN = {
    "each epoch": ({"max_to_keep": None}, [0, 1, 2]),
    "one": ({}, [2]),
    "batches": ({"save_freq": 2, "max_to_keep": 3}, [4, 6, 8]),
    "the best": ({"save_best_only": True, "monitor": "quality", "max_to_keep": None}, [0, 2]),
    "a threshold": ({"save_best_only": True, "monitor": "quality", "initial_value_threshold": 2.5}, [2]),
    "at once": ({"save_on_background": False}, [2]),
}


@pytest.mark.parametrize("case", WHEN)
def test_when(case: str, tmp_path: pathlib.Path, capsys: Any) -> None:
    options, expected = WHEN[case]
    values = iter([3.0, 4.0, 2.0])
    put = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(quality=next(values)))
    with keras.backend_scope(QUICK):
        model = network()
        fit(model, put, OrbaxCheckpoint(tmp_path, verbose=1, **options))
        assert steps(tmp_path) == expected and f"saved to {tmp_path / str(expected[-1])}" in capsys.readouterr().out
        if expected[-1] == 2:
            assert same(keras.models.load_model(tmp_path), model)


def test_weights_alone_and_other_dtypes(tmp_path: pathlib.Path) -> None:
    with keras.backend_scope(QUICK):
        model = network()
        fit(model, OrbaxCheckpoint(tmp_path / "a", save_weights_only=True))
        with pytest.raises(ModelFileError, match="weights alone"):
            keras.models.load_model(tmp_path / "a")
        other = network()
        other.load_weights(tmp_path / "a")
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))
        before = model.get_weights()
        smaller = keras.Sequential([keras.Input((3,)), layers.Dense(5), layers.BatchNormalization(), layers.Dense(2)])
        with pytest.raises(ModelFileError, match="do not fit"):
            smaller.load_weights(tmp_path / "a")
        (next((tmp_path / "a" / "2" / "pytree").glob("_METADATA"))).write_text("{")
        with pytest.raises(ModelFileError, match="cannot be read"):
            model.load_weights(tmp_path / "a")
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
        half = keras.Sequential([keras.Input((3,)), layers.Dense(2, dtype="bfloat16")])
        half.compile("sgd", "mse")
        fit(half, OrbaxCheckpoint(tmp_path / "b"), epochs=1)
        copy = keras.models.load_model(tmp_path / "b")
        assert copy.layers[0].kernel.numpy().dtype == ml_dtypes.bfloat16 and same(copy, half)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, about Keras
def test_what_keras_wrote(tmp_path: pathlib.Path) -> None:
    peer = pytest.importorskip("keras")
    theirs = peer.Sequential([peer.Input((3,)), peer.layers.Dense(4, name="a"), peer.layers.BatchNormalization(name="b"), peer.layers.Dense(2, name="c")])
    theirs.compile("adam", "mse")
    theirs.fit(X, Y, verbose=0, epochs=2, callbacks=[peer.callbacks.OrbaxCheckpoint(str(tmp_path), save_on_background=False, monitor="loss")])
    with keras.backend_scope(QUICK):
        ours = keras.models.load_model(tmp_path)
        assert int(ours.optimizer.iterations.numpy()) == 2
        for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_message_teaches(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    for wrong in ({"save_freq": 0}, {"save_freq": "batch"}, {"max_to_keep": 0}, {"mode": "least"}):
        with pytest.raises(ArgumentError):
            OrbaxCheckpoint(tmp_path, **wrong)
    with keras.backend_scope(QUICK):
        model = network()
        fit(model, OrbaxCheckpoint(tmp_path))
        before = model.get_weights()
        with pytest.raises(StateError, match=r"up to 2; this run would begin with 0[\s\S]*initial_epoch=3"):
            fit(model, OrbaxCheckpoint(tmp_path))
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), before, strict=True))
        one = OrbaxCheckpoint(tmp_path)
        fit(model, one, initial_epoch=3, epochs=4)
        one.wait_until_finished()
        assert steps(tmp_path) == [3] and one.is_primary_host() and not one.is_multihost_enabled()
        monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
        with pytest.raises(BackendError, match="pip install orbax-checkpoint"):
            fit(network(), OrbaxCheckpoint(tmp_path / "new"))
