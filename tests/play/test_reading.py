"""Models made in Python become documents: all that can be shown, with the weights; and the rest is named."""

from __future__ import annotations

import json
import pathlib
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.core.errors import ArgumentTypeError, KeraunosError, ModelFileError, StateError
from keraunos.play import catalog, checking, code, data, reading
from keraunos.play.document import Document, DocumentError
from keraunos.play.uploads import Uploads

from .networks import ALL

SUPERVISED = [name for name, document in ALL.items() if document["kind"] == "supervised"]
CHANGED = {  # options that differ from the defaults, by the type of the layer
    "Conv2D": {
        "filters": 4,
        "kernel_size": [3, 2],
        "strides": 2,
        "padding": "same",
        "activation": "relu",
        "use_bias": False,
        "kernel_initializer": "he_normal",
    },
    "Dense": {"units": 3, "activation": "tanh", "kernel_regularizer": "l2", "trainable": False},
    "LSTM": {"units": 4, "return_sequences": True, "dropout": 0.25, "go_backwards": True},
    "Bidirectional": {"layer": "GRU", "units": 3, "return_sequences": True, "merge_mode": "ave"},
    "TimeDistributed": {"layer": "Dense", "units": 3, "activation": "relu"},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3, "dropout": 0.5, "use_bias": False},
    "MaxPooling2D": {"pool_size": [2, 1], "strides": 1},
    "ZeroPadding2D": {"padding": [1, 2]},
    "Cropping2D": {"cropping": [1, 0]},
    "ZeroPadding1D": {"padding": [2, 1]},
    "Permute": {"dims": [2, 1]},
    "Reshape": {"target_shape": [2, 4]},
    "BatchNormalization": {"momentum": 0.9, "epsilon": 0.01},
    "GroupNormalization": {"groups": 2},
    "Concatenate": {"axis": 1},
    "Rescaling": {"scale": 0.5, "offset": -1.0},
    "TextVectorization": {"max_tokens": 50, "output_sequence_length": 5, "standardize": "lower", "ngrams": 2},
}
SHAPES: list[tuple[int, ...]] = [(8,), (8, 4), (8, 8, 4), (3, 8, 8, 4)]  # of which the first that a layer takes is used


def started(kind: str) -> dict[str, Any]:
    """The options that a new layer of a kind has on the page."""
    fields = catalog.layer_entries()[kind]["fields"]
    inner = next((field["start"] for field in fields if field["name"] == "layer"), None)
    return {field["name"]: field["start"] for field in fields if field["required"] and (not field["of"] or inner in field["of"])}


def model_of(kind: str, options: dict[str, Any]) -> Any:
    """A model of one layer."""
    count = 2 if catalog.layer_entries()[kind]["inputs"] == "several" else 1
    text = kind == "TextVectorization"
    for shape in [()] if text else SHAPES:
        layer = checking.made(catalog.call_of(kind, options), name="it")
        inputs = [keras.Input(shape, dtype="string" if text else "float32", name=f"in_{number}") for number in range(count)]
        try:
            return keras.Model(inputs, layer(*catalog.called_with(kind, inputs)))
        except (ValueError, TypeError, IndexError):
            continue
    raise AssertionError(f"no shape is one for {kind}")


def about_layers(notes: list[reading.Note]) -> list[str]:
    return [note["message"] for note in notes if note["layer"]]


# ---- layers ----
@pytest.mark.parametrize(("kind", "options"), [*((kind, started(kind)) for kind in catalog.layer_entries() if kind != "GroupNormalization"), *CHANGED.items()])
def test_each_layer_comes_back(kind: str, options: dict[str, Any]) -> None:
    with keras.backend_scope("numpy"):
        document, notes = reading.read(model_of(kind, options), {"name": "spiral"})
    assert document["layers"][-1].get("options") == options and not about_layers(notes)


def drawn(document: Document) -> dict[str, Any]:
    """What each target is computed by, whatever the layers are called; sizes are lists."""
    specs = {spec["id"]: spec for spec in document["layers"]}

    def to(key: str) -> Any:
        spec = specs[key]
        owner = specs[spec.get("shares", key)]
        sizes = ("kernel_size", "pool_size", "strides")
        options = {name: [value] * 2 if name in sizes and isinstance(value, int) else value for name, value in owner.get("options", {}).items()}
        return owner.get("type"), "shares" in spec, options, [to(source) for source in spec["inputs"]]

    return {target: to(output.get("layer", target)) for target, output in document["outputs"].items()}


