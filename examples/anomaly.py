"""What is not as usual: anomalies in sensors

There are many recordings of a machine that runs well, and hardly any of one that fails; and the next failure will be another one. So nothing is
learned about failures. An autoencoder learns to pass a piece of the recording through five numbers and to give it back. It learns how
vibration, current and temperature belong together when all is well. What it cannot give back is not as usual.

The machine is made: three sensors that follow its load, with noise. Its faults are small: the vibration lags behind, a harmonic
is missing, the current no longer follows the load. No sensor leaves its usual range, so the baseline, the largest deviation from the mean
in standard deviations, sees little.

The picture shows four minutes with three faults (shaded), and below them the error of what was given back.

Promises: auc ≥ 0.97, better_than_range_by ≥ 0.4
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## The machine
# Sixteen readings are a second's; a piece has 32 readings of three sensors.

# %%
LENGTH = 32
FAULTS = ("lag", "harmonic", "load")


def record(pieces, faults):
    """Readings `(pieces * LENGTH, 3)`; `faults` gives each piece's fault, or -1."""
    t = np.arange(pieces * LENGTH) / 16
    fault = np.repeat(faults, LENGTH)
    load = 1 + 0.4 * np.sin(t / 7 + rng.uniform(0, 6)) + 0.2 * np.sin(t / 2.3 + rng.uniform(0, 6))
    turn = 2 * np.pi * np.cumsum(0.8 + 0.25 * load) / 16
    lag = np.where(fault == 0, 0.9, 0.0)
    vibration = load * (np.sin(turn - lag) + np.where(fault == 1, 0.0, 0.5) * np.sin(2 * turn - lag))
    current = np.where(fault == 2, 2.0 - load, load) + 0.3 * np.cos(turn)
    warmth = np.convolve(np.pad(load, (24, 23), mode="edge"), np.ones(48) / 48, mode="valid")
    return (np.stack([vibration, current, warmth], axis=-1) + rng.normal(scale=0.05, size=(len(t), 3))).astype("float32")


def pieces_of(readings):
    """The readings as pieces."""
    return readings.reshape(-1, LENGTH, 3)


count, count_later = run.pick((4000, 2000), quick=(384, 192))
usual = pieces_of(record(count, np.full(count, -1)))
faults = np.where(rng.random(count_later) < 0.15, rng.integers(3, size=count_later), -1)
later = pieces_of(record(count_later, faults))

# %% [markdown]
# ## Through five numbers, and back

# %%
normalize = layers.Normalization()
normalize.adapt(usual)
usual, later = (keras.ops.convert_to_numpy(normalize(part)) for part in (usual, later))
model = keras.Sequential(
    [
        keras.Input((LENGTH, 3)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(64, activation="relu"),
        layers.Dense(5, name="code"),
        layers.Dense(64, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(LENGTH * 3),
        layers.Reshape((LENGTH, 3)),
    ]
)
epochs = run.pick(80, quick=3)
model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, epochs * -(-len(usual) // 64))), "mse")
history = model.fit(usual, usual, batch_size=64, epochs=epochs, verbose=0)
print(f"mean squared error of what is given back: {history.history['loss'][-1]:.3f} of 1")

# %% [markdown]
# ## Is it told from the usual?
# The area under the curve: how often a piece with a fault has a larger error than one without.


# %%
def area(score, positive):
    """The probability that a positive scores higher than a negative."""
    metric = keras.metrics.AUC(num_thresholds=2000)
    ranks = np.argsort(np.argsort(score)) / len(score)
    metric.update_state(positive.astype("float32"), ranks.astype("float32"))
    return float(metric.result())


error = ((model.predict(later, verbose=0) - later) ** 2).mean((1, 2))
auc, by_range = area(error, faults >= 0), area(np.abs(later).max((1, 2)), faults >= 0)
for i, name in enumerate(FAULTS[: run.pick(3, quick=1)]):
    some = (faults == i) | (faults == -1)
    print(f"{name}: {area(error[some], faults[some] == i):.3f}")
print(f"all: {auc:.3f}; by the range of the sensors {by_range:.3f}")

faults = np.full(120, -1)
faults[[*range(25, 31), *range(55, 61), *range(90, 96)]] = np.repeat([0, 1, 2], 6)
shown = keras.ops.convert_to_numpy(normalize(pieces_of(record(120, faults))))
error_shown = ((model.predict(shown, verbose=0) - shown) ** 2).mean((1, 2))
figure, axes = plt.subplots(4, 1, figsize=(7.5, 4), sharex=True, height_ratios=(1, 1, 1, 1.6))
seconds = np.arange(120 * LENGTH) / 16
for axis, name, values in zip(axes, ("vibration", "current", "warmth"), shown.reshape(-1, 3).T, strict=False):
    axis.plot(seconds, values, linewidth=0.4)
    axis.set(yticks=[], ylim=(-4, 4))
    axis.set_ylabel(name, rotation=0, ha="right", va="center")
axes[3].step(seconds[::LENGTH], error_shown, where="post", color="tab:red")
axes[3].axhline(np.quantile(error, 0.85), linestyle="--", color="black", linewidth=0.8)
axes[3].set(xlabel="seconds", yscale="log")
axes[3].set_ylabel("error", rotation=0, ha="right", va="center")
for axis in axes:
    for start, name in ((25, "lag"), (55, "harmonic"), (90, "load")):
        axis.axvspan(start * 2, (start + 6) * 2, color="tab:orange", alpha=0.2, linewidth=0)
        if axis is axes[0]:
            axis.text(start * 2 + 6, 4.3, name, ha="center", fontsize=8)
run.end(figure, auc=auc, better_than_range_by=auc - by_range)
