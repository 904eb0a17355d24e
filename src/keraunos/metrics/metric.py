"""`Metric`: a measure accumulated over batches, and those that are a mean."""

# State is made by name in setup(), and fields stand in Keras's order, which type checkers cannot follow.
# pyright: reportIncompatibleMethodOverride=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ShapeError
from keraunos.core.functional import functional
from keraunos.core.masks import get_mask
from keraunos.core.names import scoped
from keraunos.core.scope import scope, within
from keraunos.core.serialization import serialize_keras_object
from keraunos.core.spec import Spec, Unknown, size_of
from keraunos.core.variable import Variable
from keraunos.losses.loss import Measure, masked_weights, tensor, unfit


class Metric(Measure):
    """The base of metrics: variables that `update_state` adds to and `result` evaluates.

    Args:
        dtype: The dtype of its variables; `floatx()` by default.
        name: Its name in logs.

    Example:

    >>> import keraunos as keras
    >>> class Largest(keras.metrics.Metric):
    ...     def __init__(self, name="largest", **kwargs):
    ...         super().__init__(name=name, **kwargs)
    ...         self.top = self.add_variable((), "zeros", name="top")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.top.assign(keras.ops.maximum(self.top, keras.ops.max(y_pred)))
    ...     def result(self):
    ...         return self.top.value
    >>> float(Largest()(None, [1.0, 3.0]))
    3.0
    """

    counters: ClassVar[tuple[str, ...]] = ()  # scalars that start at 0
    dtype: Any = None
    name: str | None = None

    def setup(self) -> None:
        """Settle name and dtype, and make the counters."""
        super().setup()
        self._variables: list[Variable] = []
        self._count_in(*self.counters)

    def add_variable(self, shape: Any, initializer: Any, dtype: Any = None, aggregation: str = "sum", name: str | None = None) -> Variable:
        """A variable of its state."""
        with within(names=scoped(self.name or "")):
            variable = Variable(initializer or "zeros", shape, dtype or self.dtype, trainable=False, autocast=False, aggregation=aggregation, name=name)
        self._variables.append(variable)
        return variable

    def add_weight(self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None) -> Variable:
        """Likewise; a scalar that starts at 0 by default."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def _count_in(self, *names: str, shape: tuple[int, ...] = ()) -> None:
        """Make attributes of these names, each a variable that starts at 0."""
        for name in names:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _add(self, *amounts: Any) -> None:
        """Add to its variables, in the order in which they were made."""
        for variable, amount in zip(self._variables, amounts, strict=True):
            accumulate(variable, amount)

    @property
    def variables(self) -> list[Variable]:
        """Its variables, those of metrics that it holds included."""
        held = tree.flatten([value for name, value in self.__dict__.items() if name != "_arguments"])
        found = [v for x in held for v in (x.variables if isinstance(x, Metric) else [x]) if isinstance(v, Variable)]
        return list({id(v): v for v in found}.values())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Add one batch to the state."""
        raise NotImplementedError(f"{type(self).__name__} must define update_state(self, …).")

    def result(self) -> Any:
        """The metric of all that was added since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} must define result(self).")

    def reset_state(self) -> None:
        """Start anew."""
        for variable in self.variables:
            variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add one batch; returns the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _stateless(self, method: Callable[..., Any], values: Any, *args: Any, **kwargs: Any) -> tuple[Any, list[Any]]:
        variables = self.variables
        if len(values) != len(variables):
            fact = f"{self.name} has {len(variables)} variables, {len(values)} values were given."
            raise ShapeError(fact, where="metric_variables", fix="pass what the variables of an equal metric hold, in their order")
        out, (new,) = functional(method, variables)([list(values)], *args, **kwargs)
        return out, new

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The state after one batch, as a pure function of the values of its variables."""
        return self._stateless(self.update_state, metric_variables, *args, **kwargs)[1]

    def stateless_result(self, metric_variables: Any) -> Any:
        """The result, as a pure function of the values of its variables."""
        return self._stateless(self.result, metric_variables)[0]

    def stateless_reset_state(self) -> list[Any]:
        """The values that its variables have after a reset."""
        return self._stateless(self.reset_state, [v.value for v in self.variables])[1]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def accumulate(variable: Variable, amount: Any, times: Any = 1) -> None:
    """Add to a variable an amount so many times; by the engine's own function where it works eagerly."""
    native = getattr(variable.backend, "accumulate", None)
    if native is None or scope.trace is not None or isinstance(amount, (Spec, Unknown)):
        variable.assign(ops.add(variable.value, amount if times == 1 else ops.multiply(amount, times)))
    else:
        native(variable, amount, times)


