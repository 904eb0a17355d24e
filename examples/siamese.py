"""Are these two the same? A Siamese network

Two pictures go through **one** tower: the same layers, and so the same weights. What is learned is a distance between pictures. The contrastive
loss of [Hadsell, Chopra and LeCun (2006)](https://doi.org/10.1109/CVPR.2006.100) pulls pairs of one class together and pushes others
apart, up to a margin. Such a network can be asked about classes that it never met, which
[Koch, Zemel and Salakhutdinov (2015)](https://www.cs.cmu.edu/~rsalakhu/papers/oneshot1.pdf) did with the characters of fifty alphabets.

The characters here are made: each is a set of curves, written eight times with an unsteady hand. The network learns from 1,000 characters
and is then asked about 200 others: are these two the same? The threshold on the distance is chosen on characters that it knows. The baseline is the distance
of the pixels, with a threshold chosen likewise.

The picture shows pairs of unknown characters, and how far such pairs lie apart by pixels and by the network.

Promises: accuracy ≥ 0.8, better_than_pixels_by ≥ 0.12
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## Characters
# A curve is a quadratic Bézier curve of three points. A hand moves the points a little; it turns, stretches and shifts the whole.

# %%
SIZE, HANDS = 16, 8


def characters(count, wobble=0.1):
    """Images `(count, HANDS, SIZE, SIZE)` of made characters, each written by several hands."""
    points = np.repeat(rng.uniform(-1, 1, (count, 1, 3, 3, 2)), HANDS, axis=1)  # of three curves of three points
    points = points + rng.normal(scale=wobble, size=points.shape)
    turn = rng.normal(scale=0.12, size=(count, HANDS))
    stretch = rng.uniform(0.85, 1.15, (count, HANDS, 2, 1))
    matrix = stretch * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 3, 0, 1)
    t = np.linspace(0, 1, 12)
    basis = np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2])
    dots = np.einsum("chij,chspj,pt->chsti", matrix, points, basis)
    dots = (dots + 1.4) / 2.8 * (SIZE - 1) + rng.normal(size=(count, HANDS, 1, 1, 2))
    row, column = (np.exp(-((dots[..., i, None] - np.arange(SIZE)) ** 2) / 0.6) for i in (1, 0))
    return (row[..., :, None] * column[..., None, :]).max((2, 3)).astype("float32")


def pairs(images, count):
    """Pairs by turns of one character and of two: `({"first": …, "second": …}, same)`."""
    character, hand = rng.integers(len(images), size=count), rng.integers(HANDS, size=count)
    same = np.arange(count) % 2 == 0
    other = np.where(same, character, (character + rng.integers(1, len(images), size=count)) % len(images))
    return {"first": images[character, hand], "second": images[other, (hand + rng.integers(1, HANDS, size=count)) % HANDS]}, same.astype("float32")


known, unknown = characters(run.pick(1000, quick=100)), characters(run.pick(200, quick=40))

# %% [markdown]
# ## One tower, called twice
# A model that is called again shares its weights. The output is the distance of the two.

# %%
tower = keras.Sequential(
    [
        keras.Input((SIZE, SIZE)),
        layers.Reshape((SIZE, SIZE, 1)),
        layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(32),
    ],
    name="tower",
)
first, second = keras.Input((SIZE, SIZE), name="first"), keras.Input((SIZE, SIZE), name="second")
difference = layers.Subtract()([tower(first), tower(second)])
distance = ops.sqrt(ops.sum(difference**2, axis=-1) + 1e-9)
model = keras.Model({"first": first, "second": second}, distance)


def contrastive(same, distance, margin=1.0):
    """Far pairs of one class cost, and near pairs of two."""
    return same * distance**2 + (1 - same) * ops.maximum(margin - distance, 0.0) ** 2


x, same = pairs(known, run.pick(20000, quick=256))
model.compile(keras.optimizers.Adam(2e-3), loss=contrastive)
model.fit(x, same, batch_size=128, epochs=run.pick(6, quick=1), verbose=2)

# %% [markdown]
# ## Characters that were never seen

# %%
known_pairs, known_same = pairs(known, 2000)
x, same = pairs(unknown, 2000)


def of_pixels(x):
    """The distance of two images as they are."""
    return np.sqrt(((x["first"] - x["second"]) ** 2).sum((1, 2)))


def of_network(x):
    """The distance that was learned."""
    return model.predict(x, verbose=0)


def verify(distance):
    """The accuracy on unknown characters by the threshold that is best on known ones; and that threshold."""
    distances = distance(known_pairs)
    threshold = max(np.quantile(distances, np.linspace(0, 1, 201)), key=lambda limit: ((distances < limit) == known_same).mean())
    return ((distance(x) < threshold) == same).mean(), threshold


(pixels, pixel_threshold), (accuracy, threshold) = verify(of_pixels), verify(of_network)
print(f"same or not, of characters never seen: {accuracy:.3f} right; by pixels {pixels:.3f}")

figure = plt.figure(figsize=(7.5, 3))
left, right = figure.subfigures(1, 2, width_ratios=(2, 5))
for row, axes in enumerate(left.subplots(4, 2, gridspec_kw={"wspace": 0.1, "hspace": 0.1})):
    for axis, name in zip(axes, ("first", "second"), strict=True):
        axis.imshow(x[name][row], cmap="gray_r")
        axis.set(xticks=[], yticks=[])
    axes[0].set_ylabel("same" if same[row] else "two", fontsize=8)
for axis, title, distance, right_share, limit in zip(
    right.subplots(1, 2), ("pixels", "network"), (of_pixels, of_network), (pixels, accuracy), (pixel_threshold, threshold), strict=True
):
    values = distance(x)
    for value, label in ((1, "the same"), (0, "two")):
        axis.hist(values[same == value], bins=np.linspace(0, values.max(), 40), alpha=0.6, label=label)
    axis.axvline(limit, color="black", linewidth=1, linestyle="--", label="threshold")
    axis.set(title=f"{title}: {right_share:.1%} right", xlabel="distance", yticks=[])
    axis.legend(fontsize=7)
run.end(figure, accuracy=accuracy, better_than_pixels_by=accuracy - pixels)
