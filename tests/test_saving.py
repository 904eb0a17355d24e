"""Model files: what is written is read again, and what is damaged is refused with a clear error."""

from __future__ import annotations

import io
import json
import os
import pathlib
import zipfile

import h5py
import numpy as np
import pytest

import keraunos as keras
from keraunos import layers as L
from keraunos.core.errors import KeraunosError, ModelFileError
from tests.conftest import TRAINING


@keras.saving.register_keras_serializable(package="tests")
class Block(L.Layer):
    """A layer that holds layers in lists, dicts and attributes."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.pair = [L.Dense(units), L.Dense(units)]
        self.table = {"norm": L.LayerNormalization(), "more": [L.Dense(units)]}
        self._private = L.Dense(units)
        self.alias = self._private

    def build(self, input_shape):
        self.offset = self.add_weight(shape=(self.units,), initializer="normal", name="offset")

    def call(self, x):
        x = self.pair[1](self.pair[0](x))
        return self.alias(self.table["more"][0](self.table["norm"](x))) + self.offset

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="tests")
class Wrapped(L.Layer):
    """A layer that takes a layer."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        return self.inner(x)

    def get_config(self):
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "inner": keras.saving.deserialize_keras_object(config["inner"])})


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    """A model with its own call."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.second = L.Dense(units)
        self.first = L.Dense(units, activation="relu")
        self.blocks = [keras.Sequential([L.Dense(units), L.BatchNormalization()]), L.Dense(units)]

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.second(x)


class Unknown(L.Layer):
    """A layer that no one registered."""

    def call(self, x):
        return 2 * x


@keras.saving.register_keras_serializable(package="tests")
class Odd(L.Layer):
    """A layer that names its variables in files itself."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1],), name="kernel")

    def call(self, x):
        return x * self.kernel

    def save_own_variables(self, store):
        store["scale"] = self.kernel.numpy()

    def load_own_variables(self, store):
        self.kernel.assign(store["scale"])


def mlp(compiled=False):
    model = keras.Sequential([keras.Input((4,)), L.Dense(5, activation="relu"), L.BatchNormalization(), L.Dropout(0.5), L.Dense(3)])
    if compiled:
        model.compile("adam", "mse", metrics=["mae"])
    return model


def functional():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    shared = L.Dense(4, name="shared")
    x = L.Concatenate()([shared(a), shared(b)])
    inner = keras.Sequential([keras.Input((8,)), L.Dense(6), L.Dense(2)], name="inner")
    y = inner(x) * 2.0 + 1
    return keras.Model([a, b], {"y": y, "x": x})


MODELS = {
    "sequential": (mlp, (4,), 1),
    "functional": (functional, (4,), 2),
    "custom": (lambda: keras.Sequential([keras.Input((4,)), Block(3), L.Dense(2)]), (4,), 1),
    "shared": (lambda: (lambda d: keras.Sequential([keras.Input((4,)), Wrapped(d), Wrapped(d)]))(L.Dense(4)), (4,), 1),
    "odd": (lambda: keras.Sequential([keras.Input((4,)), Odd()]), (4,), 1),
    "bfloat16": (lambda: keras.Sequential([keras.Input((4,)), L.Dense(3, dtype="bfloat16"), L.Dense(3, dtype="mixed_bfloat16")]), (4,), 1),
    "frozen": (lambda: keras.Sequential([keras.Input((4,)), L.Dense(3, trainable=False), L.Dense(2)]), (4,), 1),
}


def data(shape, inputs, n=6):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, *shape)).astype("float32") for _ in range(inputs)]
    return arrays if inputs > 1 else arrays[0]


def outputs(model, x):
    y = model.predict(x, verbose=0)
    return [np.asarray(y[k], "float32") for k in sorted(y)] if isinstance(y, dict) else [np.asarray(y, "float32")]


