"""EPiC flow matching: a velocity field over particle clouds that commutes with permutations
and costs one sum over particles a layer.

Layers as in EPiC-GAN (Buhmann, Kasieczka & Thaler 2023, doi:10.21468/SciPostPhys.15.4.130),
trained by flow matching as EPiC-FM (Buhmann et al. 2023, arXiv:2310.00049). Each particle
sees the others only through a global vector:

    g' = g + W [mean x, sum x / 30, g, c],     x' = x + W2 σ(W1 x + U g' + b)

c are the jet's class, pT, mass and multiplicity and the time. Products with g are taken
once per jet, not once per particle.

Recipe: `zoo train particle_physics/jet_generation epic_flow.dijets`; cost and scores
stand in the weights' cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.particle_physics.models.point_clouds import FEATURES, PARTICLES


@dataclasses.dataclass(frozen=True)
class EpicFlowConfig:
    """Sizes.

    Attributes:
        width: features of a particle.
        global_width: of the jet's vector.
        layers: EPiC layers.
        conditions: numbers that describe the jet.
        frequencies: of the embedding of time.
    """

    width: int = 64
    global_width: int = 96
    layers: int = 6
    conditions: int = 7
    frequencies: int = 6


Config = EpicFlowConfig


class EpicLayer(nnx.Module):
    """One layer: the jet's vector from all particles, then each particle from itself and
    that vector.

    Args:
        width: of a particle.
        global_width: of the jet's vector.
        conditions: of what is appended to it.
        rngs: where the weights come from.
    """

    def __init__(self, width: int, global_width: int, conditions: int, *, rngs: nnx.Rngs):
        small = nnx.initializers.variance_scaling(0.1, "fan_in", "truncated_normal")
        self.gather = nnx.Linear(2 * width + global_width + conditions, global_width, rngs=rngs)
        self.renew = nnx.Linear(global_width, global_width, kernel_init=small, rngs=rngs)
        self.enter = nnx.Linear(width, width, rngs=rngs)
        self.inject = nnx.Linear(global_width, width, use_bias=False, rngs=rngs)
        self.leave = nnx.Linear(width, width, kernel_init=small, rngs=rngs)

    def __call__(
        self, x: jax.Array, g: jax.Array, c: jax.Array, mask: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """New particles `[jet, particle, width]` and vector `[jet, global_width]`; `mask`
        is float `[jet, particle, 1]`."""
        total = jnp.sum(x * mask, axis=1)
        mean = total / jnp.maximum(jnp.sum(mask, axis=1), 1.0)
        g = g + self.renew(
            jax.nn.silu(self.gather(jnp.concatenate([mean, total / PARTICLES, g, c], -1)))
        )
        x = x + self.leave(jax.nn.silu(self.enter(x) + self.inject(g)[:, None, :]))
        return x, g


class EpicFlow(nnx.Module):
    """The velocity field.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: EpicFlowConfig, *, rngs: nnx.Rngs):
        self.config = config
        appended = config.conditions + 2 * config.frequencies
        self.embed = nnx.Linear(FEATURES, config.width, rngs=rngs)
        self.describe = nnx.Linear(appended, config.global_width, rngs=rngs)
        self.layers = nnx.List(
            [
                EpicLayer(config.width, config.global_width, appended, rngs=rngs)
                for _ in range(config.layers)
            ]
        )
        self.leave = nnx.Linear(
            config.width, FEATURES, kernel_init=nnx.initializers.zeros, rngs=rngs
        )

    def __call__(
        self, x: jax.Array, time: jax.Array, conditions: jax.Array, mask: jax.Array
    ) -> jax.Array:
        """Velocity `[jet, particle, 3]`, zero where there is no particle.

        Args:
            x: `[jet, particle, 3]` standardised particles, partly noise.
            time: `[jet]`, 0 (noise) .. 1 (jet).
            conditions: `[jet, condition]`, standardised.
            mask: bool `[jet, particle]`.
        """
        present = mask[..., None].astype(x.dtype)
        c = jnp.concatenate([conditions, waves(time, self.config.frequencies)], -1)
        h, g = self.embed(x * present), jax.nn.silu(self.describe(c))
        for layer in self.layers:
            h, g = layer(h, g, c, present)
        return self.leave(jax.nn.silu(h)) * present


def waves(time: jax.Array, frequencies: int) -> jax.Array:
    """cos and sin of π t, 2π t, 4π t, ... `[jet, 2 * frequencies]`."""
    angle = jnp.pi * time[:, None] * 2.0 ** jnp.arange(frequencies)
    return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], -1)


def sample(
    model: EpicFlow, noise: jax.Array, conditions: jax.Array, mask: jax.Array, *, steps: int
) -> jax.Array:
    """Standardised particles `[jet, particle, 3]` from noise of that shape by `steps`
    midpoint steps (two evaluations each)."""

    def step(x: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        begin = jnp.full(len(x), number / steps, x.dtype)
        middle = x + 0.5 / steps * model(x, begin, conditions, mask)
        return x + model(middle, begin + 0.5 / steps, conditions, mask) / steps, None

    return jax.lax.scan(step, noise * mask[..., None], jnp.arange(steps))[0]
