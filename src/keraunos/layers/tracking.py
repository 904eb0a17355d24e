"""What a layer holds: variables, sublayers, metrics and seed generators, in attributes, lists and dicts.

Nothing is registered: what an object holds is read off its attributes when it is asked for, so lists
may grow and entries may be replaced.
"""

from __future__ import annotations

import copy
import sys
import types
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.errors import ShapeError, StateError
from keraunos.core.variable import Derived, Variable, numpy_of
from keraunos.metrics.metric import Metric
from keraunos.random import SeedGenerator


class Cache(dict[Any, Any]):
    """Compiled programs and plans; a copy of their owner starts with none."""

    def __reduce__(self) -> Any:
        return (Cache, ())


_PLAIN = {bool, int, float, str, type(None), types.FunctionType, types.ModuleType}  # most of what there is


def _contents(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if value.__class__ in _PLAIN:
            continue
        if isinstance(value, Derived):
            yield value.parts[0]  # the layer holds the others beside it
        elif isinstance(value, (Variable, Tracked, Metric, SeedGenerator)):
            yield value
        elif isinstance(value, (list, tuple, dict)) and not isinstance(value, Cache):
            yield from _contents(value.values() if isinstance(value, dict) else value)


def _unique(items: Iterable[Any]) -> list[Any]:
    """The items, each once, in order of appearance."""
    return list({id(x): x for x in items}.values())


def assign_all(variables: list[Variable], values: list[Any]) -> None:
    """Give variables their values; none gets one unless all fit."""
    for variable, value in zip(variables, values, strict=True):
        if (shape := np.shape(value)) != variable.shape:
            fact = "An array does not fit its weight; nothing was set."
            raise ShapeError(fact, where=variable.path, received=shape, expected=variable.shape, fix="pass the arrays as get_weights() returns them")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class Tracked:
    """An object whose variables are found in its attributes; the base of `Layer`."""

    name: Any
    built: bool = False
    _trainable = True
    learnt: Any = None  # another object whenever it learnt constants, which compiled programs hold

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        super().__delattr__(name)
        if isinstance(value, Variable):  # also where `add_weight` noted it
            for noted in [key for key, other in self.__dict__.items() if other is value and key.startswith("_weight ")]:
                del self.__dict__[noted]

    def _held(self, kind: type) -> list[Any]:
        """The objects of a class that this one holds directly, each once, in order of appearance."""
        return _unique(x for x in _contents([value for name, value in self.__dict__.items() if name != "_arguments"]) if isinstance(x, kind))

    def _flatten_layers(self) -> list[Any]:
        """This layer and those below it, each once, in order."""
        seen: dict[int, Any] = {}

        def walk(layer: Tracked) -> None:
            if id(layer) not in seen:
                seen[id(layer)] = layer
                for child in layer._held(Tracked):
                    walk(child)

        walk(self)
        return list(seen.values())

    def _own_variables(self) -> list[Variable]:
        """Its own variables: those that can be trained first, as they were made."""
        return sorted(self._held(Variable), key=lambda v: not v.initially_trainable)

    def _saved_variables(self) -> list[Variable]:
        """What files hold of its own variables: of those that one is derived from, that one."""
        derived = {id(v): x for x in self.__dict__.values() if isinstance(x, Derived) for v in x.parts}
        return _unique(derived.get(id(v), v) for v in self._own_variables())

    # ---- variables ----
    @property
    def weights(self) -> list[Variable]:
        """The variables that make the layer's function: its own, then its sublayers'."""
        return _unique(v for layer in self._flatten_layers() for v in layer._own_variables())

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes; none if the layer is frozen."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training does not change by gradients."""
        trainable = set(map(id, self.trainable_weights))
        return [v for v in self.weights if id(v) not in trainable]

    @property
    def variables(self) -> list[Variable]:
        """All variables: the weights, the states of seed generators, and those of metrics."""
        seeds = (g.state for layer in self._flatten_layers() for g in layer._held(SeedGenerator))
        return _unique((*self.weights, *seeds, *self.metrics_variables))

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that training changes."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that training does not change by gradients; those of metrics left out."""
        others = set(map(id, (*self.trainable_weights, *self.metrics_variables)))
        return [v for v in self.variables if id(v) not in others]

    @property
    def metrics(self) -> list[Metric]:
        """The metrics that it and its sublayers hold."""
        return _unique(m for layer in self._flatten_layers() for m in layer._held(Metric))

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of its metrics."""
        return [v for metric in self.metrics for v in metric.variables]

    @property
    def trainable(self) -> bool:
        """Whether training changes it; setting it sets that of its sublayers too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)
            for variable in layer._held(Variable):
                if variable.initially_trainable and not variable.frozen:
                    variable.trainable = bool(value)

    def count_params(self) -> int:
        """The number of numbers in its weights.

        Raises:
            StateError: It is not built, so that its weights are not known.
        """
        if not self.built and not self.weights:
            fix = f"begin the model with keras.Input(shape), or call {self.name}.build((None, …)) first"
            raise StateError(f"The weights of '{self.name}' are not known: it is not built.", where=self.name, fix=fix, code="KR404")
        return sum(v.size for v in self.weights)

    def get_weights(self) -> list[Any]:
        """Copies of the weights as NumPy arrays."""
        return numpy_of(self.weights)

    def set_weights(self, weights: list[Any]) -> None:
        """Set the weights from arrays in the order of `get_weights`; nothing is set unless all fit.

        Raises:
            ShapeError: The number of arrays, or a shape, differs.
        """
        variables = self.weights
        if len(weights) != len(variables):
            fix = "pass as many as get_weights() returns; build the model first"
            raise ShapeError(f"{len(weights)} arrays were given for {len(variables)} weights.", where=self.name, fix=fix)
        assign_all(variables, weights)

    # ---- copies ----
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        new = object.__new__(type(self))
        memo[id(self)] = new
        for name, value in self.__dict__.items():
            new.__dict__[name] = config.active() if name == "_backend" else copy.deepcopy(value, memo)
        return new

    def to_backend(self, name: str) -> Any:
        """A copy of the layer or model on another engine, with equal weights.

        Args:
            name: "jax", "torch" or "numpy".

        Example:

        >>> import keraunos as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.to_backend("numpy").predict(keras.ops.ones((1, 2)), verbose=0).shape
        (1, 1)
        """
        with config.backend_scope(name):
            return self.copied()

    def copied(self, memo: dict[int, Any] | None = None) -> Any:
        """A copy on the engine in force; `memo` has what is copied already, by id."""
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 100_000))  # a graph is as deep as its longest path
        try:
            return copy.deepcopy(self, memo)
        finally:
            sys.setrecursionlimit(limit)
