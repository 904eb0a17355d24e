"""`Loss`: a function of targets and predictions, weighted, masked and reduced to one number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from keraunos import dtype_policies, ops
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, ShapeError, suggestion
from keraunos.core.fields import Declared
from keraunos.core.masks import get_mask
from keraunos.core.names import auto_name, to_snake_case
from keraunos.core.op import TENSOR
from keraunos.core.spec import show, size_of

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


def tensor(x: Any, dtype: str | None = None) -> Any:
    """`x` as the engine's tensor of that dtype; untouched if it is one."""
    backend = config.active()
    if backend.kinds.get(x.__class__) == TENSOR and (dtype is None or backend.dtype_of(x) == dtype):
        return x
    return ops.convert_to_tensor(x, dtype)


def resolve_dtype(dtype: Any) -> str:
    """The dtype of a loss or metric given by name, policy or None."""
    return config.floatx() if dtype is None else dtype_policies.get(dtype).compute_dtype


def each(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the corresponding tensors of structures; a list of numbers is one tensor."""
    first = structures[0]
    if not isinstance(first, (list, tuple, dict)):
        return function(*structures)
    nested = isinstance(first, dict) or any(hasattr(x, "shape") or isinstance(x, dict) for x in first)
    return tree.map_structure(function, *structures) if nested else function(*structures)


def same_rank(x: Any, other: Any) -> tuple[Any, Any]:
    """Two tensors, of which one may have a last axis of size 1 that the other lacks, in one rank."""
    n, m = len(x.shape), len(other.shape)
    if n == m + 1 and x.shape[-1] == 1:
        return (x, ops.expand_dims(other, -1)) if m == 1 else (ops.squeeze(x, -1), other)
    if m == n + 1 and other.shape[-1] == 1:
        return (ops.expand_dims(x, -1), other) if n == 1 else (x, ops.squeeze(other, -1))
    return x, other


def fit_weights(values: Any, weights: Any) -> Any:
    """Weights with as many axes as the values: trailing axes of size 1 are dropped or added."""
    n, m = len(values.shape), len(weights.shape)
    if m == n + 1 and weights.shape[-1] == 1 and n:
        return ops.squeeze(weights, -1)
    return ops.expand_dims(weights, tuple(range(m, n))) if 0 < m < n else weights


def masked_weights(values: Any, weights: Any, mask: Any, dtype: str) -> Any:
    """The weights, 0 where the mask is false; the mask alone where there are none."""
    weights = None if weights is None else fit_weights(values, tensor(weights, dtype))
    if mask is None:
        return weights
    mask = fit_weights(values, tensor(mask, dtype))
    return mask if weights is None else ops.multiply(weights, mask)


def reduce_weighted(values: Any, sample_weight: Any = None, mask: Any = None, reduction: str | None = "sum_over_batch_size", dtype: str | None = None) -> Any:
    """Values of a loss as one number, or weighted one by one where `reduction` is "none"."""
    mean = reduction in ("sum_over_batch_size", "mean")
    if sample_weight is None and mask is None:
        return ops.mean(values) if mean or reduction == "mean_with_sample_weight" else ops.sum(values) if reduction == "sum" else values
    dtype = dtype or ops.dtype(values)
    if len(values.shape) == 1 and sample_weight is not None and len(ops.shape(sample_weight)) == 2:
        values = ops.expand_dims(values, -1)
    weights = masked_weights(values, sample_weight, mask, dtype)
    weighted = ops.multiply(values, weights)
    if reduction in (None, "none"):
        return weighted
    total = ops.sum(weighted)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight":
        return ops.divide_no_nan(total, ops.sum(ops.broadcast_to(weights, weighted.shape)))
    if mask is not None:  # the mean over what is not masked out
        valid = ops.broadcast_to(fit_weights(values, tensor(mask, dtype)), values.shape)
        return ops.true_divide(total, ops.maximum(ops.sum(valid), 1.0))
    return ops.true_divide(total, size_of(values.shape)) if size_of(values.shape) is not None else total


class Loss(Declared):
    """The base of losses: `call(y_true, y_pred)` gives a value for each sample, which are then reduced.

    Args:
        name: Its name.
        reduction: "sum_over_batch_size" (the mean over all values), "sum", "mean",
            "mean_with_sample_weight" (divided by the sum of the weights), or "none" or None (all values).
        dtype: The dtype that it is computed in; `floatx()` by default.

    Example:

    >>> import keraunos as keras
    >>> class Absolute(keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return keras.ops.abs(y_true - y_pred)
    >>> float(Absolute()([1.0, 2.0], [1.5, 2.0]))
    0.25
    """

    own_first: ClassVar[bool] = True
    unwritten: ClassVar[dict[str, Any]] = {}  # fields that Keras does not write, and their defaults
    name: str | None = None
    reduction: str | None = "sum_over_batch_size"
    dtype: Any = None

    def setup(self) -> None:
        """Check the reduction, and settle name and dtype."""
        if self.reduction is not None and self.reduction not in REDUCTIONS:
            raise ArgumentError(f"There is no reduction {self.reduction!r}.", where=type(self).__name__, fix=suggestion(self.reduction, REDUCTIONS))
        self.name = self.name or auto_name(to_snake_case(type(self).__name__))
        self.dtype = resolve_dtype(self.dtype)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of predictions; `sample_weight` is a number for each sample, or for each value of the loss."""
        mask = get_mask(y_pred)
        values = self.call(self._targets(y_true), each(lambda x: tensor(x, self.dtype), y_pred))
        own = get_mask(values)
        mask = own if mask is None else mask if own is None else ops.logical_and(mask, own)
        if isinstance(values, (list, tuple, dict)):
            values = ops.mean(ops.stack([ops.mean(x) for x in tree.flatten(values)]))
        try:
            return reduce_weighted(values, sample_weight, mask, self.reduction, self.dtype)
        except ShapeError:
            if sample_weight is None:
                raise
            raise ShapeError(
                "sample_weight does not fit the values of the loss.",
                where=self.name,
                received=show(ops.shape(sample_weight)),
                expected=f"{show(values.shape)}, or fewer axes",
            ) from None

    def _targets(self, y_true: Any) -> Any:
        return each(lambda x: tensor(x, self.dtype), y_true)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the loss, before they are weighted and reduced."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal loss."""
        config = super().get_config()
        if self.is_captured():
            return config
        return {name: value for name, value in config.items() if name != "dtype" and (name not in self.unwritten or value != self.unwritten[name])}


class FunctionLoss(Loss):
    """A loss made of a function: `class Name(FunctionLoss, function=…)` declares the function's own arguments."""

    function: ClassVar[Callable[..., Any]]
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, function: Callable[..., Any], name: str | None = None, **kwargs: Any):
        own = cls.__dict__.get("__annotations__", {})
        for field, annotation, default in (
            ("reduction", "str | None", "sum_over_batch_size"),
            ("name", "str | None", name or function.__name__),
            ("dtype", "Any", None),
        ):
            own.setdefault(field, annotation)
            setattr(cls, field, default)
        cls.__annotations__ = own
        cls.function = staticmethod(function)
        cls.arguments = tuple(n for n in inspect.signature(function).parameters if n in own)
        super().__init_subclass__(**kwargs)

    def _targets(self, y_true: Any) -> Any:
        return y_true  # the function converts them

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function of the targets and predictions."""
        return each(self._one, y_pred, y_true)

    def _one(self, y_pred: Any, y_true: Any) -> Any:
        return type(self).function(y_true, y_pred, **{name: getattr(self, name) for name in self.arguments})


class WrappedLoss(Loss):
    """A function of targets and predictions as a loss."""

    def __init__(self, fn: Callable[..., Any], reduction: str | None = "sum_over_batch_size", name: str | None = None, dtype: Any = None):
        super().__init__(name=name or getattr(fn, "__name__", None), reduction=reduction, dtype=dtype)
        self.fn = fn

    def _targets(self, y_true: Any) -> Any:
        return each(tensor, y_true)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function of the targets and predictions."""
        return self.fn(y_true, y_pred)
