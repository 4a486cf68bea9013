"""The audit of gauges: the same hours in two splits, and how much of the level the mean
explains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from zoo.interfaces.findings import Finding, Report
from zoo.interfaces.task import load_task
from zoo_tides.gauges import Gauge, read_gauge


def audit(train: Gauge, test: Gauge | None = None, *, name: str, datum: float = 0.0) -> Report:
    """The audit of one or two records."""
    findings = [
        Finding(
            "level.mean",
            f"mean level above {datum:g} m",
            float(train.level.mean() - datum),
            "ok",
            "What a forecast without any skill says.",
        )
    ]
    if test is not None:
        shared = int(np.isin(test.time, train.time).sum())
        findings.append(
            Finding(
                "overlap.hours",
                "test hours that train holds, too",
                shared,
                "leak" if shared else "ok",
                "A model may have seen the answer." if shared else "The periods are apart.",
                of=len(test),
            )
        )
    sizes = {"train": len(train)} | ({} if test is None else {"test": len(test)})
    return Report(name, "gauges", sizes, tuple(findings))


def audit_dataset(subset: str | None = None) -> Iterator[Report]:
    """The audit of the shipped record, train against test."""
    task = load_task("tides/harbour")
    test = task.record_of_gauge.between(*task.spec.parameter("test"))
    yield audit(task.training, test, name="tides/harbour")


def audit_files(paths: Sequence[str], *, datum: float = 0.0) -> Report:
    """The audit of a user's own files: one, or train and test.

    Raises:
        ValueError: more than two files.
        zoo_tides.gauges.GaugeError: one is no gauge's.
    """
    if not 1 <= len(paths) <= 2:
        raise ValueError(f"{len(paths)} files; give one, or train and test")
    gauges = [read_gauge(Path(path)) for path in paths]
    return audit(*gauges, name=", ".join(Path(path).name for path in paths), datum=datum)
