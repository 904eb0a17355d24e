"""Small real data sets that come with the package."""

import importlib
from types import ModuleType
from typing import Any

from keraunos.core.missing import missing

__all__ = ["digits", "iris"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"keraunos.datasets.{name}")
    missing("datasets", name)


def load_split(name: str) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """A bundled set as `((x_train, y_train), (x_test, y_test))`: every fifth row of each class is held out."""
    import pathlib

    import numpy as np

    with np.load(pathlib.Path(__file__).with_name(f"{name}.npz"), allow_pickle=False) as stored:
        x, y = stored["x"], stored["y"]
    test = np.zeros(len(y), bool)
    for label in np.unique(y):
        test[np.flatnonzero(y == label)[::5]] = True
    return (x[~test], y[~test]), (x[test], y[test])
