"""Low-rank adaptation: of layers as in Keras, of whole models, in files, on every engine."""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, lora
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, StateError
from keraunos.core.functional import value_and_grad
from tests.conftest import BACKENDS, BFLOAT, TRAINING
from tests.layers.row import Row, arrays, at_once, close, flat, in_keras, through_json

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

ROWS = [
    Row("Dense", (2, 5, 4), units=3, activation="tanh"),
    Row("Dense", (2, 4), units=3, kernel_regularizer="l2", use_bias=False),
    Row("EinsumDense", (2, 5, 4), equation="abc,cde->abde", output_shape=(None, 3, 2), bias_axes="de"),
    Row("Embedding", (2, 5), integers=7, input_dim=7, output_dim=3),
    Row("ReversibleEmbedding", (2, 5), integers=7, input_dim=7, output_dim=3),
    Row("ReversibleEmbedding", (2, 5, 3), input_dim=7, output_dim=3, call={"reverse": True}),
    Row("Conv1D", (2, 7, 4), filters=6, kernel_size=3, padding="causal"),
    Row("Conv2D", (2, 6, 5, 4), filters=6, kernel_size=(3, 2), groups=2),
    Row("Conv3D", (1, 4, 4, 4, 2), filters=3, kernel_size=2, data_format="channels_first"),
]
EVERY = pytest.mark.parametrize("row", ROWS, ids=repr)
x, y = np.random.default_rng(0).normal(size=(32, 6)).astype("float32"), np.random.default_rng(1).normal(size=(32, 1)).astype("float32")


def adapted(row: Row, module: Any = keraunos) -> Any:
    """A layer of the row that is built and adapted, with weights that differ from each other."""
    layer = row.make(module.layers)
    row.used_on(layer, row.symbols(module, row.shapes[0][0]))
    layer.enable_lora(2, lora_alpha=3)
    layer.set_weights(row.weights(layer))
    return layer


def used(row: Row, layer: Any) -> list[Any]:
    """What a layer of ours gives on the engine in force."""
    return flat(at_once(keraunos.config.backend(), lambda: row.used(layer), layer.variables))


def network(**arguments: Any) -> Any:
    """A model with layers inside an inner model."""
    inner = keraunos.Sequential([keraunos.Input((6,)), layers.Dense(8, "tanh", name="query"), layers.Dense(8, name="value")], name="encoder")
    return keraunos.Sequential([keraunos.Input((6,)), inner, layers.BatchNormalization(), layers.Dense(1, name="head")], **arguments)


def names(variables: Any) -> list[str]:
    return [v.path for v in variables]


@EVERY
def test_adapted_layers_are_those_of_keras(row: Row) -> None:
    theirs = adapted(row, keras)
    expected, losses = in_keras(lambda: [keras.tree.flatten(row.used(theirs)), theirs.losses], theirs.variables)
    layer = row.built()
    weights = layer.get_weights()
    before = used(row, layer)
    layer.enable_lora(rank=2)
    close(used(row, layer), before)
    close(layer.get_weights()[: len(weights)], weights, 0)
    for engine in BACKENDS:
        with backend_scope(engine):
            layer = adapted(row)
            assert [(v.name, v.shape, v.trainable) for v in layer.weights] == [(v.name, v.shape, v.trainable) for v in theirs.weights]
            assert layer.count_params() == theirs.count_params()
            (symbol,) = keraunos.tree.flatten(row.used_on(layer, row.symbols()))
            assert symbol.shape[1:] == expected[0].shape[1:]
            assert (layer.lora_rank, layer.lora_alpha, layer.lora_enabled) == (theirs.lora_rank, theirs.lora_alpha, theirs.lora_enabled)
            theirs_config, config = theirs.get_config(), layer.get_config()
            assert {k: v for k, v in config.items() if "lora" in k} == {k: v for k, v in theirs_config.items() if "lora" in k} != {}
            again = type(layer).from_config(through_json(config))
            row.used_on(again, row.symbols(batch=row.shapes[0][0]))
            again.set_weights(layer.get_weights())

            def computed(layer: Any = layer, again: Any = again) -> list[Any]:
                outputs = [row.used(layer), row.used(layer, training=True), row.used(again)]
                return [*(keraunos.tree.flatten(y) for y in outputs), layer.losses]

            *outputs, found = arrays(at_once(engine, computed, layer.variables + again.variables))
            close(outputs, [expected] * 3)
            close(found, losses)


