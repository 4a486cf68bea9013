"""A series of times and values, from xarray objects, NetCDF, Zarr or tables: what an audit
of a split looks at."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

COLUMNS = 512
"""Grid points and variables that are kept, evenly spread over what there is."""
STAMPS = ("time", "date", "month", "init_time", "valid_time", "datetime")


class SeriesError(ValueError):
    """What was given is no time series; says what is missing."""


@dataclasses.dataclass(frozen=True, eq=False)
class TimeSeries:
    """Values at times.

    Attributes:
        times: `datetime64[ns]` `[time]`, ascending or not.
        values: float64 `[time, column]`, NaN where missing.
        segments: int64 `[time]`: times of different segments (independent trajectories) are
            never neighbours.
    """

    times: np.ndarray
    values: np.ndarray
    segments: np.ndarray

    def __len__(self) -> int:
        return len(self.times)


def series(values: Any, times: np.ndarray, segments: np.ndarray | None = None) -> TimeSeries:
    """A series of values `[time, ...]`, of which at most `COLUMNS` columns are kept.

    Raises:
        SeriesError: lengths differ, or there is nothing.
    """
    values = np.asarray(values, np.float64)
    values = values.reshape(len(values), -1)
    times = np.asarray(times).astype("datetime64[ns]")
    if not len(values) or len(values) != len(times):
        raise SeriesError(
            f"{len(values)} values at {len(times)} times; one row of values for each time is "
            "needed, and at least one"
        )
    if np.isnat(times).any():
        raise SeriesError(
            f"time {int(np.flatnonzero(np.isnat(times))[0]) + 1} of {len(times)} is missing"
        )
    kept = values[:, :: -(-values.shape[1] // COLUMNS)]
    return TimeSeries(
        times,
        kept,
        np.zeros(len(times), np.int64) if segments is None else np.asarray(segments, np.int64),
    )


def of_dataset(data: xr.Dataset | xr.DataArray, *, time: str | None = None) -> TimeSeries:
    """A series of all numeric variables of an xarray object that have a time dimension.

    Raises:
        SeriesError: no time coordinate, or no variable along it; names what there is.
    """
    data = data.to_dataset(name=data.name or "value") if not hasattr(data, "data_vars") else data
    names = [time] if time is not None else list(STAMPS)
    stamp = next((name for name in names if name in data.coords or name in data.variables), None)
    if stamp is None:
        raise SeriesError(
            f"no time coordinate ({', '.join(names)}); there are "
            f"{', '.join(map(str, data.variables))}: say which, by --time"
        )
    dim = data[stamp].dims[0] if data[stamp].ndim == 1 else stamp
    chosen = [
        name
        for name, each in data.data_vars.items()
        if dim in each.dims and each.dtype.kind in "fiu" and name != stamp
    ]
    if not chosen:
        raise SeriesError(
            f"no numeric variable along {dim!r}; there are "
            f"{', '.join(map(str, data.data_vars)) or 'none'}"
        )
    stamps = data[stamp].values
    if stamps.dtype.kind not in "Mm":
        try:
            stamps = np.array([np.datetime64(str(each)[:26]) for each in stamps.ravel()]).astype(
                "datetime64[ns]"
            )
        except ValueError as error:
            raise SeriesError(
                f"{stamp!r} holds {stamps.ravel()[0]!r}, no date of the Gregorian calendar"
            ) from error
    columns = []
    share = -(-COLUMNS // len(chosen))
    for name in chosen:
        array = data[name].transpose(dim, ...)
        rest = [size for each, size in array.sizes.items() if each != dim]
        step = -(-int(np.prod(rest or [1])) // share)
        # Every step-th point along the last axis, so that a large file is not read whole.
        if step > 1:
            array = array.isel({array.dims[-1]: slice(None, None, min(step, array.shape[-1]))})
        columns.append(np.asarray(array.values, np.float64).reshape(array.shape[0], -1))
    return series(np.concatenate(columns, 1), stamps)


def holds_times(path: str | os.PathLike, options: Mapping[str, Any]) -> bool:
    """Whether a table has a column of times (`options["time"]`, or a usual name), or a Zarr
    store is one of xarray's rather than of sequences: how `zoo audit` recognises a series."""
    path = Path(path)
    if path.suffix == ".zarr":
        try:
            attributes = json.loads((path / "zarr.json").read_text(encoding="utf-8"))["attributes"]
        except (OSError, ValueError, KeyError):
            return True
        return not str(attributes.get("format", "")).startswith("scizoo ")
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        return False
    with open(path, encoding="utf-8-sig", newline=None) as file:
        first = file.readline()
    header = [name.strip() for name in first.split("," if path.suffix == ".csv" else "\t")]
    return options.get("time") in header or any(name.lower() in STAMPS for name in header)


