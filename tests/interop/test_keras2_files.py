"""Files that tf.keras wrote (`tf_keras`, the last of Keras 2), read here: models as a whole, weights alone, and the state of optimizers."""

from __future__ import annotations

import json
import warnings

import h5py
import numpy as np
import pytest
from tests.conftest import in_force

import keraunos as keras
from keraunos.core.errors import ArgumentError, ModelFileError

tf = pytest.importorskip("tensorflow")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    old = pytest.importorskip("tf_keras")
L = old.layers
pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file:UserWarning"),
    pytest.mark.xdist_group("files of Keras 2"),  # all are written once
]
SEEDED = np.random.default_rng(0)


def functional(inputs, outputs):
    return old.Model(inputs, outputs)


def mlp():
    regularized = {"kernel_regularizer": "l2", "bias_regularizer": old.regularizers.L1(0.1), "kernel_constraint": "max_norm"}
    return old.Sequential([L.Dense(5, "swish", input_shape=(4,), **regularized), L.BatchNormalization(), L.Dropout(0.2), L.Dense(3, "softmax")])


def cnn():
    x = old.Input((8, 8, 2))
    y = L.LeakyReLU(0.1)(L.BatchNormalization()(L.Conv2D(4, 3, padding="same", strides=2)(x)))
    y = L.SeparableConv2D(3, 2, depth_multiplier=2, activation="relu")(L.DepthwiseConv2D(2)(y))
    return functional(x, L.Dense(2)(L.GlobalAveragePooling2D()(L.MaxPooling2D(1)(y))))


def convolutions():
    x = old.Input((6, 2))
    y = L.ZeroPadding1D(1)(L.Conv1D(3, 2, dilation_rate=2, padding="causal")(x))
    y = L.Reshape((4, 2, 3))(y)
    y = L.Cropping2D(((1, 0), (0, 0)))(L.Conv2DTranspose(2, 2, strides=2, activation="elu")(y))
    y = L.UpSampling2D(2, interpolation="bilinear")(L.AveragePooling2D(2)(y))
    y = L.Conv3D(2, 2)(L.ZeroPadding3D(1)(L.Reshape((1, 2, 2, -1))(y)))
    return functional(x, L.Flatten()(y))


def lstm():
    return old.Sequential([L.Embedding(9, 4, mask_zero=True, input_length=5), L.LSTM(3, return_sequences=True), L.LSTM(2, go_backwards=True), L.Dense(2)])


def gru():
    x = old.Input((5, 3))
    return functional(x, L.GRU(2, reset_after=False)(L.GRU(4, return_sequences=True, activation="relu")(x)))


def bidirectional():
    cells = L.StackedRNNCells([L.LSTMCell(2), L.GRUCell(3), L.SimpleRNNCell(2)])
    x = old.Input((5, 3))
    y = L.TimeDistributed(L.Dense(4, "relu"))(L.Bidirectional(L.LSTM(2, return_sequences=True))(x))
    y = L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="sum")(y)
    return functional(x, L.RNN(cells)(L.SimpleRNN(3, return_sequences=True)(y)))


def old_gates():
    x = old.Input((3, 4, 4, 1))
    y = L.Reshape((4, 8))(L.ConvLSTM2D(2, 3, padding="same")(x))
    return functional(x, L.Dense(2, "hard_sigmoid")(L.LSTM(3, recurrent_activation="hard_sigmoid")(y)))


def text():
    x = old.Input((6,), dtype="int32")
    y = L.Conv1D(4, 2, activation="gelu")(L.SpatialDropout1D(0.1)(L.Embedding(9, 3)(x)))
    return functional(x, L.Dense(1, "sigmoid")(L.concatenate([L.GlobalMaxPooling1D()(y), L.GlobalAveragePooling1D()(y)])))


def nested():
    h = old.Input((4,))
    block = old.Model(h, L.Dense(4)(L.BatchNormalization()(L.Dense(3, "relu")(h))), name="block")
    head = old.Sequential([L.Dense(3, input_shape=(4,)), L.BatchNormalization(), L.Dense(2)], name="head")
    head.layers[0].trainable = False
    x = old.Input((4,))
    return functional(x, head(L.add([block(block(x)), x])))


def shared():
    a, b = old.Input((4,), name="a"), old.Input((4,), name="b")
    both = L.Dense(4, use_bias=False)
    return functional([a, b], L.dot([both(a), both(both(b))], 1, normalize=True))


