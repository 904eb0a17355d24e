"""Models as PyTorch's programs, for OpenVINO and as ONNX of several opsets: run by their own runtimes, they give what `predict` does."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core import tree
from keraunos.core.errors import BackendError, KeraunosError
from tests.export import models


# ---- the runtimes: a function of a batch for a file ----
def by_torch(path: pathlib.Path) -> Callable[[Any], list[Any]]:
    torch = pytest.importorskip("torch")
    program = torch.export.load(path).module()
    return lambda x: [y.detach().numpy() for y in tree.flatten(program(tree.map_structure(torch.as_tensor, x)))]


def by_openvino(path: pathlib.Path) -> Callable[[Any], list[Any]]:
    openvino = pytest.importorskip("openvino")
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})  # else bfloat16, where the CPU has it
    return lambda x: list(model(x if isinstance(x, dict) else [x]).values())


def by_onnxruntime(path: pathlib.Path) -> Callable[[Any], list[Any]]:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (first, *_) = [x.name for x in session.get_inputs()]
    return lambda x: session.run(None, x if isinstance(x, dict) else {first: x})


# By the name of a case: the format, its options, how its files' names end, and what runs them.
FORMATS: dict[str, tuple[str, dict[str, Any], str, Callable[[pathlib.Path], Callable[[Any], list[Any]]]]] = {
    "torch": ("torch", {}, ".pt2", by_torch),
    "openvino": ("openvino", {}, ".xml", by_openvino),
    "onnx": ("onnx", {}, ".onnx", by_onnxruntime),
    "onnx 9": ("onnx", {"opset_version": 9}, ".onnx", by_onnxruntime),
    "onnx 7": ("onnx", {"opset_version": 7}, ".onnx", by_onnxruntime),
}
# What cannot be, and what the refusal says.
IMPOSSIBLE = dict.fromkeys([(format, "text") for format in FORMATS], "runs on the host, before any engine: the .* format has no form of it") | {
    ("onnx 7", "MLP"): "ONNX opset 7 has no Erf; opset 9 has",
    ("onnx 7", "GRU"): "ONNX opset 7 has no Scan; opset 9 has",
    ("onnx 7", "Transformer block"): "ONNX opset 7 has no Where; opset 9 has",
}


@models.EVERY
@pytest.mark.parametrize("case", FORMATS)
def test_formats(case: str, name: str, tmp_path: pathlib.Path) -> None:
    format, options, ending, runtime = FORMATS[case]
    engine, path, part = models.engine_of(format, name), tmp_path / f"model{ending}", None
    model = models.trained(name, engine)
    if (case, name) in IMPOSSIBLE:
        with pytest.raises(BackendError, match=IMPOSSIBLE[case, name]):
            model.export(path, format, **options)
        assert not list(tmp_path.iterdir())
    if name == "text":
        part, model = "tokens", model.get_layer("tokens")  # the rest, from numbers on
    if (case, name) in IMPOSSIBLE:
        return
    before = model.get_weights()
    model.export(path, format, **options)
    run = runtime(path)
    for x, wanted in models.predictions(name, engine, part):
        for got, want in zip(run(x), wanted, strict=True):
            np.testing.assert_allclose(got, want, 1e-4, 1e-4)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("case", FORMATS)
def test_sequences_of_any_length(case: str, tmp_path: pathlib.Path) -> None:
    format, options, ending, runtime = FORMATS[case]
    inputs = keraunos.Input((None, 3), name="x")
    with keraunos.backend_scope("numpy"):
        lstm = layers.LSTM(3, return_sequences=True)
        old = options.get("opset_version", 18) < 10  # which cannot turn an axis of unknown size around
        model = keraunos.Model(inputs, layers.Dense(2)(layers.GRU(3)((lstm if old else layers.Bidirectional(lstm))(inputs))))
    path = tmp_path / f"model{ending}"
    if format == "torch":
        with pytest.raises(BackendError, match="PyTorch cannot export '.*' with sizes that are not known"):
            model.export(path, format, **options)
        return
    model.export(path, format, **options)
    run = runtime(path)
    for batch, steps in ((1, 1), (3, 9), (2, 4)):
        x = np.random.default_rng(0).normal(size=(batch, steps, 3)).astype("float32")
        np.testing.assert_allclose(run(x)[0], model.predict(x, verbose=0), 1e-4, 1e-4)


# ---- PyTorch ----
class Weighed(keraunos.Model):
    """A model with two arguments."""

    def call(self, values: Any, weights: Any) -> Any:
        return {"sum": ops.sum(values * weights, -1)}


class Noisy(keraunos.Model):
    """A model that draws numbers for each sample as it predicts."""

    def call(self, x: Any) -> Any:
        return x + keraunos.random.normal(ops.shape(x), seed=1)


class Foreign(keraunos.Model):
    """A model with a function that is no op."""

    def call(self, x: Any) -> Any:
        return np.asarray(x) * 2.0


def test_programs_of_pytorch(tmp_path: pathlib.Path) -> None:
    torch = pytest.importorskip("torch")
    path, random = tmp_path / "model.pt2", np.random.default_rng(0)
    inputs = keraunos.Input((None, None, 2))
    x = layers.Conv2D(3, 3, padding="same", strides=2)(inputs)
    images = keraunos.Model(inputs, layers.Conv2D(2, 1, 2, padding="same")(x))
    images.export(path, "torch")  # of any batch, height and width
    for shape in ((1, 16, 18, 2), (3, 24, 17, 2)):
        x = random.normal(size=shape).astype("float32")
        np.testing.assert_allclose(by_torch(path)(x)[0], images.predict(x, verbose=0), 1e-5, 1e-5)
    with zipfile.ZipFile(path) as file:
        assert not any(str(pathlib.Path(__file__).parents[2]).encode() in file.read(name) for name in file.namelist())
    script = "import sys, torch; print(torch.export.load(sys.argv[1]).module()(torch.ones(2, 16, 16, 2)).shape, 'keraunos' in sys.modules)"
    assert "torch.Size([2, 4, 4, 2]) False" in subprocess.run([sys.executable, "-I", "-c", script, path], capture_output=True, text=True, check=True).stdout

    model, ones = Weighed(), np.ones((2, 3), "float32")
    model(ones, ones)
    model.export(path, "torch", input_signature=[keraunos.InputSpec(shape=(None, 3))] * 2)
    out = torch.export.load(path).module()(torch.full((5, 3), 2.0), torch.full((5, 3), 4.0))
    assert out["sum"].tolist() == [24.0] * 5


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: keraunos.Sequential([keraunos.Input((None, 3)), layers.Masking(), layers.LSTM(2)]), {}, "with sizes that are not known.*all sizes but the b"),
        (Noisy, {}, "makes a tensor of a size that is not known before the run"),
        (Foreign, {}, "PyTorch cannot export.*keraunos.ops"),
        (lambda: keraunos.Sequential([keraunos.Input((3,)), layers.Dense(2)]), {"strict": True}, "leave strict out"),
        (lambda: keraunos.Sequential([keraunos.Input((3,)), layers.Dense(2)]), {"dynamic": True}, "no option 'dynamic'"),
    ],
)
def test_what_pytorch_cannot(make: Any, options: Any, message: str, tmp_path: pathlib.Path) -> None:
    model = make()
    if not model.built:
        with keraunos.backend_scope("numpy"):
            model(np.ones((2, 3), "float32"))
    with pytest.raises(KeraunosError, match=f"(?s){message}"):
        model.export(tmp_path / "model.pt2", "torch", **options)
    assert not list(tmp_path.iterdir())


# ---- OpenVINO ----
def test_models_for_openvino(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import reports nothing; both files are replaced or none; URLs are written to."""
    pytest.importorskip("openvino")
    fsspec = pytest.importorskip("fsspec")
    with keraunos.backend_scope("numpy"):
        model = keraunos.Sequential([keraunos.Input((4,)), layers.Dense(3)])
    model.export(tmp_path / "m.xml", "openvino")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert sorted(before) == ["m.bin", "m.xml"]
    model.set_weights([w + 1 for w in model.get_weights()])
    with monkeypatch.context() as broken:
        broken.setattr("shutil.copyfileobj", lambda *_: (_ for _ in ()).throw(OSError("the disk is full")))
        with pytest.raises(OSError, match="the disk is full"):
            model.export(tmp_path / "m.xml", "openvino")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    model.export("memory://openvino/m.xml", "openvino")
    assert fsspec.filesystem("memory").size("/openvino/m.bin") == 4 * (4 * 3 + 3)

    script = "import sys; from keraunos.export.openvino import _package; print(_package().__name__, 'openvino_telemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "openvino False\n"
