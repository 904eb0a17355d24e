"""The reference: a page for each public name, made from the running library, and links from names in code to these pages.

The pages are Markdown in docs/api/, which no one edits: they are written when the site is built, and only where they changed.
"""

from __future__ import annotations

import ast
import functools
import inspect
import pathlib
import re
import textwrap
from typing import Any

import docstrings
import names
from docutils import nodes
from families import FAMILIES, TITLES, family
from gallery_pages import programs
from pages import write
from sphinx.util import logging

import keraunos.core.errors

logger = logging.getLogger(__name__)
HERE = pathlib.Path(__file__).parent
SOURCE = HERE.parents[1] / "src"
API = HERE.parent / "api"
RULES = {
    "Promoted", "Numeric", "Floating", "Wide", "Summed", "Contracted", "Boolean", "Logical", "Test", "Index", "Same", "Composed", "Real", "Complex", "Bitwise", "Shifted",
    "Place", "Dot", "Operand",
}  # what the results of ops are annotated with: tensors, whose dtype follows a rule  # fmt: skip
TYPES = {
    "Size": "int", "Several": "int", "Count": "int", "Sizes": "int | Sequence[int]", "Counts": "int | Sequence[int]", "Fraction": "float", "Share": "float",
    "Positive": "float", "NotNegative": "float", "NotPositive": "float", "Activation": "str | Callable | None", "Function": "str | Callable | None",
    "Initializer": "str | Initializer", "Regularizer": "str | Regularizer | None", "Constraint": "str | Constraint | None",
    "Tensors": "Sequence[Tensor]", "Operands": "Sequence[Tensor]", "Seed": "int | SeedGenerator | None", "Shape": "tuple[int | None, ...]",
}  # fmt: skip
ERRORS = {
    name: cls.code.lower() for name, cls in vars(keraunos.core.errors).items() if inspect.isclass(cls) and issubclass(cls, keraunos.core.errors.KeraunosError)
}


# What stands where


