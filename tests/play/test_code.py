"""Documents become programs that run by themselves, that a person likes to read, and out of which no text of a document breaks."""

from __future__ import annotations

import ast
import json
import math
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keraunos as keras
from keraunos.play import code, data
from keraunos.play.document import DocumentError, validated
from keraunos.play.layout import literal
from keraunos.play.presets import presets

from ..conftest import TRAINING, in_force
from .networks import ALL, CLASSES, LONG, ODD, PRESETS, layer, network, run_program, short

LATER = {preset["id"] for preset in presets() if preset["group"] in ("experiment", "lesson")}  # small
RUFF = shutil.which("ruff", path=f"{pathlib.Path(sys.executable).parent}") or shutil.which("ruff")


def defined(text: str) -> Any:
    """The functions of a program."""
    found: dict[str, Any] = {"__name__": "program"}
    exec(compile(text, "program.py", "exec"), found)
    return found


# ---- the text ----
@pytest.mark.skipif(RUFF is None, reason="ruff is not installed")
def test_programs_are_as_formatters_and_linters_want_them(tmp_path: pathlib.Path) -> None:
    for name, document in ALL.items():
        (tmp_path / f"{name}.py").write_text(code.program(document))
    for command in (["format", "--isolated", "--diff"], ["check", "--isolated", "--ignore", "E501"]):
        done = subprocess.run([str(RUFF), *command, str(tmp_path)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
    longest = max((line for name in PRESETS for line in (tmp_path / f"{name}.py").read_text().splitlines() if "#" not in line), key=len)
    assert len(longest) <= 88, longest


def test_a_chain_is_sequential_and_all_else_functional() -> None:
    assert "keras.Sequential(" in code.program(PRESETS["spiral"])
    assert "keras.Model([left, right]" in code.program(ODD["shared"])
    attending = code.program(ODD["wrapped"])
    assert "(both_ways, both_ways)" in attending and "keras.Sequential(" not in attending


def test_a_shared_layer_is_made_once() -> None:
    text = code.program(ODD["shared"])
    assert text.count("layers.Flatten(") == 1 and "flat = shared_flat_(left)" in text and "shared_flat = shared_flat_(right)" in text


def test_shared_layers_with_names_that_begin_alike_are_told_apart() -> None:
    pair = [layer(f"{LONG[:-1]}{n}", "Dense", "features", units=2) for n in "12"]
    again = [{"id": f"again_{n}", "shares": f"{LONG[:-1]}{n}", "inputs": [f"{LONG[:-1]}{n}"]} for n in "12"]
    document = network("spiral", layer("features", "Input"), *pair, *again, layer("label", "Add", "again_1", "again_2"))
    with keras.backend_scope("numpy"):
        model = defined(code.program(document))["build_model"]()
    assert [node.operation.name for node in model._order].count(f"{LONG[:-1]}1") == 2 == [node.operation.name for node in model._order].count(f"{LONG[:-1]}2")


def test_ids_that_are_no_names_of_variables_get_others() -> None:
    found = code.names(ODD["keywords"])
    assert found == {"features": "features", "lambda": "lambda_", "l": "l_", "keras": "keras_", "model": "model_", "layers": "layers_", "label": "label"}
    both = network("spiral", layer("features", "Input"), layer("class", "Dense", "features", units=2), layer("class_", "Dense", "class", units=2))
    assert len(set(code.names(validated(both)).values())) == 3


def test_what_is_learnt_is_written_out() -> None:
    text = code.program(ODD["shared"])
    assert 'loss={"same": "sparse_categorical_crossentropy", "sum": "mean_squared_error"}' in text
    assert 'loss_weights={"same": 1.0, "sum": 0.01}' in text and 'metrics={"same": ["accuracy"], "sum": ["mean_absolute_error"]}' in text
    text = code.program(ODD["long"])
    assert 'EarlyStopping(monitor="val_loss", patience=5)' in text and "callbacks=[stop, *callbacks]" in text
    assert "keras.optimizers.SGD(momentum=0.9, nesterov=True)" in text


# ---- what runs ----
@pytest.mark.parametrize("name", [*ODD, *sorted(LATER)])
def test_programs_train(name: str) -> None:
    """On JAX, or without a compiler; those that are not here are trained as presets."""
    engine = "torch" if name in LATER and "torch" in TRAINING else "jax"
    document = short(ALL[name], engine=engine)
    document["training"]["optimizer"]["options"]["learning_rate"] = 1e-3  # a preset's is too high by intent
    program = defined(code.program(document))
    seen = []
    with in_force(engine):
        model = program["build_model"]()
        history = program["train"](
            model, program["load_data"](), callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))]
        )
    assert seen == [0] and all(math.isfinite(history.history[loss][-1]) for loss in ("loss", "val_loss"))


