"""Small made data sets, to see what a network does: points in the plane, waves, films and pairs of digits, messages. The same seed gives the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keraunos.core.errors import ArgumentError

__all__ = ["circles", "clusters", "gauss", "moons", "moving", "pairs", "plane", "spam", "spiral", "waves", "xor"]

DIRECTIONS = ("right", "left", "down", "up")  # of `moving`
WAVES = ("sine", "square", "sawtooth")  # of `waves`
_STEPS = ((0, 1), (0, -1), (1, 0), (-1, 0))  # rows and columns, by direction

_HAM = """are you free {when}, {friend}? | {friend}, call me {when} | did you win {prize}, {friend}? | the meeting is {when}, can you reply to {friend}?
i will be late {when}, sorry {friend} | thanks for {prize}, see you {when} | {friend} has your number, call {when} | can you pick up {prize} {when}?
happy birthday {friend}! dinner {when}? | my number is {number}, {friend}"""
_SPAM = """you have won {prize}! call {number} now | free {prize}, reply {when} | urgent: your number won {prize} | claim {prize} {when}, call {number}
win {prize}! text {number} {when} | last call: {prize} is free {when} | you are a winner, claim {prize} | reply to {number} and win {prize}"""
_WORDS = {
    "when": "now|today|tonight|tomorrow|on sunday|after work|this week".split("|"),
    "friend": "sam|kate|dad|alex|priya|tom|chen|maria".split("|"),
    "prize": "a phone|a holiday|the tickets|a camera|the voucher|a watch|a cake".split("|"),
    "number": "87121|80488|62468|90617|87123".split("|"),
}


def drawn(samples: int, noise: float, test: float, seed: int) -> tuple[Any, int]:
    """A generator, and how many of the samples are for the test."""
    from keraunos.random import host

    for name, value, fine, expected in (
        ("samples", samples, isinstance(samples, int) and not isinstance(samples, bool) and samples >= 2, "an integer of at least 2"),
        ("noise", noise, isinstance(noise, (int, float)) and 0 <= noise < float("inf"), "a number of at least 0"),
        ("test", test, isinstance(test, (int, float)) and 0 < test < 1, "a share between 0 and 1, such as 0.3"),
        ("seed", seed, isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0, "an integer of at least 0"),
    ):
        if not fine:
            raise ArgumentError(f"{name} cannot be {value!r}.", where=name, expected=expected, fix=f"pass {expected} as {name}", code="KR801")
    return host.generator(seed), held_out(samples, test)


def held_out(samples: int, test: float) -> int:
    """How many of the samples are held out: at least one, and not all.

    Example:

    >>> held_out(500, 0.3), held_out(2, 0.9)
    (150, 1)
    """
    return min(max(round(samples * test), 1), samples - 1)


def _points(make: Callable[[Any, Any], Any], classes: int, samples: int, noise: float, test: float, seed: int) -> Any:
    """Points of classes in equal shares, in a drawn order, the last of which are held out."""
    import numpy as np

    generator, held = drawn(samples, noise, test, seed)
    y = generator.permutation(np.arange(samples) % classes).astype("uint8")
    x = make(generator, y)
    x = (x + noise * generator.normal(size=x.shape)).astype("float32")
    return (x[:-held], y[:-held]), (x[-held:], y[-held:])


def spiral(samples: int = 500, noise: float = 0.1, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Two arms of a spiral, each a class: no line, and no circle, parts them.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of what is added to the coordinates.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` as float32, of which most lie between -3 and 3, and classes 0 and 1 as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = spiral(samples=500)
    >>> x_train.shape, y_train.shape, x_test.shape
    ((350, 2), (350,), (150, 2))
    """
    import numpy as np

    def arms(generator: Any, y: Any) -> Any:
        along = 0.1 + 0.9 * np.sqrt(generator.random(samples))  # by the root, the arms are as dense outside as inside
        angle = 2.5 * np.pi * along + np.pi * y
        return 3 * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)

    return _points(arms, 2, samples, noise, test, seed)


