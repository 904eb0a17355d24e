"""On a machine with a GPU: what only such a machine can show, on each engine that sees it. `python -m pytest tests/test_gpu.py` there."""

from __future__ import annotations

import importlib
import os
import pathlib
import shutil
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers, ops
from keraunos.core import config
from keraunos.core.errors import TrainingError
from tests.conftest import BACKENDS, in_force

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # several engines share the memory


def sees_a_gpu(name: str) -> bool:
    """Whether an engine computes on a GPU; engines are only asked where a driver is installed."""
    if not shutil.which("nvidia-smi") and not any(pathlib.Path(path).exists() for path in ("/dev/nvidia0", "/dev/kfd")):
        return False
    return any("cuda" in device or "gpu" in device for device in map(str.lower, config.load_backend(name).devices()))


ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(not sees_a_gpu(name), reason=f"{name} sees no GPU here"))
    for name in BACKENDS
    if name in ("jax", "torch", "tensorflow")
]
on_gpus = pytest.mark.parametrize("engine", ENGINES)
on_torch = pytest.mark.parametrize("engine", [p for p in ENGINES if p.values[0] == "torch"])


@pytest.fixture(autouse=True)
def exact() -> Any:
    """Products of matrices in the precision of their dtype: a GPU rounds those of float32 otherwise, which is not what is tested here."""
    former: list[Any] = []
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        former = [torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32]
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    jax = sys.modules.get("jax")
    precision = jax and jax.config.jax_default_matmul_precision
    if jax:
        jax.config.update("jax_default_matmul_precision", "highest")
    yield
    if former:
        sys.modules["torch"].backends.cuda.matmul.allow_tf32, sys.modules["torch"].backends.cudnn.allow_tf32 = former
    if jax:
        jax.config.update("jax_default_matmul_precision", precision)


def kind_of(tensor: Any) -> str:
    """Where a tensor lies."""
    device = tensor.device
    return str(getattr(device, "platform", device)).lower().split(":")[0].replace("cuda", "gpu")


def images() -> Any:
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)), layers.Conv2D(8, 3, padding="same", strides=2), layers.BatchNormalization(), layers.ReLU(), layers.DepthwiseConv2D(3),
            layers.MaxPooling2D(), layers.Conv2DTranspose(4, 3), layers.GroupNormalization(2), layers.GlobalAveragePooling2D(), layers.Dropout(0.0), layers.Dense(4),
        ]
    )  # fmt: skip


def words() -> Any:
    return keras.Sequential(
        [
            keras.Input((9,), dtype="int32"), layers.Embedding(30, 8, mask_zero=True), layers.Bidirectional(layers.LSTM(6, return_sequences=True)),
            layers.GRU(7), layers.Dense(4),
        ]
    )  # fmt: skip


def tokens() -> Any:
    inputs = keras.Input((9,), dtype="int32")
    x = layers.Embedding(30, 16)(inputs)
    x = x + layers.MultiHeadAttention(2, 8)(layers.LayerNormalization()(x), x, use_causal_mask=True)
    x = x + layers.Dense(16)(layers.Dense(32, activation="gelu")(layers.RMSNormalization()(x)))
    return keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x)))


MODELS = {"images": images, "words": words, "tokens": tokens}


def data(name: str, n: int = 64) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n, 12, 12, 3)).astype("float32") if name == "images" else rng.integers(1, 30, (n, 9)).astype("int32")
    if name == "words":
        x[np.arange(9)[None] >= rng.integers(1, 10, (n, 1))] = 0  # each sample has its length
    return x, rng.integers(0, 4, n).astype("int32")