def two_outputs():
    a, b = old.Input((4,), name="a"), old.Input((3,), name="b")
    y = L.Concatenate()([L.Dense(5, "tanh")(a), b])
    return functional({"a": a, "b": b}, [L.Dense(1, name="value")(y), L.Dense(3, "softmax", name="policy")(y)])


def attention():
    x = old.Input((5, 4))
    y = L.LayerNormalization(epsilon=1e-5)(L.Add()([x, L.MultiHeadAttention(2, 3, value_dim=2)(x, x)]))
    y = L.Attention(use_scale=True)([y, L.EinsumDense("abc,cd->abd", (None, 4), bias_axes="d")(y)])
    return functional(x, L.GlobalAveragePooling1D()(L.AdditiveAttention()([y, y])))


def preprocessing():
    normalization = L.Normalization()
    normalization.adapt(SEEDED.normal(3.0, 2.0, (9, 4, 4, 2)))
    x = old.Input((4, 4, 2))
    y = L.Resizing(6, 6)(L.Rescaling(0.5, 1.0)(normalization(x)))
    y = L.CenterCrop(4, 4)(y)
    return functional(x, L.Dense(2)(L.Flatten()(L.GaussianNoise(0.1)(y))))


def categories():
    x = old.Input((1,), dtype="int64")
    y = L.CategoryEncoding(8, "one_hot")(L.IntegerLookup(vocabulary=[3, 5, 1])(x))
    return functional(x, L.Dense(2)(y))


def activations():
    x = old.Input((4,))
    y = L.PReLU()(L.ReLU(3.0, 0.1, 0.2)(L.Dense(4)(x)))
    y = L.ThresholdedReLU(0.3)(L.ELU(0.5)(y))
    return functional(x, L.Softmax()(L.ActivityRegularization(0.1)(L.Activation("softsign")(y))))


def normalizations():
    x = old.Input((4, 4))
    y = L.UnitNormalization()(L.GroupNormalization(2)(x))
    y = L.Permute((2, 1))(L.Masking()(y))
    return functional(x, L.maximum([L.RepeatVector(2)(L.Flatten()(y)), L.RepeatVector(2)(L.Flatten()(L.AlphaDropout(0.1)(y)))]))


def with_states():
    a, b = old.Input((5, 3), name="a"), old.Input((4, 3), name="b")
    _, h, c = L.LSTM(3, return_state=True)(a)
    y = L.LSTM(3, return_sequences=True)(b, initial_state=[h, c])
    state = L.GRU(3, return_state=True)(y)[1]
    return functional([a, b], L.GRU(3)(y, initial_state=state))


def operators():
    x = old.Input((4, 6))
    y = tf.nn.relu(x[..., 1:5]) * 2.0 - 1.0 / (tf.abs(x[:, :, None, 0]) + 1.0)
    y = tf.concat([y, 1.0 - y, tf.stack([y[:, :, 0], y[:, :, 1]], axis=-1)], axis=-1)
    y = tf.reshape(tf.transpose(y, [0, 2, 1]), (-1, 40)) @ tf.constant(np.arange(120.0).reshape(40, 3) / 99, "float32")
    y = tf.where(y > 0.5, tf.clip_by_value(y, 0.0, 1.0), tf.exp(-tf.square(y)))
    y = tf.math.reduce_max(y, axis=1, keepdims=True) + old.backend.mean(y, axis=-1, keepdims=True) + tf.cast(y >= 0.2, "float32")
    y = tf.expand_dims(tf.math.maximum(y, tf.math.sigmoid(y)) ** 2, 1)
    return functional(x, tf.tile(y, [1, 2, 1])[:, 0])


