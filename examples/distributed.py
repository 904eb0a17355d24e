"""Data parallel: one model over four devices

One line divides training among the devices that there are: each has all weights and takes its part of every batch, and what they find is added
together before the weights change. Because the loss and the statistics of `BatchNormalization` are those of the whole batch, nothing else changes: the
curves are those of one device, but for the rounding of sums that are added in another order.

So that this runs anywhere, the four devices are made up of one CPU, which gains no time by it. On a machine with several GPUs or TPU cores the program is
the same without its first lines; over several machines it begins with `keras.distribution.initialize`. JAX divides the program
([Xu et al., 2021](https://arxiv.org/abs/2105.04663)), so that this example is for JAX alone.

The picture shows both runs, and which part of a batch and of a weight lies on which device.

Promises: accuracy ≥ 0.96, difference ≤ 1e-4, devices ≥ 4
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"  # before JAX starts

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import distribution, layers
from keraunos.datasets import digits

run = begin(__doc__)
if run.backend != "jax":
    raise SystemExit("This example divides a program among devices, which JAX does: --backend jax")
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=128)] for part in (x_train, y_train, x_test, y_test))


# %% [markdown]
# ## The same model, twice
# `train` knows nothing of devices.


# %%
def train():
    keras.utils.set_random_seed(run.seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train[..., None], y_train, batch_size=64, epochs=run.pick(12, quick=2), verbose=0)
    return model, history.history["loss"]


alone, losses_alone = train()

# %% [markdown]
# ## Over four devices
# Variables that are made from here on are on all devices, and each batch of 64 is divided in four.

# %%
data_parallel = distribution.DataParallel(devices=distribution.list_devices("cpu"))
distribution.set_distribution(data_parallel)
together, losses_together = train()

difference = np.abs(np.subtract(losses_alone, losses_together)).max()
accuracy = together.evaluate(x_test[..., None], y_test, verbose=0, return_dict=True)["accuracy"]
print(f"loss on one device {losses_alone[-1]:.6f}, on {len(distribution.list_devices())} {losses_together[-1]:.6f}")

# %% [markdown]
# ## What is where
# `DataParallel` keeps weights whole. A `LayoutMap` divides those whose paths it names among devices, too: here two devices share each batch, and the two
# halves of the hidden layer are on two others. Where a tensor lies is asked of JAX.


# %%
def parts(tensor):
    return {shard.device.id: shard.index for shard in tensor.addressable_shards}


batch = data_parallel.batch(x_train[:64].reshape(64, 64))
mesh = distribution.DeviceMesh((2, 2), ["batch", "model"])
layout_map = distribution.LayoutMap(mesh)
layout_map["hidden/kernel"] = (None, "model")
with distribution.ModelParallel(layout_map=layout_map).scope():
    divided = keras.models.clone_model(together)
kernel = divided.get_layer("hidden").kernel.value

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(8.5, 3), width_ratios=(2, 1, 1), layout="constrained")
left.plot(range(1, len(losses_alone) + 1), losses_alone, color="#0072b2", linewidth=5, alpha=0.4, label="one device")
left.plot(range(1, len(losses_alone) + 1), losses_together, color="#d55e00", linewidth=1.5, label="four devices")
left.set(xlabel="epoch", ylabel="loss", yscale="log", title=f"largest difference {difference:.0e}")
left.legend(frameon=False)
for axis, tensor, title, names in (
    (middle, batch, "a batch, data parallel", ("sample", "pixel")),
    (right, kernel, "a weight, model parallel", ("input", "unit")),
):
    shown = np.zeros(tensor.shape)
    for device, index in parts(tensor).items():
        shown[index] = device
        print(f"{title}: device {device} has {', '.join(f'{s.start or 0}:{s.stop or n}' for s, n in zip(index, tensor.shape, strict=True))}")
    axis.imshow(shown, cmap="Set2", vmin=0, vmax=7, aspect="auto", interpolation="nearest")
    axis.set_title(title, fontsize=10)
    axis.set(ylabel=names[0], xlabel=names[1], xticks=[], yticks=[])
    rows = {}
    for device, (rows_of, columns) in parts(tensor).items():
        place = ((columns.start or 0) + (columns.stop or tensor.shape[1])) / 2, ((rows_of.start or 0) + (rows_of.stop or tensor.shape[0])) / 2
        rows.setdefault(place, []).append(device)
    for (x, y), devices in rows.items():
        axis.text(x, y, f"device{'s' if len(devices) > 1 else ''} {', '.join(map(str, sorted(devices)))}", ha="center", va="center", fontsize=8)
run.end(figure, accuracy=accuracy, difference=difference, devices=kernel.sharding.num_devices)
