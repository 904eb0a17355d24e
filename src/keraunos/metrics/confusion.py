"""Metrics of yes-or-no predictions at thresholds: counts of true and false positives and negatives."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportArgumentType=false

from __future__ import annotations

from typing import Any, ClassVar, Literal

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Several, Share, Size
from keraunos.core.masks import get_mask
from keraunos.core.spec import show
from keraunos.losses.loss import masked_weights, misfit, same_rank, tensor
from keraunos.metrics.metric import BuiltinMetric

_LOWEST = -1e10  # below every prediction
_KINDS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
# Rates are the share of the first kind in the sum of both.
_RATES = {
    "precision": ("true_positives", "false_positives"), "recall": ("true_positives", "false_negatives"),
    "sensitivity": ("true_positives", "false_negatives"), "specificity": ("true_negatives", "false_positives"),
}  # fmt: skip
_HEIGHTS = {"interpolation": lambda a, b: (a + b) / 2.0, "minoring": ops.minimum, "majoring": ops.maximum}


def _counts(
    y_true: Any, y_pred: Any, thresholds: list[float], weights: Any, mask: Any, top_k: int | None, class_id: int | None, per_label: bool
) -> dict[str, Any]:
    """The weighted counts for each threshold, and with `per_label` for each label."""
    y_true, y_pred = same_rank(tensor(y_true), y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise misfit(None, y_true, y_pred)
    dtype = ops.dtype(y_pred)
    weights = masked_weights(y_pred, weights, mask, dtype)
    weights = None if weights is None else ops.broadcast_to(weights, y_pred.shape)
    if top_k is not None:
        least = ops.top_k(y_pred, top_k)[0][..., -1:]
        y_pred = ops.where(ops.greater_equal(y_pred, least), y_pred, _LOWEST)
    if class_id is not None:
        if len(y_pred.shape) < 2 or not 0 <= class_id < y_pred.shape[-1]:
            fact = f"There is no class {class_id}."
            raise ShapeError(fact, where="class_id", received=f"y_pred {show(y_pred.shape)}", expected="classes along the last axis")
        y_true, y_pred, weights = (x if x is None else x[..., class_id] for x in (y_true, y_pred, weights))
    shape = (1, -1, y_pred.shape[-1] if per_label else 1)
    labels, y_pred = ops.reshape(ops.cast(ops.not_equal(y_true, 0), dtype), shape), ops.reshape(y_pred, shape)
    weights = ops.ones_like(labels) if weights is None else ops.reshape(weights, shape)
    above = ops.cast(ops.greater(y_pred, ops.reshape(tensor(thresholds, dtype), (-1, 1, 1))), dtype)
    yes, no = labels * weights, (1.0 - labels) * weights
    true, false = ops.sum(above * yes, 1), ops.sum(above * no, 1)
    found = true, false, ops.sum(no, 1) - false, ops.sum(yes, 1) - true
    return {kind: x if per_label else x[:, 0] for kind, x in zip(_KINDS, found, strict=True)}


class _Counting(BuiltinMetric):
    """A metric made of counts at thresholds."""

    kinds: ClassVar[tuple[str, ...]] = _KINDS  # which counts its variables hold
    names: ClassVar[tuple[str, ...] | None] = None  # the variables' names, where they are not those of the counts
    top_k = class_id = thresholds = None  # without annotations, so that they are no fields
    multi_label = from_logits = False

    def setup(self) -> None:
        """Settle the thresholds and make the counts."""
        super().setup()
        self._given, self.thresholds = self.thresholds, self._thresholds()
        if not self.multi_label:
            self._build()

    def _thresholds(self) -> list[float]:
        """The thresholds, as a list, checked."""
        if self.thresholds is None:
            return [_LOWEST if self.top_k else 0.5]
        values = self.thresholds if isinstance(self.thresholds, (list, tuple)) else [self.thresholds]
        if not all(0.0 <= t <= 1.0 for t in values):
            raise ArgumentError("thresholds must lie from 0 to 1.", received=f"thresholds={self.thresholds!r}")
        return [float(t) for t in values]

    def _build(self, *labels: int) -> None:
        self._count_in(*(self.names or self.kinds), shape=(len(self.thresholds), *labels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        mask = get_mask(y_pred)
        y_pred = tensor(y_pred, config.floatx())
        y_pred = ops.sigmoid(y_pred) if self.from_logits else y_pred
        found = _counts(y_true, y_pred, self.thresholds, sample_weight, mask, self.top_k, self.class_id, self.multi_label)
        self._add(*(found[kind] for kind in self.kinds))

    def _rate(self, kind: str, other: str) -> Any:
        part, rest = getattr(self, kind).value, getattr(self, other).value
        return ops.divide_no_nan(part, part + rest)

    def _scalar(self, x: Any) -> Any:
        return x[0] if len(self.thresholds) == 1 else x

    def field_config(self) -> dict[str, Any]:
        """The fields' values, the thresholds as they were given."""
        return {name: self._given if name == "thresholds" else value for name, value in super().field_config().items()}


