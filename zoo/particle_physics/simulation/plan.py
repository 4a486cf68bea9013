"""Which files a dataset is made of: process, number of jets and Pythia's seed of each, in the
order in which they are made.

Every file has a Pythia seed of its own, so no event is shared between files, and both jets
of an event lie in one file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from zoo.particle_physics.data.jets import LABELS, QUARK_GLUON_LABELS
from zoo.particle_physics.simulation.processes import MPI_OFF

SIZES = {"S": 2, "M": 10}
"""Training files a class (of 10,000 jets; of 5,000 for `quark_gluon`)."""

_SPLITS = {"test": 1, "mpi_off": 2, "validation": 3, "train": 4}
_SETS = {"jet_tagging": 0, "quark_gluon": 1, "jet_generation": 2, "anomaly": 3}


@dataclasses.dataclass(frozen=True)
class Part:
    """One file to be made.

    Attributes:
        name: of the file, without folder.
        process: class of jets or events.
        count: jets or events in it.
        seed: Pythia's; `seed + 1` belongs to the file too where a class has two variants.
        extra: Pythia settings of a shift.
        labels: classes of the dataset; empty for dijet events.
    """

    name: str
    process: str
    count: int
    seed: int
    extra: tuple[str, ...] = ()
    labels: tuple[str, ...] = LABELS


def seed_of(dataset: str, split: str, index: int, chunk: int) -> int:
    """Pythia's seed of a file: no two files of any dataset share one."""
    return (
        100_000_000 * (1 + _SETS[dataset])
        + 10_000_000 * _SPLITS[split]
        + 100_000 * index
        + 10 * chunk
    )


def plan(dataset: str, size: str = "S") -> list[Part]:
    """The files of a dataset, in the order in which they are made: test, shift, validation,
    then training in rounds over classes.

    Args:
        dataset: `jet_tagging`, `quark_gluon`, `jet_generation` or `anomaly`.
        size: `S` or `M`; `M` begins with the files of `S`.
    """
    if size not in SIZES:
        raise ValueError(f"size {size!r} is not known; sizes: {', '.join(SIZES)}")
    rounds = range(SIZES[size])

    def part(
        split: str,
        name: str,
        chunk: int,
        count: int,
        labels: Sequence[str] = LABELS,
        index: int | None = None,
        **more: Any,
    ) -> Part:
        number = list(labels).index(name) if index is None else index
        file = f"{split}-{name}-{chunk}" + (".npz" if not labels else ".root")
        return Part(
            file, name, count, seed_of(dataset, split, number, chunk), labels=tuple(labels), **more
        )

    if dataset == "jet_tagging":
        parts = [part("test", name, 0, 2000) for name in LABELS]
        parts += [part("mpi_off", name, 0, 500, extra=(MPI_OFF,)) for name in ("QCD", "Tbqq")]
        parts += [part("validation", name, 0, 1000) for name in LABELS]
        return parts + [part("train", name, chunk, 10_000) for chunk in rounds for name in LABELS]
    if dataset == "quark_gluon":
        two = QUARK_GLUON_LABELS
        parts = [part("test", name, 0, 3000, two) for name in two] + [
            part("validation", name, 0, 1000, two) for name in two
        ]
        return parts + [part("train", name, chunk, 5000, two) for chunk in rounds for name in two]
    if dataset == "jet_generation":
        kinds = ("dijet_gluon", "dijet_quark")
        return [part("train", name, chunk, 10_000, kinds) for chunk in rounds for name in kinds]
    if dataset == "anomaly":
        counts = {"qcd": 20_000, "wprime": 5000, "zprime": 5000}
        parts = [
            part("test", name, 0, count, (), index)
            for index, (name, count) in enumerate(counts.items())
        ]
        parts += [
            part("train", name, 0, 5000, (), index)
            for index, name in ((1, "wprime"), (2, "zprime"))
        ]
        return parts + [
            part("train", "qcd", chunk, 10_000, (), 0) for chunk in range(4 if size == "S" else 12)
        ]
    raise ValueError(f"dataset {dataset!r} is not simulated here; there are {', '.join(_SETS)}")
