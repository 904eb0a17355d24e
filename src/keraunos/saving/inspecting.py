"""What a file of a model, or of weights, says of itself: nothing in it is run, and no model is made."""

from __future__ import annotations

import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keraunos.saving import hdf5, legacy, npz, safetensors, shards, weights
from keraunos.saving.arrays import Stored, numpy_dtype
from keraunos.saving.files import existing, local, require
from keraunos.saving.regions import Region
from keraunos.saving.remote import is_url
from keraunos.saving.zipped import METADATA, WEIGHTS, Archive

_FORMATS = (".keras", ".h5", ".hdf5", ".safetensors", ".npz", shards.HDF5, shards.TENSORS)


def inspect(filepath: Any) -> dict[str, Any]:
    """Tell what is in a file, as JSON-ready values: architecture, compilation, weights, versions, checksums.

    Args:
        filepath: The path, or URL, of a `.keras`, `.weights.h5`, `.h5`, `.safetensors` or `.npz` file, or of the index of shards.

    Returns:
        A dict with "file", "format", "bytes", "verified" (whether it notes the SHA-256 of what it holds, which was compared), "versions", "layers"
        (None where it holds weights alone), "compilation", "weights" and "members".

    Raises:
        ModelFileError: It is damaged, unsafe, or of no known format.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]).save(path)
    >>> report = inspect(path)
    >>> report["verified"], [row["shape"] for row in report["weights"]]
    (True, [[2, 3], [3]])
    """
    if is_url(filepath):
        with local(filepath) as path:
            return {**inspect(path), "file": str(filepath)}
    path = existing(filepath)
    require(path.name.endswith(_FORMATS), path, f"Files in '{path.suffix}' are not known.", fix=f"name one in {', '.join(_FORMATS)}")
    report: dict[str, Any] = {"file": path.name, "format": "", "bytes": path.stat().st_size, "verified": False}
    report |= {"versions": {}, "layers": None, "compilation": None, "weights": [], "members": []}
    if path.suffix == ".keras":
        return report | _of_archive(path)
    if path.suffix == ".npz":
        with npz.File(path) as file:
            return report | {"format": "npz weights", "verified": file.sealed, "weights": _arrays(file.arrays.items())}
    if path.name.endswith((shards.HDF5, shards.TENSORS)):
        return report | _of_shards(path)
    with open(path, "rb") as stream:
        region = Region(stream, path)
        if path.suffix == ".safetensors":
            tensors = safetensors.File(region)
            return report | {"format": "safetensors weights", "verified": tensors.sealed, "weights": _arrays(tensors.items())}
        with hdf5.File(region) as file:
            found = _of_legacy(file) if legacy.is_legacy(file) else {"format": "Keras 3 weights", "weights": _stored(weights.of_hdf5(file))}
            return report | {"verified": file.sealed, **found}


def _of_archive(path: pathlib.Path) -> dict[str, Any]:
    with Archive(path) as archive, archive.opened(WEIGHTS) as region, hdf5.File(region) as file:
        for name in archive.infos:
            if name != WEIGHTS:
                with archive.opened(name):  # compares its digest
                    pass
        noted, stored = archive.metadata, weights.of_hdf5(file)
        members = [{"name": name, "bytes": info.file_size, "sha256": archive.digests.get(name)} for name, info in archive.infos.items()]
        versions = {key: noted[key] for key in ("keras_version", "keraunos_version", "date_saved") if isinstance(noted.get(key), str)}
        report = {"format": "Keras 3 model", "verified": archive.verified, "versions": versions, "members": members}
        found = {"layers": list(_layers(archive.config, stored)), "compilation": _compilation(archive.config.get("compile_config"))}
        require(noted.keys() != set(), path, "The metadata is empty.", METADATA)
        return {**report, **found, "weights": _stored(stored)}


