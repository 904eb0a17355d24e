"""The playground: build, train and look inside, in the browser. The page is `keraunos playground`, or `keraunos.playground(model, data)`."""

import importlib

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from keraunos.play.opening import playground

__all__ = ["playground"]


def __getattr__(name: str) -> "Any":
    if name == "playground":
        return importlib.import_module("keraunos.play.opening").playground
    raise AttributeError(f"module 'keraunos.play' has no attribute '{name}'")
