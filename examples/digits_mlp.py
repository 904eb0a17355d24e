"""Handwritten digits, by a multilayer perceptron

The smallest network that is of use: 64 pixels in, one hidden layer, ten probabilities out. The 1,797 digits of
[Alpaydin and Kaynak (1998)](https://doi.org/10.24432/C50P49) come with the library; 360 of them are never trained on.

The picture shows the digits that the network had most trouble with.

Promises: accuracy ≥ 0.96
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
# Images of 8 × 8 pixels with 17 shades of grey, and which digit each is.

# %%
(x_train, y_train), (x_test, y_test) = digits.load_data()
x_train, y_train, x_test, y_test = (part[: run.pick(len(part), quick=256)] for part in (x_train, y_train, x_test, y_test))
print(x_train.shape, y_train.shape)

# %% [markdown]
# ## The network
# `Rescaling` is part of the model, so that whoever uses the saved model need not know about it.

# %%
model = keras.Sequential(
    [
        keras.Input((8, 8)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=64, epochs=run.pick(40, quick=2), verbose=2)

# %% [markdown]
# ## What it learned
# Accuracy on digits that it has not seen, and the twelve to whose true class it gave the least probability.

# %%
accuracy = model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]
probabilities = model.predict(x_test, verbose=0)
hardest = np.argsort(probabilities[np.arange(len(y_test)), y_test])[:12]

figure, axes = plt.subplots(2, 6, figsize=(7.5, 3))
for axis, index in zip(axes.flat, hardest, strict=True):
    axis.imshow(x_test[index], cmap="gray_r")
    axis.set_title(f"{y_test[index]}, taken for {probabilities[index].argmax()}", fontsize=8)
    axis.axis("off")
run.end(figure, accuracy=accuracy)
