"""Docstrings in Google's form, whose text is Markdown, as the Markdown of a page."""

from __future__ import annotations

import re

HEADS = {
    "Args": "Arguments", "Arguments": "Arguments", "Attributes": "Attributes", "Raises": "Raises", "Returns": "Returns", "Yields": "Yields", "Shapes": "Shapes",
    "Example": "Example", "Examples": "Example", "References": "References", "Note": "Note", "Notes": "Note",
}  # fmt: skip
LISTS = {"Arguments", "Attributes", "Raises"}  # of names, each with a text


def sections(text: str) -> list[tuple[str, str]]:
    """The parts of a docstring: the title of each, empty for the text that begins it, and its lines without their indentation."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        head = line.removesuffix(":")
        if line.endswith(":") and head in HEADS:
            parts.append((HEADS[head], []))
        else:
            parts[-1][1].append(line)
    return [(title, _dedent(lines)) for title, lines in parts if any(lines)]


def _dedent(lines: list[str]) -> str:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines).strip("\n")


def entries(text: str) -> list[tuple[str, str]]:
    """The entries `name: text` of a list, whose further lines are indented."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        match = re.match(r"(\*{0,2}[\w.]+(?:, \*{0,2}[\w.]+)*)(?: \([^)]*\))?:(?: (.*))?$", line)
        if match:
            found.append((match[1], [match[2] or ""]))
        elif found:
            found[-1][1].append(line)
        else:
            return []
    return [(name, (first + "\n" + _dedent(rest)).strip() if rest else first) for name, (first, *rest) in found]


def markdown(text: str) -> str:
    """Text of a docstring as Markdown: examples fenced, `<` outside of code meant as it stands."""
    parts, fenced = [], False
    for block in re.split(r"\n\s*\n", text):
        if fenced or block.lstrip().startswith("```"):
            fenced ^= block.count("```") % 2 == 1
            parts.append(block)
        elif block.lstrip().startswith(">>>"):
            block = _dedent(block.splitlines())
            if parts and parts[-1].startswith("```pycon"):  # examples one after another are one
                parts[-1] = parts[-1].removesuffix("\n```") + f"\n\n{block}\n```"
            else:
                parts.append(f"```pycon\n{block}\n```")
        elif "\n>>> " in block:  # a sentence, and at once what shows it
            before, _, after = block.partition("\n>>> ")
            parts += [escaped(before), f"```pycon\n>>> {after}\n```"]
        else:
            parts.append(escaped(block))
    return "\n\n".join(parts)


def escaped(text: str) -> str:
    """Markdown whose `<`, outside of code and of links, stand for themselves."""
    pieces = re.split(r"(`+[^`]*`+|<https?://[^>]*>)", text)
    return "".join(piece if i % 2 else piece.replace("<", "&lt;") for i, piece in enumerate(pieces))


def summary(text: str) -> str:
    """The first sentence."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    match = re.match(r"((?:`[^`]*`|\[[^\]]*\]\([^)]*\)|[^`\[])*?\.)(?= |$)", paragraph)
    return re.sub(r" ?\(\[[^\]]*\]\([^)]*\)\)", "", match[1] if match else paragraph).rstrip(":")


def rendered(text: str) -> str:
    """The Markdown of a docstring, its sections under rubrics."""
    lines = []
    for title, body in sections(text):
        if title:
            lines.append(f"```{{rubric}} {title}\n```")
        named = entries(body) if title in LISTS else []
        if named:
            for name, what in named:
                shown = ", ".join(f"`{part}`" for part in name.split(", "))
                lines.append(f"{shown}\n: " + markdown(what).replace("\n", "\n  "))
        else:
            lines.append(markdown(body))
    return "\n\n".join(lines)
