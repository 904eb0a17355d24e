"""Axes reordered, joined and parted by a pattern of names."""

from __future__ import annotations

import itertools
import math
import re

from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.op import Tensor
from keraunos.core.spec import show, size_of
from keraunos.ops.rules import Same, declare
from keraunos.ops.shaping import reshape, shape, transpose


def _groups(side: str, pattern: str) -> list[list[str]]:
    """The names that each axis is made of: one, those in parentheses, or none for 1."""
    groups = []
    for inner, name, stray in re.findall(r"\(([\w\s]*)\)|(\w+)|(\S)", side):
        if stray:
            fix = "names of axes with spaces between, and (a b) for joined ones: 'b h w c -> b (h w) c'"
            raise ArgumentError(f"The pattern has '{stray}' where it cannot be.", where="pattern", received=repr(pattern), fix=fix)
        groups.append([part for part in (inner or name).split() if part != "1"])
    return groups


def rearrange(tensor: Tensor, pattern: str, **axes_lengths: int) -> Same:
    """`tensor` with its axes reordered, joined and parted as a pattern says.

    Args:
        tensor: The tensor.
        pattern: The axes before and after, named and separated by "->"; parentheses join axes into one, `1` is an axis of size 1.
        axes_lengths: The sizes of named axes, where they do not follow from the tensor's.

    Raises:
        ArgumentError: The pattern is not of this form, or does not have the same names on both sides.
        ShapeError: The tensor does not have the axes of the pattern.

    References:
        [Rogozhnikov, 2022](https://openreview.net/forum?id=oapKSVM2bcj)

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.rearrange(ops.ones((2, 6, 4)), "batch (rows columns) c -> batch c rows columns", rows=2))
    (2, 4, 2, 3)
    """
    sides = pattern.split("->") if isinstance(pattern, str) else ()
    if len(sides) != 2:
        raise ArgumentError("A pattern has one '->'.", where="pattern", received=repr(pattern), expected="such as 'a (b c) -> (a b) c'")
    left, right = (_groups(side, pattern) for side in sides)
    names, wanted = list(itertools.chain(*left)), list(itertools.chain(*right))
    if sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        raise ArgumentError("The pattern needs the same names on both sides, each once.", where="pattern", received=repr(pattern))
    own, sizes = shape(tensor), dict(axes_lengths)
    if unknown := set(sizes) - set(names):
        fix = "use it in the pattern, or leave it out"
        raise ArgumentError(f"The pattern has no axis '{min(unknown)}'.", where="axes_lengths", received=repr(pattern), fix=fix)
    if len(own) != len(left):
        fix = "one name for each axis, the batch's too"
        raise ShapeError(f"The pattern has {len(left)} axes, the tensor {len(own)}.", where="pattern", received=show(own), fix=fix)
    for group, total in zip(left, own, strict=True):
        open_ones = [name for name in group if name not in sizes]
        if len(open_ones) > 1:
            raise ArgumentError(f"The sizes of '{open_ones[0]}' and '{open_ones[1]}' do not follow.", where="axes_lengths", fix=f"pass {open_ones[0]}=")
        product = math.prod(sizes[name] for name in group if name in sizes)
        if isinstance(total, int) and ((total % product if product else total) if open_ones else total != product):
            fact = f"An axis of size {total} is not made of {' and '.join(group) or '1'} with {product}."
            raise ShapeError(fact, where="pattern", received=show(own), fix="give sizes whose product is the axis's")
        sizes.update((name, total // product if product else 0) for name in open_ones)
    x = reshape(tensor, [sizes[name] for name in names])
    x = transpose(x, tuple(names.index(name) for name in wanted))
    return reshape(x, [size_of([sizes[name] for name in group]) for group in right])


declare(globals())

__all__ = ["rearrange"]
