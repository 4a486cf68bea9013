"""What a run gives: a row a predictor, a result a task; and what it says on the way."""

from __future__ import annotations

import dataclasses

import numpy as np

from zoo.cards import Cost, MetricValue, SeedScores, TaskSpec
from zoo.commands.bench.predictor import NamedPredictor


@dataclasses.dataclass
class BenchRow:
    """The scores of one predictor on one task."""

    predictor: NamedPredictor
    record: dict[str, np.ndarray]
    metrics: dict[str, MetricValue]
    wall_seconds: float
    samples: dict[str, np.ndarray] = dataclasses.field(repr=False, default_factory=dict)
    seeds: list[SeedScores] = dataclasses.field(default_factory=list)
    cost: Cost | None = None
    group: str = "-"
    coverage: float = 1.0
    """Share of the examples that the headline score depends on."""
    resumed: bool = False


@dataclasses.dataclass
class TaskResult:
    """All rows of one task, best first by the headline metric; and what could not be run,
    with the reason."""

    spec: TaskSpec
    rows: list[BenchRow] = dataclasses.field(default_factory=list)
    skipped: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    unavailable: list[str] = dataclasses.field(default_factory=list)
    postponed: bool = False
    """Whether the task was left out because only the whole domain was named
    (`TaskSpec.by_name_only`)."""


class BenchEvents:
    """What a run says to its caller; override what you want to show. Each call comes before
    the work it names."""

    def task(self, spec: TaskSpec, n_predictors: int) -> None: ...

    def predictor(self, predictor: NamedPredictor) -> None: ...

    def done(self, row: BenchRow) -> None:
        """Predictions are there; the row's scores may still be in the making."""
