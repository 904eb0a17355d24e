"""`.keras` files: a zip archive of the architecture as JSON and the weights as HDF5."""

from __future__ import annotations

import collections
import contextlib
import datetime
import hashlib
import json
import pathlib
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from keraunos import __version__
from keraunos.core.errors import ArgumentError, ArgumentTypeError, KeraunosError, ModelFileError, StateError
from keraunos.core.scope import within
from keraunos.core.serialization import custom_object_scope, deserialize_keras_object, serialize_keras_object
from keraunos.models.model import Model
from keraunos.saving import weights
from keraunos.saving.files import HDF5_MAGIC, as_path, existing, problem, replacing

KERAS_VERSION = "3.15.1"  # whose format is written
_METADATA, _CONFIG, _WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_JSON_LIMIT = 256 * 2**20
_IN_MEMORY = 256 * 2**20


def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Write a model, its weights and its optimizer's state to a `.keras` file.

    The file is written beside the old one and takes its place at once; on any failure the old one stays.

    Args:
        model: The model.
        filepath: The path, ending in `.keras`.
        overwrite: Whether an existing file may be replaced.
        zipped: Only True, which None stands for, is supported.

    Raises:
        ArgumentError: The path does not end in `.keras`, or the model holds what cannot be written.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> keras.saving.save_model(model, path)
    >>> keras.saving.load_model(path).count_params()
    9
    """
    if kwargs:
        raise ArgumentTypeError(f"save_model has no argument '{next(iter(kwargs))}'.", fix="model.save('model.keras')")
    if zipped is False:
        raise ArgumentError("Folders are not written.", where="zipped=False", fix="leave zipped out: the model becomes one '.keras' file")
    if not isinstance(model, Model):
        raise ArgumentTypeError(
            "Only a model can be saved.", where="model", received=type(model).__name__, fix="keras.Sequential([…]) or keras.Model(inputs, outputs)"
        )
    path = as_path(filepath)
    if path.suffix != ".keras":
        fix = f"{path.with_suffix('.keras').name!r}" + (
            ", or model.save_weights('….weights.h5') for the weights alone" if path.suffix in (".h5", ".hdf5") else ""
        )
        raise ArgumentError(f"A model is saved to a file whose name ends in '.keras', not '{path.suffix}'.", where="filepath", received=str(path), fix=fix)
    if not model.built:
        warnings.warn(
            f"The model '{model.name}' is not built: the file will hold no weights. Build it first: begin it with keras.Input, or call it on data.",
            stacklevel=3,
        )
    with within(sharing={}):
        config = serialize_keras_object(model)
    counts = collections.Counter(_shared_ids(config))
    try:
        text = json.dumps(_without_single_ids(config, counts)).encode()
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"The config of '{model.name}' cannot be written as JSON: {error}.", fix="let get_config return numbers, strings, lists, dicts and Keras objects"
        ) from None
    with replacing(path, overwrite) as stream, _spool() as spool, zipfile.ZipFile(stream, "w") as archive:
        weights.write(model, spool)
        metadata: dict[str, Any] = {
            "keras_version": KERAS_VERSION,
            "date_saved": f"{datetime.datetime.now():%Y-%m-%d@%H:%M:%S}",
            "keraunos_version": __version__,
        }
        metadata["sha256"] = {_CONFIG: hashlib.sha256(text).hexdigest(), _WEIGHTS: _digest(spool)}
        archive.writestr(zipfile.ZipInfo(_METADATA), json.dumps(metadata))
        archive.writestr(zipfile.ZipInfo(_CONFIG), text)
        with archive.open(zipfile.ZipInfo(_WEIGHTS), "w", force_zip64=True) as member:
            shutil.copyfileobj(spool, member, 2**20)


def _shared_ids(config: Any) -> Iterator[int]:
    """The ids of the layers in a config, each as often as it occurs."""
    for value in config.values() if isinstance(config, dict) else config if isinstance(config, (list, tuple)) else ():
        yield from _shared_ids(value)
    if isinstance(config, dict) and "shared_object_id" in config:
        yield config["shared_object_id"]


def _without_single_ids(config: Any, counts: collections.Counter[int]) -> Any:
    """The config with the ids of those layers alone that occur more than once."""
    if isinstance(config, dict):
        return {k: _without_single_ids(v, counts) for k, v in config.items() if k != "shared_object_id" or counts[v] > 1}
    return [_without_single_ids(x, counts) for x in config] if isinstance(config, (list, tuple)) else config


def _spool() -> Any:
    return tempfile.SpooledTemporaryFile(_IN_MEMORY)


def _digest(stream: Any) -> str:
    """The SHA-256 of a stream, which is put back to its start."""
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return digest


def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """A model from a `.keras` file that Keraunos or Keras 3 wrote.

    Args:
        filepath: The path.
        custom_objects: Classes and functions of yours by name, beside those registered.
        compile: Whether the model is compiled as it was, with its optimizer's state.
        safe_mode: Refuse Python lambdas, which would run code from the file.

    Raises:
        ModelFileError: There is no such file, it is damaged, unsafe, or names an unknown class.
    """
    path = as_path(filepath)
    if path.name.endswith(".weights.h5"):
        raise problem(path, "This file holds weights alone, without a model.", fix=f"make the model, then model.load_weights({path.name!r})")
    path = existing(path)
    if path.suffix != ".keras":
        if path.suffix in (".h5", ".hdf5"):
            fix = "in Keras 3: keras.models.load_model(path).save('model.keras')"
            raise problem(path, f"'{path.suffix}' model files, the format of Keras 1 and 2, are not read yet.", fix=fix)
        raise problem(path, f"A model file's name ends in '.keras', not '{path.suffix}'.", fix="rename the file if it is one")
    with _opened(path) as archive, _spool() as spool:
        config = _read_json(archive, path, _CONFIG)
        _extract(archive, path, _WEIGHTS, spool)
        compile_config = config.pop("compile_config", None)
        with custom_object_scope(custom_objects or {}), within(sharing={}, safe_mode=safe_mode):
            model = _guarded(path, "describes a model that cannot be made", lambda: deserialize_keras_object(config))
            if not isinstance(model, Model):
                raise problem(path, "The file does not describe a model.", _CONFIG, received=f"class {config.get('class_name')!r}")
            if compile and compile_config:
                fix = "load it uncompiled: load_model(path, compile=False)"
                _guarded(path, "describes a compilation that cannot be done", lambda: model.compile_from_config(compile_config), fix)
        weights.read(model, spool, path)
    return model


def _guarded(path: pathlib.Path, fact: str, make: Any, fix: str | None = None) -> Any:
    """`make()`; what goes wrong is told as a fault of the file's config."""
    try:
        return make()
    except ModelFileError as error:
        raise error.at(f"{path.name}: {_CONFIG}") from None
    except KeraunosError as error:
        raise problem(path, f"{_CONFIG} {fact}: {error.fact}", _CONFIG, fix or error.fix, received=error.received, expected=error.expected) from error
    except Exception as error:  # the config may hold anything
        raise problem(path, f"{_CONFIG} {fact}: {type(error).__name__}: {error}", _CONFIG, fix) from error


