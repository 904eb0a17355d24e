"""`Population`: variants of one model, trained as one compiled program."""

from __future__ import annotations

import contextlib
import inspect
import random as python_random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keraunos.callbacks import Callback, History, LambdaCallback
from keraunos.callbacks.monitors import Monitor
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ShapeError, StateError, suggestion
from keraunos.core.frames import shortened
from keraunos.core.functional import Trace
from keraunos.core.names import names_anew
from keraunos.core.scope import within
from keraunos.core.variable import Variable, numpy_of
from keraunos.data.adapters import ArraySource, source
from keraunos.models.model import Model
from keraunos.populations.differences import differences
from keraunos.populations.relay import Relay
from keraunos.populations.stack import Orders, Stack
from keraunos.random import SeedGenerator, default_seed_generator, host
from keraunos.training.checks import check_model


class Population:
    """Variants of one model, which differ in seeds and numbers, trained as one compiled program.

    Each variant ends with the weights and the history that it would have by itself, made after `set_random_seed` with its seed; only sooner, since a
    step of all of them is one step. What can differ is any number in the model, its losses, its optimizer and their parts (learning rates,
    `beta_1`, dropout, the strength of regularizers) that leaves shapes alone. Which ones do is found by comparing the models.

    Args:
        model_fn: A function that returns a new compiled model. It is called once for each variant with its values, and once more.
        variants: The values of each variant: a list of dicts of the function's arguments, or a dict of equally long lists.
        seeds: The seed of each variant: of its initial weights, its draws and the order of its samples. One number is the seed of all;
            None draws one for all. Data that yields batches gives each batch to all variants, in the order that the first would have.

    Raises:
        ArgumentError: The variants differ in more than numbers.
        BackendError: The engine cannot map steps (jax and torch can), or a layer runs on the host.

    Example:

    >>> import keraunos as keras
    >>> def make(rate):
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    ...     model.compile(keras.optimizers.SGD(rate), "mse")
    ...     return model
    >>> with keras.backend_scope("jax"):
    ...     population = keras.Population(make, {"rate": [0.001, 0.1]}, seeds=1)
    ...     histories = population.fit(keras.ops.ones((8, 2)), keras.ops.zeros((8, 1)), epochs=5, verbose=0)
    >>> len(histories), population.variants[population.best("loss")]
    (2, {'rate': 0.1})
    """

    def __init__(self, model_fn: Callable[..., Any], variants: Any = None, seeds: Any = None):
        if isinstance(model_fn, Model) or not callable(model_fn):
            fix = "keras.Population(make, …), where make() makes and compiles a model"
            fact = "A population is made by a function that returns a compiled model."
            raise ArgumentTypeError(fact, received=type(model_fn).__name__, fix=fix, where="Population")
        if not getattr(config.active(), "maps_steps", False):
            raise BackendError(f"The {config.active().name} backend cannot train populations.", where="Population", fix="keras.set_backend('jax') or 'torch'")
        self.variants, self.seeds = _rows(variants, seeds)
        self.models: list[Any] = []
        self._draws, self._places = [], []  # of each variant: the state of what draws without a seed, and the place in its stream of seeds
        for seed, values in zip(self.seeds, self.variants, strict=True):
            with _seeded(seed) as place:
                self.models.append(_model(model_fn, values))
                self._draws.append(default_seed_generator().state.numpy())
            self._places.append(place)
        with _seeded(self.seeds[0]) as self._spare:
            self._template = _model(model_fn, self.variants[0])
        if len({id(model) for model in (self._template, *self.models)}) <= len(self.models):
            raise ArgumentError("model_fn returned the same model twice.", where="Population", fix="make a new one at each call")
        _equip([self._template, *self.models])
        self._backend = self._template._backend
        self._key: Any = None
        self.histories: list[Any] = []
        with within(backend=self._backend):
            self._stack = Stack(self, self._template)

    # ---- running ----
    @shortened
    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: Any = "auto", callbacks: Any = None,
            **options: Any) -> list[Any]:  # fmt: skip
        """Train the variants.

        Args:
            x: What `Model.fit` takes.
            y: Likewise.
            batch_size: The number of samples in a step of one variant.
            epochs: The number of passes over the data.
            verbose: As in `Model.fit`; the least loss and medians are shown.
            callbacks: A function of a variant's number that returns the callbacks of that variant, which act on its model at the marks of epochs: one that
                `EarlyStopping` stops stays as it is while the others go on. Or callbacks of your own for the population as a whole, whose logs
                have a value for each variant.
            options: The other arguments of `Model.fit`, such as `validation_data`.

        Returns:
            A `History` for each variant.

        Raises:
            StateError: The models are not compiled.
            ArgumentError: A callback cannot act on variants; `debug_nans` is asked for.
        """
        self._template._require_compiled("fit")
        if options.get("debug_nans"):
            raise ArgumentError("debug_nans looks into the steps of one model.", where="Population.fit", fix="train the variant alone, made under its seed")
        relay = Relay(self, callbacks if callable(callbacks) and not hasattr(callbacks, "set_model") else None)
        shared = [] if relay.given else list(callbacks) if isinstance(callbacks, (list, tuple)) else [] if callbacks is None else [callbacks]
        for callback in shared:
            if any(kind.__module__.startswith("keraunos.") and kind not in (Callback, History, LambdaCallback) for kind in inspect.getmro(type(callback))):
                fix = f"callbacks=lambda i: [{type(callback).__name__}(…)]"
                raise ArgumentError(f"{type(callback).__name__} acts on one model.", where="callbacks", fix=fix)
        self._stack.fit(x, y, batch_size, epochs, verbose, [*shared, relay], **options)
        return relay.histories

    @shortened
    def evaluate(self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: Any = "auto", **options: Any) -> dict[str, np.ndarray]:
        """The loss and metrics on data: by name, arrays with a value for each variant. The arguments are those of `Model.evaluate` but `return_dict`."""
        self._template._require_compiled("evaluate")
        logs = self._stack.evaluate(x, y, batch_size, verbose, return_dict=True, **options)
        return {name: np.array(value) for name, value in logs.items()}

    @shortened
    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = "auto", **options: Any) -> Any:
        """The outputs as arrays of shape `(variants, samples, …)`. The arguments are those of `Model.predict`."""
        if self._key is None:
            self._stack.built = False  # so that they are built by the first batch
        else:
            with within(backend=self._backend):
                self._settle(None, training=False)
        return tree.map_structure(lambda a: np.swapaxes(a, 0, 1), self._stack.predict(x, batch_size, verbose, **options))

    def best(self, monitor: str = "val_loss", mode: str = "auto") -> int:
        """The number of the variant that was best at the end of its training.

        Args:
            monitor: The value to go by.
            mode: "min", "max", or "auto" (by the name).

        Raises:
            StateError: Nothing was trained yet.
            ArgumentError: There is no such value.
        """
        if not self.histories:
            raise StateError("The population has not been trained.", where="best", fix="call fit first")
        watch = Monitor()
        watch.watch(monitor, mode)
        known = {name for history in self.histories for name in history.history}
        if monitor not in known:
            fact = f"'{monitor}' is not among the logs."
            raise ArgumentError(fact, where="best", received=f"available: {', '.join(sorted(known))}", fix=suggestion(monitor, known))
        last = np.array([history.history.get(monitor, [np.nan])[-1] for history in self.histories], "float64")
        if np.isnan(last).all():
            raise ArgumentError(f"'{monitor}' is NaN for all variants.", where="best", fix="lower the learning rates")
        return int(np.nanargmax(last) if watch.larger else np.nanargmin(last))

    def __len__(self) -> int:
        return len(self.variants)

    def __repr__(self) -> str:
        return f"<Population of {len(self)} variants of '{self._template.name}'>"

    # ---- what the variants hold, and the stack of it ----
    def _source(self, x: Any, y: Any, sample_weight: Any, batch_size: Any, shuffle: Any, *others: Any) -> Any:
        """The data, in the order that each variant would have by itself."""
        first = self._places[0]
        before = first["count"]
        with host.stream(first):
            found = source(x, y, sample_weight, batch_size, shuffle, *others)
        seeds = [getattr(found, "seed", 0)]
        for place in self._places[1:]:
            with host.stream(place):
                seeds += [host.make_seed() for _ in range(first["count"] - before)][-1:]
        self._stack._apart = False
        if not isinstance(found, ArraySource) or not found.shuffle or len(set(seeds)) == 1:
            return found
        self._stack._apart = True
        return Orders(found, seeds)

    def _settle(self, batch: Any, training: bool) -> None:
        """Build the models by a batch, if there is one; look in what they differ, and stack their variables."""
        template, models = self._template, self.models
        for place, model in zip([self._spare, *self._places], [template, *models], strict=True):
            with host.stream(place), names_anew():
                if batch is not None:
                    model._symbolic_build(batch, training)
                    if batch[1] is not None and not all(metric.variables for metric in model.metrics):
                        _meet(model, batch)
        if training:
            check_model(template)
        self._columns = _aligned(template, models)
        numbers, extra = differences(template, models), default_seed_generator().state
        variables = [*(column[0] for column in self._columns), extra]
        values = self._values()
        key = [*map(id, variables), *(n.place for n in numbers)]
        if key != self._key:
            self._stack.hold(variables, values, numbers)
            self._key = key
        else:
            self._stack.take([*values, *(n.values for n in numbers)])
        self._stack.built = True
        if training:
            self._stack.thaw()

    def _spread(self) -> None:
        """Give the variants what the stack has."""
        *values, self._draws = self._stack.given()
        for (_, *column), value in zip(self._columns, values, strict=True):
            for variable, own in zip(column, value, strict=True):
                _set(variable, own)

    def _collect(self) -> None:
        """Give the stack what the variants have."""
        self._stack.take(self._values())

    def _values(self) -> list[np.ndarray]:
        """What the variants have, in the order of the stack's variables."""
        return [*(np.stack(numpy_of(column[1:])) for column in self._columns), np.stack(self._draws)]


