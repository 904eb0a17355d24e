"""Weights in several files, and an index of them in JSON: `X.weights.json` as Keras has it, `X.safetensors.index.json` as safetensors files have it.

The index is written last, beside the old one, and takes its place at once. Where there are shards already, the new ones have other names until the old
ones are gone, and get theirs then, as second names, before the index says so. So whoever is killed in between leaves one set or the other.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError
from keraunos.saving import files, hdf5, safetensors
from keraunos.saving.arrays import Stored, Tree, labels, layout_of, numpy_kind
from keraunos.saving.files import problem, replacing, require
from keraunos.saving.regions import Region, digest
from keraunos.saving.remote import refuse_taken

HDF5, TENSORS = ".weights.json", ".safetensors.index.json"
_OURS = "keraunos"
_LIMIT = 64 * 2**20
_NEVER = "do not load it: neither Keras nor safetensors write such an index"


def write(tree: Tree, path: Any, overwrite: bool, gigabytes: float) -> list[str]:
    """Write shards and their index; returns their names.

    Args:
        tree: As `hdf5.write` takes it.
        path: The path of the index.
        overwrite: Whether an existing index may be replaced.
        gigabytes: How much a shard may hold; a larger array has one to itself.

    Raises:
        ArgumentError: The index is there already, or the size is none.
    """
    if isinstance(gigabytes, bool) or not isinstance(gigabytes, (int, float)) or not gigabytes > 0:
        raise ArgumentError("A shard holds a positive number of gigabytes.", where="max_shard_size", received=gigabytes, fix="max_shard_size=5")
    refuse_taken(path, overwrite)
    parts, total = _divided(tree, gigabytes * 1e9)
    tensors = path.name.endswith(TENSORS)
    names, earlier = _names(path, len(parts)), _earlier(path)
    taken = any((path.parent / name).exists() for name in names)
    first = _names(path, len(parts), f"-{secrets.token_hex(3)}") if taken else names
    about = {"total_size": total, "format": _OURS} | ({"layout": json.dumps(layout_of(tree))} if tensors else {})
    try:
        for name, part in zip(first, parts, strict=True):
            with replacing(path.parent / name, False) as stream:
                (safetensors if tensors else hdf5).write(part, stream)
        _put(path, first, parts, about)
    except BaseException:
        _remove(path, first)
        raise
    _remove(path, [name for name in earlier if name not in first])
    if taken:  # Keras finds shards by these names alone
        for old, new in zip(first, names, strict=True):
            _linked(path.parent / old, path.parent / new)
        _put(path, names, parts, about)
        _remove(path, first)
    return names


def _put(path: pathlib.Path, names: list[str], parts: list[Any], about: dict[str, Any]) -> None:
    """Write the index of shards that are there."""
    places: dict[str, Any] = {}
    for name, part in zip(names, parts, strict=True):
        if path.name.endswith(TENSORS):
            places |= dict.fromkeys(labels(part), name)
        else:
            for group in (f"/{group}" for group, (_, store) in part.items() if store):
                places[group] = [*places.get(group, []), name]
    files.write(path, json.dumps({"metadata": {**about, "sha256": _digest(about, places)}, "weight_map": places}, indent=4).encode())


def _remove(path: pathlib.Path, names: list[str]) -> None:
    for name in names:
        (path.parent / name).unlink(missing_ok=True)


def _linked(old: pathlib.Path, new: pathlib.Path) -> None:
    """Give a file a second name, at once."""
    with tempfile.TemporaryDirectory(prefix=".", dir=new.parent) as folder:
        between = pathlib.Path(folder, new.name)
        try:
            os.link(old, between)
        except OSError:  # the file system has no links
            shutil.copyfile(old, between)
        os.replace(between, new)


def _digest(about: dict[str, Any], places: dict[str, Any]) -> str:
    """The SHA-256 of all else that an index says."""
    return digest(json.dumps([{key: value for key, value in about.items() if key != "sha256"}, places]).encode())


def _divided(tree: Tree, limit: float) -> tuple[list[dict[str, tuple[str, dict[str, Any]]]], int]:
    """The parts of a tree that the shards hold, in order, and the bytes of all arrays."""
    root = {"vars": (tree["vars"][0], {})} if "vars" in tree else {}  # by which the names in each are made
    parts: list[dict[str, tuple[str, dict[str, Any]]]] = [{group: (name, {}) for group, (name, _) in root.items()}]
    filled, total = 0, 0
    for group, (name, store) in tree.items():
        parts[-1].setdefault(group, (name, {}))
        for key, value in store.items():
            value = value if hasattr(value, "dtype") else np.asarray(value)
            size = numpy_kind(value).itemsize * int(np.prod(value.shape, dtype=np.int64))
            if filled and filled + size > limit:
                parts.append({group: (name, {}) for group, (name, _) in root.items()})
                filled = 0
            parts[-1].setdefault(group, (name, {}))[1][key] = value
            filled, total = filled + size, total + size
    return parts, total


def _names(path: pathlib.Path, count: int, mark: str = "") -> list[str]:
    """The names of shards, as Keras and safetensors files have them; with a mark, of those that are there until the others are free."""
    if path.name.endswith(TENSORS):
        return [f"{path.name.removesuffix(TENSORS)}{mark}-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)]
    return [f"{path.name.removesuffix(HDF5)}{mark}_{i:05d}.weights.h5" for i in range(count)]


def _earlier(path: pathlib.Path) -> list[str]:
    """The shards of the index that is about to be replaced, if it can be read."""
    with contextlib.suppress(Exception):
        return list(_index(path)[1]) if path.exists() else []
    return []


def _index(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What an index says of the whole, and for each shard what it has to hold."""
    require(path.stat().st_size <= _LIMIT, path, f"The index has {path.stat().st_size:,} bytes.", fix=_NEVER)
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise problem(path, f"The index is not valid JSON: {str(error)[:100]}.") from None
    found = found if isinstance(found, dict) else {}
    about, places = found.get("metadata"), found.get("weight_map")
    places = places if isinstance(places, dict) else {}
    require(bool(places), path, "The index names no shards.", "weight_map")
    about = about if isinstance(about, dict) else {}
    odd = next(iter(found.keys() - {"metadata", "weight_map"}), None)
    require(odd is None, path, f"The index has a strange part: {str(odd)[:40]!r}.", fix=_NEVER)
    ours = "sha256" in about or about.get("format") == _OURS
    require(not ours or about.get("sha256") == _digest(about, places), path, f"'{path.name}' is not as it was written: its SHA-256 differs.", "weight_map")
    shards: dict[str, list[str]] = {}
    for place, names in places.items():
        for name in names if isinstance(names, list) else [names]:
            plain = isinstance(name, str) and bool(re.fullmatch(r"[^/\\:\x00-\x1f]+\.(weights\.h5|safetensors)", name)) and not name.startswith(".")
            require(plain, path, f"The index names a shard outside of its folder: {str(name)[:80]!r}.", "weight_map", _NEVER)
            shards.setdefault(name, []).append(place)
    return about, shards


