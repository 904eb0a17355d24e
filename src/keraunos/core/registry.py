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
    """The classes and functions of one kind, found by name. The docstrings of its methods are those of the public functions, once these are filled in.

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
        """The {kind} for a name, a config, a class, an object or a function; None for None.

        Args:
            {argument}: A name, as that of the class or in snake case; what `serialize` gave; a class, which is called without arguments; or what there
                is already, which is returned.

        Raises:
            ArgumentError: The name is unknown, or the value of another type.
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
        """What makes an equal {kind} again, as values that JSON can hold: the class and its config in a dict, or the name of a function.

        Args:
            {argument}: The {kind}.
        """
        return self.write(item)

    def deserialize(self, config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
        """The {kind} that `serialize` wrote, made anew.

        Args:
            {argument}: What `serialize` gave, or a name.
            custom_objects: Classes and functions by name, which go before those of Keraunos.

        Raises:
            ArgumentError: There is no {kind} of that name, or it is not such a config.
        """
        with custom_object_scope(custom_objects):
            if not isinstance(config, dict):
                return self.get(config)
            if "class_name" not in config or "config" not in config:
                received = f"the keys {sorted(map(str, config))}"
                raise ArgumentError(f"This is not the config of a {self.kind}.", received=received, expected="'class_name' and 'config'")
            return object_from(config, self.table)

    def functions(
        self, module: str, sample: str, item: str | None = None, config: str = "config"
    ) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
        """`get`, `serialize` and `deserialize` of the public namespace.

        Args:
            module: The namespace's `__name__`.
            sample: What the examples in their docstrings make: a class whose last argument is given by name, such as "MaxNorm(max_value=3)", or a function.
            item: What Keras calls the first argument of `serialize` there; `kind` by default.
            config: What it calls that of `deserialize`.
        """
        space, (name, _, arguments), short = module.replace("keraunos", "keras"), sample.partition("("), to_snake_case(sample.partition("(")[0])
        found, written = f"{space}.get({short!r})", f"{space}.serialize({space}.{sample})"
        read = f"config = {written}\n>>> " + (f"type({space}.deserialize(config)).__name__" if arguments else f"{space}.deserialize(config).__name__")
        examples = {
            "get": (f"type({found}).__name__", name) if inspect.isclass(self.table[short]) else (f"{found}.__name__", short),
            "serialize": (f'{written}["class_name"]' if arguments else written, name),
            "deserialize": (read, name),
        }
        named = {"get": "identifier", "serialize": item or self.kind, "deserialize": config}

        def public(function: Callable[..., Any]) -> Callable[..., Any]:
            name, (code, result) = function.__name__, examples[function.__name__]
            code = code.replace("'", '"')
            renamed = _renamed(function, named[name])
            renamed.__module__, renamed.__qualname__ = module, name
            about = (inspect.getdoc(function) or "").format(kind=self.kind, argument=named[name])
            renamed.__doc__ = f"{about}\n\nExample:\n\n>>> import keraunos as keras\n>>> {code}\n'{result}'\n"
            return renamed

        return public(self.get), public(self.serialize), public(self.deserialize)


def _renamed(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`function` with a first argument of another name."""
    signature = inspect.signature(function)
    first, *others = signature.parameters.values()

    @functools.wraps(function)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        return function(*((kwargs.pop(name),) if name in kwargs else ()), *args, **kwargs)

    renamed.__signature__ = signature.replace(parameters=[first.replace(name=name), *others])  # type: ignore[attr-defined]
    return renamed
