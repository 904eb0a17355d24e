"""`Sequential`: layers one after another."""

from __future__ import annotations

import itertools
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.core.graph import KerasTensor
from keraunos.core.names import scoped
from keraunos.core.old_graphs import modern_chain
from keraunos.core.scope import within
from keraunos.core.serialization import custom_object_scope, deserialize_value, serialize_keras_object
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.functional import GraphModel


class Sequential(GraphModel):
    """Layers one after another, each with one input and one output.

    Args:
        layers: The layers; `keras.Input` or an input shape first builds the model at once.
        trainable: Whether training changes them.
        name: The model's name.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    >>> model.count_params()
    49
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None):
        Layer.__init__(self, name=name)
        if isinstance(trainable, Layer):
            raise ArgumentTypeError("Sequential takes its layers as one list.", where=self.name, fix="Sequential([first, second, …])")
        self._layers = []
        for layer in layers if isinstance(layers, (list, tuple)) else [] if layers is None else [layers]:
            self.add(layer, rebuild=False)
        self._connect()
        if not trainable:
            self.trainable = False

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end; with `rebuild=False` the model takes it in when it is next rebuilt."""
        if isinstance(layer, KerasTensor) and layer.node is not None and isinstance(layer.node.operation, InputLayer):
            layer = layer.node.operation
        if isinstance(layer, type) or not callable(layer):
            received, fix = repr(layer)[:40], f"layers.Activation({layer!r})" if isinstance(layer, str) else "pass keras.layers objects"
            if isinstance(layer, type):
                received, fix = f"the class {layer.__name__}", f"{layer.__name__}(…)"
            raise ArgumentTypeError(f"Sequential takes layers, got {received}.", where=self.name, fix=fix)
        if not isinstance(layer, Layer):
            from keraunos.layers.core import Lambda

            layer = Lambda(layer)
        if any(layer.name == other.name for other in self._layers):
            fix = "give each its own name=; for a layer used twice use a functional model"
            raise ArgumentError(f"Two layers are called '{layer.name}'.", where=self.name, fix=fix)
        if not self._layers:
            self._layers += _implied_input(layer)
        elif isinstance(layer, InputLayer):
            fact = "Input must be the first layer."
            raise ArgumentError(fact, where=self.name, received=f"{len(self._layers)} layers before it", fix="Sequential([Input(…), …])")
        self._layers.append(layer)
        if rebuild:
            self._connect()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away, and return it."""
        if not self._layers:
            raise StateError("The model has no layer to take away.", where=self.name)
        layer = self._layers.pop()
        if not self._layers:
            self.inputs = self.outputs = self._inputs_structure = self._outputs_structure = self._names = self._build_config = None
            self.built = self._plain = False
        elif len(self._order) >= len(self._layers):
            self._take(self.input, self._order[-1].args[0])
        return layer

    def _connect(self, entry: Layer | None = None) -> None:
        """Call the layers that are not in the graph yet, each on the output of the one before, if the input is known."""
        chain = self._layers if entry is None else [entry, *self._layers]
        if not chain or not isinstance(chain[0], InputLayer):
            return
        x = self._outputs_structure if self._order else chain[0].output
        for former, layer in itertools.pairwise(chain[len(self._order) :]):
            if not isinstance(x, KerasTensor):
                raise ShapeError(f"The layer '{former.name}' has several outputs; in a Sequential each has one.", where=self.name, fix="use a functional model")
            with within(names=self._place):
                x = layer(x)
            if x is None:
                raise ShapeError(f"The layer '{layer.name}' has no output; in a Sequential each has one.", where=self.name, fix="let its call return a tensor")
        self._take(chain[0].output, x)
        self._build_config = {"input_shape": self.input_shape}

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, `(batch, …)`."""
        if self.inputs is not None:
            return
        if not isinstance(input_shape, (tuple, list)) or any(not isinstance(d, (int, type(None))) for d in input_shape):
            fix = "build((None, 8)); several inputs are for keras.Model([a, b], outputs)"
            raise ShapeError("A Sequential is built for one input shape.", where=self.name, received=repr(input_shape), fix=fix)
        self._connect(InputLayer(batch_shape=tuple(input_shape), dtype=self._data_dtype()))

    def _data_dtype(self) -> str:
        """The dtype of the data, as far as the first layer says."""
        first = self._layers[0] if self._layers else None
        return "int32" if type(first).__name__ == "Embedding" else getattr(first, "reads", config.floatx())

    def _preparing(self, training: bool = False) -> Any:
        if self.inputs is not None or not self._runs_on_host():
            return super()._preparing(training)

        def prepared(x: Any) -> Any:  # the first data says what the input is
            if self.inputs is None:
                self.build((None, *tree.flatten(x)[0].shape[1:]))
            return GraphModel._preparing(self, training)(x)

        return prepared

    def get_config(self) -> dict[str, Any]:
        """The layers as JSON-ready values."""
        if type(self) is not Sequential and self.is_captured():
            return super().get_config()
        from keraunos import dtype_policies

        layers = [serialize_keras_object(layer) for layer in self._layers]
        found = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policies.serialize(self.dtype_policy), "layers": layers}
        return found if self.inputs is None else {**found, "build_input_shape": self.input_shape}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make a model from `get_config`'s result."""
        config = modern_chain(config)
        with custom_object_scope(custom_objects or {}):
            if "layers" not in config:
                return super().from_config(config)
            name, found = config.get("name"), []
            for entry in config["layers"]:
                alone = "layers" in (entry.get("config") or {})  # a graph is built before it is put into another
                with within(names="" if alone else scoped(name or "")):
                    found.append(deserialize_value(entry))
            model = cls(found, config.get("trainable", True), name)
        if config.get("build_input_shape"):
            model.build(config["build_input_shape"])
        return model


def _implied_input(layer: Layer) -> list[Layer]:
    """The entry for a first layer that says by itself what its input is."""
    shape, dtype = getattr(layer, "_input_shape_argument", None), None
    if isinstance(layer, GraphModel) and layer.inputs is not None and len(layer.inputs) == 1:
        shape, dtype = layer.inputs[0].shape, layer.inputs[0].dtype
    return [InputLayer(batch_shape=shape, dtype=dtype)] if shape is not None else []
