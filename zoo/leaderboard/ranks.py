"""Rank groups and paired differences of a task's rows, from their stored per-example
records; numpy only, no JAX.

A row whose record is missing, altered or unreadable keeps its own interval and gets no
letter; `Row.no_group` says why. So does a row that was scored on clearly fewer examples
than the others (a system whose archive ends early): a score over other years is another
question. Its difference from the best row is still given, on the examples that both have.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import files
from zoo.leaderboard import curves
from zoo.leaderboard.board import Board, Difference, Row, TaskBoard, badness

if TYPE_CHECKING:
    import numpy as np

NEIGHBOURS, FEWER, MANY = 12, 5, 200
"""How many rows above and below an entry its page compares it with; how many in a task of
more than `MANY` rows."""
PICTURED = 6
"""How many rows a picture made from records shows."""
AGREEMENT = 1e-6
"""Relative difference up to which a record's score is the entry's score (the *rescored*
rung of `zoo verify`)."""


def rank(board: Board) -> Board:
    """Adds group letters and paired differences to every task of the board, in place."""
    for task in board.tasks:
        rank_task(task, board.problems)
    return board


@dataclasses.dataclass
class _Scored:
    """A row's record and what was drawn from it: the headline and the table's scores on
    every resample, and which examples count."""

    arrays: dict[str, np.ndarray]
    drawn: np.ndarray
    counts: np.ndarray
    samples: dict[str, np.ndarray]


def rank_task(board: TaskBoard, problems: list[str]) -> None:
    """Adds group letters and paired differences to the rows of one task, in place."""
    from zoo.scoring import stats

    direction = board.spec.metric_of(board.spec.headline).direction
    formulas = _formulas(board)
    if formulas is None:
        return
    common = _common_examples(board.rows)
    weights: dict[int, np.ndarray] = {}
    scored = [_scored(row, board, formulas, common, weights) for row in board.rows]
    for row, item in zip(board.rows, scored, strict=True):
        if item is not None and not item.counts.all():
            row.coverage = int(item.counts.sum())
            if item.counts.mean() < stats.COVERAGE:
                row.no_group = (
                    f"it has this score on {row.coverage} of {len(item.counts)} examples only"
                )
    values = [
        score.value if (score := row.score(board.spec.headline)) is not None else math.nan
        for row in board.rows
    ]
    kept = {
        index: item
        for index, (row, item) in enumerate(zip(board.rows, scored, strict=True))
        if item is not None and not row.no_group
    }
    drawn = [kept[index].drawn if index in kept else None for index in range(len(scored))]
    for row, groups in zip(board.rows, stats.rank_groups(values, drawn, direction), strict=True):
        row.groups = groups
    grouped = list(kept)
    for index in grouped:
        board.rows[index].samples = kept[index].samples
    if len(grouped) > 1:
        import numpy as np

        board.detectable = stats.detectable_difference(
            np.array([values[index] for index in grouped]),
            np.stack([kept[index].drawn for index in grouped]),
            direction,
        )
    for position, index in enumerate(grouped):
        reach = NEIGHBOURS if len(grouped) <= MANY else FEWER
        near = grouped[max(0, position - reach) : position + reach + 1]
        board.rows[index].differences = _differences(
            board, index, [other for other in near if other != index], kept, direction
        )
    for index, item in enumerate(scored):
        if grouped and item is not None and index != grouped[0]:
            board.rows[index].to_best = _to_best(
                board, index, grouped[0], (item, kept[grouped[0]]), formulas, weights
            )
    _start_months(board, scored, formulas)
    _figures(board, scored, formulas, problems)


def _figures(
    board: TaskBoard, scored: list[_Scored | None], formulas: Any, problems: list[str]
) -> None:
    """What the records of the best few rows show besides their scores."""
    records = {
        row.name: item.arrays
        for row, item in zip(board.rows, scored, strict=True)
        if item is not None
    }
    if not hasattr(formulas, "figures"):
        return
    for row in curves.first([row for row in board.rows if row.name in records], PICTURED):
        try:
            board.figures[row.name] = list(formulas.figures(records[row.name]))
        except Exception as error:  # as above: a plug-in's pictures must not stop the board
            problems.append(
                f"{row.source}: no pictures of its record ({type(error).__name__}: {error})"
            )


def _start_months(board: TaskBoard, scored: list[_Scored | None], formulas: Any) -> None:
    """The headline family by month of issue, for the best row of every kind; only seasonal
    tasks have such a table."""
    family = board.spec.metric_of(board.spec.headline)
    seen: set[str] = set()
    for row, item in zip(board.rows, scored, strict=True):
        if item is None or row.entry.kind in seen or not hasattr(formulas, "by_start_month"):
            continue
        seen.add(row.entry.kind)
        table = formulas.by_start_month(item.arrays).get(family.name)
        if table is not None and table.shape == (12, len(family.at)):
            board.start_months[row.name] = table.tolist()


def _to_best(
    board: TaskBoard,
    index: int,
    best: int,
    pair: tuple[_Scored, _Scored],
    formulas: Any,
    weights: dict[int, np.ndarray],
) -> Difference:
    """Difference from the best row on the examples that both have."""
    from zoo.scoring import stats

    headline = board.spec.headline
    direction = board.spec.metric_of(headline).direction
    both = pair[0].counts & pair[1].counts
    if both.all():
        return _difference(board, index, best, pair[0].drawn, pair[1].drawn, direction)
    shared = weights[len(both)] * both
    shared = shared / shared.sum(axis=1, keepdims=True)
    whole = (both / both.sum())[None]
    drawn = [stats.resample(formulas, item.arrays, shared)[headline] for item in pair]
    values = [float(stats.resample(formulas, item.arrays, whole)[headline][0]) for item in pair]
    return _difference(
        board,
        index,
        best,
        drawn[0],
        drawn[1],
        direction,
        values=(values[0], values[1]),
        examples=int(both.sum()),
    )


def _formulas(board: TaskBoard) -> Any:
    """The task's `statistics` and `values`, bound to no data; None (with the reason on
    every row) where they cannot be had."""
    from zoo import registry

    reason = ""
    if board.retired:
        reason = f"version {board.spec.version} is retired: its formulas are no longer installed"
    elif board.rows:
        try:
            return registry.resolve(board.spec.code)(board.spec, file=_no_file)
        except Exception as error:
            # the task's code is a plug-in: whatever it raises, its rows are still shown
            reason = f"the task's code {board.spec.code} cannot be loaded ({type(error).__name__})"
    for row in board.rows:
        row.no_group = reason
    return None


def _no_file(name: str) -> Path:
    raise FileNotFoundError(
        f"the board compares records and opens no data file (asked for {name!r})"
    )


def _common_examples(rows: list[Row]) -> str:
    """The hash of the example ids that most rows were scored on; the smallest one among equals."""
    counts = Counter(row.entry.hashes.example_ids for row in rows)
    return min(counts, key=lambda digest: (-counts[digest], digest)) if counts else ""


def _scored(
    row: Row, board: TaskBoard, formulas: Any, common: str, weights: dict[int, np.ndarray]
) -> _Scored | None:
    """The row's record and its resampled headline; None, with the reason in `row.no_group`,
    where there is none."""
    score = row.score(board.spec.headline)
    if score is None:
        row.no_group = "it has no headline score"
    elif row.entry.hashes.example_ids != common:
        row.no_group = "it was scored on other examples than most rows"
    elif not row.record.is_file():
        row.no_group = "its per-example record is missing"
    elif files.sha256(row.record) != row.entry.hashes.record:
        row.no_group = "its per-example record is not the one that the entry names by hash"
    else:
        try:
            return _draw(row, board, formulas, score.value, weights)
        # a record is a stranger's file and the formulas a plug-in's: no error of theirs
        # stops the board
        except Exception as error:
            row.no_group = f"its per-example record cannot be scored ({type(error).__name__})"
    return None


def _draw(
    row: Row, board: TaskBoard, formulas: Any, claimed: float, weights: dict[int, np.ndarray]
) -> _Scored | None:
    import numpy as np

    from zoo.scoring import record, stats

    headline = board.spec.headline
    arrays = record.read(row.record)
    n = len(next(iter(arrays.values())))
    if n not in weights:
        weights[n] = stats.bootstrap_weights(n, board.spec.resampling)
    again = stats.scores(formulas, arrays).get(headline, math.nan)
    if not abs(again - claimed) <= AGREEMENT * max(abs(claimed), 1e-12):
        row.no_group = f"its record gives {again:.6g}, not the entry's {claimed:.6g}"
        return None
    resampled = stats.resample(formulas, arrays, weights[n])
    drawn = np.asarray(resampled[headline], float)
    if stats.interval(drawn) is None:
        row.no_group = "too many resamples leave its score undefined"
        return None
    shown = {headline, *(column.metric for column in board.spec.table)} & resampled.keys()
    samples = {name: np.asarray(resampled[name], float) for name in sorted(shown)}
    return _Scored(arrays, drawn, stats.examples_that_count(formulas, arrays, headline), samples)


def _differences(
    board: TaskBoard, index: int, others: list[int], scored: dict[int, _Scored], direction: str
) -> list[Difference]:
    """`_difference` to several rows; all quantiles at once where every resample is defined
    and the direction is plain."""
    import numpy as np

    from zoo.scoring import stats

    if not others:
        return []
    drawn = {number: item.drawn for number, item in scored.items()}
    apart = drawn[index] - np.stack([drawn[other] for other in others])
    if direction not in ("higher", "lower") or not np.isfinite(apart).all():
        return [
            _difference(board, index, other, drawn[index], drawn[other], direction)
            for other in others
        ]
    apart.sort(axis=1)
    bounds = np.stack(
        [_quantile(apart, share) for share in ((1 - stats.LEVEL) / 2, (1 + stats.LEVEL) / 2)],
        axis=1,
    )
    mine = board.rows[index].value(board.spec.headline)
    found = []
    for other, (low, high) in zip(others, bounds.tolist(), strict=True):
        row = board.rows[other]
        value = mine - row.value(board.spec.headline)
        verdict = "tied"
        if low > 0 or high < 0:
            verdict = "better" if (value < 0) == (direction == "lower") else "worse"
        found.append(
            Difference(
                row.entry.id, row.entry.title, value, min(low, value), max(high, value), verdict
            )
        )
    return found


def _quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """`numpy.quantile(..., axis=1)` of rows that are sorted already."""
    at = (ordered.shape[1] - 1) * share
    low = int(at)
    high = min(low + 1, ordered.shape[1] - 1)
    return ordered[:, low] + (at - low) * (ordered[:, high] - ordered[:, low])


def _difference(
    board: TaskBoard,
    index: int,
    other: int,
    mine: np.ndarray,
    theirs: np.ndarray,
    direction: str,
    *,
    values: tuple[float, float] | None = None,
    examples: int | None = None,
) -> Difference:
    """Paired difference of two rows: the interval in the metric's unit, the verdict by
    badness as in `stats.rank_groups`."""
    from zoo.scoring import stats

    headline = board.spec.headline
    first, second = values or (board.rows[index].value(headline), board.rows[other].value(headline))
    bounds = stats.interval(mine - theirs, first - second)
    verdict = "tied"
    if stats.differ(stats.badness(mine, direction), stats.badness(theirs, direction)):
        verdict = "better" if badness(first, direction) < badness(second, direction) else "worse"
    low, high = bounds if bounds is not None else (None, None)
    return Difference(
        board.rows[other].entry.id,
        board.rows[other].entry.title,
        first - second,
        low,
        high,
        verdict,
        examples,
    )
