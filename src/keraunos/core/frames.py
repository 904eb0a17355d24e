"""Tracebacks of an error: the user's frames, and the last of ours.

`shorten(error)` is called where an error leaves what the user called, in an `except` or `__exit__`, before a bare `raise`: Python then adds
no frame of its own there. It costs nothing until something fails.
"""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import ParamSpec, TypeVar

from keraunos.core import config
from keraunos.core.errors import ArgumentTypeError, KeraunosError, suggestion

P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E", bound=BaseException)

OURS = "keraunos"
# What became of arguments that Keras once had.
GONE = {
    "nb_epoch": "epochs=…", "lr": "learning_rate=…", **dict.fromkeys(("workers", "use_multiprocessing", "max_queue_size"), "give them to the data: PyDataset(workers=…)"),
    "decay": "learning_rate=keras.optimizers.schedules.InverseTimeDecay(…)", "input_dim": "begin the model with keras.Input((…,))", "nb_filter": "filters=…",
}  # fmt: skip
# Packages whose frames tell a user nothing, beside our own: the engines', what calls and decorates functions, the command's.
INNER = {OURS, "jax", "jaxlib", "torch", "tensorflow", "pytensor", "numpy", "onnx", "optree", "h5py", "contextlib", "functools", "click", "typer"}


def package(trace: TracebackType) -> str:
    """The outermost package of the code that a frame runs."""
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def warn(message: str) -> None:
    """Warn of a line of the user's: the innermost that is not ours."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] in INNER:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)


def is_users(error: BaseException) -> bool:
    """Whether an error arose in the user's own code, rather than in ours or an engine's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and package(trace) not in INNER


def shorten(error: BaseException) -> None:
    """Take out of the traceback all frames but the user's and the last of ours, unless the user wants to see them.

    Args:
        error: What is about to be raised again, by a bare `raise`.
    """
    if not config.is_traceback_filtering_enabled():
        return
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append(trace)
        trace = trace.tb_next
    if notes := getattr(error, "__notes__", None):  # JAX says that it took out frames of its own
        error.__notes__ = [note for note in notes if "JAX has removed its internal frames" not in note]
    last, kept = next((trace for trace in reversed(frames) if package(trace) == OURS), None), None
    for trace in reversed(frames):
        if trace is last or package(trace) not in INNER:
            kept = TracebackType(kept, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    error.__traceback__ = kept


def instead(better: E, error: BaseException, inner: bool = False) -> E:
    """`better`, to be raised in place of `error`: with no other traceback, unless the user wants to see all.

    Args:
        better: What says it better.
        error: What is being handled.
        inner: Whether frames of the user's lie between here and where the error arose: they are kept.
    """
    if config.is_traceback_filtering_enabled():
        shorten(error)
        better.__traceback__ = error.__traceback__ if inner else None
    else:
        better.__cause__ = error
    return better


def shortened(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which users call, with its errors' tracebacks shortened."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if isinstance(error, KeraunosError):
                if not error._trail:  # it says where already
                    error.at(type(args[0]).__name__ if function.__name__ == "__init__" else function.__name__)
            elif isinstance(error, TypeError):
                _refuse_unknown(function, kwargs)
            shorten(error)
            raise

    return call


def _refuse_unknown(function: Callable[..., object], kwargs: dict[str, object]) -> None:
    """Raise if an argument is none of a function's: it is misspelt, or was one once."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    options = [name for name in parameters if name != "self"]
    if wrong := next((name for name in kwargs if name not in options), None):
        place = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
        raise ArgumentTypeError(f"{place} has no argument '{wrong}'.", where=place, fix=GONE.get(wrong) or suggestion(wrong, options), code="KR811") from None
