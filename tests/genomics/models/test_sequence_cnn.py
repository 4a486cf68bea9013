"""The CNN reads sequences of its own length; its weights of places are a position weight
matrix."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import TINY_CNN, random_tokens
from random_modules import drawn

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.sequence_cnn import SequenceCNN, SequenceCNNConfig


@pytest.mark.parametrize("length", [70, 101, 300])
def test_a_cnn_reads_its_own_length_only(length):
    config = SequenceCNNConfig(length=length, **TINY_CNN)
    model = drawn(lambda: SequenceCNN(config, rngs=nnx.Rngs(0)))
    assert model(jnp.asarray(one_hot(random_tokens(2, length)))).shape == (2,)
    with pytest.raises(ValueError, match=f"sequences of {length} bases, these have {length + 1}"):
        model(jnp.asarray(one_hot(random_tokens(2, length + 1))))


def test_the_weights_of_places_are_a_position_weight_matrix():
    config = SequenceCNNConfig(length=70, placed=True, **TINY_CNN)
    model = drawn(lambda: SequenceCNN(config, rngs=nnx.Rngs(0)))
    model.places[...] = jnp.zeros((70, 4))
    tokens = random_tokens(4, 70)
    before = model(jnp.asarray(one_hot(tokens)))
    matrix = np.random.default_rng(1).normal(size=(70, 4)).astype(np.float32)
    model.places[...] = jnp.asarray(matrix)
    np.testing.assert_allclose(
        model(jnp.asarray(one_hot(tokens))) - before,
        matrix[np.arange(70), tokens].sum(1),
        rtol=1e-3,
        atol=1e-4,
    )