def _rows(variants: Any, seeds: Any) -> tuple[list[dict[str, Any]], list[int]]:
    """The values and the seed of each variant."""
    listed = list(variants.values()) if isinstance(variants, Mapping) else [] if variants is None else [variants]
    wrong = next((values for values in listed if isinstance(values, str) or not hasattr(values, "__len__")), None)
    if wrong is None and not isinstance(variants, Mapping):
        wrong = next((row for row in variants or () if not isinstance(row, Mapping)), None)
    if wrong is not None:
        fact = "The variants are a dict of lists, or a list of dicts."
        raise ArgumentTypeError(fact, where="variants", received=type(wrong).__name__, fix="variants={'rate': [0.1, 0.2]}, or [{'rate': 0.1}, {'rate': 0.2}]")
    if isinstance(variants, Mapping):
        lengths = {name: len(values) for name, values in variants.items()}
        if len(set(lengths.values())) != 1:
            received = ", ".join(f"{name}: {n}" for name, n in lengths.items()) or "an empty dict"
            raise ArgumentError("The lists of values have unequal lengths.", where="variants", received=received, fix="one value for each variant")
        rows = [dict(zip(variants, row, strict=True)) for row in zip(*variants.values(), strict=True)]
    else:
        rows = None if variants is None else [dict(row) for row in variants]
    if not (seeds is None or isinstance(seeds, (int, np.integer)) or hasattr(seeds, "__len__")):
        raise ArgumentTypeError("The seeds are integers, or one for all.", where="seeds", received=type(seeds).__name__, fix="seeds=range(8)")
    each = None if seeds is None or isinstance(seeds, (int, np.integer)) else list(seeds)
    count = len(rows) if rows is not None else len(each or ())
    if count == 0:
        raise ArgumentError("There are no variants.", where="Population", fix="variants={'rate': [0.1, 0.2]}, or seeds=range(8)")
    if each is None:
        each = [host.make_seed() if seeds is None else int(seeds)] * count
    if len(each) != count:
        raise ArgumentError(f"There are {len(each)} seeds for {count} variants.", where="seeds", fix="one seed for each variant, or one for all")
    return [{} for _ in each] if rows is None else rows, each


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[dict[str, int]]:
    """Run a block as a process does after `set_random_seed`; what is random outside of it goes on as it was."""
    place, draws = {"seed": seed, "count": 0}, default_seed_generator().state
    former = python_random.getstate(), np.random.get_state(), draws.numpy()
    try:
        with host.stream(place), names_anew():
            host.set_random_seed(seed)
            yield place
    finally:
        python_random.setstate(former[0])
        np.random.set_state(former[1])
        draws.assign(draws.backend.seed_state(*map(int, former[2])))


