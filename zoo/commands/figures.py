"""Draws a task's pictures into files: what its rows' records show, its scores along an
axis, and what its data look like.

Rows come from the leaderboard's stored entries, so nothing is computed; with `models` they
are computed now, by `zoo bench`.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zoo import cards, files, registry
from zoo.cards import MetricValue, TaskSpec
from zoo.interfaces.figures import (
    FILE,
    Figure,
    FigureFile,
    Grid,
    Histograms,
    Images,
    Lines,
    Sequences,
)
from zoo.interfaces.task import load_task

ROWS = 8
"""Rows in one picture at most, the best."""
FORMATS = ("png", "svg", "json")
SIZE = (6.4, 4.4)
LETTERS = 50
"""Of a sequence, in one line."""


@dataclasses.dataclass(frozen=True)
class RowPictures:
    """One row: its name, its scores and what its record shows."""

    title: str
    metrics: dict[str, MetricValue]
    figures: list[Figure]


def draw(
    name: str,
    out: Path,
    *,
    models: str | None = None,
    data: Path | None = None,
    form: str = "png",
    samples: bool = True,
) -> tuple[list[Path], list[str]]:
    """Writes every picture of a task; returns the paths and what could not be drawn, with
    the reason.

    Args:
        name: the task's id.
        out: folder for the pictures.
        models: wildcard over predictors, to compute their rows now; default: the stored entries.
        data: a folder of the user's own with the task's data.
        form: "png", "svg", or "json": the pictures of the data alone, as numbers.
        samples: whether to draw the data too (needs the data files).

    Raises:
        ValueError: an unknown format, or there is nothing to draw.
        zoo.registry.UnknownName: no such task, no such model.
    """
    if form not in FORMATS:
        raise ValueError(f"format {form!r} is none of {', '.join(FORMATS)}")
    spec = registry.task(name)
    task = load_task(name, data=data)
    notes: list[str] = []
    figures: list[Figure] = []
    opened: list[str] = []
    if samples or form == "json":
        try:
            figures, opened = (
                _of_dataset(spec, task, data) if form == "json" else (task.sample_figures(), [])
            )
        except files.FileMissing as error:
            notes.append(f"no pictures of the data: {error}")
    if form == "json":
        return [_write_numbers(spec, figures, opened, out, notes)], notes
    rows = _computed_rows(task, models, data) if models is not None else _stored_rows(task, notes)
    sheets = [
        *_of_rows(spec, rows),
        *(("sample_" + figure.name, figure.title, [("", figure)]) for figure in figures),
    ]
    if not sheets:
        raise ValueError(
            f"{name} has nothing to draw: {'; '.join(notes) or 'its task offers no pictures'}"
        )
    return [
        _save(out / f"{sheet}.{form}", f"{title} ({spec.truth} data)", given)
        for sheet, title, given in sheets
    ], notes


def _computed_rows(task: Any, models: str, data: Path | None) -> list[RowPictures]:
    """Rows of a run now, best first."""
    from zoo.commands.bench import run as bench

    (result,) = bench.bench(task.spec.id, models=models, data=data)
    if not result.rows:
        reasons = [*result.unavailable, *(f"{name}: {reason}" for name, reason in result.skipped)]
        raise files.FileMissing(f"no row of {task.spec.id} could be computed: {'; '.join(reasons)}")
    return [
        RowPictures(row.predictor.title, row.metrics, task.figures(row.record))
        for row in result.rows[:ROWS]
    ]


def _stored_rows(task: Any, notes: list[str]) -> list[RowPictures]:
    """Rows of the stored entries, best first; one whose record is missing, altered or unfit
    is left out and named."""
    from zoo.commands.bench.report import stored_entries
    from zoo.scoring import record

    rows = []
    entries = stored_entries(task.spec)
    for entry in entries[:ROWS]:
        path = files.share() / "leaderboard" / "entries" / task.spec.key / entry.record
        try:
            if not path.is_file() or files.sha256(path) != entry.hashes.record:
                raise record.RecordError(
                    f"{path} is missing or not the one that its entry names by hash"
                )
            figures = task.figures(record.read(path))
        except (record.RecordError, ValueError, KeyError) as error:
            notes.append(f"no pictures of {entry.id}'s record: {error}")
            figures = []
        rows.append(RowPictures(entry.title, entry.metrics, figures))
    if not entries:
        notes.append(
            f"no stored entry of {task.spec.key}; `zoo figures {task.spec.id} --model '*'` "
            "computes its rows now"
        )
    return rows


def _of_rows(
    spec: TaskSpec, rows: Sequence[RowPictures]
) -> list[tuple[str, str, list[tuple[str, Figure]]]]:
    """(name, title, rows' figures) of every picture: records' own, then each metric that
    has an axis."""
    sheets = []
    for name in dict.fromkeys(figure.name for row in rows for figure in row.figures):
        given = [
            (row.title, figure) for row in rows for figure in row.figures if figure.name == name
        ]
        given = given if isinstance(given[0][1], Lines) else given[:1]
        title = (
            given[0][1].title
            if isinstance(given[0][1], Lines)
            else f"{given[0][1].title}: {given[0][0]}"
        )
        sheets.append((name, title, given))
    for metric in spec.metric:
        given = [
            (row.title, line)
            for row in rows
            if metric.positions and (line := _along(metric, row)) is not None
        ]
        if given:
            sheets.append((f"by_{metric.name}", metric.label, given))
    return sheets


def _along(metric: cards.MetricSpec, row: RowPictures) -> Lines | None:
    """A row's scores along a metric's axis, with their intervals where all have one."""
    points = [
        (x, row.metrics[name])
        for x, name in zip(metric.positions, metric.names, strict=True)
        if name in row.metrics
    ]
    if not points:
        return None
    intervals = [score.ci95 for _, score in points if score.ci95 is not None]
    banded = len(intervals) == len(points)
    return Lines(
        name=metric.name,
        title=metric.label,
        caption=metric.formula,
        x_label=metric.axis or "point",
        y_label=metric.label,
        x=[x for x, _ in points],
        y=[score.value for _, score in points],
        low=[low for low, _ in intervals] if banded else [],
        high=[high for _, high in intervals] if banded else [],
    )


def _of_dataset(spec: TaskSpec, task: Any, data: Path | None) -> tuple[list[Figure], list[str]]:
    """A task's pictures, then those of the data set's other tasks that have another name;
    and the names of the files that they opened.

    The user's own folder `data` is the task's alone: then there are no others.
    """
    same = (
        []
        if data is not None
        else [other.id for other in registry.tasks().values() if other.dataset == spec.dataset]
    )
    others = [load_task(name) for name in same if name != spec.id]
    figures: dict[str, Figure] = {}
    opened: set[str] = set()
    for one in [task, *others]:
        asked: set[str] = set()
        one.file = _noting(one.file, asked)
        new = {figure.name: figure for figure in one.sample_figures() if figure.name not in figures}
        figures |= new
        opened |= asked if new else set()
    return list(figures.values()), sorted(opened)


def _noting(file: Callable[[str], Path], asked: set[str]) -> Callable[[str], Path]:
    """`file`, which notes what it is asked for."""

    def noting(name: str) -> Path:
        asked.add(name)
        return file(name)

    return noting


def _write_numbers(
    spec: TaskSpec, figures: list[Figure], opened: Sequence[str], out: Path, notes: list[str]
) -> Path:
    """The pictures of the data as `figures.json`, with the hashes of the files that they
    were made from."""
    if not figures:
        raise ValueError(
            f"{spec.id} has no pictures of its data: {'; '.join(notes) or 'its task offers none'}"
        )
    card = registry.dataset(spec.dataset)
    made_from = {file.name: file.sha256 for file in card.file if file.name in opened}
    content = FigureFile(schema_version=1, dataset=card.id, made_from=made_from, figure=figures)
    files.write_text(out / FILE, cards.dump(content))
    return out / FILE


def _save(path: Path, title: str, given: Sequence[tuple[str, Figure]]) -> Path:
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    from zoo.leaderboard import charts

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(charts.settings(path.stem) | {"axes.titlesize": 10}):
        first = given[0][1]
        height = SIZE[1]
        if isinstance(first, Images):
            height = 0.9 + (1.6 if first.extent is None else 2.6) * -(-len(first.panels) // 5)
        figure = Canvas(figsize=(SIZE[0], height), layout="constrained")
        if isinstance(first, Images):
            _images(figure, first)
        elif isinstance(first, Sequences):
            _sequences(figure, first)
        elif isinstance(first, Grid):
            _grid(figure, first)
        else:
            _plot(figure, given)
        figure.suptitle(title, fontsize=11)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=150, metadata=metadata)
    return path


def _plot(figure: Any, given: Sequence[tuple[str, Figure]]) -> None:
    """Lines of several rows, or one figure's histograms, with a legend below."""
    from zoo.leaderboard import charts, pictures

    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    first = given[0][1]
    if isinstance(first, Histograms):
        pictures.histograms_on(axes, first)
        labels = [one.label for one in first.series]
    else:
        pictures.lines_on(axes, [(title, one) for title, one in given if isinstance(one, Lines)])
        labels = [title for title, _ in given]
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [],
            [],
            color=charts.COLOURS[charts.style(i).colour],
            linestyle=charts.dashes(i),
            marker=charts.style(i).marker if isinstance(first, Lines) and first.marks else None,
            markersize=4,
        )
        for i in range(len(labels))
    ]
    if isinstance(first, Lines) and first.reference_x:
        handles.append(Line2D([], [], color="#6b7280", linestyle=(0, (1, 2.2))))
        labels = [*labels, first.reference_label]
    columns = 5 if max(map(len, labels)) < 9 else 2
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, fontsize=7.5, frameon=False
    )


