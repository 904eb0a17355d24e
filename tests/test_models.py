"""Layers and models on every engine: shapes, sharing, nesting, configs, conversion."""

from __future__ import annotations

import copy as copying
import pickle

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, models, ops
from tests.conftest import BACKENDS

rng = np.random.default_rng(0)


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"]


@pytest.mark.parametrize("kind", MERGES)
def test_merging(backend, kind):
    a, b = floats(2, 3), floats(2, 3)
    reference = {
        "Add": a + b, "Subtract": a - b, "Multiply": a * b, "Average": (a + b) / 2, "Maximum": np.maximum(a, b), "Minimum": np.minimum(a, b),
        "Concatenate": np.concatenate([a, b], -1),
    }[kind]  # fmt: skip
    np.testing.assert_allclose(ops.convert_to_numpy(getattr(layers, kind)()([a, b])), reference, rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(getattr(layers, kind.lower())([a, b])), reference, rtol=1e-6)


def test_dot(backend):
    a, b = floats(2, 4, 3), floats(2, 5, 3)
    np.testing.assert_allclose(ops.convert_to_numpy(layers.Dot(axes=2)([a, b])), np.einsum("bij,bkj->bik", a, b), rtol=1e-5, atol=1e-6)
    unit = [v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (a[:, 0], b[:, 0])]
    np.testing.assert_allclose(ops.convert_to_numpy(layers.Dot(1, normalize=True)([a[:, 0], b[:, 0]])), (unit[0] * unit[1]).sum(-1, keepdims=True), rtol=1e-4)


def test_batch_normalization_moves_its_averages(backend):
    layer, x = layers.BatchNormalization(momentum=0.5), floats(64, 3) * 2 + 1
    y = ops.convert_to_numpy(layer(x, training=True))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(layer.moving_mean.numpy(), 0.5 * x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance.numpy(), 0.5 + 0.5 * x.var(0), rtol=1e-4)


def test_dropout_scales_and_repeats(backend):
    x = np.ones((100, 100), "float32")
    a, b = (ops.convert_to_numpy(layers.Dropout(0.25, seed=3)(x, training=True)) for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert set(np.unique(a).round(4)) == {0.0, np.float32(1 / 0.75).round(4)}
    assert abs(a.mean() - 1) < 0.03


def two_towers():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    tower = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="tanh")], name="tower")
    return keras.Model([a, b], {"sum": tower(a) + tower(b), "shifted": tower(a) * 2.0 + 1}), tower


def test_shared_and_nested_models(backend):
    model, tower = two_towers()
    x = [floats(5, 4), floats(5, 4)]
    out = model.predict(x, verbose=0)
    first, second = (tower.predict(v, verbose=0) for v in x)
    np.testing.assert_allclose(out["sum"], first + second, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out["shifted"], 2 * first + 1, rtol=1e-5, atol=1e-6)
    assert model.count_params() == 15 and model.get_layer("tower") is tower
    by_name = model.predict({"b": x[1], "a": x[0]}, verbose=0)
    np.testing.assert_allclose(by_name["sum"], out["sum"])


@pytest.mark.parametrize("copy", ["clone", "json", "config", *BACKENDS])
def test_copies_predict_the_same(backend, copy):
    model, _ = two_towers()
    x = [floats(5, 4), floats(5, 4)]
    made = {
        "clone": lambda: models.clone_model(model),
        "json": lambda: models.model_from_json(model.to_json()),
        "config": lambda: models.Functional.from_config(model.get_config()),
    }.get(copy, lambda: model.to_backend(copy))()
    if copy in ("clone", "json", "config"):
        made.set_weights(model.get_weights())
    for key, value in model.predict(x, verbose=0).items():
        np.testing.assert_allclose(made.predict(x, verbose=0)[key], value, atol=1e-5)


