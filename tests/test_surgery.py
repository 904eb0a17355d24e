"""Models taken apart: layers replaced, dropped and inserted; clones."""

from __future__ import annotations

import os

import numpy as np
import pytest

import keraunos
from keraunos import layers, models, ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

rng = np.random.default_rng(0)


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


def chain():
    return keraunos.Sequential([
        keraunos.Input((4,)), layers.Dense(8, activation="relu", name="body"), layers.BatchNormalization(name="norm"), layers.Dropout(0.5, name="drop"),
        layers.Dense(3, name="head"),
    ], name="chain")  # fmt: skip


def siamese(module=keraunos):
    """Two inputs, a shared layer that is called twice, an inner model, ops, two outputs."""
    a, b = module.Input((4,), name="a"), module.Input((4,), name="b")
    encoder = module.Sequential([module.Input((4,)), module.layers.Dense(4, name="inner"), module.layers.Dropout(0.2, name="drop")], name="encoder")
    shared = module.layers.Dense(5, name="shared")
    x, y = shared(encoder(a)), shared(b)
    total = module.layers.Add(name="sum")([x, y]) * 2.0
    return module.Model({"a": a, "b": b}, [module.layers.Dense(2, name="head")(total), x], name="siamese")


def alike(new, old, *names):
    """Whether layers have equal weights and are others."""
    for name in names:
        assert new.get_layer(name) is not old.get_layer(name)
        for x, y in zip(new.get_layer(name).get_weights(), old.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_replaced_layers_of_a_chain(backend):
    model = chain()
    before, config = model.predict(x := floats(6, 4), verbose=0), model.get_config()
    new = models.replace_layers(model, {"head": layers.Dense(10, name="head"), layers.Dropout: None}, name="new")
    assert isinstance(new, keraunos.Sequential) and new.name == "new" and new.output_shape == (None, 10)
    assert [layer.name for layer in new.layers] == ["body", "norm", "head"]
    alike(new, model, "body", "norm")
    assert new.predict(x, verbose=0).shape == (6, 10)
    assert model.get_config() == config
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)


def test_layers_behind_are_made_anew_where_they_do_not_fit():
    model = chain()
    new = models.replace_layers(model, {"body": layers.Dense(6, name="wide")})
    assert [tuple(w.shape for w in layer.weights) for layer in new.layers] == [((4, 6), (6,)), ((6,),) * 4, (), ((6, 3), (3,))]
    same = models.replace_layers(model, {"body": layers.Dense(8, activation="gelu")})
    alike(same, model, "norm", "head")


def test_inputs_of_another_shape():
    x = keraunos.Input((8, 8, 1), name="image")
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(3, 3, name="conv")(x))
    model = keraunos.Model(x, layers.Dense(2, name="head")(y))
    larger = models.replace_layers(model, {"image": keraunos.Input((16, 12, 1))})
    assert larger.input_shape == (None, 16, 12, 1)
    alike(larger, model, "conv", "head")
    coloured = models.replace_layers(model, {layers.InputLayer: lambda old: keraunos.Input((8, 8, 3), name=old.name)})
    assert coloured.get_layer("conv").kernel.shape == (3, 3, 3, 3)
    alike(coloured, model, "head")
    coloured = models.insert_layers(model, layers.Dropout(0.1), after="image")
    assert coloured.input_names == ["image"] and coloured.predict(floats(1, 8, 8, 1), verbose=0).shape == (1, 2)


