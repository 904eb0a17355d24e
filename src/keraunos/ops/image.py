"""`keras.ops.image`: what is done to images, one `(height, width, channels)` or a batch."""

from __future__ import annotations

from keraunos.core.missing import answer_for
from keraunos.ops import imaging, resampling
from keraunos.ops.imaging import *
from keraunos.ops.resampling import *

__all__ = []
__all__ += imaging.__all__
__all__ += resampling.__all__

answer_for(__name__)
