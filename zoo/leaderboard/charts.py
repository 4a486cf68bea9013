"""The board's charts as inline SVG, drawn by matplotlib: byte-identical when rebuilt, and
following the page's theme.

Colours are written as CSS variables (`var(--s0, ...)`), so one drawing serves light and
dark; text stays text. Series differ by colour *and* marker *and* dash. Every series of a
lead chart is in the drawing; those beyond the best few are hidden until the reader ticks
them in the table below (without JavaScript the table itself has every number).
"""

from __future__ import annotations

import dataclasses
import functools
import html
import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zoo.cards import MetricSpec
from zoo.leaderboard.text import ARROWS, DIRECTIONS, along, titled

if TYPE_CHECKING:
    from datetime import datetime

    from matplotlib.figure import Figure

INK, FAINT, PAPER = "#1b1f24", "#c9ced6", "#fdfdfe"
COLOURS = ("#0b62a8", "#c14f00", "#00785a", "#a8397a", "#7a6000", "#5b4bc4", "#0f7f8c", "#8a4b2a")
"""Light-theme colours, from Okabe & Ito's set, darkened to 3:1 on white; site.css holds the
dark ones as --s0 ... --s7."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES = ("solid", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (6, 1.5, 1.4, 1.5)))
KIND_STYLES = {
    "model": ("o", 0),
    "baseline": ("s", 4),
    "solver": ("D", 2),
    "forecast_centre": ("^", 1),
}
SIZE = (4.8, 3.1)
LONGEST = 28
"""Characters of a name written beside its point; the tooltip and the table have it whole."""
DRAWN = 40
"""Series in one drawing at most; the table has all."""


@dataclasses.dataclass(frozen=True)
class ChartSeries:
    """One line of a lead chart: `key` ties it to its table row; a None is a gap in the line."""

    key: str
    name: str
    values: tuple[float | None, ...]
    bounds: tuple[tuple[float, float] | None, ...] = ()
    shown: bool = False
    published: bool = False


@dataclasses.dataclass(frozen=True)
class Style:
    """How a series is drawn, for the legend."""

    colour: int
    marker: str
    dash: str


@dataclasses.dataclass(frozen=True)
class Point:
    """One row of the cost chart."""

    name: str
    kind: str
    cost: float
    value: float
    bounds: tuple[float, float] | None
    labelled: bool


def style(number: int, *, published: bool = False) -> Style:
    """The look of the n-th series; the first eight differ in colour, the first 32 in colour
    or dash, the first 72 in colour or marker."""
    dash = ("", "5 1.6", "1.4 1.4", "6 1.5 1.4 1.5")[DASHES.index(dashes(number))]
    return (
        Style(-1, "o", "1 2.2")
        if published
        else Style(number % len(COLOURS), MARKERS[number % len(MARKERS)], dash)
    )


def dashes(number: int) -> Any:
    """The n-th series' dashes for matplotlib; where colours begin again, they are other ones."""
    return DASHES[(number + number // len(COLOURS)) % len(DASHES)]


def styled(draw: Callable[..., str]) -> Callable[..., str]:
    """Draws under the board's own settings, whatever the caller's matplotlib is set to."""

    @functools.wraps(draw)
    def styled(*args: Any, name: str, **options: Any) -> str:
        import matplotlib as mpl

        with mpl.rc_context(settings(name)):
            return draw(*args, name=name, **options)

    return styled


@styled
def by_lead(metric: MetricSpec, series: Sequence[ChartSeries], *, name: str) -> str:
    """The chart of one metric family against its axis: lines with 95 % bands."""
    figure, axes = blank()
    positions = metric.positions
    values = [value for line in series for value in line.values if value is not None]
    for number, line in list(enumerate(series))[:DRAWN]:
        look = style(number, published=line.published)
        colour = FAINT if look.colour < 0 else COLOURS[look.colour]
        given = [
            (x, y, line.bounds[i] if line.bounds else None)
            for i, (x, y) in enumerate(zip(positions, line.values, strict=True))
            if y is not None
        ]
        banded = [(x, *bounds) for x, _, bounds in given if bounds is not None]
        if len(banded) > 1:
            band = axes.fill_between(
                *zip(*banded, strict=True), color=colour, alpha=0.11, linewidth=0
            )
            band.set_gid(f"series {line.key} band")
            if line.shown:
                values += [bound for _, low, high in banded for bound in (low, high)]
        ys = [float("nan") if y is None else y for y in line.values]
        (drawn,) = axes.plot(
            positions,
            ys,
            color="#6b7280" if line.published else colour,
            linestyle=(0, (1, 2.2)) if line.published else dashes(number),
            linewidth=1.5,
            marker=look.marker,
            markersize=4.2,
            markerfacecolor=PAPER if line.published else colour,
            markeredgewidth=0.9,
        )
        drawn.set_gid(f"series {line.key} line")
    if values:
        axes.set_ylim(*_limits(values))
    axes.set_xticks(positions)
    axes.set_xlabel(metric.axis or "")
    axes.set_ylabel(_short(metric.label, metric))
    first = ", ".join(line.name for line in series if line.shown)
    title = f"{metric.label} by {along(metric)}"
    desc = (
        f"{title}, {DIRECTIONS[metric.direction]}. Shown first: {first}. Bands are 95 % "
        "intervals. The table below has every number."
    )
    svg = inline_svg(figure, name=name, title=title, desc=desc)
    titles = {line.key: line.name for line in series}
    hidden = {line.key for line in series if not line.shown}

    def group(match: re.Match) -> str:
        key = match.group(1)
        display = ' display="none"' if key in hidden else ""
        return (
            '<g class="series" '
            f'data-series="{key}"{display}><title>{html.escape(titles[key])}</title>'
        )

    return re.sub(r'<g id="series (\w+) \w+">', group, svg)


@styled
def cost(metric: MetricSpec, metric_label: str, points: Sequence[Point], *, name: str) -> str:
    """The headline score against latency (logarithmic): what a better score costs."""
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = blank()
    for number, point in enumerate(points):
        marker, colour = KIND_STYLES.get(point.kind, ("o", 0))
        low, high = point.bounds or (point.value, point.value)
        bar = axes.errorbar(
            [point.cost],
            [point.value],
            yerr=[[point.value - low], [high - point.value]],
            fmt=marker,
            color=COLOURS[colour],
            markersize=5.5,
            linewidth=1,
            markerfacecolor=COLOURS[colour] if point.kind == "model" else PAPER,
            markeredgewidth=1.3,
        )
        bar.lines[0].set_gid(f"point {number}")
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.1)
    # one or two decades: their 2 and 5 are named too
    few = axes.get_xlim()[1] < 100 * axes.get_xlim()[0]
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0) if few else tuple(range(2, 10))))
    axes.xaxis.set_minor_formatter("{x:g}" if few else NullFormatter())
    _label(axes, points)
    axes.set_xlabel("latency per example (ms, logarithmic)")
    axes.set_ylabel(_short(metric_label, metric))
    title = f"{metric_label} against latency"
    desc = (
        f"{title}: bars are 95 % intervals, {DIRECTIONS[metric.direction]}. The table of scores "
        "has every number."
    )
    svg = inline_svg(figure, name=name, title=title, desc=desc)
    return re.sub(
        r'<g id="point (\d+)">',
        lambda match: f"<g><title>{html.escape(points[int(match.group(1))].name)}</title>",
        svg,
    )


