"""A frozen motif network is the same function."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.motif_cnn import ACTIVATIONS, KINDS, MotifCnn, MotifCnnConfig, freeze


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_network_is_the_same_function(kind):
    model = drawn(lambda: MotifCnn(MotifCnnConfig(kind, "relu"), rngs=nnx.Rngs(0)))
    x = one_hot(np.random.default_rng(0).integers(0, 4, (8, 200)).astype(np.int8))
    nnx.jit(lambda model, x: model(x, key=jax.random.key(0)))(model, x)
    running = jax.tree.leaves(nnx.state(model, nnx.Not(nnx.Param)))
    assert running and all(np.ptp(each) > 0 for each in running)  # they have moved
    frozen, own = (nnx.jit(lambda model, x: model(x))(each, x) for each in (freeze(model), model))
    np.testing.assert_allclose(frozen, own, atol=1e-5)


def test_unknown_settings_are_named():
    with pytest.raises(ValueError, match=", ".join(ACTIVATIONS)):
        MotifCnnConfig("dist", "tanh")