@pytest.mark.parametrize("name", SUPERVISED)
def test_networks_come_back(name: str) -> None:
    document = ALL[name]
    program: dict[str, Any] = {"__name__": "program"}
    exec(compile(code.program(document), "program.py", "exec"), program)
    with keras.backend_scope("numpy"):
        found, notes = reading.read(program["build_model"](), document["data"])
        again: dict[str, Any] = {"__name__": "program"}
        exec(compile(code.program(found), "program.py", "exec"), again)
        one, other = (functions["build_model"]() for functions in (program, again))
    assert not notes and found["data"] == document["data"]
    assert {key: (end["loss"], end["metrics"]) for key, end in found["outputs"].items()} == {
        key: (end["loss"], end["metrics"]) for key, end in document["outputs"].items()
    }
    assert found["training"]["optimizer"] == document["training"]["optimizer"]
    assert drawn(found) == drawn(document)
    assert [w.shape for w in one.weights] == [w.shape for w in other.weights] and one.output_shape == other.output_shape


# ---- models of others ----
def test_data_that_fits_is_found() -> None:
    dense = layers.Dense
    cases = [((2,), dense(2, "softmax"), "spiral"), ((4,), dense(3, "softmax"), "iris"), ((2,), dense(1), "spiral")]
    for shape, last, name in cases:
        document, notes = reading.read(keras.Sequential([keras.Input(shape), last]))
        assert document["data"]["name"] == name and not notes
        assert document["layers"][0]["id"] in data.signature(document["data"])["inputs"]


def test_numbers_in_another_shape_are_brought_into_it(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((64,)), layers.Dense(16, "relu", name="hidden"), layers.Dense(10, "softmax", name="label")])
    document, notes = reading.read(model, uploads=(uploads := Uploads(tmp_path)))
    assert [(spec["id"], spec.get("options")) for spec in document["layers"][:2]] == [("image", {}), ("reshape", {"target_shape": [64]})]
    assert document["data"]["name"] == "digits" and "(8, 8, 1)" in notes[0]["message"]
    x = data.load(document["data"]).x_test
    with keras.backend_scope("numpy"):
        new = built(document, uploads, tmp_path, monkeypatch)["build_model"]()
    np.testing.assert_allclose(new.predict(x, verbose=0), keras.ops.convert_to_numpy(model(x.reshape(-1, 64))), rtol=1e-4, atol=1e-6)


def test_a_model_that_no_data_fits_is_shown_all_the_same() -> None:
    model = keras.Model(
        [a := keras.Input((7, 7), name="Bild 1"), b := keras.Input((3,), name="bild_1")], layers.Concatenate(name="both")([layers.Flatten(name="flat")(a), b])
    )
    document, notes = reading.read(model)
    assert [spec["id"] for spec in document["layers"]] == ["bild_1", "bild_1_2", "flat", "both"]
    assert "(7, 7), (3,)" in notes[0]["message"] and document["outputs"]["both"]["loss"] == "mean_squared_error"


def test_inner_models_are_put_in_their_place_and_shared_where_they_are_called_twice() -> None:
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(name="flat"), layers.Dense(4, "relu", name="code")], name="tower")
    left, right = keras.Input((8, 8, 1), name="left"), keras.Input((8, 8, 1), name="right")
    both = layers.Concatenate(name="both")([inner(left), inner(right)])
    model = keras.Model([left, right], {"same": layers.Dense(2, "softmax", name="same")(both), "sum": layers.Dense(1, name="sum")(both)})
    document, notes = reading.read(model)
    assert not notes and document["data"]["name"] == "pairs" and list(document["outputs"]) == ["same", "sum"]
    assert [(spec["id"], spec.get("shares"), spec["inputs"]) for spec in document["layers"]] == [
        ("left", None, []),
        ("right", None, []),
        ("flat", None, ["left"]),
        ("code", None, ["flat"]),
        ("flat_2", "flat", ["right"]),
        ("code_2", "code", ["flat_2"]),
        ("both", None, ["code", "code_2"]),
        ("same", None, ["both"]),
        ("sum", None, ["both"]),
    ]
    assert checking.check(document, data.signature(document["data"]))["ok"]


