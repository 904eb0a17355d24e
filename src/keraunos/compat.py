"""`install_as_keras`: from then on, `import keras` in this process means Keraunos."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import types
from typing import Any

import keraunos
from keraunos.core.errors import StateError
from keraunos.core.missing import KERAS_VERSION, in_keras


class _Keras(types.ModuleType):
    """The module `keras`: Keraunos under the version of Keras whose API it has."""

    __version__ = KERAS_VERSION

    def version(self) -> str:
        """The version of Keras whose API this is."""
        return KERAS_VERSION

    def __getattr__(self, name: str) -> Any:
        return getattr(keraunos, name)

    def __dir__(self) -> list[str]:
        return dir(keraunos)


class _Finder:
    """Finds `keras` and `keras.…` before the import system looks for an installed Keras."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.partition(".")[0] == "keras" else None  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> types.ModuleType:
        return _Keras(spec.name, "Keraunos, as `keras`.")

    def exec_module(self, module: types.ModuleType) -> None:
        if module.__name__ != "keras":
            sys.modules[module.__name__] = _namespace(module.__name__)  # the import system takes what stands there


def _namespace(name: str) -> types.ModuleType:
    """The module of ours that `keras.…` names."""
    inner = name.partition(".")[2]
    first = inner.partition(".")[0]
    if first in ("src", "_tf_keras"):
        raise ModuleNotFoundError(f"'{name}' is private to Keras; Keraunos has the public names only.\nFix: import them from keras itself", name=name)
    if first in keraunos._MODULES:
        try:
            return importlib.import_module(f"keraunos.{inner}")
        except ModuleNotFoundError as error:
            if not f"keraunos.{inner}".startswith(str(error.name)):
                raise
    space, _, last = inner.rpartition(".")
    yet = f" yet; Keras {KERAS_VERSION} has it" if in_keras(space, last) else ""
    raise ModuleNotFoundError(f"Keraunos has no '{inner}'{yet}.", name=name)


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
        fix = "call keraunos.install_as_keras() before the first `import keras`"
        raise StateError("Keras itself has been imported already.", where="install_as_keras", fix=fix)
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())  # type: ignore[arg-type]
