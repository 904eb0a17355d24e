"""`ExportArchive`: what TensorFlow and its servers load (SavedModel), endpoint by endpoint."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ArgumentTypeError, FileWriteError, StateError
from keraunos.core.functional import Trace
from keraunos.core.scope import within
from keraunos.core.variable import Variable
from keraunos.export import no_more_options, signatures
from keraunos.export.text import in_graph
from keraunos.export.tracing import Copies, telling
from keraunos.layers.layer import Layer
from keraunos.saving import files
from keraunos.saving.remote import URL


class ExportArchive:
    """Writes a SavedModel with the endpoints that are added to it.

    Models and functions may be of any engine: copies of their layers and variables are traced on TensorFlow, and theirs stay as they are. What an
    endpoint reads becomes a `tf.Variable` of the artifact, with the value that it has when that is written.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> archive = keras.export.ExportArchive()
    >>> archive.track(model)
    >>> _ = archive.add_endpoint("serve", model.call, [keras.InputSpec(shape=(None, 3), dtype="float32")])
    >>> len(archive.variables)
    2
    """

    def __init__(self) -> None:
        self._engine = config.load_backend("tensorflow")
        self._tf = self._engine.tf
        self._copies = Copies(self._in_graph)
        self._held: dict[int, tuple[Any, Any]] = {}  # the variables of copies, by id, with TensorFlow's
        self._tracked: dict[int, Any] = {}  # TensorFlow's of those that are tracked or read
        self._endpoints: dict[str, Any] = {}
        self._collections: dict[str, list[Any]] = {}
        self._resources: list[Any] = []
        self._root = _root(self._tf)

    # ---- what it holds ----
    @property
    def variables(self) -> list[Any]:
        """The `tf.Variable`s of what is tracked, and of what the endpoints read."""
        return list(self._tracked.values())

    @property
    def trainable_variables(self) -> list[Any]:
        """Those that are trained."""
        return [held for held in self.variables if held.trainable]

    @property
    def non_trainable_variables(self) -> list[Any]:
        """Those that are not trained."""
        return [held for held in self.variables if not held.trainable]

    @property
    def endpoints(self) -> list[str]:
        """The names of the endpoints."""
        return list(self._endpoints)

    def track(self, resource: Any) -> None:
        """Hold the variables of a layer or model, or a trackable object of TensorFlow's such as a look-up table.

        Args:
            resource: The layer, model or object.

        Raises:
            StateError: The layer is not built.
            ArgumentTypeError: It is something else.
        """
        if isinstance(resource, Layer):
            if not resource.built:
                fix = f"call {resource.name} on data, or build it, before it is exported"
                raise StateError(f"'{resource.name}' is not built, so its weights are not known.", where="track", fix=fix)
            for variable in self._copy(resource).weights:
                self._track(variable)
        elif hasattr(resource, "_trackable_children"):  # what SavedModels hold
            self._resources.append(resource)
        else:
            fact, received = "Only layers, models and TensorFlow's trackable objects are tracked.", type(resource).__name__
            raise ArgumentTypeError(fact, where="track", received=received, fix="archive.track(model)")

    def _copy(self, fn: Any) -> Any:
        """A layer, function or variable with all that it holds on TensorFlow."""
        with within(backend=self._engine, trace=None):
            return self._copies(fn)

    def _in_graph(self, layer: Any) -> Any:
        new = in_graph(layer)
        self._resources.extend(new.form.tables)
        return new

    def _hold(self, variable: Variable) -> Any:
        """TensorFlow's variable for one of a copy."""
        if id(variable) not in self._held:
            with self._tf.init_scope():
                value = variable._value
                name = variable.path.replace(":", "_")
                self._held[id(variable)] = variable, self._tf.Variable(value, trainable=variable.trainable, name=name, dtype=value.dtype)
        return self._held[id(variable)][1]

    def _track(self, variable: Variable) -> Any:
        return self._tracked.setdefault(id(variable), self._hold(variable))

    # ---- endpoints ----
    def add_endpoint(self, name: str, fn: Callable[..., Any], input_signature: Any = None, **kwargs: Any) -> Any:
        """Add a function that the artifact serves.

        Args:
            name: The endpoint's name.
            fn: A function of tensors: a model's `call`, or any that calls layers and `keraunos.ops`; or a `tf.function`, which is taken as it is.
            input_signature: A list with an entry for each argument, each a structure of `InputSpec`, `KerasTensor`, `tf.TensorSpec` or arrays. A
                `tf.function` that was called needs none.
            kwargs: Keras has `is_static` and `jax2tf_kwargs`, for models on JAX. Here a model is traced on TensorFlow itself, so there is nothing
                for them to set, and they are refused.

        Returns:
            The `tf.function` that was added.

        Raises:
            ArgumentError: The name is taken or is none, or there is no signature.
            BackendError: `fn` computes something that TensorFlow cannot be told.
        """
        no_more_options("tf_saved_model", kwargs, ())
        self._free(name, "add_endpoint")
        program: Any = fn
        if hasattr(fn, "get_concrete_function"):
            self._endpoints[name] = fn if input_signature is None else program.get_concrete_function(*self._specs(input_signature))
            return fn
        if input_signature is None:
            fix = f"add_endpoint({name!r}, fn, input_signature=[InputSpec(shape=(None, 8), dtype='float32')])"
            raise ArgumentError("The arguments of a function are not known.", where="add_endpoint", expected="one entry for each argument", fix=fix)
        specs, _ = signatures.fitting(fn, name, tuple(self._specs(input_signature)), {})
        return self._add(name, self._copy(fn), specs)

    def track_and_add_endpoint(self, name: str, resource: Any, input_signature: Any, **kwargs: Any) -> Any:
        """Track a layer or model, and add its call, as in `predict`, as an endpoint; the arguments are those of `track` and `add_endpoint`."""
        self.track(resource)
        return self.add_endpoint(name, resource.__call__, input_signature, **kwargs)

    def _free(self, name: Any, where: str) -> None:
        taken = (*_OWN, *self._endpoints, *self._collections)
        if not isinstance(name, str) or not name.isidentifier() or name in taken or hasattr(self._root, name):
            fix = f"a name of Python's form, that no attribute of a tf.Module has, and none of {', '.join(taken)}"
            raise ArgumentError(f"No attribute of the artifact can be called {name!r}.", where=where, received=repr(name), fix=fix)

    def _specs(self, signature: Any) -> list[Any]:
        """TensorFlow's specs for a list of arguments, each with a name."""
        if not isinstance(signature, (list, tuple)):
            raise ArgumentTypeError("A signature is a list.", where="input_signature", received=type(signature).__name__, expected="an entry for each argument")
        return tree.map_structure(self.spec, list(signature))

    def spec(self, x: Any, name: str | None = None) -> Any:
        """TensorFlow's spec for an entry of a signature."""
        if isinstance(x, self._tf.TypeSpec):
            return x
        spec = signatures.spec(x)
        return self._tf.TensorSpec([d if isinstance(d, int) else None for d in spec.shape], spec.dtype, name or getattr(x, "name", None))

    def _add(self, name: str, fn: Callable[..., Any], specs: tuple[Any, ...]) -> Any:
        """Trace a function whose layers are on TensorFlow."""

        def serve(*args: Any) -> Any:
            trace = _Held(self._track)
            with within(backend=self._engine, trace=trace, training=False), telling(name):
                out = fn(*args)
            for key, variable in trace.written.items():
                self._track(variable).assign(trace.values[key])
            return tree.map_structure(lambda x: x if x is None else self._tf.identity(self._tf.convert_to_tensor(x)), out)

        found = self._tf.function(serve, input_signature=specs, autograph=False)
        found.get_concrete_function()
        self._endpoints[name] = found
        return found

    def add_variable_collection(self, name: str, variables: Iterable[Any]) -> None:
        """Add variables that are an attribute of the artifact when it is loaded.

        Args:
            name: The attribute.
            variables: Such as `model.optimizer.variables`.

        Raises:
            ArgumentError: The name is taken or is none.
            ArgumentTypeError: Some are no variables.
        """
        self._free(name, "add_variable_collection")
        variables = list(variables) if isinstance(variables, (list, tuple, set)) else [variables]
        wrong = next((v for v in variables if not isinstance(v, (Variable, self._tf.Variable))), None)
        if wrong is not None:
            raise ArgumentTypeError("A collection has variables.", where="add_variable_collection", received=type(wrong).__name__, expected="a list of them")
        self._collections[name] = [self._hold(self._copy(v)) if isinstance(v, Variable) else v for v in variables]

    # ---- writing ----
    def write_out(self, filepath: Any, options: Any = None, verbose: bool = True) -> None:
        """Write the SavedModel into a folder, which takes the place of one that is there.

        All endpoints are signatures for servers; the first is "serving_default" too, unless one has that name.

        Args:
            filepath: The folder.
            options: `tf.saved_model.SaveOptions`.
            verbose: Whether to print what was written, and the endpoints.

        Raises:
            StateError: There are no endpoints.
            ArgumentTypeError: The options are something else.
            ArgumentError: There is a file or folder of another kind.
        """
        if not self._endpoints:
            raise StateError("There are no endpoints to write.", where="write_out", fix="archive.add_endpoint('serve', model.call, input_signature=[…])")
        if not isinstance(options, (self._tf.saved_model.SaveOptions, type(None))):
            received, expected = type(options).__name__, "tf.saved_model.SaveOptions"
            raise ArgumentTypeError("These are no options of a SavedModel.", where="options", received=received, expected=expected)
        path, root = files.as_path(filepath), _root(self._tf)
        self._refresh()
        for name, held in {**self._endpoints, **self._collections}.items():
            setattr(root, name, held)
        root.variables, root.trainable_variables, root.non_trainable_variables = self.variables, self.trainable_variables, self.non_trainable_variables
        root.resources = self._resources
        served = {name: self._served(f) for name, f in self._endpoints.items()}
        served.setdefault("serving_default", next(iter(served.values())))
        with replacing_folder(path) as folder:
            try:
                self._tf.saved_model.save(root, str(folder), served, options)
            except (OSError, self._tf.errors.OpError) as error:
                raise FileWriteError(f"The SavedModel could not be written: {error}.", where=str(path), fix="write it elsewhere, or mend that") from error
        if verbose:
            print(f"Wrote '{path}', {self._told()}.")

    def _told(self) -> str:
        """The endpoints in words, with what goes in and comes out."""
        said = ["with the endpoints"]
        for name, f in self._endpoints.items():
            given, out = (", ".join(map(_shown, tree.flatten(x))) for x in (_concrete(f).structured_input_signature, _concrete(f).structured_outputs))
            said.append(f"  {name}: {given} -> {out}")
        return "\n".join(said)

    def _served(self, f: Any) -> Any:
        """An endpoint as servers call it: where outputs stand in structures within structures, these are laid out flat."""
        program = _concrete(f)
        out, (args, _) = program.structured_outputs, program.structured_input_signature
        if not any(map(tree.is_nested, out.values() if isinstance(out, dict) else out if isinstance(out, (list, tuple)) else ())):
            return program

        def flat(*xs: Any) -> dict[str, Any]:
            return {f"output_{i}": y for i, y in enumerate(tree.flatten(f(*tree.pack_sequence_as(args, xs))))}

        return self._tf.function(flat, input_signature=tree.flatten(args), autograph=False).get_concrete_function()

    def _refresh(self) -> None:
        """Give TensorFlow's variables the values that those of the models have by now."""
        for original in self._copies.originals:
            for variable in original.variables if isinstance(original, Layer) else [original]:
                own = self._copies.memo.get(id(variable))
                if id(own) in self._held:
                    self._held[id(own)][1].assign(variable.numpy())


