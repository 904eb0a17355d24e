"""Weights in every format: what is written is read again, here and by the formats' own libraries; files can be edited and converted."""

from __future__ import annotations

import json
import os
import pathlib

import h5py
import numpy as np
import pytest

import keraunos as keras
from keraunos import layers as L
from keraunos.core.errors import KeraunosError, ModelFileError
from tests.conftest import BFLOAT

SHARDED = {"m.weights.json": 2e-7, "m.safetensors.index.json": 2e-7}
NAMES = ("m.weights.h5", "m.safetensors", "m.npz", *SHARDED)


def network(dtype=None, units=3):
    inner = keras.Sequential([keras.Input((5,)), L.Dense(4, name="first"), L.Dense(units)], name="inner")
    model = keras.Sequential([keras.Input((4,)), L.Dense(5, name="encoder", dtype=dtype), L.BatchNormalization(), inner], name="net")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for i, variable in enumerate([*model.weights, *model.optimizer.variables]):
        variable.assign(np.full(variable.shape, i))
    return model


def state(model):
    return [*model.weights, *model.optimizer.variables]


def fresh(dtype=None, units=3):
    model = network(dtype, units)
    for variable in state(model):
        variable.assign(np.zeros(variable.shape))
    return model


def save(model, path):
    model.save_weights(path, **({"max_shard_size": SHARDED[path.name]} if path.name in SHARDED else {}))


def same(a, b):
    for x, y in zip(state(a), state(b), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x.numpy(), "f8"), np.asarray(y.numpy(), "f8"))


