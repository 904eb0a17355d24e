"""`Loss`: a function of targets and predictions, weighted, masked and reduced to one number."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from keraunos import dtype_policies, ops
from keraunos.core import config, dtypes, tree
from keraunos.core.errors import ArgumentTypeError, ShapeError
from keraunos.core.fields import Declared
from keraunos.core.masks import get_mask
from keraunos.core.names import auto_name, to_snake_case
from keraunos.core.op import TENSOR
from keraunos.core.spec import broadcast_shapes, show, size_of

SHORT = {
    "bce": "BinaryCrossentropy", "kld": "KLDivergence", "mae": "MeanAbsoluteError", "mape": "MeanAbsolutePercentageError", "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError",
}  # fmt: skip
SHORT |= {short.upper(): name for short, name in SHORT.items()}
_ONE_HOT = "y = keras.utils.to_categorical(y)"
_FIXES = {
    "categorical_crossentropy": f"for integer classes use the loss 'sparse_categorical_crossentropy', or {_ONE_HOT}",
    "categorical_focal_crossentropy": f"for integer classes {_ONE_HOT}",
    "categorical_hinge": f"for integer classes {_ONE_HOT}",
    "categorical_generalized_cross_entropy": "for one-hot targets y = y.argmax(-1)",
    "sparse_categorical_crossentropy": "for one-hot targets use the loss 'categorical_crossentropy', or y = y.argmax(-1)",
}
_OF_INTEGERS = ("sparse", "categorical_generalized")  # how the names of functions begin that take classes as integers


def public(module: types.ModuleType) -> dict[str, Any]:
    """The public classes and functions that a module defines, by name."""
    defined = {name: item for name, item in vars(module).items() if getattr(item, "__module__", None) == module.__name__}
    return {name: item for name, item in defined.items() if name[0] != "_" and callable(item)}


def takes_two(function: Callable[..., Any], what: str) -> None:
    """Refuse a user's loss or metric that cannot be called with targets and predictions.

    Raises:
        ArgumentTypeError: It takes one argument, or needs more than two.
    """
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        name = getattr(function, "__name__", type(function).__name__)
        fact = f"The {what} '{name}' cannot be called with the targets and the predictions."
        raise ArgumentTypeError(fact, where=f"{what} '{name}'", received=f"{name}{inspect.signature(function)}", fix=f"def {name}(y_true, y_pred): …") from None
    except ValueError:  # a function of C has no signature to look at
        pass


# ---- targets, predictions and weights as tensors that fit together ----
def tensor(x: Any, dtype: str | None = None) -> Any:
    """`x` as the engine's tensor of that dtype; untouched if it is one."""
    backend = config.active()
    if backend.kinds.get(x.__class__) == TENSOR and (dtype is None or backend.dtype_of(x) == dtype):
        return x
    return ops.convert_to_tensor(x, dtype)


def each(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the corresponding tensors of structures; a list of numbers is one tensor."""
    first = structures[0]
    if isinstance(first, (list, tuple, dict)) and (isinstance(first, dict) or any(hasattr(x, "shape") or isinstance(x, dict) for x in first)):
        return tree.map_structure(function, *structures)
    return function(*structures)


def same_rank(x: Any, other: Any) -> tuple[Any, Any]:
    """Two tensors, of which one may have a last axis of size 1 that the other lacks, in one rank."""
    n, m = len(x.shape), len(other.shape)
    if n == m + 1 and x.shape[-1] == 1:
        return (x, ops.expand_dims(other, -1)) if m == 1 else (ops.squeeze(x, -1), other)
    if m == n + 1:
        return same_rank(other, x)[::-1]
    return x, other


def misfit(where: str | None, y_true: Any, y_pred: Any, fix: str | None = None) -> ShapeError:
    """The error that says that targets do not fit predictions."""
    received = f"y_true {show(y_true.shape)}, y_pred {show(y_pred.shape)}"
    sparse = bool(where) and where.startswith(_OF_INTEGERS)
    wanted = y_pred.shape[:-1] if sparse else y_pred.shape
    extra = len(wanted) - len(y_true.shape)
    if extra > 0 and (sparse or y_true.shape[1:] == y_pred.shape[-1:] or extra > 1):
        steps = "steps: return_sequences=False in the last recurrent layer, or GlobalAveragePooling1D"
        places = steps if extra == 1 else "places: GlobalAveragePooling2D or Flatten"
        fix = f"the outputs keep the axis of {places} before the last layer"
    elif where is None and extra == 1:
        fix = f"one-hot targets ({_ONE_HOT}), or a metric of integer classes such as 'sparse_categorical_accuracy'"
    fact, fix = "The targets do not fit the predictions.", fix or _FIXES.get(where or "")
    return ShapeError(fact, where=where, received=received, expected=f"y_true {show(wanted)}", fix=fix, code="KR302")


def labels(where: str, y_true: Any, y_pred: Any, axis: int = -1, fix: str | None = None) -> tuple[Any, Any]:
    """Integer targets, without an axis of size 1 in the classes' place, and predictions, as tensors."""
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis)
    if len(y_true.shape) != len(y_pred.shape) - 1:
        raise misfit(where, y_true, y_pred, fix if y_true.shape == y_pred.shape else None)
    return y_true, y_pred


