"""`.keras` files: a zip archive of the architecture as JSON and the weights as HDF5."""

from __future__ import annotations

import contextlib
import datetime
import json
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from keraunos import __version__
from keraunos.core.assets import assets_of, give_assets
from keraunos.core.errors import ArgumentError, ArgumentTypeError, KeraunosError, ModelFileError, layout
from keraunos.core.frames import shortened, warn
from keraunos.core.missing import KERAS_VERSION
from keraunos.core.scope import scope, within
from keraunos.core.serialization import custom_object_scope, object_from, serialize_keras_object
from keraunos.core.waiting import unread
from keraunos.models.model import Model
from keraunos.saving import hdf5, legacy, orbax, weights
from keraunos.saving.arrays import Tree, nbytes
from keraunos.saving.files import as_path, existing, local, new, problem, replacing, require
from keraunos.saving.regions import digest
from keraunos.saving.remote import is_url
from keraunos.saving.zipped import ASSETS, CONFIG, METADATA, WEIGHTS, Archive, written

_MEND = "it is not as Keras writes it: get the file again, or save the model again"


@shortened
def save_model(model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any) -> None:
    """Write a model, its weights and its optimizer's state to a `.keras` file.

    The file is written beside the old one and takes its place at once; on any failure the old one stays.

    Args:
        model: The model.
        filepath: The path, or a URL that fsspec reaches (`s3://…`), ending in `.keras`; or in `.h5` or `.hdf5` for the format of Keras 1 and 2, with a warning, since it holds less.
        overwrite: Whether an existing file may be replaced.
        zipped: Only True, which None stands for, is supported.
        **kwargs: `include_optimizer`, for `.h5` files: whether the compilation and the optimizer's state are written.

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
    include_optimizer = kwargs.pop("include_optimizer", True)
    if kwargs:
        raise ArgumentTypeError(f"save_model has no argument '{next(iter(kwargs))}'.", fix="model.save('model.keras')")
    if zipped is False:
        raise ArgumentError("Folders are not written.", where="zipped=False", fix="leave zipped out: the model becomes one '.keras' file")
    if not isinstance(model, Model):
        fix = "keras.Sequential([…]) or keras.Model(inputs, outputs)"
        raise ArgumentTypeError("Only a model can be saved.", where="model", received=type(model).__name__, fix=fix)
    if str(filepath).endswith(legacy.ENDINGS) and not str(filepath).endswith(".weights.h5"):
        return legacy.save(model, filepath, overwrite, include_optimizer)
    if not include_optimizer:
        raise ArgumentError("include_optimizer is for '.h5' files.", where="include_optimizer=False", fix="load_model('model.keras', compile=False) leaves it")
    path = new(filepath, ".keras", "A model is", ", or model.save_weights('….weights.h5') for the weights alone")
    if not model.built:
        fact, fix = f"The model '{model.name}' is not built: the file will hold no weights.", "build it first: begin it with keras.Input, or call it on data"
        warn(layout(fact, model.name, fix=fix))
    writing(model, path, overwrite)()


def writing(model: Any, path: Any, overwrite: bool) -> Callable[[], None]:
    """A function that writes a model's file: the architecture is that of now, the values are those that the variables have when it is called."""
    with within(sharing={}):
        config = serialize_keras_object(model)
    try:
        text = json.dumps(config).encode()
    except (TypeError, ValueError) as error:
        fix = "let get_config return numbers, strings, lists, dicts and Keras objects"
        raise ArgumentError(f"The config of '{model.name}' cannot be written as JSON: {error}.", fix=fix) from None
    assets = dict(_assets(model))

    def write() -> None:
        tree = weights.collected(model)
        with replacing(path, overwrite, nbytes(tree)) as stream, written(stream) as archive:
            _pack(archive, tree, text, assets)

    return write


def _pack(archive: zipfile.ZipFile, tree: Tree, text: bytes, assets: dict[str, bytes]) -> None:
    """Put the members into an archive, with the SHA-256 of each: the weights first, the digest of which is known when they are written."""
    with archive.open(zipfile.ZipInfo(WEIGHTS), "w", force_zip64=True) as member:
        digests = {WEIGHTS: hdf5.write(tree, member, sealed=False), CONFIG: digest(text)}
    digests |= {name: digest(content) for name, content in assets.items()}
    date = f"{datetime.datetime.now():%Y-%m-%d@%H:%M:%S}"
    metadata = {"keras_version": KERAS_VERSION, "date_saved": date, "keraunos_version": __version__, "sha256": digests}
    archive.writestr(zipfile.ZipInfo(METADATA), json.dumps(metadata))
    archive.writestr(zipfile.ZipInfo(CONFIG), text)
    archive.filelist[:] = [archive.NameToInfo[name] for name in (METADATA, CONFIG, WEIGHTS)]
    for name, content in assets.items():
        archive.writestr(zipfile.ZipInfo(name), content)


def _assets(model: Any) -> Iterator[tuple[str, bytes]]:
    """The files that layers want kept beside their weights (vocabularies), by their names in the archive."""
    for group, owner in weights.saveables(model):
        yield from ((f"{ASSETS}{group.removesuffix('vars')}{name}", content) for name, content in assets_of(owner).items())


