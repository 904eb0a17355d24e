"""Text, letter by letter, with a small GPT

A transformer that predicts the next letter from the last 64, as [Radford et al. (2018)](https://openai.com/research/language-unsupervised) had it
for words: blocks of causal attention ([Vaswani et al., 2017](https://arxiv.org/abs/1706.03762)) and of a small network at each place, each adding to what
came before. It reads the language reference of Python, which every installation of Python holds for its `help`.

It is measured on chapters that it has not read, in bits per letter, beside tables of n-grams of the same text. The picture shows these, and what it writes at three
temperatures: the lower, the more surely the most probable letter is taken.

Promises: bits_per_letter ≤ 2.4, bits_below_trigrams ≥ 0.5
"""

import collections
import re
import textwrap
from pydoc_data.topics import topics

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
generator = np.random.default_rng(run.seed)
LENGTH, WIDTH, HEADS, BLOCKS = 64, run.pick(64, quick=32), 4, run.pick(3, quick=1)

# %% [markdown]
# ## The text
# Each tenth chapter is kept for the test.


# %%
def prose(text):
    """A chapter without its tables, in one line."""
    lines = [line for line in text.split("\n") if not re.search(r"[|]|[-=*+]{2}|::", line)]
    return re.sub(r"[^ -~]", "", " ".join(" ".join(lines).split()))


chapters = [prose(topics[name]) for name in sorted(topics)]
train, test = (" ".join(text for n, text in enumerate(chapters) if (n % 10 == 0) is held_out) for held_out in (False, True))
LETTERS = sorted(set(train + test))
code = {letter: n for n, letter in enumerate(LETTERS)}
numbers = np.array([code[letter] for letter in train], "int32")
print(f"{len(train)} letters to learn from, {len(LETTERS)} different ones")


def windows(numbers, starts):
    """Inputs, and the same one letter later."""
    places = starts[:, None] + np.arange(LENGTH + 1)
    return numbers[places][:, :-1], numbers[places][:, 1:]


# %% [markdown]
# ## The model

# %%


@keras.saving.register_keras_serializable("gallery")
class Places(layers.Layer):
    """Adds to each element of a sequence a vector that says where it stands."""

    def build(self, shape):
        self.vectors = self.add_weight(shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02))

    def call(self, x):
        return x + self.vectors


def block(x):
    """Attention to what came before, then a small network."""
    y = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(HEADS, WIDTH // HEADS)(y, y, use_causal_mask=True)
    y = layers.Dense(4 * WIDTH, activation="gelu")(layers.LayerNormalization()(x))
    return x + layers.Dense(WIDTH)(y)


text = keras.Input((LENGTH,), dtype="int32")
x = Places()(layers.Embedding(len(LETTERS), WIDTH)(text))
for _ in range(BLOCKS):
    x = block(x)
model = keras.Model(text, layers.Dense(len(LETTERS))(layers.LayerNormalization()(x)))
print(f"{model.count_params()} weights")

# %% [markdown]
# ## Training
# Windows from anywhere in the text.

# %%
steps, batch = run.pick(1400, quick=10), run.pick(16, quick=8)
rate = keras.optimizers.schedules.CosineDecay(0.0, steps - steps // 10, warmup_target=5e-3, warmup_steps=steps // 10)
model.compile(keras.optimizers.AdamW(rate, weight_decay=0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
x, y = windows(numbers, generator.integers(0, len(numbers) - LENGTH, steps * batch))
model.fit(x, y, batch_size=batch, epochs=1, verbose=2)

# %% [markdown]
# ## Bits per letter
# The n-grams are mixed with the shorter ones as Witten and Bell (1991) did.

# %%
held_out = test[: run.pick(20 * 1024, quick=1024)]
x, y = windows(np.array([code[letter] for letter in held_out]), np.arange(0, len(held_out) - LENGTH, LENGTH))
bits = {"GPT": float(model.evaluate(x, y, verbose=0) / np.log(2))}

counts = collections.defaultdict(collections.Counter)
for n in range(4):
    for context, letter in zip((train[place - n : place] for place in range(n, len(train))), train[n:], strict=True):
        counts[context][letter] += 1


def information(context, letter):
    """The bits of a letter after a context."""
    found = 1 / len(LETTERS)
    for n in range(len(context) + 1):
        seen = counts.get(context[len(context) - n :])
        if seen is None:
            break
        found = (seen[letter] + len(seen) * found) / (seen.total() + len(seen))
    return -np.log2(found)


for n, name in enumerate(("letters", "bigrams", "trigrams", "4-grams")):
    bits[name] = np.mean([information(held_out[place - n : place], held_out[place]) for place in range(n, len(held_out))])
print(", ".join(f"{name} {value:.2f}" for name, value in bits.items()), "bits per letter")

# %% [markdown]
# ## Writing
# The scores are divided by the temperature. As attention is causal, what stands behind the last letter does not matter, and the window may
# keep its length.

# %%


def write(beginning, temperatures, count):
    """`count` letters more, one text for each temperature."""
    found = np.tile([code[letter] for letter in beginning], (len(temperatures), 1)).astype("int32")
    for _ in range(count):
        window = np.zeros((len(temperatures), LENGTH), "int32")
        last = min(found.shape[1], LENGTH)
        window[:, :last] = found[:, -last:]
        scores = model.predict(window, verbose=0)[:, last - 1] / np.array(temperatures)[:, None]
        drawn = np.argmax(scores + generator.gumbel(size=scores.shape), axis=-1)  # a draw from their softmax
        found = np.hstack([found, drawn[:, None].astype("int32")])
    return ["".join(LETTERS[n] for n in row) for row in found]


TEMPERATURES = (0.3, 0.7, 1.0)
written = write("The class ", TEMPERATURES, run.pick(240, quick=5))
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4), width_ratios=[1, 1.5], layout="constrained")
names = [*list(bits)[1:], "GPT"]
left.barh(names, [bits[name] for name in names], color=["C7"] * 4 + ["C0"])
left.set_xlabel("bits per letter, unread chapters")
left.spines[["top", "right"]].set_visible(False)
right.axis("off")
for place, temperature, sample in zip((1.0, 0.66, 0.32), TEMPERATURES, written, strict=True):
    print(f"--- temperature {temperature}\n{sample}")
    right.text(0, place, f"temperature {temperature}", weight="bold", fontsize=8, va="top", transform=right.transAxes)
    right.text(0, place - 0.06, textwrap.fill(sample.replace("$", r"\$"), 58), fontsize=7, family="monospace", va="top", transform=right.transAxes)
run.end(figure, bits_per_letter=bits["GPT"], bits_below_trigrams=bits["trigrams"] - bits["GPT"])
