"""What `compile` makes of losses and metrics: one for each output, matched by name or place."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from keraunos import losses as losses_module
from keraunos import metrics as metrics_module
from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError, KeraunosError, inside, suggestion
from keraunos.core.failures import translated
from keraunos.core.frames import instead
from keraunos.losses.loss import takes_two

ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")  # names for the kind that fits the output


def names_of(y_pred: Any, made_by: list[str]) -> list[str]:
    """What the outputs are called: by the keys that lead to them in a structure of dicts, or the layers that made them."""
    names = []
    for path, layer in zip(tree.paths(y_pred), made_by, strict=True):
        keys = [str(key) for key in path if not isinstance(key, int)]
        names.append("/".join(keys if path and not isinstance(path[-1], int) else [*keys, layer]))
    return names if len(set(names)) == len(names) else [f"{name}_{i}" for i, name in enumerate(names)]


def by_output(value: Any, names: list[str], what: str, form: Any = None, complete: bool = False) -> list[Any]:
    """`value` as a list with one entry for each output; dicts are matched by name, what is nested by its form.

    Args:
        value: One entry for all outputs, a list, a dict, or nested as the outputs are.
        names: The names of the outputs.
        what: What messages call it.
        form: The form of the outputs' structure.
        complete: Whether a dict must name every output; else None fills the gaps.

    Raises:
        ArgumentError: Names, numbers or nesting do not fit the outputs.
    """
    if form is not None and form.num_nodes > form.num_leaves + 1 and tree.is_nested(value) and not (isinstance(value, dict) and value.keys() <= set(names)):
        try:
            return form.flatten_up_to(value)
        except ValueError as error:
            raise ArgumentError(f"{what} is not nested as the outputs are: {error}.", where=what, fix=f"{{{names[0]!r}: …}}") from None
    if isinstance(value, dict):
        wrong = next((key for key in value if key not in names), None)
        if wrong is not None:
            raise ArgumentError(f"{what} names the output '{wrong}', which the model does not have.", where=what, fix=suggestion(wrong, names))
        lacking = [name for name in names if complete and name not in value]
        if lacking:
            fact = f"{what} does not name the output '{lacking[0]}'."
            raise ArgumentError(fact, where=what, expected=", ".join(map(repr, names)), fix=f"add {lacking[0]!r}: {1.0 if what == 'loss_weights' else None}")
        return [value.get(name) for name in names]
    if not isinstance(value, (list, tuple)):
        return [value] * len(names)
    if len(value) != len(names):
        count = f"{len(value)} {what} for {len(names)} output{'s' if len(names) > 1 else ''}."
        fix = f"pass one for each output, or a dict by name: {{{names[0]!r}: …}}"
        raise ArgumentError(count, where=what, expected=", ".join(names), fix=fix)
    return list(value)


def targets(y: Any, names: list[str], form: Any = None) -> list[Any]:
    """The targets in the order of the outputs; None where a dict has none.

    Raises:
        DataError: Their number, names or nesting do not fit.
    """
    flat = tree.flatten(y)
    if isinstance(y, dict):
        if y.keys() <= set(names):
            return [y.get(name) for name in names]
        if form is None or tree.form(y) != form:
            wrong = next(key for key in y if key not in names)
            fact = f"y has the key '{wrong}', which is no output of the model."
            raise DataError(fact, where="y", received=", ".join(map(repr, list(y)[:8])), expected=", ".join(map(repr, names)), fix=suggestion(wrong, names))
    elif form is not None and form.type is dict and len(names) > 1:
        fact = "The outputs are a dict, and y is not: which target belongs to which output would be a guess."
        raise DataError(fact, where="y", fix=f"y={{{', '.join(f'{n!r}: …' for n in names)}}}")
    if len(flat) != len(names):
        if len(names) == 1:
            fix = "for one array of several columns np.stack(y, -1); for several outputs keras.Model(x, [a, b])"
            raise DataError(f"The model has one output, '{names[0]}', and y has {len(flat)} arrays.", where="y", fix=fix, code="KR303")
        message = f"y needs {len(names)} arrays, one for each output ({', '.join(names)}); it has {len(flat)}."
        raise DataError(message, where="y", fix=f"y=[{', '.join(f'y_{n}' for n in names)}] or a dict by name", code="KR303")
    return flat


class Outputs:
    """What belongs to each output of a model, matched by name, place or nesting.

    Args:
        names: The names of the outputs.
        y_pred: The outputs or their specs.
    """

    def __init__(self, names: list[str], y_pred: Any):
        self.names, self.form = names, tree.form(y_pred)

    def spread(self, value: Any, what: str, complete: bool = True) -> list[Any]:
        """`value` as a list with one entry for each output."""
        return by_output(value, self.names, what, self.form, complete)

    def aligned(self, y: Any, y_pred: Any, sample_weight: Any) -> tuple[list[Any], list[Any], list[Any]]:
        """Targets, predictions and sample weights, one entry for each output."""
        goals = targets(y, self.names, self.form) if len(self.names) > 1 or tree.is_nested(y) else [y]
        weights = self.spread(sample_weight, "sample_weight") if tree.is_nested(sample_weight) else [sample_weight] * len(goals)
        return goals, tree.flatten(y_pred), weights

    def told(self, error: Exception, place: int, what: str) -> BaseException | None:
        """Say in an error what it was of which output; returns a better one to raise in its place, of what is known of an engine's."""
        better = None if isinstance(error, KeraunosError) else translated(error, known=True)
        inside(better or error, what if len(self.names) == 1 else f"output '{self.names[place]}' > {what}")
        return None if better is None else instead(better, error, inner=True)

    def require(self, goal: Any, place: int, what: str) -> None:
        """Raise unless there is a target for what an output is compared with."""
        if goal is None:
            name = self.names[place]
            raise DataError(f"There are no targets for the output '{name}', which has a {what}.", where="y", fix=f"pass them, or say {what}={{{name!r}: None}}")


