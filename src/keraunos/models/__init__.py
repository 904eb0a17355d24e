"""Models: networks that can be trained, saved and summarised."""

from typing import TYPE_CHECKING

from keraunos.core.missing import answer_for
from keraunos.models.cloning import clone_model, model_from_json
from keraunos.models.functional import Function, Functional
from keraunos.models.model import Model
from keraunos.models.sequential import Sequential
from keraunos.models.surgery import insert_layers, replace_layers

if TYPE_CHECKING:
    from keraunos.saving import load_model, save_model

__all__ = ["Function", "Functional", "Model", "Sequential", "clone_model", "insert_layers", "load_model", "model_from_json", "replace_layers", "save_model"]

answer_for(__name__, {"load_model": "saving", "save_model": "saving"})
