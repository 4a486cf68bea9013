"""`Jets`: what a file of jets becomes in memory, and the names of the JetClass layout (Qu,
Li & Qian, arXiv:2202.03772)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

LABELS = ("QCD", "Hbb", "Hcc", "Hgg", "H4q", "Hqql", "Zqq", "Wqq", "Tbqq", "Tbl")
"""Classes in JetClass's order; the branches are `label_<class>`."""

QUARK_GLUON_LABELS = ("gluon", "quark")
"""Classes of the quark/gluon task; the branches are `label_gluon`, `label_quark`."""

CLASSES: dict[str, tuple[str, ...]] = {
    "jet_tagging": LABELS,
    "top_tagging": ("QCD", "Tbqq"),
    "quark_gluon": QUARK_GLUON_LABELS,
}
"""Classes of each task on our own jets, the background of two first."""

MOMENTUM = ("part_px", "part_py", "part_pz", "part_energy")
DISPLACEMENT = ("part_d0val", "part_d0err", "part_dzval", "part_dzerr")
IDENTITY = (
    "part_charge",
    "part_isChargedHadron",
    "part_isNeutralHadron",
    "part_isPhoton",
    "part_isElectron",
    "part_isMuon",
)
DIRECTION = ("part_deta", "part_dphi")
PARTICLE_BRANCHES = (*MOMENTUM, *DIRECTION, *DISPLACEMENT, *IDENTITY)
"""All columns of a constituent: GeV, rad, mm (displacements), charge in e, five flags."""

JET_BRANCHES = (
    "jet_pt",
    "jet_eta",
    "jet_phi",
    "jet_energy",
    "jet_nparticles",
    "jet_sdmass",
    "jet_tau1",
    "jet_tau2",
    "jet_tau3",
    "jet_tau4",
)
"""Reconstructed properties of the whole jet. Branches `aux_*` are the generator's truth and
never features."""


@dataclasses.dataclass(frozen=True)
class Jets:
    """Jets as padded arrays.

    Attributes:
        particles: float32 `[jet, particle, column]`, hardest first, zero where there is none.
        mask: bool `[jet, particle]`: where there is one.
        columns: names of the columns of `particles`, branches of `PARTICLE_BRANCHES`.
        scalars: jet branch -> float32 `[jet]`; see `JET_BRANCHES`.
        label: int8 `[jet]`, index into `classes`; -1 where the file says none.
        classes: names of the classes.
    """

    particles: np.ndarray
    mask: np.ndarray
    columns: tuple[str, ...]
    scalars: Mapping[str, np.ndarray]
    label: np.ndarray
    classes: tuple[str, ...] = LABELS

    def __len__(self) -> int:
        return len(self.mask)

    def __getitem__(self, chosen: slice | np.ndarray) -> Jets:
        """Some of the jets: a slice, indices or a boolean mask."""
        scalars = {name: value[chosen] for name, value in self.scalars.items()}
        return Jets(
            self.particles[chosen],
            self.mask[chosen],
            self.columns,
            scalars,
            self.label[chosen],
            self.classes,
        )

    def column(self, name: str) -> np.ndarray:
        """One column `[jet, particle]`.

        Raises:
            KeyError: it was not read; the message lists what was.
        """
        if name not in self.columns:
            raise KeyError(f"no column {name!r} was read; there are {', '.join(self.columns)}")
        return self.particles[..., self.columns.index(name)]

    def hardest(self, count: int) -> Jets:
        """The same jets with at most `count` of their hardest particles."""
        return dataclasses.replace(
            self, particles=self.particles[:, :count], mask=self.mask[:, :count]
        )


def concatenate(parts: Sequence[Jets]) -> Jets:
    """Jets of several files, one after another; they must have equal columns and padding.

    Raises:
        ValueError: nothing to join, or the parts differ in columns, padding or classes.
    """
    if not parts:
        raise ValueError("no jets to join: the list of parts is empty")
    first = parts[0]
    for part in parts[1:]:
        for name, a, b in (
            ("columns", first.columns, part.columns),
            ("classes", first.classes, part.classes),
            ("padding", first.mask.shape[1], part.mask.shape[1]),
            ("scalars", sorted(first.scalars), sorted(part.scalars)),
        ):
            if a != b:
                raise ValueError(f"jets with different {name} cannot be joined: {a} and {b}")
    return Jets(
        np.concatenate([part.particles for part in parts]),
        np.concatenate([part.mask for part in parts]),
        first.columns,
        {name: np.concatenate([part.scalars[name] for part in parts]) for name in first.scalars},
        np.concatenate([part.label for part in parts]),
        first.classes,
    )
