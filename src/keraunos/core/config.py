"""Settings of the process, and the choice of engine.

An engine ("backend") is a module of `keraunos.backends`. `set_backend` chooses it for what is built
afterwards, `backend_scope` for a block; `KERAUNOS_BACKEND`, then `KERAS_BACKEND`, set the default.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import pathlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from keraunos.core.errors import ArgumentError, BackendError, one_of, suggestion
from keraunos.core.scope import scope, within

__all__ = [
    "are_checks_enabled", "backend", "backend_scope", "disable_checks", "disable_interactive_logging", "disable_traceback_filtering", "enable_checks",
    "enable_interactive_logging", "enable_traceback_filtering", "enable_unsafe_deserialization", "epsilon", "floatx", "image_data_format", "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled", "set_backend", "set_epsilon", "set_floatx", "set_image_data_format",
]  # fmt: skip

BACKENDS = ("jax", "torch", "tensorflow", "pytensor", "numpy")
_TRACERS = ("onnx",)  # these write down what a model computes; nothing runs on them
_DATA_FORMATS = ("channels_last", "channels_first")

_settings: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "filter_tracebacks": True,
    "interactive_logging": True,
    "checks": True,
    "unsafe": False,
}
_default: Any = None  # the engine of the process, once chosen or first used


def _file_settings() -> dict[str, Any]:
    home = os.environ.get("KERAS_HOME") or os.path.join(os.path.expanduser("~"), ".keras")
    try:
        found = json.loads(pathlib.Path(home, "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def load_backend(name: str) -> Any:
    """The module of the engine called `name`, imported if need be.

    Raises:
        ArgumentError: There is no such engine.
        BackendError: The engine's package is not installed.
    """
    if name not in (*BACKENDS, *_TRACERS):
        raise ArgumentError(f"There is no backend {name!r}.", where="backend", fix=suggestion(name, BACKENDS), code="KR801")
    if importlib.util.find_spec(name) is None:
        extra = "export" if name in _TRACERS else name
        raise BackendError(f"The backend '{name}' needs the package '{name}', which is not installed.", fix=f"pip install 'keraunos[{extra}]'", code="KR702")
    return importlib.import_module(f"keraunos.backends.{name}")


def _engine(name: str) -> Any:
    if name in _TRACERS:
        raise BackendError(f"Nothing runs on the {name} backend: models are exported by it.", fix=f"model.export(filepath, format='{name}')")
    return load_backend(name)


def active() -> Any:
    """The engine in force: the innermost scope's, else the process's."""
    return scope.backend or _default or _first()


def _first() -> Any:
    source = next((name for name in ("KERAUNOS_BACKEND", "KERAS_BACKEND") if os.environ.get(name)), "")
    try:
        set_backend(os.environ.get(source, "jax"))
    except ArgumentError as error:
        error.where = None
        raise error.at(f"the environment variable {source}") from None
    return _default


def backend() -> str:
    """The name of the engine in force.

    Example:

    >>> backend() in ("jax", "torch", "tensorflow", "pytensor", "numpy")
    True
    """
    return active().name


def set_backend(name: str) -> None:
    """Choose the engine of the process for what is built from now on; models built before keep theirs.

    Args:
        name: "jax", "torch", "tensorflow", "pytensor" or "numpy".

    Raises:
        ArgumentError: There is no such engine.
        BackendError: The engine's package is not installed.
    """
    global _default
    _default = _engine(name)


@contextlib.contextmanager
def backend_scope(name: str) -> Iterator[None]:
    """Run a block on another engine.

    Example:

    >>> with backend_scope("numpy"):
    ...     backend()
    'numpy'
    """
    with within(backend=_engine(name)):
        yield


def device(device_name: str) -> AbstractContextManager[Any]:
    """A context in which tensors and variables of the engine in force are made on a device.

    Args:
        device_name: The kind and the index: "cpu", "cpu:0", "gpu:1" (or "cuda:1"), "tpu:0".

    Raises:
        ArgumentError: `device_name` is not of this form.
        BackendError: The engine finds no such device.

    Example:

    >>> import keraunos as keras
    >>> with keras.device("cpu:0"):
    ...     x = keras.ops.ones(3)
    """
    found = re.fullmatch(r"(cpu|gpu|cuda|tpu|mps)(?::(\d+))?", device_name.lower()) if isinstance(device_name, str) else None
    if found is None:
        raise ArgumentError(
            "There is no such form of a device's name.", where="device", received=repr(device_name), expected='"cpu", "gpu:0", "tpu:0" or the like'
        )
    engine, kind = active(), found[1].replace("cuda", "gpu")
    context = engine.place(kind, int(found[2] or 0))
    if context is None:
        raise BackendError(
            f"The {engine.name} backend finds no device '{device_name}'.", where="device", fix=f"use one of {', '.join(engine.devices())}", code="KR701"
        )
    return context


def floatx() -> str:
    """The dtype of floats where none is given: "float32" unless set otherwise."""
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Set the dtype of floats: "float16", "bfloat16", "float32" or "float64"."""
    _settings["floatx"] = one_of("floatx", value, ("float16", "bfloat16", "float32", "float64"))


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite (1e-7 unless set otherwise)."""
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the number that `epsilon()` returns."""
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """Where images have their channels: "channels_last" or "channels_first"."""
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set where images have their channels: "channels_last" or "channels_first"."""
    _settings["image_data_format"] = one_of("image_data_format", str(data_format), _DATA_FORMATS)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format`, checked; None is `image_data_format()`."""
    return image_data_format() if data_format is None else one_of("data_format", data_format, _DATA_FORMATS)


def enable_traceback_filtering() -> None:
    """Show only the user's frames and the last of ours in tracebacks (the default)."""
    _settings["filter_tracebacks"] = True


def disable_traceback_filtering() -> None:
    """Show every frame in tracebacks."""
    _settings["filter_tracebacks"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks are filtered."""
    return _settings["filter_tracebacks"]


def enable_interactive_logging() -> None:
    """Draw progress bars where the output is a terminal or a notebook (the default)."""
    _settings["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Draw no progress bars."""
    _settings["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress bars are drawn."""
    return _settings["interactive_logging"]


def enable_unsafe_deserialization() -> None:
    """From now on, let files and configs run code that they hold, such as that of lambdas: only where you trust all that the process reads."""
    _settings["unsafe"] = True


def is_unsafe_deserialization_enabled() -> bool:
    """Whether files and configs may run code that they hold."""
    return _settings["unsafe"]


def enable_checks() -> None:
    """Check the first batch of a run for mistakes that would train silently (the default)."""
    _settings["checks"] = True


def disable_checks() -> None:
    """Leave the first batch of a run unchecked."""
    _settings["checks"] = False


def are_checks_enabled() -> bool:
    """Whether the first batch of a run is checked."""
    return _settings["checks"]


_SETTERS = {"floatx": set_floatx, "epsilon": set_epsilon, "image_data_format": set_image_data_format}
for _name, _value in _file_settings().items():
    if _name in _SETTERS:
        _SETTERS[_name](_value)
