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

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions of that shape.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.mean_squared_error([[0.0, 2.0]], [[1.0, 2.0]]))
    array([0.5], dtype=float32)
    """
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), -1)


@pairwise
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(abs(y_true - y_pred))` over the last axis: less moved by outliers than the squared error.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions of that shape.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.mean_absolute_error([[0.0, 2.0]], [[1.0, 5.0]]))
    array([2.], dtype=float32)
    """
    return ops.mean(ops.abs(ops.subtract(y_true, y_pred)), -1)


@pairwise
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """`100 * mean(abs((y_true - y_pred) / y_true))` over the last axis, in percent.

    Targets near 0 make it large: it divides by `abs(y_true)`, at least by `epsilon()`.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions of that shape.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.mean_absolute_percentage_error([[2.0, 4.0]], [[3.0, 4.0]]))
    array([25.], dtype=float32)
    """
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon())), -1)


@pairwise
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """`mean(square(log(y_true + 1) - log(y_pred + 1)))` over the last axis: the relative error counts, for targets of 0 and more of many sizes.

    Args:
        y_true: Targets, `(batch, …, outputs)`; what is below 0 counts as 0.
        y_pred: Predictions of that shape, likewise.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.mean_squared_logarithmic_error([[9.0], [999.0]], [[0.0], [99.0]])  # both ten times too small
    >>> keras.ops.convert_to_numpy(loss).round(3)
    array([5.302, 5.302], dtype=float32)
    """
    first, second = (ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred))
    return ops.mean(ops.square(first - second), -1)


@pairwise
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """`0.5 * error ** 2` up to a distance of `delta`, `delta * abs(error) - 0.5 * delta ** 2` beyond; the mean over the last axis.

    Outliers pull no harder than any other error above `delta` (Huber, 1964, "Robust estimation of a location parameter").

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions of that shape.
        delta: Where the parabola ends and the straight line begins.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.huber([[0.0], [0.0]], [[1.0], [10.0]]))
    array([0.5, 9.5], dtype=float32)
    """
    distance = ops.abs(ops.subtract(y_true, y_pred))
    return ops.mean(ops.where(ops.less_equal(distance, delta), 0.5 * ops.square(distance), delta * distance - 0.5 * delta**2), -1)


@pairwise
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """`mean(log(cosh(y_pred - y_true)))` over the last axis: half the square of small errors, the absolute value of large ones less `log(2)`.

    Args:
        y_true: Targets, `(batch, …, outputs)`.
        y_pred: Predictions of that shape.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.log_cosh([[0.0], [0.0]], [[1.0], [10.0]])).round(4)
    array([0.4338, 9.3069], dtype=float32)
    """
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), -1)


@pairwise
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """`-sum(normalize(y_true) * normalize(y_pred))` along `axis`: -1 for vectors of one direction, 0 for orthogonal ones, 1 for opposite ones.

    Args:
        y_true: Targets, `(batch, …, features)`.
        y_pred: Predictions of that shape.
        axis: The axis of the vectors.

    Returns:
        A value for each vector: the shape without `axis`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.cosine_similarity([[0.0, 1.0], [0.0, 1.0]], [[0.0, 5.0], [0.0, -2.0]]))
    array([-1.,  1.], dtype=float32)
    """
    return -ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis)


# ---- probabilities ----
@pairwise
def poisson(y_true: Any, y_pred: Any) -> Any:
    """`mean(y_pred - y_true * log(y_pred))` over the last axis: for counts, whose rate is predicted.

    Args:
        y_true: Counts, `(batch, …, outputs)`.
        y_pred: Rates above 0, of that shape, such as an output of `softplus`.

    Returns:
        A value for each sample, `(batch, …)`; the least where the rate is the count.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.poisson([[3.0], [3.0]], [[1.0], [3.0]])).round(4)
    array([ 1.    , -0.2958], dtype=float32)
    """
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), -1)


