"""Models as documents: a model made in Python, or a file of one, becomes what the page shows, and what cannot be shown is named."""

from __future__ import annotations

import itertools
import json
import math
import pathlib
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

import numpy as np

from keraunos import Input, Model, layers, saving
from keraunos.core import tree
from keraunos.core.assets import assets_of, give_assets
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentTypeError, KeraunosError, ModelFileError, StateError, clean
from keraunos.core.names import names_anew, to_snake_case
from keraunos.core.scope import within
from keraunos.core.waiting import Unread
from keraunos.losses.loss import SHORT
from keraunos.models.cloning import model_from_json
from keraunos.models.functional import GraphModel
from keraunos.play import catalog, data
from keraunos.play.checking import made
from keraunos.play.document import Document, DocumentError, _options, _Place, validated
from keraunos.play.limits import LIMITS
from keraunos.saving.zipped import Archive

_OPS = {"add": "Add", "subtract": "Subtract", "multiply": "Multiply", "maximum": "Maximum", "minimum": "Minimum"}  # of tensors, which are layers too
_UNSEEN = {"name", "seed", "vocabulary_size", "build_config", "registered_name"}  # of a config: what does not change what a layer is
_TEXT = 2**22  # bytes of a model's text
_PARTS = 20  # of a layer in a config, itself included: initializers, policies, layers within
_TRAINING = {"epochs": 10, "batch_size": 32, "seed": 0}


class Note(TypedDict):
    """What of a model is not shown, and why."""

    layer: str | None
    message: str


class _Uses(NamedTuple):
    """Which data a model is for: the data's names of its inputs, and of its outputs."""

    spec: dict[str, Any]
    signature: Mapping[str, Any]
    inputs: list[str]
    targets: list[str]


def document_of(model: Any, data: Any = None) -> Document:
    """The document of a Sequential or functional model.

    Args:
        model: The model; what it is compiled with is taken over.
        data: The data of the document; by default the first of the playground's sets that fits its inputs and outputs.

    Raises:
        ArgumentTypeError: It is no model that is made of layers.
        StateError: It is not built.
        DocumentError: It is beyond what the playground takes.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8, "relu", name="hidden"), keras.layers.Dense(2, "softmax", name="kind")])
    >>> [layer["id"] for layer in document_of(model)["layers"]]
    ['features', 'hidden', 'kind']
    """
    return read(model, data)[0]


def opened(path: Any, uploads: Any = None) -> tuple[Document, list[Note]]:
    """The document of a file, and what of its model is not shown. The file is read as any that is not trusted.

    Args:
        path: The file: a model as `.keras`, the text that `model.to_json()` returned, or a document.
        uploads: Where the weights are kept, for the document to begin with them.

    Raises:
        ModelFileError: The file is damaged, holds what would run code, or is something else.
        DocumentError: It is a document that cannot be used.
    """
    with open(path, "rb") as file:
        text = file.read(_TEXT + 1)
    with backend_scope("numpy"), names_anew():
        if text[:2] == b"PK":
            with Archive(path) as archive:
                _few(archive.config)
            return read(_loaded(path), None, uploads)
        value = _json(text)
        if "class_name" not in value:
            return validated(value), []
        _few(value)
        with within(waiting=Unread("the model", 4 * LIMITS["parameters"])):  # a text has no weights: none are made
            return read(_described(value))


def _loaded(path: Any) -> Any:
    """The model of a file.

    Raises:
        ModelFileError: It cannot be read. Where `load_model` could be told to take it, which nobody can do here, there is another way.
    """
    try:
        return saving.load_model(path)
    except ModelFileError as error:
        if not re.search("safe_mode|custom_objects", str(error.fix)):
            raise
        fix = "load it in Python, where its code is: keraunos.playground(model) shows all of it but such layers"
        raise ModelFileError(error.fact, fix=fix, code=error.code) from error


def _few(config: Any) -> None:
    """Refuse a model of many more layers than are taken before it is made, which could take minutes.

    Raises:
        DocumentError: It has.
    """
    waiting, count = [config], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            count += "class_name" in value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    if count > _PARTS * LIMITS["layers"]:
        fact = f"The file describes {count:,} layers and parts of layers; the playground takes at most {LIMITS['layers']} layers."
        raise DocumentError(fact, field="layers", fix="open a smaller model, such as a part of this one")


