"""Losses against the installed Keras, on every engine; their reductions, masks, configs and errors."""

from __future__ import annotations

import functools
import inspect
import math
import os
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keraunos
from keraunos import losses
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.functional import Program, value_and_grad
from keraunos.core.masks import set_mask
from tests.conftest import BACKENDS, BFLOAT, TRAINING

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.xdist_group("losses")  # what JAX compiles for one test it has for the others, and what Keras gives is computed once
CLASSES = [name for name in losses.__all__ if name[0].isupper() and name != "Loss"]
FUNCTIONS = [name for name in losses.__all__ if name[0].islower() and name not in ("get", "serialize", "deserialize")]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("BinaryCrossentropy", {"label_smoothing": 0.2}),
    ("BinaryCrossentropy", {"from_logits": True}),
    ("BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5, "label_smoothing": 0.1}),
    ("BinaryFocalCrossentropy", {"from_logits": True, "alpha": 0.4}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}),
    ("CategoricalCrossentropy", {"from_logits": True}),
    ("CategoricalFocalCrossentropy", {"from_logits": True, "gamma": 1.0}),
    ("CategoricalFocalCrossentropy", {"alpha": [0.1, 0.2, 0.3, 0.9], "label_smoothing": 0.1}),
    ("CategoricalGeneralizedCrossEntropy", {"q": 0.2}),
    ("Circle", {"gamma": 16.0, "margin": 0.2, "remove_diagonal": False}),
    ("CosineSimilarity", {"axis": 0}),
    ("Dice", {"axis": (1,)}),
    ("Huber", {"delta": 0.2}),
    ("SparseCategoricalCrossentropy", {"from_logits": True}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}),
    ("Tversky", {"alpha": 0.2, "beta": 0.9}),
]
CASES = [(name, {}) for name in CLASSES] + OPTIONS
REDUCTIONS = ("sum_over_batch_size", "sum", "none", "mean", "mean_with_sample_weight")
UNWEIGHTED = ("Dice", "Tversky", "Circle")


def numpy(x: Any) -> Any:
    return keraunos.ops.convert_to_numpy(x)


def data(name: str, shape: tuple[int, ...] = (6, 4)) -> tuple[Any, Any, Any]:
    """Targets, predictions and weights that fit a loss."""
    rng = np.random.default_rng(len(name) + len(shape))
    if name in ("CTC", "ctc"):
        return np.array([[1, 2], [3, 0], [1, 1]]), rng.normal(size=(3, 6, 4)).astype("float32"), rng.random(3).astype("float32")
    classes = rng.integers(0, shape[-1], shape[:-1])
    y_pred = rng.random(shape).astype("float32") + 0.05
    y_pred /= y_pred.sum(-1, keepdims=True)
    y_true: Any = rng.random(shape).astype("float32")
    if name == "Circle":
        y_pred /= np.linalg.norm(y_pred, axis=-1, keepdims=True)
    if "Sparse" in name or name in ("Circle", "CategoricalGeneralizedCrossEntropy"):
        y_true = classes
    elif "Categorical" in name:
        y_true = np.eye(shape[-1], dtype="float32")[classes]
    elif "Binary" in name or "Hinge" in name:
        y_true = (y_true > 0.5).astype("float32")
    return y_true, y_pred, rng.random(shape[:-1]).astype("float32")


