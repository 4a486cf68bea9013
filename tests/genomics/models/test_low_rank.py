"""A low-rank update of a frozen kernel is a kernel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.genomics.models import low_rank as low_rank_model


def test_an_update_of_rank_zero_changes_nothing_and_a_trained_one_is_a_kernel():
    rngs = nnx.Rngs(0)
    x = jax.random.normal(jax.random.key(1), (3, 10, 8))
    for layer in (
        nnx.Linear(8, 12, rngs=rngs),
        nnx.LinearGeneral(8, (3, 4), rngs=rngs),
        nnx.Conv(8, 12, (5,), rngs=rngs),
    ):
        ours = low_rank_model.LowRank(layer, 2, rngs=rngs)
        np.testing.assert_allclose(ours(x), layer(x), atol=1e-5)
        ours.up[...] = jax.random.normal(jax.random.key(2), ours.up[...].shape)
        assert np.abs(ours(x) - layer(x)).max() > 0.1
        layer.kernel[...] = layer.kernel[...] + jnp.tensordot(ours.down[...], ours.up[...], 1)
        np.testing.assert_allclose(ours(x), layer(x), atol=1e-4)
