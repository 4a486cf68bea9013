"""The classifier of two samples finds a shift, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np

from zoo.particle_physics.generation import two_sample


def test_the_classifier_finds_a_shift_and_nothing_where_there_is_nothing():
    rng = np.random.default_rng(3)
    true = rng.normal(size=(800, 6))
    same, shifted, correlated = (
        rng.normal(size=(800, 6)),
        rng.normal(0.8, 1.0, (800, 6)),
        rng.normal(size=(800, 6)),
    )
    correlated[:, 1] = correlated[:, 0]
    assert abs(two_sample.classifier_auc(same, true).mean() - 0.5) < 0.05
    # 0.917 is the most that can be had
    assert two_sample.classifier_auc(shifted, true).mean() > 0.85
    assert two_sample.classifier_auc(correlated, true).mean() > 0.7  # no single observable differs
    np.testing.assert_array_equal(
        two_sample.classifier_auc(shifted, true), two_sample.classifier_auc(shifted, true)
    )
