"""Every layer class by its rows: the same contract on every engine, against the installed Keras.

The rows are `ROWS` of each `*_rows.py` here; `DRAWN` there are strategies of rows by class, for what is compared on rows that
are drawn.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pathlib
import zlib
from typing import Any

import hypothesis
import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.functional import Program, value_and_grad
from keraunos.layers.native import Native
from tests.conftest import BACKENDS, BFLOAT, TRAINING, in_force
from tests.layers.row import Row, close, flat, through_json

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

FAMILIES = [importlib.import_module(f"tests.layers.{path.stem}") for path in sorted(pathlib.Path(__file__).parent.glob("*_rows.py"))]
ROWS = [row for family in FAMILIES for row in family.ROWS]
DRAWN = {name: strategy for family in FAMILIES for name, strategy in getattr(family, "DRAWN", {}).items()}
EVERY = pytest.mark.parametrize("row", ROWS, ids=repr)
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")  # in Keras


def some(engines: tuple[str, ...], row: Row, count: int = 1) -> list[str]:
    """A few of the engines, others for other rows: what does not depend on the engine is not run on each."""
    first = zlib.crc32(repr(row).encode())
    return [engines[(first + i) % len(engines)] for i in range(min(count, len(engines)))]


@pytest.fixture(autouse=True, scope="module")
def plain_initial_values() -> Any:
    """Keras's layers begin with zeros: they are given ours, and JAX compiles a program for each shape that is drawn."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("VarianceScaling", "RandomUniform", "RandomNormal", "TruncatedNormal", "Orthogonal"):
            patch.setattr(getattr(keras.initializers, name), "__call__", lambda self, shape, dtype=None, **kwargs: keras.ops.zeros(shape, dtype or "float32"))
        yield


def peer(row: Row) -> Any:
    """Keras's layer of the row, built."""
    layer = row.make(keras.layers)
    if row.name in ("GroupQueryAttention", "HashedCrossing"):  # of which Keras refuses some symbols whose arrays it takes
        row.used(layer)
    else:
        row.used_on(layer, row.symbols(keras, row.shapes[0][0]))
    return layer


def give(theirs: Any, weights: list[Any]) -> None:
    """Set the weights of Keras's layer or model; some of its layers look at them when they are told so."""
    theirs.set_weights(weights)
    for layer in getattr(theirs, "layers", [theirs]):
        if weights and hasattr(layer, "finalize_state"):
            layer.finalize_state()


def through(model: Any, row: Row) -> list[Any]:
    """What Keras's model of the row gives; those of text it can only call layer by layer."""
    return flat(row.used(model.layers[-1]) if "string" in row.dtypes() else model(row.arrays()))


def outputs(engine: str, row: Row, layer: Any, training: bool) -> list[Any]:
    """What our layer gives: on JAX as one program, since each op by itself is compiled there too."""

    def call() -> Any:
        return row.used(layer, training=training)

    compiled = engine == "jax" and row.values is None
    return flat((Program(call, layer.variables) if compiled else call)())


def outputs_in_keras(row: Row, layer: Any, training: bool) -> list[Any]:
    """What Keras's layer gives, likewise; the values of its variables are then those after the call."""
    if row.values is not None or row.name == "SpectralNormalization":  # text is not compiled; and what changes a trainable weight is lost
        return flat(row.used(layer, training=training))
    jax = importlib.import_module("jax")
    more = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
    call = jax.jit(lambda trainable, others: layer.stateless_call(trainable, others, *row.data(), **row.options(), **more))
    given = [[v.value for v in variables] for variables in (layer.trainable_variables, layer.non_trainable_variables)]
    found, changed = call(*given)
    for variable, value in zip(layer.non_trainable_variables, changed, strict=True):
        variable.assign(value)
    return flat(found)


