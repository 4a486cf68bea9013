"""Which rows each chart of a task shows, and the legend that goes with it.

`Markup` here wraps drawings only, in which `zoo.leaderboard.charts` has escaped every name.
"""

from __future__ import annotations

import dataclasses
import math

from markupsafe import Markup

from zoo.cards import MetricSpec
from zoo.leaderboard import charts, text
from zoo.leaderboard.board import Row, TaskBoard, badness

FIRST = 5
"""Series that a chart shows before the reader chooses."""
COSTS = 100
"""Rows that the cost chart shows at most, besides those that no faster row beats."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SHAPES = {
    "o": "M10 4a3 3 0 1 0 0 6a3 3 0 1 0 0-6z",
    "s": "M7.2 4.2h5.6v5.6h-5.6z",
    "^": "M10 3.6l3.3 6h-6.6z",
    "v": "M10 10.4l3.3-6h-6.6z",
    "D": "M10 3.4l3.6 3.6-3.6 3.6-3.6-3.6z",
    "P": "M9 4h2v2h2v2h-2v2h-2v-2h-2v-2h2z",
    "X": "M7 5l1-1 2 2 2-2 1 1-2 2 2 2-1 1-2-2-2 2-1-1 2-2z",
    "<": "M6.6 7l6-3.3v6.6z",
    ">": "M13.4 7l-6-3.3v6.6z",
}


@dataclasses.dataclass(frozen=True)
class Line:
    """One series with what its table row needs."""

    key: str
    name: str
    number: int
    shown: bool
    row: Row | None
    values: tuple[float | None, ...]


@dataclasses.dataclass(frozen=True)
class Curve:
    """A chart of one metric family and its lines, in the order of the table."""

    svg: Markup
    lines: list[Line]

    @property
    def legend(self) -> list[Line]:
        """The lines shown first."""
        return [line for line in self.lines if line.shown]


def family(task: TaskBoard, metric: MetricSpec) -> Curve | None:
    """The chart of one metric family by its axis; None where no row has any of its values."""
    rows = [row for row in task.rows if any(name in row.entry.metrics for name in metric.names)]
    chosen = first(rows)
    lines, series = [], []
    numbers = {
        id(row): number
        for number, row in enumerate([*chosen, *(row for row in rows if row not in chosen)])
    }
    for position, row in enumerate(rows):
        scores = [row.score(name) for name in metric.names]
        values = tuple(score.value if score else None for score in scores)
        line = Line(f"r{position}", row.entry.title, numbers[id(row)], row in chosen, row, values)
        lines.append(line)
        series.append(
            charts.ChartSeries(
                line.key,
                line.name,
                values,
                tuple(score.ci95 if score else None for score in scores),
                line.shown,
            )
        )
    for position, peer in enumerate(task.peers.row if task.peers else []):
        values = tuple(peer.metrics.get(name) for name in metric.names)
        if any(value is not None for value in values):
            line = Line(f"p{position}", f"{peer.name} (published)", -1, False, None, values)
            lines.append(line)
            series.append(charts.ChartSeries(line.key, line.name, values, (), False, True))
    if not series:
        return None
    ordered = sorted(
        zip(lines, series, strict=True), key=lambda pair: (pair[0].number < 0, pair[0].number)
    )
    svg = charts.by_lead(metric, [one for _, one in ordered], name=f"{task.key} {metric.name}")
    drawn = {line.key for line, _ in ordered[: charts.DRAWN]}
    return Curve(
        Markup(svg),
        [line if line.key in drawn else dataclasses.replace(line, key="") for line in lines],
    )


def cost(task: TaskBoard) -> Markup | None:
    """The cost chart; forecast centres are left out, since what their forecasts cost is not
    measured here."""
    headline = task.spec.headline
    metric = task.spec.metric_of(headline)
    rows = [
        row
        for row in task.rows
        if row.entry.kind not in text.STORED
        and row.score(headline) is not None
        and row.entry.cost.latency_ms_p50 > 0
    ]
    if len(rows) < 2:
        return None
    front = _front(rows, headline, metric.direction)
    kept = {row.name for row in [*rows[:COSTS], *front]}  # rows come best first
    points = [
        charts.Point(
            row.entry.title,
            row.entry.kind,
            row.entry.cost.latency_ms_p50,
            score.value,
            score.ci95,
            row in front,
        )
        for row in rows
        if row.name in kept and (score := row.score(headline))
    ]
    name = next(
        (column.label for column in task.spec.table if column.metric == headline),
        text.label(metric, headline),
    )
    return Markup(charts.cost(metric, name, points, name=f"{task.key} cost"))


@dataclasses.dataclass(frozen=True)
class Heat:
    """The headline family of one row by month of issue: cells of (value or None, shade 0..1)."""

    row: Row
    columns: list[str]
    cells: list[tuple[str, list[tuple[float | None, float]]]]


def heats(task: TaskBoard) -> list[Heat]:
    """A shaded table for each row that has one; all on one scale."""
    metric = task.spec.metric_of(task.spec.headline)
    columns = [f"{position:g}" for position in metric.positions] or [
        text.point(metric, name) for name in metric.names
    ]
    values = [
        value
        for table in task.start_months.values()
        for line in table
        for value in line
        if math.isfinite(value)
    ]
    low, span = (min(values), max(values) - min(values)) if values else (0.0, 1.0)
    return [
        Heat(
            row,
            columns,
            [
                (month, [_shade(value, low, span) for value in line])
                for month, line in zip(MONTHS, task.start_months[row.name], strict=True)
            ],
        )
        for row in task.rows
        if row.name in task.start_months
    ]


def _shade(value: float, low: float, span: float) -> tuple[float | None, float]:
    return (value, round((value - low) / (span or 1.0), 3)) if math.isfinite(value) else (None, 0.0)


def swatch(number: int, *, marker: bool = True) -> Markup:
    """A short piece of a series' line with its marker (if it has one), for legends and tables."""
    look = charts.style(max(number, 0), published=number < 0)
    colour = "var(--muted)" if look.colour < 0 else f"var(--s{look.colour})"
    return Markup(
        '<svg class="swatch" viewBox="0 0 20 14" aria-hidden="true"><path d="M0 7h20" '
        'style="stroke:{0};stroke-dasharray:{1}"/>'
        '<path d="{2}" style="fill:{0};stroke:none"/></svg>'
    ).format(colour, look.dash or "none", SHAPES[look.marker] if marker else "")


def first(rows: list[Row], count: int = FIRST) -> list[Row]:
    """The `count` rows a chart begins with: the best of every kind and track, so that a
    baseline is always in sight, then the best few.

    Rows that could be compared with the rest come before those that could not.
    """
    ordered = sorted(rows, key=lambda row: row.groups == "-")
    chosen: list[Row] = []
    for attribute in ("kind", "track"):
        seen: set[str | None] = set()
        for row in ordered:
            value = getattr(row.entry, attribute)
            if value not in seen and len(chosen) < count:
                seen.add(value)
                chosen += [row] if row not in chosen else []
    chosen += [row for row in ordered if row not in chosen][: max(0, count - len(chosen))]
    return [row for row in rows if row in chosen]


def _front(rows: list[Row], headline: str, direction: str) -> list[Row]:
    """Rows that no faster row equals or beats."""
    front: list[Row] = []
    best = float("inf")
    for row in sorted(rows, key=lambda row: (row.entry.cost.latency_ms_p50, row.name)):
        bad = badness(row.value(headline), direction)
        if bad < best:
            front.append(row)
            best = bad
    return front
