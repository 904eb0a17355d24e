"""What a layer holds: variables, sublayers, metrics and seed generators, in attributes, lists and dicts.

Nothing is registered: what an object holds is read off its attributes when it is asked for, so lists
may grow and entries may be replaced.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable
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


_kinds: dict[type, int] = {}  # by the class of what an attribute holds, the first of `_SORTS` that it is; most are none


def _collect(values: Iterable[Any], found: list[Any]) -> None:
    for value in values:
        kind = _kinds.get(value.__class__)
        if kind is None:
            kind = _kinds[value.__class__] = next((i for i, sort in enumerate(_SORTS) if issubclass(value.__class__, sort)), 0)
        if kind == 2:
            found.append(value)
        elif kind:  # of what is derived the layer holds the other parts beside it
            _collect(value if kind == 4 else value.values() if kind == 3 else value.parts[:1], found)


def _unique(items: Iterable[Any]) -> list[Any]:
    """The items, each once, in order of appearance."""
    return list({id(x): x for x in items}.values())


def _sorted(parts: list[Any]) -> list[Variable]:
    """The variables of what a layer holds, each once: those that can be trained first."""
    return sorted(_unique(x for x in parts if isinstance(x, Variable)), key=lambda v: not v.initially_trainable)


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

    def _contents(self) -> list[Any]:
        """What this one holds directly, in order of appearance."""
        found: list[Any] = []
        _collect([value for name, value in self.__dict__.items() if name != "_arguments"], found)
        return found

    def _held(self, kind: type) -> list[Any]:
        """The objects of a class that this one holds directly, each once."""
        return _unique(x for x in self._contents() if isinstance(x, kind))

    def _walked(self) -> list[tuple[Any, list[Any]]]:
        """This layer and those below it, each once, in order, with what each holds directly."""
        seen: dict[int, tuple[Any, list[Any]]] = {}

        def walk(layer: Tracked) -> None:
            if id(layer) not in seen:
                seen[id(layer)] = layer, (parts := layer._contents())
                for child in parts:
                    if isinstance(child, Tracked):
                        walk(child)

        walk(self)
        return list(seen.values())

    def _flatten_layers(self) -> list[Any]:
        """This layer and those below it, each once, in order."""
        return [layer for layer, _ in self._walked()]

    def _all_held(self, kind: type) -> list[Any]:
        """The objects of a class that this layer and those below it hold, each once."""
        return _unique(x for _, parts in self._walked() for x in parts if isinstance(x, kind))

    def _own_variables(self) -> list[Variable]:
        """Its own variables: those that can be trained first, as they were made."""
        return _sorted(self._contents())

    def _saved_variables(self) -> list[Variable]:
        """What files hold of its own variables: of those that one is derived from, that one."""
        derived = {id(v): x for x in self.__dict__.values() if isinstance(x, Derived) for v in x.parts}
        return _unique(derived.get(id(v), v) for v in self._own_variables())

    # ---- variables ----
    @property
    def weights(self) -> list[Variable]:
        """The variables that make the layer's function: its own, then its sublayers'."""
        return _unique(v for _, parts in self._walked() for v in _sorted(parts))

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
        return _unique((*self.weights, *(g.state for g in self._all_held(SeedGenerator)), *self.metrics_variables))

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
        return self._all_held(Metric)

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


_SORTS: tuple[Any, ...] = Cache, Derived, (Variable, Tracked, Metric, SeedGenerator), dict, (list, tuple)
