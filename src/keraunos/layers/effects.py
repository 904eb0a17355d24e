"""What a call gives beside the values of its outputs: their specs (`call`, run on specs), their masks, and losses."""

from __future__ import annotations

from typing import Any

from keraunos.core import masks, tree
from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import SymbolicError, layout
from keraunos.core.frames import warn
from keraunos.core.functional import Trace
from keraunos.core.graph import strip
from keraunos.core.op import spec_of
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, known, show
from keraunos.layers.weights import Weighted, map_shapes


class Effects(Weighted):
    """The specs, masks and losses of a layer."""

    call: Any
    path: Any
    supports_masking: Any = False
    _mask_ended = False  # and has been told of
    native = False  # whether `call` is of an engine's own functions, which know nothing of specs
    activity_regularizer: Any = None
    autocast: bool = True
    _losses: list[Any]
    _lossy: list[Any]

    # ---- masks ----
    def _masks_of(self, inputs: Any) -> Any:
        """The masks of a structure of tensors; None if no tensor has one."""
        found = tree.map_structure(masks.get_mask, inputs)
        return None if all(m is None for m in tree.flatten(found)) else found

    def _fill_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Give `call` the masks of its inputs, where it takes some that the caller did not give."""
        given = {**dict(zip(self.call_info.names, args, strict=False)), **kwargs}
        for argument, name in self.call_info.masks.items():
            if given.get(argument) is None and (mask := self._masks_of(given.get(name))) is not None:
                kwargs[argument] = mask

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output: the input's, for layers that keep it."""
        return previous_mask

    def _makes_masks(self) -> bool:
        return self.supports_masking and type(self).compute_mask is not Effects.compute_mask

    def _set_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        """Give the outputs their masks."""
        if not self.supports_masking or not args:
            told = self._mask_ended or scope.layer is not None or scope.waiting is not None  # inside another layer, or read from a file
            if args and not (told or self.call_info.masks) and self._masks_of(args[0]) is not None:
                self._mask_ended = True
                fact = f"The mask of its input ends here: {type(self).__name__} does not pass masks on, and the layers behind it see every step."
                own = "self.supports_masking = True in your layer, if it keeps the steps"
                warn(layout(fact, where=self.path, fix=f"what uses the mask before this layer, such as GlobalAveragePooling1D or LSTM; {own}"))
            return
        previous = self._masks_of(args[0]) if kwargs.get("mask") is None else kwargs["mask"]
        found = None if previous is None and not self._makes_masks() else self.compute_mask(args[0], previous)
        for x, mask in zip(tree.flatten(outputs), tree.flatten(found), strict=False):  # further outputs, such as scores, have none
            if x is not None and mask is not None and masks.get_mask(x) is None:
                masks.set_mask(x, mask)

    # ---- losses ----
    def _regularize(self, outputs: Any) -> None:
        for x in tree.flatten(outputs):
            if not isinstance(x, Spec):
                batch = x.shape[0] if len(x.shape) else 1  # TensorFlow's shape of a number is true
                if batch is None:  # as in a SavedModel
                    batch = self._backend.cast(self._backend.dim(x, 0), self._backend.dtype_of(x))
                self.add_loss(self.activity_regularizer(x) / (1 if isinstance(batch, int) and batch == 0 else batch))

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to what training minimises; for use inside `call`."""
        if scope.symbolic:
            return
        if scope.stateless is not None and scope.stateless.collect_losses:
            scope.stateless.losses += tree.flatten(loss)
        self._losses.extend(tree.flatten(loss))
        (scope.layer or self)._lossy.append(self)

    def _clear_losses(self) -> None:
        for layer in self._lossy:
            layer._losses.clear()
        self._lossy.clear()

    @property
    def losses(self) -> list[Any]:
        """The losses that the last call added, and those of weight regularizers."""
        found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return found + [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    # ---- specs ----
    def _variables_in(self) -> str | None:
        """The compute dtype, where variables of another are read in it."""
        return self._policy.compute_dtype if self._policy.is_mixed and self.autocast else None

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The spec of the output for symbolic inputs: `call`, run on specs."""
        if type(self).compute_output_shape is not Effects.compute_output_shape:
            shapes = self.compute_output_shape(tree.map_structure(lambda x: show(x.shape), args[0]))
            return map_shapes(lambda shape: Spec(shape, self._policy.compute_dtype), shapes)
        if not self.built:
            self._build(args, kwargs)
        args, kwargs = tree.map_structure(self._cast_spec, strip((args, kwargs)))
        with within(symbolic=True, layer=scope.layer or self, names=self._place, autocast=self._variables_in()):
            try:
                outputs = self._abstract(None, args, kwargs) if self.native else self.call(*args, **kwargs)
            except (SymbolicError, TypeError, AttributeError, NotImplementedError) as error:
                outputs = self._abstract(error, args, kwargs)
        return tree.map_structure(lambda x: x if x is None else spec_of(x), outputs)

    def _cast_spec(self, x: Any) -> Any:
        """A spec of floats in the compute dtype."""
        compute = self._policy.compute_dtype
        if not self.autocast or not isinstance(x, Spec) or x.dtype not in FLOATS or x.dtype == compute:
            return x
        spec = Spec(x.shape, compute)
        masks.set_mask(spec, masks.get_mask(x))
        return spec

    def _abstract(self, error: Exception | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The output's spec by the engine's own abstract evaluation, for a `call` of native functions."""
        backend = self._backend
        flat = tree.flatten((args, kwargs))
        specs = [x for x in flat if isinstance(x, Spec)]

        def run(*values: Any) -> Any:
            filled = iter(values)
            new_args, new_kwargs = tree.pack_sequence_as((args, kwargs), [next(filled) if isinstance(x, Spec) else x for x in flat])
            with within(symbolic=False, trace=Trace()):
                return self.call(*new_args, **new_kwargs)

        def infer(fill: int) -> Any:
            shapes = [tuple(d if isinstance(d, int) else fill for d in s.shape) for s in specs]
            return backend.abstract(run, shapes, [s.dtype for s in specs])

        def merge(a: Any, b: Any) -> Spec:
            return Spec([m if m == n else None for m, n in zip(a.shape, b.shape, strict=True)], backend.dtype_of(a))

        try:
            first = infer(3)  # a dimension that follows the unknown ones differs between the two
            second = first if all(known(s.shape) for s in specs) else infer(7)
        except Exception:
            if error is None:
                raise
            raise error from None
        return tree.map_structure(merge, first, second)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for inputs of these shapes.

        Example:

        >>> import keraunos as keras
        >>> keras.layers.Dense(4).compute_output_shape((None, 3))
        (None, 4)
        """
        options = {name: value for name, value in kwargs.items() if isinstance(value, bool)}  # of `call`, such as `reverse`
        shapes = args or [value for name, value in kwargs.items() if name not in options]
        specs = [map_shapes(lambda shape: Spec(shape, self._policy.compute_dtype), a) for a in shapes]
        return tree.map_structure(lambda s: show(s.shape), self.compute_output_spec(*specs, **options))
