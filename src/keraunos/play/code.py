"""A document as the Python program that a worker runs, that the page shows, and that a person takes home.

The text is laid out as `ruff format` would lay it out, in lines of 88 columns. What comes from a document is written as a literal or is one of
the names of the catalogue: nothing of it is ever a part of the program itself.
"""

from __future__ import annotations

import inspect
import itertools
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from keraunos import layers
from keraunos.core.errors import suggestion
from keraunos.play import data
from keraunos.play.catalog import ENGINES, Call, call_of, called_with
from keraunos.play.document import Document, DocumentError, validated
from keraunos.play.layout import WIDTH, Group, literal
from keraunos.saving import inspecting

_TAKEN = {"keras", "layers", "model", "l"}  # what a network's function calls by these names; "l" looks like 1
_ADAPTED = {"Normalization", "TextVectorization"}


def _arguments(settings: Mapping[str, Any]) -> list[str]:
    return [f"{name}={literal(value)}" for name, value in settings.items()]


def _keyed(name: str, items: Mapping[str, str]) -> Group:
    """A dict with texts as keys, as an argument."""
    return Group(f"{name}={{", [f"{literal(key)}: {value}" for key, value in items.items()], "}")


def names(document: Document) -> dict[str, str]:
    """The variable that stands for each layer's output in the program, by the layer's id."""
    found: dict[str, str] = {}
    for layer in document["layers"]:
        name = layer["id"]
        while keyword.iskeyword(name) or name in _TAKEN or name in found.values():
            name += "_"
        found[layer["id"]] = name
    return found


# ---- layers ----
def _made(call: Call, name: str | None = None) -> Group:
    """The call that makes a layer: what it needs first stands by its place, all else by its name."""
    first = next(iter(inspect.signature(getattr(layers, call.name)).parameters.values()))
    placed = first.default is inspect.Parameter.empty and first.name in call.arguments
    arguments = dict(sorted(call.arguments.items(), key=lambda item: item[0] != first.name)) if placed else call.arguments
    written = [_argument("" if placed and key == first.name else f"{key}=", value) for key, value in arguments.items()]
    return Group(f"layers.{call.name}(", [*written, *([] if name is None else [f"name={literal(name)}"])], ")")


def _argument(begin: str, value: Any) -> Group | str:
    if not isinstance(value, Call):
        return begin + literal(value)
    made = _made(value)
    return Group(begin + made.begin, made.items, made.end)


def _input(name: str, shape: Sequence[int | None], dtype: str) -> Group:
    return Group("keras.Input(", [literal(shape), f"name={literal(name)}", *([] if dtype == "float32" else [f"dtype={literal(dtype)}"])], ")")


def _of(kind: str, sources: Sequence[str]) -> Group:
    """The brackets in which a layer is called on what it takes."""
    return Group("(", [Group("[", x, "]") if isinstance(x, list) else x for x in called_with(kind, sources)], ")")


def _called(begin: str, made: Group, of: Group) -> Iterator[str]:
    """The line, or lines, on which a layer is made and called."""
    whole = Group(begin + (made.flat() or "") + of.begin, of.items, of.end)
    if len("    " + (whole.flat() or "")) <= WIDTH:
        yield from whole.lines(1)
        return
    *lines, last = Group(begin + made.begin, made.items, made.end, broken=True).lines(1)
    yield from lines
    yield from Group(last.strip() + of.begin, of.items, of.end).lines(1)


def _kept(network: Sequence[Any], outputs: Iterable[str]) -> list[Any]:
    """The layers of a network that its outputs need."""
    needed = set(outputs)
    for layer in reversed(network):
        if layer["id"] in needed:
            needed.update(layer["inputs"])
    return [layer for layer in network if layer["id"] in needed]


def _is_chain(network: Sequence[Any]) -> bool:
    """Whether each layer takes what the one before it gives, and nothing else."""
    return all(
        "shares" not in layer and layer["inputs"] == [before["id"]] and called_with(layer["type"], "x") == ("x",)
        for before, layer in itertools.pairwise(network)
    )