def test_deep_models_change_engines():
    with keras.config.backend_scope("numpy"):
        x = inputs = keras.Input((2,))
        for _ in range(300):
            x = layers.Dense(2)(x)
        assert keras.Model(inputs, x).to_backend("torch").count_params() == 1800


def test_sequential_builds_late_and_pops(backend):
    model = keras.Sequential([layers.Dense(4), layers.Dense(2)])
    assert model.predict(floats(3, 5), verbose=0).shape == (3, 2)
    assert model.count_params() == 24 + 10
    model.pop()
    assert model.output_shape == (None, 4) if model.built else True
    model.add(layers.Dense(3))
    assert model.predict(floats(3, 5), verbose=0).shape == (3, 3)


def test_native_functions_in_call(backend):
    name = keras.backend.backend()
    native = {"numpy": "numpy", "jax": "jax.numpy", "torch": "torch", "tensorflow": "tensorflow.math", "pytensor": "pytensor.tensor"}[name]
    module = __import__(native, fromlist=["tanh"])

    class Native(layers.Layer):
        def call(self, x):
            return module.tanh(x)[:, :2]

    x = keras.Input((5,))
    assert Native()(x).shape == (None, 2)


def test_frozen_layers_leave_the_trainable_weights():
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2), layers.Dense(1)])
    model.layers[0].trainable = False
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 2
    model.trainable = False
    assert model.trainable_weights == [] and len(model.weights) == 4


def test_masks_travel(backend):
    ids = np.array([[1, 2, 0, 0], [3, 0, 0, 0]], "int32")
    x = layers.Embedding(5, 3, mask_zero=True)(ids)
    mean = ops.convert_to_numpy(layers.GlobalAveragePooling1D()(x))
    table = ops.convert_to_numpy(x)
    np.testing.assert_allclose(mean[0], table[0, :2].mean(0), rtol=1e-5)
    np.testing.assert_allclose(mean[1], table[1, 0], rtol=1e-5)


def test_stateless_call(backend):
    layer = layers.BatchNormalization()
    x = floats(8, 3)
    layer(x)
    out, new = layer.stateless_call([v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables], x, training=True)
    assert tuple(out.shape) == (8, 3) and not np.allclose(ops.convert_to_numpy(new[0]), 0)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)


def test_summary_shows_layers_and_counts():
    model, _ = two_towers()
    lines = []
    model.summary(print_fn=lines.append)
    assert "tower" in lines[0] and "Total params: 15" in lines[0]


def test_sequential_follows_its_layers(backend):
    """Layers that are added and taken away one by one; each is called once on symbolic tensors."""
    model = keras.Sequential()
    assert (model.inputs, model.layers, model.built) == (None, [], False)
    model.add(keras.Input((5,), name="x"))
    assert model.output_shape == (None, 5) and model.layers == []
    for units in (4, 3, 2):
        model.add(layers.Dense(units))
    x, features = floats(2, 5), keras.Model(model.inputs, model.layers[1].output)
    assert features.predict(x, verbose=0).shape == (2, 3) and model.output_shape == (None, 2)
    model.pop()
    np.testing.assert_allclose(model.predict(x, verbose=0), features.predict(x, verbose=0), rtol=1e-6)
    model.add(layers.Dense(1, name="out"))
    assert (model.input_shape, model.output_shape, model.input_names, model.output_names) == ((None, 5), (None, 1), ["x"], ["out"])
    for _ in range(4):
        model.pop()
    assert (model.inputs, model.built, model.get_build_config()) == (None, False, None)
    with pytest.raises(ValueError, match="no layer to take away"):
        model.pop()
    model.add(layers.Dense(2))
    assert ops.convert_to_numpy(model(floats(3, 4))).shape == (3, 2)


