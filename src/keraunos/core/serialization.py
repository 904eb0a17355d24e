"""Objects as JSON, as Keras writes them, and back through a closed registry.

A class in a file is found by its public name here or among what the user registered; nothing is
imported by a name in a file.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from keraunos.core.errors import ArgumentError, ModelFileError, suggestion
from keraunos.core.scope import scope, within

# The public namespaces that a config may name, as Keras calls them.
NAMESPACES = ("layers", "models", "initializers", "regularizers", "constraints", "activations", "losses", "metrics", "optimizers", "callbacks", "dtype_policies", "random")

_registered: dict[str, Any] = {}
_names: dict[Any, str] = {}


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Register a class or function, so that files that contain it can be loaded.

    Args:
        package: What stands before `>` in the registered name.
        name: The class's own name by default.

    Example:

    >>> import keraunos as keras
    >>> @keras.saving.register_keras_serializable(package="mine")
    ... class Double(keras.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> keras.saving.get_registered_name(Double)
    'mine>Double'
    """

    def decorate(item: Any) -> Any:
        if inspect.isclass(item) and not hasattr(item, "get_config"):
            raise ArgumentError(f"{item.__name__} cannot be registered: it has no get_config method.", fix="define get_config(self)")
        registered = f"{package}>{name or item.__name__}"
        _registered[registered] = item
        _names[item] = registered
        return item

    return decorate


def get_registered_name(item: Any) -> str:
    """The name under which a class or function is registered, else its own."""
    return _names.get(item) or item.__name__


def get_registered_object(name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None) -> Any:
    """The class or function registered under `name`, or None."""
    for table in (scope.custom_objects, custom_objects, _registered, module_objects):
        if table and name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """What is registered, by name; may be changed in place."""
    return _registered


@contextlib.contextmanager
def custom_object_scope(objects: dict[str, Any]) -> Iterator[None]:
    """Make classes and functions known by name for a block of loading."""
    with within(custom_objects={**(scope.custom_objects or {}), **objects}):
        yield


def public_module(item: Any) -> str | None:
    """The public namespace of one of our classes as Keras writes it, such as "keras.layers"; else None."""
    parts = item.__module__.split(".")
    if parts[0] != "keraunos" or len(parts) < 2:
        return None
    if item.__name__ in ("Sequential", "Model") and parts[1] == "models":
        return "keras"
    if item.__name__ == "Functional" and parts[1] == "models":
        return "keras.src.models.functional"
    return f"keras.{parts[1]}" if parts[1] != "core" else "keras"


def serialize_keras_object(obj: Any) -> Any:
    """An object as JSON-ready values: its module, class, config and registered name.

    Example:

    >>> import keraunos as keras
    >>> keras.saving.serialize_keras_object(keras.initializers.Zeros())["class_name"]
    'Zeros'
    """
    if obj is None or isinstance(obj, (str, int, float, bool)):
        return obj
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "config": {"value": [serialize_keras_object(x) for x in obj]}}
    if isinstance(obj, list):
        return [serialize_keras_object(x) for x in obj]
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if type(obj).__module__ == "numpy":
        return obj.item() if obj.ndim == 0 else {"class_name": "__numpy__", "config": {"value": obj.tolist(), "dtype": obj.dtype.name}}
    if inspect.isfunction(obj) or inspect.isbuiltin(obj):
        name = get_registered_name(obj)
        if obj.__module__.startswith("keraunos."):
            return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
        if obj.__name__ == "<lambda>":
            raise ArgumentError("A lambda cannot be written to a file.", fix="define a function with a name, and decorate it with @keras.saving.register_keras_serializable()")
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    if not hasattr(obj, "get_config"):
        raise ArgumentError(f"An object of class {type(obj).__name__} cannot be written: it has no get_config method.", fix="give its class get_config(self) and from_config(cls, config)")
    cls = type(obj)
    module = public_module(cls)
    registered = None if module else get_registered_name(cls)
    serialized = {"module": module if module else cls.__module__, "class_name": cls.__name__, "config": serialize_value(obj.get_config()), "registered_name": registered}
    build_config = obj.get_build_config() if hasattr(obj, "get_build_config") else None
    if build_config is not None:
        serialized["build_config"] = serialize_value(build_config)
    return serialized


