"""Waves of the linear model: complete, and turned with the planet."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez import baselines, linear_fit

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
