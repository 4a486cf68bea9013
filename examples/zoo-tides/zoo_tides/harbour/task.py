"""`tides/harbour`: from the last days of a gauge to its next 24 hours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property

import numpy as np

from zoo.interfaces.task import Arrays, Examples, Task
from zoo_tides.gauges import Gauge, read_gauge
from zoo_tides.harbour.metrics import rmse

LEADS = 24


@dataclasses.dataclass(frozen=True)
class LevelRequest:
    """What a predictor is called with.

    Attributes:
        time: `datetime64[h]` `[example]`, the last hour that is known.
        past: metres, `[example, window]`, up to and with that hour.
    """

    time: np.ndarray
    past: np.ndarray


def requests(gauge: Gauge, ends: np.ndarray, window: int) -> LevelRequest:
    """The request at each index `ends` of a record."""
    back = ends[:, None] + np.arange(1 - window, 1)
    return LevelRequest(gauge.time[ends], gauge.level[back])


class Harbour(Task):
    """Forecasts of the level, 1 to 24 hours ahead, float `[example, 24]` in metres."""

    @cached_property
    def record_of_gauge(self) -> Gauge:
        """The whole record."""
        return read_gauge(self.file("harbour.tide.csv"))

    @cached_property
    def training(self) -> Gauge:
        """The part that may be learned from."""
        return self.record_of_gauge.between(*self.spec.parameter("train"))

    def examples(self) -> Examples:
        gauge, window = self.record_of_gauge, self.spec.parameter("window")
        first, last = (np.datetime64(each, "h") for each in self.spec.parameter("test"))
        starts = np.flatnonzero((gauge.time >= first) & (gauge.time <= last))
        ends = starts[starts < len(gauge) - LEADS][:: self.spec.parameter("every")]
        ahead = ends[:, None] + np.arange(1, LEADS + 1)
        names = tuple(str(gauge.time[end]) for end in ends)
        return Examples(names, requests(gauge, ends, window), gauge.level[ahead])

    def record(self, predictions: np.ndarray, examples: Examples) -> Arrays:
        if np.shape(predictions) != examples.targets.shape:
            raise ValueError(
                f"forecasts have shape {np.shape(predictions)}, expected {examples.targets.shape}"
            )
        return {"error": (predictions - examples.targets).astype(np.float32)}

    def statistics(self, record: Mapping[str, np.ndarray]) -> Arrays:
        return {"squared_error": record["error"].astype(np.float64) ** 2}

    def values(self, means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        scores = rmse(means["squared_error"])
        return {f"rmse.h{lead}": scores[..., lead - 1] for lead in (1, 6, 12, 24)}
