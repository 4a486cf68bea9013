"""The data of `tides/harbour`: `zoo data build tides/harbour` makes them, SIMULATED.

    level(t) = sum of five constituents  h_k cos(2 pi t / T_k + phase_k)  +  surge(t)

with the periods of M2, S2, N2, K1 and O1 and a surge that is autoregressive over a day (weather).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from zoo_tides.gauges import Gauge, read_gauge, write_gauge

PERIODS = np.array([12.4206012, 12.0, 12.65834751, 23.93447213, 25.81933871])
"""Hours, of M2, S2, N2, K1 and O1 (Doodson)."""
HEIGHTS = np.array([1.4, 0.5, 0.3, 0.25, 0.2])
"""Metres."""
MEMORY, SURGE = 0.96, 0.08
"""Of the surge: hour to hour, and the standard deviation (m) of what each hour adds."""
START, SEED = "2020-01-01T00", 20261128


def simulate(days: int = 240, *, seed: int = SEED) -> Gauge:
    """An hourly record of so many days."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    phases = rng.uniform(0, 2 * np.pi, len(PERIODS))
    tide = (HEIGHTS * np.cos(2 * np.pi * hours[:, None] / PERIODS + phases)).sum(1)
    noise, surge = rng.normal(0.0, SURGE, len(hours)), np.zeros(len(hours))
    for hour in range(1, len(hours)):
        surge[hour] = MEMORY * surge[hour - 1] + noise[hour]
    return Gauge(np.datetime64(START, "h") + hours, tide + surge)


def build(
    out: Path, *, days: int = 240, progress: Callable[[str, int, int], None] | None = None
) -> Path:
    """Behind `zoo data build tides/harbour`: writes `harbour.tide.csv`."""
    out.mkdir(parents=True, exist_ok=True)
    write_gauge(out / "harbour.tide.csv", simulate(days))
    if progress is not None:
        progress("harbour.tide.csv", days, days)
    return out


def load_dataset() -> Gauge:
    """The shipped record, verified."""
    from zoo import files, registry

    card = registry.dataset("tides/harbour")
    return read_gauge(files.get(card.file[0], folder=registry.dataset_folder(card)))
