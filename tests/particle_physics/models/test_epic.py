"""EPiC networks commute with permutations, do not see padding, and keep what physics gives."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from made_up_clouds import SMALL_FLOW, SMALL_GAN, made_up, randomised, standard

from zoo.particle_physics.generation.losses import physical
from zoo.particle_physics.generation.metrics import relative_mass
from zoo.particle_physics.models.epic_flow import EpicFlow, sample
from zoo.particle_physics.models.epic_gan import EpicCritic, EpicGan, jet_observables
from zoo.particle_physics.models.point_clouds import PARTICLES, relax


def network(name: str):
    """(function of particle-wise input, condition, mask), width of that input."""
    if name == "flow":
        model = randomised(EpicFlow(SMALL_FLOW, rngs=nnx.Rngs(0)))
        return lambda x, c, mask: model(x, jnp.full(len(x), 0.3), c, mask), 3
    if name == "critic":
        model = randomised(EpicCritic(SMALL_GAN, rngs=nnx.Rngs(0)))
        return lambda x, c, mask: model(
            x, c, mask, jet_observables(physical(x, *standard(len(x))), mask)
        ), 3
    model = randomised(EpicGan(SMALL_GAN, rngs=nnx.Rngs(0)))
    return lambda x, c, mask: model(
        x, jnp.ones((len(x), SMALL_GAN.global_noise)), c, mask, *standard(len(x))
    ), SMALL_GAN.local_noise


@pytest.mark.parametrize("name", ["flow", "gan", "critic"])
def test_networks_commute_with_permutations_and_do_not_see_padding(name):
    call, width = network(name)
    rng = np.random.default_rng(1)
    x, c = (
        jnp.asarray(rng.normal(size=(4, PARTICLES, width)), jnp.float32),
        jnp.asarray(rng.normal(size=(4, 7)), jnp.float32),
    )
    mask = jnp.asarray(np.arange(PARTICLES) < np.array([30, 12, 5, 1])[:, None])
    out = call(x, c, mask)
    order = rng.permutation(PARTICLES)
    permuted = call(x[:, order], c, mask[:, order])
    np.testing.assert_allclose(permuted, out if name == "critic" else out[:, order], atol=1e-5)
    np.testing.assert_allclose(call(jnp.where(mask[..., None], x, 50.0), c, mask), out, atol=1e-5)
    assert float(jnp.abs(call(x + 0.5, c, mask) - out).max()) > 1e-3
    assert float(jnp.abs(call(x, c + 0.5, mask) - out).max()) > 1e-3
    if name != "critic":
        assert (np.asarray(out)[~np.asarray(mask)] == 0).all()


def test_a_flow_of_constant_velocity_moves_noise_by_it():
    class Constant(nnx.Module):
        def __call__(self, x, time, conditions, mask):
            return jnp.ones_like(x) * mask[..., None]

    mask = jnp.asarray(np.arange(PARTICLES) < np.array([30, 4])[:, None])
    moved = sample(Constant(), jnp.zeros((2, PARTICLES, 3)), jnp.zeros((2, 7)), mask, steps=3)
    np.testing.assert_allclose(moved, np.where(mask[..., None], 1.0, 0.0) * np.ones(3), atol=1e-6)


def test_no_particle_leaves_the_cone_and_momentum_is_conserved_whatever_the_weights():
    model = EpicGan(SMALL_GAN, rngs=nnx.Rngs(0))
    rng, n = np.random.default_rng(3), 60
    mask = np.arange(PARTICLES) < np.where(np.arange(n) % 2, 30, rng.integers(7, 30, n))[:, None]
    noise = (
        rng.normal(size=(n, PARTICLES, SMALL_GAN.local_noise)),
        rng.normal(size=(n, SMALL_GAN.global_noise)),
    )
    centre, scale = standard(n)
    inner = np.asarray(model.leave.kernel[...])

    def made(factor):
        model.leave.kernel[...] = jnp.asarray(factor * inner)
        x = model(
            *(jnp.asarray(each, jnp.float32) for each in noise),
            jnp.zeros((n, 7)),
            jnp.asarray(mask),
            centre,
            scale,
        )
        particles = relax(np.asarray(x * scale[:, None] + centre[:, None]))
        return particles, np.sum(particles[..., 2] * np.cos(particles[..., 1]) * mask, axis=1)

    for factor in (0.1, 1.0, 300.0):
        particles, along = made(factor)
        assert along.max() < 1.001
        # With wild weights one particle may need more than the jet's whole momentum, where
        # `relax` cuts it.
        assert np.mean(np.abs(along[~mask.all(1)] - 1.0) < 1e-3) > (0.9 if factor > 1.0 else 0.999)
    assert (
        0.8 * SMALL_GAN.max_angle
        < np.abs(particles[mask][:, :2]).max()
        < 1.001 * SMALL_GAN.max_angle
    )
    # Thirty soft particles are a part of a jet: they are not blown up to the whole of it.
    assert made(0.1)[1][mask.all(1)].max() < 0.9


def test_the_critics_observables_are_those_of_physics():
    jets = made_up(50, 7)
    particles, mask = jets.particles.copy(), jets.mask
    particles[..., :2] *= 0.3
    seen = np.asarray(jet_observables(jnp.asarray(particles), jnp.asarray(mask)))
    pt = particles[..., 2] * mask
    np.testing.assert_allclose(np.exp(seen[:, 2]), pt.sum(1) + 1e-3, rtol=1e-4)
    np.testing.assert_allclose(
        seen[:, 0], (pt * particles[..., 0]).sum(1) / pt.sum(1) / 0.05, rtol=1e-3, atol=1e-4
    )
    expected = np.square(relative_mass(particles, mask) / pt.sum(1)) + 1e-5
    np.testing.assert_allclose(np.exp(2.0 * (seen[:, 3] - 2.5)), expected, rtol=0.03)
    order = np.random.default_rng(0).permutation(PARTICLES)
    permuted = jet_observables(
        jnp.asarray(np.where(mask[..., None], particles, 9.0)[:, order]),
        jnp.asarray(mask[:, order]),
    )
    np.testing.assert_allclose(permuted, seen, rtol=1e-4, atol=1e-4)
