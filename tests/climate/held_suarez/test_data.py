"""Reading shuffled times of a WeatherBench-like Zarr store gives what xarray gives."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from zoo.climate.held_suarez.data import CHANNELS, LEVELS, UNITS, VARIABLES, stack, zarr_source


@pytest.fixture
def dataset() -> xr.Dataset:
    rng = np.random.default_rng(0)
    levels = np.array([50, *LEVELS, 1000], np.int32)
    dims = ("time", "level", "longitude", "latitude")
    fields = {
        name: (dims, rng.normal(size=(6, len(levels), 4, 3)).astype(np.float32))
        for name in VARIABLES
    }
    return xr.Dataset(fields, coords={"time": np.arange(6), "level": levels})


@pytest.mark.parametrize("version", [2, 3])
def test_it_equals_xarray(tmp_path, dataset, version):
    encoding = {name: {"chunks": (1, 7, 4, 3)} for name in VARIABLES}
    dataset.to_zarr(tmp_path / "store", zarr_format=version, consolidated=False, encoding=encoding)
    times = np.array([4, 0, 5])
    np.testing.assert_array_equal(
        zarr_source(tmp_path / "store")(times), stack(dataset.isel(time=times))
    )


def test_a_missing_variable_is_named(tmp_path, dataset):
    dataset.drop_vars("temperature").to_zarr(tmp_path / "store", zarr_format=3, consolidated=False)
    with pytest.raises(FileNotFoundError, match="temperature"):
        zarr_source(tmp_path / "store")


def test_a_missing_level_is_named(tmp_path, dataset):
    dataset.isel(level=slice(2, None)).to_zarr(
        tmp_path / "store", zarr_format=3, consolidated=False
    )
    with pytest.raises(ValueError, match="no level 200"):
        zarr_source(tmp_path / "store")


def test_stack_and_unstack_are_inverse(analysis):
    array = stack(analysis)
    assert array.shape == (3, 64, 32, 20)
    c = CHANNELS.index(("u_component_of_wind", 700))
    np.testing.assert_array_equal(
        array[..., c], analysis["u_component_of_wind"].sel(level=700).values.astype(np.float32)
    )


def test_units_cover_every_variable():
    assert set(UNITS) == set(VARIABLES)