def pairwise(function: Callable[..., Any], equal: bool = False) -> Callable[..., Any]:
    """Give `function` its targets as tensors of the predictions' dtype and rank, and of their very shape where it must be `equal`."""

    @functools.wraps(function)
    def convert(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
        y_pred = tensor(y_pred)
        dtype = ops.dtype(y_pred)
        if not dtypes.is_float(dtype):
            dtype = config.floatx()
            y_pred = tensor(y_pred, dtype)
        y_true = tensor(y_true, dtype)
        if y_true.shape != y_pred.shape:
            y_true, y_pred = same_rank(y_true, y_pred)
            try:
                common = broadcast_shapes(y_true.shape, y_pred.shape)
            except ShapeError:
                common = None
            if common is None or (equal and y_true.shape != y_pred.shape):
                raise misfit(function.__name__, y_true, y_pred)
        return function(y_true, y_pred, *args, **kwargs)

    return convert


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """`pairwise`, for functions whose targets must have the very shape of the predictions."""
    return pairwise(function, equal=True)


def fit_weights(values: Any, weights: Any, what: str = "sample_weight") -> Any:
    """Weights with as many axes as the values: trailing axes of size 1 are dropped or added.

    Raises:
        ShapeError: They do not broadcast to the values.
    """
    n, m, given = len(values.shape), len(weights.shape), weights.shape
    if m == n + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    elif 0 < m < n:
        weights = ops.expand_dims(weights, tuple(range(m, n)))
    if m and weights.shape != values.shape:
        try:
            broadcast_shapes(values.shape, weights.shape)
        except ShapeError:
            raise unfit(what, given, values) from None
    return weights


def unfit(what: str, given: Any, values: Any) -> ShapeError:
    """The error that says that weights of this shape do not fit values."""
    expected = f"{show(values.shape)}, or fewer axes" if len(values.shape) else "a number"
    fact, fix = f"{what} does not fit the values that it weights.", "a number for each sample, as many as there are"
    return ShapeError(fact, where=what, received=show(given), expected=expected, fix=fix)


def masked_weights(values: Any, weights: Any, mask: Any, dtype: str) -> Any:
    """The weights, 0 where the mask is false; the mask alone where there are none."""
    weights = None if weights is None else fit_weights(values, tensor(weights, dtype))
    if mask is None:
        return weights
    mask = fit_weights(values, tensor(mask, dtype), "mask")
    return mask if weights is None else ops.multiply(weights, mask)


# ---- classes ----
class Measure(Declared):
    """What losses and metrics have in common: a name, a dtype, and often a function that they are made of.

    `class Huber(…, function=huber)` has the function's name by default, unless `name=…` gives another, and passes those of its fields on that the
    function takes.
    """

    own_first: ClassVar[bool] = True
    unwritten: ClassVar[tuple[str, ...]] = ()  # fields that Keras does not write to a config; here they are written unless they are the default
    function: ClassVar[Callable[..., Any]]
    arguments: ClassVar[tuple[str, ...]] = ()
    dtype: Any

    def __init_subclass__(cls, function: Callable[..., Any] | None = None, **kwargs: Any):
        if function is None:
            super().__init_subclass__(**kwargs)
        else:
            super().__init_subclass__(**{"name": function.__name__, **kwargs})
            cls.function = staticmethod(function)
            cls.arguments = tuple(name for name in inspect.signature(function).parameters if name in cls.fields)

    def setup(self) -> None:
        """Settle name and dtype."""
        self.name = self.name or auto_name(to_snake_case(type(self).__name__))
        self.dtype = config.floatx() if self.dtype is None else dtype_policies.get(self.dtype).compute_dtype

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal object."""
        config = super().get_config()
        return {n: value for n, value in config.items() if self.is_captured() or n not in self.unwritten or value != self.fields[n].default}


class Loss(Measure):
    """The base of losses: `call(y_true, y_pred)` gives a value for each sample, which are then reduced.

    Args:
        name: Its name.
        reduction: "sum_over_batch_size" (the mean over all values), "sum", "mean",
            "mean_with_sample_weight" (divided by the sum of the weights, each counted for every value that it weighs),
            or "none" or None (all values). A mean of nothing is 0.
        dtype: The dtype that it is computed in; `floatx()` by default.

    Example:

    >>> import keraunos as keras
    >>> class Absolute(keras.losses.Loss):
    ...     def call(self, y_true, y_pred):
    ...         return keras.ops.abs(y_true - y_pred)
    >>> float(Absolute()([1.0, 2.0], [1.5, 2.0]))
    0.25
    """

    unsaved = ("dtype",)
    name: str | None = None
    reduction: Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"] | None = "sum_over_batch_size"
    dtype: Any = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of predictions; `sample_weight` is a number for each sample, or for each value of the loss."""
        mask = get_mask(y_pred)
        values = self.call(self._targets(y_true), each(lambda x: tensor(x, self.dtype), y_pred))
        if values is None:
            raise ArgumentTypeError(f"The loss '{self.name}' returned None.", where=self.name, fix="end it with: return …")
        own = get_mask(values)
        mask = own if mask is None else mask if own is None else ops.logical_and(mask, own)
        if tree.is_nested(values):
            values = ops.mean(ops.stack([ops.mean(x) for x in tree.flatten(values)]))
        values = tensor(values, self.dtype)
        if sample_weight is None and mask is None:
            return values if self.reduction in (None, "none") else ops.sum(values) if self.reduction == "sum" or 0 in values.shape else ops.mean(values)
        return self._reduce(values, sample_weight, mask)

    def _targets(self, y_true: Any) -> Any:
        return each(lambda x: tensor(x, self.dtype), y_true)

    def _reduce(self, values: Any, sample_weight: Any, mask: Any) -> Any:
        """Weighted values as one number, or one by one where `reduction` is "none"."""
        if len(values.shape) == 1 and sample_weight is not None and ops.shape(sample_weight)[1:] == (1,):
            values = ops.expand_dims(values, -1)
        weights = masked_weights(values, sample_weight, mask, self.dtype)
        weighted = ops.multiply(values, weights)
        if self.reduction in (None, "none"):
            return weighted
        total = ops.sum(weighted)
        if self.reduction == "sum":
            return total
        if self.reduction == "mean_with_sample_weight":
            return ops.divide_no_nan(total, ops.sum(ops.broadcast_to(weights, weighted.shape)))
        if mask is None:
            return ops.true_divide(total, size_of(weighted.shape) or 1)
        valid = ops.broadcast_to(fit_weights(values, tensor(mask, self.dtype), "mask"), weighted.shape)  # the mean over what is not masked out
        return ops.true_divide(total, ops.maximum(ops.sum(valid), 1.0))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The values of the loss, before they are weighted and reduced."""
        raise NotImplementedError(f"{type(self).__name__} must define call(self, y_true, y_pred).")


class FunctionLoss(Loss, order=("reduction", "name", "dtype")):
    """A loss made of one of our functions, which converts the targets."""

    def _targets(self, y_true: Any) -> Any:
        return y_true

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The function of the targets and predictions."""
        options = {name: getattr(self, name) for name in self.arguments}
        return each(lambda prediction, target: self.function(target, prediction, **options), y_pred, y_true)


class WrappedLoss(Loss):
    """A user's function of targets and predictions as a loss; structures and the targets' dtype reach it as they are."""

    def __init__(self, fn: Callable[..., Any], reduction: Any = "sum_over_batch_size", name: str | None = None, dtype: Any = None):
        takes_two(fn, "loss")
        super().__init__(name=name or getattr(fn, "__name__", None), reduction=reduction, dtype=dtype)
        self.call = fn

    def _targets(self, y_true: Any) -> Any:
        return each(tensor, y_true)
