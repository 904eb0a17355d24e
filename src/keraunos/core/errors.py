"""The exception classes, and the one function that lays a message out.

Every class derives from the built-in that a Keras user would catch. A message is one sentence with
the fact, then `Where:`, `Inputs:`, `Received:`, `Expected:` and `Fix:` lines, of which a raiser gives what helps.
The last line has a stable code: that of the kind of mistake where the raiser gives one, else that of the class.
What each means stands in `cli/errors.md`, which is `docs/errors.md` and what `keraunos explain KR104` prints.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Any

LIMIT = 1000
NUMBERS_FIRST = "turn it into numbers first, with TextVectorization or StringLookup"  # what to do with text
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def clean(text: Any, limit: int = LIMIT, keep_end: bool = False) -> str:
    """`text` without control codes and at most `limit` characters long: its beginning, or its end."""
    text = _CONTROL.sub("�", str(text))
    if len(text) <= limit:
        return text
    return "…" + text[1 - limit :] if keep_end else text[: limit - 1] + "…"


def layout(
    fact: str, where: Any = None, received: Any = None, expected: Any = None, fix: Any = None, *, inputs: str | None = None, code: str | None = None
) -> str:
    """Lay out one message: the fact, then the lines that are given, within 1,000 characters.

    Example:

    >>> print(layout("x has 7 features.", where="dense", fix="pass 8 features", code="KR101"))
    x has 7 features.
    Where: dense
    Fix: pass 8 features
    More: keraunos explain KR101
    """
    labels = {"Where": where, "Inputs": inputs, "Received": received, "Expected": expected, "Fix": fix}
    given = [(label, text) for label, text in labels.items() if text is not None]
    message = ""
    for of_fact, of_fix, of_rest in ((420, 320, 160), (340, 220, 80)):  # the second where all lines are there, and long
        lines = [clean(fact, of_fact)]
        lines += [f"{label}: {clean(text, of_fix if label == 'Fix' else of_rest, keep_end=label == 'Where')}" for label, text in given]
        message = "\n".join([*lines, f"More: keraunos explain {code}"] if code else lines)
        if len(message) <= LIMIT:
            break
    return message


def nearest(name: Any, options: Iterable[str]) -> str | None:
    """The option whose spelling is nearest to `name`, or None if none is near."""
    names = [str(option) for option in options]
    found = difflib.get_close_matches(str(name), names, n=1, cutoff=0.7)
    if found:
        return found[0]
    by_lower = {option.lower(): option for option in names}
    if begun := [option for lower, option in by_lower.items() if len(str(name)) > 1 and lower.startswith(str(name).lower())]:
        return min(begun, key=len)
    found = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: Any, options: Iterable[str], shown: int = 12) -> str:
    """What to say of a misspelt name: the nearest right one, or what there is."""
    options = list(options)
    near = nearest(name, options)
    if near is not None:
        return f"Did you mean '{near}'?"
    listed = ", ".join(f"'{option}'" for option in options[:shown])
    return f"Available: {listed}{', …' if len(options) > shown else ''}."


Trail = list[tuple[str, str | None]]  # the names of layers, from the outermost, and the shapes of what each was called on


def _crumbs(trail: Trail) -> tuple[str, str | None]:
    """The path through the layers, and the shapes along it."""
    return " > ".join(name for name, _ in trail), " > ".join(shapes for _, shapes in trail if shapes) or None


class KeraunosError(Exception):
    """The base of every error that Keraunos raises on purpose.

    Args:
        fact: One sentence that says what is wrong, with the values.
        where: The layer's path, the op or the argument.
        received: What was given.
        expected: What was wanted.
        fix: Code, or words, that mend it.
        code: The code of this kind of mistake, a heading of `docs/errors.md`; that of the class by default.
    """

    code: str = "KR800"

    def __init__(self, fact: str = "", *, where: Any = None, received: Any = None, expected: Any = None, fix: Any = None, code: str | None = None):
        self.fact, self.where, self.received, self.expected, self.fix = fact, where, received, expected, fix
        self._trail: Trail = []
        if code is not None:
            self.code = code
        self._rewrite()

    def __str__(self) -> str:
        return self.args[0]

    def __setstate__(self, state: dict[str, Any] | None) -> None:  # of a pickle: made anew, its message would be its fact
        self.__dict__.update(state or {})
        self._rewrite()

    def _rewrite(self) -> KeraunosError:
        place, inputs = self.where, None
        if self._trail:
            path, inputs = _crumbs(self._trail)
            place = path + (f" ({place})" if place and place != self._trail[-1][0] else "")
            inputs = None if inputs == str(self.received) else inputs
        self.args = (layout(self.fact, place, self.received, self.expected, self.fix, inputs=inputs, code=self.code),)
        return self

    def at(self, place: str) -> KeraunosError:
        """Say where it happened, unless a place is already named; returns the error itself."""
        self.where = self.where or place
        return self._rewrite()

    def inside(self, name: str, inputs: str | None = None) -> KeraunosError:
        """Put a layer's name, and the shapes of its inputs, before the place, as a breadcrumb: `model > encoder > dense`."""
        self._trail.insert(0, (name, inputs))
        return self._rewrite()


