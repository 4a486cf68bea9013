"""`climate/held_suarez` as arrays: one channel per variable and level, in the order of `CHANNELS`.

The files are described in `zoo.climate.held_suarez.build.simulate`: six-hourly fields of an
idealised planet on WeatherBench 2's 64x32 grid, packed as int16. Training keeps them packed
(ten years are 1.2 GB) and unpacks each batch on the device.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int16

from zoo.climate.data.packed import PACKING, open_zarr_zip

if TYPE_CHECKING:
    import xarray as xr

VARIABLES = ("geopotential", "temperature", "u_component_of_wind", "v_component_of_wind")
LEVELS = (200, 500, 700, 850, 925)
CHANNELS = tuple((variable, level) for variable in VARIABLES for level in LEVELS)
UNITS = {
    "geopotential": "m2 s-2",
    "temperature": "K",
    "u_component_of_wind": "m s-1",
    "v_component_of_wind": "m s-1",
}
STEPS_PER_DAY = 4

SCALE = np.repeat([PACKING[v][0] for v in VARIABLES], len(LEVELS)).astype(np.float32)
OFFSET = np.repeat([PACKING[v][1] for v in VARIABLES], len(LEVELS)).astype(np.float32)
"""Value = packed * SCALE + OFFSET, by channel."""
REFLECTION = np.repeat([1.0, 1.0, 1.0, -1.0], len(LEVELS)).astype(np.float32)
"""Sign of each channel under reflection about the equator: the northward wind turns round."""


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """Packed fields of several independent trajectories, one after the other.

    Attributes:
        packed: int16 [time, longitude, latitude, channel], six-hourly.
        lengths: times in each trajectory. No pair of times may cross from one into the next.
    """

    packed: Int16[np.ndarray, "time longitude latitude channel"]
    lengths: tuple[int, ...]

    def starts(self, *, reach: int, every: int = 1) -> np.ndarray:
        """Indices of times after which at least `reach` more times follow in the same
        trajectory, `every` apart."""
        first = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        return np.concatenate(
            [np.arange(a, a + n - reach, every) for a, n in zip(first, self.lengths, strict=True)]
        )

    def fields(self, times: np.ndarray) -> Float[np.ndarray, "time longitude latitude channel"]:
        """The fields at these times in physical units, float32."""
        return self.packed[times] * SCALE + OFFSET


def load_trajectories(trajectories: Sequence[Sequence[str | os.PathLike[str]]]) -> Trajectories:
    """Reads the chunk files of each trajectory, in order of time."""
    parts, lengths = [], []
    for paths in trajectories:
        chunks = [_packed(path) for path in paths]
        if chunks:
            parts += chunks
            lengths.append(sum(len(chunk) for chunk in chunks))
    if not parts:
        raise FileNotFoundError(
            "no finished chunk of the Held-Suarez truth; make them with `zoo data build "
            "climate/held_suarez`"
        )
    return Trajectories(np.concatenate(parts), tuple(lengths))


def _packed(path: str | os.PathLike[str]) -> np.ndarray:
    """One chunk as int16 [time, longitude, latitude, channel], without unpacking it."""
    dataset = open_zarr_zip(path, mask_and_scale=False)
    for name in VARIABLES:
        packing = (dataset[name].attrs["scale_factor"], dataset[name].attrs["add_offset"])
        if packing != PACKING[name]:
            raise ValueError(
                f"{Path(path).name}: {name} is packed with {packing}, this version reads "
                f"{PACKING[name]}"
            )
    arrays = [
        dataset[v]
        .sel(level=list(LEVELS))
        .transpose("time", "longitude", "latitude", "level")
        .values
        for v in VARIABLES
    ]
    return np.concatenate(arrays, axis=-1)


def zarr_source(
    store: str | os.PathLike[str],
) -> Callable[[np.ndarray], Float[np.ndarray, "time longitude latitude channel"]]:
    """Reads times of a Zarr store (v2 or v3) in WeatherBench 2's layout: the source of a
    `zoo.train.batches.Stream`.

    Why tensorstore: it decodes the chunks of all variables at once, off Python's lock. With
    a chunk per time it reads shuffled batches some ten times faster than `xarray.isel` does
    (`benchmarks/speed`).

    Args:
        store: folder whose arrays have the dims (time, level, longitude, latitude),
            unpacked floats.
    """
    import tensorstore

    pending = []
    for name in (*VARIABLES, "level"):
        folder = Path(store).absolute() / name
        version = 3 if (folder / "zarr.json").exists() else 2
        described = folder / ("zarr.json" if version == 3 else ".zattrs")
        if not described.exists():
            raise FileNotFoundError(
                f"{store} has no array {name!r}; it needs {', '.join(VARIABLES)} and level"
            )
        attributes = json.loads(described.read_text())
        dims = attributes.get("dimension_names" if version == 3 else "_ARRAY_DIMENSIONS")
        if name != "level" and tuple(dims or ()) != ("time", "level", "longitude", "latitude"):
            raise ValueError(
                f"{name} has dims {dims}, expected ['time', 'level', 'longitude', 'latitude']; "
                "open it with xarray and use `stack`"
            )
        if "scale_factor" in (attributes.get("attributes", {}) if version == 3 else attributes):
            raise ValueError(
                f"{name} is packed (attribute scale_factor); open it with xarray, which unpacks "
                "it, and use `stack`"
            )
        spec = {
            "driver": "zarr3" if version == 3 else "zarr",
            "kvstore": {"driver": "file", "path": f"{folder}/"},
        }
        pending.append(tensorstore.open(spec, read=True, recheck_cached_data="open"))
    *arrays, levels = [opened.result() for opened in pending]
    held = levels.read().result().tolist()
    if absent := [level for level in LEVELS if level not in held]:
        raise ValueError(f"{store} has no level {absent[0]} hPa; it has {held}")
    chosen = slice(None) if held == list(LEVELS) else [held.index(level) for level in LEVELS]

    def read(times: np.ndarray) -> np.ndarray:
        batch = np.empty((len(times), *arrays[0].shape[2:], len(CHANNELS)), np.float32)
        for i, wanted in enumerate([array[times].read() for array in arrays]):
            batch[..., i * len(LEVELS) : (i + 1) * len(LEVELS)] = np.moveaxis(
                wanted.result()[:, chosen], 1, -1
            )
        return batch

    return read


def finished(data_dir: str | os.PathLike[str], split: str) -> list[list[Path]]:
    """Finished chunk files of a build folder, by trajectory; `split` is "train" or "validation".
    None where the folder is not there."""
    if not Path(data_dir).is_dir():
        return []
    folders = sorted(
        path
        for path in Path(data_dir).iterdir()
        if path.is_dir() and path.name.split("-")[0] == split
    )
    return [sorted(folder.glob("chunk-*.zarr.zip")) for folder in folders]


def stack(dataset: xr.Dataset) -> Float[np.ndarray, "*time longitude latitude channel"]:
    """A dataset in WeatherBench 2's layout as one array, with the channels last."""
    leading = [d for d in ("time", "init_time", "lead_time") if d in dataset.dims]
    order = (*leading, "longitude", "latitude", "level")
    return np.concatenate(
        [dataset[v].sel(level=list(LEVELS)).transpose(*order).values for v in VARIABLES], -1
    ).astype(np.float32)


