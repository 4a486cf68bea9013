"""Pythia events into jets and dijet events: the first so many that a seed yields, equal for
every batch size.

    events (Pythia.nextBatch, one awkward array) -> visible particles        `events`
        -> anti-kT jets (FastJet) -> truth match, substructure              `clustering`
        -> constituents                                                     `constituents`
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.particle_physics.simulation.clustering import cluster, holds_resonance, substructure
from zoo.particle_physics.simulation.constituents import constituents, measure_tracks
from zoo.particle_physics.simulation.events import Flat, flatten, make_pythia, take_lists
from zoo.particle_physics.simulation.processes import LEADING_PT, Process

DIJET_FEATURES = ("pt", "eta", "phi", "mass", "sdmass", "tau1", "tau2", "tau3", "nparticles")
"""Per jet of a dijet event, in this order; GeV and rad."""


def generate_jets(
    process: Process, count: int, *, seed: int, extra: tuple[str, ...] = (), batch: int = 250
) -> tuple[Flat, np.ndarray, Flat]:
    """The first `count` jets of a class that a seed yields; equal for every batch size.

    Returns:
        Constituents (flat), offsets `[count + 1]`, and jet properties `[count]`:
        JetClass's, `mass`, and `event`.
    """
    parts = []
    for variant in range(len(process.settings)):
        wanted = count * (variant + 1) // len(process.settings) - count * variant // len(
            process.settings
        )
        if wanted:
            batches = _batches(process, variant, seed=seed + variant, extra=extra, batch=batch)
            parts.append(_first(batches, wanted))
    columns, offsets, scalars = _join(parts)
    return measure_tracks(columns, seed=seed), offsets, scalars


def _batches(
    process: Process, variant: int, *, seed: int, extra: tuple[str, ...], batch: int
) -> Iterator[tuple[Flat, np.ndarray, Flat]]:
    pythia = make_pythia(process, variant, seed=seed, extra=extra)
    done = 0
    while True:
        event = flatten(pythia.nextBatch(batch))
        jets = cluster(event, process.selection)
        keep = holds_resonance(event, jets, process)
        columns, offsets = constituents(event, jets, keep, pythia.particleData.charge)
        scalars = {name: value[keep] for name, value in jets.scalars.items()} | {
            "nparticles": np.diff(offsets)
        }
        scalars["event"] = (jets.event[keep] + done).astype(np.int64) * len(
            process.settings
        ) + variant
        if len(offsets) > 1:
            members, _ = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
            exact = {name: event.columns[name][members] for name in ("px", "py", "pz", "e")}
            scalars |= substructure(exact, offsets, process.selection.radius)
            yield columns, offsets, scalars
        done += len(event.offsets) - 1


def _first(
    batches: Iterator[tuple[Flat, np.ndarray, Flat]], count: int
) -> tuple[Flat, np.ndarray, Flat]:
    parts, found = [], 0
    for columns, offsets, scalars in batches:
        take = min(count - found, len(offsets) - 1)
        end = int(offsets[take])
        parts.append(
            (
                {k: v[:end] for k, v in columns.items()},
                offsets[: take + 1],
                {k: v[:take] for k, v in scalars.items()},
            )
        )
        found += take
        if found == count:
            break
    return _join(parts)


def _join(parts: list[tuple[Flat, np.ndarray, Flat]]) -> tuple[Flat, np.ndarray, Flat]:
    columns = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    sizes = np.concatenate([np.diff(part[1]) for part in parts])
    scalars = {name: np.concatenate([part[2][name] for part in parts]) for name in parts[0][2]}
    return columns, np.concatenate([[0], np.cumsum(sizes)]), scalars


def generate_dijets(
    process: Process, count: int, *, seed: int, batch: int = 250
) -> dict[str, np.ndarray]:
    """The first `count` dijet events of a seed whose leading jet has pT > 1.2 TeV; equal
    for every batch size.

    Returns:
        `events` float32 `[count, 2, 9]` (`DIJET_FEATURES`, leading jet first) and `mjj`
        float32 `[count]`, GeV.
    """
    pythia = make_pythia(process, 0, seed=seed)
    events, masses, found = [], [], 0
    while found < count:
        event = flatten(pythia.nextBatch(batch))
        jets = cluster(event, process.selection)
        rank = np.arange(len(jets.event)) - np.searchsorted(jets.event, jets.event)
        two = np.bincount(jets.event[rank == 1], minlength=len(event.offsets) - 1) > 0
        hard = np.zeros(len(two), bool)
        hard[jets.event[rank == 0]] = jets.scalars["pt"][rank == 0] > LEADING_PT
        keep = (rank < 2) & (two & hard)[jets.event]
        if not keep.any():
            continue
        index, offsets = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
        shape = substructure(
            {name: event.columns[name][index] for name in ("px", "py", "pz", "e")},
            offsets,
            process.selection.radius,
        )
        jet = (
            {name: value[keep] for name, value in jets.scalars.items()}
            | shape
            | {"nparticles": np.diff(offsets)}
        )
        table = np.stack(
            [np.asarray(jet[name], np.float64) for name in DIJET_FEATURES], -1
        ).reshape(-1, 2, len(DIJET_FEATURES))
        pt, eta, phi, energy = (jet[name].reshape(-1, 2) for name in ("pt", "eta", "phi", "energy"))
        total = [(pt * np.cos(phi)).sum(1), (pt * np.sin(phi)).sum(1), (pt * np.sinh(eta)).sum(1)]
        masses.append(np.sqrt(np.maximum(energy.sum(1) ** 2 - sum(p**2 for p in total), 0.0)))
        events.append(table)
        found += len(table)
    return {
        "events": np.concatenate(events)[:count].astype(np.float32),
        "mjj": np.concatenate(masses)[:count].astype(np.float32),
    }
