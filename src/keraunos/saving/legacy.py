"""HDF5 files of Keras 1 and 2 and tf.keras, which Keras 3 still writes to names in `.h5`: models as a whole, and weights alone.

A group stands for each layer; the attributes `layer_names` and `weight_names` say in which order. A layer's weights are all that it
and the layers within have, those that are trained first.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import h5py
import numpy as np

from keraunos.core.errors import ModelFileError
from keraunos.core.frames import warn
from keraunos.core.missing import KERAS_VERSION
from keraunos.core.old_graphs import with_old_activations
from keraunos.core.scope import within
from keraunos.core.serialization import serialize_keras_object
from keraunos.saving import hdf5
from keraunos.saving.files import as_path, problem, replacing, require
from keraunos.saving.old_names import names
from keraunos.saving.regions import Region
from keraunos.saving.weights import kind_of, listed, tell_misfits

ENDINGS = (".h5", ".hdf5")
_CONFIG_LIMIT = 64 * 2**20
_TOP = "top_level_model_weights"
_MODEL, _OPTIMIZER = "model_weights", "optimizer_weights"
Rows = list[tuple[str, str, str]]  # what does not fit: of which layer, what was expected, what was found


def is_legacy(file: hdf5.File) -> bool:
    """Whether an HDF5 file is in the old format."""
    return _MODEL in file.groups or any(file.has("", key) for key in ("layer_names", "layer_names0", "model_config"))


# ---- reading ----
def load(path: pathlib.Path, make: Callable[[dict[str, Any]], Any], compile: bool) -> Any:
    """The model that a file holds as a whole.

    Args:
        path: The file.
        make: Makes a model of a config in the form of Keras 3.
        compile: Whether the optimizer's state is read.
    """
    with open(path, "rb") as stream, hdf5.File(Region(stream, path)) as file:
        config = _json(file, "model_config")
        require(config is not None, path, "This file holds weights alone, without a model.", fix=f"make the model, then model.load_weights({path.name!r})")
        if not str(file.attribute("", "keras_version") or "1").startswith("3"):
            config = with_old_activations(config)
        training = _json(file, "training_config")
        model = make({**config, "compile_config": _compilation(training) if training else None})
        give(model, file)
        if compile and training and _OPTIMIZER in file.groups and model.optimizer is not None:
            _give_optimizer(model.optimizer, file)
    return model


def _json(file: hdf5.File, key: str) -> Any:
    """The object that an attribute of the file holds as JSON; None if there is none."""
    text = file.attribute("", key, _CONFIG_LIMIT)
    try:
        value = None if text is None else json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise problem(file.path, f"The attribute '{key}' is not valid JSON: {error}.", key) from None
    require(value is None or isinstance(value, dict), file.path, f"The attribute '{key}' is not a JSON object.", key)
    return value


def _compilation(training: dict[str, Any]) -> dict[str, Any]:
    """What `compile` was called with, by the old `training_config`."""

    def of(namespace: str, x: Any) -> Any:
        if isinstance(x, dict):
            named = {"module": f"keras.{namespace}", "registered_name": None, **x} if "class_name" in x else x
            return named if "class_name" in x else {key: of(namespace, item) for key, item in x.items()}
        return [of(namespace, item) for item in x] if isinstance(x, list) else x

    spaces = {"optimizer": "optimizers", "loss": "losses", "metrics": "metrics", "weighted_metrics": "metrics", "loss_weights": "losses"}
    found = {key: of(space, training.get("optimizer_config" if key == "optimizer" else key)) for key, space in spaces.items()}
    for key in ("metrics", "weighted_metrics"):
        if isinstance(found[key], list) and len(found[key]) == 1 and isinstance(found[key][0], list):
            found[key] = found[key][0]
    return {key: value for key, value in found.items() if value is not None} | {k: training[k] for k in ("steps_per_execution",) if training.get(k)}


def _parts(model: Any) -> list[tuple[str, list[Any]]]:
    """A model's layers and what they have, in the order of old files; what it has beside its layers is the last."""
    top = [v for v in model._saved_variables() if v in model.weights]
    return [*((layer.name, ordered(layer)) for layer in model.layers), *([(_TOP, top)] if top else [])]


