"""For the documentation: gives classes with declared fields the signature that they have when they run, and shows examples as code."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import griffe


class DeclaredFields(griffe.Extension):
    """Asks the running class, since its `__init__` is made from its fields and stands in no file."""

    def on_class(self, *, cls: griffe.Class, loader: Any, **_: Any) -> None:
        """Add the `__init__` of a class with declared fields."""
        if "__init__" in cls.members or not cls.path.startswith("keraunos."):
            return
        running: Any = importlib.import_module(cls.module.path)
        for name in cls.path[len(cls.module.path) + 1 :].split("."):
            running = getattr(running, name, None)
        init = getattr(running, "__init__", None)
        if not getattr(init, "declared", False):
            return
        parameters = griffe.Parameters()
        for p in inspect.signature(init).parameters.values():
            shown = running.fields[p.name].annotation if p.name in running.fields else None
            default = None if p.default is p.empty else repr(p.default)
            kind = getattr(griffe.ParameterKind, p.kind.name.lower())
            parameters.add(griffe.Parameter(p.name, kind=kind, annotation=shown, default=default))
        cls.set_member("__init__", griffe.Function("__init__", parameters=parameters, parent=cls))


class Examples(griffe.Extension):
    """Fences the examples of docstrings, which Markdown would take for quotations."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Fence each run of lines that begins with `>>>`."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^>>> .*(?:\n.+)*", lambda m: f"```pycon\n{m[0]}\n```", obj.docstring.value, flags=re.MULTILINE)
