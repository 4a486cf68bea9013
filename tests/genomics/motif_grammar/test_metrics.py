"""Scores of an explanation are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.motif_grammar import metrics


def test_attribution_scores_equal_scikit_learn():
    from sklearn import metrics as sklearn

    rng = np.random.default_rng(0)
    # rounded: with ties
    score, truth = np.round(rng.normal(size=(20, 50)), 1), rng.random((20, 50)) < 0.3
    found = metrics.auroc(score, truth), metrics.aupr(score, truth)
    for row in range(20):
        assert found[0][row] == pytest.approx(sklearn.roc_auc_score(truth[row], score[row]))
        precision, recall, _ = sklearn.precision_recall_curve(truth[row], score[row])
        assert found[1][row] == pytest.approx(sklearn.auc(recall, precision))


def test_a_sequence_without_truth_has_no_score():
    assert np.isnan(metrics.auroc(np.zeros((1, 5)), np.zeros((1, 5), bool))).all()
    assert np.isnan(metrics.aupr(np.zeros((1, 5)), np.zeros((1, 5), bool))).all()
