"""The board at a glance as one small SVG, for the README: the best rows of every task with
their intervals and letters.

Plain shapes and text, no script, no font file, nothing from outside; it follows the
reader's light or dark theme, also as an image.
"""

from __future__ import annotations

from xml.sax.saxutils import escape

from zoo.leaderboard import text
from zoo.leaderboard.board import Board, Row, TaskBoard

ROWS = 4
"""Rows of a task that are drawn."""
WIDTH, LINE, HEAD, GAP = 490, 18, 34, 14
NAME, SCALE = 246, (310, 438)
LONGEST = 40
STYLE = """
text{font:11px system-ui,sans-serif;fill:#1b1f24}.t{font-weight:600;font-size:12px}\
.m,.g{fill:#5a626d}.s{stroke:#0b62a8;stroke-width:1.6}
.p{fill:#0b62a8}.b .s{stroke:#8a4b2a}.b .p{fill:#8a4b2a}.r{fill:#fdfdfe}.l{stroke:#dfe3e8}
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.m,.g{fill:#a2abb6}.s{stroke:#6ab6f2}.p{fill:#6ab6f2}
.b .s{stroke:#d9a07c}.b .p{fill:#d9a07c}.r{fill:#14171b}.l{stroke:#2c323a}}
"""


def svg(board: Board) -> str:
    """The picture: two columns of panels, one a task that has rows."""
    tasks = [
        task
        for task in board.tasks
        if not task.retired and any(row.score(task.spec.headline) for row in task.rows)
    ]
    heights = [HEAD + LINE * len(_best(task)) + GAP for task in tasks]
    columns: list[list[tuple[int, TaskBoard]]] = [[], []]
    bottoms = [30, 30]
    for task, height in zip(tasks, heights, strict=True):
        shorter = int(bottoms[1] < bottoms[0])
        columns[shorter].append((bottoms[shorter], task))
        bottoms[shorter] += height
    width, height = 2 * WIDTH + 36, max(bottoms) + 8
    said = "best rows of every task with 95 % intervals; rows that share a letter are tied"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" '
        'aria-labelledby="t"><title id="t">scizoo leaderboard: '
        f"{said}</title><style>{STYLE.strip()}</style>",
        (
            f'<rect class="r" width="{width}" height="{height}" rx="6"/><text x="12" y="19" '
            f'class="m">{said}</text>'
        ),
    ]
    for number, column in enumerate(columns):
        for top, task in column:
            parts.append(
                f'<g transform="translate({12 + number * (WIDTH + 12)} {top})">{_panel(task)}</g>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _best(task: TaskBoard) -> list[Row]:
    """The first rows, and the best row that is no trained model if it is not among them."""
    scored = [row for row in task.rows if row.score(task.spec.headline) is not None]
    chosen = scored[:ROWS]
    others = [row for row in scored if row.entry.kind != "model"]
    if others and len(scored) > ROWS and all(row.entry.kind == "model" for row in chosen):
        chosen = [*chosen[:-1], others[0]]
    return chosen


def _panel(task: TaskBoard) -> str:
    spec = task.spec
    metric = spec.metric_of(spec.headline)
    places = task.decimals()[spec.headline]
    scored = [(row, score) for row in _best(task) if (score := row.score(spec.headline))]
    spans = [score.ci95 or (score.value, score.value) for _, score in scored]
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    stretch = (SCALE[1] - SCALE[0]) / ((high - low) or 1.0)

    def x(value: float) -> float:
        return round(SCALE[0] + (value - low) * stretch, 1)

    label = text.titled(text.label(metric, spec.headline), metric)
    lines = [
        f'<text class="t" y="12">{_text(_short(spec.title, 44))}</text>'
        f'<text class="m" x="{WIDTH - 12}" y="12" text-anchor="end">{spec.truth}</text>'
        f'<text class="m" y="26">{_text(_short(label, 58))} {text.ARROWS[metric.direction]}</text>'
        f'<path class="l" d="M0 31H{WIDTH - 12}"/>'
    ]
    for number, ((row, score), span) in enumerate(zip(scored, spans, strict=True)):
        y = HEAD + LINE * number + 10
        lines.append(
            f'<g class="{"a" if row.entry.kind == "model" else "b"}">'
            f'<text y="{y}">{_text(_short(row.entry.title, LONGEST))}</text>'
            f'<text x="{NAME + 50}" y="{y}" '
            f'text-anchor="end">{text.number(score.value, places)}</text>'
            f'<path class="s" d="M{x(span[0])} {y - 4}H{x(span[1])}"/><circle class="p" '
            f'cx="{x(score.value)}" cy="{y - 4}" r="3"/>'
            f"<title>{_text(row.entry.title)}: {text.number(score.value, places)} "
            f"{text.interval(score.ci95, places)}</title>"
            f'<text class="g" x="{WIDTH - 12}" y="{y}" '
            f'text-anchor="end">{_text(text.groups(row.groups))}</text></g>'
        )
    return "".join(lines)


def _short(name: str, longest: int) -> str:
    return (
        name
        if len(name) <= longest
        else f"{name[: longest - 1].rstrip(' ,')}\N{HORIZONTAL ELLIPSIS}"
    )


def _text(typed: str) -> str:
    """Escaped, without the control characters that XML forbids."""
    return escape("".join(character for character in typed if character >= " "))
