"""`Layer`: state and computation; the base of every layer and model."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from keraunos import dtype_policies, regularizers
from keraunos.core import config
from keraunos.core.errors import ArgumentError, BackendError
from keraunos.core.fields import _unknown
from keraunos.core.functional import functional
from keraunos.core.names import auto_name, scoped, to_snake_case
from keraunos.core.operation import Operation
from keraunos.core.scope import within
from keraunos.core.serialization import deserialize_value, serialize_value
from keraunos.layers.calling import Callable_


class _Arguments(Operation, kw_only=True):
    """What every layer takes by name, for type checkers, and has before `__init__` runs; not in `Layer`, whose signature is that of its `__init__`."""

    if TYPE_CHECKING:
        activity_regularizer: Any = None
        trainable: Any = True
        dtype: Any = None
        autocast: bool = True
        name: Any = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        self.__dict__.update(_backend=config.active(), _policy=dtype_policies.dtype_policy().of(""), _losses=[], _lossy=[], _name=None)
        return self


_IDENTITY = {"name": "name", "trainable": "trainable", "dtype": "dtype_policy"}  # attributes by what configs call them


class Layer(Callable_, _Arguments):
    """State and computation: variables, made in `build`, and a function, `call`.

    A subclass declares its arguments as annotated fields, or defines `__init__` as in Keras.

    Args:
        activity_regularizer: A function of the output whose value is added to the loss.
        trainable: Whether training changes its variables.
        dtype: A dtype or a dtype policy.
        autocast: Whether float inputs are converted to the compute dtype.
        name: Its name; made from the class's otherwise.

    Example:

    >>> import keraunos as keras
    >>> class Scale(keras.layers.Layer):
    ...     factor: float = 2.0
    ...     def build(self, input_shape):
    ...         self.offset = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return self.factor * inputs + self.offset
    >>> keras.ops.convert_to_numpy(Scale(3.0)(keras.ops.ones((1, 2)))).tolist()
    [[4.0, 4.0]]
    """

    base_arguments: ClassVar[tuple[str, ...]] = ("activity_regularizer", "trainable", "dtype", "autocast", "name", "input_shape", "batch_size", "input_dim")

    def __init__(self, *, activity_regularizer: Any = None, trainable: bool = True, dtype: Any = None, autocast: bool = True, name: str | None = None,
                 **kwargs: Any):  # fmt: skip
        input_shape, batch_size, input_dim = (kwargs.pop(name, None) for name in ("input_shape", "batch_size", "input_dim"))
        _unknown(type(self), kwargs)
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ArgumentError(f"A layer's name must be a string without '/', got {name!r}.", where=type(self).__name__)
        self._name = name or auto_name(to_snake_case(type(self).__name__))
        self._take_policy(dtype)
        self._trainable = bool(trainable)
        self.autocast = autocast
        if input_shape is not None or input_dim is not None:  # Keras 2's ways of naming the input of a Sequential
            self._input_shape_argument = (batch_size, *((input_dim,) if input_shape is None else input_shape))
        if activity_regularizer is not None:
            self.activity_regularizer = regularizers.get(activity_regularizer)

    def start(self, **kwargs: Any) -> None:
        Layer.__init__(self, **kwargs)

    # ---- identity ----
    @property
    def name(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The layer's name."""
        if self._name is None:
            self._name = auto_name(to_snake_case(type(self).__name__))
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name, self._path = value, None

    @property
    def path(self) -> str:
        """The names of the layers that it was built in, and its own."""
        return self._path or self.name

    @property
    def dtype_policy(self) -> Any:
        """In which dtype it computes, and in which it keeps its variables."""
        return self._policy if self._policies is None else self._policies

    @dtype_policy.setter
    def dtype_policy(self, value: Any) -> None:
        self._take_policy(value)
        self._plain = self._plain and not self._policy.is_mixed

    def _take_policy(self, dtype: Any) -> None:
        policy = dtype_policies.get(dtype)
        self._policies = policy if isinstance(policy, dtype_policies.DTypePolicyMap) else None
        self._policy = policy.of(self.path)

    @property
    def dtype(self) -> str:
        """The dtype of its variables."""
        return self._policy.variable_dtype

    variable_dtype = dtype  # pyright: ignore[reportAssignmentType]

    @property
    def compute_dtype(self) -> str:
        """The dtype of its computations."""
        return self._policy.compute_dtype

    input_dtype = compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """None: the layer is not quantized."""
        return self._policy.quantization_mode

    # ---- pure form ----
    def stateless_call(self, trainable_variables: Any, non_trainable_variables: Any, *args: Any, return_losses: bool = False, **kwargs: Any) -> Any:
        """Call the layer as a pure function of its variables' values.

        Returns:
            `(outputs, new non-trainable values)`, and the losses if `return_losses`.

        Raises:
            ArgumentError: There are more or fewer values than variables.
        """
        given = {"trainable_variables": trainable_variables, "non_trainable_variables": non_trainable_variables}
        for name, values in given.items():
            if len(values) != (count := len(getattr(self, name))):
                fix = f"[v.value for v in layer.{name}]"
                raise ArgumentError(f"stateless_call takes a value for each variable: {len(values)} for {count}.", where=f"{self.name}, {name}", fix=fix)

        def run() -> Any:
            outputs = self(*args, **kwargs)
            return outputs, (list(self.losses) if return_losses else None)

        pure = functional(run, self.trainable_variables, self.non_trainable_variables)
        (outputs, losses), (_, new) = pure((list(trainable_variables), list(non_trainable_variables)))
        return (outputs, new, losses) if return_losses else (outputs, new)

    def add_metric(self, *args: Any, **kwargs: Any) -> None:
        """What Keras 2 had; metrics are made in `__init__` and updated in `call`.

        Raises:
            BackendError: Always.
        """
        fix = "self.metric = keras.metrics.Mean(name=…) in __init__, self.metric.update_state(value) in call; or compile(metrics=[…])"
        raise BackendError("Layers have no add_metric: they hold metrics as attributes.", where=self.name, fix=fix)

    # ---- config ----
    def _config_with(self, **changed: Any) -> dict[str, Any]:
        """The arguments without `trainable`, of layers of which Keras would not read it."""
        return {name: value for name, value in Layer.get_config(self).items() if name != "trainable"} | changed

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        base = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policies.serialize(self.dtype_policy)}
        if self.activity_regularizer is not None:
            base["activity_regularizer"] = serialize_value(self.activity_regularizer)
        return {**base, **super().get_config(), **base}  # what a handwritten `__init__` was called with may hold no longer

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result."""
        with within(names=scoped(config.get("name") or "")):  # layers among them are built as they were in this one
            config = {key: deserialize_value(value) for key, value in config.items()}
        declared = getattr(cls.__init__, "declared", False)
        if declared:  # what other versions of Keras write, and is off
            known = {*cls.fields, *cls.base_arguments}
            config = {key: value for key, value in config.items() if key in known or (value is not None and value is not False)}
        parameters = inspect.signature(cls.__init__).parameters
        open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        later = {name: config.pop(key) for key, name in _IDENTITY.items() if key in config and key not in parameters and not open_ended}
        try:
            made = cls(**config)
            for name, value in later.items():
                setattr(made, name, value)
            return made
        except TypeError as error:
            if declared:
                raise
            fix = "let __init__ take **kwargs and pass them to super().__init__, or define get_config and from_config"
            raise ArgumentError(f"{cls.__name__} could not be made from its config: {error}.", fix=fix) from None

    # ---- pickles ----
    def __reduce__(self) -> Any:
        """For `pickle`: its config, compilation and variables, as files have them; classes and functions of the user's by reference."""
        return importlib.import_module("keraunos.saving.pickling").reduced(self)  # found late, since files stand above layers

    def __copy__(self) -> Any:
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


Layer.__init__.declared = True  # type: ignore[attr-defined]  # so that a class without fields gets one that is made, too
