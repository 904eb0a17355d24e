"""`keras.ops.numpy`: the ops that NumPy has too."""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.ops import creation, elementwise, products, reductions, shaping
from keraunos.ops.creation import *
from keraunos.ops.elementwise import *
from keraunos.ops.linalg import slogdet
from keraunos.ops.products import *
from keraunos.ops.reductions import *
from keraunos.ops.shaping import *

__all__ = ["slogdet"]
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += shaping.__all__

answer_for(__name__)
