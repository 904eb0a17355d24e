"""Networks as documents, for the tests: those of the presets, and what no preset has."""

from __future__ import annotations

import json
import pathlib
import runpy
from typing import Any

import pytest

from keraunos.play.document import Document, validated
from keraunos.play.presets import presets

from ..conftest import in_force

CLASSES = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
LONG = "a_layer_whose_name_has_forty_characters_"


def layer(key: str, kind: str, *inputs: str, **options: Any) -> dict[str, Any]:
    return {"id": key, "type": kind, "options": options, "inputs": list(inputs)}


def network(data: str, *layers: dict[str, Any], outputs: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A document whose data has 120 samples, where that can be chosen."""
    options = {"samples": 120} if data not in ("digits", "digits_same", "iris") else {}
    training = {"epochs": 2, "optimizer": {"type": "Adam", "options": {"learning_rate": 0.01}}, **more.pop("training", {})}
    found = {"version": 1, "name": "network", "data": {"name": data, "options": options}, "layers": list(layers)}
    return {**found, "outputs": {"label": CLASSES} if outputs is None else outputs, "training": training, **more}


def _odd() -> dict[str, dict[str, Any]]:
    def end(source: str, units: int) -> dict[str, Any]:
        return layer("label", "Dense", source, units=units, activation="softmax")

    number = {"loss": "mean_squared_error", "metrics": ["mean_absolute_error"]}
    return {
        "keywords": network(
            "spiral",
            layer("features", "Input"),
            layer("lambda", "Dense", "features", units=4, activation="tanh"),
            layer("l", "Dense", "lambda", units=4, activation="tanh"),
            layer("keras", "Dense", "lambda", units=4),
            layer("model", "Add", "l", "keras"),
            layer("layers", "Concatenate", "model", "lambda"),
            end("layers", 2),
        ),
        "long": network(
            "spiral",
            layer("features", "Input"),
            layer(f"{LONG}", "Dense", "features", units=2, activation="tanh", kernel_initializer="he_normal"),
            layer(f"{LONG[:-1]}2", "Add", "features", LONG),
            layer(f"{LONG[:-1]}3", "Concatenate", LONG, f"{LONG[:-1]}2", "features"),
            end(f"{LONG[:-1]}3", 2),
            name="A name of a document which is so long that it does not fit into the first line of a program, not at all ",
            training={"stop": {"monitor": "val_loss", "patience": 5}, "optimizer": {"type": "SGD", "options": {"momentum": 0.9, "nesterov": True}}},
        ),
        "shared": network(
            "pairs",
            layer("left", "Input"),
            layer("right", "Input"),
            layer("flat", "Flatten", "left"),
            {"id": "shared_flat", "shares": "flat", "inputs": ["right"]},
            layer(LONG, "Dense", "flat", units=8, activation="relu"),
            {"id": f"{LONG[:-1]}2", "shares": LONG, "inputs": ["shared_flat"]},
            layer("both", "Concatenate", LONG, f"{LONG[:-1]}2"),
            layer("class", "Dense", "both", units=2, activation="softmax"),
            layer("sum", "Dense", "both", units=1),
            outputs={"same": {**CLASSES, "layer": "class"}, "sum": {**number, "weight": 0.01}},
        ),
        "part_of_the_data": network(
            "pairs",
            layer("left", "Input"),
            layer("flat", "Flatten", "left"),
            layer("sum", "Dense", "flat", units=1),
            outputs={"sum": {**number, "weight": 0.5}},
        ),
        "wrapped": network(
            "moving",
            layer("film", "Input"),
            layer("conv", "TimeDistributed", "film", layer="Conv2D", filters=4, kernel_size=3, activation="relu"),
            layer("pool", "TimeDistributed", "conv", layer="GlobalAveragePooling2D"),
            layer("both_ways", "Bidirectional", "pool", layer="LSTM", units=4, return_sequences=True, merge_mode="sum"),
            layer("attention", "MultiHeadAttention", "both_ways", num_heads=2, key_dim=4),
            layer("mean", "GlobalAveragePooling1D", "attention"),
            end("mean", 4),
        ),
        "adapted": network(
            "iris",
            layer("features", "Input"),
            layer("scaled", "Normalization", "features"),
            layer("dense", "Dense", "scaled", units=8, activation="relu"),
            layer("scaled_again", "Normalization", "dense"),
            end("scaled_again", 3),
        ),
        "text": network(
            "spam",
            layer("text", "Input"),
            layer("words", "TextVectorization", "text", max_tokens=500, output_sequence_length=12),
            layer("embedding", "Embedding", "words", input_dim=500, output_dim=8),
            layer("mean", "GlobalAveragePooling1D", "embedding"),
            end("mean", 2),
        ),
    }


ODD: dict[str, Document] = {name: validated(document) for name, document in _odd().items()}
PRESETS: dict[str, Document] = {preset["id"]: validated(preset["document"]) for preset in presets()}
ALL = {**PRESETS, **ODD}


def run_program(path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program prints that is run from its folder, as a script of its own but in this process, on JAX."""
    with in_force("jax"), pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        capsys.readouterr()
        runpy.run_path(path.name, run_name="__main__")
    return capsys.readouterr().out


def short(document: Document, epochs: int = 1, engine: str = "jax") -> Document:
    """The same network on less data and for few epochs."""
    found = json.loads(json.dumps(document))
    if "samples" in found["data"]["options"]:
        found["data"]["options"]["samples"] = 100
    found["training"] |= {"epochs": epochs, "engine": engine}
    return validated(found)
