"""What a layer's output will be: `call`, run on specs."""

from __future__ import annotations

from typing import Any

from keraunos.core import tree
from keraunos.core.errors import SymbolicError
from keraunos.core.graph import KerasTensor, record, strip
from keraunos.core.op import spec_of
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, known, show
from keraunos.layers.effects import Effects


class Inference(Effects):
    """The spec half of `Layer`."""

    built: bool = False
    _backend: Any
    _policy: Any
    call: Any
    _build: Any

    def _symbolic_call(self, args: Any, inner: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        specs = self.compute_output_spec(*strip(args), **strip(inner))
        recorded = any(isinstance(x, KerasTensor) and x.record_history for x in tree.flatten((args, kwargs)))
        return record(self, args, kwargs, specs) if recorded else specs

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The spec of the output for symbolic inputs: `call`, run on specs."""
        cls = type(self)
        if cls.compute_output_shape is not Inference.compute_output_shape and not cls.compute_output_shape.__module__.startswith("keraunos."):
            shapes = self.compute_output_shape(tree.map_structure(lambda x: show(x.shape), args[0]))
            is_shape = isinstance(shapes, tuple) and all(d is None or isinstance(d, int) for d in shapes)
            return Spec(shapes, self._policy.compute_dtype) if is_shape else [Spec(s, self._policy.compute_dtype) for s in shapes]
        if not self.built:
            self._build(args, kwargs)
        args, kwargs = strip(args), strip(kwargs)
        with within(symbolic=True, layer=scope.layer or self):
            try:
                outputs = self.call(*args, **kwargs)
            except (SymbolicError, TypeError, AttributeError, NotImplementedError) as error:
                outputs = self._abstract(error, args, kwargs)
        return tree.map_structure(lambda x: x if x is None else spec_of(x), outputs)

    def _abstract(self, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The output's spec by the engine's own abstract evaluation, for a `call` of native functions."""
        backend = self._backend
        flat = tree.flatten((args, kwargs))
        specs = [x for x in flat if isinstance(x, Spec)]
        results = []
        for fill in (3, 7):  # a dimension that follows the unknown ones differs between the two
            shapes = [tuple(d if isinstance(d, int) else fill for d in s.shape) for s in specs]

            def run(*values: Any) -> Any:
                filled = iter(values)
                new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), [next(filled) if isinstance(x, Spec) else x for x in flat])
                with within(symbolic=False, trace=_Discard()):
                    return self.call(*new_args, **new_kwargs)

            try:
                results.append(backend.abstract(run, shapes, [s.dtype for s in specs]))
            except Exception:
                raise error from None
            if all(known(s.shape) for s in specs):
                break
        first, last = results[0], results[-1]

        def merge(a: Any, b: Any) -> Spec:
            return Spec([m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)], backend.dtype_of(a))

        return tree.map_structure(merge, first, last)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for inputs of these shapes.

        Example:

        >>> import keraunos as keras
        >>> keras.layers.Dense(4).compute_output_shape((None, 3))
        (None, 4)
        """

        def to_spec(shape: Any) -> Any:
            if isinstance(shape, dict):
                return {key: to_spec(value) for key, value in shape.items()}
            if isinstance(shape, (list, tuple)) and not all(d is None or isinstance(d, int) for d in shape):
                return [to_spec(s) for s in shape]
            return Spec(shape, self._policy.compute_dtype)

        specs = [to_spec(a) for a in args] or [to_spec(v) for v in kwargs.values()]
        return tree.map_structure(lambda s: show(s.shape), self.compute_output_spec(*specs))


class _Discard:
    """A trace that lets a function read variables and forgets what it assigns."""

    def read(self, variable: Any) -> Any:
        return variable._value

    def write(self, variable: Any, value: Any) -> None:
        pass
