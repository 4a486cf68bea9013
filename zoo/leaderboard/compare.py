"""What the compare page needs: every row's scores on the task's resamples, packed so that a
page opened from disk can pair any two.

A paired interval of two rows is the spread of the differences of their scores over common
resamples. Those of all pairs would be too many numbers, those of all rows are few: each
score is stored as sixteen bits between the row's smallest and largest, so a difference is
right to a hundred-thousandth of the row's own spread, far below the printed digits.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from zoo.leaderboard import ranks, text
from zoo.leaderboard.board import Difference, Row, TaskBoard

if TYPE_CHECKING:
    import numpy as np

BUDGET = 4_000_000
"""Characters of one task's file; above it, only the headline of the best rows is packed."""
STEPS = 65535
MATRIX = 12
"""Rows of the table that is there without JavaScript."""


def rows(task: TaskBoard) -> list[Row]:
    """Rows that can be compared: those with a group letter."""
    return [row for row in task.rows if task.spec.headline in row.samples and row.groups != "-"]


def metrics(task: TaskBoard) -> list[str]:
    """The headline and the short table's other metrics."""
    return list(dict.fromkeys([task.spec.headline, *(column.metric for column in task.spec.table)]))


def script(task: TaskBoard) -> str | None:
    """A script that sets `scizooCompare`: a page on disk may load scripts, but may not
    fetch JSON. None for fewer than two rows."""
    able = rows(task)
    if len(able) < 2:
        return None
    names = metrics(task)
    each = max(len(row.samples[task.spec.headline]) for row in able) * 8 // 3 + 200
    if each * len(names) * len(able) > BUDGET:
        names = names[:1]
        able = able[: max(2, BUDGET // each)]
    places = task.decimals()
    labels = {column.metric: column.label for column in task.spec.table}
    content = {
        "task": task.key,
        "metrics": [
            {
                "name": name,
                "label": labels.get(name, text.label(task.spec.metric_of(name), name)),
                "unit": text.unit(task.spec.metric_of(name)).strip("()"),
                "direction": task.spec.metric_of(name).direction,
                "decimals": places[name],
            }
            for name in names
        ],
        "rows": [_row(row, names) for row in able],
        "left": len(rows(task)) - len(able),
    }
    packed = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    # no title can end a script, wherever it is pasted
    return "window.scizooCompare = " + packed.replace("<", "\\u003c") + ";\n"


def _row(row: Row, names: list[str]) -> dict[str, Any]:
    scores = {}
    for name in names:
        score = row.score(name)
        if score is None or name not in row.samples:
            continue
        low, high, packed = pack(row.samples[name])
        scores[name] = {"v": score.value, "ci": score.ci95, "lo": low, "hi": high, "q": packed}
    return {
        "name": row.name,
        "title": row.entry.title,
        "kind": row.entry.kind,
        "groups": text.groups(row.groups),
        "scores": scores,
    }


def pack(samples: np.ndarray) -> tuple[float, float, str]:
    """(smallest, largest, base64 of little-endian uint16): an undefined resample is the
    largest code, 65535."""
    import numpy as np

    finite = np.isfinite(samples)
    low, high = (
        (float(samples[finite].min()), float(samples[finite].max())) if finite.any() else (0.0, 0.0)
    )
    scaled = (
        np.zeros(len(samples))
        if high == low
        else (np.where(finite, samples, low) - low) / (high - low)
    )
    codes = np.where(finite, np.rint(scaled * (STEPS - 1)), STEPS).astype("<u2")
    return low, high, base64.b64encode(codes.tobytes()).decode("ascii")


@dataclasses.dataclass(frozen=True)
class Matrix:
    """Paired differences of the headline among the best rows: `cells[i][j]` is row i minus
    row j, None on the diagonal."""

    rows: list[Row]
    cells: list[list[Difference | None]]


def matrix(task: TaskBoard) -> Matrix | None:
    """The table for readers without JavaScript."""
    able = rows(task)
    if len(able) < 2:
        return None
    # all of whose pairs are known
    able = able[: MATRIX if len(able) <= ranks.MANY else ranks.FEWER + 1]
    found = {
        row.entry.id: {difference.other: difference for difference in row.differences}
        for row in able
    }
    return Matrix(
        able, [[found[one.entry.id].get(other.entry.id) for other in able] for one in able]
    )
