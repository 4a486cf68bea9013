"""Draws `zoo.interfaces.figures` into pages, following the theme: lines, histograms and
images as inline SVG, grids as tables, sequences as text.

`lines_on` and `histograms_on` draw on any matplotlib axes; `zoo.commands.figures` uses them
for files.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from zoo.interfaces.figures import (
    Figure,
    Grid,
    Histograms,
    Image,
    Images,
    Letters,
    Lines,
    Sequences,
)
from zoo.leaderboard import charts
from zoo.leaderboard.board import Row, TaskBoard

Named = Sequence[tuple[str, Lines]]
"""Rows' names and their lines, all of one figure name."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """One figure as its template needs it: `svg` (lines, histograms), `grid` with its
    `row`, or `panels` (images with `levels`)."""

    figure: Figure
    svg: Markup | None = None
    legend: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    row: Row | None = None
    panels: list[tuple[str, Markup]] = dataclasses.field(default_factory=list)
    levels: list[tuple[float, float]] = dataclasses.field(default_factory=list)


def of_task(task: TaskBoard) -> list[Picture]:
    """Every figure of a task's rows: lines of several rows together, of other kinds the
    best row's alone."""
    rows = [row for row in task.rows if row.name in task.figures]
    names = dict.fromkeys(figure.name for row in rows for figure in task.figures[row.name])
    found = []
    for name in names:
        given = [
            (row, figure)
            for row in rows
            for figure in task.figures[row.name]
            if figure.name == name
        ]
        row, best = given[0]
        if isinstance(best, Lines):
            named = [
                (row.entry.title, figure) for row, figure in given if isinstance(figure, Lines)
            ]
            legend = list(enumerate(title for title, _ in named)) + (
                [(-1, best.reference_label)] if best.reference_x else []
            )
            found.append(
                Picture(best, Markup(lines(named, name=f"{task.key} figure {name}")), legend)
            )
        else:
            found.append(dataclasses.replace(_alone(best, f"{task.key} figure {name}"), row=row))
    return found


def of_dataset(identifier: str, figures: Sequence[Figure]) -> list[Picture]:
    """Every figure of a data set."""
    found = []
    for figure in figures:
        name = f"{identifier} {figure.name}"
        if isinstance(figure, Lines):
            legend = [(0, figure.title), (-1, figure.reference_label)] if figure.reference_x else []
            found.append(
                Picture(figure, Markup(lines([(figure.title, figure)], name=name)), legend)
            )
        else:
            found.append(_alone(figure, name))
    return found


def _alone(figure: Grid | Histograms | Images | Sequences, name: str) -> Picture:
    if isinstance(figure, Histograms):
        legend = [(number, one.label) for number, one in enumerate(figure.series)]
        return Picture(figure, Markup(histograms(figure, name=name)), legend)
    if isinstance(figure, Images):
        count = len(figure.levels)
        panels = [(panel.label, _image(panel, figure)) for panel in figure.panels]
        return Picture(
            figure,
            panels=panels,
            levels=[(level, _opacity(i + 1, count)) for i, level in enumerate(figure.levels)],
        )
    if isinstance(figure, Sequences):
        return Picture(figure, panels=[(row.label, _letters(row)) for row in figure.rows])
    return Picture(figure)


@charts.styled
def lines(named: Named, *, name: str) -> str:
    """Several rows' lines as inline SVG; names and what marks say are tooltips."""
    figure, axes = charts.blank()
    lines_on(axes, named)
    first = named[0][1]
    said = "; ".join(
        f"{title}: {', '.join(mark.text for mark in one.marks) or 'no marks'}"
        for title, one in named
    )
    svg = charts.inline_svg(
        figure,
        name=name,
        title=first.title,
        desc=f"{first.y_label} against {first.x_label}. {said}.",
    )
    texts = {f"line {i}": title for i, (title, _) in enumerate(named)}
    texts |= {
        f"mark {i} {j}": f"{title}, {mark.text}"
        for i, (title, one) in enumerate(named)
        for j, mark in enumerate(one.marks)
    }
    return re.sub(
        r'<g id="(line \d+|mark \d+ \d+)">',
        lambda match: f"<g><title>{html.escape(texts[match.group(1)])}</title>",
        svg,
    )


@charts.styled
def histograms(drawn: Histograms, *, name: str) -> str:
    """Histograms as inline SVG."""
    figure, axes = charts.blank()
    histograms_on(axes, drawn)
    peaks = [f"{one.label} most in {_most(drawn, one.values)}" for one in drawn.series]
    desc = f"{drawn.y_label} by {drawn.x_label}: {'; '.join(peaks)}."
    svg = charts.inline_svg(figure, name=name, title=drawn.title, desc=desc)
    return re.sub(
        r'<g id="step (\d+)">',
        lambda match: f"<g><title>{html.escape(drawn.series[int(match.group(1))].label)}</title>",
        svg,
    )


