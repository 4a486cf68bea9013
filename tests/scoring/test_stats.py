"""Intervals and groups say what they claim: coverage, dependence in time, pairing, ties
that are not transitive."""

from __future__ import annotations

import itertools
import re
import time

import numpy as np
import pytest
import scipy.signal
import scipy.stats

from zoo.cards import ResamplingSpec
from zoo.scoring import stats


def spec(
    method: str = "bootstrap", *, block: float | None = None, resamples: int = 2000, seed: int = 1
) -> ResamplingSpec:
    return ResamplingSpec(
        unit="example", method=method, mean_block=block, resamples=resamples, seed=seed
    )


def blocks(mean_block: float, **options) -> ResamplingSpec:
    return spec("stationary_block_bootstrap", block=mean_block, **options)


@pytest.mark.parametrize("how", [spec(), blocks(7)])
def test_every_resample_weighs_as_much_as_the_sample(how):
    weights = stats.bootstrap_weights(31, how)
    assert weights.shape == (2000, 31) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 31, rtol=0.1)


def test_the_same_seed_draws_the_same_resamples():
    np.testing.assert_array_equal(
        stats.bootstrap_weights(20, blocks(3)), stats.bootstrap_weights(20, blocks(3))
    )
    assert (
        stats.bootstrap_weights(20, blocks(3)) != stats.bootstrap_weights(20, blocks(3, seed=2))
    ).any()


@pytest.mark.parametrize("mean_block", [2, 5, 20])
def test_blocks_have_the_mean_length_that_was_asked_for(mean_block):
    """The share of neighbours drawn together is 1 - 1/L: seen in the correlation of
    neighbours' weights of a long series."""
    n = 400
    weights = stats.bootstrap_weights(n, blocks(mean_block, resamples=1500)) * n
    neighbours = np.mean(
        [np.corrcoef(weights[:, i], weights[:, i + 1])[0, 1] for i in range(0, n - 1, 40)]
    )
    assert neighbours == pytest.approx(1 - 1 / mean_block, abs=0.06)


def test_blocks_see_the_dependence_that_single_draws_miss():
    """Standard error of an AR(1) series' mean: sigma_x sqrt((1 + phi) / (1 - phi) / n) in
    theory, twice sigma_x / sqrt(n) for phi = .6."""
    phi, n = 0.6, 2000
    rng = np.random.default_rng(0)
    noise = rng.normal(size=n + 200)
    series = scipy.signal.lfilter([1], [1, -phi], noise)[200:]
    theory = np.sqrt(1 / (1 - phi**2) * (1 + phi) / (1 - phi) / n)
    independent = (stats.bootstrap_weights(n, spec(resamples=600)) @ series).std()
    blockwise = (stats.bootstrap_weights(n, blocks(25, resamples=600)) @ series).std()
    assert independent < 0.6 * theory
    assert blockwise == pytest.approx(theory, rel=0.2)


def test_the_interval_of_a_normal_mean_covers_it_in_95_of_100_cases():
    rng = np.random.default_rng(5)
    weights = stats.bootstrap_weights(80, spec(resamples=500))
    samples = rng.normal(size=(600, 80)) @ weights.T
    hits = [low <= 0 <= high for low, high in map(stats.interval, samples)]
    # percentile intervals of 80 examples are a little narrow: 94.3 % in theory
    assert 0.92 < np.mean(hits) < 0.97


def test_the_interval_of_a_mean_is_scipys():
    data = np.random.default_rng(2).gamma(2, size=150)
    ours = stats.interval(stats.bootstrap_weights(150, spec(resamples=5000)) @ data)
    theirs = scipy.stats.bootstrap(
        (data,), np.mean, n_resamples=5000, method="percentile", rng=0
    ).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.03 * (theirs.high - theirs.low) + 0.005)


def test_an_interval_always_holds_its_value_and_is_none_where_most_resamples_are_undefined():
    assert stats.interval(np.linspace(0, 1, 101), 1.5) == (pytest.approx(0.025), 1.5)
    assert stats.interval(np.array([1.0] * 8 + [np.nan] * 2)) is None
    assert stats.interval(np.array([1.0] * 95 + [np.nan] * 5)) == (1.0, 1.0)