@EVERY
@pytest.mark.skipif(not TRAINING, reason="no engine that differentiates is tested")
def test_gradients_are_those_of_the_product(row: Row) -> None:
    found = []
    for engine in TRAINING:
        with backend_scope(engine):
            layer = adapted(row)
            variables = layer.trainable_variables
            assert [v.name for v in variables][-2:] == [f"lora_{layer.adapted}_a", f"lora_{layer.adapted}_b"]
            step = value_and_grad(lambda layer=layer: keraunos.ops.sum(keraunos.ops.sin(row.used(layer))), variables)
            found.append(arrays(at_once(engine, step, layer.variables)[1]))
    with backend_scope(TRAINING[0]):  # those by the kernel itself, in a layer that has the sum as its kernel
        plain, base = row.built(), getattr(layer, layer.adapted)
        plain.set_weights([base.numpy() if v.name == layer.adapted else w for v, w in zip(plain.weights, layer.get_weights(), strict=False)])
        kernel = getattr(plain, plain.adapted)
        step = value_and_grad(lambda: keraunos.ops.sum(keraunos.ops.sin(row.used(plain))), [kernel])
        (whole,) = arrays(at_once(TRAINING[0], step, plain.variables)[1])
    a, b = layer.get_weights()[-2:]
    expected = [1.5 * whole @ b.T, 1.5 * a.reshape(-1, 2).T @ whole.reshape(-1, whole.shape[-1])]
    for gradients in found:
        close(gradients[-2:], expected, 1e-4)


@EVERY
def test_merging_changes_no_output(row: Row, backend: Any) -> None:
    layer = adapted(row)
    before = used(row, layer)
    layer.merge_lora()
    close(used(row, layer), before)
    assert [(v.name, v.trainable) for v in layer.weights] == [(v.name, v.trainable) for v in row.built().weights]
    assert not layer.lora_enabled and not any("lora" in name for name in layer.get_config())
    assert not any("lora" in name for name in vars(layer) if vars(layer)[name] is not None)
    layer.enable_lora(1)
    close(used(row, layer), before)


@EVERY
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")  # in Keras
def test_files_of_adapted_models(row: Row, tmp_path: Any) -> None:
    def model_of(module: Any, adapt: bool = True) -> Any:
        inputs = row.symbols(module)
        model = module.Model(inputs, row.used_on(row.make(module.layers), inputs))
        if adapt:
            layer = model.layers[-1]
            layer.enable_lora(2)
            layer.set_weights(row.weights(layer))
        return model

    def outputs(*models: Any) -> list[Any]:
        return [keraunos.tree.flatten(model(row.arrays())) for model in models]

    theirs = model_of(keras)
    (expected,) = in_keras(lambda: outputs(theirs), theirs.variables)
    theirs.save(tmp_path / "theirs.keras")
    with backend_scope("numpy"):
        loaded = keraunos.saving.load_model(tmp_path / "theirs.keras")
        close(arrays(outputs(loaded)), [expected])
    assert loaded.layers[-1].lora_rank == 2 and any(np.abs(v).max() > 0 for v in loaded.get_weights()[-2:-1])  # it can be trained on

    for engine in BACKENDS:
        with backend_scope(engine):
            model = model_of(keraunos)
            model.save(tmp_path / "ours.keras")
            model.save_weights(tmp_path / "ours.weights.h5")
            again, plain, other = keraunos.saving.load_model(tmp_path / "ours.keras"), model_of(keraunos, adapt=False), model_of(keraunos, adapt=False)
            other.layers[-1].enable_lora(3)
            plain.load_weights(tmp_path / "ours.weights.h5")
            other.load_weights(tmp_path / "ours.weights.h5")
            models = [model, again, plain, other]
            variables = [v for m in models for v in m.variables]
            expected, *found = arrays(at_once(engine, lambda models=models: outputs(*models), variables))
            close(found, [expected] * 3)
            close(again.get_weights(), model.get_weights())
            assert np.abs(other.get_weights()[-1]).max() == 0
            plain.save_weights(tmp_path / "plain.weights.h5")
            again.load_weights(tmp_path / "plain.weights.h5")
            close(arrays(at_once(engine, lambda again=again: outputs(again), again.variables)), [expected])
            assert np.abs(again.get_weights()[-1]).max() == 0
    last = keras.saving.load_model(tmp_path / "ours.keras")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    close(in_keras(lambda: outputs(last, theirs), last.variables + theirs.variables), [expected] * 2)


