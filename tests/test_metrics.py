"""Metrics against the installed Keras, on every engine; their state, configs and errors."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import losses, metrics
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.masks import set_mask

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

CLASSES = [name for name in metrics.__all__ if name[0].isupper()]
FUNCTIONS = [name for name in metrics.__all__ if name[0].islower() and name not in ("get", "serialize", "deserialize")]
NEEDED: dict[str, dict[str, Any]] = {
    "IoU": {"num_classes": 4, "target_class_ids": [0, 2]}, "MeanIoU": {"num_classes": 4}, "OneHotIoU": {"num_classes": 4, "target_class_ids": [0, 2]},
    "OneHotMeanIoU": {"num_classes": 4}, "PrecisionAtRecall": {"recall": 0.5}, "RecallAtPrecision": {"precision": 0.5},
    "SensitivityAtSpecificity": {"specificity": 0.5}, "SparseTopKCategoricalAccuracy": {"k": 2}, "SpecificityAtSensitivity": {"sensitivity": 0.5},
    "TopKCategoricalAccuracy": {"k": 2},
}  # fmt: skip
MEASURES = [name for name in CLASSES if name not in ("Metric", "Mean", "Sum", "MeanMetricWrapper")]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *(("AUC", {"curve": c, "summation_method": s, "num_thresholds": 13}) for c in ("ROC", "PR") for s in ("interpolation", "minoring", "majoring")),
    ("AUC", {"multi_label": True, "num_labels": 4, "label_weights": [1.0, 2.0, 3.0, 4.0]}),
    ("AUC", {"multi_label": True}),
    ("AUC", {"thresholds": [0.2, 0.4], "from_logits": True}),
    ("BinaryAccuracy", {"threshold": 0.2}),
    ("BinaryCrossentropy", {"label_smoothing": 0.1, "from_logits": True}),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}),
    ("CategoricalCrossentropy", {"label_smoothing": 0.1}),
    ("F1Score", {"average": "micro"}),
    ("F1Score", {"average": "macro"}),
    ("FBetaScore", {"average": "weighted", "beta": 2.0, "threshold": 0.3}),
    ("FalsePositives", {"thresholds": [0.1, 0.5]}),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1}),
    ("Precision", {"thresholds": [0.2, 0.4]}),
    ("Precision", {"top_k": 2}),
    ("PrecisionAtRecall", {"recall": 0.3, "class_id": 2, "num_thresholds": 10}),
    ("R2Score", {"class_aggregation": None}),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}),
    ("Recall", {"top_k": 2, "class_id": 1}),
    ("SparseCategoricalCrossentropy", {"ignore_class": 1}),
]
CASES = [(name, NEEDED.get(name, {})) for name in MEASURES] + OPTIONS
NUMBERED = pytest.mark.parametrize("case", range(len(CASES)), ids=[name for name, _ in CASES])


def numpy(x: Any) -> Any:
    return keraunos.ops.convert_to_numpy(x)


def batches(name: str) -> list[tuple[Any, Any, Any]]:
    """Two batches of targets, predictions and weights that fit a metric."""
    rng, found = np.random.default_rng(len(name)), []
    for _ in range(2):
        classes, y_true = rng.integers(0, 4, 6).astype("int32"), rng.random((6, 4)).astype("float32")
        y_pred = rng.random((6, 4)).astype("float32") + 0.05
        y_pred /= y_pred.sum(-1, keepdims=True)
        weights: Any = rng.random(6).astype("float32")
        if "IoU" in name:
            weights = rng.integers(1, 3, (6, 4) if name == "BinaryIoU" else 6).astype("int32")
        if name in ("IoU", "MeanIoU"):
            y_true, y_pred = classes, rng.integers(0, 4, 6).astype("int32")
        elif "Sparse" in name:
            y_true = classes
        elif "Categorical" in name or "OneHot" in name or name in ("F1Score", "FBetaScore"):
            y_true = np.eye(4, dtype="float32")[classes]
        elif name == "Accuracy":
            y_true, y_pred = rng.integers(0, 2, (2, 6, 4)).astype("int32")
        elif not any(word in name for word in ("Mean", "Root", "Log", "Cosine", "Correlation", "R2", "Poisson", "KL")):
            y_true = (y_true > 0.5).astype("float32")
        found.append((y_true, y_pred, weights))
    return found


pytestmark = [
    pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64"),  # Keras's, of its own integers
    pytest.mark.xdist_group("metrics"),  # what JAX compiles for one test it has for the others, and what Keras gives is computed once
]


def check(ours: Any, theirs: Any) -> None:
    ours, theirs = numpy(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def made(module: Any, case: int) -> list[tuple[Any, list[tuple[Any, ...]]]]:
    """Metrics of a module, and the two batches for each: without weights and with them."""
    name, options = CASES[case]
    # Without weights Keras counts ignored samples here, but not in the loss.
    ways = (True,) if "ignore_class" in options and "Sparse" in name else (False, True)
    return [(getattr(module, name)(**options), [batch if weighted else (*batch[:2], None) for batch in batches(name)]) for weighted in ways]


@functools.cache
def of_keras() -> list[list[tuple[Any, list[Any]]]]:
    """What Keras's metrics give and hold in each case, as one program of JAX: each op by itself takes nearly as long to compile."""
    import jax

    rows = [made(keras.metrics, case) for case in range(len(CASES))]

    def states() -> list[Any]:
        found = []
        for metric, given in itertools.chain(*rows):
            state = [v.value for v in metric.variables]
            for batch in given:
                state = metric.stateless_update_state(state, *batch)
            found.append((None if metric.name == "r2_score" else metric.stateless_result(state), state))  # whose result looks at its values
        return found

    for metric, given in itertools.chain(*rows):
        if not metric.variables:  # these are made for the first batch
            metric.update_state(*given[0])
            metric.reset_state()
    found = iter(jax.jit(states)())
    kept = []
    for metric, _ in itertools.chain(*rows):
        result, state = next(found)
        result = metric.stateless_result(state) if result is None else result
        kept.append((result, [(v.name, tuple(v.shape), v.dtype, value) for v, value in zip(metric.variables, state, strict=True)]))
    left = iter(kept)
    return [[next(left) for _ in row] for row in rows]


