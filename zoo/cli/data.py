"""`zoo data` and `zoo mirror`: the files of datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli import domain_options, terminal

data_app = typer.Typer(no_args_is_help=True, help="Get, build and check datasets.")

Target = Annotated[Path | None, typer.Option(help="Where to; default: the cache.")]
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


def build(name: str, out: Target = None, *, options: dict[str, str]) -> None:
    """Makes a dataset of ours anew (simulations); started again after an interruption it
    continues."""
    from zoo.commands.build import builder_of, default_folder

    builder = builder_of(name, options)
    target = out or default_folder(name)
    print(f"building {name} in {target}")
    with terminal.progress(unit="parts") as progress:
        builder(target, progress=progress)


data_app.command("build")(domain_options.with_domain_options("data build", build))


def mirror(folder: Path, tasks: Tasks = None) -> None:
    """Writes a mirror directory (`host/path`) with the data files and weights of tasks, for
    a machine without a network."""
    from zoo.commands import mirror as copies

    wanted = copies.files_of(tasks or [])
    with terminal.progress() as progress:
        for path in copies.store(folder, wanted, progress=progress):
            print(path)
    print(f"use it with: export ZOO_MIRROR={folder.resolve()}")
