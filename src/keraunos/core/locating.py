"""Which layer and op it was that failed in a compiled program or in a gradient, where the engine does not say: found by running it again.

Nothing of this runs before something has failed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import KeraunosError
from keraunos.core.failures import translated
from keraunos.core.frames import instead, is_users
from keraunos.core.scope import within
from keraunos.core.spec import OPERATORS, show


def failed(error: Exception, run: Callable[[], Any]) -> BaseException | None:
    """A better error than that of a compiled program: the one of the first op that fails when it runs op by op.

    Args:
        error: What the program raised.
        run: Runs the function as it is, and keeps what it assigns to itself.
    """
    if isinstance(error, KeraunosError) or hasattr(error, "_trail") or is_users(error):
        return None  # it arose in Python, while the program was being traced: its place is known
    found = None
    try:
        if "device-side assert" not in str(error):  # after which every op fails
            run()
    except KeraunosError as better:
        found = better
    except Exception:  # the engine's own, again
        found = None
    found = found or translated(error, known=True)
    return None if found is None else instead(found, error)


def without_gradient(error: Exception, run: Callable[[], Any]) -> BaseException | None:
    """A better error than that of an engine which cannot differentiate: it names the layer.

    Args:
        error: What the engine raised after the function itself was done.
        run: Runs the function, and keeps what it assigns to itself.
    """
    found = None
    try:
        with within(monitor=_try_gradient):
            run()
    except KeraunosError as better:
        found = better
    except Exception:  # not what is looked for
        found = None
    found = found or (None if isinstance(error, KeraunosError) else translated(error, known=True))
    return None if found is None else instead(found, error)


def _try_gradient(layer: Any, args: Any, outputs: Any) -> None:
    """Differentiate a layer alone, by its inputs, as the debugging hook that sees each layer: those inside others come first."""
    backend = config.active()

    def floats(structure: Any) -> list[Any]:
        return [x for x in tree.flatten(structure) if backend.is_tensor(x) and x.dtype in backend.float_dtypes]

    inputs = floats(args)
    if not inputs or not floats(outputs):
        return

    def loss(values: list[Any]) -> Any:
        given = iter(values)
        out = layer(*tree.map_structure(lambda x: next(given) if any(x is y for y in inputs) else x, args))
        total: Any = 0.0
        for y in floats(out):
            total = total + OPERATORS["sum"](y)
        return total, None

    try:
        with within(monitor=None):
            backend.differentiate(loss, inputs)
    except Exception as error:
        named = re.search(r"lax\.(\w+)|operation '?(\w+)", str(error))  # the op, as far as the engine says
        place = f"the gradient of {named[1] or named[2]}" if named else "the gradient"
        better = error if isinstance(error, KeraunosError) else translated(error, place)
        if better is not None and not better._trail:
            raise better.inside(layer.name, ", ".join(str(show(tuple(x.shape))) for x in inputs)) from None
        raise
