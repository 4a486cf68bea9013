"""Forecasts with nothing learned by gradient: the level as it is, and the classical tide table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zoo_tides.harbour.data import PERIODS
from zoo_tides.harbour.task import LEADS, Harbour, LevelRequest

Forecast = Callable[[LevelRequest], np.ndarray]


def persistence(task: Harbour) -> Forecast:
    """The last level, at every lead."""
    return lambda request: np.repeat(request.past[:, -1:], LEADS, axis=1)


def harmonic(task: Harbour, *, constituents: int = 5) -> Forecast:
    """Harmonic analysis (Thomson 1868): least squares of the first constituents' sines and cosines
    on the training record, and their sum at the hours ahead."""
    coefficients = np.linalg.lstsq(
        design(task.training.time, constituents), task.training.level, rcond=None
    )[0]

    def forecast(request: LevelRequest) -> np.ndarray:
        ahead = request.time[:, None] + np.arange(1, LEADS + 1)
        return design(ahead.ravel(), constituents).dot(coefficients).reshape(ahead.shape)

    return forecast


def design(time: np.ndarray, constituents: int = len(PERIODS)) -> np.ndarray:
    """One, and the cosine and sine of each constituent, `[hour, 1 + 2 constituents]`."""
    hours = time.astype("datetime64[h]").astype(np.int64).astype(np.float64)
    angle = 2 * np.pi * hours[:, None] / PERIODS[:constituents]
    return np.concatenate([np.ones((len(hours), 1)), np.cos(angle), np.sin(angle)], axis=1)
