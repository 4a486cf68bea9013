"""The scores of weather forecasts against closed forms and against the package `scores`."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez import metrics as weather

LATITUDE = np.linspace(-87.1875, 87.1875, 32)
LONGITUDE = np.arange(64) * 5.625


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return area_weights(LATITUDE)


@pytest.fixture(scope="module")
def fields() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(forecast, truth, climatology), correlated as real ones are."""
    rng = np.random.default_rng(0)
    climatology = 5500 + 400 * np.cos(np.deg2rad(LATITUDE)) + np.zeros((64, 1))
    truth = climatology + rng.normal(scale=100, size=(3, 64, 32))
    return truth + rng.normal(scale=40, size=truth.shape), truth, climatology


def test_a_constant_error_of_three_is_an_rmse_of_three_everywhere(weights, fields):
    _, truth, _ = fields
    np.testing.assert_allclose(
        np.sqrt(weather.squared_error(truth + 3.0, truth, weights)), 3.0, rtol=1e-12
    )


def test_a_squared_sine_of_latitude_has_its_integral():
    """The sphere's mean of sin^2(latitude) is 1/3; bands of one degree come within 1e-4."""
    latitude = np.arange(-89.5, 90)
    field = np.tile(np.sin(np.deg2rad(latitude)) ** 2, (1, 4, 1))
    assert weather.area_mean(field, area_weights(latitude)) == pytest.approx([1 / 3], abs=1e-4)


def test_rmse_is_that_of_the_package_scores(weights, fields):
    from scores.continuous import rmse

    forecast, truth, _ = fields
    ours = np.sqrt(weather.squared_error(forecast, truth, weights).mean())
    dims = ("time", "longitude", "latitude")
    each = xr.DataArray(np.broadcast_to(weights, (64, 32)), dims=dims[1:])
    theirs = rmse(xr.DataArray(forecast, dims=dims), xr.DataArray(truth, dims=dims), weights=each)
    assert ours == pytest.approx(float(theirs), rel=1e-6)


def test_anomaly_correlation_is_the_weighted_correlation_about_climatology(weights, fields):
    forecast, truth, climatology = fields
    acc = weather.anomaly_correlation(forecast, truth, climatology, weights)
    assert len(acc) == len(forecast) > 0
    for i in range(len(acc)):
        root = np.sqrt(weights)
        f, t = ((field[i] - climatology) * root for field in (forecast, truth))
        assert acc[i] == pytest.approx(
            np.dot(f.ravel(), t.ravel()) / np.linalg.norm(f) / np.linalg.norm(t), rel=1e-12
        )


def test_the_acc_of_a_perfect_forecast_is_one_of_the_opposite_minus_one_and_of_climatology_none(
    weights, fields
):
    _, truth, climatology = fields
    np.testing.assert_allclose(
        weather.anomaly_correlation(truth, truth, climatology, weights), 1, rtol=1e-12
    )
    np.testing.assert_allclose(
        weather.anomaly_correlation(2 * climatology - truth, truth, climatology, weights),
        -1,
        rtol=1e-12,
    )
    assert np.isnan(
        weather.anomaly_correlation(np.zeros_like(truth) + climatology, truth, climatology, weights)
    ).all()


@pytest.mark.parametrize("n", [64, 63])
def test_the_spectrum_sums_to_the_mean_square(weights, n):
    field = np.random.default_rng(1).normal(size=(2, n, 32))
    np.testing.assert_allclose(
        weather.zonal_spectrum(field, weights).sum(-1),
        weather.area_mean(field**2, weights),
        rtol=1e-6,
    )


def test_a_single_wave_is_seen_at_its_own_number(weights):
    wave = 3 * np.cos(7 * np.deg2rad(LONGITUDE))[:, None] * np.ones(32)
    power = weather.zonal_spectrum(wave, weights)
    assert power[7] == pytest.approx(4.5) and np.delete(power, 7).max() < 1e-25


def test_a_doubled_field_has_a_spectrum_error_of_the_logarithm_of_four(weights):
    power = weather.zonal_spectrum(np.random.default_rng(2).normal(size=(64, 32)), weights)[1:22]
    assert weather.log_spectrum_error(4 * power, power) == pytest.approx(np.log10(4), rel=1e-12)
    assert weather.log_spectrum_error(power / 4, power) == pytest.approx(np.log10(4), rel=1e-12)
    assert weather.log_spectrum_error(power, power) == 0
    assert np.isnan(weather.log_spectrum_error(0 * power, power))


DAYS = np.array([1.0, 2.0, 3.0, 5.0])


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.9, 0.7, 0.5, 0.1], 2.5),
        ([0.9, 0.8, 0.7, 0.65], 5.0),
        ([0.2, 0.1, 0.0, 0.0], 0.5),
        ([0.9, 0.7, 0.6, 0.5], 3.0),
        ([0.9, 0.5, 0.9, 0.5], 1.75),
        ([0.9, 0.8, 0.7, 0.5], 4.0),
        ([0.9, np.nan, 0.5, 0.1], np.nan),
        ([0.9, 0.5, np.nan, np.nan], 1.75),
        ([0.9, 0.8, 0.7, np.nan], np.nan),
    ],
)
def test_useful_days_are_the_first_crossing_on_straight_lines(curve, expected):
    assert weather.days_until(np.array(curve), DAYS) == pytest.approx(expected, nan_ok=True)


def test_useful_days_of_many_resamples_are_those_of_each():
    curves = np.random.default_rng(3).random((2, 5, 4))
    each = [[weather.days_until(curve, DAYS) for curve in row] for row in curves]
    np.testing.assert_allclose(weather.days_until(curves, DAYS), each)