@pairwise
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """`sum(y_true * log(y_true / y_pred))` over the last axis: how far a predicted distribution is from the true one (Kullback and Leibler, 1951).

    Args:
        y_true: Probabilities, `(batch, …, classes)`.
        y_pred: Probabilities of that shape.

    Returns:
        A value for each sample, `(batch, …)`; 0 for equal distributions.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.kl_divergence([[0.5, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.25, 0.75]])).round(4)
    array([0.    , 0.1438], dtype=float32)
    """
    y_true, y_pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(y_true * ops.log(y_true / y_pred), -1)


def _smooth(y_true: Any, amount: float, classes: Any = 2) -> Any:
    return y_true if isinstance(amount, (int, float)) and not amount else y_true * (1.0 - amount) + amount / classes


@elementwise
def binary_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    """`-y_true * log(y_pred) - (1 - y_true) * log(1 - y_pred)`, the mean along `axis`.

    Args:
        y_true: 0 or 1, or probabilities, `(batch, …, outputs)`.
        y_pred: Probabilities, or logits, of that shape.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis to average over.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets have another shape than the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.binary_crossentropy([[1.0], [1.0]], [[0.9], [0.1]])).round(4)
    array([0.1054, 2.3026], dtype=float32)
    """
    return ops.mean(ops.binary_crossentropy(_smooth(y_true, label_smoothing), y_pred, from_logits), axis)