def test_sequential_knows_its_input_once_it_is_called(backend):
    model = keras.Sequential([layers.Embedding(7, 3), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="not built"):
        model.input_shape  # noqa: B018
    ids = np.array([[1, 2], [3, 4], [5, 6]])
    y = ops.convert_to_numpy(model(ids))
    assert model.inputs[0].dtype == "int32" and model.output_shape == (3, 2)
    copies = [models.clone_model(model), keras.Sequential.from_config(model.get_config()), models.model_from_json(model.to_json())]
    for copy in copies:
        assert [type(layer).__name__ for layer in copy.layers] == ["Embedding", "Flatten", "Dense"]
        copy.set_weights(model.get_weights())
        np.testing.assert_allclose(copy.predict(ids, verbose=0), y, rtol=1e-5)
    model.pop()
    assert model.built and model.output_shape == (3, 6)


def test_a_call_that_failed_leaves_a_sequential_as_it_was(backend):
    model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten()])
    with pytest.raises(ValueError):
        model(floats(2, 4))
    assert ops.convert_to_numpy(model(floats(2, 4, 4, 1))).shape == (2, 8) and len(model.layers) == 2


def test_sequential_may_end_with_several_outputs(backend):
    class Halves(layers.Layer):
        def call(self, x):
            return x[:, :1], x[:, 1:]

    model = keras.Sequential([keras.Input((3,)), Halves()])
    assert [v.shape for v in model.predict(floats(2, 3), verbose=0)] == [(2, 1), (2, 2)]
    with pytest.raises(ValueError, match="several outputs"):
        model.add(layers.Dense(2))


def test_structures_of_inputs_and_outputs(backend):
    a, b, c = keras.Input((2,), name="a"), keras.Input((2,), name="b"), keras.Input((2,), name="c")
    model = keras.Model({"pair": [a, b], "single": c}, [a + 1, {"product": b * c}])
    x, y, z = floats(4, 2), floats(4, 2), floats(4, 2)
    first, second = model.predict({"single": z, "pair": [x, y]}, verbose=0)
    np.testing.assert_allclose(first, x + 1, rtol=1e-6)
    np.testing.assert_allclose(second["product"], y * z, rtol=1e-6)
    assert model.input_shape == {"pair": [(None, 2)] * 2, "single": (None, 2)} and model.input_names == ["a", "b", "c"]
    assert model.output_shape == [(None, 2), {"product": (None, 2)}]
    single = keras.Model({"a": a, "b": b}, {"second": a - b, "first": a})
    assert single.output_names == ["first", "second"] and single.input["b"] is b
    np.testing.assert_allclose(single.predict({"b": y, "a": x}, verbose=0)["second"], x - y, rtol=1e-6)


