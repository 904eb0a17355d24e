"""What an exported model is called with, and the names of what goes in and comes out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from keraunos.core import config, tree
from keraunos.core.dtypes import standardize_dtype
from keraunos.core.errors import ArgumentError, StateError
from keraunos.core.spec import Spec
from keraunos.layers.weights import map_shapes


def spec(x: Any) -> Spec:
    """The spec that an entry of a signature means: an `InputSpec`, a `KerasTensor`, a `tf.TensorSpec` or an array."""
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if shape is None and getattr(x, "ndim", None) is not None:
        shape = [x.axes.get(i, x.axes.get(i - x.ndim)) for i in range(x.ndim)]
    if shape is None:
        raise ArgumentError("An input's shape is not known.", where="input_signature", received=type(x).__name__, fix="InputSpec(shape=(None, 8))")
    return Spec(tuple(shape), standardize_dtype(dtype))


def signature(model: Any, given: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a model is called with, entries of its signature in place of tensors.

    Args:
        model: The model or layer.
        given: `input_signature`; None for the inputs that it was built for.

    Raises:
        StateError: The model is not built, or was built by a call that does not tell its inputs.
        ArgumentError: The signature does not fit.
    """
    if not model.built:
        fix = f"call {model.name} on data, or build it, before it is exported"
        raise StateError(f"'{model.name}' is not built, so its weights are not known.", where=model.name, fix=fix)
    structure = getattr(model, "_inputs_structure", None)
    if structure is not None:
        if given is not None:
            if len(tree.flatten(given)) != len(tree.flatten(structure)):
                received, expected = (f"{len(tree.flatten(s))} inputs" for s in (given, structure))
                raise ArgumentError(f"The signature does not fit '{model.name}'.", where="input_signature", received=received, expected=expected)
            structure = tree.pack_sequence_as(structure, tree.flatten(given))
        return (structure,), {}
    parameters = inspect.signature(model.call).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if given is not None:
        several = isinstance(given, (list, tuple)) and len(given) == max(len(wanted), 1)
        return (tuple(given) if several else (given,)), {}
    shapes = model.get_build_config() or {}
    if "shapes_dict" in shapes:
        return (), {name.removesuffix("_shape"): _dynamic(shape) for name, shape in shapes["shapes_dict"].items()}
    if shapes.get("input_shape") is None or len(wanted) > 1:
        fix = "model.export(path, input_signature=[InputSpec(shape=(None, 8)), …])"
        raise StateError(f"The inputs of '{model.name}' are not known.", where="input_signature", expected="one for each argument of call", fix=fix)
    return (_dynamic(shapes["input_shape"]),), {}


def _dynamic(shapes: Any) -> Any:
    """Specs for the shapes that a layer was built for, of batches of any size."""
    return map_shapes(lambda shape: Spec((None, *shape[1:]), config.floatx()), shapes)


def input_names(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """The names of the inputs: those of the model's, else of the entries of the signature, else of the arguments."""
    given = tree.flatten((args, kwargs))
    own = _keys(args[0]) or getattr(model, "_names", None) if args else None
    names = own or [getattr(x, "name", None) for x in given]
    arguments = [*model.call_info.names[: len(args)], *sorted(kwargs)]
    spread = [name for name, x in zip(arguments, (*args, *(kwargs[k] for k in sorted(kwargs))), strict=False) for _ in tree.flatten(x)]
    return distinct([n or fallback for n, fallback in zip(names, spread, strict=True)])


def output_names(model: Any, out: Any, count: int, taken: Iterable[str] = ()) -> list[str]:
    """The names of a number of outputs: the keys of a dict of them, else those of a graph's outputs, else "output" and a number."""
    own = _keys(out) or (getattr(model, "output_names", None) if getattr(model, "outputs", None) else None)
    if own is None or len(own) != count:
        own = ["output"] if count == 1 else [f"output_{i}" for i in range(count)]
    return distinct(own, taken)


def _keys(structure: Any) -> list[str] | None:
    """The keys of a dict of tensors, in order."""
    flat = isinstance(structure, dict) and not any(map(tree.is_nested, structure.values()))
    return sorted(structure) if flat else None


def distinct(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names, those that are there already with a number."""
    found: list[str] = []
    for name in names:
        count, unique = 0, name
        while unique in found or unique in taken:
            count += 1
            unique = f"{name}_{count}"
        found.append(unique)
    return found
