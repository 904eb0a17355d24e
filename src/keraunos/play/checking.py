"""What a network of a document would be, found by its shapes alone: no weights are made, nothing runs, and what does not fit is said where it is.

The layers are the library's, called on specs on the NumPy engine, with variables that wait for values (`core/waiting.py`); the messages are theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict

from keraunos import Input, Model, layers, losses, optimizers
from keraunos.core import dtypes
from keraunos.core.config import backend_scope
from keraunos.core.errors import KeraunosError, clean, suggestion
from keraunos.core.scope import within
from keraunos.core.spec import show
from keraunos.core.waiting import Unread
from keraunos.play.catalog import GROUP_OF, Call, call_of, called_with, layer_entries, layer_fields, loss_entries, metric_entries
from keraunos.play.document import Document, DocumentError, LayerSpec, OutputSpec
from keraunos.play.limits import LIMITS
from keraunos.training.checks import CROSSENTROPIES, check_function
from keraunos.training.flow import Flow


class Problem(TypedDict):
    """What keeps a network from being trained, and where it is."""

    layer: str | None
    edge: list[str] | None
    field: str | None
    message: str
    fix: str | None
    code: str | None


class LayerReport(TypedDict):
    """What a layer gives for a batch, and what it holds; without a shape where something before it, or it, does not fit."""

    shape: list[int | None] | None
    dtype: str | None
    parameters: int
    trainable: int
    error: Problem | None


class Report(TypedDict):
    """What a network would be."""

    ok: bool
    layers: dict[str, LayerReport]
    problems: list[Problem]
    parameters: int
    activations: int
    bytes: int


_CODE = re.compile(r"\bops\.|Input\(|\bx\[|return_sequences=True on|\bhelp\(")  # what a program can do, and the page cannot
Signature = Mapping[str, Any]  # what `data.signature` gives: the inputs and the targets of the data, by name


def made(call: Call, **more: Any) -> Any:
    """The layer that a call makes."""
    arguments = {name: made(value) if isinstance(value, Call) else value for name, value in call.arguments.items()}
    return getattr(layers, call.name)(**arguments, **more)


class _Network:
    """A document on its way through the layers.

    Args:
        document: The document.
        signature: What its data takes and gives.
    """

    def __init__(self, document: Document, signature: Signature):
        self.document, self.signature = document, signature
        self.by_id: dict[str, LayerSpec] = {spec["id"]: spec for spec in document["layers"]}
        self.made: dict[str, Any] = {}  # the library's layers
        self.specs: dict[str, Any] = {}  # what each gives, where that is known
        self.problems: list[Problem] = []
        self.reports: dict[str, LayerReport] = {}

    def add(
        self, message: str, fix: str | None, layer: str | None = None, field: str | None = None, edge: list[str] | None = None, code: str | None = None
    ) -> None:
        """Note a problem, and with its layer, which has one at most."""
        problem = Problem(layer=layer, edge=edge, field=field, message=message, fix=fix, code=code)
        self.problems.append(problem)
        if layer in self.reports and self.reports[layer]["error"] is None:
            self.reports[layer]["error"] = problem

    def kind(self, id: str) -> str:
        """The type of a layer, or of the one that it calls again."""
        spec = self.by_id[id]
        return spec["type"] if "type" in spec else self.kind(spec.get("shares", ""))

    def field(self, id: str, *names: str) -> str | None:
        """The first of these fields that a layer has."""
        fields = {} if self.kind(id) == "Input" else layer_fields(self.kind(id))
        return next((name for name in names if name in fields), None)

    # ---- layer by layer ----
    def build(self) -> None:
        """Go through the layers in their order."""
        for id, spec in self.by_id.items():
            self.reports[id] = LayerReport(shape=None, dtype=None, parameters=0, trainable=0, error=None)
            try:
                found = self.entered(id) if self.kind(id) == "Input" else self.called(id, spec)
            except KeraunosError as error:
                self.refused(id, spec, error)
            except (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:  # what no rule of the library's foresaw
                self.add(clean(f"'{id}' cannot be built: {error}", 300), "change its options, or what goes into it", id)
            else:
                if found is not None:
                    self.specs[id] = found
                    self.reports[id]["shape"], self.reports[id]["dtype"] = list(show(found.shape)), found.dtype
        if not any(self.kind(id) == "Input" for id in self.by_id):
            names = ", ".join(f"'{name}'" for name in self.signature["inputs"])
            self.add("The network has no Input: nothing brings the data in.", f"add an Input called {names}", field="layers")

    def entered(self, id: str) -> Any:
        """What an Input brings in."""
        spec = self.by_id[id]
        if spec.get("part") == "generator":
            return Input((spec.get("options", {})["size"],), name=id)
        inputs = self.signature["inputs"]
        if id not in inputs:
            self.add(f"The data has no input '{id}'.", f"call it {' or '.join(map(repr, inputs))}", id, "id")
            return None
        return Input(tuple(inputs[id]["shape"]), dtype=inputs[id]["dtype"], name=id)

    def called(self, id: str, spec: LayerSpec) -> Any:
        """What a layer gives; None where that cannot be known."""
        kind, sources = self.kind(id), spec["inputs"]
        if "type" in spec:  # refused options are said even where nothing goes in
            self.made[id] = made(call_of(kind, spec.get("options", {})), name=id)
        if not self.counted(id, kind, sources) or not all(one in self.specs for one in sources):
            return None
        layer = self.made.get(spec.get("shares", id))
        if layer is None:
            return None
        if not self.taken(id, kind, sources):
            return None
        found = layer(*called_with(kind, [self.specs[one] for one in sources]))
        if kind == "TextVectorization" and show(found.shape)[-1] is None and layer.output_mode != "int":
            fact = f"How many numbers '{id}' gives is not known before it has seen the texts."
            self.add(fact, "set max_tokens, and pad_to_max_tokens to true", id, "pad_to_max_tokens")
            return None
        if "type" in spec:
            report, held = self.reports[id], [(math.prod(weight.shape), weight.trainable) for weight in layer.weights]
            report["parameters"], report["trainable"] = sum(n for n, _ in held), sum(n for n, trainable in held if trainable)
        return found

    def taken(self, id: str, kind: str, sources: Sequence[str]) -> bool:
        """Whether what goes into a layer is texts, whole numbers or numbers, as it needs."""
        for one in sources:
            dtype = self.specs[one].dtype
            if kind == "TextVectorization" and dtype != "string":
                fact, fix = f"'{id}' ({kind}) takes texts, and '{one}' gives numbers.", "remove it, or choose data with texts"
            elif kind != "TextVectorization" and dtype == "string":
                fact, fix = f"'{id}' ({kind}) takes numbers, and '{one}' gives texts.", f"put TextVectorization between '{one}' and '{id}'"
            elif kind == "Embedding" and "int" not in dtype:
                fact, fix = f"'{id}' ({kind}) takes whole numbers, and '{one}' gives {dtype}.", "use a Dense layer for measurements"
            else:
                continue
            self.add(fact, fix, id, edge=[one, id], code="KR207" if "texts" in fact else "KR205")
            return False
        source = self.made.get(self.by_id[sources[0]].get("shares", sources[0]))
        if kind == "Embedding" and isinstance(source, layers.TextVectorization):
            rows, words = self.made[self.by_id[id].get("shares", id)].input_dim, source.max_tokens
            if words is None or words > rows:
                fact = f"'{sources[0]}' can give any number" + (f" below {words:,}" if words else "") + f", and '{id}' has {rows:,} rows."
                self.add(fact, f"set max_tokens of '{sources[0]}' to {rows}", id, "input_dim", [sources[0], id], "KR205")
        return True

    def counted(self, id: str, kind: str, sources: Sequence[str]) -> bool:
        """Whether a layer has as many inputs as it takes."""
        several = layer_entries()[kind]["inputs"] == "several"
        if not sources:
            self.add(f"Nothing goes into '{id}'.", "connect a layer to it", id, "inputs")
        elif not several and len(sources) > 1:
            fix = "join them before it, by Concatenate or Add"
            self.add(f"'{id}' ({kind}) takes one input, and {len(sources)} go into it.", fix, id, "inputs", [sources[1], id])
        elif several and len(sources) == 1 and kind != "MultiHeadAttention":
            self.add(f"'{id}' ({kind}) joins several inputs, and one goes into it.", "connect another layer to it", id, "inputs")
        elif len(sources) > (least := {"Subtract": 2, "Dot": 2, "MultiHeadAttention": 3}.get(kind, len(sources))):
            self.add(f"'{id}' ({kind}) takes {least} inputs, and {len(sources)} go into it.", "remove a connection", id, "inputs", [sources[least], id])
        else:
            return True
        return False

    def refused(self, id: str, spec: LayerSpec, error: KeraunosError) -> None:
        """Note what the library says of a layer: with the field, or the connection, that it is about."""
        fields = layer_fields(self.kind(id))
        field = _named(error, fields)
        if field is None and error.code == "KR100":  # sizes, of which the first that the layer has is the likeliest
            field = next((name for name, one in fields.items() if one["kind"] == "integers"), None)
        edge = None
        if id in self.made or "shares" in spec:
            shapes = {one: show(self.specs[one].shape) for one in spec["inputs"]}
            odd = next((one for one, shape in shapes.items() if shape != next(iter(shapes.values()))), spec["inputs"][-1])
            edge = [odd, id]
        fix = error.fix or (f"expected: {error.expected}" if error.expected else None)
        if edge is not None and self.specs[edge[0]].dtype.startswith("int"):
            fix = f"put Embedding between '{edge[0]}' and '{id}', which makes vectors of whole numbers"
        elif GROUP_OF[self.kind(id)] == "merging" and edge is not None:
            fix = f"bring the inputs to one shape: put Reshape, Flatten, pooling or a Dense layer before '{id}'"
        elif fix is not None and _CODE.search(fix):
            fix = f"put Reshape before '{id}', to shape what goes in" if edge is not None else None
        fact = error.fact
        for inner in self.made[id]._flatten_layers() if id in self.made else ():
            fact = fact.replace(f"'{inner.name}'", f"'{id}'")
        self.add(clean(fact, 400), None if fix is None else clean(fix, 300), id, field, edge, error.code)

    # ---- sizes ----
    def measure(self) -> tuple[int, int, int]:
        """The parameters, the numbers that all layers give for a sample, and the bytes of the weights; those beyond a limit are a problem."""
        totals = {"parameters": 0, "activations": 0}
        for id, report in self.reports.items():
            given = {"parameters": report["parameters"], "activations": math.prod(d for d in (report["shape"] or [0])[1:] if d is not None)}
            if report["shape"] is None:
                given["activations"] = 0
            for what, words in (("parameters", "parameters"), ("activations", "numbers for each sample")):
                before, totals[what] = totals[what], totals[what] + given[what]
                if before <= LIMITS[what] < totals[what]:
                    fact = f"With '{id}' the network has {totals[what]:,} {words}; the playground takes at most {LIMITS[what]:,}."
                    field = self.field(id, "units", "filters", "output_dim", "n", "size", "key_dim")
                    self.add(fact, "make it smaller, or put pooling or a smaller layer before it", id, field, code="KR710")
        held = [weight for layer in self.made.values() for weight in layer.weights]
        return totals["parameters"], totals["activations"], sum(math.prod(w.shape) * dtypes.BITS[w.dtype] // 8 for w in held)

    def check_optimizer(self) -> None:
        """The options of the optimizer must go together."""
        spec = self.document["training"]["optimizer"]
        try:
            getattr(optimizers, spec["type"])(**spec["options"])
        except KeraunosError as error:
            field = _named(error, spec["options"])
            self.add(error.fact, error.fix or error.expected, field=f"training.optimizer{'.' if field else ''}{field or ''}", code=error.code)

    # ---- outputs ----
    def finish(self) -> None:
        """Compare what the network gives with what is to be learnt."""
        if self.document["kind"] == "adversarial":
            return self.check_parts()
        outputs, targets = self.document["outputs"], self.signature["targets"]
        if not outputs:
            name = next(iter(targets), "the target")
            self.add("The network has no output: nothing says what it learns.", f"call the last layer '{name}', and choose a loss for it", field="outputs")
            return None
        ends: dict[str, str] = {}
        for target, output in outputs.items():
            id = output.get("layer", target)
            if target not in targets:
                self.add(f"The data has no target '{target}'.", suggestion(target, targets), field=f"outputs.{target}")
            elif id not in self.by_id:
                fact = f"No layer predicts '{target}': there is none called '{id}'."
                self.add(fact, f"call the layer that predicts it '{id}', or choose another", field=f"outputs.{target}")
            elif self.kind(id) == "Input":
                self.add(f"'{id}' is what goes in, and '{target}' is to be predicted.", "choose a layer after it", id, f"outputs.{target}")
            else:
                ends[target] = id
        if len(ends) == len(outputs):
            if not self.problems:
                self.check_ends(ends.values())
            known = {target: id for target, id in ends.items() if id in self.specs}
            functions = self.functions(known.values())
            for target, id in known.items():
                self.check_output(target, id, outputs[target], functions.get(id))
        names = ["loss"]
        for target, output in outputs.items():
            names += output["metrics"] if len(outputs) == 1 else [f"{target}_{name}" for name in ("loss", *output["metrics"])]
        self.check_stop([*(f"val_{name}" for name in names), *names])
        return None

    def check_ends(self, ends: Iterable[str]) -> None:
        """Each layer must lead to one of these."""
        used, waiting = set(), list(ends)
        while waiting:
            id = waiting.pop()
            if id not in used:
                used.add(id)
                waiting += self.by_id[id]["inputs"]
        for id in self.by_id:
            if id not in used:
                self.add(f"What '{id}' gives is not used.", "connect it to a layer that leads to an output, or remove it", id)

    def functions(self, ends: Iterable[str]) -> dict[str, str | None]:
        """The function that each of these layers' outputs went through last, where the library knows it."""
        ends = list(dict.fromkeys(ends))
        if not ends or len(self.specs) < len(self.by_id) or self.problems:
            return {}
        model = Model([spec for id, spec in self.specs.items() if self.kind(id) == "Input"], [self.specs[id] for id in ends])
        flow = Flow.of(model)
        return {} if flow is None else {id: function for id, (_, function, _) in zip(ends, flow.last, strict=True)}

    def check_output(self, target: str, id: str, output: OutputSpec, function: str | None) -> None:
        """The shape, the loss and the metrics of an output must be those that its target needs."""
        goal, place = self.signature["targets"][target], f"outputs.{target}"
        shape, loss = self.reports[id]["shape"] or [None], output["loss"]
        classes = len(goal["classes"]) if goal["kind"] == "classes" else 0
        own = [d for d in goal["shape"] if d is not None]
        kinds = {"classes", "binary"} if classes == 2 else {goal["kind"]}
        words = {"classes": f"{classes} classes", "number": "a number", "input": "the input itself"}[goal["kind"]]
        if not kinds & set(loss_entries()[loss]["for"]):
            fix = f"use {_first(loss_entries(), kinds)}"
            self.add(f"The loss '{loss}' is not for the target '{target}', which is {words}.", fix, id, f"{place}.loss", code="KR301")
            return
        if goal["kind"] == "input":
            wanted = list(self.signature["inputs"][goal["of"]]["shape"])
        elif goal["kind"] == "number":
            wanted = own or [1]
        else:
            wanted = [*own, classes if loss == "sparse_categorical_crossentropy" else 1]
        if shape[1:] != wanted:
            self.misshapen(target, id, shape[1:], wanted, words, loss)
            return
        try:
            if isinstance(own_loss := losses.as_loss(loss), CROSSENTROPIES):
                check_function(own_loss, function, id)
        except KeraunosError as error:
            right = "softmax" if loss.startswith("sparse") else "sigmoid"
            self.add(error.fact, f"set the activation of '{id}' to {right}", id, self.field(id, "activation"), code=error.code)
        shown = kinds if goal["kind"] != "classes" else {"classes" if wanted[-1] > 1 else "binary"}
        for metric in output["metrics"]:
            if not shown & set(metric_entries()[metric]["for"]):
                fact = f"The metric '{metric}' is not for the target '{target}', which is {words}" + (
                    " with one output for each." if "classes" in shown else "."
                )
                self.add(fact, f"use {_first(metric_entries(), shown)}", id, f"{place}.metrics", code="KR302")

    def misshapen(self, target: str, id: str, given: Sequence[Any], wanted: Sequence[Any], words: str, loss: str) -> None:
        """Note an output of another shape than its target needs."""
        fact = f"'{id}' gives {_sizes(given)} for each sample; the target '{target}' is {words}, and the loss '{loss}' needs {_sizes(wanted)}."
        field = self.field(id, "units", "filters")
        if len(given) == len(wanted) and list(given[:-1]) == list(wanted[:-1]):
            fix = f"set {field} of '{id}' to {wanted[-1]}" if field else f"end with {_ending(wanted[-1:])}"
        elif len(given) > len(wanted):
            fix, field = "put Flatten or a global pooling layer before it", None
        else:
            fix, field = f"end with {_ending(wanted)}", None
        self.add(fact, fix, id, field, code="KR302")

    def check_stop(self, names: Sequence[str]) -> None:
        """What is watched must be one of what is measured."""
        stop = self.document["training"]["stop"]
        if stop is not None and stop["monitor"] not in names:
            self.add(f"Nothing called '{stop['monitor']}' is measured.", suggestion(stop["monitor"], names), field="training.stop.monitor", code="KR502")

    def check_parts(self) -> None:
        """The generator must give what the discriminator takes, and that one number."""
        parts = {part: [id for id, spec in self.by_id.items() if spec.get("part") == part] for part in ("generator", "discriminator")}
        for part, ids in parts.items():
            entries = [id for id in ids if self.kind(id) == "Input"]
            if len(entries) != 1 or len(ids) < 2:
                self.add(f"The {part} must have one Input and at least one layer after it.", f"add them to the {part}", field="layers")
        self.check_stop([*parts])
        if self.problems:
            return
        last, judge = parts["generator"][-1], parts["discriminator"][-1]
        self.check_ends((last, judge))
        entry = next(id for id in parts["discriminator"] if self.kind(id) == "Input")
        wanted = list(self.signature["inputs"][entry]["shape"])
        given = (self.reports[last]["shape"] or [])[1:]
        if given != wanted:
            fact = f"The generator's '{last}' gives {_sizes(given)} for each sample; '{entry}', which it imitates, has {_sizes(wanted)}."
            self.add(fact, f"end the generator with {_ending(wanted)}", last, code="KR302")
        if (self.reports[judge]["shape"] or [])[1:] != [1]:
            fact = f"The discriminator's '{judge}' must give one number, whether a sample is real."
            self.add(fact, "end the discriminator with a Dense layer of 1 unit", judge, self.field(judge, "units"), code="KR302")
        elif self.functions((judge,)).get(judge, "linear") != "linear":
            fact = f"The discriminator's '{judge}' must have no activation: its loss is of logits."
            self.add(fact, f"set the activation of '{judge}' to linear", judge, self.field(judge, "activation"), code="KR301")


