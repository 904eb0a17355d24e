"""`install_as_keras`: from then on, `import keras` in this process means Keraunos."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

from keraunos.core.errors import StateError
from keraunos.core.missing import KERAS_VERSION, in_keras


class _Finder:
    """Finds `keras` and `keras.…` before the import system looks for an installed Keras."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "keras" and not name.startswith("keras."):
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> types.ModuleType:
        inner = spec.name.partition(".")[2]
        if not inner:
            return _Keras(spec.name, "Keraunos, as `keras`.")
        if inner.split(".")[0] in ("src", "_tf_keras"):
            raise ModuleNotFoundError(
                f"'{spec.name}' is private to Keras; Keraunos has the public names only.\nFix: import them from keras itself", name=spec.name
            )
        private = inner.split(".")[0] in ("core", "backends", "compat", "cli", "training", "data")
        try:
            if private:
                raise ModuleNotFoundError(name=f"keraunos.{inner}")
            found = importlib.import_module(f"keraunos.{inner}")
        except ModuleNotFoundError as error:
            if not f"keraunos.{inner}".startswith(str(error.name)):
                raise
            namespace, _, last = inner.rpartition(".")
            yet = f" yet; Keras {KERAS_VERSION} has it" if in_keras(namespace, last) else ""
            raise ModuleNotFoundError(f"Keraunos has no '{inner}'{yet}.", name=spec.name) from None
        self._specs = {**getattr(self, "_specs", {}), spec.name: found.__spec__}
        return found

    def exec_module(self, module: types.ModuleType) -> None:
        spec = module.__spec__
        if spec is not None and spec.name in getattr(self, "_specs", {}):
            module.__spec__ = self._specs[spec.name]  # the import system wrote the alias's into the real module


class _Keras(types.ModuleType):
    """The module `keras`: Keraunos under the version of Keras whose API it has."""

    __version__ = KERAS_VERSION

    def version(self) -> str:
        """The version of Keras whose API this is."""
        return KERAS_VERSION

    def __getattr__(self, name: str) -> Any:
        import keraunos

        if name == "__all__":
            return keraunos.__all__
        return getattr(keraunos, name)

    def __dir__(self) -> list[str]:
        return dir(sys.modules["keraunos"])


def install_as_keras() -> None:
    """Make `import keras` mean Keraunos in this process, whether Keras is installed or not.

    Raises:
        StateError: Keras itself has been imported already.

    Example:

    >>> import keraunos
    >>> keraunos.install_as_keras()  # doctest: +SKIP
    >>> from keras import layers  # doctest: +SKIP
    """
    present = sys.modules.get("keras")
    if present is not None and not isinstance(present, _Keras):
        raise StateError(
            "Keras itself has been imported already.", where="install_as_keras", fix="call keraunos.install_as_keras() before the first `import keras`"
        )
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]
