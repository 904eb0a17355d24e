"""Models as StableHLO: what XLA compiles, written and run by `jax.export`."""

from __future__ import annotations

import re
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, BackendError, KeraunosError
from keraunos.core.spec import Spec
from keraunos.export.tracing import OnEngine, telling
from keraunos.saving import files

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export(model: Any, path: Any, input_signature: Any = None, platforms: Any = ("cpu", "cuda", "tpu")) -> str:
    """Write a model as the artifact of `jax.export` for some platforms.

    `jax.export.deserialize(bytearray(content)).call(x)` runs it without Keraunos, whatever the batch's size; inputs have the model's structure.
    """
    platforms = tuple(platforms) if isinstance(platforms, (list, tuple, set)) else (platforms,)
    if not platforms or any(p not in PLATFORMS for p in platforms):
        expected = f"some of {', '.join(PLATFORMS)}"
        raise ArgumentError("The platforms of StableHLO are others.", where="platforms", received=platforms, expected=expected, fix='platforms=["cpu"]')
    content = _artifact(OnEngine(model, "jax", "stablehlo", input_signature), platforms)
    files.write(path, content)
    return f"for {', '.join(platforms)}"


def _artifact(traced: OnEngine, platforms: tuple[str, ...], shared: bool = False) -> bytearray:
    """The artifact. Sizes that are not known are free of each other if they can be; else those of one axis are equal (`shared`) in all inputs."""
    import jax
    from jax import export

    def run(*args: Any, **kwargs: Any) -> Any:
        with telling(traced.model.name):
            return traced(*tree.flatten((args, kwargs)))

    args, kwargs = _symbolic(traced, shared)
    try:
        return export.export(jax.jit(run), platforms=platforms)(*args, **kwargs).serialize()
    except (KeraunosError, jax.errors.InconclusiveDimensionOperation, TypeError) as error:
        cause, free = _first_cause(error), any(not isinstance(d, int) for x in traced.specs for d in x.shape)
        asked = isinstance(cause, jax.errors.InconclusiveDimensionOperation)
        if not free or not (asked or (isinstance(cause, TypeError) and not shared)):
            raise
        if shared:
            fact, received = f"'{traced.model.name}' asks for sizes that are not known while it is traced.", str(cause).partition("\n")[0]
            fix = "give all sizes, the batch's too: input_signature=[keras.InputSpec(shape=(1, 8))]"
            raise BackendError(fact, where=traced.model.name, received=received, fix=fix) from error
    return _artifact(traced, platforms, shared=True)


def _first_cause(error: BaseException) -> BaseException:
    """What an error came from."""
    return error if error.__cause__ is None else _first_cause(error.__cause__)


def _symbolic(traced: OnEngine, shared: bool) -> Any:
    """What the model is called with, as JAX takes it: sizes that are not known are symbols, the first of each input "batch"."""
    import jax
    from jax import export

    names, scope = iter(traced.names), export.SymbolicScope()

    def given(x: Spec) -> Any:
        name = "dim" if shared else re.sub(r"\W", "_", f"of_{next(names)}")
        sizes = [str(d) if isinstance(d, int) else "batch" if i == 0 else f"{name}_{i}" for i, d in enumerate(x.shape)]
        return jax.ShapeDtypeStruct(export.symbolic_shape(", ".join(sizes), scope=scope), traced.engine._available(x.dtype))

    return tree.map_structure(given, traced.structure)
