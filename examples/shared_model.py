"""One model inside two others

A reader looks at a picture of a digit. It is part of two models. The **matcher** sees two pictures, reads both, and says whether they show the same digit: that is known of
6,000 pairs, as it often is where somebody compared things and nobody named them. The **namer** sees one picture and says what it shows; for it only 20 pictures have
labels, two of each digit. Both are trained by turns, and what either learns is in the same weights, so that the namer gains from what the matcher has understood.

A model is a layer, and is used as one, here in three places. There is nothing to copy and nothing to keep in step. The baseline is the same namer, trained on
the 20 labels alone for as many steps.

The picture shows the accuracy of naming test digits, with the shared reader and without.

Promises: accuracy ≥ 0.88, better_than_labels_alone_by ≥ 0.08, accuracy_of_matches ≥ 0.95
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## Many pairs, few labels
# Half of the pairs show one digit.

# %%
(x, y), (x_test, y_test) = digits.load_data()
x_test, y_test = (part[: run.pick(len(part), quick=320)] for part in (x_test, y_test))


def matches(images, labels, count):
    """Pairs of images, and whether both show the same digit."""
    first, second = rng.integers(len(images), size=(2, 12 * count))
    same = labels[first] == labels[second]
    chosen = np.concatenate([np.flatnonzero(same)[: count // 2], np.flatnonzero(~same)[: count // 2]])
    return [images[first[chosen]], images[second[chosen]]], same[chosen].astype("float32")[:, None]


pairs, same = matches(x, y, run.pick(6000, quick=320))
labelled = np.concatenate([rng.choice(np.flatnonzero(y == digit), 2, replace=False) for digit in range(10)])

# %% [markdown]
# ## Two models with one reader


# %%
def make():
    """A reader, and the matcher and the namer that it is a part of, both compiled."""
    reader = keras.Sequential(
        [keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(64, activation="tanh")],
        name="reader",
    )
    first, second = keras.Input((8, 8)), keras.Input((8, 8))
    likeness = layers.Dot(axes=1, normalize=True)([reader(first), reader(second)])
    matcher = keras.Model([first, second], layers.Activation("sigmoid")(layers.Rescaling(10.0, offset=-5.0)(likeness)), name="matcher")
    picture = keras.Input((8, 8))
    namer = keras.Model(picture, layers.Dense(10, activation="softmax")(layers.Dropout(0.3)(reader(picture))), name="namer")
    matcher.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"])
    namer.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return reader, matcher, namer


reader, matcher, namer = make()
assert all(any(weight is other for other in model.weights) for weight in reader.weights for model in (matcher, namer))

# %% [markdown]
# ## By turns


# %%
def train(namer, matcher=None):
    """The accuracy on the test digits after each turn."""
    curve = []
    for _ in range(run.pick(20, quick=2)):
        if matcher is not None:
            matcher.fit(pairs, same, batch_size=64, verbose=0)
        namer.fit(x[labelled], y[labelled], batch_size=10, epochs=2, verbose=0)
        curve.append(namer.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"])
    return curve


together = train(namer, matcher)
keras.utils.set_random_seed(run.seed)
alone = train(make()[2])
accuracy, baseline = np.mean(together[-5:]), np.mean(alone[-5:])
matched = matcher.evaluate(*matches(x_test, y_test, run.pick(1000, quick=320)), verbose=0, return_dict=True)["accuracy"]
print(f"names: {accuracy:.3f} right, with the labels alone {baseline:.3f}; matches: {matched:.3f} right")

figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(range(1, len(together) + 1), together, label=f"by turns with the matcher: {accuracy:.1%}")
axis.plot(range(1, len(alone) + 1), alone, "--", label=f"the 20 labels alone: {baseline:.1%}")
axis.set(xlabel="turn", ylabel="test digits named rightly")
axis.legend(fontsize=8)
axis.grid(alpha=0.3)
run.end(figure, accuracy=accuracy, better_than_labels_alone_by=accuracy - baseline, accuracy_of_matches=matched)