def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None, **kwargs: Any) -> None:
    """Write the weights of a model, and its optimizer's state, to a `.weights.h5` file, at once as `save_model` does.

    Args:
        model: The model; it must be built.
        filepath: The path, ending in `.weights.h5`.
        overwrite: Whether an existing file may be replaced.
        max_shard_size: Only None is supported.
    """
    if kwargs or max_shard_size is not None:
        raise ArgumentError(f"save_weights does not support '{next(iter(kwargs), 'max_shard_size')}'.", fix="model.save_weights('model.weights.h5')")
    path = as_path(filepath)
    if not path.name.endswith(".weights.h5"):
        raise ArgumentError(
            "Weights are saved to a file whose name ends in '.weights.h5'.", where="filepath", received=str(path), fix=f"{path.name.split('.')[0]}.weights.h5"
        )
    if not model.built:
        raise StateError(
            f"The model '{model.name}' is not built, so it has no weights to save.", fix="begin it with keras.Input, call build((None, …)), or call it on data"
        )
    with replacing(path, overwrite) as stream, _spool() as spool:
        weights.write(model, spool)
        spool.seek(0)
        shutil.copyfileobj(spool, stream, 2**20)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Any = None, **kwargs: Any) -> None:
    """Give a model the weights of a `.weights.h5` or `.keras` file; nothing is assigned unless all fit.

    Args:
        model: The model; it must be built.
        filepath: The path.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
        objects_to_skip: Layers to leave as they are.

    Raises:
        ModelFileError: There is no such file, it is damaged, or does not fit.
    """
    if kwargs:
        raise ArgumentTypeError(f"load_weights has no argument '{next(iter(kwargs))}'.", fix="model.load_weights(path, skip_mismatch=False)")
    path = existing(filepath)
    if path.suffix not in (".keras", ".h5", ".hdf5"):
        raise problem(path, f"Weights are read from '.weights.h5' and '.keras' files, not '{path.suffix}'.", fix="rename the file if it is one")
    if model.built and getattr(model, "optimizer", None) is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with contextlib.ExitStack() as stack:
        if path.suffix == ".keras":
            stream = stack.enter_context(_spool())
            _extract(stack.enter_context(_opened(path)), path, _WEIGHTS, stream)
        else:
            stream = stack.enter_context(open(path, "rb"))
        weights.read(model, stream, path, skip_mismatch, objects_to_skip or (), strict_optimizer=False)