def test_sums_and_activations_of_tensors_are_layers() -> None:
    x = keras.Input((2,))
    hidden = keras.activations.relu(layers.Dense(2, name="hidden")(x))
    document, notes = reading.read(keras.Model(x, layers.Dense(2, "softmax", name="end")(x + hidden)))
    assert not notes and [(spec.get("type"), spec["inputs"]) for spec in document["layers"][2:4]] == [("Activation", ["hidden"]), ("Add", ["features", "relu"])]


def test_attention_called_by_names_takes_what_they_say() -> None:
    x = keras.Input((32, 1))
    value, key, query = (layers.Dense(4, name=name)(x) for name in ("v", "k", "q"))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(key=key, value=value, query=query, use_causal_mask=True)
    document, notes = reading.read(keras.Model(x, layers.Dense(3, "softmax", name="label")(layers.GlobalAveragePooling1D()(attended))))
    assert next(spec for spec in document["layers"] if spec["id"] == "attention")["inputs"] == ["q", "v", "k"]
    assert ["use_causal_mask" in note["message"] for note in notes] == [True]


def test_a_frozen_model_within_a_model_stays_frozen() -> None:
    inner = keras.Sequential([keras.Input((2,)), layers.Dense(4, name="one"), layers.Dropout(0.5), layers.BatchNormalization(name="norm")])
    inner.trainable = False
    x = keras.Input((2,))
    document, notes = reading.read(keras.Model(x, layers.Dense(2, "softmax", name="label")(inner(x))))
    frozen = {spec["id"] for spec in document["layers"] if spec.get("options", {}).get("trainable") is False}
    assert frozen == {"one", "norm"} and not notes


class Different(keras.Sequential):
    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return 2 * super().call(inputs)


class Own(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: layers.Lambda(lambda x: x, name="odd"), "runs code"),
        (lambda: Own(name="odd"), "Own is a class of your own"),
        (lambda: layers.Identity(name="odd"), "Identity is not among the layers"),
        (lambda: layers.TimeDistributed(layers.Dropout(0.5), name="odd"), "TimeDistributed of Dropout"),
        (lambda: keras.ops.square, "operation 'square'"),
    ],
)
def test_layers_that_cannot_be_shown_are_named(layer: Any, reason: str, tmp_path: pathlib.Path) -> None:
    x = keras.Input((2, 3))
    after = layers.Dense(2, name="after")(layer()(x))
    document, notes = reading.read(keras.Model(x, layers.Dense(1, name="end")(layers.Flatten(name="flatten")(after))), uploads=Uploads(tmp_path))
    assert [spec["id"] for spec in document["layers"]][1:] == ["after", "flatten", "end"]
    assert document["layers"][1]["inputs"] == [document["layers"][0]["id"]]
    assert any(reason in note["message"] and note["layer"] for note in notes) and "weights" not in document
    assert any("weights are not taken over" in note["message"] for note in notes)


def test_settings_that_cannot_be_shown_are_named() -> None:
    odd = layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(stddev=3.0), kernel_regularizer=keras.regularizers.L2(0.5), name="odd")
    document, notes = reading.read(keras.Sequential([keras.Input((2,)), odd]))
    assert document["layers"][-1].get("options") == {"units": 2}
    assert [note["message"].split(" is ")[0] for note in notes] == ["The kernel_initializer of 'odd'", "The kernel_regularizer of 'odd'"]


def test_what_the_model_is_compiled_with_is_taken_over() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, name="end")])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), loss, metrics=["acc", keras.metrics.SparseTopKCategoricalAccuracy(k=1)])
    document, notes = reading.read(model)
    assert document["training"]["optimizer"] == {"type": "SGD", "options": {"learning_rate": 0.3, "momentum": 0.9}}
    assert document["outputs"]["label"] == {
        "loss": "sparse_categorical_crossentropy",
        "metrics": ["accuracy", "sparse_top_k_categorical_accuracy"],
        "layer": "end",
    }
    assert document["layers"][-1].get("options") == {"units": 2, "activation": "softmax"} and "learns the same" in notes[0]["message"]
    assert checking.check(document, data.signature(document["data"]))["ok"]


