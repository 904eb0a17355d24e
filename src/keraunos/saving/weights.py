"""The weights of a model as files hold them, in Keras's layout: `layers/dense/vars/0`, `optimizer/vars/0`, …

A layer's own variables stand under `vars`; what it holds stands under the attribute's name; the items
of lists and dicts under their class's name in snake case, with a counter from the second on.
"""

from __future__ import annotations

import collections
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from keraunos.core.errors import KeraunosError, layout
from keraunos.core.frames import warn
from keraunos.core.functional import Trace
from keraunos.core.names import to_snake_case
from keraunos.core.scope import scope, within
from keraunos.core.variable import Derived, Variable
from keraunos.core.waiting import Waiting
from keraunos.layers.layer import Layer
from keraunos.metrics.metric import Metric
from keraunos.models.functional import GraphModel
from keraunos.models.model import Model
from keraunos.optimizers.optimizer import Optimizer
from keraunos.saving import hdf5
from keraunos.saving.arrays import Room, Stored, nbytes, numpy_dtype
from keraunos.saving.files import problem, require

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
class Value:
    """A variable as an array, whose values are taken when they are needed."""

    def __init__(self, variable: Variable):
        self.variable, self.path, self.shape = variable, variable.path, variable.shape
        self.dtype = numpy_dtype(variable.dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        variable, trace = self.variable, scope.trace
        if isinstance(variable, Derived):
            return variable.numpy()
        return np.asarray(variable.backend.to_numpy(variable._value if trace is None else trace.read(variable)))


def _usual(owner: Any, method: str) -> bool:
    """Whether an object has its variables in files by number, as is usual."""
    return getattr(type(owner), method) in (getattr(Layer, method), getattr(Optimizer, method))


def _variables(owner: Any, count: int = 0) -> list[Variable]:
    """What files hold of an object; of an optimizer whose file has `count`, one less than that, all but the learning rate, as Keras 2 wrote it."""
    if isinstance(owner, Layer):
        return owner._saved_variables()
    found = owner.variables
    return [v for v in found if v is not owner._rate] if count == len(found) - 1 > 1 and isinstance(owner, Optimizer) else found


def collected(model: Any) -> dict[str, tuple[str, dict[str, Any]]]:
    """What a file of weights holds, by group: the name of the object, and its arrays by key."""
    found = {}
    for group, owner in saveables(model):
        store: dict[str, Any] = {}
        if _usual(owner, "save_own_variables"):
            store = {str(i): Value(variable) for i, variable in enumerate(_variables(owner))}
        else:
            owner.save_own_variables(store)
        found[group] = str(getattr(owner, "name", "")), store
    return found


# ---- reading ----
def of_hdf5(file: hdf5.File) -> Stored:
    """What an HDF5 file of Keras 3 holds.

    Raises:
        ModelFileError: It is another one.
    """
    groups: dict[str, dict[str, Any]] = {group: {} for group in file.groups if group.rpartition("/")[2] == "vars"}
    for place, data in file.items():
        group, found, key = f"/{place}".partition("/vars/")
        if found:
            groups.setdefault(f"{group}/vars".strip("/"), {})[key] = data
    held = ", ".join(sorted({place.partition("/")[0] for place in [*file.groups, *file] if place})[:6]) or "none"
    require(bool(groups) or "layers" in file.groups, file.path, "This HDF5 file holds no weights of a Keras model.", None, None, received=f"groups {held}")
    names = {group: file.attribute(group, "name") for group in groups}
    return Stored(groups, {group: str(name) for group, name in names.items() if name is not None})


class Store(collections.UserDict[str, Any]):
    """The variables of one object in a file, read when they are asked for."""

    def __getitem__(self, key: str) -> Any:
        return np.asarray(self.data[key])

    def describe(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """The shape and dtype of each variable in order, without reading it."""
        return {key: (tuple(self.data[key].shape), str(self.data[key].dtype)) for key in sorted(self, key=lambda key: (len(key), key))}


def kind_of(dtype: str) -> str:
    return "float" if "float" in dtype else "integer" if "int" in dtype else dtype


def _misfit(owner: Any, store: Store, partly: bool) -> tuple[str, str] | None:
    """What was expected and what was found, if an object with the usual `load_own_variables` cannot take them, or `partly` the first of them."""
    if not _usual(owner, "load_own_variables"):
        return None
    found, variables = store.describe(), _variables(owner, len(store))
    right = [*found] == [str(i) for i in range(min(len(variables), len(found)) if partly else len(variables))]
    if right and all(v.shape == shape and kind_of(v.dtype) == kind_of(dtype) for v, (shape, dtype) in zip(variables, found.values(), strict=not partly)):
        return None
    return listed((v.shape, v.dtype) for v in variables), listed(found.values())


def listed(variables: Iterable[tuple[tuple[int, ...], str]]) -> str:
    shapes = [str(shape) if kind_of(dtype) == "float" else f"{shape} {dtype}" for shape, dtype in variables]
    return ", ".join(shapes[:4]) + (f", … ({len(shapes)})" if len(shapes) > 4 else "") if shapes else "none"


def give(model: Any, stored: Stored, path: Any, skip_mismatch: bool = False, skipped: Iterable[Any] = ()) -> None:
    """Give a model, its layers and its optimizer their variables' values; nothing is assigned unless all fit.

    A state that is another optimizer's, or of one that trained other variables, is left out with a warning, as Keras does.

    Raises:
        ModelFileError: They do not fit.
    """
    groups, names, skipped = stored.groups, stored.names, {id(x) for x in skipped}
    rows, unread = list[tuple[str, str, str]](), list[str]()
    trace, used, later, room = Trace(), set(), list[Callable[[], None]](), Room(nbytes(stored.tree()))
    for group, owner in saveables(model, names):
        used.add(group)
        is_optimizer = isinstance(owner, Optimizer)
        if id(owner) in skipped or (not isinstance(owner, Layer) and group not in groups):
            continue
        store: Any = Store()
        store.data = groups.get(group, {})
        shapes, partly = listed(store.describe().values()), is_optimizer and len(store) <= 2  # saved before its first step: its slots are as they were made
        misfit = _misfit(owner, store, partly)
        if misfit is None:
            usual = _usual(owner, "load_own_variables") and not (is_optimizer and type(owner).set_weights is not Optimizer.set_weights)
            variables = _variables(owner, len(store)) if usual else []
            if usual and not any(isinstance(v, Derived) for v in variables):  # those from which one is derived are read in turn
                pairs = zip(range(len(store)), variables, strict=False)
                later += [functools.partial(_assign, v, x if (x := store.data[str(i)]).certain else np.asarray(x), room) for i, v in pairs]
                continue
            try:
                if partly:
                    store = {**{str(i): v.numpy() for i, v in enumerate(owner.variables)}, **store}
                with within(trace=Trace() if is_optimizer else trace):
                    owner.load_own_variables(store)
                later += [functools.partial(owner.load_own_variables, store)] if is_optimizer else []  # it keeps some of its state where it wants it
                continue
            except Exception as error:  # a class of the user's may raise anything
                misfit = error.fact if isinstance(error, KeraunosError) else f"{type(error).__name__}: {error}", shapes
        expected, found = misfit
        if is_optimizer:
            fact = f"The state of '{owner.name}' in '{path.name}' was not loaded: expected {expected}; found {found}. It starts anew."
            unread.append(layout(fact, fix="to keep it, freeze or unfreeze layers before the model is compiled, not between that and saving"))
        else:
            rows.append((getattr(owner, "name", "") or group, expected, found))
    for group, held in groups.items():
        if group not in used and held and names.get(group) != "lora" and not _IGNORED.intersection(group.split("/")):
            (left := Store()).data = held  # type: ignore[assignment]
            rows.append((group.removesuffix("/vars"), "nothing", listed(left.describe().values())))
    tell_misfits(model, rows, path, skip_mismatch)
    for fact in unread:
        warn(fact)
    for key, variable in trace.written.items():
        variable.assign(trace.values[key])
    for assign in later:
        assign()


def tell_misfits(model: Any, rows: list[tuple[str, str, str]], path: Any, skip_mismatch: bool) -> None:
    """Warn of what is left as it is since it does not fit: of which layer, what was expected, what was found.

    Raises:
        ModelFileError: There is something, and nothing is to be left.
    """
    if rows and not skip_mismatch:
        lines = [f"The weights do not fit '{model.name}' in {len(rows)} places; nothing was assigned."]
        lines += [f"  {name}: expected {expected}; found {found}" for name, expected, found in rows[:6]]
        fix = "make the model as it was when it was saved, or pass skip_mismatch=True to load_weights"
        fix = fix if model.built else f"build the model first: {model.name}.build((None, …)), or call it on data"
        raise problem(path, "\n".join(lines), fix=fix)
    if rows:
        left = ", ".join(row[0] for row in rows[:8])
        warn(f"{len(rows)} layers were left as they are, since the weights of '{path.name}' do not fit: {left}")


def _assign(variable: Variable, data: Any, room: Room) -> None:
    """Assign what no one else holds: without a copy of it, or read into a room for one after the other, where the engine makes a copy."""
    backend, copies = variable.backend, getattr(variable.backend, "stores_copies", False)
    with room if copies else contextlib.nullcontext():
        value = np.asarray(data)
    if copies and scope.trace is None and (value.dtype.name, value.shape) == (variable.dtype, variable.shape):
        waits = isinstance(variable, Waiting)  # then no initializer is to run for what it holds
        variable._value = backend.store(None if waits else variable._value, value, variable.trainable)
        if waits:
            variable.place()
    else:
        variable.assign(backend.array(value, variable.dtype))
    done = functools.partial(backend.synchronize, variable._value)
    if copies:
        room.passed(value.nbytes, done)
    elif value.nbytes >= 2**20:  # many copies could be waiting, and take as much memory as the model
        done()
