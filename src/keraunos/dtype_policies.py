"""Dtype policies: in which dtype a layer computes, and in which it keeps its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from keraunos.core import config
from keraunos.core.dtypes import BITS, standardize_dtype
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, suggestion
from keraunos.core.fields import Declared
from keraunos.core.missing import answer_for
from keraunos.core.patterns import Patterns
from keraunos.core.registry import Registry

__all__ = ["DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "deserialize", "dtype_policy", "get", "serialize", "set_dtype_policy"]

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
            known = [*_MIXED, "float32", "float64", "bfloat16", "float16"]
            raise ArgumentError(f"There is no dtype policy {name!r}.", where="dtype", fix=suggestion(name, known))
        self.compute_dtype = _MIXED.get(name, name)
        self.variable_dtype = "float32" if name in _MIXED else name
        self.quantization_mode = None

    @property
    def is_mixed(self) -> bool:
        """Whether it computes in another dtype than its variables have."""
        return self.compute_dtype != self.variable_dtype

    def of(self, path: str) -> DTypePolicy:
        """The policy of a layer with this path."""
        return self

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
    """A policy of floating dtypes; the former name of `DTypePolicy`.

    Args:
        name: A dtype ("float32"), "mixed_bfloat16" or "mixed_float16" (variables in float32).

    Example:

    >>> import keraunos as keras
    >>> keras.FloatDTypePolicy("bfloat16").variable_dtype
    'bfloat16'
    """


class DTypePolicyMap(DTypePolicy, Patterns):
    """Policies by the paths of layers: given as `dtype` to all of a model's layers, each takes its own.

    Args:
        default_policy: The policy of layers that no key stands for; the global one by default.
        policy_map: Policies by path, or by regular expressions that match whole paths.

    Raises:
        ArgumentError: A key is taken, or no regular expression, or several match one path.

    Example:

    >>> import keraunos as keras
    >>> policies = keras.dtype_policies.DTypePolicyMap(policy_map={"block/.*": "mixed_bfloat16"})
    >>> policies["block/dense"], policies["head"]
    (<DTypePolicy "mixed_bfloat16">, <DTypePolicy "float32">)
    """

    def __init__(self, default_policy: Any = None, policy_map: dict[str, Any] | None = None):
        if policy_map is not None and not isinstance(policy_map, Mapping):
            raise ArgumentTypeError("policy_map must be a dict.", where="DTypePolicyMap", received=type(policy_map).__name__)
        Patterns.__init__(self)
        self._follows, self.default_policy = default_policy is None, get(default_policy).of("")
        self.update(policy_map or {})

    name = property(lambda self: f"map_{self.default_policy.name}", doc="The default policy's, marked.")  # pyright: ignore[reportAssignmentType]
    compute_dtype = property(lambda self: self.default_policy.compute_dtype, doc="The default policy's.")
    variable_dtype = property(lambda self: self.default_policy.variable_dtype, doc="The default policy's.")
    quantization_mode = property(lambda self: self.default_policy.quantization_mode, doc="The default policy's.")

    def of(self, path: str) -> DTypePolicy:
        return self[path]

    def __getitem__(self, key: str) -> DTypePolicy:
        return self.only(key, re.fullmatch, self.default_policy)

    def checked(self, key: str, value: Any) -> DTypePolicy:
        return get(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicyMap) and (other.default_policy, other._map) == (self.default_policy, self._map)

    __hash__ = object.__hash__

    def get_config(self) -> dict[str, Any]:
        """The default policy's name, None for the global one, and the configs of the others."""
        default = None if self._follows else self.default_policy.name
        return {"default_policy": default, "policy_map": {key: serialize(policy) for key, policy in self._map.items()}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> DTypePolicyMap:
        """Make a map from what `get_config` returned."""
        return cls(config["default_policy"], {key: deserialize(policy, custom_objects) for key, policy in config["policy_map"].items()})

    def __repr__(self) -> str:
        return f"<DTypePolicyMap default_policy={self.default_policy.name}, mapping={[(key, policy.name) for key, policy in self._map.items()]}>"


_CLASSES = {"DTypePolicy": DTypePolicy, "DTypePolicyMap": DTypePolicyMap, "FloatDTypePolicy": FloatDTypePolicy}
_registry = Registry("dtype policy", _CLASSES, base=DTypePolicy)
serialize, deserialize = _registry.functions(__name__, "DTypePolicy(name='mixed_bfloat16')", "dtype_policy")[1:]


def get(identifier: Any) -> DTypePolicy:
    """A policy from a policy, a dtype, a config, or None (the global one).

    Args:
        identifier: A `DTypePolicy`; the name of one, or of a dtype; what `serialize` gave; or None.

    Raises:
        ArgumentError: There is no such policy.

    Example:

    >>> import keraunos as keras
    >>> keras.dtype_policies.get("mixed_float16").compute_dtype
    'float16'
    """
    if identifier is None:
        return dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    try:
        return DTypePolicy(identifier if identifier in _MIXED else standardize_dtype(identifier))
    except DTypeError:
        return DTypePolicy(str(identifier))  # which refuses it: the names of policies are more than those of dtypes


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are made without one.

    Example:

    >>> import keraunos as keras
    >>> keras.config.dtype_policy()
    <DTypePolicy "float32">
    """
    return _global[-1] if _global else DTypePolicy(config.floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers that are made without one, from now on.

    Args:
        policy: A `DTypePolicy`, or the name of one, such as "mixed_bfloat16".

    Raises:
        ArgumentError: There is no such policy.

    Example:

    >>> import keraunos as keras
    >>> keras.config.set_dtype_policy("mixed_bfloat16")
    >>> keras.layers.Dense(2).compute_dtype, keras.layers.Dense(2).variable_dtype
    ('bfloat16', 'float32')
    >>> keras.config.set_dtype_policy("float32")
    """
    _global[:] = [get(policy)]


answer_for(__name__)
