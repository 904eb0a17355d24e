"""Model files: `.keras` archives and `.weights.h5` files, as Keras 3 reads and writes them."""

from keraunos.core.missing import missing
from keraunos.core.serialization import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from keraunos.saving.archive import load_model, load_weights, save_model, save_weights

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name", "get_registered_object",
    "load_model", "load_weights", "register_keras_serializable", "save_model", "save_weights", "serialize_keras_object",
]  # fmt: skip


def __getattr__(name: str) -> None:
    missing("saving", name)
