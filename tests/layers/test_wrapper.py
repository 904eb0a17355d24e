"""Layers around a layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.errors import ArgumentError, ArgumentTypeError, StateError
from tests.conftest import TRAINING, in_force


class Doubled(layers.Wrapper):
    """The base's own fields and weights are enough."""

    def call(self, inputs: Any) -> Any:
        return 2 * self.layer(inputs)


def test_a_wrapper_holds_a_layer(backend: Any) -> None:
    layer = Doubled(layers.Dense(2, kernel_initializer="ones"))
    assert ops.convert_to_numpy(layer(ops.ones((1, 3)))).tolist() == [[6.0, 6.0]]
    assert [w.name for w in layer.weights] == ["kernel", "bias"]
    again = Doubled.from_config(layer.get_config(), custom_objects={"Unused": Doubled})
    assert again.layer.units == 2
    with pytest.raises(ArgumentTypeError, match="wraps a layer"):
        layers.Wrapper(layers.Dense)  # type: ignore[arg-type]
    with pytest.raises(StateError, match="no call method"):
        layers.Wrapper(layers.Dense(2))(ops.ones((1, 3)))


def test_what_has_no_kernel_cannot_be_normalized() -> None:
    with pytest.raises(ArgumentError, match="has no kernel"):
        layers.SpectralNormalization(layers.ReLU())(np.ones((1, 3), "float32"))
    with pytest.raises(ArgumentError, match="power_iterations must be a positive integer"):
        layers.SpectralNormalization(layers.Dense(2), power_iterations=0)


@pytest.mark.parametrize("engine", TRAINING)
def test_normalized_kernels_are_trained(engine: str) -> None:
    """The kernel is the normalized one after a step, and steps are small: so its largest singular value stays about 1."""
    with in_force(engine):
        model = keraunos.Sequential([keraunos.Input((4,)), layers.SpectralNormalization(layers.Dense(3, kernel_initializer="he_normal"), power_iterations=20)])
        model.compile("adam", "mse")
        before = model.layers[0].layer.kernel.numpy()
        rng = np.random.default_rng(0)
        model.fit(rng.normal(size=(64, 4)).astype("float32"), rng.normal(size=(64, 3)).astype("float32"), batch_size=16, epochs=2, verbose=0)
        after = model.layers[0].layer.kernel.numpy()
        assert np.linalg.svd(after)[1].max() == pytest.approx(1.0, abs=0.01)
        assert np.abs(after - before / np.linalg.svd(before)[1].max()).max() > 1e-3  # it was trained, too
