"""Scores of several domains are scikit-learn's, for one set of examples and for each resample."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from zoo.scoring import scores


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_matthews_of_any_number_of_classes_is_scikit_learns(rng, classes):
    true, predicted = rng.integers(0, classes, (2, 300))
    predicted = np.where(rng.random(300) < 0.4, true, predicted)
    table = np.zeros((classes, classes))
    np.add.at(table, (true, predicted), 1)
    assert scores.matthews(table) == pytest.approx(matthews_corrcoef(true, predicted))
    assert scores.matthews(table / 300) == pytest.approx(scores.matthews(table)), "shares will do"


def test_one_class_alone_has_no_correlation():
    tables = np.array([[[5.0, 0], [3, 0]], [[4, 4], [0, 0]], [[4, 0], [0, 4]]])
    np.testing.assert_array_equal(scores.matthews(tables), [0.0, 0.0, 1.0])


def test_auroc_counts_ties_half(rng):
    score, truth = rng.integers(0, 6, (4, 50)).astype(float), rng.random((4, 50)) < 0.3
    expected = [roc_auc_score(*pair) for pair in zip(truth, score, strict=True)]
    np.testing.assert_allclose(scores.auroc(score, truth), expected)
    assert np.isnan(scores.auroc(score, np.ones_like(truth))).all()


def test_a_resamples_auroc_is_that_of_the_examples_drawn(rng):
    score, truth = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.4
    drawn = rng.integers(0, 60, (5, 60))
    counts = np.stack([np.bincount(rows, minlength=60) for rows in drawn])
    expected = [roc_auc_score(truth[rows], score[rows]) for rows in drawn]
    np.testing.assert_allclose(scores.weighted_auroc(score, truth, counts), expected)
    np.testing.assert_allclose(scores.weighted_auroc(score, truth, counts / 60), expected)
    assert scores.weighted_auroc(score, truth)[0] == pytest.approx(scores.auroc(score, truth))


def test_a_resample_of_one_class_has_none():
    weights = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    found = scores.weighted_auroc(np.array([0.1, 0.2, 0.3]), np.array([1, 1, 0]), weights)
    assert np.isnan(found[0]) and found[1] == 0.0
