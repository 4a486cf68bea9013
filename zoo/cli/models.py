"""`zoo train`, `publish` and `predict`: models trained by a recipe or fine-tuned, made public,
applied to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# zoo train
TrainTask = Annotated[
    str, typer.Argument(help="Task; with --from: your own data, a file or folder.")
]
Architecture = Annotated[
    str | None, typer.Argument(help="Architecture, e.g. convnext; not with --from.")
]
FromModel = Annotated[
    str | None,
    typer.Option(
        "--from",
        help="Fine-tune this pretrained model (a name, or the path of a card) on your own data.",
    ),
]
Seed = Annotated[int, typer.Option()]
TrainData = Annotated[
    Path | None,
    typer.Option(help="Folder of the training data; default: where `zoo data build` put it."),
]
RunFolder = Annotated[
    Path | None, typer.Option(help="Folder for checkpoints, log and weights; default: the cache.")
]
Steps = Annotated[int | None, typer.Option(help="Fewer steps than the recipe, to try it out.")]
Epochs = Annotated[float | None, typer.Option(help="Passes over your data (--from).")]
Label = Annotated[
    str | None, typer.Option(help="Column, FASTA key or branch of the class (--from).")
]
Group = Annotated[
    str | None,
    typer.Option(help="Column or branch whose equal values validate or train together (--from)."),
]
Validation = Annotated[
    Path | None,
    typer.Option(help="Your own validation data, instead of a part of the data (--from)."),
]
Network = Annotated[
    str | None, typer.Option(help="Which network, of a model that has several (--from).")
]
Probe = Annotated[
    bool, typer.Option("--probe", help="Fit the last layer alone on frozen features (--from).")
]
Scratch = Annotated[
    bool, typer.Option("--scratch", help="Also train from random weights, to compare (--from).")
]
LearningRate = Annotated[float | None, typer.Option(help="Peak learning rate (--from).")]
Name = Annotated[
    str | None, typer.Option(help="Tag of the new model; default: from the data's name (--from).")
]
Truth = Annotated[
    str | None,
    typer.Option(help="Your data are observed, simulated, reanalysis or mixed (--from)."),
]

# zoo predict
Model = Annotated[
    str,
    typer.Argument(
        help="Name of a model, or the path of a card (.toml) that `zoo train --from` wrote."
    ),
]
Input = Annotated[
    Path,
    typer.Argument(
        help="Input: NetCDF or Zarr (climate), ROOT or Parquet (jets), tables or FASTA (DNA)."
    ),
]
Output = Annotated[
    Path,
    typer.Argument(
        help="Output: .nc or .zarr (climate), .root or .csv (jets), .csv (DNA, seasons)."
    ),
]

# zoo publish
Runs = Annotated[
    list[Path], typer.Argument(help="Folders that `zoo train` left, or folders of such folders.")
]
WeightsFolder = Annotated[
    Path | None, typer.Option(help="Where to; default: zoo/<domain>/weights of this checkout.")
]


def train(
    task: TrainTask,
    architecture: Architecture = None,
    source: FromModel = None,
    seed: Seed = 0,
    data: TrainData = None,
    out: RunFolder = None,
    steps: Steps = None,
    epochs: Epochs = None,
    label: Label = None,
    group: Group = None,
    validation: Validation = None,
    network: Network = None,
    probe: Probe = False,
    scratch: Scratch = False,
    learning_rate: LearningRate = None,
    name: Name = None,
    truth: Truth = None,
) -> None:
    """Trains a model by its shipped recipe (started again after an interruption it
    continues), or a pretrained one on your data."""
    own: dict[str, Any] = {
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
    if source is None:
        if given := [f"--{option.replace('_', '-')}" for option, value in own.items() if value]:
            raise ValueError(f"{', '.join(given)} only with --from MODEL")
        from zoo.commands import train as recipes

        for line in recipes.train(task, architecture, seed=seed, data=data, out=out, steps=steps):
            _print_line(line)
        return
    if architecture is not None or data is not None:
        raise ValueError(
            f"with --from say the data alone: zoo train --from {source} DATA --out DIR"
        )
    if out is None:
        raise ValueError("with --from say where the model goes: --out DIR")
    from zoo.commands.finetune.run import fine_tune

    fine_tune(source, Path(task), out=out, steps=steps, seed=seed, log=_print_line, **own)


def _print_line(line: str) -> None:
    print(line, flush=True)


def predict(model: Model, source: Input, target: Output, *, options: dict[str, str]) -> None:
    """Applies a pretrained model to a file."""
    from zoo.commands.predict import predict as run

    run(model, source, target, **options)
    print(target)


def publish(runs: Runs, out: WeightsFolder = None) -> None:
    """Makes pretrained models of finished runs: the seeds of one recipe become one card with
    its weights."""
    from zoo.pretrained.publish import publish_runs
    from zoo.pretrained.run import find_runs

    for path in publish_runs(find_runs(runs), out):
        print(path)
