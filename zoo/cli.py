"""`zoo`: list, info, data, bench, audit, explain, figures, train, predict, submit, verify,
push, pull, leaderboard, mirror, doctor.

Exit codes: 0 done; 1 something was found wrong (an altered file, a claim that fails); 2 the
command line or a name is wrong; 3 nothing could be computed because files cannot be had.
"""

from __future__ import annotations

import inspect
import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help=__doc__,
    rich_markup_mode=None,
)
list_app = typer.Typer(no_args_is_help=True, help="Names of models, tasks and datasets.")
data_app = typer.Typer(no_args_is_help=True, help="Get, build and check datasets.")
board_app = typer.Typer(no_args_is_help=True, help="The leaderboard, made from files.")
app.add_typer(list_app, name="list")
app.add_typer(data_app, name="data")
app.add_typer(board_app, name="leaderboard")

Pattern = Annotated[str, typer.Argument(help="Shell wildcard; a bare domain means all of it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


def main() -> None:
    """The console script: like `app`, with errors told in one line instead of a traceback."""
    warnings.showwarning = lambda message, *_, **__: print(f"warning: {message}", file=sys.stderr)
    from zoo import cards, files, registry

    try:
        app()
    except registry.UnknownName as error:
        _fail(str(error), 2)
    except cards.CardError as error:
        _fail(str(error), 1)
    except files.FileAltered as error:
        _fail(str(error), 1)
    except files.FileMissing as error:
        _fail(str(error), 3)
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted; the same command continues where it stopped", 130)


def _fail(message: str, code: int) -> None:
    print(f"zoo: {message}", file=sys.stderr)
    sys.exit(code)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


# ------------------------------------------------------------------------------------ list and info


@list_app.command("models")
def list_models(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Pretrained models."""
    from zoo import registry

    cards = registry.models()
    chosen = [cards[name] for name in registry.matching(pattern, cards)]
    rows = [(card.id, f"{card.n_params:,}", card.truth, ", ".join(card.tasks)) for card in chosen]
    _show(rows, ("model", "parameters", "trained on", "tasks"), as_json, pattern, cards)


@list_app.command("tasks")
def list_tasks(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Benchmarks."""
    from zoo import registry

    cards = registry.tasks()
    chosen = [cards[name] for name in registry.matching(pattern, cards)]
    rows = [(card.id, str(card.version), card.truth, card.headline, card.title) for card in chosen]
    _show(rows, ("task", "version", "truth", "headline", "title"), as_json, pattern, cards)


@list_app.command("datasets")
def list_datasets(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Datasets."""
    from zoo import registry

    cards = registry.datasets()
    rows = [
        (name, cards[name].truth, cards[name].licence, cards[name].title)
        for name in registry.matching(pattern, cards)
    ]
    _show(rows, ("dataset", "truth", "licence", "title"), as_json, pattern, cards)


def _show(
    rows: list[tuple[str, ...]], head: tuple[str, ...], as_json: bool, pattern: str, known: dict
) -> None:
    from zoo import registry

    if not rows and known:
        raise registry.UnknownName(
            f"nothing matches {pattern!r}; {registry.did_you_mean(pattern, known)}"
        )
    if as_json:
        print(json.dumps([dict(zip(head, row, strict=True)) for row in rows], indent=1))
    elif not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
    else:
        from rich.table import Table

        table = Table(*head, box=None, pad_edge=False)
        for row in rows:
            table.add_row(*row)
        _console().print(table)


@app.command()
def info(
    name: str,
    as_json: AsJson = False,
    kind: Annotated[
        str | None, typer.Option(help="model, task or dataset, where one name means two things.")
    ] = None,
) -> None:
    """The card of a model, task or dataset."""
    from zoo import cards, registry

    kinds = ("model", "task", "dataset")
    if kind is not None and kind not in kinds:
        raise registry.UnknownName(f"kind {kind!r} is none of {', '.join(kinds)}")
    kinds = (kind,) if kind else kinds
    for kind in kinds:
        known = getattr(registry, f"{kind}s")()
        if name not in known:
            continue
        if as_json:
            print(cards.dump(known[name]), end="")
        else:
            print(f"{kind} {name}    ({registry.path_of(name, kind).name})")
            _print_card(known[name].model_dump(mode="json", exclude_none=True))
        if len(kinds) > 1 and kind == "task" and name in registry.datasets() and not as_json:
            print(f"\nThere is a dataset of the same name: `zoo info {name} --kind dataset`.")
        return
    every = [known for kind in kinds for known in getattr(registry, f"{kind}s")()]
    raise registry.UnknownName(f"nothing is called {name!r}; {registry.did_you_mean(name, every)}")


def _print_card(content: dict, indent: str = "  ") -> None:
    for key, value in content.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            print(f"{indent}{key}:")
            _print_card(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{indent}{key}:")
            for item in value:
                line = ", ".join(
                    f"{k} {v}"
                    for k, v in item.items()
                    if not isinstance(v, dict | list) and v is not None
                )
                print(f"{indent}  - {line}")
        elif isinstance(value, list):
            print(f"{indent}{key}: {', '.join(map(str, value))}")
        else:
            print(f"{indent}{key}: {str(value).strip().replace(chr(10), chr(10) + indent + '  ')}")


# --------------------------------------------------------------------------------------------- data


@data_app.command("get")
def data_get(name: str) -> None:
    """Finds or fetches every file of a dataset and verifies it."""
    from zoo import files, registry

    card = registry.dataset(name)
    with _transfer() as progress:
        for file in card.file:
            path = files.get(file, folder=registry.dataset_folder(card), progress=progress)
            print(f"{file.name}: {path}")


@data_app.command("check")
def data_check(name: str) -> None:
    """Says of every file of a dataset where it is and whether its bytes are the card's;
    never uses the network."""
    from zoo import files, registry

    card = registry.dataset(name)
    wrong = 0
    for file in card.file:
        try:
            path = files.find(file, folder=registry.dataset_folder(card))
        except files.FileAltered as error:
            wrong += 1
            print(f"ALTERED  {file.name}: {error}")
            continue
        source = f"{file.bytes / 1e6:.2f} MB at {file.urls[0] if file.urls else file.path}"
        print(f"ok       {file.name}: {path}" if path else f"absent   {file.name}: {source}")
    if wrong:
        raise typer.Exit(1)


@data_app.command("build")
def data_build(
    name: str,
    out: Annotated[Path | None, typer.Option(help="Where to; default: the cache.")] = None,
    years: Annotated[
        float | None, typer.Option(help="Simulated training years (climate; default 10).")
    ] = None,
    size: Annotated[str | None, typer.Option(help="S or M (particle physics; default S).")] = None,
) -> None:
    """Makes a dataset of ours anew (simulations); started again after an interruption it
    continues."""
    from zoo import files, registry

    card = registry.dataset(name)
    if card.build is None:
        raise ValueError(f"{name} is not made by this project; `zoo data get {name}` fetches it")
    target = out or files.home() / "build" / name
    build = registry.resolve(card.build)
    takes = inspect.signature(build).parameters
    given = {key: value for key, value in (("years", years), ("size", size)) if value is not None}
    for key in given.keys() - takes.keys():
        raise ValueError(
            f"--{key} means nothing to {name}; its builder takes "
            f"{', '.join(each for each in takes if each != 'progress')}"
        )
    print(f"building {name} in {target}")
    with _transfer(unit="days" if "years" in takes else "examples") as progress:
        build(target, progress=progress, **given)


def _transfer(unit: str = "bytes"):
    """A context manager that gives a callback `(name, done, total)`; a bar on a terminal, a
    line every tenth otherwise."""
    import contextlib

    @contextlib.contextmanager
    def shown():
        if not sys.stderr.isatty():
            said: dict[str, int] = {}

            def line(name: str, done: int, total: int) -> None:
                tenth = 10 * done // max(total, 1)
                if said.get(name) != tenth:
                    said[name] = tenth
                    print(f"{name}: {done}/{total} {unit}", file=sys.stderr, flush=True)

            yield line
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
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
        ) as bar:
            tasks: dict[str, object] = {}

            def update(name: str, done: int, total: int) -> None:
                if name not in tasks:
                    tasks[name] = bar.add_task(name, total=total)
                bar.update(tasks[name], completed=done)

            yield update

    return shown()


@app.command()
def mirror(
    folder: Path,
    tasks: Annotated[
        list[str] | None, typer.Argument(help="Tasks or domains; default all.")
    ] = None,
) -> None:
    """Writes a mirror directory (`host/path`) with the data files and weights of tasks, for
    a machine without a network."""
    from zoo import files, registry
    from zoo.pretrained.model import weight_file

    wanted = [name for pattern in tasks or ["*"] for name in registry.list_tasks(pattern)]
    if not wanted:
        near = registry.did_you_mean((tasks or [""])[0], registry.tasks())
        raise registry.UnknownName(f"no task matches {' '.join(tasks or [])!r}; {near}")
    needed = [
        (file, registry.dataset_folder(card))
        for card in (
            registry.dataset(name)
            for name in sorted({registry.task(task).dataset for task in wanted})
        )
        for file in card.file
    ]
    needed += [
        (weight_file(card, index), registry.path_of(name, "model").parent)
        for name, card in registry.models().items()
        if set(card.tasks) & set(wanted)
        for index in range(len(card.weights))
    ]
    with _transfer() as progress:
        for file, beside in needed:
            for url in file.urls[:1]:
                target = folder / files.under_host(url)
                if target.is_file() and files.sha256(target) == file.sha256:
                    continue
                local = files.find(file, folder=beside)
                if local is None:
                    files.fetch(url, file, progress=progress, target=target)
                else:
                    files.copy(local, target)
                print(target)
    print(f"use it with: export ZOO_MIRROR={folder.resolve()}")


# -------------------------------------------------------------------------------------------- bench


@app.command()
def bench(
    pattern: Annotated[str, typer.Argument(help="A domain, a task or a wildcard.")],
    model: Annotated[
        str, typer.Option("--model", help="Wildcard over models and baselines.")
    ] = "*",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the results to this file.")
    ] = None,
    entries: Annotated[
        Path | None,
        typer.Option(
            help="Write leaderboard entries under this folder (measures cost and all seeds too)."
        ),
    ] = None,
    submitted_by: Annotated[
        str, typer.Option(help="Name for the entries, e.g. github:ada-l.")
    ] = "maintainers",
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Also score every training seed's weights alone.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help=(
                "Your own folder with the task's data (JetClass and other sets too large to fetch)."
            )
        ),
    ] = None,
) -> None:
    """Scores every predictor on every task, with 95 % intervals and rank groups."""
    from zoo import files
    from zoo.commands.bench import run as harness
    from zoo.commands.bench.report import Report
    from zoo.scoring import environment

    if entries is not None and environment.checkout_state(files.share())[1]:
        raise ValueError(
            "entries name the commit of their code, and this checkout has changes that are not "
            "committed: `git status`, commit, run again"
        )
    if entries is not None and data is not None:
        raise ValueError(
            "entries must be computable again from the files of the dataset's card: leave out "
            "--data or --entries"
        )
    report = Report(_console())
    results = harness.bench(
        pattern,
        models=model,
        all_seeds=seeds or entries is not None,
        measure=entries is not None,
        events=report,
        data=data,
    )
    report.close()
    for result in results:
        report.table(result)
        if entries is not None and result.rows:
            command = f"zoo bench {result.spec.id} --entries leaderboard/entries"
            harness.write_entries(result, entries, command=command, submitted_by=submitted_by)
    if json_file is not None:
        files.write_text(
            json_file, json.dumps([report.as_json(result) for result in results], indent=1) + "\n"
        )
    if not any(result.rows for result in results):
        raise typer.Exit(3)


@app.command()
def audit(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Data sets (genomics/gue:tf_0), or one to three files: train, dev, test."
        ),
    ],
    kind: Annotated[
        str | None, typer.Option(help="sequences, series or events; by default as the files say.")
    ] = None,
    sequence: Annotated[
        str, typer.Option(help="Column of letters in a table of sequences.")
    ] = "sequence",
    label: Annotated[str, typer.Option(help="Column of labels; '' where there is none.")] = "label",
    time: Annotated[
        str | None, typer.Option(help="Coordinate or column of times of a series.")
    ] = None,
    train_until: Annotated[
        str | None,
        typer.Option(help="Last time of train, where one file holds train and test (2003-12)."),
    ] = None,
    test_from: Annotated[str | None, typer.Option(help="First time of test, likewise.")] = None,
    tree: Annotated[str | None, typer.Option(help="Name of the tree in ROOT files.")] = None,
    as_json: AsJson = False,
) -> None:
    """Duplicates, overlaps and one-feature scores of a data set or of your own files: what
    a score on them would really say."""
    from zoo.commands import audit as audits

    said = {
        "sequence": None if sequence == "sequence" else sequence,
        "label": None if label == "label" else label,
        "time": time,
        "train_until": train_until,
        "test_from": test_from,
        "tree": tree,
    }
    options = {key: value for key, value in said.items() if value is not None}
    reports = []
    for report in audits.run(names, kind=kind, options=options):
        reports.append(report)
        if not as_json:
            audits.render(report, _console())
    if as_json:
        print(audits.to_json(reports), end="")


@app.command()
def explain(
    model: str,
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Your file, as for `zoo predict`; default: the model's task's examples."
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help=(
                "saliency, gradient_x_input, smooth_grad, integrated_gradients, ism, occlusion, "
                "surrogate or attention; may be repeated."
            ),
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for figures and numbers.")] = Path(
        "explanation"
    ),
    examples: Annotated[int, typer.Option(help="How many examples, the first ones.")] = 2,
    target: Annotated[
        str | None, typer.Option(help="Class, subset, season (k5) or VARIABLE_LEVEL@LAT,LON.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Points of integrated gradients on each line.")] = 64,
    seed: Annotated[int, typer.Option(help="Of noise and maskings.")] = 0,
    form: Annotated[str, typer.Option("--format", help="png or svg.")] = "png",
) -> None:
    """Why a model says what it says: attributions as figures and numbers."""
    from zoo.commands.explain import explain as run

    options = {
        "out": out,
        "examples": examples,
        "target": target,
        "steps": steps,
        "seed": seed,
        "form": form,
    }
    for path in run(model, source, methods=tuple(method or ()), **options):
        print(path)


@app.command()
def figures(
    task: str,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help="Wildcard over models and baselines, to compute now; default: the stored entries.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; default: figures/<task>.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="png, svg, or json: the data's pictures as numbers.")
    ] = "png",
    data: Annotated[Path | None, typer.Option(help="Your own folder with the task's data.")] = None,
    samples: Annotated[bool, typer.Option(help="Also draw what the data look like.")] = True,
) -> None:
    """Draws a task's pictures: what rows' records show (ROC curves, confusion), scores
    along an axis, what the data look like."""
    from zoo.commands import figures as gallery

    paths, notes = gallery.draw(
        task, out or Path("figures") / task, models=model, data=data, form=form, samples=samples
    )
    for note in notes:
        print(f"zoo: {note}", file=sys.stderr)
    for path in paths:
        print(path)


@app.command()
def submit(
    task: str,
    model: Annotated[
        str,
        typer.Option(
            "--model", help="A model's name, or your own: module:factory or file.py:factory."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of your own model's row; default the factory's.")
    ] = None,
    title: Annotated[
        str | None, typer.Option(help="What the board shows for your own model.")
    ] = None,
    track: Annotated[
        str | None, typer.Option(help="One of the task's tracks, where it has some.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="One sentence for the entry's page.")] = None,
    submitted_by: Annotated[
        str | None, typer.Option(help="github:<login>; default from git's settings.")
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Branch that the pull request goes to; default origin/main.")
    ] = None,
    level: Annotated[
        str, typer.Option(help="How far the check climbs: static, rescored or rerun.")
    ] = "rerun",
) -> None:
    """Benches a model, writes its entry, checks all that a reviewer checks, and prints the
    git commands for the pull request."""
    from zoo.commands import submit as submitter
    from zoo.commands.bench.report import Report

    report = Report(_console())
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


@app.command()
def verify(
    entries: Annotated[list[Path] | None, typer.Argument(help="Entry files.")] = None,
    level: Annotated[
        str | None,
        typer.Option(help="static, rescored or rerun; default rerun, with --diff rescored."),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(help="Write the verification under this folder (leaderboard/verified)."),
    ] = None,
    run_code: Annotated[
        bool,
        typer.Option("--run-code", help="A re-run may execute the Python file beside an entry."),
    ] = False,
    diff: Annotated[
        str | None,
        typer.Option(
            help="Judge a pull request against this branch, and verify the entries it brings."
        ),
    ] = None,
    repo: Annotated[
        Path | None, typer.Option(help="Checkout of the pull request; default this one.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Who opened it, e.g. github:ada.")] = None,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Only list, as JSON, the entries that wait for a re-run."),
    ] = False,
    accept: Annotated[
        Path | None,
        typer.Option(help="Take in the verifications that a re-run left in this folder."),
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option(
            help=(
                "With --accept: JSON list of the entries that were to be re-run; FOLDER/…-k holds "
                "the k-th's."
            )
        ),
    ] = None,
    checksums: Annotated[
        Path | None, typer.Option(help="With --accept: file for the SHA-256 of what was taken in.")
    ] = None,
    install: Annotated[
        bool,
        typer.Option(
            "--install", help="Install packages that entries name: on a throw-away machine only."
        ),
    ] = False,
) -> None:
    """Re-computes entries and compares with what they claim; one that cannot be checked
    does not keep the others from it."""
    from zoo import cards, files, registry
    from zoo.commands import verify as verifier

    if pending or accept or diff:
        from zoo.commands import review
    if pending:
        print(json.dumps(review.pending()))
        return
    if accept is not None:
        written, refused = (
            review.accept(accept, review.pending())
            if expected is None
            else review.accept_jobs(accept, json.loads(expected))
        )
        if checksums is not None and written:
            lines = [
                f"{files.sha256(path)}  {path.relative_to(files.share()).as_posix()}\n"
                for path in written
            ]
            files.write_text(checksums, "".join(lines))
        print(
            "\n".join(
                [f"wrote {path}" for path in written]
                + [f"REFUSED {problem}" for problem in refused]
            )
        )
        raise typer.Exit(1 if refused else 0)
    failed = lacking = 0
    if diff is not None:
        judged = review.review(repo or files.share(), diff, author=author)
        entries = judged.entries
        failed += len(judged.problems)
        print(
            "\n".join(
                [
                    f"{len(judged.changes)} changed files, {len(entries)} entries",
                    *(f"REFUSED {each}" for each in judged.problems),
                ]
            )
        )
    elif not entries:
        raise typer.BadParameter("name entry files, or --diff, --pending, --accept")
    for path in entries:
        try:
            if install:
                verifier.install(path)
            result = verifier.verify(
                path, level=level or ("rerun" if diff is None else "rescored"), run_code=run_code
            )
        except files.FileMissing as error:
            lacking += 1
            print(f"NOT RUN {path}: {error}")
            continue
        except (cards.CardError, registry.UnknownName, verifier.CodeNotTrusted) as error:
            failed += 1
            print(f"FAILED {path}: {error}")
            continue
        failed += not result.ok
        largest = f"largest relative difference {result.largest_relative_difference:.2g}"
        print(f"{'ok    ' if result.ok else 'FAILED'} {result.entry}: {result.level}, {largest}")
        for problem in result.problems:
            print(f"       {problem}")
        if write is not None:
            verifier.write(result, write)
    if failed or lacking:
        raise typer.Exit(1 if failed else 3)


@app.command()
def push(
    model: str,
    repo: Annotated[str, typer.Argument(help="Repository on the Hugging Face Hub, <user>/<name>.")],
    private: Annotated[
        bool, typer.Option("--private", help="If the repository is made now.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="Of the commit.")] = None,
) -> None:
    """Puts a pretrained model on the Hugging Face Hub: weights, card, scores (extra `hub`)."""
    from zoo.commands import hub

    print(hub.push(model, repo, private=private, message=message))


@app.command()
def pull(
    repo: Annotated[str, typer.Argument(help="Repository on the Hugging Face Hub, <user>/<name>.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit.")] = None,
) -> None:
    """Fetches a model that `zoo push` put there, verified by SHA-256; `zoo.load_model`
    finds it then (extra `hub`)."""
    from zoo.commands import hub

    card, path = hub.pull(repo, revision=revision)
    print(f"{card.id}\t{path}")


@board_app.command("eval-results")
def leaderboard_eval_results(
    model: str,
    out: Annotated[
        Path,
        typer.Option(help="Folder of the model's repository; files go to .eval_results/ in it."),
    ] = Path(),
) -> None:
    """Writes a model's scores as the Hugging Face Hub's .eval_results files."""
    from zoo import files, registry
    from zoo.commands import hub

    registry.model(model)
    for name, text in hub.eval_results(model).items():
        files.write_text(out / ".eval_results" / name, text)
        print(out / ".eval_results" / name)


@board_app.command("build")
def leaderboard_build(
    out: Annotated[
        Path | None, typer.Option(help="Folder of the site; default leaderboard/_site.")
    ] = None,
) -> None:
    """Writes leaderboard/README.md and the static site from entries, peers and verifications."""
    from zoo.leaderboard import build

    for path in build(out):
        print(path)


# -------------------------------------------------------------------------------- train and predict


@app.command()
def train(
    task: Annotated[
        str, typer.Argument(help="Task; with --from: your own data, a file or folder.")
    ],
    architecture: Annotated[
        str | None, typer.Argument(help="Architecture, e.g. convnext; not with --from.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Fine-tune this pretrained model (a name, or the path of a card) on your own data.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option()] = 0,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the training data; default: where `zoo data build` put it."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for checkpoints, log and weights; default: the cache."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Fewer steps than the recipe, to try it out.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Passes over your data (--from).")] = None,
    label: Annotated[
        str | None, typer.Option(help="Column, FASTA key or branch of the class (--from).")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Column or branch whose equal values validate or train together (--from)."
        ),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Your own validation data, instead of a part of the data (--from)."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="Which network, of a model that has several (--from).")
    ] = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Fit the last layer alone on frozen features (--from).")
    ] = False,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Also train from random weights, to compare (--from).")
    ] = False,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak learning rate (--from).")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Tag of the new model; default: from the data's name (--from)."),
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(help="Your data are observed, simulated, reanalysis or mixed (--from)."),
    ] = None,
) -> None:
    """Trains a model by its shipped recipe (started again after an interruption it
    continues), or a pretrained one on your data."""
    from zoo import files, registry

    own = {
        "epochs": epochs,
        "label": label,
        "group": group,
        "validation": validation,
        "network": network,
        "probe": probe,
        "scratch": scratch,
        "learning_rate": learning_rate,
        "name": name,
        "truth": truth,
    }
    if source is not None:
        if architecture is not None or data is not None:
            raise ValueError(
                f"with --from say the data alone: zoo train --from {source} DATA --out DIR"
            )
        if out is None:
            raise ValueError("with --from say where the model goes: --out DIR")
        from zoo.commands.finetune import run as transfer

        transfer.fine_tune(
            source,
            Path(task),
            out=out,
            steps=steps,
            seed=seed,
            log=lambda line: print(line, flush=True),
            **own,
        )
        return
    given = [f"--{option.replace('_', '-')}" for option, value in own.items() if value]
    if given:
        raise ValueError(f"{', '.join(given)} only with --from MODEL")
    spec = registry.task(task)
    if spec.train is None:
        able = [each for each, other in registry.tasks().items() if other.train]
        raise ValueError(
            f"{task} has no training recipe; tasks that have one: {', '.join(able) or 'none'}"
        )
    if architecture is None:
        raise ValueError(
            f"say which architecture: zoo train {task} ARCHITECTURE; or --from MODEL to fine-tune "
            "on your own data"
        )
    run = registry.resolve(spec.train)
    out = out or files.home() / "train" / f"{task.replace('/', '.')}.{architecture}.seed{seed}"
    for line in run(architecture, seed=seed, data=data, out=out, steps=steps):
        print(line, flush=True)


@app.command()
def predict(
    model: Annotated[
        str,
        typer.Argument(
            help="Name of a model, or the path of a card (.toml) that `zoo train --from` wrote."
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            help="Input: NetCDF or Zarr (climate), ROOT or Parquet (jets), tables or FASTA (DNA)."
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            help="Output: .nc or .zarr (climate), .root or .csv (jets), .csv (DNA, seasons)."
        ),
    ],
    days: Annotated[int, typer.Option(help="Forecast length in days (climate).")] = 10,
) -> None:
    """Applies a pretrained model to a file."""
    from zoo import registry
    from zoo.commands.finetune import run as transfer

    loaded = transfer.open_model(model)
    handler = registry.resolve(loaded.card.predict_file) if loaded.card.predict_file else None
    if handler is None:
        able = [name for name, other in registry.models().items() if other.predict_file]
        raise ValueError(
            f"{model} does not predict from files; these do: {', '.join(able) or 'none'}"
        )
    handler(loaded, source, target, days=days)
    print(target)


# ------------------------------------------------------------------------------------------- doctor


@app.command()
def doctor() -> None:
    """Says what works here and what is missing, and checks every file of the package."""
    from zoo.commands import doctor as diagnosis

    problems = 0
    for ok, line in diagnosis.run():
        problems += not ok
        print(f"{'ok      ' if ok else 'PROBLEM '} {line}")
    if problems:
        raise typer.Exit(1)
