"""Clusters in digits without labels

**Machine learning** predicts: there is an answer to each question, and it is measured how often it is right. **Data mining** asks what is in the data at all: groups,
rules, oddities. Here nobody says that there are digits. The question is whether the pictures fall into groups, and the answer cannot be right or
wrong but only useful. That these groups turn out to be the ten digits is looked at afterwards, with labels that were not used.

k-means finds groups of points that lie together. By pixels, a digit that is shifted is far from itself. So a network first learns places where pictures lie
near those that resemble them: a picture and one of its ten nearest neighbours, both spoilt, are to be found among all others of the batch, by the
contrastive loss of [Chen et al. (2020)](https://arxiv.org/abs/2002.05709). Then k-means looks at these places.

The normalised mutual information of groups and digits is 0 for groups by chance and 1 for groups that are the digits. The picture shows the mean picture of each
group, and how its members divide into digits.

Promises: mutual_information ≥ 0.8, better_than_pixels_by ≥ 0.05
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops
from keraunos.datasets import digits

run = begin(__doc__)
rng = np.random.default_rng(run.seed)
x, labels = (np.concatenate(parts)[: run.pick(None, quick=512)] for parts in zip(*digits.load_data(), strict=True))
x = x.astype("float32")

# %% [markdown]
# ## k-means, and how groups are judged


# %%
def k_means(points, k=10, tries=10):
    """The group of each point, by the best of some runs."""
    runs = []
    for _ in range(tries):
        centres = points[rng.choice(len(points), 1)]
        for _ in range(k - 1):  # centres far from those that there are
            far = ((points[:, None] - centres) ** 2).sum(-1).min(1)
            centres = np.concatenate([centres, points[[rng.choice(len(points), p=far / far.sum())]]])
        for _ in range(30):
            distances = ((points[:, None] - centres) ** 2).sum(-1)
            group = distances.argmin(1)
            centres = np.stack([points[group == i].mean(0) if (group == i).any() else centres[i] for i in range(k)])
        runs.append((distances.min(1).sum(), group))
    return min(runs, key=lambda one: one[0])[1]


def mutual_information(a, b):
    """Normalised mutual information: what one division says about another, over the mean of what each says of itself."""
    joint = np.zeros((10, 10))
    np.add.at(joint, (a, b), 1 / len(a))
    own_a, own_b, both = (-(p[p > 0] * np.log(p[p > 0])).sum() for p in (joint.sum(1), joint.sum(0), joint))
    return 2 * (own_a + own_b - both) / (own_a + own_b)


# %% [markdown]
# ## Places where like lies by like

# %%
flat = x.reshape(len(x), -1)
squares = (flat**2).sum(1)
neighbours = (squares[:, None] - 2 * flat @ flat.T + squares).argsort(1)[:, 1:11]

tower = keras.Sequential(
    [
        keras.Input((8, 8)),
        layers.Rescaling(1 / 16),
        layers.Flatten(),
        layers.Dropout(0.1),
        layers.GaussianNoise(0.1),
        layers.Dense(256, activation="relu"),
        layers.Dense(128, activation="relu"),
        layers.Dense(32),
        layers.UnitNormalization(),
    ]
)
picture, neighbour = keras.Input((8, 8)), keras.Input((8, 8))
model = keras.Model([picture, neighbour], ops.stack([tower(picture), tower(neighbour)], axis=1))


def contrastive(_, places):
    """How hard it is to find each picture's neighbour among those of the batch, and the other way round."""
    likeness = ops.matmul(places[:, 0], ops.transpose(places[:, 1])) / 0.5
    return -ops.diagonal(ops.log_softmax(likeness)) - ops.diagonal(ops.log_softmax(ops.transpose(likeness)))


model.compile(keras.optimizers.Adam(1e-3), loss=contrastive)
nothing = np.zeros(len(x), "float32")  # there are no targets
for _ in range(run.pick(60, quick=2)):
    drawn = neighbours[np.arange(len(x)), rng.integers(10, size=len(x))]
    model.fit([x, x[drawn]], nothing, batch_size=256, verbose=0)

# %% [markdown]
# ## The groups

# %%
group = k_means(tower.predict(x, verbose=0), tries=run.pick(10, quick=2))
reached, pixels = mutual_information(group, labels), mutual_information(k_means(flat / 16, tries=run.pick(10, quick=2)), labels)
print(f"normalised mutual information with the digits: {reached:.3f}; of k-means on pixels {pixels:.3f}")

shares = np.stack([np.bincount(labels[group == i], minlength=10) for i in range(10)])
order = shares.argmax(1).argsort()
figure, axes = plt.subplots(2, 10, figsize=(7.5, 2.4), height_ratios=(1, 1.3))
for axis, below, index in zip(*axes, order, strict=True):
    axis.imshow(x[group == index].mean(0), cmap="gray_r")
    axis.set_title(f"{(group == index).sum()}", fontsize=8)
    axis.axis("off")
    below.barh(range(10), shares[index] / max(1, shares[index].sum()), color="tab:blue")
    below.set(xlim=(0, 1), yticks=range(10) if index == order[0] else [], xticks=[], ylim=(9.6, -0.6))
    below.tick_params(labelsize=6, length=0)
axes[0, 0].text(-0.6, 0.5, "mean of\nthe group", transform=axes[0, 0].transAxes, ha="right", va="center", fontsize=8)
axes[1, 0].text(-0.6, 0.5, "digits\nin it", transform=axes[1, 0].transAxes, ha="right", va="center", fontsize=8)
run.end(figure, mutual_information=reached, better_than_pixels_by=reached - pixels)
