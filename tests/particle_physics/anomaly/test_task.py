"""`particle_physics/anomaly`: the scores' formulas, the record, and what a baseline must
and must not achieve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dijet_tasks import scores

from zoo.cards import TaskSpec, read
from zoo.particle_physics.anomaly import baselines, metrics
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly.task import DETAILED, POINTS
from zoo.scoring import stats

ROOT = Path(__file__).resolve().parents[3]


def test_the_scores_are_those_of_a_cut_made_by_hand(task):
    rng = np.random.default_rng(3)
    events = task.events
    score = rng.normal(size=len(events)) + 2.0 * (events.process == 1) + 1.0 * (events.process == 2)
    got = scores(task, lambda pairs: {"score": score})
    background = np.sort(score[(events.process == 0) & events.in_signal_region])[::-1]
    for point, rate in POINTS.items():
        allowed = int(rate * len(background))
        cut = background[allowed - 1]
        for name, index in (("wprime", 1), ("zprime", 2)):
            expected = (score[events.process == index] >= cut).mean() / np.sqrt(
                allowed / len(background)
            )
            assert (got[f"sic_{name}.{point}"] == pytest.approx(expected)) == (
                allowed >= metrics.FEWEST
            )
    assert got["background_kept.fpr_1e2"] == int(0.01 * len(background))


def test_below_ten_surviving_events_nothing_is_shown_but_the_count(task):
    got = scores(task, baselines.lighter_mass(task))
    assert got["background_kept.fpr_1e3"] < metrics.FEWEST <= got["background_kept.fpr_1e2"]
    hidden = {name for name, value in got.items() if np.isnan(value)}
    families = (
        "sic_wprime",
        "sic_zprime_poisson_low",
        "enrichment_wprime",
        "sic_zprime_highest_seed",
    )
    assert {f"{family}.fpr_1e3" for family in families} <= hidden
    assert "sic_wprime.fpr_1e2" not in hidden and "sculpting" not in hidden


def test_the_row_is_the_median_of_its_seeds_between_the_lowest_and_the_highest(task):
    rng = np.random.default_rng(4)
    each = [
        rng.normal(size=len(task.events)) + shift * (task.events.process == 1)
        for shift in (0.5, 3.0, 1.5)
    ]
    together = scores(task, lambda pairs: {"score": np.stack(each, -1)})
    alone = [
        scores(task, lambda pairs, one=one: {"score": one})["sic_wprime.fpr_1e2"] for one in each
    ]
    assert together["sic_wprime.fpr_1e2"] == pytest.approx(alone[2])
    assert together["sic_wprime_lowest_seed.fpr_1e2"] == pytest.approx(min(alone))
    assert together["sic_wprime_highest_seed.fpr_1e2"] == pytest.approx(max(alone))


def test_a_method_with_a_score_per_signal_is_judged_by_each_on_its_own_signal(task):
    one, other = (np.random.default_rng(k).normal(size=len(task.events)) for k in (1, 2))
    both = scores(task, lambda pairs: {"wprime": one, "zprime": other})
    assert (
        both["sic_wprime.fpr_1e2"]
        == scores(task, lambda pairs: {"score": one})["sic_wprime.fpr_1e2"]
    )
    assert (
        both["sic_zprime.fpr_1e2"]
        == scores(task, lambda pairs: {"score": other})["sic_zprime.fpr_1e2"]
    )


def test_intervals_hold_the_value_and_poissons_is_like_the_bootstraps(task):
    examples = task.examples()
    arrays = task.record(baselines.mass_window(task)(examples.inputs), examples)
    spec = read(ROOT / "benchmarks/particle_physics/anomaly.toml", TaskSpec)
    weights = stats.bootstrap_weights(len(examples), spec.resampling)
    value, samples = stats.scores(task, arrays), stats.resample(task, arrays, weights)
    low, high = stats.interval(samples["sic_wprime.fpr_1e2"], value["sic_wprime.fpr_1e2"])
    assert low < value["sic_wprime.fpr_1e2"] < high
    poisson = [value[f"sic_wprime_poisson_{end}.fpr_1e2"] for end in ("low", "high")]
    assert (high - low) == pytest.approx(poisson[1] - poisson[0], rel=0.4)
    assert np.isnan(samples["background_kept.fpr_1e2"]).all()


def test_every_score_is_in_the_task_file_and_no_other(task):
    spec = read(ROOT / "benchmarks/particle_physics/anomaly.toml", TaskSpec)
    defined = {name for metric in spec.metric for name in metric.names}
    assert defined == set(scores(task, baselines.lighter_mass(task)))
    assert {name.partition(".")[2] for name in defined} == {*POINTS, ""} and set(DETAILED) < set(
        POINTS
    )


def test_predictions_that_cannot_be_cut_are_refused(task):
    examples = task.examples()
    n = len(examples)
    for predictions, message in (
        ({"wprime": np.zeros(n)}, "one per signal: wprime, zprime; given: wprime"),
        ({"score": np.zeros(n - 1)}, rf"shape \({n - 1}, 1\).*needs \({n},\)"),
        ({"score": np.zeros((n, 0))}, r"needs"),
        ({"score": np.full(n, np.nan)}, "NaN or infinity"),
    ):
        with pytest.raises(ValueError, match=message):
            task.record(predictions, examples)


def test_predictors_see_no_dijet_mass_no_azimuth_and_no_process(task):
    pairs = task.examples().inputs
    assert (
        vars(pairs).keys() == {"values"}
        and "phi" not in dijets.COLUMNS
        and "mjj" not in dijets.COLUMNS
    )
    with pytest.raises(KeyError, match="no column 'phi'; there are pt, eta, mass"):
        pairs.column("phi")
