"""Both ways of an embedding; layers to configs and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops, optimizers
from keraunos.core.errors import ArgumentError, DTypeError, ModelFileError, ShapeError
from keraunos.core.masks import get_mask
from tests.conftest import BFLOAT, TRAINING, in_force

H = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


def test_tables_of_their_own(backend: Any) -> None:
    layer = layers.ReversibleEmbedding(7, 3, tie_weights=False, embeddings_regularizer="l2")
    vectors = layer(np.array([[1, 2]]))
    assert [(w.name, w.shape) for w in layer.weights] == [("embeddings", (7, 3)), ("reverse_embeddings", (3, 7))]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(H, reverse=True)), H @ layer.reverse_embeddings.numpy(), atol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(vectors)[0], layer.embeddings.numpy()[1:3])
    assert len(layer.losses) == 1  # the penalty is on the table of the vectors, as in Keras
    assert layer.compute_output_shape((2, 4)) == (2, 4, 3)
    assert layer.compute_output_shape((2, 4, 3), reverse=True) == (2, 4, 7)
    with pytest.raises(ShapeError):
        layer(np.ones((2, 5), "float32"), reverse=True)
    with pytest.raises(DTypeError):
        layers.ReversibleEmbedding(7, 3, reverse_dtype="float33")


def test_logits_have_no_mask(backend: Any) -> None:
    layer = layers.ReversibleEmbedding(7, 3, mask_zero=True)
    vectors = layer(np.array([[1, 0]]))
    assert ops.convert_to_numpy(get_mask(vectors)).tolist() == [[True, False]]
    for logits in (layer(vectors, reverse=True), layer(vectors, True)):
        assert get_mask(logits) is None


@pytest.mark.parametrize("engine", BFLOAT)
def test_dtypes_of_logits(engine: str) -> None:
    with in_force(engine):
        for policy, reverse, expected in (("mixed_bfloat16", None, "bfloat16"), ("mixed_bfloat16", "float32", "float32"), ("float32", "bfloat16", "bfloat16")):
            layer = layers.ReversibleEmbedding(7, 3, dtype=policy, reverse_dtype=reverse)
            assert keraunos.backend.standardize_dtype(layer(H, reverse=True).dtype) == expected
            assert layer(keraunos.Input((4, 3)), reverse=True).dtype == expected
            assert keraunos.backend.standardize_dtype(layer(np.array([[1]])).dtype) == policy.removeprefix("mixed_")


@pytest.mark.parametrize("engine", TRAINING)
def test_a_model_that_ends_as_it_begins(engine: str) -> None:
    """A language model with one table learns to give each token back."""
    with in_force(engine):
        keraunos.utils.set_random_seed(1)
        table = layers.ReversibleEmbedding(6, 8, embeddings_initializer="glorot_uniform", logit_soft_cap=30.0)
        tokens = keraunos.Input((5,), dtype="int32")
        model = keraunos.Model(tokens, table(layers.Dense(8)(table(tokens)), reverse=True))
        model.compile(optimizers.Adam(0.05), keraunos.losses.SparseCategoricalCrossentropy(from_logits=True))
        x = np.random.default_rng(0).integers(0, 6, (64, 5)).astype("int32")
        losses = model.fit(x, x, batch_size=16, epochs=8, verbose=0).history["loss"]
        assert losses[-1] < 0.3 * losses[0]
        again = keraunos.Model.from_config(model.get_config())
        assert again.output_shape == (None, 5, 6)


def test_layers_to_configs_and_back() -> None:
    config = layers.serialize(layers.Dense(3, activation="relu", name="d"))
    again = layers.deserialize(config)
    assert (again.units, again.name, again.activation) == (3, "d", keraunos.activations.relu)
    with pytest.raises(ArgumentError, match="not the config of a layer"):
        layers.deserialize(keraunos.initializers.serialize(keraunos.initializers.Zeros()))
    with pytest.raises(ModelFileError, match="'Twice' is not known"):
        layers.deserialize({"class_name": "Twice", "config": {}})

    class Twice(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return 2 * inputs

    assert isinstance(layers.deserialize({"class_name": "Twice", "config": {}}, custom_objects={"Twice": Twice}), Twice)
