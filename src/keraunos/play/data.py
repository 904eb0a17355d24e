"""Data sets by name: what they hold, which options they take, how a program loads them, and what the page shows of them.

A choice of data, the "data" of a document, is `{"name": "spiral", "options": {"samples": 500}}`; of a user's own files,
`{"name": "upload", "upload": id, "options": {…}}`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from keraunos.core.errors import ArgumentError, DataError, suggestion
from keraunos.play.layout import Group, in_function

if TYPE_CHECKING:
    from keraunos.play.uploads import Upload, Uploads

UPLOAD = "upload"
SIDE = 64  # pixels of a picture on the page, at most
SHOWN = 24  # samples that a preview has, but for points


class Loaded(NamedTuple):
    """The arrays of a data set: dictionaries by name where there are several inputs or targets."""

    x_train: Any
    y_train: Any
    x_test: Any
    y_test: Any


class Set(NamedTuple):
    """A data set that the page offers.

    Args:
        name: Its name in documents.
        title: Its name on the page.
        text: What it is, in a sentence or two.
        kind: How it is shown: "points", "pictures", "sequence", "text", "table" or "video".
        fields: The options, as the catalogue of layers has them.
        inputs: Shape, dtype and a sentence by the name of each input.
        targets: What is to be learnt, by name.
        counts: The number of samples for training and for the test, of all options.
        lines: The body of `load_data()`, of all options.
        load: Which gives `((x_train, y_train), (x_test, y_test))`, of all options.
        columns: What each number of a row of a table is.
    """

    name: str
    title: str
    text: str
    kind: str
    fields: list[dict[str, Any]]
    inputs: dict[str, dict[str, Any]]
    targets: dict[str, dict[str, Any]]
    counts: Callable[[Mapping[str, Any]], tuple[int, int]]
    lines: Callable[[Mapping[str, Any]], str]
    load: Callable[[Mapping[str, Any]], Any]
    columns: list[str] | None = None


def field(name: str, kind: str, default: float, low: float, high: float, text: str) -> dict[str, Any]:
    """An option that is a number, as the page draws it."""
    return {"name": name, "kind": kind, "default": default, "low": low, "high": high, "choices": None, "text": text, "required": False, "optional": False}


def choice(name: str, default: Any, text: str, choices: list[str], optional: bool = False) -> dict[str, Any]:
    """An option that is one of a few names, as the page draws it."""
    return {**field(name, "choice", default, 0, 0, text), "low": None, "high": None, "choices": choices, "optional": optional}


TEST = field("test", "number", 0.3, 0.05, 0.95, "The share of the samples that is held out: the network never trains on them, they tell how good it is.")
SEED = field("seed", "integer", 0, 0, 2**31 - 1, "The seed of what is drawn: the same number gives the same data.")


def _input(shape: list[int], text: str, dtype: str = "float32") -> dict[str, Any]:
    return {"shape": shape, "dtype": dtype, "text": text}


def _classes(*names: str) -> dict[str, Any]:
    return {"kind": "classes", "classes": list(names), "shape": []}


def _number() -> dict[str, Any]:
    return {"kind": "number", "classes": None, "shape": [1]}


def _same(of: str, shape: list[int]) -> dict[str, Any]:
    return {"kind": "input", "classes": None, "shape": shape, "of": of}


def _made(
    name: str,
    title: str,
    text: str,
    kind: str,
    inputs: dict[str, Any],
    targets: dict[str, Any],
    samples: int,
    noise: float,
    noise_text: str,
    most: int,
    widest: float = 1.0,
) -> Set:
    """A data set of `keras.datasets.made`, of which one without labels is its own target."""
    from keraunos.datasets import made

    count = field("samples", "integer", samples, 20, most, "The number of samples, those for training and those for the test together.")
    fields = [count, field("noise", "number", noise, 0.0, widest, noise_text), TEST, SEED]
    labelled = all(target["kind"] != "input" for target in targets.values())

    def counts(options: Mapping[str, Any]) -> tuple[int, int]:
        held = made.held_out(options["samples"], options["test"])
        return options["samples"] - held, held

    def lines(options: Mapping[str, Any]) -> str:
        begin, arguments = f"keras.datasets.made.{name}(", [f"{key}={value!r}" for key, value in options.items()]
        if labelled:
            return in_function(Group(f"return {begin}", arguments, ")"))
        given = in_function(Group(f"x_train, x_test = {begin}", arguments, ")"))
        return f"{given}\nreturn (x_train, x_train), (x_test, x_test)  # what is to be given back is the input"

    def load(options: Mapping[str, Any]) -> Any:
        found = getattr(made, name)(**options)
        return found if labelled else ((found[0], found[0]), (found[1], found[1]))

    return Set(name, title, text, kind, fields, inputs, targets, counts, lines, load)


_SCALED = """(x_train, {train}), (x_test, {test}) = keras.datasets.digits.load_data()
x_train, x_test = (x[..., None].astype("float32") / 16 for x in (x_train, x_test))
return """
_DIGIT = _input([8, 8, 1], "A gray picture of 8 by 8 pixels between 0 and 1.")


def _digits(options: Mapping[str, Any]) -> Any:
    from keraunos.datasets import digits

    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x_train, x_test = (x[..., None].astype("float32") / 16 for x in (x_train, x_test))
    return (x_train, y_train), (x_test, y_test)


def _digits_same(options: Mapping[str, Any]) -> Any:
    (x_train, _), (x_test, _) = _digits(options)
    return (x_train, x_train), (x_test, x_test)


def _iris(options: Mapping[str, Any]) -> Any:
    from keraunos.datasets import iris

    return iris.load_data()


def _sets() -> list[Set]:
    from keraunos.datasets import iris, made

    point, two = {"features": _input([2], "The two coordinates of a point.")}, {"label": _classes("first", "second")}
    wide = "How far points stray from where they belong, in units of the axes."
    pixels = "How much the pixels, which lie between 0 and 1, are disturbed."
    return [
        _made("spiral", "Spiral", "Two arms that wind around each other, each a class.", "points", point, two, 500, 0.1, wide, 20_000),
        _made("moons", "Moons", "Two half circles that reach into each other.", "points", point, two, 500, 0.15, wide, 20_000),
        _made("circles", "Circles", "A disk and the ring around it.", "points", point, two, 500, 0.15, wide, 20_000),
        _made("xor", "Exclusive or", "Four squares; those across from each other are of one class.", "points", point, two, 500, 0.1, wide, 20_000),
        _made("gauss", "Two clouds", "Two clouds of points that a line parts.", "points", point, two, 500, 0.7, wide, 20_000, 3.0),
        _made("plane", "Hill and hollow", "A number for each point of the plane, to be told from its coordinates.", "points", point, {"value": _number()}, 500, 0.1,
              "How far the numbers stray from their surface.", 20_000),
        _made("clusters", "Heaps", "Points in four heaps, without labels: the network finds the heaps itself.", "points", point,
              {"copy": _same("features", [2])}, 500, 0.25, wide, 20_000),
        Set("digits", "Handwritten digits", "1,797 pictures of the digits 0 to 9, written by 43 people.", "pictures", [], {"image": _DIGIT},
            {"label": _classes(*map(str, range(10)))}, lambda _: (1433, 364), lambda _: _SCALED.format(train="y_train", test="y_test") + "(x_train, y_train), (x_test, y_test)", _digits),
        Set("digits_same", "Digits, to be given back", "The same pictures, and the task is to give each back through a narrow middle.", "pictures", [],
            {"image": _DIGIT}, {"copy": _same("image", [8, 8, 1])}, lambda _: (1433, 364), lambda _: _SCALED.format(train="_", test="_") + "(x_train, x_train), (x_test, x_test)", _digits_same),
        _made("pairs", "Pairs of digits", "Two digits: are they the same, and what is their sum?", "pictures", {"left": _DIGIT, "right": _DIGIT},
              {"same": _classes("different", "same"), "sum": _number()}, 2000, 0.0, pixels, 20_000),
        _made("waves", "Waves", "32 steps of a wave: is it a sine, a square or a sawtooth?", "sequence",
              {"series": _input([32, 1], "32 values, one after another.")}, {"label": _classes(*made.WAVES)}, 600, 0.2,
              "How much the values, which lie between -1 and 1, are disturbed.", 20_000),
        _made("moving", "Moving digits", "Films of eight pictures: which way does the digit move?", "video",
              {"film": _input([8, 8, 8, 1], "Eight gray pictures of 8 by 8 pixels, one after another.")}, {"label": _classes(*made.DIRECTIONS)}, 600, 0.1, pixels, 5000),
        _made("spam", "Spam", "Short messages, spam or not.", "text", {"text": _input([], "A message, as it was written.", "string")},
              {"label": _classes("no spam", "spam")}, 1000, 0.05, "The share of letters that are lost.", 10_000, 0.5),
        Set("iris", "Irises", "Four lengths of 150 flowers, and which of three species each is.", "table", [],
            {"features": _input([4], f"In cm: {', '.join(iris.FEATURES)}.")}, {"label": _classes(*iris.SPECIES)}, lambda _: (120, 30),
            lambda _: "return keras.datasets.iris.load_data()", _iris, list(iris.FEATURES)),
    ]  # fmt: skip


_GROUPS = {"points": "Points", "pictures": "Pictures", "table": "Tables", "sequence": "Sequences", "text": "Texts", "video": "Films"}
_found: dict[str, Set] = {}


def sets() -> dict[str, Set]:
    """The data sets, by name."""
    if not _found:
        _found.update((one.name, one) for one in _sets())
    return _found


def catalog() -> list[dict[str, Any]]:
    """The data sets as the page lists them."""
    own = "A table (CSV), arrays (NPZ) or folders of pictures from this machine."
    return [
        *({"name": one.name, "title": one.title, "text": one.text, "group": _GROUPS[one.kind], "fields": one.fields, "kind": one.kind,
           "inputs": one.inputs, "targets": one.targets} for one in sets().values()),
        {"name": UPLOAD, "title": "Your own", "text": own, "group": "Your own", "fields": [TEST, SEED], "kind": "table", "inputs": {}, "targets": {}},
    ]  # fmt: skip


def _chosen(spec: Mapping[str, Any]) -> tuple[Set, dict[str, Any]]:
    """The data set, and all its options."""
    name, given = spec.get("name"), spec.get("options", {})
    if not isinstance(name, str) or name not in sets():
        raise DataError(f"There is no data set {str(name)[:40]!r}.", where="data", fix=suggestion(name, [*sets(), UPLOAD]))
    one = sets()[name]
    return one, options_of(given, one.fields)


def options_of(given: Any, fields: list[dict[str, Any]]) -> dict[str, Any]:
    """All options of a data set: those given, which are checked, and the defaults of the others.

    Raises:
        ArgumentError: There is no such option, or it cannot have that value.
    """
    if not isinstance(given, Mapping):
        raise ArgumentError("The options of the data must be an object.", where="data")
    by_name = {one["name"]: one for one in fields}
    for name in given:
        if name not in by_name:
            raise ArgumentError(f"The data has no option {str(name)[:40]!r}.", where="data", fix=suggestion(name, by_name))
    return {name: _value(one, given[name]) if name in given else one["default"] for name, one in by_name.items()}


def _value(of: Mapping[str, Any], value: Any) -> Any:
    name, kind = of["name"], of["kind"]
    if value is None and of["optional"]:
        return None
    if kind == "choice":
        if value in of["choices"]:
            return value
        expected = f"one of {', '.join(of['choices'])}"
    else:
        if isinstance(value, (int, float) if kind == "number" else int) and not isinstance(value, bool) and of["low"] <= value <= of["high"]:
            return float(value) if kind == "number" else value
        expected = f"{'an integer' if kind == 'integer' else 'a number'} from {of['low']} to {of['high']}"
    raise ArgumentError(f"The data's {name} cannot be {str(value)[:40]}.", where=f"data.{name}", expected=expected, fix=f"set {name} to {expected}")


def _uploaded(spec: Mapping[str, Any], uploads: Uploads | None) -> tuple[Upload, dict[str, Any]] | None:
    """The upload that the data is, and all its options; None for other data."""
    from keraunos.play.uploads import UploadError

    if spec.get("name") != UPLOAD:
        return None
    if uploads is None:
        raise UploadError("The file that the network learns from is not here.", fix="upload it again, or choose other data", status=404)
    upload = uploads.get(spec.get("upload", ""))
    return upload, upload.options(spec.get("options", {}))


def signature(spec: Mapping[str, Any], uploads: Uploads | None = None) -> dict[str, Any]:
    """What a network for the data takes and gives: `inputs` and `targets` by name, and how many samples are for training and for the test.

    Raises:
        DataError: There is no such data set.
        ArgumentError: An option has a value that cannot be used.
    """
    if found := _uploaded(spec, uploads):
        return found[0].loaded(found[1])["signature"]
    one, options = _chosen(spec)
    train, test = one.counts(options)
    names = {"columns": one.columns} if one.columns else {}
    return {"inputs": one.inputs, "targets": one.targets, "train": train, "test": test, "kind": one.kind, "notes": [], **names}


def load(spec: Mapping[str, Any], uploads: Uploads | None = None) -> Loaded:
    """The arrays of the data, those that a program with `source` has.

    Raises:
        DataError: There is no such data set.
        ArgumentError: An option has a value that cannot be used.
    """
    if found := _uploaded(spec, uploads):
        (x_train, y_train), (x_test, y_test) = found[0].loaded(found[1])["split"]
    else:
        one, options = _chosen(spec)
        (x_train, y_train), (x_test, y_test) = one.load(options)
    return Loaded(x_train, y_train, x_test, y_test)


def source(spec: Mapping[str, Any], uploads: Uploads | None = None, home: bool = False) -> str:
    """The body of `load_data()` in a program: lines without indentation, which return `(x_train, y_train), (x_test, y_test)` and know `keras`.

    Args:
        spec: The choice of data.
        uploads: The files that the user sent.
        home: Whether the program is taken home, where files have their own names; else it runs in the folder of the uploads.

    Example:

    >>> print(source({"name": "spiral", "options": {"samples": 200}}))
    return keras.datasets.made.spiral(samples=200, noise=0.1, test=0.3, seed=0)
    """
    if found := _uploaded(spec, uploads):
        return found[0].source(found[1], home)
    one, options = _chosen(spec)
    return one.lines(options)


def encoded(values: Any) -> str:
    """Bytes as the page takes them: base64."""
    import numpy as np

    return base64.b64encode(np.ascontiguousarray(values, dtype="uint8").tobytes()).decode()


def picture(values: Any, low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """An array `(height, width)` or `(height, width, channels)` as the page draws it, black at `low` and white at `high`; of a large one, some rows and columns.

    Example:

    >>> picture([[0.0, 1.0]])
    {'width': 2, 'height': 1, 'channels': 1, 'values': 'AP8='}
    """
    import numpy as np

    pixels = np.asarray(values, "float64")
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels if pixels.shape[-1] in (1, 3) else pixels[..., :1]
    skip = max(1, math.ceil(max(pixels.shape[:2]) / SIDE))
    shades = np.nan_to_num((pixels[::skip, ::skip] - low) / ((high - low) or 1.0)).clip(0, 1)
    return {"width": shades.shape[1], "height": shades.shape[0], "channels": shades.shape[2], "values": encoded(np.rint(255 * shades))}


def _label(of: Mapping[str, Any], value: Any) -> str:
    if of["kind"] == "classes":
        return of["classes"][int(value)]
    return "" if of["kind"] == "input" else f"{float(value.reshape(-1)[0]):.4g}"


def labels(spec: Mapping[str, Any], y: Any, uploads: Uploads | None = None) -> list[str]:
    """What is to be learnt of samples, in words."""
    targets = signature(spec, uploads)["targets"]
    by_name: dict[str, Any] = y if isinstance(y, dict) else dict.fromkeys(targets, y)
    count = len(next(iter(by_name.values())))
    return [", ".join(filter(None, (_label(targets[name], values[row]) for name, values in by_name.items()))) for row in range(count)]


def preview(spec: Mapping[str, Any], uploads: Uploads | None = None, limit: int = 400) -> dict[str, Any]:
    """Some samples as the page shows them: `points`, or `samples` of pictures, values, texts or rows of a table, each with its label.

    Args:
        spec: The choice of data.
        uploads: The files that the user sent.
        limit: The number of points; of other samples there are 24 at most.
    """
    found, (x_train, y_train, x_test, y_test) = signature(spec, uploads), load(spec, uploads)
    kind = found["kind"]
    told = {"kind": kind, "train": found["train"], "test": found["test"], "notes": found.get("notes", [])}
    if kind == "points":
        share = min(1.0, limit / (len(x_train) + len(x_test)))
        target = next(iter(found["targets"].values()))
        parts = ((x, y, is_test, max(1, int(share * len(x)))) for x, y, is_test in ((x_train, y_train, False), (x_test, y_test, True)))
        points = [
            {"x": round(float(at[0]), 4), "y": round(float(at[1]), 4), "value": 0 if target["kind"] == "input" else round(float(value.reshape(-1)[0]), 4), "test": is_test}
            for x, y, is_test, count in parts for at, value in zip(x[:count], y[:count], strict=True)
        ]  # fmt: skip
        return {**told, "points": points, "classes": target["classes"], "labelled": target["kind"] != "input"}
    inputs = list(x_train.values()) if isinstance(x_train, dict) else [x_train]
    rows = _mixed(found["targets"], y_train, len(inputs[0]))
    y = {name: values[rows] for name, values in y_train.items()} if isinstance(y_train, dict) else y_train[rows]
    inputs = [x[rows] for x in inputs]
    own = inputs if spec["name"] == UPLOAD and kind in ("pictures", "video") else []
    shades = min([0.0, *(float(x.min()) for x in own)]), max([1.0, *(float(x.max()) for x in own)])
    samples = [{**_shown(kind, [x[row] for x in inputs], shades), "label": label} for row, label in enumerate(labels(spec, y, uploads))]
    return {**told, "samples": samples, **({"columns": found["columns"]} if "columns" in found else {})}


def _mixed(targets: Mapping[str, Any], y: Any, count: int) -> Any:
    """Rows to show: drawn at random, always the same, and of classes as many of each, in turn."""
    import numpy as np

    drawn = np.random.default_rng(0).permutation(count)
    name = next((name for name, target in targets.items() if target["kind"] == "classes"), None)
    if name is None:
        return drawn[:SHOWN]
    classes = (y[name] if isinstance(y, dict) else y).reshape(count, -1)[drawn, 0]
    order = np.argsort(classes, kind="stable")
    _, starts, sizes = np.unique(classes[order], return_index=True, return_counts=True)
    turns = np.arange(count) - np.repeat(starts, sizes)
    return drawn[order[np.argsort(turns, kind="stable")]][:SHOWN]


def _shown(kind: str, values: list[Any], shades: tuple[float, float]) -> dict[str, Any]:
    """One sample, of one or several inputs; of pictures, black and white are the numbers that are given."""
    if kind in ("pictures", "video"):
        return {"pictures": [picture(one, *shades) for one in (values if kind == "pictures" else values[0])]}
    if kind == "text":
        return {"text": str(values[0])[:400]}
    rounded = [round(float(one), 4) for one in values[0].reshape(-1)[:400]]
    return {"values": rounded}
