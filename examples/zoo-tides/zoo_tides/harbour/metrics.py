"""The score of `tides/harbour`, a function of arrays."""

from __future__ import annotations

import numpy as np


def rmse(mean_squared_error: np.ndarray) -> np.ndarray:
    """sqrt(mean over start hours of (f - t)^2), metres; NaN where nothing was forecast."""
    return np.sqrt(mean_squared_error)
