"""Models as TensorFlow's SavedModels: an `ExportArchive` with the endpoint "serve"."""

from __future__ import annotations

import re
from typing import Any

from keraunos.core import tree
from keraunos.export import signatures
from keraunos.export.archive import ExportArchive


def export(model: Any, path: Any, input_signature: Any = None) -> str:
    """Write a model as a SavedModel."""
    archive = archive_of(model, input_signature)
    archive.write_out(path, verbose=False)
    return archive._told()


def archive_of(model: Any, input_signature: Any = None) -> ExportArchive:
    """An archive with a model as the endpoint "serve", which takes the inputs in the model's structure, under their names; letters that those have that TensorFlow takes for none are "_"."""
    args, kwargs = signatures.signature(model, input_signature)
    names = signatures.distinct(re.sub(r"\W", "_", name) for name in signatures.input_names(model, args, kwargs))
    archive = ExportArchive()
    archive.track(model)
    specs = [archive.spec(x, name) for x, name in zip(tree.flatten((args, kwargs)), names, strict=True)]
    args, kwargs = tree.pack_sequence_as((args, kwargs), specs)
    count, keys = len(args), list(kwargs)
    archive.add_endpoint("serve", lambda *xs: model(*xs[:count], **dict(zip(keys, xs[count:], strict=True))), [*args, *kwargs.values()])
    return archive
