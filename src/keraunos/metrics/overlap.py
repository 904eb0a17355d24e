"""Metrics of the overlap of predicted and true classes: intersection over union, F scores."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, suggestion
from keraunos.losses.loss import tensor
from keraunos.metrics.metric import Metric, accumulate


class _Overlap(Metric):
    """Intersection over union from a confusion matrix of so many classes."""

    def _prepare(self, classes: int) -> None:
        self.dtype = self.dtype or "int32"
        super().setup()
        self.total_confusion_matrix = self.add_variable((classes, classes), "zeros", name="total_confusion_matrix")

    def setup(self) -> None:
        """Make the confusion matrix."""
        self._prepare(self.num_classes)

    def _add(self, y_true: Any, y_pred: Any, sample_weight: Any, ignore_class: int | None = None) -> None:
        y_true, y_pred = (ops.reshape(ops.cast(tensor(y), "int32"), (-1,)) for y in (y_true, y_pred))
        weights = ops.ones_like(y_true, dtype="float32") if sample_weight is None else ops.reshape(tensor(sample_weight, "float32"), (-1,))
        if ignore_class is not None:
            weights = ops.where(ops.equal(y_true, ignore_class), 0.0, weights)
        classes = self.total_confusion_matrix.shape[0]
        true, predicted = ops.one_hot(y_true, classes, dtype="float32"), ops.one_hot(y_pred, classes, dtype="float32")
        found = ops.matmul(ops.transpose(true), predicted * ops.expand_dims(weights, 1))
        accumulate(self.total_confusion_matrix, ops.cast(found, self.dtype))

    sparse_y_true: ClassVar[bool] = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        y_true = tensor(y_true) if self.sparse_y_true else ops.argmax(y_true, self.axis)
        y_pred = tensor(y_pred) if self.sparse_y_pred else ops.argmax(y_pred, self.axis)
        self._add(y_true, y_pred, sample_weight, self.ignore_class)

    def result(self) -> Any:
        """The mean over the classes that occur."""
        matrix = ops.cast(self.total_confusion_matrix.value, "float32")
        both = ops.diagonal(matrix)
        union = ops.sum(matrix, 0) + ops.sum(matrix, 1) - both
        if (chosen := getattr(self, "target_class_ids", None)) is not None:
            both, union = ops.take(both, list(chosen), 0), ops.take(union, list(chosen), 0)
        occur = ops.sum(ops.cast(ops.greater(union, 0.0), "float32"))
        return ops.divide_no_nan(ops.sum(ops.divide_no_nan(both, union)), occur)


class IoU(_Overlap):
    """The intersection over union of `target_class_ids`: `true positives / (true positives + false positives + false negatives)`.

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

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> round(float(metric([0, 0, 1, 1], [0, 1, 0, 1])), 2)
    0.33
    """

    num_classes: int
    target_class_ids: Any
    name: str | None = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class MeanIoU(_Overlap):
    """The intersection over union, the mean of all classes."""

    num_classes: int
    name: str | None = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_true: bool = True
    sparse_y_pred: bool = True
    axis: int = -1


class OneHotIoU(_Overlap):
    """`IoU` for one-hot targets."""

    num_classes: int
    target_class_ids: Any
    name: str | None = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    sparse_y_true: ClassVar[bool] = False


class OneHotMeanIoU(_Overlap):
    """`MeanIoU` for one-hot targets."""

    num_classes: int
    name: str | None = None
    dtype: Any = None
    ignore_class: int | None = None
    sparse_y_pred: bool = False
    axis: int = -1
    sparse_y_true: ClassVar[bool] = False


class BinaryIoU(_Overlap):
    """The intersection over union of yes-or-no predictions, for class 0, class 1 or their mean."""

    target_class_ids: Any = (0, 1)
    threshold: float = 0.5
    name: str | None = None
    dtype: Any = None

    def setup(self) -> None:
        """Make the confusion matrix."""
        self.target_class_ids = list(self.target_class_ids)
        self._prepare(2)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        self._add(y_true, ops.greater_equal(tensor(y_pred), self.threshold), sample_weight)


class _FScore(Metric):
    average: str | None = None
    threshold: float | None = None
    beta: ClassVar[float] = 1.0

    def setup(self) -> None:
        """Check the options; the variables are made when the number of classes is known."""
        super().setup()
        if self.average not in (None, "micro", "macro", "weighted"):
            raise ArgumentError(f"There is no average {self.average!r}.", fix=suggestion(self.average, ("micro", "macro", "weighted")))
        if self.beta <= 0:
            raise ArgumentError("beta must be above 0.", received=f"beta={self.beta}")
        self._built = False

    def _build(self, classes: int) -> None:
        shape = () if self.average == "micro" else (classes,)
        names = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")
        for name in names:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        y_true, y_pred = tensor(y_true, self.dtype), tensor(y_pred, self.dtype)
        if not self._built:
            self._build(y_pred.shape[-1])
        if self.threshold is None:
            best = ops.equal(y_pred, ops.max(y_pred, -1, True))
            positive = ops.logical_and(best, ops.greater(ops.abs(y_pred), 1e-9))
        else:
            positive = ops.greater(y_pred, self.threshold)
        positive = ops.cast(positive, self.dtype)
        weights = 1.0 if sample_weight is None else ops.expand_dims(tensor(sample_weight, self.dtype), 1)
        axis = None if self.average == "micro" else 0
        found = y_true * positive, (1.0 - y_true) * positive, y_true * (1.0 - positive), y_true
        for variable, x in zip((self.true_positives, self.false_positives, self.false_negatives, self.intermediate_weights), found, strict=True):
            accumulate(variable, ops.sum(x * weights, axis))

    def result(self) -> Any:
        """The score of each class, or their average."""
        if not self._built:
            return ops.zeros((), dtype=self.dtype)
        true = self.true_positives.value
        precision, recall = ops.divide_no_nan(true, true + self.false_positives.value), ops.divide_no_nan(true, true + self.false_negatives.value)
        scores = ops.divide_no_nan((1.0 + self.beta**2) * precision * recall, self.beta**2 * precision + recall)
        if self.average == "weighted":
            weights = self.intermediate_weights.value
            return ops.sum(scores * ops.divide_no_nan(weights, ops.sum(weights)))
        return ops.mean(scores) if self.average is not None else scores


class FBetaScore(_FScore):
    """`(1 + beta²) * precision * recall / (beta² * precision + recall)` of each class, for one-hot targets.

    Args:
        average: None (a score for each class), "micro", "macro" or "weighted" (by the classes' frequencies).
        beta: How much more recall counts than precision.
        threshold: Above which predictions are positive; by default the most probable class is.
        name: Its name in logs.
        dtype: The dtype of its variables.
    """

    average: str | None = None
    beta: float = 1.0
    threshold: float | None = None
    name: str | None = "fbeta_score"
    dtype: Any = None


class F1Score(_FScore):
    """`2 * precision * recall / (precision + recall)` of each class, for one-hot targets; the arguments are those of `FBetaScore`."""

    average: str | None = None
    threshold: float | None = None
    name: str | None = "f1_score"
    dtype: Any = None
