"""Scores on the validation trajectory, and the damping that is fitted on it."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
import numpy as np

from zoo.climate.held_suarez.data import CHANNELS, STEPS_PER_DAY, Trajectories
from zoo.climate.held_suarez.forecast import WeatherNetwork, rollout
from zoo.climate.held_suarez.transforms import AREA, Transforms

DAYS = (1, 3, 5, 7, 10)
HEADLINE = {
    "z500": ("geopotential", 500),
    "t850": ("temperature", 850),
    "u850": ("u_component_of_wind", 850),
}


def validation_scores(
    model: WeatherNetwork,
    transforms: Transforms,
    series: Trajectories,
    *,
    every: int = 8,
    damped: bool = False,
) -> dict[str, float]:
    """RMSE (and ACC of Z500) at the `DAYS` from starts `every` six-hourly times apart, as
    `<field>_rmse_day<d>`."""
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    per_day = 24 // model.config.step_hours
    starts = series.starts(reach=max(DAYS) * STEPS_PER_DAY, every=every)
    path = _paths(model, transforms, series, starts, steps=max(DAYS) * per_day)
    if damped:
        path = transforms.damp(path)
    scores = {}
    for day in DAYS:
        truth = series.fields(starts + day * per_day * lag)
        guess = path[:, day * per_day - 1]
        for name, channel in HEADLINE.items():
            c = CHANNELS.index(channel)
            a, b = (
                guess[..., c] - transforms.climatology[:, c],
                truth[..., c] - transforms.climatology[:, c],
            )
            scores[f"{name}_rmse_day{day}"] = float(np.sqrt((np.square(a - b) * AREA).mean()))
            if name == "z500":
                product = [(AREA * x * y).mean((1, 2)) for x, y in ((a, b), (a, a), (b, b))]
                # A forecast damped to the climatology has no anomaly to correlate: zero, not NaN.
                scores[f"z500_acc_day{day}"] = float(
                    np.mean(product[0] / np.maximum(np.sqrt(product[1] * product[2]), 1e-9))
                )
    return scores


def _paths(
    model: WeatherNetwork,
    transforms: Transforms,
    series: Trajectories,
    starts: np.ndarray,
    *,
    steps: int,
) -> np.ndarray:
    """Forecasts in physical units, [start, step, longitude, latitude, channel]."""
    ratio, size, parts = transforms.increment / transforms.scale, 16, []
    for begin in range(0, len(starts), size):
        chosen = np.resize(starts[begin : begin + size], size)
        states = transforms.normalise(series.fields(chosen))
        path = np.asarray(rollout(model, jnp.asarray(states), ratio=ratio, steps=steps))[
            : len(starts[begin : begin + size])
        ]
        parts.append(transforms.denormalise(path))
    return np.concatenate(parts)


def fit_damping(
    model: WeatherNetwork, transforms: Transforms, series: Trajectories, *, every: int = 4
) -> Transforms:
    """Adds the damping factors: the regression through zero of true on forecast anomalies,
    by step and channel, in [0, 1]."""
    lag = model.config.step_hours * STEPS_PER_DAY // 24
    steps = 240 // model.config.step_hours
    starts = series.starts(reach=steps * lag, every=every)
    path = _paths(model, transforms, series, starts, steps=steps)
    factors = np.empty((steps, len(CHANNELS)), np.float32)
    for k in range(steps):
        guess = path[:, k] - transforms.climatology
        truth = series.fields(starts + (k + 1) * lag) - transforms.climatology
        area = AREA[:, None]
        factors[k] = (guess * truth * area).mean((0, 1, 2)) / (guess * guess * area).mean((0, 1, 2))
    return dataclasses.replace(transforms, damping=np.clip(factors, 0, 1))
