"""What tests of the search for anomalies share: toy events."""

from __future__ import annotations

from pathlib import Path

import anomaly_toys as toys
import pytest

from zoo import registry
from zoo.particle_physics.anomaly import data as dijets
from zoo.particle_physics.anomaly import train as training
from zoo.particle_physics.anomaly.data import SIGNALS
from zoo.particle_physics.anomaly.task import Anomaly


@pytest.fixture(scope="module")
def task() -> Anomaly:
    task = Anomaly(registry.task("particle_physics/anomaly"), file=lambda name: Path(name))
    parts = [
        toys.dijets("qcd", 60_000, seed=5),
        *(toys.dijets(name, 2000, seed=5) for name in dijets.SIGNALS),
    ]
    events = dijets.concatenate(parts)
    task.events = events[(events.process == 0) | events.in_signal_region]
    return task


@pytest.fixture(scope="module")
def events() -> training.TrainingEvents:
    return training.TrainingEvents(
        toys.dijets("qcd", 4000, seed=1), tuple(toys.dijets(name, 600, seed=1) for name in SIGNALS)
    )
