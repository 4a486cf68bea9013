"""`zoo submit TASK --model MODEL`: from a model to a branch that is ready for a pull request.

Benches the model (ours, a plug-in's, or a local `module:factory`), writes the entry with
its record, does what the reviewer will do (static checks, rescoring, re-run, own-files-only
diff against main), says where the row would stand, and prints the git commands.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import re
import shlex
import sys
from pathlib import Path

from zoo import cards, files, registry
from zoo.cards import CodeSource, Entry, TaskSpec, Verification, read
from zoo.commands import entry_code, review, verify
from zoo.commands.bench import entry as entries
from zoo.commands.bench import predictor
from zoo.commands.bench.row import BenchEvents, TaskResult
from zoo.commands.bench.run import bench_one
from zoo.leaderboard import board as boards
from zoo.leaderboard import ranks
from zoo.scoring import environment


@dataclasses.dataclass(frozen=True)
class Submission:
    """What a submission came to.

    `problems` names everything that a reviewer would refuse; `commands` are the git
    commands that are left to type, none while there are problems.
    """

    entry: Path
    files: list[Path]
    verification: Verification
    problems: list[str]
    standing: str
    commands: list[str]


def submit(
    task: str,
    model: str,
    *,
    name: str | None = None,
    title: str | None = None,
    track: str | None = None,
    note: str | None = None,
    submitted_by: str | None = None,
    base: str | None = None,
    level: str = "rerun",
    events: BenchEvents | None = None,
) -> Submission:
    """Benches one model on one task and prepares the pull request.

    Args:
        task: the task's id.
        model: the name of a model, or `module:factory`, or `path/to/file.py:factory`;
            `factory(task)` gives what predicts.
        name: for a factory: the row's name, `<name>` or `<architecture>.<tag>`; default the
            factory's.
        title: for a factory: what the board shows.
        track: for a factory: one of the task's tracks, where it has some.
        note: one sentence for the entry's page.
        submitted_by: `github:<login>`; default from git's configuration.
        base: the branch that the pull request goes to; default `origin/main`, else `main`.
        level: how far the check climbs; the reviewer's re-runs.
        events: called as the run goes on.

    Raises:
        zoo.registry.UnknownName: no such task or model.
        zoo.files.FileMissing: the task's data or the model's weights cannot be had.
        ValueError: the checkout is dirty, or this is none; the message says what to do.
    """
    spec = registry.task(task)
    root = _clone()
    candidate = (
        _from_factory(spec, model, name, title, track, note)
        if ":" in model
        else _by_name(spec, model, name, title, track)
    )
    own = _code_path(model) if ":" in model else None
    _require_clean(root, own)
    submitted_by = submitted_by or _login(root)
    result = bench_one(spec, candidate, all_seeds=True, measure=True, events=events)
    _require_row(result, candidate[0])
    source = f"{own.name}:{model.rpartition(':')[2]}" if own else model
    options = {"--model": source, "--name": name, "--title": title, "--track": track}
    (path,) = entries.write_entries(
        result,
        root / review.ENTRIES,
        command=_command(task, options),
        submitted_by=submitted_by,
        note=note,
    )
    entry = read(path, Entry)
    beside = [entry.record, *([entry.code.file] if entry.code and entry.code.file else [])]
    written = [path, *(path.with_name(file) for file in beside)]
    mine = {one.relative_to(root).as_posix() for one in written}
    verification = verify.verify(path, level=level, run_code=True)
    base = base or _base(root)
    problems = verification.problems + _of_request(
        review.review(root, base, author=submitted_by), mine
    )
    commands = [] if problems else _commands(root, base, entry, sorted(mine))
    return Submission(path, written, verification, problems, standing(spec, entry), commands)


def _clone() -> Path:
    root = files.share()
    if not (root / ".git").exists():
        raise ValueError(
            f"{root} is no clone of the project; an entry names the commit of its code: git "
            "clone, pip install -e ., again"
        )
    return root


def _require_clean(root: Path, own: Path | None) -> None:
    if environment.checkout_state(root, known=[own] if own else [])[1]:
        raise ValueError(
            "the entry names the commit of its code, and this clone has changes that are not "
            "committed: `git status`, commit"
        )


def _require_row(result: TaskResult, model: str) -> None:
    if not result.rows:
        lacking = [*result.unavailable, *(reason for _, reason in result.skipped)]
        raise files.FileMissing("\n".join(lacking) or f"{model} gave no row on {result.spec.id}")
    if not result.rows[0].predictor.publishable:
        raise ValueError(
            f"the record of {model} would repeat data that may not be shipped; it has no entry"
        )


def _command(task: str, options: dict[str, str | None]) -> str:
    """The command that makes the entry again."""
    given = [part for option, value in options.items() if value for part in (option, value)]
    return shlex.join(["zoo", "submit", task, *given])


def _of_request(reviewed: review.Review, mine: set[str]) -> list[str]:
    """A review's problems with the files of this entry, or with anything that the pull
    request would bring along."""
    brought = mine | {
        change.path
        for change in reviewed.changes
        if change.path.startswith("leaderboard/") or change.before != review.NO_FILE
    }
    return [problem for problem in reviewed.problems if problem.partition(":")[0] in brought]


def _by_name(
    spec: TaskSpec, model: str, name: str | None, title: str | None, track: str | None
) -> predictor.Candidate:
    if given := [
        option
        for option, value in (("--name", name), ("--title", title), ("--track", track))
        if value is not None
    ]:
        raise ValueError(
            f"{', '.join(given)} belongs to a `module:factory`; the card of {model} says these "
            "already"
        )
    found = {candidate[0]: candidate for candidate in predictor.predictors(spec)}
    if model not in found:
        raise registry.UnknownName(
            f"{spec.id} has no model or baseline {model!r}; {registry.did_you_mean(model, found)} "
            "A model of your own is `module:factory`."
        )
    return found[model]


def _code_path(model: str) -> Path | None:
    """The file of a factory that lies in one file; None for an installed package's.

    Raises:
        ImportError: there is no such module, or it is part of a package that is not installed.
    """
    where, _, _ = model.rpartition(":")
    if where.endswith(".py"):
        path = Path(where)
        if not path.is_file():
            raise ImportError(f"there is no file {where}")
        return path.resolve()
    top = where.partition(".")[0]
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    found = importlib.util.find_spec(top)
    if found is None:
        raise ImportError(
            f"there is no module {top!r} here or installed; `path/to/file.py:factory` names a file"
        )
    local = found.origin is not None and Path(found.origin).parent == Path.cwd()
    if not local and importlib.metadata.packages_distributions().get(top):
        return None
    if found.origin is None or found.submodule_search_locations is not None:
        raise ImportError(
            f"{top!r} is a folder of several files that is not installed: `pip install` it, or "
            "put the factory in one file"
        )
    return Path(found.origin).resolve()


def _from_factory(
    spec: TaskSpec,
    model: str,
    name: str | None,
    title: str | None,
    track: str | None,
    note: str | None,
) -> predictor.Candidate:
    where, _, function = model.rpartition(":")
    path = _code_path(model)
    name = name or function.lower().strip("_")
    if not re.fullmatch(rf"{cards.NAME}(\.{cards.NAME})?", name):
        raise ValueError(
            f"name {name!r} is not made of a-z, 0-9, '_' and '-', perhaps with one '.': --name"
        )
    if spec.tracks and track not in spec.tracks:
        raise ValueError(
            f"track {track!r} is none of {spec.id}: --track with one of {', '.join(spec.tracks)} "
            f"(`zoo info {spec.id}`)"
        )
    identifier = f"{spec.id.split('/')[0]}/{name}"
    if identifier in registry.models() or identifier in {baseline.id for baseline in spec.baseline}:
        raise ValueError(f"{identifier} is the name of another model: choose your own with --name")
    if path is None:
        (owner, *_) = importlib.metadata.packages_distributions()[where.partition(".")[0]]
        code = predictor.package_source(owner, where, factory=f"{where}:{function}")
    else:
        code = CodeSource(
            factory=f"{path.stem}:{function}", file=f"{name}.py", sha256=files.sha256(path)
        )

    def factory(task):
        made = registry.resolve(code.factory) if path is None else entry_code.load_file(path, code)
        return made(task)

    return predictor.from_factory(
        identifier,
        factory,
        title=title or name.replace("_", " "),
        track=track,
        note=note,
        code=code,
        code_path=path,
    )


def standing(spec: TaskSpec, entry: Entry) -> str:
    """One sentence: where the row stands among the entries that are here, by headline score
    and paired difference."""
    task = next(task for task in boards.read(only=spec.key).tasks if task.spec.key == spec.key)
    ranks.rank_task(task, [])
    place = next(number for number, row in enumerate(task.rows, 1) if row.entry.id == entry.id)
    row = task.rows[place - 1]
    if row.score(spec.headline) is None:
        return f"no {spec.headline}, so no place among {len(task.rows)} rows"
    tied = [other.entry.title for other in task.tied(row)]
    ties = (
        f", tied with {', '.join(tied[:5])}{' and others' if len(tied) > 5 else ''}" if tied else ""
    )
    return f"place {place} of {len(task.rows)} by {spec.headline}, group {row.groups}{ties}"


def _login(root: Path) -> str:
    """`github:<login>` from git's own settings, else the name of its user.

    Raises:
        ValueError: git knows neither.
    """
    for key, prefix in (("github.user", "github:"), ("user.name", "")):
        try:
            if value := review.git(root, "config", "--get", key).strip():
                return prefix + value
        except ValueError:
            continue
    raise ValueError("who submits? --submitted-by github:<login>")


def _base(root: Path) -> str:
    for name in ("upstream/main", "origin/main", "main"):
        try:
            review.git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except ValueError:
            continue
        return name
    return "HEAD"


def _commands(root: Path, base: str, entry: Entry, paths: list[str]) -> list[str]:
    branch = review.git(root, "rev-parse", "--abbrev-ref", "HEAD").strip()
    name = entry.model.split("/")[1]
    switch = (
        [f"git switch -c entry/{entry.task.split('/')[1]}-{name}"]
        if branch in ("main", "HEAD")
        else []
    )
    return [
        *switch,
        *_introduction(root),
        shlex.join(["git", "add", *paths]),
        shlex.join(["git", "commit", "-m", f"Entry of {entry.model} on {entry.task}"]),
        (
            "git push -u origin HEAD        # to your fork; then open the pull request at the "
            "address that git prints"
        ),
    ]


def _introduction(root: Path) -> list[str]:
    """What is left to type where git does not know who commits: `git commit` would refuse."""
    try:
        review.git(root, "var", "GIT_AUTHOR_IDENT")
        review.git(root, "var", "GIT_COMMITTER_IDENT")
    except ValueError:
        return ['git config user.name "Your Name"', "git config user.email you@example.org"]
    return []
