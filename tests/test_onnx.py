"""Models as ONNX: every op and layer traced, checked by ONNX, run by onnxruntime, and compared with what the engines compute."""

from __future__ import annotations

import contextlib
import pathlib
import re
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.cli.demo import network
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, BackendError, KeraunosError, StateError
from keraunos.core.scope import within
from keraunos.core.spec import OPERATORS
from keraunos.datasets import digits
from keraunos.export import export_model
from tests.conformance.test_ops import FIRST, leaves, widened
from tests.conformance.test_ops import _close as close
from tests.conftest import TRAINING
from tests.layers.test_contract import ROWS

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ENGINE = config.load_backend("onnx")


def run(model: Any, *arrays: Any) -> list[Any]:
    """The outputs that onnxruntime computes, of a file or its content."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"])
    return session.run(None, {given.name: x for given, x in zip(session.get_inputs(), arrays, strict=True)})


def exported(function: Any, arrays: Any, dynamic: Any = (), opset: int = 18) -> bytes:
    """`function` of inputs like the arrays, of which the dimensions counted in `dynamic` are not known."""
    from keraunos.export.onnx import Writer

    graph, place = ENGINE.Graph(opset), 0
    with within(backend=ENGINE), ENGINE.building(graph):
        inputs = []
        for i, x in enumerate(arrays):
            inputs.append(graph.input(x.dtype.name, [None if place + j in dynamic else d for j, d in enumerate(x.shape)], f"x{i}"))
            place += x.ndim
        out = function(*inputs)
        ENGINE.close(graph, out)
    return Writer(graph, [f"y{i}" for i in range(len(graph.outputs))]).message("case").SerializeToString()


def compare(case: Any, dynamic: Any = (), opset: int = 18) -> None:
    arrays = case.arrays(case.dtypes[0])
    if any(x.dtype.kind == "c" for x in arrays):
        pytest.skip("runtimes have no complex numbers")
    with np.errstate(all="ignore"):
        wanted = leaves(case.call(case.reference, widened(case, case.dtypes[0])))
    model = exported(lambda *xs: case.call(OPERATORS[case.op], list(xs)), arrays, dynamic, opset)
    for got, want in zip(run(model, *arrays), wanted, strict=True):
        assert got.shape == np.shape(want)
        close(config.load_backend("numpy"), case.seen(got), case.seen(want), case.tolerance * 2)


@pytest.mark.parametrize("case", FIRST)
@pytest.mark.parametrize("engine", ["onnx"])
def test_ops(case: Any, engine: str) -> None:
    compare(case)


@pytest.mark.parametrize("case", FIRST)
@pytest.mark.parametrize("engine", ["onnx"])
def test_ops_of_dynamic_batches(case: Any, engine: str) -> None:
    arrays, places, leading = case.arrays(case.dtypes[0]), 0, []
    for x in arrays:
        leading += [places] if x.ndim and places not in case.known else []
        places += x.ndim
    if leading:
        compare(case, leading)


# ---- layers and models ----
def predicts_alike(model: Any, path: Any, *batches: Any, tolerance: float = 1e-5, **options: Any) -> None:
    """The exported model gives what the model does, for each batch, a structure of arrays."""
    model.export(path, "onnx", **options)
    for data in batches:
        wanted = tree.flatten(model(data, training=False))
        for got, want in zip(run(path, *tree.flatten(data)), wanted, strict=True):
            np.testing.assert_allclose(got, ops.convert_to_numpy(want), tolerance, tolerance)


ON_ENGINES = [row for row in ROWS if not getattr(getattr(layers, row.name), "on_host", False)]


@pytest.mark.parametrize("row", [row for row in ON_ENGINES if not row.call], ids=repr)
@pytest.mark.parametrize("backend", ["numpy"], indirect=True)
def test_layers(row: Any, backend: Any, tmp_path: pathlib.Path) -> None:
    """Of batches of any size, through a mask where the row has one."""
    inputs = [keraunos.Input(shape[1:], dtype=row.dtype, name=f"in{i}") for i, shape in enumerate(row.shapes)]
    layer, masks = row.make(), [keraunos.Input(row.shapes[0][1:2], dtype="bool", name="mask")] if row.masked else []
    y = layer(*row.structure(inputs), **({"mask": masks[0]} if masks else {}))
    layer.set_weights(row.weights(layer))
    model = keraunos.Model([*inputs, *masks], y)
    batch = [*row.arrays(), *row.options().values()]
    predicts_alike(model, tmp_path / "layer.onnx", batch, [np.concatenate([x, x, x]) for x in batch])


@pytest.mark.parametrize("kind", ["convolutions", "dense"])
@pytest.mark.parametrize("backend", [name for name in TRAINING if name in ("jax", "torch")], indirect=True)
def test_trained_networks(kind: str, backend: Any, tmp_path: pathlib.Path) -> None:
    (x, y), (held, _) = digits.load_data()
    if kind == "dense":
        model = keraunos.Sequential([keraunos.Input((8, 8)), layers.Flatten(), layers.Dense(32, "gelu"), layers.BatchNormalization(), layers.Dense(10)])
        loss: Any = keraunos.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        model, loss = network(), "sparse_categorical_crossentropy"
    model.compile("adam", loss)
    model.fit(x[:256], y[:256], batch_size=64, epochs=1, verbose=0)
    model.export(tmp_path / "digits.onnx", "onnx")
    for n in (1, 7):
        data = held[:n].astype("float32")
        np.testing.assert_allclose(run(tmp_path / "digits.onnx", data)[0], model.predict(data, verbose=0), 1e-5, 1e-5)


class Twice(keraunos.Model):
    """A model of its own with two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = keraunos.Sequential([layers.Dense(4, "tanh"), layers.Dense(2)])

    def call(self, inputs: Any) -> Any:
        x = self.inner(inputs)
        return {"single": x, "double": ops.concatenate([x, -x], -1)}


