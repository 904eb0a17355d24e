"""What went wrong in a run, why, and what to do, in words for a person."""

from __future__ import annotations

import math
import re
import signal
from typing import Any

import numpy as np

from keraunos.core.errors import KeraunosError, clean
from keraunos.core.failures import translated

KILLED = 137  # what a worker that took too much memory ends with, as one that the system killed for it
HIGH_RATE = 10  # times the usual: a rate that is likely to blame
LARGE = 100.0  # numbers of the data that are likely to blame
DETAILS = 4000


def made(kind: str, title: str, text: str, fix: str, **more: Any) -> dict[str, Any]:
    """A trouble as the page is told of it: with its `layer`, `step` and `details`, if it has them, and the remedy as values of the training, `change`."""
    return {"kind": kind, "title": title, "text": text, "fix": fix, "layer": None, "step": None, "details": None, "change": None, **more}


# ---- numbers that are none ----
def not_finite(model: Any, document: Any, name: str, value: float, before: int, reach: dict[str, float]) -> dict[str, Any]:
    """Why a log became NaN or infinite.

    Args:
        model: The model, whose run knows the batch and the cause if they could be found.
        document: The network.
        name: The log.
        value: What it became.
        before: The number of steps before the epoch.
        reach: The largest absolute values of the data, by what it is.
    """
    batch, cause = model.position.cause or (None, None)
    layer = _named(cause or "", document)
    step = None if batch is None else before + batch + 1
    what = "NaN" if math.isnan(value) else "Infinity"
    place = f" in '{layer}'" if layer else " in the loss" if "the loss of them" in (cause or "") else ""
    title = what + (f" at step {step:,}" if step is not None else "") + place
    facts = [f"The {name.replace('_', ' ')} is no longer a number." if math.isnan(value) else f"The {name.replace('_', ' ')} became infinite."]
    if cause:
        facts.append(f"{cause[:1].upper()}{cause[1:]}.")
    found, fix, change = _blamed(model, document, reach)
    return made("nan", title, " ".join([*facts, *found]), fix, layer=layer, step=step, details=cause, change=change)


def exploding(model: Any, document: Any, loss: float, least: float, step: int, reach: dict[str, float]) -> dict[str, Any]:
    """Why the loss grows out of all bounds."""
    found, fix, change = _blamed(model, document, reach)
    text = f"The loss is {loss:.3g}; it was {least:.3g} at its best. Each step goes too far, and the next one farther."
    return made("exploding", f"The loss grows: {loss:.3g} at step {step:,}", " ".join([text, *found]), fix, step=step, change=change)


def _blamed(model: Any, document: Any, reach: dict[str, float]) -> tuple[list[str], str, dict[str, float] | None]:
    """What is likely to blame: the learning rate, and the size of the numbers; what to do, in words and, where it is one, as a value of the training."""
    rate, usual, kind = rates(model)
    facts: list[str] = []
    fixes: list[tuple[str, dict[str, float] | None]] = []
    if rate is not None and usual and rate >= HIGH_RATE * usual:
        times = f"{rate / usual:,.0f}" if rate < 1e6 * usual else f"{rate / usual:.0e}"
        facts.append(f"The learning rate, {rate:g}, is {times} times the usual {usual:g} of {kind}.")
        fixes.append((f"set the learning rate to {usual:g}", {"learning_rate": _short(usual)}))
    for what, largest in reach.items():
        if largest > LARGE:
            where, fix = ("targets", "scale the targets") if what == "targets" else ("inputs", "put a Normalization layer, or a Rescaling one, after the input")
            facts.append(f"The {where} reach {largest:.2g}; numbers near 1 are learnt more safely.")
            fixes.append((fix, None))
    risky = [layer["id"] for layer in document["layers"] if layer.get("options", {}).get("activation") == "exponential"]
    if risky:
        facts.append(f"'{risky[0]}' ends with an exponential, which overflows beyond 88.")
        fixes.append((f"another activation for '{risky[0]}'", None))
    lower = {"learning_rate": _short(rate / 10)} if rate else None
    fixes.append((f"lower the learning rate{f' to {rate / 10:g}' if rate else ''}, or clip the gradients (clipnorm 1)", lower))
    return facts, *fixes[0]


def _short(rate: float) -> float:
    """A learning rate as it is written, without what float32 makes of it."""
    return float(f"{rate:g}")


def rates(model: Any) -> tuple[float | None, float | None, str]:
    """The learning rate of a model's optimizer, the usual one of its kind, and the name of that."""
    optimizer = model.optimizer
    try:
        return float(np.asarray(optimizer.learning_rate)), float(np.asarray(type(optimizer)().learning_rate)), type(optimizer).__name__
    except (AttributeError, TypeError, ValueError):
        return None, None, type(optimizer).__name__


def _named(cause: str, document: Any) -> str | None:
    """The layer of the document that a cause names."""
    known = {layer["id"] for layer in document["layers"]}
    parts = [part for quoted in re.findall(r"'([^']*)'", cause) for part in quoted.split("/")]
    return next((part for part in parts if part in known), None)


# ---- errors ----
def of_error(error: BaseException, document: Any) -> dict[str, Any]:
    """What an error of the program means."""
    ours: Any = error if isinstance(error, KeraunosError) else translated(error) if isinstance(error, Exception) else None
    code, fact, fix = getattr(ours, "code", ""), getattr(ours, "fact", str(error)), getattr(ours, "fix", None)
    details = clean_text(f"{type(error).__name__}: {error}")
    if isinstance(error, MemoryError) or code == "KR710":
        return memory(document, details)
    layer = _named(str(ours), document) or next((part for part in re.split(r"\W+", str(getattr(ours, "where", ""))) if _named(f"'{part}'", document)), None)
    return made("error", clean(fact, 200), clean(fact, 600), fix or "change what the message names, then train again", layer=layer, details=details)


def memory(document: Any, details: str | None = None) -> dict[str, Any]:
    """A run that needed more memory than there is."""
    text = "The run needed more memory than there is, and was ended. The page and the other runs are not concerned."
    size = document["training"]["batch_size"]
    fix = f"a batch smaller than {size}, fewer units or filters, or fewer runs at once"
    return made("memory", "Out of memory", text, fix, details=details, change={"batch_size": size // 2} if size > 1 else None)


def of_exit(status: int, printed: str, document: Any) -> dict[str, Any]:
    """Why a process ended that should not have.

    Args:
        status: Its exit status; that of a signal is negative.
        printed: The end of what it printed.
        document: The network.
    """
    details = clean_text(printed.strip()[-DETAILS:]) or None
    if status == -9:
        text = "The system ended the process (SIGKILL). It does so where memory runs out; someone may also have ended it. The page and the other runs are not concerned."
        return memory(document, details) | {"title": "Ended by the system, perhaps out of memory", "text": text}
    if status == KILLED or re.search(r"bad_alloc|RESOURCE_EXHAUSTED|MemoryError|can't allocate memory", printed[-DETAILS:]):
        return memory(document, details)
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        text = f"The process was ended by {name}: a fault in the engine or the system, not in the network. The page and the other runs are not concerned."
        return made("crash", f"The process crashed ({name})", text, "train again; if it happens again, choose another engine", details=details)
    text = f"The process ended with status {status} before the training was over."
    return made("crash", "The process ended", text, "train again; what it printed last stands below", details=details)


def clean_text(text: str) -> str:
    """Text of several lines without control codes, at its end if it is long."""
    return "\n".join(clean(line, 400) for line in text.splitlines())[-DETAILS:]
