"""What `Layer` itself offers beside its call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers
from keraunos.core.errors import ArgumentError, BackendError, StateError
from tests.layers.row import close, flat

x = np.random.default_rng(0).normal(size=(2, 4)).astype("float32")


def test_the_weights_of_what_is_not_built_are_not_counted() -> None:
    for layer in (layers.Dense(3, name="d"), keraunos.Sequential([layers.Dense(3)], name="d")):
        with pytest.raises(StateError, match=r"'d' are not known(.|\n)*d\.build"):
            layer.count_params()
        layer.build((None, 4))
        assert layer.count_params() == 15
    assert keraunos.Sequential([keraunos.Input((4,)), layers.Flatten()]).count_params() == 0


def test_a_weight_that_is_deleted_is_held_no_longer() -> None:
    layer = layers.Dense(3)
    layer.build((None, 4))
    del layer.bias
    assert [v.name for v in layer.weights] == ["kernel"]


def test_stateless_call_takes_a_value_for_each_variable() -> None:
    layer = layers.BatchNormalization()
    layer.build((None, 4))
    trained, others = ([v.value for v in group] for group in (layer.trainable_variables, layer.non_trainable_variables))
    layer.stateless_call(trained, others, x)
    with pytest.raises(ArgumentError, match=r"1 for 2\.\nWhere: .*, trainable_variables"):
        layer.stateless_call(trained[:1], others, x)
    with pytest.raises(ArgumentError, match=r"3 for 2\.\nWhere: .*, non_trainable_variables"):
        layer.stateless_call(trained, [*others, 0], x)


def test_rematerialized_call_is_of_the_scope(backend: Any) -> None:
    layer = layers.Dense(3)
    layer.build((None, 4))
    assert layer.rematerialized_call(layer.call) == layer.call
    for scope in (keraunos.RematScope(), keraunos.RematScope(mode="larger_than", output_size_threshold=2)):
        with scope:
            again = layers.Dense(3)
        again.build((None, 4))
        again.set_weights(layer.get_weights())
        inputs = keraunos.ops.convert_to_tensor(x)
        function = again.rematerialized_call(again.call, inputs)
        assert function != again.call
        close(flat(function(inputs)), flat(layer(x)))


def test_add_metric_is_told_what_took_its_place() -> None:
    with pytest.raises(BackendError, match="keras.metrics.Mean"):
        layers.Dense(3).add_metric(1.0)


def test_calls_whose_arguments_are_taken_by_name_alone() -> None:
    class Sum(layers.Layer):
        def call(self, *args: Any, training: Any = None, key_mask: Any = None, **kwargs: Any) -> Any:
            assert training is self.expected
            return sum(args) + sum(kwargs.values())

    layer = Sum()
    layer.expected = False
    close(flat(layer(x))[0], x, 0)
    close(flat(layer(x, x, more=x))[0], 3 * x)
    layer.expected = True
    close(flat(layer(x, x, training=True))[0], 2 * x)
    assert layer(keraunos.Input((4,)), training=True).shape == (None, 4)