@NUMBERED
def test_equals_keras(backend: Any, case: int) -> None:
    for (ours, given), (result, state) in zip(made(metrics, case), of_keras()[case], strict=True):
        for y_true, y_pred, weights in given:
            ours.update_state(y_true, y_pred, sample_weight=weights)
        check(ours.result(), result)
        assert [(v.name, v.shape, v.dtype) for v in ours.variables] == [entry[:3] for entry in state]
        for mine, (*_, value) in zip(ours.variables, state, strict=True):
            check(mine.value, value)
        ours.reset_state()
        assert all(not numpy(v.value).any() for v in ours.variables)


@pytest.mark.parametrize(("values", "weights"), [
    (3.0, None), ([1.0, 2.0, 3.0], None), ([[1.0, 2.0], [3.0, 5.0]], [1.0, 3.0]), ([1.0, 2.0], [[1.0], [3.0]]), ([[1.0, 2.0]], [[0.5, 3.0]]), (3.0, 2.0), ([1.0, 2.0], 2.0),
    ([[1.0, 2.0], [3.0, 5.0]], None), ([[1.0, 2.0], [3.0, 5.0]], [[1.0, 3.0], [0.0, 1.0]]), ([[1.0, 2.0], [3.0, 5.0]], [[1.0], [3.0]]), ([[1.0, 2.0]], 2.0),
])  # fmt: skip
@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_mean_and_sum(backend: Any, name: str, values: Any, weights: Any) -> None:
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for _ in range(2):
        check(ours(values, sample_weight=weights), theirs(values, sample_weight=weights))
    for mine, other in zip(ours.variables, theirs.variables, strict=True):
        check(mine.value, other.value)


def test_mask_counts_for_nothing(backend: Any) -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred, mask = rng.random((4, 5, 3)).astype("float32"), rng.random((4, 5, 3)).astype("float32"), rng.random((4, 5)) > 0.5
    masked = keraunos.ops.convert_to_tensor(y_pred)
    set_mask(masked, keraunos.ops.convert_to_tensor(mask))
    expected = (((y_true - y_pred) ** 2).mean(-1) * mask).sum() / mask.sum()
    check(metrics.MeanSquaredError()(y_true, masked), np.float32(expected))
    check(metrics.RootMeanSquaredError()(y_true, masked), np.float32(expected**0.5))


@pytest.mark.parametrize(
    "name", ["Precision", "AUC", "F1Score", "R2Score", "BinaryIoU", "MeanIoU", "OneHotMeanIoU", "TrueNegatives", "SensitivityAtSpecificity"]
)
def test_masks_reach_counts_too(backend: Any, name: str) -> None:
    rng = np.random.default_rng(0)
    y_true, y_pred, mask = rng.integers(0, 2, (4, 5, 3)).astype("float32"), rng.random((4, 5, 3)).astype("float32"), rng.random((4, 5)) > 0.5
    if name == "MeanIoU":
        y_true, y_pred = y_true.argmax(-1), y_pred.argmax(-1)
    masked, kept, options = keraunos.ops.convert_to_tensor(y_pred), mask.reshape(-1), NEEDED.get(name, {})
    set_mask(masked, keraunos.ops.convert_to_tensor(mask))
    ours, flat = getattr(metrics, name)(**options), getattr(metrics, name)(**options)
    ours.update_state(y_true, masked)
    flat.update_state(*(y.reshape(20, *y.shape[2:])[kept] for y in (y_true, y_pred)))
    if name == "R2Score":  # which counts all values for its adjustment
        ours.num_samples.assign(flat.num_samples.value)
    for mine, other in zip(ours.variables, flat.variables, strict=True):
        check(mine.value, numpy(other.value))


