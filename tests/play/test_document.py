"""Documents: what they may hold, and what is said of what they may not; any JSON value is one or the other, at once."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keraunos.play import catalog
from keraunos.play.document import LIMITS, DocumentError, validated

from .small import layer, spiral

Change = Callable[[dict[str, Any]], Any]


def refused(change: Change) -> DocumentError:
    document = spiral()
    change(document)
    with pytest.raises(DocumentError) as error:
        validated(document)
    return error.value


def test_what_is_left_out_has_its_default() -> None:
    document = validated({"version": 1, "data": {"name": "spiral"}, "layers": [{"id": "features", "type": "Input"}]})
    assert document["training"] == {
        "optimizer": {"type": "Adam", "options": {}}, "epochs": 10, "batch_size": 32, "seed": 0, "engine": "jax", "stop": None,
    }  # fmt: skip
    assert document["layers"] == [{"id": "features", "type": "Input", "inputs": [], "options": {}}]
    assert (document["name"], document["kind"], document["outputs"]) == ("network", "supervised", {})


def test_validating_twice_changes_nothing_and_the_given_one_is_untouched() -> None:
    given = spiral()
    once = validated(given)
    assert given == spiral()
    assert validated(once) == once
    assert validated(json.loads(json.dumps(once))) == once


def test_short_names_become_long_ones() -> None:
    document = spiral()
    document["outputs"]["label"] = {"loss": "mse", "metrics": ["mae", "mean_absolute_error"]}
    assert validated(document)["outputs"]["label"] == {"loss": "mean_squared_error", "metrics": ["mean_absolute_error"]}


def options(number: int = 1, **given: Any) -> Change:
    return lambda document: document["layers"][number]["options"].update(given)


def change(number: int = 1, **given: Any) -> Change:
    return lambda document: document["layers"][number].update(given)


def training(**given: Any) -> Change:
    return lambda document: document.update(training=given)


# What is refused: how the spiral's document is changed, the layer and the field that are named, and words of the message.
ROWS: list[tuple[str, Change, str | None, str | None, str]] = [
    ("a billion units", options(units=10**9), "dense", "units", "whole number from 1 to 4,096"),
    ("data of a number that no float holds", lambda value: value["data"]["options"].update(noise=10**400), None, "data.noise", "must be a number from"),
    ("a number of a thousand digits", options(units=10**1000), "dense", "units", "more than 60 digits"),
    ("half a unit", options(units=0.5), "dense", "units", "whole number"),
    ("true units", options(units=True), "dense", "units", "whole number"),
    ("no units", lambda d: d["layers"][1]["options"].clear(), "dense", "units", "needs the option 'units'"),
    ("an activation that there is not", options(activation="sofmax"), "dense", "activation", "Did you mean 'softmax'?"),
    ("an option that there is not", options(unit=3), "dense", "unit", "Did you mean 'units'?"),
    ("an option that is hidden", options(lora_rank=3), "dense", "lora_rank", "has no option"),
    ("NaN as a rate", change(type="Dropout", options={"rate": float("nan")}), "dense", "rate", "number from 0 to 1"),
    ("Lambda", change(type="Lambda", options={}), "dense", "type", "runs code that the document brings"),
    ("a layer that loads files", change(type="TFSMLayer"), "dense", "type", "loads a file"),
    ("a layer that there is not", change(type="Dens"), "dense", "type", "Did you mean 'Dense'?"),
    ("a layer of a type that is no text", change(type=["Dense"]), "dense", "type", "cannot be a list of 1"),
    ("a script as a name", change(id="<script>alert(1)</script>"), None, "layers[1].id", "cannot be"),
    ("a name with a newline", change(id="dense\n"), None, "layers[1].id", "cannot be"),
    ("two layers of one name", change(id="features"), "features", "id", "Two layers are called 'features'"),
    ("a circle", change(inputs=["label"]), "dense", "inputs", "dense → label → dense"),
    ("a circle of one", change(inputs=["dense"]), "dense", "inputs", "dense → dense"),
    ("a layer before its input", lambda d: d["layers"].insert(1, layer("early", "ReLU", "dense")), "early", "inputs", "comes after it"),
    ("an input that there is not", change(inputs=["feature"]), "dense", "inputs", "Did you mean 'features'?"),
    ("something into an Input", change(0, inputs=["dense"]), "features", "inputs", "takes nothing from other layers"),
    ("a thousand layers", lambda d: d.update(layers=[layer("a", "ReLU")] * 1000), None, "layers", "1,000 layers; the playground takes at most 60"),
    ("layers that are no list", lambda d: d.update(layers={"a": 1}), None, "layers", "must be a list"),
    ("a layer that is no object", lambda d: d["layers"].append(7), None, "layers[3]", "must be an object"),
    ("a key that there is not", change(code="print()"), None, "layers[1]", "a key that there is not: 'code'"),
    ("calling an Input again", lambda d: d["layers"].append({"id": "b", "shares": "features", "inputs": []}), "b", "shares", "not a layer that can be called"),
    ("a shared layer with a type", change(shares="features"), "dense", None, "must have no type or options of its own"),
    ("a part without a game", change(part="generator"), "dense", "part", "Only an adversarial network"),
    ("no epochs", training(epochs=0), None, "training.epochs", "from 1 to 10,000"),
    ("too large a batch", training(batch_size=8193), None, "training.batch_size", "from 1 to 8,192"),
    ("an engine that does not train", training(engine="numpy"), None, "training.engine", "cannot be 'numpy'"),
    ("a learning rate in words", training(optimizer={"type": "SGD", "options": {"learning_rate": "high"}}),
     None, "training.optimizer.learning_rate", "must be a number"),
    ("a stop without patience", training(stop={"monitor": "loss"}), None, "training.stop", "needs 'patience'"),
    ("a loss that there is not", lambda d: d["outputs"]["label"].update(loss="crossentropy"), None, "outputs.label.loss", "cannot be"),
    ("a metric that there is not", lambda d: d["outputs"]["label"].update(metrics=["acc"]), None, "outputs.label.metrics", "cannot be 'acc'"),
    ("a version to come", lambda d: d.update(version=2), None, "version", "reads version 1"),
    ("two lines as a name", lambda d: d.update(name="a\nimport os"), None, "name", "short text"),
    ("a long name", lambda d: d.update(name="a" * 201), None, "name", "at most 200 characters"),
    ("half a character", lambda d: d.update(name="\ud800"), None, "name", "short text"),
    ("text that runs backwards", lambda d: d.update(name="a\u202eb"), None, "name", "short text"),
    ("options of data that nest", lambda d: d["data"]["options"].update(noise=[[1]]), None, "data.noise", "numbers or short texts"),
    ("an upload without its id", lambda d: d.update(data={"name": "upload"}), None, "data", "must say which upload"),
    ("an upload elsewhere", lambda d: d.update(data={"name": "upload", "upload": "../x"}), None, "data.upload", "cannot be"),
    ("weights elsewhere", lambda d: d.update(weights="/etc/passwd"), None, "weights", "cannot be"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_is_refused_where_it_stands(row: tuple[str, Change, str | None, str | None, str]) -> None:
    _, change, place, field, words = row
    error = refused(change)
    assert (error.layer, error.field) == (place, field)
    assert words in str(error)
    assert error.fix or error.expected


def test_what_is_no_object_is_refused() -> None:
    for value in (None, 3, "x", [], {}):
        with pytest.raises(DocumentError):
            validated(value)


def game() -> dict[str, Any]:
    generator = [layer("noise", "Input", size=4), layer("made", "Dense", "noise", units=2)]
    judge = [layer("features", "Input"), layer("logit", "Dense", "features", units=1)]
    parts = [{**one, "part": "generator"} for one in generator] + [{**one, "part": "discriminator"} for one in judge]
    return {"version": 1, "kind": "adversarial", "data": {"name": "clusters"}, "layers": parts}


def test_an_adversarial_network_has_two_parts_that_do_not_meet() -> None:
    assert [one.get("part") for one in validated(game())["layers"]] == ["generator"] * 2 + ["discriminator"] * 2
    mixed, shared, learnt, lost = game(), game(), game(), game()
    mixed["layers"][3]["inputs"] = ["made"]
    shared["layers"].append({"id": "again", "shares": "made", "part": "discriminator", "inputs": ["features"]})
    learnt["outputs"] = {"made": {"loss": "mse"}}
    del lost["layers"][1]["part"]
    for document, words in ((mixed, "of the other part"), (shared, "of the other part"), (learnt, "takes no outputs"), (lost, "'part' cannot be")):
        with pytest.raises(DocumentError, match=words):
            validated(document)


# ---- any value ----
WORDS = [*validated(spiral()), "id", "type", "options", "inputs", "loss", "metrics", "units", "Dense", "Input", "spiral", "features", "label", "a", ""]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=5), max_leaves=20
)


def changed(document: Any, path: list[int], value: Any) -> Any:
    """The document with another value at a place that the numbers lead to."""
    if not path or not isinstance(document, (dict, list)) or not document:
        return value
    keys = list(document) if isinstance(document, dict) else list(range(len(document)))
    key = keys[path[0] % len(keys)]
    made = document.copy()
    made[key] = changed(document[key], path[1:], value)
    return made


def is_a_document_or_refused(value: Any) -> None:
    try:
        document = validated(value)
    except DocumentError as error:
        assert len(str(error)) <= 1000
        assert error.fact.endswith(".")
    else:
        assert validated(document) == document


@given(VALUES)
def test_any_value(value: Any) -> None:
    is_a_document_or_refused(value)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=5), VALUES)
@example([3, 1, 2, 0], float("inf"))
@settings(max_examples=300)
def test_any_value_anywhere_in_a_document(path: list[int], value: Any) -> None:
    is_a_document_or_refused(changed(validated(spiral()), path, value))


@pytest.mark.parametrize(
    "value",
    [
        {"version": 1, "data": {"name": "a"}, "layers": [{}] * 10**6},
        {"version": 1, "data": {"name": "a"}, "layers": [layer("a", "Dense", *["a"] * 10**6)]},
        {"version": 1, "data": {"name": "a", "options": {f"a{i}": 0 for i in range(10**5)}}, "layers": []},
        {"version": 1, "data": {"name": "a" * 10**7}, "layers": []},
        {"version": 1, "data": {"name": "a"}, "layers": [], "outputs": {"y": {"loss": "x" * 10**7, "metrics": ["auc"] * 10**6}}},
        {"version": 1, "data": {"name": "a"}, "layers": [layer("a", "Reshape", target_shape=[1] * 10**6)]},
        {f"k{i}": 0 for i in range(10**5)},
    ],
    ids=["layers", "inputs", "options", "name", "loss", "list", "keys"],
)
def test_what_is_large_is_refused_at_once(value: Any) -> None:
    with pytest.raises(DocumentError):
        validated(value)  # what is made once is made
    tracemalloc.start()
    with pytest.raises(DocumentError):
        validated(value)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_network_of_all_the_layers_that_it_may_have_is_validated() -> None:
    chain = [layer("features", "Input")]
    for number in range(LIMITS["layers"] - 1):
        chain.append(layer(f"dense_{number}", "Dense", chain[-1]["id"], units=4))
    value = {**spiral(), "layers": chain}
    assert len(validated(value)["layers"]) == LIMITS["layers"]


def test_what_is_refused_by_name_is_in_no_list() -> None:
    assert not catalog.REFUSED.keys() & catalog.layer_entries().keys()
