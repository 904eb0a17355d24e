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
    """Whether predictions lie on the targets' side of the threshold; the mean over the last axis.

    Args:
        y_true: 0 or 1, `(batch, …, outputs)`.
        y_pred: Probabilities of that shape.
        threshold: Above which a prediction is 1.

    Returns:
        The share for each sample, `(batch, …)`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.metrics.binary_accuracy([[1], [1], [0]], [[0.9], [0.4], [0.4]])).tolist()
    [1.0, 0.0, 1.0]
    """
    return ops.mean(_float(ops.equal(y_true, _float(ops.greater(y_pred, threshold)))), -1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable class is the target's, for one-hot targets.

    Args:
        y_true: One-hot vectors, `(batch, …, classes)`.
        y_pred: Probabilities or logits of that shape.

    Returns:
        1 or 0 for each sample, `(batch, …)`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]])).tolist()
    [1.0, 0.0]
    """
    return _float(ops.equal(ops.argmax(y_true, -1), ops.argmax(y_pred, -1)))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the most probable class is the target, for integer targets.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.metrics.sparse_categorical_accuracy([1, 0], [[0.1, 0.9], [0.2, 0.8]])).tolist()
    [1.0, 0.0]
    """
    y_true, y_pred = labels("sparse_categorical_accuracy", y_true, y_pred, fix="for one-hot targets use 'categorical_accuracy'")
    return _float(ops.equal(y_true, ops.argmax(y_pred, -1)))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the target's class is among the `k` most probable, for one-hot targets.

    Args:
        y_true: One-hot vectors, `(batch, …, classes)`.
        y_pred: Probabilities or logits of that shape.
        k: How many classes count.

    Returns:
        1 or 0 for each sample, `(batch, …)`.

    Example:

    >>> import keraunos as keras
    >>> y_true, y_pred = [[0, 0, 1], [1, 0, 0]], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]]
    >>> keras.ops.convert_to_numpy(keras.metrics.top_k_categorical_accuracy(y_true, y_pred, k=2)).tolist()
    [1.0, 0.0]
    """
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, -1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """Whether the target is among the `k` most probable classes, for integer targets.

    Args:
        y_true: The classes as integers, `(batch, …)`.
        y_pred: Probabilities or logits, `(batch, …, classes)`; or with `from_sorted_ids` classes from the most probable on.
        k: How many classes count.
        from_sorted_ids: Whether `y_pred` holds sorted classes.

    Returns:
        1 or 0 for each sample, `(batch, …)`.

    Example:

    >>> import keraunos as keras
    >>> found = keras.metrics.sparse_top_k_categorical_accuracy([2, 0], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]], k=2)
    >>> keras.ops.convert_to_numpy(found).tolist()
    [1.0, 0.0]
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
    """The correlation coefficient of targets and predictions along `axis`: 1 where one is the other, shifted and scaled.

    Args:
        y_true: Targets.
        y_pred: Predictions of that shape.
        axis: The axis along which they are correlated.

    Returns:
        The coefficients, without `axis`, from -1 to 1.

    Example:

    >>> import keraunos as keras
    >>> r = keras.metrics.pearson_correlation([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], [[10.0, 20.0, 30.0], [3.0, 2.0, 1.0]])
    >>> keras.ops.convert_to_numpy(r).round(4).tolist()
    [1.0, -1.0]
    """
    first, second = (ops.normalize(y - ops.mean(y, axis, True), axis=axis) for y in (y_true, y_pred))
    return ops.sum(first * second, axis)


@pairwise
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """How near targets and predictions lie to the line of equality: a correlation that also counts shift and scale.

    Lin, 1989, "A concordance correlation coefficient to evaluate reproducibility".

    Args:
        y_true: Targets.
        y_pred: Predictions of that shape.
        axis: The axis along which they are correlated.

    Returns:
        The coefficients, without `axis`, from -1 to 1; 1 where both are equal.

    Example:

    >>> import keraunos as keras
    >>> shifted = [[2.0, 3.0, 4.0]]
    >>> round(float(keras.metrics.concordance_correlation([[1.0, 2.0, 3.0]], shifted)[0]), 4)  # the correlation is 1
    0.5714
    """
    first, second = ops.mean(y_true, axis, True), ops.mean(y_pred, axis, True)
    a, b, shift = y_true - first, y_pred - second, ops.squeeze(first - second, axis)
    spread = ops.mean(ops.square(a) + ops.square(b), axis)
    return 2.0 * ops.mean(a * b, axis) / (spread + ops.square(shift) + config.epsilon())