# ---- round trips ----
@pytest.mark.parametrize("dtype", [None, "bfloat16", "float16"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_loaded(name, dtype, tmp_path):
    model = network(dtype)
    for _ in range(2):  # the second replaces the first
        save(model, tmp_path / name)
    loaded = fresh(dtype)
    loaded.load_weights(tmp_path / name)
    same(loaded, model)


@pytest.mark.parametrize("name", ["m.weights.h5", "m.safetensors"])
def test_what_is_read_waits_until_the_engine_copied_what_was_read_before(name, tmp_path):
    sizes = [512, 1024, 512, 2048, 256, 8448, 1024, 256, 512, 1024]  # rows of 4 KiB; one is too large to be held twice
    model = keras.Sequential([keras.Input((1,), dtype="int32"), *(L.Embedding(rows, 1024, embeddings_initializer="zeros") for rows in sizes)])
    model.build()
    values = [np.arange(v.size, dtype="float32").reshape(v.shape) * (i + 1) for i, v in enumerate(model.weights)]
    model.set_weights(values)
    model.save_weights(tmp_path / name)
    model.set_weights([np.zeros(v.shape) for v in values])
    model.load_weights(tmp_path / name)
    for v, value in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(v.numpy(), value)


@pytest.mark.parametrize("name", NAMES)
def test_engines_read_what_others_wrote(name, tmp_path, backend):
    dtype = "bfloat16" if backend.name in BFLOAT else "float16"
    save(network(dtype), tmp_path / name)
    with keras.config.backend_scope("numpy"):
        loaded = fresh(dtype)
        loaded.load_weights(tmp_path / name)
        same(loaded, network(dtype))


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_fit(name, tmp_path):
    save(network(), tmp_path / name)
    model = fresh(units=2)
    with pytest.raises(ModelFileError, match=r"dense.*: expected \(4, 2\), \(2,\); found \(4, 3\), \(3,\)"):
        model.load_weights(tmp_path / name)
    assert not any(np.any(v.numpy()) for v in state(model))
    with pytest.warns(UserWarning) as told:
        model.load_weights(tmp_path / name, skip_mismatch=True)
    assert any("1 layers were left" in str(warning.message) for warning in told)
    assert np.all(model.weights[1].numpy() == 1) and not np.any(model.weights[-1].numpy())


@pytest.mark.parametrize("name", NAMES)
def test_objects_to_skip(name, tmp_path):
    save(network(), tmp_path / name)
    model = fresh()
    model.load_weights(tmp_path / name, objects_to_skip=[model.layers[0]])
    assert not np.any(model.weights[1].numpy()) and np.all(model.weights[2].numpy() == 2)


def test_layers_that_keep_arrays_of_their_own(tmp_path):
    class Odd(L.Layer):
        def build(self, shape):
            self.scale = self.add_weight(shape=(2, 3), name="scale")

        def call(self, x):
            return x

        def save_own_variables(self, store):
            store["scale"], store["deep/more"] = self.scale.numpy().T, np.arange(3)

        def load_own_variables(self, store):
            assert store["deep/more"].tolist() == [0, 1, 2]
            self.scale.assign(store["scale"].T)

    for name in NAMES:
        model = keras.Sequential([keras.Input((3,)), Odd()])
        before = model.get_weights()[0]
        save(model, tmp_path / name)
        model.set_weights([np.zeros((2, 3))])
        model.load_weights(tmp_path / name)
        np.testing.assert_array_equal(model.get_weights()[0], before)


# ---- other libraries ----
def test_safetensors_of_the_library(tmp_path):
    from safetensors import numpy as library

    model = network()
    model.save_weights(tmp_path / "m.safetensors")
    found = library.load_file(tmp_path / "m.safetensors")
    assert [*found][:4] == ["encoder/kernel", "encoder/bias", "batch_normalization/gamma", "batch_normalization/beta"] or "encoder/kernel" in found
    np.testing.assert_array_equal(found["inner/first/kernel"], model.get_layer("inner").layers[0].kernel.numpy())
    library.save_file({key: value + 1 for key, value in found.items() if not key.startswith("adam")}, tmp_path / "theirs.safetensors")
    names = [key for key in found if not key.startswith("adam")]
    loaded = fresh()
    renamed = {
        v.path.removeprefix("net/"): found[name] + 1 for v, name in zip(loaded.weights, [v.path.removeprefix("net/") for v in model.weights], strict=True)
    }
    assert len(names) == len(renamed)
    library.save_file(renamed, tmp_path / "theirs.safetensors")
    loaded.load_weights(tmp_path / "theirs.safetensors")
    for a, b in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(a.numpy() + 1, b.numpy())
    library.save_file({**renamed, "more/kernel": np.zeros(3)}, tmp_path / "more.safetensors")
    with pytest.raises(ModelFileError, match=r"more/kernel: expected nothing; found \(3,\)"):
        loaded.load_weights(tmp_path / "more.safetensors")


def test_npz_of_numpy(tmp_path):
    model = network()
    model.save_weights(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["encoder/kernel"], model.weights[0].numpy())
    loaded = fresh()
    arrays = {v.path: np.asfortranarray(v.numpy() + 1).astype(">f4") for v in loaded.weights}
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "theirs.npz", **arrays)
        loaded.load_weights(tmp_path / "theirs.npz")
        assert all(np.all(v.numpy() == 1) for v in loaded.weights)


@pytest.mark.parametrize("options", [{"chunks": (2, 3)}, {"chunks": (3, 2), "compression": "gzip", "shuffle": True}, {"dtype": ">f4"}, {"dtype": "f8"}])
def test_hdf5_as_others_pack_it(options, tmp_path):
    model = fresh()
    model.save_weights(path := tmp_path / "m.weights.h5")
    with h5py.File(path, "r+") as file:
        del file["layers/dense/vars/0"]
        file.create_dataset("layers/dense/vars/0", data=np.arange(20).reshape(4, 5), **{"dtype": "f4", **options})
    model.load_weights(path)
    np.testing.assert_array_equal(model.weights[0].numpy(), np.arange(20).reshape(4, 5))


# ---- shards ----
def test_a_set_of_shards_replaces_another(tmp_path):
    path = tmp_path / "m.weights.json"
    network().save_weights(tmp_path / "m.weights.h5", max_shard_size=2e-7)  # as if it were one file
    names = sorted(p.name for p in tmp_path.iterdir())
    index = json.loads(path.read_text())
    assert names[:2] == ["m.weights.json", "m_00000.weights.h5"] and len(names) > 3
    assert index["metadata"]["total_size"] == sum(v.numpy().nbytes for v in state(network()))
    assert {name for held in index["weight_map"].values() for name in held} == set(names[1:])
    save(network(), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    fresh().load_weights(path)
    next(tmp_path.glob("*.weights.h5")).unlink()
    with pytest.raises(ModelFileError, match="is missing"):
        fresh().load_weights(path)


@pytest.mark.parametrize("nth", [1, 3, 6, 7, 8, 9, 12])
def test_a_set_of_shards_that_fails_leaves_one_whole(nth, tmp_path, monkeypatch):
    path = tmp_path / "m.weights.json"
    save(network(), path)
    before = sorted(p.name for p in tmp_path.iterdir())
    real, calls = os.replace, []

    def failing(a, b):
        calls.append(b)
        if len(calls) == nth:
            raise OSError(28, "No space left on device")
        real(a, b)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises((OSError, KeraunosError)):
        save(network(), path)
    monkeypatch.undo()
    loaded = fresh()
    loaded.load_weights(path)
    same(loaded, network())
    assert nth > 6 or sorted(p.name for p in tmp_path.iterdir()) == before
    save(network(), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


# ---- damage ----
@pytest.mark.parametrize("name", NAMES)
def test_no_flipped_bit_goes_unseen(name, tmp_path):
    save(network(), tmp_path / name)
    rng, model = np.random.default_rng(0), fresh()
    for path in [p for p in tmp_path.iterdir() if p.name == name or name not in SHARDED][:1]:
        content = path.read_bytes()
        for bit in rng.integers(0, 8 * len(content), 60):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            with pytest.raises(ModelFileError):
                model.load_weights(tmp_path / name)
        path.write_bytes(content)
    assert not any(np.any(v.numpy()) for v in state(model))


# ---- the editor ----
@pytest.mark.parametrize("name", ["m.keras", *NAMES])
def test_the_editor(name, tmp_path, capsys):
    model = network()
    (model.save if name == "m.keras" else lambda path: save(model, path))(tmp_path / name)
    editor = keras.saving.KerasFileEditor(tmp_path / name)
    editor.summary()
    assert "dense (encoder)" in (said := capsys.readouterr().out) and "0: shape=(4, 5), dtype=float32" in said
    assert editor.compare(model)["status"] == "success"
    capsys.readouterr()
    assert editor.compare(fresh(units=2)) == {"status": "error", "error_count": 2 + 4, "match_count": len(state(model)) - 6}
    assert "layers/sequential/layers/dense_1/0: expected (4, 2); found (4, 3)" in capsys.readouterr().out
    editor.rename_object("layers/dense", "renamed")
    editor.add_object("layers/new", {"0": np.ones((2, 2)), "inner": {"0": np.ones(3)}})
    editor.add_weights("new", {"1": np.zeros(4), "0": np.zeros(1)})
    editor.delete_weight("renamed", "1")
    editor.delete_object("sequential")
    editor.delete_object("optimizer")
    for target in ("out.weights.h5", "out.safetensors", "out.npz"):
        editor.save(tmp_path / target)
        found = keras.saving.KerasFileEditor(tmp_path / target).weights_dict
        shapes = {path: {key: x.shape for key, x in held.items()} for path, held in found.items()}
        assert shapes == {
            "layers/batch_normalization": dict.fromkeys("0123", (5,)),
            "layers/renamed": {"0": (4, 5)},
            "layers/new": {"0": (1,), "1": (4,)},
            "layers/new/inner": {"0": (3,)},
        }
    with h5py.File(tmp_path / "out.weights.h5") as file:
        assert file["layers/renamed/vars"].attrs["name"] == "encoder"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e: e.rename_object("dance", "x"), "no object 'dance'"),
        (lambda e: e.delete_object("dense"), "Several objects of the file"),
        (lambda e: e.rename_object("batch_normalization", "dense"), "already"),
        (lambda e: e.rename_object("optimizer", "a/b"), "at its place"),
        (lambda e: e.delete_weight("optimizer", "77"), "no weight '77'"),
        (lambda e: e.add_object("nowhere/x", {}), "no object 'nowhere'"),
        (lambda e: e.add_object("layers/dense", {}), "already"),
        (lambda e: e.add_object("layers/x", [1]), "dict of arrays"),
        (lambda e: e.add_weights("optimizer", {"0": "text"}), "arrays of numbers"),
        (lambda e: e.save("x.keras"), "name ends in"),
    ],
)
def test_edits_that_cannot_be_meant(call, message, tmp_path):
    network().save_weights(path := tmp_path / "m.weights.h5")
    editor = keras.saving.KerasFileEditor(path)
    before = str(editor.weights_dict)
    with pytest.raises(KeraunosError, match=message):
        call(editor)
    assert str(editor.weights_dict) == before


