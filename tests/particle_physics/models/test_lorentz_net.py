"""LorentzNet does not see the frame."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_taggers import build, jets


def boost(direction, rapidity):
    """The matrix that boosts (px, py, pz, E) along a direction."""
    n = np.asarray(direction, float) / np.linalg.norm(direction)
    matrix = np.eye(4)
    matrix[:3, :3] += (np.cosh(rapidity) - 1) * np.outer(n, n)
    matrix[:3, 3] = matrix[3, :3] = np.sinh(rapidity) * n
    matrix[3, 3] = np.cosh(rapidity)
    return matrix


def rotation(seed=0):
    """A random rotation of space."""
    matrix = np.eye(4)
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    matrix[:3, :3] = turned * np.linalg.det(turned)
    return matrix


@pytest.mark.parametrize(
    "frame",
    [
        boost((0, 0, 1), 2.0),
        boost((1, 2, -1), 1.0),
        rotation(),
        rotation(1) @ boost((1, 0, 0), -1.5) @ rotation(2),
    ],
)
def test_lorentz_net_does_not_see_the_frame(frame):
    with jax.enable_x64(True):
        model, call = build("lorentz_net")
        features, vectors, mask = jets(counts=(3, 10, 32), dtype=np.float64)
        logits = np.asarray(call(features, vectors, mask))
        assert logits.dtype == np.float64
        np.testing.assert_allclose(call(features, vectors @ frame.T, mask), logits, atol=1e-8)
        # The vectors inside turn with the frame: the layer is equivariant, not only the
        # answer invariant.
        h = jnp.asarray(np.random.default_rng(0).normal(size=(3, 32, 8)))
        _, x = model.layers[0](h, jnp.asarray(vectors), jnp.asarray(mask, float))
        _, turned = model.layers[0](h, jnp.asarray(vectors @ frame.T), jnp.asarray(mask, float))
        np.testing.assert_allclose(turned, x @ frame.T, rtol=1e-9, atol=1e-8)
        assert np.abs(x - vectors)[mask].max() > 1e-3


def test_lorentz_net_does_see_a_change_that_is_no_change_of_frame():
    _, call = build("lorentz_net")
    features, vectors, mask = jets(counts=(3, 10, 32))
    squeezed = vectors * np.array([1.0, 1.0, 1.2, 1.0], np.float32)
    assert np.abs(call(features, squeezed, mask) - call(features, vectors, mask)).max() > 1e-3


def test_in_single_precision_a_boost_moves_lorentz_nets_logits_by_rounding_only():
    _, call = build("lorentz_net")
    features, vectors, mask = jets(counts=(3, 10, 32))
    boosted = (vectors.astype(np.float64) @ boost((0, 0, 1), 1.0).T).astype(np.float32)
    np.testing.assert_allclose(
        call(features, boosted, mask), call(features, vectors, mask), atol=0.02
    )
