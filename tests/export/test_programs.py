"""Models as SavedModels, for LiteRT and as StableHLO: run by their own runtimes, they give what `predict` does."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, StateError
from keraunos.export import FORMATS as FORMATS_OF_FILES
from keraunos.export import ExportArchive, export_model
from tests.export import models

tf = pytest.importorskip("tensorflow")
Run = Callable[[Any], list[Any]]
SPEC = [keraunos.InputSpec(shape=(None, 3), dtype="float32")]


# ---- the runtimes: a function of a batch for what was written ----
def by_tensorflow(path: pathlib.Path) -> Run:
    loaded = tf.saved_model.load(str(path))
    return lambda x: [y.numpy() for y in tree.flatten(loaded.serve(x))]


def by_litert(path: pathlib.Path) -> Run:
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    runner = interpreter.Interpreter(model_path=str(path), num_threads=1).get_signature_runner("serving_default")
    (first, *_) = runner.get_input_details()

    def run(x: Any) -> list[Any]:
        out = runner(**(x if isinstance(x, dict) else {first: x}))
        return [out[name] for name in sorted(out)]

    return run


def by_jax(path: pathlib.Path) -> Run:
    export = pytest.importorskip("jax.export")
    exported = export.deserialize(bytearray(path.read_bytes()))
    return lambda x: [np.asarray(y) for y in tree.flatten(exported.call(x))]


FORMATS: dict[str, tuple[str, Callable[[pathlib.Path], Run]]] = {
    "tf_saved_model": ("model", by_tensorflow), "litert": ("model.tflite", by_litert), "stablehlo": ("model.stablehlo", by_jax),
}  # fmt: skip
# What cannot be, and what the refusal says.
IMPOSSIBLE = dict.fromkeys([("litert", "text"), ("stablehlo", "text")], "runs on the host, before any engine: the .* format has no form of it")


@models.EVERY
@pytest.mark.parametrize("format", FORMATS)
def test_formats(format: str, name: str, tmp_path: pathlib.Path) -> None:
    engine, (file, runtime), part = models.engine_of(format, name), FORMATS[format], None
    model = models.trained(name, engine)
    if (format, name) in IMPOSSIBLE:
        with pytest.raises(BackendError, match=IMPOSSIBLE[format, name]):
            model.export(tmp_path / file, format)
        assert not list(tmp_path.iterdir())
        part, model = "tokens", model.get_layer("tokens")  # the rest, from numbers on
    before = model.get_weights()
    model.export(tmp_path / file, format)
    run = runtime(tmp_path / file)
    for x, wanted in models.predictions(name, engine, part):
        for got, want in zip(run(x), wanted, strict=True):
            np.testing.assert_allclose(got, want, 1e-4, 1e-4)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def agrees(model: Any, run: Run, batches: list[Any]) -> bool:
    for x in batches:
        for got, want in zip(run(x), tree.flatten(model.predict(x, verbose=0)), strict=True):
            np.testing.assert_allclose(got, want, 1e-4, 1e-4)
    return True


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.filterwarnings("ignore:The mask of its input ends here")
def test_sequences_of_any_length(format: str, tmp_path: pathlib.Path) -> None:
    inputs, (file, runtime), random = keraunos.Input((None, 2), name="x"), FORMATS[format], np.random.default_rng(0)
    x = layers.GRU(2, return_sequences=True, go_backwards=True, activity_regularizer="l2")(layers.Masking()(inputs))
    model = keraunos.Model(inputs, [layers.Conv1D(3, 3, padding="same")(x), layers.GlobalMaxPooling1D()(x)])
    model.export(tmp_path / file, format)
    assert agrees(model, runtime(tmp_path / file), [random.normal(size=(n, t, 2)).astype("f") for n, t in ((1, 5), (3, 2))])


class Weighed(keraunos.Model):
    """A model with two arguments, and an output of its own name."""

    def call(self, values: Any, weights: Any) -> Any:
        return {"sum": ops.sum(values * weights, -1)}


class Foreign(keraunos.Model):
    """A model with a function that is no op."""

    def call(self, x: Any) -> Any:
        return np.tanh(np.asarray(x))


@pytest.mark.parametrize("format", FORMATS)
def test_models_of_their_own(format: str, tmp_path: pathlib.Path) -> None:
    (file, _), ones = FORMATS[format], np.ones((2, 3), "float32")
    model = Weighed()
    model(ones, ones)
    with pytest.raises(StateError, match=r"inputs of 'weighed.*' are not known"):
        model.export(tmp_path / file, format)
    model.export(tmp_path / file, format, input_signature=[SPEC[0], keraunos.InputSpec(shape=(None, 3), name="w")])
    if format == "tf_saved_model":
        found = tf.saved_model.load(str(tmp_path / file)).signatures["serving_default"](values=ones, w=2 * ones)
        np.testing.assert_allclose(found["sum"], [6, 6])
    foreign = Foreign()
    with keraunos.backend_scope("numpy"):
        foreign = Foreign()
        foreign(ones)
    with pytest.raises(BackendError, match=r"no function of keraunos\.ops|no value"):
        foreign.export(tmp_path / f"other{file}", format)
    with pytest.raises(ArgumentTypeError, match=f"The {format} format has no option 'opset_version'"):
        model.export(tmp_path / file, format, input_signature=SPEC * 2, opset_version=3)


@pytest.mark.parametrize("format", ["tf_saved_model", "litert", "stablehlo", "torch", "onnx", "openvino"])
def test_memory(format: str, tmp_path: pathlib.Path) -> None:
    """What one call keeps for the next is kept, or refused."""
    inputs, x = keraunos.Input(batch_shape=(2, 4, 3), name="x"), np.ones((2, 4, 3), "float32")
    model, path = keraunos.Model(inputs, layers.SimpleRNN(2, stateful=True)(inputs)), tmp_path / f"model{FORMATS_OF_FILES[format].ending}"
    if format not in ("tf_saved_model", "litert"):
        with pytest.raises(BackendError, match="from one call to the next(.|\n)*tf_saved_model"):
            model.export(path, format)
        return
    model.export(path, format)
    run = FORMATS[format][1](path)
    assert agrees(model, run, [x, x])


# ---- StableHLO ----
def test_stablehlo(tmp_path: pathlib.Path) -> None:
    jax = pytest.importorskip("jax")
    path, (a, b) = tmp_path / "m.stablehlo", (keraunos.Input((None, 3), name=name) for name in "ab")
    model = keraunos.Model({"a": a, "b": b}, {"sum": layers.Add()([a, b]), "last": layers.LSTM(2)(b)})
    model.export(path, "stablehlo", platforms=["cpu", "rocm"])  # one length for both, since they are added
    exported = jax.export.deserialize(bytearray(path.read_bytes()))
    assert exported.platforms == ("cpu", "rocm")
    assert [str(x) for x in exported.in_avals] == ["float32[batch,dim_1,3]"] * 2
    with pytest.raises(ArgumentError, match="platforms of StableHLO"):
        model.export(path, "stablehlo", platforms="gpu")
    with pytest.raises(ArgumentError, match="platforms of StableHLO"):
        model.export(path, "stablehlo", platforms=3)
    script = "import sys, jax; f = jax.export.deserialize(bytearray(open(sys.argv[1], 'rb').read())); x = jax.numpy.ones((2, 5, 3))\n"
    script += "print(f.call({'a': x, 'b': x})['last'].shape, 'keraunos' in sys.modules)"
    command = [sys.executable, "-c", f"import jax.export\n{script}", str(path)]
    assert "(2, 2) False" in subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    class ByBatch(keraunos.Model):
        def call(self, x: Any) -> Any:
            return x * 2 if x.shape[0] > 3 else x

    model = ByBatch()
    with keraunos.backend_scope("jax"):
        model(np.ones((2, 3), "f"))
    with pytest.raises(BackendError, match=r"sizes that are not known(.|\n)*'batch' > '3' is inconclusive"):
        model.export(path, "stablehlo")
    model.export(path, "stablehlo", input_signature=[keraunos.InputSpec(shape=(1, 3))])


# ---- LiteRT ----
def test_litert(tmp_path: pathlib.Path) -> None:
    path, inputs = tmp_path / "m.tflite", keraunos.Input((3, 3), name="x")
    with pytest.raises(BackendError, match=r"LiteRT has no form(.|\n)*tf\.Svd"):
        keraunos.Model(inputs, ops.linalg.svd(inputs)[1]).export(path, "litert")
    assert not path.exists()
    model = keraunos.Sequential([keraunos.Input((32,), name="x"), layers.Dense(64)])
    sizes = []
    for optimizations in ([], [tf.lite.Optimize.DEFAULT]):  # weights of 8 bits
        model.export(path, "litert", optimizations=optimizations)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0] / 2
    x = np.ones((2, 32), "float32")
    np.testing.assert_allclose(by_litert(path)(x)[0], model.predict(x, verbose=0), 0.05, 0.05)


# ---- SavedModels ----
def test_layers_of_saved_models(tmp_path: pathlib.Path) -> None:
    """Ours and Keras's `TFSMLayer` take what was written; it replaces what was there, unless that is something else."""
    model, x = keraunos.Sequential([keraunos.Input((3,)), layers.Dense(2)]), np.ones((4, 3), "float32")
    for _ in range(2):
        model.export(tmp_path / "m", verbose=False)
    with keraunos.backend_scope("tensorflow"):
        np.testing.assert_allclose(layers.TFSMLayer(tmp_path / "m")(x), model.predict(x, verbose=0), 1e-5)
    script = (
        "import sys, keras; print(keras.layers.TFSMLayer(sys.argv[1], call_endpoint='serving_default')(keras.ops.ones((4, 3)))['output_0'][0].numpy().tolist())"
    )
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "PATH": ""}
    found = subprocess.run([sys.executable, "-c", script, str(tmp_path / "m")], capture_output=True, text=True, check=True, env=environment)
    np.testing.assert_allclose([float(v) for v in re.findall(r"-?\d+\.\d+", found.stdout)], model.predict(x, verbose=0)[0], 1e-5)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("kept")
    with pytest.raises(ArgumentError, match="is no SavedModel"):
        model.export(tmp_path / "other")
    with pytest.raises(ArgumentError, match="a folder of this machine"):
        model.export("s3://bucket/model")
    with pytest.raises(ArgumentTypeError, match="named by a string or a path"):
        model.export(3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m", "other"]
    assert (tmp_path / "other" / "mine.txt").read_text() == "kept"


TEXTS = np.array(["the cat, sat", "A dog  on\tthe MAT!", "", "cat cat cat dog mat"])


class Server:
    """An object of the user's that holds a model."""

    def __init__(self, model: Any):
        self.models = {"first": model}

    def serve(self, x: Any) -> Any:
        return self.models["first"](x)

    __call__ = serve


VECTORIZATIONS: list[dict[str, Any]] = [
    {}, {"output_sequence_length": 3}, {"standardize": None}, {"standardize": "lower", "split": "character"}, {"ngrams": 2},
    {"standardize": "strip_punctuation", "ngrams": (2, 3), "output_mode": "count"}, {"output_mode": "multi_hot", "max_tokens": 9, "pad_to_max_tokens": True},
    {"output_mode": "tf_idf", "max_tokens": 12, "pad_to_max_tokens": True},
]  # fmt: skip
LOOKUPS: list[tuple[Any, Any]] = [
    (layers.StringLookup(vocabulary=["the", "cat"], num_oov_indices=3), np.array([["the", "dog"], ["mat", "cat"]])),
    (layers.StringLookup(vocabulary=["the", "cat"], mask_token="", output_mode="count"), np.array([["the", ""], ["mat", "cat"]])),
    (layers.StringLookup(vocabulary=["the", "cat"], output_mode="one_hot"), np.array([["the"], ["mat"]])),
    (layers.IntegerLookup(vocabulary=[5, 7], num_oov_indices=2, output_mode="multi_hot"), np.array([[7, 3], [4, 5]])),
    (layers.Hashing(5, mask_value=""), np.array([["the", ""], ["mat", "cat"]])),
    (layers.Hashing(5, salt=[3, 4], output_mode="count"), np.array([["the", ""], ["mat", "cat"]])),
]


def test_text_in_saved_models() -> None:
    """Layers of the host as TensorFlow's ops, without a file for each."""
    pairs = []
    for options in VECTORIZATIONS:
        layer = layers.TextVectorization(**options)
        layer.adapt(TEXTS)
        pairs.append((layer, TEXTS))
    for layer, x in [*pairs, *LOOKUPS]:
        inputs = keraunos.Input(x.shape[1:], dtype="string" if x.dtype.kind == "U" else "int64")
        model, archive = keraunos.Model(inputs, layer(inputs)), ExportArchive()
        archive.track(model)
        spec = [tf.TensorSpec([None, *x.shape[1:]], tf.string if x.dtype.kind == "U" else tf.int64)]
        got, want = archive.add_endpoint("serve", model.call, spec)(x).numpy(), ops.convert_to_numpy(model(x))
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, 1e-6, err_msg=repr(layer.get_config()))
    inverse = layers.StringLookup(vocabulary=["the", "cat"], invert=True)
    served = ExportArchive().add_endpoint("serve", inverse.call, [tf.TensorSpec([None], tf.int64)])
    assert [text.decode() for text in served(np.array([2, 1, 0, 9])).numpy()] == inverse(np.array([2, 1, 0, 9])).tolist()
    for layer in (layers.TextVectorization(standardize=np.strings.lower, vocabulary=["a"]), layers.HashedCrossing(3)):
        with pytest.raises(BackendError, match="of its own for standardize=|no form in a graph of TensorFlow"):
            ExportArchive().add_endpoint("serve", layer.__call__, [tf.TensorSpec([None], tf.string)])


