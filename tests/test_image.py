"""Ops on images against the installed Keras, and what they refuse."""

from __future__ import annotations

import functools
import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
peer = pytest.importorskip("keras", minversion="3.15")
jax = pytest.importorskip("jax")

import keraunos  # noqa: E402
from keraunos import ops  # noqa: E402
from keraunos.core.errors import ArgumentError, DTypeError, ShapeError  # noqa: E402
from keraunos.core.spec import Spec  # noqa: E402
from tests.conftest import BACKENDS  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),  # in Keras
    pytest.mark.xdist_group("images"),  # what Keras gives is computed once
]

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.uniform(size=(2, 5, 6, 3)).astype("float32")
BYTES = (IMAGES * 255).astype("uint8")
FIRST = {"data_format": "channels_first"}
MOVES = np.array([[1.2, 0.1, -1.3, 0.2, 0.8, 0.5, 0, 0], [1, 0.5, 1.2, -0.3, 1, -2, 0, 0]], "float32")
START = np.array([[[0, 0], [5, 0], [0, 4], [5, 4]]] * 2, "float32")
END = START + RANDOM.uniform(-1, 1, START.shape).astype("float32")
PLACES = RANDOM.uniform(-6, 11, (3, 40)).astype("float32")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")

# Keras's Gaussian blur is what it is documented to be for channels first and squares only.
CALLS = [
    *[("resize", (x, size, method, antialias)) for x in (IMAGES, BYTES) for size in ((7, 4), (3, 8)) for method, antialias in (
        ("nearest", False), ("bilinear", False), ("bilinear", True), ("bicubic", False), ("bicubic", True), ("lanczos3", True), ("lanczos5", False))],
    *[("resize", (IMAGES[0], size), {option: True}) for size in ((4, 2), (2, 7), (9, 9)) for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio")],
    ("resize", (BYTES, (2, 7), "nearest"), {"pad_to_aspect_ratio": True, "fill_value": 3.5}),
    ("resize", (IMAGES[..., 0] > 0.7, (3, 4)), FIRST),
    *[("map_coordinates", (x, PLACES, order, mode, 1)) for x in (IMAGES[0], BYTES[0]) for order in (0, 1) for mode in MODES],
    ("map_coordinates", (BYTES[0, ..., 0], np.array([[0.25, 0.75], [0.25, 0.75]], "float32"), 1)),
    *[("affine_transform", (IMAGES, MOVES, method, mode, 0.3)) for method in ("nearest", "bilinear") for mode in MODES],
    ("affine_transform", (BYTES[1].swapaxes(0, 2), MOVES[1]), FIRST),
    *[("perspective_transform", (x, START, END, method, 3)) for x in (IMAGES, BYTES) for method in ("nearest", "bilinear")],
    *[("scale_and_translate", (x, (2, 6, 3, 3), [1.4, 0.55], [-0.6, 0.7], (1, 2), method, antialias)) for x in (IMAGES, BYTES) for method, antialias in (
        ("linear", True), ("trilinear", False), ("cubic", True), ("lanczos3", True), ("lanczos5", False))],
    ("rgb_to_grayscale", (IMAGES,)), ("rgb_to_grayscale", (BYTES,)), ("rgb_to_hsv", (IMAGES * 3 - 1,)), ("hsv_to_rgb", (IMAGES * 3 - 1,)),
    ("gaussian_blur", (IMAGES.transpose(0, 3, 1, 2), (5, 5), (0.8, 0.8)), FIRST),
    ("sobel_edges", (IMAGES,)), ("ssim", (IMAGES, IMAGES**2, 1.5, 3)), ("ssim", (IMAGES[0], IMAGES[1], 1.0, 5, 0.8, 0.1, 0.2)),
    *[("extract_patches", (IMAGES, *options)) for options in ((2,), ((2, 3), (1, 2), 1, "same"), (2, 1, 2), (2, None, 2, "same"))],
    ("extract_patches_3d", (RANDOM.uniform(size=(1, 2, 3, 4, 5)).astype("float32"), (2, 1, 3), 1, 1, "same"), FIRST),
    ("crop_images", (IMAGES, 1), {"target_height": 3, "right_cropping": 1, "target_width": 2}), ("pad_images", (BYTES, 1, 0, 2), {"target_width": 9}),
]  # fmt: skip


@functools.cache
def of_keras(number):
    """What Keras gives for a call, as one program of its images: by itself, JAX compiles each step."""
    name, (images, *args), *kwargs = CALLS[number]
    wanted = jax.jit(lambda images: getattr(peer.ops.image, name)(images, *args, **dict(*kwargs)))(images)
    return peer.backend.standardize_dtype(wanted.dtype), peer.ops.convert_to_numpy(wanted)


@pytest.mark.parametrize(
    "number",
    range(len(CALLS)),
    ids=[f"{call[0]}-{'-'.join(str(a) for a in call[1][1:] if isinstance(a, (str, int, tuple)))}" for call in CALLS],
)
@pytest.mark.parametrize("backend", [name for name in ("numpy", "torch") if name in BACKENDS], indirect=True)  # the others are compared with these by the table
def test_as_keras(number, backend):
    name, args, *kwargs = CALLS[number]
    got, (dtype, wanted) = getattr(ops.image, name)(*args, **dict(*kwargs)), of_keras(number)
    assert ops.dtype(got) == dtype
    got = ops.convert_to_numpy(got)
    halves = got.dtype == np.uint8 and name not in ("rgb_to_grayscale", "extract_patches", "crop_images", "pad_images")
    # Which way a half is rounded may depend on the last bit before it.
    np.testing.assert_allclose(got.astype("float64"), wanted.astype("float64"), 1e-4, 1 if halves else 5e-5)
    assert not halves or np.mean(got != wanted) < 0.1


def test_elastic_noise_is_as_strong_as_keras_and_the_same_for_one_seed(backend):
    ramp = np.broadcast_to(np.arange(64, dtype="float32")[:, None], (8, 64, 64, 1))
    options = {"alpha": 3.0, "sigma": 2.0, "fill_mode": "nearest"}
    moved = [ops.convert_to_numpy(ops.image.elastic_transform(ramp, seed=seed, **options)) - ramp for seed in (1, 1, 2)]
    np.testing.assert_array_equal(moved[0], moved[1])
    assert abs(moved[0] - moved[2]).max() > 0.5
    inner = moved[0][:, 16:-16, 16:-16]
    assert 0.75 < inner.std() / (3 * 0.2821) < 1.25  # of noise of deviation sigma, smoothed by a Gaussian in the plane
    assert abs(moved[0][0] - moved[0][1]).max() > 0.5


REFUSED = [
    ("resize", (IMAGES, (3, 3), "area"), ArgumentError),
    ("resize", (IMAGES, 3), ArgumentError),
    ("resize", (IMAGES, (0, 3)), ArgumentError),
    ("resize", (IMAGES[0, 0], (3, 3)), ShapeError),
    ("resize", (IMAGES, (3, 3), "bilinear", False, True, True), ArgumentError),
    ("resize", (BYTES, (9, 3), "bilinear", False, False, True, "constant", 300), ArgumentError),
    ("map_coordinates", (IMAGES, PLACES, 1), ShapeError),
    ("map_coordinates", (IMAGES[0], PLACES, 3), ArgumentError),
    ("map_coordinates", (IMAGES[0], PLACES, 1, "edge"), ArgumentError),
    ("affine_transform", (IMAGES, MOVES[:, :6]), ShapeError),
    ("affine_transform", (IMAGES[0], MOVES), ShapeError),
    ("affine_transform", (IMAGES, MOVES, "bicubic"), ArgumentError),
    ("perspective_transform", (IMAGES, START, END[0]), ShapeError),
    ("scale_and_translate", (IMAGES, (3, 5, 6, 3), [1.0], [0.0], (1,), "linear"), ShapeError),
    ("rgb_to_hsv", (BYTES,), DTypeError),
    ("rgb_to_grayscale", (IMAGES[..., :2],), ShapeError),
    ("crop_images", (IMAGES, 1), ArgumentError),
    ("crop_images", (IMAGES, "1", 0, 0, 0), ArgumentError),
    ("pad_images", (IMAGES, 1.5, 0, 0, 0), ArgumentError),
    ("gaussian_blur", (IMAGES, 3, 0.5), ShapeError),
    ("scale_and_translate", (IMAGES, IMAGES.shape, 1.0, 0.0, (1, 2), "linear"), ShapeError),
    ("scale_and_translate", (IMAGES, IMAGES.shape, [1.0, 1.0], [0.0, 0.0], (1, 1), "linear"), ShapeError),
    ("crop_images", (IMAGES, 1, 0, 7, 0), ArgumentError),
    ("pad_images", (IMAGES, 1, 0, None, 0, 2), ArgumentError),
    ("extract_patches", (IMAGES, (2, 2, 2, 2)), ArgumentError),
    ("extract_patches", (IMAGES, 9), ShapeError),
    ("ssim", (IMAGES, IMAGES), ShapeError),
    ("ssim", (IMAGES, IMAGES[:1], 1.0, 3), ShapeError),
]


@pytest.mark.parametrize(("name", "args", "error"), REFUSED)
def test_refused(name, args, error, backend):
    with pytest.raises(error, match=f"ops.{name}|fill_value"):
        getattr(ops.image, name)(*args)


def test_sizes_that_are_not_known():
    image = Spec((None, None, None, 3))
    for name, args in (("affine_transform", (Spec((None, 8)),)), ("rgb_to_hsv", ()), ("gaussian_blur", ()), ("crop_images", (1, 1, 1, 1))):
        assert getattr(ops.image, name)(image, *args).shape == (None, None, None, 3)
    assert ops.image.resize(Spec((None, 4, 4, None)), (2, 3)).shape == (None, 2, 3, None)
    assert ops.image.resize(image, (2, 3), crop_to_aspect_ratio=True).shape == (None, 2, 3, 3)
    assert ops.image.crop_images(image, 1, 1, target_height=4, target_width=5).shape == (None, 4, 5, 3)
    assert ops.image.pad_images(image, bottom_padding=0, right_padding=0, target_height=9, target_width=9).shape == (None, 9, 9, 3)
    assert ops.image.elastic_transform(image).shape == (None, None, None, 3)


def test_a_model_of_images_of_any_size(backend):
    images = keraunos.Input((None, None, 3))
    model = keraunos.Model(images, ops.mean(ops.image.resize(images, (4, 4)), (1, 2, 3)))
    for size in ((6, 8), (3, 5)):
        np.testing.assert_allclose(model.predict(np.ones((2, *size, 3), "float32"), verbose=0), [1, 1], 1e-5)
