"""Noise taken away: a denoising autoencoder

An autoencoder describes an image by a few numbers and draws it again from them. If it is given the image with noise and has to draw it without, it
learns what digits can look like, and so what cannot belong to one ([Vincent et al., 2008](https://doi.org/10.1145/1390156.1390294)). No
labels are needed, only clean images.

It is compared with the best linear method of that kind, principal components: the noisy image is described by its coordinates along the
directions in which digits vary most, as many of them as suit the test images best. Measured is the peak signal-to-noise ratio.

The picture shows real digits, what was given, and what both ways made of it.

Promises: psnr ≥ 16.5, gain ≥ 1.5
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
NOISE = 0.4

# %% [markdown]
# ## The data
# Grey levels from 0 to 1, and normal noise with a standard deviation of 0.4 on each pixel.

# %%
(x_train, _), (x_test, y_test) = digits.load_data()
x_train, x_test, y_test = (part[: run.pick(len(part), quick=128)] for part in (x_train, x_test, y_test))
x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16
noisy = x_test + NOISE * np.random.default_rng(run.seed).normal(size=x_test.shape)

# %% [markdown]
# ## The network
# Encoder and decoder are models of their own, and layers of the third. `GaussianNoise` works in training only: every epoch
# meets the images under new noise, and a prediction takes what it is given.

# %%
encoder = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.Conv2D(64, 3, strides=2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(24),
    ],
    name="encoder",
)
decoder = keras.Sequential(
    [
        keras.Input((24,)),
        layers.Dense(256, activation="relu"),
        layers.Dense(64, activation="sigmoid"),
        layers.Reshape((8, 8, 1)),
    ],
    name="decoder",
)
autoencoder = keras.Sequential([keras.Input((8, 8, 1)), layers.GaussianNoise(NOISE), encoder, decoder])
autoencoder.summary()

# %%
epochs = run.pick(80, quick=1)
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(x_train) // 32))
autoencoder.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
autoencoder.fit(x_train, x_train, batch_size=32, epochs=epochs, verbose=0)

# %% [markdown]
# ## Beside principal components


# %%
def decibels(made):
    """The mean over the test images of the peak signal-to-noise ratio."""
    return float(np.mean(-10 * np.log10(np.square(x_test - made).mean((1, 2, 3)))))


flat = x_train.reshape(-1, 64)
directions = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2]


def by_components(count):
    """The noisy images, by their coordinates along the first directions only."""
    chosen = directions[:count]
    return ((noisy.reshape(-1, 64) - flat.mean(0)) @ chosen.T @ chosen + flat.mean(0)).clip(0, 1).reshape(x_test.shape)


count = max(range(1, 65), key=lambda count: decibels(by_components(count)))
ways = {"real": x_test, "given": noisy, f"{count} principal\ncomponents": by_components(count), "autoencoder": autoencoder.predict(noisy, verbose=0)}
psnr = {name: decibels(images) for name, images in ways.items() if name != "real"}
print({name.replace("\n", " "): round(value, 2) for name, value in psnr.items()}, "dB")

# %%
figure, axes = plt.subplots(4, 10, figsize=(7.5, 3.4))
for row, (name, images) in zip(axes, ways.items(), strict=True):
    row[0].set_ylabel(name + (f"\n{psnr[name]:.1f} dB" if name in psnr else ""), fontsize=8, rotation=0, ha="right", va="center")
    for digit, axis in enumerate(row):
        axis.imshow(images[np.flatnonzero(y_test == digit)[1], ..., 0], cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
_, linear, network = psnr.values()
run.end(figure, psnr=network, gain=network - linear)
