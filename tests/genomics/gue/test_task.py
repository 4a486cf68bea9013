"""The GUE task and its baselines: scores against scikit-learn, the record, what a predictor
may see, features against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as oracle

from zoo.scoring import stats


def test_scores_are_scikit_learns(task):
    examples = task.examples()
    logit = np.random.default_rng(0).normal(0, 1, len(examples)) + examples.targets["label"]
    record = task.record({"logit": logit}, examples)
    found = stats.scores(task, record)
    for subset in task.subsets:
        rows = examples.inputs.subset == subset
        label, guess = examples.targets["label"][rows], logit[rows] > 0
        assert found[f"mcc.{subset}"] == pytest.approx(oracle.matthews_corrcoef(label, guess))
        assert found[f"macro_f1.{subset}"] == pytest.approx(
            oracle.f1_score(label, guess, average="macro")
        )
        assert found[f"auroc.{subset}"] == pytest.approx(oracle.roc_auc_score(label, logit[rows]))
    assert found["mcc_mean"] == pytest.approx(
        np.mean([found[f"mcc.{subset}"] for subset in task.subsets])
    )


def test_a_resample_is_scored_as_the_sequences_it_holds(task):
    examples = task.examples()
    rng = np.random.default_rng(1)
    record = task.record({"logit": rng.normal(0, 1, len(examples))}, examples)
    drawn = rng.integers(len(examples), size=len(examples))
    weights = np.bincount(drawn, minlength=len(examples))[None] / len(examples)
    found = stats.resample(task, record, weights)
    chosen = drawn[np.asarray(record["subset"])[drawn] == 0]
    assert found["mcc.tf_0"][0] == pytest.approx(
        oracle.matthews_corrcoef(record["label"][chosen], record["logit"][chosen] > 0)
    )
    assert found["auroc.tf_0"][0] == pytest.approx(
        oracle.roc_auc_score(record["label"][chosen], record["logit"][chosen])
    )


def test_the_clean_column_leaves_out_a_copy_on_the_other_strand(task):
    examples = task.examples()
    second = examples.inputs.subset == "prom_core_tata"
    assert examples.targets["clean"][~second].all()
    assert not examples.targets["clean"][second][0] and examples.targets["clean"][second][1:].all()
    label = examples.targets["label"]
    wrong_there = np.where(np.arange(len(label)) == np.flatnonzero(second)[0], 1 - label, label)
    found = stats.scores(task, task.record({"logit": 2.0 * wrong_there - 1}, examples))
    assert (
        found["mcc_clean.prom_core_tata"] == pytest.approx(1.0)
        and found["mcc.prom_core_tata"] < 1.0
    )


def test_a_predictor_never_gets_test_labels(task):
    inputs = task.examples().inputs
    assert len(inputs.train("tf_0")) == 80 and len(inputs.table("tf_0", "dev")) == 30
    with pytest.raises(ValueError, match="test labels"):
        inputs.table("tf_0", "test")
    with pytest.raises(ValueError, match=r"it has tf_0, prom_core_tata"):
        inputs.train("tf_9")


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"logits": 0}, "need 'logit'"),
        ({"logit": np.zeros(3)}, "shape"),
        ({"logit": np.full(120, np.nan)}, "no prediction"),
        ({"probability": np.full((120, 2), 0.7)}, "sum to one"),
    ],
)
def test_what_is_no_prediction_is_refused(task, predictions, message):
    with pytest.raises(ValueError, match=message):
        task.record(predictions, task.examples())


def test_probabilities_and_logits_are_one_prediction(task):
    examples = task.examples()
    logit = np.random.default_rng(3).normal(0, 2, len(examples))
    positive = 1 / (1 + np.exp(-logit))
    a, b = (
        task.record({"logit": logit}, examples),
        task.record({"probability": np.stack([1 - positive, positive], 1)}, examples),
    )
    np.testing.assert_allclose(a["logit"], b["logit"], rtol=1e-4, atol=1e-5)
