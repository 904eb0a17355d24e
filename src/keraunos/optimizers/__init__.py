"""`keraunos.optimizers`: how weights are changed by gradients.

>>> type(get("adam")).__name__
'Adam'
"""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry
from keraunos.optimizers import rules, schedules
from keraunos.optimizers.loss_scale import LossScaleOptimizer
from keraunos.optimizers.optimizer import Optimizer
from keraunos.optimizers.rules import *

_CLASSES = {"Optimizer": Optimizer, "LossScaleOptimizer": LossScaleOptimizer, **{name: getattr(rules, name) for name in rules.__all__}}
registry = Registry("optimizer", _CLASSES, {name.lower(): name for name in rules.__all__}, base=Optimizer)
get, serialize, deserialize = registry.functions()

__all__ = ["LossScaleOptimizer", "Optimizer", *rules.__all__, "deserialize", "get", "schedules", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]


answer_for(__name__)
