"""Scores of generated jets against closed forms, other people's code, and their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats

from zoo.particle_physics.generation import metrics

RNG = np.random.default_rng(11)


A, B = RNG.normal(size=(400, 5)), RNG.normal(0.3, 1.2, size=(700, 5)) @ RNG.normal(size=(5, 5)) / 2


def weighted_change(score, base: np.ndarray, jet: int, step: float = 1e-4) -> float:
    """Change of `score(weights)` per unit when one jet counts a little more, by a finite
    difference."""
    weights = np.full(len(base), 1.0 / len(base))
    more = (1 - step) * weights
    more[jet] += step
    return (score(more) - score(weights)) / step


def test_wasserstein_is_scipys():
    x, y = RNG.gamma(2.0, size=300), RNG.gamma(2.5, size=450)
    parts = metrics.wasserstein(x, y)
    assert parts.shape == (300,)
    assert parts.mean() == pytest.approx(stats.wasserstein_distance(x, y), rel=1e-10)


def test_wasserstein_with_ties_is_scipys():
    x, y = RNG.integers(0, 6, 200).astype(float), RNG.integers(1, 7, 300).astype(float)
    assert metrics.wasserstein(x, y).mean() == pytest.approx(
        stats.wasserstein_distance(x, y), rel=1e-10
    )


def test_what_a_jet_adds_to_the_wasserstein_distance_is_the_derivative():
    # F never equals G inside, so that the derivative exists
    x, y = RNG.normal(0.5, 1.0, 59), RNG.normal(0.0, 1.3, 80)
    parts = metrics.wasserstein(x, y)
    for jet in (0, 7, 33):
        slope = weighted_change(lambda w: stats.wasserstein_distance(x, y, w), x, jet)
        assert parts[jet] - parts.mean() == pytest.approx(slope, abs=5e-3)


def test_particles_of_a_jet_count_together():
    particles, mask = RNG.normal(size=(50, 30, 3)), RNG.random((50, 30)) < 0.7
    other, other_mask = RNG.normal(0.2, 1.0, size=(70, 30, 3)), RNG.random((70, 30)) < 0.9
    parts = metrics.particle_wasserstein(particles, mask, other, other_mask)
    expected = np.mean(
        [
            stats.wasserstein_distance(particles[mask][:, i], other[other_mask][:, i])
            for i in range(3)
        ]
    )
    assert parts.mean() == pytest.approx(expected, rel=1e-10)
    hidden = np.where(mask[..., None], particles, 1e6)
    np.testing.assert_array_equal(
        metrics.particle_wasserstein(hidden, mask, other, other_mask), parts
    )


def test_frechet_distance_of_commuting_gaussians_is_closed_form():
    scale_a, scale_b = np.array([1.0, 2.0, 0.5]), np.array([1.5, 1.0, 0.1])
    mean = np.array([0.1, -0.4, 2.0])
    expected = np.sum(mean**2) + np.sum((scale_a - scale_b) ** 2)
    assert metrics.frechet_distance(
        np.zeros(3), np.diag(scale_a**2), mean, np.diag(scale_b**2)
    ) == pytest.approx(expected, rel=1e-10)


def test_frechet_distance_of_any_gaussians_is_that_by_scipys_root():
    cov_a, cov_b = np.cov(A, rowvar=False), np.cov(B, rowvar=False)
    cross = linalg.sqrtm(cov_a @ cov_b).real
    expected = np.sum((A.mean(0) - B.mean(0)) ** 2) + np.trace(cov_a + cov_b - 2 * cross)
    assert metrics.frechet_distance(A.mean(0), cov_a, B.mean(0), cov_b) == pytest.approx(
        expected, rel=1e-8
    )
    assert metrics.frechet_distance(A.mean(0), cov_a, A.mean(0), cov_a) == pytest.approx(
        0.0, abs=1e-10
    )


def test_frechet_physics_distance_is_free_of_the_sample_size():
    """Two small samples of one distribution: the plain distance is positive by chance, the
    extrapolated one zero on average."""
    rng, plain, ours = np.random.default_rng(1), [], []
    for _ in range(40):
        x, y = rng.normal(size=(2, 200, 4))
        plain.append(metrics._gaussian_distance(x, y))
        ours.append(metrics.frechet_physics_distance(x, y).mean())
    error = np.std(ours) / np.sqrt(len(ours))
    assert np.mean(plain) > 5 * np.std(plain) / np.sqrt(len(plain))
    assert abs(np.mean(ours)) < 4 * error and abs(np.mean(ours)) < 0.3 * np.mean(plain)


def test_what_a_jet_adds_to_the_frechet_distance_is_the_derivative():
    parts = metrics.frechet_physics_distance(A, B)

    def score(weights):
        mean = weights @ A
        cov = (A - mean).T @ ((A - mean) * weights[:, None])
        return metrics.frechet_distance(mean, cov, B.mean(0), np.cov(B, rowvar=False, ddof=0))

    for jet in (0, 10, 200):
        assert parts[jet] - parts.mean() == pytest.approx(
            weighted_change(score, A, jet), rel=2e-2, abs=5e-3
        )


def test_kernel_distance_is_the_unbiased_estimate_as_it_is_written():
    x, y = A[:40], B[:50]

    def k(a, b):
        return (a @ b / 5 + 1.0) ** 4

    within = np.mean([k(x[i], x[j]) for i in range(40) for j in range(40) if i != j])
    across = np.mean([k(a, b) for a in x for b in y])
    constant = np.mean([k(y[i], y[j]) for i in range(50) for j in range(50) if i != j])
    assert metrics.kernel_physics_distance(x, y).mean() == pytest.approx(
        within - 2 * across + constant, rel=1e-9
    )


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(2)
    values = [
        metrics.kernel_physics_distance(*rng.normal(size=(2, 100, 3))).mean() for _ in range(200)
    ]
    assert abs(np.mean(values)) < 3.5 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < max(values)


def test_auc_is_mann_whitneys():
    x, y = RNG.normal(0.4, 1.0, 200).round(1), RNG.normal(0.0, 1.0, 300).round(1)
    expected = stats.mannwhitneyu(x, y).statistic / (200 * 300)
    assert metrics.rank_below(x, y).mean() == pytest.approx(expected, rel=1e-12)


def test_mass_of_two_back_to_back_particles_is_closed_form():
    """Massless: m² = 2 pT1 pT2 (cosh Δη - cos Δφ)."""
    particles = np.array([[[0.3, 0.1, 0.6], [-0.2, -0.4, 0.3], [9.0, 9.0, 9.0]]])
    expected = np.sqrt(2 * 0.6 * 0.3 * (np.cosh(0.5) - np.cos(0.5)))
    assert metrics.relative_mass(particles, np.array([[True, True, False]]))[0] == pytest.approx(
        expected, rel=1e-10
    )
    assert metrics.relative_mass(particles, np.array([[True, False, False]]))[0] == pytest.approx(
        0.0, abs=1e-7
    )
