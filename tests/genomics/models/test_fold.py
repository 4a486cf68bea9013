"""An embedding of letters folds into the convolution behind it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from motif_tables import random_tokens
from random_modules import drawn

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.fold import FoldedConv


def test_a_folded_embedding_is_the_embedding_and_then_the_convolution():
    layer = drawn(
        lambda: FoldedConv(8, 16, padding="VALID", embedding=10, rngs=nnx.Rngs(0)), seed=0
    )
    tokens = random_tokens(3, 40)
    embedded = layer.embedding[...][tokens]
    expected = np.zeros((3, 33, 16))
    for place in range(33):
        expected[:, place] = np.einsum(
            "bwe,wec->bc", embedded[:, place : place + 8], layer.kernel[...]
        )
    expected += layer.bias[...]
    np.testing.assert_allclose(layer(jnp.asarray(one_hot(tokens))), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="SAME, VALID"):
        FoldedConv(8, 16, padding="same", rngs=nnx.Rngs(0))
