"""The weights of a model in HDF5, in Keras's layout: `layers/dense/vars/0`, `optimizer/vars/0`, …

A layer's own variables stand under `vars`; what it holds stands under the attribute's name; the items
of lists and dicts under their class's name in snake case, with a counter from the second on.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import pathlib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import h5py
import numpy as np

from keraunos.core.errors import KeraunosError
from keraunos.core.functional import Trace
from keraunos.core.names import to_snake_case
from keraunos.core.scope import within
from keraunos.layers.layer import Layer
from keraunos.metrics.metric import Metric
from keraunos.models.functional import GraphModel
from keraunos.models.model import Model
from keraunos.optimizers.optimizer import Optimizer
from keraunos.saving.files import problem, require

MAGIC = b"\x89HDF\r\n\x1a\n"  # how an HDF5 file begins
# What ours keep in attributes that hold layers a second time, or nothing that is saved.
_INTERNAL = frozenset({"_arguments", "_compile_arguments", "_layers", "_lossy", "_order", "nodes", "operations"})
# Parts of files by other versions of Keras that hold no weights.
_IGNORED = {"optimizer", "_optimizer", "seed_generator", "random_generator", "metrics", "_metrics", "loss_tracker", "_loss_tracker", "compile_metrics"}


def _is_saveable(x: Any) -> bool:
    return isinstance(x, Layer) or (hasattr(x, "save_own_variables") and not isinstance(x, (Metric, type)))


@functools.cache
def _hidden(kind: type) -> frozenset[str]:
    """The attributes of any object of this class, in which nothing of its own is held."""
    return (_INTERNAL | set(dir(kind))) - ({"layers", "optimizer"} if kind is Model else {"optimizer"})


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
    """What `owner` holds, by attribute, in the order in which Keras looks: public names first."""
    kind = next((k for k in (GraphModel, Model, Layer) if isinstance(owner, k)), object)
    if isinstance(owner, GraphModel):
        yield "layers", owner.layers
    for name in sorted(dir(owner), key=lambda name: (name.startswith("_"), name)):
        if not name.startswith("__") and name not in _hidden(kind):
            with contextlib.suppress(Exception):  # a user's property may not be ready to answer
                yield name, getattr(owner, name)


def _items(items: list[Any], written: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """The items of a container that hold variables, each with its name there.

    Layers are found by their own names where those `written` in the file are the same, else by class and number.
    """
    if written and len(items) == len(written) and all(isinstance(item, Layer) for item in items) and {item.name for item in items} == written.keys():
        yield from ((written[layer.name], layer) for layer in items)
        return
    counts: collections.Counter[str] = collections.Counter()
    for item in items:
        if _is_saveable(item) or isinstance(item, (list, tuple, dict, set)):
            name = to_snake_case(type(item).__name__) if _is_saveable(item) else "container"
            yield f"{name}_{counts[name]}" if counts[name] else name, item
            counts[name] += 1


def saveables(root: Any, names: Mapping[str, str] | None = None) -> Iterator[tuple[str, Any]]:
    """The objects with variables in and below `root`, each once, with the groups of a file that hold them.

    Args:
        root: A model.
        names: For a file that is read: the names of the objects that it was written from, by group.
    """
    seen: set[int] = set()

    def visit(x: Any, path: str) -> Iterator[tuple[str, Any]]:
        if _is_saveable(x) and id(x) not in seen:
            seen.add(id(x))
            yield f"{path}vars", x
            held = _attributes(x)
        elif isinstance(x, (list, tuple, dict, set)):
            parts = [(group.split("/"), name) for group, name in (names or {}).items() if path.endswith("layers/") and group.startswith(path)]
            written = {name: group[-2] for group, name in parts if len(group) == path.count("/") + 2}
            held = _items(list(x.values() if isinstance(x, dict) else x), written)
        else:
            return
        for name, value in held:
            yield from visit(value, f"{path}{name}/")

    return visit(root, "")


# ---- writing ----
def write(model: Any, stream: Any) -> None:
    """Write the variables of a model, its layers and its optimizer."""
    with h5py.File(stream, "w") as file:
        for place, owner in saveables(model):
            store: dict[str, Any] = {}
            owner.save_own_variables(store)
            group = file.create_group(place)
            group.attrs["name"] = str(getattr(owner, "name", ""))
            for key, value in store.items():
                value = np.asarray(value)
                unknown = value.dtype.kind == "V"  # bfloat16 and float8, which HDF5 does not know
                written = group.create_dataset(key, data=value.view(f"V{value.dtype.itemsize}") if unknown else value)
                if unknown:
                    written.attrs["dtype"] = value.dtype.name


# ---- reading ----
class Store(collections.UserDict[str, Any]):
    """The variables of one object in a file, read when they are asked for."""

    def __init__(self, group: Any):
        self.data = group

    def __getitem__(self, key: str) -> Any:
        data = self.data[key]
        value = data[()]
        if "dtype" not in data.attrs:
            return value
        import ml_dtypes

        return np.asarray(value).view(getattr(ml_dtypes, str(data.attrs["dtype"])))

    def describe(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """The shape and dtype of each variable in order, without reading it."""
        found = ((key, self.data[key]) for key in sorted(self, key=lambda key: (len(key), key)))
        return {key: (tuple(data.shape), str(data.attrs.get("dtype", data.dtype))) for key, data in found}


def _kind(dtype: str) -> str:
    return "float" if "float" in dtype else "integer" if "int" in dtype else dtype


def _safe(group: Any, path: pathlib.Path, above: tuple[Any, ...] = ()) -> Iterator[str]:
    """The paths of the groups with variables; raises for what would lead out of the file."""
    for name in group:
        place = f"{group.name.rstrip('/')}/{name}"
        hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
        require(hard, path, "The file holds a link to another place, which is not followed.", place, "do not load it: Keras writes no links")
        item = group[name]
        if isinstance(item, h5py.Group):
            require(all(item != outer for outer in (*above, group)), path, "The file's groups form a circle.", place)
            if name == "vars":
                yield str(item.name).strip("/")
            yield from _safe(item, path, (*above, group))
        else:
            inside = not item.is_virtual and not item.external and h5py.check_ref_dtype(item.dtype) is None
            sizes = f"{item.nbytes:,} bytes are declared, {item.id.get_storage_size():,} stored"
            require(item.nbytes <= 200 * max(item.id.get_storage_size(), 2**20), path, f"The file declares more than it holds: {sizes}.", place)
            fact, fix = "The file holds data that lies in other files, which are not read.", "do not load it: Keras writes no such data"
            require(inside, path, fact, place, fix)


def _misfit(owner: Any, store: Store, partly: bool) -> tuple[str, str] | None:
    """What was expected and what was found, if an object with the usual `load_own_variables` cannot take them, or `partly` the first of them."""
    if type(owner).load_own_variables not in (Layer.load_own_variables, Optimizer.load_own_variables):
        return None
    found, variables = store.describe(), owner._saved_variables() if isinstance(owner, Layer) else owner.variables
    right = [*found] == [str(i) for i in range(min(len(variables), len(found)) if partly else len(variables))]
    if right and all(v.shape == shape and _kind(v.dtype) == _kind(dtype) for v, (shape, dtype) in zip(variables, found.values(), strict=not partly)):
        return None
    return _listed((v.shape, v.dtype) for v in variables), _listed(found.values())


def _listed(variables: Iterable[tuple[tuple[int, ...], str]]) -> str:
    shapes = [str(shape) if _kind(dtype) == "float" else f"{shape} {dtype}" for shape, dtype in variables]
    return ", ".join(shapes[:4]) + (f", … ({len(shapes)})" if len(shapes) > 4 else "") if shapes else "none"


def read(model: Any, stream: Any, path: pathlib.Path, skip_mismatch: bool = False, skipped: Iterable[Any] = (), strict_optimizer: bool = True) -> None:
    """Give a model, its layers and its optimizer their variables' values; nothing is assigned unless all fit.

    Raises:
        ModelFileError: The file is damaged or unsafe, or does not fit.
    """
    try:
        with h5py.File(stream, "r") as file:
            _read(model, file, path, skip_mismatch, {id(x) for x in skipped}, strict_optimizer)
    except KeraunosError:
        raise
    except (OSError, RuntimeError, KeyError, AttributeError, UnicodeDecodeError) as error:  # what h5py raises for damaged files
        raise problem(path, f"The weights are no HDF5 file, or a damaged one: {error}") from error


def _read(model: Any, file: Any, path: pathlib.Path, skip_mismatch: bool, skipped: set[int], strict_optimizer: bool) -> None:
    old, fix = "This HDF5 file is in the format of Keras 1 and 2, which is not read yet.", "in Keras 3: load it, then model.save('model.keras')"
    require("layer_names" not in file.attrs and "model_weights" not in file, path, old, fix=fix)
    groups, held = list(_safe(file, path)), ", ".join(list(file)[:6]) or "none"
    require("vars" in groups or "layers" in file, path, "This HDF5 file holds no weights of a Keras model.", None, None, received=f"groups {held}")
    names = {group: str(file[group].attrs["name"]) for group in groups if "name" in file[group].attrs}
    rows: list[tuple[str, str, str]] = []
    trace, used, optimizers = Trace(), set(), []
    for group, owner in saveables(model, names):
        used.add(group)
        is_optimizer = isinstance(owner, Optimizer)
        if id(owner) in skipped or (not isinstance(owner, Layer) and group not in groups):
            continue
        store: Any = Store(file[group] if group in groups else {})
        listed, partly = _listed(store.describe().values()), is_optimizer and len(store) <= 2
        misfit = _misfit(owner, store, partly)
        if misfit is None:
            try:
                if partly:  # saved before its first step: its slots are as they were made
                    store = {**{str(i): v.numpy() for i, v in enumerate(owner.variables)}, **store}
                with within(trace=trace):
                    owner.load_own_variables(store)
                optimizers += [(owner, store)] if is_optimizer else []
                continue
            except Exception as error:  # a class of the user's may raise anything
                misfit = error.fact if isinstance(error, KeraunosError) else f"{type(error).__name__}: {error}", listed
        expected, found = misfit
        if not is_optimizer or strict_optimizer:
            rows.append((getattr(owner, "name", "") or group, expected, found))
        else:
            warnings.warn(f"The state of '{owner.name}' in '{path.name}' was not loaded: expected {expected}; found {found}", stacklevel=5)
    for group in groups:
        if group not in used and len(file[group]) and names.get(group) != "lora" and not _IGNORED.intersection(group.split("/")):
            rows.append((group.removesuffix("/vars"), "nothing", _listed(Store(file[group]).describe().values())))
    if rows and not skip_mismatch:
        lines = [f"The weights do not fit '{model.name}' in {len(rows)} places; nothing was assigned."]
        lines += [f"  {name}: expected {expected}; found {found}" for name, expected, found in rows[:6]]
        built = "make the model as it was when it was saved, or pass skip_mismatch=True to load_weights"
        raise problem(path, "\n".join(lines), fix=built if model.built else f"build the model first: {model.name}.build((None, …)), or call it on data")
    if rows:
        left = ", ".join(row[0] for row in rows[:8])
        warnings.warn(f"{len(rows)} layers were left as they are, since the weights of '{path.name}' do not fit: {left}", stacklevel=5)
    for key, variable in trace.written.items():
        variable.assign(trace.values[key])
    for optimizer, store in optimizers:  # an optimizer keeps some of its state where it wants it
        optimizer.load_own_variables(store)
