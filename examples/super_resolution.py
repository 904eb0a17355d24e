"""Super-resolution: twice as many pixels

An image of 4 × 4 pixels is to become one of 8 × 8. Bilinear interpolation spreads what is there; a network that has seen digits also knows
what strokes look like. It works on the small image and ends with four numbers for each pixel, which `depth_to_space` lays out as two by
two: the sub-pixel convolution of [Shi et al. (2016)](https://arxiv.org/abs/1609.05158). The network adds to the interpolated image only
what that lacks.

Measured is the peak signal-to-noise ratio in decibels on digits that the network has not seen: 3 dB less is half the mean squared error.

The picture shows the small images, both ways to enlarge them, and the real ones.

Promises: psnr ≥ 20, gain ≥ 7
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
# The small images are the means of two by two pixels.

# %%
(x_train, _), (x_test, y_test) = digits.load_data()
x_train, x_test, y_test = (part[: run.pick(len(part), quick=128)] for part in (x_train, x_test, y_test))
large, large_test = x_train[..., None] / 16, x_test[..., None] / 16


def halved(images):
    return images.reshape(len(images), 4, 2, 4, 2, 1).mean((2, 4))


# %% [markdown]
# ## The network
# Ops may be called on the graph's tensors as layers are. `Resizing` makes the baseline.

# %%
small = keras.Input((4, 4, 1))
enlarged = layers.Resizing(8, 8, interpolation="bilinear")(small)
x = layers.Conv2D(96, 3, padding="same", activation="relu")(small)
for _ in range(2):
    x = x + layers.Conv2D(96, 3, padding="same", activation="relu")(x)
x = layers.Conv2D(4, 3, padding="same")(x)
model = keras.Model(small, enlarged + ops.depth_to_space(x, 2))
bilinear = keras.Model(small, enlarged)


def decibels(real, made):
    """The mean over images of the peak signal-to-noise ratio."""
    return float(np.mean(-10 * np.log10(np.square(real - made).mean((1, 2, 3)))))


# %%
epochs = run.pick(60, quick=1)
rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * (len(large) // 32))
model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
model.fit(halved(large), large, batch_size=32, epochs=epochs, verbose=0)

shown = np.array([np.flatnonzero(y_test == digit)[0] for digit in range(10)])
given = halved(large_test)
ways = {"bilinear": bilinear.predict(given, verbose=0), "network": model.predict(given, verbose=0).clip(0, 1)}
psnr = {name: decibels(large_test, images) for name, images in ways.items()}
print({name: round(value, 2) for name, value in psnr.items()}, "dB")

# %%
figure, axes = plt.subplots(4, 10, figsize=(7.5, 3.4))
rows = {"4 × 4": given, f"bilinear\n{psnr['bilinear']:.1f} dB": ways["bilinear"], f"network\n{psnr['network']:.1f} dB": ways["network"], "real": large_test}
for row, (name, images) in zip(axes, rows.items(), strict=True):
    row[0].set_ylabel(name, fontsize=8, rotation=0, ha="right", va="center")
    for axis, image in zip(row, images[shown], strict=True):
        axis.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
run.end(figure, psnr=psnr["network"], gain=psnr["network"] - psnr["bilinear"])
