"""Activations, crossentropies, normalizations, convolutions and pooling: Keras's numbers, and clear errors."""

from __future__ import annotations

import functools
import importlib
import operator
import os
from typing import Any

import numpy as np
import pytest

from keraunos import activations, constraints, initializers, ops, regularizers, saving
from keraunos.core.errors import ArgumentError, BackendError, KeraunosError, ShapeError
from keraunos.core.functional import value_and_grad
from keraunos.core.registry import Registry
from keraunos.core.variable import Variable
from keraunos.ops import nn
from tests.conftest import TRAINING

os.environ.setdefault("KERAS_BACKEND", "jax")
pytestmark = pytest.mark.xdist_group("activations")  # what Keras gives is computed once
X = np.random.default_rng(0).normal(0, 2, (4, 6)).astype("float32")
IMAGES = np.random.default_rng(1).normal(size=(2, 6, 5, 4)).astype("float32")
P = np.abs(X) / np.abs(X).sum(1, keepdims=True)
ONE_HOT = np.eye(6, dtype="float32")[[0, 3, 5, 1]]
BITS = (X > 0).astype("float32")
KERNEL = np.random.default_rng(2).normal(size=(3, 2, 4, 8)).astype("float32")


def _array(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


@pytest.fixture(scope="module")
def keras() -> Any:
    return pytest.importorskip("keras")


@functools.cache
def of_keras(path: str, number: int = 0) -> list[np.ndarray]:
    """What a function of Keras gives for X, or for the call of that number in a list of calls, once for all engines and as one program."""
    jax = importlib.import_module("jax")
    (x, *args), kwargs = CALLS[number][1:] if path.startswith("ops.") else ((X,), RELU[number])
    wanted = jax.jit(lambda x: operator.attrgetter(path)(importlib.import_module("keras"))(x, *args, **kwargs))(x)
    return [np.asarray(y) for y in jax.tree.leaves(wanted)]


def test_relu_up_to_a_value_keeps_nan_and_integers(backend: Any) -> None:
    np.testing.assert_array_equal(_array(activations.relu(np.array([np.nan, -1, 3], "float32"), max_value=2.0)), [np.nan, 0, 2])
    assert ops.dtype(activations.relu(np.array([-1, 3]), max_value=2.0)) == ops.dtype(activations.relu(np.array([-1, 3])))


NAMES = [n for n in activations.__all__ if n not in ("deserialize", "get", "serialize", "threshold", "sparsemax")]


@pytest.mark.parametrize("name", NAMES)
def test_activation_equals_keras(name: str, backend: Any, keras: Any) -> None:
    np.testing.assert_allclose(_array(getattr(activations, name)(X)), of_keras(f"activations.{name}")[0], 1e-5, 1e-5)


RELU = [{}, {"negative_slope": 0.1}, {"max_value": 1.5}, {"threshold": 1.0}, {"negative_slope": 0.1, "max_value": 1.0, "threshold": 0.5}]


@pytest.mark.parametrize("number", range(1, len(RELU)))
def test_relu_options_equal_keras(number: int, backend: Any, keras: Any) -> None:
    np.testing.assert_allclose(_array(activations.relu(X, **RELU[number])), of_keras("activations.relu", number)[0], 1e-6, 1e-6)


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("categorical_crossentropy", (ONE_HOT, P), {}),
    ("categorical_crossentropy", (ONE_HOT, X), {"from_logits": True}),
    ("categorical_crossentropy", (np.eye(3), np.array([[0.0, 0.5, 0.5], [0, 1, 0], [2, 1, 0]], "float32")), {}),
    ("sparse_categorical_crossentropy", (np.array([0, 3, 5, 1]), P), {}),
    ("sparse_categorical_crossentropy", (np.array([[0], [3], [5], [1]]), X), {"from_logits": True}),
    ("binary_crossentropy", (BITS, P), {}),
    ("binary_crossentropy", (BITS, X * 30), {"from_logits": True}),
    ("binary_crossentropy", (np.array([0.0, 1, 1, 0]), np.array([0.0, 1, 0, 1], "float32")), {}),
    ("batch_normalization", (IMAGES, X[0, :4], X[1, :4] ** 2, -1), {"offset": X[2, :4], "scale": X[3, :4]}),
    ("layer_normalization", (IMAGES,), {"gamma": X[0, :4], "beta": X[1, :4], "epsilon": 1e-3}),
    ("layer_normalization", (IMAGES,), {"axis": (1, 2, 3)}),
    ("rms_normalization", (IMAGES,), {"scale": X[0, :4]}),
    ("moments", (IMAGES, (0, 1, 2)), {}),
    ("normalize", (IMAGES,), {"axis": 1, "order": 1}),
    ("normalize", (np.zeros((2, 2), "float32"),), {}),
    ("one_hot", (np.array([0, 5, -1, 2]), 3), {}),
    ("multi_hot", (np.array([[0, 1], [2, 2]]), 4), {}),
    ("top_k", (X, 2), {}),
    ("in_top_k", (np.array([0, 2, 9, 1]), X, 2), {}),
    ("conv", (IMAGES, KERNEL), {}),
    ("conv", (IMAGES, KERNEL), {"strides": 2, "padding": "same"}),
    ("conv", (IMAGES, KERNEL), {"dilation_rate": 2, "padding": "same"}),
    ("conv", (IMAGES, KERNEL[:, :, :2]), {"strides": (2, 1)}),
    ("conv", (IMAGES.transpose(0, 3, 1, 2), KERNEL), {"data_format": "channels_first"}),
    ("conv", (IMAGES[:, 0], KERNEL[0]), {"strides": 2, "padding": "same"}),
    ("conv_transpose", (IMAGES, KERNEL.transpose(0, 1, 3, 2)), {"strides": 2}),
    ("conv_transpose", (IMAGES, KERNEL.transpose(0, 1, 3, 2)), {"strides": 2, "padding": "same"}),
    ("conv_transpose", (IMAGES, KERNEL.transpose(0, 1, 3, 2)), {"strides": 2, "padding": "same", "output_padding": 1}),
    ("depthwise_conv", (IMAGES, KERNEL), {"padding": "same"}),
    ("separable_conv", (IMAGES, KERNEL[..., :2], np.ones((1, 1, 8, 3), "float32")), {}),
    ("max_pool", (IMAGES, (2, 2)), {"strides": (2, 2)}),
    ("max_pool", (IMAGES, 3), {"strides": 2, "padding": "same"}),
    ("average_pool", (IMAGES, (2, 3)), {"strides": 1, "padding": "same"}),
    ("average_pool", (IMAGES.transpose(0, 3, 1, 2), (2, 2)), {"strides": (2, 2), "padding": "same", "data_format": "channels_first"}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[f"{name}-{i}" for i, (name, *_) in enumerate(CALLS)])
def test_op_equals_keras(number: int, backend: Any, keras: Any) -> None:
    name, args, kwargs = CALLS[number]
    got = getattr(ops, name)(*args, **kwargs)
    for one, other in zip(got if isinstance(got, tuple) else [got], of_keras(f"ops.{name}", number), strict=True):
        np.testing.assert_allclose(_array(one), other, 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_binary_crossentropy_stays_finite_in_half_precision(dtype: str, backend: Any) -> None:
    p = ops.cast(np.array([0.0, 1.0]), dtype)
    assert np.isfinite(_array(ops.cast(ops.binary_crossentropy(np.array([1.0, 0.0]), p), "float32"))).all()


@pytest.mark.parametrize("shape", [(4, 5, 3), (6, 3)])
def test_standardized_batch_has_the_gradient_of_its_parts(shape: tuple[int, ...]) -> None:
    from keraunos.core import config

    x = np.random.default_rng(3).normal(2, 3, shape).astype("float32")
    weights = np.random.default_rng(4).normal(size=shape).astype("float32")
    found = []
    for name in TRAINING:
        with config.backend_scope(name):
            values = [Variable(x), Variable(np.full(3, 0.5, "float32")), Variable(np.full(3, 2.0, "float32"))]

            def loss(values: Any = values) -> Any:
                return ops.sum(nn.standardize_batch(values[0], -1, values[1], values[2])[0] * ops.convert_to_tensor(weights))

            found.append([_array(g) for g in value_and_grad(loss, values)()[1]])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_allclose(one, other, 1e-4, 1e-4)


@pytest.mark.parametrize("name", TRAINING)
def test_batch_normalization_passes_gradients_to_given_moments(name: str) -> None:
    from keraunos.core import config

    with config.backend_scope(name):
        x, mean, variance = Variable(X), Variable(X[0]), Variable(X[1] ** 2 + 1)
        _, gradients = value_and_grad(lambda: ops.sum(ops.square(ops.batch_normalization(x, mean, variance, -1))), [x, mean, variance])()
        assert all(np.abs(_array(g)).max() > 1e-3 for g in gradients)


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (lambda: ops.conv(IMAGES, KERNEL[:, :, :3]), ShapeError, "4 channels"),
    (lambda: ops.conv(IMAGES, np.ones((7, 2, 4, 1), "float32")), ShapeError, "height of the inputs is only 6"),
    (lambda: ops.conv(IMAGES[0], KERNEL), ShapeError, "(batch, height, width, channels)"),
    (lambda: ops.conv(IMAGES, KERNEL, padding="sane"), ArgumentError, "padding cannot be 'sane'"),
    (lambda: ops.conv(IMAGES, KERNEL, strides=0), ArgumentError, "strides=0"),
    (lambda: ops.conv(IMAGES, KERNEL, data_format="NHWC"), ArgumentError, "'NHWC'"),
    (lambda: ops.conv_transpose(IMAGES, KERNEL[..., :3]), ShapeError, "4 channels"),
    (lambda: ops.conv_transpose(IMAGES, KERNEL.transpose(0, 1, 3, 2), output_padding=1), ArgumentError, "below strides"),
    (lambda: ops.depthwise_conv(IMAGES, KERNEL[:, :, :2]), ShapeError, "the kernel has 2"),
    (lambda: ops.max_pool(IMAGES, 6), ShapeError, "width of the inputs is only 5"),
    (lambda: ops.max_pool(IMAGES, (2, 2, 2)), ShapeError, "4 axes"),
    (lambda: ops.average_pool(IMAGES, -1), ArgumentError, "pool_size=-1"),
    (lambda: ops.categorical_crossentropy(np.array([0, 3, 5, 1]), P), ShapeError, "sparse categorical"),
    (lambda: ops.sparse_categorical_crossentropy(ONE_HOT, P), ShapeError, "one-hot"),
    (lambda: ops.sparse_categorical_crossentropy(np.array([0, 3]), X, from_logits=True), ShapeError, "(4,)"),
    (lambda: ops.binary_crossentropy(BITS[0], P), ShapeError, "one shape"),
    (lambda: ops.batch_normalization(X, X[0, :4], X[0, :4], -1), ShapeError, "variance"),
    (lambda: ops.layer_normalization(X, gamma=X[0, :4]), ShapeError, "gamma"),
    (lambda: ops.moments(X, 0, synchronized=True), BackendError, "synchronized"),
    (lambda: ops.normalize(X, order=0), ArgumentError, "order"),
    (lambda: ops.glu(X[:, :5]), ShapeError, "size 5"),
    (lambda: ops.top_k(X, 7), ShapeError, "7 largest"),
    (lambda: ops.one_hot(np.array([1]), 3, sparse=True), BackendError, "sparse"),
    (lambda: ops.multi_hot(np.array([1])), ArgumentError, "num_classes"),
    (lambda: ops.softmax(X, axis=2), ShapeError, "axis 2"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors_are_clear_on_every_engine(call: Any, error: type[Exception], text: str, backend: Any) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_classes_out_of_range_do_not_pass(backend: Any) -> None:
    for wrong in (6, -1):
        try:
            loss = _array(ops.sparse_categorical_crossentropy(np.array([0, wrong, 5, 1]), X, from_logits=True))
        except (ArgumentError, IndexError):
            continue
        assert np.isnan(loss[1])
        assert np.isfinite(np.delete(loss, 1)).all()


# ---- finding by name ----
SPACES = {
    "activation": (activations, "rleu", "relu"),
    "initializer": (initializers, "glorot_unform", "glorot_uniform"),
    "regularizer": (regularizers, "l1_2", "l1_l2"),
    "constraint": (constraints, "max_nrm", "max_norm"),
}


@pytest.mark.parametrize("kind", SPACES)
def test_a_misspelt_name_is_answered_with_the_nearest(kind: str) -> None:
    space, wrong, right = SPACES[kind]
    with pytest.raises(ArgumentError, match=f"There is no {kind} '{wrong}'") as caught:
        space.get(wrong)
    assert f"Did you mean '{right}'?" in str(caught.value)
    assert space.get(right) is not None


@pytest.mark.parametrize("kind", SPACES)
def test_what_get_takes(kind: str) -> None:
    space, _, name = SPACES[kind]
    found = space.get(name)
    assert space.get(found) is found
    assert type(space.deserialize(space.serialize(found))) is type(found)
    assert space.get(None) is (activations.linear if kind == "activation" else None)
    for wrong in (5, [1], int):
        if kind != "activation" or wrong is not int:
            with pytest.raises(KeraunosError):
                space.get(wrong)
    if kind != "activation":
        assert type(space.get(type(found))) is type(found)
        assert type(space.get({"class_name": type(found).__name__, "config": {}})) is type(found)
        assert space.get(name.upper() if name == "l2" else type(found).__name__) is not None


def test_registered_objects_are_found() -> None:
    @saving.register_keras_serializable(package="test_activations")
    def doubled(x: Any) -> Any:
        return 2 * x

    class Big(initializers.Initializer):
        factor: float = 2.0

    assert activations.get("test_activations>doubled") is doubled
    assert activations.deserialize(activations.serialize(doubled)) is doubled
    with saving.custom_object_scope({"Big": Big}):
        assert initializers.get("Big").factor == 2
    config = initializers.serialize(Big(3.0))
    assert initializers.deserialize(config, custom_objects={"Big": Big}).factor == 3
    with pytest.raises(ValueError, match="Big"):
        initializers.deserialize(config)


def test_functions_are_refused_where_objects_are_wanted() -> None:
    class Base:
        pass

    registry = Registry("thing", {"Base": Base}, base=Base)
    assert isinstance(registry.get("base"), Base)
    with pytest.raises(ArgumentError, match="no thing"):
        registry.get(lambda x: x)


# ---- regularizers and constraints ----
@pytest.mark.parametrize("make", [lambda m: m.L1(0.3), lambda m: m.L2(0.3), lambda m: m.L1L2(0.1, 0.2), lambda m: m.OrthogonalRegularizer(0.5)])
def test_regularizer_equals_keras(make: Any, backend: Any, keras: Any) -> None:
    ours, theirs = make(regularizers), make(keras.regularizers)
    np.testing.assert_allclose(_array(ours(X)), np.asarray(theirs(X)), 1e-5)
    assert ours.get_config() == pytest.approx(theirs.get_config()) if "mode" not in ours.get_config() else True
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()


@pytest.mark.parametrize("make", [lambda m: m.MaxNorm(1.5), lambda m: m.NonNeg(), lambda m: m.UnitNorm(axis=1), lambda m: m.MinMaxNorm(0.5, 1, 0.7)])
def test_constraint_equals_keras(make: Any, backend: Any, keras: Any) -> None:
    ours, theirs = make(constraints), make(keras.constraints)
    np.testing.assert_allclose(_array(ours(X)), np.asarray(theirs(X)), 1e-5)
    assert ours.get_config() == theirs.get_config()


def test_regularizers_refuse_what_cannot_be_meant() -> None:
    for wrong in (-1.0, float("nan"), "a"):
        with pytest.raises((ValueError, TypeError), match="l2"):
            regularizers.L2(wrong)
    with pytest.raises(ShapeError, match="matrices"):
        regularizers.OrthogonalRegularizer()(IMAGES)
    with pytest.raises(ArgumentError, match="mode"):
        regularizers.OrthogonalRegularizer(mode="diagonal")


def test_columns_of_an_orthogonal_matrix_cost_nothing(backend: Any) -> None:
    q, _ = np.linalg.qr(np.random.default_rng(5).normal(size=(6, 3)))
    assert float(regularizers.OrthogonalRegularizer(1.0, "columns")(q.astype("float32"))) < 1e-6
