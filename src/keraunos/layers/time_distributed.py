"""`TimeDistributed`: a layer for each step of sequences."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core import tree
from keraunos.core.spec import Spec
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.wrapper import Wrapper
from keraunos.ops.recurrent import at_once


class TimeDistributed(Wrapper):
    """A layer, applied to each step of sequences, with the same weights.

    The steps are taken for samples of one large batch; where the layer keeps track of its batches, as `BatchNormalization` does, they
    are gone through one after another.

    Args:
        layer: The layer or model, which takes samples of one step.

    Shapes:
        input `(batch, steps, …)`, output `(batch, steps, …)`; a mask of the input is the output's, and the layer is given the part that
        belongs to its samples.

    Raises:
        ShapeError: The input has fewer than three axes.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.TimeDistributed(keras.layers.Conv2D(4, 3)).compute_output_shape((None, 10, 28, 28, 1))
    (None, 10, 26, 26, 4)
    """

    supports_masking = True

    def setup(self) -> None:
        super().setup()
        self.input_spec = InputSpec(min_ndim=3)

    def build(self, input_shape: Any = None) -> None:
        self.input_spec.check(Spec(input_shape), self)
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        takes_mask = mask is not None and "mask" in self.layer.call_info.masks
        options = {"training": training} if self.layer.call_info.passes_training else {}

        def of_samples(x: Any, mask: Any) -> Any:
            return self.layer(x, **options, **({} if mask is None else {"mask": mask}))

        mask = mask if takes_mask else None
        if isinstance(inputs, Spec) or self._is_plain():
            return at_once(of_samples, inputs, mask)
        rows = [x if x is None else ops.swapaxes(x, 0, 1) for x in (inputs, mask)]
        return tree.map_structure(lambda y: ops.swapaxes(y, 0, 1), ops.map(lambda row: of_samples(*row), rows))

    def _is_plain(self) -> bool:
        """Whether what the layer gives for a sample does not depend on the others, and leaves no trace."""
        layers = self.layer._flatten_layers()
        return all(v.initially_trainable for v in self.layer.weights) and not any(getattr(layer, "stateful", False) for layer in layers)