def test_structures_and_names(tmp_path: pathlib.Path) -> None:
    path, random = tmp_path / "model.onnx", np.random.default_rng(0)
    a, b = keraunos.Input((4,), name="a"), keraunos.Input((None, 3), name="b")
    pooled = layers.GlobalAveragePooling1D()(b)
    inner = keraunos.Model(pooled, layers.Dense(4, name="inner_dense")(pooled), name="inner")
    joined = layers.Add(name="joined")([a, inner(pooled)])
    model = keraunos.Model({"a": a, "b": b}, {"sum": joined, "sequence": layers.Dense(2)(b), "b": b, "rows": ops.reshape(b, (-1, 3))})
    data = [{"a": random.normal(size=(n, 4)).astype("f"), "b": random.normal(size=(n, t, 3)).astype("f")} for n, t in ((1, 5), (7, 2))]
    predicts_alike(model, path, *data)
    graph = onnx.load(path).graph
    sizes = {x.name: [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim] for x in (*graph.input, *graph.output)}
    assert sizes.pop("rows") == ["rows_dim_0", 3]  # not as many as samples
    assert sizes == {"a": ["batch", 4], "b": ["batch", "b_dim_1", 3], "b_1": ["batch", "b_dim_1", 3], "sequence": ["batch", "b_dim_1", 2], "sum": ["batch", 4]}
    assert {x.name for x in graph.initializer} >= {"inner_dense/kernel", "inner_dense/bias"}

    model = Twice()
    model(np.ones((2, 3), "float32"))
    predicts_alike(model, path, *(random.normal(size=(n, 3)).astype("f") for n in (1, 7)))
    assert [x.name for x in onnx.load(path).graph.output] == ["double", "single"]
    signature = [keraunos.InputSpec(shape=(5, 3), name="features")]
    predicts_alike(model, path, np.ones((5, 3), "f"), input_signature=signature)
    (given,) = onnx.load(path).graph.input
    assert given.name == "features" and given.type.tensor_type.shape.dim[0].dim_value == 5


class Weighed(keraunos.Model):
    """A model with two arguments, and one that may be left out."""

    def call(self, values: Any, weights: Any, offset: Any = 0.0) -> Any:
        return ops.sum(values * weights + offset, -1)


def test_arguments_and_unknown_sizes(tmp_path: pathlib.Path) -> None:
    path, random = tmp_path / "model.onnx", np.random.default_rng(0)
    model = Weighed()
    values, weights = np.ones((2, 3), "f"), random.normal(size=(2, 3)).astype("f")
    model(values, weights)
    with pytest.raises(StateError, match="inputs of 'weighed.*' are not known"):
        model.export(path, "onnx")
    model.export(path, "onnx", input_signature=[keraunos.InputSpec(shape=(None, None)), keraunos.InputSpec(shape=(None, None), name="w")])
    np.testing.assert_allclose(run(path, values, weights)[0], weights.sum(-1), 1e-5)
    assert [x.name for x in onnx.load(path).graph.input] == ["values", "w"]
    spec = keraunos.InputSpec(shape=(None, 3))
    for signature, names in (([spec] * 3, ["values", "weights", "offset"]), ({"weights": spec, "values": spec}, ["values", "weights"])):
        model.export(path, "onnx", input_signature=signature)
        assert [x.name for x in onnx.load(path).graph.input] == names
    for wrong in (spec, [spec] * 4):
        with pytest.raises(ArgumentError, match=r"does not fit(.|\n)*argument: 'weights'"):
            model.export(path, "onnx", input_signature=wrong)

    inputs = keraunos.Input((None, None, 2))
    x = layers.Conv2D(3, 3, padding="same", strides=2)(inputs)
    x = layers.MaxPooling2D(2, padding="same")(x)
    model = keraunos.Model(inputs, [layers.Flatten()(x), layers.Reshape((-1, 3))(x), layers.Permute((2, 1, 3))(x), ops.repeat(x, 2, axis=1)])
    predicts_alike(model, path, *(random.normal(size=(n, h, w, 2)).astype("f") for n, h, w in ((1, 8, 9), (3, 5, 12))))

    layer = layers.Dense(2)
    layer(values)
    export_model(layer, path, "onnx")
    np.testing.assert_allclose(run(path, values)[0], ops.convert_to_numpy(layer(values)), 1e-5, 1e-5)


