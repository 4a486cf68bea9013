"""A synthetic `climate/enso`: seasonal red noise with the real files' shapes, so that tests of leaks need no download."""

from __future__ import annotations

import types

import numpy as np
import xarray as xr

from zoo.climate.data import enso as data
from zoo.climate.tasks.enso import Enso

MONTHS = np.arange(np.datetime64("1958-01", "M"), np.datetime64("2021-01", "M"))


def red_noise(rng: np.random.Generator, months: int, indices: int) -> np.ndarray:
    """`[month, index]` AR(1) noise that shares a slow oscillation."""
    x = np.zeros((months, indices))
    for t in range(1, months):
        x[t] = 0.9 * x[t - 1] + 0.3 * rng.normal(size=indices)
    return x + np.sin(2.0 * np.pi * np.arange(months) / 44.0)[:, None]


def fake_observations(seed: int = 0) -> data.Observations:
    """Random records with the observed ones' gaps before 1979 and 1981-11."""
    rng = np.random.default_rng(seed)
    core = red_noise(rng, len(MONTHS), 4) * [1.0, 1.0, 7.0, 10.0]
    modes = red_noise(rng, len(MONTHS), 10)
    modes[: int(np.searchsorted(MONTHS, np.datetime64("1979-01", "M")))] = np.nan
    sst = 27.0 + core[:, 0] + 0.05 * rng.normal(size=len(MONTHS))
    sst[: int(np.searchsorted(MONTHS, np.datetime64("1981-11", "M")))] = np.nan
    return data.Observations(MONTHS, core, modes, sst)


class FakeEnso(Enso):
    """The task on given records instead of files."""

    def __init__(self, observations: data.Observations):
        super().__init__(types.SimpleNamespace(id="climate/enso"), file=lambda name: None)
        self.observations = observations
        begin = int(np.flatnonzero(np.isfinite(observations.sst))[0])
        time = observations.months[begin:].astype("datetime64[ns]")
        self.sst = xr.DataArray(observations.sst[begin:], coords={"time": time}, dims="time")


def changed_after(observations: data.Observations, last: str) -> data.Observations:
    """The same records with every datum after `last` replaced by nonsense."""
    late = observations.months > np.datetime64(last, "M")
    rng = np.random.default_rng(99)

    def change(values: np.ndarray) -> np.ndarray:
        return np.where(late if values.ndim == 1 else late[:, None], values + 50.0 * rng.normal(size=values.shape), values)

    return data.Observations(observations.months, change(observations.core), change(observations.modes), change(observations.sst))
