"""`zoo submit`, `verify`, `push`, `pull` and `leaderboard`: entries, from a contributor's machine
to the board."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.terminal import console

board_app = typer.Typer(no_args_is_help=True, help="The leaderboard, made from files.")

# zoo submit
SubmitModel = Annotated[
    str,
    typer.Option("--model", help="A model's name, or your own: module:factory or file.py:factory."),
]
RowName = Annotated[
    str | None, typer.Option(help="Of your own model's row; default the factory's.")
]
Title = Annotated[str | None, typer.Option(help="What the board shows for your own model.")]
Track = Annotated[str | None, typer.Option(help="One of the task's tracks, where it has some.")]
Note = Annotated[str | None, typer.Option(help="One sentence for the entry's page.")]
SubmittedBy = Annotated[
    str | None, typer.Option(help="github:<login>; default from git's settings.")
]
Base = Annotated[
    str | None, typer.Option(help="Branch that the pull request goes to; default origin/main.")
]
SubmitLevel = Annotated[
    str, typer.Option(help="How far the check climbs: static, rescored or rerun.")
]

# zoo verify
EntryFiles = Annotated[list[Path] | None, typer.Argument(help="Entry files.")]
Level = Annotated[
    str | None, typer.Option(help="static, rescored or rerun; default rerun, with --diff rescored.")
]
Write = Annotated[
    Path | None,
    typer.Option(help="Write the verification under this folder (leaderboard/verified)."),
]
RunCode = Annotated[
    bool, typer.Option("--run-code", help="A re-run may execute the Python file beside an entry.")
]
Diff = Annotated[
    str | None,
    typer.Option(
        help="Judge a pull request against this branch, and verify the entries it brings."
    ),
]
Repo = Annotated[Path | None, typer.Option(help="Checkout of the pull request; default this one.")]
Author = Annotated[str | None, typer.Option(help="Who opened it, e.g. github:ada.")]
Pending = Annotated[
    bool, typer.Option("--pending", help="Only list, as JSON, the entries that wait for a re-run.")
]
Accept = Annotated[
    Path | None, typer.Option(help="Take in the verifications that a re-run left in this folder.")
]
Expected = Annotated[
    str | None,
    typer.Option(
        help=(
            "With --accept: JSON list of the entries that were to be re-run; FOLDER/…-k holds "
            "the k-th's."
        )
    ),
]
Checksums = Annotated[
    Path | None, typer.Option(help="With --accept: file for the SHA-256 of what was taken in.")
]
Install = Annotated[
    bool,
    typer.Option(
        "--install", help="Install packages that entries name: on a throw-away machine only."
    ),
]

# zoo push, pull, leaderboard
HubRepo = Annotated[str, typer.Argument(help="Repository on the Hugging Face Hub, <user>/<name>.")]
Private = Annotated[bool, typer.Option("--private", help="If the repository is made now.")]
Message = Annotated[str | None, typer.Option(help="Of the commit.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit.")]
ResultsFolder = Annotated[
    Path, typer.Option(help="Folder of the model's repository; files go to .eval_results/ in it.")
]
SiteFolder = Annotated[
    Path | None, typer.Option(help="Folder of the site; default leaderboard/_site.")
]


def submit(
    task: str,
    model: SubmitModel,
    name: RowName = None,
    title: Title = None,
    track: Track = None,
    note: Note = None,
    submitted_by: SubmittedBy = None,
    base: Base = None,
    level: SubmitLevel = "rerun",
) -> None:
    """Benches a model, writes its entry, checks all that a reviewer checks, and prints the
    git commands for the pull request."""
    from zoo.commands import submit as submitter
    from zoo.commands.bench.report import TerminalReport

    report = TerminalReport(console())
    done = submitter.submit(
        task,
        model,
        name=name,
        title=title,
        track=track,
        note=note,
        submitted_by=submitted_by,
        base=base,
        level=level,
        events=report,
    )
    report.close()
    for path in done.files:
        print(f"wrote {path}")
    print(f"checked: {done.verification.level}; {done.standing}")
    for problem in done.problems:
        print(f"PROBLEM {problem}")
    if done.problems:
        raise typer.Exit(1)
    print("ready; the pull request:\n  " + "\n  ".join(done.commands))


def verify(
    entries: EntryFiles = None,
    level: Level = None,
    write: Write = None,
    run_code: RunCode = False,
    diff: Diff = None,
    repo: Repo = None,
    author: Author = None,
    pending: Pending = False,
    accept: Accept = None,
    expected: Expected = None,
    checksums: Checksums = None,
    install: Install = False,
) -> None:
    """Re-computes entries and compares with what they claim; one that cannot be checked
    does not keep the others from it."""
    from zoo.commands import verdicts

    if pending:
        from zoo.commands import review

        print(json.dumps(review.pending()))
        return
    if accept is not None:
        _accept(accept, expected, checksums)
        return
    failed = lacking = 0
    if diff is not None:
        entries, failed = _judge(repo, diff, author)
    elif not entries:
        raise typer.BadParameter("name entry files, or --diff, --pending, --accept")
    for verdict in verdicts.verdicts(
        entries,
        level=level or ("rerun" if diff is None else "rescored"),
        run_code=run_code,
        install=install,
        write=write,
    ):
        failed += verdict.failed
        lacking += verdict.files_lack
        print("\n".join(verdict.lines()))
    if failed or lacking:
        raise typer.Exit(1 if failed else 3)


def _judge(repo: Path | None, base: str, author: str | None) -> tuple[list[Path], int]:
    """The entries of a pull request and how many problems its changes have."""
    from zoo import files
    from zoo.commands import review

    judged = review.review(repo or files.share(), base, author=author)
    print(f"{len(judged.changes)} changed files, {len(judged.entries)} entries")
    for problem in judged.problems:
        print(f"REFUSED {problem}")
    return judged.entries, len(judged.problems)


def _accept(folder: Path, expected: str | None, checksums: Path | None) -> None:
    from zoo import files
    from zoo.commands import review

    if expected is None:
        written, refused = review.accept(folder, review.pending())
    else:
        written, refused = review.accept_jobs(folder, json.loads(expected))
    if checksums is not None and written:
        files.write_text(checksums, review.checksums(written))
    lines = [f"wrote {path}" for path in written] + [f"REFUSED {problem}" for problem in refused]
    print("\n".join(lines))
    if refused:
        raise typer.Exit(1)


def push(model: str, repo: HubRepo, private: Private = False, message: Message = None) -> None:
    """Puts a pretrained model on the Hugging Face Hub: weights, card, scores (extra `hub`)."""
    from zoo.commands import hub

    print(hub.push(model, repo, private=private, message=message))


def pull(repo: HubRepo, revision: Revision = None) -> None:
    """Fetches a model that `zoo push` put there, verified by SHA-256; `zoo.load_model`
    finds it then (extra `hub`)."""
    from zoo.commands import hub

    card, path = hub.pull(repo, revision=revision)
    print(f"{card.id}\t{path}")


@board_app.command("eval-results")
def eval_results(model: str, out: ResultsFolder = Path()) -> None:
    """Writes a model's scores as the Hugging Face Hub's .eval_results files."""
    from zoo import files, registry
    from zoo.commands import hub

    registry.model(model)
    for name, text in hub.eval_results(model).items():
        files.write_text(out / ".eval_results" / name, text)
        print(out / ".eval_results" / name)


@board_app.command("build")
def build(out: SiteFolder = None) -> None:
    """Writes leaderboard/README.md and the static site from entries, peers and verifications."""
    from zoo.leaderboard import build

    for path in build(out):
        print(path)