class CompiledLoss(Outputs):
    """The losses of a model's outputs and their weighted sum."""

    def __init__(self, loss: Any, loss_weights: Any, names: list[str], y_pred: Any):
        super().__init__(names, y_pred)
        self.losses = [losses_module.as_loss(x) for x in self.spread(loss, "losses")]
        self.weights = [1.0 if w is None else w for w in self.spread(loss_weights, "loss_weights")]
        several = len(names) - self.losses.count(None) > 1
        self.trackers = {i: metrics_module.Mean(name=f"{names[i]}_loss") for i in self._shown(loss, y_pred) if several and self.losses[i] is not None}

    def _shown(self, loss: Any, y_pred: Any) -> list[int]:
        """The outputs in the order in which the logs show their losses: as in Keras, that of the losses where both are dicts."""
        by_name = isinstance(loss, dict) and isinstance(y_pred, dict) and loss.keys() <= set(self.names)
        return [self.names.index(name) for name in loss] if by_name else list(range(len(self.names)))

    def __call__(self, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        total = None
        for i, (goal, prediction, weight) in enumerate(zip(*self.aligned(y, y_pred, sample_weight), strict=True)):
            if self.losses[i] is None:
                continue
            self.require(goal, i, "loss")
            try:
                value = self.losses[i](goal, prediction, weight)
            except Exception as error:
                if (better := self.told(error, i, "loss")) is not None:
                    raise better from better.__cause__
                raise
            if self.trackers:  # the logs show each output's loss before its weight
                self.trackers[i].update_state(ops.stop_gradient(value), sample_weight=prediction.shape[0])
            value = value if isinstance(self.weights[i], (int, float)) and self.weights[i] == 1.0 else ops.multiply(value, self.weights[i])
            total = value if total is None else ops.add(total, value)
        return 0.0 if total is None else total


class CompiledMetrics(Outputs):
    """The metrics of a model's outputs; "accuracy" becomes the kind that fits the shapes.

    Args:
        metrics: What `compile` was given.
        weighted_metrics: Likewise, for those that take sample weights.
        names: The names of the outputs.
        y: The targets or their specs, or None.
        y_pred: The outputs or their specs.
        taken: The names in the logs that are not to be had.
    """

    def __init__(self, metrics: Any, weighted_metrics: Any, names: list[str], y: Any, y_pred: Any, taken: Iterable[str] = ()):
        super().__init__(names, y_pred)
        goals, predictions = targets(y, names, self.form) if y is not None else [None] * len(names), tree.flatten(y_pred)
        kinds = [(weighted, self._by_output(given)) for given, weighted in ((metrics, False), (weighted_metrics, True)) if given]
        self.entries: list[tuple[int, Any, bool]] = []  # the output's place, the metric, whether it takes sample weights
        for i in range(len(names)):
            for weighted, groups in kinds:
                made = [self._make(metric, goals[i], predictions[i]) for metric in tree.flatten(groups[i]) if metric is not None]
                self.entries += [(i, metric, weighted) for metric in made]
        self.metrics = list(zip(self._names_in_logs(taken), (metric for _, metric, _ in self.entries), strict=True))

    def _names_in_logs(self, taken: Iterable[str]) -> list[str]:
        """A name of its own for each: with the output's before it where there are several; where two are alike, what tells them apart."""
        found: dict[str, None] = dict.fromkeys(taken)
        known = len(found)
        for i, metric, weighted in self.entries:
            before = f"{self.names[i]}_" if len(self.names) > 1 else ""
            name = f"{before}{metric.name}"
            if weighted and name in found:
                name = f"{before}weighted_{metric.name}"
            numbered = (f"{name}_{n}" for n in itertools.count(1))
            found[name if name not in found else next(other for other in numbered if other not in found)] = None
        return list(found)[known:]

    def _by_output(self, given: Any) -> list[Any]:
        names, listed = self.names, isinstance(given, (list, tuple))
        if len(names) == 1 and not isinstance(given, dict):
            return [given]
        if not isinstance(given, dict) and not (listed and (len(given) == len(names) or any(isinstance(m, (list, tuple)) for m in given))):
            raise ArgumentError(f"metrics for a model with {len(names)} outputs name the output.", where="metrics", fix=f"metrics={{{names[0]!r}: […]}}")
        return self.spread(given, "metrics", complete=False)

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
            takes_two(found, "metric")
            found = metrics_module.MeanMetricWrapper(found, name=getattr(found, "__name__", None))
        if isinstance(metric, str):
            found.name = metric
        return found

    def update(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Update the metrics with one batch."""
        if self.entries:
            goals, predictions, weights = self.aligned(y, y_pred, sample_weight)
            for i, metric, weighted in self.entries:
                self.require(goals[i], i, "metric")
                try:
                    metric.update_state(goals[i], predictions[i], *([weights[i]] if weighted and weights[i] is not None else []))
                except Exception as error:
                    if (better := self.told(error, i, f"metric '{metric.name}'")) is not None:
                        raise better from better.__cause__
                    raise
