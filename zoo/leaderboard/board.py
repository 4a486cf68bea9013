"""What the board shows, read from files and checked against each other: entries, peers,
verifications and the cards they name.

A file that does not fit (wrong place, unknown task, undefined metric, invalid card) is left
out and named in `Board.problems`; one bad contribution never takes the board down. The
ranks are made in `zoo.leaderboard.ranks`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import cards, files, registry
from zoo.cards import (
    CardError,
    DatasetCard,
    Entry,
    MetricValue,
    ModelCard,
    PeerTable,
    TaskSpec,
    Verification,
)
from zoo.interfaces.figures import FILE, Figure, FigureFile
from zoo.leaderboard.text import significant, utc

if TYPE_CHECKING:
    import numpy as np

SAFE_PART = re.compile(r"[a-z0-9][a-z0-9_.@\-]*")
KIND_NAMES = {
    "model": "trained model",
    "baseline": "baseline",
    "solver": "physics solver",
    "forecast_centre": "forecast centre",
    "published": "published",
}


class BoardError(ValueError):
    """The board cannot be built at all, or would be written where it must not be."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """Paired difference of two rows' headline scores, `this - other`, with its 95 % interval.

    `verdict` is "better", "worse" or "tied" for this row, by whether the interval of the
    difference *in badness* excludes zero; `examples` is the number of examples that both
    have, where that is not all of them.
    """

    other: str
    title: str
    value: float
    low: float | None
    high: float | None
    verdict: str
    examples: int | None = None


@dataclasses.dataclass(eq=False)
class Row:
    """One entry on the board, with everything that was found about it; a row equals itself
    alone."""

    entry: Entry
    source: str
    sha256: str
    record: Path
    verification: Verification | None = None
    stale: bool = False
    groups: str = "-"
    no_group: str = ""
    coverage: int | None = None
    differences: list[Difference] = dataclasses.field(default_factory=list)
    to_best: Difference | None = None
    samples: dict[str, np.ndarray] = dataclasses.field(default_factory=dict, repr=False)
    """The short table's scores on every resample, by metric."""

    @property
    def name(self) -> str:
        """The last part of the entry's id: unique within its task."""
        return self.entry.model.split("/")[1]

    @property
    def verified(self) -> str:
        """The level reached ("rerun", "rescored", "static"), or "failed", "stale" (the
        entry changed since) or "no"."""
        if self.verification is None:
            return "no"
        if self.stale:
            return "stale"
        return self.verification.level if self.verification.ok else "failed"

    def score(self, metric: str) -> MetricValue | None:
        """The score, or None for a gap."""
        return self.entry.metrics.get(metric)

    def value(self, metric: str) -> float:
        """The score's value, of a row that has the score.

        Raises:
            KeyError: it is a gap.
        """
        return self.entry.metrics[metric].value

    def gap(self, metric: str) -> str:
        """Why there is no score."""
        family = metric.split(".")[0]
        return (
            "declined"
            if metric in self.entry.declined or family in self.entry.declined
            else "absent"
        )


