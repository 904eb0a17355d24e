"""The gallery: a page for each program of examples/, and an index of cards.

A page has the text and code of the program in its order, the picture and the figures that `make gallery` left in docs/gallery/, how to run it, and the
program to download, as it is and as a notebook. Pages and notebooks are written beside the pictures when the site is built; only the latter are kept.
"""

from __future__ import annotations

import ast
import json
import pathlib
import re
import sys
from typing import Any

from pages import write

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "gallery"
sys.path.insert(0, str(ROOT / "examples"))

from gallery import programs, promises  # noqa: E402

ENGINES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor"}
# The groups of the index, and what stands in each; an example that is listed nowhere comes last.
GROUPS: dict[str, tuple[str, ...]] = {
    "First steps": ("digits_mlp", "digits_cnn", "transfer_learning", "spam"),
    "Vision": ("unet", "detection", "super_resolution", "moving_digits", "captioning"),
    "Sequences and language": ("forecasting", "date_translation", "text_generation_lstm", "text_generation_gpt", "tones"),
    "Generative models": ("autoencoder", "vae", "dcgan", "wgan_gp", "diffusion"),
    "Memory and attention": ("ntm",),
    "Structure and decisions": ("two_inputs_two_outputs", "siamese", "shared_model", "graph_network", "cartpole"),
    "Tables and data mining": ("tabular", "anomaly", "clustering"),
    "Techniques of training": ("mixed_precision", "gradient_accumulation", "population", "hyperparameter_search", "distributed"),
}
# In a notebook there is no command line, and no gallery.py beside it.
STAND_IN = '''"""What the programs of the gallery share, for a notebook."""

import keraunos as keras


class run:
    """Say `quick = True` to see only that it runs, and another seed or engine here."""

    quick, seed, backend = False, 0, keras.config.backend()

    @classmethod
    def pick(cls, value, *, quick):
        return quick if cls.quick else value

    @staticmethod
    def end(figure=None, **measured):
        for name, value in measured.items():
            print(f"{name}: {float(value):.4g}")


keras.utils.set_random_seed(run.seed)'''


def parse(source: str) -> tuple[str, str, list[tuple[str, str]]]:
    """An example's title, its text in Markdown without the promises, and its cells: kind and content."""
    text = ast.get_docstring(ast.parse(source)) or "Untitled"
    title, _, about = text.partition("\n")
    about = re.sub(r"^Promises: .*$", "", about, flags=re.MULTILINE).strip()
    body = source.split('"""', 2)[2].strip("\n")
    cells: list[tuple[str, str]] = []
    for part in re.split(r"^# %%", "# %%\n" + body if not body.startswith("# %%") else body, flags=re.MULTILINE)[1:]:
        head, _, content = part.partition("\n")
        content = content.strip("\n")
        if "[markdown]" in head:
            cells.append(("markdown", re.sub(r"^# ?", "", content, flags=re.MULTILINE)))
        elif content:
            cells.append(("code", content))
    return title.strip(), about, cells


def results(name: str) -> list[dict[str, Any]]:
    """What was reached in full runs, an engine each."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in PAGES.glob(f"{name}.*.json")]
    found = [result for result in found if not result.get("quick")]
    return sorted(found, key=lambda result: [*ENGINES].index(result["backend"]))


def words(name: str) -> str:
    """A measure's name as words."""
    return name.replace("_", " ")


def table(name: str, source: str) -> list[str]:
    """The lines of the table of what was promised and reached."""
    found, promised = results(name), promises(source)
    if not found:
        return []
    measured = [*promised, *(key for key in found[0]["measured"] if key not in promised)]
    lines = ["| | promised | " + " | ".join(ENGINES[result["backend"]] for result in found) + " |", "|---|--:|" + "--:|" * len(found)]
    for key in measured:
        sign, limit = promised.get(key, ("", 0.0))
        values = [f"{result['measured'][key]:.4g}" if key in result["measured"] else "–" for result in found]
        lines.append(f"| {words(key)} | {f'{sign} {limit:g}' if sign else ''} | {' | '.join(values)} |")
    lines.append("| seconds | | " + " | ".join(f"{result['seconds']:.0f}" for result in found) + " |")
    return ["::::{div} results", *lines, "::::", ""]