def ordered(layer: Any) -> list[Any]:
    """The weights of a layer in the order of old files."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def give(model: Any, file: hdf5.File, by_name: bool = False, skip_mismatch: bool = False, skipped: Iterable[Any] = ()) -> None:
    """Give a model the weights of a file; nothing is assigned unless all fit.

    Args:
        model: The model.
        file: The file.
        by_name: Give layers the weights that stand under their names; by default they go by order.
        skip_mismatch: Whether layers that do not fit are left as they are, with a warning.
        skipped: Layers to leave as they are.
    """
    root = _MODEL if _MODEL in file.groups else ""
    places = [(name, f"{root}/{name}".strip("/")) for name in [*names(file, root, "layer_names"), _TOP]]
    held = [(name, _arrays(file, place)) for name, place in places if place in file.groups]
    skipped = {layer.name for layer in skipped}
    rows: Rows = []
    fitting: list[tuple[Any, Callable[[], Any]]] = []
    for name, variables, found in _pairs(model, held, by_name, rows):
        readers = _readers(variables, found)
        if name in skipped or not readers:
            rows += [(name, listed((v.shape, v.dtype) for v in variables), listed((x.shape, x.dtype) for x in found))] if name not in skipped and found else []
        else:
            fitting += zip(variables, readers, strict=True)
    tell_misfits(model, rows, file.path, skip_mismatch)
    for variable, read in fitting:
        variable.assign(read())


def _arrays(file: hdf5.File, place: str) -> list[hdf5.Data]:
    """The arrays of a group in their order, without the state of generators of random numbers."""
    found = []
    for name in names(file, place, "weight_names"):
        where = f"{place}/{name}"
        require(where in file, file.path, f"The file has no array '{name}', which it names.", place)
        if name.partition(":")[0].rpartition("/")[2] not in ("StateVar", "seed_generator_state"):
            found.append(file[where])
    return found


def _pairs(model: Any, held: list[tuple[str, list[hdf5.Data]]], by_name: bool, rows: Rows) -> Iterator[tuple[str, list[Any], list[hdf5.Data]]]:
    """Which layer takes which arrays; what finds no partner is noted in `rows`."""
    parts = _parts(model)
    if by_name:
        by = dict(held)
        yield from ((name, variables, by[name]) for name, variables in parts if name in by)
        return
    ours, theirs = ([(name, x) for name, x in side if x] for side in (parts, held))
    if len(ours) == len(theirs):
        yield from ((name, variables, found) for (name, variables), (_, found) in zip(ours, theirs, strict=True))
        return
    known, stored = dict(ours), dict(theirs)
    for name in [*known, *(name for name in stored if name not in known)]:
        mine, found = (x.get(name, []) for x in (known, stored))
        rows += [(name, listed((v.shape, v.dtype) for v in mine), listed((x.shape, x.dtype) for x in found))] if len(mine) != len(found) else []
    rows += [] if rows else [(model.name, f"{len(ours)} layers with weights", f"{len(theirs)}")]


def _readers(variables: list[Any], found: list[hdf5.Data]) -> list[Callable[[], Any]] | None:
    """How the values of variables are read; None if the arrays are others."""
    if len(variables) != len(found):
        return None
    readers = []
    for i, (variable, data) in enumerate(zip(variables, found, strict=True)):
        cudnn = _units_of_cudnn(variables, found, i)
        if variable.shape == data.shape and kind_of(variable.dtype) == kind_of(data.dtype):
            readers.append(functools.partial(np.asarray, data) if cudnn is None else _of_cudnn(variable, data, cudnn))
        elif cudnn is not None:
            readers.append(_of_cudnn(variable, data, cudnn))
        else:
            return None
    return readers


def _units_of_cudnn(variables: list[Any], found: list[hdf5.Data], i: int) -> int | None:
    """The units of the recurrent layer in whose arrays the i-th stands, if they are as cuDNN had them: then the bias is one row, twice as long."""
    for start in (i, i - 1, i - 2):
        group = variables[start : start + 3] if start >= 0 else []
        if [v.name for v in group] == ["kernel", "recurrent_kernel", "bias"] and found[start + 2].shape == (2 * group[1].shape[1],):
            return group[1].shape[0]
    return None


def _of_cudnn(variable: Any, data: hdf5.Data, units: int) -> Callable[[], Any]:
    """Reads weights of `CuDNNLSTM` and `CuDNNGRU`, whose kernels lie transposed, gate by gate, and whose biases are two."""

    def read() -> Any:
        value = np.asarray(data)
        if value.ndim == 1:
            return value.reshape(2, -1) if len(variable.shape) == 2 else value.reshape(2, -1).sum(0)
        gates = np.split(value, value.shape[1] // units, axis=1)
        turned = [gate.T if variable.name == "recurrent_kernel" else gate.T.reshape(gate.shape, order="F") for gate in gates]
        return np.concatenate(turned, axis=1)

    return read


# ---- the optimizer ----
def _give_optimizer(optimizer: Any, file: hdf5.File) -> None:
    """Give an optimizer its state, or warn that it starts anew."""
    known = names(file, _OPTIMIZER, "weight_names")
    found = [file[f"{_OPTIMIZER}/{name}"] for name in known if f"{_OPTIMIZER}/{name}" in file]
    ours = list(optimizer.variables)
    if len(found) == len(known) and known:
        if len(found) <= 2 or not known[0].endswith(":0"):  # Keras 3 wrote it, or it had not begun
            whole = len(found) == len(ours) or (len(found) <= 2 and optimizer.iterations is ours[0])
            pairs = list(zip(ours, found, strict=False)) if whole else []
        else:
            slots, groups = getattr(optimizer, "_slots", []), _by_slot(known, found, len(getattr(optimizer, "_trained", ())))
            plain = len(ours) - sum(map(len, slots)) == 1 + (optimizer._rate is ours[1] if len(ours) > 1 else 0)
            same = plain and len(groups) >= len(slots) and all(len(slot) == len(group) for slot, group in zip(slots, groups, strict=False))
            pairs = [(ours[0], found[0])] if same else []
            for slot, group in zip(slots, groups, strict=False) if same else ():
                pairs += zip(slot, group, strict=True)
        if pairs and all(v.shape == x.shape and kind_of(v.dtype) == kind_of(x.dtype) for v, x in pairs):
            for variable, data in pairs:
                variable.assign(np.asarray(data))
            return
    warn(f"The state of '{optimizer.name}' in '{file.path.name}' was not loaded, since {optimizer.__class__.__name__} keeps another: it starts anew.")


def _by_slot(known: list[str], found: list[hdf5.Data], count: int) -> list[list[hdf5.Data]]:
    """The arrays of an optimizer of Keras 2, behind the count of steps, by what each was kept for: momentum, velocity, …"""
    groups: dict[Any, list[hdf5.Data]] = {}
    for i, (name, data) in enumerate(zip(known[1:], found[1:], strict=True)):
        parts = name.partition(":")[0].split("/")
        if known[0] == "iteration:0":  # the last of Keras 2: Adam/m/dense/kernel
            slot: Any = parts[1]
        else:  # before: Adam/dense/kernel/m; in the first, names said nothing
            slot = parts[-1] if known[0].endswith("iter:0") else i // max(count, 1)
        groups.setdefault(slot, []).append(data)
    return list(groups.values())


# ---- writing ----
def save(model: Any, filepath: Any, overwrite: bool, include_optimizer: bool) -> None:
    """Write a model as Keras 3 does to names in `.h5`, with a warning; `load_model` there and here reads it."""
    fact = "The format of '.h5' files is that of Keras 1 and 2: it holds no vocabularies, and no digests of what was written."
    warn(f"{fact} Better: model.save('{as_path(filepath).stem}.keras')")
    with replacing(as_path(filepath), overwrite) as stream:
        _write(model, stream, include_optimizer)


def _write(model: Any, stream: Any, include_optimizer: bool) -> None:
    """Keras's layout; but the config has the modules of classes, too, without which neither finds the ops of a graph again."""
    with within(sharing={}):
        config = serialize_keras_object(model)
    compiled = config.pop("compile_config", None)
    with h5py.File(stream, "w") as file:
        about = {"backend": model._backend.__name__.rpartition(".")[2], "keras_version": KERAS_VERSION}
        file.attrs.update(about | {"model_config": json.dumps(config)})
        layers = file.create_group(_MODEL)
        layers.attrs.update(about)
        parts = dict(_parts(model))
        _note(layers, "layer_names", [layer.name for layer in model.layers])
        for name in [*(layer.name for layer in model.layers), _TOP]:
            _put(layers.create_group(name), parts.get(name, []))
        if compiled and include_optimizer:
            kept = ("loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly", "steps_per_execution", "jit_compile")
            training = {key: compiled.get(key) for key in kept}
            file.attrs["training_config"] = json.dumps(training | {"optimizer_config": compiled["optimizer"]})
            _put(file.create_group(_OPTIMIZER), model.optimizer.variables)


def _put(group: Any, variables: list[Any]) -> None:
    """Write variables into a group under their paths."""
    paths = [v.path for v in variables]
    if len(set(paths)) < len(paths):
        raise ModelFileError("Two weights have one name, which the old format cannot hold.", where=group.name, fix="save the model to a '.keras' file")
    _note(group, "weight_names", paths)
    for path, variable in zip(paths, variables, strict=True):
        data = group.create_dataset(path, data=(value := np.asarray(variable.numpy())))
        if value.dtype.kind == "V":  # bfloat16 and float8, which HDF5 does not know
            data.attrs["dtype"] = value.dtype.name


def _note(group: Any, key: str, names: list[str], most: int = 2000) -> None:
    """Note names in an attribute, or in several: HDF5 has room for about 4,000 in one."""
    for i in range(0, max(len(names), 1), most):
        group.attrs[key if len(names) <= most else f"{key}{i // most}"] = names[i : i + most]
