"""What layers keep beside their weights (vocabularies), which they write to a folder and read from one."""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any


def assets_of(owner: Any) -> dict[str, bytes]:
    """The files that an object writes with `save_assets`, by name; none if it has no such method."""
    if not hasattr(owner, "save_assets"):
        return {}
    with tempfile.TemporaryDirectory() as folder:
        owner.save_assets(folder)
        return {path.name: path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir())}


def give_assets(owner: Any, files: Mapping[str, bytes]) -> None:
    """Let an object read such files with `load_assets`, if there are any."""
    if files and hasattr(owner, "load_assets"):
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                pathlib.Path(folder, name).write_bytes(content)
            owner.load_assets(folder)
