"""Values by patterns of paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from keraunos.core.errors import ArgumentError


class Patterns(MutableMapping[str, Any]):
    """A dict of values by regular expressions; a subclass says which one a path finds, in `__getitem__`.

    Raises:
        ArgumentError: A pattern is there already, or is none.
    """

    def __init__(self) -> None:
        self._map: dict[str, Any] = {}

    def checked(self, key: str, value: Any) -> Any:
        """What is kept for a value."""
        return value

    def only(self, path: str, fits: Callable[[str, str], Any], default: Any = None) -> Any:
        """The value of a key, or of the one pattern that fits a path; `default` where none does.

        Raises:
            ArgumentError: Several fit.
        """
        if path in self._map:
            return self._map[path]
        found = [pattern for pattern in self._map if fits(pattern, path)]
        if len(found) > 1:
            where = type(self).__name__
            fact = f"Several keys of the {where} match the path '{path}'."
            raise ArgumentError(fact, where=where, received=", ".join(map(repr, found)), fix="let only one match")
        return self._map[found[0]] if found else default

    def __setitem__(self, key: str, value: Any) -> None:
        where = type(self).__name__
        if key in self._map:
            raise ArgumentError(f"The pattern {key!r} is in the {where} already.", where=where, fix=f"delete it first: del …[{key!r}]")
        try:
            re.compile(key)
        except (re.error, TypeError) as error:
            raise ArgumentError(f"{key!r} is not a regular expression: {error}.", where=where, fix="escape what is meant literally: re.escape(key)") from None
        self._map[key] = self.checked(key, value)

    def __delitem__(self, key: str) -> None:
        del self._map[key]

    def __contains__(self, key: object) -> bool:
        return key in self._map

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map)