# ---- ExportArchive ----
SCALE = keraunos.Variable(2.0)


def scaled(x: Any) -> Any:
    """What another function names."""
    return x * SCALE


@pytest.mark.parametrize("backend", models.TRAINING, indirect=True)
def test_archive(backend: Any, tmp_path: pathlib.Path) -> None:
    """Endpoints of methods and closures, with variables as they are when it is written; what draws numbers goes on."""
    model = keraunos.Sequential([keraunos.Input((3,)), layers.BatchNormalization(), layers.Dropout(0.5, seed=1), layers.Dense(2)])
    model.compile("sgd", "mse")
    held = model, {"label": 3}
    archive, x = ExportArchive(), np.arange(12, dtype="float32").reshape(4, 3)
    archive.track(model)
    server = Server(model)
    archive.add_endpoint("serve", server.serve, SPEC)
    archive.add_endpoint("called", server, SPEC)
    archive.add_endpoint("closed", lambda x: server(x), SPEC)
    archive.add_endpoint("train", lambda x: model(x, training=True), SPEC)
    returned = archive.add_endpoint("scaled", lambda x, of=held: {"y": scaled(of[0](x))}, SPEC)
    archive.add_endpoint("combined", tf.function(lambda x: returned(x)["y"] + 1.0, input_signature=[tf.TensorSpec((None, 3))]))
    archive.add_variable_collection("optimizer_variables", model.optimizer.variables)
    model.fit(x, np.zeros((4, 2), "float32"), epochs=2, verbose=0)  # the artifact has the weights of later
    archive.write_out(str(tmp_path / "a"), verbose=False)
    assert archive.endpoints == ["serve", "called", "closed", "train", "scaled", "combined"]
    loaded, want = tf.saved_model.load(str(tmp_path / "a")), model.predict(x, verbose=0)
    for endpoint in (loaded.serve, loaded.called, loaded.closed):
        np.testing.assert_allclose(endpoint(x), want, 1e-5)
    np.testing.assert_allclose(loaded.scaled(x)["y"], 2 * want, 1e-5)
    np.testing.assert_allclose(loaded.combined(x), 2 * want + 1, 1e-5)
    assert (loaded.train(x).numpy() != loaded.train(x).numpy()).any()
    assert set(loaded.signatures) == {"serve", "called", "closed", "train", "scaled", "combined", "serving_default"}
    assert int(loaded.optimizer_variables[0]) == 2
    assert len(loaded.trainable_variables) == len(model.trainable_weights) + 1  # and what the function names
    assert model._backend is backend