@pytest.mark.parametrize("name", ["Mean", "MeanSquaredError", "CategoricalAccuracy", "Precision", "F1Score", "OneHotMeanIoU", "R2Score", "AUC"])
def test_an_empty_batch_counts_for_nothing(backend: Any, name: str) -> None:
    metric = getattr(metrics, name)(**NEEDED.get(name, {}))
    y_true, y_pred = np.eye(4, dtype="float32")[:3], np.full((3, 4), 0.25, "float32")
    given = (y_pred,) if name == "Mean" else (y_true, y_pred)
    metric.update_state(*given)
    before = [numpy(v.value) for v in metric.variables]
    for weights in (None, np.zeros(0, "float32"), np.float32(2.0)):
        metric.update_state(*(y[:0] for y in given), sample_weight=weights)
    for variable, value in zip(metric.variables, before, strict=True):
        check(variable.value, value)


def test_one_value_for_a_batch_is_weighted(backend: Any) -> None:
    y_true, y_pred = np.array([1.0, 2.0], "float32"), np.array([2.0, 4.0], "float32")
    ours, theirs = metrics.MeanSquaredError(), keras.metrics.MeanSquaredError()
    check(ours(y_true, y_pred, [2.0]), theirs(y_true, y_pred, np.array([2.0])))
    check(ours.count.value, theirs.count.value)
    with pytest.raises(ShapeError, match=r"Received: \(2,\)\nExpected: a number"):
        ours.update_state(y_true, y_pred, [1.0, 3.0])


def test_wrapper_of_a_function(backend: Any) -> None:
    metric = metrics.MeanMetricWrapper(losses.huber, name="smooth", delta=2.0)
    theirs = keras.metrics.MeanMetricWrapper(keras.losses.huber, name="smooth", delta=2.0)
    y_true, y_pred, weights = batches("MeanSquaredError")[0]
    check(metric(y_true, 5 * y_pred, weights), theirs(y_true, 5 * y_pred, weights))
    assert metric.get_config() == theirs.get_config()
    assert metrics.MeanMetricWrapper.from_config(metric.get_config()).get_config() == metric.get_config()


def test_stateless(backend: Any) -> None:
    metric = metrics.SparseCategoricalAccuracy()
    state = metric.stateless_reset_state()
    for y_true, y_pred, weights in batches("Sparse"):
        state = metric.stateless_update_state(state, y_true, y_pred, sample_weight=weights)
        metric.update_state(y_true, y_pred, sample_weight=weights)
    check(metric.stateless_result(state), numpy(metric.result()))
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_stateless_compiles() -> None:
    import jax

    with backend_scope("jax"):
        metric = metrics.AUC(num_thresholds=20)
        y_true, y_pred, _ = batches("AUC")[0]
        state = jax.jit(metric.stateless_update_state)(metric.stateless_reset_state(), y_true, y_pred)
        metric.update_state(y_true, y_pred)
        check(jax.jit(metric.stateless_result)(state), np.asarray(metric.result()))


def test_gradients_do_not_reach_the_state() -> None:
    import torch

    with backend_scope("torch"):
        metric, x = metrics.Mean(), torch.ones(3, requires_grad=True)
        metric.update_state(x)
        before = metric.total.value
        metric.update_state(x)
        assert not metric.total.value.requires_grad and float(before) == 3.0


def test_own_metric(backend: Any) -> None:
    class Largest(metrics.Metric):
        def __init__(self, scale: float = 1.0, name: str = "largest", **kwargs: Any):
            super().__init__(name=name, **kwargs)
            self.scale = scale
            self.top = self.add_weight(name="top")
            self.inner = [metrics.Mean()]

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.top.assign(keraunos.ops.maximum(self.top, self.scale * keraunos.ops.max(y_pred)))
            self.inner[0].update_state(y_pred)

        def result(self) -> Any:
            return self.top.value

    metric = Largest(2.0)
    assert float(metric(None, [1.0, 3.0])) == 6.0 and len(metric.variables) == 3
    assert Largest.from_config(metric.get_config()).scale == 2.0
    metric.reset_state()
    assert float(metric.result()) == 0.0 == float(metric.inner[0].result())


