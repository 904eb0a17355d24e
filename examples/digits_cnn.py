"""Handwritten digits, by a convolutional network

The same digits as in the [multilayer perceptron](digits_mlp), read by a network that knows that they are images. A convolution looks
for one small pattern at every place, so a stroke that is learned in one corner is known in all of them; pooling keeps that a pattern
was found and forgets where exactly ([LeCun et al., 1998](https://doi.org/10.1109/5.726791)).

The picture shows one digit, the 16 maps that the first layer makes of it (each bright where its pattern of 3 × 3 pixels was found),
and the digits of the test set to whose true class it gave the least probability.

Promises: accuracy ≥ 0.98
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
# Images of 8 × 8 pixels. A convolution wants an axis of channels as well: one here, since they are grey.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=256)] for part in (x_train, y_train, x_test, y_test))
x_train, x_test = x_train[..., None] / 16, x_test[..., None] / 16

# %% [markdown]
# ## The network
# Each convolution sees further than the one before; after pooling, a step is two pixels. The last pooling is over the whole image,
# so that the classifier is told which patterns there are.

# %%
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", activation="relu", name="patterns"),
        layers.Conv2D(32, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()

# %% [markdown]
# The steps become small at the end: the rate follows half a cosine down to zero.

# %%
epochs = run.pick(30, quick=2)
rate = keras.optimizers.schedules.CosineDecay(3e-3, decay_steps=epochs * (len(x_train) // 32))
model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=32, epochs=epochs, verbose=2)
accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]

# %% [markdown]
# ## What it sees
# A model of the same layers that ends at the first one shows what they hand on.

# %%
shown = x_test[y_test == 3][:1]
maps = keras.Model(model.inputs, model.get_layer("patterns").output).predict(shown, verbose=0)[0]
probabilities = model.predict(x_test, verbose=0)
hardest = np.argsort(probabilities[np.arange(len(y_test)), y_test])[:6]

figure = plt.figure(figsize=(7.5, 3.4))
left, middle, right = figure.subfigures(1, 3, width_ratios=[1.1, 2, 2])
axis = left.subplots()
axis.imshow(shown[0, ..., 0], cmap="gray_r")
axis.set_title("the image", fontsize=9)
axis.axis("off")
middle.suptitle("what the first layer makes of it", fontsize=9)
for axis, image in zip(middle.subplots(4, 4).flat, maps.transpose(2, 0, 1), strict=True):
    axis.imshow(image, cmap="magma")
    axis.axis("off")
right.suptitle(f"the hardest of {len(y_test)}: what they are, and what it sees", fontsize=9)
for axis, index in zip(right.subplots(2, 3).flat, hardest, strict=True):
    seen = probabilities[index].argmax()
    axis.imshow(x_test[index, ..., 0], cmap="gray_r")
    axis.set_title(f"{y_test[index]}: {seen} by {probabilities[index, seen]:.0%}", fontsize=7, color="black" if seen == y_test[index] else "tab:red")
    axis.axis("off")
run.end(figure, accuracy=accuracy)
