"""What a maintainer's machine does with a pull request and after it: which changes it may
bring, which entries wait for a re-run, which verifications are taken in. The workflows in
`.github/workflows` only call this.

A pull request that adds an entry may add that entry's own files and nothing else;
verifications are written by the trusted workflow alone. The rules are applied by the code
of the *base* branch to the files of the pull request, so that a pull request cannot change
the rules by which it is judged, and nothing that it brings is run.
"""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from zoo import cards, files, registry
from zoo.cards import (
    CardError,
    DatasetCard,
    Entry,
    ModelCard,
    PeerTable,
    TaskSpec,
    Verification,
    WeightFile,
)
from zoo.commands import claims, verify

ENTRIES, VERIFIED = "leaderboard/entries/", "leaderboard/verified/"
OWN_FILE = re.compile(
    rf"{ENTRIES}({cards.NAME}/{cards.NAME}@\d+/{cards.NAME}(?:\.{cards.NAME})?)(\.json|\.record\.zarr\.zip|\.py)"
)
CARDS = (
    (re.compile(r"zoo/[^/]+/weights/[^/]+\.toml"), ModelCard),
    (re.compile(r"benchmarks/[^/]+/[^/]+\.toml"), TaskSpec),
    (re.compile(r"datasets/[^/]+/[^/]+/card\.toml"), DatasetCard),
    (re.compile(r"leaderboard/peers/[^/]+/[^/]+\.toml"), PeerTable),
)
NO_FILE = "000000"


@dataclasses.dataclass(frozen=True)
class Change:
    """One changed path: its git modes before and after (`000000`: not there)."""

    path: str
    before: str
    after: str

    @property
    def word(self) -> str:
        """What happened, for a message."""
        return (
            "added" if self.before == NO_FILE else "deleted" if self.after == NO_FILE else "edited"
        )


@dataclasses.dataclass(frozen=True)
class Review:
    """What a pull request changes and what is wrong with that; the entries that it brings
    are still to be verified."""

    changes: list[Change]
    entries: list[Path]
    problems: list[str]


def git(repo: Path, *arguments: str) -> str:
    """What a git command prints.

    Raises:
        ValueError: git said no; its own words.
    """
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"git {' '.join(arguments)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def changes(repo: Path, base: str) -> list[Change]:
    """What the working tree of `repo` changes since it left `base`, with files below
    leaderboard/ that are not yet added."""
    start = git(repo, "merge-base", base, "HEAD").strip()
    parts = git(
        repo, "diff", "--raw", "-z", "--no-renames", "--no-ext-diff", "--abbrev=40", start
    ).split("\0")
    found = {}
    for about, path in zip(parts[:-1:2], parts[1::2], strict=True):
        before, after, *_ = about.lstrip(":").split()
        found[path] = Change(path, before, after)
    for path in filter(
        None,
        git(repo, "ls-files", "--others", "--exclude-standard", "-z", "leaderboard").split("\0"),
    ):
        target = repo / path
        mode = (
            "120000"
            if target.is_symlink()
            else "100755"
            if target.stat().st_mode & 0o111
            else "100644"
        )
        found[path] = Change(path, found[path].before if path in found else NO_FILE, mode)
    return [found[path] for path in sorted(found)]


def review(repo: Path, base: str, *, author: str | None = None) -> Review:
    """Whether a pull request changes only what it may.

    Args:
        repo: a checkout of the pull request; nothing in it is run.
        base: the branch that it is to be merged into, e.g. `origin/main`.
        author: who opened it, e.g. `github:ada`; a new entry must be theirs, and an entry
            of theirs they may replace.
    """
    found = changes(repo, base)
    problems, stems = [], set()
    entry_request = any(change.path.startswith(ENTRIES) for change in found)
    for change in found:
        problems += _mode_problems(change)
        if change.path.startswith(VERIFIED):
            problems.append(
                f"{change.path}: {change.word}; verifications are written by the maintainers' "
                "re-run, never in a pull request"
            )
        elif not change.path.startswith(ENTRIES):
            if entry_request:
                problems.append(
                    f"{change.path}: {change.word}; a pull request that brings an entry changes "
                    "nothing else: open another one"
                )
            elif change.after != NO_FILE:
                problems += _content_problems(repo, change.path)
        elif (own := OWN_FILE.fullmatch(change.path)) is None:
            problems.append(
                f"{change.path}: {change.word}; an entry is <domain>/<task>@<version>/<model> "
                "with .json, .record.zarr.zip and perhaps .py"
            )
        elif change.after == NO_FILE:
            problems.append(
                f"{change.path}: deleted; entries stay (a newer version of the task retires them)"
            )
        else:
            stems.add(own[1])
            if change.before != NO_FILE:
                problems += _replaced_problems(repo, base, change, own[1], author)
            if change.after == "100644":
                problems += claims.file_problems(repo / change.path, change.path)
    entries = []
    for stem in sorted(stems):
        path = repo / ENTRIES / f"{stem}.json"
        if path.is_file() and not path.is_symlink():
            entries.append(path)
            problems += _entry_problems(repo, path, author, {change.path for change in found})
        else:
            problems.append(f"{ENTRIES}{stem}: has no entry, {stem}.json")
    return Review(found, entries, list(dict.fromkeys(problems)))