def _described(config: dict[str, Any]) -> Any:
    """The model that a config describes.

    Raises:
        ModelFileError: It describes none.
    """
    try:
        return model_from_json(json.dumps(config))
    except KeraunosError:
        raise
    except Exception as error:  # a config may hold anything
        fact = f"The file describes a model that cannot be made: {type(error).__name__}: {error}."
        raise ModelFileError(clean(fact, 300), where="the file", fix="open what model.to_json() returned") from error


def _json(text: bytes) -> dict[str, Any]:
    """The object in the text of a file.

    Raises:
        ModelFileError: There is none.
    """
    try:
        value = json.loads(text) if len(text) <= _TEXT else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        fix = "open a .keras file, what model.to_json() returned, or what the playground saved"
        raise ModelFileError("The file is neither a model nor a network of the playground.", where="the file", fix=fix)
    return value


def read(model: Any, data: Any = None, uploads: Any = None) -> tuple[Document, list[Note]]:
    """The document of a model, and what of the model is not shown.

    Args:
        model: The model.
        data: The data of the document.
        uploads: Where the model's weights are kept, for the document to begin with them; without, it begins with new ones.

    Raises:
        ArgumentTypeError: It is no model that is made of layers.
        StateError: It is not built.
        DocumentError: It is beyond what the playground takes.
    """
    if not _is_graph(model):
        fix = "make it by keras.Sequential, or by keras.Input and calls of layers"
        raise ArgumentTypeError("Only a Sequential or functional model shows what it is made of.", where="model", received=type(model).__name__, fix=fix)
    if model.inputs is None:
        raise StateError(f"The model '{model.name}' is not built, so the shapes in it are not known.", where=model.name, fix="begin it with keras.Input(shape)")
    return _Reader(model, data, uploads).document()


def new_id(wanted: str, taken: Collection[str]) -> str:
    """An id like a name, which is not one of those that are taken."""
    plain = re.sub(r"^[^a-z]+", "", re.sub(r"[^a-z0-9_]+", "_", wanted.lower()))[:40] or "layer"
    number, found = 1, plain
    while found in taken:
        number += 1
        found = f"{plain[:36]}_{number}"
    return found


def _is_graph(model: Any) -> bool:
    """Whether a model is made of layers, and runs them as they are connected."""
    return isinstance(model, GraphModel) and type(model).call is GraphModel.call


def _call(layer: Any, kind: str, node: Any) -> tuple[list[Any], list[str]]:
    """What goes into a layer, and the names of what else it is called with."""
    given = {**dict(zip(layer.call_info.names, node.args, strict=False)), **node.kwargs}
    taken = [name for name in (("query", "value", "key") if kind == "MultiHeadAttention" else layer.call_info.names[:1]) if given.get(name) is not None]
    inputs = tree.flatten([given.pop(name) for name in taken])
    if kind == "MultiHeadAttention" and len(inputs) == 2 and inputs[0] is inputs[1]:
        inputs = inputs[:1]  # alone, it attends to itself
    return inputs, [name for name, value in given.items() if value is not None]


