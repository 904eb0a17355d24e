"""Every layer class by its rows: the same contract on every engine, against the installed Keras.

The rows are `ROWS` of each `*_rows.py` here; `DRAWN` there are strategies of rows by class, for what is compared on rows that
are drawn.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import pathlib
import zlib
from typing import Any, NamedTuple

import hypothesis
import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.functional import value_and_grad
from keraunos.layers.native import Native
from tests.conftest import BACKENDS, BFLOAT, TRAINING, in_force
from tests.layers.row import Row, arrays, at_once, close, flat, in_keras, through_json

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

FAMILIES = [importlib.import_module(f"tests.layers.{path.stem}") for path in sorted(pathlib.Path(__file__).parent.glob("*_rows.py"))]
ROWS = [row for family in FAMILIES for row in family.ROWS]
DRAWN = {name: strategy for family in FAMILIES for name, strategy in getattr(family, "DRAWN", {}).items()}
# What a row's tests share is computed once: they run in one worker.
EVERY = pytest.mark.parametrize("row", [pytest.param(row, id=repr(row), marks=pytest.mark.xdist_group(f"layers {i}")) for i, row in enumerate(ROWS)])
pytestmark = pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64:UserWarning")  # in Keras


def some(engines: tuple[str, ...], row: Row, count: int = 1) -> list[str]:
    """A few of the engines, others for other rows: what does not depend on the engine is not run on each."""
    first = zlib.crc32(repr(row).encode())
    return [engines[(first + i) % len(engines)] for i in range(min(count, len(engines)))]


@pytest.fixture(autouse=True, scope="module")
def plain_initial_values() -> Any:
    """Keras's layers begin with zeros: they are given ours, and JAX compiles a program for each shape that is drawn."""

    def zeros(self: Any, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
        return importlib.import_module("jax").device_put(np.zeros(shape, dtype or "float32"))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("Zeros", "Ones", "VarianceScaling", "RandomUniform", "RandomNormal", "TruncatedNormal", "Orthogonal"):
            patch.setattr(getattr(keras.initializers, name), "__call__", zeros)
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


class Found(NamedTuple):
    """What a layer computes, in prediction and then in training where both are asked for: its outputs, and its weights after that; and gradients."""

    outputs: list[list[Any]]
    weights: list[list[Any]]
    gradients: list[Any]  # of a smooth scalar of the outputs, by the layer's variables


def run(engine: str, row: Row, function: Any, variables: Any) -> Any:
    """What a function gives; text is not compiled."""
    return at_once(engine if row.values is None else "", function, variables)


def smooth(row: Row, layer: Any) -> Any:
    """A smooth scalar of what a layer of ours gives, in training where that draws nothing."""
    return sum(ops.sum(ops.sin(y)) for y in keraunos.tree.flatten(row.used(layer, training=not row.random)))


def computed(engine: str, rows: list[Row], trainings: list[list[bool]], differentiated: bool) -> list[Found]:
    """What our layers of some rows compute on an engine: all of it in one program, if it compiles."""

    def found(row: Row, layer: Any, training: list[bool]) -> Found:
        def values() -> list[Any]:
            return [ops.copy(w.value) for w in layer.weights]

        outputs, weights, begun = [], [], values()
        for mode in training:
            outputs.append(keraunos.tree.flatten(row.used(layer, training=mode)))
            weights.append(values())
            for variable, value in zip(layer.weights, begun, strict=True):
                variable.assign(value)
        slopes = value_and_grad(lambda: smooth(row, layer), layer.trainable_variables)()[1] if differentiated and layer.trainable_variables else []
        return Found(outputs, weights, slopes)

    with backend_scope(engine):
        made = [row.built() for row in rows]
        for row, layer in zip(rows, made, strict=True):
            layer.set_weights(row.weights(layer))
        variables = [v for layer in made for v in layer.variables]
        return [Found(*arrays(x)) for x in run(engine, rows[0], lambda: [found(*case) for case in zip(rows, made, trainings, strict=True)], variables)]


def computed_in_keras(rows: list[Row], trainings: list[list[bool]]) -> list[Found]:
    """The same, of Keras's layers."""
    jax = importlib.import_module("jax")
    made = [peer(row) for row in rows]
    for row, layer in zip(rows, made, strict=True):
        give(layer, row.weights(row.built()))

    def call(row: Row, layer: Any, values: Any, training: bool) -> tuple[list[Any], list[Any]]:
        more = {"training": training} if "training" in inspect.signature(layer.call).parameters else {}
        with keras.StatelessScope(state_mapping=list(zip(layer.variables, values, strict=True))) as scope:
            outputs = keras.tree.flatten(row.used(layer, **more))
            return outputs, [scope.get_current_value(w) for w in layer.weights]

    def found(row: Row, layer: Any, values: Any, training: list[bool]) -> Any:
        def loss(trained: Any) -> Any:
            known = dict(zip(map(id, layer.trainable_variables), trained, strict=True))
            outputs, _ = call(row, layer, [known.get(id(v), value) for v, value in zip(layer.variables, values, strict=True)], not row.random)
            return sum(keras.ops.sum(keras.ops.sin(y)) for y in outputs)

        outputs, weights = zip(*(call(row, layer, values, mode) for mode in training), strict=True)
        return outputs, weights, jax.grad(loss)([v.value for v in layer.trainable_variables]) if layer.trainable_variables else []

    def all_of_it(values: Any) -> Any:
        return [found(*case) for case in zip(rows, made, values, trainings, strict=True)]

    text = any(row.values is not None for row in rows)  # which is not compiled
    return [Found(*arrays(x)) for x in (all_of_it if text else jax.jit(all_of_it))([[v.value for v in layer.variables] for layer in made])]


@functools.cache
def expected(row: Row) -> Found | None:
    """What Keras's layer of the row computes."""
    return computed_in_keras([row], [[False] if row.random else [False, True]])[0] if row.peer else None


@functools.cache
def results(row: Row) -> dict[str, Found]:
    """What ours computes on each engine, with gradients on two of them."""
    return {engine: computed(engine, [row], [[False, True]], engine in some(TRAINING, row, 2))[0] for engine in BACKENDS}


def test_every_class_has_a_row() -> None:
    classes = {getattr(layers, name) for name in layers.__all__ if inspect.isclass(getattr(layers, name))}
    apart = {layers.Layer, layers.Wrapper, layers.InputLayer, layers.InputSpec, *(kind for kind in classes if issubclass(kind, Native))}  # of one engine
    assert classes - apart == {getattr(layers, row.name) for row in ROWS}


@EVERY
def test_outputs_on_all_engines_and_in_keras(row: Row) -> None:
    found = results(row)
    wanted = expected(row) or found[BACKENDS[0]]
    for ours in found.values():
        close(ours.outputs[0], wanted.outputs[0])
        close(ours.weights[0], wanted.weights[0])
        if row.random:
            assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(*ours.outputs, strict=True))
        else:
            close(ours.outputs[1], wanted.outputs[1])
            close(ours.weights[1], wanted.weights[1])  # what calls change included


