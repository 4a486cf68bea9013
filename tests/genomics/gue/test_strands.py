"""A site reads the same from either strand; the mean of both strands knows no direction."""

from __future__ import annotations

import numpy as np

from zoo.genomics.data.sequences import reverse_complement
from zoo.genomics.gue.strands import STRAND_SYMMETRIC_SUBSETS, both_strands


def test_the_mean_of_both_strands_is_the_same_from_either():
    rng = np.random.default_rng(0)
    tokens, weight = rng.integers(0, 4, (20, 31)).astype(np.int8), rng.normal(size=(31, 4))

    def predict(tokens):
        return weight[np.arange(31), tokens].sum(1)

    mean = both_strands(predict, tokens)
    np.testing.assert_allclose(mean, both_strands(predict, reverse_complement(tokens)))
    np.testing.assert_allclose(mean, (predict(tokens) + predict(reverse_complement(tokens))) / 2)
    assert np.abs(predict(tokens) - mean).max() > 0.1, "this predictor does know a direction"


def test_binding_sites_have_no_direction_and_promoters_have_one():
    assert "tf_0".startswith(STRAND_SYMMETRIC_SUBSETS)
    assert "mouse_4".startswith(STRAND_SYMMETRIC_SUBSETS)
    assert not "prom_core_tata".startswith(STRAND_SYMMETRIC_SUBSETS)