# ---- loops and branches ----
def lstm(x: Any, h: Any, c: Any, w: Any, u: Any) -> Any:
    def step(state: Any, row: Any) -> Any:
        h, c = state
        i, f, g, o = ops.split(ops.matmul(row, w) + ops.matmul(h, u), 4, axis=-1)
        c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
        h = ops.sigmoid(o) * ops.tanh(c)
        return (h, c), h

    (h, c), ys = ops.scan(step, (h, c), ops.swapaxes(x, 0, 1))
    return h, c, ops.swapaxes(ys, 0, 1)


def gru(x: Any, h: Any, w: Any, u: Any) -> Any:
    def step(h: Any, row: Any) -> Any:
        z, r, n = ops.split(ops.matmul(row, w), 3, axis=-1)
        uz, ur, un = ops.split(ops.matmul(h, u), 3, axis=-1)
        z, r = ops.sigmoid(z + uz), ops.sigmoid(r + ur)
        h = z * h + (1 - z) * ops.tanh(n + r * un)
        return h, h

    h, ys = ops.scan(step, h, ops.swapaxes(x, 0, 1), reverse=True)
    return h, ops.swapaxes(ys, 0, 1)


@pytest.mark.parametrize("opset", [9, 13, 18, 21])
@pytest.mark.parametrize(("cell", "gates", "states"), [(lstm, 4, 2), (gru, 3, 1)])
def test_recurrent_cells(cell: Any, gates: int, states: int, opset: int) -> None:
    """Through `ops.scan`, with dynamic batch and length."""
    random = np.random.default_rng(0)
    w, u = (random.normal(size=(n, gates * 4)).astype("f") / 2 for n in (3, 4))
    first = [np.zeros((2, 5, 3), "f"), *[np.zeros((2, 4), "f")] * states]
    model = exported(lambda x, *s: cell(x, *s, w, u), first, (0, 1, 3, 5), opset)
    for batch, length in ((1, 1), (3, 7)):
        data = [random.normal(size=(batch, length, 3)).astype("f"), *(random.normal(size=(batch, 4)).astype("f") for _ in range(states))]
        with config.backend_scope("numpy"):
            wanted = cell(*data, w, u)
        for got, want in zip(run(model, *data), wanted, strict=True):
            np.testing.assert_allclose(got, want, 1e-5, 1e-5)


@pytest.mark.parametrize(
    ("layer", "options", "opset", "operator"),
    [
        (layers.LSTM, {"return_sequences": True, "return_state": True}, 18, "LSTM"),
        (layers.LSTM, {"activation": "softsign", "use_bias": False, "go_backwards": True}, 7, "LSTM"),
        (layers.GRU, {"return_sequences": True}, 18, "GRU"),
        (layers.GRU, {"reset_after": False, "return_state": True}, 9, "GRU"),
        (layers.SimpleRNN, {}, 7, "RNN"),
        (layers.LSTM, {"activation": "relu"}, 18, "Scan"),
        (layers.LSTM, {"use_cudnn": False}, 9, "Scan"),
        (layers.LSTM, {"unroll": True}, 7, None),
        (layers.GRU, {"unroll": True, "return_sequences": True}, 9, None),
    ],
)
def test_recurrent_layers(layer: Any, options: Any, opset: int, operator: str | None, tmp_path: pathlib.Path) -> None:
    """As ONNX's operators where it has them, else as loops; unrolled where that is wanted, without operators that CNTK has not."""
    inputs = keraunos.Input((4, 3))
    made = layer(5, **options)
    model = keraunos.Model(inputs, made(inputs))
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape).astype("f") for w in model.weights])
    predicts_alike(model, tmp_path / "m.onnx", *(random.normal(size=(n, 4, 3)).astype("f") for n in (1, 6)), opset_version=opset)
    types = {n.op_type for n in onnx.load(tmp_path / "m.onnx").graph.node}
    assert types & {"LSTM", "GRU", "RNN", "Scan"} == ({operator} if operator else set())
    assert operator or not types & {"Shape", "Squeeze", "Expand", "Gather"}


