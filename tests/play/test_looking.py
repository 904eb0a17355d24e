"""What is seen inside a network is what it computes."""

from __future__ import annotations

import base64
import copy
import json
import types
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.core.functional import Program
from keraunos.play import code, data, document, looking, presets
from keraunos.play.looking import GRID, Looker

ALL = ["boundary", "activations", "weights", "matrix"]


def preset(name: str, **training: Any) -> Any:
    """The document of a preset, with other settings of its training."""
    found = copy.deepcopy(next(p["document"] for p in presets.presets() if p["id"] == name))
    found["training"].update(training)
    return document.validated(found)


def looker(name: str) -> Looker:
    """A looker into the untrained network of a preset."""
    described: Any = preset(name)
    program: Any = types.ModuleType("program")
    exec(compile(code.program(described), "program.py", "exec"), vars(program))
    signature = data.signature(described["data"], None)
    return Looker(program.build_model(), program.load_data(), described, signature["targets"], signature["inputs"])


def of_bytes(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "uint8")


@pytest.fixture(params=["jax", "torch"])
def engine(request: Any) -> Any:
    with keras.config.backend_scope(request.param):
        yield request.param


def test_the_plane(engine: str) -> None:
    inside = looker("spiral")
    seen = inside.snapshot(ALL, sample=3)
    assert len(json.dumps(seen, allow_nan=False)) < 200_000
    boundary, (low, high) = seen["boundary"], seen["boundary"]["x"]
    assert boundary["kind"] == "classes" and low < high and boundary["size"] == GRID
    x, y = np.linspace(low, high, GRID), np.linspace(boundary["y"][1], boundary["y"][0], GRID)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype("float32")
    chances = inside.model.predict(points, verbose=0)[:, 1]
    assert np.abs(of_bytes(boundary["values"]) / 255 - chances).max() < 0.02
    first = seen["neurons"]["dense_1"]
    assert first["count"] == 8 and len(of_bytes(first["values"])) == 8 * first["size"] ** 2
    tanh = (of_bytes(first["values"]).astype("float64") - 128) / 127 * first["scale"]
    assert np.abs(tanh).max() <= 1.01


def test_of_many_classes_those_that_are_confused_most_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    with keras.config.backend_scope("jax"):
        inside = looker("cnn")
        whole = inside.snapshot(["matrix"])["matrix"]
        monkeypatch.setattr(looking, "CLASSES", 4)
        part = inside.snapshot(["matrix"])["matrix"]
    counts = np.array(whole["counts"])
    missed = counts.sum(0) + counts.sum(1) - 2 * counts.diagonal()
    kept = [whole["classes"].index(name) for name in part["classes"]]
    assert whole["of"] == part["of"] == 10 and len(kept) == 4 and kept == sorted(kept)
    assert min(missed[kept]) >= max(missed[[i for i in range(10) if i not in kept]])
    np.testing.assert_array_equal(part["counts"], counts[np.ix_(kept, kept)])
    assert part["accuracy"] == whole["accuracy"] and part["wrong"] == whole["wrong"]


def test_one_sample_and_the_matrix(engine: str) -> None:
    inside = looker("cnn")
    seen = inside.snapshot(ALL, sample=5)
    assert len(json.dumps(seen, allow_nan=False)) < 200_000 and "boundary" not in seen
    shown = seen["activations"]
    chances = inside.model.predict(inside.x_test[5:6], verbose=0)[0]
    np.testing.assert_allclose(shown["probabilities"], chances, atol=1e-3)
    assert shown["predicted"] == str(chances.argmax()) and shown["target"] == str(int(inside.y_test[5]))
    assert np.array_equal(of_bytes(shown["pictures"]["image"]["values"]), np.round(inside.x_test[5].ravel() * 255))
    maps = next(layer for layer in shown["layers"] if layer["id"] == "conv_1")
    assert maps["kind"] == "maps" and len(of_bytes(maps["values"])) == maps["count"] * maps["height"] * maps["width"]
    matrix = seen["matrix"]
    taken = inside.model.predict(inside.x_test, verbose=0).argmax(1)
    assert np.sum(matrix["counts"]) == len(taken) and matrix["accuracy"] == pytest.approx((taken == inside.y_test.ravel()).mean(), abs=1e-3)
    worst = matrix["wrong"][0]
    assert worst["true"] != worst["predicted"] and int(worst["predicted"]) == taken[worst["index"]] and worst["pictures"]["image"]["width"] == 8


