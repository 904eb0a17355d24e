"""What ONNX's opsets have: each node is looked up in the schema of the graph's opset, and written in another form or refused where that lacks it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from keraunos.core.errors import BackendError

_TYPES = {
    "float32": "float",
    "float64": "double",
    "float8_e4m3fn": "float8e4m3fn",
    "float8_e5m2": "float8e5m2",
}  # ONNX's names of dtypes, where they are others


@functools.cache
def _inputs(type: str, opset: int) -> list[frozenset[str]] | None:
    """Which types each input of an operator takes, the last one's any more that there are; None if the opset has no such operator."""
    import onnx

    try:
        schema = onnx.defs.get_schema(type, opset)
    except onnx.defs.SchemaError:
        return None
    constraints = {c.type_param_str: frozenset(c.allowed_type_strs) for c in schema.type_constraints}
    return [constraints.get(x.type_str, frozenset([x.type_str])) for x in schema.inputs]


def lacking(type: str, dtypes: Sequence[str | None], opset: int) -> str | None:
    """What an opset lacks for a node: the operator, or one that takes these dtypes (None where an input is left out); None if it has all."""
    allowed = _inputs(type, opset)
    if allowed is None:
        return type
    for i, dtype in enumerate(dtypes):
        if dtype is not None and f"tensor({_TYPES.get(dtype, dtype)})" not in allowed[min(i, len(allowed) - 1)]:
            return f"{type} of {dtype}"
    return None


def check(type: str, dtypes: Sequence[str | None], opset: int) -> None:
    """Raise unless an opset has the operator of a node, for its dtypes.

    Raises:
        BackendError: It has not; a later one may.
    """
    what = lacking(type, dtypes, opset)
    if what is not None:
        refuse(what, next((later for later in range(opset + 1, newest() + 1) if lacking(type, dtypes, later) is None), None), opset)


def refuse(what: str, since: int | None, opset: int) -> None:
    """Raise because an opset lacks something, which came with a later one, or with none."""
    if since is None:
        raise BackendError(f"ONNX has no {what}.", fix="compute it with other ops, or in another dtype: ops.cast(x, 'float32')")
    raise BackendError(f"ONNX opset {opset} has no {what}; opset {since} has.", fix=f"export with opset_version={since}")


def newest() -> int:
    """The newest opset of the ONNX package."""
    import onnx

    return onnx.defs.onnx_opset_version()
