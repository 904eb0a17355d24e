"""`get`, `serialize` and `deserialize`, as every public namespace of named things has them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from keraunos.core.errors import ArgumentError, suggestion
from keraunos.core.names import to_snake_case
from keraunos.core.serialization import custom_object_scope, get_registered_object, object_from, serialize_keras_object, serialize_value


class Registry:
    """The classes and functions of one kind, found by name.

    Args:
        kind: What they are, as messages call them: "initializer".
        items: Classes and functions by their public names; a class is also found by its name in snake case.
        aliases: Other names, and which item each stands for.
        base: The class that instances derive from. Where it cannot be called, plain functions are refused.

    Example:

    >>> from keraunos.core.fields import Declared
    >>> class Small(Declared):
    ...     value: int = 1
    >>> sizes = Registry("size", {"Small": Small}, {"s": "Small"})
    >>> sizes.get("small").value, sizes.get({"class_name": "Small", "config": {"value": 2}}).value
    (1, 2)
    """

    def __init__(self, kind: str, items: Mapping[str, Any], aliases: Mapping[str, str] | None = None, base: type | None = None):
        self.kind, self.base = kind, base
        self.table = {to_snake_case(name): item for name, item in items.items() if inspect.isclass(item)}
        self.table.update(items)
        self.table.update({alias: items[name] for alias, name in (aliases or {}).items()})
        self.callables = base is None or "__call__" in dir(base)
        self.write = serialize_keras_object if any(map(inspect.isclass, items.values())) else serialize_value  # as Keras: names where all are functions

    def find(self, name: str) -> Any:
        """The class or function called `name`, the user's before ours.

        Raises:
            ArgumentError: There is none.
        """
        found = get_registered_object(name)
        found = self.table.get(name) if found is None else found
        if found is None:
            raise ArgumentError(f"There is no {self.kind} {name!r}.", where=f"{self.kind}={name!r}", fix=suggestion(name, self.table), code="KR801")
        return found

    def get(self, identifier: Any) -> Any:
        """The object for a name, config, class, instance or function; None for None.

        Raises:
            ArgumentError: The name is unknown, or the identifier of another type.
        """
        if identifier is None:
            return None
        if isinstance(identifier, dict):
            return self.deserialize(identifier)
        found = self.find(identifier) if isinstance(identifier, str) else identifier
        if inspect.isclass(found):
            if self.base is None or issubclass(found, self.base):
                return found()
        elif (self.base is not None and isinstance(found, self.base)) or (self.callables and callable(found)):
            return found
        given = found.__name__ if inspect.isclass(found) or inspect.isfunction(found) else type(found).__name__
        what = f"a name, a config, {'an instance of ' + self.base.__name__ if self.base else 'a class'}{' or a function' if self.callables else ''}"
        fact, fix = f"A value of this type is no {self.kind}.", f"{self.kind}s by name: {', '.join(map(repr, list(self.table)[:3]))}, …"
        raise ArgumentError(fact, where=self.kind, received=given, expected=what, fix=fix)

    def serialize(self, item: Any) -> Any:
        """The config of an object, or the name of a function where there are no classes, ready for JSON."""
        return self.write(item)

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The inverse of `serialize`."""
        with custom_object_scope(custom_objects):
            if not isinstance(config, dict):
                return self.get(config)
            if "class_name" not in config or "config" not in config:
                received = f"the keys {sorted(map(str, config))}"
                raise ArgumentError(f"This is not the config of a {self.kind}.", received=received, expected="'class_name' and 'config'")
            return object_from(config, self.table)

    def functions(self, item: str | None = None, config: str = "config") -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
        """`get`, `serialize` and `deserialize` of the public namespace; `item` (`kind` by default) and `config` are what Keras calls their arguments there."""
        return self.get, _renamed(self.serialize, item or self.kind), _renamed(self.deserialize, config)


def _renamed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` with a first argument of another name."""
    signature = inspect.signature(function)
    first, *others = signature.parameters.values()

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        return function(*((kwargs.pop(name),) if name in kwargs else ()), *args, **kwargs)

    renamed.__signature__ = signature.replace(parameters=[first.replace(name=name), *others])  # type: ignore[attr-defined]
    return renamed
