"""How the jets of `particle_physics/jet_generation` are made.

    zoo data build particle_physics/jet_tagging --size M        its top jets are this data set's too
    zoo data build particle_physics/jet_generation --size M     gluon and quark jets
    zoo data build particle_physics/jet_generation --step products

The last makes `test.zarr.zip` (file 0 of each class: reference and floor sample),
`validation.zarr.zip`, `train.zarr.zip` and `baselines.zarr.zip` in the folder of the gluon and
quark jets (`--out`; default: where the simulation put them), of the ROOT files in it and of the
top jets in the folder `jet_tagging` beside it. No event is in two of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from zoo.particle_physics.generation.baselines import fit
from zoo.particle_physics.generation.data import CLASSES, PointClouds, join, read_root
from zoo.particle_physics.simulation.simulate import Progress, run_step, simulate
from zoo.scoring import record

FILES = {
    "gluon": r"(train-)?(dijet_)?gluon-(\d+)\.root",
    "quark": r"(train-)?(dijet_)?quark-(\d+)\.root",
    "top": r"(train-)?(Tbqq|top)-(\d+)\.root",
}
REFERENCE, FLOOR, VALIDATION = 6900, 3000, 2000
"""Jets a class."""


def build(
    out: str | Path, *, size: str = "S", step: str | None = None, progress: Progress | None = None
) -> None:
    """Behind `zoo data build particle_physics/jet_generation`.

    Args:
        out: folder of the ROOT files, and of the products.
        size: `S` or `M`.
        step: `simulation` (None) or `products`.
        progress: called with (dataset, jets made, jets in all).
    """
    folder = Path(out)

    def products() -> None:
        for name, number in write_products([folder, folder.parent / "jet_tagging"], folder).items():
            print(f"{name}: {number} jets")

    run_step(
        "particle_physics/jet_generation",
        step,
        {
            "simulation": lambda: simulate(
                folder, dataset="jet_generation", size=size, progress=progress
            ),
            "products": products,
        },
    )


def write_products(
    folders: Sequence[Path],
    out: Path,
    *,
    sizes: tuple[int, int, int] = (REFERENCE, FLOOR, VALIDATION),
) -> dict[str, int]:
    """Writes the four files of this data set; returns how many jets each sample has over
    all classes."""
    parts = [
        split(find_files(folders, name), label, sizes=sizes) for label, name in enumerate(CLASSES)
    ]
    samples = {name: join([part[name] for part in parts]) for name in parts[0]}
    out.mkdir(parents=True, exist_ok=True)
    record.write(
        out / "test.zarr.zip",
        samples["reference"].arrays("reference_") | samples["floor"].arrays("floor_"),
    )
    record.write(out / "baselines.zarr.zip", fit(samples["train"]))
    for name in ("train", "validation"):
        record.write(out / f"{name}.zarr.zip", samples[name].arrays())
    return {name: len(value) for name, value in samples.items()}


def find_files(folders: Sequence[Path], name: str) -> list[Path]:
    """The ROOT files of one class in the given folders, by their number.

    Raises:
        FileNotFoundError: there is none.
    """
    found: dict[int, Path] = {}
    for folder in folders:
        for path in sorted(Path(folder).glob("*.root")):
            match = re.fullmatch(FILES[name], path.name)
            if match:
                found.setdefault(int(match.groups()[-1]), path)
    if not found:
        raise FileNotFoundError(
            f"no files of {name} jets ({FILES[name]}) in {', '.join(map(str, folders))}"
        )
    return [found[number] for number in sorted(found)]


def split(
    files: Sequence[Path],
    label: int,
    *,
    sizes: tuple[int, int, int] = (REFERENCE, FLOOR, VALIDATION),
) -> dict[str, PointClouds]:
    """Reference and floor sample from the first file, validation from the end of the last,
    training jets from the others.

    Both jets of an event stand next to each other in a file: a jet between two samples
    keeps them apart.

    Raises:
        ValueError: too few files or jets.
    """
    reference, floor, validation = sizes
    if len(files) < 2:
        raise ValueError(
            f"{CLASSES[label]}: one file for the test and one or more to train on are needed; "
            f"found {len(files)}"
        )
    first, rest = read_root(files[0], label), join([read_root(path, label) for path in files[1:]])
    if len(first) <= reference + floor or len(rest) <= validation + 1:
        raise ValueError(
            f"{CLASSES[label]}: {len(first)} + {len(rest)} jets are too few for {reference} + "
            f"{floor} and {validation}"
        )
    return {
        "reference": first[:reference],
        "floor": first[len(first) - floor :],
        "train": rest[: len(rest) - validation - 1],
        "validation": rest[len(rest) - validation :],
    }
