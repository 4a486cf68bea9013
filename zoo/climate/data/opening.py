"""A user's NetCDF file or Zarr store: opened whole, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr

VALIDATION_SHARE = 0.2
"""Of a user's times, the last ones: what validates a training on them."""


class UserDataError(ValueError):
    """A user's file cannot be read, or lacks what is needed; the message says what."""


def open_user_data(path: Path) -> xr.Dataset:
    """A NetCDF file or a Zarr store (v2 or v3) in memory, packed values unpacked.

    Raises:
        FileNotFoundError: there is no such file.
        UserDataError: it is neither.
    """
    import xarray as xr

    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        if path.is_dir():
            opened = xr.open_zarr(path, consolidated=(path / ".zmetadata").exists(), chunks=None)
        else:
            opened = xr.open_dataset(path, engine="h5netcdf")
        with opened:
            return opened.load()
    except (OSError, KeyError, TypeError) as error:
        raise UserDataError(
            f"{path} cannot be read as NetCDF or Zarr ({type(error).__name__}: {error})"
        ) from error
