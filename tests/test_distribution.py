"""Models over several devices: of JAX's host, made up in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import keraunos as keras
from keraunos import distribution, layers
from keraunos.core.errors import KeraunosError
from keraunos.distribution import DataParallel, DeviceMesh, LayoutMap, ModelParallel, TensorLayout

PROGRAM = """
import os, warnings
os.environ["XLA_FLAGS"] += " --xla_force_host_platform_device_count=4"
import numpy as np
import keraunos as keras
from keraunos import distribution, layers, ops

warnings.simplefilter("error")
assert distribution.list_devices() == ["cpu:0", "cpu:1", "cpu:2", "cpu:3"] and distribution.get_device_count("gpu") == 0
x = np.random.default_rng(0).normal(size=(75, 6)).astype("float32")
y = (x.sum(1) > 0).astype("int32")

class Divided(layers.Layer):
    def call(self, inputs):
        return distribution.distribute_tensor(inputs, layout) if layout else inputs

def made(fit=True, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(8, use_bias=False), layers.BatchNormalization(), layers.ReLU(), Divided(), layers.Dropout(0.3), layers.Dense(2, "softmax", name="head")], name="net")
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"], **options)
    return (model, trained(model)) if fit else model

def trained(model):
    keras.utils.set_random_seed(2)
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0).history
    stream = [(x[i : i + 16], y[i : i + 16]) for i in range(0, 75, 16)]
    history["stream"] = model.fit(iter(stream), steps_per_epoch=5, verbose=0).history["loss"]
    return {**history, "batch": model.train_on_batch(x[:16], y[:16]), "test": model.evaluate(x, y, verbose=0), "out": model.predict(x, verbose=0)}

def same(one, other):
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-4, atol=2e-5, err_msg=name)

def parts(tensor):
    return {shard.data.shape for shard in tensor.addressable_shards}

def compiled(model):
    return {key: p._plan[1]._cache_size() for key, p in model._cache.items() if hasattr(p, "_plan") and "predict" not in str(key)}

layout = None
model, alone = made()
programs = compiled(model)
before = made(fit=False, steps_per_execution=2)
data = distribution.DataParallel()
distribution.set_distribution(data)
assert distribution.distribution() is data
model = made(fit=False)
kernel = model.layers[0].kernel
assert kernel._value.sharding.num_devices == 4 and kernel._value.sharding.is_fully_replicated
model.set_weights(model.get_weights())
assert kernel._value.sharding.num_devices == 4
assert parts(data.batch(x[:16])) == {(4, 6)} and parts(data.batch(x[:15])) == {(15, 6)}
same(alone, trained(before))  # it was made without a distribution
assert before.optimizer.variables[2]._value.sharding.num_devices == 4
for batches in (x, iter([x[:6], x[:6]])):
    try:
        before.predict(batches, batch_size=None if batches is not x else 6, steps=2, verbose=0)
        raise SystemExit("batches of 6 are not divided")
    except ValueError as error:
        assert "batch_size=8" in str(error)

mesh = distribution.DeviceMesh((2, 2), ["batch", "model"])
layout = distribution.TensorLayout([None, "model"], mesh)
layouts = distribution.LayoutMap(mesh)
layouts["net/dense.*kernel"] = (None, "model")
layouts["head/output"] = ("batch", None)
with distribution.ModelParallel(layout_map=layouts).scope():
    model, divided = made()
    same(alone, divided)
    kernel = model.layers[0].kernel
    slots = [v for v in model.optimizer.variables if "dense" in v.path and "kernel" in v.path]
    assert len(slots) == 1 and all(parts(v._value) == {(6, 4)} for v in (kernel, *slots))
    assert parts(model.layers[-1].kernel._value) == {(8, 2)}
    assert parts(model.layers[-1](ops.ones((4, 8)))) == {(2, 2)}
    assert compiled(model) == programs  # what a step gives lies as before: nothing is compiled anew
    model.save("net.keras")
    again = keras.saving.load_model("net.keras", custom_objects={"Divided": Divided})
    assert parts(again.layers[0].kernel._value) == {(6, 4)}
    np.testing.assert_allclose(again.predict(x, verbose=0), divided["out"], atol=1e-6)
    assert parts(distribution.distribute_tensor(x[:8], distribution.TensorLayout(["batch", "model"], mesh))) == {(4, 3)}
    layouts["nett/dense.*kernel"] = (None, "model")
    try:
        made(fit=False).predict(x[:16], verbose=0)
        raise SystemExit("a layout that fits nothing is not told of")
    except UserWarning as warning:
        assert "'nett/dense.*kernel' fits no variable" in str(warning)
assert distribution.distribution() is data
distribution.set_distribution(None)
same({"out": divided["out"]}, {"out": again.predict(x, verbose=0)})
layout = None
model.export("net.onnx", format="onnx", verbose=False)  # the layout of head/output is no longer asked for
first, second = (distribution.DataParallel(devices=[f"cpu:{i}", f"cpu:{i + 1}"]) for i in (0, 2))
for data, devices in ((first, {0, 1}), (second, {2, 3}), (first, {0, 1})):
    with data.scope():
        before.predict(x[:16], verbose=0)
        assert {d.id for d in before.layers[0].kernel._value.devices()} == devices
