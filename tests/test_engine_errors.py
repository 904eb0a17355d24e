"""What fails in an engine, on every engine: the message names the layer and the op, and says what to do."""

from __future__ import annotations

import importlib
import warnings

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.core.errors import LIMIT, ArgumentError, KeraunosError
from keraunos.core.locating import failed
from tests.conftest import TRAINING

X, Y = np.ones((4, 8), "float32"), np.ones((4, 1), "float32")
NATIVE = {"jax": "jax.numpy", "torch": "torch", "tensorflow": "tensorflow"}


class Mine(layers.Layer):
    """A user's layer, whose `call` is seen first in the compiled step."""

    def __init__(self, function):
        super().__init__(name="mine")
        self.function = function

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)

    def call(self, x):
        return self.function(x)


def fit(function, **options):
    """A program that trains a model in which the function stands."""

    def program(engine):
        model = keras.Sequential([keras.Input((8,)), layers.Dense(4, name="first"), Mine(function), layers.Dense(1, name="last")], name="net")
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0, **options)

    return program


def predict(function):
    def program(engine):
        keras.Sequential([keras.Input((8,)), layers.Dense(4, name="first"), Mine(function)], name="net").predict(X, verbose=0)

    return program


def of_any_length(engine):
    x = keras.Input((None, 4))
    keras.Model(x, Mine(lambda x: ops.reshape(x, (-1, 5)))(x), name="net").predict(np.ones((2, 3, 4), "float32"), verbose=0)


def doubled(x):
    return ops.while_loop(lambda v: ops.sum(v) < 100.0, lambda v: v * 2.0, x)


def chosen(engine):
    choice = layers.Lambda(lambda x: ops.cast(ops.argmax(x, -1, keepdims=True), "float32"), name="mine")
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4), choice], name="net")
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)


def huge(x):
    return x + ops.cumsum(ops.stop_gradient(ops.broadcast_to(x[:1, :1], (2**25, 2**25))), axis=0)[-1:, :4]  # petabytes


@ops.custom_gradient
def badly_differentiated(x):
    return 2 * x, lambda upstream: ops.ones((3, 3))


def somewhere(x):
    with keras.device("gpu:7"):
        return x * 1.0


def half_precision(engine):
    former = keras.config.dtype_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = keras.Sequential(
            [keras.Input((8,)), layers.Dense(4, kernel_initializer="ones"), layers.Rescaling(1e5, name="mine"), layers.Dense(1)], name="net"
        )
        model.compile("sgd", "mse")
        model.fit(X, Y, verbose=0, debug_nans=True)
    finally:
        keras.mixed_precision.set_global_policy(former)


def words(engine):
    model = keras.Sequential([keras.Input((2,), dtype="int32"), layers.Embedding(5, 3, name="mine")], name="net")
    model.compile("sgd", "mse")
    model.fit(np.array([[1, 7]]), np.ones((1, 2, 3)), verbose=0)


def of_another(x):
    torch, jnp = importlib.import_module("torch"), importlib.import_module("jax.numpy")
    return x * (torch.ones((4, 4)) if keras.config.backend() == "jax" else jnp.ones((4, 4)))


def native_on_symbolic(engine):
    importlib.import_module(NATIVE.get(engine, "numpy")).exp(keras.Input((8,), name="mine"))


kept = []


def leaking(engine):
    kept.clear()
    fit(lambda x: kept.append(x) or x)(engine)
    keras.Sequential([keras.Input((8,)), Mine(lambda x: ops.add(kept[0], ops.sum(x)))], name="net").predict(X, verbose=0)


