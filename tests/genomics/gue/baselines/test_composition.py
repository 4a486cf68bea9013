"""A threshold on composition is the best of all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from zoo.genomics.gue import metrics as classification
from zoo.genomics.gue.baselines import composition
from zoo.scoring import stats


def test_a_threshold_is_the_best_of_all(task):
    rng = np.random.default_rng(5)
    value, label = rng.normal(0, 1, 60).round(1), rng.integers(0, 2, 60)
    cut, side = composition.best_threshold(value, label)
    got = classification.matthews(classification.confusion((value - cut) * side > 0, label).sum(0))
    cuts = [*np.unique(value) + 0.05]
    best = max(abs(oracle.matthews_corrcoef(label, value > c)) for c in cuts)
    assert got == pytest.approx(best)
    examples = task.examples()
    found = stats.scores(
        task,
        task.record(composition.threshold(task, feature="gc_content")(examples.inputs), examples),
    )
    assert found["mcc_mean"] > 0.3
    with pytest.raises(ValueError, match="gc_content, cpg_count"):
        composition.threshold(task, feature="at")