def test_optional_inputs(backend):
    class AddIf(layers.Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b", optional=True)
    model, x = keras.Model([a, b], AddIf()(a, b)), floats(3, 2)
    for given, wanted in (([x, None], x), ([x, x], 2 * x), ({"a": x}, x), ({"a": x, "b": x}, 2 * x)):
        np.testing.assert_allclose(ops.convert_to_numpy(model(given)), wanted, rtol=1e-6)
    with pytest.raises(ValueError, match="no 'a'"):
        model({"b": x})


def test_layers_are_in_the_order_of_keras(backend):
    """Those farthest from the outputs first; a shared layer where it is farthest; inputs that nothing needs as near as can be."""
    a, b, unused = keras.Input((3,), name="a"), keras.Input((3,), name="b"), keras.Input((1,), name="unused")
    shared = layers.Dense(3, name="shared")
    h = layers.Dense(3, name="deep")(shared(a))
    model = keras.Model([a, b, unused], layers.Add(name="sum")([shared(h), layers.Dense(3, name="short")(b)]))
    assert [layer.name for layer in model.layers] == ["a", "shared", "deep", "b", "short", "unused", "sum"]
    assert model.predict([floats(2, 3), floats(2, 3), floats(2, 1)], verbose=0).shape == (2, 3)


def test_models_inside_models(backend):
    inner = keras.Model(x := keras.Input((3,)), [layers.Dense(2)(x), layers.Dense(2)(x)], name="inner")
    middle = keras.Model(y := keras.Input((3,)), layers.Add()(inner(y)), name="middle")
    outer = keras.Sequential([keras.Input((3,)), middle, layers.Dense(1)], name="outer")
    data = floats(4, 3)
    for copy in (outer, models.clone_model(outer), models.model_from_json(outer.to_json()), outer.to_backend("numpy")):
        copy.set_weights(outer.get_weights())
        np.testing.assert_allclose(copy.predict(data, verbose=0), outer.predict(data, verbose=0), atol=1e-5)
    first, second = inner.predict(data, verbose=0)
    np.testing.assert_allclose(middle.predict(data, verbose=0), first + second, rtol=1e-5, atol=1e-6)
    assert outer.get_layer("middle").get_layer("inner") is inner and outer.count_params() == 19


def test_clones_take_their_own_layers_and_inputs(backend):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="a"), keras.Sequential([layers.Dense(2, name="b")], name="inner")])
    model(floats(1, 3))

    def wider(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "units": 4} if layer.name == "b" else config)

    clone = models.clone_model(model, clone_function=wider, recursive=True)
    assert clone.output_shape == (None, 4) and model.output_shape == (None, 2)
    called = []
    models.clone_model(model, call_function=lambda layer, *args, **kwargs: (called.append(layer.name), layer(*args, **kwargs))[1])
    assert called == ["a", "inner"]
    new = models.clone_model(model, input_tensors=keras.Input((3,), batch_size=5))
    assert new.output_shape == (5, 2)


def test_parts_of_a_graph_are_models(backend):
    x = keras.Input((3,), name="x")
    h = layers.Dense(4, activation="tanh", name="h")(x)
    y = layers.Dense(2, name="y")(h)
    whole, head, tail = keras.Model(x, y), keras.Model(x, h), keras.Model(h, y)
    data = floats(5, 3)
    hidden = head.predict(data, verbose=0)
    np.testing.assert_allclose(tail.predict(hidden, verbose=0), whole.predict(data, verbose=0), rtol=1e-5, atol=1e-6)
    copy = models.Functional.from_config(tail.get_config())
    copy.set_weights(tail.get_weights())
    np.testing.assert_allclose(copy.predict(hidden, verbose=0), tail.predict(hidden, verbose=0), rtol=1e-6)
    function = models.Function(h, [y, h + 1])
    np.testing.assert_allclose(ops.convert_to_numpy(function(ops.convert_to_tensor(hidden))[1]), hidden + 1, rtol=1e-6)


def test_a_subclass_may_hand_over_a_graph(backend):
    class Scaled(keras.Model):
        def __init__(self, units, **kwargs):
            x = keras.Input((3,))
            super().__init__(x, layers.Dense(units)(x) * 2.0, **kwargs)
            self.units = units

        def double(self, x):
            return 2 * self.predict(x, verbose=0)

    model = Scaled(4, name="scaled")
    assert isinstance(model, Scaled) and isinstance(model, models.Functional) and (model.units, model.output_shape, model.name) == (4, (None, 4), "scaled")
    again = Scaled.from_config(model.get_config())
    assert again.double(floats(2, 3)).shape == (2, 4)


def test_subclassed_models_build_from_shapes(backend):
    class Two(keras.Model):
        def __init__(self):
            super().__init__()
            self.a, self.b = layers.Dense(2), layers.Dense(2)

        def call(self, x, y):
            return self.a(x) + self.b(y)

    model = Two()
    model.build([(None, 3), (None, 4)])
    assert model.built and model.count_params() == 8 + 10

    class Dictionary(Two):
        def call(self, inputs, training=False):
            return self.a(inputs["x"]) + self.b(inputs["y"])

    model = Dictionary()
    model.build({"x": (None, 3), "y": (None, 4)})
    assert model.count_params() == 18


