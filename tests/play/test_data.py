"""Data sets by name: what is said of them is what they hold, and the program that loads them gives the same arrays."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.core.errors import KeraunosError
from keraunos.play import data

NAMES = sorted(data.sets())


def spec(name: str, **options: Any) -> dict[str, Any]:
    """A choice of data; of made sets, of few samples."""
    few = {"samples": 60} if any(field["name"] == "samples" for field in data.sets()[name].fields) else {}
    return {"name": name, "options": {**few, **options}}


def ran(source: str) -> data.Loaded:
    """What the lines of a program load."""
    space: dict[str, Any] = {"keras": keras}
    exec("def load_data():\n" + textwrap.indent(source, "    "), space)
    (x_train, y_train), (x_test, y_test) = space["load_data"]()
    return data.Loaded(x_train, y_train, x_test, y_test)


def named(value: Any, names: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else dict.fromkeys(names, value)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_said_of_data_is_what_it_holds(name: str) -> None:
    said, found = data.signature(spec(name)), data.load(spec(name))
    for x, count in ((found.x_train, said["train"]), (found.x_test, said["test"])):
        arrays = named(x, said["inputs"])
        assert arrays.keys() == said["inputs"].keys()
        for key, array in arrays.items():
            assert array.shape == (count, *said["inputs"][key]["shape"])
            assert array.dtype.kind == ("U" if said["inputs"][key]["dtype"] == "string" else "f")
    for y, x, count in ((found.y_train, found.x_train, said["train"]), (found.y_test, found.x_test, said["test"])):
        targets = named(y, said["targets"])
        assert targets.keys() == said["targets"].keys()
        for key, array in targets.items():
            of = said["targets"][key]
            assert array.shape == (count, *of["shape"])
            if of["kind"] == "classes":
                assert array.dtype.kind == "u" and 0 <= array.min() <= array.max() < len(of["classes"])
            elif of["kind"] == "input":
                assert np.array_equal(array, named(x, said["inputs"])[of["of"]])
            else:
                assert of["kind"] == "number" and array.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_the_program_loads_the_same(name: str) -> None:
    chosen = spec(name)
    wanted, found = data.load(chosen), ran(data.source(chosen))
    for a, b in zip(wanted, found, strict=True):
        for key in named(a, ["x"]):
            assert np.array_equal(named(a, ["x"])[key], named(b, ["x"])[key])


@pytest.mark.parametrize("name", NAMES)
def test_options_are_used(name: str) -> None:
    for field in data.sets()[name].fields:
        value = {"samples": 50, "noise": 0.45, "test": 0.5, "seed": 7}[field["name"]]
        before, after = data.load(spec(name)), data.load(spec(name, **{field["name"]: value}))
        parts = ((named(a, "x"), named(b, "x")) for a, b in zip(before[:2], after[:2], strict=True))
        differ = [not np.array_equal(a[key], b[key]) for a, b in parts for key in a]
        assert any(differ), field["name"]


@pytest.mark.parametrize(
    ("chosen", "fact", "fix"),
    [
        ({"name": "spirl"}, "no data set 'spirl'", "spiral"),
        ({"name": 3}, "no data set '3'", "Available"),
        ({"name": "spiral", "options": {"nois": 1}}, "no option 'nois'", "noise"),
        ({"name": "spiral", "options": {"noise": 2}}, "noise cannot be 2", "from 0.0 to 1.0"),
        ({"name": "spiral", "options": {"noise": float("nan")}}, "noise cannot be nan", "a number"),
        ({"name": "spiral", "options": {"noise": "__import__('os')"}}, "noise cannot be __import__", "a number"),
        ({"name": "spiral", "options": {"samples": 10**9}}, "samples cannot be 1000000000", "20000"),
        ({"name": "spiral", "options": {"samples": 50.0}}, "samples cannot be 50.0", "an integer"),
        ({"name": "spiral", "options": {"seed": True}}, "seed cannot be True", "an integer"),
        ({"name": "spiral", "options": []}, "must be an object", ""),
        ({"name": "digits", "options": {"samples": 50}}, "no option 'samples'", ""),
        ({"name": "upload", "upload": "u000000000000"}, "is not here", "upload it again"),
    ],
)
def test_what_cannot_be_chosen_is_told(chosen: dict[str, Any], fact: str, fix: str) -> None:
    for ask in (data.signature, data.load, data.source, data.preview):
        with pytest.raises(KeraunosError) as caught:
            ask(chosen)
        assert fact in caught.value.fact and fix in (caught.value.fix or "")


def test_the_catalogue_is_json_and_says_each_thing_in_a_sentence() -> None:
    found = json.loads(json.dumps(data.catalog()))
    assert [one["name"] for one in found] == [*data.sets(), "upload"]
    for one in found:
        assert one["kind"] in ("points", "pictures", "sequence", "text", "table", "video")
        for said in (one, *one["fields"], *one["inputs"].values()):
            assert not said["text"][0].islower() and said["text"].endswith((".", "?"))
        for field in one["fields"]:
            assert field["low"] <= field["default"] <= field["high"]


@pytest.mark.parametrize("name", NAMES)
def test_a_preview_is_small_json_and_shows_samples_with_their_labels(name: str) -> None:
    found = json.loads(json.dumps(data.preview({"name": name})))
    assert len(json.dumps(found)) < 40_000
    said = data.signature({"name": name})
    assert (found["train"], found["test"]) == (said["train"], said["test"])
    if found["kind"] == "points":
        assert 300 < len(found["points"]) <= 400 and {point["test"] for point in found["points"]} == {True, False}
        assert all(set(point) == {"x", "y", "value", "test"} for point in found["points"])
        return
    key = {"pictures": "pictures", "video": "pictures", "text": "text"}.get(found["kind"], "values")
    assert 0 < len(found["samples"]) <= 24
    assert all(sample[key] and isinstance(sample["label"], str) for sample in found["samples"])
    if key == "pictures":
        assert len(found["samples"][0][key]) == {"pairs": 2, "moving": 8}.get(name, 1)
    if found["kind"] == "table":
        assert len(found["columns"]) == len(found["samples"][0]["values"])


@pytest.mark.parametrize("name", ["digits", "iris", "waves", "moving", "spam"])
def test_a_preview_shows_the_classes_in_turn(name: str) -> None:
    spec = {"name": name}
    (target,) = data.signature(spec)["targets"].values()
    found = [sample["label"] for sample in data.preview(spec)["samples"]]
    assert found == [target["classes"][i % len(target["classes"])] for i in range(len(found))] and data.preview(spec) == data.preview(spec)


def test_labels_are_words() -> None:
    found = data.load({"name": "pairs", "options": {"samples": 20}})
    labels = data.labels({"name": "pairs", "options": {"samples": 20}}, found.y_train)
    same, total = found.y_train["same"][0], found.y_train["sum"][0, 0]
    assert labels[0] == f"{'same' if same else 'different'}, {total:.0f}"
    assert set(data.labels({"name": "digits_same"}, data.load({"name": "digits_same"}).y_test)) == {""}


def test_pictures_are_bytes_from_black_to_white() -> None:
    found = data.picture(np.array([[[0.0, 0.5, 1.0]], [[2.0, -1.0, np.nan]]]))
    assert (found["width"], found["height"], found["channels"], found["values"]) == (1, 2, 3, data.encoded([0, 128, 255, 255, 0, 0]))
