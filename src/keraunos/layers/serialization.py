"""Layers from configs, and configs from layers."""

from __future__ import annotations

from typing import Any

from keraunos.core.errors import ArgumentError
from keraunos.core.serialization import deserialize_keras_object, serialize_keras_object
from keraunos.layers.layer import Layer


def serialize(layer: Layer) -> dict[str, Any]:
    """The class and the config of a layer, ready for JSON.

    Args:
        layer: The layer.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.serialize(keras.layers.Dense(2))["class_name"]
    'Dense'
    """
    return serialize_keras_object(layer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """A layer from what `serialize` returned.

    Args:
        config: The class and the config.
        custom_objects: Classes and functions by name, beside those registered.

    Raises:
        ArgumentError: This is not the config of a layer.
        ModelFileError: The class is not known.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.deserialize({"class_name": "Dense", "config": {"units": 2}}).units
    2
    """
    found = deserialize_keras_object(config, custom_objects)
    if not isinstance(found, Layer):
        fact = "This is not the config of a layer."
        raise ArgumentError(fact, where="layers.deserialize", received=type(found).__name__, fix="pass what keras.layers.serialize(layer) gave")
    return found
