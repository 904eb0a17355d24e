"""Settings of the process, and the choice of engine."""

from keraunos.core import config
from keraunos.core.config import *
from keraunos.core.missing import answer_for
from keraunos.dtype_policies import dtype_policy, set_dtype_policy

__all__ = ["dtype_policy", "set_dtype_policy"]
__all__ += config.__all__

answer_for(__name__)
