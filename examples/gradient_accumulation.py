"""Gradient accumulation: the batch that does not fit

A batch too large for the memory is cut into parts. The gradients of four batches of 16 are averaged, and one step is made with them:
`gradient_accumulation_steps=4` of the optimizer. It is the step of one batch of 64, with a quarter of the memory for activations. That it is
the same step and not merely a similar one is what this page measures, by training both from the same weights on the same samples.

Two things are not the same, here as elsewhere: batch normalisation sees 16 samples and not 64, and dropout draws other numbers. The network here has neither.

The picture shows both curves, and a third of steps with 16 samples without accumulation, which is a different training.

Promises: difference_of_weights ≤ 1e-4, difference_of_losses ≤ 1e-4, accuracy ≥ 0.95
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
(x, y), (x_test, y_test) = digits.load_data()
x_test, y_test = (part[: run.pick(len(part), quick=64)] for part in (x_test, y_test))
x, y = x[:1408], y[:1408]  # 22 batches of 64: with a remainder, the last step would see fewer samples in the one run than in the other

# %% [markdown]
# ## Three trainings
# The seed gives the same weights and the same order of the samples each time, so that four batches of 16 hold what one of 64 does.


# %%
def train(batch_size, accumulated):
    """The curve of losses, and the model."""
    keras.utils.set_random_seed(run.seed)
    model = keras.Sequential([keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Flatten(), layers.Dense(64, activation="tanh"), layers.Dense(10)])
    optimizer = keras.optimizers.SGD(0.2, momentum=0.9, gradient_accumulation_steps=accumulated)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(x, y, batch_size=batch_size, epochs=run.pick(20, quick=3), verbose=0)
    return np.array(history.history["loss"]), model


(whole, model), (parts, accumulating), (small, _) = train(64, None), train(16, 4), train(16, None)

# %% [markdown]
# ## Are they the same?
# The loss of an epoch is that of its batches *before* their steps: with 16 samples at a time, a batch sees the weights that the large batch sees.

# %%
weights = max(float(np.abs(a - b).max()) for a, b in zip(model.get_weights(), accumulating.get_weights(), strict=True))
losses = float(np.abs(whole - parts).max())
accuracy = accumulating.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
print(f"weights differ by {weights:.1e} at most, losses by {losses:.1e}; without accumulation by {np.abs(whole - small).max():.1e}")

figure, axis = plt.subplots(figsize=(7, 3))
epochs = np.arange(1, len(whole) + 1)
axis.plot(epochs, whole, linewidth=5, alpha=0.35, label="64 samples a step")
axis.plot(epochs, parts, "--", color="black", label="4 × 16 samples a step, accumulated")
axis.plot(epochs, small, color="tab:orange", label="16 samples a step")
axis.set(xlabel="epoch", ylabel="loss", yscale="log", xticks=epochs[:: max(1, len(epochs) // 5)])
axis.legend(fontsize=8)
axis.grid(alpha=0.3)
run.end(figure, difference_of_weights=weights, difference_of_losses=losses, accuracy=accuracy)
