"""Ops whose arguments are functions: loops that every engine can differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.graph import KerasTensor, Operation, record, strip
from keraunos.core.op import spec_of
from keraunos.core.spec import UNKNOWN, Spec
from keraunos.ops import rules
from keraunos.ops.shaping import convert_to_tensor, stack


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: int | bool = 1) -> tuple[Any, Any]:
    """Carry a state through the rows of `xs`: `carry, y = f(carry, x)` for each.

    Args:
        f: The step; its first result has the form, shapes and dtypes of `init`.
        init: The first carry, a tensor or a structure of them.
        xs: A tensor or a structure of them, gone through along their first axis, or None.
        length: The number of steps; needed without `xs`.
        reverse: Whether to go from the last row to the first.
        unroll: How many steps a compiled loop does at once; engines without a compiler always unroll.

    Returns:
        The last carry, and the `y`s stacked, in the order of `xs`.

    Raises:
        ArgumentError: Neither `xs` nor `length` is given, or there is no row.
        ShapeError: The rows of `xs` are unequal in number, or `f` changes the carry's shape.

    Example:

    >>> from keraunos import ops
    >>> total, sums = ops.scan(lambda carry, x: (carry + x, carry + x), 0.0, ops.convert_to_tensor([1.0, 2.0, 3.0]))
    >>> ops.convert_to_numpy(sums).tolist()
    [1.0, 3.0, 6.0]
    """
    init, xs = (tree.map_structure(lambda x: x if x is None else convert_to_tensor(x), s) for s in (init, xs))
    leaves = [x for x in tree.flatten(xs) if x is not None]
    counts = [x.shape[0] for x in map(spec_of, leaves)] + ([length] if length is not None else [])
    known = [n for n in counts if n is not UNKNOWN]
    if not counts or 0 in known:
        raise ArgumentError("scan needs rows to go through: xs, or length.", where="ops.scan", received=f"{counts[0]} rows" if counts else None)
    if len(set(known)) > 1:
        raise ShapeError(f"The inputs of scan have unequal numbers of rows: {', '.join(map(str, known))}.", where="ops.scan")
    if any(isinstance(x, Spec) for x in tree.flatten((init, xs))):
        return _symbolic(f, init, xs, known[0] if known else UNKNOWN, (length, reverse, unroll))
    backend = config.active()
    if hasattr(backend, "scan"):
        return backend.scan(f, init, xs, known[0], reverse, unroll)
    carry, ys = init, []
    for i in range(known[0])[:: -1 if reverse else 1]:
        carry, y = f(carry, tree.map_structure(lambda x, i=i: x if x is None else x[i], xs))
        ys.append(y)
    return carry, tree.map_structure(lambda *y: None if y[0] is None else stack(list(y)), *(reversed(ys) if reverse else ys))


def _symbolic(f: Callable[[Any, Any], Any], init: Any, xs: Any, count: Any, options: tuple[Any, ...]) -> Any:
    """The specs of the result, from one step on specs; recorded where the graph of a model is being made."""
    start = tree.map_structure(lambda x: x if x is None else Spec(spec_of(x).shape, spec_of(x).dtype), strip(init))
    row = tree.map_structure(lambda x: x if x is None else Spec(spec_of(x).shape[1:], spec_of(x).dtype), strip(xs))
    carry, y = f(start, row)
    for before, after in zip(tree.flatten(start), map(spec_of, tree.flatten(carry)), strict=True):
        if not rules.equal(before.shape, after.shape) or before.dtype != after.dtype:
            raise ShapeError("The step of scan changes its carry.", where="ops.scan", received=repr(after), expected=repr(before))
    specs = carry, tree.map_structure(lambda s: None if s is None else Spec((count, *spec_of(s).shape), spec_of(s).dtype), y)
    if any(isinstance(x, KerasTensor) and x.record_history for x in tree.flatten((init, xs))):
        return record(Operation(scan), (f, init, xs, *options), {}, specs)
    return specs


__all__ = ["scan"]
