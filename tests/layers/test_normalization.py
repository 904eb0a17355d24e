"""What the contract does not see of the layers that normalize."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.errors import ArgumentError, ShapeError
from tests.conftest import BFLOAT, TRAINING, in_force

X = np.random.default_rng(0).normal(2.0, 3.0, (64, 3)).astype("float32")


def array(x: Any) -> Any:
    return np.asarray(ops.convert_to_numpy(x))


@pytest.mark.parametrize("engine", TRAINING)
def test_renormalized_training_comes_to_what_inference_gives(engine: str) -> None:
    """Once the averages are those of the data, a batch is normalized alike in training and in inference."""
    with in_force(engine):
        model = keraunos.Sequential([keraunos.Input((3,)), layers.BatchNormalization(renorm=True, momentum=0.2, renorm_momentum=0.2)])
        model.compile("sgd", "mse")
        model.fit(X, X, batch_size=64, epochs=12, verbose=0)
        layer = model.layers[0]
        inferred = array(layer(X[:16], training=False))
        assert np.abs(array(layer(X[:16], training=True)) - inferred).max() < 1e-2


def test_bounds_of_renormalization() -> None:
    for bounds in ({"rate": 1.0}, {"rmin": 2.0, "rmax": 0.5}, {"dmax": -1.0}):
        with pytest.raises(ArgumentError, match="renorm_clipping"):
            layers.BatchNormalization(renorm=True, renorm_clipping=bounds)
    closed = layers.BatchNormalization(renorm=True, renorm_clipping={"rmin": 1.0, "rmax": 1.0, "dmax": 0.0})
    np.testing.assert_allclose(array(closed(X, training=True)), array(layers.BatchNormalization()(X, training=True)), atol=1e-5)  # so tight is none


def test_synchronized_is_the_same_on_one_device(backend: Any) -> None:
    layer = layers.BatchNormalization(synchronized=True)
    assert layer.get_config()["synchronized"] is True
    np.testing.assert_allclose(array(layer(X, training=True)), array(layers.BatchNormalization()(X, training=True)))


def test_groups_that_cannot_be() -> None:
    with pytest.raises(ArgumentError, match="positive integer, or -1"):
        layers.GroupNormalization(0)
    with pytest.raises(ShapeError, match="6 channels cannot be divided into 4 groups") as caught:
        layers.GroupNormalization(4).build((None, 5, 6))
    assert caught.value.fix == "groups=3"
    with pytest.raises(ShapeError, match="groups=6"):
        layers.GroupNormalization()(np.ones((2, 6), "float32"))


def test_one_group_is_layer_normalization_and_all_are_instance_normalization(backend: Any) -> None:
    x = np.random.default_rng(1).normal(size=(2, 4, 5, 6)).astype("float32")
    wanted = layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False)(x)
    np.testing.assert_allclose(array(layers.GroupNormalization(1)(x)), array(wanted), atol=1e-5)
    each = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-3)
    np.testing.assert_allclose(array(layers.GroupNormalization(-1)(x)), each, atol=1e-5)


@pytest.mark.parametrize("engine", BFLOAT)
def test_squares_of_half_floats_do_not_overflow(engine: str) -> None:
    with in_force(engine):
        x = np.array([[300.0, -300.0, 600.0]], "float16")
        for layer in (layers.UnitNormalization, layers.RMSNormalization, layers.LayerNormalization, layers.BatchNormalization):
            assert np.isfinite(array(layer(dtype="float16")(x))).all()
        np.testing.assert_allclose(array(layers.UnitNormalization(dtype="float16")(x))[0], [0.408, -0.408, 0.816], atol=1e-2)


@pytest.mark.parametrize("engine", BFLOAT)
def test_training_in_mixed_precision(engine: str) -> None:
    with in_force(engine):
        for make in (layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization, layers.RMSNormalization):
            for options in [{}, {"renorm": True}] if make is layers.BatchNormalization else [{"groups": 3}] if make is layers.GroupNormalization else [{}]:
                y = make(dtype="mixed_bfloat16", **options)(X, training=True)
                assert keraunos.backend.standardize_dtype(y.dtype) == "bfloat16"


def test_vectors_of_zeros_stay(backend: Any) -> None:
    assert not array(layers.UnitNormalization()(np.zeros((2, 3), "float32"))).any()
    assert not array(layers.RMSNormalization()(np.zeros((2, 3), "float32"))).any()


def test_scales_go_along_their_axis(backend: Any) -> None:
    layer = layers.RMSNormalization(axis=1)  # where Keras cannot broadcast
    x = np.random.default_rng(1).normal(size=(2, 4, 3)).astype("float32")
    layer.build(x.shape)
    layer.scale.assign(np.arange(4.0))
    wanted = x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6) * np.arange(4.0)[:, None]
    np.testing.assert_allclose(array(layer(x)), wanted, atol=1e-5)
    with pytest.raises(ShapeError, match="was built for 4"):
        layer(np.ones((2, 5, 3), "float32"))


def test_axes_in_any_order_and_any_rank(backend: Any) -> None:
    """The weights are as long as the axes, in the order of the input; other axes may come or go."""
    x = np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype("float32")
    for make in (layers.LayerNormalization, layers.RMSNormalization):
        for axes in ([3, 1], [-1, -3], [1, 3]):
            layer = make(axis=axes)
            layer.build(x.shape)
            assert layer.weights[0].shape == (3, 5)
            layer.weights[0].assign(np.arange(15.0).reshape(3, 5))
            ordered = make(axis=[1, 3])
            ordered.build(x.shape)
            ordered.set_weights(layer.get_weights())
            np.testing.assert_allclose(array(layer(x)), array(ordered(x)), atol=1e-5)
        last = make()
        last(x)
        for shape in ((2, 5), (2, 1, 1, 4, 5)):
            assert tuple(last(np.ones(shape, "float32")).shape) == last(keraunos.Input(batch_shape=shape)).shape == shape
        with pytest.raises(ShapeError, match="was built for 5"):
            last(np.ones((2, 4), "float32"))
