"""Muon: steps of matrices with all their singular values alike, and AdamW for all else."""

from __future__ import annotations

import math
import re
from typing import Any

from keraunos import ops
from keraunos.core.variable import Variable
from keraunos.optimizers.varied import Varied

_FIRST = ("learning_rate", "adam_beta_1", "adam_beta_2", "adam_weight_decay", "epsilon", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
_FIRST += ("use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor", "gradient_accumulation_steps", "name")


class Muon(Varied, order=_FIRST, weight_decay=0.004):
    """The momentum of a matrix, made orthogonal, is its step; other variables follow AdamW.

    Meant for the matrices inside a network. Name the output layer in `exclude_layers`: it learns better by AdamW, as do embeddings
    ([Jordan et al., 2024](https://kellerjordan.github.io/posts/muon/); [Liu et al., 2025](https://arxiv.org/abs/2502.16982)).

    Args:
        learning_rate: The length of a step.
        adam_beta_1: How slowly AdamW's mean of the gradient moves.
        adam_beta_2: How slowly AdamW's mean of its square moves.
        adam_weight_decay: The weight decay of variables that follow AdamW.
        epsilon: Added to the root of the mean of squares.
        weight_decay: The weight decay of matrices.
        exclude_layers: Patterns; a variable in whose path one occurs follows AdamW.
        exclude_embeddings: Whether variables with "embedding" in their path do too.
        muon_a: The first coefficient of the Newton–Schulz iteration.
        muon_b: The second.
        muon_c: The third.
        adam_lr_ratio: AdamW's learning rate over that of matrices.
        momentum: How much of the former step of a matrix is kept.
        ns_steps: The number of Newton–Schulz iterations.
        nesterov: Whether the gradient is taken as if the momentum had been followed already.
        rms_rate: Makes the steps of matrices as large as AdamW's; None leaves the singular values at 1.

    Example:

    >>> import keraunos as keras
    >>> w = keras.Variable([[3.0, 0.0], [0.0, 1.0]])
    >>> Muon(0.1, weight_decay=0.0, rms_rate=None).apply([w.value], [w])
    >>> keras.ops.convert_to_numpy(keras.ops.less(w.value, [[3.0, 1.0], [1.0, 1.0]])).tolist()
    [[True, True], [True, True]]
    """

    learning_rate: Any = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: float | None = 0.004
    epsilon: float = 1e-7
    exclude_layers: Any = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.775
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: float | None = 0.2

    def setup(self) -> None:
        """Take the patterns as a list."""
        super().setup()
        self.exclude_layers = list(self.exclude_layers or ())

    def follows_adam(self, variable: Variable) -> bool:
        """Whether a variable follows AdamW."""
        patterns = [*self.exclude_layers, *(["(?i)embedding"] if self.exclude_embeddings else [])]
        return len(variable.shape) != 2 or any(re.search(pattern, variable.path) for pattern in patterns)

    def slots_for(self, variable: Variable) -> dict[str, tuple[int, ...]]:
        """The momentum, and the mean of squares of variables that follow AdamW."""
        return dict.fromkeys(("momentum", "velocity") if self.follows_adam(variable) else ("momentum",), variable.shape)

    def _decay_of(self, variable: Variable) -> float | None:
        decay = super()._decay_of(variable)
        return self.adam_weight_decay if decay is not None and self.follows_adam(variable) else decay

    def update(self, value: Any, gradient: Any, rate: Any, step: Any, momentum: Any, velocity: Any = None) -> tuple[Any, ...]:
        """One step, by AdamW where there is a mean of squares."""
        if velocity is None:
            momentum = self.momentum * momentum + gradient
            move = gradient + self.momentum * momentum if self.nesterov else momentum
            return value - rate * self.lr_adjust(self.zeropower_via_newtonschulz5(move, self.ns_steps)), momentum
        momentum = momentum + (gradient - momentum) * (1.0 - self.adam_beta_1)
        velocity = velocity + (ops.square(gradient) - velocity) * (1.0 - self.adam_beta_2)
        rate = self.adam_lr_ratio * rate * ops.sqrt(1.0 - self.adam_beta_2**step) / (1.0 - self.adam_beta_1**step)
        return value - rate * momentum / (ops.sqrt(velocity) + self.epsilon), momentum, velocity

    def lr_adjust(self, x: Any) -> Any:
        """A step with singular values near 1, made as large as AdamW's are."""
        return x if self.rms_rate is None else x * (self.rms_rate * math.sqrt(max(x.shape)))

    def transpose_last_axis(self, X: Any) -> Any:
        """A matrix transposed."""
        return ops.transpose(X)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """A matrix with its singular values brought near 1."""
        tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if tall else x
        x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
        for _ in range(steps):
            gram = ops.matmul(x, ops.transpose(x))
            x = self.muon_a * x + ops.matmul(self.muon_b * gram + self.muon_c * ops.matmul(gram, gram), x)
        return ops.transpose(x) if tall else x
