"""Text, letter by letter, with an LSTM

A language in which one has to remember: "the dogs that the cat that the mice fear chases sleep." Whether it is "sleep" or "sleeps" was decided
nine words ago. A table of n-grams, which knows the last few letters, cannot know that; a recurrent network
([Hochreiter and Schmidhuber, 1997](https://doi.org/10.1162/neco.1997.9.8.1735)) can.

As the sentences come from a grammar, the probability of each is known, and with it the fewest bits per letter that any model can need.
The picture shows how near the LSTM and the n-grams come, and how often each takes the right form of the last verb, by the number of
clauses that stand between it and its noun.

Promises: bits_above_entropy ≤ 0.06, bits_below_ngrams ≥ 0.1, agreement_across_a_clause ≥ 0.9
"""

import collections

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
generator = np.random.default_rng(run.seed)

# %% [markdown]
# ## The language
# A noun may have a clause, whose noun may have one again. Each choice costs as many bits as it is improbable.

# %%
NOUNS = "dog cat mouse cow goat hen fox king".split()
CLAUSE = {0: 0.5, 1: 0.4, 2: 0.0}  # how often a noun has one, by depth
DO, ACT = "chase fear see hear".split(), "sleep run sing eat".split()


def noun(depth=0):
    """The words, whether there are many, how many clauses, and bits."""
    many, clause = generator.random() < 0.5, generator.random() < CLAUSE[depth]
    name = NOUNS[generator.integers(len(NOUNS))]
    words = ["the", ("mice" if name == "mouse" else "foxes" if name == "fox" else name + "s") if many else name]
    bits = 1 + np.log2(len(NOUNS)) - (np.log2(CLAUSE[depth] if clause else 1 - CLAUSE[depth]))
    if not clause:
        return words, many, 0, bits
    inner, several, below, more = noun(depth + 1)
    return [*words, "that", *inner, verb(DO, several)], many, below + 1, bits + more + np.log2(len(DO))


def verb(verbs, many):
    return verbs[generator.integers(len(verbs))] + ("" if many else "s")


def sentence():
    """A sentence, the number of its clauses, and its bits."""
    words, many, clauses, bits = noun()
    return " ".join([*words, verb(ACT, many)]) + ".", clauses, bits + np.log2(len(ACT))


train = [sentence()[0] for _ in range(run.pick(12000, quick=192))]
held_out = [sentence() for _ in range(run.pick(1500, quick=192))]
texts, clauses, bits = (np.array(each) for each in zip(*held_out, strict=True))
length = sum(map(len, texts))
entropy = bits.sum() / length
print("\n".join(train[:4]), f"\n{sum(map(len, train))} letters to learn from; {entropy:.3f} bits per letter are necessary")

# %% [markdown]
# ## The network
# Sentences are padded to the same length; the mask of `Embedding` keeps the padding out of the loss. A sentence begins with ">".

# %%
LONGEST = 1 + max(map(len, [*train, *texts]))
letters = layers.TextVectorization(standardize=None, split="character", output_sequence_length=LONGEST, vocabulary=sorted(set(">" + "".join(train))))
LETTERS = letters.get_vocabulary()


def codes(sentences):
    """Letters as numbers: what is read, and what comes next."""
    found = keras.ops.convert_to_numpy(letters(np.array([">" + text for text in sentences])))
    return found[:, :-1], found[:, 1:]


def network(**options):
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32", batch_size=6 if options else None),
            layers.Embedding(len(LETTERS), 16, mask_zero=True),
            layers.LSTM(96, return_sequences=True, **options),
            layers.Dense(len(LETTERS), activation="softmax"),
        ]
    )


