"""The map of each latitude has the gradient that JAX derives."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from zoo.climate.models.convnext import affine


def test_the_latitude_wise_map_has_the_gradient_that_jax_derives():
    noise = np.random.default_rng(0)
    field, scale, shift = (
        jnp.asarray(noise.normal(size=size), jnp.float32) for size in ((2, 5, 4, 3), (4, 3), (4, 3))
    )
    ours = jax.grad(lambda *parts: jnp.sin(affine(*parts)).sum(), (0, 1, 2))(field, scale, shift)
    derived = jax.grad(lambda field, scale, shift: jnp.sin(field * scale + shift).sum(), (0, 1, 2))(
        field, scale, shift
    )
    for one, other in zip(ours, derived, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
