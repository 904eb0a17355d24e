"""How a layer is called: conversion, masks, the training flag, and specs.

The usual call on an eager engine, one tensor into a built layer, takes the short way through
`__call__`; all else goes through `_full_call`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.core import config, masks, tree
from keraunos.core.errors import NUMBERS_FIRST, ArgumentTypeError, DataError, KeraunosError, StateError, inside
from keraunos.core.failures import translated
from keraunos.core.frames import instead, shorten
from keraunos.core.graph import KerasTensor, record
from keraunos.core.op import FOREIGN, SCALAR, TENSOR, VARIABLE, classify
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, show
from keraunos.layers.effects import Effects
from keraunos.layers.weights import Weighted, marking


class CallInfo:
    """What a class's `call` takes, found once for the class."""

    def __init__(self, call: Callable[..., Any]):
        parameters = [p for p in inspect.signature(call).parameters.values() if p.name != "self"]
        self.names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL, p.KEYWORD_ONLY)]
        named = [*self.names, *(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)]
        self.training = "training" in named
        self.passes_training = self.training or any(p.kind is p.VAR_KEYWORD for p in parameters)
        # The arguments for masks, and the argument whose mask each is: the first one's for `mask`, that of `query` for `query_mask`.
        self.masks = {name: self.names[0] if name == "mask" else name[:-5] for name in named if (name == "mask" and self.names) or name.endswith("_mask")}