model = network()
epochs, batch = run.pick(5, quick=1), 64
rate = keras.optimizers.schedules.CosineDecay(6e-3, epochs * -(-len(train) // batch))
model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
model.fit(*codes(train), batch_size=batch, epochs=epochs, verbose=2)

# %% [markdown]
# ## The tables
# How often each letter followed the last 1, 3, 5 … letters, mixed with the shorter contexts as Witten and Bell (1991) did.

# %%
counts = collections.defaultdict(collections.Counter)
for text in train:
    for place in range(1, len(text) + 1):
        for start in range(max(0, place - 8), place + 1):
            counts[(">" + text)[start:place]][text[place - 1]] += 1


def table(order):
    """A function that gives the probability of a letter after a text."""

    def probability(text, letter):
        found = 1 / len(LETTERS)
        for start in range(len(text), max(0, len(text) - order), -1):
            seen = counts.get(text[start:])
            if seen is None:
                break
            found = (seen[letter] + len(seen) * found) / (seen.total() + len(seen))
        return found

    return probability


# %% [markdown]
# ## Comparison
# Bits per letter, and how often the end of the last verb is right: "s" or not.

# %%
x, y = codes(texts)
predicted = model.predict(x, verbose=0)
of_truth = np.take_along_axis(predicted, y[:, :, None], axis=-1)[:, :, 0]
needed = {"LSTM": -np.log2(of_truth[y > 0]).sum() / length}
plural = np.array([not text.endswith("s.") for text in texts])
ends = np.array([len(text) - (1 if many else 2) for text, many in zip(texts, plural, strict=True)])
at_end = predicted[np.arange(len(texts)), ends]
right = {"LSTM": (at_end[:, LETTERS.index(".")] > at_end[:, LETTERS.index("s")]) == plural}
for order in (2, 4, 6, 8):
    probability, name = table(order), f"{order}-grams"
    needed[name] = -sum(np.log2(probability((">" + text)[: n + 1], letter)) for text in texts for n, letter in enumerate(text)) / length
    stems = [">" + text[:end] for text, end in zip(texts, ends, strict=True)]
    right[name] = np.array([probability(stem, ".") > probability(stem, "s") for stem in stems]) == plural
for name, value in needed.items():
    print(f"{name}: {value:.3f} bits per letter; agreement " + ", ".join(f"{right[name][clauses == n].mean():.1%} across {n} clauses" for n in range(3)))

# %% [markdown]
# ## Writing
# The weights in a network that keeps its state from call to call: it is given a letter, and each that it draws is the next that it is given.

# %%
writer = network(stateful=True)
writer.set_weights(model.get_weights())
written = np.full((6, 1), LETTERS.index(">"), "int32")
lines = [""] * 6
for _ in range(LONGEST):
    chances = writer.predict(written, verbose=0)[:, 0]
    written = np.array([[generator.choice(len(LETTERS), p=row / row.sum(dtype="float64"))] for row in chances.astype("float64")], "int32")
    lines = [line if line.endswith(".") else line + LETTERS[n] for line, n in zip(lines, written[:, 0], strict=True)]
print("\n".join(lines))

figure, (left, middle) = plt.subplots(1, 2, figsize=(7.5, 4.3))
figure.subplots_adjust(bottom=0.42, wspace=0.3)
figure.text(0.12, 0, "Written by the LSTM\n\n" + "\n".join(lines), fontsize=9)
names = [*list(needed)[1:], "LSTM"]
left.bar(names, [needed[name] for name in names], color=["C7"] * 4 + ["C0"])
left.axhline(entropy, color="black", linewidth=1, linestyle="--")
left.annotate("entropy of the language", (0.6, entropy), (1.6, 1.2), arrowprops={"arrowstyle": "-"}, fontsize=8)
left.set(xlabel="n-grams by their length, and the LSTM", ylabel="bits per letter")
left.set_xticks(range(5), [name.removesuffix("-grams") for name in names])
for name, colour in (("8-grams", "C7"), ("LSTM", "C0")):
    middle.plot([right[name][clauses == n].mean() for n in range(3)], "o-", color=colour, label=name)
middle.set(xlabel="clauses in between", ylabel="right forms of the verb", xticks=range(3), ylim=(0.4, 1.02))
middle.legend(frameon=False, loc="center right")
for axis in (left, middle):
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(axis="x", labelsize=8)
best = min(needed[name] for name in names[:-1])
run.end(
    figure, bits_above_entropy=needed["LSTM"] - entropy, bits_below_ngrams=best - needed["LSTM"], agreement_across_a_clause=right["LSTM"][clauses > 0].mean()
)
