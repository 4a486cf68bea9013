"""Several trained networks of one design in one file: what a combination of them is stored as.

    member.0.layers.0.conv.kernel, ..., member.1.layers.0.conv.kernel, ...

A card whose weights are such a file names `first_member` as its `converter`, so that its
architecture is that of one member and `model.module()` the first of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.pretrained.weights import load

if TYPE_CHECKING:
    from zoo.cards import ModelCard, ModelDescription

__all__ = [
    "MEMBER",
    "Seeds",
    "first_member",
    "member_parameters",
    "networks",
    "pack",
    "seeds_of",
    "total_flops",
]

MEMBER = "member."


def pack(members: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The parameters of several networks by one set of dotted names."""
    return {
        f"{MEMBER}{number}.{name}": value
        for number, own in enumerate(members)
        for name, value in own.items()
    }


def member_parameters(parameters: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Each member's parameters, in order; what `pack` was given."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for full, value in parameters.items():
        if full.startswith(MEMBER):
            number, _, name = full.removeprefix(MEMBER).partition(".")
            found.setdefault(int(number), {})[name] = value
    return [found[number] for number in sorted(found)]


def first_member(path: Path) -> dict[str, np.ndarray]:
    """The first member's parameters from a file: a card's `converter`.

    Raises:
        zoo.pretrained.weights.WeightsError: the file cannot be read.
    """
    return member_parameters(load(path)[0])[0]


def networks(card: ModelCard, paths: Sequence[Path]) -> list[Any]:
    """The networks of a card, one for each file, or each of a file's members."""
    from zoo.pretrained.model import blank, parameters
    from zoo.pretrained.weights import restore

    found = []
    for path in paths:
        members = member_parameters(load(path)[0]) or [parameters(card, path)]
        found += [restore(blank(card), own) for own in members]
    return found


def total_flops(counts: Sequence[float | None]) -> float | None:
    """The operations of several networks together; None where one's are not countable."""
    known = [count for count in counts if count is not None]
    return float(sum(known)) if len(known) == len(counts) else None


@dataclasses.dataclass(frozen=True)
class Seeds:
    """What trainings of one recipe left.

    Attributes:
        weights: training seed -> file.
        description: of the model, as its card or the first run says it.
        wall_seconds: of all seeds together.
    """

    weights: dict[int, Path]
    description: ModelDescription
    wall_seconds: float


def seeds_of(recipe: str, *, beside: Path) -> Seeds:
    """The seeds of a recipe: finished runs of it that lie beside a folder, or else the published
    model of that name.

    Raises:
        zoo.registry.UnknownName: neither is there.
        zoo.files.FileMissing: the published weights cannot be had.
    """
    from zoo.pretrained.model import RUN, load_model
    from zoo.pretrained.publish import WEIGHTS
    from zoo.pretrained.run import read_run

    runs = {path.parent: read_run(path.parent) for path in sorted(beside.parent.glob(f"*/{RUN}"))}
    runs = {path: run for path, run in runs.items() if run.recipe == recipe and run.died is None}
    if runs:
        ordered = sorted(runs.items(), key=lambda item: item[1].seed)
        return Seeds(
            {run.seed: path / WEIGHTS for path, run in ordered},
            ordered[0][1].model[0],
            sum(run.model[0].training.wall_seconds or 0.0 for _, run in ordered),
        )
    model = load_model(f"genomics/{recipe}")
    seeds = [weight.seed for weight in model.card.weights]
    return Seeds(
        dict(zip(seeds, model.weights, strict=True)),
        model.card,
        model.card.training.wall_seconds or 0.0,
    )