def compiled(make: Any, optimizer: Any = "adam", **options: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = make()
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"], **options)
    return model


@on_gpus
def test_tensors_are_made_on_the_gpu_unless_told_otherwise(engine: str) -> None:
    with in_force(engine):
        assert kind_of(ops.ones(3)) == "gpu"
        assert kind_of(layers.Dense(2)(np.ones((1, 3), "float32"))) == "gpu"
        with keras.device("cpu:0"):
            dense = layers.Dense(2)
            out = dense(np.ones((1, 3), "float32"))
            assert kind_of(out) == kind_of(dense.kernel.value) == "cpu"
        with keras.device("gpu:0"):
            assert kind_of(ops.zeros((2, 2))) == "gpu"
        assert "GPU" in keras.distribution.list_devices()[-1].upper()


@on_gpus
@pytest.mark.parametrize("name", MODELS)
def test_training_gives_on_the_gpu_what_it_gives_on_the_processor(engine: str, name: str) -> None:
    x, y = data(name)
    found = {}
    with in_force(engine):
        keras.utils.set_random_seed(1)
        first = MODELS[name]().get_weights()
        for place in ("cpu:0", "gpu:0"):
            with keras.device(place):
                model = compiled(MODELS[name], keras.optimizers.SGD(0.05, momentum=0.9))
                model.set_weights(first)
                losses = model.fit(x, y, batch_size=16, epochs=3, shuffle=False, verbose=0).history["loss"]
                assert {kind_of(w.value) for w in model.weights} == {place[:3]}
                found[place] = losses, model.predict(x, verbose=0), model.get_weights()
    (losses, predicted, weights), (losses_gpu, predicted_gpu, weights_gpu) = found.values()
    np.testing.assert_allclose(losses_gpu, losses, rtol=2e-4)
    np.testing.assert_allclose(predicted_gpu, predicted, rtol=2e-3, atol=2e-3)
    for a, b in zip(weights_gpu, weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)


@on_gpus
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_mixed_precision_learns(engine: str, name: str, policy: str) -> None:
    with in_force(engine):
        keras.mixed_precision.set_global_policy(policy)
        x, y = data(name)
        history = compiled(MODELS[name], keras.optimizers.Adam(0.01)).fit(x, y, batch_size=16, epochs=25, verbose=0).history["loss"]
        assert np.isfinite(history).all()
        assert history[-1] < 0.6 * history[0]


@on_torch
@pytest.mark.parametrize("name", ["images", "tokens"])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_step_does_not_wait_for_the_gpu(engine: str, name: str, streamed: bool) -> None:
    """PyTorch tells each time that the host waits: as often in an epoch of many steps as in one of few."""
    import torch

    counts = []
    with in_force(engine):
        for n in (64, 64 * 6):
            x, y = data(name, n)
            model = compiled(MODELS[name])
            given: Any = {"x": x, "y": y, "batch_size": 16}
            if streamed:
                pairs = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
                given = {"x": torch.utils.data.DataLoader(pairs, batch_size=16)}
            model.fit(**given, epochs=2, verbose=0)
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                torch.cuda.set_sync_debug_mode("warn")
                try:
                    model.fit(**given, epochs=1, verbose=0)
                finally:
                    torch.cuda.set_sync_debug_mode("default")
            counts.append([str(w.message) for w in told if "synchroniz" in str(w.message)])
    assert len(counts[1]) <= len(counts[0]), counts[1]


@on_gpus
def test_files_go_from_the_gpu_to_the_processor_and_back(engine: str, tmp_path: pathlib.Path) -> None:
    x, y = data("images")
    with in_force(engine):
        model = compiled(images)
        model.fit(x, y, epochs=1, verbose=0)
        model.save(tmp_path / "m.keras")
        with keras.device("cpu:0"):
            other = keras.saving.load_model(tmp_path / "m.keras")
            assert {kind_of(w.value) for w in other.weights} == {"cpu"}
            there = other.predict(x, verbose=0)
            other.save_weights(tmp_path / "w.weights.h5")
        np.testing.assert_allclose(there, model.predict(x, verbose=0), rtol=1e-3, atol=1e-4)
        before = model.get_weights()
        model.load_weights(tmp_path / "w.weights.h5")
        assert {kind_of(w.value) for w in model.weights} == {"gpu"}
        for a, b in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)


@on_gpus
def test_tensors_of_other_engines_come_from_the_gpu(engine: str) -> None:
    others = [p.values[0] for p in ENGINES if p.values[0] != engine and sees_a_gpu(p.values[0])]
    with in_force(engine):
        for other in others:
            with in_force(other):
                given = ops.arange(12, dtype="float32") + 1
            out = ops.reshape(given, (3, 4)) * 2
            assert config.active().is_tensor(out)
            assert kind_of(out) == "gpu"
            np.testing.assert_array_equal(ops.convert_to_numpy(out), np.arange(2, 26, 2, dtype="float32").reshape(3, 4))
            np.testing.assert_array_equal(ops.convert_to_numpy(given), np.arange(1, 13, dtype="float32"))


@on_gpus
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("heads", [4, 2])
def test_flash_attention_equals_the_definition(engine: str, dtype: str, causal: bool, heads: int) -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(2, 128, h, 64)).astype("float32") for h in (4, heads, heads))
    with in_force(engine):
        tensors = [ops.cast(x, dtype) for x in (q, k, v)]
        fused = ops.dot_product_attention(*tensors, is_causal=causal, flash_attention=True)
        plain = ops.dot_product_attention(*[ops.cast(x, "float32") for x in tensors], is_causal=causal, flash_attention=False)
        assert config.active().dtype_of(fused) == dtype
        np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(fused, "float32")), ops.convert_to_numpy(plain), atol=2e-2)


@on_gpus
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("masked", [False, True])
def test_recurrent_layers_equal_their_steps(engine: str, kind: str, masked: bool) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 11, 6)).astype("float32")
    mask = np.arange(11)[None] < np.array([11, 3, 0, 7, 1])[:, None] if masked else None
    with in_force(engine):
        fused = getattr(layers, kind)(7, return_sequences=True, return_state=True)
        steps = layers.RNN(fused.cell.__class__(7), return_sequences=True, return_state=True)
        outs = fused(x, mask=mask)
        steps.build(x.shape)
        steps.set_weights(fused.get_weights())
        for a, b in zip(outs, steps(x, mask=mask), strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(a), ops.convert_to_numpy(b), atol=5e-5)  # cuDNN's kernels round otherwise


