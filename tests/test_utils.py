"""Small helpers: images in files, bars, the inputs of a graph."""

from __future__ import annotations

import io
import itertools
import os
import pathlib
import re
import sys
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import keraunos as keras
from keraunos.core.errors import KeraunosError
from keraunos.utils import Progbar, array_to_img, get_source_inputs, img_to_array, load_img, save_img

Image = pytest.importorskip("PIL.Image")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 3)).astype("uint8")


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    return path


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_arrays_as_images_and_back(channels: int) -> None:
    x = RNG.integers(0, 256, (2, 3, channels)).astype("float32")
    image = array_to_img(x, scale=False)
    assert image.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels] and image.size == (3, 2)
    np.testing.assert_array_equal(img_to_array(image), x)
    np.testing.assert_array_equal(img_to_array(image, "channels_first"), x.transpose(2, 0, 1))
    np.testing.assert_array_equal(np.asarray(array_to_img(x.transpose(2, 0, 1), "channels_first", scale=False)), np.asarray(image))


def test_values_are_stretched() -> None:
    x = np.array([[[-1.0], [0.0], [1.0]]])
    np.testing.assert_array_equal(np.asarray(array_to_img(x)), [[0, 127, 255]])  # as Keras's
    assert np.asarray(array_to_img(np.full((2, 2, 3), 7.0))).max() == 0
    assert array_to_img(np.full((2, 2, 1), 300), scale=False).mode == "I" and img_to_array(array_to_img(x), dtype="uint8").dtype == "uint8"


SIZES = {
    "as it is": ({}, lambda im: im),
    "gray": ({"color_mode": "grayscale"}, lambda im: im.convert("L")),
    "smaller": ({"target_size": (3, 4), "interpolation": "bilinear"}, lambda im: im.resize((4, 3), Image.Resampling.BILINEAR)),
    "the middle of a wide one": ({"target_size": (3, 3), "keep_aspect_ratio": True}, lambda im: im.crop((1, 0, 7, 6)).resize((3, 3), Image.Resampling.NEAREST)),
    "the middle of a high one": ({"target_size": (2, 8), "keep_aspect_ratio": True}, lambda im: im.crop((0, 2, 8, 4)).resize((8, 2), Image.Resampling.NEAREST)),
}  # fmt: skip


@pytest.mark.parametrize("case", SIZES)
def test_files_are_read(case: str, file: pathlib.Path) -> None:
    options, expected = SIZES[case]
    wanted = expected(Image.fromarray(PIXELS))
    for source in (file, str(file), io.BytesIO(file.read_bytes())):
        found = load_img(source, **options)
        assert found.size == wanted.size and found.mode == wanted.mode
        np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))


def test_deep_gray_stays(tmp_path: pathlib.Path) -> None:
    pixels = np.array([[0, 300], [40000, 65535]], "uint16")
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(img_to_array(load_img(tmp_path / "deep.png", color_mode="grayscale"))[..., 0], pixels)


def test_files_are_written(tmp_path: pathlib.Path) -> None:
    save_img(tmp_path / "a.png", PIXELS, scale=False)
    np.testing.assert_array_equal(np.asarray(load_img(tmp_path / "a.png")), PIXELS)
    save_img(tmp_path / "a.jpg", np.concatenate([PIXELS, PIXELS[..., :1]], -1), quality=90)  # the format has no transparency
    assert load_img(tmp_path / "a.jpg").size == (8, 6)
    save_img(str(tmp_path / "without"), PIXELS, file_format="png")
    assert load_img(tmp_path / "without").size == (8, 6)


def test_the_inputs_of_a_tensor() -> None:
    a, b, c = keras.Input((3,)), keras.Input((2,)), keras.Input((2,))
    total = keras.layers.Add()([keras.layers.Dense(2)(a), b, b])
    assert [x is y for x, y in zip(get_source_inputs(total), (a, b), strict=True)] == [True, True]
    assert get_source_inputs(c) == [c]