def test_shared_layers_and_inner_models(backend):
    model = siamese()
    x = {"a": floats(6, 4), "b": floats(6, 4)}
    before = model.predict(x, verbose=0)
    new = models.replace_layers(model, {"encoder/drop": None, "head": layers.Dense(7)})
    assert sorted(new._inputs_structure) == ["a", "b"] and [len(new.get_layer("encoder").layers), len(model.get_layer("encoder").layers)] == [1, 2]
    out = new.predict(x, verbose=0)
    assert out[0].shape == (6, 7)
    np.testing.assert_allclose(out[1], before[1], rtol=1e-6)
    alike(new, model, "shared", "encoder")
    assert len(new.get_layer("shared").nodes) == 2 and len(model.get_layer("shared").nodes) == 2
    grown = models.insert_layers(model, layers.Activation("tanh", name="squash"), after="shared")
    np.testing.assert_allclose(grown.predict(x, verbose=0)[1], np.tanh(before[1]), rtol=1e-5, atol=1e-6)
    assert len(grown.get_layer("squash").nodes) == 2
    for key, value in zip(new.get_config(), models.Functional.from_config(new.get_config()).get_config(), strict=True):
        assert key == value


def test_every_dropout_goes_those_of_inner_models_too():
    new = models.replace_layers(siamese(), {lambda layer: isinstance(layer, layers.Dropout): None})
    assert not [layer for layer in new._flatten_layers() if isinstance(layer, layers.Dropout)]


def test_inserted_layers(backend):
    model, x = chain(), floats(6, 4)
    double = models.insert_layers(model, layers.Rescaling(2.0), before="head")
    bias = model.get_layer("head").bias.numpy()
    np.testing.assert_allclose(double.predict(x, verbose=0) - bias, 2 * (model.predict(x, verbose=0) - bias), rtol=1e-4, atol=1e-5)
    each = models.insert_layers(model, lambda layer: layers.LayerNormalization(name=f"{layer.name}_norm"), after=["body", "head"])
    assert [layer.name for layer in each.layers] == ["body", "body_norm", "norm", "drop", "head", "head_norm"]


def test_shared_weights(backend):
    model = chain()
    new = models.replace_layers(model, {"head": layers.Dense(5)}, share=True)
    assert new.get_layer("body") is model.get_layer("body")
    new.compile("sgd", "mse")
    before = model.get_layer("body").get_weights()[0]
    if backend.name != "numpy":
        new.fit(floats(8, 4), floats(8, 5), verbose=0)
        assert np.abs(model.get_layer("body").get_weights()[0] - before).max() > 0