@functools.cache
def documents() -> dict[str, str]:
    """The document of each thing, by its full name. Names that differ only in case have files that differ in more: some disks see no case."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for full, name in sorted(names.public().items(), key=lambda pair: not inspect.isclass(pair[1].thing)):
        path = "api/" + (full.replace(".", "/") if name.space else f"top/{full}")
        if path.lower() in taken:
            path += "-function"
        taken.add(path.lower())
        found[full] = path
    return found


@functools.cache
def index_of(space: str) -> str:
    """The document of a namespace."""
    return "api/" + (space.replace(".", "/") if space else "top") + "/index"


@functools.cache
def places() -> dict[str, tuple[str, str]]:
    """Where each full name is described, members and other names included: document and anchor."""
    found: dict[str, tuple[str, str]] = {}
    for space in names.spaces():
        if space:
            found[space] = (index_of(space), "")
    for full, name in names.owners().items():
        found[full] = (documents()[name.full], f"keraunos.{name.full}")
        if inspect.isclass(name.thing):
            for owner, what in {name.full: names.members(name.thing), **names.inherited(name.thing)}.items():
                for member in what:
                    found.setdefault(f"{full}.{member}", (documents()[owner], f"keraunos.{owner}.{member}"))
    return found


@functools.cache
def bare_classes() -> dict[str, list[str]]:
    """The full names of public classes by their names alone."""
    found: dict[str, list[str]] = {}
    for name in names.classes().values():
        for full in (name.full, *name.aliases):
            short = full.rpartition(".")[2]
            if short[0].isupper() and name.full not in found.setdefault(short, []):
                found[short].append(name.full)
    return found


def find(text: str, document: str = "") -> tuple[str, str] | None:
    """What a name in code means, on a page: document and anchor, or None.

    Args:
        text: Such as `keras.layers.Dense`, `layers.Dense`, `Dense`, `Model.fit()`; in the reference also `softmax`, among names beside it.
        document: The page.
    """
    given = text.removesuffix("()")
    text = given.removeprefix("keraunos.").removeprefix("keras.")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", text):
        return None
    if text in ERRORS:
        return "errors", ERRORS[text]
    if text != given:
        return places().get(text)
    space, own = _here(document)
    first, _, rest = text.partition(".")
    if "." in text or text[0].isupper():
        candidates = [text] if "." in text and text in places() else []
        candidates += [f"{space}.{text}"] if f"{space}.{text}" in places() else []
        candidates += [f"{full}.{rest}".rstrip(".") for full in bare_classes().get(first, [])]
        candidates.sort(key=lambda full: full.rpartition(".")[0] != space)
        found = [full for full in candidates if full in places()]
        if len({places()[full] for full in found}) == 1 or (found and found[0].rpartition(".")[0] == space):
            return places()[found[0]]
        return None
    if own is None and not space:
        return None
    if own is not None:
        if text in _parameters(own.full):
            return None
        if inspect.isclass(own.thing) and f"{own.full}.{text}" in places():
            return places()[f"{own.full}.{text}"]
    return places().get(f"{space}.{text}")


@functools.cache
def _documented() -> dict[str, names.Name]:
    return {document: names.public()[full] for full, document in documents().items()}


def _here(document: str) -> tuple[str, names.Name | None]:
    """The namespace of a page, and the thing that it describes."""
    own = _documented().get(document)
    if own is not None:
        return own.space, own
    space = document.removeprefix("api/").removesuffix("/index").replace("/", ".")
    return (space if document.startswith("api/") and space in names.spaces() else ""), None


@functools.cache
def _parameters(full: str) -> frozenset[str]:
    thing = names.public()[full].thing
    found: set[str] = set()
    for what in (thing, *(names.members(thing).values() if inspect.isclass(thing) else ())):
        try:
            found |= set(inspect.signature(getattr(what, "__func__", what)).parameters)
        except (TypeError, ValueError):
            continue
    return frozenset(found)


# Signatures


def annotation(text: Any) -> str:
    """A type as readers know it; empty where anything goes."""
    if text is inspect.Parameter.empty:
        return ""
    text = text if isinstance(text, str) else getattr(text, "__name__", str(text))
    words = re.sub(r"\b[A-Za-z_]\w*\b(?!\.)", lambda m: "Tensor" if m[0] in RULES else TYPES.get(m[0], m[0]), text)
    words = re.sub(r"\b(?:np|types|contextlib)\.", "", words)
    return "" if words in ("Any", "Unsupported", "Inherited", "Adaptable") else words.replace("str | str", "str")


def default(value: Any) -> str:
    """The value of an argument that is not given, as code."""
    text = f"{value.__name__}" if inspect.isclass(value) or inspect.isfunction(value) else repr(value)
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return "..."
    return text


def signature(thing: Any, *, cls: Any = None, skip_first: bool = False) -> str:
    """`(units: int, activation=None)`, and what is returned."""
    try:
        known = inspect.signature(thing)
    except (TypeError, ValueError):
        return "()"
    declared = getattr(cls, "fields", {}) if getattr(getattr(cls, "__init__", None), "declared", False) else {}
    parts: list[str] = []
    star = False
    parameters = [*known.parameters.values()][1 if skip_first else 0 :]
    for i, p in enumerate(parameters):
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        star = star or p.kind is p.VAR_POSITIONAL
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        kind = annotation(declared[p.name].annotation if p.name in declared else p.annotation)
        value = "" if p.default is p.empty else default(p.default)
        parts.append(prefix + p.name + (f": {kind}" if kind else "") + (f" = {value}" if value and kind else f"={value}" if value else ""))
        if p.kind is p.POSITIONAL_ONLY and (i + 1 == len(parameters) or parameters[i + 1].kind is not p.POSITIONAL_ONLY):
            parts.append("/")
    result = annotation(known.return_annotation) if cls is None else ""
    return f"({', '.join(parts)})" + (f" -> {result}" if result else "")


# Pages


def described(name: names.Name) -> str:
    """The page of a thing."""
    thing, isclass = name.thing, inspect.isclass(name.thing)
    kind = "class" if isclass else "function"
    lines = [f"# {name.full}", ""]
    lines += [f"::::::{{py:{kind}}} keraunos.{name.full}{signature(thing, cls=thing if isclass else None)}", ":no-contents-entry:" if not isclass else "", ""]
    lines += [docstrings.rendered(name.text)]
    if isclass and (call := _called(thing)):
        lines += ["", "```{rubric} Called as\n```", "", f"```python\n{call}\n```"]
    if isclass:
        for member, value in names.members(thing).items():
            lines += ["", *_member(member, value)]
    lines += ["", "::::::"]
    if isclass and (handed := names.inherited(thing)):
        lines += ["", "## Inherited", ""]
        for owner, what in handed.items():
            links = ", ".join(f"{{name}}`{member} <{owner}.{member}>`" for member in what)
            lines += [f"From `{owner}`", f": {links}", ""]
    lines += ["", *_foot(name)]
    return "\n".join(lines) + "\n"


def _called(cls: type) -> str:
    """How a layer is called, where that takes more than one tensor."""
    import keraunos

    call = getattr(cls, "call", None)
    if not issubclass(cls, keraunos.layers.Layer) or call is None or cls is keraunos.layers.Layer or call is getattr(keraunos.layers.Layer, "call", None):
        return ""
    own = [p for p in [*inspect.signature(call).parameters.values()][1:] if not (p.kind is p.VAR_KEYWORD or p.kind is p.VAR_POSITIONAL)]
    if len(own) < 2:
        return ""
    return f"layer({', '.join(p.name + ('' if p.default is p.empty else f'={default(p.default)}') for p in own)})"


def _member(member: str, value: Any) -> list[str]:
    """A method or property, within the page of its class."""
    function = getattr(value, "__func__", getattr(value, "fget", getattr(value, "func", value)))
    if isinstance(value, property) or hasattr(value, "func"):
        kind = annotation(inspect.signature(function).return_annotation)
        head = [f":::::{{py:property}} {member}", *([f":type: {kind}"] if kind else [])]
    else:
        option = [":classmethod:"] if isinstance(value, classmethod) else [":staticmethod:"] if isinstance(value, staticmethod) else []
        head = [f":::::{{py:method}} {member}{signature(function, skip_first=not isinstance(value, staticmethod))}", *option]
    return [*head, "", docstrings.rendered(inspect.getdoc(value) or inspect.getdoc(function) or ""), ":::::"]


@functools.cache
def seen_in() -> dict[str, list[tuple[str, str]]]:
    """The guides and the programs of the gallery whose code uses a public name: title and document, by full name."""
    docs = HERE.parent
    found: dict[str, list[tuple[str, str]]] = {}
    pages = [(path, f"guides/{path.stem}") for path in sorted((docs / "guides").glob("*.md"))]
    pages += [(path, f"gallery/{name}") for name, path in programs().items()]
    for path, document in pages:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".md":
            title, code = (
                re.search(r"^# (.*)$", text, re.MULTILINE),
                "\n".join(re.findall(r"^```(?:\{code-cell\} )?python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)),
            )
        else:
            title, code = re.match(r'"""(.*)', text), text
        used = {match.removeprefix("keras.") for match in re.findall(r"\bkeras(?:\.\w+)+|\b(?:layers|ops|losses|metrics|callbacks)(?:\.\w+)+", code)}
        for full in sorted({names.owners()[name].full for name in used if name in names.owners()}):
            found.setdefault(full, []).append((title[1] if title else path.stem, document))
    return found


