"""Layers of period three stay in frame."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from zoo.genomics.ecoli import train as training_ecoli
from zoo.genomics.models.periodic_cnn import PeriodicCNN, PeriodicCNNConfig, shifted_copies


def test_what_periodic_layers_gather_stays_in_frame():
    """Without the first and the last layer's reach, an output depends on bases of its own
    frame alone."""
    x = jnp.zeros((1, 61, 1)).at[0, 30, 0].set(1.0)
    y = np.asarray(shifted_copies(shifted_copies(x, 5, 3).sum(-1, keepdims=True), 5, 9).sum(-1))[0]
    assert (
        set(np.flatnonzero(y) % 3) == {0}
        and y.sum() == 25
        and np.flatnonzero(y).tolist()
        == sorted({30 + 3 * a + 9 * b for a in range(-2, 3) for b in range(-2, 3)})
    )
    z = np.asarray(shifted_copies(jnp.arange(6.0)[None, :, None], 3, 2))[0]
    assert z.tolist() == [[0, 0, 2], [0, 1, 3], [0, 2, 4], [1, 3, 5], [2, 4, 0], [3, 5, 0]]


def test_periodic_network_trains(genome):
    model = PeriodicCNN(PeriodicCNNConfig(channels=4, dilations=(3,)), rngs=nnx.Rngs(0))
    batch = {
        "tokens": jnp.asarray(genome[:128].reshape(2, 64)),
        "labels": jnp.ones((2, 64), jnp.int32),
    }
    value, gradient = nnx.jit(
        nnx.value_and_grad(lambda m: training_ecoli.labels_loss(m, batch, jax.random.key(0))[0])
    )(model)
    assert 0.5 < float(value) < 3.0 and all(
        np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(nnx.state(gradient))
    )
