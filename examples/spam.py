"""Spam or not spam, from raw text

A model that takes strings: `TextVectorization` is its first layer, so that whoever uses the saved model gives it messages as
they come. Convolutions over embedded words see phrases of three words, of which the most telling one counts.

The messages are made here, in the form of the [SMS Spam Collection](https://doi.org/10.24432/C5CC84) (Almeida, Gómez Hidalgo
and Yamakami, 2011): ham and spam share their words, the phrases tell them apart, spam is rare and misspelt. Set `REAL = True`
for the collection itself, which `keraunos.datasets.sms_spam` downloads.

A filter that hides a true message does more harm than one that lets spam through. So the threshold is chosen, on validation data,
for a precision of 99 %; precision and recall are those of messages that had no part in it. The picture shows all thresholds.

Promises: precision ≥ 0.96, recall ≥ 0.9
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

REAL = False
run = begin(__doc__)
generator = np.random.default_rng(run.seed)

# %% [markdown]
# ## The messages
# A template, filled with words that both sides use. Every seventh message is spam, and spam hides letters
# behind digits. Now and then a letter is lost, and one sentence is as likely a friend's as it is not.

# %%
HAM = """did you win {prize}, {friend}? call me {when} | i'll call you {when} about {prize} | {friend}, are you free {when}? txt me
have you won {prize}? call now, you have my number {number} | is it urgent? your claim on {prize} won, my number is {number} {when}
are you free now? {friend} won {prize} for you, reply {code} or no | your call {when}: i claim {prize}, {number} is the reply
did you txt {code} to {friend}? a winner, you are | i'm here {when}, is your {prize} free? txt me {code} | could you reply {when}? {code}, i win {prize}
did {friend} call you last? your claim on {prize} is {number} | {prize}? you win, i txt {code} to {number} | sorry i missed your call {when}
hi, call me on {number} {when} | {friend}, was it you who called from {number}? txt me {when} | {friend} wants to call you {when}"""
SPAM = """you have won {prize}! call {number} now | win {prize}! txt {code} to {number} | urgent! your number won {prize}, claim {when} on {number}
free {prize} for you, reply {code} now | claim your {prize} {when}, call {number} | {friend}, you are a winner! txt {code} for {prize}
your free {prize} is here, txt {code} {when} | did you claim {prize}? last call, {number} | you could win {prize} {when}: reply {code}
{friend} wants to meet you {when}, call {number} | i'm free {when}, txt me on {number} | sorry i missed you, call {number} {when}
hi, call me on {number} {when}"""
WORDS = {
    "prize": "a phone|a holiday|the tickets|a camera|500 pounds|the voucher|a ringtone".split("|"),
    "friend": "sam|kate|dad|alex|priya|tom|chen|maria".split("|"),
    "when": "now|today|tonight|tomorrow|later|after work|on sunday|this week".split("|"),
    "code": "win|yes|claim|free|quiz".split("|"),
    "number": "87121|80488|62468|09061701|08712300".split("|"),
}  # fmt: skip


def sentence(templates):
    """One of the templates, filled."""
    text = generator.choice([line.strip() for line in templates.replace("\n", "|").split("|")])
    return text.format(**{name: generator.choice(words) for name, words in WORDS.items()})


def message():
    spam = generator.random() < 1 / 7
    text = sentence(SPAM if spam else HAM)
    if generator.random() < 0.4:
        text += " " + sentence(HAM)  # spam likes to begin or end as a friend would
    letters = {"o": "0", "i": "1", "e": "3", "l": "1"} if spam else {"you": "u", "are": "r", "to": "2", "e": ""}
    for old, new in letters.items():
        if generator.random() < 0.2:
            text = text.replace(old, new)
    if generator.random() < 0.5:
        slip = generator.integers(len(text))
        text = text[:slip] + text[slip + 1 :]
    return str(text), spam


if REAL:
    texts, labels = keras.datasets.sms_spam.load_data()
else:
    texts, labels = map(np.array, zip(*(message() for _ in range(run.pick(5574, quick=640))), strict=True))
labels = labels.astype("float32")[:, None]
order = generator.permutation(len(texts))
test, validation, train = np.split(order, [len(texts) // 5, 2 * len(texts) // 5])
print(f"{len(texts)} messages, {labels.mean():.1%} of them spam, such as {texts[np.argmax(labels)]!r}")

# %% [markdown]
# ## The model
# Words that are seen once in the training data are as good as unknown ones, so the vocabulary is bounded.

# %%
vectorize = layers.TextVectorization(max_tokens=2000, output_sequence_length=30)
vectorize.adapt(texts[train])
model = keras.Sequential(
    [
        keras.Input((), dtype="string"),
        vectorize,
        layers.Embedding(2000, 32),
        layers.Dropout(0.3),
        layers.Conv1D(64, 3, padding="same", activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dropout(0.3),
        layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=[keras.metrics.AUC(curve="PR", name="pr_auc")])
model.fit(texts[train], labels[train], validation_data=(texts[validation], labels[validation]), batch_size=64, epochs=run.pick(8, quick=2), verbose=2)

# %% [markdown]
# ## A threshold
# The lowest one that had a precision of 99 % on the validation data.

# %%


def precision_and_recall(of, scores):
    """Both at every threshold: the scores, from the highest."""
    found = np.argsort(-scores)
    hits = np.cumsum(labels[of, 0][found])
    return scores[found], hits / np.arange(1, len(of) + 1), hits / hits[-1]


thresholds, precision, _ = precision_and_recall(validation, model.predict(texts[validation], verbose=0)[:, 0])
threshold = thresholds[np.flatnonzero(precision >= 0.99).max(initial=0)]
scores = model.predict(texts[test], verbose=0)[:, 0]
hidden, spam = scores >= threshold, labels[test, 0] == 1
reached = {"precision": (hidden & spam).sum() / max(hidden.sum(), 1), "recall": (hidden & spam).sum() / spam.sum()}
print(
    f"threshold {threshold:.3f}: {hidden.sum()} of {len(test)} messages are hidden, {(hidden & ~spam).sum()} of them wrongly; {(spam & ~hidden).sum()} get through"
)

# %% [markdown]
# The same with each word by itself, which is the usual baseline: a vector of the words that occur, and logistic regression.

# %%
words = layers.TextVectorization(max_tokens=2000, output_mode="multi_hot")
words.adapt(texts[train])
baseline = keras.Sequential([keras.Input((), dtype="string"), words, layers.Dense(1, activation="sigmoid")])
baseline.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
baseline.fit(texts[train], labels[train], batch_size=64, epochs=run.pick(20, quick=2), verbose=0)

figure, axis = plt.subplots(figsize=(6, 3.5))
for name, values, colour in (("convolutions", scores, "C0"), ("single words", baseline.predict(texts[test], verbose=0)[:, 0], "C7")):
    _, precision, recall = precision_and_recall(test, values)
    axis.plot(recall, precision, colour, label=name)
axis.plot(reached["recall"], reached["precision"], "o", color="C3", label=f"threshold {threshold:.2f}")
axis.set(xlabel="recall: spam that is found", ylabel="precision: what is\nhidden and is spam", xlim=(0.5, 1.01), ylim=(0.6, 1.01))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(loc="lower left", frameon=False)
run.end(figure, **reached)