def test_models_that_are_edited_train_and_are_saved(tmp_path):
    new = models.replace_layers(siamese(), {"head": layers.Dense(3), "encoder/inner": lambda old: layers.Dense(old.units, "relu")})
    x = {"a": floats(6, 4), "b": floats(6, 4)}
    new.compile("adam", "mse")
    new.fit(x, [floats(6, 3), floats(6, 5)], verbose=0)
    new.save(tmp_path / "new.keras")
    again = keraunos.saving.load_model(tmp_path / "new.keras")
    for one, other in zip(again.predict(x, verbose=0), new.predict(x, verbose=0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_names_that_are_taken_get_a_number():
    model = keraunos.Sequential([keraunos.Input((2,)), layers.Dense(2, name="dense"), layers.Dense(2, name="dense_1")])
    new = models.insert_layers(model, layers.Dense(3, name="dense"), after="dense_1")
    assert [layer.name for layer in new.layers] == ["dense", "dense_1", "dense_2"]


def test_sequential_models_that_are_not_built():
    new = models.replace_layers(keraunos.Sequential([layers.Dense(4, name="a"), layers.Dropout(0.5)]), {layers.Dropout: None})
    assert not new.built and [layer.name for layer in new.layers] == ["a"]
    new.build((None, 3))
    wide = models.replace_layers(new, {"a": layers.Dense(5)})
    assert wide.built and wide.output_shape == (None, 5)


class Halving(layers.Layer):
    def call(self, x):
        return ops.split(x, 2, axis=-1)


def two_ways():
    x = keraunos.Input((4,), name="x")
    left, right = Halving(name="halves")(x)
    return keraunos.Model(x, layers.Add(name="sum")([left, right]))


MISTAKES = {
    "name": (lambda: models.replace_layers(chain(), {"haed": None}), ArgumentError, "'haed'.*Did you mean 'head'"),
    "class": (lambda: models.replace_layers(chain(), {layers.Conv2D: None}), ArgumentError, "no layer"),
    "key": (lambda: models.replace_layers(chain(), {3: None}), ArgumentTypeError, "names no layer.*int"),
    "value": (lambda: models.replace_layers(chain(), {"head": "tanh"}), ArgumentTypeError, "no layer to put where 'head' is.*str"),
    "made": (lambda: models.replace_layers(chain(), {"head": lambda old: old.units}), ArgumentTypeError, "'head'"),
    "several inputs": (lambda: models.replace_layers(two_ways(), {"sum": None}), ArgumentError, "'sum' cannot be dropped.*2 tensors"),
    "several outputs": (lambda: models.insert_layers(two_ways(), layers.ReLU(), after="halves"), ArgumentError, "outputs of 'halves'"),
    "before several": (lambda: models.insert_layers(two_ways(), layers.ReLU(), before="sum"), ArgumentError, "first argument of 'sum'"),
    "input": (lambda: models.replace_layers(two_ways(), {"x": None}), ArgumentError, r"input 'x'.*keras.Input"),
    "no place": (lambda: models.insert_layers(chain(), layers.ReLU()), ArgumentError, "after others or before others"),
    "two places": (lambda: models.insert_layers(chain(), layers.ReLU(), after="head", before="body"), ArgumentError, "name one"),
    "no graph": (lambda: models.replace_layers(layers.Dense(3), {"a": None}), ArgumentTypeError, "Dense.*keras.Model"),
    "clone of a layer": (lambda: models.clone_model(layers.Dense(3)), ArgumentTypeError, "Only a model"),
    "clone_function": (lambda: models.clone_model(chain(), clone_function=lambda layer: None), ArgumentTypeError, "returned no layer for 'body'"),
    "no function": (lambda: models.clone_model(chain(), clone_function=3), ArgumentTypeError, "clone_function must be a function"),
    "input_tensors": (lambda: models.clone_model(siamese(), input_tensors=keraunos.Input((4,))), ArgumentError, "2 of what"),
    "input arrays": (lambda: models.clone_model(chain(), input_tensors=floats(2, 4)), ArgumentError, "ndarray"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(mistake):
    make, error, words = MISTAKES[mistake]
    with pytest.raises(error, match=f"(?s){words}"):
        make()


class Named(keraunos.Model):
    """A class of models without an `__init__` of its own."""


@pytest.mark.parametrize("recursive", [False, True])
def test_clones_are_made_of_the_layers_that_keras_asks_for(recursive):
    met = {}
    for module in (keras, keraunos):
        seen = met[module] = []

        def copy(layer, seen=seen):
            if "Layer" in {cls.__name__ for cls in type(layer).__mro__}:
                seen.append(layer.name)
            return type(layer).from_config(layer.get_config())

        model = siamese(module)
        clone = module.models.clone_model(model, clone_function=copy, recursive=recursive)
        assert [layer.name for layer in clone.layers if "input" not in layer.name] == [layer.name for layer in model.layers if "input" not in layer.name]
        assert clone.name == "siamese" and clone.count_params() == model.count_params()
    assert met[keras] == met[keraunos]


def test_calls_of_clones():
    calls = []

    def call(layer, *args, **kwargs):
        calls.append(getattr(layer, "name", None) or layer.__name__)
        return layer(*args, **kwargs)

    models.clone_model(siamese(), call_function=call)
    assert sorted(calls) == ["encoder", "head", "multiply", "shared", "shared", "sum"]


def test_clones_keep_class_structure_and_compilation():
    model = siamese()
    named = Named(model.inputs, model.outputs)
    assert type(models.clone_model(named)) is Named
    assert not models.clone_model(model).compiled
    for one in (model, chain()):
        one.compile("adam", "mse")
        clone = models.clone_model(one)
        assert clone.compiled and type(clone.optimizer) is type(one.optimizer) and clone.optimizer is not one.optimizer
    assert sorted(models.clone_model(model, input_tensors={"a": keraunos.Input((4,)), "b": keraunos.Input((4,))}).input) == ["a", "b"]