def _foot(name: names.Name) -> list[str]:
    """Other names, and where it is defined, with the code where that is short."""
    lines = []
    pages = seen_in().get(name.full, [])
    if 0 < len(pages) <= 12:  # what stands everywhere needs no list
        lines += ["Seen in " + ", ".join(f"[{title}](/{document}.md)" for title, document in pages) + ".", ""]
    if name.aliases:
        lines += [f"Also named {', '.join(f'`keraunos.{alias}`' for alias in sorted(name.aliases, key=len))}.", ""]
    thing = inspect.unwrap(getattr(name.thing, "__func__", name.thing))
    try:
        code, line = inspect.getsourcelines(thing)
        path = pathlib.Path(inspect.getsourcefile(thing) or "").resolve().relative_to(SOURCE.parent)
    except (TypeError, OSError, ValueError):
        return lines
    shown = without_docstrings(textwrap.dedent("".join(code)))
    if 2 <= shown.count("\n") + 1 <= 60:
        lines += [f":::{{dropdown}} Source: {path}, line {line}", "", f"```python\n{shown}\n```", ":::"]
    else:
        lines += [f"Defined in `{path}`, line {line}."]
    return lines


def without_docstrings(code: str) -> str:
    """Code without the docstrings that the page shows already."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return code.rstrip()
    drop: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            if len(node.body) > 1:
                drop |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    kept = [line for number, line in enumerate(code.splitlines(), 1) if number not in drop]
    return re.sub(r":\n\n+", ":\n", "\n".join(kept)).rstrip()


def families(space: str) -> list[tuple[str, list[list[str]]]]:
    """The names of a namespace in groups: names of one thing together, its own first."""
    rows: dict[str, list[str]] = {}
    for name in names.spaces()[space]:
        full = f"{space}.{name}".lstrip(".")
        rows.setdefault(names.owners()[full].full, []).append(name)
    for full, shown in rows.items():
        shown.sort(key=lambda name: (name != full.rpartition(".")[2], name.islower(), name))
    table = FAMILIES.get(space, {})
    groups: dict[str, list[list[str]]] = {}
    for full, shown in rows.items():
        thing = names.public()[full]
        title = family(space, thing.module, shown[0])
        if not title:
            title = ("More" if table else "Classes") if inspect.isclass(thing.thing) else "Functions"
        groups.setdefault(title, []).append(shown)
    order = [*table, "Classes", "More", "Functions"]
    result = [(title, sorted(groups[title], key=lambda shown: (shown[0].lower(), shown[0]))) for title in order if title in groups]
    return [("", result[0][1])] if len(result) == 1 else result


def index(space: str) -> str:
    """The page of a namespace."""
    module = names.namespace(space)
    below = [other for other in names.spaces() if other.rpartition(".")[0] == space and other]
    text = introduction(module)
    lines = [f"# keraunos.{space}" if space else "# The top level", ""]
    lines += [f"::::{{py:module}} keraunos.{space}\n::::" if space else "", ""]
    lines += [docstrings.rendered(text) if space else TITLES[""], ""]
    if below and space:
        lines += ["Within it: " + ", ".join(f"[`keraunos.{other}`](/{index_of(other)}.md)" for other in below) + ".", ""]
    for title, rows in families(space):
        lines += [f"## {title}", ""] if title else []
        lines += ["```{list-table}", ":class: names", ":widths: 34 66", ""]
        for shown in rows:
            thing = names.owners()[f"{space}.{shown[0]}".lstrip(".")]
            links = " ".join(f"[`{name}`](/{documents()[thing.full]}.md)" for name in shown)
            lines += [f"* - {links}", "  - " + docstrings.escaped(docstrings.summary(thing.text)).replace("\n", " ")]
        lines += ["```", ""]
    own = [documents()[full] for full in names.public() if full.rpartition(".")[0] == space]
    tree = [f"/{index_of(other)}" for other in below if space] + [f"{names_short(path)} </{path}>" for path in sorted(own, key=str.lower)]
    if tree:
        lines += ["```{toctree}", ":hidden:", "", *tree, "```"]
    return "\n".join(lines) + "\n"


def introduction(module: Any) -> str:
    """The docstring of a namespace, without its name at the beginning."""
    text = re.sub(r"^`?(keraunos|keras)\.[\w.]+`?: ", "", (module.__doc__ or "").strip())
    return text[:1].upper() + text[1:]


def names_short(path: str) -> str:
    """The name of a page in lists."""
    return path.rpartition("/")[2].removesuffix("-function")


def overview() -> str:
    """The first page of the reference."""
    lines = ["# Reference", "", TITLES["overview"], ""]
    tops = [space for space in names.spaces() if "." not in space or space.startswith("interop.")]
    order = [*names.ORDER, *tops]
    tops = sorted((space for space in tops if space), key=order.index)
    lines += ["```{list-table}", ":class: names", ":widths: 34 66", "", f"* - [`keraunos`](/{index_of('')}.md)", "  - What stands beside the namespaces."]
    for space in tops:
        text = docstrings.summary(introduction(names.namespace(space)))
        lines += [f"* - [`keraunos.{space}`](/{index_of(space)}.md)", f"  - {docstrings.escaped(text)}"]
    lines += ["```", "", TITLES["array_api"], "", "```{toctree}", ":hidden:", "", f"keraunos </{index_of('')}>"]
    lines += [f"keraunos.{space} </{index_of(space)}>" for space in tops] + ["```"]
    return "\n".join(lines) + "\n"


def generate(app: Any) -> None:
    """Write the pages that changed, and remove those of names that are gone."""
    pages = {"api/index": overview()}
    pages |= {index_of(space): index(space) for space in names.spaces()}
    pages |= {document: described(names.public()[full]) for full, document in documents().items()}
    write({HERE.parent / f"{document}.md": text for document, text in pages.items()}, API.rglob("*.md"))


# Links


def resolve_missing(app: Any, env: Any, node: nodes.Element, content: nodes.Element) -> nodes.Node | None:
    """References to names that are described under another one; types in signatures that are no public names stay text."""
    if node.get("refdomain") != "py":
        return None
    document = node.get("refdoc", "")
    found = find(node["reftarget"], document)
    if found is None:
        return content if document.startswith("api/") else None
    if node.get("refexplicit") is False and content.astext().startswith("keraunos."):
        content = nodes.literal("", content.astext().removeprefix("keraunos."))
    return reference(app, document, found, content)


def reference(app: Any, document: str, found: tuple[str, str], content: nodes.Node) -> nodes.reference:
    """A link from a page to what was found."""
    uri = app.builder.get_relative_uri(document, found[0]) + (f"#{found[1]}" if found[1] else "")
    return nodes.reference("", "", content, internal=True, refuri=uri)


def link_names(app: Any, doctree: nodes.document, document: str) -> None:
    """Make links of the names that stand in code within text; not within cards, which are links themselves."""
    if document == "gallery/index":
        return
    for literal in [*doctree.findall(nodes.literal)]:
        if target := literal.get("target"):
            found = find(target, document)
            if found is None:
                logger.warning("no public name is %s", target, location=literal)
            else:
                literal.replace_self(reference(app, document, found, literal.deepcopy()))
            continue
        parent = literal.parent
        while parent is not None and not isinstance(parent, (nodes.reference, nodes.title, nodes.term)):
            parent = parent.parent
        if parent is not None and not (isinstance(parent, nodes.term) and literal.astext() in ERRORS):
            continue
        found = find(literal.astext(), document)
        if found is not None and found[0] != document:
            literal.replace_self(reference(app, document, found, literal.deepcopy()))


def name_role(role: str, rawtext: str, text: str, lineno: int, inliner: Any, options: Any = None, content: Any = ()) -> tuple[list[nodes.Node], list[Any]]:
    """`{name}`fit <models.Model.fit>``: a name, and what it links to."""
    shown, _, target = text.partition(" <")
    return [nodes.literal(rawtext, shown, target=target.rstrip(">") or shown)], []


def sidebar(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """What the side of a page of the reference lists: the names of its namespace. The whole tree, on a thousand pages, would be most of the site."""
    if not page.startswith("api/"):
        return
    space, own = _here(page)
    link = lambda document: app.builder.get_relative_uri(page, document)  # noqa: E731
    tops = sorted((s for s in names.spaces() if s and "." not in s), key=[*names.ORDER].index)
    context["reference_spaces"] = [("keraunos", link(index_of("")), space == "" and page != "api/index")]
    context["reference_spaces"] += [(s, link(index_of(s)), s == space) for s in tops]
    for s in [s for s in names.spaces() if "." in s]:
        at = next((i for i, (name, *_) in enumerate(context["reference_spaces"]) if name == s.partition(".")[0]), len(context["reference_spaces"]) - 1)
        if space == s or space.partition(".")[0] == s.partition(".")[0] or s.startswith("interop"):
            context["reference_spaces"].insert(at + 1, (s, link(index_of(s)), s == space))
    context["reference_names"] = []
    if page != "api/index":
        for title, rows in families(space):
            found = []
            for shown in rows:
                thing = names.owners()[f"{space}.{shown[0]}".lstrip(".")]
                found.append((shown[0], link(documents()[thing.full]), own is not None and thing.full == own.full))
            context["reference_names"].append((title, found))
    context["reference_space"] = f"keraunos.{space}" if space else "keraunos"


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_role("name", name_role)
    app.connect("builder-inited", generate)
    app.connect("missing-reference", resolve_missing)
    app.connect("doctree-resolved", link_names)
    app.connect("html-page-context", sidebar)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
