"""How the jets of the tagging tasks are made, and what is fitted to them before any network.

    zoo data build particle_physics/jet_tagging                     20,000 jets a class
    zoo data build particle_physics/jet_tagging --size M            100,000
    zoo data build particle_physics/quark_gluon                     10,000 a class (M: 50,000)
    zoo data build particle_physics/jet_tagging --step test_files   the files that are shipped
    zoo data build particle_physics/jet_tagging --step baselines    trees and Gaussians

Every step works in one folder (`--out`; default: where the simulation put its files). The
trees and Gaussians see the first 40,000 jets a class and go to `baselines/` in it; the lines
that are printed are what the tasks' TOML must say when the files lie in
`zoo/particle_physics/weights`. Validation files, if there, are only reported on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from zoo import files
from zoo.particle_physics.data.jets import CLASSES
from zoo.particle_physics.simulation.jet_files import join_files
from zoo.particle_physics.simulation.plan import plan
from zoo.particle_physics.simulation.simulate import Progress, run_step, simulate
from zoo.particle_physics.tagging.baselines import SUBSTRUCTURE, gaussian_probability
from zoo.particle_physics.tagging.fit_trees import SETTINGS, fit_gaussians, fit_trees, read_scalars
from zoo.particle_physics.tagging.trees import Trees
from zoo.pretrained import weights

JETS_TO_FIT = 40_000
"""A class, the first ones of the training files in order: what the networks see too."""
TEST_FILES = {"test.root": "test-", "shift_mpi_off.root": "mpi_off-"}
"""Shipped file -> how the names of the files that it joins begin."""


def build_jet_tagging(
    out: str | Path, *, size: str = "S", step: str | None = None, progress: Progress | None = None
) -> None:
    """Behind `zoo data build particle_physics/jet_tagging`.

    Args:
        out: folder of the files.
        size: `S` or `M`.
        step: `simulation` (None), `test_files` or `baselines`.
        progress: called with (dataset, jets made, jets in all).
    """
    _build(Path(out), "jet_tagging", ("jet_tagging", "top_tagging"), size, step, progress)


def build_quark_gluon(
    out: str | Path, *, size: str = "S", step: str | None = None, progress: Progress | None = None
) -> None:
    """Behind `zoo data build particle_physics/quark_gluon`; arguments as `build_jet_tagging`."""
    _build(Path(out), "quark_gluon", ("quark_gluon",), size, step, progress)


def _build(
    out: Path,
    dataset: str,
    tasks: tuple[str, ...],
    size: str,
    step: str | None,
    progress: Progress | None,
) -> None:
    def baselines() -> None:
        for task in tasks:
            for line in fit_baselines(out, task, out / "baselines"):
                print(line, flush=True)

    run_step(
        f"particle_physics/{dataset}",
        step,
        {
            "simulation": lambda: simulate(out, dataset=dataset, size=size, progress=progress),
            "test_files": lambda: join_test_files(out, dataset),
            "baselines": baselines,
        },
    )


def join_test_files(folder: Path, dataset: str) -> list[Path]:
    """Joins the simulated test jets of all classes into the files that are shipped."""
    names = [part.name for part in plan(dataset)]
    written = []
    for target, beginning in TEST_FILES.items():
        if chosen := [name for name in names if name.startswith(beginning)]:
            written.append(folder / target)
            join_files(folder, chosen, written[-1])
    return written


def fit_baselines(
    folder: Path, task: str, out: Path, *, per_class: int = JETS_TO_FIT
) -> Iterator[str]:
    """Fits the trees of a task (and the Gaussians of the ten classes) and writes their arrays;
    yields what was reached and what the task's TOML must say.

    Args:
        folder: of the `train-<class>-<k>.root` files; only scalars of whole jets are read.
        task: key of `CLASSES`.
        out: folder of `trees.<task>.safetensors`.
        per_class: jets a class, the first ones of the files in order.
    """
    classes = CLASSES[task]
    x, label = read_scalars(folder, "train", classes, per_class=per_class)
    each = len(label) // len(classes)
    yield f"{task}: {each} training jets of each of {len(classes)} classes"
    about = {
        "classes": json.dumps(classes),
        "features": json.dumps(SUBSTRUCTURE),
        "training_jets_per_class": str(each),
    }
    settings = SETTINGS[task]
    trees = fit_trees(x, label, **settings)
    metadata = about | {"settings": json.dumps(settings, sort_keys=True)}
    yield from _write(out / f"trees.{task}.safetensors", trees, metadata)
    scorers: dict[str, Callable[[np.ndarray], np.ndarray]] = {"trees": Trees(trees).probability}
    if task == "jet_tagging":
        gaussians = fit_gaussians(x, label)
        yield from _write(out / f"gaussians.{task}.safetensors", gaussians, about)
        scorers["gaussians"] = lambda features: gaussian_probability(features, gaussians)
    try:
        held, truth = read_scalars(folder, "validation", classes)
    except FileNotFoundError:
        return
    for kind, probability in scorers.items():
        accuracy = (probability(held).argmax(axis=1) == truth).mean()
        yield f"{kind}: validation accuracy {accuracy:.4f} on {len(truth)} jets"


def _write(path: Path, arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> Iterator[str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    weights.save(path, arrays, metadata=metadata)
    yield f'config = {{ file = "{path.name}", sha256 = "{files.sha256(path)}" }}'