@pytest.mark.parametrize("engine", [name for name in TRAINING if name != "jax"])
@pytest.mark.parametrize("name", ["shared", "gan"])
def test_programs_train_on_other_engines(name: str, engine: str) -> None:
    program = defined(code.program(short(ALL[name], engine=engine)))
    with in_force(engine):
        (x, y), test = program["load_data"]()
        few = keras.tree.map_structure(lambda values: values[:64], (x, y))  # two steps
        history = program["train"](program["build_model"](), (few, test))
    assert all(math.isfinite(values[-1]) for values in history.history.values())


@pytest.mark.parametrize("name", ["spiral", "gan"])
def test_a_program_comes_to_the_same_by_itself_as_with_a_callback(name: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = code.program(short(ALL[name], epochs=2))
    (tmp_path / "program.py").write_text(text)
    if name == "spiral":  # by itself indeed: a process of its own
        alone = subprocess.run([sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    else:
        alone = run_program(tmp_path / "program.py", capsys)
    program, watcher = defined(text), keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    with in_force("jax"):
        data = program["load_data"]()
        history = program["train"](program["build_model"](), data, callbacks=[watcher]).history
    watched = [f"{name}: {values[-1]:.4f}" for name, values in history.items()]
    assert watched and alone.splitlines()[-len(watched) :] == watched
    kept = list(tmp_path.glob("*.keras"))
    assert len(kept) == 1 and keras.saving.load_model(kept[0]).built


def test_layers_that_are_adapted_see_the_training_data() -> None:
    program = defined(code.program(ODD["adapted"]))
    with keras.backend_scope("jax"):
        loaded, model = program["load_data"](), program["build_model"]()
        program["train"](model, loaded)
    np.testing.assert_allclose(np.ravel(model.get_layer("scaled").get_weights()[0]), loaded[0][0].mean(0), rtol=1e-4)
    assert np.abs(model.get_layer("scaled_again").get_weights()[0]).max() > 0


def test_data_and_program_are_the_same() -> None:
    for name in ("two_outputs", "gan", "text"):
        (x_train, _), (_, y_test) = defined(code.program(ALL[name]))["load_data"]()
        loaded = data.load(ALL[name]["data"])
        assert keras.tree.map_structure(lambda a, b: bool((a == b).all()), (x_train, y_test), (loaded.x_train, loaded.y_test))
        np.testing.assert_equal(y_test, loaded.y_test)


# ---- what is refused ----
@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"outputs": {}}, "learns nothing"),
        ({"outputs": {"colour": CLASSES}}, "no target 'colour'"),
        ({"outputs": {"label": {**CLASSES, "layer": "nowhere"}}}, "No layer is called 'nowhere'"),
        ({"layers": [layer("pixels", "Input"), layer("label", "Dense", "pixels", units=2)]}, "no input 'pixels'"),
        ({"kind": "adversarial", "outputs": {}, "layers": [{**layer("features", "Input"), "part": "discriminator"}]}, "no generator"),
        ({"layers": [layer("features", "Input"), layer("label", "Lambda", "features")]}, "Lambda is not offered"),
        ({"layers": [layer("features", "Input"), layer("label", "Dense", units=2)]}, "Nothing goes into 'label'"),
        (
            {
                "kind": "adversarial",
                "outputs": {},
                "layers": [
                    {**layer("noise", "Input", size=4), "part": "generator"},
                    {**layer("made", "Dense", "noise", units=2), "part": "generator"},
                    {**layer("features", "Input"), "part": "discriminator"},
                    {**layer("scaled", "Normalization", "features"), "part": "discriminator"},
                ],
            },
            "'scaled' must see the data first",
        ),
    ],
)
def test_what_is_no_whole_network_has_no_program(change: dict[str, Any], fact: str) -> None:
    with pytest.raises(DocumentError, match=fact):
        code.program({**network("spiral", layer("features", "Input"), layer("label", "Dense", "features", units=2)), **change})


