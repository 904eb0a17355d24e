"""Functions of single elements, or small blocks of them, made functions of whole tensors."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.spec import broadcast_shapes, same_dim, show, size_of
from keraunos.ops.control import vectorized_map
from keraunos.ops.shaping import broadcast_to, convert_to_tensor, ndim, reshape, shape


def vectorize(pyfunc: Callable[..., Any], *, excluded: Iterable[Any] | None = None, signature: str | None = None) -> Callable[..., Any]:
    """A function that applies `pyfunc` to the elements of its arguments, the shapes broadcast.

    Args:
        pyfunc: A function of scalars; with a signature, of tensors that have the axes it names. It is given the other arguments by name as they are.
        excluded: The positions of arguments to pass as they are.
        signature: The core axes of the arguments and results, such as "(n),(n)->()"; None is scalars.

    Raises:
        ArgumentError: The signature is not of this form.

    Example:

    >>> from keraunos import ops
    >>> dot = ops.vectorize(lambda x, y: ops.sum(x * y), signature="(n),(n)->()")
    >>> ops.convert_to_numpy(dot(ops.ones((2, 3)), ops.arange(3.0))).tolist()
    [3.0, 3.0]
    """
    if not callable(pyfunc):
        raise ArgumentTypeError("pyfunc must be a function.", where="ops.vectorize", received=f"a {type(pyfunc).__name__}")
    core = None if signature is None else _core_axes(signature)
    whole = set(excluded or ())

    @functools.wraps(pyfunc)
    def call(*args: Any, **kwargs: Any) -> Any:
        places = [i for i in range(len(args)) if i not in whole]
        tensors = [convert_to_tensor(args[i]) for i in places]
        axes = [()] * len(tensors) if core is None else core
        if len(axes) != len(tensors):
            fact = f"The signature has {len(axes)} arguments, not {len(tensors)}."
            raise ArgumentError(fact, where="vectorize", received=signature, fix="one group (…) for each argument, with commas between")
        _check_sizes(axes, tensors)
        loop = broadcast_shapes(*(shape(x)[: ndim(x) - len(names)] for x, names in zip(tensors, axes, strict=True)))

        def row(parts: list[Any]) -> Any:
            given = dict(zip(places, parts, strict=True))
            return pyfunc(*[given.get(i, x) for i, x in enumerate(args)], **kwargs)

        if not loop:
            return row(tensors)
        rows = []
        for x, names in zip(tensors, axes, strict=True):
            own = shape(x)[ndim(x) - len(names) :]
            rows.append(reshape(broadcast_to(x, (*loop, *own)), (size_of(loop), *own)))
        return tree.map_structure(lambda y: reshape(y, (*loop, *shape(y)[1:])), vectorized_map(row, rows))

    return call


_AXES = r"\((?:\w+(?:,\w+)*)?\)"
_SIGNATURE = re.compile(rf"({_AXES}(?:,{_AXES})*)->{_AXES}(?:,{_AXES})*")


def _core_axes(signature: str) -> list[tuple[str, ...]]:
    """The names of each argument's core axes."""
    found = _SIGNATURE.fullmatch(re.sub(r"\s", "", signature))
    if found is None:
        raise ArgumentError("The signature is not of this form.", where="vectorize", received=repr(signature), expected="such as '(n,m),(m)->(n)'")
    return [tuple(re.findall(r"\w+", names)) for names in re.findall(_AXES, found[1])]


def _check_sizes(axes: list[tuple[str, ...]], tensors: list[Any]) -> None:
    sizes: dict[str, Any] = {}
    for names, x in zip(axes, tensors, strict=True):
        own = shape(x)
        if len(own) < len(names):
            fact = f"The signature has {len(names)} axes for an argument that has {len(own)}."
            raise ShapeError(fact, where="vectorize", received=show(own), fix="name as many axes as the function takes of it; those before them are gone over")
        for name, n in zip(names, own[len(own) - len(names) :], strict=True):
            if not same_dim(sizes.setdefault(name, n), n):
                fix = "axes of one name are of one size"
                raise ShapeError(f"The axis '{name}' of the signature has sizes {sizes[name]} and {n}.", where="vectorize", fix=fix)


__all__ = ["vectorize"]