def test_recurrent_layers_from_states(tmp_path: pathlib.Path) -> None:
    x, h, c = keraunos.Input((None, 3)), keraunos.Input((4,)), keraunos.Input((4,))
    y, *states = layers.LSTM(4, return_sequences=True, return_state=True)(x, initial_state=[h, c])
    model, random = keraunos.Model([x, h, c], [y, *states]), np.random.default_rng(0)
    predicts_alike(model, tmp_path / "m.onnx", *([random.normal(size=s).astype("f") for s in ((n, t, 3), (n, 4), (n, 4))] for n, t in ((1, 1), (5, 7))))
    assert "LSTM" in {n.op_type for n in onnx.load(tmp_path / "m.onnx").graph.node}


def test_branches_and_while_loops() -> None:
    def function(x: Any) -> Any:
        doubled = ops.while_loop(lambda v: ops.sum(v) < 100.0, lambda v: v * 2.0, x)
        return doubled, ops.cond(ops.sum(x) > 5.0, lambda: x + 1.0, lambda: x * ops.exp(x))

    model = exported(function, [np.ones(3, "f")])
    for x in (np.array([1, 2, 3], "f"), np.array([0.5, 0.25, 1], "f")):
        with config.backend_scope("numpy"):
            wanted = function(x)
        for got, want in zip(run(model, x), wanted, strict=True):
            np.testing.assert_allclose(got, want, 1e-5, 1e-5)


# ---- opsets, files and errors ----
@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 16, 17, 19, 21, 22])
def test_opsets(opset: int, tmp_path: pathlib.Path) -> None:
    """A model of common layers says the same in each; `check_model` has seen that its nodes are of that opset."""
    inputs = keraunos.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    x = layers.BatchNormalization()(layers.MaxPooling2D(padding="same")(x))
    x = layers.LayerNormalization()(layers.AveragePooling2D(2)(x))
    x = layers.Dense(5, activation="gelu" if opset >= 9 else "relu6")(ops.pad(layers.Flatten()(x), ((0, 0), (1, 1))))
    x = ops.softmax(layers.Permute((2, 1))(layers.Reshape((5, 1))(x)), axis=1)
    model = keraunos.Model(inputs, ops.clip(ops.mean(x[:, :, ::-1], axis=1) * 3.0, 0.1, 2.0))
    predicts_alike(model, tmp_path / "m.onnx", *(np.random.default_rng(0).normal(size=(n, 8, 8, 3)).astype("f") for n in (1, 3)), opset_version=opset)
    assert onnx.load(tmp_path / "m.onnx").opset_import[0].version == opset


OLD = ("floor_divide", "mod", "round", "equal", "less_equal", "maximum", "isinf", "sum", "any", "squeeze", "expand_dims", "get_item", "take", "pad", "flip")
OLD += ("sort", "argsort", "softmax", "log_softmax", "power", "where", "split", "arange", "roll", "transpose", "clip")
OLD += ("sign", "isnan", "matmul", "broadcast_to", "full_like", "minimum", "less", "greater", "relu6", "lstm", "gru", "simple_rnn", "einsum", "max_pool")


@pytest.mark.parametrize("opset", [7, 9, 11])
@pytest.mark.parametrize("case", [c for c in FIRST if c.values[0].op in OLD and c.values[0].shapes])
def test_ops_in_old_opsets(case: Any, opset: int) -> None:
    """In the form of the opset, or refused with the one that has what is lacking."""
    try:
        compare(case, (), opset)
    except BackendError as error:
        assert re.match(r"ONNX opset 7 has no [A-Z]\w+.*; opset (8|9|\d\d) has|ONNX opset \d+ has no Einsum; opset 12 has", str(error))


def test_shapes_that_opset_7_does_not_broadcast(tmp_path: pathlib.Path) -> None:
    a, b = keraunos.Input((3,)), keraunos.Input((1,))
    model = keraunos.Model([a, b], [ops.minimum(a, b), ops.maximum(a, 0.5), ops.maximum(np.ones(3, "f"), b)])
    data = [np.random.default_rng(0).normal(size=(4, n)).astype("f") for n in (3, 1)]
    predicts_alike(model, tmp_path / "m.onnx", data, opset_version=7)