@pytest.mark.parametrize(("options", "means"), [({}, (2.0, 2.0)), ({"stateful_metrics": ["a"]}, (3.0, 2.0)), ({"stateless_metrics": ["a"]}, (2.0, 3.0))])
def test_a_bar_shows_means(options: dict[str, Any], means: tuple[float, float], capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    bar = Progbar(8, width=10, unit_name="file", interval=0, **options)
    bar.update(2, [("a", 1.0), ("b", 1.0)])
    bar.add(2, [("a", 3.0), ("b", 3.0)])
    shown = capsys.readouterr().out
    assert f"━━━━━───── 4/8 {shown.rpartition(' 4/8 ')[2]}" in shown and "/file" in shown and "a: {:.4f} - b: {:.4f}".format(*means) in shown
    bar.update(8, [("a", 5.0), ("b", 5.0)])
    last = capsys.readouterr().out
    assert last.endswith("a: 5.0000 - b: 5.0000\n") and "8/8" in last and "Epoch" not in shown + last


def test_a_bar_without_an_end(capsys: Any) -> None:
    bar = Progbar(None, verbose=2)
    bar.add(3, [("a", 1.0)])
    assert not capsys.readouterr().out
    bar.update(4, finalize=True)
    assert "a: 1.0000" in capsys.readouterr().out
    Progbar(1, verbose=0).update(1, [("a", 1.0)])
    assert not capsys.readouterr().out


def drawn(**options: Any) -> tuple[str, list[str]]:
    """A model with a shared inner model, drawn: the description, and the names at the ends of its lines."""
    with keras.backend_scope("numpy"):
        inner = keras.Sequential([keras.Input((4,), name="start"), keras.layers.Dense(4, "relu", name="deep")], name="inner")
        x = keras.Input((3,), name="x")
        h = inner(keras.layers.Dense(4, name="h<1>")(x))
        model = keras.Model(x, keras.layers.Add(name="sum")([h, inner(h)]), name="outer")
        model.layers[1].trainable = False
        text = keras.utils.model_to_dot(model, **options).to_string()
    names = dict(re.findall(r"^ *(\d+) \[label=.*?<b>(.*?)</b>", text, re.MULTILINE))
    return text, sorted(f"{names[a]} {names[b]}" for a, b in re.findall(r"(\d+) -> (\d+);", text))


def test_a_model_as_a_picture() -> None:
    text, lines = drawn()
    assert lines == sorted(["x h&lt;1&gt;", "h&lt;1&gt; inner", "inner inner", "inner sum", "inner sum"]) and "shape:" not in text
    text, lines = drawn(expand_nested=True, show_shapes=True, show_dtype=True, show_layer_activations=True, show_trainable=True, rankdir="LR")
    assert lines == sorted(["x h&lt;1&gt;", "h&lt;1&gt; start", "start deep", "deep start", "deep sum", "deep sum"])
    for words in ("rankdir=LR", "Input shape: (None, 3)", "Output dtype: float32", "Activation: relu", "Trainable: No", "Trainable: Yes", 'label="inner"'):
        assert words in text
    assert text.count("{") == text.count("}") and drawn(subgraph=True)[0].startswith('subgraph "cluster_outer"')


def test_a_picture_is_written(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    """Graphviz is stood in for by a program that tells what it was asked."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    for ending, begins in (("dot", b"digraph"), ("svg", b"<svg"), ("html", b"<!doctype html>"), ("png", b"\x89PNG")):
        try:
            keras.utils.plot_model(model, tmp_path / f"m.{ending}")
        except KeraunosError as error:  # CI has fonts
            if "none of the usual fonts" not in str(error) or os.environ.get("KERAUNOS_BROWSER") == "required":
                raise
            continue
        assert (tmp_path / f"m.{ending}").read_bytes().startswith(begins)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KeraunosError, match="apt install graphviz"):
        keras.utils.plot_model(model, tmp_path / "m.pdf")
    program = tmp_path / "dot"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such format') if sys.argv[1] == '-Tx' else print(sys.argv[1], len(sys.stdin.read()))\n")
    program.chmod(0o755)
    picture = keras.utils.plot_model(model, tmp_path / "m.pdf")
    assert (tmp_path / "m.pdf").read_text() == f"-Tpdf {len(picture.to_string())}\n" and picture._repr_svg_().startswith("<svg")
    with pytest.raises(KeraunosError, match="no such format"):
        picture.write(tmp_path / "m.x")
    asked: list[Any] = []

    def with_one_font(svg_string: str, sans_serif_family: str | None = None, **options: Any) -> bytes:
        asked.append(sans_serif_family)
        return svg_string.encode() if sans_serif_family == "DejaVu Sans" else b"blank"

    monkeypatch.setattr("resvg_py.svg_to_bytes", with_one_font)
    picture.write(tmp_path / "m.png")
    assert asked[-1] == "DejaVu Sans" and b"Dense" in (tmp_path / "m.png").read_bytes()
    monkeypatch.setattr("resvg_py.svg_to_bytes", lambda **options: b"blank")
    with pytest.raises(KeraunosError, match="none of the usual fonts"):
        picture.write(tmp_path / "m.png")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(KeraunosError, match=r"keraunos\[pictures\]"):
        picture.write(tmp_path / "m.png")


def residual() -> Any:
    x = inputs = keras.Input((8,), name="x")
    for _ in range(3):
        y = keras.layers.Dense(8)(keras.layers.Dense(8)(x))
        x = keras.layers.Add()([x, y])
    return keras.Model(inputs, x)


def branching() -> Any:
    x = inputs = keras.Input((8,))
    for _ in range(2):
        x = keras.layers.Concatenate()([keras.layers.Dense(4)(x), *(keras.layers.Dense(4)(keras.layers.Dense(2)(x)) for _ in range(3))])
    return keras.Model(inputs, [x, keras.layers.Dense(1)(x)])


def hourglass() -> Any:
    x = inputs = keras.Input((8,))
    skips = []
    for size in (8, 4, 2):
        x = keras.layers.Dense(size)(x)
        skips.append(x)
    for skip in reversed(skips):
        x = keras.layers.Concatenate()([keras.layers.Dense(4)(x), skip])
    return keras.Model(inputs, x)


def circling() -> Any:
    again, inputs = keras.layers.Dense(4, name="again"), keras.Input((4,))
    h = keras.layers.Add()([again(again(inputs)), inputs])
    return keras.Model(inputs, again(keras.layers.ReLU()(h)))


def nesting() -> Any:
    a, b = keras.Input((8,)), keras.Input((8,))
    pair = keras.Model([a, b], [keras.layers.Add()([a, keras.layers.Dense(8)(b)]), keras.layers.Dense(2)(b)], name="pair")
    x, y = keras.Input((8,)), keras.Input((8,))
    first, second = pair([keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)], name="block")(x), y])
    return keras.Model([x, y], [keras.layers.Add()([first, x]), second])


def within() -> Any:
    h = keras.layers.Dense(3)(keras.Input((2,)))
    return keras.Model(h, keras.layers.Add()([keras.layers.ReLU()(h), h]))


def boxes_and_lines(picture: Any) -> Any:
    """The corners of boxes, and the lines, of a picture and those in its frames."""
    boxes = [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2) for (x, y), box in zip(picture.middles, picture.boxes, strict=True) for w, h in [_extent(picture, box)]
    ]
    yield boxes, picture.lines
    for box in picture.boxes:
        if getattr(box, "inner", None):
            yield from boxes_and_lines(box.inner)


def _extent(picture: Any, box: Any) -> tuple[float, float]:
    return (box.width, box.height) if picture.down else (box.height, box.width)


@pytest.mark.parametrize("splines", ["ortho", "curved", "line"])
@pytest.mark.parametrize("rankdir", ["TB", "BT", "LR", "RL"])
@pytest.mark.parametrize("make", [residual, branching, hourglass, circling, nesting, within])
def test_boxes_are_apart_and_lines_are_free_of_them(make: Any, rankdir: str, splines: str) -> None:
    with keras.backend_scope("numpy"):
        drawn = keras.utils.model_to_dot(make(), show_shapes=True, rankdir=rankdir, splines=splines, expand_nested=True)
    root = ElementTree.fromstring(drawn.create())
    assert not any("nan" in element.get("d", "") for element in root.iter())
    width, height = (float(root.get(side)) for side in ("width", "height"))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(rect.get("width")) <= width and float(rect.get("height")) <= height
    for boxes, lines in boxes_and_lines(drawn.picture):
        for (a, b, c, d), (e, f, g, h) in itertools.combinations(boxes, 2):
            assert c <= e or g <= a or d <= f or h <= b, "two boxes overlap"
        for line in (line for line in lines if line.source != line.target):
            for (x, y), (_, z), (a, b, c, d) in ((*ends, box) for ends in zip(line.points[::2], line.points[1::2], strict=True) for box in boxes):
                assert not a < x < c or min(max(y, z), d) - max(min(y, z), b) < 0.01, "a line runs through a box"


def test_a_picture_is_straight_where_it_can_be() -> None:
    with keras.backend_scope("numpy"):
        for make in (residual, hourglass):
            picture = keras.utils.model_to_dot(make()).picture
            assert len({round(x, 3) for x, _ in picture.middles}) == 1, "the skips go beside the layers, which are one column"
        chain = keras.Sequential([keras.Input((4,)), *(keras.layers.ReLU() for _ in range(60))])
        assert len({round(x, 3) for x, _ in keras.utils.model_to_dot(chain).picture.middles}) == 1


def test_where_each_layer_takes_all_former_ones_drawing_takes_few_steps() -> None:
    found = [keras.Input((8,))]
    for _ in range(18):
        found.append(keras.layers.Dense(8)(keras.layers.Concatenate()([found[0], *found])))
    model, calls = keras.Model(found[0], found[-1]), itertools.count()
    sys.setprofile(lambda *_: next(calls))
    try:
        keras.utils.model_to_dot(model).create("svg")
    finally:
        sys.setprofile(None)
    assert next(calls) < 6_000_000  # 2 million, and 68 million if chains are gone through once for each of their items


def test_models_in_notebooks() -> None:
    with keras.backend_scope("numpy"):
        shown = nesting()._repr_html_()
        later = keras.Sequential([keras.layers.Dense(3)], name="la<ter")._repr_html_()
    ElementTree.fromstring(shown)
    assert shown.count("<svg") == 3 and "<summary>pair (Functional)</summary>" in shown and "has 162 parameters (648.00 B), 162 of them trained" in shown
    assert "la&lt;ter" in later and "is not built" in later and "<svg" not in later and ">?</td>" in later


MISTAKES = {
    "no model": (lambda f: keras.utils.plot_model(3), ["int"]),
    "a model that is not built": (lambda f: keras.utils.plot_model(keras.Sequential([keras.layers.Dense(1)])), ["not built"]),
    "a direction": (lambda f: drawn(rankdir="UP"), ["'UP'"]),
    "an argument": (lambda f: drawn(layer_range=["a", "b"]), ["'layer_range'"]),
    "a colour": (lambda f: load_img(f, color_mode="rgba8"), ["Did you mean 'rgba'"]),
    "an interpolation": (lambda f: load_img(f, interpolation="linear"), ["'bilinear'"]),
    "a size": (lambda f: load_img(f, target_size=224), ["target_size=(224, 224)"]),
    "no path": (lambda f: load_img(5), ["int"]),
    "no image": (lambda f: load_img(__file__), ["cannot be read"]),
    "a batch": (lambda f: array_to_img(np.zeros((1, 2, 2, 3))), ["x[0]"]),
    "channels": (lambda f: array_to_img(np.zeros((2, 2, 2))), ["1, 3 or 4 channels"]),
    "axes": (lambda f: img_to_array(np.zeros(3)), ["(3,)"]),
    "a format": (lambda f: save_img(f.with_suffix(".nothing"), np.zeros((2, 2, 3))), ["cannot be written"]),
    "no tensor": (lambda f: get_source_inputs(np.zeros(3)), ["ndarray"]),
    "two lists": (lambda f: Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"]), ["not both"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_teaches(mistake: str, file: pathlib.Path) -> None:
    program, words = MISTAKES[mistake]
    with pytest.raises(KeraunosError) as caught:
        program(file)
    assert all(word in str(caught.value) for word in words), str(caught.value)
