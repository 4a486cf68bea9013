"""Classes of a user's own: honest splits, a probe that is the textbook's, scores that are
scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.commands.finetune import classification


def test_the_probe_is_the_penalised_softmax_regression_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 120)
    x = rng.normal(size=(120, 5)) * [1, 10, 0.1, 3, 1] + label[:, None] * [0.5, 0, 0.1, -1, 0] + 7
    kernel, bias = classification.softmax_regression(x, label, 3, penalty=0.03)
    scaler = StandardScaler().fit(x)
    theirs = LogisticRegression(C=1 / (0.03 * len(x)), tol=1e-10, max_iter=10_000).fit(
        scaler.transform(x), label
    )
    expected = theirs.predict_proba(scaler.transform(x))
    logits = x @ kernel + bias
    ours = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(ours / ours.sum(1, keepdims=True), expected, atol=2e-4)


def test_a_constant_feature_says_nothing():
    x = np.column_stack([np.full(20, 3.0), np.arange(20.0)])
    kernel, bias = classification.softmax_regression(x, np.arange(20) // 10, 2, penalty=0.1)
    assert np.isfinite(bias).all() and (kernel[0] == 0).all() and (kernel[1] != 0).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_scores_are_those_of_scikit_learn(classes):
    from sklearn.metrics import accuracy_score, log_loss, matthews_corrcoef, roc_auc_score

    rng = np.random.default_rng(classes)
    label, logits = rng.integers(0, classes, 60), rng.integers(-2, 3, (60, classes)).astype(float)
    scores = classification.class_scores(logits, label)
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert scores["accuracy"] == pytest.approx(accuracy_score(label, logits.argmax(1)))
    assert scores["mcc"] == pytest.approx(matthews_corrcoef(label, logits.argmax(1)))
    assert scores["cross_entropy"] == pytest.approx(log_loss(label, probability))
    if classes == 2:
        assert scores["auroc"] == pytest.approx(roc_auc_score(label, logits[:, 1] - logits[:, 0]))
    else:
        assert "auroc" not in scores


def test_a_split_keeps_groups_whole_and_shares_of_classes():
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 60, 400)
    label = (rng.random(400) < 0.3).astype(int)
    held = classification.split(label, groups, seed=1)
    assert not set(groups[held]) & set(groups[~held])
    for each in (0, 1):
        assert 0.12 < held[label == each].mean() < 0.32
    assert (held == classification.split(label, groups, seed=1)).all()
    assert (held != classification.split(label, groups, seed=2)).any()


def test_one_large_group_does_not_swallow_the_validation_part():
    groups = np.r_[np.zeros(80, int), 1 + np.arange(20)]
    label = np.r_[np.zeros(80, int), np.ones(20, int)]
    held = classification.split(label, groups, seed=0)
    assert not held[:80].any() and held[80:].sum() == 4