@elementwise
def categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    """`-sum(y_true * log(y_pred))` along `axis`, for one-hot targets.

    Args:
        y_true: One-hot vectors, or probabilities, of `y_pred`'s shape.
        y_pred: Probabilities, or logits, `(batch, …, classes)`.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How much of each target is spread evenly over the classes, from 0 to 1.
        axis: The axis of the classes.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets are not one-hot: use `sparse_categorical_crossentropy`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])).round(4)
    array([0.6931], dtype=float32)
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
    """The binary crossentropy with well classified samples weighted down by `(1 - p) ** gamma`.

    `p` is the probability that is given to the true answer. The rare and hard samples then count among many easy ones:
    [Lin et al., 2017, "Focal loss for dense object detection"](https://arxiv.org/abs/1708.02002).

    Args:
        y_true: 0 or 1, `(batch, …, outputs)`.
        y_pred: Probabilities, or logits, of that shape.
        apply_class_balancing: Whether class 1 is weighted by `alpha`, class 0 by `1 - alpha`.
        alpha: The weight of class 1.
        gamma: How strongly well classified samples are weighted down; 0 is the plain crossentropy.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How far targets are moved towards 0.5, from 0 to 1.
        axis: The axis to average over.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets have another shape than the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.binary_focal_crossentropy([[1.0], [1.0]], [[0.75], [0.25]])).round(3)  # easy, hard
    array([0.018, 0.78 ], dtype=float32)
    """
    y_true = _smooth(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    values = _focus(right, gamma) * ops.binary_crossentropy(y_true, p)
    return ops.mean((y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values if apply_class_balancing else values, axis)


@elementwise
def categorical_focal_crossentropy(
    y_true: Any, y_pred: Any, alpha: Any = 0.25, gamma: float = 2.0, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """The categorical crossentropy with well classified samples weighted down by `alpha * (1 - p) ** gamma`.

    `p` is the probability that is given to the target's class:
    [Lin et al., 2017, "Focal loss for dense object detection"](https://arxiv.org/abs/1708.02002).

    Args:
        y_true: One-hot vectors of `y_pred`'s shape.
        y_pred: Probabilities, or logits, `(batch, …, classes)`.
        alpha: The weight of the classes: one number, or one for each.
        gamma: How strongly well classified samples are weighted down.
        from_logits: Whether `y_pred` is logits.
        label_smoothing: How much of each target is spread evenly over the classes, from 0 to 1.
        axis: The axis of the classes.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets are not one-hot.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.categorical_focal_crossentropy([[0.0, 1.0], [0.0, 1.0]], [[0.25, 0.75], [0.75, 0.25]])  # easy, hard
    >>> keras.ops.convert_to_numpy(loss).round(3)
    array([0.004, 0.195], dtype=float32)
    """
    y_true = _smooth(y_true, label_smoothing, y_pred.shape[axis])
    p = ops.softmax(y_pred, axis) if from_logits else ops.divide_no_nan(y_pred, ops.sum(y_pred, axis, True))
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    return -ops.sum(ops.multiply(alpha, _focus(p, gamma) * y_true * ops.log(p)), axis)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """`(1 - p ** q) / q` with the probability `p` of the target's class, for integer targets of which some are wrong.

    It lies between the crossentropy (`q` near 0) and the absolute error (`q` near 1), which a wrong label moves less:
    [Zhang and Sabuncu, 2018, "Generalized cross entropy loss for training deep neural networks with noisy labels"](https://arxiv.org/abs/1805.07836).

    Args:
        y_true: The classes as integers, `(batch, …)`.
        y_pred: Probabilities, `(batch, …, classes)`.
        q: From above 0 to 1: the larger, the less wrong labels count.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets are one-hot.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.categorical_generalized_cross_entropy([1, 0], [[0.75, 0.25], [0.75, 0.25]], q=0.5)
    >>> keras.ops.convert_to_numpy(loss).round(4)
    array([1.    , 0.2679], dtype=float32)
    """
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
    """`mean(maximum(1 - y_true * y_pred, 0))` over the last axis: nothing is lost where the prediction has the target's sign and exceeds 1.

    Args:
        y_true: -1 or 1 (or 0 or 1, which are taken for them), `(batch, …, outputs)`.
        y_pred: Predictions of that shape, of any size.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.hinge([[1.0], [-1.0]], [[2.0], [0.5]]))
    array([0. , 1.5], dtype=float32)
    """
    return ops.mean(ops.maximum(1.0 - _signed(y_true) * y_pred, 0.0), -1)


@pairwise
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """`mean(square(maximum(1 - y_true * y_pred, 0)))` over the last axis.

    Args:
        y_true: -1 or 1 (or 0 or 1, which are taken for them), `(batch, …, outputs)`.
        y_pred: Predictions of that shape, of any size.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.squared_hinge([[1.0], [-1.0]], [[2.0], [0.5]]))
    array([0.  , 2.25], dtype=float32)
    """
    return ops.mean(ops.square(ops.maximum(1.0 - _signed(y_true) * y_pred, 0.0)), -1)


@elementwise
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """`maximum(neg - pos + 1, 0)`: the prediction of the target's class is to exceed the greatest other by 1.

    Args:
        y_true: One-hot vectors of `y_pred`'s shape.
        y_pred: Predictions of any size, `(batch, …, classes)`.

    Returns:
        A value for each sample, `(batch, …)`.

    Raises:
        ShapeError: The targets are not one-hot.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.losses.categorical_hinge([[0.0, 1.0], [0.0, 1.0]], [[0.5, 2.0], [2.0, 0.5]]))
    array([0. , 2.5], dtype=float32)
    """
    own, other = ops.sum(y_true * y_pred, -1), ops.max((1.0 - y_true) * y_pred, -1)
    return ops.maximum(other - own + 1.0, 0.0)


# ---- overlap ----
@pairwise
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """`1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred))`: one minus the overlap, for segmentation.

    Large and small objects count alike ([Milletari et al., 2016, "V-Net"](https://arxiv.org/abs/1606.04797)).

    Args:
        y_true: 0 or 1, of `y_pred`'s shape.
        y_pred: Probabilities, such as `(batch, height, width, classes)`.
        axis: The axes to sum over; None sums over all, and gives one number.

    Returns:
        The values, without the axes that were summed over.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> y_true, y_pred = [[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]
    >>> round(float(keras.losses.dice(y_true, y_pred)), 4)
    0.3333
    """
    shared = ops.sum(y_true * y_pred, axis)
    return 1.0 - ops.true_divide(2.0 * shared, ops.sum(y_true, axis) + ops.sum(y_pred, axis) + config.epsilon())


@pairwise
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """`1 - tp / (tp + alpha * fn + beta * fp)`: the Dice loss with what is missed weighted by `alpha`, and what is wrongly found by `beta`.

    `tp`, `fn` and `fp` are the sums of what is found rightly, missed, and found wrongly; 0.5 and 0.5 are the Dice loss:
    [Salehi et al., 2017, "Tversky loss function for image segmentation"](https://arxiv.org/abs/1706.05721), where the letters change places.

    Args:
        y_true: 0 or 1, of `y_pred`'s shape.
        y_pred: Probabilities, such as `(batch, height, width, classes)`.
        alpha: The weight of what is missed.
        beta: The weight of what is wrongly found.
        axis: The axes to sum over; None sums over all, and gives one number.

    Returns:
        The values, without the axes that were summed over.

    Raises:
        ShapeError: The targets do not fit the predictions.

    Example:

    >>> import keraunos as keras
    >>> y_true, y_pred = [[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]]  # one of two is missed
    >>> [round(float(keras.losses.tversky(y_true, y_pred, alpha, 1 - alpha)), 4) for alpha in (0.25, 0.5, 0.75)]
    [0.2, 0.3333, 0.4286]
    """
    shared = ops.sum(y_true * y_pred, axis)
    wrong, missed = ops.sum((1.0 - y_true) * y_pred, axis), ops.sum(y_true * (1.0 - y_pred), axis)
    return 1.0 - shared / (shared + alpha * missed + beta * wrong + config.epsilon())


def circle(
    y_true: Any, y_pred: Any, ref_labels: Any = None, ref_embeddings: Any = None, remove_diagonal: bool = True, gamma: float = 80, margin: float = 0.4
) -> Any:
    """Pulls embeddings of one class together and others apart, those that are worst placed most.

    [Sun et al., 2020, "Circle loss: a unified perspective of pair similarity optimization"](https://arxiv.org/abs/2002.10857).

    Args:
        y_true: The labels as integers, `(batch,)`.
        y_pred: Embeddings of length 1, `(batch, features)`.
        ref_labels: Labels to compare with; `y_true` by default.
        ref_embeddings: Embeddings to compare with; `y_pred` by default.
        remove_diagonal: Whether a sample is not compared with itself.
        gamma: How sharply pairs are weighted.
        margin: How far from the ideal similarity a pair may be.

    Returns:
        A value for each sample, `(batch,)`; a sample without another of its class does not count.

    Raises:
        ShapeError: `y_pred` has not two axes.

    Example:

    >>> import keraunos as keras
    >>> embeddings = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    >>> good, bad = (keras.losses.circle(labels, embeddings) for labels in ([0, 0, 1, 1], [0, 1, 0, 1]))
    >>> float(good[0]) < 0.001, float(bad[0]) > 50
    (True, True)
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

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.MeanSquaredError()
    >>> float(loss([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """


class MeanAbsoluteError(FunctionLoss, function=mean_absolute_error):
    """The mean of the absolute differences: less moved by outliers than the squared error.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.MeanAbsoluteError()
    >>> float(loss([[0.0], [2.0]], [[1.0], [5.0]])), float(loss([[0.0], [2.0]], [[1.0], [5.0]], sample_weight=[1.0, 0.0]))
    (2.0, 0.5)
    """


class MeanAbsolutePercentageError(FunctionLoss, function=mean_absolute_percentage_error):
    """The mean of the absolute differences in percent of the targets; targets near 0 make it large.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.MeanAbsolutePercentageError()
    >>> float(loss([[2.0], [4.0]], [[3.0], [4.0]]))
    25.0
    """


class MeanSquaredLogarithmicError(FunctionLoss, function=mean_squared_logarithmic_error):
    """The mean of the squared differences of `log(1 + y)`: the relative error counts.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.MeanSquaredLogarithmicError()
    >>> round(float(loss([[9.0], [999.0]], [[0.0], [99.0]])), 3)  # both ten times too small
    5.302
    """


class Huber(FunctionLoss, function=huber, name="huber_loss"):
    """Half the squared error up to `delta`, linear beyond, so that outliers count less (Huber, 1964, "Robust estimation of a location parameter").

    Args:
        delta: Where the parabola ends and the straight line begins.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.Huber(delta=1.0)
    >>> float(loss([[0.0]], [[1.0]])), float(loss([[0.0]], [[10.0]]))
    (0.5, 9.5)
    """

    delta: float = 1.0
    unwritten = ("delta",)


class LogCosh(FunctionLoss, function=log_cosh):
    """The mean of `log(cosh(error))`: half the square of small errors, nearly the absolute value of large ones.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.LogCosh()
    >>> round(float(loss([[0.0], [0.0]], [[1.0], [10.0]])), 4)
    4.8703
    """


class CosineSimilarity(FunctionLoss, function=cosine_similarity):
    """Minus the cosine of the angle between targets and predictions along `axis`: -1 for one direction, 1 for opposite ones.

    Args:
        axis: The axis of the vectors.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.CosineSimilarity()
    >>> float(loss([[0.0, 1.0], [0.0, 1.0]], [[0.0, 5.0], [2.0, 0.0]]))
    -0.5
    """

    axis: int = -1
    unwritten = ("axis",)


class Poisson(FunctionLoss, function=poisson):
    """The mean of `y_pred - y_true * log(y_pred)`: for counts, whose rate is predicted.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.Poisson()
    >>> round(float(loss([[3.0]], [[1.0]])), 4), round(float(loss([[3.0]], [[3.0]])), 4)
    (1.0, -0.2958)
    """


class KLDivergence(FunctionLoss, function=kl_divergence):
    """The Kullback-Leibler divergence of the predicted distribution from the true one: `sum(y_true * log(y_true / y_pred))`.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.KLDivergence()
    >>> round(float(loss([[0.5, 0.5]], [[0.25, 0.75]])), 4)
    0.1438
    """


class BinaryCrossentropy(FunctionLoss, function=binary_crossentropy):
    """The crossentropy of yes-or-no predictions.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.
        axis: The axis to average over.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.BinaryCrossentropy(from_logits=True)
    >>> round(float(loss([[1.0], [0.0]], [[2.0], [-2.0]])), 4)
    0.1269
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
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.CategoricalCrossentropy()
    >>> round(float(loss([[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.9, 0.1]])), 4)
    0.3993
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
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)  # -1 is padding
    >>> round(float(loss([1, 0, -1], [[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]])), 4)
    0.3993
    """

    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1
    unwritten = ("axis",)


class BinaryFocalCrossentropy(FunctionLoss, function=binary_focal_crossentropy):
    """The binary crossentropy with well classified samples weighted down by `(1 - p) ** gamma`, for one class among many others.

    [Lin et al., 2017, "Focal loss for dense object detection"](https://arxiv.org/abs/1708.02002).

    Args:
        apply_class_balancing: Whether class 1 is weighted by `alpha`, class 0 by `1 - alpha`.
        alpha: The weight of class 1.
        gamma: How strongly well classified samples are weighted down.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.
        axis: The axis to average over.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.BinaryFocalCrossentropy(gamma=2.0)
    >>> round(float(loss([[1.0]], [[0.9]])), 4), round(float(loss([[1.0]], [[0.1]])), 4)
    (0.0011, 1.8651)
    """

    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class CategoricalFocalCrossentropy(FunctionLoss, function=categorical_focal_crossentropy):
    """The categorical crossentropy with well classified samples weighted down by `alpha * (1 - p) ** gamma`.

    [Lin et al., 2017, "Focal loss for dense object detection"](https://arxiv.org/abs/1708.02002).

    Args:
        alpha: The weight of the classes, one number or one for each.
        gamma: How strongly well classified samples are weighted down.
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How much of each target is spread evenly over the classes.
        axis: The axis of the classes.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.CategoricalFocalCrossentropy(alpha=[0.25, 0.75])
    >>> round(float(loss([[0.0, 1.0]], [[0.9, 0.1]])), 4)
    1.3988
    """

    alpha: Any = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: Share = 0.0
    axis: int = -1


class CategoricalGeneralizedCrossEntropy(FunctionLoss, function=categorical_generalized_cross_entropy):
    """Between the crossentropy (`q` near 0) and the absolute error (`q` near 1): for integer targets of which some are wrong.

    [Zhang and Sabuncu, 2018, "Generalized cross entropy loss for training deep neural networks with noisy labels"](https://arxiv.org/abs/1805.07836).

    Args:
        q: From above 0 to 1: the larger, the less wrong labels count.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.CategoricalGeneralizedCrossEntropy(q=0.5)
    >>> round(float(loss([1], [[0.75, 0.25]])), 4)
    1.0
    """

    q: float = 0.5


class Hinge(FunctionLoss, function=hinge):
    """`maximum(1 - y_true * y_pred, 0)` for targets -1 and 1 (or 0 and 1, which are taken for them).

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.Hinge()
    >>> float(loss([[1.0], [-1.0]], [[2.0], [0.5]]))
    0.75
    """


class SquaredHinge(FunctionLoss, function=squared_hinge):
    """The square of the hinge loss.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.SquaredHinge()
    >>> float(loss([[1.0], [-1.0]], [[2.0], [0.5]]))
    1.125
    """


class CategoricalHinge(FunctionLoss, function=categorical_hinge):
    """The hinge loss of the target's class against the greatest other, for one-hot targets.

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.CategoricalHinge()
    >>> float(loss([[0.0, 1.0], [0.0, 1.0]], [[0.5, 2.0], [2.0, 0.5]]))
    1.25
    """


class Dice(FunctionLoss, function=dice, order=("reduction", "name", "axis")):
    """One minus twice the overlap over the sum of the areas, for segmentation ([Milletari et al., 2016, "V-Net"](https://arxiv.org/abs/1606.04797)).

    Args:
        reduction, name: As for `Loss`.
        axis: The axes to sum over; None sums over all, `(1, 2)` takes each image and class by itself.
        dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.Dice()
    >>> round(float(loss([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]])), 4)
    0.3333
    """

    axis: Any = None


class Tversky(FunctionLoss, function=tversky, order=("alpha", "beta", "reduction", "name", "axis")):
    """The Dice loss with what is missed weighted by `alpha`, and what is wrongly found by `beta`.

    [Salehi et al., 2017, "Tversky loss function for image segmentation"](https://arxiv.org/abs/1706.05721).

    Args:
        alpha: The weight of what is missed.
        beta: The weight of what is wrongly found.
        reduction, name: As for `Loss`.
        axis: The axes to sum over; None sums over all.
        dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss = keras.losses.Tversky(alpha=0.75, beta=0.25)
    >>> round(float(loss([[1.0, 1.0, 0.0, 0.0]], [[1.0, 0.0, 0.0, 0.0]])), 4)  # one of two is missed
    0.4286
    """

    alpha: float = 0.5
    beta: float = 0.5
    axis: Any = None


class Circle(FunctionLoss, function=circle):
    """Pulls embeddings of one class together and others apart, those that are worst placed most; predictions have length 1.

    [Sun et al., 2020, "Circle loss: a unified perspective of pair similarity optimization"](https://arxiv.org/abs/2002.10857).

    Args:
        gamma: How sharply pairs are weighted.
        margin: How far from the ideal similarity a pair may be.
        remove_diagonal: Whether a sample is not compared with itself.
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss, embeddings = keras.losses.Circle(), [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]
    >>> float(loss([0, 0, 1, 1], embeddings)) < float(loss([0, 1, 0, 1], embeddings))
    True
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True


class CTC(FunctionLoss, function=ctc):
    """The loss of sequences of labels without their places, as in speech and handwriting; class 0 is the blank.

    Graves et al., 2006, "Connectionist temporal classification: labelling unsegmented sequence data with recurrent neural networks".

    Args:
        reduction, name, dtype: As for `Loss`.

    Example:

    >>> import keraunos as keras
    >>> loss, logits = keras.losses.CTC(), keras.ops.zeros((1, 2, 3))  # two steps, two labels and the blank
    >>> round(float(loss([[1, 2]], logits)), 4)  # one alignment of nine: log(9)
    2.1972
    """
