"""What is seen inside a network: its decision boundary, what its layers make of a sample, its weights, and where it is wrong.

Arrays are sent as bytes in base64: a picture for eyes needs no more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keraunos.play.data import encoded, picture

GRID = 60  # points of the plane, in each direction
TILES = 24_000  # bytes of the small maps of neurons, all together
MAPS = 100_000  # bytes of activations, all together
NEURONS = 16  # of a layer, shown over the plane
SIDE = 32  # pixels of a map's side
TESTED = 2000  # samples of the test data that are judged
CLASSES = 50  # in the table of which is taken for which: those that are confused most
WRONG, PICTURES = 24, 24
SAMPLES = 256  # of the training data, for the gradients
BINS = 30
MARGIN = 0.15  # of the plane, beside the points


def signed(values: Any, scale: float | None = None) -> tuple[str, float]:
    """Numbers as bytes of which 128 is zero, and the number that is 127 above it."""
    values = np.nan_to_num(np.asarray(values, "float64"), posinf=0.0, neginf=0.0)
    scale = float(np.abs(values).max(initial=0.0)) if scale is None else scale
    return encoded(np.clip(np.round(128 + 127 * values / (scale or 1.0)), 1, 255)), float(f"{scale:.4g}")


def number(value: Any) -> float | None:
    """A number with the digits that are read; None where it is not finite."""
    value = float(value)
    return float(f"{value:.4g}") if math.isfinite(value) else None


class Looker:
    """Looks inside one model.

    Args:
        model: The model.
        data: `(x_train, y_train), (x_test, y_test)`.
        document: The network as it was described.
        targets: What the data says of its targets.
        inputs: What the data says of its inputs.
    """

    def __init__(self, model: Any, data: Any, document: Any, targets: Any, inputs: Any):
        self.model, self.document, self.targets, self.inputs = model, document, targets, inputs
        self.network = getattr(model, "generator", model)
        self.adversarial = self.network is not model
        if not self.adversarial:
            self.inputs = {tensor.name: inputs[tensor.name] for tensor in self.network.inputs}
        (x_train, y_train), (x_test, y_test) = data
        if not len(_first(x_test)):
            x_test, y_test = x_train, y_train
        self.x_train, self.x_test = (_only(x, list(self.inputs)) for x in (x_train, x_test))
        self.y_train, self.y_test = (_only(y, list(document["outputs"])) for y in (y_train, y_test))
        self._hinges = {output.get("layer", name) for name, output in document["outputs"].items() if "hinge" in output["loss"]}  # classes are -1 and 1
        self._outputs = _made_by(self.network, document)
        self._views: dict[tuple[str, ...], Any] = {}
        self._seen: set[str] = set()
        self._former: tuple[list[np.ndarray], int] | None = None
        self._gradient: Any = None
        self._bounds: tuple[Any, ...] | None = None

    def reach(self) -> dict[str, float]:
        """The largest absolute values of the data's inputs and targets, where they are numbers."""
        found = {}
        for what, part in (("inputs", self.x_train), ("targets", self.y_train)):
            numbers = [np.asarray(a) for a in _leaves(part) if np.asarray(a).dtype.kind == "f"]
            found[what] = max((float(np.abs(a).max(initial=0.0)) for a in numbers), default=0.0)
        return found

    # ---- running ----
    def _run(self, layers: Sequence[str], x: Any, batch: int | None = None) -> list[np.ndarray]:
        """What some layers make of samples."""
        import keraunos as keras

        key = tuple(layers)
        if key not in self._views:
            self._views[key] = keras.Model(self.network.inputs, [self._outputs[layer] for layer in layers])
        found = self._views[key].predict(x, batch_size=batch or max(1, len(_first(x))), verbose=0)
        return found if isinstance(found, list) else [found]

    def _learnt(self) -> list[tuple[str, str, Any]]:
        """Each target that is learnt: its name, the layer that predicts it, and what is known of it."""
        outputs = self.document["outputs"].items()
        return [(name, output.get("layer", name), self.targets[name]) for name, output in outputs if output.get("layer", name) in self._outputs]

    def unprepared(self) -> list[str]:
        """The views whose first look compiles, and was not asked for yet: the quick one first."""
        return [view for view in ("activations", "matrix", "weights") if view not in self._seen]

    def prepare(self, view: str) -> None:
        """Compile what a view needs."""
        self._seen.add(view)
        if view == "weights":
            self._gradients([v for _, v in self._variables()])  # and no more: the length of a step is told from one look to the next
        else:
            self.snapshot([view])

    def snapshot(self, views: Sequence[str], sample: int = 0, layer: str | None = None, step: int = 0) -> dict[str, Any]:
        """What is to be seen, of the model as it is.

        Args:
            views: What is wanted: boundary, activations, weights, matrix.
            sample: A sample of the test data, whose activations are shown.
            layer: The layer that is shown large.
            step: How many steps were made, which tells what one has changed.
        """
        self._seen.update(views)
        found: dict[str, Any] = {"views": list(views)}
        if "boundary" in views:
            found |= self._plane()
            if pictures := self._pictures():
                found["pictures"] = pictures
        if "activations" in views and not self.adversarial:
            found["activations"] = self._activations(sample, layer)
        if "weights" in views:
            found["weights"] = self._weights(step)
        if "matrix" in views and (matrix := self._matrix()):
            found["matrix"] = matrix
        return found

    # ---- the plane ----
    def _plane(self) -> dict[str, Any]:
        """The boundary, and each neuron over the plane, where the data is points of two numbers."""
        if self.adversarial or [list(known["shape"]) for known in self.inputs.values()] != [[2]] or len(self.network.inputs) != 1:
            return {}
        grid, low, high = self._grid()
        layers = [layer for layer, tensor in self._outputs.items() if len(tensor.shape) == 2]
        values = dict(zip(layers, self._run(layers, grid), strict=True))
        learnt = [(layer, known) for _, layer, known in self._learnt() if known["kind"] != "input"] or self._heaps()
        found: dict[str, Any] = {"neurons": self._neurons(values)}
        if learnt and learnt[0][0] in values:
            layer, known = learnt[0]
            place = {"x": [number(low[0]), number(high[0])], "y": [number(low[1]), number(high[1])], "size": GRID, "axes": ["x", "y"]}
            found["boundary"] = {**place, **self._decided(values[layer], layer, known)}
        return found

    def _heaps(self) -> list[tuple[str, Any]]:
        """Where nothing is told apart by its labels: the layers that divide samples among units, each a class."""
        return [(known["id"], {"kind": "classes"}) for known in self.document["layers"] if known.get("options", {}).get("activation") == "softmax"]

    def _grid(self) -> tuple[np.ndarray, Any, Any]:
        """Points all over the plane, row by row from the top."""
        if self._bounds is None:
            points = np.concatenate([np.asarray(_first(x), "float64") for x in (self.x_train, self.x_test)])
            low, high = points.min(0), points.max(0)
            room = np.maximum(MARGIN * (high - low), 1e-6)
            low, high = low - room, high + room
            x, y = np.linspace(low[0], high[0], GRID), np.linspace(high[1], low[1], GRID)
            self._bounds = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype("float32"), low, high
        return self._bounds[0], self._bounds[1], self._bounds[2]

    def _decided(self, values: np.ndarray, layer: str, known: Any) -> dict[str, Any]:
        """What is decided at each point."""
        if known["kind"] == "classes":
            chances = self._chances(values, layer)
            if chances.shape[1] == 2:
                return {"kind": "classes", "values": encoded(np.round(255 * chances[:, 1])), "sure": None, "low": 0, "high": 1}
            return {
                "kind": "classes", "values": encoded(chances.argmax(1)), "sure": encoded(np.round(255 * chances.max(1))),
                "low": 0, "high": chances.shape[1] - 1,
            }  # fmt: skip
        goal = np.asarray(_of(self.y_train, next(iter(self.document["outputs"]))), "float64")
        low, high = float(goal.min()), float(goal.max())
        scaled = (np.nan_to_num(values[:, 0].astype("float64")) - low) / (high - low or 1.0)
        return {"kind": "number", "values": encoded(np.round(255 * scaled.clip(0, 1))), "sure": None, "low": number(low), "high": number(high)}

    def _chances(self, values: np.ndarray, layer: str) -> np.ndarray:
        """The probabilities of the classes, from what a layer gives."""
        values = np.nan_to_num(values.astype("float64").reshape(len(values), -1))
        if values.shape[1] == 1:
            one = ((values[:, 0] + 1) / 2 if layer in self._hinges else values[:, 0]).clip(0, 1)
            return np.stack([1 - one, one], 1)
        values = values.clip(0, None)
        return values / np.maximum(values.sum(1, keepdims=True), 1e-12)

    def _neurons(self, values: dict[str, np.ndarray]) -> dict[str, Any]:
        """Each neuron's value over the plane, smaller where there are many."""
        counts = {layer: min(v.shape[1], NEURONS) for layer, v in values.items()}
        skip = next(s for s in (2, 3, 4, 5, 6, 10, 60) if s == 60 or sum(counts.values()) * (GRID // s) ** 2 <= TILES)
        size, found = GRID // skip, {}
        for layer, value in values.items():
            maps = value[:, : counts[layer]].reshape(GRID, GRID, -1)[skip // 2 :: skip, skip // 2 :: skip][:size, :size].transpose(2, 0, 1)
            data, scale = signed(maps)
            found[layer] = {"count": counts[layer], "size": size, "values": data, "scale": scale}
        return found

    # ---- one sample ----
    def _activations(self, sample: int, layer: str | None) -> dict[str, Any]:
        """What each layer makes of a sample of the test data."""
        sample = min(sample, len(_first(self.x_test)) - 1)
        x = _rows(self.x_test, slice(sample, sample + 1))
        layers = [name for name, tensor in self._outputs.items() if _is_numeric(tensor)]
        values = dict(zip(layers, [v[0] for v in self._run(layers, x)], strict=True))
        for name in self.inputs:
            given = np.asarray(_of(x, name))[0]
            if given.dtype.kind in "fiub" and given.ndim:
                values = {name: given, **values}
        shown = [name for name in (known["id"] for known in self.document["layers"]) if name in values]
        share = MAPS // max(1, len(shown)) if layer is None else MAPS // (4 * max(1, len(shown)))
        made = [_activation(name, values[name], 2 * share if name == layer or layer is None else share, 64 if name == layer else 16) for name in shown]
        found: dict[str, Any] = {"sample": sample, "pictures": self._given_pictures(x), "layers": made, **self._told(sample, values)}
        if (text := self._text(x)) is not None:
            found["text"] = text
        return found

    def _told(self, sample: int, values: dict[str, np.ndarray]) -> dict[str, Any]:
        """What the sample is, and what the network takes it for."""
        right, predicted, chances = [], [], None
        learnt = self._learnt()
        for target, layer, known in learnt:
            name = f"{target}: " if len(learnt) > 1 else ""
            if known["kind"] == "classes":
                likely = self._chances(values[layer][None], layer)[0]
                names = known["classes"]
                right.append(name + _class(names, _label(_of(self.y_test, target)[sample])))
                predicted.append(name + _class(names, int(likely.argmax())))
                chances = [number(p) for p in likely] if chances is None else chances
            elif known["kind"] == "number":
                right.append(f"{name}{float(np.ravel(_of(self.y_test, target)[sample])[0]):.4g}")
                predicted.append(f"{name}{float(np.ravel(values[layer])[0]):.4g}")
        return {"target": ", ".join(right), "predicted": ", ".join(predicted), "probabilities": chances}

    def _given_pictures(self, x: Any) -> dict[str, Any]:
        """What a sample shows, of each input that is a picture."""
        values = {name: np.asarray(_of(x, name))[0] for name in self.inputs}
        return {name: picture(v, *self._brightness(name)) for name, v in values.items() if _is_picture(v.shape) and v.dtype.kind in "fiub"}

    def _brightness(self, name: str) -> tuple[float, float]:
        """What is black and what is white in the pictures of an input."""
        some = np.asarray(_of(self.x_train, name))[:SAMPLES]
        return float(some.min()), float(some.max())

    def _text(self, x: Any) -> str | None:
        for name in self.inputs:
            value = np.asarray(_of(x, name))[0]
            if value.dtype.kind in "OSTU":
                value = np.ravel(value)[0]
                return (value.decode(errors="replace") if isinstance(value, bytes) else str(value))[:1000]
        return None

    # ---- weights ----
    def _weights(self, step: int) -> list[dict[str, Any]]:
        """How the weights of each layer lie, and their gradients; and how long a step is beside them."""
        variables = self._variables()
        values = [np.asarray(v.numpy(), "float64") for _, v in variables]
        gradients = self._gradients([v for _, v in variables])
        former, self._former = self._former, (values, step)
        found = []
        for i, ((layer, variable), value) in enumerate(zip(variables, values, strict=True)):
            row: dict[str, Any] = {"layer": layer, "name": variable.path.rpartition(f"{layer}/")[2], "shape": list(value.shape), **histogram(value)}
            row |= {"mean": number(value.mean()), "std": number(value.std()), "zero": number((value == 0).mean()), "gradient": None, "ratio": None}
            if gradients is not None:
                row["gradient"] = {**histogram(gradients[i]), "norm": number(np.linalg.norm(gradients[i]))}
            if former is not None and step > former[1] and (size := np.linalg.norm(value)):
                row["ratio"] = number(np.linalg.norm(value - former[0][i]) / (step - former[1]) / size)
            found.append(row)
        return found

    def _variables(self) -> list[tuple[str, Any]]:
        """What is trained, with the layer that holds it."""
        return [(name, v) for name, layer in _layers(self.model, self.document) for v in layer.trainable_variables]

    def _gradients(self, variables: list[Any]) -> list[np.ndarray] | None:
        """The gradients of the loss of some training samples; None of a model whose step is its own."""
        if self.adversarial or any(np.asarray(x).dtype.kind in "OSTU" for x in _leaves(self.x_train)):
            return None
        from keraunos import ops, value_and_grad
        from keraunos.core.functional import Program

        model = self.model
        if self._gradient is None:

            def loss(x: Any, y: Any) -> Any:
                return model.compute_loss(x, y, model(x, training=False), training=False)

            self._gradient = Program(lambda x, y: value_and_grad(lambda: loss(x, y), variables)()[1], model.variables)
        x, y = (_mapped(part, lambda a: ops.convert_to_tensor(np.asarray(a)[:SAMPLES])) for part in (self.x_train, self.y_train))
        return [np.asarray(ops.convert_to_numpy(g), "float64") for g in self._gradient(x, y)]

    # ---- right and wrong ----
    def _matrix(self) -> dict[str, Any] | None:
        """How often each class of the test data is taken for each, and the samples that the network is most wrong about."""
        classes = [(target, layer, known) for target, layer, known in self._learnt() if known["kind"] == "classes"]
        if not classes or self.adversarial:
            return None
        target, layer, known = classes[0]
        x = _rows(self.x_test, slice(0, TESTED))
        (values,) = self._run([layer], x, batch=256)
        chances = self._chances(values, layer)
        right = np.array([_label(y) for y in _of(self.y_test, target)[: len(chances)]])
        taken, names = chances.argmax(1), known["classes"]
        missed = np.bincount(np.stack([right, taken])[:, right != taken].ravel(), minlength=len(names))[: len(names)]
        listed = np.sort(np.argsort(-missed, kind="stable")[:CLASSES])
        places = np.full(max(int(right.max()), int(taken.max()), len(names)) + 1, -1)
        places[listed] = np.arange(len(listed))
        cells = np.stack([places[right], places[taken]])
        counts = np.zeros((len(listed), len(listed)), "int64")
        np.add.at(counts, tuple(cells[:, (cells >= 0).all(0)]), 1)
        sure = chances.max(1)
        order = [int(i) for i in np.argsort(-sure, kind="stable") if right[i] != taken[i]][:WRONG]
        wrong = [{"index": i, "true": _class(names, int(right[i])), "predicted": _class(names, int(taken[i])),
                  "sure": number(sure[i]), "pictures": self._given_pictures(one := _rows(x, slice(i, i + 1))), "text": self._text(one)} for i in order]  # fmt: skip
        accuracy = number((right == taken).mean())
        told = {"target": target, "classes": [names[i] for i in listed], "of": len(names), "counts": counts.tolist()}
        return {**told, "accuracy": accuracy, "samples": len(right), "wrong": wrong}

    # ---- pictures that a network makes ----
    def _pictures(self) -> dict[str, Any] | None:
        """What a generator makes of noise that stays the same, or pictures beside what an autoencoder makes of them."""
        if self.adversarial:
            size = tuple(self.network.inputs[0].shape)[1:]
            noise = np.random.default_rng(0).normal(size=(PICTURES, *size)).astype("float32")
            made = np.asarray(self.network.predict(noise, batch_size=PICTURES, verbose=0))
            if not _is_picture(made.shape[1:]):
                return None
            low, high = self._brightness(next(iter(self.inputs)))
            return {"title": "Made of noise by the generator", "pictures": [picture(one, low, high) for one in made]}
        for target, layer, known in self._learnt():
            if known["kind"] == "input" and _is_picture(tuple(known["shape"])):
                name, half = known["of"], PICTURES // 2
                x = _rows(self.x_test, slice(0, half))
                (made,) = self._run([layer], x)
                low, high = self._brightness(name)
                given = np.asarray(_of(_rows(self.y_test, slice(0, half)), target)).reshape(made.shape)
                title = "Pictures of the test data, then what the network makes of each"
                return {"title": title, "pictures": [picture(one, low, high) for one in (*given, *made)]}
        return None


# ---- values as JSON ----
def histogram(values: np.ndarray) -> dict[str, Any]:
    """How often values lie in each of some equal parts of their range."""
    fine = values[np.isfinite(values)]
    if not fine.size:
        return {"low": None, "high": None, "counts": [0] * BINS}
    low, high = float(fine.min()), float(fine.max())
    if high - low < 1e-12 * max(1.0, abs(high)):
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    counts, _ = np.histogram(fine, BINS, (low, high))
    return {"low": number(low), "high": number(high), "counts": counts.tolist()}


def _activation(name: str, value: np.ndarray, room: int, most: int) -> dict[str, Any]:
    """What a layer makes of one sample, in at most so many bytes and maps."""
    shape, value = list(value.shape), np.asarray(value, "float64")
    kind = "vector"
    if value.ndim == 4:  # frames of maps: each frame's first channels
        value = value[..., :4].transpose(0, 3, 1, 2).reshape(-1, *value.shape[1:3])
        kind = "maps"
    elif value.ndim == 3:
        value, kind = value.transpose(2, 0, 1), "maps"
    elif value.ndim == 2:  # time goes to the right
        value, kind = value.T[None], "sequence"
    else:
        value = value.reshape(1, 1, -1)
    skip = max(1, math.ceil(max(value.shape[1:]) / SIDE)) if kind == "maps" else 1
    value = value[:, ::skip, ::skip][:, : 4 * SIDE if kind == "sequence" else None, : 16 * SIDE]
    count = max(1, min(len(value), most, room // max(1, value[0].size)))
    data, scale = signed(value[:count])
    return {"id": name, "shape": shape, "kind": kind, "count": count, "height": value.shape[1], "width": value.shape[2], "scale": scale, "values": data}


def _is_picture(shape: Sequence[int | None]) -> bool:
    return len(shape) in (2, 3) and (len(shape) == 2 or shape[-1] in (1, 3)) and min(int(n or 0) for n in shape[:2]) >= 4


def _is_numeric(tensor: Any) -> bool:
    return any(kind in str(tensor.dtype) for kind in ("float", "int", "bool"))


def _label(y: Any) -> int:
    """The class of a target: its number, or that of the largest of its parts."""
    y = np.ravel(y)
    return int(y[0]) if y.size == 1 else int(y.argmax())


def _class(names: Sequence[str], number: int) -> str:
    return str(names[number]) if number < len(names) else str(number)


# ---- data with names or without ----
def _leaves(part: Any) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else [part]


def _first(part: Any) -> Any:
    return _leaves(part)[0]


def _of(part: Any, name: str) -> Any:
    return part[name] if isinstance(part, dict) else part


def _only(part: Any, names: Sequence[str]) -> Any:
    """Of data with names, what is used, as the model takes it."""
    if not isinstance(part, dict) or not names:
        return part
    return part[names[0]] if len(names) == 1 else {name: part[name] for name in names}


def _mapped(part: Any, change: Any) -> Any:
    return {name: change(value) for name, value in part.items()} if isinstance(part, dict) else change(part)


def _rows(part: Any, rows: slice) -> Any:
    return _mapped(part, lambda a: a[rows])


# ---- the layers of a document in a model ----
def _layers(model: Any, document: Any) -> list[tuple[str, Any]]:
    """The layers of a document that have weights, as the model has them."""
    parts = [part for part in (getattr(model, "generator", None), getattr(model, "discriminator", None)) if part is not None] or [model]
    held = {layer.name: layer for part in parts for layer in part.layers}
    return [(known["id"], held[known["id"]]) for known in document["layers"] if known["id"] in held]


def _made_by(network: Any, document: Any) -> dict[str, Any]:
    """What each layer of a document gives, as a symbolic tensor of the model: a layer that is called again gives another each time."""
    from keraunos.training.flow import Flow

    flow = Flow.of(network)
    calls = [] if flow is None else [(getattr(operation, "name", ""), inputs, outputs) for operation, inputs, outputs in flow.calls]
    made: dict[str, Any] = dict(zip([known["id"] for known in document["layers"] if known.get("type") == "Input"], network.inputs, strict=False))
    found = {}
    for known in document["layers"]:
        name, wanted = known.get("shares", known["id"]), {id(made.get(source)) for source in known["inputs"]}
        own = [call for call in calls if call[0] == name]
        call = next((call for call in own if {id(x) for x in call[1]} == wanted), own[0] if own else None)
        if call is not None and call[2]:
            made[known["id"]] = found[known["id"]] = call[2][0]
    return found
