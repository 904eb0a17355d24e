"""The losses as classes: each is its function and that function's arguments."""

from __future__ import annotations

from typing import Any

from keraunos.losses import functions
from keraunos.losses.loss import FunctionLoss


class MeanSquaredError(FunctionLoss, function=functions.mean_squared_error):
    """The mean of the squared differences.

    Example:

    >>> float(MeanSquaredError()([[0.0, 2.0]], [[1.0, 2.0]]))
    0.5
    """


class MeanAbsoluteError(FunctionLoss, function=functions.mean_absolute_error):
    """The mean of the absolute differences."""


class MeanAbsolutePercentageError(FunctionLoss, function=functions.mean_absolute_percentage_error):
    """The mean of the absolute differences in percent of the targets."""


class MeanSquaredLogarithmicError(FunctionLoss, function=functions.mean_squared_logarithmic_error):
    """The mean of the squared differences of the logarithms."""


class Huber(FunctionLoss, function=functions.huber, name="huber_loss"):
    """Squared for errors up to `delta`, linear beyond."""

    delta: float = 1.0
    unwritten = ("delta",)


class LogCosh(FunctionLoss, function=functions.log_cosh):
    """The logarithm of the hyperbolic cosine of the error."""


class CosineSimilarity(FunctionLoss, function=functions.cosine_similarity):
    """Minus the cosine of the angle between targets and predictions along `axis`."""

    axis: int = -1
    unwritten = ("axis",)


class Poisson(FunctionLoss, function=functions.poisson):
    """`y_pred - y_true * log(y_pred)`, for counts."""


class KLDivergence(FunctionLoss, function=functions.kl_divergence):
    """The Kullback-Leibler divergence of the predicted distribution from the true one."""


class BinaryCrossentropy(FunctionLoss, function=functions.binary_crossentropy):
    """The crossentropy of yes-or-no predictions.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How far targets are moved towards 0.5.
        axis: The axis to average over.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1


class CategoricalCrossentropy(FunctionLoss, function=functions.categorical_crossentropy):
    """The crossentropy of predicted classes for one-hot targets.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        label_smoothing: How much of each target is spread evenly over the classes.
        axis: The axis of the classes.
    """

    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1


class SparseCategoricalCrossentropy(FunctionLoss, function=functions.sparse_categorical_crossentropy):
    """The crossentropy of predicted classes for integer targets.

    Args:
        from_logits: Whether predictions are logits, not probabilities.
        ignore_class: A class whose samples do not count.
        axis: The axis of the classes.
    """

    from_logits: bool = False
    ignore_class: int | None = None
    reduction: str | None = "sum_over_batch_size"
    axis: int = -1
    unwritten = ("axis",)


class BinaryFocalCrossentropy(FunctionLoss, function=functions.binary_focal_crossentropy):
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
    label_smoothing: float = 0.0
    axis: int = -1


class CategoricalFocalCrossentropy(FunctionLoss, function=functions.categorical_focal_crossentropy):
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
    label_smoothing: float = 0.0
    axis: int = -1


class CategoricalGeneralizedCrossEntropy(FunctionLoss, function=functions.categorical_generalized_cross_entropy):
    """Between crossentropy (`q` near 0) and absolute error (`q` near 1), for wrong labels."""

    q: float = 0.5


class Hinge(FunctionLoss, function=functions.hinge):
    """`maximum(1 - y_true * y_pred, 0)` for targets -1 and 1."""


class SquaredHinge(FunctionLoss, function=functions.squared_hinge):
    """The square of the hinge loss."""


class CategoricalHinge(FunctionLoss, function=functions.categorical_hinge):
    """The hinge loss of the target class against the greatest other."""


class Dice(FunctionLoss, function=functions.dice):
    """One minus twice the overlap over the sum of the areas."""

    reduction: str | None = "sum_over_batch_size"
    name: str | None = "dice"
    axis: Any = None


class Tversky(FunctionLoss, function=functions.tversky):
    """The Dice loss with what is missed weighted by `alpha`, and what is wrongly found by `beta`."""

    alpha: float = 0.5
    beta: float = 0.5
    reduction: str | None = "sum_over_batch_size"
    name: str | None = "tversky"
    axis: Any = None


class Circle(FunctionLoss, function=functions.circle):
    """Pulls embeddings of one class together and others apart; predictions have length 1.

    Args:
        gamma: How sharply pairs are weighted.
        margin: How far from the ideal similarity a pair may be.
        remove_diagonal: Whether a sample is not compared with itself.
    """

    gamma: float = 80.0
    margin: float = 0.4
    remove_diagonal: bool = True
