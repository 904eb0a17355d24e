"""Surgery on models: layers replaced, dropped and inserted, while all others keep their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, suggestion
from keraunos.core.graph import KerasTensor, strip
from keraunos.core.names import scoped
from keraunos.core.scope import within
from keraunos.core.spec import Spec
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.cloning import alike, same_class
from keraunos.models.functional import GraphModel
from keraunos.models.graph import run
from keraunos.models.sequential import Sequential


def replace_layers(model: Any, changes: dict[Any, Any], share: bool = False, name: str | None = None) -> Any:
    """A model with other layers in the place of some, or without them; all others keep their weights.

    The model that is given stays as it is. What is returned is of the same class, and not compiled.

    Layers that are called several times are replaced wherever they are called. A layer whose weights do not fit what it is called on afterwards
    (a `Dense` behind a layer of another size) is made anew by its config, with new weights. An `Input` is replaced by another, for another shape.
    Weights of a replaced layer go with it; a function can keep them, or wrap the layer.

    Args:
        model: A Sequential or functional model.
        changes: What stands in the place of which layers. A key is a layer's name ("encoder/dense" in an inner model), the layer, a class, or a
            function that tells whether a layer is meant; inner models are searched too. A value is a layer, a function that makes one of the
            layer that was, or None: what comes in goes on.
        share: Whether both models are to have the same layers, so that training one changes the other, in place of copies.
        name: The new model's name; that of `model` by default.

    Raises:
        ArgumentError: No layer is meant by a key, or a layer of several inputs is to be dropped.

    Example:

    >>> import keraunos as keras
    >>> layers = [keras.Input((4,)), keras.layers.Dense(8, name="body"), keras.layers.Dropout(0.5), keras.layers.Dense(3, name="head")]
    >>> model = keras.Sequential(layers)
    >>> new = keras.models.replace_layers(model, {"head": keras.layers.Dense(10, name="head"), keras.layers.Dropout: None})
    >>> new.output_shape, [layer.name for layer in new.layers]
    ((None, 10), ['body', 'head'])
    >>> bool((new.get_layer("body").get_weights()[0] == model.get_layer("body").get_weights()[0]).all())
    True
    """

    def change(layer: Any, key: Any) -> _Place:
        new = _made(changes[key], layer)
        return _Place(new, added=[] if new is None else [new])

    return _edited(model, changes, change, share, name)


def insert_layers(model: Any, layer: Any, after: Any = None, before: Any = None, share: bool = False, name: str | None = None) -> Any:
    """A model with one more layer behind or in front of some; all others keep their weights.

    The model that is given stays as it is, and layers behind are made anew where their weights no longer fit, as `replace_layers` says.

    Args:
        model: A Sequential or functional model.
        layer: The layer, which is shared by all places, or a function that makes one for each layer that it is put beside.
        after: The layer, or a list of several, whose outputs go through it: by name, class or function, as the keys in `replace_layers`.
        before: The same for their (first) inputs.
        share: Whether both models are to have the same layers.
        name: The new model's name; that of `model` by default.

    Raises:
        ArgumentError: No layer is meant, or one with several outputs or inputs.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="a"), keras.layers.Dense(3, name="b")])
    >>> new = keras.models.insert_layers(model, lambda layer: keras.layers.BatchNormalization(name=f"{layer.name}_norm"), after=keras.layers.Dense)
    >>> [layer.name for layer in new.layers]
    ['a', 'a_norm', 'b', 'b_norm']
    """
    if (after is None) == (before is None):
        raise ArgumentError("A layer is inserted after others or before others.", where="insert_layers", fix="name one: after='dense'")
    beside = before if after is None else after

    def change(old: Any, key: Any) -> _Place:
        new = [_made(layer, old)]
        return _Place(old, before=new, added=new) if after is None else _Place(old, after=new, added=new)

    return _edited(model, list(beside) if isinstance(beside, (list, tuple)) else [beside], change, share, name)


class _Place:
    """What stands where a layer stood: itself, another or none, and what comes before and after it; which of these are the user's."""

    def __init__(self, main: Any, before: Any = (), after: Any = (), added: Any = ()):
        self.main, self.before, self.after, self.added = main, before, after, added

    @property
    def layers(self) -> list[Any]:
        return [*self.before, *([] if self.main is None else [self.main]), *self.after]


