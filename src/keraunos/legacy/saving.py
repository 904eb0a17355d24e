"""Objects as Keras 1 and 2 wrote them: the class's name and its config, without its module."""

from __future__ import annotations

import inspect
from typing import Any

from keraunos.core.errors import ArgumentError, suggestion
from keraunos.core.missing import answer_for
from keraunos.core.serialization import custom_object_scope, get_registered_name, get_registered_object, object_from

__all__ = ["deserialize_keras_object", "serialize_keras_object"]


def serialize_keras_object(instance: Any) -> Any:
    """The class's name and the config of an object, or the name of a function.

    Raises:
        ArgumentError: It has neither.

    Example:

    >>> import keraunos as keras
    >>> keras.legacy.saving.serialize_keras_object(keras.initializers.Zeros())
    {'class_name': 'Zeros', 'config': {}}
    """
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {"class_name": get_registered_name(type(instance)), "config": instance.get_config()}
    if hasattr(instance, "__name__"):
        return get_registered_name(instance)
    fix = "give its class get_config(self) and from_config(cls, config)"
    raise ArgumentError("This object has no config, and no name.", where="serialize_keras_object", received=type(instance).__name__, fix=fix)


def deserialize_keras_object(
    identifier: Any, module_objects: dict[str, Any] | None = None, custom_objects: dict[str, Any] | None = None, printable_module_name: str = "object"
) -> Any:
    """The inverse of `serialize_keras_object`; configs of any version of Keras are taken.

    Args:
        identifier: The config, or a name. None, classes' instances and functions are returned as they are.
        module_objects: Classes and functions by name.
        custom_objects: Those that go before them.
        printable_module_name: What messages call such an object.

    Raises:
        ArgumentError: It is not the config of an object, or there is none of that name.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.legacy.saving.deserialize_keras_object({"class_name": "Dense", "config": {"output_dim": 3}}, {"Dense": keras.layers.Dense})
    >>> layer.units
    3
    """
    if identifier is None or inspect.isfunction(identifier):
        return identifier
    known = module_objects or {}
    with custom_object_scope(custom_objects):
        if isinstance(identifier, str):
            found = get_registered_object(identifier, module_objects=known)
            if found is None:
                raise ArgumentError(f"There is no {printable_module_name} '{identifier}'.", where="identifier", fix=suggestion(identifier, known))
            return found() if inspect.isclass(found) else found
        if isinstance(identifier, dict) and {"class_name", "config"} <= identifier.keys():
            return object_from(identifier, known)
    expected = "a dict with 'class_name' and 'config', or a name"
    fix = f"pass what {__name__.replace('keraunos', 'keras')}.serialize_keras_object returned"
    fact = f"This is not the config of an {printable_module_name}."
    raise ArgumentError(fact, where="identifier", received=type(identifier).__name__, expected=expected, fix=fix)


answer_for(__name__)