def _mode_problems(change: Change) -> list[str]:
    if change.after == "120000":
        return [f"{change.path}: is a symbolic link"]
    if change.after == "160000":
        return [f"{change.path}: is a submodule, whose files nobody reviews here"]
    if change.after == "100755" and change.path.startswith("leaderboard/"):
        return [f"{change.path}: is executable"]
    return []


def _content_problems(repo: Path, name: str) -> list[str]:
    """Of a pull request without entries: cards that do not follow their schema (weights
    without https:// or hash), pickles."""
    path = repo / name
    if path.is_symlink() or not path.is_file():
        return []
    content = path.read_bytes()
    problems = (
        []
        if name.startswith("tests/")
        else [f"{name}: {why}" for why in claims.pickle_problems(content, name)]
    )
    for pattern, kind in CARDS:
        if pattern.fullmatch(name):
            try:
                card = cards.read(path, kind)
            except CardError as error:
                return [*problems, str(error).replace(f"{repo}/", "")]
            listed = [*card.weights, *card.shared] if isinstance(card, ModelCard) else []
            for weight in listed:
                field = "weights" if isinstance(weight, WeightFile) else "shared"
                beside = path.with_name(weight.file)
                if beside.is_symlink() or (
                    beside.is_file() and files.sha256(beside) != weight.sha256
                ):
                    problems.append(
                        f"{name}: {field}.sha256 of {weight.file} is not that of the file"
                    )
                elif not beside.is_file() and not weight.urls:
                    problems.append(
                        f"{name}: {field}.file {weight.file} is neither beside the card nor at an "
                        "https:// address"
                    )
    return problems


def _replaced_problems(
    repo: Path, base: str, change: Change, stem: str, author: str | None
) -> list[str]:
    """An entry may be replaced by who made it."""
    try:
        before = git(
            repo, "show", f"{git(repo, 'merge-base', base, 'HEAD').strip()}:{ENTRIES}{stem}.json"
        )
        owner = cards.parse(json.loads(before), Entry, where=change.path).provenance.submitted_by
    except ValueError:
        owner = "somebody"
    return (
        []
        if author is not None and owner == author
        else [f"{change.path}: edited; it is an entry of {owner}"]
    )


def _entry_problems(repo: Path, path: Path, author: str | None, changed: set[str]) -> list[str]:
    name = path.relative_to(repo).as_posix()
    try:
        entry = cards.read(path, Entry)
    except CardError:
        return []  # told by `zoo.commands.verify`
    problems = []
    if name not in changed:
        problems.append(f"{name}: its record or code changed, the entry did not")
    if author is not None and entry.provenance.submitted_by != author:
        problems.append(
            f"{name}: provenance.submitted_by: claimed {entry.provenance.submitted_by}, the pull "
            f"request is by {author}"
        )
    stray = (
        [f"{name.removesuffix('.json')}.py"]
        if entry.code is None or entry.code.file is None
        else []
    )
    problems += [f"{one}: no field of the entry names it" for one in stray if one in changed]
    commit = entry.environment.commit
    if commit is None:
        problems.append(
            f"{name}: environment.commit: missing; run `zoo submit` in a clone, so that the code "
            "can be found"
        )
    elif subprocess.run(
        ["git", "-C", str(repo), "merge-base", "--is-ancestor", commit, "HEAD"], capture_output=True
    ).returncode:
        problems.append(
            f"{name}: environment.commit: {commit} is no commit of this history, so the code "
            "cannot be found"
        )
    return problems


# ---------------------------------------------------------------------------------- after the merge


