"""Toy dijet events: falling masses and a falling dijet mass for QCD, two peaks at a resonance for the signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.particle_physics.dijets import CHUNK_COLUMNS, COLUMNS, PROCESSES, Dijets, JetPairs

PEAKS = {"wprime": (80.4, 91.2), "zprime": (172.5, 172.5)}


def chunk(process: str, count: int, *, seed: int) -> dict[str, np.ndarray]:
    """`events [count, 2, 9]` and `mjj [count]` as the simulation writes them."""
    rng = np.random.default_rng([seed, PROCESSES.index(process)])
    if process == "qcd":
        mjj = 2300.0 + rng.exponential(600.0, count)
        mass = np.exp(rng.normal(3.2, 1.0, (count, 2)))
        tau21, tau32 = rng.normal(0.65, 0.15, (2, count, 2))
    else:
        mjj = 3500.0 + 130.0 * rng.standard_normal(count)
        mass = np.array(PEAKS[process]) + 8.0 * rng.standard_normal((count, 2))
        tau21, tau32 = rng.normal(0.35, 0.12, (count, 2)), rng.normal(0.7, 0.12, (count, 2))
    tau1 = rng.uniform(0.05, 0.3, (count, 2))
    tau2 = tau1 * np.clip(tau21, 0.02, 1.0)
    columns = {
        "pt": np.sort(mjj[:, None] / 2.0 * rng.uniform(0.9, 1.0, (count, 2)))[:, ::-1], "eta": rng.normal(0.0, 1.0, (count, 2)),
        "phi": rng.uniform(-np.pi, np.pi, (count, 2)), "mass": mass * rng.uniform(1.1, 1.6, (count, 2)), "sdmass": mass,
        "tau1": tau1, "tau2": tau2, "tau3": tau2 * np.clip(tau32, 0.02, 1.0), "nparticles": rng.poisson(80, (count, 2)),
    }
    return {"events": np.stack([columns[name] for name in CHUNK_COLUMNS], -1).astype(np.float32), "mjj": mjj.astype(np.float32)}


def write_chunks(folder: Path, *, qcd: int, signal: int) -> Path:
    """Two chunks of background a split and one of each signal."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, split in enumerate(("train", "test")):
        for k in range(2):
            np.savez(folder / f"{split}-qcd-{k}.npz", **chunk("qcd", qcd // 2, seed=10 * number + k))
        for name in PROCESSES[1:]:
            np.savez(folder / f"{split}-{name}-0.npz", **chunk(name, signal, seed=10 * number))
    return folder


def dijets(process: str, count: int, *, seed: int) -> Dijets:
    """Toy events within the mass range."""
    arrays = chunk(process, count, seed=seed)
    kept = [CHUNK_COLUMNS.index(name) for name in COLUMNS]
    index = np.full(count, PROCESSES.index(process), np.int8)
    return Dijets(JetPairs(arrays["events"][..., kept]), arrays["mjj"], index).within_mass_range()
