"""The metrics that are the mean of a function of targets and predictions."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportIncompatibleMethodOverride=false

from __future__ import annotations

from typing import Any

from keraunos import losses, ops
from keraunos.metrics import functions
from keraunos.metrics.metric import FunctionMetric, Mean


class Accuracy(FunctionMetric, function=functions.accuracy):
    """How often predictions equal targets."""


class BinaryAccuracy(FunctionMetric, function=functions.binary_accuracy):
    """How often predictions lie on the targets' side of the threshold."""

    threshold: float = 0.5


class CategoricalAccuracy(FunctionMetric, function=functions.categorical_accuracy):
    """How often the most probable class is the target's, for one-hot targets."""


class SparseCategoricalAccuracy(FunctionMetric, function=functions.sparse_categorical_accuracy):
    """How often the most probable class is the target, for integer targets.

    Example:

    >>> metric = SparseCategoricalAccuracy()
    >>> float(metric([1, 0], [[0.1, 0.9], [0.2, 0.8]]))
    0.5
    """


class TopKCategoricalAccuracy(FunctionMetric, function=functions.top_k_categorical_accuracy):
    """How often the target's class is among the `k` most probable, for one-hot targets."""

    own_first = True
    k: int = 5


class SparseTopKCategoricalAccuracy(FunctionMetric, function=functions.sparse_top_k_categorical_accuracy):
    """How often the target is among the `k` most probable classes, for integer targets."""

    own_first = True
    k: int = 5
    name: str | None = "sparse_top_k_categorical_accuracy"
    dtype: Any = None
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


class CosineSimilarity(FunctionMetric, function=functions.cosine_similarity):
    """The mean cosine of the angle between targets and predictions."""

    axis: int = -1
    unwritten = ("axis",)


class PearsonCorrelation(FunctionMetric, function=functions.pearson_correlation):
    """The mean correlation coefficient of targets and predictions along `axis`."""

    axis: int = -1


class ConcordanceCorrelation(FunctionMetric, function=functions.concordance_correlation):
    """The mean concordance of targets and predictions along `axis`: a correlation that also counts shift and scale."""

    axis: int = -1


class RootMeanSquaredError(Mean, name="root_mean_squared_error"):
    """The root of the mean of the squared differences."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        super().update_state(_squares(y_true, y_pred), sample_weight)

    def result(self) -> Any:
        """The root of the mean."""
        return ops.sqrt(super().result())


@functions.pairwise
def _squares(y_true: Any, y_pred: Any) -> Any:
    return ops.square(y_true - y_pred)
