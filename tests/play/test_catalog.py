"""The catalogue: its fields are the classes' arguments, each has a text and is what the class takes; nothing in it runs or loads what a user names."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, losses, metrics, optimizers
from keraunos.core.config import backend_scope
from keraunos.play import catalog
from keraunos.play.catalog import Call, Field
from keraunos.play.checking import made
from tests.conftest import TRAINING

from .small import starting_options

LAYERS = list(catalog.layer_entries())
OPTIMIZERS = list(catalog.optimizer_entries())


def test_it_is_json() -> None:
    found = catalog.catalog()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"layers", "optimizers", "losses", "metrics", "activations", "engines", "limits"}


def test_it_loads_no_engine_but_numpy() -> None:
    code = (
        "import sys; from keraunos.play.catalog import catalog; catalog(); print(*[m for m in ('jax', 'torch', 'tensorflow', 'pytensor') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == ""


def test_engines_are_told_apart_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", lost)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else name)
    engines = {engine["name"]: (engine["installed"], engine["version"]) for engine in catalog.catalog.__wrapped__()["engines"]}
    assert engines["jax"] == (True, None)
    assert engines["torch"] == (False, None)
    assert "numpy" not in engines


def fields(type: str) -> list[Field]:
    return [*(catalog.layer_fields if type in LAYERS else catalog.optimizer_fields)(type).values()]


@pytest.mark.parametrize("type", [*LAYERS, *OPTIMIZERS])
def test_fields_are_whole(type: str) -> None:
    for field in fields(type):
        assert field["text"].endswith((".", "!", "?")), field
        assert "](" not in field["text"]
        assert "As for" not in field["text"]
        assert (field["kind"] == "choice") == bool(field["choices"]), field
        assert field["required"] == (field["start"] is not None), field
        if field["required"]:
            assert field["default"] is None
            assert not field["optional"]
        elif field["default"] is None:
            assert field["optional"], field
        elif field["kind"] == "choice":
            assert field["default"] in field["choices"]
        elif field["kind"] in ("integer", "number"):
            low, high = field["low"], field["high"]
            assert low is None or field["default"] >= low, field
            assert high is None or field["default"] <= high, field


@pytest.mark.parametrize("name", [*LAYERS, *OPTIMIZERS])
def test_texts_are_sentences(name: str) -> None:
    entry: Any = catalog.layer_entries().get(name) or catalog.optimizer_entries()[name]
    assert 10 < len(entry["text"]) < 250
    assert "](" not in entry["text"]


def values(field: Field) -> list[Any]:
    """Values that a field allows: its bounds, its choices, its default."""
    bounds = [bound for bound in (field["low"], field["high"]) if bound is not None]
    found: list[Any] = {"boolean": [True, False], "choice": field["choices"]}.get(field["kind"], bounds)
    if field["kind"] in ("integer", "integers"):
        found = [int(value) for value in found]
    return [*found, *([None] if field["optional"] else []), *([] if field["default"] is None else [field["default"]])]


# What goes only with other values of other options, and what the class says then.
TOGETHER = {
    "Permute(dims=8)": "each axis from 1 to 1 once",
    "TextVectorization(pad_to_max_tokens=True)": "needs max_tokens",
    "Conv1D(groups=4096)": "divisible by groups",
    "Conv2D(groups=4096)": "divisible by groups",
    "Conv1DTranspose(output_padding=64)": "below strides",
    "Conv2DTranspose(output_padding=64)": "below strides",
}


@pytest.mark.parametrize("type", LAYERS)
def test_a_layer_takes_what_its_fields_allow(type: str) -> None:
    with backend_scope("numpy"):
        for name, field in catalog.layer_fields(type).items():
            for inner in field["of"] or [None]:
                for value in values(field):
                    call = catalog.call_of(type, starting_options(type, **{name: value}, **({"layer": inner} if inner else {})))
                    if words := TOGETHER.get(f"{type}({name}={value})"):
                        with pytest.raises(ValueError, match=words):
                            made(call)
                    else:
                        assert made(call).name


@pytest.mark.parametrize("type", OPTIMIZERS)
def test_an_optimizer_takes_what_its_fields_allow(type: str) -> None:
    with backend_scope("numpy"):
        for name, field in catalog.optimizer_fields(type).items():
            for value in values(field):
                assert getattr(optimizers, type)(**{name: value}) is not None


def test_defaults_are_those_of_the_classes() -> None:
    for type in LAYERS:
        declared = getattr(layers, type).fields
        for name, field in catalog.layer_fields(type).items():
            default = getattr(declared.get(name), "default", None)
            if not field["of"] and not field["required"] and name not in ("trainable", "cropping") and not name.endswith("_initializer"):
                assert field["default"] == (list(default) if isinstance(default, tuple) else default), (type, name)


def test_arguments_that_bring_code_or_files_are_not_offered() -> None:
    offered = {f"{type}.{field['name']}" for type in (*LAYERS, *OPTIMIZERS) for field in fields(type)}
    assert not {"TextVectorization.vocabulary", "TextVectorization.idf_weights", "Embedding.weights", "Bidirectional.backward_layer"} & offered
    assert {name.partition(".")[2] for name in offered} >= {"units", "filters", "kernel_size", "learning_rate", "rate", "return_sequences"}
    assert all(name not in LAYERS and hasattr(layers, name) for name in catalog.REFUSED)


def test_losses_and_metrics_are_the_librarys() -> None:
    with backend_scope("numpy"):
        assert all(losses.as_loss(name) is not None for name in catalog.loss_entries())
        assert all(name == "accuracy" or metrics.get(name) is not None for name in catalog.metric_entries())
    kinds = {kind for entry in catalog.loss_entries().values() for kind in entry["for"]}
    assert kinds == {kind for entry in catalog.metric_entries().values() for kind in entry["for"]} == {"classes", "binary", "number", "input"}


def test_calls() -> None:
    assert catalog.call_of("Conv2D", {"filters": 4, "kernel_size": [3, 5]}) == Call("Conv2D", {"filters": 4, "kernel_size": (3, 5)})
    assert catalog.call_of("Reshape", {"target_shape": 4}) == Call("Reshape", {"target_shape": (4,)})
    options = {"layer": "GRU", "units": 4, "merge_mode": "sum"}
    assert catalog.call_of("Bidirectional", options) == Call("Bidirectional", {"layer": Call("GRU", {"units": 4}), "merge_mode": "sum"})
    assert catalog.called_with("Concatenate", ("a", "b")) == (["a", "b"],)
    assert catalog.called_with("MultiHeadAttention", ["a", "b"]) == ("a", "b")


# ---- what is offered for a kind of target trains with it ----
KINDS = {  # the last layer, targets
    "classes": (layers.Dense(3, "softmax"), np.arange(8) % 3),
    "binary": (layers.Dense(1, "sigmoid"), np.arange(8) % 2),
    "number": (layers.Dense(1, "softplus"), np.linspace(1, 2, 8, dtype="float32")[:, None]),
    "input": (layers.Dense(2, "sigmoid"), np.linspace(0, 1, 16, dtype="float32").reshape(8, 2)),
}


@pytest.mark.parametrize("name", catalog.loss_entries())
def test_a_loss_trains_what_it_is_for(name: str) -> None:
    for kind in catalog.loss_entries()[name]["for"]:
        with backend_scope(TRAINING[0]):
            last, targets = KINDS[kind]
            last = layers.Dense(1, "tanh") if name.endswith("hinge") else type(last).from_config(last.get_config())
            model = keras.Sequential([keras.Input((2,)), last])
            measured = [metric for metric, entry in catalog.metric_entries().items() if kind in entry["for"]]
            model.compile("sgd", name, metrics=measured)
            logs = model.fit(np.ones((8, 2), "float32"), targets, verbose=0).history
        assert set(logs) == {"loss", *measured}
        assert np.isfinite([*logs.values()]).all()
