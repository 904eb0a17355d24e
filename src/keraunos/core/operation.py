"""`Operation`: a computation without weights that can stand in the graph of a model; the base of `Layer`, and of users' own."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, BackendError, StateError
from keraunos.core.fields import Declared
from keraunos.core.graph import KerasTensor, record, strip
from keraunos.core.names import auto_name, to_snake_case
from keraunos.core.op import spec_of
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec


class Operation(Declared):
    """A computation without weights that can stand in the graph of a model.

    A subclass declares its arguments as annotated fields, or defines `__init__` as in Keras. It defines `call`, and `compute_output_spec`
    too where `call` uses functions of an engine's own in place of `keraunos.ops`. Its config is what it was made with.

    Args:
        name: Its name; made from the class's otherwise.

    Example:

    >>> import keraunos as keras
    >>> class Scale(keras.Operation):
    ...     def __init__(self, factor, name=None):
    ...         super().__init__(name=name)
    ...         self.factor = factor
    ...     def call(self, x):
    ...         return self.factor * x
    >>> x = keras.Input((3,))
    >>> keras.Model(x, Scale(2.0)(x)).predict(keras.ops.ones((1, 3)), verbose=0).tolist()
    [[2.0, 2.0, 2.0]]
    """

    base_arguments: ClassVar[tuple[str, ...]] = ("name",)

    if TYPE_CHECKING:
        name: Any = None
        nodes: ClassVar[Any]  # so that type checkers take them for no arguments
        _remat: ClassVar[Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        self = super().__new__(cls, *args, **kwargs)
        self.__dict__.update(nodes=[], _remat=scope.remat)
        return self

    def __init__(self, name: str | None = None):
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ArgumentError(f"A name must be a string without '/', got {name!r}.", where=type(self).__name__)
        self.name = name or auto_name(to_snake_case(type(self).__name__))

    def start(self, **kwargs: Any) -> None:
        Operation.__init__(self, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flat = tree.flatten((args, kwargs))
        if any(isinstance(x, KerasTensor) and x.record_history for x in flat):
            return self.symbolic_call(*args, **kwargs)
        if any(isinstance(x, Spec) for x in flat):
            return self.compute_output_spec(*args, **kwargs)
        return self.rematerialized_call(self.call, *args, **kwargs)(*args, **kwargs)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The result for tensors; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} must define call.")

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic tensors that a call on symbolic tensors gives; the graph keeps the call."""
        return record(self, args, kwargs, self.compute_output_spec(*args, **kwargs))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The shapes and dtypes of the result: `call`, run on those of the arguments, if a subclass does not say."""
        args, kwargs = strip((args, kwargs))
        with within(symbolic=True):
            return tree.map_structure(spec_of, self.call(*args, **kwargs))

    def rematerialized_call(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """`fn` as the `RematScope` that the operation was made in has it: run again for its gradient, or as it is."""
        return fn if self._remat is None else self._remat.call_of(self, fn)

    def quantized_call(self, *args: Any, **kwargs: Any) -> Any:
        """The result in few bits; a subclass that has such a form defines it.

        Raises:
            BackendError: It has none.
        """
        raise BackendError(f"{type(self).__name__} has no quantized form.", where=self.name, fix="quantize layers that have one, such as Dense and EinsumDense")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal operation."""
        config, parameters = super().get_config(), inspect.signature(type(self).__init__).parameters
        named = "name" in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        return {"name": self.name, **{key: value for key, value in config.items() if key != "name"}} if named else config

    # ---- graph ----
    @property
    def input(self) -> Any:
        """The symbolic input of the only call in a graph."""
        return self._only_node().args[0]

    @property
    def output(self) -> Any:
        """The symbolic output of the only call in a graph."""
        return self._only_node().structure

    def _only_node(self) -> Any:
        if len(self.nodes) != 1:
            fix = "use it in one model, or keep the tensors that its calls returned"
            raise StateError(f"'{self.name}' was called {len(self.nodes)} times on symbolic tensors.", where=self.name, fix=fix)
        return self.nodes[0]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


Operation.__init__.declared = True  # type: ignore[attr-defined]  # so that a class without fields gets one that is made, too
