"""Scores of gene labels are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_genome import toy

from zoo.genomics.ecoli import task as ecoli
from zoo.genomics.ecoli.metrics import genes
from zoo.scoring import stats


def test_scores_of_genes_equal_scikit_learn(rng, arcs):
    from sklearn import metrics as sklearn

    tokens, label = (
        rng.integers(0, 4, 6144 + 3 * 1024).astype(np.int8),
        rng.choice(4, 6144 + 3 * 1024, p=[0.2, 0.4, 0.3, 0.1]),
    )
    task = toy(ecoli.EColiGenes, tokens, label.astype(np.uint8))
    examples = task.examples()
    guess = np.where(
        rng.random((3, 1024)) < 0.6, examples.targets % 3, rng.integers(0, 3, (3, 1024))
    )
    values = stats.scores(task, task.record({"label": guess}, examples))
    counted = examples.targets < 3
    true, predicted = examples.targets[counted], guess[counted]
    assert values["macro_f1"] == pytest.approx(sklearn.f1_score(true, predicted, average="macro"))
    assert values["mcc"] == pytest.approx(sklearn.matthews_corrcoef(true, predicted))
    assert values["accuracy"] == pytest.approx((true == predicted).mean())
    each = sklearn.f1_score(true, predicted, average=None)
    assert [values[f"f1.{name}"] for name in ecoli.CLASSES] == pytest.approx(each.tolist())
    probability = np.eye(3)[guess]
    assert stats.scores(task, task.record({"probability": probability}, examples)) == values
    assert task.figures(task.record({"label": guess}, examples))[0].values[0][0] <= 1.0


def test_mcc_of_one_class_is_zero():
    table = np.zeros((3, 3))
    table[:, 1] = (5.0, 7.0, 2.0)
    assert genes.matthews(table) == 0.0