def pending(root: Path | None = None) -> list[str]:
    """Ids of entries of current task versions without a re-run of their present file, in order."""
    root = files.share() if root is None else root
    current = {spec.key for spec in registry.tasks().values()}
    waiting = []
    for path in sorted((root / ENTRIES).rglob("*.json")):
        name = path.relative_to(root / ENTRIES)
        if name.parent.as_posix() not in current:
            continue
        try:
            known = cards.read(root / VERIFIED / name, Verification)
            done = known.level == "rerun" and known.entry_sha256 == files.sha256(path)
        except (CardError, OSError):
            done = False
        if not done:
            waiting.append(name.as_posix().removesuffix(".json"))
    return waiting


def accept(
    folder: Path, expected: Iterable[str], *, root: Path | None = None
) -> tuple[list[Path], list[str]]:
    """Takes verifications of a re-run into `leaderboard/verified`: (files written, why
    others were refused).

    The re-run may have executed a stranger's code, so what it left is read as a claim, too:
    only the entries that were to be run, only of their present files, and "ok" only where
    every number says so.

    Args:
        folder: what the re-run job wrote, each at `<entry id>.json`.
        expected: ids of the entries that it was to run.
        root: the checkout; default this one.
    """
    root = files.share() if root is None else root
    expected = set(expected)
    written, refused = [], []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(folder).as_posix()
        problems = claims.file_problems(path, name)
        if not problems and name.removesuffix(".json") not in expected:
            problems = [f"{name}: no entry that was to be re-run"]
        problems = problems or _verification_problems(path, name, root)
        if problems:
            refused += problems
            continue
        target = root / VERIFIED / name
        files.copy(path, target)
        written.append(target)
    return written, refused


def accept_jobs(
    folder: Path, expected: list[str], *, root: Path | None = None
) -> tuple[list[Path], list[str]]:
    """`accept` for jobs that ran one entry each: what job k left lies in
    `<folder>/<name>-k` and may speak of `expected[k]` alone."""
    written, refused = [], []
    for left in sorted(folder.iterdir()):
        _, _, number = left.name.rpartition("-")
        if (
            not left.is_dir()
            or left.is_symlink()
            or not number.isdecimal()
            or int(number) >= len(expected)
        ):
            refused.append(f"{left.name}: is not what one of {len(expected)} jobs left")
            continue
        more, why = accept(left, [expected[int(number)]], root=root)
        written += more
        refused += [f"{left.name}/{problem}" for problem in why]
    return written, refused


def checksums(paths: Iterable[Path], *, root: Path | None = None) -> str:
    """Lines `sha256  path` of files in a checkout, as `sha256sum` writes them."""
    root = files.share() if root is None else root
    return "".join(f"{files.sha256(path)}  {path.relative_to(root).as_posix()}\n" for path in paths)


def _verification_problems(path: Path, name: str, root: Path) -> list[str]:
    try:
        found = cards.read(path, Verification)
        entry = cards.read(root / ENTRIES / name, Entry)
    except (CardError, OSError) as error:
        return [f"{name}: {error}"]
    problems = [
        f"{field}: {why}"
        for field, value in claims.walk(found.model_dump(mode="json"))
        if isinstance(value, str)
        for why in claims.text_problems(value)
    ]
    facts = [
        ("entry", found.entry, entry.id),
        ("entry_sha256", found.entry_sha256, files.sha256(root / ENTRIES / name)),
        ("level", found.level, "rerun" if found.ok else found.level),
    ]
    problems += [
        f"{field}: claimed {claimed}, it is {true}"
        for field, claimed, true in facts
        if claimed != true
    ]
    tolerance = registry.task(entry.task).tolerance
    if found.ok:
        if found.problems:
            problems.append("ok: claimed although problems are listed")
        if missing := sorted(entry.metrics.keys() ^ found.metrics.keys()):
            problems.append(
                f"metrics.{missing[0]}: claimed ok, but not in both the entry and the verification"
            )
        for metric, pair in found.metrics.items():
            if metric in entry.metrics and pair.claimed != entry.metrics[metric].value:
                problems.append(
                    f"metrics.{metric}.claimed: {pair.claimed:.8g}, the entry says "
                    f"{entry.metrics[metric].value:.8g}"
                )
            if (apart := verify.relative_difference(pair.claimed, pair.obtained)) > tolerance:
                problems.append(
                    f"metrics.{metric}.obtained: claimed ok, but {apart:.2g} apart (tolerance "
                    f"{tolerance:g})"
                )
    return [f"{name}: {problem}" for problem in problems]
