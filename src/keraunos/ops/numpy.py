"""`keras.ops.numpy`: the ops that NumPy has too."""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.ops import (
    bits,
    complexes,
    creation,
    elementwise,
    joining,
    products,
    reductions,
    searching,
    shaping,
    special,
    statistics,
    vectorizing,
    vectors,
    window_functions,
)
from keraunos.ops.bits import *
from keraunos.ops.complexes import *
from keraunos.ops.creation import *
from keraunos.ops.elementwise import *
from keraunos.ops.joining import *
from keraunos.ops.linalg import slogdet
from keraunos.ops.products import *
from keraunos.ops.reductions import *
from keraunos.ops.searching import *
from keraunos.ops.shaping import *
from keraunos.ops.special import *
from keraunos.ops.statistics import *
from keraunos.ops.vectorizing import *
from keraunos.ops.vectors import *
from keraunos.ops.window_functions import *

__all__ = ["slogdet"]
__all__ += bits.__all__
__all__ += complexes.__all__
__all__ += creation.__all__
__all__ += elementwise.__all__
__all__ += joining.__all__
__all__ += products.__all__
__all__ += reductions.__all__
__all__ += searching.__all__
__all__ += shaping.__all__
__all__ += special.__all__
__all__ += statistics.__all__
__all__ += vectorizing.__all__
__all__ += vectors.__all__
__all__ += window_functions.__all__

answer_for(__name__)
