"""Commands in tones, by their spectrogram

A machine that is commanded by whistles: eight melodies of half a second, whistled high or low, fast or slow, in noise louder than they are. The
samples of a whistle look like nothing; its **spectrogram**, the strength of each frequency at each time, is a picture, and a network for pictures can read it.
The spectrogram is `ops.stft` in a layer, so that the model takes sound as it was recorded and runs on any engine.

The baseline is a convolutional network on the samples themselves, of twice as many weights and trained as long. The picture shows each command in noise that is low enough to see it.

Promises: accuracy ≥ 0.9, better_than_samples_by ≥ 0.2
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## The commands
# The pitch of each over its time, from 0 to 1, in half octaves above where the whistler begins.

# %%
RATE, SAMPLES = 4000, 2048
COMMANDS = {
    "go": lambda t: 2 * t,
    "stop": lambda t: 2 - 2 * t,
    "left": lambda t: 2 * np.abs(2 * t - 1),
    "right": lambda t: 2 - 2 * np.abs(2 * t - 1),
    "stay": lambda t: 1 + 0 * t,
    "call": lambda t: 1 + 0.5 * np.sin(25 * t),
    "up": lambda t: np.where(t < 0.5, 0.3, 1.7),
    "down": lambda t: np.where(t < 0.5, 1.7, 0.3),
}


def whistles(count, noise=1.5):
    """Sounds `(count, SAMPLES)`, and which command each is."""
    command = rng.integers(len(COMMANDS), size=count)
    length = rng.uniform(0.6, 0.9, (count, 1))
    begin_at = rng.uniform(0.05, 0.95 - length)
    t = (np.arange(SAMPLES) / SAMPLES - begin_at) / length
    pitch = np.select([command[:, None] == i for i in range(len(COMMANDS))], [of(t) for of in COMMANDS.values()])
    frequency = rng.uniform(350, 650, (count, 1)) * 2 ** (pitch / 2)
    loudness = np.clip(20 * np.minimum(t, 1 - t), 0, 1)
    sound = loudness * np.sin(2 * np.pi * np.cumsum(frequency, axis=1) / RATE + rng.uniform(0, 6.3, (count, 1)))
    return (sound + rng.normal(scale=noise, size=sound.shape)).astype("float32"), command


x, y = whistles(run.pick(2000, quick=128))
x_test, y_test = whistles(run.pick(1000, quick=96))

# %% [markdown]
# ## The spectrogram as a layer
# 128 samples at a time, in steps of 64; the logarithm, since ears and noise are proportional.


# %%
class Spectrogram(layers.Layer):
    """The logarithm of the strength of each frequency: `(batch, samples)` becomes `(batch, times, frequencies)`."""

    def call(self, sound):
        real, imaginary = ops.stft(sound, sequence_length=128, sequence_stride=64, fft_length=128)
        return ops.log(real**2 + imaginary**2 + 1.0)


def train(*front):
    """A network that begins with these layers, trained."""
    keras.utils.set_random_seed(run.seed)
    model = keras.Sequential([keras.Input((SAMPLES,)), *front, layers.Dropout(0.3), layers.Dense(len(COMMANDS), activation="softmax")])
    epochs = run.pick(8, quick=1)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(x) // 64))
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
    print(f"{model.count_params():,} weights: {accuracy:.3f} right")
    return model, accuracy


def pictures():
    """Convolutions over times and frequencies."""
    yield layers.BatchNormalization()
    yield layers.Reshape((-1, 65, 1))
    for filters in (16, 32):
        yield layers.Conv2D(filters, 3, padding="same", activation="relu")
        yield layers.MaxPooling2D()
    yield layers.Conv2D(32, 3, padding="same", activation="relu")
    yield layers.MaxPooling2D((1, 2))
    yield layers.Flatten()


def samples():
    """Convolutions over samples."""
    yield layers.Reshape((SAMPLES, 1))
    for filters in (16, 32, 64):
        yield layers.Conv1D(filters, 16, strides=4, padding="same", activation="relu")
    yield layers.Flatten()


model, accuracy = train(Spectrogram(), *pictures())
_, baseline = train(*samples())

# %% [markdown]
# ## What the network sees

# %%
clear, which = whistles(200, noise=0.5)
strength = ops.convert_to_numpy(Spectrogram()(clear))
figure, axes = plt.subplots(2, 4, figsize=(7.5, 3.6), sharex=True, sharey=True)
for index, (axis, name) in enumerate(zip(axes.flat, COMMANDS, strict=True)):
    axis.imshow(strength[which == index][0].T, origin="lower", aspect="auto", extent=(0, SAMPLES / RATE, 0, RATE / 2), cmap="gray_r", interpolation="nearest")
    axis.set_title(name, fontsize=9)
figure.supxlabel("seconds", fontsize=9, y=0.03)
figure.supylabel("Hz", fontsize=9)
figure.tight_layout()
run.end(figure, accuracy=accuracy, better_than_samples_by=accuracy - baseline)
