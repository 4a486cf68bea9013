"""Scores of seasonal forecasts as pure functions of arrays: correlation, RMSE, CRPS,
spread-skill ratio.

Two forms of each second-moment score: from samples, and from means of sufficient statistics
(`f`, `o`, `ff`, `oo`, `fo` over `count`), which is what resampling and rescoring use. Both
give the same number.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

Scores = np.ndarray | np.floating
"""An array, or NumPy's scalar where everything was averaged."""


def moments(forecast: np.ndarray, observed: np.ndarray) -> dict[str, Scores]:
    """Means along axis 0 of f, o, f², o², f·o and of `count` = 1 where both are finite,
    else all 0."""
    given = np.isfinite(forecast) & np.isfinite(observed)
    f, o = np.where(given, forecast, 0.0), np.where(given, observed, 0.0)
    parts = {
        "count": given.astype(np.float64),
        "f": f,
        "o": o,
        "ff": f * f,
        "oo": o * o,
        "fo": f * o,
    }
    return {name: value.mean(0) for name, value in parts.items()}


def correlation(means: Mapping[str, Scores]) -> Scores:
    """Pearson's r = cov(f, o) / (sd(f) sd(o)) from `moments`, with the sample's own means
    removed; in [-1, 1].

    NaN where either side is constant: a climatological forecast has no correlation. Why the
    relative threshold: in floating point the variance of a constant is rounding noise, and
    a ratio of two roundings would look like a score.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        f, o, ff, oo, fo = (means[name] / means["count"] for name in ("f", "o", "ff", "oo", "fo"))
        variance_f, variance_o = ff - f * f, oo - o * o
        r = (fo - f * o) / np.sqrt(variance_f * variance_o)
    varies = (variance_f > 1e-12 * ff) & (variance_o > 1e-12 * oo)
    return np.where(varies, np.clip(r, -1.0, 1.0), np.nan)


def rmse(means: Mapping[str, Scores]) -> Scores:
    """sqrt(mean (f - o)²) from `moments`, in the unit of f. No bias is removed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(
            np.maximum(means["ff"] - 2.0 * means["fo"] + means["oo"], 0.0) / means["count"]
        )


def gaussian_crps(mean: np.ndarray, std: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """CRPS of a normal forecast, sd·(z (2Φ(z) - 1) + 2φ(z) - 1/√π) with z = (o - mean)/sd;
    unit of the forecast.

    Gneiting et al. (2005), doi:10.1175/MWR2904.1, eq. 5.
    """
    z = (observed - mean) / std
    density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    return std * (z * (2.0 * ndtr(z) - 1.0) + 2.0 * density - 1.0 / np.sqrt(np.pi))


def fair_ensemble_crps(members: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Fair CRPS of an ensemble, E|X-o| - ½ E|X-X'| with pairs of *different* members,
    `[..., member]` -> `[...]`.

    Dividing the pairs by m(m-1) instead of m² makes its expectation independent of the
    ensemble's size m: Ferro (2014), doi:10.1002/qj.2270.
    """
    m = members.shape[-1]
    if m < 2:
        raise ValueError(
            "the fair CRPS needs at least 2 members; a single forecast has absolute error, not CRPS"
        )
    ordered = np.sort(members, axis=-1)
    # Σ_{i<j} (x_j - x_i) = Σ_i (2i - m + 1) x_i for sorted x, i from 0: O(m log m) instead
    # of m² differences.
    pairs = (ordered * (2.0 * np.arange(m) - m + 1.0)).sum(-1)
    return np.abs(members - observed[..., None]).mean(-1) - pairs / (m * (m - 1.0))


def spread_skill(std: np.ndarray, mean: np.ndarray, observed: np.ndarray) -> Scores:
    """sqrt(mean variance) / sqrt(mean squared error of the mean) along axis 0; 1 is
    calibrated, below 1 over-confident.

    `std` is the forecast distribution's own standard deviation. For a raw m-member ensemble
    multiply its variance by (m + 1)/m first: Fortin et al. (2014),
    doi:10.1175/JHM-D-14-0008.1.
    """
    return np.sqrt(np.mean(np.square(std), axis=0) / np.mean(np.square(mean - observed), axis=0))
