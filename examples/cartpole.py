"""A pole on a cart: reinforcement learning

A cart on a rail carries a pole that falls unless the cart is pushed left or right at the right moments. Nobody says which push was right: a push
is answered by a reward of 1 for each step that the pole still stands, and nothing more after 500 steps, after a fall, or at the end of the rail.

The equations are those of [Barto, Sutton and Anderson (1983)](https://doi.org/10.1109/TSMC.1983.6313077), in NumPy, for 32 carts at once. An
actor gives the probability of each push, a critic the reward that is still to come, and both learn by the clipped objective of
[Schulman et al. (2017)](https://arxiv.org/abs/1707.06347): pushes that turned out better than the critic thought become more probable, but not by much at a time.

The picture shows how long the carts lasted while the network learned. Carts that are pushed at random last about 20 steps.

Promises: mean_steps_of_500 ≥ 450
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)
rng = np.random.default_rng(run.seed)

# %% [markdown]
# ## The world
# Position and speed of the cart, angle and speed of the pole; 50 steps are a second.


# %%
class Carts:
    """Many carts. Each begins anew when its pole has fallen, it has left the rail, or 500 steps are over."""

    def __init__(self, count):
        self.state = rng.uniform(-0.05, 0.05, (count, 4))
        self.steps = np.zeros(count, int)

    def push(self, right):
        """Push each cart by 10 N, and return the states, which carts fell, which ended, and the steps that each has lasted."""
        x, speed, angle, turning = self.state.T
        cart, pole, half, gravity, tau = 1.0, 0.1, 0.5, 9.8, 0.02
        force = np.where(right, 10.0, -10.0)
        common = (force + pole * half * turning**2 * np.sin(angle)) / (cart + pole)
        falling = (gravity * np.sin(angle) - np.cos(angle) * common) / (half * (4 / 3 - pole * np.cos(angle) ** 2 / (cart + pole)))
        pulled = common - pole * half * falling * np.cos(angle) / (cart + pole)
        self.state = np.stack([x + tau * speed, speed + tau * pulled, angle + tau * turning, turning + tau * falling], axis=1)
        self.steps += 1
        fell = (np.abs(self.state[:, 0]) > 2.4) | (np.abs(self.state[:, 2]) > np.pi / 15)
        ended, lasted, reached = fell | (self.steps == 500), self.steps.copy(), self.state.astype("float32")
        self.state[ended] = rng.uniform(-0.05, 0.05, (int(ended.sum()), 4))
        self.steps[ended] = 0
        return reached, fell, ended, lasted


# %% [markdown]
# ## Actor and critic
# One model with two outputs. What the actor needs for its loss comes as the target: the push, how probable it was, and how much better than expected it turned out.

# %%
entry = keras.Input((4,))
actor = layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(entry))
critic = layers.Dense(64, activation="tanh")(layers.Dense(64, activation="tanh")(entry))
model = keras.Model(entry, {"push": layers.Dense(2, activation="log_softmax", name="push")(actor), "worth": layers.Dense(1, name="worth")(critic)})


def clipped(facts, log_probabilities):
    """The clipped objective, with a little reward for keeping an open mind."""
    push, before, advantage = ops.unstack(facts, 3, axis=-1)
    now = ops.sum(ops.one_hot(ops.cast(push, "int32"), 2) * log_probabilities, axis=-1)
    ratio = ops.exp(now - before)
    entropy = -ops.sum(ops.exp(log_probabilities) * log_probabilities, axis=-1)
    return -ops.minimum(ratio * advantage, ops.clip(ratio, 0.8, 1.2) * advantage) - 0.01 * entropy


model.compile(keras.optimizers.Adam(2e-3, clipnorm=0.5), loss={"push": clipped, "worth": "huber"}, loss_weights={"push": 1.0, "worth": 0.05})

# %% [markdown]
# ## Playing and learning by turns
# A round is 128 steps of all carts. What a state was worth is estimated from what followed (generalised advantages,
# [Schulman et al. 2016](https://arxiv.org/abs/1506.02438)); then the model is fitted to that for some epochs.

# %%
carts, length, discount, trust = Carts(32), 128, 0.99, 0.95
curve, ends = [], []
for turn in range(1, run.pick(30, quick=2) + 1):
    moments = []
    for _ in range(length):
        state = carts.state.astype("float32")
        log_left, log_right = model.predict_on_batch(state)["push"].T
        push = np.log(rng.random(len(state))) < log_right
        reached, fell, ended, lasted = carts.push(push)
        moments.append((state, push, np.where(push, log_right, log_left), reached, fell, ended))
        ends += lasted[ended].tolist()
    seen, pushes, before, reached, fell, ended = map(np.array, zip(*moments, strict=True))
    worth, after = (model.predict(x.reshape(-1, 4), batch_size=4096, verbose=0)["worth"].reshape(length, -1) for x in (seen, reached))
    advantages = 1 + discount * np.where(fell, 0, after) - worth
    for t in reversed(range(length - 1)):
        advantages[t] += discount * trust * np.where(ended[t], 0, advantages[t + 1])
    better = (advantages - advantages.mean()) / (advantages.std() + 1e-6)
    targets = {"push": np.stack([pushes, before, better], axis=-1).reshape(-1, 3).astype("float32"), "worth": (advantages + worth).reshape(-1, 1)}
    model.fit(seen.reshape(-1, 4), targets, batch_size=512, epochs=6, verbose=0)
    curve.append((turn * 32 * length, np.mean(ends[-32:])))
    if turn % 5 == 0:
        print(f"{curve[-1][0]:,} steps: the last 32 carts lasted {curve[-1][1]:.0f}")

# %% [markdown]
# ## What it learned
# A hundred new carts, pushed as the actor thinks best.

# %%
carts, first = Carts(100), np.zeros(100, int)
while not first.all():
    _, _, over, lasted = carts.push(model.predict_on_batch(carts.state.astype("float32"))["push"].argmax(-1))
    first = np.where((first == 0) & over, lasted, first)
print(f"100 new carts lasted {first.mean():.0f} steps of 500 on average, and {first.min()} at least")

figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(*np.array(curve).T, label="mean of the last 32 carts")
axis.axhline(500, color="black", linewidth=0.8, linestyle=":", label="the most")
axis.axhline(22, color="tab:red", linewidth=0.8, linestyle="--", label="pushed at random")
axis.set(xlabel="steps of all carts together", ylabel="steps survived", ylim=(0, 520))
axis.legend(fontsize=8, loc="center right")
axis.grid(alpha=0.3)
run.end(figure, mean_steps_of_500=first.mean())