"""


@pytest.mark.skipif(keras.config.backend() != "jax", reason="JAX divides programs among devices")
def test_models_over_four_devices(tmp_path) -> None:
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def _mesh(**options):
    return DeviceMesh(**{"shape": (1, 1), "axis_names": ["batch", "model"], "devices": ["cpu:0"], **options})


def _map(**layouts):
    found = LayoutMap(_mesh())
    found.update(layouts)
    return found


def _with_two():
    layouts = _map(kernel=("model",))
    layouts["dense"] = ()
    return layouts["dense/kernel"]


def _set_on(backend):
    with keras.backend_scope(backend):
        distribution.set_distribution(DataParallel())


def _laid_on_torch():
    with keras.backend_scope("torch"):
        keras.Variable(np.ones((2, 2)), layout=TensorLayout(("model",), _mesh()))


def _recorded():
    distribution.distribute_tensor(keras.Input((2,)), TensorLayout(["batch"], _mesh()))


MISTAKES = {
    "a kind": (lambda: distribution.list_devices("gpus"), "Did you mean 'gpu'"),
    "no name": (lambda: _mesh(axis_names=["batch"]), "size and a name"),
    "too few devices": (lambda: _mesh(shape=(2, 1)), "2 places, and there are 1 devices"),
    "an unknown device": (lambda: _mesh(devices=["gpu:77"]), "There is no device 'gpu:77'"),
    "an unknown axis": (lambda: TensorLayout((None, "models"), _mesh()), "Did you mean 'model'"),
    "one axis for two": (lambda: TensorLayout(("model", "model"), _mesh()), "one axis of the mesh"),
    "another mesh": (lambda: _map(kernel=TensorLayout((None,), _mesh())), "another mesh"),
    "no mesh": (lambda: TensorLayout((None,)).backend_layout, "has no mesh"),
    "a key twice": (lambda: _map(kernel=()).__setitem__("kernel", ()), "already"),
    "no expression": (lambda: _map(**{"kernel(": ()}), "not a regular expression"),
    "a device twice": (lambda: _mesh(shape=(1, 2), devices=["cpu:0", "cpu:0"]), "2 places, and there are 1 devices"),
    "no places": (lambda: _mesh(shape=(1, 0), devices=[]), "size and a name"),
    "no mesh of a map": (lambda: LayoutMap((1, 1)), r"\(1, 1\)"),
    "no mesh of a distribution": (lambda: DataParallel(["cpu:0"]), "This is no mesh"),
    "a layout on torch": (_laid_on_torch, "DistributedDataParallel"),
    "no layout": (lambda: _map(kernel="model"), "str"),
    "two that fit": (_with_two, "'kernel', 'dense'"),
    "two axes": (lambda: DataParallel(_mesh()), "ModelParallel takes more"),
    "mesh and devices": (lambda: DataParallel(_mesh(), ["cpu:0"]), "device_mesh or devices"),
    "no map": (lambda: ModelParallel(), "LayoutMap"),
    "an argument": (lambda: ModelParallel(layout_map=_map(), layouts=1), "'layouts'"),
    "a batch axis": (lambda: ModelParallel(layout_map=_map(), batch_dim_name="batches"), "Did you mean 'batch'"),
    "no distribution": (lambda: distribution.set_distribution("jax"), "str"),
    "torch": (lambda: _set_on("torch"), "DistributedDataParallel"),
    "tensorflow": (lambda: _set_on("tensorflow"), r"set_backend\('jax'\)"),
    "a graph": (_recorded, "not recorded"),
    "a size": (lambda: TensorLayout(("batch",), _mesh()).check((), "x"), "cannot be divided"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    mistake, words = MISTAKES[name]
    with keras.backend_scope("jax"), pytest.raises(KeraunosError, match=words):
        mistake()
    assert distribution.distribution() is None


def test_devices_are_listed_on_every_engine() -> None:
    for backend in ("torch", "tensorflow", "numpy", "jax"):
        with keras.backend_scope(backend):
            assert "cpu:0" in distribution.list_devices() and distribution.list_devices("tpu") == []


def test_what_is_made_on_other_engines_is_left_alone() -> None:
    with keras.backend_scope("jax"):
        here = DataParallel(devices=["cpu:0"])
    with keras.backend_scope("jax"), here.scope(), keras.backend_scope("numpy"):
        model = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
        assert model.predict(np.ones((3, 2), "float32"), verbose=0).shape == (3, 1)


def test_the_properties_of_meshes_and_layouts() -> None:
    mesh = _mesh()
    assert mesh.shape == (1, 1) and mesh.axis_names == ["batch", "model"] and mesh.devices.tolist() == [["cpu:0"]]
    layouts = _map(kernel=(None, "model"))
    assert layouts.device_mesh is layouts["a/kernel"].device_mesh and layouts["kernel"].axes == [None, "model"] and layouts["bias"] is None
    assert list(layouts) == ["kernel"] and len(layouts) == 1 and "bias" not in layouts and layouts.get("bias") is None
    del layouts["kernel"]
    assert not layouts
    with keras.backend_scope("jax"):
        variable = keras.Variable(np.ones((2, 2)), layout=TensorLayout(("model",), mesh))
        assert tuple(variable._value.sharding.spec) == ("model",) and mesh.backend_mesh.axis_names == ("batch", "model")
