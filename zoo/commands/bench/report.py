"""What `zoo bench` shows in a terminal: progress while it runs, then one table per task."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any

from zoo import files
from zoo.cards import CardError, Entry, MetricValue, PeerTable, TableColumn, TaskSpec, read
from zoo.commands.bench.predictor import NamedPredictor
from zoo.commands.bench.row import BenchEvents, BenchRow, TaskResult
from zoo.scoring import stats

if TYPE_CHECKING:
    from rich.console import Console

KINDS = {
    "model": "model",
    "baseline": "baseline",
    "solver": "solver",
    "forecast_centre": "centre",
    "published": "published",
}
TRUTHS = {
    "simulated": "SIMULATED data: no observation enters",
    "observed": "OBSERVED truth",
    "reanalysis": "REANALYSIS truth (a model fed with observations)",
    "mixed": "truth partly simulated, partly observed",
}
MOST_ABSENT = 4
"""Files that a task lacks which are named one by one."""


class TerminalReport(BenchEvents):
    """Progress on stderr, tables on the console."""

    def __init__(self, console: Console):
        self.console = console
        self.live: Any = None
        self.position: Any = None

    def task(self, spec: TaskSpec, n_predictors: int) -> None:
        """A new task begins."""
        self.close()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeElapsedColumn,
            )

            columns = (
                TextColumn("{task.description:<44}"),
                BarColumn(bar_width=16),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self.live = Progress(*columns, console=Console(stderr=True), transient=True)
            self.live.start()
            self.position = self.live.add_task(spec.id, total=n_predictors)
        else:
            print(f"{spec.key}: {n_predictors} rows", file=sys.stderr, flush=True)

    def predictor(self, predictor: NamedPredictor) -> None:
        """A row begins."""
        if self.live is not None:
            self.live.update(self.position, description=predictor.id)

    def done(self, row: BenchRow) -> None:
        """A row is done."""
        if self.live is not None:
            self.live.advance(self.position)
        else:
            print(
                (
                    f"  {row.predictor.id}: {row.wall_seconds:.1f} "
                    f"s{' (resumed)' if row.resumed else ''}"
                ),
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """Takes the progress bar away."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def table(self, result: TaskResult) -> None:
        """The table of one task: rows computed now, then published ones, then what is
        missing and why."""
        spec = result.spec
        self.console.print(f"\n[bold]{spec.title}[/bold]  {spec.key}", soft_wrap=True)
        self.console.print(f"{TRUTHS[spec.truth]}.", soft_wrap=True)
        if result.rows:
            rows = [
                (
                    row.group,
                    row.predictor.id,
                    row.predictor.kind,
                    row.predictor.track,
                    row.metrics,
                    f"{row.wall_seconds:.1f}s",
                )
                for row in result.rows
            ]
            self._rows(spec, rows, "computed now from shipped files")
        if result.unavailable:
            self._absent("cannot run here; these files cannot be had:", result.unavailable, spec)
        if result.postponed:
            self.console.print(
                f"takes longer, so it runs only when named: zoo bench {spec.id}",
                soft_wrap=True,
                markup=False,
            )
        if result.unavailable or result.postponed:
            stored = stored_entries(spec)
            if stored:
                rows = [
                    ("-", entry.model, entry.kind, entry.track, entry.metrics, "-")
                    for entry in stored
                ]
                self._rows(spec, rows, "from the leaderboard's entries, NOT computed now")
        peers = peer_rows(spec)
        # A centre whose own forecasts were scored just now needs no second row that repeats it.
        scored = any(row.predictor.kind == "forecast_centre" for row in result.rows)
        rows = []
        for row in peers.row if peers else []:
            if not (scored and row.kind == "forecast_centre"):
                values = {
                    name: MetricValue(value=value, ci95=None) for name, value in row.metrics.items()
                }
                rows.append(("-", row.name, row.kind, row.track, values, "-"))
        if rows:
            self._rows(spec, rows, "published, not re-run")
        for reason in dict.fromkeys(reason for _, reason in result.skipped):
            names = [name.split("/")[1] for name, other in result.skipped if other == reason]
            self._absent(f"not run: {', '.join(names)}; they need", [reason], spec)

    def _absent(self, heading: str, absent: list[str], spec: TaskSpec) -> None:
        rest = len(absent) - MOST_ABSENT
        shown = (
            absent
            if rest <= 1
            else [
                *absent[:MOST_ABSENT],
                f"and {rest} more: zoo data check {spec.dataset} names them all",
            ]
        )
        lines = [heading, *(f"  {line}" for line in shown)]
        lines += [
            (
                f"with a network: zoo data get {spec.dataset}; without one: zoo mirror DIR "
                "elsewhere, bring DIR here and set ZOO_MIRROR=DIR;"
            ),
            (
                f"or by hand: {files.home() / 'files'}/<host>/<path> of each address. Nothing is "
                "averaged over the gap."
            ),
        ]
        self.console.print("\n".join(lines), soft_wrap=True, markup=False)

    def _rows(self, spec: TaskSpec, rows: list[tuple], caption: str) -> None:
        from rich.table import Table

        width = self.console.width
        name_width = min(26, max(len(short(row[1])) for row in rows))
        tracks = any(row[3] for row in rows)
        used = name_width + 4 + 10 + (12 if tracks else 0) + 7
        columns = spec.table[: max(1, (width - used) // 12)]
        self.console.print(f"[italic]{caption}[/italic]")
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("", width=3)
        table.add_column("", width=name_width, no_wrap=True, overflow="ellipsis")
        table.add_column("kind", width=9)
        if tracks:
            table.add_column("track", width=11)
        for column in columns:
            table.add_column(
                f"{column.label}\n{spec.metric_of(column.metric).unit}",
                justify="right",
                no_wrap=True,
            )
        table.add_column("time", justify="right", width=6)
        for group, name, kind, track, metrics, seconds in rows:
            scores = [cell(metrics.get(column.metric), column) for column in columns]
            style = {
                "model": "bold",
                "solver": "cyan",
                "forecast_centre": "green",
                "published": "dim",
            }.get(kind)
            table.add_row(
                group,
                short(name),
                KINDS[kind],
                *([track or ""] if tracks else []),
                *scores,
                seconds,
                style=style,
            )
        self.console.print(table)
        head = spec.metric_of(spec.headline)
        legend = (
            f"Sorted by {spec.headline} ({head.direction} is better). Rows that share a letter "
            "cannot be told apart (paired, all pairs allowed for). ± is half the 95 % interval, "
            f"{spec.resampling.unit} resampled.\n"
        )
        self.console.print(
            legend if caption.startswith("computed") else "", style="dim", markup=False
        )

    def as_json(self, result: TaskResult) -> dict[str, Any]:
        """The result as plain data, for `--json`."""
        return {
            "task": result.spec.id,
            "version": result.spec.version,
            "truth": result.spec.truth,
            "headline": result.spec.headline,
            "rows": [
                {
                    "model": row.predictor.id,
                    "kind": row.predictor.kind,
                    "track": row.predictor.track,
                    "group": row.group,
                    "metrics": {name: value.model_dump() for name, value in row.metrics.items()},
                    "wall_seconds": row.wall_seconds,
                    "training_seeds": [seed.model_dump() for seed in row.seeds],
                }
                for row in result.rows
            ],
            "not_run": [{"model": name, "reason": reason} for name, reason in result.skipped],
            "unavailable": result.unavailable,
        }


def short(name: str) -> str:
    """A model id without its domain; a published name as it is."""
    return name.split("/", 1)[1] if name.count("/") == 1 and " " not in name else name


def cell(value: MetricValue | None, column: TableColumn) -> str:
    """`520 ±21`, or a dash for a gap."""
    if value is None:
        return "-"
    text = f"{value.value:.{column.decimals}f}"
    if value.ci95 is not None and math.isfinite(value.ci95[0]):
        text += f" ±{(value.ci95[1] - value.ci95[0]) / 2:.{column.decimals}f}"
    return re.sub(r"\b0\.", ".", text) if column.decimals >= 2 and abs(value.value) < 1 else text


def stored_entries(spec: TaskSpec) -> list[Entry]:
    """The leaderboard's entries of a task, best first; unreadable ones are left out
    (`zoo verify` names them)."""
    entries = []
    for path in sorted((files.share() / "leaderboard" / "entries" / spec.key).glob("*.json")):
        try:
            entries.append(read(path, Entry))
        except CardError:
            continue
    direction = spec.metric_of(spec.headline).direction

    def order(entry: Entry) -> float:
        given = entry.metrics.get(spec.headline)
        return math.inf if given is None else float(stats.badness(given.value, direction))

    return sorted(entries, key=order)


def peer_rows(spec: TaskSpec) -> PeerTable | None:
    """The published rows of a task, or None."""
    path = files.share() / "leaderboard" / "peers" / f"{spec.key}.toml"
    return read(path, PeerTable) if path.is_file() else None
