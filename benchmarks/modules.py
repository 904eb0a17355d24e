"""Single layers, forward and backward, beside the engine's own module: torch.nn's on PyTorch, Flax's on JAX; run in turn in one process."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.raw import medians, seconds

MODULES = {
    # the layer's class: its arguments, the shape of a batch
    "LSTM": ({"units": 128, "return_sequences": True}, (32, 64, 64)),
    "GRU": ({"units": 128, "return_sequences": True}, (32, 64, 64)),
    "Conv2D": ({"filters": 64, "kernel_size": 3, "padding": "same"}, (16, 32, 32, 32)),
    "MultiHeadAttention": ({"num_heads": 8, "key_dim": 32}, (8, 128, 256)),
    "LayerNormalization": ({}, (64, 128, 256)),
    "BatchNormalization": ({}, (64, 32, 32, 32)),
}
Step = Callable[[], Any]


def inputs_of(name: str, x: Any) -> tuple[Any, ...]:
    """The arguments of a call: an attention over itself takes its input twice."""
    return (x, x) if name == "MultiHeadAttention" else (x,)


def raw_torch(name: str, x: Any) -> Step:
    """The gradients of torch.nn's module by its parameters and its input, which is in the layout that it wants."""
    torch = importlib.import_module("torch")
    nn = torch.nn
    channels = x.shape[-1]
    module = {
        "LSTM": lambda: nn.LSTM(channels, 128, batch_first=True),
        "GRU": lambda: nn.GRU(channels, 128, batch_first=True),
        "Conv2D": lambda: nn.Conv2d(channels, 64, 3, padding="same"),
        "MultiHeadAttention": lambda: nn.MultiheadAttention(channels, 8, batch_first=True),
        "LayerNormalization": lambda: nn.LayerNorm(channels),
        "BatchNormalization": lambda: nn.BatchNorm2d(channels),
    }[name]()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    module, x = module.to(device), torch.from_numpy(np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x).to(device).requires_grad_()
    arguments = (x, x, x) if name == "MultiHeadAttention" else (x,)
    more = {"need_weights": False} if name == "MultiHeadAttention" else {}
    parameters = [x, *module.parameters()]

    def step() -> Any:
        y = module(*arguments, **more)
        return torch.autograd.grad(((y[0] if isinstance(y, tuple) else y) ** 2).sum(), parameters)

    return step


def ours_torch(name: str, keraunos: Any, layer: Any, x: Any) -> Step:
    """The same of a layer of Keraunos, as the training step finds gradients."""
    from keraunos.core.functional import value_and_grad

    value = keraunos.Variable(x)
    variables = [value, *layer.trainable_variables]

    def loss() -> Any:
        y = layer(*inputs_of(name, value.value), training=True)
        return keraunos.ops.sum(keraunos.ops.square(y))

    return value_and_grad(loss, variables)


def keras_torch(name: str, keras: Any, layer: Any, x: Any) -> Step:
    """The same of a layer of Keras, in a loop as its guide writes it."""
    torch = importlib.import_module("torch")
    x = keras.ops.convert_to_tensor(x).requires_grad_()
    values = [x, *(v.value for v in layer.trainable_variables)]

    def step() -> Any:
        y = layer(*inputs_of(name, x), training=True)
        return torch.autograd.grad(keras.ops.sum(keras.ops.square(y)), values)

    return step


def raw_jax(name: str, x: Any) -> Step:
    """The gradients of Flax's module by its parameters and its input, compiled."""
    jax, nn = importlib.import_module("jax"), importlib.import_module("flax.linen")
    module = {
        "LSTM": lambda: nn.RNN(nn.OptimizedLSTMCell(128)),
        "GRU": lambda: nn.RNN(nn.GRUCell(128)),
        "Conv2D": lambda: nn.Conv(64, (3, 3)),
        "MultiHeadAttention": lambda: nn.MultiHeadDotProductAttention(8),
        "LayerNormalization": lambda: nn.LayerNorm(),
        "BatchNormalization": lambda: nn.BatchNorm(use_running_average=False),
    }[name]()
    variables = module.init(jax.random.PRNGKey(0), *inputs_of(name, x))
    rest = {k: v for k, v in variables.items() if k != "params"}

    def loss(parameters: Any, x: Any) -> Any:
        y, changed = module.apply({"params": parameters, **rest}, *inputs_of(name, x), mutable=list(rest))
        return (y**2).sum(), changed

    step = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    x = jax.numpy.asarray(x)
    return lambda: jax.block_until_ready(step(variables["params"], x))


def layer_jax(name: str, library: Any, layer: Any, x: Any) -> Step:
    """The same of a layer, of Keraunos or of Keras, by `stateless_call`."""
    jax = importlib.import_module("jax")
    trainable, others = ([v.value for v in vs] for vs in (layer.trainable_variables, layer.non_trainable_variables))
    more = {"training": True} if name == "BatchNormalization" else {}

    def loss(trainable: Any, x: Any) -> Any:
        y, changed = layer.stateless_call(trainable, others, *inputs_of(name, x), **more)
        return (y**2).sum(), changed

    step = jax.jit(jax.grad(loss, (0, 1), has_aux=True))
    x = jax.numpy.asarray(x)
    return lambda: jax.block_until_ready(step(trainable, x))


def repeated(engine: str, step: Step, count: int) -> Callable[[], None]:
    """A step several times, until a GPU has done them all."""
    cuda = importlib.import_module("torch").cuda if engine == "torch" else None
    wait = cuda.synchronize if cuda and cuda.is_available() else lambda: None

    def run() -> None:
        for _ in range(count):
            step()
        wait()

    return run


def measured(engine: str, names: list[str], libraries: dict[str, Any], rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a step, by layer and peer."""
    found, rng = {}, np.random.default_rng(0)
    for name in [n for n in names if n in MODULES]:
        arguments, shape = MODULES[name]
        x = rng.normal(size=shape).astype("float32")
        steps = {"raw": (raw_torch if engine == "torch" else raw_jax)(name, x)}
        for key, library in libraries.items():
            layer = getattr(library.layers, name)(**arguments)
            more = {"training": True} if name == "BatchNormalization" else {}
            layer(*inputs_of(name, x), **more)
            make = layer_jax if engine == "jax" else ours_torch if key == "keraunos" else keras_torch
            steps[key] = make(name, library, layer, x)
        for step in steps.values():
            repeated(engine, step, 3)()
        repeats = max(1, int(0.2 / seconds(repeated(engine, steps["raw"], 1))))
        found[name] = medians({key: repeated(engine, step, repeats) for key, step in steps.items()}, rounds, repeats)
    return found
