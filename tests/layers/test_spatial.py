"""What layers over space, and those for images, do beyond the contract: mistakes, empty batches, integers, dicts of images."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import keraunos
from keraunos import layers, ops
from keraunos.core.errors import KeraunosError
from tests.layers.convolutional_rows import ROWS as CONVOLUTIONS
from tests.layers.images_rows import ROWS as IMAGES
from tests.layers.margins_rows import ROWS as MARGINS
from tests.layers.pooling_rows import ROWS as POOLING
from tests.layers.row import Row, flat

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

STEPS, IMAGE = np.ones((2, 9, 4), "float32"), np.ones((2, 7, 6, 3), "float32")


def twice(layer: Any, first: Any, second: Any) -> None:
    """A call that fits, then one that does not."""
    layer(first)
    layer(second)


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "rank of padding": (lambda: layers.ZeroPadding2D()(STEPS), r"4 axes \(batch, height, width, channels\)"),
    "rank of cropping": (lambda: twice(layers.Cropping2D(1), IMAGE, STEPS), "cannot take an input of 3 axes"),
    "rank of upsampling": (lambda: twice(layers.UpSampling2D(), IMAGE, STEPS), r"Input\(\(9, 4, 1\)\) and x\[..., None\]"),
    "rank of global pooling": (lambda: layers.GlobalMaxPooling2D()(STEPS), "cannot take an input of 3 axes"),
    "rank, channels first": (
        lambda: layers.Conv2D(2, 3, data_format="channels_first")(STEPS),
        r"(?s)\(batch, channels, height, width\).*Input\(\(1, 9, 4\)\) and x\[:, None\]",
    ),
    "rank of repeating": (lambda: layers.RepeatVector(2)(STEPS), r"2 axes \(batch, features\)"),
    "rank of permuting": (lambda: layers.Permute((2, 1))(IMAGE), "3 axes"),
    "axes of permuting": (lambda: layers.Permute(1), r"(?s)the axes in their new order.*such as \(2, 1\)"),
    "rank of an image": (lambda: layers.Resizing(3, 3)(np.ones((2, 3))), "The images have 2 axes"),
    "channels": (lambda: twice(layers.SeparableConv2D(2, 3), IMAGE, IMAGE[..., :2]), "The input has 2 channels; 'separable_conv2d.*' was built for 3"),
    "channels first": (lambda: twice(layers.DepthwiseConv2D(2, data_format="channels_first"), IMAGE, IMAGE[:, :5]), "has 5 channels; .* built for 7"),
    "channels not known": (lambda: layers.Conv1DTranspose(2, 3)(keraunos.Input((9, None))), "The number of channels must be known"),
    "groups": (lambda: layers.Conv2D(4, 3, groups=2)(IMAGE), "(?s)3 channels cannot be divided into 2 groups.*Fix: groups=1"),
    "large kernel": (lambda: layers.Conv2D(2, 9)(IMAGE), "(?s)kernel reaches over 9, the height of the inputs is only 7.*conv2d.*padding='same'"),
    "large dilated kernel": (lambda: layers.DepthwiseConv1D(3, dilation_rate=5)(keraunos.Input((9, 4))), "reaches over 11, the length .* only 9"),
    "large separable kernel": (lambda: layers.SeparableConv1D(2, 10)(STEPS), "reaches over 10"),
    "large pool": (lambda: layers.AveragePooling2D(7)(IMAGE), "The pool reaches over 7, the width of the inputs is only 6"),
    "strides of a transposed one": (lambda: layers.Conv2DTranspose(2, 3, strides=2, dilation_rate=2), "do not go together"),
    "output padding": (lambda: layers.Conv2DTranspose(2, 3, strides=(2, 1), output_padding=1), r"(?s)below strides.*\(1, 1\), strides=\(2, 1\)"),
    "negative output padding": (lambda: layers.Conv1DTranspose(2, 3, output_padding=-1), "an integer of at least 0"),
    "causal": (lambda: layers.SeparableConv1D(2, 3, padding="causal"), "padding cannot be 'causal'"),
    "multiplier": (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), "depth_multiplier must be a positive integer"),
    "cropping": (lambda: layers.Cropping2D((2, 3))(IMAGE), r"(?s)\(3, 3\) leaves nothing of a width of 6.*a width of at least 7"),
    "cropping of specs": (lambda: layers.Cropping1D(5)(keraunos.Input((9, 4))), "leaves nothing of a length of 9"),
    "margins": (lambda: layers.Cropping2D((1, 2, 3)), r"(?s)2 of them or of pairs.*Fix: cropping=\(\(1, 2\), \(1, 2\)\)"),
    "a margin": (lambda: layers.ZeroPadding1D(-1), "an integer of at least 0, or two: before and behind"),
    "a word": (lambda: layers.ZeroPadding2D("same"), "padding must be"),
    "interpolation": (lambda: layers.UpSampling2D(interpolation="bilinera"), "Did you mean 'bilinear'"),
    "factor": (lambda: layers.UpSampling3D(0), "size must be a positive integer"),
    "output size": (lambda: layers.AdaptiveMaxPooling2D((2, 3, 4)), "output_size needs 2 integers, got 3"),
    "height": (lambda: layers.Resizing(0, 3), "height must be a positive integer"),
    "fill mode": (lambda: layers.Resizing(3, 3, fill_mode="reflect"), "fill_mode cannot be 'reflect'"),
    "ratios": (lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "only one of"),
    "no images": (lambda: layers.CenterCrop(3, 3)({"labels": IMAGE}), "There are no images"),
    "boxes": (lambda: layers.Resizing(3, 3)({"images": IMAGE, "bounding_boxes": IMAGE}), "Bounding boxes are not supported"),
    "channels to rescale": (lambda: layers.Rescaling([1.0, 2.0])(IMAGE), r"\(2, 7, 6, 3\) and \(2,\) do not broadcast"),
    "target shape": (lambda: layers.Reshape((-1, -1)), "a tuple of sizes, of which one may be -1"),
    "no target shape": (lambda: layers.Reshape(6), "a tuple of sizes"),
    "other size": (lambda: layers.Reshape((5,))(IMAGE), r"\(7, 6, 3\) \(126 elements\) cannot take the shape \(5,\)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(backend: Any, name: str) -> None:
    make, message = MISTAKES[name]
    with pytest.raises(KeraunosError, match=message):
        make()


@pytest.mark.parametrize("row", [*CONVOLUTIONS, *POOLING, *MARGINS, *IMAGES], ids=repr)
def test_a_batch_of_nothing(backend: Any, row: Row) -> None:
    if row.masked:
        return
    layer = row.built()
    y = layer(row.arrays()[0][:0])
    assert tuple(y.shape) == (0, *layer.compute_output_shape(row.shapes[0])[1:])


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "float16", "float64"])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Resizing", {"height": 3, "width": 5}),
        ("CenterCrop", {"height": 3, "width": 5}),
        ("CenterCrop", {"height": 5, "width": 9}),
        ("Rescaling", {"scale": 0.5, "offset": 1}),
        ("ZeroPadding2D", {"padding": 1}),
        ("Cropping2D", {"cropping": 1}),
        ("UpSampling2D", {}),
    ],
)
def test_dtypes_of_images(backend: Any, name: str, arguments: dict[str, Any], dtype: str) -> None:
    """Of each dtype the layers make what Keras makes; a spec has the dtype of the values."""
    x = (np.random.default_rng(1).integers(0, 256, (1, 7, 6, 2)) % (2 if dtype == "bool" else 251)).astype(dtype)
    layer = getattr(layers, name)(**arguments)
    y, expected = flat(layer(x))[0], np.asarray(getattr(keras.layers, name)(**arguments)(x))
    assert y.dtype == expected.dtype
    off = 1 if name == "Resizing" and y.dtype.kind in "iu" else 1e-4  # of what lies halfway between two integers
    np.testing.assert_allclose(y.astype("float64"), expected.astype("float64"), rtol=1e-5, atol=off)
    assert layer(keraunos.Input((7, 6, 2), dtype=dtype)).dtype == str(y.dtype)


@pytest.mark.parametrize("name", ["Resizing", "CenterCrop"])
def test_dicts_of_images(backend: Any, name: str) -> None:
    """What goes with the images is changed with them; masks of classes are not mixed."""
    rng = np.random.default_rng(2)
    data = {
        "images": rng.normal(size=(2, 7, 6, 3)).astype("float32"),
        "segmentation_masks": rng.integers(0, 5, (2, 7, 6, 1)).astype("int32"),
        "labels": np.arange(2, dtype="int32"),
        "more": np.ones(3, "float32"),
    }
    found, expected = (getattr(module, name)(5, 4)(data) for module in (layers, keras.layers))
    assert list(found) == list(expected) == list(data)
    for key, value in found.items():
        np.testing.assert_allclose(flat(value)[0], np.asarray(expected[key]), rtol=1e-5, atol=1e-5)
        assert flat(value)[0].dtype == np.asarray(expected[key]).dtype


def test_one_image(backend: Any) -> None:
    for name in ("Resizing", "CenterCrop"):
        layer = getattr(layers, name)(4, 5)
        np.testing.assert_allclose(flat(layer(IMAGE[0]))[0], flat(layer(IMAGE))[0][0], rtol=1e-6)


def test_numbers_for_channels_that_are_first(backend: Any) -> None:
    keraunos.config.set_image_data_format("channels_first")
    try:
        y = flat(layers.Rescaling([1.0, 2.0, 3.0], offset=[0.0, 0.0, 1.0])(np.ones((2, 3, 4, 5), "float32")))[0]
    finally:
        keraunos.config.set_image_data_format("channels_last")
    assert y[0, :, 0, 0].tolist() == [1.0, 2.0, 4.0] and y.shape == (2, 3, 4, 5)


def test_images_of_sizes_known_in_the_run(backend: Any) -> None:
    """One model for images of several sizes."""
    inputs = keraunos.Input((None, None, 3))
    x = layers.UpSampling2D(interpolation="bilinear")(layers.ZeroPadding2D(1)(layers.Cropping2D(((1, 0), (0, 1)))(inputs)))
    x = layers.CenterCrop(6, 6)(layers.SeparableConv2D(2, 3)(layers.Conv2DTranspose(2, 2, strides=2)(x)))
    model = keraunos.Model(inputs, layers.AdaptiveAveragePooling2D(2)(layers.Resizing(7, 5)(x)))
    assert model.output_shape == (None, 2, 2, 2)
    for size in ((7, 6), (4, 9)):
        assert np.isfinite(model.predict(np.ones((3, *size, 3), "float32"), verbose=0)).all()


def test_convolutions_are_the_same_in_both_formats(backend: Any) -> None:
    """A layer of either format, with the same weights, on the same images."""
    for name in ("Conv2D", "Conv2DTranspose", "SeparableConv2D"):
        last, first = (getattr(layers, name)(4, 3, strides=2, padding="same", data_format=order) for order in ("channels_last", "channels_first"))
        x = np.random.default_rng(3).normal(size=(2, 7, 6, 3)).astype("float32")
        expected = flat(last(x))[0]
        first.build((None, 3, 7, 6))
        first.set_weights(last.get_weights())
        np.testing.assert_allclose(flat(ops.transpose(first(x.transpose(0, 3, 1, 2)), (0, 2, 3, 1)))[0], expected, rtol=1e-4, atol=1e-5)
