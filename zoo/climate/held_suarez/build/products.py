"""The published files of `climate/held_suarez`, derived from a build folder of
`zoo.climate.held_suarez.build.simulate`.

All are small Zarr v3 zips (`zoo.climate.data.packed`) in `datasets/climate/held_suarez/`:

    test.zarr.zip
        group "analysis": the four variables (time, level, longitude, latitude) at 96 start
            dates, 48 h apart: what a forecast may start from
        group "verification": truth on the days between the start dates and to ten days after
            the last, variables `VERIFIED` (time, longitude, latitude); attribute `level` in hPa.
            `zoo.climate.held_suarez.data.open_test` adds the start dates' own from "analysis"
    climatology.zarr.zip
        from training data only (the first 600 days of train-0 and of train-1); the planet has
        no seasons and no day, so this is one number per level and latitude
        <variable> (level, latitude): zonal and time mean, made symmetric about the equator
            (v antisymmetric)
        <variable>_mean, _std, _increment_std_6h, _increment_std_24h (level): area-weighted
    solver_t21.zarr.zip, solver_t31.zarr.zip
        root: forecasts of the same equations at lower resolution from the truncated truth,
            `VERIFIED` (init_time, lead_time, longitude, latitude), leads 1, 2, 3, 5, 7, 10 days
        group "drift": temperature (init_time, lead_time, level, latitude), zonal means of four
            100-day runs every ten days

`write_products(build_dir, out_dir)` makes all of them again; the SHA-256 of the first two
are then those of the cards on any machine that starts from the same chunks, those of the
solvers on the same machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.data.grid import area_weights
from zoo.climate.data.packed import (
    PACKING,
    hours_since_1900,
    load_npz,
    packed_variable,
    write_zarr_zip,
)
from zoo.climate.held_suarez.build.simulate import START_EVERY_DAYS, finished_chunks, open_chunk
from zoo.climate.held_suarez.build.solver import LATITUDE, LONGITUDE, Solver
from zoo.climate.held_suarez.data import LEVELS, UNITS, VARIABLES

if TYPE_CHECKING:
    import xarray as xr

STARTS = 96
LEADS = (1, 2, 3, 5, 7, 10)  # days
CLIMATOLOGY_FROM = ("train-0", "train-1")
# Days of each. Enough: from 913 days of each, the means differ by .02 K, .11 m/s and 16
# m2/s2 (r.m.s.), the scales by .8 %.
CLIMATOLOGY_DAYS = 600
DRIFT_DAYS = tuple(range(10, 101, 10))
DRIFT_STARTS = (0, 24, 48, 72)  # of the 96
VERIFIED = {
    "geopotential_500": ("geopotential", 500),
    "temperature_850": ("temperature", 850),
    "u_component_of_wind_850": ("u_component_of_wind", 850),
    "v_component_of_wind_850": ("v_component_of_wind", 850),
}
# Coarser steps than the build's, so that the files stay small in the repository. The r.m.s.
# rounding error, step / sqrt(12), is at most .0115 K, .0144 m/s and 1.44 m2/s2 where the
# T31 solver's errors after one day are .18 K, .5 m/s and 36 m2/s2: it adds at most .2 % to
# them, and less to any other score.
ANALYSIS_PACKING = {
    "geopotential": (5.0, 60000.0),
    "temperature": (0.02, 260.0),
    "u_component_of_wind": (0.05, 0.0),
    "v_component_of_wind": (0.05, 0.0),
}
FORECAST_PACKING = {
    "geopotential": (5.0, 60000.0),
    "temperature": (0.04, 260.0),
    "u_component_of_wind": (0.05, 0.0),
    "v_component_of_wind": (0.05, 0.0),
}
_HORIZONTAL = {
    "longitude": ("longitude", LONGITUDE, {"units": "degrees_east"}),
    "latitude": ("latitude", LATITUDE, {"units": "degrees_north"}),
}
_LEVEL = ("level", np.array(LEVELS, np.int32), {"units": "hPa"})
_REFERENCE = "Held & Suarez 1994, doi:10.1175/1520-0477(1994)075<1825:APFTIO>2.0.CO;2"
VERIFICATION_TITLE = (
    "Held-Suarez test set: truth on the days between start dates (nominal); that of the start "
    "dates is in group analysis"
)

Progress = Callable[[str, int, int], None]


def write_products(
    build_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> list[Path]:
    """Writes the test set, the climatology and both solver baselines; about 20 minutes,
    nearly all for the solvers."""
    return [
        write_test(build_dir, out_dir),
        write_climatology(build_dir, out_dir),
        *(write_solver(build_dir, out_dir, truncation=t, progress=progress) for t in (21, 31)),
    ]


def write_test(build_dir: str | os.PathLike[str], out_dir: str | os.PathLike[str]) -> Path:
    """Writes `test.zarr.zip` from the test trajectory."""
    import xarray as xr

    truth = _trajectory(build_dir, "test")
    start = np.arange(STARTS) * START_EVERY_DAYS * 4  # four times a day
    daily = np.arange(start[-1] // 4 + max(LEADS) + 1) * 4
    between = np.setdiff1d(daily, start)
    if daily[-1] >= truth.sizes["time"]:
        raise ValueError(
            f"The test trajectory has {truth.sizes['time'] // 4} days; {STARTS} starts and "
            f"{max(LEADS)} days of lead need {daily[-1] // 4 + 1}. Let `zoo data build "
            "climate/held_suarez` finish first."
        )
    dims = ("time", "level", "longitude", "latitude")
    analysis = xr.Dataset(
        {
            name: packed_variable(
                dims,
                truth[name].values[start],
                ANALYSIS_PACKING[name],
                units=UNITS[name],
                long_name=name,
            )
            for name in VARIABLES
        },
        {"time": hours_since_1900(truth["time"].values[start]), "level": _LEVEL, **_HORIZONTAL},
        {"title": "Held-Suarez test set: start dates (nominal)", "references": _REFERENCE},
    )
    verification = xr.Dataset(
        {
            name: packed_variable(
                ("time", "longitude", "latitude"),
                truth[variable].sel(level=level).values[between],
                ANALYSIS_PACKING[variable],
                units=UNITS[variable],
                long_name=variable,
                level=level,
            )
            for name, (variable, level) in VERIFIED.items()
        },
        {"time": hours_since_1900(truth["time"].values[between]), **_HORIZONTAL},
        {"title": VERIFICATION_TITLE, "references": _REFERENCE},
    )
    path = Path(out_dir) / "test.zarr.zip"
    write_zarr_zip(path, {"analysis": analysis, "verification": verification}, longitude_last=True)
    return path


def write_climatology(build_dir: str | os.PathLike[str], out_dir: str | os.PathLike[str]) -> Path:
    """Writes `climatology.zarr.zip` from the first `CLIMATOLOGY_DAYS` days of the
    trajectories `CLIMATOLOGY_FROM`."""
    weights = area_weights(LATITUDE)
    # of x, x**2, and the count
    sums = {name: np.zeros((3, len(LEVELS), len(LATITUDE))) for name in VARIABLES}
    increments = {
        (name, hours): np.zeros((2, len(LEVELS))) for name in VARIABLES for hours in (6, 24)
    }
    for trajectory in CLIMATOLOGY_FROM:
        last: dict[str, np.ndarray] = {}
        times = 0
        for path in finished_chunks(build_dir, trajectory):
            if times >= 4 * CLIMATOLOGY_DAYS:
                break
            with open_chunk(path) as chunk:
                for name in VARIABLES:
                    values = chunk[name].values
                    count = values.shape[0] * values.shape[2]
                    sums[name] += [
                        values.sum((0, 2)),
                        (values**2).sum((0, 2)),
                        np.full(sums[name].shape[1:], count),
                    ]
                    known = np.concatenate([last[name], values]) if name in last else values
                    for hours in (6, 24):
                        steps = hours // 6
                        # the last `steps` times before the chunk give its first increments
                        run = known[max(0, known.shape[0] - values.shape[0] - steps) :]
                        squares = ((run[steps:] - run[:-steps]) ** 2 * weights).mean((2, 3))
                        increments[name, hours] += [
                            squares.sum(0),
                            np.full(len(LEVELS), squares.shape[0]),
                        ]
                    last[name] = values[-4:]
                times += values.shape[0]
        if times < 4 * CLIMATOLOGY_DAYS:
            raise FileNotFoundError(
                f"{build_dir} has {times // 4} of the {CLIMATOLOGY_DAYS} days of {trajectory} that "
                "the climatology needs. Run: zoo data build climate/held_suarez"
            )
    path = Path(out_dir) / "climatology.zarr.zip"
    write_zarr_zip(path, {"": _climatology(sums, increments)})
    return path


def _climatology(
    sums: dict[str, np.ndarray], increments: dict[tuple[str, int], np.ndarray]
) -> xr.Dataset:
    """Means and standard deviations from sums.

    Args:
        sums: variable -> sums of x and x**2 over time and longitude, and their number,
            `[3, level, latitude]`.
        increments: (variable, hours) -> sum of the area-mean squared change, and the number
            of changes, `[2, level]`.
    """
    import xarray as xr

    weights = area_weights(LATITUDE)
    variables: dict[str, Any] = {}
    for name in VARIABLES:
        mean, square = sums[name][0] / sums[name][2], sums[name][1] / sums[name][2]
        sign = -1 if name == "v_component_of_wind" else 1
        units = {"units": UNITS[name]}
        globe = (mean * weights).mean(1)
        std = np.sqrt((square * weights).mean(1) - globe**2)
        symmetric = (mean + sign * mean[:, ::-1]) / 2
        variables[name] = (("level", "latitude"), symmetric.astype(np.float32), units)
        variables[f"{name}_mean"] = (("level",), globe.astype(np.float32), units)
        variables[f"{name}_std"] = (("level",), std.astype(np.float32), units)
        for hours in (6, 24):
            total, count = increments[name, hours]
            variables[f"{name}_increment_std_{hours}h"] = (
                ("level",),
                np.sqrt(total / count).astype(np.float32),
                units,
            )
    return xr.Dataset(
        variables,
        {"level": _LEVEL, "latitude": _HORIZONTAL["latitude"]},
        {
            "title": (
                "Held-Suarez climatology of the training trajectories: no seasons, no diurnal cycle"
            ),
            "symmetry": (
                "means are symmetric about the equator (v antisymmetric), as the forcing is"
            ),
            "days": int(sums["temperature"][2][0, 0] // (4 * len(LONGITUDE))),
            "references": _REFERENCE,
        },
    )


def write_solver(
    build_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    truncation: int,
    progress: Progress | None = None,
) -> Path:
    """Writes `solver_t<truncation>.zarr.zip`: the dynamical core at lower resolution from
    every test start date.

    The start is the truth's own state with its spectral coefficients cut at the solver's
    truncation, all layers kept: a perfect analysis of the resolved scales, as WeatherBench
    1's IFS T42 and T63 had.
    """
    solver = Solver(truncation=truncation)
    states = list(_start_states(build_dir))
    if len(states) < STARTS:
        raise ValueError(
            f"{len(states)} of {STARTS} start states are there. Let `zoo data build "
            "climate/held_suarez` finish first."
        )
    times = _trajectory(build_dir, "test")["time"].values[:: START_EVERY_DAYS * 4][:STARTS]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in VERIFIED}
    drift = []
    for number, arrays in enumerate(states[:STARTS]):
        long_run = number in DRIFT_STARTS
        forecast = run_forecast(solver, arrays, days=max(DRIFT_DAYS) if long_run else max(LEADS))
        lead_fields = {day: fields for day, fields in forecast if day in LEADS or day in DRIFT_DAYS}
        for name, (variable, level) in VERIFIED.items():
            parts[name].append(
                np.stack([lead_fields[d][variable][LEVELS.index(level)] for d in LEADS])
            )
        if long_run:
            drift.append(np.stack([lead_fields[d]["temperature"].mean(1) for d in DRIFT_DAYS]))
        if progress is not None:
            progress(f"solver T{truncation}", number + 1, STARTS)
    path = Path(out_dir) / f"solver_t{truncation}.zarr.zip"
    groups = _solver_groups(
        solver, times, {n: np.stack(p) for n, p in parts.items()}, np.stack(drift)
    )
    write_zarr_zip(path, groups, longitude_last=True, differences=True)
    return path


def _solver_groups(
    solver: Solver, times: np.ndarray, fields: dict[str, np.ndarray], drift: np.ndarray
) -> dict[str, xr.Dataset]:
    """Forecasts and long runs as the groups of one file.

    Args:
        solver: what made them.
        times: `[start]`.
        fields: by their name in `VERIFIED`, `[start, lead, longitude, latitude]`.
        drift: zonal-mean temperature of the long runs, `[start, lead, level, latitude]`.
    """
    import xarray as xr

    # so that xarray decodes it without being asked
    lead_attrs = {"units": "days", "dtype": "timedelta64[ns]"}
    forecasts = xr.Dataset(
        {
            name: packed_variable(
                ("init_time", "lead_time", "longitude", "latitude"),
                fields[name],
                FORECAST_PACKING[variable],
                units=UNITS[variable],
                long_name=variable,
                level=level,
            )
            for name, (variable, level) in VERIFIED.items()
        },
        {
            "init_time": ("init_time", *hours_since_1900(times)[1:]),
            "lead_time": ("lead_time", np.array(LEADS, np.int64), lead_attrs),
            **_HORIZONTAL,
        },
        {
            "title": (
                f"Held-Suarez forecasts of the dynamical core at T{solver.truncation} from the "
                "truncated truth"
            ),
            "source": (
                f"dinosaur-dycore, T{solver.truncation}, {solver.layers} sigma layers, "
                f"{solver.step_minutes} min steps, biharmonic diffusion "
                f"{solver.diffusion_hours:.1f} h"
            ),
            "references": _REFERENCE,
        },
    )
    drifts = xr.Dataset(
        {
            "temperature": packed_variable(
                ("init_time", "lead_time", "level", "latitude"),
                drift,
                PACKING["temperature"],
                units="K",
            )
        },
        {
            "init_time": ("init_time", *hours_since_1900(times[list(DRIFT_STARTS)])[1:]),
            "lead_time": ("lead_time", np.array(DRIFT_DAYS, np.int64), lead_attrs),
            "level": _LEVEL,
            "latitude": _HORIZONTAL["latitude"],
        },
        {
            "title": f"zonal-mean temperature of four 100-day runs at T{solver.truncation}",
            "references": _REFERENCE,
        },
    )
    return {"": forecasts, "drift": drifts}


def run_forecast(
    solver: Solver, arrays: dict[str, np.ndarray], *, days: int
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yields (lead in days, fields (level, longitude, latitude)) day by day from a state of
    higher or equal truncation."""
    state = solver.state_from_arrays(arrays)
    for day in range(1, days + 1):
        state = solver.advance_day(state)
        yield day, {name: np.asarray(value) for name, value in solver.fields_now(state).items()}


def _trajectory(build_dir: str | os.PathLike[str], name: str) -> Any:
    """All finished chunks of one trajectory along time."""
    import xarray as xr

    chunks = finished_chunks(build_dir, name)
    if not chunks:
        raise FileNotFoundError(
            f"No finished {name} chunk in {build_dir}. Run: zoo data build climate/held_suarez"
        )
    return xr.concat([open_chunk(path) for path in chunks], "time")


def _start_states(build_dir: str | os.PathLike[str]) -> Iterator[dict[str, np.ndarray]]:
    for path in sorted((Path(build_dir) / "test").glob("starts-*.npz")):
        arrays = load_npz(path)
        for number in range(len(arrays["vorticity"])):
            yield {name: values[number] for name, values in arrays.items()}
