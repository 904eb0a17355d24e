"""Models: networks that can be trained, saved and summarised."""

from keraunos.core.missing import missing
from keraunos.models.cloning import clone_model, model_from_json
from keraunos.models.functional import Function, Functional
from keraunos.models.model import Model
from keraunos.models.sequential import Sequential

__all__ = ["Function", "Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def __getattr__(name: str) -> object:
    if name in ("load_model", "save_model"):
        from keraunos import saving

        return getattr(saving, name)
    missing("models", name)
