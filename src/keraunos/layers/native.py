"""The base of layers whose function is an engine's own: a module of PyTorch, functions of JAX, a program of TensorFlow."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import BackendError, ModelFileError
from keraunos.core.serialization import TRUSTED, is_safe
from keraunos.core.variable import Variable
from keraunos.layers.layer import Layer


class Native(Layer):
    """A layer that runs on one engine alone.

    A subclass says which function of an engine it needs; on engines that have none it is refused.
    """

    native = True
    engine: ClassVar[str] = ""  # in words
    needs: ClassVar[str] = ""

    def start(self, **kwargs: Any) -> None:
        super().start(**kwargs)
        self._function(self.needs)

    def _function(self, name: str) -> Any:
        return self._engines(self._backend, name)

    @classmethod
    def _engines(cls, backend: Any, name: str) -> Any:
        """A function of the engine.

        Raises:
            BackendError: It is another engine, which has none.
        """
        found = getattr(backend, name, None)
        if found is None:
            fact = f"{cls.__name__} runs on {cls.engine} alone; the engine is {backend.name}."
            raise BackendError(fact, fix=f"keraunos.set_backend('{cls.engine}'), or build the model within keraunos.backend_scope('{cls.engine}')")
        return found

    def hold(self, tensor: Any, trainable: bool, path: str, dtype: str | None = None) -> Variable:
        """A variable that begins as a tensor of the engine's; floats get the layer's dtype, unless it is said which.

        Args:
            tensor: The tensor.
            trainable: Whether training changes it.
            path: Its names below that of the layer.
            dtype: The dtype that it keeps, whatever the layer computes in.
        """
        own = self._backend.dtype_of(tensor)
        kept = dtype or (self.variable_dtype if own in FLOATS else own)
        shape, cast, name = tuple(tensor.shape), self._backend.cast, path.rpartition("/")[2]
        variable = self.add_weight(shape, lambda shape, dtype: cast(tensor, dtype), kept, trainable, dtype is None, name=name)
        variable.path = f"{self._place}/{path}"
        return variable

    @classmethod
    def _refuse_in_safe_mode(cls, safe_mode: bool | None, what: str) -> None:
        """Raise unless it was said that a file may run code.

        Raises:
            ModelFileError: It was not.
        """
        if is_safe() if safe_mode is None else safe_mode:
            raise ModelFileError(f"The file holds a {cls.__name__}: loading it would run code from {what}.", fix=TRUSTED)
