"""The starting networks are valid, build, and do what is said of them."""

from __future__ import annotations

import copy
import json
import os
import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.play import checking, code, data, presets
from keraunos.play.document import validated

from ..conftest import in_force

ALL = {preset["id"]: preset for preset in presets.presets()}
SLOW = pytest.mark.skipif(not os.environ.get("KERAUNOS_TEST_PRESETS"), reason="trains for minutes: KERAUNOS_TEST_PRESETS=1 runs it")


def program(document: dict[str, Any]) -> dict[str, Any]:
    """The functions of a document's program."""
    space: dict[str, Any] = {"__name__": "program"}
    exec(compile(code.program(document), "program.py", "exec"), space)
    return space


def trained(name: str, **changes: Any) -> tuple[Any, dict[str, list[float]]]:
    """The model of a preset on JAX and the history of its training."""
    document = copy.deepcopy(ALL[name]["document"])
    document["training"].update(changes)
    with in_force("jax"):
        space = program(document)
        model = space["build_model"]()
        return model, space["train"](model, space["load_data"]()).history


def test_the_spiral_is_first_and_all_groups_are_there() -> None:
    found = presets.presets()
    assert found[0]["id"] == "spiral"
    assert list(dict.fromkeys(preset["group"] for preset in found)) == ["start", "template", "experiment", "lesson"]
    assert len(ALL) == len(found)
    assert {"mlp", "cnn", "lstm", "cnn_lstm", "two_inputs", "two_outputs", "tower", "autoencoder", "gan", "nan", "ai", "ml", "dl", "mining"} <= set(ALL)
    assert len(json.dumps(found)) < 40_000


@pytest.mark.parametrize("name", sorted(ALL))
def test_presets_are_valid_and_can_be_built(name: str) -> None:
    document = validated(ALL[name]["document"])
    report = checking.check(document, data.signature(document["data"]))
    assert report["ok"], report["problems"]


@pytest.mark.parametrize("name", sorted(ALL))
def test_texts_are_sentences(name: str) -> None:
    preset = ALL[name]
    assert preset["text"].endswith((".", "?")) and 40 < len(preset["text"]) < 420
    assert ("steps" in preset) == (preset["group"] == "lesson")
    assert all(step.endswith((".", "?")) for step in preset.get("steps", []))


@pytest.mark.parametrize("name", sorted(ALL))
def test_presets_begin_to_train(name: str) -> None:
    document, seen = copy.deepcopy(ALL[name]["document"]), []
    document["training"]["epochs"] = 1
    if any(field["name"] == "samples" for field in data.sets()[document["data"]["name"]].fields):
        document["data"]["options"]["samples"] = 80
    with in_force("jax"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The loss became nan")
        space = program(document)
        (x, y), rest = space["load_data"]()
        few = {name: value[:64] for name, value in x.items()} if isinstance(x, dict) else x[:64]
        labels = {name: value[:64] for name, value in y.items()} if isinstance(y, dict) else y[:64]
        model = space["build_model"]()
        watcher = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
        history = space["train"](model, ((few, labels), rest), callbacks=[watcher]).history
    assert seen == [0] and all(len(values) == 1 for values in history.values())
    assert history.keys() >= ({"discriminator", "generator"} if document.get("kind") == "adversarial" else {"loss", "val_loss"})
    assert name == "nan" or all(np.isfinite(values[0]) for values in history.values())


def test_the_spiral_is_learnt() -> None:
    _, history = trained("spiral")
    assert history["val_accuracy"][-1] >= 0.95


def test_the_rate_that_is_too_high_ends_in_nan() -> None:
    with pytest.warns(UserWarning, match="The loss became nan"):
        _, history = trained("nan", epochs=2)
    assert np.isnan(history["loss"][-1])


def test_no_hidden_layer_guesses() -> None:
    _, history = trained("no_hidden")
    assert max(history["accuracy"][-1], history["val_accuracy"][-1]) < 0.75


def test_relus_die() -> None:
    model, history = trained("dead_relu", epochs=20)
    assert history["val_accuracy"][-1] < 0.6
    (x, _), _ = keras.datasets.made.circles()
    with in_force("jax"):
        hidden = keras.Model(model.inputs, model.get_layer("dense_6").output).predict(x, verbose=0)
    assert not hidden.any()


def test_heaps_are_found() -> None:
    model, _ = trained("mining")
    with in_force("jax"):
        x, _ = keras.datasets.made.clusters(noise=0.0)
        heaps = keras.Model(model.inputs, model.get_layer("heap").output).predict(x, verbose=0).argmax(axis=1)
    assert len({(tuple(point), heap) for point, heap in zip(x.tolist(), heaps.tolist(), strict=True)}) == 4 == len(set(heaps.tolist()))


@SLOW
@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("mlp", "val_accuracy", 0.95), ("cnn", "val_accuracy", 0.97), ("lstm", "val_accuracy", 0.95), ("cnn_lstm", "val_accuracy", 0.95),
        ("two_outputs", "val_same_accuracy", 0.92), ("tower", "val_accuracy", 0.93), ("text", "val_accuracy", 0.97), ("attention", "val_accuracy", 0.97),
        ("ai", "val_accuracy", 0.95), ("ml", "val_accuracy", 0.93), ("dl", "val_accuracy", 0.95), ("one_line", "val_accuracy", 0.93),
    ],
)  # fmt: skip
def test_presets_are_as_good_as_they_were(name: str, metric: str, least: float) -> None:
    _, history = trained(name)
    assert history[metric][-1] >= least


@SLOW
@pytest.mark.parametrize(
    ("name", "metric", "most"),
    [("two_inputs", "val_mean_absolute_error", 1.3), ("regression", "val_mean_absolute_error", 0.15), ("autoencoder", "val_loss", 0.025)],
)
def test_errors_of_presets_are_as_small_as_they_were(name: str, metric: str, most: float) -> None:
    _, history = trained(name)
    assert history[metric][-1] <= most


@SLOW
def test_overfitting_is_seen() -> None:
    _, history = trained("overfitting")
    assert history["accuracy"][-1] == 1
    assert history["val_loss"][-1] > 2 * min(history["val_loss"])


@SLOW
def test_the_generator_makes_digits_of_many_kinds() -> None:
    judge, _ = trained("cnn")
    gan, _ = trained("gan")
    with in_force("jax"):
        made = gan.generator.predict(np.random.default_rng(0).normal(size=(500, 16)).astype("float32"), verbose=0)
        chances = judge.predict(made, verbose=0)
    assert (np.bincount(chances.argmax(axis=1), minlength=10) > 10).all()
    assert (chances.max(axis=1) > 0.9).mean() > 0.7  # of real digits it is as sure of nearly all
