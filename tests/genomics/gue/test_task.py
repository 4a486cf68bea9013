"""The GUE task and its baselines: scores against scikit-learn, the record, what a predictor
may see, features against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from zoo import registry
from zoo.genomics.data.sequences import decode, encode_all, reverse_complement
from zoo.genomics.gue import metrics as classification
from zoo.genomics.gue.baselines import composition, kmers
from zoo.genomics.gue.task import Gue
from zoo.scoring import stats

LETTERS = np.array(list("ACGT"))


def table(path, n, length, *, seed, first=None):
    """A table of random sequences, GC-rich ones positive; returns the letters."""
    rng = np.random.default_rng(seed)
    rows = [] if first is None else list(first)
    while len(rows) < n:
        label = int(rng.integers(2))
        p = [0.2, 0.3, 0.3, 0.2] if label else [0.3, 0.2, 0.2, 0.3]
        rows.append(("".join(rng.choice(LETTERS, length, p=p)), label))
    path.write_text(
        "sequence,label\n" + "".join(f"{letters},{label}\n" for letters, label in rows),
        encoding="utf-8",
    )
    return rows


@pytest.fixture
def task(tmp_path):
    """The task over two small subsets of our own making; the second's test table begins
    with a copy of a training sequence."""
    spec = registry.task("genomics/gue")
    families = [
        metric if not metric.at else metric.model_copy(update={"at": ["tf_0", "prom_core_tata"]})
        for metric in spec.metric
    ]
    spec = spec.model_copy(update={"metric": families})
    for subset, length in (("tf_0", 101), ("prom_core_tata", 70)):
        train = table(tmp_path / f"{subset}.train.csv", 80, length, seed=1)
        table(tmp_path / f"{subset}.dev.csv", 30, length, seed=2)
        copied = decode(reverse_complement(encode_all([train[0][0]]))[0])
        table(
            tmp_path / f"{subset}.test.csv",
            60,
            length,
            seed=3,
            first=[(copied, train[0][1])] if subset == "prom_core_tata" else None,
        )
    return Gue(spec, file=lambda name: tmp_path / name)


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


@given(
    st.lists(st.text("ACGTN", min_size=6, max_size=12), min_size=1, max_size=4), st.integers(2, 4)
)
@settings(max_examples=30, deadline=None)
def test_counts_are_those_of_a_loop(sequences, k):
    tokens = encode_all(sequences)
    counts = kmers.spectrum(tokens, (k,), strands=False).toarray() ** 2
    for row, letters in zip(counts, sequences, strict=True):
        expected = np.zeros(4**k)
        for start in range(len(letters) - k + 1):
            if "N" not in letters[start : start + k]:
                expected[
                    int("".join(str("ACGT".index(c)) for c in letters[start : start + k]), 4)
                ] += 1
        np.testing.assert_allclose(row, expected, atol=1e-5)
    both = kmers.spectrum(tokens, (k,), strands=True)
    np.testing.assert_allclose(
        both.toarray(), kmers.spectrum(reverse_complement(tokens), (k,), strands=True).toarray()
    )


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