def test_what_an_opset_lacks_is_said(tmp_path: pathlib.Path) -> None:
    inputs = keraunos.Input((4,))
    model = keraunos.Model(inputs, ops.cumsum(inputs, axis=1))
    with pytest.raises(BackendError, match="opset 9 has no CumSum; opset 11 has"):
        model.export(tmp_path / "m.onnx", "onnx", opset_version=9)
    with pytest.raises(BackendError, match="The onnx backend has no dtype complex64"):
        exported(lambda x: x, [np.ones(2, "complex64")])
    model = keraunos.Model(inputs, ops.linalg.svd(ops.reshape(inputs, (-1, 2, 2)))[1])
    with pytest.raises(BackendError, match="The onnx backend has no op 'svd'"):
        model.export(tmp_path / "m.onnx", "onnx")


def test_large_weights_stand_beside_the_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.export.onnx.LIMIT", 100)
    model = keraunos.Sequential([keraunos.Input((8,)), layers.Dense(16), layers.Dense(3)])
    predicts_alike(model, tmp_path / "m.onnx", np.ones((2, 8), "f"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert (tmp_path / "m.onnx.data").stat().st_size >= 4 * (8 * 16 + 16 * 3)
    onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)


def test_random_layers_and_dropout_predict(tmp_path: pathlib.Path) -> None:
    model = keraunos.Sequential([keraunos.Input((8,)), layers.Dropout(0.5), layers.GaussianNoise(1.0), layers.Dense(2)])
    before = model.layers[0].seed_generator.state.numpy()
    predicts_alike(model, tmp_path / "m.onnx", np.ones((2, 8), "f"))
    assert (model.layers[0].seed_generator.state.numpy() == before).all()
    assert {n.op_type for n in onnx.load(tmp_path / "m.onnx").graph.node} == {"MatMul", "Add"}
    noisy = exported(lambda x: x + keraunos.random.normal((1000,), seed=3), [np.zeros(1000, "f")])
    (noise,) = run(noisy, np.zeros(1000, "f"))
    assert abs(noise.mean()) < 0.2 and abs(noise.std() - 1) < 0.1


def test_mixed_precision(tmp_path: pathlib.Path) -> None:
    for policy, tolerance in (("mixed_float16", 5e-3), ("mixed_bfloat16", 5e-2)):
        model = keraunos.Sequential([keraunos.Input((8,)), layers.Dense(16, "relu", dtype=policy), layers.Dense(3, dtype="float32")])
        predicts_alike(model, tmp_path / "m.onnx", np.random.default_rng(0).normal(size=(4, 8)).astype("f"), tolerance=tolerance)


class Native(layers.Layer):
    """A layer that computes with NumPy."""

    def call(self, inputs: Any) -> Any:
        return np.tanh(inputs)


def test_errors(tmp_path: pathlib.Path) -> None:
    model = keraunos.Sequential([keraunos.Input((8,)), layers.Dense(2)])
    path = tmp_path / "m.onnx"
    with pytest.raises(ArgumentError, match="no export format 'tf_saved'(.|\n)*mean 'tf_saved_model'"):
        model.export(path, format="tf_saved")
    with pytest.raises(ArgumentError, match=r"a folder(.|\n)*format='onnx'"):
        model.export(path)
    with pytest.raises(ArgumentError, match="ends in '.onnx'"):
        model.export(tmp_path / "m.keras", "onnx")
    for version in (6, 99, "18"):
        with pytest.raises(ArgumentError, match="no ONNX opset"):
            model.export(path, "onnx", opset_version=version)
    with pytest.raises(TypeError, match="no option 'opset'"):
        model.export(path, "onnx", opset=18)
    with pytest.raises(ArgumentError, match="does not fit"):
        model.export(path, "onnx", input_signature=[keraunos.InputSpec(shape=(None, 8))] * 2)
    with pytest.raises(ArgumentError, match="shape is not known"):
        model.export(path, "onnx", input_signature=(None, 8))
    with pytest.raises(StateError, match="not built"):
        keraunos.Sequential([layers.Dense(2)]).export(path, "onnx")
    with config.backend_scope("numpy"):
        native = Native()
        native(np.ones((2, 3)))
        with pytest.raises(KeraunosError, match="no function of keraunos.ops"):
            export_model(native, path, "onnx")
    for name in ("set_backend", "backend_scope"):
        with pytest.raises(BackendError, match="Nothing runs on the onnx backend"), contextlib.ExitStack() as stack:
            found = getattr(keraunos, name)("onnx")
            stack.enter_context(found)
    assert not path.exists()
