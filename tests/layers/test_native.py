"""Layers whose function is an engine's own: in training, in files, and refused where they cannot run."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ModelFileError, ShapeError
from tests.conftest import BACKENDS
from tests.layers.row import close, flat, through_json

load = keraunos.saving.load_model
x = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
y = x[:, :1] - x[:, 1:2]


def on(engine: str) -> Any:
    """The engine in force for a test, if it is among those tested."""
    return pytest.mark.skipif(engine not in BACKENDS, reason=f"{engine} is not tested")


def trained(layer: Any, **options: Any) -> tuple[Any, list[float]]:
    """A model of the layer and a dense one, and the course of its losses."""
    keraunos.utils.set_random_seed(5)
    model = keraunos.Sequential([keraunos.Input((4,)), layer, layers.Dense(1)])
    model.compile(keraunos.optimizers.Adam(0.05), "mse", **options)
    losses = model.fit(x, y, epochs=12, verbose=0, batch_size=8, shuffle=False).history["loss"]
    assert losses[-1] < losses[0] / 3
    close(model.predict(x, verbose=0), flat(model(x))[0])
    return model, losses


@pytest.mark.parametrize("engine", BACKENDS)
@pytest.mark.parametrize("name", ["TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer"])
def test_other_engines_are_refused(engine: str, name: str) -> None:
    own = {"TorchModuleWrapper": "torch", "TFSMLayer": "tensorflow"}.get(name, "jax")
    if engine == own:
        return
    pytest.importorskip("flax")
    import flax

    argument: Any = {"TorchModuleWrapper": object(), "FlaxLayer": flax.linen.Dense(2)}.get(name, "folder")
    with backend_scope(engine), pytest.raises(BackendError, match=rf"runs on {own} alone; the engine is {engine}(.|\n)*set_backend\('{own}'\)"):
        getattr(layers, name)(argument)


# ---- PyTorch ----
def module(**options: Any) -> Any:
    import torch

    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(4, 8, **options), torch.nn.Tanh(), torch.nn.BatchNorm1d(8, **options), torch.nn.Linear(8, 3, **options))


@on("torch")
def test_a_module_is_trained_as_it_is_by_pytorch() -> None:
    import torch

    with backend_scope("torch"):
        inner, same = module(), module()
        model, _ = trained(layers.TorchModuleWrapper(inner))
        layer = model.layers[0]
        keraunos.utils.set_random_seed(5)
        start = layers.Dense(1)
        start.build((None, 3))
        head = torch.nn.Linear(3, 1)
        with torch.no_grad():
            head.weight.copy_(start.kernel.value.T)
            head.bias.zero_()
        whole = torch.nn.Sequential(same, head)
        optimizer = torch.optim.Adam(whole.parameters(), 0.05, eps=1e-7)
        for _ in range(12):
            for i in range(0, 32, 8):
                optimizer.zero_grad()
                torch.nn.functional.mse_loss(whole(torch.tensor(x[i : i + 8])), torch.tensor(y[i : i + 8])).backward()
                optimizer.step()
        for ours, theirs in zip(layer.module.state_dict().values(), same.state_dict().values(), strict=True):
            close(ours.numpy(), theirs.detach().numpy(), 2e-3)
        # What PyTorch sees is what the layer has, and the other way round.
        assert inner is layer.module and inner[2].num_batches_tracked == 48
        close(inner[0].weight.detach().numpy(), layer.weights[0].numpy(), 0)
        with torch.no_grad():
            layer.module[0].bias.fill_(7.0)
        close(layer.weights[1].numpy(), np.full(8, 7.0), 0)
        layer.set_weights([np.full(v.shape, 2) for v in layer.weights])
        assert all(bool((t == 2).all()) for t in layer.module.state_dict().values())
        assert [p is q for p, q in zip(layer.parameters(), inner.parameters(), strict=True)] == [True] * 6


@on("torch")
def test_modes_and_frozen_parameters() -> None:
    import torch

    with backend_scope("torch"):
        inner = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4))
        inner[0].bias.requires_grad_(False)
        layer = layers.TorchModuleWrapper(inner)
        assert [v.path for v in layer.trainable_weights] == [f"{layer.name}/{n}" for n in ("0/weight", "2/weight", "2/bias")]
        close(flat(layer(x))[0], flat(layer(x, training=False))[0], 0)
        assert int(inner[2].num_batches_tracked) == 0
        assert np.abs(flat(layer(x, training=True))[0] - flat(layer(x))[0]).max() > 1e-2
        assert int(layer.module[2].num_batches_tracked) == 1
        layer.trainable = False
        assert not layer.trainable_weights
        layer.trainable = True
        assert len(layer.trainable_weights) == 3


@on("torch")
def test_pure_and_rematerialized_calls_of_modules() -> None:
    with backend_scope("torch"):
        layer = layers.TorchModuleWrapper(module())
        before = layer.get_weights()
        groups = [[v.value for v in group] for group in (layer.trainable_variables, layer.non_trainable_variables)]
        expected, new = layer.stateless_call(*groups, keraunos.ops.convert_to_tensor(x), training=True)
        close(layer.get_weights(), before, 0)
        new = flat(new)
        assert new[2] == 1 and np.abs(new[0]).max() > 0.01
        with keraunos.RematScope():
            again = layers.TorchModuleWrapper(module())
        found: list[Any] = []
        for one in (layer, again):
            value, gradients = keraunos.value_and_grad(lambda one=one: keraunos.ops.sum(one(x, training=True) ** 2), one.trainable_variables)()
            close(float(value.detach()), float((expected**2).sum().detach()))
            close(one.get_weights()[-3:], new)
            found.append(flat(gradients))
        close(found[0], found[1])


@on("torch")
def test_specs_structures_and_dtypes_of_modules() -> None:
    import torch

    class Two(torch.nn.Module):
        def forward(self, a: Any, b: Any = None) -> Any:
            return {"sum": a + b, "steps": a.mean(-1)}

    with backend_scope("torch"):
        out = layers.TorchModuleWrapper(Two())(keraunos.Input((None, 3)), b=keraunos.Input((None, 3)))
        assert (out["sum"].shape, out["steps"].shape) == ((None, None, 3), (None, None))
        out = layers.TorchModuleWrapper(Two())(np.ones((2, 3)), b=np.ones((2, 3), "float32"))
        close(flat(out["sum"])[0], np.full((2, 3), 2))
        assert layers.TorchModuleWrapper(module()).compute_output_shape((None, 4)) == (None, 3)
        assert layers.TorchModuleWrapper(Two(), output_shape=(None, 9))(keraunos.Input((3,))).shape == (None, 9)
        expected = flat(layers.TorchModuleWrapper(module())(x))[0]
        for dtype, compute in (("mixed_bfloat16", "bfloat16"), ("float64", "float64"), ("bfloat16", "bfloat16")):
            layer = layers.TorchModuleWrapper(module(), dtype=dtype)
            assert {v.dtype for v in layer.trainable_weights} == {layer.variable_dtype}
            out = layer(x)
            assert keraunos.backend.standardize_dtype(out.dtype) == compute == layer(keraunos.Input((4,))).dtype
            close(out.detach().double().numpy(), expected, 0.05)
            layer(x, training=True)
        assert layers.TorchModuleWrapper(module(dtype=torch.float64))(x).dtype == torch.float32


@on("torch")
def test_files_and_copies_of_modules(tmp_path: Any) -> None:
    with backend_scope("torch"):
        model, _ = trained(layers.TorchModuleWrapper(module(), name="inner"))
        model.save(tmp_path / "model.keras")
        model.save_weights(tmp_path / "model.weights.h5")
        expected = model.predict(x, verbose=0)
        with pytest.raises(ModelFileError, match=r"would run code(.|\n)*safe_mode=False"):
            load(tmp_path / "model.keras")
        again = load(tmp_path / "model.keras", safe_mode=False)
        close(again.predict(x, verbose=0), expected, 0)
        other = keraunos.Sequential([keraunos.Input((4,)), layers.TorchModuleWrapper(module()), layers.Dense(1)])
        other.load_weights(tmp_path / "model.weights.h5")
        close(other.predict(x, verbose=0), expected, 0)
        copied = copy.deepcopy(model)
        copied.fit(x, y, verbose=0)
        close(model.predict(x, verbose=0), expected, 0)
        close(copied.layers[0].module[0].weight.detach().numpy(), copied.weights[0].numpy(), 0)
        import torch

        wrong = keraunos.Sequential([keraunos.Input((4,)), layers.TorchModuleWrapper(torch.nn.Linear(4, 3)), layers.Dense(1)])
        with pytest.raises(ModelFileError, match="do not fit"):
            wrong.load_weights(tmp_path / "model.weights.h5")
    if "jax" in BACKENDS:
        with pytest.raises(BackendError, match="runs on torch alone; the engine is jax"):
            model.to_backend("jax").predict(x, verbose=0)


@on("torch")
def test_modules_in_files_of_keras(tmp_path: Any) -> None:
    pytest.importorskip("keras")
    code = """
