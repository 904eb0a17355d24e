"""The exception classes, and the one function that lays a message out.

Every class derives from the built-in that a Keras user would catch. A message is one sentence with
the fact, then `Where:`, `Received:`, `Expected:` and `Fix:` lines, of which a raiser gives what helps.
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


def clean(text: Any, limit: int = LIMIT) -> str:
    """`text` without control codes and at most `limit` characters long."""
    text = _CONTROL.sub("�", str(text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def layout(fact: str, where: Any = None, received: Any = None, expected: Any = None, fix: Any = None) -> str:
    """Lay out one message: the fact, then the lines that are given, within 1,000 characters.

    Example:

    >>> print(layout("x has 7 features.", where="dense", fix="pass 8 features"))
    x has 7 features.
    Where: dense
    Fix: pass 8 features
    """
    labels = {"Where": where, "Received": received, "Expected": expected, "Fix": fix}
    lines = [clean(fact, 420)]
    lines += [f"{label}: {clean(text, 320 if label == 'Fix' else 120)}" for label, text in labels.items() if text is not None]
    return "\n".join(lines)


def nearest(name: Any, options: Iterable[str]) -> str | None:
    """The option whose spelling is nearest to `name`, or None if none is near."""
    names = [str(option) for option in options]
    found = difflib.get_close_matches(str(name), names, n=1, cutoff=0.7)
    if found:
        return found[0]
    by_lower = {option.lower(): option for option in names}
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


class KeraunosError(Exception):
    """The base of every error that Keraunos raises on purpose.

    Args:
        fact: One sentence that says what is wrong, with the values.
        where: The layer's path, the op or the argument.
        received: What was given.
        expected: What was wanted.
        fix: Code, or words, that mend it.
    """

    def __init__(self, fact: str = "", *, where: Any = None, received: Any = None, expected: Any = None, fix: Any = None):
        self.fact, self.where, self.received, self.expected, self.fix = fact, where, received, expected, fix
        self._outer = ""
        super().__init__(layout(fact, where, received, expected, fix))

    def _rewrite(self) -> KeraunosError:
        inner = None if self.where == self._outer.rpartition(" > ")[2] else self.where
        place = f"{self._outer} ({inner})" if self._outer and inner else self._outer or self.where
        self.args = (layout(self.fact, place, self.received, self.expected, self.fix),)
        return self

    def at(self, place: str) -> KeraunosError:
        """Say where it happened, unless a place is already named; returns the error itself."""
        self.where = self.where or place
        return self._rewrite()

    def inside(self, name: str, received: Any = None) -> KeraunosError:
        """Put a layer's name before the place, as a breadcrumb: `model > encoder > dense`."""
        self._outer = f"{name} > {self._outer}" if self._outer else name
        self.received = self.received if self.received is not None else received
        return self._rewrite()


class ArgumentError(KeraunosError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentTypeError(KeraunosError, TypeError):
    """An argument is of a type that cannot be used, or there is no such argument."""


class ShapeError(KeraunosError, ValueError):
    """Shapes do not fit together."""


class DTypeError(KeraunosError, TypeError, ValueError):
    """A dtype is unknown, or cannot be used here."""


class DataError(KeraunosError, ValueError):
    """The data given to `fit`, `evaluate` or `predict` cannot be meant."""


class StateError(KeraunosError, ValueError):
    """Something is not built, not compiled, or already in use."""


class TrainingError(KeraunosError, RuntimeError):
    """Training cannot go on."""


class SymbolicError(KeraunosError, TypeError):
    """A symbolic tensor was used where only values can be."""


class BackendError(KeraunosError, NotImplementedError):
    """The active engine cannot do this."""


@contextlib.contextmanager
def needing(fact: str, where: str, package: str) -> Iterator[None]:
    """Imports of a package that need not be there: where it is not, the error says how to install it."""
    try:
        yield
    except ImportError:
        raise BackendError(fact, where=where, fix=f"pip install {package}") from None


class MissingNameError(KeraunosError, AttributeError):
    """A public name that does not exist."""


class ModelFileError(KeraunosError, ValueError):
    """A model file is damaged, unsafe, or does not fit."""


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
        raise ArgumentError(f"{name} cannot be {value!r}.", where=where, fix=suggestion(value, options))
    return value