@contextlib.contextmanager
def opened(path: pathlib.Path, stored: Callable[[Any], Stored]) -> Iterator[tuple[dict[str, Any] | None, dict[str, Any], list[Stored]]]:
    """What the shards of an index hold: of `.safetensors`, the layout and the tensors by name; of HDF5, what `stored` finds in each."""
    about, shards = _index(path)
    tensors: dict[str, Any] = {}
    found: list[Stored] = []
    with contextlib.ExitStack() as stack:
        for name in shards:
            shard = path.parent / name
            require(shard.is_file() and not shard.is_symlink(), path, f"The shard '{name}' is missing.", fix="copy all files of the set")
            region = Region(stack.enter_context(open(shard, "rb")), shard)
            if name.endswith(".safetensors"):
                tensors |= safetensors.File(region)
            else:
                found.append(stored(stack.enter_context(hdf5.File(region))))
        for name, places in shards.items():
            missing = next((place for place in places if name.endswith(".safetensors") and place not in tensors), None)
            require(missing is None, path, f"The shard '{name}' does not hold '{missing}', which the index names.")
        yield (json.loads(about["layout"]) if isinstance(about.get("layout"), str) else None), tensors, found


def joined(parts: list[Stored]) -> Stored:
    """What several files hold together."""
    groups: dict[str, dict[str, Any]] = {}
    names: dict[str, str] = {}
    for part in parts:
        names |= part.names
        for group, store in part.groups.items():
            groups.setdefault(group, {}).update(store)
    return Stored(groups, names)