def unstack(
    array: Float[np.ndarray, "init_time lead_time longitude latitude channel"],
    *,
    init_time: np.ndarray,
    lead_time: np.ndarray,
    longitude: np.ndarray,
    latitude: np.ndarray,
) -> xr.Dataset:
    """The inverse of `stack` for a forecast: dims (init_time, lead_time, level, longitude,
    latitude)."""
    import xarray as xr

    by_level = np.moveaxis(np.asarray(array), -1, 2)
    dims = ("init_time", "lead_time", "level", "longitude", "latitude")
    size = len(LEVELS)
    return xr.Dataset(
        {
            v: (dims, by_level[:, :, i * size : (i + 1) * size], {"units": UNITS[v]})
            for i, v in enumerate(VARIABLES)
        },
        coords={
            "init_time": init_time,
            "lead_time": lead_time,
            "level": np.asarray(LEVELS, np.int32),
            "longitude": longitude,
            "latitude": latitude,
        },
    )


def open_test(path: str | os.PathLike[str]) -> tuple[xr.Dataset, xr.Dataset]:
    """The analyses at the test start dates, and the daily truth that verifies forecasts
    from them.

    The file holds each day once: the truth of start dates is that of their analyses.
    """
    import xarray as xr

    analysis = open_zarr_zip(path, group="analysis")
    between = open_zarr_zip(path, group="verification")
    start = xr.Dataset(
        {
            name: analysis[field.attrs["long_name"]].sel(level=field.attrs["level"], drop=True)
            for name, field in between.items()
        }
    )
    daily = xr.concat([between, start], "time", combine_attrs="override").sortby("time")
    return analysis, daily


def load_dataset(*, split: str = "test") -> xr.Dataset:
    """One split in WeatherBench 2's layout, lazily: dims (time, level, longitude,
    latitude), physical units.

    Args:
        split: "test" (the start dates' states, carried by the package), or "validation" and
            "train", which `zoo data build climate/held_suarez` makes in the cache;
            trajectories are joined along `time`, whose gaps and jumps are nominal.
    """
    import xarray as xr

    from zoo import files, registry

    if split == "test":
        card = registry.dataset("climate/held_suarez")
        wanted = next(file for file in card.file if file.name == "test.zarr.zip")
        return open_test(files.get(wanted, folder=registry.dataset_folder(card)))[0]
    if split not in ("validation", "train"):
        raise ValueError(
            f"climate/held_suarez has no split {split!r}; it has test, validation, train"
        )
    folder = files.home() / "build" / "climate/held_suarez"
    paths = [path for trajectory in finished(folder, split) for path in trajectory]
    if not paths:
        raise FileNotFoundError(
            f"no finished {split} chunk in {folder}; make them with `zoo data build "
            "climate/held_suarez`"
        )
    return xr.concat([open_zarr_zip(path) for path in paths], "time")
