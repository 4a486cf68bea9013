"""The tagging tasks: who is scored on what, what a wrong prediction says, and that
resampled ranks are those of the jets drawn."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from made_up_jets import made_up
from sklearn.metrics import roc_auc_score

from zoo import registry
from zoo.cards import ResamplingSpec
from zoo.particle_physics.data.jets import LABELS, Jets
from zoo.particle_physics.tagging import task as tagging
from zoo.scoring import stats

SPEC = ResamplingSpec(unit="jet", method="bootstrap", resamples=200, seed=1)


def bound(
    name: str, monkeypatch: pytest.MonkeyPatch, *, per_class: int = 40, shifted: int = 15
) -> tagging.Tagging:
    """A task on made-up jets."""
    spec = registry.task(f"particle_physics/{name}")
    task = registry.resolve(spec.code)(spec, file=lambda wanted: pytest.fail(f"opened {wanted}"))

    def jets(file: str, *, absent_ok: bool = False) -> Jets:
        if file == "test.root":
            return made_up(per_class, classes=task.classes)
        assert file == "shift_mpi_off.root"
        return made_up(shifted, classes=task.classes, only=("QCD", "Tbqq"), seed=9)

    monkeypatch.setattr(task, "jets", jets)
    return task


def guess(examples, task, *, seed: int = 5) -> np.ndarray:
    """Probabilities that know something of the truth."""
    rng = np.random.default_rng(seed)
    n_classes = len(task.classes)
    value = (
        rng.dirichlet(np.ones(n_classes), size=len(examples))
        + 0.4 * np.eye(n_classes)[examples.targets.label]
    )
    return (value / value.sum(axis=1, keepdims=True)).astype(np.float32)


def test_examples_are_nominal_jets_then_shifted_ones_and_their_names_say_so(monkeypatch):
    task = bound("jet_tagging", monkeypatch)
    examples = task.examples()
    sample = examples.targets.sample
    # 40 smeared a class: fewer than the 100 asked for
    assert np.bincount(sample).tolist() == [400, 30, 400]
    assert len(set(examples.ids)) == len(examples.ids) == len(examples.inputs)
    first = examples.ids.index("Tbqq:000000")
    assert examples.targets.label[first] == LABELS.index("Tbqq") and sample[first] == 0
    assert {name.split("/")[0] for name, s in zip(examples.ids, sample, strict=True) if s == 1} == {
        "mpi_off"
    }
    assert sum(name.startswith("smeared/QCD:") for name in examples.ids) == 40


def test_the_predictor_does_not_see_labels(monkeypatch):
    examples = bound("top_tagging", monkeypatch).examples()
    assert (examples.inputs.label == -1).all() and set(examples.targets.label) == {0, 1}


def test_every_metric_of_the_spec_is_computed_and_no_other(monkeypatch):
    for name in ("jet_tagging", "top_tagging", "quark_gluon"):
        task = bound(name, monkeypatch)
        examples = task.examples()
        values = stats.scores(task, task.record({"probability": guess(examples, task)}, examples))
        assert values.keys() == {full for metric in task.spec.metric for full in metric.names}, name


def test_headlines_are_sklearns_on_nominal_jets_alone(monkeypatch):
    for name in ("jet_tagging", "quark_gluon"):
        task = bound(name, monkeypatch, per_class=60)
        examples = task.examples()
        probability = guess(examples, task)
        spoiled = probability.copy()
        spoiled[examples.targets.sample > 0] = 1 / len(task.classes)
        record = task.record({"probability": spoiled}, examples)
        nominal = examples.targets.sample == 0
        label = examples.targets.label[nominal]
        if len(task.classes) > 2:
            # half precision is what is scored
            kept = np.exp(record["log_probability"][nominal].astype(float))
            kept /= kept.sum(axis=1, keepdims=True)
            raw = record["log_probability"][nominal].astype(float)
            theirs = np.mean(
                [  # sklearn wants rows that sum to one; the ranks are those of the record
                    roc_auc_score(
                        label[(label == a) | (label == b)] == a, raw[(label == a) | (label == b), a]
                    )
                    for a in range(10)
                    for b in range(10)
                    if a != b
                ]
            )
            exact = roc_auc_score(
                label, probability[nominal].astype(float), multi_class="ovo", average="macro"
            )
            assert theirs == pytest.approx(exact, abs=2e-3)
        else:
            theirs = roc_auc_score(label, record["score"][nominal])
            assert theirs == pytest.approx(roc_auc_score(label, probability[nominal, 1]), abs=1e-12)
        values = stats.scores(task, record)
        assert values["auc"] == pytest.approx(theirs, abs=1e-9)
        assert values["accuracy"] == pytest.approx(
            (spoiled[nominal].argmax(axis=1) == label).mean(), abs=0.005
        )


def test_a_resampled_auc_is_the_auc_of_the_jets_that_were_drawn(monkeypatch):
    task = bound("top_tagging", monkeypatch, per_class=80)
    examples = task.examples()
    record = task.record({"probability": guess(examples, task)}, examples)
    weights = stats.bootstrap_weights(len(examples), SPEC)
    samples_ = stats.resample(task, record, weights)
    nominal = examples.targets.sample == 0
    for r in range(5):
        drawn = np.repeat(np.arange(len(examples)), np.rint(weights[r] * len(examples)).astype(int))
        drawn = drawn[nominal[drawn]]
        assert samples_["auc"][r] == pytest.approx(
            roc_auc_score(record["label"][drawn], record["score"][drawn]), abs=1e-12
        )
    assert np.isnan(samples_["survivors.es50"]).all()  # counts have a Poisson interval of their own


def test_blocks_of_resamples_change_nothing(monkeypatch):
    task = bound("jet_tagging", monkeypatch)
    examples = task.examples()
    record = task.record({"probability": guess(examples, task)}, examples)
    weights = stats.bootstrap_weights(len(examples), SPEC)[:9]
    whole = task.rank_values(record, weights)
    monkeypatch.setattr(tagging, "BLOCK", 4 * len(examples))
    blocks = task.rank_values(record, weights)
    assert blocks.keys() == whole.keys() and whole
    for name, value in blocks.items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-13)


def test_a_perfect_tagger_scores_one_and_knowing_nothing_one_half(monkeypatch):
    task = bound("jet_tagging", monkeypatch)
    examples = task.examples()
    perfect = np.eye(10)[examples.targets.label] * 0.98 + 0.002
    values = stats.scores(task, task.record({"probability": perfect}, examples))
    assert values["auc"] == pytest.approx(1, abs=1e-12) and values["auc"] <= 1
    assert (
        values["accuracy"] == values["top_auc.mpi_off"] == values["accuracy_shifted.smeared"] == 1.0
    )
    assert values["calibration_error"] == pytest.approx(0.018, abs=1e-4)
    nothing = stats.scores(
        task, task.record({"probability": np.full((len(examples), 10), 0.1)}, examples)
    )
    assert nothing["auc"] == pytest.approx(0.5, abs=1e-12) and nothing["top_auc.nominal"] == 0.5
    assert nothing["accuracy"] == pytest.approx(0.1)


def test_rejection_is_a_gap_below_ten_survivors_and_the_count_is_told(monkeypatch):
    task = bound("top_tagging", monkeypatch, per_class=100)
    examples = task.examples()
    signal = examples.targets.label == 1
    score = np.where(signal, 1.0, 0.0) + 1e-3 * np.arange(len(examples)) / len(examples)
    background = np.flatnonzero(~signal & (examples.targets.sample == 0))
    score[background[:9]] = 2.0
    values = stats.scores(task, task.record({"score": score}, examples))
    assert (
        values["survivors.es50"] == 9
        and np.isnan(values["rejection.es50"])
        and np.isnan(values["rejection_low.es50"])
    )
    score[background[9]] = 2.0
    values = stats.scores(task, task.record({"score": score}, examples))
    assert (
        values["rejection.es50"] == 10.0
        and values["rejection_low.es50"] < 10 < values["rejection_high.es50"]
    )
    # a score is no probability
    assert np.isnan(values["accuracy"]) and np.isnan(values["calibration_error"])


def test_a_row_may_decline_shifted_jets_but_not_nominal_ones(monkeypatch):
    for name in ("jet_tagging", "top_tagging"):
        task = bound(name, monkeypatch)
        examples = task.examples()
        probability = guess(examples, task)
        probability[examples.targets.sample == 2] = np.nan
        values = stats.scores(task, task.record({"probability": probability}, examples))
        gaps = {full for full, value in values.items() if np.isnan(value)}
        assert {full for full in gaps if "smeared" in full} and np.isfinite(values["auc"])
        assert not any("mpi_off" in full for full in gaps)
        probability[7] = np.nan
        with pytest.raises(ValueError, match=rf"1 jets, the first is {examples.ids[7]}"):
            task.record({"probability": probability}, examples)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p[:, :5], r"shape \(\d+, 5\).*\[jet, class\]"),
        (lambda p: p[:-1], "shape"),
        (lambda p: p * 3, "sum to one"),
        (lambda p: np.log(p), "softmax"),
        (lambda p: np.where(p > 0.5, np.inf, p), "not finite"),
    ],
)
def test_wrong_probabilities_are_refused(monkeypatch, spoil, message):
    task = bound("jet_tagging", monkeypatch)
    examples = task.examples()
    with pytest.raises(ValueError, match=message):
        task.record({"probability": spoil(guess(examples, task))}, examples)


def test_binary_predictions_need_a_probability_or_a_score(monkeypatch):
    task = bound("quark_gluon", monkeypatch)
    examples = task.examples()
    with pytest.raises(ValueError, match=r"'probability'.*or 'score'"):
        task.record({"logits": np.zeros(len(examples))}, examples)
    with pytest.raises(ValueError, match=r"predictions\['score'\] has shape"):
        task.record({"score": np.zeros((len(examples), 2))}, examples)


def test_accuracy_by_momentum_counts_the_jets_of_that_momentum(monkeypatch):
    task = bound("jet_tagging", monkeypatch, per_class=60)
    examples = task.examples()
    probability = guess(examples, task)
    values = stats.scores(task, task.record({"probability": probability}, examples))
    pt, nominal = examples.inputs.scalars["jet_pt"], examples.targets.sample == 0
    inside = nominal & (pt >= 600) & (pt < 700)
    assert values["accuracy_by_pt.pt600_700"] == pytest.approx(
        (probability.argmax(1) == examples.targets.label)[inside].mean(), abs=0.01
    )


def test_the_formulas_need_neither_jax_nor_the_readers():
    """The board imports every task's class to compare records."""
    code = (
        "import sys; from zoo.particle_physics.tagging import task as tagging; from "
        "zoo.particle_physics.tagging import metrics as classification;"
        "heavy = {'jax', 'flax', 'uproot', 'awkward', 'numba', 'sklearn', 'xarray'} & "
        "set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
