"""However fields are stored, every value comes back."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from zarr.storage import ZipStore

from zoo.climate.data import packed


@pytest.fixture
def smooth() -> xr.Dataset:
    """int16 fields along circles of latitude, with jumps over the whole range; and floats."""
    rng = np.random.default_rng(0)
    waves = np.cos(np.linspace(0, 2 * np.pi, 64))[:, None] * rng.uniform(500, 2000, (3, 5, 1, 32))
    values = (waves + rng.normal(0, 3, (3, 5, 64, 32))).astype(np.int16)
    values[0, 0, ::2, 0], values[0, 0, 1::2, 0] = -32768, 32767  # differences overflow and return
    dims = ("init_time", "lead_time", "longitude", "latitude")
    return xr.Dataset(
        {"t": (dims, values, {"scale_factor": 0.5, "add_offset": 260.0}), "x": (dims, waves / 7)}
    )


@pytest.mark.parametrize("options", [{}, {"longitude_last": True}])
def test_every_value_comes_back_as_it_was(smooth, tmp_path, options):
    packed.write_zarr_zip(tmp_path / "z", {"": smooth}, **options)
    found = packed.open_zarr_zip(tmp_path / "z", mask_and_scale=False).load()
    assert found.equals(smooth) and found["t"].dtype == np.int16


def test_differences_along_the_circle_are_smaller_and_come_back(smooth, tmp_path):
    sizes = []
    for differences in (False, True):
        path = tmp_path / str(differences)
        packed.write_zarr_zip(path, {"": smooth}, longitude_last=True, differences=differences)
        assert packed.open_zarr_zip(path, mask_and_scale=False).load().equals(smooth)
        sizes.append(path.stat().st_size)
    assert sizes[1] < sizes[0]


def plain(path: Path) -> xr.Dataset:
    """As somebody reads it who does not know this package."""
    return xr.open_zarr(ZipStore(path, mode="r"), consolidated=False, chunks=None)


def test_xarray_alone_reads_differences_and_warns_of_the_codec(smooth, tmp_path):
    packed.write_zarr_zip(tmp_path / "z", {"": smooth}, longitude_last=True, differences=True)
    with pytest.warns(UserWarning, match="Numcodecs codecs are not in the Zarr version 3"):
        found = plain(tmp_path / "z").load()
    np.testing.assert_array_equal(found["t"], smooth["t"] * 0.5 + 260.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        packed.open_zarr_zip(tmp_path / "z").load()