@old.saving.register_keras_serializable("mine")
class Scale(L.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.gain = self.add_weight("gain", (shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.gain * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("mine", "Scale")
class OurScale(keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones", name="gain")

    def call(self, x):
        return x * self.gain * self.factor


def custom():
    return old.Sequential([Scale(3.0, input_shape=(4,)), L.Dense(2), Scale()])


MODELS = [activations, attention, bidirectional, categories, cnn, convolutions, custom, gru, lstm, mlp, nested, normalizations, old_gates, operators, preprocessing,
          shared, text, two_outputs, with_states]  # fmt: skip


def batch(model):
    rng = np.random.default_rng(1)
    shapes = [(3, *(5 if d is None else d for d in x.shape[1:])) for x in model.inputs]
    arrays = [
        rng.integers(1, 6, s).astype("int32") if "int" in x.dtype.name else rng.normal(size=s).astype("float32")
        for x, s in zip(model.inputs, shapes, strict=True)
    ]
    return arrays[0] if len(arrays) == 1 else dict(zip(["a", "b"], arrays, strict=True)) if isinstance(model.input, dict) else arrays


def flat(y):
    return [np.asarray(part) for part in (y if isinstance(y, list) else [y])]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Each model's file, the weights alone, data for it, and what it predicts."""
    folder, found = tmp_path_factory.mktemp("keras2"), {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for make in MODELS:
            old.backend.clear_session()
            model = make()
            if not model.built:
                model.build((None, 5))
            rng = np.random.default_rng(2)
            frozen = ("categor", "preprocess")
            if not make.__name__.startswith(frozen):
                model.set_weights([(np.abs(rng.normal(size=w.shape)) * 0.5 + 0.1).astype(w.dtype) for w in model.get_weights()])
            path = folder / f"{make.__name__}.h5"
            model.save(path)
            model.save_weights(folder / f"{make.__name__}_weights.h5")
            x = np.random.default_rng(1).integers(0, 9, (3, 5)) if make is lstm else batch(model)
            found[make.__name__] = path, x, flat(model(x, training=False))
    return found


@pytest.mark.parametrize("name", [make.__name__ for make in MODELS])
@pytest.mark.filterwarnings("ignore:The mask of its input ends here")
def test_models_are_read(name, files, tmp_path):
    path, x, expected = files[name]
    with in_force("numpy"):
        model = keras.models.load_model(path)
        for found, value in zip(flat(model(x, training=False)), expected, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)
        again = keras.models.model_from_json(model.to_json())
        again.load_weights(str(path).replace(".h5", "_weights.h5"))
        for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


OPTIMIZERS = {
    "adam": lambda o: o.Adam(0.01, amsgrad=True),
    "adadelta": lambda o: o.Adadelta(0.5),
    "adagrad": lambda o: o.Adagrad(0.1),
    "adamax": lambda o: o.Adamax(0.01),
    "adamw": lambda o: old.optimizers.AdamW(0.01, weight_decay=0.1),
    "ftrl": lambda o: o.Ftrl(0.1),
    "rmsprop": lambda o: o.RMSprop(0.01, momentum=0.5, centered=True),
    "schedule": lambda o: o.SGD(old.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5), momentum=0.9),
    "sgd": lambda o: o.SGD(0.1, momentum=0.9, nesterov=True),
}
FORMER = {"decay": lambda o: o.Adam(0.01, decay=0.5), "sgd with decay": lambda o: o.SGD(0.1, decay=1.0)}
STEPS = [(np.random.default_rng(i).normal(size=(6, 4)).astype("float32"), np.random.default_rng(i).normal(size=(6, 2)).astype("float32")) for i in range(4)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Files of models after two steps, and their weights after two more."""
    folder, found = tmp_path_factory.mktemp("trained"), {}
    cases = {("optimizers", name): make(old.optimizers) for name, make in OPTIMIZERS.items()}
    cases |= {("legacy", name): make(old.optimizers.legacy) for name, make in (OPTIMIZERS | FORMER).items() if name != "adamw"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, optimizer in cases.items():
            model = old.Sequential([L.Dense(3, "tanh", input_shape=(4,)), L.LayerNormalization(), L.Dense(2)])
            model.set_weights([np.random.default_rng(5).normal(size=w.shape) for w in model.get_weights()])
            model.compile(optimizer, "mse", metrics=["mae", old.metrics.RootMeanSquaredError()], run_eagerly=True)
            for step in STEPS[:2]:
                model.train_on_batch(*step)
            model.save(path := folder / f"{'_'.join(key).replace(' ', '_')}.h5")
            if key[0] == "optimizers":
                model.save(path.with_suffix(".keras"))
            for step in STEPS[2:]:
                model.train_on_batch(*step)
            found[key] = path, model.get_weights()
    return found


ENDINGS = {"optimizers": (".h5", ".keras"), "legacy": (".h5",)}
KINDS = {"optimizers": OPTIMIZERS, "legacy": {n: o for n, o in (OPTIMIZERS | FORMER).items() if n != "adamw"}}


@pytest.mark.parametrize(("kind", "name", "ending"), [(kind, name, ending) for kind, names in KINDS.items() for name in names for ending in ENDINGS[kind]])
def test_training_goes_on(kind, name, ending, trained):
    path, expected = trained[kind, name]
    with in_force("torch"):
        model = keras.models.load_model(path.with_suffix(ending))
        assert int(model.optimizer.iterations) == 2
        for step in STEPS[2:]:
            model.train_on_batch(*step)
        for a, b in zip(model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


STATELESS = {  # what is kept of these is another, or not all of it is in the file
    "nadam": lambda o, former: o.Nadam(0.01),
    "former nadam": lambda o, former: former.Nadam(0.01),
    "scaled": lambda o, former: old.mixed_precision.LossScaleOptimizer(o.SGD(0.1)),
    "former scaled": lambda o, former: old.mixed_precision.LossScaleOptimizer(former.SGD(0.1)),
}


@pytest.mark.parametrize("name", STATELESS)
def test_an_optimizer_begins_anew_with_a_warning(name, tmp_path):
    model = old.Sequential([L.Dense(2, input_shape=(4,))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.compile(STATELESS[name](old.optimizers, old.optimizers.legacy), "mse", run_eagerly=True)
        model.train_on_batch(*STEPS[0])
        for ending in (".h5", ".keras"):
            model.save(tmp_path / f"m{ending}")
    for ending in (".h5", ".keras"):
        with in_force("numpy"), pytest.warns(UserWarning, match="starts anew"):
            loaded = keras.models.load_model(tmp_path / f"m{ending}")
        for a, b in zip(loaded.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3)])
def test_weights_of_cudnn_layers(kind, gates, tmp_path):
    theirs, shapes = old.Sequential([getattr(L, kind)(3, input_shape=(4, 5))]), [(5, 3 * gates), (3, 3 * gates), (6 * gates,)]
    theirs.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        group = next(group for group in file["model_weights"].values() if len(group))
        for name, shape in zip(group.attrs["weight_names"], shapes, strict=True):
            del group[name]
            group[name] = SEEDED.normal(size=shape).astype("float32")
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1] = {"class_name": f"CuDNN{kind}", "config": {"units": 3, "name": "r"}}
        file.attrs["model_config"] = json.dumps(config)
    theirs.load_weights(tmp_path / "m.h5")
    ours = keras.models.load_model(tmp_path / "m.h5")
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_by_name(files, tmp_path):
    path = str(files["nested"][0]).replace(".h5", "_weights.h5")
    with in_force("numpy"):
        whole = keras.models.load_model(files["nested"][0])
        x = keras.Input((4,))
        head = keras.Sequential(
            [keras.Input((4,)), keras.layers.Dense(3, trainable=False), keras.layers.BatchNormalization(), keras.layers.Dense(2)], name="head"
        )
        part = keras.Model(x, keras.layers.Dense(4, name="other")(head(x)))
        before = part.layers[-1].get_weights()
        part.load_weights(path, by_name=True)
        for a, b in zip(head.get_weights(), whole.get_layer("head").get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(part.layers[-1].get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        with pytest.raises(ModelFileError, match="do not fit"):
            part.load_weights(path)
        wider = keras.Model(x, keras.layers.Dense(5, name="head")(x))
        with pytest.raises(ModelFileError, match=r"head: expected \(4, 5\), \(5,\); found"):
            wider.load_weights(path, by_name=True)
        with pytest.warns(UserWarning, match="left as they are"):
            wider.load_weights(path, by_name=True, skip_mismatch=True)
        part.save_weights(tmp_path / "m.weights.h5")
        with pytest.raises(ArgumentError, match="by_name is for"):
            part.load_weights(tmp_path / "m.weights.h5", by_name=True)


REFUSED = {
    "lambda": (lambda x: L.Lambda(lambda y: y * 2)(x), "is a Python lambda"),
    "no such class": (lambda x: L.LocallyConnected1D(2, 3)(x), "no 'LocallyConnected1D' any more.*Conv1D"),
    "time first": (lambda x: L.LSTM(2, time_major=True)(x), "time_major=True.*transpose"),
    "op": (lambda x: tf.math.bessel_i0(x), r"tf\.math\.bessel_i0.*keras\.ops"),
    "argument": (lambda x: tf.math.cumsum(x, axis=1, exclusive=True), "with exclusive=True"),
    "added loss": (lambda x: added(x), "AddLoss|no 'AddLoss' any more"),
}


def added(x):
    y = L.Dense(2)(x)
    model = old.Model(x, y)
    model.add_loss(tf.reduce_mean(y))
    return model


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_told(name, tmp_path):
    make, message = REFUSED[name]
    x = old.Input((4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = make(x)
        (made if isinstance(made, old.Model) else old.Model(x, made)).save(tmp_path / "m.h5")
    with pytest.raises(ModelFileError, match=f"(?s){message}"):
        keras.models.load_model(tmp_path / "m.h5")
