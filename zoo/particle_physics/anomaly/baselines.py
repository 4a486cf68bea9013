"""Baselines of `particle_physics/anomaly`: cuts that need no training, and what a useless
or a sculpting score looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from zoo.particle_physics.anomaly.data import JetPairs, ratio

if TYPE_CHECKING:
    from zoo.particle_physics.anomaly.task import Anomaly

Predictor = Callable[[JetPairs], dict[str, np.ndarray]]
RESOLUTION = 15.0
"""GeV: by how much a soft-drop mass may differ from the particle's."""
MASSES = {"wprime": (80.4, 91.2), "zprime": (172.5, 172.5)}
"""GeV: of the W and the Z, of the two tops."""


def random(task: Anomaly, *, seeds: int = 5) -> Predictor:
    """Uniform numbers: a cut on them has SIC sqrt(FPR) and enrichment 1."""

    def predict(pairs: JetPairs) -> dict[str, np.ndarray]:
        return {
            "score": np.stack(
                [np.random.default_rng(seed).random(len(pairs)) for seed in range(seeds)], -1
            )
        }

    return predict


def lighter_mass(task: Anomaly) -> Predictor:
    """The lighter jet's soft-drop mass: two heavy jets are rare in QCD. Knows no signal."""
    return lambda pairs: {"score": pairs.column("sdmass").min(1)}


def two_prongs(task: Anomaly) -> Predictor:
    """Minus the larger tau21 (Thaler & Van Tilburg, arXiv:1011.2268): both jets look like
    two prongs. Knows no signal."""
    return lambda pairs: {"score": -ratio(pairs.column("tau2"), pairs.column("tau1")).max(1)}


def mass_window(task: Anomaly) -> Predictor:
    """Minus the distance of both soft-drop masses from the decay products' own: what
    knowing the signal's particles is worth."""

    def predict(pairs: JetPairs) -> dict[str, np.ndarray]:
        mass = np.sort(pairs.column("sdmass"), axis=1)
        return {
            name: -np.hypot(*((mass - np.array(particles)) / RESOLUTION).T)
            for name, particles in MASSES.items()
        }

    return predict


def leading_pt(task: Anomaly) -> Predictor:
    """The leading jet's pT: all but the dijet mass itself. Its place is the last; it shows
    what sculpting is."""
    return lambda pairs: {"score": pairs.column("pt")[:, 0]}