import sys, keras, numpy, torch
torch.manual_seed(1)
model = keras.Sequential([keras.layers.TorchModuleWrapper(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))), keras.layers.Dense(1)])
x = numpy.ones((2, 4), "float32") * numpy.arange(2)[:, None]
model(x, training=True)
model.save(sys.argv[1])
numpy.save(sys.argv[2], model.predict(x, verbose=0))
"""
    environment = {**os.environ, "KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code, tmp_path / "theirs.keras", tmp_path / "y.npy"], check=True, env=environment, capture_output=True)
    with backend_scope("torch"):
        model = load(tmp_path / "theirs.keras", safe_mode=False)
        close(model.predict(np.ones((2, 4), "float32") * np.arange(2)[:, None], verbose=0), np.load(tmp_path / "y.npy"))


@on("torch")
def test_what_is_no_module() -> None:
    import torch

    with backend_scope("torch"):
        with pytest.raises(ArgumentError, match=r"a torch.nn.Module is wanted, not int"):
            layers.TorchModuleWrapper(3)
        with pytest.raises(ArgumentError, match="is lazy: run it once"):
            layers.TorchModuleWrapper(torch.nn.LazyLinear(3))
        layer = layers.TorchModuleWrapper(torch.nn.Linear(5, 3))
        with pytest.raises(RuntimeError) as caught:
            layer(x)
        assert any(layer.name in note for note in caught.value.__notes__)


# ---- JAX ----
def affine(params: Any, inputs: Any) -> Any:
    import jax.numpy as jnp

    return jnp.tanh(inputs @ params["w"] + params["b"])


def affine_init(rng: Any, inputs: Any) -> Any:
    import jax

    return {"w": jax.random.normal(rng, (inputs.shape[-1], 6)), "b": jax.numpy.zeros(6)}


def noisy(params: Any, state: Any, rng: Any, inputs: Any, training: bool) -> Any:
    import jax

    noise = jax.random.normal(rng, inputs.shape) if training else 0.0
    return inputs * params + noise, {"calls": state["calls"] + training}


KNOWN = {"affine": affine, "affine_init": affine_init}


@on("jax")
def test_functions_of_jax_are_trained_and_saved(tmp_path: Any) -> None:
    with backend_scope("jax"):
        model, _ = trained(layers.JaxLayer(affine, affine_init, name="j"))
        assert [(v.path, v.shape) for v in model.weights[:2]] == [(f"{model.name}/j/b", (6,)), (f"{model.name}/j/w", (4, 6))]
        assert model.layers[0].compute_output_shape((None, 4)) == (None, 6)
        model.save(tmp_path / "model.keras")
        expected = model.predict(x, verbose=0)
        with pytest.raises(ModelFileError, match="'affine(_init)?' is not known"):
            load(tmp_path / "model.keras")
        again = load(tmp_path / "model.keras", custom_objects=KNOWN)
        close(again.predict(x, verbose=0), expected, 0)
        given = layers.JaxLayer(affine, params={"w": model.weights[1].numpy(), "b": model.weights[0].numpy()})
        close(flat(given(x))[0], flat(model.layers[0](x))[0], 0)
        config = through_json(given.get_config())
        assert config["init_fn"] is config["native_serialization_platforms"] is None and "params" not in config
        same = [flat(layers.JaxLayer(affine, affine_init, seed=seed)(x))[0] for seed in (3, 3, 4)]
        close(same[0], same[1], 0)
        assert np.abs(same[0] - same[2]).max() > 0.1


@on("jax")
def test_state_and_random_numbers_of_jax() -> None:
    with backend_scope("jax"):
        layer = layers.JaxLayer(noisy, params=np.ones((), "float32"), state={"calls": np.zeros((), "int32")}, seed=1)
        model = keraunos.Sequential([keraunos.Input((4,)), layer])
        model.compile("sgd", "mse")
        model.fit(x, x, batch_size=8, epochs=2, verbose=0)
        model.evaluate(x, x, verbose=0)
        assert [int(v.numpy()) for v in layer.non_trainable_weights] == [8]
        assert [v.dtype for v in layer.weights] == ["float32", "int32"]
        close(flat(layer(x))[0], x * layer.weights[0].numpy())
        drawn = [flat(layer(x, training=True))[0] for _ in range(2)]
        assert np.abs(drawn[0] - drawn[1]).max() > 0.1
        frozen = layers.JaxLayer(affine, affine_init, trainable=False)
        frozen(x)
        assert len(frozen.non_trainable_weights) == 2


@on("jax")
def test_structures_and_dtypes_of_jax() -> None:
    with backend_scope("jax"):
        layer = layers.JaxLayer(lambda inputs: {"sum": inputs[0] + inputs[1]["b"], "mean": inputs[0].mean(-1)})
        out = layer([keraunos.Input((None, 3)), {"b": keraunos.Input((None, 3))}])
        assert (out["sum"].shape, out["mean"].shape) == ((None, None, 3), (None, None))
        mixed = layers.JaxLayer(affine, affine_init, dtype="mixed_bfloat16")
        assert keraunos.backend.standardize_dtype(mixed(x).dtype) == "bfloat16"
        assert {v.dtype for v in mixed.weights} == {"float32"}


JAX_ERRORS: dict[str, tuple[Any, type, str]] = {
    "no inputs": (lambda: layers.JaxLayer(lambda params: params, affine_init), ArgumentError, "`inputs`"),
    "another argument": (lambda: layers.JaxLayer(lambda params, inputs, mask: inputs, affine_init), ArgumentError, "'mask'"),
    "no beginning": (lambda: layers.JaxLayer(affine), ArgumentError, "init_fn=…, or params=…"),
    "no function": (lambda: layers.JaxLayer("relu"), ArgumentTypeError, "must be a function"),
    "no pair": (lambda: layers.JaxLayer(noisy, lambda rng: 1.0)(x), ArgumentError, "must return a pair"),
    "no pair in the call": (lambda: layers.JaxLayer(lambda state, inputs: inputs, state=np.ones(1))(x), ArgumentError, "must return a pair"),
    "another state": (lambda: layers.JaxLayer(lambda state, inputs: (inputs, {}), state=np.ones(1))(x), ShapeError, "of the structure"),
    "of TensorFlow": (lambda: layers.JaxLayer(affine, affine_init, native_serialization_platforms=["cpu"]), ArgumentTypeError, "not supported"),
    "no module of Flax": (lambda: layers.FlaxLayer(affine), ArgumentTypeError, "flax.linen.Module"),
    "method by name": (lambda: layers.FlaxLayer(normalizing()(), method="encode"), ArgumentTypeError, "'encode'"),
}


@on("jax")
@pytest.mark.parametrize("case", JAX_ERRORS)
def test_errors_of_jax_layers(case: str) -> None:
    pytest.importorskip("flax")
    make, error, text = JAX_ERRORS[case]
    with backend_scope("jax"), pytest.raises(error, match=text):
        make()


def normalizing() -> Any:
    """A class of modules of Flax with state and random numbers."""
    import flax

    class Normalizing(flax.linen.Module):
        units: int = 6

        @flax.linen.compact
        def __call__(self, inputs: Any, training: bool) -> Any:
            h = flax.linen.Dense(self.units)(inputs)
            h = flax.linen.BatchNorm(use_running_average=not training, momentum=0.5)(h)
            return flax.linen.Dropout(0.1, deterministic=not training)(flax.linen.tanh(h))

        def get_config(self) -> dict[str, Any]:
            return {"units": self.units}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return cls(**config)

    return Normalizing


@on("jax")
def test_modules_of_flax(tmp_path: Any) -> None:
    flax = pytest.importorskip("flax")
    import jax

    kind = normalizing()
    with backend_scope("jax"):
        model, _ = trained(layers.FlaxLayer(kind(), name="f"))
        layer = model.layers[0]
        assert [v.trainable for v in layer.weights] == [True] * 4 + [False] * 2
        assert layer.weights[-1].path == f"{model.name}/f/batch_stats/BatchNorm_0/var" and np.abs(layer.weights[-1].numpy() - 1).max() > 0.1
        expected = model.predict(x, verbose=0)
        model.save(tmp_path / "model.keras")
        close(load(tmp_path / "model.keras", custom_objects={"Normalizing": kind}).predict(x, verbose=0), expected, 0)
        dense = flax.linen.Dense(3)
        variables = dense.init(jax.random.key(0), x)
        own = layers.FlaxLayer(dense, variables=variables)
        close(flat(own(x))[0], np.asarray(dense.apply(variables, x)), 1e-6)
        twice = layers.FlaxLayer(dense, method=lambda module, inputs: 2 * module(inputs), variables=variables)
        close(flat(twice(x))[0], 2 * flat(own(x))[0], 1e-6)
        with pytest.raises(ArgumentError, match="it has no get_config method"):
            own.get_config()


# ---- TensorFlow ----
@pytest.fixture(scope="module")
def program(tmp_path_factory: Any) -> str:
    """A folder with a program that counts its calls in training."""
    tf = pytest.importorskip("tensorflow")

    class Program(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(np.linspace(-1, 1, 12).reshape(4, 3).astype("float32"), name="w")
            self.count = tf.Variable(0.0, trainable=False, name="count")

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def serve(self, inputs: Any) -> Any:
            return tf.tanh(inputs @ self.w)

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def train(self, inputs: Any) -> Any:
            self.count.assign_add(1.0)
            return tf.tanh(inputs @ self.w)

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def named(self, inputs: Any) -> Any:
            return {"out": inputs @ self.w}

    folder = str(tmp_path_factory.mktemp("saved") / "program")
    made = Program()
    tf.saved_model.save(made, folder, signatures={"serving_default": made.named})
    return folder


@on("tensorflow")
def test_programs_of_tensorflow(program: str, tmp_path: Any) -> None:
    with backend_scope("tensorflow"):
        layer = layers.TFSMLayer(program, call_training_endpoint="train", name="saved")
        assert [(v.path, v.trainable) for v in layer.weights] == [("saved/w", True), ("saved/count", False)]
        start = layer.weights[0].numpy()
        close(flat(layer(x))[0], np.tanh(x @ start))
        model, losses = trained(layer)
        assert layer.weights[1].numpy() == 48 and np.abs(layer.weights[0].numpy() - start).max() > 0.1
        plain = layers.Dense(3, "tanh", use_bias=False)
        plain.build((None, 4))
        plain.set_weights([start])
        close(trained(plain)[1], losses, 1e-3)
        expected = model.predict(x, verbose=0)
        model.save(tmp_path / "model.keras")
        with pytest.raises(ModelFileError, match=r"would run code(.|\n)*safe_mode=False"):
            load(tmp_path / "model.keras")
        close(load(tmp_path / "model.keras", safe_mode=False).predict(x, verbose=0), expected, 0)
        signature = layers.TFSMLayer(program, "serving_default", trainable=False)
        assert signature(keraunos.Input((4,)))["out"].shape == (None, 3) and not signature.trainable_weights
        close(flat(signature(x)["out"])[0], x @ start)


@on("tensorflow")
def test_errors_of_programs(program: str) -> None:
    with backend_scope("tensorflow"):
        with pytest.raises(ArgumentError, match="Did you mean 'serve'"):
            layers.TFSMLayer(program, "servee")
        with pytest.raises(ModelFileError, match="saved_model.pb"):
            layers.TFSMLayer("nowhere")
        with pytest.raises(ModelFileError, match=r"keras.saving.load_model reads"):
            layers.TFSMLayer("model.keras")