def words(text: str) -> set[str]:
    """All that a program names and calls."""
    tree = ast.parse(text)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {type(node).__name__ for node in ast.walk(tree)}


HOSTILE = st.sampled_from(['"""', "'''", '")', "\\", '\\"', "\n", "\r", "\u2028", "{", "}", "#", "; import os", "__import__('os')", "\x00", "\u202e", "é", "𝔘"])
TEXT = st.one_of(st.text(max_size=60), st.lists(HOSTILE | st.text(max_size=3), max_size=12).map("".join))


@settings(deadline=None, max_examples=300)
@given(name=TEXT, key=TEXT, option=TEXT, target=TEXT, monitor=TEXT)
def test_no_text_breaks_out_of_a_program(name: str, key: str, option: str, target: str, monitor: str) -> None:
    plain = network("spiral", layer("features", "Input"), layer("label", "Dense", "features", units=2, activation="softmax"))
    usual = words(code.program(plain))
    assert words(_program({**plain, "name": name}) or code.program(plain)) == usual
    for hostile in (
        {**plain, "layers": [layer("features", "Input"), layer(key, "Dense", "features", units=2)], "outputs": {"label": {**CLASSES, "layer": key}}},
        {**plain, "layers": [layer("features", "Input"), layer("label", "Dense", "features", units=2, activation=option)]},
        {**plain, "layers": [layer("features", "Input"), layer("label", "Dense", "features", units=2, **{option: 1})]},
        {**plain, "data": {"name": "spiral", "options": {"seed": option}}},
        {**plain, "outputs": {target: CLASSES}},
        {**plain, "training": {"stop": {"monitor": monitor, "patience": 1}}},
        {**plain, "training": {"engine": option}},
    ):
        text = _program(hostile)
        if text is not None:  # what was taken is a name of the catalogue, an id, or a literal
            assert words(text) <= usual | {"EarlyStopping", "callbacks", "stop", "List", "Starred"}


def _program(document: dict[str, Any]) -> str | None:
    try:
        return code.program(document)
    except (DocumentError, keras.core.errors.KeraunosError):
        return None


@settings(deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    )
)
def test_literals_are_what_they_were(value: Any) -> None:
    assert ast.literal_eval(literal(value)) == value


# ---- notebooks ----
@pytest.mark.parametrize("name", ["spiral", "gan", "adapted"])
def test_notebooks(name: str) -> None:
    made = json.loads(json.dumps(code.notebook(ALL[name])))
    nbformat = pytest.importorskip("nbformat")
    nbformat.validate(nbformat.from_dict(made))


def test_a_notebook_runs_from_top_to_bottom(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = code.notebook(short(PRESETS["spiral"]))["cells"]
    assert [cell["cell_type"] for cell in cells[:2]] == ["markdown", "code"] and len({cell["id"] for cell in cells}) == len(cells)
    found: dict[str, Any] = {}
    with keras.backend_scope("jax"):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), cell["id"], "exec"), found)
    assert math.isfinite(found["history"].history["loss"][-1]) and (tmp_path / "spiral.keras").exists()


# ---- whatever the network ----
KINDS = ["Input", "Dense", "Add", "Concatenate", "Conv2D", "MultiHeadAttention", "Normalization", "TextVectorization", "Bidirectional", "Flatten"]
IDS = st.sampled_from(["left", "right", "features", "same", "sum", "label", "noise", "image", "copy", "a", "class", "shared_a"])
LAYERS = st.fixed_dictionaries(
    {"id": IDS, "inputs": st.lists(IDS, max_size=3)},
    optional={
        "type": st.sampled_from(KINDS),
        "shares": IDS,
        "options": st.just({}) | st.just({"units": 2}),
        "part": st.sampled_from(["generator", "discriminator"]),
    },
)
DATA = st.sampled_from(["spiral", "pairs", "digits", "digits_same", "spam"])


@settings(deadline=None, max_examples=500)
@given(data=DATA, several=st.lists(LAYERS, max_size=6), outputs=st.dictionaries(IDS, IDS, max_size=2), kind=st.sampled_from(["supervised", "adversarial"]))
def test_a_network_has_a_program_or_is_refused(data: str, several: list[Any], outputs: dict[str, str], kind: str) -> None:
    learnt = {target: {"loss": "mse", "layer": key} for target, key in outputs.items()}
    text = _program({**network(data, *several), "outputs": learnt, "kind": kind})
    assert text is None or ast.parse(text)
