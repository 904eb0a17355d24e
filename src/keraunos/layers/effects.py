"""What a layer's call leaves beside its outputs: masks, and losses."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos.core import masks, tree
from keraunos.core.scope import scope
from keraunos.core.spec import Spec
from keraunos.layers.tracking import Tracked


class Effects(Tracked):
    """The masks and losses of a layer."""

    call_info: ClassVar[Any]
    supports_masking: Any = False
    activity_regularizer: Any = None
    _losses: list[Any]
    _lossy: list[Any]

    def _fill_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        info = self.call_info
        if info.mask and kwargs.get("mask") is None and args:
            found = tree.map_structure(masks.get_mask, args[0])
            if any(m is not None for m in tree.flatten(found)):
                kwargs["mask"] = found
        for name, argument in info.masks.items():
            value = dict(zip(info.names, args, strict=False)).get(name, kwargs.get(name))
            if kwargs.get(argument) is None and value is not None and not tree.is_nested(value) and (mask := masks.get_mask(value)) is not None:
                kwargs[argument] = mask

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output: the input's, for layers that keep it."""
        return previous_mask

    def _set_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        if not self.supports_masking or not args:
            return
        previous = kwargs.get("mask")
        if previous is None:
            previous = tree.map_structure(masks.get_mask, args[0])
            previous = None if all(m is None for m in tree.flatten(previous)) else previous
        overridden = type(self).compute_mask is not Effects.compute_mask
        if previous is None and not overridden:
            return
        found = self.compute_mask(args[0], previous)
        if found is None:
            return
        flat, flat_masks = tree.flatten(outputs), tree.flatten(found)
        if len(flat) == len(flat_masks):
            for x, mask in zip(flat, flat_masks, strict=True):
                if x is not None and mask is not None and masks.get_mask(x) is None:
                    masks.set_mask(x, mask)

    def _regularize(self, outputs: Any) -> None:
        for x in tree.flatten(outputs):
            if not isinstance(x, Spec):
                self.add_loss(self.activity_regularizer(x) / x.shape[0])

    def add_loss(self, loss: Any) -> None:
        """Add a scalar to what training minimises; for use inside `call`."""
        if scope.symbolic:
            return
        self._losses.extend(tree.flatten(loss))
        root = scope.layer or self
        root._lossy.append(self)

    def _clear_losses(self) -> None:
        for layer in self._lossy:
            layer._losses.clear()
        self._lossy.clear()

    @property
    def losses(self) -> list[Any]:
        """The losses that the last call added, and those of weight regularizers."""
        found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return found + [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]
