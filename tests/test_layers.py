"""`Layer` itself, and what holds for layers together; what holds for each class is in `layers/`."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, KeraunosError, ShapeError, StateError
from keraunos.core.masks import get_mask, set_mask
from keraunos.core.spec import Spec
from tests.conftest import BACKENDS
from tests.layers.row import close, through_json

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")


def built_dense(features: int) -> Any:
    layer = layers.Dense(2)
    layer.build((None, features))
    return layer


def numpy(x: Any) -> Any:
    return keraunos.tree.map_structure(lambda a: np.asarray(ops.convert_to_numpy(a), "float32"), x)


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Average", "Concatenate", "Dot"])
@pytest.mark.parametrize("given", [(True, True), (True, False), (False, False)])
def test_masks_of_merged_inputs(kind: str, given: Any) -> None:
    masks = [np.array([[True, True, False]]), np.array([[True, False, False]])]
    found = [m if there else None for m, there in zip(masks, given, strict=True)]
    x = np.ones((1, 3, 2), "float32")
    for arguments in ({"axes": 2},) if kind == "Dot" else ({"axis": 1}, {"axis": -1}) if kind == "Concatenate" else ({},):
        expected = getattr(keras.layers, kind)(**arguments).compute_mask([x, x], found)
        for engine in BACKENDS:
            with backend_scope(engine):
                tensors = [None if m is None else ops.convert_to_tensor(m) for m in found]
                mask = getattr(layers, kind)(**arguments).compute_mask([ops.convert_to_tensor(x)] * 2, tensors)
                assert (mask is None) == (expected is None)
                if mask is not None:
                    close(numpy(mask), np.asarray(expected, "float32"))


@pytest.mark.parametrize("training", [False, True])
def test_wholly_masked_batches(backend: Any, training: bool) -> None:
    x, mask = np.ones((2, 3, 4), "float32"), np.zeros((2, 3), bool)
    ours, theirs = layers.BatchNormalization(), keras.layers.BatchNormalization()
    close(numpy(ours(x, training=training, mask=mask)), np.asarray(theirs(x, training=training, mask=mask)), 1e-4)
    close(numpy(ours.moving_variance), np.asarray(theirs.moving_variance.value))
    mask[0] = [True, False, True]
    close(numpy(layers.Softmax()(x[:, :, 0], mask=mask)), np.asarray(keras.layers.Softmax()(x[:, :, 0], mask=mask)))


# ---- Layer itself ----
class Block(layers.Layer):
    """A layer that holds others in every way, with its own `__init__` as in Keras."""

    def __init__(self, units: int, rate: float = 0.0, names: Any = ("a", "b"), **kwargs: Any):
        super().__init__(**kwargs)
        self.first = layers.Dense(units)
        self.listed = [layers.Dense(units, use_bias=False), {"deep": (layers.Dropout(0.5, seed=1),)}]
        self.named = {name: layers.Dense(1) for name in names}
        self.mean = keraunos.metrics.Mean()
        self.free = keraunos.Variable(np.zeros(2, "float32"), name="free")

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.listed[0](self.first(inputs))
        return sum(layer(x) for layer in self.named.values())


def test_tracking_reads_attributes_lists_and_dicts(backend: Any) -> None:
    block = Block(3)
    block(np.ones((2, 4), "float32"))
    assert len(block.weights) == len(block.trainable_weights) == 1 + 2 + 1 + 4
    assert len(block.variables) == len(block.weights) + 1 + 2  # a seed generator's state, and two of the metric
    assert len(block.non_trainable_variables) == 1 and len(block.metrics) == 1
    assert block.free.path == "free"  # as in Keras: it was made in no `build`
    block.listed.append(layers.Dense(2))
    block.listed[-1].build((None, 3))
    assert len(block.weights) == 10
    del block.named["a"]
    assert len(block.weights) == 8
    block.again = block.first  # the same layer in two places counts once
    assert len(block.weights) == 8 and block.count_params() == sum(v.size for v in block.weights)


def test_trainable_reaches_what_is_held(backend: Any) -> None:
    block = Block(3)
    block(np.ones((2, 4), "float32"))
    block.trainable = False
    assert not block.trainable_weights and len(block.non_trainable_weights) == 8 and not block.first.trainable
    block.first.trainable = True
    assert not block.trainable_weights and len(block.first.trainable_weights) == 2
    block.trainable = True
    assert len(block.trainable_weights) == 8
    norm = layers.BatchNormalization(trainable=False)
    norm.build((None, 3))
    assert not norm.trainable_weights and len(norm.non_trainable_weights) == 4
    norm.trainable = True
    assert [w.name for w in norm.trainable_weights] == ["gamma", "beta"] and len(norm.non_trainable_weights) == 2


def test_add_weight(backend: Any) -> None:
    class Weights(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.w = self.add_weight(shape=(2, 3), regularizer="l2", constraint="non_neg", name="w")
            self.i = self.add_weight(dtype="int32", trainable=False)
            self.s = self.add_variable((2,), "ones", name="s")

        def call(self, inputs: Any) -> Any:
            return inputs

    layer = Weights(name="mine")
    layer.build(None)
    assert [(w.path, w.shape, w.dtype) for w in layer.weights] == [
        ("mine/w", (2, 3), "float32"), ("mine/s", (2,), "float32"), ("mine/variable", (), "int32")]  # fmt: skip
    assert layer.w.regularizer is not None and layer.w.constraint is not None and np.abs(layer.w.numpy()).max() > 0
    close(numpy(layer.losses[0]), np.float32(0.01 * np.square(layer.w.numpy()).sum()))
    with pytest.raises(StateError, match="Weights cannot be made in `call`"):
        layer.add_weight(shape=(1,))
    with pytest.raises(ShapeError, match="must be known"):
        layers.Dense(2).build((None, None))


def test_weights_are_set_whole_or_not_at_all(backend: Any) -> None:
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    before[0][0, 0] += 1  # a copy
    with pytest.raises(ShapeError, match="1 arrays were given for 2 weights"):
        layer.set_weights([before[0]])
    with pytest.raises(ShapeError, match="does not fit its weight; nothing was set"):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    with pytest.raises(ShapeError, match="does not fit its weight; nothing was set"):
        layer.load_own_variables({"0": np.ones((3, 2)), "1": np.ones(3)})
    with pytest.raises(StateError, match="has 2 variables; the file has 1"):
        layer.load_own_variables({"0": np.ones((3, 2))})
    assert layer.get_weights()[0][0, 0] == before[0][0, 0] - 1
    layer.set_weights([[[1, 2], [3, 4], [5, 6]], [7, 8]])
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert store["0"].tolist() == [[1, 2], [3, 4], [5, 6]] and store["1"].tolist() == [7, 8]


def test_losses_are_those_of_the_last_call(backend: Any) -> None:
    class Penalty(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.sum(inputs))
            return inputs

    x = np.ones((2, 3), "float32")
    layer = Penalty()
    assert layer(keraunos.Input((3,))).shape == (None, 3) and layer.losses == []
    for factor in (1, 2):
        layer(factor * x)
        assert [float(loss) for loss in layer.losses] == [6.0 * factor]
    model = keraunos.Sequential([layer, layers.Dense(2, activity_regularizer="l2", kernel_regularizer="l1"), Penalty()])
    for _ in range(2):
        y = numpy(model(x))
        expected = [6.0, float(0.01 * np.square(y).sum() / 2), float(y.sum()), float(0.01 * np.abs(model.layers[1].kernel.numpy()).sum())]
        np.testing.assert_allclose(sorted(float(numpy(loss)) for loss in model.losses), sorted(expected), rtol=1e-5)


def test_stateless_call(backend: Any) -> None:
    layer = layers.BatchNormalization(momentum=0.5, gamma_regularizer="l2")
    x = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    layer.build(x.shape)
    before = layer.get_weights()
    trainable, other = [v.value * 2 for v in layer.trainable_variables], [v.value for v in layer.non_trainable_variables]
    y, new, losses = layer.stateless_call(trainable, other, x, training=True, return_losses=True)
    for a, b in zip(layer.get_weights(), before, strict=True):
        close(a, b, 0)
    close(numpy(losses[0]), np.float32(0.01 * 4 * 3))
    close(numpy(new[0]), 0.5 * x.mean(0))
    layer.set_weights([numpy(v) for v in (*trainable, *other)])
    close(numpy(layer(x, training=True)), numpy(y))
    close(numpy(new[1]), layer.get_weights()[3])


@keraunos.saving.register_keras_serializable(package="tests")
class Scaled(layers.Layer):
    def __init__(self, factor: float, inner: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor, self.inner = factor, inner or layers.Dense(2)

    def call(self, inputs: Any) -> Any:
        return self.factor * self.inner(inputs)


def test_own_init_is_captured(backend: Any, tmp_path: Any) -> None:
    layer = Scaled(2.0, inner=layers.Dense(3, activation="tanh"), name="scaled", dtype="float32")
    layer.trainable = False  # the state counts, not what `__init__` was called with
    config = through_json(layer.get_config())
    assert config["factor"] == 2.0 and config["inner"]["config"]["units"] == 3 and config["trainable"] is False
    again = Scaled.from_config(config)
    assert (again.factor, again.inner.units, again.name, again.trainable) == (2.0, 3, "scaled", False)
    inputs = keraunos.Input((4,))
    model = keraunos.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    x = np.ones((2, 4), "float32")
    close(numpy(keraunos.saving.load_model(tmp_path / "model.keras")(x)), numpy(model(x)), 0)

    class Closed(layers.Layer):
        def __init__(self, factor: float):
            super().__init__()

    closed = Closed(1.0)
    closed.trainable = False
    assert (Closed.from_config(closed.get_config()).name, Closed.from_config(closed.get_config()).trainable) == (closed.name, False)
    with pytest.raises(ArgumentError, match="could not be made from its config"):
        Closed.from_config({"factor": 1.0, "other": 2.0})


def test_declared_fields_of_a_subclass(backend: Any) -> None:
    class Wider(layers.Dense):
        factor: float = 2.0

        def call(self, inputs: Any, training: Any = None) -> Any:
            return super().call(inputs) * self.factor

    layer = Wider(3, factor=0.5, use_bias=False)
    assert layer(np.ones((1, 2), "float32")).shape == (1, 3)
    assert Wider.from_config(layer.get_config()).factor == 0.5
    with pytest.raises(ArgumentTypeError, match="Did you mean 'units'"):
        layers.Dense(unit=3)
    with pytest.raises(ArgumentError, match="without '/'"):
        layers.Dense(3, name="a/b")
    with pytest.raises(StateError, match="has no call method"):
        layers.Layer()(np.ones(2, "float32"))


def test_fields_are_declared_by_annotations_that_are_objects() -> None:
    program = """
