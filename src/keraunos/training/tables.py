"""Tables of what was measured: printed in a terminal, shown by notebooks, and rows to compute with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape as plain
from rich.table import Table as Drawn


class Table:
    """Rows that are dataclasses, each field a column whose `metadata` may say its title and how a value is written.

    Args:
        title: What the table is about.
        rows: The rows.
        notes: Lines below it.
    """

    def __init__(self, title: str, rows: Sequence[Any], notes: Sequence[str] = ()):
        self.title, self.rows, self.notes = title, list(rows), list(notes)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __getitem__(self, name: Any) -> Any:
        """The row of a name, or of a place."""
        if isinstance(name, str):
            return next(row for row in self.rows if row.name == name)
        return self.rows[name]

    def _cells(self) -> tuple[list[str], list[bool], list[list[str]]]:
        fields = [field for field in dataclasses.fields(self.rows[0]) if "title" in field.metadata] if self.rows else []
        rows = [[field.metadata["write"](getattr(row, field.name)) for field in fields] for row in self.rows]
        indents = ["  " * getattr(row, "depth", 0) for row in self.rows]
        rows = [[indent + first, *rest] for indent, (first, *rest) in zip(indents, rows, strict=True)]
        return [field.metadata["title"] for field in fields], [field.metadata["right"] for field in fields], rows

    def __str__(self) -> str:
        titles, rights, rows = self._cells()
        drawn = Drawn(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for title, right in zip(titles, rights, strict=True):
            drawn.add_column(title, justify="right" if right else "left", no_wrap=True)
        for row in rows:
            drawn.add_row(*map(plain, row))
        console = Console(width=max(40, sum(max(len(r[i]) for r in [titles, *rows]) + 3 for i in range(len(titles)))))
        with console.capture() as capture:
            console.print(plain(self.title), highlight=False)
            console.print(drawn)
            for note in self.notes:
                console.print(plain(note), highlight=False, soft_wrap=True)
        return "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())

    def _repr_html_(self) -> str:
        return html_table(self.title, *self._cells()) + "".join(f"<div>{escape(note)}</div>" for note in self.notes)


def html_table(title: str, titles: list[str], rights: list[bool], rows: list[list[str]]) -> str:
    """A table for notebooks; `rights` says which columns are numbers."""

    def line(cells: list[str], tag: str) -> str:
        made = [f'<{tag} style="text-align:{"right" if r else "left"};white-space:pre">{escape(c)}</{tag}>' for c, r in zip(cells, rights, strict=True)]
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><caption>{escape(title)}</caption><thead>{line(titles, 'th')}</thead><tbody>{body}</tbody></table>"


def column(title: str, write: Any = str, right: bool = True) -> Any:
    """A field that is a column."""
    return dataclasses.field(metadata={"title": title, "write": write, "right": right})


def milliseconds(seconds: float | None) -> str:
    """A time in milliseconds."""
    return "–" if seconds is None else f"{seconds * 1000:,.3g} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"


def number(value: float | None) -> str:
    """A number in four figures."""
    return "–" if value is None else f"{value:.4g}"


def share(value: float | None) -> str:
    """A share in percent."""
    return "–" if value is None else "0" if value == 0 else f"{100 * value:.3g}%"
