"""What Keras has in `keras.backend`: dtypes, the engine's name, small helpers."""

from __future__ import annotations

import collections

from keraunos.core.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx, set_image_data_format
from keraunos.core.dtypes import INTEGERS, is_float, result_type, standardize_dtype
from keraunos.core.missing import answer_for
from keraunos.utils import clear_session, is_keras_tensor

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "get_uid", "image_data_format", "is_float_dtype", "is_int_dtype", "is_keras_tensor", "result_type",
    "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip

_uids: collections.Counter[str] = collections.Counter()


def get_uid(prefix: str = "") -> int:
    """A number that is one higher with each call, from 1 on, for each prefix.

    Example:

    >>> from keraunos import backend
    >>> first = backend.get_uid("step")
    >>> backend.get_uid("step") - first
    1
    """
    _uids[prefix] += 1
    return _uids[prefix]


def is_float_dtype(dtype: object) -> bool:
    """Whether a dtype, given as a name or any engine's object, is a real floating dtype.

    Example:

    >>> from keraunos import backend
    >>> backend.is_float_dtype("bfloat16"), backend.is_float_dtype("int32")
    (True, False)
    """
    return is_float(standardize_dtype(dtype))


def is_int_dtype(dtype: object) -> bool:
    """Whether a dtype, given as a name or any engine's object, is an integer dtype.

    Example:

    >>> from keraunos import backend
    >>> backend.is_int_dtype("uint8"), backend.is_int_dtype("bool")
    (True, False)
    """
    return standardize_dtype(dtype) in INTEGERS


answer_for(__name__)
