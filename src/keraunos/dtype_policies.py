"""Dtype policies: in which dtype a layer computes, and in which it keeps its variables."""

from __future__ import annotations

from typing import Any

from keraunos.core import config
from keraunos.core.dtypes import BITS, standardize_dtype
from keraunos.core.errors import ArgumentError, suggestion
from keraunos.core.fields import Declared
from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "dtype_policy", "get", "serialize", "set_dtype_policy"]

_MIXED = {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
_global: list[DTypePolicy] = []  # what `set_dtype_policy` set, if anything


class DTypePolicy(Declared):
    """In which dtype a layer computes, and in which it keeps its variables.

    Args:
        name: A dtype ("float32"), "mixed_bfloat16" or "mixed_float16" (variables in float32).

    Raises:
        ArgumentError: There is no such policy.

    Example:

    >>> policy = DTypePolicy("mixed_bfloat16")
    >>> policy.compute_dtype, policy.variable_dtype
    ('bfloat16', 'float32')
    """

    name: str | None = None

    def setup(self) -> None:
        """Derive the dtypes from the name."""
        name = self.name = self.name or config.floatx()
        if name not in _MIXED and name not in BITS:
            raise ArgumentError(f"There is no dtype policy {name!r}.", fix=suggestion(name, [*_MIXED, "float32", "float64", "bfloat16", "float16"]))
        self.compute_dtype = _MIXED.get(name, name)
        self.variable_dtype = "float32" if name in _MIXED else name
        self.quantization_mode = None

    @property
    def is_mixed(self) -> bool:
        """Whether it computes in another dtype than its variables have."""
        return self.compute_dtype != self.variable_dtype

    def convert_input(self, x: Any, autocast: bool, dtype: str) -> Any:
        """`x` in `dtype` if it is a float of another and `autocast` is true."""
        from keraunos import ops

        return ops.cast(x, dtype) if autocast and standardize_dtype(x.dtype).startswith(("float", "bfloat")) else x

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


class FloatDTypePolicy(DTypePolicy):
    """A policy of floating dtypes; the former name of `DTypePolicy`."""


_registry = Registry("dtype policy", {"DTypePolicy": DTypePolicy, "FloatDTypePolicy": FloatDTypePolicy}, base=DTypePolicy)
_, serialize, deserialize = _registry.functions("dtype_policy")


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a dtype, a config, or None (the global one)."""
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return DTypePolicy(identifier if identifier in _MIXED else standardize_dtype(identifier))


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one."""
    return _global[-1] if _global else DTypePolicy(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are made without one."""
    _global[:] = [get(policy)]


answer_for(__name__)
