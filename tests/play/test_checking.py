"""Networks by their shapes: those of the library, without an engine, memory or time; and what does not fit, said where it is."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import keraunos as keras
from keraunos.core.config import backend_scope
from keraunos.play import catalog, data, presets
from keraunos.play.checking import check, made, require
from keraunos.play.document import LIMITS, DocumentError, validated

from .small import POINTS, SPIRAL, around, layer, spiral, starting_options

PICTURES: dict[str, Any] = {
    "inputs": {"left": {"shape": [8, 8, 1], "dtype": "float32"}, "right": {"shape": [8, 8, 1], "dtype": "float32"}},
    "targets": {
        "same": {"kind": "classes", "classes": ["no", "yes"], "shape": []},
        "digit": {"kind": "classes", "classes": [*"0123456789"], "shape": []},
        "sum": {"kind": "number", "classes": None, "shape": [1]},
        "left": {"kind": "input", "classes": None, "shape": [8, 8, 1], "of": "left"},
    },
}
TEXTS: dict[str, Any] = {"inputs": {"text": {"shape": [], "dtype": "string"}}, "targets": PICTURES["targets"]}


def checked(layers: list[dict[str, Any]], outputs: dict[str, Any], signature: dict[str, Any] = PICTURES, **more: Any) -> Any:
    return check(validated({"version": 1, "data": {"name": "pairs"}, "layers": layers, "outputs": outputs, **more}), signature)


def only(report: Any) -> Any:
    """The one problem of a report."""
    assert not report["ok"]
    assert len(report["problems"]) == 1, report["problems"]
    return report["problems"][0]


def test_the_spiral() -> None:
    report = check(validated(spiral()), POINTS)
    assert json.loads(json.dumps(report)) == report
    assert report == {
        "ok": True,
        "problems": [],
        "parameters": 42,
        "activations": 12,
        "bytes": 168,
        "layers": {
            "features": {"shape": [None, 2], "dtype": "float32", "parameters": 0, "trainable": 0, "error": None},
            "dense": {"shape": [None, 8], "dtype": "float32", "parameters": 24, "trainable": 24, "error": None},
            "label": {"shape": [None, 2], "dtype": "float32", "parameters": 18, "trainable": 18, "error": None},
        },
    }


def test_it_takes_no_engine() -> None:
    code = f"""