@styled
def steps(
    metric: MetricSpec,
    metric_label: str,
    lines: Sequence[tuple[str, Sequence[tuple[datetime, float]]]],
    *,
    name: str,
) -> str:
    """A score by date that only ever gets better: one line of steps a series, each (name,
    [(date, value)])."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num

    figure, axes = blank()
    for number, (_, points) in enumerate(lines):
        days = [float(date2num(when.replace(tzinfo=None))) for when, _ in points]
        values, colour = [value for _, value in points], COLOURS[number % len(COLOURS)]
        axes.step(days, values, where="post", color=colour, linestyle=dashes(number), linewidth=1.5)
        axes.plot(
            days[:-1],
            values[:-1],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            markersize=4.5,
            color=colour,
        )
    locator = AutoDateLocator(minticks=2, maxticks=5)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.margins(x=0.04, y=0.12)
    axes.set_ylabel(_short(metric_label, metric))
    title = f"{metric_label}: best so far"
    desc = f"{title}, {DIRECTIONS[metric.direction]}. The table beside it has every step."
    return inline_svg(figure, name=name, title=title, desc=desc)


def blank() -> tuple[Figure, Any]:
    """An empty figure with fixed margins (a layout engine would draw everything twice)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    axes = figure.add_axes((0.135, 0.15, 0.85, 0.825))
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    return figure, axes


