"""AUC, rejection, their resamples and calibration are what scikit-learn, SciPy and counting
by hand say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from zoo.particle_physics.tagging import metrics as c


def binary(
    n: int = 600, *, levels: int | None = None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping scores and who is signal; with `levels`, many ties."""
    rng = np.random.default_rng(seed)
    signal = rng.random(n) < 0.4
    score = rng.normal(size=n) + signal
    return (score if levels is None else np.round(score * levels) / levels), signal


def drawn(n: int, resamples: int = 8, seed: int = 3) -> np.ndarray:
    """How often each jet is drawn, `[jet, resample]`."""
    return (
        np.random.default_rng(seed)
        .multinomial(n, np.full(n, 1 / n), size=resamples)
        .T.astype(float)
    )


@pytest.mark.parametrize("levels", [None, 3])
def test_auc_is_sklearns_also_with_ties_and_weights(levels):
    score, signal = binary(levels=levels)
    weights = drawn(len(score))
    assert c.auc(score, signal, ~signal, np.ones((len(score), 1)))[0] == pytest.approx(
        roc_auc_score(signal, score), abs=1e-12
    )
    theirs = [roc_auc_score(signal, score, sample_weight=column) for column in weights.T]
    np.testing.assert_allclose(c.auc(score, signal, ~signal, weights), theirs, atol=1e-12)


def test_jets_that_are_neither_do_not_count():
    score, signal = binary()
    other = np.arange(len(score)) % 3 == 0
    ours = c.auc(score, signal & ~other, ~signal & ~other, np.ones((len(score), 1)))[0]
    assert ours == pytest.approx(roc_auc_score(signal[~other], score[~other]), abs=1e-12)


def test_only_the_order_of_scores_matters_and_turning_it_round_mirrors_the_auc():
    score, signal = binary()
    one = np.ones((len(score), 1))
    same = c.auc(np.exp(3 * score), signal, ~signal, one)
    np.testing.assert_allclose(same, c.auc(score, signal, ~signal, one), atol=1e-14)
    np.testing.assert_allclose(c.auc(-score, signal, ~signal, one), 1 - same, atol=1e-14)


def test_a_roc_curve_without_background_is_refused():
    with pytest.raises(ValueError, match="3 of signal and 0 of background"):
        c.auc(np.arange(3.0), np.ones(3, bool), np.zeros(3, bool), np.ones((3, 1)))


@pytest.mark.parametrize("decimals", [12, 1])
def test_mean_one_vs_one_auc_is_sklearns_and_a_resample_is_the_auc_of_the_jets_drawn(decimals):
    rng = np.random.default_rng(1)
    label = rng.integers(5, size=700)
    probability = np.round(rng.dirichlet(np.ones(5), size=700) + 0.2 * np.eye(5)[label], decimals)
    probability /= probability.sum(axis=1, keepdims=True)
    theirs = roc_auc_score(label, probability, multi_class="ovo", average="macro")
    assert c.mean_ovo_auc(probability, label, np.ones((700, 1)))[0] == pytest.approx(
        theirs, abs=1e-12
    )
    weights = drawn(700, 3)
    for column, ours in zip(weights.T, c.mean_ovo_auc(probability, label, weights), strict=True):
        jets = np.repeat(np.arange(700), column.astype(int))
        assert ours == pytest.approx(
            roc_auc_score(label[jets], probability[jets], multi_class="ovo", average="macro"),
            abs=1e-12,
        )


def test_a_resample_without_one_class_has_no_mean_auc():
    label = np.repeat([0, 1, 2], 4)
    probability = np.eye(3)[label] * 0.4 + 0.2
    weights = np.ones((12, 2))
    weights[label == 2, 1] = 0
    first, second = c.mean_ovo_auc(probability, label, weights)
    assert first == 1.0 and np.isnan(second)


def test_rejection_by_hand():
    """Ten tops at 10, 9, ... 1; the cut for eS = .3 is at 8. Of 40 QCD jets 12 lie at 8 or
    above, one of them exactly on the cut."""
    score = np.concatenate([np.arange(10, 0, -1.0), np.full(11, 8.5), [8.0], np.full(28, 0.5)])
    signal = np.arange(50) < 10
    found = c.rejection(score, signal, ~signal, np.ones((50, 1)), [0.3, 0.25, 0.2])
    # .25 is first reached by the third top, too; .2 by the second
    assert found["survivors"].tolist() == [12, 12, 0]
    assert found["value"][0] == pytest.approx(40 / 12)
    # fewer than ten jets: not shown
    assert np.isnan([found[name][2] for name in ("value", "low", "high")]).all()


def test_the_cut_is_the_first_threshold_of_sklearns_roc_curve_that_reaches_the_efficiency():
    score, signal = binary(3000, levels=50)
    weights = drawn(3000, 4)
    for column in range(4):
        fpr, tpr, _ = roc_curve(
            signal, score, sample_weight=weights[:, column], drop_intermediate=False
        )
        left = (
            c.survivors(score, signal, ~signal, weights, [0.3, 0.5, 0.8])[:, column]
            / weights[~signal, column].sum()
        )
        np.testing.assert_allclose(
            left, [fpr[np.argmax(tpr >= wanted - 1e-12)] for wanted in (0.3, 0.5, 0.8)], atol=1e-12
        )


def test_rejections_below_ten_survivors_are_hidden_in_every_resample():
    rng = np.random.default_rng(2)
    signal = np.arange(1000) < 500
    score = np.where(signal, 1 + rng.random(1000), np.where(np.arange(1000) < 509, 3.0, 0.0))
    weights = drawn(1000)
    assert np.isnan(c.rejection(score, signal, ~signal, weights, [0.5])["samples"]).all()  # nine
    score[509] = 3.0
    found = c.rejection(score, signal, ~signal, weights, [0.5])
    assert found["survivors"].tolist() == [10] and np.isfinite(found["samples"]).all()
    assert found["low"][0] < found["value"][0] == 50.0 < found["high"][0]


def test_a_calibrated_classifier_has_no_calibration_error_and_a_boastful_one_its_boast():
    rng = np.random.default_rng(4)
    confidence = rng.uniform(0.5, 1, size=200_000)
    correct = rng.random(200_000) < confidence

    def error(said: np.ndarray) -> float:
        statistics = c.confidence_bins(said, correct, np.ones(len(said), bool))
        means = {name: value.mean(axis=0) for name, value in statistics.items()}
        return float(
            c.calibration_error(means["bin_confidence"], means["bin_correct"], np.array(1.0))
        )

    assert error(confidence) < 0.005
    assert error(np.minimum(confidence + 0.1, 1.0)) == pytest.approx(
        (np.minimum(confidence + 0.1, 1) - confidence).mean(), abs=0.01
    )


def test_the_calibration_error_by_hand():
    """Bin of .9: one of two right; bin of .6: right. |.5 - .9| 2/3 + |1 - .6| 1/3 = .4."""
    statistics = c.confidence_bins(
        np.array([0.9, 0.9, 0.6]), np.array([True, False, True]), np.ones(3, bool)
    )
    means = {name: value.mean(axis=0) for name, value in statistics.items()}
    assert c.calibration_error(
        means["bin_confidence"], means["bin_correct"], np.array(1.0)
    ) == pytest.approx(0.4)
