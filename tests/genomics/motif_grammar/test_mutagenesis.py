"""Quick mutagenesis equals running every mutant."""

from __future__ import annotations

import numpy as np
import pytest
from flax import nnx
from random_modules import drawn

from zoo import attribution
from zoo.genomics.data.sequences import one_hot
from zoo.genomics.models.motif_cnn import MotifCnn, MotifCnnConfig, freeze
from zoo.genomics.motif_grammar.mutagenesis import substitution_gains


@pytest.mark.parametrize(("kind", "activation"), [("dist", "exponential"), ("local", "softplus")])
def test_fast_mutagenesis_equals_running_every_mutant(kind, activation):
    model = freeze(drawn(lambda: MotifCnn(MotifCnnConfig(kind, activation), rngs=nnx.Rngs(1))))
    x = one_hot(np.random.default_rng(1).integers(0, 4, (3, 200)).astype(np.int8))
    graph, state = nnx.split(model)
    whole = attribution.in_silico_mutagenesis(lambda inputs: nnx.merge(graph, state)(inputs), x)
    found = substitution_gains(model, x, batch=2)
    np.testing.assert_allclose(found, whole, atol=2e-5 * max(1.0, np.abs(whole).max()))
    assert np.abs(whole).max() > 1e-3
    with pytest.raises(ValueError, match="no letter"):
        substitution_gains(model, np.zeros((1, 200, 4)))
