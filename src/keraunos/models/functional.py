"""`Functional`: a model of the graph between symbolic tensors."""

from __future__ import annotations

from typing import Any

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError, ShapeError, StateError
from keraunos.core.graph import KerasTensor, Node, Operation, strip
from keraunos.core.scope import scope
from keraunos.core.spec import OPERATORS, Spec, same_dim, show
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.graph import by_depth, nodes_between, run
from keraunos.models.model import Model


class Functional(Model):
    """A model of the graph between symbolic tensors; `Model(inputs, outputs)` makes one.

    Args:
        inputs: The symbolic inputs, one, a list or a dict.
        outputs: The symbolic outputs, likewise.
        name: The model's name.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        Layer.__init__(self, name=name, **kwargs)
        for kind, structure in (("inputs", inputs), ("outputs", outputs)):
            wrong = next((x for x in tree.flatten(structure) if not isinstance(x, KerasTensor)), None)
            if wrong is not None or not tree.flatten(structure):
                raise ArgumentError(
                    f"The {kind} of a model are symbolic tensors.",
                    where=self.name,
                    received=type(wrong).__name__,
                    fix="make them with keras.Input and by calling layers",
                )
        self._take(inputs, outputs)
        if type(self) is Functional:
            self.__dict__.pop("_arguments", None)

    def _take(self, inputs: Any, outputs: Any) -> None:
        self._inputs_structure, self._outputs_structure = inputs, outputs
        self.inputs, self.outputs = tree.flatten(inputs), tree.flatten(outputs)
        if len({id(x) for x in self.inputs}) != len(self.inputs):
            raise ArgumentError("An input is named twice.", where=self.name)
        self._order = nodes_between(self.inputs, self.outputs)
        entries = [x.node if x.node is not None and not x.node.inputs else self._entry(x) for x in self.inputs]
        self._entries = entries
        self.operations = by_depth(self._sources(), self._order, self.outputs)
        names: dict[str, Any] = {}
        for operation in self.operations:
            if isinstance(operation, Layer) and operation.name in names:
                raise ArgumentError(f"Two layers of the model are called '{operation.name}'.", where=self.name, fix="give each its own name=")
            names[operation.name] = operation
        self._layers = [o for o in self.operations if isinstance(o, Layer)]
        self._names = [
            x.node.operation.name if x.node is not None and not x.node.inputs else e.operation.name for x, e in zip(self.inputs, entries, strict=True)
        ]
        self._built()

    def _sources(self) -> dict[int, Node]:
        """The nodes of the inputs, by the ids of their tensors."""
        return {id(x): node for x, node in zip(self.inputs, self._entries, strict=True)}

    def _entry(self, x: KerasTensor) -> Node:
        """A node for an input in the midst of a larger graph."""
        return InputLayer(batch_shape=x.shape, dtype=x.dtype, name=x.name).nodes[0]

    @property
    def layers(self) -> list[Layer]:
        """The layers, those farthest from the outputs first, as in Keras."""
        return list(self._layers)

    @property
    def input(self) -> Any:
        """The symbolic inputs, in their structure."""
        return self._inputs_structure

    @property
    def output(self) -> Any:
        """The symbolic outputs, in their structure."""
        return self._outputs_structure

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return tree.map_structure(lambda x: x.shape, self._inputs_structure)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return tree.map_structure(lambda x: x.shape, self._outputs_structure)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: of the layers that they come from, or the keys of a dict."""
        if isinstance(self._outputs_structure, dict):
            return sorted(self._outputs_structure)
        return [x.node.operation.name if x.node is not None else x.name for x in self.outputs]

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return list(self._names)

    def build(self, input_shape: Any = None) -> None:
        """Nothing: a functional model is built when it is made."""

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        values = self._match(inputs)
        if scope.symbolic or any(isinstance(x, Spec) for x in values):
            values = [strip(v) for v in values]
        return run(self._order, self.inputs, self._outputs_structure, values)

    def _match(self, inputs: Any) -> list[Any]:
        """The data in the order of the inputs; dicts are matched by name."""
        if isinstance(inputs, dict):
            keys = sorted(self._inputs_structure) if isinstance(self._inputs_structure, dict) else self._names
            missing = [key for key in keys if key not in inputs]
            if missing and not self._optional(keys.index(missing[0])):
                raise DataError(
                    f"The inputs have no '{missing[0]}'.",
                    where=self.name,
                    received=f"keys {', '.join(map(repr, list(inputs)[:8]))}",
                    expected=f"keys {', '.join(map(repr, keys))}",
                )
            values = [inputs.get(key) for key in keys]
        else:
            values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise DataError(
                f"The model '{self.name}' takes {len(self.inputs)} inputs, {len(values)} were given.",
                expected=", ".join(self._names),
                fix="pass a list of arrays, or a dict by name",
            )
        return [self._fit(x, symbol, name) for x, symbol, name in zip(values, self.inputs, self._names, strict=True)]

    def _optional(self, i: int) -> bool:
        return self.inputs[i].optional

    def _fit(self, x: Any, symbol: KerasTensor, name: str) -> Any:
        """Data that lacks a last axis of size 1, or has one too many, is brought to the input's rank."""
        if x is None:
            return x
        shape, wanted = tuple(x.shape), symbol._shape
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            x = OPERATORS["expand_dims"](x, -1)
        elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
            x = OPERATORS["squeeze"](x, -1)
        elif len(shape) != len(wanted) or not all(map(same_dim, shape[1:], wanted[1:])):
            raise self._misfit(shape, wanted, name, symbol)
        return x

    def _misfit(self, shape: Any, wanted: Any, name: str, symbol: KerasTensor) -> ShapeError:
        consumer = next((n.operation for n in self._order if any(x is symbol for x in n.inputs)), None)
        who = f"'{consumer.name}' was built for {wanted[-1]}" if consumer is not None else f"the model expects {wanted[-1]}"
        if len(shape) == len(wanted) == 2:
            return ShapeError(
                f"x has {shape[-1]} features; {who}.",
                where=f"input '{name}'",
                received=str(show(shape)),
                expected=str(show(wanted)),
                fix=f"pass {wanted[-1]} features, or make the model with Input(({shape[-1]},))",
            )
        fix = "add the channels axis: x[..., None]" if len(shape) == len(wanted) - 1 and len(wanted) > 2 else f"Input(shape={show(shape[1:])})"
        return ShapeError(
            f"The data does not fit the input '{name}'.",
            received=f"a sample of shape {show(shape[1:])}",
            expected=f"a sample of shape {show(wanted[1:])}",
            fix=fix,
        )

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return super().compute_output_spec(*args, **kwargs)

    # ---- config, in Keras's form ----
    def get_config(self) -> dict[str, Any]:
        """The graph as JSON-ready values; a subclass with its own `__init__` gives its arguments."""
        if type(self) is not Functional and self.is_captured():
            return super().get_config()
        from keraunos.models.config import functional_config

        return functional_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make a model from `get_config`'s result."""
        if "input_layers" not in config:
            return super().from_config(config)
        from keraunos.models.config import functional_from_config

        return functional_from_config(cls, config, custom_objects)


class Function(Operation):
    """The computation between symbolic tensors, without a model's methods.

    Args:
        inputs: The symbolic inputs.
        outputs: The symbolic outputs.
        name: Its name.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        self.inputs, self.outputs = tree.flatten(inputs), tree.flatten(outputs)
        self._structure = outputs
        self._order = nodes_between(self.inputs, self.outputs)
        super().__init__(self.call, name or "function")

    def call(self, inputs: Any) -> Any:
        """The outputs for `inputs`."""
        values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise StateError(f"The function takes {len(self.inputs)} inputs, {len(values)} were given.")
        return run(self._order, self.inputs, self._structure, values)
