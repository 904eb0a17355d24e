"""Configs and files of former versions of Keras that no library writes any more, and what of them cannot be kept."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest

import keraunos as keras
from keraunos import layers as L
from keraunos.core import upgrading
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ModelFileError
from keraunos.core.old_graphs import _FUNCTIONS
from keraunos.models.config import _op_function


def entry(name, /, **config):
    return {"class_name": name, "config": config}


OBJECTS = {  # what was written, the class now, and some of its attributes
    "dense": (entry("Dense", output_dim=3, init="glorot_uniform", bias=False, W_regularizer=None, input_dim=4), L.Dense, {"units": 3, "use_bias": False}),
    "convolution": (
        entry("Convolution2D", nb_filter=2, nb_row=3, nb_col=4, border_mode="same", subsample=[1, 2], dim_ordering="tf"),
        L.Conv2D,
        {"filters": 2, "kernel_size": (3, 4), "padding": "same", "strides": (1, 2), "data_format": "channels_last"},
    ),
    "recurrent": (entry("LSTM", output_dim=2, inner_activation="sigmoid", dropout_U=0.1, forget_bias_init="one", consume_less="mem"), L.LSTM,
                  {"units": 2, "recurrent_dropout": 0.1, "unit_forget_bias": True}),
    "dropout": (entry("Dropout", p=0.3), L.Dropout, {"rate": 0.3}),
    "noise": (entry("GaussianNoise", sigma=0.3), L.GaussianNoise, {"stddev": 0.3}),
    "normalization": (entry("BatchNormalization", axis=[3], mode=0, fused=None, virtual_batch_size=None), L.BatchNormalization, {"axis": 3}),
    "synchronized": (entry("SyncBatchNormalization", axis=[1]), L.BatchNormalization, {"synchronized": True, "axis": 1}),
    "embedding": (entry("Embedding", input_dim=5, output_dim=2, input_length=3), L.Embedding, {"input_dim": 5, "output_dim": 2}),
    "leaky": (entry("LeakyReLU", alpha=0.2), L.LeakyReLU, {"negative_slope": 0.2}),
    "threshold": (entry("ThresholdedReLU", theta=0.5), L.ReLU, {"threshold": 0.5}),
    "cudnn": (entry("CuDNNGRU", units=2), L.GRU, {"units": 2, "reset_after": True}),
    "policy": (entry("Dense", units=1, dtype=entry("Policy", name="mixed_bfloat16")), L.Dense, {"compute_dtype": "bfloat16"}),
    "shape": (entry("Dense", units=1, batch_input_shape=[7, 3]), L.Dense, {"_input_shape_argument": (7, 3)}),
    "optimizer": (entry("SGD", lr=0.5, decay=0.0, momentum=0.9), keras.optimizers.SGD, {"momentum": 0.9}),
    "their optimizer": (entry("Custom>Adam", learning_rate=0.5, epsilon=None, jit_compile=True, is_legacy_optimizer=False), keras.optimizers.Adam, {"epsilon": 1e-7}),
    "loss": (entry("Huber", reduction="auto", fn="huber", delta=2.0), keras.losses.Huber, {"reduction": "sum_over_batch_size", "delta": 2.0}),
    "metric": (entry("MeanMetricWrapper", name="mae", dtype="float32", fn="mean_absolute_error"), keras.metrics.MeanMetricWrapper, {"name": "mae"}),
}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_objects(name):
    config, cls, attributes = OBJECTS[name]
    made = keras.saving.deserialize_keras_object(config)
    assert type(made) is cls
    assert {key: getattr(made, key) for key in attributes} == attributes


def test_a_decay_becomes_a_schedule():
    rate = keras.saving.deserialize_keras_object(entry("SGD", lr=0.5, decay=0.1)).get_config()["learning_rate"]
    schedule = keras.saving.deserialize_keras_object(rate)
    assert float(schedule(5)) == pytest.approx(0.5 / 1.5)


LOST = {
    "time": (entry("GRU", units=1, time_major=True), "time_major=True.*cannot be kept.*transpose"),
    "ragged": (entry("InputLayer", batch_input_shape=[None, 2], ragged=True), "ragged=True|ragged"),
    "virtual": (entry("BatchNormalization", virtual_batch_size=4), "virtual_batch_size=4.*batches of that size"),
    "gone": (entry("Highway", name="h"), "no 'Highway' any more.*Dense, Multiply and Add"),
    "unknown": (entry("Dense", units=1, colour="red"), "no argument 'colour'"),
}


@pytest.mark.parametrize("name", LOST)
def test_what_cannot_be_kept(name):
    config, message = LOST[name]
    with pytest.raises((ModelFileError, ArgumentError, ArgumentTypeError), match=f"(?s){message}"):
        keras.saving.deserialize_keras_object(config)


def test_a_class_of_the_users_goes_before_what_is_gone():
    class Highway(L.Layer):
        pass

    made = keras.saving.deserialize_keras_object(entry("Highway", name="h", batch_input_shape=[None, 2]), {"Highway": Highway})
    assert type(made) is Highway


def test_a_chain_of_keras_1():
    first = entry("Dense", output_dim=3, name="first", batch_input_shape=[None, 4], activation="hard_sigmoid")
    model = keras.models.model_from_json(json.dumps({"class_name": "Sequential", "config": [first, entry("Activation", activation="softmax")]}))
    assert model.input_shape == (None, 4)
    x = np.array([-2.6, -2.0, 0.0, 1.0, 3.0], "float32")
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.layers[0].activation(x)), np.clip(0.2 * x + 0.5, 0, 1), rtol=1e-6)
    again = keras.models.model_from_json(model.to_json())
    assert again.layers[0].activation is model.layers[0].activation


def test_todays_hard_sigmoid_stays():
    model = keras.Sequential([keras.Input((2,)), L.Dense(1, activation="hard_sigmoid")])
    assert keras.models.model_from_json(model.to_json()).layers[0].activation is keras.activations.hard_sigmoid


def test_ops_of_tensorflow_are_ops_of_ours():
    for function, ((name, *parameters), theirs) in _FUNCTIONS.items():
        assert set(parameters) <= set(_op_function(name).op.parameters) and len(parameters) == len(theirs), function


def test_every_rename_has_a_class():
    classes = [getattr(space, name) for space in (L, keras.optimizers) for name in space.__all__ if isinstance(getattr(space, name), type)]
    for old, new in upgrading._RENAMED.items():
        assert any(new in (known := upgrading._known(cls)) and old not in known for cls in classes), old


# ---- files ----
def written(path, **options):
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="a"), L.BatchNormalization(name="b"), L.Dense(2, name="c")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    model.optimizer.variables[2].assign(np.full((4, 3), 2.0, "float32"))
    with pytest.warns(UserWarning, match="no digests"):
        model.save(path, **options)
    return model


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_the_old_format_is_written_and_read(ending, tmp_path):
    model = written(tmp_path / f"m{ending}")
    loaded = keras.models.load_model(tmp_path / f"m{ending}")
    for a, b in zip([*model.variables, *model.optimizer.variables], [*loaded.variables, *loaded.optimizer.variables], strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert loaded.get_compile_config() == model.get_compile_config()


def test_without_the_optimizer(tmp_path):
    written(tmp_path / "m.h5", include_optimizer=False)
    assert not keras.models.load_model(tmp_path / "m.h5").compiled
    with pytest.raises(ArgumentError, match="compile=False"):
        keras.Sequential([keras.Input((1,))]).save(tmp_path / "m.keras", include_optimizer=False)


def test_names_in_several_attributes(tmp_path):
    model = written(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        attributes = file["model_weights"].attrs
        every = attributes["layer_names"].tolist()
        del attributes["layer_names"]
        attributes["layer_names0"], attributes["layer_names1"] = every[:1], [name.encode() for name in every[1:]]
    for a, b in zip(model.get_weights(), keras.models.load_model(tmp_path / "m.h5").get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def bomb(file):
    file["model_weights"].attrs["layer_names"] = ["x" * 2**20] * 3


def no_names(file):
    del file["model_weights"].attrs["layer_names"]


def kernel(file):
    group = file["model_weights/a"]
    del group[name := group.attrs["weight_names"][0]]
    return f"model_weights/a/{name}"


def lost(file):
    kernel(file)


def no_json(file):
    file.attrs["model_config"] = "{"


def another(file):
    file[kernel(file)] = np.zeros((9, 3), "float32")


def no_compilation(file):
    file.attrs["training_config"] = "[1]"


def unknown(file):
    file.attrs["model_config"] = file.attrs["model_config"].replace('"Dense"', '"Dinse"')


def unknown_loss(file):
    file.attrs["training_config"] = file.attrs["training_config"].replace('"mse"', '"msx"')


DAMAGES = {bomb: "name of 1,048,576 bytes", no_names: "which layer names there are", lost: "no array '.*a/kernel'", no_json: "not valid JSON",
           no_compilation: "not a JSON object.\nWhere: m.h5: training_config", unknown: r"(?s)'Dinse'.*Where: m.h5: model_config",
           unknown_loss: r"(?s)no loss 'msx'.*Where: m.h5: training_config.*compile=False",
           another: r"a: expected \(4, 3\), \(3,\); found \(9, 3\), \(3,\)"}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_damaged_files(damage, tmp_path):
    written(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        damage(file)
    with pytest.raises(ModelFileError, match=DAMAGES[damage]):
        keras.models.load_model(tmp_path / "m.h5")


def test_the_newer_form_of_hdf5_is_told(tmp_path):
    written(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file, h5py.File(tmp_path / "new.h5", "w", libver="latest") as new:
        new.attrs.update(file.attrs)
        for name in file:
            file.copy(name, new)
    with pytest.raises(ModelFileError, match="(?s)libver='latest'.*h5repack"):
        keras.models.load_model(tmp_path / "new.h5")


def test_bfloat16(tmp_path):
    model = keras.Sequential([keras.Input((2,)), L.Dense(3, dtype=keras.DTypePolicy("bfloat16"))])
    with pytest.warns(UserWarning, match="no digests"):
        model.save(tmp_path / "m.h5")
    for a, b in zip(model.weights, keras.models.load_model(tmp_path / "m.h5").weights, strict=True):
        assert b.dtype == "bfloat16" and np.array_equal(a.numpy(), b.numpy())


def test_an_optimizer_of_another_kind_begins_anew(tmp_path):
    written(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        training = json.loads(file.attrs["training_config"])
        file.attrs["training_config"] = json.dumps({**training, "optimizer_config": entry("Adam", learning_rate=0.1)})
    with pytest.warns(UserWarning, match="starts anew"):
        assert int(keras.models.load_model(tmp_path / "m.h5").optimizer.iterations) == 0


# ---- keras.legacy ----
def test_serialization_of_old():
    legacy = keras.legacy.saving
    assert keras.utils.legacy is legacy
    config = legacy.serialize_keras_object(L.Dropout(0.5, name="d"))
    assert config.keys() == {"class_name", "config"}
    assert legacy.deserialize_keras_object(config).rate == 0.5
    assert legacy.serialize_keras_object(None) is legacy.deserialize_keras_object(None) is None
    assert legacy.serialize_keras_object(keras.losses.mean_squared_error) == "mean_squared_error"
    known = {"mine": test_objects, "Drop": L.Dropout}
    assert legacy.deserialize_keras_object("mine", known) is legacy.deserialize_keras_object(test_objects) is test_objects
    assert legacy.deserialize_keras_object(entry("Drop", rate=0.1), known).rate == 0.1
    for wrong, message in (("nine", "no layer 'nine'.*mine"), (3, "not the config"), ({"a": 1}, "not the config")):
        with pytest.raises(ArgumentError, match=f"(?s){message}"):
            legacy.deserialize_keras_object(wrong, known, printable_module_name="layer")
