"""A population: many trainings as one

Which learning rate, and was it luck? To know, one trains for several rates, and several times for each. Small models leave a machine idle
between their steps; [`keras.Population`](../guides/population.md) makes the steps of all variants one compiled program, on JAX and on PyTorch. Each
variant ends with the weights that it would have by itself, which is measured here as well.

The picture shows the accuracy on digits that were held out, for eight learning rates with four seeds each: how good a rate is, and how much is luck.

Promises: best_accuracy ≥ 0.97, times_faster ≥ 2, difference_from_alone ≤ 1e-3
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
(x, y), test = ([part[: run.pick(len(part), quick=256)] for part in parts] for parts in digits.load_data())
epochs = run.pick(15, quick=2)

# %% [markdown]
# ## Eight rates, four seeds
# A function makes one compiled model from the values of a variant.


# %%
def make(rate):
    """A network for digits, whose learning rate is `rate`."""
    model = keras.Sequential(
        [keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(48, "relu"), layers.Dropout(0.1), layers.Dense(10, "softmax")]
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


rates = run.pick(np.geomspace(1e-4, 0.3, 8), quick=np.geomspace(1e-3, 1e-2, 2))
seeds = run.seed + np.arange(run.pick(4, quick=2))
variants = [{"rate": float(rate)} for rate in rates for _ in seeds]


def seconds(fit, *args):
    """How long the epochs after the first take, in which all is compiled."""
    options = {"batch_size": 32, "validation_data": test, "verbose": 0}
    fit(*args, epochs=1, **options)
    began = time.perf_counter()
    histories = fit(*args, epochs=epochs, initial_epoch=1, **options)
    return time.perf_counter() - began, histories


population = keras.Population(make, variants, seeds=np.tile(seeds, len(rates)).tolist())
together, histories = seconds(population.fit, x, y)
accuracies = np.array([history.history["val_accuracy"][-1] for history in histories]).reshape(len(rates), len(seeds))
print(f"{len(variants)} variants together: {together:.1f} s")

# %% [markdown]
# ## The same, one after the other
# Three of the variants, each by itself after its seed was set. Their rates are small: where a rate is too large, the last digit of a number grows
# to another result, on any engine and by any order of adding.

# %%
alone, difference = [], 0.0
for index in run.pick((0, len(variants) // 4, len(variants) // 2 - 1), quick=(0,)):
    keras.utils.set_random_seed(int(population.seeds[index]))
    model = make(**variants[index])
    took, history = seconds(model.fit, x, y)
    alone.append(took)
    difference = max(difference, abs(history.history["val_accuracy"][-1] - accuracies.flat[index]))
faster = np.mean(alone) * len(variants) / together
print(f"one alone: {np.mean(alone):.2f} s, so all of them {np.mean(alone) * len(variants):.1f} s: {faster:.1f} times as long")

best = population.best("val_accuracy")
print(f"the best is {population.variants[best]} with seed {population.seeds[best]}: {accuracies.max():.3f}")

figure, axis = plt.subplots(figsize=(7, 3))
axis.fill_between(rates, accuracies.min(1), accuracies.max(1), alpha=0.2, label="from the worst seed to the best")
axis.plot(rates, accuracies.mean(1), marker="o", label="mean")
axis.plot(np.repeat(rates, len(seeds)), accuracies.ravel(), ".", color="black", markersize=4, label="each variant")
axis.set(xscale="log", xlabel="learning rate", ylabel="accuracy on held-out digits")
axis.legend(fontsize=8, loc="lower center")
axis.grid(alpha=0.3)
run.end(figure, best_accuracy=accuracies.max(), times_faster=faster, difference_from_alone=difference)
