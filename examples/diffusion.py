"""Digits out of noise, step by step: diffusion

Add a little noise to an image many times, and nothing is left of it. A network that can tell, at any stage, which noise is in the image can take the way
back: begin with nothing but noise, take a little of it away, a hundred times
([Ho, Jain and Abbeel, 2020](https://arxiv.org/abs/2006.11239)). Training is plain regression, without an opponent: a
network is given an image with noise of a random strength, and is to name the noise.

For 64 pixels a network of dense layers is enough; each of its blocks is told the time, and which digit it is to be. What is kept are the averages of the weights over the last
steps, which draw better than the weights themselves. The digits are judged as those of the [DCGAN](dcgan) are, by a classifier that
was trained on real ones: of how many it is sure, how many classes there are, and how often it sees the digit that was asked for.

The picture shows ten images on their way, 0 to 9, and more at the end of it.

Promises: confident ≥ 0.95, classes ≥ 10, as_asked ≥ 0.95
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops
from keraunos.datasets import digits

run = begin(__doc__)

# %% [markdown]
# ## The way into the noise
# `kept` says how much of the image is left after each step, by the cosine schedule of
# [Nichol and Dhariwal (2021)](https://arxiv.org/abs/2102.09672): after `t` steps, `sqrt(kept[t])` of the image and `sqrt(1 - kept[t])` of noise.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=256)] for part in (x_train, y_train, x_test, y_test))
x_train, x_test = x_train.reshape(-1, 64) / 8.0 - 1, x_test.reshape(-1, 64) / 8.0 - 1
STEPS = 100
kept = np.cos((np.arange(STEPS + 1) / STEPS + 0.008) / 1.008 * np.pi / 2) ** 2
kept = (kept / kept[0]).clip(1e-4, 1).astype("float32")

# %% [markdown]
# ## The network
# It takes the image, the time as sines and cosines of several frequencies, and the class.


# %%
def make_network(width=256, blocks=3):
    noisy, time, label = keras.Input((64,)), keras.Input(()), keras.Input((), dtype="int32")
    angles = ops.expand_dims(time, -1) * np.geomspace(1, 100, 16, dtype="float32")
    clock = layers.Dense(width, activation="silu")(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1))
    told = clock + layers.Embedding(10, width)(label)
    x = layers.Dense(width)(noisy)
    for _ in range(blocks):
        h = layers.Dense(width, activation="silu")(layers.LayerNormalization()(x) + layers.Dense(width)(told))
        x = x + layers.Dense(width)(h)
    return keras.Model([noisy, time, label], layers.Dense(64)(layers.LayerNormalization()(x)))


class Diffusion(keras.Model):
    """Names the noise in an image, and takes it away again."""

    def __init__(self):
        super().__init__()
        self.network = make_network()
        self.seeds = keras.random.SeedGenerator(run.seed)

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    def train_step(self, data):
        images, label = data
        count = images.shape[0]
        time = keras.random.randint((count,), 1, STEPS + 1, seed=self.seeds)
        share = ops.expand_dims(ops.take(kept, time), -1)
        noise = keras.random.normal((count, 64), seed=self.seeds)
        noisy = ops.sqrt(share) * images + ops.sqrt(1 - share) * noise
        return super().train_step(([noisy, ops.cast(time, "float32") / STEPS, label], noise))


# %% [markdown]
# ## Training
# Adam keeps the averages of the weights, and `fit` puts them in place when it ends.

# %%
model = Diffusion()
epochs = run.pick(500, quick=2)
batch = 128
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(x_train) // batch + 1))
model.compile(optimizer=keras.optimizers.Adam(rate, use_ema=True, ema_momentum=0.998), loss="mse")
history = model.fit(x_train, y_train, batch_size=batch, epochs=epochs, verbose=0).history["loss"]
print(f"mean squared error of the noise: {history[0]:.3f} in the first epoch, {history[-1]:.3f} in the last")


# %% [markdown]
# ## The way back
# Each step guesses the image from the noise that the network names, and goes to the mean of what may have come one step before; but for the last step,
# some new noise is added.


# %%
def draw(labels, rng):
    x = rng.normal(size=(len(labels), 64)).astype("float32")
    way = []
    for t in range(STEPS, 0, -1):
        if t in (100, 60, 40, 25, 10):
            way.append(x[:10])
        noise = model.predict([x, np.full(len(x), t / STEPS, "float32"), labels], batch_size=len(x), verbose=0)
        guess = ((x - np.sqrt(1 - kept[t]) * noise) / np.sqrt(kept[t])).clip(-1, 1)
        beta = 1 - kept[t] / kept[t - 1]
        mean = (np.sqrt(kept[t - 1]) * beta * guess + np.sqrt(1 - beta) * (1 - kept[t - 1]) * x) / (1 - kept[t])
        x = (mean + np.sqrt(beta * (1 - kept[t - 1]) / (1 - kept[t])) * rng.normal(size=x.shape)).astype("float32")
    return x.reshape(-1, 8, 8, 1), [*way, x[:10]]


wanted = np.arange(run.pick(1000, quick=64)) % 10
made, way = draw(wanted, np.random.default_rng(run.seed))

# %% [markdown]
# ## The judge

# %%
judge = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
judge.compile(optimizer=keras.optimizers.Adam(2e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
judge.fit(x_train.reshape(-1, 8, 8, 1), y_train, batch_size=64, epochs=run.pick(30, quick=1), verbose=0)
on_real, on_made = judge.predict(x_test.reshape(-1, 8, 8, 1), verbose=0), judge.predict(made, verbose=0)
seen = on_made.argmax(-1)
print(f"sure of {np.mean(on_real.max(-1) > 0.9):.3f} of the real digits that it has not seen; how often it sees each class among the made ones:")
print(np.bincount(seen, minlength=10))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2))
padded = np.pad(np.reshape(way, (6, 10, 8, 8)), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-1)
left.imshow(padded.transpose(0, 2, 1, 3).reshape(60, 100), cmap="gray_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
left.set(title="ten images, from noise to digits", xticks=[], yticks=5 + 10 * np.arange(6), yticklabels=[100, 60, 40, 25, 10, 0], ylabel="steps to go")
padded = np.pad(np.resize(made[10:, ..., 0], (60, 8, 8)), ((0, 0), (1, 1), (1, 1)), constant_values=-1).reshape(6, 10, 10, 10)
right.imshow(padded.transpose(0, 2, 1, 3).reshape(60, 100), cmap="gray_r", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
right.set(title="sixty more", xticks=[], yticks=[])
run.end(figure, confident=np.mean(on_made.max(-1) > 0.9), classes=len(np.unique(seen)), as_asked=np.mean(seen == wanted))