def check(ours: Any, theirs: Any) -> None:
    ours, theirs = numpy(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def inputs(case: int) -> list[tuple[Any, Any, list[Any]]]:
    """Targets, predictions and the weights to be tried, for each shape."""
    name, options = CASES[case]
    found = []
    for shape in ((6, 4),) if name in (*UNWEIGHTED, "CTC") or options.get("axis") is not None else ((6, 4), (3, 5, 4)):
        y_true, y_pred, weights = data(name, shape)
        found.append((y_true, y_pred, [None] if name in UNWEIGHTED or options.get("axis") == 0 else [None, weights]))
    return found


def values(module: Any, case: int) -> list[Any]:
    """A loss of a module, reduced in each way."""
    name, options = CASES[case]
    made = [getattr(module, name)(reduction=reduction, **options) for reduction in REDUCTIONS]
    return [loss(y_true, y_pred, weight) for y_true, y_pred, weights in inputs(case) for loss in made for weight in weights]


@functools.cache
def of_keras() -> list[list[Any]]:
    """What Keras gives in each case, as one program of JAX: each op by itself takes nearly as long to compile."""
    import jax

    return jax.jit(lambda: [values(keras.losses, case) for case in range(len(CASES))])()


@pytest.mark.parametrize("case", range(len(CASES)), ids=[name for name, _ in CASES])
def test_equals_keras(backend: Any, case: int) -> None:
    for ours, theirs in zip(values(losses, case), of_keras()[case], strict=True):
        check(ours, theirs)


@st.composite
def drawn(draw: Any) -> tuple[Any, ...]:
    case = draw(st.integers(0, len(CASES) - 1))
    name, options = CASES[case]
    shape = draw(st.sampled_from([(6, 4), (1, 4)] if "axis" in options else [(6, 4), (1, 4), (3, 5, 4), (2, 2, 2, 4)]))
    y_true, y_pred, _ = data(name, (6, 4) if name in ("Circle", "CTC") or "alpha" in options else shape)
    kinds = ["int32", "int64", "uint8"] if y_true.dtype.kind == "i" else ["float32", "float64", "int32", "bool", "float16"]
    scale = draw(st.sampled_from([1.0, 100.0])) if options.get("from_logits") else 1.0
    axes = draw(st.sampled_from([0, y_pred.ndim - 1])) if name not in (*UNWEIGHTED, "CTC") and "axis" not in options else 0
    weights = np.linspace(0.0, 2.0, math.prod(y_pred.shape[:axes]), dtype="float32").reshape(y_pred.shape[:axes]) if axes else np.float32(0.5)
    reduction = draw(st.sampled_from(REDUCTIONS if axes else REDUCTIONS[:4]))  # of a weight for all, Keras takes one into the sum
    return name, options, y_true.astype(draw(st.sampled_from(kinds))), scale * y_pred, draw(st.sampled_from([None, weights])), reduction


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(drawn())
def test_drawn_equals_keras(row: tuple[Any, ...]) -> None:
    name, options, y_true, y_pred, weights, reduction = row
    with backend_scope("numpy"):
        ours, theirs = (getattr(module, name)(reduction=reduction, **options)(y_true, y_pred, weights) for module in (losses, keras.losses))
        if np.ndim(ours) or not np.shape(theirs):  # Keras drops the axis of a batch of 1 under a weight for all
            check(ours, np.reshape(theirs, np.shape(ours)))


# Zeros, ones, what is right, what is wrong, and logits.
PREDICTIONS = np.concatenate([np.zeros((4, 4)), np.ones((4, 4)), np.eye(4), np.eye(4)[::-1], np.linspace(-100, 100, 16).reshape(4, 4)]).astype("float32")


@pytest.mark.parametrize("engine", TRAINING)
@pytest.mark.parametrize("options", [{}, {"from_logits": True}, {"gamma": 0.0}, {"gamma": 0.5}], ids=str)
def test_gradients_are_finite(engine: str, options: dict[str, Any]) -> None:
    with backend_scope(engine):
        steps, variables = {}, []
        for name in CLASSES:
            if name in ("CTC", *(("Circle",) if "gamma" in options else ())) or not {*options} <= {*getattr(losses, name).fields}:
                continue
            loss, prediction = getattr(losses, name)(**options), keraunos.Variable(PREDICTIONS[: 16 if name == "Poisson" else 20])  # counts are not below 0
            classes = np.arange(prediction.shape[0]) % 4
            y_true = classes if "Sparse" in name or name in ("Circle", "CategoricalGeneralizedCrossEntropy") else np.eye(4, dtype="float32")[classes]
            steps[name] = value_and_grad(functools.partial(_loss, loss, y_true, prediction), [prediction])
            variables.append(prediction)

        def every() -> Any:
            return {name: step() for name, step in steps.items()}

        for name, (value, (gradient,)) in (Program(every, variables) if engine == "jax" else every)().items():  # which compiles each op by itself too
            assert np.isfinite(numpy(value)) and np.isfinite(numpy(gradient)).all(), name


def _loss(loss: Any, y_true: Any, prediction: Any) -> Any:
    return loss(y_true, prediction.value)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_of_nothing_it_is_0(backend: Any, reduction: str) -> None:
    y = np.zeros((0, 3), "float32")
    for weights in (None, np.zeros(0, "float32"), np.zeros((0, 1), "float32"), np.float32(1.0)):
        found = numpy(losses.MeanSquaredError(reduction=reduction)(y, y, weights))
        assert found.shape[:1] == (0,) if reduction == "none" else found == 0.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_dtype(backend: Any, dtype: str) -> None:
    if dtype == "bfloat16" and backend.name not in BFLOAT:
        pytest.skip("the engine has no bfloat16")
    y_true, y_pred, _ = data("MeanSquaredError")
    for loss in (losses.MeanSquaredError(dtype=dtype), losses.Hinge(dtype=dtype), losses.Dice(dtype=dtype), losses.CategoricalHinge(dtype=dtype)):
        assert keraunos.ops.dtype(loss(y_true, y_pred)) == dtype
    own = losses.as_loss(lambda y, p: keraunos.ops.square(keraunos.ops.subtract(y, p)))
    own.dtype = dtype
    assert keraunos.ops.dtype(own(y_true, y_pred)) == dtype


def test_one_value_for_a_batch_is_weighted_by_each_sample(backend: Any) -> None:
    y_true, y_pred, weights = data("Dice")
    for reduction in REDUCTIONS:
        ours, theirs = (module.Dice(reduction=reduction)(y_true, y_pred, weights) for module in (losses, keras.losses))
        check(ours, theirs)


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_its_function(backend: Any, name: str) -> None:
    y_true, y_pred, _ = data(name)
    cls = getattr(losses, name)
    values = cls(reduction=None)(y_true, y_pred)
    arguments = {n: getattr(cls(), n) for n in cls.arguments}
    check(cls.function(y_true, y_pred, **arguments), numpy(values))


@pytest.mark.parametrize(("true", "pred", "weight"), [
    ((4, 1), (4,), None), ((4,), (4, 1), None), ((4, 1), (4,), (4,)), ((4, 1), (4, 1), (4, 1)), ((4, 3), (4, 3), (4, 1)), ((4, 3), (4, 3), ()),
    ((4, 5, 3), (4, 5, 3), (4, 5, 1)), ((4, 5, 3), (4, 5, 3), (4, 1)), ((4, 1), (4, 3), (4,)),
])  # fmt: skip
def test_ranks(backend: Any, true: Any, pred: Any, weight: Any) -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.random(true).astype("float32"), rng.random(pred).astype("float32")
    weights = None if weight is None else rng.random(weight).astype("float32")
    for reduction in ("sum_over_batch_size", "none"):
        ours, theirs = (module.MeanSquaredError(reduction=reduction) for module in (losses, keras.losses))
        check(ours(y_true, y_pred, weights), theirs(y_true, y_pred, weights))


def test_weights_of_samples_reach_their_steps(backend: Any) -> None:
    y_true, y_pred, _ = data("MeanSquaredError", (4, 5, 3))
    weights = np.arange(4, dtype="float32")
    values = ((y_true - y_pred) ** 2).mean(-1) * weights[:, None]
    check(losses.MeanSquaredError()(y_true, y_pred, weights), np.float32(values.mean()))


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_mask(backend: Any, reduction: str, weighted: bool) -> None:
    y_true, y_pred, weights = data("MeanSquaredError", (4, 5, 3))
    mask = np.random.default_rng(1).random((4, 5)) > 0.4
    mine, other = keraunos.ops.convert_to_tensor(y_pred), keras.ops.convert_to_tensor(y_pred)
    set_mask(mine, keraunos.ops.convert_to_tensor(mask))
    other._keras_mask = keras.ops.convert_to_tensor(mask) if hasattr(other, "__dict__") else None
    values, weight = ((y_true - y_pred) ** 2).mean(-1), (weights if weighted else np.ones_like(weights)) * mask
    expected = {
        "sum_over_batch_size": (values * weight).sum() / mask.sum(), "sum": (values * weight).sum(),
        "mean_with_sample_weight": (values * weight).sum() / weight.sum(), "none": values * weight,
    }[reduction]  # fmt: skip
    check(losses.MeanSquaredError(reduction=reduction)(y_true, mine, weights if weighted else None), np.asarray(expected, "float32"))


def test_ignored_class_counts_for_nothing(backend: Any) -> None:
    y_true, y_pred, weights = data("SparseCategoricalCrossentropy")
    y_true[1] = -1
    for weight in (None, weights):
        ours, theirs = (module.SparseCategoricalCrossentropy(ignore_class=-1) for module in (losses, keras.losses))
        check(ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight))


