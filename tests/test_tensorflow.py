"""What is special to the TensorFlow engine: sizes that are not known while it traces, quiet imports, its own operators, XLA."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.core import config
from keraunos.core.errors import ArgumentTypeError, SymbolicError
from keraunos.core.functional import Program
from tests.conftest import BACKENDS

if "tensorflow" not in BACKENDS:
    pytest.skip("the engine is not tested in this run", allow_module_level=True)

import tensorflow as tf

from keraunos.backends import tensorflow as engine


@pytest.fixture(autouse=True)
def _on_tensorflow() -> Iterator[None]:
    with config.backend_scope("tensorflow"):
        yield


def perceptron() -> Any:
    return keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="relu"), layers.LayerNormalization(), layers.Dropout(0.5), layers.Dense(3)])


def convolutional() -> Any:
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same", activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(),
        layers.GlobalAveragePooling2D(), layers.Flatten(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


@pytest.mark.parametrize("make", [perceptron, convolutional])
def test_models_run_where_the_size_of_the_batch_is_not_known(make: Any) -> None:
    model = make()
    x = np.random.default_rng(0).normal(size=(5, *model.input_shape[1:])).astype("float32")
    traced = tf.function(lambda batch: model(batch, training=False), autograph=False)
    function = traced.get_concrete_function(tf.TensorSpec([None, *x.shape[1:]], tf.float32))
    assert function.structured_outputs.shape.as_list() == [None, 3]
    np.testing.assert_allclose(function(tf.constant(x)), model.predict(x, verbose=0), 1e-5, 1e-6)
    training = tf.function(lambda batch: model(batch, training=True), autograph=False)
    assert training.get_concrete_function(tf.TensorSpec([None, *x.shape[1:]], tf.float32))(tf.constant(x)).shape == (5, 3)


UNKNOWN_SIZES = {
    "reshape": lambda x: ops.reshape(x, (ops.shape(x)[0], -1)),
    "split": lambda x: ops.concatenate(ops.split(x, 2, axis=1), axis=0),
    "fancy": lambda x: x[:, None] + ops.get_item(x, (ops.convert_to_tensor([0, -1]), slice(None)))[0],
    "conv_transpose": lambda x: ops.conv_transpose(ops.reshape(x, (1, -1, 4)), ops.ones((3, 2, 4)), strides=2, padding="same"),
    "pool": lambda x: ops.average_pool(ops.reshape(x, (1, -1, 4)), 2, padding="same"),
    "take": lambda x: ops.take(x, ops.convert_to_tensor([-1, 0]), axis=0),
    "along": lambda x: ops.take_along_axis(x, ops.argsort(x, axis=0), axis=0),
    "sort": lambda x: ops.sort(x, axis=0),
    "flip": lambda x: ops.flip(x, axis=0),
    "tile": lambda x: ops.tile(x, (2, 1)),
    "repeat": lambda x: ops.repeat(x, 2, axis=0),
    "roll": lambda x: ops.roll(x, 1),
    "pad": lambda x: ops.pad(x, ((1, 0), (0, 1))),
    "arange": lambda x: ops.cast(ops.arange(ops.shape(x)[0]), "float32"),
    "softmax": lambda x: ops.softmax(x, axis=0),
    "one_hot": lambda x: ops.one_hot(ops.argmax(x, axis=-1), 4),
    "norm": lambda x: ops.norm(x, axis=-1),
    "matmul": lambda x: ops.matmul(x, ops.transpose(x)),
    "scan": lambda x: ops.scan(lambda carry, row: (carry + row, carry), ops.zeros(4), x)[1],
    "triangle": lambda x: ops.tril(ops.matmul(x, ops.transpose(x))),
}


@pytest.mark.parametrize("name", UNKNOWN_SIZES)
def test_ops_where_the_size_is_not_known(name: str) -> None:
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 4)).astype("float32"))
    function = tf.function(UNKNOWN_SIZES[name], autograph=False).get_concrete_function(tf.TensorSpec([None, 4], tf.float32))
    np.testing.assert_allclose(function(x), UNKNOWN_SIZES[name](x), 1e-6)


def test_many_steps_in_one_dispatch_give_the_same_numbers() -> None:
    x = np.random.default_rng(0).normal(size=(32 * 40, 8)).astype("float32")
    ends = []
    for many in (1, 8):
        keras.utils.set_random_seed(3)
        model = perceptron()
        model.compile("adam", "mse", steps_per_execution=many)
        model.fit(x, x[:, :3], epochs=2, batch_size=32, verbose=0)
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, 1e-4, 1e-6)


def test_a_program_is_traced_once_for_a_set_of_shapes() -> None:
    traces, w = [], keras.Variable(1.0)

    def step(x: Any) -> Any:
        traces.append(x.shape)
        w.assign_add(ops.sum(x))
        return w.value

    program = Program(step, [w], donate=True)
    for n in (2, 2, 3, 2, 3):
        program(ops.ones(n))
    assert len(traces) == 2 and float(w) == 13.0


@pytest.mark.parametrize("jit_compile", [True, False, None])
def test_what_xla_does_not_have_runs_without_it(jit_compile: bool | None) -> None:
    w = keras.Variable(2.0)

    def step(x: Any) -> Any:
        w.assign(w.value * 2)
        return tf.py_function(lambda a: a + 1, [x], tf.float32)

    program = Program(step, [w], donate=True, **({} if jit_compile is None else {"jit_compile": jit_compile}))
    if jit_compile:
        with pytest.raises(tf.errors.OpError):
            program(ops.ones(2))
    else:
        assert ops.convert_to_numpy(program(ops.ones(2))).tolist() == [2.0, 2.0]
        assert float(w) == 4.0


def test_tensorflows_own_functions_take_variables_and_refuse_specs() -> None:
    w = keras.Variable([1.0, 2.0])
    _, (gradient,) = keras.value_and_grad(lambda: tf.reduce_sum(tf.constant([3.0, 4.0]) * w + tf.square(w)), [w])()
    assert gradient.numpy().tolist() == [5.0, 8.0]
    with pytest.raises(SymbolicError):
        tf.exp(keras.Input((3,)))
    assert (tf.constant([1.0, 2.0, 3.0]) * keras.Input((3,))).shape == (None, 3)


def test_only_scalars_are_differentiated() -> None:
    with pytest.raises(ArgumentTypeError, match="scalar"):
        engine.differentiate(lambda values: (values[0], None), [tf.ones(2)])


def test_sorting_of_what_has_no_order_by_itself() -> None:
    x = np.array([np.nan, 1, -np.inf, np.inf, -0.0, 0.0, np.nan, -1], "float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.argsort(x)), np.argsort(x, kind="stable"))
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.sort(x)), np.sort(x))
    for dtype in ("uint8", "uint32", "uint64", "int8", "int64", "float64"):
        y = np.array([3, 0, 255, 7, 7], "uint8").astype(dtype)
        np.testing.assert_array_equal(ops.convert_to_numpy(ops.sort(y)), np.sort(y))
    assert int(ops.argmax(x)) == 0 and int(ops.argmin(x)) == 0


@pytest.mark.parametrize("code", ["", "keras.config.set_backend('tensorflow'); keras.ops.ones(2)"])
def test_nothing_is_written_to_the_error_stream(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import keraunos as keras; {code}"], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_integers_divided_by_zero_are_zero() -> None:
    x, zero = np.array([3, -3], "int32"), np.zeros(2, "int32")
    assert ops.convert_to_numpy(ops.floor_divide(x, zero)).tolist() == ops.convert_to_numpy(ops.mod(x, zero)).tolist() == [0, 0]
