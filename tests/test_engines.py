"""One program on every engine: the demo's network learns alike, and predicts alike wherever it is taken."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.cli.demo import BATCH, ready
from keraunos.core import config
from keraunos.datasets import digits
from tests.conftest import BACKENDS, TRAINING

pytestmark = pytest.mark.xdist_group("engines")  # trained once


def trained(engine: str, epochs: int = 5) -> tuple[Any, Any, Any]:
    """A model as the demo trains it, its weights at the start, and the loss of each epoch."""
    with config.backend_scope(engine):
        keras.utils.set_random_seed(0)
        (x, y), _ = digits.load_data()
        model = ready(epochs, len(x))
        start = model.get_weights()
        return model, start, model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0).history


@pytest.fixture(scope="module")
def runs() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        if "jax" in TRAINING:  # convolutions that XLA did not optimize take five times as long as to compile them well
            patch.setattr("jax.jit", functools.partial(importlib.import_module("jax").jit, compiler_options={"xla_backend_optimization_level": 1}))
        return {engine: trained(engine) for engine in TRAINING}


def test_weights_start_equal_and_losses_agree(runs: Any) -> None:
    (_, start, history), *others = runs.values()
    for _, weights, curve in others:
        assert all(np.array_equal(a, b) for a, b in zip(start, weights, strict=True))
        np.testing.assert_allclose(curve["loss"], history["loss"], atol=1e-3)
        np.testing.assert_allclose(curve["accuracy"], history["accuracy"], atol=0.01)


@pytest.mark.parametrize("engine", BACKENDS)
def test_predictions_agree_on_every_engine(engine: str, runs: Any) -> None:
    model = next(iter(runs.values()))[0]
    _, (x, _) = digits.load_data()
    np.testing.assert_allclose(np.asarray(model.to_backend(engine).predict(x, verbose=0)), np.asarray(model.predict(x, verbose=0)), atol=1e-5)


@pytest.mark.parametrize("engine", TRAINING)
def test_predictions_agree_in_onnxruntime(engine: str, runs: Any, tmp_path: Any) -> None:
    runtime = pytest.importorskip("onnxruntime")
    model = runs[engine][0]
    _, (x, _) = digits.load_data()
    model.export(str(tmp_path / "digits.onnx"), format="onnx", verbose=False)
    session = runtime.InferenceSession(str(tmp_path / "digits.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: x.astype("float32")})
    np.testing.assert_allclose(found, np.asarray(model.predict(x, verbose=0)), atol=1e-5)
