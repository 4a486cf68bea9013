"""`climate/held_suarez`: ten-day forecasts of a simulated planet;
`climate/held_suarez_drift`: what is left of them after 100 days.

A predictor receives a `ForecastRequest` and returns an `xr.Dataset` in WeatherBench 2's
layout: dims (init_time, lead_time, [level,] longitude, latitude). It may give every level
or only those that are scored.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez import metrics
from zoo.interfaces.task import Arrays, Examples, Task

if TYPE_CHECKING:
    import xarray as xr

    from zoo.interfaces.figures import Figure

SCORED = {
    "z500": ("geopotential", 500),
    "t850": ("temperature", 850),
    "u850": ("u_component_of_wind", 850),
    "v850": ("v_component_of_wind", 850),
}
"""Short name in metrics -> (variable, level in hPa)."""
DAYS = np.array([1, 2, 3, 5, 7, 10])
SPECTRUM_DAYS = (1, 5, 10)


@dataclasses.dataclass(frozen=True)
class ForecastRequest:
    """What a weather predictor receives.

    Attributes:
        analysis: the true state at the start dates: `geopotential` (m2 s-2), `temperature`
            (K), `u_component_of_wind`, `v_component_of_wind` (m s-1); dims (time, level,
            longitude, latitude); levels 200, 500, 700, 850, 925 hPa.
        lead_times: `timedelta64` `[lead]`, ascending whole days.
    """

    analysis: xr.Dataset
    lead_times: np.ndarray


def field(forecast: xr.Dataset, name: str) -> np.ndarray:
    """One scored field of a forecast as float32 `[start, lead, longitude, latitude]`.

    Raises:
        ValueError: the forecast has neither `<variable>_<level>` nor the variable on that level.
    """
    variable, level = SCORED[name]
    if f"{variable}_{level}" in forecast:
        array = forecast[f"{variable}_{level}"]
    elif variable in forecast and level in np.atleast_1d(forecast[variable]["level"].values):
        array = forecast[variable].sel(level=level)
    else:
        raise ValueError(
            f"the forecast has no {variable} at {level} hPa; it has "
            f"{', '.join(map(str, forecast.data_vars))}"
        )
    return np.asarray(
        array.transpose("init_time", "lead_time", "longitude", "latitude").values, np.float32
    )


class _HeldSuarezTask(Task):
    @functools.cached_property
    def analysis(self) -> xr.Dataset:
        """The true state at the 96 start dates, loaded, float32."""
        from zoo.climate.data.packed import open_zarr_zip

        return open_zarr_zip(self.file("test.zarr.zip"), group="analysis").load().astype(np.float32)

    @functools.cached_property
    def climatology(self) -> xr.Dataset:
        """Zonal-mean, time-mean state of the training years, `<variable>(level, latitude)`,
        and standard deviations."""
        from zoo.climate.data.packed import open_zarr_zip

        return open_zarr_zip(self.file("climatology.zarr.zip")).load()

    @functools.cached_property
    def weights(self) -> np.ndarray:
        """Area weights of the latitudes, with mean one."""
        return area_weights(self.analysis["latitude"].values)

    def _require_same_grid(self, predictions: xr.Dataset, examples: Examples) -> None:
        """A forecast of other start dates, or on a grid turned round, would score without a
        word; it is refused."""
        starts = tuple(
            np.datetime_as_string(np.atleast_1d(predictions["init_time"].values), unit="h")
        )
        if starts != examples.ids:
            asked = f"{len(examples)} from {examples.ids[0]} on"
            raise ValueError(
                f"the forecast has {len(starts)} start dates from {starts[0]} on; asked for: "
                f"{asked}"
            )
        for name in ("longitude", "latitude"):
            true = self.analysis[name].values
            if predictions.sizes[name] != len(true) or (
                name in predictions.coords and not np.allclose(predictions[name], true, atol=1e-3)
            ):
                raise ValueError(
                    f"the forecast's {name} is not the analysis's ({true[0]:g} .. {true[-1]:g}, "
                    f"{len(true)} of them)"
                )

    def sample_figures(self) -> list[Figure]:
        """The first start date: height of the 500 hPa surface and temperature at 850 hPa,
        as maps."""
        from zoo.climate import pictures

        state = self.analysis.isel(time=0)
        when = f"simulated time {np.datetime_as_string(state['time'].values, unit='h')}"
        axes = state["longitude"].values, state["latitude"].values
        height, temperature = (
            state[variable]
            .sel(level=level)
            .transpose("longitude", "latitude")
            .values.astype(np.float64)
            for variable, level in (SCORED["z500"], SCORED["t850"])
        )
        caption = (
            f"SIMULATED state at the first of the {self.analysis.sizes['time']} start dates (the "
            "planet's own calendar, no date on Earth), on the 64x32 grid. No continents: the "
            "planet is smooth."
        )
        return [
            pictures.globe(
                height / pictures.GRAVITY,
                *axes,
                pictures.HEIGHT_LEVELS,
                name="z500",
                title="Height of the 500 hPa surface",
                caption=caption,
                quantity="geopotential height",
                unit="m",
                label=f"Z500, {when}",
            ),
            pictures.globe(
                temperature,
                *axes,
                pictures.TEMPERATURE_LEVELS,
                name="t850",
                title="Temperature at 850 hPa",
                caption=caption,
                quantity="temperature",
                unit="K",
                label=f"T850, {when}",
            ),
        ]

    def climatology_of(self, name: str) -> np.ndarray:
        """Climatology of one scored field `[longitude, latitude]` (zonally constant)."""
        variable, level = SCORED[name]
        row = self.climatology[variable].sel(level=level).values
        return np.broadcast_to(row, (self.analysis.sizes["longitude"], len(row)))


class HeldSuarez(_HeldSuarezTask):
    """96 start dates 48 h apart, leads of 1, 2, 3, 5, 7 and 10 days, scored against the
    simulated truth."""

    @property
    def waves(self) -> slice:
        """The zonal wavenumbers whose power is scored: to 21, all that a field truncated to
        T21 has, without the zonal mean."""
        first, last = (
            self.spec.parameter(f"{end}_wavenumber", of="ke850_spectrum_error")
            for end in ("first", "last")
        )
        return slice(first, last + 1)

    def examples(self) -> Examples:
        """Start dates; targets are `{field: float32 [start, lead, longitude, latitude]}`."""
        from zoo.climate.held_suarez.data import open_test

        request = ForecastRequest(self.analysis, DAYS * np.timedelta64(24, "h"))
        verification = open_test(self.file("test.zarr.zip"))[1].load()
        valid = self.analysis["time"].values[:, None] + request.lead_times
        position = verification.indexes["time"].get_indexer(valid.ravel()).reshape(valid.shape)
        if (position < 0).any():
            raise ValueError(
                f"test.zarr.zip has no truth for {valid.ravel()[position.ravel() < 0][0]}"
            )
        targets = {}
        for name, (variable, level) in SCORED.items():
            truth = (
                verification[f"{variable}_{level}"]
                .transpose("time", "longitude", "latitude")
                .values.astype(np.float32)
            )
            targets[name] = truth[position]
        ids = tuple(np.datetime_as_string(self.analysis["time"].values, unit="h"))
        return Examples(ids, request, targets)

    def record(self, predictions: xr.Dataset, examples: Examples) -> Arrays:
        """Sufficient statistics per start date and lead: squared errors, ACC ratios, zonal
        spectra. Leads not given are NaN."""
        given = predictions["lead_time"].values / np.timedelta64(24, "h")
        unknown = sorted(set(given.tolist()) - set(DAYS.tolist()))
        if unknown:
            raise ValueError(
                f"forecast of day {unknown[0]:g}: {self.spec.id} asks for days "
                f"{', '.join(map(str, DAYS))}"
            )
        given = given.astype(int)
        self._require_same_grid(predictions, examples)
        place = np.searchsorted(DAYS, given)
        arrays: Arrays = {}

        def full(values: np.ndarray) -> np.ndarray:
            whole = np.full((len(examples), len(DAYS), *values.shape[2:]), np.nan, np.float32)
            whole[:, place] = values
            return whole

        forecasts = {name: field(predictions, name) for name in SCORED}
        for name, forecast in forecasts.items():
            if not np.isfinite(forecast).all():
                first = given[~np.isfinite(forecast).all(axis=(0, 2, 3))].min()
                raise FloatingPointError(
                    f"the forecast of {name} is not finite from day {first} on"
                )
            truth = examples.targets[name][:, place]
            arrays[f"{name}_squared_error"] = full(
                metrics.squared_error(forecast, truth, self.weights)
            )
        for name in ("z500", "t850"):
            truth = examples.targets[name][:, place]
            arrays[f"{name}_acc"] = full(
                metrics.anomaly_correlation(
                    forecasts[name], truth, self.climatology_of(name), self.weights
                )
            )
        waves = self.waves
        spectrum = np.full(
            (len(examples), len(SPECTRUM_DAYS), waves.stop - waves.start), np.nan, np.float32
        )
        true_spectrum = np.zeros_like(spectrum)
        for i, day in enumerate(SPECTRUM_DAYS):
            true_u, true_v = (
                examples.targets[name][:, list(DAYS).index(day)] for name in ("u850", "v850")
            )
            true_spectrum[:, i] = _kinetic_spectrum(true_u, true_v, self.weights)[..., waves]
            if day in given:
                lead = int(np.flatnonzero(given == day)[0])
                spectrum[:, i] = _kinetic_spectrum(
                    forecasts["u850"][:, lead], forecasts["v850"][:, lead], self.weights
                )[..., waves]
        return arrays | {
            "kinetic_energy_spectrum": spectrum,
            "true_kinetic_energy_spectrum": true_spectrum,
            "lead_days": np.tile(DAYS, (len(examples), 1)),
        }

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """Squared errors and ACC by lead, spectra by day; zero where no forecast was given,
        with a `count` of one where it was."""
        out: Arrays = {
            "wind_squared_error": record["u850_squared_error"].astype(np.float64)
            + record["v850_squared_error"]
        }
        out |= {
            name: record[name].astype(np.float64)
            for name in ("z500_squared_error", "t850_squared_error", "z500_acc", "t850_acc")
        }
        counts = {
            f"count_{name}": np.isfinite(value).astype(np.float64) for name, value in out.items()
        }
        out = {name: np.nan_to_num(value) for name, value in out.items()}
        given = np.isfinite(record["kinetic_energy_spectrum"])
        return (
            out
            | counts
            | {
                "spectrum": np.where(given, record["kinetic_energy_spectrum"], 0.0).astype(
                    np.float64
                ),
                "true_spectrum": np.where(
                    given, record["true_kinetic_energy_spectrum"], 0.0
                ).astype(np.float64),
            }
        )

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """RMSE, ACC by day; spectrum error by day; days until the ACC of Z500 falls below .6."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = {
                name: means[name] / means[f"count_{name}"]
                for name in means
                if f"count_{name}" in means
            }
            by_day = {
                "z500_rmse": np.sqrt(mean["z500_squared_error"]),
                "t850_rmse": np.sqrt(mean["t850_squared_error"]),
                "wind850_rmse": np.sqrt(mean["wind_squared_error"]),
                "z500_acc": mean["z500_acc"],
                "t850_acc": mean["t850_acc"],
            }
            error = metrics.log_spectrum_error(means["spectrum"], means["true_spectrum"])
        scores = {
            f"{name}.day{day}": value[..., i]
            for name, value in by_day.items()
            for i, day in enumerate(DAYS)
        }
        scores |= {
            f"ke850_spectrum_error.day{day}": error[..., i] for i, day in enumerate(SPECTRUM_DAYS)
        }
        threshold = self.spec.parameter("threshold", of="z500_useful_days")
        scores["z500_useful_days"] = metrics.days_until(
            mean["z500_acc"], DAYS.astype(float), threshold=threshold
        )
        return scores


