"""Every layer class by one example or a few: the same contract on every engine, against the installed Keras; and `Layer` itself."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops, regularizers
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.core.functional import value_and_grad
from keraunos.core.masks import get_mask, set_mask

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

ENGINES = ("numpy", "jax", "torch")
RANDOM = ("Dropout", "GaussianNoise")


class Row:
    """An example of a layer class: its arguments, and the shapes of one batch of each of its inputs."""

    def __init__(self, name: str, *shapes: tuple[int, ...], integers: int = 0, mask: bool = False, **arguments: Any):
        self.name, self.shapes, self.arguments, self.integers, self.masked = name, shapes, arguments, integers, mask

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in self.arguments.items())}){'+mask' * self.masked}"

    def make(self, module: Any = layers, **more: Any) -> Any:
        """The layer, of Keraunos or of another module."""
        return getattr(module, self.name)(**self.arguments, **more)

    @property
    def dtype(self) -> str:
        return "int32" if self.integers else "float32"

    def data(self) -> Any:
        """A batch; a list of arrays for a layer of several inputs."""
        rng = np.random.default_rng(len(repr(self)))
        draw = (lambda shape: rng.integers(0, self.integers, shape)) if self.integers else (lambda shape: rng.normal(size=shape))
        return self.structure([draw(shape).astype(self.dtype) for shape in self.shapes])

    def mask(self) -> dict[str, Any]:
        """The keyword argument `mask` of a call, if the row has one."""
        return {"mask": np.arange(np.prod(self.shapes[0][:2])).reshape(self.shapes[0][:2]) % 3 != 2} if self.masked else {}

    def structure(self, items: list[Any]) -> Any:
        """One item, or a list for a layer of several inputs."""
        return items if len(items) > 1 else items[0]

    def built(self) -> Any:
        """The layer, built for the row's shapes."""
        layer = self.make()
        layer.build(self.structure(list(self.shapes)))
        return layer

    def weights(self, layer: Any) -> list[Any]:
        """Values for the weights that differ from each other and from the initial ones."""
        rng = np.random.default_rng(3)
        return [rng.uniform(0.5, 1.5, w.shape).astype("float32") for w in layer.weights]


TABLE = [
    Row("Dense", (2, 3), units=4),
    Row("Dense", (2, 5, 3), units=4, activation="relu", use_bias=False, kernel_initializer="he_normal", kernel_regularizer="l2"),
    Row("Embedding", (2, 5), integers=7, input_dim=7, output_dim=3),
    Row("Embedding", (2, 5), integers=7, input_dim=7, output_dim=3, mask_zero=True),
    Row("Activation", (2, 4), activation="gelu"),
    Row("Identity", (2, 4)),
    Row("Lambda", (2, 4), function=keraunos.activations.tanh),
    Row("ReLU", (2, 4), max_value=1.0, negative_slope=0.1, threshold=0.2),
    Row("LeakyReLU", (2, 4)),
    Row("PReLU", (2, 5, 4), alpha_initializer="ones", shared_axes=[1]),
    Row("ELU", (2, 4), alpha=0.5),
    Row("Softmax", (2, 5, 4), axis=[1, 2]),
    Row("Softmax", (2, 4), mask=True),
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, padding="causal", dilation_rate=2),
    Row("Conv1D", (2, 9, 4), filters=6, kernel_size=3, strides=2, groups=2, use_bias=False),
    Row("Conv2D", (2, 7, 6, 3), filters=4, kernel_size=(3, 2), strides=2, padding="same", activation="relu"),
    Row("Conv2D", (2, 3, 7, 6), filters=4, kernel_size=3, data_format="channels_first", dilation_rate=(1, 2)),
    Row("Conv3D", (1, 4, 5, 4, 2), filters=3, kernel_size=2, padding="same"),
    Row("MaxPooling1D", (2, 9, 3)),
    Row("MaxPooling2D", (2, 7, 6, 3), pool_size=3, strides=2, padding="same"),
    Row("MaxPooling3D", (1, 4, 4, 5, 2)),
    Row("AveragePooling1D", (2, 9, 3), pool_size=3, strides=2, padding="same"),
    Row("AveragePooling2D", (2, 3, 7, 6), pool_size=(2, 3), data_format="channels_first"),
    Row("AveragePooling3D", (1, 4, 4, 5, 2), pool_size=2),
    Row("GlobalMaxPooling1D", (2, 5, 3)),
    Row("GlobalMaxPooling2D", (2, 4, 5, 3), keepdims=True),
    Row("GlobalMaxPooling3D", (1, 2, 3, 4, 5), data_format="channels_first"),
    Row("GlobalAveragePooling1D", (2, 5, 3)),
    Row("GlobalAveragePooling1D", (2, 5, 3), mask=True, keepdims=True),
    Row("GlobalAveragePooling2D", (2, 4, 5, 3), data_format="channels_first"),
    Row("GlobalAveragePooling3D", (1, 2, 3, 4, 5), keepdims=True),
    Row("BatchNormalization", (6, 4), momentum=0.8),
    Row("BatchNormalization", (3, 4, 5, 2), axis=1, scale=False, epsilon=1e-2),
    Row("BatchNormalization", (3, 5, 2), center=False, mask=True),
    Row("BatchNormalization", (3, 5, 2), trainable=False),
    Row("LayerNormalization", (2, 5, 4)),
    Row("LayerNormalization", (2, 5, 4), axis=[1, 2], center=False, epsilon=1e-2),
    Row("Dropout", (20, 20), rate=0.4, seed=1),
    Row("Dropout", (20, 20), rate=0.0),
    Row("GaussianNoise", (20, 20), stddev=0.3, seed=1),
    Row("Flatten", (2, 3, 4)),
    Row("Flatten", (2, 3, 4, 5), data_format="channels_first"),
    Row("Reshape", (2, 3, 4), target_shape=(2, -1)),
    Row("Permute", (2, 3, 4, 5), dims=(3, 1, 2)),
    Row("RepeatVector", (2, 3), n=4),
    Row("Rescaling", (2, 3), scale=0.5, offset=-1.0),
    Row("Rescaling", (2, 3), scale=[0.5, 1.0, 2.0]),
    Row("Add", (2, 5, 3), (2, 5, 3), (2, 1, 3)),
    Row("Subtract", (2, 3), (2, 3)),
    Row("Multiply", (2, 5, 3), (2, 3)),
    Row("Average", (2, 3), (2, 3), (2, 3)),
    Row("Maximum", (2, 3), (2, 3)),
    Row("Minimum", (2, 3), (2, 3), (2, 1)),
    Row("Concatenate", (2, 3), (2, 4)),
    Row("Concatenate", (2, 3, 4), (2, 2, 4), axis=1),
    Row("Dot", (2, 3), (2, 3), axes=1, normalize=True),
    Row("Dot", (2, 3, 4), (2, 5, 3), axes=(1, 2)),
]
EVERY = pytest.mark.parametrize("row", TABLE, ids=repr)