@EVERY
def test_shapes_and_specs(row: Row) -> None:
    outputs = [found.outputs[0] for found in results(row).values()]
    for engine in some(BACKENDS, row, 2):
        with backend_scope(engine):
            for batch in (None, row.shapes[0][0]):
                layer = row.make()
                symbols = keraunos.tree.flatten(row.used_on(layer, row.symbols(batch=batch)))
                assert layer.built
                for y in outputs:
                    assert [s.shape for s in symbols] == [(batch if a.shape[:1] == row.shapes[0][:1] else a.shape[0], *a.shape[1:]) for a in y]
                    assert [s.dtype for s in symbols] == [keraunos.backend.standardize_dtype(a.dtype) for a in y]
            if not row.call and not row.spread:
                (shapes,) = row.structure([(None, *shape[1:]) for shape in row.shapes])
                assert keraunos.tree.flatten(row.make().compute_output_shape(shapes)) == keraunos.tree.flatten([(None, *a.shape[1:]) for a in outputs[0]])


@EVERY
def test_config_makes_an_equal_layer(row: Row) -> None:
    (engine,) = some(BACKENDS, row)
    with backend_scope(engine):
        layer = row.built()
        config = through_json(layer.get_config())
        again = type(layer).from_config(config)
        assert through_json(again.get_config()) == config
        again.build_from_config(through_json(layer.get_build_config()))
        again.set_weights(layer.get_weights())
        close(*arrays(run(engine, row, lambda: [keraunos.tree.flatten(row.used(one)) for one in (again, layer)], again.variables + layer.variables)), 0)
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
    found = [results(row)[engine].gradients for engine in some(TRAINING, row, 2)]
    wanted = expected(row)
    for ours in found:
        assert all(np.abs(g).max() > 0 for g in ours)
        close(ours, found[0] if wanted is None else wanted.gradients, 2e-5)


