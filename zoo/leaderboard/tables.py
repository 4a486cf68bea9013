"""`leaderboard/README.md`: the board as Markdown tables, for readers of the repository."""

from __future__ import annotations

import re

from zoo.cards import PeerTable, TaskSpec
from zoo.leaderboard import text
from zoo.leaderboard.board import KIND_NAMES, Board, Row, TaskBoard

MARKS = {
    "rerun": "re-run",
    "rescored": "rescored",
    "static": "hashes only",
    "failed": "**differs**",
    "stale": "entry changed since",
    "no": "not yet",
}


def markdown(board: Board) -> str:
    """The whole file."""
    parts = [
        "# Leaderboard",
        "Written by `zoo leaderboard build` from the files in `entries/`, `peers/` and "
        "`verified/`; do not edit. The same command writes pages with charts, every metric and "
        "every entry to `_site/`: open `_site/index.html`.",
        "![The best rows of every task](board.svg)",
        "Intervals are 95 % bootstrap intervals over the test set. **Rows that share a letter are "
        "tied**: their paired difference is not significant once all pairs of the table are "
        "allowed for (Holm). A dash is a gap, never averaged over. Published rows were *not* "
        "re-run and are never ranked with ours.",
    ]
    parts += [_task(task) for task in board.tasks if task.rows or task.peers]
    if not any(task.rows for task in board.tasks):
        parts.append(
            "No entry yet. `zoo bench <task>` computes rows, and `--entries leaderboard/entries` "
            "writes them as entries."
        )
    if board.problems:
        parts.append(
            "## Left out\n\n" + "\n".join(f"* {cell(problem)}" for problem in board.problems)
        )
    return "\n\n".join(parts) + "\n"


def _task(task: TaskBoard) -> str:
    spec = task.spec
    places = task.decimals()
    headline = spec.metric_of(spec.headline)
    others = [column for column in spec.table if column.metric != spec.headline]
    tracks = bool(task.tracks)
    title = next(
        (column.label for column in spec.table if column.metric == spec.headline),
        text.label(headline, spec.headline),
    )
    heads = [
        "Group",
        "Row",
        "Kind",
        *(["Track"] if tracks else []),
        f"{cell(text.titled(title, headline))} {text.ARROWS[headline.direction]}",
    ]
    heads += [
        f"{cell(column.label)} {text.ARROWS[spec.metric_of(column.metric).direction]}"
        for column in others
    ] + ["Params", "Verified"]
    left = 4 if tracks else 3
    lines = [
        _line(heads),
        "|" + "|".join(["---"] * left + ["---:"] * (len(heads) - left - 1) + ["---"]) + "|",
    ]
    for row in task.rows:
        values = [
            _score(row, spec.headline, places, interval=True),
            *(_score(row, column.metric, places) for column in others),
        ]
        lines.append(
            _line(
                [
                    text.groups(row.groups),
                    f"[{cell(row.entry.title)}]({row.source.removeprefix('leaderboard/')})",
                    KIND_NAMES[row.entry.kind],
                    *([cell(row.entry.track or text.DASH)] if tracks else []),
                    *values,
                    text.count(row.entry.cost.n_params),
                    MARKS[row.verified],
                ]
            )
        )
    about = [
        f"*{cell(spec.truth)} truth*",
        f"resampled: {cell(spec.resampling.unit)}",
        text.DIRECTIONS[headline.direction],
    ]
    retired = " (retired version)" if task.retired else ""
    parts = [
        f"## {cell(spec.title)}{retired}",
        f"`{task.key}`, {', '.join(about)}. {cell(spec.summary)}",
    ]
    parts.append("\n".join(lines) if task.rows else "No entry yet.")
    if task.peers:
        parts.append(_peers(task.spec, task.peers, places))
    return "\n\n".join(parts)


def _peers(spec: TaskSpec, peers: PeerTable, places: dict[str, int]) -> str:
    columns = [(column.metric, column.label) for column in spec.table] or [
        (spec.headline, spec.headline)
    ]
    lines = [
        _line(
            [
                "Published, not re-run",
                *(cell(label) for _, label in columns),
                "n",
                "Source",
                "Caveat",
            ]
        )
    ]
    lines.append("|---|" + "---:|" * (len(columns) + 1) + "---|---|")
    for peer in peers.row:
        values = [
            text.number(peer.metrics.get(metric), places.get(metric)) for metric, _ in columns
        ]
        address = text.https(peer.url)
        source = f"[{cell(peer.source)}](<{address}>)" if address else cell(peer.source)
        lines.append(
            _line(
                [
                    cell(peer.name),
                    *values,
                    str(peer.n_examples or text.DASH),
                    source,
                    cell(peer.caveat),
                ]
            )
        )
    return f"{cell(peers.note)}\n\n" + "\n".join(lines)


def _score(row: Row, metric: str, places: dict[str, int], *, interval: bool = False) -> str:
    score = row.score(metric)
    if score is None:
        return text.DASH
    value = text.number(score.value, places.get(metric))
    return f"{value} {text.interval(score.ci95, places.get(metric))}".strip() if interval else value


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def cell(typed: str) -> str:
    """Typed text inside a table: one line, and none of it is Markdown or HTML."""
    flat = " ".join(typed.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#!~$])", r"\\\1", flat)