def serialize_value(value: Any) -> Any:
    """A config value in a form that JSON can hold; names for functions of ours, tuples as they are."""
    if isinstance(value, (list, tuple)):
        return type(value)(serialize_value(x) for x in value)
    if isinstance(value, dict):
        return {key: serialize_value(x) for key, x in value.items()}
    if inspect.isfunction(value) and value.__module__.startswith("keraunos.") and value not in _names:
        return value.__name__
    return serialize_keras_object(value)


def deserialize_value(value: Any) -> Any:
    """The inverse of `serialize_value`: dicts that describe objects become the objects."""
    if isinstance(value, dict):
        if "class_name" in value and "config" in value:
            return deserialize_keras_object(value)
        return {key: deserialize_value(x) for key, x in value.items()}
    if isinstance(value, list):
        return [deserialize_value(x) for x in value]
    return value


def deserialize_keras_object(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True) -> Any:
    """An object from what `serialize_keras_object` returned.

    Args:
        config: The JSON-ready values.
        custom_objects: Classes and functions by name, beside those registered.
        safe_mode: Refuse what could run code from the file.

    Raises:
        ModelFileError: A class is unknown, or refused.
    """
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize_keras_object(config, safe_mode=safe_mode)
    if config is None or isinstance(config, (int, float, bool)):
        return config
    if isinstance(config, str):
        return get_registered_object(config) or config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(x, safe_mode=safe_mode) for x in config]
    if not isinstance(config, dict):
        raise ModelFileError("A config holds something that is not an object.", received=type(config).__name__)
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value, safe_mode=safe_mode) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if name == "__tuple__":
        return tuple(deserialize_keras_object(x, safe_mode=safe_mode) for x in inner["value"])
    if name == "__numpy__":
        import numpy as np

        return np.array(inner["value"], dtype=inner["dtype"])
    if name == "function":
        return _find(str(inner), config.get("registered_name"), None)
    if name == "__lambda__":
        raise ModelFileError("The file contains a Python lambda, which would run code from the file.", fix="write the model with a named, registered function instead")
    cls = _find(str(name), config.get("registered_name"), config.get("module"))
    if not hasattr(cls, "from_config"):
        raise ModelFileError(f"'{name}' cannot be made from a config: it has no from_config method.")
    instance = cls.from_config(inner)
    build_config = config.get("build_config")
    if build_config and hasattr(instance, "build_from_config"):
        instance.build_from_config(build_config)
    return instance


def _find(name: str, registered_name: Any, module: Any) -> Any:
    for key in (registered_name, name):
        if isinstance(key, str) and (found := get_registered_object(key)) is not None:
            return found
    if module is None or (isinstance(module, str) and (module == "keras" or module.startswith(("keras.", "builtins")))):
        parts = (module or "").split(".")
        preferred = [n for n in NAMESPACES if n in parts]
        for namespace in (*preferred, *(n for n in NAMESPACES if n not in preferred)):
            found = public_object(namespace, name)
            if found is not None:
                return found
    known = [n.rpartition(">")[2] for n in _registered]
    options = [*known, *(n for space in NAMESPACES for n in public_names(space))]
    raise ModelFileError(
        f"The class or function '{name}' is not known.",
        received=f"module={module!r}" if module else None,
        fix=f"pass custom_objects={{'{name}': {name}}}, or decorate it with @keras.saving.register_keras_serializable(). {suggestion(name, options) if not module else ''}",
    )


def public_names(namespace: str) -> list[str]:
    """The public names of one of our namespaces, such as "layers"."""
    try:
        module = importlib.import_module(f"keraunos.{namespace}")
    except ModuleNotFoundError:
        return []
    return list(getattr(module, "__all__", ()))


def public_object(namespace: str, name: str) -> Any:
    """The public class or function `name` of one of our namespaces, or None."""
    return getattr(importlib.import_module(f"keraunos.{namespace}"), name, None) if name in public_names(namespace) else None