def gradients(engine: str, row: Row, layer: Any, training: bool) -> list[Any]:
    """Those of a smooth scalar of the outputs by the layer's variables."""
    with backend_scope(engine):

        def loss() -> Any:
            return sum(ops.sum(ops.sin(y)) for y in keraunos.tree.flatten(row.used(layer, training=training)))

        step = value_and_grad(loss, layer.trainable_variables)
        return flat((Program(step, layer.variables) if engine == "jax" else step)()[1])  # where each op by itself is compiled too


def gradients_in_keras(row: Row, layer: Any, training: bool) -> list[Any]:
    """The same, of Keras's layer."""
    jax = importlib.import_module("jax")
    more = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}

    def loss(trainable: Any, others: Any) -> Any:
        outputs, _ = layer.stateless_call(trainable, others, *row.data(), **row.options(), **more)
        return sum(keras.ops.sum(keras.ops.sin(y)) for y in keras.tree.flatten(outputs))

    return flat(jax.jit(jax.grad(loss))([v.value for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables]))


def test_every_class_has_a_row() -> None:
    classes = {getattr(layers, name) for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    apart = {layers.Layer, layers.Wrapper, layers.InputLayer, layers.InputSpec, *(kind for kind in classes if issubclass(kind, Native))}  # of one engine
    assert classes - apart == {getattr(layers, row.name) for row in ROWS}


@EVERY
def test_outputs_on_all_engines_and_in_keras(row: Row) -> None:
    weights = row.weights(row.built())
    theirs = peer(row) if row.peer else None
    for training in (False, True):
        expected = state = None
        if theirs is not None:
            give(theirs, weights)
            expected, state = outputs_in_keras(row, theirs, training), [np.asarray(w.value) for w in theirs.weights]
        for engine in BACKENDS:
            with backend_scope(engine):
                layer = row.built()
                layer.set_weights(weights)
                y = outputs(engine, row, layer, training)
                if training and row.random:
                    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(y, outputs(engine, row, layer, False), strict=True))
                    continue
                if expected is None:
                    expected, state = y, layer.get_weights()
                close(y, expected)
                close(layer.get_weights(), state)  # what calls change included


@EVERY
def test_shapes_and_specs(row: Row) -> None:
    for engine in some(BACKENDS, row, 2):
        with backend_scope(engine):
            layer = row.built()
            assert layer.built
            y = keraunos.tree.flatten(row.used(layer))
            for batch in (None, row.shapes[0][0]):
                symbols = row.symbols(batch=batch)
                found = keraunos.tree.flatten(row.used_on(row.make(), symbols))
                assert [s.shape for s in found] == [(batch if a.shape[:1] == row.shapes[0][:1] else a.shape[0], *a.shape[1:]) for a in y]
                assert [s.dtype for s in found] == [keraunos.backend.standardize_dtype(a.dtype) for a in y]
            if not row.call and not row.spread:
                (shapes,) = row.structure([(None, *shape[1:]) for shape in row.shapes])
                assert keraunos.tree.flatten(row.make().compute_output_shape(shapes)) == keraunos.tree.flatten([(None, *a.shape[1:]) for a in y])


@EVERY
def test_config_makes_an_equal_layer(row: Row) -> None:
    layer = row.built()
    config = through_json(layer.get_config())
    again = type(layer).from_config(config)
    assert through_json(again.get_config()) == config
    again.build_from_config(through_json(layer.get_build_config()))
    again.set_weights(layer.get_weights())
    close(flat(row.used(again)), flat(row.used(layer)), 0)
    assert [(w.name, w.shape, w.trainable) for w in again.weights] == [(w.name, w.shape, w.trainable) for w in layer.weights]