# ---- reading archives ----
@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[zipfile.ZipFile]:
    """The archive, with all the members that a model needs."""
    size = path.stat().st_size
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        with open(path, "rb") as stream:
            start = stream.read(8)
        if start == HDF5_MAGIC:
            raise problem(
                path, "This is an HDF5 file, not a '.keras' archive.", fix="for weights, name it '….weights.h5' and call model.load_weights"
            ) from None
        if start.startswith(b"PK"):
            raise problem(
                path, f"'{path.name}' exists, {size:,} bytes, but the zip directory is missing: truncated?", fix="copy the file again, or save the model again"
            ) from None
        raise problem(path, f"'{path.name}' exists, {size:,} bytes, but is no zip archive.", fix="save the model with model.save('….keras')") from None
    with archive:
        missing = [name for name in (_METADATA, _CONFIG, _WEIGHTS) if name not in archive.namelist()]
        if missing:
            raise problem(
                path,
                f"The archive has no member '{missing[0]}'.",
                received=f"members {', '.join(archive.namelist()[:6]) or 'none'}",
                fix="this is no file that Keras 3 wrote",
            )
        yield archive


def _extract(archive: zipfile.ZipFile, path: pathlib.Path, name: str, target: Any) -> None:
    """Copy a member to `target`, and compare its SHA-256 with the one noted when it was written."""
    info = archive.getinfo(name)
    if info.file_size > 200 * max(info.compress_size, 2**20):
        raise problem(
            path,
            f"The member '{name}' would unpack to {info.file_size:,} bytes from {info.compress_size:,}.",
            name,
            "do not load it: Keras does not compress members",
        )
    try:
        with archive.open(name) as member:
            shutil.copyfileobj(member, target, 2**20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise problem(path, f"The member '{name}' is damaged: {error}", name, "copy the file again, or save the model again") from None
    noted = _read_json(archive, path, _METADATA).get("sha256") if name != _METADATA else None
    found = _digest(target)
    if isinstance(noted, dict) and noted.get(name, found) != found:
        raise problem(path, f"The member '{name}' is not as it was written: its SHA-256 differs.", name, "copy the file again, or save the model again")


def _read_json(archive: zipfile.ZipFile, path: pathlib.Path, name: str) -> dict[str, Any]:
    if archive.getinfo(name).file_size > _JSON_LIMIT:
        raise problem(path, f"The member '{name}' is too large: {archive.getinfo(name).file_size:,} bytes.", name)
    with _spool() as target:
        _extract(archive, path, name, target)
        text = target.read()
    try:
        value = json.loads(text)
    except RecursionError:
        raise problem(path, f"The member '{name}' is nested too deeply.", name) from None
    except ValueError as error:
        raise problem(path, f"The member '{name}' is not valid JSON: {error}.", name, "save the model again") from None
    if not isinstance(value, dict):
        raise problem(path, f"The member '{name}' is not a JSON object.", name)
    return value