def page(name: str) -> str:
    """The page of an example."""
    source = programs()[name].read_text(encoding="utf-8")
    title, about, cells = parse(source)
    lines = [f"# {title}", "", about, ""]
    if (PAGES / f"{name}.png").exists():
        lines += [f"```{{image}} {name}.png", f":alt: What {title} shows", ":class: result", "```", ""]
    lines += table(name, source)
    lines += [
        f"{{download}}`{name}.py </../examples/{name}.py>` · {{download}}`{name}.ipynb <{name}.ipynb>`",
        "",
        "```sh",
        f"python examples/{name}.py --backend torch",
        "```",
        "",
    ]
    for kind, content in cells:
        lines += [content, ""] if kind == "markdown" else ["```python", content, "```", ""]
    return "\n".join(lines)


def notebook(name: str) -> str:
    """An example as a notebook, which needs no file beside it."""
    title, about, cells = parse(programs()[name].read_text(encoding="utf-8"))
    made: list[tuple[str, str]] = [("markdown", f"# {title}\n\n{about}"), ("code", STAND_IN)]
    for kind, content in cells:
        if kind == "code":
            content = re.sub(r"^from gallery import .*\n", "", content, flags=re.MULTILINE)
            content = re.sub(r"^run = begin\(.*\)\n?", "", content, flags=re.MULTILINE).strip("\n")
        if content:
            made.append((kind, content))
    blocks = []
    for number, (kind, content) in enumerate(made):
        block: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": content.splitlines(keepends=True)}
        blocks.append({**block, "execution_count": None, "outputs": []} if kind == "code" else block)
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}, "language_info": {"name": "python"}}
    return json.dumps({"cells": blocks, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1, ensure_ascii=False) + "\n"


def groups() -> dict[str, list[str]]:
    """The examples by group; those that are listed nowhere come last."""
    there = programs()
    found = {title: [name for name in listed if name in there] for title, listed in GROUPS.items()}
    listed = {name for group in found.values() for name in group}
    found["More"] = [name for name in there if name not in listed]
    return {title: group for title, group in found.items() if group}


def card(name: str) -> list[str]:
    """An example in the index."""
    title, about, _ = parse(programs()[name].read_text(encoding="utf-8"))
    lines = [f":::{{grid-item-card}} {title}", f":link: {name}", ":link-type: doc", ":class-card: example"]
    if (PAGES / f"{name}.png").exists():
        lines += [f":img-top: {name}.png", ":img-alt: "]
    first = " ".join(about.split("\n\n")[0].split())
    first = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first)
    sentence = re.match(r"(?:`[^`]*`|[^`])*?[.](?= |$)", first)
    return [*lines, "", sentence[0] if sentence else first, ":::"]


def index() -> str:
    """The first page of the gallery."""
    lines = [
        "---",
        "html_theme.sidebar_secondary.remove: true",
        "---",
        "",
        "# Gallery",
        "",
        "Programs to copy, each one file. They run without the network on real or made data, in a minute or two on a laptop, on any engine:",
        "",
    ]
    lines += ["```sh", "python examples/digits_mlp.py --backend torch", "make gallery                # all of them, and what each reached", "```", ""]
    lines += ["Each page says what its program promises and what it reached; the tests run every one of them.", ""]
    for title, group in groups().items():
        lines += [f"## {title}", "", "::::{grid} 1 2 3 3", ":gutter: 3", ""]
        for name in group:
            lines += [*card(name), ""]
        lines += ["::::", ""]
    for title, group in groups().items():
        lines += ["```{toctree}", ":hidden:", f":caption: {title}", "", *group, "```", ""]
    return "\n".join(lines)


def generate(app: Any) -> None:
    """Write what changed, and remove what is gone."""
    wanted = {PAGES / "index.md": index()}
    for name in programs():
        wanted[PAGES / f"{name}.md"] = page(name)
        wanted[PAGES / f"{name}.ipynb"] = notebook(name)
    write(wanted, [*PAGES.glob("*.md"), *PAGES.glob("*.ipynb")])


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
