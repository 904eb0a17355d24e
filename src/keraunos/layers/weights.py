"""How a layer is built: how it makes, stores and restores its variables."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from keraunos import constraints, initializers, regularizers
from keraunos.core import tree
from keraunos.core.errors import ArgumentTypeError, ShapeError, StateError
from keraunos.core.names import scoped
from keraunos.core.scope import within
from keraunos.core.spec import show
from keraunos.core.variable import Variable
from keraunos.layers.tracking import Tracked, assign_all


def map_shapes(function: Callable[[Any], Any], shapes: Any) -> Any:
    """`function` of each shape in a structure of shapes, which are themselves sequences of integers and None."""
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    if isinstance(shapes, (list, tuple)) and not all(d is None or isinstance(d, int) for d in shapes):
        return [map_shapes(function, s) for s in shapes]
    return function(shapes)


def marking(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build`, noting the shapes and that the layer is built, whoever calls it."""
    signature = inspect.signature(build)

    @functools.wraps(build)
    def marked(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.__dict__.get("_building"):  # a class's build calls that of its base
            return build(self, *args, **kwargs)
        self._settle()
        self._building = True
        try:
            with within(names=self._place):
                build(self, *args, **kwargs)
        finally:
            del self._building
        _, *shapes = signature.bind(self, *args, **kwargs).arguments.items()
        if shapes:
            self._build_config = {"shapes_dict": dict(shapes)} if len(shapes) > 1 else {"input_shape": shapes[0][1]}
        self._built()

    return marked


class Weighted(Tracked):
    """The half of `Layer` that builds."""

    variable_dtype: Any
    call_info: ClassVar[Any]
    _backend: Any
    _policy: Any
    _policies: Any = None  # the map that it was taken from
    _path: str | None = None
    _build_config: Any = None  # the shapes that it was built for, as files hold them
    _locked = False
    _made = 0  # how many weights it has made

    # ---- building ----
    def _build(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build for inputs of these shapes: those of the arguments that `build` names, `query_shape` for `query`, else that of the first."""

        def shape(x: Any) -> Any:
            return show(tuple(x.shape)) if hasattr(x, "shape") else None

        given = {**dict(zip(self.call_info.names, args, strict=False)), **kwargs}
        given = {name: tree.map_structure(shape, x) for name, x in given.items() if x is not None and name not in ("training", "mask")}
        wanted = inspect.signature(self.build).parameters
        found = {f"{name}_shape": x for name, x in given.items() if f"{name}_shape" in wanted}
        lacking = [name[:-6] for name, p in wanted.items() if found and p.default is p.empty and name.endswith("_shape") and name not in found]
        if lacking:
            fix = f"{self.name}({', '.join(dict.fromkeys([*(n[:-6] for n in wanted if n.endswith('_shape')), lacking[0]]))})"
            raise ArgumentTypeError(f"The call lacks the argument '{lacking[0]}'.", where=self.name, fix=fix)
        if len(found) > 1:
            self.build(**found)
        else:
            first = tree.map_structure(shape, args[0]) if args else next(iter(given.values()), None)
            only = next(iter(found.values()), first)
            self._build_config = None if only is None else {"input_shape": only}
            self.build(only)
        if not self.built:  # a model whose layers are built by its first data
            self._built()

    def _settle(self) -> None:
        """Settle the path, of which a policy may follow: it is the place where the layer is built."""
        if self.built:
            return
        self._path = scoped(self.name)
        if self._policies is not None:
            self._policy = self._policies.of(self._path)

    @property
    def _place(self) -> str:
        """The names that those of what is made in it are put behind."""
        return self._path or scoped(self.name)

    def _built(self) -> None:
        self.built = self._locked = True

    @marking
    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape; subclasses define it."""

    def add_weight(self, shape: Any = None, initializer: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
                   regularizer: Any = None, constraint: Any = None, aggregation: str = "none", overwrite_with_gradient: bool = False,
                   name: str | None = None) -> Variable:  # fmt: skip
        """Make a variable of the layer; for use in `build` or `__init__`.

        Args:
            shape: Its shape; a scalar by default.
            initializer: What its first value is drawn by: "glorot_uniform" for floats by default.
            dtype: The layer's variable dtype by default.
            trainable: Whether training changes it.
            autocast: Whether it is read in the compute dtype.
            regularizer: A function of it whose value is added to the loss.
            constraint: A function applied to it after each update.
            aggregation: How replicas are combined.
            overwrite_with_gradient: Whether the gradient is the new value.
            name: Its name.

        Raises:
            StateError: The layer is built already.
        """
        if self._locked:
            fix = "move self.add_weight(…) to build(self, input_shape) or __init__"
            raise StateError("Weights cannot be made in `call`: the layer is built.", where=self.name, fix=fix, code="KR405")
        if isinstance(shape, str):
            raise ArgumentTypeError(f"add_weight takes the shape first; {shape!r} is none.", where=self.name, fix=f"self.add_weight((…), name={shape!r})")
        name = name or "variable"
        dtype = dtype or self.variable_dtype
        if initializer is None:
            initializer = "glorot_uniform" if "float" in str(dtype) else "zeros"
        with within(names=self._place):
            variable = Variable(initializers.get(initializer), shape or (), dtype, trainable and self.trainable, autocast, aggregation, name=name)
        variable.initially_trainable = trainable
        variable.regularizer, variable.constraint = regularizers.get(regularizer), constraints.get(constraint)
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._made += 1
        self.__dict__[f"_weight {self._made}"] = variable  # held in the order in which they were made, as by the attributes
        return variable

    def weight(self, name: str, shape: Any, trainable: bool = True, fields: str | None = None, **options: Any) -> Variable:
        """`add_weight` with the fields `{name}_initializer`, `{name}_regularizer` and `{name}_constraint`, or with those of another name."""
        if None in shape:
            fix = "give Input the sizes that weights depend on, or put GlobalAveragePooling1D in place of Flatten"
            raise ShapeError(f"The shape of '{name}' must be known.", where=self.name, received=str(shape), fix=fix)
        found = {kind: getattr(self, f"{fields or name}_{kind}", None) for kind in ("initializer", "regularizer", "constraint")}
        return self.add_weight(shape, trainable=trainable, name=name, **found, **options)

    def add_variable(self, shape: Any, initializer: Any, dtype: Any = None, trainable: bool = True, autocast: bool = True, regularizer: Any = None,
                     constraint: Any = None, name: str | None = None) -> Variable:  # fmt: skip
        """`add_weight`, by its other name."""
        return self.add_weight(shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Build from what `get_build_config` returned."""
        if self.built or not config:
            return
        parts = config.get("parts", {})
        config = {key: value for key, value in config.items() if key != "parts"}
        shapes = map_shapes(lambda shape: tuple(shape) if isinstance(shape, list) else shape, config)
        if shapes.get("shapes_dict"):
            self.build(**shapes["shapes_dict"])
        elif shapes.get("input_shape") is not None:
            self.build(shapes["input_shape"])
        for path, part in self._parts_within() if parts else ():
            found = parts.get(path, {})
            if "lora" in found and not part.lora_enabled:
                part.enable_lora(*found["lora"])
            if not found.get("trainable", True):
                part.trainable = False

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for, and which of the layers in it are frozen, or adapted by products of low rank."""
        if not self._build_config:
            return self._build_config
        parts: dict[str, dict[str, Any]] = {}
        for path, part in self._parts_within():
            found: dict[str, Any] = {} if part._trainable else {"trainable": False}
            if getattr(part, "lora_enabled", False):
                found["lora"] = [part.lora_rank, part.lora_alpha]
            parts |= {path: found} if found else {}
        return {**self._build_config, "parts": parts} if parts else self._build_config

    def _parts_within(self) -> Iterator[tuple[str, Any]]:
        """The layers in this one, by their paths in it."""
        own, *parts = self._flatten_layers()
        return ((part.path.removeprefix(f"{own.path}/"), part) for part in parts)

    def save_own_variables(self, store: Any) -> None:
        """Write its own variables into a mapping, by number."""
        for i, variable in enumerate(self._saved_variables()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Read its own variables from a mapping, by number; nothing is set unless all fit."""
        variables = self._saved_variables()
        if len(store.keys()) != len(variables):
            state = "is not built" if not self.built else f"has {len(variables)} variables"
            raise StateError(f"The layer '{self.name}' {state}; the file has {len(store.keys())} for it.", fix="build the model as it was when it was saved")
        assign_all(variables, [store[str(i)][()] for i in range(len(variables))])
