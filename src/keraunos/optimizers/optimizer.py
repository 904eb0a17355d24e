"""`Optimizer`: what all optimizers share, from weight decay to moving averages.

An optimizer is its `update`, a pure function of one variable's value, its gradient and its slots. On an
engine that works eagerly, a function of the engine (named by `native`) may do the same in place for all
variables at once.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core import dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.core.fields import Declared, Positive, Several, Share, Size
from keraunos.core.frames import warn
from keraunos.core.functional import functional
from keraunos.core.names import auto_name, scoped, to_snake_case
from keraunos.core.scope import scope, within
from keraunos.core.serialization import custom_object_scope, serialize_value
from keraunos.core.variable import Variable
from keraunos.initializers import Constant
from keraunos.optimizers import schedules

_FORMER = ("jit_compile", "is_legacy_optimizer")  # what configs of Keras 2 hold beside ours
_ON_HOST = ("iteration", "learning_rate")  # what Python reads at each step, without waiting for the device


class Slot(Variable):
    """A variable of an optimizer's state. It shares memory with no other tensor, since engines change it in place."""

    def assign(self, value: Any) -> None:
        """Give it a new value of the same shape."""
        super().assign(value)
        place = _eager(self, "to_host" if self.name in _ON_HOST else "own")
        if place is not None:
            self._value = place(self._value)


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
    unsaved: ClassVar[tuple[str, ...]] = ("learning_rate",)  # `get_config` knows how
    swapped = False  # whether the moving averages and the weights have changed places for a while
    native: ClassVar[str | None] = None  # the engine's function that does `update` for all variables

    learning_rate: Any
    weight_decay: float | None = None
    clipnorm: Positive | None = None
    clipvalue: Positive | None = None
    global_clipnorm: Positive | None = None
    use_ema: bool = False
    ema_momentum: Share = 0.99
    ema_overwrite_frequency: Size | None = None
    loss_scale_factor: Positive | None = None
    gradient_accumulation_steps: Several | None = None
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
            fact = f"{owner}: only one of clipnorm, clipvalue and global_clipnorm can be set."
            raise ArgumentError(fact, where=owner, received=", ".join(clips), fix=f"leave {clips[1]} out")
        self.name = self.name or auto_name(to_snake_case(owner))
        self.built = False
        self._variables: list[Variable] = []
        self._trained: list[Variable] = []
        self._index: dict[Variable, int] = {}
        self._slots: list[list[Variable]] = []
        self._undecayed: list[Variable | str] = []
        self._decayed: dict[Variable, bool] = {}
        self._iterations = self.add_variable((), "zeros", "int32", name="iteration")
        if not callable(self._rate):
            self._rate = self.add_variable((), self._rate, "float32", name="learning_rate")
        for variable in self._variables:
            variable.assign(variable.value)  # which puts it on the host

    # ---- the learning rate and the count of steps ----
    def _get_learning_rate(self) -> Any:
        if isinstance(self._rate, schedules.LearningRateSchedule):
            return self._rate(self._iterations.value)  # which Keras counts by calls, also where gradients accumulate
        return self._rate() if callable(self._rate) else self._rate

    def _set_learning_rate(self, value: Any) -> None:
        known = self.__dict__.get("_rate")
        if isinstance(value, dict):
            value = schedules.deserialize(value)
        if value is None or isinstance(value, (bool, str)) or getattr(value, "shape", ()) != ():
            raise self._no_rate(value)
        if callable(value):
            self._variables = [v for v in self.__dict__.get("_variables", ()) if v is not known]
            self._rate = value
        elif known is None:
            try:
                self._rate = float(value)  # `setup` makes a variable of it
            except (TypeError, ValueError):
                raise self._no_rate(value) from None
            if self._rate < 0:
                fact = "The learning rate is negative: training would make the loss grow."
                raise ArgumentError(fact, where=type(self).__name__, received=f"learning_rate={value!r}", fix=f"learning_rate={-value}")
        elif isinstance(known, Variable):
            known.assign(value)
        else:
            raise ArgumentTypeError("The learning rate follows a schedule, so it cannot be set.", where=self.name, fix="make the optimizer with a number")

    def _no_rate(self, value: Any) -> ArgumentError:
        fact = "The learning rate must be a number, a schedule, or a function without arguments."
        return ArgumentError(fact, where=type(self).__name__, received=f"learning_rate={value!r}", fix="learning_rate=0.001, say")

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
        """The names of what is kept for each variable; those in one group are made together. By default what `update` takes after `step`."""
        taken = list(inspect.signature(self.update).parameters.values())[4:]
        return [[p.name for p in taken if p.kind is p.POSITIONAL_OR_KEYWORD]]

    def initial(self, slot: str) -> float:
        """The value that a slot starts with: that of the field `initial_<slot>_value`, else 0."""
        return getattr(self, f"initial_{slot}_value", 0.0)

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, aggregation: str = "none", layout: Any = None, name: str | None = None
    ) -> Variable:
        """A variable of the optimizer's state."""
        with within(names=scoped(self.name or "")):
            variable = Slot(initializer, shape, dtype, trainable=False, autocast=False, aggregation=aggregation, name=name, layout=layout)
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros") -> Variable:
        """A variable of the shape and dtype of another, named after it."""
        name = f"{reference_variable.path.replace('/', '_')}_{name or 'slot'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, layout=reference_variable, name=name)

    def add_optimizer_variables(self, trainable_variables: Iterable[Variable], name: Any, initializer: Any = "zeros") -> Any:
        """One variable for each of those trained; for several names, a list of such lists."""
        if isinstance(name, str):
            return [self.add_variable_from_reference(v, name, initializer) for v in trainable_variables]
        initializers = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(name)
        made = [[self.add_variable_from_reference(v, n, i) for n, i in zip(name, initializers, strict=True)] for v in trainable_variables]
        return tuple([row[i] for row in made] for i in range(len(name)))

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the state for the variables to be trained.

        Raises:
            StateError: It was built for other variables.
        """
        variables = list(variables)
        if self.built:
            self._places(variables)
            return
        self._trained, self._index = variables, {v: i for i, v in enumerate(variables)}
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        for group in self.slots():
            self._slots += self.add_optimizer_variables(variables, group, [Constant(self.initial(name)) for name in group])
        self.built = True
        self._built()

    def _built(self) -> None:
        """Called once its state is made, for what a rule keeps besides its slots."""

    def _places(self, variables: list[Variable]) -> list[int]:
        new = [v.path for v in variables if v not in self._index]
        if new:
            model = self._trained[0].path.partition("/")[0] if self._trained else self.name
            fact = f"This optimizer is already built for '{model}'; it does not know the variable '{new[0]}'."
            fix = f"create a new one: keras.optimizers.{type(self).__name__}(…). After unfreezing layers, compile with a new one"
            raise StateError(fact, where=self.name, fix=fix, code="KR403")
        return [self._index[v] for v in variables]

    def _kept(self, kept: list[Variable], variables: list[Variable]) -> list[Variable]:
        """What is kept for these of the variables trained."""
        return kept if variables == self._trained else [kept[i] for i in self._places(variables)]

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
        grads = list(grads)
        if trainable_variables is None and not self.built:
            raise StateError("The optimizer does not know yet which variables it trains.", where=self.name, fix="call build(variables) first, or pass them")
        variables = self._trained if trainable_variables is None else list(trainable_variables)
        if variables != self._trained:
            self.build(variables)
        if len(grads) != len(variables):
            fact = f"There are {len(grads)} gradients for {len(variables)} variables."
            raise ArgumentError(fact, where=self.name, fix="one gradient, or None, for each of the variables of build")
        if [g for g in grads if g is None]:
            grads, variables = self._present(grads, variables)
        if variables:
            with variables[0].backend.forward():
                self._apply(grads, variables)

    def _present(self, grads: list[Any], variables: list[Variable]) -> tuple[list[Any], list[Variable]]:
        """What is left of the gradients and variables without those that have none."""
        missing = [v.path for g, v in zip(grads, variables, strict=True) if g is None]
        listed = ", ".join(missing[:4]) + (" …" if len(missing) > 4 else "")
        if len(missing) == len(grads):
            raise ArgumentError("No variable has a gradient.", where=self.name, received=listed, fix="make sure that the loss depends on the variables")
        warn(f"No gradient for {listed}: the loss does not depend on it.")
        return [g for g in grads if g is not None], [v for g, v in zip(grads, variables, strict=True) if g is not None]

    def _apply(self, grads: list[Any], variables: list[Variable]) -> None:
        """Make a step, or a part of one where gradients accumulate."""
        if self.loss_scale_factor is not None:
            grads = divided(grads, variables, self.loss_scale_factor)
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables, self.gradient_accumulation_steps)
        else:
            self._step(grads, variables)
        if self.use_ema:
            self._average(variables, self._kept(self._averages, variables))
        for variable in [v for v in variables if v.constraint is not None]:
            variable.assign(variable.constraint(variable.value))
        increment = _eager(self._iterations, "increment")
        if increment is not None:
            increment(self._iterations)
        else:
            self._iterations.assign(ops.add(self._iterations.value, 1))

    def _accumulate(self, grads: list[Any], variables: list[Variable], steps: int) -> None:
        """Add gradients up; make a step with their mean every so many calls."""
        sums = self._kept(self._accumulators, variables)
        adding = [ops.maximum if v.overwrite_with_gradient else ops.add for v in variables]  # what overwrites is a greatest value (of FP8)
        totals = [add(s.value, g) for add, s, g in zip(adding, sums, grads, strict=True)]
        due = ops.equal(ops.mod(ops.add(self._iterations.value, 1), steps), 0)
        self._when(due, lambda: self._step(divided(totals, variables, steps), variables), variables)
        for variable, total in zip(sums, totals, strict=True):
            variable.assign(ops.where(due, ops.zeros_like(total), total))

    def _when(self, condition: Any, step: Callable[[], None], variables: list[Variable]) -> None:
        """Run `step`, which changes variables and the state, where the condition holds."""
        if scope.trace is None:
            if bool(condition):
                step()
            return
        touched = [*variables, *self.variables]
        before = [v.value for v in touched]
        _, (after,) = functional(step, touched)([before])
        for variable, old, new in zip(touched, before, after, strict=True):
            if new is not old:
                variable.assign(ops.where(condition, new, old))

    def _step(self, grads: list[Any], variables: list[Variable]) -> None:
        """Change the variables by gradients: clip, decay, update, average."""
        overwritten = [v for v in variables if v.overwrite_with_gradient]
        if overwritten:
            left = dict(zip(variables, grads, strict=True))
            for variable in overwritten:
                variable.assign(left.pop(variable))
            grads, variables = list(left.values()), list(left)
        if not variables:
            return
        native = _eager(variables[0], self.native)
        if native is None or native(self, grads, variables, None if variables == self._trained else self._places(variables)) is NotImplemented:
            grads = self._clipped(grads)
            rate = ops.cast(self.learning_rate, "float32")
            for variable in variables:
                if (decay := self._decay_of(variable)) is not None:
                    variable.assign(ops.subtract(variable.value, ops.multiply(variable.value, ops.multiply(rate, decay))))
            self._backend_update_step(grads, variables, rate)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Variable], learning_rate: Any) -> None:
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Change one variable by its gradient; own optimizers define this, or the pure `update`."""
        slots = self._slots_of(variable)
        step, kind = ops.add(self.iterations, 1), dtypes.result_type("float32", variable.dtype)  # 16-bit floats are changed in 32 bits
        new = self.update(*[ops.convert_to_tensor(x, kind) for x in (variable.value, gradient, learning_rate, step, *[s.value for s in slots])])
        for v, value in zip((variable, *slots), new, strict=True):
            v.assign(value)

    def _slots_of(self, variable: Variable) -> list[Variable]:
        i = self._index[variable]
        return [slot[i] for slot in self._slots]

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The new value of a variable and of its slots, which are the further arguments. `step` counts from 1."""
        fact = f"{type(self).__name__} must define update(self, value, gradient, rate, step, …) or update_step(self, gradient, variable, learning_rate)."
        raise NotImplementedError(fact)

    def _clipped(self, grads: list[Any]) -> list[Any]:
        if self.clipvalue is not None:
            return [ops.clip(g, -self.clipvalue, self.clipvalue) for g in grads]
        limit = self.global_clipnorm if self.clipnorm is None else self.clipnorm
        if limit is None:
            return grads
        squares = [ops.sum(ops.square(g)) for g in grads]
        if self.clipnorm is None:
            squares = [ops.sum(ops.stack(squares))]
        factors = [ops.true_divide(limit, ops.maximum(ops.sqrt(s), limit)) for s in squares]
        return [ops.multiply(g, f) for g, f in zip(grads, itertools.cycle(factors), strict=False)]

    # ---- weight decay ----
    def exclude_from_weight_decay(self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None) -> None:
        """Leave variables out of weight decay: those given, and those in whose path one of the patterns occurs."""
        self._undecayed += [*(var_list or ()), *(var_names or ())]
        self._decayed.clear()

    def _decay_of(self, variable: Variable) -> float | None:
        """The weight decay of a variable; None if it has none."""
        return self.weight_decay if self.weight_decay is not None and self._use_weight_decay(variable) else None

    def _use_weight_decay(self, variable: Variable) -> bool:
        if variable not in self._decayed:
            excluded = (variable is entry if isinstance(entry, Variable) else re.search(entry, variable.path) for entry in self._undecayed)
            self._decayed[variable] = not any(excluded)
        return self._decayed[variable]

    # ---- the moving average ----
    def _average(self, variables: list[Variable], averages: list[Variable]) -> None:
        step, frequency = self.iterations, self.ema_overwrite_frequency
        native = _eager(variables[0], "move_averages")
        if native is not None:
            step = int(step)
            native(averages, variables, self.ema_momentum if step else 0.0, bool(frequency) and (step + 1) % frequency == 0)
            return
        momentum = ops.where(ops.equal(step, 0), 0.0, self.ema_momentum)
        for variable, average in zip(variables, averages, strict=True):
            average.assign(ops.add(ops.multiply(average.value, momentum), ops.multiply(variable.value, ops.subtract(1.0, momentum))))
            if frequency:
                due = ops.equal(ops.mod(ops.add(step, 1), frequency), 0)
                variable.assign(ops.where(due, average.value, variable.value))

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Put the moving averages in the variables' place, as at the end of training."""
        if self.use_ema and not self.swapped:
            for variable in var_list:
                variable.assign(self._averages[self._get_variable_index(variable)].value)

    def settle(self) -> None:
        """Let averages that stand in the weights' place stay there."""
        for variable, average in zip(self._trained, self._averages, strict=True):
            average.assign(variable.value)
        self.swapped = False

    # ---- the rest of Keras's interface ----
    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else ops.multiply(loss, self.loss_scale_factor)

    def stateless_apply(self, optimizer_variables: Any, grads: Any, trainable_variables: Any) -> tuple[list[Any], list[Any]]:
        """`apply` as a pure function: returns the new values of the variables trained and of the state."""
        if not self.built:
            raise StateError("The optimizer is not built.", where=self.name, fix="call build(variables) first")
        state = self.variables
        for what, given, known in (("optimizer_variables", optimizer_variables, state), ("trainable_variables", trainable_variables, self._trained)):
            if len(given) != len(known):
                raise ArgumentError(f"There are {len(given)} {what}, not {len(known)}.", where=self.name)
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
        known, given = len(self.variables), len(store.keys())
        if given == known:
            self.set_weights([store[str(i)][()] for i in range(known)])
        else:
            warn(f"The state of '{self.name}' was not loaded: it has {known} variables, the saved one {given}.")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer; the learning rate as it is now."""
        config = super().get_config()
        if "learning_rate" in config or not self.is_captured():
            config["learning_rate"] = serialize_value(self._rate)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Make an optimizer from what `get_config` returned."""
        config = {name: value for name, value in config.items() if name not in _FORMER}
        with custom_object_scope(custom_objects or {}):
            return super().from_config(config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


# It is made here, since in the class the name stands for the field.
Optimizer.learning_rate = property(Optimizer._get_learning_rate, Optimizer._set_learning_rate, doc="The learning rate; it may be assigned.")


def divided(grads: list[Any], variables: list[Variable], divisor: Any) -> list[Any]:
    """The gradients over a number, save those that are their variable's new value."""
    return [g if v.overwrite_with_gradient else ops.true_divide(g, divisor) for g, v in zip(grads, variables, strict=True)]


def _eager(variable: Variable, name: str | None) -> Any:
    """The engine's function of that name, which works on the variables' own values; None where it has none or values are bound."""
    return None if name is None or scope.trace is not None else getattr(variable.backend, name, None)
