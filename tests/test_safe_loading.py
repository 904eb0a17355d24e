"""Files and configs run no code, and loading makes no values that the file has not."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos import layers as L
from keraunos.core.errors import KeraunosError, ModelFileError
from keraunos.core.scope import within
from keraunos.core.waiting import Unread, Waiting, unread
from keraunos.saving.inspecting import inspect
from tests.hostile import configs, zips

ROOT = pathlib.Path(__file__).parents[1]


# ---- code ----
def with_lambda() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), L.Lambda(lambda x: x * 3.0)])


DOORS: dict[str, Any] = {
    "load_model": lambda model, path: (model.save(path), keras.saving.load_model(path)),
    "load_model of h5": lambda model, path: (model.save(path.with_suffix(".h5")), keras.saving.load_model(path.with_suffix(".h5"))),
    "from_config": lambda model, path: type(model).from_config(model.get_config()),
    "from_config of a layer": lambda model, path: L.Lambda.from_config(model.layers[-1].get_config()),
    "clone_model": lambda model, path: keras.models.clone_model(model),
    "model_from_json": lambda model, path: keras.models.model_from_json(model.to_json()),
    "deserialize_keras_object": lambda model, path: keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model)),
    "layers.deserialize": lambda model, path: L.deserialize(L.serialize(model.layers[-1])),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("door", DOORS)
def test_an_unset_safe_mode_is_safe(door: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_lambda()
    with pytest.raises(ModelFileError, match="lambda"):
        DOORS[door](model, tmp_path / "m.keras")
    monkeypatch.setitem(keras.core.config._settings, "unsafe", False)  # is put back afterwards
    keras.config.enable_unsafe_deserialization()
    DOORS[door](model, tmp_path / "m.keras")


MISTAKES: dict[str, tuple[Any, str]] = {
    "objects without names": (lambda: keras.saving.deserialize_keras_object("x", [L.Dense]), "as a dict, by name"),  # type: ignore[arg-type]
    "a config that is a list": (lambda: L.deserialize({"class_name": "Dense", "config": [3]}), "'Dense' is not a dict"),
    "a decorator without brackets": (lambda: keras.saving.register_keras_serializable(L.Dense), r"register_keras_serializable\(\)"),  # type: ignore[arg-type]
    "an object is registered": (lambda: keras.saving.register_keras_serializable()(3), "Only classes and functions"),
    "a config as text": (lambda: keras.models.model_from_json({}), "model.to_json"),  # type: ignore[arg-type]
    "another thing as text": (lambda: keras.models.model_from_json("3"), "describes no model"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(name: str) -> None:
    call, message = MISTAKES[name]
    with pytest.raises(KeraunosError, match=message):
        call()


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "", '{"a": ' + "9" * 10_000 + "}"])
def test_what_is_no_json_is_told(text: str) -> None:
    with pytest.raises(ModelFileError, match="no JSON|not valid JSON"):
        keras.models.model_from_json(text)


@pytest.mark.parametrize(("name", "message"), [
    ("unknown_class.keras", "'Dance' is not known"),
    ("unknown_module.keras", "import that module first"),
    ("os_system.keras", r"custom_objects=\{'system': system\}"),
    ("name_escape.keras", "control codes"),
    ("units_huge.keras", r"expected \(3, 10000000000\), \(10000000000,\); found \(3, 2\), \(2,\)"),
    ("metric_huge.keras", "describes variables of"),
    ("vocabulary.keras", "vocabulary file outside"),
    ("op_zeros.keras", "called on no tensor of the model"),
    ("cycle.keras", "has a cycle"),
    ("newer.keras", "newer than is known here"),
    ("not_so_deep.keras", "too deeply|cannot be made|does not describe"),
])  # fmt: skip
def test_what_is_said(name: str, message: str, tmp_path: pathlib.Path) -> None:
    {**zips.FILES, **configs.FILES}[name](tmp_path / name)
    with pytest.raises(ModelFileError, match=message):
        keras.saving.load_model(tmp_path / name)


def test_layers_may_stand_in_any_order(tmp_path: pathlib.Path) -> None:
    """A graph of a thousand layers in reverse order is made in one pass."""
    nodes = [
        configs.node(f"d{i}", configs.tensor("x" if i == 0 else f"d{i - 1}", 0, 0), class_name="Activation", config={"activation": "relu"}) for i in range(300)
    ]
    for node in nodes:
        node["config"]["name"] = node["name"]
    configs.graph(*reversed(nodes), outputs=[["d299", 0, 0]])(tmp_path / "m.keras")
    with zips.zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert len(keras.saving.deserialize_keras_object(config).layers) == 301


# ---- values ----
@keras.saving.register_keras_serializable(package="tests")
class Counted(keras.initializers.Initializer):
    """Counts how often it is asked."""

    calls = 0

    def __call__(self, shape: Any, dtype: Any = None, **kwargs: Any) -> Any:
        Counted.calls += 1
        return keras.ops.ones(shape, dtype)


def test_no_initializer_runs_while_a_file_is_read(backend: Any, tmp_path: pathlib.Path) -> None:
    with keras.config.backend_scope(backend.name):
        frozen = L.Dense(2, kernel_initializer=Counted(), trainable=False)
        model = keras.Sequential([keras.Input((3,)), L.Dense(4, kernel_initializer=Counted()), L.BatchNormalization(gamma_initializer=Counted()), frozen])
        model.compile("adam", "mse")
        model.optimizer.build(model.trainable_variables)
        model.save(tmp_path / "m.keras")
        Counted.calls = 0
        loaded = keras.saving.load_model(tmp_path / "m.keras")
        assert Counted.calls == 0
        for variables in ("weights", "trainable_variables"):
            for old, new in zip(getattr(model, variables), getattr(loaded, variables), strict=True):
                assert not isinstance(new, Waiting) and new.trainable == old.trainable
                np.testing.assert_array_equal(old.numpy(), new.numpy())
        assert not any(isinstance(v, Waiting) for v in loaded.optimizer.variables)
        if backend.name != "numpy":
            loaded.fit(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"), verbose=0)


def test_what_the_file_has_no_values_for_has_its_initial_ones(tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.Input((3,)), L.Dense(4)])
    model.compile("adam", "mse", metrics=["mae"])
    model.save(tmp_path / "m.keras")  # the optimizer has not begun: its slots are not in the file
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    slots = loaded.optimizer.variables
    assert len(slots) == 6 and not any(isinstance(v, Waiting) for v in slots) and not np.any(slots[2].numpy())
    if keras.config.backend() != "numpy":
        loaded.fit(np.ones((4, 3), "float32"), np.ones((4, 4), "float32"), verbose=0)


def test_a_waiting_variable(backend: Any) -> None:
    class Mine(keras.Variable):
        pass

    with within(waiting=Unread("m.keras", 100)):
        first, second = keras.Variable("ones", (2, 3), "float32"), Mine("ones", (2,), "float32")
        large = keras.Variable("ones", (300, 3), "float32")
        assert isinstance(first, Waiting) and isinstance(first, keras.Variable) and first.shape == (2, 3) and first.dtype == "float32"
        first.assign(np.zeros((2, 3)))
        assert type(first) is keras.Variable and not np.any(first.numpy())
        assert second.numpy().tolist() == [1, 1] and type(second) is Mine
        with pytest.raises(ModelFileError, match="3,600 bytes that it has no values for") as caught:
            large.numpy()
        assert "m.keras" in str(caught.value)
        with pytest.raises(keras.core.errors.ShapeError):
            large.assign(np.zeros(3))
        assert isinstance(large, Waiting)
    assert large.numpy().shape == (300, 3)  # it is the file that must not take memory
    with unread("m.keras", 0):
        third = keras.Variable("ones", (2,), "float32")
    assert third.numpy().tolist() == [1, 1] and type(third) is keras.Variable


# ---- looking into files ----
def compiled() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), L.Dense(2, name="[bold]first"), keras.Sequential([keras.Input((2,)), L.Dense(1, name="last")], name="inner")])
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.h5", "m.safetensors", "m.npz", "s.weights.json", "s.safetensors.index.json"])
def test_inspect(name: str, tmp_path: pathlib.Path) -> None:
    path, model = tmp_path / name, compiled()
    if name in ("m.keras", "m.h5"):
        model.save(path)
    else:
        model.save_weights(path, **({"max_shard_size": 1e-8} if name.startswith("s.") else {}))
    report = json.loads(json.dumps(inspect(path)))
    assert report["verified"] == (name != "m.h5") and report["bytes"] == path.stat().st_size
    shapes = [row["shape"] for row in report["weights"]]
    assert all(shape in shapes for shape in ([3, 2], [2], [2, 1], [1]))
    if name in ("m.keras", "m.h5"):
        assert [(x["name"], x["depth"]) for x in report["layers"] if x["class"] == "Dense"] == [("[bold]first", 0), ("last", 1)]
        assert report["compilation"]["loss"] == "mse" and "Adam" in str(report["compilation"])
    else:
        assert report["layers"] is None


def test_inspect_tells_of_files_of_others(tmp_path: pathlib.Path) -> None:
    (path := tmp_path / "m.keras").write_bytes(zips.raw(zips.entries()))
    assert not inspect(path)["verified"] and inspect(path)["versions"]["keras_version"] == "3.15.1"
    with pytest.raises(ModelFileError, match="not known"):
        (tmp_path / "m.txt").write_text("x")
        inspect(tmp_path / "m.txt")


def test_inspect_prints_tables(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    from keraunos.cli.inspect import show

    compiled().save(tmp_path / "m.keras")
    show(str(tmp_path / "m.keras"), False, False)
    printed = capsys.readouterr().out
    for part in (
        "verified: its SHA-256 was compared",
        "[bold]first",
        "└ last",
        "(3, 2)",
        "Adam(learning_rate=0.01)",
        "model.weights.h5",
        "keras version: 3.15.1",
    ):
        assert part in printed
    show(str(tmp_path / "m.keras"), True, False)
    assert json.loads(capsys.readouterr().out)["file"] == "m.keras"


def test_a_short_run_of_the_fuzzer(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAUNOS_BACKEND": "numpy", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "tools/fuzz_files.py", "200", "3"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