def test_a_model_is_trained_by_its_products_alone(tmp_path: Any) -> None:
    courses = []
    for engine in TRAINING:
        with backend_scope(engine):
            keraunos.utils.set_random_seed(3)
            model = network()
            model.compile("adam", "mse")
            model.fit(x, y, epochs=1, verbose=0, batch_size=8)
            model.predict(x, verbose=0)
            found = lora.enable(model, rank=2, targets="*query*|val*", train="head", lora_alpha=8)
            assert names(found) == ["encoder/query", "encoder/value"]
            trained = [f"encoder/{layer}/{name}" for layer in ("query", "value") for name in ("bias", "lora_kernel_a", "lora_kernel_b")]
            assert names(model.trainable_weights) == [*trained, f"{model.name}/head/kernel", f"{model.name}/head/bias"]
            kept = [v.numpy() for v in model.non_trainable_weights]
            with pytest.raises(StateError, match="create a new one"):
                model.fit(x, y, verbose=0)
            model.compile(keraunos.optimizers.Adam(0.01), "mse")
            former = model.predict(x, verbose=0)
            courses.append(model.fit(x, y, epochs=3, verbose=0, batch_size=8, shuffle=False).history["loss"])
            close([v.numpy() for v in model.non_trainable_weights], kept, 0)
            after = model.predict(x, verbose=0)
            assert np.abs(after - former).max() > 1e-2
            close(after, flat(model(x))[0])
            # It goes on from a file as it would without.
            model.save(tmp_path / "model.keras")
            again = keraunos.saving.load_model(tmp_path / "model.keras")
            assert names(again.trainable_weights) == names(model.trainable_weights)
            options: dict[str, Any] = {"epochs": 2, "verbose": 0, "batch_size": 8, "shuffle": False}
            close(again.fit(x, y, **options).history["loss"], model.fit(x, y, **options).history["loss"], 1e-4)
            after = model.predict(x, verbose=0)
            assert names(lora.merge(model)) == ["encoder/query", "encoder/value"]
            close(model.predict(x, verbose=0), after, 1e-4)
            model.trainable = True
            assert len(model.trainable_weights) == 8
    for course in courses:
        assert course[-1] < course[0]
        close(course, courses[0], 1e-3)