def settings(name: str) -> dict[Any, Any]:
    """Settings of one drawing: its own salt, so that no id occurs twice on a page; `$` in
    typed text starts no formula."""
    return {
        "text.parse_math": False,
        "svg.hashsalt": f"zoo {name}",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans"],
        "font.size": 9,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "text.color": INK,
        "axes.linewidth": 0.7,
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.5,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "axes.formatter.useoffset": False,
        "axes.unicode_minus": True,
        "svg.image_inline": True,
        "path.simplify": False,
    }


def _short(name: str, metric: MetricSpec) -> str:
    """An axis label that fits: a long one gives way to the metric's name (the caption has
    it in full)."""
    fits = len(name) <= 34
    return (
        f"{titled(name if fits else metric.name.replace('_', ' '), metric)} "
        f"{ARROWS[metric.direction]}"
    )


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """The range of the values, with far outliers (beyond four interquartile ranges) left
    outside."""
    import numpy as np

    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    reach = 4 * (high - low) or abs(middle) or 1.0
    inside = [value for value in values if low - reach <= value <= high + reach]
    pad = 0.06 * ((max(inside) - min(inside)) or abs(middle) or 1.0)
    return min(inside) - pad, max(inside) + pad


def _label(axes: Any, points: Sequence[Point]) -> None:
    """Names beside points where they cover no other name and no point, on the side with
    more room first; the rest are tooltips only."""
    size, letter = 7.5, 4.5  # points of type, and the mean width of one letter
    wide, high = SIZE[0] * 72 * axes.get_position().width, SIZE[1] * 72 * axes.get_position().height
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    places = [
        (
            math.log(point.cost / left) / math.log(right / left) * wide,
            (point.value - bottom) / (top - bottom) * high,
        )
        for point in points
    ]
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in places]
    for point, (x, y) in zip(points, places, strict=True):
        if not point.labelled:
            continue
        name = (
            point.name
            if len(point.name) <= LONGEST
            else f"{point.name[: LONGEST - 1].rstrip(' ,')}\N{HORIZONTAL ELLIPSIS}"
        )
        leftward = x > wide / 2
        for side, up in ((leftward, 3), (leftward, -9), (not leftward, 3), (not leftward, -9)):
            begin = x - 7 - letter * len(name) if side else x + 7
            box = (begin, y + up - 1, begin + letter * len(name), y + up + size)
            inside = box[0] >= 0 and box[2] <= wide + 4
            if inside and not any(
                box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in taken
            ):
                taken.append(box)
                offset, ha = (-7 if side else 7, up), "right" if side else "left"
                axes.annotate(
                    name,
                    (point.cost, point.value),
                    xytext=offset,
                    textcoords="offset points",
                    fontsize=size,
                    ha=ha,
                    color=INK,
                )
                break


def inline_svg(figure: Figure, *, name: str, title: str, desc: str) -> str:
    """The drawing as an inline SVG element: no XML head, no namespaces, themed colours,
    `<title>` and `<desc>`."""
    import io

    from matplotlib.backends.backend_svg import FigureCanvasSVG

    output = io.StringIO()
    FigureCanvasSVG(figure).print_svg(
        output, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    svg = output.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:\w+)?="[^"]*"', "", svg).replace("xlink:href", "href")
    # would style the whole page; site.css says it
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font(?:-family)?: [^;\"]*;? ?", _font, svg)
    # coordinates, never tick labels
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"-?\d+\.\d{3,}", _two_decimals, tag.group()), svg)
    svg = re.sub(
        r'<g id="(?:figure|axes|matplotlib\.axis|patch|xtick|ytick|line2d|text)_?\d+">', "<g>", svg
    )
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(colour, f"var(--s{number}, {colour})")
    for variable, colour in (("ink", INK), ("grid", FAINT), ("paper", PAPER), ("muted", "#6b7280")):
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    svg = re.sub(r"\n\s*", "\n", svg)
    identifier = re.sub(r"[^a-z0-9]+", "-", name.lower())
    view = svg.partition('viewBox="')[2].partition('"')[0]
    head = (
        f'<svg class="chart" role="img" aria-labelledby="{identifier}-t {identifier}-d" '
        f'viewBox="{view}">'
    )
    text = (
        f'<title id="{identifier}-t">{html.escape(title)}</title><desc '
        f'id="{identifier}-d">{html.escape(desc)}</desc>'
    )
    return re.sub(r"<svg[^>]*>", lambda _: head + text, svg, count=1).strip()


def _two_decimals(match: re.Match) -> str:
    return f"{float(match.group()):.2f}".rstrip("0").rstrip(".")


def _font(match: re.Match) -> str:
    size = re.search(r"([\d.]+)px", match.group())
    return f"font-size: {size.group(1)}px; " if size else ""
