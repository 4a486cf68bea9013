"""The Held-Suarez benchmark on its shipped truth: what the baselines must score, and what
is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo import files, registry
from zoo.climate.held_suarez import baselines
from zoo.climate.held_suarez.task import DAYS, HeldSuarez, HeldSuarezDrift
from zoo.scoring import record, stats

FOLDER = files.share() / "datasets/climate/held_suarez"


def bound(kind: type, name: str):
    """A task on the files of the checkout, without the dataset's card."""
    return kind(registry.task(name), file=lambda wanted: FOLDER / wanted)


@pytest.fixture(scope="module")
def task() -> HeldSuarez:
    return bound(HeldSuarez, "climate/held_suarez")


@pytest.fixture(scope="module")
def examples(task):
    return task.examples()


@pytest.fixture(scope="module")
def forecast(task, examples):
    return baselines.persistence(task)(examples.inputs)


@pytest.fixture(scope="module")
def persistence(task, examples, forecast) -> dict:
    return task.record(forecast, examples)


def by_day(scores: dict[str, float], name: str) -> np.ndarray:
    return np.array([scores[f"{name}.day{day}"] for day in DAYS])


def test_there_are_96_start_dates_two_days_apart(examples):
    assert len(examples) == 96 and len(set(examples.ids)) == 96
    assert set(np.diff(np.array(examples.ids, "datetime64[h]")).astype(int)) == {48}


def test_the_error_of_persistence_grows_with_lead_and_its_correlation_falls(task, persistence):
    scores = stats.scores(task, persistence)
    for name in ("z500_rmse", "t850_rmse", "wind850_rmse"):
        assert (np.diff(by_day(scores, name)[:5]) > 0).all() and by_day(scores, name)[0] > 0
    assert (np.diff(by_day(scores, "z500_acc")[:4]) < 0).all()
    assert 0.5 < scores["z500_useful_days"] < 4
    # the waves of another day are as strong
    assert all(scores[f"ke850_spectrum_error.day{day}"] < 0.1 for day in (1, 5, 10))


def test_the_truth_scores_perfectly(task, examples, forecast):
    truth = forecast.isel(level=[0]).drop_vars(list(forecast.data_vars))
    dims = ("init_time", "lead_time", "longitude", "latitude")
    names = {
        "z500": "geopotential_500",
        "t850": "temperature_850",
        "u850": "u_component_of_wind_850",
        "v850": "v_component_of_wind_850",
    }
    perfect = truth.assign(
        {names[name]: (dims, target) for name, target in examples.targets.items()}
    )
    scores = stats.scores(task, task.record(perfect, examples))
    for name in ("z500_rmse", "t850_rmse", "wind850_rmse"):
        np.testing.assert_array_equal(by_day(scores, name), 0)
    np.testing.assert_allclose(by_day(scores, "z500_acc"), 1, rtol=1e-5)
    assert scores["z500_useful_days"] == 10


def test_the_error_of_climatology_hardly_depends_on_lead_and_it_has_no_correlation_or_waves(
    task, examples
):
    scores = stats.scores(task, task.record(baselines.climatology(task)(examples.inputs), examples))
    errors = by_day(scores, "z500_rmse")
    assert errors.max() / errors.min() < 1.15
    for name in ("z500_acc.day1", "t850_acc.day5", "z500_useful_days", "ke850_spectrum_error.day5"):
        assert np.isnan(scores[name]), name


def test_persistence_is_better_than_climatology_on_the_first_day_and_worse_on_the_tenth(
    task, examples, persistence
):
    climate = stats.scores(
        task, task.record(baselines.climatology(task)(examples.inputs), examples)
    )
    scores = stats.scores(task, persistence)
    assert (
        scores["z500_rmse.day1"] < climate["z500_rmse.day1"]
        and scores["z500_rmse.day10"] > climate["z500_rmse.day10"]
    )


def test_leads_that_are_not_given_are_gaps(task, examples, forecast):
    scores = stats.scores(task, task.record(forecast.isel(lead_time=[0, 3]), examples))
    assert np.isfinite(
        [scores["z500_rmse.day1"], scores["z500_rmse.day5"], scores["ke850_spectrum_error.day5"]]
    ).all()
    assert np.isnan(
        [scores["z500_rmse.day2"], scores["t850_acc.day10"], scores["ke850_spectrum_error.day10"]]
    ).all()


