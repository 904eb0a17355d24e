"""An embedding that also goes from vectors to integers."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.dtypes import standardize_dtype
from keraunos.core.fields import Positive
from keraunos.layers.core import Table


class ReversibleEmbedding(Table, order=("input_dim", "output_dim", "tie_weights")):
    """A table of vectors for integers, and with `reverse=True` the logits of the integers for vectors, as language models end.

    With one table for both it has half the weights, and trains as well ([Press and Wolf, 2017](https://arxiv.org/abs/1608.05859)).

    Args:
        input_dim: The number of integers: they go from 0 to `input_dim - 1`.
        output_dim: The size of a vector.
        tie_weights: Whether the logits are by the same table, and not by one of their own.
        embeddings_initializer: How the tables begin.
        embeddings_regularizer: A penalty on the table.
        embeddings_constraint: A projection of the table after each update.
        mask_zero: Whether 0 is padding, masked for the layers that follow.
        reverse_dtype: In which dtype the logits are computed; the compute dtype by default.
        logit_soft_cap: A bound that logits come near and never cross: `cap * tanh(logits / cap)`.

    Shapes:
        input `(batch, …)` of integers, output `(batch, …, output_dim)`; reversed, input `(batch, …, output_dim)`, output `(batch, …, input_dim)`.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.ReversibleEmbedding(10, 4)
    >>> vectors = layer(keras.ops.ones((2, 3), dtype="int32"))
    >>> layer(vectors, reverse=True).shape == (2, 3, 10)
    True
    """

    tie_weights: bool = True
    reverse_dtype: str | None = None
    logit_soft_cap: Positive | None = None

    def setup(self) -> None:
        super().setup()
        self.reverse_dtype = None if self.reverse_dtype is None else standardize_dtype(self.reverse_dtype)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight((self.output_dim, self.input_dim), self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            return super().call(inputs)
        kernel, dtype = ops.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings, self.reverse_dtype or self.compute_dtype
        logits = ops.matmul(ops.cast(inputs, dtype), ops.cast(kernel, dtype))
        cap = self.logit_soft_cap
        return logits if cap is None else ops.multiply(ops.tanh(ops.true_divide(logits, cap)), cap)

    def _set_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any) -> None:
        if not (args[1:] or [kwargs.get("reverse")])[0]:  # logits have no zeros that are padding
            super()._set_masks(args, kwargs, outputs)
