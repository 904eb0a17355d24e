"""A class for every pixel: segmentation by a U-Net

To tell a disc from a square, a network has to look at the whole of it; to say where it ends, at single pixels. The U-Net does both: on the way
down the image becomes small and the patterns large, on the way up it is enlarged again, and each level is given what the same level
on the way down had seen ([Ronneberger, Fischer and Brox, 2015](https://arxiv.org/abs/1505.04597)).

The images are made: discs, squares and triangles of any brightness, partly hidden, under noise. The measure is the intersection over
union: of the pixels that are of a class or taken for it, the share that is both. Beside the U-Net stands a network of three
convolutions at full size: it sees 7 × 7 pixels, and knows edges and corners, but no shapes.

The picture shows test images, the true classes, and what both networks say.

Promises: mean_iou ≥ 0.85, gain ≥ 0.2
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
SIZE, NAMES = 32, ("background", "disc", "square", "triangle")

# %% [markdown]
# ## The data


# %%
def make(count, rng):
    """Images with up to four shapes, and the class of each pixel."""
    y, x = np.mgrid[:SIZE, :SIZE].astype("float32")
    images, classes = rng.uniform(0, 0.3, (count, 1, 1)) + np.zeros((count, SIZE, SIZE)), np.zeros((count, SIZE, SIZE), "uint8")
    for image, truth in zip(images, classes, strict=True):
        for _ in range(rng.integers(1, 5)):
            (down, right), radius, kind = rng.uniform(4, SIZE - 4, 2), rng.uniform(4, 8), rng.integers(1, 4)
            dy, dx = y - down, x - right
            inside = (
                dx**2 + dy**2 < radius**2,
                np.maximum(abs(dx), abs(dy)) < 0.85 * radius,
                (dy < 0.7 * radius) & (abs(dx) < 0.6 * (dy + radius)),
            )[kind - 1]
            image[inside], truth[inside] = rng.uniform(0.45, 1), kind
    return (images + 0.1 * rng.normal(size=images.shape))[..., None].astype("float32"), classes


rng = np.random.default_rng(run.seed)
(x_train, y_train), (x_test, y_test) = make(run.pick(800, quick=40), rng), make(run.pick(200, quick=16), rng)

# %% [markdown]
# ## The networks


# %%
def block(x, filters):
    """Two convolutions, normalized."""
    for _ in range(2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def unet(filters=(12, 24)):
    inputs = x = keras.Input((SIZE, SIZE, 1))
    seen = []
    for count in filters:
        x = block(x, count)
        seen.append(x)
        x = layers.MaxPooling2D()(x)
    x = block(x, 2 * filters[-1])
    for count in reversed(filters):
        x = layers.Concatenate()([layers.UpSampling2D()(x), seen.pop()])
        x = block(x, count)
    return keras.Model(inputs, layers.Conv2D(len(NAMES), 1, activation="softmax")(x), name="unet")


def plain():
    convolutions = [layers.Conv2D(24, 3, padding="same", activation="relu") for _ in range(3)]
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), *convolutions, layers.Conv2D(len(NAMES), 1, activation="softmax")], name="plain")


# %% [markdown]
# ## Training, and the measure
# `IoU` counts over all test images together.

# %%
epochs = run.pick(12, quick=1)
seen, scores = {}, {}
for model in (unet(), plain()):
    rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * (len(x_train) // 20))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=20, epochs=epochs, verbose=2 if model.name == "unet" else 0)
    seen[model.name] = model.predict(x_test, verbose=0).argmax(-1)
    scores[model.name] = []
    for number in range(len(NAMES)):
        measure = keras.metrics.IoU(num_classes=len(NAMES), target_class_ids=[number])
        measure.update_state(y_test, seen[model.name])
        scores[model.name].append(float(measure.result()))
    print(f"{model.name:6}", ", ".join(f"{name} {score:.3f}" for name, score in zip(NAMES, scores[model.name], strict=True)))
mean = {name: np.mean(values) for name, values in scores.items()}

# %%
figure, axes = plt.subplots(4, 8, figsize=(7.5, 4))
colours = plt.matplotlib.colors.ListedColormap(["#f2f2f2", "tab:blue", "tab:orange", "tab:green"])
rows = {"image": x_test[..., 0], "truth": y_test, f"U-Net\n{mean['unet']:.2f}": seen["unet"], f"plain\n{mean['plain']:.2f}": seen["plain"]}
for row, (name, images) in zip(axes, rows.items(), strict=True):
    row[0].set_ylabel(name, fontsize=9, rotation=0, ha="right", va="center")
    for axis, image in zip(row, images, strict=False):
        axis.imshow(image, **({"cmap": "gray"} if name == "image" else {"cmap": colours, "vmin": 0, "vmax": 3}))
        axis.set(xticks=[], yticks=[])
handles = [plt.matplotlib.patches.Patch(color=colours(i), label=name) for i, name in enumerate(NAMES)]
figure.legend(handles=handles, ncols=4, loc="lower center", fontsize=8, frameon=False)
run.end(figure, mean_iou=mean["unet"], gain=mean["unet"] - mean["plain"])
