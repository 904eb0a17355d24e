"""Keraunos: deep learning for humans, on several engines. The Keras 3 API, written anew.

    import keraunos as keras

Names load when they are first used: importing this package loads no engine, not even NumPy.
"""

import importlib

TYPE_CHECKING = False  # what type checkers take for True; importing `typing` would take most of this package's import time

__version__ = "0.1.0"

_HOMES = {  # where the names stand that are not namespaces
    "DTypePolicy": "dtype_policies", "FloatDTypePolicy": "dtype_policies", "Function": "models", "Initializer": "initializers", "Input": "layers",
    "InputSpec": "layers", "Population": "populations", "KerasTensor": "core.graph", "Layer": "layers", "Loss": "losses", "Metric": "metrics", "Model": "models", "Operation": "core.operation", "Optimizer": "optimizers",
    "Regularizer": "regularizers", "RematScope": "core.scopes", "Sequential": "models", "StatelessScope": "core.scopes", "SymbolicScope": "core.scopes",
    "Variable": "core.variable", "backend_scope": "core.config", "device": "core.config", "functional": "core.functional",
    "install_as_keras": "compat", "name_scope": "core.names", "playground": "play", "remat": "core.functional", "set_backend": "core.config", "value_and_grad": "core.functional",
}  # fmt: skip

if TYPE_CHECKING:
    from typing import Any

    # isort: off
    from keraunos import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        distribution,
        dtype_policies,
        export,
        initializers,
        layers,
        legacy,
        lora,
    )
    from keraunos import losses, metrics, mixed_precision, models, ops, optimizers, random, regularizers, saving, tree, utils

    # isort: on
    from keraunos.compat import install_as_keras
    from keraunos.core.config import backend_scope, device, set_backend
    from keraunos.core.functional import functional, remat, value_and_grad
    from keraunos.core.graph import KerasTensor
    from keraunos.core.names import name_scope
    from keraunos.core.operation import Operation
    from keraunos.core.scopes import RematScope, StatelessScope, SymbolicScope
    from keraunos.core.variable import Variable
    from keraunos.dtype_policies import DTypePolicy, FloatDTypePolicy
    from keraunos.initializers import Initializer
    from keraunos.layers import Input, InputSpec, Layer
    from keraunos.losses import Loss
    from keraunos.metrics import Metric
    from keraunos.models import Function, Model, Sequential
    from keraunos.optimizers import Optimizer
    from keraunos.play import playground
    from keraunos.populations import Population
    from keraunos.regularizers import Regularizer

__all__ = [
    "DTypePolicy", "FloatDTypePolicy", "Function", "Initializer", "Input", "InputSpec", "KerasTensor", "Layer", "Loss", "Metric", "Model", "Operation", "Optimizer", "Population",
    "Regularizer", "RematScope", "Sequential", "StatelessScope", "SymbolicScope", "Variable", "__version__", "activations", "backend", "backend_scope", "callbacks", "config", "constraints", "datasets",
    "device", "distribution", "dtype_policies", "export", "functional", "initializers", "install_as_keras", "layers", "legacy", "lora", "losses", "metrics", "mixed_precision", "models", "name_scope", "ops",
    "optimizers", "playground", "random", "regularizers", "remat", "saving", "set_backend", "tree", "utils", "value_and_grad", "version",
]  # fmt: skip
_MODULES = frozenset(__all__) - {*_HOMES, "__version__", "version"}


def version() -> str:
    """The version of Keraunos.

    Example:

    >>> import keraunos as keras
    >>> keras.version() == keras.__version__
    True
    """
    return __version__


def __getattr__(name: str) -> "Any":
    if name in _HOMES:
        value = globals()[name] = getattr(importlib.import_module(f"keraunos.{_HOMES[name]}"), name)
        return value
    if name in _MODULES:
        return importlib.import_module(f"keraunos.{name}")
    from keraunos.core.missing import missing

    missing("", name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