@EVERY
def test_config_is_that_of_keras(row: Row) -> None:
    if not row.peer:
        pytest.skip("Keras makes no such layer")
    ours, theirs = (through_json(row.make(module, name="x").get_config()) for module in (layers, keras.layers))

    def names(value: Any) -> Any:  # where a class is defined may differ, and how an inner layer is called
        if isinstance(value, dict):
            dropped = ("module", "registered_name", "build_config") + (("name",) if value is not ours and value is not theirs else ())
            return {k: names(v) for k, v in value.items() if k not in dropped and v is not None}
        return [names(v) for v in value] if isinstance(value, list) else value

    off = {"renorm": False, "renorm_momentum": 0.99, "rms_scaling": False}  # older versions of Keras 3 do not know these
    expected = {k: v for k, v in names(theirs).items() if (k, v) not in off.items()}
    assert {k: v for k, v in names(ours).items() if (k, v) not in off.items()} == expected
    getattr(layers, row.name).from_config(theirs)


@EVERY
def test_gradients(row: Row) -> None:
    layer = row.built()
    if not layer.trainable_variables:
        return
    weights, training = row.weights(layer), not row.random
    expected = None
    if row.peer:
        theirs = peer(row)
        give(theirs, weights)
        expected = gradients_in_keras(row, theirs, training)
    for engine in some(TRAINING, row, 2):
        with backend_scope(engine):
            layer = row.built()
            layer.set_weights(weights)
        found = gradients(engine, row, layer, training)
        assert all(np.abs(g).max() > 0 for g in found)
        expected = found if expected is None else expected
        close(found, expected, 2e-5)


@EVERY
def test_gradients_by_finite_differences(row: Row) -> None:
    """In float64, along one direction in the space of the weights."""
    if not row.built().trainable_variables:
        return
    h, rng = 1e-6, np.random.default_rng(5)
    with backend_scope("numpy"):
        layer = row.built(dtype="float64")
        weights = [w.astype("float64") for w in row.weights(layer)]
        directions = [rng.normal(size=v.shape) for v in layer.trainable_variables]
        places = [next(i for i, w in enumerate(layer.weights) if w is v) for v in layer.trainable_variables]

        def value(step: float) -> float:
            moved = list(weights)
            for place, direction in zip(places, directions, strict=True):
                moved[place] = weights[place] + step * direction
            layer.set_weights(moved)
            return sum(np.sum(np.sin(y)) for y in flat(row.used(layer, training=not row.random)))

        expected = (value(h) - value(-h)) / (2 * h)
    for engine in some(TRAINING, row):
        with in_force(engine):
            layer = row.built(dtype="float64")
            layer.set_weights(weights)
            found = gradients(engine, row, layer, not row.random)
            assert all(g.dtype == "float64" for g in found)
            close(sum(np.sum(g * d) for g, d in zip(found, directions, strict=True)), expected, 1e-6)


@EVERY
def test_mixed_precision(row: Row) -> None:
    if row.whole:
        return
    layer = row.built()
    weights = row.weights(layer)
    layer.set_weights(weights)
    wanted = flat(row.used(layer))
    for engine in some(BFLOAT, row, 2):
        with backend_scope(engine):
            layer = row.built(dtype="mixed_bfloat16")
            layer.set_weights(weights)
            assert all(v.dtype == "float32" for v in layer.trainable_weights)
            y = keraunos.tree.flatten(row.used(layer))
            symbols = keraunos.tree.flatten(row.used_on(layer, row.symbols()))
            for a, symbol, full in zip(y, symbols, wanted, strict=True):
                dtype = "bfloat16" if full.dtype == "float32" else full.dtype
                assert keraunos.backend.standardize_dtype(a.dtype) == symbol.dtype == dtype
                close(np.asarray(ops.convert_to_numpy(a), "float32"), full, 0.1)
            assert type(layer).from_config(through_json(layer.get_config())).dtype_policy.name == "mixed_bfloat16"


def model_of(row: Row, module: Any) -> Any:
    """A functional model of the layer alone."""
    inputs = row.symbols(module, row.shapes[0][0] if row.arguments.get("stateful") else None)
    return module.Model(inputs, row.used_on(row.make(module.layers), inputs))