@pytest.mark.parametrize("engine", BACKENDS)
def test_copies_and_other_engines(engine: str) -> None:
    with backend_scope("numpy"):
        model = network()
        lora.enable(model, 2)
        model.set_weights([np.random.default_rng(i).normal(size=v.shape) ** 2 for i, v in enumerate(model.weights)])
        expected = model.predict(x, verbose=0)
    moved = model.to_backend(engine)
    close(moved.predict(x, verbose=0), expected, 1e-4)
    with backend_scope(engine):
        copied = copy.deepcopy(moved)
        lora.merge(copied)
        assert copied.count_params() < moved.count_params() == model.count_params()
        close(copied.predict(x, verbose=0), expected, 1e-4)
        close(moved.predict(x, verbose=0), expected, 1e-4)
        clone = keraunos.models.clone_model(moved)
        assert names(clone.weights) == names(moved.weights)
    assert moved.layers[-1].kernel.numpy().shape == (8, 1)  # read while another engine is in force


@pytest.mark.parametrize("engine", BFLOAT)
def test_mixed_and_lower_precision(engine: str) -> None:
    with backend_scope(engine):
        for dtype, base in (("mixed_bfloat16", "float32"), ("bfloat16", "bfloat16")):
            layer = layers.Dense(3, dtype=dtype, lora_rank=2, lora_alpha=4)
            layer.build((None, 4))
            assert [v.dtype for v in layer.weights] == [base, base, "float32", "float32"]
            layer.lora_kernel_b.assign(np.ones((2, 3)))
            out = layer(np.ones((2, 4), "float32"))
            assert keraunos.backend.standardize_dtype(out.dtype) == "bfloat16"
            close(np.asarray(keraunos.ops.convert_to_numpy(out), "float32"), np.ones((2, 4)) @ np.asarray(layer.kernel, "float32"), 0.1)
    with backend_scope(engine):
        layer = layers.Dense(3, dtype="float64", lora_rank=2)
        layer.build((None, 4))
        assert {v.dtype for v in layer.weights} == {"float64"}


def test_freezing_and_thawing_the_layer() -> None:
    layer = layers.Dense(3, lora_rank=2)
    layer.build((None, 4))
    layer.trainable = False
    assert not any(v.trainable for v in layer.weights)
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    frozen = layers.Dense(3, trainable=False)
    frozen.build((None, 4))
    frozen.enable_lora(2)
    frozen.merge_lora()
    assert not frozen.trainable_weights


def test_the_weight_in_its_place(backend: Any) -> None:
    layer = layers.Dense(3, use_bias=False, lora_rank=2)
    layer.build((None, 4))
    layer.lora_kernel_b.assign(np.ones((2, 3)))
    assert layer.kernel.shape == (4, 3) and layer.kernel.trainable and isinstance(layer.kernel, keraunos.Variable)
    layer.kernel.assign(np.full((4, 3), 2.0))
    close(layer.kernel.numpy(), np.full((4, 3), 2.0), 0)
    close(layer.lora_kernel_b.numpy(), np.zeros((2, 3)), 0)
    layer.kernel.assign_add(np.ones((4, 3)))
    close(np.asarray(layer.kernel), np.full((4, 3), 3.0), 0)
    with pytest.raises(StateError, match="follows from others"):
        value_and_grad(lambda: keraunos.ops.sum(layer.kernel), [layer.kernel])()


