"""Hand-written training loops, as one would write them for each engine without a library."""

from __future__ import annotations

import functools
import itertools
import statistics
import time

import numpy as np

from benchmarks.networks import flax_network, torch_network


def initial(sizes, conv=()):
    """Weights by Glorot's rule: for the convolutions, then for the dense layers."""
    rng = np.random.default_rng(0)
    made = []
    for shape in [*conv, *itertools.pairwise(sizes)]:
        window = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (window * (shape[-2] + shape[-1])))
        made.append((rng.uniform(-limit, limit, shape).astype("float32"), np.zeros(shape[-1], "float32")))
    return made


class Raw:
    """What the loops share."""

    def epochs(self, count):
        """Several passes over the data."""
        for _ in range(count):
            self.epoch()


class RawJax(Raw):
    """jit, optax Adam, donated state; the batch is gathered from data on the device.

    Args:
        apply: A function `(parameters, state, inputs) -> (logits, state)`.
        parameters: What is trained.
        state: What the network keeps beside them, such as moving averages.
        x: The samples.
        y: Their labels.
        batch: The number of samples in a step.
    """

    def __init__(self, apply, parameters, state, x, y, batch):
        import jax
        import jax.numpy as jnp
        import optax

        self.jax, self.batch, self.n = jax, batch, len(x)
        self.x, self.y = jnp.asarray(x), jnp.asarray(y)
        optimizer = optax.adam(1e-3, eps=1e-7)

        def loss(parameters, state, xb, yb):
            logits, state = apply(parameters, state, xb)
            return optax.softmax_cross_entropy_with_integer_labels(logits, yb).mean(), state

        @functools.partial(jax.jit, donate_argnums=(0, 1, 2, 3))
        def step(parameters, state, moments, total, xs, ys, rows):
            (value, state), grads = jax.value_and_grad(loss, has_aux=True)(parameters, state, xs[rows], ys[rows])
            updates, moments = optimizer.update(grads, moments, parameters)
            return optax.apply_updates(parameters, updates), state, moments, total + value

        self.held = (parameters, state, optimizer.init(parameters), jnp.zeros(()))
        self.step, self.predict = step, jax.jit(lambda parameters, state, x: apply(parameters, state, x)[0])

    @classmethod
    def of_sizes(cls, sizes, conv, x, y, batch):
        """A chain of convolutions and dense layers."""
        import jax
        import jax.numpy as jnp

        convs = len(conv)

        def apply(params, state, h):
            for w, b in params[:convs]:
                h = jax.lax.conv_general_dilated(h, w, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
                h = jax.lax.reduce_window(jax.nn.relu(h + b), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            h = h.reshape(h.shape[0], -1)
            for w, b in params[convs:-1]:
                h = jax.nn.relu(h @ w + b)
            return h @ params[-1][0] + params[-1][1], state

        return cls(apply, [(jnp.asarray(w), jnp.asarray(b)) for w, b in initial(sizes, conv)], (), x, y, batch)

    @classmethod
    def of_network(cls, name, x, y, batch):
        """A module of Flax."""
        import jax

        module = flax_network(name)
        parameters = module.init(jax.random.PRNGKey(0), x[:batch])
        state = {k: v for k, v in parameters.items() if k != "params"}

        def apply(parameters, state, x):
            return module.apply({"params": parameters, **state}, x, mutable=list(state))

        return cls(apply, parameters["params"], state, x, y, batch)

    def epoch(self):
        order = np.random.permutation(self.n).astype("int32")
        for i in range(self.n // self.batch):
            rows = order[i * self.batch : (i + 1) * self.batch]
            self.held = self.step(*self.held, self.x, self.y, rows)
        self.jax.block_until_ready(self.held[-1])

    def predict_one(self, x):
        return np.asarray(self.predict(*self.held[:2], x))


class RawTorch(Raw):
    """Eager, fused Adam; the batch is gathered from data on the device."""

    def __init__(self, module, x, y, batch):
        import torch

        self.torch, self.batch, self.n = torch, batch, len(x)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x
        self.x, self.y = torch.from_numpy(x).to(device), torch.from_numpy(y.astype("int64")).to(device)
        self.model = module.to(device)
        self.loss = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, eps=1e-7, fused=True)
        self.device, self.total = device, torch.zeros((), device=device)

    @classmethod
    def of_sizes(cls, sizes, conv, x, y, batch):
        """A chain of convolutions and dense layers."""
        from torch import nn

        layers = []
        for shape in conv:
            layers += [nn.Conv2d(shape[2], shape[3], shape[0]), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Flatten()] if conv else []
        for i, (a, b) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Linear(a, b)] + ([nn.ReLU()] if i < len(sizes) - 2 else [])
        return cls(nn.Sequential(*layers), x, y, batch)

    @classmethod
    def of_network(cls, name, x, y, batch):
        """A module of PyTorch."""
        return cls(torch_network(name), x, y, batch)

    def epoch(self):
        torch = self.torch
        order = torch.randperm(self.n, device=self.device)
        for i in range(self.n // self.batch):
            rows = order[i * self.batch : (i + 1) * self.batch]
            loss = self.loss(self.model(self.x[rows]), self.y[rows])
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.total += loss.detach()
        self.total.item()

    def predict_one(self, x):
        with self.torch.no_grad():
            return self.model(self.torch.from_numpy(x).to(self.device)).cpu().numpy()


class RawTensorFlow(Raw):
    """tf.function with variables, by XLA where that is faster (not for convolutions on CPUs), Adam in operators; the batch is gathered from data on the device."""

    def __init__(self, sizes, conv, x, y, batch):
        import tensorflow as tf

        self.tf, self.batch, self.n = tf, batch, len(x)
        self.x, self.y = tf.constant(x), tf.constant(y)
        pairs = [(tf.Variable(w), tf.Variable(b)) for w, b in initial(sizes, conv)]
        variables = [v for pair in pairs for v in pair]
        moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
        count, total, convs = tf.Variable(0.0), tf.Variable(0.0), len(conv)

        def forward(h):
            for w, b in pairs[:convs]:
                h = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(h, w, 1, "VALID") + b), 2, 2, "VALID")
            h = tf.reshape(h, (h.shape[0], -1))
            for w, b in pairs[convs:-1]:
                h = tf.nn.relu(h @ w + b)
            return h @ pairs[-1][0] + pairs[-1][1]

        @tf.function(autograph=False, jit_compile=not conv)
        def step(rows):
            with tf.GradientTape() as tape:
                logits = forward(tf.gather(self.x, rows))
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.gather(self.y, rows), logits))
            count.assign_add(1.0)
            rate = 1e-3 * tf.sqrt(1 - 0.999**count) / (1 - 0.9**count)
            for v, (m, s), g in zip(variables, moments, tape.gradient(loss, variables), strict=True):
                m.assign_add((g - m) * 0.1)
                s.assign_add((g * g - s) * 0.001)
                v.assign_sub(rate * m / (tf.sqrt(s) + 1e-7))
            total.assign_add(loss)

        self.step, self.total = step, total
        self.predict = tf.function(forward, autograph=False, jit_compile=not conv)

    def epoch(self):
        order = self.tf.constant(np.random.permutation(self.n).astype("int32"))
        for i in range(self.n // self.batch):
            self.step(order[i * self.batch : (i + 1) * self.batch])
        self.total.numpy()

    def predict_one(self, x):
        return self.predict(self.tf.constant(x)).numpy()


class RawPyTensor(Raw):
    """pytensor.function with shared variables and their updates, Adam in expressions; the batch is gathered from shared data."""

    def __init__(self, sizes, conv, x, y, batch):
        import pytensor
        import pytensor.tensor as pt

        self.batch, self.n = batch, len(x)
        data, labels = pytensor.shared(x), pytensor.shared(y)
        variables = [pytensor.shared(v) for pair in initial(sizes, conv) for v in pair]
        rows, count, total = pt.ivector("rows"), pytensor.shared(np.float32(0)), pytensor.shared(np.float32(0))

        def forward(h):
            for w, b in zip(variables[:-2:2], variables[1:-2:2], strict=True):
                h = pt.maximum(h @ w + b, 0)
            return h @ variables[-2] + variables[-1]

        logits = forward(data[rows])
        chosen = logits[pt.arange(batch), labels[rows]]
        loss = pt.mean(pt.logsumexp(logits, axis=-1) - chosen)
        t = count + np.float32(1)
        rate = np.float32(1e-3) * pt.sqrt(1 - np.float32(0.999) ** t) / (1 - np.float32(0.9) ** t)
        updates = [(count, t), (total, total + loss)]
        for v, g in zip(variables, pytensor.grad(loss, variables), strict=True):
            m, s = (pytensor.shared(np.zeros_like(v.get_value())) for _ in range(2))
            new_m, new_s = m + (g - m) * np.float32(0.1), s + (g * g - s) * np.float32(0.001)
            updates += [(m, new_m), (s, new_s), (v, v - rate * new_m / (pt.sqrt(new_s) + np.float32(1e-7)))]
        self.step, self.total = pytensor.function([rows], [], updates=updates), total
        inputs = pt.fmatrix("inputs")
        self.predict_one = pytensor.function([inputs], forward(inputs))

    def epoch(self):
        order = np.random.permutation(self.n).astype("int32")
        for i in range(self.n // self.batch):
            self.step(order[i * self.batch : (i + 1) * self.batch])


RAW = {"jax": RawJax.of_sizes, "torch": RawTorch.of_sizes, "tensorflow": RawTensorFlow, "pytensor": RawPyTensor}


def medians(runs, rounds, count=1):
    """Milliseconds of each of several functions, which do the same `count` times, run in turn."""
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, function in runs.items():
            times[name].append(seconds(function) / count * 1000)
    return {name: statistics.median(taken) for name, taken in times.items()}


def seconds(function, *args):
    """How long a call takes."""
    started = time.perf_counter()
    function(*args)
    return time.perf_counter() - started