class _Writer:
    """What is needed to write the functions of one document's program."""

    def __init__(self, document: Document, uploads: Any, home: bool):
        self.document: Any = document
        self.variables = names(document)
        self.types = {layer["id"]: layer["type"] for layer in document["layers"] if "type" in layer}
        self.signature = data.signature(self.document["data"], uploads)
        self.source = data.source(self.document["data"], uploads, home)
        self.file = self.weights(uploads)
        self.begun = None if self.file is None else self.file.home if home else self.file.path.name
        self.training = self.document["training"]
        self.name = re.sub(r"[^a-z0-9]+", "_", document["name"].lower()).strip("_")[:40] or "network"
        self.outputs = {target: output.get("layer", target) for target, output in self.document["outputs"].items()}
        self.check()

    def check(self) -> None:
        """Refuse what is no whole network for its data.

        Raises:
            DocumentError: An input or a target is not one of the data, nothing goes into a layer, an output is none of the layers, or nothing is learnt.
        """
        adversarial, inputs, targets = self.document["kind"] == "adversarial", self.signature["inputs"], self.signature["targets"]
        for layer in self.document["layers"]:
            key = layer["id"]
            if layer.get("type") != "Input" and not layer["inputs"]:
                raise DocumentError(f"Nothing goes into '{key}'.", layer=key, field="inputs", fix="connect a layer to it")
            if layer.get("type") == "Input" and key not in inputs and layer.get("part") != "generator":
                raise DocumentError(f"The data has no input '{key}'.", layer=key, fix=suggestion(key, inputs))
        for target, key in self.outputs.items():
            if target not in targets:
                raise DocumentError(f"The data has no target '{target}'.", field=f"outputs.{target}", fix=suggestion(target, targets))
            if key not in self.variables:
                fact = f"No layer is called '{key}', which is to predict '{target}'."
                raise DocumentError(fact, field=f"outputs.{target}", fix=suggestion(key, self.variables))
        lacking = [part for part in _PARTS if not any(layer.get("part") == part for layer in self.document["layers"])]
        if adversarial and lacking:
            raise DocumentError(f"The network has no {lacking[0]}.", field="layers", fix="give both parts an Input and layers")
        shown = [layer["id"] for layer in self.document["layers"] if layer.get("type") in _ADAPTED]
        if adversarial and shown:
            raise DocumentError(f"'{shown[0]}' must see the data first, which two networks that play do not do.", layer=shown[0], fix="use BatchNormalization")
        if adversarial and self.file is not None:
            raise DocumentError("Two networks that play begin with new weights.", field="weights", fix="leave them out")
        if not adversarial and not self.outputs:
            raise DocumentError("The network learns nothing.", field="outputs", fix=f"name the layer that predicts a target: {', '.join(targets)}")

    # ---- the network ----
    def network(self, network: Sequence[Any], outputs: Mapping[str, str], name: str) -> Iterator[str]:
        """The lines that make `model` of layers; with several outputs, it gives them by their names."""
        network = _kept(network, outputs.values())
        if len(outputs) == 1 and _is_chain(network):
            chain = [self.begin(layer) if layer["type"] == "Input" else self.made(layer) for layer in network]
            yield from Group("model = keras.Sequential(", [Group("[", chain, "]", broken=True), f"name={literal(name)}"], ")").lines(1)
            return
        shared: dict[str, str] = {}
        for owner in dict.fromkeys(layer["shares"] for layer in network if "shares" in layer):
            shared[owner] = f"shared_{owner[:24]}"
            while shared[owner] in self.variables.values() or list(shared.values()).count(shared[owner]) > 1:
                shared[owner] += "_"
        there = {layer["id"] for layer in network}
        for layer in network:
            key, variable = layer["id"], self.variables[layer["id"]]
            owner = layer.get("shares", key)
            kind = self.types[owner]
            if kind == "Input":
                made = self.begin(layer)
                yield from Group(f"{variable} = {made.begin}", made.items, made.end).lines(1)
                continue
            of = _of(kind, [self.variables[source] for source in layer["inputs"]])
            if owner in shared:
                if owner == key or owner not in there:
                    there.add(owner)
                    original = next(other for other in self.document["layers"] if other["id"] == owner)
                    new = self.made(original)
                    yield from Group(f"{shared[owner]} = {new.begin}", new.items, new.end).lines(1)
                yield from Group(f"{variable} = {shared[owner]}{of.begin}", of.items, of.end).lines(1)
            else:
                yield from _called(f"{variable} = ", self.made(layer), of)
        inputs = [self.variables[layer["id"]] for layer in network if self.types.get(layer["id"]) == "Input"]
        ends = {target: self.variables[key] for target, key in outputs.items()}
        first = Group("[", inputs, "]") if len(inputs) > 1 else inputs[0]
        last = Group("{", [f"{literal(target)}: {variable}" for target, variable in ends.items()], "}") if len(ends) > 1 else next(iter(ends.values()))
        yield from Group("model = keras.Model(", [first, last, f"name={literal(name)}"], ")").lines(1)

    def begin(self, layer: Any) -> Group:
        """The input of the network that a layer of type Input is."""
        if layer.get("part") == "generator":
            return _input(layer["id"], [layer["options"]["size"]], "float32")
        of = self.signature["inputs"][layer["id"]]
        return _input(layer["id"], of["shape"], of["dtype"])

    def made(self, layer: Any) -> Group:
        """The call that makes a layer."""
        return _made(call_of(layer["type"], layer["options"]), layer["id"])

    # ---- the functions ----
    def build(self) -> list[str]:
        """The function `build_model`."""
        body = ['    """The network, ready to be trained."""', *self.seeded(), *self.network(self.document["layers"], self.outputs, self.name)]
        return ["def build_model():", *body, *self.learnt(), *self.compiled(), "    return model"]

    def seeded(self) -> list[str]:
        return [f"    keras.utils.set_random_seed({literal(self.training['seed'])})  # the same weights and batches each time"]

    def optimizer(self) -> Group:
        """The call that makes the optimizer."""
        chosen = self.training["optimizer"]
        return Group(f"keras.optimizers.{chosen['type']}(", _arguments(chosen["options"]), ")")

    def compiled(self) -> Iterator[str]:
        """The call that says what is made small, how, and what is measured."""
        outputs = self.document["outputs"]
        measured = {target: f"[{', '.join(map(literal, output['metrics']))}]" for target, output in outputs.items() if output.get("metrics")}
        weights = {target: literal(output.get("weight", 1.0)) for target, output in outputs.items()}
        optimizer = self.optimizer()
        items: list[Group | str] = [Group(f"optimizer={optimizer.begin}", optimizer.items, optimizer.end)]
        if len(outputs) > 1:
            items.append(_keyed("loss", {target: literal(output["loss"]) for target, output in outputs.items()}))
            items += [_keyed("loss_weights", weights)] if set(weights.values()) != {"1.0"} else []
            items += [_keyed("metrics", measured)] if measured else []
        else:
            items += [f"loss={literal(output['loss'])}" for output in outputs.values()]
            items += [f"loss_weights=[{weight}]" for weight in weights.values() if weight != "1.0"]
            items += [f"metrics={listed}" for listed in measured.values()]
        yield from Group("model.compile(", items, ")").lines(1)

    def load(self) -> list[str]:
        """The function `load_data`."""
        body = [f"    {line}" if line.strip() else "" for line in self.source.strip("\n").split("\n")]
        return ["def load_data():", '    """The data: `(x_train, y_train), (x_test, y_test)`."""', *body]

    # ---- what layers know already ----
    def weights(self, uploads: Any) -> Any:
        """The upload of the weights that the network begins with, if it has one.

        Raises:
            DocumentError: There is no such file here, or it is of something else.
        """
        if "weights" not in self.document:
            return None
        found = None if uploads is None else uploads.get(self.document["weights"])
        if found is None or found.kind != "model":
            raise DocumentError("The weights that the network begins with are not here.", field="weights", fix="open the model's file again")
        return found

    def learnt(self) -> Iterator[str]:
        """The lines that give layers what they have learnt before."""
        if self.file is None:
            return
        yield "    # Layers begin with what they learnt before, where they are as they were."
        yield from Group("learnt = keras.saving.load_model(", [literal(self.begun)], ")").lines(1)
        yield "    learnt = {layer.name: layer for layer in learnt.layers}"
        yield "    for layer in model.layers:"
        yield "        weights = learnt[layer.name].get_weights() if layer.name in learnt else []"
        yield "        if [w.shape for w in weights] == [w.shape for w in layer.get_weights()]:"
        yield "            layer.set_weights(weights)"
        for layer in self.adapted():
            if layer["type"] == "TextVectorization" and layer["id"] in self.known():
                name = literal(layer["id"])
                yield f"    words = learnt[{name}].get_vocabulary()"
                yield f"    model.get_layer({name}).set_vocabulary(words)"

    def known(self) -> set[str]:
        """The layers that the file of weights has."""
        return set() if self.file is None else {row["name"] for row in inspecting.inspect(self.file.path)["layers"] or ()}

    def adapted(self) -> list[Any]:
        """The layers that are to see the data that they are made for."""
        return [layer for layer in _kept(self.document["layers"], self.outputs.values()) if layer.get("type") in _ADAPTED]

    def adapting(self) -> Iterator[str]:
        """The lines that let layers see the data that they are made for, unless they have."""
        for layer in self.adapted():
            if layer["id"] not in self.known():
                source, name = layer["inputs"][0], literal(layer["id"])
                x = "x_train" if self.types.get(source) == "Input" else f"before_{layer['id']}.predict(x_train, verbose=0)"
                if x != "x_train":
                    yield from Group(f"before_{layer['id']} = keras.Model(", ["model.inputs", f"model.get_layer({name}).input"], ")").lines(1)
                elif len(self.used()) > 1:
                    x = f"x_train[{literal(source)}]"
                yield from Group(f"model.get_layer({name}).adapt(", [x], ")").lines(1)

    def used(self) -> list[str]:
        """The data's inputs that the network takes."""
        return [layer["id"] for layer in _kept(self.document["layers"], self.outputs.values()) if self.types.get(layer["id"]) == "Input"]

    def chosen(self) -> Iterator[str]:
        """The lines that choose what the network takes and learns, of data that has more."""
        for letter, there, wanted in (("x", self.signature["inputs"], self.used()), ("y", self.signature["targets"], list(self.outputs))):
            if len(there) > len(wanted):
                yield f"    # Of the data, the network {'takes' if letter == 'x' else 'learns'} {' and '.join(map(literal, wanted))} only."
                for name in (f"{letter}_train", f"{letter}_test"):
                    if len(wanted) == 1:
                        yield f"    {name} = {name}[{literal(wanted[0])}]"
                    else:
                        yield from Group(f"{name} = {{", [f"{literal(key)}: {name}[{literal(key)}]" for key in wanted], "}").lines(1)

    def train(self) -> list[str]:
        """The function `train`."""
        lines = ["def train(model, data, callbacks=(), verbose=0):", '    """Train the network, and return the history of its epochs."""']
        adversarial = self.document["kind"] == "adversarial"
        if adversarial:
            lines.append("    (x_train, _), _ = data  # what each image shows is not told")
        else:
            lines += ["    (x_train, y_train), (x_test, y_test) = data", *self.chosen(), *self.adapting()]
        stop, callbacks = self.training.get("stop"), "callbacks=list(callbacks)"
        if stop:
            lines += Group("stop = keras.callbacks.EarlyStopping(", _arguments({"monitor": stop["monitor"], "patience": stop["patience"]}), ")").lines(1)
            callbacks = "callbacks=[stop, *callbacks]"
        given = ["x_train"] if adversarial else ["x_train", "y_train", "validation_data=(x_test, y_test)"]
        given += [f"epochs={literal(self.training['epochs'])}", f"batch_size={literal(self.training['batch_size'])}", callbacks, "verbose=verbose"]
        return [*lines, *Group("return model.fit(", given, ")").lines(1)]

    def main(self) -> list[str]:
        """What the program does by itself."""
        networks = ["model.generator", "model.discriminator"] if self.document["kind"] == "adversarial" else ["model"]
        lines = ["data = load_data()", "model = build_model()", *(f"{network}.summary()" for network in networks)]
        lines += ["history = train(model, data, verbose=2)", "for name, values in history.history.items():", '    print(f"{name}: {values[-1]:.4f}")']
        return [*lines, f"{networks[0]}.save({literal(f'{self.name}.keras')})"]

    # ---- the whole ----
    def title(self) -> str:
        """The document's name, as it can stand in a docstring."""
        return re.sub(r'["\\]', "'", self.document["name"]).strip(" '")[:60] or "A network"

    def imports(self) -> list[str]:
        *others, last = (name for name in ENGINES if name != self.training["engine"])
        engine = f'os.environ.setdefault("KERAUNOS_BACKEND", {literal(self.training["engine"])})  # or {", ".join(others)} or {last}'
        return ["import os", "", engine, "", "import keraunos as keras", "from keraunos import layers"]

    def sections(self) -> Iterator[tuple[str, Sequence[str]]]:
        """The functions of the program, each with what a notebook says before it."""
        yield "## The data", self.load()
        if self.document["kind"] == "adversarial":
            yield "## The two networks", [*self.part("generator"), "", "", *self.part("discriminator")]
            yield "## The game\nEach network learns by the other's mistakes.", _GAN
            yield "## Both together", self.build_game()
        else:
            yield "## The network", self.build()
        yield "## The training", self.train()

    # ---- two networks that play against each other ----
    def part(self, part: str) -> Iterator[str]:
        """The function that makes one of the two networks."""
        network = [layer for layer in self.document["layers"] if layer.get("part") == part]
        yield f"def build_{part}():"
        yield f'    """{_PARTS[part]}"""'
        yield from self.network(network, {part: network[-1]["id"]}, part)
        yield "    return model"

    def build_game(self) -> list[str]:
        """The function `build_model` of two networks."""
        optimizer = self.optimizer()
        items = [Group(f"{part}={optimizer.begin}", optimizer.items, optimizer.end) for part in _PARTS]
        lines = ["def build_model():", '    """The two networks, ready to be trained."""', *self.seeded()]
        lines += [f"    model = GAN(build_generator(), build_discriminator(), seed={literal(self.training['seed'])})"]
        return [*lines, *Group("model.compile(", items, ")").lines(1), "    return model"]


