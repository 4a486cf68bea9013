"""Scores of weather forecasts on a latitude-longitude grid, as pure functions of arrays.

Fields are `[..., longitude, latitude]` in WeatherBench 2's order; every function works on
NumPy arrays of any leading shape.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float


def area_mean(
    field: Float[np.ndarray, "*batch lon lat"], weights: Float[np.ndarray, " lat"]
) -> Float[np.ndarray, "*batch"]:
    """Area-weighted mean over the globe."""
    return (
        np.einsum("...xy,y->...", field, weights / weights.sum(), optimize=True) / field.shape[-2]
    )


def squared_error(
    forecast: Float[np.ndarray, "*batch lon lat"],
    truth: Float[np.ndarray, "*batch lon lat"],
    weights: Float[np.ndarray, " lat"],
) -> Float[np.ndarray, "*batch"]:
    """Area-mean squared error. RMSE is the root of its mean over start dates, taken last
    (WeatherBench 2)."""
    return area_mean(np.square(forecast - truth), weights)


def anomaly_correlation(
    forecast: Float[np.ndarray, "*batch lon lat"],
    truth: Float[np.ndarray, "*batch lon lat"],
    climatology: Float[np.ndarray, "lon lat"],
    weights: Float[np.ndarray, " lat"],
) -> Float[np.ndarray, "*batch"]:
    """ACC of each field: sum w f' t' / sqrt(sum w f'^2 sum w t'^2), primes are departures
    from climatology, not centred again.

    WeatherBench 2 averages this ratio over start dates (used here); WeatherBench-X takes
    the ratio of averages, another number. NaN where the forecast is the climatology itself.
    """
    f, t = forecast - climatology, truth - climatology
    with np.errstate(invalid="ignore", divide="ignore"):
        return area_mean(f * t, weights) / np.sqrt(
            area_mean(f * f, weights) * area_mean(t * t, weights)
        )


def zonal_spectrum(
    field: Float[np.ndarray, "*batch lon lat"], weights: Float[np.ndarray, " lat"]
) -> Float[np.ndarray, "*batch wavenumber"]:
    """Area-mean power per zonal wavenumber, 0 to the grid's Nyquist number; it sums to the
    area-mean square of the field (Parseval)."""
    coefficients = np.fft.rfft(field, axis=-2, norm="forward")
    power = np.square(np.abs(coefficients))
    power[..., 1:, :] *= 2
    if field.shape[-2] % 2 == 0:
        power[..., -1, :] /= 2
    return np.einsum("...ky,y->...k", power, weights / weights.sum(), optimize=True)


def log_spectrum_error(
    forecast: Float[np.ndarray, "*batch wavenumber"], truth: Float[np.ndarray, "*batch wavenumber"]
) -> Float[np.ndarray, "*batch"]:
    """Mean over wavenumbers of |log10(forecast power / true power)|; 0.3 means off by a
    factor of two. NaN for a forecast without waves."""
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(np.log10(forecast / truth)).mean(axis=-1)
    return np.where(np.isfinite(error), error, np.nan)


def days_until(
    acc: Float[np.ndarray, "*batch lead"],
    days: Float[np.ndarray, " lead"],
    *,
    threshold: float = 0.6,
) -> Float[np.ndarray, "*batch"]:
    """Lead in days at which a falling score crosses `threshold`, between leads by straight
    lines; from one at day zero.

    The last lead if it never falls below; NaN if a lead before the crossing is missing.
    """
    acc = np.concatenate([np.ones((*acc.shape[:-1], 1)), acc], axis=-1)
    days = np.concatenate([[0.0], days])
    below = acc < threshold
    after = np.where(below.any(axis=-1), below.argmax(axis=-1), acc.shape[-1] - 1)
    before = np.maximum(after - 1, 0)
    high, low = (
        np.take_along_axis(acc, index[..., None], axis=-1)[..., 0] for index in (before, after)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        fraction = np.clip((high - threshold) / (high - low), 0, 1)
    crossing = days[before] + fraction * (days[after] - days[before])
    crossing = np.where(below.any(axis=-1), crossing, days[-1])
    unknown = np.isnan(acc) & (np.arange(acc.shape[-1]) <= after[..., None])
    return np.where(unknown.any(axis=-1), np.nan, crossing)