@pytest.mark.parametrize("name", [*CLASSES, *FUNCTIONS, "get", "serialize", "deserialize"])
def test_signature(name: str) -> None:
    ours, theirs = ([(p.name, p.default) for p in inspect.signature(getattr(module, name)).parameters.values()] for module in (metrics, keras.metrics))
    assert ours == theirs


@NUMBERED
def test_config(case: int) -> None:
    name, options = CASES[case]
    ours, theirs = (getattr(module, name)(name="mine", **options) for module in (metrics, keras.metrics))
    if "label_weights" in options:  # Keras writes a tensor
        assert set(ours.get_config()) == set(theirs.get_config())
    else:
        assert ours.get_config() == theirs.get_config()
        assert metrics.serialize(ours) == keras.metrics.serialize(theirs)
    assert metrics.deserialize(metrics.serialize(ours)).get_config() == ours.get_config()


@pytest.mark.parametrize(("true", "pred", "kind"), [
    ((8, 1), (8, 1), "Binary"), ((8,), (8,), "Binary"), ((8,), (8, 1), "Binary"), ((8,), (8, 3), "SparseCategorical"),
    ((8, 1), (8, 3), "SparseCategorical"), ((8, 3), (8, 3), "Categorical"), ((8, 5), (8, 5, 3), "SparseCategorical"),
])  # fmt: skip
def test_kind_by_shapes(true: Any, pred: Any, kind: str) -> None:
    assert metrics.accuracy_for(true, pred).__name__ == f"{kind}Accuracy"
    assert metrics.crossentropy_for(true, pred).__name__ == f"{kind}Crossentropy"


@pytest.mark.parametrize("name", ["mse", "MSE", "MAE", "bce", "accuracy", "auc", "AUC", "mean", "Mean", "binary_accuracy", "cosine_similarity", "mape"])
def test_get(name: str) -> None:
    ours, theirs = metrics.get(name), keras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda: metrics.get("acuracy"), ArgumentError, "Did you mean 'accuracy'"),
    (lambda: metrics.AUC(curve="roc"), ArgumentError, "Did you mean 'ROC'"),
    (lambda: metrics.Precision(thresholds=2.0), ArgumentError, "from 0 to 1"),
    (lambda: metrics.F1Score(average="marco"), ArgumentError, "Did you mean 'macro'"),
    (lambda: metrics.R2Score(class_aggregation="uniform"), ArgumentError, "Did you mean 'uniform_average'"),
    (lambda: metrics.SparseCategoricalAccuracy()(np.eye(3), np.eye(3)), ShapeError, "use 'categorical_accuracy'"),
    (lambda: metrics.Precision()(np.ones((4, 2)), np.ones((4, 3))), ShapeError, r"y_true \(4, 2\), y_pred \(4, 3\)"),
    (lambda: metrics.Mean()(np.ones(3), np.ones(4)), ShapeError, "sample_weight does not fit"),
    (lambda: metrics.Precision()(np.ones((3, 2)), np.ones((3, 2)), np.ones(4)), ShapeError, "sample_weight does not fit"),
    (lambda: metrics.R2Score()(np.ones((3, 2)), np.ones((3, 2)), np.ones(4)), ShapeError, "sample_weight does not fit"),
    (lambda: metrics.R2Score()(np.ones(3), np.ones(3)), ShapeError, r"y_true and y_pred \(batch, outputs\)"),
    (lambda: metrics.F1Score()(np.arange(3), np.ones((3, 4))), ShapeError, "to_categorical"),
    (lambda: metrics.MeanIoU(2)(np.ones(4), np.ones((4, 3))), ShapeError, r"y_true \(4,\), y_pred \(4, 3\)"),
    (lambda: metrics.BinaryIoU()(np.ones((4, 2)), np.ones((4, 2)), np.ones(3)), ShapeError, "sample_weight does not fit"),
    (lambda: metrics.Precision(class_id=3)(np.ones((4, 2)), np.ones((4, 2))), ShapeError, r"no class 3[^$]*y_pred \(4, 2\)"),
    (lambda: metrics.Recall(class_id=0)(np.ones(4), np.ones(4)), ShapeError, "no class 0"),
    (lambda: metrics.TopKCategoricalAccuracy()(np.ones((4, 2, 3)), np.ones((4, 3))), ShapeError, "do not fit"),
    (lambda: metrics.SparseTopKCategoricalAccuracy()(np.eye(3), np.eye(3)), ShapeError, "top_k_categorical_accuracy"),
    (lambda: metrics.Mean().stateless_result([1.0]), ShapeError, "has 2 variables"),
    (lambda: metrics.Metric().update_state(), NotImplementedError, "must define update_state"),
])  # fmt: skip
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
