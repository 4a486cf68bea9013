"""The best score so far of every task, by the dates of its entries; nothing but the
entries' own files says what was when."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from markupsafe import Markup

from zoo.leaderboard import charts, text
from zoo.leaderboard.board import Row, TaskBoard, badness


@dataclasses.dataclass(frozen=True)
class Record:
    """An entry that was the best of its track when it came."""

    row: Row
    when: datetime
    track: str | None
    before: float | None


def records(task: TaskBoard) -> list[Record]:
    """Entries that were best when they came, oldest first; each track on its own. Entries
    of one moment count together, best first."""
    headline = task.spec.headline
    direction = task.spec.metric_of(headline).direction
    best: dict[str | None, float] = {}
    found = []
    scored = [row for row in task.rows if row.score(headline) is not None]

    def bad(row: Row) -> float:
        return badness(row.value(headline), direction)

    for row in sorted(
        scored, key=lambda row: (text.day(row.entry.provenance.created), bad(row), row.name)
    ):
        track = row.entry.track
        if track not in best or bad(row) < badness(best[track], direction):
            found.append(
                Record(row, text.utc(row.entry.provenance.created), track, best.get(track))
            )
            best[track] = row.value(headline)
    return found


def chart(task: TaskBoard, found: list[Record]) -> Markup | None:
    """Steps of the best score by date, one line a track; None where nothing has been
    improved on yet."""
    if len({record.when.date() for record in found}) < 2:
        return None
    last = max(text.utc(row.entry.provenance.created) for row in task.rows)
    lines = []
    for track in dict.fromkeys(record.track for record in found):
        own = [record for record in found if record.track == track]
        points = [(record.when, record.row.value(task.spec.headline)) for record in own]
        lines.append((track or "best so far", [*points, (last, points[-1][1])]))
    metric = task.spec.metric_of(task.spec.headline)
    return Markup(
        charts.steps(
            metric, text.label(metric, task.spec.headline), lines, name=f"{task.key} history"
        )
    )
