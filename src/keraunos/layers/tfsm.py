"""A program that TensorFlow wrote as a layer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from keraunos.core.errors import ArgumentError, ModelFileError, suggestion
from keraunos.core.fields import Inherited
from keraunos.core.serialization import custom_object_scope
from keraunos.layers.native import Native


class TFSMLayer(Native):
    """An endpoint of a SavedModel as a layer of a model on the tensorflow engine.

    Args:
        filepath: The folder that TensorFlow, or `model.export` of Keras, wrote.
        call_endpoint: Which of its functions is called: a method, or a signature.
        call_training_endpoint: Which one in training; the same one by default.
        trainable: Whether training changes its variables.
        name: The layer's name.
        dtype: The dtype or policy of the inputs.

    Raises:
        BackendError: The engine is not tensorflow.
        ArgumentError: There is no such endpoint.
        ModelFileError: There is no SavedModel.

    Example:

    >>> import keraunos as keras, tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with keras.backend_scope("tensorflow"):
    ...     model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    ...     model.export(folder, verbose=False)
    ...     keras.layers.TFSMLayer(folder)(keras.ops.ones((4, 3))).shape == (4, 2)
    True
    """

    engine, needs = "tensorflow", "run_saved"
    filepath: Any
    call_endpoint: str = "serve"
    call_training_endpoint: str | None = None
    if not TYPE_CHECKING:  # checkers know them from the base
        trainable: Inherited = True
        name: Inherited = None
        dtype: Inherited = None

    def setup(self) -> None:
        self.filepath = os.fspath(self.filepath)
        try:
            self._program = self._function("load_saved")(self.filepath)
        except (OSError, ValueError) as error:
            fix = "keras.saving.load_model reads '.keras' files" if self.filepath.endswith((".keras", ".h5")) else "name the folder with saved_model.pb in it"
            raise ModelFileError(f"There is no SavedModel at '{self.filepath}': {error}.", where=self.name, fix=fix) from None
        names = [name for name in (self.call_endpoint, self.call_training_endpoint) if name is not None]
        for name in names:
            if name not in self._program.endpoints:
                raise ArgumentError(f"The SavedModel has no endpoint '{name}'.", where=self.name, fix=suggestion(name, self._program.endpoints))
        self._sources = self._program.variables(*names)
        held = [(source, source.read_value(), source.name.partition(":")[0]) for source in self._sources]
        self._values = [self.hold(value, source.trainable, path, dtype=value.dtype.name) for source, value, path in held]
        self._built()

    def call(self, inputs: Any, training: bool = False, **kwargs: Any) -> Any:
        endpoint = self.call_training_endpoint if training and self.call_training_endpoint is not None else self.call_endpoint
        values = [v.value for v in self._values]
        outputs, new = self._function("run_saved")(self._program, endpoint, self._sources, values, (inputs,), kwargs)
        for variable, value in zip(self._values, new, strict=True):
            if not variable.trainable:
                variable.assign(value)
        return outputs

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None, safe_mode: bool | None = None) -> Any:
        """Make the layer from `get_config`'s result, which names the folder of the SavedModel.

        Raises:
            ModelFileError: Code may not be run (`safe_mode`).
        """
        cls._refuse_in_safe_mode(safe_mode, "the SavedModel that it names")
        with custom_object_scope(custom_objects):
            return super().from_config(config)
