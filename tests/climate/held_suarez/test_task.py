"""The Held-Suarez benchmark on its shipped truth: what the baselines must score, and what
is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo import files, registry
from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez import baselines, linear_fit
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


# -------------------------------------------------------------------------------- linear regression

LONGITUDES, LATITUDES, LEVELS = 16, 6, np.array([500, 850])


@dataclasses.dataclass
class Request:
    """A small planet's request."""

    analysis: object
    lead_times: np.ndarray


@pytest.fixture(scope="module")
def small():
    """(parameters fitted on a small rotating planet, a request)."""
    import xarray as xr

    rng = np.random.default_rng(0)
    channels = len(baselines.VARIABLES) * len(LEVELS)
    x = np.arange(LONGITUDES) * 2 * np.pi / LONGITUDES
    waves = [
        np.cos(m * (x[None, :] - 0.1 * m * np.arange(300)[:, None]) + phase)
        for m, phase in ((1, 0.3), (2, 1.0), (3, 2.0))
    ]
    patterns = rng.normal(size=(3, channels, LATITUDES))
    fields = np.einsum("mtx,mcy->txcy", np.stack(waves), patterns) + 0.3 * rng.normal(
        size=(300, LONGITUDES, channels, LATITUDES)
    )
    weights = area_weights(np.linspace(-75, 75, LATITUDES))
    mean, scale = np.zeros((channels, LATITUDES)), np.ones((channels, 1))
    parameters = linear_fit.fit(
        [fields[:120], fields[120:240]], fields[240:], mean=mean, scale=scale, weights=weights
    )
    state = fields[250:254].reshape(4, LONGITUDES, len(baselines.VARIABLES), len(LEVELS), LATITUDES)
    dims = ("time", "longitude", "level", "latitude")
    coordinates = {
        "level": LEVELS,
        "longitude": np.rad2deg(x),
        "latitude": np.linspace(-75, 75, LATITUDES),
    }
    analysis = xr.Dataset(
        {
            name: (dims, state[:, :, i].astype(np.float32))
            for i, name in enumerate(baselines.VARIABLES)
        },
        coords=coordinates
        | {"time": np.arange(4).astype("datetime64[D]").astype("datetime64[ns]")},
    )
    return parameters, Request(analysis, np.array([1, 3]) * np.timedelta64(24, "h"))


def regression(parameters: dict, tmp_path):
    from zoo.pretrained.weights import save

    save(tmp_path / "linear.safetensors", parameters)

    class Bound:
        def file(self, name: str):
            return tmp_path / name

    return baselines.linear_regression(Bound(), file="linear.safetensors")


def test_waves_of_a_field_give_the_field_again():
    rng = np.random.default_rng(1)
    fields = rng.normal(size=(2, 16, 3, 5))
    mean, scale, root = rng.normal(size=(3, 5)), rng.random((3, 1)) + 0.5, rng.random(5) + 0.5
    waves = baselines.to_waves(fields, mean, scale, root, waves=9)
    again = (
        np.fft.irfft(waves.reshape(2, 9, 3, 5), n=16, axis=1, norm="forward") / root * scale + mean
    )
    np.testing.assert_allclose(again, fields, atol=1e-5)


def test_a_full_set_of_eofs_and_a_step_of_nothing_reproduce_the_field(small, tmp_path):
    _, request = small
    size = len(baselines.VARIABLES) * len(LEVELS) * LATITUDES
    n = LONGITUDES // 2 + 1
    rng = np.random.default_rng(2)
    eof = np.linalg.qr(rng.normal(size=(n, size, size)) + 1j * rng.normal(size=(n, size, size)))[0]
    parameters = {
        "mean": rng.normal(size=(size // LATITUDES, LATITUDES)),
        "scale": np.full((size // LATITUDES, 1), 2.0),
        "root": rng.random(LATITUDES) + 0.5,
        "eof_real": eof.real,
        "eof_imag": eof.imag,
        "step_real": np.tile(np.eye(size), (n, 1, 1)),
        "step_imag": np.zeros((n, size, size)),
    }
    forecast = regression(
        {name: value.astype(np.float32) for name, value in parameters.items()}, tmp_path
    )(request)
    for name in baselines.VARIABLES:
        for lead in range(2):
            expected = (
                request.analysis[name].transpose("time", "level", "longitude", "latitude").values
            )
            np.testing.assert_allclose(
                forecast[name].isel(lead_time=lead).values, expected, atol=1e-4
            )


def test_the_linear_model_beats_persistence_on_waves_that_travel(small, tmp_path):
    parameters, request = small
    assert (
        parameters["eof_real"].dtype == np.float16
        and parameters["step_real"].shape[0] == LONGITUDES // 2 + 1
    )
    short = Request(request.analysis.isel(time=[0]), np.array([1, 3]) * np.timedelta64(24, "h"))
    ahead = request.analysis.isel(time=3).transpose("level", "longitude", "latitude", ...)
    forecast = regression(parameters, tmp_path)(short).isel(init_time=0, lead_time=1)
    now = request.analysis.isel(time=0).transpose("level", "longitude", "latitude", ...)
    for name in baselines.VARIABLES:
        assert (
            np.square(forecast[name].values - ahead[name].values).mean()
            < 0.8 * np.square(now[name].values - ahead[name].values).mean()
        )


def test_a_planet_turned_by_some_degrees_has_its_forecast_turned_by_as_much(small, tmp_path):
    parameters, request = small
    predict = regression(parameters, tmp_path)
    turned = Request(request.analysis.roll(longitude=5, roll_coords=False), request.lead_times)
    for name in baselines.VARIABLES:
        np.testing.assert_allclose(
            predict(turned)[name].values,
            np.roll(predict(request)[name].values, 5, axis=3),
            atol=1e-4,
        )
