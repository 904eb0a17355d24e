"""Low-rank adaptation of whole models ([Hu et al., 2021](https://arxiv.org/abs/2106.09685)): a few trained numbers beside weights that stay.

keraunos.lora.enable(model, rank=8, targets="*query*|*value*")
model.compile("adam", "mse")
model.fit(x, y)
keraunos.lora.merge(model)
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ArgumentError, StateError, suggestion
from keraunos.core.fields import Field
from keraunos.core.missing import answer_for
from keraunos.layers.adapting import Adaptable
from keraunos.layers.layer import Layer


def _by_path(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers below this one, with the names on the way to each, as "encoder/query"."""
    for child in layer._held(Layer):
        below = f"{path}{child.name}"
        yield below, child
        yield from _by_path(child, f"{below}/")


def _found(layers: list[tuple[str, Layer]], patterns: str, argument: str) -> list[Layer]:
    """The layers that patterns name, each once.

    Raises:
        ArgumentError: A pattern names none.
    """
    found: dict[int, Layer] = {}
    for pattern in patterns.split("|"):
        new = {id(layer): layer for path, layer in layers if fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(layer.name, pattern)}
        if not new:
            names = dict.fromkeys(layer.name for _, layer in layers)
            raise ArgumentError(f"No layer's name fits '{pattern}'.", where=argument, fix=suggestion(pattern.strip("*"), names))
        found |= new
    return list(found.values())


def enable(model: Layer, rank: int, targets: str = "*", train: str | None = None, lora_alpha: float | None = None, **initializers: Any) -> list[Adaptable]:
    """Adapt layers of a model by products of low rank, and freeze all else.

    What the targets had as their kernel (or table of embeddings) stays, and a product of low rank is trained in its place; biases of theirs are trained
    too. All other layers are frozen (`trainable` is set to False), but those in `train`. A model that was compiled is to be compiled anew.

    Args:
        model: A model, or a layer with layers in it, that is built.
        rank: The rank of the products.
        targets: Which layers: patterns of names or of paths such as "encoder/*/query", separated by "|", in which "*" stands for anything; of the layers
            that they fit, those that can be adapted.
        train: Patterns of the layers that are trained as they are, such as a new head; with all that is in them.
        lora_alpha: What the products are multiplied by, times the rank; the rank by default.
        initializers: `a_initializer` and `b_initializer`, as for a layer's `enable_lora`.

    Returns:
        The layers that were adapted.

    Raises:
        ArgumentError: No layer fits a pattern, or none of those that do can be adapted; nothing was changed.
        StateError: The model is not built, or a layer is adapted already.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8, name="query"), keras.layers.Dense(2, name="head")], name="m")
    >>> adapted = keras.lora.enable(model, rank=2, targets="*query*", train="head")
    >>> [v.path for v in model.trainable_weights]
    ['m/query/bias', 'm/query/lora_kernel_a', 'm/query/lora_kernel_b', 'm/head/kernel', 'm/head/bias']
    """
    if not model.built:
        raise StateError("Only a model that is built can be adapted.", where=model.name, fix="begin it with keras.Input(shape), or call it on data")
    layers = list(_by_path(model))
    if not layers:
        raise ArgumentError("There are no layers in it to choose from.", where=model.name, fix=f"layer.enable_lora(rank={rank})")
    kept = {id(x) for layer in (_found(layers, train, "train") if train else ()) for x in layer._flatten_layers()}
    fitting = [layer for layer in _found(layers, targets, "targets") if id(layer) not in kept]
    chosen = [layer for layer in fitting if isinstance(layer, Adaptable) and layer.adaptable]
    if not chosen:
        able = dict.fromkeys(layer.name for _, layer in layers if isinstance(layer, Adaptable) and layer.adaptable)
        received = ", ".join(f"'{layer.name}' ({type(layer).__name__})" for layer in fitting[:4]) or None
        raise ArgumentError("None of the layers that the patterns name can be adapted.", where="targets", received=received, fix=suggestion(targets, able))
    Field("rank", "Size", None).value("lora.enable", rank)
    for layer in chosen:
        layer.check_adaptable()
    for layer in chosen:
        layer.enable_lora(rank, lora_alpha, **initializers)
    adapted = set(map(id, chosen))
    for _, layer in layers:
        below = set(map(id, layer._flatten_layers()))
        if not below & (adapted | kept):
            layer.trainable = False
        elif id(layer) not in adapted | kept:
            for variable in layer._own_variables():
                variable.trainable = False
    return chosen


def merge(model: Layer) -> list[Adaptable]:
    """Add the products of all adapted layers to their weights, which takes nothing to compute from then on; what is frozen stays frozen.

    Args:
        model: A model or layer.

    Returns:
        The layers that were adapted.

    Raises:
        StateError: There is none.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(8, lora_rank=2)])
    >>> merged = keras.lora.merge(model); model.count_params()
    136
    """
    adapted = [layer for layer in model._flatten_layers() if isinstance(layer, Adaptable) and layer.lora_enabled]
    if not adapted:
        raise StateError("No layer is adapted.", where=model.name, fix="keraunos.lora.enable(model, rank=8)")
    for layer in adapted:
        layer.merge_lora()
    return adapted


__all__ = ["enable", "merge"]
answer_for(__name__)