def moons(samples: int = 500, noise: float = 0.15, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Two half circles that reach into each other, each a class.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of what is added to the coordinates.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` as float32, and classes 0 and 1 as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = moons(samples=100)
    >>> x_train.shape, sorted(set(y_train.tolist()))
    ((70, 2), [0, 1])
    """
    import numpy as np

    def halves(generator: Any, y: Any) -> Any:
        angle = np.pi * (generator.random(samples) + y)
        return 1.5 * np.stack([np.cos(angle) + y - 0.5, np.sin(angle) + 0.5 * y - 0.25], axis=1)

    return _points(halves, 2, samples, noise, test, seed)


def circles(samples: int = 500, noise: float = 0.15, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """A disk and the ring around it, each a class.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of what is added to the coordinates.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` as float32, and classes, 0 inside and 1 outside, as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = circles(noise=0)
    >>> float((x_train[y_train == 0] ** 2).sum(axis=1).max()) < float((x_train[y_train == 1] ** 2).sum(axis=1).min())
    True
    """
    import numpy as np

    def rings(generator: Any, y: Any) -> Any:
        angle, radius = 2 * np.pi * generator.random(samples), generator.random(samples)
        radius = np.where(y == 0, 1.2 * np.sqrt(radius), 1.8 + 0.7 * radius)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)

    return _points(rings, 2, samples, noise, test, seed)


def xor(samples: int = 500, noise: float = 0.1, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Four squares, of which those across from each other are of one class: the smallest task that no single line solves.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of what is added to the coordinates.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` as float32, and classes, 1 where the coordinates have different signs, as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = xor(noise=0)
    >>> bool((y_train == (x_train[:, 0] * x_train[:, 1] < 0)).all())
    True
    """
    import numpy as np

    def squares(generator: Any, y: Any) -> Any:
        x = generator.uniform(0.2, 2, size=(samples, 2))
        first = generator.choice((-1, 1), size=samples)
        return x * np.stack([first, np.where(y == 1, -first, first)], axis=1)

    return _points(squares, 2, samples, noise, test, seed)


def gauss(samples: int = 500, noise: float = 0.7, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Two clouds of points, each a class: a line parts them as well as anything.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of the clouds, whose middles are 2.8 apart.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` as float32, and classes 0 and 1 as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = gauss(noise=0)
    >>> x_train[y_train == 1][0].tolist()
    [1.0, 1.0]
    """
    import numpy as np

    return _points(lambda generator, y: np.stack([2.0 * y - 1, 2.0 * y - 1], axis=1), 2, samples, noise, test, seed)


def plane(samples: int = 500, noise: float = 0.1, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """A number for each point of the plane: a slope with a hill and a hollow.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of what is added to the numbers.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: points `(n, 2)` and numbers `(n, 1)` as float32.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = plane(samples=100)
    >>> x_train.shape, y_train.shape
    ((70, 2), (70, 1))
    """
    import numpy as np

    generator, held = drawn(samples, noise, test, seed)
    x = generator.uniform(-2.5, 2.5, size=(samples, 2))
    hill, hollow = (np.exp(-np.square(x - middle).sum(axis=1)) for middle in ((1, 1), (-1, -0.5)))
    y = 0.2 * x.sum(axis=1) + hill - hollow + noise * generator.normal(size=samples)
    x, y = x.astype("float32"), y[:, None].astype("float32")
    return (x[:-held], y[:-held]), (x[-held:], y[-held:])


def clusters(samples: int = 500, noise: float = 0.25, test: float = 0.3, seed: int = 0) -> tuple[Any, Any]:
    """Points in four heaps, without labels: which heaps there are is to be found.

    Args:
        samples: The number of points, of both parts together.
        noise: The standard deviation of the heaps.
        test: The share of the points that is held out.
        seed: The seed of what is drawn.

    Returns:
        `(x_train, x_test)`: points `(n, 2)` as float32.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> x_train, x_test = clusters(samples=100, noise=0)
    >>> len(x_train), len(set(map(tuple, x_train.tolist())))
    (70, 4)
    """
    import numpy as np

    middles = np.array([(-1.6, 1.4), (1.5, 1.7), (-0.9, -1.6), (1.8, -0.9)])
    (x_train, _), (x_test, _) = _points(lambda generator, y: middles[y], len(middles), samples, noise, test, seed)
    return x_train, x_test


def waves(samples: int = 600, noise: float = 0.2, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Waves of three forms, `WAVES`: which is it, whatever its length and its beginning?

    Args:
        samples: The number of waves, of both parts together.
        noise: The standard deviation of what is added to the values, which lie between -1 and 1.
        test: The share of the waves that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: series `(n, 32, 1)` as float32, and forms 0 to 2 as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = waves(samples=100)
    >>> x_train.shape, sorted(set(y_train.tolist()))
    ((70, 32, 1), [0, 1, 2])
    """
    import numpy as np

    def forms(generator: Any, y: Any) -> Any:
        turns = generator.random((samples, 1)) + np.linspace(0, 1, 32) * generator.uniform(1.5, 3.5, size=(samples, 1))
        of_all = np.stack([np.sin(2 * np.pi * turns), np.sign(np.sin(2 * np.pi * turns)), 2 * (turns % 1) - 1])
        return of_all[y, np.arange(samples)][..., None]

    return _points(forms, len(WAVES), samples, noise, test, seed)


def moving(samples: int = 600, noise: float = 0.1, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Films of a handwritten digit that moves in one of four `DIRECTIONS`, and comes in again on the other side.

    No picture by itself shows the direction. The digits of the test are of images that no film of the training shows.

    Args:
        samples: The number of films, of both parts together.
        noise: The standard deviation of what is added to the pixels, which lie between 0 and 1.
        test: The share of the films that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: films `(n, 8, 8, 8, 1)` of eight pictures as float32, and directions 0 to 3 as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = moving(samples=20)
    >>> x_train.shape, y_train.shape
    ((14, 8, 8, 8, 1), (14,))
    """
    import numpy as np

    generator, held = drawn(samples, noise, test, seed)

    def films(images: Any, count: int) -> Any:
        y = generator.integers(len(DIRECTIONS), size=count)
        moved = np.arange(8) + generator.integers(8, size=(count, 1))
        rows, columns = ((np.arange(8) - moved[:, :, None] * np.array(_STEPS)[y, axis][:, None, None]) % 8 for axis in (0, 1))
        chosen = generator.integers(len(images), size=count)[:, None, None, None]
        x = images[chosen, rows[..., :, None], columns[..., None, :]] / 16
        x = x + noise * generator.normal(size=x.shape)
        return x[..., None].astype("float32"), y.astype("uint8")

    (images, _), (unseen, _) = _digits()
    return films(images, samples - held), films(unseen, held)


def pairs(samples: int = 2000, noise: float = 0.0, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Pairs of handwritten digits, half of them of the same digit: are they the same, and what is their sum?

    The digits of the test are of images that no pair of the training shows.

    Args:
        samples: The number of pairs, of both parts together.
        noise: The standard deviation of what is added to the pixels, which lie between 0 and 1.
        test: The share of the pairs that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: `{"left", "right"}`, images `(n, 8, 8, 1)` as float32, and `{"same", "sum"}`, 1 for the same and
        0 for different ones as uint8, and the sum `(n, 1)` as float32.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = pairs(samples=100)
    >>> x_train["left"].shape, y_train["same"].shape, y_train["sum"].shape
    ((70, 8, 8, 1), (70,), (70, 1))
    """
    import numpy as np

    generator, held = drawn(samples, noise, test, seed)

    def of(images: Any, labels: Any, count: int) -> Any:
        left, same = generator.integers(len(images), size=count), generator.permutation(np.arange(count) % 2).astype("uint8")
        digit = labels[left].astype(int)
        other = np.where(same == 1, digit, (digit + generator.integers(1, 10, size=count)) % 10)
        by_digit = [np.flatnonzero(labels == number) for number in range(10)]
        right = np.array([by_digit[number][int(share * len(by_digit[number]))] for number, share in zip(other, generator.random(count), strict=True)])
        x = {name: images[rows][..., None] / 16 for name, rows in (("left", left), ("right", right))}
        x = {name: (value + noise * generator.normal(size=value.shape)).astype("float32") for name, value in x.items()}
        return x, {"same": same, "sum": (digit + other)[:, None].astype("float32")}

    (images, labels), (unseen, others) = _digits()
    return of(images, labels, samples - held), of(unseen, others, held)


def spam(samples: int = 1000, noise: float = 0.05, test: float = 0.3, seed: int = 0) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Short messages, spam or not: both use the same words, the phrases tell them apart.

    Args:
        samples: The number of messages, of both parts together.
        noise: The share of letters that are lost.
        test: The share of the messages that is held out.
        seed: The seed of what is drawn.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: arrays of strings, and 1 for spam, 0 for none, as uint8.

    Raises:
        ArgumentError: An argument has a value that cannot be used.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = spam(noise=0)
    >>> print(x_train[0], y_train[0])
    claim the voucher tonight, call 87121 1
    """
    import numpy as np

    generator, held = drawn(samples, noise, test, seed)
    phrases = [[line.strip() for line in text.replace("\n", "|").split("|")] for text in (_HAM, _SPAM)]

    def message(label: int) -> str:
        text = str(generator.choice(phrases[label])).format(**{name: generator.choice(words) for name, words in _WORDS.items()})
        if generator.random() < 0.3:  # spam likes to begin or end as a friend would
            text += ". " + str(generator.choice(phrases[0])).format(**{name: generator.choice(words) for name, words in _WORDS.items()})
        return "".join(letter for letter, share in zip(text, generator.random(len(text)), strict=True) if letter == " " or share >= noise)

    y = generator.permutation(np.arange(samples) % 2).astype("uint8")
    x = np.array([message(int(label)) for label in y])
    return (x[:-held], y[:-held]), (x[-held:], y[-held:])


def _digits() -> Any:
    from keraunos.datasets import digits

    return digits.load_data()