class HeldSuarezDrift(_HeldSuarezTask):
    """Four rollouts of 100 days: does the mean state of days 71 to 100 stay the planet's
    climate?"""

    def examples(self) -> Examples:
        """Four start dates, 24 days apart, whose days 71-100 lie within the simulated
        truth; there is no weather to verify, only the climatology of the training years."""
        starts, spacing, first, last = map(
            self.spec.parameter, ("starts", "spacing", "first_day", "last_day")
        )
        analysis = self.analysis.isel(time=slice(0, starts * spacing, spacing))
        days = np.arange(first, last + 1)
        ids = tuple(np.datetime_as_string(analysis["time"].values, unit="h"))
        return Examples(
            ids,
            ForecastRequest(analysis, days * np.timedelta64(24, "h")),
            self.climatology["temperature"].values,
        )

    def record(self, predictions: xr.Dataset, examples: Examples) -> Arrays:
        """Zonal-mean temperature of days 71-100 less climatology `[start, level, latitude]`
        (K), and eddy variance of T850 (K2)."""
        temperature = predictions["temperature"].transpose(
            "init_time", "lead_time", "level", "longitude", "latitude"
        )
        values = temperature.values.astype(np.float64)
        finite = np.isfinite(values).all(axis=(1, 2, 3, 4))
        t850 = values[:, :, list(temperature["level"].values).index(850)]
        with np.errstate(invalid="ignore", over="ignore"):
            zonal = (
                np.nan_to_num(values.mean(axis=(1, 3)), nan=1e6, posinf=1e6, neginf=-1e6)
                - examples.targets
            )
            eddies = metrics.area_mean(
                np.square(t850 - t850.mean(axis=-2, keepdims=True)), self.weights
            ).mean(axis=1)
        return {
            "zonal_temperature_error": np.clip(zonal, -1e6, 1e6),
            "eddy_variance": np.clip(np.nan_to_num(eddies, nan=1e12, posinf=1e12), 0, 1e12),
            "true_eddy_variance": np.full(len(examples), self._true_eddy_variance),
            "finite": finite.astype(np.float64),
        }

    @functools.cached_property
    def _true_eddy_variance(self) -> float:
        t850 = (
            self.analysis["temperature"]
            .sel(level=850)
            .transpose("time", "longitude", "latitude")
            .values.astype(np.float64)
        )
        return float(
            metrics.area_mean(
                np.square(t850 - t850.mean(axis=-2, keepdims=True)), self.weights
            ).mean()
        )

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        """The record itself, in double precision."""
        names = ("zonal_temperature_error", "eddy_variance", "true_eddy_variance", "finite")
        return {name: np.asarray(record[name], np.float64) for name in names}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Largest zonal-mean error over levels and latitudes (K), ratio of eddy standard
        deviations, share of finite rollouts."""
        return {
            "zonal_temperature_drift": np.abs(means["zonal_temperature_error"]).max(axis=(-2, -1)),
            "eddy_activity": np.sqrt(means["eddy_variance"] / means["true_eddy_variance"]),
            "finite_share": means["finite"],
        }


def _kinetic_spectrum(u: np.ndarray, v: np.ndarray, weights: np.ndarray) -> np.ndarray:
    power: Any = metrics.zonal_spectrum(u, weights) + metrics.zonal_spectrum(v, weights)
    return 0.5 * power
