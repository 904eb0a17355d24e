"""Accuracies and correlations as functions of targets and predictions, and the metrics that are the mean of a function."""

from __future__ import annotations

from typing import Any

from keraunos import losses, ops
from keraunos.core import config
from keraunos.losses.loss import labels, pairwise, same_rank, tensor
from keraunos.metrics.metric import FunctionMetric


# ---- functions ----
def _float(x: Any) -> Any:
    return ops.cast(x, config.floatx())


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether predictions equal targets, element by element."""
    y_true, y_pred = same_rank(tensor(y_true), tensor(y_pred))
    return _float(ops.equal(y_true, y_pred))


@pairwise
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Whether predictions lie on the targets' side of the threshold; the mean over the last axis."""
    return ops.mean(_float(ops.equal(y_true, _float(ops.greater(y_pred, threshold)))), -1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable class is the target's, for one-hot targets."""
    return _float(ops.equal(ops.argmax(y_true, -1), ops.argmax(y_pred, -1)))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable class is the target, for integer targets.

    Example:

    >>> import keraunos as keras
    >>> keras.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]]).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = labels("sparse_categorical_accuracy", y_true, y_pred, fix="for one-hot targets use 'categorical_accuracy'")
    return _float(ops.equal(y_true, ops.argmax(y_pred, -1)))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the target's class is among the `k` most probable, for one-hot targets."""
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, -1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Whether the target is among the `k` most probable classes, for integer targets.

    Args:
        y_true: The classes as integers.
        y_pred: Probabilities or logits; or with `from_sorted_ids` classes from the most probable on.
        k: How many classes count.
        from_sorted_ids: Whether `y_pred` holds sorted classes.
    """
    y_true, y_pred = labels("sparse_top_k_categorical_accuracy", y_true, y_pred, fix="for one-hot targets use 'top_k_categorical_accuracy'")
    if from_sorted_ids:
        return _float(ops.any(ops.equal(ops.expand_dims(ops.cast(y_true, ops.dtype(y_pred)), -1), y_pred[..., :k]), -1))
    return _float(ops.in_top_k(y_true, y_pred, k))


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between targets and predictions along `axis`."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


@pairwise
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The correlation coefficient of targets and predictions along `axis`."""
    first, second = (ops.normalize(y - ops.mean(y, axis, True), axis=axis) for y in (y_true, y_pred))
    return ops.sum(first * second, axis)


@pairwise
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """How near targets and predictions lie to the line of equality: a correlation that also counts shift and scale."""
    first, second = ops.mean(y_true, axis, True), ops.mean(y_pred, axis, True)
    a, b, shift = y_true - first, y_pred - second, ops.squeeze(first - second, axis)
    spread = ops.mean(ops.square(a) + ops.square(b), axis)
    return 2.0 * ops.mean(a * b, axis) / (spread + ops.square(shift) + config.epsilon())


# ---- metrics ----
class Accuracy(FunctionMetric, function=accuracy):
    """How often predictions equal targets."""


class BinaryAccuracy(FunctionMetric, function=binary_accuracy):
    """How often predictions lie on the targets' side of the threshold."""

    threshold: float = 0.5


class CategoricalAccuracy(FunctionMetric, function=categorical_accuracy):
    """How often the most probable class is the target's, for one-hot targets."""


class SparseCategoricalAccuracy(FunctionMetric, function=sparse_categorical_accuracy):
    """How often the most probable class is the target, for integer targets.

    Example:

    >>> metric = SparseCategoricalAccuracy()
    >>> float(metric([1, 0], [[0.1, 0.9], [0.2, 0.8]]))
    0.5
    """


class TopKCategoricalAccuracy(FunctionMetric, function=top_k_categorical_accuracy, order=("k",)):
    """How often the target's class is among the `k` most probable, for one-hot targets."""

    k: int = 5


class SparseTopKCategoricalAccuracy(FunctionMetric, function=sparse_top_k_categorical_accuracy, order=("k",)):
    """How often the target is among the `k` most probable classes, for integer targets."""

    k: int = 5
    from_sorted_ids: bool = False
    unwritten = ("from_sorted_ids",)


class BinaryCrossentropy(FunctionMetric, function=losses.binary_crossentropy):
    """The mean crossentropy of yes-or-no predictions."""

    from_logits: bool = False
    label_smoothing: float = 0


class CategoricalCrossentropy(FunctionMetric, function=losses.categorical_crossentropy):
    """The mean crossentropy of predicted classes, for one-hot targets."""

    from_logits: bool = False
    label_smoothing: float = 0
    axis: int = -1


class SparseCategoricalCrossentropy(FunctionMetric, function=losses.sparse_categorical_crossentropy):
    """The mean crossentropy of predicted classes, for integer targets."""

    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1


class KLDivergence(FunctionMetric, function=losses.kl_divergence):
    """The mean Kullback-Leibler divergence of the predicted distribution from the true one."""


class Poisson(FunctionMetric, function=losses.poisson):
    """The mean of `y_pred - y_true * log(y_pred)`."""


class Hinge(FunctionMetric, function=losses.hinge):
    """The mean hinge loss."""


class SquaredHinge(FunctionMetric, function=losses.squared_hinge):
    """The mean squared hinge loss."""


class CategoricalHinge(FunctionMetric, function=losses.categorical_hinge):
    """The mean hinge loss of the target class against the greatest other."""


class MeanSquaredError(FunctionMetric, function=losses.mean_squared_error):
    """The mean of the squared differences."""


class MeanAbsoluteError(FunctionMetric, function=losses.mean_absolute_error):
    """The mean of the absolute differences."""


class MeanAbsolutePercentageError(FunctionMetric, function=losses.mean_absolute_percentage_error):
    """The mean of the absolute differences in percent of the targets."""


class MeanSquaredLogarithmicError(FunctionMetric, function=losses.mean_squared_logarithmic_error):
    """The mean of the squared differences of the logarithms."""


class LogCoshError(FunctionMetric, function=losses.log_cosh, name="logcosh"):
    """The mean of the logarithm of the hyperbolic cosine of the error."""


class CosineSimilarity(FunctionMetric, function=cosine_similarity):
    """The mean cosine of the angle between targets and predictions."""

    axis: int = -1
    unwritten = ("axis",)


class PearsonCorrelation(FunctionMetric, function=pearson_correlation):
    """The mean correlation coefficient of targets and predictions along `axis`."""

    axis: int = -1


class ConcordanceCorrelation(FunctionMetric, function=concordance_correlation):
    """The mean concordance of targets and predictions along `axis`: a correlation that also counts shift and scale."""

    axis: int = -1


class RootMeanSquaredError(FunctionMetric, function=pairwise(lambda y_true, y_pred: ops.square(y_true - y_pred)), name="root_mean_squared_error"):
    """The root of the mean of the squared differences."""

    def result(self) -> Any:
        """The root of the mean."""
        return ops.sqrt(super().result())
