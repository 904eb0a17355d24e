"""Saying what is in a picture

A picture with two shapes, and a sentence: "a red circle left of a blue square". A convolutional network makes a map of the picture; a GRU
writes word after word, and at each looks where in the map it finds what it needs, as in Show, Attend and Tell
([Xu et al., 2015](https://arxiv.org/abs/1502.03044)).

Every fifth combination of shapes, colours and places is kept out of the training: the sentences of the test are ones that the network has never read. The
whole sentence must be right. The picture shows four scenes with what was written, and where the network looked at each word of the first.

Promises: exact ≥ 0.9
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
generator = np.random.default_rng(run.seed)
SIZE, GRID, WIDTH = 32, 8, 64

# %% [markdown]
# ## Scenes
# What stands left or above is named first, so that there is one true sentence for each.

# %%
COLOURS = {"red": (0.85, 0.2, 0.15), "green": (0.2, 0.65, 0.25), "blue": (0.15, 0.35, 0.85), "yellow": (0.95, 0.8, 0.15)}
SHAPES = {
    "circle": lambda x, y: x**2 + y**2 < 1,
    "square": lambda x, y: np.maximum(np.abs(x), np.abs(y)) < 0.8,
    "triangle": lambda x, y: (y < 0.8) & (np.abs(x) < (y + 1) / 1.8),
}
THINGS = list(itertools.product(COLOURS, SHAPES))
COMBINATIONS = list(itertools.product(THINGS, ("left of", "above"), THINGS))
y, x = np.mgrid[:SIZE, :SIZE]


def scene(combination):
    """A picture and its sentence."""
    first, place, second = combination
    ahead, beside = (generator.integers(5, 11), generator.integers(21, 27)), generator.integers(10, 22) + generator.integers(-4, 5, 2)
    centres = zip(ahead, beside, strict=True)
    picture = np.ones((SIZE, SIZE, 3))
    for (colour, shape), centre in zip((first, second), centres, strict=True):
        across, down = centre if place == "left of" else centre[::-1]
        radius = generator.uniform(4.5, 6)
        picture[SHAPES[shape]((x - across) / radius, (y - down) / radius)] = COLOURS[colour]
    return np.clip(picture + generator.normal(0, 0.05, picture.shape), 0, 1), f"start a {' '.join(first)} {place} a {' '.join(second)} end"


def scenes(combinations, count):
    pictures, sentences = zip(*(scene(combinations[n % len(combinations)]) for n in range(count)), strict=True)
    return np.array(pictures, "float32"), np.array(sentences)


order = generator.permutation(len(COMBINATIONS))
unread, read = ([COMBINATIONS[n] for n in part] for part in np.split(order, [len(COMBINATIONS) // 5]))
pictures, sentences = scenes(read, run.pick(5000, quick=256))
test_pictures, test_sentences = scenes(unread, run.pick(800, quick=32))
words = layers.TextVectorization(output_sequence_length=10)
words.adapt(sentences)
WORDS = words.get_vocabulary()
codes, test_codes = (ops.convert_to_numpy(words(texts)) for texts in (sentences, test_sentences))
print(f"{len(read)} combinations to learn from, {len(unread)} for the test; words: {' '.join(WORDS[2:])}")

# %% [markdown]
# ## The network
# Attention mixes what it finds in the map, and so forgets where that was, unless each place of the map says it.

# %%


@keras.saving.register_keras_serializable("gallery")
class Places(layers.Layer):
    """Adds to each element of a sequence a vector that says where it stands."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], initializer="uniform")

    def call(self, x):
        return x + self.vectors


picture, so_far = keras.Input((SIZE, SIZE, 3), name="picture"), keras.Input((None,), dtype="int32", name="so_far")
seen = layers.Rescaling(-1, offset=1)(picture)  # what is white is nothing
for filters, strides in ((16, 2), (32, 1), (WIDTH, 2), (WIDTH, 1)):
    seen = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(seen)
    seen = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(seen))
places = Places()(layers.Reshape((GRID * GRID, WIDTH))(seen))
said = layers.Embedding(len(WORDS), WIDTH)(so_far)
said = layers.GRU(WIDTH, return_sequences=True)(said)
found = layers.MultiHeadAttention(2, WIDTH // 2)(said, places)
hidden = layers.Dense(2 * WIDTH, activation="relu")(layers.Concatenate()([said, found]))
found, looks = layers.MultiHeadAttention(2, WIDTH // 2)(hidden, places, return_attention_scores=True)
hidden = layers.Dense(2 * WIDTH, activation="relu")(layers.Concatenate()([hidden, found]))
model = keras.Model([picture, so_far], layers.Dense(len(WORDS))(hidden))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0)
epochs = run.pick(8, quick=1)
model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(codes) // 64))), loss)
model.fit([pictures, codes[:, :-1]], codes[:, 1:], batch_size=64, epochs=epochs, verbose=2)

# %% [markdown]
# ## Describing

# %%


def describe(pictures):
    """The most probable words, one after another."""
    found = np.zeros((len(pictures), 10), "int32")
    found[:, 0] = WORDS.index("start")
    for place in range(1, 10):
        found[:, place] = model.predict([pictures, found[:, :-1]], batch_size=256, verbose=0)[:, place - 1].argmax(-1)
    return found


def sentence(row):
    return " ".join(WORDS[n] for n in row).partition(" end")[0].removeprefix("start ")


described = [sentence(row) for row in describe(test_pictures)]
true = [sentence(row) for row in test_codes]
exact = np.mean([a == b for a, b in zip(described, true, strict=True)])
print(f"{exact:.1%} of {len(true)} sentences that were never read are right in every word")

# %% [markdown]
# ## Where it looks

# %%
watcher = keras.Model([picture, so_far], looks)
scores = watcher.predict([test_pictures[:1], test_codes[:1, :-1]], verbose=0)[0].mean(0)
spoken = true[0].split()
figure, axes = plt.subplots(2, 8, figsize=(8, 3.6), layout="constrained")
grid = axes[0, 0].get_gridspec()
for axis in axes[0]:
    axis.remove()
for n in range(4):
    axis = figure.add_subplot(grid[0, 2 * n : 2 * n + 2])
    axis.imshow(test_pictures[n])
    axis.set_title("\n".join(described[n].rsplit(" a ", 1)).replace("\n", "\na "), fontsize=8, color="black" if described[n] == true[n] else "C3")
    axis.axis("off")
for n, axis in enumerate(axes[1]):
    axis.axis("off")
    if n < len(spoken):
        axis.imshow(test_pictures[0], alpha=0.35)
        axis.imshow(scores[n].reshape(GRID, GRID), cmap="Greys", alpha=0.6, extent=(-0.5, SIZE - 0.5, SIZE - 0.5, -0.5), interpolation="bilinear")
        axis.set_title(spoken[n], fontsize=8)
run.end(figure, exact=exact)
