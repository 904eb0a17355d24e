"""Functions of JAX, and modules of Flax, as layers."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.fields import Unsupported
from keraunos.core.variable import Variable
from keraunos.layers.native import Native
from keraunos.layers.weights import map_shapes
from keraunos.random import SeedGenerator


class JaxLayer(Native):
    """A pure function of JAX as a layer of a model on the jax engine.

    Args:
        call_fn: `call_fn(params, state, rng, inputs, training)`, with those of these arguments that it needs, `inputs` at least, by these names. It
            returns the outputs, or with `state` the outputs and the new state.
        init_fn: `init_fn(rng, inputs, training)`, with those of these arguments that it needs: the parameters, the state, or a pair of both, as
            `call_fn` takes them.
        params: The parameters, any structure that JAX knows, in place of `init_fn`.
        state: The state that no gradients change, likewise.
        seed: Where the random numbers begin.
        native_serialization_platforms: Not supported: it is for files of TensorFlow.

    Raises:
        BackendError: The engine is not jax.
        ArgumentError: A function takes other arguments, or nothing tells how the parameters begin.

    Example:

    >>> import keraunos as keras, jax
    >>> def call(params, inputs):
    ...     return jax.numpy.tanh(inputs @ params["w"])
    >>> def init(rng, inputs):
    ...     return {"w": jax.random.normal(rng, (inputs.shape[-1], 3))}
    >>> with keras.backend_scope("jax"):
    ...     model = keras.Sequential([keras.Input((4,)), keras.layers.JaxLayer(call, init)])
    >>> model.output_shape, model.count_params()
    ((None, 3), 12)
    """

    engine, needs = "jax", "flatten_native"
    unsaved: ClassVar[tuple[str, ...]] = ("params", "state", "seed")
    call_fn: Any
    init_fn: Any = None
    params: Any = None
    state: Any = None
    seed: Any = None
    native_serialization_platforms: Unsupported = None

    def setup(self) -> None:
        self._takes = self._arguments_of("call_fn", self.call_fn, ("params", "state", "rng", "inputs", "training"))
        if "inputs" not in self._takes:
            raise ArgumentError("call_fn must take an argument `inputs`.", where=self.name, received=f"call_fn({', '.join(self._takes)})")
        self._starts = self._arguments_of("init_fn", self.init_fn, ("rng", "inputs", "training")) if self.init_fn is not None else []
        self._parts: dict[str, tuple[list[Variable], Any]] = {}
        given = {name: getattr(self, name) for name in ("params", "state") if name in self._takes}
        lacking = [name for name, value in given.items() if value is None]
        if lacking and self.init_fn is None:
            raise ArgumentError(f"call_fn takes `{lacking[0]}`, and nothing tells how it begins.", where=self.name, fix=f"pass init_fn=…, or {lacking[0]}=…")
        self._lacking = lacking
        for name, value in given.items():
            if value is not None:
                self._hold(name, value)
        self.params = self.state = None  # the variables hold them now
        if "rng" in (*self._takes, *self._starts):
            self._seeds = self.seed if isinstance(self.seed, SeedGenerator) else SeedGenerator(self.seed)

    def _arguments_of(self, argument: str, function: Any, known: tuple[str, ...]) -> list[str]:
        """The names of the arguments that a function takes, which must be known ones."""
        if not callable(function):
            raise ArgumentTypeError(f"{argument} must be a function.", where=self.name, received=type(function).__name__)
        names = list(inspect.signature(function).parameters)
        if wrong := [name for name in names if name not in known]:
            raise ArgumentError(f"{argument} takes an argument '{wrong[0]}'.", where=self.name, expected=", ".join(known))
        return names

    def _hold(self, name: str, value: Any) -> None:
        """Make variables of the leaves of a structure."""
        leaves, paths, structure = self._function("flatten_native")(value)
        variables = [self.hold(self._backend.array(leaf), name == "params", path or name) for leaf, path in zip(leaves, paths, strict=True)]
        self._parts[name] = variables, structure

    def build(self, input_shape: Any) -> None:
        if not self._lacking:
            return
        inputs = map_shapes(lambda shape: ops.ones([1 if d is None else d for d in shape], self.compute_dtype), input_shape)
        given = {"inputs": inputs, "training": True, "rng": self._seeds.next() if "rng" in self._starts else None}
        made = self.init_fn(**{name: given[name] for name in self._starts})
        both = "params" in self._takes and "state" in self._takes
        if both and (not isinstance(made, (tuple, list)) or len(made) != 2):
            raise ArgumentError("init_fn must return a pair, the parameters and the state.", where=self.name, received=type(made).__name__)
        values: dict[str, Any] = dict(zip(("params", "state"), made, strict=True)) if both else {"params": made, "state": made}
        for name in self._lacking:
            self._hold(name, values[name])

    def call(self, inputs: Any, training: bool = False) -> Any:
        given: dict[str, Any] = {"inputs": inputs, "training": bool(training)}
        for name, (variables, structure) in self._parts.items():
            given[name] = self._function("unflatten_native")(structure, [v.value for v in variables])
        if "rng" in self._takes:
            given["rng"] = self._seeds.next()
        outputs = self.call_fn(**{name: given[name] for name in self._takes})
        if "state" not in self._takes:
            return outputs
        if not isinstance(outputs, (tuple, list)) or len(outputs) != 2:
            raise ArgumentError("call_fn must return a pair, the outputs and the new state.", where=self.name, received=type(outputs).__name__)
        outputs, state = outputs
        leaves, _, structure = self._function("flatten_native")(state)
        variables, former = self._parts["state"]
        if structure != former:
            raise ShapeError("call_fn must return a state of the structure that it was given.", where=self.name, received=structure, expected=former)
        for variable, leaf in zip(variables, leaves, strict=True):
            variable.assign(leaf)
        return outputs
