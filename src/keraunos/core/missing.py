"""What is said of a public name that Keraunos lacks: whether Keras has it, and what is near."""

from __future__ import annotations

import functools
import importlib
import opcode
import pathlib
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

from keraunos.core.errors import KeraunosError, MissingNameError, nearest

KERAS_VERSION = "3.15.1"  # the version of Keras whose public names `keras_names.txt` lists
# What does the work of some names that Keras has and Keraunos lacks.
_INSTEAD = {
    "layers.CuDNNLSTM": "layers.LSTM, which takes the engine's fast kernel by itself",
    "layers.CuDNNGRU": "layers.GRU, which takes the engine's fast kernel by itself",
    "preprocessing": "utils has image_dataset_from_directory, pad_sequences and load_img; layers.TextVectorization takes the place of the Tokenizer",
    "wrappers": "scikeras, or the model itself in a function that fits and scores it",
    "utils.np_utils": "utils.to_categorical, utils.normalize",
    "utils.multi_gpu_model": "distribution.set_distribution(distribution.DataParallel())",
    "layers.experimental": "layers, where TextVectorization, Normalization and their like are",
    "optimizers.experimental": "optimizers",
    "optimizers.legacy": "optimizers",
    "losses.Reduction": "a word, such as reduction='sum'",
    "backend.learning_phase": "the argument training of call",
    "backend.get_value": "ops.convert_to_numpy(variable)",
    "backend.set_value": "variable.assign(value)",
}


class MissingImportError(KeraunosError, ImportError):
    """`from keraunos.… import …` asked for a public name that does not exist."""


@functools.cache
def keras_names() -> dict[str, frozenset[str]]:
    """The public names of Keras, by namespace ("layers", "ops.image"; "" is the top level)."""
    lines = pathlib.Path(__file__).with_name("keras_names.txt").read_text(encoding="utf-8").splitlines()
    return {namespace: frozenset(names.split()) for namespace, _, names in (line.partition(":") for line in lines)}


def in_keras(namespace: str, name: str) -> bool:
    """Whether Keras has the public name, as an object or as a namespace."""
    full = f"{namespace}.{name}".strip(".")
    return name in keras_names().get(namespace, ()) or any(n == full or n.startswith(f"{full}.") for n in keras_names())


def missing(namespace: str, name: str) -> NoReturn:
    """Refuse a name of a public namespace, such as `missing("layers", "LSTM")`; for a module's `__getattr__`.

    Raises:
        MissingNameError: Always; an `ImportError` with the same words where the caller is a `from … import …`.
    """
    module = f"keraunos.{namespace}".rstrip(".")
    if name.startswith("_") or f"{module}.{name}" in sys.modules:  # a probe of the import system, or a module half imported
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name == "__getattr__":
        frame = frame.f_back
    if "importlib" in frame.f_code.co_filename:  # it asks before it looks for a submodule
        raise AttributeError(name)
    shown = f"{namespace}.{name}".strip(".")
    lacking = in_keras(namespace, name)
    fact = f"Keraunos has no '{shown}' yet; Keras {KERAS_VERSION} has it." if lacking else f"There is no '{shown}' in Keraunos, nor in Keras {KERAS_VERSION}."
    every = getattr(importlib.import_module(module), "__all__", ())
    ours = [n for n in every if n[:1].isupper() == name[:1].isupper() or n.lower() == name.lower()]
    near = None if lacking else nearest(name, ours)  # a name that Keras has is not misspelt
    op = namespace == "backend" and name in importlib.import_module("keraunos.ops").__all__
    other = f"ops.{name}" if op else f"Did you mean '{near}'?" if near else f"dir({module}) lists the names that there are"
    fix = _INSTEAD.get(shown, other)
    # Python drops an AttributeError's words when `from … import …` meets one.
    importing = frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]
    raise (MissingImportError if importing else MissingNameError)(fact, where=f"import of {module}" if importing else module, fix=fix)


def answer_for(module: str, late: Mapping[str, str] = MappingProxyType({})) -> None:
    """Let a public namespace answer for the names that it lacks as `missing` does; its last line is `answer_for(__name__)`.

    Type checkers do not see it, so that they find a misspelt name by themselves.

    Args:
        module: The namespace's `__name__`.
        late: Names that it has, but loads when they are asked for, and the modules where they stand.
    """

    def __getattr__(name: str) -> Any:
        if name in late:
            return getattr(importlib.import_module(f"keraunos.{late[name]}"), name)
        missing(module.partition(".")[2], name)

    sys.modules[module].__dict__["__getattr__"] = __getattr__