def test_pairing_finds_a_small_constant_shift_that_two_separate_intervals_cannot():
    rng = np.random.default_rng(4)
    hard = rng.gamma(2, size=200)  # how hard each example is, common to both rows
    first, second = (
        hard + rng.normal(scale=0.01, size=200),
        hard + 0.02 + rng.normal(scale=0.01, size=200),
    )
    weights = stats.bootstrap_weights(200, spec())
    one, two = weights @ first, weights @ second
    assert stats.interval(one)[1] > stats.interval(two)[0]  # the intervals overlap
    assert stats.differ(one, two)
    assert not stats.differ(one, weights @ (hard + rng.normal(scale=0.01, size=200)))


def row(value: float, spread: float = 1.0) -> np.ndarray:
    """Independent resampled scores around a value."""
    return value + spread * np.random.default_rng(int(1000 * value)).normal(size=2000)


def test_rows_that_tie_share_a_letter_and_rows_that_differ_do_not():
    assert stats.rank_groups([1.0, 1.1, 9.0], [row(1.0), row(1.1), row(9.0)], "lower") == [
        "a",
        "a",
        "b",
    ]
    assert stats.rank_groups([1.0, 1.1, 9.0], [row(1.0), row(1.1), row(9.0)], "higher") == [
        "b",
        "b",
        "a",
    ]


def test_a_row_between_two_that_differ_carries_both_letters():
    assert stats.rank_groups([0.0, 2.0, 4.0], [row(0.0), row(2.0), row(4.0)], "lower") == [
        "a",
        "ab",
        "b",
    ]


def test_the_order_of_rows_does_not_matter():
    assert stats.rank_groups([4.0, 0.0, 2.0], [row(4.0), row(0.0), row(2.0)], "lower") == [
        "b",
        "a",
        "ab",
    ]


def test_a_gap_has_no_group_and_leaves_the_others_alone():
    assert stats.rank_groups(
        [np.nan, 1.0, 9.0, 5.0], [None, row(1.0), row(9.0), None], "lower"
    ) == ["-", "a", "b", "-"]
    assert stats.rank_groups([], [], "lower") == []


def test_nearer_one_is_better_on_both_sides():
    values = [0.5, 1.4, 1.0]
    assert stats.rank_groups(values, [row(value, 0.001) for value in values], "nearer_one") == [
        "c",
        "b",
        "a",
    ]
    assert float(stats.badness(-3.0, "nearer_zero")) == 3.0


def test_letters_allow_for_all_pairs_at_once():
    """Thirty rows of one skill: of 435 pairs some 20 exclude zero one by one, none of them
    together."""
    rng = np.random.default_rng(4)
    values = rng.normal(size=30)
    samples = values[:, None] + rng.normal(size=(30, 1000))
    alone = sum(stats.differ(samples[i], samples[j]) for i in range(30) for j in range(i))
    assert alone >= 5
    assert set(stats.rank_groups(values, samples, "lower")) == {"a"}


def test_holm_is_the_step_down_procedure():
    """Against the textbook's loop: compare the k-th smallest of m p-values with .05 / (m - k)."""
    rng = np.random.default_rng(5)
    for n in (2, 3, 6):
        p = np.triu(rng.beta(0.3, 3, size=(n, n)), 1)
        p = p + p.T
        pairs = sorted((p[i, j], i, j) for i in range(n) for j in range(i + 1, n))
        expected = np.zeros((n, n), bool)
        for k, (value, i, j) in enumerate(pairs):
            if value > 0.05 / (len(pairs) - k):
                break
            expected[i, j] = expected[j, i] = True
        assert (stats.holm(p) == expected).all()


def test_paired_standard_errors_are_those_of_the_differences():
    rng = np.random.default_rng(6)
    samples = rng.normal(size=(5, 800)) * 1e-3 + 7 * rng.normal(size=800)  # much in common
    values = samples.mean(1)
    chance, error = stats.paired(values, samples, "higher")
    for i in range(5):
        for j in range(5):
            spread = (samples[i] - samples[j]).std(ddof=1)
            assert error[i, j] == pytest.approx(spread, abs=1e-9)
            expected = (
                1.0 if i == j else 2 * scipy.stats.norm.sf(abs(values[i] - values[j]) / spread)
            )
            assert chance[i, j] == pytest.approx(expected, abs=1e-6)
    samples[0, :40] = np.nan
    assert stats.paired(values, samples, "higher")[1][1, 2] == pytest.approx(
        (samples[1] - samples[2])[40:].std(ddof=1)
    )
    samples[1, 60:400] = np.nan
    chance, error = stats.paired(values, samples, "higher")
    assert np.isnan(error[0, 1]) and chance[0, 1] == 1.0 and np.isfinite(error[2, 3])


