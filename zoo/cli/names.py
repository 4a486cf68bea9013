"""`zoo list` and `zoo info`: which models, tasks and datasets there are, and their cards."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from zoo.cli.terminal import AsJson, console

list_app = typer.Typer(no_args_is_help=True, help="Names of models, tasks and datasets.")

Pattern = Annotated[str, typer.Argument(help="Shell wildcard; a bare domain means all of it.")]
Kind = Annotated[
    str | None, typer.Option(help="model, task or dataset, where one name means two things.")
]


@list_app.command("models")
def list_models(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Pretrained models."""
    from zoo import registry

    cards = registry.models()
    chosen = [cards[name] for name in registry.matching(pattern, cards)]
    rows = [(card.id, f"{card.n_params:,}", card.truth, ", ".join(card.tasks)) for card in chosen]
    _print_names(rows, ("model", "parameters", "trained on", "tasks"), as_json, pattern, cards)


@list_app.command("tasks")
def list_tasks(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Benchmarks."""
    from zoo import registry

    cards = registry.tasks()
    chosen = [cards[name] for name in registry.matching(pattern, cards)]
    rows = [(card.id, str(card.version), card.truth, card.headline, card.title) for card in chosen]
    _print_names(rows, ("task", "version", "truth", "headline", "title"), as_json, pattern, cards)


@list_app.command("datasets")
def list_datasets(pattern: Pattern = "*", as_json: AsJson = False) -> None:
    """Datasets."""
    from zoo import registry

    cards = registry.datasets()
    rows = [
        (name, cards[name].truth, cards[name].licence, cards[name].title)
        for name in registry.matching(pattern, cards)
    ]
    _print_names(rows, ("dataset", "truth", "licence", "title"), as_json, pattern, cards)


def _print_names(
    rows: Sequence[tuple[str, ...]], head: tuple[str, ...], as_json: bool, pattern: str, known: dict
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
        console().print(table)


def info(name: str, as_json: AsJson = False, kind: Kind = None) -> None:
    """The card of a model, task or dataset."""
    from zoo.cards import dump
    from zoo.commands import info as cards

    found = cards.find(name, kind)
    if as_json:
        print(dump(found.card), end="")
    else:
        print("\n".join(cards.lines(found)))