def _model(model_fn: Callable[..., Any], values: dict[str, Any]) -> Any:
    model = model_fn(**values)
    if not isinstance(model, Model):
        raise ArgumentTypeError("model_fn returned no model.", where="Population", received=type(model).__name__, fix="end it with: return model")
    if model.run_eagerly:
        raise ArgumentError("A population is one compiled program: its models cannot run eagerly.", where=model.name, fix="leave run_eagerly out")
    if model._split is not None:
        fix = "apply the layers of the host to the data first"
        raise BackendError("Layers that run on the host cannot be part of a population.", where=model.name, fix=fix)
    return model


def _meet(model: Any, batch: Any) -> None:
    """Let metrics that make their variables when they meet data do so; nothing is added to them."""
    array = model._backend.array
    parts = tuple(tree.map_structure(lambda a: None if a is None else array(a), part) for part in batch if part is not None)
    with within(backend=model._backend, trace=Trace()), model._run(), model._backend.forward():
        model._step_of("test")(parts)
        model._clear_losses()


def _equip(models: Sequence[Any]) -> None:
    """Give a layer that draws nothing (at a rate of 0, say) what it would draw by, where that of another variant draws."""
    for layers in zip(*(model._flatten_layers() for model in models), strict=False):
        for name in {name for layer in layers for name, value in vars(layer).items() if isinstance(value, SeedGenerator)}:
            for layer in layers:
                if vars(layer).get(name, layer) is None:
                    setattr(layer, name, SeedGenerator(0))


