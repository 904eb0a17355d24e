"""What an exported model is called with, and the names of what goes in and comes out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
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
    tree.map_structure(spec, () if given is None else given)  # which raises if there is something else in it
    structure = getattr(model, "_inputs_structure", None)
    if structure is not None:
        return (structure if given is None else _packed(model, given, structure),), {}
    parameters = inspect.signature(model.call).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if given is not None:
        return fitting(model.call, model.name, *_arguments(given, wanted, [name for name in model.call_info.names if name != "training"]))
    shapes = model.get_build_config() or {}
    if "shapes_dict" in shapes:
        return (), {name.removesuffix("_shape"): _dynamic(shape) for name, shape in shapes["shapes_dict"].items()}
    if shapes.get("input_shape") is None or len(wanted) > 1:
        fix = "model.export(path, input_signature=[InputSpec(shape=(None, 8)), …])"
        raise StateError(f"The inputs of '{model.name}' are not known.", where="input_signature", expected="one for each argument of call", fix=fix)
    return (_dynamic(shapes["input_shape"]),), {}


def _packed(model: Any, given: Any, structure: Any) -> Any:
    """A signature in the structure of a model's inputs."""
    if isinstance(given, dict) and not isinstance(structure, dict) and given.keys() == set(model._names):
        given = [given[name] for name in model._names]
    found, wanted = tree.flatten(given), tree.flatten(structure)
    if len(found) != len(wanted):
        fact, expected = f"The signature does not fit '{model.name}'.", f"one for each of {', '.join(model._names)}"
        raise ArgumentError(fact, where="input_signature", received=f"{len(found)} entries", expected=expected)
    return tree.pack_sequence_as(structure, found)


def _arguments(given: Any, wanted: list[str], names: list[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """A signature as the arguments of a `call` that wants some, and takes those of these names; where it wants one, a list or dict is that one."""
    if isinstance(given, dict) and len(given) > 1 and set(wanted) <= given.keys() <= set(names):
        return (), given
    most = len(names) if len(wanted) > 1 else 1
    several = isinstance(given, (list, tuple)) and max(len(wanted), 1) <= len(given) <= most
    return (tuple(given) if several else (given,)), {}


def fitting(fn: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, if a function takes so many, of these names.

    Raises:
        ArgumentError: It does not.
    """
    try:
        inspect.signature(fn).bind(*args, **kwargs)
    except TypeError as error:
        fact, expected = f"The signature does not fit '{name}'.", "an entry for each argument"
        raise ArgumentError(fact, where="input_signature", received=str(error), expected=expected) from None
    return args, kwargs


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
