"""Models as StableHLO: what XLA compiles, written and run by `jax.export`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, BackendError, KeraunosError
from keraunos.core.functional import Trace
from keraunos.core.scope import within
from keraunos.core.spec import Spec
from keraunos.export import no_more_options
from keraunos.export.tracing import OnEngine, without_memory
from keraunos.saving import files

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def export(
    model: Any, filepath: Any, verbose: bool | None = None, input_signature: Any = None, platforms: Iterable[str] = ("cpu", "cuda", "tpu"), **kwargs: Any
) -> None:
    """Write a model as the artifact of `jax.export`; the arguments are those of `export_model`, and the platforms that it will run on.

    `jax.export.deserialize(bytearray(content)).call(x)` runs it without Keraunos, whatever the batch's size; inputs have the model's structure.
    """
    no_more_options("stablehlo", kwargs, ["platforms"])
    path = files.new(filepath, ".stablehlo", "A StableHLO artifact is")
    platforms = (platforms,) if isinstance(platforms, str) else tuple(platforms)
    wrong = next((p for p in platforms if p not in PLATFORMS), None)
    if wrong is not None or not platforms:
        expected = f"some of {', '.join(PLATFORMS)}"
        raise ArgumentError("The platforms of StableHLO are others.", where="platforms", received=platforms, expected=expected, fix='platforms=["cpu"]')
    content = _artifact(OnEngine(model, "jax", "stablehlo", input_signature), platforms)
    with files.replacing(path, overwrite=True) as stream:
        stream.write(content)
    if verbose:
        print(f"Wrote '{path}': {model.name}, for {', '.join(platforms)}.")


def _artifact(traced: OnEngine, platforms: tuple[str, ...]) -> bytearray:
    """The artifact. Sizes that are not known are free of each other if they can be; else those of one axis are equal in all inputs."""
    import jax
    from jax import export

    def run(*args: Any, **kwargs: Any) -> Any:
        trace = Trace()
        with within(trace=trace):
            out = traced(*tree.flatten((args, kwargs)))
        without_memory(traced.model, trace, "stablehlo")
        return out

    for shared in (False, True):
        args, kwargs = _symbolic(traced, shared)
        try:
            return export.export(jax.jit(run), platforms=platforms)(*args, **kwargs).serialize()
        except (KeraunosError, jax.errors.InconclusiveDimensionOperation, TypeError) as error:
            cause, free = _first_cause(error), any(not isinstance(d, int) for x in traced.specs for d in x.shape)
            asked = isinstance(cause, jax.errors.InconclusiveDimensionOperation)
            if not free or not isinstance(cause, (jax.errors.InconclusiveDimensionOperation, TypeError)) or (shared and not asked):
                raise
            if shared:
                fact, received = f"'{traced.model.name}' asks for sizes that are not known while it is traced.", str(cause).partition("\n")[0]
                fix = "give all sizes, the batch's too: input_signature=[keras.InputSpec(shape=(1, 8))]"
                raise BackendError(fact, where=traced.model.name, received=received, fix=fix) from error
    raise AssertionError


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
