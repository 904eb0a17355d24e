"""Forecasting the sales of shops, four weeks ahead

Two hundred shops with sales for three years of days: a trend, a rhythm of the week and one of the year, each shop's own, and
noise. One network learns from all of them. It sees eight weeks and the time of the year, and tells of each of the next 28 days the median and the bounds
of an interval that holds four of five days. These are quantiles; each is learned by the pinball loss of
[Koenker and Bassett (1978)](https://doi.org/10.2307/1913643).

A forecast is worth nothing unless it beats the simple one, here that each day will be as the same day of the last week. The measure is
the mean absolute scaled error of [Hyndman and Koehler (2006)](https://doi.org/10.1016/j.ijforecast.2006.03.001), in which the error of a
one-week-old value is 1. The picture shows the forecasts for one shop.

Promises: mase ≤ 0.8, of_the_baseline ≤ 0.82, coverage_error ≤ 0.06
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
generator = np.random.default_rng(run.seed)
SHOPS, DAYS, PAST, AHEAD = run.pick(200, quick=20), 3 * 365, 56, 28
QUANTILES = np.array([0.1, 0.5, 0.9], "float32")

# %% [markdown]
# ## Three years of sales
# Sales multiply: a good week in a good season is good twice. The noise has a memory of some days.

# %%
day = np.arange(DAYS)


def each(low, high, size=1):
    """One number a shop."""
    return generator.uniform(low, high, (SHOPS, size))


week = np.exp(generator.normal(0, 0.25, (SHOPS, 7)))[:, day % 7]
year = np.exp(each(0.1, 0.5) * np.sin(2 * np.pi * (day / 365 - each(0.2, 0.4))))
trend = np.exp(np.cumsum(generator.normal(0, 0.002, (SHOPS, DAYS)), 1) + each(-0.2, 0.4) * day / 365)
noise = generator.normal(0, 0.12, (SHOPS, DAYS))
for t in range(1, DAYS):
    noise[:, t] += 0.3 * noise[:, t - 1]
sales = each(50, 500) * week * year * trend * np.exp(noise)

# %% [markdown]
# ## Windows
# The last 28 days of each shop are for the test, and the 28 before them for validation. The network works with logarithms relative
# to the mean of the window, so that a large shop is as a small one.

# %%


def windows(starts):
    """What is seen, what comes then, in logarithms, and the mean that both are relative to."""
    past = np.log(np.concatenate([sales[:, s : s + PAST] for s in starts]))
    future = np.log(np.concatenate([sales[:, s + PAST : s + PAST + AHEAD] for s in starts]))
    angle = 2 * np.pi * np.repeat(np.array(starts) + PAST, SHOPS)[:, None] / 365
    mean = past.mean(1, keepdims=True)
    return {"past": past - mean, "season": np.hstack([np.sin(angle), np.cos(angle)])}, future - mean, mean


last = DAYS - PAST - AHEAD
x_train, y_train, _ = windows(range(0, last - 2 * AHEAD + 1, 9))
x_validation, y_validation, _ = windows([last - AHEAD])
x_test, y_test, mean = windows([last])

# %% [markdown]
# ## The network
# It corrects the simple forecast: what it adds to last week is small, and zero to begin with.

# %%


@keras.saving.register_keras_serializable("gallery")
def pinball(y, quantiles):
    """Too low costs the quantile, too high what it lacks of 1."""
    share, error = ops.convert_to_tensor(QUANTILES), ops.expand_dims(y, -1) - quantiles
    return ops.mean(ops.maximum(share * error, (share - 1) * error), axis=(-2, -1))


past, season = keras.Input((PAST,), name="past"), keras.Input((2,), name="season")
x = layers.Concatenate()([past, season])
for _ in range(2):
    x = layers.Dense(128, activation="gelu")(x)
    x = layers.Dropout(0.1)(x)
change = layers.Reshape((AHEAD, len(QUANTILES)))(layers.Dense(AHEAD * len(QUANTILES), kernel_initializer="zeros")(x))
simple = layers.Reshape((AHEAD, 1))(ops.tile(past[:, -7:], (1, AHEAD // 7)))
model = keras.Model([past, season], simple + change)
model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, run.pick(40 * 171, quick=50))), pinball)
stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
model.fit(x_train, y_train, validation_data=(x_validation, y_validation), batch_size=128, epochs=run.pick(40, quick=2), callbacks=[stop], verbose=0)

# %% [markdown]
# ## As good as last week?

# %%
low, median, high = np.exp(model.predict(x_test, verbose=0) + mean[:, :, None]).transpose(2, 0, 1)
naive = np.tile(np.exp(x_test["past"] + mean)[:, -7:], AHEAD // 7)
truth = sales[:, -AHEAD:]
scale = np.abs(sales[:, 7:-AHEAD] - sales[:, : -7 - AHEAD]).mean(1, keepdims=True)
mase, mase_naive = (np.mean(np.abs(forecast - truth) / scale) for forecast in (median, naive))
coverage = np.mean((low <= truth) & (truth <= high))
print(f"MASE {mase:.3f}; as in the last week {mase_naive:.3f}; {coverage:.0%} of the days are within the interval of 80 %")

figure, axis = plt.subplots(figsize=(7, 3.2))
shop = np.argsort(np.mean(np.abs(median - truth) / scale, 1))[SHOPS // 2]
ahead = np.arange(AHEAD)
axis.plot(np.arange(-AHEAD, AHEAD), sales[shop, -2 * AHEAD :], color="black", linewidth=1, label="sales")
axis.plot(ahead, naive[shop], color="C7", linestyle=":", label="as in the last week")
axis.plot(ahead, median[shop], color="C0", label="forecast")
axis.fill_between(ahead, low[shop], high[shop], color="C0", alpha=0.2, linewidth=0, label="80 % interval")
axis.set(xlabel="days ahead", ylabel="sales of a day", xlim=(-AHEAD, AHEAD - 1))
axis.spines[["top", "right"]].set_visible(False)
axis.legend(loc="upper left", ncols=4, frameon=False, fontsize=8, bbox_to_anchor=(0, 1.14))
run.end(figure, mase=mase, of_the_baseline=mase / mase_naive, coverage_error=abs(coverage - 0.8))