def _of_legacy(file: hdf5.File) -> dict[str, Any]:
    config, training = (legacy._json(file, key) for key in ("model_config", "training_config"))
    versions = {key: str(value) for key in ("keras_version", "backend") if (value := file.attribute("", key)) is not None}
    report = {"format": "Keras 1 and 2 model" if isinstance(config, dict) else "Keras 1 and 2 weights", "versions": versions}
    layers = list(_layers(config, Stored({}, {}))) if isinstance(config, dict) else None
    return {**report, "layers": layers, "compilation": _compilation(training), "weights": _arrays(file.items())}


def _of_shards(path: pathlib.Path) -> dict[str, Any]:
    sealed: list[bool] = []

    def stored(file: hdf5.File) -> Stored:
        sealed.append(file.sealed)
        return weights.of_hdf5(file)

    with shards.opened(path, stored) as (layout, tensors, found):
        verified = all(sealed) if sealed else layout is not None
        return {"format": "weights in shards", "verified": verified, "weights": _arrays(tensors.items()) or _stored(shards.joined(found))}


# ---- weights ----
def _stored(stored: Stored) -> list[dict[str, Any]]:
    return _arrays((f"{group.removesuffix('vars')}{key}", value) for group, store in stored.groups.items() for key, value in store.items())


def _arrays(items: Iterable[tuple[str, Any]]) -> list[dict[str, Any]]:
    rows = [(name, list(value.shape), value.dtype, getattr(value, "kind", None) or numpy_dtype(value.dtype)) for name, value in items]
    return [{"name": name, "shape": x, "dtype": dtype, "bytes": math.prod(x) * kind.itemsize} for name, x, dtype, kind in sorted(rows, key=_place)]


def _place(row: tuple[Any, ...]) -> Any:
    """Where an array is listed: `dense_2` before `dense_10`, the optimizer's last."""
    return "optimizer" in row[0], [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d{1,9})", row[0])]


# ---- architecture ----
def _layers(config: Any, stored: Stored, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The layers of a config, those within models behind these; whatever the config holds in their place is passed over."""
    counts: dict[str, int] = {}
    for group, name in stored.names.items():
        counts[name] = counts.get(name, 0) + sum(math.prod(value.shape) for value in stored.groups[group].values())
    inner = config.get("config") if isinstance(config, Mapping) else None
    entries = inner if isinstance(inner, list) else inner.get("layers") if isinstance(inner, Mapping) else None
    for entry in entries if isinstance(entries, list) and depth < 100 else ():
        if isinstance(entry, Mapping) and isinstance(own := entry.get("config"), Mapping | list):
            about = own if isinstance(own, Mapping) else {}
            name = str(entry.get("name") or about.get("name") or "")
            row = {"name": name, "class": str(entry.get("registered_name") or entry.get("class_name")), "depth": depth}
            within = list(_layers(entry, stored, depth + 1))
            yield {**row, "input_shape": _shape(entry, about), "parameters": None if within else counts.get(name)}
            yield from within


def _shape(entry: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    """The shape of a layer's input, as far as the config says it."""
    built = entry.get("build_config")
    for place in (built, config):
        for key in ("input_shape", "batch_shape", "batch_input_shape", "shapes_dict"):
            if isinstance(place, Mapping) and place.get(key) is not None:
                return place[key]
    return None


def _compilation(config: Any) -> dict[str, Any] | None:
    """What a model was compiled with, each thing by its name."""
    if not isinstance(config, Mapping) or not config:
        return None
    return {key: _named(config[key]) for key in ("optimizer", "optimizer_config", "loss", "metrics", "weighted_metrics", "run_eagerly") if config.get(key)}


def _named(x: Any, depth: int = 0) -> Any:
    if isinstance(x, Mapping) and "class_name" in x:
        config = x.get("config")
        if isinstance(config, str):
            return config
        rate = config.get("learning_rate") if isinstance(config, Mapping) else None
        return f"{x['class_name']}(learning_rate={rate:g})" if isinstance(rate, float) else str(x["class_name"])
    if isinstance(x, Mapping) and depth < 10:
        return {str(key): _named(value, depth + 1) for key, value in x.items()}
    return [_named(value, depth + 1) for value in x] if isinstance(x, list) and depth < 10 else str(x)