def _aligned(template: Any, models: Sequence[Any]) -> list[tuple[Variable, ...]]:
    """The variables that each variant has for itself: that of the template, then those of the variants."""
    held = [model.run_variables for model in (template, *models)]
    columns = []
    if len({len(own) for own in held}) > 1:
        fix = "vary numbers that leave variables alone: a momentum of 0 needs none, one of 1e-9 does"
        fact = "The variants have unequal numbers of variables."
        raise ArgumentError(fact, where="Population", received=", ".join(str(len(own)) for own in held[1:]), fix=fix)
    for column in zip(*held, strict=True):
        shapes = {(v.shape, v.dtype, v.trainable) for v in column}
        if len(shapes) > 1:
            received = ", ".join(dict.fromkeys(f"{v.shape} {v.dtype}" for v in column))
            fix = "vary numbers that leave shapes alone"
            raise ShapeError("The variants differ in the shape of a variable.", where=column[0].path, received=received, fix=fix)
        if len(set(map(id, column))) == len(column):
            columns.append(column)
        elif column[0].trainable or len(set(map(id, column))) > 1:
            raise ArgumentError("The variants share a variable.", where=column[0].path, fix="make all that is trained inside of model_fn")
    return columns


def _set(variable: Variable, value: Any) -> None:
    """Give a variable a value where it keeps it, which for the state of draws is where the engine wants it."""
    if variable.dtype == "uint32" and variable.shape == (2,):
        value = variable.backend.seed_state(*map(int, value))
    variable.assign(value)
