"""Eight heaps, by a Wasserstein GAN with gradient penalty

In a plain GAN the generator learns nothing where the discriminator is sure, and may be content with a few heaps of the data. Here a
critic estimates how far the generated points are from the real ones, as the earth mover's distance: a number that falls smoothly even
where the two do not overlap ([Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875)). The estimate holds for critics whose slope is
at most one; a penalty on the norm of the critic's gradient sees to that
([Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028)). So the step takes a gradient of a gradient: by the inputs, then by the weights.

The data is one of the paper's: eight narrow normal distributions on a circle. Measured are how many of them are met, and the share of
generated points within four standard deviations of a centre, where almost all real ones are.

The picture shows the points made at three moments, over the slopes of the critic.

Promises: heaps ≥ 8, near ≥ 0.6
"""

import matplotlib.pyplot as plt
import numpy as np

import keraunos as keras
from gallery import begin
from keraunos import layers, ops

run = begin(__doc__)

# %% [markdown]
# ## The data
# Eight centres at a distance of 1.4 from the middle; the standard deviation about each is 0.04.

# %%
WIDTH = 0.04
draw = np.random.default_rng(run.seed)
angles = np.arange(8) * np.pi / 4
centres = 1.4 * np.stack([np.cos(angles), np.sin(angles)], -1)
count = run.pick(23_040, quick=2_304)
points = centres[draw.integers(0, 8, count)] + WIDTH * draw.normal(size=(count, 2))


def network(inputs, outputs):
    """Three hidden layers; no normalization, which would tie the points of a batch together and spoil the penalty on each."""
    hidden = [layers.Dense(128, activation="relu", kernel_initializer="he_normal") for _ in range(3)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, layers.Dense(outputs)])


# %% [markdown]
# ## The step
# `value_and_grad` of a function, called with a tensor, differentiates by that tensor; given variables, by these. Either may stand within the
# other, on every engine. The critic is improved several times for each step of the generator.


# %%
class WGAN(keras.Model):
    """A generator and a critic of it."""

    def __init__(self, critic_steps=3, penalty=1.0):
        super().__init__()
        self.generator, self.critic = network(2, 2), network(2, 1)
        self.critic_steps, self.penalty = critic_steps, penalty
        self.seeds = keras.random.SeedGenerator(run.seed)
        self.distance, self.slope = keras.metrics.Mean(name="distance"), keras.metrics.Mean(name="slope")

    def compile(self, generator_optimizer, critic_optimizer):
        super().compile()
        self.generator_optimizer, self.critic_optimizer = generator_optimizer, critic_optimizer

    def call(self, noise):
        return self.generator(noise)

    def improve_critic(self, real):
        made = self.generator(keras.random.normal(real.shape, seed=self.seeds))
        between = made + keras.random.uniform((real.shape[0], 1), seed=self.seeds) * (real - made)

        def objective():
            distance = ops.mean(self.critic(real)) - ops.mean(self.critic(made))
            _, gradient = keras.value_and_grad(lambda x: ops.sum(self.critic(x)))(between)
            slope = ops.sqrt(ops.sum(ops.square(gradient), axis=-1) + 1e-12)
            return self.penalty * ops.mean(ops.square(slope - 1)) - distance, (distance, ops.mean(slope))

        variables = self.critic.trainable_variables
        (_, (distance, slope)), gradients = keras.value_and_grad(objective, variables, has_aux=True)()
        self.critic_optimizer.apply(gradients, variables)
        self.distance.update_state(distance)
        self.slope.update_state(slope)

    def train_step(self, real):
        for part in ops.split(real, self.critic_steps):
            self.improve_critic(part)
        noise = keras.random.normal(part.shape, seed=self.seeds)
        variables = self.generator.trainable_variables
        _, gradients = keras.value_and_grad(lambda: -ops.mean(self.critic(self.generator(noise))), variables)()
        self.generator_optimizer.apply(gradients, variables)
        return {"distance": self.distance.result(), "slope": self.slope.result()}


def judged(made):
    """How many heaps have at least one in a hundred of the points, and the share of points that are near a centre."""
    distances = np.linalg.norm(made[:, None] - centres, axis=-1)
    near = distances.min(-1) < 4 * WIDTH
    met = np.bincount(distances.argmin(-1)[near], minlength=8)
    return np.sum(met >= 0.01 * len(made)), near.mean()


# %% [markdown]
# ## Training
# The rates fall to zero at the end, which lets the points settle.

# %%
wgan = WGAN()
stages = run.pick((3, 15, 90), quick=(1, 2, 3))
batch = 3 * 256
rate = keras.optimizers.schedules.CosineDecay(1e-3, stages[-1] * (len(points) // batch))
wgan.compile(keras.optimizers.Adam(rate, beta_1=0.5, beta_2=0.9), keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9))
noise = draw.normal(size=(5000, 2))
side = np.linspace(-2, 2, 80)
plane = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)

figure, axes = plt.subplots(1, 3, figsize=(7.8, 2.9))
for axis, before, epoch in zip(axes, (0, *stages), stages, strict=False):
    logs = wgan.fit(points, batch_size=batch, initial_epoch=before, epochs=epoch, verbose=0).history
    made = wgan.predict(noise, batch_size=1000, verbose=0)
    heaps, near = judged(made)
    print(f"after {epoch:3} epochs: distance {logs['distance'][-1]:.3f}, slope {logs['slope'][-1]:.2f}, {heaps} heaps, {near:.3f} near")
    axis.contour(side, side, wgan.critic.predict(plane, batch_size=1600, verbose=0).reshape(80, 80), 12, cmap="Greys", linewidths=0.6)
    axis.scatter(*centres.T, marker="+", s=30, linewidths=0.8, color="tab:orange")
    axis.scatter(*made[:2000].T, s=1, alpha=0.5, color="tab:blue")
    axis.set(title=f"{epoch} epochs: {heaps} heaps, {near:.0%} near", xlim=(-2, 2), ylim=(-2, 2), xticks=[], yticks=[], aspect="equal")
    axis.title.set_fontsize(9)
print(f"spread evenly: {judged(draw.uniform(-1.6, 1.6, (5000, 2)))[1]:.3f} near")
run.end(figure, heaps=heaps, near=near)
