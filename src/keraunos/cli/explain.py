"""`keraunos explain`: what an error's code means, from the page of errors that comes with the package."""

from __future__ import annotations

import functools
import pathlib
import re

from keraunos.core.errors import ArgumentError, suggestion

PAGE = pathlib.Path(__file__).with_name("errors.md")


@functools.cache
def sections() -> dict[str, str]:
    """The sections of the page by their codes, each with its title on top."""
    parts = re.split(r"^### (KR\d{3}): (.*?) \{#kr\d+\}\n|^## .*", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {code: f"# {code}: {title}\n{text.rstrip()}\n" for code, title, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True) if code}


def found(words: str) -> list[str]:
    """The codes whose sections are asked for: by the code itself, or by words such as those of a message.

    Raises:
        ArgumentError: There is none.

    Example:

    >>> found("kr101"), found("x has 7 features; 'dense' was built for 8")
    (['KR101'], ['KR101'])
    """
    codes = list(sections())
    if words.upper() in codes:
        return [words.upper()]
    wanted = set(re.findall(r"[a-z]{3,}", words.lower()))
    counts = {code: sum(word in sections()[code].lower() for word in wanted) for code in codes}
    most = max(counts.values())
    if re.fullmatch(r"(?i)kr\d+", words) or 2 * most <= len(wanted):
        raise ArgumentError(f"No section of the page of errors is about '{words}'.", where="explain", fix=suggestion(words, codes, shown=100))
    return [code for code in codes if counts[code] == most]


def explain(words: str | None) -> None:
    """Print the section of a code, those that have some words, or the list of codes."""
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    codes = list(sections()) if words is None else found(words)
    if len(codes) == 1:
        console.print(Markdown(sections()[codes[0]]))
        return
    for code in codes:
        console.print(sections()[code].partition("\n")[0].removeprefix("# "), highlight=False)
