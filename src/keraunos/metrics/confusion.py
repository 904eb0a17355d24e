"""Metrics of yes-or-no predictions at thresholds: counts of true and false positives and negatives."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, ShapeError, suggestion
from keraunos.core.spec import show
from keraunos.losses.loss import fit_weights, same_rank, tensor
from keraunos.metrics.metric import Metric, accumulate

_LOWEST = -1e10  # below every prediction
_KINDS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def count(
    y_true: Any, y_pred: Any, thresholds: list[float], weights: Any = None, top_k: int | None = None, class_id: int | None = None, per_label: bool = False
) -> dict[str, Any]:
    """The weighted counts for each threshold, and with `per_label` for each label."""
    y_pred = tensor(y_pred, config.floatx())
    y_true, y_pred = same_rank(tensor(y_true), y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ShapeError("The targets do not fit the predictions.", received=f"y_true {show(y_true.shape)}, y_pred {show(y_pred.shape)}", expected="one shape")
    dtype = ops.dtype(y_pred)
    weights = None if weights is None else ops.broadcast_to(fit_weights(y_pred, tensor(weights, dtype)), y_pred.shape)
    if top_k is not None:
        least = ops.top_k(y_pred, top_k)[0][..., -1:]
        y_pred = ops.where(ops.greater_equal(y_pred, least), y_pred, _LOWEST)
    if class_id is not None:
        y_true, y_pred, weights = (x if x is None else x[..., class_id] for x in (y_true, y_pred, weights))
    shape = (1, -1, y_pred.shape[-1] if per_label else 1)
    labels, y_pred = ops.reshape(ops.cast(ops.not_equal(y_true, 0), dtype), shape), ops.reshape(y_pred, shape)
    weights = ops.ones_like(labels) if weights is None else ops.reshape(weights, shape)
    above = ops.cast(ops.greater(y_pred, ops.reshape(tensor(list(thresholds), dtype), (-1, 1, 1))), dtype)
    yes, no = labels * weights, (1.0 - labels) * weights
    true, false = ops.sum(above * yes, 1), ops.sum(above * no, 1)
    found = true, false, ops.sum(no, 1) - false, ops.sum(yes, 1) - true
    return {kind: x if per_label else x[:, 0] for kind, x in zip(_KINDS, found, strict=True)}


def _checked(thresholds: Any, top_k: Any = None) -> list[float]:
    values = [_LOWEST if top_k else 0.5] if thresholds is None else list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    if thresholds is not None and not all(0.0 <= t <= 1.0 for t in values):
        raise ArgumentError("thresholds must lie from 0 to 1.", received=f"thresholds={thresholds!r}")
    return [float(t) for t in values]


class _Counting(Metric):
    """A metric made of counts at thresholds; `kinds` names those that it keeps."""

    kinds: ClassVar[tuple[str, ...]] = _KINDS
    labels: ClassVar[int | None] = None

    def _make(self, shape: tuple[int, ...]) -> None:
        for kind in self.kinds:
            setattr(self, kind, self.add_variable(shape, "zeros", name=kind))

    def _start(self, thresholds: list[float]) -> None:
        self._given, self.thresholds = getattr(self, "thresholds", None), thresholds
        self._make((len(thresholds),))

    def _update(self, y_true: Any, y_pred: Any, sample_weight: Any, **options: Any) -> None:
        found = count(y_true, y_pred, self.thresholds, sample_weight, **options)
        for kind in self.kinds:
            variable = getattr(self, kind)
            accumulate(variable, found[kind])

    def _scalar(self, x: Any) -> Any:
        return x[0] if len(self.thresholds) == 1 else x

    def field_config(self) -> dict[str, Any]:
        """The fields' values, the thresholds as they were given."""
        return super().field_config() | ({"thresholds": self._given} if "thresholds" in self.fields else {})