import sys
from keraunos.play import checking, document
print(checking.check(document.validated({SPIRAL!r}), {POINTS!r})["ok"], *[name for name in ("jax", "torch", "tensorflow", "pytensor") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == ["True"]


def test_the_largest_network_takes_no_memory() -> None:
    chain = [layer("features", "Input"), layer("wide_0", "Dense", "features", units=4096)]
    for number in range(1, LIMITS["layers"] - 2):
        chain.append(layer(f"wide_{number}", "Dense", f"wide_{number - 1}", units=4096))
    chain.append(layer("label", "Dense", chain[-1]["id"], units=2, activation="softmax"))
    document = validated({**spiral(), "layers": chain})
    check(document, POINTS)  # what is made once is made
    tracemalloc.start()
    report = check(document, POINTS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report["parameters"] > 900_000_000
    assert only(report)["layer"] == "wide_2"
    assert "playground takes at most 20,000,000" in only(report)["message"]
    assert only(report)["field"] == "units"
    assert peak < 20 * 2**20


@pytest.mark.parametrize("preset", presets.presets(), ids=lambda preset: preset["id"])
def test_what_the_page_begins_with_can_be_built(preset: dict[str, Any]) -> None:
    document = validated(preset["document"])
    assert check(document, data.signature(document["data"]))["problems"] == []


# ---- the layers of the catalogue ----
def computed(document: Any, signature: Any) -> Any:
    """What the one layer of a document gives for two samples, and its parameters: by plain calls of the library."""
    spec, (given,) = document["layers"][1], signature["inputs"].values()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *given["shape"])).astype("float32")
    if given["dtype"] == "string":
        x = np.array(["one two three", "two"], dtype=object)
    elif given["dtype"] == "int32":
        x = rng.integers(0, 9, (2, *given["shape"])).astype("int32")
    layer = made(catalog.call_of(spec["type"], spec["options"]), name="y")
    if hasattr(layer, "adapt"):
        layer.adapt(x)
    tensor = keras.Input(tuple(given["shape"]), dtype=given["dtype"], name="x")
    model = keras.Model(tensor, layer(*catalog.called_with(spec["type"], [tensor] * len(spec["inputs"]))))
    return model.predict(x, verbose=0), layer.count_params()


@pytest.mark.parametrize("type", catalog.layer_entries())
def test_a_layer_is_what_it_would_be(type: str) -> None:
    value, signature = around(type)
    document = validated(value)
    report = check(document, signature)["layers"]["y"]
    assert report["error"] is None or report["error"]["code"] == "KR302"  # which says of most that they are no output for a number
    with backend_scope("numpy"):
        result, parameters = computed(document, signature)
    assert report["shape"] is not None
    assert all(size in (None, real) for size, real in zip(report["shape"], result.shape, strict=True))
    assert report["dtype"] == result.dtype.name
    assert report["parameters"] == parameters


@pytest.mark.parametrize("inner", catalog.WRAPPED["TimeDistributed"][0])
def test_a_layer_of_each_step(inner: str) -> None:
    value, signature = around("TimeDistributed", layer=inner)
    with backend_scope("numpy"):
        result, _ = computed(validated(value), signature)
    assert check(validated(value), signature)["layers"]["y"]["shape"] == [None, *result.shape[1:]]


# ---- what does not fit ----
def test_joined_inputs_of_unequal_shapes() -> None:
    for join in ("Concatenate", "Add"):
        report = checked(
            [
                layer("left", "Input"),
                layer("right", "Input"),
                layer("a", "Conv2D", "left", filters=8, kernel_size=3),
                layer("b", "Conv2D", "right", filters=8, kernel_size=3, strides=2),
                layer("both", join, "a", "b"),
                layer("flat", "Flatten", "both"),
                layer("same", "Dense", "flat", units=1, activation="sigmoid"),
            ],
            {"same": {"loss": "binary_crossentropy"}},
        )
        problem = only(report)
        assert problem["message"] == f"The inputs of {join} differ at axis 1: 6 from 'a', 3 from 'b'."
        assert (problem["layer"], problem["edge"]) == ("both", ["b", "both"])
        assert "before 'both'" in problem["fix"]
        assert report["layers"]["both"]["error"] == problem
        assert [report["layers"][id]["shape"] for id in ("both", "flat", "same")] == [None, None, None]  # what follows is unknown,
        assert report["layers"]["same"]["error"] is None  # and no error of its own
        assert report["layers"]["b"]["shape"] == [None, 3, 3, 8]


def test_mended_it_is_well() -> None:
    layers = [layer("left", "Input"), layer("right", "Input"), layer("both", "Concatenate", "left", "right"), layer("flat", "Flatten", "both")]
    report = checked([*layers, layer("digit", "Dense", "flat", units=10, activation="softmax")], {"digit": {"loss": "sparse_categorical_crossentropy"}})
    assert report["ok"]
    assert report["layers"]["both"]["shape"] == [None, 8, 8, 2]


def test_a_shared_layer_is_counted_once_and_takes_one_shape() -> None:
    def towers(*right: dict[str, Any]) -> Any:
        layers = [layer("left", "Input"), layer("right", "Input"), layer("flat", "Flatten", "left"), *right, layer("tower", "Dense", "flat", units=4)]
        layers += [{"id": "again", "shares": "tower", "inputs": [right[-1]["id"]]}, layer("both", "Subtract", "tower", "again")]
        return checked([*layers, layer("same", "Dense", "both", units=1, activation="sigmoid")], {"same": {"loss": "binary_crossentropy"}})

    report = towers({"id": "flat_too", "shares": "flat", "inputs": ["right"]})
    assert report["ok"]
    assert (report["parameters"], report["layers"]["again"]["parameters"], report["layers"]["again"]["shape"]) == (64 * 4 + 4 + 5, 0, [None, 4])
    problem = only(towers(layer("pooled", "GlobalMaxPooling2D", "right")))
    assert (problem["layer"], problem["edge"], problem["code"]) == ("again", ["pooled", "again"], "KR101")


def ending(*layers: dict[str, Any], target: str = "label", **output: Any) -> Any:
    """The report of a network of points with other last layers."""
    document = spiral()
    document["layers"][2:] = layers
    document["outputs"] = {target: {"loss": "sparse_categorical_crossentropy", **output}}
    targets = {**POINTS["targets"], "height": {"kind": "number", "classes": None, "shape": [1]}}
    targets["features"] = {"kind": "input", "classes": None, "shape": [2], "of": "features"}
    return check(validated(document), {**POINTS, "targets": targets})


def dense(units: int, activation: str | None = "softmax", id: str = "label") -> dict[str, Any]:
    return layer(id, "Dense", "dense", units=units, activation=activation)


# Last layers and an output; the layer, edge and field that the problem is on, and words of it.
ROWS: list[tuple[str, list[dict[str, Any]], dict[str, Any], tuple[str | None, list[str] | None, str | None], str]] = [
    ("pictures wanted", [layer("conv", "Conv2D", "dense", filters=2, kernel_size=3), layer("label", "Dense", "conv", units=2)], {},
     ("conv", ["dense", "conv"], None), "cannot take an input of 2 axes"),
    ("sequences wanted, by a layer inside", [layer("label", "Bidirectional", "dense", layer="GRU", units=1, merge_mode="sum")], {},
     ("label", ["dense", "label"], None), "'label' (Bidirectional) goes through sequences"),
    ("a shape of another size", [layer("grid", "Reshape", "dense", target_shape=[3, 2]), layer("label", "Flatten", "grid")], {},
     ("grid", ["dense", "grid"], "target_shape"), "8 elements"),
    ("axes that there are not", [layer("turned", "Permute", "dense", dims=[2, 1]), layer("label", "Flatten", "turned")], {},
     ("turned", ["dense", "turned"], None), "cannot take an input of 2 axes"),
    ("filters in groups", [layer("grid", "Reshape", "dense", target_shape=[4, 2]), layer("conv", "Conv1D", "grid", filters=3, kernel_size=2, groups=2),
                           layer("label", "Flatten", "conv")], {}, ("conv", None, "filters"), "divisible by groups"),
    ("three outputs for two classes", [dense(3)], {}, ("label", None, "units"), "gives 3 numbers for each sample; the target 'label' is 2 classes"),
    ("a picture for classes", [layer("label", "Reshape", "dense", target_shape=[4, 2])], {}, ("label", None, None), "gives 4 × 2 for each sample"),
    ("no probabilities", [dense(2, None)], {}, ("label", None, "activation"), "expects probabilities"),
    ("no probability", [dense(1, "relu")], {"loss": "binary_crossentropy"}, ("label", None, "activation"), "expects probabilities"),
    ("two units for one question", [dense(2, "sigmoid")], {"loss": "binary_crossentropy"}, ("label", None, "units"), "needs 1 number"),
    ("a distance of classes", [dense(2)], {"loss": "mse"}, ("label", None, "outputs.label.loss"), "is not for the target 'label', which is 2 classes"),
    ("classes of a number", [dense(1, None, "height")], {"target": "height"}, ("height", None, "outputs.height.loss"), "which is a number"),
    ("two numbers for one", [dense(2, None, "height")], {"target": "height", "loss": "mse"}, ("height", None, "units"), "needs 1 number"),
    ("three numbers of an input", [dense(3, None, "copy")], {"target": "features", "layer": "copy", "loss": "mse"}, ("copy", None, "units"), "2 numbers"),
    ("accuracy of a number", [dense(1, None, "height")], {"target": "height", "loss": "mse", "metrics": ["accuracy"]},
     ("height", None, "outputs.height.metrics"), "'accuracy' is not for the target 'height'"),
    ("precision of classes", [dense(2)], {"metrics": ["accuracy", "precision"]}, ("label", None, "outputs.label.metrics"), "one output for each"),
    ("no such layer", [dense(2, id="labels")], {}, (None, None, "outputs.label"), "No layer predicts 'label'"),
    ("no such target", [dense(2)], {"target": "labels", "layer": "label"}, (None, None, "outputs.labels"), "no target 'labels'"),
    ("the input itself", [dense(2)], {"layer": "features"}, ("features", None, "outputs.label"), "is what goes in"),
    ("nothing goes in", [layer("label", "Dense", units=2)], {}, ("label", None, "inputs"), "Nothing goes into 'label'"),
    ("two go in", [layer("label", "Dense", "dense", "features", units=2)], {}, ("label", ["features", "label"], "inputs"), "takes one input, and 2"),
    ("one to join", [layer("label", "Add", "dense")], {}, ("label", None, "inputs"), "joins several inputs"),
    ("three to subtract", [layer("label", "Subtract", "dense", "dense", "dense")], {}, ("label", ["dense", "label"], "inputs"), "takes 2 inputs"),
    ("a layer for nothing", [layer("idle", "ReLU", "dense"), dense(2)], {}, ("idle", None, None), "What 'idle' gives is not used"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_is_said_where_it_is(row: Any) -> None:
    _, layers, output, place, words = row
    problem = only(ending(*layers, **output))
    assert (problem["layer"], problem["edge"], problem["field"]) == place
    assert words in problem["message"]
    assert problem["fix"]


@pytest.mark.parametrize(
    ("layers", "output"),
    [
        ([dense(2)], {"metrics": ["accuracy", "sparse_top_k_categorical_accuracy"]}),
        ([dense(1, "sigmoid")], {"loss": "binary_crossentropy", "metrics": ["accuracy", "precision", "auc"]}),
        ([dense(2, None), layer("softmax", "Softmax", "label")], {"layer": "softmax"}),
        ([dense(1, None, "height")], {"target": "height", "loss": "huber", "metrics": ["r2_score", "mae"]}),
        ([dense(2, None, "copy")], {"target": "features", "layer": "copy", "loss": "mse"}),
        ([dense(1, "tanh")], {"loss": "hinge", "metrics": ["accuracy"]}),
    ],
)
def test_fits(layers: list[dict[str, Any]], output: dict[str, Any]) -> None:
    assert ending(*layers, **output)["problems"] == []


def test_ends_and_beginnings_that_are_missing() -> None:
    assert only(checked([layer("left", "Input"), layer("flat", "Flatten", "left")], {}))["message"].startswith("The network has no output")
    problem = only(checked([layer("middle", "Input"), layer("same", "Flatten", "middle")], {"same": {"loss": "binary_crossentropy"}}))
    assert (problem["layer"], problem["field"], problem["fix"]) == ("middle", "id", "call it 'left' or 'right'")
    nothing = checked([], {"same": {"loss": "binary_crossentropy"}})
    assert [problem["field"] for problem in nothing["problems"]] == ["layers", "outputs.same"]


def test_what_stops_training_must_be_measured() -> None:
    document = spiral()
    document["training"]["stop"] = {"monitor": "val_acc", "patience": 3}
    problem = only(check(validated(document), POINTS))
    assert (problem["field"], problem["fix"]) == ("training.stop.monitor", "Did you mean 'val_accuracy'?")
    for monitor in ("loss", "val_loss", "accuracy", "val_accuracy"):
        document["training"]["stop"]["monitor"] = monitor
        assert check(validated(document), POINTS)["ok"]


def test_options_of_the_optimizer_go_together() -> None:
    document = spiral()
    document["training"]["optimizer"] = {"type": "SGD", "options": {"clipnorm": 1.0, "clipvalue": 0.5}}
    problem = only(check(validated(document), POINTS))
    assert problem["layer"] is None
    assert problem["field"].startswith("training.optimizer")


def test_a_layer_inside_is_called_by_the_name_that_the_page_knows() -> None:
    layers = [layer("left", "Input"), layer("same", "Bidirectional", "left", layer="LSTM", units=4)]
    assert only(checked(layers, {"same": {"loss": "binary_crossentropy"}}))["message"].startswith("'same' (LSTM) cannot take an input of 4 axes")


def test_texts() -> None:
    def sorted_out(*layers: dict[str, Any]) -> Any:
        last = layer("same", "Dense", layers[-1]["id"] if layers else "text", units=1, activation="sigmoid")
        return checked([layer("text", "Input"), *layers, last], {"same": {"loss": "binary_crossentropy"}}, TEXTS)

    vectors = {"output_mode": "multi_hot", "max_tokens": 100}
    assert sorted_out(layer("words", "TextVectorization", "text", **vectors, pad_to_max_tokens=True))["parameters"] == 101
    assert only(sorted_out(layer("words", "TextVectorization", "text", **vectors)))["field"] == "pad_to_max_tokens"
    problem = only(sorted_out())
    assert (problem["edge"], problem["fix"]) == (["text", "same"], "put TextVectorization between 'text' and 'same'")
    places = layer("words", "TextVectorization", "text", output_sequence_length=6)
    assert only(sorted_out(places, layer("memory", "LSTM", "words", units=4)))["fix"].startswith("put Embedding between 'words' and 'memory'")
    rows = {"input_dim": 50, "output_dim": 4}
    for words in ({}, {"max_tokens": 51}, {"max_tokens": 50}):
        report = sorted_out({**places, "options": words}, layer("rows", "Embedding", "words", **rows), layer("mean", "GlobalAveragePooling1D", "rows"))
        assert report["ok"] == (words == {"max_tokens": 50})
        assert report["ok"] or (only(report)["edge"], only(report)["field"]) == (["words", "rows"], "input_dim")
    points = [layer("left", "Input"), layer("rows", "Embedding", "left", **rows), layer("same", "Flatten", "rows")]
    assert only(checked(points, {"same": {"loss": "binary_crossentropy"}}))["code"] == "KR205"
    numbers = [layer("left", "Input"), layer("words", "TextVectorization", "left"), layer("same", "Dense", "words", units=1, activation="sigmoid")]
    assert only(checked(numbers, {"same": {"loss": "binary_crossentropy"}}))["edge"] == ["left", "words"]


def game(made: int = 64, judged: int = 1, activation: str | None = None, extra: tuple[dict[str, Any], ...] = (), **training: Any) -> Any:
    """The report of a generator of pictures and a discriminator."""
    generator = [layer("noise", "Input", size=16), layer("made", "Dense", "noise", units=made), layer("fake", "Reshape", "made", target_shape=[-1, 8, 1])]
    judge = [layer("left", "Input"), layer("flat", "Flatten", "left"), *extra, layer("logit", "Dense", "flat", units=judged, activation=activation)]
    parts = [{**one, "part": "generator"} for one in generator] + [{**one, "part": "discriminator"} for one in judge]
    return checked(parts, {}, kind="adversarial", training=training)


def test_the_parts_of_an_adversarial_network() -> None:
    assert game()["ok"]
    assert only(game(made=32))["message"].startswith("The generator's 'fake' gives 4 × 8 × 1 for each sample; 'left', which it imitates, has 8 × 8 × 1")
    assert only(game(judged=2))["field"] == "units"
    assert only(game(activation="sigmoid"))["field"] == "activation"
    assert only(game(extra=(layer("idle", "ReLU", "flat"),)))["layer"] == "idle"
    alone = [{**layer("noise", "Input", size=16), "part": "generator"}, {**layer("fake", "Dense", "noise", units=4), "part": "generator"}]
    assert "discriminator must have one Input" in only(checked(alone, {}, kind="adversarial"))["message"]
    assert game(stop={"monitor": "generator", "patience": 2})["ok"]
    assert only(game(stop={"monitor": "val_loss", "patience": 2}))["field"] == "training.stop.monitor"


def test_more_numbers_than_a_sample_may_have() -> None:
    layers = [layer("left", "Input"), layer("large", "UpSampling2D", "left", size=64), layer("larger", "UpSampling2D", "large", size=64)]
    layers += [layer("pooled", "GlobalMaxPooling2D", "larger"), layer("same", "Dense", "pooled", units=1, activation="sigmoid")]
    report = checked(layers, {"same": {"loss": "binary_crossentropy"}})
    assert (only(report)["layer"], only(report)["field"]) == ("larger", "size")
    assert report["activations"] > (8 * 64 * 64) ** 2


def test_require() -> None:
    assert require(validated(spiral()), POINTS)["ok"]
    document = spiral()
    document["layers"][2]["options"]["units"] = 3
    with pytest.raises(DocumentError) as error:
        require(validated(document), POINTS)
    assert (error.value.layer, error.value.field, error.value.fix) == ("label", "units", "set units of 'label' to 2")


# ---- any network ----
TYPES = list(catalog.layer_entries())


def value_of(field: catalog.Field) -> Any:
    low, high = field["low"], field["high"]
    whole = st.integers(int(-5 if low is None else low), int(5 if high is None else high))
    kinds = {
        "boolean": st.booleans(), "choice": st.sampled_from(field["choices"] or [""]), "integer": whole, "integers": whole | st.lists(whole, min_size=1, max_size=4),
        "number": st.floats(-1e9 if low is None else low, 1e9 if high is None else high),
    }  # fmt: skip
    return kinds[field["kind"]] | (st.none() if field["optional"] else st.nothing())


@st.composite
def networks(draw: Any) -> dict[str, Any]:
    """Documents of up to six layers of any types with any options, connected anyhow."""
    specs = [layer("left", "Input"), layer("right", "Input")]
    for number in range(draw(st.integers(1, 6))):
        type = draw(st.sampled_from(TYPES))
        fields = catalog.layer_fields(type)
        options = {name: draw(value_of(field)) for name, field in fields.items() if not field["of"] and (field["required"] or draw(st.integers(0, 3)) == 0)}
        for name, field in fields.items():
            if options.get("layer") in (field["of"] or ()) and field["required"]:
                options[name] = draw(value_of(field))
        sources = draw(st.lists(st.sampled_from([spec["id"] for spec in specs]), max_size=3))
        specs.append(layer(f"layer_{number}", type, *sources, **options))
    target = draw(st.sampled_from([*PICTURES["targets"], "other"]))
    output = {
        "layer": specs[-1]["id"],
        "loss": draw(st.sampled_from([*catalog.loss_entries()])),
        "metrics": [draw(st.sampled_from([*catalog.metric_entries()]))],
    }
    return {"version": 1, "data": {"name": "pairs"}, "layers": specs, "outputs": {target: output}}


@given(networks())
@settings(max_examples=300, deadline=2000)
def test_any_network_has_a_report(value: dict[str, Any]) -> None:
    document = validated(value)
    report = check(document, PICTURES)
    assert json.loads(json.dumps(report)) == report
    assert report["layers"].keys() == {spec["id"] for spec in document["layers"]}
    assert report["ok"] == (not report["problems"])
    for problem in report["problems"]:
        assert 0 < len(problem["message"]) <= 400
        assert problem["layer"] is None or problem["layer"] in report["layers"]
        assert "cannot be built" not in problem["message"]  # which is what is said of exceptions that no rule foresees
    for spec in document["layers"]:
        unknown = [one for one in spec["inputs"] if report["layers"][one]["shape"] is None]
        assert not unknown or report["layers"][spec["id"]]["shape"] is None


@st.composite
def chains(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Documents of layers in a row, which begin as the page makes them; and the signature of their data."""
    specs = [layer("x", "Input")]
    for number in range(draw(st.integers(1, 4))):
        type = draw(st.sampled_from([type for type in TYPES if type != "TextVectorization"]))
        more = {name: draw(value_of(field)) for name, field in catalog.layer_fields(type).items() if field["kind"] in ("boolean", "choice") and not field["of"]}
        sources = [specs[-1]["id"]] * (2 if catalog.GROUP_OF[type] == "merging" else 1)
        specs.append(layer(f"layer_{number}", type, *sources, **starting_options(type, **more)))
    specs += [layer("flat", "Flatten", specs[-1]["id"]), layer("sum", "Dense", "flat", units=1)]
    document = {"version": 1, "data": {"name": "pairs"}, "layers": specs, "outputs": {"sum": {"loss": "mse"}}}
    shape = draw(st.sampled_from([[6], [8, 3], [8, 8, 2], [4, 6, 6, 2]]))
    return document, {"inputs": {"x": {"shape": shape, "dtype": "float32"}}, "targets": PICTURES["targets"]}


@given(chains())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_a_network_that_is_well_is_what_the_library_builds(value: tuple[dict[str, Any], dict[str, Any]]) -> None:
    document: Any = validated(value[0])
    signature = value[1]
    report = check(document, signature)
    assume(report["ok"])
    shape = signature["inputs"]["x"]["shape"]
    with backend_scope("numpy"):
        tensors = {"x": keras.Input(tuple(shape), name="x")}
        for spec in document["layers"][1:]:
            built = made(catalog.call_of(spec["type"], spec["options"]), name=spec["id"])
            tensors[spec["id"]] = built(*catalog.called_with(spec["type"], [tensors[one] for one in spec["inputs"]]))
        model = keras.Model(tensors["x"], list(tensors.values())[1:])
        with np.errstate(all="ignore"):  # layers that are drawn may make numbers beyond the floats
            results = model.predict(np.ones((2, *shape), "float32"), verbose=0)
    assert model.count_params() == report["parameters"]
    for spec, result in zip(document["layers"][1:], results, strict=True):
        assert report["layers"][spec["id"]]["shape"] == [None, *result.shape[1:]]
