"""Earlier states of a task's and its dataset's card: what an entry's protocol was when it was made.

Read from the clone's own git history; an installed wheel has none, and gets empty answers.
"""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from zoo import files, registry
from zoo.cards import Card, CardError, DatasetCard, Entry, TaskSpec
from zoo.scoring import protocol

MOST = 300
"""Commits that are looked through, the newest first."""
SHOWN = 6
"""Differences that a message names."""
CardT = TypeVar("CardT", bound=Card)


def commits(repo: Path, *paths: str) -> list[str]:
    """The commits that changed any of some paths, the newest first; none without git or a clone."""
    try:
        done = subprocess.run(
            ["git", "-C", str(repo), "log", "--format=%H", f"--max-count={MOST}", "--", *paths],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        return []
    return done.stdout.split() if done.returncode == 0 else []


def content(repo: Path, revision: str, path: str) -> bytes | None:
    """The bytes of a file at a commit; None where it was not there."""
    done = subprocess.run(
        ["git", "-C", str(repo), "show", f"{revision}:{path}"], capture_output=True
    )
    return done.stdout if done.returncode == 0 else None


def read_old(text: bytes, kind: type[CardT]) -> CardT:
    """A card of an earlier time: keys that today's format no longer has are left out.

    Raises:
        CardError: it is no such card for another reason.
    """
    try:
        plain = tomllib.loads(text.decode())
    except ValueError as error:
        raise CardError(f"no TOML: {error}") from error
    for _ in range(20):
        try:
            return kind.model_validate(plain)
        except pydantic.ValidationError as error:
            unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
            if not unknown:
                raise CardError(f"no {kind.__name__} even without unknown keys: {error}") from error
            for location in unknown:
                _remove(plain, location)
    raise CardError(f"no {kind.__name__}: unknown keys below unknown keys")


def _remove(plain: Any, location: tuple[int | str, ...]) -> None:
    for part in location[:-1]:
        plain = plain[part]
    plain.pop(location[-1], None)


def protocol_at(
    repo: Path, revision: str, task: str, row: str | None = None
) -> dict[str, Any] | None:
    """The protocol of a task at a commit; None where a card was not there or cannot be read."""
    spec = content(repo, revision, f"benchmarks/{task}.toml")
    try:
        then = None if spec is None else read_old(spec, TaskSpec)
        card = (
            None if then is None else content(repo, revision, f"datasets/{then.dataset}/card.toml")
        )
        return (
            None
            if then is None or card is None
            else protocol.protocol(then, read_old(card, DatasetCard), row)
        )
    except CardError:
        return None


def history(
    repo: Path, task: str, dataset: str, row: str | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(commit, protocol) of every committed state of both cards, the newest first."""
    for revision in commits(repo, f"benchmarks/{task}.toml", f"datasets/{dataset}/card.toml"):
        found = protocol_at(repo, revision, task, row)
        if found is not None:
            yield revision, found


def mismatch(entry: Entry) -> str:
    """Why an entry's protocol hash is not today's, as far as can be told, and what to type next."""
    spec = registry.task(entry.task)
    card = registry.dataset(spec.dataset)
    today = protocol.protocol(spec, card, entry.model)
    again = f"zoo bench {spec.id} --model {entry.model} --entries leaderboard/entries"
    if entry.code is not None and entry.code.factory is not None:
        module, _, function = entry.code.factory.partition(":")
        again = f"zoo submit {spec.id} --model {entry.code.file or module}:{function}"
    return (
        f"claimed {entry.hashes.protocol}, that of {spec.key} is {protocol.sha256_of(today)}; "
        f"{_why(entry, spec, card, today)}; run it again: `{again}`"
    )


def _why(entry: Entry, spec: TaskSpec, card: DatasetCard, today: dict[str, Any]) -> str:
    wanted = entry.hashes.protocol
    if protocol.sha256_of(today | {"version": entry.task_version}) == wanted:
        return f"it was made under version {entry.task_version}; nothing else differs"
    if protocol.protocol_sha256(spec, card) == wanted:
        return "it is the hash of the task with every baseline; an entry binds its own row alone"
    repo = files.share()
    if not (repo / ".git").exists():
        return (
            "what differs is told in a clone of the project, whose history holds the earlier cards"
        )
    for revision, then in history(repo, entry.task, spec.dataset, entry.model):
        if protocol.sha256_of(then) == wanted:
            changed = protocol.differences(then, today)
            more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            told = ", ".join(changed[:SHOWN]) + more
            return f"it was made under the cards of commit {revision[:12]}, since when: {told}"
    return "no committed state of the task's and the dataset's card has it"
