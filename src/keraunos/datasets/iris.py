"""Fisher's irises: four lengths of 150 flowers of three species (R. A. Fisher, UCI; CC BY 4.0)."""

from __future__ import annotations

from typing import Any

from keraunos.datasets import load_split

__all__ = ["load_data"]

SPECIES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal length", "sepal width", "petal length", "petal width")  # in cm


def load_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The irises, split once and for all; the parts have every species in equal shares.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: features `(samples, 4)` in cm as float32 (`FEATURES` names
        them), and species 0 to 2 (`SPECIES`) as uint8; 120 and 30 samples.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_data()
    >>> x_train.shape, x_test.shape
    ((120, 4), (30, 4))
    """
    return load_split("iris")
