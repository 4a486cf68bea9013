"""A jet's constituents as they are stored: JetClass's columns, rounded to what a tracker could
measure.

Tracks alone are measured: the impact parameters of charged particles are smeared with a
resolution like that of a silicon tracker (`track_resolution`), because exact ones would
name every b hadron.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.particle_physics.simulation.clustering import FoundJets
from zoo.particle_physics.simulation.events import EventBatch, Flat, take_lists

MOMENTUM_BITS, ENERGY_BITS, DISPLACEMENT_BITS = 11, 14, 6
"""Bits of mantissa that are stored: momenta to 2^-12 of their value (no tracker measures
better), half of the bytes of full ones."""


def round_mantissa(value: np.ndarray, bits: int) -> np.ndarray:
    """float32 with `bits` bits of mantissa, rounded to nearest."""
    drop = 23 - bits
    raw = np.ascontiguousarray(value, np.float32).view(np.uint32).astype(np.uint64)
    nearest = ((raw + (1 << (drop - 1))) >> drop) << drop
    return nearest.astype(np.uint32).view(np.float32)


def track_resolution(pt: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviations (mm) of d0 and dz of a track of transverse momentum `pt` (GeV).

    A constant and a multiple-scattering term, hypot(15, 80/pT) and hypot(30, 150/pT)
    micrometres: of the size that the CMS tracker reaches (arXiv:1405.6569, fig. 14),
    nobody's exact parametrisation.
    """
    return np.hypot(0.015, 0.08 / pt), np.hypot(0.03, 0.15 / pt)


def constituents(
    event: EventBatch, jets: FoundJets, keep: np.ndarray, charge_of: Any
) -> tuple[Flat, np.ndarray]:
    """The constituents of the kept jets, hardest first: JetClass's columns but deta and
    dphi, displacements still exact."""
    index, offsets = take_lists(jets.constituents, jets.offsets, np.flatnonzero(keep))
    c = event.columns
    pt = np.hypot(c["px"][index], c["py"][index])
    jet = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    index = index[np.lexsort((index, -pt, jet))]
    kinds, inverse = np.unique(c["id"][index], return_inverse=True)
    charge = (
        np.array([charge_of(int(kind)) for kind in kinds], np.float32)[inverse]
        if len(kinds)
        else np.zeros(0, np.float32)
    )
    px, py, pz = (round_mantissa(c[name][index], MOMENTUM_BITS) for name in ("px", "py", "pz"))
    energy = np.sqrt(
        c["m"][index] ** 2
        + px.astype(np.float64) ** 2
        + py.astype(np.float64) ** 2
        + pz.astype(np.float64) ** 2
    )
    pt, kind = np.hypot(px, py).astype(np.float64), np.abs(c["id"][index])
    x, y, z = c["x"][index], c["y"][index], c["z"][index]
    charged, electron, muon = charge != 0, kind == 11, kind == 13
    return {
        "px": px,
        "py": py,
        "pz": pz,
        "energy": round_mantissa(energy, ENERGY_BITS),
        "d0val": np.where(charged, (x * py - y * px) / pt, 0.0),
        "dzval": np.where(charged, z - (x * px + y * py) / pt * (pz / pt), 0.0),
        "charge": charge,
        "isChargedHadron": charged & ~electron & ~muon,
        "isNeutralHadron": ~charged & (kind != 22),
        "isPhoton": kind == 22,
        "isElectron": electron,
        "isMuon": muon,
    }, offsets


def measure_tracks(columns: Flat, *, seed: int) -> Flat:
    """Adds the tracker's errors `d0err`, `dzerr` (mm) and smears `d0val`, `dzval` by them;
    neutral particles have zeros."""
    rng = np.random.default_rng([seed, 0x7AC4])
    charged = columns["charge"] != 0
    pt = np.hypot(columns["px"], columns["py"]).astype(np.float64)
    out = dict(columns)
    for name, error in zip(("d0", "dz"), track_resolution(pt), strict=True):
        error = np.where(charged, error, 0.0)
        out[f"{name}val"] = round_mantissa(
            columns[f"{name}val"] + error * rng.standard_normal(len(error)), DISPLACEMENT_BITS
        )
        out[f"{name}err"] = round_mantissa(error, DISPLACEMENT_BITS)
    return out
