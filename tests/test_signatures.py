"""The names of Keras are ours, with its parameters and defaults.

`keras_signatures.txt` lists those of Keras 3.15.1, whole namespaces at a time; `kw:` marks what is taken by name alone. Not in it yet: the layers
that augment images, for audio, and `Pipeline`; the dtype policies of quantization.
"""

from __future__ import annotations

import importlib
import inspect
import pathlib
import re

import pytest

LINES = (pathlib.Path(__file__).parent / "keras_signatures.txt").read_text(encoding="utf-8").splitlines()


def written(function: object) -> str:
    """The signature as the list writes it."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    parts = []
    for p in parameters:
        mark = "kw:" if p.kind is p.KEYWORD_ONLY else ""
        parts.append(mark + str(p.replace(annotation=p.empty)))
    return f"({', '.join(parts)})"


@pytest.mark.parametrize("line", LINES, ids=[line.partition("(")[0] for line in LINES])
def test_signature_is_that_of_keras(line: str) -> None:
    path, signature = re.fullmatch(r"([\w.]+)(\(.*\))?", line).groups()  # type: ignore[union-attr]
    module, _, name = path.rpartition(".")
    item = getattr(importlib.import_module(f"keraunos.{module}"), name)
    if signature and inspect.isclass(item):  # a class of ours declares what it takes, and refuses the rest
        found, signature = (re.sub(r"(, )?(\*args, )?\*\*kwargs", "", s) for s in (written(item), signature))
        assert re.sub(r"(, kw:[^,]+)+\)$", ")", found) == signature or found == signature  # what is ours alone is taken by name
    elif signature:
        assert written(item) == signature
