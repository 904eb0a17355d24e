"""Model files as Keras 3 reads and writes them, and weights in other formats too."""

from typing import TYPE_CHECKING

from keraunos.core import serialization
from keraunos.core.missing import answer_for
from keraunos.core.serialization import *
from keraunos.saving.archive import load_model, save_model
from keraunos.saving.weight_files import load_weights, save_weights

if TYPE_CHECKING:
    from keraunos.saving.editor import KerasFileEditor

__all__ = ["KerasFileEditor", "load_model", "load_weights", "save_model", "save_weights"]
__all__ += serialization.__all__
answer_for(__name__, {"KerasFileEditor": "saving.editor"})