def _made(value: Any, layer: Any) -> Any:
    """A layer of what a user gives for one: itself, or what a function makes of the layer that was."""
    if callable(value) and not isinstance(value, (Layer, type)):
        value = value(layer)
    if isinstance(value, KerasTensor) and value.node is not None:
        value = value.node.operation
    if value is not None and not isinstance(value, Layer):
        received = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise ArgumentTypeError(f"There is no layer to put where '{layer.name}' is.", received=received, expected="a layer, a function that makes one, or None")
    return value


def _edited(model: Any, keys: Any, change: Callable[[Any, Any], _Place], share: bool, name: str | None) -> Any:
    if not isinstance(model, GraphModel):
        fix = "build it of a graph, as keras.Model(inputs, outputs)"
        raise ArgumentTypeError("Only a Sequential or functional model can be taken apart.", received=type(model).__name__, fix=fix, where="model")
    found = dict(_layers_of(model))
    for key in keys:
        if not isinstance(key, str) and not callable(key):
            fact = "This names no layer."
            raise ArgumentTypeError(fact, received=type(key).__name__, expected="a name, a layer, a class, or a function of a layer", where="layer")
        if not any(_is_meant(key, path, layer) for path, layer in found.items()):
            fix = suggestion(key, found) if isinstance(key, str) else None
            raise ArgumentError(f"The model has no layer that is meant by {key!r}.", where=model.name, fix=fix)
    with config.backend_scope(model._backend.name):
        return _Edit(keys, change, share).model(model, name or model.name, "")


