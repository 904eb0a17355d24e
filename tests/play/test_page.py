"""The page's files: small, whole, and nothing from elsewhere."""

from __future__ import annotations

import gzip
import pathlib
import re

from keraunos.play import server

STATIC = server.STATIC
MODULES = sorted(path for path in STATIC.rglob("*.js"))
OWN = [path for path in MODULES if path.parent == STATIC]


def names(folder: pathlib.Path, text: str) -> set[pathlib.Path]:
    """The files that a module imports."""
    return {(folder / name).resolve() for name in re.findall(r"^(?:import|export)\b[^;]*?from\s*[\"']([^\"']+)[\"']", text, flags=re.MULTILINE)}


def test_modules_import_what_is_there_and_only_that() -> None:
    for path in OWN:
        for found in names(path.parent, path.read_text(encoding="utf-8")):
            assert found in MODULES, f"{path.name} imports {found.name}"


def test_all_modules_are_asked_for_at_once() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    asked = {STATIC / name for name in re.findall(r"(?:href|src)=\"static/([^\"]+\.js)\"", page)}
    assert asked == set(MODULES)


def test_the_page_is_at_most_150_kilobytes_as_it_is_sent() -> None:
    sent = [path for path in STATIC.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in sent) <= 150_000


def test_nothing_comes_from_elsewhere() -> None:
    """Addresses in our files are names of XML, and of this machine."""
    for path in [*OWN, *STATIC.glob("*.css"), *STATIC.glob("*.html")]:
        found = re.findall(r"(?:https?:)?//[a-z][\w.-]+\.[a-z]{2,}\S*", re.sub(r"(?m)(^|\s)//.*$", "", path.read_text(encoding="utf-8")))
        assert all(address.startswith("http://www.w3.org/") for address in found), f"{path.name}: {found}"


def test_what_is_vendored_has_its_licence_and_names_no_map() -> None:
    vendored = [path for path in (STATIC / "vendor").iterdir() if path.suffix in (".js", ".css")]
    licences = (STATIC / "vendor" / "LICENSES.txt").read_text(encoding="utf-8")
    for path in vendored:
        assert re.search(rf"\([^)]*\b{re.escape(path.name)}\b[^)]*\)", licences), path.name
        assert "sourceMappingURL" not in path.read_text(encoding="utf-8")
