"""What `Layer` itself offers beside its call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers
from keraunos.core.errors import ArgumentError, BackendError, ShapeError, StateError
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


OTHER_RANKS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "Dense": (lambda: layers.Dense(3), [(4,)]),
    "EinsumDense": (lambda: layers.EinsumDense("...c,cd->...d", 3), [(4,), (3, 4), (2, 3, 3, 4)]),
    "PReLU": (layers.PReLU, [(4,), (3, 4), (2, 3, 3, 4), (2, 1, 4)]),
    "BatchNormalization": (layers.BatchNormalization, [(4,), (3, 4), (2, 3, 3, 4)]),
    "GroupNormalization": (lambda: layers.GroupNormalization(2), [(4,), (3, 4), (2, 3, 3, 4)]),
}


@pytest.mark.parametrize("name", OTHER_RANKS)
def test_a_built_layer_takes_no_other_rank(backend: Any, name: str) -> None:
    """What would go through by broadcasting, too."""
    make, shapes = OTHER_RANKS[name]
    for shape in shapes:
        layer = make()
        layer(np.ones((2, 3, 4), "float32"))
        for inputs in (keraunos.ops.ones(shape), keraunos.Input(batch_shape=shape)):
            with pytest.raises(ShapeError, match="cannot take an input of|was built for"):
                layer(inputs)


def test_numbers_are_no_batch(backend: Any) -> None:
    for layer in (layers.Flatten(), layers.Reshape((1,)), layers.GroupNormalization(1), layers.Dense(1)):
        with pytest.raises(ShapeError):
            layer(keraunos.ops.ones(()))


def test_the_penalty_on_an_output_is_that_of_a_sample(backend: Any) -> None:
    """Of none it is 0, and a number is one."""
    for shape, expected in (((4, 3), 1.5), ((0, 3), 0.0), ((), 0.5)):
        layer = layers.ActivityRegularization(l2=0.5)
        layer(keraunos.ops.ones(shape))
        assert float(layer.losses[0]) == expected


def test_variables_keep_what_was_in_an_array_when_they_were_given_it(backend: Any) -> None:
    variable, mine = keraunos.Variable(np.zeros((2**18,), "float32")), np.zeros((2**18,), "float32")
    for i in range(20):
        mine[:] = i
        variable.assign(mine)
        given = keraunos.ops.convert_to_tensor(mine) if backend.name == "jax" else variable.value  # other engines may share memory
        mine[:] = -1
        assert (variable.numpy() == i).all() and (keraunos.ops.convert_to_numpy(given) == i).all()