def inside(error: BaseException, name: str, inputs: str | None = None) -> None:
    """Put a layer's name before the place that an error names; one that is not ours keeps its class and words, and gets a note.

    Example:

    >>> error = KeyError("width")
    >>> inside(error, "dense", "(2, 8)"); inside(error, "model")
    >>> error.__notes__
    ['Where: model > dense\\nInputs: (2, 8)']
    """
    if isinstance(error, KeraunosError):
        error.inside(name, inputs)
        return
    trail: Trail = error.__dict__.setdefault("_trail", [])
    former, _ = _note(trail), trail.insert(0, (name, inputs))
    error.__notes__ = [_note(trail), *(note for note in getattr(error, "__notes__", ()) if note != former)]


def _note(trail: Trail) -> str:
    path, inputs = _crumbs(trail)
    return layout("", path, inputs=inputs).strip()


class ArgumentError(KeraunosError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentTypeError(KeraunosError, TypeError):
    """An argument is of a type that cannot be used, or there is no such argument."""

    code = "KR810"


class ShapeError(KeraunosError, ValueError):
    """Shapes do not fit together."""

    code = "KR100"


class DTypeError(KeraunosError, TypeError, ValueError):
    """A dtype is unknown, or cannot be used here."""

    code = "KR110"


class DataError(KeraunosError, ValueError):
    """The data given to `fit`, `evaluate` or `predict` cannot be meant."""

    code = "KR200"


class StateError(KeraunosError, ValueError):
    """Something is not built, not compiled, or already in use."""

    code = "KR400"


class TrainingError(KeraunosError, RuntimeError):
    """Training cannot go on."""

    code = "KR500"


class SymbolicError(KeraunosError, TypeError):
    """A symbolic tensor was used where only values can be."""

    code = "KR720"


class BackendError(KeraunosError, NotImplementedError):
    """The active engine cannot do this."""

    code = "KR700"


@contextlib.contextmanager
def needing(fact: str, where: str, package: str) -> Iterator[None]:
    """Imports of a package that need not be there: where it is not, the error says how to install it."""
    try:
        yield
    except ImportError:
        raise BackendError(fact, where=where, fix=f"pip install {package}", code="KR702") from None


class MissingNameError(KeraunosError, AttributeError):
    """A public name that does not exist."""

    code = "KR820"


class ModelFileError(KeraunosError, ValueError):
    """A model file is damaged, unsafe, or does not fit."""

    code = "KR600"


class FileWriteError(KeraunosError, OSError):
    """A file could not be written; what stood there before is untouched."""

    code = "KR600"


def not_positive_definite() -> ArgumentError:
    """What the Cholesky decomposition says of a matrix that has none."""
    return ArgumentError("x is not positive definite.", fix="pass a symmetric matrix, with a small multiple of the identity added if need be")


def no_such_class(classes: int) -> ArgumentError:
    """What a crossentropy says of a label beyond the outputs."""
    return ArgumentError("target has a class that output does not have.", where="target", expected=f"0 to {classes - 1}")


def one_of(name: str, value: Any, options: Iterable[str], where: Any = None) -> Any:
    """`value`, which must be one of a few.

    Raises:
        ArgumentError: It is none of them.

    Example:

    >>> one_of("padding", "valid", ("valid", "same"))
    'valid'
    """
    if value not in options:
        raise ArgumentError(f"{name} cannot be {value!r}.", where=where, fix=suggestion(value, options), code="KR801")
    return value
