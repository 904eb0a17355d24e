"""`keraunos.ops`: everything that computes, on every engine.

Each op is defined once: a primitive by its rules for shape and dtype, a composite by a body over other
ops. An engine's own function of the same name is a primitive's implementation, or a composite's faster form.
"""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.ops import control, fourier, image, linalg, nn, numpy, rearranging, scattering
from keraunos.ops.control import *
from keraunos.ops.fourier import *
from keraunos.ops.linalg import *
from keraunos.ops.linalg import cdist, logdet
from keraunos.ops.nn import *
from keraunos.ops.numpy import *
from keraunos.ops.rearranging import *
from keraunos.ops.scattering import *

__all__ = ["cdist", "image", "linalg", "logdet", "nn", "numpy"]
__all__ += control.__all__
__all__ += fourier.__all__
__all__ += linalg.__all__
__all__ += nn.__all__
__all__ += numpy.__all__
__all__ += rearranging.__all__
__all__ += scattering.__all__

answer_for(__name__)
