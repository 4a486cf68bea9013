"""`zoo data` and `zoo mirror`: the files of datasets."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from zoo.cli import terminal

data_app = typer.Typer(no_args_is_help=True, help="Get, build and check datasets.")

Target = Annotated[Path | None, typer.Option(help="Where to; default: the cache.")]
Years = Annotated[
    float | None, typer.Option(help="Simulated training years (climate; default 10).")
]
Size = Annotated[str | None, typer.Option(help="S or M (particle physics; default S).")]
Tasks = Annotated[list[str] | None, typer.Argument(help="Tasks or domains; default all.")]


@data_app.command("get")
def get(name: str) -> None:
    """Finds or fetches every file of a dataset and verifies it."""
    from zoo import files, registry

    card = registry.dataset(name)
    with terminal.progress() as progress:
        for file in card.file:
            path = files.get(file, folder=registry.dataset_folder(card), progress=progress)
            print(f"{file.name}: {path}")


@data_app.command("check")
def check(name: str) -> None:
    """Says of every file of a dataset where it is and whether its bytes are the card's;
    never uses the network."""
    from zoo import files, registry

    card = registry.dataset(name)
    altered = 0
    for file in card.file:
        try:
            path = files.find(file, folder=registry.dataset_folder(card))
        except files.FileAltered as error:
            altered += 1
            print(f"ALTERED  {file.name}: {error}")
            continue
        source = f"{file.bytes / 1e6:.2f} MB at {file.urls[0] if file.urls else file.path}"
        print(f"ok       {file.name}: {path}" if path else f"absent   {file.name}: {source}")
    if altered:
        raise typer.Exit(1)


@data_app.command("build")
def build(name: str, out: Target = None, years: Years = None, size: Size = None) -> None:
    """Makes a dataset of ours anew (simulations); started again after an interruption it
    continues."""
    from zoo import files, registry

    card = registry.dataset(name)
    if card.build is None:
        raise ValueError(f"{name} is not made by this project; `zoo data get {name}` fetches it")
    target = out or files.home() / "build" / name
    builder = registry.resolve(card.build)
    takes = inspect.signature(builder).parameters
    given = {key: value for key, value in (("years", years), ("size", size)) if value is not None}
    for key in given.keys() - takes.keys():
        raise ValueError(
            f"--{key} means nothing to {name}; its builder takes "
            f"{', '.join(each for each in takes if each != 'progress')}"
        )
    print(f"building {name} in {target}")
    with terminal.progress(unit="days" if "years" in takes else "examples") as progress:
        builder(target, progress=progress, **given)


def mirror(folder: Path, tasks: Tasks = None) -> None:
    """Writes a mirror directory (`host/path`) with the data files and weights of tasks, for
    a machine without a network."""
    from zoo.commands import mirror as copies

    wanted = copies.files_of(tasks or [])
    with terminal.progress() as progress:
        for path in copies.store(folder, wanted, progress=progress):
            print(path)
    print(f"use it with: export ZOO_MIRROR={folder.resolve()}")
