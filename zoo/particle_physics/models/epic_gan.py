"""EPiC-GAN (Buhmann, Kasieczka & Thaler 2023, doi:10.21468/SciPostPhys.15.4.130): generator and critic of EPiC layers.

One evaluation of the generator makes a jet; a flow needs dozens. Both networks are told the jet's class, pT, mass and multiplicity.
The generator alone is published; the critic is there for training.

Recipe: `python -m zoo.particle_physics.training_generation epic_gan.dijets`; cost and scores stand in the weights' cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.particle_physics.models.epic_flow import FEATURES, PARTICLES, EpicLayer


@dataclasses.dataclass(frozen=True)
class EpicGanConfig:
    """Sizes.

    Attributes:
        width: features of a particle.
        global_width: of the jet's vector.
        layers: EPiC layers of the generator.
        conditions: numbers that describe the jet.
        local_noise: random numbers per particle.
        global_noise: random numbers per jet.
        critic_layers: EPiC layers of the critic.
    """

    width: int = 64
    global_width: int = 96
    layers: int = 5
    conditions: int = 7
    local_noise: int = 8
    global_noise: int = 16
    critic_layers: int = 3


Config = EpicGanConfig


class EpicGan(nnx.Module):
    """The generator.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: EpicGanConfig, *, rngs: nnx.Rngs):
        self.config = config
        self.embed = nnx.Linear(config.local_noise, config.width, rngs=rngs)
        self.describe = nnx.Linear(config.global_noise + config.conditions, config.global_width, rngs=rngs)
        self.layers = nnx.List(
            [EpicLayer(config.width, config.global_width, config.conditions, rngs=rngs) for _ in range(config.layers)]
        )
        self.leave = nnx.Linear(config.width, FEATURES, rngs=rngs)

    def __call__(self, local: jax.Array, whole: jax.Array, conditions: jax.Array, mask: jax.Array) -> jax.Array:
        """Standardised particles `[jet, particle, 3]`, zero where there is none.

        Args:
            local: `[jet, particle, local_noise]` random numbers.
            whole: `[jet, global_noise]` random numbers.
            conditions: `[jet, condition]`, standardised.
            mask: bool `[jet, particle]`.
        """
        present = mask[..., None].astype(local.dtype)
        h = self.embed(local * present)
        g = jax.nn.silu(self.describe(jnp.concatenate([whole, conditions], -1)))
        for layer in self.layers:
            h, g = layer(h, g, conditions, present)
        return self.leave(jax.nn.silu(h)) * present


class EpicCritic(nnx.Module):
    """The critic: particles to one number a jet, higher for what looks true.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: EpicGanConfig, *, rngs: nnx.Rngs):
        width, whole = config.width, config.global_width
        self.embed = nnx.Linear(FEATURES, width, rngs=rngs)
        self.describe = nnx.Linear(config.conditions, whole, rngs=rngs)
        self.layers = nnx.List([EpicLayer(width, whole, config.conditions, rngs=rngs) for _ in range(config.critic_layers)])
        self.judge = nnx.Linear(2 * width + whole, whole, rngs=rngs)
        self.leave = nnx.Linear(whole, 1, rngs=rngs)

    def __call__(self, x: jax.Array, conditions: jax.Array, mask: jax.Array) -> jax.Array:
        """Scores `[jet]` of standardised particles `[jet, particle, 3]`."""
        present = mask[..., None].astype(x.dtype)
        h, g = self.embed(x * present), jax.nn.silu(self.describe(conditions))
        for layer in self.layers:
            h, g = layer(h, g, conditions, present)
        h = jax.nn.silu(h) * present
        total = jnp.sum(h, axis=1)
        mean = total / jnp.maximum(jnp.sum(present, axis=1), 1.0)
        return self.leave(jax.nn.silu(self.judge(jnp.concatenate([mean, total / PARTICLES, g], -1))))[:, 0]
