"""`keraunos doctor`: what stands in the way of training on this machine, and what to do about it."""

from __future__ import annotations

import json

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

import keraunos
from keraunos.cli.checks import Finding, examine
from keraunos.cli.facts import Facts, gather

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(as_json: bool = False) -> bool:
    """Look at the machine and print what was found.

    Args:
        as_json: Whether it is printed for machines.

    Returns:
        Whether nothing failed.
    """
    with Console(stderr=True).status("looking at the engines …"):
        facts = gather()
    findings = examine(facts)
    if as_json:
        about = {"keraunos": keraunos.__version__, "python": facts.python, "system": facts.system}
        print(json.dumps({**about, "findings": [finding._asdict() for finding in findings]}, indent=2))
    else:
        show(facts, findings, Console(highlight=False))
    return all(finding.mark != "fail" for finding in findings)


def show(facts: Facts, findings: list[Finding], console: Console) -> None:
    """Print findings: a line each, with the remedy under it, and how many there are."""
    console.print(f"keraunos {keraunos.__version__}, Python {facts.python}, {facts.system}\n")
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for mark, subject, fact, remedy in findings:
        table.add_row(f"[{_COLOURS[mark]}]{mark}[/]", escape(subject), escape(fact))
        if remedy:
            table.add_row("", "", Padding(f"[{'dim' if mark == 'ok' else 'bold'}]{escape(remedy)}[/]", (0, 0, 0, 2)))
    console.print(table)
    counts = {mark: sum(finding.mark == mark for finding in findings) for mark in ("fail", "warn")}
    wrong = [f"{count} {word}{'s' * (count > 1)}" for word, count in zip(("failure", "warning"), counts.values(), strict=True) if count]
    console.print(f"\n{' and '.join(wrong)}; what to do is said under each." if wrong else "\nNothing stands in the way.")