def test_first_looks_are_made_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a view needs is compiled before it is asked for, once, and the look itself has nothing left to compile."""
    with keras.config.backend_scope("jax"):
        inside = looker("spiral")
        inside.snapshot(["boundary"])
        while inside.unprepared():
            inside.prepare(inside.unprepared()[0])
        programs: list[Any] = []
        compiled = Program.__init__
        monkeypatch.setattr(Program, "__init__", lambda self, *args, **options: (programs.append(self), compiled(self, *args, **options))[1])
        seen = inside.snapshot(["weights", "matrix"])
    assert not programs and seen["weights"] and seen["matrix"] and inside.unprepared() == []


def test_weights_and_their_gradients(engine: str) -> None:
    inside = looker("spiral")
    before = inside.snapshot(["weights"], step=0)["weights"]
    assert [(row["layer"], row["name"]) for row in before][:2] == [("dense_1", "kernel"), ("dense_1", "bias")]
    assert all(row["ratio"] is None for row in before)
    kernel = inside.model.trainable_variables[0]
    assert before[0]["gradient"]["norm"] > 0 and sum(before[0]["counts"]) == kernel.numpy().size
    kernel.assign(kernel.numpy() * 1.1)
    after = inside.snapshot(["weights"], step=10)["weights"]
    assert after[0]["ratio"] == pytest.approx(0.1 / 1.1 / 10, rel=1e-3) and after[1]["ratio"] in (None, 0.0)
    assert after[0]["gradient"]["norm"] != before[0]["gradient"]["norm"]


def test_a_shared_tower_is_seen_twice() -> None:
    with keras.config.backend_scope("jax"):
        inside = looker("tower")
        seen = inside.snapshot(["activations", "matrix"])
        shown = {layer["id"]: layer for layer in seen["activations"]["layers"]}
        assert {"tower_conv", "right_conv"} <= shown.keys()
        left = keras.Model(inside.model.inputs[0], inside.model.get_layer("tower_conv")(inside.model.inputs[0]))
        expected = left.predict(inside.x_test["left"][:1], verbose=0)[0].transpose(2, 0, 1)
    found = (of_bytes(shown["tower_conv"]["values"]).astype("float64") - 128) / 127 * shown["tower_conv"]["scale"]
    np.testing.assert_allclose(found, expected[: shown["tower_conv"]["count"]].ravel(), atol=0.01 * shown["tower_conv"]["scale"])
    assert shown["tower_conv"]["values"] != shown["right_conv"]["values"]
    for pictures in (seen["activations"]["pictures"], seen["matrix"]["wrong"][0]["pictures"]):
        assert [*pictures] == ["left", "right"] and pictures["left"] != pictures["right"]


@pytest.mark.parametrize(("name", "count"), [("autoencoder", 24), ("gan", 24)])
def test_pictures_that_a_network_makes(name: str, count: int) -> None:
    with keras.config.backend_scope("jax"):
        seen = looker(name).snapshot(ALL)
    assert len(seen["pictures"]["pictures"]) == count and seen["pictures"]["pictures"][0]["width"] == 8
    assert "matrix" not in seen and seen["weights"]


def test_texts_are_shown_as_such() -> None:
    with keras.config.backend_scope("jax"):
        inside = looker("text")
        inside.model.get_layer("words").adapt(inside.x_train)
        seen = inside.snapshot(ALL, sample=1)
    assert seen["activations"]["text"] == str(np.ravel(inside.x_test[1])[0])
    assert seen["activations"]["pictures"] == {} and all(row["gradient"] is None for row in seen["weights"])
    assert all(isinstance(wrong["text"], str) for wrong in seen["matrix"]["wrong"])


def test_heaps_without_labels_are_classes_of_the_plane() -> None:
    with keras.config.backend_scope("jax"):
        boundary = looker("mining").snapshot(["boundary"])["boundary"]
    assert boundary["kind"] == "classes" and set(of_bytes(boundary["values"])) <= {0, 1, 2, 3} and boundary["sure"]


def test_numbers_that_are_none_do_not_break_what_is_seen() -> None:
    with keras.config.backend_scope("jax"):
        inside = looker("spiral")
        for variable in inside.model.trainable_variables:
            variable.assign(np.full(variable.shape, np.nan, "float32"))
        json.dumps(inside.snapshot(ALL), allow_nan=False)


def test_signed_bytes_and_histograms() -> None:
    text, scale = looking.signed([-2.0, 0.0, 1.0])
    assert scale == 2.0 and of_bytes(text).tolist() == [1, 128, 192]
    assert of_bytes(looking.signed([0.0, 0.0])[0]).tolist() == [128, 128]
    found = looking.histogram(np.array([1.0, 1.0, 1.0]))
    assert sum(found["counts"]) == 3 and found["low"] < 1 < found["high"]
    assert looking.histogram(np.array([np.nan]))["low"] is None


def test_long_layers_are_cut_to_what_can_be_sent() -> None:
    wide = looking._activation("wide", np.ones((256, 256, 64)), 50_000, 64)
    assert wide["height"] <= 32 and len(of_bytes(wide["values"])) <= 50_000 and wide["shape"] == [256, 256, 64]
    film = looking._activation("film", np.ones((8, 6, 6, 12)), 50_000, 16)
    assert (film["kind"], film["count"]) == ("maps", 16)
    assert looking._activation("steps", np.ones((20, 5)), 1000, 16)["height"] == 5
