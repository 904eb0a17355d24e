"""Layers and models on every engine: shapes, sharing, nesting, configs, conversion."""

from __future__ import annotations

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, models, ops

rng = np.random.default_rng(0)


def floats(*shape):
    return rng.normal(size=shape).astype("float32")


# A layer, and the shape of one sample.
LAYERS = [
    (lambda: layers.Dense(4, activation="relu", use_bias=False), (3,)),
    (lambda: layers.Dense(4), (5, 3)),
    (lambda: layers.Conv1D(4, 3, padding="causal", dilation_rate=2), (10, 3)),
    (lambda: layers.Conv2D(4, 3, strides=2, padding="same"), (9, 8, 3)),
    (lambda: layers.Conv2D(4, (3, 2), groups=2), (9, 8, 2)),
    (lambda: layers.Conv3D(2, 2), (4, 4, 4, 2)),
    (lambda: layers.MaxPooling1D(), (9, 2)),
    (lambda: layers.MaxPooling2D(padding="same"), (9, 8, 2)),
    (lambda: layers.MaxPooling3D(), (4, 4, 4, 2)),
    (lambda: layers.AveragePooling1D(3, 2), (9, 2)),
    (lambda: layers.AveragePooling2D(2, padding="same"), (9, 8, 2)),
    (lambda: layers.AveragePooling3D(2), (4, 4, 4, 2)),
    (lambda: layers.GlobalAveragePooling1D(), (9, 2)),
    (lambda: layers.GlobalMaxPooling2D(keepdims=True), (9, 8, 2)),
    (lambda: layers.GlobalAveragePooling3D(), (4, 4, 4, 2)),
    (lambda: layers.Flatten(), (4, 3)),
    (lambda: layers.Reshape((2, -1)), (6,)),
    (lambda: layers.Permute((2, 1)), (4, 3)),
    (lambda: layers.RepeatVector(3), (4,)),
    (lambda: layers.Dropout(0.5, seed=1), (4,)),
    (lambda: layers.GaussianNoise(0.5, seed=1), (4,)),
    (lambda: layers.BatchNormalization(momentum=0.9), (5, 3)),
    (lambda: layers.LayerNormalization(axis=[1, 2]), (5, 3)),
    (lambda: layers.Activation("gelu"), (4,)),
    (lambda: layers.ReLU(max_value=1.0, negative_slope=0.1), (4,)),
    (lambda: layers.LeakyReLU(0.2), (4,)),
    (lambda: layers.PReLU(), (4,)),
    (lambda: layers.ELU(0.5), (4,)),
    (lambda: layers.Softmax(), (4,)),
    (lambda: layers.Rescaling(0.5, offset=1.0), (4,)),
    (lambda: layers.Identity(), (4,)),
    (lambda: layers.Embedding(7, 3, mask_zero=True), (5,)),
]


@pytest.mark.parametrize("make,shape", LAYERS, ids=lambda v: "x".join(map(str, v)) if isinstance(v, tuple) else type(v()).__name__)
def test_layer_contract(make, shape):
    outputs = []
    for name in ("numpy", "jax", "torch"):
        with keras.config.backend_scope(name):
            keras.utils.set_random_seed(0)
            layer = make()
            rng_state = np.random.default_rng(5)
            x = (
                rng_state.integers(0, 7, (2, *shape)).astype("int32")
                if isinstance(layer, layers.Embedding)
                else rng_state.normal(size=(2, *shape)).astype("float32")
            )
            y = ops.convert_to_numpy(layer(x))
            outputs.append(y)
            assert layer.compute_output_shape((None, *shape)) == (None, *y.shape[1:])
            again = type(layer).from_config(layer.get_config())
            assert again.get_config() == layer.get_config()
            again(x)
            again.set_weights(layer.get_weights())
            np.testing.assert_allclose(ops.convert_to_numpy(again(x)), y, atol=1e-6)
    np.testing.assert_allclose(outputs[1], outputs[0], atol=2e-5)
    np.testing.assert_allclose(outputs[2], outputs[0], atol=2e-5)


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


@pytest.mark.parametrize("copy", ["clone", "json", "config", "numpy", "jax", "torch"])
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
    native = {"numpy": "numpy", "jax": "jax.numpy", "torch": "torch"}[name]
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