def test_leads_in_another_order_score_the_same(task, examples, forecast, persistence):
    turned = task.record(forecast.isel(lead_time=slice(None, None, -1)), examples)
    assert turned.keys() == persistence.keys() and persistence
    for name, array in persistence.items():
        np.testing.assert_array_equal(turned[name], array)


def test_forecasts_that_are_not_what_was_asked_for_are_refused(task, examples, forecast):
    day = np.timedelta64(24, "h")
    broken = forecast.copy(deep=True)
    broken["temperature"][3, 4:, 3, 5, 5] = np.nan
    with pytest.raises(
        FloatingPointError, match="the forecast of t850 is not finite from day 7 on"
    ):
        task.record(broken, examples)
    with pytest.raises(
        ValueError, match="forecast of day 4: climate/held_suarez asks for days 1, 2, 3, 5, 7, 10"
    ):
        task.record(forecast.isel(lead_time=[0]).assign_coords(lead_time=[4 * day]), examples)
    with pytest.raises(ValueError, match=r"forecast of day 1.25"):
        task.record(
            forecast.isel(lead_time=[0]).assign_coords(lead_time=[day + day // 4]), examples
        )
    with pytest.raises(ValueError, match="the forecast has no geopotential at 500 hPa"):
        task.record(forecast.sel(level=[200, 850]), examples)
    with pytest.raises(ValueError, match="latitude is not the analysis's"):
        task.record(forecast.isel(latitude=slice(None, None, -1)), examples)
    with pytest.raises(ValueError, match="start dates"):
        task.record(forecast.isel(init_time=slice(None, None, -1)), examples)


def test_statistics_are_finite_also_where_nothing_was_forecast(task, examples, forecast):
    for given in (forecast, forecast.isel(lead_time=[0])):
        statistics = task.statistics(task.record(given, examples))
        assert statistics
        for name, array in statistics.items():
            assert array.dtype == np.float64 and len(array) == 96 and np.isfinite(array).all(), name


def test_a_resample_is_the_score_of_the_drawn_start_dates(task, persistence):
    weights = stats.bootstrap_weights(96, task.spec.resampling)[:3]
    resampled = stats.resample(task, persistence, weights)
    for number, row in enumerate(weights):
        drawn = np.repeat(np.arange(96), np.rint(row * 96).astype(int))
        direct = stats.scores(task, {name: array[drawn] for name, array in persistence.items()})
        assert direct.keys() == resampled.keys() and "z500_rmse.day1" in direct
        for name, value in direct.items():
            assert resampled[name][number] == pytest.approx(value, rel=1e-9), name


def test_scores_come_out_of_the_stored_record_again(task, persistence, tmp_path):
    record.write(tmp_path / "r.zarr.zip", persistence)
    again = stats.scores(task, record.read(tmp_path / "r.zarr.zip"))
    assert again == pytest.approx(stats.scores(task, persistence), rel=1e-12, nan_ok=True)


def test_all_metrics_of_the_spec_are_given(task, persistence):
    assert set(stats.scores(task, persistence)) == {
        name for metric in task.spec.metric for name in metric.names
    }


def test_the_drift_of_climatology_is_nothing_and_it_has_no_weather():
    drift = bound(HeldSuarezDrift, "climate/held_suarez_drift")
    examples = drift.examples()
    request = dataclasses.replace(examples.inputs, lead_times=examples.inputs.lead_times[::10])
    assert len(examples) == 4
    scores = stats.scores(drift, drift.record(baselines.climatology(drift)(request), examples))
    assert (
        scores["zonal_temperature_drift"] < 1e-3
        and scores["eddy_activity"] < 1e-3
        and scores["finite_share"] == 1
    )
    truth = stats.scores(
        drift, drift.record(baselines.truth_sample(drift)(examples.inputs), examples)
    )
    assert 0 < truth["zonal_temperature_drift"] < 10 and 0.7 < truth["eddy_activity"] < 1.4
    blown = baselines.persistence(drift)(request).copy(deep=True)
    blown["temperature"][2, -1] = np.inf
    scores = stats.scores(drift, drift.record(blown, examples))
    assert scores["finite_share"] == 3 / 4 and scores["zonal_temperature_drift"] > 1e4
