"""What the jet generators are trained by: flow matching, and a relativistic GAN.

Flow matching (Lipman et al. 2023, arXiv:2210.02747): a straight line from noise x0 to a jet
x1 has the velocity x1 - x0; the network learns its mean given the point (1 - t) x0 + t x1.

GAN: the relativistic pairing loss (Jolicoeur-Martineau 2019, arXiv:1807.00734), a true and
a generated jet of the same conditions being a pair, with a penalty on the critic's slope at
both (Mescheder, Geiger & Nowozin 2018, arXiv:1801.04406; together as in Huang et al. 2024,
arXiv:2501.05441), both networks stepping at once. Least squares (Mao et al. 2017,
arXiv:1611.04076), which EPiC-GAN takes, had diverged here before outputs were bounded.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from zoo.particle_physics.models.epic_flow import EpicFlow
from zoo.particle_physics.models.epic_gan import EpicCritic, EpicGan, EpicGanConfig, jet_observables
from zoo.particle_physics.models.point_clouds import relax

Batch = dict[str, jax.Array]


class Adversaries(nnx.Module):
    """Generator and critic, trained as one."""

    def __init__(self, config: EpicGanConfig, *, rngs: nnx.Rngs):
        self.generator = EpicGan(config, rngs=rngs)
        self.critic = EpicCritic(config, rngs=rngs)


def flow_loss(
    model: EpicFlow, batch: Batch, key: jax.Array
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Mean squared error of the velocity over particles; times are spread evenly over the
    batch, which makes it less noisy."""
    x1, mask = batch["x"], batch["mask"]
    noise_key, time_key = jax.random.split(key)
    x0 = jax.random.normal(noise_key, x1.shape) * mask[..., None]
    t = (jax.random.uniform(time_key) + jnp.arange(len(x1)) / len(x1)) % 1.0
    velocity = model(x0 + t[:, None, None] * (x1 - x0), t, batch["c"], mask)
    error = jnp.sum(jnp.square(velocity - (x1 - x0))) / (3.0 * jnp.sum(mask))
    return error, {"velocity_error": error}


def physical(x: jax.Array, centre: jax.Array, scale: jax.Array) -> jax.Array:
    """etarel, phirel (rad), ptrel of standardised particles `[jet, particle, 3]`, with a
    gradient. centre, scale: `[jet, 3]`."""
    return relax(x * scale[:, None] + centre[:, None], xp=jnp)


def gan_loss(
    model: Adversaries, batch: Batch, key: jax.Array, *, penalty: float
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Relativistic losses of critic and generator, added, and the penalty; each is cut off
    from the other's parameters.

    True and generated jet of a pair share their conditions. The penalty needs the slope of
    the critic at the generated jets; the generator follows that same slope, which spares it
    a pass of its own through the critic.
    """
    c, mask, config = batch["c"], batch["mask"], model.generator.config
    local_key, whole_key = jax.random.split(key)
    local = jax.random.normal(local_key, (*mask.shape, config.local_noise))
    fake = model.generator(
        local,
        jax.random.normal(whole_key, (len(c), config.global_noise)),
        c,
        mask,
        batch["centre"],
        batch["scale"],
    )
    pair = {
        name: jnp.concatenate([batch[name], batch[name]])
        for name in ("c", "mask", "centre", "scale")
    }

    def judge(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        observed = jet_observables(physical(x, pair["centre"], pair["scale"]), pair["mask"])
        scores = model.critic(x, pair["c"], pair["mask"], observed)
        return jnp.sum(scores), scores

    (_, scores), slope = jax.value_and_grad(judge, has_aux=True)(
        jnp.concatenate([batch["x"], jax.lax.stop_gradient(fake)])
    )
    lead = scores[: len(c)] - scores[len(c) :]
    steepness = jnp.mean(jnp.sum(jnp.square(slope), axis=(1, 2)))
    critic = jnp.mean(jax.nn.softplus(-lead)) + penalty * steepness
    # Value of the generator's loss softplus(lead), gradient by the chain rule:
    # -sigmoid(lead) times the critic's slope.
    pull = jax.lax.stop_gradient(-jax.nn.sigmoid(lead)[:, None, None] * slope[len(c) :]) / len(c)
    moved = jnp.sum(pull * fake)
    generator = jax.lax.stop_gradient(jnp.mean(jax.nn.softplus(lead)) - moved) + moved
    return critic + generator, {"critic": critic, "generator": generator, "slope": steepness}
