"""A Neural Turing Machine learns to copy

A network with a memory beside it, after [Graves, Wayne and Danihelka (2014)](https://arxiv.org/abs/1410.5401). A small LSTM, the
controller, reads and writes a matrix of 64 rows through heads. Where a head attends is a distribution over the rows, and so all of it
can be differentiated: a program is learned from examples of what it shall do.

The task: keep a sequence of random bytes, then give it back. It is trained on up to 10 bytes. An LSTM by itself learns that by heart and
fails on more; a machine that has found the algorithm, write and step on, go back, read and step on, does not care about the
length. It is tested on 20 and on 40 bytes, and so is an LSTM of about its size. The picture shows the bytes, the answer, and where the heads attend.

Run `python examples/ntm.py --backend jax` for the figures and the picture here: the seed is 0.

Promises: error_percent_10 ≤ 0.5, error_percent_20 ≤ 1, error_percent_40 ≤ 5, lstm_error_percent_20 ≥ 10
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
generator = np.random.default_rng(run.seed)
BITS, LONGEST = 8, 10

# %% [markdown]
# ## The task
# The bytes, a mark in a channel of its own, then nothing while the answer is expected. Only the answer counts: the other steps have the
# weight 0. Lengths are mixed in a batch.

# %%


def copying(count, shortest, longest, generator, room=LONGEST):
    """`count` tasks as inputs, targets and the weights of the steps, in which `room` bytes have room."""
    lengths, step = generator.integers(shortest, longest + 1, (count, 1)), np.arange(2 * room + 1)
    given, answer = step < lengths, (step > lengths) & (step <= 2 * lengths)
    x, y = np.zeros((count, len(step), BITS + 1), "uint8"), np.zeros((count, len(step), BITS), "uint8")
    x[given, :BITS] = y[answer] = generator.integers(0, 2, (given.sum(), BITS))
    x[step == lengths, BITS] = 1
    return x, y, answer.astype("float32")


# %% [markdown]
# ## The heads
# A head looks for rows that resemble its key, all the more exclusively the greater its strength. A gate chooses between that and where
# it attended before; then the attention is shifted by a row back or ahead, and sharpened.

# %%


class Head(layers.Layer):
    """Where to attend: `(batch, rows)` of numbers that sum to 1."""

    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.key = layers.Dense(width, "tanh")
        self.strength = layers.Dense(1, "softplus")
        self.gate = layers.Dense(1, "sigmoid")
        self.shift = layers.Dense(3, "softmax")
        self.sharpness = layers.Dense(1, "softplus")

    def call(self, control, attention, memory):
        similarity = ops.einsum("bw,brw->br", ops.normalize(self.key(control)), ops.normalize(memory))
        gate, back, stay, ahead = self.gate(control), *ops.split(self.shift(control), 3, axis=-1)
        attention = gate * ops.softmax(self.strength(control) * similarity) + (1 - gate) * attention
        attention = back * ops.roll(attention, -1, axis=1) + stay * attention + ahead * ops.roll(attention, 1, axis=1)
        attention = ops.power(attention + 1e-8, 1 + self.sharpness(control))
        return attention / ops.sum(attention, axis=-1, keepdims=True)


class WriteHead(Head):
    """Erases where it attends, and adds: gives where, and the memory after that."""

    def __init__(self, width, **kwargs):
        super().__init__(width, **kwargs)
        self.erase = layers.Dense(width, "sigmoid")
        self.add = layers.Dense(width, "tanh")

    def call(self, control, attention, memory):
        attention = super().call(control, attention, memory)
        where = attention[:, :, None]
        return attention, memory * (1 - where * self.erase(control)[:, None]) + where * self.add(control)[:, None]


# %% [markdown]
# ## The machine
# It is a cell, as that of an LSTM is, with the memory among its states; `layers.RNN` runs it. At first both heads attend to row 0.

# %%


class TuringMachine(layers.Layer):
    """One step: an input and the states to an output and the next states."""

    def __init__(self, units, rows, width, **kwargs):
        super().__init__(**kwargs)
        self.controller = layers.LSTMCell(units)
        self.writer, self.reader, self.answer = WriteHead(width), Head(width), layers.Dense(BITS)
        self.rows, self.width, self.output_size = rows, width, BITS
        self.state_size = [units, units, rows, rows, width, (rows, width)]

    def get_initial_state(self, batch_size):
        start = ops.tile(ops.one_hot([0], self.rows), (batch_size, 1))
        memory = ops.full((batch_size, self.rows, self.width), 1e-6)
        return [*self.controller.get_initial_state(batch_size), start, start, ops.zeros((batch_size, self.width)), memory]

    def call(self, inputs, states):
        h, c, writing, reading, recalled, memory = states
        control, (h, c) = self.controller(ops.concatenate([inputs, recalled], axis=-1), [h, c])
        writing, memory = self.writer(control, writing, memory)
        reading = self.reader(control, reading, memory)
        recalled = ops.einsum("br,brw->bw", reading, memory)
        return self.answer(ops.concatenate([control, recalled], axis=-1)), [h, c, writing, reading, recalled, memory]


cell = TuringMachine(units=24, rows=64, width=16)
machine = keras.Sequential([keras.Input((None, BITS + 1)), layers.RNN(cell, return_sequences=True)])
lstm = keras.Sequential([keras.Input((None, BITS + 1)), layers.LSTM(32, return_sequences=True), layers.Dense(BITS)])
print(f"{machine.count_params()} weights; the LSTM has {lstm.count_params()}")

# %% [markdown]
# ## Training
# On 77,000 tasks of 1 to 10 bytes. Gradients through many steps are now and then very large, so their norm is limited.

# %%
STEPS, BATCH = run.pick(2400, quick=4), 32
x, y, weight = copying(STEPS * BATCH, 1, LONGEST, generator)
reached = {}
for name, model in (("lstm_", lstm), ("", machine)):
    rate = keras.optimizers.schedules.CosineDecay(3e-3, STEPS)
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(x, y, sample_weight=weight, batch_size=BATCH, verbose=2)
    for length in (10, 20, 40):
        x_test, y_test, answers = copying(run.pick(200, quick=2), length, length, np.random.default_rng(99), room=40)
        wrong = (model.predict(x_test, verbose=0) > 0) != y_test
        reached[f"{name}error_percent_{length}"] = 100 * wrong[answers > 0].mean()
        print(f"{name or 'machine_'}{length} bytes: {reached[f'{name}error_percent_{length}']:.2f} % of the bits are wrong")

# %% [markdown]
# ## Looking at the heads
# Step by step through a sequence of 20 bytes, twice as long as any that it was trained on. It writes row after row, and reads them in the same order.

# %%
x_test, y_test, _ = copying(1, 20, 20, np.random.default_rng(7), room=20)
states, rows = cell.get_initial_state(1), []
for step in ops.unstack(ops.cast(x_test, "float32"), axis=1):
    output, states = cell(step, states)
    rows.append([ops.convert_to_numpy(value)[0] for value in (ops.sigmoid(output), states[2], states[3])])
answer, writing, reading = (np.array(each).T for each in zip(*rows, strict=True))
answer[:, :21] = 0

figure, axes = plt.subplots(4, 1, figsize=(7, 4.6), height_ratios=[9, 8, 32, 32], sharex=True, layout="constrained")
for axis, image, title in zip(axes, (x_test[0].T, answer, writing[:32], reading[:32]), ("given", "answer", "writes to row", "reads from row"), strict=True):
    axis.imshow(image, cmap="gray_r", aspect="auto", vmin=0, vmax=1, interpolation="nearest")
    axis.set_ylabel(title, rotation=0, ha="right", va="center")
    axis.set_yticks([] if len(image) < 10 else [0, 10, 20, 30])
axes[-1].set_xlabel("step")
run.end(figure, **reached)
