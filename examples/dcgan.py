"""Digits to order: a conditional DCGAN

Two networks play against each other: the generator makes images of noise, the discriminator tells them from real ones, and each
learns by the other's mistakes ([Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661)). This is the deep convolutional form of
[Radford, Metz and Chintala (2015)](https://arxiv.org/abs/1511.06434): transposed convolutions up, strided ones down, batch
normalization in the generator, no pooling. Both networks are also told which digit it is to be
([Mirza and Osindero, 2014](https://arxiv.org/abs/1411.1784)), so the digits can be ordered.

How good are digits that nobody wrote? A classifier that was trained on real ones judges a thousand of them: of how many it is sure
(a probability above 0.9), how many classes there are, and how often it sees the digit that was asked for. It is sure of 97 or 98 of a
hundred real digits that it has not seen.

The picture shows the same noise after some epochs of training, then what each digit came to: seven of each, and below them the real
digit that is nearest to the last one.

Promises: confident ≥ 0.9, classes ≥ 10, as_asked ≥ 0.9
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops
from keraunos.datasets import digits

run = begin(__doc__)
NOISE = 32

# %% [markdown]
# ## The two networks
# The generator ends with `tanh`, so images are scaled to -1 … 1. The discriminator sees the class as a second channel, which it learns.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, x_test = x_train[..., None] / 8.0 - 1, x_test[..., None] / 8.0 - 1
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=128)] for part in (x_train, y_train, x_test, y_test))

noise, label = keras.Input((NOISE,)), keras.Input((), dtype="int32")
x = layers.Concatenate()([noise, layers.Embedding(10, 16)(label)])
x = layers.Dense(2 * 2 * 64, use_bias=False)(x)
x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
x = layers.Reshape((2, 2, 64))(x)
x = layers.Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False)(x)
x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(x)
generator = keras.Model([noise, label], x)

image = keras.Input((8, 8, 1))
x = layers.Concatenate()([image, layers.Reshape((8, 8, 1))(layers.Embedding(10, 64)(label))])
for filters in (32, 64):
    x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
    x = layers.Dropout(0.3)(layers.LeakyReLU(0.2)(x))
x = layers.Dense(1)(layers.Flatten()(x))
discriminator = keras.Model([image, label], x)


# %% [markdown]
# ## The step
# A `train_step` of one's own is the same on every engine: `value_and_grad` differentiates a function by the variables that it is given.


# %%
class GAN(keras.Model):
    """Two networks with an optimizer each."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator(run.seed)
        self.means = {name: keras.metrics.Mean(name=name) for name in ("generator", "discriminator")}
        self.crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)

    def compile(self, generator, discriminator):
        super().compile()
        self.optimizers = {"generator": generator, "discriminator": discriminator}

    def call(self, inputs):
        return self.generator(inputs)

    def train_step(self, data):
        real, label = data
        noise = keras.random.normal((real.shape[0], NOISE), seed=self.seeds)
        ones = ops.ones((real.shape[0], 1))

        def judged(images):
            return self.discriminator([images, label], training=True)

        def deceived():  # what the discriminator wants small: real ones count as 0.9, so that it is never too sure
            made = self.generator([noise, label], training=True)
            return self.crossentropy(0.9 * ones, judged(real)) + self.crossentropy(0 * ones, judged(made))

        def found_out():  # what the generator wants small
            return self.crossentropy(ones, judged(self.generator([noise, label], training=True)))

        for name, objective in (("discriminator", deceived), ("generator", found_out)):
            variables = getattr(self, name).trainable_variables
            loss, gradients = keras.value_and_grad(objective, variables)()
            self.optimizers[name].apply(gradients, variables)
            self.means[name].update_state(loss)
        return {name: mean.result() for name, mean in self.means.items()}


gan = GAN(generator, discriminator)
gan.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), keras.optimizers.Adam(1e-3, beta_1=0.5))

# %% [markdown]
# ## The judge
# A classifier that has seen real digits only.

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
judge.fit(x_train, y_train, batch_size=64, epochs=run.pick(30, quick=1), verbose=0)


def verdict(images):
    """The share of images that the judge is sure of, and the class that it sees in each."""
    probabilities = judge.predict(images, verbose=0)
    return np.mean(probabilities.max(-1) > 0.9), probabilities.argmax(-1)


print(f"real digits of the test set: sure of {verdict(x_test)[0]:.3f}, right in {np.mean(verdict(x_test)[1] == y_test):.3f}")

# %% [markdown]
# ## The game
# The losses say little here, since each network's task changes with the other. The judge says more; neither network learns of it.

# %%
draw = np.random.default_rng(run.seed)
count = run.pick(1000, quick=96)
wanted, noise = np.arange(count) % 10, draw.normal(size=(count, NOISE))
stages = run.pick((0, 10, 30, 200), quick=(0, 1))
snapshots = []
for before, epoch in zip((0, *stages), stages, strict=False):
    gan.fit(x_train, y_train, batch_size=64, initial_epoch=before, epochs=epoch, verbose=0)
    made = gan.predict([noise, wanted], verbose=0)
    confident, seen = verdict(made)
    print(f"after {epoch:3} epochs: sure of {confident:.3f}, as asked {np.mean(seen == wanted):.3f}")
    snapshots.append(made[:10])


# %%
def strip(images):
    """Images in a column, with white between them."""
    return np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)), constant_values=-1).reshape(-1, 10)


figure = plt.figure(figsize=(7.5, 4.6))
left, right = figure.subfigures(1, 2, width_ratios=[len(stages), 10])
left.suptitle("after so many epochs", fontsize=9)
right.suptitle("made to order; last row: the nearest real digit", fontsize=9)
for axis, images, epoch in zip(left.subplots(1, len(stages)), snapshots, stages, strict=True):
    axis.imshow(strip(images[:8]), cmap="gray_r")
    axis.set_title(epoch, fontsize=8)
    axis.axis("off")
for digit, axis in enumerate(right.subplots(1, 10)):
    own = made[wanted == digit][:7]
    nearest = x_train[np.square(x_train - own[-1]).sum((1, 2, 3)).argmin()]
    axis.imshow(strip(np.stack([*own, nearest])), cmap="gray_r")
    axis.axhline(69.5, color="tab:orange", linewidth=1)
    axis.set_title(digit, fontsize=8)
    axis.axis("off")
run.end(figure, confident=confident, classes=len(np.unique(seen)), as_asked=np.mean(seen == wanted))