def test_attention_is_adapted_by_its_projections() -> None:
    inputs = keraunos.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    model = keraunos.Model(inputs, layers.Dense(1, name="head")(attended))
    assert not hasattr(model.get_layer("attention"), "enable_lora")
    adapted = lora.enable(model, 2, targets="attention/query|attention/value", train="head")
    assert [v.name for v in model.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"] * 2 + ["kernel", "bias"]
    assert [layer.name for layer in adapted] == ["query", "value"]
    z = np.random.default_rng(0).normal(size=(4, 5, 8)).astype("float32")
    before = flat(model(z))
    adapted[0].lora_kernel_b.assign(np.ones((2, 4)))
    assert np.abs(flat(model(z))[0] - before[0]).max() > 1e-4


def test_onnx_export(tmp_path: Any) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    model = network()
    lora.enable(model, 2, b_initializer="ones")
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    close(found, model.predict(x, verbose=0), 1e-4)


def test_a_subclass_with_its_own_init() -> None:
    class Wide(layers.Dense):
        def __init__(self, units: int, **kwargs: Any):
            super().__init__(2 * units, **kwargs)

    layer = Wide(3, lora_rank=2)
    layer.build((None, 4))
    assert layer.lora_enabled
    again = Wide.from_config(layer.get_config())
    again.build((None, 4))
    assert names(again.weights) == names(layer.weights)
    late = Wide(3)
    late.build((None, 4))
    late.enable_lora(2)
    Wide.from_config(late.get_config())


def built(**arguments: Any) -> Any:
    layer = layers.Dense(3, name="d", **arguments)
    layer.build((None, 4))
    return layer


ERRORS: dict[str, tuple[Any, type, str]] = {
    "not built": (lambda: layers.Dense(3).enable_lora(2), StateError, "no weights yet"),
    "twice": (lambda: built(lora_rank=2).enable_lora(2), StateError, "merge_lora"),
    "rank of 0": (lambda: built().enable_lora(0), ArgumentError, "positive integer"),
    "no rank": (lambda: built().enable_lora(None), ArgumentError, "positive integer"),
    "half a rank": (lambda: built().enable_lora(1.5), ArgumentError, "positive integer"),
    "rank in words": (lambda: layers.Dense(3, lora_rank="2"), ArgumentTypeError, "positive integer"),
    "of a convolution": (lambda: layers.Conv2D(3, 3, lora_rank=-1), ArgumentError, "positive integer"),
    "constraint": (lambda: built(kernel_constraint="non_neg").enable_lora(2), ArgumentError, "leave kernel_constraint out"),
    "constraint of embeddings": (lambda: layers.Embedding(3, 2, embeddings_constraint="non_neg", lora_rank=1).build(), ArgumentError, "embeddings_constraint"),
    "merge nothing": (lambda: built().merge_lora(), StateError, "not adapted"),
    "merge a model": (lambda: lora.merge(network()), StateError, "No layer is adapted"),
    "misspelt": (lambda: lora.enable(network(), 2, targets="*qeury*"), ArgumentError, "Did you mean 'query'"),
    "misspelt head": (lambda: lora.enable(network(), 2, train="haed"), ArgumentError, "Did you mean 'head'"),
    "no kernel": (lambda: lora.enable(network(name="m"), 2, targets="batch*"), ArgumentError, "BatchNormalization"),
    "model not built": (lambda: lora.enable(keraunos.Sequential([layers.Dense(2)]), 2), StateError, "built"),
    "no model": (lambda: lora.enable(built(), 2), ArgumentError, "layer.enable_lora"),
    "model, rank": (lambda: lora.enable(network(), 0), ArgumentError, "positive integer"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    make, error, text = ERRORS[case]
    with pytest.raises(error, match=text):
        make()


def test_an_error_changes_nothing() -> None:
    model = network()
    model.layers[-1].enable_lora(1)
    before = names(model.trainable_weights)
    with pytest.raises(StateError, match="adapted already"):
        lora.enable(model, 2)
    assert names(model.trainable_weights) == before


def test_what_is_adapted_within_a_layer_is_found_again_in_files(tmp_path):
    x = keraunos.Input((3, 4))
    model = keraunos.Model(x, keraunos.layers.MultiHeadAttention(2, 2, name="mha")(x, x))
    keraunos.lora.enable(model, rank=1, targets="*query*|*output*", lora_alpha=3)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape) * 0.1)
    model.save(tmp_path / "m.keras")
    loaded = keraunos.models.load_model(tmp_path / "m.keras")
    assert [v.path for v in loaded.trainable_variables] == [v.path for v in model.trainable_variables]
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    data = np.ones((1, 3, 4), "float32")
    np.testing.assert_allclose(keraunos.ops.convert_to_numpy(loaded(data)), keraunos.ops.convert_to_numpy(model(data)), atol=1e-6)
