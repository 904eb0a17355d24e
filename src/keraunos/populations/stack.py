"""`Stack`: the variants of a population as one model, whose variables are theirs side by side."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import BackendError, KeraunosError, StateError, clean
from keraunos.core.frames import is_users
from keraunos.core.functional import Trace
from keraunos.core.scope import within
from keraunos.core.variable import Variable
from keraunos.data.adapters import ArraySource
from keraunos.layers.tracking import Cache
from keraunos.models.model import Model
from keraunos.populations.differences import Number, holding
from keraunos.random import host
from keraunos.training.progress import Progress


class Orders(ArraySource):
    """Arrays of which each variant has batches in an order of its own: a batch is one of the first variant, then one of the second, and so on.

    Args:
        data: The arrays.
        seeds: The seed of each variant's order.
    """

    def __init__(self, data: ArraySource, seeds: Sequence[int]):
        self.__dict__.update(data.__dict__)
        self.seeds, self.samples, self.each = list(seeds), data.size, data.batch_size
        self.size, self.batch_size = data.size * len(self.seeds), data.batch_size * len(self.seeds)

    def order(self, epoch: int) -> np.ndarray:
        """The orders, batch by batch."""
        orders = np.stack([host.generator(seed, epoch).permutation(self.samples) for seed in self.seeds]).astype("int32")
        whole = self.samples // self.each * self.each
        batches = orders[:, :whole].reshape(len(self.seeds), -1, self.each).swapaxes(0, 1)
        return np.concatenate([batches.reshape(-1), orders[:, whole:].reshape(-1)])


class Summary(Progress):
    """The progress of a population: the least loss, and the median of each value."""

    def draw(self, done: int, logs: dict[str, Any]) -> None:
        super().draw(done, brief(logs))

    def end(self, done: int, logs: dict[str, Any]) -> None:
        super().end(done, brief(logs))


def brief(logs: dict[str, Any]) -> dict[str, Any]:
    """The least loss, and the median of each value that the variants have, of those that are finite."""
    finite = {name: np.asarray(v)[np.isfinite(v)] for name, v in logs.items() if np.ndim(v) == 1}
    loss = next((name for name in ("val_loss", "loss") if len(finite.get(name, ()))), None)
    best = {} if loss is None else {f"best {loss}": float(finite[loss].min())}
    return best | {name: float(np.median(v)) if len(v) else float("nan") for name, v in finite.items()}


class Stack(Model):
    """The variants of a population as one model: a step is the template's own, mapped over the values of its variables.

    Args:
        population: The population.
        template: A model made like the variants, on which their steps are traced.
    """

    _progress = Summary
    _compiled_loss = _compiled_metrics = None  # they are the template's

    def __init__(self, population: Any, template: Any):
        super().__init__(name="population")
        # What stands in a namespace is not held: the variables of these are not this model's.
        self._inside = types.SimpleNamespace(population=population, template=template, variables=[], numbers=[])
        self.count = len(population.variants)
        self.steps_per_execution, self.jit_compile, self.compiled, self.built = template.steps_per_execution, "traced", True, True
        self._stacks: list[Variable] = []
        self._fresh: list[tuple[Variable, Any]] = []
        self.running = np.ones(self.count, bool)
        self._apart = False  # whether each variant has a part of the batch for itself

    @property
    def population(self) -> Any:
        """The population."""
        return self._inside.population

    # ---- the variables ----
    def hold(self, variables: Sequence[Variable], values: Sequence[Any], numbers: Sequence[Number]) -> None:
        """Take the template's variables of which each variant has its own, their values side by side, and the numbers that differ."""
        made, self._programs = self._inside, Cache()
        made.variables, made.numbers = list(variables), list(numbers)
        given = [(v.path, value) for v, value in zip(variables, values, strict=True)] + [(n.label, n.values) for n in numbers]
        self._stacks = [Variable(value, trainable=False, autocast=False, name=path.replace("/", "_")) for path, value in given]
        self._mask = Variable(self.running, trainable=False, autocast=False, name="running")
        self._loss_tracker: Any = types.SimpleNamespace(variables=[self._mask])  # what tells when a step is done
        trace = Trace(made.variables, [v.value for v in made.variables])
        with within(trace=trace):
            made.template.reset_metrics()
        written = [(i, v) for i, v in enumerate(made.variables) if id(v) in trace.written]
        self._fresh = [(self._stacks[i], np.stack([self._backend.to_numpy(trace.values[id(v)])] * self.count)) for i, v in written]

    def take(self, values: Sequence[Any]) -> None:
        """Give the variables values: for each those of the variants, side by side."""
        for stack, value in zip(self._stacks, values, strict=False):
            stack.assign(value)

    def given(self) -> list[np.ndarray]:
        """The variables' values, side by side."""
        return [stack.numpy() for stack in self._stacks[: len(self._inside.variables)]]

    def thaw(self) -> None:
        """Let all variants run again."""
        if not self.running.all():
            self.running[:] = True
            self._mask.assign(self.running)
            self._forget()

    def _forget(self) -> None:
        for key in [key for key in self._cache if key[0] == "train"]:
            del self._cache[key]

    def freeze(self, variant: int) -> None:
        """Let a variant stay as it is from now on."""
        first, self.running[variant] = self.running.all(), False
        self._mask.assign(self.running)
        if first:  # until now, the program had no need to ask
            self._forget()
        self.stop_training = not self.running.any()

    # ---- the steps ----
    def _each(self, function: Callable[[Any], Any], data: Any = None, train: bool = False) -> Any:
        """`function(data)` of the template for each variant, the results side by side; what it assigned is assigned."""
        made, count, apart = self._inside, self.count, train and self._apart
        leaves = tree.flatten(data)
        places = [i for i, x in enumerate(leaves) if x is not None] if apart else []
        parts = [ops.reshape(leaves[i], (count, -1, *leaves[i].shape[1:])) for i in places]
        known, masked = set(map(id, made.variables)), train and not self.running.all()

        def one(values: Any) -> Any:
            state, numbers, parts, running = values
            own = dict(zip(places, parts, strict=True))
            batch = tree.pack_sequence_as(data, [own.get(i, x) for i, x in enumerate(leaves)]) if own else data
            trace = Trace(made.variables, state)
            with within(trace=trace), holding(made.numbers, numbers):
                out = tree.map_structure(lambda x: x if x is None else ops.convert_to_tensor(x), self._called(function, batch))
                made.template._clear_losses()
            if wrong := next((v for key, v in trace.written.items() if key not in known), None):
                fix = "make what training changes inside of the function that makes the model"
                raise StateError("A step changes a variable that the variants do not have for themselves.", where=wrong.path, fix=fix)
            new = [trace.values[id(v)] for v in made.variables]
            if masked:
                new = [before if after is before else ops.where(running[0], after, before) for before, after in zip(state, new, strict=True)]
            return out, new

        values = [stack.value for stack in self._stacks]
        n = len(made.variables)
        out, new = self._backend.vectorized_map(one, (values[:n], values[n:], parts, [self._mask.value] if masked else []))
        for stack, value in zip(self._stacks, new, strict=False):
            stack.assign(value)
        return out

    def _called(self, function: Callable[[Any], Any], data: Any) -> Any:
        """`function(data)`; an error of the engine is told as what it means here.

        Raises:
            BackendError: The step needs the value of what only the program knows.
        """
        try:
            return function(data)
        except (KeraunosError, NotImplementedError):
            raise
        except Exception as error:
            if is_users(error):  # their own exception is not one of mapping
                raise
            varied = ", ".join(number.label for number in self._inside.numbers) or "only the seeds"
            fix = "give all variants one value of a number that Python code looks at, or train them one after the other"
            fact = f"The step cannot be mapped over variants: {clean(error, 200)}"
            raise BackendError(fact, where=self._inside.template.name, received=f"varied: {varied}", fix=fix) from error

    def _running_template(self, kind: str) -> Callable[[Any], Any]:
        template = self._inside.template
        step = template._step_of(kind)

        def run(data: Any) -> Any:
            with template._run(kind != "predict"):
                return step(data)

        return run

    def train_step(self, data: Any) -> Any:
        """A step of training for each variant that still runs."""
        return self._each(self._running_template("train"), data, train=True)

    def test_step(self, data: Any) -> Any:
        """A step of evaluation for each variant."""
        return self._each(self._running_template("test"), data)

    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch, of shape `(batch, variants, …)`."""
        return tree.map_structure(lambda x: ops.swapaxes(x, 0, 1), self._each(self._running_template("predict"), data))

    def logs_step(self) -> Any:
        """The results of the metrics for each variant."""

        def results(_: Any) -> Any:
            logs = self._inside.template.get_metrics_result()
            self._inside.order = list(logs)  # which engines do not keep
            return logs

        return self._each(results)

    def get_metrics_result(self) -> dict[str, Any]:
        """The logs: for each variant, the metrics' results by name."""
        if self._running:
            return {}
        logs = self._program("logs")()
        return {name: logs[name] for name in self._inside.order}

    def reset_metrics(self) -> None:
        """Begin the metrics anew."""
        for stack, value in self._fresh:
            stack.assign(value)

    # ---- what the trainer asks of a model ----
    @property
    def loss(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The template's loss."""
        return self._inside.template.loss

    def _overrides(self, name: str) -> bool:
        return self._inside.template._overrides(name)

    def _compiled_own(self) -> list[Any]:
        return []

    def _step_variables(self) -> list[Any]:
        return self._stacks

    def _source(self, *args: Any, **kwargs: Any) -> Any:
        return self.population._source(*args, **kwargs)

    def _symbolic_build(self, batch: Any, training: bool) -> None:
        self.population._settle(batch, training)
