"""The stack's weights are the best that are not negative."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from zoo.genomics.gue import stacking


def test_weights_of_a_committee_are_the_best_that_are_not_negative():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 4000)
    label = (rng.random(4000) < 1 / (1 + np.exp(-truth))).astype(int)
    logits = np.stack([truth + rng.normal(0, 0.3, 4000), rng.normal(0, 1, 4000), -truth], 1)
    weights, intercept = stacking.fit_weights(logits, label)
    assert weights[0] > 0.8 and weights[1] < 0.1 and weights[2] == 0.0 and abs(intercept) < 0.15
    assert nnls(logits, truth)[0][2] == 0.0  # so does least squares

    def value(w, b):
        return (
            np.logaddexp(0, -(2 * label - 1) * (logits @ w + b)).mean()
            + stacking.PENALTY * (w**2).sum()
        )

    best = value(weights, intercept)
    for step in np.eye(3) * 0.05:
        assert value(weights + step, intercept) > best
        assert value(np.maximum(weights - step, 0), intercept) >= best
    assert value(weights, intercept + 0.05) > best and value(weights, intercept - 0.05) > best


def test_a_committee_is_its_members_weighted_sum():
    class Member:
        def __init__(self, value):
            self.value = value

        def logits(self, tokens, subset):
            return np.full(len(tokens), self.value)

    members = {"network": Member(2.0), "spectrum": Member(-1.0)}
    both = stacking.StackedClassifier(
        members, {"tf_0": {"network": 0.5, "spectrum": 0.25}}, {"tf_0": 0.1}
    )
    np.testing.assert_allclose(both.logits(np.zeros((3, 5)), "tf_0"), 0.1 + 1.0 - 0.25)
    with pytest.raises(ValueError, match="it knows tf_0"):
        both.logits(np.zeros((3, 5)), "tf_1")
