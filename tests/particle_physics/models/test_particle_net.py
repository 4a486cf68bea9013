"""ParticleNet: edge convolutions are the paper's formula over the nearest neighbours."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from small_taggers import build, jets

from zoo.particle_physics.models.features import FEATURE_SETS
from zoo.particle_physics.models.particle_net import ParticleNet, ParticleNetConfig, nearest


def dense_edge_convolution(layer, x, neighbours):
    """The paper's formula with its loops: every edge [x_i, x_j - x_i] through the MLP."""
    result = []
    for i, row in enumerate(neighbours):
        edges = np.stack([np.concatenate([x[i], x[j] - x[i]]) for j in row])
        for dense in layer.layers:
            edges = np.maximum(
                edges @ dense.kernel[...] * dense.affine.scale[...] + dense.affine.shift[...], 0
            )
        shortcut = (
            x[i] @ layer.shortcut.kernel[...] * layer.shortcut.affine.scale[...]
            + layer.shortcut.affine.shift[...]
        )
        result.append(np.maximum(edges.mean(0) + shortcut, 0))
    return np.stack(result)


def test_the_split_edge_weights_are_the_papers_formula():
    model, _ = build("particle_net")
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 9, 13)).astype(np.float32)
    neighbours = np.stack(
        [[random.choice(9, 4, replace=False) for _ in range(9)] for _ in range(2)]
    )
    layer = model.convolutions[0]
    expected = [dense_edge_convolution(layer, *pair) for pair in zip(x, neighbours, strict=True)]
    np.testing.assert_allclose(
        layer(jnp.asarray(x), jnp.asarray(neighbours)), expected, atol=1e-4, rtol=1e-5
    )


@pytest.mark.slow
def test_folding_moves_the_scales_into_the_kernels_and_changes_no_answer():
    net = ParticleNet(ParticleNetConfig(normalise=False), rngs=nnx.Rngs(0))
    key = jax.random.key(1)
    for number, dense in enumerate(
        dense for convolution in net.convolutions for dense in convolution.layers
    ):
        dense.affine.scale[...] = jax.random.uniform(
            jax.random.fold_in(key, number), dense.affine.scale.shape, minval=0.5, maxval=2.0
        )
    folded = net.fold_scales()
    x = jax.random.normal(key, (3, 20, len(FEATURE_SETS["kinpid"])))
    mask = jnp.arange(20) < jnp.array([5, 20, 12])[:, None]
    np.testing.assert_allclose(folded(x, None, mask), net(x, None, mask), rtol=1e-5, atol=1e-5)
    assert all(
        dense.affine.scale is None
        for convolution in folded.convolutions
        for dense in convolution.layers
    )
    assert all(
        dense.affine.scale is not None
        for convolution in net.convolutions
        for dense in convolution.layers
    ), "the copy is its own"


@pytest.mark.parametrize("dim", [2, 5])
def test_neighbours_are_the_nearest_present_others(dim):
    points = np.random.default_rng(0).normal(size=(3, 20, dim)).astype(np.float32)
    mask = np.arange(20) < np.array([20, 12, 4])[:, None]
    found = np.asarray(nearest(jnp.asarray(points), jnp.asarray(mask), 3))
    for jet, i in itertools.product(range(3), range(20)):
        if mask[jet, i]:
            distance = np.where(mask[jet], ((points[jet] - points[jet, i]) ** 2).sum(-1), np.inf)
            distance[i] = np.inf
            assert list(found[jet, i]) == list(np.argsort(distance)[:3])


def test_a_jet_with_too_few_particles_gets_absent_neighbours_and_never_itself():
    mask = np.arange(8) < 3
    found = np.asarray(nearest(jnp.zeros((1, 8, 2)), jnp.asarray(mask)[None], 5))[0]
    for i in range(3):
        assert (
            i not in found[i]
            and set(found[i, :2]) == {0, 1, 2} - {i}
            and not mask[found[i, 2:]].any()
        )


def test_each_edge_convolution_may_have_its_own_number_of_neighbours():
    config = ParticleNetConfig(channels=((8, 8), (16, 16)), hidden=(16,))
    one, two, other = (
        ParticleNet(dataclasses.replace(config, neighbours=k), rngs=nnx.Rngs(0))
        for k in (7, (7, 7), (7, 3))
    )
    given = [jnp.asarray(each) for each in jets()]
    logits = one(*given)
    np.testing.assert_array_equal(two(*given), logits)
    assert np.abs(other(*given) - logits)[2:].max() > 1e-3
    with pytest.raises(ValueError, match="must be one number or 2"):
        ParticleNet(dataclasses.replace(config, neighbours=(7, 7, 7)), rngs=nnx.Rngs(0))
