"""Files that hold weights alone."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ArgumentError, ArgumentTypeError, StateError
from keraunos.core.frames import shortened
from keraunos.saving import hdf5, legacy, npz, orbax, safetensors, shards, weights
from keraunos.saving.arrays import Stored, Tree, by_labels, by_layout, nbytes
from keraunos.saving.files import as_path, existing, local, replacing, require
from keraunos.saving.regions import Region
from keraunos.saving.remote import is_url
from keraunos.saving.zipped import WEIGHTS, Archive

WHOLE = (".weights.h5", ".safetensors", ".npz")
SHARDED = (shards.HDF5, shards.TENSORS)


@shortened
def save_weights(model: Any, filepath: Any, overwrite: bool = True, max_shard_size: float | None = None, **kwargs: Any) -> None:
    """Write the weights of a model, and its optimizer's state, at once as `save_model` does.

    The format is by the ending: `.weights.h5`, as Keras has it; `.safetensors`; `.npz`. In the latter two, arrays stand under the paths of the
    variables, `dense/kernel`. Ours hold the SHA-256 of all that is in them, which is compared when they are read.

    Args:
        model: The model; it must be built.
        filepath: The path, or a URL that fsspec reaches. With `max_shard_size`, of the index of the shards, `X.weights.json`, or as if it were one file.
        overwrite: Whether an existing file may be replaced.
        max_shard_size: How many gigabytes a file may hold at most, if there shall be several, `X_00000.weights.h5` and so on, or
            `X-00001-of-00003.safetensors`; None for one file.

    Raises:
        ArgumentError: The path has another ending, or the arguments do not fit together.
        StateError: The model is not built.

    Example:

    >>> import keraunos as keras, tempfile, os
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> model.save_weights(path); model.load_weights(path)
    """
    if kwargs:
        raise ArgumentTypeError(f"save_weights has no argument '{next(iter(kwargs))}'.", fix="model.save_weights('model.weights.h5')")
    path = as_path(filepath)
    if not path.name.endswith((*WHOLE, *SHARDED)):
        fact = f"Weights are saved to a file whose name ends in {', '.join(map(repr, WHOLE))}, not '{path.suffix}'."
        raise ArgumentError(fact, where="filepath", received=str(path), fix=f"'{path.stem.removesuffix('.weights')}.weights.h5'")
    if not model.built:
        fix = "begin it with keras.Input, call build((None, …)), or call it on data"
        raise StateError(f"The model '{model.name}' is not built, so it has no weights to save.", fix=fix)
    write(weights.collected(model), path, overwrite, max_shard_size)


def write(tree: Tree, path: Any, overwrite: bool = True, max_shard_size: float | None = None) -> None:
    """Write arrays by group and key to a file, or to several, by the ending of the path."""
    if path.name.endswith(SHARDED) or max_shard_size is not None:
        _require_local(path)
        ends = {".weights.h5": shards.HDF5, ".safetensors": shards.TENSORS}
        index = next((path.with_name(path.name.removesuffix(a) + b) for a, b in ends.items() if path.name.endswith(a)), path)
        fix = "give both: model.save_weights('model.weights.json', max_shard_size=5); or name a '.weights.h5' file"
        if max_shard_size is None or not index.name.endswith(SHARDED):
            raise ArgumentError("An index of shards, and max_shard_size, go together.", where="max_shard_size", received=path.name, fix=fix)
        shards.write(tree, index, overwrite, max_shard_size)
        return
    writer = safetensors.write if path.suffix == ".safetensors" else npz.write if path.suffix == ".npz" else hdf5.write
    with replacing(path, overwrite, nbytes(tree)) as stream:
        writer(tree, stream)


def _require_local(path: Any, sharded: bool = True) -> None:
    if sharded and is_url(path):
        fix = "write one file, or copy the folder with the index and the shards"
        raise ArgumentError("Files in shards are those of this machine.", where="filepath", received=str(path), fix=fix)


@contextlib.contextmanager
def opened(path: pathlib.Path, tree: Tree | None = None) -> Iterator[Stored | hdf5.File]:
    """What a file of weights holds, or of several the index; of HDF5 in the format of Keras 1 and 2, the file.

    Args:
        path: The path of an existing file.
        tree: What the arrays are for, by which those of other libraries find their places.

    Raises:
        ModelFileError: It is damaged, or unsafe, or no such file.
    """
    with contextlib.ExitStack() as stack:
        if path.name.endswith(SHARDED):
            layout, tensors, found = stack.enter_context(shards.opened(path, weights.of_hdf5))
            yield shards.joined([*found, *([_placed(tensors, layout, tree, path)] if tensors else [])])
        elif path.suffix == ".npz":
            file = stack.enter_context(npz.File(path))
            yield _placed(file.arrays, file.layout, tree, path)
        elif path.suffix == ".keras":
            yield weights.of_hdf5(stack.enter_context(hdf5.File(stack.enter_context(stack.enter_context(Archive(path)).opened(WEIGHTS)))))
        else:
            region = Region(stack.enter_context(open(path, "rb", buffering=0)), path)
            if path.suffix == ".safetensors":
                tensors = safetensors.File(region)
                yield _placed(tensors, tensors.layout, tree, path)
            else:
                file = stack.enter_context(hdf5.File(region))
                yield file if legacy.is_legacy(file) else weights.of_hdf5(file)


def _placed(arrays: Any, layout: Any, tree: Tree | None, path: pathlib.Path) -> Stored:
    return by_layout(arrays, layout, path) if layout is not None else by_labels(arrays, tree or {})


@shortened
def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, objects_to_skip: Any = None, **kwargs: Any) -> None:
    """Give a model the weights of a file, of shards, or of a checkpoint of Orbax; nothing is assigned unless all fit.

    The file may be a `.weights.h5`, `.safetensors`, `.npz`, `.keras` or old `.h5` one. Tensors and arrays that other libraries wrote are found by the
    paths of the variables, `dense/kernel`; those of the optimizer may be missing.

    Args:
        model: The model; it must be built.
        filepath: The path, or a URL that fsspec reaches; of a folder of checkpoints, the last one is read.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
        objects_to_skip: Layers to leave as they are.
        **kwargs: `by_name`, of files of Keras 1 and 2: give layers the weights that stand under their names; by default they go by order.

    Raises:
        ModelFileError: There is no such file, it is damaged, or does not fit.

    Example:

    >>> import keraunos as keras, os, tempfile
    >>> first, second = (keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]) for _ in range(2))
    >>> path = os.path.join(tempfile.mkdtemp(), "model.weights.h5")
    >>> first.save_weights(path)
    >>> keras.saving.load_weights(second, path)
    >>> bool((first.get_weights()[0] == second.get_weights()[0]).all())
    True
    """
    if kwargs.keys() - {"by_name"}:
        raise ArgumentTypeError(f"load_weights has no argument '{next(iter(kwargs))}'.", fix="model.load_weights(path, skip_mismatch=False)")
    if is_url(filepath):
        _require_local(filepath, str(filepath).endswith(SHARDED))
        with local(filepath) as path:
            return load_weights(model, path, skip_mismatch, objects_to_skip, **kwargs)
    if orbax.is_checkpoint(path := as_path(filepath)):
        if skip_mismatch or objects_to_skip:
            raise ArgumentError("A checkpoint of Orbax is read as a whole.", where="skip_mismatch, objects_to_skip", fix="model.load_weights(path)")
        _prepare_optimizer(model)
        return orbax.Checkpoint(path).give(model, weights_only=False)
    path = existing(filepath)
    known = (".keras", ".h5", ".hdf5", *WHOLE, *SHARDED)
    fact = f"Weights are read from files whose names end in {', '.join(map(repr, known))}, not '{path.suffix}'."
    require(path.name.endswith(known), path, fact, fix="rename the file if it is one")
    _prepare_optimizer(model)
    with opened(path, weights.collected(model)) as stored:
        if isinstance(stored, hdf5.File):
            return legacy.give(model, stored, kwargs.get("by_name", False), skip_mismatch, objects_to_skip or ())
        if kwargs.get("by_name"):
            fix = "leave by_name out: layers are found by their names where all names are the same, and skip_mismatch=True leaves out what does not fit"
            raise ArgumentError("by_name is for '.h5' files of Keras 1 and 2.", where="by_name=True", received=path.name, fix=fix)
        weights.give(model, stored, path, skip_mismatch, objects_to_skip or ())


def _prepare_optimizer(model: Any) -> None:
    """Let the optimizer have the variables whose values are about to be read."""
    if model.built and getattr(model, "optimizer", None) is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