def lines_on(axes: Any, named: Named) -> None:
    """Draws rows' lines, bands, marks and the reference on matplotlib axes; marks of the
    first row are written out."""
    first = named[0][1]
    if first.reference_x:
        axes.plot(
            first.reference_x,
            first.reference_y,
            color="#6b7280",
            linestyle=(0, (1, 2.2)),
            linewidth=1.4,
        )
    for number, (_, one) in enumerate(named):
        look = charts.style(number)
        colour, dash = charts.COLOURS[look.colour], charts.dashes(number)
        if one.low:
            axes.fill_between(one.x, one.low, one.high, color=colour, alpha=0.1, linewidth=0)
        (line,) = axes.plot(one.x, one.y, color=colour, linestyle=dash, linewidth=1.5)
        line.set_gid(f"line {number}")
        for position, mark in enumerate(one.marks):
            (point,) = axes.plot(
                [mark.x],
                [mark.y],
                color=colour,
                marker=look.marker,
                markersize=4.6,
                markeredgewidth=0.9,
            )
            point.set_gid(f"mark {number} {position}")
            if number == 0 and mark.short:
                axes.annotate(
                    mark.short,
                    (mark.x, mark.y),
                    xytext=(4, 5),
                    textcoords="offset points",
                    fontsize=7.5,
                    color=charts.INK,
                )
    if first.log_y:
        axes.set_yscale("log")
        values = [y for _, one in named for y in [*one.y, *one.reference_y]]
        axes.set_ylim(min(values) / 1.7, max(values) * 1.9)  # bands may reach beyond
        _plain_decades(axes)
    if first.x_ticks:
        axes.set_xticks([tick.at for tick in first.x_ticks], [tick.label for tick in first.x_ticks])
    axes.set_xlabel(first.x_label)
    axes.set_ylabel(first.y_label)


def histograms_on(axes: Any, drawn: Histograms) -> None:
    """Draws histograms as steps on matplotlib axes."""
    floor = (
        min((value for one in drawn.series for value in one.values if value > 0), default=0.0) / 2
        if drawn.log_y
        else 0.0
    )
    for number, one in enumerate(drawn.series):
        look = charts.style(number)
        xs = [edge for edge in drawn.edges for _ in range(2)]
        ys = [floor, *(max(value, floor) for value in one.values for _ in range(2)), floor]
        (line,) = axes.plot(
            xs,
            ys,
            color=charts.COLOURS[look.colour],
            linestyle=charts.dashes(number),
            linewidth=1.3,
        )
        line.set_gid(f"step {number}")
    axes.set_xlim(drawn.edges[0], drawn.edges[-1])
    if drawn.log_y:
        axes.set_yscale("log")
        axes.set_ylim(floor, 1.9 * max(value for one in drawn.series for value in one.values))
        _plain_decades(axes)
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(drawn.x_label)
    axes.set_ylabel(drawn.y_label)


def _plain_decades(axes: Any) -> None:
    """1, 10, 100 instead of powers where they are short; minor ticks (2, 5) are named where
    less than two decades are drawn."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axes.get_ylim()
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
    axes.yaxis.set_minor_formatter(plain if high < 100 * low else NullFormatter())


def _image(panel: Image, drawn: Images) -> Markup:
    """One image: a path per level, each a set of runs of equal cells; the deeper the
    colour, the higher the level."""
    levels = len(drawn.levels)
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(panel.rows):
        for run in re.finditer(r"(\d)\1*", row):
            paths.setdefault(int(run.group(1)), []).append(
                f"M{run.start()} {y}h{len(run.group())}v1h-{len(run.group())}z"
            )
    width, height = len(panel.rows[0]), len(panel.rows)
    cells = "".join(
        f'<path fill-opacity="{_opacity(level, levels)}" d="{"".join(paths[level])}"/>'
        for level in sorted(paths)
        if level
    )
    label = html.escape(panel.label)
    if not (drawn.x_ticks or drawn.y_ticks):
        head = (
            f'<svg class="jet" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" '
            'shape-rendering="crispEdges">'
        )
        return Markup(f"{head}<title>{label}</title>{cells}</svg>")
    left, right, bottom, top = drawn.borders
    named = []
    for tick in drawn.x_ticks:
        x = round((tick.at - left) / (right - left) * width, 2)
        named.append(
            f'<path d="M{x} {height}v.6"/><text x="{x}" y="{height + 2.1}" '
            f'text-anchor="middle">{html.escape(tick.label)}</text>'
        )
    for tick in drawn.y_ticks:
        down = round((top - tick.at) / (top - bottom) * height, 2)
        named.append(
            f'<path d="M0 {down}h-.6"/><text x="-.9" y="{round(down + 0.5, 2)}" '
            f'text-anchor="end">{html.escape(tick.label)}</text>'
        )
    head = (
        f'<svg class="map" role="img" aria-label="{label}" viewBox="-5 -.8 {width + 7} '
        f'{height + 3.5}">'
    )
    frame = f'<path class="frame" d="M0 0h{width}v{height}h-{width}z"/>'
    return Markup(
        f'{head}<title>{label}</title><g shape-rendering="crispEdges">{cells}</g><g '
        f'class="ticks">{frame}{"".join(named)}</g></svg>'
    )


def _letters(row: Letters) -> Markup:
    """One sequence as text; its stretches are `<ruby>`, their names above them."""
    parts, done = [], 0
    for span in row.spans:
        parts.append(row.letters[done : span.start])
        look = "site weak" if span.weak else "site"
        inside, name = row.letters[span.start : span.stop], html.escape(span.name)
        parts.append(f'<ruby class="{look}">{inside}<rp> (</rp><rt>{name}</rt><rp>) </rp></ruby>')
        done = span.stop
    return Markup("".join([*parts, row.letters[done:]]))


def _opacity(level: int, levels: int) -> float:
    return round(level / levels, 3)


def _most(drawn: Histograms, values: Sequence[float]) -> str:
    place = max(range(len(values)), key=values.__getitem__)
    return f"{drawn.edges[place]:g} to {drawn.edges[place + 1]:g}"
