"""Scopes of Keras: what holds for the variables that are read and assigned, and for the layers that are made, in a block."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from typing import Any

from keraunos.core import dtypes, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, one_of
from keraunos.core.functional import Trace, remat
from keraunos.core.scope import within
from keraunos.core.spec import Spec, known
from keraunos.core.variable import Variable


class _Entered:
    """A scope that may be entered as a context manager, once at a time."""

    _block: Any = None

    def _settings(self) -> dict[str, Any]:
        """What holds for the thread in the block."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._block = contextlib.ExitStack()
        self._block.enter_context(within(**self._settings()))
        return self

    def __exit__(self, *error: Any) -> None:
        self._block.close()


class StatelessScope(_Entered):
    """A block in which variables have given values, and assignments are noted in place of being made.

    Args:
        state_mapping: Pairs of a variable and its value.
        collect_losses: Whether losses that layers add are kept in `losses`.
        initialize_variables: Accepted for Keras; variables are initialised when they are made.

    Raises:
        ArgumentTypeError: What is mapped is no variable.
        ShapeError: A value does not have its variable's shape.

    Example:

    >>> import keraunos as keras
    >>> v = keras.Variable(1.0)
    >>> with keras.StatelessScope([(v, keras.ops.convert_to_tensor(5.0))]) as scope:
    ...     v.assign(v + 1)
    >>> float(scope.get_current_value(v)), float(v)
    (6.0, 1.0)
    """

    def __init__(self, state_mapping: Iterable[tuple[Any, Any]] | None = None, collect_losses: bool = False, initialize_variables: bool = True):
        self.collect_losses, self.initialize_variables = collect_losses, initialize_variables
        self.losses: list[Any] = []
        self._variables, self._values = [], []
        self._trace: Any = None
        for variable, value in state_mapping or ():
            if not isinstance(variable, Variable):
                raise ArgumentTypeError("state_mapping needs pairs of a variable and a value.", where="StatelessScope", received=type(variable).__name__)
            value = value.value if isinstance(value, Variable) else value
            if not isinstance(value, Spec):
                engine = variable.backend
                value = engine.cast(value if engine.is_tensor(value) else engine.array(value), variable.dtype)
            variable._check(value.shape)
            self._variables.append(variable)
            self._values.append(value)

    def _settings(self) -> dict[str, Any]:
        self._trace = Trace(self._variables, self._values)
        return {"trace": self._trace, "stateless": self}

    def add_loss(self, loss: Any) -> None:
        """Keep a loss."""
        self.losses.append(loss)

    def add_update(self, update: tuple[Any, Any]) -> None:
        """Note a new value of a variable, a pair of both."""
        variable, value = update
        self._trace.write(variable, value)

    def get_current_value(self, variable: Any) -> Any:
        """The value that the variable has in the scope; None if it was neither mapped nor assigned."""
        return None if self._trace is None else self._trace.values.get(id(variable))


class SymbolicScope(_Entered):
    """A block in which only shapes and dtypes are worked out: variables are not assigned, nor losses added.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.BatchNormalization()
    >>> layer.build((None, 3))
    >>> with keras.SymbolicScope():
    ...     x = layer(keras.KerasTensor((8, 3)), training=True)
    >>> layer.moving_mean.numpy().tolist()
    [0.0, 0.0, 0.0]
    """

    def _settings(self) -> dict[str, Any]:
        return {"symbolic": True}


class RematScope(_Entered):
    """A block in which layers are made that are run again for their gradients, in place of keeping what they computed.

    The numbers are the same, also on PyTensor and NumPy, where layers run as they are (see `remat`).

    Args:
        mode: "full": each layer. "activations": only the activation functions of layers. "larger_than": layers whose output has more
            elements than `output_size_threshold`. "list_of_layers": those named. None: no layer, within an outer scope.
        output_size_threshold: Elements of one sample's output, for "larger_than".
        layer_names: For "list_of_layers".

    Raises:
        ArgumentError: There is no such mode, or `layer_names` is lacking.

    Example:

    >>> import keraunos as keras
    >>> with keras.RematScope():
    ...     layer = keras.layers.Dense(2)
    """

    def __init__(self, mode: str | None = "full", output_size_threshold: int = 1024, layer_names: Iterable[str] | None = None):
        if mode is not None:
            one_of("mode", mode, ("full", "activations", "larger_than", "list_of_layers"))
        if mode == "list_of_layers" and not layer_names:
            raise ArgumentError("The mode 'list_of_layers' needs layer_names.", where="RematScope", fix="layer_names=['dense', …]")
        self.mode, self.output_size_threshold, self.layer_names = mode, output_size_threshold, frozenset(layer_names or ())

    def _settings(self) -> dict[str, Any]:
        return {"remat": self}

    def call_of(self, layer: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function of a layer that was made in the scope."""
        if self.mode == "full" or (self.mode == "list_of_layers" and layer.name in self.layer_names):
            return remat(function)
        return self._by_size(layer, function) if self.mode == "larger_than" else function

    def _by_size(self, layer: Any, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            specs = tree.map_structure(lambda x: Spec(x.shape, dtypes.standardize_dtype(x.dtype)) if hasattr(x, "shape") else x, args)
            outputs = tree.flatten(layer.compute_output_spec(*specs, **kwargs))
            largest = max((math.prod(x.shape[1:]) for x in outputs if x is not None and known(x.shape[1:])), default=0)
            return (remat(function) if largest > self.output_size_threshold else function)(*args, **kwargs)

        return call

    def activation_of(self, layer: Any) -> Any:
        """The activation of a layer that was made in the scope."""
        activation = layer.__dict__.get("activation")
        return remat(activation) if self.mode == "activations" and callable(activation) else activation