@EVERY
def test_model_files(row: Row, tmp_path: Any) -> None:
    for engine in some(BACKENDS, row, 2):
        with backend_scope(engine):
            model = model_of(row, keraunos)
            model.set_weights(row.weights(model))
            model.save(tmp_path / "model.keras")
            model.save_weights(tmp_path / "model.weights.h5")
            again = keraunos.saving.load_model(tmp_path / "model.keras")
            other = model_of(row, keraunos)
            other.load_weights(tmp_path / "model.weights.h5")
            y = flat(model(row.arrays()))
            for loaded in (again, other):
                close(flat(loaded(row.arrays())), y, 0)
                close(loaded.get_weights(), model.get_weights(), 0)
            assert through_json(again.get_config()) == through_json(model.get_config())


@EVERY
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")  # in Keras
def test_files_of_keras(row: Row, tmp_path: Any) -> None:
    if not row.peer:
        pytest.skip("Keras makes no such layer")
    theirs = model_of(row, keras)
    give(theirs, row.weights(theirs))
    theirs.save(tmp_path / "theirs.keras")
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours = keraunos.saving.load_model(tmp_path / "theirs.keras")
    other = model_of(row, keraunos)
    other.load_weights(tmp_path / "theirs.weights.h5")
    expected = through(theirs, row)
    close(flat(ours(row.arrays())), expected)
    close(flat(other(row.arrays())), expected)
    ours.save(tmp_path / "ours.keras")
    close(through(keras.saving.load_model(tmp_path / "ours.keras"), row), expected)


@EVERY
def test_sizes_that_are_not_known(row: Row) -> None:
    """Axes that no weight depends on may be unknown; a weight's may not, and that is said."""
    if len(row.shapes) > 1 or len(row.shapes[0]) < 3 or row.fixed:
        return
    shape = [None] * (len(row.shapes[0]) - 1)
    layer, y = row.make(), keraunos.tree.flatten(row.used(row.make()))
    channels = 1 if row.arguments.get("data_format") == "channels_first" else row.arguments.get("axis", -1)
    if not layer.__class__.build.__qualname__.startswith("Layer") and row.built().weights:
        with pytest.raises((ShapeError, ArgumentError), match="must be known"):
            row.make()(keraunos.Input(shape, dtype=row.dtype))
    for axis in channels if isinstance(channels, list) else [channels]:
        shape[axis - 1 if axis > 0 else axis] = row.shapes[0][axis]
    found = keraunos.tree.flatten(layer(keraunos.Input(shape, dtype=row.dtype)))
    for symbol, value in zip(found, y, strict=True):
        assert len(symbol.shape) == len(value.shape)
        assert all(a is None or a == b for a, b in zip(symbol.shape, value.shape, strict=True))


@pytest.mark.parametrize("name", DRAWN)
@hypothesis.given(data=hypothesis.strategies.data())
@hypothesis.settings(max_examples=3, deadline=None, derandomize=True, database=None, phases=[hypothesis.Phase.generate])
def test_drawn_rows_in_keras(name: str, data: Any) -> None:
    """Outputs and gradients of layers whose arguments are drawn."""
    row = data.draw(DRAWN[name])
    assert row.name == name
    engine = "jax" if "jax" in BACKENDS else BACKENDS[0]
    with backend_scope(engine):
        layer = row.built()
    theirs, weights, training = peer(row), row.weights(layer), not row.random
    layer.set_weights(weights)
    give(theirs, weights)
    with backend_scope(engine):
        found = outputs(engine, row, layer, training)
    close(found, outputs_in_keras(row, theirs, training))
    if weights and engine in TRAINING and layer.trainable_variables:
        close(gradients(engine, row, layer, training), gradients_in_keras(row, theirs, training))


def test_every_class_is_drawn() -> None:
    assert {getattr(layers, name) for name in DRAWN} == {getattr(layers, row.name) for row in ROWS if row.peer}
