"""Several optimizers in one, each for some of the variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from keraunos.core.errors import ArgumentTypeError
from keraunos.core.names import auto_name
from keraunos.core.patterns import Patterns
from keraunos.core.serialization import deserialize_value, serialize_keras_object
from keraunos.core.variable import Variable
from keraunos.optimizers.optimizer import Optimizer


def _checked(optimizer: Any, where: str) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError("An optimizer is wanted here.", where=where, received=type(optimizer).__name__, fix="keras.optimizers.Adam(…), say")
    return optimizer


class OptimizerMap(Patterns):
    """Optimizers by patterns of variables' paths; the first whose pattern matches the beginning of a path is that variable's.

    Args:
        default_optimizer: For variables that no pattern matches.
        optimizer_map: Optimizers by pattern: regular expressions of whole paths.

    Raises:
        ArgumentTypeError: A value is not an optimizer.
        ArgumentError: A pattern is there already.

    Example:

    >>> import keraunos as keras
    >>> table = OptimizerMap(keras.optimizers.SGD(), {"encoder/.*": keras.optimizers.Adam()})
    >>> type(table["encoder/dense/kernel"]).__name__, type(table["head/bias"]).__name__
    ('Adam', 'SGD')
    """

    def __init__(self, default_optimizer: Any, optimizer_map: Any = None):
        super().__init__()
        self._default = _checked(default_optimizer, "default_optimizer")
        for pattern, optimizer in (optimizer_map or {}).items():
            self[pattern] = optimizer

    @property
    def default_optimizer(self) -> Any:
        """The optimizer of variables that no pattern matches."""
        return self._default

    def __getitem__(self, key: str) -> Any:
        return next((optimizer for pattern, optimizer in self._map.items() if pattern == key or re.fullmatch(pattern, key)), self._default)

    def checked(self, key: str, value: Any) -> Optimizer:
        return _checked(value, f"OptimizerMap: {key!r}")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal map."""
        table = {pattern: serialize_keras_object(optimizer) for pattern, optimizer in self._map.items()}
        return {"default_optimizer": serialize_keras_object(self._default), "optimizer_map": table}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Make a map from what `get_config` returned."""
        return cls(**{name: deserialize_value(value) for name, value in config.items()})


class MultiOptimizer(Optimizer):
    """Gives each variable to one of several optimizers, so that layers learn at rates, or by rules, of their own.

    Args:
        optimizer_map: An `OptimizerMap`, or a function of a variable that returns its optimizer.
        loss_scale_factor: What the loss is multiplied by, and the gradients are divided by.
        name: Its name.

    Raises:
        ArgumentTypeError: It is neither, or the function returned something else.

    Example:

    >>> import keraunos as keras
    >>> slow, fast = keras.optimizers.SGD(0.001), keras.optimizers.Adam(0.01)
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="trunk"), keras.layers.Dense(1, name="head")])
    >>> model.compile(MultiOptimizer(OptimizerMap(fast, {".*/trunk/.*": slow})), "mse")
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), verbose=0)
    >>> [type(optimizer).__name__ for optimizer in model.optimizer.optimizers]
    ['SGD', 'Adam']
    """

    _rate: Any = 0.0  # of its own, which Keras keeps among the variables

    def __init__(self, optimizer_map: Any, loss_scale_factor: float | None = None, name: str | None = None):
        if not isinstance(optimizer_map, OptimizerMap) and (isinstance(optimizer_map, Optimizer) or not callable(optimizer_map)):
            fix = "keras.optimizers.OptimizerMap(default_optimizer, {pattern: optimizer})"
            raise ArgumentTypeError("MultiOptimizer takes an OptimizerMap or a function.", received=type(optimizer_map).__name__, fix=fix)
        self.optimizer_map = optimizer_map
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name or auto_name("multi_optimizer"))
        self._groups: list[tuple[Any, list[int]]] = []

    @property
    def optimizers(self) -> list[Any]:
        """The optimizers of the variables that it was built for."""
        return [optimizer for optimizer, _ in self._groups]

    def build(self, variables: Iterable[Variable]) -> None:
        """Give each variable its optimizer, and make their states."""
        if self.built:
            return super().build(variables)
        variables = list(variables)
        table = self.optimizer_map
        select: Callable[[Variable], Any] = (lambda v: table[v.path]) if isinstance(table, OptimizerMap) else table
        groups: dict[int, tuple[Any, list[int]]] = {}
        for i, variable in enumerate(variables):
            optimizer = _checked(select(variable), f"the optimizer of '{variable.path}'")
            groups.setdefault(id(optimizer), (optimizer, []))[1].append(i)
        for optimizer, places in groups.values():
            optimizer.build([variables[i] for i in places])
        self._groups = list(groups.values())
        super().build(variables)

    def slots(self) -> list[list[str]]:
        """None of its own."""
        return []

    @property
    def variables(self) -> list[Variable]:
        """Its own state, then that of each optimizer."""
        return [*self._variables, *(v for optimizer in self.optimizers for v in optimizer.variables)]

    def _get_learning_rate(self) -> NoReturn:
        raise AttributeError("A MultiOptimizer has no learning rate: each of its `optimizers` has one.")

    def _set_learning_rate(self, value: Any) -> None:
        if self.__dict__.get("_rate") is not None:
            self._get_learning_rate()
        self._rate = float(value)

    learning_rate = property(_get_learning_rate, _set_learning_rate)

    def _step(self, grads: list[Any], variables: list[Variable]) -> None:
        given = {self._index[v]: (g, v) for g, v in zip(grads, variables, strict=True)}
        for optimizer, places in self._groups:
            if present := [given[i] for i in places if i in given]:
                optimizer.apply(*map(list, zip(*present, strict=True)))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put the moving averages of each optimizer in its variables' place."""
        chosen = set(var_list)
        for optimizer, places in self._groups:
            optimizer.finalize_variable_values([v for v in (self._trained[i] for i in places) if v in chosen])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        if not isinstance(self.optimizer_map, OptimizerMap):
            raise ArgumentTypeError("A function that chooses optimizers cannot be saved.", where=self.name, fix="use an OptimizerMap")
        return {"optimizer_map": serialize_keras_object(self.optimizer_map), "loss_scale_factor": self.loss_scale_factor, "name": self.name}
