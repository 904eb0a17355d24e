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
    "distribution": None,
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

    Example:

    >>> import keraunos as keras
    >>> former = keras.config.backend()
    >>> keras.set_backend("numpy"); type(keras.ops.ones(2)).__name__
    'ndarray'
    >>> keras.set_backend(former)
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
        fact = "There is no such form of a device's name."
        raise ArgumentError(fact, where="device", received=repr(device_name), expected='"cpu", "gpu:0", "tpu:0" or the like')
    engine, kind = active(), found[1].replace("cuda", "gpu")
    context = engine.place(kind, int(found[2] or 0))
    if context is None:
        fix = f"use one of {', '.join(engine.devices())}"
        raise BackendError(f"The {engine.name} backend finds no device '{device_name}'.", where="device", fix=fix, code="KR701")
    return context


def distribution() -> Any:
    """The distribution of models over devices that is in force; None without one.

    Example:

    >>> import keraunos as keras
    >>> with keras.distribution.DataParallel(devices=["cpu:0"]).scope():
    ...     keras.distribution.distribution()
    <DataParallel over <DeviceMesh batch=1>>
    """
    return scope.distribution or _settings["distribution"]


def set_distribution(value: Any) -> None:
    """Put a distribution in force for the process, or None."""
    _settings["distribution"] = value


def distribution_on(engine: Any) -> Any:
    """The distribution in force if it is of an engine; None without one."""
    found = distribution()
    return found if found is not None and found.engine is engine else None


def floatx() -> str:
    """The dtype of floats where none is given: "float32" unless set otherwise.

    Example:

    >>> import keraunos as keras
    >>> keras.config.floatx()
    'float32'
    """
    return _settings["floatx"]


def set_floatx(value: str) -> None:
    """Set the dtype of floats where none is given.

    Args:
        value: "float16", "bfloat16", "float32" or "float64".

    Raises:
        ArgumentError: It is none of these.

    Example:

    >>> import keraunos as keras
    >>> keras.config.set_floatx("float16"); keras.layers.Dense(2).dtype
    'float16'
    >>> keras.config.set_floatx("float32")
    """
    _settings["floatx"] = one_of("floatx", value, ("float16", "bfloat16", "float32", "float64"))


def epsilon() -> float:
    """The small number that keeps divisions and logarithms finite (1e-7 unless set otherwise).

    Example:

    >>> import keraunos as keras
    >>> keras.config.epsilon()
    1e-07
    """
    return _settings["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the number that `epsilon()` returns.

    Args:
        value: The number.

    Example:

    >>> import keraunos as keras
    >>> keras.config.set_epsilon(1e-5); keras.config.epsilon()
    1e-05
    >>> keras.config.set_epsilon(1e-7)
    """
    _settings["epsilon"] = float(value)


def image_data_format() -> str:
    """Where images have their channels: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.config.image_data_format()
    'channels_last'
    """
    return _settings["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set where images have their channels.

    Args:
        data_format: "channels_last", for `(batch, height, width, channels)`, or "channels_first".

    Raises:
        ArgumentError: It is neither.

    Example:

    >>> import keraunos as keras
    >>> keras.config.set_image_data_format("channels_first")
    >>> keras.layers.Conv2D(8, 3).compute_output_shape((None, 3, 32, 32))
    (None, 8, 30, 30)
    >>> keras.config.set_image_data_format("channels_last")
    """
    _settings["image_data_format"] = one_of("image_data_format", str(data_format), _DATA_FORMATS)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format`, checked; None is `image_data_format()`."""
    return image_data_format() if data_format is None else one_of("data_format", data_format, _DATA_FORMATS)


def enable_traceback_filtering() -> None:
    """Show only the user's frames and the last of ours in tracebacks (the default).

    Example:

    >>> import keraunos as keras
    >>> keras.config.enable_traceback_filtering(); keras.config.is_traceback_filtering_enabled()
    True
    """
    _settings["filter_tracebacks"] = True


def disable_traceback_filtering() -> None:
    """Show every frame in tracebacks.

    Example:

    >>> import keraunos as keras
    >>> keras.config.disable_traceback_filtering(); keras.config.is_traceback_filtering_enabled()
    False
    >>> keras.config.enable_traceback_filtering()
    """
    _settings["filter_tracebacks"] = False


def is_traceback_filtering_enabled() -> bool:
    """Whether tracebacks are filtered.

    Example:

    >>> import keraunos as keras
    >>> keras.config.is_traceback_filtering_enabled()
    True
    """
    return _settings["filter_tracebacks"]


def enable_interactive_logging() -> None:
    """Draw progress bars where the output is a terminal or a notebook (the default).

    Example:

    >>> import keraunos as keras
    >>> keras.config.enable_interactive_logging(); keras.config.is_interactive_logging_enabled()
    True
    """
    _settings["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Draw no progress bars.

    Example:

    >>> import keraunos as keras
    >>> keras.config.disable_interactive_logging(); keras.config.is_interactive_logging_enabled()
    False
    >>> keras.config.enable_interactive_logging()
    """
    _settings["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Whether progress bars are drawn.

    Example:

    >>> import keraunos as keras
    >>> keras.config.is_interactive_logging_enabled()
    True
    """
    return _settings["interactive_logging"]


def enable_unsafe_deserialization() -> None:
    """From now on, let files and configs run code that they hold, such as that of lambdas: only where you trust all that the process reads.

    There is no way back in the process: to trust one file, `load_model(path, safe_mode=False)` is enough.

    Example:

    >>> import subprocess, sys
    >>> program = "import keraunos as keras; keras.config.enable_unsafe_deserialization()"  # in a process of its own
    >>> subprocess.run([sys.executable, "-c", program]).returncode
    0
    """
    _settings["unsafe"] = True


def is_unsafe_deserialization_enabled() -> bool:
    """Whether files and configs may run code that they hold."""
    return _settings["unsafe"]


def enable_checks() -> None:
    """Check the first batch of a run for mistakes that would train silently (the default).

    Example:

    >>> import keraunos as keras
    >>> keras.config.enable_checks(); keras.config.are_checks_enabled()
    True
    """
    _settings["checks"] = True


def disable_checks() -> None:
    """Leave the first batch of a run unchecked.

    Example:

    >>> import keraunos as keras
    >>> keras.config.disable_checks(); keras.config.are_checks_enabled()
    False
    >>> keras.config.enable_checks()
    """
    _settings["checks"] = False


def are_checks_enabled() -> bool:
    """Whether the first batch of a run is checked.

    Example:

    >>> import keraunos as keras
    >>> keras.config.are_checks_enabled()
    True
    """
    return _settings["checks"]


_SETTERS = {"floatx": set_floatx, "epsilon": set_epsilon, "image_data_format": set_image_data_format}
for _name, _value in _file_settings().items():
    if _name in _SETTERS:
        _SETTERS[_name](_value)