def read_series(path: str | os.PathLike, *, time: str | None = None) -> TimeSeries:
    """A series from NetCDF, Zarr (a folder, or a zip) or CSV/TSV (a column of dates, the
    other columns numbers).

    Raises:
        FileNotFoundError: there is no such file.
        SeriesError: it is none of these, or holds no series; says what is missing.
    """
    import xarray as xr

    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.suffix in (".csv", ".tsv"):
        return _table(path, time)
    try:
        if path.name.endswith(".zarr.zip"):
            from zoo.climate.data.packed import open_zarr_zip

            opened = open_zarr_zip(path)
        else:
            opened = (
                xr.open_zarr(path, consolidated=None, chunks=None)
                if path.suffix == ".zarr"
                else xr.open_dataset(path)
            )
        with opened:
            return of_dataset(opened, time=time)
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from error
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        # what its readers raise on damaged bytes
        raise SeriesError(
            f"{path} cannot be read as NetCDF, Zarr or CSV ({type(error).__name__}: {error})"
        ) from error


def _table(path: Path, time: str | None) -> TimeSeries:
    import csv

    with open(path, encoding="utf-8-sig", newline=None) as file:
        rows = [
            row
            for row in csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            if any(field.strip() for field in row)
        ]
    if len(rows) < 2:
        raise SeriesError(f"{path} holds no row below its header")
    header = [name.strip() for name in rows[0]]
    names = [time] if time is not None else list(STAMPS)
    stamp = next((name for name in header if name.lower() in names or name in names), None)
    if stamp is None:
        raise SeriesError(
            f"{path} has no column {' or '.join(names)}; its columns are {', '.join(header)}: say "
            "which, by --time"
        )
    uneven = next((number for number, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if uneven is not None:
        raise SeriesError(
            f"{path} row {uneven} has {len(rows[uneven - 1])} fields, the header has {len(header)}"
        )
    columns = {name: [row[place].strip() for row in rows[1:]] for place, name in enumerate(header)}
    try:
        times = np.array(columns[stamp], "datetime64[ns]")
    except ValueError as error:
        raise SeriesError(
            f"{path}: column {stamp!r} holds no ISO dates (2004-01, 2004-01-31T06:00): {error}"
        ) from error
    numbers = [
        found for name in header if name != stamp and (found := _numbers(columns[name])) is not None
    ]
    if not numbers:
        raise SeriesError(
            f"{path} has no column of numbers beside {stamp!r}; its columns are {', '.join(header)}"
        )
    return series(np.stack(numbers, 1), times)


def _numbers(texts: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(text) if text else np.nan for text in texts])
    except ValueError:
        return None


def unit_of(time: np.datetime64) -> Any:
    """The length of a time's own unit: a month of 2004-01, a day of 2004-01-31."""
    return np.ones((), f"timedelta64[{np.datetime_data(time)[0]}]")[()]


def between(
    whole: TimeSeries, first: np.datetime64 | None = None, last: np.datetime64 | None = None
) -> TimeSeries:
    """The times from `first` to `last`, both included (a month means all of it).

    Raises:
        SeriesError: there are none.
    """
    low = whole.times.min() if first is None else np.datetime64(first)
    high = whole.times.max() if last is None else np.datetime64(last) + unit_of(np.datetime64(last))
    inside = (whole.times >= low) & (
        (whole.times <= high) if last is None else (whole.times < high)
    )
    if not inside.any():
        raise SeriesError(
            f"no time from {first} to {last}; the series goes from {whole.times.min()} to "
            f"{whole.times.max()}"
        )
    return TimeSeries(whole.times[inside], whole.values[inside], whole.segments[inside])
