"""The particle transformer's pair features are the paper's."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_taggers import jets

from zoo.particle_physics.models.lorentz_net import minkowski
from zoo.particle_physics.models.particle_transformer import (
    ParticleTransformer,
    ParticleTransformerConfig,
    pair_features,
)


def test_pair_features_are_the_papers_for_massless_particles():
    _, vectors, mask = jets(counts=(32,), dtype=np.float64)
    vectors[..., 3] = np.sqrt((vectors[..., :3] ** 2).sum(-1))
    a, b = vectors[:, :, None], vectors[:, None]
    kt, z, angle, mass2 = pair_features(jnp.asarray(vectors, jnp.float32), jnp.asarray(mask))
    px, py, pz, energy = (vectors[..., i] for i in range(4))
    pt, rapidity, phi = (
        np.hypot(px, py),
        0.5 * np.log((energy + pz) / (energy - pz)),
        np.arctan2(py, px),
    )
    delta = np.hypot(rapidity[:, :, None] - rapidity[:, None], phi[:, :, None] - phi[:, None])
    softer, off = np.minimum(pt[:, :, None], pt[:, None]), ~np.eye(32, dtype=bool)[None]
    np.testing.assert_allclose(np.asarray(angle)[off] - 1.5, np.log(delta[off]), atol=1e-3)
    np.testing.assert_allclose(np.asarray(kt)[off] / 0.5, np.log((softer * delta)[off]), atol=1e-3)
    np.testing.assert_allclose(
        np.asarray(z)[off] / 0.7 - 1.5,
        np.log(softer / (pt[:, :, None] + pt[:, None]))[off],
        atol=1e-4,
    )
    np.testing.assert_allclose(
        np.asarray(mass2)[off] / 0.3 + 1.0, np.log(minkowski(a + b, a + b)[off]), atol=1e-3
    )


def test_a_width_that_does_not_divide_among_the_heads_is_refused():
    with pytest.raises(ValueError, match="width=30 does not divide among heads=4"):
        ParticleTransformer(
            dataclasses.replace(ParticleTransformerConfig(), width=30), rngs=nnx.Rngs(0)
        )
