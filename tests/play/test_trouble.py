"""What went wrong in a run is told with its layer, its numbers and a remedy."""

from __future__ import annotations

import math
import types
from typing import Any

import numpy as np
import pytest

from keraunos import optimizers
from keraunos.core.errors import ShapeError, TrainingError
from keraunos.play import trouble

DOCUMENT: Any = {
    "layers": [{"id": "features"}, {"id": "dense_1", "options": {"activation": "relu"}}, {"id": "label", "options": {}}],
    "training": {"batch_size": 32},
}


def model(rate: float = 0.01, cause: Any = None) -> Any:
    return types.SimpleNamespace(optimizer=optimizers.SGD(rate), position=types.SimpleNamespace(cause=cause))


def test_nan_is_told_with_its_step_its_layer_and_the_rate() -> None:
    cause = 11, "the first value that is not finite is in the output of 'dense_1' (Dense), made by ops.matmul"
    found = trouble.not_finite(model(3.0, cause), DOCUMENT, "loss", math.nan, 400, {"inputs": 1.0, "targets": 0.0})
    assert found["kind"] == "nan" and found["title"] == "NaN at step 412 in 'dense_1'"
    assert (found["layer"], found["step"]) == ("dense_1", 412)
    assert "The learning rate, 3, is 300 times the usual 0.01 of SGD." in found["text"]
    assert found["fix"] == "set the learning rate to 0.01" and found["change"] == {"learning_rate": 0.01}


def test_a_weight_s_path_names_its_layer() -> None:
    found = trouble.not_finite(model(cause=(0, "the step made 'spiral/dense_1/kernel' not finite")), DOCUMENT, "loss", math.inf, 0, {})
    assert found["layer"] == "dense_1" and found["title"] == "Infinity at step 1 in 'dense_1'"


def test_a_loss_of_finite_outputs_is_named_itself() -> None:
    cause = 3, "the outputs are finite (up to 1.05e+24), but the loss of them is not (ops.square)"
    assert trouble.not_finite(model(cause=cause), DOCUMENT, "loss", math.nan, 0, {})["title"] == "NaN at step 4 in the loss"


def test_large_targets_are_told() -> None:
    found = trouble.not_finite(model(cause=(None, None)), DOCUMENT, "loss", math.nan, 0, {"inputs": 1.0, "targets": 4e4})
    assert "targets reach 4e+04" in found["text"] and "scale the targets" in found["fix"] and found["change"] is None
    assert found["step"] is None and found["layer"] is None


def test_without_a_suspect_there_is_a_remedy() -> None:
    found = trouble.not_finite(model(), DOCUMENT, "val_loss", math.nan, 0, {})
    assert found["text"] == "The val loss is no longer a number." and "lower the learning rate to 0.001" in found["fix"]
    assert found["change"] == {"learning_rate": 0.001}


def test_a_loss_that_grows_is_told() -> None:
    found = trouble.exploding(model(1.0), DOCUMENT, 1e9, 0.5, 77, {})
    assert found["kind"] == "exploding" and "100 times the usual" in found["text"] and found["step"] == 77


@pytest.mark.parametrize(
    "error", [MemoryError("no"), TrainingError("There is not enough memory for a tensor.", code="KR710"), RuntimeError("bad_alloc: out of memory")]
)
def test_memory_is_told_as_such(error: Exception) -> None:
    found = trouble.of_error(error, DOCUMENT)
    assert found["kind"] == "memory" and "smaller than 32" in found["fix"]


def test_an_error_of_the_library_keeps_its_words_and_its_layer() -> None:
    found = trouble.of_error(ShapeError("x has 7 features.", where="dense_1", fix="pass 8 features"), DOCUMENT)
    assert (found["kind"], found["title"], found["layer"], found["fix"]) == ("error", "x has 7 features.", "dense_1", "pass 8 features")
    assert "ShapeError" in found["details"]


def test_an_error_of_the_engine_keeps_its_words() -> None:
    found = trouble.of_error(RuntimeError("something of the engine"), DOCUMENT)
    assert found["kind"] == "error" and "something of the engine" in found["text"] + found["details"]


@pytest.mark.parametrize(
    ("status", "printed", "kind", "word"),
    [
        (-9, "", "memory", "perhaps out of memory"),
        (137, "", "memory", "needed more memory"),
        (-11, "", "crash", "SIGSEGV"),
        (-6, "std::bad_alloc", "memory", "memory"),
        (3, "x", "crash", "3"),
    ],
)
def test_ends_of_processes(status: int, printed: str, kind: str, word: str) -> None:
    found = trouble.of_exit(status, printed, DOCUMENT)
    assert found["kind"] == kind and word in found["title"] + found["text"]
    assert found["details"] == (printed or None)


def test_control_codes_do_not_reach_the_page() -> None:
    assert "\x1b" not in trouble.of_exit(1, "\x1b[31mred\x1b[0m\nsecond", DOCUMENT)["details"]


def test_rates_of_schedules_and_of_none() -> None:
    rate, usual, kind = trouble.rates(model(0.5))
    assert (rate, kind) == (0.5, "SGD") and usual is not None and np.isclose(usual, 0.01)
    assert trouble.rates(types.SimpleNamespace(optimizer=None))[:2] == (None, None)
