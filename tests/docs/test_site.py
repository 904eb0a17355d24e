"""What the site is made of: names, links, tables and programs. That it builds without a warning is `make docs`."""

from __future__ import annotations

import ast
import inspect
import json
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs"
if str(DOCS / "_ext") not in sys.path:
    sys.path.insert(0, str(DOCS / "_ext"))

import docstrings  # noqa: E402
import gallery_pages  # noqa: E402
import names  # noqa: E402


def test_every_class_and_function_has_an_example():
    """All of them run, as doctests."""
    things = [name for name in names.public().values() if inspect.isclass(name.thing) or callable(name.thing)]
    assert len(things) > 700
    assert [name.full for name in things if ">>> " not in name.text] == []


def test_every_class_and_function_is_described():
    assert [name.full for name in names.public().values() if not name.text and callable(name.thing)] == []


def test_a_thing_with_several_names_has_one_page():
    owners = names.owners()
    assert owners["activations.softmax"].full == owners["ops.nn.softmax"].full == "ops.softmax"
    assert owners["Model"].full == "models.Model" and owners["metrics.mean_squared_error"].full == "losses.mean_squared_error"
    assert owners["layers.AvgPool2D"].full == "layers.AveragePooling2D"
    assert "fit" in names.members(owners["Model"].thing) and "fit" in names.inherited(owners["Sequential"].thing)["models.Model"]


def test_docstrings_become_markdown():
    text = "Adds `a`.\n\nArgs:\n    a: One\n        or 2 < 3.\n    *rest: More.\n\nExample:\n\n>>> f(1)\n2\n\n>>> f(2)\n3"
    assert docstrings.rendered(text) == (
        "Adds `a`.\n\n```{rubric} Arguments\n```\n\n`a`\n: One\n  or 2 &lt; 3.\n\n`*rest`\n: More.\n\n"
        "```{rubric} Example\n```\n\n```pycon\n>>> f(1)\n2\n\n>>> f(2)\n3\n```"
    )
    assert docstrings.summary("Takes `a. b` ([Who, 2020](https://x.org)). More.") == "Takes `a. b`."


def test_the_table_of_engines_is_as_the_engines_are():
    from tools import engine_table

    assert engine_table.PAGE.read_text(encoding="utf-8") == engine_table.page(), "run python -m tools.engine_table"


def test_every_page_is_reached_from_the_first():
    made = {DOCS / "api" / "index", DOCS / "gallery" / "index"}
    waiting, found = [DOCS / "index"], set()
    while waiting:
        page = waiting.pop()
        found.add(page)
        if page in made:
            continue
        text = page.with_suffix(".md").read_text(encoding="utf-8")
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            for line in tree.splitlines():
                if line and not line.startswith(":"):
                    target = line.partition("<")[2].rstrip(">") or line
                    path = DOCS / target[1:] if target.startswith("/") else page.parent / target
                    new = {entry.with_suffix("") for entry in path.parent.glob(path.name + ".md")}
                    assert new or path in made, f"{page} lists {line}, which is not there"
                    waiting += [*((new or {path}) - found)]
    there = {path.with_suffix("") for folder in (".", "design", "guides") for path in (DOCS / folder).glob("*.md")}
    assert there <= found, there - found


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_relative_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text(encoding="utf-8"))
    links += re.findall(r"(?:src|srcset)=\"([^\"]+)\"", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_pictures_of_the_playground_are_there_light_and_dark_and_small():
    shown = set()
    for page in (DOCS / "index.md", DOCS / "guides" / "playground.md"):
        found = re.findall(r"^:::\{image\} /(\S+)-(light|dark)\.png\n:class: only-(light|dark)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert [theme for _, theme, _ in found] == [theme for _, _, theme in found] == ["light", "dark"] * (len(found) // 2)
        assert [name for name, _, _ in found[::2]] == [name for name, _, _ in found[1::2]] != []
        shown |= {f"{name}-{theme}.png" for name, theme, _ in found}
    assert {f"pictures/{path.name}" for path in (DOCS / "pictures").iterdir()} == shown
    assert max(path.stat().st_size for path in (DOCS / "pictures").iterdir()) < 250_000


def test_the_playground_s_limits_and_keys_are_those_of_its_guide():
    from keraunos.play.limits import LIMITS
    from keraunos.play.server import STATIC

    text = (DOCS / "guides" / "playground.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \|$", text, re.MULTILINE)
    assert [int(number.replace(",", "")) for _, number in rows] == [LIMITS[name] for name in LIMITS if name not in ("text", "options", "document")]
    keys = re.findall(r'^  \["(.+)", "', (STATIC / "keys.js").read_text(encoding="utf-8"), re.MULTILINE)
    (table,) = re.findall(r"^\| key \|.*?\n\n", text, re.DOTALL | re.MULTILINE)
    shown = set(re.findall(r"`([^`]+)`", table)) | {"?"}
    assert shown == {key for row in keys for key in re.findall(r"[^\s,+…]+", row)}


def test_every_example_has_a_page_and_a_notebook():
    shown = [name for group in gallery_pages.groups().values() for name in group]
    assert sorted(shown) == list(gallery_pages.programs())
    for name in shown:
        page = gallery_pages.page(name)
        assert page.startswith("# ") and "```python" in page and "Promises:" not in page
        code = "\n".join("".join(cell["source"]) for cell in json.loads(gallery_pages.notebook(name))["cells"] if cell["cell_type"] == "code")
        ast.parse(code)
        assert "from gallery" not in code and "begin(" not in code


def test_a_notebook_runs(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    scope = {"__name__": "__main__"}
    for cell in json.loads(gallery_pages.notebook("digits_mlp"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]).replace("quick, seed, backend = False", "quick, seed, backend = True"), scope)
    assert scope["accuracy"] > 0.3
    sys.modules["matplotlib.pyplot"].close("all")
