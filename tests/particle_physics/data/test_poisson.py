"""The interval of a count is Garwood's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, poisson

from zoo.particle_physics.data.poisson import poisson_interval


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (10, 4.7954, 18.3904), (100, 81.3640, 121.6269)],
)
def test_the_poisson_interval_is_garwoods(count, low, high):
    got = poisson_interval(count)
    assert np.allclose(got, (low, high), atol=2e-4)
    if count:  # its definition: the mean that gives `count` or more with 2.5 %
        assert poisson.sf(count - 1, got[0]) == pytest.approx(0.025, abs=1e-9)
    assert poisson.cdf(count, got[1]) == pytest.approx(0.025, abs=1e-9)


@pytest.mark.parametrize("n", [0, 1, 10, 250])
def test_the_poisson_interval_is_half_chi_squareds_quantiles(n):
    low, high = poisson_interval(float(n))
    assert high == pytest.approx(chi2.ppf(0.975, 2 * n + 2) / 2, rel=1e-10)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * n) / 2 if n else 0.0, rel=1e-10)