from typing import ClassVar, Literal
class Scaled(keras.layers.Layer):
    units: int
    mode: Literal["rows", "columns"] = "rows"
    kernel_initializer: keras.initializers.Initializer = "zeros"
    limit: float | None = None
    shared: ClassVar[int] = 3
    kernel: keras.Variable
    def build(self, input_shape):
        self.kernel = self.weight("kernel", (input_shape[-1], self.units))
    def call(self, x):
        return x @ self.kernel
"""
    names: dict[str, Any] = {"keras": keraunos}
    exec(compile(program, "program", "exec", dont_inherit=True), names)  # where nothing is said of __future__
    layer = names["Scaled"](2, "columns")
    assert list(layer.fields) == ["units", "mode", "kernel_initializer", "limit"] and type(layer.kernel_initializer).__name__ == "Zeros"
    assert layer(np.ones((1, 3), "float32")).shape == (1, 2)
    with pytest.raises(ArgumentError, match="columns"):
        names["Scaled"](2, mode="colums")
    with pytest.raises(ArgumentTypeError, match="units must be an integer"):
        names["Scaled"]("2")


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64"])
def test_embedding_takes_small_integers(backend: Any, dtype: str) -> None:
    embed = layers.Embedding(4, 2)
    found = numpy(embed(keraunos.ops.convert_to_tensor(np.array([[1, 3]], dtype))))
    np.testing.assert_array_equal(found, numpy(embed.embeddings)[[[1, 3]]])


def test_masks_flow_through_models(backend: Any) -> None:
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    seen = []

    class Look(layers.Layer):
        supports_masking = True

        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(mask)
            return inputs

    embed, pool = layers.Embedding(4, 2, mask_zero=True), layers.GlobalAveragePooling1D()
    parts = [embed, layers.Dense(3), layers.Dropout(0.5), Look(), pool]
    y = numpy(keraunos.Sequential(parts)(ids))
    close(numpy(seen[-1]), (ids != 0).astype("float32"))
    x = parts[1](embed(ids))
    close(numpy(get_mask(x)), (ids != 0).astype("float32"))
    close(y, np.stack([numpy(x)[0, :2].mean(0), numpy(x)[1, :1].mean(0)]))
    with pytest.warns(UserWarning, match="mask of its input ends here: Flatten"):
        assert get_mask(layers.Flatten()(x)) is None  # which keeps no masks

    shown = ops.convert_to_tensor(np.zeros((2, 3), bool))
    Look()(x, shown)  # a mask that is given goes before the input's own
    assert seen[-1] is shown
    assert get_mask(embed(keraunos.Input((3,), dtype="int32"))) is not None

    class Attend(layers.Layer):
        def call(self, query: Any, value: Any, query_mask: Any = None, value_mask: Any = None) -> Any:
            return query_mask, value_mask

    other = ops.convert_to_tensor(np.ones((2, 3, 1), "float32"))
    mine, none = Attend()(x, value=other)
    assert none is None
    close(numpy(mine), (ids != 0).astype("float32"))
    set_mask(other, shown)
    assert Attend()(x, other)[1] is shown


def test_where_a_mask_ends_is_told_once() -> None:
    class Takes(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            return inputs

    def told(*parts: Any) -> list[str]:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            inputs = keraunos.Input((3,), dtype="int32")
            x = layers.Embedding(5, 4, mask_zero=True)(inputs)
            for part in parts:
                x = part(x)
            model = keraunos.Model(inputs, x)
            for _ in range(2):
                model(np.array([[1, 2, 0]]))
        return [str(warning.message) for warning in found]

    for passes_on in (
        layers.Dense(3),
        layers.Dropout(0.1),
        layers.LayerNormalization(),
        layers.MultiHeadAttention(1, 2),
        Takes(),
        keraunos.Sequential([layers.Dense(3)]),
    ):
        given = [lambda x, part=passes_on: part(x, x)] if isinstance(passes_on, layers.MultiHeadAttention) else [passes_on]
        assert told(*given, layers.LSTM(2)) == []
    assert told(layers.LSTM(2), layers.Reshape((2, 1)), layers.Conv1D(1, 1)) == []
    assert told(layers.GlobalAveragePooling1D(), layers.Dense(2)) == []
    for ends in (layers.Conv1D(3, 2, name="ends"), layers.Flatten(name="ends"), layers.GlobalMaxPooling1D(name="ends"), layers.Permute((2, 1), name="ends")):
        (text,) = told(ends)
        assert f"ends here: {type(ends).__name__} does not pass masks on" in text and "Where: ends" in text and "supports_masking" in text


def test_the_training_flag(backend: Any) -> None:
    class Flag(layers.Layer):
        def call(self, inputs: Any, training: Any = None) -> Any:
            return inputs + (1.0 if training else 0.0)

    class Outer(layers.Layer):
        def __init__(self, **given: Any):
            super().__init__()
            self.inner, self.given = Flag(), given

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs, **self.given)

    x = np.zeros((1, 1), "float32")
    for call, expected in [
        (lambda: Flag()(x), 0), (lambda: Flag()(x, training=True), 1), (lambda: Flag()(x, True), 1), (lambda: Outer()(x), 0),
        (lambda: Outer()(x, training=True), 1), (lambda: Outer(training=False)(x, training=True), 0), (lambda: Outer(training=True)(x), 1),
        (lambda: keraunos.Sequential([Outer()])(x, training=True), 1),
    ]:  # fmt: skip
        assert float(numpy(call())[0, 0]) == expected
    outer = Outer()
    assert [float(numpy(outer(x, training=t))[0, 0]) for t in (None, True, False, True)] == [0, 1, 0, 1]  # built: the short way


def test_what_is_converted(backend: Any) -> None:
    class Same(layers.Layer):
        def call(self, inputs: Any, scale: Any = None, mode: Any = None) -> Any:
            return inputs, scale, mode

    def kinds(x: Any) -> Any:
        return keraunos.backend.standardize_dtype(x.dtype)

    x, scale, mode = Same()(np.ones((2, 2)), scale=2.0, mode="fast")
    assert backend.is_tensor(x) and kinds(x) == "float32" and backend.is_tensor(scale) and mode == "fast"
    assert kinds(Same()(np.ones(2, "int32"))[0]) == "int32" and Same()(np.ones(2), mode=True)[2] is True
    assert kinds(Same(autocast=False)(np.ones(2, "float16"))[0]) == "float16" and kinds(Same(dtype="float16")(np.ones(2, "float32"))[0]) == "float16"
    assert Same()([[1.0, 2.0], [3.0, 4.0]])[0].shape == (2, 2)
    structure = Same()({"a": np.ones(2), "b": [np.ones(3), keraunos.Variable([1.0])]})[0]
    assert all(backend.is_tensor(leaf) for leaf in keraunos.tree.flatten(structure))


def test_several_inputs_build_by_name(backend: Any) -> None:
    class Two(layers.Layer):
        def build(self, query_shape: Any, value_shape: Any) -> None:
            self.q, self.v = layers.Dense(2), layers.Dense(2)
            self.q.build(query_shape)
            self.v.build(value_shape)

        def call(self, query: Any, value: Any) -> Any:
            return self.q(query) + self.v(value)

    layer = Two()
    assert layer(np.ones((1, 3), "float32"), value=np.ones((1, 4), "float32")).shape == (1, 2)
    again = Two()
    again.build_from_config(through_json(layer.get_build_config()))
    assert [w.shape for w in again.weights] == [(3, 2), (2,), (4, 2), (2,)]
    assert Two().compute_output_shape((None, 3), (None, 4)) == (None, 2)


def test_specs_of_native_functions_and_of_own_shapes(backend: Any) -> None:
    class Native(layers.Layer):
        def call(self, inputs: Any) -> Any:
            if isinstance(inputs, Spec):
                raise AttributeError("as a native function or method would")
            return ops.sum(ops.reshape(inputs, (inputs.shape[0], -1)), 0, keepdims=True), inputs

    class Own(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs.undefined

        def compute_output_shape(self, input_shape: Any) -> Any:
            return {"a": (*input_shape[:-1], 5), "b": [input_shape]}

    first, second = Native()(keraunos.Input((2, 3)))
    assert first.shape == (1, 6) and second.shape == (None, 2, 3)
    out = Own()(keraunos.Input((4,)))
    assert out["a"].shape == (None, 5) and out["b"][0].shape == (None, 4)
    norm = layers.BatchNormalization()
    norm(keraunos.Input((3,)), training=True)
    close(norm.moving_mean.numpy(), np.zeros(3))  # a symbolic call assigns nothing


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "rank": (lambda: layers.Conv2D(2, 3)(np.ones((1, 8, 8), "float32")), "cannot take an input of 3 axes"),
    "least rank": (lambda: layers.Dense(2)(np.ones(3, "float32")), "at least 2 axes (batch, features)"),
    "features": (lambda: built_dense(3)(np.ones((2, 4), "float32")), "The input has 4 features; 'dense"),
    "sizes": (lambda: layers.Conv2D(2, (3, 3, 3)), "Conv2D: kernel_size needs 2 integers, got 3."),
    "padding": (lambda: layers.MaxPooling2D(padding="causal"), "MaxPooling2D: padding cannot be 'causal'."),
    "causal": (lambda: layers.Conv2D(2, 3, padding="causal"), "Conv2D: padding cannot be 'causal'."),
    "strides": (lambda: layers.Conv2D(2, 3, strides=2, dilation_rate=2), "do not go together"),
    "groups": (lambda: layers.Conv2D(3, 3, groups=2), "filters must be divisible by groups"),
    "channels": (lambda: layers.Conv2D(4, 3, groups=2)(keraunos.Input((8, 8, 3))), "3 channels cannot be divided into 2 groups"),
    "unsupported": (lambda: layers.Dense(2, quantization_config={"mode": "int8"}), "Dense: quantization_config must be left out: it is not supported yet."),
    "renorm": (lambda: layers.BatchNormalization(renorm=True, renorm_clipping={"max": 2.0}), "renorm_clipping has no such bounds."),
    "not a list": (lambda: layers.Add()(np.ones((1, 2), "float32")), "Add merges a list of inputs"),
    "three": (lambda: layers.Subtract()([np.ones((1, 2), "float32")] * 3), "Subtract merges two inputs, 3 were given"),
    "merge": (lambda: layers.Add()([keraunos.Input((2,), name="p"), keraunos.Input((3,), name="q")]), "differ at axis 1: 2 from 'p', 3 from 'q'"),
    "concatenate": (lambda: layers.Concatenate(1)([np.ones((1, 2, 3)), np.ones((1, 2, 4))]), "differ at axis 2: 3 from input 0, 4 from input 1"),
    "ranks": (lambda: layers.Concatenate()([keraunos.Input((2,)), keraunos.Input((2, 2))]), "axes"),
    "dot": (lambda: layers.Dot((1, 2))([keraunos.Input((2, 4)), keraunos.Input((2, 3))]), "differ at axes 1 and 2: 2 from"),
    "reshape": (lambda: layers.Reshape((4,))(np.ones((2, 3), "float32")), "A sample of shape (3,) (3 elements) cannot take the shape (4,)."),
    "permute": (lambda: layers.Permute((1, 3)), "Permute needs each axis from 1 to 2 once"),
    "rate": (lambda: layers.Dropout(1.5), "Dropout: rate must be a number from 0 to 1."),
    "relu": (lambda: layers.ReLU(negative_slope=-1), "ReLU: negative_slope must be a finite number of at least 0."),
    "lambda": (lambda: layers.Lambda("tanh"), "Lambda needs a function"),
    "no shape": (lambda: keraunos.Input(), "needs the shape of one sample"),
    "a number": (lambda: keraunos.Input(3), "A shape is a tuple"),
    "negative": (lambda: keraunos.Input((-1,)), "no negative sizes"),
    "sparse": (lambda: keraunos.Input((2,), sparse=True), "not supported"),
    "called never": (lambda: layers.Dense(2).output, "was called 0 times on symbolic tensors"),
    "unknown": (lambda: layers.Dense(2)(keraunos.Input((None,))), "The shape of 'kernel' must be known."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told(backend: Any, mistake: str) -> None:
    call, message = MISTAKES[mistake]
    with pytest.raises(KeraunosError, match=re.escape(message)):
        call()


def test_errors_name_the_layer(backend: Any) -> None:
    class Broken(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return ops.matmul(inputs, np.ones((5, 5), "float32"))

    with pytest.raises(ShapeError, match=r"(?s)outer > broken.*\(2, 3\)"):
        keraunos.Sequential([Broken(name="broken")], name="outer")(np.ones((2, 3), "float32"))


def test_input_spec() -> None:
    spec = layers.InputSpec(shape=(None, 3), allow_last_axis_squeeze=True)
    layer = layers.Dense(1, name="d")
    for shape in ((2, 3), (2,), (2, 3, 1), (None, 3)):
        spec.check(keraunos.KerasTensor(shape), layer)
    for wrong in (spec, layers.InputSpec(max_ndim=1), layers.InputSpec(min_ndim=3), layers.InputSpec(ndim=3), layers.InputSpec(axes={-1: 3})):
        with pytest.raises(ShapeError):
            wrong.check(keraunos.KerasTensor((2, 4)), layer)
    config = spec.get_config()
    assert layers.InputSpec.from_config(config).get_config() == config and config["ndim"] == 2


@pytest.mark.parametrize("engine", BACKENDS)
def test_stateless_call_takes_variables_for_their_values(engine: str) -> None:
    with keraunos.backend_scope(engine):
        layer = layers.BatchNormalization()
        layer.build((None, 3))
        x = keraunos.ops.convert_to_tensor(np.arange(6, dtype="float32").reshape(2, 3))
        outputs, others = layer.stateless_call(layer.trainable_variables, layer.non_trainable_variables, x, training=True)
        assert tuple(outputs.shape) == (2, 3) and not any(isinstance(v, keraunos.Variable) for v in others)
        np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)