class _Count(_Counting):
    names = ("accumulator",)
    thresholds: Any = None

    def result(self) -> Any:
        """The count for each threshold."""
        return self._scalar(self.accumulator.value)


class TruePositives(_Count):
    """How many positives were predicted as such.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5 by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.TruePositives()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1]); float(metric.result())
    1.0
    """

    kinds = ("true_positives",)


class FalsePositives(_Count):
    """How many negatives were predicted to be positive.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5 by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.FalsePositives()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1]); float(metric.result())
    1.0
    """

    kinds = ("false_positives",)


class TrueNegatives(_Count):
    """How many negatives were predicted as such.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5 by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.TrueNegatives(thresholds=[0.5, 0.85])
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1]); keras.ops.convert_to_numpy(metric.result()).tolist()
    [1.0, 2.0]
    """

    kinds = ("true_negatives",)


class FalseNegatives(_Count):
    """How many positives were predicted to be negative.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5 by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.FalseNegatives()
    >>> metric.update_state([1, 1, 0, 0], [0.9, 0.2, 0.8, 0.1]); float(metric.result())
    1.0
    """

    kinds = ("false_negatives",)


class _Share(_Counting):
    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None

    def result(self) -> Any:
        """The share for each threshold."""
        return self._scalar(self._rate(*self.kinds))


class Precision(_Share):
    """The share of true ones among predicted positives: `true positives / (true positives + false positives)`.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5, or none with `top_k`.
        top_k: Only the greatest so many predictions of a sample count as positive.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Raises:
        ArgumentError: A threshold is not from 0 to 1.
        ShapeError: The targets do not fit the predictions, or there is no class `class_id`.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.Precision()
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.1, 0.8, 0.7]); round(float(metric.result()), 4)  # 2 of 3
    0.6667
    """

    kinds = _RATES["precision"]


class Recall(_Share):
    """The share of positives that were predicted as such: `true positives / (true positives + false negatives)`.

    Args:
        thresholds: Above which predictions are positive, one number or a list of them; 0.5, or none with `top_k`.
        top_k: Only the greatest so many predictions of a sample count as positive.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Raises:
        ArgumentError: A threshold is not from 0 to 1.
        ShapeError: The targets do not fit the predictions, or there is no class `class_id`.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.Recall(thresholds=[0.5, 0.75])
    >>> metric.update_state([0, 1, 1, 1], [0.9, 0.1, 0.8, 0.7]); keras.ops.convert_to_numpy(metric.result()).round(4)
    array([0.6667, 0.3333], dtype=float32)
    """

    kinds = _RATES["recall"]


def _spread(n: int) -> list[float]:
    """Thresholds evenly from 0 to 1, the ends a little outside."""
    inner = [(i + 1) / (n - 1) for i in range(n - 2)]
    return [-config.epsilon(), *inner, 1.0 + config.epsilon()] if n > 1 else [0.5]


class _Constrained(_Counting):
    """The best of one rate where another, whose bound is the field of that name, is held."""

    num_thresholds: Size = 200
    class_id: int | None = None
    held: ClassVar[str]
    best: ClassVar[str]

    def _thresholds(self) -> list[float]:
        return _spread(self.num_thresholds)

    def result(self) -> Any:
        """The greatest rate among the thresholds that keep the other one up."""
        held, rate = self._rate(*_RATES[self.held]), self._rate(*_RATES[self.best])
        return ops.max(ops.where(ops.greater_equal(held, getattr(self, self.held)), rate, 0.0))


class SensitivityAtSpecificity(_Constrained):
    """The best sensitivity (the share of positives found) among the thresholds at which `specificity` is kept.

    Args:
        specificity: The least share of negatives that are to be found, from 0 to 1.
        num_thresholds: How many thresholds, evenly from 0 to 1, are tried.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SensitivityAtSpecificity(0.5)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.7, 0.4, 0.9]); float(metric.result())
    1.0
    """

    specificity: Share
    held, best = "specificity", "sensitivity"


class SpecificityAtSensitivity(_Constrained):
    """The best specificity (the share of negatives found) among the thresholds at which `sensitivity` is kept.

    Args:
        sensitivity: The least share of positives that are to be found, from 0 to 1.
        num_thresholds: How many thresholds, evenly from 0 to 1, are tried.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.SpecificityAtSensitivity(1.0)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.7, 0.4, 0.9]); float(metric.result())
    0.5
    """

    sensitivity: Share
    held, best = "sensitivity", "specificity"


