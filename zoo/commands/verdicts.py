"""Many entries verified one after the other: one that cannot be checked does not keep the
others from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from zoo import cards, files, registry
from zoo.cards import Verification
from zoo.commands import verify


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found about one entry.

    Attributes:
        path: the entry's file.
        verification: what was obtained; None where nothing could be.
        error: why nothing could be obtained.
        files_lack: whether that is only because files or packages cannot be had here.
    """

    path: Path
    verification: Verification | None = None
    error: Exception | None = None
    files_lack: bool = False

    @property
    def failed(self) -> bool:
        """Whether something is wrong with the entry."""
        return not self.files_lack and (self.verification is None or not self.verification.ok)

    def lines(self) -> list[str]:
        """The verdict in words, and below it each problem."""
        found = self.verification
        if found is None:
            return [f"{'NOT RUN' if self.files_lack else 'FAILED'} {self.path}: {self.error}"]
        largest = f"largest relative difference {found.largest_relative_difference:.2g}"
        return [
            f"{'ok    ' if found.ok else 'FAILED'} {found.entry}: {found.level}, {largest}",
            *(f"       {problem}" for problem in found.problems),
        ]


def verdicts(
    paths: Iterable[Path],
    *,
    level: str,
    run_code: bool = False,
    install: bool = False,
    write: Path | None = None,
) -> Iterator[Verdict]:
    """One verdict per entry, each given as soon as it is there.

    Args:
        paths: of entries.
        level: "static", "rescored" or "rerun".
        run_code: whether a re-run may execute the Python file beside an entry.
        install: whether packages that entries name are installed.
        write: folder under which verifications are written (`leaderboard/verified`).
    """
    for path in paths:
        try:
            if install:
                verify.install(path)
            found = verify.verify(path, level=level, run_code=run_code)
        except files.FileMissing as error:
            yield Verdict(path, error=error, files_lack=True)
            continue
        except (cards.CardError, registry.UnknownName, verify.CodeNotTrusted) as error:
            yield Verdict(path, error=error)
            continue
        if write is not None:
            verify.write(found, write)
        yield Verdict(path, found)
