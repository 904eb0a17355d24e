"""A plane of digits: the variational autoencoder

Each image becomes not a point but a small cloud in a plane: the encoder says its middle and its widths, the decoder draws the image from a
point of the cloud. A second loss, the Kullback–Leibler divergence, pulls the clouds towards one standard normal distribution, so that no
region of the plane is left empty and any point that is drawn from it becomes a digit. Together the two are a lower bound on
the probability that the model gives to the images ([Kingma and Welling, 2013](https://arxiv.org/abs/1312.6114)).

Two numbers for an image are few. How well they keep what matters is measured by the nearest neighbours in the plane: how often the
majority of the ten nearest training images has the digit's class, though no class was ever told; beside it, the same in the plane of the first two
principal components. `nats` is the bound on the negative logarithm of the probability, for each test image.

The picture shows where the digits came to lie, and what the decoder draws all over the plane.

Promises: neighbours ≥ 0.85, nats ≤ 24.5
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops
from keraunos.datasets import digits

run = begin(__doc__)

# %% [markdown]
# ## The data
# Shades of grey are taken as probabilities that a pixel is black.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=256)] for part in (x_train, y_train, x_test, y_test))
x_train, x_test = x_train.reshape(-1, 64) / 16, x_test.reshape(-1, 64) / 16


# %% [markdown]
# ## A layer that draws
# It moves a draw of the standard normal distribution by the mean and the width, so that gradients reach both, and adds the
# divergence to the losses of the model.


# %%
class Sampling(layers.Layer):
    """Draws a point from a normal distribution, given its mean and the logarithm of its variance."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        mean, log_variance = inputs
        divergence = 0.5 * ops.sum(ops.square(mean) + ops.exp(log_variance) - log_variance - 1, axis=-1)
        self.add_loss(ops.mean(divergence))
        return mean + ops.exp(0.5 * log_variance) * keras.random.normal(ops.shape(mean), seed=self.seeds)


def reconstruction(image, logits):
    """Nats for each image: the cross-entropy, summed over the pixels."""
    return ops.sum(ops.binary_crossentropy(image, logits, from_logits=True), axis=-1)


# %%
image = keras.Input((64,))
x = layers.Dense(256, activation="relu")(image)
x = layers.Dense(128, activation="relu")(x)
mean, log_variance = layers.Dense(2)(x), layers.Dense(2)(x)
encoder = keras.Model(image, mean)
decoder = keras.Sequential(
    [keras.Input((2,)), layers.Dense(128, activation="relu"), layers.Dense(256, activation="relu"), layers.Dense(64)],
    name="decoder",
)
vae = keras.Model(image, decoder(Sampling(seed=run.seed)([mean, log_variance])))

epochs = run.pick(300, quick=2)
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(x_train) // 64))
vae.compile(optimizer=keras.optimizers.Adam(rate), loss=reconstruction)
vae.fit(x_train, x_train, batch_size=64, epochs=epochs, verbose=0)
nats = vae.evaluate(x_test, x_test, verbose=0)


# %% [markdown]
# ## How much the plane knows
def neighbours(known, asked):
    """How often the ten nearest known points have the class of the one that is asked about."""
    nearest = np.linalg.norm(asked[:, None] - known, axis=-1).argsort(-1)[:, :10]
    votes = (y_train[nearest][..., None] == np.arange(10)).sum(1)
    return np.mean(votes.argmax(-1) == y_test)


# %%
known, asked = encoder.predict(x_train, verbose=0), encoder.predict(x_test, verbose=0)
directions = np.linalg.svd(x_train - x_train.mean(0), full_matrices=False)[2][:2]
score, linear = neighbours(known, asked), neighbours(x_train @ directions.T, x_test @ directions.T)
print(f"neighbours of the same class: {score:.3f}; in the plane of two principal components: {linear:.3f}")

# %%
side = np.linspace(-2.3, 2.3, 14)
grid = np.stack(np.meshgrid(side, -side), -1).reshape(-1, 2)
drawn = ops.convert_to_numpy(ops.sigmoid(decoder.predict(grid, verbose=0))).reshape(14, 14, 8, 8).round(1)
figure, (left, right) = plt.subplots(1, 2, figsize=(7.8, 3.7))
dots = left.scatter(*known.T, c=y_train, cmap="tab10", s=5, vmin=-0.5, vmax=9.5)
figure.colorbar(dots, ax=left, ticks=range(10), pad=0.02)
left.set(title="where the digits lie", xlim=(-3.5, 3.5), ylim=(-3.5, 3.5), aspect="equal")
right.imshow(drawn.transpose(0, 2, 1, 3).reshape(112, 112), cmap="gray_r", interpolation="nearest", extent=(-2.3, 2.3, -2.3, 2.3))
right.set_title("what is drawn there")
run.end(figure, neighbours=score, nats=nats)