def test_losses_and_optimizers_of_ones_own_are_named() -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2, "softmax", name="end")])
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)), lambda y, p: p, metrics=[lambda y, p: p])
    document, notes = reading.read(model)
    assert document["outputs"]["label"]["loss"] == "sparse_categorical_crossentropy"
    told = " ".join(note["message"] for note in notes)
    assert all(words in told for words in ("in place of a function of your own", "The metric of your own", "learning_rate of the optimizer"))


@pytest.mark.parametrize(
    ("make", "error", "fact"),
    [
        (lambda: keras.Sequential([layers.Dense(2)]), StateError, "not built"),
        (lambda: type("Own", (keras.Model,), {"call": lambda self, x: x})(), ArgumentTypeError, "Only a Sequential or functional model"),
        (lambda: Different([keras.Input((2,)), layers.Dense(2)]), ArgumentTypeError, "Only a Sequential or functional model"),
        (lambda: 3, ArgumentTypeError, "Only a Sequential or functional model"),
    ],
)
def test_what_is_no_graph_is_refused(make: Any, error: type[Exception], fact: str) -> None:
    with pytest.raises(error, match=fact):
        reading.document_of(make())


# ---- files ----
def built(document: Document, uploads: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The functions of a document's program, in the folder of the uploads."""
    monkeypatch.chdir(uploads.folder)
    found: dict[str, Any] = {"__name__": "program"}
    exec(compile(code.program(document, uploads), "program.py", "exec"), found)
    return found


def test_a_file_keeps_its_weights(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = keras.Sequential([keras.Input((4,)), layers.Normalization(name="scale"), layers.Dense(5, "relu", name="Hidden 1")], name="inner")
    x = keras.Input((4,))
    model = keras.Model(x, layers.Dense(3, "softmax", name="end")(layers.BatchNormalization(name="norm")(inner(x))))
    rows = data.load({"name": "iris"}).x_train
    with keras.backend_scope("jax"):
        inner.get_layer("scale").adapt(rows)
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(rows, data.load({"name": "iris"}).y_train, epochs=1, verbose=0)
    model.save(tmp_path / "mine.keras")
    document, notes = reading.opened(tmp_path / "mine.keras", uploads := Uploads(tmp_path / "uploads"))
    assert not notes and document["data"]["name"] == "iris" and [spec["id"] for spec in document["layers"]][1:] == ["scale", "hidden_1", "norm", "end"]
    program = built(document, uploads, tmp_path, monkeypatch)
    with keras.backend_scope("jax"):
        new = program["build_model"]()
        np.testing.assert_allclose(new.predict(rows, verbose=0), model.predict(rows, verbose=0), rtol=1e-5)
        before = new.get_layer("scale").get_weights()[0]
        program["train"](new, program["load_data"]())
        np.testing.assert_array_equal(new.get_layer("scale").get_weights()[0], before)
    assert ".adapt(" not in code.program(document, uploads)


def test_layers_that_are_changed_begin_anew_and_the_others_do_not(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Dense(4, name="one"), layers.Dense(4, name="two"), layers.Dense(2, "softmax", name="label")])
    document, _ = reading.read(model, uploads=(uploads := Uploads(tmp_path)))
    document["layers"][2]["options"] = {"units": 6}
    with keras.backend_scope("numpy"):
        new = built(document, uploads, tmp_path, monkeypatch)["build_model"]()
    np.testing.assert_array_equal(new.get_layer("one").get_weights()[0], model.get_layer("one").get_weights()[0])
    assert new.get_layer("two").get_weights()[0].shape == (4, 6)


def test_words_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = layers.TextVectorization(50, output_sequence_length=6, name="words")
    words.adapt(["so it is", "it is so", "what is it"])
    chain = [keras.Input((), dtype="string"), words, layers.Embedding(50, 4), layers.GlobalAveragePooling1D(), layers.Dense(2, "softmax", name="label")]
    model = keras.Sequential(chain)
    model.save(tmp_path / "mine.keras")
    document, notes = reading.opened(tmp_path / "mine.keras", uploads := Uploads(tmp_path / "uploads"))
    program = built(document, uploads, tmp_path, monkeypatch)
    with keras.backend_scope("jax"):
        new = program["build_model"]()
        texts = np.array(["it is what", "so so"])
        np.testing.assert_allclose(new.predict(texts, verbose=0), model.predict(texts, verbose=0), rtol=1e-5)
        program["train"](new, program["load_data"]())
    assert not notes and new.get_layer("words").get_vocabulary() == words.get_vocabulary()


def test_weights_that_are_not_there_are_told(tmp_path: pathlib.Path) -> None:
    document = {**ALL["spiral"], "weights": "u0123456789ab"}
    for uploads in (None, Uploads(tmp_path)):
        with pytest.raises(ValueError, match="not here|not on this machine"):
            code.program(document, uploads)


def test_the_text_of_a_model_opens_and_that_of_a_document_too(tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(8, "relu", name="hidden"), layers.Dense(3, "softmax", name="label")])
    (tmp_path / "model.json").write_text(model.to_json())
    (tmp_path / "document.json").write_text(json.dumps(ALL["shared"]))
    document, notes = reading.opened(tmp_path / "model.json")
    assert [spec["id"] for spec in document["layers"]] == ["features", "hidden", "label"] and not notes
    assert reading.opened(tmp_path / "document.json") == (ALL["shared"], [])


