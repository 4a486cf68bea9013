"""Scores of seasonal forecasts against independent oracles and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from zoo.climate.enso import metrics as seasonal

RNG = np.random.default_rng(7)
FORECAST, OBSERVED = RNG.normal(size=(60, 9)), RNG.normal(size=(60, 9))


def test_correlation_is_pearsons() -> None:
    expected = [stats.pearsonr(FORECAST[:, k], OBSERVED[:, k]).statistic for k in range(9)]
    np.testing.assert_allclose(
        seasonal.correlation(seasonal.moments(FORECAST, OBSERVED)), expected, atol=1e-6
    )


def test_correlation_and_rmse_leave_missing_forecasts_out() -> None:
    gappy = FORECAST.copy()
    gappy[::3, 2] = np.nan
    kept = np.isfinite(gappy[:, 2])
    means = seasonal.moments(gappy, OBSERVED)
    assert seasonal.correlation(means)[2] == pytest.approx(
        stats.pearsonr(FORECAST[kept, 2], OBSERVED[kept, 2]).statistic, abs=1e-6
    )
    assert seasonal.rmse(means)[2] == pytest.approx(
        np.sqrt(np.mean((FORECAST[kept, 2] - OBSERVED[kept, 2]) ** 2)), abs=1e-6
    )


def test_correlation_of_a_perfect_forecast_is_one_and_of_a_constant_is_undefined() -> None:
    assert seasonal.correlation(seasonal.moments(OBSERVED, OBSERVED)) == pytest.approx(np.ones(9))
    assert np.isnan(
        seasonal.correlation(seasonal.moments(np.full_like(OBSERVED, 0.3), OBSERVED))
    ).all()


def test_rmse_against_scores() -> None:
    import scores
    import xarray as xr

    expected = scores.continuous.rmse(
        xr.DataArray(FORECAST), xr.DataArray(OBSERVED), preserve_dims="dim_1"
    ).values
    np.testing.assert_allclose(
        seasonal.rmse(seasonal.moments(FORECAST, OBSERVED)), expected, atol=1e-6
    )


@pytest.mark.parametrize(
    ("mean", "std", "observed"), [(0.0, 1.0, 0.0), (0.4, 0.3, 1.7), (-1.0, 2.0, 0.2)]
)
def test_gaussian_crps_is_the_integral_of_squared_differences(
    mean: float, std: float, observed: float
) -> None:
    below = integrate.quad(lambda x: stats.norm.cdf(x, mean, std) ** 2, mean - 12 * std, observed)[
        0
    ]
    above = integrate.quad(lambda x: stats.norm.sf(x, mean, std) ** 2, observed, mean + 12 * std)[0]
    assert seasonal.gaussian_crps(*(np.array([value]) for value in (mean, std, observed)))[
        0
    ] == pytest.approx(below + above, abs=1e-6)


def test_gaussian_crps_at_its_mean_is_closed_form() -> None:
    expected = (np.sqrt(2.0) - 1.0) / np.sqrt(np.pi)
    assert seasonal.gaussian_crps(np.zeros(1), np.ones(1), np.zeros(1))[0] == pytest.approx(
        expected, abs=1e-12
    )


def test_fair_crps_against_scores_and_against_all_pairs() -> None:
    members = RNG.normal(size=(40, 7))
    observed = RNG.normal(size=40)
    pairs = np.abs(members[:, :, None] - members[:, None, :]).sum((1, 2)) / (7 * 6)
    expected = np.abs(members - observed[:, None]).mean(1) - 0.5 * pairs
    ours = seasonal.fair_ensemble_crps(members, observed)
    np.testing.assert_allclose(ours, expected, atol=1e-9)
    import xarray as xr
    from scores import probability

    theirs = probability.crps_for_ensemble(
        xr.DataArray(members, dims=("t", "m")),
        xr.DataArray(observed, dims="t"),
        "m",
        method="fair",
        preserve_dims="t",
    )
    np.testing.assert_allclose(ours, theirs.values, atol=1e-6)


def test_fair_crps_needs_two_members() -> None:
    with pytest.raises(ValueError, match="at least 2 members"):
        seasonal.fair_ensemble_crps(np.zeros((3, 1)), np.zeros(3))


def test_spread_skill_of_a_calibrated_forecast_is_one() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(size=200_000), 0.7
    observed = mean + std * rng.normal(size=200_000)
    assert seasonal.spread_skill(np.full_like(mean, std), mean, observed) == pytest.approx(
        1.0, abs=0.01
    )