def test_what_archives_refuse(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, archive = keraunos.Sequential([keraunos.Input((3,)), layers.Dense(2)]), ExportArchive()
    cases: list[tuple[Any, Any, str]] = [
        (StateError, lambda: archive.write_out(tmp_path / "a"), "no endpoints"),
        (ArgumentTypeError, lambda: archive.track(3), "trackable objects"),
        (StateError, lambda: archive.track(layers.Dense(2)), "not built"),
        (ArgumentError, lambda: archive.add_endpoint("serve", model.call), "arguments of a function are not known"),
        (ArgumentError, lambda: archive.add_endpoint("variables", model.call, SPEC), "can be called 'variables'"),
        (ArgumentError, lambda: archive.add_endpoint("name", model.call, SPEC), "can be called 'name'"),
        (ArgumentError, lambda: archive.add_endpoint("serve", lambda a, b: a, SPEC), r"does not fit 'serve'(.|\n)*argument: 'b'"),
        (ArgumentTypeError, lambda: archive.add_endpoint("serve", model.call, SPEC[0]), "signature is a list"),
        (ArgumentTypeError, lambda: archive.add_endpoint("serve", model.call, SPEC, is_static=True), "no option 'is_static'"),
        (ArgumentTypeError, lambda: archive.add_variable_collection("v", [3]), "has variables"),
    ]
    for kind, act, words in cases:
        with pytest.raises(kind, match=words):
            act()
    assert not list(tmp_path.iterdir())
    archive.track_and_add_endpoint("serve", model, SPEC)
    with pytest.raises(ArgumentError, match="can be called 'serve'"):
        archive.add_endpoint("serve", model.call, SPEC)
    with pytest.raises(ArgumentTypeError, match="no options of a SavedModel"):
        archive.write_out(tmp_path / "a", options=3)
    archive.write_out(tmp_path / "a")
    assert "serve: " in capsys.readouterr().out
    archive.add_endpoint("untraced", tf.function(lambda x: x))
    with pytest.raises(ArgumentError, match="never called"):
        archive.write_out(tmp_path / "a")
    layer, inputs = layers.Dense(2), keraunos.Input((3,), name="a b")
    y = layer(inputs)
    keraunos.Model([inputs], [y, {"b": y, "a": [y, y]}]).export(tmp_path / "named")
    found = tf.saved_model.load(str(tmp_path / "named"))
    assert set(found.signatures["serve"].structured_input_signature[1]) == {"a_b"}
    assert set(found.signatures["serve"].structured_outputs) == {f"output_{i}" for i in range(4)}
    assert set(found.serve([np.ones((2, 3), "f")])[1]) == {"a", "b"}
    export_model(layer, tmp_path / "layer")
    assert tf.saved_model.load(str(tmp_path / "layer")).serve(np.ones((2, 3), "f")).shape == (2, 2)
