"""The public names of Keraunos: what each is, where it is described, and under which other names it is found."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import types
from typing import Any

# Where a thing has several names, it is described in the first of these namespaces; those that are not listed come after them.
ORDER = (
    "ops", "layers", "models", "losses", "metrics", "optimizers", "optimizers.schedules", "activations", "initializers", "regularizers", "constraints",
    "callbacks", "random", "datasets", "saving", "config", "dtype_policies", "populations", "lora", "utils", "tree", "distribution", "export", "interop", "backend",
    "mixed_precision", "legacy",
)  # fmt: skip
BESIDE = ("interop.optuna", "interop.ray", "interop.torch")  # namespaces that are imported by their own names
# Methods of classes that are for the library's own use, though their names say nothing of it.
INTERNAL = {
    "acts_on", "base_arguments", "call_info", "captured", "check_adaptable", "copied", "field_config", "fields", "initial", "is_captured", "native", "settle", "setup",
    "slots", "start", "supports_masking", "unwritten",
}  # fmt: skip


@dataclasses.dataclass
class Name:
    """Something public.

    Attributes:
        full: Its name with that of its namespace, such as `layers.Dense`.
        thing: The thing itself.
        aliases: Its other full names.
    """

    full: str
    thing: Any
    aliases: list[str] = dataclasses.field(default_factory=list)

    @property
    def space(self) -> str:
        """The namespace; empty for the top level."""
        return self.full.rpartition(".")[0]

    @property
    def short(self) -> str:
        """The name without its namespace."""
        return self.full.rpartition(".")[2]

    @property
    def text(self) -> str:
        """The docstring, without its indentation."""
        return inspect.getdoc(self.thing) or ""

    @property
    def module(self) -> str:
        """The last part of the module in which it is defined: the file of its family."""
        thing = getattr(self.thing, "__func__", self.thing)
        return (getattr(thing, "__module__", None) or "").rpartition(".")[2]


def namespace(path: str) -> types.ModuleType:
    """The module of a namespace, by its name without the package's."""
    return importlib.import_module(f"keraunos.{path}" if path else "keraunos")


@functools.cache
def spaces() -> dict[str, list[str]]:
    """The namespaces, by name, and what each holds besides other namespaces."""
    found: dict[str, list[str]] = {}
    waiting = ["", *BESIDE]
    while waiting:
        path = waiting.pop(0)
        module = namespace(path)
        found[path] = []
        for name in module.__all__:
            value = getattr(module, name)
            if not isinstance(value, types.ModuleType):
                if not name.startswith("__"):
                    found[path].append(name)
            elif value.__name__.removeprefix("keraunos.") == f"{path}.{name}".lstrip("."):
                waiting.append(f"{path}.{name}".lstrip("."))
    return found


def _rank(full: str, thing: Any) -> tuple[int, bool, bool, str]:
    space, _, name = full.rpartition(".")
    home = next((i for i, other in enumerate(ORDER) if space == other or space.startswith(f"{other}.")), len(ORDER))
    return home, space not in ORDER, name != getattr(thing, "__name__", name), full


@functools.cache
def public() -> dict[str, Name]:
    """Everything public, each once, by its full name."""
    by_identity: dict[Any, list[str]] = {}
    things: dict[Any, Any] = {}
    for space, names in spaces().items():
        for name in names:
            thing = getattr(namespace(space), name)
            key = (id(thing.__func__), id(thing.__self__)) if inspect.ismethod(thing) else id(thing)
            by_identity.setdefault(key, []).append(f"{space}.{name}".lstrip("."))
            things[key] = thing
    found = {}
    for key, names in by_identity.items():
        first, *others = sorted(names, key=lambda full: _rank(full, things[key]))
        found[first] = Name(first, things[key], others)
    return dict(sorted(found.items()))


@functools.cache
def owners() -> dict[str, Name]:
    """What is described under each full name, other names included."""
    return {full: name for name in public().values() for full in (name.full, *name.aliases)}


@functools.cache
def classes() -> dict[type, Name]:
    """The public classes."""
    return {name.thing: name for name in public().values() if inspect.isclass(name.thing)}


def members(cls: type) -> dict[str, Any]:
    """The methods and properties that a page of a class describes: those with a docstring that no other public class hands down."""
    found: dict[str, Any] = {}
    above = [base for base in cls.__mro__[1:] if base in classes()]
    for base in cls.__mro__:
        if base is object or any(issubclass(other, base) for other in above) or base.__module__.partition(".")[0] != "keraunos":
            continue
        for name, value in vars(base).items():
            function = getattr(value, "__func__", value)
            kind = isinstance(value, (property, classmethod, staticmethod, functools.cached_property)) or inspect.isfunction(value)
            if kind and not name.startswith("_") and name not in INTERNAL and name not in found and inspect.getdoc(function) and function.__doc__:
                found[name] = value
    return dict(sorted(found.items()))


def inherited(cls: type) -> dict[str, dict[str, Any]]:
    """What a class has from other public classes, by their full names, nearest first."""
    seen = set(members(cls))
    found: dict[str, dict[str, Any]] = {}
    for base in cls.__mro__[1:]:
        if base in classes():
            new = {name: value for name, value in members(base).items() if name not in seen}
            seen |= set(new)
            if new:
                found[classes()[base].full] = new
    return found
