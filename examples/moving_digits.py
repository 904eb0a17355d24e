"""Films of moving digits, by convolutions and a recurrent network

Two questions about a film of six noisy pictures: which digit is it, and which way does it move? The same small convolutional network looks at
each picture (`TimeDistributed`), and a GRU at what it found, from the first to the last. No picture by itself shows a direction, so a
network that sees only one of them must guess it; and where each picture is noisy, many together tell the digit better than one.

The digits of the test are of images that no film of the training shows. The picture shows four films of the test and the answers.

Promises: digit_accuracy ≥ 0.6, direction_accuracy ≥ 0.9, one_picture_digit_accuracy ≤ 0.58, one_picture_direction_accuracy ≤ 0.35
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
generator = np.random.default_rng(run.seed)
FRAMES, SIZE = 6, 16
DIRECTIONS = {"→": (0, 1), "←": (0, -1), "↓": (1, 0), "↑": (-1, 0)}

# %% [markdown]
# ## The films
# A digit of 8 × 8 pixels begins somewhere in 16 × 16, moves by a pixel or stays at each step, and comes in again on the other side. Every
# picture has its own noise.

# %%


def films(images, labels, count):
    """`count` films, their digits and directions."""
    chosen, way = generator.integers(len(images), size=count), generator.integers(4, size=count)
    steps = np.array(list(DIRECTIONS.values()))[way]
    moved = np.cumsum(generator.random((count, FRAMES)) < 0.8, axis=1)
    canvas = np.zeros((count, SIZE, SIZE), "float32")
    canvas[:, :8, :8] = images[chosen] / 16
    start = generator.integers(SIZE, size=(count, 2))
    rows, columns = ((np.arange(SIZE) - start[:, None, [a]] - moved[:, :, None] * steps[:, None, [a]]) % SIZE for a in (0, 1))
    film = canvas[np.arange(count)[:, None, None, None], rows[:, :, :, None], columns[:, :, None, :]]
    return film[..., None] + generator.normal(0, 0.12, (count, FRAMES, SIZE, SIZE, 1)).astype("float32"), {"digit": labels[chosen], "direction": way}


train, test = digits.load_data()
x_train, y_train = films(*train, run.pick(6000, quick=128))
x_test, y_test = films(*test, run.pick(1000, quick=64))

# %% [markdown]
# ## The networks
# One for films of any length: that with a single picture is made in the same way.

# %%


def network(frames):
    film = keras.Input((frames, SIZE, SIZE, 1))
    eye = keras.Sequential(
        [
            layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
            layers.GroupNormalization(4),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.GroupNormalization(4),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
        ]
    )
    x = layers.TimeDistributed(eye)(film)
    x = layers.Dropout(0.2)(layers.GRU(64)(x))
    model = keras.Model(film, {"digit": layers.Dense(10, "softmax", name="digit")(x), "direction": layers.Dense(4, "softmax", name="direction")(x)})
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics={"digit": "accuracy", "direction": "accuracy"})
    return model


reached = {}
for name, frames in (("one_picture_", 1), ("", FRAMES)):
    model = network(frames)
    model.fit(x_train[:, -frames:], y_train, batch_size=64, epochs=run.pick(10, quick=1), verbose=0)
    found = model.predict(x_test[:, -frames:], verbose=0)
    for question, answer in y_test.items():
        reached[f"{name}{question}_accuracy"] = np.mean(found[question].argmax(-1) == answer)
    print(f"{frames} pictures: " + ", ".join(f"{question} {reached[f'{name}{question}_accuracy']:.1%}" for question in y_test))

# %% [markdown]
# ## Four films

# %%
figure, axes = plt.subplots(4, FRAMES, figsize=(6, 4))
for number, row in enumerate(axes):
    for axis, picture in zip(row, x_test[number], strict=True):
        axis.imshow(picture[..., 0], cmap="gray_r", vmin=-0.5, vmax=1.2)
        axis.set(xticks=[], yticks=[])
    digit, way = found["digit"][number].argmax(), list(DIRECTIONS)[found["direction"][number].argmax()]
    right = digit == y_test["digit"][number] and way == list(DIRECTIONS)[y_test["direction"][number]]
    row[-1].annotate(f"{digit} {way}", (1.15, 0.5), xycoords="axes fraction", va="center", fontsize=14, color="black" if right else "C3")
run.end(figure, **reached)
