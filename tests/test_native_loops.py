"""Models in training loops that are written for an engine: with its own gradients and optimizers."""

from __future__ import annotations

import datetime
import pathlib
import socket
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers
from keraunos.core.errors import BackendError, StateError
from tests.conftest import TRAINING

rng = np.random.default_rng(0)
X = rng.normal(size=(64, 4)).astype("float32")
Y = (X[:, :1] - 2 * X[:, 1:2]).astype("float32")


def network() -> Any:
    keras.utils.clear_session(free_memory=False)  # the same names of layers each time
    keras.utils.set_random_seed(1)
    return keras.Sequential([keras.Input((4,)), layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.1), layers.Dense(1)])


@pytest.mark.skipif("jax" not in TRAINING, reason="jax is not tested")
def test_a_loop_of_jax_and_optax() -> None:
    import jax
    import optax

    with keras.backend_scope("jax"):
        model = network()
    trainable, others = ([v.value for v in group] for group in (model.trainable_variables, model.non_trainable_variables))
    optimizer = optax.adam(0.02)

    def loss(trainable: Any, others: Any, x: Any, y: Any) -> Any:
        out, others = model.stateless_call(trainable, others, x, training=True)
        return ((out - y) ** 2).mean(), others

    @jax.jit
    def step(trainable: Any, others: Any, state: Any, x: Any, y: Any) -> Any:
        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(trainable, others, x, y)
        updates, state = optimizer.update(gradients, state, trainable)
        return optax.apply_updates(trainable, updates), others, state, value

    state, values = optimizer.init(trainable), []
    for _ in range(60):
        trainable, others, state, value = step(trainable, others, state, X, Y)
        values.append(float(value))
    assert values[-1] < 0.3 * values[0]
    for variable, value in zip([*model.trainable_variables, *model.non_trainable_variables], [*trainable, *others], strict=True):
        variable.assign(value)
    assert float(np.square(model.predict(X, verbose=0) - Y).mean()) < values[0]


@pytest.mark.skipif("tensorflow" not in TRAINING, reason="tensorflow is not tested")
def test_a_loop_of_tensorflow() -> None:
    import tensorflow as tf

    with keras.backend_scope("tensorflow"):
        model = network()
    trainable, others = ([tf.Variable(v.value) for v in group] for group in (model.trainable_variables, model.non_trainable_variables))

    @tf.function
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            out, new = model.stateless_call([v.value() for v in trainable], [v.value() for v in others], x, training=True)
            value = tf.reduce_mean((out - y) ** 2)
        for variable, gradient in zip(trainable, tape.gradient(value, trainable), strict=True):
            variable.assign_sub(0.05 * gradient)
        for variable, after in zip(others, new, strict=True):
            variable.assign(after)
        return value

    values = [float(step(X, Y)) for _ in range(60)]
    assert values[-1] < 0.5 * values[0]
    for variable, value in zip(model.trainable_variables, trainable, strict=True):
        variable.assign(value.numpy())


@pytest.fixture
def torch() -> Any:
    if "torch" not in TRAINING:
        pytest.skip("torch is not tested")
    return pytest.importorskip("torch")


def test_a_loop_of_pytorch(torch: Any, tmp_path: pathlib.Path) -> None:
    from keraunos.interop.torch import as_module

    with keras.backend_scope("torch"):
        model = network()
    module = as_module(model)
    assert isinstance(module, torch.nn.Module) and len(list(module.parameters())) == len(model.trainable_weights)
    optimizer, x, y, values = torch.optim.Adam(module.parameters(), lr=0.02), torch.from_numpy(X), torch.from_numpy(Y), []
    before = model.get_weights()
    for _ in range(60):
        optimizer.zero_grad()
        value = torch.nn.functional.mse_loss(module(x), y)
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.3 * values[0]
    assert all(not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))  # the moving averages too
    module.eval()
    with torch.no_grad():
        np.testing.assert_allclose(module(x).numpy(), model.predict(X, verbose=0), atol=1e-6)
    torch.save(module.state_dict(), tmp_path / "state.pt")
    with keras.backend_scope("torch"):
        other = as_module(network())
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert all(np.array_equal(a, b) for a, b in zip(other.model.get_weights(), model.get_weights(), strict=True))
    model.compile("sgd", "mse")  # and back again
    curve = model.fit(X, Y, epochs=2, verbose=0).history["loss"]
    assert curve[0] < values[0]


def test_gradients_are_those_of_the_layers(torch: Any) -> None:
    from keraunos.core.functional import value_and_grad
    from keraunos.interop.torch import as_module

    with keras.backend_scope("torch"):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(5, "tanh"), layers.Dense(1)])
        _, expected = value_and_grad(lambda: keras.ops.sum(model(X)), model.trainable_variables)()
    module = as_module(model)
    module(torch.from_numpy(X)).sum().backward()
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    module.double()  # moves the model's weights along
    assert module(torch.from_numpy(X).double()).dtype in (torch.float32, torch.float64)
    assert model.weights[0].value.dtype == torch.float64


def _worker(rank: int, port: int, folder: str) -> None:
    import torch
    import torch.distributed as distributed

    from keraunos.interop.torch import as_module

    store = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2, timeout=datetime.timedelta(seconds=120))
    try:
        with keras.backend_scope("torch"):
            keras.utils.set_random_seed(1)
            model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        module = torch.nn.parallel.DistributedDataParallel(as_module(model))
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(module(torch.from_numpy(X[rank::2])), torch.from_numpy(Y[rank::2])).backward()
            optimizer.step()
        np.savez(f"{folder}/{rank}.npz", *model.get_weights())
    finally:
        distributed.destroy_process_group()


def test_two_processes_of_pytorch(torch: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parent.parent))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    other = torch.multiprocessing.spawn(_worker, args=(port, str(tmp_path)), nprocs=1, join=False)
    _worker(1, port, str(tmp_path))  # this process is the second
    other.join()
    found = [list(np.load(tmp_path / f"{rank}.npz").values()) for rank in (0, 1)]
    with keras.backend_scope("torch"):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(X, Y, batch_size=64, epochs=3, shuffle=False, verbose=0)  # the same steps in one process
    for a, b, c in zip(*found, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, atol=1e-6)


def test_models_that_are_no_modules(torch: Any) -> None:
    from keraunos.interop.torch import as_module

    with keras.backend_scope("numpy"), pytest.raises(BackendError, match="this one is on numpy"):
        as_module(network())
    with keras.backend_scope("torch"), pytest.raises(StateError, match="without weights yet"):
        as_module(keras.Sequential([layers.Dense(1)]))
