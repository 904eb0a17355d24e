"""A module of PyTorch as a layer."""

from __future__ import annotations

import base64
import pickle
from typing import TYPE_CHECKING, Any

from keraunos.core.config import active
from keraunos.core.errors import ArgumentError, ModelFileError, ShapeError
from keraunos.core.fields import Inherited
from keraunos.core.scope import scope, within
from keraunos.core.serialization import custom_object_scope
from keraunos.core.spec import Spec
from keraunos.core.variable import Variable
from keraunos.layers.native import Native
from keraunos.layers.weights import map_shapes


class TorchModuleWrapper(Native):
    """A `torch.nn.Module` as a layer of a model on the torch engine.

    Its parameters and buffers are the layer's variables; the module shares their memory, and gives and takes their values wherever it is used
    as `layer.module`. It is trained by `fit`; its mode follows `training`. Its floats are in the layer's dtype; under mixed precision it runs in
    PyTorch's own autocast.

    Args:
        module: The module; a lazy one must have run once.
        name: The layer's name.
        output_shape: The output's shape, batch included, where it cannot be found by running the module on zeros.

    Raises:
        BackendError: The engine is not torch.
        ArgumentError: It is no module, or a lazy one that has no shapes yet.

    Example:

    >>> import keraunos as keras, torch
    >>> with keras.backend_scope("torch"):
    ...     layer = keras.layers.TorchModuleWrapper(torch.nn.Linear(4, 3))
    ...     model = keras.Sequential([keras.Input((4,)), layer])
    >>> model.output_shape, [v.name for v in model.trainable_weights]
    ((None, 3), ['weight', 'bias'])
    """

    engine, needs = "torch", "run_module"
    module: Any  # pyright: ignore[reportRedeclaration]
    if not TYPE_CHECKING:  # checkers know them from the base
        name: Inherited = None
    output_shape: Any = None

    def setup(self) -> None:
        try:
            tensors = self._function("module_tensors")(self._module)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"TorchModuleWrapper cannot take this: {error}.", where=self.name, received=type(self._module).__name__) from None
        self._variables: dict[str, Variable] = {}
        self._saved = [name for name, (_, _, saved) in tensors.items() if saved]
        for name, (tensor, trainable, _) in tensors.items():
            self._variables[name] = self.hold(tensor.detach(), trainable, name.replace(".", "/"))
        self._built()
        self._tie()

    @property
    def module(self) -> Any:
        """The module, with the values that its tensors have now."""
        self._tie()
        return self._module

    @module.setter
    def module(self, module: Any) -> None:
        self._module = module

    def _tie(self) -> None:
        self._function("tie_module")(self._module, {name: v._value for name, v in self._variables.items()})

    def parameters(self, recurse: bool = True) -> Any:
        """The module's parameters, as PyTorch gives them."""
        return self.module.parameters(recurse)

    def call(self, *args: Any, training: Any = None, **kwargs: Any) -> Any:
        run, compute = self._function("run_module"), scope.autocast
        with within(autocast=None):
            values = {name: v.value for name, v in self._variables.items()}
            out, changed = run(self._module, values, scope.trace is not None, bool(training), compute, args, kwargs)
            for name, value in changed.items():
                self._variables[name].assign(value)
        return out if compute is None else self._convert(out)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if self.output_shape is None:
            return super().compute_output_spec(*args, **kwargs)
        return map_shapes(lambda shape: Spec(shape, self.compute_dtype), self.output_shape)

    def save_own_variables(self, store: Any) -> None:
        for name in self._saved:
            store[name] = self._variables[name].numpy()

    def load_own_variables(self, store: Any) -> None:
        values = {name: store[name] for name in self._saved if name in store}
        wrong = [name for name in self._saved if name not in values or values[name].shape != self._variables[name].shape]
        if wrong or len(store.keys()) != len(values):
            expected, received = ", ".join(self._saved), ", ".join(store.keys())
            raise ShapeError("The file does not fit the module.", where=f"{self.name}/{(wrong or ['…'])[0]}", expected=expected, received=received)
        for name, value in values.items():
            self._variables[name].assign(value)

    def field_config(self) -> dict[str, Any]:
        data = base64.b64encode(self._function("written_module")(self.module)).decode("ascii")
        return {"module": data, "output_shape": self.output_shape}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None) -> Any:
        """Make the layer from `get_config`'s result, which holds the module as `torch.save` writes it.

        Raises:
            ModelFileError: Code may not be run (`safe_mode`), or the module cannot be read.
        """
        cls._refuse_in_safe_mode(safe_mode, "the module in it")
        read = cls._engines(active(), "module_from")
        try:
            module = read(base64.b64decode(config["module"]))
        except (ValueError, RuntimeError, AttributeError, ImportError, pickle.UnpicklingError) as error:
            fix = "import or define the module's class where it was defined when the model was saved"
            raise ModelFileError(f"The module of a TorchModuleWrapper cannot be read: {error}.", where=config.get("name"), fix=fix) from error
        with custom_object_scope(custom_objects):
            return super().from_config({**config, "module": module})
