"""`Model`: a layer that can be trained, saved and summarised."""

from __future__ import annotations

import collections
import functools
import json
from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ArgumentError, MissingNameError, StateError, one_of, suggestion
from keraunos.core.graph import KerasTensor
from keraunos.core.scope import within
from keraunos.core.serialization import custom_object_scope, deserialize_keras_object, serialize_keras_object
from keraunos.layers.layer import Layer
from keraunos.layers.tracking import assign_all
from keraunos.training.live import shown
from keraunos.training.trainer import Trainer

_GONE = {  # what does the work of methods that Keras once had
    "predict_classes": "model.predict(x).argmax(-1), or (model.predict(x) > 0.5) for one output",
    "predict_proba": "model.predict(x)",
    "fit_generator": "model.fit(generator, steps_per_epoch=…)",
    "evaluate_generator": "model.evaluate(generator)",
    "predict_generator": "model.predict(generator)",
}


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
        if cls is not Model or (len(args) < 2 and "outputs" not in kwargs):
            return super().__new__(cls, *args, **kwargs)
        from keraunos.models.functional import Functional

        return Functional.__new__(Functional, *args, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any):
        inputs = args[0] if args else kwargs.get("inputs")
        if not isinstance(inputs, (KerasTensor, list, tuple, dict)) or (len(args) < 2 and "outputs" not in kwargs):
            Layer.__init__(self, *args, **kwargs)
            return
        from keraunos.models.functional import Functional

        if not isinstance(self, Functional):  # a user's subclass that hands the graph to super().__init__(inputs, outputs)
            base = next(c for c in type(self).__mro__ if Model in c.__bases__)
            base.__bases__ = tuple(Functional if b is Model else b for b in base.__bases__)
        Functional.__init__(self, *args, **kwargs)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        if name in _GONE:
            raise MissingNameError(f"Models have no method '{name}' any more.", where=self.name, fix=_GONE[name])
        if name in ("inputs", "outputs", "input_shape", "output_shape"):
            fix = "begin it with keras.Input: keras.Model(inputs, outputs), or model.layers"
            raise MissingNameError(f"A subclassed model has no '{name}': its graph is not known.", where=self.name, fix=fix)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

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
            raise ArgumentError("get_layer takes a name or an index.", where=self.name, fix="model.get_layer('dense') or model.get_layer(index=0)")
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ArgumentError(f"The model has {len(self.layers)} layers: there is none at index {index}.", where=self.name, fix="index=-1 is the last")
            return self.layers[index]
        found = {layer.name: layer for layer in self.layers}
        if name not in found:
            raise ArgumentError(f"The model has no layer '{name}'.", where=self.name, fix=suggestion(name, found))
        return found[name]

    def reset_state(self) -> None:
        """Let the stateful recurrent layers, wherever in the model, begin anew."""
        for layer in self._flatten_layers():
            if layer is not self and getattr(layer, "stateful", False):
                layer.reset_state()

    reset_states = reset_state

    # ---- building ----
    def build(self, input_shape: Any = None) -> None:
        """Make the weights of the model and its layers for inputs of this shape."""
        if self.built or type(self).call is Layer.call:
            return
        if input_shape is not None:
            several = isinstance(input_shape, list) and len(self.call_info.names) > 1 and self.call_info.names[1] != "training"
            self.built = True
            try:
                self.compute_output_shape(*(input_shape if several else [input_shape]))
            except (TypeError, AttributeError, NotImplementedError):
                self.built = False  # `call` uses native functions: the layers are built by the first data
                return
            self._build_config = {"input_shape": input_shape}
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

    def save_weights(self, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
        """Write the weights to a `.weights.h5`, `.safetensors` or `.npz` file, atomically; with `max_shard_size`, in gigabytes, to several."""
        from keraunos import saving

        saving.save_weights(self, filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
        """Read weights that `save_weights` or `save` wrote; nothing is set unless all fit."""
        from keraunos import saving

        saving.load_weights(self, filepath, skip_mismatch=skip_mismatch, **kwargs)

    def export(self, filepath: Any, format: str = "tf_saved_model", verbose: bool | None = None, input_signature: Any = None, **kwargs: Any) -> None:
        """Write the model, as it predicts, in a format that other programs run; the arguments are those of `keraunos.export.export_model`."""
        from keraunos import export

        export.export_model(self, filepath, format, verbose, input_signature, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Make a model from what `get_config` returned; of a graph's config, `Model` itself makes the functional model."""
        if "input_layers" not in config:
            with custom_object_scope(custom_objects or {}):
                return super().from_config(config)
        from keraunos.models.config import functional_from_config

        with within(names=""):  # a graph is built before it is put into another model
            return functional_from_config(cls, config, custom_objects)

    def to_json(self, **kwargs: Any) -> str:
        """The architecture as JSON; `keraunos.models.model_from_json` reads it."""
        return json.dumps(serialize_keras_object(self), **kwargs)

    # ---- summary ----
    def summary(self, line_length: int | None = None, positions: Any = None, print_fn: Any = None, expand_nested: bool = False,
                show_trainable: bool = False, layer_range: Any = None) -> None:  # fmt: skip
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
            fix = f"begin it with keras.Input(shape), or call {self.name}.build((None, …)) first"
            raise StateError(f"The model '{self.name}' is not built, so its weights are not known.", where=self.name, fix=fix, code="KR404")
        from keraunos.models.summary import print_summary

        print_summary(self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range)

    def _repr_html_(self) -> str:
        """What notebooks show: the model's picture and the table of its layers."""
        from keraunos.models.summary import html_summary

        return html_summary(self)

    # ---- looking inside ----
    def trace(self, x: Any, training: bool = False, print_fn: Any = None) -> Any:
        """Show what each layer makes of a batch: shape, dtype, statistics, and the time it took; inner models as a tree. The model stays as it is.

        What runs within a loop of the engine's, such as the cells of recurrent layers on JAX, is part of the layer around it.

        Args:
            x: A batch of inputs.
            training: Whether the layers are called as in training.
            print_fn: Takes the text in place of the terminal; a notebook shows the table by itself.

        Returns:
            The table; its rows are dataclasses with `name`, `kind`, `path`, `depth`, `shape`, `dtype`, `mean`, `std`, `minimum`, `maximum`, `zeros` and
            `nonfinite` (shares of the values; the statistics are of those that are finite), `parameters` and `seconds`.

        Example:

        >>> import keraunos as keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="first"), keras.layers.ReLU()])
        >>> table = model.trace(keras.ops.ones((4, 3)), print_fn=lambda text: None)
        >>> table["first"].shape, table["first"].parameters
        ([(4, 2)], 8)
        """
        from keraunos.training.trace import trace

        return shown(trace(self, x, training), print_fn)

    def profile(self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int | None = None, steps: int = 20, print_fn: Any = None) -> Any:
        """Show where the time of a training step goes: data, forward, loss, backward, optimizer, metrics; and which layers take it. The model stays as it is.

        The phases are measured on compiled steps, with the engine waited for. What compiling costs is told apart, as the time of the first call.

        Args:
            x: Arrays, or what yields batches, as for `fit`.
            y: The targets, where x is arrays.
            sample_weight: A weight for each sample.
            batch_size: The number of samples in a batch, 32 by default.
            steps: The number of steps of which the quickest counts.
            print_fn: Takes the text in place of the terminal; a notebook shows the table by itself.

        Returns:
            The table; its rows have `name`, `seconds`, `share` and `compile_seconds`. Its `layers` is a table as `trace` returns it, and its `flops` the
            floating-point operations of a step, where the engine can tell.

        Raises:
            StateError: The model is not compiled.
            ArgumentError: There are no steps.
        """
        from keraunos.training.profile import profile

        return shown(profile(self, x, y, sample_weight, batch_size, steps), print_fn)

    # ---- state by name ----
    def get_state_tree(self, value_format: str = "backend_tensor") -> dict[str, dict[str, Any]]:
        """The values of the model's variables, the optimizer's and the metrics', as nested dicts by the parts of their paths.

        Args:
            value_format: "backend_tensor", or "numpy_array".

        Returns:
            The dicts by "trainable_variables", "non_trainable_variables", "optimizer_variables" and "metrics_variables".

        Raises:
            StateError: Two variables have one path.

        Example:

        >>> import keraunos as keras
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")], name="net")
        >>> model.get_state_tree("numpy_array")["trainable_variables"]["net"]["head"]["kernel"].shape
        (2, 1)
        """
        one_of("value_format", value_format, ("backend_tensor", "numpy_array"), "get_state_tree")
        tree: dict[str, dict[str, Any]] = {}
        for group, by_path in self._variables_by_path().items():
            tree[group] = {}
            for path, variable in by_path.items():
                *outer, last = path.split("/")
                place = functools.reduce(lambda inner, part: inner.setdefault(part, {}), outer, tree[group])
                place[last] = variable.numpy() if value_format == "numpy_array" else variable.value
        return tree

    def set_state_tree(self, state_tree: dict[str, dict[str, Any]]) -> None:
        """Assign what `get_state_tree` returned, or some of it; nothing is assigned unless all fits.

        Raises:
            ArgumentError: There is no such group or variable.
            ShapeError: A value does not have its variable's shape.
        """
        known, variables, values = self._variables_by_path(), [], []
        for group, tree in state_tree.items():
            if group not in known:
                raise ArgumentError(f"A model has no '{group}'.", where="set_state_tree", fix=suggestion(group, known))
            for path, value in _leaves(tree):
                if path not in known[group]:
                    raise ArgumentError(f"There is no variable '{path}' among the {group}.", where="set_state_tree", fix=suggestion(path, known[group]))
                variables.append(known[group][path])
                values.append(value)
        assign_all(variables, values)

    def _variable_groups(self) -> dict[str, list[Any]]:
        return {
            "trainable_variables": self.trainable_variables,
            "non_trainable_variables": self.non_trainable_variables,
            "optimizer_variables": self.optimizer.variables if self.optimizer is not None else [],
            "metrics_variables": self.metrics_variables,
        }

    def _variables_by_path(self) -> dict[str, dict[str, Any]]:
        groups = self._variable_groups()
        for group, variables in groups.items():
            paths = collections.Counter(v.path for v in variables)
            twice = next((path for path, count in paths.items() if count > 1), None)
            if twice is not None:
                fix = "give layers and metrics names of their own"
                raise StateError(f"Two of the {group} have the path '{twice}', so a tree cannot hold both.", where=self.name, fix=fix)
        return {group: {v.path: v for v in variables} for group, variables in groups.items()}

    # ---- structure for compilation ----
    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was called with, in JSON-ready form; empty if it was not."""
        config = {k: serialize_keras_object(v) for k, v in self._compile_arguments.items()} if self.compiled else {}
        trained = [v.path for v in getattr(self.optimizer, "_trained", ())] if isinstance(config.get("optimizer"), dict) else []
        if trained and trained != [v.path for v in self.trainable_variables]:  # layers were frozen since; Keras passes over what it does not know
            config["optimizer"]["trained"] = trained
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as `get_compile_config` says, and build the optimizer."""
        given = {k: deserialize_keras_object(v) for k, v in config.items() if v is not None or k == "optimizer"}  # Keras 2 noted what it had no word on
        if given.get("jit_compile"):  # Keras writes True where its own engine compiles; the one that reads the file need not
            given["jit_compile"] = "auto"
        self.compile(**given)
        if self.built and getattr(self, "optimizer", None) is not None:
            noted = config["optimizer"].get("trained") if isinstance(config.get("optimizer"), dict) else None
            known, variables = {v.path: v for v in self.weights}, self.trainable_variables
            if isinstance(noted, list) and {v.path for v in variables} <= {str(path) for path in noted} <= known.keys():
                variables = [known[str(path)] for path in dict.fromkeys(noted)]
            self.optimizer.build(variables)


def _leaves(tree: dict[str, Any], *before: str) -> Iterator[tuple[str, Any]]:
    """The values of nested dicts, and the keys that lead to them as a path."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, *before, key)
        else:
            yield "/".join((*before, key)), value