@dataclasses.dataclass
class TaskBoard:
    """The rows of one task version, best first, and the published rows apart.

    `start_months` has the headline family by calendar month of issue `[12][point]` for a
    few rows, where the task can tell (`by_start_month(record)`); `figures` what the best
    few rows' records show besides (`zoo.interfaces.task.Task.figures`). Both by row name.
    """

    spec: TaskSpec
    rows: list[Row]
    peers: PeerTable | None = None
    retired: bool = False
    start_months: dict[str, list[list[float]]] = dataclasses.field(default_factory=dict)
    figures: dict[str, list[Figure]] = dataclasses.field(default_factory=dict)
    detectable: float | None = None
    """The difference from the best row that the test set would show in four of five
    repetitions, for the median row."""

    def decimals(self) -> dict[str, int]:
        """Decimals of every metric of the task: its table column's, else its family's, else by
        the size of the scores."""
        given = {column.metric: column.decimals for column in self.spec.table}
        families = {metric.split(".")[0]: places for metric, places in given.items()}
        found = {}
        for family in self.spec.metric:
            values = [
                score.value
                for row in self.rows
                for name in family.names
                if (score := row.score(name)) is not None
            ]
            for name in family.names:
                found[name] = given.get(name, families.get(family.name, significant(values)))
        return found

    @property
    def key(self) -> str:
        """`<domain>/<task>@<version>`."""
        return self.spec.key

    @property
    def domain(self) -> str:
        """The part before the slash."""
        return self.spec.id.split("/")[0]

    @property
    def kinds(self) -> list[str]:
        """Kinds among the rows and peers, in a fixed order."""
        present = {row.entry.kind for row in self.rows} | {
            peer.kind for peer in (self.peers.row if self.peers else [])
        }
        return [kind for kind in KIND_NAMES if kind in present]

    @property
    def tracks(self) -> list[str]:
        """Tracks that have a row, in the spec's order."""
        present = {row.entry.track for row in self.rows} | {
            peer.track for peer in (self.peers.row if self.peers else [])
        }
        known = [track for track in self.spec.tracks if track in present]
        return known + sorted(track for track in present if track and track not in known)

    def best(self) -> list[Row]:
        """The best row that has a headline score; with tracks, the best of each."""
        found: dict[str | None, Row] = {}
        for row in self.rows:
            if row.score(self.spec.headline) is not None:
                found.setdefault(row.entry.track, row)
        order: dict[str | None, int] = {track: number for number, track in enumerate(self.tracks)}
        return sorted(found.values(), key=lambda row: order.get(row.entry.track, -1))

    def tied(self, row: Row) -> list[Row]:
        """Other grouped rows that share a letter with this one or whose paired difference
        from it covers zero."""
        mine = set(letters(row.groups))
        verdicts = {difference.other: difference.verdict for difference in row.differences}
        return [
            other
            for other in self.rows
            if other is not row
            and (mine & set(letters(other.groups)) or verdicts.get(other.entry.id) == "tied")
        ]


@dataclasses.dataclass
class Board:
    """Everything that the tables and the site are made of."""

    tasks: list[TaskBoard]
    models: dict[str, ModelCard]
    datasets: dict[str, DatasetCard]
    problems: list[str]
    digest: str
    figures: dict[str, list[Figure]] = dataclasses.field(default_factory=dict)
    """What data sets look like, by data set."""

    def rows(self) -> list[tuple[TaskBoard, Row]]:
        """All rows with their task."""
        return [(task, row) for task in self.tasks for row in task.rows]

    def newest(self, limit: int | None = None) -> list[tuple[TaskBoard, Row]]:
        """Rows by date of creation, newest first; ties by id."""
        ordered = sorted(self.rows(), key=lambda pair: pair[1].entry.id)
        ordered.sort(key=lambda pair: utc(pair[1].entry.provenance.created), reverse=True)
        return ordered[:limit]


def letters(groups: str) -> list[str]:
    """The single group letters of "ab" or "z a1": a letter and the digits behind it."""
    return re.findall(r"[a-z]\d*", groups)


