"""Losses of the generators reach the networks that they should, with the right slope."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_up_clouds import SMALL_GAN, randomised, standard

from zoo.particle_physics.generation import losses
from zoo.particle_physics.models.epic_gan import jet_observables
from zoo.particle_physics.models.point_clouds import PARTICLES


@pytest.fixture(scope="module")
def adversaries():
    """(graph, state, batch) of small networks."""
    rng = np.random.default_rng(0)
    centre, scale = standard(8)
    batch = {
        "x": jnp.asarray(rng.normal(size=(8, PARTICLES, 3)), jnp.float32),
        "c": jnp.zeros((8, 7)),
        "mask": jnp.ones((8, PARTICLES), bool),
        "centre": centre,
        "scale": scale,
    }
    return *nnx.split(randomised(losses.Adversaries(SMALL_GAN, rngs=nnx.Rngs(0)))), batch


def gradient_of(name, adversaries):
    """Gradient of one of the GAN's losses by all parameters."""
    graph, state, batch = adversaries

    def loss(s):
        return losses.gan_loss(nnx.merge(graph, s), batch, jax.random.key(0), penalty=0.1)[1][name]

    return jax.grad(loss)(state)


@pytest.mark.slow
def test_a_critics_gradient_does_not_reach_the_generator_nor_the_other_way_round(adversaries):
    for name, other in (("critic", "generator"), ("generator", "critic")):
        gradient = gradient_of(name, adversaries)
        own = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(gradient[name]))
        assert jax.tree.leaves(gradient[other])
        assert own > 0 and all(
            float(jnp.abs(leaf).max()) == 0 for leaf in jax.tree.leaves(gradient[other])
        )


@pytest.mark.slow
def test_the_generators_borrowed_slope_is_the_gradient_of_its_loss(adversaries):
    graph, state, batch = adversaries
    c, mask, standards = batch["c"], batch["mask"], (batch["centre"], batch["scale"])

    def direct(s):
        model = nnx.merge(graph, s)
        local_key, whole_key = jax.random.split(jax.random.key(0))
        local = jax.random.normal(local_key, (8, PARTICLES, SMALL_GAN.local_noise))
        fake = model.generator(
            local, jax.random.normal(whole_key, (8, SMALL_GAN.global_noise)), c, mask, *standards
        )

        def judged(x):
            return model.critic(x, c, mask, jet_observables(losses.physical(x, *standards), mask))

        return jnp.mean(jax.nn.softplus(judged(batch["x"]) - judged(fake)))

    expected, found = (
        jax.grad(direct)(state)["generator"],
        gradient_of("generator", adversaries)["generator"],
    )
    for one, other in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-6)


def test_the_penalty_is_the_mean_square_slope_at_both_samples(adversaries):
    graph, state, batch = adversaries
    values = {}
    for penalty in (0.0, 0.1):
        total, parts = losses.gan_loss(
            nnx.merge(graph, state), batch, jax.random.key(0), penalty=penalty
        )
        values[penalty] = float(total)
    assert float(parts["slope"]) > 0
    assert values[0.1] - values[0.0] == pytest.approx(0.1 * float(parts["slope"]), rel=1e-3)