class PrecisionAtRecall(_Constrained):
    """The best precision among the thresholds at which `recall` is kept.

    Args:
        recall: The least share of positives that are to be found, from 0 to 1.
        num_thresholds: How many thresholds, evenly from 0 to 1, are tried.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.PrecisionAtRecall(1.0)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.7, 0.4, 0.9]); round(float(metric.result()), 4)  # 2 of 3
    0.6667
    """

    recall: Share
    held, best = "recall", "precision"


class RecallAtPrecision(_Constrained):
    """The best recall among the thresholds at which `precision` is kept.

    Args:
        precision: The least share of true ones among predicted positives, from 0 to 1.
        num_thresholds: How many thresholds, evenly from 0 to 1, are tried.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.RecallAtPrecision(0.9)
    >>> metric.update_state([0, 0, 1, 1], [0.1, 0.7, 0.4, 0.9]); float(metric.result())
    0.5
    """

    precision: Share
    held, best = "precision", "recall"


class AUC(_Counting, order=("num_thresholds", "curve", "summation_method", "name", "dtype")):
    """The area under the curve of true over false positive rates ("ROC"), or of precision over recall ("PR").

    Args:
        num_thresholds: At how many thresholds the curve is sampled.
        curve: "ROC" or "PR".
        summation_method: "interpolation", "minoring" or "majoring".
        name: Its name in logs.
        dtype: The dtype of its variables.
        thresholds: Those from 0 to 1 to sample at, instead of evenly.
        multi_label: Whether each label has a curve, whose areas are averaged.
        num_labels: The number of labels, known only from data otherwise.
        label_weights: The weight of each label in the average.
        from_logits: Whether predictions are logits.

    Example:

    >>> import keraunos as keras
    >>> metric = keras.metrics.AUC(num_thresholds=3)
    >>> metric.update_state([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]); float(metric.result())
    0.75
    """

    num_thresholds: Several = 200
    curve: Literal["ROC", "PR"] = "ROC"
    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation"
    thresholds: Any = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Any = None
    from_logits: bool = False
    unwritten = ("thresholds",)

    def setup(self) -> None:
        """Make the counts, as far as the number of labels is known."""
        super().setup()
        if self.multi_label and self.num_labels:
            self._build(self.num_labels)

    def _thresholds(self) -> list[float]:
        if self.thresholds is None:
            return _spread(self.num_thresholds)
        found = [-config.epsilon(), *sorted(super()._thresholds()), 1.0 + config.epsilon()]
        self.num_thresholds = len(found)
        return found

    def _build(self, *labels: int) -> None:
        if labels and self.label_weights is not None and len(self.label_weights) != labels[0]:
            raise ShapeError(f"AUC has {len(self.label_weights)} label_weights for {labels[0]} labels.", fix="one weight for each label")
        super()._build(*labels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        if not self._variables:
            self._build(tensor(y_pred).shape[-1])
        super().update_state(y_true, y_pred, sample_weight)

    def _interpolated(self) -> Any:
        """The areas under the PR curve between thresholds, by [Davis and Goadrich, 2006](https://doi.org/10.1145/1143844.1143874)."""
        true, false, missed = self.true_positives.value, self.false_positives.value, self.false_negatives.value
        step = true[:-1] - true[1:]
        total = true + false
        slope = ops.divide_no_nan(step, ops.maximum(total[:-1] - total[1:], 0.0))
        intercept = true[1:] - slope * total[1:]
        both = ops.logical_and(ops.greater(total[:-1], 0.0), ops.greater(total[1:], 0.0))
        ratio = ops.where(both, ops.divide_no_nan(ops.maximum(total[:-1], 0.0), ops.maximum(total[1:], 0.0)), 1.0)
        return ops.divide_no_nan(slope * (step + intercept * ops.log(ratio)), ops.maximum(true[1:] + missed[1:], 0.0))

    def result(self) -> Any:
        """The area; the mean of the labels' with `multi_label`."""
        if not self._variables:
            return ops.zeros((), dtype=self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            parts = self._interpolated()
        else:
            recall = self._rate(*_RATES["recall"])
            x, y = (recall, self._rate(*_RATES["precision"])) if self.curve == "PR" else (self._rate("false_positives", "true_negatives"), recall)
            parts = (x[:-1] - x[1:]) * _HEIGHTS[self.summation_method](y[:-1], y[1:])
        areas = ops.sum(parts, 0)
        if not self.multi_label:
            return areas
        weights = ops.ones_like(areas) if self.label_weights is None else tensor(self.label_weights, self.dtype)
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))