# ---- metrics ----
class Accuracy(FunctionMetric, function=accuracy):
    """How often predictions equal targets.

    `metrics=["accuracy"]` in `compile` is the accuracy that fits the targets and predictions, not this one.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.Accuracy()
    >>> metric.update_state([1, 2, 3, 4], [1, 2, 3, 0]); float(metric.result())
    0.75
    """


class BinaryAccuracy(FunctionMetric, function=binary_accuracy):
    """How often predictions lie on the targets' side of the threshold.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        threshold: Above which a prediction is 1.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.BinaryAccuracy(threshold=0.3)
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.4, 0.4, 0.1]); float(metric.result())
    0.75
    """

    threshold: float = 0.5


class CategoricalAccuracy(FunctionMetric, function=categorical_accuracy):
    """How often the most probable class is the target's, for one-hot targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.CategoricalAccuracy()
    >>> metric.update_state([[0, 1], [1, 0]], [[0.1, 0.9], [0.2, 0.8]]); float(metric.result())
    0.5
    """


class SparseCategoricalAccuracy(FunctionMetric, function=sparse_categorical_accuracy):
    """How often the most probable class is the target, for integer targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SparseCategoricalAccuracy()
    >>> metric.update_state([1, 0], [[0.1, 0.9], [0.2, 0.8]]); float(metric.result())
    0.5
    """


class TopKCategoricalAccuracy(FunctionMetric, function=top_k_categorical_accuracy, order=("k",)):
    """How often the target's class is among the `k` most probable, for one-hot targets.

    Args:
        k: How many classes count.
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.TopKCategoricalAccuracy(k=2)
    >>> metric.update_state([[0, 0, 1], [1, 0, 0]], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]]); float(metric.result())
    0.5
    """

    k: int = 5


class SparseTopKCategoricalAccuracy(FunctionMetric, function=sparse_top_k_categorical_accuracy, order=("k",)):
    """How often the target is among the `k` most probable classes, for integer targets.

    Args:
        k: How many classes count.
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        from_sorted_ids: Whether predictions are classes, the most probable first, in place of probabilities.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SparseTopKCategoricalAccuracy(k=2)
    >>> metric.update_state([2, 0], [[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]]); float(metric.result())
    0.5
    """

    k: int = 5
    from_sorted_ids: bool = False
    unwritten = ("from_sorted_ids",)


class BinaryCrossentropy(FunctionMetric, function=losses.binary_crossentropy):
    """The mean crossentropy of yes-or-no predictions.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.BinaryCrossentropy()
    >>> metric.update_state([[1], [0]], [[0.9], [0.1]]); round(float(metric.result()), 4)
    0.1054
    """

    from_logits: bool = False
    label_smoothing: float = 0


class CategoricalCrossentropy(FunctionMetric, function=losses.categorical_crossentropy):
    """The mean crossentropy of predicted classes, for one-hot targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How much of each target is spread evenly over the classes.
        axis: The axis of the classes.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.CategoricalCrossentropy()
    >>> metric.update_state([[0, 1], [1, 0]], [[0.5, 0.5], [0.9, 0.1]]); round(float(metric.result()), 4)
    0.3993
    """

    from_logits: bool = False
    label_smoothing: float = 0
    axis: int = -1


class SparseCategoricalCrossentropy(FunctionMetric, function=losses.sparse_categorical_crossentropy):
    """The mean crossentropy of predicted classes, for integer targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        from_logits: Whether predictions are logits, not probabilities.
        ignore_class: A class whose samples do not count.
        axis: The axis of the classes.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SparseCategoricalCrossentropy()
    >>> metric.update_state([1, 0], [[0.5, 0.5], [0.9, 0.1]]); round(float(metric.result()), 4)
    0.3993
    """

    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1


class KLDivergence(FunctionMetric, function=losses.kl_divergence):
    """The mean Kullback-Leibler divergence of the predicted distribution from the true one.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.KLDivergence()
    >>> metric.update_state([[0.5, 0.5]], [[0.25, 0.75]]); round(float(metric.result()), 4)
    0.1438
    """


class Poisson(FunctionMetric, function=losses.poisson):
    """The mean of `y_pred - y_true * log(y_pred)`, for counts whose rate is predicted.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.Poisson()
    >>> metric.update_state([[3.0]], [[1.0]]); round(float(metric.result()), 4)
    1.0
    """