def test_get_layer():
    model, tower = two_towers()
    assert model.get_layer("tower") is tower is model.get_layer(index=model.layers.index(tower))
    assert model.get_layer(index=-1) is model.layers[-1]
    for options, words in (
        ({"name": "towr"}, "Did you mean 'tower'"),
        ({"index": 9}, "none at index 9"),
        ({}, "a name or an index"),
        ({"name": "a", "index": 1}, "a name or"),
    ):
        with pytest.raises(ValueError, match=words):
            model.get_layer(**options)


MISTAKES = {
    "an input that is not named": (lambda a, b: keras.Model(a, a + b), ["reaches the input 'b'", "add 'b'"]),
    "an output from elsewhere": (lambda a, b: keras.Model(a, keras.KerasTensor((None, 2))), ["does not come from the inputs"]),
    "an output that is an array": (lambda a, b: keras.Model(a, np.ones(2)), ["outputs", "ndarray"]),
    "no outputs": (lambda a, b: keras.Model(a, []), ["outputs"]),
    "an input twice": (lambda a, b: keras.Model([a, a], a + 1), ["named twice"]),
    "two layers of one name": (lambda a, b: keras.Model(a, layers.Dense(1, name="d")(layers.Dense(1, name="d")(a))), ["called 'd'"]),
    "two layers of one name in a Sequential": (lambda a, b: keras.Sequential([layers.Dense(1, name="d"), layers.Dense(1, name="d")]), ["called 'd'", "functional model"]),
    "a layer's class": (lambda a, b: keras.Sequential([layers.Dense]), ["the class Dense", "Dense(…)"]),
    "a word": (lambda a, b: keras.Sequential(["relu"]), ["got 'relu'", "Activation('relu')"]),
    "a late input": (lambda a, b: keras.Sequential([layers.Dense(1), a]), ["must be the first"]),
    "two shapes": (lambda a, b: keras.Sequential([layers.Dense(1)]).build([(None, 2), (None, 3)]), ["one input shape"]),
    "a last layer that forgets to return": (lambda a, b: keras.Sequential([a, layers.Lambda(lambda x: None, name="silent")]), ["'silent' has no output", "return"]),
    "too many inputs": (lambda a, b: keras.Model([a, b], a + b)([np.ones((1, 2))] * 3), ["2 inputs, 3 were given"]),
    "a missing key": (lambda a, b: keras.Model([a, b], a + b)({"a": np.ones((1, 2))}), ["no 'b'", "keys 'a', 'b'"]),
    "too many features": (lambda a, b: keras.Model(a, layers.Dense(1, name="d")(a))(np.ones((1, 5))), ["5 features", "'d'"]),
    "a sample of another shape": (lambda a, b: keras.Model(i := keras.Input((4, 4, 1)), layers.Flatten()(i))(np.ones((2, 3, 3, 1))), ["(3, 3, 1)", "(4, 4, 1)"]),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_teaches(mistake):
    program, words = MISTAKES[mistake]
    with pytest.raises((ValueError, TypeError)) as caught:
        program(keras.Input((2,), name="a"), keras.Input((2,), name="b"))
    assert isinstance(caught.value, keras.core.errors.KeraunosError)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def summary(model, **options):
    texts = []
    model.summary(print_fn=texts.append, **options)
    return texts[0].splitlines()


@pytest.mark.parametrize("width", [40, 60, 120])
def test_summary_fits_its_terminal(width):
    model, _ = two_towers()
    lines = summary(model, line_length=width, expand_nested=True, show_trainable=True)
    assert max(map(len, lines)) <= width
    table = [line for line in lines if line[0] in "┃│"]
    rows = [[cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")] for line in table]
    assert all(len(row) == 5 for row in rows)
    assert sum(int(row[2]) for row in rows if row[2].isdigit()) == 15 + 15  # the inner model and its layer
    if width == 120:
        assert len(set(map(len, table))) == 1 and ["tower (Sequential)", "(None, 3)", "15", "a, b, a", "Y"] in rows
        assert "tower[0][0], tower[1][0]" in [row[3] for row in rows]


def test_summary_of_a_chain_and_of_a_part():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="a"), layers.BatchNormalization(name="b"), layers.Dense(1, name="c")], name="chain")
    text = "\n".join(summary(model))
    assert "Connected to" not in text and "InputLayer" not in text
    for line in ('Model: "chain"', "a (Dense)", "Total params: 19 (76.00 B)", "Trainable params: 15 (60.00 B)", "Non-trainable params: 4 (16.00 B)"):
        assert line in text
    part = "\n".join(summary(model, layer_range=["b", "c"]))
    assert "a (Dense)" not in part and "b (BatchNormalization)" in part and "c (Dense)" in part
    with pytest.raises(ValueError, match="no layer 'd'"):
        summary(model, layer_range=["a", "d"])


