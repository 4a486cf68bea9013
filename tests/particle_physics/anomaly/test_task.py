"""`particle_physics/anomaly`: the scores' formulas, the record, and what a baseline must
and must not achieve."""

from __future__ import annotations

from pathlib import Path

import anomaly_toys as toys
import numpy as np
import pytest

from zoo import registry
from zoo.cards import TaskSpec, read
from zoo.particle_physics.anomaly import baselines, build, metrics
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly.task import DETAILED, POINTS, Anomaly, examples_of
from zoo.particle_physics.data.poisson import poisson_interval
from zoo.scoring import record, stats

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def task() -> Anomaly:
    task = Anomaly(registry.task("particle_physics/anomaly"), file=lambda name: Path(name))
    parts = [
        toys.dijets("qcd", 60_000, seed=5),
        *(toys.dijets(name, 2000, seed=5) for name in dijets.SIGNALS),
    ]
    events = dijets.concatenate(parts)
    task.events = events[(events.process == 0) | events.in_signal_region]
    return task


def scores(task: Anomaly, predictor) -> dict[str, float]:
    examples = task.examples()
    return stats.scores(task, task.record(predictor(examples.inputs), examples))


# ----------------------------------------------------------------------------------------- formulas


def test_improvement_and_enrichment_are_the_closed_forms():
    assert metrics.improvement(0.5, 0.01) == pytest.approx(5.0)
    assert metrics.enrichment(0.5, 0.01) == pytest.approx(50.0)
    assert metrics.improvement(0.01, 0.01) == pytest.approx(0.1)  # a random cut


def test_the_improvements_interval_turns_the_counts_round():
    low, high = metrics.improvement_interval(0.4, 16, 16_000)
    few, many = poisson_interval(16)
    assert low == pytest.approx(0.4 / np.sqrt(many / 16_000)) and high == pytest.approx(
        0.4 / np.sqrt(few / 16_000)
    )
    assert low < metrics.improvement(0.4, 0.001) < high


def test_the_divergence_is_zero_one_and_symmetric():
    from scipy.spatial.distance import jensenshannon

    p, q = np.array([1.0, 2.0, 3.0, 0.0]), np.array([4.0, 0.0, 1.0, 2.0])
    assert metrics.jensen_shannon(p, 7.0 * p) == pytest.approx(0.0, abs=1e-12)
    assert metrics.jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 3.0])) == pytest.approx(1.0)
    assert metrics.jensen_shannon(p, q) == pytest.approx(metrics.jensen_shannon(q, p))
    assert metrics.jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert np.isnan(metrics.jensen_shannon(p, np.zeros(4)))


def test_the_divergence_of_a_sample_of_itself_is_what_the_protocol_says():
    rng, p = np.random.default_rng(0), np.full(10, 0.1)
    drawn = rng.multinomial(1000, p, size=2000).astype(float)
    assert metrics.jensen_shannon(p, drawn).mean() == pytest.approx(
        9.0 / (8.0 * 1000.0 * np.log(2.0)), rel=0.05
    )


def test_ranks_keep_at_most_the_asked_for_background_and_ties_together():
    score = np.array([5.0, 4.0, 4.0, 4.0, 1.0, 4.5, 4.0, 9.0])
    background = np.array([True, True, True, True, True, False, False, False])
    rank = metrics.ranks(score, background)
    assert rank.tolist() == [1, 4, 4, 4, 5, 2, 4, 1]
    for allowed in range(1, 6):
        kept = rank <= allowed
        assert kept.any()  # of this toy some signal stands above all background
        assert kept[background].sum() <= allowed
        assert kept[6] == kept[1]  # signal and background of one score
        assert not kept.any() or score[kept].min() > score[~kept].max(initial=-1.0)  # it is a cut


# --------------------------------------------------------------------------------------------- task


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


def test_random_numbers_improve_by_the_root_of_the_rate_and_do_not_sculpt(task):
    got = scores(task, baselines.random(task))
    assert got["sic_wprime.fpr_1e1"] == pytest.approx(np.sqrt(0.1), rel=0.1)
    assert got["enrichment_zprime.fpr_1e2"] == pytest.approx(1.0, abs=0.35)
    kept = task.sculpting_rate * (task.events.process == 0).sum()
    assert got["sculpting"] < 4.0 * 9.0 / (8.0 * kept * np.log(2.0))


