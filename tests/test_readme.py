"""The Python examples of the README run as they stand."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
EXAMPLES = [
    pytest.param(code, id=f"README.md-{i}")
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_examples_run(code, tmp_path, monkeypatch):
    from keraunos.core import config

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "_default", config.load_backend("jax"))
    import keraunos

    exec(code, {"keras": keraunos})