def read(
    root: Path | None = None,
    *,
    tasks: Mapping[str, TaskSpec] | None = None,
    models: Mapping[str, ModelCard] | None = None,
    datasets: Mapping[str, DatasetCard] | None = None,
    only: str | None = None,
) -> Board:
    """The board under `root` (default: this installation's files), checked but not yet ranked.

    Cards come from the registry; with another root they come from that folder
    (`benchmarks/*/*.toml`, `datasets/*/*/card.toml`, `zoo/*/weights/*.toml`), or as given.
    With `only`, entries of that task version (`<task>@<version>`) alone.
    """
    problems: list[str] = []
    here = root is None
    root = files.share() if root is None else Path(root)
    if tasks is None:
        tasks = (
            registry.tasks() if here else _cards(root, "benchmarks/*/*.toml", TaskSpec, problems)
        )
    if datasets is None:
        datasets = (
            registry.datasets()
            if here
            else _cards(root, "datasets/*/*/card.toml", DatasetCard, problems)
        )
    if models is None:
        models = (
            registry.models() if here else _cards(root, "zoo/*/weights/*.toml", ModelCard, problems)
        )
    digest = hashlib.sha256()
    boards: dict[str, TaskBoard] = {spec.key: TaskBoard(spec, []) for spec in tasks.values()}
    for path in _sorted(root / "leaderboard" / "entries" / (only or ""), "*.json"):
        _collect(digest, root, path)
        row = _row(root, path, tasks, problems)
        if row is not None:
            _board_of(boards, tasks, row.entry.task, row.entry.task_version).rows.append(row)
    for path in _sorted(root / "leaderboard" / "peers", "*.toml"):
        _collect(digest, root, path)
        _add_peers(root, path, boards, tasks, problems)
    rows = {row.source.split("/", 2)[2]: row for board in boards.values() for row in board.rows}
    for path in _sorted(root / "leaderboard" / "verified", "*.json"):
        _collect(digest, root, path)
        _add_verification(root, path, rows, problems)
    figures: dict[str, list[Figure]] = {}
    for card in datasets.values():
        path = root / "datasets" / card.id / FILE
        if path.is_file():
            _collect(digest, root, path)
            figures[card.id] = _figures(root, path, card, problems)
    for card in [*tasks.values(), *models.values(), *datasets.values()]:
        digest.update(cards.dump(card).encode())
    for board in boards.values():
        _sort(board)
    ordered = sorted(
        boards.values(), key=lambda board: (board.retired, board.spec.id, -board.spec.version)
    )
    return Board(
        ordered,
        dict(sorted(models.items())),
        dict(sorted(datasets.items())),
        problems,
        digest.hexdigest(),
        figures,
    )


def place(identifier: str) -> str:
    """An id as a relative path without suffix, after a check that it stays below its folder.

    Raises:
        BoardError: the id has a part that is no plain name.
    """
    for part in identifier.split("/"):
        if not SAFE_PART.fullmatch(part) or ".." in part:
            raise BoardError(
                f"{identifier!r} cannot name a page: {part!r} is not made of a-z, 0-9, '_', '-', "
                "'.', '@'"
            )
    return identifier


def _cards(root: Path, glob: str, kind: type[Any], problems: list[str]) -> dict[str, Any]:
    found = {}
    for path in sorted(root.glob(glob)):
        try:
            card = cards.read(path, kind)
            found[place(card.id)] = card
        except (CardError, BoardError) as error:
            problems.append(_below(root, str(error)))
    return found


def _sorted(folder: Path, glob: str) -> Iterable[Path]:
    return sorted(path for path in folder.rglob(glob) if path.is_file())


def _collect(digest: Any, root: Path, path: Path) -> None:
    digest.update(f"{path.relative_to(root).as_posix()} {files.sha256(path)}\n".encode())


def _below(root: Path, message: str) -> str:
    """A message without the place where the checkout happens to lie: the site must not
    depend on it."""
    return message.replace(f"{root}/", "")


def _row(root: Path, path: Path, tasks: Mapping[str, TaskSpec], problems: list[str]) -> Row | None:
    source = path.relative_to(root).as_posix()
    try:
        entry = cards.read(path, Entry)
        if source != f"leaderboard/entries/{place(entry.id)}.json":
            raise CardError(
                f"{source}: its id {entry.id!r} belongs to leaderboard/entries/{entry.id}.json"
            )
        if entry.task not in tasks:
            raise CardError(f"{source}: no task is called {entry.task!r}")
        spec = tasks[entry.task]
        if entry.task_version > spec.version:
            raise CardError(
                f"{source}: {entry.task} has no version {entry.task_version}; the newest is "
                f"{spec.version}"
            )
        if entry.task_version == spec.version:
            defined = {name for metric in spec.metric for name in metric.names}
            if unknown := sorted(set(entry.metrics) - defined):
                raise CardError(
                    f"{source}: task {spec.key} does not define metric {', '.join(unknown)}"
                )
        if both := sorted(set(entry.metrics) & set(entry.declined)):
            raise CardError(f"{source}: {', '.join(both)} is both scored and declined")
    except (CardError, BoardError) as error:
        problems.append(_below(root, str(error)))
        return None
    return Row(entry, source, files.sha256(path), path.parent / entry.record)


