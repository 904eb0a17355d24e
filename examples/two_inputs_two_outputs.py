"""Two inputs and two outputs, by the functional API

A picture of a digit and the name of an operation go in; which digit it is, and what the operation makes of it, come out. Nobody tells the
second output what the picture shows: both share the convolutions that look at it. A model of several inputs and outputs is called with
dictionaries, and losses, their weights and metrics are given by the names of the outputs.

The picture shows digits that the network has never seen, each with an operation and the result that the network gives for it. The
baseline knows the operation alone, and answers with its mean result.

Promises: digit_accuracy ≥ 0.97, result_error ≤ 1, times_better_than_baseline ≥ 8
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits

run = begin(__doc__)

# %% [markdown]
# ## The data
# Each image is shown with each of four operations. The test images are never trained on.

# %%
OPERATIONS = {"twice": lambda d: 2 * d, "squared": lambda d: d * d, "minus 7": lambda d: d - 7, "10 minus it": lambda d: 10 - d}


def questions(images, labels):
    """Every image with every operation: inputs and targets, by their names."""
    image = np.repeat(images, len(OPERATIONS), axis=0)
    digit = np.repeat(labels, len(OPERATIONS)).astype("int32")
    operation = np.tile(np.arange(len(OPERATIONS), dtype="int32"), len(images))
    result = np.select([operation == i for i in range(len(OPERATIONS))], [f(digit) for f in OPERATIONS.values()])
    return {"image": image, "operation": operation}, {"digit": digit, "result": result.astype("float32")[:, None]}


known, unknown = digits.load_data()
x, y = questions(*(part[: run.pick(None, quick=64)] for part in known))
x_test, y_test = questions(*unknown)
print({name: value.shape for name, value in {**x, **y}.items()})

# %% [markdown]
# ## The model
# A graph of layers: `seen` is used twice. The names of the inputs are the keys of `x`, those of the last layers the keys of `y`.

# %%
image = keras.Input((8, 8), name="image")
operation = keras.Input((), name="operation", dtype="int32")

pixels = layers.Reshape((8, 8, 1))(layers.Rescaling(1 / 16)(image))
shapes = layers.MaxPooling2D()(layers.Conv2D(32, 3, padding="same", activation="relu")(pixels))
shapes = layers.Conv2D(64, 3, padding="same", activation="relu")(shapes)
seen = layers.Dense(64, activation="relu")(layers.Flatten()(shapes))
asked = layers.Embedding(len(OPERATIONS), 16)(operation)
both = layers.Dense(128, activation="relu")(layers.Concatenate()([seen, asked]))

model = keras.Model(
    inputs={"image": image, "operation": operation},
    outputs={
        "digit": layers.Dense(10, activation="softmax", name="digit")(layers.Dropout(0.2)(seen)),
        "result": layers.Dense(1, name="result")(both),
    },
)
model.summary()

# %% [markdown]
# ## Training
# A result may be wrong by tens, a probability's loss is about 1: the weights bring the two to the same size.

# %%
epochs = run.pick(15, quick=1)
steps = epochs * -(-len(x["image"]) // 64)
model.compile(
    optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
    loss={"digit": "sparse_categorical_crossentropy", "result": "huber"},
    loss_weights={"digit": 1.0, "result": 0.2},
    metrics={"digit": ["accuracy"], "result": ["mean_absolute_error"]},
)
model.fit(x, y, batch_size=64, epochs=epochs, verbose=2)

# %% [markdown]
# ## What it learned

# %%
scores = model.evaluate(x_test, y_test, verbose=0, return_dict=True)
error = scores["result_mean_absolute_error"]
means = np.array([y["result"][x["operation"] == i].mean() for i in range(len(OPERATIONS))])
baseline = np.abs(y_test["result"][:, 0] - means[x_test["operation"]]).mean()
print(f"mean error of the result: {error:.2f}; of the baseline {baseline:.2f}")

figure, axes = plt.subplots(2, 6, figsize=(7.5, 3.2))
for axis, index in zip(axes.flat, np.random.default_rng(run.seed).permutation(len(x_test["image"]))[:12], strict=True):
    answer = model.predict({name: value[index : index + 1] for name, value in x_test.items()}, verbose=0)
    axis.imshow(x_test["image"][index], cmap="gray_r")
    axis.set_title(f"{list(OPERATIONS)[x_test['operation'][index]]}:\n{answer['result'][0, 0]:.1f}, truly {y_test['result'][index, 0]:.0f}", fontsize=8)
    axis.axis("off")
figure.tight_layout()
run.end(figure, digit_accuracy=scores["digit_accuracy"], result_error=error, times_better_than_baseline=baseline / error)
