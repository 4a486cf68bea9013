"""Fields packed as int16, and Zarr v3 zips whose bytes depend on the data alone.

A file is a Zarr v3 hierarchy in an uncompressed zip with sorted names and fixed time
stamps; its arrays are compressed by Blosc (zstd, bitshuffle). The same data and the same
versions of `zarr` and `numcodecs` give the same SHA-256.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo import files
from zoo.scoring.record import write_zip

if TYPE_CHECKING:
    import xarray as xr

Packing = Mapping[str, tuple[float, float]]

# value = packed * scale + offset. Rounding errors: .0025 K, .0025 m/s, 1.25 m2/s2; ranges
# 96..424 K, +-164 m/s, -22e3..142e3 m2/s2: no value of this planet lies outside, and `pack`
# raises if one does.
PACKING: Packing = {
    "geopotential": (2.5, 60000.0),
    "temperature": (0.005, 260.0),
    "u_component_of_wind": (0.005, 0.0),
    "v_component_of_wind": (0.005, 0.0),
}


def pack(values: np.ndarray, scale: float, offset: float, *, name: str = "value") -> np.ndarray:
    """Values in physical units as int16, or an error if one is not finite or does not fit."""
    scaled = np.rint((np.asarray(values, np.float64) - offset) / scale)
    if not np.all(np.abs(scaled) <= 32767):
        raise FloatingPointError(
            f"{name} left the range {offset - 32767 * scale:g} to {offset + 32767 * scale:g} "
            f"(now {np.min(values):g} to {np.max(values):g}): the simulation blew up. Take a "
            "shorter step_minutes."
        )
    return scaled.astype(np.int16)


def packed_variable(
    dims: tuple[str, ...], values: np.ndarray, packing: tuple[float, float], **attrs: Any
) -> tuple:
    """An xarray variable of int16 (packed here unless it is already) with the CF attributes
    that unpack it."""
    scale, offset = packing
    if values.dtype != np.int16:
        values = pack(values, scale, offset, name=str(attrs.get("long_name", "value")))
    return dims, values, attrs | {"scale_factor": scale, "add_offset": offset}


def hours_since_1900(times: np.ndarray) -> tuple[str, np.ndarray, dict[str, str]]:
    """A CF time coordinate `time` that is encoded the same way in every file."""
    hours = (times.astype("datetime64[h]") - np.datetime64("1900-01-01", "h")).astype(np.int64)
    return "time", hours, {"units": "hours since 1900-01-01", "calendar": "proleptic_gregorian"}


def write_zarr_zip(
    path: Path,
    groups: Mapping[str, xr.Dataset],
    *,
    longitude_last: bool = False,
    differences: bool = False,
) -> None:
    """Datasets as one Zarr v3 zip whose bytes depend on the data alone; every variable is
    one Zarr chunk.

    Args:
        path: of the file, written whole or not at all.
        groups: path in the store ("" is the root) -> dataset.
        longitude_last: store arrays whose last dims are (longitude, latitude) latitude by
            latitude, longitude varying fastest (Zarr's `transpose` codec, invisible to
            readers): circles of latitude are smooth, and alike at all times; 7 % less room.
        differences: store int16 numbers of such arrays as second differences along the circle,
            by numcodecs' `delta`; another 20 %. `zarr` for Python reads it, and warns where it is
            not told to (`open_zarr_zip` does) that the codec is no part of Zarr's core; other
            implementations may lack it, so that it is not for the truth.
    """
    import zarr
    from zarr.codecs import BloscCodec, TransposeCodec
    from zarr.codecs.numcodecs import Delta
    from zarr.storage import MemoryStore

    content: dict[str, Any] = {}
    store = MemoryStore(content)
    codec = BloscCodec(cname="zstd", clevel=9, shuffle="bitshuffle")
    for group, dataset in groups.items():
        encoding: dict[str, dict[str, Any]] = {}
        for name, array in dataset.data_vars.items():
            encoding[str(name)] = {"compressors": codec, "chunks": array.shape}
            if longitude_last and array.dims[-2:] == ("longitude", "latitude"):
                order = (array.ndim - 1, *reversed(range(array.ndim - 2)), array.ndim - 2)
                filters: list[Any] = [TransposeCodec(order=order)]
                if differences and array.dtype == np.int16:
                    with _known_codec():
                        filters += [Delta(dtype="<i2"), Delta(dtype="<i2")]
                encoding[str(name)]["filters"] = filters
        with zarr.config.set({"json_indent": None}), _known_codec():
            dataset.to_zarr(
                store, group=group, mode="a", zarr_format=3, consolidated=False, encoding=encoding
            )
    # The permissions that the published files have: their SHA-256 depend on them.
    members = {key: buffer.to_bytes() for key, buffer in content.items()}
    write_zip(path, members, permissions=0o600)


def open_zarr_zip(
    path: str | os.PathLike[str], *, group: str | None = None, mask_and_scale: bool = True
) -> Any:
    """One group of such a file as a lazy `xarray.Dataset`, in physical units unless
    `mask_and_scale` is False."""
    import xarray as xr
    from zarr.storage import ZipStore

    store = ZipStore(Path(path), mode="r")
    with _known_codec():
        return xr.open_zarr(
            store, group=group, consolidated=False, chunks=None, mask_and_scale=mask_and_scale
        )


@contextlib.contextmanager
def _known_codec() -> Iterator[None]:
    """Keeps zarr from warning of the codec that these files are known to use."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Numcodecs codecs are not in the Zarr version 3")
        yield


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Arrays as an `.npz` file, written whole or not at all."""
    with files.whole(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an `.npz` file."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}