@shortened
def load_model(filepath: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True) -> Any:
    """A model from a `.keras` file that Keraunos or Keras 3 wrote, an `.h5` file of Keras 1 to 3 or tf.keras, or a folder of `callbacks.OrbaxCheckpoint`.

    Args:
        filepath: The path, or a URL that fsspec reaches; of a folder of checkpoints, the last one is read.
        custom_objects: Classes and functions of yours by name, beside those registered.
        compile: Whether the model is compiled as it was, with its optimizer's state.
        safe_mode: Refuse Python lambdas, which would run code from the file.

    Raises:
        ModelFileError: There is no such file, it is damaged, unsafe, or names an unknown class.

    Example:

    >>> import keraunos as keras, os, tempfile
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> model.save(path)
    >>> again = keras.models.load_model(path)
    >>> bool((again.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    if is_url(filepath):
        with local(filepath) as path:
            return load_model(path, custom_objects, compile, safe_mode)
    if orbax.is_checkpoint(path := as_path(filepath)):
        checkpoint = orbax.Checkpoint(path)
        fix = f"make the model, then model.load_weights({str(filepath)!r})"
        require(checkpoint.config is not None, path, "This checkpoint holds weights alone, without a model.", fix=fix)
        model = _made(checkpoint.config, path, custom_objects, compile, safe_mode, "model_config")  # type: ignore[arg-type]
        checkpoint.give(model, weights_only=not compile)
        return model
    path = existing(filepath)
    fix = f"make the model, then model.load_weights({path.name!r})"
    require(not path.name.endswith(".weights.h5"), path, "This file holds weights alone, without a model.", fix=fix)
    if path.suffix in legacy.ENDINGS:
        with unread(path.name, path.stat().st_size):
            return legacy.load(path, lambda config: _made(config, path, custom_objects, compile, safe_mode, "model_config", "training_config"), compile)
    require(path.suffix == ".keras", path, f"A model file's name ends in '.keras', not '{path.suffix}'.", fix="rename the file if it is one")
    with Archive(path) as archive, unread(path.name, archive.size):
        model = _made(archive.config, path, custom_objects, compile, safe_mode)
        with archive.opened(WEIGHTS) as region, hdf5.File(region) as file:
            weights.give(model, stored := weights.of_hdf5(file), path)
        _give_assets(archive, model)
    if model.compiled and model.optimizer is not None and "optimizer/vars" not in stored.groups:  # so tf.keras wrote those of optimizers.legacy
        warn(f"'{path.name}' holds no state of the optimizer '{model.optimizer.name}': it starts anew.")
    return model


def _made(config: dict[str, Any], path: pathlib.Path, custom_objects: Any, compile: bool, safe_mode: bool, place: str = CONFIG, training: str = "") -> Any:
    """The model that a file's config describes, which stands at `place` in it, and its compilation at `training`, if that is another."""
    compile_config = config.pop("compile_config", None)
    with custom_object_scope(custom_objects), within(sharing={}, safe_mode=safe_mode and scope.safe_mode):
        with _blamed(path, place, "describes a model that cannot be made"):
            model = object_from(config)
        require(isinstance(model, Model), path, "The file does not describe a model.", place, _MEND, received=f"class {config.get('class_name')!r}")
        if compile and compile_config:
            with _blamed(path, training or place, "describes a compilation that cannot be done", "load it uncompiled: load_model(path, compile=False)"):
                model.compile_from_config(compile_config)
    return model


@contextlib.contextmanager
def _blamed(path: pathlib.Path, place: str, fact: str, fix: str | None = None) -> Iterator[None]:
    """What goes wrong in the block is told as a fault of the file's config, which stands at `place`."""
    try:
        yield
    except ModelFileError as error:
        error.fix = error.fix or _MEND
        raise error.inside(f"{path.name}: {place}") if path.name not in str(error.where) else error from None
    except RecursionError:
        raise problem(path, f"{place} {fact}: it is nested too deeply.", place, fix or _MEND) from None
    except KeraunosError as error:
        raise problem(path, f"{place} {fact}: {error.fact}", place, fix or error.fix or _MEND, received=error.received, expected=error.expected) from error
    except Exception as error:  # the config may hold anything
        told = f"it lacks {error}" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        raise problem(path, f"{place} {fact}: {told}.", place, fix or _MEND) from error


def _give_assets(archive: Archive, model: Any) -> None:
    """Let layers read the files that they wrote; of each, those in its own folder of the archive."""
    for group, owner in weights.saveables(model):
        place = f"{ASSETS}{group.removesuffix('vars')}"
        files = archive.assets(place) if hasattr(owner, "load_assets") else {}
        try:
            give_assets(owner, files)
        except Exception as error:  # a file may hold anything
            fact = error.fact if isinstance(error, KeraunosError) else f"{type(error).__name__}: {error}"
            raise problem(archive.path, f"What the file keeps of '{getattr(owner, 'name', '')}' cannot be read: {fact}", place + next(iter(files))) from error
