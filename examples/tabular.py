"""A table of categories and numbers

Most data are tables: some columns are numbers, some are words. The layers that make numbers of words are part of this model, so that whoever has it can ask it about
rows as they are: `StringLookup` for words that are few, `Hashing` for words that are many and may be new, `Normalization` for numbers of any size.

The table is made: 6,000 customers of an insurer, of whom some cancel. The law by which they do is in this program, so that the best possible quality is
known: that of the true probabilities. As in life, the columns act together: a high price matters to new customers, age means another thing in each
contract. The baseline, a logistic regression on the same columns, adds their effects and cannot see that.

The picture shows how the three rank customers (left), and how age acts in each contract by the network, with the truth dashed (right).

Promises: auc ≥ 0.8, better_than_logistic_by ≥ 0.08, below_the_best_by ≤ 0.05
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## The table

# %%
CONTRACTS = ("basic", "family", "business")


def customers(count):
    """Columns by name, whether each cancels, and the probability with which."""
    table = {
        "contract": rng.choice(CONTRACTS, count, p=(0.5, 0.3, 0.2)),
        "agent": np.char.add("agent-", rng.zipf(1.5, count).clip(max=300).astype(str)),
        "age": rng.uniform(18, 80, count).astype("float32"),
        "years": rng.exponential(5, count).astype("float32"),
        "price": rng.lognormal(6, 0.5, count).astype("float32"),
    }
    return table, *outcome(table)


def outcome(table):
    """The law: whether each cancels, and with which probability."""
    age, contract = (table["age"] - 49) / 18, table["contract"]
    score = np.select([contract == name for name in CONTRACTS], [-1.6 * age, 1.8 * age**2 - 2.0, 1.2 * np.sin(2 * age)])
    score += 1.8 * np.log(table["price"] / 400) * np.where(table["years"] < 3, 2.0, -0.3)
    score += np.array([{"agent-1": 1.0, "agent-2": -1.0}.get(agent, 0.0) for agent in table["agent"]]) - 0.5
    probability = 1 / (1 + np.exp(-score))
    return (rng.random(len(score)) < probability).astype("float32"), probability


table, cancels, _ = customers(run.pick(6000, quick=512))
table_test, cancels_test, probability = customers(4000)
print({name: column[:2].tolist() for name, column in table.items()}, f"{cancels.mean():.0%} cancel")

# %% [markdown]
# ## From columns to numbers
# Layers that learn from data before training are adapted to it: the vocabulary of contracts, mean and variance of the numbers.


# %%
def prepared():
    """The inputs by name, and their columns as one tensor of numbers."""
    inputs = {name: keras.Input((1,), name=name, dtype="string" if column.dtype.kind == "U" else "float32") for name, column in table.items()}
    parts = []
    for name in ("age", "years", "price"):
        normalize = layers.Normalization()
        normalize.adapt(table[name][:, None])
        parts.append(normalize(inputs[name]))
    contracts = layers.StringLookup(output_mode="one_hot")
    contracts.adapt(table["contract"])
    parts.append(contracts(inputs["contract"]))
    parts.append(layers.Hashing(256, output_mode="one_hot")(inputs["agent"]))
    return inputs, layers.Concatenate()(parts)


def train(network, epochs):
    """A model that begins with `prepared` columns and ends with the probability of cancelling."""
    inputs, columns = prepared()
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(network(columns)))
    model.compile(keras.optimizers.AdamW(3e-3, weight_decay=1e-2), "binary_crossentropy", metrics=[keras.metrics.AUC(name="auc")])
    model.fit({k: v[:, None] for k, v in table.items()}, cancels[:, None], batch_size=64, epochs=epochs, verbose=0)
    return model


network = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dropout(0.3), layers.Dense(64, activation="relu"), layers.Dropout(0.3)])
model, logistic = train(network, run.pick(15, quick=2)), train(layers.Identity(), run.pick(15, quick=2))

# %% [markdown]
# ## Who will cancel?


# %%
def curve(scores):
    """The share of those who cancel, by the share of those who do not, down the ranking; and the area under it."""
    order = np.argsort(-scores)
    hits, misses = np.cumsum(cancels_test[order]), np.cumsum(1 - cancels_test[order])
    hits, misses = hits / hits[-1], misses / misses[-1]
    return misses, hits, float(np.trapezoid(hits, misses))


columns = {k: v[:, None] for k, v in table_test.items()}
scores = {"the truth": probability, "network": model.predict(columns, verbose=0)[:, 0], "logistic": logistic.predict(columns, verbose=0)[:, 0]}
curves = {name: curve(score) for name, score in scores.items()}
areas = {name: area for name, (_, _, area) in curves.items()}
print("area under the curve:", ", ".join(f"{name} {area:.3f}" for name, area in areas.items()))

figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2))
for (name, (misses, hits, area)), color in zip(curves.items(), ("black", "tab:blue", "tab:orange"), strict=True):
    left.plot(misses, hits, label=f"{name}: {area:.3f}", color=color, linestyle="--" if color == "black" else "-")
left.set(xlabel="of those who stay", ylabel="of those who cancel", title="found, down the ranking")
left.legend(fontsize=8)
ages = np.linspace(18, 80, 60, dtype="float32")
for contract, color in zip(CONTRACTS, ("tab:blue", "tab:green", "tab:red"), strict=True):
    one = {
        "contract": np.full(60, contract),
        "agent": np.full(60, "agent-3"),
        "age": ages,
        "years": np.full(60, 5, "float32"),
        "price": np.full(60, 400, "float32"),
    }
    right.plot(ages, model.predict({k: v[:, None] for k, v in one.items()}, verbose=0)[:, 0], color=color, label=contract)
    right.plot(ages, outcome(one)[1], "--", color=color, linewidth=0.8)
right.set(xlabel="age", title="probability of cancelling", ylim=(0, 1))
right.legend(fontsize=8)
figure.tight_layout()
best, reached, baseline = areas.values()
run.end(figure, auc=reached, better_than_logistic_by=reached - baseline, below_the_best_by=best - reached)