class BuiltinMetric(Metric, order=("name", "dtype")):
    """A metric of ours: name and dtype come last among its arguments."""


class Mean(BuiltinMetric, name="mean"):
    """The (weighted) mean of the values.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> mean = keras.metrics.Mean()
    >>> mean.update_state([1.0, 3.0]); mean.update_state([5.0, 7.0]); float(mean.result())
    4.0
    >>> mean.reset_state(); mean.update_state([1.0, 3.0], sample_weight=[3.0, 1.0]); float(mean.result())
    1.5
    """

    counters = ("total", "count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values, each with its weight."""
        values = tensor(values, self.dtype)
        mask = get_mask(values)
        inner = size_of(values.shape[1:])  # a sample counts once, whatever the number of its values
        if sample_weight is None and mask is None:
            total, count = (ops.sum(values), values.shape[0]) if len(values.shape) else (values, 1)
        elif isinstance(sample_weight, (int, float)) and not len(values.shape):
            accumulate(self.total, values, sample_weight)
            accumulate(self.count, float(sample_weight))
            return
        else:
            weights = masked_weights(values, sample_weight, mask, self.dtype)
            if len(weights.shape) > len(values.shape):
                raise unfit("sample_weight", weights.shape, values)
            weights = ops.broadcast_to(weights, values.shape)
            inner = size_of(values.shape) if mask is None and not ops.shape(sample_weight) else inner
            total, count = ops.sum(ops.multiply(values, weights)), ops.sum(weights)
            count = count if inner == 1 else ops.true_divide(count, inner or 1)
        accumulate(self.total, total if inner == 1 else ops.true_divide(total, inner or 1))
        accumulate(self.count, count)

    def result(self) -> Any:
        """The mean; 0 of nothing."""
        return ops.divide_no_nan(self.total, self.count)


class Sum(BuiltinMetric, name="sum"):
    """The (weighted) sum of the values.

    Args:
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.

    Example:

    >>> import keraunos as keras
    >>> total = keras.metrics.Sum()
    >>> total.update_state([1.0, 3.0]); total.update_state([5.0]); float(total.result())
    9.0
    """

    counters = ("total",)

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values, each times its weight."""
        values = tensor(values, self.dtype)
        mask = get_mask(values)
        if sample_weight is not None or mask is not None:
            values = ops.multiply(values, masked_weights(values, sample_weight, mask, self.dtype))
        accumulate(self.total, ops.sum(values))

    def result(self) -> Any:
        """The sum."""
        return self.total.value


class MeanMetricWrapper(Mean):
    """The mean of a function of targets and predictions.

    Args:
        fn: A function of `(y_true, y_pred, **kwargs)` that gives a value for each sample.
        name: Its name in logs.
        dtype: The dtype that it is accumulated in.
        kwargs: Further arguments of the function.

    Example:

    >>> import keraunos as keras
    >>> def within(y_true, y_pred, distance):
    ...     return keras.ops.cast(keras.ops.abs(y_true - y_pred) < distance, "float32")
    >>> metric = keras.metrics.MeanMetricWrapper(within, name="close", distance=0.2)
    >>> float(metric(keras.ops.array([1.0, 2.0]), keras.ops.array([1.1, 3.0])))
    0.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name=name, dtype=dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch of targets and predictions."""
        mask = get_mask(y_pred)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if mask is not None:
            sample_weight = masked_weights(values, sample_weight, mask, self.dtype)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        if type(self) is not MeanMetricWrapper:
            return super().get_config()
        return {"name": self.name, "dtype": self.dtype, "fn": serialize_keras_object(self._fn), **self._fn_kwargs}


class FunctionMetric(MeanMetricWrapper, order=("name", "dtype")):
    """The mean of one of our functions; its further arguments follow name and dtype."""

    own_first = False

    def setup(self) -> None:
        """Bind the function's arguments."""
        super().setup()
        self._fn, self._fn_kwargs = self.function, {name: getattr(self, name) for name in self.arguments}
