"""Weights in several files, and an index of them in JSON: `X.weights.json` as Keras has it, `X.safetensors.index.json` as safetensors files have it.

The index is written last, beside the old one, and takes its place at once; shards of an earlier set keep their names until then and go away afterwards. So
whoever is killed in between leaves one set or the other.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError
from keraunos.saving import hdf5, safetensors
from keraunos.saving.arrays import Stored, Tree, labels, layout_of, numpy_kind
from keraunos.saving.files import problem, replacing, require
from keraunos.saving.regions import Region, digest

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
        ArgumentError: The path is no place for shards.
    """
    if not isinstance(path, pathlib.Path):
        raise ArgumentError("Shards are not written to URLs.", where="max_shard_size", received=str(path), fix="leave max_shard_size out")
    if isinstance(gigabytes, bool) or not isinstance(gigabytes, (int, float)) or not gigabytes > 0:
        raise ArgumentError("A shard holds a positive number of gigabytes.", where="max_shard_size", received=gigabytes, fix="max_shard_size=5")
    if not overwrite and path.exists():
        raise ArgumentError(f"The file '{path}' exists already.", where="overwrite=False", fix="choose another name, or pass overwrite=True")
    parts, total = _divided(tree, gigabytes * 1e9)
    tensors = path.name.endswith(TENSORS)
    names = _names(path, len(parts), tensors)
    earlier = _earlier(path)
    try:
        for name, part in zip(names, parts, strict=True):
            with replacing(path.parent / name, False) as stream:
                (safetensors if tensors else hdf5).write(part, stream)
        places: dict[str, Any] = {}
        for name, part in zip(names, parts, strict=True):
            for place in labels(part) if tensors else (f"/{group}" for group, (_, store) in part.items() if store):
                places[place] = name if tensors else [*places.get(place, []), name]
        about = {"total_size": total, "format": _OURS} | ({"layout": json.dumps(layout_of(tree))} if tensors else {})
        about["sha256"] = _digest(about, places)
        with replacing(path, overwrite) as stream:
            stream.write(json.dumps({"metadata": about, "weight_map": places}, indent=4).encode())
    except BaseException:
        for name in names:
            (path.parent / name).unlink(missing_ok=True)
        raise
    for name in earlier:
        (path.parent / name).unlink(missing_ok=True)
    return names


def _digest(about: dict[str, Any], places: dict[str, Any]) -> str:
    """The SHA-256 of all else that an index says."""
    return digest(json.dumps([{key: value for key, value in about.items() if key != "sha256"}, places]).encode())


def _divided(tree: Tree, limit: float) -> tuple[list[dict[str, tuple[str, dict[str, Any]]]], int]:
    """The parts of a tree that the shards hold, in order, and the bytes of all arrays."""
    parts: list[dict[str, tuple[str, dict[str, Any]]]] = [{}]
    filled, total = 0, 0
    for group, (name, store) in tree.items():
        parts[-1].setdefault(group, (name, {}))
        for key, value in store.items():
            value = value if hasattr(value, "dtype") else np.asarray(value)
            size = numpy_kind(value).itemsize * int(np.prod(value.shape, dtype=np.int64))
            if filled and filled + size > limit:
                parts.append({})
                filled = 0
            parts[-1].setdefault(group, (name, {}))[1][key] = value
            filled, total = filled + size, total + size
    return parts, total


def _names(path: pathlib.Path, count: int, tensors: bool) -> list[str]:
    stem = path.name.removesuffix(TENSORS if tensors else HDF5)
    for mark in ("", f"-{secrets.token_hex(3)}"):  # the second where there are shards already, which stay until the new ones are whole
        form = f"{stem}{mark}-{{:05d}}-of-{count:05d}.safetensors" if tensors else f"{stem}{mark}_{{:05d}}.weights.h5"
        names = [form.format(i + tensors) for i in range(count)]
        if not any((path.parent / name).exists() for name in names):
            break
    return names


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
