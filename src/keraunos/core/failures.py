"""What the exceptions of engines mean: the same words on every engine, and what to do.

An engine's exception that leaves an op, or one of a known kind that leaves a layer's `call`, is raised as an error of ours that is also of the
engine's class: who caught that one still does. The engine's own words stand in a note.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from keraunos.core.errors import ArgumentError, BackendError, DTypeError, KeraunosError, StateError, SymbolicError, TrainingError, clean


class EngineError(KeraunosError, RuntimeError):
    """An engine failed at an op."""

    code = "KR790"


class Meaning(NamedTuple):
    """A kind of failure: how engines put it, and how we do."""

    pattern: str  # of the class's name and the words of an engine's exception
    kind: type[KeraunosError]
    code: str
    fact: str
    fix: str


MEANINGS = (
    Meaning(
        r"RESOURCE_EXHAUSTED|ResourceExhausted|[Oo]ut of memory|OOM when|allocate|MemoryError|array is too big|Maximum allowed dimension|bad_alloc"
        r"|overflows? .*(size|bytes|elements)|[Tt]oo many elements|(size|shape) .*(too large|overflow)|more than 2\*\*63",
        TrainingError, "KR710", "There is not enough memory for a tensor.",
        "make it smaller: batch_size=…, fewer units, dtype_policy='mixed_bfloat16', or keraunos.remat(function)",
    ),
    Meaning(
        r"(Array|Buffer) has been (deleted|donated)", StateError, "KR715", "The values of the weights are gone: they were given to a step that failed.",
        "load them with model.load_weights(…), or make the model anew; compile(run_eagerly=True) keeps them when a step fails",
    ),
    Meaning(
        r"UnexpectedTracerError|is out of scope and cannot be used|MissingInputError",
        StateError, "KR722", "A tensor of a compiled step was kept and used after it.",
        "return it from call, or keep it in a weight that is not trainable: self.last.assign(x)",
    ),
    Meaning(
        r"ConcretizationTypeError|Tracer\w*ConversionError|NonConcreteBoolean|OperatorNotAllowedInGraph|symbolic (tf\.)?Tensor|'SymbolicTensor'"
        r"|do not support boolean|'TensorVariable'|Variable.*(to a numpy|constant value)|only available when eager",
        SymbolicError, "KR721", "A tensor's value is asked for while a step is compiled: it has none yet.",
        "use ops.where or ops.cond for `if`, ops in place of float(), NumPy and loops over rows; or compile(run_eagerly=True)",
    ),
    Meaning(
        r"requires_? ?grad\. Use tensor\.detach", SymbolicError, "KR721", "A NumPy array is asked of a tensor whose gradient is taken.",
        "use keraunos.ops in place of NumPy, or ops.convert_to_numpy(ops.stop_gradient(x)) where no gradient is needed",
    ),
    Meaning(
        r"Reverse-mode differentiation does not work|No gradient defined|NullTypeGrad|[Nn]ot differentiable|does not require grad and does not"
        r"|derivative for .* not implemented|(grad|L_op|pullback).*not (implemented|defined)|MethodNotDefined",
        BackendError, "KR711", "The engine cannot differentiate this.",
        "a loop: ops.fori_loop with Python's integers, or ops.scan; else ops.custom_gradient, or ops.stop_gradient around what need not learn",
    ),
    Meaning(
        r"device-side assert", ArgumentError, "KR107", "An index or a label lies beyond its axis, and this process can compute no more on the GPU.",
        "start Python anew; indices go from 0 to before the size of the axis, labels to before the number of classes",
    ),
    Meaning(
        r"[Ii]ndex .*out of (range|bounds)|is not in \[0, \d+\)|IndexError", ArgumentError, "KR107", "An index lies beyond its axis.",
        "indices go from 0 to before the size of the axis; for an Embedding, input_dim is the largest index + 1",
    ),
    Meaning(
        r"unsupported operand type|Expected all tensors to be on the same device|(incompatible|different) devices", ArgumentError, "KR712",
        "Tensors of two engines or devices meet in one computation.",
        "make both here: ops.convert_to_tensor(x), or keras.device(…) around what makes them",
    ),
    Meaning(
        r"not implemented for|not supported for|OpKernel|DataType \w+ not in|[Uu]nsupported dtype|(does not|doesn't|not) (accept|support).*dtype"
        r"|requires? .*dtype|No registered|ufunc .* not supported",
        DTypeError, "KR713", "The engine has no such op for this dtype.", "ops.cast(x, 'float32') first, and back afterwards",
    ),
)  # fmt: skip
_UNKNOWN = Meaning("", EngineError, "KR790", "", "see the engine's words below; keraunos.config.disable_traceback_filtering() shows where it failed")


@functools.cache
def _class(kind: type[KeraunosError], other: type[Exception]) -> Any:
    """A class of our errors that is also an engine's."""
    if issubclass(kind, other):
        return kind
    names = ("fact", "where", "received", "expected", "fix", "code", "_trail")
    own = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__reduce__": lambda self: (kind, self.args, {n: getattr(self, n) for n in names})}
    try:
        return type(kind.__name__, (kind, other), own)
    except TypeError:  # the engine's class does not allow it
        return kind


def translated(error: Exception, where: str | None = None, received: str | None = None, known: bool = False) -> KeraunosError | None:
    """Our form of an engine's exception, of its class too.

    Args:
        error: The exception.
        where: The op.
        received: What that was given.
        known: Whether only what is known to have a meaning is taken.

    Returns:
        The error to raise in its place, within the `except` block; None if there is no better one.
    """
    words = f"{type(error).__name__}: {error}"
    meaning = next((meaning for meaning in MEANINGS if re.search(meaning.pattern, words[:2000])), None)
    if meaning is None and known:
        return None
    kind, (_, base, code, fact, fix) = type(error), meaning or _UNKNOWN
    said = clean(str(error).strip() or kind.__name__, 400)
    try:
        made = _class(base, kind).__new__(_class(base, kind))
    except TypeError:
        made = base.__new__(base)
    made.__dict__.update(error.__dict__)
    short = said.partition("\n")[0].rstrip(".")
    KeraunosError.__init__(made, fact or f"The engine failed: {clean(short, 200)}.", where=where, received=received, fix=fix, code=code)
    made.__notes__ = [f"The engine says ({kind.__name__}): {said}", *getattr(error, "__notes__", ())]
    return made
