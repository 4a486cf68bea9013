"""The pretrained network as a predictor, and behind `zoo predict` for a user's own gauge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from zoo.cards import ModelCard
from zoo_tides.gauges import GaugeError, read_gauge
from zoo_tides.harbour.task import LEADS, LevelRequest


class SurgeForecast:
    """Levels of the next 24 hours.

    Args:
        card: the model's.
        paths: its weight files; the first is used.
    """

    input_form = "LevelRequest: past levels float [example, 72] in m, hour by hour"
    output_form = "levels float64 [example, 24] in m, 1 to 24 hours ahead"

    def __init__(self, card: ModelCard, paths: Sequence[Path]):
        from zoo.pretrained.model import blank
        from zoo.pretrained.weights import load, restore

        parameters, transforms, _ = load(paths[0])
        self.model = restore(blank(card), parameters)
        self.mean, self.scale = (np.asarray(transforms[key]).item() for key in ("mean", "scale"))
        self.call = jax.jit(self.model)

    def __call__(self, request: LevelRequest) -> np.ndarray:
        window = self.model.config.window
        if request.past.shape[1] < window:
            raise ValueError(f"{request.past.shape[1]} hours are known; the model sees {window}")
        past = ((request.past[:, -window:] - self.mean) / self.scale).astype(np.float32)
        return np.asarray(self.call(past), np.float64) * self.scale + self.mean

    def flops_per_example(self) -> float | None:
        from zoo.scoring import cost

        return cost.flops(self.call, np.zeros((1, self.model.config.window), np.float32))

    def example_output(self, seed: int) -> np.ndarray:
        past = np.random.default_rng(seed).normal(0.0, 1.0, (2, self.model.config.window))
        return self(LevelRequest(np.zeros(2, "datetime64[h]"), past)).ravel()


def predict_file(model: Any, source: Path, target: Path, *, hours: int = LEADS) -> None:
    """The levels of the next hours after a user's record, as the same kind of CSV.

    Raises:
        GaugeError: the source is no gauge's file, or too short.
        ValueError: `hours` is not 1 to 24, or the target's name does not end in `.csv`.
    """
    from zoo_tides.gauges import Gauge, write_gauge

    if not 1 <= hours <= LEADS:
        raise ValueError(f"--hours {hours}: 1 to {LEADS} can be forecast")
    if target.suffix != ".csv":
        raise ValueError(f"{target}: levels are written to .csv")
    gauge, window = read_gauge(source), model.predict.model.config.window
    if len(gauge) < window:
        raise GaugeError(f"{source} holds {len(gauge)} hours; the model sees {window}")
    request = LevelRequest(gauge.time[-1:], gauge.level[None, -window:])
    levels = model(request)[0, :hours]
    write_gauge(target, Gauge(gauge.time[-1] + np.arange(1, hours + 1), levels))