class _Held(Trace):
    """A trace in which variables have the values of TensorFlow's variables.

    Args:
        hold: What gives TensorFlow's for one.
    """

    __slots__ = ("hold",)

    def __init__(self, hold: Callable[[Variable], Any]):
        super().__init__()
        self.hold = hold

    def read(self, variable: Variable) -> Any:
        return self.values[id(variable)] if id(variable) in self.values else self.hold(variable).read_value()


_OWN = ("variables", "trainable_variables", "non_trainable_variables", "resources", "signatures")


def _root(tf: Any) -> Any:
    """What is written: an object of TensorFlow's whose attributes are the endpoints and variables."""
    return type("Root", (tf.Module,), dict.fromkeys(("variables", "trainable_variables", "non_trainable_variables")))()


def _concrete(f: Any) -> Any:
    """An endpoint traced: for its signature, or for the one call that it had."""
    if not hasattr(f, "get_concrete_function"):
        return f
    try:
        return f.get_concrete_function()
    except (TypeError, ValueError):
        fix = "call it once, or pass input_signature="
        raise ArgumentError("A tf.function was never called, so its arguments are not known.", where="add_endpoint", fix=fix) from None


def _shown(x: Any) -> str:
    return f"{getattr(x, 'name', '')} {tuple(x.shape)} {x.dtype.name}" if hasattr(x, "shape") else repr(x)


@contextlib.contextmanager
def replacing_folder(path: pathlib.Path | URL) -> Iterator[pathlib.Path]:
    """A new folder that takes the place of the one at `path` at the end of the block; on any failure the old one stays.

    Raises:
        ArgumentError: There is a file, or a folder that is no SavedModel; or it is a URL.
    """
    if isinstance(path, URL):
        fix = "write it into a folder, then fsspec.filesystem('s3').put(folder, url, recursive=True)"
        raise ArgumentError("A SavedModel is written into a folder of this machine.", where="filepath", received=str(path), fix=fix)
    if path.exists() and not (path.is_dir() and (not any(path.iterdir()) or (path / "saved_model.pb").is_file())):
        raise ArgumentError(f"'{path}' exists, and is no SavedModel.", where="filepath", fix="name a folder that is new, or empty")
    path.parent.mkdir(parents=True, exist_ok=True)
    new, old = (path.with_name(f".{path.name}.{secrets.token_hex(4)}.{kind}") for kind in ("tmp", "old"))
    try:
        yield new
        if path.exists():
            os.replace(path, old)
        os.replace(new, path)
    except BaseException:
        if old.exists() and not path.exists():
            os.replace(old, path)
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
