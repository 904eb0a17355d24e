"""Ops that act on each element by itself."""

from __future__ import annotations

from keraunos.core.op import FLOATING, PROMOTED, Tensor, composite, primitive
from keraunos.ops.rules import broadcast, same


@primitive(shape=broadcast, dtype=PROMOTED)
def add(x1: Tensor, x2: Tensor): ...


@primitive(shape=broadcast, dtype=PROMOTED)
def multiply(x1: Tensor, x2: Tensor): ...


@primitive(shape=same, dtype=FLOATING)
def exp(x: Tensor): ...


@composite(dtype=FLOATING)
def expm1x(x: Tensor):
    return exp(x) + -1.0
