"""What `compile` makes of losses and metrics: one for each output, matched by name or place."""

from __future__ import annotations

from typing import Any

from keraunos import losses as losses_module
from keraunos import metrics as metrics_module
from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError, suggestion
from keraunos.core.names import to_snake_case


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
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise ArgumentError(
                f"{len(value)} {what} for {len(names)} output{'s' if len(names) > 1 else ''}.",
                where=what,
                expected=", ".join(names),
                fix=f"pass one for each output, or a dict by name: {{{names[0]!r}: …}}",
            )
        return list(value)
    return [value] * len(names)


def targets(y: Any, names: list[str], structure: Any) -> list[Any]:
    """The targets in the order of the outputs.

    Raises:
        DataError: Their number or names do not fit.
    """
    if isinstance(y, dict):
        missing = [name for name in names if name not in y]
        if len(missing) == len(names):
            raise DataError("The keys of y are not the names of the outputs.", received=", ".join(map(repr, list(y)[:8])), expected=", ".join(map(repr, names)))
        return [y.get(name) for name in names]
    flat = tree.flatten(y)
    if len(flat) != len(names):
        raise DataError(
            f"y needs {len(names)} arrays, one for each output ({', '.join(names)}); it has {len(flat)}.",
            where="y",
            fix=f"y=[{', '.join(f'y_{n}' for n in names)}] or a dict by name",
        )
    return flat


def as_loss(identifier: Any) -> Any:
    """A loss object; for one of our functions, or its name, the class of that name."""
    found = losses_module.get(identifier)
    name = getattr(found, "__name__", "")
    same = [c for c in vars(losses_module).values() if isinstance(c, type) and issubclass(c, losses_module.Loss) and to_snake_case(c.__name__) == name]
    return same[0]() if same and getattr(losses_module, name, None) is found else losses_module.as_loss(identifier)


class CompiledLoss:
    """The losses of a model's outputs and their weighted sum."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str]):
        self.names = names
        self.losses = [as_loss(x) for x in by_output(loss, names, "losses")]
        weights = by_output(loss_weights, names, "loss_weights") if loss_weights is not None else [None] * len(names)
        self.weights = [1.0 if w is None else w for w in weights]
        several = len(names) > 1
        self.trackers = [metrics_module.Mean(name=f"{name}_loss") for name in names] if several else []

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        predictions = tree.flatten(y_pred)
        if len(self.names) == 1 and not isinstance(y, (list, tuple, dict)):
            return self._one(0, y, predictions[0], sample_weight)
        goals = targets(y, self.names, y_pred)
        samples = by_output(sample_weight, self.names, "sample_weight") if isinstance(sample_weight, (list, tuple, dict)) else [sample_weight] * len(goals)
        total = None
        for i, (goal, prediction, weight) in enumerate(zip(goals, predictions, samples, strict=True)):
            if self.losses[i] is None or goal is None:
                continue
            value = self._one(i, goal, prediction, weight)
            total = value if total is None else ops.add(total, value)
        return total if total is not None else 0.0

    def _one(self, i: int, y: Any, y_pred: Any, sample_weight: Any) -> Any:
        loss = self.losses[i]
        value = loss(y, y_pred, sample_weight)
        if self.trackers:  # the logs show each output's loss before its weight
            self.trackers[i].update_state(ops.stop_gradient(value), sample_weight=y_pred.shape[0])
        return value if self.weights[i] == 1.0 else ops.multiply(value, self.weights[i])


class CompiledMetrics:
    """The metrics of a model's outputs."""

    def __init__(self, metrics: Any, weighted_metrics: Any, names: list[str]):
        self.names = names
        self.entries: list[tuple[int, Any, bool]] = []
        self._pending = [(metrics, False), (weighted_metrics, True)]
        self.built = False

    def build(self, y: Any, y_pred: Any, losses: list[Any]) -> None:
        """Make the metrics; "accuracy" becomes the kind that fits the shapes."""
        predictions, goals = tree.flatten(y_pred), targets(y, self.names, y_pred) if y is not None else [None] * len(self.names)
        for given, weighted in self._pending:
            if given is None:
                continue
            if len(self.names) > 1 and not isinstance(given, dict) and any(isinstance(m, (list, tuple)) for m in given):
                per_output = by_output(given, self.names, "metrics")
            elif isinstance(given, dict):
                per_output = by_output(given, self.names, "metrics")
            elif len(self.names) > 1 and isinstance(given, (list, tuple)) and len(given) == len(self.names):
                per_output = list(given)
            else:
                per_output = [given] * len(self.names) if len(self.names) == 1 else [None if i else given for i in range(len(self.names))]
                if len(self.names) > 1 and given:
                    raise ArgumentError(
                        f"metrics for a model with {len(self.names)} outputs name the output.", where="metrics", fix=f"metrics={{{self.names[0]!r}: […]}}"
                    )
            for i, group in enumerate(per_output):
                for metric in tree.flatten(group) if group is not None else []:
                    if metric is not None:
                        self.entries.append((i, self._make(metric, goals[i], predictions[i], losses[i]), weighted))
        self.built = True

    def _make(self, metric: Any, y: Any, y_pred: Any, loss: Any) -> Any:
        if isinstance(metric, metrics_module.Metric):
            return metric
        if metric in ("accuracy", "acc", "crossentropy", "ce"):
            shapes = tuple(y.shape), tuple(y_pred.shape)
            found = (metrics_module.accuracy_for if metric in ("accuracy", "acc") else metrics_module.crossentropy_for)(*shapes)
            return found(name=metric) if isinstance(found, type) else found
        found = metrics_module.get(metric)
        if isinstance(found, type):
            found = found()
        if not isinstance(found, metrics_module.Metric):
            found = metrics_module.MeanMetricWrapper(found, name=getattr(found, "__name__", None))
        if isinstance(metric, str):
            found.name = metric
        return found

    @property
    def metrics(self) -> list[Any]:
        """The metrics, those of the first output first."""
        return [m for _, m, _ in self.entries]

    def names_of(self) -> list[str]:
        """Their names in the logs: with the output's before it where there are several."""
        prefix = [f"{name}_" if len(self.names) > 1 else "" for name in self.names]
        return [f"{prefix[i]}{m.name}" for i, m, _ in self.entries]

    def update(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the metrics with one batch."""
        if not self.entries:
            return
        if len(self.names) == 1 and not isinstance(y, (list, tuple, dict)):
            goals, predictions, samples = [y], tree.flatten(y_pred), [sample_weight]
        else:
            goals, predictions = targets(y, self.names, y_pred), tree.flatten(y_pred)
            samples = by_output(sample_weight, self.names, "sample_weight") if isinstance(sample_weight, (list, tuple, dict)) else [sample_weight] * len(goals)
        for i, metric, weighted in self.entries:
            if goals[i] is not None:
                if weighted and samples[i] is not None:
                    metric.update_state(goals[i], predictions[i], sample_weight=samples[i])
                else:
                    metric.update_state(goals[i], predictions[i])
