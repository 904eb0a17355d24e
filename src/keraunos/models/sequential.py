"""`Sequential`: layers one after another."""

from __future__ import annotations

from typing import Any

from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError, StateError
from keraunos.core.graph import KerasTensor
from keraunos.core.serialization import deserialize_value, serialize_keras_object
from keraunos.core.spec import show
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.functional import Functional
from keraunos.models.model import Model


class Sequential(Model):
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
        self._layers: list[Layer] = []
        self._functional: Functional | None = None
        if layers is not None and not isinstance(layers, (list, tuple)):
            layers = [layers]
        for layer in layers or []:
            self._append(layer)
        self._rebuild()
        if not trainable:
            self.trainable = False

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Put a layer at the end."""
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away, and return it."""
        if not self._layers:
            raise StateError("The model has no layer to take away.", where=self.name)
        layer = self._layers.pop()
        self._functional, self.built = None, False
        if rebuild:
            self._rebuild()
        return layer

    def _append(self, layer: Any) -> None:
        if isinstance(layer, KerasTensor) and layer.node is not None and isinstance(layer.node.operation, InputLayer):
            layer = layer.node.operation
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise ArgumentTypeError(f"Sequential takes layers, got the class {layer.__name__}.", where=self.name, fix=f"{layer.__name__}(…)")
        if not isinstance(layer, Layer):
            if not callable(layer):
                raise ArgumentTypeError(f"Sequential takes layers, got {type(layer).__name__}.", where=self.name, fix="pass keras.layers objects")
            from keraunos.layers.core import Lambda

            layer = Lambda(layer)
        if any(layer.name == other.name for other in self._layers):
            raise ArgumentError(
                f"Two layers are called '{layer.name}'.", where=self.name, fix="give each its own name=; for a layer used twice use a functional model"
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ArgumentError("Input must be the first layer.", where=self.name, received=f"{len(self._layers)} layers before it")
        shape = getattr(layer, "_input_shape_argument", None)
        if shape is not None and not self._layers:
            self._layers.append(InputLayer(batch_shape=shape))
        if not self._layers and isinstance(layer, (Functional, Sequential)) and getattr(layer, "inputs", None) and len(layer.inputs) == 1:
            self._layers.append(InputLayer(batch_shape=layer.inputs[0].shape, dtype=layer.inputs[0].dtype))
        self._layers.append(layer)
        self._functional, self.built = None, False

    def _rebuild(self) -> None:
        self._cache_clear()
        if self._layers and isinstance(self._layers[0], InputLayer) and len(self._layers) > 1:
            self._connect(self._layers[0].output)
        else:
            self.built = bool(self._layers) and isinstance(self._layers[0], InputLayer)

    def _connect(self, x: KerasTensor) -> None:
        inputs = x
        for layer in self._layers[1:] if isinstance(self._layers[0], InputLayer) else self._layers:
            x = layer(x)
            if not isinstance(x, KerasTensor):
                raise ShapeError(f"The layer '{layer.name}' has several outputs; in a Sequential each has one.", where=self.name, fix="use a functional model")
        self._functional = Functional(inputs, x, name=self.name)
        self._built()

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, `(batch, …)`."""
        if self._functional is not None or not self._layers:
            return
        if input_shape is None or not isinstance(input_shape, (tuple, list)) or any(not isinstance(d, (int, type(None))) for d in input_shape):
            raise ShapeError("A Sequential is built for one input shape.", where=self.name, received=repr(input_shape), fix="build((None, 8))")
        dtype = "int32" if type(self._layers[0]).__name__ == "Embedding" else config.floatx()
        x = KerasTensor(tuple(input_shape), dtype)
        InputLayer(input_tensor=x)
        self._connect(x)
        self._build_shape = tuple(input_shape)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._functional is not None:
            return self._functional.call(inputs)
        for layer in self.layers:
            inputs = layer(inputs)
        return inputs

    def _part(self, name: str) -> Any:
        if self._functional is None:
            raise StateError(f"The model '{self.name}' is not built, so it has no {name}.", fix="begin it with keras.Input(shape), or call build((None, …))")
        return getattr(self._functional, name)

    @property
    def inputs(self) -> Any:
        """The symbolic inputs, as a list; None before the model is built."""
        return self._functional.inputs if self._functional is not None else None

    @property
    def outputs(self) -> Any:
        """The symbolic outputs, as a list; None before the model is built."""
        return self._functional.outputs if self._functional is not None else None

    @property
    def input_shape(self) -> Any:
        """The shape of the input."""
        return self._part("input_shape")

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        return self._part("output_shape")

    @property
    def input(self) -> Any:
        """The symbolic input."""
        return self._part("input")

    @property
    def output(self) -> Any:
        """The symbolic output."""
        return self._part("output")

    @property
    def output_names(self) -> list[str]:
        """The name of the output."""
        return self._part("output_names")

    @property
    def input_names(self) -> list[str]:
        """The name of the input."""
        return self._part("input_names")

    def get_build_config(self) -> dict[str, Any] | None:
        """The shape that the model was built for."""
        return {"input_shape": self.input_shape} if self._functional is not None else None

    def get_config(self) -> dict[str, Any]:
        """The layers as JSON-ready values."""
        if type(self) is not Sequential and self.is_captured():
            return super().get_config()
        from keraunos import dtype_policies

        found: dict[str, Any] = {"name": self.name, "trainable": self.trainable, "dtype": dtype_policies.serialize(self._policy)}
        found["layers"] = [serialize_keras_object(layer) for layer in self._layers]
        if self._functional is not None:
            found["build_input_shape"] = show(self._functional.inputs[0].shape)
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make a model from `get_config`'s result."""
        from keraunos.core.serialization import custom_object_scope

        with custom_object_scope(custom_objects or {}):
            if "layers" not in config:
                return super().from_config(config)
            model = cls(name=config.get("name"))
            for layer in config["layers"]:
                model.add(deserialize_value(layer), rebuild=False)
        model._rebuild()
        if not model.built and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        if not config.get("trainable", True):
            model.trainable = False
        return model
