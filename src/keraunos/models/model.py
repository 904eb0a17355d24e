"""`Model`: a layer that can be trained, saved and summarised."""

from __future__ import annotations

import json
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, StateError, suggestion
from keraunos.core.graph import KerasTensor
from keraunos.core.spec import Spec
from keraunos.layers.layer import Layer
from keraunos.training.trainer import Trainer


class Model(Trainer, Layer):
    """A network that can be trained, saved and summarised.

    `Model(inputs, outputs)` makes a functional model of the graph between symbolic tensors; a subclass
    with `__init__` and `call` is a model of its own.

    Args:
        inputs: The symbolic inputs, one, a list or a dict.
        outputs: The symbolic outputs, likewise.
        name: The model's name.

    Example:

    >>> import keraunos as keras
    >>> a, b = keras.Input((2,)), keras.Input((3,))
    >>> y = keras.layers.Dense(1)(keras.layers.Concatenate()([a, b]))
    >>> keras.Model([a, b], y).count_params()
    6
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        from keraunos.models.functional import Functional

        symbolic = any(isinstance(x, KerasTensor) for x in tree.flatten((args[:1], kwargs.get("inputs"))))
        if cls is Model and (len(args) >= 2 or "outputs" in kwargs):
            return Functional.__new__(Functional, *args, **kwargs)
        if symbolic and len(args) + len({"inputs", "outputs"} & kwargs.keys()) >= 2 and not issubclass(cls, Functional) and "__init__" in cls.__dict__:
            return super().__new__(cls, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        functional = isinstance(args[0] if args else kwargs.get("inputs"), (KerasTensor, list, tuple, dict)) and (len(args) > 1 or "outputs" in kwargs)
        if functional:  # a subclass that hands the graph to super().__init__(inputs, outputs)
            from keraunos.models.functional import Functional

            if not isinstance(self, Functional):
                inject_functional(type(self))
            Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]
        else:
            Layer.__init__(self, *args, **kwargs)

    # ---- parts ----
    @property
    def layers(self) -> list[Layer]:
        """The layers that the model holds directly."""
        return self._held(Layer)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or index.

        Raises:
            ArgumentError: There is none.
        """
        if (name is None) == (index is None):
            raise ArgumentError("get_layer takes a name or an index.", where=self.name)
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(f"The model has {len(self.layers)} layers: there is none at index {index}.", where=self.name)
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ArgumentError(f"The model has no layer '{name}'.", where=self.name, fix=suggestion(name, [layer.name for layer in self.layers]))

    # ---- building ----
    def build(self, input_shape: Any = None) -> None:
        """Make the weights of the model and its layers for inputs of this shape."""
        if self.built or type(self).call is Layer.call:
            return
        shapes = input_shape

        def to_spec(shape: Any) -> Any:
            if isinstance(shape, dict):
                return {k: to_spec(v) for k, v in shape.items()}
            if isinstance(shape, (list, tuple)) and not all(d is None or isinstance(d, int) for d in shape):
                return [to_spec(s) for s in shape]
            return Spec(shape, self.compute_dtype)

        if shapes is not None:
            self.built = True
            try:
                inputs = to_spec(shapes)
                several = isinstance(inputs, list) and len(self.call_info.names) > 1 and "training" not in self.call_info.names[1:2]
                self.compute_output_spec(*inputs) if several else self.compute_output_spec(inputs)
            except (TypeError, AttributeError, NotImplementedError):
                self.built = False  # `call` uses native functions: the layers are built by the first data
                return
            self._build_shape = shapes
        self._built()

    # ---- files ----
    def save(self, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
        """Write the model, its weights and its optimizer to a `.keras` file, atomically.

        Args:
            filepath: The path, ending in `.keras`.
            overwrite: Whether an existing file may be replaced.
            zipped: Only True is supported.
        """
        from keraunos import saving

        saving.save_model(self, filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Write the weights to a `.weights.h5` file, atomically."""
        from keraunos import saving

        saving.save_weights(self, filepath, overwrite=overwrite, **kwargs)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Read weights that `save_weights` or `save` wrote; nothing is set unless all fit."""
        from keraunos import saving

        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON; `keraunos.models.model_from_json` reads it."""
        from keraunos.core.serialization import serialize_keras_object

        return json.dumps(serialize_keras_object(self), **kwargs)

    # ---- summary ----
    def summary(
        self, line_length: int | None = None, positions: Any = None, print_fn: Any = None, expand_nested: bool = False,
        show_trainable: bool = False, layer_range: Any = None,
    ) -> None:  # fmt: skip
        """Print a table of the layers, their output shapes and numbers of parameters.

        Args:
            line_length: The width of the table.
            positions: The relative widths of the columns.
            print_fn: Takes the text in place of the terminal.
            expand_nested: Whether the layers of inner models are shown.
            show_trainable: Whether a column says which layers are trained.
            layer_range: The names of the first and last layer to show.

        Raises:
            StateError: The model is not built.
        """
        if not self.built:
            raise StateError(
                f"The model '{self.name}' is not built, so its weights are not known.",
                where=self.name,
                fix=f"begin it with keras.Input(shape), or call {self.name}.build((None, …)) first",
            )
        from keraunos.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    # ---- structure for compilation ----
    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was called with, in JSON-ready form."""
        from keraunos.core.serialization import serialize_keras_object

        return {k: serialize_keras_object(v) for k, v in self._compile_arguments.items()} if self.compiled else None

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says, and build the optimizer."""
        from keraunos.core.serialization import deserialize_keras_object

        self.compile(**{k: deserialize_keras_object(v) for k, v in config.items()})
        if self.built and getattr(self, "optimizer", None) is not None:
            self.optimizer.build(self.trainable_variables)


def inject_functional(cls: type) -> None:
    """Make a user's subclass of `Model` that calls `super().__init__(inputs, outputs)` a functional model."""
    from keraunos.models.functional import Functional

    for base in cls.__mro__:
        if Model in base.__bases__ and base is not Functional:
            base.__bases__ = tuple(Functional if b is Model else b for b in base.__bases__)
            return