class _Count(_Counting):
    kind: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]] = ("accumulator",)
    thresholds: Any = None
    name: str | None = None
    dtype: Any = None

    def setup(self) -> None:
        """Make the counts."""
        super().setup()
        self._start(_checked(self.thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        found = count(y_true, y_pred, self.thresholds, sample_weight)[self.kind]
        accumulate(self.accumulator, found)

    def result(self) -> Any:
        """The count for each threshold."""
        return self._scalar(self.accumulator.value)


class TruePositives(_Count):
    """How many positives were predicted as such."""

    kind = "true_positives"


class FalsePositives(_Count):
    """How many negatives were predicted to be positive."""

    kind = "false_positives"


class TrueNegatives(_Count):
    """How many negatives were predicted as such."""

    kind = "true_negatives"


class FalseNegatives(_Count):
    """How many positives were predicted to be negative."""

    kind = "false_negatives"


class _Share(_Counting):
    """The share of true positives among these and another kind."""

    thresholds: Any = None
    top_k: int | None = None
    class_id: int | None = None
    name: str | None = None
    dtype: Any = None

    def setup(self) -> None:
        """Make the counts."""
        super().setup()
        self._start(_checked(self.thresholds, self.top_k))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        self._update(y_true, y_pred, sample_weight, top_k=self.top_k, class_id=self.class_id)

    def result(self) -> Any:
        """The share for each threshold."""
        true, other = (getattr(self, kind).value for kind in self.kinds)
        return self._scalar(ops.divide_no_nan(true, true + other))


class Precision(_Share):
    """The share of true ones among predicted positives.

    Args:
        thresholds: Above which predictions are positive; 0.5, or none with `top_k`.
        top_k: Only the greatest so many predictions of a sample count as positive.
        class_id: The class that is measured; all by default.
        name: Its name in logs.
        dtype: The dtype of its variables.

    Example:

    >>> float(Precision()([0, 1, 1, 1], [1, 0, 1, 1])) > 0.66
    True
    """

    kinds = ("true_positives", "false_positives")


class Recall(_Share):
    """The share of positives that were predicted as such; the arguments are those of `Precision`."""

    kinds = ("true_positives", "false_negatives")


def _spread(n: int) -> list[float]:
    """Thresholds evenly from 0 to 1, the ends a little outside."""
    inner = [(i + 1) / (n - 1) for i in range(n - 2)]
    return [-config.epsilon(), *inner, 1.0 + config.epsilon()] if n > 1 else [0.5]


class _Constrained(_Counting):
    """The best of one rate where another is at least so high."""

    num_thresholds: int = 200
    class_id: int | None = None
    name: str | None = None
    dtype: Any = None
    wanted: ClassVar[str]
    rates: ClassVar[tuple[tuple[str, str], tuple[str, str]]]  # the rate held, and the rate maximized: (part, rest)

    def setup(self) -> None:
        """Make the counts."""
        super().setup()
        if self.num_thresholds < 1 or not 0 <= getattr(self, self.wanted) <= 1:
            raise ArgumentError(
                f"{type(self).__name__}: {self.wanted} lies from 0 to 1, num_thresholds from 1 on.", received=f"{self.wanted}={getattr(self, self.wanted)}"
            )
        self._start(_spread(self.num_thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        self._update(y_true, y_pred, sample_weight, class_id=self.class_id)

    def result(self) -> Any:
        """The greatest rate among the thresholds that keep the other one up."""
        held, rate = (ops.divide_no_nan(part, part + rest) for part, rest in ((getattr(self, a).value, getattr(self, b).value) for a, b in self.rates))
        return ops.max(ops.where(ops.greater_equal(held, getattr(self, self.wanted)), rate, 0.0))


_SENSITIVITY, _SPECIFICITY = ("true_positives", "false_negatives"), ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


class SensitivityAtSpecificity(_Constrained):
    """The best share of positives found where `specificity` is kept."""

    specificity: float
    num_thresholds: int = 200
    wanted, rates = "specificity", (_SPECIFICITY, _SENSITIVITY)


class SpecificityAtSensitivity(_Constrained):
    """The best share of negatives found where `sensitivity` is kept."""

    sensitivity: float
    num_thresholds: int = 200
    wanted, rates = "sensitivity", (_SENSITIVITY, _SPECIFICITY)


class PrecisionAtRecall(_Constrained):
    """The best precision where `recall` is kept."""

    recall: float
    num_thresholds: int = 200
    wanted, rates = "recall", (_SENSITIVITY, _PRECISION)


class RecallAtPrecision(_Constrained):
    """The best recall where `precision` is kept."""

    precision: float
    num_thresholds: int = 200
    wanted, rates = "precision", (_PRECISION, _SENSITIVITY)


class AUC(_Counting):
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

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]))
    0.75
    """

    num_thresholds: int = 200
    curve: str = "ROC"
    summation_method: str = "interpolation"
    name: str | None = None
    dtype: Any = None
    thresholds: Any = None
    multi_label: bool = False
    num_labels: int | None = None
    label_weights: Any = None
    from_logits: bool = False
    unwritten = {"thresholds": None}

    def setup(self) -> None:
        """Check the options and make the counts."""
        super().setup()
        for option, values in (("curve", ("ROC", "PR")), ("summation_method", ("interpolation", "minoring", "majoring"))):
            if getattr(self, option) not in values:
                raise ArgumentError(f"AUC: there is no {option} {getattr(self, option)!r}.", fix=suggestion(getattr(self, option), values))
        if self.num_thresholds < 2:
            raise ArgumentError("AUC needs at least 2 thresholds.", received=f"num_thresholds={self.num_thresholds}")
        self._given = self.thresholds
        self.thresholds = _spread(self.num_thresholds)
        if self._given is not None:
            self.thresholds = [-config.epsilon(), *sorted(_checked(self._given)), 1.0 + config.epsilon()]
            self.num_thresholds = len(self.thresholds)
        self._built = False
        if self.num_labels or not self.multi_label:
            self._build(self.num_labels if self.multi_label else None)

    def _build(self, labels: int | None) -> None:
        if labels and self.label_weights is not None and len(self.label_weights) != labels:
            raise ShapeError(f"AUC has {len(self.label_weights)} label_weights for {labels} labels.")
        self._make((len(self.thresholds), labels) if labels else (len(self.thresholds),))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        y_pred = tensor(y_pred, config.floatx())
        if not self._built:
            self._build(y_pred.shape[-1])
        self._update(y_true, ops.sigmoid(y_pred) if self.from_logits else y_pred, sample_weight, per_label=self.multi_label)

    def _areas(self, true: Any, false: Any, missed: Any) -> Any:
        """The area under the PR curve between thresholds, by the interpolation of [Davis and Goadrich, 2006](https://doi.org/10.1145/1143844.1143874)."""
        step = true[:-1] - true[1:]
        total = true + false
        slope = ops.divide_no_nan(step, ops.maximum(total[:-1] - total[1:], 0.0))
        intercept = true[1:] - slope * total[1:]
        both = ops.logical_and(ops.greater(total[:-1], 0.0), ops.greater(total[1:], 0.0))
        ratio = ops.where(both, ops.divide_no_nan(ops.maximum(total[:-1], 0.0), ops.maximum(total[1:], 0.0)), 1.0)
        return ops.divide_no_nan(slope * (step + intercept * ops.log(ratio)), ops.maximum(true[1:] + missed[1:], 0.0))

    def result(self) -> Any:
        """The area; the mean of the labels' with `multi_label`."""
        if not self._built:
            return ops.zeros((), dtype=self.dtype)
        true, false, negative, missed = (getattr(self, kind).value for kind in _KINDS)
        recall = ops.divide_no_nan(true, true + missed)
        if self.curve == "PR" and self.summation_method == "interpolation":
            parts = self._areas(true, false, missed)
        else:
            x, y = (recall, ops.divide_no_nan(true, true + false)) if self.curve == "PR" else (ops.divide_no_nan(false, false + negative), recall)
            low, high = ops.minimum(y[:-1], y[1:]), ops.maximum(y[:-1], y[1:])
            height = {"interpolation": (y[:-1] + y[1:]) / 2.0, "minoring": low, "majoring": high}[self.summation_method]
            parts = (x[:-1] - x[1:]) * height
        areas = ops.sum(parts, 0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = tensor(self.label_weights, self.dtype)
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))
