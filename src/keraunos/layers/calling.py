"""How a layer is called: building, conversion, masks, the training flag, and specs.

The usual call on an eager engine, one tensor into a built layer, takes the short way through
`__call__`; all else goes through `_full_call`.
"""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from keraunos.core import config, masks, tree
from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import KeraunosError, StateError
from keraunos.core.graph import KerasTensor
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, show
from keraunos.layers.call_info import CallInfo, marking
from keraunos.layers.effects import Effects
from keraunos.layers.inference import Inference


class Callable_(Inference):
    """The calling half of `Layer`."""

    call_info: ClassVar[CallInfo]
    name: Any
    built: bool = False
    input_spec: Any = None
    autocast: bool = True
    _locked = False
    _plain = False  # built, and nothing to do around `call` but the training flag
    nodes: list[Any]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "call" in cls.__dict__ or "call_info" not in cls.__dict__:
            cls.call_info = CallInfo(cls.call)
        if "build" in cls.__dict__ and not cls.__module__.startswith("keraunos.models"):
            cls.build = marking(cls.build)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's function; subclasses define it."""
        raise StateError(f"The class {type(self).__name__} has no call method.", fix="define call(self, inputs)")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._plain and len(args) == 1 and not masks._table and (not kwargs or (len(kwargs) == 1 and "training" in kwargs)):
            x, backend = args[0], self._backend
            if (
                backend.kinds.get(x.__class__) == 1
                and (scope.backend or config.active()) is backend
                and scope.monitor is None
                and scope.autocast is None
                and self._fits(x, backend)
            ):
                try:
                    if scope.layer is not None and not kwargs:
                        return self.call(x, training=bool(scope.training)) if self.call_info.training else self.call(x)
                    return self._quick_call(x, kwargs.get("training"))
                except Exception as error:
                    self._explain(error, args)
                    raise
        return self._full_call(args, kwargs)

    def _quick_call(self, x: Any, training: Any) -> Any:
        """The outermost of the usual calls: the training flag is in force for those inside."""
        outer, former = scope.layer, scope.training
        if outer is None:
            if self._lossy:
                self._clear_losses()
            scope.layer = self
        if training is not None:
            scope.training = training
        try:
            return self.call(x, training=bool(scope.training)) if self.call_info.training else self.call(x)
        finally:
            scope.layer, scope.training = outer, former

    def _fits(self, x: Any, backend: Any) -> bool:
        """Whether a tensor needs no cast to the compute dtype."""
        return not self.autocast or x.dtype not in backend.float_dtypes or backend.dtype_of(x) == self._policy.compute_dtype

    def _full_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (scope.backend or config.active()) is not self._backend:
            with within(backend=self._backend):
                return self._full_call(args, kwargs)
        outermost = scope.layer is None
        if outermost and self._lossy:
            self._clear_losses()
        training = kwargs.get("training", args[self.call_info.names.index("training")] if self._training_position(args) else None)
        explicit = training is not None
        settings: dict[str, Any] = {"layer": scope.layer or self}
        training = scope.training if training is None else training
        if explicit:
            settings["training"] = training
        mixed = self._policy.compute_dtype if self._policy.is_mixed and self.autocast else None
        if scope.autocast != mixed:
            settings["autocast"] = mixed
        try:
            args, kwargs = self._convert(args), {k: v if k in ("training", "mask") or v is None else self._convert(v) for k, v in kwargs.items()}
            flat = [x for x in tree.flatten((args, kwargs)) if x is not None]
            symbolic = any(isinstance(x, Spec) for x in flat)
            if not self.built:
                self._build(args, kwargs)
            if symbolic:
                self._check_inputs(args)
            inner = dict(kwargs)
            if not self.call_info.passes_training:
                inner.pop("training", None)
            elif self.call_info.training and not self._training_position(args):
                inner["training"] = bool(training) if not isinstance(training, Spec) else training
            self._fill_masks(args, inner)
            with within(**settings):
                if symbolic:
                    outputs = self._symbolic_call(args, inner, kwargs)
                else:
                    outputs = self.call(*args, **inner)
                if self.activity_regularizer is not None:
                    self._regularize(outputs)
        except Exception as error:
            self._explain(error, args)
            raise
        self._set_masks(args, inner, outputs)
        if scope.monitor is not None and not symbolic:
            scope.monitor(self, args, outputs)
        return outputs

    def _training_position(self, args: tuple[Any, ...]) -> bool:
        return self.call_info.training and len(args) > self.call_info.names.index("training")

    def _convert(self, structure: Any) -> Any:
        """Arrays become the engine's tensors, floats in the compute dtype."""
        backend, compute = self._backend, self._policy.compute_dtype

        def convert(x: Any) -> Any:
            if isinstance(x, (Spec, str, bool)) or x is None or callable(x):
                if isinstance(x, Spec) and self.autocast and x.dtype in FLOATS and x.dtype != compute and not isinstance(x, KerasTensor):
                    return Spec(x.shape, compute)
                return x
            if hasattr(x, "_value") and hasattr(x, "assign"):
                x = x.value
            elif not backend.is_tensor(x):
                if not hasattr(x, "__array__") and not hasattr(x, "__dlpack__") and not isinstance(x, (int, float)):
                    return x
                x = backend.array(x)
            if self.autocast and x.dtype in backend.float_dtypes and backend.dtype_of(x) != compute:
                mask = masks.get_mask(x)
                x = backend.cast(x, compute)
                if mask is not None:
                    masks.set_mask(x, mask)
            return x

        if (
            isinstance(structure, (list, tuple))
            and structure
            and all(isinstance(x, (int, float)) for x in tree.flatten(structure))
            and not isinstance(structure, tuple)
        ):
            return convert(backend.array(structure))
        if isinstance(structure, tuple):  # the arguments themselves
            return tuple(self._convert(x) if isinstance(x, (list, dict)) else tree.map_structure(convert, x) for x in structure)
        return tree.map_structure(convert, structure)

    # ---- building ----
    def _build(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build for inputs of these shapes, once."""
        shapes = self._shapes(args, kwargs)
        with within(trace=scope.trace):
            if self._build_names() and len(shapes) > 1:
                self._build_shapes = shapes
                self.build(**shapes)
            else:
                self._build_shape = next(iter(shapes.values()), ())
                self.build(self._build_shape)
        self._built()

    def _build_names(self) -> list[str]:
        names = [n for n in inspect.signature(self.build).parameters if n != "self"]
        return names if len(names) > 1 else []

    def _shapes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        def shape(x: Any) -> Any:
            return show(tuple(x.shape)) if hasattr(x, "shape") else None

        names = self.call_info.names
        given = {**dict(zip(names, args, strict=False)), **{k: v for k, v in kwargs.items() if k not in ("training", "mask")}}
        wanted = self._build_names()
        if wanted:
            found = {f"{name}_shape": tree.map_structure(shape, x) for name, x in given.items() if x is not None}
            matching = {name: s for name, s in found.items() if name in wanted}
            if matching:
                return matching
        first = args[0] if args else next(iter(given.values()), None)
        return {"input_shape": tree.map_structure(shape, first)}

    def _built(self) -> None:
        self.built = self._locked = True
        masks_outputs = self.supports_masking and type(self).compute_mask is not Effects.compute_mask
        self._plain = not self._policy.is_mixed and self.activity_regularizer is None and not masks_outputs
        for layer in self._flatten_layers():
            for variable in layer._own_variables():
                if "/" not in variable.path:
                    variable.path = f"{layer.name}/{variable.name}"

    @marking
    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape; subclasses define it."""

    def _check_inputs(self, args: tuple[Any, ...]) -> None:
        if self.input_spec is None or not args:
            return
        specs = self.input_spec if isinstance(self.input_spec, (list, tuple)) else [self.input_spec]
        for spec, x in zip(specs, tree.flatten(args[0]), strict=False):
            if spec is not None and x is not None and hasattr(x, "shape"):
                spec.check(x, self)

    def _explain(self, error: Exception, args: Any) -> None:
        """Name the layer in an error; a mismatch with the input spec is the better message."""
        if not isinstance(error, KeraunosError) or not error._outer:
            try:
                self._check_inputs(args)
            except KeraunosError as better:
                raise better.inside(self.name) from None
        shapes = ", ".join(str(show(tuple(x.shape))) for x in tree.flatten(args) if hasattr(x, "shape"))
        if isinstance(error, KeraunosError):
            error.inside(self.name, f"inputs of shape {shapes}" if shapes else None)
        elif not getattr(error, "__notes__", None):
            error.add_note(f"Raised in the layer '{self.name}' ({type(self).__name__}), called on inputs of shape {shapes}.")
