"""What is where: detection of objects

An image may hold any number of objects, a network has a fixed number of outputs. So the image is divided into 12 × 12 cells, and each
cell says three things: of which class an object has its centre here, if any; where in the cell the centre is; how wide and high the
object is. That is one convolutional network with a single look, after YOLO ([Redmon et al., 2016](https://arxiv.org/abs/1506.02640))
and CenterNet ([Zhou, Wang and Krähenbühl, 2019](https://arxiv.org/abs/1904.07850)). Where two cells claim one object, the surer one
stands.

The measure is the mean average precision: a box counts as found if its class is right and its intersection over union with a true box is at
least a half; for each class, the precision is averaged over all levels of recall. All of it is computed below.

The picture shows test images with the boxes of which the network is sure by more than three tenths.

Promises: mean_average_precision ≥ 0.95
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
SIZE, CELLS, NAMES = 48, 12, ("disc", "square", "triangle")
STRIDE = SIZE // CELLS

# %% [markdown]
# ## The data
# Made images of one to four shapes, of any brightness, under noise. A box is its middle, width and height, in pixels.


# %%
def make(count, rng):
    """Images, and for each a list of `(class, x, y, width, height)`."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    images, objects = rng.uniform(0, 0.3, (count, 1, 1)) + np.zeros((count, SIZE, SIZE)), [[] for _ in range(count)]
    for image, found in zip(images, objects, strict=True):
        for _ in range(rng.integers(1, 5)):
            (dx, dy), (wide, high), kind = rng.uniform(8, SIZE - 8, 2), rng.uniform(5, 8, 2), rng.integers(3)
            if any(abs(dx - a) < wide + c / 2 and abs(dy - b) < high + d / 2 for _, a, b, c, d in found):
                continue  # no object hides another
            u, v = (x - dx) / wide, (y - dy) / high
            inside = (u**2 + v**2 < 1, np.maximum(abs(u), abs(v)) < 1, (abs(v) < 1) & (2 * abs(u) < v + 1))[kind]
            image[inside] = rng.uniform(0.45, 1)
            found.append((kind, dx, dy, 2 * wide, 2 * high))
    return (images + 0.1 * rng.normal(size=images.shape))[..., None].astype("float32"), objects