def test_own_loss_and_structures(backend: Any) -> None:
    class Asymmetric(losses.Loss):
        def __init__(self, factor: float = 2.0, **kwargs: Any):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return keraunos.ops.maximum(y_true - y_pred, self.factor * (y_pred - y_true))

    loss = Asymmetric(3.0, reduction="sum")
    assert float(loss([1, 2], [2.0, 1.0])) == 4.0
    assert loss.name.startswith("asymmetric") and Asymmetric.from_config(loss.get_config()).factor == 3.0
    outputs = {"a": np.ones((2, 2), "float32")}
    assert float(losses.as_loss(lambda y, p: keraunos.ops.abs(y["a"] - p["a"]))({"a": np.zeros((2, 2), "float32")}, outputs)) == 1.0
    assert float(losses.MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]])) == 0.5


def test_integer_predictions_and_half_precision(backend: Any) -> None:
    assert float(losses.MeanSquaredError()([0, 1], [2, 1])) == 2.0
    half = keraunos.ops.cast(np.ones((2, 2), "float32"), "bfloat16")
    assert keraunos.ops.dtype(losses.MeanSquaredError()(np.zeros((2, 2)), half)) == "float32"


@pytest.mark.parametrize("name", [*CLASSES, "Loss", *FUNCTIONS, "get", "serialize", "deserialize"])
def test_signature(name: str) -> None:
    parameters = [[(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()] for module in (losses, keras.losses)]
    assert parameters[0] == parameters[1]


@pytest.mark.parametrize("name", CLASSES)
def test_config(name: str) -> None:
    loss = getattr(losses, name)(reduction="sum", name="mine")
    theirs = getattr(keras.losses, name)(reduction="sum", name="mine")
    assert loss.get_config() == theirs.get_config()
    written = losses.serialize(loss)
    assert written == keras.losses.serialize(theirs)
    assert losses.deserialize(written).get_config() == loss.get_config()


def test_get() -> None:
    assert losses.get("mse") is losses.get("MSE") is losses.get("mean_squared_error") is losses.mean_squared_error
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError) and losses.get(None) is None
    assert losses.deserialize(losses.serialize(losses.huber)) is losses.huber
    assert type(losses.as_loss("mse")) is losses.MeanSquaredError
    assert type(losses.as_loss(losses.huber)) is losses.Huber
    assert losses.as_loss(None) is None
    assert losses.SparseCategoricalCrossentropy(axis=1).get_config()["axis"] == 1


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: losses.get("mean_squared_eror"), ArgumentError, "Did you mean 'mean_squared_error'"),
    (lambda: losses.MeanSquaredError(reduction="summ"), ArgumentError, "Did you mean 'sum'"),
    (lambda: losses.SparseCategoricalCrossentropy()(np.eye(3), np.ones((3, 3))), ShapeError, "use the loss 'categorical_crossentropy'"),
    (lambda: losses.CategoricalFocalCrossentropy()(np.ones((5, 1)), np.ones((5, 3))), ShapeError, "to_categorical"),
    (lambda: losses.CategoricalHinge()(np.arange(3), np.ones((3, 3))), ShapeError, "to_categorical"),
    (lambda: losses.BinaryFocalCrossentropy()(np.ones((4, 3)), np.ones((4, 1))), ShapeError, r"y_true \(4, 3\), y_pred \(4, 1\)"),
    (lambda: losses.CategoricalGeneralizedCrossEntropy()(np.eye(3), np.ones((3, 3))), ShapeError, "argmax"),
    (lambda: losses.Circle()(np.arange(3), np.ones(3)), ShapeError, r"Expected: y_pred \(batch, features\)"),
    (lambda: losses.MeanSquaredError()(np.ones((3, 2)), np.ones((3, 2)), np.ones((3, 2))), ShapeError, "sample_weight does not fit"),
    (lambda: losses.CategoricalCrossentropy()(np.arange(3), np.ones((3, 3))), ShapeError, "use the loss 'sparse_categorical_crossentropy'"),
    (lambda: losses.CategoricalCrossentropy()(np.ones((5, 1)), np.ones((5, 3))), ShapeError, "use the loss 'sparse_categorical_crossentropy'"),
    (lambda: losses.MeanSquaredError()(np.ones(4), np.ones((4, 3))), ShapeError, r"y_true \(4,\), y_pred \(4, 3\)"),
    (lambda: losses.BinaryCrossentropy()(np.ones((4, 3)), np.ones((4, 1))), ShapeError, r"y_true \(4, 3\), y_pred \(4, 1\)"),
    (lambda: losses.MeanSquaredError()(np.ones((4, 3)), np.ones((4, 3)), np.ones(5)), ShapeError, r"sample_weight does not fit[^$]*Received: \(5,\)"),
    (lambda: losses.MeanSquaredError()(np.ones((4, 5, 3)), np.ones((4, 5, 3)), np.ones((4, 6))), ShapeError, r"Expected: \(4, 5\), or fewer axes"),
    (lambda: losses.Loss()(np.ones(2), np.ones(2)), NotImplementedError, "must define call"),
])  # fmt: skip
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("name", BACKENDS)
def test_a_class_that_there_is_not_never_counts_as_another(name, label):
    probabilities = np.array([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]], "float32")
    with backend_scope(name):
        for from_logits in (False, True):
            try:
                found = keraunos.ops.convert_to_numpy(losses.sparse_categorical_crossentropy(np.array([label, 0]), probabilities, from_logits))
            except ArgumentError as error:
                assert "a class that output does not have" in str(error)
            else:  # compiled code cannot tell
                assert np.isnan(found[0]) and np.isfinite(found[1])


def test_what_does_not_fit_is_told_by_output_and_metric():
    with backend_scope("torch"):
        entry = keraunos.Input((3,))
        outputs = [keraunos.layers.Dense(2, name=name)(entry) for name in ("a", "b")]
        x, y, sparse = np.ones((4, 3)), np.ones((4, 2)), np.ones((4, 3))
        single, several = keraunos.Model(entry, outputs[0]), keraunos.Model(entry, outputs)
        single.compile("sgd", "mse", metrics=[keraunos.metrics.AUC(name="area")], loss_weights=None)
        several.compile("sgd", {"a": "mse", "b": "mae"})
        for model, goals, place in ((several, [y, sparse], "output 'b' > loss (mean_absolute_error)"), (single, sparse, "loss (mean_squared_error)")):
            with pytest.raises(ShapeError) as caught:
                model.fit(x, goals, verbose=0)
            assert f"Where: {place}\n" in str(caught.value)
        single.compile("sgd", lambda y, p: p, metrics=[keraunos.metrics.AUC(name="area")])
        with pytest.raises(ShapeError, match="Where: metric 'area'\n"):
            single.fit(x, sparse, verbose=0)
