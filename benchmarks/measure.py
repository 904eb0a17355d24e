"""One engine's measurements, peers in turn; prints JSON. Run by `python -m benchmarks`."""

from __future__ import annotations

import functools
import importlib
import json
import math
import os
import sys
import timeit

from benchmarks import populations
from benchmarks.modules import measured
from benchmarks.networks import NETWORKS, data, network
from benchmarks.raw import RAW, RawJax, RawTorch, medians

EPOCHS = 5
WORKLOADS = {
    # name: dense sizes, convolution kernels, sample shape, batch, samples
    "tiny": ((8, 16, 2), (), (8,), 32, 32 * 400),
    "mlp": ((784, 256, 128, 10), (), (784,), 128, 128 * 60),
    "cnn": ((1600, 10), ((3, 3, 1, 32), (3, 3, 32, 64)), (28, 28, 1), 128, 128 * 8),
}


def build(keras, sizes, conv, shape):
    layers = [keras.Input(shape)]
    for kernel in conv:
        layers += [keras.layers.Conv2D(kernel[-1], kernel[0], activation="relu"), keras.layers.MaxPooling2D()]
    layers += [keras.layers.Flatten()] if conv else []
    layers += [keras.layers.Dense(n, activation="relu") for n in sizes[1:-1]] + [keras.layers.Dense(sizes[-1])]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def main(engine: str, names: list[str], rounds: int) -> dict:
    os.environ["KERAS_BACKEND"] = os.environ["KERAUNOS_BACKEND"] = engine
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import numpy as np

    import keraunos

    libraries, found = {"keraunos": keraunos}, {}
    if engine != "pytensor":  # which Keras does not have
        libraries["keras"] = importlib.import_module("keras")
    rng = np.random.default_rng(1)
    for name in [n for n in names if n in WORKLOADS and not (engine == "pytensor" and WORKLOADS[n][1])]:  # without a library, PyTensor has no pooling
        sizes, conv, shape, batch, n = WORKLOADS[name]
        x, y = rng.normal(size=(n, *shape)).astype("float32"), rng.integers(0, sizes[-1], n).astype("int32")
        raw = RAW[engine](sizes, conv, x, y, batch)
        models = {name_of: build(library, sizes, conv, shape) for name_of, library in libraries.items()}
        found[name] = fitted(raw, models, x, y, batch, 2 if conv else 60, rounds)
    if engine in ("jax", "torch"):
        for name in [n for n in names if n in NETWORKS]:
            x, y = data(name)
            raw = (RawJax if engine == "jax" else RawTorch).of_network(name, x, y, 32)
            found[name] = fitted(raw, {key: network(library, name) for key, library in libraries.items()}, x, y, 32, 3, rounds)
    if "predict-1" in names:
        sizes, conv, shape, batch, n = WORKLOADS["mlp"]
        x = rng.normal(size=(256, 784)).astype("float32")
        y = np.zeros(256, "int32")
        raw = RAW[engine](sizes, conv, x, y, batch)
        models = {name_of: build(library, sizes, conv, shape) for name_of, library in libraries.items()}
        runs = {"raw": lambda: raw.predict_one(x[:1]), **{k: (lambda m=m: m.predict(x[:1], verbose=0)) for k, m in models.items()}}
        for function in runs.values():
            for _ in range(5):
                function()
        found["predict-1"] = medians({k: (lambda f=function: [f() for _ in range(50)]) for k, function in runs.items()}, rounds, 50)
    if "dispatch" in names and engine != "pytensor":  # eagerly, it is NumPy
        found["dispatch"] = dispatch(engine, libraries, rounds)
    if engine in ("jax", "torch"):
        found.update(measured(engine, names, libraries, rounds))
        found.update(populations.measured(names, rounds))
    return found


def fitted(raw, models: dict, x, y, batch: int, first: int, rounds: int) -> dict:
    """Milliseconds per step of a hand-written loop and of `fit`, after a first run in which whatever is chosen by measuring is chosen."""
    runs = {"raw": functools.partial(raw.epochs, EPOCHS)}
    runs.update({k: functools.partial(m.fit, x, y, batch_size=batch, epochs=EPOCHS, verbose=0) for k, m in models.items()})
    for m in models.values():
        m.fit(x, y, batch_size=batch, epochs=first, verbose=0)
    runs["raw"]()
    return medians(runs, rounds, EPOCHS * (len(x) // batch))


def dispatch(engine: str, libraries: dict, rounds: int) -> dict:
    """Milliseconds of one op, the mean of `add` and `matmul`, on tensors that take next to no time: the least of many short runs."""
    module = importlib.import_module({"jax": "jax.numpy"}.get(engine, engine))
    pairs = {"raw": (module.add, module.matmul), **{name: (library.ops.add, library.ops.matmul) for name, library in libraries.items()}}
    x, calls = module.ones((4, 4)), 500
    times = dict.fromkeys(pairs, math.inf)
    for _ in range(20 * rounds):
        for name, (add, matmul) in pairs.items():
            taken = timeit.timeit(lambda add=add, matmul=matmul: matmul(add(x, x), x), number=calls)
            times[name] = min(times[name], taken / (2 * calls) * 1000)
    return times


if __name__ == "__main__":
    print("RESULT " + json.dumps(main(sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]))))
