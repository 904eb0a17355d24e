"""Errors as texts: what each `raise` of the library must say; prints what does not, and exits with 1.

An error is a class of `core/errors.py`. Its fact is a sentence, without data in it, and ends with a full stop. It says what to do by `fix`, or
by `expected` or the fact itself where these say what must be. It names a place, unless the op, the layer or the function that the user called
adds its own to all that is raised in it. Its code has a section in `cli/errors.md`, and each section's code is raised somewhere.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
from collections.abc import Iterator

SOURCE = pathlib.Path(__file__).resolve().parent.parent / "src" / "keraunos"
PAGE = SOURCE / "cli" / "errors.md"
# Exceptions that are not ours, where they may stand (a part of the path, or of the function's name), and why.
ALLOWED = {
    "NotImplementedError": ("", "a method that subclasses define"),
    "AttributeError": ("__getattr__|missing|_tracing|samples|groups", "what Python asks of `__getattr__`, and of what `hasattr` is to tell"),
    "IndexError": ("array_api|samples", "what iteration by index, and the array API standard, end with"),
    "KeyError": ("__getitem__", "what Python asks of mappings"),
    "StopIteration": ("__next__", "what ends an iterator"),
    "SystemExit": ("cli/|backup", "the command's exit status"),
    "ModuleNotFoundError": ("compat", "what the import system asks of a finder"),
    "TrialPruned": ("optuna", "Optuna's word for a trial that ends early"),
    "RuntimeError": ("cli/demo", "the demonstration of a mistake"),
    "TypeError": ("_torch_modules|_places", "what torch.nn.Module asks of `__setattr__`; an engine's refusal, for which the op's rule gives the reason"),
    "ValueError": ("_torch_modules", "likewise"),
}
SAYS_WHAT_MUST_BE = re.compile(
    r"\b(must|needs?|takes?|only|either|not both|at most|at least|between|expects|wraps|are equal|has to|goes with|go with)\b|, not |: pass "
)
PLACED_BY_CALLER = (
    "ops/",
    "layers/",
    "backends/",
    "core/",
    "losses/",
    "metrics/",
    "optimizers/",
    "random/",
    "activations",
    "initializers",
    "regularizers",
    "constraints",
    "dtype_policies",
    "play/",  # the page shows them at what they are about
    "interop/array_api",  # whose functions are found by their names in the traceback
)
DATA = {"x", "y", "data", "inputs", "outputs", "array", "arrays", "tensor", "weights", "batch", "sample_weight", "y_true", "y_pred"}


def text(node: ast.expr | None, names: dict[str, ast.expr]) -> str | None:
    """The words of a string, with `{}` for what is filled in; None if they cannot be told."""
    if isinstance(node, ast.Name):
        return text(names.get(node.id), {}) if node.id in names else None
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def classes() -> set[str]:
    """The names of our error classes."""
    found, before = {"KeraunosError"}, 0
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")]
    while before != len(found):
        before = len(found)
        defined = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
        found |= {node.name for node in defined if any(isinstance(base, ast.Name) and base.id in found for base in node.bases)}
    return found


def of_call(call: ast.Call, names: dict[str, ast.expr], path: str) -> Iterator[str]:
    """What is wrong with one error."""
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if not call.args or None in given:  # made of what another function gives
        return
    fact = text(call.args[0], names)
    if fact is not None and not fact.rstrip("'\"").endswith((".", "?", "{}")):
        yield f"the fact ends without a full stop: {fact!r}"
    if len(fact or "") > 420 or len(text(given.get("fix"), names) or "") > 320:
        yield "too long"
    if not given.keys() & {"fix", "expected"} and fact is not None and not SAYS_WHAT_MUST_BE.search(fact):
        yield f"says neither what must be nor what to do: {fact!r}"
    if "where" not in given and not path.startswith(PLACED_BY_CALLER) and "'{}'" not in (fact or "'{}'"):
        yield f"names no place: {fact!r}"
    for node in ast.walk(call):
        if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name) and node.value.id in DATA and node.conversion == ord("r"):
            yield f"prints data: {{{node.value.id}!r}}"


def of_file(path: pathlib.Path, ours: set[str]) -> Iterator[tuple[int, str]]:
    """The lines of a file that are wrong, and why."""
    name = str(path.relative_to(SOURCE))
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef):
            continue
        body = list(ast.walk(function))
        names = {t.id: n.value for n in body if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
        for node in body:
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):  # a bare class is caught further out
                what = node.exc.func.id
                place = ALLOWED.get(what, (None, ""))[0]
                if what[:1].isupper() and what not in ours and (place is None or not re.search(place, f"{name} {function.name}")):
                    yield node.lineno, f"raises {what}, which is not ours"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours:
                yield from ((node.lineno, wrong) for wrong in of_call(node, names, name))


def of_codes() -> Iterator[str]:
    """Codes without a section, and sections whose code nothing raises."""
    sections = set(re.findall(r"^### (KR\d{3}):", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    used = {code for path in SOURCE.rglob("*.py") for code in re.findall(r"\"(KR\d{3})\"", path.read_text(encoding="utf-8"))}
    yield from (f"{code} has no section in {PAGE.name}" for code in sorted(used - sections))
    yield from (f"{code} of {PAGE.name} is raised by nothing" for code in sorted(sections - used))


def main() -> int:
    """Print what is wrong; returns 1 if anything is."""
    ours = classes()
    found = {(path, line, wrong) for path in SOURCE.rglob("*.py") for line, wrong in of_file(path, ours)}
    wrong = [f"{path.relative_to(SOURCE.parent.parent)}:{line}: {what}" for path, line, what in sorted(found)] + list(of_codes())
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
