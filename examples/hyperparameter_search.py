"""A search for hyper-parameters

How wide, how fast, how much dropout? [Optuna](https://optuna.org) proposes values by what it has seen so far, trains with them, and ends a trial early where it lags
behind the others: `keraunos.interop.optuna.Pruning` is the callback that tells it how a trial goes (`pip install optuna`). More ways, many trials at
once among them, are in the [guide](../guides/search.md).

A part of the training data decides between trials. The test data is looked at once, at the end, for the winner: what many trials were chosen by is no
longer a fair judge. The baseline is the first guess that one would make.

The picture shows all trials: those that were ended early in grey, and the winner in colour.

Promises: accuracy ≥ 0.95, better_than_guess_by ≥ 0.01, epochs_spared ≥ 0.1
"""

import matplotlib.pyplot as plt
import numpy as np
import optuna

import keraunos as keras
from gallery import begin
from keraunos import layers
from keraunos.datasets import digits
from keraunos.interop.optuna import Pruning

run = begin(__doc__)
(x, y), (x_test, y_test) = digits.load_data()
order = np.random.default_rng(run.seed).permutation(len(x))
learn, decide = run.pick((order[300:], order[:300]), quick=(order[64:320], order[:64]))
x_test, y_test = (part[: run.pick(len(part), quick=64)] for part in (x_test, y_test))

# %% [markdown]
# ## What is searched
# A function makes a model from values. A trial is asked for them by name and range.

# %%
EPOCHS = run.pick(12, quick=2)


def make(rate=1e-3, units=32, depth=1, dropout=0.2):
    """A compiled network for digits; the defaults are a usual first guess."""
    model = keras.Sequential([keras.Input((8, 8)), layers.Rescaling(1 / 16), layers.Flatten()])
    for _ in range(depth):
        model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(10, activation="softmax"))
    schedule = keras.optimizers.schedules.CosineDecay(rate, EPOCHS * -(-len(learn) // 32))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fit(model, *callbacks):
    """The loss on the deciding part, by epoch."""
    history = model.fit(x[learn], y[learn], validation_data=(x[decide], y[decide]), epochs=EPOCHS, batch_size=32, verbose=0, callbacks=list(callbacks))
    return history.history["val_loss"]


models = {}


def objective(trial):
    """One trial: the loss that its training ends with."""
    keras.utils.set_random_seed(run.seed)
    model = models[trial.number] = make(
        rate=trial.suggest_float("rate", 1e-4, 1e-1, log=True),
        units=trial.suggest_int("units", 8, 128, log=True),
        depth=trial.suggest_int("depth", 1, 3),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
    )
    return fit(model, Pruning(trial, "val_loss"))[-1]


# %% [markdown]
# ## The search

# %%
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=run.seed), pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1))
study.optimize(objective, n_trials=run.pick(16, quick=2))
pruned = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
spared = 1 - sum(len(trial.intermediate_values) for trial in study.trials) / (EPOCHS * len(study.trials))
print(f"{len(study.trials)} trials, {len(pruned)} ended early, which spared {spared:.0%} of the epochs; the best: {study.best_params}")

# %% [markdown]
# ## The winner, on data that decided nothing

# %%
keras.utils.set_random_seed(run.seed)
guess = make()
guess_curve = fit(guess)
accuracy, baseline = (model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"] for model in (models[study.best_trial.number], guess))
print(f"on the test data: the winner {accuracy:.3f}, the first guess {baseline:.3f}")

figure, axis = plt.subplots(figsize=(7, 3.2))
for trial in study.trials:
    style = {"color": "gray", "alpha": 0.6} if trial in pruned else {"color": "tab:blue", "alpha": 0.4}
    curve = trial.intermediate_values
    if trial.number == study.best_trial.number:
        style = {"color": "tab:red", "linewidth": 2.5, "label": f"the winner: {accuracy:.1%} right on test data"}
    axis.plot([epoch + 1 for epoch in curve], list(curve.values()), marker="x" if trial in pruned else None, markevery=[-1], markersize=5, **style)
axis.plot(range(1, EPOCHS + 1), guess_curve, "--", color="black", label=f"the first guess: {baseline:.1%}")
axis.set(xlabel="epoch", ylabel="loss on the deciding part", yscale="log")
axis.legend(fontsize=8)
axis.grid(alpha=0.3)
run.end(figure, accuracy=accuracy, better_than_guess_by=accuracy - baseline, epochs_spared=spared)