def test_a_huge_model_of_a_small_file_takes_no_memory(tmp_path: pathlib.Path) -> None:
    config = keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(8), layers.Dense(2)]).to_json()
    (tmp_path / "model.json").write_text(config.replace('"units": 8', '"units": 1000000'))
    tracemalloc.start()
    with pytest.raises(KeraunosError):
        reading.opened(tmp_path / "model.json")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_a_model_of_thousands_of_layers_is_refused_before_it_is_made(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [{"class_name": "InputLayer", "config": {"batch_shape": [None, 2]}}, *[{"class_name": "Dense", "config": {"units": 2}}] * 4000]
    text = json.dumps({"class_name": "Sequential", "config": {"layers": chain}})
    (tmp_path / "model.json").write_text(text)
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        for name, content in (("metadata.json", '{"keras_version": "3.9.0"}'), ("config.json", text), ("model.weights.h5", "")):
            archive.writestr(name, content)
    monkeypatch.setattr(reading, "_described", lambda config: pytest.fail("it was made"))
    monkeypatch.setattr(keras.saving, "load_model", lambda path: pytest.fail("it was made"))
    for name in ("model.json", "model.keras"):
        with pytest.raises(DocumentError, match="4,002 layers and parts of layers; the playground takes at most 60"):
            reading.opened(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff\xfe", b"{", b'{"version": 1}', b'{"class_name": 3}', b'{"class_name": "Sequential", "config": 3}', b"[" * 100_000, b"PK\x03\x04"],
)
def test_other_files_are_refused(content: bytes, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file.keras").write_bytes(content)
    with pytest.raises(KeraunosError):
        reading.opened(tmp_path / "file.keras")


def test_files_that_would_run_code_are_refused(tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x), layers.Dense(2)])
    with pytest.warns(UserWarning, match="lambda"):
        model.save(tmp_path / "mine.keras")
    with pytest.raises(ModelFileError, match="would run code") as refused:
        reading.opened(tmp_path / "mine.keras")
    assert "safe_mode" not in str(refused.value) and "keraunos.playground(model)" in refused.value.fix


def test_a_file_with_a_layer_of_ones_own_says_how_it_is_shown(tmp_path: pathlib.Path) -> None:
    class Mine(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    keras.Sequential([keras.Input((2,)), Mine(), layers.Dense(2)]).save(tmp_path / "mine.keras")
    with pytest.raises(ModelFileError, match="'Mine' is not known") as refused:
        reading.opened(tmp_path / "mine.keras")
    assert "custom_objects" not in str(refused.value) and "keraunos.playground(model)" in refused.value.fix
