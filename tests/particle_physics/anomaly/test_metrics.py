"""Improvement, enrichment and sculpting are their closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.particle_physics.anomaly import metrics
from zoo.particle_physics.data.poisson import poisson_interval


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