COMPILING = ("jax", "tensorflow", "pytensor")
# The program, the engines on which it fails, the class that users of Keras would catch, the code, and words of the message beside `mine`.
FAILURES = {
    "a shape in a compiled layer": (fit(lambda x: ops.matmul(x, ops.ones((5, 3)))), TRAINING, ValueError, "KR103", ["(4, 4) and (5, 3)", "net > mine (ops.matmul)", "(4, 8) > (4, 4)"]),
    "a shape known at run time alone": (of_any_length, TRAINING, ValueError, "KR104", ["(2, 3, 4)", "(-1, 5)", "net > mine (ops.reshape)"]),
    "no memory, in a compiled step": (fit(huge), ("jax", "torch", "pytensor"), RuntimeError, "KR710", ["net > mine (ops.", "(33554432, 33554432)", "batch_size"]),
    "more than memory can be": (fit(lambda x: x + ops.sum(ops.ones((2**40, 2**40)))), ("tensorflow",), RuntimeError, "KR710", ["net > mine (ops.ones)", "(1099511627776, 1099511627776)"]),  # for less, it waits ten seconds first
    "no memory, predicting": (predict(huge), ("jax", "torch"), RuntimeError, "KR710", ["net > mine (ops.", "(33554432, 33554432)"]),
    "a loop that has no gradient": (fit(doubled), ("jax", "pytensor"), NotImplementedError, "KR711", ["net > mine", "while_loop", "ops.stop_gradient"]),
    "an op without a gradient": (chosen, TRAINING, ValueError, "KR304", ["ops.argmax", "ops.stop_gradient"]),
    "a gradient of the wrong shape": (fit(badly_differentiated), TRAINING, ValueError, "KR714", ["net > mine (ops.custom_gradient)", "(3, 3)", "(4, 4)"]),
    "half precision that overflows": (half_precision, TRAINING, RuntimeError, "KR501", ["'mine' (Rescaling)", "ops.multiply"]),
    "a device that is not there": (fit(somewhere), TRAINING, RuntimeError, "KR701", ["net > mine (device)", "gpu:7", "cpu"]),
    "an index beyond the embedding": (words, TRAINING, ValueError, "KR205", ["x contains 7", "0–4", "Embedding(8"]),
    "an index beyond an axis": (fit(lambda x: x + ops.take(ops.ones((3,)), 9)), ("torch",), IndexError, "KR107", ["net > mine (ops.take)", "indices: 9"]),
    "a function of the engine on a symbolic tensor": (native_on_symbolic, TRAINING, TypeError, "KR720", ["keraunos.ops"]),
    "if": (fit(lambda x: x if ops.sum(x) > 0 else -x), COMPILING, TypeError, "KR721", ["net > mine", "ops.where"]),
    "float": (fit(lambda x: x * float(ops.sum(x))), COMPILING, TypeError, "KR721", ["net > mine"]),
    "NumPy": (fit(lambda x: x * np.asarray(x)), TRAINING, (TypeError, RuntimeError), "KR721", ["net > mine", "ops"]),
    "a dtype that the op lacks": (fit(lambda x: x + ops.cast(ops.max(ops.cast(x, "complex64")), "float32")), ("torch",), TypeError, "KR713", ["net > mine (ops.max)", "complex64", "ops.cast"]),
    "a tensor of another engine": (fit(of_another), ("jax", "torch"), (TypeError, ValueError), "KR712", ["net > mine", "convert_to_tensor"]),
    "a tensor kept from a step": (leaking, ("jax", "tensorflow"), (TypeError, ValueError), "KR722", ["net > mine (ops.add)", "self.last.assign(x)"]),
}  # fmt: skip


@pytest.mark.parametrize(("case", "engine"), [(case, engine) for case, (_, engines, *_) in FAILURES.items() for engine in engines if engine in TRAINING])
def test_the_message_names_the_layer_and_the_op(case, engine):
    program, _, kind, code, said = FAILURES[case]
    with keras.config.backend_scope(engine), pytest.raises(KeraunosError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the engines' own, of what fails next
        program(engine)
    text = str(caught.value)
    assert isinstance(caught.value, kind) and caught.value.code.startswith(code), text
    assert len(text) <= LIMIT and "Fix: " in text + "Fix: " * (code == "KR103"), text
    for word in ["mine", *said]:
        assert word in text + "mine" * (code == "KR720"), text


def test_an_engines_own_class_can_be_caught():
    torch = importlib.import_module("torch")
    with keras.config.backend_scope("torch"), pytest.raises(IndexError):
        ops.take(ops.ones(3), 7)
    with keras.config.backend_scope("jax"), pytest.raises(importlib.import_module("jax").errors.JaxRuntimeError, match="not enough memory"):
        ops.ones((2**25, 2**25))
    assert torch is not None


def test_a_gpu_that_takes_no_more_is_not_asked_again() -> None:
    """What PyTorch says after an assertion in a kernel failed: each op would fail with it, the first one no less."""
    asked = []
    better = failed(RuntimeError("CUDA error: device-side assert triggered\nCompile with `TORCH_USE_CUDA_DSA`"), lambda: asked.append(1))
    assert isinstance(better, ArgumentError) and isinstance(better, RuntimeError)
    assert "start Python anew" in str(better) and "KR107" in str(better) and not asked
