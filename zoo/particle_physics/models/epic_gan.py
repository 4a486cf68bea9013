"""EPiC-GAN (Buhmann, Kasieczka & Thaler 2023, doi:10.21468/SciPostPhys.15.4.130): generator
and critic of EPiC layers.

One evaluation of the generator makes a jet; a flow needs dozens. Both networks are told the
jet's class, pT, mass and multiplicity. The generator alone is published; the critic is
there for training. The generator's output keeps two facts of every jet: no particle lies
outside its cone, and momentum is conserved (`balance_momentum`). Without them a few particles far
from all others decide every distance.

Recipe: `zoo train particle_physics/jet_generation epic_gan.dijets`; cost and scores
stand in the weights' cards.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.particle_physics.models.epic_flow import EpicLayer
from zoo.particle_physics.models.point_clouds import ANGLE, FEATURES, PARTICLES


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
        max_angle: rad; no particle comes out farther from its jet in pseudorapidity or azimuth.
        momentum_bound: largest standardised logarithm of a momentum, before the jet's are
            balanced.
    """

    width: int = 64
    global_width: int = 96
    layers: int = 5
    conditions: int = 7
    local_noise: int = 8
    global_noise: int = 16
    critic_layers: int = 2
    max_angle: float = 0.9
    momentum_bound: float = 6.0


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
        self.describe = nnx.Linear(
            config.global_noise + config.conditions, config.global_width, rngs=rngs
        )
        self.layers = nnx.List(
            [
                EpicLayer(config.width, config.global_width, config.conditions, rngs=rngs)
                for _ in range(config.layers)
            ]
        )
        self.leave = nnx.Linear(config.width, FEATURES, rngs=rngs)

    def __call__(
        self,
        local: jax.Array,
        whole: jax.Array,
        conditions: jax.Array,
        mask: jax.Array,
        centre: jax.Array,
        scale: jax.Array,
    ) -> jax.Array:
        """Standardised particles `[jet, particle, 3]`, zero where there is none.

        Args:
            local: `[jet, particle, local_noise]` random numbers.
            whole: `[jet, global_noise]` random numbers.
            conditions: `[jet, condition]`, standardised.
            mask: bool `[jet, particle]`.
            centre, scale: `[jet, 3]`, how the `stretch`ed particles are standardised.
        """
        present = mask[..., None].astype(local.dtype)
        h = self.embed(local * present)
        g = jax.nn.silu(self.describe(jnp.concatenate([whole, conditions], -1)))
        for layer in self.layers:
            h, g = layer(h, g, conditions, present)
        x = self.leave(jax.nn.silu(h))
        limit, bound = float(np.arcsinh(self.config.max_angle / ANGLE)), self.config.momentum_bound
        angles = limit * jnp.tanh((x[..., :2] * scale[:, None, :2] + centre[:, None, :2]) / limit)
        momenta = bound * jnp.tanh(x[..., 2] / bound) * scale[:, None, 2] + centre[:, None, 2]
        stretched = jnp.concatenate(
            [angles, balance_momentum(angles, momenta, mask)[..., None]], -1
        )
        return (stretched - centre[:, None]) / scale[:, None] * present


def balance_momentum(angles: jax.Array, momenta: jax.Array, mask: jax.Array) -> jax.Array:
    """Logarithms of ptrel, `[jet, particle]`, all of a jet shifted by one number so that
    its momentum is conserved.

    ptrel is relative to the jet, so the components along it, ptrel cos(phirel), add up to 1
    over all particles of a jet. That is so here where all are shown; where 30 are, they may
    be a part of the jet and their sum is only kept from exceeding 1.

    Args:
        angles: `[jet, particle, 2]`, asinh(angle / ANGLE).
        momenta: `[jet, particle]`, ln ptrel.
        mask: bool `[jet, particle]`.
    """
    along = jnp.where(mask, jnp.exp(momenta) * jnp.cos(ANGLE * jnp.sinh(angles[..., 1])), 0.0)
    excess = jnp.log(jnp.maximum(jnp.sum(along, axis=1), 1e-6))
    whole = jnp.sum(mask, axis=1) < PARTICLES
    return momenta - jnp.where(whole, excess, jnp.maximum(excess, 0.0))[:, None]


OBSERVABLES = 6


def jet_observables(particles: jax.Array, mask: jax.Array) -> jax.Array:
    """What the critic is shown of the whole jet, `[jet, 6]`, each of order one.

    Logarithm of the sum of momenta, its centroid in etarel and phirel, and logarithms of
    mass, girth (Σ pT r / Σ pT) and of √Σ pT². Small-angle forms. From logarithmic particles
    a network has to learn exponentials before it can see a jet's mass.

    Args:
        particles: `[jet, particle, 3]` etarel, phirel (rad), ptrel.
        mask: bool `[jet, particle]`.
    """
    pt = jnp.where(mask, particles[..., 2], 0.0)
    angles = jnp.where(mask[..., None], particles[..., :2], 0.0)
    total = jnp.sum(pt, axis=1)
    share = pt / jnp.maximum(total, 1e-6)[:, None]
    centroid = jnp.sum(share[..., None] * angles, axis=1)
    square = jnp.sum(jnp.square(angles - centroid[:, None]), axis=-1)
    mass = 0.5 * jnp.log(jnp.sum(share * square, axis=1) + 1e-5)
    girth = jnp.log(jnp.sum(share * jnp.sqrt(square + 1e-6), axis=1) + 1e-3)
    spread = 0.5 * jnp.log(jnp.sum(jnp.square(share), axis=1) + 1e-4)
    logarithms = [jnp.log(total + 1e-3), mass + 2.5, girth + 3.0, spread + 1.0]
    return jnp.concatenate([centroid / ANGLE, jnp.stack(logarithms, -1)], -1)


class EpicCritic(nnx.Module):
    """The critic: particles to one number a jet, higher for what looks true.

    Args:
        config: sizes.
        rngs: where the weights come from.
    """

    def __init__(self, config: EpicGanConfig, *, rngs: nnx.Rngs):
        width, whole = config.width, config.global_width
        self.embed = nnx.Linear(FEATURES, width, rngs=rngs)
        self.describe = nnx.Linear(config.conditions + OBSERVABLES, whole, rngs=rngs)
        self.layers = nnx.List(
            [
                EpicLayer(width, whole, config.conditions, rngs=rngs)
                for _ in range(config.critic_layers)
            ]
        )
        self.judge = nnx.Linear(2 * width + whole, whole, rngs=rngs)
        self.leave = nnx.Linear(whole, 1, rngs=rngs)

    def __call__(
        self, x: jax.Array, conditions: jax.Array, mask: jax.Array, observed: jax.Array
    ) -> jax.Array:
        """Scores `[jet]` of standardised particles `[jet, particle, 3]` and their
        `jet_observables` `[jet, 6]`."""
        present = mask[..., None].astype(x.dtype)
        h, g = (
            self.embed(x * present),
            jax.nn.silu(self.describe(jnp.concatenate([conditions, observed], -1))),
        )
        for layer in self.layers:
            h, g = layer(h, g, conditions, present)
        h = jax.nn.silu(h) * present
        total = jnp.sum(h, axis=1)
        mean = total / jnp.maximum(jnp.sum(present, axis=1), 1.0)
        return self.leave(
            jax.nn.silu(self.judge(jnp.concatenate([mean, total / PARTICLES, g], -1)))
        )[:, 0]
