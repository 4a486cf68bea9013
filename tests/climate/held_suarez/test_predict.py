"""`zoo predict` for weather: a file in, a file out, or a clear refusal and nothing half-written."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import zoo
from zoo import registry

WEATHER = [name for name, card in registry.models().items() if card.predict_file]


@pytest.fixture(scope="module")
def analysis() -> xr.Dataset:
    return zoo.load_dataset("climate/held_suarez").isel(time=slice(0, 2)).load().astype("float32")


def run(zoo_command, source, target, *options):
    return zoo_command("predict", WEATHER[0], str(source), str(target), "--days", "2", *options)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_netcdf_and_zarr_come_out_as_they_go_in(tmp_path, zoo_command, analysis, suffix):
    source, target = tmp_path / f"state{suffix}", tmp_path / f"forecast{suffix}"
    if suffix == ".nc":
        analysis.to_netcdf(source, engine="h5netcdf")
    else:
        analysis.to_zarr(source, consolidated=False)
    result = run(zoo_command, source, target)
    assert result.code == 0, result.err
    with (
        xr.open_dataset(target, engine="h5netcdf")
        if suffix == ".nc"
        else xr.open_zarr(target, consolidated=False) as forecast
    ):
        assert dict(forecast.sizes) == {
            "init_time": 2,
            "lead_time": 2,
            "level": 5,
            "longitude": 64,
            "latitude": 32,
        }
        assert forecast.attrs["model"] == WEATHER[0] and forecast.attrs["truth"] == "simulated"
        # A day's forecast lies nearer to the state than the state's own spread over the globe.
        change = forecast["temperature"].isel(lead_time=0) - analysis["temperature"].rename(
            time="init_time"
        )
        assert float(abs(change).mean()) < float(analysis["temperature"].std())


def break_nan(ds):
    ds["temperature"][0, 1, 2, 3] = np.nan
    return ds


def break_celsius(ds):
    return ds.assign(temperature=ds["temperature"] - 273.15)


def break_unit_attribute(ds):
    ds["temperature"].attrs["units"] = "degC"
    return ds


def break_names(ds):
    return ds.rename(temperature="temperatur")


def break_grid(ds):
    return ds.isel(latitude=slice(0, 16))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (break_nan, ["temperature", "1 missing", "level=500"]),
        (break_celsius, ["temperature", "K"]),
        (break_unit_attribute, ["degC", "K"]),
        (break_names, ["temperature", "temperatur"]),
        (break_grid, ["latitude", "32"]),
    ],
)
def test_a_wrong_input_is_named_and_nothing_is_written(
    tmp_path, zoo_command, analysis, damage, said
):
    source, target = tmp_path / "state.nc", tmp_path / "forecast.nc"
    damage(analysis.copy(deep=True)).to_netcdf(source, engine="h5netcdf")
    result = run(zoo_command, source, target)
    assert result.code == 1
    for word in said:
        assert word in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.nc"]


def test_swapped_latitude_gives_the_same_forecast(tmp_path, zoo_command, analysis):
    analysis.to_netcdf(tmp_path / "up.nc", engine="h5netcdf")
    analysis.isel(latitude=slice(None, None, -1)).to_netcdf(tmp_path / "down.nc", engine="h5netcdf")
    for name in ("up", "down"):
        assert run(zoo_command, tmp_path / f"{name}.nc", tmp_path / f"{name}.out.nc").code == 0
    with (
        xr.open_dataset(tmp_path / "up.out.nc") as up,
        xr.open_dataset(tmp_path / "down.out.nc") as down,
    ):
        xr.testing.assert_allclose(up, down)


def test_an_unknown_suffix_is_refused(tmp_path, zoo_command, analysis):
    analysis.to_netcdf(tmp_path / "state.nc", engine="h5netcdf")
    result = run(zoo_command, tmp_path / "state.nc", tmp_path / "forecast.grib")
    assert result.code == 1
    assert ".nc" in result.err and ".zarr" in result.err
