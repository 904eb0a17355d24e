"""Translating dates, with attention

"25th of November 2026", "Wed 25 nov 2026" and "25.11.2026" are all to become "2026-11-25". A network with an encoder, a decoder and attention
between them, as [Bahdanau, Cho and Bengio (2015)](https://arxiv.org/abs/1409.0473) had it for languages: for each character that it writes,
the decoder looks at the place in the source where it stands.

It is measured on days that do not occur in training: the whole date must be right. The picture shows where the network looks.

Promises: exact ≥ 0.97
"""

import datetime

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
generator = np.random.default_rng(run.seed)

# %% [markdown]
# ## Dates as people write them
# Every day of 50 years, in one of many ways. Each fifth day is kept for the test.

# %%
FORMATS = "{d} {month} {y}|{d}{th} of {month} {y}|{month} {d}, {y}|{month} {d}{th} {y}|{d}.{m}.{y}|{d}. {m}. {y}|{weekday} {d} {mon} {y}|{mon} {d} {y}|the {d}{th} of {month}, {y}|{weekday}, {month} {d}, {y}"
days = [datetime.date(1990, 1, 1) + datetime.timedelta(n) for n in range(50 * 365)]


def written(day):
    """A day in some way or other."""
    month, th = day.strftime("%B"), "th" if 10 < day.day < 20 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    text = str(generator.choice(FORMATS.split("|"))).format(
        d=day.day, th=th, m=day.month, month=month, mon=month[:3], y=day.year, weekday=day.strftime("%A")[: generator.choice([3, 9])]
    )
    return generator.choice([text, text.lower(), text.upper()])


sources, targets = np.array([written(day) for day in days]), np.array([day.isoformat() for day in days])
order = generator.permutation(len(days))
test, train = np.split(order, [len(days) // 5])
for source, target in zip(sources[test[:3]], targets[test[:3]], strict=True):
    print(f"{source} → {target}")

# %% [markdown]
# ## Characters as numbers
# 0 stands for nothing; the masks of `Embedding` keep it out of the attention. The decoder is given what it shall have written so far, beginning with "=".

# %%
letters = layers.TextVectorization(standardize="lower", split="character", output_sequence_length=32)
digits = layers.TextVectorization(standardize=None, split="character", output_sequence_length=11, vocabulary=list("=-0123456789"))
letters.adapt(sources)
SYMBOLS = digits.get_vocabulary()
x = keras.ops.convert_to_numpy(letters(sources))
y = keras.ops.convert_to_numpy(digits(np.strings.add("=", targets)))

# %% [markdown]
# ## The network

# %%
source, so_far = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="so_far")
read = layers.Embedding(letters.vocabulary_size(), 32, mask_zero=True)(source)
read = layers.Bidirectional(layers.GRU(48, return_sequences=True))(read)
write = layers.Embedding(len(SYMBOLS), 32)(so_far)
write = layers.GRU(96, return_sequences=True)(write)
seen, attention = layers.Attention(use_scale=True)([layers.Dense(96)(write), read], return_attention_scores=True)
hidden = layers.Dense(96, activation="tanh")(layers.Concatenate()([write, seen]))
model = keras.Model([source, so_far], layers.Dense(len(SYMBOLS))(hidden))
model.compile(keras.optimizers.Adam(4e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
limit = run.pick(len(train), quick=512)
model.fit([x[train[:limit]], y[train[:limit], :-1]], y[train[:limit], 1:], batch_size=128, epochs=run.pick(3, quick=1), verbose=2)

# %% [markdown]
# ## Writing
# Without the answer at hand: the most probable character is written, then the next is asked for.

# %%


def translate(x):
    """The most probable characters, one after another."""
    found = np.zeros((len(x), 10), "int32")
    found[:, 0] = SYMBOLS.index("=")
    for place in range(10):
        last = model.predict([x, found], batch_size=512, verbose=0)[:, place].argmax(-1)
        if place == 9:
            return np.hstack([found[:, 1:], last[:, None]])
        found[:, place + 1] = last


test = test[: run.pick(2000, quick=64)]
found = translate(x[test])
exact = np.mean((found == y[test, 1:]).all(-1))
print(f"{exact:.1%} of {len(test)} dates are right in every character")

# %% [markdown]
# ## Where it looks
# The scores are a tensor of the same graph, and so a model that gives them shares all weights.

# %%
example = ["The 25th of November, 2026"]
codes = keras.ops.convert_to_numpy(letters(example))
answer = translate(codes)
looks = keras.Model([source, so_far], attention)
scores = looks.predict([codes, np.hstack([[[SYMBOLS.index("=")]], answer[:, :-1]])], verbose=0)[0, :, : len(example[0])]

figure, axis = plt.subplots(figsize=(7, 3))
axis.imshow(scores, cmap="Blues", vmin=0, vmax=1)
axis.set_xticks(range(len(example[0])), list(example[0]))
axis.set_yticks(range(10), [SYMBOLS[n] for n in answer[0]])
axis.set(xlabel="read", ylabel="written")
axis.tick_params(length=0)
run.end(figure, exact=exact)
