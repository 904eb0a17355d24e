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
NAMESPACES = (
    "layers",
    "models",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "losses",
    "metrics",
    "optimizers",
    "callbacks",
    "dtype_policies",
    "random",
    "ops",
    "optimizers.schedules",
)

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
    if item.__name__ == "Functional":
        return "keras.src.models.functional"
    if parts[1] in ("core", "models", "dtype_policies"):
        return "keras"
    return "keras.optimizers.schedules" if parts[1:3] == ["optimizers", "schedules"] else f"keras.{parts[1]}"


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
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {part: serialize_keras_object(getattr(obj, part)) for part in ("start", "stop", "step")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if inspect.isfunction(obj) or inspect.isbuiltin(obj):
        if obj.__name__ == "<lambda>" and obj not in _names:
            return _lambda_config(obj)
        return {"module": "builtins", "class_name": "function", "config": get_registered_name(obj), "registered_name": "function"}
    if not hasattr(obj, "get_config"):
        if hasattr(obj, "dtype") and hasattr(obj, "__array__"):
            import numpy as np

            value = np.asarray(obj)
            return value.item() if value.ndim == 0 else {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
        raise ArgumentError(
            f"An object of class {type(obj).__name__} cannot be written: it has no get_config method.",
            fix="give its class get_config(self) and from_config(cls, config)",
        )
    cls = type(obj)
    module = public_module(cls)
    registered = None if module and cls.__name__ != "Functional" else get_registered_name(cls)
    written = module or (None if cls.__module__ == "__main__" else cls.__module__)
    serialized = {"module": written, "class_name": cls.__name__, "config": serialize_value(obj.get_config()), "registered_name": registered}
    if hasattr(obj, "get_build_config") and (build_config := obj.get_build_config()) is not None:
        serialized["build_config"] = serialize_value(build_config)
    if hasattr(obj, "get_compile_config"):
        serialized["compile_config"] = obj.get_compile_config() or {}
    if scope.sharing is not None and hasattr(obj, "get_build_config"):  # a layer in two places of a file stays one layer
        serialized["shared_object_id"], _ = scope.sharing.setdefault(id(obj), (len(scope.sharing) + 1, obj))
    return serialized


def _lambda_config(function: Any) -> dict[str, Any]:
    """A lambda as Keras writes it, its code included; only `safe_mode=False` reads it."""
    import base64
    import marshal
    import warnings

    warnings.warn("A lambda is written to the file: only load_model(…, safe_mode=False) will read it. Use a named, registered function instead.", stacklevel=6)
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    closure = [serialize_keras_object(cell.cell_contents) for cell in function.__closure__] if function.__closure__ else None
    return {
        "class_name": "__lambda__",
        "config": {"code": code, "defaults": serialize_keras_object(list(function.__defaults__)) if function.__defaults__ else None, "closure": closure},
    }


def _lambda_of(config: dict[str, Any]) -> Any:
    if scope.safe_mode:
        raise ModelFileError(
            "The file contains a Python lambda: loading it would run code from the file.",
            fix="only if you trust where it comes from: load_model(path, safe_mode=False). Better: write the model with a named, registered function",
        )
    import base64
    import marshal
    import types

    keras = importlib.import_module("keraunos")
    known = {"__builtins__": __builtins__, "keras": keras, "ops": keras.ops, "np": importlib.import_module("numpy")}
    defaults, closure = deserialize_keras_object(config.get("defaults")), deserialize_keras_object(config.get("closure"))
    cells = tuple(types.CellType(x) for x in closure) if closure else None
    return types.FunctionType(
        marshal.loads(base64.decodebytes(config["code"].encode("ascii"))), known, "<lambda>", tuple(defaults) if defaults else None, cells
    )


def serialize_value(value: Any) -> Any:
    """A config value in a form that JSON can hold; names for functions of ours, tuples as they are."""
    if isinstance(value, (list, tuple)):
        return [serialize_value(x) for x in value] if isinstance(value, list) else tuple(serialize_value(x) for x in value)
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
    if not safe_mode and scope.safe_mode:
        with within(safe_mode=False):
            return deserialize_keras_object(config)
    if config is None or isinstance(config, (int, float, bool)):
        return config
    if isinstance(config, str):
        return get_registered_object(config) or config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(x) for x in config]
    if not isinstance(config, dict):
        raise ModelFileError("A config holds something that is not an object.", received=type(config).__name__)
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value) for key, value in config.items()}
    name, inner = config["class_name"], config["config"]
    if name in _SPECIAL:
        return _SPECIAL[name](inner)
    shared = (scope.sharing or {}).get(config.get("shared_object_id"))
    if shared is not None:
        return shared
    cls = _find(str(name), config.get("registered_name"), config.get("module", "keras"))
    if not hasattr(cls, "from_config"):
        raise ModelFileError(f"'{name}' cannot be made from a config: it has no from_config method.")
    instance = cls.from_config(inner)
    if config.get("build_config") and hasattr(instance, "build_from_config"):
        instance.build_from_config(config["build_config"])
    if config.get("compile_config") and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(config["compile_config"])
    if scope.sharing is not None and "shared_object_id" in config:
        scope.sharing[config["shared_object_id"]] = instance
    return instance


def _array_of(config: dict[str, Any]) -> Any:
    import numpy as np

    return np.array(config["value"], dtype=config["dtype"])


_SPECIAL: dict[Any, Callable[[Any], Any]] = {
    "__tuple__": lambda config: tuple(deserialize_keras_object(x) for x in config["value"]),
    "__slice__": lambda config: slice(*(deserialize_keras_object(config[part]) for part in ("start", "stop", "step"))),
    "__ellipsis__": lambda config: ...,
    "__numpy__": _array_of,
    "__tensor__": _array_of,
    "__lambda__": _lambda_of,
    "function": lambda config: _find(str(config), None, "builtins"),
}


def _find(name: str, registered_name: Any, module: Any) -> Any:
    for key in (registered_name, name):
        if isinstance(key, str) and (found := get_registered_object(key)) is not None:
            return found
    parts = module.split(".") if isinstance(module, str) else []
    if parts[:1] in (["keras"], ["builtins"]):
        preferred = [n for n in NAMESPACES if n.rpartition(".")[2] in parts]
        for namespace in (*preferred, *(n for n in NAMESPACES if n not in preferred)):
            found = public_object(namespace, name)
            if found is not None and inspect.isclass(found) == (parts[0] == "keras"):
                return found
    known = [n.rpartition(">")[2] for n in (*_registered, *(scope.custom_objects or ()))]
    own = suggestion(name, [*known, *(n for space in NAMESPACES for n in public_names(space))]) if parts[:1] == ["keras"] else ""
    raise ModelFileError(
        f"The class or function '{name}' is not known.",
        received=f"module={module!r}" if module else None,
        fix=f"pass custom_objects={{'{name}': {name}}}, or decorate it with @keras.saving.register_keras_serializable(). {own}".rstrip(),
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
