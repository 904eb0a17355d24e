"""Files that hold weights alone."""

from __future__ import annotations

import contextlib
from typing import Any

from keraunos.core.errors import ArgumentError, ArgumentTypeError, StateError
from keraunos.saving import hdf5, orbax, weights
from keraunos.saving.files import as_path, existing, local, new, replacing, require
from keraunos.saving.regions import Region
from keraunos.saving.remote import is_url
from keraunos.saving.zipped import WEIGHTS, Archive


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
    path = new(filepath, ".weights.h5", "Weights are")
    if not model.built:
        fix = "begin it with keras.Input, call build((None, …)), or call it on data"
        raise StateError(f"The model '{model.name}' is not built, so it has no weights to save.", fix=fix)
    with replacing(path, overwrite) as stream:
        hdf5.write(weights.collected(model), stream)


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Any = None, **kwargs: Any) -> None:
    """Give a model the weights of a `.weights.h5` or `.keras` file, or of a checkpoint of Orbax; nothing is assigned unless all fit.

    Args:
        model: The model; it must be built.
        filepath: The path; of a folder of checkpoints, the last one is read.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
        objects_to_skip: Layers to leave as they are.

    Raises:
        ModelFileError: There is no such file, it is damaged, or does not fit.
    """
    if kwargs:
        raise ArgumentTypeError(f"load_weights has no argument '{next(iter(kwargs))}'.", fix="model.load_weights(path, skip_mismatch=False)")
    if is_url(filepath):
        with local(filepath) as path:
            return load_weights(model, path, skip_mismatch, objects_to_skip)
    if orbax.is_checkpoint(path := as_path(filepath)):
        if skip_mismatch or objects_to_skip:
            raise ArgumentError("A checkpoint of Orbax is read as a whole.", where="skip_mismatch, objects_to_skip", fix="model.load_weights(path)")
        _prepare_optimizer(model)
        return orbax.Checkpoint(path).give(model, weights_only=False)
    path = existing(filepath)
    fact = f"Weights are read from '.weights.h5' and '.keras' files, not '{path.suffix}'."
    require(path.suffix in (".keras", ".h5", ".hdf5"), path, fact, fix="rename the file if it is one")
    _prepare_optimizer(model)
    with contextlib.ExitStack() as stack:
        archived = path.suffix == ".keras"
        region = stack.enter_context(stack.enter_context(Archive(path)).opened(WEIGHTS)) if archived else Region(stack.enter_context(open(path, "rb")), path)
        file = stack.enter_context(hdf5.File(region))
        weights.give(model, weights.of_hdf5(file), path, skip_mismatch, objects_to_skip or (), strict_optimizer=False)


def _prepare_optimizer(model: Any) -> None:
    """Let the optimizer have the variables whose values are about to be read."""
    if model.built and getattr(model, "optimizer", None) is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