def test_momentum_sculpts_and_masses_do_not(task):
    pt, mass = (
        scores(task, make(task))["sculpting"]
        for make in (baselines.leading_pt, baselines.lighter_mass)
    )
    assert pt > 0.2 > 10.0 * mass


def test_cuts_on_masses_and_prongs_find_the_toy_signals(task):
    random = scores(task, baselines.random(task))
    for make in (baselines.lighter_mass, baselines.two_prongs, baselines.mass_window):
        got = scores(task, make(task))
        assert got["sic_zprime.fpr_1e2"] > 3.0 * random["sic_zprime.fpr_1e2"]


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


# --------------------------------------------------------------------------------------------- data


def test_the_test_file_is_the_same_bytes_again_and_gives_the_events_back(tmp_path):
    folder = toys.write_chunks(tmp_path / "chunks", qcd=400, signal=300)
    events = build.write_test(folder, tmp_path / "a.zarr.zip", qcd=250, signal=50)
    build.write_test(folder, tmp_path / "b.zarr.zip", qcd=250, signal=50)
    assert (tmp_path / "a.zarr.zip").read_bytes() == (tmp_path / "b.zarr.zip").read_bytes()
    back = dijets.read_test(tmp_path / "a.zarr.zip")
    assert (
        np.bincount(back.process).tolist() == [250, 50, 50]
        and back.in_signal_region[back.process > 0].all()
    )
    assert np.array_equal(back.mjj, events.mjj)
    assert np.allclose(back.pairs.values, events.pairs.values, rtol=2.0**-11)
    assert np.array_equal(back.pairs.column("nparticles"), events.pairs.column("nparticles"))
    assert len(set(examples_of(back).ids)) == 350


def test_splits_read_their_own_chunks_within_the_mass_range(tmp_path):
    folder = toys.write_chunks(tmp_path, qcd=400, signal=100)
    train, test = (dijets.read_split(folder, "qcd", split) for split in ("train", "test"))
    assert not set(train.mjj.tolist()) & set(test.mjj.tolist())
    assert ((train.mjj >= 2300.0) & (train.mjj < 5000.0)).all() and len(train) < 400


def test_chunks_that_are_none_say_what_is_wrong(tmp_path):
    good = toys.chunk("qcd", 20, seed=0)
    nan = good["events"].copy()
    nan[7, 1, 3] = np.nan
    for content, message in (
        ({"events": good["events"]}, "no array mjj; it has events"),
        (
            {"events": good["events"][:, :, :5], "mjj": good["mjj"]},
            r"shape \(20, 2, 5\).*expected \(20, 2, 9\)",
        ),
        (
            {"events": nan, "mjj": good["mjj"]},
            "1 of 20 events hold NaN or infinity, the first is number 7",
        ),
        ({"events": good["events"][:0], "mjj": good["mjj"][:0]}, "holds no event"),
    ):
        np.savez(tmp_path / "train-qcd-0.npz", **content)
        with pytest.raises(ValueError, match=message):
            dijets.read_split(tmp_path, "qcd", "train")
    path = tmp_path / "train-qcd-0.npz"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="no readable npz file"):
        dijets.read_split(tmp_path, "qcd", "train")
    with pytest.raises(
        FileNotFoundError, match=r"no train-zprime-<k>.npz; write the events with `zoo data build"
    ):
        dijets.read_split(tmp_path, "zprime", "train")
    with pytest.raises(ValueError, match="no process 'higgs'; there are qcd, wprime, zprime"):
        dijets.read_split(tmp_path, "higgs", "train")
    record.write(tmp_path / "half.zarr.zip", {"mjj": np.zeros(3)})
    with pytest.raises(record.RecordError, match="no array eta, mass"):
        dijets.read_test(tmp_path / "half.zarr.zip")


def test_features_order_the_jets_by_mass_and_know_no_momentum():
    events = toys.dijets("wprime", 200, seed=1)
    features = dijets.event_features(events.pairs)
    assert np.isfinite(features).all() and (features[:, 1] >= 0).all()
    swapped = dijets.JetPairs(events.pairs.values[:, ::-1])
    assert np.allclose(features, dijets.event_features(swapped))
    faster = events.pairs.values.copy()
    faster[..., dijets.COLUMNS.index("pt")] *= 2.0
    faster[..., dijets.COLUMNS.index("eta")] += 1.0
    assert np.array_equal(features, dijets.event_features(dijets.JetPairs(faster)))
