"""Weather forecasts with nothing learned by gradient: persistence, climatology, linear
regression, and the physics itself, coarser.

Each factory is called with the task and gives `request -> xr.Dataset` (see
`zoo.climate.held_suarez.task.ForecastRequest`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.climate.held_suarez.data import VARIABLES

if TYPE_CHECKING:
    import xarray as xr

Forecast = Callable[[Any], "xr.Dataset"]


def persistence(task: Any) -> Forecast:
    """Tomorrow as today."""

    def forecast(request: Any) -> xr.Dataset:
        return request.analysis.rename(time="init_time").expand_dims(
            lead_time=request.lead_times, axis=1
        )

    return forecast


def climatology(task: Any) -> Forecast:
    """The mean state of the training years: zonally constant, symmetric about the equator;
    this planet has no seasons."""

    def forecast(request: Any) -> xr.Dataset:
        mean = task.climatology[list(VARIABLES)].astype(np.float32)
        mean = mean.expand_dims(longitude=request.analysis["longitude"].values)
        mean = mean.expand_dims(
            init_time=request.analysis["time"].values, lead_time=request.lead_times
        )
        return mean.transpose("init_time", "lead_time", "level", "longitude", "latitude")

    return forecast


def solver(task: Any, *, file: str) -> Forecast:
    """The dynamical core of the truth at a lower resolution, started from the truth
    truncated to it.

    The forecasts were computed once by
    `zoo.climate.held_suarez.build.products.write_solver`, from the states that
    `zoo data build` keeps, and are read from a file.
    """

    def forecast(request: Any) -> xr.Dataset:
        from zoo.climate.data.packed import open_zarr_zip

        stored = open_zarr_zip(task.file(file))
        missing = sorted(
            set(request.analysis["time"].values.tolist()) - set(stored["init_time"].values.tolist())
        )
        if missing:
            raise ValueError(
                f"{file} has forecasts of its own start dates only; not of "
                f"{np.datetime64(missing[0], 'ns')}"
            )
        leads = [lead for lead in request.lead_times if lead in stored["lead_time"].values]
        return stored.sel(init_time=request.analysis["time"].values, lead_time=leads).load()

    return forecast


def linear_regression(task: Any, *, file: str) -> Forecast:
    """A linear inverse model in zonal Fourier space: one matrix a wavenumber steps its
    leading EOFs by a day.

    Why by wavenumber: the planet is the same at every longitude, so the best linear
    forecast cannot mix zonal wavenumbers; that turns one regression with 40,960 predictors
    into 22 small ones (Penland & Sardeshmukh 1995,
    doi:10.1175/1520-0442(1995)008<1999:TOGOTS>2.0.CO;2, for linear inverse models). Fitted
    in closed form on the training years by `zoo.climate.held_suarez.linear_fit`.
    """

    def forecast(request: Any) -> xr.Dataset:
        import xarray as xr

        from zoo.pretrained.weights import load

        parameters, _, _ = load(task.file(file))
        levels = request.analysis["level"].values
        fields = [
            request.analysis[name].transpose("time", "longitude", "level", "latitude").values
            for name in VARIABLES
        ]
        state = np.concatenate(fields, axis=2)
        eof = parameters["eof_real"] + 1j * parameters["eof_imag"]
        step = parameters["step_real"] + 1j * parameters["step_imag"]
        waves = to_waves(state, parameters["mean"], parameters["scale"], parameters["root"])
        amplitude = np.einsum("swc,wcm->swm", waves, eof, optimize=True)
        days = request.lead_times.astype("timedelta64[h]").astype(int) // 24
        fields = []
        for day in range(1, int(days.max()) + 1):
            amplitude = np.einsum("swm,wmn->swn", amplitude, step, optimize=True)
            if day in days:
                ahead = np.zeros((len(state), state.shape[1] // 2 + 1, eof.shape[1]), np.complex64)
                ahead[:, : len(eof)] = np.einsum(
                    "swm,wcm->swc", amplitude, eof.conj(), optimize=True
                )
                anomaly = (
                    np.fft.irfft(ahead, n=state.shape[1], axis=1, norm="forward").reshape(
                        state.shape
                    )
                    / parameters["root"]
                )
                fields.append(
                    (anomaly * parameters["scale"] + parameters["mean"]).astype(np.float32)
                )
        stacked = np.stack(fields, axis=1).reshape(
            len(state), len(days), state.shape[1], len(VARIABLES), len(levels), state.shape[3]
        )
        dims = ("init_time", "lead_time", "level", "longitude", "latitude")
        coordinates = {
            name: request.analysis[name].values for name in ("level", "longitude", "latitude")
        }
        return xr.Dataset(
            {
                name: (dims, stacked[:, :, :, i].transpose(0, 1, 3, 2, 4))
                for i, name in enumerate(VARIABLES)
            },
            coords=coordinates
            | {"init_time": request.analysis["time"].values, "lead_time": request.lead_times},
        )

    return forecast


def to_waves(
    fields: np.ndarray, mean: np.ndarray, scale: np.ndarray, root: np.ndarray, *, waves: int = 22
) -> np.ndarray:
    """Zonal Fourier coefficients `[time, wave, channel * latitude]` of area-weighted,
    scaled anomalies.

    Args:
        fields: `[time, longitude, channel, latitude]`. mean, scale: `[channel, latitude]`,
            `[channel, 1]`. root: root of the area weights.
        waves: zonal wavenumbers 0..21 are all that a field truncated to T21 has.
    """
    anomaly = (fields - mean) / scale * root
    coefficients = np.fft.rfft(anomaly, axis=1, norm="forward")[:, :waves]
    return coefficients.reshape(*coefficients.shape[:2], -1).astype(np.complex64)


def truth_sample(task: Any) -> Forecast:
    """The truth's own days 71 to 100 after each start: how far thirty days of the real
    planet lie from its climatology by chance."""

    def forecast(request: Any) -> xr.Dataset:
        import xarray as xr

        times = task.analysis["time"].values
        each = []
        for start in request.analysis["time"].values:
            inside = (times >= start + request.lead_times[0]) & (
                times <= start + request.lead_times[-1]
            )
            each.append(
                task.analysis.isel(time=inside).rename(time="lead_time").drop_vars("lead_time")
            )
        return xr.concat(each, dim="init_time").assign_coords(
            init_time=request.analysis["time"].values
        )

    return forecast
