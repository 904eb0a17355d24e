"""`keraunos convert`: a model, or its weights, in another format."""

from __future__ import annotations

import importlib
import os
import pathlib
import warnings
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keraunos.core.errors import ArgumentError, StateError, clean
from keraunos.export import FORMATS
from keraunos.models import Model, model_from_json
from keraunos.saving import files, hdf5, load_model, weight_files
from keraunos.saving.arrays import Stored, nbytes
from keraunos.saving.files import existing, problem
from keraunos.saving.weight_files import SHARDED, WHOLE

_MODELS, _OLD, _CONFIG = (".keras",), (".h5", ".hdf5"), (".json",)
_EXPORTS = {form.ending: name for name, form in FORMATS.items() if form.ending}


def _kind(path: pathlib.Path) -> str:
    """What the ending of a file's name says that it holds: "weights", "model", "config" or "export"."""
    for kind, endings in (("weights", (*WHOLE, *SHARDED)), ("model", (*_MODELS, *_OLD)), ("config", _CONFIG), ("export", tuple(_EXPORTS))):
        if path.name.endswith(endings):
            return kind
    known = ", ".join([*_MODELS, *_OLD, *WHOLE, *_CONFIG, *_EXPORTS])
    raise ArgumentError(f"No format of files ends in '{path.suffix}'.", where=path.name, fix=f"name a file in {known}")


def convert(
    source: Any, target: Any, force: bool = False, model: Any = None, modules: list[str] | None = None, shard: float | None = None
) -> list[tuple[str, str]]:
    """Write what a file holds in another format, by the endings of the names.

    A model (`.keras`, old `.h5`) becomes a model, its weights, its config in JSON, or what `model.export` writes. Weights become weights in another
    format; with `model`, whatever that model can become. A config becomes a model with initial weights.

    Args:
        source: The file that there is.
        target: The file to write.
        force: Whether an existing one may be replaced.
        model: The file of a model, or of its config, that the weights of `source` are given to.
        modules: Modules of the user's that register the classes in the file; they are imported.
        shard: How many gigabytes a file of weights may hold, if there shall be several.

    Returns:
        What was done, as pairs of a subject and what is said of it.

    Raises:
        ArgumentError: The target exists, or the one cannot become the other.
        ModelFileError: The source is damaged, or holds classes that are not known.
    """
    path, out = existing(source), pathlib.Path(os.fspath(target)).expanduser()
    have, want = _kind(path), _kind(out)
    if out.exists() and not force:
        raise ArgumentError(f"'{out}' exists already.", where="convert", fix="pass --force to replace it, or name another file")
    for module in modules or ():
        importlib.import_module(module)
    if have == "export":
        fact = "What was exported does not become a model again."
        raise ArgumentError(fact, where="convert", received=path.name, fix="convert the '.keras' file that it is from")
    if have == "weights" and model is None:
        if want != "weights":
            fix = f"keraunos convert {path.name} {out.name} --model model.keras"
            raise ArgumentError("Weights alone are no model.", where="convert", received=path.name, fix=fix)
        said = _weights(path, out, force, shard)
    else:
        made = _made(path) if have != "weights" else _made(existing(model))
        if have == "weights":
            made.load_weights(path)
        said = [("model", f"{made.name}, {made.count_params():,} parameters"), *_written(made, out, want, force, shard)]
    return [("read", f"{path} ({path.stat().st_size:,} bytes)"), *said, ("written", f"{out} ({out.stat().st_size:,} bytes)" if out.is_file() else str(out))]


def _made(path: pathlib.Path) -> Any:
    """The model of a file, or of a config."""
    if not path.name.endswith(_CONFIG) or path.name.endswith(SHARDED):
        return load_model(path)
    try:
        made = model_from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise problem(path, f"The config is not UTF-8: {error}.") from None
    if not isinstance(made, Model):
        raise problem(path, "The config does not describe a model.", fix="write it with model.to_json()")
    return made


def _weights(path: pathlib.Path, out: pathlib.Path, force: bool, shard: float | None) -> list[tuple[str, str]]:
    """Write weights in another format of weights, as they are, without a model."""
    with weight_files.opened(path) as stored:
        fix = "give the model whose weights they are: --model model.keras"
        if isinstance(stored, hdf5.File) or not any("vars" in group.split("/") for group in stored.groups):
            raise problem(path, "This file does not say where in a model its arrays belong.", fix=fix)
        tree = Stored(stored.groups, stored.names).tree()
        weight_files.write(tree, out, force, shard)
        count = sum(len(held) for held in stored.groups.values())
        return [("weights", f"{count:,} arrays, {nbytes(tree):,} bytes, as they were")]


def _written(made: Any, out: pathlib.Path, want: str, force: bool, shard: float | None) -> list[tuple[str, str]]:
    if shard is not None and want != "weights":
        raise ArgumentError("Only weights are written in shards.", where="--shard", received=out.name, fix="leave --shard out")
    if want == "weights":
        made.save_weights(out, overwrite=force, max_shard_size=shard)
        optimizer = getattr(made, "optimizer", None)
        kept = f"; the state of {optimizer.name}" if optimizer is not None and optimizer.built else ""
        return [("kept", f"the weights{kept}"), ("left out", "the architecture")]
    if not made.built and want != "config":
        raise StateError(f"The model '{made.name}' is not built.", fix="begin it with keras.Input, then write the file anew")
    if want == "config":
        files.write(out, made.to_json(indent=2).encode(), force)
        return [("kept", "the architecture and the compilation"), ("left out", "weights, the optimizer's state")]
    if want == "export":
        name = next(name for ending, name in _EXPORTS.items() if out.name.endswith(ending))
        made.export(out, format=name, verbose=False)
        return [("kept", f"what the model computes, as {name}"), ("left out", "what is for training")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the format of Keras 2 has less is in the table
        made.save(out, overwrite=force)
    return [("kept", "architecture, weights, compilation" + ("" if out.suffix == ".keras" else ", as far as the format of Keras 2 has it"))]


def show(*arguments: Any, **options: Any) -> None:
    """Convert, and print what was done."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for subject, said in convert(*arguments, **options):
        table.add_row(Text(subject), Text(clean(said, 300)))
    Console(highlight=False).print(table)