def _grid(figure: Any, drawn: Grid) -> None:
    """Shaded cells with their shares."""
    axes = figure.add_subplot()
    axes.grid(False)
    axes.imshow(drawn.values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, line in enumerate(drawn.values):
        for j, value in enumerate(line):
            if value >= 0.005:
                axes.text(
                    j,
                    i,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=7.5,
                    color="white" if value > 0.5 else "black",
                )
    axes.set_xticks(range(len(drawn.columns)), drawn.columns)
    axes.set_yticks(range(len(drawn.rows)), drawn.rows)
    axes.set_xlabel(drawn.column_label)
    axes.set_ylabel(drawn.row_label)


def _images(figure: Any, drawn: Images) -> None:
    """Panels on one scale, with the levels' bar."""
    from matplotlib.colors import BoundaryNorm

    columns = min(5, len(drawn.panels))
    grid = figure.subplots(
        -(-len(drawn.panels) // columns), columns, sharex=True, sharey=True, squeeze=False
    )
    first = 0 if drawn.extent is None else 2 * drawn.levels[0] - drawn.levels[1]
    edges = [
        first,
        *drawn.levels,
        2 * drawn.levels[-1] - drawn.levels[-2] if len(drawn.levels) > 1 else 2 * drawn.levels[-1],
    ]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    shown = None
    for axes, panel in zip(grid.flat, drawn.panels, strict=False):
        axes.grid(False)
        cells = [[middles[int(digit)] for digit in row] for row in panel.rows]
        shown = axes.imshow(
            cells,
            cmap="Blues",
            norm=BoundaryNorm(edges, 256),
            extent=drawn.borders,
            interpolation="nearest",
        )
        for ticks, put in ((drawn.x_ticks, axes.set_xticks), (drawn.y_ticks, axes.set_yticks)):
            if ticks:
                put([tick.at for tick in ticks], [tick.label for tick in ticks])
        axes.set_title(panel.label, fontsize=9)
    for axes in list(grid.flat)[len(drawn.panels) :]:
        axes.set_visible(False)
    figure.supxlabel(drawn.x_label, fontsize=9)
    figure.supylabel(drawn.y_label, fontsize=9)
    bar = figure.colorbar(shown, ax=grid, shrink=0.8)
    # below the first level of a map there is no end
    named = edges[:-1] if drawn.extent is None else drawn.levels
    bar.set_ticks(named, labels=[f"{edge:g}" for edge in named])
    bar.set_label(drawn.level_label.removesuffix(", from"), fontsize=8)


def _sequences(figure: Any, drawn: Sequences) -> None:
    """Letters in lines of fifty; stretches are underlined, weak ones dashed, and named above."""
    from zoo.leaderboard import charts

    axes = figure.add_subplot()
    axes.set_axis_off()
    y = 0.0
    for row in drawn.rows:
        axes.text(0, y, row.label, fontsize=8)
        for begin in range(0, len(row.letters), LETTERS):
            y -= 1.6
            for x, letter in enumerate(row.letters[begin : begin + LETTERS]):
                axes.text(x + 0.5, y, letter, fontsize=7.5, family="DejaVu Sans Mono", ha="center")
            for span in row.spans:
                left, right = max(span.start - begin, 0), min(span.stop - begin, LETTERS)
                if left < right:
                    colour, dash = (
                        charts.COLOURS[int(span.weak)],
                        "dashed" if span.weak else "solid",
                    )
                    axes.plot(
                        [left, right],
                        [y - 0.2, y - 0.2],
                        color=colour,
                        linestyle=dash,
                        linewidth=1.6,
                    )
                    if span.start >= begin:
                        axes.text(
                            (left + right) / 2,
                            y + 0.65,
                            span.name,
                            fontsize=6,
                            color=colour,
                            ha="center",
                        )
        y -= 1.6
    axes.set_xlim(0, LETTERS)
    axes.set_ylim(y + 0.8, 1.0)
