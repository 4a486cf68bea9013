"""Counts of events and what they say of a rate."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv

LEVEL = 0.95


def poisson_interval(count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Garwood's central 95 % interval of a Poisson mean from a count (Biometrika 28, 1936,
    437, doi:10.1093/biomet/28.3-4.437).

    Half the chi-squared quantiles: chi2(.025; 2 n) / 2 and chi2(.975; 2 n + 2) / 2; zero is
    the lower end for n = 0.
    """
    count = np.asarray(count, float)
    tail = (1 - LEVEL) / 2
    low = np.where(count > 0, gammaincinv(np.maximum(count, 1e-300), tail), 0.0)
    return low, gammaincinv(count + 1, 1 - tail)
