"""The JSON document that describes a network, its data and its training: what it may hold, and `validated`, through which all of it passes.

Nothing in a document is ever evaluated: names are looked up in the catalogue, and values are numbers within bounds, short texts, and lists of integers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NotRequired, TypedDict

from keraunos.core.errors import ArgumentError, clean, suggestion
from keraunos.core.names import to_snake_case
from keraunos.losses.loss import SHORT
from keraunos.play import catalog
from keraunos.play.limits import LIMITS as LIMITS

VERSION = 1


class LayerSpec(TypedDict):
    """A layer, or one called again (`shares`), which has neither type nor options."""

    id: str
    inputs: list[str]
    type: NotRequired[str]
    options: NotRequired[dict[str, Any]]
    shares: NotRequired[str]
    part: NotRequired[str]


class DataSpec(TypedDict):
    """The data set, or what was uploaded."""

    name: str
    options: dict[str, Any]
    upload: NotRequired[str]


class OutputSpec(TypedDict):
    """How a target is learnt: the layer that predicts it is that of its name, unless `layer` says another."""

    loss: str
    metrics: list[str]
    layer: NotRequired[str]
    weight: NotRequired[float]


class OptimizerSpec(TypedDict):
    """The optimizer."""

    type: str
    options: dict[str, Any]


class StopSpec(TypedDict):
    """When training stops before its last epoch."""

    monitor: str
    patience: int


class TrainingSpec(TypedDict):
    """How the network is trained."""

    optimizer: OptimizerSpec
    epochs: int
    batch_size: int
    seed: int
    engine: str
    stop: StopSpec | None


class Document(TypedDict):
    """A network, its data and its training."""

    version: int
    name: str
    kind: str
    data: DataSpec
    layers: list[LayerSpec]
    outputs: dict[str, OutputSpec]
    training: TrainingSpec
    weights: NotRequired[str]


class DocumentError(ArgumentError):
    """A document cannot be used.

    Args:
        fact: What is wrong.
        layer: The layer that is concerned, if it is one.
        field: The field that is concerned: of the layer, or a path such as "training.epochs".
        more: As for `KeraunosError`.
    """

    def __init__(self, fact: str = "", *, layer: str | None = None, field: str | None = None, **more: Any):
        self.layer, self.field = layer, field
        super().__init__(fact, **{"where": ".".join(filter(None, (layer, field))) or "the document", **more})


ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MONITOR = re.compile(r"[a-z][a-z0-9_]{0,99}")
_SEEDS = 2**31 - 1


def shown(value: object) -> str:
    """A value for a message: short, whatever it is."""
    if isinstance(value, str):
        return repr(clean(value[:60], 40))
    if isinstance(value, (list, tuple, dict)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    return clean(repr(value) if value is None or isinstance(value, (bool, int, float)) else f"a {type(value).__name__}", 60)


class _Place:
    """Where in the document a value stands, for the errors."""

    def __init__(self, layer: str | None = None, *path: str):
        self.layer, self.path = layer, path

    def __truediv__(self, name: str) -> _Place:
        return _Place(self.layer, *self.path, name)

    def error(self, fact: str, value: object = ..., **more: Any) -> DocumentError:
        given = {} if value is ... else {"received": shown(value)}
        return DocumentError(fact, layer=self.layer, field=".".join(self.path) or None, **{**given, **more})


def _mapping(value: object, place: _Place, required: Iterable[str], optional: Iterable[str] = ()) -> dict[str, Any]:
    """`value`, an object with these keys and no others."""
    name, known = (place.path[-1:] or ("document",))[0], [*required, *optional]
    if not isinstance(value, dict):
        raise place.error(f"'{name}' must be an object.", value, expected=f"an object with {', '.join(known)}")
    for key in value:
        if key not in known:
            raise place.error(f"'{name}' has a key that there is not: {shown(key)}.", fix=suggestion(shown(key).strip("'"), known))
    for key in required:
        if key not in value:
            raise place.error(f"'{name}' needs '{key}'.", fix=f"add '{key}'")
    return value


def _whole(value: object, place: _Place, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise place.error(f"'{place.path[-1]}' must be a whole number from {low:,} to {high:,}.", value, expected=f"{low:,} to {high:,}")
    return value


def _number(value: object, place: _Place, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise place.error(f"'{place.path[-1]}' must be a number from {low:g} to {high:g}.", value, expected=f"{low:g} to {high:g}")
    return value


def _text(value: object, place: _Place) -> str:
    if not isinstance(value, str) or len(value) > LIMITS["text"] or not value.isprintable():
        expected = f"at most {LIMITS['text']} characters that can be printed, in one line"
        raise place.error(f"'{place.path[-1]}' must be a short text.", value, expected=expected)
    return value


def _name(value: object, place: _Place, pattern: re.Pattern[str] = ID) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        expected = "a lowercase letter, then at most 39 lowercase letters, digits and _" if pattern is ID else f"a name of the form {pattern.pattern}"
        raise place.error(f"'{place.path[-1]}' cannot be {shown(value)}.", expected=expected)
    return value


def _one_of(value: object, place: _Place, options: Iterable[str]) -> str:
    options = list(options)
    if not isinstance(value, str) or value not in options:
        raise place.error(f"'{place.path[-1]}' cannot be {shown(value)}.", fix=suggestion(shown(value).strip("'"), options), code="KR801")
    return value


# ---- options ----
def _of_field(value: object, field: catalog.Field, place: _Place) -> Any:
    """A value for a field of the catalogue."""
    if value is None and field["optional"]:
        return None
    low = -catalog.BOUND if field["low"] is None else field["low"]
    high = catalog.BOUND if field["high"] is None else field["high"]
    match field["kind"]:
        case "boolean":
            if not isinstance(value, bool):
                raise place.error(f"'{field['name']}' must be true or false.", value, expected="true or false")
            return value
        case "choice":
            return _one_of(value, place, field["choices"])
        case "integer":
            return _whole(value, place, int(low), int(high))
        case "integers":
            if not isinstance(value, list):
                return _whole(value, place, int(low), int(high))
            if not 1 <= len(value) <= 8:
                raise place.error(f"'{field['name']}' must be a whole number, or a list of 1 to 8.", value, expected="1 to 8 whole numbers")
            return [_whole(one, place, int(low), int(high)) for one in value]
        case "number":
            return _number(value, place, low, high)
        case _:
            return _text(value, place)


def _options(value: object, fields: dict[str, catalog.Field], owner: str, place: _Place) -> dict[str, Any]:
    """The options of a layer or an optimizer: only what the catalogue has, and all that it requires."""
    if not isinstance(value, dict):
        raise place.error("'options' must be an object.", value, expected="an object")
    given = {}
    for name, one in value.items():
        if name not in fields:
            raise (place / shown(name).strip("'")).error(f"{owner} has no option {shown(name)}.", fix=suggestion(shown(name).strip("'"), fields), code="KR811")
        given[name] = _of_field(one, fields[name], place / name)
    inner = given.get("layer")
    for name, field in fields.items():
        for_it = not field["of"] or inner is None or inner in field["of"]
        if name in given and not for_it:
            raise (place / name).error(f"{inner} has no option '{name}'.", fix=f"leave '{name}' out")
        if field["required"] and for_it and name not in given:
            raise (place / name).error(f"{owner} needs the option '{name}'.", fix=f"such as {name} = {field['start']!r}", code="KR810")
    return given


def _free_options(value: object, place: _Place) -> dict[str, Any]:
    """The options of data, whose names and bounds the data sets know: here numbers, short texts, and lists of these."""
    if not isinstance(value, dict) or len(value) > LIMITS["options"]:
        raise place.error("'options' must be an object.", value, expected=f"at most {LIMITS['options']} options")
    return {_name(name, place / "options"): _free(one, place / shown(name).strip("'")) for name, one in value.items()}


def _free(value: object, place: _Place) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _number(value, place, -catalog.BOUND * 10, catalog.BOUND * 10)
    if isinstance(value, list):
        if len(value) > LIMITS["columns"] or any(isinstance(one, (list, dict)) for one in value):
            raise place.error("A list must hold numbers or short texts.", value, expected=f"at most {LIMITS['columns']} of them")
        return [_free(one, place) for one in value]
    return _text(value, place)


# ---- the parts ----
def _data(value: object) -> DataSpec:
    place = _Place(None, "data")
    given = _mapping(value, place, ("name",), ("options", "upload"))
    made = DataSpec(name=_name(given["name"], place / "name"), options=_free_options(given.get("options", {}), place))
    if (made["name"] == "upload") != ("upload" in given):
        raise place.error("The data 'upload', and no other, must say which upload it is.", expected="'name': 'upload' with 'upload': its id")
    if "upload" in given:
        made["upload"] = _name(given["upload"], place / "upload", UPLOAD)
    return made


def _layer(value: object, number: int, adversarial: bool) -> LayerSpec:
    place = _Place(None, f"layers[{number}]")
    given = _mapping(value, place, ("id",), ("type", "options", "inputs", "shares", "part"))
    id = _name(given["id"], place / "id")
    place = _Place(id)
    inputs = given.get("inputs", [])
    if not isinstance(inputs, list) or len(inputs) > LIMITS["layers"]:
        raise (place / "inputs").error("'inputs' must be a list of layers.", inputs, expected="a list of ids")
    made = LayerSpec(id=id, inputs=[_name(one, place / "inputs") for one in inputs])
    if adversarial:
        made["part"] = _one_of(given.get("part"), place / "part", ("generator", "discriminator"))
    elif "part" in given:
        raise (place / "part").error("Only an adversarial network takes parts.", fix="leave 'part' out, or make the kind 'adversarial'")
    if "shares" in given:
        if "type" in given or "options" in given:
            raise place.error("A layer that is called again must have no type or options of its own.", fix="leave them out")
        made["shares"] = _name(given["shares"], place / "shares")
        return made
    kind = given.get("type")
    if isinstance(kind, str) and kind in catalog.REFUSED:
        fact = f"{kind} is not offered: {catalog.REFUSED[kind]}."
        raise (place / "type").error(fact, fix="use the layers of the catalogue, or take the program and add it there")
    made["type"] = _one_of(kind, place / "type", ("Input", *catalog.layer_entries()))
    if made["type"] != "Input":
        made["options"] = _options(given.get("options", {}), catalog.layer_fields(made["type"]), made["type"], place)
        return made
    if made["inputs"]:
        raise (place / "inputs").error("An Input takes nothing from other layers.", fix="remove what goes into it")
    noise = made.get("part") == "generator"
    options = _mapping(given.get("options", {}), place / "options", ("size",) if noise else ())
    made["options"] = {"size": _whole(options["size"], place / "size", 1, LIMITS["units"])} if noise else {}
    return made


def _circle(start: str, inputs: dict[str, list[str]]) -> list[str]:
    """The ids along a circle through a layer, ending with it; nothing where there is none."""
    found: dict[str, str] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        for before in inputs.get(here, ()):
            if before == start:
                path = [here]
                while path[-1] != start:
                    path.append(found[path[-1]])
                return [start, *path]
            if before not in found:
                found[before] = here
                waiting.append(before)
    return []


def _layers(value: object, adversarial: bool) -> list[LayerSpec]:
    place = _Place(None, "layers")
    if not isinstance(value, list):
        raise place.error("'layers' must be a list.", value, expected="a list of layers")
    if len(value) > LIMITS["layers"]:
        raise place.error(f"The network has {len(value):,} layers; the playground takes at most {LIMITS['layers']}.", fix="remove some")
    made = [_layer(one, number, adversarial) for number, one in enumerate(value)]
    every = {layer["id"]: layer for layer in made}
    before: dict[str, LayerSpec] = {}
    for layer in made:
        place = _Place(layer["id"])
        if layer["id"] in before:
            raise (place / "id").error(f"Two layers are called '{layer['id']}'.", fix="give one of them another name")
        for one in layer["inputs"]:
            if one not in every:
                raise (place / "inputs").error(f"'{layer['id']}' takes '{one}', and there is no such layer.", fix=suggestion(one, every))
            if one not in before:
                if circle := _circle(layer["id"], {id: one["inputs"] for id, one in every.items()}):
                    raise (place / "inputs").error(f"The layers go in a circle: {' → '.join(circle[:12])}.", fix="remove one of these connections")
                raise (place / "inputs").error(f"'{layer['id']}' takes '{one}', which comes after it.", fix=f"move '{one}' before it")
            if before[one].get("part") != layer.get("part"):
                raise (place / "inputs").error(f"'{layer['id']}' takes '{one}' of the other part.", fix="connect layers of one part only")
        if "shares" in layer:
            shared = before.get(layer["shares"])
            if shared is None or shared.get("type", "Input") == "Input":
                raise (place / "shares").error(f"'{layer['shares']}' is not a layer that can be called again.", expected="a layer before it, with a type")
            if shared.get("part") != layer.get("part"):
                raise (place / "shares").error(f"'{layer['shares']}' is of the other part.", expected="a layer of the same part")
        before[layer["id"]] = layer
    return made


def _canonical(name: object) -> object:
    """The long name of a loss or metric, such as "mean_squared_error" for "mse"."""
    return to_snake_case(SHORT[name]) if isinstance(name, str) and name in SHORT else name


def _outputs(value: object) -> dict[str, OutputSpec]:
    place = _Place(None, "outputs")
    if not isinstance(value, dict) or len(value) > LIMITS["layers"]:
        raise place.error("'outputs' must be an object.", value, expected="targets by name")
    made: dict[str, OutputSpec] = {}
    for target, one in value.items():
        at = place / _name(target, place / "target")
        given = _mapping(one, at, ("loss",), ("layer", "metrics", "weight"))
        measured = given.get("metrics", [])
        if not isinstance(measured, list) or len(measured) > len(catalog.metric_entries()):
            raise (at / "metrics").error("'metrics' must be a list of names.", measured, expected="a list of names")
        loss = _one_of(_canonical(given["loss"]), at / "loss", catalog.loss_entries())
        names = [_one_of(_canonical(name), at / "metrics", catalog.metric_entries()) for name in measured]
        made[target] = OutputSpec(loss=loss, metrics=[*dict.fromkeys(names)])
        if "layer" in given:
            made[target]["layer"] = _name(given["layer"], at / "layer")
        if "weight" in given:
            made[target]["weight"] = _number(given["weight"], at / "weight", 0, 1e6)
    return made


def _training(value: object) -> TrainingSpec:
    place = _Place(None, "training")
    given = _mapping(value, place, (), ("optimizer", "epochs", "batch_size", "seed", "engine", "stop"))
    optimizer = _mapping(given.get("optimizer", {"type": "Adam"}), place / "optimizer", ("type",), ("options",))
    kind = _one_of(optimizer["type"], place / "optimizer" / "type", catalog.optimizer_entries())
    stop, rule = given.get("stop"), None
    if stop is not None:
        stop = _mapping(stop, place / "stop", ("monitor", "patience"))
        monitor = _name(stop["monitor"], place / "stop" / "monitor", _MONITOR)
        rule = StopSpec(monitor=monitor, patience=_whole(stop["patience"], place / "stop" / "patience", 0, LIMITS["epochs"]))
    return TrainingSpec(
        optimizer=OptimizerSpec(type=kind, options=_options(optimizer.get("options", {}), catalog.optimizer_fields(kind), kind, place / "optimizer")),
        epochs=_whole(given.get("epochs", 10), place / "epochs", 1, LIMITS["epochs"]),
        batch_size=_whole(given.get("batch_size", 32), place / "batch_size", 1, LIMITS["batch_size"]),
        seed=_whole(given.get("seed", 0), place / "seed", 0, _SEEDS),
        engine=_one_of(given.get("engine", "jax"), place / "engine", catalog.ENGINES),
        stop=rule,
    )


def validated(value: object) -> Document:
    """A document in full, made of a JSON value that may be anything: what may be left out has its default, short names are long ones.

    Args:
        value: What `json.loads` gave.

    Raises:
        DocumentError: It is no document, or holds what is not in the catalogue or is beyond `LIMITS`.

    Example:

    >>> document = validated({"version": 1, "data": {"name": "spiral"}, "layers": [{"id": "features", "type": "Input"}]})
    >>> document["training"]["optimizer"], document["kind"]
    ({'type': 'Adam', 'options': {}}, 'supervised')
    """
    root = _Place()
    given = _mapping(value, root, ("version", "data", "layers"), ("name", "kind", "outputs", "training", "weights"))
    if given["version"] != VERSION or isinstance(given["version"], bool):
        fact = f"The document has the version {shown(given['version'])}; this playground reads version {VERSION}."
        raise (root / "version").error(fact, fix="open it with the release of Keraunos that wrote it, or a newer one")
    kind = _one_of(given.get("kind", "supervised"), root / "kind", ("supervised", "adversarial"))
    made = Document(
        version=VERSION,
        name=_text(given.get("name", "network"), root / "name"),
        kind=kind,
        data=_data(given["data"]),
        layers=_layers(given["layers"], kind == "adversarial"),
        outputs=_outputs(given.get("outputs", {})),
        training=_training(given.get("training", {})),
    )
    if kind == "adversarial" and made["outputs"]:
        raise (root / "outputs").error("An adversarial network takes no outputs: each part is learnt from the other.", fix="make 'outputs' empty")
    if "weights" in given:
        made["weights"] = _name(given["weights"], root / "weights", UPLOAD)
    return made
