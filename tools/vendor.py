"""The libraries of the playground's page: fetched from npm, checked, and written to `play/static/vendor/`.

Their code stands as it was published, but for three things a page without a build step needs: the line that names a source map goes, Preact's
hooks import Preact by a relative path, and uPlot's short form (a script) ends in an `export`. `python tools/vendor.py` writes the folder again.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
import re
import subprocess
import tarfile
import tempfile
from typing import NamedTuple

HERE = pathlib.Path(__file__).resolve().parent.parent / "src" / "keraunos" / "play" / "static" / "vendor"


class Package(NamedTuple):
    """A package of npm: which version, the SHA-512 of its archive, and which of its files get which name here."""

    version: str
    sha512: str
    files: dict[str, str]


PACKAGES = {
    "preact": Package(
        "11.2.0",
        "/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
        {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
    ),
    "htm": Package(
        "3.1.1",
        "983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
        {"dist/htm.module.js": "htm.js"},
    ),
    "uplot": Package(
        "1.6.32",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
    ),
    "@dagrejs/dagre": Package(
        "3.1.3",
        "X4aUTwOReZvthaZWOVHqlJ52/ZdhZFEM4+Lh/uR4XooUSLE6p71bcy7MPGzYnNUcNh+nj+i/qJQpCMIdQnSmrg==",
        {"dist/dagre.esm.js": "dagre.js"},
    ),
}


def own(name: str, text: str) -> str:
    """The text of a file as it is served."""
    text = re.sub(r"\n?//# sourceMappingURL=.*\n?", "\n", text)
    if name == "hooks.js":
        text = text.replace('from"preact"', 'from"./preact.js"')
    if name == "uplot.js":
        text = text.rstrip() + "\nexport default uPlot;\n"
    return text


def packed(name: str, version: str, folder: pathlib.Path) -> pathlib.Path:
    """The archive of a package, fetched by npm."""
    done = subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=folder, check=True, capture_output=True, text=True)
    return folder / done.stdout.split()[-1]


def main() -> None:
    """Write the folder again."""
    HERE.mkdir(parents=True, exist_ok=True)
    licences: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, package in PACKAGES.items():
            archive = packed(name, package.version, pathlib.Path(folder))
            found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
            if found != package.sha512:
                raise SystemExit(f"{name} {package.version}: the archive's SHA-512 is {found}, expected {package.sha512}.")
            with tarfile.open(archive) as files:

                def read(path: str, files: tarfile.TarFile = files) -> str:
                    part = files.extractfile(f"package/{path}")
                    assert part is not None
                    return part.read().decode()

                for path, target in package.files.items():
                    (HERE / target).write_text(own(target, read(path)), encoding="utf-8")
                licences.append(f"{name} {package.version} ({', '.join(package.files.values())})\n\n{read('LICENSE').strip()}\n")
    (HERE / "LICENSES.txt").write_text(f"\n{'-' * 80}\n\n".join(licences), encoding="utf-8")


if __name__ == "__main__":
    main()
