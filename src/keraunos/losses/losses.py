"""The losses as functions, of which `f(y_true, y_pred)` gives a value for each sample, and as classes, each a function with its arguments."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Share
from keraunos.core.masks import set_mask
from keraunos.core.spec import show
from keraunos.losses.loss import FunctionLoss, elementwise, labels, pairwise, tensor


# ---- regression ----
@pairwise
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(square(y_true - y_pred))` over the last axis.

    Example:

    >>> import keraunos as keras
    >>> keras.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 2.0]]).tolist()
    [0.5]
    """
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), -1)


@pairwise
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(abs(y_true - y_pred))` over the last axis."""
    return ops.mean(ops.abs(ops.subtract(y_true, y_pred)), -1)


@pairwise
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """`100 * mean(abs((y_true - y_pred) / y_true))` over the last axis."""
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon())), -1)


@pairwise
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(square(log(y_true + 1) - log(y_pred + 1)))` over the last axis."""
    first, second = (ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred))
    return ops.mean(ops.square(first - second), -1)


@pairwise
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Half the squared error up to a distance of `delta`, linear beyond; the mean over the last axis."""
    distance = ops.abs(ops.subtract(y_true, y_pred))
    return ops.mean(ops.where(ops.less_equal(distance, delta), 0.5 * ops.square(distance), delta * distance - 0.5 * delta**2), -1)