def _named(error: KeraunosError, fields: Iterable[str]) -> str | None:
    """The field that an error names first."""
    told = f"{error.fact} {error.where or ''} {error.received or ''}"
    found = {name: at.start() for name in fields if name != "layer" and (at := re.search(rf"\b{name}\b(?!\()", told))}
    return min(found, key=lambda name: found[name]) if found else None


def _sizes(shape: Sequence[Any]) -> str:
    """A shape of a sample in words."""
    if len(shape) == 1 and shape[0] is not None:
        return "1 number" if shape[0] == 1 else f"{shape[0]:,} numbers"
    return " × ".join("?" if d is None else str(d) for d in shape) or "nothing"


def _ending(shape: Sequence[int]) -> str:
    """The last layers of a network that gives a shape."""
    return f"a Dense layer of {math.prod(shape):,} units" + (f", then Reshape to {list(shape)}" if len(shape) > 1 else "")


def _first(entries: Mapping[str, Any], kinds: set[str]) -> str:
    """The name that is offered first for one of these kinds of targets."""
    return next(f"'{name}'" for name, entry in entries.items() if kinds & set(entry["for"]))


def check(document: Document, signature: Signature) -> Report:
    """What a network would be: shapes, parameters, and what does not fit.

    Args:
        document: A document, validated.
        signature: What its data takes and gives, as `data.signature` says it.

    Example:

    >>> from keraunos.play.document import validated
    >>> layers = [{"id": "x", "type": "Input"}, {"id": "y", "type": "Conv2D", "options": {"filters": 4, "kernel_size": 3}, "inputs": ["x"]}]
    >>> document = validated({"version": 1, "data": {"name": "plane"}, "layers": layers, "outputs": {"y": {"loss": "mse"}}})
    >>> signature = {"inputs": {"x": {"shape": [2], "dtype": "float32"}}, "targets": {"y": {"kind": "number", "classes": None, "shape": [1]}}}
    >>> problem = check(document, signature)["problems"][0]
    >>> problem["message"], problem["edge"]
    ("'y' (Conv2D) cannot take an input of 2 axes.", ['x', 'y'])
    """
    network = _Network(document, signature)
    with backend_scope("numpy"), within(waiting=Unread("the network", 4 * LIMITS["parameters"])):
        network.build()
        parameters, activations, size = network.measure()
        network.check_optimizer()
        network.finish()
    problems = network.problems
    return Report(ok=not problems, layers=network.reports, problems=problems, parameters=parameters, activations=activations, bytes=size)


def require(document: Document, signature: Signature) -> Report:
    """The report of a network that is to be trained.

    Args:
        document: A document, validated.
        signature: What its data takes and gives.

    Raises:
        DocumentError: It cannot be trained: the first of its problems.
    """
    report = check(document, signature)
    for problem in report["problems"]:
        raise DocumentError(problem["message"], layer=problem["layer"], field=problem["field"], fix=problem["fix"], code=problem["code"])
    return report