def _layers_of(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The layers of a model and of those in it, by path."""
    for layer in model._layers:
        yield f"{prefix}{layer.name}", layer
        if isinstance(layer, GraphModel):
            yield from _layers_of(layer, f"{prefix}{layer.name}/")


def _is_meant(key: Any, path: str, layer: Any) -> bool:
    if isinstance(key, str):
        return key == path
    return isinstance(layer, key) if isinstance(key, type) else layer is key if isinstance(key, Layer) else bool(key(layer))


def _through(layers: Any, x: Any, fact: str, fix: str) -> Any:
    """What a tensor becomes in layers one after another; anything but one tensor is refused."""
    flat = [y for y in tree.flatten(x) if isinstance(y, Spec)]
    if len(flat) != 1:
        raise ArgumentError(fact, received=f"{len(flat)} tensors", expected="one", fix=fix)
    x = flat[0]
    for layer in layers:
        x = layer(x)
    return x


class _Edit:
    """One operation: which layers are meant, and what stands in their places."""

    def __init__(self, keys: Any, change: Callable[[Any, Any], _Place], share: bool):
        self.keys, self.change, self.share = keys, change, share
        self.places: dict[int, _Place] = {}
        self.memo: dict[int, Any] = {}  # of the copies, so that what layers share their copies share

    def key(self, path: str, layer: Any) -> Any:
        """The first of the keys that means a layer, or None."""
        return next((key for key in self.keys if _is_meant(key, path, layer)), None)

    def model(self, model: Any, name: str, prefix: str) -> Any:
        """The model, edited."""
        for layer in model._layers:
            self.memo[id(layer.nodes)] = []  # a copy is not in the graph yet
        for layer in model._layers:
            if id(layer) not in self.places:
                self.places[id(layer)] = self.place(prefix + layer.name, layer)
        places = [self.places[id(layer)] for layer in model._layers]
        taken = {layer.name for place in places for layer in place.layers if layer not in place.added}
        for layer in {id(layer): layer for place in places for layer in place.added}.values():
            if layer.name in taken and not layer.built:
                layer.name = next(free for i in range(1, len(taken) + 2) if (free := f"{layer.name}_{i}") not in taken)
            taken.add(layer.name)
        return (self.sequential if isinstance(model, Sequential) else self.functional)(model, name)

    def place(self, path: str, layer: Any) -> _Place:
        """What stands where a layer stood."""
        key = self.key(path, layer)
        place = _Place(layer) if key is None else self.change(layer, key)
        if isinstance(layer, InputLayer):
            place.main = alike(layer) if place.main is layer else place.main
            if place.before or not isinstance(place.main, InputLayer):
                raise ArgumentError(f"In the place of the input '{layer.name}' there can only be another.", fix="keras.Input(shape)")
        elif place.main is layer:
            if key is None and isinstance(layer, GraphModel) and any(self.key(*found) is not None for found in _layers_of(layer, f"{path}/")):
                place.main = self.model(layer, layer.name, f"{path}/")
            elif not self.share:
                place.main = layer.copied(self.memo)
        return place

    def called(self, layer: Any, was: list[Any], args: Any, kwargs: Any) -> Any:
        """The result of what stands where a layer stood, which was called on tensors of other shapes maybe."""
        place = self.places[id(layer)]
        if place.before:
            fix = "insert after the layers that the inputs come from"
            args = (_through(place.before, args[:1], f"The first argument of '{layer.name}' cannot go through a layer.", fix), *args[1:])
        if place.main is None:
            return _through((), (args, kwargs), f"'{layer.name}' cannot be dropped: which input goes on?", "replace it by a layer of as many inputs")
        if place.main not in place.added:
            self.fit(place, was, args, kwargs)
        x = place.main(*args, **kwargs)
        if place.after:
            x = _through(place.after, x, f"The outputs of '{layer.name}' cannot go through one layer.", "insert before the layers that follow")
        return x

    def fit(self, place: _Place, was: list[Any], args: Any, kwargs: Any) -> None:
        """Make the layer of a place anew if its weights do not fit what it is called on."""
        layer, now = place.main, [x.shape for x in tree.flatten((args, kwargs)) if isinstance(x, Spec)]
        if now == was or isinstance(layer, GraphModel) or not layer.weights:
            return
        fresh = alike(layer)
        args, kwargs = strip((args, kwargs))
        fresh(*args, **kwargs)
        if [w.shape for w in fresh.weights] != [w.shape for w in layer.weights]:
            place.main = fresh

    def functional(self, model: Any, name: str) -> Any:
        entries = [self.places.get(id(entry.operation)) or _Place(alike(entry.operation)) for entry in model._entries]
        inputs = [place.main.output for place in entries]
        values = [_through(place.after, x, "", "") for place, x in zip(entries, inputs, strict=True)]
        nodes = iter(model._order)

        def call(operation: Any, args: Any, kwargs: Any) -> Any:
            node = next(nodes)  # `run` goes through them in their order
            if isinstance(operation, Layer):
                return self.called(operation, [x.shape for x in node.inputs], args, kwargs)
            return getattr(operation, "op", operation)(*args, **kwargs)

        outputs = run(model._order, model.inputs, model._outputs_structure, values, call)
        return same_class(model)(tree.pack_sequence_as(model._inputs_structure, inputs), outputs, name=name)

    def sequential(self, model: Any, name: str) -> Any:
        shapes = {id(node.operation): [x.shape for x in node.inputs] for node in model._order}
        x, chain = None if model.inputs is None else Spec(model.inputs[0].shape, model.inputs[0].dtype), []
        for layer in model._layers:
            place = self.places[id(layer)]
            if isinstance(layer, InputLayer):
                x = _through(place.after, place.main.output.spec, "", "")
            elif x is not None:
                with within(names=scoped(name)):
                    x = self.called(layer, shapes[id(layer)], (x,), {})
            chain += place.layers
        new = same_class(model)(chain, name=name)
        if model.inputs is not None and new.inputs is None:
            new.build(model.input_shape)
        return new
