"""Small helpers around training: labels, sequences, seeds, and registration for saving."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from keraunos.core import config, names, serialization
from keraunos.core.config import disable_interactive_logging, enable_interactive_logging, is_interactive_logging_enabled
from keraunos.core.dtypes import standardize_dtype
from keraunos.core.errors import ArgumentTypeError, DataError, one_of
from keraunos.core.graph import KerasTensor
from keraunos.core.missing import answer_for
from keraunos.core.serialization import *
from keraunos.legacy import saving as legacy

__all__ = [
    "Progbar", "PyDataset", "Sequence", "array_to_img", "audio_dataset_from_directory", "clear_session", "disable_interactive_logging", "enable_interactive_logging", "get_file", "get_source_inputs", "image_dataset_from_directory", "img_to_array", "is_interactive_logging_enabled", "is_keras_tensor", "legacy", "load_img", "model_to_dot", "normalize",
    "pack_x_y_sample_weight", "pad_sequences", "plot_model", "save_img", "set_random_seed", "split_dataset", "standardize_dtype", "text_dataset_from_directory", "timeseries_dataset_from_array",
    "to_categorical", "unpack_x_y_sample_weight",
]  # fmt: skip
__all__ += serialization.__all__

if TYPE_CHECKING:
    from keraunos.data.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight
    from keraunos.data.download import get_file
    from keraunos.data.folders import audio_dataset_from_directory, image_dataset_from_directory, text_dataset_from_directory
    from keraunos.data.indexed import PyDataset, Sequence
    from keraunos.data.pictures import array_to_img, img_to_array, load_img, save_img
    from keraunos.data.windows import split_dataset, timeseries_dataset_from_array
    from keraunos.models.drawing import model_to_dot, plot_model
    from keraunos.random.host import set_random_seed
    from keraunos.training.progbar import Progbar


def clear_session(free_memory: bool = True) -> None:
    """Start the automatic names (`dense`, `dense_1`, …) anew.

    Args:
        free_memory: Whether garbage is collected.

    Example:

    >>> import keraunos as keras
    >>> keras.utils.clear_session()
    >>> keras.layers.Dense(1).name, keras.layers.Dense(1).name
    ('dense', 'dense_1')
    """
    names.reset_names()
    if free_memory:
        gc.collect()


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor, as `Input` returns.

    Args:
        x: Anything.

    Example:

    >>> import keraunos as keras
    >>> keras.utils.is_keras_tensor(keras.Input((3,))), keras.utils.is_keras_tensor(keras.ops.ones(3))
    (True, False)
    """
    return isinstance(x, KerasTensor)


def get_source_inputs(tensor: Any) -> list[Any]:
    """The symbolic tensors of `Input` from which one was computed.

    Raises:
        ArgumentTypeError: It is no symbolic tensor.

    Example:

    >>> import keraunos as keras
    >>> x = keras.Input((3,))
    >>> get_source_inputs(keras.layers.Dense(2)(x))[0] is x
    True
    """
    if not isinstance(tensor, KerasTensor):
        raise ArgumentTypeError("Only a symbolic tensor has inputs.", where="get_source_inputs", received=type(tensor).__name__, fix="model.inputs")
    found, seen, left = [], set(), [tensor]
    while left:
        x = left.pop()
        if id(x) not in seen:
            seen.add(id(x))
            parents = x.node.inputs if x.node is not None else ()
            left.extend(reversed(parents))
            if not parents:
                found.append(x)
    return found


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Classes as one-hot vectors.

    Args:
        x: Integers from 0 to `num_classes - 1`, of any shape; a last axis of size 1 is dropped.
        num_classes: The length of the vectors; the largest class and one by default.

    Returns:
        A float array (a tensor, if `x` is one) of one more axis.

    Raises:
        DataError: A class is not below `num_classes`, or negative.

    Example:

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    import numpy as np

    if not isinstance(x, np.ndarray) and (engine := config.active()).is_tensor(x):
        return engine.array(to_categorical(engine.to_numpy(x), num_classes), config.floatx())
    classes = np.asarray(x).astype("int64")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = num_classes or int(classes.max(initial=-1)) + 1
    if classes.size and (classes.min() < 0 or classes.max() >= count):
        wrong = int(classes.min() if classes.min() < 0 else classes.max())
        fact = f"x contains {wrong}, which is not one of {count} classes."
        raise DataError(fact, where="to_categorical", expected=f"integers from 0 to {count - 1}", fix=f"num_classes={wrong + 1}")
    return (classes[..., None] == np.arange(count)).astype(config.floatx())


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Data divided by its norm of the given order along an axis; zero vectors stay. In a model, use `ops.normalize`.

    Example:

    >>> import numpy as np
    >>> normalize(np.array([[3.0, 4.0]])).tolist()
    [[0.6, 0.8]]
    """
    import numpy as np

    if not isinstance(x, np.ndarray) and config.active().is_tensor(x):
        return config.active().array(normalize(config.active().to_numpy(x), axis, order))
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def pad_sequences(
    sequences: Iterable[Any], maxlen: int | None = None, dtype: str = "int32", padding: str = "pre", truncating: str = "pre", value: Any = 0.0
) -> Any:
    """Sequences of unequal lengths as one array of shape `(samples, maxlen, …)`.

    Args:
        sequences: Lists of numbers or of vectors.
        maxlen: The common length; that of the longest by default.
        dtype: The array's dtype.
        padding: Where short sequences are filled up: "pre" or "post".
        truncating: Where long ones are cut: "pre" or "post".
        value: What they are filled with.

    Example:

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2).tolist()
    [[0, 1], [3, 4]]
    """
    import numpy as np

    one_of("padding", padding, ("pre", "post"), where="pad_sequences")
    one_of("truncating", truncating, ("pre", "post"), where="pad_sequences")
    rows = [np.asarray(row) for row in sequences]
    length = max((len(row) for row in rows), default=0) if maxlen is None else maxlen
    inner = next((row.shape[1:] for row in rows if len(row)), ())
    out = np.full((len(rows), length, *inner), value, dtype=object if dtype == "object" else dtype)
    for i, row in enumerate(rows):
        kept = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        if len(kept) and kept.shape[1:] != inner:
            raise DataError("The sequences hold vectors of unequal shapes.", where=f"sequences[{i}]", received=kept.shape[1:], expected=inner)
        if len(kept):
            out[i, slice(length - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return out


# These load NumPy.
_LATE = {
    "data.batches": ("pack_x_y_sample_weight", "unpack_x_y_sample_weight"),
    "data.download": ("get_file",),
    "data.folders": ("audio_dataset_from_directory", "image_dataset_from_directory", "text_dataset_from_directory"),
    "data.indexed": ("PyDataset", "Sequence"),
    "data.pictures": ("array_to_img", "img_to_array", "load_img", "save_img"),
    "data.windows": ("split_dataset", "timeseries_dataset_from_array"),
    "models.drawing": ("model_to_dot", "plot_model"),
    "random.host": ("set_random_seed",),
    "training.progbar": ("Progbar",),
}
sys.modules[f"{__name__}.legacy"] = legacy  # so that it can be imported
answer_for(__name__, {name: module for module, found in _LATE.items() for name in found})
