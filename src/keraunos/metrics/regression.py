"""The coefficient of determination."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.spec import size_of
from keraunos.losses.loss import fit_weights, same_rank, tensor
from keraunos.metrics.metric import BuiltinMetric


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

    class_aggregation: str | None = "uniform_average"
    num_regressors: int = 0

    def setup(self) -> None:
        """Check the options; all but one variable are made when the number of outputs is known."""
        super().setup()
        self._one_of("class_aggregation", "uniform_average", "variance_weighted_average")
        if self.num_regressors < 0:
            raise ArgumentError("num_regressors cannot be negative.", received=f"num_regressors={self.num_regressors}")
        self._add_counters("num_samples")

    @property
    def _built(self) -> bool:
        return len(self._variables) > 1

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        y_true, y_pred = same_rank(tensor(y_true, self.dtype), tensor(y_pred, self.dtype))
        if not self._built:
            self._add_counters("squared_sum", "sum", "residual", "count", shape=(y_true.shape[-1],))
        weights = ops.ones_like(y_true) if sample_weight is None else ops.broadcast_to(fit_weights(y_true, tensor(sample_weight, self.dtype)), y_true.shape)
        found = weights * ops.square(y_true), weights * y_true, weights * ops.square(y_true - y_pred), weights
        self._add(size_of(y_true.shape), *(ops.sum(x, 0) for x in found))

    def result(self) -> Any:
        """The score."""
        if not self._built:
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