def test_letters_are_the_maximal_sets_of_equals():
    """Against brute force over all subsets of nine rows with any relation at all."""
    rng = np.random.default_rng(7)
    for share in (0.2, 0.5, 0.8):
        same = np.triu(rng.random((9, 9)) < share, 1)
        same = same | same.T | np.eye(9, dtype=bool)
        cliques = [
            sum(1 << i for i in rows)
            for size in range(1, 10)
            for rows in itertools.combinations(range(9), size)
            if all(same[i, j] for i in rows for j in rows)
        ]
        largest = {
            one
            for one in cliques
            if not any(one != other and one & other == one for other in cliques)
        }
        assert set(stats._cliques(same)) == largest


def test_in_a_table_of_too_many_sets_a_common_letter_still_means_a_tie():
    """Neighbours are tied with chance 0.7: hundreds of sets for sixty rows, so the letters
    are the longest unbroken runs."""
    rng = np.random.default_rng(10)
    same = np.triu(rng.random((60, 60)) < 0.7, 1)
    same = same | same.T | np.eye(60, dtype=bool)
    sets = [[i for i in range(60) if group >> i & 1] for group in stats._cliques(same)]
    assert 0 < len(sets) <= 60
    assert sorted({i for rows in sets for i in rows}) == list(range(60))
    for rows in sets:
        assert rows == list(range(rows[0], rows[-1] + 1))
        assert same[np.ix_(rows, rows)].all()
        assert rows[-1] == 59 or not same[rows, rows[-1] + 1].all()
        assert rows[0] == 0 or not same[rows, rows[0] - 1].all()


def test_the_detectable_difference_is_found_in_four_of_five_repetitions():
    rng = np.random.default_rng(8)
    error = 0.3
    difference = stats.detectable_difference(
        np.array([0.0, 5.0]),
        np.stack([np.zeros(4000), rng.normal(scale=error, size=4000)]),
        "lower",
    )
    found = np.abs(difference + rng.normal(scale=error, size=4000)) > 1.96 * error
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    assert stats.detectable_difference(np.array([1.0]), np.ones((1, 10)), "lower") is None


def test_thousands_of_rows_are_grouped_in_seconds():
    rng = np.random.default_rng(9)
    values = np.sort(rng.normal(size=1500))
    samples = values[:, None] + rng.normal(scale=0.02, size=(1500, 400))
    begin = time.process_time()
    groups = stats.rank_groups(values, samples, "lower")
    assert time.process_time() - begin < 20
    first, last = (set(re.findall(r"[a-z]\d*", groups[end])) for end in (0, -1))
    assert "a" in first and not first & last


def test_there_are_letters_for_any_number_of_groups():
    assert [stats.letter(number) for number in (0, 25, 26, 53)] == ["a", "z", "a1", "b2"]


class Median:
    """A task with a mean and a score that is no function of means."""

    def statistics(self, record):
        return {"x": record["x"]}

    def values(self, means):
        return {"mean": means["x"]}

    def rank_values(self, record, weights=None):
        x = record["x"]
        if weights is None:
            return {"median": np.asarray(np.median(x))}
        return {
            "median": np.array(
                [np.median(np.repeat(x, np.rint(row * len(x)).astype(int))) for row in weights]
            )
        }


def test_scores_that_are_no_means_come_from_the_record_on_the_same_resamples():
    x = np.random.default_rng(0).gamma(1, size=51)
    weights = stats.bootstrap_weights(51, spec(resamples=300))
    assert stats.scores(Median(), {"x": x}) == {
        "mean": pytest.approx(x.mean()),
        "median": pytest.approx(np.median(x)),
    }
    drawn = stats.resample(Median(), {"x": x}, weights)
    assert drawn["median"].shape == drawn["mean"].shape == (300,)
    first = np.repeat(x, np.rint(weights[0] * 51).astype(int))
    assert (drawn["mean"][0], drawn["median"][0]) == (
        pytest.approx(first.mean()),
        pytest.approx(np.median(first)),
    )


def test_rows_drawn_one_by_one_are_those_drawn_all_at_once():
    index = np.random.default_rng(1).integers(33, size=(2000, 33))
    counted = [np.bincount(row, minlength=33) / 33 for row in index]
    np.testing.assert_array_equal(stats.bootstrap_weights(33, spec()), counted)
