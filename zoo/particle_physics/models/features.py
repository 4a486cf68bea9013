"""A network's inputs from constituents, standardised as JetClass's own configuration does
(arXiv:2202.03772, JetClass_full.yaml).

Works on NumPy and on JAX arrays alike, so that raw constituents stay on the device and are
standardised inside the jitted step:

    features, vectors = network_inputs(
        particles, mask, jet_pt, jet_energy, names=FEATURE_SETS["kinpid"], columns=columns
    )

The last two features of every set are (deta, dphi): the coordinates in which ParticleNet
looks for neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zoo.particle_physics.data.jets import DIRECTION, DISPLACEMENT, IDENTITY, MOMENTUM

_KINEMATIC = ("part_pt_log", "part_e_log", "part_logptrel", "part_logerel", "part_deltaR")
_TRACK = ("part_d0", "part_d0err", "part_dz", "part_dzerr")
FEATURE_SETS: dict[str, tuple[str, ...]] = {
    "kin": (*_KINEMATIC, *DIRECTION),
    "kinpid": (*_KINEMATIC, *IDENTITY, *DIRECTION),
    "full": (*_KINEMATIC, *IDENTITY, *_TRACK, *DIRECTION),
}
"""Names of JetClass's three input sets, in the order that the published weights expect."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "kin": (*MOMENTUM, *DIRECTION),
    "kinpid": (*MOMENTUM, *DIRECTION, *IDENTITY),
    "full": (*MOMENTUM, *DIRECTION, *DISPLACEMENT, *IDENTITY),
}
"""Branches that each set needs."""

_STANDARD = {
    "part_pt_log": (1.7, 0.7),
    "part_e_log": (2.0, 0.7),
    "part_deltaR": (0.2, 4.0),
    "part_logptrel": (-4.7, 0.7),
    "part_logerel": (-4.7, 0.7),
}
_TINY = 1e-8


def standardise(
    columns: Mapping[str, Any],
    names: Sequence[str],
    *,
    jet_pt: Any,
    jet_energy: Any,
    mask: Any,
    xp: Any = np,
) -> Any:
    """Features `[jet, particle, name]`: (value - centre) * scale, clipped to [-5, 5], zero
    where there is no particle.

    Args:
        columns: branch -> `[jet, particle]`.
        names: of a `FEATURE_SETS` entry.
        jet_pt, jet_energy: `[jet]` in GeV.
        mask: `[jet, particle]`.
        xp: `numpy` or `jax.numpy`.
    """
    pt = xp.hypot(columns["part_px"], columns["part_py"])
    log_pt, log_energy = (
        xp.log(xp.maximum(pt, _TINY)),
        xp.log(xp.maximum(columns["part_energy"], _TINY)),
    )
    known = {
        "part_pt_log": lambda: log_pt,
        "part_e_log": lambda: log_energy,
        "part_logptrel": lambda: log_pt - xp.log(jet_pt)[:, None],
        "part_logerel": lambda: log_energy - xp.log(jet_energy)[:, None],
        "part_deltaR": lambda: xp.hypot(columns["part_deta"], columns["part_dphi"]),
        "part_d0": lambda: xp.tanh(columns["part_d0val"]),
        "part_dz": lambda: xp.tanh(columns["part_dzval"]),
        "part_d0err": lambda: xp.clip(columns["part_d0err"], 0.0, 1.0),
        "part_dzerr": lambda: xp.clip(columns["part_dzerr"], 0.0, 1.0),
    }
    features = []
    for name in names:
        value = known[name]() if name in known else columns[name]
        if name in _STANDARD:
            centre, scale = _STANDARD[name]
            value = (value - centre) * scale
        features.append(xp.where(mask, xp.clip(value, -5.0, 5.0), 0.0))
    return xp.stack(features, -1)


def network_inputs(
    particles: Any,
    mask: Any,
    jet_pt: Any,
    jet_energy: Any,
    *,
    names: Sequence[str],
    columns: Sequence[str],
    xp: Any = np,
) -> tuple[Any, Any]:
    """What every architecture is called with beside the mask: features
    `[jet, particle, name]` and vectors (px, py, pz, E; GeV).

    Args:
        particles: raw constituents `[jet, particle, column]`.
        mask, jet_pt, jet_energy, names, xp: as in `standardise`.
        columns: names of the columns of `particles`.
    """
    by_name = {name: particles[..., index] for index, name in enumerate(columns)}
    features = standardise(by_name, names, jet_pt=jet_pt, jet_energy=jet_energy, mask=mask, xp=xp)
    return features, xp.stack([by_name[name] for name in MOMENTUM], -1)
