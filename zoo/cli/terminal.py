"""What the commands share of the terminal: the console, the progress of transfers, the
option `--json`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from zoo.files import Progress

AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def console() -> Console:
    """The console of tables: plain text where nobody looks."""
    from rich.console import Console

    return Console(highlight=False)


def progress(unit: str = "bytes") -> contextlib.AbstractContextManager[Progress]:
    """A context that gives a callback `(name, done, total)`: a bar on a terminal, a line
    every tenth otherwise.

    Args:
        unit: what is counted; bytes are shown as kB, MB, GB.
    """
    return _bars(unit) if sys.stderr.isatty() else _lines(unit)


@contextlib.contextmanager
def _lines(unit: str) -> Iterator[Progress]:
    last_tenth: dict[str, int] = {}

    def line(name: str, done: int, total: int) -> None:
        tenth = 10 * done // max(total, 1)
        if last_tenth.get(name) != tenth:
            last_tenth[name] = tenth
            print(f"{name}: {done}/{total} {unit}", file=sys.stderr, flush=True)

    yield line


@contextlib.contextmanager
def _bars(unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    count = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        count,
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def update(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done)

        yield update
