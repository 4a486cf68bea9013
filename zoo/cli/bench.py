"""`zoo bench`, `audit`, `explain` and `figures`: scores, and what lies behind them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.terminal import AsJson, console

# zoo bench
BenchPattern = Annotated[str, typer.Argument(help="A domain, a task or a wildcard.")]
BenchModels = Annotated[str, typer.Option("--model", help="Wildcard over models and baselines.")]
BenchJson = Annotated[
    Path | None, typer.Option("--json", help="Also write the results to this file.")
]
Entries = Annotated[
    Path | None,
    typer.Option(
        help="Write leaderboard entries under this folder (measures cost and all seeds too)."
    ),
]
SubmittedBy = Annotated[str, typer.Option(help="Name for the entries, e.g. github:ada-l.")]
Seeds = Annotated[
    bool, typer.Option("--seeds", help="Also score every training seed's weights alone.")
]
BenchData = Annotated[
    Path | None,
    typer.Option(
        help="Your own folder with the task's data (JetClass and other sets too large to fetch)."
    ),
]

# zoo audit
Audited = Annotated[
    list[str],
    typer.Argument(help="Data sets (genomics/gue:tf_0), or one to three files: train, dev, test."),
]
AuditKind = Annotated[
    str | None, typer.Option(help="What the files hold; by default as they say themselves.")
]

# zoo explain
ExplainSource = Annotated[
    Path | None,
    typer.Argument(help="Your file, as for `zoo predict`; default: the model's task's examples."),
]
Methods = Annotated[
    list[str] | None,
    typer.Option(
        "--method",
        help=(
            "saliency, gradient_x_input, smooth_grad, integrated_gradients, ism, occlusion, "
            "surrogate or attention; may be repeated."
        ),
    ),
]
ExplainFolder = Annotated[Path, typer.Option(help="Folder for figures and numbers.")]
Examples = Annotated[int, typer.Option(help="How many examples, the first ones.")]
ExplainTarget = Annotated[
    str | None, typer.Option(help="Class, subset, season (k5) or VARIABLE_LEVEL@LAT,LON.")
]
Steps = Annotated[int, typer.Option(help="Points of integrated gradients on each line.")]
NoiseSeed = Annotated[int, typer.Option(help="Of noise and maskings.")]
ExplainFormat = Annotated[str, typer.Option("--format", help="png or svg.")]

# zoo figures
FigureModels = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Wildcard over models and baselines, to compute now; default: the stored entries.",
    ),
]
FigureFolder = Annotated[
    Path | None, typer.Option(help="Folder for the pictures; default: figures/<task>.")
]
FigureFormat = Annotated[
    str, typer.Option("--format", help="png, svg, or json: the data's pictures as numbers.")
]
FigureData = Annotated[Path | None, typer.Option(help="Your own folder with the task's data.")]
Samples = Annotated[bool, typer.Option(help="Also draw what the data look like.")]


def bench(
    pattern: BenchPattern,
    model: BenchModels = "*",
    json_file: BenchJson = None,
    entries: Entries = None,
    submitted_by: SubmittedBy = "maintainers",
    seeds: Seeds = False,
    data: BenchData = None,
) -> None:
    """Scores every predictor on every task, with 95 % intervals and rank groups."""
    from zoo import files
    from zoo.commands.bench import entry
    from zoo.commands.bench import run as harness
    from zoo.commands.bench.report import TerminalReport
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
    report = TerminalReport(console())
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
            entry.write_entries(result, entries, command=command, submitted_by=submitted_by)
    if json_file is not None:
        content = [report.as_json(result) for result in results]
        files.write_text(json_file, json.dumps(content, indent=1) + "\n")
    if not any(result.rows for result in results):
        raise typer.Exit(3)


def audit(
    names: Audited, kind: AuditKind = None, as_json: AsJson = False, *, options: dict[str, str]
) -> None:
    """Duplicates, overlaps and one-feature scores of a data set or of your own files: what
    a score on them would really say."""
    from zoo.commands import audit as audits

    reports = []
    for report in audits.run(names, kind=kind, options=options):
        reports.append(report)
        if not as_json:
            audits.render(report, console())
    if as_json:
        print(audits.to_json(reports), end="")


def explain(
    model: str,
    source: ExplainSource = None,
    method: Methods = None,
    out: ExplainFolder = Path("explanation"),
    examples: Examples = 2,
    target: ExplainTarget = None,
    steps: Steps = 64,
    seed: NoiseSeed = 0,
    form: ExplainFormat = "png",
) -> None:
    """Why a model says what it says: attributions as figures and numbers."""
    from zoo.commands.explain import explain as run

    paths = run(
        model,
        source,
        methods=tuple(method or ()),
        out=out,
        examples=examples,
        target=target,
        steps=steps,
        seed=seed,
        form=form,
    )
    for path in paths:
        print(path)


def figures(
    task: str,
    model: FigureModels = None,
    out: FigureFolder = None,
    form: FigureFormat = "png",
    data: FigureData = None,
    samples: Samples = True,
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
