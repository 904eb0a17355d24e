"""Scores: intersection over union, F scores, the coefficient of determination."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Any, ClassVar, Literal

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Count, Positive
from keraunos.core.masks import get_mask, set_mask
from keraunos.core.spec import show, size_of
from keraunos.losses.loss import masked_weights, misfit, same_rank, tensor
from keraunos.metrics.metric import BuiltinMetric


class _Overlap(BuiltinMetric):
    """Intersection over union, from a confusion matrix."""

    num_classes = 2  # without annotations, so that they are no fields
    target_class_ids = ignore_class = None
    sparse_y_true = sparse_y_pred = True

    def setup(self) -> None:
        """Make the confusion matrix."""
        self.dtype = self.dtype or "int32"
        super().setup()
        self._count_in("total_confusion_matrix", shape=(self.num_classes, self.num_classes))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        given, mask = ((y_true, self.sparse_y_true), (y_pred, self.sparse_y_pred)), get_mask(y_pred)
        y_true, y_pred = same_rank(*(ops.cast(tensor(y) if sparse else ops.argmax(y, self.axis), "int32") for y, sparse in given))
        if y_true.shape != y_pred.shape:
            raise misfit(None, y_true, y_pred)
        weights = masked_weights(y_true, sample_weight, mask, "float32")
        weights = ops.ones_like(y_true, dtype="float32") if weights is None else ops.broadcast_to(weights, y_true.shape)
        y_true, y_pred, weights = (ops.reshape(x, (-1,)) for x in (y_true, y_pred, weights))
        if self.ignore_class is not None:
            weights = ops.where(ops.equal(y_true, self.ignore_class), 0.0, weights)
        true, predicted = (ops.one_hot(y, self.num_classes, dtype="float32") for y in (y_true, y_pred))
        self._add(ops.cast(ops.matmul(ops.transpose(true), predicted * ops.expand_dims(weights, 1)), self.dtype))

    def result(self) -> Any:
        """The mean over the classes that occur."""
        matrix = ops.cast(self.total_confusion_matrix.value, "float32")
        both = ops.diagonal(matrix)
        union = ops.sum(matrix, 0) + ops.sum(matrix, 1) - both
        if self.target_class_ids is not None:
            both, union = (ops.take(x, list(self.target_class_ids), 0) for x in (both, union))
        occur = ops.sum(ops.cast(ops.greater(union, 0.0), "float32"))
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(both, union)), occur)


class _OfClasses(_Overlap):
    own_first = False
    num_classes: int
    ignore_class: int | None = None


class MeanIoU(_OfClasses):
    """The intersection over union, `tp / (tp + fp + fn)`, the mean of all classes that occur.

    Args:
        num_classes: The number of classes.
        name: Its name in logs.
        dtype: The dtype of the confusion matrix; int32 by default.
        ignore_class: A class of targets that does not count.
        sparse_y_true: Whether targets are integers, not one-hot.
        sparse_y_pred: Whether predictions are integers, not probabilities.
        axis: The axis of the classes, where they have one.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.MeanIoU(num_classes=2)
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 1, 1]); round(float(metric.result()), 4)  # 1/2 and 2/3
    0.5833
    """

    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class IoU(MeanIoU):
    """The intersection over union of `target_class_ids`, `tp / (tp + fp + fn)`: the mean of those that occur.

    Args:
        num_classes: The number of classes.
        target_class_ids: Those that are measured.
        name: Its name in logs.
        dtype: The dtype of the confusion matrix; int32 by default.
        ignore_class: A class of targets that does not count.
        sparse_y_true: Whether targets are integers, not one-hot.
        sparse_y_pred: Whether predictions are integers, not probabilities.
        axis: The axis of the classes, where they have one.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.IoU(num_classes=2, target_class_ids=[0])
    >>> metric.update_state([0, 0, 1, 1], [0, 1, 0, 1]); round(float(metric.result()), 4)
    0.3333
    """

    target_class_ids: Any


class OneHotMeanIoU(_OfClasses):
    """`MeanIoU` for one-hot targets.

    Args:
        num_classes: The number of classes.
        name: Its name in logs.
        dtype: The dtype of the confusion matrix; int32 by default.
        ignore_class: A class of targets that does not count.
        sparse_y_pred: Whether predictions are integers, not probabilities.
        axis: The axis of the classes.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.OneHotMeanIoU(num_classes=2)
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]); float(metric.result())
    0.5
    """

    sparse_y_true = False
    sparse_y_pred: bool = False
    axis: int = -1


class OneHotIoU(OneHotMeanIoU):
    """`IoU` for one-hot targets.

    Args:
        num_classes: The number of classes.
        target_class_ids: Those that are measured.
        name: Its name in logs.
        dtype: The dtype of the confusion matrix; int32 by default.
        ignore_class: A class of targets that does not count.
        sparse_y_pred: Whether predictions are integers, not probabilities.
        axis: The axis of the classes.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.OneHotIoU(num_classes=2, target_class_ids=[1])
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]); float(metric.result())
    0.5
    """

    target_class_ids: Any


class BinaryIoU(_Overlap):
    """The intersection over union of yes-or-no predictions, for class 0, class 1 or their mean.

    Args:
        target_class_ids: The classes that are measured: `(0,)`, `(1,)` or both.
        threshold: From which on a prediction is 1.
        name: Its name in logs.
        dtype: The dtype of the confusion matrix; int32 by default.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.3)
    >>> metric.update_state([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]); round(float(metric.result()), 4)
    0.3333
    """

    target_class_ids: Any = (0, 1)
    threshold: float = 0.5

    def setup(self) -> None:
        """Make the confusion matrix."""
        super().setup()
        self.target_class_ids = list(self.target_class_ids)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        positive = ops.greater_equal(tensor(y_pred), self.threshold)
        set_mask(positive, get_mask(y_pred))
        super().update_state(y_true, positive, sample_weight)


class _FScore(BuiltinMetric):
    average: Literal["micro", "macro", "weighted"] | None = None
    threshold: float | None = None
    beta: ClassVar[float] = 1.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        mask, y_true, y_pred = get_mask(y_pred), tensor(y_true, self.dtype), tensor(y_pred, self.dtype)
        if y_true.shape != y_pred.shape or len(y_pred.shape) < 2:
            raise misfit(None, y_true, y_pred, "targets are one-hot: y = keras.utils.to_categorical(y)")
        if not self._variables:  # now the number of classes is known
            shape = () if self.average == "micro" else (y_pred.shape[-1],)
            self._count_in("true_positives", "false_positives", "false_negatives", "intermediate_weights", shape=shape)
        if self.threshold is None:
            best = ops.equal(y_pred, ops.max(y_pred, -1, True))
            positive = ops.logical_and(best, ops.greater(ops.abs(y_pred), 1e-9))
        else:
            positive = ops.greater(y_pred, self.threshold)
        positive = ops.cast(positive, self.dtype)
        weights = masked_weights(y_true, sample_weight, mask, self.dtype)
        axes = None if self.average == "micro" else tuple(range(len(y_true.shape) - 1))
        found = y_true * positive, (1.0 - y_true) * positive, y_true * (1.0 - positive), y_true
        self._add(*(ops.sum(x if weights is None else ops.multiply(x, weights), axes) for x in found))

    def result(self) -> Any:
        """The score of each class, or their average."""
        if not self._variables:
            return ops.zeros((), dtype=self.dtype)
        true, wrong, missed, weights = (variable.value for variable in self._variables)
        precision, recall = ops.divide_no_nan(true, true + wrong), ops.divide_no_nan(true, true + missed)
        scores = ops.divide_no_nan((1.0 + self.beta**2) * precision * recall, self.beta**2 * precision + recall)
        if self.average == "weighted":
            scores = ops.sum(scores * ops.divide_no_nan(weights, ops.sum(weights)))
        elif self.average is not None:
            scores = ops.mean(scores)
        return ops.cast(scores, self.dtype)


class FBetaScore(_FScore, name="fbeta_score", order=("average", "beta")):
    """`(1 + beta²) * precision * recall / (beta² * precision + recall)` of each class, for one-hot targets.

    Args:
        average: None (a score for each class), "micro", "macro" or "weighted" (by the classes' frequencies).
        beta: How much more recall counts than precision.
        threshold: Above which predictions are positive; by default the most probable class is.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Raises:
        ShapeError: The targets are not one-hot.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.FBetaScore(beta=2.0)
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> keras.ops.convert_to_numpy(metric.result()).round(4)  # of class 0 one of two was missed
    array([0.5556, 0.8333], dtype=float32)
    """

    beta: Positive = 1.0


class F1Score(_FScore, name="f1_score"):
    """`2 * precision * recall / (precision + recall)` of each class, for one-hot targets.

    Args:
        average: None (a score for each class), "micro", "macro" or "weighted" (by the classes' frequencies).
        threshold: Above which predictions are positive; by default the most probable class is.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Raises:
        ShapeError: The targets are not one-hot.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.F1Score(average="macro")
    >>> metric.update_state([[1, 0], [1, 0], [0, 1]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]); round(float(metric.result()), 4)
    0.6667
    """


class R2Score(BuiltinMetric, name="r2_score"):
    """How much of the targets' variance predictions explain: 1 at best, 0 for always predicting the mean.

    Args:
        class_aggregation: None (a score for each output), "uniform_average" or "variance_weighted_average".
        num_regressors: The number of inputs of the model, to adjust the score by.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> round(float(R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]])), 4)
    0.5714
    """

    counters = ("num_samples",)
    class_aggregation: Literal["uniform_average", "variance_weighted_average"] | None = "uniform_average"
    num_regressors: Count = 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        mask = get_mask(y_pred)
        y_true, y_pred = same_rank(tensor(y_true, self.dtype), tensor(y_pred, self.dtype))
        if y_true.shape != y_pred.shape or len(y_pred.shape) < 2:
            expected = "y_true and y_pred (batch, outputs)"
            fact = "The targets do not fit the predictions."
            raise ShapeError(fact, where="R2Score", received=f"y_true {show(y_true.shape)}, y_pred {show(y_pred.shape)}", expected=expected)
        if not hasattr(self, "count"):  # now the number of outputs is known
            self._count_in("squared_sum", "sum", "residual", "count", shape=(y_true.shape[-1],))
        weights = masked_weights(y_true, sample_weight, mask, self.dtype)
        weights = ops.ones_like(y_true) if weights is None else ops.broadcast_to(weights, y_true.shape)
        found = weights * ops.square(y_true), weights * y_true, weights * ops.square(y_true - y_pred), weights
        axes = tuple(range(len(y_true.shape) - 1))
        self._add(size_of(y_true.shape), *(ops.sum(x, axes) for x in found))

    def result(self) -> Any:
        """The score."""
        if not hasattr(self, "count"):
            return ops.zeros((), dtype=self.dtype)
        total = self.squared_sum.value - ops.divide_no_nan(ops.square(self.sum.value), self.count.value)
        scores = 1.0 - ops.true_divide(self.residual.value, total)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.sum(scores * total) / ops.sum(total)
        if self.num_regressors:
            n, p = self.num_samples.value, self.num_regressors
            scores = 1.0 - (1.0 - scores) * (n - 1.0) / (n - p - 1.0)
        return scores