def assert_equal(first, second, x):
    for a, b in zip(outputs(first, x), outputs(second, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    assert [w.shape for w in first.weights] == [w.shape for w in second.weights]
    for v, w in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(v.numpy(), w.numpy())


def randomize(model):
    rng = np.random.default_rng(1)
    model.set_weights([np.abs(rng.normal(size=w.shape)).astype("float32") for w in model.weights])
    return model


@pytest.mark.parametrize("name", MODELS)
def test_what_is_saved_is_loaded(name, backend, tmp_path):
    make, shape, inputs = MODELS[name]
    model, x = randomize(make()), data(shape, inputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(str(tmp_path / "model.keras"))
    assert_equal(model, loaded, x)
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    assert len(loaded.trainable_weights) == len(model.trainable_weights)
    assert os.listdir(tmp_path) == ["model.keras"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_weights_alone(name, suffix, tmp_path):
    make, shape, inputs = MODELS[name]
    model, other, x = randomize(make()), make(), data(shape, inputs)
    path = tmp_path / f"m{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    other.load_weights(path)
    assert_equal(model, other, x)


def test_one_engine_reads_what_another_wrote(tmp_path):
    with keras.config.backend_scope("torch"):
        model = randomize(mlp())
        model.save(tmp_path / "m.keras")
    with keras.config.backend_scope("numpy"):
        loaded = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(model.predict(data((4,), 1), verbose=0), loaded.predict(data((4,), 1), verbose=0), atol=1e-6)


def test_a_subclassed_model(tmp_path):
    model = Subclassed(units=2)
    x = data((4,), 1)
    model(x)
    model.save(tmp_path / "m.keras")
    assert_equal(model, keras.saving.load_model(tmp_path / "m.keras"), x)


def test_a_shared_layer_stays_shared(tmp_path):
    model = MODELS["shared"][0]()
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert loaded.layers[0].inner is loaded.layers[1].inner and len(loaded.weights) == 2


@pytest.mark.parametrize("engine", TRAINING)
def test_training_goes_on(engine, tmp_path):
    with keras.config.backend_scope(engine):
        model = mlp(compiled=True)
        x, y = data((4,), 1, 16), np.zeros((16, 3), "float32")
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        model.save(tmp_path / "m.keras")
        loaded = keras.saving.load_model(tmp_path / "m.keras")
        for a, b in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
        model.layers[2].rate = loaded.layers[2].rate = 0.0  # the states of the generators are not in the file
        first, second = (m.evaluate(x, y, verbose=0, return_dict=True) for m in (model, loaded))
        assert first == pytest.approx(second)
        assert int(loaded.optimizer.iterations) == int(model.optimizer.iterations) > 0


def test_training_goes_on_where_layers_were_frozen_after_compile(tmp_path):
    path, x, y = tmp_path / "m.keras", np.ones((4, 4), "float32"), np.ones((4, 3), "float32")
    model = keras.Sequential([keras.Input((4,)), frozen := L.Dense(5), L.Dense(3)])
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    frozen.trainable = False
    model.save(path)
    loaded = keras.models.load_model(path)
    assert [v.path for v in loaded.optimizer.variables] == [v.path for v in model.optimizer.variables]
    for m in (model, loaded):
        m.fit(x, y, verbose=0)
    frozen.trainable = loaded.get_layer(frozen.name).trainable = True
    for m in (model, loaded):
        m.fit(x, y, verbose=0)
    for a, b in zip([*model.weights, *model.optimizer.variables], [*loaded.weights, *loaded.optimizer.variables], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


def test_the_state_of_an_optimizer_of_fewer_variables_is_left_out_with_a_warning(tmp_path):
    path, model = tmp_path / "m.keras", mlp()
    layer = next(layer for layer in model.layers if layer.weights)
    layer.trainable = False
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 3)), verbose=0)
    layer.trainable = True
    model.save(path)
    with pytest.warns(UserWarning, match="'adam.*' in 'm.keras' was not loaded: expected (.|\n)*Fix: to keep it, freeze"):
        loaded = keras.models.load_model(path)
    assert int(loaded.optimizer.iterations) == 0 and len(loaded.optimizer.variables) > len(model.optimizer.variables)
    np.testing.assert_array_equal(loaded.predict(np.ones((2, 4)), verbose=0), model.predict(np.ones((2, 4)), verbose=0))


def test_uncompiled_on_request(tmp_path):
    mlp(compiled=True).save(tmp_path / "m.keras")
    assert not keras.saving.load_model(tmp_path / "m.keras", compile=False).compiled
    assert keras.saving.load_model(tmp_path / "m.keras").compiled


def test_json_round_trip():
    model = functional()
    again = keras.models.model_from_json(model.to_json())
    assert json.loads(again.to_json()) == json.loads(model.to_json())


def test_members_and_layout(tmp_path):
    randomize(functional()).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(archive.read("metadata.json"))["keras_version"] == "3.15.1"
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            found = []
            file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    inner = [f"layers/sequential/layers/{name}/vars/{i}" for name in ("dense", "dense_1") for i in (0, 1)]
    assert sorted(found) == sorted(["layers/dense/vars/0", "layers/dense/vars/1", *inner])


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "m.keras"
    mlp().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        mlp().save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["m.keras"]


def test_permissions_and_links_stay(tmp_path):
    path, link = tmp_path / "m.keras", tmp_path / "link.keras"
    mlp().save(path)
    path.chmod(0o640)
    link.symlink_to(path)
    mlp().save(link)
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640


# ---- what is wrong ----
def saved(tmp_path, model=None):
    path = tmp_path / "m.keras"
    (model or mlp()).save(path)
    return path


def rewritten(path, **members):
    """The archive with some members replaced, or left out where None, and without digests."""
    with zipfile.ZipFile(path) as archive:
        old = {name: archive.read(name) for name in archive.namelist()}
    old["metadata.json"] = b'{"keras_version": "3.15.1"}'
    for name, value in members.items():
        old[{"config": "config.json", "weights": "model.weights.h5", "metadata": "metadata.json"}[name]] = value
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in old.items():
            if value is not None:
                archive.writestr(name, value)
    return path


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def changed_config(path, change):
    config = config_of(path)
    change(config)
    return rewritten(path, config=json.dumps(config).encode())


def truncated(path):
    path.write_bytes(path.read_bytes()[:7604])
    return path


def flipped(path):
    content = bytearray(path.read_bytes())
    content[content.index(b'"Dense"') + 2] ^= 1
    path.write_bytes(content)
    return path


def tampered(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"relu"', b'"tanh"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return path


def swollen(path):
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in content.items():
            archive.writestr(name, bytes(250 * 2**20) if name == "model.weights.h5" else value)
    return path


def put(content):
    def write(path):
        path.write_bytes(content)
        return path

    return write


def renamed(name):
    return lambda path: path.rename(path.with_name(name))


FAULTS = {
    "absent": (lambda path: path.with_name("model.keras"), "does not exist"),
    "absent folder": (lambda path: path.parent / "no" / "m.keras", "does not exist"),
    "folder": (lambda path: path.parent, "is a folder"),
    "empty": (put(b""), r"is empty \(0 bytes\)"),
    "truncated": (truncated, "exists, 7,604 bytes, but the zip directory is missing: truncated?"),
    "text": (put(b"hello"), "is no zip archive"),
    "hdf5": (put(b"\x89HDF\r\n\x1a\n" + bytes(100)), "HDF5 file, not a '.keras' archive"),
    "flipped bit": (flipped, "is damaged"),
    "tampered": (tampered, "SHA-256 differs"),
    "no config": (lambda path: rewritten(path, config=None), "no member 'config.json'"),
    "no weights": (lambda path: rewritten(path, weights=None), "no member 'model.weights.h5'"),
    "no metadata": (lambda path: rewritten(path, metadata=None), "no member 'metadata.json'"),
    "no JSON": (lambda path: rewritten(path, config=b"{"), "not valid JSON"),
    "deep JSON": (lambda path: rewritten(path, config=b"[" * 200000), "nested too deeply"),
    "JSON list": (lambda path: rewritten(path, config=b"[]"), "not a JSON object"),
    "no model": (lambda path: rewritten(path, config=json.dumps(keras.saving.serialize_keras_object(L.Dense(1))).encode()), "does not describe a model"),
    "strange config": (lambda path: changed_config(path, lambda c: c["config"]["layers"].append(3)), "cannot be made"),
    "strange compile config": (lambda path: changed_config(path, lambda c: c.update(compile_config={"optimizer": "adamm", "loss": "mse"})), "cannot be done"),
    "unknown class": (lambda path: changed_config(path, lambda c: c["config"]["layers"][1].update(class_name="Dance")), "'Dance' is not known"),
    "class by import": (
        lambda path: changed_config(path, lambda c: c["config"]["layers"][1].update(class_name="Popen", module="subprocess")),
        "'Popen' is not known",
    ),
    "no HDF5": (lambda path: rewritten(path, weights=b"x" * 1000), "no HDF5 file"),
    "swollen": (swollen, r"would unpack to 262,\d+,\d+ bytes"),
    "old format": (renamed("m.h5"), "no HDF5 file"),
    "unknown suffix": (renamed("m.pt"), "ends in '.keras', not '.pt'"),
    "weights only": (renamed("m.weights.h5"), "weights alone"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told(name, tmp_path):
    spoil, message = FAULTS[name]
    path = spoil(saved(tmp_path))
    with pytest.raises(ModelFileError, match=message) as caught:
        keras.saving.load_model(path)
    assert len(str(caught.value)) <= 1000 and path.name in str(caught.value)


def test_an_unknown_class_is_told_with_the_remedy(tmp_path):
    path = saved(tmp_path, keras.Sequential([keras.Input((2,)), Unknown(), L.Dense(1)]))
    with pytest.raises(ModelFileError, match=r"custom_objects=\{'Unknown': Unknown\}.*@keras.saving.register_keras_serializable"):
        keras.saving.load_model(path)
    assert keras.saving.load_model(path, custom_objects={"Unknown": Unknown}).layers[0].__class__ is Unknown
    with keras.saving.custom_object_scope({"Unknown": Unknown}):
        keras.saving.load_model(path)


def named(x):
    return x + 1


def test_an_unregistered_function(tmp_path):
    path = saved(tmp_path, keras.Sequential([keras.Input((2,)), L.Dense(2, activation=named)]))
    with pytest.raises(ModelFileError, match=r"'named' is not known"):
        keras.saving.load_model(path)
    assert keras.saving.load_model(path, custom_objects={"named": named}).layers[0].activation is named


def test_a_lambda_is_refused_unless_asked_for(tmp_path):
    model = keras.Sequential([keras.Input((2,)), L.Lambda(lambda x: x * 3.0)])
    with pytest.warns(UserWarning, match="safe_mode=False"):
        path = saved(tmp_path, model)
    with pytest.raises(ModelFileError, match="lambda"):
        keras.saving.load_model(path)
    x = data((2,), 1)
    np.testing.assert_allclose(keras.saving.load_model(path, safe_mode=False).predict(x, verbose=0), 3 * x, rtol=1e-6)
    with pytest.raises(ModelFileError, match="lambda"):  # the permission does not outlive the call
        keras.saving.load_model(path)


def test_weights_that_do_not_fit(tmp_path):
    path = tmp_path / "m.weights.h5"
    mlp().save_weights(path)
    model = keras.Sequential([keras.Input((4,)), L.Dense(5), L.BatchNormalization(), L.Dropout(0.5), L.Dense(2, name="last")])
    before = model.get_weights()
    with pytest.raises(ModelFileError, match=r"last: expected \(5, 2\), \(2,\); found \(5, 3\), \(3,\)") as caught:
        model.load_weights(path)
    assert "nothing was assigned" in str(caught.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="1 layers were left"):
        model.load_weights(path, skip_mismatch=True)
    assert np.any(model.get_weights()[0] != before[0]) and np.all(model.get_weights()[-1] == before[-1])


@pytest.mark.parametrize("layers", [1, 3])
def test_more_or_fewer_layers(layers, tmp_path):
    path = tmp_path / "m.weights.h5"
    keras.Sequential([keras.Input((4,)), L.Dense(4), L.Dense(4)]).save_weights(path)
    model = keras.Sequential([keras.Input((4,)), *(L.Dense(4) for _ in range(layers))])
    with pytest.raises(ModelFileError, match="nothing was assigned"):
        model.load_weights(path)


def test_integers_in_place_of_floats(tmp_path):
    path = tmp_path / "m.weights.h5"
    keras.Sequential([keras.Input((4,)), L.Dense(4)]).save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = np.ones((4, 4), "int32")
    with pytest.raises(ModelFileError, match="int32"):
        keras.Sequential([keras.Input((4,)), L.Dense(4)]).load_weights(path)


def test_nothing_is_assigned_when_a_custom_layer_fails(tmp_path):
    path = tmp_path / "m.weights.h5"
    make = lambda n: keras.Sequential([keras.Input((4,)), L.Dense(n), Odd()])  # noqa: E731
    make(4).save_weights(path)
    with h5py.File(path, "r+") as file:
        del file["layers/odd/vars/scale"]
    model = make(4)
    before = model.get_weights()
    with pytest.raises(ModelFileError, match="odd"):
        model.load_weights(path)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def soft(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/dense/vars/1")


def external(file):
    del file["layers/dense/vars/0"]
    file["layers/dense/vars/0"] = h5py.ExternalLink("other.h5", "/x")


def elsewhere(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", shape=(4, 4), dtype="f4", external=[("/etc/hostname", 0, 64)])


def virtual(file):
    del file["layers/dense/vars/0"]
    layout = h5py.VirtualLayout((4, 4), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4, 4))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def hollow(file):
    del file["layers/dense/vars/0"]
    file.create_dataset("layers/dense/vars/0", shape=(2**20, 2**14), dtype="f4")


def circle(file):
    file["layers/dense/layers"] = file["layers"]


@pytest.mark.parametrize("change", [soft, external, elsewhere, virtual, circle, hollow])
def test_what_leads_out_of_the_file_is_refused(change, tmp_path):
    path = tmp_path / "m.weights.h5"
    model = keras.Sequential([keras.Input((4,)), L.Dense(4)])
    model.save_weights(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(ModelFileError, match="link|other files|circle|declares more"):
        model.load_weights(path)


def test_the_state_of_an_optimizer_that_has_not_begun_is_checked_before_it_is_read(tmp_path):
    path = tmp_path / "m.weights.h5"
    mlp(compiled=True).save_weights(path)
    with h5py.File(path, "r+") as file:
        for name in list(file["optimizer/vars"])[1:]:
            del file[f"optimizer/vars/{name}"]
        del file["optimizer/vars/0"]
        file["optimizer/vars/0"] = np.zeros((7, 8), "int32")
    model = mlp(compiled=True)
    with pytest.warns(UserWarning, match=r"'adam.*' in 'm.weights.h5' was not loaded: expected \(\) int.*found \(7, 8\) int32"):
        model.load_weights(path)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, d: m.save(d / "m"), "'.keras'"),
        (lambda m, d: m.save(d / "no" / "m.keras"), "does not exist"),
        (lambda m, d: m.save(3), "string or a path"),
        (lambda m, d: m.save(d / "m.keras", zipped=False), "zipped"),
        (lambda m, d: m.save(d / "m.keras", save_format="h5"), "save_format"),
        (lambda m, d: m.save_weights(d / "m.h5"), r"'\.weights\.h5'"),
        (lambda m, d: m.save_weights(d / "m.weights.h5", max_shard_size=0), "positive number of gigabytes"),
        (lambda m, d: m.save_weights(d / "m.npz", max_shard_size=1), "max_shard_size"),
        (lambda m, d: m.save_weights(d / "m.weights.json"), "go together"),
        (lambda m, d: keras.saving.save_weights(m, d / "m.weights.h5", zipped=True), "no argument 'zipped'"),
        (lambda m, d: keras.Sequential([L.Dense(1)]).save_weights(d / "m.weights.h5"), "not built"),
        (lambda m, d: m.load_weights(d / "m.npz"), "does not exist"),
        (lambda m, d: keras.saving.save_model(L.Dense(1), d / "m.keras"), "Only a model"),
        (lambda m, d: (m.save(d / "m.keras"), m.save(d / "m.keras", overwrite=False)), "exists already"),
    ],
)
def test_calls_that_cannot_be_meant(call, message, tmp_path):
    with pytest.raises(KeraunosError, match=message):
        call(mlp(), tmp_path)


def test_an_unbuilt_model_warns(tmp_path):
    with pytest.warns(UserWarning, match="not built"):
        keras.Sequential([L.Dense(3)]).save(tmp_path / "m.keras")


def test_weights_into_an_unbuilt_model(tmp_path):
    path = tmp_path / "m.weights.h5"
    mlp().save_weights(path)
    with pytest.raises(ModelFileError, match="build the model first"):
        keras.Sequential([L.Dense(5), L.BatchNormalization(), L.Dropout(0.5), L.Dense(3)]).load_weights(path)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    mlp().save("~/m.keras")
    assert pathlib.Path(tmp_path, "m.keras").exists()
    keras.saving.load_model("~/m.keras")