class _Reader:
    """A model on its way into a document.

    Args:
        model: The model.
        spec: The data of the document; None to find it.
        uploads: Where weights are kept.
    """

    def __init__(self, model: Any, spec: Any, uploads: Any):
        self.model, self.uploads = model, uploads
        self.notes: list[Note] = []
        self.whole = True  # whether the network is the model, so that its weights are of use
        self.uses = self.data_of(spec)
        self.specs: list[dict[str, Any]] = []
        self.sources: dict[int, str] = {}  # the id of the layer that gives a tensor
        self.first: dict[int, str] = {}  # the id that a layer has where it is first called
        self.read: dict[str, Any] = {}  # the model's layers, by their ids in the document

    def note(self, layer: str | None, message: str) -> None:
        """Name something that is not shown."""
        self.notes.append(Note(layer=layer, message=message))

    def name(self, wanted: str) -> str:
        """A new id like a name."""
        return new_id(wanted, {*self.uses.inputs, *(spec["id"] for spec in self.specs)})

    # ---- the whole ----
    def document(self) -> tuple[Document, list[Note]]:
        """The document, and what it lacks."""
        for tensor, name in zip(self.model.inputs, self.uses.inputs, strict=True):
            self.specs.append({"id": name, "type": "Input", "options": {}, "inputs": []})
            self.sources[id(tensor)] = name
            entry = self.uses.signature["inputs"].get(name)
            if entry is not None and not _same(tensor.shape[1:], entry["shape"]):
                self.sources[id(tensor)] = key = self.name("reshape")
                self.specs.append({"id": key, "type": "Reshape", "options": {"target_shape": list(tensor.shape[1:])}, "inputs": [name]})
                self.note(None, f"'{name}' has the shape {tuple(entry['shape'])} here; '{key}' makes it what the model takes.")
        self.walk(self.model)
        ends = [self.sources[id(tensor)] for tensor in self.model.outputs]
        training = {**_TRAINING, "optimizer": self.optimizer()}
        found = {"version": 1, "name": self.model.name[:200], "data": self.uses.spec, "layers": self.specs, "outputs": self.outputs(ends), "training": training}
        document = validated(found)
        if self.uploads is not None and self.model.weights:
            if self.whole:
                document["weights"] = self.kept(document)
            else:
                self.note(None, "The weights are not taken over: the network here is not quite the model.")
        return document, self.notes

    def data_of(self, spec: Any) -> _Uses:
        """The data that the model is for: the first set that fits, if none is given."""
        known = [{"name": entry["name"]} for entry in data.catalog() if entry["name"] != data.UPLOAD] if spec is None else [spec]
        for takes, one in itertools.product((_takes, _holds), known):
            signature = data.signature(one, self.uploads)
            inputs = _matched(self.model.inputs, self.model.input_names, signature["inputs"], takes)
            targets = _matched(self.model.outputs, self.model.output_names, signature["targets"], _gives)
            if inputs is not None and targets is not None:
                return _Uses(one, signature, inputs, targets)
        shapes = ", ".join(str(x.shape[1:]) for x in self.model.inputs)
        subject = "No data set here has" if spec is None else "The data does not have"
        fix = "choose, or upload, data that has, and name the Inputs as its inputs are named."
        self.note(None, f"{subject} inputs of the shape {shapes} and the targets that the model predicts: {fix}")
        inputs, targets = [], []
        for found, names in ((inputs, self.model.input_names), (targets, self.model.output_names)):
            for name in names:
                found.append(new_id(name, found))
        return _Uses(known[0], {"inputs": {}, "targets": {}}, inputs, targets)

    # ---- the graph ----
    def walk(self, model: Any) -> None:
        """Go through the calls of a graph whose inputs are known."""
        for node in model._order:
            layer = node.operation
            if _is_graph(layer):
                self.inner(layer, node)
            elif not isinstance(layer, layers.Layer):
                self.operation(layer, node)
            elif id(layer) in self.first:
                self.add(node, {"shares": self.first[id(layer)]}, layer.name)
            else:
                self.layer(layer, node)

    def inner(self, model: Any, node: Any) -> None:
        """Put the layers of a model that is called in another in its place."""
        given = model._match(node.args[0]) if node.args else node.inputs
        for symbol, tensor, before in zip(model.inputs, given, node.inputs, strict=True):
            known = tensor if id(tensor) in self.sources else before  # a tensor that lacks an axis of size 1, or has one too many, is brought into shape
            self.sources[id(symbol)] = self.sources[id(known)]
        self.walk(model)
        for tensor, symbol in zip(node.outputs, tree.flatten(model._outputs_structure), strict=True):
            self.sources[id(tensor)] = self.sources[id(symbol)]

    def add(self, node: Any, made: dict[str, Any], name: str, inputs: Sequence[Any] | None = None) -> str:
        """Add a layer for a call."""
        sources = [self.sources[id(x)] for x in (node.inputs if inputs is None else inputs)]
        key = self.name(name)
        self.specs.append({"id": key, **made, "inputs": sources})
        for tensor in node.outputs:
            self.sources[id(tensor)] = key
        return key

    def leave_out(self, node: Any, name: str, reason: str) -> None:
        """Let what goes into a layer go on in its place, and say why."""
        self.whole = False
        self.note(name, f"'{name}' is left out: {reason}.")
        for tensor in node.outputs:
            self.sources[id(tensor)] = self.sources[id(node.inputs[0])]

    def operation(self, operation: Any, node: Any) -> None:
        """Add an operation that there is a layer for."""
        name = operation.op.__name__ if hasattr(operation, "op") else type(operation).__name__
        alike = len(node.inputs) == len(node.args) and len({x.shape for x in node.inputs}) == 1
        if name in _OPS and alike:
            self.add(node, {"type": _OPS[name], "options": {}}, name)
        elif name in catalog.activation_entries() and len(node.args) == 1 and not node.kwargs:
            self.add(node, {"type": "Activation", "options": {"activation": name}}, name)
        else:
            self.leave_out(node, operation.name, f"it is the operation '{name}', for which there is no layer here")

    def layer(self, layer: Any, node: Any) -> None:
        """Add a layer where it is called first."""
        kind = type(layer).__name__
        if kind in catalog.REFUSED:
            return self.leave_out(node, layer.name, catalog.REFUSED[kind])
        if type(layer) is not getattr(layers, kind, None):
            return self.leave_out(node, layer.name, f"{kind} is a class of your own, whose code the page does not have")
        if kind not in catalog.layer_entries():
            return self.leave_out(node, layer.name, f"{kind} is not among the layers of the playground")
        if kind in catalog.WRAPPED and type(layer.layer).__name__ not in catalog.WRAPPED[kind][0]:
            return self.leave_out(node, layer.name, f"a {kind} of {type(layer.layer).__name__} is not among the layers of the playground")
        if len(node.outputs) > 1:
            return self.leave_out(node, layer.name, "it gives several outputs, and here each layer gives one")
        inputs, more = _call(layer, kind, node)
        for name in more:
            self.note(layer.name, f"'{layer.name}' is called with '{name}', which is not shown: it is as if it had been left out.")
        key = self.add(node, {"type": kind, "options": self.options(layer, kind, inputs[0].shape)}, layer.name, inputs)
        self.first[id(layer)], self.read[key] = key, layer
        return None

    def options(self, layer: Any, kind: str, shape: Sequence[Any]) -> dict[str, Any]:
        """The options of a layer that differ from what they are by default.

        Each is found by making layers of this kind, until one has the config that the model's layer has.
        """
        wanted = _settings(layer)
        if wanted.get("attention_axes") == list(range(1, len(shape) - 1)):  # which a layer that is built has in place of None
            wanted["attention_axes"] = None
        if not layer.weights:
            wanted.pop("trainable", None)
        inner = type(layer.layer).__name__ if kind in catalog.WRAPPED else None
        values = {**wanted, **{key.removeprefix("layer."): value for key, value in wanted.items() if key.startswith("layer.")}, "layer": inner}
        fields = [field for field in catalog.layer_fields(kind).values() if not field["of"] or inner in field["of"]]
        options = {field["name"]: next(_forms(values[field["name"]])) for field in fields if field["required"]}
        for field in fields:
            name = field["name"]
            forms = [*([] if field["required"] else [None]), *_forms(values[name])]
            tried = [{**options, name: form} if form is not None or place else options for place, form in enumerate(forms)]
            differing = [_differing(kind, some, wanted) for some in tried]
            options = tried[differing.index(min(differing, key=len))]
        for name in sorted(_differing(kind, options, wanted)):
            self.note(layer.name, f"The {name} of '{layer.name}' is not shown: it is as if it had been left out.")
        if options.get("output_mode") == "tf_idf":
            self.whole = False
            self.note(layer.name, f"The words of '{layer.name}', and how often they are, are counted anew in the data.")
        return options

    # ---- what is learnt ----
    def outputs(self, ends: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The outputs: how each target is learnt."""
        config = self.model._compile_arguments if self.model.compiled else {}
        names, found = self.model.output_names, {}
        for place, (target, end) in enumerate(zip(self.uses.targets, ends, strict=True)):
            goal = self.uses.signature["targets"].get(target)
            loss = self.loss(_part(config.get("loss"), names, place), goal, end, place)
            measured = _part(config.get("metrics"), names, place, listed=True)
            found[target] = {"loss": loss, "metrics": self.metrics(measured, goal), **({} if end == target else {"layer": end})}
            weight = _part(config.get("loss_weights"), names, place)
            if isinstance(weight, (int, float)) and weight != 1:
                found[target]["weight"] = weight
        return found

    def loss(self, given: Any, goal: Any, end: str, place: int) -> str:
        """The name of an output's loss: the model's own, or the usual one for its target."""
        name, settings = _named(given)
        last = self.model.outputs[place].shape[-1]
        if name == "categorical_crossentropy":  # of classes as vectors; here they are numbers
            name = "sparse_categorical_crossentropy"
        kinds = _kinds(goal)
        known = {loss for loss, entry in catalog.loss_entries().items() if kinds is None or kinds & set(entry["for"])}
        usual = {"classes": "sparse_categorical_crossentropy", "binary": "binary_crossentropy"}.get(
            "binary" if last == 1 and kinds and "classes" in kinds else goal["kind"] if goal else ""
        )
        if name is None or name not in known:
            chosen = usual or "mean_squared_error"
            if given is not None:
                self.note(end, f"The loss of '{end}' is {chosen} here, in place of {name or 'a function of your own'}.")
            return chosen
        if settings.get("from_logits"):
            spec, right = next(spec for spec in self.specs if spec["id"] == end), "softmax" if name.startswith("sparse") else "sigmoid"
            if spec.get("type") == "Dense" and "activation" not in spec["options"]:
                spec["options"]["activation"] = right
                self.note(end, f"The model's loss takes logits; here '{end}' has the activation {right}, and learns the same.")
        return name

    def metrics(self, given: Any, goal: Any) -> list[str]:
        """The names of an output's metrics, as far as they are for its target."""
        kinds, found = _kinds(goal), []
        for one in given if isinstance(given, list) else [] if given is None else [given]:
            name = {"acc": "accuracy", "sparse_categorical_accuracy": "accuracy", "categorical_accuracy": "accuracy", "binary_accuracy": "accuracy"}.get(
                _named(one)[0] or "", _named(one)[0]
            )
            entry = catalog.metric_entries().get(name or "")
            if entry is not None and (kinds is None or kinds & set(entry["for"])):
                found.append(entry["name"])
            else:
                self.note(None, f"The metric {name or 'of your own'} is not shown.")
        return list(dict.fromkeys(found))

    def optimizer(self) -> dict[str, Any]:
        """The optimizer, as far as it is one that can be chosen."""
        optimizer = self.model.optimizer if self.model.compiled else None
        kind = type(optimizer).__name__
        if optimizer is None:
            return {"type": "Adam", "options": {}}
        if kind not in catalog.optimizer_entries():
            self.note(None, f"The optimizer {kind} is not shown: Adam takes its place.")
            return {"type": "Adam", "options": {}}
        options, usual = {}, type(optimizer)().get_config()
        for name, value in optimizer.get_config().items():
            field = catalog.optimizer_fields(kind).get(name)
            value = float(str(np.float32(value))) if isinstance(value, float) else value
            default = float(str(np.float32(usual[name]))) if isinstance(usual.get(name), float) else usual.get(name)
            if name == "name" or value == default:
                continue
            if field is None or not isinstance(value, (bool, int, float)):
                self.note(None, f"The {name} of the optimizer is not shown.")
            else:
                options[name] = value
        return {"type": kind, "options": options}

    # ---- weights ----
    def kept(self, document: Document) -> str:
        """Keep the weights among the uploads, as those of the network of the document; the id that they are found by."""
        waiting = within(waiting=Unread("the model", 4 * LIMITS["parameters"]))  # all weights are given: none need be drawn
        with backend_scope("numpy"), names_anew(), waiting, tempfile.TemporaryDirectory() as folder:
            network = _network(document, self.uses.signature, self.model.inputs)
            for key, layer in self.read.items():
                new = network.get_layer(key)
                new.set_weights(layer.get_weights())
                give_assets(new, assets_of(layer))
            path = pathlib.Path(folder, "weights.keras")
            network.save(path)
            return self.uploads.kept(path)


def _network(document: Document, signature: Mapping[str, Any], inputs: Sequence[Any]) -> Any:
    """The network of a document, with new weights."""
    tensors: dict[str, Any] = {}
    called: dict[str, Any] = {}
    entries = iter(inputs)
    for spec in document["layers"]:
        key = spec["id"]
        if spec.get("type") == "Input":
            entry = next(entries)
            shape = signature["inputs"][key]["shape"] if key in signature["inputs"] else entry.shape[1:]
            tensors[key] = Input(tuple(shape), dtype=entry.dtype, name=key)
            continue
        owner = spec.get("shares", key)
        kind = next(other for other in document["layers"] if other["id"] == owner).get("type", "")
        if owner == key:
            called[key] = made(catalog.call_of(kind, spec.get("options", {})), name=key)
        tensors[key] = called[owner](*catalog.called_with(kind, [tensors[source] for source in spec["inputs"]]))
    ends = {output.get("layer", target) for target, output in document["outputs"].items()}
    return Model([tensors[spec["id"]] for spec in document["layers"] if spec.get("type") == "Input"], [tensors[end] for end in sorted(ends)])


# ---- configs ----
def _plain(value: Any) -> Any:
    """A config without what does not change what it describes, as JSON has it."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in _UNSEEN}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _settings(layer: Any) -> dict[str, Any]:
    """The config of a layer; what layers in it have stands beside it, as "layer.units"."""
    found = {}
    for name, value in _plain(layer.get_config()).items():
        if name in ("layer", "backward_layer"):
            found |= {f"{name}.{key}": item for key, item in value["config"].items()}
        else:
            found[name] = value
    return found


def _forms(value: Any) -> Iterator[Any]:
    """The forms that a value of a config may have in a document: an object of the library by its name, sizes that are all the same as one."""
    if isinstance(value, Mapping):
        yield to_snake_case(value.get("class_name", ""))
    elif isinstance(value, list) and value:
        pairs = [item[0] for item in value if isinstance(item, list) and len(set(item)) == 1]
        flat = pairs if len(pairs) == len(value) else value
        if len(set(map(str, flat))) == 1:
            yield flat[0]
        yield flat
    else:
        yield value


def _differing(kind: str, options: dict[str, Any], wanted: dict[str, Any]) -> set[str]:
    """Which entries of a config a layer with these options does not have; all where there is no such layer."""
    try:
        options = _options(options, catalog.layer_fields(kind), kind, _Place())
        found = _settings(made(catalog.call_of(kind, options)))
    except (KeraunosError, TypeError, ValueError):
        return set(wanted)
    return {name for name, value in wanted.items() if found.get(name) != value}


def _named(given: Any) -> tuple[str | None, dict[str, Any]]:
    """The name of a loss or metric that a model is compiled with, and its settings; no name where it is the user's own."""
    if isinstance(given, str):
        return to_snake_case(SHORT.get(given, given)), {}
    kind = given if isinstance(given, type) or not hasattr(given, "get_config") else type(given)
    if given is None or not str(kind.__module__).startswith("keraunos."):
        return None, {}
    return to_snake_case(kind.__name__), given.get_config() if kind is type(given) else {}


def _part(given: Any, names: Sequence[str], place: int, listed: bool = False) -> Any:
    """What of a setting of `compile` is for one output."""
    if isinstance(given, Mapping):
        return given.get(names[place])
    if isinstance(given, list) and not (listed and (len(names) == 1 and not any(isinstance(one, list) for one in given))):
        return given[place] if place < len(given) else None
    return given


def _kinds(goal: Any) -> set[str] | None:
    """The kinds of targets, in the catalogue's words, that a target of the data is of; None if it is not known."""
    if goal is None:
        return None
    return {"classes", "binary"} if goal["kind"] == "classes" and len(goal["classes"]) == 2 else {goal["kind"]}


# ---- data ----
def _matched(tensors: Sequence[Any], names: Sequence[str], entries: Mapping[str, Any], fits: Any) -> list[str] | None:
    """The names that the data has for the inputs or outputs of a model: by their own names, else in order; None if they do not fit."""
    if all(name in entries for name in names):
        found = list(names)
    else:
        rest, found = dict(entries), []
        for tensor in tensors:
            name = next((name for name, entry in rest.items() if fits(tensor, entry)), None)
            if name is None:
                return None
            found.append(name)
            del rest[name]
    return found if all(fits(tensor, entries[name]) for tensor, name in zip(tensors, found, strict=True)) else None


def _takes(tensor: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an input of a model is for an input of the data."""
    text = entry["dtype"] == "string"
    return (tensor.dtype == "string") == text and _same(tensor.shape[1:], entry["shape"])


def _holds(tensor: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an input of a model is for the numbers of an input of the data, in another shape."""
    sizes, own = tensor.shape[1:], entry["shape"]
    return entry["dtype"] != "string" != tensor.dtype and None not in (*sizes, *own) and math.prod(sizes) == math.prod(own)


def _gives(tensor: Any, entry: Mapping[str, Any]) -> bool:
    """Whether an output of a model is for a target of the data."""
    shape = list(tensor.shape[1:])
    if entry["kind"] == "classes":
        count = len(entry["classes"])
        return shape == [*entry["shape"], count] or (count == 2 and shape == [*entry["shape"], 1])
    return _same(shape, entry["shape"])


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))
