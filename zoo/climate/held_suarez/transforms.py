"""What belongs to a weather model's weights beside the weights: means, scales, climatology and
damping, from the training years only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from zoo.climate.data.grid import area_weights
from zoo.climate.held_suarez.data import CHANNELS, REFLECTION, STEPS_PER_DAY
from zoo.climate.models.layers.spherical import GRID

AREA = area_weights(GRID.latitude).astype(np.float32)
"""Area weights of the grid's latitudes, mean one."""


@runtime_checkable
class Fields(Protocol):
    """States at times that are numbered: `zoo.climate.held_suarez.data.Trajectories`, or a
    user's own."""

    def starts(self, *, reach: int) -> np.ndarray:
        """Numbers of the times after which at least `reach` more follow."""
        ...

    def fields(self, times: np.ndarray) -> np.ndarray:
        """`[time, longitude, latitude, channel]` in physical units."""
        ...


@dataclasses.dataclass(frozen=True)
class Transforms:
    """What belongs to the weights beside the weights, from the training years only.

    Attributes:
        mean: area mean of each channel, [channel], in the channel's unit.
        scale: standard deviation of each channel about that mean over globe and time.
        increment: r.m.s. change of each channel over one step.
        climatology: zonal and time mean, symmetric about the equator, [latitude, channel].
        anomaly: standard deviation of each channel about the climatology.
        damping: factor of the anomaly that minimises the squared error, fitted on the
            validation years, [lead in steps, channel]; all ones where nothing was fitted.
    """

    mean: np.ndarray
    scale: np.ndarray
    increment: np.ndarray
    climatology: np.ndarray
    anomaly: np.ndarray
    damping: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """By name, as `zoo.pretrained.weights.save` takes them."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Transforms:
        """From the arrays that `zoo.pretrained.weights.load` returns."""
        missing = [f.name for f in dataclasses.fields(cls) if f.name not in arrays]
        if missing:
            raise ValueError(
                f"the weights file lacks transforms.{missing[0]}; it holds "
                f"{', '.join(sorted(arrays)) or 'none'}"
            )
        return cls(
            **{f.name: np.asarray(arrays[f.name], np.float32) for f in dataclasses.fields(cls)}
        )

    def normalise(self, state: Any) -> Any:
        """Physical units to units of the standard deviation."""
        return (state - self.mean) / self.scale

    def denormalise(self, state: Any) -> Any:
        """The inverse of `normalise`."""
        return state * self.scale + self.mean

    def damp(self, forecast: np.ndarray) -> np.ndarray:
        """Shrinks anomalies [init_time, step, longitude, latitude, channel] by lead; steps
        beyond the fit get its last factor."""
        lead = np.minimum(np.arange(forecast.shape[1]), len(self.damping) - 1)
        return (
            self.climatology
            + (forecast - self.climatology) * self.damping[lead][None, :, None, None]
        )


def fit_transforms(series: Fields, *, step_hours: int = 24, sample: int = 1500) -> Transforms:
    """Means and scales of the training series, from some `sample` of its times."""
    lag = step_hours * STEPS_PER_DAY // 24
    starts = series.starts(reach=lag)
    times = starts[:: max(1, len(starts) // sample)]
    fields = series.fields(times)
    later = series.fields(times + lag)
    zonal = fields.mean((0, 1), dtype=np.float64)
    climatology = (zonal + zonal[::-1] * REFLECTION) / 2
    weight = AREA[:, None].astype(np.float64)
    mean = (climatology * weight).mean(0)

    def rms(values: np.ndarray) -> np.ndarray:
        return np.sqrt(
            (np.square(values, dtype=np.float32).mean((0, 1), dtype=np.float64) * weight).mean(0)
        )

    arrays = {
        "mean": mean,
        "scale": rms(fields - mean.astype(np.float32)),
        "increment": rms(later - fields),
        "climatology": climatology,
        "anomaly": rms(fields - climatology.astype(np.float32)),
        "damping": np.ones((1, len(CHANNELS))),
    }
    return Transforms.of(arrays)