@pytest.mark.parametrize("size,text", [(0, "0.00 B"), (1023, "1023.00 B"), (1024, "1.00 KB"), (1536, "1.50 KB"), (1 << 20, "1.00 MB"), (5 << 40, "5120.00 GB")])
def test_sizes_are_readable(size, text):
    from keraunos.models.summary import readable_size

    assert readable_size(size) == text


def test_a_model_comes_from_its_config_with_custom_objects():
    class Scaled(layers.Layer):
        def __init__(self, factor=2.0):
            super().__init__()
            self.factor = factor

        def call(self, x):
            return self.factor * x

        def get_config(self):
            return {"factor": self.factor}

    x = keras.Input((3,))
    config = keras.Model(x, layers.Dense(2)(Scaled(3.0)(x))).get_config()
    again = keras.Model.from_config(config, custom_objects={"Scaled": Scaled})
    assert [type(layer).__name__ for layer in again.layers] == ["InputLayer", "Scaled", "Dense"]
    assert again.layers[1].factor == 3.0


def test_sequential_takes_its_input_from_a_layers_input_dim():
    assert keras.Sequential([layers.Dense(3, input_dim=4), layers.Dense(2)]).input_shape == (None, 4)


def test_a_layer_of_a_sequential_that_returns_nothing_is_told_so():
    class Forgets(layers.Layer):
        def call(self, x):
            ops.add(x, 1)

    with pytest.raises(ValueError, match=r"has no output(.|\n)*return a tensor"):
        keras.Sequential([keras.Input((4,)), Forgets(name="forgets"), layers.Dense(2)])


def test_a_file_of_an_engine_that_compiles_is_used_on_one_that_does_not(backend):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile_from_config({"optimizer": "sgd", "loss": "mse", "jit_compile": True})
    assert model.jit_compile is None and model.predict(floats(3, 4), verbose=0).shape == (3, 1)
    model.compile_from_config({"optimizer": "sgd", "loss": "mse", "jit_compile": False})
    assert model.jit_compile is False


