"""What layers that merge refuse, on values as on specs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers
from keraunos.core.errors import ArgumentError, ShapeError

MISTAKES: dict[str, tuple[Any, list[tuple[int, ...]], str]] = {
    "samples": (layers.Add, [(3, 4), (1, 4)], "The inputs of Add differ at axis 0: 3 from input 0, 1 from input 1"),
    "samples of fewer axes": (layers.Multiply, [(3, 2, 4), (1, 4)], "differ at axis 0"),
    "sizes": (layers.Average, [(3, 2), (3, 4)], "differ at axis 1"),
    "samples to join": (layers.Concatenate, [(3, 4), (1, 4)], "differ at axis 0"),
    "samples of a product": (lambda: layers.Dot(1), [(3, 4), (1, 4)], "differ at axis 0"),
    "a size of 1 in a product": (lambda: layers.Dot((1, 2)), [(3, 1, 2), (3, 2, 4)], "differ at axes 1 and 2: 1 from input 0, 4 from input 1"),
    "a product over samples": (lambda: layers.Dot((1, -2)), [(3, 3), (3, 3)], "axis 0 is that of the samples"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(backend: Any, name: str) -> None:
    make, shapes, message = MISTAKES[name]
    for inputs in ([np.ones(s, "float32") for s in shapes], [keraunos.Input(batch_shape=s) for s in shapes]):
        with pytest.raises(ShapeError, match=message.replace("input 0", ".*").replace("input 1", ".*")):
            make()(inputs)


def test_axes_of_a_product() -> None:
    for axes in ("x", (1,), (1, 2, 3), None):
        with pytest.raises(ArgumentError, match="Dot multiplies along one axis of each input"):
            layers.Dot(axes)
