"""`keraunos inspect`: what is in a file of a model, as tables or as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keraunos.core.errors import clean
from keraunos.models.summary import readable_size
from keraunos.saving.inspecting import inspect


def show(path: str, as_json: bool, all_rows: bool) -> None:
    """Print what is in a file.

    Args:
        path: The file.
        as_json: Whether it is printed for machines.
        all_rows: Whether long tables are printed whole.
    """
    report, console = inspect(path), Console(highlight=False)
    if as_json:
        print(json.dumps(report, indent=2))
        return
    sure = "verified: its SHA-256 was compared" if report["verified"] else "unverified: it notes no SHA-256 that could be compared"
    console.print(f"[bold]{_plain(report['file'])}[/], {report['format']}, {report['bytes']:,} bytes, [{'green' if report['verified'] else 'yellow'}]{sure}[/]")
    for key, value in report["versions"].items():
        console.print(f"{key.replace('_', ' ')}: {_plain(value)}")
    limit = None if all_rows else 40
    if report["layers"] is not None:
        rows = [(f"{'└ ' * x['depth']}{x['name']}", x["class"], x["input_shape"] or "", _count(x["parameters"])) for x in report["layers"]]
        _table(console, ("layer", "class", "input shape", "parameters"), rows, limit)
    count, size = sum(math.prod(x["shape"]) for x in report["weights"]), sum(x["bytes"] for x in report["weights"])
    rows = [(x["name"], tuple(x["shape"]), x["dtype"], f"{x['bytes']:,}") for x in report["weights"]]
    _table(console, ("array", "shape", "dtype", "bytes"), rows, limit)
    console.print(f"{len(rows)} arrays, {count:,} numbers, {readable_size(size)}")
    for key, value in (report["compilation"] or {}).items():
        console.print(f"{key.replace('_', ' ')}: {_plain(value)}")
    rows = [(x["name"], f"{x['bytes']:,}", f"{str(x['sha256'])[:16]}…" if x["sha256"] else "") for x in report["members"]]
    _table(console, ("member", "bytes", "SHA-256"), rows, limit)


def _plain(text: Any) -> str:
    return escape(clean(text, 200))


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


def _table(console: Console, columns: tuple[str, ...], rows: list[tuple[Any, ...]], limit: int | None) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("bytes", "parameters") else "left", overflow="fold")
    for row in rows[:limit]:
        table.add_row(*map(_plain, row))
    console.print("", table, sep="\n")
    if limit is not None and len(rows) > limit:
        console.print(f"… and {len(rows) - limit} more: --all shows them")
