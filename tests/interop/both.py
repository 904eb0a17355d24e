"""Models that are made alike by Keras and by Keraunos, written by one and read by the other; a program, so that Keras may be in a process of its own.

`python -m tests.interop.both THEIRS OURS` lets the installed Keras write all files to the one folder, and read those in the other. Beside each
model's files stands what it predicts, and what its weights and its optimizer's state are after one more step.
"""

from __future__ import annotations

import gc
import os
import pathlib
import random
import sys
import warnings

import numpy as np

if __name__ == "__main__":
    os.environ["KERAS_BACKEND"] = "torch"  # what needs no compilation


# ---- classes of a user's ----
def classes(K):
    L, register = K.layers, K.saving.register_keras_serializable(package="interop")

    class Scale(L.Layer):
        def __init__(self, factor=2.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor
            self.parts = [L.Dense(3), L.LayerNormalization()]
            self._last = L.Dense(3)
            self.last = self._last

        def build(self, input_shape):
            self.offset = self.add_weight(shape=(3,), initializer="normal", name="offset")
            self.counter = self.add_weight(shape=(), initializer="zeros", trainable=False, name="counter")
            for part in (*self.parts, self._last):
                part.build((None, 3))

        def call(self, x):
            for part in self.parts:
                x = part(x)
            return self._last(x) * self.factor + self.offset

        def get_config(self):
            return {**super().get_config(), "factor": self.factor}

    class Plain(K.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.zed, self.first = L.Dense(units), L.Dense(units)
            self._hidden, self._last = L.Dense(units), L.Dense(units)
            self.alias = self._last
            self.blocks = [K.Sequential([L.Dense(units), L.BatchNormalization()]), L.Dense(units)]
            self.table = {"x": L.Dense(units), "y": [L.Dense(units)]}

        def call(self, x, training=None):
            x = self._hidden(self._last(self.zed(self.first(x))))
            for block in self.blocks:
                x = block(x)
            return self.table["y"][0](self.table["x"](x))

    class Graph(K.Model):
        def __init__(self, units=3, **kwargs):
            x, self_hidden = K.Input((4,)), L.Dense(units, name="hidden")
            super().__init__(x, L.Dense(2)(self_hidden(x)), **kwargs)
            self.hidden, self.units, self.extra = self_hidden, units, L.Dense(1)
            self.extra.build((None, 4))

        def get_config(self):
            return {"units": self.units, "name": self.name}

    class Pair(K.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.one, self.other = L.Dense(3), L.Dense(3)

        def call(self, inputs):
            return self.one(inputs[0]) + self.other(inputs[1])

    return {cls.__name__: register(cls) for cls in (Scale, Plain, Graph, Pair)}


_classes = {}


def of(K, name):
    if K not in _classes:
        _classes[K] = classes(K)
    return _classes[K][name]


# ---- models ----
def mlp(K):
    L = K.layers
    return K.Sequential([K.Input((6,)), L.Dense(8, activation="relu"), L.BatchNormalization(), L.Dense(3, activation="softmax", kernel_regularizer="l2")])


def cnn(K):
    L = K.layers
    body = [L.Conv2D(4, 3, padding="same", strides=2), L.BatchNormalization(), L.Activation("relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(2)]
    return K.Sequential([K.Input((8, 8, 2)), *body])


def separable(K):
    L, x = K.layers, K.Input((6, 6, 2))
    y = L.SeparableConv2D(3, 2, depth_multiplier=2, activation="gelu")(L.DepthwiseConv2D(2, padding="same")(x))
    return K.Model(x, L.Dense(2)(L.GlobalMaxPooling2D()(L.AveragePooling2D(2)(y))))


def convolutions(K):
    L, x = K.layers, K.Input((6, 2))
    y = L.Conv1DTranspose(2, 2, strides=2)(L.ZeroPadding1D(1)(L.Conv1D(4, 2, dilation_rate=2, padding="causal", groups=2)(x)))
    y = L.UpSampling2D(2)(L.Conv2DTranspose(2, 2, strides=2)(L.Cropping2D(1)(L.Reshape((4, 4, 2))(y))))
    return K.Model(x, L.Flatten()(L.Conv3D(2, 2)(L.Reshape((2, 4, 4, 4))(y))))


def residual(K):
    L, x = K.layers, K.Input((4, 4, 3))
    y = L.BatchNormalization(scale=False)(L.Conv2D(3, 3, padding="same", use_bias=False)(x))
    y = L.ReLU()(L.Add()([x, L.SpatialDropout2D(0.0)(y)]))
    return K.Model(x, L.Dense(2)(L.GlobalAveragePooling2D()(y)))


def lstm(K):
    L = K.layers
    return K.Sequential([K.Input((5,)), L.Embedding(11, 4, mask_zero=True), L.LSTM(3, return_sequences=True), L.LSTM(2, go_backwards=True), L.Dense(2)])


def gru(K):
    L, x = K.layers, K.Input((5, 3))
    return K.Model(x, L.GRU(2, reset_after=False)(L.GRU(4, return_sequences=True, recurrent_activation="hard_sigmoid")(x)))


def bidirectional(K):
    L, x = K.layers, K.Input((5, 3))
    y = L.TimeDistributed(L.Dense(4, "tanh"))(L.Bidirectional(L.LSTM(2, return_sequences=True))(x))
    return K.Model(x, L.Bidirectional(L.GRU(2), merge_mode="sum")(y))


def cells(K):
    L, x = K.layers, K.Input((4, 3))
    return K.Model(x, L.RNN(L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(3), L.SimpleRNNCell(2)]))(L.SimpleRNN(3, return_sequences=True)(x)))


def conv_lstm(K):
    L, x = K.layers, K.Input((3, 4, 4, 1))
    return K.Model(x, L.Flatten()(L.ConvLSTM2D(2, 3, padding="same")(x)))


def with_states(K):
    L, a, b = K.layers, K.Input((5, 3), name="a"), K.Input((4, 3), name="b")
    _, h, c = L.LSTM(3, return_state=True)(a)
    return K.Model([a, b], L.Dense(2)(L.LSTM(3, return_sequences=True)(b, initial_state=[h, c])))


def text(K):
    L, x = K.layers, K.Input((6,), dtype="int32")
    y = L.Conv1D(4, 2, activation="silu")(L.Embedding(11, 3)(x))
    return K.Model(x, L.Dense(1, "sigmoid")(L.concatenate([L.GlobalMaxPooling1D()(y), L.GlobalAveragePooling1D()(y)])))


def attention(K):
    L, x = K.layers, K.Input((5, 4))
    y = L.Attention(use_scale=True)([x, L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")(x)])
    return K.Model(x, L.GroupQueryAttention(3, 4, 2)(y, L.AdditiveAttention()([y, y])))


def transformer(K):
    L, x = K.layers, K.Input((5, 4))
    y = L.LayerNormalization(epsilon=1e-5)(L.Add()([x, L.MultiHeadAttention(2, 3, value_dim=2)(x, x, use_causal_mask=True)]))
    return K.Model(x, L.LayerNormalization()(L.Add()([y, L.Dense(4)(L.Dense(8, activation="gelu")(y))])))


def two_inputs(K):
    L, a, b = K.layers, K.Input((4,), name="a"), K.Input((3,), name="b")
    return K.Model([a, b], L.Dense(2, name="end")(L.Concatenate()([L.Dense(5, activation="tanh")(a), b])))


def shared(K):
    L, a, b = K.layers, K.Input((4,), name="a"), K.Input((4,), name="b")
    both = L.Dense(4, use_bias=False, name="both")
    return K.Model({"a": a, "b": b}, L.Add()([both(a), both(both(b))]))


def nested(K):
    L, x, h = K.layers, K.Input((5,)), K.Input((3,))
    encoder = K.Sequential([K.Input((5,)), L.Dense(4, activation="gelu"), L.BatchNormalization(), L.Dense(3)], name="encoder")
    encoder.layers[0].trainable = False
    return K.Model(x, K.Model(h, L.Dense(5)(h), name="decoder")(encoder(x)), name="outer")


def nested_twice(K):
    L, a, b, h = K.layers, K.Input((4,), name="a"), K.Input((4,), name="b"), K.Input((4,))
    encoder = K.Model(h, L.Dense(3, activation="tanh")(h), name="encoder")
    return K.Model([a, b], L.Subtract()([encoder(a), encoder(b)]))


def operators(K):
    L, x = K.layers, K.Input((4,))
    y = 1.0 - L.Dense(4)(x) + 1
    y = K.ops.concatenate([y, K.ops.relu(y) * 2.0], axis=-1)
    y = K.ops.reshape(y, (-1, 2, 4))[:, 0, 1:] / (K.ops.mean(K.ops.abs(x), axis=-1, keepdims=True) + 1.0)
    return K.Model(x, K.ops.where(y > 0, y, K.ops.exp(y) - 1.0))


def several_outputs(K):
    L, x = K.layers, K.Input((4,))
    h = L.Dense(6, activation="relu", name="trunk")(x)
    return K.Model(x, [L.Dense(1, name="value")(h), L.Dense(3, activation="softmax", name="policy")(h)])


def named_outputs(K):
    L, x = K.layers, K.Input((4,), name="x")
    return K.Model({"x": x}, {"one": L.Dense(2)(x), "other": L.Dense(3)(x)})


def custom(K):
    return K.Sequential([K.Input((3,)), of(K, "Scale")(3.0), K.layers.Dense(2)])


def normalizations(K):
    L, x = K.layers, K.Input((4, 6))
    y = L.UnitNormalization()(L.GroupNormalization(2)(L.LayerNormalization(epsilon=1e-5, axis=[1, 2])(x)))
    return K.Model(x, L.Dense(4, kernel_initializer=K.initializers.HeNormal(seed=1))(L.RMSNormalization()(y)))


def spectral(K):  # what training does to its kernel is not the same on Keras's own engines
    L, x = K.layers, K.Input((4,))
    return K.Model(x, L.SpectralNormalization(L.Dense(4))(x))


def activations(K):
    L, x = K.layers, K.Input((4,))
    y = L.ELU(0.5)(L.ReLU(3.0, 0.1, 0.2)(L.PReLU()(L.Dense(4)(x))))
    return K.Model(x, L.Softmax()(L.LeakyReLU(0.2)(L.Activation("softsign")(L.ActivityRegularization(0.1)(y)))))


def merging(K):
    L, a, b = K.layers, K.Input((4,), name="a"), K.Input((4,), name="b")
    merged = [L.Multiply()([a, b]), L.Average()([a, b]), L.Maximum()([a, b]), L.Minimum()([a, b]), L.Dot(1, normalize=True)([a, b])]
    return K.Model([a, b], L.Dense(2)(L.Concatenate()(merged)))


def reshaping(K):
    L, x = K.layers, K.Input((4, 6))
    y = L.Cropping1D(1)(L.UpSampling1D(2)(L.Permute((2, 1))(L.Masking()(x))))
    return K.Model(x, L.Dense(2)(L.RepeatVector(2)(L.Flatten()(L.Reshape((5, -1))(y)))))


def mixed(K):
    L = K.layers
    return K.Sequential([K.Input((6,)), L.Dense(4, dtype="mixed_bfloat16", activation="relu"), L.Dense(3, dtype="bfloat16"), L.Dense(2, dtype="float32")])


def noisy(K):
    L, x = K.layers, K.Input((6,))
    return K.Model(x, L.Dropout(0.25, seed=1)(L.GaussianNoise(0.1)(L.AlphaDropout(0.2)(L.GaussianDropout(0.1)(L.Dense(4)(x))))))


def preprocessing(K):
    L, x = K.layers, K.Input((4,))
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(3.0, 2.0, (9, 4)).astype("float32"))
    return K.Model(x, L.Dense(2)(L.Rescaling(0.5, 1.0)(normalization(x))))


def images(K):
    L, x = K.layers, K.Input((5, 5, 2))
    return K.Model(x, L.CenterCrop(3, 3)(L.Resizing(6, 6)(x)))


def categories(K):
    L, x = K.layers, K.Input((1,))
    return K.Model(x, L.Dense(2)(L.CategoryEncoding(4, "one_hot")(L.Discretization([-0.5, 0.0, 0.5])(x))))


def random_graph(K, seed):
    rng, L = random.Random(seed), K.layers
    tensors = [K.Input((2,), name=f"input{i}") for i in range(rng.randint(1, 3))]
    inputs = list(tensors)
    common = [L.Dense(2, name=f"shared{i}") for i in range(2)]
    for i in range(rng.randint(3, 12)):
        choice, x, y = rng.random(), rng.choice(tensors), rng.choice(tensors)
        if choice < 0.35:
            tensors.append(L.Dense(2, name=f"dense{i}")(x))
        elif choice < 0.6:
            tensors.append(rng.choice(common)(x))
        elif choice < 0.85:
            tensors.append(L.Add(name=f"add{i}")([x, y]))
        else:
            tensors.append(x + 1.0)
    made = tensors[len(inputs) :]
    return K.Model(inputs, [rng.choice(made), made[-1]])


TRAINED = {f.__name__: f for f in (
    mlp, cnn, separable, convolutions, residual, lstm, gru, bidirectional, cells, conv_lstm, with_states, text, attention, transformer, two_inputs, shared, nested,
    nested_twice, operators, several_outputs, named_outputs, custom, normalizations, activations, merging, reshaping, mixed, preprocessing, categories,
)}  # fmt: skip
TRAINED |= {name: lambda K, name=name: of(K, name)(name="model") for name in ("Plain", "Graph", "Pair")}
MODELS = (
    TRAINED | {"noisy": noisy, "images": images, "spectral": spectral} | {f"graph {seed}": lambda K, seed=seed: random_graph(K, seed) for seed in range(20)}
)
OPS = {
    "add": lambda o, x: x + x,
    "radd": lambda o, x: 1.0 + x,
    "subtract": lambda o, x: 1.0 - x,
    "negative": lambda o, x: -x,
    "power": lambda o, x: o.abs(x) ** 2,
    "true_divide": lambda o, x: x / 2.0,
    "floor_divide": lambda o, x: x // 2.0,
    "mod": lambda o, x: x % 2.0,
    "matmul": lambda o, x: x @ o.transpose(x, (0, 2, 1)),
    "compare": lambda o, x: o.cast(o.logical_or(x >= 0.5, x < -1.0), "float32"),
    "get_item": lambda o, x: x[:, 1:3, None, ..., -1],
    "abs": lambda o, x: o.abs(x),
    "activations": lambda o, x: o.gelu(o.leaky_relu(o.silu(o.elu(o.selu(o.softplus(x))))), approximate=False),
    "softmax": lambda o, x: o.softmax(x, axis=1) + o.log_softmax(x),
    "sigmoid": lambda o, x: o.hard_sigmoid(o.sigmoid(x)) + o.relu6(x),
    "reductions": lambda o, x: o.max(x, axis=-1, keepdims=True) + o.sum(x, axis=(1, 2), keepdims=True) - o.var(x, axis=1, keepdims=True) * o.std(x),
    "logsumexp": lambda o, x: o.logsumexp(x, axis=-1),
    "prod": lambda o, x: o.prod(x, axis=1) + o.min(x, axis=1),
    "stack": lambda o, x: o.stack([x, 2.0 * x], axis=1),
    "split": lambda o, x: o.split(x, 2, axis=1)[1],
    "concatenate": lambda o, x: o.concatenate([x, x], axis=1),
    "shapes": lambda o, x: o.squeeze(o.expand_dims(o.reshape(x, (-1, 12)), 1), 1),
    "tile": lambda o, x: o.tile(o.repeat(x, 2, axis=1), (1, 1, 2)),
    "pad": lambda o, x: o.pad(x, ((0, 0), (1, 1), (0, 0)), constant_values=2.0),
    "flip": lambda o, x: o.flip(o.roll(x, 1, axis=1), axis=2),
    "einsum": lambda o, x: o.einsum("bij,bkj->bik", x, x),
    "tensordot": lambda o, x: o.tensordot(x, np.ones((3, 2), "float32"), axes=1),
    "clip": lambda o, x: o.clip(x, -0.5, 0.5),
    "where": lambda o, x: o.where(x > 0, x, 0.0),
    "one_hot": lambda o, x: o.one_hot(o.cast(o.abs(x), "int32"), 4),
    "take": lambda o, x: o.take(x, np.array([0, 2]), axis=1),
    "cumsum": lambda o, x: o.cumsum(x, axis=1),
    "sort": lambda o, x: o.sort(x, axis=-1),
    "argmax": lambda o, x: o.argmax(x, axis=-1),
    "top_k": lambda o, x: o.top_k(x, 2)[0],
    "maths": lambda o, x: o.sqrt(o.square(x)) + o.log1p(o.exp(x)) + o.tanh(x) * o.sin(x) + o.erf(x) + o.rsqrt(o.exp(x)),
    "maximum": lambda o, x: o.maximum(x, 0.1) + o.minimum(x, 0.2),
    "zeros_like": lambda o, x: o.zeros_like(x) + o.ones_like(x),
    "norm": lambda o, x: o.norm(x) * x,
    "isnan": lambda o, x: o.cast(o.isnan(x), "float32"),
    "stop_gradient": lambda o, x: o.stop_gradient(x),
    "swapaxes": lambda o, x: o.swapaxes(x, 1, 2) + o.moveaxis(x, 1, 2),
    "average_pool": lambda o, x: o.average_pool(x, 2, 1, "same") + o.max_pool(x, 2, strides=1, padding="same"),
    "constant": lambda o, x: x + np.arange(3.0, dtype="float32"),
    "meshgrid": lambda o, x: o.meshgrid(o.reshape(x, (-1,)), np.arange(3.0, dtype="float32"), indexing="ij")[1],
    "digitize": lambda o, x: o.round(x, 1) + o.floor(x) + o.sign(x),
}


def of_op(K, op):
    x = K.Input((4, 3))
    return K.Model(x, op(K.ops, x))


MODELS |= {f"op {name}": lambda K, op=op: of_op(K, op) for name, op in OPS.items()}

# ---- compilations ----
OPTIMIZERS = [
    lambda o: o.Adam(0.01, beta_1=0.8, epsilon=1e-3, amsgrad=True),
    lambda o: o.SGD(0.01, momentum=0.9, nesterov=True, clipnorm=1.0),
    lambda o: o.RMSprop(0.01, momentum=0.5, epsilon=1e-3, centered=True),
    lambda o: o.AdamW(0.01, weight_decay=0.02, epsilon=1e-3),
    lambda o: o.SGD(0.01, use_ema=True),
    lambda o: o.Adam(o.schedules.ExponentialDecay(0.1, 1, 0.5), epsilon=1e-3),
    lambda o: o.Nadam(0.01, epsilon=1e-3),
    lambda o: o.Adagrad(0.1),
    lambda o: o.Adadelta(0.5),
    lambda o: o.Adamax(0.01, epsilon=1e-3),
    lambda o: o.Ftrl(0.1),
    lambda o: o.SGD(0.01),
]
COMPILATIONS = {
    "names": lambda K: {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]},
    "by output": lambda K: {
        "optimizer": K.optimizers.Adam(0.01, beta_1=0.8),
        "loss": {"value": K.losses.MeanSquaredError(reduction="sum"), "policy": "categorical_crossentropy"},
        "loss_weights": {"value": 1.0, "policy": 0.5},
        "metrics": {"value": ["mae", K.metrics.RootMeanSquaredError(name="rms")], "policy": [K.metrics.TopKCategoricalAccuracy(2), "accuracy"]},
    },
    "lists": lambda K: {
        "optimizer": K.optimizers.SGD(K.optimizers.schedules.CosineDecay(0.1, 9)),
        "loss": [K.losses.mean_squared_error, K.losses.CategoricalCrossentropy(from_logits=True)],
        "weighted_metrics": [[K.metrics.mean_absolute_error], []],
        "steps_per_execution": 2,
    },
}
OLD_FORMAT = [name for name in TRAINED if name not in ("Plain", "Graph", "Pair", "mixed")]


def model_of(K, name):
    """A model, with weights that are the same for both, compiled if it is trained; and data for it."""
    K.utils.clear_session()
    if name.startswith("compiled "):
        model = several_outputs(K)
        model.compile(**COMPILATIONS[name.removeprefix("compiled ")](K))
        model.optimizer.build(model.trainable_variables)
        return model, batch(model, name)
    model = MODELS[name](K)
    x = batch(model, name)
    if not model.built:
        model(x)
    if name != "preprocessing":
        rng = np.random.default_rng(3)
        model.set_weights([np.abs(rng.normal(size=w.shape)).astype("float32") * 0.5 + 0.05 for w in model.weights])
    if name in TRAINED:
        model.compile(OPTIMIZERS[list(TRAINED).index(name) % len(OPTIMIZERS)](K.optimizers), K.losses.MeanSquaredError(), metrics=[])
    return model, x


def batch(model, name):
    rng = np.random.default_rng(0)

    def array(shape, integers):
        return rng.integers(0, 11, shape).astype("int32") if integers else rng.normal(size=shape).astype("float32")

    if name in ("Plain", "Graph", "Pair"):
        x = array((5, 4), False)
        return [x, x[:, :3]] if name == "Pair" else x
    arrays = [array((5, *x.shape[1:]), "int" in x.dtype or name == "lstm") for x in model.inputs]
    if name in ("shared", "named_outputs"):
        return dict(zip("ab" if name == "shared" else "x", arrays, strict=True))
    return arrays[0] if len(arrays) == 1 else arrays


def flat(y):
    return list(y.values()) if isinstance(y, dict) else y if isinstance(y, (list, tuple)) else [y]


def numbers(values, kind):
    return {f"{kind}{i:03}": np.asarray(v.numpy() if hasattr(v, "numpy") else v.detach(), "float64") for i, v in enumerate(values)}


def predicted(model, x):
    found = flat(model(x, training=False))
    return {f"y{i:03}": np.asarray(y.detach().float() if hasattr(y, "detach") else y, "float64") for i, y in enumerate(found)}


def step(model, x):
    y = model(x, training=False)
    rng = np.random.default_rng(7)
    targets = {key: rng.normal(size=tuple(v.shape)).astype("float32") for key, v in y.items()} if isinstance(y, dict) else [
        rng.normal(size=tuple(v.shape)).astype("float32") for v in flat(y)]  # fmt: skip
    model.train_on_batch(x, targets[0] if isinstance(targets, list) and len(targets) == 1 else targets)


def names():
    return [*MODELS, *(f"compiled {name}" for name in COMPILATIONS)]


def write(K, folder):
    """Make all models and write their files, what they predict, and what they are after one more step."""
    for name in names():
        model, x = model_of(K, name)
        if name in TRAINED and name != "text":  # whose optimizer has not begun when it is saved
            step(model, x)
        model.save(folder / f"{name}.keras")
        if not name.startswith(("op ", "graph ", "compiled ")):
            model.save_weights(folder / f"{name}.weights.h5")
        if name in OLD_FORMAT:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the format
                model.save(folder / f"{name}.h5")
        record(model, x, name, folder / f"{name}.written.npz")


def record(model, x, name, path, **more):
    found = {**predicted(model, x), **numbers(model.weights, "w"), **more}
    if name in TRAINED:
        found |= numbers(model.optimizer.variables, "o")
        step(model, x)
        found |= numbers(model.weights, "W") | numbers(model.optimizer.variables, "O")
    np.savez(path, **found)


def read(K, folder):
    """Read the files that the other has written to a folder, and note the same; or what went wrong."""
    for name in names():
        fresh, x = model_of(K, name)
        try:
            model, more = K.models.load_model(folder / f"{name}.keras"), {}
            if not name.startswith(("op ", "graph ", "compiled ")):
                fresh.load_weights(folder / f"{name}.weights.h5")
                more = numbers(fresh.weights, "f")
            if name in OLD_FORMAT:
                old = K.models.load_model(folder / f"{name}.h5")
                more |= numbers(old.weights, "h")
                more |= numbers(old.optimizer.variables, "H") if K.__name__ == "keraunos" else {}  # Keras begins anew
            record(model, x, name, folder / f"{name}.read.npz", **more)
        except Exception as error:  # told by the test of that model
            (folder / f"{name}.error.txt").write_text(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    gc.collect = lambda *_: 0  # which `clear_session` calls
    import keras

    write(keras, pathlib.Path(sys.argv[1]))
    read(keras, pathlib.Path(sys.argv[2]))
