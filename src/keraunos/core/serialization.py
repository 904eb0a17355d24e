"""Objects as JSON, as Keras writes them, and back through a closed registry.

A class in a file is found by its public name here or among what the user registered; nothing is
imported by a name in a file.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import inspect
import itertools
import marshal
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from keraunos.core import config as settings
from keraunos.core.dtypes import BITS
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ModelFileError, suggestion
from keraunos.core.frames import warn
from keraunos.core.scope import scope, within
from keraunos.core.upgrading import modern_class, modern_config

# The public namespaces that a config may name, as Keras calls them.
NAMESPACES = (
    "layers", "models", "initializers", "regularizers", "constraints", "activations", "losses", "metrics", "optimizers", "callbacks", "dtype_policies",
    "random", "ops", "optimizers.schedules",
)  # fmt: skip
# What Keras writes for our modules, where that is not their public namespace.
_MODULES = {"models.functional": "keras.src.models.functional", "core": "keras", "models": "keras", "dtype_policies": "keras"}
_MODULES |= {"optimizers.schedules": "keras.optimizers.schedules", "dtype_policies.DTypePolicyMap": "keras.dtype_policies"}

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name", "get_registered_object",
    "register_keras_serializable", "serialize_keras_object",
]  # fmt: skip

# Of these a file may name functions, but not those that look up and make things.
_OF_FUNCTIONS = {"activations", "losses", "metrics", "layers", "ops", "random"}
_HELPERS = {"deserialize", "get", "serialize"}
TRUSTED = "only if you trust where it comes from: load_model(path, safe_mode=False), or keras.config.enable_unsafe_deserialization()"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
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
    if not isinstance(package, str):
        raise ArgumentTypeError("The package is a name.", where="package", received=repr(package)[:100], fix="@keras.saving.register_keras_serializable()")

    def decorate(item: Any) -> Any:
        if not hasattr(item, "__name__"):
            raise ArgumentTypeError("Only classes and functions can be registered.", received=type(item).__name__, fix="register its class")
        if inspect.isclass(item) and not hasattr(item, "get_config"):
            raise ArgumentError(f"{item.__name__} cannot be registered: it has no get_config method.", fix="define get_config(self)")
        _names[item] = f"{package}>{name or item.__name__}"
        _registered[_names[item]] = item
        return item

    return decorate


def get_registered_name(obj: Any) -> str:
    """The name under which a class or function is registered, else its own.

    Args:
        obj: The class or function.

    Example:

    >>> import keraunos as keras
    >>> @keras.saving.register_keras_serializable(package="shop")
    ... def price(y_true, y_pred):
    ...     return keras.ops.abs(y_true - y_pred)
    >>> keras.saving.get_registered_name(price), keras.saving.get_registered_name(sum)
    ('shop>price', 'sum')
    """
    name = _names.get(obj) or obj.__name__
    if scope.noted is not None and not obj.__module__.startswith("keraunos."):
        scope.noted[name] = obj
    return name


def get_registered_object(name: str, custom_objects: dict[str, Any] | None = None, module_objects: dict[str, Any] | None = None) -> Any:
    """The class or function registered under `name`, or None.

    Args:
        name: The name, with its package: "shop>price".
        custom_objects: Classes and functions by name, which go before those registered.
        module_objects: Those that are looked up last.

    Example:

    >>> import keraunos as keras
    >>> @keras.saving.register_keras_serializable(package="shop")
    ... def margin(y_true, y_pred):
    ...     return y_true - y_pred
    >>> keras.saving.get_registered_object("shop>margin") is margin, keras.saving.get_registered_object("shop>other")
    (True, None)
    """
    for table in (scope.custom_objects, custom_objects, _registered, module_objects):
        if table and name in table:
            return table[name]
    return None


def get_custom_objects() -> dict[str, Any]:
    """What is registered, by name; may be changed in place.

    Example:

    >>> import keraunos as keras
    >>> keras.saving.get_custom_objects()["cube"] = lambda x: x**3
    >>> keras.layers.Activation("cube")(keras.ops.array([2.0])).shape == (1,)
    True
    >>> del keras.saving.get_custom_objects()["cube"]
    """
    return _registered


@contextlib.contextmanager
def custom_object_scope(custom_objects: dict[str, Any] | None) -> Iterator[None]:
    """Make classes and functions known by name for a block of loading.

    Args:
        custom_objects: The classes and functions by name.

    Raises:
        ArgumentTypeError: They are not given by name.

    Example:

    >>> import keraunos as keras
    >>> class Double(keras.layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> config = keras.layers.serialize(Double(name="double"))
    >>> with keras.saving.custom_object_scope({"Double": Double}):
    ...     keras.layers.deserialize(config).name
    'double'
    """
    if not isinstance(custom_objects, (Mapping, types.NoneType)):
        received, fix = type(custom_objects).__name__, "custom_objects={'MyLayer': MyLayer}"
        raise ArgumentTypeError("Custom objects are given as a dict, by name.", where="custom_objects", received=received, fix=fix)
    with within(custom_objects={**(scope.custom_objects or {}), **(custom_objects or {})}):
        yield


CustomObjectScope = custom_object_scope


def serialize_keras_object(obj: Any) -> Any:
    """An object as JSON-ready values: its module, class, config and registered name.

    Example:

    >>> import keraunos as keras
    >>> keras.saving.serialize_keras_object(keras.initializers.Zeros())["class_name"]
    'Zeros'
    """
    if obj is None or isinstance(obj, (str, int, float)):
        return obj
    if isinstance(obj, tuple):
        return {"class_name": "__tuple__", "config": {"value": [serialize_keras_object(x) for x in obj]}}
    if isinstance(obj, (list, dict)):
        return map_items(serialize_keras_object, obj)
    if isinstance(obj, slice):
        return {"class_name": "__slice__", "config": {part: serialize_keras_object(getattr(obj, part)) for part in ("start", "stop", "step")}}
    if obj is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if inspect.isfunction(obj) or inspect.isbuiltin(obj):
        if obj.__name__ == "<lambda>" and obj not in _names:
            return _lambda_config(obj)
        return {"module": "builtins", "class_name": "function", "config": get_registered_name(obj), "registered_name": "function"}
    if hasattr(obj, "get_config"):
        return _object_config(obj)
    if hasattr(obj, "dtype") and hasattr(obj, "__array__"):
        import numpy as np

        value = np.asarray(obj.detach() if hasattr(obj, "detach") else obj)  # a tensor of PyTorch may be one with gradients
        return value.item() if value.ndim == 0 else {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    fact = f"An object of class {type(obj).__name__} cannot be written: it has no get_config method."
    raise ArgumentError(fact, where=type(obj).__name__, fix="give its class get_config(self) and from_config(cls, config)")


def _object_config(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    package, _, inner = cls.__module__.partition(".")
    space = inner.partition(".")[0]
    module = None if cls.__module__ == "__main__" else cls.__module__
    if package == "keraunos":
        module = _MODULES.get(f"{inner}.{cls.__name__}") or _MODULES.get(inner) or _MODULES.get(space) or f"keras.{space}"
    registered = None if package == "keraunos" and cls.__name__ != "Functional" else get_registered_name(cls)
    name = vars(cls).get("public_name", cls.__name__)
    serialized = {"module": module, "class_name": name, "config": serialize_value(obj.get_config()), "registered_name": registered}
    if hasattr(obj, "get_compile_config"):
        serialized["compile_config"] = obj.get_compile_config() or {}
    if hasattr(obj, "get_build_config"):
        if (build_config := obj.get_build_config()) is not None:
            serialized["build_config"] = serialize_value(build_config)
        if scope.sharing is not None:  # a layer in two places of a file stays one layer
            number, _, first = scope.sharing.setdefault(id(obj), (len(scope.sharing) + 1, obj, serialized))
            if first is not serialized:
                first["shared_object_id"] = serialized["shared_object_id"] = number
    return serialized


def _lambda_config(function: Any) -> dict[str, Any]:
    """A lambda as Keras writes it, its code included; only `safe_mode=False` reads it."""
    if scope.noted is None:  # a pickle is read as it is
        fact, fix = "A lambda is written to the file: only load_model(…, safe_mode=False) will read it.", "Use a named, registered function instead."
        warn(f"{fact} {fix}")
    code = base64.encodebytes(marshal.dumps(function.__code__)).decode("ascii")
    defaults = serialize_keras_object(list(function.__defaults__)) if function.__defaults__ else None
    closure = [serialize_keras_object(cell.cell_contents) for cell in function.__closure__] if function.__closure__ else None
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": defaults, "closure": closure}}


def is_safe() -> bool:
    """Whether code in files and configs is refused, as it is unless someone said otherwise."""
    return scope.safe_mode and not settings.is_unsafe_deserialization_enabled()


def _lambda_of(config: dict[str, Any]) -> Any:
    if is_safe():
        fact = "The file contains a Python lambda: loading it would run code from the file."
        raise ModelFileError(fact, fix=f"{TRUSTED}. Better: write the model with a named, registered function")
    keras = importlib.import_module("keraunos")
    known = {"__builtins__": __builtins__, "keras": keras, "ops": keras.ops, "np": importlib.import_module("numpy")}
    code = marshal.loads(base64.decodebytes(config["code"].encode("ascii")))
    defaults, closure = (tuple(object_from(config.get(part)) or ()) for part in ("defaults", "closure"))
    return types.FunctionType(code, known, "<lambda>", defaults, tuple(map(types.CellType, closure)))


def map_items(function: Callable[[Any], Any], value: Any) -> Any:
    """A list, tuple or dict with `function` of each item."""
    if isinstance(value, dict):
        return {key: function(item) for key, item in value.items()}
    return tuple(map(function, value)) if isinstance(value, tuple) else [function(item) for item in value]


def serialize_value(value: Any) -> Any:
    """A config value in a form that JSON can hold; names for functions of ours, tuples as they are."""
    if isinstance(value, (list, tuple, dict)):
        written = isinstance(value, dict) and {"class_name", "config", "registered_name"} <= value.keys()
        return value if written else map_items(serialize_value, value)
    if inspect.isfunction(value) and value.__module__.startswith("keraunos.") and value not in _names:
        return value.__name__
    return serialize_keras_object(value)


def _describes_object(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict) and "class_name" in value and "config" in value


def deserialize_value(value: Any) -> Any:
    """The inverse of `serialize_value`: dicts that describe objects become the objects."""
    if _describes_object(value):
        return object_from(value)
    return map_items(deserialize_value, value) if isinstance(value, (list, tuple, dict)) else value


def deserialize_keras_object(config: Any, custom_objects: dict[str, Any] | None = None, safe_mode: bool = True, **kwargs: Any) -> Any:
    """An object from what `serialize_keras_object` returned.

    Args:
        config: The JSON-ready values.
        custom_objects: Classes and functions by name, beside those registered.
        safe_mode: Refuse what could run code from the file.
        **kwargs: `module_objects`, where names are looked up after those; `printable_module_name`, which Keras 2 had for messages.

    Raises:
        ModelFileError: A class is unknown, or refused.

    Example:

    >>> import keraunos as keras
    >>> config = keras.saving.serialize_keras_object(keras.layers.Dense(3))
    >>> keras.saving.deserialize_keras_object(config).units
    3
    """
    known = kwargs.pop("module_objects", None)
    if unknown := next((key for key in kwargs if key != "printable_module_name"), None):
        raise ArgumentTypeError(f"deserialize_keras_object has no argument '{unknown}'.", where="deserialize_keras_object", fix="leave it out")
    with custom_object_scope(custom_objects), within(safe_mode=safe_mode and scope.safe_mode):
        return object_from(config, known)


def object_from(config: Any, known: Mapping[str, Any] | None = None) -> Any:
    """The same with what is in force; a name is looked up in `known` before our public namespaces."""
    if config is None or isinstance(config, (int, float)):
        return config
    if isinstance(config, str):
        return get_registered_object(config) or config
    if not isinstance(config, (list, tuple, dict)):
        raise ModelFileError("A config holds something that is not an object.", received=type(config).__name__, fix="use the config as get_config gave it")
    if not _describes_object(config):
        return map_items(object_from, config)
    name, inner = str(config["class_name"]), config["config"]
    if name in _SPECIAL:
        return _SPECIAL[name](inner)
    if name == "function":
        return _find(str(inner), None, "builtins", known or {})
    shared = (scope.sharing or {}).get(config.get("shared_object_id"))
    if shared is not None:
        return shared
    if get_registered_object(name) is None:
        name, inner = modern_class(name, inner)
    module = config.get("module", "keras")
    cls = _find(name, config.get("registered_name"), module and str(module).removeprefix("tf_"), known or {})  # tf_keras: the last of Keras 2
    if not hasattr(cls, "from_config"):
        fact = f"'{name}' cannot be made from a config: it has no from_config method."
        raise ModelFileError(fact, fix="derive it from keras.layers.Layer, or define from_config(cls, config)")
    inner = inner or {}
    if isinstance(inner, dict) and isinstance(own := inner.get("name"), str) and _CONTROL.search(own):
        raise ModelFileError("A name in the config has control codes in it.", received=f"name={own!r}", fix="do not load it: nothing is named so on purpose")
    if not isinstance(inner, dict) and inspect.isclass(cls) and cls.__module__.startswith("keraunos.") and name != "Sequential":  # once a list of its layers
        raise ModelFileError(f"The config of '{name}' is not a dict.", received=type(inner).__name__, fix="use the config as get_config gave it")
    maker: Any = cls
    instance = maker.from_config(modern_config(cls, inner) if isinstance(inner, dict) and inspect.isclass(cls) else inner)
    if config.get("build_config") and hasattr(instance, "build_from_config"):
        instance.build_from_config(config["build_config"])
    if config.get("compile_config") and hasattr(instance, "compile_from_config"):
        instance.compile_from_config(config["compile_config"])
    if scope.sharing is not None and "shared_object_id" in config:
        scope.sharing[config["shared_object_id"]] = instance
    return instance


def _array_of(config: dict[str, Any]) -> Any:
    import numpy as np

    if (dtype := config["dtype"]) not in BITS:
        raise ModelFileError("The config holds an array of an unknown dtype.", received=f"dtype={dtype!r}", fix="save it again with arrays of numbers")
    return np.array(config["value"], dtype=dtype)


_SPECIAL: dict[str, Callable[[Any], Any]] = {
    "__tuple__": lambda config: tuple(map(object_from, config["value"])),
    "__slice__": lambda config: slice(*(object_from(config[part]) for part in ("start", "stop", "step"))),
    "__ellipsis__": lambda config: ...,
    "__numpy__": _array_of,
    "__tensor__": _array_of,
    "__lambda__": _lambda_of,
}


def _find(name: str, registered_name: Any, module: Any, known: Mapping[str, Any]) -> Any:
    """The class or function of a config: the user's, one in `known`, or a public one of ours, at first of the namespace in `module`."""
    found = get_registered_object(str(registered_name)) or get_registered_object(name)
    if found is not None:
        return found
    parts = str(module).split(".")
    spaces = [space for space in NAMESPACES if parts[0] == "keras" or (space in _OF_FUNCTIONS and name not in _HELPERS)]
    if parts[0] in ("keras", "builtins"):
        ordered = map(_public, sorted(spaces, key=lambda space: space.rpartition(".")[2] not in parts))
        for found in itertools.chain([known.get(name)], (getattr(space, name) for space in ordered if name in space.__all__)):
            if found is not None and inspect.isclass(found) == (parts[0] == "keras"):
                return found
    users = [n.rpartition(">")[2] for n in (*_registered, *(scope.custom_objects or ())) if not n.startswith("keraunos>")]
    near = suggestion(name, [*users, *known, *(n for space in spaces for n in _public(space).__all__)]) if parts[0] == "keras" else ""
    fix = f"pass custom_objects={{'{name}': {name}}}, or decorate it with @keras.saving.register_keras_serializable(). {near}".rstrip()
    if parts[0] not in ("keras", "builtins", "None", "__main__") and parts[0] not in sys.stdlib_module_names:
        fix = f"if '{module}' registers it: import that module first, files import nothing by themselves. Otherwise {fix}"
    where, received = (f"{module}.{name}", f"module={module!r}") if module else (name, None)
    raise ModelFileError(f"The class or function '{name}' is not known.", where=where, received=received, fix=fix, code="KR601")


def _public(namespace: str) -> Any:
    return importlib.import_module(f"keraunos.{namespace}")
