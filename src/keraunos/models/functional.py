"""`Functional`: a model of the graph between symbolic tensors."""

from __future__ import annotations

import collections
from typing import Any, cast

import numpy as np

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError, ShapeError, StateError, nearest
from keraunos.core.graph import KerasTensor, Node, Operation, strip
from keraunos.core.scope import scope
from keraunos.core.spec import OPERATORS, Spec, same_dim, show
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.graph import by_depth, nodes_between, run, split_at_host
from keraunos.models.model import Model
from keraunos.training.compiled import names_of


class GraphModel(Model):
    """A model that runs a graph; the base of `Functional`, and of `Sequential`, which has its graph once its input is known."""

    inputs = outputs = _inputs_structure = _outputs_structure = _names = cast(Any, None)  # not fields
    _order = cast(Any, ())

    def _take(self, inputs: Any, outputs: Any) -> None:
        """Take the graph between symbolic inputs and outputs for the model's own."""
        flat = tree.flatten(inputs)
        if len({id(x) for x in flat}) != len(flat):
            raise ArgumentError("An input is named twice.", where=self.name, fix="name each once in inputs=")
        self._inputs_structure, self._outputs_structure = inputs, outputs
        self.inputs, self.outputs = flat, tree.flatten(outputs)
        self._entries = [_entry(x) for x in flat]
        self._names = [entry.operation.name for entry in self._entries]
        sources = {id(x): node for x, node in zip(flat, self._entries, strict=True)}
        self._order, met = nodes_between(sources, self.outputs)
        self._split = split_at_host(self._order, flat, self.outputs)
        self.operations = by_depth(sources, self._order, met)
        self._layers = [o for o in self.operations if isinstance(o, Layer)]
        name, count = collections.Counter(layer.name for layer in self._layers).most_common(1)[0]
        if count > 1:
            raise ArgumentError(f"Two layers of the model are called '{name}'.", where=self.name, fix="give each its own name=")
        self._built()
        self.__dict__.pop("_programs", None)

    def _end(self, structure: Any) -> Any:
        if structure is None:
            fact = f"The model '{self.name}' is not built, so it has no input."
            raise StateError(fact, fix="begin it with keras.Input(shape), or call build((None, …))", code="KR404")
        return structure

    @property
    def layers(self) -> list[Layer]:
        """The layers, those farthest from the outputs first, as in Keras."""
        return list(self._layers)

    @property
    def input(self) -> Any:
        """The symbolic inputs, in their structure."""
        return self._end(self._inputs_structure)

    @property
    def output(self) -> Any:
        """The symbolic outputs, in their structure."""
        return self._end(self._outputs_structure)

    @property
    def input_shape(self) -> Any:
        """The shapes of the inputs."""
        return tree.map_structure(lambda x: x.shape, self.input)

    @property
    def output_shape(self) -> Any:
        """The shapes of the outputs."""
        return tree.map_structure(lambda x: x.shape, self.output)

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return list(self._end(self._names))

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: of the layers that they come from, or the keys of dicts."""
        return names_of(self.output, [x.node.operation.name if x.node is not None else x.name for x in self.outputs])

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        values = self._match(inputs)
        if scope.symbolic or any(isinstance(x, Spec) for x in values):
            values = [strip(v) for v in values]
        if scope.prepared is self and self._split is not None:
            return run(self._split.rest, self._split.cut, self._outputs_structure, values)
        return run(self._order, self.inputs, self._outputs_structure, values)

    # ---- layers that run on the host ----
    def _preparing(self, training: bool = False) -> Any:
        if self._split is None:
            return None
        stuck = next((n.operation for n in self._split.first if training and getattr(n.operation, "trainable_weights", None)), None)
        if stuck is not None:
            fact = f"'{stuck.name}' cannot be trained: a layer in or behind it runs on the host, which gives no gradients."
            raise StateError(fact, where=self.name, fix=f"let that layer take its data from an Input of this model, or set {stuck.name}.trainable = False")
        return self._prepared

    def _prepared(self, x: Any) -> Any:
        """What the engine's part of the graph takes, for data of the user's."""
        found = run(self._split.first, self.inputs, self._split.cut, self._match(x))
        arrays = [None if value is None else np.asarray(self._backend.to_numpy(value)) for value in found]
        if any(a is not None and a.dtype.kind in "OSTU" for a in arrays):
            raise DataError("The model gives text, which no engine has.", where=self.name, fix="call it: model(x)")
        return arrays[0] if len(arrays) == 1 else arrays

    def _match(self, inputs: Any) -> list[Any]:
        """The data in the order of the inputs; dicts are matched by name."""
        if scope.prepared is self and self._split is not None:
            return tree.flatten(inputs)
        names, values = self._names, tree.flatten(inputs)
        if isinstance(inputs, dict):
            names = sorted(self._inputs_structure) if isinstance(self._inputs_structure, dict) else names
            values = tree.flatten([inputs.get(name) for name in names])
            missing = [name for name, symbol in zip(names, self.inputs, strict=False) if name not in inputs and not symbol.optional]
            if missing:
                received, expected = (", ".join(map(repr, keys)) for keys in (list(inputs)[:8], names))
                near = nearest(missing[0], [key for key in map(str, inputs) if key not in names])
                fix = f"Did you mean '{missing[0]}' by '{near}'?" if near else f"add {missing[0]!r}: … to the dict"
                raise DataError(f"The inputs have no '{missing[0]}'.", where=self.name, received=f"keys {received}", expected=f"keys {expected}", fix=fix)
        if len(values) != len(self.inputs):
            fact = f"The model '{self.name}' takes {len(self.inputs)} inputs, {len(values)} were given."
            raise DataError(fact, where=self.name, expected=", ".join(self._names), fix="pass a list of arrays, or a dict by name")
        return [self._fit(x, symbol, name) for x, symbol, name in zip(values, self.inputs, self._names, strict=True)]

    def _fit(self, x: Any, symbol: KerasTensor, name: str) -> Any:
        """Data that lacks a last axis of size 1, or has one too many, is brought to the input's rank."""
        if x is None:
            return x
        shape: Any = tuple(x.shape)
        wanted: Any = symbol._shape
        if 2 <= len(shape) == len(wanted) - 1 and shape == wanted[1:] and shape[1:] != wanted[1:-1]:  # ranks first: a trace keeps every comparison of its sizes
            fact, fix = "x is one sample, not a batch.", "x[None] makes a batch of one sample; the shape that Input takes is a sample's, without the batch"
            raise ShapeError(fact, where=f"input '{name}'", received=show(shape), expected=show(wanted), fix=fix)
        if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
            return x[..., None] if isinstance(x, np.ndarray) else OPERATORS["expand_dims"](x, -1)
        if len(shape) == len(wanted) + 1 and shape[-1] == 1:
            return x[..., 0] if isinstance(x, np.ndarray) else OPERATORS["squeeze"](x, -1)
        if len(shape) == len(wanted) and all(map(same_dim, shape[1:], wanted[1:])):
            return x
        if len(shape) == len(wanted) == 2:
            consumer = next((n.operation for n in self._order if any(x is symbol for x in n.inputs)), None)
            who = f"'{consumer.name}' was built for {wanted[-1]}" if consumer is not None else f"the model expects {wanted[-1]}"
            fix = f"pass {wanted[-1]} features, or make the model with Input(({shape[-1]},))"
            raise ShapeError(f"x has {shape[-1]} features; {who}.", where=f"input '{name}'", received=show(shape), expected=show(wanted), fix=fix, code="KR101")
        fix = "add the channels axis: x[..., None]" if len(shape) == len(wanted) - 1 and len(wanted) > 2 else f"Input(shape={show(shape[1:])})"
        fact = f"The data does not fit the input '{name}'."
        if shape == wanted[1:]:
            fact, fix = "x is one sample, not a batch.", "x[None] makes a batch of one sample; the shape that Input takes is a sample's, without the batch"
        elif len(shape) + 1 == len(wanted) and wanted[2:] == shape[1:]:
            fix = f"Input takes the shape of one sample, without the batch: Input({show(shape[1:])})"
        elif len(shape) == len(wanted) > 3 and shape[1:] == (wanted[-1], *wanted[1:-1]):
            fix = "x has its channels first, the model is channels_last: np.moveaxis(x, 1, -1)"
        elif len(shape) == len(wanted) > 3 and shape[1:-1] == wanted[1:-1]:
            fix = f"the images have {shape[-1]} channels: make the model with Input({show(shape[1:])}), or convert them to {wanted[-1]} channels"
        received, expected = (f"a sample of shape {show(s[1:])}" for s in (shape, wanted))
        raise ShapeError(fact, where=f"input '{name}'", received=received, expected=expected, fix=fix)


