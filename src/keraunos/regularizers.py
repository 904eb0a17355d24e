"""Penalties on weights or outputs that are added to the loss."""

from __future__ import annotations

from typing import Any, Literal

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Declared, NotNegative
from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry
from keraunos.core.spec import show


class Regularizer(Declared):
    """The base of regularizers: a subclass's `__call__(x)` returns a scalar penalty.

    Example:

    >>> import keraunos as keras
    >>> class Sum(keras.regularizers.Regularizer):
    ...     def __call__(self, x):
    ...         return 0.1 * keras.ops.sum(x)
    >>> round(float(Sum()(keras.ops.ones((2, 5)))), 3)
    1.0
    """

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __call__(self, x).")


class L1(Regularizer):
    """`l1 * sum(abs(x))`: pulls weights towards 0 with one strength, and leaves few of them.

    [Tibshirani, 1996, "Regression shrinkage and selection via the lasso"](https://doi.org/10.1111/j.2517-6161.1996.tb02080.x).

    Args:
        l1: The strength.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(1, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L1(0.5))
    >>> layer.build((None, 3)); float(keras.ops.convert_to_numpy(layer.losses[0]))
    1.5
    """

    l1: NotNegative = 0.01

    def __call__(self, x: Any) -> Any:
        return ops.multiply(self.l1, ops.sum(ops.abs(x)))


class L2(Regularizer):
    """`l2 * sum(square(x))`: pulls large weights most.

    Args:
        l2: The strength.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(1, kernel_initializer="ones", kernel_regularizer=keras.regularizers.L2(0.5))
    >>> layer.build((None, 3)); float(keras.ops.convert_to_numpy(layer.losses[0]))
    1.5
    """

    l2: NotNegative = 0.01

    def __call__(self, x: Any) -> Any:
        return ops.multiply(self.l2, ops.sum(ops.square(x)))


class L1L2(Regularizer):
    """`l1 * sum(abs(x)) + l2 * sum(square(x))`.

    [Zou and Hastie, 2005, "Regularization and variable selection via the elastic net"](https://doi.org/10.1111/j.1467-9868.2005.00503.x).

    Args:
        l1: The strength of the first.
        l2: The strength of the second.

    Example:

    >>> import keraunos as keras
    >>> float(keras.regularizers.L1L2(l1=0.5, l2=0.25)(keras.ops.array([-2.0, 1.0])))
    2.75
    """

    l1: NotNegative = 0.0
    l2: NotNegative = 0.0

    def __call__(self, x: Any) -> Any:
        return ops.multiply(self.l1, ops.sum(ops.abs(x))) + ops.multiply(self.l2, ops.sum(ops.square(x)))


class OrthogonalRegularizer(Regularizer):
    """The mean absolute cosine between the rows (or columns) of a matrix, times `factor`.

    Args:
        factor: The strength.
        mode: "rows" or "columns": which are kept orthogonal to each other.

    Raises:
        ShapeError: It is no matrix.

    Example:

    >>> import keraunos as keras
    >>> penalty = keras.regularizers.OrthogonalRegularizer(factor=1.0)
    >>> [round(float(penalty(keras.ops.array(rows))), 4) for rows in ([[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [2.0, 0.0]])]
    [0.0, 1.0]
    """

    factor: NotNegative = 0.01
    mode: Literal["rows", "columns"] = "rows"

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ShapeError("OrthogonalRegularizer takes matrices.", received=show(tuple(x.shape)), expected="two axes")
        rows = ops.normalize(x if self.mode == "rows" else ops.transpose(x), axis=1)
        n = rows.shape[0]
        products = ops.multiply(ops.matmul(rows, ops.transpose(rows)), ops.subtract(1.0, ops.eye(n, dtype=rows.dtype)))
        return ops.multiply(self.factor / max(n * (n - 1), 1), ops.sum(ops.abs(products)))


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
_registry = Registry("regularizer", {"L1": L1, "L2": L2, "L1L2": L1L2, "OrthogonalRegularizer": OrthogonalRegularizer}, {"l1_l2": "L1L2"}, Regularizer)
get, serialize, deserialize = _registry.functions(__name__, "L2(l2=0.5)")

__all__ = [
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer", "serialize",
]  # fmt: skip

answer_for(__name__)