def test_copies_of_models_that_were_fitted_on_a_generator() -> None:
    """A copy has neither the data nor the place in it."""
    x, y = np.ones((2, 2), "float32"), np.ones((2, 1), "float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(((x, y) for _ in range(2)), verbose=0)
    for copied in (copying.deepcopy(model), model.to_backend("numpy")):
        assert copied.position is None
        np.testing.assert_allclose(copied.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)


def halved_error(y, y_pred):
    return ops.mean(ops.square(y - y_pred), -1) / 2


class Doubling(layers.Layer):
    def call(self, x):
        return 2.0 * x


class Pickled(keras.Model):
    """A class that says nothing of its config, of which a pickle holds a reference."""

    def __init__(self, units):
        super().__init__()
        self.inner, self.drop, self.last = layers.Dense(units, activation="relu"), layers.Dropout(0.5), layers.Dense(1)

    def call(self, x, training=False):
        return self.last(self.drop(self.inner(x), training=training))


def pickled_sequential():
    return keras.Sequential([keras.Input((3,)), layers.BatchNormalization(), Doubling(), layers.Dropout(0.5), layers.Dense(1)])


@pytest.mark.parametrize(("engine", "make"), [*((engine, pickled_sequential) for engine in BACKENDS), ("torch", lambda: Pickled(4))])
def test_pickles_and_copies_go_on_as_the_model_would(engine, make):
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    y, trains = x[:, :1], engine != "numpy"
    with keras.config.backend_scope(engine):
        model = make()
        model.compile(keras.optimizers.Adam(0.1), halved_error, metrics=[halved_error])
        if trains:
            model.fit(x, y, verbose=0)
        expected, kept = ops.convert_to_numpy(model(x)), pickle.dumps(model)
        with keras.config.backend_scope("numpy"):
            loaded = pickle.loads(kept)
        for other in (copying.deepcopy(model), loaded):
            assert (type(other), other.name, other.compiled) == (type(model), model.name, True)
            np.testing.assert_array_equal(ops.convert_to_numpy(other(x)), expected)
        if trains:  # weights, the optimizer's state and the seeds of dropout are the same
            assert model.fit(x, y, shuffle=False, verbose=0).history == loaded.fit(x, y, shuffle=False, verbose=0).history
            assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True))


def test_parts_of_models_are_pickled_too():
    lookup = layers.StringLookup(vocabulary=["a", "b"])
    assert pickle.loads(pickle.dumps(lookup))(["b", "c"]).tolist() == lookup(["b", "c"]).tolist()
    weight = pickle.loads(pickle.dumps(keras.Variable([1.0, 2.0], dtype="bfloat16", trainable=False, name="w")))
    assert (weight.name, weight.dtype, weight.trainable, weight.numpy().tolist()) == ("w", "bfloat16", False, [1.0, 2.0])
    metric = keras.metrics.Mean()
    metric.update_state([1.0, 3.0])
    assert float(pickle.loads(pickle.dumps(metric)).result()) == 2.0
    optimizer = pickle.loads(pickle.dumps(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5))))
    assert float(optimizer.learning_rate) == 0.5
    dense = layers.Dense(2)
    dense.build((None, 3))
    assert np.array_equal(pickle.loads(pickle.dumps(dense)).kernel.numpy(), dense.kernel.numpy())
    assert copying.copy(dense).kernel is dense.kernel
    assert pickle.loads(pickle.dumps(layers.Lambda(lambda x: x + 1)))(1.0) == 2.0  # without a word of files

    class Local(layers.Layer):
        pass

    with pytest.raises((pickle.PicklingError, AttributeError), match="Local"):
        pickle.dumps(Local())


class Scaled(keras.Operation):
    def __init__(self, factor, name=None):
        super().__init__(name=name)
        self.factor = factor

    def call(self, x):
        return x * self.factor


@pytest.mark.parametrize("engine", BACKENDS)
def test_operations_of_users_stand_in_graphs(engine, tmp_path):
    x = np.ones((2, 3), "float32")
    with keras.config.backend_scope(engine):
        entry, scaled = keras.Input((3,)), Scaled(2.0)
        end = scaled(entry)
        model = keras.Model(entry, layers.Dense(1)(end))
        assert (end.shape, scaled.input is entry, scaled.output is end, [type(layer).__name__ for layer in model.layers]) == (
            (None, 3), True, True, ["InputLayer", "Dense"],
        )  # fmt: skip
        assert ops.convert_to_numpy(scaled(ops.ones((2,)))).tolist() == [2.0, 2.0]
        expected = model.predict(x, verbose=0)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras", custom_objects={"Scaled": Scaled})
        for other in (loaded, copying.deepcopy(model), pickle.loads(pickle.dumps(model))):
            np.testing.assert_allclose(other.predict(x, verbose=0), expected, rtol=1e-6)
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_allclose(clone.predict(x, verbose=0), expected, rtol=1e-6)


