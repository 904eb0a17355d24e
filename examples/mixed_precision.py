"""Mixed precision: half the bits

Numbers of 16 bits take half the memory of those of 32, and processors made for them multiply them several times as fast. With `mixed_bfloat16` the layers
compute in 16 bits, while the weights, which small steps have to add up in, stay in 32 ([Micikevicius et al. 2018](https://arxiv.org/abs/1710.03740)).
`float16` has finer steps and a smaller range, so that small gradients would vanish: the loss is scaled up before, and the gradients down after.

Three models of one shape are trained from the same weights: the quality, the bytes of what the layers hand on for a batch, and the seconds are measured. Most CPUs
have no arithmetic for 16 bits and convert to and fro: there it saves memory, not time. The seconds below are those of the machine that made this page.

Promises: accuracy_float32 ≥ 0.97, accuracy_bfloat16 ≥ 0.96, accuracy_float16 ≥ 0.96, bytes_of_float32 ≤ 0.55
"""

import time

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)
(x, y), (x_test, y_test) = digits.load_data()
x, y, x_test, y_test = (part[: run.pick(len(part), quick=256)] for part in (x, y, x_test, y_test))

# %% [markdown]
# ## The model
# The last layer computes in float32: a loss is a sum of many small numbers. Nothing else is said in the model; the policy in force when it is made decides.


# %%
def make():
    """A convolutional network for digits."""
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax", dtype="float32"),
        ]
    )


def bytes_of_activations(model):
    """What the layers hand on for a batch of 64: measured on the arrays themselves."""
    seen = keras.Model(model.inputs, [layer.output for layer in model.layers])
    return sum(
        np.dtype("float32").itemsize // (1 if "32" in keras.backend.standardize_dtype(a.dtype) else 2) * int(np.prod(a.shape))
        for a in seen.predict_on_batch(x[:64])
    )


# %% [markdown]
# ## Three trainings
# The first epoch, in which the engine compiles, does not count for the seconds.

# %%
results, curves = {}, {}
for policy in ("float32", "mixed_bfloat16", "mixed_float16"):
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(run.seed)
    model = make()
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    first = model.fit(x, y, batch_size=64, epochs=1, verbose=0).history["loss"]
    began = time.perf_counter()
    epochs = run.pick(15, quick=2)
    curves[policy] = first + model.fit(x, y, batch_size=64, initial_epoch=1, epochs=epochs, verbose=0).history["loss"]
    seconds = (time.perf_counter() - began) / (epochs - 1)
    results[policy] = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"], bytes_of_activations(model), seconds
    assert all(weight.dtype == "float32" for weight in model.trainable_variables)
keras.config.set_dtype_policy("float32")

# %% [markdown]
# ## What it costs, and what it saves

# %%
print(f"{'policy':15} accuracy  kilobytes  seconds per epoch")
for policy, (accuracy, size, seconds) in results.items():
    print(f"{policy:15} {accuracy:8.3f} {size / 1000:10.0f} {seconds:18.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3), width_ratios=(2, 1))
for (policy, curve), style in zip(curves.items(), ("-", "--", ":"), strict=True):
    left.plot(range(1, len(curve) + 1), curve, style, label=f"{policy}: {results[policy][0]:.1%}", linewidth=2)
left.set(xlabel="epoch", ylabel="loss", yscale="log", title="the loss, and the accuracy on test digits")
left.legend(fontsize=8)
left.grid(alpha=0.3)
right.bar(["float32", "bfloat16", "float16"], [size / 1000 for _, size, _ in results.values()], color=["tab:blue", "tab:orange", "tab:green"])
right.set(title="kilobytes of activations")
right.tick_params(labelsize=8)
figure.tight_layout()
accuracies = {f"accuracy_{policy.removeprefix('mixed_')}": accuracy for policy, (accuracy, _, _) in results.items()}
sizes = [size for _, size, _ in results.values()]
run.end(figure, **accuracies, bytes_of_float32=max(sizes[1:]) / sizes[0])
