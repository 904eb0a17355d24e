"""Small documents for the tests: the spiral's, and one around any layer of the catalogue."""

from __future__ import annotations

import copy
from typing import Any

from keraunos.play import catalog

SPIRAL: dict[str, Any] = {
    "version": 1,
    "name": "spiral",
    "data": {"name": "spiral", "options": {"samples": 500}},
    "layers": [
        {"id": "features", "type": "Input"},
        {"id": "dense", "type": "Dense", "options": {"units": 8, "activation": "tanh"}, "inputs": ["features"]},
        {"id": "label", "type": "Dense", "options": {"units": 2, "activation": "softmax"}, "inputs": ["dense"]},
    ],
    "outputs": {"label": {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}},
    "training": {"epochs": 3},
}
POINTS: dict[str, Any] = {
    "inputs": {"features": {"shape": [2], "dtype": "float32"}},
    "targets": {"label": {"kind": "classes", "classes": ["inner", "outer"], "shape": []}},
}
# What goes into a layer of the catalogue: by its name, else by how it ends, else features.
_SHAPES: dict[str, list[int]] = {
    "Embedding": [5], "TextVectorization": [], "Permute": [4, 6], "SimpleRNN": [6, 3], "LSTM": [6, 3], "GRU": [6, 3], "Bidirectional": [6, 3],
    "TimeDistributed": [4, 8, 8, 1], "MultiHeadAttention": [6, 4], "Dot": [6, 4], "GroupNormalization": [4, 32], "1D": [8, 3], "2D": [8, 8, 3],
    "1DTranspose": [8, 3], "2DTranspose": [8, 8, 3], "": [6],
}  # fmt: skip
_DTYPES = {"Embedding": "int32", "TextVectorization": "string"}


def spiral() -> dict[str, Any]:
    """The spiral's document, to be changed."""
    return copy.deepcopy(SPIRAL)


def layer(id: str, type: str, *inputs: str, **options: Any) -> dict[str, Any]:
    """A layer of a document."""
    return {"id": id, "type": type, "inputs": list(inputs), "options": options}


def starting_options(type: str, **given: Any) -> dict[str, Any]:
    """The options that a new layer begins with, in the page as well."""
    fields = catalog.layer_fields(type)
    options = {name: field["start"] for name, field in fields.items() if field["required"] and not field["of"]} | given
    inner = {name: field["start"] for name, field in fields.items() if field["required"] and options.get("layer") in (field["of"] or ())}
    return {**inner, **options}


def around(type: str, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The smallest network with a layer of a type, which gives what is to be learnt, and the signature of its data."""
    shape = next(shape for name, shape in _SHAPES.items() if name == type or (name[:1].isdigit() and type.endswith(name)) or not name)
    several = catalog.GROUP_OF[type] == "merging"
    made = layer("y", type, *(["x", "x"] if several else ["x"]), **starting_options(type, **options))
    document = {"version": 1, "data": {"name": "plane"}, "layers": [layer("x", "Input"), made], "outputs": {"y": {"loss": "mse"}}}
    inputs = {"x": {"shape": shape, "dtype": _DTYPES.get(type, "float32")}}
    return document, {"inputs": inputs, "targets": {"y": {"kind": "number", "classes": None, "shape": [1]}}}