_PARTS = {"generator": "The network that makes images of noise.", "discriminator": "The network that tells real images from made ones."}
_GAN = '''
class GAN(keras.Model):
    """Two networks that play against each other, with an optimizer each."""

    def __init__(self, generator, discriminator, seed=0):
        super().__init__(name="gan")
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator(seed)
        self.crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)
        self.parts = ("discriminator", "generator")
        self.means = {part: keras.metrics.Mean(name=part) for part in self.parts}

    def compile(self, generator, discriminator):
        super().compile()
        self.optimizers = {"generator": generator, "discriminator": discriminator}

    def call(self, noise):
        return self.generator(noise)

    def train_step(self, data):
        real, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        ones = keras.ops.ones((real.shape[0], 1))
        noise = keras.random.normal(
            (real.shape[0], self.generator.input_shape[-1]), seed=self.seeds
        )

        def judged(images):  # above 0 where the discriminator takes them for real
            return self.discriminator(images, training=True)

        def deceived():  # what the discriminator makes small
            made = judged(self.generator(noise, training=True))
            # Real images count as 0.9, so that it is never too sure of itself.
            wrong = self.crossentropy(0.9 * ones, judged(real))
            return wrong + self.crossentropy(0 * ones, made)

        def found_out():  # what the generator makes small
            made = judged(self.generator(noise, training=True))
            return self.crossentropy(ones, made)

        for part, objective in zip(self.parts, (deceived, found_out), strict=True):
            variables = getattr(self, part).trainable_variables
            loss, gradients = keras.value_and_grad(objective, variables)()
            self.optimizers[part].apply(gradients, variables)
            self.means[part].update_state(loss)
        return {part: mean.result() for part, mean in self.means.items()}
'''.strip().split("\n")


