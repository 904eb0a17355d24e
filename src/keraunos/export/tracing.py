"""What the formats that trace share: models and functions taken to the engine that a format belongs to, and what is said where that cannot be."""

from __future__ import annotations

import contextlib
import copy
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

from keraunos.core import config, tree
from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import BackendError, KeraunosError
from keraunos.core.functional import Trace
from keraunos.core.scope import within
from keraunos.core.variable import Variable
from keraunos.export import signatures
from keraunos.layers.layer import Layer


@contextlib.contextmanager
def telling(name: str) -> Iterator[None]:
    """A block that traces a model or function; where an engine fails in it, the error says what that means.

    Raises:
        BackendError: In place of an engine's error.
    """
    try:
        yield
    except Exception as error:
        if is_own(error):
            raise
        fact = f"'{name}' cannot be exported: something that it calls is no function of keraunos.ops."
        received = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise BackendError(fact, where=name, received=received, fix="compute with keraunos.ops in place of the engine's own functions") from error


def is_own(error: Exception) -> bool:
    """Whether an error was raised by us, not for an engine that failed."""
    return isinstance(error, KeraunosError) and not any(note.startswith("The engine says") for note in getattr(error, "__notes__", ()))


def without_host(model: Any, format: str) -> None:
    """Refuse layers that run on the host.

    Raises:
        BackendError: There is one.
    """
    host = next((layer for layer in model._flatten_layers() if layer.on_host), None)
    if host is not None:
        fact = f"'{host.name}' ({type(host).__name__}) runs on the host, before any engine: the {format} format has no form of it."
        fix = f"apply it to the data first, and export what comes behind it: keras.Model(model.get_layer('{host.name}').output, model.output)"
        raise BackendError(fact, where=model.name, fix=fix)


def _without_memory(model: Any, trace: Trace, format: str) -> None:
    """Refuse models whose call assigns what the next call reads, as that of a stateful recurrent layer; seeds stay as they are.

    Raises:
        BackendError: It did in this trace.
    """
    kept = next((v for v in trace.written.values() if v.dtype in FLOATS), None)
    if kept is not None:
        fact = f"'{model.name}' keeps '{kept.path}' from one call to the next: a file of the {format} format has no memory."
        raise BackendError(fact, where=model.name, fix="export(path, 'tf_saved_model'), which has; or make the state an input and an output")


class OnEngine:
    """A copy of a model on another engine, as a function of its inputs.

    Args:
        model: The model or layer; it stays as it is.
        engine: The name of the engine.
        format: The format that it is for.
        input_signature: As of `export_model`.

    Attributes:
        model: The copy.
        specs: The specs of the inputs.
        names: The names of the inputs.

    Raises:
        BackendError: A layer runs on the host, or the engine's package is not installed.
    """

    def __init__(self, model: Any, engine: str, format: str, input_signature: Any = None):
        args, kwargs = signatures.signature(model, input_signature)
        without_host(model, format)
        self.names, self.structure = signatures.input_names(model, args, kwargs), tree.map_structure(signatures.spec, (args, kwargs))
        self.specs = tree.flatten(self.structure)
        self.engine, self.format = config.load_backend(engine), format
        with within(backend=self.engine):
            self.model = model.copied()

    def __call__(self, *inputs: Any) -> Any:
        """The outputs for inputs in their order, as `predict` has them.

        Raises:
            BackendError: The call keeps something for the next one.
        """
        args, kwargs = tree.pack_sequence_as(self.structure, list(inputs))
        trace = Trace()
        with within(backend=self.engine, training=False, trace=trace):
            out = self.model(*args, **kwargs)
        _without_memory(self.model, trace, self.format)
        return out


class Copies:
    """Copies of layers, and of functions with the layers that they reach, on the engine in force; each is copied once.

    Args:
        instead: What stands in the copies in place of a layer of the host.
    """

    def __init__(self, instead: Callable[[Any], Any]):
        self.instead, self.memo = instead, {}
        self.originals: list[Any] = []  # what was copied: it lives on, so that its id is no other's

    def __call__(self, x: Any) -> Any:
        """A layer, variable, method, `functools.partial` or function, with its own copies of what it closes over or names; else `x` itself."""
        if isinstance(x, Variable):
            return self._noted(x, copy.deepcopy(x, self.memo))
        if id(x) in self.memo:
            return self.memo[id(x)]
        if isinstance(x, Layer):
            return self._layer(x)
        if isinstance(x, types.MethodType):
            held = x.__self__
            new = self._object(held) if id(held) not in self.memo and not isinstance(held, Layer) and _holds(held, types.FunctionType) else self(held)
            return types.MethodType(x.__func__, new) if type(new) is type(x.__self__) else getattr(new, x.__name__)
        if isinstance(x, functools.partial):
            return functools.partial(self(x.func), *self(x.args), **self(x.keywords))
        if isinstance(x, (list, tuple, dict)):
            return tree.map_structure(self, x)
        if isinstance(x, types.FunctionType):
            return self._function(x)
        return self._object(x) if _holds(x) else x

    def _noted(self, x: Any, new: Any) -> Any:
        self.originals.append(x)
        return new

    def _layer(self, layer: Any) -> Any:
        for inner in layer._flatten_layers():
            if inner.on_host and id(inner) not in self.memo:
                self._noted(inner, self.memo.setdefault(id(inner), self.instead(inner)))
        return self.memo[id(layer)] if id(layer) in self.memo else self._noted(layer, layer.copied(self.memo))

    def _object(self, x: Any) -> Any:
        """An object with copies of what its attributes hold."""
        self.memo[id(x)] = new = self._noted(x, copy.copy(x))
        if new is not x:  # as loggers and others that there is one of
            vars(new).update({name: self(value) for name, value in vars(x).items()})
        return new

    def _function(self, fn: types.FunctionType) -> Any:
        """Functions of a module that a function names are looked into if the module is its own."""
        cells, names = tuple(types.CellType() for _ in fn.__closure__ or ()), fn.__globals__.copy()
        new = types.FunctionType(fn.__code__, names, fn.__name__, None, cells or None)
        self.memo[id(fn)] = self._noted(fn, new)
        new.__defaults__, new.__kwdefaults__ = self(fn.__defaults__), self(fn.__kwdefaults__)
        for cell, old in zip(cells, fn.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # an empty cell
                cell.cell_contents = self(old.cell_contents)
        for name in {n for code in _codes(fn.__code__) for n in code.co_names} & names.keys():
            if not isinstance(names[name], types.FunctionType) or names[name].__globals__ is fn.__globals__:
                names[name] = self(names[name])
        return new


def _holds(x: Any, other: type = Layer, depth: int = 4) -> bool:
    """Whether an object holds a layer, variable or something of another class in its attributes, or in what these hold, to some depth."""
    if isinstance(x, (Layer, Variable, other)):
        return True
    shared = isinstance(x, (type, types.ModuleType)) or not hasattr(x, "__dict__")
    held = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else () if shared else vars(x).values()
    return depth > 0 and any(_holds(y, other, depth - 1) for y in held)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code, and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