def test_the_editor_of_a_file_that_is_none(tmp_path):
    for path in (tmp_path / "none.keras", tmp_path / "bad.weights.h5"):
        (tmp_path / "bad.weights.h5").write_bytes(b"no")
        with pytest.raises(ModelFileError, match=pathlib.Path(path).name):
            keras.saving.KerasFileEditor(path)


# ---- keraunos convert ----
def said(rows):
    return dict(rows)


def test_a_model_is_converted(tmp_path):
    from keraunos.cli.convert import convert

    model = network()
    model.save(source := tmp_path / "m.keras")
    for name in ("a.weights.h5", "b.safetensors", "c.npz", "d.h5", "e.json", "f.keras"):
        rows = said(convert(source, tmp_path / name))
        assert rows["written"].startswith(str(tmp_path / name)) and rows["kept"]
    before = (tmp_path / "a.weights.h5").read_bytes()
    with pytest.raises(KeraunosError, match="exists already"):
        convert(source, tmp_path / "a.weights.h5")
    assert (tmp_path / "a.weights.h5").read_bytes() == before
    convert(source, tmp_path / "a.weights.h5", force=True)
    for name in ("a.weights.h5", "b.safetensors", "c.npz"):
        convert(tmp_path / name, tmp_path / f"{name}.safetensors")
        convert(tmp_path / f"{name}.safetensors", tmp_path / "back.keras", force=True, model=tmp_path / "e.json")
        same(keras.saving.load_model(tmp_path / "back.keras"), model)
    convert(tmp_path / "b.safetensors", tmp_path / "s.weights.h5", shard=2e-7)
    loaded = fresh()
    loaded.load_weights(tmp_path / "s.weights.json")
    same(loaded, model)
    with pytest.raises(KeraunosError, match="exists already"):
        convert(tmp_path / "b.safetensors", tmp_path / "s.weights.h5", shard=2e-7)
    convert(tmp_path / "d.h5", tmp_path / "from_old.keras")
    for a, b in zip(keras.saving.load_model(tmp_path / "from_old.keras").weights, model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        ("m.weights.h5", "x.keras", {}, "--model"),
        ("m.weights.h5", "x.txt", {}, "No format of files ends in '.txt'"),
        ("none.keras", "x.npz", {}, "does not exist"),
        ("theirs.npz", "x.weights.h5", {}, "where in a model"),
        ("m.weights.h5", "x.json", {"model": "m.keras", "shard": 1}, "Only weights"),
    ],
)
def test_conversions_that_cannot_be_meant(source, target, options, message, tmp_path):
    from keraunos.cli.convert import convert

    network().save_weights(tmp_path / "m.weights.h5")
    network().save(tmp_path / "m.keras")
    np.savez(tmp_path / "theirs.npz", a=np.zeros(3))
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeraunosError, match=message):
        convert(tmp_path / source, tmp_path / target, **{**options, **({"model": tmp_path / options["model"]} if "model" in options else {})})
    assert sorted(tmp_path.iterdir()) == before


def test_convert_on_the_command_line(tmp_path):
    from typer.testing import CliRunner

    from keraunos.cli import app

    network().save(tmp_path / "m.keras")
    done = CliRunner().invoke(app, ["convert", str(tmp_path / "m.keras"), str(tmp_path / "m.safetensors")])
    assert done.exit_code == 0 and "left out" in done.output and (tmp_path / "m.safetensors").exists(), done.output
