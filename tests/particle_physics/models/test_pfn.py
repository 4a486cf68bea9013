"""A Particle Flow Network is F(sum of Phi): what two jets sum to is all that it knows."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.particle_physics.models.pfn import PFN, TYPICAL_PARTICLES, PFNConfig


@pytest.fixture(scope="module")
def model() -> PFN:
    return drawn(lambda: PFN(PFNConfig(phi=(8, 5), hidden=(7,), classes=3), rngs=nnx.Rngs(0)))


def test_it_is_the_papers_equation(model):
    x = np.random.default_rng(0).normal(size=(2, 9, 13)).astype(np.float32)
    mask = np.arange(9) < np.array([[9], [4]])
    found = jax.jit(lambda x, mask: model(x, x[..., :4], mask))(x, mask)

    def dense(layers, x):
        for layer in layers:
            x = np.maximum(x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...]), 0)
        return x

    for jet in range(2):
        total = sum(dense(model.phi, particle) for particle in x[jet][mask[jet]])
        hidden = dense(model.hidden, total / TYPICAL_PARTICLES)
        expected = hidden @ np.asarray(model.head.kernel[...]) + np.asarray(model.head.bias[...])
        np.testing.assert_allclose(found[jet], expected, rtol=1e-4, atol=1e-5)


def test_multiplicity_is_seen(model):
    x = np.repeat(np.random.default_rng(1).normal(size=(1, 1, 13)), 12, axis=1).astype(np.float32)
    call = jax.jit(lambda x, mask: model(x, x[..., :4], mask))
    few, many = (call(x, np.arange(12)[None] < count) for count in (2, 12))
    assert np.abs(few - many).max() > 1e-3
