"""Pythia's events as flat arrays over particles, whole batches at a time: no Python loop over
events or particles.

Truth level: hadrons, photons and leptons as Pythia leaves them, no detector and no pile-up.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from zoo.particle_physics.simulation.processes import Process

PYTHIA = "8.317.2"


NEUTRINOS = (12, 14, 16)


MAX_ETA = 5.0
"""Greatest |pseudorapidity| of a visible particle."""

Flat = dict[str, np.ndarray]


def import_generators() -> tuple[Any, Any]:
    """The modules `pythia8mc` and `fastjet`.

    Raises:
        ImportError: the extra `generate` is not installed; says how.
    """
    try:
        import fastjet
        import pythia8mc
    except ImportError as error:
        raise ImportError(
            f'simulating jets needs Pythia {PYTHIA} and FastJet: pip install "scizoo[generate]"'
        ) from error
    return pythia8mc, fastjet


def make_pythia(process: Process, variant: int, *, seed: int, extra: tuple[str, ...] = ()) -> Any:
    """An initialised generator.

    Args:
        process: the class of jets.
        variant: which of its settings.
        seed: 1 .. 900,000,000, Pythia's range.
        extra: settings that come last (a shift).

    Raises:
        ValueError: Pythia knows no such setting.
    """
    if not 1 <= seed <= 900_000_000:
        raise ValueError(f"seed={seed} is outside Pythia's range 1 .. 900000000")
    pythia8mc, _ = import_generators()
    pythia = pythia8mc.Pythia("", False)
    fixed = (
        "Print:quiet=on",
        f"Beams:eCM={process.energy}",
        "Random:setSeed=on",
        f"Random:seed={seed}",
    )
    for line in (*fixed, *process.settings[variant], *extra):
        if not pythia.readString(line):
            raise ValueError(f"Pythia {PYTHIA} does not understand the setting {line!r}")
    if not pythia.init():
        raise ValueError(f"Pythia {PYTHIA} could not start with {process.settings[variant]}")
    return pythia


@dataclasses.dataclass(frozen=True)
class EventBatch:
    """A batch of events as flat arrays over particles."""

    columns: Flat
    offsets: np.ndarray

    @property
    def of(self) -> np.ndarray:
        """The event of each particle."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def flatten(batch: Any) -> EventBatch:
    """A batch of `Pythia.nextBatch` as flat arrays: id, status, mother (index into the flat
    arrays), px .. e, m, x, y, z (mm)."""
    import awkward as ak

    particles = batch.prt
    counts = ak.to_numpy(ak.num(particles.id))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    flat = {
        name: ak.to_numpy(ak.flatten(particles[name])) for name in ("id", "status", "mother1", "m")
    }
    flat |= {name: ak.to_numpy(ak.flatten(particles.p[name])) for name in ("px", "py", "pz", "e")}
    vertex = {
        axis: ak.flatten(particles.vProd[name])
        for axis, name in (("x", "px"), ("y", "py"), ("z", "pz"))
    }
    flat |= {axis: ak.to_numpy(ak.fill_none(value, 0.0)) for axis, value in vertex.items()}
    flat["mother"] = flat.pop("mother1") + np.repeat(offsets[:-1], counts)
    return EventBatch(flat, offsets)


def pseudorapidity(px: np.ndarray, py: np.ndarray, pz: np.ndarray) -> np.ndarray:
    """eta = asinh(pz / pT); along the beam +-inf."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.arcsinh(pz / np.hypot(px, py))  # the empty line 0 of an event: nan


def visible(event: EventBatch) -> np.ndarray:
    """Indices of stable particles but neutrinos, |eta| < 5."""
    c = event.columns
    eta = pseudorapidity(c["px"], c["py"], c["pz"])
    return np.flatnonzero(
        (c["status"] > 0) & ~np.isin(np.abs(c["id"]), NEUTRINOS) & (np.abs(eta) < MAX_ETA)
    )


def take_lists(
    content: np.ndarray, offsets: np.ndarray, order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Some of the lists of (content, offsets), in the given order."""
    sizes = np.diff(offsets)[order]
    new = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    inside = np.arange(new[-1]) - np.repeat(new[:-1], sizes)
    return content[np.repeat(offsets[:-1][order], sizes) + inside], new