def encoded(objects):
    """What each cell is to say: one number for the class, 3 where there is none; where in the cell; the logarithms of the size in cells."""
    target = np.zeros((len(objects), CELLS, CELLS, 5), "float32")
    target[..., 0] = len(NAMES)
    for cells, found in zip(target, objects, strict=True):
        for kind, x, y, wide, high in found:
            column, row = int(x // STRIDE), int(y // STRIDE)
            cells[row, column] = kind, x / STRIDE - column, y / STRIDE - row, np.log(wide / STRIDE), np.log(high / STRIDE)
    return target


rng = np.random.default_rng(run.seed)
(x_train, objects), (x_test, true_objects) = make(run.pick(1500, quick=64), rng), make(run.pick(300, quick=16), rng)

# %% [markdown]
# ## The network and its loss
# Four scores for the classes and none, four numbers for the box. Boxes are learned only where there is an object.

# %%
inputs = x = keras.Input((SIZE, SIZE, 1))
for filters, stride in ((16, 2), (32, 2), (48, 1), (48, 1), (48, 1)):
    x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
model = keras.Model(inputs, layers.Conv2D(len(NAMES) + 1 + 4, 1)(x))


def detection_loss(target, said):
    """The cross-entropy of the classes, and the absolute errors of the boxes, by cell."""
    of_class = ops.sparse_categorical_crossentropy(ops.cast(target[..., 0], "int32"), said[..., :4], from_logits=True)
    occupied = ops.cast(target[..., 0] < len(NAMES), "float32")
    return of_class + occupied * ops.sum(ops.abs(target[..., 1:] - said[..., 4:]), axis=-1)


epochs = run.pick(20, quick=1)
rate = keras.optimizers.schedules.CosineDecay(4e-3, epochs * (len(x_train) // 30))
model.compile(optimizer=keras.optimizers.Adam(rate), loss=detection_loss)
model.fit(x_train, encoded(objects), batch_size=30, epochs=epochs, verbose=2)


# %% [markdown]
# ## From cells to boxes
# Of boxes of one class that overlap by more than three tenths, only the surest is kept.


# %%
def overlap(box, boxes):
    """The intersection of a box with others over their union."""
    (x, y, w, h), (a, b, c, d) = box, np.reshape(boxes, (-1, 4)).T
    wide, high = (np.clip(np.minimum(p + r / 2, q + s / 2) - np.maximum(p - r / 2, q - s / 2), 0, None) for p, r, q, s in ((x, w, a, c), (y, h, b, d)))
    return wide * high / (w * h + c * d - wide * high)


def decoded(said):
    """The boxes found in an image, `(class, probability, x, y, width, height)`, the surest first."""
    probabilities = np.exp(said[..., :4] - said[..., :4].max(-1, keepdims=True))
    probabilities = (probabilities / probabilities.sum(-1, keepdims=True))[..., :3]
    rows, columns, kinds = np.nonzero(probabilities > 0.05)
    middle = (said[rows, columns, 4:6] + np.stack([columns, rows], -1)) * STRIDE
    found = []
    boxes = np.concatenate([middle, np.exp(said[rows, columns, 6:]) * STRIDE], -1)
    for index in np.argsort(-probabilities[rows, columns, kinds]):
        same = [other[2:] for other in found if other[0] == kinds[index]]
        if not same or overlap(boxes[index], same).max() < 0.3:
            found.append((kinds[index], probabilities[rows[index], columns[index], kinds[index]], *boxes[index]))
    return found


# %% [markdown]
# ## Average precision
# All boxes of a class, the surest first: each true one may be found once. The precision at a recall is the best that is reached at that
# recall or more.


# %%
def average_precision(kind, found, truth):
    boxes = sorted(((box[1], image, box[2:]) for image, boxes in enumerate(found) for box in boxes if box[0] == kind), key=lambda box: -box[0])
    left = [[other[1:] for other in objects if other[0] == kind] for objects in truth]
    total, hits = sum(map(len, left)), np.zeros(len(boxes))
    for place, (_, image, box) in enumerate(boxes):
        if left[image] and (overlaps := overlap(box, left[image])).max() >= 0.5:
            left[image].pop(overlaps.argmax())
            hits[place] = 1
    precision = np.cumsum(hits) / np.arange(1, len(boxes) + 1)
    return np.sum(np.maximum.accumulate(precision[::-1])[::-1] * hits) / total


found = [decoded(said) for said in model.predict(x_test, verbose=0)]
precisions = [average_precision(kind, found, true_objects) for kind in range(len(NAMES))]
print("average precision:", ", ".join(f"{name} {value:.3f}" for name, value in zip(NAMES, precisions, strict=True)))

# %%
figure, axes = plt.subplots(2, 5, figsize=(7.5, 3.3))
for axis, image, boxes in zip(axes.flat, x_test, found, strict=False):
    axis.imshow(image[..., 0], cmap="gray", vmin=-0.2, vmax=1.2, extent=(0, SIZE, SIZE, 0), interpolation="nearest")
    for kind, probability, x, y, wide, high in boxes:
        if probability > 0.3:
            colour = ("tab:blue", "tab:orange", "tab:green")[kind]
            axis.add_patch(plt.Rectangle((x - wide / 2, y - high / 2), wide, high, fill=False, edgecolor=colour, linewidth=1.5))
            label = {"boxstyle": "square,pad=0.1", "facecolor": colour, "edgecolor": "none", "alpha": 0.8}
            axis.text(np.clip(x, 11, 37), max(y - high / 2 - 2, 3), f"{NAMES[kind]} {probability:.0%}", fontsize=6, color="white", ha="center", bbox=label)
    axis.axis("off")
run.end(figure, mean_average_precision=np.mean(precisions))