class Hinge(FunctionMetric, function=losses.hinge):
    """The mean hinge loss, `maximum(1 - y_true * y_pred, 0)`, for targets -1 and 1 (or 0 and 1).

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.Hinge()
    >>> metric.update_state([[1.0], [-1.0]], [[2.0], [0.5]]); float(metric.result())
    0.75
    """


class SquaredHinge(FunctionMetric, function=losses.squared_hinge):
    """The mean squared hinge loss, for targets -1 and 1 (or 0 and 1).

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SquaredHinge()
    >>> metric.update_state([[1.0], [-1.0]], [[2.0], [0.5]]); float(metric.result())
    1.125
    """


class CategoricalHinge(FunctionMetric, function=losses.categorical_hinge):
    """The mean hinge loss of the target's class against the greatest other, for one-hot targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.CategoricalHinge()
    >>> metric.update_state([[0, 1], [0, 1]], [[0.5, 2.0], [2.0, 0.5]]); float(metric.result())
    1.25
    """


class MeanSquaredError(FunctionMetric, function=losses.mean_squared_error):
    """The mean of the squared differences.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.MeanSquaredError()
    >>> metric.update_state([[0.0], [2.0]], [[1.0], [4.0]]); float(metric.result())
    2.5
    """


class MeanAbsoluteError(FunctionMetric, function=losses.mean_absolute_error):
    """The mean of the absolute differences.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.MeanAbsoluteError()
    >>> metric.update_state([[0.0], [2.0]], [[1.0], [4.0]]); float(metric.result())
    1.5
    """


class MeanAbsolutePercentageError(FunctionMetric, function=losses.mean_absolute_percentage_error):
    """The mean of the absolute differences in percent of the targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.MeanAbsolutePercentageError()
    >>> metric.update_state([[2.0], [4.0]], [[3.0], [4.0]]); float(metric.result())
    25.0
    """


class MeanSquaredLogarithmicError(FunctionMetric, function=losses.mean_squared_logarithmic_error):
    """The mean of the squared differences of `log(1 + y)`.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.MeanSquaredLogarithmicError()
    >>> metric.update_state([[9.0], [999.0]], [[0.0], [99.0]]); round(float(metric.result()), 3)
    5.302
    """


class LogCoshError(FunctionMetric, function=losses.log_cosh, name="logcosh"):
    """The mean of the logarithm of the hyperbolic cosine of the error.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.LogCoshError()
    >>> metric.update_state([[0.0], [0.0]], [[1.0], [10.0]]); round(float(metric.result()), 4)
    4.8703
    """


class CosineSimilarity(FunctionMetric, function=cosine_similarity):
    """The mean cosine of the angle between targets and predictions: 1 for one direction, where the loss of this name is -1.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        axis: The axis of the vectors.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.CosineSimilarity()
    >>> metric.update_state([[0.0, 1.0], [0.0, 1.0]], [[0.0, 5.0], [2.0, 0.0]]); float(metric.result())
    0.5
    """

    axis: int = -1
    unwritten = ("axis",)


class PearsonCorrelation(FunctionMetric, function=pearson_correlation):
    """The mean correlation coefficient of targets and predictions along `axis`.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        axis: The axis along which they are correlated; 0 is that of the samples of a batch.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.PearsonCorrelation(axis=0)
    >>> metric.update_state([[1.0], [2.0], [3.0]], [[10.0], [20.0], [30.0]]); round(float(metric.result()), 4)
    1.0
    """

    axis: int = -1


class ConcordanceCorrelation(FunctionMetric, function=concordance_correlation):
    """The mean concordance of targets and predictions along `axis`: a correlation that also counts shift and scale.

    Lin, 1989, "A concordance correlation coefficient to evaluate reproducibility".

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        axis: The axis along which they are correlated; 0 is that of the samples of a batch.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.ConcordanceCorrelation(axis=0)
    >>> metric.update_state([[1.0], [2.0], [3.0]], [[2.0], [3.0], [4.0]]); round(float(metric.result()), 4)
    0.5714
    """

    axis: int = -1


class RootMeanSquaredError(FunctionMetric, function=pairwise(lambda y_true, y_pred: ops.square(y_true - y_pred)), name="root_mean_squared_error"):
    """The root of the mean of the squared differences, in the unit of the targets.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.RootMeanSquaredError()
    >>> metric.update_state([[0.0], [0.0]], [[3.0], [3.0]]); float(metric.result())
    3.0
    """

    def result(self) -> Any:
        """The root of the mean."""
        return ops.sqrt(super().result())
