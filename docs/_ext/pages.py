"""Pages that are made when the site is built."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Mapping


def write(wanted: Mapping[pathlib.Path, str], there: Iterable[pathlib.Path]) -> None:
    """Write the pages that changed, whose time would otherwise have all be read again, and remove those of what is gone."""
    for path in {*there} - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
