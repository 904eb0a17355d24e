"""`keras.ops.numpy`: the ops that NumPy has too."""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.ops import creation, elementwise, linalg, reductions, shaping
from keraunos.ops.creation import *
from keraunos.ops.elementwise import *
from keraunos.ops.linalg import *
from keraunos.ops.reductions import *
from keraunos.ops.shaping import *

__all__ = []
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += linalg.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__

answer_for(__name__)