@on_gpus
def test_what_is_not_finite_is_found(engine: str) -> None:
    with in_force(engine):
        for options in ({}, {"debug_nans": True}):
            model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Lambda(lambda x: ops.log(x - x)), layers.Dense(1)])
            model.compile("adam", "mse")
            with pytest.warns(UserWarning, match="lambda") if not options else pytest.raises(TrainingError, match="lambda"):
                model.fit(np.ones((64, 4), "float32"), np.ones((64, 1), "float32"), verbose=0, **options)


@on_gpus
def test_the_same_seed_repeats_a_run(engine: str) -> None:
    x, y = data("tokens")

    def run() -> Any:
        model = compiled(
            lambda: keras.Sequential([keras.Input((9,), dtype="int32"), layers.Embedding(30, 8), layers.Flatten(), layers.Dropout(0.5), layers.Dense(4)])
        )
        return model.fit(x, y, batch_size=16, epochs=2, verbose=0).history["loss"]

    with in_force(engine):
        np.testing.assert_allclose(run(), run(), rtol=1e-6)
        draws = [ops.convert_to_numpy(keras.random.normal((1000,), seed=4)) for _ in range(2)]
        np.testing.assert_array_equal(*draws)


@on_gpus
def test_a_population_trains(engine: str) -> None:
    x, y = data("images")

    def make(rate: float) -> Any:
        model = keras.Sequential([keras.Input((12, 12, 3)), layers.Flatten(), layers.Dense(16, activation="relu"), layers.Dropout(0.1), layers.Dense(4)])
        model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    with in_force(engine):
        population = keras.Population(make, {"rate": [1e-3, 3e-3, 1e-2]}, seeds=range(3))
        losses = np.array([history.history["loss"] for history in population.fit(x, y, batch_size=16, epochs=10, verbose=0)])
        assert (losses[:, -1] < 0.7 * losses[:, 0]).all()


@on_gpus
def test_fitting_again_takes_no_more_memory(engine: str) -> None:
    def used() -> int:
        if engine == "torch":
            torch = importlib.import_module("torch")
            torch.cuda.synchronize()
            return torch.cuda.memory_allocated()
        device = importlib.import_module("jax").devices("gpu")[0]
        return device.memory_stats()["bytes_in_use"]

    if engine == "tensorflow":
        pytest.skip("TensorFlow does not tell what its tensors take by this test's means")
    x, y = data("images")
    with in_force(engine):
        model = compiled(images)
        taken = []
        for _ in range(5):
            model.fit(x, y, batch_size=16, epochs=2, verbose=0)
            model.predict(x, verbose=0)
            taken.append(used())
        assert taken[4] <= taken[1] + 4096, taken


@on_gpus
def test_too_large_a_tensor_is_told_and_the_gpu_goes_on(engine: str) -> None:
    """Such as engines tell only when the result is waited for."""

    def far_too_large(x: Any) -> Any:
        return ops.sum(ops.sort(ops.reshape(x, (-1, 1)) * ops.reshape(x, (1, -1))), keepdims=True)

    with in_force(engine):
        model = keras.Sequential([keras.Input((2**19,)), layers.Lambda(far_too_large, name="outer")])
        model.compile(loss="mse")
        x = np.ones((1, 2**19), "float32")
        for run in (
            lambda: model.predict(x, verbose=0),
            lambda: model.evaluate(x, np.ones((1, 1)), verbose=0),
            lambda: model.test_on_batch(x, np.ones((1, 1))),
        ):
            with pytest.raises(Exception, match="There is not enough memory for a tensor") as told:
                run()
            assert "batch_size" in str(told.value)
        assert float(ops.sum(ops.ones(10))) == 10


_BAD_LABEL = """
import numpy as np, keraunos as keras
keras.config.disable_checks()
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = np.ones((8, 4), "float32"), np.zeros(8, "int32")
model.train_on_batch(x, y)
y[3] = 7
try:
    print("loss", {run})
except Exception as error:
    print(type(error).__name__, error)
"""


@on_gpus
@pytest.mark.parametrize("run", ["model.train_on_batch(x, y)", "model.fit(x, y, verbose=0).history"])
def test_a_label_beyond_the_classes_is_told(engine: str, run: str) -> None:
    env = {**os.environ, "KERAUNOS_BACKEND": engine, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run([sys.executable, "-c", _BAD_LABEL.replace("{run}", run)], env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    assert ("lies beyond its axis" in done.stdout and "start Python anew" in done.stdout) if engine == "torch" else "nan" in done.stdout, done.stdout


def test_the_doctor_names_the_gpu() -> None:
    if not any(sees_a_gpu(p.values[0]) for p in ENGINES):
        pytest.skip("no engine sees a GPU here")
    done = subprocess.run([sys.executable, "-m", "keraunos", "doctor"], capture_output=True, text=True, timeout=200)
    assert "NVIDIA" in done.stdout, done.stdout
