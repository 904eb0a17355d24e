"""Single images: files, Pillow's images, and arrays."""

from __future__ import annotations

import io
import os
import pathlib
from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DataError, ShapeError, needing, one_of

_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
_DEEP = ("I;16", "I;16B", "I;16L", "I")  # gray images of 16 and 32 bits
_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}


def _pillow() -> Any:
    with needing("Images are read and written by Pillow, which is not installed.", "keraunos.utils", "pillow"):
        from PIL import Image
    return Image


def load_img(path: Any, color_mode: str = "rgb", target_size: Any = None, interpolation: str = "nearest", keep_aspect_ratio: bool = False) -> Any:
    """An image file as an image of Pillow.

    Args:
        path: The path, or a stream of bytes.
        color_mode: "rgb", "rgba" or "grayscale"; gray images of 16 and 32 bits stay so.
        target_size: The height and width to resize it to; None leaves it as it is.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: Whether the middle of the image is cut out in the form of `target_size` first, so that nothing is distorted.

    Raises:
        DataError: The file is no image.
        FileNotFoundError: It is not there.

    Example:

    >>> import keraunos as keras, io, numpy as np
    >>> file = io.BytesIO()
    >>> keras.utils.save_img(file, np.zeros((4, 6, 3)), file_format="png")
    >>> image = keras.utils.load_img(file, color_mode="grayscale", target_size=(2, 3))
    >>> keras.utils.img_to_array(image).shape
    (2, 3, 1)
    """
    where = "load_img"
    mode, image_of = _MODES[one_of("color_mode", color_mode, tuple(_MODES), where)], _pillow()
    one_of("interpolation", interpolation, _INTERPOLATIONS, where)
    if not isinstance(path, (str, os.PathLike, io.IOBase)):
        raise ArgumentTypeError("An image is named by a path, or is a stream of bytes.", where=where, received=type(path).__name__, fix="io.BytesIO(data)")
    try:
        with image_of.open(pathlib.Path(path).expanduser() if isinstance(path, (str, os.PathLike)) else path) as opened:
            image = opened.copy() if color_mode == "grayscale" and opened.mode in _DEEP else opened.convert(mode)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError) as error:
        raise DataError(f"The image cannot be read: {error}.", where=str(path), fix="check that it opens elsewhere: it may be cut off, or no image") from error
    if target_size is None:
        return image
    if not isinstance(target_size, (tuple, list)) or len(target_size) != 2 or not all(isinstance(n, int) and n > 0 for n in target_size):
        raise ArgumentError("target_size is a height and a width.", where=where, received=repr(target_size), fix="target_size=(224, 224)")
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        high, wide = min(image.height, image.width * height // width), min(image.width, image.height * width // height)
        left, top = (image.width - wide) // 2, (image.height - high) // 2
        box = left, top, left + wide, top + high
    return image if image.size == (width, height) else image.resize((width, height), getattr(image_of.Resampling, interpolation.upper()), box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """An image of Pillow as an array of three axes.

    Args:
        img: The image, or an array of two or three axes.
        data_format: "channels_last" or "channels_first".
        dtype: The dtype; `floatx()` by default.

    Raises:
        ShapeError: It has not two or three axes.

    Example:

    >>> from PIL import Image
    >>> img_to_array(Image.new("RGB", (4, 2))).shape
    (2, 4, 3)
    """
    data_format = config.standardize_data_format(data_format)
    x = np.asarray(img, dtype=dtype or config.floatx())
    if x.ndim == 2:
        return x[None] if data_format == "channels_first" else x[..., None]
    if x.ndim != 3:
        fact = "An image has a height, a width and channels."
        raise ShapeError(fact, where="img_to_array", received=f"shape {x.shape}", fix="img_to_array(images[0]) for one of several")
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None) -> Any:
    """An array of three axes, one image with 1, 3 or 4 channels, as an image of Pillow.

    Args:
        x: The array, or a tensor.
        data_format: "channels_last" or "channels_first".
        scale: Whether its values are stretched to 0 … 255; else they are to be that.
        dtype: The dtype to compute in; `floatx()` by default.

    Raises:
        ShapeError: It has other axes, or another number of channels.

    Example:

    >>> import numpy as np
    >>> array_to_img(np.zeros((2, 4, 3))).size
    (4, 2)
    """
    data_format, image_of = config.standardize_data_format(data_format), _pillow()
    x = np.asarray(x, dtype=dtype or config.floatx())
    if x.ndim != 3:
        raise ShapeError("This is not one image.", where="array_to_img", received=f"shape {x.shape}", expected="three axes", fix="one of a batch: x[0]")
    x = x.transpose(1, 2, 0) if data_format == "channels_first" else x
    if x.shape[2] not in _CHANNELS:
        raise ShapeError(f"An image has 1, 3 or 4 channels, not {x.shape[2]}.", where="array_to_img", received=f"shape {x.shape}, {data_format}")
    if scale:
        x = x - x.min()
        x = x / (x.max() or 1) * 255
    if x.shape[2] == 1:
        return image_of.fromarray(x[..., 0].astype("int32" if x.max(initial=0) > 255 else "uint8"))
    return image_of.fromarray(x.astype("uint8"))


def save_img(path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any) -> None:
    """Write an array as an image file.

    Args:
        path: The path, or a stream.
        x: The array of three axes.
        data_format: "channels_last" or "channels_first".
        file_format: The format, where the path's ending does not say it: "png", "jpeg", …
        scale: Whether its values are stretched to 0 … 255.
        **kwargs: What Pillow's `save` takes for the format, such as `quality=90`.

    Raises:
        ArgumentError: There is no such format.

    Example:

    >>> import keraunos as keras, numpy as np, os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "black.png")
    >>> keras.utils.save_img(path, np.zeros((4, 6, 3)))
    >>> keras.utils.load_img(path).size  # width and height
    (6, 4)
    """
    image = array_to_img(x, data_format=data_format, scale=scale)
    if image.mode == "RGBA" and str(file_format or path).lower().endswith(("jpg", "jpeg")):
        image = image.convert("RGB")  # which has no transparency
    try:
        image.save(path if isinstance(path, io.IOBase) else pathlib.Path(path).expanduser(), format=file_format, **kwargs)
    except (KeyError, ValueError) as error:
        raise ArgumentError(f"The image cannot be written: {error}.", where="save_img", received=f"{path}", fix="save_img('image.png', x)") from None