@EVERY
def test_gradients_by_finite_differences(row: Row) -> None:
    """In float64, along one direction in the space of the weights."""
    if row.whole:
        return
    h, rng = 1e-6, np.random.default_rng(5)
    with backend_scope("numpy"):
        layer = row.built(dtype="float64")
        if not layer.trainable_variables:
            return
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
            found = arrays(run(engine, row, lambda layer=layer: value_and_grad(lambda: smooth(row, layer), layer.trainable_variables)()[1], layer.variables))
            assert all(g.dtype == "float64" for g in found)
            close(sum(np.sum(g * d) for g, d in zip(found, directions, strict=True)), expected, 1e-6)


@EVERY
def test_mixed_precision(row: Row) -> None:
    if row.whole:
        return
    wanted = results(row)[BACKENDS[0]].outputs[0]
    for engine in some(BFLOAT, row, 2):
        with backend_scope(engine):
            layer = row.built(dtype="mixed_bfloat16")
            layer.set_weights(row.weights(layer))
            assert all(v.dtype == "float32" for v in layer.trainable_weights)
            y = run(engine, row, lambda layer=layer: keraunos.tree.flatten(row.used(layer)), layer.variables)
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


def called(model: Any, row: Row) -> list[Any]:
    """What a model of the row gives."""
    return keraunos.tree.flatten(model(row.arrays()))


def called_in_keras(models: list[Any], row: Row) -> list[list[Any]]:
    """What Keras's models of the row give, in one program; those of text it can only call layer by layer."""
    if "string" in row.dtypes():
        return [flat(row.used(model.layers[-1])) for model in models]

    def outputs() -> Any:
        return [keras.tree.flatten(model(row.arrays())) for model in models]

    return in_keras(outputs, [v for model in models for v in model.variables]) if row.values is None else arrays(outputs())


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
            models = [model, again, other]
            y, *found = arrays(run(engine, row, lambda models=models: [called(m, row) for m in models], [v for m in models for v in m.variables]))
            for loaded, z in zip((again, other), found, strict=True):
                close(z, y, 0)
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
    with backend_scope("numpy"):
        ours = keraunos.saving.load_model(tmp_path / "theirs.keras")
        other = model_of(row, keraunos)
        other.load_weights(tmp_path / "theirs.weights.h5")
        ours.save(tmp_path / "ours.keras")
        expected, again = called_in_keras([theirs, keras.saving.load_model(tmp_path / "ours.keras")], row)
        for found in (arrays(called(ours, row)), arrays(called(other, row)), again):
            close(found, expected)


@EVERY
def test_sizes_that_are_not_known(row: Row) -> None:
    """Axes that no weight depends on may be unknown; a weight's may not, and that is said."""
    if len(row.shapes) > 1 or len(row.shapes[0]) < 3 or row.fixed:
        return
    shape = [None] * (len(row.shapes[0]) - 1)
    layer, y = row.make(), results(row)[BACKENDS[0]].outputs[0]
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


def drawn(name: str) -> list[Row]:
    """Three rows of a class, always the same."""
    rows: list[Row] = []

    @hypothesis.settings(max_examples=3, deadline=None, derandomize=True, database=None, phases=[hypothesis.Phase.generate])
    @hypothesis.given(row=DRAWN[name])
    def draw(row: Row) -> None:
        rows.append(row)

    draw()
    return rows


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_rows_in_keras(name: str) -> None:
    """Outputs and gradients of layers whose arguments are drawn."""
    rows = drawn(name)
    assert {row.name for row in rows} == {name}
    trainings = [[not row.random] for row in rows]
    engine = "jax" if "jax" in BACKENDS else BACKENDS[0]
    for row, ours, theirs in zip(rows, computed(engine, rows, trainings, engine in TRAINING), computed_in_keras(rows, trainings), strict=True):
        try:
            close(ours.outputs, theirs.outputs)
            close(ours.weights, theirs.weights)
            close(ours.gradients, theirs.gradients if engine in TRAINING else [])
        except AssertionError as error:
            error.add_note(repr(row))
            raise


def test_every_class_is_drawn() -> None:
    assert {getattr(layers, name) for name in DRAWN} == {getattr(layers, row.name) for row in ROWS if row.peer}
