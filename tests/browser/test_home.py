"""What is taken home: the link, the program, the trained model; and what is brought along."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import zipfile
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import keraunos as keras
from tests.browser.steps import await_document, document, last, layer, runs, set_epochs, train, units, view


def taken(page: Page, name: str, folder: pathlib.Path) -> pathlib.Path:
    """A file of the dialog "Take home"."""
    page.get_by_role("button", name="Take home").click()
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name=name).click()
    page.keyboard.press("Escape")
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_a_link_holds_the_whole_network(page: Page, context: Any) -> None:
    layer(page, "dense_1").click()
    view(page, "Layer").get_by_label("units", exact=True).fill("7")
    page.get_by_label("learning rate").select_option("0.03")
    await_document(page, lambda kept: (units(kept), kept["training"]["optimizer"]["options"]["learning_rate"]), (7, 0.03))
    kept, link = document(page), page.url
    assert "#1." in link
    page.evaluate("localStorage.clear()")
    other = context.new_page()
    other.goto(link)
    expect(other.get_by_label("learning rate")).to_have_value("0.03")
    assert document(other) == kept
    other.close()


def test_what_was_trained_works_at_home(page: Page, tmp_path: pathlib.Path) -> None:
    set_epochs(page, 8)
    train(page)
    (run,) = runs(page)
    program = taken(page, "Program: .py", tmp_path)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"(\w+): ?(\d[\d.e+-]*)", done.stdout))
    for name in ("loss", "val_loss"):
        assert float(said[name]) == pytest.approx(last(run, name), abs=1e-4), done.stdout
    notebook = taken(page, "Notebook: .ipynb", tmp_path)
    assert "build_model" in notebook.read_text(encoding="utf-8")
    model: Any = keras.models.load_model(taken(page, "Trained model: .keras", tmp_path / "taken"))
    for one, other in zip(model.get_weights(), keras.models.load_model(tmp_path / f"{program.stem}.keras").get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)  # what the program saved when it was run
    x = np.random.default_rng(0).uniform(-1, 1, (20, 2)).astype("float32")
    ours = model.predict(x, verbose=0)
    (_, (x_test, y_test)) = keras.datasets.made.spiral(**run["document"]["data"]["options"])
    right = (model.predict(x_test, verbose=0).argmax(-1) == y_test.reshape(-1)).mean()
    assert right == pytest.approx(last(run, "val_accuracy"), abs=1e-6)
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(taken(page, "For other programs: ONNX", tmp_path)))
    (theirs,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-5)


def test_a_model_made_in_python_is_opened(page: Page, tmp_path: pathlib.Path) -> None:
    with keras.config.backend_scope("numpy"):
        layers = [keras.Input((2,)), keras.layers.Dense(6, "relu", name="wide"), keras.layers.Dense(2, "softmax", name="narrow")]
        keras.Sequential(layers).save(tmp_path / "made.keras")
    page.get_by_label("A .keras or .json file").set_input_files(tmp_path / "made.keras")
    expect(layer(page, "wide")).to_be_visible()
    expect(layer(page, "narrow")).to_be_visible()
    await_document(page, lambda kept: [each["type"] for each in kept["layers"]], ["Input", "Dense", "Dense"])
    with zipfile.ZipFile(taken(page, "Program and files: .zip", tmp_path)) as archive:
        assert sorted(archive.namelist()) == ["program.ipynb", "program.py", "weights_before.keras"]
        assert b'load_model("weights_before.keras")' in archive.read("program.py")