class Callable_(Effects):
    """The calling half of `Layer`."""

    input_spec: Any = None
    nodes: list[Any]
    _remat: Any = None  # the `RematScope` that it was made in
    on_host = False  # whether it runs on NumPy arrays: `HostLayer`
    _plain = False  # built, and nothing to do around `call` but the training flag
    _awaits = False  # built, but not all layers in it: their paths begin with its own
    _output_layout: Any = None  # how the distribution in force divides what it gives

    def __init_subclass__(cls, function: Any = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if function is not None:  # class Add(Merge, function=ops.add)
            cls.function = staticmethod(function)
        cls.call_info = CallInfo(cls.call)
        if "build" in cls.__dict__ and not cls.__module__.startswith("keraunos.models"):
            cls.build = marking(cls.build)

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's function; subclasses define it."""
        raise StateError(f"The class {type(self).__name__} has no call method.", fix="define call(self, inputs)")

    def _built(self) -> None:
        super()._built()
        self._awaits = any(not layer.built for layer in self._held(Weighted))
        simple = not self._policy.is_mixed and self.activity_regularizer is None and not self._makes_masks() and self._remat is None
        self._plain = simple and not self._awaits
        if self._remat is not None and "activation" in self.__dict__:
            self.__dict__["activation"] = self._remat.activation_of(self)

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
                    if (better := self._explain(error, args)) is not None:
                        raise better from better.__cause__
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
        if scope.layer is None and self._lossy:
            self._clear_losses()
        info = self.call_info
        by_position = "training" in info.names and len(args) > info.names.index("training")
        training = args[info.names.index("training")] if by_position else kwargs.get("training")
        training = scope.training if training is None else training
        if not self.built:
            self._settle()
        try:
            args = tuple(map(self._convert, args))
            kwargs = {k: v if k in ("training", "mask") else self._convert(v) for k, v in kwargs.items()}
            flat = tree.flatten((args, kwargs))
            symbolic = any(isinstance(x, Spec) for x in flat)
            if not self.built:
                self._build(args, kwargs)
            inner = dict(kwargs)
            if not info.passes_training:
                inner.pop("training", None)
            elif info.training and not by_position:
                inner["training"] = training if isinstance(training, Spec) else bool(training)
            self._fill_masks(args, inner)
            with within(layer=scope.layer or self, names=self._place, training=training, autocast=self._variables_in()):
                if symbolic:
                    self._check_inputs(args)
                    outputs = self.compute_output_spec(*args, **inner)
                    if scope.calls is not None:
                        scope.calls.append((self, flat, tree.flatten(outputs)))
                    if any(isinstance(x, KerasTensor) and x.record_history for x in flat):
                        outputs = record(self, args, kwargs, outputs)
                else:
                    outputs = self.rematerialized_call(self.call)(*args, **inner)
                    if self._output_layout is not None and config.distribution_on(config.active()) is not None:
                        outputs = self._output_layout.applied(outputs, self.path, batch=True)  # type: ignore[attr-defined]
                if self.activity_regularizer is not None:
                    self._regularize(outputs)
        except Exception as error:
            if (better := self._explain(error, args)) is not None:
                raise better from better.__cause__
            raise
        if self._awaits:
            Callable_._built(self)
        self._set_masks(args, inner, outputs)
        if scope.monitor is not None and not symbolic:
            scope.monitor(self, args, outputs)
        return outputs

    def rematerialized_call(self, layer_call: Any, *args: Any, **kwargs: Any) -> Any:
        """A function of the layer as the `RematScope` that the layer was made in has it: run again for its gradient, or as it is.

        Args:
            layer_call: The function, such as `layer.call`.
            args: What it will be called with; not needed.
            kwargs: Likewise.
        """
        return layer_call if self._remat is None else self._remat.call_of(self, layer_call)

    def _convert(self, argument: Any) -> Any:
        """Arrays and numbers become the engine's tensors, floats in the compute dtype; a list of numbers is one array."""
        backend = self._backend

        def convert(x: Any) -> Any:
            if x.__class__ is np.ndarray and x.dtype.kind in "OSTU":
                return self._text(x)
            kind = classify(backend, x)
            if kind == VARIABLE:
                x = x.value
            elif kind in (SCALAR, FOREIGN) and x.__class__ is not bool and not isinstance(x, type):
                x = backend.array(x)
            elif kind != TENSOR:
                return x
            if self._fits(x, backend):
                return x
            cast = backend.cast(x, self._policy.compute_dtype)
            masks.set_mask(cast, masks.get_mask(x))
            return cast

        if isinstance(argument, list) and argument:
            leaves = tree.flatten(argument)
            if all(isinstance(x, (int, float)) for x in leaves):
                argument = backend.array(argument)
            elif all(isinstance(x, str) for x in leaves):
                argument = np.array(argument)
        return tree.map_structure(convert, argument)

    def _text(self, x: Any) -> Any:
        """An array of strings as it is, for a layer that holds one which runs on the host."""
        if not self._runs_on_host():
            raise DataError("Text was given to a layer of numbers.", where=self.name, fix=NUMBERS_FIRST, code="KR207")
        return x

    def _runs_on_host(self) -> bool:
        """Whether it is, or holds, a layer that runs on NumPy arrays, before compiled steps."""
        return any(layer.on_host for layer in self._flatten_layers())

    def _check_inputs(self, args: tuple[Any, ...]) -> None:
        """Raise unless the first argument is as `input_spec` says."""
        if self.input_spec is None or not args:
            return
        specs = self.input_spec if isinstance(self.input_spec, (list, tuple)) else [self.input_spec]
        for spec, x in zip(specs, tree.flatten(args[0]), strict=False):
            if spec is not None and x is not None and hasattr(x, "shape"):
                spec.check(x, self)

    def _refuse_no_tensor(self, args: tuple[Any, ...]) -> None:
        """Say that the first input was none, if that is why a call failed."""
        for x in tree.flatten(args[0]) if args else ():
            if isinstance(x, Callable_):
                raise ArgumentTypeError(f"'{self.name}' was called on the layer '{x.name}', not on a tensor.", where=self.name, fix=f"call it: {x.name}(x)")
        if args and args[0] is None:
            fix = "end the `call` of the layer before it with: return …"
            raise ArgumentTypeError(f"'{self.name}' was called on None: what was called before it returned nothing.", where=self.name, fix=fix)

    def _explain(self, error: Exception, args: Any) -> KeraunosError | None:
        """Name the layer in an error; returns a better one to raise in its place: a mismatch with the input spec, what an engine's error means."""
        shapes = ", ".join(str(show(tuple(x.shape))) for x in tree.flatten(args) if hasattr(x, "shape"))
        better = None
        if not getattr(error, "_trail", None):  # no layer in this one has said so
            try:
                self._refuse_no_tensor(args)
                self._check_inputs(args)
                better = None if isinstance(error, KeraunosError) else translated(error, known=True)
            except KeraunosError as mismatch:
                better = mismatch if (mismatch.fact, mismatch.fix) != (getattr(error, "fact", None), getattr(error, "fix", None)) else None
        inside(better or error, self.name, shapes)
        if better is not None:
            return instead(better, error, inner=True)
        shorten(error)
        return None
