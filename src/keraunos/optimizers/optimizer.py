"""`Optimizer`: what all optimizers share, from weight decay to moving averages.

An optimizer is its `update`, a pure function of one variable's value, its gradient and its slots. On an
engine that works eagerly, a function of the engine (named by `native`) may do the same in place for all
variables at once.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.core.fields import Declared
from keraunos.core.functional import functional
from keraunos.core.names import auto_name, name_scope, to_snake_case
from keraunos.core.scope import scope
from keraunos.core.serialization import custom_object_scope, serialize_value
from keraunos.core.variable import Variable
from keraunos.optimizers import schedules

_FORMER = ("jit_compile", "is_legacy_optimizer")  # what configs of Keras 2 hold beside ours


class Slot(Variable):
    """A variable of an optimizer's state. It shares memory with no other tensor, since engines change it in place."""

    __slots__ = ()

    def assign(self, value: Any) -> None:
        """Give it a new value of the same shape."""
        super().assign(value)
        own = getattr(self.backend, "own", None)
        if own is not None and scope.trace is None:
            self._value = own(self._value)


class Optimizer(Declared):
    """The base of optimizers.

    Args:
        learning_rate: A number, a `LearningRateSchedule`, or a function without arguments.
        weight_decay: The share of each weight that is taken off at each step, times the learning rate.
        clipnorm: The greatest norm of a variable's gradient.
        clipvalue: The greatest absolute value in a gradient.
        global_clipnorm: The greatest norm of all gradients together.
        use_ema: Whether a moving average of the weights is kept; it takes their place when training ends.
        ema_momentum: How slowly the average moves.
        ema_overwrite_frequency: After how many steps the average takes the weights' place.
        loss_scale_factor: What the loss is multiplied by, and the gradients are divided by.
        gradient_accumulation_steps: Over how many batches gradients are averaged for one step.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> class Descent(keras.optimizers.Optimizer):
    ...     def update(self, value, gradient, rate, step):
    ...         return (value - rate * gradient,)
    >>> w = keras.Variable([1.0])
    >>> Descent(learning_rate=0.5).apply([keras.ops.ones((1,))], [w]); w.numpy().tolist()
    [0.5]
    """

    own_first: ClassVar[bool] = True
    base_arguments: ClassVar[tuple[str, ...]] = ("decay",)
    native: ClassVar[str | None] = None  # the engine's function that does `update` for all variables

    learning_rate: Any
    weight_decay: float | None = None
    clipnorm: float | None = None
    clipvalue: float | None = None
    global_clipnorm: float | None = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: int | None = None
    loss_scale_factor: float | None = None
    gradient_accumulation_steps: int | None = None
    name: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "learning_rate" in cls.__dict__.get("__annotations__", {}):
            del cls.learning_rate  # the default would hide the property
        if ("update" in cls.__dict__ or "update_step" in cls.__dict__) and "native" not in cls.__dict__:
            cls.native = None

    def start(self, **kwargs: Any) -> None:
        """Refuse the former argument `decay`."""
        if kwargs.pop("decay", None):
            raise ArgumentError(f"{type(self).__name__}: decay was replaced by schedules.", fix="learning_rate=keras.optimizers.schedules.InverseTimeDecay(…)")
        super().start(**kwargs)

    def setup(self) -> None:
        """Check the options; make the variables that do not depend on those trained."""
        owner = type(self).__name__
        clips = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(clips) > 1:
            raise ArgumentError(f"{owner}: only one of clipnorm, clipvalue and global_clipnorm can be set.", received=", ".join(clips))
        if any(getattr(self, name) <= 0 for name in clips):
            raise ArgumentError(f"{owner}: {clips[0]} must be above 0.", received=f"{clips[0]}={getattr(self, clips[0])}")
        if not 0 <= self.ema_momentum <= 1:
            raise ArgumentError(f"{owner}: ema_momentum lies from 0 to 1.", received=f"ema_momentum={self.ema_momentum}")
        if self.use_ema and self.ema_overwrite_frequency is not None and self.ema_overwrite_frequency < 1:
            raise ArgumentError(f"{owner}: ema_overwrite_frequency must be at least 1.", received=f"ema_overwrite_frequency={self.ema_overwrite_frequency}")
        if self.gradient_accumulation_steps is not None and self.gradient_accumulation_steps < 2:
            raise ArgumentError(
                f"{owner}: gradient_accumulation_steps must be at least 2.", received=f"gradient_accumulation_steps={self.gradient_accumulation_steps}"
            )
        self.name = self.name or auto_name(to_snake_case(owner))
        self.built = False
        self._variables: list[Variable] = []
        self._trained: list[Variable] = []
        self._index: dict[int, int] = {}
        self._slots: list[list[Variable]] = []
        self._undecayed: tuple[list[int], list[str]] = ([], [])
        self._decayed: dict[int, bool] = {}
        self._iterations = self.add_variable((), "zeros", "int32", name="iteration")
        if not callable(self._rate):
            self._rate = self.add_variable((), lambda shape, dtype: given, "float32", name="learning_rate") if (given := self._rate) is not None else None
        for variable in self._variables:
            _on_host(variable)

    # ---- the learning rate and the count of steps ----
    def _get_learning_rate(self) -> Any:
        """The learning rate: a variable, or what the schedule or function gives now."""
        if isinstance(self._rate, schedules.LearningRateSchedule):
            return self._rate(self._iterations.value)  # which Keras counts by calls, also where gradients accumulate
        return self._rate() if callable(self._rate) else self._rate

    def _set_learning_rate(self, value: Any) -> None:
        known = self.__dict__.get("_rate")
        if callable(value) and not isinstance(value, Variable):
            if isinstance(known, Variable):
                self._variables = [v for v in self._variables if v is not known]
            self._rate = value
        elif isinstance(known, Variable):
            known.assign(value)
            _on_host(known)
        elif known is not None:
            raise ArgumentTypeError(
                "The learning rate follows a schedule, so it cannot be set.", where=self.name, fix="pass a number as learning_rate when making the optimizer"
            )
        else:
            if isinstance(value, dict):
                value = schedules.deserialize(value)
            self._rate = value if callable(value) else float(value)

    @property
    def iterations(self) -> Any:
        """How many steps were made; with gradient accumulation, those that changed the weights."""
        steps = self.gradient_accumulation_steps
        return ops.floor_divide(self._iterations.value, steps) if steps else self._iterations

    # ---- variables ----
    @property
    def variables(self) -> list[Variable]:
        """The state: the count of steps, the learning rate, then what is kept for each weight."""
        return list(self._variables)

    def slots(self) -> Sequence[Sequence[str]]:
        """The names of what is kept for each variable; those in one group are made together."""
        return ()

    def initial(self, slot: str) -> float:
        """The value that a slot starts with."""
        return 0.0

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, aggregation: str = "none", layout: Any = None, name: str | None = None
    ) -> Variable:
        """A variable of the optimizer's state."""
        if initializer == "zeros":
            initializer = _zeros
        with name_scope(self.name or ""):
            variable = Slot(initializer, shape, dtype, trainable=False, autocast=False, aggregation=aggregation, name=name)
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros") -> Variable:
        """A variable of the shape and dtype of another, named after it."""
        return self.add_variable(
            reference_variable.shape, initializer, reference_variable.dtype, name=f"{reference_variable.path.replace('/', '_')}_{name or 'slot'}"
        )

    def add_optimizer_variables(self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros") -> Any:
        """One variable for each of those trained; for several names, a list of such lists."""
        if isinstance(name, str):
            return [self.add_variable_from_reference(v, name, initializer) for v in trainable_variables]
        initializers = [initializer] * len(name) if isinstance(initializer, str) or callable(initializer) else initializer
        made = [[self.add_variable_from_reference(v, n, i) for n, i in zip(name, initializers, strict=True)] for v in trainable_variables]
        return tuple(map(list, zip(*made, strict=True)))

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state for the variables to be trained.

        Raises:
            StateError: It was built for other variables.
        """
        variables = list(variables)
        if self.built:
            self._places(variables)
            return
        self._trained, self._index = variables, {id(v): i for i, v in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        for group in self.slots():
            starts = [functools.partial(_start_at, self.initial(name)) for name in group]
            self._slots += self.add_optimizer_variables(variables, list(group), starts) if variables else [[] for _ in group]
        self.built = True

    def _places(self, variables: list[Variable]) -> list[int]:
        try:
            return [self._index[id(v)] for v in variables]
        except KeyError:
            new = next(v for v in variables if id(v) not in self._index)
            model = self._trained[0].path.partition("/")[0] if self._trained else self.name
            raise StateError(
                f"This optimizer is already built for '{model}'; it does not know the variable '{new.path}'.",
                where=self.name,
                fix=f"create a new one: keras.optimizers.{type(self).__name__}(…). After unfreezing layers, compile with a new one",
            ) from None

    def _get_variable_index(self, variable: Variable) -> int:
        return self._places([variable])[0]

    # ---- a step ----
    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Change variables by their gradients, given as pairs; returns the count of steps."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self._iterations

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Variable] | None = None) -> None:
        """Change variables by their gradients.

        Args:
            grads: A gradient for each variable, or None for those that stay.
            trainable_variables: The variables; by default those that it was built for.

        Raises:
            StateError: It was built for other variables, or for none.
            ArgumentError: There are no gradients, or not as many as variables.
        """
        grads, known = list(grads), self._trained
        if trainable_variables is None:
            if not self.built:
                raise StateError(
                    "The optimizer does not know yet which variables it trains.",
                    where=self.name,
                    fix="call build(variables) first, or apply(gradients, variables)",
                )
            variables = known
        else:
            variables = list(trainable_variables)
            if not self.built:
                self.build(variables)
        if len(grads) != len(variables):
            raise ArgumentError(f"There are {len(grads)} gradients for {len(variables)} variables.", where=self.name)
        places = None if variables == known else self._places(variables)
        for gradient in grads:
            if gradient is None:
                grads, variables, places = self._present(grads, variables)
                break
        overwritten = [v for v in variables if v.overwrite_with_gradient]
        if overwritten:
            for variable, gradient in zip(variables, grads, strict=True):
                if variable.overwrite_with_gradient:
                    variable.assign(gradient)
            kept = [(g, v) for g, v in zip(grads, variables, strict=True) if not v.overwrite_with_gradient]
            grads, variables = [g for g, _ in kept], [v for _, v in kept]
            places = self._places(variables)
        if self.loss_scale_factor is not None:
            grads = [ops.true_divide(g, self.loss_scale_factor) for g in grads]
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables, places)
        else:
            self._step(grads, variables, places)
        if any(v.constraint is not None for v in variables):
            with variables[0].backend.forward():
                for variable in variables:
                    if variable.constraint is not None:
                        variable.assign(variable.constraint(variable.value))
        self._count()

    def _present(self, grads: list[Any], variables: list[Variable]) -> tuple[list[Any], list[Variable], list[int]]:
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
        if not pairs:
            raise ArgumentError(
                "No variable has a gradient.", where=self.name, received=", ".join(missing[:4]), fix="make sure that the loss depends on the variables"
            )
        warnings.warn(f"No gradient for {', '.join(missing[:4])}{' …' if len(missing) > 4 else ''}: the loss does not depend on it.", stacklevel=4)
        return [g for g, _ in pairs], [v for _, v in pairs], self._places([v for _, v in pairs])

    def _count(self) -> None:
        increment = getattr(self._iterations.backend, "increment", None)
        if increment is None or scope.trace is not None:
            self._iterations.assign(ops.add(self._iterations.value, 1))
        else:
            increment(self._iterations)

    def _step(self, grads: list[Any], variables: list[Variable], places: list[int] | None) -> None:
        """Change the variables by gradients: clip, decay, update, average."""
        if not variables:
            return
        backend = variables[0].backend
        eager = scope.trace is None
        native = getattr(backend, self.native, None) if eager and self.native else None
        if native is None or native(self, grads, variables, places) is NotImplemented:
            with backend.forward():
                grads = self._clipped(grads)
                rate = ops.cast(self._get_learning_rate(), "float32")
                if self.weight_decay is not None:
                    for variable in variables:
                        if self._use_weight_decay(variable):
                            variable.assign(ops.subtract(variable.value, ops.multiply(variable.value, ops.multiply(rate, self.weight_decay))))
                self._backend_update_step(grads, variables, rate)
        if self.use_ema:
            averages = self._averages if places is None else [self._averages[i] for i in places]
            native = getattr(backend, "move_averages", None) if eager else None
            with backend.forward():
                self._average(variables, averages, native)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Change one variable by its gradient; own optimizers define this, or the pure `update`."""
        i = self._index[id(variable)]
        slots = [slot[i] for slot in self._slots]
        step = ops.cast(ops.add(self.iterations, 1), "float32")
        new = self.update(variable.value, gradient, learning_rate, step, *[s.value for s in slots])
        for v, value in zip((variable, *slots), new, strict=True):
            v.assign(value)

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *slots: Any) -> tuple[Any, ...]:
        """The new value of a variable and of its slots. `step` counts from 1."""
        raise NotImplementedError(
            f"{type(self).__name__} must define update(self, value, gradient, rate, step, …) or update_step(self, gradient, variable, learning_rate)."
        )

    def _clipped(self, grads: list[Any]) -> list[Any]:
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        if self.clipnorm is None and self.global_clipnorm is None:
            return grads
        squares = [ops.sum(ops.square(g)) for g in grads]
        if self.clipnorm is not None:
            return [ops.multiply(g, _shrink(s, self.clipnorm)) for g, s in zip(grads, squares, strict=True)]
        factor = _shrink(ops.sum(ops.stack(squares)), self.global_clipnorm)
        return [ops.multiply(g, factor) for g in grads]

    def _accumulate(self, grads: list[Any], variables: list[Variable], places: list[int] | None) -> None:
        """Add gradients up; make a step with their mean every so many calls."""
        steps = self.gradient_accumulation_steps or 1
        backend = variables[0].backend
        sums = self._accumulators if places is None else [self._accumulators[i] for i in places]
        with backend.forward():
            grads = [ops.add(s.value, g) for s, g in zip(sums, grads, strict=True)]
            due = ops.equal(ops.mod(ops.add(self._iterations.value, 1), steps), 0)
            means = [ops.true_divide(g, steps) for g in grads]
        self._when(due, lambda: self._step(means, variables, places), variables, backend)
        with backend.forward():
            for total, gradient in zip(sums, grads, strict=True):
                total.assign(ops.where(due, ops.zeros_like(gradient), gradient))

    def _when(self, condition: Any, step: Callable[[], None], variables: list[Variable], backend: Any) -> None:
        """Run `step`, which changes variables and the state, where the condition holds."""
        if backend.stateful and scope.trace is None:
            if bool(condition):
                step()
            return
        touched = list({id(v): v for v in (*variables, *self.variables)}.values())
        before = [v.value for v in touched]
        with backend.forward():
            _, (after,) = functional(step, touched)([before])
            for variable, old, new in zip(touched, before, after, strict=True):
                if new is not old:
                    variable.assign(ops.where(condition, new, old))

    # ---- weight decay ----
    def exclude_from_weight_decay(self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None) -> None:
        """Leave variables out of weight decay: those given, and those in whose path one of the patterns occurs."""
        self._undecayed[0].extend(id(v) for v in var_list or ())
        self._undecayed[1].extend(var_names or ())
        self._decayed.clear()

    def _use_weight_decay(self, variable: Variable) -> bool:
        key = id(variable)
        if key not in self._decayed:
            ids, patterns = self._undecayed
            self._decayed[key] = key not in ids and not any(re.search(p, variable.path) for p in patterns)
        return self._decayed[key]

    # ---- the moving average ----
    def _average(self, variables: list[Variable], averages: list[Variable], native: Any = None) -> None:
        step, frequency = self.iterations, self.ema_overwrite_frequency
        if native is not None:
            step = int(step)
            native(averages, variables, self.ema_momentum if step else 0.0, bool(frequency) and (step + 1) % frequency == 0)
            return
        momentum = ops.where(ops.equal(step, 0), 0.0, self.ema_momentum)
        due = ops.equal(ops.mod(ops.add(step, 1), frequency), 0) if frequency else None
        for variable, average in zip(variables, averages, strict=True):
            value = variable.value
            average.assign(ops.add(ops.multiply(average.value, momentum), ops.multiply(value, ops.subtract(1.0, momentum))))
            if due is not None:
                variable.assign(ops.where(due, average.value, value))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put the moving averages in the variables' place, as at the end of training."""
        if self.use_ema:
            for variable in var_list:
                variable.assign(self._averages[self._get_variable_index(variable)].value)

    # ---- the rest of Keras's interface ----
    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> tuple[list[Any], list[Any]]:
        """`apply` as a pure function: returns the new values of the variables trained and of the state."""
        if not self.built:
            raise StateError("The optimizer is not built.", where=self.name, fix="call build(variables) first")
        state = self.variables
        for what, values, slots in (("optimizer_variables", optimizer_variables, state), ("trainable_variables", trainable_variables, self._trained)):
            if len(values) != len(slots):
                raise ArgumentError(f"There are {len(values)} {what}, not {len(slots)}.", where=self.name)
        _, (trained, new) = functional(lambda: self.apply(grads), self._trained, state)([list(trainable_variables), list(optimizer_variables)])
        return trained, new

    def assign(self, variable: Variable, value: Any) -> None:
        """`variable.assign(value)`."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """`variable.assign_add(value)`."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """`variable.assign_sub(value)`."""
        variable.assign_sub(value)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the state from arrays in the order of `variables`."""
        variables = self.variables
        if len(weights) != len(variables):
            raise ShapeError(f"{len(weights)} arrays were given for the {len(variables)} variables of '{self.name}'.", fix="build the optimizer first")
        for variable, value in zip(variables, weights, strict=True):
            variable.assign(value)

    def save_own_variables(self, store: Any) -> None:
        """Write the state into a dict-like store."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read the state from such a store; of another optimizer's, nothing is read, with a warning."""
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(f"The state of '{self.name}' was not loaded: it has {len(variables)} variables, the saved one {len(store.keys())}.", stacklevel=2)
            return
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)][()] if hasattr(store[str(i)], "shape") else store[str(i)])
            if i < 2 and not variable.shape:
                _on_host(variable)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer; the learning rate as it is now."""
        config = super().get_config()
        rate = float(self._rate.numpy()) if isinstance(self._rate, Variable) else serialize_value(self._rate)
        return config | {"learning_rate": rate} if "learning_rate" in config else config

    def field_config(self) -> dict[str, Any]:
        """The fields' values in a form that JSON can hold."""
        return {name: None if name == "learning_rate" else serialize_value(getattr(self, name)) for name in self.fields}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Make an optimizer from what `get_config` returned."""
        config = {name: value for name, value in config.items() if name not in _FORMER}
        with custom_object_scope(custom_objects or {}):
            if isinstance(config.get("learning_rate"), dict):
                config["learning_rate"] = schedules.deserialize(config["learning_rate"])
            return super().from_config(config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


Optimizer.learning_rate = property(Optimizer._get_learning_rate, Optimizer._set_learning_rate, doc="The learning rate; it may be assigned.")


def _shrink(square: Any, limit: float | None) -> Any:
    """What a tensor with this squared norm is multiplied by to have a norm of at most `limit`."""
    return ops.true_divide(limit, ops.maximum(ops.sqrt(square), limit))


def _start_at(value: float, shape: Any, dtype: str) -> Any:
    import numpy as np

    return np.full(shape, value, "float32")


_zeros = functools.partial(_start_at, 0.0)


def _on_host(variable: Variable) -> None:
    """Keep a scalar where Python can read it without waiting for the device."""
    to_host = getattr(variable.backend, "to_host", None)
    if to_host is not None and scope.trace is None:
        variable._value = to_host(variable._value)