def numpy(x: Any) -> Any:
    return keraunos.tree.map_structure(lambda a: np.asarray(ops.convert_to_numpy(a), "float32"), x)


def close(a: Any, b: Any, tolerance: float = 1e-5) -> None:
    assert np.shape(a) == np.shape(b)
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def through_json(config: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(config))


def test_every_class_has_a_row() -> None:
    classes = {getattr(layers, name) for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    apart = {layers.Layer, layers.InputLayer, layers.InputSpec}
    assert classes - apart == {getattr(layers, row.name) for row in TABLE}


@EVERY
def test_outputs_on_all_engines_and_in_keras(row: Row) -> None:
    config = row.make().get_config() if row.name != "Lambda" else {"function": keras.activations.tanh}
    theirs = getattr(keras.layers, row.name).from_config(through_json(config)) if row.name != "Lambda" else keras.layers.Lambda(**config)
    theirs.build(row.structure(list(row.shapes)))
    weights = row.weights(row.built())
    for training in (False, True):
        theirs.set_weights(weights) if weights else None
        expected = np.asarray(theirs(row.data(), **row.mask(), **({"training": training} if row.name in (*RANDOM, "BatchNormalization") else {})))
        for engine in ENGINES:
            with backend_scope(engine):
                layer = row.built()
                layer.set_weights(weights)
                y = layer(row.data(), training=training, **row.mask())
                if training and row.name in RANDOM and row.arguments.get("rate") != 0:
                    assert np.abs(numpy(y) - row.data()).max() > 0.1 and abs(float(numpy(y).mean()) - row.data().mean()) < 0.1
                else:
                    close(numpy(y), expected)
                for mine, other in zip(layer.get_weights(), theirs.weights, strict=True):  # the moving averages included
                    close(mine, np.asarray(other.value))


@EVERY
def test_shapes_and_specs(row: Row) -> None:
    def batch(size: Any) -> Any:
        return row.structure([(size, *shape[1:]) for shape in row.shapes])

    for engine in ENGINES:
        with backend_scope(engine):
            layer = row.built()
            assert layer.built
            y = layer(row.data())
            wanted = (None, *y.shape[1:])
            assert row.make().compute_output_shape(batch(None)) == wanted
            assert layer.compute_output_shape(batch(7)) == (7, *y.shape[1:])
            symbols = [keraunos.Input(shape[1:], dtype=row.dtype) for shape in row.shapes]
            symbol = row.make()(row.structure(symbols))
            assert symbol.shape == wanted
            assert symbol.dtype == keraunos.backend.standardize_dtype(y.dtype) == "float32"
            spec = layer.compute_output_spec(row.structure([s.spec for s in symbols]))
            assert (spec.shape, spec.dtype) == (wanted, "float32")


@EVERY
def test_config_makes_an_equal_layer(row: Row) -> None:
    for engine in ENGINES:
        with backend_scope(engine):
            layer = row.built()
            config = through_json(layer.get_config())
            again = type(layer).from_config(config)
            assert through_json(again.get_config()) == config
            again.build_from_config(through_json(layer.get_build_config()))
            again.set_weights(layer.get_weights())
            close(numpy(again(row.data())), numpy(layer(row.data())), 0)
            assert [(w.name, w.shape, w.trainable) for w in again.weights] == [(w.name, w.shape, w.trainable) for w in layer.weights]


@EVERY
def test_config_is_that_of_keras(row: Row) -> None:
    if row.name == "Lambda":
        return
    ours, theirs = (through_json(row.make(module, name="x").get_config()) for module in (layers, keras.layers))

    def names(value: Any) -> Any:  # where a class is defined may differ
        if isinstance(value, dict):
            return {k: names(v) for k, v in value.items() if k not in ("module", "registered_name")}
        return value

    off = {"renorm": False, "renorm_momentum": 0.99, "rms_scaling": False}  # older versions of Keras 3 do not know these
    expected = {k: v for k, v in names(theirs).items() if v is not None and (k, v) not in off.items()}
    assert {k: v for k, v in names(ours).items() if v is not None} == expected
    getattr(layers, row.name).from_config(theirs)


@EVERY
def test_gradients(row: Row) -> None:
    if not row.built().trainable_variables:
        return
    found = []
    for engine in ("jax", "torch"):
        with backend_scope(engine):
            layer = row.built()
            layer.set_weights(row.weights(layer))
            x = ops.convert_to_tensor(row.data())

            def loss(layer: Any = layer, x: Any = x) -> Any:
                return ops.sum(ops.sin(layer(x, training=True)))

            _, gradients = value_and_grad(loss, layer.trainable_variables)()
            found.append([numpy(g) for g in gradients])
            assert all(np.abs(g).max() > 0 for g in found[-1])
    for a, b in zip(*found, strict=True):
        close(a, b, 2e-5)


@EVERY
def test_mixed_precision(row: Row) -> None:
    wanted = numpy(row.built()(row.data())) if not row.built().weights else None
    for engine in ENGINES:
        with backend_scope(engine):
            layer = row.make(dtype="mixed_bfloat16")
            y = layer(row.data(), training=True)
            assert keraunos.backend.standardize_dtype(y.dtype) == "bfloat16"
            assert all(v.dtype == "float32" for v in layer.weights)
            symbol = layer(row.structure([keraunos.Input(shape[1:], dtype=row.dtype) for shape in row.shapes]))
            assert symbol.dtype == "bfloat16"
            if wanted is not None:
                close(numpy(layer(row.data())), wanted, 3e-2)
            assert layer.get_config()["dtype"]["config"] == {"name": "mixed_bfloat16"}


@EVERY
def test_model_file(row: Row, tmp_path: Any) -> None:
    for engine in ENGINES:
        with backend_scope(engine):
            inputs = [keraunos.Input(shape[1:], dtype=row.dtype) for shape in row.shapes]
            model = keraunos.Model(inputs, row.make()(row.structure(inputs)))
            model.save(tmp_path / "model.keras")
            again = keraunos.saving.load_model(tmp_path / "model.keras")
            x = row.data()
            close(numpy(again(x)), numpy(model(x)), 0)
            assert through_json(again.get_config()) == through_json(model.get_config())


@EVERY
def test_sizes_that_are_not_known(row: Row) -> None:
    """Axes that no weight depends on may be unknown; a weight's may not, and that is said."""
    if len(row.shapes) > 1 or len(row.shapes[0]) < 3 or row.name in ("Reshape", "Flatten"):
        return
    shape = [None] * (len(row.shapes[0]) - 1)
    layer, y = row.make(), row.make()(row.data())
    channels = 1 if row.arguments.get("data_format") == "channels_first" else row.arguments.get("axis", -1)
    if not layer.__class__.build.__qualname__.startswith("Layer") and row.built().weights:
        with pytest.raises((ShapeError, ArgumentError), match="must be known"):
            row.make()(keraunos.Input(shape, dtype=row.dtype))
    for axis in channels if isinstance(channels, list) else [channels]:
        shape[axis - 1 if axis > 0 else axis] = row.shapes[0][axis]
    if row.name == "PReLU":
        shape = list(row.shapes[0][1:])
    found = layer(keraunos.Input(shape, dtype=row.dtype)).shape
    assert len(found) == len(y.shape) and all(a is None or a == b for a, b in zip(found, y.shape, strict=True))