@pairwise
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis: squared for small errors, absolute for large ones."""
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), -1)


@pairwise
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """`-sum(normalize(y_true) * normalize(y_pred))` along `axis`; -1 for vectors of one direction."""
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis)


# ---- probabilities ----
@pairwise
def poisson(y_true: Any, y_pred: Any) -> Any:
    """`mean(y_pred - y_true * log(y_pred))` over the last axis."""
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), -1)


@pairwise
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """`sum(y_true * log(y_true / y_pred))` over the last axis."""
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(y_true * ops.log(y_true / y_pred), -1)


def _smooth(y_true: Any, amount: float, classes: Any = 2) -> Any:
    return y_true if isinstance(amount, (int, float)) and not amount else y_true * (1.0 - amount) + amount / classes


@elementwise
def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    """`-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)`, the mean along `axis`.

    Args:
        y_true: 0 or 1, or probabilities.
        y_pred: Probabilities, or logits.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis to average over.
    """
    return ops.mean(ops.binary_crossentropy(_smooth(y_true, label_smoothing), y_pred, from_logits), axis)


@elementwise
def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    """`-sum(y_true * log(y_pred))` along `axis`, for one-hot targets.

    Args:
        y_true: One-hot vectors, or probabilities, of `y_pred`'s shape.
        y_pred: Probabilities, or logits.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How much of each target is spread evenly over the classes, from 0 to 1.
        axis: The axis of the classes.

    Raises:
        ShapeError: The targets are not one-hot: use `sparse_categorical_crossentropy`.
    """
    return ops.categorical_crossentropy(_smooth(y_true, label_smoothing, y_pred.shape[axis]), y_pred, from_logits, axis)


def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1) -> Any:
    """`-log(y_pred[y_true])` along `axis`, for integer targets.

    Args:
        y_true: The classes as integers, of `y_pred`'s shape without `axis`.
        y_pred: Probabilities, or logits.
        from_logits: Whether `y_pred` is logits.
        ignore_class: A class whose samples do not count.
        axis: The axis of the classes.

    Raises:
        ShapeError: The targets are one-hot: use `categorical_crossentropy`.

    Example:

    >>> import keraunos as keras
    >>> round(float(keras.losses.sparse_categorical_crossentropy([1], [[0.0, 1.0, 0.0]], from_logits=True)[0]), 4)
    0.5514
    """
    y_true, y_pred = labels("sparse_categorical_crossentropy", y_true, y_pred, axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits, axis)
    counted = ops.not_equal(y_true, ignore_class)
    values = ops.where(counted, ops.sparse_categorical_crossentropy(ops.where(counted, y_true, 0), y_pred, from_logits, axis), 0.0)
    set_mask(values, counted)
    return values


def _focus(p: Any, gamma: float) -> Any:
    """`(1 - p) ** gamma`, where a power of 0, or 0 to a power below 1, would have no finite gradient."""
    return ops.power(ops.maximum(1.0 - p, config.epsilon()), gamma)


@elementwise
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """The binary crossentropy with well classified samples weighted down by `(1 - p) ** gamma` ([Lin et al., 2018](https://arxiv.org/abs/1708.02002))."""
    y_true = _smooth(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    values = _focus(right, gamma) * ops.binary_crossentropy(y_true, p)
    return ops.mean((y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values if apply_class_balancing else values, axis)


@elementwise
def categorical_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """The categorical crossentropy with well classified samples weighted down by `alpha * (1 - p) ** gamma`; `alpha` is one number, or one for each class."""
    y_true = _smooth(y_true, label_smoothing, y_pred.shape[axis])
    p = ops.softmax(y_pred, axis) if from_logits else ops.divide_no_nan(y_pred, ops.sum(y_pred, axis, True))
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    return -ops.sum(ops.multiply(alpha, _focus(p, gamma) * y_true * ops.log(p)), axis)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """`(1 - p ** q) / q` with the target class's probability `p`, for integer targets that may be wrong ([Zhang and Sabuncu, 2018](https://arxiv.org/abs/1805.07836))."""
    y_true, y_pred = labels("categorical_generalized_cross_entropy", y_true, y_pred)
    p = ops.sum(ops.one_hot(y_true, y_pred.shape[-1], dtype=ops.dtype(y_pred)) * y_pred, -1)
    possible = ops.greater(p, 0.0)
    return (1.0 - ops.where(possible, ops.power(ops.where(possible, p, 1.0), q), 0.0)) / q


# ---- margins ----
def _signed(y_true: Any) -> Any:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


@pairwise
def hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(maximum(1 - y_true * y_pred, 0))` over the last axis; targets are -1 or 1 (or 0 or 1)."""
    return ops.mean(ops.maximum(1.0 - _signed(y_true) * y_pred, 0.0), -1)


@pairwise
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(square(maximum(1 - y_true * y_pred, 0)))` over the last axis."""
    return ops.mean(ops.square(ops.maximum(1.0 - _signed(y_true) * y_pred, 0.0)), -1)


@elementwise
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """`maximum(neg - pos + 1, 0)`: the target class's prediction against the greatest other; targets are one-hot."""
    own, other = ops.sum(y_true * y_pred, -1), ops.max((1.0 - y_true) * y_pred, -1)
    return ops.maximum(other - own + 1.0, 0.0)


# ---- overlap ----
@pairwise
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))` over `axis`; None is over all."""
    shared = ops.sum(y_true * y_pred, axis)
    return 1.0 - ops.true_divide(2.0 * shared, ops.sum(y_true, axis) + ops.sum(y_pred, axis) + config.epsilon())


@pairwise
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """The Dice loss with what is missed weighted by `alpha`, and what is wrongly found by `beta`."""
    shared = ops.sum(y_true * y_pred, axis)
    wrong, missed = ops.sum((1.0 - y_true) * y_pred, axis), ops.sum(y_true * (1.0 - y_pred), axis)
    return 1.0 - shared / (shared + alpha * missed + beta * wrong + config.epsilon())


def circle(
    y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None, remove_diagonal: bool = True, gamma: float = 80, margin: float = 0.4
) -> Any:
    """Pulls embeddings of one class together and others apart ([Sun et al., 2020](https://arxiv.org/abs/2002.10857)).

    Args:
        y_true: The labels, `(batch,)`.
        y_pred: Embeddings of length 1, `(batch, features)`.
        ref_labels: Labels to compare with; `y_true` by default.
        ref_embeddings: Embeddings to compare with; `y_pred` by default.
        remove_diagonal: Whether a sample is not compared with itself.
        gamma: How sharply pairs are weighted.
        margin: How far from the ideal similarity a pair may be.
    """
    y_pred = tensor(y_pred)
    if len(y_pred.shape) != 2:
        raise ShapeError("circle compares vectors.", where="circle", received=f"y_pred {show(y_pred.shape)}", expected="y_pred (batch, features)")
    own = ops.reshape(ops.cast(tensor(y_true), "int32"), (-1, 1))
    others = own if ref_labels is None else ops.reshape(ops.cast(tensor(ref_labels), "int32"), (-1, 1))
    similarity = ops.matmul(y_pred, ops.transpose(y_pred if ref_embeddings is None else tensor(ref_embeddings)))
    same = ops.equal(own, ops.transpose(others))
    kept = ops.logical_not(ops.eye(*map(int, similarity.shape), dtype="bool")) if remove_diagonal else True

    def pull(pairs: Any, logits: Any) -> Any:
        return ops.logsumexp(ops.where(pairs, logits, float("-inf")), -1)

    towards = gamma * -ops.stop_gradient(ops.relu(1.0 + margin - similarity)) * (similarity - (1.0 - margin))
    away = gamma * ops.stop_gradient(ops.relu(similarity + margin)) * (similarity - margin)
    together, apart = ops.logical_and(same, kept), ops.logical_not(same)
    values = ops.softplus(pull(together, towards) + pull(apart, away))
    set_mask(values, ops.any(together, -1))  # a sample without another of its class does not count
    return values


# ---- sequences ----
def ctc(y_true: Any, y_pred: Any) -> Any:
    """The negative log probability of a sequence of labels over all alignments (Graves et al., 2006, "Connectionist temporal classification").

    Args:
        y_true: Labels, `(batch, labels)`; 0 is the blank and fills up shorter sequences.
        y_pred: Logits, `(batch, steps, classes)`; all steps count.

    Raises:
        ShapeError: The shapes are others.

    Example:

    >>> import keraunos as keras
    >>> round(float(keras.losses.ctc([[1, 2]], keras.ops.zeros((1, 2, 3)))[0]), 4)  # one alignment of nine
    2.1972
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if len(y_true.shape) != 2 or len(y_pred.shape) != 3:
        received = f"y_true {show(y_true.shape)}, y_pred {show(y_pred.shape)}"
        expected = "y_true (batch, labels) of integers, y_pred (batch, steps, classes)"
        raise ShapeError("The targets do not fit the predictions.", where="ctc", received=received, expected=expected)
    lengths = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), -1)
    steps = ops.full_like(lengths, ops.shape(y_pred)[1])
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, lengths, steps, mask_index=0)


# ---- classes ----
class MeanSquaredError(FunctionLoss, function=mean_squared_error):
    """The mean of the squared differences.

    Example:

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """


class MeanAbsoluteError(FunctionLoss, function=mean_absolute_error):
    """The mean of the absolute differences."""


class MeanAbsolutePercentageError(FunctionLoss, function=mean_absolute_percentage_error):
    """The mean of the absolute differences in percent of the targets."""


class MeanSquaredLogarithmicError(FunctionLoss, function=mean_squared_logarithmic_error):
    """The mean of the squared differences of the logarithms."""


class Huber(FunctionLoss, function=huber, name="huber_loss"):
    """Squared for errors up to `delta`, linear beyond."""

    delta: float = 1.0
    unwritten = ("delta",)


class LogCosh(FunctionLoss, function=log_cosh):
    """The logarithm of the hyperbolic cosine of the error."""


class CosineSimilarity(FunctionLoss, function=cosine_similarity):
    """Minus the cosine of the angle between targets and predictions along `axis`."""

    axis: int = -1
    unwritten = ("axis",)


class Poisson(FunctionLoss, function=poisson):
    """`y_pred - y_true * log(y_pred)`, for counts."""


class KLDivergence(FunctionLoss, function=kl_divergence):
    """The Kullback-Leibler divergence of the predicted distribution from the true one."""


class BinaryCrossentropy(FunctionLoss, function=binary_crossentropy):
    """The crossentropy of yes-or-no predictions.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.
        axis: The axis to average over.
    """

    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class CategoricalCrossentropy(FunctionLoss, function=categorical_crossentropy):
    """The crossentropy of predicted classes for one-hot targets.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How much of each target is spread evenly over the classes.
        axis: The axis of the classes.
    """

    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class SparseCategoricalCrossentropy(FunctionLoss, function=sparse_categorical_crossentropy, order=("from_logits", "ignore_class", "reduction", "axis")):
    """The crossentropy of predicted classes for integer targets.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        ignore_class: A class whose samples do not count.
        axis: The axis of the classes.
    """

    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1
    unwritten = ("axis",)


class BinaryFocalCrossentropy(FunctionLoss, function=binary_focal_crossentropy):
    """The binary crossentropy with well classified samples weighted down.

    Args:
        apply_class_balancing: Whether class 1 is weighted by `alpha`, class 0 by `1 - alpha`.
        alpha: The weight of class 1.
        gamma: How strongly well classified samples are weighted down.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.
        axis: The axis to average over.
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class CategoricalFocalCrossentropy(FunctionLoss, function=categorical_focal_crossentropy):
    """The categorical crossentropy with well classified samples weighted down.

    Args:
        alpha: The weight of the classes, one number or one for each.
        gamma: How strongly well classified samples are weighted down.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How much of each target is spread evenly over the classes.
        axis: The axis of the classes.
    """

    alpha: Any = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class CategoricalGeneralizedCrossEntropy(FunctionLoss, function=categorical_generalized_cross_entropy):
    """Between crossentropy (`q` near 0) and absolute error (`q` near 1), for wrong labels."""

    q: float = 0.5


class Hinge(FunctionLoss, function=hinge):
    """`maximum(1 - y_true * y_pred, 0)` for targets -1 and 1."""


class SquaredHinge(FunctionLoss, function=squared_hinge):
    """The square of the hinge loss."""


class CategoricalHinge(FunctionLoss, function=categorical_hinge):
    """The hinge loss of the target class against the greatest other."""


class Dice(FunctionLoss, function=dice, order=("reduction", "name", "axis")):
    """One minus twice the overlap over the sum of the areas."""

    axis: Any = None


class Tversky(FunctionLoss, function=tversky, order=("alpha", "beta", "reduction", "name", "axis")):
    """The Dice loss with what is missed weighted by `alpha`, and what is wrongly found by `beta`."""

    alpha: float = 0.5
    beta: float = 0.5
    axis: Any = None


class Circle(FunctionLoss, function=circle):
    """Pulls embeddings of one class together and others apart; predictions have length 1.

    Args:
        gamma: How sharply pairs are weighted.
        margin: How far from the ideal similarity a pair may be.
        remove_diagonal: Whether a sample is not compared with itself.
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True


class CTC(FunctionLoss, function=ctc):
    """The loss of sequences of labels without their places, as in speech and handwriting (Graves et al., 2006); class 0 is the blank."""