def _entry(x: KerasTensor) -> Node:
    """The node of an input; a new one for a tensor in the midst of a larger graph."""
    return x.node if x.node is not None and not x.node.inputs else InputLayer(batch_shape=x.shape, dtype=x.dtype, name=x.name).nodes[0]


class Functional(GraphModel):
    """A model of the graph between symbolic tensors; `Model(inputs, outputs)` makes one.

    Args:
        inputs: The symbolic inputs, one, a list or a dict.
        outputs: The symbolic outputs, likewise.
        name: The model's name.

    Raises:
        ArgumentError: They are not symbolic tensors, an input is named twice, or two layers have one name.
        StateError: An output cannot be computed from the inputs.

    Example:

    >>> import keraunos as keras
    >>> x = keras.Input((4,), name="x")
    >>> hidden = keras.layers.Dense(8, activation="relu")(x)
    >>> model = keras.Model(x, {"price": keras.layers.Dense(1)(hidden), "kind": keras.layers.Dense(3)(hidden)})
    >>> type(model).__name__, model.output_shape
    ('Functional', {'price': (None, 1), 'kind': (None, 3)})
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        Layer.__init__(self, name=name, **kwargs)
        for kind, structure in (("inputs", inputs), ("outputs", outputs)):
            wrong = {type(x).__name__ for x in tree.flatten(structure) or [None] if not isinstance(x, KerasTensor)}
            if wrong:
                fix = "make them with keras.Input and by calling layers"
                raise ArgumentError(f"The {kind} of a model are symbolic tensors.", where=self.name, received=", ".join(sorted(wrong)), fix=fix)
        self._take(inputs, outputs)

    # ---- config, in Keras's form ----
    def get_config(self) -> dict[str, Any]:
        """The graph as JSON-ready values; a subclass with its own `__init__` gives its arguments."""
        if type(self) is not Functional and self.is_captured():
            return super().get_config()
        from keraunos.models.config import functional_config

        return functional_config(self)


class Function(Operation):
    """The computation between symbolic tensors, without a model's methods.

    Args:
        inputs: The symbolic inputs.
        outputs: The symbolic outputs.
        name: Its name.

    Raises:
        StateError: An output cannot be computed from the inputs.

    Example:

    >>> import keraunos as keras
    >>> x, y = keras.Input((2,)), keras.Input((2,))
    >>> function = keras.Function([x, y], keras.ops.sum(x * y, axis=-1))
    >>> keras.ops.convert_to_numpy(function([keras.ops.array([[1.0, 2.0]]), keras.ops.array([[3.0, 4.0]])])).tolist()
    [11.0]
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None):
        self.inputs, self.outputs = tree.flatten(inputs), tree.flatten(outputs)
        self._structure = outputs
        self._order, _ = nodes_between({id(x): _entry(x) for x in self.inputs}, self.outputs)
        super().__init__(self.call, name or "function")

    def call(self, inputs: Any) -> Any:
        """The outputs for `inputs`."""
        values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise StateError(f"The function takes {len(self.inputs)} inputs, {len(values)} were given.", where="Function")
        return run(self._order, self.inputs, self._structure, values)
