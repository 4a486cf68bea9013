"""A forecast has WeatherBench's layout, whatever the order of its input, and refuses what is no
state."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from small_weather_models import random_state, small

from zoo.climate.held_suarez.data import LEVELS, VARIABLES
from zoo.climate.held_suarez.forecast import ForecastInputError, check_analysis, forecast, rollout


def test_a_rollout_is_the_step_repeated(transforms):
    model, x = small("conv_gru"), random_state()
    ratio = transforms.increment / transforms.scale
    path = rollout(model, x, ratio=ratio, steps=3)
    state, memory = x, None
    for k in range(3):
        increment, memory = model(state, memory)
        state = state + increment * ratio
        np.testing.assert_allclose(path[:, k], state, atol=1e-4)


DAYS = np.array([1, 3]) * np.timedelta64(24, "h")


def test_a_forecast_has_weatherbench_layout_and_does_not_depend_on_the_batch(analysis, transforms):
    model = small("convnext")
    result = forecast(model, transforms, analysis, DAYS)
    assert set(result.data_vars) == set(VARIABLES)
    assert result["temperature"].dims == (
        "init_time",
        "lead_time",
        "level",
        "longitude",
        "latitude",
    )
    assert (
        result["temperature"].shape == (3, 2, 5, 64, 32)
        and result["temperature"].attrs["units"] == "K"
    )
    np.testing.assert_array_equal(result["level"], LEVELS)
    again = forecast(model, transforms, analysis, DAYS, batch=2)
    np.testing.assert_allclose(again["temperature"], result["temperature"], atol=1e-2)


def test_dims_in_another_order_and_descending_latitudes_are_put_right(analysis, transforms):
    model = small("convnext")
    odd = analysis.transpose("latitude", "longitude", "level", "time").isel(
        latitude=slice(None, None, -1), level=slice(None, None, -1)
    )
    xr.testing.assert_equal(
        forecast(model, transforms, odd, DAYS), forecast(model, transforms, analysis, DAYS)
    )


def broken(analysis, kind):
    a = analysis.copy(deep=True)
    if kind == "missing variable":
        return a.rename(temperature="temperatur")
    if kind == "nan":
        a["temperature"][1, 2, 3, 4] = np.nan
    if kind == "celsius":
        a["temperature"] = a["temperature"] - 273.15
        a["temperature"].attrs.clear()
    if kind == "units":
        a["temperature"].attrs["units"] = "degC"
    if kind == "height":
        a["geopotential"] = a["geopotential"] / 9.81
        a["geopotential"].attrs.clear()
    if kind == "grid":
        return a.assign_coords(longitude=a.longitude + 1.0)
    if kind == "coarse":
        return a.isel(latitude=slice(None, None, 2))
    if kind == "level":
        return a.sel(level=[200, 500])
    if kind == "dims":
        return a.rename(longitude="lon")
    return a


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing variable", "no variable 'temperature'.*nearest: 'temperatur'"),
        ("nan", "temperature has 1 missing.*time=2020-01-03.*level=700, longitude=16.875"),
        ("celsius", r"temperature at \d+ hPa has an area mean of -.* is it in K\?"),
        ("units", "temperature is given in 'degC', the model expects 'K'"),
        ("height", "geopotential at .* is it in m2 s-2"),
        (
            "grid",
            (
                "longitude differs from the model's grid: given 64 points 1 to 355.375, expected "
                "64 points 0 to 354.375"
            ),
        ),
        ("coarse", "latitude differs from the model's grid: given 16 points"),
        ("level", r"no level 700 hPa; it has \[200, 500\]"),
        ("dims", "expected .'time', 'level', 'longitude', 'latitude'. in any order"),
    ],
)
def test_wrong_input_is_refused_by_name(analysis, transforms, kind, says):
    with pytest.raises(ForecastInputError, match=says):
        check_analysis(broken(analysis, kind), transforms)


def test_lead_times_between_steps_are_refused(analysis, transforms):
    with pytest.raises(ForecastInputError, match="positive multiples of 24 h"):
        forecast(small("convnext"), transforms, analysis, np.array([36], "timedelta64[h]"))
