"""A trunk that is used again: transfer of learning

A network that tells 0 to 4 apart, wherever they stand in a noisy image, has learned more than these five digits: its convolutions know
strokes, arcs and ends of lines, and what is only noise. So its trunk is used again for the digits 5 to 9, of which only five images each are
given, in three ways:

- *from nothing*: the same network with new weights, for comparison;
- *feature extraction*: the trunk is frozen (`trainable = False`), only a new head learns;
- *fine-tuning*: afterwards the trunk is unfrozen and all learns on, in small steps, since what the trunk knows is soon lost in large ones.

Which early layers carry over how well is what [Yosinski et al. (2014)](https://arxiv.org/abs/1411.1792) measured. With so few images it
matters which they are, so all is done with several draws of them; the picture shows each draw, and the means.

Promises: fine_tuned ≥ 0.47, gain ≥ 0.12
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)

# %% [markdown]
# ## Two tasks
# Each digit of 8 × 8 pixels is set somewhere into an image of 14 × 14, under noise. Of the first task there are all images, each in four places;
# of the second five of each digit.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train = (part[: run.pick(len(part), quick=200)] for part in (x_train, y_train))


def placed(digits, rng):
    """Images with a digit somewhere in them."""
    images = 0.3 * rng.normal(size=(len(digits), 14, 14, 1))
    for image, digit, (row, column) in zip(images, digits / 16, rng.integers(0, 7, (len(digits), 2)), strict=True):
        image[row : row + 8, column : column + 8, 0] += digit
    return images.astype("float32")


rng = np.random.default_rng(run.seed)
first, second = np.repeat(np.flatnonzero(y_train < 5), 4), y_train >= 5
first = first[: run.pick(len(first), quick=256)]
x_first, y_first = placed(x_train[first], rng), y_train[first]
x_new, y_new = placed(x_train[second], rng), y_train[second] - 5
x_test = placed(x_test, rng)
count = run.pick(len(x_test), quick=128)  # of either half
x_first_test, y_first_test = x_test[y_test < 5][:count], y_test[y_test < 5][:count]
x_new_test, y_new_test = x_test[y_test >= 5][:count], y_test[y_test >= 5][:count] - 5


def make_trunk():
    """The layers that are to be used again."""
    return keras.Sequential(
        [
            keras.Input((14, 14, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.GlobalMaxPooling2D(),
            layers.Dropout(0.3),
        ],
        name="trunk",
    )


def learn(model, x, y, rate, epochs):
    """Train a model; a model is compiled anew when what is frozen has changed."""
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=min(len(x), 64), epochs=epochs, verbose=0)


# %% [markdown]
# ## The first task

# %%
trunk = make_trunk()
model = keras.Sequential([trunk, layers.Dense(5, activation="softmax")])
learn(model, x_first, y_first, 1e-3, run.pick(12, quick=1))
score = model.evaluate(x_first_test, y_first_test, verbose=0, return_dict=True)["accuracy"]
print(f"digits 0 to 4: accuracy {score:.3f}")
learned = trunk.get_weights()

# %% [markdown]
# ## The second, in three ways
# The trunk's weights are set back to those of the first task before each draw.

# %%
draws, epochs = run.pick(3, quick=1), run.pick(60, quick=1)
results = {"from nothing": [], "feature extraction": [], "fine-tuning": []}
for draw in range(draws):
    rng = np.random.default_rng((run.seed, draw))
    few = np.concatenate([rng.choice(np.flatnonzero(y_new == label), 5, replace=False) for label in range(5)])

    def note(way, model):
        results[way].append(model.evaluate(x_new_test, y_new_test, verbose=0, return_dict=True)["accuracy"])

    fresh = keras.Sequential([make_trunk(), layers.Dense(5, activation="softmax")])
    learn(fresh, x_new[few], y_new[few], 1e-3, 2 * epochs)
    note("from nothing", fresh)

    trunk.set_weights(learned)
    trunk.trainable = False
    model = keras.Sequential([trunk, layers.Dense(5, activation="softmax")])
    learn(model, x_new[few], y_new[few], 3e-3, epochs)
    note("feature extraction", model)
    assert all(np.array_equal(a, b) for a, b in zip(trunk.get_weights(), learned, strict=True)), "a frozen trunk stays as it is"

    trunk.trainable = True
    learn(model, x_new[few], y_new[few], 3e-4, epochs)
    note("fine-tuning", model)

# %%
figure, axis = plt.subplots(figsize=(6.4, 3.2))
for place, (way, scores) in enumerate(results.items()):
    print(f"{way}: accuracy {np.mean(scores):.3f}, from {min(scores):.3f} to {max(scores):.3f}")
    axis.bar(place, np.mean(scores), width=0.6, color=("0.75", "tab:blue", "tab:orange")[place], alpha=0.8)
    axis.text(place, 0.03, f"{np.mean(scores):.1%}", ha="center", fontsize=11)
for scores in zip(*results.values(), strict=True):
    axis.plot(range(3), scores, "o-", color="0.25", markersize=3.5, linewidth=0.7)
axis.set(xticks=range(3), xticklabels=results, ylabel="accuracy, unseen digits 5 to 9", ylim=(0, 1), title="Five images of each new digit")
axis.spines[["top", "right"]].set_visible(False)
fine_tuned = np.mean(results["fine-tuning"])
run.end(figure, fine_tuned=fine_tuned, gain=fine_tuned - np.mean(results["from nothing"]))
