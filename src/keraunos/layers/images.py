"""Images made ready for a network: their size, and the range of their numbers."""

from __future__ import annotations

from typing import Any, Literal

from keraunos import ops
from keraunos.core.config import image_data_format, standardize_data_format
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Size
from keraunos.core.spec import is_known
from keraunos.layers.layer import Layer


class ImageLayer(Layer, kw_only=True):
    """The base of layers for images: a batch, one image, or a dict of "images" and what goes with them, "labels" and "segmentation_masks".

    Args:
        data_format: "channels_last" or "channels_first".
    """

    data_format: str | None = None

    def setup(self) -> None:
        self.data_format = standardize_data_format(self.data_format)

    def call(self, data: Any) -> Any:
        if not isinstance(data, dict):
            return self.transform_images(data)
        if "images" not in data:
            raise ArgumentError("There are no images.", where="data", received=", ".join(map(repr, data)), fix='{"images": x, "labels": y}')
        if "bounding_boxes" in data:
            raise ArgumentError("Bounding boxes are not supported.", where="data", fix="leave them out of the dict")
        transforms = {"images": self.transform_images, "labels": self.transform_labels, "segmentation_masks": self.transform_segmentation_masks}
        return {key: transforms[key](value) if key in transforms else value for key, value in data.items()}

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        """The images, changed; subclasses define it."""
        raise NotImplementedError

    def transform_labels(self, labels: Any, transformation: Any = None, training: bool = True) -> Any:
        """The labels of the images: as they are."""
        return labels

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any = None, training: bool = True) -> Any:
        """Images of classes, changed as the images are."""
        return self.transform_images(segmentation_masks, transformation, training)


class Resizing(ImageLayer, order=("height", "width", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode", "fill_value", "antialias")):
    """Images in another size: input `(batch, height, width, channels)`, or one image without the batch.

    Integers stay integers, rounded. With a dict, segmentation masks take the nearest pixel.

    Args:
        height: The new height.
        width: The new width.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: Whether to resize only the largest part in the middle that has the new proportions.
        pad_to_aspect_ratio: Whether to pad the images evenly, first, to the new proportions.
        fill_mode: What to pad with; only "constant".
        fill_value: The constant.
        antialias: Whether every pixel counts where the image gets smaller.
        data_format: "channels_last" or "channels_first".

    Raises:
        ArgumentError: An option is unknown, or both cropping and padding are asked for.
        ShapeError: The input has not 3 or 4 axes.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Resizing(32, 24).compute_output_shape((None, 100, 80, 3))
    (None, 32, 24, 3)
    """

    height: Size
    width: Size
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] = "bilinear"
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    fill_mode: Literal["constant"] = "constant"
    fill_value: float = 0.0
    antialias: bool = False

    def setup(self) -> None:
        super().setup()
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError("Resizing: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be on.", where=self.name)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        return self._resized(images, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any = None, training: bool = True) -> Any:
        return self._resized(segmentation_masks, "nearest")

    def _resized(self, images: Any, interpolation: str) -> Any:
        ratio = {"crop_to_aspect_ratio": self.crop_to_aspect_ratio, "pad_to_aspect_ratio": self.pad_to_aspect_ratio}
        filling = {"fill_mode": self.fill_mode, "fill_value": self.fill_value}
        return ops.image.resize(images, (self.height, self.width), interpolation, self.antialias, **ratio, **filling, data_format=self.data_format)


class CenterCrop(ImageLayer, order=("height", "width")):
    """The middle of images: input `(batch, height, width, channels)`, or one image without the batch.

    Images that are too small are enlarged, and the middle of the new proportions is taken. The output has the layer's compute dtype.

    Args:
        height: The height of the output.
        width: The width of the output.
        data_format: "channels_last" or "channels_first".

    Example:

    >>> import keraunos as keras
    >>> keras.layers.CenterCrop(4, 6).compute_output_shape((None, 8, 8, 3))
    (None, 4, 6, 3)
    """

    height: Size
    width: Size

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        images, wanted = ops.cast(images, self.compute_dtype), (self.height, self.width)
        have = ops.shape(images)[-3:-1] if self.data_format == "channels_last" else ops.shape(images)[-2:]
        if any(is_known(n) and n < least for n, least in zip(have, wanted, strict=False)):
            return ops.image.resize(images, wanted, crop_to_aspect_ratio=True, data_format=self.data_format)
        top, left = ((n - size) // 2 for n, size in zip(have, wanted, strict=True))
        return ops.image.crop_images(images, top, left, target_height=self.height, target_width=self.width, data_format=self.data_format)


class Rescaling(Layer):
    """`inputs * scale + offset`, such as images from 0–255 to 0–1.

    Args:
        scale: The factor, or one for each channel; with `image_data_format()` "channels_first" the channels are the first axis of an image.
        offset: What is added, in the same form.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Rescaling(1 / 4)([[2.0, 4.0]])).tolist()
    [[0.5, 1.0]]
    """

    supports_masking = True
    scale: Any
    offset: Any = 0.0

    def call(self, inputs: Any) -> Any:
        x = ops.multiply(ops.cast(inputs, self.compute_dtype), self._placed(self.scale, len(inputs.shape)))
        if isinstance(self.offset, (int, float)) and self.offset == 0:
            return x
        return ops.add(x, self._placed(self.offset, len(inputs.shape)))

    def _placed(self, value: Any, rank: int) -> Any:
        """A number, or numbers for the channels where they are in inputs of `rank` axes."""
        if isinstance(value, (int, float)):
            return value
        value = ops.cast(ops.convert_to_tensor(value), self.compute_dtype)
        if image_data_format() == "channels_first" and len(value.shape) == 1 and rank >= 3:
            return ops.reshape(value, (-1, *(1,) * max(2, rank - 2)))
        return value
