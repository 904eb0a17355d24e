"""What the `call` of a layer class takes, and what its `build` leaves."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any


class CallInfo:
    """What a class's `call` takes, found once for the class."""

    def __init__(self, call: Callable[..., Any]):
        parameters = [p for p in inspect.signature(call).parameters.values() if p.name != "self"]
        self.names = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD and p.kind is not p.VAR_POSITIONAL]
        keywords = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.training = "training" in self.names
        self.passes_training = self.training or keywords
        self.mask = "mask" in self.names
        self.masks = {name[:-5]: name for name in self.names if name.endswith("_mask")}
        self.signature = inspect.Signature(parameters)


def marking(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, noting the shapes and that the layer is built, whoever calls it."""
    signature = inspect.signature(build)

    @functools.wraps(build)
    def marked(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.__dict__.get("_building"):  # a class's build calls that of its base
            return build(self, *args, **kwargs)
        self._building = True
        try:
            build(self, *args, **kwargs)
        finally:
            del self._building
        shapes = list(signature.bind(self, *args, **kwargs).arguments.items())[1:]
        if len(shapes) > 1:
            self._build_shapes = dict(shapes)
        elif shapes:
            self._build_shape = shapes[0][1]
        self._built()

    return marked
