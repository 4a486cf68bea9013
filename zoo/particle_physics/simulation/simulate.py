"""The simulation of a dataset's files, resumable, two processes at a time.

A file appears under its final name only when it is whole; `manifest.json` lists the content
digest of each (`content_digest`), which two simulations share bit for bit, whatever the batch
size. Cost: 40-66 jets per second and core (Tbl the slowest, QCD the fastest; quark_gluon,
whose window of pT is narrow, 26), three quarters of it in Pythia. A simulation that is stopped
keeps its whole files; as training files are made in rounds over the classes, 40,000 jets a
class are the first four rounds of size M.

The families' `build` modules, which `zoo data build` calls, say what is made of the files.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from zoo import files
from zoo.manifest import Manifest
from zoo.particle_physics.simulation.events import PYTHIA, import_generators
from zoo.particle_physics.simulation.generator import generate_dijets, generate_jets
from zoo.particle_physics.simulation.jet_files import content_digest, jet_arrays, write_jets
from zoo.particle_physics.simulation.plan import Part, plan
from zoo.particle_physics.simulation.processes import DIJETS, PROCESSES

Progress = Callable[[str, int, int], None]


def make(part: Part, folder: Path) -> dict[str, Any]:
    """Makes one file; returns its manifest entry."""
    path = folder / part.name
    if not part.labels:
        arrays = generate_dijets(DIJETS[part.process], part.count, seed=part.seed)
        digest = content_digest(arrays)
        with files.whole(path) as partial, partial.open("wb") as file:
            np.savez(file, events=arrays["events"], mjj=arrays["mjj"])
    else:
        columns, offsets, scalars = generate_jets(
            PROCESSES[part.process], part.count, seed=part.seed, extra=part.extra
        )
        arrays = jet_arrays(columns, offsets, scalars, [part.process] * part.count, part.labels)
        digest = content_digest(arrays | {"offsets": offsets})
        with files.whole(path) as partial:
            write_jets(partial, arrays, offsets)
    return {
        "process": part.process,
        "count": part.count,
        "seed": part.seed,
        "content": digest,
        "bytes": path.stat().st_size,
    }


def simulate(
    out: str | Path,
    *,
    dataset: str,
    size: str = "S",
    processes: int = 2,
    progress: Progress | None = None,
    first: int | None = None,
) -> Path:
    """Makes the files of a dataset that are not there yet.

    Args:
        out: folder; made if need be.
        dataset: as in `plan`.
        size: `S` or `M`.
        processes: worker processes.
        progress: called with (dataset, jets made, jets in all).
        first: only that many files of the plan.

    Raises:
        ImportError: the extra `generate` is missing.
        ValueError: the folder holds a file that its manifest describes otherwise.
    """
    import_generators()
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    parts = plan(dataset, size)[:first]
    settings = {"dataset": f"particle_physics/{dataset}"}
    manifest = Manifest.open(folder, settings, record={"pythia": PYTHIA})
    todo = [
        part
        for part in parts
        if not manifest.has(part.name, seed=part.seed, count=part.count, process=part.process)
    ]
    total, done = (
        sum(part.count for part in parts),
        sum(part.count for part in parts if part not in todo),
    )
    tell = progress or (lambda name, done, total: None)
    tell(dataset, done, total)
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(max(1, processes), mp_context=spawn) as pool:
        running = {pool.submit(make, part, folder): part for part in todo}
        try:
            for future in concurrent.futures.as_completed(running):
                manifest.add(running[future].name, future.result())
                done += running[future].count
                tell(dataset, done, total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return folder


def run_step(dataset: str, step: str | None, steps: Mapping[str, Callable[[], Any]]) -> None:
    """Runs one step of `zoo data build DATASET --step STEP`; None: the first.

    Raises:
        ValueError: no such step; names those there are.
    """
    chosen = next(iter(steps)) if step is None else step
    if chosen not in steps:
        raise ValueError(f"{dataset} has no step {chosen!r}; --step is one of {', '.join(steps)}")
    steps[chosen]()
