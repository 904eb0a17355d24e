"""`keraunos.optimizers`: how weights are changed by gradients.

>>> type(get("adam")).__name__
'Adam'
"""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry
from keraunos.optimizers import rules, schedules
from keraunos.optimizers.adafactor import Adafactor
from keraunos.optimizers.groups import MultiOptimizer, OptimizerMap
from keraunos.optimizers.loss_scale import LossScaleOptimizer
from keraunos.optimizers.muon import Muon
from keraunos.optimizers.optimizer import Optimizer
from keraunos.optimizers.rules import *
from keraunos.optimizers.schedule_free import ScheduleFreeAdamW

_RULES = {**{name: getattr(rules, name) for name in rules.__all__}, "Adafactor": Adafactor, "Muon": Muon, "ScheduleFreeAdamW": ScheduleFreeAdamW}
_CLASSES = {"Optimizer": Optimizer, "LossScaleOptimizer": LossScaleOptimizer, "MultiOptimizer": MultiOptimizer, "OptimizerMap": OptimizerMap, **_RULES}
registry = Registry("optimizer", _CLASSES, {written: name for name in _RULES for written in (name.lower(), name.upper())}, base=Optimizer)
get, serialize, deserialize = registry.functions(__name__, "Adam(learning_rate=0.01)")

__all__ = [*_CLASSES, "deserialize", "get", "schedules", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]


answer_for(__name__)
