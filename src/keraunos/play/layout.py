"""How Python is laid out: as `ruff format` and `black` would do it by themselves, in lines of 88 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

WIDTH = 88


class Group(NamedTuple):
    """Brackets with what stands in them; on one line, or with a line for each item."""

    begin: str
    items: Sequence[Group | str]
    end: str
    broken: bool = False  # whether it has a line for each item however short it is

    def flat(self) -> str | None:
        """It as one line, unless it must not be one."""
        items = [item if isinstance(item, str) else item.flat() for item in self.items]
        return None if self.broken or None in items else f"{self.begin}{', '.join(map(str, items))}{self.end}"

    def lines(self, depth: int, after: str = "") -> Iterator[str]:
        """It at a depth of indentation, with what follows its end."""
        flat, margin = self.flat(), " " * 4 * depth
        if not self.items or (flat is not None and len(margin + flat + after) <= WIDTH):
            yield margin + self.begin + self.end + after if flat is None else margin + flat + after
            return
        yield margin + self.begin
        for item in self.items:
            yield from [f"{margin}    {item},"] if isinstance(item, str) else item.lines(depth + 1, ",")
        yield margin + self.end + after


def literal(value: Any) -> str:
    """A number, text, boolean, None, list or mapping in Python; text as formatters write it, in double quotes, and lists as tuples."""
    if isinstance(value, str):
        return '"' + repr("'" + value)[2:] if '"' not in value else repr(value)
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{literal(key)}: {literal(item)}' for key, item in value.items())}}}"
    return repr(value)


def in_function(group: Group) -> str:
    """The lines that brackets take in the body of a function, without its indentation."""
    return textwrap.dedent("\n".join(group.lines(1)))
