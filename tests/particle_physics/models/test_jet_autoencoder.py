"""An autoencoder has only what its bottleneck lets through."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.particle_physics.models.jet_autoencoder import JetAutoencoder, JetAutoencoderConfig


@pytest.fixture(scope="module")
def model() -> JetAutoencoder:
    config = JetAutoencoderConfig(features=6, hidden=8, bottleneck=2)
    return drawn(lambda: JetAutoencoder(config, rngs=nnx.Rngs(0)))


def test_jets_keep_their_shape_and_do_not_see_each_other(model):
    jets = np.random.default_rng(0).normal(size=(4, 2, 6)).astype(np.float32)
    call = jax.jit(lambda x: model(x))
    whole = call(jets)
    assert whole.shape == jets.shape
    np.testing.assert_allclose(call(jets[1:2])[0], whole[1], atol=1e-6)


def test_what_comes_out_varies_in_two_directions_only(model):
    jet = np.random.default_rng(1).normal(size=6).astype(np.float32)
    jacobian = jax.jit(jax.jacobian(lambda x: model(x)))(jet)
    values = np.linalg.svd(np.asarray(jacobian), compute_uv=False)
    assert values[1] > 1e-3 * values[0] > 0 and values[2] < 1e-5 * values[0]