def program(document: Any, uploads: Any = None, home: bool = False) -> str:
    """The program of a document: it defines `load_data()`, `build_model()` and `train(model, data, callbacks=())`, and by itself does all three.

    Args:
        document: The document.
        uploads: The files that the user sent, where the document's data is one of them.
        home: Whether it is taken home, where files have their own names; else it runs in the folder of the uploads.

    Raises:
        DocumentError: The document is not valid.
    """
    writer = _Writer(validated(document), uploads, home)
    head = [f'"""{writer.title()}: made in the playground of Keraunos."""', "", *writer.imports()]
    main = ['if __name__ == "__main__":', *(f"    {line}" for line in writer.main())]
    return "\n\n\n".join("\n".join(lines) for lines in (head, *(lines for _, lines in writer.sections()), main)) + "\n"


def notebook(document: Any, uploads: Any = None, home: bool = False) -> dict[str, Any]:
    """The program as a Jupyter notebook: what `json.dump` writes to an `.ipynb` file.

    Args:
        document: The document.
        uploads: The files that the user sent, where the document's data is one of them.
        home: Whether it is taken home, where files have their own names; else it runs in the folder of the uploads.

    Raises:
        DocumentError: The document is not valid.
    """
    writer = _Writer(validated(document), uploads, home)
    cells = [("markdown", [f"# {writer.title()}", "", "Made in the playground of Keraunos."]), ("code", writer.imports())]
    for text, lines in [*writer.sections(), ("## All of it", writer.main())]:
        cells += [("markdown", text.split("\n")), ("code", lines)]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}},
        "cells": [_cell(kind, f"cell-{number}", lines) for number, (kind, lines) in enumerate(cells)],
    }


def _cell(kind: str, key: str, lines: Sequence[str]) -> dict[str, Any]:
    source = [f"{line}\n" for line in lines[:-1]] + list(lines[-1:])
    run = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": key, "metadata": {}, **run, "source": source}
