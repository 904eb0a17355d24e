"""The guides and the front page are notebooks, whose code cells `make docs` runs; those of which a cell must raise run here too.

A cell is a fence of the site's guides (MyST-NB), with options on its first lines:

    ```{code-cell} python
    :tags: [raises-exception]
    model.fit(x, y)
    ```

Cells tagged `raises-exception` must raise; those tagged `skip-execution` do not run. Plain fences are shown only.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
from typing import Any

import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "index.md", *sorted((DOCS / "guides").glob("*.md"))]
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(?P<options>(?:---\n.*?\n---\n|(?::[\w-]+:[^\n]*\n)*))(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


def cells(text: str) -> list[tuple[int, str, str]]:
    """The code cells of a guide: the line where each begins, its options and its code."""
    return [(text.count("\n", 0, found.start("code")), found["options"], found["code"]) for found in CELL.finditer(text)]


def run(code: str, line: int, path: pathlib.Path, names: dict[str, Any]) -> None:
    """Run a cell, and show the value of an expression at its end, as a notebook would."""
    tree = ast.parse("\n" * line + code, str(path))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(path), "exec"), names)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), str(path), "eval"), names)
        shown = getattr(value, "_repr_html_", value.__repr__)()
        assert shown is None or isinstance(shown, str)


def run_all(path: pathlib.Path) -> None:
    """Run the cells of a guide."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for line, options, code in cells(path.read_text(encoding="utf-8")):
        if "skip-execution" in options:
            continue
        if "raises-exception" not in options:
            run(code, line, path, names)
            continue
        with pytest.raises(Exception):  # noqa: B017
            run(code, line, path, names)


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in PAGES if path.stem != "index" or path.parent == DOCS])
def test_a_guide_can_be_run(path):
    """Building the site runs it: it must be known for a notebook, with every cell."""
    text = path.read_text(encoding="utf-8")
    found = cells(text)
    assert len(found) == text.count("```{code-cell}"), "a cell that is not closed, or not written as above"
    assert text.startswith("---\nfile_format: mystnb\nkernelspec:\n  name: python3\n") == bool(found), (
        "the head that makes a page a notebook, where something runs"
    )
    for line, options, code in found:
        assert "skip-execution" in options or compile("\n" * line + code, str(path), "exec")


RAISING = [path for path in PAGES if "raises-exception" in path.read_text(encoding="utf-8")]


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in RAISING])
def test_what_should_raise_does(path, tmp_path, monkeypatch):
    """Which building the site does not look at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    try:
        run_all(path)
    finally:
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")


def test_cells_are_found():
    text = "```{code-cell} python\n:tags: [raises-exception]\n\n1 / 0\n```\n\n```python\nshown\n```\n\n```{code-cell} python\n---\ntags: [hide-input]\n---\nx = 1\n```\n"
    (first, second) = cells(text)
    assert first == (2, ":tags: [raises-exception]\n", "\n1 / 0\n") and second[1:] == ("---\ntags: [hide-input]\n---\n", "x = 1\n")