def test_what_an_operation_is():
    assert isinstance(layers.Dense(1), keras.Operation) and Scaled(3.0, name="s").get_config() == {"name": "s", "factor": 3.0}
    assert Scaled.from_config(Scaled(3.0).get_config()).factor == 3.0

    class Declared(keras.Operation):
        factor: float = 2.0

        def call(self, x):
            return x * self.factor

    assert Declared(3.0, name="s").get_config() == {"name": "s", "factor": 3.0} and Declared()(keras.Input((2,))).shape == (None, 2)
    assert isinstance(Scaled(2.0).symbolic_call(keras.Input((3,))), keras.KerasTensor)
    assert isinstance(layers.Flatten().symbolic_call(keras.Input((3,))), keras.KerasTensor)
    with keras.RematScope():
        scaled = Scaled(2.0)
    assert scaled.rematerialized_call(scaled.call) != scaled.call
    for wrong, error in ((lambda: Scaled(1.0, name="a/b"), "without '/'"), (lambda: keras.Operation()(NUMBERS), "must define call"),
                         (lambda: Scaled(1.0).quantized_call(NUMBERS), "no quantized form"), (lambda: Scaled(1.0).output, "called 0 times")):  # fmt: skip
        with pytest.raises((ValueError, NotImplementedError, RuntimeError, AttributeError), match=error):
            wrong()


NUMBERS = np.ones((2, 3), "float32")


def test_the_state_of_a_model_as_a_tree():
    model = keras.Sequential([keras.Input((3,)), layers.BatchNormalization(name="norm"), layers.Dense(1, name="head")], name="net")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9, name="sgd"), "mse", metrics=["mae"])
    model.fit(NUMBERS, NUMBERS[:, :1], verbose=0)
    state = model.get_state_tree("numpy_array")
    assert {group: list(inner) for group, inner in state.items()} == {
        "trainable_variables": ["net"], "non_trainable_variables": ["net"], "optimizer_variables": ["sgd"],
        "metrics_variables": ["loss", "mean_absolute_error"],
    }  # fmt: skip
    assert set(state["optimizer_variables"]["sgd"]) >= {"iteration", "learning_rate", "net_head_kernel_momentum"}
    model.fit(NUMBERS, NUMBERS[:, :1], verbose=0)
    before = model.get_weights()
    wrong = {"trainable_variables": {"net": {"head": {"bias": [5.0], "kernel": [1.0]}}}}
    for tree, message in (
        (wrong, "does not fit"),
        ({"trainable": {}}, "no 'trainable'"),
        ({"trainable_variables": {"net": {"x": 1.0}}}, "no variable 'net/x'"),
    ):
        with pytest.raises(ValueError, match=message):
            model.set_state_tree(tree)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))  # nothing of what is wrong was set
    model.set_state_tree(state)
    assert keras.tree.map_structure(lambda a: a.tolist(), model.get_state_tree("numpy_array")) == keras.tree.map_structure(lambda a: a.tolist(), state)
    model.set_state_tree({"optimizer_variables": {"sgd": {"learning_rate": 0.5}}})
    assert float(model.optimizer.learning_rate) == 0.5
    with pytest.raises(ValueError, match="value_format"):
        model.get_state_tree("list")


def test_a_clone_has_what_was_adapted():
    text, scaled = keras.layers.TextVectorization(), keras.layers.Normalization()
    text.adapt(["b a", "a"])
    scaled.adapt(np.arange(6.0).reshape(3, 2))
    words = keras.models.clone_model(keras.Sequential([keras.Input((1,), dtype="string"), text]))
    assert words.layers[0].get_vocabulary() == text.get_vocabulary()
    numbers = keras.models.clone_model(keras.Sequential([keras.Input((2,)), scaled]))
    data = np.ones((1, 2), "float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(numbers(data)), keras.ops.convert_to_numpy(scaled(data)))
