"""What `compile` makes of losses and metrics: one for each output, matched by name or place."""

from __future__ import annotations

from typing import Any

from keraunos import losses as losses_module
from keraunos import metrics as metrics_module
from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError, suggestion

ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")  # names for the kind that fits the output


def by_output(value: Any, names: list[str], what: str) -> list[Any]:
    """`value` as a list with one entry for each output; dicts are matched by name, None fills gaps.

    Raises:
        ArgumentError: Names or numbers do not fit the outputs.
    """
    if isinstance(value, dict):
        wrong = next((key for key in value if key not in names), None)
        if wrong is not None:
            raise ArgumentError(f"{what} names the output '{wrong}', which the model does not have.", where=what, fix=suggestion(wrong, names))
        return [value.get(name) for name in names]
    if not isinstance(value, (list, tuple)):
        return [value] * len(names)
    if len(value) != len(names):
        count = f"{len(value)} {what} for {len(names)} output{'s' if len(names) > 1 else ''}."
        fix = f"pass one for each output, or a dict by name: {{{names[0]!r}: …}}"
        raise ArgumentError(count, where=what, expected=", ".join(names), fix=fix)
    return list(value)


def targets(y: Any, names: list[str]) -> list[Any]:
    """The targets in the order of the outputs.

    Raises:
        DataError: Their number or names do not fit.
    """
    if isinstance(y, dict):
        if not any(name in y for name in names):
            raise DataError("The keys of y are not the names of the outputs.", received=", ".join(map(repr, list(y)[:8])), expected=", ".join(map(repr, names)))
        return [y.get(name) for name in names]
    flat = tree.flatten(y)
    if len(flat) != len(names):
        message = f"y needs {len(names)} arrays, one for each output ({', '.join(names)}); it has {len(flat)}."
        raise DataError(message, where="y", fix=f"y=[{', '.join(f'y_{n}' for n in names)}] or a dict by name")
    return flat


def aligned(y: Any, y_pred: Any, sample_weight: Any, names: list[str]) -> tuple[list[Any], list[Any], list[Any]]:
    """Targets, predictions and sample weights, one entry for each output."""
    nested = (list, tuple, dict)
    goals = [y] if len(names) == 1 and not isinstance(y, nested) else targets(y, names)
    weights = by_output(sample_weight, names, "sample_weight") if isinstance(sample_weight, nested) else [sample_weight] * len(goals)
    return goals, tree.flatten(y_pred), weights


class CompiledLoss:
    """The losses of a model's outputs and their weighted sum."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str]):
        self.names = names
        self.losses = [losses_module.as_loss(x) for x in by_output(loss, names, "losses")]
        self.weights = [1.0 if w is None else w for w in by_output(loss_weights, names, "loss_weights")]
        several = len(names) - self.losses.count(None) > 1
        self.trackers = {i: metrics_module.Mean(name=f"{n}_loss") for i, n in enumerate(names) if several and self.losses[i] is not None}

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        total = None
        for i, (goal, prediction, weight) in enumerate(zip(*aligned(y, y_pred, sample_weight, self.names), strict=True)):
            if self.losses[i] is None or goal is None:
                continue
            value = self.losses[i](goal, prediction, weight)
            if self.trackers:  # the logs show each output's loss before its weight
                self.trackers[i].update_state(ops.stop_gradient(value), sample_weight=prediction.shape[0])
            value = value if self.weights[i] == 1.0 else ops.multiply(value, self.weights[i])
            total = value if total is None else ops.add(total, value)
        return 0.0 if total is None else total


class CompiledMetrics:
    """The metrics of a model's outputs; "accuracy" becomes the kind that fits the shapes.

    Args:
        metrics: What `compile` was given.
        weighted_metrics: Likewise, for those that take sample weights.
        names: The names of the outputs.
        y: The targets or their specs, or None.
        y_pred: The outputs or their specs.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any, names: list[str], y: Any, y_pred: Any):
        self.names = names
        self.entries: list[tuple[int, Any, bool]] = []  # the output's place, the metric, whether it takes sample weights
        goals, predictions = targets(y, names) if y is not None else [None] * len(names), tree.flatten(y_pred)
        for given, weighted in ((metrics, False), (weighted_metrics, True)):
            for i, group in enumerate(self._by_output(given)):
                made = [self._make(metric, goals[i], predictions[i]) for metric in tree.flatten(group) if metric is not None]
                self.entries += [(i, metric, weighted) for metric in made]

    def _by_output(self, given: Any) -> list[Any]:
        names, listed = self.names, isinstance(given, (list, tuple))
        if len(names) == 1 and not isinstance(given, dict):
            return [given]
        if not given:
            return []
        if not isinstance(given, dict) and not (listed and (len(given) == len(names) or any(isinstance(m, (list, tuple)) for m in given))):
            raise ArgumentError(f"metrics for a model with {len(names)} outputs name the output.", where="metrics", fix=f"metrics={{{names[0]!r}: […]}}")
        return by_output(given, names, "metrics")

    @staticmethod
    def _make(metric: Any, y: Any, y_pred: Any) -> Any:
        if isinstance(metric, metrics_module.Metric):
            return metric
        if metric in ACCURACY or metric in CROSSENTROPY:
            found = (metrics_module.accuracy_for if metric in ACCURACY else metrics_module.crossentropy_for)(tuple(y.shape), tuple(y_pred.shape))
            return found(name=metric) if isinstance(found, type) else found
        found = metrics_module.get(metric)
        found = found() if isinstance(found, type) else found
        if not isinstance(found, metrics_module.Metric):
            found = metrics_module.MeanMetricWrapper(found, name=getattr(found, "__name__", None))
        if isinstance(metric, str):
            found.name = metric
        return found

    @property
    def metrics(self) -> list[tuple[str, Any]]:
        """The metrics and their names in the logs: with the output's before it where there are several."""
        several = len(self.names) > 1
        return [(f"{self.names[i]}_{m.name}" if several else m.name, m) for i, m, _ in self.entries]

    def update(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the metrics with one batch."""
        if self.entries:
            goals, predictions, weights = aligned(y, y_pred, sample_weight, self.names)
            for i, metric, weighted in self.entries:
                if goals[i] is not None:
                    metric.update_state(goals[i], predictions[i], *([weights[i]] if weighted and weights[i] is not None else []))
