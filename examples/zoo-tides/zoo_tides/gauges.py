"""Hourly water levels of a gauge: a CSV of `time,level` (UTC, metres) in, arrays out."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np

HEADER = ("time", "level")


class GaugeError(ValueError):
    """A file is no gauge's; names the file, the row and what would be right."""


@dataclasses.dataclass(frozen=True)
class Gauge:
    """An hourly record without gaps.

    Attributes:
        time: `datetime64[h]` `[hour]`, one after another.
        level: metres, float64 `[hour]`.
    """

    time: np.ndarray
    level: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def between(self, first: str, last: str) -> Gauge:
        """The hours from `first` to `last`, both included."""
        inside = (self.time >= np.datetime64(first, "h")) & (self.time <= np.datetime64(last, "h"))
        return Gauge(self.time[inside], self.level[inside])


def read_gauge(path: Path) -> Gauge:
    """The record in a CSV file.

    Raises:
        FileNotFoundError: there is no such file.
        GaugeError: another header, a level that is no finite number, or hours that do not
            follow one another.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or tuple(rows[0]) != HEADER:
        raise GaugeError(f"{path} starts with {rows[:1]}; a gauge's file starts with time,level")
    try:
        time = np.array([row[0] for row in rows[1:]], "datetime64[h]")
        level = np.array([float(row[1]) for row in rows[1:]])
    except (ValueError, IndexError) as error:
        raise GaugeError(f"{path}: {error}; rows are like 2020-01-01T05,1.234") from error
    if not np.isfinite(level).all():
        row = int(np.argmin(np.isfinite(level)))
        raise GaugeError(f"{path}: the level at {time[row]} is {level[row]}")
    steps = np.diff(time).astype(int)
    if (steps != 1).any():
        row = int(np.argmax(steps != 1))
        raise GaugeError(f"{path}: after {time[row]} comes {time[row + 1]}; one row an hour")
    return Gauge(time, level)


def write_gauge(path: Path, gauge: Gauge) -> None:
    """Writes a record to the millimetre."""
    from zoo import files

    rows = [f"{t},{level:.3f}" for t, level in zip(gauge.time, gauge.level, strict=True)]
    files.write_text(path, "\n".join([",".join(HEADER), *rows]) + "\n")
