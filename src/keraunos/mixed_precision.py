"""Mixed precision: compute in 16 bits, keep the variables in 32. Keras's other names for dtype policies; the scaling of losses that float16 needs."""

from keraunos.core.missing import answer_for
from keraunos.dtype_policies import DTypePolicy, dtype_policy, set_dtype_policy
from keraunos.optimizers.loss_scale import LossScaleOptimizer

Policy, global_policy, set_global_policy = DTypePolicy, dtype_policy, set_dtype_policy

__all__ = ["DTypePolicy", "LossScaleOptimizer", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]


answer_for(__name__)