def _board_of(
    boards: dict[str, TaskBoard], tasks: Mapping[str, TaskSpec], task: str, version: int
) -> TaskBoard:
    """The board of a task version; an older version is shown as retired, with the newest
    version's text."""
    key = f"{task}@{version}"
    if key not in boards:
        boards[key] = TaskBoard(
            tasks[task].model_copy(update={"version": version}), [], retired=True
        )
    return boards[key]


def _add_peers(
    root: Path,
    path: Path,
    boards: dict[str, TaskBoard],
    tasks: Mapping[str, TaskSpec],
    problems: list[str],
) -> None:
    source = path.relative_to(root).as_posix()
    try:
        table = cards.read(path, PeerTable)
        if source != f"leaderboard/peers/{place(table.task)}@{table.task_version}.toml":
            raise CardError(
                f"{source}: it is about {table.task}@{table.task_version}, so it belongs to "
                "another place"
            )
        if table.task not in tasks or table.task_version > tasks[table.task].version:
            raise CardError(f"{source}: there is no task {table.task}@{table.task_version}")
        board = _board_of(boards, tasks, table.task, table.task_version)
        if not board.retired:
            defined = {name for metric in board.spec.metric for name in metric.names}
            if unknown := sorted({name for row in table.row for name in row.metrics} - defined):
                raise CardError(
                    f"{source}: task {board.key} does not define metric {', '.join(unknown)}"
                )
        board.peers = table
    except (CardError, BoardError) as error:
        problems.append(_below(root, str(error)))


def _add_verification(root: Path, path: Path, rows: Mapping[str, Row], problems: list[str]) -> None:
    source = path.relative_to(root).as_posix()
    try:
        verification = cards.read(path, Verification)
        row = rows.get(source.split("/", 2)[2])
        if row is None or row.entry.id != verification.entry:
            raise CardError(
                f"{source}: no entry {verification.entry!r} lies at the same path below "
                "leaderboard/entries"
            )
        row.verification = verification
        row.stale = verification.entry_sha256 != row.sha256
    except CardError as error:
        problems.append(_below(root, str(error)))


def _figures(root: Path, path: Path, card: DatasetCard, problems: list[str]) -> list[Figure]:
    """The pictures of a data set, if they were made from the files that its card names."""
    source = path.relative_to(root).as_posix()
    try:
        found = cards.read(path, FigureFile)
        known = {file.name: file.sha256 for file in card.file}
        if found.dataset != card.id:
            raise CardError(f"{source}: its pictures are of {found.dataset}")
        if other := sorted(
            name for name, digest in found.made_from.items() if known.get(name) != digest
        ):
            raise CardError(
                f"{source}: made from another {', '.join(other)} than the card's; `zoo figures "
                f"{card.id} --format json` makes it anew"
            )
    except CardError as error:
        problems.append(_below(root, str(error)))
        return []
    return found.figure


def badness(value: float, direction: str) -> float:
    """A score turned so that smaller is better (as `zoo.scoring.stats.badness`, for one
    number and without numpy)."""
    return {
        "higher": -value,
        "lower": value,
        "nearer_one": abs(value - 1),
        "nearer_zero": abs(value),
    }[direction]


def _sort(board: TaskBoard) -> None:
    headline = board.spec.headline
    direction = board.spec.metric_of(headline).direction

    def key(row: Row) -> tuple[float, str]:
        score = row.score(headline)
        return (badness(score.value, direction) if score is not None else math.inf, row.name)

    board.rows.sort(key=key)
