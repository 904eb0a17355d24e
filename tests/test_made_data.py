"""The made data sets: the same seed gives the same data, and each is what its page says."""

from __future__ import annotations

import inspect
import itertools

import numpy as np
import pytest

from keraunos.core.errors import ArgumentError
from keraunos.datasets import digits, made

NAMES = sorted(made.__all__)


def flat(value):
    """The arrays of nested tuples and dictionaries."""
    if isinstance(value, tuple):
        return [array for part in value for array in flat(part)]
    return [array for name in sorted(value) for array in flat(value[name])] if isinstance(value, dict) else [value]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(name):
    make = getattr(made, name)
    first, same, other = (flat(make(samples=40, seed=seed)) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_parts_have_the_sizes_that_were_asked_for(name):
    train, test = getattr(made, name)(samples=50, test=0.2)
    assert {len(array) for array in flat(train)} == {40}
    assert {len(array) for array in flat(test)} == {10}
    assert {array.dtype.kind for array in flat((train, test))} <= set("fuU")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "argument",
    [{"samples": 1}, {"samples": True}, {"samples": 2.5}, {"noise": -0.1}, {"noise": float("nan")}, {"test": 0}, {"test": 1.0}, {"seed": -1}, {"seed": 0.5}],
)
def test_what_cannot_be_used_is_refused_by_its_name(name, argument):
    with pytest.raises(ArgumentError, match=f"{next(iter(argument))} cannot be"):
        getattr(made, name)(**argument)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_in_the_same_order_everywhere(name):
    assert list(inspect.signature(getattr(made, name)).parameters) == ["samples", "noise", "test", "seed"]


@pytest.mark.parametrize("name", ["spiral", "moons", "circles", "xor", "gauss", "waves", "spam"])
def test_classes_have_equal_shares(name):
    (_, y), (_, y_test) = getattr(made, name)(samples=300)
    counts = np.bincount(np.concatenate([y, y_test]))
    assert counts.max() - counts.min() <= 1


def nearest(x, y, x_test):
    """The labels of the nearest samples."""
    distances = np.square(x[None] - x_test[:, None]).reshape(len(x_test), len(x), -1).sum(axis=-1)
    return y[distances.argmin(axis=1)]


@pytest.mark.parametrize(("name", "linear"), [("spiral", False), ("moons", True), ("circles", False), ("xor", False), ("gauss", True)])
def test_neighbours_are_of_one_class_and_a_line_parts_only_some(name, linear):
    (x, y), (x_test, y_test) = getattr(made, name)(samples=600)
    assert (nearest(x, y, x_test) == y_test).mean() > 0.93
    weights = np.linalg.lstsq(np.c_[x, np.ones(len(x))], 2.0 * y - 1, rcond=None)[0]
    right = ((np.c_[x_test, np.ones(len(x_test))] @ weights > 0) == y_test).mean()
    assert right > 0.8 if linear else right < 0.75


def test_the_plane_is_a_function_of_its_points():
    (x, y), (x_test, y_test) = made.plane(samples=1500, noise=0)
    assert np.abs(nearest(x, y, x_test) - y_test).mean() < 0.1 < np.abs(y_test - y.mean()).mean()


def test_films_move_the_way_that_is_said():
    (x, y), _ = made.moving(samples=80, noise=0)
    for film, way in zip(x[..., 0], y, strict=True):
        steps = made._STEPS[way]
        assert all(np.array_equal(np.roll(before, steps, axis=(0, 1)), after) for before, after in itertools.pairwise(film))


def test_pairs_are_what_is_said_of_them_and_the_test_shows_other_images():
    (x, y), (x_test, _) = made.pairs(samples=400)
    (images, labels), (unseen, _) = digits.load_data()
    of = {image.tobytes(): label for image, label in zip((images / 16).astype("float32"), labels, strict=True)}
    left, right = (np.array([of[picture[..., 0].tobytes()] for picture in x[name]]) for name in ("left", "right"))
    assert np.array_equal(left == right, y["same"] == 1)
    assert np.array_equal(left.astype(int) + right, y["sum"][:, 0])
    assert abs(y["same"].mean() - 0.5) < 0.01
    known = {image.tobytes() for image in (unseen / 16).astype("float32")}
    assert all(picture[..., 0].tobytes() in known for name in ("left", "right") for picture in x_test[name])


def test_messages_of_both_kinds_share_their_words():
    (x, y), _ = made.spam(samples=2000, noise=0)
    words = [set(" ".join(x[y == label]).split()) for label in (0, 1)]
    assert len(words[0] & words[1]) > len(words[1]) / 2


def test_letters_are_lost_as_often_as_is_said():
    whole, lossy = (sum(map(len, made.spam(samples=800, noise=noise)[0][0])) for noise in (0.0, 0.2))
    assert 0.8 < lossy / whole < 0.9  # spaces are kept
